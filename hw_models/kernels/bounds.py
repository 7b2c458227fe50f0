# Tested by tests/hw_models/arrays/test_expected.py.
"""Kernels that say whether a device may meet a bound, or forgets too much, to be moved by one step.

Shapes and names as in :mod:`hw_models.kernels.pulses`, which compiles these loops for every response; equations in
:mod:`hw_models.arrays.expected`. Nothing has fast-math flags, for the reason given there. Covered by
tests/hw_models/arrays/test_expected.py.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel, unbound
from hw_models.kernels.parameters import differ, parameters
from hw_models.kernels.scalar import HALF, ONE, ZERO

TWO, EIGHT, EIGHTH, SHALLOW = np.float32(2), np.float32(8), np.float32(1 / 8), np.float32(1 / 32)
ENDLESS = np.int32(0x7F800000)
"""Bits of infinity."""
CURVED = np.float32(8)
"""Exponent for which (f'/f)^2 counts, times the variance gathered; half of that product is what a mean step lacks."""
factors = unbound
"""As in :mod:`hw_models.kernels.pulses`, which fills this in, and all that follow."""
step_factors = unbound
assess_row = unbound
multiple = size = square = gathered = grain = unbound
"""Of the cycle-to-cycle noise, :mod:`hw_models.kernels.cycle_noise`."""


@kernel(error_model="numpy", forceinline=True)
def within(w, high, low):
    """A weight within the bounds, where a first pulse would cut it; NaN stays."""
    w = high if w > high else w
    return low if w < low else w


@kernel(error_model="numpy", forceinline=True)
def _root(n):
    """Return a bound of the root of a number of pulses from 0 on, from above, within a quarter of it up to 1000.

    The least of its tangents at 1, 16 and 256: cheaper than the root by far.
    """
    root = HALF * (n + ONE)
    more, most = EIGHTH * n + TWO, SHALLOW * n + EIGHT
    root = more if more < root else root
    root = most if most < root else root
    return root if n > ZERO else ZERO


@kernel(error_model="numpy", forceinline=True)
def _moves(mean, noise, sigmas):
    """Return how far pulses of one direction carry a device ahead and, the other way, behind it, in mean steps.

    Ahead all of them and ``sigmas`` of what they stray. Behind: a Gaussian end of few pulses may lie there, and noise
    may turn steps round, at the most sigmas^2 noise^2/4 steps deep, where the drift is half of what they stray.
    """
    stray = turned = sigmas * noise * _root(mean)
    deepest = HALF * HALF * sigmas * sigmas * noise * noise
    turned = deepest if turned > deepest else turned
    ended = stray - mean
    return mean + stray, (turned if turned > ended else ended)


@kernel(error_model="numpy", forceinline=True)
def _reach(w, up, down, ups, downs, high, low, exponent, soft):
    """Whether a device may meet a bound; its exponent is small.

    up, down: its steps now; ups, downs: how far they carry it ahead and behind, :func:`_moves`. Soft bounds are met
    from behind alone: steps that go there shrink.
    """
    room = ONE + exponent
    rise, fall = ups[0] * up * room, downs[0] * down * room
    back_up, back_down = ups[1] * up * room, downs[1] * down * room
    ahead = (w + rise + back_down > high) | (w - fall - back_up < low)
    return ((w - back_up < low) | (w + back_down > high)) if soft else ahead


@kernel(error_model="numpy", forceinline=True)
def _bend(factor, derivative):
    """(f'/f)^2, 0 where there is no step."""
    share = derivative / (ONE if factor == ZERO else factor)
    return ZERO if factor == ZERO else share * share


def assess_affine(w, numbers, own, law, how, exponents, near):
    """Write exponents and who may meet a bound; ``how``: noise, sigmas, soft."""
    n_up, n_down = numbers
    s_up, s_down, high, low, c_up, c_down = own
    noise, sigmas, soft = how
    for j in range(w.shape[0]):
        x = n_up[j] * s_up[j] * abs(c_up[j]) + n_down[j] * s_down[j] * abs(c_down[j])
        m = multiple(w[j], high[j], low[j], law)
        up, down = abs(s_up[j] * (ONE - c_up[j] * w[j])), abs(s_down[j] * (ONE - c_down[j] * w[j]))
        up, noise_up = size(up, s_up[j], w[j], noise, m)
        down, noise_down = size(down, s_down[j], w[j], noise, m)
        ups, downs = _moves(n_up[j], noise_up, sigmas), _moves(n_down[j], noise_down, sigmas)
        coarse = grain(s_up[j] * c_up[j], s_down[j] * c_down[j], noise, m)
        near[j] = coarse | _reach(w[j], up, down, ups, downs, high[j], low[j], x, soft)
        exponents[j] = x


def assess_curved(w, numbers, own, law, how, exponents, near):
    """The same of a response with factors of its own."""
    n_up, n_down = numbers
    s_up, s_down, high, low, _, _ = own
    noise, sigmas, _ = how
    for j in range(w.shape[0]):
        f_up, f_down, d_up, d_down = factors(w[j], high[j], low[j], law)
        x = n_up[j] * s_up[j] * abs(d_up) + n_down[j] * s_down[j] * abs(d_down)
        m = multiple(w[j], high[j], low[j], law)
        up, noise_up = size(s_up[j] * f_up, s_up[j], w[j], noise, m)
        down, noise_down = size(s_down[j] * f_down, s_down[j], w[j], noise, m)
        ups, downs = _moves(n_up[j], noise_up, sigmas), _moves(n_down[j], noise_down, sigmas)
        coarse = grain(s_up[j] * d_up, s_down[j] * d_down, noise, m)
        near[j] = coarse | _reach(w[j], up, down, ups, downs, high[j], low[j], x, False)
        strayed = gathered(
            s_up[j] * f_up, s_down[j] * f_down, n_up[j], n_down[j],
            square(s_up[j] * f_up, s_up[j], w[j], noise, m), square(s_down[j] * f_down, s_down[j], w[j], noise, m),
        )  # fmt: skip
        bend = _bend(f_up, d_up) + _bend(f_down, d_down)
        exponents[j] = x + CURVED * bend * strayed


@kernel
def _extreme(exponents, near):
    """Return the largest exponent of a row, as the whole number of its bits, and how many devices are near.

    Floating-point numbers from 0 on are ordered like integers, of which a vector finds the largest at once; NaN, above
    ENDLESS, is none.
    """
    top, count = np.int32(0), np.int32(0)
    for j in range(exponents.shape[0]):
        bits = np.float32(exponents[j]).view(np.int32)
        top = max(top, bits if bits <= ENDLESS else np.int32(0))
        count += np.int32(near[j])
    return np.int32(top), count


def assess(first, last, begin, end, planes, weights, devices, law, how, exponents, near):
    """Write how much of a weight every device of a tile would forget, and whether it may meet a bound.

    exponents: the sum of pulses times |d step/dw|, (rows, columns), or (1, columns) where the largest one will do; near
    (rows, columns) bool. ``how``: cycle-to-cycle noise, standard deviations to allow for, and whether bounds are soft.
    Return the largest exponent, and how many may.
    """
    top, count, own, many = np.int32(0), 0, parameters(devices, 0, begin, end), differ(devices)
    for i in range(first, last):
        k = i - first
        numbers = planes[0][k], planes[1][k]
        w, met, e = weights[i, begin:end], near[k], k if exponents.shape[0] > 1 else 0
        if many:
            own = parameters(devices, i, begin, end)
        assess_row(w, numbers, own, law, how, exponents[e], met)
        high, some = _extreme(exponents[e], met)
        top, count = np.int32(max(top, high)), count + some
    return np.float64(np.int32(top).view(np.float32)), count


def recheck(first, last, begin, end, planes, squares, swing_post, swing_pre, weights, devices, law, how, near):
    """Leave in ``near`` the devices that may meet a bound although pulses up and down alternate; return how many.

    A sample of opposite terms swings by up to ``swing_post`` (rows,) or ``swing_pre`` (columns,) pulses, the smaller;
    the sum of samples drifts by its mean and strays by the root of ``squares``, the mean sum of (up - down)^2 of
    samples, and of what pulses stray by.
    """
    many, found = [field.shape[0] > 1 for field in devices], 0
    noise, sigmas, _ = how
    for i in range(first, last):
        k = i - first
        rows = [i if more else 0 for more in many]
        for j in range(begin, end):
            c = j - begin
            if not near[k, c]:
                continue
            w, high, low = weights[i, j], devices.high[rows[2], j], devices.low[rows[3], j]
            slopes = devices.slope_up[rows[4], j], devices.slope_down[rows[5], j]
            f_up, f_down, d_up, d_down = step_factors(w, high, low, slopes, law)
            s_up, s_down = devices.up[rows[0], j], devices.down[rows[1], j]
            up, down = s_up * abs(f_up), s_down * abs(f_down)
            n_up, n_down = planes[0, k, c], planes[1, k, c]
            stray = squares[k, c] * (HALF * (up + down)) ** 2
            m = multiple(w, high, low, law)
            square_up, square_down = square(up, s_up, w, noise, m), square(down, s_down, w, noise, m)
            stray += gathered(up, down, n_up, n_down, square_up, square_down)
            stray, drift = sigmas * np.sqrt(max(stray, 0)), n_up * up - n_down * down
            swing = min(swing_post[k], swing_pre[c])
            if grain(s_up * d_up, s_down * d_down, noise, m):
                found += 1
                continue
            room = ONE + n_up * s_up * abs(d_up) + n_down * s_down * abs(d_down)
            rise, fall = max(drift, 0) + swing * up + stray, max(-drift, 0) + swing * down + stray
            near[k, c] = not (w + rise * room <= high and w - fall * room >= low)
            found += near[k, c]
    return found
