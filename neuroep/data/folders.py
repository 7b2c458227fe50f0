"""Which tables of a folder are which split.

A folder in doubt is refused: nobody notices later that every sample was there twice.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from hw_models import reading
from hw_models.text import short
from neuroep.data.places import located
from neuroep.errors import DataError, reason

FORMATS = (".parquet", ".csv", ".tsv", ".jsonl", ".json")
"""Formats of a table, by the end of its name; text formats may be compressed with ``.gz`` on top."""
SAVED = ".arrow"
"""Format of the tables that ``datasets`` saves; read only where its own page beside them names them."""

_SPLITS = {"train": "train", "test": "test", "validation": "validation", "valid": "validation", "val": "validation"}
_SPLITS["dev"] = "validation"
_ORDER = ("train", "validation", "test")
_SNLI = re.compile(r"snli_1\.0_(train|dev|test)(\.jsonl|\.txt)(\.gz)?", re.IGNORECASE)
"""Names under which SNLI is distributed; ``.txt`` and ``.jsonl`` hold the same pairs."""
_SHARD = re.compile(r"[a-z]+[-_.]?(\d{1,9})(?:[-_]of[-_](\d{1,9}))?(?:-[0-9a-f]{8,})?")
_CHUNK = 1 << 20


def local_files(path: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """Find the tables of each split.

    Parameters
    ----------
    path : str or path
        One table, which is the ``train`` split; or a folder with tables named after their splits: ``train.parquet``,
        ``test.csv``, ``validation.jsonl``, ``train-00000-of-00002.parquet``, ``snli_1.0_dev.jsonl``; the folder may
        hold one level of folders. Or a folder written by ``save_to_disk`` of ``datasets``. What is hidden is left out.

    Returns
    -------
    dict of str to list of pathlib.Path
        Files of ``train``, ``validation`` and ``test``, in that order as far as they exist.

    Raises
    ------
    DataError
        If nothing is there, no table of a training split, a split is there twice, or a shard of it is missing.
    """
    place = located(path, "data path")
    if not place.exists():
        raise DataError(f"data path '{path}': no such file or folder")
    if place.is_file():
        if format_of(place) not in FORMATS:
            raise DataError(f"data path '{path}' is no table: allowed are {', '.join(FORMATS)}, or a folder of them")
        return {"train": [place]}
    try:
        files = _saved(place) or _named(_visible(place))
        files = files or _named(file for inner in _visible(place) if inner.is_dir() for file in _visible(inner))
    except OSError as error:
        raise DataError(f"data path '{path}' cannot be read: {error.strerror or error}") from error
    if "train" not in files:
        found = f"splits found: {', '.join(files)}" if files else "no table of any split found"
        raise DataError(f"data path '{path}': no train table ({found}); expected train.parquet, .csv or .jsonl")
    return files


def format_of(file: Path) -> str:
    """Return the format of a table as the end of its name tells it, lower case."""
    if _SNLI.fullmatch(file.name):
        return ".jsonl" if ".jsonl" in file.name.lower() else ".tsv"
    return Path(_uncompressed(file)).suffix.lower()


def is_compressed(file: Path) -> bool:
    """Tell whether the name ends in ``.gz``."""
    return file.name.lower().endswith(".gz")


def file_hash(file: Path) -> str:
    """Return the hash of a table's format and contents."""
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16))
    except OSError as error:
        raise DataError(f"data '{file}' cannot be read: {error.strerror or error}") from error
    return f"{format_of(file)}-{digest.hexdigest()}"


def _uncompressed(file: Path) -> str:
    return file.name[: -len(".gz")] if is_compressed(file) else file.name


def _visible(folder: Path) -> list[Path]:
    """Return what a folder holds, but for hidden copies of editors and archivers."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__")))


def _split_of(file: Path) -> str | None:
    found = _SNLI.fullmatch(file.name)
    first = found[1] if found else re.split(r"[-_.]", file.name, maxsplit=1)[0]
    return _SPLITS.get(first.lower())


def _named(candidates: Iterable[Path]) -> dict[str, list[Path]]:
    """Return the tables that are named after splits."""
    found: dict[str, list[Path]] = {}
    for file in candidates:
        split = _split_of(file)
        if split is None or format_of(file) not in FORMATS or file.is_dir():
            continue
        if not file.is_file():
            raise DataError(f"data '{file}' cannot be read: it is no file, or a link to none")
        found.setdefault(split, []).append(file)
    return {split: _joined(split, found[split]) for split in _ORDER if split in found}


def _joined(split: str, files: Sequence[Path]) -> list[Path]:
    """Return the tables of one split in order: a single one, or numbered shards of which none is missing."""
    alike: dict[str, list[Path]] = {}
    for file in files:
        stem = _uncompressed(file)
        alike.setdefault(f"{file.parent}/{stem[: -len(Path(stem).suffix)].lower()}", []).append(file)
    single = [_one_of(split, group) for group in alike.values()]
    shards = [_SHARD.fullmatch(Path(_uncompressed(file)).stem.lower()) for file in single]
    numbers = [int(shard[1]) if shard else None for shard in shards]
    totals = {int(shard[2]) if shard[2] else None for shard in shards if shard}
    if len(single) > 1 and (
        None in numbers or len(set(numbers)) < len(numbers) or len(totals) > 1 or len({f.parent for f in single}) > 1
    ):
        raise _twice(split, single, "only shards such as train-00000-of-00002 are joined")
    total = next(iter(totals), None)
    if total is not None and sorted(numbers, key=str) != sorted(range(total), key=str):
        raise DataError(f"data '{single[0]}': split '{split}' has {len(single)} of {total} shards")
    return [single[place] for place in sorted(range(len(single)), key=lambda place: numbers[place] or 0)]


def _one_of(split: str, group: list[Path]) -> Path:
    """Return one of the files which differ in the end of their names alone, where they hold the same."""
    if all(_SNLI.fullmatch(file.name) for file in group):
        group = [file for file in group if format_of(file) == ".jsonl"] or group
    if len(group) > 1 and (len({format_of(file) for file in group}) > 1 or len({_held(file) for file in group}) > 1):
        raise _twice(split, group, "keep one of them")
    return min(group, key=is_compressed)


def _twice(split: str, files: Sequence[Path], cure: str) -> DataError:
    names = ", ".join(file.name for file in files[:4]) + (", ..." if len(files) > 4 else "")
    places = {str(file.parent): None for file in files}
    where = " and ".join(list(places)[:2])
    return DataError(f"data '{where}': split '{split}' is there {len(files)} times: {names}; {cure}")


def _held(file: Path) -> bytes:
    """Return the hash of what a table holds, uncompressed."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with gzip.open(file) if is_compressed(file) else file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"data '{file}' cannot be read: {error}") from error
    return digest.digest()


def _saved(folder: Path) -> dict[str, list[Path]]:
    """Return the tables of a folder that ``datasets`` saved, {} where it is none."""
    if (folder / "dataset_dict.json").is_file():
        names = _page(folder / "dataset_dict.json", "splits")
        found: dict[str, list[Path]] = {}
        for name in names:
            split = _SPLITS.get(str(name))
            if split in found:
                raise DataError(f"data '{folder}': split '{split}' is there twice")
            if split is not None and isinstance(name, str):
                found[split] = _saved_tables(folder / name)
        return {split: found[split] for split in _ORDER if split in found}
    return {"train": _saved_tables(folder)} if (folder / "state.json").is_file() else {}


def _saved_tables(folder: Path) -> list[Path]:
    page = folder / "state.json"
    if _page(page, "_indices_data_files", []):
        raise DataError(f"data '{folder}' was saved with a selection of rows: load and save it again with datasets")
    files = []
    for entry in _page(page, "_data_files"):
        name = entry.get("filename") if isinstance(entry, dict) else None
        if not isinstance(name, str) or Path(name).name != name or format_of(Path(name)) != SAVED:
            raise DataError(f"data '{page}': '{short(str(name))}' is no table beside it")
        if not (folder / name).is_file():
            raise DataError(f"data '{folder / name}': no such file, though state.json names it")
        files.append(folder / name)
    if not files:
        raise DataError(f"data '{folder}': it holds no table")
    return files


def _page(file: Path, name: str, default: list[object] | None = None) -> list[object]:
    """Return a list out of a page of JSON."""
    try:
        held = reading.read_json(file)
    except (OSError, ValueError) as error:
        raise DataError(f"data '{file}' cannot be read: {reason(error)}") from error
    held = held.get(name, default) if isinstance(held, dict) else None
    if not isinstance(held, list):
        raise DataError(f"data '{file}' cannot be read: it has no list '{name}'")
    return held
