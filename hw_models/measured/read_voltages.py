# Tested by tests/hw_models/measured/test_read_voltages.py.
"""Read voltages that files of conductances state, beside which curves of currents are measured further.

=============================================  =======================================================================
where                                          what counts
=============================================  =======================================================================
a column ``read voltage [V]``, ``Vds [V]``     its values; one where they are alike to 1 %
``voltage`` that conductances follow from      likewise
``G (uS) @ 0.1 V``, ``I_read (nA) at 0.1 V``   a title of a conductance or a current
a line ahead, ``# read voltage: 100 mV``       also ``Vread = 0.1 V`` and ``Read voltage (V), 0.1``
=============================================  =======================================================================

Conductances of a device whose current bends are those at one voltage. Where all files agree it is that of the chip:
``device.read_voltage`` of a sinh, and ``iv_cubic`` is the share of the cube there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hw_models.errors import ChipError
from hw_models.measured import units
from hw_models.measured.columns import named
from hw_models.measured.file_text import text_of
from hw_models.measured.tables import MeasuredTable
from hw_models.measured.unit_lines import READ_AT

NUMBER = r"(?P<volts>[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)"
SAID = re.compile(
    r"(?:\bread(?:ing|out)?[\s_-]*(?:voltage|bias)|\bV[\s_]?read)\b\s*"
    rf"(?:[\[(](?P<first>mV|V)[\])])?\s*(?:[:=,;\t]|\bis\b|\bof\b)?\s*{NUMBER}\s*(?P<unit>mV|V)?(?![\w.])",
    re.IGNORECASE,
)
"""A read voltage in a line of words."""
ALIKE = 0.01
"""Share by which the voltages of a column may differ and be one, as those of an instrument do."""
MARKS = "#%"
"""What comments begin with."""


def stated(table: MeasuredTable) -> frozenset[float]:
    """Return the sizes of the read voltages that a table states [V]; none where it says nothing."""
    found: set[float] = set()
    for place, title in enumerate(table.titles):
        name = named(title)[0]
        if name == "bias" or (name == "voltage" and place in table.sources):
            columns, unit = {**table.columns, "bias": place}, {**table.unit, "bias": units.parted(title)[1]}
            values = np.abs(replace(table, columns=columns, unit=unit).numbers("bias"))
            alike = values.size and np.ptp(values) <= ALIKE * values.max()
            found |= {float(np.median(values))} if alike else set(values.tolist())
    try:
        ahead = text_of(table.path)[0].splitlines()[: max(min(table.lines, default=1) - 1, 0)]
    except (ChipError, OSError):
        ahead = []
    for line in ahead:
        said = ((match["volts"], match["unit"] or match["first"]) for match in SAID.finditer(line))
        found |= {_volts(number, word) for number, word in said if word}
        if not line.lstrip().startswith(tuple(MARKS)):
            found |= set(filter(None, map(_of_title, re.split(r"[,;\t]", line))))
    return frozenset(float(f"{value:.4g}") for value in found if value)


def _of_title(title: str) -> float:
    """Return the read voltage of a title of conductances or currents [V], 0 without one."""
    match, bare = READ_AT.search(title), READ_AT.sub("", title)
    measured = units.parted(bare)[1] in (*units.CONDUCTANCE, *units.CURRENT)
    if match is None or not (measured or named(bare)[0] in ("conductance", "current")):
        return 0.0
    return _volts(match["volts"], match["unit"])


def _volts(text: str, unit: str) -> float:
    return abs(float(text.replace(",", "."))) * (1e-3 if unit.lower() == "mv" else 1.0)


def agreed(files: Mapping[str, frozenset[float]]) -> float | None:
    """Return the read voltage that all files agree on that state one [V]; None where none does, or they differ."""
    every = frozenset[float]().union(*files.values())
    return next(iter(every)) if len(every) == 1 else None


def told(files: Mapping[str, frozenset[float]], largest: float) -> str:
    """Return the sentence that says whose read voltage the chip has; empty where no file states one.

    ``largest`` is the largest voltage of the measured currents.
    """
    said = {name: sorted(values) for name, values in files.items() if values}
    if not said:
        return ""
    volts = agreed(files)
    if volts is None:
        shown = "; ".join(f"{name} {', '.join(f'{value:g}' for value in values)} V" for name, values in said.items())
        return f"Read voltage: {largest:g} V, the largest of the currents, as those of the files differ: {shown}."
    beyond = f", beyond the {largest:g} V to which currents were measured" if volts > largest else ""
    return f"Read voltage: {volts:g} V, of {', '.join(said)}{beyond}."
