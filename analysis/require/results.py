"""What a requirement found: which points meet the target, where the border runs, which points are on the front.

Its directory is that of a sweep (:mod:`analysis.sweep.ledger`), with the question as design ``require`` in its page;
prices are a sweep of their own within, ``prices``.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product, takewhile
from pathlib import Path

from analysis.ablate.results import aligned
from analysis.require.borders import Border, border
from analysis.require.directions import Directions, directions
from analysis.require.frontier import Frontier, Place, front_of
from analysis.require.search import violations
from analysis.require.verdicts import OPEN, UNKNOWN, Judge, Verdict
from analysis.sweep import results as sweeps
from analysis.sweep.points import key, shown
from analysis.sweep.results import Sweep
from analysis.sweep.right import SamplesSeen, counts
from analysis.sweep.unpriced import lacking, note
from hw_models.reading import Entries, Page
from hw_models.text import lined
from neuroep.errors import ConfigError
from neuroep.runs.bills import quantity
from neuroep.runs.tables import Tabular

REQUIRE = "require"
"""The design of a requirement in the page of its directory."""
PRICES = "prices"
"""Folder of the sweep that prices points."""
UNITS = {"energy": "J", "latency": "s", "area": "m^2"}
"""Prices, and their units."""
ERRORS = "+-: standard error of the mean over the chips of a point"
"""Below a table with such a column."""
TOLD = 8
"""Points that are named where chips failed."""
NOISY = 0.15
"""Levels by which means may stray before it is told."""


@dataclass(frozen=True)
class FrontPoint:
    """A point of the front."""

    values: tuple[object, ...]
    accuracy: float
    price: float


@dataclass(frozen=True, repr=False)
class Requirement(Tabular):
    """A requirement as its directory holds it."""

    sweep: Sweep

    @property
    def out(self) -> Path:
        """Its directory."""
        return self.sweep.out

    @cached_property
    def design(self) -> Entries:
        """The last requirement that was asked for."""
        return self.sweep.asked(REQUIRE)

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields in the order in which they were named."""
        return tuple(self.design["axes"])

    @property
    def axes(self) -> tuple[tuple[object, ...], ...]:
        """Values of each field."""
        return tuple(tuple(values) for values in self.design["axes"].values())

    @property
    def judge(self) -> Judge:
        """How points are judged."""
        one = self.design
        target = 0.5 if one["target"] is None else one["target"]
        return Judge(target, one["confidence"], one["seeds"], one["max_seeds"])

    @cached_property
    def accuracies(self) -> dict[Place, dict[int, float | None]]:
        """Accuracies by seed of the points that were run."""
        return self._gathered(self.sweep.rows, "accuracy")

    def _gathered(self, rows: Sequence[Entries], what: str) -> dict[Place, dict[int, float | None]]:
        found: dict[Place, dict[int, float | None]] = {}
        for row in rows:
            place = self._place(row)
            if place is not None:
                found.setdefault(place, {})[row["seed"]] = row.get(what)
        return found

    @cached_property
    def _index(self) -> list[dict[str, int]]:
        return [{key(value): n for n, value in enumerate(values)} for values in self.axes]

    def _place(self, row: Entries) -> Place | None:
        """Return the point of a trial; None if it is not on the grid."""
        at = [of.get(key(row[name])) for of, name in zip(self._index, self.fields, strict=True)]
        known = tuple(n for n in at if n is not None)
        return known if len(known) == len(at) else None

    @cached_property
    def verdicts(self) -> dict[Place, Verdict]:
        """Verdicts about the points that were run, in their order."""
        found = sorted(self.accuracies.items())
        return {place: self.judge.verdict(seeds, self._samples.get(place, UNKNOWN))[0] for place, seeds in found}

    @cached_property
    def _samples(self) -> dict[Place, SamplesSeen]:
        """How many samples the trials of a point see, where they tell."""
        rows = [row for row in self.sweep.rows if row.get("id") in self.sweep.right]
        texts = {self._place(row): self.sweep.right[row["id"]] for row in rows}
        return {place: counts(text) for place, text in texts.items() if place is not None}

    @cached_property
    def directions(self) -> Directions:
        """Along which way accuracy rises: as the search has found it from the corners."""
        shape = [len(values) for values in self.axes]
        words = {found.word if (found := self.verdicts.get(place)) else OPEN for place in
                 product(*([0, size - 1] for size in shape))}  # fmt: skip
        settled = len(words) == 1 and OPEN not in words
        return directions(lambda place: self.accuracies.get(place, {}), self.judge, shape, settled)

    @property
    def rising(self) -> tuple[bool, ...]:
        """Of each field, whether accuracy is said to rise with it."""
        return self.directions.rising

    @cached_property
    def turn(self) -> tuple[Place, Place] | None:
        """A point, and the end of the fields where accuracy should be highest, which misses the target and is lower.

        The mean of the first lies above it by Student's quantile of the difference at the confidence, one-sided, over
        all points; None where no point does.
        """
        from scipy.stats import t

        end = tuple(len(v) - 1 if up else 0 for v, up in zip(self.axes, self.rising, strict=True))
        last = self.verdicts.get(end)
        if last is None or last.met:
            return None
        best = max(self.verdicts, key=lambda place: (not math.isnan(self.verdicts[place].mean), self.means[place]))
        top, others = self.verdicts[best], max(len(self.verdicts) - 1, 1)
        if best == end or not math.isfinite(top.error + last.error):
            return None
        far = float(t.isf((1 - self.design["confidence"]) / others, max(min(top.seeds, last.seeds) - 1, 1)))
        return (best, end) if top.mean - last.mean > far * math.hypot(top.error, last.error) else None

    @cached_property
    def borders(self) -> list[Border]:
        """Where the target begins to be met, on each line of the second field that is known."""
        lines = [()] if len(self.fields) == 1 else [(n,) for n in range(len(self.axes[1]))]
        found = []
        for line in lines:
            along = {p[0]: v for p, v in self.verdicts.items() if p[1:] == line}
            at = self.axes[1][line[0]] if line else None
            found += [border(at, self.axes[0], along, self.rising[0])] if along else []
        return found

    @cached_property
    def contradictions(self) -> list[tuple[Place, Place]]:
        """Pairs of points whose sure verdicts contradict that accuracy only rises, or only falls, with each field."""
        turned = {
            tuple(n if up else -n for n, up in zip(place, self.rising, strict=True)): place for place in self.verdicts
        }
        sure = {at: self.verdicts[place].met for at, place in turned.items() if self.verdicts[place].sure}
        return [(turned[one], turned[other]) for one, other in violations(sure)]

    @cached_property
    def prices(self) -> dict[Place, float]:
        """Price of each point; nothing without one."""
        if self.design["against"] is None:
            return {}
        against = self.design["against"]
        rows = self._priced.rows
        found = self._gathered([r for r, lacks in zip(rows, lacking(rows, against), strict=True) if not lacks], against)
        return {place: price for place, seeds in found.items() if (price := seeds.get(0)) is not None}

    @cached_property
    def _priced(self) -> Sweep:
        return sweeps.load(self.out / PRICES)

    @cached_property
    def means(self) -> dict[Place, float]:
        """Mean accuracy of the points that were run: of the chips that a verdict is of, or of those of a front."""
        if self.design["against"] is None:
            return {place: 0.0 if math.isnan(found.mean) else found.mean for place, found in self.verdicts.items()}
        known = {place: [v for v in seeds if v is not None] for place, seeds in self._search[1].items()}
        return {place: statistics.fmean(values) if values else 0.0 for place, values in known.items()}

    @cached_property
    def front(self) -> list[FrontPoint]:
        """Points on the front, the cheapest first."""
        seeds = self.design["seeds"]
        whole = {place for place, found in self._search[1].items() if len(found) == seeds}
        priced = {place: mean for place, mean in self.means.items() if place in self.prices and place in whole}
        places = front_of(priced, self.prices, self.design["resolution"])
        return [FrontPoint(self.values(place), priced[place], self.prices[place]) for place in places]

    @cached_property
    def _search(self) -> tuple[Frontier, dict[Place, list[float | None]]]:
        """The grid of a front, and the accuracies that its search goes by."""
        shape, prices, seeds = [len(values) for values in self.axes], self.prices, self.design["seeds"]
        whole = {place: prices.get(place, math.inf) for place in product(*map(range, shape))}
        first = {place: list(takewhile(of.__contains__, range(seeds))) for place, of in self.accuracies.items()}
        found = {place: [self.accuracies[place][seed] for seed in known] for place, known in first.items() if known}
        return Frontier(shape, whole, self.design["resolution"], seeds, self.design["confidence"]), found

    @property
    def fall(self) -> float:
        """By how much accuracy falls along the fields at least, on a front; 0 below a level."""
        frontier, found = self._search
        return frontier.contradiction(found)

    @property
    def noise(self) -> float:
        """Standard deviation of a mean over the chips of a point on the front; 0 where nothing tells."""
        frontier, found = self._search
        return frontier.noise(found)

    def values(self, place: Place) -> tuple[object, ...]:
        """Return the values of a point."""
        return tuple(values[n] for values, n in zip(self.axes, place, strict=True))

    @property
    def said(self) -> list[str]:
        """What is found, in lines."""
        if self.design["against"] is not None:
            return self._said_of_front()
        at = "" if len(self.fields) == 1 else f"{self.fields[1]} = {{}}: "
        lines = [at.format(shown(one.line)) + one.said(self.fields[0], self.design["target"]) for one in self.borders]
        told = zip(self.fields, self.rising, self.directions.sure, strict=True)
        unsure = {True: "", False: ", but that is open"}
        ways = [f"{name} ({'rising' if up else 'falling'}{unsure[bool(sure)]})" for name, up, sure in told]
        lines += [f"assumed: accuracy goes one way along {' and '.join(ways)}; where it does not, borders mean little"]
        for one, other in self.contradictions[:3]:
            good, bad = (", ".join(map(shown, self.values(place))) for place in (one, other))
            lines.append(f"contradicted: {good} meets the target and {bad} misses it")
        lines += self._said_of_failed()
        if self.turn is not None:
            best, end = (
                f"{', '.join(map(shown, self.values(place)))} has {_share(self.means[place])}" for place in self.turn
            )
            lines.append(f"contradicted: {best} and the end {end}: accuracy turns, look at all values by a sweep")
        return lines

    def _said_of_failed(self) -> list[str]:
        """Say where chips failed: a point whose chips all did misses the target, of others the mean is of the rest."""
        chips = {place: list(seeds.values()) for place, seeds in self.accuracies.items()}
        whole = [place for place, found in chips.items() if all(value is None for value in found)]
        some = [place for place, found in chips.items() if None in found and place not in whole]
        lines = [f"failed on every chip, which counts as a miss: {self._several(whole)}"] if whole else []
        lines += [f"failed on some chips, means are of the others: {self._several(some)}"] if some else []
        return [*lines, f"the first failed with: {self.sweep.failed[0]['error']}"] if lines else []

    def _several(self, places: Sequence[Place]) -> str:
        """Return some points, each as its values."""
        told = [" and ".join(map(shown, self.values(place))) for place in places]
        return ", ".join(told[:TOLD]) + (f" and {len(told) - TOLD} more" if len(told) > TOLD else "")

    def _said_of_front(self) -> list[str]:
        count = math.prod(len(values) for values in self.axes)
        ways = zip(self.fields, self._search[0].directions(self._search[1]), strict=True)
        falls = [name for name, up in ways if not up]
        along = f" (falling along {' and '.join(falls)})" if falls else ""
        none = f"no other can be on the front if accuracy goes one way along each field{along}"
        seeds, ran = self.design["seeds"], sum(map(len, self._search[1].values()))
        trials = f" ({ran} of {count * seeds} trials)" if seeds > 1 else ""
        lines = [f"{len(self.means)} of {count} points run{trials}: {none}"]
        if self.fall:
            by = f"{100 * self.fall:.2f} points"
            lines.append(f"contradicted: accuracy falls by up to {by}; bounds were widened by that")
        if self.noise > NOISY * self.design["resolution"]:
            stray = f"means over {seeds} chips stray by {100 * self.noise:.2f} points, more than {NOISY:g} levels"
            cure = f"take a resolution of {_up(self.noise / NOISY):.2g}, or more chips"
            lines.append(f"noise: {stray}; other chips may give another front: {cure}")
        rows = [row for row in self._priced.rows if self._place(row) is not None]
        lines += note(rows, [self.design["against"]], lambda row: ", ".join(
            f"{name} = {shown(row[name])}" for name in self.fields))
        target = self.design["target"]
        if target is not None:
            enough = next((one for one in self.front if one.accuracy >= target), None)
            what = "no point that was run meets" if enough is None else f"{self._at(enough)} is the cheapest that meets"
            lines.append(f"{what} {100 * target:g} %")
        return lines

    def _at(self, found: FrontPoint) -> str:
        return ", ".join(f"{name} = {shown(value)}" for name, value in zip(self.fields, found.values, strict=True))

    def table(self) -> list[Page]:
        """Return a row for each point that was run: mean accuracy, and its verdict or its price."""
        front = {one.values for one in self.front} if self.prices else set()
        rows: list[Page] = []
        for place, found in self.verdicts.items():
            if place not in self.means:
                continue
            values = self.values(place)
            row: Page = dict(zip(self.fields, values, strict=True)) | {"accuracy": self.means[place]}
            if self.design["against"] is not None:
                known = [value for value in self._search[1][place] if value is not None]
                error = statistics.stdev(known) / math.sqrt(len(known)) if len(known) > 1 else None
                row |= {"error": error, "seeds": len(known)}
                row |= {self.design["against"]: self.prices.get(place), "on_the_front": values in front}
            else:
                row |= {"error": _known(found.error), "seeds": found.seeds}
                row |= {"meets": found.met, "sure": found.sure}
            rows.append(row)
        return rows

    def units(self) -> dict[str, str]:
        """Return the units of the fields and of the price."""
        against = self.design["against"]
        return {**self.sweep.units(), **({} if against is None else {against: UNITS[against]})}

    def caption(self) -> str:
        """Return what was found, and where."""
        return lined([f"requirement {self.out}", *self.said, *self.sweep.aged])

    def rows(self) -> list[tuple[str, ...]]:
        """Return heads and cells of the table: points with their verdicts, or the front."""
        against = self.design["against"]
        if against is not None:
            cells = [(*map(shown, one.values), _share(one.accuracy), quantity(one.price, UNITS[against]))
                     for one in self.front]  # fmt: skip
            return [(*self.fields, "accuracy", against), *cells]
        heads = (*self.fields, "accuracy", "+-", "chips", f"{100 * self.design['target']:g} %")
        return [heads, *((*map(shown, self.values(place)), *_cells(found)) for place, found in self.verdicts.items())]

    def as_dict(self) -> Page:
        """Return plain values."""
        verdicts = [
            {"values": list(self.values(place)), "met": found.met, "sure": found.sure, "seeds": found.seeds,
             "accuracy": _known(found.mean), "error": _known(found.error)}
            for place, found in self.verdicts.items()
        ] if self.design["target"] is not None else []  # fmt: skip
        front = [
            {"values": list(one.values), "accuracy": one.accuracy, "price": one.price}
            for one in (self.front if self.design["against"] is not None else [])
        ]
        return {"fields": list(self.fields), "verdicts": verdicts, "front": front, "said": self.said}

    def as_text(self) -> str:
        """Return what was found, and a table."""
        lines = [*self.said, "", *aligned(self.rows())]
        counted = self.design["against"] is None
        lines += self.sweep.aged
        lines += [ERRORS] if counted and any(found.seeds > 1 for found in self.verdicts.values()) else []
        lines += [self.sweep.unfinished] if self.sweep.unfinished else []
        failed = f", {len(self.sweep.failed)} failed" if self.sweep.failed else ""
        return lined([*lines, f"{len(self.sweep.rows)} trials{failed}; written to {self.out}"])


def _up(value: float) -> float:
    """Return a number, rounded up to two digits."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / unit - 1e-9) * unit


def load(path: str | Path) -> Requirement:
    """Read the directory of a requirement, also of one that is running.

    Raises
    ------
    ConfigError
        If it holds none.
    """
    found = sweeps.load(path)
    if not is_requirement(found.about):
        raise ConfigError(f"'{path}' holds a sweep, and no requirement")
    return Requirement(found)


def is_requirement(about: Entries) -> bool:
    """Tell whether the page of a sweep's directory has a requirement."""
    return any(one.get("design") == REQUIRE for one in about["designs"])


def _cells(found: Verdict) -> tuple[str, ...]:
    error = f"{100 * found.error:.2f}" if math.isfinite(found.error) else "-"
    return _share(found.mean), error, str(found.seeds), found.word


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.2f} %"


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
