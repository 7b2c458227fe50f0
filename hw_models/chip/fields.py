"""Parts of a chip, the devices and converters: frozen tables that say unit, moment and meaning of every field.

Meaning and equations: :mod:`hw_models.arrays.converters`, :mod:`hw_models.laws.devices`,
:mod:`hw_models.arrays.pulses`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from hw_models.chip import faults
from hw_models.errors import ChipError

Bits = Annotated[int, Field(ge=1, le=24)]
Count = Annotated[int, Field(ge=1)]
LARGEST, SMALLEST = 1e30, 1e-30
"""Physical numbers beyond leave single precision."""


def _held(value: float) -> float:
    if value < SMALLEST:
        raise ValueError(f"should be at least {SMALLEST}")
    return value


Positive = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False), AfterValidator(_held)]
NonNegative = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Four = Annotated[tuple[Finite, Finite, Finite, Finite], Field(strict=False)]
Branch = Annotated[tuple[Finite, ...], Field(strict=False)]


def at(when: str, unit: str = "1", default: Any = 0.0) -> Any:
    """Return a field with its unit and the moment it acts: per device, programming, conversion, read, step, update."""
    return Field(default=default, json_schema_extra={"unit": unit, "when": when})


class Idle(ValueError):
    """Fields are set where they could not act.

    Attributes
    ----------
    lines : dict of str to str
        What to say of each, by its name within the part that found it.
    """

    def __init__(self, lines: Mapping[str, str]) -> None:
        self.lines = dict(lines)
        super().__init__(next(iter(lines.values())))


_SILENCED: ContextVar[bool] = ContextVar("silenced", default=False)


@contextmanager
def silenced() -> Iterator[None]:
    """Let fields stand that could not act: those that a chip keeps, which have been looked at before."""
    token = _SILENCED.set(True)
    try:
        yield
    finally:
        _SILENCED.reset(token)


class Part(BaseModel):
    """A frozen table of a chip's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    def __init__(self, /, **values: Any) -> None:
        """Check the fields; a fault anywhere in them is a ``ChipError`` of one line."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            names = dict(leaves_of(type(self)))
            raise ChipError(f"{type(self).__name__}: {faults.line(error.errors()[0], names)}") from None

    # To pydantic it is its own: parts within parts are checked without it, and keep their place in the error.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def idle(self, reason: str, *names: str) -> None:
        """Refuse fields that are set where they could not act.

        Parameters
        ----------
        reason : str
            Where they act, the end of "it acts only ...".
        *names : str
            Fields, dotted where they are of a part of this one; of a part all its fields.

        Raises
        ------
        Idle
            If one differs from its default.
        """
        if _SILENCED.get():
            return
        # pydantic checks a part again where it is put into another one: what a chip keeps has been looked at.
        kept, found = getattr(self, "kept", None) or (), {}
        for leaf, value, default in (each for name in names for each in self._set(name)):
            if value != default and leaf not in kept:
                shown = list(value) if isinstance(value, tuple) else value
                found[leaf] = f"{leaf} = {shown!r}: it acts only {reason}"
        if found:
            raise Idle(found)

    def _set(self, dotted: str) -> Iterator[tuple[str, Any, Any]]:
        """Yield name, value and default of a field, or of all fields of a part."""
        *path, leaf = dotted.split(".")
        part: Part = self
        for name in path:
            part = getattr(part, name)
        value = getattr(part, leaf)
        if not isinstance(value, Part):
            yield dotted, value, type(part).model_fields[leaf].default
            return
        for name in type(value).model_fields:
            yield from self._set(f"{dotted}.{name}")


def leaves_of(part: type[Part], start: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted name and pydantic's information of every leaf of a kind of part."""
    for name, field in part.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Part):
            yield from leaves_of(field.annotation, f"{start}{name}.")
        else:
            yield f"{start}{name}", field


class Converter(Part):
    """A DAC, an ADC, or a digitiser of states. Convention of the field: see :mod:`hw_models.arrays.converters`."""

    bits: Bits | None = at("conversion", "bit", None)
    """Resolution; unset converts exactly. Signed: 2^bits - 2 steps over [-range, range], zero among the levels."""
    range: Positive | None = at("conversion", "signal; an ADC: fully driven devices at g_max", None)
    """Full scale; unset with bits calibrates it on samples before the run and then freezes it."""
    sign: Literal["signed", "unsigned", "auto"] = at("conversion", default="signed")
    """Unsigned: 2^bits - 1 steps over [0, range]. Auto: unsigned where a signal cannot be negative, as the states of a
    sigmoid; on a crossbar by itself, where no calibration value was."""
    percentile: Annotated[float, Field(gt=0, le=100)] = at("calibration", "%", 100.0)
    """Share of the calibration values within the calibrated range; those that are 0 do not count."""
    margin: Positive = at("calibration", default=1.0)
    """Calibrated range over that percentile; above 1 leaves headroom for weights that grow."""
    stochastic: bool = at("conversion", default=False)
    """Round up or down at random, with the exact value as mean."""
    noise: NonNegative = at("conversion", "full scale", 0.0)
    """Standard deviation of Gaussian noise ahead of the quantiser."""

    @property
    def acts(self) -> bool:
        """Whether it changes a signal."""
        return self.bits is not None or self.range is not None or self.noise > 0

    @property
    def calibrates(self) -> bool:
        """Whether its range comes from samples."""
        return self.acts and self.range is None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.bits == 1 and self.sign != "unsigned":
            raise ValueError(f"bits = 1: a {self.sign} converter has zero among its levels and needs 2 or more")
        if not self.acts:
            self.idle("with bits, a range or noise", "sign", "percentile", "margin")
        if self.bits is None:
            self.idle("with bits", "stochastic")
        if self.range is not None:
            self.idle("where the range is calibrated", "percentile", "margin")
            if self.sign == "auto":
                raise ValueError("sign = 'auto': a fixed range needs signed or unsigned")
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


RELAXATION = (1.0, 86400.0)


def refitted(device: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes of a device's table, with what they mean for the polynomial in uS beside them.

    Another ``g_max`` alone keeps ``programming_noise`` a fit to devices of the ``g_max`` it had. Another
    ``programming_noise`` is in uS as it stands and there at once. What is given beside them stands.
    """
    result = dict(changes)
    if "programming_noise" in changes:
        whole = {"programming_noise_fresh": (), "relaxation_times": RELAXATION, "programming_noise_g_max": None}
        return whole | result
    if "programming_noise_g_max" in changes:
        return result
    if "g_max" in changes and device.get("programming_noise"):
        had = device.get("g_max", Device.model_fields["g_max"].default)
        if changes["g_max"] != had and device.get("programming_noise_g_max") is None:
            result["programming_noise_g_max"] = had
    return result


class Device(Part):
    """One resistive device: conductances in uS. Equations and sources: :mod:`hw_models.laws.devices`."""

    g_min: NonNegative = at("programming", "uS", 0.0)
    """Lowest conductance."""
    g_max: Positive = at("programming", "uS", 25.0)
    """Highest conductance."""
    g_min_spread: NonNegative = at("device", "g_min", 0.0)
    """Device-to-device spread of the lowest conductance."""
    g_max_spread: NonNegative = at("device", "g_max", 0.0)
    """Device-to-device spread of the highest conductance; targets beyond are cut."""
    mismatch: NonNegative = at("device", "g", 0.0)
    """Device-to-device spread of the gain with which a programmed conductance conducts."""
    levels: Annotated[int, Field(ge=2)] | None = at("programming", default=None)
    """Number of equidistant conductances from g_min to g_max; unset is continuous."""
    resolution: NonNegative = at("programming", "uS", 0.0)
    """Smallest difference that write and verify resolves: targets are rounded to its multiples above g_min."""
    programming_noise: Annotated[tuple[Finite, ...], Field(strict=False)] = at("programming", "uS", ())
    """Standard deviation of a programmed conductance as a polynomial in g/g_max, constant term first."""
    programming_noise_fresh: Annotated[tuple[Finite, ...], Field(strict=False)] = at("programming", "uS", ())
    """The same as soon as it is written, where a conductance relaxes afterwards: what is missing to programming_noise
    comes with the age. Unset, all of it is there at once."""
    relaxation_times: Annotated[tuple[Positive, Positive], Field(strict=False)] = at("programming", "s", RELAXATION)
    """Age up to which the noise is the fresh one, and age from which it is programming_noise; between the two its
    variance grows with the logarithm of the age."""
    programming_noise_g_max: Positive | None = at("programming", "uS", None)
    """The g_max of the devices that programming_noise was fitted to, fresh or not: with another g_max it grows in
    proportion. Unset, it is in uS as it stands; changing the g_max of a chip that exists notes the one it had."""
    read_noise: NonNegative = at("read", "uS additive, else relative", 0.0)
    """Size of the noise of one read, by its law."""
    read_noise_law: Literal["additive", "proportional", "sqrt", "pcm"] = at("read", default="additive")
    """sigma_g = read_noise; read_noise g; read_noise sqrt(g g_max); or 1/f noise of phase-change memory."""
    read_noise_exponent: NonNegative = at("read", default=0.65)
    """pcm: Q = read_noise / (g/g_max)^exponent."""
    read_noise_cap: Positive = at("read", default=0.2)
    """pcm: largest Q."""
    read_noise_log: Four = at("read", default=(0.0, 0.0, 0.0, 0.0))
    """pcm: Q = read_noise clip(a ln(g/g_max) + b, low, high) as (a, b, low, high), where high is above 0."""
    read_noise_above: Branch = at("read", default=())
    """pcm with read_noise_log: polynomial from a share on, (v0, c0, c1, ...): c0 + c1 v + ... for v = g/g_max >= v0."""
    read_time: Positive = at("read", "s", 250e-9)
    """pcm: duration of a read, the upper end of the 1/f band."""
    drift_mean: Four = at("programming", default=(0.0, 0.0, 0.0, 0.0))
    """Mean of the drift exponent nu: clip(a ln(g/g_max) + b, low, high) as (a, b, low, high)."""
    drift_spread: Four = at("programming", default=(0.0, 0.0, 0.0, 0.0))
    """Standard deviation of nu, in the same form."""
    drift_mean_above: Branch = at("programming", default=())
    """Polynomial from a share on, (v0, c0, c1, ...): the mean is c0 + c1 v + ... for v = g/g_max >= v0."""
    drift_spread_above: Branch = at("programming", default=())
    """The same of the standard deviation."""
    drift_start: Positive = at("programming", "s", 20.0)
    """t0 of g (1 + t/t0)^-nu."""
    age: NonNegative = at("read", "s", 0.0)
    """t: time from the last write of a device to its reads, on a chip that is deployed, evaluated or compared. While a
    chip trains, devices are read as soon as they are written: each pulse or reprogramming starts the time anew, and
    the evaluation after each epoch looks this much ahead. What was trained may be read at any age without a write."""
    drift_compensation: bool = at("read", default=False)
    """Scale the outputs by the ratio of the summed conductances at programming and now."""
    stuck_low: Share = at("device", default=0.0)
    """Share of devices stuck at g_min."""
    stuck_high: Share = at("device", default=0.0)
    """Share of devices stuck at g_max."""
    pulse: Pulse = at("update", default=Pulse())
    """Response to pulses."""

    @property
    def drifts(self) -> bool:
        """Whether conductances fall with time."""
        return max(self.drift_mean[3], self.drift_spread[3]) > 0

    @property
    def relaxes(self) -> bool:
        """Whether the error of a write grows with time."""
        return len(self.programming_noise_fresh) > 0

    @property
    def ages(self) -> bool:
        """Whether a read goes by the time since the last write: drift, relaxation, or 1/f noise."""
        return self.drifts or self.relaxes or (self.read_noise > 0 and self.read_noise_law == "pcm")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values, unchecked; another g_max as :func:`refitted` says."""
        return super().model_copy(update=refitted(dict(self), update or {}), deep=deep)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.g_min >= self.g_max:
            raise ValueError(f"g_min = {self.g_min}: it should be below g_max = {self.g_max} uS")
        if self.stuck_low + self.stuck_high > 1:
            raise ValueError(f"stuck_high = {self.stuck_high}: with stuck_low = {self.stuck_low} more than all devices")
        self._check_levels()
        self._check_noise()
        for name in ("drift_mean", "drift_spread"):
            if not 0 <= getattr(self, name)[2] <= getattr(self, name)[3]:
                raise ValueError(f"{name} = {list(getattr(self, name))}: low and high should be 0 <= low <= high")
        self._check_idle()
        return self

    def _check_idle(self) -> None:
        """Refuse what belongs to a spread, a read noise or a drift that is not there."""
        if not self.g_min:
            self.idle("with g_min above 0", "g_min_spread")
        self._check_idle_noise()
        for name in ("drift_mean", "drift_spread"):
            if not getattr(self, name)[3]:
                self.idle("with a highest exponent above 0, its last number", name)
        if not max(self.drift_mean[3], self.drift_spread[3]):
            above = ("drift_mean_above", "drift_spread_above")
            self.idle("with a drift exponent, drift_mean or drift_spread", *above, "drift_compensation")

    def _check_idle_noise(self) -> None:
        if not self.programming_noise:
            self.idle("with programming_noise", "programming_noise_g_max", "programming_noise_fresh")
        if not self.programming_noise_fresh:
            self.idle("with programming_noise_fresh", "relaxation_times")
        if not self.read_noise:
            shape = ("read_noise_exponent", "read_noise_cap", "read_noise_log", "read_noise_above", "read_time")
            self.idle("with read_noise above 0", "read_noise_law", *shape)
        if self.read_noise_law != "pcm":
            names = ("read_noise_exponent", "read_noise_cap", "read_noise_log", "read_time")
            self.idle("with read_noise_law pcm", *names)
        if not self.read_noise_log[3]:
            self.idle("with a read_noise_log whose last number is above 0", "read_noise_log", "read_noise_above")
        else:
            self.idle("without read_noise_log", "read_noise_exponent", "read_noise_cap")

    def _check_levels(self) -> None:
        span = self.g_max - self.g_min
        if self.resolution > span:
            raise ValueError(f"resolution = {self.resolution}: the range holds {span:g} uS")
        if self.levels is not None and self.resolution and (self.levels - 1) * self.resolution > span * (1 + 1e-9):
            most = int(span / self.resolution + 1e-9) + 1
            held = f"{span:g} uS at a resolution of {self.resolution:g} uS hold {most}"
            raise ValueError(f"levels = {self.levels}: more than the range holds: {held}")
        if self.levels is not None and self.levels > 2**24:
            raise ValueError(f"levels = {self.levels}: more than the range holds in single precision, {2**24}")

    def _check_noise(self) -> None:
        grid = np.linspace(0, 1, 101)
        sigma = np.polynomial.polynomial.polyval(grid, self.programming_noise or (0.0,))
        if sigma.min() < 0:
            where = f"negative at g/g_max = {grid[sigma.argmin()]:.2f}"
            raise ValueError(f"programming_noise = {list(self.programming_noise)}: the standard deviation is {where}")
        fresh = np.polynomial.polynomial.polyval(grid, self.programming_noise_fresh or (0.0,))
        if fresh.min() < 0 or (self.programming_noise and (fresh > sigma + 1e-9).any()):
            allowed = "from 0 to programming_noise at every g/g_max"
            raise ValueError(f"programming_noise_fresh = {list(self.programming_noise_fresh)}: it should be {allowed}")
        if self.relaxation_times[0] >= self.relaxation_times[1]:
            raise ValueError(f"relaxation_times = {list(self.relaxation_times)}: the second should be the later one")
