"""Files of arrays: which are there for each split, and what they hold. Nothing in them is ever run.

    train.npz   train_x.npy     train.parquet       in a folder, likewise of validation and test;
    test.npz    train_labels.npy                    or with a common beginning: NAME_train.npz, NAME_train_x.npy
                train_lengths.npy

Each split has an array (a column in Parquet) of each name:

    x        (samples, points, channels), or (samples, points) of one channel; in Parquet a list of lists, or of numbers
    labels   (samples,) whole numbers from 0, or names
    lengths  (samples,) points of each sample, optional: all by default; in Parquet the lists have lengths of their own

``.npy`` is mapped from the disk, the others are read into memory. Object arrays, which hold pickles, are refused.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neuroep.data.places import listed, located
from neuroep.data.tables import kind_of, read_table
from neuroep.data.vectors import one_line
from neuroep.errors import DataError, nearest, unknown

if TYPE_CHECKING:
    import pyarrow

_SPLITS = ("train", "validation", "test")
_NAMES = ("x", "labels", "lengths")
_PICKLE = b"\x80"
"""First byte of a pickle."""
_ENDINGS = (".npz", "_x.npy", ".parquet")
_LISTS = "lists of numbers, or of lists of them, are needed"
_ALLOWED = "NAME.npz, NAME_x.npy beside NAME_labels.npy, NAME.parquet"


class Arrays(NamedTuple):
    """Samples as they are given, unchecked."""

    x: np.ndarray
    """(samples, points, channels) or (samples, points)."""
    labels: np.ndarray
    """(samples,) whole numbers or names."""
    lengths: np.ndarray | None = None
    """(samples,) points of each sample; None: all."""
    name: str = "arrays"
    """What an error calls them."""


def files_of(path: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """Find the files of each split.

    Parameters
    ----------
    path : str or path
        A folder, the beginning of the files' names, or one file, which is the training split.

    Returns
    -------
    dict of str to list of pathlib.Path
        Of ``train``, ``validation`` and ``test``, as far as they exist.

    Raises
    ------
    DataError
        If nothing is there, a split is there twice, or there is no training split.
    """
    place = located(path, "data path")
    if place.is_file():
        ending = next((end for end in _ENDINGS if place.name.lower().endswith(end)), None)
        if ending is None:
            raise DataError(f"data path '{path}' holds no arrays that are known: allowed are {_ALLOWED}")
        return {"train": _beside(place)}
    folder, start = (place, "") if place.is_dir() else (place.parent, f"{place.name}_")
    found: dict[str, list[Path]] = {}
    for split in _SPLITS:
        there = [folder / f"{start}{split}{end}" for end in _ENDINGS if (folder / f"{start}{split}{end}").is_file()]
        if len(there) > 1:
            names = ", ".join(file.name for file in there)
            raise DataError(f"data path '{path}': split '{split}' is there {len(there)} times: {names}; keep one")
        found |= {split: _beside(there[0])} if there else {}
    if not found:
        # What is neither a folder nor the beginning of files is a slip of the pen.
        what = "holds no" if place.is_dir() else "is neither file, folder, nor the beginning of a"
        raise DataError(f"data path '{path}' {what} {start}train.npz, {start}train_x.npy or {start}train.parquet")
    if "train" not in found:
        raise DataError(f"data path '{path}': no training arrays (splits found: {', '.join(found)})")
    return found


def _beside(file: Path) -> list[Path]:
    """Return a file with those that belong to it."""
    if file.suffix.lower() != ".npy":
        return [file]
    start = file.name[: -len("_x.npy")]
    labels, lengths = (file.with_name(f"{start}_{name}.npy") for name in _NAMES[1:])
    if not labels.is_file():
        raise DataError(f"data '{file}': there is no {labels.name} beside it")
    if not lengths.is_file():
        ends = [other.name[len(start) + 1 : -len(".npy")] for other in sorted(file.parent.glob("*.npy"))
                if other.name.startswith(f"{start}_")]  # fmt: skip
        _check_names(file, "array", ends)
    return [file, labels, *([lengths] if lengths.is_file() else [])]


def _check_names(file: Path, what: str, names: Iterable[str]) -> None:
    """Refuse a slip of the pen in ``lengths``: left out, all points would count, those that only fill up too."""
    others = [name for name in names if name not in _NAMES]
    if "lengths" not in names and (close := difflib.get_close_matches("lengths", others, n=1, cutoff=0.7)):
        raise DataError(f"data '{file}': {unknown(what, close[0], _NAMES)}")


def read(files: list[Path]) -> Arrays:
    """Read the arrays of one split.

    Raises
    ------
    DataError
        If they cannot be read, one is missing, or holds objects.
    """
    file = files[0]
    if file.suffix.lower() == ".parquet":
        return _parquet(file)
    try:
        held = _numpy(files)
    except DataError:
        raise
    except Exception as error:  # zip, zlib and NumPy's headers raise almost anything on damaged files
        raise DataError(f"data '{file}' cannot be read: {_reason(error)}") from error
    _check_names(file, "array", held)
    for name in _NAMES[:2]:
        if name not in held:
            raise DataError(f"data '{file}': no array '{name}': it holds {listed(list(held))}{nearest(name, held)}")
    return Arrays(held["x"], held["labels"], held.get("lengths"), str(file))


def _numpy(files: list[Path]) -> Mapping[str, np.ndarray]:
    if len(files) > 1:
        held = [np.load(file, mmap_mode="r" if number == 0 else None) for number, file in enumerate(files)]
        return dict(zip(_NAMES, held, strict=False))
    with files[0].open("rb") as opened:  # NumPy leaves a damaged archive open that it opens itself
        if opened.read(1) not in (b"P", _PICKLE, b""):
            raise DataError(f"data '{files[0]}' cannot be read: it is damaged, or no archive of arrays")
        opened.seek(0)
        archive = np.load(opened, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"data '{files[0]}' cannot be read: it is no archive of arrays")
        # An array that is not asked for is not read, and only named.
        return {name: archive[name] if name in _NAMES else np.empty(0) for name in archive.files}


def _reason(error: Exception) -> str:
    text = one_line(error)
    pickled = "pickle" in text or "Python objects" in text
    return "it holds objects, which are pickles: numbers are needed, or names of .astype(str)" if pickled else text


def _parquet(file: Path) -> Arrays:
    columns = _columns(file)
    x, labels = columns["x"].combine_chunks(), columns["labels"]
    if kind_of(labels) not in ("text", "number"):
        raise DataError(f"data '{file}': column 'labels' holds {labels.type}: whole numbers or names are needed")
    if labels.null_count:
        row = labels.is_null().index(True).as_py()
        raise DataError(f"data '{file}': label in row {row + 1} of column 'labels' is missing")
    points, lengths = _opened(file, x)
    counted = columns.get("lengths")
    if counted is not None and counted.to_pylist() != lengths.tolist():
        cure = "cut the lists there, and leave the column out"
        raise DataError(f"data '{file}': column 'lengths' is not how long the lists of column 'x' are: {cure}")
    numbers, channels = (points, None) if _is_numeric(points) else _opened(file, points, lengths)
    if not _is_numeric(numbers):
        raise DataError(f"data '{file}': column 'x' holds {x.type}: {_LISTS}")
    if numbers.null_count:
        place = _first_null(numbers)
        place = place if channels is None else _list_of(place, channels)
        raise DataError(f"data '{file}': row {_list_of(place, lengths) + 1} of column 'x': numbers are missing in it")
    width = 1 if channels is None else int(channels[0]) if len(channels) else 0
    if channels is not None and (odd := np.flatnonzero(channels != width)).size:
        row = _list_of(int(odd[0]), lengths)
        held = f"{channels[odd[0]]} numbers in a point, the first point {width}"
        raise DataError(f"data '{file}': row {row + 1} of column 'x' has {held}")
    padded = np.zeros((len(lengths), int(lengths.max(initial=0)), width), dtype=np.float64)
    flat = numbers.to_numpy(zero_copy_only=False)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = flat.reshape(-1, width) if width else 0.0
    return Arrays(padded, np.asarray(labels.to_pylist()), lengths, str(file))


def _columns(file: Path) -> Mapping[str, pyarrow.ChunkedArray]:
    """Return the columns of a file, ``lengths`` among them where it is there."""
    import pyarrow
    import pyarrow.parquet

    names: list[str] = []
    try:
        with file.open("rb") as opened:
            names = list(pyarrow.parquet.ParquetFile(opened).schema_arrow.names)
    except (OSError, pyarrow.ArrowException):
        pass  # said below, as of every table
    _check_names(file, "column", names)
    return read_table(file, ("x", "labels", *(("lengths",) if "lengths" in names else ()))).columns


def _first_null(column: pyarrow.Array) -> int:
    return int(column.is_null().index(True).as_py())


def _list_of(place: int, lengths: np.ndarray) -> int:
    """Return which list holds what stands at a place of them all, end to end."""
    return int(np.searchsorted(np.cumsum(lengths), place, side="right"))


def _opened(file: Path, column: pyarrow.Array, outer: np.ndarray | None = None) -> tuple[pyarrow.Array, np.ndarray]:
    """Return what lists hold, end to end, and the length of each; ``outer`` are the lengths of the lists of lists."""
    from pyarrow import compute, types

    kind = column.type
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        raise DataError(f"data '{file}': column 'x' holds {kind}: {_LISTS}")
    if column.null_count:
        row = _first_null(column)
        if outer is not None:
            sample = _list_of(row, outer)
            point = row - int(outer[:sample].sum())
            raise DataError(f"data '{file}': row {sample + 1} of column 'x': point {point + 1} is missing")
        raise DataError(f"data '{file}': column 'x': list {row + 1} is missing")
    lengths = compute.list_value_length(column).to_numpy(zero_copy_only=False)
    return compute.list_flatten(column), lengths.astype(np.int64)


def _is_numeric(column: pyarrow.Array) -> bool:
    from pyarrow import types

    return types.is_integer(column.type) or types.is_floating(column.type) or types.is_boolean(column.type)
