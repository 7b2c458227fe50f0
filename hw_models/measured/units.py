# Tested by tests/hw_models/measured/test_tables.py
"""Units of measured quantities, by the name that stands behind a column's: what one is in the unit of the toolkit."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hw_models.errors import ChipError, unknown

CONDUCTANCE: Mapping[str, float] = {"uS": 1.0, "S": 1e6, "mS": 1e3, "nS": 1e-3}
"""In uS."""
TIME: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}
"""In s."""
VOLTAGE: Mapping[str, float] = {"V": 1.0, "mV": 1e-3, "uV": 1e-6}
"""In V."""
CURRENT: Mapping[str, float] = {"A": 1e6, "mA": 1e3, "uA": 1.0, "nA": 1e-3, "pA": 1e-6}
"""In uA."""
RESISTANCE: Mapping[str, float] = {"Ohm": 1e-6, "kOhm": 1e-3, "MOhm": 1.0, "GOhm": 1e3}
"""In MOhm, one over uS."""
KNOWN = frozenset().union(CONDUCTANCE, TIME, VOLTAGE, CURRENT, RESISTANCE)
FORMS = str.maketrans("()\N{MICRO SIGN}\N{GREEK SMALL LETTER MU}", "[]uu")
"""Other forms of a unit behind a name."""
OHM = re.compile("ohms?\\b|[\N{OHM SIGN}\N{GREEK CAPITAL LETTER OMEGA}]", re.IGNORECASE)
"""Other forms of Ohm."""


def parted(header: str) -> tuple[str, str]:
    """Return name and unit of ``name [unit]``, ``name (unit)`` or ``name_unit``; the unit is empty without one."""
    name, bracket, unit = OHM.sub("Ohm", header.translate(FORMS)).partition("[")
    words = name.replace("_", " ").split()
    if not bracket and len(words) > 1 and words[-1] in KNOWN:
        unit = words.pop()
    return " ".join(words).lower(), unit.rstrip("] ").strip()


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
