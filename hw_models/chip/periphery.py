# Tested by tests/hw_models/chip/test_description.py.
"""Circuits between the arrays as data: neurons, the attention unit, what reads the phases for the update."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.chip.converter import Converter
from hw_models.chip.fields import Bits, NonNegative, Part, Positive, at


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
