# Tested by tests/hw_models/arrays/test_trains.py.
"""Kernels of pulse trains on the lines of an array; equations, units and sources in :mod:`hw_models.arrays.trains`.

Shapes: rows of signals are (n, lines), one row a train on every line. A train is either a *word* of 64 bits, bit s for
slot s and the highest for the sign, or a *count* of its pulses with the line's sign. All draws come in buffers.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
BIT, NOTHING = np.uint64(1), np.uint64(0)
SIGN, LINES = np.uint64(1 << 63), np.uint64((1 << 63) - 1)
ODD, PAIRS, NIBBLES, BYTES = (
    np.uint64(n) for n in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101)
)
SHIFT2, SHIFT4, SHIFT56 = np.uint64(2), np.uint64(4), np.uint64(56)
RESIDUE = np.float32(3e-7)
"""What may be left of a tail that is 0, by rounding."""
CAPACITY = 63
"""Most pulses of one device that are queued before they are played."""


@kernel
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


@kernel
def fit(post, pre, rate, dw_min, longest, managed, both, length, factor_post, factor_pre):
    """Write train length BL and factors B and A of n rows from max |d| and max |x|, all (n,); length 0 is silence.

    Where k pulses do not fit into the longest train, max |d| counts as max |d| BL/k, so that the lines of d are cut and
    those of x keep their direction; with ``both`` neither counts as less, and both sides are cut.
    """
    for n in range(post.shape[0]):
        top_post, top_pre = np.float64(post[n]), np.float64(pre[n])
        pulses = rate * top_post * top_pre / dw_min
        length[n], factor_post[n], factor_pre[n] = 0, 0, 0
        if pulses > 0:
            length[n] = np.int64(min(np.ceil(pulses), np.float64(longest))) if managed else longest
            if managed and not both and pulses > length[n]:
                top_post *= length[n] / pulses
            factor = np.sqrt(rate / (dw_min * length[n]))
            balance = np.sqrt(top_pre / top_post) if managed else 1.0
            factor_post[n], factor_pre[n] = factor * balance, factor / balance


@kernel
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


@kernel(error_model="numpy")
def _binomial_row(values, factor, length, sign, draws, power, tail, ratio, counts):
    """Write Bin(length, min(1, factor |x|)) of one row, with the sign of x times ``sign``, by inversion.

    The rarer of firing and silence is counted, p up to 1/2. tail = P(more than k), from 1 - (1 - p)^BL by squarings of
    the complement, which lose nothing for small p; a draw u counts k where tail_(k - 1) > u >= tail_k.
    """
    highest = 0
    while length >> (highest + 1):
        highest += 1
    for j in range(values.shape[0]):
        p = np.float32(min(abs(values[j]) * factor, 1))
        p = ONE - p if p > HALF else p
        ratio[j] = p
        power[j], tail[j], counts[j] = ONE - p, p, ZERO
    for bit in range(highest - 1, -1, -1):
        odd = (length >> bit) & 1
        for j in range(values.shape[0]):
            p = ratio[j]
            power[j] *= power[j]
            tail[j] *= np.float32(2) - tail[j]
            power[j] = power[j] * (ONE - p) if odd else power[j]
            tail[j] = tail[j] + p * (ONE - tail[j]) if odd else tail[j]
    for j in range(values.shape[0]):
        ratio[j] = ratio[j] / (ONE - ratio[j])
    for k in range(length):
        more, gain = np.int32(0), np.float32(np.float32(length - k) / np.float32(k + 1))
        least = RESIDUE if k else ZERO
        for j in range(values.shape[0]):
            above = (draws[j] < tail[j]) & (tail[j] > least)
            counts[j] += ONE if above else ZERO
            more += np.int32(above)
            power[j] *= gain * ratio[j]
            tail[j] -= power[j]
        if more == 0:
            break
    for j in range(values.shape[0]):
        p = np.float32(min(abs(values[j]) * factor, 1))
        count = np.float32(length) - counts[j] if p > HALF else counts[j]
        counts[j] = -count if values[j] * sign < 0 else count


@kernel
def count(values, factor, length, sign, draws, counts):
    """Draw the numbers of pulses of n rows of lines, with their signs; values, draws, counts (n, size)."""
    power, tail, ratio = np.empty((3, values.shape[1]), np.float32)
    for n in range(values.shape[0]):
        if length[n]:
            _binomial_row(values[n], factor[n], length[n], sign[n], draws[n], power, tail, ratio, counts[n])
        else:
            counts[n] = 0


@kernel
def scatter(slot, counts, length, draws, left, trains):
    """Decide whether lines fire in ``slot``, given the pulses ``left`` for it and the slots after it; slot 0 begins.

    counts, draws, left, trains (n, size); length (n,). Slot by slot with probability left/(slots left), every choice of
    slots is equally likely.
    """
    fired = BIT << np.uint64(slot)
    for n in range(counts.shape[0]):
        row, drawn, line, rest = counts[n], draws[n], trains[n], left[n]
        if slot == 0:
            for j in range(line.shape[0]):
                line[j], rest[j] = (SIGN if row[j] < 0 else NOTHING), abs(row[j])
        if slot < length[n]:
            slots = np.float32(length[n] - slot)
            for j in range(line.shape[0]):
                now = drawn[j] * slots < rest[j]
                line[j] |= fired if now else NOTHING
                rest[j] -= ONE if now else ZERO


@kernel
def planes(counts, length, post, out):
    """Write what the product of two sides sums to numbers of coincidences and their variances.

    With c = |count|: c and c (BL - c) of the pre side; c/BL and c (BL - c)/(BL^2 (BL - 1)) of the post side. counts (n,
    lines), length (n,); out (2, n, lines), or (4, n, lines) with the signed forms behind each.
    """
    signed, real = out.shape[0] == 4, out.dtype.type
    for n in range(counts.shape[0]):
        slots = np.float32(length[n])
        one = real(1 / slots) if post and slots > 0 else real(1)
        two = real(1 / (slots * slots * (slots - 1))) if post and slots > 1 else real(not post)
        row, mean, spread = counts[n], out[0, n], out[out.shape[0] // 2, n]
        for j in range(row.shape[0]):
            c = abs(row[j])
            mean[j], spread[j] = real(c) * one, real(c * (slots - c)) * two
        if signed:
            way, way_spread = out[1, n], out[3, n]
            for j in range(row.shape[0]):
                way[j] = -mean[j] if row[j] < ZERO else mean[j]
                way_spread[j] = -spread[j] if row[j] < ZERO else spread[j]


@kernel(error_model="numpy")
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


@kernel
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


@kernel
def keep(chosen, queue, left):
    """Empty the queues of devices that are not chosen; return how many pulses are left. All (rows, columns)."""
    found = 0
    for i in range(chosen.shape[0]):
        for j in range(chosen.shape[1]):
            if not chosen[i, j]:
                queue[i, j], left[i, j] = NOTHING, NOTHING
            found += np.int64(left[i, j])
    return found


@kernel
def rising(queue, left):
    """Take pulses down out of the queues; return how many are left. Both (rows, columns)."""
    found = 0
    for i in range(queue.shape[0]):
        for j in range(queue.shape[1]):
            ups, signs = 0, queue[i, j]
            for n in range(np.int64(left[i, j])):
                ups += np.int64((signs >> np.uint64(n)) & BIT)
            queue[i, j], left[i, j] = (BIT << np.uint64(ups)) - BIT, np.uint64(ups)
            found += ups
    return found


@kernel
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
