# Tested by tests/hw_models/measured/test_unit_lines.py.
"""Units and read voltages that stand elsewhere than in brackets behind a name.

=========================================  ===========================================================================
where                                      what is made of it
=========================================  ===========================================================================
``I_read (nA) @ 0.1 V``                    ``I_read (nA)`` beside ``read voltage [V]``, 0.1 in every row
``G (uS) at 0.2 V``                        ``G (uS)``
a column ``unit``, ``time unit``           the unit of the columns of that quantity that have none; one for all rows
a line ahead, ``# conductance in nS``      refused, where the column has no unit: the header should say it
=========================================  ===========================================================================

A unit that is passed over makes every number of a chip wrong by a power of a thousand, and no fit can see it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hw_models.errors import ChipError
from hw_models.measured import units
from hw_models.measured.columns import QUANTITIES, named

if TYPE_CHECKING:
    from hw_models.measured.tables import MeasuredTable

READ_AT = re.compile(
    r"\s*,?\s*(?:@|\bat\b)\s*(?:V\s*_?(?:read|r)?\s*=\s*)?(?P<volts>[+-]?\d+(?:[.,]\d+)?)\s*(?P<unit>mV|V)\b",
    re.IGNORECASE,
)
"""A read voltage within a title."""
NO_UNIT = ("", "-", "1", "#", "a.u.")
"""What a row of units has in place of one."""
WORD = re.compile(r"(?:(?P<of>[a-z ]+?)\s+)?units?(?:\s+of\s+(?P<whose>[a-z ]+))?")
"""Titles of columns of units."""
MICRO = "u\N{MICRO SIGN}\N{GREEK SMALL LETTER MU}"
OHMS = "Ohms?|\N{OHM SIGN}|\N{GREEK CAPITAL LETTER OMEGA}"
SAID = re.compile(
    r"(?:\b[Uu]nits?\b(?:\s+of\s+\w+)?\s*[:=]?|\b[Ii]n|[\[(:=])\s*"
    rf"(?P<unit>[fpn{MICRO}mkMG]?(?:S|A|V|{OHMS})|[nm{MICRO}]?s|min|h|hours|minutes|siemens|microsiemens|nanosiemens)"
    r"(?![\w/])"
)
"""Units within a line of words."""


def read_at(
    header: Sequence[str], rows: Sequence[tuple[int, list[str]]]
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return a header and rows with the read voltage of a title in a column of its own; conductances need none.

    Raises
    ------
    ChipError
        If currents were read at several voltages.
    """
    found = [READ_AT.search(cell) for cell in header]
    if not any(found):
        return list(header), list(rows)
    titles = [READ_AT.sub("", cell) for cell in header]
    currents = [n for n, title in enumerate(titles) if found[n] and units.parted(title)[1] in ("", *units.CURRENT)]
    currents = [n for n in currents if units.parted(titles[n])[1] or named(titles[n])[0] == "current"]
    said = [match for n in currents if (match := found[n])]
    volts = {float(one["volts"].replace(",", ".")) * (1e-3 if one["unit"].lower() == "mv" else 1.0) for one in said}
    if len(volts) > 1:
        shown = " and ".join(f"'{header[n]}'" for n in currents[:2])
        raise ChipError(f"columns {shown} are currents at several read voltages: one to a file is needed")
    if not volts or any(named(title)[0] in ("bias", "voltage") for title in titles):
        return titles, list(rows)
    text = f"{volts.pop():g}"
    return [*titles, "read voltage [V]"], [(number, [*row, text]) for number, row in rows]


def above(lines: Sequence[str], header: Sequence[str], parted: str) -> list[str]:
    """Return a header with the units of a line above it that has one for each column, as Origin writes names, units and
    then what the columns are."""
    found = list(header)
    for line in lines:
        row = [cell.strip().lstrip("#%").strip() for cell in line.split(parted if parted in line else None)]
        found = with_units(found, row) or found
    return found


def with_units(header: Sequence[str], row: Sequence[str]) -> list[str] | None:
    """Return a header with the units of a row beside it, None where that is no row of units."""
    bare = [cell.strip("[]() ") for cell in row]
    said = ["" if cell in NO_UNIT else units.parted(f"x [{cell}]")[1] for cell in bare]
    known = {*units.KNOWN, *units.SHARES}
    if len(row) != len(header) or not any(said) or any(unit and unit not in known for unit in said):
        return None
    return [f"{name} [{unit}]" if unit and not units.parted(name)[1] else name
            for name, unit in zip(header, said, strict=True)]  # fmt: skip


def check_ahead(
    lines: Sequence[tuple[int, str]], header: Sequence[str], columns: Mapping[str, int], unit: Mapping[str, str]
) -> None:
    """Refuse a table whose unit stands in a line ahead of the header, where its column has none.

    Parameters
    ----------
    lines : sequence of tuple
        Ahead of the header, comments too, with their numbers.
    header : sequence of str
        Titles.
    columns, unit : mapping
        Places of known columns, and their units.

    Raises
    ------
    ChipError
        With the line and the column.
    """
    bare = {name: place for name, place in columns.items() if name in QUANTITIES and name not in unit}
    if any(WORD.fullmatch(units.parted(title)[0]) for title in header):
        return
    for number, line in lines:
        for match in SAID.finditer(line):
            said = units.parted(f"x [{match['unit']}]")[1]
            for name, place in bare.items():
                if said in QUANTITIES[name]:
                    title = units.parted(header[place])[0]
                    shown = f"line {number} names '{match['unit']}', and column '{header[place]}' has no unit"
                    raise ChipError(f"{shown}: write it into the header, '{title} [{said}]'")


def from_columns(table: MeasuredTable) -> MeasuredTable:
    """Return a table with the units that a column of it says.

    Raises
    ------
    ChipError
        If rows have several units, or a column has another one in its title.
    """
    found = [place for place, title in enumerate(table.titles) if WORD.fullmatch(units.parted(title)[0])]
    for place in found:
        texts = list(dict.fromkeys(row[place] for row in table.rows))
        title = table.titles[place]
        said = [units.parted(f"x [{text.strip('[]() ')}]")[1] for text in texts]
        there = {name: allowed for name, allowed in QUANTITIES.items() if name in table.columns}
        whose = [name for name, allowed in there.items() if any(one in allowed for one in said)]
        if not whose:
            continue
        if len(set(said)) > 1:
            row = next(n for n, row in enumerate(table.rows) if row[place] != texts[0])
            shown = f"'{texts[1]}' of column '{title}' follows '{texts[0]}'"
            told = "units are mixed: one to a column is needed"
            raise ChipError(f"'{table.path}': line {table.lines[row]}: {shown}: {told}")
        for name in whose:
            known = table.unit.get(name, said[0])
            if known != said[0]:
                shown = f"column '{table.titles[table.columns[name]]}' beside '{texts[0]}' in column '{title}'"
                raise ChipError(f"'{table.path}': units are mixed: {shown}")
        table = replace(
            table, unit={**table.unit, **dict.fromkeys(whose, said[0])}, sources=table.sources | {place},
            notes=(*table.notes, f"Column '{title}' has the unit of {', '.join(whose)}: {said[0]}."),
        )  # fmt: skip
    return table
