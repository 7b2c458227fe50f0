"""Errors: one line each, with the right names; those of the engines' own settings."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep import engines, errors
from neuroep.engines.engine import Engine
from neuroep.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DivergenceError,
    NeuroepError,
    nearest,
    unknown,
)
from tests import cases


@pytest.mark.parametrize("kind", [ConfigError, DataError, CheckpointError, DivergenceError])
def test_every_error_is_one_of_ours(kind):
    assert issubclass(kind, NeuroepError)


def test_nearest():
    assert nearest("centerd", ("centred", "random")) == "; did you mean 'centred'?"
    assert nearest("xyz", ("centred", "random")) == ""
    assert nearest(1, (10, 200)) == "; did you mean '10'?"


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
