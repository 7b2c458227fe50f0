r"""Neuron circuits of a chip around the exact neurons of :mod:`neuroep.engines.numba.neurons`.

    u' = (1 + g_i) (W s_pre + W^T s_post + b) + o_i        g_i, o_i drawn once per neuron
    v <- v + dt (s(u') + sigma range z - v)                z per sample, neuron and step
    s' = Q(v)                                              Q the digitiser of what the synapses read

with s(u') the exact response. The noise enters in front of the neuron's time constant and is filtered with the signal,
so v is an autoregressive process with coefficient 1 - dt: its standard deviation at rest is
:math:`\sigma\,\mathrm{range}\,\sqrt{dt / (2 - dt)}`, and the longer the time constant the smaller (the discrete form
of the Ornstein-Uhlenbeck process of an RC circuit, variance sigma^2/2 dt for small dt). The state v inside is
continuous; with dt = 1 it has no memory, and the nudge sees what is read. States of potentials that are never negative
are unsigned.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from hw_models.arrays.digitiser import Digitiser
from hw_models.chip import Converter, Neuron
from hw_models.kernels.random import key, normals
from neuroep.engines.numba.neurons import ExactNeurons
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.schedule import Schedule
from neuroep.network import DenseLayer

STATES = 1
"""Tile of the digitiser's draws, behind those of the noise."""


class ChipNeurons(ExactNeurons):
    """The neurons of one dense layer on a chip; parameters as in :class:`ExactNeurons`, and the circuit."""

    def __init__(self, layer: DenseLayer, circuit: Neuron, setting: Setting) -> None:
        super().__init__(layer, setting.dtype, setting.workers)
        self.circuit, self.seed = circuit, setting.seed
        self.gain = self._drawn("neuron gain", circuit.gain_spread, 1.0)
        self.offset = self._drawn("neuron offset", circuit.offset_spread, 0.0)
        sign: Literal["unsigned", "signed"] = "unsigned" if layer.potential.low >= 0 else "signed"
        bits, full = circuit.state_bits, circuit.state_range
        states = Converter() if bits is None else Converter(bits=bits, range=full, sign=sign)
        self.digitiser = Digitiser(states, f"states of {layer.name}")
        self._alone: tuple[np.ndarray | None, dict[str, np.ndarray]] = None, {}
        self.begin()

    def _drawn(self, what: str, spread: float, mean: float) -> np.ndarray | None:
        """Return ``mean + spread z`` for every neuron, (size,), or None without spread."""
        if not spread:
            return None
        drawn = normals(key(self.seed, what, self.layer.name), 0, 0, (1, self.layer.size), dtype=self.dtype)[0]
        return (mean + spread * drawn).astype(self.dtype)

    def begin(self, *occasion: str | int) -> None:
        """Key the state noise by this occasion."""
        self._key, self._step = key(self.seed, "state noise", self.layer.name, *occasion), 0

    def respond(
        self,
        product: np.ndarray,
        feedback: np.ndarray | None,
        state: np.ndarray,
        target: np.ndarray | None,
        beta: float,
        schedule: Schedule,
        inner: dict[str, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, float]:
        """Move the layer in place; see :meth:`neuroep.engines.parts.Neurons.respond`."""
        circuit, feedback = self.circuit, self._given(feedback)
        if self.gain is not None:
            product = product * self.gain
            feedback = feedback * self.gain if feedback.size else feedback
        if self.offset is not None:
            product = product + self.offset
        if not circuit.state_noise and circuit.state_bits is None:
            return state, self._move(product, feedback, state, target, beta, schedule)
        level = self._level(state, schedule.dt, self._kept(state) if inner is None else inner)
        before = level.copy()
        change = self._move(product, feedback, level, target, beta, schedule)
        if circuit.state_noise:
            noise = normals(self._key, self._step, 0, state.shape, dtype=self.dtype)
            level += self.real(schedule.dt * circuit.state_noise * circuit.state_range) * noise
        self._step += 1
        if circuit.state_bits is not None:
            self.digitiser.digitise(level, self._key, self._step, STATES, out=state)
        return state, change if np.isnan(change) else float(np.abs(level - before).max(initial=0))

    def counters(self) -> dict[str, int]:
        """Return conversions of states; a state at the end of its range is where it should be."""
        return {"state_conversions": self.digitiser.conversions, "state_conversions_at_stop": 0}

    def _kept(self, state: np.ndarray) -> dict[str, np.ndarray]:
        """Return what is inside the neurons that show this very array, for a caller who does not keep it."""
        if self._alone[0] is not state:
            self._alone = state, {}
        return self._alone[1]

    def _level(self, state: np.ndarray, dt: float, inner: dict[str, np.ndarray]) -> np.ndarray:
        """Return the state inside the neurons, which is what they show unless they integrate and are digitised.

        Where they do not show what is read, the state was set from outside and they start from it.
        """
        name = self.layer.name
        if dt == 1 or self.circuit.state_bits is None:
            inner.pop(name, None)
            return state
        if name in inner:
            shown = np.empty_like(state)
            self.digitiser.converted(inner[name], self._key, self._step, STATES, out=shown)
            if np.array_equal(shown, state):
                return inner[name]
        inner[name] = state.copy()
        return inner[name]
