"""Codes sent digit by digit: every digit drives the lines on its own, and its currents are converted on their own.

A code of B bits is applied n bits at a time, the lowest first, each digit d as the share d/(2^n - 1) of the full scale
R of the DAC. With the partial sums P_m that the ADC makes of digit m, shifted and added digitally,

    y = sum_m (2^n - 1) 2^(n m) (step/R) P_m

    unsigned          ceil(B/n) digits of the code
    magnitude         ceil((B - 1)/n) digits of |code|, each driven with the sign of the code
    twos_complement   ceil((B - 1)/n) digits of the lower B - 1 bits, from 0 up, and ahead of them the sign bit as a
                      digit of its own, which drives the full scale and counts -2^(B - 1) step/R

The DAC's noise and rounding come once, ahead of the code; what is drawn in reads is drawn in every digit. A partial sum
is one of drives up to the full scale however small the signal: the range of the ADC is calibrated on partial sums, in
units of R, while codes are those of the range that samples up to then give. A digital reference subtracts the middle
once, of whole codes. One-bit digits drive a line by all or nothing, so that a device's curve (device.iv) does not
matter.

Sources: Shafiee et al., ISCA 2016 (ISAAC: bit by bit, a conversion for each, shift and add; two's complement); signs
ahead of every bit as in Wan et al., Nature 608:504, 2022, whose chip adds the bits up as charge ahead of one
conversion.
"""

from __future__ import annotations

from collections.abc import Iterator

from hw_models.arrays.converters import Digitiser
from hw_models.chip.converter import DAC
from hw_models.kernels.arithmetic import Values, arithmetic


def digits(dac: DAC, unsigned: bool) -> int:
    """Return in how many digits a code is sent; 1 where it is sent whole."""
    return dac.digits(unsigned)


def sent(dac: DAC, unsigned: bool) -> int | None:
    """Return the bits of a code, or of one of its digits, that are sent; None where inputs are exact."""
    return dac.sent(unsigned)


def split(codes: Values, full: float, dac: DAC, unsigned: bool) -> Iterator[tuple[float, Values]]:
    """Yield the weight of every digit, and what it drives lines with.

    Parameters
    ----------
    codes : numpy.ndarray or torch.Tensor
        (rows, lines) signals behind the DAC: whole steps.
    full : float
        Its full scale.
    dac : DAC
        With bits and digit_bits.
    unsigned : bool
        Whether codes start at 0.
    """
    if dac.bits is None or dac.digit_bits is None:
        raise ValueError("digits are those of a DAC with bits and digit_bits")
    whole, n = dac.bits - (not unsigned), dac.digit_bits
    step, most = full / (2**whole - 1), 2**n - 1
    math = arithmetic(codes)
    level = math.whole(math.rint(codes / math.full((1, 1), step, codes)))
    negative, sign = level < 0, None
    if not unsigned and dac.digit_sign == "twos_complement":
        rest = math.where(negative, level + 2**whole, level)
    else:
        rest, sign = abs(level), 1 - 2 * math.whole(negative)
    for place in range(0, whole, n):
        digit = (rest >> place) & most
        driven = digit if sign is None else sign * digit
        yield most * 2**place * step / full, math.cast(driven, codes) * (full / most)
    if not unsigned and dac.digit_sign == "twos_complement":
        yield -(2**whole) * step / full, math.cast(negative, codes) * float(full)


def full_scale(digitiser: Digitiser) -> float:
    """Return the full scale of a DAC; while it is calibrated, the one that samples so far give (1 where all are 0)."""
    return digitiser.range or digitiser.foreseen or 1.0
