"""Seconds of a network by its clock and by its tally, for chips of every kind; its joules by what a chip is."""

from __future__ import annotations

from itertools import product as every

import numpy as np
import pytest

from hw_models.chip import Chip
from hw_models.cost import latency
from hw_models.cost.bill import price
from hw_models.cost.constants import Constants
from hw_models.errors import ChipError
from hw_models.tally import Tally
from neuroep.runs import bills, costs
from tests.hw_models.cost.test_by_hand import near
from tests.neuroep.runs.test_costs import PRICED, opened

NOISY = {"device.read_noise": 0.01, "crossbar.rows": 4, "crossbar.columns": 3}
"""Layers of a noisy chip are read in every sweep."""
TIMES = {"timing.dac": 1e-9, "timing.integration": 1e-7, "timing.adc": 3e-9, "timing.digital": 2e-8}
CHIPS: dict[str, dict[str, object]] = {
    "tiles": {},
    "shared converters": {"adc.columns": 2},
    "offset": {"crossbar.mapping": "offset"},
    "reference lines": {"crossbar.mapping": "offset", "crossbar.reference": "analog", "dac.range": 1.0},
    "repeats": {"crossbar.repeats": 3},
    "own path": {"transposed.devices": "own"},
    "inputs read again": {"crossbar.hold_input": False},
    "slices": {"crossbar.slices": 2, "crossbar.slice_bits": 2, "device.levels": 4},
    "continuous time": {"timing.tau": 1e-6, "cost.sampling_time": 1e-6, "dac.bits": 6, "adc.bits": 8},
    "patterns in continuous time": {
        "timing.tau": 1e-6, "attention.kind": "analog", "cost.sampling_time": 1e-6, "dac.bits": 6, "adc.bits": 8,
    },
    "patterns": {"attention.kind": "analog", "timing.row": 1e-6, "adc.bits": 8, "adc.columns": 4},
    "patterns, read again": {"attention.kind": "analog", "crossbar.repeats": 3, "crossbar.hold_input": False},
    "patterns behind digitised states": {"attention.kind": "analog", "attention.state.bits": 8},
    "patterns in digits": {"attention.kind": "analog", "dac.bits": 7, "dac.digit_bits": 2, "dac.sign": "signed"},
    "patterns beside reference lines": {
        "attention.kind": "analog", "timing.row": 1e-6, "crossbar.mapping": "offset", "dac.range": 1.0,
        "crossbar.reference": "analog", "crossbar.reference_lines": 2, "transposed.devices": "own",
    },
    "digits, slowly": {
        "dac.bits": 7, "dac.digit_bits": 2, "dac.sign": "signed", "timing.tau": 1e-6, "cost.sampling_time": 1e-6,
        "adc.bits": 8,
    },
    "even cuts": {"crossbar.rows": 5, "crossbar.columns": 5, "adc.columns": 64},
    "increments": {"nudged.drive": "increments", "dac.bits": 6, "adc.bits": 8},
    "paths in turn": {
        "transposed.devices": "own", "nudged.paths": "exchanged", "nudged.drive": "increments", "dac.bits": 6,
    },
    "paths in turn, slowly": {
        "transposed.devices": "own", "nudged.paths": "exchanged", "nudged.drive": "increments", "timing.tau": 1e-6,
        "cost.sampling_time": 1e-6, "dac.bits": 6, "adc.bits": 8,
    },
    "increments and inputs": {"nudged.drive": "increments", "crossbar.hold_input": False},
    "mean of sweeps": {"nudged.mean_sweeps": 2},
    "digits": {"dac.bits": 7, "dac.digit_bits": 2, "dac.sign": "signed"},
    "digits whose sign is found": {"dac.bits": 7, "dac.digit_bits": 2, "dac.sign": "auto"},
    "digits of increments": {
        "dac.bits": 7, "dac.digit_bits": 2, "dac.sign": "auto", "nudged.drive": "increments", "adc.bits": 8,
    },
}


def settled(chip: dict[str, object], order: str):
    session = opened(NOISY | TIMES | {"cost.dac_energy": 1.0} | chip, {"settling.order": order})
    engine, before = session.engine, session.engine.performed()
    with engine.metering():
        session.estimator.settle(engine, session.batch("train", np.arange(8)), 0)
    return session, bills.between(engine.performed(), before)


@pytest.mark.parametrize(("kind", "order"), list(every(CHIPS, ("layerwise", "synchronous"))))
def test_the_tally_takes_the_seconds_of_the_clock(kind, order):
    """Two counts of the same phases that share no formula but that of a product."""
    session, counted = settled(CHIPS[kind], order)
    constants = Constants(session.config.chip)
    course = bills.stages(session.network, session.estimator.free, counted)
    clock = bills.elapsed(constants, counted, ("free", "nudged"))
    found = latency.phases(counted, constants, course, ("free", "nudged"))
    assert found.keys() == clock.keys() == {"free", "nudged"}
    for phase, seconds in clock.items():
        assert found[phase] == near(seconds, rel=1e-6), phase


@pytest.mark.parametrize("order", ["layerwise", "synchronous"])
def test_a_row_of_events_takes_a_step_of_the_cores(order):
    """Clamped rows too, which were left out; a synapse that takes no time leaves what the clock counts."""
    session = opened({"substrate": "event_driven", "timing.digital": 1e-6, "cost.neuron_energy": 1.0},
                     {"settling.order": order})  # fmt: skip
    engine, before = session.engine, session.engine.performed()
    session.estimator.settle(engine, session.batch("train", np.arange(8)), 0)
    counted, constants = bills.between(engine.performed(), before), Constants(session.config.chip)
    found = latency.phases(counted, constants, bills.stages(session.network, session.estimator.free, counted),
                           ("free", "nudged"))  # fmt: skip
    rows = session.corpus.split("train").take(np.arange(8)).tokens["text"].lengths.sum()
    sweep = 2e-6 if order == "layerwise" else 1e-6
    assert found == {"free": near(rows * 1e-6 + 8 * 4 * sweep), "nudged": near(8 * 2 * 3 * sweep)}
    for phase, seconds in found.items():
        assert seconds == near(counted.number("picosecond", phase) * 1e-12)


@pytest.mark.parametrize("order", ["layerwise", "synchronous"])
def test_patterns_take_the_time_of_every_token_there_and_back_and_are_written_first(order):
    """Token by token, in each sweep a product with the patterns and one back; beside them what other arrays take."""
    shared = {"adc.columns": 3}
    session, counted = settled({"attention.kind": "analog", "timing.row": 5e-6} | shared, order)
    lengths = session.corpus.split("train").take(np.arange(8)).tokens["text"].lengths

    def takes(lines: int, most: int) -> float:
        largest = max(len(part) for part in np.array_split(np.arange(lines), -(-lines // most)))
        return 1e-9 + 1e-7 + min(3, largest) * 3e-9 + 2e-8

    wanted = {"free": len(lengths) * 4 * 5e-6, "nudged": 0.0}  # rows of the largest tile
    for patterns in map(int, lengths):
        for phase, sweeps in (("free", 4), ("nudged", 2 * 3)):
            for _ in range(sweeps * patterns):
                wanted[phase] += takes(patterns, 3) + takes(session.corpus.dim, 4)
    seconds = []
    for chip, tally in ((session, counted), settled(shared, order)):
        seconds.append(bills.elapsed(Constants(chip.config.chip), tally, ("free", "nudged")))
    for phase, more in wanted.items():
        assert seconds[0][phase] - seconds[1][phase] == near(more, rel=1e-6), phase


@pytest.mark.parametrize("kind", CHIPS)
def test_phases_arrays_parts_and_formulas_are_the_same_joules(kind):
    session, counted = settled(CHIPS[kind], "layerwise")
    prices = {"adc_energy": 2.0, "addition_energy": 0.5, "cell_energy": 4.0, "control_energy": 3.0}
    chip = session.config.chip
    bill = price(counted, chip.model_copy(update={"cost": chip.cost.model_copy(update=prices)}))
    reads, activations = counted.total("read"), counted.total("activation")
    want = 1e-12 * counted.total("dac") + 2e-12 * counted.total("adc") + 0.5e-12 * counted.total("addition")
    want += 2e-12 * counted.total("conversion")  # of states on their way into analog attention
    want += 4e-15 * reads + 3e-12 * activations / (1 if chip.crossbar.mapping == "offset" else 2)
    assert bill.energy == near(want)
    for shares in (bill.by_part(), bill.by_phase(), bill.by_array(), bill.by_formula()):
        assert sum(shares.values()) == near(want)


def test_in_continuous_time_the_step_of_the_simulation_changes_no_bill():
    """The same seconds in four times as many steps: currents flow as long, a loop is sampled as often."""
    chip = PRICED | {"timing.tau": 1e-6, "cost.sampling_time": 1e-7, "device.read_voltage": 0.2}
    bills_of = {}
    for dt, steps in ((0.2, 40), (0.05, 160)):
        settings = {"settling.order": "synchronous", "settling.dt": dt, "settling.free_steps": steps}
        bills_of[dt] = opened(chip, settings).evaluate("test", only=np.arange(8)).cost
    coarse, fine = bills_of.values()
    assert coarse.seconds == near(fine.seconds, rel=1e-9)
    for part in ("DAC", "ADC", "digital"):
        assert coarse.by_part()[part] == near(fine.by_part()[part], rel=1e-9), part
    assert coarse.by_part()["cells"] == near(fine.by_part()["cells"], rel=0.05), "states on the way differ a little"
    assert not [what for what in coarse.leaves_out if "continuous" in what]
    unsaid = opened({name: value for name, value in chip.items() if name != "cost.sampling_time"})
    found = unsaid.evaluate("test", only=np.arange(8)).cost
    assert "ADC conversions of 7 bits in continuous time (no cost.sampling_time)" in found.leaves_out
    assert 0 < found.by_part()["ADC"] < coarse.by_part()["ADC"], "those of the clamped input, once a sample"


def test_currents_flow_for_the_time_steps_of_their_reads():
    """V^2 t sum x^2 G, t the seconds of the clock within the loop, the integration of the clamped input outside."""
    settings = {"settling.order": "synchronous", "settling.dt": 0.1, "settling.free_steps": 50}
    session = opened(PRICED | {"timing.tau": 1e-6}, settings)
    engine, before = session.engine, session.engine.performed()
    with engine.metering():
        engine.settle(session.batch("test", np.arange(8)), session.estimator.free)
    counted = bills.between(engine.performed(), before)
    within = sum(n for done, n in counted.rows() if done.operation.startswith("square") and done.span)
    outside = sum(n for done, n in counted.rows() if done.operation.startswith("square") and not done.span)
    assert {done.span for done, _ in counted.rows()} == {0.0, 0.1 * 1e-6} and outside > 0
    want = 0.2**2 * 1e-12 * (within * 1e-7 + outside * PRICED["timing.integration"])
    assert price(counted, session.config.chip).by_part()["cells"] == near(want)


def test_a_bill_of_one_sample_and_of_many_is_the_same():
    """Joules and seconds are those of one classification, however many are classified; tokens differ in number."""
    session = opened(PRICED)
    whole = session.evaluate("test", only=np.arange(8)).cost
    each = [session.evaluate("test", only=np.array([n])).cost for n in range(8)]
    assert np.mean([one.seconds for one in each]) == near(whole.seconds, rel=1e-6)
    for part in ("DAC", "ADC"):
        assert np.mean([one.by_part()[part] for one in each]) == near(whole.by_part()[part], rel=1e-9)


def test_prices_change_no_count_and_no_answer():
    cheap, dear = opened(PRICED), opened(PRICED | {"cost.adc_energy": 20.0})
    one, other = (session.evaluate("test", only=np.arange(8)) for session in (cheap, dear))
    np.testing.assert_array_equal(one.predicted, other.predicted)
    assert other.cost.by_part()["ADC"] == near(10 * one.cost.by_part()["ADC"])
    rest = [sum(v for k, v in each.cost.by_part().items() if k != "ADC") for each in (one, other)]
    assert rest[0] == near(rest[1]) and one.cost.latency == other.cost.latency


@pytest.mark.parametrize("scheme", ["pulsed", "mixed_precision"])
def test_updates_by_pulses_pay_for_selected_lines(scheme):
    """By voltage, at the mean conductance of every array; whole pulses see V, what shares a line V/2."""
    volts = {name: value for name, value in PRICED.items() if name not in ("cost.write_energy", "timing.row")}
    volts |= {"cost.write_voltage": 2.0, "cost.write_time": 1e-6, "update.scheme": scheme, "timing.pulse": 1e-6}
    session = opened(volts | {"device.pulse.dw_min": 0.01})
    batch, engine = costs._batch(session), session.engine
    with engine.metering():
        before = engine.performed()
        measured = session.estimator.measure(engine, batch, 0)
        engine.update(measured.contrasts, session.rates(session.epoch))
        counted = bills.between(engine.performed(), before)
    mean = engine.mean_conductances()
    want = 0.0
    for name, siemens in mean.items():
        each = siemens * 1e-6 * 1e-6
        pulses, half = (counted.number(what, part=name) for what in ("pulse", "half"))
        assert pulses == 0 or half >= 2 * pulses
        want += each * (4 * pulses + 1 * (half - 2 * pulses))
    assert want > 0
    found = price(counted, session.config.chip, conductance=mean)
    assert found.by_formula()["pulses"] == near(want)


@pytest.mark.parametrize(("own", "width"), [(None, 3e-6), (5e-6, 5e-6)])
def test_devices_that_are_written_anew_see_pulses_of_that_width(own, width):
    """Of digital weights, each by two pulses of V^2 G t, rows in turn; unset, ``write_time`` is ``timing.pulse``."""
    kept = {name: value for name, value in PRICED.items() if name not in ("cost.write_energy", "timing.row")}
    volts = {"cost.write_voltage": 2.0, "cost.write_iterations": 2.0}
    times = {"timing.pulse": 3e-6} if own is None else {"cost.write_time": own}
    session = opened(kept | volts | times)
    engine, before = session.engine, session.engine.performed()
    with engine.metering():
        measured = session.estimator.measure(engine, costs._batch(session), 0)
        engine.update(measured.contrasts, session.rates(session.epoch))
    counted, mean = bills.between(engine.performed(), before), engine.mean_conductances()
    want = sum(counted.number("write", part=name) * 2 * 4 * g * 1e-6 * width for name, g in mean.items())
    chip = session.config.chip
    found = price(counted, chip, conductance=mean)
    still = chip.model_copy(update={"cost": chip.cost.model_copy(update={"write_voltage": 0.0})})
    reads = price(counted, still, conductance=mean).by_formula().get("writes", 0.0)
    assert want > 0 and found.by_formula()["writes"] - reads == near(want)
    tile = chip.crossbar.rows  # tiles are written side by side, row by row
    rows = [tile * n / (2 * np.prod(done.shape)) for done, n in counted.rows() if done.operation == "write"]
    assert latency.update(counted, Constants(chip)) == near(max(rows) * 2 * width)


def test_a_slot_of_pulses_is_no_width_of_writes_whose_voltage_is_unknown():
    """Where ``timing.pulse`` is kept without effect, no bill has it; with a component's width it is refused."""
    kept = {name: value for name, value in PRICED.items() if name != "timing.row"}
    counted = Tally()
    counted.add("dense_1", "write", 64, (8, 4))
    chip = opened(kept | {"kept": ["timing.pulse"], "timing.pulse": 3e-6}).config.chip
    assert chip.update.scheme == "digital" and latency.update(counted, Constants(chip)) == 0.0
    cost = {"components": ["rasch_2024_training"], "write_voltage": 1.0}
    both = Chip.parse({"timing": {"pulse": 3e-6}, "cost": cost})
    with pytest.raises(ChipError, match=r"timing.pulse = 3e-06 s cannot act: 'rasch_2024_training' has the width of"):
        Constants(both).check()


def test_counted_coincidences_are_paid():
    """Every count at its price, pulses at theirs, and the area of a counter for every weight."""
    prices = {"cost.count_energy": 0.5, "cost.pulse_energy": 2.0, "cost.counter_area": 100.0, "timing.pulse": 1e-6}
    kept = {name: value for name, value in PRICED.items() if name not in ("cost.write_energy", "timing.row")}
    counts = {"update.scheme": "pulsed", "update.signals": "net_counts", "device.pulse.dw_min": 0.01}
    session = opened(kept | prices | counts | {"update.counter.slots": 50})
    engine, before = session.engine, session.engine.performed()
    measured = session.estimator.measure(engine, costs._batch(session), 0)
    engine.update(measured.contrasts, session.rates(session.epoch))
    counted = bills.between(engine.performed(), before)
    found = price(counted, session.config.chip, conductance=engine.mean_conductances())
    assert counted.number("count") > counted.number("pulse") > 0
    assert found.by_formula()["counts"] == near(counted.number("count") * 0.5e-12)
    assert found.by_formula()["pulses"] == near(counted.number("pulse") * 2e-12)
    shapes = [shape for name, shape in session.network.parameter_shapes().items() if name.endswith("weight")]
    area = costs.learned(session).area["counters"]
    assert area == near(100e-12 * sum(out * wide for out, wide in shapes))


@pytest.mark.parametrize("encoding", ["amplitude", "pulse_width", "pulses", "serial"])
def test_cells_of_an_update_are_metered_as_its_inputs_are_coded(encoding):
    """The free phase of an update reads as classifications do, through devices that draw as much."""
    session = opened(PRICED | {"dac.encoding": encoding})
    made, judged = costs.learned(session), session.evaluate("train").cost
    assert judged.by_part()["cells"] > 0 and made.by_part()["cells"] > judged.by_part()["cells"]
    free = [item for item in made.items if item.phase == "free"]
    cells, lines = (sum(item.energy for item in free if item.part == part) for part in ("cells", "DAC"))
    assert cells / lines == near(judged.by_part()["cells"] / judged.by_part()["DAC"], rel=0.1)


@pytest.mark.parametrize("tiling", [(4, 3), (16, 16)])
@pytest.mark.parametrize("scheme", ["digital", "pulsed", "mixed_precision", "net_counts"])
def test_the_tally_takes_the_seconds_of_the_clock_for_an_update(scheme, tiling):
    """Rows written, or slots of trains, one behind the other; arrays and tiles side by side."""
    chip: dict[str, object] = {"timing.row": 1e-6, "cost.mac_energy": 1.0}
    if scheme != "digital":
        chip = {"timing.pulse": 1e-6, "update.scheme": scheme, "device.pulse.dw_min": 0.01, "cost.mac_energy": 1.0}
    if scheme == "net_counts":
        chip |= {"update.scheme": "pulsed", "update.signals": scheme, "timing.count": 1e-8, "update.counter.slots": 50}
    session = opened(NOISY | chip | {"crossbar.rows": tiling[0], "crossbar.columns": tiling[1]})
    engine, batch = session.engine, costs._batch(session)
    before = engine.performed()
    measured = session.estimator.measure(engine, batch, 0)
    engine.update(measured.contrasts, session.rates(session.epoch))
    counted, constants = bills.between(engine.performed(), before), Constants(session.config.chip)
    assert latency.update(counted, constants) == near(bills.elapsed(constants, counted, ("update",))["update"])


@pytest.mark.parametrize("lines", [None, 2])
def test_rows_beside_reference_lines_take_the_time_of_rows(lines):
    """A row is written as a whole, the devices of its reference lines with the others."""
    chip: dict[str, object] = {"timing.row": 1e-6, "cost.mac_energy": 1.0, "crossbar.mapping": "offset"}
    chip |= {"crossbar.reference": "analog", "dac.range": 1.0, "crossbar.reference_lines": lines}
    session = opened(NOISY | {name: value for name, value in chip.items() if value is not None})
    engine, before = session.engine, session.engine.performed()
    measured = session.estimator.measure(engine, costs._batch(session), 0)
    engine.update(measured.contrasts, session.rates(session.epoch))
    counted, constants = bills.between(engine.performed(), before), Constants(session.config.chip)
    assert latency.update(counted, constants) == near(bills.elapsed(constants, counted, ("update",))["update"])


def updated(chip: dict[str, object], times: int = 2) -> tuple[Tally, Constants, list]:
    """Return what the last of some updates took, its prices, and arrays that take turns; a first has what came before.
    """
    session = opened(chip)
    engine, batch = session.engine, costs._batch(session)
    for _ in range(times):
        before = engine.performed()
        measured = session.estimator.measure(engine, batch, 0)
        engine.update(measured.contrasts, session.rates(session.epoch))
    counted = bills.between(engine.performed(), before)
    parts = {done.part for done, _ in counted.rows()}
    turns = [bills._named(synapse.name, parts) for synapse in session.network.synapses]
    return counted, Constants(session.config.chip), turns


REFRESHED = {"device.cell.refresh_above": 0.02, "device.cell.refresh_lesser": 0.0, "device.cell.refresh_rounds": 2}


@pytest.mark.parametrize("kind", ["single", "one_sided", "refreshed", "refreshed in tiles"])
@pytest.mark.parametrize("scheme", ["pulsed", "mixed_precision", "agad", "tiki_taka", "momentum", "residual"])
def test_the_tally_takes_the_seconds_of_arrays_that_take_turns(scheme, kind):
    """Trains of A, reads of its columns, then pulses of W, or of one array of the weights behind the other."""
    chip: dict[str, object] = {"timing.pulse": 1e-6, "timing.integration": 1e-7, "update.scheme": scheme}
    chip |= {"device.pulse.dw_min": 0.01, "cost.mac_energy": 1.0}
    if kind != "single":
        chip |= {"device.cell.kind": "one_sided", "device.pulse.w_min": 0.0}
    if kind.startswith("refreshed"):
        chip |= {"device.cell.refresh_every": 1, **REFRESHED}
    if kind == "refreshed in tiles":
        chip |= {"crossbar.rows": 5, "crossbar.columns": 3}
    counted, constants, turns = updated(chip)
    assert max(map(len, turns)) > 1 or scheme in ("pulsed", "mixed_precision")
    assert latency.update(counted, constants, turns) == near(bills.elapsed(constants, counted, ("update",))["update"])


def test_both_paths_of_a_closed_loop_are_read_side_by_side():
    """Rounds of pulses and reads of an array and of that of its transposed path; their reads were added up."""
    chip: dict[str, object] = {"timing.pulse": 1e-6, "timing.integration": 1e-6, "update.scheme": "mixed_precision"}
    chip |= {"device.pulse.dw_min": 0.01, "cost.mac_energy": 1.0, "transposed.devices": "own"}
    chip |= {"update.verify.tolerance": 0.005, "update.verify.rounds": 10, "transposed.mismatch": 0.02}
    counted, constants, turns = updated(chip, times=1)
    names = "dense_1", "dense_1 transposed"
    assert all(counted.number("product forward", "update", name) > 32 for name in names)
    assert latency.update(counted, constants, turns) == near(bills.elapsed(constants, counted, ("update",))["update"])


def test_arrays_that_are_written_are_read():
    """Nothing is sent back to the clamped input: its synapse needs no array for transposed products."""
    session = opened(NOISY | TIMES | {"transposed.devices": "own", "cost.dac_energy": 1.0})
    engine, before = session.engine, session.engine.performed()
    measured = session.estimator.measure(engine, costs._batch(session), 0)
    engine.update(measured.contrasts, session.rates(session.epoch))
    counted = bills.between(engine.performed(), before)
    parts = [{done.part for done, n in counted.rows() if n and done.operation.startswith(what)}
             for what in ("write", "activation")]  # fmt: skip
    assert parts[0] == parts[1]
