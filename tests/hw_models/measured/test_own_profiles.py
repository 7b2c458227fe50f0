"""Devices whose steps lead beyond a bound: what their curves leave open is told, by an exact filter as by the fit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from hw_models.measured import laws
from hw_models.measured.likelihood import loss_of
from hw_models.measured.own_profiles import Profiles, profiles
from hw_models.measured.population import between
from tests.benchmarks.fits import fitted
from tests.naive.pulse_curves import measure

SEED = 1


def exact(readings, ways, steps, bounds, base, read, many=80):
    """Log-likelihood of readings of soft bounds, by the whole distribution of the state on a grid."""
    grid = np.linspace(*bounds, many)
    edges = np.r_[-np.inf, (grid[1:] + grid[:-1]) / 2, np.inf]
    moves = {}
    for sign, step, end in ((1, steps[0], bounds[1]), (-1, steps[1], bounds[0])):
        mean = grid + sign * step * np.maximum(1 - grid / end, 0)
        moves[sign] = np.diff(norm.cdf((edges[None] - mean[:, None]) / (base * step)), axis=1)
    p = np.exp(-((readings[0] - grid) ** 2) / (2 * read))
    p, total = p / p.sum(), 0.0
    for r, way in zip(readings[1:], ways[1:], strict=True):
        p = (p @ moves[int(way)]) * np.exp(-((r - grid) ** 2) / (2 * read)) / np.sqrt(read)
        total += float(np.log(p.sum()))
        p /= p.sum()
    return total


@pytest.fixture(scope="module")
def fit():
    """Devices of four or five states; two of this set come to their lower bound in one pulse."""
    return fitted("reram_hfo2", SEED, "low")


def test_the_likelihood_is_flat_where_an_exact_filter_says_so(fit) -> None:
    """By the curvature the error of the first device's step down was a quarter of what it is."""
    own: list[tuple[float, ...]] = []
    measure("reram_hfo2", SEED, own=own)
    best, (up, down, high, low) = fit.fitted.best, own[0]
    data, names = fit.fitted.data, [one.name for one in fit.fitted.best.problem.shared]
    base, read = 0.2174, (0.5841 * 0.4622) ** 2
    shared = best.shared.copy()
    for name, value in (("noise", 0.0), ("base", base), ("read", read)):
        if name in names:
            shared[names.index(name)] = value
    mine, truth = [], []
    for step in down * np.array([0.4, 0.7, 1.0]):
        parameters = best.own.copy()
        parameters[0] = up, step, 1 / high, -1 / low
        mine.append(-float(loss_of(best.problem.innovations(parameters, shared), best.mask)[0]))
        truth.append(exact(data.readings[0], data.pulses[0], (up, step), (low, high), base, read))
    assert np.array(mine) - max(mine) == pytest.approx(np.array(truth) - max(truth), abs=0.7)
    assert np.ptp(truth) < 1


def test_devices_alike_in_their_asymmetry_are_not_made_unlike(fit) -> None:
    """The spread came out as 0.28, of 0.02, with an interval from 0.18."""
    shape = profiles(fit.fitted.best)
    tilt, variance = shape.tilts()
    assert (np.abs(tilt) < 3 * np.sqrt(variance)).all()
    assert np.sqrt(variance[0]) > 0.2
    one = fit.estimates["up_down_spread"]
    assert one.low <= 0.02 <= one.high
    assert one.value < 0.1
    assert fit.estimates["dw_min_spread"].low < 0.7125 < fit.estimates["dw_min_spread"].high


def test_of_a_plain_likelihood_it_is_the_curvature() -> None:
    t = np.linspace(-0.4, 0.6, 201)
    own = Profiles(*(row[None] for row in (t, -(((t - 0.1) / 0.05) ** 2) / 2, 1 + t, np.full_like(t, 1e-4))))
    tilt, variance = own.tilts()
    assert (tilt[0], np.sqrt(variance[0])) == pytest.approx((0.1, 0.05), rel=1e-3)
    size, error = own.sizes(0.0, 0.05)
    assert size[0] == pytest.approx(1.05, rel=1e-3)
    assert error[0] == pytest.approx(1e-4 + 0.05**2 / 2, rel=0.01)


def test_plain_devices_stay_as_they_are() -> None:
    """Fine steps: profile and curvature say the same of the mean asymmetry and its spread."""
    found = fitted("reram_cmo", 3, "low").fitted
    assert isinstance(found, laws.FittedResponse)
    steps = found.best.own[:, :2]
    plain = (steps[:, 0] - steps[:, 1]) / steps.max(axis=1)
    tilt, variance = profiles(found.best).tilts()
    assert tilt == pytest.approx(plain, abs=0.3 * np.sqrt(variance).max())
    assert between(tilt, variance).mean == pytest.approx(plain.mean(), abs=0.5 * np.sqrt(variance.mean()))
