"""Closed-loop programming: what it leaves against a device in a loop, reads through converters, what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.errors import ChipError
from tests.neuroep.engines.chip.test_transfer import made

SHAPE = (30, 40)
START = np.random.default_rng(0).uniform(-0.5, 0.5, SHAPE)
NOISY = {"device.pulse.dw_min": 0.02, "device.pulse.write_noise": 4.0}


def errors(**fields) -> np.ndarray:
    """Return what weights are off by."""
    return made("pulsed", weight=START, **NOISY | fields).weights() - START


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
    rule = made(scheme, weight=start, **times, **{"device.pulse.dw_min": 0.1, "device.pulse.w_max": 0.3})
    work = rule.performed()
    assert work.number("product forward", part="a") == 3 * 4
    assert work.total("pulse") == 3 * 2 * 12
    assert rule.prepared == pytest.approx(3 * (4e-6 + 4 * 2e-7))


def test_nothing_is_done_where_the_first_read_is_right():
    rule = made("pulsed", weight=np.full((3, 4), 0.5), **{"update.verify.rounds": 9, "device.pulse.dw_min": 0.1})
    assert rule.performed().number("product forward") == 4
    assert rule.performed().total("pulse") == 0


def test_a_tolerance_without_rounds_is_refused():
    with pytest.raises(ChipError, match=r"tolerance.*it acts only with verify\.rounds"):
        made("pulsed", **{"update.verify.tolerance": 0.1})
