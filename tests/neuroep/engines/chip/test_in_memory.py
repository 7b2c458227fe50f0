"""The range of weights that are the devices' own: what it follows, what it leaves out, what writing anew takes."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays.symmetry import symmetry_points
from hw_models.chip import Chip
from neuroep.engines.chip import rules
from neuroep.engines.chip.rules.in_memory import LEFT_OUT, InMemory
from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Contrast, Held, Moved
from neuroep.learning.optimisers import SGD, Adam
from tests.neuroep.engines.chip.conftest import nested

SHAPE = (20, 30)
NOTHING = Contrast(Moved(np.zeros((1, 20)), np.zeros((1, 20))), Held(np.zeros((1, 30))), 1.0, 1)
AUTO = {"update.scaling": "auto"}
CORRUPT = {"device.pulse.dw_min": 1e-3, "device.pulse.corrupt": 0.15}
ERRING = {"crossbar.mapping": "offset", "crossbar.reference": "device", "device.cell.reference_mean": 0.05}
ERRING |= {"device.cell.reference_spread": 0.6, "device.pulse.w_max_spread": 0.3, "device.pulse.w_min_spread": 0.3}
SCHEMES = ["mixed_precision", "pulsed", "agad"]


def made(scheme: str = "mixed_precision", seed: int = 3, threads: int = 1, **fields) -> InMemory:
    """Return a rule on a chip with these fields, weights uniform within .3."""
    chip = Chip.parse(nested({"update.scheme": scheme, **AUTO} | fields))
    setting = Setting(SGD(), Workers(threads), "float64", seed, clock=durations.clock(chip.timing))
    weight = np.random.default_rng(seed).uniform(-0.3, 0.3, SHAPE)
    return rules.named(scheme)(Place("a", chip, setting), weight, None)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("faults", [CORRUPT, ERRING], ids=["corrupt", "erring references"])
def test_the_range_does_not_follow_devices_that_cannot_come_within(scheme, faults):
    """Without wanted changes it stays; over 1 % of the devices lie beyond, whatever the range."""
    rule = made(scheme, **faults)
    full = rule.crossbar.weight_range
    assert np.mean(np.abs(rule.crossbar.stored) > 0.25) > 0.015
    for _ in range(5):
        assert rule.update(NOTHING, 0.0) == 0
    assert rule.crossbar.weight_range == full


@pytest.mark.parametrize("times", [0.5, 1.5])
def test_the_range_follows_weights_that_grow_if_they_outnumber_devices_that_lose_by_it(times):
    """Devices that are stuck farther out than they were written are found again behind the next programming."""
    rule = made(**CORRUPT)
    full, left = rule.crossbar.weight_range, rule.kept[LEFT_OUT].copy()
    assert 0.05 < left.mean() < 0.16
    able = np.argwhere(~left)
    grown = tuple(able[: round(times * left.sum())].T)
    rule.crossbar.stored[grown] = 0.4
    for _ in range(2):
        assert rule.update(NOTHING, 0.1) == 0
        assert rule.crossbar.weight_range == (2 * full if times > 1 else full)
    assert not (rule.kept[LEFT_OUT] & ~left)[grown].any()
    assert rule.kept[LEFT_OUT].sum() >= 0.9 * left.sum()


@pytest.mark.parametrize(
    ("r", "wanted", "left"),
    [(0.5, 0.1, True), (0.5, -0.45, False), (-0.7, -0.5, True), (0.5, -0.1, True), (0.2, 0.05, False), (0.2, 0.25, 0)],
)
def test_what_is_left_out_cannot_hold_weight_0(r, wanted, left):
    """Bounds of .3 about 0 beside a reference r: those that cannot come far enough gain by a larger range."""
    fields = {"crossbar.mapping": "offset", "crossbar.reference": "device", "device.cell.reference_mean": r}
    rule = made(**fields, **{"device.pulse.dw_min": 1e-3, "device.pulse.w_max": 0.3, "device.pulse.w_min": -0.3})
    weight = np.full(SHAPE, wanted)
    rule.crossbar.program(weight * rule.crossbar.weight_range)
    rule._leave_out(weight * rule.crossbar.weight_range)
    assert (rule.kept[LEFT_OUT] == left).all()


def test_weights_that_grow_at_once_beyond_twice_their_share_count_again():
    """Written beyond what they may fill, they are no fault of their devices."""
    rule = made(**{"device.pulse.dw_min": 1e-3})
    full = rule.crossbar.weight_range
    rule.crossbar.stored[0] = 0.9
    for times in (2, 4, 4):
        assert rule.update(NOTHING, 0.1) == 0
        assert rule.crossbar.weight_range == times * full


def test_what_is_left_out_goes_on_with_the_same_bits():
    one, other = made(**CORRUPT), made(threads=2, **CORRUPT)
    one.crossbar.stored[:10] = 0.4
    one.update(NOTHING, 0.1)
    other.load(one.state())
    np.testing.assert_array_equal(one.kept[LEFT_OUT], other.kept[LEFT_OUT])
    for rule in (one, other):
        rule.crossbar.stored[10:] = 0.4
        rule.update(NOTHING, 0.1)
    assert one.crossbar.weight_range == other.crossbar.weight_range
    np.testing.assert_array_equal(one.weights(), other.weights())


def test_writing_anew_takes_a_read_and_a_write_of_all_devices():
    times = {"timing.integration": 1e-6, "timing.pulse": 1e-7}
    rule = made(**{"device.pulse.dw_min": 1e-3}, **times)
    before = rule.performed()
    rule.crossbar.stored[0] = 0.4
    held = rule.crossbar.stored.copy()
    rule.update(NOTHING, 0.1)
    after = rule.performed()
    assert after.number("product forward") - before.number("product forward") == SHAPE[1]
    assert after.number("write") - before.number("write") == rule.crossbar.devices.count
    slots = 0
    for column in ((rule.crossbar.stored - held) / 1e-3).round().T:
        slots += max(max(column.max(), 0) + max(-column.min(), 0), 1)
    assert slots > 250 * SHAPE[1]
    assert rule.seconds == pytest.approx(SHAPE[1] * 1e-6 + slots * 1e-7)


def test_what_is_written_anew_is_what_is_read():
    """Through an ADC of three bits, levels a third of the range apart."""
    rule = made(**{"device.pulse.dw_min": 1e-3, "adc.bits": 3, "adc.range": 1.0, "dac.bits": 8, "dac.range": 1.0})
    rule.crossbar.stored[0] = 0.4
    full = rule.crossbar.weight_range
    rule.update(NOTHING, 0.1)
    levels = rule.crossbar.stored * 2 * 3
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-6)
    assert rule.crossbar.weight_range == 2 * full


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_devices_that_are_written_anew_wear_by_the_pulses_of_their_way(noise):
    """From w to w/2 in steps of dw_min, one at least."""
    fields = {"device.pulse.dw_min": 1e-3, "device.endurance": 1e6, "device.pulse.write_noise": noise}
    rule = made(**fields, **{"update.verify.tolerance": 0.0} if noise else {})
    rule.crossbar.stored[0] = 0.4
    if noise:
        rule.devices.states[0][0] = 0.4
    held = (rule.devices.states[0] if noise else rule.crossbar.stored).copy()
    assert rule.wear()[0].pulses.sum() == 0
    rule.update(NOTHING, 0.1)
    written = rule.devices.states[0] if noise else rule.crossbar.stored
    np.testing.assert_allclose(rule.wear()[0].pulses[0], np.maximum(np.rint(np.abs(written - held) / 1e-3), 1))
    assert np.abs(written - held / 2).max() < (0.02 if noise else 1e-6)


def test_references_of_weights_lie_where_weights_can_be_held():
    """Steps up and down of constant devices balance at a bound: the weights' references go to 0, those of A there."""
    fields = {name: value for name, value in ERRING.items() if "cell" not in name}
    constant = {"device.pulse.dw_min": 1e-3, "device.pulse.up_down_spread": 0.01}
    rule = made("agad", **fields, **constant)
    points = symmetry_points(rule.devices.sides[0])
    assert np.abs(points).min() > 0.1
    assert not rule.devices.reference.any()
    fast = rule.groups["fast"][0].devices
    np.testing.assert_array_equal(fast.reference, symmetry_points(fast.sides[0]))
    asked = made("agad", **fields, **constant, **{"device.cell.reference_at": "symmetry"})
    np.testing.assert_array_equal(asked.devices.reference, points)
    soft = {"device.pulse.response": "soft_bounds", "device.pulse.up_down": 0.3}
    near = made("mixed_precision", **fields, **soft)
    np.testing.assert_array_equal(near.devices.reference, symmetry_points(near.devices.sides[0]))
    assert np.abs(near.devices.reference).mean() > 0.05


class Pulses(InMemory):
    """A rule of one's own whose devices hold all that it knows."""


class Gathers(InMemory):
    """A rule of one's own with a digital matrix beside its devices."""

    accumulates = True


def test_a_rule_of_ones_own_refuses_what_its_devices_cannot_follow():
    """Moments are digital: only a rule that gathers in digital memory has a place for them, and neither decays."""
    for rule in (Pulses, Gathers):
        rule.refuse(SGD(), "own")
        with pytest.raises(ConfigError, match=r"weight_decay.*'own'"):
            rule.refuse(SGD(weight_decay=0.1), "own")
    Gathers.refuse(SGD(momentum=0.9), "own")
    Gathers.refuse(Adam(), "own")
    cure = "update scheme 'own' learns by pulses in memory: allowed is 'sgd' without momentum"
    for given, told in ((SGD(momentum=0.9), "momentum = 0.9"), (Adam(), "kind = 'adam'")):
        with pytest.raises(ConfigError, match=f"^optimiser.{told}: {cure}$"):
            Pulses.refuse(given, "own")
