# Tested by tests/analysis/sweep/test_ledger.py
"""Lines of a sweep's ledger, read and checked: one record of a trial each, sealed as it was written.

Every line and the page ``sweep.json`` have a digest and the sweep's name (:mod:`neuroep.runs.seals`). What is damaged,
was edited or comes from another sweep is refused with one line that names the file and the number of the line; only
what a kill can leave is dropped: the last line where it has no end, or is nothing but NUL bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

from hw_models.reading import Entries, Page, parse_json
from hw_models.whole_files import opened
from neuroep.errors import ConfigError
from neuroep.runs import seals
from neuroep.runs.config import CHIP


def read_records(path: Path, fields: Iterable[str] = (), sweep: str | None = None) -> list[Page]:
    """Return the records of a ledger in order, a torn last one left out; each has the varied fields.

    Parameters
    ----------
    path : Path
        ``trials.jsonl``; what is not there has no records.
    fields : iterable of str
        Varied fields.
    sweep : str, optional
        Name of the sweep to which the lines must belong, that of its page; unset does not ask.

    Raises
    ------
    ConfigError
        If a line is no record, is damaged, was changed, belongs to another sweep, or contradicts an earlier one.
    """
    return _parsed(path, fields, sweep)[0]


def mended(path: Path, fields: Iterable[str], sweep: str | None) -> list[Page]:
    """Read a ledger as :func:`read_records` does and cut a torn last line off."""
    records, good = _parsed(path, fields, sweep)
    if path.is_file() and path.stat().st_size > good:
        with opened(path, "r+b") as file:
            file.truncate(good)
            os.fsync(file.fileno())
    return records


def place(values: Entries, seed: int) -> str:
    """Return what tells a row of the table: two trials there would be counted as two seeds."""
    return json.dumps([sorted(values.items()), seed])


def settled(values: Entries, seed: int) -> str:
    """Return what an id stands for: values and seed, but not what a whole chip is called; no result depends on it."""
    return place({name: value for name, value in values.items() if name != CHIP}, seed)


def _parsed(path: Path, fields: Iterable[str], sweep: str | None) -> tuple[list[Page], int]:
    """Return the records and the bytes they take; what a kill tore is at most one line, the last."""
    text = path.read_bytes() if path.is_file() else b""
    *lines, _ = text.split(b"\n")
    records: list[Page] = []
    ids: dict[str, tuple[str, int]] = {}
    places: dict[str, tuple[str, int]] = {}
    good = 0
    for number, line in enumerate(lines, 1):
        if number == len(lines) and line and not line.strip(b"\0"):
            break  # blocks that the file system had made room for when the power failed
        try:
            record = parse_json(line)
        except ValueError:
            record = None
        fault = _fault(record, fields, sweep)
        if fault:
            raise ConfigError(f"{path}: line {number} {fault}")
        here = place(record["values"], record["seed"])
        stands_for = settled(record["values"], record["seed"])
        was, first = ids.setdefault(record["id"], (stands_for, number))
        if was != stands_for:
            raise ConfigError(f"{path}: line {number} has other values or another seed than line {first} of its id")
        one, first = places.setdefault(here, (record["id"], number))
        if one != record["id"]:
            raise ConfigError(f"{path}: line {number} has another id than line {first} of its values and seed")
        records.append(seals.opened(record))
        good += len(line) + 1
    return records, good


def _fault(record: object, fields: Iterable[str], sweep: str | None) -> str:
    """Return what is wrong with the value of a line, empty if nothing is."""
    if not _is_record(record):
        return "is no record of a trial: it is damaged or was changed by hand"
    for name in fields:
        if name not in record["values"]:
            return f"has no '{name}', which the sweep varies"
    fault = seals.fault(record, record.get(seals.RUN, "") if sweep is None else sweep)
    if fault:
        return fault.replace("another run", "another sweep")
    result = record.get("result")
    if result is not None and not _is_share(result.get("accuracy")):
        return f"has accuracy = {result.get('accuracy')!r}: allowed are shares from 0 to 1"
    return ""


def _is_record(record: object) -> TypeGuard[Page]:
    if not isinstance(record, dict) or not {"id", "values", "seed"} <= record.keys():
        return False
    kinds = {"id": str, "values": dict, "seed": int, "result": dict | None, "error": str | None}
    if not all(isinstance(record.get(name), kind) for name, kind in kinds.items()):  # type: ignore[arg-type]
        return False
    return (record.get("result") or record.get("error")) is not None


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
