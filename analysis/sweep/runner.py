"""Run a sweep, or go on with it: checks, directory, executor, and the tables at the end.

    chip = ["--chip", "pcm"]
    found = analysis.sweep.runner.run("runs/reviews", ["chip.adc.bits=3:8"], out="runs/bits", overrides=chip, seeds=3)

Results depend neither on the executor, nor on the number of workers, nor on the order in which trials finish, nor on
how often the sweep was killed and started again.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from analysis.sweep import designs, plans, results
from analysis.sweep.conductor import Report, is_complete
from analysis.sweep.executors import TIMEOUT
from analysis.sweep.ledger import Ledger
from analysis.sweep.plans import SweepPlan
from analysis.sweep.results import Sweep
from analysis.sweep.rounds import Rounds, pool_of
from analysis.sweep.shared import of
from analysis.sweep.stopping import rule
from hw_models.keywords import checked
from hw_models.reading import Page
from neuroep.errors import ConfigError, NeuroepError


@checked(ConfigError)
def run(
    source: str | Path,
    vary: Sequence[str],
    *,
    out: str | Path,
    overrides: Sequence[str] = (),
    recipe: str | None = None,
    mode: str | None = None,
    design: str = "grid",
    points: int | None = None,
    design_seed: int = 0,
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
) -> Sweep:
    """Run a sweep, or go on with it.

    Parameters
    ----------
    source : str or Path
        Configuration file, or run directory.
    vary : sequence of str
        ``NAME=VALUES``, see :mod:`analysis.sweep.designs`.
    out : str or Path
        New or empty directory, or that of the same sweep: finished trials are not run again, more values and more
        seeds are added.
    overrides : sequence of str
        Settings that all points share, ``["--chip", "pcm"]``.
    recipe : {"auto"}, optional
        Let the toolkit choose what the chip needs to learn, :mod:`neuroep.runs.recipes`: settings that all trials
        share, under those of ``overrides``. Only in mode ``learn``.
    mode : {None, "deploy", "learn"}
        Program trained weights on the chip of each seed, or train with each seed. Unset deploys a run and learns from
        a configuration. A configuration that is to be deployed is trained first, without a chip, into ``out/run``.
    design : {"grid", "zip", "sobol", "lhs"}
        How the values are combined.
    points, design_seed : int
        Number of points of ``sobol`` and ``lhs``, and what they are drawn by.
    seeds : int, optional
        Seeds of each point, 0, 1, ...; default 1, with ``until`` at least 6.
    until : float, optional
        Add seeds to a point until the standard error of its mean accuracy is at most this.
    max_seeds : int, optional
        But no more than these; default 20.
    split : str
        What is evaluated.
    samples : int, optional
        Evaluate at most that many samples, drawn by the seed.
    workers : int, optional
        Local processes; default one per processor.
    cluster : str, optional
        Address of a Dask scheduler, to be reached within ``timeout`` [s].
    executor : Executor, optional
        Any other executor, which stays open.
    retry_failed : bool
        Run the trials again that failed before.
    progress : bool
        Show a bar with the time left on a terminal.
    report : callable, optional
        Called with the record of each trial that finishes.

    Raises
    ------
    NeuroepError
        For the first thing that cannot be, before anything runs or is written.
    """
    wanted = rule(seeds, until, max_seeds)
    axes = [designs.axis(text) for text in vary]
    choices = designs.points(axes, design, points, design_seed)
    pool = pool_of(workers, cluster, timeout, executor)
    shared = of(source, overrides, recipe, mode=mode, out=out, varied=[each.name for each in axes])
    plan = plans.make(source, choices, shared.words, mode=mode, split=split, samples=samples)
    asked: Page = {"vary": list(vary), "design": design, "points": points, "design_seed": design_seed}
    asked |= {"seeds": wanted.seeds, "until": until, "max_seeds": wanted.most or None}
    if len(plan.points) * wanted.seeds > designs.MOST:
        raise ConfigError(
            f"seeds is {wanted.seeds}: {len(plan.points)} points with that many are over {designs.MOST} trials"
        )
    how = {"retry_failed": retry_failed, "progress": progress}
    with Rounds(plan, asked, shared, out=out, pool=pool, report=report, **how) as rounds:
        rounds.take(plan.points, wanted)
        rounds.finish()
        _settle(rounds.ledger, rounds.plan, shared.words)
    return results.load(out)


def _settle(ledger: Ledger, plan: SweepPlan, overrides: Sequence[str]) -> None:
    """Note of designs that were stopped whether others have brought all their trials meanwhile."""
    task = plan.task
    for design in ledger.stopped:
        try:
            wanted = rule(design["seeds"], design["until"], design["max_seeds"])
            axes = [designs.axis(text) for text in design["vary"]]
            choices = designs.points(axes, design["design"], design["points"], design["design_seed"])
            how = {"mode": task.mode, "split": task.split, "samples": task.samples}
            made = plans.make(plan.source, choices, overrides, **how)  # type: ignore[arg-type]
        except NeuroepError:
            continue  # what it names is no longer there: it stays as it is
        if is_complete(replace(made, task=task), wanted, ledger):
            ledger.settle(design)
