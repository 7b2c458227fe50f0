"""Ideal arrays against plain products and the slow learning rules."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.engines.numba import array_kernels, arrays
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Contrast, Held, Moved
from neuroep.learning.optimisers import SGD, Adam
from tests.naive import rules

pytestmark = pytest.mark.kernels

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
RULES = {
    "adam": Adam(),
    "adam_decay": Adam(betas=(0.8, 0.9), eps=1e-3, weight_decay=0.5),
    "sgd": SGD(),
    "sgd_decay": SGD(momentum=0.7, weight_decay=0.5),
}


def make(shape, rule=None, dtype="float64", bias=True, threads=1, seed=0):
    rng = np.random.default_rng(seed)
    weight, offset = rng.normal(size=shape), rng.normal(size=shape[0]) if bias else None
    return arrays.ideal(weight, offset, rule or SGD(), Workers(threads), dtype)


def contrast(shape, rows=4, held=False, seed=1, dtype="float64"):
    rng = np.random.default_rng(seed)
    draw = lambda size: rng.normal(size=(rows, size)).astype(dtype)  # noqa: E731
    pre = Held(draw(shape[1])) if held else Moved(draw(shape[1]), draw(shape[1]))
    return Contrast(Moved(draw(shape[0]), draw(shape[0])), pre, span=0.5, samples=3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("rows", "shape"), [(1, (3, 5)), (7, (3, 5)), (2 * arrays.ROWS + 1, (2, 3)), (3, (2, 2 * arrays.COLUMNS + 5))]
)
def test_products(rows, shape, dtype):
    array, rng = make(shape, dtype=dtype), np.random.default_rng(2)
    pre, post = (rng.normal(size=(rows, n)).astype(dtype) for n in (shape[1], shape[0]))
    scale = np.sqrt(shape[1])
    forward = array.forward(pre)
    assert forward.dtype == dtype
    np.testing.assert_allclose(forward, pre @ array.weight.T, rtol=0, atol=TOLERANCE[dtype] * scale)
    np.testing.assert_allclose(array.transposed(post), post @ array.weight, rtol=0, atol=TOLERANCE[dtype])


def test_transposed_writes_where_it_is_told():
    array, post = make((3, 5)), np.ones((2, 3))
    out = np.full((2, 5), np.nan)
    assert array.transposed(post, out=out) is out
    np.testing.assert_allclose(out, post @ array.weight)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_update_is_the_slow_rule_weight_by_weight(name, held, dtype):
    """Three steps on weight and bias; the bias does not decay."""
    rule, shape = RULES[name], (3, 4)
    array = make(shape, rule, dtype)
    weight, bias = (array.state()[part].astype(np.float64) for part in ("weight", "bias"))
    kept = {"weight": np.zeros((2, *shape)), "bias": np.zeros((2, shape[0]))}
    for step in range(1, 4):
        seen = contrast(shape, held=held, seed=step, dtype=dtype)
        outer = seen.post.plus.T @ seen.pre.plus - seen.post.minus.T @ seen.pre.minus
        change = (seen.post.plus - seen.post.minus).sum(0)
        assert array.update(seen, 0.01) == 0
        for part, values, total in (("weight", weight, outer), ("bias", bias, change)):
            decay = rule.weight_decay if part == "weight" else 0.0
            for index in np.ndindex(values.shape):
                gradient, (first, second) = -total[index] / (0.5 * 3), kept[part][(slice(None), *index)]
                if isinstance(rule, Adam):
                    values[index], first, second = rules.adam(
                        values[index], first, second, gradient, 0.01, decay, rule.betas, step, rule.eps
                    )
                else:
                    values[index], first = rules.sgd(values[index], first, gradient, 0.01, decay, rule.momentum)
                kept[part][(slice(None), *index)] = first, second
    state = array.state()
    np.testing.assert_allclose(state["weight"], weight, rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_allclose(state["bias"], bias, rtol=0, atol=TOLERANCE[dtype])
    assert state["updates"] == 3
    for number, moment in enumerate(rule.moments):
        np.testing.assert_allclose(state[f"weight.{moment}"], kept["weight"][number], rtol=1e-4, atol=TOLERANCE[dtype])


@pytest.mark.parametrize(("length", "each", "most", "count"), [
    (200, 2**10, 2048, 1),
    (2048, arrays.WORK // 2048, 2048, 1),
    (2049, arrays.WORK // 2048, 4096, 2),
    (2800, 90_000, 2048, 8),
    (4097, 10, 2048, 3),
    (10, arrays.WORK, 2048, 10),
    (40, arrays.WORK, 2048, 14),
    (400, arrays.WORK, 2048, arrays.SHARES),
    (0, 9, 2048, 1),
    (9, 0, 2048, 1),
])  # fmt: skip
def test_products_are_cut_where_there_is_work_for_several_threads(length, each, most, count):
    parts = arrays.shares(length, each, most)
    assert [i for a, b in parts for i in range(a, b)] == list(range(length))
    assert len(parts) == count


@pytest.mark.parametrize("rows", [1, 30, 200])
def test_a_product_is_the_same_however_it_is_cut(rows, monkeypatch):
    array, draws = make((60, 170)), np.random.default_rng(3)
    pre, post = draws.normal(size=(rows, 170)), draws.normal(size=(rows, 60))
    monkeypatch.setattr(arrays, "WORK", 5_000)
    np.testing.assert_allclose(array.forward(pre), pre @ array.weight.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(array.transposed(post), post @ array.weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(2 * arrays.OUTPUTS + 3, 7), (3, 2 * arrays.COLUMNS + 9)])
def test_tiles_cover_the_weight_once(shape):
    array, seen = make(shape), contrast(shape)
    before = array.weight.copy()
    array.update(seen, 0.1)
    np.testing.assert_allclose(array.weight, before - 0.1 * seen.weight_gradient(), rtol=0, atol=1e-13)


def test_an_array_owns_its_weights():
    weight, bias = np.ones((2, 3)), np.ones(2)
    array = arrays.ideal(weight, bias, SGD(), Workers(1), "float64")
    array.update(contrast((2, 3)), 1.0)
    assert (weight == 1).all() and (bias == 1).all()
    array.state()["weight"][:] = 9
    assert not (array.weight == 9).any()


@pytest.mark.parametrize("rule", [Adam(), SGD(momentum=0.9)], ids=["adam", "sgd"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_counted(rule, value):
    array = make((3, 4), rule)
    array.weight[1, 2] = array.weight[2, 3] = value
    array.bias[0] = value
    assert array.update(contrast((3, 4)), 0.1) == 3


@pytest.mark.parametrize("name", RULES)
def test_state_round_trip(name):
    one, other = make((3, 4), RULES[name]), make((3, 4), RULES[name], seed=5)
    one.update(contrast((3, 4)), 0.1)
    state = one.state()
    other.weight[:], other.bias[:] = state["weight"], state["bias"]
    other.load(state)
    for step in (2, 3):
        one.update(contrast((3, 4), seed=step), 0.1)
        other.update(contrast((3, 4), seed=step), 0.1)
    assert one.state().keys() == other.state().keys()
    for part, values in one.state().items():
        np.testing.assert_array_equal(other.state()[part], values)


def test_no_bias_no_bias_state():
    array = make((3, 4), Adam(), bias=False)
    array.update(contrast((3, 4)), 0.1)
    assert set(array.state()) == {"weight", "weight.first_moment", "weight.second_moment", "updates"}


@pytest.mark.parametrize("columns", [1, 2, 37])
def test_halves_hold_every_weight_and_the_first_is_it_rounded(columns):
    bits = np.random.default_rng(0).integers(0, 2**32, (300, columns), dtype=np.uint32)
    told = [0, 2**31, 0x7F800000, 0xFF800000, 0x7FC00000, 1, 0x7F7FFFFF, 0x3F808000, 0x3F818000, 0x3F807FFF, 0xBF808000]
    bits[: len(told), 0] = told
    bits[len(told) : len(told) + 4, 0] = 0x7F800001, 0x7FFFFFFF, 0xFF808000, 0xFFFFFFFF
    weight, form = bits.view(np.float32).copy(), np.zeros(1, dtype=bool)
    bits = np.where(np.isnan(weight), bits & 0x80000000 | 0x7FC00000, bits)  # others would be carried to 0 or infinity
    array_kernels.split_rows(weight, form)
    first = weight.view(np.uint16)[:, :columns].astype(np.uint32) << 16
    np.testing.assert_array_equal(first, ((bits.astype(np.uint64) + 0x8000) & 0xFFFF0000).astype(np.uint32))
    assert form.all()
    array_kernels.join_rows(weight, form)
    np.testing.assert_array_equal(weight.view(np.uint32), bits)
    assert not form.any()


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_rules_write_the_same_to_halves(beta):
    draw, f = np.random.default_rng(0), np.float32
    tile, shape = (1, 4, 2, 9), (5, 11)
    gradient = draw.normal(size=(3, 7)).astype(f)
    found = []
    for halves in (False, True):
        weight, first, second = (np.random.default_rng(1).uniform(0.1, 1, shape).astype(f) for _ in range(3))
        place = weight
        if halves:
            array_kernels.split_rows(weight, np.zeros(1, dtype=bool))
            place = weight.view(np.uint16)
        rule, adam = (array_kernels.sgd_halves, array_kernels.adam_halves) if halves else arrays.WHOLE[::-1]
        momentum = first if beta else first[:0]
        assert rule(place, momentum, *tile, gradient, f(0.3), f(0.1), f(0.9), f(beta)) == 0
        speeds = (f(x) for x in (0.3, 0.1, 0.9, 0.8, 0.99, 0.2, 0.01, 0.5, 0.1, 1e-8))
        assert adam(place, first, second, *tile, gradient, *speeds) == 0
        if halves:
            array_kernels.join_rows(weight, np.ones(1, dtype=bool))
        found.append((weight, first, second))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
