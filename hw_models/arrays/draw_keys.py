# Tested by tests/hw_models/arrays/test_crossbar.py.
"""What the draws of a product are keyed by."""

from __future__ import annotations

from functools import cached_property

from hw_models.arrays.programming import Array
from hw_models.kernels.random import key


class Keys:
    """Keys of the draws of one direction on one occasion, made as they are asked for: few chips have all this noise.

    Parameters
    ----------
    seed : int
        Of all draws.
    array, way : str
        Name of the array, and direction.
    occasion : tuple
        What the reads are for, and the digit of a code.
    """

    def __init__(self, seed: int, array: str, way: str, occasion: tuple[str | int, ...]) -> None:
        self._seed, self._place, self._occasion = seed, (array, way), occasion

    def _key(self, what: str) -> Array:
        return key(self._seed, *self._place, what, *self._occasion)

    @cached_property
    def dac(self) -> Array:
        """Noise and rounding of the DAC."""
        return self._key("dac")

    @cached_property
    def read(self) -> Array:
        """Read noise at the outputs and noise of the ADC."""
        return self._key("read")

    @cached_property
    def device(self) -> Array:
        """Read noise of single devices."""
        return self._key("device")

    @cached_property
    def reference(self) -> Array:
        """Read noise of reference columns."""
        return self._key("reference")

    @cached_property
    def adc(self) -> Array:
        """Rounding of the ADC."""
        return self._key("adc")

    @cached_property
    def sensed(self) -> Array:
        """Noise of the ADC behind lines that amplify."""
        return self._key("sensed")

    @cached_property
    def carried(self) -> Array:
        """Noise that is carried from read to read."""
        return self._key("carried")

    @cached_property
    def thermal(self) -> Array:
        """Thermal noise of sensed lines."""
        return self._key("thermal")
