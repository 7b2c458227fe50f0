"""Batches: what an engine takes and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw_models.chip import Chip
from neuroep.data.batch import Batch, TokenVectors, WordRows, WordTable
from neuroep.engines.settling import Schedule
from neuroep.errors import DataError
from tests import cases


def tokens(shape=(3, 4, 2), lengths=(4, 0, 1)):
    return TokenVectors(np.ones(shape), np.array(lengths))


def test_size_is_the_number_of_labels():
    assert Batch({"text": tokens()}, np.zeros(3, int)).size == 3


@pytest.mark.parametrize(
    ("item", "labels", "line"),
    [
        (tokens((3, 4)), 3, r"batch: 'text' has shape \(3, 4\): expected \(batch, tokens, dim\)"),
        (tokens(), 2, r"batch: 'text' has 3 vectors, \(3,\) lengths, 2 labels: all must agree"),
        (tokens(lengths=(4, 0)), 3, r"batch: 'text' has 3 vectors, \(2,\) lengths, 3 labels: all must agree"),
        (tokens(lengths=(4, 0, 5)), 3, "batch: lengths of 'text' run from 0 to 5: allowed are 0 to 4"),
        (tokens(lengths=(4, -1, 2)), 3, "batch: lengths of 'text' run from -1 to 4: allowed are 0 to 4"),
    ],
)
def test_shapes_that_disagree(item, labels, line):
    with pytest.raises(DataError, match=f"^{line}$"):
        Batch({"text": item}, np.zeros(labels, int))


def words(rows=((0, 1, 2, -1), (-1, -1, -1, -1), (2, 2, 0, 1)), lengths=(3, 0, 4), dim=4):
    drawn = np.random.default_rng(1).standard_normal((3, dim)).astype(np.float32)
    return WordRows(np.array(rows), np.array(lengths), WordTable(drawn))


@pytest.mark.parametrize(
    ("item", "labels", "line"),
    [
        (words()._replace(rows=np.zeros((3, 4, 2), int)), 3, r".* has shape \(3, 4, 2\): expected \(batch, tokens\)"),
        (words(), 2, ".* has 3 vectors, .* all must agree"),
        (words(lengths=(3, 0, 5)), 3, "batch: lengths of 'text' run from 0 to 5: allowed are 0 to 4"),
        (words(lengths=(2, 0, 4)), 3, ".*expected 0 to 2 for every token, and -1 beyond a sample's end"),
        (words(((0, 1, 3, -1), (-1,) * 4, (2, 2, 0, 1))), 3, ".*expected 0 to 2 for every token.*"),
        (words(((0, 1, -1, -1), (-1,) * 4, (2, 2, 0, 1))), 3, ".*expected 0 to 2 for every token.*"),
        (words()._replace(rows=np.zeros((3, 4))), 3, "batch: rows of 'text' are float64: expected whole numbers"),
    ],
)
def test_rows_that_no_table_has(item, labels, line):
    with pytest.raises(DataError, match=f"^{line}$") as caught:
        Batch({"text": item}, np.zeros(labels, int))
    assert "\n" not in str(caught.value)


def test_a_table_is_finite():
    with pytest.raises(DataError, match=r"^the table of word vectors holds some that are not finite$"):
        WordTable(np.array([[1.0, np.nan]]))


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("where", ["local", "cpu", cases.ON_GPU])
def test_words_of_a_table_are_their_vectors(where, mask):
    """Looked up where the engine computes, or here: the very same states and gradients."""
    net = cases.network(mask=mask)
    given, labels = words(), np.array([0, 1, 0])
    vectors = np.zeros((3, 4, 4), np.float32)
    for sample, length in enumerate(given.lengths):
        for place in range(length):
            vectors[sample, place] = given.table.vectors[given.rows[sample, place]]
    assert given.embedded().vectors.tobytes() == vectors.tobytes()
    found = []
    for looks_up, item in ((False, TokenVectors(vectors, given.lengths)), (False, given), (True, given)):
        engine = cases.engine(where, net)
        engine.substrate.looks_up = looks_up
        settled = engine.settle(Batch({"text": item}, labels), Schedule(steps=5))
        found.append([engine.to_numpy(value).tobytes() for value in settled.state.values.values()])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("where", ["local", "cpu"])
class TestClamping:
    @pytest.mark.parametrize("label", [-1, 2, 7])
    def test_label_out_of_range(self, where, label):
        net = cases.network()
        batch = cases.batch(net)
        batch.labels[2] = label
        with pytest.raises(DataError, match=f"^label {label} is out of range: allowed are 0 to 1$"):
            cases.engine(where, net).clamp(batch)

    def test_missing_sequence(self, where):
        net = cases.network("inference")
        batch = cases.batch(net)
        batch = replace(batch, inputs={"premise": batch.inputs["premise"], "hypotesis": batch.inputs["hypothesis"]})
        with pytest.raises(DataError, match=r"'hypothesis'.*premise, hypotesis; did you mean 'hypotesis'\?$") as caught:
            cases.engine(where, net).clamp(batch)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("shape", [(3, 6, 4), (3, 5, 3), (3, 2, 5)])
    def test_too_long_or_of_another_dimension(self, where, shape):
        batch = Batch({"text": tokens(shape, (1, 2, 0))}, np.zeros(3, int))
        line = f"'text' has {shape[1]} tokens of {shape[2]} numbers: the network takes at most 5 tokens of 4 numbers"
        with pytest.raises(DataError, match=f"^{line}$"):
            cases.engine(where, cases.network()).clamp(batch)

    @pytest.mark.parametrize("mask", [True, False], ids=["masked", "unmasked"])
    @pytest.mark.parametrize("name", cases.NETWORKS)
    def test_padding_in_the_batch_does_not_matter(self, where, name, mask):
        """A batch padded to its longest sample settles like one padded to the network's longest sequence."""
        net = cases.network(name, mask=mask)
        full = cases.batch(net)
        inputs = {}
        for key, (vectors, lengths) in full.inputs.items():
            lengths = np.minimum(lengths, vectors.shape[1] - 1)
            inputs[key] = TokenVectors(vectors * (np.arange(vectors.shape[1]) < lengths[:, None])[:, :, None], lengths)
        cut = {key: TokenVectors(item.vectors[:, :-1], item.lengths) for key, item in inputs.items()}
        engine, schedule = cases.engine(where, net), Schedule(steps=4)
        one, other = (engine.settle(replace(full, inputs=i), schedule) for i in (inputs, cut))
        cases.assert_close(engine.states(other), engine.states(one), 1e-13)
        cases.assert_close({"energy": other.energy}, {"energy": one.energy}, 1e-13)

    @pytest.mark.parametrize("name", cases.NETWORKS)
    def test_what_stands_in_padded_places_does_not_matter(self, where, name):
        net = cases.network(name)
        clean = cases.batch(net)
        dirty = {}
        for key, (vectors, lengths) in clean.inputs.items():
            padded = (np.arange(vectors.shape[1]) >= lengths[:, None])[:, :, None]
            assert padded.any()
            dirty[key] = TokenVectors(vectors + 1e3 * padded, lengths)
        engine, estimator = cases.engine(where, net), cases.estimator(free=Schedule(steps=4), nudged=Schedule(steps=4))
        batches = clean, replace(clean, inputs=dirty)
        one, other = (engine.settle(batch, Schedule(steps=4)) for batch in batches)
        cases.assert_close(engine.states(other), engine.states(one), 1e-13)
        cases.assert_close({"energy": other.energy}, {"energy": one.energy}, 1e-13)
        cases.assert_close(*(estimator.gradient(engine, batch) for batch in batches), 1e-12)

    @pytest.mark.parametrize("name", cases.NETWORKS)
    def test_samples_do_not_see_each_other(self, where, name):
        """A sample settles the same alone as in a batch, up to the order of sums; gradients average."""
        net = cases.network(name)
        batch, engine = cases.batch(net, 9), cases.engine(where, net)
        estimator = cases.estimator(free=Schedule(steps=4), nudged=Schedule(steps=4))
        together = engine.states(engine.settle(batch, Schedule(steps=4)))
        alone = [cases.take(batch, [b]) for b in range(9)]
        for b, single in enumerate(alone):
            found = engine.states(engine.settle(single, Schedule(steps=4)))
            cases.assert_close(found, {key: value[[b]] for key, value in together.items()}, 1e-12)
        gradients = [estimator.gradient(engine, single) for single in alone]
        mean = {key: np.mean([gradient[key] for gradient in gradients], axis=0) for key in gradients[0]}
        cases.assert_close(estimator.gradient(engine, batch), mean, 1e-12)

    @pytest.mark.parametrize("name", cases.NETWORKS)
    def test_empty_sequences_give_zeros(self, where, name):
        net = cases.network(name, projection_bias=True)
        full = cases.batch(net)
        empty = {key: TokenVectors(item.vectors * 0, item.lengths * 0) for key, item in full.inputs.items()}
        batch, engine = replace(full, inputs=empty), cases.engine(where, net)
        settled = engine.settle(batch, Schedule(steps=4))
        states = engine.states(settled)
        for layer in net.attention:
            assert not states[layer.name].any()
        assert all(np.isfinite(value).all() for value in states.values()) and np.isfinite(settled.energy).all()
        gradient = cases.estimator(free=Schedule(steps=4), nudged=Schedule(steps=4)).gradient(engine, batch)
        assert all(np.isfinite(value).all() for value in gradient.values())
        assert not any(value.any() for key, value in gradient.items() if key.startswith("query"))


@pytest.mark.parametrize("where", cases.ENGINES)
@pytest.mark.parametrize("name", ["sentiment", "pooled_sentiment"])
def test_unmasked_padding_shares_in_the_softmax(where, name):
    """By hand: one real token x at W = 1. Its logits are kappa |x|^2 for itself and 0 for each of four zero keys; those
    of padded queries are all 0.
    """
    net = cases.network(name, mask=False)
    values = {key: np.zeros_like(value) for key, value in cases.parameters(net).items()}
    values["query.weight"] = np.eye(4)
    x = np.array([1.0, -2.0, 0.5, 0.25])
    vectors = np.zeros((1, 5, 4))
    vectors[0, 0] = x
    batch = Batch({"text": TokenVectors(vectors, np.array([1]))}, np.array([0]))
    engine = cases.engine(where, net, values)
    clamped = engine.clamp(batch)
    settled = engine.settle(clamped, Schedule(steps=2))
    power = np.exp(net.attention[0].inverse_temperature * x @ x)
    wanted = np.full((1, 5, 5), 0.2)
    wanted[0, 0] = np.array([power, 1, 1, 1, 1]) / (power + 4)
    found = engine.attention_weights(clamped, settled.state, "attention")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)
    shares = wanted[0, :, 0]
    rows = shares[:, None] * x
    value = rows.sum(0) / np.sqrt(5) if name.startswith("pooled") else rows.ravel()
    np.testing.assert_allclose(engine.states(settled)["attention"][0], value, rtol=0, atol=1e-14)


@pytest.mark.parametrize("where", cases.ENGINES)
@pytest.mark.parametrize("name", ["sentiment", "pooled_sentiment"])
def test_masked_padding_does_not(where, name):
    """By hand: the only real token attends to itself."""
    net = cases.network(name)
    batch = cases.batch(net, 1)
    batch = replace(batch, inputs={"text": TokenVectors(batch.inputs["text"].vectors, np.array([1]))})
    engine = cases.engine(where, net)
    found = engine.states(engine.settle(batch, Schedule(steps=2)))["attention"][0]
    np.testing.assert_allclose(found[:4], batch.inputs["text"].vectors[0, 0], rtol=0, atol=1e-14)
    assert not found[4:].any()


def test_the_key_of_a_batch_keys_the_draws_of_a_chip():
    net = cases.network("pooled_sentiment")
    engine, batch = cases.engine("local", net, chip=Chip.parse({"device": {"read_noise": 0.2}})), cases.batch(net)
    keyed = batch.keyed("train", 3)
    assert (keyed.key, batch.key) == (("train", 3), ()) and keyed.labels is batch.labels

    def outputs(one: Batch) -> np.ndarray:
        return engine.outputs(engine.settle(one)).copy()

    first = outputs(keyed)
    assert not np.array_equal(outputs(batch.keyed("train", 4)), first)
    assert not np.array_equal(outputs(batch), outputs(batch))
    np.testing.assert_array_equal(outputs(keyed), first)
