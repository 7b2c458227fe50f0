# Tested by tests/neuroep/engines/test_nudging.py.
"""Nudged phases in differences in torch, out of place; what the parts are, says :mod:`neuroep.engines.differences`.

Weights of attention layers are differences of p, (nudges * batch, queries, patterns).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from neuroep.engines.differences import Change, Displacement
from neuroep.engines.parts import Rows
from neuroep.engines.schedule import Schedule
from neuroep.engines.torch import potentials
from neuroep.engines.torch.attention import LogitTensors, TorchAttention
from neuroep.engines.torch.neurons import TorchNeurons
from neuroep.network import AttentionLayer, DenseLayer


class TorchDifferences:
    """Makes the parts; see :class:`neuroep.engines.differences.DifferenceParts`."""

    def neurons(self, layer: DenseLayer) -> DisplacedTorchNeurons:
        """Return the neurons of one dense layer."""
        return DisplacedTorchNeurons(layer)

    def attention(self, layer: AttentionLayer) -> DisplacedTorchAttention:
        """Return the unit of one attention layer."""
        return DisplacedTorchAttention(layer)


def _changes(new: torch.Tensor, old: torch.Tensor, nudges: int) -> list[Change]:
    """Return max|new - old| and max|new| of every nudge and sample, of (nudges * batch, size) each."""
    change, size = (each.detach().abs().amax(1).unflatten(0, (nudges, -1)) for each in (new - old, new))
    return list(zip(change.unbind(), size.unbind(), strict=True))


class DisplacedTorchNeurons(TorchNeurons):
    """The neurons of one dense layer; see :class:`neuroep.engines.differences.DifferenceNeurons`."""

    def place(self, product: torch.Tensor, feedback: torch.Tensor | None, state: torch.Tensor) -> torch.Tensor:
        """Return where the free drive puts the neurons."""
        return potentials.place(self.potential, product if feedback is None else product + feedback, state)

    def displace(
        self,
        place: torch.Tensor,
        product: torch.Tensor | None,
        feedback: torch.Tensor | None,
        moved: torch.Tensor,
        target: torch.Tensor | None,
        betas: Sequence[float],
        schedule: Schedule,
    ) -> tuple[torch.Tensor, list[Change]]:
        """Return the next differences and what has changed."""
        given = [side for side in (product, feedback) if side is not None]
        drive = sum(given[1:], start=given[0]) if given else torch.zeros_like(moved)
        old, drive = (each.unflatten(0, (len(betas), len(place))) for each in (moved, drive))
        if target is None:
            new = potentials.gained(self.potential, place, drive)
        else:
            beta = torch.cat([moved.new_full((1, 1, 1), beta) for beta in betas])
            if schedule.order == "synchronous":
                pull = beta * (potentials.at(self.potential, place) + old - target)
                new = potentials.gained(self.potential, place, drive - pull)
            else:
                new = potentials.nudged_gain(self.potential, place, drive, target, beta)
        new = (torch.lerp(old, new, schedule.dt) if schedule.dt < 1 else new).flatten(0, 1)
        return new, _changes(new, moved, len(betas))


class DisplacedTorchAttention(TorchAttention):
    """One attention layer; see :class:`neuroep.engines.differences.DifferenceAttention`."""

    def ground(self, held: LogitTensors, weights: torch.Tensor) -> torch.Tensor:
        """Return p of the free state, which the weights are."""
        return weights

    def still(self, held: LogitTensors, nudges: int) -> torch.Tensor:
        """Return differences of p that are 0."""
        return held.logits.new_zeros((nudges * len(held.logits), *held.logits.shape[1:]))

    def displace(
        self,
        held: LogitTensors,
        free: torch.Tensor,
        feedback: torch.Tensor,
        value: torch.Tensor,
        weights: torch.Tensor,
        dt: float,
    ) -> tuple[torch.Tensor, torch.Tensor, list[Change]]:
        """Return the next differences and what has changed."""
        nudges, keys = len(value) // len(free), held.patterns.vectors
        rows = feedback.unflatten(0, (nudges, len(free)))
        if self.layer.readout == "pooled":
            rows = rows * held.pool_factor
        rows = rows.reshape(*rows.shape[:2], -1, keys.shape[2])
        gained = self.layer.inverse_temperature * (rows @ keys.transpose(1, 2))
        top = gained.masked_fill(free <= 0, -torch.inf).amax(3, keepdim=True) - potentials.FAR
        gained = gained - torch.maximum((free * gained).sum(3, keepdim=True), top)
        tilt = torch.expm1(gained.clamp(max=potentials.FAR + 1.0))  # beyond lie those alone of which p is 0
        change = (free * tilt).sum(3, keepdim=True)
        new = (free * (tilt - change) / (1.0 + change)).flatten(0, 1)
        new = torch.lerp(weights, new, dt) if dt < 1 else new
        read = torch.cat([self._read_out(held, one) for one in new.unflatten(0, (nudges, len(free)))])
        return read, new, _changes(read, value, nudges)

    def some_ground(self, free: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """Return p of some samples."""
        return free[torch.as_tensor(rows, device=free.device)]

    def explicit_change(self, held: LogitTensors, free: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the differences of p, which the weights are."""
        return weights

    def moved_rows(
        self, held: LogitTensors, free: torch.Tensor, plus: Displacement | None, minus: Displacement | None
    ) -> Rows:
        """Return what combines the differences of two nudges' token states, padding in."""
        nothing = torch.zeros_like(free)
        ends = [nothing if end is None else end[1] for end in (plus, minus)]
        return self.rows(held, ends[0], ends[1])
