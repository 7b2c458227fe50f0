# Tested by tests/hw_models/measured/test_habits.py.
"""Habits of instruments and spreadsheets, turned into the columns that are read.

=========================================  ===========================================================================
habit                                      what is made of it
=========================================  ===========================================================================
lines of an instrument ahead of the header nothing: the first line that names all columns of a kind is the header
a second row of the header with units      names of the first with these units
a row of comments below it                 nothing
resistance                                 ``conductance``: one over it
mean, beside sigma                         ``conductance``
pulse, beside direction, if it counts      ``number``
a column of conductances for each device   ``device`` and ``conductance``, a row for each of them; so with currents
``LTP 1``, ``LTD 1``, ``LTP 2``, ...       ``cycle``, ``up`` and ``down``, a row for each of them
the amplitude of pulses, with its sign     ``pulse``: 1 where it is above 0, -1 below, 0 where there is none
current, and the voltage of reads          ``conductance``: their ratio
=========================================  ===========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hw_models.errors import ChipError
from hw_models.measured import units

if TYPE_CHECKING:
    from hw_models.measured.tables import MeasuredTable

NO_UNIT = ("", "-", "1", "#", "a.u.")
"""What a row of units has in place of one."""
AHEAD = 200
"""Lines among which a header is looked for."""
MEANS = ("mean", "mean conductance", "average")
"""Names of conductances beside sigma."""
MAIN = ("conductance", "current", "resistance", "up", "down", "target")
"""Columns whose values are measured: where there is one, others are not guessed."""
NUMBERED = re.compile(r"(device|dev|cell|dut|sample|d)?\s*#?\s*\d+")
"""Names of columns without a unit that are a device each."""
BRANCH = re.compile(r"(?:(?P<up>up|ltp|potentiation)|(?:down|ltd|depression))\s*(?:cycle)?\s*#?\s*(?P<number>\d+)")
"""Names of columns that are a curve of one cycle each."""


def with_units(header: Sequence[str], row: Sequence[str]) -> list[str] | None:
    """Return a header with the units of the row below it, None where that is no row of units."""
    said = ["" if cell in NO_UNIT else units.parted(f"x [{cell.strip('[]() ')}]")[1] for cell in row]
    if len(row) != len(header) or not any(said) or any(unit and unit not in units.KNOWN for unit in said):
        return None
    return [f"{name} [{unit}]" if unit and not units.parted(name)[1] else name
            for name, unit in zip(header, said, strict=True)]  # fmt: skip


def from_header(
    lines: list[tuple[int, str]], tells: Callable[[str], bool]
) -> tuple[list[tuple[int, str]], tuple[str, ...]]:
    """Return numbered lines from their header on, and a note of what is passed over ahead of it.

    What instruments write there is no header: the first line that ``tells`` all columns of a kind is one, where the
    first line of all does not.
    """
    place = next((n for n, (_, line) in enumerate(lines[:AHEAD]) if tells(line)), 0)
    if not place or place + 1 >= len(lines):
        return lines, ()
    return lines[place:], (f"Lines ahead of line {lines[place][0]}, the header, are passed over.",)


def is_comment(row: Sequence[str]) -> bool:
    """Tell a row of comments, as Origin writes one below names and units."""
    return row[0].lower().rstrip(":") in ("comment", "comments")


def rewritten(table: MeasuredTable) -> MeasuredTable:
    """Return a table with the columns that follow from others.

    Raises
    ------
    ChipError
        If a current has no voltage to be parted by, or an amplitude is no number.
    """
    table = _cycles_beside(_devices_beside(_mean(_counted(table))))
    if table.has("resistance") and not table.has("conductance"):
        table = _inverted(table)
    told = table.has("pulse") or table.has("number", "direction")
    if not told and (table.has("amplitude", "conductance") or table.has("amplitude", "current")):
        table = _pulses(table)
    named = table.has("pulse") or table.has("number", "direction") or table.has("read") or table.has("time")
    plain = table.has("pulse") or table.has("number", "direction")
    if table.has("current") and not table.has("conductance") and (
        (named and table.has("bias")) or (plain and table.has("voltage"))
    ):
        table = _conductances(table, "bias" if table.has("bias") else "voltage")
    return table


def check_at_rest(table: MeasuredTable) -> None:
    """Refuse to take a series for retention beside which voltages of both signs are written.

    Raises
    ------
    ChipError
        With the column.
    """
    for place, title in enumerate(table.titles):
        if place in table.columns.values() or units.parted(title)[1] not in units.VOLTAGE:
            continue
        signs = {row[place].lstrip()[:1] == "-" for row in table.rows if row[place].strip("0.,+- ")}
        if len(signs) > 1:
            told = "name it 'pulse amplitude [V]' if these are pulses, or give --kind retention"
            raise ChipError(f"'{table.path}': column '{title}' holds voltages of both signs: {told}")


def _counted(table: MeasuredTable) -> MeasuredTable:
    """Return a table whose column ``pulse``, beside a direction, is the number of pulses where its values count."""
    if not table.has("pulse", "direction") or table.has("number"):
        return table
    texts = table.text("pulse")
    if all(text.removesuffix(".0") in ("", "0", "1", "-1", "+1") or not text.strip("+-.").isdigit() for text in texts):
        return table
    columns = {("number" if name == "pulse" else name): place for name, place in table.columns.items()}
    return replace(table, columns=columns)


def _mean(table: MeasuredTable) -> MeasuredTable:
    """Return a table whose column ``mean`` beside sigma is the conductance."""
    found = [place for place, title in enumerate(table.titles) if units.parted(title)[0] in MEANS]
    if table.has("conductance") or not table.has("sigma") or len(found) != 1:
        return table
    unit = units.parted(table.titles[found[0]])[1]
    if unit != table.unit.get("sigma", ""):
        return table
    said = {**table.unit, "conductance": unit} if unit else table.unit
    return replace(table, columns={**table.columns, "conductance": found[0]}, unit=said)


def _inverted(table: MeasuredTable) -> MeasuredTable:
    """Return a table with conductances in place of resistances."""
    ohms = table.numbers("resistance")
    title = table.titles[table.columns["resistance"]]
    if table.has("sigma") and "sigma" not in table.unit:
        shown = f"'{table.titles[table.columns['sigma']]}' beside '{title}' has no unit"
        raise ChipError(f"'{table.path}': {shown}: give it as one of conductances, 'sigma [uS]'")
    if not (ohms > 0).all():
        row = int(np.argmax(~(ohms > 0)))
        text = table.text("resistance")[row]
        raise ChipError(f"'{table.path}': line {table.lines[row]}: '{title}' is {text}: above 0 is needed")
    said = [f"Conductances are one over '{title}'."]
    found = _added(table, "conductance", [repr(float(1 / ohm)) for ohm in ohms], ("resistance",), said)
    return replace(found, unit={**found.unit, "conductance": "uS"})


def _devices_beside(table: MeasuredTable) -> MeasuredTable:
    """Return a table with a row for each device where columns beside each other are one device each."""
    rows = any(table.has(one) for one in ("pulse", "read", "time", "amplitude")) or table.has("number", "direction")
    what = "conductance" if rows else "current"
    if not (rows or table.has("voltage")) or any(table.has(one) for one in (*MAIN, "device")):
        return table
    wanted = {**units.CONDUCTANCE, **units.RESISTANCE} if what == "conductance" else units.CURRENT
    places = [place for place in range(len(table.titles)) if place not in table.columns.values()]
    said = [units.parted(table.titles[place]) for place in places]
    chosen = [place for place, (_, unit) in zip(places, said, strict=True) if unit in wanted]
    unit = units.parted(table.titles[chosen[0]])[1] if chosen else ""
    chosen = chosen or [
        place for place, (name, unit) in zip(places, said, strict=True) if not unit and NUMBERED.fullmatch(name)
    ]
    if not chosen or {units.parted(table.titles[place])[1] for place in chosen} != {unit}:
        return table
    what = "resistance" if unit in units.RESISTANCE else what
    names = [table.titles[place].partition("[")[0].partition("(")[0].strip() or str(place) for place in chosen]
    if len(set(names)) < len(names):
        return table
    note = f"Columns {', '.join(map(repr, names))} are the {what}s of a device each."
    one = f"Column '{names[0]}' is the {what}."
    found = _stacked(table, {what: chosen}, "device", names, [note if len(names) > 1 else one])
    return replace(found, unit={**found.unit, what: unit} if unit else found.unit)


def _cycles_beside(table: MeasuredTable) -> MeasuredTable:
    """Return a table with a row for each cycle where columns beside each other are the curves of one cycle each."""
    if table.has("cycle") or table.has("up") or table.has("down") or not table.has("number"):
        return table
    found: dict[str, dict[str, int]] = {"up": {}, "down": {}}
    for place, title in enumerate(table.titles):
        match = BRANCH.fullmatch(units.parted(title)[0])
        if match:
            found["up" if match["up"] else "down"].setdefault(match["number"], place)
    cycles = list(found["up"])
    said = {units.parted(table.titles[place])[1] for own in found.values() for place in own.values()}
    if not cycles or set(cycles) != set(found["down"]) or len(said) > 1:
        return table
    places = {name: [own[cycle] for cycle in cycles] for name, own in found.items()}
    note = f"Columns of {len(cycles)} cycles stand beside each other."
    stacked = _stacked(table, places, "cycle", cycles, [note])
    unit = said.pop()
    return replace(stacked, unit={**stacked.unit, "up": unit, "down": unit} if unit else stacked.unit)


def _stacked(
    table: MeasuredTable, places: Mapping[str, Sequence[int]], group: str, names: Sequence[str], notes: Sequence[str]
) -> MeasuredTable:
    """Return a table whose columns of several groups stand below each other; rows that are empty there are left out."""
    rows, lines = [], []
    for number, name in enumerate(names):
        for row, line in zip(table.rows, table.lines, strict=True):
            cells = [row[own[number]] for own in places.values()]
            if any(cells):
                rows.append([*row, name, *cells])
                lines.append(line)
    titles, sources = [*table.titles, group, *places], {place for own in places.values() for place in own}
    columns = {**table.columns, **{title: len(table.titles) + n for n, title in enumerate((group, *places))}}
    return replace(
        table, rows=rows, lines=lines, titles=titles, columns=columns, sources=table.sources | sources,
        notes=(*table.notes, *notes),
    )  # fmt: skip


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
