"""Tables of texts and labels as they lie in files: CSV, TSV, JSON lines, Parquet, and what ``datasets`` saves."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from neuroep.data.columns import TableFault, Wanted, checked, places_of
from neuroep.data.folders import SAVED, format_of
from neuroep.data.text_tables import Columns, read_csv, read_json, read_tsv
from neuroep.data.vectors import one_line
from neuroep.errors import DataError

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Table", "Wanted", "kind_of", "read_table", "select", "texts"]

_END = b"\xff\xff\xff\xff\0\0\0\0"
"""Last bytes of an Arrow stream."""


class Table(NamedTuple):
    """The wanted columns of one file or of one split of the hub."""

    name: str
    """What an error calls it."""
    columns: Mapping[str, pyarrow.ChunkedArray]
    """Columns of equal length by their name."""


def read_table(file: Path, wanted: Wanted | tuple[str, ...]) -> Table:
    """Read columns of a local table.

    Parameters
    ----------
    file : pathlib.Path
        Parquet, CSV, TSV (quotes are text there), JSON lines, a list of JSON objects, or a table ``datasets`` saved.
    wanted : Wanted or tuple of str
        The columns.

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column or has it twice; with the line where the file has lines.
    """
    import pyarrow

    wanted = wanted if isinstance(wanted, Wanted) else Wanted(tuple(wanted))
    reader = _READERS[format_of(file)]
    try:
        columns = reader(file, wanted)
    except DataError:
        raise
    except RecursionError as error:
        raise DataError(f"data '{file}' cannot be read: its brackets are nested too deeply") from error
    except MemoryError as error:
        raise DataError(f"data '{file}' cannot be read: it needs more memory than there is, or is damaged") from error
    except (TableFault, pyarrow.ArrowException, OSError, EOFError, zlib.error, UnicodeError) as error:
        raise DataError(f"data '{file}' cannot be read: {one_line(error)}") from error
    return Table(str(file), columns)


def select(name: str, table: pyarrow.Table, wanted: Wanted | tuple[str, ...]) -> Table:
    """Return the wanted columns of a table in memory; errors as of :func:`read_table`."""
    wanted = wanted if isinstance(wanted, Wanted) else Wanted(tuple(wanted))
    places = places_of(name, table.column_names, wanted)
    return Table(name, {column: checked(name, column, table.column(place)) for column, place in places.items()})


def _read_parquet(file: Path, wanted: Wanted) -> Columns:
    import pyarrow.parquet

    with file.open("rb") as opened:  # by its path pyarrow would take '~' for a home folder, 'a=b' for a column
        table = pyarrow.parquet.ParquetFile(opened)
        names = list(table.schema_arrow.names)
        chosen = [names[place] for place in places_of(file, names, wanted).values()]
        plain = not any("." in name for name in chosen) and len(set(names)) == len(names)
        return select(str(file), table.read(columns=chosen if plain else None), wanted).columns


def _read_saved(file: Path, wanted: Wanted) -> Columns:
    import pyarrow.ipc

    with file.open("rb") as opened:
        # A stream that is cut between two of its batches would be taken for one that ends there.
        opened.seek(-len(_END), os.SEEK_END)
        if opened.read() != _END:
            raise TableFault("it is cut short: the mark at its end is missing")
        opened.seek(0)
        with pyarrow.ipc.open_stream(opened) as stream:
            return select(str(file), stream.read_all(), wanted).columns


_READERS: Mapping[str, Callable[[Path, Wanted], Columns]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_json,
    ".json": read_json,
    ".parquet": _read_parquet,
    SAVED: _read_saved,
}


def texts(table: Table, column: str) -> list[str]:
    """Return a column of texts.

    Raises
    ------
    DataError
        If the column holds something else, or a row has no text.
    """
    array = table.columns[column]
    if kind_of(array) != "text" and len(array):
        raise DataError(f"data '{table.name}': column '{column}' holds {array.type}: text is needed")
    if array.null_count:
        row = array.is_null().index(True).as_py()
        raise DataError(f"data '{table.name}': column '{column}' has no text in row {row + 1}")
    return array.to_pylist()


def kind_of(array: pyarrow.ChunkedArray) -> str:
    """Return ``"text"``, ``"number"``, ``"nothing"`` (no row has a value), or the name of another type."""
    from pyarrow import types

    kind = array.type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        return "number"
    return "nothing" if types.is_null(kind) else str(kind)
