"""Tokens that occur more than once in a batch, multiplied once: the same states but for rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw_models.arrays import repeated_rows
from hw_models.chip import Chip
from hw_models.tally import repeated
from neuroep import data, engines
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines.settling import Schedule
from neuroep.errors import ConfigError, DataError
from neuroep.gradients.estimators import Estimator
from neuroep.network import builders as networks
from neuroep.runs import config as configuration

WORDS, DIM = 6, 5
PHASE = Schedule("layerwise", steps=4)
TOLERANCE = {"float32": 2e-5, "float64": 1e-13}
READ = {"bits": 7, "range": 4.0}
NOISE = {"read_noise": 0.3}
SHARING = {
    "ideal": {},
    "output noise": {"device": NOISE, "adc": {"noise": 0.02}},
    "a variance for every device": {"device": NOISE | {"read_noise_law": "proportional"}},
    "reference lines": {
        "device": NOISE | {"read_noise_law": "sqrt"},
        "crossbar": {"mapping": "offset", "reference": "analog", "rows": 3},
    },
    "a DAC": {"dac": READ, "device": NOISE, "crossbar": {"rows": 2}},
    "noise in time": {
        "device": NOISE | {"read_noise_law": "sqrt", "read_noise_band": [1e-7, 1.0]}, "timing": {"integration": 1e-6},
    },
    "slices": {"device": NOISE, "crossbar": {"slices": 2, "slice_bits": 2}},
}  # fmt: skip
APART = {
    "a DAC that draws": {"dac": READ | {"noise": 0.05}},
    "a DAC that rounds at random": {"dac": READ | {"stochastic": True}},
    "digits": {"dac": READ | {"digit_bits": 3}, "device": NOISE},
    "wires": {"wires": {"r_word": 1.0, "r_bit": 1.0}, "device": NOISE},
    "every device drawn": {"crossbar": {"exact_noise": True}, "device": NOISE | {"read_noise_law": "proportional"}},
    "events": {"substrate": "event_driven", "events": {"state_range": 4.0}},
}


def made(network, seed=0, samples=5):
    """A batch of few words, with their numbers."""
    draw = np.random.default_rng(seed)
    inputs, kinds = {}, {}
    for sequence in network.sequences:
        words = draw.normal(size=(WORDS, sequence.dim))
        lengths = draw.integers(0, sequence.tokens + 1, samples)
        real = np.arange(sequence.tokens) < lengths[:, None]
        ids = draw.integers(0, WORDS, real.shape)
        inputs[sequence.name] = TokenVectors(words[ids] * real[..., None], lengths)
        kinds[sequence.name] = ids[real] + 3
    return Batch(inputs, draw.integers(0, network.classes, samples), ("here",), kinds)


def network_of(name, readout, mask):
    given = {"readout": readout, "mask": mask}
    if name == "sentiment":
        return networks.sentiment(11, DIM, (4, 2), **given)
    return networks.inference((9, 7), DIM, dense=(4, 3), **given)


def found(network, repeats, batch, chip=None, dtype="float32", threads=1):
    """Return states of a free phase, gradients, counters."""
    made_chip = None if chip is None else Chip.model_validate(chip)
    engine = engines.local(network, seed=2, dtype=dtype, chip=made_chip, repeats=repeats, threads=threads)
    estimator = Estimator("centred", 0.5, PHASE, PHASE)
    engine.calibrate([batch], estimator)
    settled = engine.settle(batch, PHASE)
    values = dict(settled.state.values) | estimator.gradient(engine, batch)
    return {name: np.array(value) for name, value in values.items()}, engine.counters()


def compare(one, other, tolerance):
    assert one.keys() == other.keys()
    for name, values in one.items():
        scale = max(np.abs(values).max(initial=0), 1e-2)
        np.testing.assert_allclose(other[name], values, rtol=0, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("readout", ["flat", "pooled"])
@pytest.mark.parametrize("name", ["sentiment", "inference"])
def test_states_and_gradients_of_exact_arithmetic(name, readout, mask, dtype):
    network = network_of(name, readout, mask)
    batch = made(network)
    each, once = (found(network, way, batch, dtype=dtype) for way in ("each", "once"))
    compare(each[0], once[0], TOLERANCE[dtype])
    assert each[1] == once[1]


@pytest.mark.parametrize("kind", [*SHARING, *APART])
def test_states_and_gradients_of_a_chip_with_the_same_draws(kind):
    network = network_of("sentiment", "pooled", True)
    batch, chip = made(network), (SHARING | APART)[kind]
    each, once = (found(network, way, batch, chip, "float64") for way in ("each", "once"))
    compare(each[0], once[0], TOLERANCE["float64"] * 100)
    assert each[1] == once[1]


@pytest.mark.parametrize("kind", [*SHARING, *APART])
def test_rows_are_shared_where_nothing_is_drawn_ahead_of_the_devices(kind, monkeypatch):
    tables, seen = repeated_rows.tables, []
    monkeypatch.setattr(repeated_rows, "tables", lambda *given: seen.append(1) or tables(*given))
    network = network_of("sentiment", "pooled", True)
    found(network, "once", made(network), (SHARING | APART)[kind])
    assert bool(seen) == (kind in SHARING and kind != "ideal") or kind in ("wires", "every device drawn")
    seen.clear()
    found(network, "each", made(network), (SHARING | APART)[kind])
    assert not seen


def test_threads_change_nothing():
    network = network_of("inference", "pooled", True)
    batch = made(network, samples=40)
    one, two = (found(network, "once", batch, SHARING["a variance for every device"], threads=n)[0] for n in (1, 2))
    assert all((one[name] == two[name]).all() for name in one)


def test_without_numbers_of_words_each_is_multiplied():
    network = network_of("sentiment", "pooled", True)
    batch = replace(made(network), kinds={})
    each, once = (found(network, way, batch)[0] for way in ("each", "once"))
    assert all((each[name] == once[name]).all() for name in each)


def test_which_rows_are_the_same():
    same = repeated(np.array([7, 3, 7, 9, 3]))
    assert same.first.tolist() == [1, 0, 3] and same.kind.tolist() == [1, 0, 1, 2, 0]


def test_batches_of_texts_tell_their_words_apart():
    corpus = data.load("reviews", tokens=20)
    batch = next(corpus.batches("train", 30))
    vectors, lengths = batch.inputs["text"]
    real = np.arange(vectors.shape[1]) < lengths[:, None]
    np.testing.assert_array_equal(vectors[real], corpus.vectors[batch.kinds["text"]])
    assert not next(data.load("digits", tokens=16).batches("train", 3)).kinds


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ({"text": np.zeros(2, dtype=int)}, "'text' are int64 of shape (2,): expected whole numbers (3,)"),
        ({"text": np.zeros(3)}, "kinds of tokens of 'text' are float64 of shape (3,)"),
        ({"texts": np.zeros(3, dtype=int)}, "kinds of tokens of 'texts': unknown sequence 'texts'"),
    ],
)  # fmt: skip
def test_numbers_that_are_not_those_of_the_tokens_are_refused(kinds, told):
    inputs = {"text": TokenVectors(np.zeros((2, 2, 1), dtype=np.float32), np.array([2, 1]))}
    with pytest.raises(DataError) as caught:
        Batch(inputs, np.array([0, 1]), kinds=kinds)
    assert told in str(caught.value)


def test_who_cannot_do_it_says_so():
    network = network_of("sentiment", "pooled", True)
    with pytest.raises(ConfigError, match="repeats is 'once': it goes with the local engine"):
        engines.build("reference", network, repeats="once")
    with pytest.raises(ConfigError, match="unknown repeats 'twice'"):
        engines.local(network, repeats="twice")
    with pytest.raises(ConfigError, match=r"engine.*repeats = 'once': goes with kind 'local', not 'reference'"):
        configuration.changed(configuration.Config(), ["--engine.kind", "reference", "--engine.repeats", "once"])
