# Tested by tests/neuroep/engines/chip/torch/test_every_chip.py.
"""Neurons of a chip on tensors; the physics of their circuits: :mod:`hw_models.periphery.neuron`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from hw_models.chip import Neuron
from hw_models.periphery.neuron import NeuronCircuits
from hw_models.tally import Tally
from neuroep.engines.chip.neurons import felt
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.parts import TALLY
from neuroep.engines.schedule import Schedule
from neuroep.engines.torch.neurons import TorchNeurons
from neuroep.network import DenseLayer


class TensorNeurons(TorchNeurons):
    """The neurons of one dense layer on a chip; parameters as of :class:`neuroep.engines.chip.neurons.ChipNeurons`."""

    def __init__(self, layer: DenseLayer, circuit: Neuron, setting: Setting) -> None:
        super().__init__(layer)
        self.name, self.tally = f"neurons.{layer.name}", setting.tally()
        place = (layer.size, setting.seed, layer.name, layer.potential.low >= 0, setting.dtype)
        self.circuits = NeuronCircuits(circuit, *place, self.tally)

    def begin(self, *occasion: str | int) -> None:
        """Key the state noise by this occasion."""
        self.circuits.begin(*occasion)

    def respond(
        self,
        product: torch.Tensor,
        feedback: torch.Tensor | None,
        state: torch.Tensor,
        target: torch.Tensor | None,
        beta: float,
        schedule: Schedule,
        inner: dict[str, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the next state and max|delta| of what is inside; see :meth:`neuroep.engines.parts.Neurons.respond`."""
        self.tally.add(self.name, "response", state.numel(), (self.layer.size,))
        product, feedback = self.circuits.driven(product, feedback)
        beta = felt(self.circuits, self.layer, beta)
        if not self.circuits.acts:
            return super().respond(product, feedback, state, target, beta, schedule)
        kept: dict[str, torch.Tensor] = {} if inner is None else inner
        before = self.circuits.inside(state, schedule.dt, kept)
        level, _ = super().respond(product, feedback, before, target, beta, schedule)
        digitised = self.circuits.circuit.state_bits is not None
        level = level.contiguous()
        shown = torch.empty_like(level) if digitised else level
        self.circuits.show(level, shown, schedule.dt)
        if self.layer.name in kept:
            kept[self.layer.name] = level
        return shown, (level - before).abs().max()

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

    def performed(self) -> Tally:
        """Return the responses, and conversions of states."""
        return self.tally

    def counters(self) -> dict[str, int]:
        """Return conversions of states; a state at the end of its range is where it should be."""
        return {"state_conversions": self.circuits.digitiser.conversions, "state_conversions_at_stop": 0}
