"""Checkpoints: one safetensors file of weights, optimiser state, a chip's devices, and a page of JSON. No pickle.

A file appears under its name only when complete: written beside it, flushed to the disk, moved over the last good one.
The bytes depend on nothing but the contents. Every tensor is listed on the page with a digest, and the page has one of
its own: a flipped bit, a missing tensor or one of another shape is refused. Random numbers are keyed by (seed, what,
epoch, step), so the seed and the number of updates are all the generator state there is.

Files of format 2, of version 0.1, keep the devices among the optimiser's state and are read and resumed like any other.
Files of format 1 have no digests: their weights are still read, to be evaluated or to start from; training is not
resumed from them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hw_models.reading import Entries, Page, parse_json
from hw_models.whole_files import replaced
from neuroep.errors import CheckpointError, DataError, reason
from neuroep.learning.optimisers import SGD, Adam
from neuroep.runs import seals

if TYPE_CHECKING:
    from safetensors import safe_open

FORMAT = 3
"""Version of the file's layout: from 2 on all tensors are listed with digests, from 3 on devices have a section."""
MIXED = 2
"""Last version that keeps devices among the optimiser's state."""
OLD = 1
"""Version without digests: its weights can still be read, but no training resumed."""
_KEY = "neuroep"
_MOMENTS = (*Adam.moments, *SGD(momentum=0.5).moments)
_OF_THE_RULE = re.compile(rf"[^.]+\.(?:updates|(?:weight|bias)\.(?:{'|'.join(_MOMENTS)}))")
"""Names of moments and update counts, told from those of devices where both are kept together."""
TENSORS = "tensors"
"""Entry of the page with the digest of each tensor."""


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
    vectors: Mapping[str, str] = field(default_factory=dict)
    """What it keeps of the data, :meth:`neuroep.data.Corpus.kept`: digests of some words' vectors, or what numbers were
    standardised by; empty for imported weights."""
    classes: Sequence[str] = field(default_factory=list)
    """Names of the classes, as the outputs stand for them; empty where they are not known."""
    run: str = ""
    """Seal of the run's first checkpoint, which names the run; empty in that one."""
    format: int = FORMAT


@dataclass(frozen=True)
class Checkpoint:
    """Weights, optimiser state and devices by name, arrays as the engine returns them."""

    about: About
    parameters: Mapping[str, np.ndarray]
    optimiser: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Moments of the update rule and the number of updates of each synapse."""
    devices: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What a chip keeps: conductances, device draws, counts, converter ranges; empty without a chip."""
    source: str = ""
    """File it was read from."""
    seal: str = ""
    """Digest of its page as it was read, and so of everything in the file."""

    @property
    def run(self) -> str:
        """Name of the run it belongs to."""
        return self.about.run or self.seal

    def emptied(self) -> Checkpoint:
        """Return what it says of itself, without its arrays."""
        return replace(self, parameters={}, optimiser={}, devices={})

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

    def check_classes(self, classes: Sequence[str], data: str) -> None:
        """Refuse data whose classes are others than those that the outputs stand for.

        Plain numbers, 0 and on, name nothing: they are told from no names of as many classes.

        Parameters
        ----------
        classes : sequence of str
            Theirs.
        data : str
            Their name, for the error's line.

        Raises
        ------
        DataError
            Naming the classes of both.
        """
        known, numbers = list(self.about.classes), [str(number) for number in range(len(classes))]
        if known and known != list(classes) and numbers not in (known, list(classes)):
            found = f"classes {', '.join(classes)}, '{self.source}' was trained with {', '.join(known)}"
            raise DataError(f"data '{data}' has {found}: give labels those names")


def page(checkpoint: Checkpoint) -> Page:
    """Return what a checkpoint's file says of itself: what it belongs to, digests of all tensors, and its seal."""
    digests = {name: seals.of_array(name, array) for name, array in _tensors(checkpoint).items()}
    whole = {**asdict(checkpoint.about), "format": FORMAT, TENSORS: digests}
    return {**whole, seals.SEAL: seals.of_page(whole)}


def save(path: str | Path, checkpoint: Checkpoint, about: Entries | None = None) -> None:
    """Write a checkpoint; at every moment the name holds the last good one or the new one.

    Parameters
    ----------
    path : str or Path
        The file.
    checkpoint : Checkpoint
        What to write.
    about : mapping, optional
        Its :func:`page`, where it has been made already.

    Raises
    ------
    CheckpointError
        If the disk refuses.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path = Path(path)
    metadata = {_KEY: json.dumps(page(checkpoint) if about is None else about, sort_keys=True)}
    try:
        with replaced(path) as partial:
            save_file(_tensors(checkpoint), partial, metadata=metadata)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write checkpoint '{path}': {reason(error)}") from None


def _tensors(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    named = {f"parameters.{name}": array for name, array in checkpoint.parameters.items()}
    named |= {f"optimiser.{name}": array for name, array in checkpoint.optimiser.items()}
    named |= {f"devices.{name}": array for name, array in checkpoint.devices.items()}
    return {name: np.asarray(array, order="C") for name, array in named.items()}


def load(path: str | Path, *, optimiser: bool = True) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : str or Path
        The file.
    optimiser : bool
        Keep the optimiser's state and the devices as well; most of the file, needed only to go on with training or with
        a chip. Left out, their digests are checked all the same: a number from a damaged file is none.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, of another kind or of a later version, or a tensor is not what was written.
    """
    held: dict[str, dict[str, np.ndarray]] = {"parameters": {}, "optimiser": {}, "devices": {}}
    with _opened(path) as file:
        about, digests, seal = _read_page(path, file.metadata() or {})
        names = list(file.keys())
        for name in sorted(digests.keys() ^ set(names)) if about.format > OLD else ():
            state = "is missing" if name in digests else "does not belong there"
            raise CheckpointError(f"checkpoint '{path}' is damaged: tensor '{name}' {state}")
        for key in names:
            group, _, name = key.partition(".")
            kept = group in held and (optimiser or group == "parameters")
            if not (kept or about.format > OLD):
                continue
            array = file.get_tensor(key)
            if about.format > OLD and seals.of_array(key, array) != digests[key]:
                raise CheckpointError(f"checkpoint '{path}' is damaged: tensor '{key}' is not what was written")
            if kept:
                held[group][name] = array
    if about.format <= MIXED:
        held |= _separated(held["optimiser"])
    return Checkpoint(about, held["parameters"], held["optimiser"], held["devices"], str(path), seal)


def _separated(mixed: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Tell moments and update counts from the devices of a chip, as files of version 0.1 keep them together."""
    rule = {name: array for name, array in mixed.items() if _OF_THE_RULE.fullmatch(name)}
    return {"optimiser": rule, "devices": {name: array for name, array in mixed.items() if name not in rule}}


def load_about(path: str | Path) -> Checkpoint:
    """Read what a checkpoint says of itself, without its tensors; errors as of :func:`load`."""
    with _opened(path) as file:
        about, _, seal = _read_page(path, file.metadata() or {})
    return Checkpoint(about, {}, source=str(path), seal=seal)


@contextmanager
def _opened(path: str | Path) -> Iterator[safe_open]:
    """Open a file of safetensors; whatever it or NumPy makes of a damaged one is one line."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint '{path}' does not exist") from None
    except (OSError, SafetensorError, TypeError, ValueError, KeyError, AttributeError) as error:
        fault = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"checkpoint '{path}' is truncated or damaged: {fault}") from None


def _read_page(path: str | Path, metadata: Mapping[str, str]) -> tuple[About, dict[str, str], str]:
    """Return the checked page of a checkpoint: what it belongs to, digests by tensor, and its seal."""
    try:
        page = parse_json(metadata[_KEY])
        version = page["format"]
        if type(version) is not int or not OLD <= version <= FORMAT:
            raise CheckpointError(f"checkpoint '{path}' has format {version}: this version reads {OLD} to {FORMAT}")
        later = {"vectors": {}, "run": "", TENSORS: {}} if version == OLD else {}
        seal = seals.of_page(page)
        if version != OLD and page[seals.SEAL] != seal:
            raise CheckpointError(f"checkpoint '{path}' is damaged: its page is not what was written")
        values = {"classes": [], **later, **page}
        if any(type(values[name]) is not int for name in ("epoch", "updates", "seed")):
            raise ValueError
        if type(values["classes"]) is not list or any(type(name) is not str for name in values["classes"]):
            raise ValueError
        return About(**{f.name: values[f.name] for f in fields(About)}), values[TENSORS], seal
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(f"'{path}' is a safetensors file, but no checkpoint of neuroep") from None
