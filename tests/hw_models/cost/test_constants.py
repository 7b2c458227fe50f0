"""Where constants come from: the chip before its components, units, tables by bits; every one acts on a bill."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import get_args

import pytest

from hw_models import components, presets
from hw_models.chip import DAC, Chip
from hw_models.chip.cost import Cost
from hw_models.chip.description import PRICES
from hw_models.chip.fields import said_of
from hw_models.cost import latency
from hw_models.cost.area import area
from hw_models.cost.bill import price
from hw_models.cost.constants import CHOICES, OWN, SCALES, Constants, between
from hw_models.errors import ChipError
from hw_models.tally import Tally

near = partial(pytest.approx, rel=1e-6, abs=0)
"""Within a millionth: joules are below the absolute tolerance that pytest would allow beside it."""

PULSES = {"adc_step_energy": 1.0, "line_capacitance": 1.0, "line_voltage": 1.0, "dac_energy": 1.0}
EVENTS = {"synapse_energy": 1.0, "spike_energy": 1.0, "hop_energy": 1.0, "hops": 2.0, "neuron_energy": 2.0}
VOLTS = {"write_voltage": 2.0, "write_time": 1e-6}
AREA = {"node": 32.0, "cell_area": 4.0, "adc_area": 1e3}
# Field: (constants beside it, what it is changed to).
FIELDS: dict[str, tuple[dict[str, object], object]] = {
    "components": ({}, ["shafiee_2016_adc"]),
    "phase_bits": (PULSES, 3),
    "cell_energy": ({}, 2.0),
    "line_capacitance": ({"line_voltage": 1.0}, 50.0),
    "line_cell_capacitance": ({"line_voltage": 1.0, "line_capacitance": 1.0}, 2.0),
    "line_voltage": ({"line_capacitance": 1.0}, 1.8),
    "lines": ({"line_capacitance": 1.0, "line_voltage": 1.0}, "sensed"),
    "dac_energy": ({}, 0.4),
    "adc_energy": ({}, {"8": 1.6}),
    "adc_step_energy": ({}, 0.3),
    "sample_energy": ({"adc_step_energy": 0.3}, 1.2),
    "integration_energy": ({"adc_step_energy": 0.3}, 0.25),
    "core_energy": ({}, 13.0),
    "core_includes": ({"core_energy": 13.0, "dac_energy": 1.0}, ["cells", "ADC"]),
    "control_energy": ({}, 5.0),
    "addition_energy": ({}, 0.1),
    "shift_energy": ({}, 0.1),
    "input_register_energy": ({}, 0.1),
    "output_register_energy": ({}, 0.1),
    "mac_energy": ({}, 0.23),
    "update_energy": ({"mac_energy": 0.23}, 4.6),
    "count_energy": ({}, 0.02),
    "exp_energy": ({}, 2.0),
    "neuron_energy": ({}, 3.0),
    "active_energy": (EVENTS, 80.0),
    "state_energy": ({}, 5.0),
    "synapse_energy": ({}, 23.6),
    "hold_energy": ({}, 0.5),
    "spike_energy": ({}, 1.7),
    "hop_energy": (EVENTS, 3.0),
    "hops": (EVENTS, 4.0),
    "pulse_energy": ({}, 77.0),
    "write_voltage": ({"write_time": 1e-6}, 1.75),
    "write_time": ({"write_voltage": 1.75}, 1e-6),
    "device_capacitance": (VOLTS, 1.0),
    "write_energy": ({}, 100.0),
    "write_iterations": ({"pulse_energy": 77.0}, 10.0),
    "integration_step": (PULSES, 1e-7),
    "adc_step": ({}, 1e-7),
    "phase_step": (PULSES, 1e-7),
    "product_time": ({}, 1e-7),
    "sampling_time": ({"adc_energy": 1.0}, 1e-7),
    "synapse_time": ({}, 3.5e-9),
    "cores": ({"synapse_time": 3.5e-9}, 4),
    "barrier_time": ({}, 1e-7),
    "node": (AREA, 14.0),
    "cell_area": (AREA, 8.0),
    "core_area": ({}, 0.6),
    "adc_area": ({}, 1200.0),
    "dac_area": ({}, 0.17),
    "counter_area": (AREA, 30.0),
    "adc_lines": (AREA, 4),
}


def chip(constants: dict[str, object], encoding: str = "amplitude", **more: object) -> Chip:
    converter = {"bits": 8, "range": 1.0}
    tables = {"dac": {**converter, "encoding": encoding}, "adc": converter, "crossbar": {"rows": 4, "columns": 3}}
    tables |= more
    return Chip.parse({**tables, "cost": constants})


def everything() -> Tally:
    """A number of every operation there is."""
    tally = Tally()
    for operation in (
        "dac forward", "adc forward", "dac transposed", "adc transposed", "addition forward", "read forward",
        "square forward", "charge forward", "activation forward", "write", "pulse", "half", "slot", "conversion",
        "synaptic forward", "event forward", "multiply-add logits", "multiply-add update", "softmax", "response",
        "hold", "count", "counting",
    ):  # fmt: skip
        bits = 8 if operation.split()[0] in ("dac", "adc", "conversion") else None
        tally.add("a", operation, 1200, (6, 8), bits, phase="free")
    tally.add("a", "adc forward", 7, (6, 8), 8, phase="free")  # not as often as the DAC converts
    tally.add("a", "adc forward", 5, (6, 8), 8, phase="nudged", span=1e-8)  # of a loop in continuous time
    return tally


def outcome(made: Chip) -> object:
    """All that a bill says of a chip: energies, latencies of a crossbar and of events, area."""
    timed = made.model_copy(update={"timing": made.timing.model_copy(update={"integration": 1e-7})})
    found = []
    for each in (made, timed, made.model_copy(update={"substrate": "event_driven"})):
        constants, tally = Constants(each, {"a": 10.0}), everything()
        steps = latency.Stages((("a", "forward"),), ((latency.Step("a", (("a", "forward"),), "a"),),))
        bill = price(tally, each, conductance={"a": 10.0}) if constants.any else None
        energies = None if bill is None else (bill.items, bill.leaves_out)
        spent = latency.phases(tally, constants, steps, ("free",)), latency.update(tally, constants)
        found.append((energies, spent, area(constants, [(6, 8)], [(6, 8)])))
    return found


@pytest.mark.parametrize("name", FIELDS)
def test_a_constant_acts_on_the_bill(name):
    beside, value = FIELDS[name]
    encoding = "pulses" if beside is PULSES else "amplitude"
    timed: dict[str, object] = {"timing": {"tau": 1e-6}} if name == "sampling_time" else {}
    timed |= {"update": {"scheme": "pulsed", "signals": "net_counts"}} if name == "counter_area" else {}
    assert outcome(chip(beside, encoding, **timed)) != outcome(chip(beside | {name: value}, encoding, **timed))


@pytest.mark.parametrize("encoding", ["serial", "pulses"])
def test_how_inputs_are_encoded_acts_on_the_bill(encoding):
    assert outcome(chip({"dac_energy": 1.0})) != outcome(chip({"dac_energy": 1.0}, encoding))


def test_the_voltage_of_reads_acts_on_the_bill():
    """The square of it is what cells take; the width of a pulse carries |x|, its height x."""
    found = []
    for volts in (0.2, 0.4):
        for encoding in ("amplitude", "pulse_width"):
            device, timed = {"read_voltage": volts}, {"integration": 1e-7}
            made = chip({"mac_energy": 1.0}, encoding, device=device, timing=timed)
            found.append(price(everything(), made).by_formula()["cells"])
    assert found[2] == near(4 * found[0]) and found[3] == near(4 * found[1])


def test_a_component_of_one_encoding_asks_for_it():
    with pytest.raises(ChipError, match=r"'wan_2022_core' has the constants of another .*set dac.encoding = 'pulses'"):
        _ = Constants(chip({"components": ["wan_2022_core"]})).components
    assert Constants(chip({"components": ["wan_2022_core"]}, "pulses")).components


def test_fields_that_act_on_a_bill_alone_are_known_as_such():
    """Voltage and encoding of reads act on nothing else, but where devices bend or are warm."""
    both, whole = {"device.read_voltage", "dac.encoding"}, {"dac.digit_sign"}
    volts = {"read_voltage": 0.2}
    cold = chip({"mac_energy": 1.0}, device=volts, timing={"integration": 1e-7})
    assert cold.prices == PRICES | both | whole
    assert cold.model_copy(update={"temperature": 300.0}).prices == PRICES | {"dac.encoding"} | whole
    assert chip({"mac_energy": 1.0}, device={**volts, "iv": "sinh", "iv_voltage": 0.2}).prices == PRICES | whole


def test_every_constant_is_listed():
    """Static power acts in :mod:`neuroep.runs.bills`, where seconds are known."""
    assert FIELDS.keys() == Cost.model_fields.keys() - {"static_power"}
    assert {f"cost.{name}" for name in Cost.model_fields} == PRICES


@pytest.mark.parametrize("name", ["phase_bits", "integration_step", "phase_step"])
def test_what_belongs_to_pulses_is_refused_without_them(name):
    for encoding in ("amplitude", "pulse_width", *(() if name == "integration_step" else ("serial",))):
        with pytest.raises(ChipError, match=f"cost.{name} = .*: it acts only with dac.encoding pulses"):
            chip({name: 3 if name == "phase_bits" else 1e-7}, encoding)


def test_the_chip_stands_before_its_components_and_units_are_those_of_the_fields():
    made = Constants(chip({"components": ["shafiee_2016_adc"]}))
    assert made.value("adc_energy", 8) == near(1.5625e-12) and made.source("adc_energy") == "shafiee_2016_adc"
    assert made.value("adc_area") == near(1200e-12)
    made = Constants(chip({"components": ["shafiee_2016_adc"], "adc_energy": 2.0}))
    assert made.value("adc_energy", 8) == near(2e-12) and made.source("adc_energy") == OWN
    assert made.value("dac_energy", 8) is None and made.source("dac_energy") == ""
    for name, field in Cost.model_fields.items():
        unit = said_of(field).get("unit", "1")
        assert unit in {*SCALES, "1", "V", "s", "bit", "F^2", "lines", "hops", "cores", "pulses", "component"}, name


def test_tables_by_bits_are_geometric_within_and_nothing_beyond():
    table = {"4": 1.0, "8": 16.0}
    assert [between(table, bits) for bits in (3, 4, 6, 8, 9, None)] == [None, 1.0, near(4.0), 16.0, None, None]


def test_two_components_of_one_constant_ask_which_is_meant():
    both = ["shafiee_2016_adc", "murmann_2025_adc"]
    with pytest.raises(ChipError, match="'shafiee_2016_adc' and 'murmann_2025_adc' both hold adc_energy; set cost"):
        _ = Constants(chip({"components": both})).components
    assert len(Constants(chip({"components": both, "adc_energy": 1.0})).components) == 2


def test_a_chip_without_constants_and_one_of_a_component_that_is_none_are_refused():
    with pytest.raises(ChipError, match=r"chip 'ideal' has no constants of cost: set cost.components"):
        price(everything(), Chip.ideal())
    with pytest.raises(ChipError, match=r"unknown component 'shafiee_2016_acd'.*did you mean 'shafiee_2016_adc'"):
        chip({"components": ["shafiee_2016_acd"]})


def test_what_is_in_a_core_is_not_priced_twice_and_states_are_beside_it():
    constants = {"core_energy": 1.0, "adc_energy": 1.0, "dac_energy": 1.0, "cell_energy": 1.0}
    found = price(everything(), chip(constants)).by_formula()
    assert found.keys() == {"core", "ADC"} and found["ADC"] == near(1200e-12)  # of the states alone


@pytest.mark.parametrize("name", components.names())
def test_a_component_says_node_kind_source_and_constants_there_are(name):
    found = components.load(name)
    assert found.kind in components.KINDS and found.source and found.about and found.constants
    assert not found.constants.keys() - Cost.model_fields.keys()
    assert found.node is None or 5 <= found.node <= 250
    assert Cost.model_validate(found.constants)
    assert found.encoding in ("", *get_args(DAC.model_fields["encoding"].annotation))
    assert name in components.listing()
    with pytest.raises(ChipError, match="unknown component"):
        components.load(f"{name}x")


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_priced(name):
    made = Constants(presets.load(name))
    assert made.any and made.components
    assert {source for _, source in made.known()} <= {OWN, *(one.name for one in made.components)}
    assert not CHOICES - Cost.model_fields.keys()
    assert replace(made, conductance={"a": 1.0}).lumps() == (("cells", "DAC", "ADC") if "hermes" in name else ())
