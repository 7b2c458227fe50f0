"""Tables of measurements: CSV with a header of names and units, and which kind of measurement its columns tell of.

Columns are known by their names, in any order and case, with ``_`` for a space; the unit stands behind, ``conductance
[S]``. They may be parted by commas, or by semicolons or tabs and then with decimal commas; UTF-16 is read too. Lines
that begin with #, Excel's ``sep=;`` and columns of other names are passed over; columns that vary are named then. Other
habits of files: :mod:`hw_models.measured.habits`.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hw_models.errors import ChipError, given_as, nearest, unknown
from hw_models.measured import habits, numerals, unit_lines, units
from hw_models.measured.columns import BESIDE, BIAS, DEFAULTS, KINDS, NAMING, QUANTITIES, TOLD, USED, columns_of, tells
from hw_models.measured.file_text import text_of
from hw_models.measured.unit_lines import read_at

Array = np.ndarray
PARTED = "\t;,"
"""What columns may be parted by; the first that a header holds, as commas may be decimal ones."""
COMMENT = re.compile(r"^\s*(?:#+|%+|//+)\s*")
"""What comments begin with."""
INDEX = ("", "index", "unnamed: 0")
"""Titles of columns that number the rows."""
LISTED = 8
"""Titles that a line names."""
OPEN_CELL, MOST_LINES = re.compile(r'(?:^|[\t;,])\s*"'), 5
"""What a cell in quotes begins with, and lines that one may take."""
OF_DEVICE = re.compile(r"\b(?:device|dev|cell|dut|sample|cycle|loop|die)\s*#?[\s:=_-]*\w*\d", re.IGNORECASE)
"""Comments that name a device or a cycle."""
MOST = 1e5
"""Conductance of no device [uS]: 10 Ohm."""
EVEN = 1e-3
"""Share of a step by which the steps of a sweep differ."""
NO_HEADER = "no line names the columns of a kind of measurement in English"
"""Why another line than that of the columns is taken for the header."""
MISSING = ("", "nan", "na", "n/a", "#n/a", "-", "--", "---", "null", "none", "overflow", "ovld", "inf", "-inf")
"""Cells without a reading."""
OVERFLOW = 9.9e36
"""Numbers from which instruments mean that their range was left."""


@dataclass(frozen=True)
class MeasuredTable:
    """A table as text, its columns named."""

    path: Path
    columns: Mapping[str, int]
    """Places of the columns that are known."""
    unit: Mapping[str, str]
    """Units that the header says."""
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    headless: bool = False
    """Whether it has no header: two columns of numbers."""
    titles: Sequence[str] = ()
    """The header as it stands."""
    sources: frozenset[int] = frozenset()
    """Places of columns that others follow from."""
    notes: tuple[str, ...] = ()
    """What was made of its columns, a sentence each."""
    absolute: frozenset[str] = frozenset()
    """Columns of absolute values."""
    laid: tuple[float, float] = (1.0, 0.0)
    """What turns conductances that are shares into uS: a factor, and what is added; see :mod:`.shares`."""
    open_range: bool = False
    """Whether they are shares of a range that nobody gave."""
    undecided: Mapping[int, str] = field(default_factory=dict)
    """Places of columns whose numbers may be one of two, with the line that says so."""

    def has(self, *names: str) -> bool:
        """Whether all these columns are there."""
        return all(name in self.columns for name in names)

    def text(self, name: str) -> list[str]:
        """Return a column."""
        place = self.columns[name]
        return [row[place] for row in self.rows]

    def numbers(self, name: str, gaps: bool = False) -> Array:
        """Return a column as numbers in the toolkit's unit; with ``gaps`` NaN where a cell is empty."""
        self.check_decided(self.columns[name])
        unit = self.unit.get(name, "") or DEFAULTS.get(name, "")
        factor = units.SHARES.get(unit, 0.0)
        factor = factor or (units.factor(name, unit, QUANTITIES[name]) if name in QUANTITIES else 1.0)
        found = np.array([self._number(n, name, text, gaps) for n, text in enumerate(self.text(name))]) * factor
        if QUANTITIES.get(name) is not units.CONDUCTANCE:
            return found
        there = np.abs(found[np.isfinite(found)])
        if unit in units.CONDUCTANCE and name != "sigma" and len(there) and float(np.median(there)) > MOST:
            title = self.titles[self.columns[name]] if self.titles else name
            shown = f"column '{title}' is {float(np.median(there)) * 1e-6:.3g} S in the middle"
            raise ChipError(f"'{self.path}': {shown}: is the unit right?")
        return found * self.laid[0] + (0.0 if name == "sigma" else self.laid[1])

    def check_decided(self, place: int) -> None:
        """Refuse a column whose numbers may be one of two."""
        if place in self.undecided:
            raise ChipError(f"'{self.path}': {self.undecided[place]}")

    def _number(self, row: int, name: str, text: str, gaps: bool) -> float:
        if gaps and not text:
            return math.nan
        try:
            value = float(text.replace("_", "?"))
        except ValueError:
            value = math.nan
        where = f"'{self.path}': line {self.lines[row]}"
        left = "leave that row out"
        if self.has("pulse"):
            left = "without its row its pulse is lost: count pulses in a column 'pulse number', beside 'direction'"
        if abs(value) >= OVERFLOW and math.isfinite(value):
            raise ChipError(f"{where}: {name} '{text}' is what instruments write beyond their range: {left}")
        if text.lower() in MISSING:
            raise ChipError(f"{where}: {name} '{text}': a finite number is needed: {left}")
        if not math.isfinite(value):
            tail = f"; a unit stands in the header, '{name} [{DEFAULTS[name]}]'" if name in DEFAULTS else ""
            raise ChipError(f"{where}: {name} '{text}': a finite number is needed{tail}")
        return value

    def groups(self, name: str) -> tuple[Array, tuple[str, ...]]:
        """Return the number of every row's group in a column, and the groups' names; one group without the column."""
        if name not in self.columns:
            return np.zeros(len(self.rows), dtype=int), ("0",)
        texts = self.text(name)
        if "" in texts and set(texts) != {""}:
            line = self.lines[texts.index("")]
            raise ChipError(f"'{self.path}': line {line}: {name} is empty: every row needs its own")
        names = tuple(dict.fromkeys(texts))
        place = {text: n for n, text in enumerate(names)}
        return np.array([place[text] for text in texts]), names

    def lines_of(self) -> tuple[Array, tuple[str, ...]]:
        """Return the number of every row's device and state, and their names; where there are no states, of its device.
        """
        device, names = self.groups("device")
        if not self.has("state"):
            return device, names
        state, states = self.groups("state")
        pairs, found = np.unique(device * len(states) + state, return_inverse=True)
        many = len(names) > 1
        said = [(names[pair // len(states)], states[pair % len(states)]) for pair in pairs.tolist()]
        return found.ravel(), tuple(f"{one} {two}" if many else two for one, two in said)


def read_table(path: str | Path) -> MeasuredTable:
    """Read a CSV.

    Raises
    ------
    ChipError
        If it cannot be opened, or holds no table; the line says where.
    """
    path = Path(path)
    try:
        found = _read(path)
    except OSError as error:
        raise ChipError(f"cannot read '{path}': {error.strerror or error}") from None
    except ChipError as error:
        raise ChipError(f"'{path}': {error}") from None
    return habits.rewritten(found)


def _read(path: Path) -> MeasuredTable:
    text, said_of_text = text_of(path)
    lines = _joined(list(enumerate(text.splitlines(), 1)))
    kept = [(n, line) for n, line in lines if line.strip() and not _is_comment(line)]
    if not kept:
        raise ChipError("it holds no lines")
    said = kept[0][1].strip().lower()
    if said.startswith("sep=") and len(said) <= len("sep=;") and len(kept) > 1:
        kept = kept[1:]
    kept, passed = habits.from_header(kept, lambda line: tells(line, _parted(line)))
    kept = _with_header(lines, kept)
    parted = _parted(kept[0][1])
    if parted == "," and "," not in kept[0][1]:
        kept, parted = _by_blanks(kept)
    rows = []
    for number, line in kept:
        try:
            row = next(csv.reader([line], strict=True, delimiter=parted))
        except csv.Error as error:
            raise ChipError(f"line {number}: {error}") from None
        rows.append((number, [cell.strip() for cell in row]))
    first, header = rows[0]
    headless = len(header) == 2 and all(_is_number(cell, parted) for cell in header)
    if headless:
        header = ["up", "down"]
    else:
        rows = rows[1:]
        joined = unit_lines.with_units(header, rows[0][1]) if rows else None
        if joined is not None:
            header, rows = joined, rows[1:]
        rows = rows[1:] if rows and habits.is_comment(rows[0][1]) else rows
    for number, row in rows:
        if len(row) != len(header):
            many = f"{len(row)} column{'s' * (len(row) != 1)}"
            words = " ".join(cell for cell in row if cell)
            shown = f"line {number}, '{words}', has {many}, the header has {len(header)}"
            more = len(row) > len(header)
            told = "one table to a file is needed, and nothing behind it"
            told = "decimal commas need semicolons between columns" if more and parted == "," else told
            told = told if headless or _knows(first, header) else f"line {first} was taken for it, and {NO_HEADER}"
            raise ChipError(f"{shown}: {told}")
    if not rows:
        raise ChipError("it holds no rows below the header")
    if len(header) > 1 and not headless:
        given = unit_lines.above([line for n, line in lines if n < first], header, parted)
        passed = (*passed, "Units stand in a line above the header.") if given != header else passed
        header = given
    header, rows = read_at(header, rows)
    columns, unit = columns_of(first, header)
    _check_blocks([(n, line) for n, line in lines if rows[0][0] < n < rows[-1][0]], columns)
    if not passed or "DataName" not in passed[0]:
        unit_lines.check_ahead([(n, line) for n, line in lines if n < first], header, columns, unit)
    numbers = [number for number, _ in rows]
    names = {columns[name] for name in NAMING if name in columns}
    made = numerals.plain([row for _, row in rows], parted, numbers, header, names)
    for name, place in columns.items():
        if place in made.percent and QUANTITIES.get(name) is units.CONDUCTANCE:
            unit[name] = {"": "%", "1": "%", "G/Gmax": "G/Gmax [%]", "G/G0": "G/G0 [%]"}.get(unit.get(name, ""), "%")
    absolute = frozenset(name for name, place in columns.items() if units.is_absolute(header[place]))
    notes = (*said_of_text, *passed, *made.notes)
    return MeasuredTable(
        path, columns, unit, made.rows, numbers, headless, header, notes=notes, absolute=absolute,
        undecided=made.undecided,
    )  # fmt: skip


def _knows(line: int, header: Sequence[str]) -> bool:
    """Tell whether any column of a header is known; one that is there twice is."""
    try:
        return bool(columns_of(line, header)[0])
    except ChipError:
        return True


def _joined(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return lines of which one whose quotes are open goes on in the next, as a title of two lines in a spreadsheet."""
    found: list[tuple[int, str]] = []
    for number, line in lines:
        open_quote = found and found[-1][1].count('"') % 2 and OPEN_CELL.search(found[-1][1])
        if open_quote and number - found[-1][0] <= MOST_LINES and line.count('"') % 2:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line}")
        else:
            found.append((number, line))
    return found


def _is_comment(line: str) -> bool:
    """Tell a comment; behind a mark of MATLAB or C a header may stand."""
    bare = COMMENT.sub("", line)
    return bare != line and (line.lstrip().startswith("#") or not tells(bare, _parted(bare)))


def _check_blocks(lines: Sequence[tuple[int, str]], columns: Mapping[str, int]) -> None:
    """Refuse rows of several devices that comments or blank lines alone tell apart: they would be one.

    Raises
    ------
    ChipError
        With the line of the second one.
    """
    said = [(n, line.strip()) for n, line in lines if COMMENT.match(line) and OF_DEVICE.search(line)]
    if "device" not in columns and "cycle" not in columns and said:
        shown = f"line {said[0][0]}: '{said[0][1]}' stands between the rows"
        raise ChipError(f"{shown}: comments are passed over; name devices in a column 'device', cycles in 'cycle'")
    apart = [n for n, line in lines if not line.strip()]
    alone = {"pulse", "conductance"} <= columns.keys() and not {"device", "cycle"} & columns.keys()
    if alone and apart and 10 * len(apart) <= len(lines):
        told = "another device takes a column 'device', another cycle 'cycle'; else take the line out"
        raise ChipError(f"line {apart[0]} is blank, and rows follow: {told}")


def _with_header(lines: list[tuple[int, str]], kept: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return lines with a header that stands in a comment, as numpy.savetxt writes it, and one without marks of one.

    It is the last comment ahead of the first row that names all columns of a kind, where that row is numbers alone;
    were it passed over, two columns of targets and what was achieved would be curves up and down.
    """
    number, line = kept[0]
    bare = COMMENT.sub("", line)
    if bare != line and tells(bare, _parted(bare)):
        return [(number, bare), *kept[1:]]
    parted = _parted(line)
    if not all(_is_number(cell, parted) for cell in line.split(parted if parted in line else None)):
        return kept
    for n, one in reversed(lines[: number - 1]):
        bare = COMMENT.sub("", one)
        if tells(bare, _parted(bare)) or (parted not in line and tells("\t".join(bare.split()), "\t")):
            return [(n, bare), *kept]
    return kept


def _parted(line: str) -> str:
    """Return what the columns of a table with this header are parted by."""
    return next((one for one in PARTED if one in line), ",")


def _by_blanks(kept: list[tuple[int, str]]) -> tuple[list[tuple[int, str]], str]:
    """Return lines whose columns are parted by blanks as such that are parted by tabs; others as they are.

    Raises
    ------
    ChipError
        If rows have several numbers apart by blanks, and the header another count of words.
    """
    parts = [line.split() for _, line in kept]
    counts = {len(part) for part in parts[1:]}
    if len(counts) != 1 or counts == {1} or not _is_number(parts[-1][-1], "\t"):
        return kept, ","
    if len(parts[0]) not in counts:
        shown = f"the rows have {counts.pop()} columns apart by blanks, the header {len(parts[0])} words"
        raise ChipError(f"line {kept[0][0]}: {shown}: part columns by commas")
    return [(number, "\t".join(part)) for (number, _), part in zip(kept, parts, strict=True)], "\t"


def _is_number(text: str, parted: str) -> bool:
    try:
        float(text if parted == "," else text.replace(",", "."))
    except ValueError:
        return False
    return True


def passed_over(table: MeasuredTable, kind: str) -> tuple[str, ...]:
    """Return a note of columns that vary and that nothing looks at, of a kind of measurement; none where all are read.

    Pulses whose height or width varies from row to row are fitted as if they were alike: a reader has to know.
    """
    form = next(one for one in KINDS[kind] if table.has(*one))
    used = {*form, *USED.get(kind, ())}
    if kind == "pulses":
        used |= {"device", "cycle"} | ({"reading"} if "pulse" in form else set())
    if kind == "read_noise" and "sigma" not in form:
        used |= {"device", "state", "read", "time"}
    places = {table.columns[name] for name in used if name in table.columns}
    varied = [
        f"'{title}'" for place, title in enumerate(table.titles)
        if place not in places | table.sources and len({row[place] for row in table.rows}) > 1
        and title.lower() not in INDEX
    ]  # fmt: skip
    if not varied:
        return table.notes
    many = f"Column {varied[0]} varies and is" if len(varied) == 1 else f"Columns {', '.join(varied)} vary and are"
    return (*table.notes, f"{many} passed over: the fit takes all rows as alike in that.")


def kind_of(table: MeasuredTable, asked: str | None = None) -> str:
    """Return the kind of measurement of a table.

    Raises
    ------
    ChipError
        If its columns are those of none, or not those of the kind that was asked for.
    """
    if asked is not None and asked not in KINDS:
        raise ChipError(unknown("kind", asked, KINDS))
    for kind, forms in KINDS.items():
        told = forms if asked else forms[: TOLD.get(kind, len(forms))]
        if asked in (None, kind) and any(table.has(*form) for form in told):
            if asked is None and kind == "retention":
                habits.check_at_rest(table)
            if asked is None and kind == "read_noise" and not table.has("sigma"):
                _check_unpulsed(table)
            if asked is None and kind == "iv":
                _check_swept(table)
            return kind
    raise ChipError(f"'{table.path}': {_missing(table, asked)}")


def _check_unpulsed(table: MeasuredTable) -> None:
    """Refuse to take reads for those of a device at rest beside which pulses are counted."""
    for name in ("pulse", "number", "amplitude"):
        if table.has(name) and len(set(table.text(name))) > 1:
            title = table.titles[table.columns[name]]
            told = f"keep one reading behind each pulse, or reads at rest, or give {given_as('--kind', 'kind=')}"
            raise ChipError(f"'{table.path}': repeated reads stand beside pulses in column '{title}': {told}")


def _check_swept(table: MeasuredTable) -> None:
    """Refuse to take for voltages what does not lie on a grid beside currents that do: columns may be swapped."""
    if _even(table.numbers("current")) and not _even(table.numbers("voltage")):
        pair = " and ".join(f"'{table.titles[table.columns[name]]}'" for name in ("current", "voltage"))
        kind = given_as("--kind iv", "kind='iv'")
        told = f"the first is swept: are the columns swapped? Sweeps of currents take {kind}"
        raise ChipError(f"'{table.path}': columns {pair}: {told}")


def _even(values: Array) -> bool:
    """Tell numbers on a grid of even steps."""
    own = np.unique(np.round(values, 12))
    steps = np.diff(own)
    return len(own) >= 6 and bool(np.ptp(steps) <= EVEN * steps.max())


def _listed(titles: Sequence[str]) -> str:
    """Return titles in quotes, the first of many."""
    shown = ", ".join(map(repr, titles[:LISTED]))
    return f"{shown} and {len(titles) - LISTED} more" if len(titles) > LISTED else shown


def _missing(table: MeasuredTable, asked: str | None) -> str:
    """Say which kind a table is nearest to, and which column it lacks; of those with a name alike, which one it is."""
    wanted = {
        form: (kind, sum(table.has(name) for name in form), sum(table.has(name) for name in BESIDE[kind]))
        for kind, forms in KINDS.items() if asked in (None, kind)
        for form in (forms if asked else forms[: TOLD.get(kind, len(forms))])
    }  # fmt: skip
    rank = {form: (there + beside / 2, -len(form)) for form, (_, there, beside) in wanted.items()}
    best = max(rank, key=rank.__getitem__)
    kind, there, _ = wanted[best]
    unknown_ones = [title for place, title in enumerate(table.titles) if place not in table.columns.values()]
    if asked is None and not there:
        listed = "; ".join(f"{kind}: {', '.join(forms[0])}" for kind, forms in KINDS.items())
        return f"no column is known, of {_listed(unknown_ones)}; kinds and their columns are {listed}"
    missing = next(name for name in best if not table.has(name))
    alike = {wanted[form][0]: form for form in reversed(rank) if rank[form] == rank[best]}
    if len(alike) > 1:
        needs = "; ".join(f"{kind} needs {', '.join(form)}" for kind, form in reversed(alike.items()))
        bias = BIAS if table.has("current") else ""
        return f"columns beside '{next(name for name in best if table.has(name))}' are missing: {needs}{bias}"
    which = f"{kind} needs" if asked else f"it is nearest to {kind}, which needs"
    near = nearest(missing, [units.parted(title)[0] for title in unknown_ones]).replace("did you mean", "is it")
    others = f"; not known: {_listed(unknown_ones)}" if unknown_ones and not near else ""
    if missing == "number" and table.has("direction") and not asked:
        title = table.titles[table.columns["direction"]]
        others += f"; if every row is behind one pulse, name column '{title}' 'pulse'"
    others += BIAS if missing == "conductance" and table.has("current") else ""
    return f"column '{missing}' is missing: {which} {', '.join(best)}{near}{others}"
