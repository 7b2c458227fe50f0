"""At what age the devices of a chip are read once it is deployed, in words."""

from __future__ import annotations

from hw_models.chip import Chip

UNITS = {"years": 365.25 * 86400.0, "days": 86400.0, "hours": 3600.0, "minutes": 60.0}
"""Lengths of longer units [s]."""


def told(chip: Chip | None) -> str:
    """Return at what age an evaluation reads devices, and what has gone on since; empty where nothing goes by it."""
    if chip is None or chip.substrate != "crossbar":
        return ""
    device = chip.device
    what = [(device.drifts, "drift"), (device.relaxes, "relaxation"), (device.flickers, "1/f noise")]
    what.append((device.retention is not None, "retention"))
    ageing = [name for acts, name in what if acts]
    if not device.age or not ageing:
        return ""
    return f"devices are read {duration(device.age)} after their last write (chip.device.age): {', '.join(ageing)}"


def duration(seconds: float) -> str:
    """Return seconds, from a minute on in a longer unit as well: 86400 s is "86400 s (1 day)"."""
    unit = next((name for name, length in UNITS.items() if seconds >= length), None)
    if unit is None:
        return f"{seconds:g} s"
    count = f"{seconds / UNITS[unit]:.3g}"
    return f"{seconds:g} s ({count} {unit.removesuffix('s') if count == '1' else unit})"
