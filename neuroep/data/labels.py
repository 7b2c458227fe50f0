"""Columns of labels to class numbers: whole numbers from 0, or names of classes; blanks around a name do not count."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neuroep.data.tables import Table, kind_of
from neuroep.errors import DataError, unknown

if TYPE_CHECKING:
    import pyarrow

_MISSING = (None, "")
_NO_GOLD = (-1, "-1", "-", *_MISSING)


class Labelled(NamedTuple):
    """Class numbers of the rows which have one."""

    labels: np.ndarray
    """(samples,) int64."""
    rows: np.ndarray
    """(samples,) int64, the rows of the table they come from."""


def classes_of(tables: Sequence[Table], column: str) -> tuple[str, ...]:
    """Find the classes of a user's own data from its training tables.

    Parameters
    ----------
    tables : sequence of Table
        Tables of the training split.
    column : str
        Name of the label column: names, which are sorted, or whole numbers, which must run from 0 without a gap.

    Raises
    ------
    DataError
        If there are fewer than two classes, the column holds neither numbers nor names, or numbers leave a gap.
    """
    seen = {value for table in tables for value in _column(table, column).unique().to_pylist()}
    values = {plain for value in seen if (plain := _plain(value)) not in _MISSING}
    if len(values) < 2:
        held = f"column '{column}' holds {len(values)} of them"
        for table in tables:
            held += f"; {_where(table, column, None)} is missing" if None in _plain_values(table, column) else ""
        raise DataError(f"data '{tables[0].name}': at least 2 classes are needed, {held}")
    if all(isinstance(value, str) for value in values):
        return tuple(sorted(str(value) for value in values))
    expected = set(range(len(values)))
    for value in sorted(values - expected, key=str):
        where = next(_where(table, column, value) for table in tables if value in _plain_values(table, column))
        span = f"{len(values)} distinct labels must be the whole numbers 0 to {len(values) - 1}, or names"
        raise DataError(f"{where}: {value} leaves a gap; {span}")
    return tuple(str(value) for value in sorted(expected))


def numbers(
    table: Table, column: str, classes: tuple[str, ...], *, drop: bool = False, indexed: bool = True
) -> Labelled:
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
        Leave out rows without a gold label (-1, ``"-"``, none) instead of refusing them.
    indexed : bool
        A number that is no name counts the classes, in an order that is known beforehand.

    Returns
    -------
    Labelled
        Labels and rows.

    Raises
    ------
    DataError
        If a label is missing, no whole number, out of range, or of an unknown name.
    """
    array = _column(table, column)
    known: Mapping[object, int] = {name: number for number, name in enumerate(classes)}
    number_of: dict[object, int] = {}
    for value in array.unique().to_pylist():
        plain = _plain(value)
        if drop and plain in _NO_GOLD:
            number_of[value] = -1
            continue
        number: object = known.get(str(plain))
        if number is None and indexed:
            number = int(plain) if isinstance(plain, str) and re.fullmatch(r"\d{1,9}", plain, re.ASCII) else plain
        if not isinstance(number, int) or not 0 <= number < len(classes):
            raise DataError(_complaint(table, column, plain, classes, indexed))
        number_of[value] = number
    found = np.array([number_of[value] for value in array.to_pylist()], dtype=np.int64)
    rows = np.flatnonzero(found >= 0)
    return Labelled(found[rows], rows)


def _column(table: Table, column: str) -> pyarrow.ChunkedArray:
    """Return the labels; one which is NaN counts as missing."""
    from pyarrow import compute, types

    array = table.columns[column]
    if (kind := kind_of(array)) not in ("text", "number", "nothing"):
        raise DataError(f"data '{table.name}': column '{column}' holds {kind}: whole numbers or names are needed")
    return compute.if_else(compute.is_nan(array), None, array) if types.is_floating(array.type) else array


def _plain(value: object) -> object:
    """Return a float or a truth value as a whole number where it is one, a name without the blanks around it."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return value


def _plain_values(table: Table, column: str) -> list[object]:
    return [_plain(value) for value in _column(table, column).to_pylist()]


def _where(table: Table, column: str, value: object) -> str:
    """Name the first row with a value, rows counted from 1."""
    row = _plain_values(table, column).index(value)
    return f"data '{table.name}': label in row {row + 1} of column '{column}'"


def _complaint(table: Table, column: str, value: object, classes: tuple[str, ...], indexed: bool) -> str:
    where = _where(table, column, value)
    if value in _MISSING:
        return f"{where} is missing"
    if isinstance(value, str):
        return f"{where}: {unknown('class', value, classes)}"
    if not indexed and not all(name.isdigit() for name in classes):
        return f"{where} is the number {value}, the training labels are names: {', '.join(classes)}"
    fault = "is out of range" if isinstance(value, int) else "is no whole number"
    return f"{where} {fault}: {value}; allowed are 0 to {len(classes) - 1}"
