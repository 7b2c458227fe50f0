# Tested by tests/neuroep/engines/torch/test_substrate.py.
"""Dense neurons in torch, out of place: equations as in :mod:`neuroep.engines.numba.neurons`."""

from __future__ import annotations

import torch

from neuroep.engines.parts import Part
from neuroep.engines.schedule import Schedule
from neuroep.engines.torch import potentials
from neuroep.network import DenseLayer


class TorchNeurons(Part):
    """The neurons of one dense layer; see :class:`neuroep.engines.parts.Neurons`."""

    def __init__(self, layer: DenseLayer) -> None:
        self.layer, self.potential = layer, layer.potential

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
        """Return the next state and max|delta s| of every sample."""
        drive = product if feedback is None else feedback + product
        if target is None:
            new = potentials.respond(self.potential, drive)
        elif schedule.order == "synchronous":
            new = potentials.respond(self.potential, drive - beta * (state - target))
        else:
            new = potentials.nudged(self.potential, drive, target, beta)
        new = torch.lerp(state, new, schedule.dt) if schedule.dt < 1 else new
        return new, (new - state).detach().abs().amax(1)

    def energy(self, state: torch.Tensor) -> torch.Tensor:
        """Return the sum of G(s) over the layer, (batch,)."""
        return potentials.energy(self.potential, state)
