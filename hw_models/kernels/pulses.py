"""Kernels of devices that move by pulses; equations, units and sources in :mod:`hw_models.arrays.pulses`.

Shapes: weights (out, in) as shares of the weight range. Every member of ``devices`` is (out, in), or (1, in) where all
rows are alike. A tile is rows [first, last) and columns [begin, end). ``law``: the constants A_up, A_down,
gamma_up, gamma_down, 2a, b of the exponential and the power response, float32.

Pulses that are played one by one wait in a queue per device: a word of signs and its length. A turn plays one pulse on
every device that has one; devices that are done are dropped from the lists, so that a turn's draws are few. All draws
come in buffers.

What a tile is to move by in one step is in ``planes`` (4, rows, columns): mean numbers of pulses up and down, and the
variances of both.

Nothing here is compiled with fast-math flags: a function that others call is optimised again in each of them, and with
flags that change values its bits would depend on which copy a process loads first. NumPy's error model changes no
value; a division that could raise keeps a loop from vectorising.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hw_models.kernels.compiling import kernel

AFFINE, EXPONENTIAL, POWER = 0, 1, 2
BUSY = 0.6
"""Share of devices with a pulse left below which the lists are cut."""

ZERO, HALF, ONE, TINY = np.float32(0), np.float32(0.5), np.float32(1), np.float32(1e-20)
FOUR, SIXTH = np.float32(4), np.float32(1 / 6)
LOWEST, HIGHEST, LOG2E = np.float32(-87), np.float32(88), np.float32(1.44269504)
LN2_HIGH, LN2_LOW, LN2 = np.float32(0.693359375), np.float32(-2.12194440e-4), np.float32(0.69314718)
E2, E3, E4, E5, E6, E7 = (np.float32(1 / n) for n in (2, 6, 24, 120, 720, 5040))
L3, L5, L7, L9, SQRT2 = np.float32(1 / 3), np.float32(0.2), np.float32(1 / 7), np.float32(1 / 9), np.float32(2**0.5)
BRINK = np.float32(1 / 256)
"""Power response: distance to a bound, of the range, from which its derivative, infinite there, stays as it is."""
GRAIN = np.float32(0.05)
"""Root mean square of what one pulse forgets, |d(step)/dw|, from which a device plays its pulses: 20 steps or fewer."""
CURVED = np.float32(8)
"""Exponent for which (f'/f)^2 counts, times the variance gathered; half of that product is what a mean step lacks."""
BIT, NOTHING = np.uint64(1), np.uint64(0)


class Devices(NamedTuple):
    """What the devices of one array are like."""

    up: np.ndarray
    """Step up at weight 0."""
    down: np.ndarray
    """Step down at weight 0."""
    high: np.ndarray
    """Upper bound b+."""
    low: np.ndarray
    """Lower bound b-."""
    slope_up: np.ndarray
    """gamma+/b+ of the step up, 1 - slope w; linear and soft bounds."""
    slope_down: np.ndarray
    """gamma-/b- of the step down."""


@kernel(error_model="numpy", inline="always")
def _exp(x):
    """e^x in single precision, branch-free."""
    x = LOWEST if x < LOWEST else x
    x = HIGHEST if x > HIGHEST else x
    whole = np.floor(x * LOG2E + HALF)
    r = (x - whole * LN2_HIGH) - whole * LN2_LOW
    value = ONE + r * (ONE + r * (E2 + r * (E3 + r * (E4 + r * (E5 + r * (E6 + r * E7))))))
    return value * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@kernel(error_model="numpy", inline="always")
def _log(x):
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


@kernel(error_model="numpy", inline="always")
def _near(x):
    """(e^x - 1)/x for |x| up to 1/2, within 4e-6."""
    return ONE + x * (E2 + x * (E3 + x * (E4 + x * (E5 + x * E6))))


@kernel(error_model="numpy", inline="always")
def _power(base, exponent):
    """base^exponent for exponents from 0; 0 from below the base 0."""
    inside = TINY if base < TINY else base
    power = _exp(exponent * _log(inside))
    least = ONE if exponent == ZERO else ZERO
    return power if base > ZERO else (ZERO if base < ZERO else least)


@kernel(error_model="numpy", inline="always")
def _exponential(w, span, law):
    """Factors of a step up and down, and their derivatives by w."""
    a_up, a_down, gamma_up, gamma_down, slope, offset = law
    scale = slope / span
    z = np.float32(w * scale + offset)
    up, down = a_up * _exp(gamma_up * z), a_down * _exp(-gamma_down * z)
    up, down = (ONE if up > ONE else up), (ONE if down > ONE else down)
    d_up, d_down = -gamma_up * scale * up, gamma_down * scale * down
    return ONE - up, ONE - down, (d_up if up < ONE else ZERO), (d_down if down < ONE else ZERO)


@kernel(error_model="numpy", inline="always")
def _powers(w, high, low, law):
    """The same of the power response."""
    gamma_up, gamma_down = law[2], law[3]
    scale = np.float32(ONE / (high - low))
    above, below = np.float32((high - w) * scale), np.float32((w - low) * scale)
    up, down = _power(above, gamma_up), _power(below, gamma_down)
    above, below = (BRINK if above < BRINK else above), (BRINK if below < BRINK else below)
    d_up, d_down = _power(above, gamma_up) / above, _power(below, gamma_down) / below
    return up, down, -gamma_up * scale * d_up, gamma_down * scale * d_down


@kernel(error_model="numpy", inline="always")
def _moves(mean, variance, noise, sigmas):
    """Return how far pulses of one direction carry a device ahead and, the other way, behind it, in mean steps.

    Ahead all of them and ``sigmas`` of what they stray. Behind: a Gaussian end of few pulses may lie there, and noise
    may turn steps round, at the most sigmas^2 noise^2/4 steps deep, where the drift is half of what they stray.
    """
    spread = variance + noise * noise * mean
    stray = sigmas * np.sqrt(ZERO if spread < ZERO else spread)
    turned = sigmas * noise * np.sqrt(ZERO if mean < ZERO else mean)
    deepest = HALF * HALF * sigmas * sigmas * noise * noise
    turned = deepest if turned > deepest else turned
    ended = stray - mean
    return mean + stray, (turned if turned > ended else ended)


@kernel(error_model="numpy", inline="always")
def _grain(up, down, noise):
    """Whether one pulse forgets so much that a flow describes it badly; up, down: |d(step)/dw|."""
    most = max(abs(up), abs(down))
    return most * most * (ONE + noise * noise) > GRAIN * GRAIN


@kernel(error_model="numpy", inline="always")
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


@kernel(error_model="numpy", inline="always")
def _gathered(up, down, n_up, n_down, v_up, v_down, square):
    """Variance that pulses of mean steps ``up`` and ``down`` gather; ``square``: noise^2."""
    return up * up * (square * n_up + v_up) + down * down * (square * n_down + v_down)


@kernel(error_model="numpy", inline="always")
def _bend(factor, derivative):
    """(f'/f)^2, 0 where there is no step."""
    share = derivative / (ONE if factor == ZERO else factor)
    return ZERO if factor == ZERO else share * share


@kernel(error_model="numpy")
def _assess_affine(w, n_up, n_down, v_up, v_down, s_up, s_down, high, low, c_up, c_down, how, exponents, near):
    """Write exponents and who may meet a bound; ``how``: noise, sigmas, soft."""
    noise, sigmas, soft = how
    for j in range(w.shape[0]):
        x = n_up[j] * s_up[j] * abs(c_up[j]) + n_down[j] * s_down[j] * abs(c_down[j])
        up, down = abs(s_up[j] * (ONE - c_up[j] * w[j])), abs(s_down[j] * (ONE - c_down[j] * w[j]))
        ups, downs = _moves(n_up[j], v_up[j], noise, sigmas), _moves(n_down[j], v_down[j], noise, sigmas)
        grain = _grain(s_up[j] * c_up[j], s_down[j] * c_down[j], noise)
        near[j] = grain | _reach(w[j], up, down, ups, downs, high[j], low[j], x, soft)
        exponents[j] = x


@kernel(error_model="numpy")
def _assess_exponential(w, n_up, n_down, v_up, v_down, s_up, s_down, high, low, law, how, exponents, near):
    noise, sigmas, _ = how
    for j in range(w.shape[0]):
        f_up, f_down, d_up, d_down = _exponential(w[j], np.float32(high[j] - low[j]), law)
        x = n_up[j] * s_up[j] * abs(d_up) + n_down[j] * s_down[j] * abs(d_down)
        ups, downs = _moves(n_up[j], v_up[j], noise, sigmas), _moves(n_down[j], v_down[j], noise, sigmas)
        grain = _grain(s_up[j] * d_up, s_down[j] * d_down, noise)
        near[j] = grain | _reach(w[j], s_up[j] * f_up, s_down[j] * f_down, ups, downs, high[j], low[j], x, False)
        strayed = _gathered(
            s_up[j] * f_up, s_down[j] * f_down, n_up[j], n_down[j], v_up[j], v_down[j], noise * noise
        )
        bend = _bend(f_up, d_up) + _bend(f_down, d_down)
        exponents[j] = x + CURVED * bend * strayed


@kernel(error_model="numpy")
def _assess_power(w, n_up, n_down, v_up, v_down, s_up, s_down, high, low, law, how, exponents, near):
    noise, sigmas, _ = how
    for j in range(w.shape[0]):
        f_up, f_down, d_up, d_down = _powers(w[j], high[j], low[j], law)
        x = n_up[j] * s_up[j] * abs(d_up) + n_down[j] * s_down[j] * abs(d_down)
        ups, downs = _moves(n_up[j], v_up[j], noise, sigmas), _moves(n_down[j], v_down[j], noise, sigmas)
        grain = _grain(s_up[j] * d_up, s_down[j] * d_down, noise)
        near[j] = grain | _reach(w[j], s_up[j] * f_up, s_down[j] * f_down, ups, downs, high[j], low[j], x, False)
        strayed = _gathered(
            s_up[j] * f_up, s_down[j] * f_down, n_up[j], n_down[j], v_up[j], v_down[j], noise * noise
        )
        bend = _bend(f_up, d_up) + _bend(f_down, d_down)
        exponents[j] = x + CURVED * bend * strayed


@kernel(error_model="numpy")
def _split_row(total, signed):
    """Turn sums of all and of signed terms into those of the positive and the negative."""
    for j in range(total.shape[0]):
        up, down = HALF * (total[j] + signed[j]), HALF * (total[j] - signed[j])
        total[j], signed[j] = (ZERO if up < ZERO else up), (ZERO if down < ZERO else down)


@kernel
def split(planes):
    """Turn planes of all and of signed sums, means and variances, into those up and down."""
    for k in range(planes.shape[1]):
        _split_row(planes[0, k], planes[1, k])
        _split_row(planes[2, k], planes[3, k])


@kernel
def _extreme(exponents, near):
    """Return the largest exponent of a row and how many are near."""
    top, count = exponents.dtype.type(0), np.int32(0)
    for j in range(exponents.shape[0]):
        top = exponents[j] if exponents[j] > top else top
        count += np.int32(near[j])
    return top, count


@kernel
def assess(first, last, begin, end, kind, planes, weights, devices, law, how, exponents, near):
    """Write how much of a weight every device of a tile would forget, and whether it may meet a bound.

    exponents, near (rows, columns): the sum of pulses times |d step/dw|; bool. ``how``: cycle-to-cycle noise, standard
    deviations to allow for, and whether bounds are soft. Return the largest exponent, and how many may.
    """
    many, top, count = [field.shape[0] > 1 for field in devices], 0.0, 0
    for i in range(first, last):
        k = i - first
        n_up, n_down, v_up, v_down = planes[0, k], planes[1, k], planes[2, k], planes[3, k]
        w, x, met = weights[i, begin:end], exponents[k], near[k]
        s_up, s_down = devices.up[i if many[0] else 0, begin:end], devices.down[i if many[1] else 0, begin:end]
        high, low = devices.high[i if many[2] else 0, begin:end], devices.low[i if many[3] else 0, begin:end]
        if kind == AFFINE:
            c_up = devices.slope_up[i if many[4] else 0, begin:end]
            c_down = devices.slope_down[i if many[5] else 0, begin:end]
            _assess_affine(w, n_up, n_down, v_up, v_down, s_up, s_down, high, low, c_up, c_down, how, x, met)
        elif kind == EXPONENTIAL:
            _assess_exponential(w, n_up, n_down, v_up, v_down, s_up, s_down, high, low, law, how, x, met)
        else:
            _assess_power(w, n_up, n_down, v_up, v_down, s_up, s_down, high, low, law, how, x, met)
        high_x, some = _extreme(x, met)
        count += some
        if high_x > top:  # not a maximum, which might return NaN
            top = np.float64(high_x)
    return top, count


@kernel(error_model="numpy", inline="always")
def _factors(kind, w, high, low, c_up, c_down, law):
    """Factors of a step up and down of any response, and their derivatives by w."""
    if kind == AFFINE:
        return ONE - c_up * w, ONE - c_down * w, -c_up, -c_down
    if kind == EXPONENTIAL:
        return _exponential(w, np.float32(high - low), law)
    return _powers(w, high, low, law)


@kernel(error_model="numpy")
def recheck(first, last, begin, end, kind, planes, squares, swing_post, swing_pre, weights, devices, law, how, near):
    """Leave in ``near`` the devices that may meet a bound although pulses up and down alternate; return how many.

    A sample of opposite terms swings by up to ``swing_post`` (rows,) or ``swing_pre`` (columns,) pulses, the smaller;
    the sum of samples drifts by its mean and strays by the root of ``squares``, the sum of (up - down)^2 of samples,
    and of the variances.
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
            f_up, f_down, d_up, d_down = _factors(kind, w, high, low, slopes[0], slopes[1], law)
            s_up, s_down = devices.up[rows[0], j], devices.down[rows[1], j]
            up, down = s_up * abs(f_up), s_down * abs(f_down)
            n_up, n_down = planes[0, k, c], planes[1, k, c]
            stray = squares[k, c] * (HALF * (up + down)) ** 2
            stray += (planes[2, k, c] + noise * noise * n_up) * up * up
            stray += (planes[3, k, c] + noise * noise * n_down) * down * down
            stray, drift = sigmas * np.sqrt(max(stray, 0)), n_up * up - n_down * down
            swing = min(swing_post[k], swing_pre[c])
            if _grain(s_up * d_up, s_down * d_down, noise):
                found += 1
                continue
            room = ONE + n_up * s_up * abs(d_up) + n_down * s_down * abs(d_down)
            rise, fall = max(drift, 0) + swing * up + stray, max(-drift, 0) + swing * down + stray
            near[k, c] = not (w + rise * room <= high and w - fall * room >= low)
            found += near[k, c]
    return found


@kernel(error_model="numpy", inline="always")
def _within(w, high, low):
    """A weight within the bounds, where a first pulse would cut it; NaN stays."""
    w = high if w > high else w
    return low if w < low else w


@kernel(error_model="numpy", inline="always")
def _land(w, moved, pulses, stays, high, low):
    """``moved`` within the bounds, or ``w`` where there was no pulse or it is to stay; NaN stays."""
    moved = high if moved > high else moved
    moved = low if moved < low else moved
    return w if stays | (pulses <= ZERO) else moved


@kernel(error_model="numpy")
def _affine_row(
    w, n_up, n_down, v_up, v_down, order, z, stays, s_up, s_down, high, low, c_up, c_down, square
):
    """Move one row: the flow is exact, the variance Simpson's rule over its course."""
    for j in range(w.shape[0]):
        one, other, start = c_up[j], c_down[j], _within(w[j], high[j], low[j])
        up = s_up[j] * (n_up[j] + HALF * s_up[j] * one * (n_up[j] - v_up[j]))
        down = s_down[j] * (n_down[j] - HALF * s_down[j] * other * (n_down[j] - v_down[j]))
        half = HALF * (down * other - up * one)
        drift = up - down + HALF * s_up[j] * s_down[j] * (other - one) * order[j]
        phi = HALF * _near(half)
        kept = ONE + (half + half) * phi
        middle = start + phi * (drift + (half + half) * start)
        moved = middle + phi * (drift + (half + half) * middle)
        first, between, last = start, middle, moved
        g0 = _gathered(
            s_up[j] * (ONE - one * first), s_down[j] * (ONE - other * first),
            n_up[j], n_down[j], v_up[j], v_down[j], square,
        )  # fmt: skip
        g1 = _gathered(
            s_up[j] * (ONE - one * between), s_down[j] * (ONE - other * between),
            n_up[j], n_down[j], v_up[j], v_down[j], square,
        )  # fmt: skip
        g2 = _gathered(
            s_up[j] * (ONE - one * last), s_down[j] * (ONE - other * last),
            n_up[j], n_down[j], v_up[j], v_down[j], square,
        )  # fmt: skip
        squared, pulses = kept * kept, n_up[j] + n_down[j]
        late = ONE - (half + half) / (TINY if pulses < TINY else pulses)  # a pulse does not forget itself
        spread = _gathered(
            s_up[j] * one, s_down[j] * other, n_up[j], n_down[j], v_up[j], v_down[j], square
        )  # what a spread of weights adds: E (1 - c w)^2 is more than (1 - c E w)^2
        variance = (late + HALF * spread) * SIXTH * (squared * (squared * g0 + FOUR * g1) + g2)
        moved += np.sqrt(ZERO if variance < ZERO else variance) * z[j]
        w[j] = _land(w[j], moved, pulses, stays[j], high[j], low[j])


@kernel(error_model="numpy", inline="always")
def _half(w, n_up, n_down, v_up, v_down, order, s_up, s_down, factors):
    """Weight half a step later; what of a deviation is kept by then."""
    f_up, f_down, d_up, d_down = factors
    up = s_up * (n_up - HALF * s_up * d_up * (n_up - v_up))
    down = s_down * (n_down + HALF * s_down * d_down * (n_down - v_down))
    half = np.float32(HALF * (up * d_up - down * d_down))
    phi = _near(half)
    shift = HALF * s_up * s_down * (d_up * f_down - f_up * d_down) * order
    return w + HALF * phi * (up * f_up - down * f_down + shift), ONE + half * phi


@kernel(error_model="numpy")
def _exponential_row(w, n_up, n_down, v_up, v_down, order, z, stays, s_up, s_down, high, low, law, square):
    for j in range(w.shape[0]):
        n = (n_up[j], n_down[j], v_up[j], v_down[j], order[j])
        span = np.float32(high[j] - low[j])
        begin = _within(w[j], high[j], low[j])
        start = _exponential(begin, span, law)
        half, _ = _half(begin, n[0], n[1], n[2], n[3], n[4], s_up[j], s_down[j], start)
        factors = _exponential(half, span, law)
        moved, kept = _half(half, n[0], n[1], n[2], n[3], n[4], s_up[j], s_down[j], factors)
        variance = _gathered(s_up[j] * factors[0], s_down[j] * factors[1], n[0], n[1], n[2], n[3], square)
        moved += np.sqrt(ZERO if variance < ZERO else variance) * kept * z[j]
        w[j] = _land(w[j], moved, n[0] + n[1], stays[j], high[j], low[j])


@kernel(error_model="numpy")
def _power_row(w, n_up, n_down, v_up, v_down, order, z, stays, s_up, s_down, high, low, law, square):
    for j in range(w.shape[0]):
        n = (n_up[j], n_down[j], v_up[j], v_down[j], order[j])
        begin = _within(w[j], high[j], low[j])
        start = _powers(begin, high[j], low[j], law)
        half, _ = _half(begin, n[0], n[1], n[2], n[3], n[4], s_up[j], s_down[j], start)
        factors = _powers(half, high[j], low[j], law)
        moved, kept = _half(half, n[0], n[1], n[2], n[3], n[4], s_up[j], s_down[j], factors)
        variance = _gathered(s_up[j] * factors[0], s_down[j] * factors[1], n[0], n[1], n[2], n[3], square)
        moved += np.sqrt(ZERO if variance < ZERO else variance) * kept * z[j]
        w[j] = _land(w[j], moved, n[0] + n[1], stays[j], high[j], low[j])


@kernel
def advance(first, last, begin, end, kind, planes, orders, normals, stays, weights, devices, law, square):
    """Move one tile by its mean step and one Gaussian each; ``square``: noise^2.

    normals (rows, columns); orders, by how much pairs of a pulse up before one down outnumber those down before up, and
    stays, who keeps its weight, as those without pulses do, (rows, columns) or (1, columns).
    """
    many = [field.shape[0] > 1 for field in devices]
    for i in range(first, last):
        k = i - first
        n_up, n_down, v_up, v_down = planes[0, k], planes[1, k], planes[2, k], planes[3, k]
        order, fixed = orders[k if orders.shape[0] > 1 else 0], stays[k if stays.shape[0] > 1 else 0]
        z, w = normals[k], weights[i, begin:end]
        s_up, s_down = devices.up[i if many[0] else 0, begin:end], devices.down[i if many[1] else 0, begin:end]
        high, low = devices.high[i if many[2] else 0, begin:end], devices.low[i if many[3] else 0, begin:end]
        if kind == AFFINE:
            c_up = devices.slope_up[i if many[4] else 0, begin:end]
            c_down = devices.slope_down[i if many[5] else 0, begin:end]
            _affine_row(
                w, n_up, n_down, v_up, v_down, order, z, fixed, s_up, s_down, high, low, c_up, c_down, square
            )
        elif kind == EXPONENTIAL:
            _exponential_row(
                w, n_up, n_down, v_up, v_down, order, z, fixed, s_up, s_down, high, low, law, square
            )
        else:
            _power_row(w, n_up, n_down, v_up, v_down, order, z, fixed, s_up, s_down, high, low, law, square)


@kernel(error_model="numpy")
def _pulse_affine(m, w, queue, left, z, noise, own):
    """Play one pulse on each of m devices that has one left."""
    for a in range(m):
        up = (queue[a] & BIT) != NOTHING
        step, slope = (own[0, a] if up else -own[1, a]), (own[4, a] if up else own[5, a])
        moved = w[a] + step * (ONE - slope * w[a]) * (ONE + noise * z[a])
        moved = own[2, a] if moved > own[2, a] else moved
        moved = own[3, a] if moved < own[3, a] else moved
        more = left[a] != NOTHING
        w[a] = moved if more else w[a]
        left[a] -= BIT if more else NOTHING
        queue[a] >>= BIT


@kernel(error_model="numpy")
def _pulse_curved(m, w, queue, left, z, noise, own, kind, law):
    """The same for the exponential and the power response."""
    for a in range(m):
        if left[a] == NOTHING:
            continue
        high, low = own[2, a], own[3, a]
        if kind == EXPONENTIAL:
            f_up, f_down, _, _ = _exponential(w[a], np.float32(high - low), law)
        else:
            f_up, f_down, _, _ = _powers(w[a], high, low, law)
        step = own[0, a] * f_up if queue[a] & BIT else -own[1, a] * f_down
        moved = w[a] + step * (ONE + noise * z[a])
        moved = high if moved > high else moved
        w[a] = low if moved < low else moved
        left[a] -= BIT
        queue[a] >>= BIT


@kernel(error_model="numpy")
def _waiting(m, left):
    active = 0
    for a in range(m):
        active += left[a] != NOTHING
    return active


@kernel
def _compact(m, home, where, w, queue, left, own):
    """Bring all m weights home, drop the devices that are done; return how many remain."""
    k = 0
    for a in range(m):
        home[where[a]] = w[a]
        where[k], w[k], queue[k], left[k] = where[a], w[a], queue[a], left[a]
        for n in range(own.shape[0]):
            own[n, k] = own[n, a]
        k += left[k] != NOTHING
    return k


@kernel
def _thinned(m, home, where, w, queue, left, own):
    """Compact where many are done: the draws of the others would be wasted."""
    active = _waiting(m, left)
    return _compact(m, home, where, w, queue, left, own) if active == 0 or active < BUSY * m else m


@kernel
def take(first, last, begin, end, weights, devices, home, where, w, queue, left, own):
    """List the devices of a tile with their weights and parameters; return how many are in the first turn.

    home, where, w, queue, left (rows * columns,) and own (6, rows * columns): the weights' place, and the devices still
    in play with index, weight, queue, its length, and parameters in the order of :class:`Devices`.
    """
    columns = end - begin
    for n, field in enumerate(devices):
        for i in range(first, last):
            at = (i - first) * columns
            own[n, at : at + columns] = field[i if field.shape[0] > 1 else 0, begin:end]
    for i in range(first, last):
        at = (i - first) * columns
        home[at : at + columns] = weights[i, begin:end]
    for a in range(home.shape[0]):
        where[a], w[a] = a, home[a]
    return _thinned(home.shape[0], home, where, w, queue, left, own)


@kernel
def turn(m, kind, law, noise, draws, home, where, w, queue, left, own):
    """Play one pulse on each of m devices, draws (1, m); return how many are in the next turn."""
    if kind == AFFINE:
        _pulse_affine(m, w, queue, left, draws[0], noise, own)
    else:
        _pulse_curved(m, w, queue, left, draws[0], noise, own, kind, law)
    return _thinned(m, home, where, w, queue, left, own)
