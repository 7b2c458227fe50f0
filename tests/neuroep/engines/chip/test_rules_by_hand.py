"""What a stranger to the rules works out by hand: ranges of reads, signs of a chopper, pulses, reads, slots, area."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.columns import read_columns
from hw_models.chip import Chip
from hw_models.errors import ChipError
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Contrast, Moved
from neuroep.learning.optimisers import SGD
from neuroep.runs import training
from tests.neuroep.engines.chip.conftest import nested
from tests.neuroep.engines.chip.test_transfer import SHAPE, contrast, made

READ = {"adc.bits": 10, "adc.range": 4.0}
START = np.array([[0.31, -0.22, 0.05, 0.4], [-0.13, 0.0, 0.27, -0.33], [0.11, 0.18, -0.4, 0.02]])


def array(scheme: str, weight: np.ndarray = START, **fields) -> CrossbarArray:
    """Return the weights of a synapse whose states are never negative."""
    chip = Chip.parse(nested({"update.scheme": scheme, "crossbar.weight_range": 1.0} | fields))
    found = CrossbarArray("a", weight.copy(), None, chip, Setting(SGD(), Workers(1), "float64", 0))
    found.assume((True, True))
    return found


@pytest.mark.parametrize("scheme", ["tiki_taka_v2", "agad", "residual"])
def test_the_stop_of_reads_of_the_fast_array_is_not_that_of_the_weights(scheme):
    """Weights beyond read_range are programmed in a closed loop: read at A's stop they would be driven to a bound."""
    fields = {"update.transfer.read_range": 0.1, "update.verify.rounds": 10, "device.pulse.dw_min": 0.01}
    rule = made(scheme, weight=START, **READ | fields)
    np.testing.assert_allclose(rule.weights(), START, atol=0.01)
    assert rule.fast.converters.of("forward")[1].range == pytest.approx(0.1)


def test_residual_learning_reads_its_arrays_beyond_the_stop_of_the_fast_one():
    rule = made("residual", weight=np.full(SHAPE, 0.6), **READ, **{"update.transfer.read_range": 0.1})
    np.testing.assert_allclose(rule._read("crossbar", np.arange(4)), 0.6, atol=2 / 511)
    np.testing.assert_allclose(rule.weights(), 0.6, atol=1e-2)


def test_residual_learning_reads_devices_wherever_pulses_bring_them():
    """A device whose bound is beyond the range of the first weights is read there too."""
    rule = made("residual", **READ, **{"device.pulse.w_max": 1.25, "device.pulse.w_min": -0.75})
    rule.crossbar.stored[:] = 1.2
    rule.crossbar.refresh()
    np.testing.assert_allclose(rule._read("crossbar", np.arange(4)), 1.2, atol=2.5 / 511)


BEYOND = {"device.pulse.w_max": 1.25, "device.pulse.w_min": -0.75, "device.pulse.dw_min": 0.01}


def test_weights_beyond_the_range_of_the_first_ones_are_programmed_as_they_are():
    """A device whose bound is 1.25 of the range holds 1.2: read at a stop of 1 it would be driven to its bound."""
    weight = np.full(SHAPE, 1.2)
    rule = made("pulsed", weight=weight, **READ, **BEYOND, **{"update.verify.rounds": 10, "update.signals": "contrast"})
    np.testing.assert_allclose(rule.weights(), weight, atol=0.01)


def test_weights_beyond_the_range_of_the_first_ones_are_written_anew_as_they_are():
    rule = made("agad", weight=START, **READ, **BEYOND, **{"update.fill": 0.5, "crossbar.weight_range": None})
    rule.crossbar.stored[:] = 1.2
    rule.crossbar.refresh()
    np.testing.assert_allclose(rule._read_whole() / rule.crossbar.weight_range, 1.2, atol=2.5 / 511)


@pytest.mark.parametrize("dac", [{"dac.sign": "auto"}, {"dac.sign": "auto", "dac.digit_bits": 2}, {}])
@pytest.mark.parametrize("scheme", ["rider", "e_rider"])
def test_inputs_with_the_signs_of_a_chopper_reach_the_array_that_products_see(scheme, dac):
    """States are never negative, c x is: W' x = W x + gamma P (c x) - gamma Q (c x), in the ranges of converters."""
    rule = (made_array := array(scheme, **dac, **{"dac.bits": 8, "update.transfer.gamma": 0.4})).rule
    draws, states = np.random.default_rng(0), np.random.default_rng(1).uniform(0, 1, (20, 4))
    made_array.observe()
    made_array.forward(states)
    made_array.transposed(states[:, :3])
    made_array.freeze()
    rule.fast.stored[:] = draws.uniform(-0.5, 0.5, SHAPE)
    rule.fast.refresh()
    rule.kept["reference"][:] = draws.uniform(-0.5, 0.5, SHAPE)
    signs = np.array([1, -1, -1, 1]) if scheme == "e_rider" else np.ones(4)
    rule.kept["chopper"][:] = signs
    wanted = np.zeros((20, 3))
    for n in range(20):
        for i in range(3):
            for j in range(4):
                seen = rule.fast.stored[i, j] - rule.kept["reference"][i, j]
                wanted[n, i] += (START[i, j] + 0.4 * signs[j] * seen) * states[n, j]
    np.testing.assert_allclose(made_array.forward(states), wanted, atol=4 * 1.4 / 127)


@pytest.mark.parametrize("drive", ["states", "increments"])
@pytest.mark.parametrize("scheme", ["tiki_taka_v2", "rider", "e_rider"])
def test_a_fast_array_that_products_see_is_read_though_it_was_at_rest_when_ranges_were_measured(scheme, drive):
    """Noise was all that its converters saw: a column of 0.5 was read as 0.0003, and products likewise."""
    fields = {"adc.bits": 10, "dac.bits": 8, "device.read_noise": 1e-3, "update.transfer.gamma": 0.4}
    found = array(scheme, **fields, **{"nudged.drive": drive, "dac.sign": "auto"})
    states = np.random.default_rng(1).uniform(0, 1, (60, 4))
    found.observe()
    for increments in (False, drive == "increments"):
        found.rule.forward(states, increments)
        found.rule.transposed(states[:, :3], None, increments)
    found.freeze()
    rule = found.rule
    rule.fast.stored[:] = 0.5
    rule.fast.refresh()
    np.testing.assert_allclose(read_columns(rule.fast, np.arange(4)), 0.5, atol=0.02)
    near = {"atol": 0.02} if drive == "states" else {"atol": 0.04}
    wanted = 0.1 * states @ rule.weights().T
    np.testing.assert_allclose(rule.forward(0.1 * states, drive == "increments"), wanted, **near)


def test_a_converter_without_a_sign_ahead_of_a_chopper_is_refused():
    own = {"dac.bits": 8, "dac.range": 1.0, "dac.sign": "unsigned", "update.transfer.gamma": 0.4}
    with pytest.raises(ChipError, match=r"dac.sign = 'unsigned': .* signs of a chopper, use 'signed' or 'auto'"):
        made("e_rider", **own)
    made("rider", **own)
    made("e_rider", **own | {"update.transfer.gamma": 0.0})


def moved(rows: int = 6, seed: int = 0) -> Contrast:
    """Return a contrast whose both ends move."""
    rng = np.random.default_rng(seed)
    minus = [rng.normal(size=(rows, size)) for size in SHAPE]
    plus = [side + 0.3 * rng.normal(size=side.shape) for side in minus]
    return Contrast(Moved(plus[0], minus[0]), Moved(plus[1], minus[1]), 1.0, rows)


@pytest.mark.parametrize("trains", ["expected", "stochastic", "net_counts"])
@pytest.mark.parametrize("kind", ["single", "one_sided", "bidirectional"])
def test_devices_of_the_transposed_path_get_the_same_pulses(kind, trains):
    """Both arrays are on the same lines: alike devices end alike."""
    own = {"update.signals": "net_counts"} if trains == "net_counts" else {"update.trains": trains}
    fields = {"transposed.devices": "own", "device.pulse.dw_min": 1e-4, "device.cell.kind": kind, **own}
    rule = made("pulsed", **fields | ({} if kind == "single" else {"device.pulse.w_min": 0.0}))
    for number in range(4):
        rule.update(moved(seed=number), 0.01)
    assert np.abs(rule.crossbar.stored).max() > 10 * 1e-4
    np.testing.assert_array_equal(rule.crossbar.stored, rule.crossbar.other.stored)


@pytest.mark.parametrize("scheme", ["pulsed", "agad", "residual"])
def test_a_weight_has_one_counter_however_many_arrays_hold_it(scheme):
    """Coincidences of every sample are counted once, and kept once, where trains go."""
    fields = {"update.signals": "net_counts", "update.counter.shift": 1, "transposed.devices": "own"}
    rule = made(scheme, **fields)
    counts = [name for name in rule.kept if name.endswith(" counts")]
    assert counts == ["a counts" if scheme == "pulsed" else "a fast counts"]
    rule.update(moved(), 0.01)
    done = rule.performed()
    parts = {work.part for work, number in done.rows() if work.operation == "count" and number}
    assert parts == {counts[0].removesuffix(" counts")}


def test_counters_are_worth_less_of_a_range_that_grew():
    fields = {"update.signals": "net_counts", "update.counter.shift": 4, "update.scaling": "auto"}
    rule = made("pulsed", weight=START, **fields, **{"crossbar.weight_range": None})
    rule.groups["crossbar"][0].counters.counters[:] = 10
    rule.crossbar.stored[:] = 0.9
    full = rule.crossbar.weight_range
    assert rule._widen() == 0 and rule.crossbar.weight_range == 2 * full
    np.testing.assert_array_equal(rule.groups["crossbar"][0].counters.counters, 5)


def test_slots_of_a_pair_are_those_of_the_device_that_takes_more():
    """Two pulses on G+ and seven on G- of other weights take seven slots, on the clock and in the tally."""
    rule = made("mixed_precision", **{"device.cell.kind": "one_sided", "device.pulse.w_min": 0.0})
    up, down = np.zeros(SHAPE, int), np.zeros(SHAPE, int)
    up[0, 0], down[1, 1] = 2, 7
    before = rule.performed().total("slot")
    cells = rule.pulsed_arrays[0].devices
    cells.apply(rule.crossbar.stored, up, down, 0)
    assert cells.slots == rule.performed().total("slot") - before == 7


def test_pulses_of_one_update_disturb_each_for_themselves():
    """Momentum without memory: A moves by a pulse, and back; its neighbours feel both, and pairs are looked at once."""
    certain = {"update.scaling": "off", "update.management": False, "update.train_length": 1}
    fields = certain | {"update.trains": "stochastic", "device.disturb": 0.01, "device.pulse.dw_min": 0.1}
    rule = made("momentum", **fields, **{"update.transfer.momentum": 0.0, "update.transfer.most": 1})
    rule.update(contrast(np.ones(3), np.ones(4)), 1e6)
    felt = 0.01 * (2 + 3) * 0.1  # of the other devices on both lines
    back = -np.floor((0.1 + felt) / 0.1 + rule._draws("fading").random(SHAPE)) * 0.1
    others = back.sum(0, keepdims=True) + back.sum(1, keepdims=True) - 2 * back
    np.testing.assert_allclose(rule.fast.stored, 0.1 + felt + back + 0.01 * others, atol=1e-6)
    assert rule.groups["fast"][0].devices.counts[1] == 1


@pytest.mark.parametrize(("share", "line"), [(6e-5, ["dense_1: 6e-05 of coincidences beyond the counters"]), (0, [])])
def test_counts_that_get_lost_are_told_where_they_matter(share, line):
    assert training.near_limits({"arrays": {"dense_1": {"counts_lost": share}}}) == line


REFERRED = {"crossbar.mapping": "offset", "crossbar.reference": "device", "device.pulse.response": "soft_bounds"}


def test_zero_shifting_programs_references_to_what_is_read_not_to_the_state_behind():
    """Write noise of 0.5 dw = 0.05 of the range is what the reference then errs by; the weight reads 0 all the same."""
    noise = {"device.pulse.dw_min": 0.1, "device.pulse.write_noise": 0.5, "update.zero_shift": 60}
    rule = made("agad", weight=np.zeros((40, 50)), **REFERRED | noise)
    cells = rule.groups["fast"][0].devices
    error = cells.reference - cells.states[0]
    assert error.std() == pytest.approx(0.05, rel=0.05)
    np.testing.assert_allclose(rule.fast.stored, 0, atol=1e-6)


def test_writing_references_and_weights_that_outgrow_their_range_takes_time():
    """Zero-shifting: rows of A's and W's references, then of W; a range that grows: rows of W."""
    times = {"timing.row": 1e-6, "timing.pulse": 1e-9}
    rule = made("agad", weight=START, **REFERRED, **times, **{"update.zero_shift": 5})
    rows = SHAPE[1]
    assert rule.prepared == pytest.approx((3 * rows) * 1e-6 + 2 * 10e-9)
    rule = made("agad", weight=START, **times, **{"crossbar.weight_range": None})
    assert rule.prepared == 0
    rule.seconds = 0.0
    rule.crossbar.stored[:] = 0.9
    assert rule._widen() == 0 and rule.seconds == pytest.approx(rows * 1e-6)


def test_rows_that_are_never_written_anew_have_no_duration():
    with pytest.raises(ChipError, match=r"timing.row = 1e-06: it acts only with update.scheme digital, or with"):
        made("agad", **{"timing.row": 1e-6})


def test_arrays_of_residual_learning_are_programmed_once():
    """Every device of the four arrays and of A is written once before learning, and read once: a bill by hand."""
    rule = made("residual", weight=START, **{"update.transfer.tiles": 4, "device.pulse.dw_min": 0.2})
    done = rule.performed()
    assert done.total("write") == 5 * rule.crossbar.devices.count
    assert done.total("product") == 4 * SHAPE[1]


# By rule: H + rate x and H - n, a - P or p - Q and Q + eta (p - Q), (1 - mu) a; of residual learning also k arrays.
WORK = {
    "tiki_taka": 2, "tiki_taka_v2": 2, "chopped": 2, "agad": 3, "rider": 4, "e_rider": 4, "momentum": 3,
    "residual": 3 + 2 * 8,
}  # fmt: skip


@pytest.mark.parametrize("scheme", WORK)
def test_digital_arithmetic_of_a_transfer_is_counted(scheme):
    rule = made(scheme)
    rule.update(contrast(np.ones(3), np.ones(4)), 1e-6)
    assert rule.performed().number("multiply-add transfer") == WORK[scheme] * 12


def test_a_reference_that_follows_slowly_takes_a_multiply_add_at_each_flip():
    rule = made("agad", **{"update.transfer.tracking": 0.5, "update.transfer.chop_every": 1})
    rule.update(contrast(np.ones(3), np.ones(4)), 1e-6)
    assert rule.performed().number("multiply-add transfer") == 4 * 12


def test_a_device_that_is_full_gets_one_pulse_not_all_that_finer_arrays_are_asked_for():
    """Of half a pulse of the coarsest array the eighth is asked for 64, each update again, which it cannot hold."""
    rule = made("residual", weight=np.zeros(SHAPE), **{"device.pulse.dw_min": 0.4, "device.endurance": 1e6})
    for label in list(rule.scales)[1:]:
        rule.crossbars[label].stored[:] = 1.0
        rule.crossbars[label].refresh()
    rule._move(np.arange(4), np.full(SHAPE, 0.5), np.ones(4))
    worn = {wear.name: wear.pulses for wear in rule.wear()}
    for label in rule.scales:
        np.testing.assert_array_equal(worn["a" if label == "crossbar" else f"a {label}"], label != "crossbar")
    np.testing.assert_allclose(rule.kept["gathered"], 0.5)
    rule._move(np.arange(4), np.full(SHAPE, -0.5 - 3 / 128), np.ones(4))  # one of the sixth, one of the seventh
    worn = {wear.name: wear.pulses for wear in rule.wear()}
    np.testing.assert_array_equal([worn[f"a array_{k}"][0, 0, 0] for k in range(1, 8)], [1] * 5 + [2] * 2)


def test_finer_arrays_that_begin_with_nothing_are_read_by_products():
    """Ranges were measured on the noise of arrays that hold 0; what they hold later is within the coarsest one's."""
    fields = {"adc.bits": 10, "dac.bits": 8, "device.read_noise": 1e-3, "device.pulse.dw_min": 0.01}
    found = array("residual", np.round(START, 2), **fields)
    states = np.random.default_rng(1).uniform(0, 1, (60, 4))
    found.observe()
    found.forward(states)
    found.transposed(states[:, :3])
    found.freeze()
    finer = found.rule.crossbars["array_1"]
    finer.stored[:] = 0.1
    finer.refresh()
    np.testing.assert_allclose(finer.forward(states), states.sum(1, keepdims=True) * 0.1 * np.ones(3), atol=0.01)


LOOKED = [
    ("pulsed", {}), ("agad", {"update.transfer.every": 5}), ("momentum", {"update.transfer.columns": 1}),
    ("residual", {}),
    ("mixed_precision", {"update.transfer.every": 5}),
    ("mixed_precision", {"update.transfer.every": 5, "update.verify.tolerance": 0.05}),
]  # fmt: skip


@pytest.mark.parametrize(("scheme", "fields"), LOOKED)
def test_pairs_are_looked_at_every_so_many_updates_whether_or_not_these_gave_pulses(scheme, fields):
    """Every second of twelve updates, with two products for every input; a look finds what is full by then."""
    pair = {"device.cell.kind": "one_sided", "device.pulse.w_min": 0.0, "device.cell.refresh_every": 2}
    rule = made(scheme, **pair, **fields, **{"device.pulse.dw_min": 0.02, "timing.integration": 1e-6})
    for number in range(12):
        if number == 10:
            for group in rule.groups.values():
                group[0].devices.states[0][:] = group[0].devices.states[1][:] = 0.9
        rule.update(contrast(np.zeros(3), np.zeros(4)), 0.01)
    for group in rule.groups.values():
        np.testing.assert_array_equal(group[0].devices.counts[1:3], (12, 12))  # updates, pairs refreshed
    looks = {name: bar.tally.number("forward") for name, bar in rule.crossbars.items()}
    assert looks["crossbar"] >= 6 * 2 * SHAPE[1]
    assert rule.seconds >= 2 * SHAPE[1] * 1e-6
