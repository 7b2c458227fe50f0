"""Every formula by hand, on round numbers."""

from __future__ import annotations

from functools import partial

import pytest

from hw_models import tally as tally_module
from hw_models.chip import Chip
from hw_models.cost.bill import Bill, price
from hw_models.cost.coding import sending
from hw_models.cost.constants import Constants
from hw_models.cost.formulas import FORMULAS, PARTS
from hw_models.tally import Tally

near = partial(pytest.approx, rel=1e-6, abs=0)
"""Within a millionth: joules are below the absolute tolerance that pytest would allow beside it."""


def chip(cost: dict[str, object], bits: int = 8, encoding: str = "amplitude", **more: object) -> Chip:
    converter = {"bits": bits, "range": 1.0}
    return Chip.parse({"dac": converter | {"encoding": encoding}, "adc": converter, **more, "cost": cost})


def bill(operation: str, count: int, made: Chip, bits: int | None = None, **more: object) -> Bill:
    tally = Tally()
    tally.add("a", operation, count, (6, 8), bits, phase="free")
    return price(tally, made, **more)


def test_every_formula_says_what_it_is():
    for name, formula in FORMULAS.items():
        assert formula.name == name and formula.part in PARTS and formula.equation and formula.source
        assert formula.counts and formula.called and (formula.extra or formula.needs)


@pytest.mark.parametrize(("coding", "operation"), [
    ("amplitude", "square"), ("pulse_width", "charge"), ("pulses", "charge"), ("serial", "bits"),
])  # fmt: skip
def test_cells_by_voltage_take_v_squared_t_sum_w_g(coding, operation):
    """3 uS through which 1 was driven at .2 V for 100 ns, all bits or pulses in; the other sum counts nothing."""
    volts = {"device": {"read_voltage": 0.2}, "timing": {"integration": 1e-7}}
    made = chip({"exp_energy": 1.0}, encoding=coding, **volts)
    found = bill(f"{operation} forward", 3_000_000, made)
    assert found.energy == near(0.2**2 * 1e-7 * 3e-6)
    other = "charge" if operation == "square" else "square"
    assert bill(f"{other} forward", 3_000_000, made).energy == 0


def test_cells_without_constants_are_left_out_by_name():
    for tables in ({"timing": {"integration": 1e-7}}, {}):
        found = bill("read forward", 10, chip({"dac_energy": 1.0}, **tables))
        assert found.energy == 0 and "currents through the devices" in found.leaves_out


def test_conversions_by_bits_and_coding():
    assert bill("dac forward", 10, chip({"dac_energy": 2.0}), 8).energy == near(20e-12)
    serial = chip({"dac_energy": {"1": 2.0}}, encoding="serial")
    assert bill("dac forward", 10, serial, 8).energy == near(140e-12)
    assert bill("adc forward", 10, chip({"adc_energy": {"8": 2.0}}), 8).energy == near(20e-12)
    assert bill("adc forward", 10, chip({"adc_energy": 2.0}, encoding="serial"), 8).energy == near(140e-12)
    assert bill("conversion", 10, chip({"adc_energy": 2.0}, encoding="serial"), 8).energy == near(20e-12)
    found = bill("adc forward", 10, chip({"adc_energy": {"8": 2.0}}), 9)
    assert found.energy == 0 and "ADC conversions of 9 bits" in found.leaves_out
    assert "ADC conversions without a resolution" in bill("adc forward", 10, chip({"dac_energy": 2.0})).leaves_out


def test_lines_of_inputs_and_of_outputs():
    """A forward line of an input crosses both devices of 6 outputs, one of an output those of 8 inputs."""
    wires = {"line_capacitance": 100.0, "line_cell_capacitance": 1.0, "line_voltage": 2.0}
    for operation, devices in {"dac forward": 12, "dac transposed": 16}.items():
        assert bill(operation, 10, chip(wires), 8).energy == near(10 * (100 + devices) * 1e-15 * 4)
        assert bill(operation, 10, chip(wires | {"lines": "sensed"}), 8).energy == 0
    for operation, devices in {"adc forward": 16, "adc transposed": 12}.items():
        found = bill(operation, 10, chip(wires | {"lines": "sensed"}), 8).by_formula()["lines"]
        assert found == near(10 * (100 + devices) * 1e-15 * 4)
    tiled = chip(wires, crossbar={"rows": 4, "columns": 4})
    assert bill("dac forward", 10, tiled, 8).energy == near(10 * 108e-15 * 4)


@pytest.mark.parametrize(("operation", "constant", "part"), [
    ("addition forward", "addition_energy", "digital"), ("softmax", "exp_energy", "digital"),
    ("multiply-add logits", "mac_energy", "digital"), ("response", "neuron_energy", "digital"),
    ("response", "state_energy", "digital"), ("synaptic forward", "synapse_energy", "events"),
    ("event forward", "spike_energy", "events"), ("pulse", "pulse_energy", "writes"),
    ("write", "write_energy", "writes"),
])  # fmt: skip
def test_simple_operations(operation, constant, part):
    found = bill(operation, 10, chip({constant: 2.0}), number=5)
    assert found.by_part() == {part: near(4e-12)} and found.by_phase() == {"free": near(4e-12)}


def test_updates_have_a_price_of_their_own():
    assert bill("multiply-add update", 10, chip({"mac_energy": 1.0})).energy == near(10e-12)
    own = chip({"mac_energy": 1.0, "update_energy": 3.0})
    assert bill("multiply-add update", 10, own).energy == near(30e-12)


def test_events_pay_for_their_way_and_for_the_neuron_that_sends():
    cost = {"spike_energy": 1.0, "hop_energy": 3.0, "hops": 2.0, "active_energy": 80.0, "neuron_energy": 50.0}
    assert bill("event forward", 10, chip(cost)).energy == near(10 * (1 + 6 + 30) * 1e-12)
    assert bill("response", 10, chip(cost)).energy == near(500e-12)


def test_pulses_and_half_selected_devices_by_voltage():
    """7 devices see V, of 40 selections by lines those that are no pulse V/2: a pulse selects its device twice."""
    cost = {"write_voltage": 2.0, "write_time": 1e-6, "device_capacitance": 1.0}
    tally = Tally()
    tally.add("a", "pulse", 7, (6, 8))
    tally.add("a", "half", 40, (6, 8))
    each = 10e-6 * 1e-6 + 1e-15
    found = price(tally, chip(cost), conductance={"a": 10.0})
    assert found.energy == near(7 * 4 * each + (40 - 14) * 1 * each)
    assert bill("write", 10, chip(cost), conductance={"a": 10.0}).energy == near(10 * 4 * each)
    assert bill("write", 10, chip(cost)).leaves_out[0] == "writes of devices"  # no conductance is known


def test_writing_anew_takes_iterations_of_a_pulse_and_a_read():
    cost = {"pulse_energy": 5.0, "write_iterations": 3.0, "cell_energy": 2.0}
    assert bill("write", 10, chip(cost)).energy == near(10 * 3 * (5e-12 + 2e-15))


def test_how_inputs_are_sent():
    """Bits without the sign; two phases beyond the most bits of one, of which the second converts less."""
    pulses = Constants(chip({"phase_bits": 3, "dac_energy": 1.0}, encoding="pulses"))
    assert sending(pulses, 2, 5) == (2, 3, 1, 5, 1)
    assert sending(pulses, 7, 10) == (7, 15 + 7, 1, 10 + 6, 2)
    assert sending(Constants(chip({"dac_energy": 1.0}, encoding="pulses")), 7, 10) == (7, 127, 1, 10, 1)
    assert sending(Constants(chip({"dac_energy": 1.0}, encoding="serial")), 7, 10) == (7, 7, 7, 70, 1)
    assert sending(Constants(chip({"dac_energy": 1.0})), 7, 10) == (1, 1, 1, 10, 1)


@pytest.mark.parametrize(("dac", "said", "unsaid"), [
    ({"sign": "signed"}, 7, 7), ({"sign": "unsigned"}, 8, 8), ({"sign": "auto", "range": None}, 8, 7),
    ({"sign": "signed", "digit_sign": "twos_complement"}, 8, 8),
])  # fmt: skip
def test_bits_that_are_sent_are_those_that_the_tally_says(dac, said, unsaid):
    """A row knows the sign of its codes; without one, codes whose sign is calibrated are taken to have one."""
    made = Chip.parse({"dac": {"bits": 8, "range": 1.0, "encoding": "serial", **dac}, "cost": {"dac_energy": 2.0}})
    tally = Tally()
    tally.add("a", "dac forward", 10, (6, 8), 8, sent=said)
    assert price(tally, made).energy == near(10 * said * 2e-12)
    assert bill("dac forward", 10, made, 8).energy == near(10 * unsaid * 2e-12)


BOOKKEEPING = {"forward", "transposed", "slot", "counting", "firing", "picosecond", "conversion_at_stop", "product"}
"""What is counted and takes nothing of its own: time, and what other rows say as well."""


def test_all_that_is_counted_has_a_formula():
    """An operation that no formula knows would be in no bill, nor among what it leaves out."""
    told = {name for formula in FORMULAS.values() for name in formula.counts}
    table = tally_module.__doc__.split("operation  ")[1].split("====\n")[1].splitlines()
    names = [name.split()[0] for line in table if line[:30].strip(" =") for name in line[:30].split(",")]
    assert len(names) > 15 and set(names) - told == BOOKKEEPING


def test_sample_and_holds_are_priced_or_named():
    tally = Tally()
    tally.add("holders", "hold", 300, (6,))
    for constants, energy in (({"mac_energy": 1.0}, 0.0), ({"hold_energy": 0.5}, 300 * 0.5e-12)):
        found = price(tally, chip(constants))
        assert found.energy == near(energy) and ("sample-and-holds" in found.leaves_out) == (not energy)
