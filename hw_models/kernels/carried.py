"""Kernel of noise that is carried from read to read at the outputs of a tile; draws as in the noise kernels."""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import VECTOR, kernel
from hw_models.kernels.noise import CHUNK, normal, schedule, words

MOST = 32
"""Most processes: words of the draws' counter set apart for each tile, twice."""
F = np.float32
TURNED = np.float32(0.5)
"""Squared cosine to the signal that noise is kept of, below which it is kept of the present one."""


@kernel
def _normals(keys, row, tile, step, bits, linked, out):
    """Write one row of standard normals, out (n,), of this correlation to those that are there."""
    n, fresh = out.shape[0], np.sqrt(max(1 - linked * linked, F(0)))
    blocks = (n + 3) // 4
    for first in range(0, blocks, CHUNK):
        count = min(CHUNK, blocks - first)
        words(keys, first, row, tile, step, count, bits)
        for word in range(4):
            begin = word * blocks + first
            end = min(begin + count, n)
            if linked == 0:
                for i in range(end - begin):
                    out[begin + i] = normal(bits[word, i])
            else:
                for i in range(end - begin):
                    out[begin + i] = linked * out[begin + i] + fresh * normal(bits[word, i])


@kernel
def _mixed(values, a, z):
    """Replace values by a values + sqrt(1 - a^2) z, both (n,)."""
    fresh = np.sqrt(max(1 - a * a, F(0)))
    for i in range(values.shape[0]):
        values[i] = a * values[i] + fresh * z[i]


@kernel
def _cosine(x, own, other, norm, metric):
    """Return the cosine of two signals of these squares in the metric; 0 of none."""
    if not norm > 0:
        return F(0)
    total = own * 0
    for i in range(x.shape[0]):
        total += metric[i] * x[i] * other[i]
    return min(max(F(total / np.sqrt(own * norm)), F(-1)), F(1))


@kernel(fastmath=VECTOR)
def carry(x, metric, kept, weights, decay, apart, before, key, step, tile, out, lasting):
    r"""Move the noise of one tile on to a read, and write what of it the read finds.

    Of every process k, sample b and line i, u is the noise of unit variance of the signal a that it is kept of. With
    :math:`\langle x, y\rangle = \sum_j m_j x_j y_j`, :math:`c = \langle x, a\rangle / |x||a|`, and normals n,

    .. math:: u \leftarrow a_k u + \sqrt{1 - a_k^2}\, n,
              \qquad out_{bi} = c_b \sum_k w_{ki} u_{kbi}, \qquad lasting_b = c_b^2

    What x has beside a is new, of variance :math:`1 - c^2`, and left to the caller as white noise. Below
    :math:`c^2 = 1/2` noise is kept of x from then on, :math:`u \leftarrow c u + \sqrt{1 - c^2} n`. A sample that has
    had no signal begins where the one before it on the same copy of the chip is, :math:`u \leftarrow a c u' +
    \sqrt{1 - a^2 c^2} n` with the decay a over the time between the two and the cosine c of their signals; so do the
    normals of later moves, with those of that sample. So reads of two samples, equally long after they began, have
    the correlation of reads at their distance.

    Parameters
    ----------
    x : (rows, n_in)
        Signals.
    metric : (n_in,)
        m, the variance of each driven line's devices.
    kept : (anchor, norm, link, latent)
        Signals that noise is kept of (rows, n_in); their <a, a>, 0 before there was one, and their cosine to that of
        the sample before, (rows,) each; u (processes, rows, n), float32.
    weights : (processes, n), float32
        w.
    decay, apart : (processes,), float32
        a since this noise was moved last, 1 to leave it; and over the time from one sample to the next.
    before : (anchor, norm, latent, decay)
        Of the last samples of the batch before, one for each copy of the chip, and a from there.
    key, step, tile
        Of the draws.
    out, lasting : (rows, n), (rows,), float32
        See above.
    """
    real = x.dtype.type
    anchor, norm, link, latent = kept
    count, rows, n = latent.shape
    keys, bits = schedule(key), np.empty((4, CHUNK), np.uint32)
    old_anchor, old_norm, old_latent, old_decay = before
    copies = old_norm.shape[0]
    moves, turns = np.empty((copies, count, n), np.float32), np.empty((copies, count, n), np.float32)
    moved, turned = np.zeros(copies, np.bool_), np.zeros(copies, np.bool_)
    for row in range(rows):
        signal, own_anchor, line, copy, last = x[row], anchor[row], out[row], row % copies, row - copies
        own, cross = real(0), real(0)
        for i in range(signal.shape[0]):
            weighted = metric[i] * signal[i]
            own += weighted * signal[i]
            cross += weighted * own_anchor[i]
        line[:] = 0
        lasting[row] = 1
        if norm[row] > 0:
            for k in range(count):
                if decay[k] < 1:
                    linked = apart[k] * link[row] if moved[copy] else np.float32(0)
                    _normals(keys, row, tile * 2 * MOST + k, step, bits, linked, moves[copy, k])
                    _mixed(latent[k, row], decay[k], moves[copy, k])
            moved[copy] = True
            if not own > 0:
                continue
            cosine = np.float32(cross / np.sqrt(own * norm[row]))
            cosine = min(max(cosine, np.float32(-1)), np.float32(1))
            if cosine * cosine < TURNED:
                if last >= 0:
                    link[row] = _cosine(signal, own, anchor[last], norm[last], metric)
                for k in range(count):
                    linked = apart[k] * link[row] if turned[copy] else np.float32(0)
                    _normals(keys, row, tile * 2 * MOST + MOST + k, step, bits, linked, turns[copy, k])
                    _mixed(latent[k, row], cosine, turns[copy, k])
                turned[copy] = True
                cosine, norm[row] = np.float32(1), own
                own_anchor[:] = signal
            else:
                turned[copy] = False
        else:
            moved[copy] = turned[copy] = False
            if not own > 0:
                continue
            if last >= 0:
                link[row] = _cosine(signal, own, anchor[last], norm[last], metric)
            else:
                link[row] = _cosine(signal, own, old_anchor[row], old_norm[row], metric)
            for k in range(count):
                latent[k, row] = latent[k, last] if last >= 0 else old_latent[k, row]
                a = link[row] * (apart[k] if last >= 0 else old_decay[k])
                _normals(keys, row, tile * 2 * MOST + MOST + k, step, bits, np.float32(0), turns[copy, k])
                _mixed(latent[k, row], a, turns[copy, k])
            cosine, norm[row] = np.float32(1), own
            own_anchor[:] = signal
        for k in range(count):
            values, weight = latent[k, row], weights[k]
            for i in range(n):
                line[i] += weight[i] * values[i]
        for i in range(n):
            line[i] *= cosine
        lasting[row] = cosine * cosine
