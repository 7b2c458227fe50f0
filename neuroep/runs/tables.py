"""Results as tables: a pandas DataFrame, a CSV file, and what a notebook shows of them.

    found = neuroep.deploy("runs/reviews", chip="pcm", seeds=5)
    found.to_frame()                                # a row for each seed; needs pandas
    found.to_csv("seeds.csv")                       # does not
    found                                           # as the last line of a cell: a table

A result is :class:`Tabular` and says its rows; all of what a page shows of names and values from outside is escaped.
"""

from __future__ import annotations

import csv
import html
import io
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hw_models.reading import Entries, Page
from hw_models.text import plain
from hw_models.whole_files import check_plain, write_text
from neuroep.errors import ConfigError, reason

if TYPE_CHECKING:
    import pandas

MOST_ROWS = 60
"""Rows that a notebook shows."""
CELL = "padding: .2em .8em .2em 0; border-bottom: 1px solid rgba(128, 128, 128, .3); vertical-align: top;"


class Tabular(ABC):
    """A result with rows."""

    @abstractmethod
    def table(self) -> list[Page]:
        """Return rows of plain values by column; a column that a row lacks is empty there."""

    @abstractmethod
    def caption(self) -> str:
        """Return a line, or a few, above the table."""

    def summary(self) -> list[Page]:
        """Return the rows that a notebook shows, where these are not all of them."""
        return self.table()

    def units(self) -> Mapping[str, str]:
        """Return the units of columns that have one; of shares and counts none."""
        return {}

    def to_frame(self) -> pandas.DataFrame:
        """Return the rows as a pandas DataFrame, whose ``attrs["units"]`` are :meth:`units`.

        Raises
        ------
        ConfigError
            If pandas is not installed.
        """
        rows = self.table()
        made, units = frame(rows), self.units()
        made.attrs["units"] = {name: units[name] for name in columns(rows) if name in units}
        return made

    def to_csv(self, path: str | Path) -> Path:
        """Write the rows to a CSV file, old or new at every moment, and return where it is.

        Numbers are written in as many digits as give them back; what is not there is empty. The header has the names
        of the columns, without their units.

        Raises
        ------
        ConfigError
            If it cannot be written.
        """
        try:
            write_text(path, as_csv(self.table()))
        except OSError as error:
            raise ConfigError(f"cannot write '{path}': {reason(error)}") from None
        return Path(path)

    def __repr__(self) -> str:
        """Return its caption on one line: rows, settings and weights are long."""
        return f"<{type(self).__name__}: {'; '.join(self.caption().splitlines())}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return as_html(self.summary(), self.caption(), self.units())


def check_place(path: str | Path) -> None:
    """Refuse a place where no file can be written, before what takes long.

    Raises
    ------
    ConfigError
        If its folder is not there, or it is no plain file.
    """
    if not Path(path).absolute().parent.is_dir():
        raise ConfigError(f"cannot write '{path}': its folder is not there")
    try:
        check_plain(path)
    except OSError as error:
        raise ConfigError(f"cannot write '{path}': {reason(error)}") from None


def columns(rows: Iterable[Entries]) -> list[str]:
    """Return all columns in the order in which they come."""
    return list(dict.fromkeys(name for row in rows for name in row))


def frame(rows: Sequence[Entries]) -> pandas.DataFrame:
    """Return rows as a DataFrame; see :meth:`Tabular.to_frame`."""
    try:
        import pandas
    except ImportError:
        line = "pandas is not installed, and a DataFrame needs it: pip install 'neuroep[notebook]'; to_csv does not"
        raise ConfigError(line) from None
    return pandas.DataFrame([dict(row) for row in rows], columns=columns(rows))


def as_csv(rows: Sequence[Entries]) -> str:
    """Return rows as CSV with a header."""
    names = columns(rows)
    cells = [["" if row.get(name) is None else row[name] for name in names] for row in rows]
    return "".join(map(_line, [names, *cells]))


def _line(cells: Sequence[object]) -> str:
    """Return a line of CSV; a carriage return in a text is quoted as well, else it would end the line."""
    held = io.StringIO()
    csv.writer(held, lineterminator="\r\n").writerow(cells)
    return held.getvalue().removesuffix("\r\n") + "\n"


def as_html(rows: Sequence[Entries], caption: str, units: Mapping[str, str] | None = None) -> str:
    """Return rows as an HTML table, every value of it escaped; heads have the units of their columns."""
    names, shown = columns(rows), rows[:MOST_ROWS]
    heads = [f"{name} [{unit}]" if (unit := (units or {}).get(name)) else name for name in names]
    numeric = [all(_is_number(row.get(name)) for row in rows) for name in names]
    head = "".join(_cell("th", name, right) for name, right in zip(heads, numeric, strict=True))
    places = list(zip(names, numeric, strict=True))
    cells = ["".join(_cell("td", _shown(row.get(name)), right) for name, right in places) for row in shown]
    body = "\n".join(f"<tr>{line}</tr>" for line in cells)
    lines = "<br>".join(map(_escaped, caption.splitlines()))
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>" if rows else ""
    left = len(rows) - len(shown)
    more = f"\n<p>{left:,} more rows: to_frame() or to_csv(path) has them all</p>" if left else ""
    return f"<div>\n<p>{lines}</p>\n{table}{more}\n</div>"


def flat(values: Entries, ahead: str = "") -> Page:
    """Return nested numbers, truth values and texts by dotted names; lists are left out."""
    found: Page = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{ahead}{name}.")
        elif value is None or isinstance(value, str | int | float):
            found[f"{ahead}{name}"] = value
    return found


def _cell(tag: str, text: str, right: bool) -> str:
    align = "right" if right else "left"
    return f'<{tag} style="text-align: {align}; {CELL}">{_escaped(text)}</{tag}>'


def _escaped(text: str) -> str:
    return html.escape(plain(text), quote=True)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _shown(value: object) -> str:
    """Return a value for reading: numbers in six digits."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
