"""Several periods of the nudge: a lock-in with a square wave, whose noise falls with the root of the periods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroep.engines.schedule import Schedule
from neuroep.errors import ConfigError
from neuroep.gradients.estimators import Estimator
from tests.neuroep.engines.chip.conftest import assembled
from tests.neuroep.engines.chip.test_performed import batch

FREE, NUDGED = Schedule(steps=60), Schedule(steps=40)
KINDS = [("centred", "fixed"), ("centred", "mirrored"), ("positive", "fixed"), ("negative", "mirrored")]


def estimator(kind="centred", order="fixed", periods=1, beta=0.3):
    return Estimator(kind, beta, FREE, NUDGED, order=order, periods=periods)


@pytest.mark.parametrize(("kind", "order"), KINDS)
def test_without_noise_every_period_says_the_same(kind, order):
    parts = assembled(None, {"engine.dtype": "float64"})
    one, three = (estimator(kind, order, n).gradient(parts.engine, batch(parts)) for n in (1, 3))
    for name, value in one.items():
        np.testing.assert_allclose(three[name], value, atol=1e-9 * np.abs(value).max())


@pytest.mark.parametrize(
    ("kind", "order", "wanted"),
    [
        ("centred", "fixed", [{1.0: 1, -1.0: 2}, {1.0: 3, -1.0: 4}, {1.0: 5, -1.0: 6}]),
        ("centred", "mirrored", [{1.0: 1, -1.0: 2}, {-1.0: 3, 1.0: 4}, {1.0: 5, -1.0: 6}, {-1.0: 7, 1.0: 8}]),
        ("positive", "fixed", [{0.0: 0, 1.0: 1}, {0.0: 2, 1.0: 3}, {0.0: 4, 1.0: 5}]),
        ("positive", "mirrored", [{0.0: 0, 1.0: 1}, {1.0: 2, 0.0: 3}, {0.0: 4, 1.0: 5}, {1.0: 6, 0.0: 7}]),
    ],
)
def test_phases_follow_each_other(kind, order, wanted):
    parts = assembled(None, {})
    periods = len(wanted) // (2 if order == "mirrored" else 1)
    phases = estimator(kind, order, periods).settle(parts.engine, batch(parts))
    assert [each.numbers for each in phases.times] == wanted


def test_noise_falls_with_the_root_of_the_periods_and_all_are_paid():
    """White read noise: variance of a gradient over 40 batches of the same samples, 16 periods against 1, 4 sigma."""
    parts = assembled({"device.read_noise": 0.02}, {"engine.dtype": "float64"})
    engine, first = parts.engine, batch(parts)
    short = replace(NUDGED, steps=4)
    spreads, steps = [], []
    for periods in (1, 16):
        made = Estimator("centred", 0.3, replace(FREE, steps=6), short, periods=periods)
        before = engine.counters()["settle_steps"]
        found = [made.gradient(engine, first.keyed("noise", n))["dense_2.weight"] for n in range(40)]
        steps.append((engine.counters()["settle_steps"] - before) // 40 // first.size)
        spreads.append(np.var(found, axis=0).mean())
    assert steps == [6 + 2 * 4, 6 + 16 * 2 * 4]
    # The free phase is the same in all periods, and its noise is in no centred contrast.
    assert abs(spreads[0] / spreads[1] / 16 - 1) < 4 * np.sqrt(2 / 40 / 6) * 2


@pytest.mark.parametrize("periods", [0, 1025, 1.5, True])
def test_periods_that_are_none_are_refused(periods):
    with pytest.raises(ConfigError, match="periods"):
        estimator(periods=periods)
