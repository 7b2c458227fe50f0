"""Dense neurons: drive to state, in place, with the largest change.

``u = product + feedback``; free ``s = grad G*(u)``; nudged layer-wise the minimiser of G(s) - u s + beta/2 (s - y)^2;
nudged synchronously ``grad G*(u - beta (s - y))``; then ``s <- s + dt (new - s)``. Equations:
:mod:`neuroep.network.potentials`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hw_models.kernels.compiling import kernel
from hw_models.tally import Tally
from neuroep.engines.parts import Part, Values
from neuroep.engines.schedule import Schedule
from neuroep.engines.workers import Workers, blocks, largest
from neuroep.network import DenseLayer, potentials
from neuroep.network.potentials import NEAR, NEWTON_STEPS, HardSigmoid, Potential, SmoothSigmoid, Tanh

FREE, MINIMISER, SYNCHRONOUS = 0, 1, 2
NEURONS = 65536
"""Neurons of one block of work."""


@kernel
def _state(code, slope, u):
    if code == 0:
        s = slope * u
        if s < 0:
            return 0.0
        if s > 1:
            return 1.0
        return s
    if code == 1:
        return 0.5 * (1 + math.tanh(0.5 * u))
    if code == 2:
        return math.tanh(u)
    return u if code == 3 else math.nan


@kernel
def _minimiser(code, slope, u, y, beta):
    """State of a nudged neuron; Newton steps inside a bracket where no closed form exists.

    A step that is not half the one before goes to the middle of these: under a large nudge Newton goes in circles.
    """
    middle = u + beta * y
    if code == 0:
        return _state(code, 1 / (1 / slope + beta), middle)
    if code == 3:
        return middle / (1 + beta)
    bottom = 0.0 if code == 1 else -1.0
    low = min(middle - beta * bottom, middle - beta)
    high = max(middle - beta * bottom, middle - beta)
    v = 0.5 * (low + high)
    before = high - low
    for _ in range(NEWTON_STEPS):
        s = _state(code, slope, v)
        rise = s * (1 - s) if code == 1 else 1 - s * s
        excess = v - middle + beta * s
        if excess > 0:
            high = v
        else:
            low = v
        step = excess / (1 + beta * rise)
        if v - step < low or v - step > high or abs(step) > max(NEAR, 0.5 * abs(before)):
            step = v - 0.5 * (low + high)
        before = step
        v -= step
    return _state(code, slope, v)


@kernel
def respond(product, feedback, state, target, code, slope, beta, mode, dt, changes):
    """Move one dense layer.

    Parameters
    ----------
    product : (batch, size)
        W s_pre + b.
    feedback : (batch, size) or (0, 0)
        W^T s_post of the layers behind; empty for none.
    state : (batch, size)
        Read and written.
    target : (batch, size) or (0, 0)
        y, used when ``mode`` is not free.
    code, slope, beta, mode, dt
        Potential, nudge, one of FREE / MINIMISER / SYNCHRONOUS, time step.
    changes : (batch,)
        Gets max|delta s| of every sample; NaN where a state is, and the rest of the row is left.
    """
    for b in range(state.shape[0]):
        largest = state.dtype.type(0)
        for i in range(state.shape[1]):
            u = product[b, i]
            if feedback.size:
                u += feedback[b, i]
            old = state[b, i]
            if mode == FREE:
                new = _state(code, slope, u)
            elif mode == MINIMISER:
                new = _minimiser(code, slope, u, target[b, i], beta)
            else:
                new = _state(code, slope, u - beta * (old - target[b, i]))
            if dt < 1:
                new = old + dt * (new - old)
            state[b, i] = new
            change = abs(new - old)
            if not change <= largest:
                largest = change
            if np.isnan(change):
                break
        changes[b] = largest


@kernel
def measure(state, origin):
    """Return max|state - origin| and max|state| of two arrays (rows, size)."""
    moved, largest = state.dtype.type(0), state.dtype.type(0)
    for b in range(state.shape[0]):
        for i in range(state.shape[1]):
            moved = max(moved, abs(state[b, i] - origin[b, i]))
            largest = max(largest, abs(state[b, i]))
    return moved, largest


def displaced(state: np.ndarray, origin: np.ndarray, workers: Workers) -> tuple[float, float]:
    """Return max|state - origin| and max|state| of a layer's states, (batch, size)."""
    parts = blocks(len(state), max(1, NEURONS // state.shape[1]))
    moved, values = zip(*workers.run(lambda a, b: measure(state[a:b], origin[a:b]), parts), strict=True)
    return largest(moved), largest(values)


class ExactNeurons(Part):
    """The neurons of one dense layer.

    Parameters
    ----------
    layer : DenseLayer
        Size and potential.
    dtype : str
        Of all arrays.
    workers : Workers
        Threads.
    tally : Tally, optional
        Where to write responses, of one neuron in one step; default one of its own.

    Raises
    ------
    ConfigError
        For a potential that the kernels do not know.
    """

    def __init__(self, layer: DenseLayer, dtype: str, workers: Workers, tally: Tally | None = None) -> None:
        potentials.check(layer.potential, layer.name, "local")
        self.layer, self.dtype, self.workers = layer, dtype, workers
        self.name, self.tally = f"neurons.{layer.name}", Tally() if tally is None else tally
        self.real: Any = np.dtype(dtype).type
        self._nothing = np.zeros((0, 0), dtype=dtype)

    def respond(
        self,
        product: np.ndarray,
        feedback: np.ndarray | None,
        state: np.ndarray,
        target: np.ndarray | None,
        beta: float,
        schedule: Schedule,
        inner: dict[str, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, Values]:
        """Move the layer in place; see :meth:`neuroep.engines.parts.Neurons.respond`."""
        return state, self._move(product, self._given(feedback), state, target, beta, schedule)

    def _given(self, values: np.ndarray | None) -> np.ndarray:
        """Return values as kernels take them: (0, 0) for none."""
        return self._nothing if values is None else values

    def _move(
        self,
        product: np.ndarray,
        feedback: np.ndarray,
        state: np.ndarray,
        target: np.ndarray | None,
        beta: float,
        schedule: Schedule,
    ) -> np.ndarray:
        """Let the neurons respond in place; return max|delta s| of every sample, NaN if there is one."""
        self.tally.add(self.name, "response", state.size, (self.layer.size,))
        mode = FREE
        if target is not None:
            mode = SYNCHRONOUS if schedule.order == "synchronous" else MINIMISER
        goal = self._given(target)
        real, potential = self.real, self.layer.potential
        settings = (potential.code, real(potential.slope), real(beta), mode, real(schedule.dt))

        changes = np.empty(len(state), dtype=state.dtype)

        def task(a: int, b: int) -> None:
            respond(product[a:b], feedback[a:b], state[a:b], goal[a:b], *settings, changes[a:b])

        self.workers.run(task, blocks(len(state), max(1, NEURONS // self.layer.size)))
        return changes

    def performed(self) -> Tally:
        """Return the responses."""
        return self.tally

    def energy(self, state: np.ndarray) -> np.ndarray:
        """Return the sum of G(s) over the layer, (batch,)."""
        return potential_energy(self.layer.potential, state)


def potential_energy(potential: Potential, state: np.ndarray) -> np.ndarray:
    """Return the sum of G(s) over the last dimension, (batch,); equations in :mod:`neuroep.network.potentials`."""
    from scipy.special import xlogy

    potentials.check(potential, None, "local")
    if isinstance(potential, HardSigmoid):
        return (state * state).sum(-1) / (2.0 * potential.slope)
    if isinstance(potential, SmoothSigmoid):
        return (xlogy(state, state) + xlogy(1.0 - state, 1.0 - state)).sum(-1)
    if isinstance(potential, Tanh):
        return 0.5 * (xlogy(1.0 + state, 1.0 + state) + xlogy(1.0 - state, 1.0 - state)).sum(-1)
    return 0.5 * (state * state).sum(-1)
