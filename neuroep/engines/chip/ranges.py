# Covered by tests/neuroep/engines/chip/test_calibration.py.
"""Parts of an engine that own digitisers."""

from __future__ import annotations

from hw_models.arrays.converters import Digitisers
from neuroep.engines.parts import Part


class Ranged(Digitisers, Part):
    """A part with digitisers: their ranges are its state."""
