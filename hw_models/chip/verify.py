# Tested by tests/hw_models/chip/test_description.py.
"""Closed-loop programming of weights that learn by pulses, as data."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from hw_models.chip.fields import NonNegative, Part, at


class Verify(Part):
    """Pulses behind each programming until reads of the columns are right; reads are the chip's own."""

    rounds: Annotated[int, Field(ge=1, le=64)] | None = at("programming", default=None)
    """Most reads of all columns, each followed by pulses where it was not right; unset programs open loop."""
    tolerance: NonNegative | None = at("programming", "weight range", None)
    """Error of a read that is right; unset is half a pulse."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.rounds is None:
            self.idle("with verify.rounds", "tolerance")
        return self
