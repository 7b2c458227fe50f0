# Tested by tests/hw_models/chip/test_description.py.
"""Circuits between the arrays as data: neurons, the attention unit, what reads the phases for the update."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.chip.converter import Converter
from hw_models.chip.fields import Bits, NonNegative, Part, Positive, at


class Neuron(Part):
    """Circuits between the arrays: u' = (1 + gain) u + offset, then the potential, then the state."""

    gain_spread: NonNegative = at("device", "of the gain", 0.0)
    """Neuron-to-neuron spread of the gain."""
    offset_spread: NonNegative = at("device", "drive", 0.0)
    """Neuron-to-neuron spread of the offset."""
    state_noise: NonNegative = at("step", "of state_range", 0.0)
    """Standard deviation of the white noise ahead of a neuron's time constant, drawn at every step. The state at rest
    has sqrt(dt/(2 - dt)) times this noise."""
    state_bits: Bits | None = at("step", "bit", None)
    """Resolution with which a state is read. Inside the neuron the state is continuous. Unset reads it exactly."""
    state_range: Positive = at("step", "state", 1.0)
    """Full scale of noise and bits. With bits, a state beyond it is cut."""
    time_constant: Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)] = at("step", "steps", 1.0)
    """Steps in which a state relaxes: s <- s + (dt/time_constant) (grad G*(u) - s)."""
    nudge_mismatch: Annotated[float, Field(ge=-0.3, le=0.3)] = at("step", "of beta", 0.0)
    """Relative error of the nudge. A positive nudge is 1 + nudge_mismatch times its wanted strength, a negative one 1 -
    nudge_mismatch times. The update does not know this error."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.state_noise and self.state_bits is None:
            self.idle("with state_noise or state_bits", "state_range")
        return self


class Attention(Part):
    """The unit that turns drives into attention states."""

    kind: Literal["digital", "analog"] = at("read", default="digital")
    """Digital arithmetic, or the patterns of every sequence written to a crossbar of this chip's devices (analog)."""
    exp_bits: Bits | None = at("step", "bit", None)
    """Resolution of the exponentials exp(x - max x) in [0, 1]; unset is exact."""
    state: Converter = at("step", default=Converter())
    """Digitiser of the attention states that the next synapse reads."""
    pattern_range: Positive | None = at("programming", "signal", None)
    """Analog: pattern that is held at g_max. Unset calibrates it on samples and then freezes it."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.kind == "digital":
            self.idle("with kind analog", "pattern_range")
        if self.state.sign == "auto":
            self.idle("as signed or unsigned: attention states may be negative", "state.sign")
        return self


class Readout(Converter):
    """Periphery that measures the states of the phases for the update: the learning signal of EP.

    Equations of the sample-and-holds: :mod:`hw_models.periphery.holders`. A fault that differs between the
    two phases by 1e-4 to 1e-3 of a state hides that signal; a fault that is the same in both does not.

    In the attention layer the signal lies 9 to 16 bits below full scale, so the choice of what is digitised decides.
    ``noise`` is a share of the states' full scale, also when the difference is converted: it does not shrink with the
    finer range.
    """

    signal: Literal["states", "difference"] = at("update", default="states")
    """What is digitised for the update: the state of each phase (states), or the held difference of the two phases with
    its own range, and their mean (difference)."""
    hold_noise: NonNegative = at("update", "state", 0.0)
    """Standard deviation of the noise of each held state, drawn for each phase (kT/C: 1.3e-3 at 10 fF on 0.5 V). A
    sample-and-hold also holds a state that is digitised by itself, and adds as much noise."""
    hold_offset: NonNegative = at("device", "state", 0.0)
    """Difference: standard deviation of the offset of each of a neuron's two holders. The difference of the two offsets
    has sqrt(2) times it."""
    hold_gain: NonNegative = at("device", "of the state", 0.0)
    """Difference: standard deviation of the gain error of each of a neuron's two holders."""
    hold_droop: NonNegative = at("update", "1/phase", 0.0)
    """Difference: rate at which a held state decays towards 0 while a later phase settles, exp(-hold_droop phases). It
    is the time of a nudged phase over the time constant R C of the holder."""
    hold_time: Positive | None = at("update", "s", None)
    """Difference: time constant R C of the leak of a holder, in place of hold_droop on a chip with a clock. A held
    state decays by exp(-t/hold_time) over the time t that later phases take until both are read. Longer phases
    therefore make it worse."""
    holds: Annotated[int, Field(ge=1, le=4096)] = at("update", "1", 1)
    """How often a state, or the difference of two, is held and converted. The mean is used. Every hold and conversion
    is counted."""
    chopping: Literal["off", "batch", "sample"] = at("update", default="off")
    """Difference: swap the two holders of all neurons at random, for every batch or for every sample."""
    auto_zero: Literal["off", "sample", "mean"] = at("update", default="off")
    """Difference: hold the free state in both holders for as long as they hold the phases, convert it as well, and
    subtract it. Sample: subtract that of every sample. Mean: subtract the mean over all rows of the updates so far, in
    which about the last hundred updates weigh most."""

    @property
    def differs(self) -> bool:
        """Whether its holders treat two equal phases unlike."""
        return self.hold_offset > 0 or self.hold_gain > 0 or self.droops

    @property
    def droops(self) -> bool:
        """Whether a held state decays."""
        return self.hold_droop > 0 or self.hold_time is not None

    @property
    def holding(self) -> bool:
        """Whether states wait in sample-and-holds whose faults or work are told."""
        return self.measures and (self.signal == "difference" or self.hold_noise > 0)

    @property
    def measures(self) -> bool:
        """Whether what an update sees differs from the states."""
        return self.acts or self.hold_noise > 0 or self.differs

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together, of the holders too."""
        yield from super().impossible()
        if self.signal == "states":
            held = ("hold_offset", "hold_gain", "hold_droop", "hold_time", "chopping", "auto_zero")
            self.idle("with signal difference, where both phases are held", *held)
        if not self.measures:
            self.idle("with bits, a range, noise or a fault of the holders, hold_*", "signal")
        if not (self.hold_noise or self.noise or self.stochastic):
            self.idle("with hold_noise, noise or stochastic rounding", "holds")
        if not (self.hold_offset or self.hold_gain):
            self.idle("with hold_offset or hold_gain", "chopping")
        if not self.differs:
            self.idle("with hold_offset, hold_gain, hold_droop or hold_time", "auto_zero")
        if self.hold_droop and self.hold_time is not None:
            one = "a droop is said for each phase or by its time constant"
            yield f"hold_time = {self.hold_time}: hold_droop = {self.hold_droop} stands beside it: {one}"
        if self.signal == "difference" and self.range is not None:
            yield f"range = {self.range}: states and their difference need two, which are calibrated"
