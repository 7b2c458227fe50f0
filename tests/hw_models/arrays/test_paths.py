"""The transposed path with an array of its own: programmed, read, aged, kept and exchanged beside the forward one."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import Crossbar
from hw_models.arrays.paths import WeightError
from hw_models.chip import Chip
from hw_models.errors import ChipError
from hw_models.kernels.random import key
from tests.naive import crossbar as naive

RNG = np.random.default_rng(0)
W = RNG.normal(size=(5, 7))
X, S = RNG.uniform(-1, 1, (6, 7)), RNG.uniform(-1, 1, (6, 5))
DEVICES = {
    "mismatch": {"mismatch": 0.2},
    "programming noise": {"programming_noise": [1.0]},
    "stuck": {"stuck_low": 0.2, "stuck_high": 0.1},
    "range": {"g_max_spread": 0.3},
    "drift": {"drift_mean": [0.0, 0.05, 0.05, 0.1], "drift_spread": [0.0, 0.05, 0.05, 0.1], "age": 1e4},
}
MAPPINGS = {
    "pair": {},
    "offset": {"mapping": "offset"},
    "analog": {"mapping": "offset", "reference": "analog"},
    "slices": {"slices": 2, "slice_bits": 4},
}


def bar_of(device=None, path=None, layout=None, weight=W, dtype="float64", **more):
    chip = {"device": device or {}, "transposed": {"devices": "own"} | (path or {}), **more}
    chip |= {"crossbar": {"rows": 3, "columns": 2} | (layout or {})}
    bar = Crossbar(Chip.parse(chip), W.shape, seed=1, name="bar", dtype=dtype)
    bar.program(weight)
    return bar


def alone(name, device=None, layout=None, weight=W, **more):
    """One array of the same devices under a name, both of whose directions read it."""
    chip = {"device": device or {}, "crossbar": {"rows": 3, "columns": 2} | (layout or {}), **more}
    bar = Crossbar(Chip.parse(chip), W.shape, seed=1, name=name, dtype="float64")
    bar.program(weight)
    return bar


@pytest.mark.parametrize("layout", MAPPINGS)
@pytest.mark.parametrize("name", DEVICES)
def test_each_path_is_an_array_of_its_own(name, layout):
    """Two arrays under two names, read either way: the other path is the transpose of this one."""
    both = bar_of(DEVICES[name], layout=MAPPINGS[layout])
    first, second = (alone(place, DEVICES[name], MAPPINGS[layout]) for place in ("bar", "bar transposed"))
    np.testing.assert_array_equal(both.forward(X), first.forward(X))
    np.testing.assert_array_equal(both.transposed(S), second.transposed(S))
    np.testing.assert_array_equal(both.forward(X, path="other"), second.forward(X))
    np.testing.assert_array_equal(both.transposed(S, path="other"), first.transposed(S))
    assert np.abs(first.weights() - second.weights()).max() > 0.01
    np.testing.assert_allclose(both.expected_transposed(S), S @ second.weights(), rtol=1e-12)
    np.testing.assert_allclose(both.expected(X), X @ first.weights().T, rtol=1e-12)


def test_the_exchanged_paths_are_each_others_transpose():
    """What an increment travels through: its Jacobian is the transpose of that of the free phase, to rounding."""
    bar = bar_of({"mismatch": 0.3}, {"gain": 0.1})
    forward, back = bar.forward(np.eye(7)), bar.transposed(np.eye(5))
    np.testing.assert_allclose(bar.forward(np.eye(7), path="other").T, back, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(bar.transposed(np.eye(5), path="other").T, forward, rtol=1e-6, atol=1e-9)
    assert np.abs(forward - back.T).max() > 0.1


def test_without_devices_of_its_own_there_is_one_array():
    bar = alone("bar", {"mismatch": 0.3})
    np.testing.assert_array_equal(bar.forward(X), bar.forward(X, path="other"))
    np.testing.assert_array_equal(bar.transposed(S), bar.transposed(S, path="other"))
    with pytest.raises(ChipError, match=r"bar: path = 'third': allowed are 'own', 'other'"):
        bar.forward(X, path="third")


def test_own_mismatch_is_that_of_its_devices_alone():
    """Against the slow twin of both arrays: gains of every device, the forward one's zero."""
    bar = bar_of({"g_min": 1.0}, {"mismatch": 0.3})
    np.testing.assert_allclose(bar.weights(), W, rtol=1e-6, atol=1e-6)
    draws = np.zeros((2, 7, 5, 7))
    draws[:, 5] = 0.5
    for side in range(2):
        draws[side, 3] = [naive.normals(key(1, "bar transposed", "gain"), 0, side, i, 7) for i in range(5)]
    plus, minus = naive.conductances(W / np.abs(W).max(), bar.other.device, draws)
    expected = (plus - minus) / (bar.device.g_max - 1.0) * np.abs(W).max()
    np.testing.assert_allclose(bar.other.weights(), expected, rtol=1e-5, atol=1e-5)


def test_a_weight_error_is_one_matrix_of_the_size_that_was_asked():
    """In units of the rms of the weights first programmed; it stays when others are."""
    weight = RNG.normal(size=(60, 80)) * 0.3
    chip = Chip.parse({"transposed": {"devices": "own", "weight_error": 0.7}})
    bar = Crossbar(chip, weight.shape, seed=2, dtype="float64")
    bar.program(weight)
    error = bar.other.weights() - weight
    assert error.std() == pytest.approx(0.7 * np.sqrt(np.mean(weight**2)), rel=5 * np.sqrt(0.5 / error.size))
    assert abs(error.mean()) < 5 * error.std() / np.sqrt(error.size)
    assert abs(np.corrcoef(error.ravel(), weight.ravel())[0, 1]) < 5 / np.sqrt(error.size)
    np.testing.assert_array_equal(bar.weights(), weight)
    bar.program(3 * weight)
    np.testing.assert_allclose(bar.other.weights() - 3 * weight, error, atol=1e-12)
    other = Crossbar(chip, weight.shape, seed=3, dtype="float64")
    other.program(weight)
    assert abs(np.corrcoef((other.other.weights() - weight).ravel(), error.ravel())[0, 1]) < 5 / np.sqrt(error.size)
    assert WeightError(0.0, (2, 2), (0, "x")).added(weight) is weight


def test_gain_of_the_own_array_acts_whichever_way_it_is_read():
    bar = bar_of(path={"gain": 0.25})
    np.testing.assert_allclose(bar.forward(X), X @ W.T, rtol=1e-6)
    np.testing.assert_allclose(bar.transposed(S), 1.25 * (S @ W), rtol=1e-6)
    np.testing.assert_allclose(bar.forward(X, path="other"), 1.25 * (X @ W.T), rtol=1e-6)
    np.testing.assert_allclose(bar.transposed(S, path="other"), S @ W, rtol=1e-6)


def test_errors_of_sensed_lines_are_of_transposed_reads_alone():
    bar = bar_of(path={"gain_spread": 0.1, "offset_spread": 0.05})
    np.testing.assert_allclose(bar.forward(X, path="other"), X @ W.T, rtol=1e-6)
    np.testing.assert_allclose(bar.transposed(S, path="other"), S @ W, rtol=1e-6)
    offset = bar.transposed(np.zeros((1, 5)))
    scale = np.abs(W).max()
    assert 0 < np.abs(offset).max() < 5 * 0.05 * scale * np.sqrt(3)


def test_noise_of_the_two_is_drawn_apart():
    bar = bar_of({"read_noise": 0.5})
    many = np.repeat(np.eye(5)[:1], 4000, axis=0)
    own, other = (bar.transposed(many, path=path)[:, 0] for path in ("own", "other"))
    assert abs(np.corrcoef(own, other)[0, 1]) < 5 / np.sqrt(4000)


def test_converters_have_one_range_for_both_arrays():
    bar = bar_of({"mismatch": 0.2}, adc={"bits": 8}, dac={"bits": 8})
    bar.observe()
    bar.forward(X), bar.transposed(S)
    bar.freeze()
    assert bar.converters is bar.other.converters
    assert bar.converters.of("transposed")[1].range > 0
    for path in ("own", "other"):
        np.testing.assert_allclose(bar.forward(X, path=path), X @ bar.weights().T, atol=3)
    shared = bar_of(adc={"bits": 8}, dac={"bits": 8})
    shared.converters = bar.converters
    assert shared.other.converters is bar.converters


@pytest.mark.parametrize("name", DEVICES)
def test_state_brings_both_back(name):
    path = {"weight_error": 0.3, "gain_spread": 0.1}
    one = bar_of(DEVICES[name], path, adc={"bits": 8, "range": 4.0, "dnl": 0.2})
    one.begin("train", 3)
    one.program(0.5 * W)
    one.forward(X), one.transposed(S)
    other = bar_of(DEVICES[name], path, weight=RNG.normal(size=W.shape), adc={"bits": 8, "range": 4.0, "dnl": 0.2})
    other.load(one.state())
    for each in (one, other):
        each.begin("go on", 1)
    for path in ("own", "other"):
        np.testing.assert_array_equal(one.forward(X, path=path), other.forward(X, path=path))
        np.testing.assert_array_equal(one.transposed(S, path=path), other.transposed(S, path=path))
    for each in (one, other):
        each.program(0.7 * W)
    np.testing.assert_array_equal(one.transposed(S), other.transposed(S))
    assert one.counters == other.counters
    mine, theirs = one.state(), other.state()
    assert mine.keys() == theirs.keys()
    for key_ in mine:
        np.testing.assert_array_equal(mine[key_], theirs[key_])


def test_time_passes_for_both():
    bar = bar_of(DEVICES["drift"])
    now = bar.other.weights()
    with bar.later(1e7):
        assert np.abs(bar.other.weights()).sum() < np.abs(now).sum()
    np.testing.assert_array_equal(bar.other.weights(), now)
    bar.read_at(0.0)
    assert np.abs(bar.other.weights()).sum() > np.abs(now).sum()
    bar.read_at(1e4)
    bar.elapse()
    assert bar.other.clock == bar.clock == 1e4 and bar.other.ahead == 0


def test_both_are_counted():
    one, both = alone("bar", {"mismatch": 0.1}), bar_of({"mismatch": 0.1})
    for bar in (one, both):
        bar.forward(X), bar.transposed(S)
    assert both.counters == one.counters | {"writes": 2 * one.counters["writes"]}
    parts = {done.part for done, _ in both.performed().rows() if "transposed" in done.operation}
    assert parts == {"bar transposed"}
