"""PackedPairs attention of large flat layers: the same as in full, what is computed once more, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.tally import repeated
from neuroep import engines
from neuroep.data.batch import Batch
from neuroep.engines.numba import attention, differences, rounded_attention
from neuroep.engines.numba.arrays import COLUMNS, Deferred, ideal
from neuroep.engines.numba.attention import ExactAttention, Tokens
from neuroep.engines.numba.packed import PackedPairs, PairLayout
from neuroep.engines.settling import Schedule
from neuroep.engines.workers import Workers
from neuroep.errors import ConfigError
from neuroep.gradients.estimators import Estimator
from neuroep.learning.optimisers import SGD, Adam
from neuroep.network import AttentionLayer
from tests import cases

FREE = Schedule(steps=40, tolerance=1e-3, acceleration="anderson")
NUDGED = Schedule(steps=40, tolerance=0.01, form="differences", acceleration="anderson")
BATCH = 6


@pytest.fixture
def small(monkeypatch):
    """Have the smallest layer packed, its queries read two at a time and its rows combined four at a time."""

    def patch():
        monkeypatch.setattr(attention, "LOGITS", 1)
        for module in (attention, rounded_attention):
            monkeypatch.setattr(module, "QUERIES", 2)
        monkeypatch.setattr(differences, "ROWS", 4)

    return patch


def unequal(net, size=BATCH):
    """A batch with an empty, a full and shorter sequences."""
    whole = cases.batch(net, size)
    inputs = {}
    for name, (vectors, lengths) in whole.inputs.items():
        vectors, lengths = vectors.copy(), np.array([0, vectors.shape[1], *lengths[2:]])
        for sample, count in enumerate(lengths):
            vectors[sample, count:] = 0
        inputs[name] = type(whole.inputs[name])(vectors, lengths)
    return Batch(inputs, whole.labels)


def learned(net, batch, estimator, **settings):
    """Return logits, gradients, weights of attention, energies and parameters of two batches, and the clamped one."""
    engine = engines.local(net, cases.parameters(net), optimiser=Adam(), **{"threads": 1, **settings})
    found = {}
    for step in range(2):
        clamped = engine.clamp(batch)
        found |= {f"{step} {name} logits": held.all_logits for name, held in clamped.held.items()}
        phases = estimator.settle(engine, clamped, step)
        found |= {f"{step} {name}": value for name, value in estimator.gradient(engine, batch, step).items()}
        for nudge in (0.0, *phases.nudged):
            state = phases.state(nudge)
            found[f"{step} {nudge} energy"] = engine.energy(clamped, state)
            for layer in engine.units:
                found[f"{step} {nudge} {layer}"] = engine.attention_weights(clamped, state, layer)
        contrasts = estimator.measure(engine, clamped, step).contrasts
        engine.update(contrasts, dict.fromkeys((each.name for each in net.synapses), 0.01))
    return found | engine.parameters(), clamped


@pytest.mark.parametrize(
    ("name", "mask", "form"),
    [("sentiment", False, "differences"), ("inference", True, "differences"), ("inference", False, "states")],
)
def test_it_is_the_same_as_in_full(name, mask, form, small):
    net = cases.network(name, mask=mask)
    nudged = NUDGED if form == "differences" else Schedule(steps=40, tolerance=0.01)
    batch, estimator = unequal(net), Estimator("centred", 0.3, FREE, nudged, points=4)
    wanted, whole = learned(net, batch, estimator, dtype="float64")
    small()
    found, clamped = learned(net, batch, estimator, dtype="float64")
    for layer, held in clamped.held.items():
        assert isinstance(held.logits, PackedPairs) and not isinstance(whole.held[layer].logits, PackedPairs)
    cases.assert_close(found, wanted, 1e-9)
    cases.assert_same(found, learned(net, batch, estimator, dtype="float64", threads=2)[0])


@pytest.mark.parametrize(
    ("settings", "products"),
    [({"order": "synchronous"}, "full"), ({"order": "synchronous"}, "bfloat16"), ({"dt": 0.5}, "full")],
)
def test_in_any_order_and_time_step(settings, products, small):
    """Smaller steps are those of weights written out."""
    net = cases.network("sentiment", mask=False)
    free = Schedule(steps=30, tolerance=1e-3, **settings)
    estimator = Estimator("positive", 0.3, free, Schedule(steps=30, tolerance=0.01, form="differences", **settings))
    wanted = learned(net, unequal(net), estimator, products=products)[0]
    small()
    found = learned(net, unequal(net), estimator, products=products)[0]
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=0, atol=(2e-2 if products != "full" else 2e-3) + 1e-3)


def test_logits_are_let_go_and_found_again_as_long_as_weights_are_the_same(small):
    small()
    net = cases.network("sentiment", mask=False)
    engine = engines.local(net, cases.parameters(net), threads=1)
    clamped, estimator = engine.clamp(unequal(net)), Estimator("centred", 0.3, FREE, NUDGED)
    before = {name: np.asarray(held.logits) for name, held in clamped.held.items()}
    measured = estimator.measure(engine, clamped)
    assert all(held.logits._values is None for held in clamped.held.values())
    for name, held in clamped.held.items():
        np.testing.assert_array_equal(np.asarray(held.logits), before[name])
    again = estimator.measure(engine, clamped)
    cases.assert_same(engine.gradient(measured.contrasts), engine.gradient(again.contrasts))
    state = estimator.settle(engine, clamped).state(1.0)
    engine.update(measured.contrasts, dict.fromkeys((each.name for each in net.synapses), 0.1))
    with pytest.raises(ConfigError, match="clamp it again"):
        engine.settle(clamped, FREE)
    with pytest.raises(ConfigError, match="ask before an update"):
        engine.attention_weights(clamped, state, net.attention[0].name)


def test_pieces_of_a_nudged_phase_add_up(small):
    net, how = cases.network("sentiment", mask=False), Estimator("centred", 0.3, FREE, NUDGED)
    batch = unequal(net)
    small()
    engine = engines.local(net, cases.parameters(net), threads=1, dtype="float64")
    whole, pieces = how.gradient(engine, batch), how.trajectory(engine, batch)
    for name, value in whole.items():
        np.testing.assert_allclose(sum(piece[name] for piece in pieces), value, rtol=0, atol=1e-3 * abs(value).max())


def test_numbers_are_written_out_with_what_padding_shares():
    vectors = np.ones((3, 4, 2))
    vectors[0, 2:] = vectors[2] = 0
    queries, patterns = Tokens(vectors[:, :2], np.array([2, 1, 0])), Tokens(vectors, np.array([4, 3, 4]))
    layout = PairLayout(queries, patterns)
    assert layout.widths.tolist() == [3, 3, 1] and layout.offsets.tolist() == [0, 6, 9, 9]
    packed = PackedPairs(np.arange(1.0, 10.0), layout)
    found = np.asarray(packed)
    assert found.shape == packed.shape == (3, 2, 4) and len(packed) == 3
    assert found[0].tolist() == [[1, 2, 3, 3], [4, 5, 6, 6]]
    assert found[1].tolist() == [[7, 8, 9, 0], [0, 0, 0, 0]] and not found[2].any()
    other = packed.copy()
    other.values[:] = 0
    packed.let_go()  # it cannot be computed once more
    np.testing.assert_array_equal(packed.whole, found)
    whole = PairLayout.whole(found)
    assert whole[0].shape == (24,) and whole[1].tolist() == [0, 8, 16, 24] and whole[2].tolist() == [4, 4, 4]


def test_a_deferred_product_is_the_product():
    draw = np.random.default_rng(0)
    array = ideal(draw.standard_normal((5, COLUMNS + 7)), None, SGD(), Workers(1), "float64")
    post = draw.standard_normal((6, 5))
    wanted, later = array.transposed(post), array.deferred(post)
    post[:] = 0
    assert later.shape == wanted.shape and len(later) == 6 and later.copy() is later
    np.testing.assert_allclose(np.asarray(later), wanted, rtol=0, atol=1e-13)
    part = later[2:4, 10:20]
    assert isinstance(part, Deferred) and part.shape == (2, 10)
    np.testing.assert_allclose(part.columns(3, 7), wanted[2:4, 13:17], rtol=0, atol=1e-13)
    array.updates += 1
    with pytest.raises(ConfigError, match="ask before an update"):
        later.columns(0, 1)


def test_tokens_that_repeat_are_held_once(small):
    """Logits of three kinds of tokens and of padding."""
    draw, dtype = np.random.default_rng(1), "float32"
    table = np.concatenate([np.zeros((1, 2)), draw.standard_normal((3, 2))]).astype(dtype)
    kinds = np.array([[1, 2, 1, 0, 0], [3, 3, 1, 2, 0], [0, 0, 0, 0, 0]])
    given = table[kinds], np.full(3, 5)
    layer = AttentionLayer("attention", "text", "text", 0.7, "flat", 10)
    drive = draw.standard_normal((15, 2)).astype(dtype)
    wanted = ExactAttention(layer, dtype, Workers(1)).hold(drive, Tokens(*given), Tokens(*given)).all_logits
    small()
    for tokens in (Tokens(*given), Tokens(*given, repeated(kinds.ravel()))):
        held = ExactAttention(layer, dtype, Workers(1)).hold(drive, tokens, tokens)
        assert isinstance(held.logits, PackedPairs) and held.logits.layout.widths.tolist() == [4, 5, 1]
        np.testing.assert_allclose(held.all_logits, wanted, rtol=0, atol=1e-6)
