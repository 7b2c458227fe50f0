"""Draws depend on the seed and their meaning, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.randomness import generator


def draws(*key, size=8):
    return generator(*key).integers(0, 2**62, size).tolist()


def test_the_same_key_gives_the_same_stream():
    generator(1, "noise").random(100)
    assert draws(1, "noise", 3) == draws(1, "noise", 3)


@pytest.mark.parametrize(
    "other", [(2, "order", 1), (1, "order", 2), (1, "ordes", 1), (1, "order"), (1, "order", 1, 0), (1, 1, "order")]
)
def test_any_other_key_gives_another_stream(other):
    assert not set(draws(1, "order", 1)) & set(draws(*other))


def test_keys_are_not_joined():
    """("a", "b") is not "ab", 1 is not "1"."""
    assert draws(0, "a", "b") != draws(0, "ab")
    assert draws(0, 1) != draws(0, "1")
    assert draws(1, 23) != draws(12, 3)


def test_numpy_numbers_count_as_numbers():
    assert draws(np.int64(3), "a", np.int32(4)) == draws(3, "a", 4)


def test_the_stream_stays_as_it_was():
    """A change here would change every run that can be resumed."""
    raw = generator(0, "example", 1).bit_generator.random_raw(2)
    assert raw.tolist() == [18140224115206057618, 12847391136793769438]


def test_neighbouring_keys_are_uncorrelated():
    """64 streams of 500 uniform numbers: mean and pairwise correlation within 5 sigma."""
    values = np.array([generator(7, "step", step).random(500) for step in range(64)])
    assert abs(values.mean() - 0.5) < 5 * (1 / 12 / values.size) ** 0.5
    correlation = np.corrcoef(values)[np.triu_indices(64, 1)]
    assert np.abs(correlation).max() < 5 / 500**0.5
