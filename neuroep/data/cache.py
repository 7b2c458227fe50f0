"""Tokenised corpora kept on disk, so that text is tokenised and vectors are read once.

One safetensors file per corpus: numbers as tensors, everything else as JSON in its metadata; no pickle. A file appears
under its name only when complete, and its contents are checked against their hash when it is read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hw_models.whole_files import replaced
from neuroep.data.places import located
from neuroep.data.ragged import Ragged
from neuroep.data.splits import Split
from neuroep.data.text_corpus import Coverage, TextCorpus, content_hash
from neuroep.errors import DataError

FORMAT = 2
"""Version of the file layout, part of the key."""

_log = logging.getLogger(__name__)


def default_folder() -> Path:
    """Return the folder for cached sets: ``$NEUROEP_CACHE``, else ``neuroep`` in the platform's user cache folder.

    Raises
    ------
    RuntimeError
        If the user has no home folder.
    """
    if chosen := os.environ.get("NEUROEP_CACHE"):
        return located(chosen, "cache folder $NEUROEP_CACHE")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "neuroep"


def key_of(parts: Mapping[str, object]) -> str:
    """Return the hash of everything which affects a tokenised set.

    Parameters
    ----------
    parts : mapping
        Names and values that JSON can hold; their order does not matter.
    """
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def path_of(folder: Path, name: str, key: str) -> Path:
    """Return where the set of that key lies."""
    return folder / f"{name}-{key}.safetensors"


def fetch(folder: Path, name: str, key: str) -> TextCorpus | None:
    """Read a cached set.

    Returns
    -------
    TextCorpus or None
        None where there is none, or where the file is damaged (it will be written again).
    """
    path = path_of(folder, name, key)
    if not path.is_file():
        return None
    try:
        corpus = _read(path, name, key)
    except Exception as error:  # whatever is wrong with a cached file, the cure is to make it again
        _log.warning("cached set %s is damaged and will be written again: %s", path, error)
        return None
    return corpus


def _read(path: Path, name: str, key: str) -> TextCorpus:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["neuroep"])
        tensors = {tensor: file.get_tensor(tensor) for tensor in file.keys()}  # noqa: SIM118
    sequences = tuple(about["sequences"])
    if about.pop("seal") != _seal(about):
        raise ValueError("its page differs from its hash")
    splits = {}
    for split in about["splits"]:
        tokens = {s: Ragged(tensors[f"{split}.{s}.ids"], tensors[f"{split}.{s}.offsets"]) for s in sequences}
        splits[split] = Split(tokens, tensors[f"{split}.labels"])
    words = tuple(tensors["words"].tobytes().decode().split("\n"))
    coverage = {split: Coverage(*counts) for split, counts in about["coverage"].items()}
    classes, vectors, fingerprint = tuple(about["classes"]), tensors["vectors"], about["fingerprint"]
    corpus = TextCorpus(name, sequences, classes, words, vectors, splits, fingerprint, coverage)
    _check(corpus)
    if about["key"] != key or content_hash(corpus) != corpus.fingerprint:
        raise ValueError("its contents differ from their hash")
    return corpus


def _check(corpus: TextCorpus) -> None:
    """Refuse arrays that do not fit together: whoever can write a cache can write its hash as well."""
    vectors, words = corpus.vectors, len(corpus.words)
    if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != words or not np.isfinite(vectors).all():
        raise ValueError("its vectors do not fit its words")
    for split in corpus.splits.values():
        if split.labels.dtype != np.int64 or not _within(split.labels, len(corpus.classes)):
            raise ValueError("its labels do not fit its classes")
        for ragged in split.tokens.values():
            ids, offsets = ragged.ids, ragged.offsets
            fits = ids.dtype == np.int32 and offsets.dtype == np.int64 and ids.ndim == offsets.ndim == 1
            if not (fits and _within(ids, words) and offsets[0] == 0 and offsets[-1] == len(ids)):
                raise ValueError("its tokens do not fit its words")
            if (np.diff(offsets) < 0).any():
                raise ValueError("its samples overlap")


def _within(numbers: np.ndarray, count: int) -> bool:
    return numbers.ndim == 1 and (not len(numbers) or bool(0 <= numbers.min() <= numbers.max() < count))


def _seal(about: Mapping[str, object]) -> str:
    return hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16).hexdigest()


def store(folder: Path, key: str, corpus: TextCorpus) -> None:
    """Write a set: under a temporary name first, then moved to its own.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    from safetensors.numpy import save

    about: dict[str, object] = {"key": key, "fingerprint": corpus.fingerprint, "sequences": corpus.sequences}
    about |= {"classes": corpus.classes, "splits": list(corpus.splits), "coverage": corpus.coverage}
    metadata = {"neuroep": json.dumps({**about, "seal": _seal(about)})}
    path = path_of(folder, corpus.name, key)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replaced(path, shared=True) as partial:
            partial.write_bytes(save(_tensors(corpus), metadata))
    except OSError as error:
        raise DataError(f"cache folder '{folder}' cannot be written: {error.strerror or error}") from error


def _tensors(corpus: TextCorpus) -> dict[str, np.ndarray]:
    words = np.frombuffer("\n".join(corpus.words).encode(), dtype=np.uint8)
    tensors = {"vectors": corpus.vectors, "words": words}
    for name, split in corpus.splits.items():
        tensors[f"{name}.labels"] = split.labels
        for sequence, ragged in split.tokens.items():
            tensors[f"{name}.{sequence}.ids"] = ragged.ids.astype(np.int32, copy=False)
            tensors[f"{name}.{sequence}.offsets"] = ragged.offsets
    return tensors
