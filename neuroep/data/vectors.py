"""Word vectors: word2vec binary and text, GloVe text, gensim's ``.kv``, and names gensim can fetch.

A ``.kv`` file holds a Python pickle. It is read without running what is in it (:mod:`neuroep.data.keyed_files`); the
other formats hold nothing but words and numbers (:mod:`neuroep.data.word_files`).
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import io
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neuroep.data.keyed_files import read_keyed
from neuroep.data.places import located
from neuroep.data.word_files import read_words
from neuroep.errors import DataError

PICKLED = ".kv"
"""End of the name of a file that holds a pickle."""
_SUFFIXES = (PICKLED, ".bin", ".txt", ".vec", ".gz", ".bz2", ".xz")
_CHECK_ROWS = 100_000

_log = logging.getLogger(__name__)


class WordVectors(NamedTuple):
    """A table of word vectors as read from a file."""

    rows: Mapping[str, int]
    """Row of each word."""
    table: np.ndarray
    """(words, dim) float32, finite."""


def locate(vectors: str | os.PathLike[str]) -> Path:
    """Find the file of word vectors, fetching it with gensim's downloader where no such file exists.

    Parameters
    ----------
    vectors : str or path
        A file, or a name of gensim's downloader such as ``"word2vec-google-news-300"``.

    Raises
    ------
    DataError
        If there is no such file and no download of that name.
    """
    path = located(vectors, "vectors")
    if path.is_file():
        return path
    if path.is_dir():
        raise DataError(f"vectors '{vectors}' is a folder: a file of word vectors is needed")
    text = str(vectors)
    if os.sep in text or "/" in text or path.suffix.lower() in _SUFFIXES:
        raise DataError(f"vectors '{vectors}': no such file")
    return _download(text)


def fingerprint(path: str | os.PathLike[str]) -> str:
    """Return the hash of a file of word vectors and of the arrays gensim may have put beside it."""
    path, digest = located(path, "vectors"), hashlib.blake2b(digest_size=16)
    try:
        for part in (path, *sorted(path.parent.glob(f"{glob.escape(path.name)}.*.npy"))):
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest())
    except OSError as error:
        raise DataError(f"vectors '{path}' cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def read(path: str | os.PathLike[str]) -> WordVectors:
    """Read a file of word vectors; its format is found from its contents.

    Parameters
    ----------
    path : str or path
        ``.kv``, word2vec binary or text, or GloVe text without a header; all but ``.kv`` may be compressed (``.gz``,
        ``.bz2``, ``.xz``). Of a word that comes twice the first vector counts.

    Raises
    ------
    DataError
        If the file is missing, truncated, of another format, empty, of dimension zero, or holds a value which is not
        finite in float32.
    """
    path = located(path, "vectors")
    try:
        if path.suffix.lower() == PICKLED:
            rows, table = read_keyed(path)
        else:
            rows, table, repeated = read_words(path)
            if repeated:
                _log.warning("vectors '%s': %d rows repeat a word; the first vector of a word counts", path, repeated)
    except DataError:
        raise
    except Exception as error:  # pickles and the decompressors raise almost anything on damaged files
        raise DataError(f"vectors '{path}' cannot be read: {one_line(error)}") from error
    return _checked(path, rows, table)


def _checked(path: Path, rows: Mapping[str, int], table: np.ndarray) -> WordVectors:
    if table.ndim != 2 or not len(rows) or len(table) < len(rows) or table.shape[1] == 0:
        raise DataError(f"vectors '{path}' hold {len(rows)} words, table of shape {table.shape}: none may be zero")
    for start in range(0, len(table), _CHECK_ROWS):
        finite = np.isfinite(table[start : start + _CHECK_ROWS]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            word = next((word for word, place in rows.items() if place == row), f"row {row + 1}")
            raise DataError(f"vectors '{path}': the vector of '{word}' has NaN or infinite values")
    return WordVectors(rows, table)


def _download(name: str) -> Path:
    """Fetch vectors by their name in gensim's catalogue; what was fetched before is found without network."""
    import gensim.downloader

    try:
        with quiet("gensim"), contextlib.redirect_stdout(io.StringIO()):
            path = Path(gensim.downloader.load(name, return_path=True))
    except Exception as error:  # network, catalogue, checksum, disk: all mean the same to the user
        cause = f"gensim's downloader cannot fetch it ({one_line(error)})"
        raise DataError(f"vectors '{name}': no such file, and {cause}") from error
    if not path.is_file():
        raise DataError(f"vectors '{name}': its download at {path} is incomplete; remove that folder and try again")
    return path


def one_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


@contextlib.contextmanager
def quiet(name: str) -> Iterator[None]:
    """Keep a library's loggers, which inherit the level of the topmost one, silent for a while."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
