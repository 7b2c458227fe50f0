"""Columns of labels to class numbers: whole numbers from 0, or names of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neuroep.data.sources import Table, kind_of
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
    values = {_whole(value) for value in seen if value not in _MISSING}
    if len(values) < 2:
        held = f"column '{column}' holds {len(values)} of them"
        raise DataError(f"data '{tables[0].name}': at least 2 classes are needed, {held}")
    if all(isinstance(value, str) for value in values):
        return tuple(sorted(str(value) for value in values))
    expected = set(range(len(values)))
    for value in sorted(values - expected, key=str):
        where = next(_where(table, column, value) for table in tables if value in _column(table, column).to_pylist())
        span = f"{len(values)} distinct labels must be the whole numbers 0 to {len(values) - 1}, or names"
        raise DataError(f"{where}: {value} leaves a gap; {span}")
    return tuple(str(value) for value in sorted(expected))


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
        Leave out rows without a gold label (-1, ``"-"``, none) instead of refusing them.

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
        if drop and value in _NO_GOLD:
            number_of[value] = -1
            continue
        number = known.get(value) if isinstance(value, str) else _whole(value)
        if not isinstance(number, int) or not 0 <= number < len(classes):
            raise DataError(_complaint(table, column, value, classes))
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


def _whole(value: object) -> object:
    """Return a float or a truth value as a whole number where it is one, anything else as it is."""
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return value


def _where(table: Table, column: str, value: object) -> str:
    """Name the first row with a value, rows counted from 1."""
    row = _column(table, column).to_pylist().index(value)
    return f"data '{table.name}': label in row {row + 1} of column '{column}'"


def _complaint(table: Table, column: str, value: object, classes: tuple[str, ...]) -> str:
    where = _where(table, column, value)
    if value in _MISSING:
        return f"{where} is missing"
    if isinstance(value, str):
        return f"{where}: {unknown('class', value, classes)}"
    fault = "is out of range" if isinstance(_whole(value), int) else "is no whole number"
    return f"{where} {fault}: {value}; allowed are 0 to {len(classes) - 1}"
