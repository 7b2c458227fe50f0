"""What learning sees on an event-driven chip: the integers that its senders hold, and a read-out of them."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Chip
from neuroep import data
from neuroep.engines.chip.arrays import EventDrivenArray
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Contrast, Held, Moved, TokenRows
from neuroep.learning.optimisers import SGD
from tests.naive.events import quantise

EVENTS = {"substrate": "event_driven"}
WEIGHT = np.random.default_rng(0).uniform(-0.3, 0.3, (4, 5))


def measured(small, chip, settings=None):
    """Return the engine and the contrasts of one batch."""
    parts = small(EVENTS | chip, settings).parts
    batches = data.batches(parts.corpus.split("train"), parts.corpus.vectors, 8, sequences=("text",))
    return parts.engine, parts.estimator.measure(parts.engine, next(iter(batches)).keyed("measured"), 0).contrasts


@pytest.mark.parametrize("readout", ["pooled", "flat"])
@pytest.mark.parametrize("chip", [{}, {"events.state_range": 2.0, "events.state_bits": 9}, {"events.threshold": 0.02}])
def test_every_state_that_learning_sees_is_a_whole_number_of_steps(small, chip, readout):
    """96 % were none. Clamped inputs too; a change is the difference of two whole numbers."""
    engine, contrasts = measured(small, chip, {"network.readout": readout})
    for name, contrast in contrasts.items():
        array = engine.arrays[name].array
        for side, way in ((contrast.post, "transposed"), (contrast.pre, "forward")):
            step = np.float32(array.state_step(way))
            seen = [side.plus, side.minus, 2 * side.mean] + ([] if side.change is None else [side.change])
            for values in seen:
                np.testing.assert_array_equal(np.rint(values / step).astype(np.float32) * step, values)
                assert np.abs(values / step).max() <= 2 * array.state_limit
            assert np.abs(side.plus).max() > 0
            if side.change is not None:
                plus, minus, change = (np.rint(values / step) for values in (side.plus, side.minus, side.change))
                np.testing.assert_array_equal(change, plus - minus)


def array(bits: int = 6, **fields) -> EventDrivenArray:
    chip = Chip.parse({**EVENTS, "events": {"state_bits": bits, "state_range": 1.5, **fields}})
    return EventDrivenArray("dense_1", WEIGHT, np.zeros(4), chip, Setting(SGD(), Workers(1), "float64", 0))


def test_the_gradient_is_that_of_whole_numbers():
    """Brute force: every state rounded by itself, the outer products in whole numbers."""
    draw = np.random.default_rng(3)
    post, pre = (Moved(draw.uniform(-1.7, 1.7, (6, n)), draw.uniform(-1.7, 1.7, (6, n))) for n in (4, 5))
    made, step = array(), 1.5 / 31
    sides = made.held("post", post), made.held("pre", pre)
    found = Contrast(*sides, 0.4, 6).weight_gradient()
    slow = np.zeros((4, 5))
    for b in range(6):
        for i in range(4):
            for j in range(5):
                plus = quantise(post.plus[b, i], 1.5, 6) * quantise(pre.plus[b, j], 1.5, 6)
                minus = quantise(post.minus[b, i], 1.5, 6) * quantise(pre.minus[b, j], 1.5, 6)
                slow[i, j] += plus - minus
    np.testing.assert_allclose(found, -slow * step**2 / (0.4 * 6), atol=1e-12)
    assert np.abs(found - Contrast(post, pre, 0.4, 6).weight_gradient()).max() > 1e-3


def test_a_difference_below_half_a_step_is_not_seen():
    made, base = array(12), np.full((2, 4), 0.5)
    assert not made.held("post", Moved(base + 1e-4, base - 1e-4)).change.any()
    assert made.held("post", Moved(base + 1e-3, base - 1e-3)).change.all()


def test_a_clamped_input_stays_clamped_and_an_end_that_never_sends_gets_a_range():
    chip = Chip.parse(EVENTS)
    made = EventDrivenArray("query", WEIGHT, None, chip, Setting(SGD(), Workers(1), "float64", 0))
    clamped, rows = Held(np.linspace(-2, 2, 15).reshape(3, 5)), TokenRows(lambda p, m: np.full((3, 4), 0.7 * p + m))
    made.observe()
    assert made.held("pre", clamped) is clamped and made.held("post", rows) is rows
    made.freeze()
    assert made.array.ranges == {"forward": 2.0, "transposed": 1.0}
    seen = made.held("pre", clamped)
    assert isinstance(seen, Held) and np.abs(seen.mean - clamped.mean).max() <= 2 / 2047 / 2


def test_ranges_of_others_are_calibrated_on_what_senders_of_a_given_range_send():
    """Each state was sent anew from rest meanwhile: phases differed though no change had passed the threshold."""
    made, memory = array(threshold=0.2), {}
    first = np.full((1, 5), 0.8)
    made.observe()
    before = made.forward(first, memory).copy()
    np.testing.assert_array_equal(made.forward(first - 0.25, memory), before)
    assert np.abs(made.forward(first - 0.35, memory) - before).max() > 0
    back = made.transposed(np.full((1, 4), 0.8), None, memory).copy()
    np.testing.assert_array_equal(made.transposed(np.full((1, 4), 0.6), None, memory), back)
    made.freeze()


def test_a_chip_of_fine_integers_learns_as_the_ideal_one(small):
    ideal, fine = small(), small(EVENTS | {"events.state_bits": 16})
    coarse = small(EVENTS | {"events.state_bits": 6})
    for name, weight in ideal.weights.items():
        assert np.abs(fine.weights[name] - weight).max() < 2e-3, name
    assert any(np.abs(coarse.weights[name] - weight).max() > 2e-3 for name, weight in ideal.weights.items())


def test_a_read_out_reads_the_integers(small):
    """Its own bits act on what the senders hold; at many bits it changes nothing."""
    chips = {}, {"readout.bits": 24, "readout.margin": 2.0}, {"readout.bits": 4, "readout.signal": "difference"}
    events = {"events.state_bits": 10, "events.state_range": 2.0}
    plain, fine, coarse = (measured(small, events | chip)[1]["dense_2"] for chip in chips)
    np.testing.assert_allclose(fine.post.plus, plain.post.plus, atol=1e-6)
    assert len(np.unique(coarse.post.change)) <= 15 < len(np.unique(plain.pre.plus))
