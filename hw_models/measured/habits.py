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
columns of devices, cycles, branches       rows of each: :mod:`.beside`
``log10(t/s)``                             ``time``: ten to it
``std [%]`` beside a conductance           ``sigma``: that share of it
currents and voltages without a unit       in A where none is above 1e-3, else in uA; in V where none is above 20
lines of a B1500, ``DataName``             the header, and rows that begin with ``DataValue``
``pulse`` without a sign beside direction  ``pulse`` with that of the direction
``|I|`` beside a voltage                   ``current`` with the sign of the voltage
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

from hw_models.errors import ChipError, given_as
from hw_models.measured import units
from hw_models.measured.beside import BRANCH, added, cycles_beside, devices_beside, one_branch, states_beside
from hw_models.measured.unit_lines import from_columns

if TYPE_CHECKING:
    from hw_models.measured.tables import MeasuredTable

AHEAD = 200
"""Lines among which a header is looked for."""
NAMES, VALUES = "DataName,", "DataValue,"
"""What the header and the rows of a parameter analyser begin with (Keysight B1500, EasyEXPERT)."""
LOGARITHM = re.compile(
    r"(?:log_?\s*10|lg)\s*[\[(]?\s*(?:time|t)\b[\s\])]*(?:/|,|in\b)?\s*[\[(]?\s*(?P<unit>[a-z]*)[\s\])]*", re.IGNORECASE
)
"""Titles of logarithms of times."""
AMPERES, VOLTS, READ_VOLTS = 1e-3, 20.0, 5.0
"""Largest current without a unit that is in A, and voltage and read voltage that are in V."""
BIASES = {"bias": "read voltage"}
OHMS = 1000.0
"""Least resistance without a unit that is in Ohm: kOhm are as likely below."""
UNSAID = "Currents have no unit and count as uA."
MOST = 1000.0
"""Largest conductance [uS] that follows from numbers without a unit: beyond it they are as likely in another."""
SWEEP, LOW = 10, 0.2
"""Heights of pulses, and share of the highest that the lowest is below, from which they are a sweep of voltages."""
BY = ("pulse", "number", "time", "target", "voltage", "amplitude", "up", "down")
"""Columns beside which a sample that comes again is a device, and no read."""
PLACED = (
    ("row", "col"), ("row", "column"), ("word line", "bit line"), ("wl", "bl"), ("x", "y"),
)
"""Pairs of columns that tell the place of a device in an array."""
MEANS = ("mean", "mean conductance", "average")
"""Names of conductances beside sigma."""
SIGNS: Mapping[str, int] = {
    "1": 1, "+1": 1, "+": 1, "up": 1, "ltp": 1, "p": 1, "set": 1, "potentiation": 1, "pot": 1, "positive": 1,
    "pos": 1,
    "-1": -1, "-": -1, "down": -1, "ltd": -1, "d": -1, "reset": -1, "depression": -1, "dep": -1,
    "negative": -1, "neg": -1,
}  # fmt: skip
"""Directions of pulses."""


def way_of(text: str) -> int | None:
    """Return the direction of a cell, None where it says none; numbers may be written as 1, 1.0 or 1.00e+00."""
    word = text.strip().lower()
    try:
        number = float(word)
    except ValueError:
        return SIGNS.get(word)
    return SIGNS.get(f"{number:g}")


def from_header(
    lines: list[tuple[int, str]], tells: Callable[[str], bool]
) -> tuple[list[tuple[int, str]], tuple[str, ...]]:
    """Return numbered lines from their header on, and a note of what is passed over ahead of it.

    What instruments write there is no header: the first line that ``tells`` all columns of a kind is one, where the
    first line of all does not.
    """
    if (place := next((n for n, (_, line) in enumerate(lines[:AHEAD]) if line.startswith(NAMES)), -1)) >= 0:
        return _of_b1500(lines, place)
    place = next((n for n, (_, line) in enumerate(lines[:AHEAD]) if tells(line)), 0)
    if not place or place + 1 >= len(lines):
        return lines, ()
    return lines[place:], (f"Lines ahead of line {lines[place][0]}, the header, are passed over.",)


def _of_b1500(lines: list[tuple[int, str]], place: int) -> tuple[list[tuple[int, str]], tuple[str, ...]]:
    """Return the header and the rows of a file that a parameter analyser wrote, without the words they begin with.

    Raises
    ------
    ChipError
        If it holds several tables.
    """
    more = [number for number, line in lines[place + 1 :] if line.startswith(NAMES)]
    if more:
        raise ChipError(f"line {more[0]}: another table begins, 'DataName': one table to a file is needed")
    kept = [lines[place], *(each for each in lines[place + 1 :] if each[1].startswith(VALUES))]
    note = f"Lines ahead of line {lines[place][0]}, the header, are passed over."
    return [(number, line.partition(",")[2]) for number, line in kept], (note,) if place else ()


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
    table = _devices(_times(from_columns(table)))
    table = one_branch(cycles_beside(devices_beside(states_beside(_mean(_signed(_counted(table)))))))
    table = _with_signs(_plain_units(_relative(table)))
    if table.has("resistance") and not table.has("conductance"):
        table = _inverted(table)
    told = table.has("pulse") or table.has("number", "direction")
    if not told and (table.has("amplitude", "conductance") or table.has("amplitude", "current")):
        table = _pulses(table)
    named = table.has("pulse") or table.has("number", "direction") or table.has("read") or table.has("time")
    plain = table.has("pulse") or table.has("number", "direction")
    plain = plain or (named and table.has("voltage") and len(set(table.numbers("voltage"))) == 1)
    if table.has("current") and not table.has("conductance") and (
        (named and table.has("bias")) or (plain and table.has("voltage"))
    ):
        table = _conductances(table, "bias" if table.has("bias") else "voltage")
    return table


def _resting() -> str:
    return given_as("--kind retention", "kind='retention'")


def check_at_rest(table: MeasuredTable) -> None:
    """Refuse to take a series for retention beside which pulses, or voltages or currents of both signs, are written.

    Raises
    ------
    ChipError
        With the column.
    """
    ways = set(table.text("direction")) if table.has("direction") else set()
    if {way_of(way) for way in ways} >= {1, -1}:
        title = table.titles[table.columns["direction"]]
        told = f"pulses need a column 'pulse' or 'number', or give {_resting()}"
        raise ChipError(f"'{table.path}': column '{title}' has pulses up and down: {told}")
    for place, title in enumerate(table.titles):
        unit = units.parted(title)[1]
        if place in table.columns.values() or not (unit in units.VOLTAGE or unit in units.CURRENT):
            continue
        signs = {row[place].lstrip()[:1] == "-" for row in table.rows if row[place].strip("0.,+- ")}
        if len(signs) > 1:
            told = f"name it 'pulse amplitude [V]' if these are pulses, or give {_resting()}"
            what = "voltages" if unit in units.VOLTAGE else "currents"
            raise ChipError(f"'{table.path}': column '{title}' holds {what} of both signs: {told}")


def _counted(table: MeasuredTable) -> MeasuredTable:
    """Return a table whose column ``pulse``, beside a direction, is the number of pulses where its values count.

    They count where they rise from row to row of a direction; a lone 2 among pulses of 1 does not. Beside columns that
    are a branch each they say no direction, and count.
    """
    branches = any(BRANCH.fullmatch(units.parted(title)[0]) for title in table.titles)
    counts = {("number" if name == "pulse" else name): place for name, place in table.columns.items()}
    if table.has("pulse") and not table.has("number") and (table.has("up") or table.has("down") or branches):
        return replace(table, columns=counts)
    if not table.has("pulse", "direction") or table.has("number"):
        return table
    texts = [_whole(text) for text in table.text("pulse")]
    if all(text in ("", "0", "1", "-1") or not text.strip("+-").isdigit() for text in texts):
        return table
    ways = list(zip(*(table.text(name) for name in ("device", "cycle", "direction") if table.has(name)), strict=True))
    numbers = [float(text) if text.strip("+-").isdigit() else np.nan for text in texts]
    rises = [b > a for a, b, one, two in zip(numbers, numbers[1:], ways, ways[1:], strict=False) if one == two]
    if sum(rises) * 2 < len(rises):
        return table
    return replace(table, columns=counts)


def _whole(text: str) -> str:
    """Return a whole number as one is written plainly; other texts as they are."""
    try:
        number = float(text)
    except ValueError:
        return text
    return f"{number:.0f}" if number.is_integer() else text


def _signed(table: MeasuredTable) -> MeasuredTable:
    """Return a table whose pulses of 1 have the sign of the direction that stands beside them."""
    if not table.has("pulse", "direction") or table.has("number"):
        return table
    pulses, ways = [_whole(text) for text in table.text("pulse")], table.text("direction")
    if not set(pulses) <= {"0", "1", ""} or not {way_of(way) for way in ways} >= {1, -1}:
        return table
    made = ["0" if pulse in ("", "0") else way for pulse, way in zip(pulses, ways, strict=True)]
    titles = [f"'{table.titles[table.columns[name]]}'" for name in ("pulse", "direction")]
    return added(table, "pulse", made, ("pulse", "direction"), [f"Column {titles[1]} has the signs of {titles[0]}."])


def _devices(table: MeasuredTable) -> MeasuredTable:
    """Return a table whose devices are told by their place in an array, or as samples that come again."""
    if table.has("device"):
        return table
    if table.has("read") and units.parted(table.titles[table.columns["read"]])[0] == "sample":
        texts = table.text("read")
        if len(set(texts)) <= len(texts) / 2 and any(table.has(name) for name in BY):
            columns = {("device" if name == "read" else name): place for name, place in table.columns.items()}
            return replace(table, columns=columns)
    titles = [units.parted(title)[0] for title in table.titles]
    place = titles.index("id") if titles.count("id") == 1 else -1
    again = place >= 0 and 2 * len({row[place] for row in table.rows}) <= len(table.rows)
    if again and place not in table.columns.values():
        return replace(table, columns={**table.columns, "device": place})
    for pair in PLACED:
        if all(titles.count(name) == 1 for name in pair):
            places = [titles.index(name) for name in pair]
            if set(places) & set(table.columns.values()):
                continue
            shown = " and ".join(f"'{table.titles[place]}'" for place in places)
            names = ["/".join(row[place] for place in places) for row in table.rows]
            made = added(table, "device", names, (), [f"Devices are told by {shown}."])
            return replace(made, sources=made.sources | set(places))
    return table


def _times(table: MeasuredTable) -> MeasuredTable:
    """Return a table with times where it has their logarithms to the base ten."""
    found = {place: match for place, title in enumerate(table.titles) if (match := LOGARITHM.fullmatch(title.strip()))}
    if table.has("time") or len(found) != 1:
        return table
    place, match = next(iter(found.items()))
    logs = replace(table, columns={**table.columns, "logarithm": place}).numbers("logarithm")
    if np.abs(logs).max() > 30:
        raise ChipError(f"'{table.path}': column '{table.titles[place]}': are these logarithms to the base ten?")
    note = f"Times are ten to '{table.titles[place]}'."
    made = added(table, "time", [repr(float(10.0**log)) for log in logs], (), [note])
    unit = {"time": match["unit"]} if match["unit"] else {}
    if unit:
        units.factor(table.titles[place], match["unit"], units.TIME)
    return replace(made, unit={**made.unit, **unit}, sources=made.sources | {place})


def _relative(table: MeasuredTable) -> MeasuredTable:
    """Return a table whose deviations are conductances where they are shares of one."""
    share = table.unit.get("sigma", "")
    if not table.has("sigma", "conductance") or share not in units.SHARES:
        return table
    if table.unit.get("conductance", "") in units.SHARES:
        return table
    shares = table.numbers("sigma") * table.numbers("conductance")
    note = f"Deviations are '{table.titles[table.columns['sigma']]}' of the conductance beside them."
    unit = table.unit.get("conductance", "")
    factor = units.CONDUCTANCE.get(unit, 1.0)
    found = added(table, "sigma", [repr(float(one / factor)) for one in shares], ("sigma",), [note])
    said = {name: one for name, one in found.unit.items() if name != "sigma"}
    return replace(found, unit={**said, "sigma": unit} if unit else said)


def _plain_units(table: MeasuredTable) -> MeasuredTable:
    """Return a table whose currents and voltages without a unit have one.

    Raises
    ------
    ChipError
        If voltages without a unit are too large for V.
    """
    for name in ("voltage", "bias"):
        if table.has(name) and name not in table.unit and (table.has("current") or table.has("conductance")):
            highest = float(np.abs(table.numbers(name)).max())
            if highest > (VOLTS if name == "voltage" else READ_VOLTS):
                title = table.titles[table.columns[name]]
                shown, word = f"column '{title}' has no unit and reaches {highest:g}", BIASES.get(name, name)
                raise ChipError(f"'{table.path}': {shown}: '{word} [mV]' or '{word} [V]'?")
    if not table.has("current") or table.has("conductance") or "current" in table.unit:
        return table
    highest = float(np.abs(table.numbers("current")).max())
    if not 0 < highest < AMPERES:
        return replace(table, notes=(*table.notes, UNSAID))
    said = f"Currents have no unit and count as amperes: none is above {AMPERES:g}."
    return replace(table, unit={**table.unit, "current": "A"}, notes=(*table.notes, said))


def _mean(table: MeasuredTable) -> MeasuredTable:
    """Return a table whose column ``mean`` beside sigma is the conductance."""
    found = [place for place, title in enumerate(table.titles) if units.parted(title)[0] in MEANS]
    if table.has("conductance") or not table.has("sigma") or len(found) != 1:
        return table
    unit = units.parted(table.titles[found[0]])[1]
    relative = table.unit.get("sigma") in units.SHARES and unit in units.CONDUCTANCE
    if unit != table.unit.get("sigma", "") and not relative:
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
    found = added(table, "conductance", [repr(float(1 / ohm)) for ohm in ohms], ("resistance",), said)
    unit = table.unit.get("resistance", "")
    least = float(ohms.min()) * 1e6
    if not unit and least < OHMS:
        shown = f"column '{title}' has no unit and begins at {least:g}"
        raise ChipError(f"'{table.path}': {shown}: 'resistance [kOhm]' or 'resistance [Ohm]'?")
    notes = found.notes if unit else (*found.notes, "Resistances have no unit and count as Ohm.")
    return replace(found, unit={**found.unit, "conductance": unit if unit in units.SHARES else "uS"}, notes=notes)


def _with_signs(table: MeasuredTable) -> MeasuredTable:
    """Return a table whose absolute currents have the sign of the voltage; those of reads stay, and their voltage loses
    its own.

    Raises
    ------
    ChipError
        If currents without a name of absolute values never fall below 0 though voltages do.
    """
    if not table.has("current") or table.has("conductance") or not table.has("voltage") or table.has("bias"):
        return table
    current, voltage = table.numbers("current"), table.numbers("voltage")
    title, volts = (table.titles[table.columns[name]] for name in ("current", "voltage"))
    below = (voltage < 0) & (current != 0)
    if "current" not in table.absolute:
        bent = below.sum() >= 3 and (voltage > 0).any() and (current >= 0).all()
        if bent and not (table.has("pulse") or table.has("number")):
            shown = f"'{title}' is never below 0 though '{volts}' is"
            raise ChipError(f"'{table.path}': {shown}: are these absolute values? Name it '|I| [A]', in its unit")
        return table
    if not below.any():
        return table
    place = table.columns["current"]
    rows = [
        [*row[:place], repr(-abs(float(row[place]))) if v < 0 else row[place], *row[place + 1 :]]
        for row, v in zip(table.rows, voltage, strict=True)
    ]
    note = f"Column '{title}' holds absolute values: currents have the sign of '{volts}'."
    return replace(table, rows=rows, notes=(*table.notes, note))


def _pulses(table: MeasuredTable) -> MeasuredTable:
    """Return a table with the directions of pulses by the sign of their amplitude."""
    size = table.numbers("amplitude")
    title = table.titles[table.columns["amplitude"]]
    notes = [f"Column '{title}': pulses above 0 count as up, below 0 as down; 0 is no pulse."]
    if table.has("direction"):
        ways = [way_of(text) for text in table.text("direction")]
        other = table.titles[table.columns["direction"]]
        strange = next((n for n, (way, one) in enumerate(zip(ways, size, strict=True)) if way is None and one), None)
        if strange is not None:
            text = table.text("direction")[strange]
            allowed = "up or down, LTP or LTD, P or D, set or reset, 1 or -1"
            raise ChipError(f"'{table.path}': line {table.lines[strange]}: {other} '{text}': allowed are {allowed}")
        if (size < 0).any() and any(one * (way or 0) < 0 for way, one in zip(ways, size, strict=True)):
            row = next(n for n, (way, one) in enumerate(zip(ways, size, strict=True)) if one * (way or 0) < 0)
            shown = f"'{title}' is {size[row]:g} and '{other}' says '{table.text('direction')[row]}'"
            raise ChipError(f"'{table.path}': line {table.lines[row]}: {shown}: which way does the pulse lead?")
        size = np.abs(size) * np.array([way or 0 for way in ways])
        notes = [f"Column '{other}' has the directions of the pulses in column '{title}'."]
    heights = [np.unique(np.abs(size[own])) for own in (size > 0, size < 0)]
    for own in heights:
        if len(own) > SWEEP and own[0] < LOW * own[-1]:
            shown = f"column '{title}' sweeps, {own[0]:g} to {own[-1]:g} in {len(own)} steps"
            told = "a transfer curve is no series of pulses; give a reading behind each"
            raise ChipError(f"'{table.path}': {shown}: {told}")
    if max(map(len, heights)) > 1:
        notes.append(f"Amplitudes of pulses vary in column '{title}': the fit takes them as alike.")
    read = ("amplitude", "direction") if table.has("direction") else ("amplitude",)
    return added(table, "pulse", [str(int(sign)) for sign in np.sign(size)], read, notes)


def _conductances(table: MeasuredTable, whose: str) -> MeasuredTable:
    """Return a table with conductances in place of currents and voltages [uS]."""
    current, voltage = table.numbers("current"), table.numbers(whose)
    voltage = np.abs(voltage) if "current" in table.absolute and (current >= 0).all() else voltage
    if not voltage.all():
        row = int(np.argmin(np.abs(voltage)))
        shown = f"{table.titles[table.columns[whose]]} is 0: no conductance follows from the current"
        raise ChipError(f"'{table.path}': line {table.lines[row]}: {shown}")
    g = current / voltage
    if (g < 0).any() and np.unique(np.sign(voltage)).size > 1:
        row, title = int(np.argmax(g < 0)), table.titles[table.columns[whose]]
        shown = f"the current has not the sign of '{title}', so that no conductance follows"
        told = "the voltage of pulses is named 'pulse amplitude [V]', that of reads 'read voltage [V]'"
        raise ChipError(f"'{table.path}': line {table.lines[row]}: {shown}: {told}")
    if UNSAID in table.notes and float(g.max()) > MOST:
        title = table.titles[table.columns["current"]]
        shown = f"column '{title}' has no unit, and as uA makes {float(g.max()):.4g} uS"
        raise ChipError(f"'{table.path}': {shown}: 'current [nA]' or 'current [uA]'?")
    note = f"Conductances are '{table.titles[table.columns['current']]}' over '{table.titles[table.columns[whose]]}'."
    if np.ptp(voltage) > 1e-6 * np.abs(voltage).max():
        note += " That voltage varies: devices whose currents bend have then another conductance at each."
    found = added(table, "conductance", [repr(float(one)) for one in g], ("current", whose), [note])
    return replace(found, unit={**found.unit, "conductance": "uS"})


