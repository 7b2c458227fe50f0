# Tested by tests/hw_models/chip/test_description.py.
"""Which fields of a chip could not act where they stand, and which of those nobody asked for.

A chip is made of layers: a preset, the file that starts from it, the table of a configuration, what a command line
gives, what a sweep varies. A field set where it could not act is refused, with one line that says where it acts. But
where a later layer switches off what an earlier one's fields belong to (``--chip pcm --chip.device.age 0``), these are
companions that came with it: they keep their values, have no effect, are listed in :attr:`Chip.kept`, and act again
where that is switched on again. So the rule is: *a layer is refused for what it sets in vain itself, never for what a
later one silences.*

Values are nested plain ones, names are dotted. What acts is said in one place, by
:meth:`hw_models.chip.fields.Part.idle` in the checks of the parts and of the chip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel, ValidationError

from hw_models.chip.faults import Idle
from hw_models.reading import Entries, Page

KEPT = "kept"
"""Entry of a chip that lists its silenced companions."""


def names(table: Entries, start: str = "") -> Iterator[str]:
    """Yield the dotted names of all leaves, and of tables that hold nothing."""
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from names(value, f"{start}{name}.")
        else:
            yield f"{start}{name}"


def without(table: Entries, left_out: Iterable[str], start: str = "") -> Page:
    """Return nested values without some leaves."""
    left_out = set(left_out)
    return {
        name: without(value, left_out, f"{start}{name}.") if isinstance(value, Mapping) else value
        for name, value in table.items()
        if f"{start}{name}" not in left_out
    }


def idle(model: type[BaseModel], values: Entries) -> dict[str, str]:
    """Return the fields that are set where they could not act: what each acts with, by name.

    A field that acts only with such a one is one as well. Other faults end the search; they are told when the values
    are checked.
    """
    found: dict[str, str] = {}
    by_chip: set[str] = set()
    whole = values = without(values, [KEPT])
    while True:
        new, above = _lines(model, values)
        if new.keys() <= found.keys():
            # What is left need not fit the defaults of what rests: look once more with that in its place.
            new, above = _lines(model, {**without(whole, found.keys() - by_chip), KEPT: sorted(by_chip)})
        if new.keys() <= found.keys():
            return found
        by_chip |= above - found.keys()
        found |= new
        values = without(values, new)


def _lines(model: type[BaseModel], values: Entries) -> tuple[dict[str, str], set[str]]:
    """Return what a check says of fields that could not act, by name, and the names that no part by itself has found.
    """
    found: dict[str, str] = {}
    above: set[str] = set()
    try:
        model.model_validate(values)
    except ValidationError as error:
        for fault in error.errors():
            cause = fault.get("ctx", {}).get("error")
            if isinstance(cause, Idle):
                start = "".join(f"{part}." for part in fault["loc"])
                found |= {f"{start}{name}": f"{start}{line}" for name, line in cause.lines.items()}
                above |= set() if start else set(cause.lines)
    return found, above


def companions(
    model: type[BaseModel], below: Entries, table: Entries, values: Entries
) -> list[str]:
    """Return what is kept though it cannot act: fields that acted or were kept below, and that ``table`` does not set.

    Parameters
    ----------
    model : type
        Of the chip.
    below, table, values : mapping
        The lower layers, the one laid over them, and both together.
    """
    now = idle(model, values)
    if not now:
        return []
    in_vain = idle(model, below).keys() - kept_of(below)
    silenced = now.keys() - in_vain - set(names(table))
    return sorted(silenced | (now.keys() & kept_of(table)))


def kept_of(values: Entries) -> set[str]:
    """Return the names that the values list as kept; what is no list is left for the checks to find."""
    held = values.get(KEPT)
    return {name for name in held if isinstance(name, str)} if isinstance(held, list | tuple) else set()
