# Tested by tests/neuroep/data/test_tables.py.
"""Columns of tables: which are looked for, and Arrow arrays of one kind made from values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from neuroep.data.places import listed
from neuroep.data.vectors import one_line
from neuroep.errors import DataError, nearest

if TYPE_CHECKING:
    import pyarrow

_HALF = re.compile("[\ud800-\udfff]")


class Wanted(NamedTuple):
    """What is looked for in a table."""

    columns: tuple[str, ...]
    """Names, the label last; text columns of CSV and TSV are read as text whatever they look like."""
    others: Mapping[str, str] = {}
    """Names under which a column may be found instead."""


class TableFault(ValueError):
    """What is wrong with a file, without its name."""


def places_of(name: object, names: Sequence[str], wanted: Wanted) -> dict[str, int]:
    """Return where each wanted column stands."""
    found = {}
    for column in wanted.columns:
        other = wanted.others.get(column, column)
        there = column if column in names else other
        count = list(names).count(there)
        if not count:
            close = nearest(column, names)
            raise DataError(f"data '{name}': unknown column '{column}': allowed are {listed(names)}{close}")
        if count > 1:
            raise DataError(f"data '{name}': column '{there}' is there {count} times: which one is meant?")
        found[column] = list(names).index(there)
    return found


def column_of(name: str, values: Sequence[object]) -> pyarrow.ChunkedArray:
    """Return an Arrow array of values of one kind."""
    import pyarrow

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str}:
        return texts_of(values) if kinds else pyarrow.chunked_array([pyarrow.nulls(len(values))])
    if kinds == {int, float}:
        values = [float(value) if isinstance(value, int | float) else value for value in values]
    elif len(kinds) > 1:
        rows: dict[type, int] = {}
        for row, value in enumerate(values, 1):
            rows.setdefault(type(value), row)
        held = [f"{kind.__name__} in row {row}" for kind, row in rows.items() if kind is not type(None)]
        raise TableFault(f"column '{name}' holds {held[0]} and {held[1]}")
    try:
        return pyarrow.chunked_array([pyarrow.array(values)])
    except (pyarrow.ArrowException, OverflowError) as error:
        raise TableFault(f"column '{name}': {one_line(error)}") from None


def texts_of(values: Sequence[object]) -> pyarrow.ChunkedArray:
    """Return an Arrow array of texts."""
    import pyarrow

    try:
        made = pyarrow.array(values, pyarrow.string())
    except UnicodeEncodeError:
        # Half of a surrogate pair, as JSON can hold it where a text was cut: no letter, and no word has it.
        made = pyarrow.array([_HALF.sub("\ufffd", value) if isinstance(value, str) else value for value in values])
    return made if isinstance(made, pyarrow.ChunkedArray) else pyarrow.chunked_array([made])


def checked(name: str, column: str, array: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Return a column of categories as the column of their values; what is no UTF-8 or damaged is refused."""
    import pyarrow

    try:
        array.validate(full=True)
        kind = array.type
        return array.cast(kind.value_type) if pyarrow.types.is_dictionary(kind) else array
    except pyarrow.ArrowException as error:
        raise DataError(f"data '{name}' cannot be read: column '{column}': {one_line(error)}") from error
