# Tested by tests/neuroep/data/test_vectors.py.
"""Word vectors in word2vec's two formats and GloVe's: words and numbers, nothing else.

    text      [COUNT DIM]            a header, which GloVe's files do not have
              word x x x ... x       DIM numbers in decimal digits; the word may hold blanks
    binary    COUNT DIM              a header, then for each word its bytes, a blank, DIM float32 of little end

A word that comes again keeps its first vector.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neuroep.errors import DataError

_OPENERS: Mapping[str, Callable[[Path], BufferedIOBase]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_MARK = "\ufeff".encode()
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_HEAD, _CHUNK, _LONGEST_WORD, _LONGEST_LINE = 1 << 18, 1 << 22, 1 << 16, 1 << 26
_CONTROLS = bytes(sorted({*range(32), 127} - set(b"\t\n\r\v\f")))
_ALLOWED = "word2vec binary, word2vec text, GloVe text, .kv"


class Words(NamedTuple):
    """What a file holds."""

    rows: dict[str, int]
    """Row of each word."""
    table: np.ndarray
    """(words, dim) float32."""
    repeated: int
    """Rows left out because their word came before."""


class _Form(NamedTuple):
    binary: bool
    words: int | None
    """By the header; None without one."""
    dim: int


class WordFileFault(ValueError):
    """What is wrong with a file, without its name."""


def read_words(path: Path) -> Words:
    """Read a file of words and numbers; its format is found from its contents.

    Parameters
    ----------
    path : pathlib.Path
        May be compressed, ``.gz``, ``.bz2`` or ``.xz``.

    Raises
    ------
    DataError
        If the format is none of the three, or the header says other sizes than the file has; a fault of a text names
        its line.
    OSError, EOFError, lzma.LZMAError, zlib.error
        If it cannot be read or decompressed.
    """
    try:
        with _opened(path) as file:
            head = file.read(_HEAD)
            head += b"" if b"\n" in head else file.readline(_LONGEST_LINE)
        form = _form(head)
        with _opened(path) as file:
            if not form.binary:
                return _read_text(file, form)
            _check_size(path, form)
            return _read_binary(file, form)
    except WordFileFault as error:
        raise DataError(f"vectors '{path}' cannot be read: {error}") from None


def _opened(path: Path) -> BufferedIOBase:
    opener = _OPENERS.get(path.suffix.lower())
    return path.open("rb") if opener is None else opener(path)


def _form(head: bytes) -> _Form:
    """Tell the format from the first lines."""
    if head.startswith(_WIDE):
        raise WordFileFault("it is UTF-16 text: save it as UTF-8")
    head = head.removeprefix(_MARK)
    text = head.lstrip()
    first, _, rest = text.partition(b"\n")
    fields = first.split()
    if len(fields) == 2 and all(field.isdigit() and len(field) < 19 for field in fields):
        count, dim = (int(field) for field in fields)
        if dim == 0 or count == 0:
            raise WordFileFault(f"header says {count} words of dimension {dim}: both must be at least 1")
        second = rest.lstrip().partition(b"\n")[0]
        return _Form(not (_numbers(second) == dim or _is_text(head)), count, dim)
    lines = head.split(b"\n")
    dim = _dimension(lines[:-1] if len(head) >= _HEAD else lines)
    if not dim or _has_controls(first):
        commas = b"," in first and _numbers(first.replace(b",", b" "))
        reason = "is separated by commas: blanks or tabs are needed" if commas else "is of no known format"
        raise WordFileFault(f"its first line {reason}; allowed are {_ALLOWED}")
    return _Form(False, None, dim)


def _dimension(lines: list[bytes]) -> int:
    """Return how many numbers most lines have behind one word, of as many the first; 0 without any.

    Lines whose word has blanks, or is one, do not count where others are: what of them is a number is not certain.
    """
    fields = [line.split() for line in lines]
    counts = [_numbers(line) for line in lines]
    indented = [line[:1] in (b" ", b"\t") for line in lines]
    rows = list(zip(counts, fields, indented, strict=True))
    bare = [not fields or (inside and _is_number(fields[0])) for _, fields, inside in rows]
    clean = [n for (n, fields, _), bare in zip(rows, bare, strict=True) if n and not bare and n == len(fields) - 1]
    lengths = Counter(clean or [n for n in counts if n])
    # Counter keeps the order in which values came, and so does max.
    return max(lengths, key=lambda n: lengths[n], default=0)


def _numbers(line: bytes) -> int:
    """Return how many numbers stand at the end of a line, behind at least one word."""
    fields = line.split()
    count = 0
    for field in reversed(fields[1:]):
        if not _is_number(field):
            break
        count += 1
    return count


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field


def _is_text(head: bytes) -> bool:
    """Tell whether bytes are text, by the control characters that float32 numbers have among their bytes."""
    if _has_controls(head):
        return False
    try:
        # The last letter may be cut.
        head[:-3].decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_controls(line: bytes) -> bool:
    return len(line.translate(None, _CONTROLS)) < len(line)


def _read_text(file: BufferedIOBase, form: _Form) -> Words:
    rows: dict[str, int] = {}
    values = array("f")
    count = repeated = 0
    for number, line, fields in _rows(file, form):
        count += 1
        if form.words is not None and count > form.words:
            raise WordFileFault(f"line {number} is one more than the {form.words} words of its header")
        start = len(fields) - form.dim
        try:
            vector = [float(field) for field in fields[max(start, 0) :]]
        except ValueError:
            vector = []
        clean = b"_" not in line or all(b"_" not in field for field in fields[start:])
        if start < 1 or not vector or not clean or (start > 1 and _is_number(fields[start - 1])):
            raise WordFileFault(f"line {number} {_complaint(fields, form.dim)}")
        word = b" ".join(fields[:start]).decode(errors="replace")
        if rows.setdefault(word, len(rows)) * form.dim == len(values):
            values.extend(vector)
        else:
            repeated += 1
    if form.words is not None and count < form.words:
        raise WordFileFault(f"it is truncated: its header says {form.words} words, it has {count}")
    return Words(rows, np.frombuffer(values, dtype=np.float32).reshape(len(rows), form.dim), repeated)


def _complaint(fields: list[bytes], dim: int) -> str:
    """Say what is wrong with a line."""
    if len(fields) == dim + 1:
        odd = next(field for field in fields[1:] if not _is_number(field))
        return f"holds '{odd.decode(errors='replace')}' where a number is needed"
    return f"holds {_numbers(b' '.join(fields))} numbers after its word, not {dim}"


def _rows(file: BufferedIOBase, form: _Form) -> Iterator[tuple[int, bytes, list[bytes]]]:
    """Return number, text and fields of each line behind the header; blank lines are passed over.

    A line that begins with a blank, and has no more than its numbers, has a blank for its word, as some files do.
    """
    header = form.words is not None
    for number, raw in enumerate(file, 1):
        line = raw.removeprefix(_MARK) if number == 1 else raw
        fields = line.split()
        if not fields:
            continue
        if b"\r" in line.rstrip():
            raise WordFileFault(f"line {number} holds a carriage return: lines should end in a line feed")
        if not header:
            blank = len(fields) == form.dim and line[:1] in (b" ", b"\t")
            yield number, line, [b"", *fields] if blank else fields
        header = False


def _check_size(path: Path, form: _Form) -> None:
    """Refuse a header beyond the file before memory is taken for it."""
    least = form.words * (4 * form.dim + 1)  # type: ignore[operator]
    held = path.stat().st_size
    if path.suffix.lower() not in _OPENERS and held < least:
        raise WordFileFault(
            f"it is truncated: its header says {form.words} words of dimension {form.dim}, it has {held} bytes"
        )


def _read_binary(file: BufferedIOBase, form: _Form) -> Words:
    count, dim = int(form.words or 0), form.dim
    width = 4 * dim
    try:
        table = np.empty((count, dim), dtype="<f4")
    except (MemoryError, ValueError):
        raise WordFileFault(f"its header says {count} words of dimension {dim}: too many for this machine") from None
    rows: dict[str, int] = {}
    buffer = _after_header(file)
    place = repeated = 0
    for number in range(1, count + 1):
        while (end := buffer.find(b" ", place)) < 0 or len(buffer) < end + 1 + width:
            if end < 0 and len(buffer) - place > _LONGEST_WORD:
                raise WordFileFault(f"word {number} has more than {_LONGEST_WORD} letters")
            more = file.read(max(_CHUNK, width))
            if not more:
                raise WordFileFault(f"it is truncated: it ends in word {number} of the {count} its header says")
            buffer, place = buffer[place:] + more, 0
        word = buffer[place:end].lstrip(b"\r\n").decode(errors="replace")
        row = rows.setdefault(word, len(rows))
        if row == number - 1 - repeated:
            table[row] = np.frombuffer(buffer, "<f4", dim, end + 1)
        else:
            repeated += 1
        place = end + 1 + width
    if (buffer[place:] + file.read(_CHUNK)).strip():
        raise WordFileFault(f"bytes follow the {count} words that its header says")
    return Words(rows, table[: len(rows)], repeated)


def _after_header(file: BufferedIOBase) -> bytes:
    """Return the first bytes behind the header."""
    head = file.read(_HEAD).removeprefix(_MARK).lstrip()
    return head.partition(b"\n")[2]
