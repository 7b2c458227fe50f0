"""Columns that are read one by one: those of products with one line driven, and counted as such."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays import single_lines
from hw_models.arrays.columns import read_columns
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip

WEIGHT = np.random.default_rng(0).normal(size=(5, 80)).astype("f4")
COLUMNS = np.r_[79, 3:70]
CHIPS = {
    "exact": {"crossbar": {"weight_range": 5.0}},
    "mismatch": {"device": {"mismatch": 0.2}},
    "wires": {"wires": {"r_word": 20.0, "r_bit": 20.0}, "crossbar": {"rows": 9, "mapping": "offset"}},
    "converters": {"dac": {"bits": 8, "range": 1.0}, "adc": {"bits": 6, "range": 0.7}},
    "repeats": {"device": {"read_noise": 0.1}, "crossbar": {"repeats": 3}},
    "noise": {"adc": {"bits": 6, "range": 3.0}, "device": {"read_noise": 0.1, "read_noise_law": "sqrt"}},
    "digits": {"dac": {"bits": 8, "range": 1.0, "digit_bits": 3}, "adc": {"bits": 6, "range": 0.7}},
    "noisy DAC": {"dac": {"bits": 8, "range": 1.0, "noise": 0.02}, "device": {"read_noise": 0.1}},
    "tiles": {"crossbar": {"rows": 30, "columns": 3}, "device": {"read_noise": 0.1, "mismatch": 0.1}},
}


@pytest.mark.parametrize("name", CHIPS)
def test_a_column_is_the_product_with_one_line_driven(name):
    bars = [Crossbar(Chip.parse(CHIPS[name]), WEIGHT.shape, seed=1) for _ in range(2)]
    for bar in bars:
        bar.program(WEIGHT)
    lines = np.eye(80, dtype="f4")[COLUMNS]
    with bars[0].tally.now.metering(), bars[1].tally.now.metering():
        found = read_columns(bars[0], COLUMNS)
        wanted = np.concatenate([bars[1].forward(lines[a : a + 34]) for a in (0, 34)]).T / bars[1].weight_range
    np.testing.assert_allclose(found, wanted, atol=1e-6 if name in ("exact", "mismatch") else 0)
    assert bars[0].counters == bars[1].counters
    assert dict(bars[0].tally.rows()) == dict(bars[1].tally.rows())


def test_only_rows_that_drive_one_line_go_without_a_product():
    driven = np.array([[0, 2.0, 0], [0, 0, 3.0]], "f4")
    matrix, out = np.random.default_rng(1).normal(size=(4, 3)).astype("f4"), np.full((2, 4), 7, "f4")
    lines = single_lines.alone(driven, np.array([1, 2]))
    assert lines is not None and single_lines.alone(driven + np.float32(0.1), lines) is None
    assert single_lines.alone(driven, np.array([1, 1])) is None
    for first in (0, 1, 2, 3):  # tiles that hold both lines, one of them, or none
        single_lines.product(driven[:, first:], matrix[:, first:], lines - first, out)
        np.testing.assert_array_equal(out, driven[:, first:] @ matrix[:, first:].T)


@pytest.mark.parametrize("most", [0.3, 1.0, 4.0])
def test_columns_do_not_go_by_the_range_of_the_dac(most):
    bar = Crossbar(Chip.parse({"dac": {"bits": 8, "range": most}, "crossbar": {"weight_range": 5.0}}), WEIGHT.shape)
    bar.program(WEIGHT)
    np.testing.assert_allclose(read_columns(bar, COLUMNS), bar.weights()[:, COLUMNS] / 5, atol=1e-6)
    assert bar.counters["dac_at_stop"] == 0
