# Tested by tests/hw_models/chip/test_description.py.
"""The closed loop of weights that learn by pulses, as data: reads, and pulses until they are right."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hw_models.chip.fields import Part, Share, at


class Verify(Part):
    """Reads, each followed by pulses, until devices hold what they should. Reads have the noise of the chip.

    Mixed precision with a tolerance closes the loop of its updates: it accumulates the difference between the wanted
    weights and the weights that are read. All other weights that learn by pulses, also those of mixed precision in an
    open loop, use the closed loop for programming.
    """

    tolerance: Share | None = at("programming", "of the weight range", None)
    """Largest error of a read that counts as right. Mixed precision: it applies to updates; 0 is an open loop, which
    subtracts what pulses should have done; unset is 0, and with scaling auto a value that depends on the device. Other
    rules: it applies to programming; unset is half a pulse."""
    rounds: Annotated[int, Field(ge=1, le=64)] | None = at("programming", "rounds", None)
    """Most reads, each followed by pulses if it was not right. Mixed precision with a tolerance: in an update; unset is
    50. Other rules: behind a programming; unset programs open loop."""
