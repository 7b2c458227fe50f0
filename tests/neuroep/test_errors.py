"""Errors: one line each, with the right names; those of the engines' own settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw_models.chip import Chip
from neuroep import data, engines, errors
from neuroep.engines import local
from neuroep.engines.engine import Engine
from neuroep.engines.schedule import ORDERS, Schedule
from neuroep.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DivergenceError,
    NeuroepError,
    nearest,
    unknown,
)
from neuroep.gradients.estimators import Estimator, centred
from tests import cases


@pytest.mark.parametrize("kind", [ConfigError, DataError, CheckpointError, DivergenceError])
def test_every_error_is_one_of_ours(kind):
    assert issubclass(kind, NeuroepError)


def test_nearest():
    assert nearest("centerd", ("centred", "random")) == "; did you mean 'centred'?"
    assert nearest("xyz", ("centred", "random")) == ""
    assert nearest("acd", ("dac", "adc")) == "; did you mean 'adc'?", "two letters that changed places"
    assert nearest(1, (10, 200)) == "; did you mean '10'?"


def test_beginnings_are_nearer_than_words_as_long():
    """By letters alone ``--resp`` was answered with ``--help``."""
    assert nearest("--resp", ("--help", "--response", "--readings")) == "; did you mean '--response'?"
    assert nearest("cit", ("kit", "citation")) == "; did you mean 'citation'?"
    assert nearest("read_n", ("read_noise_law", "read_noise", "read_time")) == "; did you mean 'read_noise'?"
    assert nearest("--r", ("--n", "--response")) == "; did you mean '--n'?", "a letter alone begins nothing"
    assert errors.begun("--", ("--out",)) == []


def test_what_is_given_is_named_as_the_reader_gives_it():
    asked = errors.given_as("--resume", "resume=True"), errors.setting("chip", "pcm")
    assert asked == ("resume=True", 'overrides=["--chip", "pcm"]')
    with errors.of_commands():
        assert (errors.given_as("--resume", "resume=True"), errors.setting("chip", "pcm")) == ("--resume", "--chip pcm")
    assert errors.given_as("--resume", "resume=True") == "resume=True", "behind a command Python is spoken again"


def test_nearest_path(tmp_path):
    """Files of an ending, or folders, by one rule: what is much like it, and nothing that is not."""
    for name in ("mychip.toml", "mychop.txt", "reviews.toml"):
        (tmp_path / name).touch()
    for name in ("reviews", ".reviewz", "bits.v2"):
        (tmp_path / name).mkdir()
    assert errors.nearest_path(tmp_path / "mychp.toml", ".toml") == f"; did you mean '{tmp_path}/mychip.toml'?"
    assert errors.nearest_path(tmp_path / "mychip.tml", ".toml") == f"; did you mean '{tmp_path}/mychip.toml'?"
    assert errors.nearest_path(tmp_path / "reviewz") == f"; did you mean '{tmp_path}/reviews'?"
    assert errors.nearest_path(tmp_path / "bits.v3") == f"; did you mean '{tmp_path}/bits.v2'?"
    for far in (tmp_path / "other", tmp_path / "none" / "reviews"):
        assert errors.nearest_path(far) == errors.nearest_path(far, ".toml") == ""


@pytest.mark.parametrize(
    ("given", "meant", "count"),
    [("adc", "adc", 0), ("acd", "adc", 1), ("acd", "dac", 2), ("", "ab", 2), ("kitten", "sitting", 3)],
)
def test_slips_of_typing(given, meant, count):
    assert errors.slips(given, meant) == errors.slips(meant, given) == count


def test_unknown():
    assert unknown("order", "sync", ("layerwise", "synchronous")) == (
        "unknown order 'sync': allowed are layerwise, synchronous; did you mean 'synchronous'?"
    )
    assert unknown("order", "?", ("a", "b")) == "unknown order '?': allowed are a, b"


@pytest.mark.parametrize(("what", "counted"), [("state", "settle step 7"), ("weight", "update 7")])
def test_divergence(what, counted):
    error = DivergenceError("hidden_1", 7, what)
    assert (error.where, error.step, error.what) == ("hidden_1", 7, what)
    assert (
        str(error)
        == f"diverged: {what} of 'hidden_1' is not finite at {counted}; try smaller weights, learning rate or beta"
    )


def test_unknown_engine():
    with pytest.raises(
        ConfigError, match=r"^unknown engine 'locall': allowed are local, reference; did you mean 'local'\?$"
    ):
        engines.build("locall", cases.network())


@pytest.mark.parametrize("kind", engines.NAMES)
class TestEngines:
    def test_build_is_the_function_of_that_name(self, kind):
        built, made = engines.build(kind, cases.network()), getattr(engines, kind)(cases.network())
        assert type(built) is type(made) and isinstance(built, Engine) and built.name == kind

    def test_unknown_dtype(self, kind):
        line = r"^unknown dtype 'float16': allowed are float32, float64; did you mean 'float\d\d'\?$"
        with pytest.raises(ConfigError, match=line):
            engines.build(kind, cases.network(), dtype="float16")

    def test_unknown_parameter(self, kind):
        net = cases.network()
        values = {**cases.parameters(net), "dense_9.weight": np.zeros(2)}
        with pytest.raises(
            CheckpointError, match=r"^unknown parameter 'dense_9.weight': .*; did you mean 'dense_\d.weight'\?$"
        ):
            engines.build(kind, net, values)

    def test_missing_parameter(self, kind):
        net = cases.network()
        values = cases.parameters(net)
        del values["dense_2.bias"]
        with pytest.raises(
            CheckpointError, match=r"^parameter 'dense_2.bias' is missing: the network needs shape \(5,\)$"
        ):
            engines.build(kind, net, values)

    def test_parameter_of_another_shape(self, kind):
        net = cases.network()
        engine = engines.build(kind, net)
        before = engine.parameters()
        values = {**cases.parameters(net), "dense_2.weight": np.zeros((5, 8))}
        line = r"^parameter 'dense_2.weight' has shape \(5, 8\): the network needs \(5, 7\)$"
        with pytest.raises(CheckpointError, match=line):
            engine.load_parameters(values)
        cases.assert_same(engine.parameters(), before)


def test_no_error_has_two_lines():
    """Even when a name given by the user has."""
    error = ConfigError(unknown("order", "a\nb", ("x",)))
    assert isinstance(error, errors.NeuroepError)
    assert "\n" not in str(error)


on_both = pytest.mark.parametrize("where", ["local", "cpu"])


class TestDivergence:
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    @pytest.mark.parametrize("name", cases.NETWORKS)
    @pytest.mark.parametrize("where", cases.ENGINES)
    def test_vectors_that_are_not_finite(self, where, name, value):
        net = cases.network(name)
        batch = cases.batch(net)
        first = net.sequences[0].name
        batch.inputs[first].vectors[0, 1, 2] = value
        with pytest.raises(DivergenceError) as caught:
            cases.engine(where, net).settle(batch, Schedule(steps=4))
        reading = [layer.name for layer in net.attention if first in (layer.queries, layer.patterns)]
        step = 4 if where == "cuda" else 1  # without a tolerance a GPU is looked at once, at the end
        assert caught.value.where in reading and caught.value.step == step
        line = f"diverged: state of '{caught.value.where}' is not finite at settle step {step};"
        assert str(caught.value).startswith(line)

    @pytest.mark.parametrize("parameter", ["query.weight", "dense_1.weight", "dense_2.bias", "dense_3.weight"])
    @pytest.mark.parametrize("name", ["sentiment", "pooled_sentiment"])
    @on_both
    def test_weights_that_are_nan(self, where, name, parameter):
        net = cases.network(name)
        engine = cases.engine(where, net)
        synapse, part = parameter.split(".")
        held = getattr(engine.arrays[synapse], part)
        held.reshape(-1)[0] = np.nan
        with pytest.raises(DivergenceError, match="is not finite at settle step 1; try") as caught:
            engine.settle(cases.batch(net), Schedule(steps=4))
        touched = {
            "query.weight": {"attention"}, "dense_1.weight": {"attention", "hidden_1"}, "dense_2.bias": {"hidden_2"},
            "dense_3.weight": {"hidden_2", "output"},
        }  # fmt: skip
        assert caught.value.where in touched[parameter]

    @on_both
    def test_weights_that_are_nan_are_not_taken(self, where):
        net = cases.network()
        values = cases.parameters(net)
        values["dense_1.weight"].flat[0] = np.nan
        with pytest.raises(CheckpointError, match=r"^parameter 'dense_1.weight' is not finite$"):
            cases.engine(where, net, values)

    @pytest.mark.parametrize("order", ORDERS)
    @on_both
    def test_linear_neurons_that_run_away(self, where, order):
        """Large weights between linear layers: the step counts the sweeps until float32 overflows."""
        net = cases.network("sentiment", potential="linear", dense=(3, 2))
        values = cases.parameters(net)
        values["dense_2.weight"][:] = 1e3
        engine = cases.engine(where, net, values, dtype="float32")
        with pytest.raises(DivergenceError) as caught, np.errstate(all="ignore"):
            engine.settle(cases.batch(net), Schedule(order, steps=60))
        assert caught.value.where in ("hidden_1", "output") and 4 < caught.value.step < 30

    @on_both
    def test_is_seen_at_the_last_step_at_the_latest(self, where):
        net = cases.network()
        batch = cases.batch(net)
        batch.inputs["text"].vectors[0, 0, 0] = np.nan
        with pytest.raises(DivergenceError) as caught:
            cases.engine(where, net).settle(batch, Schedule(steps=7, tolerance=1e-5, check_every=5))
        assert caught.value.step == 5

    @pytest.mark.parametrize("rate", [np.inf, np.nan, -1e-3, 1e31])
    @on_both
    def test_a_rate_that_cannot_be(self, where, rate):
        net = cases.network("inference")
        engine = cases.engine(where, net)
        rates = {**dict.fromkeys([synapse.name for synapse in net.synapses], 1e-3), "dense_1": rate}
        with pytest.raises(ConfigError, match=r"^rate of 'dense_1' is .*: allowed are 0 to 1e\+30$"):
            engine.update({}, rates)

    @on_both
    def test_a_rate_that_is_missing(self, where):
        with pytest.raises(ConfigError, match=r"^rates lack synapse 'query'"):
            cases.engine(where, cases.network()).update({}, {"dense_1": 1e-3})

    @pytest.mark.parametrize("rate", ["0.1", True, None, [0.1]])
    def test_a_rate_that_is_no_number(self, rate):
        net = cases.network()
        rates = dict.fromkeys([synapse.name for synapse in net.synapses], rate)
        with pytest.raises(ConfigError, match=r"^rate of 'query' is .*: allowed are 0 to 1e\+30$"):
            cases.engine("local", net).update({}, rates)

    def test_one_rate_for_all(self):
        """It was a TypeError."""
        with pytest.raises(ConfigError, match=r"^rates is 0.1: give a rate by the name of each synapse, {'query'"):
            cases.engine("local", cases.network()).update({}, 0.1)

    @pytest.mark.parametrize(
        ("contrasts", "line"),
        [
            (None, "contrasts is a NoneType: "),
            ({}, "contrasts lack synapse 'query': "),
            ({"query.weight": np.zeros((3, 3))}, "contrasts lack synapse 'query': "),
            ({"query": np.zeros((3, 3))}, "the contrast of 'query' is a ndarray: "),
        ],
    )
    def test_what_is_no_contrast(self, contrasts, line):
        """A gradient was a KeyError."""
        net = cases.network()
        rates = dict.fromkeys([synapse.name for synapse in net.synapses], 1e-3)
        with pytest.raises(ConfigError, match=rf"^{line}give a contrast by the name of each synapse"):
            cases.engine("local", net).update(contrasts, rates)

    def test_what_settles_and_calibrates(self):
        """They were a TypeError and an AttributeError."""
        net = cases.network()
        engine, batch = cases.engine("local", net), cases.batch(net)
        with pytest.raises(ConfigError, match=r"^beta is '0.1': a number is needed$"):
            engine.settle(batch, Schedule(steps=2), beta="0.1")
        with pytest.raises(ConfigError, match=r"^schedule is 'layerwise': give a Schedule$"):
            engine.settle(batch, "layerwise")
        with pytest.raises(ConfigError, match=r"^batches is a Batch: give a list of them"):
            engine.calibrate(batch, cases.estimator())

    @pytest.mark.parametrize(("batches", "estimator", "line"), [
        (None, "centred", r"estimator is 'centred': give one, as neuroep.estimators.centred\(beta=0.1\)"),
        (None, centred, r"estimator is <function centred"),
        (None, Estimator, r"estimator is <class"),
        (3, None, r"batches is 3: give a list of them"),
        ("train", None, r"batches is 'train': give a list of them"),
        (["train"], None, r"batches\[0\] is 'train': give Batches, as corpus.batches makes them"),
    ])  # fmt: skip
    @pytest.mark.parametrize("chip", [None, Chip.parse({"adc": {"bits": 8}})])
    def test_what_calibrates(self, batches, estimator, line, chip):
        """An AttributeError where ranges wait for it, taken where none does."""
        net = cases.network()
        engine = local(net, chip=chip)
        given = [cases.batch(net)] if batches is None else batches, estimator or cases.estimator()
        with pytest.raises(ConfigError, match=f"^{line}"):
            engine.calibrate(*given)
        with pytest.raises(ConfigError, match=f"^{line}"):
            engine.find_lengths(*given)
        assert engine.calibrates == (chip is not None)

    @pytest.mark.parametrize(("given", "line"), [
        ({"steps": "3"}, "steps is '3': allowed are whole numbers from 1"),
        ({"steps": True}, "steps is True: allowed are whole numbers from 1"),
        ({"steps": 2.0}, "steps is 2.0: allowed are whole numbers from 1"),
        ({"steps": None}, "steps is None: allowed are whole numbers from 1"),
        ({"check_every": "2"}, "check_every is '2': allowed are whole numbers from 1"),
        ({"tolerance": "a"}, "tolerance is 'a': allowed are numbers from 0"),
        ({"dt": True}, "dt is True: allowed is 0 < dt <= 1"),
        ({"dt": None}, "dt is None: allowed is 0 < dt <= 1"),
    ])  # fmt: skip
    def test_schedules(self, given, line):
        """True was a step, '3' a TypeError."""
        with pytest.raises(ConfigError, match=f"^{line}$"):
            Schedule(**given)
        assert Schedule(steps=np.int64(3), tolerance=np.float32(0.5)).steps == 3

    @pytest.mark.parametrize("split", [3, None, ["train"]])
    def test_the_split_of_batches(self, split):
        with pytest.raises(DataError, match=r"^split is .*: give the name of one, or samples of this corpus$"):
            data.load("reviews", tokens=4, limit=4).batches(split, 2)

    @on_both
    def test_an_update_that_blows_up(self, where):
        net = cases.network("inference")
        engine = cases.engine(where, net, dtype="float32")
        contrasts = (
            cases.estimator(free=Schedule(steps=4), nudged=Schedule(steps=4))
            .measure(engine, cases.batch(net))
            .contrasts
        )
        rates = dict.fromkeys([synapse.name for synapse in net.synapses], 1e-3)
        engine.update(contrasts, rates)
        with pytest.raises(DivergenceError) as caught, np.errstate(all="ignore"):
            engine.update({**contrasts, "dense_1": replace(contrasts["dense_1"], span=1e-320)}, rates)
        assert str(caught.value).startswith("diverged: weight of 'dense_1' is not finite at update 2; try")


@pytest.mark.parametrize("kind", engines.NAMES)
@pytest.mark.parametrize("seed", [1.5, -1, "a", None, True])
def test_a_seed_is_a_whole_number_from_0(kind, seed):
    """Before, 1.5 was taken for 1, and a text was a ValueError."""
    with pytest.raises(ConfigError, match=r"^seed = .*: should be a whole number from 0$"):
        engines.build(kind, cases.network(), seed=seed)
    if kind == "local" and seed is not None:
        with pytest.raises(ConfigError, match=r"^chip_seed = .*: should be a whole number from 0$"):
            engines.local(cases.network(), chip="pcm", chip_seed=seed)


@pytest.mark.parametrize("kind", engines.NAMES)
@pytest.mark.parametrize("network", ["net", None, 3])
def test_what_is_no_network(kind, network):
    with pytest.raises(ConfigError, match=f"^network is a {type(network).__name__}: a Network is needed"):
        engines.build(kind, network)
