"""Reads of plain chips against those that ask for every tile what else there might be: by bits, or rounding of one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip

WAYS = ("forward", "transposed")
PLAIN = {"crossbar": {"rows": 70, "columns": 32}, "device": {"g_max": 25.0, "read_noise": 0.3}}
DAC, ADC = {"bits": 6, "range": 1.0}, {"bits": 6, "range": 4.0}
VARIED = {"read_noise": 0.1, "read_noise_law": "sqrt", "programming_noise": [0.3]}
CHIPS = {
    "additive": PLAIN | {"dac": DAC, "adc": ADC},
    "no converters": PLAIN,
    "noise of the converter": PLAIN | {"adc": ADC | {"noise": 0.1}, "device": {}},
    "without noise": PLAIN | {"dac": DAC, "adc": ADC, "device": {}},
    "proportional": PLAIN | {"dac": DAC, "adc": ADC, "device": {"read_noise": 0.1, "read_noise_law": "proportional"}},
    "variances and a floor": PLAIN | {"adc": ADC | {"noise": 0.05}, "device": VARIED},
    "slices": PLAIN | {"dac": DAC, "adc": ADC, "crossbar": {"rows": 70, "columns": 32, "slices": 2, "slice_bits": 2}},
    "digital reference": PLAIN | {"dac": DAC, "crossbar": {"mapping": "offset", "reference": "digital"}},
}


def pool(task, parts):
    """Run blocks in threads, the last ones first."""
    with ThreadPoolExecutor(3) as threads:
        found = [threads.submit(task, *part) for part in reversed(parts)]
        return [each.result() for each in reversed(found)]


def read(chip, shape, rows, way, direct, dtype="float32", run=None):
    """Return a product and how many conversions were at the stop."""
    given = {} if run is None else {"run": run}
    bar = Crossbar(Chip.model_validate(CHIPS[chip]), shape, 3, "test", dtype=dtype, **given)
    draw = np.random.default_rng(1)
    bar.program(draw.normal(size=shape).astype(dtype))
    x = draw.uniform(-1.1, 1.1, (rows, shape[way == "forward"])).astype(dtype)
    x[:, ::3] = 0
    edges = bar._row_edges if way == "forward" else bar._column_edges
    plan = bar._plan(way, edges, False)
    assert plan.direct is not None
    if not direct:
        plan.direct = None
    read = bar.forward if way == "forward" else bar.transposed
    read(x)  # so that the number of the read is not 0
    return read(x), {name: number for name, number in bar.counters.items() if name.endswith("at_stop")}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("chip", CHIPS)
def test_bits_are_those_of_a_read_that_looks_at_every_effect(chip, way, dtype):
    found, stops = read(chip, (90, 150), 5, way, True, dtype)
    expected, counted = read(chip, (90, 150), 5, way, False, dtype)
    np.testing.assert_array_equal(found, expected)
    assert stops == counted


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rows", [0, 1, 1030])
@pytest.mark.parametrize("chip", ["additive", "proportional"])
def test_bits_do_not_go_by_the_threads(chip, rows, way):
    """Of more samples than a block has, and more lines than are added in one sum."""
    shape = (40, 9000) if rows < 2 else (40, 100)
    found, stops = read(chip, shape, rows, way, True, run=pool)
    expected, counted = read(chip, shape, rows, way, True)
    np.testing.assert_array_equal(found, expected)
    assert stops == counted
    slow = read(chip, shape, rows, way, False)
    if rows != 1:
        np.testing.assert_array_equal(found, slow[0])
    assert stops == pytest.approx(slow[1], abs=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (31, 70), (33, 71), (90, 150), (66, 260), (40, 9000)])
@pytest.mark.parametrize("chip", CHIPS)
def test_one_sample_is_read_as_among_others(chip, shape, way, dtype):
    """Sums are rounded otherwise, so that a reading within rounding of the middle of two levels may be the next one."""
    found, stops = read(chip, shape, 1, way, True, dtype)
    expected, counted = read(chip, shape, 1, way, False, dtype)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    apart = np.abs(found - expected) > (1e-4 if dtype == "float32" else 1e-11) * np.abs(expected).max()
    assert apart.mean() <= (2e-3 if dtype == "float32" else 0)
    assert stops == pytest.approx(counted, abs=2)


@pytest.mark.parametrize("way", WAYS)
def test_numbers_that_are_not_finite_stay_in_their_outputs(way):
    bar = Crossbar(Chip.model_validate(CHIPS["no converters"]), (90, 150), 3, "test")
    weight = np.random.default_rng(1).normal(size=(90, 150)).astype(np.float32)
    bar.program(weight)
    x = np.ones((1, 150 if way == "forward" else 90), dtype=np.float32)
    x[0, 3] = np.nan
    assert np.isnan(bar.forward(x) if way == "forward" else bar.transposed(x)).all()
