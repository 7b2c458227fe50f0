"""Settings given on the command line: ``--training.epochs 3``, or the bare name where it is unique, ``--epochs 3``.

Values are read as TOML (``3``, ``1e-4``, ``true``, ``[400, 3]``), lists also as ``400,3``, anything else as text;
``none`` or ``unset`` unsets a setting that may be unset. ``--engine local`` is short for ``--engine.kind local``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

from hw_models.reading import Entries, Page, parse_toml
from neuroep.errors import ConfigError, nearest
from neuroep.runs.arguments import check_overrides
from neuroep.runs.places import located
from neuroep.runs.sections import settings

SHORT: Mapping[str, str] = {"engine": "engine.kind"}
UNSET = ("none", "unset")
"""What unsets a setting; tables print the second."""


def split(arguments: Sequence[str], known: Mapping[str, bool]) -> tuple[list[str], list[str]]:
    """Separate a command's own arguments from overrides.

    Parameters
    ----------
    arguments : sequence of str
        What follows the command's name.
    known : mapping of str to bool
        The command's own options, and whether each takes a value.

    Returns
    -------
    (own, overrides) : lists of str
        ``own`` for the argument parser; ``overrides`` as pairs ``--key value``.

    Raises
    ------
    ConfigError
        If an override is no setting or has no value.
    """
    own: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        token = rest.pop(0)
        name, joined, value = token.partition("=")
        if not token.startswith("--") or token == "--":
            own.append(token)
        elif name in known:
            own.append(token)
            if known[name] and not joined and rest:
                own.append(rest.pop(0))
        else:
            dotted(name, known)
            if not joined and (not rest or rest[0].startswith("--")):
                raise ConfigError(f"setting '{name}' needs a value")
            check_once(name, overrides[::2], known)
            overrides += [name, value if joined else rest.pop(0)]
    return own, overrides


def check_once(name: str, given: Sequence[str], known: Collection[str]) -> None:
    """Refuse a setting that was given before, under its full name or its short one."""
    for other in given:
        if dotted(other, known) == dotted(name, known):
            named = f"'{name}'" if other == name else f"'{name}', before as '{other}',"
            raise ConfigError(f"setting {named} is given twice: which value is meant?")


def merged(values: Entries, overrides: Sequence[str]) -> Page:
    """Return nested settings with overrides laid over them; those of a chip as a table whose preset is what was there.

    Raises
    ------
    ConfigError
        If a name is unknown or fits several settings, or a value is missing.
    """
    check_overrides(overrides)
    result = {name: dict(table) if isinstance(table, Mapping) else table for name, table in values.items()}
    below = result.get("chip")
    pairs = [(name, str(text)) for name, text in zip(overrides[::2], overrides[1::2], strict=True)]
    for name, text in sorted(pairs, key=lambda pair: pair[0] != "--chip"):
        if name == "--chip":
            below = result["chip"] = None if text.lower() in UNSET else {"preset": _located(text)}
            continue
        field, entry = dotted(name)
        *tables, leaf = field.split(".")
        if tables[:1] == ["chip"] and below is not None and result["chip"] is below:
            # A layer of its own: what it switches off keeps its companions, what it sets in vain is refused.
            result["chip"] = {"preset": below}
        table: object = result
        for inner in tables:
            table = _inner(table, inner)
        if isinstance(table, dict):
            _lay(table, leaf, entry, _scalar(text) if entry else _value(field, text), unset=tables[0] == "chip")
    return result


def _inner(table: object, name: str) -> object:
    """Return the table of that name inside another, made where there is none."""
    if not isinstance(table, dict):
        return table
    held = table.get(name)
    table[name] = dict(held) if isinstance(held, Mapping) else {} if held is None else held
    return table[name]


def _located(chip: str) -> str:
    """Count the relative path of a chip's file from the working directory."""
    return located({"chip": chip}, Path.cwd())["chip"]


def _lay(table: Page, leaf: str, entry: str, value: object, unset: bool) -> None:
    """Put one value in its table; what is no table there is left for the checks to find.

    None takes a setting out, or, with ``unset``, stays to unset what a chip's preset sets.
    """
    if entry:
        held = table.get(leaf, {})
        table[leaf] = {**held, entry: value} if isinstance(held, Mapping) else held
    elif value is None and not unset:
        table.pop(leaf, None)
    else:
        table[leaf] = value


def dotted(option: str, others: Collection[str] = ()) -> tuple[str, str]:
    """Return the full name of a setting, and the entry meant in a table such as ``optimiser.rates.dense_1``.

    Parameters
    ----------
    option : str
        With or without its dashes, ``--training.epochs`` or ``epochs``.
    others : collection of str
        Options that are no settings, to be suggested as well.

    Raises
    ------
    ConfigError
        If the name is unknown or fits several settings.
    """
    fields, common = list(settings()), list(settings(chip=False))
    name, dashes = option.removeprefix("--").replace("-", "_"), option[:2] if option.startswith("--") else ""
    name = SHORT.get(name, name)
    if name in (*fields, "chip"):
        return name, ""
    table, _, entry = name.removeprefix("optimiser.").partition(".")
    if table == "rates" and entry:
        return "optimiser.rates", entry
    matches = [field for field in common if field.split(".")[1] == name]
    if len(matches) == 1:
        return matches[0], ""
    if matches:
        named = ", ".join(f"{dashes}{match}" for match in matches)
        raise ConfigError(f"setting '{dashes}{name}' is not unique: use one of {named}")
    leaves = [field.split(".")[1] for field in common]
    known = [f"{dashes}{field}" for field in (leaves if "." not in name else fields)]
    near = nearest(f"{dashes}{name}", [*others, *known])
    table = f"{name.rpartition('.')[0]}."
    section = list(dict.fromkeys(table + f.removeprefix(table).split(".")[0] for f in fields if f.startswith(table)))
    allowed = f"allowed are {', '.join(section)}" if section else "'neuroep train --help' lists all"
    raise ConfigError(f"unknown setting '{dashes}{name}': {allowed}{near}")


def _value(field: str, text: str) -> object:
    """Read a value as TOML, or keep it as text where the setting takes text."""
    annotation = settings()[field].annotation
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    kinds = [get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in members]
    parts = next((get_args(kind)[0] for kind in kinds if get_origin(kind) is tuple), None)
    if text.lower() in UNSET and NoneType in kinds:
        return None
    if str in kinds:
        return _placed(field, text)
    if parts and not text.startswith("[") and (int not in kinds or "," in text):
        return [part.strip() if parts is str else _scalar(part.strip()) for part in text.split(",")]
    return _scalar(text)


def _scalar(text: str) -> object:
    """Read one value of TOML; what is none, or more than one, is text."""
    try:
        found = parse_toml(f"value = {text}")
    except ValueError:
        found = {}
    return found["value"] if found.keys() == {"value"} else {"true": True, "false": False}.get(text.lower(), text)


def _placed(field: str, text: str) -> str:
    """Count relative paths from the working directory."""
    section, _, leaf = field.partition(".")
    return located({section: {leaf: text}}, Path.cwd())[section][leaf] if section == "data" else text
