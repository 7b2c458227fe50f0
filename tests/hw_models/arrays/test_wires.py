"""Effective conductances of a tile against stored solutions, a slow solver, and what resistive networks obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hw_models.arrays import wires
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.errors import ChipError
from tests.naive import wires as naive

CASES = ["tiny_2x3", "rect_8x16", "sq_32", "word_only_16", "ideal_8", "open_12x10"]
RESISTANCES = [(1.0, 1.0), (0.5, 40.0), (200.0, 3.0), (2.0, 0.0), (0.0, 2.0), (0.0, 0.0), (1e-6, 1e-6), (1e4, 1e4)]
SHAPES = [(1, 1), (1, 6), (6, 1), (4, 7), (7, 4)]


def tile(shape, seed=0, open_share=0.0):
    rng = np.random.default_rng(seed)
    return rng.uniform(1e-6, 50e-6, shape) * (rng.random(shape) >= open_share)


def tiles():
    ohm = st.one_of(st.just(0.0), st.floats(1e-3, 1e4))
    size = st.integers(1, 7)
    return st.tuples(size, size, ohm, ohm, st.integers(0, 2**16), st.sampled_from([0.0, 0.3]))


@pytest.fixture(params=CASES)
def case(request, oracle):
    meta, arrays = oracle("irdrop")
    given = next(case for case in meta["cases"] if case["key"] == request.param)
    found = {key.removeprefix(f"{request.param}_"): value for key, value in arrays.items()}
    return 1 / found["R"], given["r_word"], given["r_bit"], found


def test_currents_are_those_of_the_independent_solver(case):
    g, r_word, r_bit, expected = case
    np.testing.assert_allclose(expected["V"].T @ wires.effective(g, r_word, r_bit), expected["I"], rtol=1e-9)


def test_voltages_and_device_currents_are_those_of_the_independent_solver(case):
    g, r_word, r_bit, expected = case
    word, bit = wires.node_voltages(g, r_word, r_bit, expected["V"])
    if "vw" not in expected:
        pytest.skip("this case stores currents alone")
    np.testing.assert_allclose(word, expected["vw"], rtol=1e-9)
    np.testing.assert_allclose(bit, expected["vb"], rtol=1e-9, atol=1e-9 * np.abs(expected["vb"]).max())
    np.testing.assert_allclose(g[:, :, None] * (word - bit), expected["Idev"], rtol=1e-9)


@pytest.mark.parametrize(("r_word", "r_bit"), RESISTANCES)
@pytest.mark.parametrize("shape", SHAPES)
def test_slow_solver_agrees_in_both_directions(shape, r_word, r_bit):
    g = tile(shape, open_share=0.2)
    found = wires.effective(g, r_word, r_bit)
    floor = 1e-9 * g.max(initial=1e-9)
    np.testing.assert_allclose(found, naive.effective(g, r_word, r_bit), rtol=1e-10, atol=1e-6 * floor)
    np.testing.assert_allclose(found.T, naive.transposed(g, r_word, r_bit), rtol=1e-10, atol=1e-6 * floor)


@pytest.mark.parametrize(("r_word", "r_bit"), RESISTANCES)
@pytest.mark.parametrize("shape", SHAPES)
def test_slow_solver_agrees_at_every_node(shape, r_word, r_bit):
    g, v = tile(shape, 1), np.random.default_rng(2).normal(size=shape[0])
    word, bit = wires.node_voltages(g, r_word, r_bit, v)
    expected = naive.solve(g, r_word, r_bit, v, np.zeros(shape[1]))
    np.testing.assert_allclose(word, expected[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(bit, expected[1], rtol=0, atol=1e-12)


@given(tiles())
@settings(max_examples=60, deadline=None)
def test_network_is_passive(drawn):
    m, n, r_word, r_bit, seed, open_share = drawn
    g = tile((m, n), seed, open_share)
    found = wires.effective(g, r_word, r_bit)
    assert (found >= 0).all()
    assert (found.sum(axis=0) <= g.sum(axis=0) * (1 + 1e-12)).all()
    word, bit = wires.node_voltages(g, r_word, r_bit, np.ones(m))
    assert ((bit >= -1e-12) & (word >= bit - 1e-12) & (word <= 1 + 1e-12)).all()
    np.testing.assert_allclose((g * (word - bit)).sum(axis=0), found.sum(axis=0), rtol=1e-7, atol=1e-17)


@given(tiles())
@settings(max_examples=60, deadline=None)
def test_attenuation_lies_in_zero_to_one_and_gives_the_matrix_back(drawn):
    m, n, r_word, r_bit, seed, open_share = drawn
    g = tile((m, n), seed, open_share)
    found = wires.effective(g, r_word, r_bit)
    share, beside = wires.attenuation(g, found)
    assert ((share > 0) & (share <= 1)).all()
    assert (beside >= -1e-20).all()
    np.testing.assert_allclose(share * g + beside, found, rtol=1e-12, atol=1e-25)


def test_more_resistance_never_means_more_current():
    g, last = tile((9, 5)), np.inf
    for r in (0.0, 0.1, 1.0, 10.0, 1e3, 1e6):
        total = wires.effective(g, r, r).sum()
        assert total < last
        last = total


def test_small_resistances_leave_the_conductances():
    g = tile((5, 8))
    np.testing.assert_array_equal(wires.effective(g, 0, 0), g)
    np.testing.assert_allclose(wires.effective(g, 1e-9, 1e-9), g, rtol=1e-9)


def test_currents_go_with_one_over_the_resistance_of_wires_that_take_all():
    """Where devices count for nothing beside the wires; a general solver cancels there."""
    g = tile((12, 16))
    np.testing.assert_allclose(1e12 * wires.effective(g, 1e12, 1e12), 1e30 * wires.effective(g, 1e30, 1e30), rtol=1e-5)


@pytest.mark.parametrize("r_word", [1.0, 1e4])
def test_blocks_of_a_larger_tile_are_solved_like_single_nodes(r_word):
    """Both ways to M, and matrices of more than one block of the kernels."""
    g = tile((37, 40))
    np.testing.assert_allclose(wires.effective(g, r_word, 2.0), naive.effective(g, r_word, 2.0), rtol=1e-9)


def test_one_device_is_three_resistors_in_a_row():
    np.testing.assert_allclose(wires.effective(np.array([[0.1]]), 3.0, 7.0), [[1 / (3 + 7 + 10)]], rtol=1e-14)


def test_open_tile_carries_nothing():
    np.testing.assert_array_equal(wires.effective(np.zeros((3, 4)), 1.0, 1.0), np.zeros((3, 4)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: wires.effective(tile((2, 2)), -1.0, 0.0), r"r_word = -1.0: it should be from 0, in ohm"),
        (lambda: wires.effective(tile((2, 2)), 0.0, np.nan), r"r_bit = nan"),
        (lambda: wires.effective(-tile((2, 2)), 1.0, 1.0), "negative or non-finite"),
        (lambda: wires.effective(tile((2, 2)) / 0.0, 1.0, 1.0), "negative or non-finite"),
        (lambda: wires.effective(np.ones(3), 1.0, 1.0), r"shape \(3,\)"),
        (lambda: wires.effective(1e6 * tile((12, 16)), 1e308, 1.0), "too large beside the devices"),
        (lambda: wires.node_voltages(tile((2, 3)), 1.0, 1.0, np.ones(3)), r"v: shape \(3,\), it should be \(2,\)"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(call, words):
    with np.errstate(divide="ignore"), pytest.raises(ChipError, match=words) as failure:
        call()
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("reference", ["analog", "digital"])
def test_a_reference_droops_where_it_lies(reference):
    """Analog lines lie beyond the last output and droop most, a digital reference does not: both leave an offset."""
    draw = np.random.default_rng(0)
    weight, x = draw.uniform(-1, 1, (5, 6)), draw.uniform(0, 1, 6)
    weight[0, 0] = 1.0  # the largest: weights and conductances are in one scale
    parts = {"mapping": "offset", "reference": reference}
    device, ohm = {"g_min": 5.0, "g_max": 100.0}, {"r_word": 200.0, "r_bit": 100.0}
    chip = Chip.model_validate({"crossbar": parts, "device": device, "wires": ohm})
    bar = Crossbar(chip, weight.shape, 0, "test", dtype="float64")
    bar.program(weight)
    g = 52.5e-6 + 47.5e-6 * weight.T
    if reference == "analog":
        g = np.hstack([g, np.full((6, 5), 52.5e-6)])
    current = x @ naive.effective(g, 200.0, 100.0)
    middle = current[5:].mean() if reference == "analog" else 52.5e-6 * x.sum()
    np.testing.assert_allclose(bar.forward(x[None])[0], (current[:5] - middle) / 47.5e-6, rtol=1e-5)
    apart = (current[:5] - middle) / 47.5e-6 - weight @ x
    assert apart.mean() > 0.05 if reference == "analog" else apart.mean() < -0.05
