"""1/f noise as relaxation processes, against its closed form and against an integral over time constants."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from hw_models.laws import spectrum

BANDS = {"pcm, learning": (5e-7, 20.0), "pcm, a day": (5e-7, 86420.0), "hermes": (1.024e-6, 300.0)}
LAGS = (1e-6, 3e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)


@pytest.mark.parametrize("name", BANDS)
def test_processes_have_the_variance_of_differences_of_the_closed_form(name: str) -> None:
    ends = BANDS[name]
    found = spectrum.band(*ends)
    assert found.shares.sum() == pytest.approx(1)
    for lag in LAGS:
        exact = spectrum.half_difference(lag, *ends) / spectrum.variance(*ends)
        assert 1 - found.lasting(lag) == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("lag", LAGS)
def test_the_closed_form_is_the_integral_over_time_constants(lag: float) -> None:
    shortest, longest = BANDS["pcm, learning"]
    whole = quad(lambda u: 1 - np.exp(-lag / np.exp(u)), np.log(shortest), np.log(longest), limit=200)[0]
    assert spectrum.half_difference(lag, shortest, longest) == pytest.approx(whole, rel=1e-6)


def test_a_longer_band_leaves_the_processes_of_a_shorter_one() -> None:
    short, long = spectrum.band(5e-7, 20.0), spectrum.band(5e-7, 2e5)
    assert long.taus[: len(short.taus) - 1] == pytest.approx(short.taus[:-1])


def test_a_band_of_nothing_is_white() -> None:
    assert len(spectrum.band(1e-3, 1e-3).taus) == 0


def test_the_noise_of_a_day() -> None:
    """25.9 e-folds; half the variance of reads a microsecond apart is 1.3 of them, of reads 100 us apart 5.9."""
    day = 5e-7, 86400 + 20 + 250e-9
    assert spectrum.variance(*day) == pytest.approx(25.9, abs=0.05)
    assert spectrum.half_difference(1e-6, *day) == pytest.approx(1.3, abs=0.05)
    assert spectrum.half_difference(1e-4, *day) == pytest.approx(5.9, abs=0.05)
