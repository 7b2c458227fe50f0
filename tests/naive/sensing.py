"""Slow twin of converters that err and of codes in digits: one reading, one threshold, one bit at a time, float64."""

from __future__ import annotations

import math


def bow(r, shape):
    """Deviation of unit height at r in [-1, 1]."""
    if abs(r) >= 1:
        return 0.0
    return 1 - r * r if shape == "bow" else 1.5 * math.sqrt(3) * (r - r**3)


def ahead(x, low, high, gain=0.0, offset=0.0, inl=0.0, shape="bow"):
    """What reaches the quantiser: gain and offset, then the smooth deviation, all of one ADC."""
    v = (1 + gain) * x + offset * high
    half = (high - low) / 2
    steepest = 2.0 if shape == "bow" else 3 * math.sqrt(3)
    most = 0.999 * half / steepest
    height = min(max(inl * high, -most), most)
    return v + height * bow((v - low - half) / half, shape)


def thresholds(steps, step, low, z=(), dnl=0.0):
    """Where one level ends and the next begins; widths between them from normals z, both ends in place."""
    widths = [max(1 + dnl * value, 0.0) for value in list(z)[: steps - 1]] or [1.0] * (steps - 1)
    mean = sum(widths) / max(len(widths), 1)
    found = [low + step / 2]
    for width in widths:
        found.append(found[-1] + step * width / mean)
    return found


def code(w, edges):
    """Number of the level: how many thresholds lie at or below."""
    return sum(w >= edge for edge in edges)


def digits(level, bits, width, sign):
    """(weight, digit) of a whole code of so many bits, lowest first; the weights of levels."""
    if sign == "unsigned":
        return [(2**p, (level // 2**p) % 2**width) for p in range(0, bits, width)]
    if sign == "magnitude":
        s = -1 if level < 0 else 1
        return [(2**p, s * ((abs(level) // 2**p) % 2**width)) for p in range(0, bits - 1, width)]
    lower = level % 2 ** (bits - 1)  # Python's remainder is that of two's complement
    found = [(2**p, (lower // 2**p) % 2**width) for p in range(0, bits - 1, width)]
    return [*found, (-(2 ** (bits - 1)), int(level < 0))]
