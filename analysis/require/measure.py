"""A requirement, or going on with it: which points are asked for, one after the other.

One field is bisected and two fields are followed along the border (:mod:`analysis.require.search`), each point run
until its verdict is sure (:mod:`analysis.require.verdicts`). Against a price, all points are priced on a few samples
first, and then only those are run that may be on the front (:mod:`analysis.require.frontier`). All of it goes by the
ledger alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import product
from pathlib import Path

from analysis.require.directions import Directions, directions
from analysis.require.frontier import Frontier, Place
from analysis.require.results import PRICES, REQUIRE, UNITS, Requirement, load
from analysis.require.scales import STEPS, Scale, scales
from analysis.require.search import bisect, checks, checks_of_contour, contour
from analysis.require.verdicts import OPEN, UNKNOWN, Judge, Verdict, judge
from analysis.sweep import plans
from analysis.sweep.conductor import Report
from analysis.sweep.designs import MOST
from analysis.sweep.executors import TIMEOUT
from analysis.sweep.plans import PlannedPoint
from analysis.sweep.rounds import Rounds, pool_of
from analysis.sweep.shared import of
from analysis.sweep.stopping import Rule
from analysis.sweep.unpriced import lacking
from hw_models.keywords import checked
from hw_models.reading import Page
from neuroep.errors import ConfigError, given_as, unknown
from neuroep.runs import arguments, bills

RESOLUTION = 0.01
"""Of levels of accuracy on a front, unless said otherwise."""
PRICED = 16
"""Samples on which points are priced."""
SEEDS = 3
"""Chips of a point on a front, unless said otherwise."""
MOST_PRICED = 10_000
"""Points against a price: each is held against each other."""
AT_ONCE = 2
"""Points of a front that are run side by side."""


@checked(ConfigError)
def run(
    source: str | Path,
    fields: Sequence[str],
    *,
    out: str | Path,
    target: float | None = None,
    against: str | None = None,
    overrides: Sequence[str] = (),
    recipe: str | None = None,
    confidence: float = 0.95,
    resolution: float = RESOLUTION,
    steps: int = STEPS,
    mode: str | None = None,
    seeds: int | None = None,
    max_seeds: int | None = None,
    split: str = "test",
    samples: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    timeout: float = TIMEOUT,
    executor: Executor | None = None,
    retry_failed: bool = False,
    progress: bool = False,
    report: Report | None = None,
) -> Requirement:
    """Find where fields meet a target, or the front of accuracy against a price.

    Parameters
    ----------
    source : str or Path
        Run directory, or configuration file.
    fields : sequence of str
        ``NAME`` or ``NAME=VALUES``, see :mod:`analysis.require.scales`: one or two with a target, any number against a
        price.
    out : str or Path
        New or empty directory, or that of the same question, or of a sweep over the same fields, whose trials are used.
    target : float, optional
        Accuracy to be met, a share. Against a price it is only marked.
    against : {None, "energy", "latency", "area"}
        Price of a classification; unset looks for the target.
    overrides : sequence of str
        Settings of all trials, ``["--chip", "rram"]``.
    recipe : {"auto"}, optional
        Let the toolkit choose what the chip needs to learn, :mod:`neuroep.runs.recipes`: settings that all trials
        share, under those of ``overrides``. Only in mode ``learn``.
    confidence : float
        That a verdict about a point is right; on a front, that bounds hold which stand for chips that were not run.
    resolution : float
        Against a price: what accuracies have to differ by to count.
    steps : int
        Values of a field that is given as a range.
    mode : {None, "deploy", "learn"}
        Program the run's weights, or learn, as in a sweep.
    seeds, max_seeds : int, optional
        Chips of a point's first look and of its last, default 3 and 12; against a price those of each
        point on the front, default 3.
    split, samples, workers, cluster, timeout, executor, retry_failed, progress, report
        As for :func:`analysis.sweep.runner.run`.

    Raises
    ------
    NeuroepError
        For the first thing that cannot be, before anything runs or is written.
    """
    axes = scales(fields, steps)
    judged = _judge(target, against, confidence, seeds, max_seeds, len(axes))
    if not 0 < resolution < 1:
        raise ConfigError(f"resolution is {resolution}: allowed are shares between 0 and 1, for example 0.01")
    grid = _Grid(axes, MOST if against is None else MOST_PRICED)
    pool = pool_of(workers, cluster, timeout, executor)
    shared = of(source, overrides, recipe, mode=mode, out=out, varied=[axis.name for axis in axes])
    among = {"mode": mode, "split": split}
    plan = plans.make(source, grid.choices, shared.words, samples=samples, **among)  # type: ignore[arg-type]
    _check_priced(plan, against)
    points = dict(zip(grid.places, plan.points, strict=True))
    asked: Page = {"vary": list(fields), "design": REQUIRE, "points": None, "design_seed": 0, "steps": steps}
    asked |= {"seeds": judged.first, "until": None, "max_seeds": judged.most, "target": target, "against": against}
    asked |= {"confidence": confidence, "resolution": resolution, "axes": grid.values(points)}
    how = {"retry_failed": retry_failed, "progress": progress}
    whole = Rounds(plan, asked, shared, out=out, pool=pool, report=report, **how)
    prices: dict[Place, float] = {}
    if against is not None:
        whole.begin()
        few = min(PRICED, samples or PRICED)
        cheap = plans.make(source, grid.choices, shared.words, samples=few, **among)  # type: ignore[arg-type]
        with Rounds(cheap, asked, shared, out=Path(out) / PRICES, pool=pool, retry_failed=retry_failed) as rounds:
            rounds.take(cheap.points, Rule(1))
            rounds.finish()
            prices = _prices(rounds, dict(zip(grid.places, cheap.points, strict=True)), against)
    with whole as rounds:
        if against is None:
            _meet(_Bench(rounds, points, judged), grid.shape)
        else:
            _front(rounds, points, Frontier(grid.shape, prices, resolution, judged.first, confidence))
        rounds.finish()
    return load(out)


class _Grid:
    """All points of some fields."""

    def __init__(self, axes: Sequence[Scale], most: int = MOST) -> None:
        self.axes = axes
        self.shape = [len(axis.texts) for axis in axes]
        if (count := math.prod(self.shape)) > most:
            raise ConfigError(f"the fields have {count} points, allowed are {most}: give fewer values")
        self.places: list[Place] = list(product(*map(range, self.shape)))
        self.choices = [
            {axis.name: axis.texts[n] for axis, n in zip(axes, place, strict=True)} for place in self.places
        ]

    def values(self, points: dict[Place, PlannedPoint]) -> Page:
        """Return the values of each field, as trials have them."""
        origin = (0,) * len(self.axes)
        return {
            axis.name: [
                points[(*origin[:n], index, *origin[n + 1 :])].values[axis.name] for index in range(len(axis.texts))
            ]
            for n, axis in enumerate(self.axes)
        }


class _Bench:
    """Verdicts about points, each run until it is sure."""

    def __init__(self, rounds: Rounds, points: dict[Place, PlannedPoint], judged: Judge) -> None:
        self.rounds, self.points, self.judged = rounds, points, judged

    def verdict(self, place: Place) -> Verdict:
        """Return the verdict about a point, with the trials that it needs."""
        point = self.points[place]
        while True:
            samples = self.rounds.samples(point) or UNKNOWN
            found, needed = self.judged.verdict(self.rounds.accuracies(point), samples)
            if needed is None:
                return found
            self.rounds.take([point], Rule(needed))

    def directions(self, shape: Sequence[int]) -> Directions:
        """Return along which way accuracy rises, with the trials of corners that it needs."""
        corners = list(product(*([0, size - 1] for size in shape)))
        words = {self.verdict(place).word for place in corners}
        while True:
            of = lambda place: self.rounds.accuracies(self.points[place])  # noqa: E731
            found = directions(of, self.judged, shape, len(words) == 1 and OPEN not in words)
            if not found.needed:
                return found
            count = next(iter(found.needed.values()))
            self.rounds.take([self.points[place] for place in found.needed], Rule(count))


def _meet(bench: _Bench, shape: Sequence[int]) -> None:
    """Ask for the points that tell where the target is met."""
    rising = bench.directions(shape).rising

    def verdict(*turned: int) -> Verdict:
        ends = zip(turned, rising, shape, strict=True)
        return bench.verdict(tuple(n if up else size - 1 - n for n, up, size in ends))

    def met(*turned: int) -> bool:
        return verdict(*turned).met

    if len(shape) == 1:
        first = bisect(met, *shape)
        # Where verdicts on the way are open: from where on it is surely met, and up to where it is surely missed.
        bisect(lambda n: (found := verdict(n)).met and found.sure, *shape)
        bisect(lambda n: (found := verdict(n)).met or not found.sure, *shape)
        for place in checks(first, *shape):
            met(place)
        return
    for column, line in checks_of_contour(contour(met, *shape), shape[0]):
        met(column, line)


def _front(rounds: Rounds, points: dict[Place, PlannedPoint], frontier: Frontier) -> None:
    """Run the points that may be on the front, each on as many chips as it takes to tell."""
    found: dict[Place, list[float | None]] = {}
    while asked := frontier.next(found, AT_ONCE):
        for count in sorted(set(asked.values())):
            rounds.take([points[place] for place, of in asked.items() if of == count], Rule(count))
        for place, count in asked.items():
            there = rounds.accuracies(points[place])
            found[place] = [there[seed] for seed in range(count)]


def _prices(rounds: Rounds, points: dict[Place, PlannedPoint], against: str) -> dict[Place, float]:
    """Return the price of every point, the highest of one that failed or whose bill lacks what others hold."""
    pages = [rounds.found(point).get(0) or {} for point in points.values()]
    found = zip(points, (page.get(against) for page in pages), lacking(pages, against), strict=True)
    known = {place: float(price) for place, price, lacks in found if price is not None and not lacks}
    if not known:
        raise ConfigError(f"against is '{against}': no point has a price, see {rounds.ledger.path}")
    return {place: known.get(place, max(known.values())) for place in points}


def _judge(
    target: float | None, against: str | None, confidence: float, seeds: int | None, most: int | None, fields: int
) -> Judge:
    """Return how points are judged; refuse what does not go together."""
    priced = given_as("--against energy", "against='energy'")
    if against is None:
        if target is None:
            aim = given_as("--target 0.87", "target=0.87")
            raise ConfigError(f"no target is given: add {aim}, or {priced} for a front")
        if fields > 2:
            raise ConfigError(f"{fields} fields are given: with a target one or two; more go with {priced}")
        return judge(target, confidence, seeds, most)
    if against not in UNITS:
        raise ConfigError(unknown("price", against, list(UNITS)))
    if most is not None:
        raise ConfigError(f"max_seeds is {most}: against a price every point has the same chips, give seeds")
    count = SEEDS if seeds is None else arguments.whole("seeds", seeds)
    judge(0.5 if target is None else target, confidence)
    return Judge(0.5 if target is None else target, confidence, count, count)


def _check_priced(plan: plans.SweepPlan, against: str | None) -> None:
    """Refuse a price that nothing is known of."""
    if against is None:
        return
    if plan.task.mode != "deploy":
        raise ConfigError(f"against is '{against}': prices are of classifications, use mode 'deploy'")
    for point in plan.points:
        chip = point.config.chip
        if not (bills.billed(chip) if against == "latency" else bills.known(chip)):
            cure = "give its chip constants of cost, see docs/costs.md"
            raise ConfigError(f"point {point}: nothing is known of its {against}; {cure}")
