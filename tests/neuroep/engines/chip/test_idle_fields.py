"""A field set where it could not act is refused: all fields, on chips with this or that switched off.

Every field is set to another value than its default on each of :data:`CHIPS`, one at a time. It is either refused, or
it changes something: a small run that learns, its counters, or what a single crossbar conducts and reads. What differs
by rounding alone has not changed. ``make test`` tries a sixth of these pairs, every field on five chips or more, and
``make test-all`` all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip.description import PERFECT, PRICES, TOLD, Chip
from hw_models.chip.rules import RULES
from hw_models.errors import ChipError
from neuroep.errors import ConfigError
from tests.lots import drawn
from tests.neuroep.engines.chip.conftest import UPDATES, nested

ROUNDING = 1e-5
"""Relative difference below which nothing has changed: conductances are single precision."""
PULSED = {"update.scheme": "pulsed", "device.pulse.dw_min": 0.01}
DRIFT = {"device.age": 1e5, "device.drift_mean": [0.0, 0.05, 0.05, 0.05]}
PCM = {"device.read_noise": 0.02, "device.read_noise_law": "pcm"}
EXPONENTIAL = {"response": "exponential", "a_up": 0.5, "a_down": 0.4, "gamma_up": 2.0, "gamma_down": 2.0}


def pulse(**fields: object) -> dict[str, object]:
    """Return a chip that learns by pulses of this response."""
    return PULSED | {f"device.pulse.{name}": value for name, value in fields.items()}


CHIPS: dict[str, dict[str, Any]] = {
    "ideal": {},
    "event driven": {"substrate": "event_driven"},
    "event driven, ranges fixed": {"substrate": "event_driven", "events.state_range": 2.0, "events.weight_range": 0.5},
    "mixed precision": {"update.scheme": "mixed_precision", "device.pulse.dw_min": 0.003},
    "mixed precision, closed loop": {
        "update.scheme": "mixed_precision", "device.pulse.dw_min": 0.003, "update.verify.tolerance": 1e-4,
    },
    "pulsed": PULSED,
    "pulsed, stochastic": PULSED | {"update.trains": "stochastic", "update.management": False},
    "net counts": PULSED | {"update.signals": "net_counts", "update.counter.slots": 40, "update.counter.bits": 4},
    "net counts, plain": PULSED | {
        "update.signals": "net_counts", "update.counter.slots": 30, "update.counter.shift": 3, "update.counter.bits": 6,
        "update.management": False,
    },
    "linear": pulse(response="linear", gamma_up=0.4, gamma_down=0.3),
    "exponential": pulse(**EXPONENTIAL),
    "exponential, one way": pulse(**EXPONENTIAL | {"a_up": 0.0, "gamma_up": 0.0}),
    "power": pulse(response="power", gamma_up=0.5, gamma_down=0.5),
    "soft bounds": pulse(response="soft_bounds"),
    "table": pulse(response="table", table_up=[1.5, 1.0, 0.5], table_down=[0.5, 1.0, 1.1], noise=0.3),
    "devices that differ": pulse(dw_min_spread=0.3, w_max_spread=0.3, w_min_spread=0.3, w_max=0.3, w_min=-0.3),
    "corrupt": pulse(corrupt=0.2, noise=0.3),
    "write noise": pulse(write_noise=1.0, response="soft_bounds"),
    "one-sided pair": pulse(response="power", gamma_up=1.5, w_min=0.0) | {"device.cell.kind": "one_sided"},
    "pair both ways": pulse(response="power", gamma_up=1.0, gamma_down=0.5, w_min=0.0)
    | {"device.cell.kind": "bidirectional"},
    "refreshed": pulse(response="power", gamma_up=1.5, w_min=0.0)
    | {
        "device.cell.kind": "one_sided", "device.cell.refresh_every": 1, "device.cell.refresh_above": 0.01,
        "device.cell.refresh_lesser": 0.0, "crossbar.weight_headroom": 2.0,
    },
    "reference devices": pulse(response="soft_bounds", up_down=0.3)
    | {"crossbar.mapping": "offset", "crossbar.reference": "device"},
    "retention": PULSED | {"timing.integration": 1.0, "device.retention": 1e4},
    "offset": {"crossbar.mapping": "offset"},
    "offset, analog reference": {"crossbar.mapping": "offset", "crossbar.reference": "analog", "dac.range": 0.5},
    "offset, levels": {"crossbar.mapping": "offset", "device.levels": 8},
    "relaxation": {
        "device.programming_noise": [0.5, 1.0], "device.programming_noise_fresh": [0.2, 0.3], "device.age": 1e4,
    },
    "held difference": {"readout.signal": "difference", "readout.hold_noise": 0.05},
    "held difference, offsets": {"readout.signal": "difference", "readout.hold_offset": 0.05},
    "held difference, time": {"readout.signal": "difference", "readout.hold_time": 1e-2, "timing.hold": 1e-3},
    "held difference, droop": {"readout.signal": "difference", "readout.hold_droop": 0.1},
    "sampled states": {"readout.hold_noise": 0.05},
    "phases that drift": {"device.phase_drift": 0.01},
    "seldom reprogrammed": {"update.reprogram_every": 2},
    "leak": {"device.leak": 0.1, "update.reprogram_every": 2},
    "disturb": {"device.disturb": 0.05},
    "a fast array": {
        "update.scheme": "agad", "device.pulse.dw_min": 2e-3, "update.train_length": 1, "update.transfer.chop_every": 1,
    },
    "a fast array that is seen": {
        "update.scheme": "tiki_taka_v2", "device.pulse.dw_min": 2e-3, "update.transfer.gamma": 0.5,
        "update.train_length": 1,
    },
    "arrays of falling scale": {
        "update.scheme": "residual", "device.pulse.dw_min": 0.02, "update.train_length": 1,
        "update.transfer.pulses": 1.0,
    },
    "short trains": PULSED | {"update.train_length": 1},
    "slices": {"crossbar.slices": 2, "crossbar.slice_bits": 3},
    "weight range": {"crossbar.weight_range": 0.3},
    "analog attention": {"attention.kind": "analog"},
    "analog attention, range fixed": {"attention.kind": "analog", "attention.pattern_range": 1.0},
    "exponential bits": {"attention.exp_bits": 4},
    "additive noise": {"device.read_noise": 0.3},
    "time": {"timing.integration": 1e-6, "timing.adc": 1e-6},
    "telegraph": {"device.rtn_share": 0.5, "device.rtn_amplitude": 0.3},
    "telegraph, time": {"device.rtn_share": 0.5, "timing.integration": 1e-6, "timing.row": 10.0},
    "thermal": {
        "device.read_voltage": 0.02, "timing.integration": 1e-9, "temperature": 300.0, "timing.row": 10.0,
    },
    "hot drift": DRIFT | {"temperature": 340.0, "device.drift_activation": 0.3},
    "time, pcm noise": PCM | {"timing.digital": 1e-6, "timing.row": 10.0},
    "time constants": {"timing.tau": 1e-6},
    "proportional noise": {"device.read_noise": 0.05, "device.read_noise_law": "proportional"},
    "pcm noise": PCM,
    "pcm noise of its own form": PCM | {"device.read_noise": 1.0, "device.read_noise_log": [0.0, 0.03, 0.03, 0.03]},
    "programming noise": {"device.programming_noise": [0.5, 1.0]},
    "drift": DRIFT,
    "drift, spread alone": {"device.age": 1e5, "device.drift_spread": [0.0, 0.05, 0.05, 0.05]},
    "g_min": {"device.g_min": 3.0, "device.mismatch": 0.1},
    "wires": {"wires.r_word": 50.0, "wires.r_bit": 50.0, "crossbar.rows": 6},
    "digits": {"dac.bits": 6, "dac.digit_bits": 2},
    "bits one by one": {"dac.bits": 5, "dac.digit_bits": 1, "dac.digit_sign": "twos_complement"},
    "sinh": {"device.iv": "sinh", "device.read_voltage": 0.4, "device.iv_voltage": 0.2, "dac.range": 1.0},
    "cubic": {"device.iv": "cubic", "device.iv_cubic": 0.3, "dac.range": 1.0},
    "cubic behind wires": {
        "device.iv": "cubic", "device.iv_cubic": 0.3, "dac.range": 1.0, "wires.r_word": 90.0, "wires.r_bit": 90.0,
        "crossbar.rows": 6,
    },
    "adcs that err": {"adc.bits": 6, "adc.gain_spread": 0.05, "adc.inl": 0.03, "adc.dnl": 0.2},
    "an array for the transposed path": {"transposed.devices": "own", "device.mismatch": 0.1},
    "state bits": {"neuron.state_bits": 5},
    "state noise": {"neuron.state_noise": 0.02},
    "increments": {"nudged.drive": "increments"},
    "increments, bits": {"nudged.drive": "increments", "dac.bits": 5, "adc.bits": 5},
}
CONVERTERS = ("dac", "adc", "attention.state", "readout")
KINDS: dict[str, dict[str, float]] = {
    "bits": {"bits": 5}, "bits and range": {"bits": 5, "range": 0.7}, "range": {"range": 0.7}, "noise": {"noise": 0.05},
}
"""Every converter is of every kind once, and no two are of one: what a field of one needs is not read off another."""
for turn in range(len(KINDS)):
    kinds = {part: [*KINDS][(n + turn) % len(KINDS)] for n, part in enumerate(CONVERTERS)}
    fields = {f"{part}.{name}": value for part, kind in kinds.items() for name, value in KINDS[kind].items()}
    CHIPS[", ".join(f"{part}: {kind}" for part, kind in kinds.items())] = fields
CONVERTER = {"bits": 4, "range": 0.4, "sign": "unsigned", "percentile": 60.0, "margin": 3.0, "stochastic": True}
VALUES: dict[str, Any] = {
    "device.read_noise_band": [1e-5, 0.1],
    "device.rtn_share": 0.4,
    "device.rtn_amplitude": 0.4,
    "device.rtn_exponent": 0.4,
    "device.rtn_amplitude_spread": 0.4,
    "device.rtn_capture": 4e-3,
    "device.rtn_emission": 5e-3,
    "device.rtn_decades": 6.0,
    "device.drift_activation": 0.4,
    "device.drift_temperature": 250.0,
    "temperature": 350.0,
    "timing.dac": 2e-7,
    "timing.integration": 3e-7,
    "timing.adc": 4e-7,
    "timing.digital": 5e-7,
    "timing.hold": 6e-7,
    "timing.pulse": 7e-7,
    "timing.count": 9e-7,
    "timing.row": 8e-7,
    "timing.copies": 3,
    "timing.tau": 9e-7,
    "substrate": "event_driven",
    "calibration_samples": 3,
    "calibration_every": 1,
    "nudged.drive": "increments",
    "nudged.paths": "exchanged",
    "nudged.mean_sweeps": 2,
    "update.write_threshold": 0.2,
    "crossbar.follow_weights": True,
    "crossbar.repeats": 3,
    "crossbar.rows": 4,
    "crossbar.columns": 2,
    "crossbar.mapping": "offset",
    "crossbar.reference": "analog",
    "crossbar.reference_lines": 2,
    "crossbar.zero": "level",
    "crossbar.slices": 3,
    "crossbar.slice_bits": 2,
    "crossbar.weight_range": 0.2,
    "crossbar.weight_headroom": 3.0,
    "crossbar.weight_clip": 0.9,
    "crossbar.hold_input": False,
    "crossbar.exact_noise": True,
    "device.g_min": 5.0,
    "device.g_max": 60.0,
    "device.g_min_spread": 0.5,
    "device.g_max_spread": 0.3,
    "device.mismatch": 0.3,
    "device.levels": 9,
    "device.resolution": 3.0,
    "device.programming_noise": [1.5],
    "device.programming_noise_fresh": [0.4],
    "device.programming_noise_g_max": 12.0,
    "device.relaxation_times": [10.0, 1e6],
    "device.read_noise": 0.2,
    "device.read_noise_law": "sqrt",
    "device.read_noise_exponent": 0.2,
    "device.read_noise_cap": 0.01,
    "device.read_noise_log": [0.0, 2.0, 2.0, 2.0],
    "device.read_noise_above": [0.2, 0.3],
    "device.read_time": 1e-3,
    "device.drift_mean": [0.0, 0.1, 0.1, 0.1],
    "device.drift_spread": [0.0, 0.08, 0.08, 0.08],
    "device.drift_mean_above": [0.2, 0.2],
    "device.drift_spread_above": [0.2, 0.1],
    "device.drift_start": 1e4,
    "device.age": 1e7,
    "device.drift_compensation": True,
    "device.read_voltage": 0.7,
    "device.iv": "cubic",
    "device.iv_voltage": 0.5,
    "device.iv_cubic": 0.8,
    "device.phase_drift": -0.01,
    "device.nudge_shift": 0.05,
    "device.leak": 0.2,
    "device.disturb": 0.05,
    "device.stuck_low": 0.2,
    "device.stuck_high": 0.1,
    "device.pulse.response": "soft_bounds",
    "device.pulse.dw_min": 0.02,
    "device.pulse.dw_min_spread": 0.4,
    "device.pulse.noise": 0.6,
    "device.pulse.up_down": 0.4,
    "device.pulse.up_down_spread": 0.3,
    "device.pulse.w_max": 0.4,
    "device.pulse.w_min": -0.4,
    "device.pulse.w_max_spread": 0.4,
    "device.pulse.w_min_spread": 0.4,
    "device.retention": 1e-4,
    "device.retention_spread": 0.5,
    "device.cell.kind": "one_sided",
    "device.cell.reference_at": "middle",
    "device.cell.reference_mean": 0.2,
    "device.cell.reference_spread": 0.2,
    "device.cell.reference_rounds": 5,
    "device.cell.reset": 0.1,
    "device.cell.reset_spread": 0.1,
    "device.cell.reset_noise": 0.1,
    "device.cell.refresh_every": 2,
    "device.cell.refresh_above": 0.3,
    "device.cell.refresh_lesser": 0.01,
    "device.cell.refresh_most": 1,
    "device.cell.refresh_rounds": 3,
    "device.cell.refresh_noise": 0.1,
    "device.pulse.write_noise": 2.0,
    "device.pulse.dw_min_law": "log_normal",
    "device.pulse.step_correlation": 0.1,
    "device.pulse.bound_correlation": 0.8,
    "device.pulse.noise_law": "log_normal",
    "device.pulse.noise_base": 0.7,
    "device.pulse.noise_state": 0.1,
    "device.pulse.corrupt": 0.3,
    "device.pulse.corrupt_range": 0.05,
    "device.pulse.unresponsive": 0.4,
    "device.pulse.table_states": [0.0, 0.2, 1.0],
    "device.pulse.table_up": [0.3, 1.2, 0.4],
    "device.pulse.table_down": [1.2, 0.1, 0.4],
    "device.pulse.table_noise": [0.2, 1.0, 2.0],
    "device.pulse.gamma_up": 0.9,
    "device.pulse.gamma_down": 0.8,
    "device.pulse.gamma_up_spread": 0.4,
    "device.pulse.gamma_down_spread": 0.3,
    "device.pulse.a_up": 0.9,
    "device.pulse.a_down": 0.8,
    "device.pulse.slope": 0.3,
    "device.pulse.offset": 0.4,
    "wires.r_word": 100.0,
    "wires.r_bit": 100.0,
    "wires.refresh_every": 3,
    "neuron.gain_spread": 0.3,
    "neuron.offset_spread": 0.2,
    "neuron.state_noise": 0.05,
    "neuron.state_bits": 3,
    "neuron.state_range": 0.5,
    "neuron.time_constant": 3.0,
    "neuron.nudge_mismatch": 0.1,
    "attention.kind": "analog",
    "attention.exp_bits": 2,
    "attention.pattern_range": 0.3,
    "readout.signal": "difference",
    "readout.hold_noise": 0.02,
    "readout.hold_offset": 0.02,
    "readout.hold_gain": 0.05,
    "readout.hold_droop": 0.2,
    "readout.hold_time": 1e-2,
    "readout.holds": 3,
    "readout.chopping": "sample",
    "readout.auto_zero": "sample",
    "update.scheme": "mixed_precision",
    "update.reprogram_every": 2,
    "update.granule": 0.05,
    "update.trains": "stochastic",
    "update.signals": "contrast",
    "update.train_length": 3,
    "update.overlong": "both",
    "update.management": False,
    "update.counter.bits": 2,
    "update.counter.slots": 12,
    "update.counter.overflow": "saturate",
    "update.counter.shift": 1,
    "update.counter.draws": "independent",
    "update.counter.room": 2.0,
    "update.scaling": "auto",
    "update.step": 1.3,
    "update.fill": 0.3,
    "update.memory": 1,
    "update.rms": "array",
    "update.zero_shift": 3,
    "update.verify.rounds": 2,
    "update.verify.tolerance": 0.02,
    "update.transfer.every": 2,
    "update.transfer.columns": 3,
    "update.transfer.gamma": 0.3,
    "update.transfer.pulses": 2.5,
    "update.transfer.rate": 40.0,
    "update.transfer.most": 1,
    "update.transfer.keep": 0.6,
    "update.transfer.chop_every": 2,
    "update.transfer.chop_probability": 0.8,
    "update.transfer.tracking": 0.4,
    "update.transfer.momentum": 0.3,
    "update.transfer.read_range": 0.1,
    "update.transfer.tiles": 3,
    "update.transfer.warm": 2,
    "update.transfer.verify": False,
    "update.transfer.reference_mean": 0.2,
    "update.transfer.reference_spread": 0.2,
    "dac.encoding": "pulse_width",
    "dac.digit_bits": 3,
    "dac.digit_sign": "twos_complement",
    "adc.columns": 2,
    "adc.gain_spread": 0.2,
    "adc.offset_spread": 0.1,
    "adc.inl": 0.1,
    "adc.inl_spread": 0.07,
    "adc.inl_shape": "s",
    "adc.dnl": 0.7,
    "transposed.devices": "own",
    "transposed.mismatch": 0.3,
    "transposed.weight_error": 0.5,
    "transposed.gain": 0.2,
    "transposed.gain_spread": 0.2,
    "transposed.offset_spread": 0.1,
    "events.threshold": 0.1,
    "events.state_bits": 4,
    "events.state_range": 0.6,
    "events.weight_bits": 3,
    "events.weight_range": 0.1,
    "events.weight_headroom": 3.0,
    "events.in_place": True,
}
for part in ("dac", "adc", "attention.state", "readout"):
    VALUES |= {f"{part}.{name}": value for name, value in CONVERTER.items()} | {f"{part}.noise": 0.1}
OTHERS: dict[str, list[Any]] = {
    "device.read_noise_law": ["additive", "proportional", "pcm"],
    "update.scheme": [
        "digital", "pulsed", "momentum", "tiki_taka", "tiki_taka_v2", "chopped", "agad", "rider", "e_rider", "residual",
    ],
    "update.signals": ["net_counts"],
    "update.scaling": ["off"],
    "device.iv": ["sinh", "linear"],
    "dac.digit_bits": [1],
    "device.cell.kind": ["single", "bidirectional"],
    "crossbar.reference": ["digital", "device"],
    "device.pulse.response": ["constant", "linear", "exponential", "power", "table"],
    "dac.sign": ["auto"],
    "adc.sign": ["auto"],
    "readout.sign": ["auto"],
    "attention.state.sign": ["auto"],
    "readout.chopping": ["batch"],
    "readout.auto_zero": ["mean"],
}
"""Further values of those that are a choice."""
CONFLICTS = (
    "set both or none",  # slices and slice_bits
    "bit slices are reprogrammed",
    "a fixed range needs signed or unsigned",
    "it is of weights on one slice",
    "need two, which are calibrated",  # states and their difference
    "one step is larger than the range",
    "numbers are needed",  # of a table
    "numbers, give as many",
    "devices of a pair conduct from g_min up, set 0",
    "it should be below 0 with cell.kind 'single'",
    "a pair needs crossbar.mapping = 'differential'",
    "are those of 'power', 'exponential' or 'table'",
    "at most refresh_above",
    "it is of noise that goes with the step alone",
    "fewer than outputs of a tile need a DAC with a full scale",
    "the second should be the later one",
    "the second should be the longer time",
    "it should be from 0 to programming_noise",
    "with iv = 'sinh' it is needed, in V",
    "it needs a DAC with a full scale",
    "analog attention units read states, use attention.kind = 'digital'",
    "by histories of their own, set",
    "needs 'digital' to write both",
    "never reaches a pulse of",
    "or by its time constant",  # of a droop
)
"""Ends of lines that say what cannot be, beside those that say where a field acts."""
SETTINGS = {"settling.free_steps": 3, "settling.nudged_steps": 2}
SHORT = {"network.tokens": 4, "training.batch": 4}
"""Of chips whose bent devices lie behind wires: a network of nodes is solved for every read."""
FEW = {"calibration_samples": 8}
"""One batch."""
SHARE = 6
"""One pair of a chip and a field in so many is tried, if not all are."""


def test_every_field_has_a_value_here():
    """A field that is added to a chip and not tried here fails."""
    assert VALUES.keys() == Chip.settings().keys() - PERFECT - PRICES - TOLD
    defaults = dict(Chip.fields_of(Chip()))
    assert [name for name, value in VALUES.items() if value == defaults[name]] == []
    assert min(sum(drawn(chip, name, of=SHARE) for chip in CHIPS) for name in VALUES) >= 5


def single(chip: Chip) -> list[np.ndarray]:
    """Return what one crossbar conducts and reads, calibrated on what it reads; nothing of an event-driven chip."""
    if chip.substrate != "crossbar":
        return []
    draw, found = np.random.default_rng(1), []
    signed = draw.normal(size=(5, 7))
    x, s = draw.random((6, 7)), draw.random((6, 5))
    for weight in (signed, np.abs(signed) * (np.arange(5)[:, None] > 0)):  # a sum of nothing, too
        bar = Crossbar(chip, weight.shape, seed=0, name="single", dtype="float32")
        bar.program(weight)
        bar.observe()
        bar.forward(x), bar.transposed(s)
        bar.freeze()
        found += [*bar.conductances(), bar.forward(x), bar.transposed(s)]
    return found


def changed(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Tell whether arrays differ by more than rounding."""
    if [a.shape for a in one] != [b.shape for b in other]:
        return True
    pairs = zip(one, other, strict=True)
    return any(np.abs(a - b).max(initial=0) > ROUNDING * max(np.abs(a).max(initial=0), 1e-3) for a, b in pairs)


Found = tuple[list[np.ndarray], dict[str, int]]


class Results:
    """What a chip leaves after some updates, by its fields: outputs, weights and counters."""

    def __init__(self, small: Any) -> None:
        self.small = small
        self.of = cache(self._of)

    def _of(self, flat: tuple[tuple[str, Any], ...], updates: int, short: bool) -> Found:
        fields = {name: list(value) if isinstance(value, tuple) else value for name, value in flat}
        found = self.small(FEW | fields, SETTINGS | (SHORT if short else {}), updates)
        arrays = [found.outputs, *(found.weights[name] for name in sorted(found.weights))]
        return arrays + (single(found.parts.config.chip) if updates == UPDATES else []), found.counters

    def __call__(self, fields: Mapping[str, Any], updates: int, short: bool) -> Found:
        flat = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        return self.of(tuple(sorted(flat.items())), updates, short)

    def differ(self, chip: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
        """Tell whether fields change anything: by the first update, which most do, or else by the last."""
        short = {"device.iv", "wires.r_word"} <= chip.keys()
        for updates in (1, UPDATES):
            found, (before, counted) = self({**chip, **fields}, updates, short), self(chip, updates, short)
            arrays, counters = found
            if counters != counted or changed(before, arrays):
                return True
        return False


@pytest.fixture(scope="module")
def results(small) -> Results:
    return Results(small)


def values_of(name: str, chip: Mapping[str, Any]) -> list[Any]:
    """Return the values to try, none the chip has already, or stands for where its learning rule has a default."""
    held = chip.get(name, dict(Chip.fields_of(Chip()))[name])
    usual = RULES[chip.get("update.scheme", "digital")].takes.get(name.removeprefix("update."))
    return [value for value in (VALUES[name], *OTHERS.get(name, [])) if value != (usual if held is None else held)]


def _steps_are_trains(chip: Chip) -> bool:
    """Tell whether the order of pulses does not matter: without noise, of constant steps or all in one direction."""
    pulse, steady = chip.device.pulse, chip.device.pulse.response == "constant"
    noise = pulse.noise, pulse.noise_base, pulse.noise_state, pulse.write_noise
    return not any(noise) and (steady or chip.device.cell.kind == "one_sided")


def in_vain(results: Results, chip: Mapping[str, Any], name: str, value: Any) -> str:
    """Return what is wrong with a field on a chip: accepted without effect, or refused without a reason."""
    try:
        if results.differ(chip, {name: value}):
            return ""
    except (ConfigError, ChipError) as error:
        line = str(error)
        told = all("it acts only" in each for each in error.lines)
        return "" if told or any(end in line for end in CONFLICTS) else f"{name} = {value}: {line}"
    if name == "crossbar.follow_weights" and not Crossbar(Chip.parse(nested(chip)), (2, 2)).ideal:
        return ""  # at the latest when a weight outgrows the first range, beyond which it is cut
    if name == "update.trains" and _steps_are_trains(Chip.parse(nested(chip))):
        return ""  # says how trains are computed: of pulses that commute, without noise, steps are as exact
    if name == "calibration_samples" and not Chip.parse(nested(chip)).calibrates:
        return ""  # says how ranges are found, where one is: it may stand on any chip
    return "" if value == dict(Chip.fields_of(Chip()))[name] else f"{name} = {value} has no effect"


@pytest.mark.parametrize("chip", CHIPS)
def test_a_field_acts_or_is_refused(results, chip):
    faults = [
        fault
        for name in VALUES
        if drawn(chip, name, of=SHARE)
        for value in values_of(name, CHIPS[chip])
        if (fault := in_vain(results, CHIPS[chip], name, value))
    ]
    assert faults == []
