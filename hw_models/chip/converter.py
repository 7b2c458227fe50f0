# Tested by tests/hw_models/chip/test_description.py.
"""A DAC, an ADC or a digitiser as data; equations: :mod:`hw_models.arrays.converters`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field

from hw_models.chip.fields import Bits, Count, NonNegative, Part, Positive, at

WIDEST = 12
"""Most bits of a converter whose steps have widths of their own."""


class Converter(Part):
    """A DAC, an ADC, or a digitiser of states. Convention of the field: see :mod:`hw_models.arrays.converters`."""

    bits: Bits | None = at("conversion", "bit", None)
    """Resolution; unset converts exactly. Signed: 2^bits - 2 steps over [-range, range], zero among the levels."""
    range: Positive | None = at("conversion", "signal; an ADC: fully driven weights of full size", None)
    """Full scale. Unset with bits calibrates it on samples before the run and then freezes it. A weight of full size is
    g_max - g_min for a pair, and half of that beside a reference."""
    sign: Literal["signed", "unsigned", "auto"] = at("conversion", default="signed")
    """Unsigned: 2^bits - 1 steps over [0, range]. Auto: unsigned where a signal cannot be negative, such as the states
    of a sigmoid; on a crossbar by itself, where no calibration value was negative."""
    percentile: Annotated[float, Field(gt=0, le=100)] = at("calibration", "%", 100.0)
    """Share of the calibration values that lie within the calibrated range. Values of 0 do not count."""
    margin: Positive = at("calibration", default=1.0)
    """Factor of the calibrated range above that percentile. A factor above 1 leaves room for weights that grow."""
    stochastic: bool = at("conversion", default=False)
    """Round up or down at random, so that the mean is the exact value."""
    noise: NonNegative = at("conversion", "of full scale", 0.0)
    """Standard deviation of Gaussian noise ahead of the quantiser."""

    @property
    def acts(self) -> bool:
        """Whether it changes a signal."""
        return self.bits is not None or self.range is not None or self.noise > 0

    @property
    def calibrates(self) -> bool:
        """Whether its range comes from samples."""
        return self.acts and self.range is None

    @property
    def of_increments(self) -> Self:
        """The same circuit for changes of a signal, which have either sign.

        Behind digital codes its full scale is theirs to choose and calibrated anew; what only clips keeps its range.
        """
        digital = self.bits is not None or self.noise > 0
        return self.model_copy(update={"sign": "signed", "range": None if digital else self.range})

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together."""
        if self.bits == 1 and self.sign != "unsigned":
            yield f"bits = 1: a {self.sign} converter has zero among its levels and needs 2 or more"
        if not self.acts:
            self.idle("with bits, a range or noise", "sign", "percentile", "margin")
        if self.bits is None:
            self.idle("with bits", "stochastic")
        if self.range is not None:
            self.idle("where the range is calibrated", "percentile", "margin")
            if self.sign == "auto":
                yield "sign = 'auto': a fixed range needs signed or unsigned"


class DAC(Converter):
    """What drives the lines of an array; see :mod:`hw_models.arrays.serial` for digits."""

    encoding: Literal["amplitude", "pulse_width", "pulses", "serial"] = at("conversion", default="amplitude")
    """What carries a signal. Amplitude: a share of the read voltage. Pulse width: a share of the time for which the
    full read voltage is applied. Pulses: a number of pulses of the full voltage, bit by bit, with b bits in 2^b - 1
    integration steps and one conversion. Serial: each bit by itself, b products of 1-bit inputs with a conversion each,
    whose errors are computed as those of one. The bill depends on it (:mod:`hw_models.cost.coding`)."""
    digit_bits: Annotated[int, Field(ge=1, le=12)] | None = at("conversion", "bit", None)
    """Bits of a code that are applied at a time, digit by digit. The ADC converts the currents of each digit, with read
    noise of its own, and the results are shifted and added digitally. Unset applies whole codes."""
    digit_sign: Literal["magnitude", "twos_complement"] = at("conversion", default="magnitude")
    """Signed codes in digits, or bit by bit (encoding serial). Magnitude: the sign goes with every digit of the
    magnitude. Two's complement: the sign bit is a digit of its own, of weight -2^(bits - 1), and no line is driven
    below 0."""

    def digits(self, unsigned: bool) -> int:
        """Return in how many digits a code is sent; 1 where it is sent whole."""
        if self.bits is None or self.digit_bits is None:
            return 1
        if unsigned:
            return -(-self.bits // self.digit_bits)
        return -(-(self.bits - 1) // self.digit_bits) + (self.digit_sign == "twos_complement")

    def sent(self, unsigned: bool) -> int | None:
        """Return the bits of a code, or of one of its digits, that are sent; None where it is exact.

        A sign that goes with every digit is none of them.
        """
        if self.bits is None or self.digits(unsigned) > 1:
            return self.digit_bits
        return self.bits - (not unsigned and self.digit_sign == "magnitude")

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together, of digits too."""
        yield from super().impossible()
        if self.digit_bits is None and self.encoding != "serial":
            self.idle("with digit_bits, or encoding serial", "digit_sign")
        if self.sign == "unsigned":
            self.idle("with signed codes", "digit_sign")
        if self.bits is None:
            self.idle("with bits", "digit_bits", "digit_sign")
        elif self.digit_sign == "magnitude" and self.digit_bits is not None:
            most = self.bits - 1 if self.sign == "signed" else self.bits
            if self.digit_bits >= most:
                self.idle(f"below {most}, the bits of a code without its sign", "digit_bits")


class ADC(Converter):
    """What converts the lines of one tile; see :mod:`hw_models.arrays.sensing` for its errors."""

    columns: Count = at("device", "outputs", 1)
    """Outputs of a tile that share one ADC, one after the other. They share its errors."""
    gain_spread: NonNegative = at("device", "of the gain", 0.0)
    """ADC-to-ADC spread of the gain, ahead of the quantiser."""
    offset_spread: NonNegative = at("device", "of full scale", 0.0)
    """ADC-to-ADC spread of the offset, ahead of the quantiser."""
    inl: Annotated[float, Field(gt=-0.5, lt=0.5)] = at("device", "of full scale", 0.0)
    """Integral non-linearity: largest deviation from the line through both ends, as a smooth curve that all ADCs share.
    1 LSB is 1/(2^(bits - 1) - 1) of a signed full scale."""
    inl_spread: NonNegative = at("device", "of full scale", 0.0)
    """ADC-to-ADC spread of the integral non-linearity."""
    inl_shape: Literal["bow", "s"] = at("device", default="bow")
    """Bow: a parabola between both ends, as of the second harmonic. S: a cubic that also passes through the middle, as
    of the third harmonic."""
    dnl: NonNegative = at("device", "LSB", 0.0)
    """Differential non-linearity: standard deviation of the width of a step, drawn for every ADC and code."""

    @property
    def uneven(self) -> float:
        """Standard deviation of the widths of its steps [LSB], 0 where it has none of their own."""
        return self.dnl if self.bits is not None and self.bits <= WIDEST else 0.0

    @property
    def bends(self) -> bool:
        """Whether its transfer differs from that of an ideal one, but for noise and rounding."""
        return max(self.gain_spread, self.offset_spread, abs(self.inl), self.inl_spread, self.uneven) > 0

    @property
    def acts(self) -> bool:
        """Whether it changes a signal."""
        return super().acts or self.bends

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together, of errors too."""
        yield from super().impossible()
        if self.bits is None or self.bits > WIDEST:
            self.idle(f"with bits up to {WIDEST}", "dnl")
        if not (self.inl or self.inl_spread):
            self.idle("with inl or inl_spread", "inl_shape")
