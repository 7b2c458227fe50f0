"""Networks, batches and engines shared by the tests: small, odd sizes, sequences of length 0 and of full length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from neuroep import engines
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines.engine import Engine
from neuroep.engines.settling import Schedule
from neuroep.gradients.estimators import Estimator
from neuroep.network import builders as networks, potentials
from neuroep.network.builders import Network

NETWORKS = ("sentiment", "inference", "pooled_sentiment", "pooled_inference")
ON_GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))
ENGINES = ("local", "cpu", ON_GPU)
"""``cpu`` and ``cuda`` are the reference engine on that device."""
OTHERS = ("local", ON_GPU)
"""What is compared with the reference engine on the CPU."""
PARITY = {"float64": 1e-10, "float32": 1e-5}
TIGHT = Schedule(steps=3000, tolerance=1e-14)
SCHEDULES = {
    "layerwise": Schedule(steps=6),
    "synchronous": Schedule("synchronous", steps=7),
    "layerwise_slow": Schedule(steps=6, dt=0.4),
    "synchronous_slow": Schedule("synchronous", steps=7, dt=0.6),
    "layerwise_tolerance": Schedule(steps=200, tolerance=1e-6, check_every=1),
}


def network(name: str = "sentiment", *, potential: str = "hard_sigmoid", mask: bool = True, **settings: Any) -> Network:
    """Return a small network of one of ``NETWORKS``."""
    pair = name.endswith("inference")
    build = networks.inference if pair else networks.sentiment
    sizes: dict[str, Any] = {"tokens": (5, 3), "dense": (6, 3)} if pair else {"tokens": 5, "dense": (7, 5, 2)}
    readout = "pooled" if name.startswith("pooled") else "flat"
    common = {"dim": 4, "readout": readout, "mask": mask, "potential": potentials.named(potential)}
    return build(**{**sizes, **common, **settings})


def parameters(net: Network, seed: int = 1, scale: float = 2.0) -> dict[str, np.ndarray]:
    """Return float64 weights larger than a fresh network's and biases that keep hard sigmoids in their linear range."""
    values = {name: scale * v.astype(np.float64) for name, v in networks.initial_parameters(net, seed).items()}
    for name, value in values.items():
        if name.endswith("bias") and not name.startswith("query"):
            value[:] = 0.6 + np.abs(value)
    return values


def batch(net: Network, size: int = 5, seed: int = 0, *, spread: float = 1.0) -> Batch:
    """Return random vectors; from three samples on each sequence has a full and an empty sample, no two the same."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for number, sequence in enumerate(net.sequences):
        lengths = rng.integers(1, sequence.tokens + 1, size)
        if size >= 3:
            lengths[number], lengths[-1 - number] = sequence.tokens, 0
        vectors = spread * rng.normal(size=(size, sequence.tokens, sequence.dim))
        vectors *= (np.arange(sequence.tokens) < lengths[:, None])[:, :, None]
        inputs[sequence.name] = TokenVectors(vectors, lengths)
    return Batch(inputs, rng.integers(0, net.classes, size))


def take(whole: Batch, index: Any) -> Batch:
    """Return some samples of a batch."""
    inputs = {name: TokenVectors(item.vectors[index], item.lengths[index]) for name, item in whole.inputs.items()}
    return Batch(inputs, whole.labels[index])


def engine(where: str, net: Network, values: Mapping[str, np.ndarray] | None = None, **settings: Any) -> Engine:
    """Return an engine in float64 with the weights of :func:`parameters` unless told otherwise."""
    settings = {"dtype": "float64", **settings}
    values = parameters(net) if values is None else values
    if where == "local":
        return engines.local(net, values, **{"threads": 1, **settings})
    return engines.reference(net, values, device=where, **settings)


def estimator(
    kind: str = "centred", beta: float = 0.1, *, free: Schedule = TIGHT, nudged: Schedule = TIGHT, points: int = 2
) -> Estimator:
    """Return an estimator with tight phases."""
    return Estimator(kind, beta, free, nudged, points=points)


def assert_close(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray], tolerance: float) -> None:
    """Check named arrays: differences at most ``tolerance`` times the largest entry, or times 1 if that is less."""
    assert found.keys() == wanted.keys()
    for name, exact in wanted.items():
        assert found[name].shape == exact.shape, name
        scale = max(1.0, np.abs(exact).max(initial=0.0))
        np.testing.assert_allclose(found[name], exact, rtol=0, atol=tolerance * scale, err_msg=name)


def assert_same(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> None:
    """Check that named arrays agree bit by bit."""
    assert found.keys() == wanted.keys()
    for name, exact in wanted.items():
        np.testing.assert_array_equal(found[name], exact, err_msg=name)
