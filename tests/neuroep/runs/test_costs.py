"""What a run costs: joules by hand, latency of its stages, an engine that is as it was, a digital baseline, errors."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from hw_models import presets
from hw_models.chip import Chip
from hw_models.cost import digital, latency
from hw_models.cost.bill import price
from hw_models.cost.constants import Constants
from hw_models.errors import ChipError
from hw_models.tally import Tally
from neuroep import cost as public
from neuroep.errors import ConfigError
from neuroep.runs import bills, config, costs
from neuroep.runs.session import Session
from tests.neuroep.engines.chip.conftest import BASE, nested

near = partial(pytest.approx, rel=1e-6, abs=0)
"""Within a millionth: joules are below the absolute tolerance that pytest would allow beside it."""

NO_CONSTANTS = "energy (the chip has no constants, cost.components)"
"""What a bill without joules leaves out."""
PRICED = {
    "crossbar.rows": 4, "crossbar.columns": 3, "dac.bits": 8, "adc.bits": 7, "device.read_noise": 0.01,
    "timing.integration": 1e-7, "timing.row": 1e-6, "timing.hold": 1e-5,
    "device.read_voltage": 0.2, "cost.adc_energy": 2.0, "cost.dac_energy": 1.0, "cost.write_energy": 100.0,
    "cost.mac_energy": 1.0, "cost.addition_energy": 0.5, "cost.exp_energy": 3.0, "cost.neuron_energy": 4.0,
    "cost.static_power": 2.0,
}  # fmt: skip
"""Every operation of such a chip has a price; noisy reads make every layer read in every sweep."""


def opened(chip: dict[str, object] | str, settings: dict[str, object] | None = None) -> Session:
    tables = nested(chip) if isinstance(chip, dict) else {"preset": chip}
    values = {**BASE, "chip": tables}
    for name, value in (settings or {}).items():
        section, leaf = name.split(".")
        values[section] = {**values[section], leaf: value}
    return Session.open(config.parse(values, "test"))


def test_a_classification_by_hand():
    """Layer-wise, 4 sweeps: numbers of conversions of every product, at their prices, and the sum of x^2 G."""
    session = opened(PRICED)
    engine, drawn = session.engine, np.arange(8)
    lengths = [int(session.corpus.split("test").take(drawn).tokens["text"].lengths[n]) for n in range(8)]
    found = session.evaluate("test", only=drawn).cost
    assert found is not None and found.per == "classification"
    dac = adc = 0.0
    for synapse in engine.network.synapses:
        out, into = synapse.shape
        row, column = -(-into // 4), -(-out // 3)
        forward = sum(lengths) if synapse.name == "query" else 4 * 8
        dac += forward * into * column + (0 if synapse.name == "query" else 4 * 8 * out * row)
        adc += forward * out * row + (0 if synapse.name == "query" else 4 * 8 * into * column)
    assert found.by_part()["DAC"] == near(dac * 1e-12 / 8)
    assert found.by_part()["ADC"] == near(2 * adc * 1e-12 / 8)
    assert found.by_phase().keys() == {"free", "other"}  # other: what is drawn all the time
    # Tokens one by one, then each of 4 sweeps its two groups, one product each.
    assert found.latency == {"free": near((sum(lengths) / 8 + 4 * 2) * 1e-7)}
    tiles = sum(-(-into // 4) * -(-out // 3) for out, into in (s.shape for s in engine.network.synapses))
    assert found.by_part()["static"] == near(tiles * 2e-6 * sum(found.latency.values()))
    assert "static power" not in found.leaves_out and "area" in found.leaves_out
    assert not {"ADC conversions of 7 bits", "currents through the devices"} & set(found.leaves_out)


def test_cells_are_those_of_the_sum_of_x_squared_g():
    session = opened(PRICED)
    engine = session.engine
    with engine.metering():
        before = engine.performed()
        engine.settle(session.batch("test", np.arange(8)), session.estimator.free)
        counted = bills.between(engine.performed(), before)
    drawn = sum(counted.number(f"square {way}") for way in ("forward", "transposed"))
    found = price(counted, session.config.chip).by_part()["cells"]
    assert found == near(0.2**2 * 1e-7 * drawn * 1e-12) and drawn > 0


def test_one_batch_in_eight_is_metered_and_made_up_to_all():
    """Of nine batches the first and the last are summed up, and the bill is their mean."""
    session = opened(PRICED)
    session = Session.open(config.changed(session.config, ["--training.batch", "1"]), corpus=session.corpus)
    found = session.evaluate("test", only=np.arange(9))
    assert (found.samples, found.metered) == (9, 2)
    each = [session.evaluate("test", only=np.array([n])).cost.by_part()["cells"] for n in range(9)]
    assert found.cost.by_part()["cells"] == near((each[0] + each[8]) / 2, rel=1e-3)


def test_an_update_pays_for_all_phases_and_leaves_the_engine_as_it_was():
    session = opened(PRICED)
    before = session.engine.parameters(), session.engine.device_state(), session.evaluate("test").predicted
    found = costs.learned(session)
    after = session.engine.parameters(), session.engine.device_state(), session.evaluate("test").predicted
    for one, other in zip(before[:2], after[:2], strict=True):
        assert one.keys() == other.keys()
        for name, values in one.items():
            if not name.endswith(("counts", "tally.counts")):
                np.testing.assert_array_equal(values, other[name], err_msg=name)
    np.testing.assert_array_equal(before[2], after[2])
    assert {"free", "nudged", "update"} <= found.by_phase().keys()
    devices = sum(2 * out * into for out, into in (s.shape for s in session.network.synapses))
    assert found.by_part()["writes"] == near(devices * 100e-12)
    # By the chip's clock: sweeps of two nudged phases, holding both, and the rows of a tile.
    nudged, rest = 8 * 2 * 3 * 2 * 1e-7, 8 * 2 * 1e-5 + 4e-6
    assert found.seconds - found.latency["free"] == near(nudged + rest)


def test_the_transposed_paths_own_array_is_written_and_read_as_well():
    """Written by voltage at the mean conductance of each array; there is none to the clamped input."""
    volts = {name: value for name, value in PRICED.items() if name != "cost.write_energy"}
    volts |= {"cost.write_voltage": 2.0, "cost.write_time": 1e-6}
    one, two = (costs.learned(opened(volts | extra)) for extra in ({}, {"transposed.devices": "own"}))
    alone, both = (
        {item.array: item.energy for item in bill.items if item.part == "writes"} for bill in (one, two)
    )
    second = {f"{name} transposed" for name in alone if name != "query"}
    assert both.keys() == alone.keys() | second and second
    for name, joule in both.items():
        assert joule == near(alone[name.removesuffix(" transposed")], rel=0.05)
    assert "writes of devices" not in two.leaves_out and two.by_part()["ADC"] == near(one.by_part()["ADC"])


def test_copies_of_a_chip_work_side_by_side():
    one, four = (costs.learned(opened(PRICED | {"timing.copies": copies})) for copies in (1, 4))
    judged = [opened(PRICED | {"timing.copies": copies}).evaluate("test").cost.seconds for copies in (1, 4)]
    assert judged[0] == near(judged[1])  # a sample is on one of them
    assert four.latency["free"] == near(one.latency["free"] / 4)
    assert four.energy == near(one.energy, rel=0.3)


@pytest.mark.parametrize("order", ["layerwise", "synchronous"])
def test_stages_take_the_time_that_the_clock_counts(order):
    """Two ways to the same seconds: the chip's clock, and the products of the tally in their stages."""
    session = opened(PRICED, {"settling.order": order})
    engine, chip = session.engine, session.config.chip
    before = engine.performed()
    settled = session.estimator.settle(engine, session.batch("train", np.arange(8)), 0)
    counted = bills.between(engine.performed(), before)
    course = bills.stages(session.network, session.estimator.free, counted)
    found = latency.phases(counted, Constants(chip), course, ("free", "nudged"))
    assert settled.free.steps == 4
    assert found["free"] == near(bills.elapsed(Constants(chip), counted, ("free",))["free"])
    assert found["nudged"] == near(8 * 2 * 3 * (2 if order == "layerwise" else 1) * 1e-7)


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_has_a_bill_that_adds_up(name):
    session = opened(name)
    found = costs.cost(session, samples=8)
    for bill in (found.classification, found.update):
        assert bill is not None and bill.energy > 0 and found.refused == ""
        for parts in (bill.by_part(), bill.by_phase(), bill.by_array(), bill.by_formula()):
            assert sum(parts.values()) == near(bill.energy)
        assert bill.seconds and {"board", "buffers"} <= set(bill.leaves_out)
        assert all("(" in line or line.startswith("the chip's own") for line in bill.components)
    page = json.loads(json.dumps(found.as_dict()))
    assert page["classification"]["energy"] == found.classification.energy
    text = found.as_text()
    assert "leaves out: " in text and "digital chip" in text and "\n" in text


def test_the_digital_baseline_counts_multiply_adds():
    """Of exact arithmetic; backpropagation passes once forward, EP as often as it settles and back."""
    found = costs.cost(opened(PRICED), samples=8)
    one = {name: found.baseline[f"{name}, backpropagation"]["classification"] for name in ("int8", "fp32")}
    assert one["int8"] == near(one["fp32"] * (0.23 + 0.25 * 5) / (4.6 + 5))
    assert found.baseline["int8, EP"]["classification"] > one["int8"]
    tally = Tally()
    tally.add("a", "multiply-add forward", 100, (6, 8))
    tally.add("a", "multiply-add transposed", 40, (6, 8))
    tally.add("a", "multiply-add update", 30, (6, 8), phase="update")
    assert digital.equilibrium(tally, 10) == digital.Effort(14, 3)
    assert digital.forward(tally, 10) == 10
    assert digital.backpropagation(10, 5, 48) == digital.Effort(100, 98)
    assert digital.Effort(2, 3).energy(digital.INT8) == near((2 * 1.48 + 3 * 9.6) * 1e-12)


def test_an_evaluation_tells_its_bill_where_the_chip_has_constants():
    assert opened({"adc.bits": 8}).evaluate("test").cost is None
    found = opened(PRICED).evaluate("test")
    assert found.as_dict()["cost"]["energy"] == found.cost.energy
    assert f"classification: energy {bills.quantity(found.cost.energy, 'J')}" in found.as_text()


def test_a_chip_that_cannot_learn_with_these_settings_has_no_update():
    session = opened({"update.scheme": "pulsed", "cost.mac_energy": 1.0}, {"optimiser.kind": "adam"})
    found = costs.cost(session, samples=4)
    assert found.update is None and "learns by pulses in memory" in found.refused
    assert "update: none: optimiser.kind = 'adam'" in found.as_text()
    assert costs.cost(session, samples=4, update=False).refused == ""


@pytest.mark.parametrize(("source", "given", "line"), [
    (opened, {}, "chip 'test' has no constants of cost|chip 'ideal' has no constants of cost"),
    (opened, {"chip": "pcm"}, "chip or overrides are given with a session"),
    (lambda _: "examples/configs/reviews.toml", {}, "there is no chip to be priced: add chip=NAME"),
    (lambda _: "examples/configs/reviews.toml", {"samples": 0}, "samples"),
])  # fmt: skip
def test_what_cannot_be_priced_is_told_in_one_line(source, given, line):
    with pytest.raises((ChipError, ConfigError), match=line) as told:
        costs.cost(source({"adc.bits": 8}), **given)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("command", ["train", "compare", "sweep"])
def test_components_that_do_not_fit_are_refused_ahead_of_all_work(neuroep, tiny, tmp_path, command):
    """Components of another encoding, or two of the same constant: no epoch is trained for a bill that cannot be."""
    (tmp_path / "wrong.toml").write_text('[cost]\ncomponents = ["wan_2022_core"]\n')
    chips = ("--vary", f"chip={tmp_path / 'wrong.toml'}") if command == "sweep" else ("--chip", tmp_path / "wrong.toml")
    found = neuroep(command, tiny, *chips, "--out", tmp_path / "out")
    assert found.code == 2 and "another encoding than 'amplitude'; set dac.encoding = 'pulses'" in found.line
    assert not (tmp_path / "out").exists()
    both = ("--chip", "pcm", "--chip.cost.components", '["shafiee_2016_adc", "murmann_2025_adc"]')
    assert "both hold adc_energy; set cost.adc_energy" in neuroep("train", tiny, *both, "--out", tmp_path / "out").line
    assert not (tmp_path / "out").exists()


def test_the_command_prints_tables_and_json(neuroep, tiny):
    found = neuroep("cost", tiny, "--chip", "hermes", "--samples", "8", "--json")
    assert found.code == 0
    page = json.loads(found.out)
    assert page["samples"] == 8 and page["classification"]["by_part"]["core"] > 0 and page["update"]["latency"] > 0
    assert public(tiny, chip="hermes", samples=8).as_dict() == page
    found = neuroep("cost", tiny, "--chip", "hermes", "--samples", "8", "--no-update")
    assert "classification: energy " in found.out and "update:" not in found.out
    assert "legallo_2023_core" in neuroep("chips", "--components").out
    none = ("--chip.cost.components", "[]")
    assert "has no constants of cost" in neuroep("cost", tiny, "--chip", "ideal").line
    assert NO_CONSTANTS in neuroep("cost", tiny, "--chip", "pcm", *none).out, "but durations"


def test_numbers_have_a_prefix_that_fits():
    told = [bills.quantity(value, "J") for value in (0.0, 1.234e-18, 5e-13, 2.5e-6, 0.12, 3400.0)]
    assert told == ["0 J", "1.23 aJ", "500 fJ", "2.5 uJ", "120 mJ", "3.4 kJ"]
    assert bills.quantity(None, "J") == "" and bills.quantity(2e-6, "m^2") == "2 mm^2"


def test_costs_change_nothing_else():
    """Constants act on no result: the same devices, the same bits."""
    unpriced = {name: value for name, value in PRICED.items() if not name.startswith(("cost.", "device.read_voltage"))}
    with_, without = opened(PRICED), opened(unpriced)
    one, other = (session.evaluate("test") for session in (with_, without))
    np.testing.assert_array_equal(one.predicted, other.predicted)
    assert one.loss == other.loss and one.counters == other.counters and not other.cost.priced


def test_what_is_drawn_all_the_time_is_that_of_every_copy_and_of_both_paths():
    """Four chips work side by side for a quarter of the time; a transposed path of its own has arrays of its own."""
    sizes = PRICED | {"cost.node": 20.0, "cost.cell_area": 6.0}
    one, four, both = (
        costs.learned(opened(sizes | more))
        for more in ({}, {"timing.copies": 4}, {"transposed.devices": "own"})
    )
    assert one.by_part()["static"] / one.seconds == near(four.by_part()["static"] / four.seconds / 4)
    assert "writes and area of further copies of the chip" in four.leaves_out
    assert "writes and area of further copies of the chip" not in one.leaves_out
    dense, tokens = (
        sum(-(-into // 4) * -(-out // 3) for out, into in (synapse.shape for synapse in which))
        for which in (opened(sizes).network.dense, opened(sizes).network.projections)
    )
    assert one.by_part()["static"] / one.seconds == near((dense + tokens) * 2e-6)
    assert both.by_part()["static"] / both.seconds == near((2 * dense + tokens) * 2e-6)
    cell = 4 * 3 * 2 * 6 * 20e-9**2
    assert one.area == {"cells": near((dense + tokens) * cell)}
    assert {"area of ADC", "area of DAC"} <= set(one.leaves_out) and "area of cells" not in one.leaves_out
    assert both.area == {"cells": near((2 * dense + tokens) * cell)}


def test_static_power_of_a_chip_without_arrays_is_left_out_by_name():
    session = opened({"substrate": "event_driven", "cost.components": ["davies_2018_core"], "cost.static_power": 2.0})
    found = session.evaluate("test").cost
    assert found.seconds and "static" not in found.by_part() and "static power" in found.leaves_out
    assert "what neurons that hold states of attention take while inactive" in found.leaves_out


def test_durations_alone_make_a_bill_of_seconds():
    """The same latency as with constants, and no joules that nobody knows."""
    names = [name for name in PRICED if name.startswith("cost.") or name == "device.read_voltage"]
    timed = {name: value for name, value in PRICED.items() if name not in names}
    found, priced = (public(opened(chip), samples=8) for chip in (timed, PRICED))
    for one, other in ((found.classification, priced.classification), (found.update, priced.update)):
        assert one.latency == other.latency and one.seconds > 0 and not one.priced
        assert one.as_dict()["energy"] is None and NO_CONSTANTS in one.leaves_out
    assert "energy" not in found.as_text().split("the same network")[0].replace(NO_CONSTANTS, "")
    with pytest.raises(ChipError, match="has no constants of cost"):
        public(opened({"device.read_noise": 0.01}), samples=8)


def test_initial_weights_are_called_so():
    found = public(opened(PRICED), samples=8, update=False)
    assert found.initial and found.as_dict()["initial_weights"]
    assert f"accuracy {found.accuracy:.4f} on 8 samples, with initial weights" in found.as_text()


def test_iterations_of_a_write_are_in_the_time_of_its_row():
    """20 pulses take 20 times the energy; their seconds are in timing.row, or else 20 write_time."""
    tally = Tally()
    tally.add("a", "write", 6 * 8 * 2, (6, 8), phase="update")
    pulse = {"pulse_energy": 2.0, "write_time": 1e-7}
    once, often = (Chip.parse({"cost": pulse | {"write_iterations": n}}) for n in (1.0, 20.0))
    assert price(tally, often).energy == near(20 * price(tally, once).energy)
    assert latency.update(tally, Constants(often)) == near(20 * latency.update(tally, Constants(once)))
    timed = often.model_copy(update={"timing": often.timing.model_copy(update={"row": 1e-5})})
    assert latency.update(tally, Constants(timed)) == near(8 * 1e-5)


@pytest.mark.parametrize("age", [0.0, 50.0, 86400.0])
def test_a_bill_of_an_update_leaves_devices_at_the_age_they_were_read_at(age):
    """It left them at ``device.age``, whatever the session had been opened at."""
    session = opened("pcm")
    session.engine.read_at(age)
    costs.learned(session)
    assert session.engine.age == age
