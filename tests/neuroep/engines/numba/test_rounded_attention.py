"""Large flat attention in bfloat16 against its equations, query by query, and a network that settles with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw_models.kept_memory import KeptMemory
from hw_models.tally import Tally
from neuroep import engines
from neuroep.engines import leaving
from neuroep.engines.numba import attention, rounded_attention
from neuroep.engines.numba.attention import ExactAttention, Tokens
from neuroep.engines.numba.differences import DisplacedAttention
from neuroep.engines.numba.packed import PackedPairs
from neuroep.engines.numba.rounded import rounded
from neuroep.engines.numba.rounded_attention import RoundedAttention, RoundedDisplacedAttention
from neuroep.engines.rounding import Rounding
from neuroep.engines.settling import Schedule
from neuroep.engines.workers import Workers
from neuroep.gradients import angles
from neuroep.gradients.estimators import Estimator
from neuroep.learning.optimisers import SGD
from neuroep.network import AttentionLayer
from tests import cases
from tests.naive import attention as naive
from tests.neuroep.engines.numba.test_packed import unequal

KAPPA, DIM, QUERIES, BATCH = 0.7, 3, 5, 4
COUNTS = np.array([5, 2, 0, 4])
LAYER = AttentionLayer("layer", "one", "two", KAPPA, "flat", QUERIES * DIM)


@pytest.fixture(autouse=True)
def packed(monkeypatch):
    """Have the smallest layer packed, its queries read two at a time, its patterns in tiles of two."""
    monkeypatch.setattr(attention, "LOGITS", 1)
    monkeypatch.setattr(rounded_attention, "TILE", 2)
    for module in (attention, rounded_attention):
        monkeypatch.setattr(module, "QUERIES", 2)


def to_bfloat16(values):
    """Float32, positive, rounded to the nearest of 8 significant bits."""
    size = np.exp2(np.floor(np.log2(values, where=values > 0, out=np.zeros_like(values))) - 7)
    return np.round(values / size) * size


def side(draw, telling):
    """Vectors that end with zero vectors, (batch, 5, dim)."""
    vectors = draw.normal(size=(BATCH, QUERIES, DIM)).astype(np.float32)
    vectors[np.arange(QUERIES) >= telling[:, None]] = 0
    return vectors


class Scene:
    """A layer with a dense synapse behind it, from which feedback comes."""

    def __init__(self, mask, threads=1):
        draw = np.random.default_rng(5)
        whole = np.full(BATCH, QUERIES)
        self.counts = COUNTS if mask else whole
        self.tokens = [Tokens(side(draw, COUNTS), self.counts.astype(np.int64)) for _ in range(2)]
        self.patterns = self.tokens[1].vectors.astype(np.float64)
        self.rounding, self.workers = Rounding("bfloat16"), Workers(threads)
        weight = draw.normal(size=(6, QUERIES * DIM)).astype(np.float32)
        self.array = rounded(weight, None, SGD(), self.workers, "float32", rounding=self.rounding)
        self.post = draw.normal(size=(2 * BATCH, 6)).astype(np.float32)
        self.fed = self.array.transposed(self.post).astype(np.float64)
        self.drive = draw.normal(size=(int(self.counts.sum()), DIM)).astype(np.float32)
        how = LAYER, self.workers, Tally()
        self.free = RoundedAttention(*how, KeptMemory(1), self.rounding)
        self.nudged = RoundedDisplacedAttention(*how, self.rounding)
        self.held = self.free.hold(self.drive, *self.tokens)

    def feedback(self, rows, form):
        return self.array.deferred(self.post[:rows]) if form == "deferred" else self.array.transposed(self.post[:rows])

    def wanted(self, row):
        """p of one sample, written out, and its token states."""
        n = m = self.counts[row % BATCH]
        p, logits = np.zeros((QUERIES, QUERIES)), self.held.all_logits[row % BATCH]
        if n:
            own, patterns = self.fed[row].reshape(QUERIES, DIM)[:n], self.patterns[row % BATCH][:m]
            p[:n, :m] = naive.flat_weights(logits[:n, :m], own, patterns, KAPPA)
        return p, (p @ self.patterns[row % BATCH]).ravel()


forms = pytest.mark.parametrize("form", ["deferred", "written"])
masks = pytest.mark.parametrize("mask", [True, False])


@masks
@forms
def test_a_free_step_is_that_of_one_query_at_a_time(mask, form):
    scene = Scene(mask)
    assert isinstance(scene.held.logits, PackedPairs)
    value, weights = np.zeros((BATCH, QUERIES * DIM), np.float32), scene.free.rest(scene.held)
    value, weights, changes = scene.free.relax(scene.held, scene.feedback(BATCH, form), value, weights, 1.0)
    shown = scene.free.explicit(scene.held, weights)
    largest = 0.0
    for row in range(BATCH):
        p, tokens = scene.wanted(row)
        np.testing.assert_allclose(shown[row], p, rtol=0, atol=0.02)
        np.testing.assert_array_equal(shown[row], to_bfloat16(shown[row]))
        np.testing.assert_allclose(shown[row].sum(1), p.sum(1), rtol=2**-8, atol=0)
        np.testing.assert_allclose(value[row], tokens, rtol=0, atol=0.04)
        largest = max(largest, np.abs(shown[row] - p).max(), np.abs(value[row] - tokens).max())
    assert largest > 1e-4  # it is rounded
    np.testing.assert_array_equal(changes, np.abs(value).max(1))


@masks
def test_the_first_step_has_no_feedback_and_full_ones_are_exact(mask):
    scene = Scene(mask)
    exact = ExactAttention(LAYER, "float32", scene.workers)
    held = exact.hold(scene.drive, *scene.tokens)
    for rounding in (scene.rounding, None):
        start = np.zeros((BATCH, QUERIES * DIM), np.float32)
        wanted, p, _ = exact.relax(held, None, start.copy(), exact.rest(held), 1.0)
        if rounding is None:
            with scene.rounding.full():
                found, own, _ = scene.free.relax(scene.held, None, start, scene.free.rest(scene.held), 1.0)
            np.testing.assert_array_equal(found, wanted)
            np.testing.assert_allclose(np.asarray(own), np.asarray(p), rtol=0, atol=1e-6)
        else:
            found, own, _ = scene.free.relax(scene.held, None, start, scene.free.rest(scene.held), 1.0)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=0.02)
            assert not np.array_equal(found, wanted)
            np.testing.assert_allclose(np.asarray(own), to_bfloat16(np.asarray(p)), rtol=2**-7, atol=0)


def test_logits_far_below_0_are_those_of_a_softmax():
    """Without padding there is no logit of 0 beside them."""
    scene = Scene(True)
    scene.held.logits.values[:] -= 300
    value, weights = np.zeros((BATCH, QUERIES * DIM), np.float32), scene.free.rest(scene.held)
    value, weights, _ = scene.free.relax(scene.held, None, value, weights, 1.0)
    assert np.isfinite(value).all()
    np.testing.assert_allclose(scene.free.explicit(scene.held, weights)[0].sum(1), 1, rtol=0, atol=2**-8)


@masks
@forms
def test_differences_are_those_of_one_query_at_a_time(mask, form):
    scene = Scene(mask)
    exact = ExactAttention(LAYER, "float32", scene.workers)
    held = exact.hold(scene.drive, *scene.tokens)
    start = np.zeros((BATCH, QUERIES * DIM), np.float32)
    resting, p, _ = exact.relax(held, None, start, exact.rest(held), 1.0)
    ground = scene.nudged.ground(scene.held, p)
    value, still = np.zeros((2 * BATCH, QUERIES * DIM), np.float32), scene.nudged.still(scene.held, 2)
    value, _, changes = scene.nudged.displace(scene.held, ground, scene.feedback(2 * BATCH, form), value, still, 1.0)
    for row in range(2 * BATCH):
        wanted = scene.wanted(row)[1] - resting[row % BATCH]
        np.testing.assert_allclose(value[row], wanted, rtol=0, atol=0.02 * max(1.0, np.abs(wanted).max()))
    plain = DisplacedAttention(LAYER, "float32", scene.workers)
    other = np.zeros_like(value)
    other, _, _ = plain.displace(scene.held, ground, scene.feedback(2 * BATCH, form), other, still, 1.0)
    assert 1e-4 < np.abs(value - other).max() < 0.02
    for number, (change, most) in enumerate(changes):
        own = np.abs(value[number * BATCH :][:BATCH]).max(1)
        np.testing.assert_array_equal(change, own)
        np.testing.assert_array_equal(most, own)


@masks
@forms
def test_differences_from_weights_that_lie_short_are_those_of_what_they_are(mask, form):
    """p of the free state in bfloat16 add up to 1 to 2^-9 alone; what is left of that is a difference's own rounding.

    Weights of one word that all others lose to are the hard case: a missing thousandth would be shared by the others.
    """
    scene = Scene(mask)
    for strength in (1.0, 30.0):
        scene.held.logits.values[:] *= strength
        start = np.zeros((BATCH, QUERIES * DIM), np.float32)
        _, p, _ = scene.free.relax(scene.held, None, start, scene.free.rest(scene.held), 1.0)
        assert p.short
        shown = np.asarray(p).astype(np.float64)
        value, still = np.zeros((2 * BATCH, QUERIES * DIM), np.float32), scene.nudged.still(scene.held, 2)
        fed = scene.feedback(2 * BATCH, form)
        value, _, _ = scene.nudged.displace(scene.held, scene.nudged.ground(scene.held, p), fed, value, still, 1.0)
        for row in range(2 * BATCH):
            n = m = scene.counts[row % BATCH]
            own = shown[row % BATCH, :n, :m]
            own /= own.sum(1, keepdims=True)
            patterns = scene.patterns[row % BATCH][:m]
            gains = KAPPA * scene.fed[row].reshape(QUERIES, DIM)[:n] @ patterns.T
            after = own * np.exp(gains)
            after /= after.sum(1, keepdims=True)
            wanted = ((after - own) @ patterns).ravel()
            # What differences lose of themselves, and what rounding moves gains of logits by.
            lost = 2**-6 * np.abs(after - own) + 2**-7 * np.abs(gains).max(initial=0) * after * (1 - after)
            most = (lost @ np.abs(patterns)).ravel() + 2**-8 * np.abs(wanted)
            assert (np.abs(value[row, : n * DIM] - wanted) <= most + 1e-6).all()


@masks
def test_differences_in_full_read_weights_that_lie_short_as_the_numbers_they_are(mask):
    scene = Scene(mask)
    start, fed = np.zeros((BATCH, QUERIES * DIM), np.float32), scene.feedback(2 * BATCH, "written")
    _, p, _ = scene.free.relax(scene.held, None, start, scene.free.rest(scene.held), 1.0)
    found, still = [], scene.nudged.still(scene.held, 2)
    with scene.rounding.full():
        for ground in (p, np.asarray(p)):
            value = np.zeros((2 * BATCH, QUERIES * DIM), np.float32)
            found.append(scene.nudged.displace(scene.held, ground, fed, value, still, 1.0)[0])
    assert p.short and np.abs(found[0]).max() > 0.1
    np.testing.assert_array_equal(*found)


def test_weights_change_how_they_lie_and_are_the_same_numbers():
    scene = Scene(False)
    start = np.zeros((BATCH, QUERIES * DIM), np.float32)
    _, p, _ = scene.free.relax(scene.held, None, start, scene.free.rest(scene.held), 1.0)
    before, values = np.asarray(p), p.values.copy()
    p.keep_short(False)
    assert not p.short and p.dtype == p.values.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(p), before)
    p.keep_short(True)
    np.testing.assert_array_equal(p.values, values)
    np.testing.assert_array_equal(np.asarray(p.copy()), before)
    with scene.rounding.full():
        exact = np.asarray(scene.free.relax(scene.held, None, start, p, 1.0)[1])
    assert not p.short and not np.array_equal(exact, before)
    np.testing.assert_allclose(exact, before, rtol=2**-7, atol=1e-9)


@pytest.mark.parametrize("row", [0, 1, 5])
def test_nan_of_any_sample_is_told(row):
    scene = Scene(False)
    scene.post[row, 0] = np.nan
    ground = scene.nudged.ground(scene.held, scene.free.rest(scene.held))
    value, still = np.zeros((2 * BATCH, QUERIES * DIM), np.float32), scene.nudged.still(scene.held, 2)
    _, _, changes = scene.nudged.displace(scene.held, ground, scene.feedback(8, "deferred"), value, still, 1.0)
    assert [bool(np.isnan(change).any()) for change, _ in changes] == [row < BATCH, row >= BATCH]


@masks
@pytest.mark.parametrize("stop", ["tolerance", "by_sample"])
def test_a_network_keeps_its_gradient_and_bits_do_not_depend_on_threads(mask, stop, monkeypatch):
    monkeypatch.setattr(leaving, "SHARE", 0.0)
    net = cases.network("sentiment", potential="smooth_sigmoid", mask=mask)
    batch, beta = unequal(net, 16), 0.01
    free = Schedule(steps=60, tolerance=0.004, acceleration="anderson", stop=stop)
    nudged = replace(free, tolerance=0.01, form="differences")
    exact = cases.estimator(beta=beta).gradient(cases.engine("cpu", net), batch)
    found = []
    for threads in (1, 2):
        engine = engines.local(net, cases.parameters(net), threads=threads, products="bfloat16")
        found.append(Estimator("centred", beta, free, nudged).gradient(engine, batch))
        assert engine.units["attention"].__class__ is RoundedAttention
    cases.assert_same(*found)
    assert max(angles.relative_error(found[0][key], exact[key]) for key in exact) < 0.03
