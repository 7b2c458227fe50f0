"""How weights change, as data: the scheme, and what one pulse does to a device."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.chip.fields import Count, Finite, NonNegative, Part, Positive, at


class Update(Part):
    """How weights change; see :mod:`hw_models.arrays.pulses` for pulses."""

    scheme: Literal["digital", "mixed_precision", "pulsed"] = at("update", default="digital")
    """Master copy and reprogramming; digital accumulation and whole granules as pulses; or pulses in memory."""
    reprogram_every: Count = at("update", "updates", 1)
    """Digital: updates of the master copy between two programmings."""
    granule: Positive | None = at("update", "weight range", None)
    """Mixed precision: accumulated change that is moved by one pulse; unset takes dw_min."""
    trains: Literal["expected", "stochastic"] = at("update", default="expected")
    """Pulsed: steps of the trains' mean, variance and correlation, or every stochastic train pulse by pulse."""
    signals: Literal["phases", "contrast"] = at("update", default="phases")
    """Pulsed: trains +s+ x a+ and -s- x a-, or (s+ - s-) x mean a and mean s x (a+ - a-) of held phases."""
    train_length: Annotated[int, Field(ge=1, le=63)] = at("update", "pulse slots", 31)
    """Pulsed: longest train."""
    overlong: Literal["post", "both"] = at("update", default="post")
    """Pulsed, with management: what is cut where the longest train is too short, signals of the post side, or both."""
    management: bool = at("update", default=True)
    """Pulsed: fit train length and both factors to the signals at hand; off keeps A = B = sqrt(rate/(dw_min BL))."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.scheme != "digital":
            self.idle("with scheme digital", "reprogram_every")
        if self.scheme != "mixed_precision":
            self.idle("with scheme mixed_precision", "granule")
        if self.scheme != "pulsed":
            self.idle("with scheme pulsed", "trains", "signals", "train_length", "overlong", "management")
        if not self.management:
            self.idle("with management", "overlong")
        return self


class Pulse(Part):
    """Response of a device to one programming pulse; weights here are shares of the weight range.

    Equations and source: :mod:`hw_models.arrays.pulses`.
    """

    response: Literal["constant", "linear", "soft_bounds", "exponential", "power"] = at("update", default="constant")
    """How the step depends on the weight."""
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
    gamma_up: Finite = at("update", default=0.0)
    """Linear: share by which the step up shrinks at the upper bound. Exponential: rate. Power: exponent."""
    gamma_down: Finite = at("update", default=0.0)
    """The same of the step down."""
    gamma_up_spread: NonNegative = at("device", default=0.0)
    """Device-to-device standard deviation of gamma_up itself, linear response; about the mean bound."""
    gamma_down_spread: NonNegative = at("device", default=0.0)
    """The same of gamma_down."""
    a_up: Finite = at("update", default=0.0)
    """Exponential: weight A of the state's effect on a step up."""
    a_down: Finite = at("update", default=0.0)
    """Exponential: the same of a step down."""
    slope: Finite = at("update", default=1.0)
    """Exponential: a in z = 2 a w / (w_max - w_min) + b."""
    offset: Finite = at("update", default=0.0)
    """Exponential: b of the same."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self._check_idle()
        if self.response == "power" and min(self.gamma_up, self.gamma_down) < 0:
            raise ValueError(f"gamma_up = {self.gamma_up}, gamma_down = {self.gamma_down}: exponents should be from 0")
        if self.dw_min > self.w_max - self.w_min:
            raise ValueError(f"dw_min = {self.dw_min}: one step is larger than the range {self.w_max - self.w_min}")
        return self

    def _check_idle(self) -> None:
        """Refuse what the response does not take, and a response that is the constant one without its numbers."""
        if self.response in ("constant", "soft_bounds"):
            self.idle("with response linear, exponential or power", "gamma_up", "gamma_down")
        if self.response != "linear":
            self.idle("with response linear", "gamma_up_spread", "gamma_down_spread")
        elif not (self.gamma_up or self.gamma_down or self.gamma_up_spread or self.gamma_down_spread):
            self.idle("with gamma_up, gamma_down or a spread of one", "response")
        if self.response == "power" and not (self.gamma_up or self.gamma_down):
            self.idle("with gamma_up or gamma_down", "response")
        if self.response != "exponential":
            self.idle("with response exponential", "a_up", "a_down", "slope", "offset")
            return
        if not (self.a_up or self.a_down):
            self.idle("with a_up or a_down", "response")
        for way in ("up", "down"):
            if not getattr(self, f"a_{way}"):
                self.idle(f"with a_{way}", f"gamma_{way}")
        if not ((self.a_up and self.gamma_up) or (self.a_down and self.gamma_down)):
            self.idle("with a_up and gamma_up, or a_down and gamma_down", "slope", "offset")
