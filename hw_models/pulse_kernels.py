"""Kernels of pulsed updates; equations, units and sources in :mod:`hw_models.pulses`.

Shapes: weights (out, in) as shares of the weight range. Every member of ``devices`` is (out, in), or (1, in) where all
rows are alike. A tile is rows [first, last) and columns [begin, end). ``law``: the constants A_up, A_down,
gamma_up, gamma_down, 2a, b of the exponential and the power response, float32.

Pulses that are played one by one wait in a queue per device: a word of signs and its length. A turn plays one pulse on
every device that has one; devices that are done are dropped from the lists, so that a turn's draws are few. All draws
come in buffers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

VECTOR = {"contract", "reassoc", "nsz", "arcp", "afn"}
"""Fast-math flags under which NaN survives. A division that could raise keeps a loop from vectorising: NumPy's error
model."""
AFFINE, EXPONENTIAL, POWER = 0, 1, 2
CAPACITY = 63
"""Most pulses of one device that are queued before they are played."""
BUSY = 0.6
"""Share of devices with a pulse left below which the lists are cut."""

ZERO, HALF, ONE, TINY = np.float32(0), np.float32(0.5), np.float32(1), np.float32(1e-20)
LOWEST, HIGHEST, LOG2E = np.float32(-87), np.float32(88), np.float32(1.44269504)
LN2_HIGH, LN2_LOW, LN2 = np.float32(0.693359375), np.float32(-2.12194440e-4), np.float32(0.69314718)
E2, E3, E4, E5, E6, E7 = (np.float32(1 / n) for n in (2, 6, 24, 120, 720, 5040))
NEAR = np.float32(0.25)
L3, L5, L7, L9, SQRT2 = np.float32(1 / 3), np.float32(0.2), np.float32(1 / 7), np.float32(1 / 9), np.float32(2**0.5)
BIT, NOTHING = np.uint64(1), np.uint64(0)
SIGN, LINES = np.uint64(1 << 63), np.uint64((1 << 63) - 1)
ODD, PAIRS, NIBBLES, BYTES = (
    np.uint64(n) for n in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101)
)
SHIFT2, SHIFT4, SHIFT56 = np.uint64(2), np.uint64(4), np.uint64(56)


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


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _exp(x):
    """e^x in single precision, branch-free."""
    x = LOWEST if x < LOWEST else x
    x = HIGHEST if x > HIGHEST else x
    whole = np.floor(x * LOG2E + HALF)
    r = (x - whole * LN2_HIGH) - whole * LN2_LOW
    value = ONE + r * (ONE + r * (E2 + r * (E3 + r * (E4 + r * (E5 + r * (E6 + r * E7))))))
    return value * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
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


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _near(x):
    """(e^x - 1)/x for |x| up to NEAR."""
    return ONE + x * (E2 + x * (E3 + x * (E4 + x * (E5 + x * E6))))


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _grow(x):
    """e^x and (e^x - 1)/x."""
    power, near = _exp(x), abs(x) < NEAR
    return power, _near(x) if near else (power - ONE) / (ONE if near else x)


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy", inline="always")
def _power(base, exponent):
    """base^exponent for exponents from 0; 0 from below the base 0."""
    inside = TINY if base < TINY else base
    power = _exp(exponent * _log(inside))
    least = ONE if exponent == ZERO else ZERO
    return power if base > ZERO else (ZERO if base < ZERO else least)


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy", inline="always")
def _exponential(w, span, law):
    """Factors of a step up and down, and their derivatives by w."""
    a_up, a_down, gamma_up, gamma_down, slope, offset = law
    scale = slope / span
    z = np.float32(w * scale + offset)
    up, down = a_up * _exp(gamma_up * z), a_down * _exp(-gamma_down * z)
    up, down = (ONE if up > ONE else up), (ONE if down > ONE else down)
    d_up, d_down = -gamma_up * scale * up, gamma_down * scale * down
    return ONE - up, ONE - down, (d_up if up < ONE else ZERO), (d_down if down < ONE else ZERO)


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy", inline="always")
def _powers(w, high, low, law):
    """The same of the power response."""
    gamma_up, gamma_down = law[2], law[3]
    scale = np.float32(ONE / (high - low))
    above, below = np.float32((high - w) * scale), np.float32((w - low) * scale)
    up, down = _power(above, gamma_up), _power(below, gamma_down)
    above, below = (TINY if above < TINY else above), (TINY if below < TINY else below)
    return up, down, -gamma_up * scale * up / above, gamma_down * scale * down / below


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _deviation(up, down, counts, excess):
    """Standard deviation after pulses of mean steps ``up`` and ``down``; ``excess`` is 1 + noise^2."""
    variance = up * up * (excess * counts[0] - counts[2]) + down * down * (excess * counts[1] - counts[3])
    return np.sqrt(ZERO if variance < ZERO else variance)


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _land(w, moved, counts, high, low):
    """``moved`` within the bounds, or ``w`` where there was no pulse; NaN stays."""
    moved = high if moved > high else moved
    moved = low if moved < low else moved
    return w if counts[0] + counts[1] <= ZERO else moved


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _rates(counts, s_up, s_down, c_up, c_down):
    """Half of the weight's change at weight 0, and half the flow's exponent."""
    up = s_up * (counts[0] + HALF * s_up * c_up * counts[2])
    down = s_down * (counts[1] - HALF * s_down * c_down * counts[3])
    return HALF * (up - down), HALF * (down * c_down - up * c_up)


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _affine(w, move, kept, counts, z, s_up, s_down, c_up, c_down, excess):
    """Both half steps, whose flow is the same."""
    half = w + move
    f_up, f_down = s_up * (ONE - c_up * half), s_down * (ONE - c_down * half)
    return half + kept * (move + _deviation(f_up, f_down, counts, excess) * z)


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _affine_row(w, n_up, n_down, q_up, q_down, z, s_up, s_down, high, low, c_up, c_down, excess, near):
    """Move one row; ``near``: all exponents are below NEAR."""
    if near:
        for j in range(w.shape[0]):
            counts = (n_up[j], n_down[j], q_up[j], q_down[j])
            rate, x = _rates(counts, s_up[j], s_down[j], c_up[j], c_down[j])
            phi = _near(x)
            move, kept = phi * (rate + x * w[j]), ONE + x * phi
            moved = _affine(w[j], move, kept, counts, z[j], s_up[j], s_down[j], c_up[j], c_down[j], excess)
            w[j] = _land(w[j], moved, counts, high[j], low[j])
        return
    for j in range(w.shape[0]):
        counts = (n_up[j], n_down[j], q_up[j], q_down[j])
        rate, x = _rates(counts, s_up[j], s_down[j], c_up[j], c_down[j])
        kept, phi = _grow(np.float32(x))
        moved = phi * (rate + x * w[j])
        moved = _affine(w[j], moved, kept, counts, z[j], s_up[j], s_down[j], c_up[j], c_down[j], excess)
        w[j] = _land(w[j], moved, counts, high[j], low[j])


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy", inline="always")
def _half(w, counts, s_up, s_down, factors):
    """Weight half a batch later; what of a deviation is kept by then."""
    f_up, f_down, d_up, d_down = factors
    up = s_up * (counts[0] - HALF * s_up * d_up * counts[2])
    down = s_down * (counts[1] + HALF * s_down * d_down * counts[3])
    kept, phi = _grow(np.float32(HALF * (up * d_up - down * d_down)))
    return w + HALF * phi * (up * f_up - down * f_down), kept


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _exponential_row(w, n_up, n_down, q_up, q_down, z, s_up, s_down, high, low, law, excess):
    for j in range(w.shape[0]):
        counts, span = (n_up[j], n_down[j], q_up[j], q_down[j]), np.float32(high[j] - low[j])
        half, _ = _half(w[j], counts, s_up[j], s_down[j], _exponential(w[j], span, law))
        factors = _exponential(half, span, law)
        moved, kept = _half(half, counts, s_up[j], s_down[j], factors)
        moved += _deviation(s_up[j] * factors[0], s_down[j] * factors[1], counts, excess) * kept * z[j]
        w[j] = _land(w[j], moved, counts, high[j], low[j])


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _power_row(w, n_up, n_down, q_up, q_down, z, s_up, s_down, high, low, law, excess):
    for j in range(w.shape[0]):
        counts = (n_up[j], n_down[j], q_up[j], q_down[j])
        half, _ = _half(w[j], counts, s_up[j], s_down[j], _powers(w[j], high[j], low[j], law))
        factors = _powers(half, high[j], low[j], law)
        moved, kept = _half(half, counts, s_up[j], s_down[j], factors)
        moved += _deviation(s_up[j] * factors[0], s_down[j] * factors[1], counts, excess) * kept * z[j]
        w[j] = _land(w[j], moved, counts, high[j], low[j])


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _split_row(total, signed):
    """Turn sums of all and of signed terms into those of the positive and the negative."""
    for j in range(total.shape[0]):
        up, down = HALF * (total[j] + signed[j]), HALF * (total[j] - signed[j])
        total[j], signed[j] = (ZERO if up < ZERO else up), (ZERO if down < ZERO else down)


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _sum_row(one, other, limit):
    """Sum of two rows; how many devices are above the limit."""
    total, above = one.dtype.type(0), np.int32(0)
    for j in range(one.shape[0]):
        both = one[j] + other[j]
        total += both
        above += np.int32(both > limit)
    return total, above


@njit(nogil=True, cache=True)
def expected_step(first, last, begin, end, kind, mixed, counts, normals, weights, devices, law, excess, limit):
    """Move one tile by its mean step and one Gaussian each; return the expected number of pulses.

    ``counts`` (4, rows, columns): pulses up, down, and the sums of p^2 of both; with ``mixed`` the sums over all rows
    and signed instead. It is overwritten. ``normals`` (rows, columns). ``excess``: 1 + noise^2.
    ``limit``: pulses of a device up to which the flow's exponent is small, affine responses.
    """
    total, many = 0.0, [field.shape[0] > 1 for field in devices]
    for i in range(first, last):
        k = i - first
        n_up, n_down, q_up, q_down = counts[0, k], counts[1, k], counts[2, k], counts[3, k]
        if mixed:
            _split_row(n_up, n_down)
            _split_row(q_up, q_down)
        pulses, above = _sum_row(n_up, n_down, limit)
        total += pulses
        z, w = normals[k], weights[i, begin:end]
        s_up, s_down = devices.up[i if many[0] else 0, begin:end], devices.down[i if many[1] else 0, begin:end]
        high, low = devices.high[i if many[2] else 0, begin:end], devices.low[i if many[3] else 0, begin:end]
        if kind == AFFINE:
            c_up = devices.slope_up[i if many[4] else 0, begin:end]
            c_down = devices.slope_down[i if many[5] else 0, begin:end]
            _affine_row(w, n_up, n_down, q_up, q_down, z, s_up, s_down, high, low, c_up, c_down, excess, above == 0)
        elif kind == EXPONENTIAL:
            _exponential_row(w, n_up, n_down, q_up, q_down, z, s_up, s_down, high, low, law, excess)
        else:
            _power_row(w, n_up, n_down, q_up, q_down, z, s_up, s_down, high, low, law, excess)
    return total


@njit(nogil=True, cache=True)
def extremes(values, bits, largest):
    """Write max |x| of every row, (n,); return how many are negative. ``bits``: the values as integers of their size.

    Without their sign, floating-point numbers are ordered like integers, and what is not finite lies above.
    """
    negative, whole = 0, largest.view(bits.dtype)
    for n in range(values.shape[0]):
        top, row = bits.dtype.type(0), bits[n]
        for j in range(row.shape[0]):
            top = max(top, bits.dtype.type(row[j] & np.iinfo(bits.dtype).max))
            negative += row[j] < 0
        whole[n] = top
    return negative


@njit(nogil=True, cache=True)
def fit(post, pre, rate, dw_min, longest, managed, length, factor_post, factor_pre):
    """Write train length BL and factors B and A of n rows from max |d| and max |x|, all (n,); length 0 is silence."""
    for n in range(post.shape[0]):
        pulses = rate * np.float64(post[n]) * np.float64(pre[n]) / dw_min
        length[n], factor_post[n], factor_pre[n] = 0, 0, 0
        if pulses > 0:
            length[n] = np.int64(min(np.ceil(pulses), np.float64(longest))) if managed else longest
            factor = np.sqrt(rate / (dw_min * length[n]))
            balance = np.sqrt(np.float64(pre[n]) / np.float64(post[n])) if managed else 1.0
            factor_post[n], factor_pre[n] = factor * balance, factor / balance


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _probability_row(values, factor, weight, linear, square):
    for j in range(values.shape[0]):
        p = abs(values[j]) * factor
        p = ONE if p > ONE else p
        linear[j], square[j] = weight * p, weight * p * p


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _signed_row(values, sign, linear, square, signed, signed_square):
    for j in range(values.shape[0]):
        way = -sign if values[j] < ZERO else sign
        signed[j], signed_square[j] = way * linear[j], way * square[j]


@njit(nogil=True, cache=True)
def probabilities(begin, end, values, factor, weight, sign, start, out):
    """Write p = min(1, factor |x|) of columns [begin, end): p and p^2, or p, signed p, p^2 and signed p^2.

    values (n, size); factor, weight, sign (n,), all times ``weight``; out (2 or 4, start + n or more, columns), written
    from row ``start`` on.
    """
    signed = out.shape[0] // 4
    for n in range(values.shape[0]):
        row, at = values[n, begin:end], start + n
        _probability_row(row, factor[n], weight[n], out[0, at], out[1 + signed, at])
        if signed:
            _signed_row(row, sign[n], out[0, at], out[2, at], out[1, at], out[3, at])


@njit(nogil=True, cache=True)
def fire(slot, values, factor, length, sign, draws, trains):
    """Set bit ``slot`` of the stochastic trains of n rows; slot 0 also sets bit 63, their sign.

    values, draws, trains (n, size); factor, length, sign (n,); ``draws`` are uniforms in [0, 1).
    """
    fired = BIT << np.uint64(slot)
    for n in range(values.shape[0]):
        row, drawn, line, p = values[n], draws[n], trains[n], factor[n]
        if slot == 0:
            for j in range(line.shape[0]):
                line[j] = SIGN if row[j] * sign[n] < 0 else NOTHING
        if slot < length[n]:
            for j in range(line.shape[0]):
                line[j] |= fired if drawn[j] < abs(row[j]) * p else NOTHING


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _queue_row(lines, line, queue, left):
    """Append the coincidences of one row with one line to the queues; return the longest."""
    longest = NOTHING
    for j in range(queue.shape[0]):
        v = lines[j] & line & LINES
        v = v - ((v >> BIT) & ODD)
        v = (v & PAIRS) + ((v >> SHIFT2) & PAIRS)
        hits = (((v + (v >> SHIFT4)) & NIBBLES) * BYTES) >> SHIFT56
        up = ((BIT << hits) - BIT) << left[j]
        queue[j] |= NOTHING if (lines[j] ^ line) & SIGN else up
        left[j] += hits
        longest = max(longest, left[j])
    return longest


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
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


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
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


@njit(nogil=True, cache=True, fastmath=VECTOR, error_model="numpy")
def _waiting(m, left):
    active = 0
    for a in range(m):
        active += left[a] != NOTHING
    return active


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def _thinned(m, home, where, w, queue, left, own):
    """Compact where many are done: the draws of the others would be wasted."""
    active = _waiting(m, left)
    return _compact(m, home, where, w, queue, left, own) if active == 0 or active < BUSY * m else m


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def turn(m, kind, law, noise, draws, home, where, w, queue, left, own):
    """Play one pulse on each of m devices, draws (1, m); return how many are in the next turn."""
    if kind == AFFINE:
        _pulse_affine(m, w, queue, left, draws[0], noise, own)
    else:
        _pulse_curved(m, w, queue, left, draws[0], noise, own, kind, law)
    return _thinned(m, home, where, w, queue, left, own)


@njit(nogil=True, cache=True)
def meet(first, last, begin, end, pre, post, length, position, queue, left):
    """Queue the coincidences of trains on one tile, in order, as far as queues reach; return how many.

    pre (n, in), post (n, out), length (n,). ``position`` (rows,): the next pair of each row, moved on; n when done.
    queue, left (rows, columns): signs from bit 0 on, 1 is up, and their numbers; empty before.
    """
    found = 0
    for i in range(first, last):
        signs, count, n, longest = queue[i - first], left[i - first], position[i - first], 0
        while n < pre.shape[0] and longest + length[n] <= CAPACITY:
            if post[n, i] & LINES:
                longest = np.int64(_queue_row(pre[n, begin:end], post[n, i], signs, count))
            n += 1
        position[i - first] = n
        for j in range(count.shape[0]):
            found += np.int64(count[j])
    return found


@njit(nogil=True, cache=True)
def count_out(up, down, queue, left):
    """Queue whole numbers of pulses, those up before those down, as far as queues reach; return how many.

    up, down, queue, left (rows, columns); what is queued is taken off the numbers.
    """
    taken = 0
    for i in range(up.shape[0]):
        for j in range(up.shape[1]):
            ups = min(max(up[i, j], 0), CAPACITY)
            downs = min(max(down[i, j], 0), CAPACITY - ups)
            up[i, j] -= ups
            down[i, j] -= downs
            queue[i, j], left[i, j] = (BIT << np.uint64(ups)) - BIT, np.uint64(ups + downs)
            taken += ups + downs
    return taken
