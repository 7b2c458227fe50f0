"""Read-out of the phases: states or their difference, digitised."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Readout
from neuroep.contrast import Held, Moved
from neuroep.engines.chip.readout import Periphery

BASE = np.random.default_rng(0).random((40, 30))
MOVED = Moved(BASE + 1e-4, BASE - 1e-4 * np.random.default_rng(1).random(BASE.shape))


def periphery(ends=MOVED, **settings) -> Periphery:
    made = Periphery(Readout(**settings), 0, "dense_1", "post")
    for quantiser in made.quantisers.values():
        quantiser.observe()
    seen = made.measure(ends)
    _ = seen.mean, seen.change
    for quantiser in made.quantisers.values():
        if quantiser.sampled or not quantiser.converter.calibrates:
            quantiser.freeze()
    return made


def test_states_are_digitised_phase_by_phase():
    seen = periphery(bits=8).measure(MOVED)
    step = np.abs(MOVED.plus).max() / 127
    for found, exact in ((seen.plus, MOVED.plus), (seen.minus, MOVED.minus)):
        np.testing.assert_allclose(found, np.rint(exact / step) * step, atol=1e-12)
    np.testing.assert_array_equal(seen.change, seen.plus - seen.minus)
    np.testing.assert_array_equal(seen.mean, 0.5 * (seen.plus + seen.minus))


def test_a_small_difference_is_lost_in_the_states_and_kept_with_a_range_of_its_own():
    states, difference = (periphery(bits=8, signal=name).measure(MOVED) for name in ("states", "difference"))
    exact = MOVED.change
    assert np.linalg.norm(states.change - exact) > np.linalg.norm(exact)
    assert np.linalg.norm(difference.change - exact) < 0.01 * np.linalg.norm(exact)
    np.testing.assert_allclose(difference.plus - difference.minus, difference.change, atol=1e-12)
    np.testing.assert_allclose(0.5 * (difference.plus + difference.minus), difference.mean, atol=1e-12)


def test_a_clamped_signal_has_no_change_and_is_read_once():
    held = Held(BASE)
    for name in ("states", "difference"):
        seen = periphery(held, bits=8, signal=name).measure(held)
        assert seen.change is None
        assert seen.plus is not None
        np.testing.assert_array_equal(seen.plus, seen.minus)
        np.testing.assert_array_equal(seen.plus, seen.mean)


def test_noise_has_its_size_and_its_key():
    made = periphery(noise=1e-2)
    full = np.abs(MOVED.plus).max()
    seen = made.measure(MOVED)
    np.testing.assert_array_equal(seen.plus, seen.plus)
    deviation = (seen.plus - MOVED.plus).ravel()
    assert abs(deviation.std() / (1e-2 * full) - 1) < 5 / np.sqrt(2 * deviation.size)
    assert abs(np.corrcoef(deviation, (seen.minus - MOVED.minus).ravel())[0, 1]) < 5 / np.sqrt(deviation.size)
    other = made.measure(MOVED)
    assert not np.array_equal(other.plus, seen.plus)
    made.begin("train", 3)
    first = made.measure(MOVED).plus
    made.begin("train", 3)
    np.testing.assert_array_equal(made.measure(MOVED).plus, first)


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_more_bits_read_the_difference_better(bits):
    coarse, fine = (periphery(bits=b).measure(MOVED).change for b in (bits, bits + 4))
    assert np.linalg.norm(fine - MOVED.change) < np.linalg.norm(coarse - MOVED.change)
