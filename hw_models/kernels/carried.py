# Tested by tests/hw_models/arrays/test_slow_noise.py.
"""Kernels of noise that is carried from read to read at the outputs of a tile; draws as in the noise kernels."""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import VECTOR, kernel
from hw_models.kernels.noise import (
    CHUNK,
    add_rows,
    normal,
    normal_panel,
    schedule,
    scratch,
    span,
    together,
    words,
)

MOST = 32
"""Most processes of one tile."""
F = np.float32
TURNED = np.float32(0.98)
"""Squared cosine to the signal that noise is kept of, below which it is kept of the present one."""


@kernel
def _normals(keys, row, tile, step, bits, out):
    """Write one row of standard normals, out (n,)."""
    n = out.shape[0]
    for first in range(0, (n + 3) // 4, CHUNK):
        count = min(CHUNK, (n + 3) // 4 - first)
        words(keys, first, row, tile, step, count, bits)
        for word in range(4):
            begin, end = span(word, n, first, count)
            part, drawn = out[begin:end], bits[word]
            for i in range(end - begin):
                part[i] = normal(drawn[i])


@kernel
def _cosine(x, own, other, norm, metric):
    """Return the cosine of two signals of these squares in the metric; 0 of none."""
    if not norm > 0:
        return F(0)
    total = own * 0
    for i in range(x.shape[0]):
        total += metric[i] * x[i] * other[i]
    both = own * norm  # 0 in single precision where both are below 1e-23: their roots are not
    return min(max(F(total / (np.sqrt(both) if both > 0 else np.sqrt(own) * np.sqrt(norm))), F(-1)), F(1))


@kernel
def _link(z, norm, link, apart, copies):
    """Give normals (rows, n) of samples in turn on a copy of the chip the correlation ``apart`` times their link."""
    if apart < F(1e-4):
        return
    for row in range(copies, z.shape[0]):
        last = row - copies
        linked = apart * link[row] if norm[row] > 0 and norm[last] > 0 else F(0)
        if linked != 0:
            rest, line, before = np.sqrt(max(1 - linked * linked, F(0))), z[row], z[last]
            for i in range(line.shape[0]):
                line[i] = linked * before[i] + rest * line[i]


@kernel
def _move(values, z, a, weight, total):
    """Move values u to a u + sqrt(1 - a^2) z, and their sum over weights (n,) with them; all flat, n after n."""
    fresh, n = np.sqrt(max(1 - a * a, F(0))), weight.shape[0]
    alike = True
    for i in range(n):
        alike = alike and weight[i] == weight[0]
    if alike and n:
        common = weight[0]
        for i in range(values.shape[0]):
            new = a * values[i] + fresh * z[i]
            total[i] += common * (new - values[i])
            values[i] = new
        return
    for first in range(0, values.shape[0], n):
        for i in range(n):
            new = a * values[first + i] + fresh * z[first + i]
            total[first + i] += weight[i] * (new - values[first + i])
            values[first + i] = new


@kernel
def sense_carried(
    partial, variance, carried, floor, key, draw_step, tile, first_row, step, low, high, scale, total, first_column
):
    """As :func:`hw_models.kernels.noise.sense_varied`, with noise that is carried and the rest of it fresh.

    ``carried`` is (sums (rows, n), cosines (2, rows), shares (n,)), float32: with cosine and lasting part of its row
    a current of variance v gets sqrt(v) cosine sums + sqrt(v (1 - lasting shares) + floor) z; see :func:`carry`.
    """
    real, (rows, n), stops = partial.dtype.type, partial.shape, 0
    step, low, high, scale, floor = real(step), real(low), real(high), real(scale), real(floor)
    keys, bits, z = schedule(key), scratch(), np.empty((4, CHUNK), np.float32)
    (sums, cosines, shares), lines = carried, together(n, rows)
    for row in range(0, rows, max(lines, 1)):
        lines = min(lines, rows - row)
        for first in range(0, (n + 3) // 4, CHUNK):
            count = min(CHUNK, (n + 3) // 4 - first)
            normal_panel(keys, first, count, first_row + row, lines, tile, draw_step, bits, z)
            for r in range(lines):
                cosine, lasting = cosines[0, row + r], cosines[1, row + r]
                for word in range(4):
                    begin, end = span(word, n, first, count)
                    part, var, drawn = partial[row + r, begin:end], variance[row + r, begin:end], z[word, r * count :]
                    own, share = sums[row + r, begin:end], shares[begin:end]
                    for i in range(end - begin):
                        fresh = var[i] * real(max(F(1) - lasting * share[i], F(0))) + floor
                        part[i] += np.sqrt(var[i]) * real(cosine * own[i]) + np.sqrt(fresh) * real(drawn[i])
        stops += add_rows(partial[row : row + lines], step, low, high, scale, total[row : row + lines], first_column)
    return stops


@kernel(fastmath=VECTOR)
def carry(x, metric, kept, weights, times, key, step, tile, squares, cosines):
    r"""Move the noise of one tile on to a read, and compare its signals with those that noise is kept of.

    Of every process k, sample b and line i, u is the noise of unit variance of the signal a that it is kept of. With
    :math:`\langle x, y\rangle = \sum_j m_j x_j y_j`, :math:`c = \langle x, a\rangle / |x||a|`, and normals n,

    .. math:: u \leftarrow a_k u + \sqrt{1 - a_k^2}\, n,
              \qquad out_{bi} = c_b \sum_k w_{ki} u_{kbi}, \qquad lasting_b = c_b^2

    with the decay a over the time since u was moved. What x has beside a is new, and left to the caller as
    white noise, of variance :math:`1 - c_b^2 \sum_k w_{ki}^2`. Returns how many signals have turned, :func:`turn`.

    Parameters
    ----------
    x : (rows, n_in)
        Signals.
    metric : (n_in,)
        m, the variance of each driven line's devices.
    kept : (anchor, norm, link, latent, total, moved)
        Signals that noise is kept of (rows, n_in); their <a, a>, 0 before there was one, and their cosine to that of
        the sample before, (rows,) each; u (processes, rows, n), float32, its sum over w (rows, n), and when u was
        moved last (processes,).
    weights : (processes, n), float32
        w.
    times : (now, pause, taus, fine, copies)
        Time, that from one sample to the next, time constants (processes,), the share of one of them in whole
        multiples of which a process is moved, and how many samples are read side by side.
    key, step, tile
        Of the draws.
    squares : (rows,)
        Written: <x, x>.
    cosines : (2, rows), float32
        Written: c, and its square.
    """
    real = x.dtype.type
    anchor, norm, link, latent, total, moved = kept
    now, pause, taus, fine, copies = times
    (count, rows, n), number = latent.shape, 0
    due, decay = np.empty(count, np.int64), np.empty(count, np.float32)
    for k in range(count):
        passed = np.floor((now - moved[k]) / (fine * taus[k])) * fine * taus[k]
        if passed > 0:
            due[number], decay[number] = k, np.exp(-passed / taus[k])
            moved[k] += passed
            number += 1
    if number > 0:
        z, whole = np.empty((number, rows, n), np.float32), True
        _normals(schedule(key), 0, 2 * tile, step, scratch(), z.reshape(z.size))
        for row in range(rows):
            whole = whole and norm[row] > 0
        for d in range(number):
            k = due[d]
            _link(z[d], norm, link, F(np.exp(-pause / taus[k])), copies)
            if whole:
                flat = rows * n
                _move(latent[k].reshape(flat), z[d].reshape(flat), decay[d], weights[k], total.reshape(flat))
                continue
            for row in range(rows):
                if norm[row] > 0:
                    _move(latent[k, row], z[d, row], decay[d], weights[k], total[row])
    turned = 0
    for row in range(rows):
        signal, own_anchor = x[row], anchor[row]
        own, cross = real(0), real(0)
        for i in range(signal.shape[0]):
            weighted = metric[i] * signal[i]
            own += weighted * signal[i]
            cross += weighted * own_anchor[i]
        cosine = F(0)
        if norm[row] > 0 and own > 0:
            both = own * norm[row]  # as in _cosine
            root = np.sqrt(both) if both > 0 else np.sqrt(own) * np.sqrt(norm[row])
            cosine = min(max(F(cross / root), F(-1)), F(1))
        squares[row], cosines[0, row], cosines[1, row] = own, cosine, cosine * cosine
        turned += own > 0 and cosine * cosine < TURNED
    return turned


@kernel(fastmath=VECTOR)
def turn(x, metric, kept, weights, times, before, key, step, tile, squares, cosines):
    r"""Keep noise of signals that have turned, after :func:`carry`, which has the other parameters.

    Below :math:`c^2 = 0.98` noise is kept of x from then on, :math:`u \leftarrow c u + \sqrt{1 - c^2} n`. A sample that
    has had no signal begins where the one before it on the same copy of the chip is, :math:`u \leftarrow a c u' +
    \sqrt{1 - a^2 c^2} n` with the decay a over the time between the two and the cosine c of their signals; so do the
    normals of later moves, with those of that sample. So reads of two samples, equally long after they began, have
    the correlation of reads at their distance.

    Parameters
    ----------
    before : (anchor, norm, latent, decay)
        Of the last samples of the batches before, one for each copy of the chip, and a from there (processes, copies).
    """
    anchor, norm, link, latent, total, _ = kept
    _, pause, taus, _, copies = times
    count, rows, n = latent.shape
    keys, bits = schedule(key), scratch()
    old_anchor, old_norm, old_latent, old_decay = before
    apart, new = np.exp(-pause / taus).astype(np.float32), np.empty((count, n), np.float32)
    turns, turned = np.zeros((copies, count, n), np.float32), np.zeros(copies, np.bool_)
    for row in range(rows):
        own, cosine, copy, last = squares[row], cosines[0, row], row % copies, row - copies
        began = not norm[row] > 0
        if began:
            turned[copy] = False
        if own > 0 and cosine * cosine < TURNED:
            signal, line = x[row], total[row]
            if last >= 0:
                link[row] = _cosine(signal, own, anchor[last], norm[last], metric)
            elif began:
                link[row] = _cosine(signal, own, old_anchor[row], old_norm[row], metric)
            _normals(keys, row, 2 * tile + 1, step, bits, new.reshape(new.size))
            line[:] = 0
            for k in range(count):
                a, linked = cosine, apart[k] * link[row] if turned[copy] and not began else F(0)
                if began:
                    latent[k, row] = latent[k, last] if last >= 0 else old_latent[k, row]
                    a = link[row] * (apart[k] if last >= 0 else old_decay[k, row])
                rest, fresh = np.sqrt(max(1 - linked * linked, F(0))), np.sqrt(max(1 - a * a, F(0)))
                for i in range(n):
                    drawn = linked * turns[copy, k, i] + rest * new[k, i]
                    turns[copy, k, i] = drawn
                    latent[k, row, i] = a * latent[k, row, i] + fresh * drawn
                    line[i] += weights[k, i] * latent[k, row, i]
            turned[copy], norm[row] = not began, own
            cosines[0, row] = cosines[1, row] = F(1)
            anchor[row] = signal
        elif own > 0:
            turned[copy] = False
