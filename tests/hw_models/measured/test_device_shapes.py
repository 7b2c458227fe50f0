"""Curves with a size and a shape of every device, against SciPy's fit of one device after the other."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import curve_fit

from hw_models.measured.current_fit import ENDS, STARTS, _f, fit_currents
from hw_models.measured.device_shapes import shapes
from tests.benchmarks.law_coverage import table
from tests.naive.law_measurements import currents

X = np.tile(np.linspace(-1, 1, 21), (4, 1))
SEEN = np.ones_like(X, dtype=bool)


@pytest.mark.parametrize(("law", "truth"), [("cubic", 0.3), ("sinh", 4.0), ("sinh", 0.2), ("sinh", -0.4)])
def test_shapes_are_those_of_one_device_after_the_other(law: str, truth: float) -> None:
    draw = np.random.default_rng(2)
    y = np.array([[0.9], [1.0], [1.1], [1.2]]) * _f(law, truth, X) + 0.01 * draw.normal(size=X.shape)
    found = shapes(partial(_f, law), X, y, SEEN, STARTS[law], ENDS[law])
    for d in range(4):
        best, covariance = curve_fit(lambda x, q, size: size * _f(law, q, x), X[d], y[d], (truth, 1.0))
        assert (found.shape[d], found.size[d]) == pytest.approx(tuple(best), rel=0.01, abs=5e-3)
        assert np.sqrt(found.variance[d]) == pytest.approx(np.sqrt(covariance[0, 0]), rel=0.6)


def test_one_formula_through_the_line() -> None:
    v = np.linspace(-1, 1, 5)
    assert _f("sinh", 2.25, v) == pytest.approx(np.sinh(1.5 * v) / math.sinh(1.5))
    assert _f("sinh", 1e-7, v) == pytest.approx(v, abs=1e-6)
    assert _f("sinh", -1e-4, v) == pytest.approx(_f("sinh", 1e-4, v), abs=1e-4)


def test_one_far_reading_hardly_counts() -> None:
    y = 1.0 * _f("cubic", 0.3, X) + 0.01 * np.random.default_rng(4).normal(size=X.shape)
    plain = shapes(partial(_f, "cubic"), X, y, SEEN, STARTS["cubic"], ENDS["cubic"])
    y[1, 3] += 1.0
    spoilt = shapes(partial(_f, "cubic"), X, y, SEEN, STARTS["cubic"], ENDS["cubic"])
    assert (np.abs(spoilt.shape - plain.shape) < 3 * np.sqrt(plain.variance)).all()


def test_currents_that_hardly_bend_are_not_bent_by_noise(tmp_path: Path) -> None:
    """Of a itself, which noise cannot take below 0, the mean came out too large."""
    inside, values = [], []
    for seed in range(12):
        columns, truth = currents((9, seed), 10, "sinh", 0.5, noise=0.0, additive=0.02)
        one = fit_currents(table(columns), asked="sinh").estimates["iv_voltage"]
        inside.append(one.low <= truth["iv_voltage"] <= one.high)
        values.append(one.value)
    assert sum(inside) >= 10
    assert np.median(values) == pytest.approx(1.0, rel=0.25)


def test_of_a_line_the_voltage_has_no_upper_end(tmp_path: Path) -> None:
    for seed in range(5):
        columns, _ = currents(seed, 5, "linear", 0.0, additive=0.02)
        fit = fit_currents(table(columns), asked="sinh")
        one = fit.estimates["iv_voltage"]
        if not one.told:
            assert one.high == math.inf
            assert any(note.startswith("Currents hardly bend: iv_voltage is ") for note in fit.notes)
            return
    pytest.fail("five sets of lines all bend clearly")
