"""Run directories: everything about one training run in four plain files.

    config.toml             the resolved configuration
    environment.json        versions, machine, engine, corpus and network
    metrics.jsonl           one line per epoch
    checkpoint.safetensors  weights, optimiser state and where training stands
    lock                    held while training writes here (:mod:`neuroep.runs.locks`)

The four belong together: the checkpoint has the hash of the settings that must not change and digests of its tensors,
and names the run; the environment and each line of metrics have that name and a digest of their own
(:mod:`neuroep.runs.seals`). What is damaged, or another run's, is refused in one line. Settings that may change
(``CHANGEABLE``) may be edited in ``config.toml``.

A directory appears under its name only when complete. A line of metrics is written before the checkpoint of its epoch,
so what a kill leaves behind is at most one line too many, and ``rewind`` drops it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hw_models.chip.description import PRICES, Chip
from hw_models.reading import Entries, Page, parse_json, read_json
from hw_models.text import shown
from hw_models.whole_files import opened, write_text
from neuroep import __version__
from neuroep.errors import CheckpointError, ConfigError, given_as, reason
from neuroep.runs import checkpoints, config as configuration, seals, version_0_1
from neuroep.runs.checkpoints import Checkpoint
from neuroep.runs.config import Config
from neuroep.runs.folders import absence, appearing, unwritable
from neuroep.runs.layout import CHECKPOINT, CONFIG, ENVIRONMENT, METRICS
from neuroep.runs.tables import Tabular, flat

PACKAGES = ("numpy", "scipy", "numba", "torch", "safetensors", "datasets", "gensim", "pydantic")
CHANGEABLE = frozenset(
    {
        "training.epochs",
        "training.evaluate",
        "training.probe",
        "engine.threads",
        "data.path",
        "data.vectors",
        "data.cache",
        "chip.citation",
        "chip.url",
        "chip.caveat",
        "chip.kept",
        *(f"chip.{name}" for name in PRICES),
    }
)
"""Settings that may change when a run is resumed; that the data are the same is seen from the corpus's fingerprint.
Of a chip also those that act on its bill alone as it is, see :func:`changeable`."""


@dataclass(frozen=True, repr=False)
class Run(Tabular):
    """A run directory."""

    path: Path
    config: Config

    @property
    def environment(self) -> Page:
        """Versions, machine, engine, corpus and network of the first start.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged, or another run's: with what can be done without it.
        """
        path = self.path / ENVIRONMENT
        resumed = given_as("--from with --resume", "start= with resume=True")
        cure = f"evaluating and resuming do not need it, a report and {resumed} do"
        try:
            page = read_json(path)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"'{path}' is damaged: {reason(error)}; {cure}") from None
        if not isinstance(page, dict):
            raise CheckpointError(f"'{path}' is damaged: it holds no table; {cure}")
        saved = self._about
        fault = seals.fault(page, saved.run) if saved.about.format > checkpoints.OLD else ""
        if fault:
            raise CheckpointError(f"'{path}' {fault}; {cure}")
        return seals.opened(page)

    @property
    def metrics(self) -> list[Page]:
        """Records of the epochs, a torn last line left out; what is no record raises ``CheckpointError``."""
        found, saved = _records(self.path / METRICS), self._about
        _check_records(self.path / METRICS, found, saved)
        _check_length(self.path / METRICS, found, saved.about.epoch)
        return [seals.opened(record) for record, _ in found]

    def table(self) -> list[Page]:
        """Return a row for each epoch, the numbers of its record by dotted names: ``evaluate.test.accuracy``."""
        return [flat(record) for record in self.metrics]

    def summary(self) -> list[Page]:
        """Return epoch, loss and accuracies."""
        told = ("epoch", "updates", "train.loss", "train.accuracy")
        return [
            {name: value for name, value in row.items() if name in told or name.endswith(".accuracy")}
            for row in self.table()
        ]

    def caption(self) -> str:
        """Return where it is, and what was trained."""
        network, chip = self.config.network, self.config.chip
        on = "" if chip is None else f" on chip {chip.name}"
        return f"run {self.path}: {network.kind} network, dense {list(network.dense)}, data {self.config.data.name}{on}"

    @property
    def _about(self) -> Checkpoint:
        return checkpoints.load_about(self.path / CHECKPOINT)

    @property
    def name(self) -> str:
        """Name of the run, which all its files have: the seal of its first checkpoint."""
        return self._about.run

    def checkpoint(self, *, optimiser: bool = True) -> Checkpoint:
        """Read the last good checkpoint; see :func:`neuroep.runs.checkpoints.load`.

        Raises
        ------
        CheckpointError
            If it is damaged, or ``config.toml`` is not that of the checkpoint.
        """
        found = checkpoints.load(self.path / CHECKPOINT, optimiser=optimiser)
        if found.about.config and found.about.config != config_hash(configuration.load(self.path / CONFIG)):
            cure = f"other settings can be given {given_as('on the command line', 'as overrides')}"
            raise CheckpointError(
                f"checkpoint of '{self.path}' was made with another configuration than its {CONFIG}: {cure}"
            )
        return found

    def save(self, checkpoint: Checkpoint, record: Entries | None = None) -> None:
        """Replace the checkpoint, and before it add the record of its epoch to the metrics.

        A kill in between leaves a line too many, which :meth:`rewind` drops.
        """
        if record is not None:
            self.append(record, checkpoint.run)
        checkpoints.save(self.path / CHECKPOINT, checkpoint)

    def append(self, record: Entries, run: str | None = None) -> None:
        """Add one line to the metrics and flush it to the disk; ``run`` is its name, default as the checkpoint says."""
        line = as_json(seals.sealed(plain(record), self._about.run if run is None else run))
        with opened(self.path / METRICS, "a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def rewind(self, epoch: int) -> None:
        """Drop the records beyond an epoch, and a torn last line.

        Raises
        ------
        CheckpointError
            If the record of that epoch is missing; epoch 0 has none.
        """
        path = self.path / METRICS
        kept = [(record, line) for record, line in _records(path) if record["epoch"] <= epoch]
        _check_length(path, kept, epoch)
        _check_records(path, kept, self._about)
        write_text(path, "".join(f"{line}\n" for _, line in kept))

    def reconfigured(self, config: Config) -> Run:
        """Write changed settings down and return the run with them.

        Raises
        ------
        ConfigError
            If a setting differs that must stay, with its two values.
        """
        check_unchanged(self.config, config, self.path)
        write_text(self.path / CONFIG, config.to_toml())
        return replace(self, config=config)


def load(path: str | Path, overrides: Sequence[str] = ()) -> Run:
    """Open a run directory.

    Parameters
    ----------
    path : str or Path
        The directory.
    overrides : sequence of str
        Settings to change for what is to be done with it; nothing is written.

    Raises
    ------
    CheckpointError
        If it is no run directory.
    ConfigError
        If its configuration, or an override, cannot be.
    """
    if not isinstance(path, str | Path):
        raise CheckpointError(f"path is {shown(path)}: the name of a run directory is needed")
    path = Path(path)
    if not os.path.isdir(path):
        raise CheckpointError(f"run directory '{path}' {absence(path)}")
    for name in (CONFIG, CHECKPOINT):
        if not os.path.isfile(path / name):
            raise CheckpointError(f"'{path}' is no run directory: it has no {name}")
    return Run(path, configuration.load(path / CONFIG, overrides))


def create(path: str | Path, config: Config, environment: Entries, checkpoint: Checkpoint) -> Run:
    """Write a run directory under a temporary name, then give it its own.

    Raises
    ------
    ConfigError
        If the directory exists and is not empty, or cannot be written.
    CheckpointError
        If the checkpoint cannot be written.
    """
    path = Path(path)
    about = checkpoints.page(checkpoint)
    run = checkpoint.about.run or about[seals.SEAL]
    try:
        with appearing(path) as partial:
            (partial / CONFIG).write_text(config.to_toml(), encoding="utf-8")
            text = as_json(seals.sealed(plain(environment), run), indent=2)
            (partial / ENVIRONMENT).write_text(text + "\n", encoding="utf-8")
            (partial / METRICS).touch()
            checkpoints.save(partial / CHECKPOINT, checkpoint, about)
    except OSError as error:
        raise unwritable(path, error) from None
    return Run(path, config)


def environment(parts: Entries | None = None) -> Page:
    """Describe where a run is made.

    Parameters
    ----------
    parts : mapping, optional
        What else is to be recorded, for example ``{"engine": engine.describe()}``.
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "packages": {"neuroep": __version__} | {name: found for name in PACKAGES if (found := _version(name))},
        **(parts or {}),
    }


def changeable(config: Config) -> frozenset[str]:
    """Return the settings of a run that may change when it is resumed."""
    prices = frozenset() if config.chip is None else config.chip.prices
    return CHANGEABLE | {f"chip.{name}" for name in prices}


def config_hash(config: Config) -> str:
    """Hash the settings that must not change over a run.

    Those that version 0.1 did not have count only where they differ from their defaults: whatever setting is added,
    runs that were made without it keep their hash.
    """
    usual, free = _defaults(), changeable(config)
    fixed = {
        name: value
        for name, value in config.flat().items()
        if name not in free and (name in version_0_1.SETTINGS or name not in usual or value != usual[name])
    }
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _defaults() -> Page:
    """Return the defaults of all settings by dotted name, but of those that are unset."""
    return Config(chip=Chip()).flat()


def check_unchanged(old: Config, new: Config, where: str | Path) -> None:
    """Refuse to go on with other settings.

    Raises
    ------
    ConfigError
        Naming the first setting that differs, and both values.
    """
    before, after = old.flat(), new.flat()
    for name in sorted((before.keys() | after.keys()) - (changeable(old) & changeable(new))):
        if before.get(name) != after.get(name):
            values = f"the run has {_shown(before.get(name))}, the configuration {_shown(after.get(name))}"
            raise ConfigError(f"cannot resume '{where}': {name} differs: {values}")


def as_json(value: object, indent: int | None = None) -> str:
    """Return JSON that any reader takes: numbers that are not finite become null."""
    return json.dumps(plain(value), indent=indent, allow_nan=False)


def plain(value: object) -> Any:
    """Return nested values as JSON has them: numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


Lines = list[tuple[Page, str]]
"""Records with their text."""


def _records(path: Path) -> Lines:
    """Read lines of JSON; a last line without its end was torn by a kill and does not count."""
    if os.path.lexists(path) and not os.path.isfile(path):
        raise CheckpointError(f"'{path}' is a directory, or a link that leads nowhere: a file is needed")
    lines = path.read_bytes().split(b"\n")[:-1] if os.path.isfile(path) else []
    records: Lines = []
    for number, line in enumerate(lines, 1):
        try:
            record, text = parse_json(line), line.decode()
        except ValueError:
            raise CheckpointError(f"{path}: line {number} is no JSON") from None
        if not isinstance(record, dict) or type(record.get("epoch")) is not int:
            raise CheckpointError(f"{path}: line {number} is no record of an epoch")
        records.append((record, text))
    return records


def _check_length(path: Path, records: Lines, epoch: int) -> None:
    """Refuse records that end before the epoch of the checkpoint."""
    last = records[-1][0]["epoch"] if records else 0
    if epoch and not path.exists():
        raise CheckpointError(f"{path} is missing, and the checkpoint has {epoch} epochs")
    if last < epoch:
        raise CheckpointError(f"{path} ends before the checkpoint: at epoch {last}, not {epoch}")


def _check_records(path: Path, records: Lines, saved: Checkpoint) -> None:
    """Refuse records that are not, one for each epoch, those of the checkpoint's run."""
    if saved.about.format == checkpoints.OLD:
        return
    for number, (record, _) in enumerate(records, 1):
        fault = seals.fault(record, saved.run)
        if not fault and record["epoch"] != number:
            fault = f"is of epoch {record['epoch']}"
        if fault:
            raise CheckpointError(f"{path}: line {number} {fault}")


def _shown(value: object) -> str:
    return "none" if value is None else shown(value)


@cache
def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
