# Tested by tests/hw_models/chip/test_description.py.
"""The path of transposed products as data; equations: :mod:`hw_models.arrays.paths`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.chip.fields import LARGEST, NonNegative, Part, at

Above = Annotated[float, Field(gt=-1, le=LARGEST, allow_inf_nan=False)]


class Transposed(Part):
    """What products with the transposed weights are read from; see :mod:`hw_models.arrays.paths`."""

    devices: Literal["same", "own"] = at("device", default="same")
    """Same: the devices of the forward path. Own: a second array, which is programmed with the same weights."""
    mismatch: NonNegative | None = at("device", "of g", None)
    """Own: device-to-device spread of the gain of its devices; unset takes ``device.mismatch``."""
    weight_error: NonNegative = at("device", "of the rms of the weights first programmed", 0.0)
    """Own: standard deviation of an error that is added to every weight before it is programmed. It is drawn once."""
    gain: Above = at("device", "of the gain", 0.0)
    """Relative error of all transposed currents."""
    gain_spread: NonNegative = at("device", "of the gain", 0.0)
    """Spread of this error between the sensed lines of a tile."""
    offset_spread: NonNegative = at("device", "of a fully driven weight of full size", 0.0)
    """Line-to-line spread of the offset current of a sensed line of a tile."""

    @property
    def bends(self) -> bool:
        """Whether currents of sensed lines have errors of their own."""
        return bool(self.gain) or max(self.gain_spread, self.offset_spread) > 0

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.devices == "same":
            self.idle("with devices own", "mismatch", "weight_error")
        return self
