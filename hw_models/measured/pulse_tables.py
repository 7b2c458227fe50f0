"""Pulse curves from tables, in the four forms in which they are found, and from NPZ.

==================================================  ==================================================================
columns                                             a row is
==================================================  ==================================================================
pulse (1, -1, up, down, 0), conductance             a reading, behind that pulse; 0 or nothing of a first one
number, direction, conductance                      a reading behind so many pulses of that direction since it began
number, up, down                                    readings of both curves behind so many pulses (as NeuroSim's
                                                    ``nonlinear_fit`` takes them: LTP and LTD)
up, down, or two columns without a header           readings of both curves, a pulse apart (as aihwkit's example of a
                                                    measured device takes them)
==================================================  ==================================================================

Columns device and cycle part the rows. The number of pulses is rounded, since curves that are read off a figure have
broken ones. Conductances of the last two forms without a unit may be shares of the range.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from hw_models.errors import ChipError, nearest, unknown
from hw_models.measured.arrays import MOST_PULSES, curves_of, numbered
from hw_models.measured.curves import ANEW, Curves
from hw_models.measured.habits import way_of
from hw_models.measured.shares import laid_out, scale_of
from hw_models.measured.tables import MeasuredTable
from hw_models.measured.units import CONDUCTANCE, SHARES
from hw_models.text import one_line

Array = np.ndarray
NONE = ("", "0", "none", "initial", "init", "start")
"""Pulses that are none."""
LISTED = 5
"""Cycles that a note names."""
Rows = list[tuple[float, int]]
"""Readings [uS] and the pulses ahead of each."""


def read_curves(table: MeasuredTable, g_min: float | None = None, g_max: float | None = None) -> Curves:
    """Return the curves of a table of pulses.

    Parameters
    ----------
    table : MeasuredTable
        In one of the four forms.
    g_min, g_max : float, optional
        Range of the device, where it is known [uS]: what shares are of.

    Raises
    ------
    ChipError
        If a row says something that cannot be, or nothing tells what conductances are in.
    """
    if table.headless:
        _check_alike(table, table.numbers("up", gaps=True), table.numbers("down", gaps=True))
    table, notes = laid_out(table, "pulses", g_min, g_max)
    if table.has("pulse", "conductance"):
        found = _packed(*_pulse_rows(table), table)
    elif table.has("number", "direction", "conductance"):
        found = _packed(*_branch_rows(table), table)
    else:
        found = _two_columns(table)
    return replace(found, notes=(*found.notes, *notes), open_range=table.open_range)


def read_npz(path: Path, g_min: float | None = None, g_max: float | None = None) -> Curves:
    """Return the curves of an NPZ of ``conductance`` (devices, readings), ``direction`` and perhaps ``unit``.

    Range and errors are those of :func:`read_curves`.
    """
    try:
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            raise ValueError("one array alone, without a name")
        with found:
            held = {name: found[name] for name in found.files}
    except OSError as error:
        raise ChipError(f"cannot read '{path}': {error.strerror or error}") from None
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ChipError(f"'{path}': it is no NPZ of plain arrays: {one_line(str(error))}") from None
    for name in ("conductance", "direction"):
        if name not in held:
            there = ", ".join(held) or "none"
            raise ChipError(f"'{path}': array '{name}' is missing: there are {there}{nearest(name, held)}")
    unit = str(held.get("unit", ""))
    if unit and unit not in CONDUCTANCE and unit not in SHARES:
        raise ChipError(f"'{path}': {unknown('unit', unit, (*CONDUCTANCE, '1', '%'))}")
    found = curves_of(held["conductance"], held["direction"])
    values = found.conductance[np.isfinite(found.conductance)]
    if unit in CONDUCTANCE:
        return replace(found, conductance=found.conductance * CONDUCTANCE[unit])
    scale = scale_of(str(path), unit, values * SHARES.get(unit, 1.0), (g_min, g_max))
    size = scale.factor * SHARES.get(unit, 1.0)
    g = found.conductance * size + scale.shift
    return replace(found, conductance=g, notes=(scale.note,), open_range=scale.open_range)


def _none(text: str) -> bool:
    """Tell a cell that says no pulse."""
    try:
        return float(text) == 0
    except ValueError:
        return text.lower() in NONE


def _pulse_rows(table: MeasuredTable) -> tuple[dict[str, Rows], dict[str, list[int]] | None]:
    g = table.numbers("conductance")
    texts, (device, names) = table.text("pulse"), table.groups("device")
    counter = table.numbers("reading") if table.has("reading") else None
    found: dict[str, Rows] = {name: [] for name in names}
    anew, last = _behind_gaps(table), dict[str, float]()
    before = -np.inf
    for row, text in enumerate(texts):
        own, name, line = found[names[device[row]]], names[device[row]], table.lines[row]
        sign = way_of(text)
        if sign is None and not _none(text):
            allowed = "1 or up, -1 or down, 0 for none; a number of pulses is a column 'number', with 'direction'"
            raise ChipError(f"'{table.path}': line {line}: pulse '{text}' of device '{name}': allowed are {allowed}")
        own.append((g[row], ANEW if not own or anew[row] else sign or 0))
        if counter is not None:
            number, known = float(counter[row]), last.get(name, -np.inf)
            pair = f"'{table.path}': line {line}: reading {number:g} of device '{name}' follows {known:g}"
            if number <= known:
                raise ChipError(f"{pair}: sort it")
            if known > -np.inf and number not in (known + 1, before + 1):
                raise ChipError(f"{pair}: rows are missing, and every pulse needs its reading")
            last[name] = before = number
    return found, _cycles(table, device, names)


def _branch_rows(table: MeasuredTable) -> tuple[dict[str, Rows], dict[str, list[int]] | None]:
    g, number = table.numbers("conductance"), table.numbers("number")
    (device, names), (cycle, cycles) = table.groups("device"), table.groups("cycle")
    found: dict[str, Rows] = {name: [] for name in names}
    at: dict[str, tuple[int, int, int]] = {}
    seen: dict[str, set[int]] = {}
    anew = _behind_gaps(table)
    for row, text in enumerate(table.text("direction")):
        name, line = names[device[row]], table.lines[row]
        sign = way_of(text)
        count, known = round(float(number[row])), at.get(name)
        if _none(text) and known is None:
            # A counter of all pulses begins with a reading behind none.
            sign = 0
        if sign is None:
            allowed = "up or down, LTP or LTD, P or D, set or reset, 1 or -1"
            raise ChipError(f"'{table.path}': line {line}: direction '{text}': allowed are {allowed}")
        own_cycles = seen.setdefault(name, set())
        if known is not None and cycle[row] != known[0] and int(cycle[row]) in own_cycles:
            pair = f"cycle '{cycles[int(cycle[row])]}' of device '{name}' goes on behind cycle '{cycles[known[0]]}'"
            raise ChipError(f"'{table.path}': line {line}: {pair}: sort the rows")
        own_cycles.add(int(cycle[row]))
        falls = known is not None and known[:2] == (int(cycle[row]), sign) and count < known[2]
        if falls and (table.has("cycle") or count > 1):
            shown = f"pulse number {count} of device '{name}' follows {known[2] if known else 0}"
            raise ChipError(f"'{table.path}': line {line}: {shown}: sort them, or number cycles in a column 'cycle'")
        begins = known is None or known[:2] != (int(cycle[row]), sign) or count < known[2]
        if known is not None and not begins and count == known[2] and number[row] == np.rint(number[row]):
            raise ChipError(f"'{table.path}': line {line}: pulse number {count} of device '{name}' is there twice")
        # A branch that begins with pulse 1, or one beyond the last, goes on from the reading before it; others do not.
        goes_on = known is not None and count in (1, known[2] + 1) and not anew[row]
        ahead = (sign if goes_on else ANEW) if begins else sign * (count - (known or (0, 0, 0))[2])
        found[name].append((g[row], ahead))
        at[name] = (int(cycle[row]), sign, count)
    return found, _cycles(table, device, names)


def _behind_gaps(table: MeasuredTable) -> Array:
    """Return which rows begin a cycle whose number does not follow that of the device's cycle before, (rows,): of
    cycles 1, 10 and 100 nothing tells what was done between."""
    anew = np.zeros(len(table.rows), dtype=bool)
    if not table.has("cycle"):
        return anew
    texts, (device, names) = table.text("cycle"), table.groups("device")
    if not all(text.strip().isdigit() for text in texts):
        return anew
    number = np.array([int(text) for text in texts])
    for d in range(len(names)):
        own = np.flatnonzero(device == d)
        anew[own[1:]] = ~np.isin(np.diff(number[own]), (0, 1))
    return anew


def _cycles(table: MeasuredTable, device: Array, names: tuple[str, ...]) -> dict[str, list[int]] | None:
    """Return the cycle of every reading by device, where the table says it."""
    if not table.has("cycle"):
        return None
    cycle, _ = table.groups("cycle")
    return {name: [int(c) for c in cycle[device == n]] for n, name in enumerate(names)}


def _two_columns(table: MeasuredTable) -> Curves:
    """Return the curves of a table with a column of each direction."""
    up, down, notes = table.numbers("up", gaps=True), table.numbers("down", gaps=True), []
    exact = table.numbers("number") if table.has("number") else np.zeros(0)
    number = np.rint(exact) if table.has("number") else None
    (device, names), (cycle, cycles) = table.groups("device"), table.groups("cycle")
    if number is None and not table.headless:
        _check_apart(table)
    turned, lacking = False, {1: [], -1: []}  # type: tuple[bool, dict[int, list[tuple[str, str]]]]
    found: dict[str, Rows] = {name: [] for name in names}
    said: dict[str, list[int]] = {name: [] for name in names}
    for d, name in enumerate(names):
        for c in range(len(cycles)):
            rows = np.flatnonzero((device == d) & (cycle == c))
            for values, sign in ((up, 1), (down, -1)):
                own = rows[np.isfinite(values[rows])]
                if len(own) < 2:
                    lacking[sign].append((name, cycles[c]))
                    continue
                counts = np.arange(len(own)) if number is None else number[own]
                g = values[own]
                if (np.diff(counts) < 0).any():
                    line = table.lines[own[int(np.argmax(np.diff(counts) < 0)) + 1]]
                    told = "sort the rows, or name cycles in a column 'cycle', devices in a column 'device'"
                    raise ChipError(f"'{table.path}': line {line}: pulse numbers fall: {told}")
                if number is not None and (same := (np.diff(counts) == 0) & (np.diff(exact[own]) == 0)).any():
                    line = table.lines[own[int(np.argmax(same)) + 1]]
                    shown = f"pulse number {counts[int(np.argmax(same))]:g} of device '{name}' is there twice"
                    raise ChipError(f"'{table.path}': line {line}: {shown}")
                rises = _rises(g)
                if sign < 0 and rises and number is not None and _rises(up[(device == d) & np.isfinite(up)]):
                    # NeuroSim's own file counts LTD from its low end.
                    g, counts, turned = g[::-1], (counts[-1] - counts)[::-1], True
                elif rises != (sign > 0):
                    word, way = ("up", "falls") if sign > 0 else ("down", "rises")
                    raise ChipError(f"'{table.path}': column {word} {way} on the whole: are the columns swapped?")
                found[name] += [(g[0], ANEW), *zip(g[1:], (sign * np.diff(counts)).astype(int), strict=True)]
                said[name] += [c] * len(own)
    if turned:
        notes.append("Column down rises with the number of pulses: it was read from its end, as NeuroSim counts LTD.")
    many = len(names) * len(cycles)
    notes += _lacks(lacking[1], many, len(names), "LTP") + _lacks(lacking[-1], many, len(names), "LTD")
    return replace(_packed(found, said, table), notes=tuple(notes))


def _check_apart(table: MeasuredTable) -> None:
    """Refuse curves whose readings are not a pulse apart, by columns of pulses that nothing else looks at."""
    for place, title in enumerate(table.titles):
        texts = [row[place] for row in table.rows if row[place]]
        if place in table.columns.values() or "puls" not in title.lower() or len(set(texts)) < 2:
            continue
        try:
            apart = set(np.diff(np.array(texts, dtype=float)).tolist())
        except ValueError:
            continue
        if apart != {1.0}:
            told = "one column for both branches, 'pulse number', tells how many pulses lie between readings"
            raise ChipError(f"'{table.path}': column '{title}' is passed over, and is not a pulse apart: {told}")


def _check_alike(table: MeasuredTable, up: Array, down: Array) -> None:
    """Refuse two columns without names that do not reach over one range, as both curves do: they may be anything.

    Raises
    ------
    ChipError
        If less than half of the wider one is common to both.
    """
    ends = [(float(np.nanmin(one)), float(np.nanmax(one))) for one in (up, down)]
    common = min(high for _, high in ends) - max(low for low, _ in ends)
    if common < 0.5 * max(high - low for low, high in ends):
        shown = " and ".join(f"{low:.4g} to {high:.4g}" for low, high in ends)
        told = "two columns without names are curves of pulses up and down, which reach over one range; these over"
        raise ChipError(f"'{table.path}': {told} {shown}: write names and units above them")


def _rises(g: Array) -> bool:
    """Whether a curve ends higher than it began, by the means of its quarters."""
    quarter = max(1, len(g) // 4)
    return bool(len(g)) and bool(g[-quarter:].mean() > g[:quarter].mean())


def _lacks(lacking: list[tuple[str, str]], many: int, devices: int, word: str) -> list[str]:
    """Return a note of the cycles that lack one branch where others have it."""
    if not lacking or len(lacking) == many:
        return []
    named = [f"'{cycle}'" + (f" of device '{name}'" if devices > 1 else "") for name, cycle in lacking]
    shown = ", ".join(named[:LISTED])
    shown += f" and {len(lacking) - LISTED} more" if len(lacking) > LISTED else ""
    whose = f"Cycle {shown} has" if len(lacking) == 1 else f"Cycles {shown} have"
    return [f"{whose} no curve {word}: those of the others tell it."]


def _packed(found: dict[str, Rows], cycles: dict[str, list[int]] | None, table: MeasuredTable) -> Curves:
    """Return rows of every device as arrays."""
    for name, own in found.items():
        if len(own) < 2:
            many = f"{len(own)} reading{'s' * (len(own) != 1)}"
            raise ChipError(f"'{table.path}': device '{name}' has {many}: two or more are needed")
        farthest = max(abs(count) if count != ANEW else 0 for _, count in own[1:])
        if farthest >= MOST_PULSES:
            shown = f"{farthest} pulses lie between two readings, fewer than {MOST_PULSES} are allowed"
            raise ChipError(f"'{table.path}': device '{name}': {shown}")
    most = max(len(own) for own in found.values())
    g, pulses = np.full((len(found), most), np.nan), np.full((len(found), most), ANEW)
    cycle = np.zeros((len(found), most), dtype=int)
    for d, (name, own) in enumerate(found.items()):
        g[d, : len(own)], pulses[d, : len(own)] = zip(*own, strict=True)
        if cycles is not None:
            cycle[d, : len(own)] = cycles[name]
    return Curves(g, pulses, numbered(pulses) if cycles is None else cycle, tuple(found))
