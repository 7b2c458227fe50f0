# Tested by tests/analysis/sweep/test_rounds.py
"""The directory and the workers of a sweep, open: its points are run round after round, each as far as a rule says.

A sweep takes one round. A question whose next points depend on what the last ones gave takes several; as a round goes
by the ledger alone, it asks for the same trials however often it was killed and whatever finished first.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from analysis.sweep import plans, results
from analysis.sweep.conductor import Conductor, Report
from analysis.sweep.executors import TIMEOUT, Cluster, Given, Local, Pool
from analysis.sweep.ledger import RUN, Ledger, check
from analysis.sweep.plans import PlannedPoint, SweepPlan
from analysis.sweep.right import RIGHT, SamplesSeen, counts, unpacked
from analysis.sweep.shared import Shared
from analysis.sweep.stopping import Rule
from analysis.sweep.trials import FORMAT, free_settings
from hw_models.reading import Entries, Page
from neuroep import __version__
from neuroep.errors import ConfigError
from neuroep.runs import config as configuration, directory as runs, training
from neuroep.runs.config import Config
from neuroep.runs.overrides import dotted

GOES_ON = "the same command goes on"
"""What is said of a sweep that was interrupted."""
_log = logging.getLogger(__name__)


class Rounds:
    """A plan that is carried out in rounds; a context manager that holds directory and workers.

    Parameters
    ----------
    plan : SweepPlan
        All points that may be asked for.
    asked : mapping
        The design, as the page has it.
    shared : Shared
        Settings that all points share.
    out : str or Path
        Directory of the sweep.
    pool : Pool
        Where trials run.
    retry_failed, progress, report
        As for :func:`analysis.sweep.runner.run`.

    Raises
    ------
    ConfigError
        If the directory holds something else, or the workers cannot be had; nothing is written then.
    """

    def __init__(
        self,
        plan: SweepPlan,
        asked: Entries,
        shared: Shared,
        *,
        out: str | Path,
        pool: Pool,
        retry_failed: bool = False,
        progress: bool = False,
        report: Report | None = None,
    ) -> None:
        self.plan, self.asked, self.pool = plan, asked, pool
        self._retry_failed, self._progress, self._report = retry_failed, progress, report
        page = _page(plan, shared)
        check(Path(out), page)
        self.ledger = Ledger(out, page)
        self._executor: Executor | None = None
        self._taken: dict[str, int] = {}
        """Trials of each point that was asked for."""
        self._told: set[str] = set()
        """Lines of trials that were said."""

    def begin(self) -> None:
        """Write down what is asked for before any round, so that the directory may hold sweeps that it rests on."""
        with self.ledger as ledger:
            ledger.begin(self.asked)

    def __enter__(self) -> Rounds:
        try:
            self._executor = self.pool.open()
            self.ledger.__enter__()
            self._tell_found()
            if self.plan.trains_first:
                self.ledger.begin(self.asked)
                run = _train(plans.training_of(self.plan), self.ledger.path / RUN, self._progress)
                self.plan = plans.trained(self.plan, run)
        except BaseException as error:
            self.ledger.close()
            self.pool.close(now=True)
            if isinstance(error, KeyboardInterrupt):
                error.add_note(GOES_ON)
            raise
        return self

    def _tell_found(self) -> None:
        """Say how many trials a directory had already."""
        if count := len(self.ledger.records):
            failed = sum("error" in record for record in self.ledger.records.values())
            less = f", {failed} of them failed{' and run again' * self._retry_failed}" if failed else ""
            _log.info("'%s' holds %s%s", self.ledger.path, _trials(count), less)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            results.write(self.ledger.path, self.ledger.records.values(), self.ledger.fields)
        finally:
            self.ledger.close()
            self.pool.close(now=kind is not None)
        if isinstance(error, KeyboardInterrupt):
            error.add_note(f"'{self.ledger.path}' holds {_trials(len(self.ledger.records))}; {GOES_ON}")

    def take(self, points: Sequence[PlannedPoint], rule: Rule) -> None:
        """Run what a rule asks for at some points, and what of it is not yet there."""
        if self._executor is None:
            raise ValueError("no round can be taken: the directory is not open")
        conductor = Conductor(
            replace(self.plan, points=tuple(points)), rule, self.ledger, self.pool, self._retry_failed, self._report,
            self._told,
        )  # fmt: skip
        before = sum(count for name, count in self._taken.items() if name not in set(map(str, points)))
        self.ledger.begin(self.asked, before + conductor.total)
        self._executor = conductor.conduct(self._executor, self._progress)
        self._taken |= {str(point): len(self.found(point)) for point in points}

    def finish(self) -> None:
        """Write down that all trials are there."""
        self.ledger.finish(self.asked, sum(self._taken.values()))

    def found(self, point: PlannedPoint) -> dict[int, Page | None]:
        """Return what the first seeds of a point gave, up to one that is not there; None of those that failed."""
        results: dict[int, Page | None] = {}
        while (record := self.ledger.records.get(point.trial(self.plan.task, len(results)).id)) is not None:
            results[len(results)] = record.get("result")
        return results

    def accuracies(self, point: PlannedPoint) -> dict[int, float | None]:
        """Return the accuracies of the first seeds of a point, None of those that failed."""
        return {seed: None if found is None else found["accuracy"] for seed, found in self.found(point).items()}

    def right(self, point: PlannedPoint) -> dict[int, np.ndarray]:
        """Return by seed which samples of the split were right, of trials that tell (:mod:`analysis.sweep.right`)."""
        return {seed: unpacked(text) for seed, text in self._texts(point).items()}

    def samples(self, point: PlannedPoint) -> SamplesSeen | None:
        """Return how many samples the trials of a point see; None where none tells."""
        return next((counts(text) for text in self._texts(point).values()), None)

    def _texts(self, point: PlannedPoint) -> dict[int, str]:
        told = {seed: found.get(RIGHT) for seed, found in self.found(point).items() if found is not None}
        return {seed: text for seed, text in told.items() if text is not None}


def pool_of(count: int | None, cluster: str | None, timeout: float = TIMEOUT, executor: Executor | None = None) -> Pool:
    """Return where trials run: local processes, a Dask cluster, or an executor of the caller's.

    Raises
    ------
    ConfigError
        If two of them are given, or one cannot be.
    """
    given = {"workers": count, "cluster": cluster, "executor": executor}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ConfigError(f"{names[0]} and {names[1]}: give one of them")
    if cluster is not None:
        return Cluster(cluster, timeout)
    return Local(count) if executor is None else Given(executor)


def _trials(count: int) -> str:
    return f"{count} finished trial{'s' * (count != 1)}"


def _page(plan: SweepPlan, shared: Shared) -> Page:
    """Return what is swept, for the directory."""
    task, flat, chip = plan.task, plan.base.flat(), plan.base.chip
    settings = {name: value for name, value in flat.items() if name not in free_settings(task, flat)}
    about = {"mode": task.mode, "split": task.split, "samples": task.samples, "checkpoint": task.checkpoint}
    named = [dotted(name)[0] for name in shared.given[::2]] if configuration.CHIP in plan.fields else []
    return {
        **about,
        "data": None if any(name.startswith("data.") for name in plan.fields) else plan.points[0].data,
        "version": f"{__version__} ({FORMAT})",
        "source": str(plan.source),
        "given": {name: flat.get(name) for name in named if name.startswith("chip.")},
        "chips": plan.chips,
        "chip": {} if chip is None else chip.to_dict(),
        "ideal": plan.ideal,
        **shared.page(),
        "fields": list(plan.fields),
        "settings": settings,
        "environment": runs.environment(),
    }


def _train(config: Config, path: Path, progress: bool) -> Path:
    """Train the weights that are to be deployed, or go on with their training."""
    training.train(config, path, resume=True, progress=progress)
    return path
