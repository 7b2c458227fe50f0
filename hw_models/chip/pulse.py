# Tested by tests/hw_models/chip/test_description.py.
"""What one pulse does to a device, as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from hw_models.chip.fields import Branch, Finite, NonNegative, Part, Positive, Share, at
from hw_models.laws.law import meaning, menu, missing
from hw_models.laws.pulse_response import PULSE_RESPONSES as LAWS, PulseLaw

if TYPE_CHECKING:
    ResponseName = str
else:
    ResponseName = Literal[tuple(LAWS)]
Distribution = Literal["normal", "log_normal"]


class Pulse(Part):
    """Response of a device to one programming pulse; weights here are shares of the weight range.

    Equations and sources: :mod:`hw_models.laws.pulse_response`; spreads and noise: :mod:`hw_models.arrays.pulses`.
    """

    response: ResponseName = at("update", default="constant", means=f"How the step depends on the weight. {menu(LAWS)}")
    dw_min: Annotated[float, Field(ge=1e-7, allow_inf_nan=False)] = at("update", "of the weight range", 1e-3)
    """Step of one pulse at weight 0: the granularity."""
    dw_min_spread: NonNegative = at("device", "of dw_min", 0.0)
    """Device-to-device spread of the step. With dw_min_law log_normal it is the spread of its logarithm."""
    dw_min_law: Distribution = at("device", default="normal")
    """Distribution of the steps of devices: dw_min max(1 + spread z, 0), or dw_min exp(spread z)."""
    step_correlation: Annotated[float, Field(ge=-1, le=1)] = at("device", default=1.0)
    """Correlation, from device to device, between the spread of the step up and that of the step down. 1 is a single
    spread."""
    noise: NonNegative = at("update", "of a step", 0.0, most=10)
    """Cycle-to-cycle spread of a step."""
    noise_law: Distribution = at("update", default="normal")
    """Distribution of that noise: 1 + noise z, or log-normal with the same mean and variance, which never reverses a
    step."""
    noise_base: NonNegative = at("update", "of dw_min", 0.0, most=10)
    """Further cycle-to-cycle noise that does not depend on the size of the step: in steps of the device at weight 0."""
    noise_state: NonNegative = at("update", "of the weight", 0.0)
    """Further cycle-to-cycle noise as a share of the weight that the device holds. The three together make the standard
    deviation of a pulse."""
    write_noise: NonNegative = at("update", "of dw_min", 0.0, most=1000)
    """Standard deviation of the difference between the state that pulses move and the state that is read. It is drawn
    anew with every write of the device, also of one that is stuck (corrupt, unresponsive), and stays until then: a leak
    does not lower it."""
    up_down: Annotated[float, Field(gt=-1, lt=1)] = at("update", default=0.0)
    """Asymmetry: positive makes a step down smaller by that share, negative a step up."""
    up_down_spread: NonNegative = at("device", default=0.0)
    """Device-to-device spread of the asymmetry."""
    w_max: Positive = at("update", "of the weight range", 1.0, most=10)
    """Upper bound."""
    w_min: Annotated[float, Field(le=0, allow_inf_nan=False)] = at("update", "of the weight range", -1.0, most=10)
    """Lower bound; 0 for devices of a pair, which conduct from g_min up (``device.cell``)."""
    w_max_spread: NonNegative = at("device", "of w_max", 0.0)
    """Device-to-device spread of the upper bound."""
    w_min_spread: NonNegative = at("device", "of w_min", 0.0)
    """Device-to-device spread of the lower bound."""
    bound_correlation: Annotated[float, Field(ge=-1, le=1)] = at("device", default=0.0)
    """Correlation, from device to device, between the two bounds. With 1, devices of large range are large on both
    sides."""
    corrupt: Share = at("device", default=0.0)
    """Share of devices that are stuck at a random weight of their range and that no pulse moves."""
    corrupt_range: Positive | None = at("device", "of the weight range", None)
    """Largest distance of such a weight from 0. Unset is the whole range of the device."""
    unresponsive: Share = at("device", default=0.0)
    """Share of devices that no pulse moves and that keep the weight with which they were programmed. Resets and the
    writes of others do not move them either."""
    gamma_up: Finite = at("update", means=meaning(LAWS, "gamma_up"))
    gamma_down: Finite = at("update", means=meaning(LAWS, "gamma_down"))
    gamma_up_spread: NonNegative = at("device", means=meaning(LAWS, "gamma_up_spread"))
    gamma_down_spread: NonNegative = at("device", means=meaning(LAWS, "gamma_down_spread"))
    a_up: Finite = at("update", means=meaning(LAWS, "a_up"))
    a_down: Finite = at("update", means=meaning(LAWS, "a_down"))
    slope: Finite = at("update", default=1.0, means=meaning(LAWS, "slope"))
    offset: Finite = at("update", means=meaning(LAWS, "offset"))
    table_states: Branch | None = at("update", default=None, means=meaning(LAWS, "table_states"))
    table_up: Branch | None = at("update", "of dw_min", None, meaning(LAWS, "table_up"))
    table_down: Branch | None = at("update", "of dw_min", None, meaning(LAWS, "table_down"))
    table_noise: Branch | None = at("update", "of noise", None, meaning(LAWS, "table_noise"))

    @property
    def law(self) -> PulseLaw:
        """The law of the response."""
        return LAWS[self.response]

    @property
    def wide_noise(self) -> bool:
        """Whether what a pulse strays by is no fixed share of its step."""
        return max(self.noise_base, self.noise_state) > 0 or self.table_noise is not None

    def mean(self) -> Pulse:
        """Return the response of the mean device: no spread, no noise, no faults, no write noise."""
        plain = [name for name in type(self).model_fields if name.endswith("_spread")]
        plain += ["noise", "noise_base", "noise_state", "write_noise", "corrupt", "unresponsive"]
        return self.model_copy(update={**dict.fromkeys(plain, 0.0), "table_noise": None, "noise_law": "normal"})

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together."""
        self._check_idle()
        yield from self.law.faults(self)
        if self.dw_min > self.w_max - self.w_min:
            yield f"dw_min = {self.dw_min}: one step is larger than the range {self.w_max - self.w_min}"
        if self.corrupt + self.unresponsive > 1:
            yield f"unresponsive = {self.unresponsive}: with corrupt = {self.corrupt} more than all devices"
        if self.noise_law == "log_normal" and max(self.noise_base, self.noise_state) > 0:
            yield "noise_law = 'log_normal': it is of noise that goes with the step alone, use 'normal'"

    def _check_idle(self) -> None:
        """Refuse what the response does not take, and what belongs to a spread or a noise that is not there."""
        for name, laws in missing(LAWS, self.law):
            self.idle(f"with response {laws}", name)
        for reason, names in self.law.idle(self):
            self.idle(reason, *names)
        if not self.dw_min_spread:
            self.idle("with dw_min_spread above 0", "dw_min_law", "step_correlation")
        if not (self.w_max_spread and self.w_min_spread):
            self.idle("with w_max_spread and w_min_spread above 0", "bound_correlation")
        if not self.noise:
            self.idle("with noise above 0", "noise_law", "table_noise")
        if not self.w_min:
            self.idle("with w_min below 0", "w_min_spread", "bound_correlation")
        if not self.corrupt:
            self.idle("with corrupt above 0", "corrupt_range")
