"""Keys and streams of random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.kernels.random import generator, key, normals, uniforms


def test_generator_is_fixed_by_its_meaning():
    again = generator(3, "order", 7).integers(0, 1000, 5)
    np.testing.assert_array_equal(generator(3, "order", 7).integers(0, 1000, 5), again)
    for other in ((4, "order", 7), (3, "order", 8), (3, "mask", 7), (3, "order", "7")):
        assert (generator(*other).integers(0, 1000, 5) != again).any()


def test_generator_keeps_the_bits_of_earlier_releases():
    """Runs of earlier releases can be repeated."""
    np.testing.assert_array_equal(generator(0, "order", 1).integers(0, 10**6, 4), [69578, 384385, 334387, 919016])


def test_key_is_fixed_by_its_meaning():
    assert key(0, "read", "a").dtype == np.uint32 and key(0, "read", "a").shape == (2,)
    keys = {tuple(key(*m)) for m in ((0, "a"), (1, "a"), (0, "b"), (0, "a", "b"), (0, "ab"), (0, 1), (0, "1"))}
    assert len(keys) == 7
    np.testing.assert_array_equal(key(np.int64(2), "a", np.int64(3)), key(2, "a", 3))


@pytest.mark.parametrize("draw", [normals, uniforms])
def test_draws_belong_to_key_step_tile_and_row(draw):
    own = key(0, "a")
    whole = draw(own, 1, 2, (6, 11))
    np.testing.assert_array_equal(draw(own, 1, 2, (3, 11), first_row=3), whole[3:])
    for other in (draw(key(0, "b"), 1, 2, (6, 11)), draw(own, 2, 2, (6, 11)), draw(own, 1, 3, (6, 11))):
        assert (other != whole).mean() > 0.99
    assert len(np.unique(whole)) == whole.size


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_that_of_the_result_alone(dtype):
    own = key(0, "a")
    found = normals(own, 0, 0, (2, 5), dtype=dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, normals(own, 0, 0, (2, 5)))


def test_empty_shapes():
    assert normals(key(0), 0, 0, (0, 5)).shape == (0, 5) and uniforms(key(0), 0, 0, (3, 0)).shape == (3, 0)
