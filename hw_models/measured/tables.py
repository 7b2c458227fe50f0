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
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw_models.errors import ChipError, nearest, unknown
from hw_models.measured import habits, units

Array = np.ndarray
PARTED = "\t;,"
"""What columns may be parted by; the first that a header holds, as commas may be decimal ones."""
ALIASES: Mapping[str, tuple[str, ...]] = {
    "conductance": ("conductance", "g"),
    "device": ("device", "device id", "cell", "dut"),
    "cycle": ("cycle", "loop"),
    "pulse": ("pulse",),
    "number": ("number", "pulse number", "pulse num", "pulsenum", "pulses", "pulse #", "n"),
    "direction": ("direction", "polarity", "type", "branch"),
    "up": ("up", "ltp", "potentiation", "up pulse", "up data"),
    "down": ("down", "ltd", "depression", "down pulse", "down data"),
    "target": ("target",),
    "achieved": ("achieved", "programmed", "measured"),
    "time": ("time", "t", "age"),
    "sigma": ("sigma", "std", "noise"),
    "read": ("read", "sample", "repeat"),
    "reading": ("reading",),
    "voltage": ("voltage", "v"),
    "current": ("current", "i", "read current", "i read", "iread", "ids", "drain current"),
    "resistance": ("resistance", "r"),
    "bias": ("read voltage", "v read", "vread", "read bias", "vds", "drain voltage"),
    "amplitude": (
        "amplitude", "pulse amplitude", "pulse voltage", "pulse height", "write voltage", "programming voltage",
        "v pulse", "vpulse", "v write", "vwrite", "v prog", "vprog", "vg", "vgs", "v gate", "gate voltage",
    ),
}
"""Names of columns, as they are called here, and as files may call them."""
QUANTITIES: Mapping[str, Mapping[str, float]] = {
    **dict.fromkeys(("conductance", "up", "down", "target", "achieved", "sigma"), units.CONDUCTANCE),
    "time": units.TIME,
    "voltage": units.VOLTAGE,
    "bias": units.VOLTAGE,
    "current": units.CURRENT,
    "resistance": units.RESISTANCE,
}
"""Units of the columns that have one."""
DEFAULTS: Mapping[str, str] = {
    **dict.fromkeys(("conductance", "up", "down", "target", "achieved", "sigma"), "uS"),
    "time": "s",
    "voltage": "V",
    "bias": "V",
    "current": "uA",
    "resistance": "Ohm",
}
"""Of columns without one."""
PLAIN: Mapping[str, str] = {
    "device": "the name of a device",
    "cycle": "the number of a cycle",
    "pulse": "the pulse ahead of a reading (1, -1 or 0)",
    "number": "the number of pulses so far",
    "direction": "the direction of pulses",
    "read": "the number of a read",
    "reading": "the number of a reading",
}
"""What columns without a unit hold."""
KINDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "iv": (("voltage", "current"),),
    "programming": (("target", "achieved"),),
    "read_noise": (("conductance", "sigma"), ("conductance", "read"), ("conductance", "time")),
    "pulses": (
        ("pulse", "conductance"), ("number", "direction", "conductance"), ("number", "up", "down"), ("up", "down"),
    ),
    "retention": (("time", "conductance"),),
}  # fmt: skip
"""Kinds of measurement, and the columns that one has, in the forms it may come in; the first that fits counts."""
USED: Mapping[str, tuple[str, ...]] = {"programming": ("device", "time"), "retention": ("device",), "iv": ("device",)}
"""Columns beside those of the form that a kind looks at; pulses and read noise by their form."""
TOLD = {"read_noise": 2}
"""How many forms of a kind tell it; the others need ``--kind``."""
BESIDE: Mapping[str, tuple[str, ...]] = {**USED, "pulses": ("device", "cycle"), "read_noise": ("device",)}
"""Columns that a file of a kind may have beside its form, which tell of a kind whose form is not whole."""

THOUSANDS = re.compile(r"[+-]?\d{1,3}([ ,.']\d{3})+([.,]\d+)?")
"""Numbers whose thousands are parted."""
ARCHIVE = b"PK"
"""What workbooks begin with."""
BIAS = "; a current needs a column 'read voltage [V]' beside it"
"""What is said where a column of currents stands in place of conductances."""


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
    parted: str
    headless: bool = False
    """Whether it has no header: two columns of numbers."""
    titles: Sequence[str] = ()
    """The header as it stands."""
    sources: frozenset[int] = frozenset()
    """Places of columns that others follow from."""
    notes: tuple[str, ...] = ()
    """What was made of its columns, a sentence each."""

    def has(self, *names: str) -> bool:
        """Whether all these columns are there."""
        return all(name in self.columns for name in names)

    def text(self, name: str) -> list[str]:
        """Return a column."""
        place = self.columns[name]
        return [row[place] for row in self.rows]

    def numbers(self, name: str, gaps: bool = False) -> Array:
        """Return a column as numbers in the toolkit's unit; with ``gaps`` NaN where a cell is empty."""
        unit = self.unit.get(name, "") or DEFAULTS.get(name, "")
        factor = units.factor(name, unit, QUANTITIES[name]) if name in QUANTITIES else 1.0
        return np.array([self._number(n, name, text, gaps) for n, text in enumerate(self.text(name))]) * factor

    def _number(self, row: int, name: str, text: str, gaps: bool) -> float:
        if gaps and not text:
            return math.nan
        try:
            value = float((text if self.parted == "," else text.replace(",", ".")).replace("_", "?"))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            tail = f"; a unit stands in the header, '{name} [{DEFAULTS[name]}]'" if name in DEFAULTS else ""
            tail = "; leave out what parts thousands" if THOUSANDS.fullmatch(text) else tail
            where = f"'{self.path}': line {self.lines[row]}"
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
    with path.open("rb") as raw:
        begin = raw.read(2)
    if begin == ARCHIVE:
        raise ChipError("it is a workbook or an archive: save its table as CSV")
    wide = begin in (BOM_UTF16_LE, BOM_UTF16_BE)
    with path.open(newline="", encoding="utf-16" if wide else "utf-8-sig") as file:
        try:
            lines = file.read().splitlines()
        except UnicodeError:
            raise ChipError("it is no UTF-8 text: save it as UTF-8") from None
    kept = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    if not kept:
        raise ChipError("it holds no lines")
    said = kept[0][1].strip().lower()
    if said.startswith("sep=") and len(said) <= len("sep=;") and len(kept) > 1:
        kept = kept[1:]
    kept, passed = habits.from_header(kept, _tells)
    parted = _parted(kept[0][1])
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
        joined = habits.with_units(header, rows[0][1]) if rows else None
        if joined is not None:
            header, rows = joined, rows[1:]
        rows = rows[1:] if rows and habits.is_comment(rows[0][1]) else rows
    for number, row in rows:
        if len(row) != len(header):
            raise ChipError(f"line {number} has {len(row)} columns, the header has {len(header)}")
    if not rows:
        raise ChipError("it holds no rows below the header")
    columns, unit = _columns(first, header)
    numbers = [number for number, _ in rows]
    cells = [row for _, row in rows]
    return MeasuredTable(path, columns, unit, cells, numbers, parted, headless, header, notes=passed)


def _parted(line: str) -> str:
    """Return what the columns of a table with this header are parted by."""
    return next((one for one in PARTED if one in line), ",")


def _tells(line: str) -> bool:
    """Tell a header that has all columns of some kind of measurement."""
    known = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    try:
        cells = next(csv.reader([line], delimiter=_parted(line)))
    except csv.Error:
        return False
    named = {known.get(units.parted(cell)[0]) for cell in cells} - {None}
    named |= {"conductance"} if named & {"resistance", "current"} else set()
    named |= {"pulse"} if "amplitude" in named else set()
    return any(named.issuperset(form) for forms in KINDS.values() for form in forms)


def _is_number(text: str, parted: str) -> bool:
    try:
        float(text if parted == "," else text.replace(",", "."))
    except ValueError:
        return False
    return True


def _columns(line: int, header: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Return places and units of the columns that are known."""
    known = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    places: dict[str, int] = {}
    found: dict[str, str] = {}
    ohms = [cell for cell in header if units.parted(cell)[1] in units.RESISTANCE]
    for place, cell in enumerate(header):
        title, unit = units.parted(cell)
        name = known.get(title, "resistance" if ohms == [cell] else None)
        if name == "pulse" and unit in units.VOLTAGE:
            name = "amplitude"
        if name == "amplitude":
            # Its sign alone counts: units may be any, and of several columns the first is taken.
            places.setdefault(name, place)
            continue
        if name is None:
            continue
        if name in places:
            pair = f"columns '{header[places[name]]}' and '{cell}'"
            raise ChipError(f"line {line}: {pair} are both {name}: which counts?")
        places[name] = place
        if unit and name in QUANTITIES:
            if not (unit == "1" and QUANTITIES[name] is units.CONDUCTANCE):
                units.factor(name, unit, QUANTITIES[name])
            found[name] = unit
        elif unit:
            what = f"line {line}: column '{cell}': {name} is {PLAIN[name]} and has no unit"
            whose = next((one for one, allowed in QUANTITIES.items() if unit in allowed), "")
            raise ChipError(f"{what}; {whose} stands in a column '{whose} [{unit}]'" if whose else what)
    _check_one_unit(line, places, found)
    return places, found


def _check_one_unit(line: int, places: Mapping[str, int], found: Mapping[str, str]) -> None:
    """Refuse conductances of one table in several units."""
    said = {name: found.get(name, "none") for name in places if QUANTITIES.get(name) is units.CONDUCTANCE}
    if len(set(said.values())) > 1:
        shown = ", ".join(f"{name} [{unit}]" for name, unit in said.items())
        raise ChipError(f"line {line}: units are mixed: {shown}; one unit for all conductances is needed")


def passed_over(table: MeasuredTable, kind: str) -> tuple[str, ...]:
    """Return a note of columns that vary and that nothing looks at, of a kind of measurement; none where all are read.

    Pulses whose height or width varies from row to row are fitted as if they were alike: a reader has to know.
    """
    form = next(one for one in KINDS[kind] if table.has(*one))
    used = {*form, *USED.get(kind, ())}
    if kind == "pulses":
        used |= {"device", "cycle"} | ({"reading"} if "pulse" in form else set())
    if kind == "read_noise" and "sigma" not in form:
        used |= {"device", "read", "time"}
    places = {table.columns[name] for name in used if name in table.columns}
    varied = [
        f"'{title}'" for place, title in enumerate(table.titles)
        if place not in places | table.sources and len({row[place] for row in table.rows}) > 1
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
            return kind
    raise ChipError(f"'{table.path}': {_missing(table, asked)}")


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
        return f"no column is known; kinds and their columns are {listed}"
    missing = next(name for name in best if not table.has(name))
    alike = {wanted[form][0]: form for form in reversed(rank) if rank[form] == rank[best]}
    if len(alike) > 1:
        needs = "; ".join(f"{kind} needs {', '.join(form)}" for kind, form in reversed(alike.items()))
        bias = BIAS if table.has("current") else ""
        return f"columns beside '{next(name for name in best if table.has(name))}' are missing: {needs}{bias}"
    which = f"{kind} needs" if asked else f"it is nearest to {kind}, which needs"
    near = nearest(missing, [units.parted(title)[0] for title in unknown_ones]).replace("did you mean", "is it")
    others = f"; not known: {', '.join(map(repr, unknown_ones))}" if unknown_ones and not near else ""
    others += BIAS if missing == "conductance" and table.has("current") else ""
    return f"column '{missing}' is missing: {which} {', '.join(best)}{near}{others}"
