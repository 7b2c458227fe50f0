"""Numbers as instruments and the locales of spreadsheets write them, made plain: ``1,234.5``, ``1 234,5``, ``12,3 %``.

Blanks and apostrophes part thousands and nothing else. A comma or a point may part thousands or decimals. One that
stands before the other mark, or more than once, parts thousands; one that is followed by other than three digits parts
decimals. All numbers of a file are written alike, so that one such tells the others. Where none does, a point is the
decimal mark where columns are parted by commas, and where all numbers of a column have three digits behind the mark it
is a point where they are parted by tabs, and a comma by semicolons; a note says so. What is open even then is refused:
a factor of a thousand is no guess.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

NUMBER = re.compile(r"[+-]?(?:\d[\d.,'\u2019 \u00a0\u202f\u2009]*|[.,]\d+)(?:[eE][+-]?\d+)?")
"""What may be a number of some locale."""
SPACED = re.compile(r"(?<=\d)['\u2019 \u00a0\u202f\u2009](?=\d{3}(?!\d))")
"""Marks that part thousands and nothing else."""
OPEN = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
"""A number whose mark may part thousands or decimals."""
GROUPED = re.compile(r"[+-]?\d{1,3}(?:([.,])\d{3}(?:\1\d{3})+|(?:,\d{3})+\.\d*|(?:\.\d{3})+,\d*)")
"""A number whose marks part thousands surely."""
MARKED = re.compile(r"[,'\u2019 \u00a0\u202f\u2009%\u2212]")
"""What plain numbers do not hold."""
MINUS = "\N{MINUS SIGN}"
ORDINARY = {",": ".", ";": ",", "\t": "."}
"""The decimal mark of the usual file where all numbers of a column may be either, by what parts its columns."""


@dataclass(frozen=True)
class Plain:
    """The cells of a table with numbers made plain."""

    rows: list[list[str]]
    percent: frozenset[int]
    """Columns all of whose numbers stand with a sign of per cent, which is left out."""
    undecided: Mapping[int, str]
    """Columns of which nothing tells what a mark parts, with the line that says so; their numbers stay as they are."""
    notes: tuple[str, ...] = ()


def plain(
    rows: Sequence[Sequence[str]], parted: str, lines: Sequence[int], names: Sequence[str], left: Collection[int] = ()
) -> Plain:
    """Return rows whose numbers are plain ones, as ``float`` takes them.

    Parameters
    ----------
    rows : sequence of sequence of str
        Cells.
    parted : str
        What parts the columns.
    lines, names : sequence
        Of the rows and of the columns, for what is undecided.
    left : collection of int
        Columns that hold names, which stay as they are.
    """
    found = [list(row) for row in rows]
    if parted == "," and not any(MARKED.search(cell) for row in rows for cell in row):
        return Plain(found, frozenset(), {})
    percent, notes, undecided = set(), [], {}
    columns: dict[int, list[str]] = {}
    for place in range(len(rows[0])):
        if place in left:
            continue
        texts = [_bare(row[place]) for row in rows]
        if any(texts) and all(not text or text.endswith("%") for text in texts):
            percent.add(place)
            texts = [_bare(text.rstrip("% ")) for text in texts]
        columns[place] = texts
    decimal, grouped = _told(columns.values())
    for place, cells in columns.items():
        open_ones = [row for row, cell in enumerate(cells) if OPEN.fullmatch(cell)]
        cells = [_closed(cell) for cell in cells]
        if open_ones:
            first = cells[open_ones[0]]
            mark, sure = _mark(first, cells, parted, decimal, grouped)
            if not mark:
                undecided[place] = _undecided(rows[open_ones[0]][place], lines[open_ones[0]], names[place])
                continue
            if not sure and parted != ",":
                notes.append(f"Column '{names[place]}': '{mark}' counts as the decimal mark.")
            for row in open_ones:
                own = cells[row][-4]
                cells[row] = cells[row].replace(own, "." if own == mark else "")
        for cells_of_row, cell in zip(found, cells, strict=True):
            cells_of_row[place] = cell
    return Plain(found, frozenset(percent), undecided, tuple(notes))


def _bare(cell: str) -> str:
    """Return a number with a plain sign and without what surely parts thousands; what is none stays."""
    found = SPACED.sub("", cell.replace(MINUS, "-"))
    return found if NUMBER.fullmatch(found) else cell


def _told(columns: Collection[Sequence[str]]) -> tuple[set[str], set[str]]:
    """Return the marks that surely part decimals somewhere in a file, and those that surely part thousands."""
    decimal, grouped = set(), set()
    for cells in columns:
        for cell in cells:
            if not ("," in cell or "." in cell) or not NUMBER.fullmatch(cell) or OPEN.fullmatch(cell):
                continue
            last = max(cell.rfind(","), cell.rfind("."))
            if GROUPED.fullmatch(cell):
                first = min(place for place in (cell.find(","), cell.find(".")) if place >= 0)
                grouped.add(cell[first])
                decimal |= {cell[last]} - {cell[first]}
            elif cell.count(",") + cell.count(".") == 1:
                decimal.add(cell[last])
    return decimal, grouped


def _mark(cell: str, cells: Sequence[str], parted: str, decimal: set[str], grouped: set[str]) -> tuple[str, bool]:
    """Return the decimal mark of a column by a number that may be either, and whether other numbers of the file tell
    it; the mark is empty where nothing does."""
    own, other = (",", ".") if "," in cell else (".", ",")
    if (own in decimal) != (own in grouped):
        return own if own in decimal else other, True
    if own in decimal:
        return "", False
    if other in decimal:
        return other, True
    alike = all(not one or not NUMBER.fullmatch(one) or OPEN.fullmatch(one) for one in cells)
    usual = own == "." if parted == "," else alike and own == ORDINARY[parted]
    return (own if usual else ""), False


def _closed(cell: str) -> str:
    """Return a number whose marks are sure as a plain one; what is open, or none, stays."""
    if OPEN.fullmatch(cell) or not NUMBER.fullmatch(cell):
        return cell
    if GROUPED.fullmatch(cell):
        first = min(place for place in (cell.find(","), cell.find(".")) if place >= 0)
        return cell.replace(cell[first], "").replace(",", ".")
    return cell.replace(",", ".") if cell.count(",") + cell.count(".") == 1 else cell


def _undecided(text: str, line: int, name: str) -> str:
    mark = "," if "," in text else "."
    whole = text.replace(mark, "")
    shown = f"line {line}: '{text}' of column '{name}': nothing tells whether its '{mark}' parts thousands or decimals"
    return f"{shown}: write {whole}, or {text.replace(',', '.')} in columns that are parted by commas"
