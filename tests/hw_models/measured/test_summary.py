"""What is found, in words."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hw_models.measured import summary
from hw_models.measured.law_fits import LawFit, Sketch, Tried
from hw_models.measured.population import Estimate
from hw_models.measured.response import fit_response

SKETCH = Sketch(np.ones(2), np.ones(2), np.ones(2), np.ones(2), ("x", "y"))


def test_a_number_has_its_interval_unit_and_meaning() -> None:
    lines = summary.estimated(
        {
            "dw_min": Estimate(0.04, 0.038, 0.042).named("weight", "step"),
            "g_max": Estimate(25.0).named("uS", ""),
            "w_max": Estimate(1.0, 0.4, math.inf, told=False).named("weight", "upper bound"),
        }.items()
    )
    assert lines[0].split("  ")[0] == "dw_min"
    assert "[0.038, 0.042]" in lines[0]
    assert lines[0].endswith("weight, step")
    assert "[" not in lines[1]
    assert lines[1].endswith("uS")
    assert "at least 0.4 " in lines[2]
    assert lines[2].endswith("upper bound; not told by these data")


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0.0, 0.1207, "at most 0.1207"), (-math.inf, -0.9, "at most -0.9"), (-1.0, 1.0, ""), (0.0, math.inf, "")],
)
def test_what_is_not_told_has_a_bound_or_nothing(low: float, high: float, shown: str) -> None:
    """Before, the start of a drift read 0.1207 [0, 0.1207]."""
    line = summary.estimated({"x": Estimate(high, low, high, "s", told=False)}.items())[0]
    assert "[" not in line
    assert line[summary.HEAD.index("95 %") :].split("  ")[0] == (shown or "")


def test_columns_stand_below_their_titles() -> None:
    line = summary.estimated({"noise": Estimate(0.3, 0.2, 0.4, "step")}.items())[0]
    assert summary.HEAD.index("value") == line.index("0.3")
    assert summary.HEAD.index("95 %") == line.index("[")
    assert summary.HEAD.index("unit") == line.index("step")


def test_laws_are_listed_with_what_they_are_behind_the_best() -> None:
    tried = (
        Tried("linear", np.array([1.0, 2.0]), 0.9),
        Tried("sinh", np.array([9.0, 9.0]), 0.99),
    )
    found = {"iv_voltage": Estimate(0.25, 0.2, 0.3)}
    fit = LawFit("iv", "sinh", 21, {}, found, tried, 0.004, "of it", SKETCH, ("A note.",))
    lines = summary.of_law(fit)
    assert lines[:2] == ["Current by voltage: 21 points.", "Law 'sinh', residual 0.40% of it."]
    assert any(line.startswith("linear         15 +- 1") for line in lines)
    assert any(line.startswith("sinh           best") for line in lines)
    assert lines[-3:] == ["+-: standard error of the difference to the best", "", "A note."]
    assert fit.r2 == 0.99
    assert not any(line.startswith("Taken") for line in lines)


def test_a_law_that_is_not_the_best_says_why_it_is_taken() -> None:
    tried = (Tried("proportional", np.array([1.0, 2.0, 1.9]), 0.9), Tried("pcm", np.array([1.3, 1.9, 2.0]), 0.9, 1))
    those = "laws that fit the data and are within two standard errors of the best"
    said = f"Taken: proportional, the simplest (fewest free numbers) of the {those}."
    assert said in summary.of_law(LawFit("read_noise", "proportional", 9, {}, {}, tried, 0.1, "of sigma", SKETCH))


def test_a_response_that_is_not_the_best_says_why_it_is_taken() -> None:
    g = 10 + np.cumsum([0.0] + 2 * ([0.1] * 30 + [-0.1] * 30))
    g = g + 0.02 * np.random.default_rng(0).normal(size=(2, 121))
    fit = fit_response(g, 2 * ([1] * 30 + [-1] * 30), response="constant")
    other = replace(fit.candidates[0], response="power", behind=0.0)
    lines = summary.of_response(replace(fit, candidates=(other, replace(fit.candidates[0], behind=0.1, error=0.1))))
    said = "Taken: constant, the simplest of the responses as good as the best"
    assert any(line.startswith(said) for line in lines)


def test_an_interval_without_an_end_says_nothing() -> None:
    """A power law of abrupt devices had a step in [0, 6e+152]."""
    lines = summary.estimated([("dw_min", Estimate(1.03, 0.0, 6e152)), ("up_down", Estimate(0.0, -0.1, 0.1))])
    assert lines[0].split() == ["dw_min", "1.03", ";", "not", "told", "by", "these", "data"]
    assert lines[1].split() == ["up_down", "0", "[-0.1,", "0.1]"]


def test_residuals_with_a_unit_are_no_shares() -> None:
    fit = LawFit("programming", "order 0", 30, {}, {}, (Tried("order 0", np.zeros(2), 0.9),), 0.25, "uS", SKETCH)
    assert summary.of_law(fit)[1] == "Law 'order 0', residual 0.25 uS."


def test_a_response_tells_of_its_curves_and_candidates() -> None:
    g = 10 + np.cumsum([0.0] + 2 * ([0.1] * 30 + [-0.1] * 30))
    g = g + 0.02 * np.random.default_rng(0).normal(size=(2, 121))
    lines = summary.of_response(fit_response(g, 2 * ([1] * 30 + [-1] * 30), response="constant"))
    assert lines[0] == "Response to pulses: 2 devices, 2 cycles, 120 pulses up and 120 down."
    assert lines[1] == "Response 'constant'."
    assert lines[2].startswith("Left out: R2 0.9")
    assert summary.HEAD in lines
    table = next(n for n, line in enumerate(lines) if line.startswith("response "))
    assert lines[table + 1].startswith("constant     best")


def test_a_mean_curve_that_there_is_none_of_says_why() -> None:
    """Before, R2 of the mean curve was blank where a first cycle was shorter than the others."""
    g = 10 + np.cumsum([0.0] + 2 * ([0.1] * 30 + [-0.1] * 30))
    g = g + 0.02 * np.random.default_rng(0).normal(size=(2, 121))
    fit = fit_response(g, 2 * ([1] * 30 + [-1] * 30), response="constant")
    for curve in (math.nan, 0.99):
        one = replace(fit.candidates[0], held=replace(fit.held, curve=curve))
        lines = summary.of_response(replace(fit, candidates=(one,)))
        assert (summary.NO_CURVE in lines) == math.isnan(curve)
