"""The closed loop: devices come near what they are to be, in updates of mixed precision and when programmed.

Programming: what it leaves against a device in a loop, reads through converters, what it costs.
"""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import durations, presets
from hw_models.chip import Chip
from hw_models.errors import ChipError
from neuroep.engines.chip.rules import scaling
from neuroep.engines.chip.rules.mixed_precision import MixedPrecision
from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.chip.rules.verified import KEEP, PATIENCE
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Contrast, Held, Moved
from neuroep.learning.optimisers import SGD
from tests.neuroep.engines.chip.conftest import nested
from tests.neuroep.engines.chip.test_transfer import made as programmed

SHAPE = (20, 30)
START = np.random.default_rng(0).uniform(-0.5, 0.5, (30, 40))
OFF = {"device.pulse.dw_min": 0.02, "device.pulse.write_noise": 4.0}
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
    rule = made(wanted, **pulse(**COARSE), **{"update.verify.tolerance": 0.1})
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
    rule = made(wanted, **pulse(dw_min=0.01), **{"update.verify.tolerance": 0.004, "update.verify.rounds": 1})
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
    rule = made(np.zeros(SHAPE), **pulse(dw_min=0.01, w_max=0.5, w_min=-0.4), **{"update.verify.tolerance": 0.01})
    rule.digital.weight[:2, 0] = 3.0, -3.0
    rule.update(NOTHING, 0.1)
    np.testing.assert_allclose(rule.digital.weight[:2, 0], [0.5, -0.4])


def test_devices_that_no_pulse_moves_ask_for_ever_fewer():
    """A tolerance that grows by 2 % a pulse is beyond the error soon, and falls by 3 % an update."""
    rule = made(weights(), **pulse(dw_min=0.05, corrupt=1.0, corrupt_range=0.01), **{"update.verify.tolerance": 0.02})
    given = []
    for _ in range(30):
        before = rule.performed().number("pulse")
        rule.update(NOTHING, 0.1)
        given.append(rule.performed().number("pulse") - before)
    assert sum(given[-10:]) < 0.15 * sum(given[:10])


def test_reads_and_their_time_are_counted():
    fields = {"timing.integration": 1e-7, "timing.pulse": 1e-8}
    fields |= {"update.verify.tolerance": 0.01, "update.verify.rounds": 2}
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
    fields = {**pulse(**COARSE), "update.verify.tolerance": 0.1}
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
    fields = {"update.scheme": "mixed_precision", "update.verify.tolerance": 0.05, "adc.bits": 12, "dac.bits": 12}
    found = small(fields | pulse(**COARSE))
    state = found.engine.device_state()
    for name in ("query", "dense_1", "dense_2"):
        read, weight = state[f"{name}.rule.read"], found.weights[f"{name}.weight"]
        np.testing.assert_allclose(read, weight, atol=0.01 * np.abs(weight).max())


def errors(**fields) -> np.ndarray:
    """Return what weights are off by."""
    return programmed("pulsed", weight=START, **OFF | fields).weights() - START


def twin(rounds: int, tolerance: float, number: int = 40_000) -> float:
    """Return the mean size of the error of devices in a loop: a state, write noise drawn with every write, pulses."""
    draws = np.random.default_rng(1)
    found = []
    for wanted in draws.uniform(-0.5, 0.5, number // 10):
        state, noise = wanted, 0.08 * draws.normal()
        for _ in range(rounds):
            missing = wanted - (state + noise)
            pulses = round(missing / 0.02) if abs(missing) > tolerance else 0
            if pulses:
                state, noise = min(max(state + 0.02 * pulses, -1), 1), 0.08 * draws.normal()
        found.append(abs(state + noise - wanted))
    return float(np.mean(found))


@pytest.mark.parametrize(("rounds", "tolerance"), [(1, 0.01), (3, 0.03), (10, 0.03), (20, 0.06)])
def test_what_is_left_is_what_devices_in_a_loop_leave(rounds, tolerance):
    found = np.abs(errors(**{"update.verify.rounds": rounds, "update.verify.tolerance": tolerance})).mean()
    assert found == pytest.approx(twin(rounds, tolerance), rel=0.12)


def test_reads_go_through_the_chips_converters_and_their_noise():
    """An ADC of 4 bits, 1/7 apart, leaves what its step hides; noise of reads more than none."""
    fields = {"update.verify.rounds": 30, "update.verify.tolerance": 0.02, "device.pulse.write_noise": 1.0}
    fine = np.abs(errors(**fields)).mean()
    coarse = np.abs(errors(**fields, **{"adc.bits": 4, "dac.bits": 8})).mean()
    noisy = np.abs(errors(**fields, **{"device.read_noise": 1.0})).mean()
    assert fine < 0.011 < 0.025 < min(coarse, noisy)


@pytest.mark.parametrize("scheme", ["pulsed", "agad", "mixed_precision"])
def test_columns_pulses_and_seconds_are_counted(scheme):
    """Weights half a range off after programming with stuck devices: every round is a read of 4 columns and pulses."""
    times = {"timing.integration": 1e-6, "timing.pulse": 1e-7, "update.verify.rounds": 3}
    start = np.full((3, 4), 0.5)
    rule = programmed(scheme, weight=start, **times, **{"device.pulse.dw_min": 0.1, "device.pulse.w_max": 0.3})
    work = rule.performed()
    assert work.number("product forward", part="a") == 3 * 4
    assert work.total("pulse") == 3 * 2 * 12
    assert rule.prepared == pytest.approx(3 * (4e-6 + 4 * 2e-7))


def test_nothing_is_done_where_the_first_read_is_right():
    rule = programmed("pulsed", weight=np.full((3, 4), 0.5), **{"update.verify.rounds": 9, "device.pulse.dw_min": 0.1})
    assert rule.performed().number("product forward") == 4
    assert rule.performed().total("pulse") == 0


def test_a_tolerance_without_rounds_is_refused():
    with pytest.raises(ChipError, match=r"tolerance.*it acts only with verify\.rounds"):
        programmed("pulsed", **{"update.verify.tolerance": 0.1})


def test_updates_in_a_closed_loop_leave_programming_open():
    """Mixed precision: rounds are of programming in an open loop, and of updates with a tolerance."""
    fields = {"update.verify.rounds": 3, "device.pulse.dw_min": 0.1, "device.pulse.w_max": 0.3}
    for near, pulses in ((None, 3 * 2 * 12), (0.0, 3 * 2 * 12), (0.02, 0)):
        own = {} if near is None else {"update.verify.tolerance": near}
        rule = programmed("mixed_precision", weight=np.full((3, 4), 0.5), **fields, **own)
        assert rule.performed().total("pulse") == pulses
        assert (not rule.loops) == (not near)


def ideal(**fields) -> MixedPrecision:
    """Return a rule in a closed loop on devices without noise."""
    return made(np.zeros(SHAPE), **pulse(dw_min=0.01), **{"update.verify.tolerance": 0.004}, **fields)


@pytest.mark.parametrize(
    "fades", [{"device.leak": 0.02}, {"device.retention": 1e-3, "timing.integration": 1e-6}], ids=["leak", "retention"]
)
def test_devices_that_fade_are_read_and_put_right(fades):
    """What is lost from update to update is seen at once: none is off by more than the tolerance and half a pulse."""
    rule = ideal(**fades)
    rule.digital.weight[:] = 0.2
    for _ in range(30):
        rule.place.setting.clock.advance(1e-4) if "timing.integration" in fades else None
        rule.update(NOTHING, 0.1)
        np.testing.assert_allclose(rule.weights(), rule.crossbar.stored, atol=1e-7)
    np.testing.assert_allclose(rule.weights(), 0.2, atol=0.009)


def test_neighbours_feel_the_pulses_of_every_round_once():
    """Two rounds of 3 and 2 pulses on one device: the others of its lines feel .1 of each round's move, no more."""
    share = 1e-3
    rule = ideal(**{"device.disturb": share, "update.verify.rounds": 2})
    moves = []
    give, stored = rule.devices.give, rule.crossbar.stored

    def noted(*given: object) -> int:
        before = stored.copy()
        done = give(*given)
        moves.append(stored - before)
        return done

    rule.devices.give = noted
    rule.digital.weight[2, 5] = 0.05
    rule.devices.devices.up[...] /= 2  # so that one round does not do
    rule.update(NOTHING, 0.1)
    assert len(moves) == 2 and all(np.abs(each).max() > 0 for each in moves)
    felt = sum(rule.crossbar.felt(each, in_turn=False) for each in moves)
    np.testing.assert_allclose(rule.crossbar.stored, sum(moves) + felt, atol=1e-12)
    assert np.count_nonzero(felt) > 30


def test_pairs_are_refreshed_by_updates_not_by_rounds_and_are_read_behind_it():
    pair = {"device.cell.kind": "one_sided", "device.cell.refresh_every": 3, "device.cell.refresh_above": 0.3}
    pair |= {"device.cell.refresh_lesser": 0.2, "device.cell.reset_noise": 0.03, "crossbar.mapping": "differential"}
    rule = ideal(**pair, **pulse(w_min=0.0))
    for state in rule.devices.states:
        state += 0.4
    looks = []
    for _ in range(6):
        rule.digital.weight[:] += 0.02
        rule.update(NOTHING, 0.1)
        looks.append(int(rule.devices.counts[2]))
        np.testing.assert_allclose(rule.kept["read"], rule.weights(), atol=1e-12)
    assert rule.devices.counts[1] == 6
    assert looks[1] == 0 < looks[2] == looks[4]


def test_an_array_of_the_transposed_path_is_put_right_for_itself():
    rule = made(weights(), **pulse(**COARSE), **{"update.verify.tolerance": 0.1, "transposed.devices": "own"})
    wanted = weights()
    for _ in range(40):
        rule.update(NOTHING, 0.1)
    for each in rule.pulsed_arrays:
        assert np.mean(np.abs(each.weights - wanted) <= 0.1) > 0.9
    assert np.corrcoef((rule.pulsed_arrays[0].weights - wanted).ravel(), (each.weights - wanted).ravel())[0, 1] < 0.15


def test_what_the_loop_computes_is_counted():
    """Two multiply-adds of all weights, and of those of two columns for each of two rounds that look at them again."""
    rule = ideal()
    rule.update(NOTHING, 0.1)
    before = rule.performed().number("multiply-add verify")
    assert before == 2 * SHAPE[0] * SHAPE[1]
    rule.digital.weight[0, [3, 7]] = 0.04
    rule.update(NOTHING, 0.1)
    assert rule.performed().number("multiply-add verify") - before == 2 * SHAPE[0] * (SHAPE[1] + 2)


@pytest.mark.parametrize("scheme", ["pulsed", "residual", "agad"])
def test_what_is_programmed_in_a_loop_is_read_at_once(scheme):
    """However old devices are to be once deployed; they were read a day old, and programmed 2.3 times as large."""
    fields = {"device.drift_mean": [0.0, 0.1, 0.1, 0.1], "device.g_min": 1.0, "timing.pulse": 1e-6}
    fields |= {"update.zero_shift": 5, "device.pulse.up_down": 0.2} if scheme == "agad" else {}
    fields |= {"update.verify.rounds": 20} if scheme == "pulsed" else {}
    weight = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 4))
    now, old = (programmed(scheme, weight=weight, **fields | {"device.age": age}) for age in (0.0, 86400.0))
    for label, bar in now.crossbars.items():
        np.testing.assert_array_equal(old.crossbars[label].stored, bar.stored)
        assert old.crossbars[label].ahead == 86400
    for name, values in now.kept.items():
        np.testing.assert_array_equal(old.kept[name], values)
