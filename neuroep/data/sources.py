"""Tables of texts and labels: local files, folders with splits, and data sets of the Hugging Face hub.

Local tables are read with pyarrow, which ``datasets`` itself is built on: nothing is copied into another cache and no
network is asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from neuroep.data.vectors import one_line, quiet
from neuroep.errors import DataError, nearest

if TYPE_CHECKING:
    import pyarrow

FORMATS = (".parquet", ".csv", ".tsv", ".jsonl", ".json")
"""Formats of a table, by the end of its name; text formats may be compressed with ``.gz`` on top."""

_SPLITS = {"train": "train", "test": "test", "validation": "validation", "valid": "validation", "val": "validation"}
_SPLITS["dev"] = "validation"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class Table(NamedTuple):
    """The wanted columns of one file or of one split of the hub."""

    name: str
    """What an error calls it."""
    columns: Mapping[str, pyarrow.ChunkedArray]
    """Columns of equal length by their name."""


class Source(NamedTuple):
    """Tables of a data set, read only when they are needed."""

    hashes: dict[str, list[str]]
    """Hashes of what the tables hold, by split."""
    read: Callable[[], dict[str, list[Table]]]
    """Read the tables, by split."""


def local(path: str | os.PathLike[str], wanted: tuple[str, ...]) -> Source:
    """Find the tables of a file or folder; see :func:`local_files` and :func:`read_table`."""
    files = local_files(path)
    hashes = {split: [file_hash(file) for file in files[split]] for split in files}
    return Source(hashes, lambda: {split: [read_table(file, wanted) for file in files[split]] for split in files})


def hub(repository: str, wanted: tuple[str, ...]) -> Source:
    """Load a data set of the hub; see :func:`hub_tables`."""
    tables = hub_tables(repository, wanted)
    hashes = {split: [table_hash(table)] for split, table in tables.items()}
    return Source(hashes, lambda: {split: [table] for split, table in tables.items()})


def local_files(path: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """Find the tables of each split.

    Parameters
    ----------
    path : str or path
        One table, which is the ``train`` split, or a folder with tables named after their splits: ``train.parquet``,
        ``test.csv``, ``validation.jsonl``, ``train-00000-of-00002.parquet``; the folder may hold one level of folders.

    Returns
    -------
    dict of str to list of pathlib.Path
        Files of ``train``, ``validation`` and ``test``, in that order as far as they exist.

    Raises
    ------
    DataError
        If nothing is there, or no table of a training split.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise DataError(f"data path '{path}': no such file or folder")
    if place.is_file():
        if _format(place) not in FORMATS:
            raise DataError(f"data path '{path}' is no table: allowed are {', '.join(FORMATS)}, or a folder of them")
        return {"train": [place]}
    files = _by_split(place.iterdir()) or _by_split(place.glob("*/*"))
    if "train" not in files:
        found = f"splits found: {', '.join(files)}" if files else "no table of any split found"
        raise DataError(f"data path '{path}': no train table ({found}); expected train.parquet, .csv or .jsonl")
    return files


def _by_split(candidates: Iterable[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in sorted(candidates):
        stem = file.name.partition(".")[0].replace("_", "-").partition("-")[0].lower()
        if _format(file) in FORMATS and stem in _SPLITS and file.is_file():
            found.setdefault(_SPLITS[stem], []).append(file)
    return {split: found[split] for split in ("train", "validation", "test") if split in found}


def _format(file: Path) -> str:
    return Path(file.name.removesuffix(".gz")).suffix.lower()


def file_hash(file: Path) -> str:
    """Return the hash of a table's format and contents."""
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16))
    except OSError as error:
        raise DataError(f"data '{file}' cannot be read: {error.strerror or error}") from error
    return f"{_format(file)}-{digest.hexdigest()}"


def table_hash(table: Table) -> str:
    """Return the hash of the wanted columns."""
    digest = hashlib.blake2b(digest_size=16)
    for name, column in table.columns.items():
        digest.update(repr((name, column.to_pylist())).encode())
    return digest.hexdigest()


def read_table(file: Path, wanted: tuple[str, ...]) -> Table:
    """Read columns of a local table.

    Parameters
    ----------
    file : pathlib.Path
        Parquet, CSV, TSV or JSON lines.
    wanted : tuple of str
        Names of the columns, the label last; text columns of CSV are read as text whatever they look like.

    Raises
    ------
    DataError
        If the file cannot be read or lacks a column.
    """
    import pyarrow

    try:
        table = _read(file, wanted[:-1])
    except (pyarrow.ArrowException, OSError, EOFError) as error:
        raise DataError(f"data '{file}' cannot be read: {one_line(error)}") from error
    return _select(str(file), table, wanted)


def _read(file: Path, texts: tuple[str, ...]) -> pyarrow.Table:
    import pyarrow

    kind = _format(file)
    if kind == ".parquet":
        import pyarrow.parquet

        return pyarrow.parquet.read_table(file)
    with pyarrow.input_stream(str(file), compression="gzip" if file.suffix == ".gz" else None) as stream:
        if kind in _DELIMITERS:
            import pyarrow.csv

            parse = pyarrow.csv.ParseOptions(delimiter=_DELIMITERS[kind], newlines_in_values=True)
            convert = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(texts, pyarrow.string()))
            return pyarrow.csv.read_csv(stream, parse_options=parse, convert_options=convert)
        import pyarrow.json

        return pyarrow.json.read_json(stream, parse_options=pyarrow.json.ParseOptions(newlines_in_values=True))


def _select(name: str, table: pyarrow.Table, wanted: tuple[str, ...]) -> Table:
    for column in wanted:
        if column not in table.column_names:
            columns = ", ".join(table.column_names)
            close = nearest(column, table.column_names)
            raise DataError(f"data '{name}': unknown column '{column}': allowed are {columns}{close}")
    return Table(name, {column: _plain(table.column(column)) for column in wanted})


def hub_tables(repository: str, wanted: tuple[str, ...]) -> dict[str, Table]:
    """Load the splits of a data set of the Hugging Face hub, from the hub's local cache where it is there.

    Parameters
    ----------
    repository : str
        For example ``"stanfordnlp/imdb"``.
    wanted : tuple of str
        Names of the columns.

    Raises
    ------
    DataError
        If it is neither cached nor can be fetched, or lacks a column.
    """
    import datasets

    try:
        with _silent(), quiet("datasets"), quiet("huggingface_hub"):
            loaded = datasets.load_dataset(repository)
    except Exception as error:  # network, hub, disk and integrity errors share no base class
        cure = "set the data path to a local folder with train and test tables"
        cause = f"cannot fetch {repository} from the Hugging Face hub ({one_line(error)})"
        raise DataError(f"data: {cause}; {cure}") from error
    splits = [split for split in ("train", "validation", "test") if split in loaded]
    return {split: _select(f"{repository} {split}", loaded[split].data.table, wanted) for split in splits}


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Switch the progress bars of the hub's libraries off for a while."""
    import datasets
    import huggingface_hub.utils as hub_utils

    libraries = [library for library in (datasets, hub_utils) if not library.are_progress_bars_disabled()]
    for library in libraries:
        library.disable_progress_bars()
    try:
        yield
    finally:
        for library in libraries:
            library.enable_progress_bars()


def texts(table: Table, column: str) -> list[str]:
    """Return a column of texts.

    Raises
    ------
    DataError
        If the column holds something else, or a row has no text.
    """
    array = table.columns[column]
    if kind_of(array) != "text":
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


def _plain(array: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Return a column of categories as the column of their values."""
    from pyarrow import types

    return array.cast(array.type.value_type) if types.is_dictionary(array.type) else array
