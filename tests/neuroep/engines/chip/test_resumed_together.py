"""Chips with many faults and cures at once: stopped between two updates, and run on any number of threads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hw_models.chip.rules import RULES
from tests.neuroep.engines.chip.conftest import assembled

NOISE = {"device.read_noise": 0.0088, "device.read_noise_law": "pcm", "device.mismatch": 0.1, "device.g_min": 1.0}
TIME = {"timing.integration": 1e-6, "timing.row": 1e-5}
TRAPS = {"device.rtn_share": 0.3, "device.rtn_amplitude": 0.2, "device.rtn_decades": 4.0}
DIGITS = {"dac.bits": 6, "dac.digit_bits": 2}
ADC = {
    "adc.bits": 8,
    "adc.gain_spread": 0.1,
    "adc.offset_spread": 0.02,
    "adc.inl": 0.02,
    "adc.dnl": 0.3,
    "adc.columns": 2,
}
OWN = {"transposed.devices": "own", "transposed.weight_error": 0.3, "transposed.gain_spread": 0.05}
EXCHANGED = OWN | {"nudged.drive": "increments", "nudged.paths": "exchanged", "nudged.mean_sweeps": 2}
HOLDERS = {
    "readout.signal": "difference", "readout.hold_offset": 1e-3, "readout.hold_gain": 1e-3, "readout.hold_droop": 1e-3,
    "readout.hold_noise": 1e-3, "readout.chopping": "sample", "readout.auto_zero": "mean", "readout.bits": 10,
    "readout.holds": 2,
}  # fmt: skip
SHIFTS = {"device.phase_drift": 1e-3, "device.nudge_shift": 1e-3}
WEARS = {"device.leak": 0.01, "device.disturb": 0.005, "update.reprogram_every": 2}
FOLLOWS = {"crossbar.follow_weights": True, "update.write_threshold": 0.05, "crossbar.repeats": 2}
SPREADS = {"device.programming_noise": [0.2, 0.3], "device.drift_mean": [0.0, 0.05, 0.05, 0.1], "device.age": 100.0}
ANALOG = {"crossbar.mapping": "offset", "crossbar.reference": "analog"}
PULSED = {"update.scheme": "mixed_precision", "device.leak": 0.01, "device.disturb": 0.01}
FAST = NOISE | OWN | {"timing.integration": 1e-6, "timing.pulse": 1e-6, "adc.bits": 8, "adc.gain_spread": 0.1}
FAST |= {"device.pulse.dw_min": 2e-3, "device.pulse.noise": 1.0, "device.leak": 0.01, "update.transfer.columns": 3}
FEW = {"update.counter.slots": 100}
COUNTS = {"update.scheme": "pulsed", "update.signals": "net_counts", "timing.pulse": 1e-6, "device.pulse.dw_min": 2e-3}
COUNTS |= FEW | {"timing.count": 1e-9, "device.pulse.noise": 0.5, "device.leak": 0.01}
CHIPS: dict[str, dict[str, Any]] = {
    "noise in time, digits, exchanged paths": NOISE | TIME | DIGITS | ADC | EXCHANGED,
    "traps, digits, holders": NOISE | TIME | TRAPS | DIGITS | HOLDERS | SHIFTS,
    "wear, holders, own path": NOISE | WEARS | HOLDERS | OWN | SHIFTS | SPREADS,
    "writes what moved, ranges follow": NOISE | TIME | FOLLOWS | SPREADS | ADC | EXCHANGED,
    "all but wear": NOISE | TIME | TRAPS | DIGITS | ADC | EXCHANGED | HOLDERS | SHIFTS | FOLLOWS | SPREADS,
    "offset, analog": NOISE | TIME | DIGITS | EXCHANGED | ANALOG,
    "offset, digital": NOISE | ADC | WEARS | SHIFTS | {"crossbar.mapping": "offset"},
    "wires": NOISE | SHIFTS | {"wires.r_word": 2.0, "wires.r_bit": 2.0, "wires.refresh_every": 2, "crossbar.rows": 6},
    **{name: FAST | {"update.scheme": name} for name, facts in RULES.items() if "transfer.rate" in facts.takes},
    "a fast array that is seen": FAST | {"update.scheme": "tiki_taka", "update.transfer.gamma": 0.5},
    "net counts": NOISE | OWN | COUNTS,
    "net counts, a fast array": FAST | {"update.scheme": "agad", "update.signals": "net_counts"} | FEW,
    "net counts, rests wait": COUNTS | {"update.counter.shift": 3, "update.counter.draws": "independent"},
    "a tracked array that is seen": FAST | {"update.scheme": "e_rider", "update.transfer.gamma": 0.5},
    "pulses": NOISE | {"timing.integration": 1e-6} | HOLDERS | PULSED,
}  # fmt: skip


def step(parts, number, estimator):
    batch = next(iter(parts.shuffled(0))).keyed("train", number)
    parts.engine.update(estimator.measure(parts.engine, batch, number).contrasts, parts.rates(0))


def opened(chip, threads=1):
    parts = assembled(chip, {"engine.threads": threads})
    parts.engine.read_at(0.0)  # as whoever trains does
    return parts, replace(parts.estimator, order="mirrored" if "readout.hold_offset" in chip else "sample", null=True)


def same(one, other):
    for name, values in one.engine.parameters().items():
        assert values.tobytes() == other.engine.parameters()[name].tobytes(), name
    first, second = one.engine.device_state(), other.engine.device_state()
    assert first.keys() == second.keys()
    for name, values in first.items():
        assert np.asarray(values).tobytes() == np.asarray(second[name]).tobytes(), name


@pytest.mark.parametrize("updates", [1, 2])
@pytest.mark.parametrize("name", CHIPS)
def test_a_chip_goes_on_where_it_stood(name, updates):
    """Some updates, ranges measured again, saved, loaded into a new chip that has done something else: same bytes."""
    parts, estimator = opened(CHIPS[name])
    start = {key: values.copy() for key, values in parts.engine.parameters().items()}
    for number in range(updates):
        step(parts, number, estimator)
    assert any((start[key] != values).any() for key, values in parts.engine.parameters().items())
    again, _ = opened(CHIPS[name])
    step(again, 7, estimator)
    again.engine.load_parameters(parts.engine.parameters())
    again.engine.read_at(0.0)
    again.engine.load_optimiser_state(parts.engine.optimiser_state(), parts.engine.device_state())
    same(parts, again)
    for each in (parts, again):
        for number in range(updates, updates + 2):
            step(each, number, estimator)
    same(parts, again)


@pytest.mark.parametrize("name", CHIPS)
def test_threads_change_no_bit(name):
    found = []
    for threads in (1, 3):
        parts, estimator = opened(CHIPS[name], threads)
        for number in range(2):
            step(parts, number, estimator)
        found.append(parts)
    same(*found)
