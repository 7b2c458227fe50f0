"""Box and Muller's normals of one row, in double precision, a block of the generator at a time."""

from __future__ import annotations

import math

import numpy as np

from tests.naive.crossbar import philox


def pair(bits, place):
    """Two normals of two words."""
    r = math.sqrt(-2 * math.log((bits // 2 + 0.5) / 2**31))
    angle = (place // 8 + 0.5) / 2**29 * math.pi / 4
    one, other = r * math.cos(angle), r * math.sin(angle)
    one, other = (other, one) if place & 1 else (one, other)
    return (one if place & 2 else -one), (other if place & 4 else -other)


def blocks(key, first, count, row, tile, step):
    """Normals of so many blocks: the first of every block, then the second of every block, and so on."""
    words = [philox((first + i, row, tile, step), key) for i in range(count)]
    quads = [(*pair(w[0], w[1]), *pair(w[2], w[3])) for w in words]
    return np.array(quads).T.reshape(-1)


def played(key, step, again, number, row, n):
    """The first n normals of a row of a tile that is played, up to 1024."""
    return blocks([int(word) for word in key], row << 20, -(-n // 64) * 16, number, again, step)[:n]
