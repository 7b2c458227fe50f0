# Tested by tests/neuroep/data/test_tables.py.
"""Tables in text formats, read line by line: CSV, tab-separated values, JSON.

The standard library's readers say in which line a fault is, and know no longest text.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hw_models.reading import Page
from neuroep.data.columns import TableFault, Wanted, column_of, places_of, texts_of
from neuroep.data.folders import format_of, is_compressed

if TYPE_CHECKING:
    import pyarrow

Columns = Mapping[str, "pyarrow.ChunkedArray"]

MARK = "\ufeff".encode()
"""Byte-order mark, which some editors put before UTF-8."""
_SEPARATORS = {
    ",": ("commas", "name it .csv"),
    "\t": ("tabs", "name it .tsv"),
    ";": ("semicolons", "save it with commas"),
}
"""Signs between columns: what they are called, and what to do about a file that has them."""
_LONGEST = 2**31 - 1
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ABSENT = frozenset({"", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None"})


def _lines(file: Path) -> Iterator[str]:
    """Read a text file line by line, line ends included."""
    with gzip.open(file) if is_compressed(file) else file.open("rb") as opened:
        for number, raw in enumerate(opened, 1):
            line = raw.removeprefix(MARK) if number == 1 else raw
            try:
                text = line.decode()
            except UnicodeDecodeError:
                raise TableFault(f"line {number} is no UTF-8 text") from None
            if "\0" in text:
                raise TableFault(f"line {number} holds a NUL byte: a text is needed, in UTF-8")
            yield text


def read_csv(file: Path, wanted: Wanted) -> Columns:
    """Read comma-separated values; a field in quotes may hold commas, line ends and doubled quotes."""
    with _long_texts():
        reader = csv.reader((part for line in _lines(file) for part in _parts(line)), strict=True)
        try:
            return _of_rows(file, ((reader.line_num, row) for row in reader), wanted)
        except csv.Error as error:
            raise TableFault(f"line {reader.line_num}: {error}") from None


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


def read_tsv(file: Path, wanted: Wanted) -> Columns:
    """Read tab-separated values, which know no quoting: a quotation mark is a letter of the text."""
    rows = (line.removesuffix("\n").removesuffix("\r").split("\t") for line in _lines(file))
    return _of_rows(file, enumerate(rows, 1), wanted)


def _of_rows(file: Path, numbered: Iterator[tuple[int, list[str]]], wanted: Wanted) -> Columns:
    """Return columns of rows, the first of which names them; blank lines are passed over."""
    rows = ((number, row) for number, row in numbered if len(row) > 1 or (row and row[0].strip()))
    _, header = next(rows, (0, []))
    if not header:
        raise TableFault("it is empty")
    _check_separator(file, header, wanted)
    places = places_of(file, header, wanted)
    columns: list[list[str]] = [[] for _ in places]
    targets = list(zip(columns, places.values(), strict=True))
    for number, row in rows:
        if len(row) != len(header):
            raise TableFault(f"line {number} has {len(row)} columns, the header has {len(header)}")
        for column, place in targets:
            column.append(row[place])
    *first, (label, labels) = zip(places, columns, strict=True)
    return {name: texts_of(values) for name, values in first} | {label: column_of(label, _typed(labels))}


def _check_separator(file: Path, header: list[str], wanted: Wanted) -> None:
    """Refuse a table whose header holds the columns, but between other signs than its name says."""
    for sign, (name, ending) in _SEPARATORS.items():
        names = {part.strip().strip('"') for part in header[0].split(sign)} if len(header) == 1 else set()
        if len(names) > 1 and any({column, wanted.others.get(column)} & names for column in wanted.columns):
            named = ".tsv" if ".tsv" in map(str.lower, file.suffixes) else ".csv"
            wants = _SEPARATORS["\t" if named == ".tsv" else ","][0]
            raise TableFault(f"it is separated by {name}, and is named {named}, which needs {wants}; {ending}")


def _typed(values: list[str]) -> list[object]:
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
    # A name may be NA or None, but nan is what programs write where there is no label.
    return [None if value in ("nan", "NaN") else held for value, held in zip(plain, values, strict=True)]


def read_json(file: Path, wanted: Wanted) -> Columns:
    """Read one object per line, or, in a file named ``.json``, a list of them or one after the other."""
    names = {*wanted.columns, *wanted.others.values()}

    def once(pairs: list[tuple[str, object]]) -> Page:
        found = dict(pairs)
        if len(found) < len(pairs):
            given = [name for name, _ in pairs]
            for name in names:
                if given.count(name) > 1:
                    raise TableFault(f"an object has '{name}' {given.count(name)} times: which one is meant?")
        return found

    decoder = json.JSONDecoder(object_pairs_hook=once)
    objects = (_objects_of_lines if format_of(file) == ".jsonl" else _objects)(_lines(file), decoder)
    keys: dict[str, None] = {}
    found: list[tuple[object, ...]] = []
    chosen: list[str] = []
    for where, held in objects:
        if not isinstance(held, dict):
            raise TableFault(f"{where} holds a {type(held).__name__}: an object with names and values is needed")
        keys.update(dict.fromkeys(held))
        if not chosen:
            chosen = [n if n in held or wanted.others.get(n) not in held else wanted.others[n] for n in wanted.columns]
        found.append(tuple(map(held.get, chosen)))
    if not found:
        raise TableFault("it is empty")
    places_of(file, list(keys), wanted)
    columns = zip(wanted.columns, zip(*found, strict=True), strict=True)
    return {name: column_of(name, list(values)) for name, values in columns}


def _objects_of_lines(lines: Iterator[str], decoder: json.JSONDecoder) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield f"line {number}", decoder.decode(line)
            except TableFault as error:
                raise TableFault(f"line {number}: {error}") from None
            except ValueError as error:
                reason = getattr(error, "msg", "a number has too many digits")
                raise TableFault(f"line {number} is no JSON: {reason}") from None


def _objects(lines: Iterator[str], decoder: json.JSONDecoder) -> Iterator[tuple[str, object]]:
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
        raise TableFault(f"line {error.lineno} is no JSON: {error.msg}") from None
    except TableFault:
        raise
    except ValueError:
        raise TableFault("it is no JSON: a number has too many digits") from None


def _after_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place
