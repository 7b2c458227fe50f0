"""Tables of a sweep: one row per trial as Parquet, mean and spread by point.

    results.parquet   varied fields, seed, what was measured, counters, error, id; sorted, the same bytes whatever ran
                      the trials in whatever order
    timings.parquet   id, seconds, attempt, worker, time of each trial: what differs from run to run
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.sweep import ages
from analysis.sweep.ledger import RUN, SWEEP, TRIALS, read_name, read_page
from analysis.sweep.points import Point, points, present, rank, shown, unit_of
from analysis.sweep.records import read_records
from analysis.sweep.right import RIGHT
from analysis.sweep.stopping import asked
from analysis.sweep.unpriced import note
from hw_models.reading import Entries, Page
from hw_models.text import lined
from hw_models.whole_files import replaced
from neuroep.errors import ConfigError
from neuroep.runs import directory as runs
from neuroep.runs.bills import quantity
from neuroep.runs.tables import Tabular

if TYPE_CHECKING:
    import pyarrow

RESULTS, TIMINGS = "results.parquet", "timings.parquet"
MEASURED = ("accuracy", "loss")
"""First columns after the seed; the others follow by name."""
PRICED = {"energy": "J", "latency": "s", "area": "m^2", "update_energy": "J", "update_latency": "s"}
"""What a classification, or an update, takes, where the chips have constants of cost; and the units."""
TIMED = ("id", "seconds", "attempt", "worker", "finished")

Row = Page


@dataclass(frozen=True, repr=False)
class Sweep(Tabular):
    """A sweep as its directory holds it."""

    out: Path
    about: Entries
    """The page ``sweep.json``: mode, split, settings, designs."""
    rows: tuple[Row, ...]
    """One per trial, as in ``results.parquet``."""
    right: Entries = field(default_factory=dict, repr=False)
    """Which samples a trial predicted right, by its id (:mod:`analysis.sweep.right`); of earlier versions none."""

    def asked(self, design: str) -> Entries:
        """Return the last question of that design that the directory was given."""
        designs: list[Page] = self.about["designs"]
        return next(one for one in reversed(designs) if one["design"] == design)

    @property
    def fields(self) -> tuple[str, ...]:
        """Varied fields."""
        return tuple(self.about["fields"])

    @property
    def ideal(self) -> float | None:
        """Accuracy of the deployed weights without a chip, on the whole split, where their run has measured it."""
        found: float | None = self.about.get("ideal")
        if found is None and self.about["mode"] == "deploy" and (self.out / RUN).is_dir():
            found = ideal_accuracy(self.out / RUN, self.about["split"])
        return found

    @property
    def unfinished(self) -> str:
        """What is missing, empty where nothing is."""
        there, designs = len(self.rows), self.about["designs"]
        done = [one.get("done", True) for one in designs]
        # The same points asked for again, with more seeds or with fewer, take the place of what was stopped.
        open_ = [
            n for n, one in enumerate(designs)
            if not done[n] and not any(done[m] and same_points(designs[m], one) for m in range(n + 1, len(designs)))
        ]
        planned = [one.get("planned") or 0 for one in designs]
        missing = [planned[n] for n in range(len(designs)) if n in open_ or (done[n] and planned[n] > there)]
        if not missing:
            return ""
        known = f"{there} of {max(missing)} trials" if max(missing) > there else f"{there} trials so far"
        return f"unfinished: {known}; run the command that was stopped again"

    @property
    def failed(self) -> tuple[Row, ...]:
        """Rows of the trials that failed."""
        return tuple(row for row in self.rows if row["error"] is not None)

    @property
    def aged(self) -> list[str]:
        """At what age the devices were read, in lines."""
        return ages.told(self.about, self.rows)

    @property
    def means(self) -> list[Point]:
        """Points in the order of their values, each with the accuracies of its seeds."""
        rules = [asked(design) for design in self.about["designs"]]
        found = points(self.rows, self.fields) if self.rows else []
        counts = [len(point.accuracies) for point in found]
        wider = [max((rule.widening(count) for rule in rules), default=1.0) for count in counts]
        return [replace(point, wider=each) for point, each in zip(found, wider, strict=True)]

    def table(self) -> list[Page]:
        """Return a row for each trial, with the columns of ``results.parquet`` in their order."""
        names = columns(self.rows, self.fields)
        return [{name: row.get(name) for name in names} for row in self.rows]

    def summary(self) -> list[Page]:
        """Return a row for each point: mean accuracy, its spread over the seeds, their number, what it takes."""
        rows = []
        for point in self.means:
            found = _summary(point, self.fields)
            priced = {name: self._mean(point, name) for name in PRICED}
            known = {name: value for name, value in priced.items() if value is not None}
            rows.append(found.pop("values") | found | known)
        return rows

    def units(self) -> dict[str, str]:
        """Return the units of varied fields and of what a classification or an update takes."""
        return {name: unit for name in self.fields if (unit := unit_of(name))} | PRICED

    def caption(self) -> str:
        """Return how many trials there are and where, and what the numbers of a point are."""
        failed = f", {len(self.failed)} failed" if self.failed else ""
        head = f"sweep {self.out}: {_trials(self.rows)}{failed}; {self.about['mode']}, split {self.about['split']}"
        several = any(math.isfinite(point.std) for point in self.means)
        told = ["spread: standard deviation over the seeds; error: standard error of their mean"] if several else []
        return lined([head, *told, *self.aged, *([self.unfinished] if self.unfinished else [])])

    def as_dict(self) -> Page:
        """Return plain values."""
        means = [_summary(point, self.fields) for point in self.means]
        return {"about": dict(self.about), "means": means, "rows": list(self.rows)}

    def _priced(self, point: Point, name: str) -> str:
        """Return the mean of what a point's trials take, in words."""
        found = self._mean(point, name)
        return quantity(found, PRICED[name]) if found else "-"

    def _mean(self, point: Point, name: str) -> float | None:
        values = dict(zip(self.fields, point.values, strict=True))
        found = [row[name] for row in self.rows if all(row[f] == v for f, v in values.items()) and row.get(name)]
        return float(np.mean(found)) if found else None

    def as_text(self) -> str:
        """Return a table for reading: a line for each point."""
        priced = [name for name in PRICED if any(row.get(name) is not None for row in self.rows)]
        heads = (*self.fields, "accuracy", "spread", "seeds", "failed", *(name.replace("_", " ") for name in priced))
        lines = [
            [*map(shown, point.values), *_numbers(point), *(self._priced(point, name) for name in priced)]
            for point in self.means
        ]
        widths = [max(len(cell) for cell in column) for column in zip(heads, *lines, strict=True)]
        table = ["  ".join(f"{c:>{w}}" for c, w in zip(line, widths, strict=True)) for line in (heads, *lines)]
        count = f"{_trials(self.rows)}, {len(self.failed)} failed" if self.failed else _trials(self.rows)
        table += [self.unfinished] if self.unfinished else []
        told = any(math.isfinite(point.std) for point in self.means)
        notes = ["spread: standard deviation over the seeds"] if told else []
        notes += self.aged
        notes += note(self.rows, priced, lambda row: ", ".join(f"{name} = {shown(row[name])}" for name in self.fields))
        notes += [f"failed: {_place(row, self.fields)}: {row['error']}" for row in self.failed[:3]]
        notes += [f"... and {len(self.failed) - 3} more failed"] if len(self.failed) > 3 else []
        return lined([*table, *notes, f"{count}; written to {self.out}: {RESULTS}, {TIMINGS}, {TRIALS}, {SWEEP}"])


def load(path: str | Path) -> Sweep:
    """Read a sweep's directory, also of one that is running.

    Raises
    ------
    ConfigError
        If it holds no sweep.
    """
    path = Path(path)
    page = read_page(path)
    if page is None:
        raise ConfigError(f"'{path}' is no sweep: it has no {SWEEP}")
    records = {record["id"]: record for record in read_records(path / TRIALS, page["fields"], read_name(path))}
    right = {name: record["result"][RIGHT] for name, record in records.items() if RIGHT in (record.get("result") or {})}
    return Sweep(path, page, tuple(rows(records.values(), page["fields"])), right)


def same_points(one: Entries, other: Entries) -> bool:
    """Tell whether two designs of a page ask for the same points, with whatever number of seeds."""
    return all(one.get(name) == other.get(name) for name in ("vary", "design", "points", "design_seed"))


def ideal_accuracy(path: Path, split: str) -> float | None:
    """Return the accuracy with which a run without a chip ended; None on a chip, or where it did not evaluate that."""
    run = runs.load(path)
    if run.config.chip is not None or not run.metrics:
        return None
    found: float | None = run.metrics[-1]["evaluate"].get(split, {}).get("accuracy")
    return found


def rows(records: Iterable[Page], fields: Sequence[str]) -> list[Row]:
    """Return a row for each trial, sorted by varied values and seed."""
    found = sorted(records, key=lambda record: [*(rank(record["values"][f]) for f in fields), record["seed"]])
    return [_row(record, fields) for record in found]


def write(path: Path, records: Iterable[Page], fields: Sequence[str]) -> None:
    """Write both tables, each whole or not at all."""
    records = list(records)
    table = rows(records, fields)
    _save(path / RESULTS, table, columns(table, fields))
    times = [{name: record.get(name) for name in TIMED} for record in sorted(records, key=lambda r: str(r["id"]))]
    _save(path / TIMINGS, times, list(TIMED))


def columns(table: Iterable[Row], fields: Sequence[str]) -> list[str]:
    """Return the columns of a table in their order."""
    names = {name for row in table for name in row}
    counters = sorted(name for name in names if name.startswith("counters."))
    fixed = [*fields, "seed", *MEASURED]
    others = sorted(names - {*fixed, *counters, "error", "id"})
    return [*fixed, *others, *counters, "error", "id"]


def _row(record: Page, fields: Sequence[str]) -> Row:
    result = dict(record.get("result") or {})
    result.pop(RIGHT, None)  # samples, and no number of the trial
    counters = {f"counters.{name}": number for name, number in result.pop("counters", {}).items()}
    measured = {**dict.fromkeys(MEASURED), **result, **counters}
    values = {name: record["values"][name] for name in fields}
    return {**values, "seed": record["seed"], **measured, "error": record.get("error"), "id": record["id"]}


def _save(path: Path, table: Sequence[Row], names: Sequence[str]) -> None:
    """Write Parquet beside its place, then move it there."""
    import pyarrow
    from pyarrow import parquet

    columns = {name: _column([row.get(name) for row in table]) for name in names}
    try:
        with replaced(path) as partial, partial.open("wb") as file:  # by its path pyarrow would take '~' for a home
            parquet.write_table(pyarrow.table(columns), file)
    except OSError as error:
        raise ConfigError(f"cannot write '{path}': {error.strerror or error}") from None


def _column(values: Sequence[object]) -> pyarrow.Array:
    """Return an Arrow array of one type: whole numbers, numbers, truth values, or texts."""
    import pyarrow

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float}:
        return pyarrow.array(values, pyarrow.int64() if kinds == {int} else pyarrow.float64())
    if kinds == {bool}:
        return pyarrow.array(values, pyarrow.bool_())
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pyarrow.array(texts, pyarrow.string())


def _summary(point: Point, fields: Sequence[str]) -> Page:
    """Return mean, standard deviation and standard error of a point, None where there are too few seeds."""
    values = dict(zip(fields, point.values, strict=True))
    numbers = {"accuracy": point.mean, "spread": point.std, "error": point.error}
    known = {name: present(number) for name, number in numbers.items()}
    return {"values": values, **known, "seeds": len(point.accuracies), "failed": point.failed}


def _numbers(point: Point) -> list[str]:
    cells = ["-" if math.isnan(number) else f"{number:.4f}" for number in (point.mean, point.std)]
    return [*cells, str(len(point.accuracies)), str(point.failed)]


def _trials(rows: Sequence[Row]) -> str:
    return f"{len(rows)} trial{'s' * (len(rows) != 1)}"


def _place(row: Entries, fields: Sequence[str]) -> str:
    return ", ".join([*(f"{name} = {shown(row[name])}" for name in fields), f"seed {row['seed']}"])
