"""Tables of texts and labels as they lie in files: CSV, TSV, JSON lines, Parquet, and what ``datasets`` saves.

Text formats are read line by line with the standard library, which says in which line a fault is and knows no longest
text; Parquet and Arrow files are read with pyarrow.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from neuroep.data.folders import SAVED, format_of, is_compressed
from neuroep.data.places import listed
from neuroep.data.vectors import one_line
from neuroep.errors import DataError, nearest

if TYPE_CHECKING:
    import pyarrow

MARK = "\ufeff".encode()
"""Byte-order mark, which some editors put before UTF-8."""
_LONGEST = 2**31 - 1
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ABSENT = frozenset({"", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None"})
_HALF = re.compile("[\ud800-\udfff]")


class Table(NamedTuple):
    """The wanted columns of one file or of one split of the hub."""

    name: str
    """What an error calls it."""
    columns: Mapping[str, pyarrow.ChunkedArray]
    """Columns of equal length by their name."""


class Wanted(NamedTuple):
    """What is looked for in a table."""

    columns: tuple[str, ...]
    """Names, the label last; text columns of CSV and TSV are read as text whatever they look like."""
    others: Mapping[str, str] = {}
    """Names under which a column may be found instead."""


class Fault(ValueError):
    """What is wrong with a file, without its name."""


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
    except (Fault, pyarrow.ArrowException, OSError, EOFError, zlib.error, UnicodeError) as error:
        raise DataError(f"data '{file}' cannot be read: {one_line(error)}") from error
    return Table(str(file), columns)


def select(name: str, table: pyarrow.Table, wanted: Wanted | tuple[str, ...]) -> Table:
    """Return the wanted columns of a table in memory; errors as of :func:`read_table`."""
    wanted = wanted if isinstance(wanted, Wanted) else Wanted(tuple(wanted))
    places = _places(name, table.column_names, wanted)
    return Table(name, {column: _checked(name, column, table.column(place)) for column, place in places.items()})


def _places(name: object, names: Sequence[str], wanted: Wanted) -> dict[str, int]:
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


def _lines(file: Path) -> Iterator[str]:
    """Read a text file line by line, line ends included."""
    with gzip.open(file) if is_compressed(file) else file.open("rb") as opened:
        for number, raw in enumerate(opened, 1):
            line = raw.removeprefix(MARK) if number == 1 else raw
            try:
                text = line.decode()
            except UnicodeDecodeError:
                raise Fault(f"line {number} is no UTF-8 text") from None
            if "\0" in text:
                raise Fault(f"line {number} holds a NUL byte: a text is needed, in UTF-8")
            yield text


def _read_csv(file: Path, wanted: Wanted) -> dict[str, pyarrow.ChunkedArray]:
    with _long_texts():
        reader = csv.reader((part for line in _lines(file) for part in _parts(line)), strict=True)
        try:
            return _of_rows(file, ((reader.line_num, row) for row in reader), wanted)
        except csv.Error as error:
            raise Fault(f"line {reader.line_num}: {error}") from None


def _parts(line: str) -> Iterator[str]:
    """Cut a line at the single carriage returns that end the lines of some old files."""
    if "\r" not in line:
        return iter((line,))
    return (part for part in re.split(r"(?<=\r)(?!\n)", line) if part)


@contextmanager
def _long_texts() -> Iterator[None]:
    """Let fields of CSV be of any length for a while."""
    before = csv.field_size_limit(_LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _read_tsv(file: Path, wanted: Wanted) -> dict[str, pyarrow.ChunkedArray]:
    """Read tab-separated values, which know no quoting: a quotation mark is a letter of the text."""
    rows = (line.removesuffix("\n").removesuffix("\r").split("\t") for line in _lines(file))
    return _of_rows(file, enumerate(rows, 1), wanted)


def _of_rows(file: Path, numbered: Iterator[tuple[int, list[str]]], wanted: Wanted) -> dict[str, pyarrow.ChunkedArray]:
    """Return columns of rows, the first of which names them; blank lines are passed over."""
    rows = ((number, row) for number, row in numbered if len(row) > 1 or (row and row[0].strip()))
    _, header = next(rows, (0, []))
    if not header:
        raise Fault("it is empty")
    places = _places(file, header, wanted)
    columns: list[list[str]] = [[] for _ in places]
    targets = list(zip(columns, places.values(), strict=True))
    for number, row in rows:
        if len(row) != len(header):
            raise Fault(f"line {number} has {len(row)} columns, the header has {len(header)}")
        for column, place in targets:
            column.append(row[place])
    *first, (label, labels) = zip(places, columns, strict=True)
    return {name: _texts(values) for name, values in first} | {label: _column(label, _typed(labels))}


def _typed(values: list[str]) -> list[Any]:
    """Return labels as numbers or truth values where all of them are, else as they stand."""
    plain = [value.strip() for value in values]
    present = [value for value in plain if value not in _ABSENT]
    kinds: tuple[tuple[Callable[[str], object], Callable[[str], object]], ...] = (
        (_WHOLE.fullmatch, int),
        (_NUMBER.fullmatch, float),
        (lambda value: value.lower() in ("true", "false"), lambda value: value.lower() == "true"),
    )
    for fits, convert in kinds:
        if present and all(map(fits, present)):
            return [None if value in _ABSENT else convert(value) for value in plain]
    return values


def _read_json(file: Path, wanted: Wanted) -> dict[str, pyarrow.ChunkedArray]:
    """Read one object per line, or, in a file named ``.json``, a list of them or one after the other."""
    names = {*wanted.columns, *wanted.others.values()}

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            given = [name for name, _ in pairs]
            for name in names:
                if given.count(name) > 1:
                    raise Fault(f"an object has '{name}' {given.count(name)} times: which one is meant?")
        return found

    decoder = json.JSONDecoder(object_pairs_hook=once)
    objects = (_objects_of_lines if format_of(file) == ".jsonl" else _objects)(_lines(file), decoder)
    keys: dict[str, None] = {}
    found: list[tuple[Any, ...]] = []
    chosen: list[str] = []
    for where, held in objects:
        if not isinstance(held, dict):
            raise Fault(f"{where} holds a {type(held).__name__}: an object with names and values is needed")
        keys.update(dict.fromkeys(held))
        if not chosen:
            chosen = [n if n in held or wanted.others.get(n) not in held else wanted.others[n] for n in wanted.columns]
        found.append(tuple(map(held.get, chosen)))
    if not found:
        raise Fault("it is empty")
    _places(file, list(keys), wanted)
    columns = zip(wanted.columns, zip(*found, strict=True), strict=True)
    return {name: _column(name, list(values)) for name, values in columns}


def _objects_of_lines(lines: Iterator[str], decoder: json.JSONDecoder) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield f"line {number}", decoder.decode(line)
            except Fault as error:
                raise Fault(f"line {number}: {error}") from None
            except ValueError as error:
                reason = getattr(error, "msg", "a number has too many digits")
                raise Fault(f"line {number} is no JSON: {reason}") from None


def _objects(lines: Iterator[str], decoder: json.JSONDecoder) -> Iterator[tuple[str, Any]]:
    text = "".join(lines)
    place, number = _after_blanks(text, 0), 0
    try:
        while place < len(text):
            held, place = decoder.raw_decode(text, place)
            place, number = _after_blanks(text, place), number + 1
            if isinstance(held, list) and number == 1 and place == len(text):
                yield from ((f"entry {entry}", one) for entry, one in enumerate(held, 1))
            else:
                yield f"object {number}", held
    except json.JSONDecodeError as error:
        raise Fault(f"line {error.lineno} is no JSON: {error.msg}") from None
    except Fault:
        raise
    except ValueError:
        raise Fault("it is no JSON: a number has too many digits") from None


def _after_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _column(name: str, values: list[Any]) -> pyarrow.ChunkedArray:
    """Return an Arrow array of values of one kind."""
    import pyarrow

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str}:
        return _texts(values) if kinds else pyarrow.chunked_array([pyarrow.nulls(len(values))])
    if kinds == {int, float}:
        values = [value if value is None else float(value) for value in values]
    elif len(kinds) > 1:
        rows: dict[type, int] = {}
        for row, value in enumerate(values, 1):
            rows.setdefault(type(value), row)
        held = [f"{kind.__name__} in row {row}" for kind, row in rows.items() if kind is not type(None)]
        raise Fault(f"column '{name}' holds {held[0]} and {held[1]}")
    try:
        return pyarrow.chunked_array([pyarrow.array(values)])
    except (pyarrow.ArrowException, OverflowError) as error:
        raise Fault(f"column '{name}': {one_line(error)}") from None


def _texts(values: list[str] | list[Any]) -> pyarrow.ChunkedArray:
    import pyarrow

    try:
        made = pyarrow.array(values, pyarrow.string())
    except UnicodeEncodeError:
        # Half of a surrogate pair, as JSON can hold it where a text was cut: no letter, and no word has it.
        made = pyarrow.array([value if value is None else _HALF.sub("\ufffd", value) for value in values])
    return made if isinstance(made, pyarrow.ChunkedArray) else pyarrow.chunked_array([made])


def _read_parquet(file: Path, wanted: Wanted) -> dict[str, pyarrow.ChunkedArray]:
    import pyarrow.parquet

    with file.open("rb") as opened:  # by its path pyarrow would take '~' for a home folder, 'a=b' for a column
        table = pyarrow.parquet.ParquetFile(opened)
        names = list(table.schema_arrow.names)
        chosen = [names[place] for place in _places(file, names, wanted).values()]
        plain = not any("." in name for name in chosen) and len(set(names)) == len(names)
        return dict(select(str(file), table.read(columns=chosen if plain else None), wanted).columns)


def _read_saved(file: Path, wanted: Wanted) -> dict[str, pyarrow.ChunkedArray]:
    import pyarrow.ipc

    with file.open("rb") as opened, pyarrow.ipc.open_stream(opened) as stream:
        return dict(select(str(file), stream.read_all(), wanted).columns)


_READERS: Mapping[str, Callable[[Path, Wanted], dict[str, pyarrow.ChunkedArray]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_json,
    ".json": _read_json,
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


def _checked(name: str, column: str, array: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Return a column of categories as the column of their values; what is no UTF-8 or damaged is refused."""
    import pyarrow

    try:
        array.validate(full=True)
        kind = array.type
        return array.cast(kind.value_type) if pyarrow.types.is_dictionary(kind) else array
    except pyarrow.ArrowException as error:
        raise DataError(f"data '{name}' cannot be read: column '{column}': {one_line(error)}") from error
