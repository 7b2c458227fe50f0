# Tested by tests/analysis/sweep/test_plans.py
"""A trial: one configuration with one seed, and the hash of everything that affects its result.

mode ``deploy``  program a run's weights on the chip whose seed is the trial's, calibrate, evaluate
mode ``learn``   train with the trial's seed, on the chip where there is one, and evaluate after the last epoch
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

from hw_models.chip import Chip
from hw_models.reading import Entries, Page
from neuroep import __version__
from neuroep.errors import CheckpointError

MODES = ("deploy", "learn")
FORMAT = 3
"""Version of what a trial does and returns; part of its identity."""
SEEDED = {"deploy": "engine.chip_seed", "learn": "training.seed"}
"""Setting that takes the seed of a trial, by mode."""
FREE = frozenset(
    {
        "data.path",
        "data.vectors",
        "data.cache",
        "training.evaluate",
        "training.probe",
        "chip.name",
        "chip.citation",
        "chip.url",
        "chip.caveat",
        "chip.kept",
    }
)
"""Settings that cannot change a result; the data themselves are identified by their fingerprint."""


UPDATES = (
    "chip.readout.", "chip.update.", "chip.device.pulse.", "chip.events.in_place", "chip.wires.refresh_every",
    "chip.device.leak", "chip.device.retention", "chip.device.cell.refresh_", "chip.device.cell.reset",
    "chip.timing.count", "chip.timing.hold", "chip.timing.pulse", "chip.timing.row",
)  # fmt: skip
"""Settings of a chip that act on updates alone, by how they begin: a deployment makes none, and programs once."""
DEPLOYED = frozenset({"chip.update.scheme", *(f"chip.device.pulse.w_{end}" for end in ("max", "min"))})
DEPLOYED |= {f"{name}_spread" for name in DEPLOYED if name.startswith("chip.device")}
DEPLOYED |= {f"chip.update.{name}" for name in ("fill", "scaling", "transfer.tiles")}
DEPLOYED |= {
    f"chip.{name}"
    for name, each in Chip.settings().items()
    if name.startswith("update.") and cast(Page, each.json_schema_extra)["when"] != "update"
}
DEPLOYED |= {f"chip.device.pulse.{name}" for name in ("corrupt", "corrupt_range", "dw_min", "write_noise")}
"""But those: where weights are held, the bounds to which a programmed one is cut, the share of them that weights fill,
devices that hold another weight, write noise, in steps of dw_min, which arrays are read together, and of the update's
own table what acts at programming or in reads."""
PULSED = ("chip.update.verify.rounds", "chip.update.zero_shift")
"""Settings with which programming takes pulses: a deployment then sees how devices answer them."""


CALIBRATION = ("estimator.", "settling.nudged_", "chip.calibration_samples")
"""Settings that a deployment sees only in ranges calibrated on training samples, in all phases, by how they begin."""
CHOICE = {"training.seed", "data.limit", "data.validation"}
"""Settings that choose the training samples, and those held out."""


def acts_on_updates_alone(name: str, settings: Entries) -> bool:
    """Tell a setting of a chip that a deployment cannot see, given all of them."""
    if name.startswith(("chip.update.", "chip.device.pulse.")) and any(settings.get(each) for each in PULSED):
        return False
    return name.startswith(UPDATES) and name not in DEPLOYED


def acts_on_calibration_alone(name: str, task: Task, settings: Entries) -> bool:
    """Tell a setting that a deployment sees only where it calibrates: others see what is chosen to be evaluated."""
    chosen = settings.get("data.limit") is not None or bool(settings.get("data.validation"))
    evaluated = chosen and task.split in ("train", "validation")
    return name.startswith(CALIBRATION) or (name in CHOICE and not evaluated)


def is_calibrated(chip: Chip) -> bool:
    """Tell whether a deployment on a chip looks for ranges; those of what is read out act on updates alone."""
    return chip.model_copy(update={"readout": type(chip.readout)()}).calibrates


@dataclass(frozen=True)
class Task:
    """What all trials of a sweep share."""

    mode: str
    split: str = "test"
    """Split that is evaluated."""
    samples: int | None = None
    """Evaluate at most that many, drawn by the trial's seed; unset means all."""
    start: Path | None = None
    """Run directory of the weights: those deployed, or those that learning starts from."""
    checkpoint: str = ""
    """Hash of that run's checkpoint file."""


@dataclass(frozen=True)
class Trial:
    """One configuration with one seed."""

    task: Task
    settings: Entries
    """The resolved configuration by dotted name; the setting that takes the seed does not count."""
    tables: Entries = field(repr=False)
    """The same as nested tables."""
    seed: int
    data: str
    """Fingerprint of the whole corpus, before anything is cut or chosen."""
    values: Entries
    """Varied fields."""

    @cached_property
    def id(self) -> str:
        """BLAKE2 hash over everything that affects the result."""
        return identity(self.task, self.settings, self.data, self.seed)

    def spec(self, threads: int) -> Page:
        """Return the trial as plain values that JSON can hold, for a worker of that many threads."""
        task = self.task
        section, _, leaf = SEEDED[task.mode].partition(".")
        tables = {**self.tables, section: {**self.tables.get(section, {}), leaf: self.seed}}
        return {
            "id": self.id,
            "mode": task.mode,
            "config": tables,
            "seed": self.seed,
            "split": task.split,
            "samples": task.samples,
            "start": None if task.start is None else str(task.start),
            "checkpoint": task.checkpoint,
            "data": self.data,
            "version": __version__,
            "threads": threads,
        }


def free_settings(task: Task, settings: Entries) -> set[str]:
    """Return the settings that are no part of a trial's result, or that the trial sets itself."""
    found = {*FREE, SEEDED[task.mode]}
    # The local engine gives the same bits for any number of threads; torch does not.
    if settings.get("engine.kind") == "local":
        found.add("engine.threads")
    if task.mode == "deploy":
        found |= {name for name in settings if acts_on_updates_alone(name, settings)}
    # Weights that are given were trained already.
    if task.mode == "deploy" and task.start is not None:
        found |= {"training.epochs", *(name for name in settings if name.startswith("optimiser."))}
    return found


def identity(task: Task, settings: Entries, data: str, seed: int) -> str:
    """Return the hash of a trial: task, settings, data, seed, weights, and version of the code.

    Parameters
    ----------
    task : Task
        Mode, split, samples and weights.
    settings : mapping
        The resolved configuration by dotted name.
    data : str
        Fingerprint of the corpus.
    seed : int
        Of the trial.
    """
    left_out = free_settings(task, settings)
    page = {
        "format": FORMAT,
        "version": __version__,
        "mode": task.mode,
        "split": task.split,
        "samples": task.samples,
        "checkpoint": task.checkpoint,
        "data": data,
        "seed": seed,
        "settings": {name: value for name, value in settings.items() if name not in left_out},
    }
    return hashlib.blake2b(json.dumps(page, sort_keys=True).encode(), digest_size=16).hexdigest()


def file_hash(path: str | Path) -> str:
    """Return the BLAKE2 hash of a file's bytes.

    Raises
    ------
    CheckpointError
        If it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot read '{path}': {error.strerror or error}") from None
