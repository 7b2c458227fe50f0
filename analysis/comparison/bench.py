# Tested by tests/analysis/comparison/test_measure.py
"""The bench of a comparison: trains, deploys and measures one contestant after another."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis.gradients.gradient_error import CONVERGED
from hw_models.cost.bill import Bill
from hw_models.reading import Entries, Page
from neuroep.data import Corpus
from neuroep.data.baseline import linear_accuracy
from neuroep.data.batch import Batch
from neuroep.errors import UserError
from neuroep.gradients import angles, yardsticks
from neuroep.gradients.contrast_error import NULL, Gradient, Probe
from neuroep.runs import costs, directory as runs, limits, training
from neuroep.runs.compiling import clock, warm_up
from neuroep.runs.config import Config
from neuroep.runs.directory import Run
from neuroep.runs.memory import peak_memory, restart_peak_memory
from neuroep.runs.session import Session

FOLLOWED = 32
"""Test samples whose states and gradients are compared."""
STEPS = 12
"""Sweeps of the free phase that are followed."""
DRAWS = 8
"""Gradients of each chip, each with read noise of its own."""
PARTED = 4
"""Of them, parted into what both phases share and what differs between them."""
Report = Callable[[str, Entries], None]


@dataclass(frozen=True)
class Alignment:
    """Gradient of one parameter beside the exact one."""

    parameter: str
    cosine: float
    """With the exact gradient for the weights as the arrays conduct them, mean over draws of the reads' noise; nan
    where one of them vanishes."""
    spread: float
    """Standard deviation of the cosine over the draws, 0 of a single one."""
    relative_error: float
    """Of the same gradients, mean."""
    nominal: float
    """Mean cosine with the exact gradient for the weights that were programmed."""
    exact_phases: float = math.nan
    """Cosine of EP in exact arithmetic, for the weights as the arrays conduct them."""
    common: float = math.nan
    """Mean cosine of what is left when what differs between the phases is taken away, the contrast without a nudge of
    :mod:`neuroep.gradients.contrast_error`; nan in comparisons of version 0.1."""
    common_error: float = math.nan
    """Relative error of that: what both phases share, which is learned around."""
    differing_error: float = math.nan
    """Size of what differs between the phases over that of the exact gradient: it is in every update."""


@dataclass(frozen=True)
class Contestant:
    """What one engine or chip made of the network."""

    name: str
    accuracy: dict[str, float]
    """By split."""
    agreement: float
    """Share of test samples whose predicted class is that of the reference."""
    steps: float
    """Mean settle steps of a test sample."""
    seconds: dict[str, float]
    """[s] of training, 0 where weights were taken over, and of predicting both splits; compiling left out."""
    memory_mib: float | None
    """Largest resident memory while it ran, the program's own included [MiB]."""
    counters: dict[str, float]
    """Counted per test sample."""
    divergence: dict[str, list[float]]
    """By layer, ||s - s_reference|| / ||s_reference|| after each sweep of the free phase."""
    energy: list[float]
    """Mean free energy after each sweep."""
    gradient: list[Alignment]
    chip: Page | None
    """What differs from an ideal chip; None without one."""
    limits: list[Page] = field(default_factory=list)
    """What limits learning on a chip, the worst first: as its last epoch says, or, where weights were taken over, as
    they are; see :mod:`neuroep.runs.limits`."""
    bills: dict[str, Page] = field(default_factory=dict)
    """Of a classification of a test sample and of an update, by these names, where the chip has constants of cost."""

    @property
    def worst_cosine(self) -> float:
        """Of EP's gradient with the exact one, in the parameter where it is lowest; nan where no gradient is left."""
        return min((row.cosine for row in self.gradient if not math.isnan(row.cosine)), default=math.nan)


def folder(name: str) -> str:
    """Return the name of the run directory of a contestant that trains."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def alignment(name: str, draws: Sequence[np.ndarray], exact: np.ndarray, nominal: np.ndarray) -> Alignment:
    """Return how gradients, all of the same weights, agree with the exact ones."""
    cosines = [angles.cosine(draw, exact) for draw in draws]
    return Alignment(
        name,
        _mean(cosines),
        statistics.stdev(cosines) if len(draws) > 1 and not math.isnan(_mean(cosines)) else 0.0,
        _mean([angles.relative_error(draw, exact) for draw in draws]),
        _mean([angles.cosine(draw, nominal) for draw in draws]),
    )


def _size(value: np.ndarray, exact: np.ndarray) -> float:
    """Return ||value|| / ||exact||, nan where the latter vanishes."""
    length = float(np.linalg.norm(exact))
    return float(np.linalg.norm(value)) / length if length else math.nan


def _mean(values: Sequence[float]) -> float:
    """Return the mean, nan if any is."""
    return math.nan if any(map(math.isnan, values)) else statistics.fmean(values)


class Baseline(NamedTuple):
    """A linear model on the same data."""

    name: str
    about: str
    accuracy: float
    """On the test split."""


class Bench:
    """Trains, deploys and measures one contestant after another; keeps what they share."""

    def __init__(self, place: Path, mode: str, start: Run | None, progress: bool, report: Report | None) -> None:
        self.place, self.mode, self.start, self.progress, self.report = place, mode, start, progress, report
        self.learned = start
        """The run whose weights all have that do not learn; None until the local engine has learned them."""
        self.classes: np.ndarray | None = None
        self.corpus: Corpus | None = None
        self.followed: Page = {}

    @property
    def baseline(self) -> Baseline | None:
        """A linear model's test accuracy, where the corpus has one sequence."""
        if self.corpus is None or len(self.corpus.sequences) != 1:
            return None
        name, about = self.corpus.baseline
        return Baseline(name, about, linear_accuracy(self.corpus))

    def judge(self, name: str, config: Config) -> Contestant:
        """Train or deploy one contestant and let it predict both splits."""
        restart_peak_memory()
        warm_up(config)
        learns = (self.start is None and config.chip is None) or (self.mode == "learn" and config.chip is not None)
        with clock() as learning:
            parts = self._trained(name, config) if learns else self._deployed(config)
        self.corpus = parts.corpus
        with clock() as predicting:
            train, test = (parts.evaluate(split) for split in ("train", "test"))
        if self.classes is None:
            self.classes = test.predicted
        return Contestant(
            name,
            {"train": train.accuracy, "test": test.accuracy},
            float((test.predicted == self.classes).mean()),
            test.steps,
            {"train": learning.computing if learns else 0.0, "predict": predicting.computing},
            peak_memory(),
            {name: number / test.samples for name, number in test.counters.items()},
            {},
            [],
            [],
            None if config.chip is None else config.chip.differences(),
            self._limits(name, parts, learns, train.accuracy),
            {} if test.cost is None else self._bills(parts, test.cost),
        )

    def _bills(self, parts: Session, classification: Bill) -> dict[str, Page]:
        """Return what a test sample takes on a chip, and an update where the chip can learn with these settings."""
        found = {"classification": classification.as_dict()}
        with suppress(UserError):  # one that cannot learn with these settings has no update
            found["update"] = costs.learned(parts).as_dict()
        return found

    def _limits(self, name: str, parts: Session, learns: bool, accuracy: float) -> list[Page]:
        """Return what limits learning on a chip: as the last epoch says, or with the weights as they are."""
        if parts.config.chip is None:
            return []
        if learns:
            last = runs.load(self.place / folder(name)).metrics[-1]
            return list(last.get("limits", [])) if limits.told(last) else []
        found = limits.diagnose(parts).limits  # a chip that is deployed is written once
        return [limit.as_dict() for limit in found if limit.name != limits.WRITES and accuracy < limits.LEARNED]

    def _trained(self, name: str, config: Config) -> Session:
        """Train into a run directory; open it as the last epoch left it, a chip's devices included."""
        told = None if self.report is None else (lambda record: self.report(name, record))  # type: ignore[misc]
        place, start = self.place / folder(name), None if self.start is None else self.start.path
        training.train(config, place, start=start, progress=self.progress, report=told)
        run = replace(runs.load(place), config=config)
        if name == "local":
            self.learned = run
        return Session.open(run)

    def _deployed(self, config: Config) -> Session:
        """Give an engine the common weights; a chip is programmed, or keeps the devices its run was trained with."""
        if self.learned is None:
            return Session.open(config)
        devices = "keep" if self.mode == "deploy" else "program"
        return Session.open(replace(self.learned, config=config), devices=devices)

    def follow(self, config: Config) -> Page:
        """Measure states, energy and gradients of one contestant with the common weights."""
        parts = self._deployed(config)
        batch = parts.batch("test", np.sort(parts.draw("test", FOLLOWED, "comparison")))
        engine, schedule = parts.engine, parts.estimator.free.whole(STEPS)
        settled = engine.settle(batch, schedule, record=("states", "energy"))
        trace = settled.trace.states if settled.trace else []
        states = [{name: engine.to_numpy(value) for name, value in state.values.items()} for state in trace]
        draws = [self._gradient(parts, batch, n) for n in range(1 if config.chip is None else DRAWS)]
        bptt = yardsticks.BPTT(CONVERGED, parts.config.settling.nudged_steps, order="layerwise")
        exact = bptt.gradient(yardsticks.as_reference(engine), batch)
        self.followed = self.followed or {"states": states, "gradient": exact}
        nominal = self.followed["gradient"]
        rows = [alignment(name, [draw[name] for draw in draws], exact[name], nominal[name]) for name in nominal]
        rows = self._parted(parts, batch, rows, exact)
        pairs = list(zip(states, self.followed["states"], strict=True))
        miss = angles.relative_error
        divergence = {name: [miss(now[name], then[name]) for now, then in pairs] for name in states[0]}
        energy = [float(np.mean(entry)) for entry in settled.trace.energy] if settled.trace else []
        return {"divergence": divergence, "energy": energy, "gradient": rows}

    def _parted(self, parts: Session, batch: Batch, rows: list[Alignment], exact: Gradient) -> list[Alignment]:
        """Add to each row what both phases share, and what differs between them."""
        count = 1 if parts.config.chip is None else PARTED
        age = 0.0 if parts.config.chip is None else parts.config.chip.device.age
        probe = Probe(parts.estimator, [batch.keyed("compare", draw) for draw in range(count)], age=age)
        found, null = probe.measured(parts.engine), probe.measured(parts.engine, NULL)
        ideal = replace(probe, batches=probe.batches[:1]).wanted(parts.engine)[0]
        parted = []
        for row in rows:
            name, wanted = row.parameter, exact[row.parameter]
            common = [one[name] - other[name] for one, other in zip(found, null, strict=True)]
            parted.append(
                replace(
                    row,
                    exact_phases=angles.cosine(ideal[name], wanted),
                    common=_mean([angles.cosine(value, wanted) for value in common]),
                    common_error=_mean([angles.relative_error(value, wanted) for value in common]),
                    differing_error=_mean([_size(other[name], wanted) for other in null]),
                )
            )
        return parted

    def _gradient(self, parts: Session, batch: Batch, draw: int) -> Mapping[str, np.ndarray]:
        """Return the estimator's gradient with a draw of the reads' noise of its own."""
        return parts.estimator.gradient(parts.engine, batch.keyed("compare", draw), step=0)
