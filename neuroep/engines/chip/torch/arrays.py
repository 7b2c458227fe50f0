# Tested by tests/neuroep/engines/chip/torch/test_every_chip.py.
"""Crossbars of a chip read with tensors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from hw_models.chip import Chip
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.numba.substrate import Setting
from neuroep.learning.contrast import Contrast


class TensorCrossbars(CrossbarArray):
    """The weights of one synapse on crossbars that read tensors; its rule learns on the host.

    Parameters
    ----------
    device : torch.device
        Where states lie.
    others
        As of :class:`neuroep.engines.chip.arrays.CrossbarArray`.
    """

    def __init__(
        self,
        name: str,
        weight: np.ndarray,
        bias: np.ndarray | None,
        chip: Chip,
        setting: Setting,
        device: torch.device,
    ) -> None:
        super().__init__(name, weight, bias, chip, setting)
        self.device = device
        self._bias: torch.Tensor | None = None

    @property
    def bias(self) -> torch.Tensor | None:
        """(out,), brought to the device once for every update."""
        own = self.rule.bias
        if own is not None and self._bias is None:
            self._bias = torch.as_tensor(own, device=self.device)
        return self._bias

    def update(self, contrast: Contrast, rate: float) -> int:
        """Change the weights by the chip's rule, of what the host has read of both ends."""
        self._bias = None
        return super().update(contrast, rate)

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the rule keeps, and its crossbars."""
        self._bias = None
        super().load(state)
