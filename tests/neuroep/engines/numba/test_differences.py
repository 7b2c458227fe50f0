"""Parts in differences, Numba's and torch's, against slow twins: neurons one by one, attention token by token."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from neuroep.engines.numba.attention import ExactAttention, Tokens
from neuroep.engines.numba.differences import DisplacedAttention, DisplacedNeurons
from neuroep.engines.schedule import Schedule
from neuroep.engines.torch.attention import LogitTensors, TokenTensors
from neuroep.engines.torch.differences import DisplacedTorchAttention, DisplacedTorchNeurons
from neuroep.engines.workers import Workers
from neuroep.network import potentials
from neuroep.network.builders import AttentionLayer, DenseLayer
from tests.naive import attention as naive_attention, neurons as naive

BATCH, SIZE = 4, 9
BETAS = (0.3, -0.2, 0.0)
on_both = pytest.mark.parametrize("where", ["local", "reference"])


def neurons(where, potential, dtype="float64"):
    layer = DenseLayer("layer", SIZE, potential)
    return DisplacedTorchNeurons(layer) if where == "reference" else DisplacedNeurons(layer, dtype, Workers(1))


def given(where, *arrays, dtype=np.float64):
    """Arrays for the parts: copies, or tensors."""
    cast = [None if array is None else np.array(array, dtype) for array in arrays]
    return [torch.as_tensor(array) if where == "reference" and array is not None else array for array in cast]


def moved(where, potential, free_drive, gain, old, target, mode, dt, dtype=np.float64):
    """New differences by nudge, (nudges, batch, size), of neurons that rest under a free drive."""
    part = neurons(where, potential, np.dtype(dtype).name)
    state = np.vectorize(lambda u: naive.state(potential.name, potential.slope, u))(free_drive)
    drive, back, held = given(where, free_drive, 0 * free_drive, state, dtype=dtype)
    place = part.place(drive, back, held)
    order = "synchronous" if mode == "synchronous" else "layerwise"
    product, feedback, kept, goal = given(where, 0.25 * gain, 0.75 * gain, old, target, dtype=dtype)
    goal = None if mode == "free" else goal
    found, changes = part.displace(place, product, feedback, kept, goal, BETAS, Schedule(order, dt=dt))
    found = np.asarray(found)
    for (change, size), one, before in zip(changes, np.split(found, 3), np.split(old, 3), strict=True):
        np.testing.assert_allclose(change, np.abs(one - before.astype(dtype)).max(1), rtol=1e-6)
        np.testing.assert_array_equal(size, np.abs(one).max(1))
    return found.reshape(len(BETAS), BATCH, SIZE), state


class TestNeurons:
    @pytest.mark.parametrize("dt", [1.0, 0.4])
    @pytest.mark.parametrize("mode", ["free", "minimiser", "synchronous"])
    @pytest.mark.parametrize(("name", "slope"), [*((name, None) for name in potentials.NAMES), ("hard_sigmoid", 0.3)])
    @on_both
    def test_are_two_states_of_slow_neurons_subtracted(self, where, name, slope, mode, dt):
        """Drives that leave hard sigmoids within, at and far beyond their bounds, and take them over."""
        potential, draw = potentials.named(name, slope), np.random.default_rng(5)
        free = draw.normal(0, 4, (BATCH, SIZE))
        gain, target = draw.normal(0, 2, (3 * BATCH, SIZE)), draw.random((BATCH, SIZE))
        old = 0.1 * draw.normal(size=gain.shape)
        found, state = moved(where, potential, free, gain, old, target, mode, dt)
        for k, beta in enumerate(BETAS):
            rows = slice(k * BATCH, (k + 1) * BATCH)
            drive = free + gain[rows], np.zeros((0, 0)), state + old[rows]
            after = naive.respond(name, potential.slope, *drive, target, beta, mode, dt)
            np.testing.assert_allclose(found[k], after - state, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("name", potentials.NAMES)
    @on_both
    def test_keep_their_precision_however_little_they_move(self, where, name):
        """Single precision, drives that change by 1e-6: the slope times the change, to the last digits."""
        potential, draw = potentials.named(name), np.random.default_rng(6)
        free = draw.uniform(0.1, 1.9, (BATCH, SIZE)).astype(np.float32)
        gain = 1e-6 * draw.normal(size=(3 * BATCH, SIZE))
        found, state = moved(where, potential, free, gain, 0 * gain, 0 * free, "free", 1.0, np.float32)
        slopes = {"hard_sigmoid": 0.5, "smooth_sigmoid": state * (1 - state), "tanh": 1 - state**2, "linear": 1.0}
        wanted = slopes[name] * gain.reshape(3, BATCH, SIZE)
        np.testing.assert_allclose(found, wanted, rtol=3e-6, atol=0)

    @on_both
    def test_stay_where_they_are_without_a_reason_to_move(self, where):
        draw = np.random.default_rng(7)
        free, zero = draw.normal(0, 9, (BATCH, SIZE)), np.zeros((3 * BATCH, SIZE))
        for name in potentials.NAMES:
            found, _ = moved(where, potentials.named(name), free, zero, zero, 0 * free, "free", 1.0)
            assert not found.any()

    @on_both
    def test_count_a_free_state_that_is_not_where_its_drive_wants_it_as_at_rest(self, where):
        """A state within bounds although the drive would clip it, and the other way round."""
        part = neurons(where, potentials.named("hard_sigmoid"))
        states = np.array([0.3, 0.3, 0.0, 0.0, 1.0, 1.0])
        drives = np.array([-4.0, 9.0, 1.0, -3.0, 1.0, 5.0])
        place = np.asarray(part.place(*given(where, drives[None], None, states[None])))
        np.testing.assert_array_equal(place, [[0.3, 0.3, 0.0, -1.5, 1.0, 2.5]])

    @pytest.mark.parametrize("extreme", [300.0, -300.0, 1e6])
    @on_both
    def test_survive_drives_beyond_overflow(self, where, extreme):
        for name in ("hard_sigmoid", "smooth_sigmoid", "tanh"):
            for free, mode in itertools.product((0.0, 5.0, -5.0), ("free", "minimiser")):
                drives, gain = np.full((BATCH, SIZE), free), np.full((3 * BATCH, SIZE), extreme)
                potential, still = potentials.named(name), np.zeros((3 * BATCH, SIZE))
                target = np.ones((BATCH, SIZE))
                found, state = moved(where, potential, drives, gain, still, target, mode, 1.0, np.float32)
                assert np.isfinite(found).all()
                for k, beta in enumerate(BETAS):
                    drive = drives + gain[:BATCH], np.zeros((0, 0)), state
                    after = naive.respond(name, potential.slope, *drive, target, beta, mode, 1.0)
                    np.testing.assert_allclose(found[k], after - state, rtol=0, atol=3e-7)


def attention(where, readout, kappa, dtype="float64"):
    layer = AttentionLayer("layer", "one", "two", kappa, readout, 3 if readout == "pooled" else 15)
    return DisplacedTorchAttention(layer) if where == "reference" else DisplacedAttention(layer, dtype, Workers(1))


COUNTS = {"queries": np.array([5, 2, 0, 4]), "patterns": np.array([3, 4, 2, 0])}


class Scene:
    """An attention layer with p of a free state, and changes of feedback for two nudges."""

    def __init__(self, where, readout, kappa, size, dtype=np.float64, zeros=0):
        draw = np.random.default_rng(8)
        self.where, self.pooled, self.kappa = where, readout == "pooled", kappa
        self.part = attention(where, readout, kappa, np.dtype(dtype).name)
        self.queries, self.patterns = draw.normal(size=(4, 5, 3)), draw.normal(size=(4, 4, 3))
        for vectors, counts in ((self.queries, COUNTS["queries"]), (self.patterns, COUNTS["patterns"])):
            vectors[np.arange(vectors.shape[1]) >= counts[:, None]] = 0
        if zeros:
            self.patterns[:, -zeros:] = 0
        self.counts = COUNTS if not zeros else {"queries": np.full(4, 5), "patterns": np.full(4, 4)}
        self.free = np.zeros((4, 5, 4))
        for b, (n, m) in enumerate(zip(*self.counts.values(), strict=True)):
            for t in range(n if m else 0):
                self.free[b, t, :m] = naive_attention.softmax(draw.normal(0, 2, m))
        self.feedback = size * draw.normal(size=(8, 3 if self.pooled else 15))
        self.held = self._held(dtype)
        p, self.gain = given(where, self.free, self.feedback, dtype=dtype)
        self.p = self.part.ground(self.held, p)
        self.zeros = given(where, np.zeros((8, 3 if self.pooled else 15)), dtype=dtype)[0]

    def _held(self, dtype):
        sides = ((self.queries, "queries"), (self.patterns, "patterns"))
        if self.where == "local":
            tokens = [Tokens(v.astype(dtype), self.counts[name].astype(np.int64)) for v, name in sides]
            exact = ExactAttention(self.part.layer, np.dtype(dtype).name, Workers(1))
            return exact.hold(tokens[0].packed, *tokens)
        present = [np.arange(v.shape[1]) < self.counts[name][:, None] for v, name in sides]
        tokens = [
            TokenTensors(torch.as_tensor(v.astype(dtype)), torch.as_tensor(there.astype(dtype)), bool(there.all()))
            for (v, _), there in zip(sides, present, strict=True)
        ]
        return LogitTensors(*tokens, torch.zeros(self.free.shape, dtype=tokens[0].vectors.dtype))

    def wanted(self, row):
        """Change of p and of token states of one row, one token at a time: softmax of ln p + the logits gained."""
        b = row % 4
        n, m = self.counts["queries"][b], self.counts["patterns"][b]
        change = np.zeros((5, 4))
        for t in range(n if m else 0):
            own = self.feedback[row] / np.sqrt(n) if self.pooled else self.feedback[row, 3 * t : 3 * t + 3]
            logits = np.log(self.free[b, t, :m]) + self.kappa * (self.patterns[b, :m] @ own)
            change[t, :m] = naive_attention.softmax(logits) - self.free[b, t, :m]
        return change, change @ self.patterns[b]


class TestAttention:
    @pytest.mark.parametrize("dt", [1.0, 0.5])
    @pytest.mark.parametrize("row", [0, 1, 4])
    @pytest.mark.parametrize("readout", ["flat", "pooled"])
    @on_both
    def test_nan_of_any_sample_is_told(self, where, readout, row, dt):
        """Samples that come after it are finite; so is the other nudge."""
        scene = Scene(where, readout, 0.7, 1e-3)
        scene.gain[row, 0] = np.nan
        start = scene.part.still(scene.held, 2)
        _, _, changes = scene.part.displace(scene.held, scene.p, scene.gain, scene.zeros, start, dt)
        assert [bool(np.isnan(change).any()) for change, _ in changes] == [row < 4, row >= 4]

    @pytest.mark.parametrize("zeros", [0, 2])
    @pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
    @pytest.mark.parametrize("readout", ["flat", "pooled"])
    @on_both
    def test_is_that_of_one_token_at_a_time(self, where, readout, size, zeros):
        """Small and large changes, empty sequences, unmasked padding of zero vectors."""
        scene = Scene(where, readout, 0.7, size, zeros=zeros)
        start = scene.part.still(scene.held, 2)
        value, weights, changes = scene.part.displace(scene.held, scene.p, scene.gain, scene.zeros, start, 1.0)
        value, explicit = np.asarray(value), [weights[:4], weights[4:]]
        explicit = np.concatenate([scene.part.explicit_change(scene.held, scene.p, each) for each in explicit])
        for row in range(8):
            p, tokens = scene.wanted(row)
            n = scene.counts["queries"][row % 4]
            shown = tokens.sum(0) / np.sqrt(max(n, 1)) if scene.pooled else tokens.ravel()
            np.testing.assert_allclose(value[row], shown, rtol=0, atol=1e-13)
            np.testing.assert_allclose(np.asarray(explicit[row]), p, rtol=0, atol=1e-13)
        for (change, most), one in zip(changes, np.split(value, 2), strict=True):
            np.testing.assert_array_equal(change, most)
            np.testing.assert_array_equal(change, np.abs(one).max(1))
            assert np.asarray(change).max() > 0

    @pytest.mark.parametrize("readout", ["flat", "pooled"])
    @on_both
    def test_relaxes_towards_it(self, where, readout):
        scene = Scene(where, readout, 0.7, 1.0)
        value, weights = scene.zeros, scene.part.still(scene.held, 2)
        for _ in range(2):
            value, weights, _ = scene.part.displace(scene.held, scene.p, scene.gain, value, weights, 0.4)
        for row in range(8):
            p, tokens = scene.wanted(row)
            n = scene.counts["queries"][row % 4]
            shown = tokens.sum(0) / np.sqrt(max(n, 1)) if scene.pooled else tokens.ravel()
            np.testing.assert_allclose(np.asarray(value)[row], 0.64 * shown, rtol=0, atol=1e-13)
            np.testing.assert_allclose(np.asarray(weights)[row], 0.64 * p, rtol=0, atol=1e-13)

    @pytest.mark.parametrize("dt", [1.0, 0.4])
    @pytest.mark.parametrize("readout", ["flat", "pooled"])
    @on_both
    def test_token_rows_are_combined_changes_of_token_states(self, where, readout, dt):
        scene = Scene(where, readout, 0.7, 1.0)
        start = scene.part.still(scene.held, 2)
        value, weights, _ = scene.part.displace(scene.held, scene.p, scene.gain, scene.zeros, start, dt)
        ends = [(value[:4], weights[:4]), (value[4:], weights[4:])]
        real = [(b, t) for b in range(4) for t in range(5) if where == "reference" or t < scene.counts["queries"][b]]
        for factors, sides in (((1.0, -1.0), ends), ((0.5, 0.5), ends), ((1.0, 9.0), [ends[0], None])):
            rows = np.asarray(scene.part.moved_rows(scene.held, scene.p, *sides)(*factors))
            assert rows.shape == (len(real), 3)
            for row, (b, t) in zip(rows, real, strict=True):
                parts = [f * scene.wanted(b + 4 * k)[1][t] for k, f in enumerate(factors) if sides[k] is not None]
                np.testing.assert_allclose(row, dt * sum(parts), rtol=0, atol=1e-13)
        none = np.asarray(scene.part.moved_rows(scene.held, scene.p, None, ends[1])(9.0, 2.0))
        np.testing.assert_allclose(none[0], dt * 2.0 * scene.wanted(4)[1][0], rtol=0, atol=1e-13)

    @pytest.mark.parametrize("readout", ["flat", "pooled"])
    @on_both
    def test_keeps_its_precision_however_little_it_moves(self, where, readout):
        """Single precision, feedback that changes by 1e-6: read-outs are right to 1e-5 of themselves."""
        scene = Scene(where, readout, 0.7, 1e-6, np.float32)
        start = scene.part.still(scene.held, 2)
        value = np.asarray(scene.part.displace(scene.held, scene.p, scene.gain, scene.zeros, start, 1.0)[0])
        for row in (0, 1, 4, 5):
            _, tokens = scene.wanted(row)
            n = scene.counts["queries"][row % 4]
            shown = tokens.sum(0) / np.sqrt(n) if scene.pooled else tokens.ravel()
            assert np.linalg.norm(value[row] - shown) < 1e-5 * np.linalg.norm(shown)

    @pytest.mark.parametrize("size", [1e3, 1e6])
    @pytest.mark.parametrize("readout", ["flat", "pooled"])
    @on_both
    def test_survives_logits_beyond_overflow(self, where, readout, size):
        """p goes to the pattern whose logit gains the most."""
        scene = Scene(where, readout, 0.7, size, np.float32)
        start = scene.part.still(scene.held, 2)
        value = np.asarray(scene.part.displace(scene.held, scene.p, scene.gain, scene.zeros, start, 1.0)[0])
        assert np.isfinite(value).all()
        for row in (0, 1, 4, 5):
            _, tokens = scene.wanted(row)
            n = scene.counts["queries"][row % 4]
            shown = tokens.sum(0) / np.sqrt(n) if scene.pooled else tokens.ravel()
            np.testing.assert_allclose(value[row], shown, rtol=0, atol=2e-6)


class TestFreeWeightsThatAreNotWrittenOut:
    """Of a pooled layer whose state is the shift c of its logits."""

    def made(self, spread=1.0):
        scene = Scene("local", "pooled", 0.7, 1.0)
        draw = np.random.default_rng(9)
        held = scene.part.hold(spread * draw.normal(size=(11, 3)), scene.held.queries, scene.held.patterns)
        shift = np.where(np.arange(4) < COUNTS["patterns"][:, None], spread * draw.normal(size=(4, 4)), 0.0)
        return scene, held, shift, scene.part.explicit(held, shift)

    def test_are_a_product_of_what_is_held(self):
        scene, held, shift, p = self.made()
        found = scene.part.ground(held, shift)
        assert found.rows is held.scaled
        np.testing.assert_allclose(found.p, p, rtol=1e-14, atol=0)
        assert p[:2].any() and not p[2:].any()

    def test_are_written_out_where_a_row_underflows(self):
        scene, held, shift, p = self.made(spread=3e3)
        found = scene.part.ground(held, shift)
        assert found.rows is not held.scaled
        np.testing.assert_array_equal(found.p, p)

    @pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
    @pytest.mark.parametrize("dt", [1.0, 0.4])
    def test_give_the_differences_of_those_that_are(self, size, dt):
        scene, held, shift, p = self.made()
        gain, ends = size * scene.gain, []
        for free in (scene.part.ground(held, shift), scene.part.ground(held, p)):
            start, zeros = scene.part.still(held, 2), np.zeros_like(scene.zeros)
            value, weights, changes = scene.part.displace(held, free, gain, zeros, start, dt)
            sides = [(value[:4], weights[:4]), (value[4:], weights[4:])]
            rows = scene.part.moved_rows(held, free, *sides)(1.0, -1.0)
            ends.append((value, rows, np.array(changes), scene.part.explicit_change(held, free, weights[:4])))
        for one, other in zip(*ends, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15 * size)
            assert np.abs(one).max() > 0


def test_patterns_are_told_up_to_the_last_that_is_not_zero():
    vectors = np.zeros((4, 3, 2))
    vectors[0, 0], vectors[1, 2], vectors[2] = 1.0, 1.0, 1.0
    tokens = Tokens(vectors, np.array([3, 3, 2, 3]))
    assert tokens.telling.tolist() == [1, 3, 2, 0] and tokens.telling.dtype == np.int64
    assert Tokens(np.zeros((2, 0, 2)), np.zeros(2, np.int64)).telling.tolist() == [0, 0]
