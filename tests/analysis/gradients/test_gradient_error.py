"""Error against beta: its slopes, its agreement with the estimators, and what is left out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.gradients import gradient_error
from analysis.gradients.gradient_error import Agreement, against_beta, agreements, slope
from neuroep.gradients.formulas import CENTRED, NEGATIVE, central
from neuroep.gradients.yardsticks import Implicit
from tests import cases


def measured(potential: str = "smooth_sigmoid", betas: tuple[float, ...] = (3e-3, 1e-2, 3e-2, 0.1)) -> list[Agreement]:
    net = cases.network("inference", potential=potential)
    engine = cases.engine("cpu", net)
    clamped = engine.clamp(cases.batch(net))
    free = engine.settle(clamped, cases.TIGHT)
    exact = Implicit(cases.TIGHT).gradient(engine, clamped)
    return against_beta(engine, clamped, free, exact, betas, cases.TIGHT)


@pytest.fixture(scope="module")
def smooth() -> list[Agreement]:
    return measured()


@pytest.mark.parametrize(("kind", "power"), [("centred", 2), ("positive", 1), ("negative", 1)])
def test_error_falls_with_the_power_of_the_estimator(smooth: list[Agreement], kind: str, power: int) -> None:
    names = {row.parameter for row in smooth}
    assert len(names) == 8
    for name in names:
        assert slope(smooth, name, kind) == pytest.approx(power, abs=0.1), name


@pytest.mark.parametrize("potential", ["smooth_sigmoid", "hard_sigmoid"])
def test_error_falls_with_the_number_of_points(potential: str) -> None:
    """Also where neurons clip, as long as no nudge pushes one over a kink; the two-state rows are what they were."""
    net = cases.network("inference", potential=potential)
    engine = cases.engine("cpu", net, cases.parameters(net, scale=0.5 if potential == "hard_sigmoid" else 2.0))
    clamped = engine.clamp(cases.batch(net))
    free, exact = engine.settle(clamped, cases.TIGHT), Implicit(cases.TIGHT).gradient(engine, clamped)
    formulas = (*gradient_error.PLAIN, central(4), central(6))
    betas = (0.03, 0.1, 0.3)
    rows = against_beta(engine, clamped, free, exact, betas, cases.TIGHT, formulas)
    assert [row for row in rows if row.estimator in gradient_error.KINDS] == against_beta(
        engine, clamped, free, exact, betas, cases.TIGHT
    )
    for name in exact:
        for formula in formulas:
            assert gradient_error.fall(rows, name, formula) == pytest.approx(formula.order, rel=0.12), (name, formula)


def test_a_neuron_over_a_kink_is_told() -> None:
    """Beyond it four points are no better than two; the exponent is read from smaller nudges."""
    net = cases.network("inference", potential="hard_sigmoid")
    engine = cases.engine("cpu", net, cases.parameters(net, scale=0.5))
    clamped = engine.clamp(cases.batch(net))
    free, exact = engine.settle(clamped, cases.TIGHT), Implicit(cases.TIGHT).gradient(engine, clamped)
    rows = against_beta(engine, clamped, free, exact, (0.05, 0.1, 0.2, 1.9), cases.TIGHT, (central(4),))
    assert {row.beta: row.kinked for row in rows} == {0.05: False, 0.1: False, 0.2: False, 1.9: True}
    outputs = engine.outputs(engine.settle(clamped, cases.TIGHT, -1.9, free))
    assert outputs.min() == 0 < engine.outputs(free).min()
    for name in exact:
        assert gradient_error.fall(rows, name, central(4)) == pytest.approx(4, abs=0.3)


def test_exponents_of_all_formulas_leave_kinks_out() -> None:
    """Errors jump over a kink; where it leaves too few betas above the floor, smaller errors tell, and last all do."""
    clean = {1e-3: 1e-8, 3e-3: 9e-8, 1e-2: 1e-6, 3e-2: 9e-6}
    below = [Agreement("w", "centred", beta, 1.0, error) for beta, error in clean.items()]
    over = [Agreement("w", "centred", beta, 1.0, error, kinked=True) for beta, error in {0.05: 5e-4, 0.1: 3e-3}.items()]
    more = Agreement("w", "centred", 0.02, 1.0, 4e-6)
    for rows in ([*below, more, *over], [*below, *over]):
        assert gradient_error.fall(rows, "w", CENTRED) == pytest.approx(2, abs=1e-6)
    kinked = slope(over, "w", "centred")
    assert kinked > 2.5 and gradient_error.fall(over, "w", CENTRED) == pytest.approx(kinked)
    one_sided = [Agreement("w", "negative", beta, 1.0, beta) for beta in (1e-3, 1e-2)]
    jump = Agreement("w", "negative", 0.1, 1.0, 1.0, kinked=True)
    assert gradient_error.fall([*one_sided, jump], "w", NEGATIVE) == pytest.approx(1)


def test_cosine_and_error_tell_the_same(smooth: list[Agreement]) -> None:
    for row in smooth:
        assert 1 - row.cosine <= row.error**2


def test_rows_are_those_of_the_estimators() -> None:
    net = cases.network()
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    clamped = engine.clamp(batch)
    exact = Implicit(cases.TIGHT).gradient(engine, clamped)
    free = engine.settle(clamped, cases.TIGHT)
    rows = against_beta(engine, clamped, free, exact, (0.2,), cases.TIGHT)
    for kind in gradient_error.KINDS:
        wanted = agreements(cases.estimator(kind, 0.2).gradient(engine, batch), exact, kind, 0.2)
        found = [row for row in rows if row.estimator == kind]
        np.testing.assert_allclose([row.error for row in found], [row.error for row in wanted], rtol=1e-6)


@pytest.mark.parametrize(("potential", "highest"), [("tanh", 0.3), ("hard_sigmoid", 1.0)])
def test_nudges_that_lose_convexity_are_left_out(potential: str, highest: float) -> None:
    rows = measured(potential, (0.3, 1.0, 2.0))
    assert max(row.beta for row in rows) == highest


def test_vanishing_gradient_has_no_error() -> None:
    row, other = agreements({"a": np.ones(3), "b": np.ones(2)}, {"a": np.zeros(3), "b": np.ones(2)}, "centred", 0.1)
    assert math.isnan(row.error) and math.isnan(row.cosine)
    assert (other.error, other.cosine) == (0.0, pytest.approx(1.0))


def test_slope_reads_no_rounding_and_no_large_beta() -> None:
    errors = {1e-4: 1e-12, 1e-2: 1e-4, 0.1: 1e-2, 1.0: 9.0}
    rows = [Agreement("w", "centred", beta, 1.0, error) for beta, error in errors.items()]
    assert slope(rows, "w", "centred") == pytest.approx(2)
    assert math.isnan(slope(rows[:2], "w", "centred"))
    assert math.isnan(slope(rows, "w", "positive"))
