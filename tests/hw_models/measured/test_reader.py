"""What the numbers of a fitted response are known to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from hw_models.measured import laws
from hw_models.measured.likelihood import loss_of, spread_of
from hw_models.measured.reader import WIDE, Reader
from tests.hw_models.measured.test_fields import scaled


@pytest.fixture(scope="module")
def linear() -> laws.FittedResponse:
    """Straight steps of six devices, fitted with slopes."""
    return laws.fit(scaled(0.01, 0.01), "linear", form=("noise",))


def test_bias_counts_as_error(linear: laws.FittedResponse) -> None:
    none, much = (Reader(linear, np.full(4, bias)).shared("up") for bias in (0.0, 0.5))
    assert much.value == none.value
    assert much.high - much.low > 2 * 0.5 * 2
    assert none.low < 0 < none.high


def test_shared_numbers_have_an_interval_by_students_t_within_their_range(linear: laws.FittedResponse) -> None:
    covariance = spread_of(linear.best)[0]
    one = Reader(linear, np.zeros(4)).shared("down", 3.0)
    half = 3 * student.ppf(0.975, 5) * np.sqrt(covariance[1, 1])
    assert (one.high - one.value, one.value - one.low) == pytest.approx((half, half))
    assert Reader(linear, np.full(4, 1e6)).shared("down").low == linear.best.problem.shared[1].low


def test_a_size_at_its_end_is_as_large_as_the_likelihood_allows(linear: laws.FittedResponse) -> None:
    best, n = linear.best, [one.name for one in linear.best.problem.shared].index("read")
    assert best.held[n]
    most = Reader(linear, np.zeros(4)).shared("read").high
    for value, beyond in ((most, True), (most / 1.6, False)):
        shared = best.shared.copy()
        shared[n] = value
        fall = float(loss_of(best.problem.innovations(best.own, shared), best.mask).sum()) - best.loss
        assert (fall > WIDE) == beyond


def test_a_mean_over_devices_has_their_scatter_and_what_all_share(linear: laws.FittedResponse) -> None:
    read = Reader(linear, np.zeros(4))
    along = np.tile([1.0, 0.0, 0.0, 0.0], (6, 1))
    assert read.common(along) == pytest.approx(np.sqrt(read.covariance[0, 0]))
    one = read.mean(2.0, 0.3, along)
    assert one.high - 2.0 == pytest.approx(student.ppf(0.975, 5) * np.hypot(0.3, read.common(along)))


def test_steps_of_a_table_are_at_weight_0() -> None:
    fit = laws.fit(scaled(0.01, 0.008), "table", form=("noise",))
    read = Reader(fit, np.zeros(len(fit.best.shared)))
    own, variance, _ = read.steps()
    assert own.mean(axis=0) == pytest.approx((0.01, 0.008), rel=0.06)
    assert own / np.sqrt(np.einsum("dkk->dk", variance)) == pytest.approx(
        fit.best.own / np.sqrt(np.einsum("dkk->dk", read.inverse))
    )


def test_devices_of_one_slope_differ_in_none(linear: laws.FittedResponse) -> None:
    one = Reader(linear, np.zeros(4)).slope_spread("up")
    assert one.low == 0 < one.high
