# Tested by tests/neuroep/engines/chip/torch/test_every_chip.py.
"""Crossbars of a chip read with tensors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from hw_models.chip import Chip
from hw_models.kernels.tensors import TensorArithmetic
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.parts import Values
from neuroep.learning.contrast import Contrast


class TensorCrossbars(CrossbarArray):
    """The weights of one synapse on crossbars that read tensors; its rule learns on the host.

    Parameters
    ----------
    math : TensorArithmetic
        On the device where states lie.
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
        math: TensorArithmetic,
    ) -> None:
        super().__init__(name, weight, bias, chip, setting)
        self.math = math
        self._bias: torch.Tensor | None = None

    @property
    def bias(self) -> Values | None:
        """(out,), brought to the device once for every update."""
        own = self.rule.bias
        if own is not None and self._bias is None:
            self._bias = self.math.bring(own)
        return self._bias

    def update(self, contrast: Contrast, rate: float) -> int:
        """Change the weights by the chip's rule, of what the host has read of both ends."""
        self._bias = None
        return super().update(contrast, rate)

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the rule keeps, and its crossbars."""
        self._bias = None
        super().load(state)
