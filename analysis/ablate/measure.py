"""An ablation, or going on with it: which trials, in which rounds, how many seeds.

    found = analysis.ablate.run("runs/reviews", out="runs/ablated", overrides=["--chip", "rram"], seeds=10)

Round one runs the chip as it is, without any effect, without each and with each alone. With ``until``, further rounds
add one seed each to the conditions of those differences whose standard error is still larger, with what it grows by as
it decides that (:mod:`analysis.sweep.stopping`). The last ones switch two effects off at once, for all pairs of those
that cost most by themselves. A round goes by the ledger alone, so that a
killed ablation that is run again asks for the same trials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

from analysis.ablate.conditions import (
    AS_IT_IS,
    BOTH,
    FRAME,
    IDEAL,
    ONLY,
    WITHOUT,
    Condition,
    Dissection,
    dissect,
)
from analysis.ablate.differences import SeedDifference, gain, interaction, widest
from analysis.ablate.results import ABLATE, Ablation, load
from analysis.sweep import plans
from analysis.sweep.conductor import Report
from analysis.sweep.executors import TIMEOUT
from analysis.sweep.ledger import read_page
from analysis.sweep.plans import PlannedPoint
from analysis.sweep.points import shown
from analysis.sweep.rounds import Rounds, pool_of
from analysis.sweep.shared import file_of, mode_of, of
from analysis.sweep.stopping import Rule, rule
from analysis.sweep.trials import free_settings
from hw_models.chip import Chip
from hw_models.keywords import checked
from hw_models.reading import Page
from neuroep.errors import ConfigError
from neuroep.runs import arguments, config as configuration

SEEDS = 10
"""Chips of every condition, unless said otherwise."""
PAIRS = 4
"""Effects among which all pairs are tried, unless said otherwise."""


@checked(ConfigError)
def run(
    source: str | Path,
    *,
    out: str | Path,
    overrides: Sequence[str] = (),
    recipe: str | None = None,
    effects: Sequence[str] = (),
    pairs: int = PAIRS,
    mode: str | None = None,
    seeds: int | None = None,
    until: float | None = None,
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
) -> Ablation:
    """Switch the effects of a chip off one at a time, and all others, and tell what each costs.

    Parameters
    ----------
    source : str or Path
        Run directory, or configuration file.
    out : str or Path
        New or empty directory, or that of the same ablation: finished trials are not run again.
    overrides : sequence of str
        Settings of all trials, the chip among them, ``["--chip", "rram"]``.
    recipe : {"auto"}, optional
        Let the toolkit choose what the chip needs to learn, :mod:`neuroep.runs.recipes`: settings that all trials
        share, under those of ``overrides``. Only in mode ``learn``.
    effects : sequence of str
        Effects to switch off, by their names; empty takes all that the chip has.
    pairs : int
        Of so many effects that change most when they are off all pairs are tried; below 2 none.
    mode : {None, "deploy", "learn"}
        Program the run's weights, or learn on the chip, as in a sweep.
    seeds : int, optional
        Chips of every condition, default 10; with ``until`` the least number, default 6.
    until : float, optional
        Add chips until the standard error of every difference is at most this.
    max_seeds : int, optional
        But no more than these; default 20.
    split, samples, workers, cluster, timeout, executor, retry_failed, progress, report
        As for :func:`analysis.sweep.runner.run`.

    Raises
    ------
    NeuroepError
        For the first thing that cannot be, before anything runs or is written.
    """
    wanted = rule(SEEDS if seeds is None and until is None else seeds, until, max_seeds)
    pairs = arguments.whole("pairs", pairs, 0)
    source = Path(source)
    mode = mode_of(source, mode)
    pool = pool_of(workers, cluster, timeout, executor)
    shared = of(source, overrides, recipe, mode=mode, out=out)
    parts = dissect(configuration.load(file_of(source), shared.words, forgiven={}), mode, effects)
    points = _Points.made(parts, source, shared.words, mode, split, samples)
    asked: Page = {"vary": [], "design": ABLATE, "points": None, "design_seed": 0}
    asked |= {"seeds": wanted.seeds, "until": until, "max_seeds": wanted.most or None, "pairs": pairs}
    asked |= {"chosen": list(effects), **points.about()}
    how = {"retry_failed": retry_failed, "progress": progress}
    _check_chip(Path(out), points.plan)
    with Rounds(points.plan, asked, shared, out=out, pool=pool, report=report, **how) as rounds:
        _take(rounds, points, wanted, pairs)
        rounds.finish()
    return load(out)


class _Points:
    """The conditions of an ablation as the points of a plan."""

    def __init__(self, parts: Dissection, plan: plans.SweepPlan, points: Mapping[Condition, PlannedPoint]) -> None:
        self.parts, self.plan, self.points = parts, plan, points

    @classmethod
    def made(
        cls, parts: Dissection, source: Path, overrides: Sequence[str], mode: str, split: str, samples: int | None
    ) -> _Points:
        """Plan all conditions; those that set the same values are one point."""
        choices = {condition: parts.choice(condition) for condition in parts.conditions()}
        different = {tuple(choice.items()): choice for choice in choices.values()}
        how = {"mode": mode, "split": split, "samples": samples}
        plan = plans.make(source, list(different.values()), overrides, laid_over=True, **how)  # type: ignore[arg-type]
        planned = dict(zip(different, plan.points, strict=True))
        return cls(parts, plan, {each: planned[tuple(choice.items())] for each, choice in choices.items()})

    def about(self) -> Page:
        """Return what the directory has of them: effects, and the values of each condition where they differ."""
        own = self.points[Condition(AS_IT_IS)].values
        conditions = [
            {
                "kind": condition.kind,
                "of": list(condition.of),
                "values": {name: value for name, value in point.values.items() if value != own[name]},
            }
            for condition, point in self.points.items()
        ]
        chosen = [{"name": each.name, "within": each.within, "told": each.told} for each in self.parts.chosen]
        return {"own": own, "effects": chosen, "unseen": list(self.parts.unseen), "conditions": conditions}


def _check_chip(out: Path, plan: plans.SweepPlan) -> None:
    """Refuse the directory of an ablation of another chip: all fields of effects are varied, as those of no sweep are.

    Raises
    ------
    ConfigError
        Naming the first field that differs and acts, and both values.
    """
    held, chip = read_page(out), plan.base.chip
    whole = (held or {}).get(configuration.CHIP) or {}
    if held is None or chip is None or "device" not in whole or all(one["design"] != ABLATE for one in held["designs"]):
        return
    there, free = dict(Chip.fields_of(Chip.parse(whole))), free_settings(plan.task, plan.base.flat())
    for field, value in Chip.fields_of(chip):
        name = f"{configuration.CHIP}.{field}"
        if value != there[field] and name not in free:
            values = f"{name} is {shown(there[field])} there and {shown(value)} here"
            raise ConfigError(f"'{out}' holds an ablation of another chip: {values}; choose another directory")


def _take(rounds: Rounds, points: _Points, wanted: Rule, pairs: int) -> None:
    """Run the rounds."""
    names = [effect.name for effect in points.parts.chosen]
    of_one = {
        name: ((Condition(WITHOUT, (name,)), Condition(AS_IT_IS)), (Condition(ONLY, (name,)), _frame(points, name)))
        for name in names
    }
    compared: list[tuple[Condition, ...]] = [(Condition(AS_IT_IS), Condition(IDEAL))]
    compared += [pair for both in of_one.values() for pair in both]
    _known(rounds, points, wanted, compared)
    gains = {name: _measured(rounds, points, wanted, of_one[name][0]).mean for name in names}
    largest = sorted(names, key=lambda name: (math.isnan(gains[name]), -abs(gains[name])))[:pairs]
    squares: list[tuple[Condition, ...]] = []
    for one, other in points.parts.pairs():
        if one in largest and other in largest:
            ends = Condition(WITHOUT, (one,)), Condition(WITHOUT, (other,)), Condition(AS_IT_IS)
            squares.append((Condition(BOTH, (one, other)), *ends))
    _known(rounds, points, wanted, squares)


def _frame(points: _Points, name: str) -> Condition:
    """Return what an effect alone is compared with."""
    frame = Condition(FRAME, (name,))
    return frame if frame in points.points else Condition(IDEAL)


def _known(rounds: Rounds, points: _Points, wanted: Rule, compared: Sequence[tuple[Condition, ...]]) -> None:
    """Run conditions that are compared with each other, with more seeds until all differences are known."""
    count, due = wanted.seeds, list(compared)
    while due:
        several = dict.fromkeys(condition for conditions in due for condition in conditions)
        chosen = {str(points.points[each]): points.points[each] for each in several}
        rounds.take(list(chosen.values()), Rule(count))
        if wanted.until is None or count >= wanted.most:
            return
        found = [_measured(rounds, points, wanted, conditions) for conditions in due]
        due = [due[number] for number in widest(found, wanted.until)]
        count += 1


def _measured(rounds: Rounds, points: _Points, wanted: Rule, conditions: tuple[Condition, ...]) -> SeedDifference:
    """Return the difference of two conditions, or the interaction of four."""
    found = [rounds.accuracies(points.points[each]) for each in conditions]
    right = [rounds.right(points.points[each]) for each in conditions]
    if len(found) == 2:
        return gain(found[0], found[1], right, wanted.widening)
    both, first, second, own = found
    return interaction(both, first, second, own, right, wanted.widening)
