# Tested by tests/hw_models/measured/test_tables.py
"""Units of measured quantities, by the name that stands behind a column's: what one is in the unit of the toolkit."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hw_models.errors import ChipError, unknown

CONDUCTANCE: Mapping[str, float] = {"uS": 1.0, "S": 1e6, "mS": 1e3, "nS": 1e-3, "G0": 77.480917}
"""In uS; G0 = 2 e^2/h is the quantum of conductance."""
SHARES: Mapping[str, float] = {
    **dict.fromkeys(("1", "a.u.", "a. u.", "arb. u.", "arb. units", "norm.", "norm", "normalized", "normalised"), 1.0),
    **dict.fromkeys(("%", "percent", "per cent", "pct"), 0.01),
    "G/Gmax": 1.0, "G/Gmax [%]": 0.01, "G/G0": 1.0, "G/G0 [%]": 0.01,
}  # fmt: skip
"""Of conductances that are shares, :mod:`hw_models.measured.shares`: what one is of the whole."""
TIME: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}
"""In s."""
VOLTAGE: Mapping[str, float] = {"V": 1.0, "mV": 1e-3, "uV": 1e-6}
"""In V."""
CURRENT: Mapping[str, float] = {"A": 1e6, "mA": 1e3, "uA": 1.0, "nA": 1e-3, "pA": 1e-6}
"""In uA."""
RESISTANCE: Mapping[str, float] = {"Ohm": 1e-6, "kOhm": 1e-3, "MOhm": 1.0, "GOhm": 1e3}
"""In MOhm, one over uS."""
KNOWN = frozenset().union(CONDUCTANCE, TIME, VOLTAGE, CURRENT, RESISTANCE) - {"G0"}
FORMS = str.maketrans("()\N{MICRO SIGN}\N{GREEK SMALL LETTER MU}", "[]uu")
"""Other forms of a unit behind a name."""
SPELLED: Mapping[str, str] = {
    "siemens": "S", "microsiemens": "uS", "nanosiemens": "nS", "volt": "V", "volts": "V", "ampere": "A", "amperes": "A",
    "amps": "A", "sec": "s", "seconds": "s", "second": "s", "minutes": "min", "hours": "h", "hour": "h", "hr": "h",
    "days": "d", "millisiemens": "mS", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns", "mins": "min",
    "millivolts": "mV", "microamperes": "uA", "microamps": "uA", "nanoamperes": "nA", "nanoamps": "nA",
    "milliamperes": "mA", "kiloohm": "kOhm", "megaohm": "MOhm", "gigaohm": "GOhm",
}  # fmt: skip
"""Units in words."""
POWER = re.compile(
    r"(?:[x\N{MULTIPLICATION SIGN}*]\s*)?(?:1e|10\s*\^?\s*[({]?)\s*(?P<power>-?\d+)[)}]?\s*[*.\N{MIDDLE DOT}]?\s*"
    r"(?P<unit>S|A|V|s|Ohm)", re.IGNORECASE,
)
"""Units over a power of ten, ``10^-6 S`` and ``1e-9 A``."""
PREFIXES: Mapping[int, str] = {-12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
RAISED = str.maketrans("\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079", "-0123456789")
"""Small digits of powers."""
PER_VOLT: Mapping[str, str] = {"A/V": "S", "mA/V": "mS", "uA/V": "uS", "nA/V": "nS", "mho": "S"}
"""Other names of conductances."""
OHM = re.compile("ohms?\\b|[\N{OHM SIGN}\N{GREEK CAPITAL LETTER OMEGA}]", re.IGNORECASE)
"""Other forms of Ohm."""
ABSOLUTE = re.compile(
    r"\|\s*([^|]+?)\s*\||\babs(?:olute)?\s*\(\s*([^()]+?)\s*\)|^\s*abs(?:olute)?[\s_]*(?:i[ds]*|current)\b",
    re.IGNORECASE,
)
"""Names of absolute values."""
QUOTIENT = re.compile(rf"([^\[/]+?)\s*(?:/|,|\bin\b)\s*({'|'.join(sorted(KNOWN))})\s*")
"""Names over a unit, ``G / uS``, as ISO 80000 has them, ``G, uS`` and ``G in uS``."""


def parted(header: str) -> tuple[str, str]:
    """Return name and unit of ``name [unit]``, ``name (unit)``, ``name / unit`` or ``name_unit``; the unit is empty
    without one.

    Of ``|name|`` and ``abs(name)`` it is the name within.
    """
    header = ABSOLUTE.sub(lambda found: found[1] or found[2] or "current", header)
    written = OHM.sub("Ohm", header.translate(FORMS))
    if found := QUOTIENT.fullmatch(written):
        return " ".join(found[1].replace("_", " ").split()).lower().rstrip("."), found[2]
    name, bracket, unit = written.partition("[")
    words = name.replace("_", " ").split()
    if not bracket and len(words) > 1 and (words[-1] in KNOWN or words[-1].lower() in SPELLED):
        unit = words.pop()
    return " ".join(words).lower().rstrip("."), plain(unit.rstrip("] ").strip())


def plain(unit: str) -> str:
    """Return a unit as it is called here: of words, ``seconds``, of powers, ``10^-6 S``, and of quotients, ``uA/V``."""
    if found := POWER.fullmatch(unit.translate(RAISED)):
        power, base = int(found["power"]), {"ohm": "Ohm"}.get(found["unit"].lower(), found["unit"])
        return f"{PREFIXES[power]}{base}" if power in PREFIXES else unit
    word = unit.lower().rstrip(".").replace("-", "").replace(" ", "")
    return PER_VOLT.get(unit, SPELLED.get(word, unit))


def is_absolute(header: str) -> bool:
    """Tell the title of a column of absolute values, ``|I| (A)`` or ``abs(I)``."""
    return bool(ABSOLUTE.search(header))


def factor(column: str, unit: str, units: Mapping[str, float]) -> float:
    """Return what one of that unit is.

    Raises
    ------
    ChipError
        If it is no unit of the quantity.
    """
    if unit not in units:
        raise ChipError(f"column '{column}': {unknown('unit', unit, units)}")
    return units[unit]
