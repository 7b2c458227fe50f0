"""Ranges of the converters that a part owns: calibrated together, kept together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hw_models.arrays.converters import Quantiser
from neuroep.engines.parts import Part


class Ranged(Part):
    """A part with converters; see :func:`hw_models.arrays.converters.calibrating`."""

    @property
    def quantisers(self) -> dict[str, Quantiser]:
        """Converters by name."""
        return {}

    @property
    def calibrates(self) -> bool:
        """Whether a range comes from samples."""
        return any(quantiser.converter.calibrates for quantiser in self.quantisers.values())

    def observe(self, on: bool = True) -> None:
        """Begin to collect samples, or stop; converters that wait for a range pass signals through meanwhile."""
        for quantiser in self.quantisers.values():
            quantiser.observe(on)

    def freeze(self) -> None:
        """Fix the ranges; a converter that saw nothing keeps what it had."""
        for quantiser in self.quantisers.values():
            if quantiser.sampled:
                quantiser.freeze()
            quantiser.observe(False)

    def state(self) -> dict[str, np.ndarray]:
        """Return the ranges, by name."""
        return {name: quantiser.state() for name, quantiser in self.quantisers.items()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        for name, quantiser in self.quantisers.items():
            quantiser.load(state[name])
