"""The record of a sweep: one line of JSON for each finished trial, which a kill cannot break.

    sweep.json      what is swept: mode, settings, weights, fields, and the designs asked for so far
    trials.jsonl    one line per finished trial, flushed to the disk before the next is counted; the last line of a
                    trial counts
    lock            held while a sweep writes here; the system frees it however the process ends
                    (:mod:`neuroep.runs.locks`)

A line has ``id``, ``values``, ``seed``, ``result`` or ``error``, ``seconds``, ``attempt``, ``worker``, ``finished``;
the page and every line are sealed (:mod:`neuroep.runs.seals`), what reads them is in :mod:`analysis.sweep.records`.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from analysis.sweep.records import mended
from hw_models.chip.description import PERFECT
from hw_models.reading import Entries, Page, read_json
from hw_models.whole_files import opened, write_text
from neuroep.errors import ConfigError
from neuroep.runs import seals
from neuroep.runs.directory import as_json, plain
from neuroep.runs.folders import absence
from neuroep.runs.locks import take

KINDS = {"settings": dict, "given": dict, "chips": dict, "recipe": dict, "fields": list, "designs": list}
"""Entries of the page, and what they are."""
OPEN = {"planned": None, "done": False}
"""Entries of a design that tell how far it is."""
PLAIN: Page = {"given": {}, "chips": {}, "recipe": {}}
"""Entries that only some sweeps need: those over whole chips, and those with a recipe."""
SWEEP, TRIALS, LOCK, RUN = "sweep.json", "trials.jsonl", "lock", "run"
FORMAT = 1
"""Version of the directory's layout."""
LAST = ("overrides", "recipe", "chip")
"""Entries of the page that are those of the last that was asked for: what differs in them acts on no trial."""
SAME = ("mode", "split", "samples", "checkpoint", "data", "version")
"""Entries of the page that the same sweep shares, beside fields and settings."""


class Ledger:
    """The directory of one sweep, open for writing; a context manager that holds the lock.

    Parameters
    ----------
    path : str or Path
        New, empty, or the directory of the same sweep.
    page : mapping
        What is swept: ``mode``, ``fields``, ``settings``, and so on. The same sweep has the same, settings that are
        varied and ``source`` left out.

    Raises
    ------
    ConfigError
        If the directory holds something else or another sweep, is being written, or cannot be written.
    """

    def __init__(self, path: str | Path, page: Entries) -> None:
        self.path = Path(path)
        self._page = {**PLAIN, **page}
        self._lock: IO[str] | None = None
        self._file: IO[str] | None = None
        self._name = ""
        self.records: dict[str, Page] = {}
        """Last line of each trial, by id."""
        self.written: set[str] = set()
        """Trials of which a line was added since it is open."""

    def __enter__(self) -> Ledger:
        check(self.path, self._page)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = take(self.path / LOCK, "sweep")
            check(self.path, self._page)
            self._name = read_name(self.path) or seals.of_page(plain(self._page))
            lines = mended(self.path / TRIALS, self._page["fields"], self._name)
            self.records = {record["id"]: record for record in lines}
            self._file = opened(self.path / TRIALS, "a")
        except OSError as error:
            self.close()
            raise ConfigError(f"sweep directory '{self.path}' cannot be written: {error.strerror or error}") from None
        except ConfigError:
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the lock."""
        for file in (self._file, self._lock):
            if file is not None:
                file.close()
        self._file = self._lock = None

    def begin(self, design: Entries, planned: int | None = None) -> None:
        """Write down what is swept, and a design: asked for, not yet done, with the trials it has at least."""
        self._write(design, planned, done=False)

    def finish(self, design: Entries, planned: int) -> None:
        """Write down that all trials of a design are there."""
        self._write(design, planned, done=True)

    @property
    def stopped(self) -> list[Page]:
        """Designs asked for whose trials are not known to be all there."""
        return [one for one in (read_page(self.path) or {"designs": []})["designs"] if not one.get("done", True)]

    def _write(self, design: Entries, planned: int | None, done: bool) -> None:
        held = read_page(self.path)
        page = held or {"format": FORMAT, **self._page, "designs": []}
        page["chips"] = {**page["chips"], **self._page["chips"]}
        page |= {name: self._page[name] for name in LAST if name in self._page}
        others = [one for one in page["designs"] if {**one, **OPEN} != {**design, **OPEN}]
        page["designs"] = [*others, {**design, "planned": planned, "done": done}]
        self._save(page)

    def settle(self, design: Entries) -> None:
        """Write down that the trials of a stopped design are all there, as those of others; its place stays."""
        page = read_page(self.path)
        if page is not None:
            page["designs"] = [one | {"done": True} if one == design else one for one in page["designs"]]
            self._save(page)

    def _save(self, page: Entries) -> None:
        """Write the page, sealed."""
        write_text(self.path / SWEEP, as_json(seals.sealed(plain(page), self._name), indent=1) + "\n")

    @property
    def fields(self) -> list[str]:
        """Varied fields, in the order in which the sweep was first asked for."""
        page = read_page(self.path) or self._page
        return list(page["fields"])

    def append(self, record: Entries) -> Page:
        """Add one line, on the disk when this returns."""
        if self._file is None:
            raise ValueError("the ledger is not open")
        whole = plain({**record, "finished": datetime.now(UTC).isoformat(timespec="seconds")})
        line = as_json(seals.sealed(whole, self._name))
        self._file.write(line + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        found: Page = seals.opened(json.loads(line))
        self.records[found["id"]] = found
        self.written.add(found["id"])
        return found


def check(path: Path, page: Entries) -> None:
    """Refuse a directory that is not free and not that of the same sweep.

    Raises
    ------
    ConfigError
        Naming the first thing that differs, and both values.
    """
    if path.exists() and not path.is_dir():
        raise ConfigError(f"output '{path}' {absence(path)}: a new or empty directory is needed")
    held = read_page(path)
    if held is None:
        if path.is_dir() and not all(_left(entry) for entry in path.iterdir()):
            raise ConfigError(f"output directory '{path}' is not empty and holds no sweep: choose a new or empty one")
        return
    page = {**PLAIN, **page}
    fields = tuple(page["fields"])
    here, there = _compared(page, fields), _compared(held, fields)
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            values = f"it has {_shown(there.get(name))}, this one {_shown(here.get(name))}"
            raise ConfigError(f"'{path}' holds another sweep: {name} differs: {values}; choose another directory")
    for name, found in page["chips"].items():
        if _acting(held["chips"].get(name, found)) != _acting(found):
            raise ConfigError(f"'{path}' holds another sweep: chip '{name}' was another then; choose another directory")


def _acting(chip: Entries) -> Page:
    """Return what a chip does, whatever it is called."""
    return {name: value for name, value in chip.items() if name not in PERFECT}


def _left(entry: Path) -> bool:
    """Tell what a kill before the page was written may leave."""
    empty = entry.name == TRIALS and entry.is_file() and not entry.stat().st_size
    return entry.name == LOCK or entry.name.startswith(".") or empty


def read_page(path: Path) -> Page | None:
    """Return ``sweep.json``, None where there is none.

    Raises
    ------
    ConfigError
        If it is damaged, was changed by hand, or is of another version.
    """
    page = _sealed_page(path)
    return None if page is None else {**PLAIN, **seals.opened(page)}


def read_name(path: Path) -> str | None:
    """Return the name of a sweep, which its page and all lines of its ledger have; raises as :func:`read_page`."""
    page = _sealed_page(path)
    return None if page is None else str(page[seals.RUN])


def _sealed_page(path: Path) -> Page | None:
    """Return the page as it was written, its seal looked at."""
    file = path / SWEEP
    try:
        page = {**read_json(file)}
        version = page["format"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"'{file}' cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"'{file}' is damaged: it is no page of a sweep") from None
    if version != FORMAT:
        raise ConfigError(f"'{file}' has format {version}: this version reads {FORMAT}")
    for name, kind in KINDS.items():
        if not isinstance({**PLAIN, **page}.get(name), kind):
            raise ConfigError(f"'{file}' is damaged: '{name}' should be a {kind.__name__}")
    if seals.SEAL not in page or seals.RUN not in page:
        raise ConfigError(f"'{file}' is damaged: it has no seal, as those of earlier versions; sweep into a new folder")
    if fault := seals.fault(page, page[seals.RUN]):
        raise ConfigError(f"'{file}' {fault}; its trials can no longer be told: sweep into a new folder")
    return page


def _compared(page: Entries, fields: tuple[str, ...]) -> Page:
    """Return what must be the same: settings that are varied do not count."""
    tables = tuple(f"{field}." for field in fields)
    fixed = {
        name: value for name, value in page["settings"].items() if name not in fields and not name.startswith(tables)
    }
    fixed |= page["given"]
    return {"fields": sorted(page["fields"]), **{name: page.get(name) for name in SAME}, **fixed}


def _shown(value: object) -> str:
    return "none" if value is None else repr(value)
