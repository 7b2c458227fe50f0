"""Where tables come from: local files, folders with splits, and data sets of the Hugging Face hub.

Local tables are read where they lie: nothing is copied into another cache and no network is asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from neuroep.data.folders import file_hash, local_files
from neuroep.data.tables import Table, Wanted, read_table, select, texts
from neuroep.data.vectors import one_line, quiet
from neuroep.errors import DataError

__all__ = ["Source", "Table", "Wanted", "file_hash", "hub", "local", "local_files", "read_table", "table_hash", "texts"]


class Source(NamedTuple):
    """Tables of a data set, read only when they are needed."""

    hashes: dict[str, list[str]]
    """Hashes of what the tables hold, by split."""
    read: Callable[[], dict[str, list[Table]]]
    """Read the tables, by split."""
    taken: str = ""
    """Where they come from, for the line that says what was loaded."""


def local(path: str | os.PathLike[str], wanted: Wanted | tuple[str, ...]) -> Source:
    """Find the tables of a file or folder; see :func:`local_files` and :func:`read_table`."""
    files = local_files(path)
    hashes = {split: [file_hash(file) for file in files[split]] for split in files}
    taken = f"{path} ({', '.join(file.name for found in files.values() for file in found[:1])})"
    return Source(
        hashes, lambda: {s: [read_table(file, wanted) for file in found] for s, found in files.items()}, taken
    )


def hub(repository: str, wanted: Wanted | tuple[str, ...]) -> Source:
    """Load a data set of the hub; see :func:`hub_tables`."""
    tables = hub_tables(repository, wanted)
    hashes = {split: [table_hash(table)] for split, table in tables.items()}
    return Source(hashes, lambda: {split: [table] for split, table in tables.items()}, f"the hub's {repository}")


def table_hash(table: Table) -> str:
    """Return the hash of the wanted columns."""
    digest = hashlib.blake2b(digest_size=16)
    for name, column in table.columns.items():
        digest.update(repr((name, column.to_pylist())).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def hub_tables(repository: str, wanted: Wanted | tuple[str, ...]) -> Mapping[str, Table]:
    """Load the splits of a data set of the Hugging Face hub, from the hub's local cache where it is there.

    Parameters
    ----------
    repository : str
        For example ``"stanfordnlp/imdb"``.
    wanted : Wanted or tuple of str
        The columns.

    Raises
    ------
    DataError
        If it is neither cached nor can be fetched, lacks a column, or something of its name lies in the working
        directory, which ``datasets`` would take for it.
    """
    import datasets

    if os.path.lexists(repository):
        cure = f"set the data path to '{os.path.abspath(repository)}' to take it, or run elsewhere"
        raise DataError(f"data: '{repository}' in the working directory hides the hub's set of that name; {cure}")
    try:
        with _silent(), quiet("datasets"), quiet("huggingface_hub"):
            loaded = datasets.load_dataset(repository)
    except Exception as error:  # network, hub, disk and integrity errors share no base class
        cure = "set the data path to a local folder with train and test tables"
        cause = f"cannot fetch {repository} from the Hugging Face hub ({one_line(error)})"
        raise DataError(f"data: {cause}; {cure}") from error
    splits = [split for split in ("train", "validation", "test") if split in loaded]
    return {split: select(f"{repository} {split}", loaded[split].data.table, wanted) for split in splits}


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
