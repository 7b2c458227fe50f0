"""Neuron circuits of a chip around the exact neurons of :mod:`neuroep.engines.neurons`.

    u' = (1 + g_i) (W s_pre + W^T s_post + b) + o_i        g_i, o_i drawn once per neuron
    s' = Q(s + sigma range z)                              z per sample, neuron and step; Q the state's quantiser

with s the exact response to u'. States of potentials that are never negative are unsigned.
"""

from __future__ import annotations

import numpy as np

from hw_models.chip import Neuron
from hw_models.converters import grid
from hw_models.noise_kernels import convert
from hw_models.randomness import key, normals
from neuroep.engines.chip.ranges import Ranged
from neuroep.engines.neurons import Neurons
from neuroep.engines.substrate import Setting
from neuroep.network import DenseLayer
from neuroep.settling import Schedule


class ChipNeurons(Neurons, Ranged):
    """The neurons of one dense layer on a chip; parameters as in :class:`Neurons`, and the circuit."""

    def __init__(self, layer: DenseLayer, circuit: Neuron, setting: Setting) -> None:
        super().__init__(layer, setting.dtype, setting.workers)
        self.circuit, self.seed = circuit, setting.seed
        self.gain = self._drawn("neuron gain", circuit.gain_spread, 1.0)
        self.offset = self._drawn("neuron offset", circuit.offset_spread, 0.0)
        self._grid = grid(circuit.state_bits, circuit.state_range, layer.potential.low >= 0)
        self.conversions = 0
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
        feedback: np.ndarray,
        state: np.ndarray,
        target: np.ndarray | None,
        beta: float,
        schedule: Schedule,
    ) -> float:
        """Move the layer in place; see :meth:`Neurons.respond`."""
        circuit = self.circuit
        if self.gain is not None:
            product = product * self.gain
            feedback = feedback * self.gain if feedback.size else feedback
        if self.offset is not None:
            product = product + self.offset
        if not circuit.state_noise and circuit.state_bits is None:
            return super().respond(product, feedback, state, target, beta, schedule)
        before = state.copy()
        change = super().respond(product, feedback, state, target, beta, schedule)
        if circuit.state_noise:
            noise = normals(self._key, self._step, 0, state.shape, dtype=self.dtype)
            state += self.real(circuit.state_noise * circuit.state_range) * noise
            self._step += 1
        if circuit.state_bits is not None:
            convert(np.ascontiguousarray(state), state, *self._grid)
            self.conversions += state.size
        return change if np.isnan(change) else float(np.abs(state - before).max(initial=0))
