"""Formulas: exact for polynomials, of the order and the condition that they say, and pairs that add up to them."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from hw_models.text import shown
from neuroep.errors import ConfigError
from neuroep.gradients import formulas
from neuroep.gradients.formulas import Formula, central, derivative

POINTS = (2, 4, 6, 8, 12, 16)
EVERY = (*formulas.plain(), *(central(points) for points in POINTS))
every_formula = pytest.mark.parametrize("formula", EVERY, ids=lambda formula: formula.name)


def slope(formula, coefficients):
    """What a formula makes of a polynomial, lowest coefficient first."""
    values = np.polynomial.polynomial.polyval(np.array(formula.nudges), coefficients)
    return float(np.array(formula.weights) @ values)


@every_formula
def test_exact_up_to_its_order_and_no_further(formula):
    rng = np.random.default_rng(1)
    coefficients = rng.normal(size=formula.order + 1)
    assert slope(formula, coefficients) == pytest.approx(coefficients[1], abs=1e-12)
    further = np.append(np.zeros(formula.order + 1), 1.0)
    assert abs(slope(formula, further)) > 1e-7


@pytest.mark.parametrize("points", POINTS)
def test_order_is_the_number_of_points_and_the_error_term_that_of_the_docstring(points):
    formula = central(points)
    assert (formula.order, len(formula.nudges), max(formula.nudges)) == (points, points, 1.0)
    assert abs(formula.moment(points + 1)) == pytest.approx(2.0 ** (2 - points), rel=1e-6)


def test_order_of_the_others():
    assert {formula.name: formula.order for formula in formulas.plain()} == {"centred": 2, "positive": 1, "negative": 1}


def test_four_points_are_the_textbook_formula():
    """(f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h with h = 1/2."""
    formula = central(4)
    found = dict(zip(formula.nudges, formula.weights, strict=True))
    assert found == {1.0: pytest.approx(-1 / 6), -1.0: pytest.approx(1 / 6), 0.5: pytest.approx(4 / 3),
                     -0.5: pytest.approx(-4 / 3)}  # fmt: skip


@pytest.mark.parametrize("points", POINTS)
def test_no_other_nudges_have_a_smaller_sum_of_weights(points):
    """It is points - 1; random nudges within +-1, opposite or not, never do better, nor do equal distances."""
    assert central(points).condition == pytest.approx(points - 1, rel=1e-9)
    rng = np.random.default_rng(points)
    for _ in range(200):
        half = rng.uniform(0.05, 1, points // 2)
        for nudges in ((*half, *-half), tuple(rng.uniform(-1, 1, points))):
            assert np.abs(derivative(nudges)).sum() > points - 1 - 1e-9
    equal = [sign * (k + 1) / (points / 2) for k in range(points // 2) for sign in (1, -1)]
    assert np.abs(derivative(equal)).sum() >= points - 1 - 1e-9


def test_equal_distances_of_six_points_have_the_condition_that_the_docstring_says():
    assert np.abs(derivative([1, -1, 2 / 3, -2 / 3, 1 / 3, -1 / 3])).sum() == pytest.approx(5.5)


@pytest.mark.parametrize("nudges", [(0.0, 0.5, 1.0), (0.3, -0.2, 0.9, -1.0), (-1.0, 1.0)])
def test_weights_of_any_nudges_solve_the_moment_equations(nudges):
    """The slow way: a Vandermonde system."""
    powers = np.vander(np.array(nudges), increasing=True).T
    wanted = np.linalg.solve(powers, np.eye(len(nudges))[1])
    np.testing.assert_allclose(derivative(nudges), wanted, rtol=1e-12, atol=1e-14)


@every_formula
def test_opposite_nudges_have_exactly_opposite_weights(formula):
    weights = dict(zip(formula.nudges, formula.weights, strict=True))
    for nudge, weight in weights.items():
        if -nudge in weights and nudge:
            assert weights[-nudge] == -weight


@every_formula
def test_differences_add_up_to_the_formula(formula):
    total = dict.fromkeys(formula.nudges, 0.0)
    for pair in formula.differences:
        total[pair.plus] += pair.weight
        total[pair.minus] -= pair.weight
    assert total == {n: pytest.approx(w, abs=1e-14) for n, w in zip(formula.nudges, formula.weights, strict=True)}
    weights = [pair.weight for pair in formula.differences]
    assert min(weights) > 0 and weights == sorted(weights, reverse=True)
    assert math.fsum(pair.share for pair in formula.differences) == pytest.approx(1, abs=1e-14)


def test_one_pair_has_the_whole_share():
    """Exactly, as two states are contrasted with the arithmetic of two states."""
    assert [formula.differences for formula in formulas.plain()] == [((1, -1, 1),), ((1, 0, 1),), ((0, -1, 1),)]


def test_nudges_on_one_side_are_compared_with_the_free_state():
    formula = Formula("one side", (0.0, 0.5, 1.0), derivative((0.0, 0.5, 1.0)))
    assert formula.differences == ((0.5, 0.0, 2.0), (0.0, 1.0, -1.0))
    assert (formula.order, formula.nudged) == (2, (0.5, 1.0))


def test_random_draws_one_of_two():
    assert [formula.name for formula in formulas.formulas("random")] == ["negative", "positive"]


def test_names():
    assert [formulas.named(formula.name) for formula in EVERY] == list(EVERY)
    for name in ("centered", "3 points"):
        with pytest.raises(ConfigError):
            formulas.named(name)


@pytest.mark.parametrize("points", [3, 1, 0, -2, True, 4.0, "4", None, 18, 1000, 10**30])
def test_points_come_in_pairs_and_are_few(points):
    allowed = "allowed are even whole numbers from 2 to 16, as nudges come in opposite pairs"
    for build in (lambda: formulas.formulas("centred", points), lambda: central(points)):
        with pytest.raises(ConfigError, match=f"^points = {re.escape(shown(points))}: {allowed}$"):
            build()


def test_points_of_any_whole_type():
    assert formulas.formulas("centred", np.int64(4)) == (central(4),)
    with pytest.raises(ConfigError, match=r"^points = 18: allowed"):
        central(np.int64(18))
    assert type(formulas.check_points("centred", np.int64(4))) is int


@pytest.mark.parametrize("points", [32, 40])
def test_order_is_exact_where_the_error_term_is_below_any_threshold(points):
    """2^(2 - N), 1e-9 at N = 32, is no rounding."""
    sides = [round(math.cos(math.pi * j / (points - 1)), 15) for j in range(points // 2)]
    nudges = tuple(nudge for side in sides for nudge in (side, -side))
    assert Formula("many", nudges, derivative(nudges)).order == points


def test_order_of_weights_that_are_rounded_otherwise_or_of_a_lower_order():
    assert Formula("four", (1.0, -1.0, 0.5, -0.5), (-0.16666666666666669, 1 / 6, 4 / 3, -4 / 3)).order == 4
    assert Formula("mean", (1.0, -1.0, 0.5, -0.5), (0.25, -0.25, 0.5, -0.5)).order == 2
    assert Formula("one of four", (1.0, -1.0, 0.5, -0.5), (0.5, -0.5, 0.0, 0.0)).order == 2


@pytest.mark.parametrize("kind", ["positive", "negative", "random"])
def test_only_centred_takes_more_than_two(kind):
    with pytest.raises(ConfigError, match=f"^points = 4: estimator '{kind}' has two, only centred takes more$"):
        formulas.formulas(kind, 4)


@pytest.mark.parametrize(
    ("nudges", "weights", "message"),
    [
        ((1.0, -1.0), (0.5,), "give each nudge once"),
        ((1.0, 1.0), (0.5, -0.5), "give each nudge once"),
        ((1.0, 0.0), (math.inf, -1.0), "finite numbers"),
        ((1.0, 0.0), (1.0, 1.0), "are no derivative"),
        ((1.0, 0.0), (2.0, -2.0), "are no derivative"),
    ],
)
def test_what_is_no_derivative_is_refused(nudges, weights, message):
    with pytest.raises(ConfigError, match=message):
        Formula("mine", nudges, weights)
