"""Compiling apart from computing: kernels are compiled before a clock starts, and what is left is taken off.

    seconds = warm_up(config)
    with clock() as spent:
        ...
    spent.computing, spent.compiling

A kernel compiles, or is loaded from the cache, when it is first called with arrays of a kind (dtype, dimensions,
layout), which depends on the network's form and the chip and hardly on sizes. So a network of the same form with a few
neurons goes once through calibration, measurement and update. Numba reports what it compiles all the same, for example
for the tiles of a matrix too large for one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import numpy as np

from neuroep.data.batch import Batch, TokenVectors
from neuroep.errors import UserError
from neuroep.network import Network
from neuroep.randomness import generator
from neuroep.runs import building
from neuroep.runs.config import Config

TOKENS, NEURONS, DIM, SAMPLES = 3, 4, 5, 4
"""Largest sizes of the network that only compiles."""


@dataclass
class Spent:
    """Seconds of a piece of work, set when it is done."""

    computing: float = 0.0
    compiling: float = 0.0


@contextmanager
def clock() -> Iterator[Spent]:
    """Measure what is done inside, the time in which Numba compiled apart."""
    from numba.core import event

    spent, listener = Spent(), event.TimingListener()
    started = time.perf_counter()
    with event.install_listener("numba:compile", listener):
        yield spent
    spent.compiling = listener.duration if listener.done else 0.0
    spent.computing = time.perf_counter() - started - spent.compiling


def warm_up(config: Config) -> float:
    """Compile or load what a run with this configuration calls; return the seconds it took.

    Nothing of it is left behind but compiled kernels. Where the small network cannot run, the run itself says why.
    """
    started = time.perf_counter()
    with suppress(UserError), np.errstate(all="ignore"):
        _rehearse(config)
    return time.perf_counter() - started


def _rehearse(config: Config) -> None:
    lengths = tuple(min(TOKENS, length) for length in config.network.lengths)
    *hidden, classes = config.network.dense
    sizes = (*(min(NEURONS, size) for size in hidden), classes)
    given = {"tokens": lengths if len(lengths) > 1 else lengths[0], "dense": sizes}
    small = config.model_copy(update={"network": config.network.model_copy(update=given)})
    network = building.build_network(small, DIM)
    engine, batch = building.build_engine(small, network, None), _batch(network)
    whole = building.build_estimator(small)
    estimator = replace(whole, free=replace(whole.free, steps=2), nudged=replace(whole.nudged, steps=2))
    if engine.calibrates:
        engine.calibrate([batch], estimator)
    rates = {synapse.name: 1e-3 for synapse in network.synapses}
    engine.update(estimator.measure(engine, batch, 0).contrasts, rates)
    engine.array_health()


def _batch(network: Network) -> Batch:
    """Return a few random sequences of unlike lengths."""
    draw, inputs = generator(0, "warm up"), {}
    for sequence in network.sequences:
        lengths = 1 + np.arange(SAMPLES) % sequence.tokens
        vectors = draw.standard_normal((SAMPLES, sequence.tokens, sequence.dim), dtype=np.float32)
        vectors[np.arange(sequence.tokens) >= lengths[:, None]] = 0
        inputs[sequence.name] = TokenVectors(vectors, lengths)
    return Batch(inputs, np.arange(SAMPLES) % network.classes)
