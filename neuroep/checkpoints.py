"""Checkpoints: one safetensors file with weights, the optimiser's state, and a page of JSON about them. No pickle.

A file appears under its name only when complete: written beside it, flushed to the disk, moved over the last good one.
The bytes depend on nothing but the contents. Random numbers are keyed by (seed, what, epoch, step), so the seed and the
number of updates are all the generator state there is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from hw_models.whole_files import replaced
from neuroep.errors import CheckpointError

FORMAT = 1
"""Version of the file's layout."""
_KEY = "neuroep"


@dataclass(frozen=True)
class About:
    """What a checkpoint belongs to."""

    network: str
    """Signature of the network."""
    epoch: int
    """Epochs completed."""
    updates: int
    """Weight updates made."""
    seed: int
    """Seed of the run; with ``updates`` the whole generator state."""
    engine: str = ""
    """Engine that made it."""
    config: str = ""
    """Hash of the settings that must not change over a run."""
    data: str = ""
    """Fingerprint of the corpus; empty for imported weights."""
    format: int = FORMAT


@dataclass(frozen=True)
class Checkpoint:
    """Weights and optimiser state by name, float arrays as the engine returns them."""

    about: About
    parameters: Mapping[str, np.ndarray]
    optimiser: Mapping[str, np.ndarray] = field(default_factory=dict)
    source: str = ""
    """File it was read from."""

    def check_network(self, signature: str) -> None:
        """Refuse another network's checkpoint.

        Raises
        ------
        CheckpointError
            Naming the file and both signatures.
        """
        if self.about.network != signature:
            found = f"made by network {self.about.network}, the configuration describes {signature}"
            raise CheckpointError(f"checkpoint '{self.source}' belongs to another network: {found}")


def save(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; at every moment the name holds the last good one or the new one.

    Raises
    ------
    CheckpointError
        If the disk refuses.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path = Path(path)
    named = {f"parameters.{name}": array for name, array in checkpoint.parameters.items()}
    named |= {f"optimiser.{name}": array for name, array in checkpoint.optimiser.items()}
    tensors = {name: np.asarray(array, order="C") for name, array in named.items()}
    try:
        with replaced(path) as partial:
            save_file(tensors, partial, metadata={_KEY: json.dumps(asdict(checkpoint.about), sort_keys=True)})
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"cannot write checkpoint '{path}': {reason}") from None


def load(path: str | Path, *, optimiser: bool = True) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : str or Path
        The file.
    optimiser : bool
        Read the optimiser's state as well; two thirds of the file, needed only to go on training.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, of another kind or of a later version.
    """
    from safetensors import SafetensorError, safe_open

    held: dict[str, dict[str, np.ndarray]] = {"parameters": {}, "optimiser": {}}
    try:
        with safe_open(path, framework="numpy") as file:
            about = _about(path, file.metadata() or {})
            for key in file.keys():  # noqa: SIM118 (not a mapping)
                group, _, name = key.partition(".")
                if group in held and (optimiser or group == "parameters"):
                    held[group][name] = file.get_tensor(key)
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint '{path}' does not exist") from None
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"checkpoint '{path}' is truncated or damaged: {reason}") from None
    return Checkpoint(about, held["parameters"], held["optimiser"], str(path))


def _about(path: str | Path, metadata: Mapping[str, str]) -> About:
    try:
        page = json.loads(metadata[_KEY])
        version = page["format"]
        if version != FORMAT:
            raise CheckpointError(f"checkpoint '{path}' has format {version}: this version reads {FORMAT}")
        return About(**{f.name: page[f.name] for f in fields(About)})
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(f"'{path}' is a safetensors file, but no checkpoint of neuroep") from None
