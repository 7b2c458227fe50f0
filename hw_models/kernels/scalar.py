# Tested by tests/hw_models/arrays/test_pulses.py.
"""Functions of one number in single precision, branch-free, so that a loop over devices vectorises.

Plain Python, without a compiler, so that the laws of devices may use them and still be read at once;
:func:`hw_models.kernels.compiling.written_out` compiles them into the loops that call them. Covered by
tests/hw_models/arrays/test_pulses.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ZERO, HALF, ONE, TINY = np.float32(0), np.float32(0.5), np.float32(1), np.float32(1e-20)
LOWEST, HIGHEST, LOG2E = np.float32(-87), np.float32(88), np.float32(1.44269504)
LN2_HIGH, LN2_LOW, LN2 = np.float32(0.693359375), np.float32(-2.12194440e-4), np.float32(0.69314718)
E2, E3, E4, E5, E6, E7 = (np.float32(1 / n) for n in (2, 6, 24, 120, 720, 5040))
L3, L5, L7, L9, SQRT2 = np.float32(1 / 3), np.float32(0.2), np.float32(1 / 7), np.float32(1 / 9), np.float32(2**0.5)
Single = Any
"""numpy.float32, or what a compiled loop calls so."""
BRINK = np.float32(1 / 256)
"""Distance to a bound, of the range, from which a derivative that is infinite there may stay as it is."""


def exp(x: Any) -> Any:
    """e^x in single precision, branch-free."""
    x = LOWEST if x < LOWEST else x
    x = HIGHEST if x > HIGHEST else x
    whole = np.floor(x * LOG2E + HALF)
    r = (x - whole * LN2_HIGH) - whole * LN2_LOW
    value = ONE + r * (ONE + r * (E2 + r * (E3 + r * (E4 + r * (E5 + r * (E6 + r * E7))))))
    return value * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


def exp_less_one(x: Single) -> Single:
    """e^x - 1 in single precision, branch-free; its error is relative to itself, also near 0."""
    x = LOWEST if x < LOWEST else x
    x = HIGHEST if x > HIGHEST else x
    whole = np.floor(x * LOG2E + HALF)
    r = (x - whole * LN2_HIGH) - whole * LN2_LOW
    value = r * (ONE + r * (E2 + r * (E3 + r * (E4 + r * (E5 + r * (E6 + r * E7))))))
    power = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    return value if whole == ZERO else (power - ONE) + power * value  # so that no rewriting of sums loses it near 0


def log(x: Any) -> Any:
    """ln x of a positive number in single precision, branch-free."""
    bits = np.float32(x).view(np.int32)
    exponent = np.int32((bits >> np.int32(23)) - np.int32(127))
    m = np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    big = m > SQRT2
    m = m * HALF if big else m
    whole = np.float32(exponent) + (ONE if big else ZERO)
    s = (m - ONE) / (m + ONE)
    t = s * s
    return whole * LN2 + (s + s) * (ONE + t * (L3 + t * (L5 + t * (L7 + t * L9))))


def near(x: Any) -> Any:
    """(e^x - 1)/x for |x| up to 1/2, within 4e-6."""
    return ONE + x * (E2 + x * (E3 + x * (E4 + x * (E5 + x * E6))))


def power(base: Any, exponent: Any) -> Any:
    """base^exponent for exponents from 0; 0 from below the base 0."""
    inside = TINY if base < TINY else base
    found = exp(exponent * log(inside))
    least = ONE if exponent == ZERO else ZERO
    return found if base > ZERO else (ZERO if base < ZERO else least)


def alike(w: object, high: object, low: object, law: object) -> np.float32:
    """Return 1: what a device's noise is multiplied by where it goes with the step alone."""
    return ONE
