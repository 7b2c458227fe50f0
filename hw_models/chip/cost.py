# Tested by tests/hw_models/cost/test_constants.py.
"""What a chip's operations cost, as data.

Formulas: :mod:`hw_models.cost.formulas`, sources of constants: :mod:`hw_models.components`.

A chip names the components that it has, each a table of constants with source, node and kind; a constant that is set
here stands in place of a component's. What is known of neither is left out of a bill, and named beside it.
Nothing here acts on a signal: a chip computes the same whatever it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, field_validator

from hw_models import components
from hw_models.chip.fields import LARGEST, Count, Part, Positive, at
from hw_models.errors import unknown
from hw_models.text import shown

Lump = Literal["cells", "DAC", "ADC", "digital"]


def _by_bits(unit: str) -> Callable[[object], float | dict[str, float]]:
    """Return what checks a constant in that unit, or one for each resolution."""

    def checked(value: object) -> float | dict[str, float]:
        if not isinstance(value, Mapping) or not value:
            return _constant(value, f"should be a number of {unit} from 0, or such by bits from 1 to 24")
        for bits, each in value.items():
            if not str(bits).isdecimal() or not 1 <= int(bits) <= 24:
                raise ValueError(f"{bits} = {shown(each)}: should be by bits, whole numbers from 1 to 24")
            _constant(each, f"{bits} = {shown(each)}: should be a number of {unit} from 0")
        return {str(bits): float(each) for bits, each in sorted(value.items(), key=lambda item: int(item[0]))}

    return checked


def _constant(value: object, fault: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise ValueError(fault)
    return float(value)


ByBits = Annotated[float | dict[str, float], PlainValidator(_by_bits("pJ"))]
SizeByBits = Annotated[float | dict[str, float], PlainValidator(_by_bits("um^2"))]
Known = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]


class Cost(Part):
    """Components and constants of a chip's bill."""

    components: Annotated[tuple[str, ...], Field(strict=False)] = at("bill", "component", ())
    """Names of the tables of constants of which the chip is made; ``neuroep chips --components`` lists them."""
    phase_bits: Count | None = at("bill", "bit", None)
    """Pulses: number of bits of an input, without its sign, from which on it is sent in two halves, one after the
    other. Unset sends all at once."""
    cell_energy: Known | None = at("bill", "fJ", None)
    """Energy of one device in one read; with pulses, for one bit of its input. Unset, cells take what
    ``device.read_voltage`` drives through their conductances over ``timing.integration``."""
    line_capacitance: Known | None = at("bill", "fF", None)
    """Capacitance of a line and its driver, charged once per read; with pulses, once for every bit."""
    line_cell_capacitance: Known = at("bill", "fF", 0.0)
    """Capacitance that every device of a tile adds to its line."""
    line_voltage: Known | None = at("bill", "V", None)
    """Voltage to which lines are charged."""
    lines: Literal["driven", "sensed"] = at("bill", default="driven")
    """Which lines these are: those of the inputs (driven), or a word line for each output (sensed)."""
    dac_energy: ByBits | None = at("bill", "pJ", None)
    """Energy of a conversion, or a table of energies by bits; with pulses (``dac.encoding``), of one bit."""
    adc_energy: ByBits | None = at("bill", "pJ", None)
    """Energy of a conversion, or a table of energies by bits. Between known bits it is interpolated geometrically."""
    adc_step_energy: Known | None = at("bill", "pJ", None)
    """Energy of one step of a conversion that takes as many steps as it has bits, in place of ``adc_energy``."""
    sample_energy: Known | None = at("bill", "pJ", None)
    """Energy of sampling an output, once for each bit of the input."""
    integration_energy: Known | None = at("bill", "pJ", None)
    """Energy of one integration step of an output."""
    core_energy: Known | None = at("bill", "nJ", None)
    """Energy of a product of one tile and slice, with everything that ``core_includes`` names, whatever share of its
    lines is used."""
    core_includes: Annotated[tuple[Lump, ...], Field(strict=False)] = at("bill", default=("cells", "DAC", "ADC"))
    """Parts that ``core_energy`` already contains."""
    control_energy: Known | None = at("bill", "pJ", None)
    """Energy of the control of a product of one tile and slice."""
    addition_energy: Known | None = at("bill", "pJ", None)
    """Energy of a digital addition in the sums over tiles and slices."""
    shift_energy: Known | None = at("bill", "pJ", None)
    """Energy of a shift and add behind a conversion; with pulses, behind each of its steps."""
    input_register_energy: Known | None = at("bill", "pJ", None)
    """Energy of the register ahead of a DAC conversion."""
    output_register_energy: Known | None = at("bill", "pJ", None)
    """Energy of the register behind an ADC conversion."""
    mac_energy: Known | None = at("bill", "pJ", None)
    """Energy of a digital multiply-add during inference."""
    update_energy: Known | None = at("bill", "pJ", None)
    """Energy of a digital multiply-add of an update. Unset takes ``mac_energy``."""
    count_energy: Known | None = at("bill", "pJ", None)
    """Energy of a coincidence that the counter of a weight counts, with its share of the lines and their generators."""
    exp_energy: Known | None = at("bill", "pJ", None)
    """Energy of a step of a softmax: an exponential, or its share of the normalisation."""
    neuron_energy: Known | None = at("bill", "pJ", None)
    """Energy of a neuron circuit in one step; with events, of an update of a neuron that sends nothing."""
    active_energy: Known | None = at("bill", "pJ", None)
    """Events: energy of an update of a neuron that sends an event."""
    state_energy: Known | None = at("bill", "pJ", None)
    """Energy of the memory of one state, written and read, for a neuron in one step."""
    hold_energy: Known | None = at("bill", "pJ", None)
    """Energy of holding a state of one phase for the update: C V^2/2 of the capacitor of a sample-and-hold charged to V
    (0.5 pJ for 1 pF at 1 V), and what its amplifier takes."""
    synapse_energy: Known | None = at("bill", "pJ", None)
    """Events: energy of one event at one synapse."""
    spike_energy: Known | None = at("bill", "pJ", None)
    """Events: energy of one event on its way within a tile."""
    hop_energy: Known | None = at("bill", "pJ", None)
    """Events: energy of one event over a hop between tiles."""
    hops: Known = at("bill", "hops", 0.0)
    """Events: mean number of hops of an event."""
    pulse_energy: Known | None = at("bill", "pJ", None)
    """Energy of a programming pulse at a device, in place of the one from voltage and conductance."""
    write_voltage: Known | None = at("bill", "V", None)
    """Voltage of a programming pulse. Devices that share one of its lines see half of it."""
    write_time: Known | None = at("bill", "s", None)
    """Width of a programming pulse; unset takes ``timing.pulse``."""
    device_capacitance: Known = at("bill", "fF", 0.0)
    """Capacitance of a device that a pulse charges."""
    write_energy: Known | None = at("bill", "pJ", None)
    """Energy of writing a device anew, with all pulses and reads of its verification. Unset counts ``write_iterations``
    pulses."""
    write_iterations: Positive = at("bill", "pulses", 1.0)
    """Pulses that writing a device anew takes, each with a read; they multiply the energy. Their seconds are in
    ``timing.row``. If that is not set, a row takes this many times ``write_time``."""
    static_power: Known | None = at("bill", "uW", None)
    """Static power of the array of a tile and slice with its circuits, for as long as anything happens."""
    integration_step: Known | None = at("bill", "s", None)
    """Pulses: time of one integration step, where ``timing.integration`` is not set. For inputs sent bit by bit it is
    the time of a bit."""
    adc_step: Known | None = at("bill", "s", None)
    """Time of one step of a conversion, where ``timing.adc`` is not set."""
    phase_step: Known | None = at("bill", "s", None)
    """Pulses: time between the phases of an input, where ``timing.dac`` is not set."""
    product_time: Known | None = at("bill", "s", None)
    """Time of a whole product, where ``timing`` has none of its durations."""
    sampling_time: Positive | None = at("bill", "s", None)
    """In continuous time (``timing.tau``): time from one conversion to the next of the converters within the loop, and
    of everything digital in it. Unset, a bill names these as left out. An exact converter (no bits) does not count."""
    synapse_time: Known | None = at("bill", "s", None)
    """Events: time of one event at one synapse of a core; synapses of a core follow one another."""
    cores: Count = at("bill", "cores", 1)
    """Events: cores that share the synapses of an array and work side by side."""
    barrier_time: Known | None = at("bill", "s", None)
    """Events: time in which the cores agree that a step is over."""
    node: Known | None = at("bill", "nm", None)
    """Half the pitch F of the lines, for the area of the devices."""
    cell_area: Known | None = at("bill", "F^2", None)
    """Area of one device."""
    core_area: Known | None = at("bill", "mm^2", None)
    """Area of a tile and slice with its converters, in place of the areas of the parts."""
    adc_area: SizeByBits | None = at("bill", "um^2", None)
    """Area of one converter, or a table of areas by bits."""
    dac_area: SizeByBits | None = at("bill", "um^2", None)
    """Area of one converter, or a table of areas by bits. Where inputs are sent bit by bit it is the area of a 1-bit
    converter."""
    counter_area: Known | None = at("bill", "um^2", None)
    """Area of the counter of one weight, with its gate."""
    adc_lines: Count | None = at("bill", "lines", None)
    """Lines that share an ADC, for area and latency; unset gives every line one."""

    @field_validator("components")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in components.names():
                raise ValueError(unknown("component", name, components.names()))
        return names
