"""What is left out, and what is said of it: walks against pulses one by one, halves, rows of a single cycle, misfit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from hw_models.measured import curves, held_out, laws
from hw_models.measured.arrays import curves_of
from hw_models.measured.laws import FittedResponse

WAY = [1] * 40 + [-1] * 40


def measured(cycles: int, devices: int = 3, bent: float = 0.0, seed: int = 0) -> curves.Curves:
    """Return curves of steps that fall with the weight; ``bent`` by its square too."""
    draw = np.random.default_rng(seed).normal
    rows = []
    for _ in range(devices):
        w, row = -0.6, [-0.6]
        for sign in cycles * WAY:
            step = 0.03 * (1 - 0.5 * sign * w - bent * w**2)
            w += sign * step * (1 + 0.3 * draw())
            row.append(w)
        rows.append(row)
    return curves_of(10 + 5 * np.array(rows), cycles * WAY)


def fitted(found: curves.Curves, response: str) -> FittedResponse:
    """Fit one response."""
    return laws.fit(laws.scaled(found, (5.0, 15.0), curves.reached(found)), response, form=("noise",))


@pytest.fixture(scope="module")
def linear() -> FittedResponse:
    """Of four cycles."""
    return fitted(measured(4), "linear")


def test_a_walk_is_pulses_one_by_one(linear: FittedResponse) -> None:
    devices, table = linear.best.problem.placed(linear.best.own, linear.best.shared)
    p = devices[0]
    w = -0.5
    for _ in range(7):
        w += p[0] * (1 - p[8] * w)
    for _ in range(4):
        w -= p[1] * (1 + p[9] * w)
    there = held_out._walk(linear, -0.5, 7, p, table)
    assert held_out._walk(linear, there, -4, p, table) == pytest.approx(w, abs=1e-12)


def test_halves_are_cycles_in_turn(linear: FittedResponse) -> None:
    found = held_out.held_out(linear, linear.best.mask)
    assert found.parts.shape == (3, 2)
    assert found.pulses == linear.best.mask.sum()
    assert found.r2 == pytest.approx(found.best, abs=0.002)
    assert found.r2 > 0.99
    assert found.curve > 0.99
    # The score is the log-likelihood of what was left out, and so below that of what was fitted.
    assert found.score <= -linear.best.loss / linear.best.mask.sum() + 0.02


def test_of_a_single_cycle_rows_are_left_out() -> None:
    one = fitted(measured(1), "linear")
    found = held_out.held_out(one, one.best.mask)
    assert np.isnan(found.curve)
    assert found.pulses == one.best.mask.sum()
    assert (found.parts != 0).all()
    assert found.r2 > 0.99


def test_a_wrong_response_says_less_of_what_is_left_out(linear: FittedResponse) -> None:
    constant = fitted(measured(4), "constant")
    common = linear.best.mask & constant.best.mask
    right, wrong = (held_out.held_out(one, common) for one in (linear, constant))
    assert right.score > wrong.score + 0.05
    assert right.pulses == wrong.pulses
    assert wrong.curve < right.curve


def test_misfit_tells_a_step_that_is_bent() -> None:
    for bent, fits in ((0.0, True), (0.8, False)):
        found = measured(8, devices=4, bent=bent)
        total, bins = held_out.misfit(fitted(found, "linear"))
        assert bins == 20
        assert (total < 45) == fits, total


def test_readings_of_less_than_two_bins_have_no_misfit() -> None:
    found = measured(1, devices=1)
    rows = np.r_[:20, 41:60]
    few = curves.Curves(found.conductance[:, rows], found.pulses[:, rows], found.cycle[:, rows], found.names)
    assert held_out.misfit(fitted(few, "constant")) == (0.0, 0)


def test_misfit_of_few_readings_is_as_improbable_as_it_says() -> None:
    """With a right response chi^2 of some bins of ten readings exceeds its 5 % level in about 5 % of the sets."""
    seen = [held_out.misfit(fitted(measured(1, devices=1, seed=seed), "linear")) for seed in range(60)]
    assert {bins for _, bins in seen} <= {6, 7, 8}
    beyond = sum(chi2.sf(total, bins) < 0.05 for total, bins in seen)
    assert beyond <= 9
    wrong = [held_out.misfit(fitted(measured(1, devices=1, bent=1.5, seed=seed), "constant")) for seed in range(5)]
    assert all(chi2.sf(total, bins) < 1e-3 for total, bins in wrong), wrong


def test_cycles_of_unlike_lengths_have_no_mean_curve() -> None:
    found = measured(2)
    cut = curves.Curves(found.conductance[:, :-9], found.pulses[:, :-9], found.cycle[:, :-9], found.names)
    one = fitted(cut, "linear")
    assert np.isnan(held_out.held_out(one, one.best.mask).curve)


def test_a_course_begins_with_each_cycle_at_the_reading_ahead_of_it(linear: FittedResponse) -> None:
    said, data = held_out.mean_courses(linear, 170), linear.data
    devices, _ = linear.best.problem.placed(linear.best.own, linear.best.shared)
    first = int(np.flatnonzero(np.diff(data.cycle[0]))[0]) + 1
    assert said.shape == (3, 170) and (said[:, 0] == data.readings[:, 0]).all() and 80 <= first <= 81
    for d in range(3):
        for start in (0, first - 1):
            w = data.readings[d, start]
            for k in range(start + 1, start + 6):
                w += devices[d, 0] * (1 - devices[d, 8] * w)
                assert said[d, k] == pytest.approx(w, abs=1e-12)
    assert np.abs(said[:, 40:80] - data.readings[:, 40:80]).max() > 0
