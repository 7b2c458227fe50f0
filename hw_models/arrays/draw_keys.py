# Tested by tests/hw_models/arrays/test_crossbar.py.
"""What the draws of a product are keyed by."""

from __future__ import annotations

from typing import NamedTuple

from hw_models.arrays.programming import Array


class Keys(NamedTuple):
    """Keys of the draws of one direction."""

    dac: Array
    """Noise and rounding of the DAC."""
    read: Array
    """Read noise at the outputs and noise of the ADC."""
    device: Array
    """Read noise of single devices."""
    reference: Array
    """Read noise of reference columns."""
    adc: Array
    """Rounding of the ADC."""
    carried: Array
    """Noise that is carried from read to read."""
    thermal: Array
    """Thermal noise of sensed lines."""
