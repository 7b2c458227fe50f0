"""A chip as data: frozen parts, every effect off by default, unknown keys refused.

    chip = hw_models.Chip.ideal()
    chip = hw_models.Chip(device=Device(g_max=25.0, read_noise=0.5), adc=Converter(bits=8))
    chip = hw_models.presets.load("joshi_2020_pcm")

Signals are in the network's own units. Inside a crossbar an input is a share of the DAC's range, a weight a share of
the weight range, so that a sensed current of 1 is one device pair at full swing driven at full range.

Every field says its unit and when it acts or is drawn: once per device (it stays with the array), once per programming
(every time conductances are written), at every conversion or read. Meaning and equations: the modules that do the
work, :mod:`hw_models.converters`, :mod:`hw_models.devices`, :mod:`hw_models.pulses`, :mod:`hw_models.wires`,
:mod:`hw_models.crossbar`, :mod:`hw_models.events`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hw_models import faults
from hw_models.errors import ChipError

Bits = Annotated[int, Field(ge=1, le=24)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Four = Annotated[tuple[Finite, Finite, Finite, Finite], Field(strict=False)]
Branch = Annotated[tuple[Finite, ...], Field(strict=False)]
PERFECT: frozenset[str] = frozenset({"name", "citation", "url", "caveat"})
"""Fields of a chip that describe it and act on nothing."""


def at(when: str, unit: str = "1", default: Any = 0.0) -> Any:
    """Return a field with its unit and the moment it acts: per device, programming, conversion, read, step, update."""
    return Field(default=default, json_schema_extra={"unit": unit, "when": when})


class Part(BaseModel):
    """A frozen table of a chip's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    def idle(self, reason: str, *names: str) -> None:
        """Refuse fields that are set where they could not act."""
        for name in names:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} = {getattr(self, name)!r}: it acts only {reason}")


class Converter(Part):
    """A DAC, an ADC, or a digitiser of states. Convention of the field: see :mod:`hw_models.converters`."""

    bits: Bits | None = at("conversion", "bit", None)
    """Resolution; unset converts exactly. Signed: 2^bits - 2 steps over [-range, range], zero among the levels."""
    range: Positive | None = at("conversion", "signal; an ADC: fully driven devices at g_max", None)
    """Full scale; unset with bits calibrates it on samples before the run and then freezes it."""
    sign: Literal["signed", "unsigned", "auto"] = at("conversion", default="signed")
    """Unsigned: 2^bits - 1 steps over [0, range]. Auto: unsigned where no calibration value was negative."""
    percentile: Annotated[float, Field(gt=0, le=100)] = at("calibration", "%", 100.0)
    """Share of the calibration values within the calibrated range."""
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
        if self.bits is None:
            self.idle("with bits", "stochastic")
        if not self.acts:
            self.idle("with bits, range or noise", "sign")
        if not self.calibrates:
            self.idle("where the range is calibrated: with bits or noise and no range", "percentile", "margin")
            if self.sign == "auto":
                raise ValueError("sign = 'auto': a fixed range needs signed or unsigned")
        return self


class Pulse(Part):
    """Response of a device to one programming pulse; weights here are shares of the weight range.

    Equations and source: :mod:`hw_models.pulses`.
    """

    response: Literal["constant", "linear", "soft_bounds", "exponential", "power"] = at("update", default="constant")
    """How the step depends on the weight."""
    dw_min: Positive = at("update", "weight range", 1e-3)
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
    gamma_spread: NonNegative = at("device", "gamma", 0.0)
    """Device-to-device spread of both, linear response."""
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
        if self.response in ("constant", "soft_bounds"):
            self.idle("with response linear, exponential or power", "gamma_up", "gamma_down")
        if self.response != "linear":
            self.idle("with response linear", "gamma_spread")
        if self.response != "exponential":
            self.idle("with response exponential", "a_up", "a_down", "slope", "offset")
        if self.response == "power" and min(self.gamma_up, self.gamma_down) < 0:
            raise ValueError(f"gamma_up = {self.gamma_up}, gamma_down = {self.gamma_down}: exponents should be from 0")
        if self.dw_min > self.w_max - self.w_min:
            raise ValueError(f"dw_min = {self.dw_min}: one step is larger than the range {self.w_max - self.w_min}")
        return self


class Device(Part):
    """One resistive device: conductances in uS. Equations and sources: :mod:`hw_models.devices`."""

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
    """t: time between programming and the reads of a run."""
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
        return self.age > 0 and max(self.drift_mean[3], self.drift_spread[3]) > 0

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
        if not max(self.drift_mean[3], self.drift_spread[3]):
            names = ("drift_mean_above", "drift_spread_above", "drift_compensation")
            self.idle("with a drift exponent", *names)
        return self

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
        if not self.read_noise:
            self.idle("with read_noise", "read_noise_law")
        if self.read_noise_law != "pcm":
            names = ("read_noise_exponent", "read_noise_cap", "read_noise_log", "read_time")
            self.idle("with read_noise_law pcm", *names)
        if not self.read_noise_log[3]:
            self.idle("with read_noise_log", "read_noise_above")
        else:
            self.idle("without read_noise_log", "read_noise_exponent", "read_noise_cap")


class Crossbar(Part):
    """How a weight matrix lies on devices."""

    rows: Count | None = at("device", "devices", None)
    """Inputs of one tile; unset puts all on one."""
    columns: Count | None = at("device", "devices", None)
    """Outputs of one tile; unset puts all on one."""
    mapping: Literal["differential", "offset"] = at("programming", default="differential")
    """Pair: w ~ G+ - G-, one of them at g_min. Offset: w ~ G minus the middle of the range, by a reference column."""
    slices: Annotated[int, Field(ge=1, le=8)] = at("programming", default=1)
    """Devices over which the bits of a weight are spread, each on its own array with its own ADC."""
    slice_bits: Annotated[int, Field(ge=1, le=8)] | None = at("programming", "bit", None)
    """Bits of one slice."""
    weight_range: Positive | None = at("programming", "weight", None)
    """Weight held at g_max; unset takes weight_headroom times the largest weight first programmed, then keeps it."""
    weight_headroom: Annotated[float, Field(ge=1, allow_inf_nan=False)] = at("programming", default=1.0)
    """Room for weights that grow while learning."""
    hold_input: bool = at("read", default=True)
    """Read the products of the clamped input once per sample and hold them; off reads them again at every step."""
    exact_noise: bool = at("read", default=False)
    """Draw read noise for every device and sample; off draws it at the outputs, with the same mean and variance."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (self.slices > 1) != (self.slice_bits is not None):
            raise ValueError(f"slice_bits = {self.slice_bits}: with slices = {self.slices}, set both or none")
        if self.slices * (self.slice_bits or 0) > 23:
            raise ValueError(f"slices = {self.slices}: times slice_bits more than the 23 bits of single precision")
        if self.weight_range is not None:
            self.idle("without weight_range", "weight_headroom")
        return self


class Wires(Part):
    """Resistance of the lines; see :mod:`hw_models.wires`."""

    r_word: NonNegative = at("programming", "ohm", 0.0)
    """One word line segment, between two devices."""
    r_bit: NonNegative = at("programming", "ohm", 0.0)
    """One bit line segment."""
    refresh_every: Count = at("programming", "programmings", 1)
    """Solve the network anew that often; between, every device keeps the attenuation found last."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.r_word and not self.r_bit:
            self.idle("with r_word or r_bit", "refresh_every")
        return self


class Neuron(Part):
    """Circuits between the arrays: u' = (1 + gain) u + offset, then the potential, then the state."""

    gain_spread: NonNegative = at("device", default=0.0)
    """Neuron-to-neuron spread of the gain."""
    offset_spread: NonNegative = at("device", "drive", 0.0)
    """Neuron-to-neuron spread of the offset."""
    state_noise: NonNegative = at("step", "state_range", 0.0)
    """Standard deviation of Gaussian noise on every state at every step."""
    state_bits: Bits | None = at("step", "bit", None)
    """Resolution of the stored state; unset is continuous."""
    state_range: Positive = at("step", "state", 1.0)
    """Full scale of noise and bits; a state beyond it is cut where it has bits."""
    time_constant: Annotated[float, Field(ge=1, allow_inf_nan=False)] = at("step", "steps", 1.0)
    """Steps in which a state relaxes: s <- s + (dt/time_constant) (grad G*(u) - s)."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.state_bits is None and not self.state_noise:
            self.idle("with state_noise or state_bits", "state_range")
        return self


class Attention(Part):
    """The unit that turns drives into attention states."""

    kind: Literal["digital", "analog"] = at("read", default="digital")
    """Digital arithmetic, or the patterns of every sequence written to a crossbar of this chip's devices."""
    exp_bits: Bits | None = at("step", "bit", None)
    """Resolution of the exponentials exp(x - max x) in [0, 1]; unset is exact."""
    state: Converter = at("step", default=Converter())
    """Digitiser of the attention states that the next synapse reads."""


class Readout(Converter):
    """Periphery that measures the states of the phases for the update: the learning signal of EP.

    That signal sits 9 to 16 bits below full scale in the attention layer, so what is digitised decides.
    """

    signal: Literal["states", "difference"] = at("update", default="states")
    """Each phase's state, or the held difference of the two phases with its own range, and their mean."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.acts:
            self.idle("with bits, range or noise", "signal")
        if self.signal == "difference" and self.range is not None:
            raise ValueError(f"range = {self.range}: states and their difference need two, which are calibrated")
        return self


class Update(Part):
    """How weights change; see :mod:`hw_models.pulses` for pulses."""

    scheme: Literal["digital", "mixed_precision", "pulsed"] = at("update", default="digital")
    """Master copy and reprogramming; digital accumulation and whole granules as pulses; or pulses in memory."""
    reprogram_every: Count = at("update", "updates", 1)
    """Digital: updates of the master copy between two programmings."""
    granule: Positive | None = at("update", "weight range", None)
    """Mixed precision: accumulated change that is moved by one pulse; unset takes dw_min."""
    trains: Literal["expected", "stochastic"] = at("update", default="expected")
    """Pulsed: mean and variance of the trains per batch in one step, or every stochastic train pulse by pulse."""
    signals: Literal["phases", "contrast"] = at("update", default="phases")
    """Pulsed: trains +s+ x a+ and -s- x a-, or (s+ - s-) x mean a and mean s x (a+ - a-) of held phases."""
    train_length: Annotated[int, Field(ge=1, le=63)] = at("update", "pulse slots", 31)
    """Pulsed: longest train."""
    management: bool = at("update", default=True)
    """Pulsed: fit train length and both factors to the signals at hand; off keeps A = B = sqrt(rate/(dw_min BL))."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.scheme != "digital":
            self.idle("with scheme digital", "reprogram_every")
        if self.scheme != "mixed_precision":
            self.idle("with scheme mixed_precision", "granule")
        if self.scheme != "pulsed":
            self.idle("with scheme pulsed", "trains", "signals", "train_length", "management")
        return self


class Events(Part):
    """Sigma-delta neurons and integer synapses; see :mod:`hw_models.events`."""

    threshold: NonNegative = at("step", "state_range", 0.0)
    """A sender sends the change of its quantised state when it exceeds this."""
    state_bits: Annotated[int, Field(ge=2, le=16)] = at("step", "bit", 12)
    """Fixed-point resolution of a sent state, signed over [-range, range]."""
    state_range: Positive | None = at("step", "signal", None)
    """Full scale of a sent state; unset calibrates it per array on samples and then freezes it."""
    weight_bits: Annotated[int, Field(ge=2, le=8)] = at("programming", "bit", 8)
    """Resolution of the integer weights, signed."""
    weight_range: Positive | None = at("programming", "weight", None)
    """Full scale of the weights; unset takes weight_headroom times the largest first weight."""
    weight_headroom: Annotated[float, Field(ge=1, allow_inf_nan=False)] = at("programming", default=1.0)
    """Room for weights that grow while learning."""
    in_place: bool = at("update", default=False)
    """Change the integers themselves, rounded at random, instead of a float master copy."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.weight_range is not None:
            self.idle("without weight_range", "weight_headroom")
        return self


class Chip(Part):
    """Everything a substrate does to a network.

    Raises
    ------
    ChipError
        From :meth:`parse` and :meth:`from_toml`, with one line: the field, the value, what is allowed, the nearest
        valid name.
    """

    name: str = "ideal"
    """What to call it."""
    citation: str = ""
    """Paper the numbers come from."""
    url: str = ""
    """DOI or address of the same."""
    caveat: str = ""
    """What the numbers do not represent."""
    substrate: Literal["crossbar", "event_driven"] = at("device", default="crossbar")
    """Resistive crossbars, or an event-driven digital array."""
    crossbar: Crossbar = at("device", default=Crossbar())
    """Tiles and mapping."""
    device: Device = at("device", default=Device())
    """The resistive device."""
    wires: Wires = at("programming", default=Wires())
    """Line resistance."""
    dac: Converter = at("conversion", default=Converter())
    """From states to the lines of an array, both directions."""
    adc: Converter = at("conversion", default=Converter())
    """From the lines of one tile to numbers, both directions."""
    neuron: Neuron = at("step", default=Neuron())
    """Neuron circuits."""
    attention: Attention = at("step", default=Attention())
    """Attention unit."""
    readout: Readout = at("update", default=Readout())
    """What measures the phases for the update."""
    update: Update = at("update", default=Update())
    """How weights change."""
    events: Events = at("step", default=Events())
    """Event-driven array."""
    calibration_samples: Count = at("calibration", "samples", 64)
    """Training samples on which ranges are calibrated."""

    @classmethod
    def ideal(cls) -> Chip:
        """Return the chip without any effect."""
        return cls()

    @property
    def is_ideal(self) -> bool:
        """Whether no field that acts differs from :meth:`ideal`."""
        return not self.differences()

    @property
    def redraws(self) -> bool:
        """Whether a product or a state read again may differ."""
        converters = (self.dac, self.adc, self.attention.state)
        drawn = any(converter.stochastic or converter.noise for converter in converters)
        return bool(drawn or self.device.read_noise or self.neuron.state_noise)

    def differences(self) -> dict[str, Any]:
        """Return the fields that differ from the ideal chip by dotted name, those that only describe it left out."""
        other = dict(self.fields_of(Chip()))
        return {
            name: value for name, value in self.fields_of(self) if name not in PERFECT and value != other[name]
        }

    @classmethod
    def fields_of(cls, part: Part, start: str = "") -> Iterator[tuple[str, Any]]:
        """Yield dotted names and values of all leaves."""
        for name in type(part).model_fields:
            value = getattr(part, name)
            if isinstance(value, Part):
                yield from cls.fields_of(value, f"{start}{name}.")
            else:
                yield f"{start}{name}", value

    @classmethod
    def settings(cls) -> dict[str, Any]:
        """Return pydantic's information about every leaf by dotted name."""
        return dict(_settings(cls))

    @classmethod
    def parse(cls, values: Mapping[str, Any], source: str = "chip") -> Chip:
        """Check nested plain values; see the class for the error."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ChipError(f"{source}: {faults.line(error.errors()[0], cls.settings())}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, unset ones left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """Return TOML that :func:`hw_models.files.load` reads."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    def __repr__(self) -> str:
        shown = "".join(f", {name}={value!r}" for name, value in self.differences().items())
        return f"Chip({self.name!r}{shown})"

    __str__ = __repr__

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.substrate == "event_driven":
            parts = ("crossbar", "device", "wires", "dac", "adc", "readout")
            for name in parts:
                if getattr(self, name) != type(getattr(self, name))():
                    raise ValueError(f"{name}: an event-driven array has none; remove the table")
            if self.update.scheme != "digital":
                raise ValueError(f"update.scheme = '{self.update.scheme}': event-driven arrays learn by 'digital'")
            if self.attention.kind == "analog":
                raise ValueError("attention.kind = 'analog': event-driven arrays have a digital attention unit")
        elif self.events != Events():
            raise ValueError("events: it acts only with substrate = 'event_driven'")
        if self.crossbar.slices > 1:
            self._check_slices()
        return self

    def _check_slices(self) -> None:
        levels, bits = self.device.levels, self.crossbar.slice_bits or 0
        if levels is not None and levels < 2**bits:
            raise ValueError(f"crossbar.slice_bits = {bits}: {2**bits} levels, the device has {levels}")
        if self.update.scheme != "digital":
            raise ValueError(f"update.scheme = '{self.update.scheme}': bit slices are reprogrammed, by 'digital' only")


def _settings(part: type[Part], start: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in part.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Part):
            yield from _settings(field.annotation, f"{start}{name}.")
        else:
            yield f"{start}{name}", field
