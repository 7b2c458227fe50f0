"""Units behind the names of columns."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hw_models.errors import ChipError
from hw_models.measured import units


@pytest.mark.parametrize(
    ("header", "name", "unit"),
    [
        ("conductance [uS]", "conductance", "uS"),
        ("Conductance (S)", "conductance", "S"),
        ("pulse_number", "pulse number", ""),
        ("conductance_S", "conductance", "S"),
        ("time_ms", "time", "ms"),
        ("Target uS", "target", "uS"),
        ("time_S", "time", "S"),  # of another quantity: refused where the time is read
        ("s", "s", ""),
        ("sigma_us2", "sigma us2", ""),
        ("  Pulse  Number ", "pulse number", ""),
        ("time[ms]", "time", "ms"),
        ("g [\N{GREEK SMALL LETTER MU}S]", "g", "uS"),
        ("g (\N{MICRO SIGN}S)", "g", "uS"),
        ("", "", ""),
    ],
)
def test_names_and_units(header: str, name: str, unit: str) -> None:
    assert units.parted(header) == (name, unit)


@pytest.mark.parametrize(
    ("quantity", "one", "in_base"),
    [
        (units.CONDUCTANCE, "S", 1e6),
        (units.CONDUCTANCE, "mS", 1e3),
        (units.CONDUCTANCE, "nS", 1e-3),
        (units.TIME, "h", 3600.0),
        (units.TIME, "ms", 1e-3),
        (units.TIME, "us", 1e-6),
        (units.TIME, "d", 86400.0),
        (units.VOLTAGE, "mV", 1e-3),
        (units.CURRENT, "A", 1e6),
        (units.CURRENT, "mA", 1e3),
        (units.CURRENT, "nA", 1e-3),
    ],
)
def test_what_one_is(quantity: Mapping[str, float], one: str, in_base: float) -> None:
    assert units.factor("x", one, quantity) == pytest.approx(in_base)


def test_ohm_holds_among_the_units() -> None:
    """A current in uA over a voltage in V is a conductance in uS."""
    current = 3.0 * units.CURRENT["nA"]
    voltage = 2.0 * units.VOLTAGE["mV"]
    assert current / voltage == pytest.approx(1.5)
    assert 1.5e-6 * units.CONDUCTANCE["S"] == pytest.approx(1.5)


def test_unknown_ones_are_refused() -> None:
    with pytest.raises(ChipError, match="column 'time': unknown unit 'sec': allowed are s, ms, us, ns, min, h, d"):
        units.factor("time", "sec", units.TIME)
