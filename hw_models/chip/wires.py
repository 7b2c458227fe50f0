# Tested by tests/hw_models/chip/test_description.py.
"""Line resistance as data; equations: :mod:`hw_models.arrays.wires`."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from hw_models.chip.fields import Count, NonNegative, Part, at


class Wires(Part):
    """Resistance of the lines; see :mod:`hw_models.arrays.wires`."""

    r_word: NonNegative = at("programming", "ohm", 0.0)
    """Resistance of one segment of a word line, between two devices."""
    r_bit: NonNegative = at("programming", "ohm", 0.0)
    """Resistance of one segment of a bit line."""
    refresh_every: Count = at("programming", "programmings", 1)
    """Programmings between two solutions of the network. In between, every device keeps the attenuation that was found
    last."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not (self.r_word or self.r_bit):
            self.idle("with r_word or r_bit above 0", "refresh_every")
        return self
