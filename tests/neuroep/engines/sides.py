"""Engines as plain arrays, and the networks, batches and rules on which they are held against the oracle.

All that the comparison with :mod:`tests.naive.network` needs of the package goes through this file, and a further set
of parts joins it by one line in ``BUILDERS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from neuroep import engines
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines.settling import Schedule, Settled
from neuroep.gradients.estimators import Estimator
from neuroep.learning.optimisers import SGD, Adam
from neuroep.network import builders as networks, potentials
from neuroep.network.builders import AttentionLayer, DenseLayer, DenseSynapse, Network, Projection, Sequence
from tests.naive.network import Course, Snapshot

BUILDERS = {
    "local": partial(engines.local, threads=1),
    "reference": partial(engines.reference, device="cpu"),
    "reference_on_gpu": partial(engines.reference, device="cuda"),
}
"""Every set of parts that must compute what the oracle computes."""
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
ENGINES = [pytest.param(name, marks=NO_GPU if "gpu" in name else ()) for name in BUILDERS]
NETWORKS = ("sentiment", "pooled_sentiment", "inference", "pooled_inference", "deep", "woven")
POTENTIALS = ("hard_sigmoid", "gentle_sigmoid", "smooth_sigmoid", "tanh", "linear", "mixed")
"""``gentle_sigmoid`` is the hard one with another slope than 1/2; ``mixed`` gives every layer another potential."""
LENGTHS = {
    "unequal": (5, 1, 0, 3, 2),
    "empty": (0, 0),
    "one_token": (1, 1, 1),
    "empty_or_one": (0, 1),
    "short": (2, 0, 1),
}
"""Lengths of the longest sequence; the second one has them shifted by a sample, both are cut at what fits."""


def _potential(name: str, number: int) -> Any:
    kinds = [potentials.named(kind) for kind in potentials.NAMES] + [potentials.named("hard_sigmoid", 0.3)]
    named = {**dict(zip(potentials.NAMES, kinds, strict=False)), "gentle_sigmoid": kinds[-1]}
    return kinds[(number + 2) % len(kinds)] if name == "mixed" else named[name]


def network(name: str, potential: str, mask: bool, kappa: float = 0.7) -> Network:
    """Return a small network of one of ``NETWORKS``, whose projections have biases if nothing is masked."""
    if name == "woven":
        return _woven(potential, mask, kappa)
    common = {"dim": 4, "mask": mask, "projection_bias": not mask, "inverse_temperature": kappa}
    readout = "pooled" if name.startswith("pooled") else "flat"
    if name.endswith("inference"):
        plain = networks.inference((5, 3), dense=(4, 3), readout=readout, **common)
    else:
        plain = networks.sentiment(5, dense=(6, 5, 4, 3) if name == "deep" else (6, 2), readout=readout, **common)
    dense = [layer for layer in plain.layers if isinstance(layer, DenseLayer)]
    layers = [DenseLayer(layer.name, layer.size, _potential(potential, n)) for n, layer in enumerate(dense)]
    return Network(plain.sequences, (*plain.attention, *layers), plain.synapses, mask)


def _woven(potential: str, mask: bool, kappa: float) -> Network:
    """Two attention layers of unlike read-out, several layers in front of and several synapses into one, a shortcut."""
    sequences = (Sequence("one", 5, 3), Sequence("two", 3, 3))
    attention = (
        AttentionLayer("flat", "one", "two", kappa, "flat", 15),
        AttentionLayer("pooled", "two", "one", 1.3 * kappa, "pooled", 3),
    )
    sizes = {"left": 4, "right": 3, "top": 3, "output": 2}
    dense = [DenseLayer(name, size, _potential(potential, n)) for n, (name, size) in enumerate(sizes.items())]
    synapses = (
        Projection("query_flat", "one", "flat", (3, 3), True),
        Projection("query_flat_again", "one", "flat", (3, 3)),
        Projection("query_pooled", "two", "pooled", (3, 3), not mask),
        DenseSynapse("to_left", ("pooled", "flat"), "left", (4, 18)),
        DenseSynapse("to_left_again", ("flat",), "left", (4, 15)),
        DenseSynapse("to_right", ("pooled",), "right", (3, 3), False),
        DenseSynapse("to_top", ("right", "left"), "top", (3, 7)),
        DenseSynapse("to_output", ("top", "flat"), "output", (2, 18)),
    )
    return Network(sequences, (*attention, *dense), synapses, mask)


def parameters(net: Network, scale: float) -> dict[str, np.ndarray]:
    """Return weights U(-scale, scale) / sqrt(fan-in), and biases that keep hard sigmoids between their bounds."""
    draw, values = np.random.default_rng(3), {}
    for synapse in net.synapses:
        values[f"{synapse.name}.weight"] = scale * draw.uniform(-1, 1, synapse.shape) / np.sqrt(synapse.shape[1])
        if synapse.bias:
            low, high = (-1.0, 1.0) if isinstance(synapse, Projection) else (0.3, 0.9)
            values[f"{synapse.name}.bias"] = draw.uniform(low, high, synapse.shape[0])
    return values


def batch(net: Network, lengths: str, seed: int = 0) -> Batch:
    """Return random vectors of the lengths of that name; those of ``short`` come in arrays of 2 tokens."""
    draw, inputs = np.random.default_rng(seed), {}
    for number, sequence in enumerate(net.sequences):
        places = 2 if lengths == "short" else sequence.tokens
        count = np.minimum(np.roll(LENGTHS[lengths], number), places)
        vectors = 0.8 * draw.normal(size=(len(count), places, sequence.dim))
        vectors *= (np.arange(places) < count[:, None])[:, :, None]
        inputs[sequence.name] = TokenVectors(vectors, count)
    return Batch(inputs, np.arange(len(LENGTHS[lengths])) % net.classes)


def schedule(course: Course) -> Schedule:
    """Return the schedule that always takes all steps of a course."""
    return Schedule(course.order, steps=course.steps, dt=course.dt)


class Side:
    """One engine in float64.

    Parameters
    ----------
    name : str
        One of ``BUILDERS``.
    net, theta
        Network and weights.
    rule, settings
        As of :class:`tests.naive.learning.Learner`.
    """

    def __init__(
        self, name: str, net: Network, theta: Mapping[str, np.ndarray], rule: str = "sgd", settings: Any = None
    ) -> None:
        kind = {"adam": Adam, "sgd": SGD}[rule]
        self.engine = BUILDERS[name](net, theta, optimiser=kind(**(settings or {})), dtype="float64")
        self.net = net

    def settle(self, batch: Batch, free: Course, nudged: Course, betas: tuple[float, ...]) -> list[list[Snapshot]]:
        """Return a batch after every sweep of the free phase and of the nudged ones that start from its end."""
        engine, record = self.engine, ("states", "energy")
        clamped = engine.clamp(batch)
        first = engine.settle(clamped, schedule(free), record=record)
        others = [engine.settle(clamped, schedule(nudged), beta, first, record) for beta in betas]
        return [self._path(clamped, settled) for settled in (first, *others)]

    def _path(self, clamped: Any, settled: Settled) -> list[Snapshot]:
        engine, trace, found = self.engine, settled.trace, []
        assert trace is not None and settled.steps == len(trace.states)
        for state, energy in zip(trace.states, trace.energy, strict=True):
            states = {name: engine.to_numpy(value) for name, value in state.values.items()}
            weights = {layer.name: self._weights(clamped, state, layer) for layer in self.net.attention}
            found.append(Snapshot(states, weights, energy))
        return found

    def _weights(self, clamped: Any, state: Any, layer: AttentionLayer) -> np.ndarray:
        """Attention weights at full length: an engine may cut a batch at its longest sequence."""
        given = self.engine.attention_weights(clamped, state, layer.name)
        places = [self.net.sequence(name).tokens for name in (layer.queries, layer.patterns)]
        full = np.zeros((len(given), *places))
        full[:, : given.shape[1], : given.shape[2]] = given
        return full

    def gradient(
        self, batch: Batch, kind: str, beta: float, free: Course, nudged: Course, step: int = 0
    ) -> dict[str, np.ndarray]:
        """Return what an estimator says of a batch."""
        return Estimator(kind, beta, schedule(free), schedule(nudged)).gradient(self.engine, batch, step)

    def learn(self, batch: Batch, beta: float, free: Course, nudged: Course, rates: Mapping[str, float]) -> None:
        """Take one centred update."""
        estimator = Estimator("centred", beta, schedule(free), schedule(nudged))
        self.engine.update(estimator.measure(self.engine, batch).contrasts, rates)

    def parameters(self) -> dict[str, np.ndarray]:
        """Return weights and biases."""
        return self.engine.parameters()


def random_sign(step: int) -> int:
    """Return the sign that the estimator ``random`` draws at a step."""
    (sign,) = Estimator("random").formula(step).nudged
    return sign
