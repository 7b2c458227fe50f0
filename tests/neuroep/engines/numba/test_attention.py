"""The attention unit and its kernels against their slow twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from neuroep.engines.numba.attention import ExactAttention, HeldLogits, Tokens
from neuroep.engines.state import State
from neuroep.engines.workers import Workers
from neuroep.network.builders import AttentionLayer
from tests.naive import attention as naive

pytestmark = pytest.mark.kernels

KAPPA, DIM, PLACES, PATTERNS = 0.7, 3, 5, 6
COUNTS = (np.array([5, 0, 3, 2, 1]), np.array([6, 4, 0, 5, 1]))
"""Queries and keys of five samples: full, no query, no key, some, one."""
NONE = {dtype: np.zeros((0, 0), dtype) for dtype in ("float32", "float64")}
TOLERANCE = {"float64": 1e-13, "float32": 3e-6}


class Case:
    """A unit with a random clamped batch."""

    def __init__(self, readout, dtype, *, spread=1.0, seed=0):
        self.rng = np.random.default_rng(seed)
        self.dtype, self.readout = dtype, readout
        size = DIM if readout == "pooled" else PLACES * DIM
        layer = AttentionLayer("attention", "asking", "stored", KAPPA, readout, size)
        self.unit = ExactAttention(layer, dtype, Workers(1))
        # What stands in padded places must not matter.
        self.queries = Tokens(self.random(5, PLACES, DIM), COUNTS[0])
        self.keys = Tokens(self.random(5, PATTERNS, DIM), COUNTS[1])
        self.drive = spread * self.random(COUNTS[0].sum(), DIM)
        self.held = self.unit.hold(self.drive, self.queries, self.keys)
        self.value = np.zeros((5, size), dtype)

    def random(self, *shape):
        return self.rng.normal(size=shape).astype(self.dtype)

    def state(self):
        return State({"attention": self.value.copy()}, {"attention": self.unit.rest(self.held)}, frozenset())

    def relax(self, state, feedback, dt=1.0):
        values, weights = state.values, state.weights
        moved = self.unit.relax(self.held, feedback, values["attention"], weights["attention"], dt)
        values["attention"], weights["attention"], change = moved
        return change

    def samples(self):
        """Yield (number, queries, keys, rows of the drive) of samples that have both."""
        for b, (n, k) in enumerate(zip(*COUNTS, strict=True)):
            if n and k:
                begin = COUNTS[0][:b].sum()
                yield b, n, k, slice(begin, begin + n)

    def weights(self, b, n, k, rows, feedback):
        """p of one sample by the slow way."""
        keys = self.keys.vectors[b, :k]
        logits = naive.held_logits(self.drive[rows], keys, KAPPA)
        if self.readout == "pooled":
            return naive.pooled_weights(logits, feedback[b], keys, KAPPA)
        return naive.flat_weights(logits, feedback[b].reshape(PLACES, DIM)[:n], keys, KAPPA)


@pytest.fixture(params=["float64", "float32"])
def dtype(request):
    return request.param


@pytest.fixture(params=["flat", "pooled"])
def case(request, dtype):
    return Case(request.param, dtype)


def test_held_logits_are_those_of_real_tokens(case):
    wanted = np.zeros((5, PLACES, PATTERNS))
    for b, n, k, rows in case.samples():
        wanted[b, :n, :k] = naive.held_logits(case.drive[rows], case.keys.vectors[b, :k], KAPPA)
    np.testing.assert_allclose(case.held.logits, wanted, rtol=0, atol=TOLERANCE[case.dtype])


def test_scaled_logits_are_held_for_pooled_layers_only(case):
    if case.readout == "flat":
        assert case.held.scaled.size == 0
        return
    for b, n, k, _ in case.samples():
        logits = case.held.logits[b, :n, :k]
        wanted = np.exp(logits - logits.max(1, keepdims=True))
        np.testing.assert_allclose(case.held.scaled[b, :n, :k], wanted, rtol=TOLERANCE[case.dtype])


@pytest.mark.parametrize("feedback", ["none", "some"])
def test_weights_and_states_are_the_slow_twin_s(case, feedback):
    state, zero = case.state(), np.zeros_like(case.value)
    given = NONE[case.dtype] if feedback == "none" else case.random(*zero.shape)
    change = case.relax(state, given)
    weights = case.unit.explicit(case.held, state.weights["attention"])
    wanted_weights, wanted = np.zeros((5, PLACES, PATTERNS)), np.zeros(zero.shape)
    for b, n, k, rows in case.samples():
        p = case.weights(b, n, k, rows, zero if feedback == "none" else given)
        states = naive.states(p, case.keys.vectors[b, :k])
        wanted_weights[b, :n, :k] = p
        wanted[b, : DIM if case.readout == "pooled" else n * DIM] = (
            naive.pool(states) if case.readout == "pooled" else states.ravel()
        )
    np.testing.assert_allclose(weights, wanted_weights, rtol=0, atol=TOLERANCE[case.dtype])
    np.testing.assert_allclose(state.values["attention"], wanted, rtol=0, atol=TOLERANCE[case.dtype])
    np.testing.assert_allclose(change, np.abs(wanted).max(1), rtol=1e-5)


def test_change_is_measured_from_the_state_before(case):
    state, feedback = case.state(), case.random(*case.value.shape)
    case.relax(state, feedback)
    before = state.values["attention"].copy()
    assert case.relax(state, feedback) == pytest.approx(0, abs=1e-6)
    change = case.relax(state, -feedback)
    np.testing.assert_allclose(change, np.abs(state.values["attention"] - before).max(1), rtol=1e-5)
    assert change.max() > 1e-2


def test_no_feedback_forgets_the_one_before(case):
    fresh, used = case.state(), case.state()
    case.relax(used, case.random(*case.value.shape))
    for state in (fresh, used):
        case.relax(state, NONE[case.dtype])
    np.testing.assert_array_equal(used.values["attention"], fresh.values["attention"])


def test_relaxed_weights_go_part_of_the_way(case):
    """p <- p + dt (p* - p), whatever form the state had before."""
    first, second = case.random(*case.value.shape), case.random(*case.value.shape)
    explicit = lambda s: case.unit.explicit(case.held, s.weights["attention"]).copy()  # noqa: E731
    state = case.state()
    case.relax(state, first)
    start = explicit(state)
    goal = case.state()
    case.relax(goal, second)
    case.relax(state, second, dt=0.3)
    wanted = start + 0.3 * (explicit(goal) - start)
    np.testing.assert_allclose(explicit(state), wanted, rtol=0, atol=TOLERANCE[case.dtype])
    for b, n, k, _ in case.samples():
        rows = naive.states(wanted[b, :n, :k], case.keys.vectors[b, :k])
        flat = naive.pool(rows) if case.readout == "pooled" else rows.ravel()
        np.testing.assert_allclose(state.values["attention"][b, : flat.size], flat, rtol=0, atol=TOLERANCE[case.dtype])


@pytest.mark.parametrize("forms", ["step_step", "step_relaxed", "relaxed_relaxed"])
def test_token_rows_combine_two_phases(case, forms):
    """f+ a+ + f- a- of every real query, zero where there is no key, from either form of the state."""
    feedback = [case.random(*case.value.shape) for _ in range(2)]
    both = []
    for back, form in zip(feedback, forms.split("_"), strict=True):
        state = case.state()
        case.relax(state, back)
        if form == "relaxed":
            case.relax(state, back, dt=0.5)
        both.append(state.weights["attention"])
    factors = (0.5, -2.0)
    found = case.unit.token_rows(case.held, *both, factors)
    wanted = np.zeros((COUNTS[0].sum(), DIM))
    for b, n, k, rows in case.samples():
        p, m = (case.weights(b, n, k, rows, back) for back in feedback)
        wanted[rows] = naive.states(0.5 * p - 2.0 * m, case.keys.vectors[b, :k])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE[case.dtype])


def test_packed_tokens_are_the_real_ones_in_order():
    vectors = np.arange(24.0).reshape(2, 4, 3)
    tokens = Tokens(vectors, np.array([1, 3]))
    np.testing.assert_array_equal(tokens.offsets, [0, 1, 4])
    np.testing.assert_array_equal(tokens.packed, np.concatenate([vectors[0, :1], vectors[1, :3]]))
    np.testing.assert_array_equal(Tokens(vectors, np.array([4, 4])).packed, vectors.reshape(8, 3))


@pytest.mark.parametrize("margin", [30.0, 80.0, 500.0, 5000.0])
def test_pooled_rows_survive_underflow(dtype, margin):
    """Held logits and feedback pull to different keys so hard that E e underflows: the row comes from M itself."""
    layer = AttentionLayer("attention", "asking", "stored", 1.0, "pooled", 3)
    unit = ExactAttention(layer, dtype, Workers(1))
    keys = Tokens(np.eye(3, dtype=dtype)[None], np.array([3]))
    queries = Tokens(np.zeros((1, 2, 3), dtype), np.array([2]))
    drive = np.array([[margin, 0, 0], [0.5, 0.25, 0]], dtype)
    # The first row is pulled to key 0 by the margin, the feedback pulls to key 1 by as much: a tie.
    feedback = (math.sqrt(2) * np.array([[0, margin, 0]])).astype(dtype)
    held = unit.hold(drive, queries, keys)
    state = State({"attention": np.zeros((1, 3), dtype)}, {"attention": unit.rest(held)}, frozenset())
    moved = unit.relax(held, feedback, state.values["attention"], state.weights["attention"], 1.0)
    state.values["attention"], state.weights["attention"], _ = moved
    weights = unit.explicit(held, state.weights["attention"])[0]
    logits = naive.held_logits(drive, keys.vectors[0], 1.0)
    wanted = naive.pooled_weights(logits, feedback[0].astype(np.float64), keys.vectors[0], 1.0)
    tolerance = 4 * margin * np.finfo(dtype).eps
    np.testing.assert_allclose(weights, wanted, rtol=0, atol=tolerance)
    np.testing.assert_allclose(weights[0], [0.5, 0.5, 0], rtol=0, atol=tolerance + math.exp(-margin))
    value = naive.pool(naive.states(wanted, keys.vectors[0]))
    np.testing.assert_allclose(state.values["attention"][0], value, rtol=0, atol=tolerance)
    rows = unit.token_rows(held, *[state.weights["attention"]] * 2, (1.0, 0.0))
    np.testing.assert_allclose(rows, wanted, rtol=0, atol=tolerance)


@given(
    seed=st.integers(0, 10**6),
    spread=st.sampled_from([0.1, 3.0, 30.0, 300.0]),
    push=st.sampled_from([1.0, 40.0, 400.0]),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_pooled_rows_at_any_scale(seed, spread, push):
    case = Case("pooled", "float64", spread=spread, seed=seed)
    feedback = push * case.random(*case.value.shape)
    state = case.state()
    case.relax(state, feedback)
    for b, n, k, rows in case.samples():
        wanted = naive.pool(naive.states(case.weights(b, n, k, rows, feedback), case.keys.vectors[b, :k]))
        np.testing.assert_allclose(state.values["attention"][b], wanted, rtol=0, atol=1e-10)


TELLING = np.array([4, 2, 0, 5, 0])
"""Patterns of the five samples that are not padding."""


def padded(dtype, spread=1.0, seed=0):
    """Return a flat case whose padding takes part: zero vectors at the end of the patterns."""
    case = Case("flat", dtype, spread=spread, seed=seed)
    vectors = case.random(*case.keys.vectors.shape)
    for b, k in enumerate(TELLING):
        vectors[b, k:] = 0
    case.keys = Tokens(vectors, COUNTS[1])
    case.held = case.unit.hold(case.drive, case.queries, case.keys)
    assert case.held.query_counts[1].tolist() == [5, 0, 0, 0, 1]
    return case


@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_padding_that_takes_part_is_one_pattern_of_many(dtype, spread):
    """p of each padded place, and a, are those of the softmax over all places, wherever the largest logit is."""
    case = padded(dtype, spread)
    feedback = spread * case.random(*case.value.shape)
    for back, fed in ((np.zeros_like(feedback), NONE[dtype]), (feedback, feedback)):
        state = case.state()
        change = case.relax(state, fed)
        tolerance = TOLERANCE[dtype] * spread**2
        for b, n, k, rows in case.samples():
            wanted = case.weights(b, n, k, rows, back)
            np.testing.assert_allclose(state.weights["attention"][b, :n, :k], wanted, rtol=0, atol=tolerance)
            read = naive.states(wanted, case.keys.vectors[b, :k]).ravel()
            np.testing.assert_allclose(state.values["attention"][b, : n * DIM], read, rtol=0, atol=4 * tolerance)
        np.testing.assert_array_equal(change, np.abs(state.values["attention"]).max(1))
        assert not state.weights["attention"][1:3].any() and not state.values["attention"][4].any()


def test_padding_is_one_pattern_where_it_pulls_most(dtype):
    """All other logits far below 0: the words get nothing and the padding all of it, without an overflow."""
    case = padded(dtype)
    case.drive[: COUNTS[0][0]] = -500 * case.keys.vectors[0, 0]
    case.keys.vectors[0, : TELLING[0]] = case.keys.vectors[0, 0].copy()
    case.held = case.unit.hold(case.drive, case.queries, case.keys)
    state = case.state()
    case.relax(state, NONE[dtype])
    np.testing.assert_allclose(state.weights["attention"][0, :5], np.tile([0] * 4 + [0.5] * 2, (5, 1)), atol=1e-6)


def test_nan_is_passed_on_beside_padding(dtype):
    case, feedback = padded(dtype), np.zeros((5, PLACES * DIM), dtype)
    feedback[0, 0] = np.nan
    state = case.state()
    assert np.isnan(case.relax(state, feedback)).tolist() == [True] + 4 * [False]
    assert np.isnan(state.values["attention"][0]).any()


@pytest.mark.parametrize("where", ["drive", "feedback"])
def test_nan_is_passed_on(case, where):
    """A NaN reaches the state and the change in spite of the fast-math flags of the sums."""
    feedback = np.zeros_like(case.value)
    if where == "drive":
        case.drive[COUNTS[0][:3].sum()] = np.nan
        case.held = case.unit.hold(case.drive, case.queries, case.keys)
    else:
        feedback[3, 0] = np.nan
    state = case.state()
    assert np.isnan(case.relax(state, feedback)).tolist() == [False, False, False, True, False]
    assert np.isnan(state.values["attention"][3]).any()
    assert np.isfinite(state.values["attention"][:3]).all()


def test_rest_is_all_zero(case):
    held = HeldLogits(case.queries, case.keys, np.ones((2, 3, 4), case.dtype), case.held.scaled)
    rest = case.unit.rest(held)
    assert rest.shape == (2, 3, 4) and rest.dtype == case.dtype and not rest.any()
