"""Evaluate a run: as it was trained, on another engine, or deployed on a chip with several programming seeds.

    found = neuroep.evaluate("runs/reviews")                          # one evaluation
    found = neuroep.deploy("runs/reviews", chip="pcm", seeds=5)       # mean and spread

Weights programmed on a chip other than the run's own are those of its checkpoint, and ranges are calibrated on its
training samples. On its own chip a run goes on with the very devices, conductances and ranges that it was trained with:
at the chip's ``device.age`` after their last write, or at another age, without a new write.

    found = neuroep.evaluate("runs/pcm", overrides=["--chip.device.age", "3600.0"])
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw_models.chip import Chip, pages
from hw_models.keywords import checked
from hw_models.reading import Page
from hw_models.text import lined
from neuroep.errors import ConfigError, given_as
from neuroep.runs import directory as runs
from neuroep.runs.arguments import check_kind, check_overrides, check_path, whole
from neuroep.runs.bills import quantity
from neuroep.runs.evaluation import Evaluation
from neuroep.runs.session import Session
from neuroep.runs.tables import Tabular

PRICED = {"energy": "J", "latency": "s", "area": "m^2"}
"""What a classification takes, and the units."""


@dataclass(frozen=True, repr=False)
class Deployment(Tabular):
    """Evaluations of the same weights on chips of several seeds."""

    chip: str
    seeds: tuple[int, ...]
    evaluations: tuple[Evaluation, ...]

    @property
    def accuracy(self) -> float:
        """Mean accuracy."""
        return float(np.mean([found.accuracy for found in self.evaluations]))

    @property
    def spread(self) -> float:
        """Standard deviation of the accuracy over the seeds (n - 1); nan for one seed."""
        accuracies = [found.accuracy for found in self.evaluations]
        return float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else float("nan")

    @property
    def cost(self) -> dict[str, float]:
        """Joules, seconds and square metres of a classification, means over the seeds, where these are known."""
        pages = [found.cost.as_dict() for found in self.evaluations if found.cost is not None]
        names = [name for name in ("energy", "latency", "area") if pages and pages[0][name] is not None]
        return {name: float(np.mean([page[name] for page in pages])) for name in names}

    def as_dict(self) -> Page:
        """Return plain values."""
        found = {str(seed): evaluation.as_dict() for seed, evaluation in zip(self.seeds, self.evaluations, strict=True)}
        bill = {"cost": self.cost} if self.cost else {}
        return {"chip": self.chip, "accuracy": self.accuracy, "spread": self.spread, **bill, "seeds": found}

    def table(self) -> list[Page]:
        """Return a row for each seed; energy, latency and area in SI units where they are known."""
        rows = []
        for seed, found in zip(self.seeds, self.evaluations, strict=True):
            values = {name: value for name, value in found.as_dict().items() if isinstance(value, str | int | float)}
            bill = {} if found.cost is None else found.cost.as_dict()
            paid = {name: bill[name] for name in ("energy", "latency", "area") if bill.get(name) is not None}
            rows.append({"chip": self.chip, "seed": seed, **values, **paid})
        return rows

    def units(self) -> dict[str, str]:
        """Return the units of energy, latency and area."""
        return PRICED

    def caption(self) -> str:
        """Return mean and spread, and at what age the devices were read."""
        count = len(self.seeds)
        return "\n".join(self.as_text().splitlines()[count : count + (2 if self.aged else 1)])

    @property
    def aged(self) -> str:
        """At what age the devices were read, as an evaluation says it."""
        return self.evaluations[0].aged

    def as_text(self) -> str:
        """Return a line for each seed, mean and spread, and what a classification takes."""
        lines = [
            f"seed {seed}: {evaluation.as_text().splitlines()[0]}"
            for seed, evaluation in zip(self.seeds, self.evaluations, strict=True)
        ]
        spread = f" +- {self.spread:.4f} (standard deviation)" if len(self.seeds) > 1 else ""
        lines.append(f"{self.chip}: accuracy {self.accuracy:.4f}{spread} over {len(self.seeds)} seeds")
        lines += [self.aged] if self.aged else []
        bill = self.evaluations[0].cost
        if bill is not None:
            told = ", ".join(f"{name} {quantity(value, PRICED[name])}" for name, value in self.cost.items())
            lines.append(f"classification, mean over the seeds: {told}; leaves out: {', '.join(bill.leaves_out)}")
        return lined(lines)


@checked(ConfigError)
def evaluate(
    run: str | Path,
    split: str = "test",
    overrides: Sequence[str] = (),
    *,
    chip: Chip | str | Path | None = None,
    devices: str = "keep",
    progress: bool = False,
) -> Evaluation:
    """Evaluate the last checkpoint of a run directory.

    Parameters
    ----------
    run : str or Path
        Run directory.
    split : str
        Name of the split.
    overrides : sequence of str
        Settings to change, for example ``["--engine", "reference"]`` or ``["--data.path", "elsewhere"]``.
    chip, devices
        As of :meth:`neuroep.runs.session.Session.open`.
    progress : bool
        Show a bar on a terminal.

    Raises
    ------
    CheckpointError
        If it is no run directory, its checkpoint cannot be read, or an override describes another network.
    ConfigError, DataError, ChipError
        If an override, the data or the chip cannot be.
    """
    session = _session(run, split, overrides, chip, devices)
    return session.evaluate(split, progress=progress)


@checked(ConfigError)
def deploy(
    run: str | Path,
    split: str = "test",
    overrides: Sequence[str] = (),
    *,
    chip: Chip | str | Path | None = None,
    seeds: int = 1,
    progress: bool = False,
) -> Deployment:
    """Program the weights of a run on a chip again and again, with chip seeds 0, 1, ..., and evaluate each.

    Parameters
    ----------
    run, split, overrides, chip, progress
        As for :func:`evaluate`; a chip must be named unless the run has one.
    seeds : int
        Number of chips, from 1.

    Raises
    ------
    ConfigError
        If there is no chip, or the number is below 1; else as :func:`evaluate`.
    """
    check_path("run", run, "a run directory")
    check_overrides(overrides)
    seeds = whole("seeds", seeds)
    if any(name.lstrip("-").replace("-", "_").endswith("chip_seed") for name in overrides[::2]):
        raise ConfigError(f"engine.chip_seed: with seeds = {seeds} the chips have the seeds from 0 on; leave one out")
    if chip is None and runs.load(run, overrides).config.chip is None:
        cure = f"add {given_as('--chip NAME', 'chip=NAME')}"
        raise ConfigError(f"seeds is {seeds}: it counts programmings of a chip; {cure}")
    found, name = [], ""
    for seed in range(seeds):
        session = _session(run, split, [*overrides, "--engine.chip_seed", str(seed)], chip, "program")
        name = pages.label(session.config.chip) if session.config.chip is not None else ""
        found.append(session.evaluate(split, progress=progress))
    return Deployment(name, tuple(range(seeds)), tuple(found))


def _session(
    run: str | Path, split: str, overrides: Sequence[str], chip: Chip | str | Path | None, devices: str
) -> Session:
    """Open a run directory, of whose splits only one is needed."""
    check_path("run", run, "a run directory")
    check_overrides(overrides)
    check_kind("split", split, str, "the name of a split")
    if not os.path.isdir(run):
        runs.load(run)  # says why it is none
    given = [*overrides, "--training.evaluate", split]
    return Session.open(run, chip=chip, devices=devices, overrides=given)
