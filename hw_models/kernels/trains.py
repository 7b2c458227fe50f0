# Tested by tests/hw_models/arrays/test_trains.py.
"""Kernels of pulse trains on the lines of an array; equations, units and sources in :mod:`hw_models.arrays.trains`.

Shapes: rows of signals are (n, lines), one row a train on every line. A train is a *word* of 64 bits, bit s for slot s
and the highest for the sign. Packed words hold several trains, one behind the other, their signs in words beside them.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import bit_count, kernel
from hw_models.kernels.noise import round_keys, rounds, schedule

BIT, NOTHING = np.uint64(1), np.uint64(0)
SIGN, LINES = np.uint64(1 << 63), np.uint64((1 << 63) - 1)
EIGHT = np.uint32(8)
CAPACITY = 63
"""Most pulses of one device that are queued before they are played."""
SLOTS = 64
"""Of a packed word."""


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
    those of x keep their direction; with ``both`` neither counts as less, and both sides are cut. Returns whether all
    is finite.
    """
    for n in range(post.shape[0]):
        top_post, top_pre = np.float64(post[n]), np.float64(pre[n])
        if not (np.isfinite(top_post) and np.isfinite(top_pre)):
            return False
        pulses = rate * top_post * top_pre / dw_min
        length[n], factor_post[n], factor_pre[n] = 0, 0, 0
        if pulses > 0:
            length[n] = np.int64(min(np.ceil(pulses), np.float64(longest))) if managed else longest
            if managed and not both and pulses > length[n]:
                top_post *= length[n] / pulses
            factor = np.sqrt(rate / (dw_min * length[n]))
            balance = np.sqrt(top_pre / top_post) if managed else 1.0
            factor_post[n], factor_pre[n] = factor * balance, factor / balance
    return True


@kernel(error_model="numpy")
def _begun(row, factor, sign, chance, line):
    """Begin the trains of one row; write how many of 2^24 draws fire, those below min(1, factor |x|)."""
    real = row.dtype.type
    none, whole = real(0), real(1 << 24)
    sign, factor = real(sign), real(factor)
    for j in range(row.shape[0]):
        value = row[j]
        line[j] = SIGN if value * sign < none else NOTHING
        fires = np.ceil(abs(value) * factor * whole)
        chance[j] = np.uint32(np.int32(fires if fires < whole else whole))


@kernel
def _slot(a, b, row, slot, step, chances, lines):
    """Draw one slot of one row, of which ``chances`` and ``lines`` are four quarters each."""
    c0, c1, c2, c3 = chances
    l0, l1, l2, l3 = lines
    fired, row, slot, step = BIT << np.uint64(slot), np.uint32(row), np.uint32(slot), np.uint32(step)
    for i in range(l0.shape[0]):
        w0, w1, w2, w3 = rounds(np.uint32(i), row, slot, step, a, b)
        l0[i] |= fired if (w0 >> EIGHT) < c0[i] else NOTHING
        l1[i] |= fired if (w1 >> EIGHT) < c1[i] else NOTHING
        l2[i] |= fired if (w2 >> EIGHT) < c2[i] else NOTHING
        l3[i] |= fired if (w3 >> EIGHT) < c3[i] else NOTHING


@kernel
def fire(key, step, first, values, factor, length, sign, trains, apart):
    """Draw the stochastic trains of n rows, from number ``first`` on; values (n, size), factor, length, sign (n,).

    They go into the rows 0, ``apart``, 2 apart ... of ``trains``.

    In a slot a line fires if the uniform that :func:`hw_models.kernels.noise.fill_uniforms` gives for (key, step, slot,
    row) is below its probability; bit 63 is the sign.
    """
    rows, size = values.shape
    a, b = round_keys(schedule(key))
    m = (size + 3) // 4
    chance, line = np.zeros(4 * m, np.uint32), np.zeros(4 * m, np.uint64)
    chances = chance[:m], chance[m : 2 * m], chance[2 * m : 3 * m], chance[3 * m :]
    lines = line[:m], line[m : 2 * m], line[2 * m : 3 * m], line[3 * m :]
    for n in range(rows):
        _begun(values[n], factor[n], sign[n], chance, line)
        for slot in range(length[n]):
            _slot(a, b, first + n, slot, step, chances, lines)
        trains[n * apart] = line[:size]


@kernel
def layout(length, word, shift):
    """Write in which packed word each train goes and from which bit on, word, shift (n,); return how many words.

    Trains follow each other, whole, and words are about as full as each other; a silent train takes no room.
    """
    last, used, total, longest = 0, 0, 0, 0
    for n in range(length.shape[0]):
        total, longest = total + length[n], max(longest, length[n])
    words = max((total + SLOTS - 1) // SLOTS, 1)
    room = max(min((total + words - 1) // words + longest - 1, SLOTS), 0)
    for n in range(length.shape[0]):
        if used + length[n] > room:
            last, used = last + 1, 0
        word[n], shift[n] = last, used
        used += length[n]
    return last + 1


@kernel
def pack(trains, length, word, shift, fires, signs):
    """Put trains (n, lines) behind each other: ``fires`` (words, lines), all 0 before, and which of it is negative."""
    for n in range(trains.shape[0]):
        if length[n] == 0:
            continue
        line, fired, negative, by = trains[n], fires[word[n]], signs[word[n]], np.uint64(shift[n])
        for j in range(line.shape[0]):
            slots = (line[j] & LINES) << by
            fired[j] |= slots
            negative[j] |= slots if line[j] & SIGN else NOTHING


@kernel(error_model="numpy")
def _one_hits(line, fires, row):
    """Write the coincidences of one packed word of some lines with one of a line across; return their sum."""
    total, real = NOTHING, row.dtype.type
    for j in range(row.shape[0]):
        hits = bit_count(line[j] & fires)
        row[j] = real(np.int64(hits))
        total += hits
    return total


@kernel(error_model="numpy")
def _two_hits(one, two, a, b, hits):
    """Add those of two words."""
    for j in range(hits.shape[0]):
        hits[j] += bit_count(one[j] & a) + bit_count(two[j] & b)


@kernel(error_model="numpy")
def _four_hits(one, two, three, four, a, b, c, d, hits):
    """The same of four words at a time: sums are loaded and stored once."""
    for j in range(hits.shape[0]):
        hits[j] += (bit_count(one[j] & a) + bit_count(two[j] & b)) + (bit_count(three[j] & c) + bit_count(four[j] & d))


@kernel(error_model="numpy")
def _signed_hits(line, line_signs, fires, signs, ups, downs):
    """Add the coincidences of one packed word with one line, those that go up and those that go down."""
    for j in range(ups.shape[0]):
        both, apart = line[j] & fires, line_signs[j] ^ signs
        ups[j] += bit_count(both & ~apart)
        downs[j] += bit_count(both & apart)


@kernel(error_model="numpy")
def _summed(hits, row):
    """Write numbers of coincidences as those of a plane; return their sum."""
    total, real = NOTHING, row.dtype.type
    for j in range(hits.shape[0]):
        row[j] = real(np.int64(hits[j]))
        total += hits[j]
    return total


@kernel
def coincide(first, last, begin, end, pre, post, plane):
    """Write the numbers of coincidences on one tile, plane (rows, columns); return their sum.

    pre (words, in), post (words, out): ``fires`` of :func:`pack`.
    """
    words, found = pre.shape[0], NOTHING
    if words == 1:
        line = pre[0, begin:end]
        for i in range(first, last):
            found += _one_hits(line, post[0, i], plane[i - first])
        return np.int64(found)
    hits = np.empty(end - begin, np.uint64)
    for i in range(first, last):
        hits[:], w = NOTHING, 0
        while w + 4 <= words:
            a, b, c, d = post[w, i], post[w + 1, i], post[w + 2, i], post[w + 3, i]
            if a | b | c | d:
                lines = pre[w, begin:end], pre[w + 1, begin:end], pre[w + 2, begin:end], pre[w + 3, begin:end]
                _four_hits(lines[0], lines[1], lines[2], lines[3], a, b, c, d, hits)
            w += 4
        while w < words:
            other = min(w + 1, words - 1)
            a, b = post[w, i], (post[other, i] if other > w else NOTHING)
            if a | b:
                _two_hits(pre[w, begin:end], pre[other, begin:end], a, b, hits)
            w += 2
        found += _summed(hits, plane[i - first])
    return np.int64(found)


@kernel
def coincide_signed(first, last, begin, end, pre, post, planes):
    """The same of trains of both signs, planes (2, rows, columns) up and down; pre, post: ``fires`` and ``signs``."""
    hits, found = np.empty((2, end - begin), np.uint64), NOTHING
    for i in range(first, last):
        hits[:] = NOTHING
        for w in range(pre[0].shape[0]):
            if post[0][w, i]:
                lines = pre[0][w, begin:end], pre[1][w, begin:end]
                _signed_hits(lines[0], lines[1], post[0][w, i], post[1][w, i], hits[0], hits[1])
        found += _summed(hits[0], planes[0][i - first]) + _summed(hits[1], planes[1][i - first])
    return np.int64(found)


@kernel
def meet_packed(first, last, begin, end, word, pre, post, waits, ups):
    """Write the coincidences of one packed word on one tile, and which go up; return how many.

    pre and post: ``fires`` and ``signs`` of :func:`pack` of all lines; waits, ups (rows, columns).
    """
    found = 0
    for i in range(first, last):
        line, line_signs, met, up = pre[0][word, begin:end], pre[1][word, begin:end], waits[i - first], ups[i - first]
        fires, signs = post[0][word, i], post[1][word, i]
        total = NOTHING
        for j in range(line.shape[0]):
            both = line[j] & fires
            met[j], up[j] = both, both & ~(line_signs[j] ^ signs)
            total += bit_count(both)
        found += np.int64(total)
    return found


@kernel(error_model="numpy")
def _queue_row(lines, line, queue, left):
    """Append the coincidences of one row with one line to the queues; return the longest."""
    longest = NOTHING
    for j in range(queue.shape[0]):
        hits = bit_count(lines[j] & line & LINES)
        up = ((BIT << hits) - BIT) << left[j]
        queue[j] |= NOTHING if (lines[j] ^ line) & SIGN else up
        left[j] += hits
        longest = max(longest, left[j])
    return longest


@kernel
def meet(first, last, begin, end, pre, post, length, position, waits, ups):
    """Queue the coincidences of trains on one tile, in order, as far as queues reach; return how many.

    pre (n, in), post (n, out), length (n,). ``position`` (rows,): the next pair of each row, moved on; n when done.
    waits, ups (rows, columns): a bit for each pulse from bit 0 on, and which go up.
    """
    found = 0
    for i in range(first, last):
        signs, count, n, longest = ups[i - first], waits[i - first], position[i - first], 0
        signs[:], count[:] = NOTHING, NOTHING
        while n < pre.shape[0] and longest + length[n] <= CAPACITY:
            if post[n, i] & LINES:
                longest = np.int64(_queue_row(pre[n, begin:end], post[n, i], signs, count))
            n += 1
        position[i - first] = n
        for j in range(count.shape[0]):
            found += np.int64(count[j])
            count[j] = (BIT << count[j]) - BIT
    return found


@kernel
def keep(chosen, waits):
    """Empty the queues of devices that are not chosen; return how many pulses are left. Both (rows, columns)."""
    found = 0
    for i in range(chosen.shape[0]):
        for j in range(chosen.shape[1]):
            waits[i, j] = waits[i, j] if chosen[i, j] else NOTHING
            found += np.int64(bit_count(waits[i, j]))
    return found


@kernel
def rising(waits, ups):
    """Take pulses down out of the queues; return how many are left. Both (rows, columns)."""
    found = 0
    for i in range(waits.shape[0]):
        for j in range(waits.shape[1]):
            waits[i, j] &= ups[i, j]
            found += np.int64(bit_count(waits[i, j]))
    return found


@kernel
def count_out(up, down, waits, ups):
    """Queue whole numbers of pulses, those up before those down, as far as queues reach; return how many.

    up, down, waits, ups (rows, columns); what is queued is taken off the numbers.
    """
    taken = 0
    for i in range(up.shape[0]):
        for j in range(up.shape[1]):
            rising = min(max(up[i, j], 0), CAPACITY)
            falling = min(max(down[i, j], 0), CAPACITY - rising)
            up[i, j] -= rising
            down[i, j] -= falling
            ups[i, j] = (BIT << np.uint64(rising)) - BIT
            waits[i, j] = (BIT << np.uint64(rising + falling)) - BIT
            taken += rising + falling
    return taken
