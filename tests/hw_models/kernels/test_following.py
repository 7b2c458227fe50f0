"""The state of a device, followed: against one normal vector of all readings, and against pulses drawn one by one."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.kernels import following
from tests.naive.pulse_curves import ANEW, log_likelihood

pytestmark = pytest.mark.kernels
TABLE = np.stack([np.linspace(0, 1, 5), np.array([1.6, 1.3, 1.0, 0.6, 0.2]), np.array([0.1, 0.5, 1.0, 1.1, 1.3])])


def followed(form, soft, readings, pulses, p, table=TABLE):
    """Follow one device."""
    found = np.empty((3, 1, len(readings)))
    following.follow(form, soft, np.array([readings]), np.array([pulses]), np.array([p], dtype=float), table, found)
    return found[:, 0]


def test_the_likelihood_is_that_of_one_normal_vector() -> None:
    draw = np.random.default_rng(4).normal
    signs = [1] * 12 + [-1] * 9 + [1] * 5
    readings = np.cumsum(np.r_[0.1, 0.02 * np.array(signs) + 0.01 * draw(size=len(signs))])
    p = [0.03, 0.02, 0.0, 0.5, 0.0, 4e-4, -9.0, 9.0, 0.4, 0.7, 0.0, 0.0]
    v, s, tells = followed(following.AFFINE, False, readings, [ANEW, *signs], p)
    assert tells[1:].all()
    assert (v[0], s[0], tells[0]) == (0.0, 1.0, 0.0)
    mine = -0.5 * (v[1:] ** 2 / s[1:] + np.log(s[1:])).sum()
    assert mine == pytest.approx(log_likelihood(readings, signs, 0.03, 0.02, 0.4, 0.7, 0.015, 0.01, 4e-4), rel=1e-10)


def test_several_pulses_ahead_of_a_reading_are_pulses_without_readings() -> None:
    p = [0.03, 0.02, 0.3, 0.2, 0.05, 1e-4, -9.0, 9.0, 0.4, 0.7, 0.0, 0.0]
    v, s, _ = followed(following.AFFINE, False, [0.0, 0.1, 0.08], [ANEW, 3, -2], p)
    m, var = 0.0, 1e-4
    for sign, count, k in ((1, 3, 1), (-1, 2, 2)):
        for _ in range(count):
            step, c = (0.03, 0.4) if sign > 0 else (0.02, 0.7)
            f = 1 - sign * c * m
            sigma = 0.3 * step * f + 0.2 * step + 0.05 * abs(m)
            m, var = m + sign * step * f, (1 - step * c) ** 2 * var + sigma**2
        assert (v[k], s[k]) == (pytest.approx([0.0, 0.1, 0.08][k] - m), pytest.approx(var + 1e-4))
        m, var = m + v[k] * var / s[k], var * 1e-4 / s[k]


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("up", [True, False])
def test_slopes_are_those_of_the_factors(form: int, up: bool) -> None:
    q = np.array([[0.3, 0.5, 0.0, 0.0], [0.4, 0.3, 1.2, -2.0], [1.5, 0.7, 0.05, 0.1], [0.0] * 4][form])
    for w in (-0.61, 0.07, 0.83):
        f, slope = following.factor(form, w, up, q, -1.1, 1.2, TABLE)
        high, low = (following.factor(form, w + h, up, q, -1.1, 1.2, TABLE)[0] for h in (1e-6, -1e-6))
        assert slope == pytest.approx((high - low) / 2e-6, rel=1e-5, abs=1e-7)
        assert f > 0


def test_the_exponential_is_that_of_a_chip() -> None:
    c, gamma, low, high = 0.8, -1.7, -0.9, 1.3
    a = c / (gamma + c)
    for w in (-0.8, 0.0, 1.1):
        f, _ = following.factor(following.EXPONENTIAL, w, True, np.array([c, c, gamma, gamma]), low, high, TABLE)
        z = 2 * w / (high - low)
        assert f == pytest.approx(max(1 - a * np.exp(gamma * z), 0) / (1 - a))
        f, _ = following.factor(following.EXPONENTIAL, w, False, np.array([c, c, gamma, gamma]), low, high, TABLE)
        assert f == pytest.approx(max(1 - a * np.exp(-gamma * z), 0) / (1 - a))


@pytest.mark.parametrize(("m", "p"), [(0.9, 0.04), (1.3, 0.04), (0.2, 0.01), (4.0, 0.01)])
def test_what_a_bound_cuts(m: float, p: float) -> None:
    drawn = np.minimum(m + np.sqrt(p) * np.random.default_rng(0).normal(size=400_000), 1.0)
    mean, variance = following.cut_above(m, p, 1.0)
    assert mean == pytest.approx(drawn.mean(), abs=2e-3)
    assert variance == pytest.approx(drawn.var(), abs=4e-4)


def test_readings_near_a_hard_bound_tell_nothing() -> None:
    p = [0.1, 0.1, 0.1, 0.0, 0.0, 1e-6, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    readings = [0.7, 0.8, 0.9, 1.0, 1.0, np.nan]
    v, _, tells = followed(following.AFFINE, False, readings, [ANEW, 1, 1, 1, 1, ANEW], p)
    assert tells.tolist() == [0, 1, 1, 0, 0, 0]
    assert v[4] == pytest.approx(0.0, abs=0.02)
    assert followed(following.AFFINE, True, readings, [ANEW, 1, 1, 1, 1, ANEW], p)[2].tolist() == [0, 1, 1, 1, 1, 0]
