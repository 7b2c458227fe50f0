"""Word vectors through gensim: word2vec binary and text, GloVe text, ``.kv``, and names gensim can fetch.

A ``.kv`` file is gensim's own format and holds a Python pickle: load only files you trust. The other formats hold
nothing but words and numbers.
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
from typing import Any, NamedTuple

import numpy as np

from neuroep.errors import DataError

_SUFFIXES = (".kv", ".bin", ".txt", ".vec", ".gz", ".bz2", ".xz")
_HEAD_BYTES = 1 << 16
_CHECK_ROWS = 100_000


class WordVectors(NamedTuple):
    """A table of word vectors as read from a file."""

    rows: Mapping[str, int]
    """Row of each word."""
    table: np.ndarray
    """(words, dim), finite."""


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
    path = Path(vectors).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise DataError(f"vectors '{vectors}' is a folder: a file of word vectors is needed")
    text = str(vectors)
    if os.sep in text or "/" in text or path.suffix in _SUFFIXES:
        raise DataError(f"vectors '{vectors}': no such file")
    return _download(text)


def fingerprint(path: Path) -> str:
    """Return the hash of a file of word vectors and of the arrays gensim may have put beside it."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (path, *sorted(path.parent.glob(f"{glob.escape(path.name)}.*.npy"))):
        with part.open("rb") as file:
            digest.update(hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest())
    return digest.hexdigest()


def read(path: Path) -> WordVectors:
    """Read a file of word vectors; its format is found from its contents.

    Parameters
    ----------
    path : pathlib.Path
        ``.kv`` (must be trusted, see above), word2vec binary or text, or GloVe text without a header; all but ``.kv``
        may be compressed (``.gz``, ``.bz2``, ``.xz``).

    Raises
    ------
    DataError
        If the file is missing, truncated, of another format, empty, of dimension zero, or holds a value which is not
        finite.
    """
    try:
        keyed = _read_keyed(path)
    except DataError:
        raise
    except Exception as error:  # gensim and the decompressors raise almost anything on damaged files
        raise DataError(f"vectors '{path}' cannot be read: {one_line(error)}") from error
    return _checked(path, keyed)


def _read_keyed(path: Path) -> Any:
    from gensim.models import KeyedVectors

    if path.suffix == ".kv":
        keyed = KeyedVectors.load(str(path))
        if not isinstance(keyed, KeyedVectors):
            raise DataError(f"vectors '{path}' holds {type(keyed).__name__}: gensim KeyedVectors are needed")
        return keyed
    with quiet("gensim"):
        settings = _format(path)
        return KeyedVectors.load_word2vec_format(str(path), unicode_errors="replace", **settings)


def _format(path: Path) -> dict[str, bool]:
    """Return gensim's settings for a file, told from its first two lines."""
    from gensim.utils import open as open_any

    with open_any(str(path), "rb") as file:
        head = file.read(_HEAD_BYTES)
    first, _, rest = head.partition(b"\n")
    fields = first.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        words, dim = (int(field) for field in fields)
        if dim == 0 or words == 0:
            raise DataError(f"vectors '{path}': header says {words} words of dimension {dim}: both must be at least 1")
        return {"binary": not _is_text_line(rest.partition(b"\n")[0], dim)}
    if len(fields) >= 2 and _is_text_line(first, len(fields) - 1):
        return {"binary": False, "no_header": True}
    allowed = "word2vec binary, word2vec text, GloVe text, .kv"
    raise DataError(f"vectors '{path}' cannot be read: its first line is of no known format; allowed are {allowed}")


def _is_text_line(line: bytes, dim: int) -> bool:
    """Tell whether a line is a word followed by ``dim`` numbers in decimal digits."""
    fields = line.split()
    if len(fields) != dim + 1:
        return False
    try:
        for field in fields[1:]:
            float(field)
    except ValueError:
        return False
    return True


def _checked(path: Path, keyed: Any) -> WordVectors:
    table, rows = keyed.vectors, keyed.key_to_index
    if table.ndim != 2 or not len(rows) or len(table) < len(rows) or table.shape[1] == 0:
        raise DataError(f"vectors '{path}' hold {len(rows)} words, table of shape {table.shape}: none may be zero")
    for start in range(0, len(table), _CHECK_ROWS):
        finite = np.isfinite(table[start : start + _CHECK_ROWS]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise DataError(f"vectors '{path}': the vector of '{keyed.index_to_key[row]}' has NaN or infinite values")
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
