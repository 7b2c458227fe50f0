"""No field of a chip is ignored: each one, changed alone, changes states or weights of a run."""

from __future__ import annotations

import pytest

from hw_models.chip.description import PERFECT, PRICES, TOLD, Chip

PULSED = {"update.scheme": "pulsed", "device.pulse.dw_min": 0.01, "update.signals": "contrast"}
COUNTED = PULSED | {"update.signals": "net_counts", "update.counter.slots": 20}
LINEAR = PULSED | {"device.pulse.response": "linear", "device.pulse.gamma_up": 0.4, "device.pulse.gamma_down": 0.4}
EXPONENTIAL = PULSED | {
    "device.pulse.response": "exponential",
    "device.pulse.gamma_up": 2.0,
    "device.pulse.gamma_down": 2.0,
    "device.pulse.a_up": 0.5,
    "device.pulse.a_down": 0.5,
}
BOUNDS = {"w_max_spread": 0.3, "w_min_spread": 0.3, "w_max": 0.3, "w_min": -0.3}
SPREAD = PULSED | {"device.pulse.dw_min_spread": 0.4} | {f"device.pulse.{name}": n for name, n in BOUNDS.items()}
TABLE = PULSED | {
    "device.pulse.response": "table",
    "device.pulse.table_up": [1.5, 1.0, 0.5],
    "device.pulse.table_down": [0.5, 1.0, 1.0],
    "device.pulse.noise": 0.5,
}
REFERRED = PULSED | {"crossbar.mapping": "offset", "crossbar.reference": "device", "device.pulse.up_down": 0.3}
REFERRED |= {"device.pulse.response": "soft_bounds"}
PAIR = PULSED | {"device.pulse.w_min": 0.0, "device.pulse.response": "power", "device.pulse.gamma_up": 1.0}
PAIR |= {"device.cell.kind": "one_sided", "crossbar.weight_headroom": 2.0}
REFRESHED = PAIR | {f"device.cell.refresh_{name}": n for name, n in {"every": 1, "above": 0.01, "lesser": 0.0}.items()}
MIXED = {"update.scheme": "mixed_precision", "device.pulse.dw_min": 1e-3}
AGAD, TWO = ({"update.scheme": name, "device.pulse.dw_min": 2e-3} for name in ("agad", "tiki_taka_v2"))
CHOPPED, HEAVY = ({"update.scheme": name, "device.pulse.dw_min": 2e-3} for name in ("chopped", "momentum"))
TILES = {"update.scheme": "residual", "device.pulse.dw_min": 0.02, "update.transfer.tiles": 3}
TILES |= {"device.pulse.response": "soft_bounds"}
DRIFT = {"device.drift_mean": [-0.02, 0.02, 0.03, 0.1], "device.age": 1e4}
RELAXES = {
    "device.programming_noise": [1.0],
    "device.programming_noise_fresh": [0.1],
    "device.age": 3600.0,
}
PCM = {"device.read_noise": 0.01, "device.read_noise_law": "pcm", "device.programming_noise": [0.3]}
EVENTS = {"substrate": "event_driven"}
TIMED = PCM | {"timing.integration": 1e-6}
RTN = {"device.rtn_share": 0.5, "device.rtn_amplitude": 0.3}
HOT = DRIFT | {"temperature": 340.0, "device.drift_activation": 0.3}
THERMAL = {"device.read_voltage": 0.01, "timing.integration": 1e-9}
BAND = {"device.read_noise": 0.1, "timing.integration": 1e-6}
OFFSET = {"crossbar.mapping": "offset"}
SLICES = {"crossbar.slices": 2, "crossbar.slice_bits": 3}
WIRES = {"wires.r_word": 20.0, "wires.r_bit": 20.0, "crossbar.rows": 6, "crossbar.columns": 4}
STATE = {"neuron.state_bits": 5}
SINH = {"device.iv": "sinh", "device.read_voltage": 0.5, "device.iv_voltage": 0.2, "dac.range": 2.0}
CUBIC = {"device.iv": "cubic", "device.iv_cubic": 0.5, "dac.range": 2.0}
OWN = {"transposed.devices": "own"}
OFFSETS = {"readout.signal": "difference", "readout.bits": 6, "readout.hold_offset": 0.05}

# Field: (the chip beside it, what it is changed to).
FIELDS: dict[str, tuple[dict, object]] = {
    "substrate": ({}, "event_driven"),
    "crossbar.rows": ({"adc.bits": 6}, 4),
    "crossbar.columns": ({"adc.bits": 6}, 2),
    "crossbar.mapping": ({"device.programming_noise": [1.0]}, "offset"),
    "crossbar.reference": (OFFSET | {"adc.bits": 8}, "analog"),
    "crossbar.reference_lines": (
        OFFSET | {"crossbar.reference": "analog", "device.mismatch": 0.1, "dac.range": 10.0},
        1,
    ),
    "crossbar.zero": (OFFSET | {"device.levels": 16}, "level"),
    "crossbar.slices": ({"crossbar.slices": 2, "crossbar.slice_bits": 3}, 3),
    "crossbar.slice_bits": ({"crossbar.slices": 2, "crossbar.slice_bits": 3}, 2),
    "crossbar.weight_range": ({"device.levels": 16}, 2.0),
    "crossbar.weight_headroom": ({"device.levels": 16}, 2.0),
    "crossbar.weight_clip": ({}, 1.0),
    "crossbar.repeats": ({"device.read_noise": 0.1}, 3),
    "crossbar.follow_weights": ({"device.levels": 16}, True),
    "crossbar.hold_input": ({"device.read_noise": 0.1}, False),
    "crossbar.exact_noise": ({"device.read_noise": 0.1}, True),
    "device.g_min": ({"device.programming_noise": [0.5, 1.0]}, 5.0),
    "device.g_max": ({"device.programming_noise": [0.5]}, 50.0),
    "device.g_min_spread": ({"device.g_min": 2.0}, 0.5),
    "device.g_max_spread": ({}, 0.3),
    "device.mismatch": ({}, 0.1),
    "device.levels": ({}, 9),
    "device.resolution": ({}, 2.0),
    "device.programming_noise": ({}, [0.2, 0.5]),
    "device.programming_noise_fresh": ({"device.programming_noise": [0.2, 0.5]}, [0.1, 0.1]),
    "device.relaxation_times": (RELAXES, [1.0, 1e9]),
    "device.programming_noise_g_max": ({"device.programming_noise": [0.2, 0.5]}, 50.0),
    "device.read_noise": ({}, 0.1),
    "device.read_noise_law": ({"device.read_noise": 0.1}, "proportional"),
    "device.read_noise_exponent": (PCM, 0.3),
    "device.read_noise_cap": (PCM, 0.012),
    "device.read_noise_log": (PCM, [0.0, 2.0, 2.0, 2.0]),
    "device.read_noise_above": (PCM | {"device.read_noise_log": [0.0, 1.0, 1.0, 1.0]}, [0.3, 3.0]),
    "device.read_time": (PCM, 1e-3),
    "device.read_noise_band": (BAND, [1e-6, 1.0]),
    "device.rtn_share": ({}, 0.5),
    "device.rtn_amplitude": (RTN, 0.1),
    "device.rtn_exponent": (RTN, 0.5),
    "device.rtn_amplitude_spread": (RTN, 0.5),
    "device.rtn_capture": (RTN, 1e-5),
    "device.rtn_emission": (RTN, 1e-5),
    "device.rtn_decades": (RTN | {"timing.integration": 1e-6}, 4.0),
    "device.drift_activation": (HOT, 0.6),
    "device.drift_temperature": (HOT, 280.0),
    "temperature": (THERMAL | {"temperature": 100.0}, 300.0),
    "timing.dac": (PCM, 1e-6),
    "timing.integration": (PCM, 1e-6),
    "timing.adc": (PCM, 1e-6),
    "timing.digital": (PCM, 1e-6),
    "timing.hold": (TIMED, 1e-3),
    "timing.row": (TIMED, 1e-3),
    "timing.copies": (TIMED, 3),
    "timing.tau": (PCM, 1e-6),
    "timing.pulse": (PULSED | {"device.read_noise": 0.02, "device.read_noise_law": "pcm"}, 1e-3),
    "timing.count": (COUNTED | {"device.read_noise": 0.02, "device.read_noise_law": "pcm"}, 1e-3),
    "device.drift_mean": ({"device.age": 1e4, "device.drift_spread": [0.0, 0.02, 0.02, 0.02]}, [0.0, 0.03, 0.03, 0.1]),
    "device.drift_spread": (DRIFT, [0.0, 0.02, 0.02, 0.02]),
    "device.drift_mean_above": (DRIFT, [0.3, 0.2]),
    "device.drift_spread_above": (DRIFT, [0.3, 0.05]),
    "device.drift_start": (DRIFT, 200.0),
    "device.age": (DRIFT, 1e6),
    "device.drift_compensation": (DRIFT, True),
    "device.read_voltage": (SINH, 0.2),
    "device.iv": ({"dac.range": 2.0}, "cubic"),
    "device.iv_voltage": (SINH, 0.1),
    "device.iv_cubic": (CUBIC, 0.9),
    "device.phase_drift": ({}, 0.01),
    "device.nudge_shift": ({}, 0.05),
    "device.leak": ({"update.reprogram_every": 2}, 0.2),
    "device.disturb": ({}, 0.05),
    "device.stuck_low": ({}, 0.1),
    "device.stuck_high": ({}, 0.05),
    "device.pulse.response": (PULSED, "soft_bounds"),
    "device.pulse.dw_min": (PULSED, 0.003),
    "device.pulse.dw_min_spread": (PULSED, 0.3),
    "device.pulse.noise": (PULSED, 0.5),
    "device.pulse.up_down": (PULSED, 0.3),
    "device.pulse.up_down_spread": (PULSED, 0.2),
    "device.pulse.w_max": (PULSED, 0.5),
    "device.pulse.w_min": (PULSED, -0.5),
    "device.pulse.w_max_spread": (PULSED, 0.3),
    "device.pulse.w_min_spread": (PULSED, 0.3),
    "device.pulse.write_noise": (PULSED, 2.0),
    "device.cell.kind": (PAIR | {"device.cell.kind": "bidirectional"}, "one_sided"),
    "device.cell.reference_at": (REFERRED, "middle"),
    "device.cell.reference_mean": (REFERRED, 0.2),
    "device.cell.reference_spread": (REFERRED, 0.2),
    "device.cell.reference_rounds": (REFERRED | {"device.cell.reference_spread": 0.8}, 5),
    "device.cell.reset": (REFRESHED, 0.1),
    "device.cell.reset_spread": (REFRESHED, 0.1),
    "device.cell.reset_noise": (REFRESHED, 0.1),
    "device.cell.refresh_every": (REFRESHED, 2),
    "device.cell.refresh_above": (REFRESHED, 0.3),
    "device.cell.refresh_lesser": (REFRESHED, 0.01),
    "device.cell.refresh_most": (REFRESHED, 1),
    "device.cell.refresh_rounds": (REFRESHED, 3),
    "device.cell.refresh_noise": (REFRESHED, 0.1),
    "device.retention": (PULSED | {"timing.integration": 1e-6}, 1e-3),
    "device.retention_spread": (PULSED | {"timing.integration": 1e-6, "device.retention": 1e-3}, 1.0),
    "device.pulse.dw_min_law": (SPREAD, "log_normal"),
    "device.pulse.step_correlation": (SPREAD, 0.2),
    "device.pulse.bound_correlation": (SPREAD, 0.9),
    "device.pulse.noise_law": (PULSED | {"device.pulse.noise": 1.0}, "log_normal"),
    "device.pulse.noise_base": (PULSED, 0.5),
    "device.pulse.noise_state": (PULSED, 0.05),
    "device.pulse.corrupt": (PULSED, 0.2),
    "device.pulse.corrupt_range": (PULSED | {"device.pulse.corrupt": 0.2}, 0.05),
    "device.pulse.unresponsive": (PULSED, 0.3),
    "device.pulse.table_states": (TABLE, [0.0, 0.2, 1.0]),
    "device.pulse.table_up": (TABLE, [1.0, 1.0, 0.5]),
    "device.pulse.table_down": (TABLE, [0.5, 0.2, 1.0]),
    "device.pulse.table_noise": (TABLE, [2.0, 1.0, 0.1]),
    "device.pulse.gamma_up": (LINEAR, 0.8),
    "device.pulse.gamma_down": (LINEAR, 0.8),
    "device.pulse.gamma_up_spread": (LINEAR, 0.3),
    "device.pulse.gamma_down_spread": (LINEAR, 0.3),
    "device.pulse.a_up": (EXPONENTIAL, 0.8),
    "device.pulse.a_down": (EXPONENTIAL, 0.8),
    "device.pulse.slope": (EXPONENTIAL, 0.5),
    "device.pulse.offset": (EXPONENTIAL, 0.2),
    "wires.r_word": ({"crossbar.rows": 6, "crossbar.columns": 4}, 50.0),
    "wires.r_bit": ({"crossbar.rows": 6, "crossbar.columns": 4}, 50.0),
    "wires.refresh_every": (WIRES | {"device.programming_noise": [1.0]}, 3),
    "neuron.gain_spread": ({}, 0.1),
    "neuron.offset_spread": ({}, 0.1),
    "neuron.state_noise": ({}, 0.02),
    "neuron.state_bits": ({}, 4),
    "neuron.state_range": (STATE, 0.7),
    "neuron.time_constant": ({}, 2.0),
    "neuron.nudge_mismatch": ({}, 0.2),
    "attention.kind": ({"device.read_noise": 0.05}, "analog"),
    "attention.exp_bits": ({}, 3),
    "attention.pattern_range": ({"attention.kind": "analog"}, 1.0),
    "readout.signal": ({"readout.bits": 6}, "difference"),
    "readout.hold_noise": ({"readout.signal": "difference", "readout.bits": 6}, 0.02),
    "readout.hold_offset": ({"readout.signal": "difference", "readout.bits": 6}, 0.02),
    "readout.hold_gain": ({"readout.signal": "difference", "readout.bits": 6}, 0.05),
    "readout.hold_time": ({"readout.signal": "difference", "readout.bits": 6, "timing.hold": 1e-6}, 1e-5),
    "readout.hold_droop": ({"readout.signal": "difference", "readout.bits": 6}, 0.05),
    "readout.holds": ({"readout.signal": "difference", "readout.bits": 6, "readout.hold_noise": 0.05}, 3),
    "readout.chopping": (OFFSETS, "sample"),
    "readout.auto_zero": (OFFSETS, "mean"),
    "update.scheme": ({}, "mixed_precision"),
    "update.reprogram_every": ({}, 2),
    "update.write_threshold": ({"device.programming_noise": [0.2]}, 0.1),
    "update.granule": (MIXED, 0.01),
    "update.trains": (PULSED, "stochastic"),
    "update.signals": (PULSED, "phases"),
    "update.train_length": (PULSED | {"update.trains": "stochastic", "update.management": False}, 7),
    "update.overlong": (PULSED | {"update.trains": "stochastic", "update.train_length": 1}, "both"),
    "update.management": (PULSED | {"update.trains": "stochastic"}, False),
    "update.counter.bits": (COUNTED, 2),
    "update.counter.slots": (COUNTED, 30),
    "update.counter.overflow": (COUNTED | {"update.counter.bits": 2}, "saturate"),
    "update.counter.shift": (COUNTED, 2),
    "update.counter.draws": (COUNTED, "independent"),
    "update.counter.room": (COUNTED, 1.0),
    "update.scaling": (AGAD, "off"),
    "update.step": (AGAD, 1.0),
    "update.fill": (AGAD, 1.0),
    "update.memory": (AGAD, 1),
    "update.rms": (AGAD, "array"),
    "update.zero_shift": (REFERRED, 5),
    "update.verify.rounds": (PULSED | {"device.pulse.write_noise": 2.0}, 3),
    "update.verify.tolerance": (PULSED | {"device.pulse.write_noise": 2.0, "update.verify.rounds": 3}, 0.03),
    "update.transfer.every": (AGAD, 2),
    "update.transfer.columns": (AGAD, 3),
    "update.transfer.gamma": (TWO, 0.5),
    "update.transfer.pulses": (AGAD, 2.0),
    "update.transfer.rate": (AGAD, 50.0),
    "update.transfer.most": (AGAD, 1),
    "update.transfer.keep": (TWO, 0.7),
    "update.transfer.chop_every": (AGAD, 3),
    "update.transfer.chop_probability": (CHOPPED, 0.9),
    "update.transfer.tracking": (AGAD | {"update.transfer.chop_every": 1}, 0.5),
    "update.transfer.momentum": (HEAVY, 0.3),
    "update.transfer.tiles": (TILES, 4),
    "update.transfer.warm": (TILES, 2),
    "update.transfer.verify": (TILES, False),
    "update.transfer.read_range": (AGAD | {"adc.bits": 6}, 0.1),
    "update.transfer.reference_mean": (REFERRED | {"update.scheme": "agad"}, 0.2),
    "update.transfer.reference_spread": (REFERRED | {"update.scheme": "agad"}, 0.2),
    "events.threshold": (EVENTS, 0.05),
    "events.state_bits": (EVENTS, 5),
    "events.state_range": (EVENTS, 2.0),
    "events.weight_bits": (EVENTS, 4),
    "events.weight_range": (EVENTS, 0.1),
    "events.weight_headroom": (EVENTS, 2.0),
    "events.in_place": (EVENTS, True),
    "nudged.mean_sweeps": ({"device.read_noise": 0.1}, 2),
    "nudged.paths": (OWN | {"transposed.weight_error": 0.5, "nudged.drive": "increments"}, "exchanged"),
    "dac.encoding": (CUBIC | WIRES, "pulse_width"),
    "dac.digit_bits": ({"dac.bits": 6, "adc.bits": 6}, 2),
    "dac.digit_sign": ({"dac.bits": 6, "adc.bits": 6, "dac.digit_bits": 2}, "twos_complement"),
    "adc.columns": ({"adc.gain_spread": 0.1}, 3),
    "adc.gain_spread": ({}, 0.1),
    "adc.offset_spread": ({}, 0.05),
    "adc.inl": ({}, 0.05),
    "adc.inl_spread": ({}, 0.05),
    "adc.inl_shape": ({"adc.inl": 0.05}, "s"),
    "adc.dnl": ({"adc.bits": 6}, 0.5),
    "transposed.devices": ({"device.mismatch": 0.1}, "own"),
    "transposed.mismatch": (OWN, 0.2),
    "transposed.weight_error": (OWN, 0.5),
    "transposed.gain": ({}, 0.1),
    "transposed.gain_spread": ({}, 0.1),
    "transposed.offset_spread": ({}, 0.05),
    "nudged.drive": ({"adc.bits": 6}, "increments"),
    "calibration_samples": ({"adc.bits": 6}, 4),
    "calibration_every": ({"adc.bits": 6}, 1),
}
for part in ("dac", "adc", "attention.state", "readout"):
    bits = {f"{part}.bits": 6}
    FIELDS |= {
        f"{part}.bits": ({}, 6),
        f"{part}.range": (bits, 0.8),
        f"{part}.sign": (bits, "unsigned"),
        f"{part}.percentile": (bits, 70.0),
        f"{part}.margin": (bits, 2.0),
        f"{part}.stochastic": (bits, True),
        f"{part}.noise": ({}, 0.02),
    }


SHORT = {"dac.encoding": {"network.tokens": 4, "training.batch": 4}}
"""By field: settings of a run in which nodes of bent devices and wires are solved for every read, pulse by pulse."""


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_changes_the_run(small, name):
    (beside, value), settings = FIELDS[name], SHORT.get(name)
    assert not small(beside, settings).same(small(beside | {name: value}, settings))


@pytest.mark.parametrize("name", [name for name in FIELDS if name.startswith("readout.")])
def test_the_read_out_acts_on_an_event_driven_chip_too(small, name):
    beside, value = FIELDS[name][0] | EVENTS, FIELDS[name][1]
    assert not small(beside).same(small(beside | {name: value}))


@pytest.mark.parametrize(
    ("chip", "name", "value"),
    [({}, "update.verify.tolerance", 0.02), ({"update.verify.tolerance": 1e-4}, "update.verify.rounds", 1)],
)
def test_the_closed_loop_acts_on_mixed_precision_too(small, chip, name, value):
    assert not small(MIXED | chip).same(small(MIXED | chip | {name: value}))


def test_every_field_is_listed():
    assert FIELDS.keys() == Chip.settings().keys() - PERFECT - PRICES - TOLD


def test_endurance_shows_in_the_health_of_arrays(small):
    """It acts on nothing else: pulses of every device are counted, and those beyond it reported."""
    counted = small(PULSED | {"device.endurance": 2.0})
    assert counted.same(small(PULSED))
    found = [health["devices_worn"] for health in counted.engine.array_health().values()]
    few = small(PULSED | {"device.endurance": 1e9}).engine.array_health().values()
    assert 0 < max(found) < 1 and {health["devices_worn"] for health in few} == {0.0}


@pytest.mark.parametrize("chip", [PULSED, PCM, EVENTS, WIRES, MIXED | {"attention.kind": "analog", "adc.bits": 8}])
def test_the_same_chip_gives_the_same_run(small, chip):
    assert small(chip).same(small(chip))


@pytest.mark.parametrize("chip", [{"device.programming_noise": [1.0]}, {"device.read_noise": 0.1}, PULSED])
def test_another_chip_seed_is_another_chip(small, chip):
    first, second = (small(chip, {"engine.chip_seed": seed}) for seed in (3, 4))
    assert not first.same(second)
    assert first.same(small(chip, {"engine.chip_seed": 3}))
