"""Run directories: everything about one training run in four plain files.

    config.toml             the resolved configuration
    environment.json        versions, machine, engine, corpus and network
    metrics.jsonl           one line per epoch
    checkpoint.safetensors  weights, optimiser state and where training stands

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
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hw_models.whole_files import opened, write_text
from neuroep import __version__, checkpoints, config as configuration
from neuroep.checkpoints import Checkpoint
from neuroep.config import Config
from neuroep.errors import CheckpointError, ConfigError

CONFIG, ENVIRONMENT, METRICS, CHECKPOINT = "config.toml", "environment.json", "metrics.jsonl", "checkpoint.safetensors"
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
    }
)
"""Settings that may change when a run is resumed; that the data are the same is seen from the corpus's fingerprint."""


@dataclass(frozen=True)
class Run:
    """A run directory."""

    path: Path
    config: Config

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, machine, engine, corpus and network of the first start."""
        return json.loads((self.path / ENVIRONMENT).read_text(encoding="utf-8"))

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Records of the epochs, a torn last line left out; what is no record raises ``CheckpointError``."""
        return _records(self.path / METRICS)

    def checkpoint(self, *, optimiser: bool = True) -> Checkpoint:
        """Read the last good checkpoint; see :func:`neuroep.checkpoints.load`."""
        return checkpoints.load(self.path / CHECKPOINT, optimiser=optimiser)

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint; see :func:`neuroep.checkpoints.save`."""
        checkpoints.save(self.path / CHECKPOINT, checkpoint)

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one line to the metrics and flush it to the disk."""
        with opened(self.path / METRICS, "a") as file:
            file.write(as_json(record) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def rewind(self, epoch: int) -> None:
        """Drop the records beyond an epoch, and a torn last line.

        Raises
        ------
        CheckpointError
            If the record of that epoch is missing; epoch 0 has none.
        """
        kept = [record for record in self.metrics if record["epoch"] <= epoch]
        last = kept[-1]["epoch"] if kept else 0
        if last != epoch:
            raise CheckpointError(f"{self.path / METRICS} ends before the checkpoint: at epoch {last}, not {epoch}")
        write_text(self.path / METRICS, "".join(as_json(record) + "\n" for record in kept))

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
    path = Path(path)
    if not path.is_dir():
        raise CheckpointError(f"run directory '{path}' does not exist")
    for name in (CONFIG, CHECKPOINT):
        if not (path / name).is_file():
            raise CheckpointError(f"'{path}' is no run directory: it has no {name}")
    return Run(path, configuration.load(path / CONFIG, overrides))


def check_free(path: str | Path, cure: str = "choose a new or empty one") -> None:
    """Refuse a directory that cannot appear by being renamed, or that would be overwritten.

    Parameters
    ----------
    path : str or Path
        The directory to come.
    cure : str
        What to do about one that holds something, the end of the error line.

    Raises
    ------
    ConfigError
        If it is the working directory or one above, is a file, or holds anything.
    """
    path = Path(path)
    if path.name in ("", "..") or Path.cwd().is_relative_to(os.path.realpath(path)):
        raise ConfigError(f"out is '{path}': name a new directory, as the run directory is renamed into place")
    if path.exists() and not path.is_dir():
        raise ConfigError(f"output '{path}' is a file: a new or empty directory is needed")
    if path.is_dir() and any(path.iterdir()):
        raise ConfigError(f"output directory '{path}' is not empty: {cure}")


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a temporary folder to write to; it becomes ``path`` at the end, and vanishes if anything fails.

    Raises
    ------
    ConfigError
        If ``path`` is not free, or cannot be written.
    """
    check_free(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        yield partial
        try:
            partial.replace(path)
        except OSError as error:
            raise _unwritable(path, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def create(path: str | Path, config: Config, environment: Mapping[str, Any], checkpoint: Checkpoint) -> Run:
    """Write a run directory under a temporary name, then give it its own.

    Raises
    ------
    ConfigError
        If the directory exists and is not empty, or cannot be written.
    CheckpointError
        If the checkpoint cannot be written.
    """
    path = Path(path)
    try:
        with appearing(path) as partial:
            (partial / CONFIG).write_text(config.to_toml(), encoding="utf-8")
            (partial / ENVIRONMENT).write_text(as_json(environment, indent=2) + "\n", encoding="utf-8")
            (partial / METRICS).touch()
            checkpoints.save(partial / CHECKPOINT, checkpoint)
    except OSError as error:
        raise _unwritable(path, error) from None
    return Run(path, config)


def environment(**parts: Any) -> dict[str, Any]:
    """Describe where a run is made.

    Parameters
    ----------
    **parts
        What else is to be recorded, for example ``engine=engine.describe()``.
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "packages": {"neuroep": __version__} | {name: found for name in PACKAGES if (found := _version(name))},
        **parts,
    }


def config_hash(config: Config) -> str:
    """Hash the settings that must not change over a run."""
    fixed = {name: value for name, value in config.flat().items() if name not in CHANGEABLE}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]


def check_unchanged(old: Config, new: Config, where: str | Path) -> None:
    """Refuse to go on with other settings.

    Raises
    ------
    ConfigError
        Naming the first setting that differs, and both values.
    """
    before, after = old.flat(), new.flat()
    for name in sorted((before.keys() | after.keys()) - CHANGEABLE):
        if before.get(name) != after.get(name):
            values = f"the run has {_shown(before.get(name))}, the configuration {_shown(after.get(name))}"
            raise ConfigError(f"cannot resume '{where}': {name} differs: {values}")


def as_json(value: Any, indent: int | None = None) -> str:
    """Return JSON that any reader takes: numbers that are not finite become null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _records(path: Path) -> list[dict[str, Any]]:
    """Read lines of JSON; a last line without its end was torn by a kill and does not count."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError:
            raise CheckpointError(f"{path}: line {number} is no JSON") from None
        if not isinstance(record, dict) or type(record.get("epoch")) is not int:
            raise CheckpointError(f"{path}: line {number} is no record of an epoch")
        records.append(record)
    return records


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"output directory '{path}' cannot be written: {error.strerror or error}")


def _shown(value: Any) -> str:
    return "none" if value is None else repr(value)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
