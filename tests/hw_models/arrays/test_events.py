"""Event-driven arrays against whole-number products and their slow twin."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hw_models.arrays import events as module
from hw_models.arrays.events import EventArray
from hw_models.chip import Events
from hw_models.errors import ChipError
from tests.naive.events import Sender

pytestmark = pytest.mark.kernels

SHAPE = (5, 7)


def make(shape=SHAPE, seed=0, run=module.serial, dtype="float32", **fields):
    array = EventArray(Events(**{"state_range": 1.0, **fields}), shape, seed, "a", run, dtype)
    array.program(np.random.default_rng(1).normal(size=shape).astype(dtype))
    return array


def states(number, shape=(3, SHAPE[1]), seed=2, dtype="float32", width=1.2):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-width, width, shape).astype(dtype) for _ in range(number)]


def integers(values, array, reach=1.0):
    limit = array.state_limit
    step = values.dtype.type(reach / limit)
    return np.clip(np.rint(values / step), -limit, limit).astype(np.int64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("state_bits", "weight_bits"), [(12, 8), (2, 2), (16, 8), (5, 4)])
def test_without_a_threshold_the_output_is_the_product_of_the_rounded_state(state_bits, weight_bits, dtype):
    """Whatever was sent before, in both directions; accumulators are exact."""
    array = make(dtype=dtype, state_bits=state_bits, weight_bits=weight_bits)
    assert np.abs(array.integers).max() == array.weight_limit
    for transposed in (False, True):
        weights = array.integers.astype(np.int64) if transposed else array.integers.T.astype(np.int64)
        memory = array.memory(3, transposed)
        for values in states(4, (3, len(weights)), dtype=dtype):
            out = (array.transposed if transposed else array.forward)(values, memory)
            exact = integers(values, array) @ weights
            np.testing.assert_array_equal(memory.accumulator, exact)
            np.testing.assert_allclose(out, exact * (array.weight_step / array.state_limit), rtol=3e-7)
            assert out.dtype == dtype


@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.3])
def test_events_are_those_of_the_slow_twin(threshold):
    array = make(threshold=threshold, state_bits=6)
    values, memory = states(6, width=0.4), array.memory(3)
    twins = [Sender(array.integers, 1.0, 6, threshold) for _ in range(3)]
    for value in values:
        array.forward(value, memory)
        for b, twin in enumerate(twins):
            assert twin.send(value[b]) == list(memory.accumulator[b])
            assert twin.sent == list(memory.sent[b])
    assert array.counters["events"] == sum(twin.events for twin in twins)
    assert array.counters["operations"] == SHAPE[0] * array.counters["events"]


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.2])
def test_what_was_sent_is_within_threshold_and_half_a_step(threshold):
    array, memory = make(threshold=threshold, dtype="float64"), None
    memory, step = array.memory(3), 1.0 / array.state_limit
    for value in states(8, dtype="float64", width=1.0):
        out = array.forward(value, memory)
        apart = np.abs(value - memory.sent * step)
        assert apart.max() <= threshold + step / 2 + 1e-12
        bound = np.abs(array.weights()).sum(1) * (threshold + step / 2)
        assert (np.abs(out - array.expected(value)) <= bound + 1e-9).all()


def test_a_settled_network_sends_nothing():
    array, memory = make(), None
    (value, other), memory = states(2), array.memory(3)
    first = array.forward(value, memory)
    assert array.counters["events"] == np.count_nonzero(memory.sent)
    before = dict(array.counters)
    np.testing.assert_array_equal(array.forward(value, memory), first)
    assert array.counters == before
    moved = value.copy()
    moved[1, 3] = 0.5 if abs(value[1, 3] - 0.5) > 0.1 else -0.5
    array.forward(moved, memory)
    assert array.counters == {"events": before["events"] + 1, "operations": before["operations"] + SHAPE[0]}
    assert not np.array_equal(array.forward(other, memory), first)


def test_a_fork_leaves_its_origin_alone():
    array, (one, two) = make(), states(2)
    memory = array.memory(3)
    array.forward(one, memory)
    fork = memory.copy()
    array.forward(two, fork)
    np.testing.assert_array_equal(memory.sent, integers(one, array))
    np.testing.assert_array_equal(fork.sent, integers(two, array))


@pytest.mark.parametrize("how", ["program", "step", "load"])
def test_other_weights_rebuild_the_accumulators_without_events(how):
    array, (one, two) = make(threshold=0.1), states(2)
    memory = array.memory(3)
    array.forward(one, memory)
    if how == "program":
        array.program(np.random.default_rng(9).normal(size=SHAPE).astype(np.float32))
    elif how == "step":
        array.step(np.full((2, 3), 7 * array.weight_step), number=0, first_row=1, first_column=2)
    else:
        array.load(make(seed=5, weight_range=3.0).state())
    events = array.counters["events"]
    array.forward(one, memory)
    assert array.counters["events"] == events
    np.testing.assert_array_equal(memory.accumulator, memory.sent @ array.integers.T.astype(np.int64))
    array.forward(two, memory)
    np.testing.assert_array_equal(memory.accumulator, memory.sent @ array.integers.T.astype(np.int64))


def test_sums_too_large_for_32_bits_are_exact():
    array = EventArray(Events(state_range=1.0, state_bits=16), (2, 600), 0, "a")
    array.program(np.ones((2, 600), np.float32))
    assert array.memory(1, transposed=True).accumulator.dtype == np.int32
    memory = array.memory(1)
    assert memory.accumulator.dtype == np.int64
    for sign in (1, -1):
        array.forward(np.full((1, 600), sign, np.float32), memory)
        assert (memory.accumulator == sign * 600 * 127 * 32767).all()


def test_programming_rounds_saturates_and_keeps_its_range():
    array = make(weight_headroom=2.0)
    weight = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    assert array.weight_range == pytest.approx(2 * np.abs(weight).max(), rel=1e-6)
    np.testing.assert_allclose(array.weights(), weight, rtol=0, atol=array.weight_step / 2 * 1.0001)
    array.program(10 * weight)
    assert array.weight_range == pytest.approx(2 * np.abs(weight).max(), rel=1e-6)
    assert np.abs(array.integers).max() == 127
    np.testing.assert_array_equal(array.mirrored, array.integers.T)
    assert make(weight_range=0.25).weight_step == 0.25 / 127


def test_steps_in_place_have_the_exact_mean():
    """Changes of a tiny and of several integers, 4000 devices: k = 4.5 standard deviations."""
    shape = (40, 100)
    for share in (0.003, 0.4, -2.25):
        array = EventArray(Events(state_range=1.0, weight_range=127.0), shape, 0, "a")
        assert array.step(np.full(shape, share, np.float32), number=3) == 0
        part = abs(share) % 1
        spread = np.sqrt(part * (1 - part) / 4000)
        assert abs(array.integers.mean() - share) < 4.5 * spread
        assert set(np.unique(array.integers)) <= {np.floor(share), np.floor(share) + 1}
        np.testing.assert_array_equal(array.mirrored, array.integers.T)


def test_steps_in_place_saturate_and_draw_anew():
    array = make(weight_bits=3)
    array.step(np.full(SHAPE, 1e9), number=0)
    assert (array.integers == 3).all()
    array.step(np.full(SHAPE, -1e9), number=1)
    assert (array.integers == -3).all()
    found = []
    for number, seed in ((0, 0), (1, 0), (0, 1), (0, 0)):
        other = EventArray(Events(weight_range=1.0), (9, 9), seed, "a")
        other.step(np.full((9, 9), 0.5 / 127), number)
        found.append(other.integers)
    np.testing.assert_array_equal(found[0], found[3])
    assert not np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_blocks_of_rows_draw_what_the_whole_draws():
    change = np.random.default_rng(0).normal(size=SHAPE) / 127
    whole, parts = make(weight_range=1.0), make(weight_range=1.0)
    whole.step(change, number=1)
    for first, last in ((3, 5), (0, 3)):
        parts.step(change[first:last], number=1, first_row=first)
    np.testing.assert_array_equal(whole.integers, parts.integers)
    assert whole.version == 2


def test_threads_do_not_matter():
    shape, values = (30, 40), states(3, (50, 40))
    with ThreadPoolExecutor(2) as pool:
        run = lambda task, parts: list(pool.map(lambda part: task(*part), parts))  # noqa: E731
        pair = [make(shape, threshold=0.05), make(shape, run=run, threshold=0.05)]
        memories = [array.memory(50) for array in pair]
        for value in values:
            one, two = (array.forward(value, memory) for array, memory in zip(pair, memories, strict=True))
            np.testing.assert_array_equal(one, two)
    assert pair[0].counters == pair[1].counters


def test_samples_do_not_touch_each_other():
    array, (value,) = make(), states(1)
    together = array.forward(value)
    apart = np.concatenate([array.forward(value[b : b + 1]) for b in range(3)])
    np.testing.assert_array_equal(together, apart)


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_what_is_not_finite_is_seen(fault):
    array, (value, good) = make(), states(2)
    memory = array.memory(3)
    array.forward(good, memory)
    value[1, 2] = fault
    out = array.forward(value, memory)
    assert np.isnan(out[1]).all() and np.isfinite(out[[0, 2]]).all()
    np.testing.assert_array_equal(array.forward(good, memory), array.forward(good))
    assert array.step(np.full((1, 1), fault), number=0) == 1
    assert np.isnan(array.forward(good)).all()
    held = array.integers.copy()
    with pytest.raises(ChipError, match=f"array 'a': {SHAPE[0] * SHAPE[1]} of .* weights are not finite"):
        array.program(np.full(SHAPE, fault))
    np.testing.assert_array_equal(array.integers, held)
    with pytest.raises(ChipError, match=r"weights of shape \(1, 2\)"):
        array.program(np.ones((1, 2)))
    array.program(np.ones(SHAPE))
    assert np.isfinite(array.forward(good)).all()


def test_ranges_are_calibrated_per_direction():
    array = make(state_range=None)
    (x,), (s,) = states(1, width=3.0), states(1, (4, SHAPE[0]), width=0.1)
    with pytest.raises(ChipError, match="'a': its forward states have no range"):
        array.forward(x)
    with pytest.raises(ChipError, match="no states to calibrate"):
        array.freeze()
    array.observe()
    np.testing.assert_array_equal(array.forward(x), array.expected(x))
    np.testing.assert_array_equal(array.forward(0.5 * x), array.expected(0.5 * x))
    np.testing.assert_array_equal(array.transposed(s), array.expected_transposed(s))
    assert array.counters == {"events": 0, "operations": 0}
    array.freeze()
    assert array.ranges == {"forward": np.abs(x).max(), "transposed": np.abs(s).max()}
    memory = array.memory(4, transposed=True)
    array.transposed(s, memory)
    assert np.abs(memory.sent).max() == array.state_limit


def test_calibration_on_zeros_and_on_faults():
    array = make(state_range=None)
    array.observe()
    array.forward(np.zeros((1, SHAPE[1]), np.float32))
    array.freeze()
    assert array.ranges == {"forward": 1.0, "transposed": None}
    array.observe()
    with np.errstate(invalid="ignore"):
        array.forward(np.full((1, SHAPE[1]), np.inf, np.float32))
    with pytest.raises(ChipError, match="not finite"):
        array.freeze()
    assert array.ranges == {"forward": 1.0, "transposed": None} and not array.observing
    array.observe()
    array.forward(np.full((1, SHAPE[1]), 3.0, np.float32))
    array.freeze()
    array.observe()
    array.forward(np.zeros((1, SHAPE[1]), np.float32))
    array.freeze()
    assert array.ranges["forward"] == 3.0
    array.observe()
    with pytest.raises(ValueError, match="allowed"):
        array.forward(np.zeros((2, 3), np.float32))
    assert not array.observing
    for full in (np.inf, 0.0):
        with pytest.raises(ChipError, match="a range is"):
            array.load(array.state() | {"ranges": np.array([1.0, full, 1.0])})


def test_what_senders_hold_are_the_integers_they_send():
    array, (value,) = make(state_bits=5, state_range=1.5), states(1, width=2.0)
    memory = array.memory(len(value))
    array.forward(value, memory)
    whole = array.whole("forward", value)
    np.testing.assert_array_equal(whole, memory.sent)
    assert array.state_step("forward") == 1.5 / 15 and np.abs(whole).max() == 15


def test_a_fixed_range_needs_no_calibration():
    array, (value,) = make(), states(1)
    expected = array.forward(value)
    array.observe()
    np.testing.assert_array_equal(array.forward(value), expected)
    array.freeze()
    assert array.ranges == {"forward": 1.0, "transposed": 1.0}


def test_state_round_trip():
    one, (value,) = make(state_range=None), states(1)
    one.observe()
    one.forward(value)
    one.freeze()
    one.step(np.full(SHAPE, 0.3), number=1)
    one.forward(value)
    other = EventArray(one.events, SHAPE, 0, "a")
    other.load(one.state())
    assert other.ranges == one.ranges and other.weight_range == one.weight_range and other.counters == one.counters
    np.testing.assert_array_equal(other.forward(value), one.forward(value))
    np.testing.assert_array_equal(other.mirrored, one.mirrored)


def test_what_does_not_fit_is_refused():
    array = make()
    with pytest.raises(ValueError, match="allowed"):
        array.forward(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="memory"):
        array.forward(np.zeros((2, SHAPE[1]), np.float32), array.memory(3))
    with pytest.raises(ValueError, match="not all in"):
        array.step(np.zeros((2, 2)), number=0, first_row=4)
    with pytest.raises(ChipError, match="never programmed"):
        EventArray(Events(), SHAPE, 0, "b").weights()
