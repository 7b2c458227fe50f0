"""Fisher's scoring: the gradient against differences of the likelihood, and its maximum against a plain search."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from hw_models.kernels import following
from hw_models.measured import likelihood
from hw_models.measured.likelihood import Maximum, Problem, Unknown, loss_of, maximum
from tests.naive.pulse_curves import ANEW, log_likelihood

TRUTH = (0.03, 0.02, 0.4, 0.7, 0.015, 3e-5)
"""Steps up and down, slopes, noise, variance of a reading."""


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Three devices of affine steps, 2 x 40 pulses."""
    random = np.random.default_rng(5)
    signs = np.array([1] * 40 + [-1] * 40)
    rows = []
    for gain in (0.8, 1.0, 1.3):
        w, row = -0.5, []
        for sign in (0, *signs):
            step = gain * (TRUTH[0] * (1 - TRUTH[2] * w) if sign > 0 else TRUTH[1] * (1 + TRUTH[3] * w))
            w += sign * step + abs(sign) * TRUTH[4] * random.normal()
            row.append(w + np.sqrt(TRUTH[5]) * random.normal())
        rows.append(row)
    devices = np.zeros((3, 12))
    devices[:, 6:8] = -9, 9
    own = (Unknown("up", 0, 1e-9, np.inf, 0.03), Unknown("down", 1, 1e-9, np.inf, 0.02))
    shared = (Unknown("up", 8, scale=0.1), Unknown("down", 9, scale=0.1), Unknown("state", 3, 0, np.inf, 0.1))
    shared += (Unknown("read", 5, 0, np.inf, 1e-5),)
    pulses = np.tile(np.r_[ANEW, signs], (3, 1))
    return Problem(following.AFFINE, False, np.array(rows), pulses, devices, np.ones((3, 3)), own, shared)


@pytest.fixture(scope="module")
def best(problem: Problem) -> Maximum:
    """Its maximum."""
    return maximum(problem, np.array([[0.02, 0.02]] * 3), np.array([0.1, 0.1, 0.3, 1e-5]))


def test_the_loss_is_that_of_one_normal_vector(problem: Problem) -> None:
    own, shared = np.array([[0.024, 0.016], [0.03, 0.02], [0.039, 0.026]]), np.array([0.4, 0.7, 0.7, 1e-4])
    mask = np.isfinite(problem.readings) & (problem.pulses != ANEW)
    mine = loss_of(problem.innovations(own, shared), mask)
    for d, (up, down) in enumerate(own):
        args = (problem.pulses[d, 1:], up, down, 0.4, 0.7, 0.7 * up, 0.7 * down, 1e-4)
        assert mine[d] == pytest.approx(-log_likelihood(problem.readings[d], *args), rel=1e-9)


def test_the_maximum_is_that_of_a_plain_search(problem: Problem, best: Maximum) -> None:
    scale = np.array([0.03, 0.02] * 3 + [0.5, 0.5, 0.5, 1e-4])

    def loss(p: np.ndarray) -> float:
        p = p * scale
        found = problem.innovations(p[:6].reshape(3, 2), np.maximum(p[6:], [-9, -9, 1e-3, 1e-9]))
        return float(loss_of(found, best.mask).sum())

    start = np.concatenate([best.own.ravel(), best.shared]) / scale
    searched = minimize(loss, start * 1.02 + 0.01, method="Nelder-Mead", options={"maxiter": 6000, "fatol": 1e-7})
    assert best.loss <= searched.fun + 2e-3
    assert best.loss == pytest.approx(loss(start), abs=1e-9)
    assert best.own.mean(axis=0) == pytest.approx([0.031, 0.0207], rel=0.2)


def test_the_gradient_vanishes_there_and_is_that_of_differences(problem: Problem, best: Maximum) -> None:
    errors = np.sqrt(np.einsum("dii->di", np.linalg.inv(best.information)))
    assert np.abs(best.score * errors)[:, :2].max() < 0.2
    assert np.abs(best.score.sum(axis=0) * errors.mean(axis=0))[2:].max() < 0.2
    moved = best.shared * 1.1
    score, _ = likelihood.derivatives(problem, best.own, moved, best.mask)
    for n in range(4):
        h = 1e-4 * max(abs(moved[n]), 1e-7)
        ends = [loss_of(problem.innovations(best.own, moved + s * h * np.eye(4)[n]), best.mask).sum() for s in (1, -1)]
        assert score[:, 2 + n].sum() == pytest.approx(-(ends[0] - ends[1]) / (2 * h), rel=0.02, abs=0.02 / max(h, 1e-3))


def test_errors_are_those_of_the_information(best: Maximum) -> None:
    covariance, inverse, goes = likelihood.spread_of(best)
    whole = np.zeros((10, 10))
    for d in range(3):
        place = [2 * d, 2 * d + 1, 6, 7, 8, 9]
        whole[np.ix_(place, place)] += best.information[d]
    assert covariance == pytest.approx(np.linalg.inv(whole)[6:, 6:], rel=1e-4, abs=1e-12)
    assert inverse[0] == pytest.approx(np.linalg.inv(best.information[0, :2, :2]), rel=1e-6)
    assert goes.shape == (3, 2, 4)


def test_one_glitch_hardly_counts(problem: Problem, best: Maximum) -> None:
    readings = problem.readings.copy()
    readings[1, 30] += 0.5
    spoilt = Problem(*(readings if name == "readings" else getattr(problem, name) for name in vars(problem)))
    found = maximum(spoilt, best.own, best.shared)
    errors = np.sqrt(np.diag(likelihood.spread_of(best)[0]))
    assert (np.abs(found.shared - best.shared)[:2] < 3 * errors[:2]).all()


def test_parameters_stay_within_their_ends(problem: Problem, best: Maximum) -> None:
    shared = tuple(Unknown(one.name, one.column, 0.9 if one.name == "up" else one.low, one.high, one.scale)
                   for one in problem.shared)  # fmt: skip
    kept = Problem(*(shared if name == "shared" else getattr(problem, name) for name in vars(problem)))
    found = maximum(kept, best.own, best.shared)
    assert found.shared[0] == 0.9
    assert found.held[0]
    assert found.loss > best.loss
    assert likelihood.spread_of(found)[0][0, 0] == 0
