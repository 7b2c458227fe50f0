"""The closed loop of mixed precision: devices come near what they are wanted to be, whatever their pulses do."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import durations, presets
from hw_models.chip import Chip
from neuroep.engines.chip.rules import scaling
from neuroep.engines.chip.rules.mixed_precision import MixedPrecision
from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.chip.rules.verified import KEEP, PATIENCE
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Contrast, Held, Moved
from neuroep.learning.optimisers import SGD
from tests.neuroep.engines.chip.conftest import nested

SHAPE = (20, 30)
NOTHING = Contrast(Moved(np.zeros((1, 20)), np.zeros((1, 20))), Held(np.zeros((1, 30))), 1.0, 1)
NOISY = {"dw_min_spread": 0.5, "dw_min_law": "log_normal", "write_noise": 1.4}
COARSE = {"dw_min": 0.1, "response": "soft_bounds"} | NOISY


def made(weight: np.ndarray, threads: int = 1, **fields) -> MixedPrecision:
    """Return a rule on a chip with these fields."""
    chip = Chip.parse(nested({"update.scheme": "mixed_precision", "crossbar.weight_range": 1.0} | fields))
    setting = Setting(SGD(), Workers(threads), "float64", 3, clock=durations.clock(chip.timing))
    return MixedPrecision(Place("a", chip, setting), weight.copy(), np.zeros(len(weight)))


def pulse(**fields: object) -> dict[str, object]:
    return {f"device.pulse.{name}": value for name, value in fields.items()}


def weights(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, SHAPE)


def automatic(weight: np.ndarray, fields: dict[str, object]) -> MixedPrecision:
    chip = Chip.parse(nested({"update.scheme": "mixed_precision", "update.scaling": "auto"} | pulse(**fields)))
    return MixedPrecision(Place("a", chip, Setting(SGD(), Workers(1), "float64", 3)), weight, None)


def test_noisy_devices_come_within_the_tolerance_and_rest_there():
    wanted = weights()
    rule = made(wanted, **pulse(**COARSE), **{"update.verify": 0.1})
    before = np.abs(rule.weights() - wanted)
    assert np.sqrt(np.square(before).mean()) == pytest.approx(0.14, rel=0.1)  # write noise, 1.4 steps of 0.1
    for _ in range(40):
        assert rule.update(NOTHING, 0.1) == 0
    after = np.abs(rule.weights() - wanted)
    assert np.mean(after <= 0.1) > 0.95
    np.testing.assert_array_equal(rule.digital.weight, wanted)
    near, held = after <= 0.1, rule.weights().copy()
    rule.update(NOTHING, 0.1)
    np.testing.assert_array_equal(rule.weights()[near], held[near])


def test_pulses_are_those_of_the_equations():
    """Exact devices: chi/(largest step) whole pulses, one where there is none; tolerances grow with each."""
    wanted = np.zeros(SHAPE)
    rule = made(wanted, **pulse(dw_min=0.01), **{"update.verify": 0.004, "update.verify_rounds": 1})
    rule.digital.weight[:3, 0] = 0.0355, -0.006, 0.003
    rule.update(NOTHING, 0.1)
    found = rule.weights()
    np.testing.assert_allclose(found[:3, 0], [0.03, -0.01, 0.0], atol=1e-9)
    assert np.count_nonzero(found) == 2
    own = rule.kept["tolerance"]
    np.testing.assert_allclose(own[:3, 0], [0.004 * PATIENCE, 0.004 * PATIENCE, 0.004], rtol=1e-12)
    rule.update(NOTHING, 0.1)  # .0055 and .004 off: the second is near enough
    np.testing.assert_allclose(rule.weights()[:3, 0], [0.04, -0.01, 0.0], atol=1e-9)
    fallen = 0.004 * max(PATIENCE * KEEP, 1)
    np.testing.assert_allclose(own[:2, 0], [fallen * PATIENCE, fallen], rtol=1e-12)
    assert rule.performed().number("pulse") == 5


def test_what_is_wanted_stays_within_the_bounds_of_the_mean_device():
    rule = made(np.zeros(SHAPE), **pulse(dw_min=0.01, w_max=0.5, w_min=-0.4), **{"update.verify": 0.01})
    rule.digital.weight[:2, 0] = 3.0, -3.0
    rule.update(NOTHING, 0.1)
    np.testing.assert_allclose(rule.digital.weight[:2, 0], [0.5, -0.4])


def test_devices_that_no_pulse_moves_ask_for_ever_fewer():
    """A tolerance that grows by 2 % a pulse is beyond the error soon, and falls by 3 % an update."""
    rule = made(weights(), **pulse(dw_min=0.05, corrupt=1.0, corrupt_range=0.01), **{"update.verify": 0.02})
    given = []
    for _ in range(30):
        before = rule.performed().number("pulse")
        rule.update(NOTHING, 0.1)
        given.append(rule.performed().number("pulse") - before)
    assert sum(given[-10:]) < 0.15 * sum(given[:10])


def test_reads_and_their_time_are_counted():
    fields = {"timing.integration": 1e-7, "timing.pulse": 1e-8, "update.verify": 0.01, "update.verify_rounds": 2}
    rule = made(np.zeros(SHAPE), **pulse(dw_min=0.02), **fields)
    rule.update(NOTHING, 0.1)
    before = rule.performed()
    assert before.number("read forward") == 2 * SHAPE[0] * SHAPE[1] * SHAPE[1]
    rule.digital.weight[0, [3, 7]] = 0.04
    rule.update(NOTHING, 0.1)
    after = rule.performed()
    assert after.number("read forward") - before.number("read forward") == 2 * 2 * SHAPE[0] * SHAPE[1]
    assert rule.seconds > 2 * 1e-7


def test_the_range_follows_what_is_wanted_not_the_noise_of_devices():
    rule = automatic(weights(), COARSE)
    first = rule.crossbar.weight_range
    for _ in range(10):
        rule.update(NOTHING, 0.1)
    assert rule.crossbar.weight_range == first
    rule.digital.weight[:, :3] = 0.9 * first
    rule.update(NOTHING, 0.1)
    assert rule.crossbar.weight_range == 2 * first
    np.testing.assert_array_equal(rule.kept["read"], rule.weights())


@pytest.mark.parametrize(
    ("name", "fill", "near"), [("ecram", 0.25, 0), ("reram_om", 0.547, 0.0547), ("reram_hfo2", 0.75, 0.1205)]
)
def test_range_and_tolerance_go_by_what_devices_are_off(name, fill, near):
    chip = presets.load(name)
    auto = chip.model_copy(update={"update": chip.update.model_copy(update={"scaling": "auto"})})
    assert scaling.fill(auto) == pytest.approx(fill, rel=1e-2)
    assert scaling.tolerance(auto) == pytest.approx(near, rel=1e-2)
    assert scaling.fill(chip) == 1
    assert scaling.tolerance(chip) == 0


def test_a_loop_goes_on_with_the_same_bits():
    fields = {**pulse(**COARSE), "update.verify": 0.1}
    one, other = made(weights(), **fields), made(weights(), 2, **fields)
    for _ in range(3):
        one.update(NOTHING, 0.1)
    other.load(one.state())
    for rule in (one, other):
        for _ in range(3):
            rule.update(NOTHING, 0.1)
    np.testing.assert_array_equal(one.weights(), other.weights())
    for name, values in one.kept.items():
        np.testing.assert_array_equal(values, other.kept[name])


def test_a_loop_behind_converters_reads_once_they_are_calibrated(small):
    """What was read last is what devices conduct, to the resolution of twelve bits."""
    fields = {"update.scheme": "mixed_precision", "update.verify": 0.05, "adc.bits": 12, "dac.bits": 12}
    found = small(fields | pulse(**COARSE))
    state = found.engine.device_state()
    for name in ("query", "dense_1", "dense_2"):
        read, weight = state[f"{name}.rule.read"], found.weights[f"{name}.weight"]
        np.testing.assert_allclose(read, weight, atol=0.01 * np.abs(weight).max())
