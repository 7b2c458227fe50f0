"""Read a published torch state dict into a run directory.

The published code stores ``synapses.N.weight`` and ``synapses.N.bias``, N counting projections before dense layers.
The network is seen from the shapes: one square projection is the sentiment network, four are the inference network.
Loading executes nothing from the file (``weights_only=True``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hw_models.reading import Entries
from neuroep.errors import CheckpointError
from neuroep.runs import config as configuration, directory as runs, folders, weight_files
from neuroep.runs.building import build_network
from neuroep.runs.checkpoints import About, Checkpoint
from neuroep.runs.config import Config
from neuroep.runs.directory import Run
from neuroep.runs.overrides import merged

_VECTORS = "word2vec-google-news-300"
PAPER: Mapping[str, Mapping[str, Entries]] = {
    "sentiment": {
        "network": {"kind": "sentiment", "tokens": 600, "dense": [1000, 40, 2], "mask": False},
        "data": {"name": "imdb", "vectors": _VECTORS},
        "settling": {"order": "synchronous", "free_steps": 50, "nudged_steps": 25},
        "estimator": {"kind": "centred", "beta": 0.1},
        "optimiser": {"projection_rate": 1e-4, "dense_rate": 5e-5, "decay_epochs": 100, "final_rate": 1e-5},
        "training": {"epochs": 50, "batch": 100},
    },
    "inference": {
        "network": {"kind": "inference", "tokens": 25, "dense": [400, 3], "inverse_temperature": 0.16, "mask": False},
        "data": {"name": "snli", "vectors": _VECTORS},
        "settling": {"order": "synchronous", "free_steps": 60, "nudged_steps": 30},
        "estimator": {"kind": "centred", "beta": 0.5},
        "optimiser": {"projection_rate": 5e-4, "dense_rate": 2e-4, "decay_epochs": 100, "final_rate": 1e-5},
        "training": {"epochs": 50, "batch": 200},
    },
}
"""Settings of the paper's two networks: Bal and Sengupta, IJCAI 2023 (arXiv 2209.09626)."""
MOST_DIGITS = 6
"""Of the number of a synapse."""
_KEY = re.compile(r"(?:module\.)?synapses\.([0-9]+)\.(weight|bias)")


class _Shape(NamedTuple):
    """What the shapes tell of the network."""

    kind: str
    dim: int
    tokens: int
    dense: list[int]
    projection_bias: bool


def convert(file: str | Path, out: str | Path, overrides: Sequence[str] = ()) -> Run:
    """Write a run directory that holds published weights.

    Parameters
    ----------
    file : str or Path
        torch state dict, bare or under ``state_dict`` or ``model_state_dict``, names with or without ``module.``.
    out : str or Path
        Run directory to make.
    overrides : sequence of str
        Settings that differ from the paper's, mostly ``--data.path`` and ``--data.vectors``.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or its shapes are of neither network.
    ConfigError
        If an override cannot be, or ``out`` is not empty.
    """
    folders.check_free(out)
    synapses = _synapses(file)
    shape = _shape(file, synapses)
    config = _config(shape, overrides)
    network = build_network(config, shape.dim)
    parameters: dict[str, np.ndarray] = {}
    for synapse, tensors in zip(network.synapses, synapses, strict=False):
        parameters |= {f"{synapse.name}.{part}": array for part, array in tensors.items()}
    _check_shapes(file, parameters, network.parameter_shapes())
    about = About(network.signature(), epoch=0, updates=0, seed=config.training.seed, config=runs.config_hash(config))
    page = runs.environment({"imported": Path(file).name, "network": {"signature": network.signature()}})
    return runs.create(out, config, page, Checkpoint(about, parameters))


def _config(shape: _Shape, overrides: Sequence[str]) -> Config:
    paper = PAPER[shape.kind]
    sizes = {"tokens": shape.tokens, "dense": shape.dense, "projection_bias": shape.projection_bias}
    values = {**paper, "network": {**paper["network"], **sizes}}
    return configuration.parse(merged(values, overrides), f"{shape.kind} network", given=overrides)


def _synapses(file: str | Path) -> list[dict[str, np.ndarray]]:
    """Return weights and biases in the order of their numbers."""
    numbered: dict[int, dict[str, np.ndarray]] = {}
    for key, tensor in weight_files.torch_file(file, "published weights").items():
        if match := _KEY.fullmatch(str(key)):
            if len(match[1]) > MOST_DIGITS:
                raise CheckpointError(f"'{file}': {key}: no synapse has such a number")
            if fault := weight_files.fault(tensor):
                raise CheckpointError(f"'{file}': {key} {fault}")
            array = tensor.detach().float().numpy()
            numbered.setdefault(int(match[1]), {})[match[2]] = array
    if not numbered:
        raise CheckpointError(f"'{file}' has no synapses.N.weight: expected a published state dict")
    for number in range(max(numbered) + 1):
        if "weight" not in numbered.get(number, {}):
            raise CheckpointError(f"'{file}': synapses.{number}.weight is missing, of {max(numbered) + 1} synapses")
        if numbered[number]["weight"].ndim != 2:
            raise CheckpointError(f"'{file}': synapses.{number}.weight is no matrix")
    return [numbered[number] for number in sorted(numbered)]


def _shape(file: str | Path, synapses: Sequence[Mapping[str, np.ndarray]]) -> _Shape:
    """See the network from the shapes of its weights."""
    weights = [synapse["weight"].shape for synapse in synapses]
    dim = weights[0][1]
    square = next((n for n, shape in enumerate(weights) if shape != (dim, dim)), len(weights))
    for kind, projections in (("inference", 4), ("sentiment", 1)):
        if projections <= square and projections < len(weights):
            width = weights[projections][1]
            if width % (projections * dim) == 0:
                dense = [shape[0] for shape in weights[projections:]]
                return _Shape(kind, dim, width // (projections * dim), dense, "bias" in synapses[0])
    shapes = ", ".join(f"{rows}x{columns}" for rows, columns in weights)
    wanted = "one or four square projections, then dense layers that read tokens * dim each"
    raise CheckpointError(f"'{file}' has weights {shapes}: expected {wanted}")


def _check_shapes(
    file: str | Path, parameters: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse weights that do not fit the network they seemed to be."""
    for name in sorted(parameters.keys() | shapes.keys()):
        found = parameters[name].shape if name in parameters else "missing"
        if found != shapes.get(name):
            raise CheckpointError(f"'{file}': {name} is {found}: the network needs {shapes.get(name, 'none')}")
