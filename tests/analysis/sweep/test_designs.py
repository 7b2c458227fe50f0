"""Designs: what is read from NAME=VALUES, and which points are made of it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as st

from analysis.sweep.designs import Axis, axis, points
from neuroep.errors import ConfigError

BITS = "chip.adc.bits"


@pytest.mark.parametrize(
    ("text", "name", "choices"),
    [
        ("chip.adc.bits=3:6", BITS, ("3", "4", "5", "6")),
        ("chip.adc.bits=3:10:3", BITS, ("3", "6", "9")),
        ("chip.adc.bits=6:3:-2", BITS, ("6", "4")),
        ("chip.adc.bits=3:5,8,none", BITS, ("3", "4", "5", "8", "none")),
        ("chip.adc.bits=4,4,5", BITS, ("4", "4", "5")),
        ("chip.device.read_noise=0, 0.01,3e-2", "chip.device.read_noise", ("0", "0.01", "3e-2")),
        ("beta=0.1,0.2", "estimator.beta", ("0.1", "0.2")),
        ("--beta=0.1", "estimator.beta", ("0.1",)),
        ("chip=pcm,rram", "chip", ("pcm", "rram")),
        ("network.dense=[64, 2],[128,2]", "network.dense", ("[64, 2]", "[128,2]")),
        ("network.mask=true,false", "network.mask", ("true", "false")),
        ("engine.device=cpu,cuda:0", "engine.device", ("cpu", "cuda:0")),
        ("optimiser.rates.dense_1=1e-3,1e-4", "optimiser.rates.dense_1", ("1e-3", "1e-4")),
        ("data.path='a,b',c", "data.path", ("'a,b'", "c")),
    ],
)
def test_reads_values(text, name, choices):
    assert axis(text) == Axis(name, choices)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chip.adc.bitz=3", "did you mean 'chip.adc.bits'"),
        ("adc.bits=3", "did you mean 'chip.adc.bits'"),
        ("chip.adc.bits", "should be NAME=VALUES"),
        ("=3", "no name"),
        ("chip.adc.bits=", "no values"),
        ("chip.adc.bits=3,,4", "empty value"),
        ("chip.adc.bits=6:3", "'6:3' holds no number"),
        ("chip.adc.bits=1:5:0", "step of '1:5:0' is 0"),
        ("chip.adc.bits=8:3", "'8:3' holds no number: it begins at 8; did you mean '3:8'?"),
        ("chip.adc.bits=3:8:-1", "it begins at 3; did you mean '3:8:1'?"),
        ("chip.adc.bits=1:1000000000", "1000000000 values"),
        ("beta=0.5..0.1", "should rise"),
        ("beta=low..high", "should be numbers"),
        ("beta=log:0..1", "above 0"),
        ("chip.adc.bits=1.5..3", "whole numbers"),
    ],
)
def test_refuses_values(text, message):
    with pytest.raises(ConfigError, match=message) as error:
        axis(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("texts", "design", "count", "message"),
    [
        ([], "grid", None, "design is empty"),
        (["beta=1", "estimator.beta=2"], "grid", None, "given 2 times"),
        (["beta=1"], "gird", None, "did you mean 'grid'"),
        (["beta=1"], "grid", 3, "acts only with design sobol or lhs"),
        (["beta=0..1"], "grid", None, "needs design sobol or lhs"),
        (["beta=1,2", "momentum=0"], "zip", None, "estimator.beta has 2, optimiser.momentum has 1"),
        (["beta=1,1", "momentum=0"], "zip", None, "estimator.beta has 2, optimiser.momentum has 1"),
        (["beta=1,2,1", "momentum=0,0,0"], "zip", None, "the point estimator.beta = 1, optimiser.momentum = 0 2 times"),
        (["beta=0..1"], "sobol", None, "points is not set"),
        (["beta=0..1"], "lhs", 0, "points is 0"),
        (["limit=1:1000", "batch=1:1000"], "grid", None, "more than 100000 points"),
    ],
)
def test_refuses_designs(texts, design, count, message):
    with pytest.raises(ConfigError, match=message):
        points([axis(text) for text in texts], design, count)


def test_grid_and_zip():
    axes = [axis("chip.adc.bits=3:4"), axis("beta=0.1,0.2")]
    names = (BITS, "estimator.beta")
    grid = [dict(zip(names, values, strict=True)) for values in itertools.product("34", ("0.1", "0.2"))]
    assert points(axes) == grid
    assert points(axes, "zip") == [{BITS: "3", names[1]: "0.1"}, {BITS: "4", names[1]: "0.2"}]


def test_zip_keeps_values_that_are_repeated():
    """Before, each value counted once: 2 points of 4."""
    noise = "chip.device.read_noise"
    found = points([axis(f"{noise}=0,0.1,0,0.1"), axis("chip.adc.bits=6,6,4,4")], "zip")
    assert [(point[noise], point[BITS]) for point in found] == [("0", "6"), ("0.1", "6"), ("0", "4"), ("0.1", "4")]


@pytest.mark.parametrize(("design", "count"), [("grid", None), ("sobol", 8), ("lhs", 8)])
def test_other_designs_take_a_repeated_value_once(design, count):
    once, twice = ([axis(f"chip.adc.bits={text}"), axis("chip=pcm,rram")] for text in ("4,5", "4,4,5"))
    assert points(twice, design, count) == points(once, design, count)


def test_sobol_grows_and_lhs_fills_each_row():
    axes = [axis("beta=0..1"), axis("chip=pcm,rram"), axis("chip.adc.bits=3..10")]
    sixteen = points(axes, "sobol", 16)
    assert points(axes, "sobol", 8) == sixteen[:8]
    assert points(axes, "sobol", 16) == sixteen != points(axes, "sobol", 16, seed=1)
    assert {point["chip"] for point in sixteen} == {"pcm", "rram"}
    assert sorted(int(point[BITS]) for point in sixteen) == sorted([*range(3, 11)] * 2)
    filled = points([axis("beta=0..1")], "lhs", 10)
    assert sorted(int(float(point["estimator.beta"]) * 10) for point in filled) == list(range(10))


def test_whole_numbers_coincide_once():
    assert len(points([axis("chip.adc.bits=3..4")], "sobol", 16)) == 2


@given(first=st.integers(-50, 50), count=st.integers(1, 30), step=st.integers(1, 7))
def test_steps_are_a_range(first, count, step):
    last = first + (count - 1) * step
    expected = tuple(str(first + n * step) for n in range(count))
    assert axis(f"momentum={first}:{last}:{step}").choices == expected


@given(low=st.floats(1e-6, 1e3), factor=st.floats(1.001, 1e6), log=st.booleans(), count=st.integers(1, 20))
def test_points_lie_inside(low, factor, log, count):
    high = low * factor
    for point in points([axis(f"beta={'log:' if log else ''}{low!r}..{high!r}")], "lhs", count):
        assert low * (1 - 1e-5) <= float(point["estimator.beta"]) <= high * (1 + 1e-5)


@given(low=st.integers(1, 50), width=st.integers(1, 50), log=st.booleans(), design=st.sampled_from(["sobol", "lhs"]))
def test_whole_points_lie_inside(low, width, log, design):
    found = points([axis(f"batch={'log:' if log else ''}{low}..{low + width}")], design, 9)
    assert all(low <= int(point["training.batch"]) <= low + width for point in found)


@given(st.text(max_size=40))
def test_anything_else_is_one_line(text):
    try:
        axis(text)
    except ConfigError as error:
        assert str(error)
