# Tested by tests/hw_models/measured/test_habits.py.
"""Habits of instruments and spreadsheets, turned into the columns that are read.

=========================================  ===========================================================================
habit                                      what is made of it
=========================================  ===========================================================================
a second row of the header with units      names of the first with these units
the amplitude of pulses, with its sign     ``pulse``: 1 where it is above 0, -1 below, 0 where there is none
current, and the voltage of reads          ``conductance``: their ratio
=========================================  ===========================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hw_models.errors import ChipError
from hw_models.measured import units

if TYPE_CHECKING:
    from hw_models.measured.tables import MeasuredTable

NO_UNIT = ("", "-", "1", "#", "a.u.")
"""What a row of units has in place of one."""


def with_units(header: Sequence[str], row: Sequence[str]) -> list[str] | None:
    """Return a header with the units of the row below it, None where that is no row of units."""
    said = ["" if cell in NO_UNIT else units.parted(f"x [{cell.strip('[]() ')}]")[1] for cell in row]
    if len(row) != len(header) or not any(said) or any(unit and unit not in units.KNOWN for unit in said):
        return None
    return [f"{name} [{unit}]" if unit and not units.parted(name)[1] else name
            for name, unit in zip(header, said, strict=True)]  # fmt: skip


def rewritten(table: MeasuredTable) -> MeasuredTable:
    """Return a table with the columns that follow from others.

    Raises
    ------
    ChipError
        If a current has no voltage to be parted by, or an amplitude is no number.
    """
    if not table.has("pulse") and (table.has("amplitude", "conductance") or table.has("amplitude", "current")):
        table = _pulses(table)
    named = table.has("pulse") or table.has("number", "direction") or table.has("read") or table.has("time")
    plain = table.has("pulse") or table.has("number", "direction")
    if table.has("current") and not table.has("conductance") and (
        (named and table.has("bias")) or (plain and table.has("voltage"))
    ):
        table = _conductances(table, "bias" if table.has("bias") else "voltage")
    return table


def _pulses(table: MeasuredTable) -> MeasuredTable:
    """Return a table with the directions of pulses by the sign of their amplitude."""
    size = table.numbers("amplitude")
    title = table.titles[table.columns["amplitude"]]
    notes = [f"Column '{title}': pulses above 0 count as up, below 0 as down; 0 is no pulse."]
    heights = [len(np.unique(size[own])) for own in (size > 0, size < 0)]
    if max(heights) > 1:
        notes.append(f"Amplitudes of pulses vary in column '{title}': the fit takes them as alike.")
    return _added(table, "pulse", [str(int(sign)) for sign in np.sign(size)], ("amplitude",), notes)


def _conductances(table: MeasuredTable, whose: str) -> MeasuredTable:
    """Return a table with conductances in place of currents and voltages [uS]."""
    current, voltage = table.numbers("current"), table.numbers(whose)
    if not voltage.all():
        row = int(np.argmin(np.abs(voltage)))
        shown = f"{table.titles[table.columns[whose]]} is 0: no conductance follows from the current"
        raise ChipError(f"'{table.path}': line {table.lines[row]}: {shown}")
    note = f"Conductances are '{table.titles[table.columns['current']]}' over '{table.titles[table.columns[whose]]}'."
    if np.ptp(voltage) > 1e-6 * np.abs(voltage).max():
        note += " That voltage varies: devices whose currents bend have then another conductance at each."
    found = _added(table, "conductance", [repr(float(g)) for g in current / voltage], ("current", whose), [note])
    return replace(found, unit={**found.unit, "conductance": "uS"})


def _added(
    table: MeasuredTable, name: str, texts: Sequence[str], sources: Sequence[str], notes: Sequence[str]
) -> MeasuredTable:
    """Return a table with one more column, in place of those it follows from."""
    read = {*table.sources, *(table.columns[one] for one in sources)}
    columns = {one: place for one, place in table.columns.items() if one not in sources}
    rows = [[*row, text] for row, text in zip(table.rows, texts, strict=True)]
    return replace(
        table, columns={**columns, name: len(table.titles)}, rows=rows, titles=[*table.titles, name],
        sources=frozenset(read), notes=(*table.notes, *notes),
    )  # fmt: skip
