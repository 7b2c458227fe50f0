"""Evaluate a run: as it was trained, on another engine, or deployed on a chip with several programming seeds.

    found = neuroep.deployment.evaluate_run("runs/imdb")                                      # one evaluation
    found = neuroep.deployment.deploy("runs/imdb", overrides=["--chip", "pcm"], seeds=5)      # mean and spread

Weights programmed on a chip other than the run's own are those of its checkpoint, and ranges are calibrated on its
training samples. On its own chip a run goes on with the very devices, conductances and ranges that it was trained with:
at the chip's ``device.age`` after their last write, or at another age, without a new write.

    found = neuroep.deployment.evaluate_run("runs/pcm", overrides=["--chip.device.age", "3600.0"])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hw_models.chip import pages
from hw_models.keywords import checked
from hw_models.text import lined
from neuroep.errors import ConfigError, DataError
from neuroep.runs import directory as runs
from neuroep.runs.building import Assembly, assemble, calibrate
from neuroep.runs.checkpoints import Checkpoint
from neuroep.runs.config import Config
from neuroep.runs.evaluation import Evaluation, evaluate
from neuroep.runs.overrides import dotted


@dataclass(frozen=True)
class Deployment:
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

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        found = {str(seed): evaluation.as_dict() for seed, evaluation in zip(self.seeds, self.evaluations, strict=True)}
        return {"chip": self.chip, "accuracy": self.accuracy, "spread": self.spread, "seeds": found}

    def as_text(self) -> str:
        """Return a line for each seed, and mean and spread."""
        lines = [
            f"seed {seed}: {evaluation.as_text().splitlines()[0]}"
            for seed, evaluation in zip(self.seeds, self.evaluations, strict=True)
        ]
        spread = f" +- {self.spread:.4f}" if len(self.seeds) > 1 else ""
        return lined([*lines, f"{self.chip}: accuracy {self.accuracy:.4f}{spread} over {len(self.seeds)} seeds"])


@checked(ConfigError)
def evaluate_run(
    path: str | Path, split: str = "test", overrides: Sequence[str] = (), *, progress: bool = False
) -> Evaluation:
    """Evaluate the last checkpoint of a run directory.

    Parameters
    ----------
    path : str or Path
        Run directory.
    split : str
        Name of the split.
    overrides : sequence of str
        Settings to change, for example ``["--engine", "reference"]``, ``["--chip", "pcm"]`` or
        ``["--data.path", "elsewhere"]``.
    progress : bool
        Show a bar on a terminal.

    Raises
    ------
    CheckpointError
        If it is no run directory, its checkpoint cannot be read, or an override describes another network.
    ConfigError, DataError
        If an override or the data cannot be.
    """
    run = runs.load(path, [*overrides, "--training.evaluate", split])
    kept = run.config.chip is not None and devices(run.config) == devices(runs.load(path).config)
    checkpoint = run.checkpoint(optimiser=kept)
    parts = assemble(run.config, checkpoint)
    _check_data(parts, checkpoint, overrides)
    if kept and checkpoint.optimiser:
        parts.engine.load_optimiser_state(checkpoint.optimiser)
    calibrate(parts)
    # A chip that is programmed anew reads as it does in a deployment with the same seed.
    anew = run.config.chip is not None and not kept
    return _evaluated(parts, split, progress, 0 if anew else checkpoint.about.epoch)


def _check_data(parts: Assembly, checkpoint: Checkpoint, overrides: Sequence[str]) -> None:
    """Refuse data that have changed since the run was trained, unless an override names data."""
    known, corpus = checkpoint.about.data, parts.corpus
    if not known or known == corpus.fingerprint:
        return
    chosen = ("data.", "network.tokens", "training.seed")
    if not any(dotted(name)[0].startswith(chosen) for name in overrides[::2] if name != "--chip"):
        cure = f"to evaluate on them all the same, add --data.name {corpus.name}"
        raise DataError(f"data '{corpus.name}' are not those that '{checkpoint.source}' was trained on: {cure}")


def devices(config: Config) -> tuple[Any, ...]:
    """Return what decides which devices a run has: its chip, read at whatever age, and the seed of its draws."""
    seed, chip = config.engine.chip_seed, config.chip
    if chip is not None:
        chip = chip.model_copy(update={"kept": None, "device": chip.device.model_copy(update={"age": 0.0})})
    return chip, config.training.seed if seed is None else seed


@checked(ConfigError)
def deploy(
    path: str | Path,
    split: str = "test",
    overrides: Sequence[str] = (),
    *,
    seeds: int = 1,
    progress: bool = False,
) -> Deployment:
    """Program the weights of a run on a chip again and again, with chip seeds 0, 1, ..., and evaluate each.

    Parameters
    ----------
    path, split, overrides, progress
        As for :func:`evaluate_run`; overrides must name a chip unless the run has one.
    seeds : int
        Number of chips, from 1.

    Raises
    ------
    ConfigError
        If there is no chip, or the number is below 1; else as :func:`evaluate_run`.
    """
    if seeds < 1:
        raise ConfigError(f"seeds is {seeds}: allowed are whole numbers from 1")
    if any(name.lstrip("-").replace("-", "_").endswith("chip_seed") for name in overrides[::2]):
        raise ConfigError(f"engine.chip_seed: with seeds = {seeds} the chips have the seeds from 0 on; leave one out")
    found, name = [], ""
    for seed in range(seeds):
        given = [*overrides, "--training.evaluate", split]
        chip = runs.load(path, given).config.chip
        if chip is None:
            raise ConfigError(f"seeds is {seeds}: it counts programmings of a chip; add --chip NAME")
        run = runs.load(path, [*given, "--engine.chip_seed", str(seed)])
        checkpoint = run.checkpoint(optimiser=False)
        parts = assemble(run.config, checkpoint)
        _check_data(parts, checkpoint, overrides)
        calibrate(parts)
        name = pages.label(chip)
        found.append(_evaluated(parts, split, progress, 0))
    return Deployment(name, tuple(range(seeds)), tuple(found))


def _evaluated(parts: Assembly, split: str, progress: bool, epoch: int) -> Evaluation:
    order, batch = parts.config.evaluation_order, parts.config.training.batch
    free = parts.estimator.free
    shown = {"progress": progress, "occasion": (epoch,)}
    return evaluate(parts.engine, parts.corpus, split, free, batch=batch, order=order, **shown)  # type: ignore[arg-type]
