# Tested by tests/test_site_pictures.py.
"""What pictures of effects are drawn of: an array, a pair of devices, a small network on a chip. Seeds are fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

import neuroep
from hw_models import Chip, Crossbar
from hw_models.arrays.cells import DeviceCells, Made
from hw_models.kernels.blocks import serial
from hw_models.tally import Tally
from neuroep.data.batch import Batch
from neuroep.engines.engine import Engine
from neuroep.engines.schedule import Schedule
from neuroep.gradients.estimators import Estimator
from neuroep.network import Network

LINES = 64
"""Inputs and outputs of an array."""
BETA = 0.2
RATE, UPDATES, PAIR_UPDATES = 5e-3, 40, 400
SETTLED = Schedule("synchronous", steps=25, tolerance=0.0)
SHOWN, SETTLES = 120, 600
"""Sweeps of a course in the picture, and those after which a phase is at its fixed point."""


@cache
def weights() -> np.ndarray:
    """Return weights of an array, (out, in)."""
    return np.random.default_rng(0).normal(0, 0.1, (LINES, LINES)).astype(np.float32)


@cache
def inputs() -> np.ndarray:
    """Return signals of an array, (samples, lines)."""
    return np.random.default_rng(1).uniform(-1, 1, (120, LINES)).astype(np.float32)


def array(chip: Chip, weight: np.ndarray) -> Crossbar:
    """Return an array of the chip that holds these weights, its ranges calibrated."""
    array = Crossbar(chip, weight.shape, seed=0, name="picture")
    array.program(weight)
    if chip.calibrates:
        array.observe()
        array.forward(_signals(weight.shape[1]))
        array.transposed(_signals(weight.shape[0]))
        array.freeze()
    return array


def _signals(lines: int) -> np.ndarray:
    if lines == LINES:
        return inputs()
    return np.linspace(-1, 1, 41 * lines, dtype=np.float32).reshape(41, lines)


def pair(chip: Chip) -> np.ndarray:
    """Return both devices of a pair and their difference behind every update, (updates, 3)."""
    array, draw, course = Crossbar(chip, (1, 1), seed=0, name="pair"), np.random.default_rng(4), []
    array.program(np.zeros((1, 1), dtype=np.float32))
    cells = DeviceCells(array, Made(chip.device, 0, serial, Tally()))
    for number in range(PAIR_UPDATES):
        way = np.array([[draw.uniform() < 0.6]])
        cells.apply(array.stored, way.astype(np.int64), 1 - way, number)
        cells.updated()
        plus, minus = (float(state[0, 0]) for state in cells.states)
        course.append((plus, minus, plus - minus))
    return np.array(course)


@cache
def _setting() -> tuple[Network, Batch]:
    corpus = neuroep.data.load("reviews", tokens=12, limit=40)
    network = neuroep.networks.sentiment(tokens=12, dim=corpus.dim, dense=(24, 2), readout="pooled")
    return network, next(corpus.batches("train", 20))


def network() -> Network:
    """Return a small network."""
    return _setting()[0]


def batch() -> Batch:
    """Return samples of it."""
    return _setting()[1]


@cache
def exact() -> Engine:
    """Return an engine of exact arithmetic."""
    return neuroep.engines.local(network(), seed=0)


def engine(chip: Chip) -> Engine:
    """Return an engine on the chip, its ranges calibrated."""
    engine = neuroep.engines.local(network(), chip=chip, seed=0)
    engine.calibrate([batch()], neuroep.estimators.centred(BETA, free=SETTLED, nudged=SETTLED))
    return engine


def course(engine: Engine, dt: float) -> np.ndarray:
    """Return the hidden states behind every sweep, (sweeps, samples, neurons)."""
    course, schedule = [], Schedule("synchronous", steps=SETTLES, tolerance=0.0, dt=dt)
    for state in engine.sweeps(batch(), schedule):
        course.append(np.array(state.level("hidden_1")))
    return np.stack(course)


def settled(engine: Engine) -> Mapping[str, np.ndarray]:
    """Return the settled states of all layers."""
    return engine.states(engine.settle(batch(), SETTLED))


def gradient(engine: Engine, estimator: Callable[..., Estimator]) -> np.ndarray:
    """Return the gradient of the largest dense matrix, in one row."""
    found = estimator(BETA, free=SETTLED, nudged=SETTLED).gradient(engine, batch())
    return np.ravel(found[largest(found)])


def largest(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the name of the largest dense matrix."""
    return max((name for name in arrays if "dense" in name and "weight" in name), key=lambda name: arrays[name].size)


@cache
def losses(chip: Chip | None) -> list[float]:
    """Return the loss ahead of every update of a batch."""
    engine = neuroep.engines.local(network(), chip=chip, seed=0)
    estimator = neuroep.estimators.centred(BETA, free=SETTLED, nudged=SETTLED)
    if engine.calibrates:
        engine.calibrate([batch()], estimator)
    rates, losses = {synapse.name: RATE for synapse in engine.network.synapses}, []
    for _ in range(UPDATES):
        measured = estimator.measure(engine, batch())
        losses.append(measured.health["loss"])
        engine.update(measured.contrasts, rates)
    return losses
