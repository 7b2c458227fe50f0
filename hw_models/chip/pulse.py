# Tested by tests/hw_models/chip/test_description.py.
"""What one pulse does to a device, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.chip.fields import Finite, NonNegative, Part, Positive, at
from hw_models.laws.law import meaning, menu, missing
from hw_models.laws.pulse_response import PULSE_RESPONSES as LAWS, PulseLaw

if TYPE_CHECKING:
    ResponseName = str
else:
    ResponseName = Literal[tuple(LAWS)]


class Pulse(Part):
    """Response of a device to one programming pulse; weights here are shares of the weight range.

    Equations and sources: :mod:`hw_models.laws.pulse_response`; spreads and noise: :mod:`hw_models.arrays.pulses`.
    """

    response: ResponseName = at("update", default="constant", means=f"How the step depends on the weight. {menu(LAWS)}")
    dw_min: Annotated[float, Field(ge=1e-7, allow_inf_nan=False)] = at("update", "weight range", 1e-3)
    """Step of one pulse at weight 0: the granularity."""
    dw_min_spread: NonNegative = at("device", "dw_min", 0.0)
    """Device-to-device spread of the step."""
    noise: NonNegative = at("update", "step", 0.0)
    """Cycle-to-cycle spread of a step."""
    up_down: Annotated[float, Field(gt=-1, lt=1)] = at("update", default=0.0)
    """Asymmetry: positive makes a step down smaller by that share, negative a step up."""
    up_down_spread: NonNegative = at("device", default=0.0)
    """Device-to-device spread of the asymmetry."""
    w_max: Positive = at("update", "weight range", 1.0)
    """Upper bound."""
    w_min: Annotated[float, Field(lt=0, allow_inf_nan=False)] = at("update", "weight range", -1.0)
    """Lower bound."""
    w_max_spread: NonNegative = at("device", "w_max", 0.0)
    """Device-to-device spread of the upper bound."""
    w_min_spread: NonNegative = at("device", "w_min", 0.0)
    """Device-to-device spread of the lower bound."""
    gamma_up: Finite = at("update", means=meaning(LAWS, "gamma_up"))
    gamma_down: Finite = at("update", means=meaning(LAWS, "gamma_down"))
    gamma_up_spread: NonNegative = at("device", means=meaning(LAWS, "gamma_up_spread"))
    gamma_down_spread: NonNegative = at("device", means=meaning(LAWS, "gamma_down_spread"))
    a_up: Finite = at("update", means=meaning(LAWS, "a_up"))
    a_down: Finite = at("update", means=meaning(LAWS, "a_down"))
    slope: Finite = at("update", default=1.0, means=meaning(LAWS, "slope"))
    offset: Finite = at("update", means=meaning(LAWS, "offset"))

    @property
    def law(self) -> PulseLaw:
        """The law of the response."""
        return LAWS[self.response]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self._check_idle()
        self.law.check(self)
        if self.dw_min > self.w_max - self.w_min:
            raise ValueError(f"dw_min = {self.dw_min}: one step is larger than the range {self.w_max - self.w_min}")
        return self

    def _check_idle(self) -> None:
        """Refuse what the response does not take, and a response that is the constant one without its numbers."""
        for name, laws in missing(LAWS, self.law):
            self.idle(f"with response {laws}", name)
        for reason, names in self.law.idle(self):
            self.idle(reason, *names)
