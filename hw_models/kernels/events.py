# Tested by tests/hw_models/arrays/test_events.py.
"""Kernels of event-driven arrays; equations and units in :mod:`hw_models.arrays.events`.

Shapes: values (batch, senders), sent integers (batch, senders), accumulators (batch, receivers), weights int8
(senders, receivers), so that what one sender reaches is contiguous. Blocks are ranges of samples.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel

HALF_WORD = 2.0**-24


@kernel
def _quantise(row, kept, step, limit, least, whole):
    """Write the integers of one sample; return how many differ by more than ``least`` and how many are not finite.

    What is not finite counts as unchanged.
    """
    changed, bad, real = 0, 0, row.dtype.type
    high, zero = real(limit), real(0)
    for j in range(row.shape[0]):
        finite = abs(row[j]) < np.inf
        q = np.rint((row[j] if finite else zero) / step)
        q = high if q > high else q
        q = -high if q < -high else q
        whole[j] = np.int32(q) if finite else kept[j]
        bad += not finite
        changed += abs(whole[j] - kept[j]) > least
    return changed, bad


@kernel
def _send(kept, whole, least, who, delta):
    """List the senders that changed by more than ``least`` and by how much; take their new values over."""
    count = 0
    for j in range(kept.shape[0]):
        change = whole[j] - kept[j]
        if abs(change) > least:
            who[count], delta[count] = j, change
            kept[j] = whole[j]
            count += 1
    return count


@kernel
def _deliver(weights, who, delta, count, total):
    """Add the weighted changes of listed senders, four at a time."""
    k = 0
    while k + 4 <= count:
        a, b, c, d = weights[who[k]], weights[who[k + 1]], weights[who[k + 2]], weights[who[k + 3]]
        p, q, r, s = delta[k], delta[k + 1], delta[k + 2], delta[k + 3]
        for i in range(total.shape[0]):
            total[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i]
        k += 4
    while k < count:
        row, change = weights[who[k]], delta[k]
        for i in range(total.shape[0]):
            total[i] += change * row[i]
        k += 1


@kernel
def _rebuild(weights, kept, who, delta, total):
    """Write the accumulators that belong to what was sent."""
    total[:] = 0
    count = 0
    for j in range(kept.shape[0]):
        if kept[j] != 0:
            who[count], delta[count] = j, kept[j]
            count += 1
    _deliver(weights, who, delta, count, total)


@kernel
def exchange(first, last, values, step, limit, least, weights, sent, accumulator, stale, scale, out):
    """Send what changed in samples [first, last), write ``scale * accumulator``; return the number of events.

    Parameters
    ----------
    values : numpy.ndarray
        (batch, senders); a sample with a value that is not finite gets NaN throughout.
    step, limit : float, int
        Size of a state's step, and the largest integer.
    least : int
        Changes up to this are not sent.
    weights : numpy.ndarray
        int8 (senders, receivers).
    sent, accumulator : numpy.ndarray
        int32 (batch, senders), int32 or int64 (batch, receivers); moved in place.
    stale : bool
        Whether the accumulators belong to other weights and are built anew from ``sent`` first.
    scale : float
        Output per unit of the accumulator.
    out : numpy.ndarray
        (batch, receivers).
    """
    senders, events = values.shape[1], 0
    whole, who = np.empty(senders, dtype=np.int32), np.empty(senders, dtype=np.int64)
    delta = np.empty(senders, dtype=accumulator.dtype)
    for b in range(first, last):
        kept, total, found = sent[b], accumulator[b], out[b]
        if stale:
            _rebuild(weights, kept, who, delta, total)
        changed, bad = _quantise(values[b], kept, step, limit, least, whole)
        if changed > 0:
            count = _send(kept, whole, least, who, delta)
            _deliver(weights, who, delta, count, total)
            events += count
        if bad > 0:
            found[:] = np.nan
            continue
        for i in range(found.shape[0]):
            found[i] = scale * total[i]
    return events


@kernel
def nudge(first, last, begin, end, change, scale, limit, draws, weights, mirrored):
    """Change the integers of one tile by ``change / scale`` rounded at random, saturating; return how many are bad.

    change (rows, columns) of the tile; draws (rows, 2 columns) uniforms in [0, 1), two for one of 48 bits; weights
    (out, in) and mirrored (in, out) int8. An entry that is not finite changes nothing and is counted.
    """
    bad, columns = 0, end - begin
    for i in range(first, last):
        row, drawn, held = change[i - first], draws[i - first], weights[i]
        for j in range(columns):
            if not abs(row[j]) < np.inf:
                bad += 1
                continue
            dither = np.float64(drawn[j]) + np.float64(drawn[columns + j]) * HALF_WORD
            moved = held[begin + j] + np.floor(np.float64(row[j]) / scale + dither)
            moved = min(max(moved, np.float64(-limit)), np.float64(limit))
            held[begin + j] = np.int8(moved)
            mirrored[begin + j, i] = np.int8(moved)
    return bad
