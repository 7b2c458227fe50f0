"""Faults of a configuration in words: a line for each that pydantic reports.

A field whose type, bounds, choice or name is wrong is told first, all of them at once. What several fields are to each
other is looked at once each is right by itself: a check of values that cannot be says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from hw_models.errors import nearest
from hw_models.reading import Entries, Page
from hw_models.text import shown as as_shown, unmarked

MOST = 20
"""Lines of an error."""
_ASSIGNED = re.compile(r"[\w.-]+ = ")
"""A fault that says which entry of a table it is of."""
_NAMED = re.compile(r"(?:unknown key ')?([A-Za-z_][\w.-]*)'?(?= = |: )")
"""A fault names its field first."""
_BELOW_ZERO = re.compile(r"\bg[et]=-")
"""What pydantic's checks of a field show where it may be below 0, as a correlation may."""
_AMOUNT = re.compile(r"\s*([-+]?\d+(?:[.,]\d*)?(?:[eE][-+]?\d+)?)\s*(%|[^\W\d_][\w/^ -]*)?\s*")
"""A number with a unit, as a percentage, or with a decimal comma."""
_LONG = re.compile(r"\b\d{8,}(?:\.\d+)?\b|\b0\.0000\d+\b")
"""Bounds as pydantic writes them out, 1e-9 as 0.000000001."""
_WORDS: Mapping[str, str] = {
    "bool_type": "should be true or false",
    "dict_type": "should be a table",
    "float_type": "should be a number",
    "int_type": "should be a whole number",
    "model_type": "should be a table",
    "string_type": "should be a text",
    "tuple_type": "should be a list",
}


class Impossible(ValueError):
    """Fields of a part are such as cannot be together.

    Attributes
    ----------
    told : list of str
        A line for each fault.
    """

    def __init__(self, told: Sequence[str]) -> None:
        self.told = list(told)
        super().__init__("; ".join(self.told))


class Idle(Impossible):
    """Fields are set where they could not act.

    Attributes
    ----------
    lines : dict of str to str
        What to say of each, by its name within the part that found it.
    """

    def __init__(self, lines: Mapping[str, str], others: Sequence[str] = ()) -> None:
        self.lines = dict(lines)
        super().__init__([*self.lines.values(), *others])


def lines(error: ValidationError | Impossible, names: Collection[str], within: Sequence[str] = ()) -> list[str]:
    """Describe faults: those of single fields, or, where there are none, those between fields.

    Parameters
    ----------
    error : ValidationError or Impossible
        Of a configuration or a part of it.
    names : collection of str
        All fields by dotted name.
    within : sequence of str
        Table in which it stands.
    """
    if isinstance(error, Impossible):
        return [".".join([*within, told]) for told in error.told]
    found: list[Page] = [{**fault, "loc": (*within, *fault["loc"])} for fault in error.errors()]
    whole = {fault["loc"][:n] for fault in found for n in range(len(fault["loc"]))}
    # A list is also too short for pydantic where its entries are wrong.
    single = [fault for fault in found if _is_of_a_field(fault, names) and fault["loc"] not in whole]
    return list(dict.fromkeys(told for fault in single or found for told in _told(fault, names)))


def are_of_fields(error: ValidationError, names: Collection[str]) -> bool:
    """Tell whether single fields are wrong, and not what they are to each other."""
    return any(_is_of_a_field(fault, names) for fault in error.errors())


def told(lines: Sequence[str]) -> list[str]:
    """Return lines for an error, the last one saying how many more there are where they are very many."""
    more = len(lines) - MOST
    return [*lines[:MOST], f"and {more} more"] if more > 1 else list(lines)


def _is_of_a_field(fault: Entries, names: Collection[str]) -> bool:
    """Tell a fault of one field from a check that a table makes of several."""
    place = [str(part) for part in fault["loc"]]
    return fault["type"] != "value_error" or any(".".join(place[:n]) in names for n in range(1, len(place) + 1))


def _told(fault: Entries, names: Collection[str]) -> list[str]:
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, Impossible):
        return lines(cause, names, [str(part) for part in fault["loc"]])
    return [line(fault, names)]


def line(error: Entries, names: Collection[str]) -> str:
    """Describe one fault: the field, the value, what is allowed, the nearest valid name.

    Parameters
    ----------
    error : mapping
        One entry of ``pydantic.ValidationError.errors()``.
    names : collection of str
        All fields by dotted name.
    """
    place = [str(part) for part in error["loc"]]
    value, kind = error["input"], error["type"]
    if kind == "extra_forbidden":
        return _unknown(place, value, names)
    if kind == "value_error" and not isinstance(value, str | int | float | list | tuple):
        said = _plain(error["msg"])
        of_a_part = ".".join(place) not in names or _ASSIGNED.match(said)  # which names the field that it means
        return ".".join([*place, said]) if of_a_part else f"{'.'.join(place)} = {as_shown(value)}: {said}"
    if kind == "too_short":
        least = f"should have at least {error['ctx']['min_length']} entry, and it has {len(value)}"
        return f"{'.'.join(place)} = {as_shown(value)}: {least}"
    if kind in ("missing", "too_long") and isinstance(value, list | tuple):
        return _count(place if kind == "too_long" else place[:-1], value, names)
    choices = (
        error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ") if kind == "literal_error" else ()
    )
    asked = _WORDS.get(kind) or _plain(error["msg"])
    hint = nearest(value, choices) or _percent(place, error, names) or _alone(place, error, names)
    return f"{'.'.join(place)} = {as_shown(value)}: {asked}{hint}"


def _count(place: Sequence[str], value: Sequence[object], names: Collection[str]) -> str:
    """Say how many numbers a list should have; one alone is not told from a list of one, as a command line gives it."""
    name = ".".join(place)
    known = names.get(name) if isinstance(names, Mapping) else None
    shown = f"{name} = {as_shown(list(value))}: should be"
    kinds = next(filter(None, _lists(known.annotation)), ()) if isinstance(known, FieldInfo) else ()
    if not isinstance(known, FieldInfo) or not kinds:
        return f"{shown} a list of another length"
    said = f": {unmarked(known.description).split('. ')[0].rstrip('.')}" if known.description else ""
    return f"{shown} a list of {len(kinds)} numbers, and it has {len(value)}{said}"


def _lists(kind: object) -> Iterator[tuple[object, ...]]:
    """Yield what the lists of fixed length in a type hold."""
    if get_origin(kind) is tuple:
        yield () if Ellipsis in get_args(kind) else get_args(kind)
    for part in get_args(kind):
        yield from _lists(part)


def _percent(place: Sequence[str], error: Entries, names: Collection[str]) -> str:
    """Return what a share above 1 would be if it is a percentage, or nothing where it cannot be one."""
    value, bounds = error["input"], error.get("ctx", {})
    if error["type"] not in ("less_than_equal", "less_than") or bounds.get("le", bounds.get("lt", 2)) > 1:
        return ""
    known = names.get(".".join(place)) if isinstance(names, Mapping) else None
    share = True
    if isinstance(known, FieldInfo):
        share = not _BELOW_ZERO.search(repr(known.metadata)) or _unit(known).startswith("of ")
    return f"; it is a share, {value:g} % is {value / 100:g}" if share and 1 < value <= 100 else ""


def _alone(place: Sequence[str], error: Entries, names: Collection[str]) -> str:
    """Say how a number is written that came with its unit, as a percentage or with a decimal comma."""
    found = _AMOUNT.fullmatch(error["input"]) if isinstance(error["input"], str) else None
    if error["type"] not in ("float_type", "int_type") or found is None:
        return ""
    number, unit = float(found[1].replace(",", ".")), found[2]
    if not unit:
        return f"; with a point, {number:g}" if "," in found[1] else ""
    own = _unit(names.get(".".join(place))) if isinstance(names, Mapping) else ""
    own = "" if own.startswith("of ") else own
    if unit == "%" and error["type"] == "int_type":
        return ""
    if unit == "%" and not own:
        return f"; {number:g} % is {number / 100:.10g}"
    return f"; write the number alone, in {own}" if own else "; write the number alone"


def _unit(known: object) -> str:
    """Return the unit of a field, empty where it has none."""
    said = known.json_schema_extra if isinstance(known, FieldInfo) else None
    return str(said.get("unit") or "") if isinstance(said, dict) else ""


def field(line: str) -> str:
    """Return the dotted name that a line begins with, as it describes a fault; empty where it names none."""
    found = _NAMED.match(line)
    return found[1] if found else ""


def standing(line: str, places: Mapping[str, str]) -> str:
    """Return where the field of a fault stands, or fields of its table do; empty if that is not known.

    Parameters
    ----------
    line : str
        As of :func:`line`.
    places : mapping of str to str
        By dotted name of a field; what is a fault of two fields is looked for beside the one that is named.
    """
    name = field(line)
    while name:
        own = [place for other, place in places.items() if name == other or other.startswith(f"{name}.")]
        if own or name in places:
            return own[-1]
        name = name.rpartition(".")[0]
    return ""


def _unknown(place: Sequence[str], value: object, names: Collection[str]) -> str:
    """Describe a key that no table has."""
    table = "".join(f"{part}." for part in place[:-1])
    allowed = [name for name in names if name.startswith(table)]
    leaves = list(dict.fromkeys(name.removeprefix(table).split(".")[0] for name in allowed))
    children = [f"{table}{leaf}" for leaf in leaves]
    near = nearest(".".join(place), children) or nearest(place[-1], leaves) or nearest(".".join(place), allowed)
    shown = "" if isinstance(value, Mapping) else f" = {as_shown(value)}"
    return f"unknown key '{'.'.join(place)}'{shown}: allowed are {', '.join(leaves)}{near}"


def _plain(message: str) -> str:
    for start in ("Value error, ", "Input ", "Tuple ", "String "):
        message = message.removeprefix(start)
    return _LONG.sub(lambda found: _brief(found[0]), message)


def _brief(number: str) -> str:
    """Return a number in few characters where that is the same number."""
    found = f"{float(number):g}"
    return found if float(found) == float(number) else number
