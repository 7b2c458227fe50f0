# Tested by tests/hw_models/measured/test_tables.py
"""Columns of measurements: what files may call them, their units, and which of them make a kind of measurement."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence

from hw_models.errors import ChipError
from hw_models.measured import shares, units


def _of_branch(*words: str) -> tuple[str, ...]:
    """Return what a column of conductances of one direction may be called, ``G LTP``, ``Gup``, ``LTP conductance``."""
    names = [(f"g {word}", f"{word} g", f"g{word}", f"conductance {word}", f"{word} conductance") for word in words]
    return tuple(name for own in names for name in own)


ALIASES: Mapping[str, tuple[str, ...]] = {
    "conductance": ("conductance", "g"),
    "device": (
        "device", "device id", "device name", "device number", "device no", "device #", "dev", "cell", "cell id", "dut",
        "sample id", "sample name",
    ),
    "cycle": (
        "cycle", "loop", "cycle #", "cycle number", "cycle num", "cycle no", "cycle index", "loop number", "loop #",
    ),
    "pulse": ("pulse",),
    "number": (
        "number", "pulse number", "pulse num", "pulsenum", "pulses", "pulse #", "pulse#", "# pulse", "#pulse",
        "pulse no", "pulse index", "pulse count", "n", "number of pulses", "# of pulses", "no of pulses",
    ),
    "direction": (
        "direction", "polarity", "type", "branch", "operation", "op", "pulse type", "pulse polarity", "pulse direction",
    ),
    "up": ("up", "ltp", "potentiation", "up pulse", "up data", *_of_branch("up", "ltp", "potentiation", "pot")),
    "down": ("down", "ltd", "depression", "down pulse", "down data", *_of_branch("down", "ltd", "depression", "dep")),
    "target": ("target", "target conductance", "target g", "g target", "gtarget"),
    "achieved": (
        "achieved", "programmed", "measured", "achieved conductance", "programmed conductance", "measured conductance",
        "g achieved", "g programmed", "g measured",
    ),
    "time": ("time", "t", "age", "elapsed time", "time elapsed"),
    "sigma": ("sigma", "std", "noise"),
    "read": ("read", "sample", "repeat", "read #", "read number", "read no", "read index"),
    "state": ("state", "resistance state", "level"),
    "reading": ("reading",),
    "voltage": ("voltage", "v", "u", "anodev", "anode voltage"),
    "current": (
        "current", "i", "read current", "i read", "iread", "readi", "ids", "drain current", "draini", "anodei",
        "anode current",
    ),
    "resistance": ("resistance", "r"),
    "bias": ("read voltage", "v read", "vread", "readv", "read bias", "vds", "vd", "drain voltage", "drainv"),
    "amplitude": (
        "amplitude", "pulse amplitude", "pulse voltage", "pulse height", "write voltage", "programming voltage",
        "v pulse", "vpulse", "v write", "vwrite", "v prog", "vprog", "vg", "vgs", "v gate", "gate voltage",
        "gatev", "pulsev", "gate current", "pulse current", "write current",
    ),
}
"""Names of columns, as they are called here, and as files may call them."""
QUANTITIES: Mapping[str, Mapping[str, float]] = {
    **dict.fromkeys(("conductance", "up", "down", "target", "achieved", "sigma"), units.CONDUCTANCE),
    "time": units.TIME,
    "voltage": units.VOLTAGE,
    "bias": units.VOLTAGE,
    "current": units.CURRENT,
    "resistance": units.RESISTANCE,
}
"""Units of the columns that have one."""
DEFAULTS: Mapping[str, str] = {
    **dict.fromkeys(("conductance", "up", "down", "target", "achieved", "sigma"), "uS"),
    "time": "s",
    "voltage": "V",
    "bias": "V",
    "current": "uA",
    "resistance": "Ohm",
}
"""Of columns without one."""
PLAIN: Mapping[str, str] = {
    "device": "the name of a device",
    "cycle": "the number of a cycle",
    "pulse": "the pulse ahead of a reading (1, -1 or 0)",
    "number": "the number of pulses so far",
    "direction": "the direction of pulses",
    "read": "the number of a read",
    "state": "the name of a state",
    "reading": "the number of a reading",
}
"""What columns without a unit hold."""
KINDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "iv": (("voltage", "current"),),
    "programming": (("target", "achieved"),),
    "read_noise": (("conductance", "sigma"), ("conductance", "read"), ("conductance", "time")),
    "pulses": (
        ("pulse", "conductance"), ("number", "direction", "conductance"), ("number", "up", "down"), ("up", "down"),
    ),
    "retention": (("time", "conductance"),),
}  # fmt: skip
"""Kinds of measurement, and the columns that one has, in the forms it may come in; the first that fits counts."""
USED: Mapping[str, tuple[str, ...]] = {
    "programming": ("device", "time"), "retention": ("device", "state"), "iv": ("device",),
}  # fmt: skip
"""Columns beside those of the form that a kind looks at; pulses and read noise by their form."""
NAMING = ("device", "cycle", "direction", "state")
"""Columns of names, whose cells are no numbers."""
TOLD = {"read_noise": 2}
"""How many forms of a kind tell it; the others need ``--kind``."""
BESIDE: Mapping[str, tuple[str, ...]] = {**USED, "pulses": ("device", "cycle"), "read_noise": ("device",)}
"""Columns that a file of a kind may have beside its form, which tell of a kind whose form is not whole."""
BIAS = "; a current needs a column 'read voltage [V]' beside it"
"""What is said where a column of currents stands in place of conductances."""
OTHER = re.compile(
    r"d ?[gir]\b|ig\b|(?:log|ln|lg) ?(?:10)?\b|delta|\u03b4|.*\b(?:change|difference|err|error|step|std|sd|sem|sigma"
    r"|noise|variance|deviation|uncertainty|offset|leakage|gate|min|max|low|high|lower|upper|before|after|initial|final|pre"
    r"|post)\b"
)
"""Names of what is in the unit of a conductance or a current and is none of a device."""
KNOWN: Mapping[str, str] = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
"""What files may call columns, and what they are called here."""
TEMPERATURES = ("K", "C", "\N{DEGREE SIGN}C", "degC", "F")
"""Units with which T is no time."""
FIRST, SECOND = {"v1": "voltage", "i1": "current"}, ("v2", "i2")
"""Names of channels of an analyser, and of further ones: of several nothing tells which is which."""
SHARED = frozenset(name for name, allowed in QUANTITIES.items() if allowed is units.CONDUCTANCE) | {"resistance"}
"""Columns that may be shares."""


def named(cell: str) -> tuple[str | None, str]:
    """Return what the column of a title is called here, None where it is not known, and its unit."""
    title, unit = units.parted(cell)
    if title not in KNOWN and (share := shares.named(title, unit)):
        name = {"current": "conductance"}.get(KNOWN.get(share[0], ""), KNOWN.get(share[0]))
        if name == "number":
            raise ChipError(f"column '{cell}': the number of pulses itself is needed, not its share")
        return (name, share[1]) if name in SHARED else (None, unit)
    return KNOWN.get(title), unit


def tells(line: str, parted: str) -> bool:
    """Tell a header that has all columns of some kind of measurement."""
    try:
        cells = next(csv.reader([line], delimiter=parted))
    except csv.Error:
        return False
    there = {named(cell)[0] for cell in cells} - {None}
    there |= {"conductance"} if there & {"resistance", "current"} else set()
    there |= {"pulse"} if "amplitude" in there else set()
    return any(there.issuperset(form) for forms in KINDS.values() for form in forms)


def columns_of(line: int, header: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Return places and units of the columns that are known."""
    places: dict[str, int] = {}
    found: dict[str, str] = {}
    parts = [units.parted(cell) for cell in header]
    ohms = [place for place, (title, unit) in enumerate(parts) if unit in units.RESISTANCE and not OTHER.match(title)]
    fet = any(named(cell)[0] in ("bias", "amplitude") for cell in header)
    for place, cell in enumerate(header):
        name, unit = named(cell)
        name = "resistance" if name is None and ohms == [place] else name
        title = parts[place][0]
        if title == "t" and unit in TEMPERATURES:
            name = None
        if name is None and title == "id" and (unit in units.CURRENT or fet):
            name = "current"
        if name is None and title in FIRST and not any(one in SECOND for one, _ in parts):
            name = FIRST[title]
        if name == "pulse" and unit in units.VOLTAGE:
            name = "amplitude"
        if name == "amplitude":
            # Its sign alone counts: units may be any, and of several columns the first is taken.
            places.setdefault(name, place)
            continue
        if name is None:
            continue
        if name in places:
            pair = f"columns '{header[places[name]]}' and '{cell}'"
            raise ChipError(f"line {line}: {pair} are both {name}: which counts?")
        places[name] = place
        if unit and name in QUANTITIES:
            if not (unit in units.SHARES and name in SHARED):
                units.factor(name, unit, QUANTITIES[name])
            found[name] = unit
        elif unit:
            what = f"line {line}: column '{cell}': {name} is {PLAIN[name]} and has no unit"
            whose = next((one for one, allowed in QUANTITIES.items() if unit in allowed), "")
            raise ChipError(f"{what}; {whose} stands in a column '{whose} [{unit}]'" if whose else what)
    _check_one_unit(line, places, found)
    return places, found


def _check_one_unit(line: int, places: Mapping[str, int], found: Mapping[str, str]) -> None:
    """Refuse conductances of one table in several units; a deviation may be a share of its conductance."""
    if found.get("sigma") in units.SHARES and "conductance" in places and found.get("conductance") not in units.SHARES:
        places = {name: place for name, place in places.items() if name != "sigma"}
    said = {name: found.get(name, "none") for name in places if QUANTITIES.get(name) is units.CONDUCTANCE}
    if len(set(said.values())) > 1:
        shown = ", ".join(f"{name} [{unit}]" for name, unit in said.items())
        raise ChipError(f"line {line}: units are mixed: {shown}; one unit for all conductances is needed")
