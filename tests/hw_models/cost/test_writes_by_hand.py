"""Bills of pulses, of writes, of lines and of events, by loops over what happens; user errors of a bill."""

from __future__ import annotations

from itertools import product as every

import numpy as np
import pytest

from hw_models import components
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Chip, Pulse, Update
from hw_models.cost import digital
from hw_models.cost.bill import Bill, price
from hw_models.errors import ChipError
from hw_models.tally import CurrentPhase, Tally
from tests.hw_models.cost.test_by_hand import near, tiles

SHAPE = (3, 4)
MEAN = 12.0
"""Conductance [uS]."""
VOLTS = {"write_voltage": 1.5, "write_time": 3e-7, "device_capacitance": 40.0}


def chip(cost: dict[str, object], **tables: object) -> Chip:
    return Chip.parse({"cost": cost, **tables})


def joule(volt: float, seconds: float = 3e-7, farad: float = 40e-15) -> float:
    """What a voltage takes at one device: G V^2 t + C V^2."""
    return volt**2 * (MEAN * 1e-6 * seconds + farad)


def bill(tally: Tally, cost: dict[str, object], **tables: object) -> Bill:
    return price(tally, chip(cost, **tables), conductance={"a": MEAN})


@pytest.mark.parametrize("trains", ["stochastic", "expected"])
@pytest.mark.parametrize("seed", range(3))
def test_trains_slot_by_slot(trains, seed):
    """In every slot fired rows and columns are at +-V/2: a device sees V, V/2 of either line, or nothing."""
    rng, length = np.random.default_rng(seed), 5
    post, pre = (rng.integers(0, 2, (4, size)).astype(np.float32) for size in SHAPE)
    tally = Tally(CurrentPhase())
    devices = PulsedDevices(Pulse(dw_min=0.1), SHAPE, 0, "a", tally=tally)
    update = Update(scheme="pulsed", trains=trains, train_length=length)
    with tally.now.metering():
        devices.update(np.zeros(SHAPE, np.float32), [(1.0, post, pre)], 0.1 * length, update, 1)
    want, slots = 0.0, 0
    for row, column in zip(post, pre, strict=True):
        for _ in range(length if row.any() and column.any() else 0):
            slots += 1
            for out, into in every(range(SHAPE[0]), range(SHAPE[1])):
                want += joule(1.5 * 0.5 * (row[out] + column[into]))
    assert tally.number("slot") == slots
    assert bill(tally, VOLTS, update={"scheme": "pulsed"}).energy == near(want)


@pytest.mark.parametrize("seed", range(3))
def test_pulses_of_mixed_precision_input_by_input(seed):
    """An input at V/2 for as many slots as its neediest device; in each the outputs of those that still need one."""
    rng, tally = np.random.default_rng(seed), Tally(CurrentPhase())
    up, down = rng.integers(0, 4, SHAPE), rng.integers(0, 4, SHAPE)
    devices = PulsedDevices(Pulse(dw_min=0.001), SHAPE, 0, "a", tally=tally)
    with tally.now.metering():
        devices.apply(np.zeros(SHAPE, np.float32), up, down, 1)
    want, slots, pulses = 0.0, 0, 0
    for wanted in (up, down):
        for line in range(SHAPE[1]):
            for slot in range(wanted[:, line].max()):
                slots += 1
                for out, into in every(range(SHAPE[0]), range(SHAPE[1])):
                    fires = int(wanted[out, line] > slot)
                    pulses += fires * (into == line)
                    want += joule(1.5 * 0.5 * ((into == line) + fires))
    assert (tally.number("slot"), tally.number("pulse")) == (slots, pulses)
    assert bill(tally, VOLTS, update={"scheme": "mixed_precision"}).energy == near(want)


def test_pulses_of_unknown_width_are_left_out_rather_than_free():
    """Without a width there is no energy of a pulse; C V^2 alone is not it."""
    for operation, called in (("pulse", "programming pulses"), ("write", "writes of devices")):
        tally = Tally()
        tally.add("a", operation, 10, SHAPE)
        tally.add("a", "half", 20 if operation == "pulse" else 0, SHAPE)  # both lines of a coincidence
        found = bill(tally, {"write_voltage": 1.5})
        assert found.energy == 0 and called in found.leaves_out
        timed = bill(tally, {"write_voltage": 1.5}, update={"scheme": "pulsed"}, timing={"pulse": 3e-7})
        assert timed.energy == near(10 * joule(1.5, farad=0.0))
        assert called not in timed.leaves_out


def test_verification_reads_by_the_voltage_of_reads():
    """Every iteration is a pulse, and a read of the device: V_r^2 G t, or the energy of a cell where that is known."""
    tally, read = Tally(), 0.25**2 * MEAN * 1e-6 * 5e-6
    tally.add("a", "write", 10, SHAPE)
    cost = {**VOLTS, "write_iterations": 4.0}
    timed = {"timing": {"integration": 5e-6}, "device": {"read_voltage": 0.25}}
    assert bill(tally, cost, **timed).energy == near(10 * 4 * (joule(1.5) + read))
    assert bill(tally, cost).energy == near(10 * 4 * joule(1.5))
    known = bill(tally, cost | {"cell_energy": 9.0}, **timed).energy
    assert known == near(10 * 4 * (joule(1.5) + 9e-15))


@pytest.mark.parametrize("tiling", [(None, None), (2, 2), (4, 3)])
@pytest.mark.parametrize("mapping", ["pair", "digital", "analog", "slices"])
def test_programming_writes_every_device_once(tiling, mapping):
    bar = {"pair": {}, "digital": {"mapping": "offset"}, "slices": {"slices": 2, "slice_bits": 2},
           "analog": {"mapping": "offset", "reference": "analog", "reference_lines": 2}}[mapping]  # fmt: skip
    bar |= {name: size for name, size in zip(("rows", "columns"), tiling, strict=True) if size}
    tables = {"crossbar": bar, "dac": {"range": 1.0}} | ({"device": {"levels": 4}} if mapping == "slices" else {})
    priced = chip({"write_energy": 2.0}, **tables)
    made, devices = Crossbar(priced, SHAPE, name="a"), 0
    for outs, ins in every(tiles(SHAPE[0], tiling[1]), tiles(SHAPE[1], tiling[0])):
        for _ in range({"pair": 2, "digital": 1, "analog": 1, "slices": 4}[mapping]):
            devices += len(outs) * len(ins)
        devices += 2 * len(ins) if mapping == "analog" else 0
    for times in (1, 2):
        made.program(np.full(SHAPE, 0.5, np.float32))
        assert price(made.performed(), priced).by_part() == {"writes": near(times * devices * 2e-12)}


def test_programming_under_a_threshold_writes_what_moves():
    """Both devices of every pair that moves by more than a tenth of the range, and no other."""
    tables = {"update": {"write_threshold": 0.1}, "device": {"programming_noise": [0.1]}}
    made = Crossbar(chip({"write_energy": 2.0}, **tables), SHAPE, name="a")
    weight = np.linspace(-1, 1, 12, dtype=np.float32).reshape(SHAPE)
    made.program(weight)
    first = made.performed().number("write")
    moved = weight.copy()
    moved[0, 1] += 0.15
    moved[1, 2] -= 0.3
    moved[2, 2] += 0.05
    made.program(moved)
    assert first == 24 and made.performed().number("write") - first == 4


@pytest.mark.parametrize("lines", ["driven", "sensed"])
@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("mapping", ["pair", "digital", "analog"])
def test_lines_are_charged_over_all_devices_that_hang_on_them(lines, way, mapping):
    """C_line + n C_cell of every line of every tile; tiles are there in full: 3 rows of 2 columns, 1 reference line."""
    bar = {"pair": {}, "digital": {"mapping": "offset"},
           "analog": {"mapping": "offset", "reference": "analog", "reference_lines": 1}}[mapping]  # fmt: skip
    cost = {"line_capacitance": 50.0, "line_cell_capacitance": 2.0, "line_voltage": 1.2, "lines": lines}
    made = chip(cost, crossbar={"rows": 3, "columns": 2, **bar}, dac={"range": 1.0})
    array = Crossbar(made, (5, 7), name="a")
    array.program(np.full((5, 7), 0.5, np.float32))
    array.tally.clear()
    getattr(array, way)(np.ones((2, 7 if way == "forward" else 5), np.float32))
    of_inputs = (way == "forward") == (lines == "driven")
    want, beside = 0.0, 1 if mapping == "analog" else 0
    sides = 2 if mapping == "pair" else 1
    for _, outs, ins in every(range(2), tiles(5, 2), tiles(7, 3)):
        for _ in ins if of_inputs else range(len(outs) + (beside if lines == "driven" else 0)):
            want += (50 + 2 * sides * (2 + beside if of_inputs else 3)) * 1e-15 * 1.2**2
    assert price(array.performed(), made).by_formula()["lines"] == near(want)


def test_events_synapse_by_synapse():
    """Davies 2018: 23.6 pJ a synapse, 81 pJ a neuron that sends and 52 one that does not, 1.7 pJ and 3.5 pJ a hop."""
    rng, want, tally = np.random.default_rng(0), 0.0, Tally()
    for _ in range(5):
        for neuron in range(6):
            fires = rng.random() < 0.4
            want += 81e-12 if fires else 52e-12
            tally.add("n", "response", 1, (6,), phase="free")
            if fires:
                tally.add("a", "event forward", 1, (4, 6), phase="free")
                want += 1.7e-12 + 3 * 3.5e-12
                for _ in range(neuron % 4):
                    want += 23.6e-12
                tally.add("a", "synaptic forward", neuron % 4, (4, 6), phase="free")
    made = chip({"components": ["davies_2018_core"], "hops": 3.0}, substrate="event_driven")
    assert price(tally, made).energy == near(want)
    assert price(tally, made).by_part().keys() == {"events", "digital"}


@pytest.mark.parametrize("numbers", digital.ARITHMETICS)
def test_the_digital_baseline_by_loops(numbers):
    """Three layers, every multiply-add with its weight from SRAM: forward, errors, gradients, one for the rule."""
    layers, samples = [(4, 6), (3, 4), (2, 3)], 5
    each = {"int8": 0.2 + 0.03 + 5 / 4, "fp32": 3.7 + 0.9 + 5}[numbers] * 1e-12
    full = (3.7 + 0.9 + 5) * 1e-12
    infer = train = 0.0
    for _, (outputs, inputs) in every(range(samples), layers):
        for _ in range(outputs * inputs):
            infer += each
            train += 2 * each + full  # forward and errors; gradients of weights
    train += sum(full for outputs, inputs in layers for _ in range(outputs * inputs))
    tally = Tally()
    for number, shape in enumerate(layers):
        size = samples * shape[0] * shape[1]
        tally.add(f"{number}", "multiply-add forward", size, shape, phase="free")
        tally.add(f"{number}", "multiply-add transposed", 9 * size, shape, phase="free")
        tally.add(f"{number}", "multiply-add update", 7, shape, phase="update")
    once = digital.forward(tally, samples)
    assert once == sum(outputs * inputs for outputs, inputs in layers)
    arithmetic = digital.ARITHMETICS[numbers]
    assert digital.Effort(once).energy(arithmetic) * samples == near(infer)
    weights = sum(outputs * inputs for outputs, inputs in layers)
    assert digital.backpropagation(once, samples, weights).energy(arithmetic) == near(train)
    assert digital.equilibrium(tally, 1).energy(arithmetic) == near(10 * infer + 21 * full)


def test_published_figures_that_no_component_was_fitted_to():
    """Figures of the papers, against constants of components through the formulas that users have."""
    found = {name: components.load(name).constants for name in components.names()}
    watt = 8 * 128 * 128 * found["shafiee_2016_array"]["cell_energy"] * 1e-15 / 100e-9
    assert watt == near(2.4e-3)  # eight crossbars of ISAAC
    assert 1024 * found["shafiee_2016_dac"]["dac_energy"]["1"] * 1e-12 / 100e-9 == near(4e-3)
    assert 8 * 1.28e9 * found["shafiee_2016_adc"]["adc_energy"]["8"] * 1e-12 == near(16e-3)
    ops = 2 * 256 * 256  # of a HERMES core
    assert ops / found["khaddam_2022_core"]["core_energy"] / 1e3 == near(10.5, rel=0.01)
    legallo = found["legallo_2023_core"]
    assert 64 * ops / legallo["product_time"] / 1e12 == near(63.1, rel=0.01)
    assert ops / legallo["core_energy"] / 1e3 == near(9.76, rel=0.01)  # TOPS/W
    assert 4.0 * 64 * legallo["core_energy"] * 1e-3 == near(3.38, rel=0.05)  # uJ, four phases
    assert 64 * ops / (4 * legallo["product_time"]) / 1e12 == near(16.1, rel=0.05)
    for node, values in {14: (0.20, 0.23, 0.36, 0.70), 32: (0.92, 1.06, 1.71, 3.3), 65: (3.5, 4, 6.5, 12.5),
                         130: (13, 15, 24, 46)}.items():  # fmt: skip
        table = found[f"accelergy_adc_{node}nm"]["adc_energy"]
        assert [table[bits] for bits in ("4", "6", "8", "10")] == list(values)


@pytest.mark.parametrize(("cost", "line"), [
    ({"components": ["shafiee_2016_adcs"]}, "did you mean 'shafiee_2016_adc'"),
    ({"components": ["loihi"]}, "unknown component 'loihi'"),
    ({"adc_energy": {"eight": 1.0}}, "by bits, whole numbers from 1 to 24"),
    ({"adc_energy": {"25": 1.0}}, "by bits, whole numbers from 1 to 24"),
    ({"adc_energy": {}}, "by bits from 1 to 24"),
    ({"adc_energy": -1.0}, "number of pJ from 0"),
    ({"adc_energy": float("nan")}, "number of pJ from 0"),
    ({"adc_energy": {"8": float("inf")}}, "number of pJ from 0"),
    ({"adc_energy": True}, "number of pJ from 0"),
    ({"read_voltage": 0.1}, "read_voltage"),
    ({"core_includes": ["everything"]}, "core_includes"),
    ({"adc_lines": 0}, "adc_lines"),
    ({"energy_of_adc": 1.0}, "energy_of_adc"),
    ({"phase_bits": 3}, "it acts only with dac.encoding pulses"),
    ({"write_iterations": 0.0}, "write_iterations"),
])  # fmt: skip
def test_a_fault_of_a_cost_table_is_one_line(cost, line):
    with pytest.raises(ChipError) as caught:
        chip(cost)
    text = str(caught.value)
    assert line in text and "\n" not in text and "cost" in text


def test_what_has_no_constant_is_named_once_and_costs_nothing():
    tally = Tally()
    for phase in ("free", "nudged"):
        for operation, bits in (("dac forward", 8), ("adc forward", 12), ("addition forward", None), ("pulse", None),
                                ("multiply-add logits", None), ("softmax", None), ("response", None)):  # fmt: skip
            tally.add("a", operation, 10, SHAPE, bits, phase)
    found = bill(tally, {"adc_energy": {"4": 1.0, "8": 2.0}})
    assert not any(item.energy for item in found.items)
    names = ("DAC conversions of 8 bits", "ADC conversions of 12 bits", "sums over tiles and slices",
             "programming pulses", "digital multiply-adds", "exponentials of softmax", "neuron circuits")  # fmt: skip
    assert [found.leaves_out.count(name) for name in names] == [1] * len(names)


def test_reads_that_were_not_metered_are_named():
    """A sum that nobody took is not 0 J: its operations are left out of the bill, and it says so."""
    volts = {"device": {"read_voltage": 0.2}, "dac": {"encoding": "pulse_width"}}
    for metered, named in (("square", True), ("charge", False), ("", True)):
        tally = Tally()
        tally.add("a", "read forward", 24, SHAPE)
        tally.add("a", f"{metered or 'half'} forward", 1000, SHAPE)
        found = bill(tally, {"exp_energy": 1.0}, timing={"integration": 1e-7}, **volts)
        assert ("currents through the devices (not metered)" in found.leaves_out) == named
        assert bool(found.energy) != named


@pytest.mark.parametrize("cost", [{"adc_lines": 2}, {"write_iterations": 3.0}, {"hops": 2.0}, {"lines": "sensed"}])
def test_how_and_how_often_alone_is_no_bill(cost):
    with pytest.raises(ChipError, match="has no constants of cost"):
        bill(Tally(), cost)
