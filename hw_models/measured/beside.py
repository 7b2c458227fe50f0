# Tested by tests/hw_models/measured/test_habits.py.
"""Columns beside each other that are one quantity of several devices, states, cycles or branches: below each other.

=========================================  ===========================================================================
columns                                    what is made of them
=========================================  ===========================================================================
conductances of a device each              ``device`` and ``conductance``, a row for each of them; so with currents
``HRS``, ``LRS`` beside time or reads      ``state`` (and ``device``), a row for each of them: :mod:`.states`
``LTP 1``, ``LTD 1``, ``LTP 2``, ...       ``cycle``, ``up`` and ``down``, a row for each of them; a branch may lack
``LTP`` or ``LTD`` alone                   ``up`` and ``down``, one of them empty
=========================================  ===========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hw_models.errors import ChipError
from hw_models.measured import states, units
from hw_models.measured.columns import OTHER

if TYPE_CHECKING:
    from hw_models.measured.tables import MeasuredTable

MAIN = ("conductance", "current", "resistance", "up", "down", "target")
"""Columns whose values are measured: where there is one, others are not guessed."""
CYCLE = re.compile(r"(?:g\s+|conductance\s+)?(?:cycle|loop|run)\s*#?\s*\d+(?:\s+g|\s+conductance)?")
"""Names of columns that are a cycle each."""
NUMBERED = re.compile(r"(device|dev|cell|dut|sample|d)?\s*#?\s*\d+")
"""Names of columns without a unit that are a device each."""
WORDS = r"(?:up|ltp|potentiation)|(?:down|ltd|depression)"
PLACE = r"(?!std|err|avg)[a-z]{1,3}\d+(?:[a-z]{1,3}\d+)*"
"""Short names of devices, ``D1``, ``R3C2``."""
BRANCH = re.compile(
    rf"(?:(?:(?P<ahead>cycle|device|dev|cell|dut|sample)\s*#?\s*(?P<first>\d+)|(?P<place>{PLACE}))\s*,?\s+)?"
    rf"(?:g\s+)?(?P<way>{WORDS})(?:\s+(?:g|conductance))?"
    rf"(?:\s*(?P<behind>cycle|device|dev|cell|dut|sample)?\s*[#.]?\s*(?P<last>\d*)|\s+(?P<there>{PLACE}))"
)
"""Names of columns that are a curve of one cycle, or of one device, each."""
UP = ("up", "ltp", "potentiation")


def devices_beside(table: MeasuredTable) -> MeasuredTable:
    """Return a table with a row for each device where columns beside each other are one device each."""
    rows = any(table.has(one) for one in ("pulse", "read", "time", "amplitude")) or table.has("number", "direction")
    what = "conductance" if rows else "current"
    if not (rows or table.has("voltage")) or any(table.has(one) for one in (*MAIN, "device")):
        return table
    wanted = {**units.CONDUCTANCE, **units.RESISTANCE} if what == "conductance" else units.CURRENT
    if table.has("bias") and not any(units.parted(title)[1] in wanted for title in table.titles):
        what, wanted = "current", units.CURRENT
    places = [place for place in range(len(table.titles)) if place not in table.columns.values()]
    said = [units.parted(table.titles[place]) for place in places]
    chosen = [place for place, (_, unit) in zip(places, said, strict=True) if unit in wanted]
    unit = units.parted(table.titles[chosen[0]])[1] if chosen else ""
    chosen = chosen or [
        place for place, (name, unit) in zip(places, said, strict=True) if not unit and NUMBERED.fullmatch(name)
    ]
    if not chosen or {units.parted(table.titles[place])[1] for place in chosen} != {unit}:
        return table
    if any(OTHER.match(units.parted(table.titles[place])[0]) for place in chosen):
        return table
    what = "resistance" if unit in units.RESISTANCE else what
    names = [table.titles[place].partition("[")[0].partition("(")[0].strip() or str(place) for place in chosen]
    if len(set(names)) < len(names):
        return table
    cycles = [bool(CYCLE.fullmatch(units.parted(table.titles[place])[0])) for place in chosen]
    if any(cycles) and (not all(cycles) or table.has("cycle")):
        return table
    group = "cycle" if all(cycles) else "device"
    note = f"Columns {', '.join(map(repr, names))} are the {what}s of a {group} each."
    one = f"Column '{names[0]}' is the {what}."
    found = _stacked(table, {what: chosen}, group, names, [note if len(names) > 1 else one])
    return replace(found, unit={**found.unit, what: unit} if unit else found.unit)


def states_beside(table: MeasuredTable) -> MeasuredTable:
    """Return a table with a row for each state of a device where columns beside each other are states.

    Raises
    ------
    ChipError
        If they stand beside what no kind of measurement has them by.
    """
    if any(table.has(one) for one in (*MAIN, "state")):
        return table
    free = [place for place in range(len(table.titles)) if place not in table.columns.values()]
    try:
        found = states.found(table.titles, free)
    except ChipError as error:
        raise ChipError(f"'{table.path}': {error}") from None
    if found is None:
        return table
    titles = [table.titles[place] for place in found.places]
    shown = f"columns {', '.join(map(repr, titles))}"
    if not (table.has("time") or table.has("read")):
        told = "both states by cycle are endurance, which nothing here fits"
        also = "curves of pulses are named LTP and LTD" if table.has("number") else "retention needs a column 'time'"
        raise ChipError(f"'{table.path}': {shown}: {told}; {also}")
    if len({device for device, _ in found.names}) > 1:
        names = [f"{device} {state}" for device, state in found.names]
        stacked = _stacked(table, {found.quantity: found.places}, "line", names, [])
        pairs = [dict(zip(names, found.names, strict=True))[row[len(table.titles)]] for row in stacked.rows]
        stacked = added(stacked, "device", [device for device, _ in pairs], (), [])
        stacked = added(stacked, "state", [state for _, state in pairs], (), [])
        note = f"{shown[0].upper()}{shown[1:]} are states of the devices of their numbers."
    else:
        names = [state for _, state in found.names]
        stacked = _stacked(table, {found.quantity: found.places}, "state", names, [])
        note = f"{shown[0].upper()}{shown[1:]} are the {found.quantity}s of one device in its states HRS and LRS."
    unit = {found.quantity: found.unit} if found.unit else {}
    return replace(stacked, unit={**stacked.unit, **unit}, notes=(*stacked.notes, note))


def cycles_beside(table: MeasuredTable) -> MeasuredTable:
    """Return a table with a row for each cycle where columns beside each other are the curves of one cycle each.

    Raises
    ------
    ChipError
        If they are not in one unit, or branches are numbered through, so that none of a cycle has the other.
    """
    found: dict[str, dict[str, int]] = {"up": {}, "down": {}}
    words = set()
    for place, title in enumerate(table.titles):
        match = BRANCH.fullmatch(units.parted(title)[0])
        if match:
            # Of columns of one name pandas leaves the first as it is and calls the next LTP.1.
            short = match["place"] or match["there"]
            number = short or match["first"] or match["last"] or "0"
            found["up" if match["way"] in UP else "down"].setdefault(number, place)
            word = match["ahead"] or match["behind"] or "cycle"
            words.add("device" if short or word != "cycle" else "cycle")
    cycles = list(dict.fromkeys([*found["up"], *found["down"]]))
    if cycles in ([], ["0"]) or len(words) > 1:
        return table
    group = next(iter(words))
    if table.has(group) or not (table.has("number") or table.has("up") or table.has("down")):
        return table
    table = replace(table, columns={name: place for name, place in table.columns.items() if name not in found})
    titles = [table.titles[place] for own in found.values() for place in own.values()]
    said = {units.parted(title)[1] for title in titles}
    if len(said) > 1:
        shown = ", ".join(map(repr, titles))
        raise ChipError(f"'{table.path}': curves beside each other are in several units: {shown}; one is needed")
    if found["up"] and found["down"] and not set(found["up"]) & set(found["down"]):
        up, down = (table.titles[next(iter(found[way].values()))] for way in ("up", "down"))
        shown = f"'{up}' has no LTD of its number, nor '{down}' an LTP"
        raise ChipError(f"'{table.path}': {shown}: give both branches of a {group} the number of the {group}")
    notes = [f"Columns of {len(cycles)} {group}s stand beside each other."] if len(cycles) > 1 else []
    rows = [[*row, ""] for row in table.rows]
    places = {
        name: [own.get(cycle, len(table.titles)) for cycle in cycles] for name, own in found.items() if own
    }
    stacked = _stacked(
        replace(table, rows=rows, titles=[*table.titles, ""]), places, group, cycles, notes
    )
    unit, others = said.pop(), {name: one for name, one in stacked.unit.items() if name not in found}
    return replace(stacked, unit={**others, **dict.fromkeys(places, unit)} if unit else others)


def one_branch(table: MeasuredTable) -> MeasuredTable:
    """Return a table of curves of one direction with an empty column of the other one, where none may be it.

    Raises
    ------
    ChipError
        If a column of another name may be the other branch, or all curves lead down.
    """
    if not table.has("number") or table.has("direction") or table.has("up") == table.has("down"):
        return table
    there, lacks, words = ("up", "down", "LTD, depression or down") if table.has("up") else (
        "down", "up", "LTP, potentiation or up"
    )  # fmt: skip
    title = table.titles[table.columns[there]] if there not in table.titles else there
    used = {*table.columns.values(), *table.sources}
    others = [f"'{one}'" for place, one in enumerate(table.titles) if place not in used and one]
    if others:
        told = f"its name is {words}; not known: {', '.join(others)}"
        raise ChipError(f"'{table.path}': beside column '{title}' that of the other branch is missing: {told}")
    if there == "down":
        shown = f"there are curves of pulses down alone ('{title}')"
        raise ChipError(f"'{table.path}': {shown}: those up are needed, {words}")
    note = "There are curves of pulses up alone: nothing is known of pulses down, and the chip has one-sided pairs."
    found = added(table, lacks, [""] * len(table.rows), (), [note])
    return replace(found, unit={**found.unit, lacks: found.unit[there]} if there in found.unit else found.unit)


def _stacked(
    table: MeasuredTable, places: Mapping[str, Sequence[int]], group: str, names: Sequence[str], notes: Sequence[str]
) -> MeasuredTable:
    """Return a table whose columns of several groups stand below each other; rows that are empty there are left out."""
    for place in (place for own in places.values() for place in own):
        table.check_decided(place)
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


def added(
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
