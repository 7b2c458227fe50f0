"""What devices of an array are like: spreads and their laws, what goes together, devices that no pulse moves."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.population import Population
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Pulse, Update
from hw_models.errors import ChipError
from hw_models.laws import pulse_spread

SHAPE = (120, 150)
MANY = SHAPE[0] * SHAPE[1]
ERROR = 4.5 / np.sqrt(MANY)
"""Of a mean, over the standard deviation: 4.5 standard errors."""


def drawn(shape=SHAPE, dtype="float32", **fields):
    return Population(Pulse(**fields), shape, (3, "a"), np.dtype(dtype)).drawn()


def test_log_normal_steps():
    """ln(step/dw_min) is normal of the spread, up and down alike; no step is negative."""
    own, stuck = drawn(dw_min=0.09, dw_min_spread=0.78, dw_min_law="log_normal")
    logs = np.log(own.up / 0.09)
    assert stuck is None and own.up.min() > 0
    assert abs(logs.mean()) < ERROR * 0.78 and abs(logs.std() / 0.78 - 1) < ERROR
    assert abs(((logs / 0.78) ** 3).mean()) < ERROR * np.sqrt(15)
    np.testing.assert_array_equal(own.up, own.down)


@pytest.mark.parametrize("law", pulse_spread.LAWS)
@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.4, 1.0])
def test_steps_up_and_down_have_the_correlation_asked_for(rho, law):
    own, _ = drawn(dw_min=0.01, dw_min_spread=0.2, dw_min_law=law, step_correlation=rho)
    up, down = (np.log(each / 0.01) if law == "log_normal" else each / 0.01 - 1 for each in (own.up, own.down))
    for each in (up, down):
        assert abs(each.mean()) < ERROR * 0.2 and abs(each.std() / 0.2 - 1) < ERROR
    assert abs(np.corrcoef(up.ravel(), down.ravel())[0, 1] - rho) < ERROR


def test_the_step_up_is_the_same_whatever_the_correlation():
    one, other = (drawn(dw_min_spread=0.2, step_correlation=rho)[0] for rho in (1.0, 0.5))
    np.testing.assert_array_equal(one.up, other.up)


@pytest.mark.parametrize("rho", [-0.5, 0.3, 1.0])
def test_bounds_have_the_correlation_asked_for(rho):
    own, _ = drawn(w_max_spread=0.1, w_min_spread=0.2, bound_correlation=rho)
    high, low = (own.high - 1) / 0.1, (-own.low - 1) / 0.2
    assert abs(low.mean()) < ERROR and abs(low.std() - 1) < ERROR
    assert abs(np.corrcoef(high.ravel(), low.ravel())[0, 1] - rho) < ERROR
    np.testing.assert_array_equal(own.high, drawn(w_max_spread=0.1)[0].high)


@pytest.mark.parametrize("reach", [None, 0.3, 5.0])
def test_corrupt_devices_are_stuck_at_a_uniform_weight(reach):
    fields = {"w_max_spread": 0.2, "w_min_spread": 0.2} | ({} if reach is None else {"corrupt_range": reach})
    own, stuck = drawn(corrupt=0.135, **fields)
    count = stuck.where.sum()
    assert abs(count / MANY - 0.135) < ERROR * np.sqrt(0.135 * 0.865)
    assert not own.up[stuck.where].any() and not own.down[stuck.where].any()
    assert (own.up[~stuck.where] > 0).all()
    low, high = (each[stuck.where] for each in (own.low, own.high))
    if reach is not None:
        low, high = np.maximum(low, -reach), np.minimum(high, reach)
    share = (stuck.at[stuck.where] - low) / (high - low)
    assert share.min() >= -1e-6 and share.max() <= 1 + 1e-6
    assert abs(share.mean() - 0.5) < 4.5 * np.sqrt(1 / 12 / count) and abs(share.std() - np.sqrt(1 / 12)) < 0.02


@pytest.mark.parametrize("trains", ["expected", "stochastic"])
@pytest.mark.parametrize("response", ["constant", "exponential"])
def test_no_pulse_moves_what_is_lost(trains, response):
    """Corrupt ones stay where they are stuck, unresponsive ones where they were put; noise does not move them."""
    curve = {"a_up": 0.1, "gamma_up": 2.0} if response == "exponential" else {}
    noise = {"noise": 0.3, "noise_base": 0.2, "noise_state": 0.1}
    pulse = Pulse(response=response, dw_min=0.01, corrupt=0.3, unresponsive=0.3, **noise, **curve)
    shape = (20, 30)
    devices, weights = PulsedDevices(pulse, shape, 1, "a"), np.full(shape, 0.2, "f4")
    devices.cut(weights)
    stuck = devices._population[1]
    np.testing.assert_array_equal(weights[stuck.where], stuck.at[stuck.where])
    before, rng = weights.copy(), np.random.default_rng(0)
    terms = [(1.0, rng.uniform(-1, 1, (5, 20)).astype("f4"), rng.uniform(-1, 1, (5, 30)).astype("f4"))]
    for step in range(4):
        devices.update(weights, terms, 0.2, Update(scheme="pulsed", trains=trains), step)
    devices.apply(weights, np.full(shape, 5), np.full(shape, 2), 9)
    still = (devices.devices.up == 0) & (devices.devices.down == 0)
    assert (weights[still] == before[still]).all() and (weights[~still] != before[~still]).mean() > 0.95
    assert abs(still.mean() - 0.6) < 0.1 and (still & ~stuck.where).sum() > 100


def test_a_device_draws_the_same_in_every_array_size_and_precision():
    """Nothing but seed, name and what is drawn decides; double precision has the values of single precision."""
    fields = {"dw_min_spread": 0.2, "step_correlation": 0.5, "corrupt": 0.1, "dw_min_law": "log_normal"}
    single, double = (drawn(dtype=dtype, **fields) for dtype in ("float32", "float64"))
    np.testing.assert_array_equal(single[1].where, double[1].where)
    np.testing.assert_allclose(single[0].down, double[0].down, rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"dw_min_law": "log_normal"}, "dw_min_law = 'log_normal': it acts only with dw_min_spread above 0"),
        ({"step_correlation": 0.5}, "step_correlation = 0.5: it acts only with dw_min_spread above 0"),
        ({"bound_correlation": 0.5, "w_max_spread": 0.1}, "it acts only with w_max_spread and w_min_spread above 0"),
        ({"noise_law": "log_normal"}, "noise_law = 'log_normal': it acts only with noise above 0"),
        ({"noise_law": "log_normal", "noise": 1.0, "noise_base": 0.1}, "it is of noise that goes with the step alone"),
        ({"corrupt_range": 0.1}, "corrupt_range = 0.1: it acts only with corrupt above 0"),
        ({"corrupt": 0.7, "unresponsive": 0.4}, "unresponsive = 0.4: with corrupt = 0.7 more than all devices"),
    ],
)
def test_what_does_not_act_or_cannot_be_is_refused(fields, line):
    with pytest.raises(ChipError, match=line):
        Pulse(**fields)
