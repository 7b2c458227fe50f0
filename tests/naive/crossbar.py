"""Slow twin of a crossbar: one sample, one tile, one device at a time, float64, straight from the equations."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

WORD = 0xFFFFFFFF


def philox(counter, key):
    """Philox 4x32-10 of four words and two, in whole numbers."""
    c, k = [int(v) for v in counter], [int(v) for v in key]
    for _ in range(10):
        low, high = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(high >> 32) ^ c[1] ^ k[0], high & WORD, (low >> 32) ^ c[3] ^ k[1], low & WORD]
        k = [(k[0] + 0x9E3779B9) & WORD, (k[1] + 0xBB67AE85) & WORD]
    return c


def bits(key, step, tile, row, n):
    """The random words of one row of n elements."""
    blocks = -(-n // 4)
    return [philox((i % blocks, row, tile, step), key)[i // blocks] for i in range(n)]


def normals(key, step, tile, row, n):
    """The standard normals of one row."""
    found = []
    for word in bits(key, step, tile, row, n):
        tail = ((word & 0x7FFFFFFF) + 0.5) * 2.0**-32
        found.append(-ndtri(tail) * (-1 if word >> 31 else 1))
    return np.array(found)


def quantise(value, bits, full, unsigned=False):
    """One converted value; no bits: clipped only."""
    low = 0.0 if unsigned else -full
    if bits is not None:
        step = full / (2**bits - 1) if unsigned else 2 * full / (2**bits - 2)
        value = round(value / step) * step
    return min(max(value, low), full)


def convert(values, bits, full):
    """All values converted; full None: as they are."""
    return np.array([[v if full is None else quantise(v, bits, full) for v in row] for row in values.tolist()])


def tiles(length, most):
    """Near-equal pieces of at most ``most``."""
    count = -(-length // most) if most else 1
    return [(length * i // count, length * (i + 1) // count) for i in range(count)]


def product(x, a, scale, edges, dac, adc, noise):
    """Sum over tiles of adc(dac(x) @ a.T + noise), times scale.

    x (rows, d), a (n, d), edges the tiles of d, dac and adc (bits, full scale), noise(tile, row, signals) (n,).
    """
    x = convert(x, *dac)
    total = np.zeros((len(x), len(a)))
    for row in range(len(x)):
        for tile, (begin, end) in enumerate(edges):
            extra = noise(tile, row, x[row, begin:end])
            for i in range(len(a)):
                current = sum(x[row, j] * float(a[i, j]) for j in range(begin, end)) + extra[i]
                total[row, i] += current if adc[1] is None else quantise(current, *adc)
    return scale * total


def conductances(weight, device, draws, age=None):
    """(G+, G-) [uS] of normalised weights as they conduct; ``draws`` (2, 7, out, in) by side.

    Normals for g_min, g_max, programming, gain and drift exponent, a uniform for stuck devices, a normal for
    relaxation. ``age`` (out, in) is the time since the last write of every weight, by default the device's for all.
    """
    span, found = device.g_max - device.g_min, np.zeros((2, *weight.shape))
    for side, i, j in np.ndindex(found.shape):
        z_low, z_high, z_program, z_gain, z_nu, u, z_relax = draws[side, :, i, j]
        t = device.age if age is None else age[i, j]
        share = max(weight[i, j] if side == 0 else -weight[i, j], 0)
        g = device.g_min + min(share, 1) * span
        if device.levels is not None:
            step = span / (device.levels - 1)
            g = device.g_min + round((g - device.g_min) / step) * step
        low = max(device.g_min * (1 + device.g_min_spread * z_low), 0)
        g = target = min(max(g, low), max(device.g_max * (1 + device.g_max_spread * z_high), low))
        unit = device.g_max / (device.programming_noise_g_max or device.g_max)
        whole, fresh = (
            unit * sum(c * (target / device.g_max) ** p for p, c in enumerate(terms))
            for terms in (device.programming_noise, device.programming_noise_fresh or device.programming_noise)
        )
        g = max(g + fresh * z_program, 0)
        start, end = device.relaxation_times
        come = min(max(math.log(max(t, 1e-9) / start) / math.log(end / start), 0), 1)
        g = max(g + math.sqrt((whole**2 - fresh**2) * come) * z_relax, 0)
        log = math.log(max(target / device.g_max, 1e-7))
        size = [min(max(f[0] * log + f[1], f[2]), f[3]) for f in (device.drift_mean, device.drift_spread)]
        nu = abs(size[0] + size[1] * z_nu)
        if u < device.stuck_low or u >= 1 - device.stuck_high:
            g, nu = device.g_min if u < device.stuck_low else device.g_max, 0
        g *= max(1 + device.mismatch * z_gain, 0)
        found[side, i, j] = g * (1 + t / device.drift_start) ** -nu
    return found


def read_sigma(g, device):
    """Standard deviation of one read [uS] by the laws that do not clip."""
    return {
        "additive": device.read_noise,
        "proportional": device.read_noise * g,
        "sqrt": device.read_noise * math.sqrt(g * device.g_max),
    }[device.read_noise_law]
