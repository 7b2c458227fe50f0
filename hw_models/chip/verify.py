# Tested by tests/hw_models/chip/test_description.py.
"""The closed loop of weights that learn by pulses, as data: reads, and pulses until they are right."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hw_models.chip.fields import Part, Share, at


class Verify(Part):
    """Pulses until devices are read to be right; reads are the chip's own.

    Mixed precision with a tolerance closes the loop of its updates: what is accumulated is what devices are read to
    lack. Other weights that learn by pulses, those of mixed precision in an open loop among them, are programmed so.
    """

    tolerance: Share | None = at("programming", "weight range", None)
    """Largest error of a read that counts as right. Mixed precision: it applies to updates; 0 is an open loop, which
    subtracts what pulses should have done; unset is 0, and with scaling auto a value that depends on the device. Other
    rules: it applies to programming; unset is half a pulse."""
    rounds: Annotated[int, Field(ge=1, le=64)] | None = at("programming", "rounds", None)
    """Most reads, each followed by pulses if it was not right. Mixed precision with a tolerance: in an update; unset is
    50. Other rules: behind a programming; unset programs open loop."""
