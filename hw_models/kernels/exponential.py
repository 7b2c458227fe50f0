r"""e^x of single-precision numbers up to 0 as the C library gives it, in a loop that vectorises.

A call of the library's ``expf`` keeps a loop from computing several values at once. What it does is written out here,
so that the loop does the same operations on eight values at once and finds the same bits, at a third to a seventh of
the time. With :math:`k = \operatorname{round}(32 x/\ln 2)` and :math:`r = 32 x/\ln 2 - k`, in double precision,

.. math:: e^x = 2^{k/32} 2^{r/32}, \qquad 2^{r/32} \approx 1 + r (c_2 + r (c_1 + r c_0))

the first factor from a table of 32 numbers and the bits of k; the error is 0.502 units in the last place of the single
that it is rounded to.

Source: ``expf`` of glibc from 2.27 on (S. Nagy, "optimized-routines", Arm, 2017), as it is compiled for processors with
fused multiply-adds. Another C library may round one value in some hundreds differently.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import fma, kernel

PARTS = 32
"""Values of the table, in one octave."""
STEPS = float.fromhex("0x1.71547652b82fep+0") * PARTS
"""32/ln 2."""
WHOLE = float.fromhex("0x1.8p+52")
"""Added to a double it leaves the nearest whole number in its last bits."""
C0 = float.fromhex("0x1.c6af84b912394p-5") / PARTS**3
C1 = float.fromhex("0x1.ebfce50fac4f3p-3") / PARTS**2
C2 = float.fromhex("0x1.62e42ff0c52d6p-1") / PARTS
LOWEST = -150.0
"""From here down e^x is 0 in single precision."""
SIGNIFICAND = 52 - 5
"""Places by which k is moved to where a double keeps its exponent."""


def _table() -> np.ndarray:
    """Return the bits of 2^(i/32) less i in the last places of the exponent, which those of k bring in."""
    powers = np.array([2.0 ** (i / PARTS) for i in range(PARTS)])
    return powers.view(np.int64) - (np.arange(PARTS) << SIGNIFICAND)


TABLE = _table()


@kernel
def exponential(x):
    """Return e^x of a single x <= 0; 0 of -inf, NaN of NaN."""
    wide = np.float64(x)
    wide = LOWEST if wide < LOWEST else wide
    shifted = np.float64(fma(STEPS, wide, WHOLE))
    bits = shifted.view(np.int64)
    r = fma(STEPS, wide, -(shifted - WHOLE))
    power = np.int64(TABLE[bits & 31] + (bits << 47)).view(np.float64)
    low = fma(C2, r, 1.0)
    return np.float32(fma(fma(C0, r, C1), r * r, low) * power)
