"""Neurons on a chip as a part of an engine; the physics of their circuits: :mod:`hw_models.periphery.neuron`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hw_models.chip import Neuron
from hw_models.periphery.neuron import NeuronCircuits
from neuroep.engines.numba.neurons import ExactNeurons
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.parts import TALLY, Values
from neuroep.engines.schedule import Schedule
from neuroep.errors import ConfigError
from neuroep.network import DenseLayer


class ChipNeurons(ExactNeurons):
    """The neurons of one dense layer on a chip; parameters as in :class:`ExactNeurons`, and the circuit."""

    def __init__(self, layer: DenseLayer, circuit: Neuron, setting: Setting) -> None:
        super().__init__(layer, setting.dtype, setting.workers, setting.tally())
        place = (layer.size, setting.seed, layer.name, layer.potential.low >= 0, setting.dtype)
        self.circuits = NeuronCircuits(circuit, *place, self.tally)
        self._alone: tuple[np.ndarray | None, dict[str, np.ndarray]] = None, {}

    def begin(self, *occasion: str | int) -> None:
        """Key the state noise by this occasion."""
        self.circuits.begin(*occasion)

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
        product, feedback = self.circuits.driven(product, feedback)
        given, beta = self._given(feedback), felt(self.circuits, self.layer, beta)
        if not self.circuits.acts:
            return state, self._move(product, given, state, target, beta, schedule)
        level = self.circuits.inside(state, schedule.dt, self._kept(state) if inner is None else inner)
        before = level.copy()
        change = self._move(product, given, level, target, beta, schedule)
        self.circuits.show(level, state, schedule.dt)
        return state, change if np.isnan(change).any() else float(np.abs(level - before).max(initial=0))

    @property
    def resolution(self) -> float:
        """Step of the states that are read."""
        return max(0.0, self.circuits.digitiser.grid.step)

    def state(self) -> dict[str, np.ndarray]:
        """Return the tally."""
        return {TALLY: self.tally.packed()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        if TALLY in state:
            self.tally.load(state[TALLY])

    def counters(self) -> dict[str, int]:
        """Return conversions of states; a state at the end of its range is where it should be."""
        return {"state_conversions": self.circuits.digitiser.conversions, "state_conversions_at_stop": 0}

    def _kept(self, state: np.ndarray) -> dict[str, np.ndarray]:
        """Return what is inside the neurons that show this very array, for a caller who does not keep it."""
        if self._alone[0] is not state:
            self._alone = state, {}
        return self._alone[1]


def felt(circuits: NeuronCircuits, layer: DenseLayer, beta: float) -> float:
    """Return the nudge that neurons feel.

    Raises
    ------
    ConfigError
        If their energy is not convex under it.
    """
    found, least = circuits.nudge(beta), -layer.potential.curvature
    if found != beta and found <= least:
        told = f"neuron.nudge_mismatch = {circuits.circuit.nudge_mismatch}"
        raise ConfigError(f"{told}: makes beta = {beta} {found:g}, which must exceed {least:g}")
    return found
