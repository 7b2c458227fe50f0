# Tested by tests/hw_models/chip/test_description.py.
"""An event-driven array as data; equations: :mod:`hw_models.arrays.events`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from hw_models.chip.fields import Part, Positive, at


class Events(Part):
    """Sigma-delta neurons and integer synapses; see :mod:`hw_models.arrays.events`."""

    threshold: Annotated[float, Field(ge=0, le=2)] = at("step", "of state_range", 0.0)
    """A sender sends the change of its quantised state when it exceeds this."""
    state_bits: Annotated[int, Field(ge=2, le=16)] = at("step", "bit", 12)
    """Fixed-point resolution of a state as it is sent and as learning sees it, signed over [-range, range]."""
    state_range: Positive | None = at("step", "signal", None)
    """Full scale of a sent state; unset calibrates it per array on samples and then freezes it."""
    weight_bits: Annotated[int, Field(ge=2, le=8)] = at("programming", "bit", 8)
    """Resolution of the integer weights, signed."""
    weight_range: Positive | None = at("programming", "weight", None)
    """Full scale of the weights. Unset takes weight_headroom times the largest first weight."""
    weight_headroom: Annotated[float, Field(ge=1, le=1e7, allow_inf_nan=False)] = at("programming", default=1.0)
    """Factor of the range above the largest weight: room for weights that grow while learning."""
    in_place: bool = at("update", default=False)
    """Change the integers themselves, with random rounding, instead of a float master copy."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.weight_range is not None:
            self.idle("without weight_range", "weight_headroom")
        return self
