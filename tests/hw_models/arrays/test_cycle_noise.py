"""What a pulse strays by: its wide form and log-normal steps, pulse by pulse and in expected steps.

The twin, tests/naive/pulses.py, plays one device after the other in double precision.
"""

from __future__ import annotations

import numba
import numpy as np
import pytest

from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Pulse, Update
from hw_models.kernels import random as randomness, turns
from hw_models.laws import pulse_spread
from tests.naive import normal_pairs, pulses as naive

pytestmark = pytest.mark.kernels
compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="statistics of many updates")
TABLE = {
    "response": "table",
    "table_states": (0.0, 0.2, 0.7, 1.0),
    "table_up": (1.4, 1.2, 0.6, 0.2),
    "table_down": (0.2, 0.5, 0.9, 1.1),
}
NOISES = {
    "base": Pulse(response="soft_bounds", dw_min=0.02, noise_base=0.5),
    "all three": Pulse(response="linear", gamma_up=0.4, gamma_down=0.7, dw_min=0.02, noise=0.3, noise_base=0.2,
                       noise_state=0.05),
    "curved": Pulse(response="power", gamma_up=1.5, gamma_down=0.7, dw_min=0.02, noise=0.3, noise_base=0.2,
                    noise_state=0.05),
    "table": Pulse(**TABLE, dw_min=0.02, noise=0.4, table_noise=(3.0, 1.0, 0.5, 2.0)),
    "log-normal": Pulse(response="soft_bounds", dw_min=0.02, noise=1.5, noise_law="log_normal"),
    "log-normal table": Pulse(
        **TABLE, dw_min=0.02, noise=0.4, noise_law="log_normal", table_noise=(3.0, 1.0, 0.5, 2.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOISES)
def test_pulses_stray_as_those_of_the_twin(name):
    """The same draws, up and down: one rounding of single precision for each pulse."""
    pulse, shape = NOISES[name], (3, 5)
    weights = np.random.default_rng(1).uniform(-0.5, 0.5, shape).astype("f4")
    wanted = weights.astype(float)
    PulsedDevices(pulse, shape, 0, "a").apply(weights, np.full(shape, 2), np.full(shape, 2), 7)
    key = randomness.key(0, "pulse", "a", "granules")
    draws = np.array([normal_pairs.played(key, 7, 0, 0, row, 20).reshape(4, 5) for row in range(3)])
    for turn, up in enumerate((True, True, False, False)):
        xi = draws[:, turn]
        for place in np.ndindex(shape):
            wanted[place] = naive.play(pulse, wanted[place], up, float(xi[place]))
    np.testing.assert_allclose(weights, wanted, rtol=0, atol=2e-6)


def test_log_normal_noise_has_the_mean_and_spread_of_the_normal_one_and_turns_no_step():
    for noise in (0.2, 0.7, 2.0):
        z = np.random.default_rng(0).standard_normal(400_000).astype("f4")
        turns.shaped(z, *pulse_spread.log_normal(noise, "log_normal"))
        found = 1 + noise * z.astype(float)
        assert found.min() > 0
        tail = np.sqrt(np.expm1(4 * np.log1p(noise**2)) / 400_000)  # of the second moment
        assert abs(found.mean() - 1) < 4.5 * noise / np.sqrt(400_000)
        assert abs(found.std() / noise - 1) < 6 * tail / noise**2 + 0.01
        assert not any(pulse_spread.log_normal(noise, "normal"))


@compiled
@pytest.mark.parametrize("start", [0.0, 0.6, -0.6])
@pytest.mark.parametrize("name", NOISES)
def test_steps_stray_as_pulses_do(name, start):
    """Twelve pulses up and eight down, mixed: mean within 5 standard errors, spread within 3 %."""
    pulse = NOISES[name].model_copy(update={"dw_min": 0.002, "noise_state": NOISES[name].noise_state / 10})
    many, rng = 30_000, np.random.default_rng(0)
    weights, exact = np.full((1, many), start, "f4"), np.full(many, start)
    devices = PulsedDevices(pulse, (1, many), 0, "a")
    devices.apply(weights, np.full((1, many), 12.0), np.full((1, many), 8.0), 1)
    for up in rng.permutation([True] * 12 + [False] * 8):
        f_up, f_down = naive.factors(pulse, exact)
        step = pulse.dw_min * (f_up if up else f_down)
        sigma = pulse.noise * naive.multiples(pulse, exact) * step
        sigma += pulse.noise_base * pulse.dw_min + pulse.noise_state * np.abs(exact)
        step = step + sigma * naive.shaped(pulse, rng.standard_normal(many))
        exact = np.clip(exact + (step if up else -step), -1, 1)
    assert (devices.played if devices.fewest > 20 else devices.stepped) > 0.99 * many
    assert abs(weights.mean() - exact.mean()) < 5 * exact.std() * np.sqrt(2 / many) + 2e-3 * abs(exact.mean() - start)
    assert abs(weights.std() / exact.std() - 1) < 0.03


@compiled
def test_additive_noise_carries_soft_bounds_over_their_bound():
    """At the bound steps ahead are 0, and noise goes on: devices there are played, and end as the twin's do."""
    pulse = Pulse(response="soft_bounds", dw_min=0.002, noise_base=3.75)
    one = np.ones((1, 4), "f4"), np.ones((1, 300), "f4")
    terms, repeats = [(1.0, *one)], 40
    ends, how = np.full((repeats, 4, 300), 0.99, "f4"), Update(scheme="pulsed")
    devices = PulsedDevices(pulse, (4, 300), 0, "a")
    for number, weights in enumerate(ends):
        devices.update(weights, terms, 20 * pulse.dw_min, how, number)
    rng = np.random.default_rng(1)
    twin = naive.batches(pulse, np.full((4, 300), 0.99), terms, 20 * pulse.dw_min, how, repeats, rng)
    assert devices.played == ends.size
    assert abs(ends.mean() - twin.mean()) < 5 * twin.std() * np.sqrt(2 / ends.size)
    assert abs(ends.std() / twin.std() - 1) < 0.02
