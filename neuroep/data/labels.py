"""Columns of labels to class numbers: whole numbers from 0, or names of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from neuroep.data.sources import Table
from neuroep.errors import DataError, nearest, unknown

_NO_GOLD = (-1, "-1", "-", "", None)


def classes_of(tables: Sequence[Table], column: str) -> tuple[str, ...]:
    """Find the classes of a user's own data from its training tables.

    Names are sorted; whole numbers must run from 0 without a gap.

    Parameters
    ----------
    tables : sequence of Table
        Tables of the training split.
    column : str
        Name of the label column.

    Raises
    ------
    DataError
        If there are fewer than two classes, a label is missing, or numbers leave a gap.
    """
    seen: set[str] = set()
    numeric = False
    for table in tables:
        distinct = table.columns[column].unique().to_pylist()
        numeric = numeric or not all(isinstance(value, str) for value in distinct if value is not None)
        seen.update(str(_whole(value)) for value in distinct if value is not None)
    where = f"data '{tables[0].name}': column '{column}'"
    if len(seen) < 2:
        raise DataError(f"{where} holds {len(seen)} class(es): at least 2 are needed")
    if not numeric:
        return tuple(sorted(seen))
    expected = [str(number) for number in range(len(seen))]
    strange = sorted(seen - set(expected))
    if strange:
        row, table = _first_row(tables, column, strange[0])
        span = f"with {len(seen)} classes allowed are whole numbers 0 to {len(seen) - 1}"
        raise DataError(f"data '{table.name}': label {strange[0]} in row {row + 1}: {span}, or names")
    return tuple(expected)


def _first_row(tables: Sequence[Table], column: str, wanted: str) -> tuple[int, Table]:
    for table in tables:
        for row, value in enumerate(table.columns[column].to_pylist()):
            if str(_whole(value)) == wanted:
                return row, table
    return 0, tables[0]


def _whole(value: object) -> object:
    """Return a float or a truth value as a whole number where it is one, anything else as it is."""
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return value


class Labelled(NamedTuple):
    """Class numbers of the rows which have one."""

    labels: np.ndarray
    """(samples,) int64."""
    rows: np.ndarray
    """(samples,) int64, the rows of the table they come from."""


def numbers(table: Table, column: str, classes: tuple[str, ...], *, drop: bool = False) -> Labelled:
    """Return the class number of every row.

    Parameters
    ----------
    table : Table
        A table with the column.
    column : str
        Name of the label column: whole numbers, or names out of ``classes``.
    classes : tuple of str
        Names of the classes.
    drop : bool
        Leave out rows without a gold label (-1, ``"-"``, null) instead of refusing them.

    Returns
    -------
    Labelled
        Labels and rows.

    Raises
    ------
    DataError
        If a label is missing, no whole number, out of range, or of an unknown name.
    """
    known: Mapping[object, int] = {name: number for number, name in enumerate(classes)}
    by_value: dict[object, int] = {}
    for value in table.columns[column].unique().to_pylist():
        if drop and value in _NO_GOLD:
            by_value[value] = -1
        elif isinstance(value, str) and value in known:
            by_value[value] = known[value]
        elif isinstance(number := _whole(value), int) and 0 <= number < len(classes):
            by_value[value] = number
        else:
            raise DataError(_complaint(table, column, value, classes))
    found = np.array([by_value[value] for value in table.columns[column].to_pylist()], dtype=np.int64)
    rows = np.flatnonzero(found >= 0)
    return Labelled(found[rows], rows)


def _complaint(table: Table, column: str, value: object, classes: tuple[str, ...]) -> str:
    values = table.columns[column].to_pylist()
    row = next(i for i, other in enumerate(values) if other == value or (other != other and value != value))
    where = f"data '{table.name}': label in row {row + 1} of column '{column}'"
    if value is None:
        return f"{where} is missing"
    if isinstance(value, str):
        return f"{where}: {unknown('class', value, classes)}"
    kind = "is no whole number" if isinstance(value, float) else "is out of range"
    return f"{where} {kind}: {value}; allowed are 0 to {len(classes) - 1}{nearest(value, ())}"
