"""Parts of a chip, the circuits around its devices; see :mod:`hw_models.chip.fields`.

Meaning and equations: :mod:`hw_models.arrays.crossbar`, :mod:`hw_models.arrays.wires`, :mod:`hw_models.arrays.pulses`,
:mod:`hw_models.arrays.events`; neurons, attention and read-out belong to the engine that has them.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.chip.fields import Bits, Converter, Count, NonNegative, Part, Positive, at


class Crossbar(Part):
    """How a weight matrix lies on devices."""

    rows: Count | None = at("device", "devices", None)
    """Inputs of one tile; unset puts all on one."""
    columns: Count | None = at("device", "devices", None)
    """Outputs of one tile; unset puts all on one."""
    mapping: Literal["differential", "offset"] = at("programming", default="differential")
    """Pair: w ~ G+ - G-, one of them at g_min. Offset: one device, w ~ G minus the conductance of weight 0."""
    reference: Literal["digital", "analog"] = at("read", default="digital")
    """Offset, both directions: subtract the middle behind the ADC as a known number times the sum of the DAC's digital
    signals; or as the current of reference devices, ahead of the ADC."""
    reference_lines: Count | None = at("device", "lines", None)
    """Analog reference: lines per tile that share its task, each driven up to the DAC's full scale when transposed;
    unset takes one per output."""
    zero: Literal["middle", "level"] = at("programming", default="middle")
    """Offset: weight 0 in the middle of the range, between two of an even number of levels; or on a level, the next
    above it, from which weights reach as far as both sides have levels."""
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
    """Draw read noise for every device and sample; off draws it at the outputs, with the same mean and covariance,
    behind wires as near as :mod:`hw_models.arrays.line_noise` says."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.slices > 1 and self.slice_bits is None:
            raise ValueError(f"slice_bits = {self.slice_bits}: with slices = {self.slices}, set both or none")
        if self.slices == 1:
            self.idle("with slices above 1", "slice_bits")
        elif self.slices * (self.slice_bits or 0) > 23:
            raise ValueError(f"slices = {self.slices}: times slice_bits more than the 23 bits of single precision")
        if self.weight_range is not None:
            self.idle("without weight_range", "weight_headroom")
        if self.mapping != "offset":
            self.idle("with mapping offset", "reference", "reference_lines", "zero")
        if self.reference != "analog":
            self.idle("with reference analog", "reference_lines")
        return self


class Wires(Part):
    """Resistance of the lines; see :mod:`hw_models.arrays.wires`."""

    r_word: NonNegative = at("programming", "ohm", 0.0)
    """One word line segment, between two devices."""
    r_bit: NonNegative = at("programming", "ohm", 0.0)
    """One bit line segment."""
    refresh_every: Count = at("programming", "programmings", 1)
    """Solve the network anew that often; between, every device keeps the attenuation found last."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not (self.r_word or self.r_bit):
            self.idle("with r_word or r_bit above 0", "refresh_every")
        return self


class Neuron(Part):
    """Circuits between the arrays: u' = (1 + gain) u + offset, then the potential, then the state."""

    gain_spread: NonNegative = at("device", default=0.0)
    """Neuron-to-neuron spread of the gain."""
    offset_spread: NonNegative = at("device", "drive", 0.0)
    """Neuron-to-neuron spread of the offset."""
    state_noise: NonNegative = at("step", "state_range", 0.0)
    """Standard deviation of the white noise in front of a neuron's time constant, drawn at every step; that of the
    state at rest is sqrt(dt/(2 - dt)) times it."""
    state_bits: Bits | None = at("step", "bit", None)
    """Resolution of the state that is read; inside a neuron it is continuous. Unset reads it as it is."""
    state_range: Positive = at("step", "state", 1.0)
    """Full scale of noise and bits; a state beyond it is cut where it has bits."""
    time_constant: Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)] = at("step", "steps", 1.0)
    """Steps in which a state relaxes: s <- s + (dt/time_constant) (grad G*(u) - s)."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.state_noise and self.state_bits is None:
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
    pattern_range: Positive | None = at("programming", "signal", None)
    """Analog: pattern held at g_max; unset calibrates it on samples and then freezes it."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.kind == "digital":
            self.idle("with kind analog", "pattern_range")
        if self.state.sign == "auto":
            self.idle("as signed or unsigned: attention states may be negative", "state.sign")
        return self


class Readout(Converter):
    """Periphery that measures the states of the phases for the update: the learning signal of EP.

    That signal sits 9 to 16 bits below full scale in the attention layer, so what is digitised decides. ``noise`` is a
    share of the states' full scale, in a conversion of the difference too: it does not shrink with the finer range.
    """

    signal: Literal["states", "difference"] = at("update", default="states")
    """Each phase's state, or the held difference of the two phases with its own range, and their mean."""
    hold_noise: NonNegative = at("update", "state", 0.0)
    """Difference: standard deviation of each held state, a draw for each phase (kT/C: 1.3e-3 at 10 fF on 0.5 V)."""

    @property
    def measures(self) -> bool:
        """Whether what an update sees differs from the states."""
        return self.acts or self.hold_noise > 0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.signal == "states":
            self.idle("with signal difference, where the phases are held", "hold_noise")
        if not self.measures:
            self.idle("with bits, a range, noise or hold_noise", "signal")
        if self.signal == "difference" and self.range is not None:
            raise ValueError(f"range = {self.range}: states and their difference need two, which are calibrated")
        return self


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


class Events(Part):
    """Sigma-delta neurons and integer synapses; see :mod:`hw_models.arrays.events`."""

    threshold: Annotated[float, Field(ge=0, le=2)] = at("step", "state_range", 0.0)
    """A sender sends the change of its quantised state when it exceeds this."""
    state_bits: Annotated[int, Field(ge=2, le=16)] = at("step", "bit", 12)
    """Fixed-point resolution of a state as sent and as learning sees it, signed over [-range, range]."""
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
