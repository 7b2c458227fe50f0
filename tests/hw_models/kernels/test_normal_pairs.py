"""Normals in pairs: against their slow twin, and moments, tails and independence of many."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy import stats

from hw_models.kernels import noise, normal_pairs
from hw_models.kernels.random import key
from tests.naive import normal_pairs as naive

OWN = key(0, "test")
compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="statistics of many draws")


def drawn(blocks, row=0, step=0):
    """Normals of one row, (4, blocks): each line comes from its own place in the blocks."""
    bits, z = normal_pairs.memory()
    found = np.empty((4, blocks), np.float32)
    for first in range(0, blocks, noise.CHUNK):
        count = min(noise.CHUNK, blocks - first)
        normal_pairs.draw(noise.schedule(OWN), first, count, row, 5, step, bits, z)
        found[:, first : first + count] = z[: 4 * count].reshape(4, count)
    return found


@pytest.mark.kernels
def test_rows_are_those_of_the_slow_twin():
    bits, z = normal_pairs.memory()
    normal_pairs.draw(noise.schedule(OWN), 7, 48, 3, 5, 2, bits, z)
    np.testing.assert_allclose(z[:192], naive.blocks([int(w) for w in OWN], 7, 48, 3, 5, 2), rtol=2e-6, atol=1e-6)


@pytest.mark.kernels
@pytest.mark.parametrize("bits", [0, 1, 2, 2**31, 2**32 - 1, 2**32 - 2, 3037000499, 0x08000000])
@pytest.mark.parametrize("place", [0, 7, 2**32 - 1, 2**32 - 8, 2**31 + 1, 0x12345672])
def test_every_pair_of_words(bits, place):
    """Both ends of the radius and of the eighth of the circle, and the seam of the logarithm."""
    found = normal_pairs.pair(np.uint32(bits), np.uint32(place))
    # of a number beside 1 single precision holds 2^-24, and its logarithm no more
    np.testing.assert_allclose(found, naive.pair(bits, place), rtol=3e-6, atol=4e-4 if bits > 2**31 else 1e-6)
    assert np.abs(found).max() < 6.7


@pytest.mark.kernels
@pytest.mark.parametrize(("n", "blocks"), [(1, 16), (64, 16), (65, 32), (1000, 256), (5000, 256)])
def test_blocks_fill_whole_vectors(n, blocks):
    assert normal_pairs.blocks_of(n) == blocks


@compiled
def test_moments_tails_and_independence():
    """8 million: moments up to the sixth and every tail up to 5 standard deviations within 4.5 standard errors."""
    z = np.concatenate([drawn(1 << 18, row).reshape(4, -1) for row in range(8)], axis=1).astype(np.float64)
    flat, many = z.reshape(-1), z.size
    for power, mean, square in ((1, 0, 1), (2, 1, 3), (3, 0, 15), (4, 3, 105), (5, 0, 945), (6, 15, 10395)):
        assert abs((flat**power).mean() - mean) < 4.5 * np.sqrt((square - mean**2) / many), power
    for bound in np.arange(-5, 5.01, 0.25):
        share = stats.norm.sf(abs(bound))
        found = np.count_nonzero(flat > bound if bound > 0 else flat < bound) / many
        assert abs(found - share) < 4.5 * np.sqrt(share / many), bound
    for a, b in ((z[0], z[1]), (z[2], z[3]), (z[0], z[2]), (z[1], z[3]), (z[0, :-1], z[0, 1:]), (z[1, 1:], z[0, :-1])):
        for f, g in ((a, b), (a**2 - 1, b**2 - 1), (a, b**2 - 1), (np.abs(a) > 2, np.abs(b) > 2)):
            assert abs(np.corrcoef(f, g)[0, 1]) < 4.5 / np.sqrt(len(a))


@compiled
def test_shape_of_the_distribution():
    """Kolmogorov and Smirnov, four million."""
    flat = drawn(1 << 20, step=3).reshape(-1)
    assert stats.kstest(flat, "norm").pvalue > 1e-3
