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
    """What the chip is made of: names of tables of constants, ``neuroep chips --components``."""
    phase_bits: Count | None = at("bill", "bit", None)
    """Pulses: bits of an input without its sign from which on it is sent in two halves, one behind the other; unset
    sends all at once."""
    cell_energy: Known | None = at("bill", "fJ", None)
    """One device in one read, and of pulses for one bit of its input; unset, cells take what ``device.read_voltage``
    drives through their conductances over ``timing.integration``."""
    line_capacitance: Known | None = at("bill", "fF", None)
    """A line and its driver, charged once for a read, and of pulses for every bit."""
    line_cell_capacitance: Known = at("bill", "fF", 0.0)
    """What every device of a tile adds to that of its line."""
    line_voltage: Known | None = at("bill", "V", None)
    """To which lines are charged."""
    lines: Literal["driven", "sensed"] = at("bill", default="driven")
    """Which lines these are: those of the inputs, or a word line for each output."""
    dac_energy: ByBits | None = at("bill", "pJ", None)
    """A conversion, or such by bits; of pulses (``dac.encoding``) one bit."""
    adc_energy: ByBits | None = at("bill", "pJ", None)
    """A conversion, or such by bits; geometric between those that are known."""
    adc_step_energy: Known | None = at("bill", "pJ", None)
    """One step of a conversion that takes as many as it has bits, in place of ``adc_energy``."""
    sample_energy: Known | None = at("bill", "pJ", None)
    """Sampling an output, once for each bit of the input."""
    integration_energy: Known | None = at("bill", "pJ", None)
    """One integration step of an output."""
    core_energy: Known | None = at("bill", "nJ", None)
    """A product of one tile and slice, with all that ``core_includes`` says, whatever share of its lines is used."""
    core_includes: Annotated[tuple[Lump, ...], Field(strict=False)] = at("bill", default=("cells", "DAC", "ADC"))
    """What is in ``core_energy`` already."""
    control_energy: Known | None = at("bill", "pJ", None)
    """Control of a product of one tile and slice."""
    addition_energy: Known | None = at("bill", "pJ", None)
    """A digital addition of sums over tiles and slices."""
    shift_energy: Known | None = at("bill", "pJ", None)
    """Shift and add behind a conversion; of pulses behind each of its steps."""
    input_register_energy: Known | None = at("bill", "pJ", None)
    """Register ahead of a DAC conversion."""
    output_register_energy: Known | None = at("bill", "pJ", None)
    """Register behind an ADC conversion."""
    mac_energy: Known | None = at("bill", "pJ", None)
    """A digital multiply-add while it infers."""
    update_energy: Known | None = at("bill", "pJ", None)
    """A digital multiply-add of an update; unset takes ``mac_energy``."""
    count_energy: Known | None = at("bill", "pJ", None)
    """A coincidence that the counter of a weight counts, with what its lines and their generators take."""
    exp_energy: Known | None = at("bill", "pJ", None)
    """A step of a softmax: an exponential, or its share of the normalisation."""
    neuron_energy: Known | None = at("bill", "pJ", None)
    """A neuron circuit in one step; of events an update of a neuron that sends nothing."""
    active_energy: Known | None = at("bill", "pJ", None)
    """Events: an update of a neuron that sends one."""
    state_energy: Known | None = at("bill", "pJ", None)
    """Memory of one state, written and read, for a neuron in one step."""
    hold_energy: Known | None = at("bill", "pJ", None)
    """Holding a state of one phase for the update: C V^2/2 of the capacitor of a sample-and-hold charged to V (1 pF at
    1 V takes 0.5 pJ), and what its amplifier takes."""
    synapse_energy: Known | None = at("bill", "pJ", None)
    """Events: one at one synapse."""
    spike_energy: Known | None = at("bill", "pJ", None)
    """Events: one on its way within a tile."""
    hop_energy: Known | None = at("bill", "pJ", None)
    """Events: one over a hop between tiles."""
    hops: Known = at("bill", "hops", 0.0)
    """Mean way of an event."""
    pulse_energy: Known | None = at("bill", "pJ", None)
    """A programming pulse at a device, in place of voltage and conductance."""
    write_voltage: Known | None = at("bill", "V", None)
    """Of a programming pulse; half of it lies at devices that share one of its lines."""
    write_time: Known | None = at("bill", "s", None)
    """Width of a programming pulse; unset takes ``timing.pulse``."""
    device_capacitance: Known = at("bill", "fF", 0.0)
    """What a pulse charges at a device."""
    write_energy: Known | None = at("bill", "pJ", None)
    """Writing a device anew, all pulses and reads of its verification; unset counts ``write_iterations`` pulses."""
    write_iterations: Positive = at("bill", "pulses", 1.0)
    """Pulses of a device that is written anew, each with a read: so many times the energy. Their seconds are in
    ``timing.row``; where that is not set a row takes so many ``write_time``."""
    static_power: Known | None = at("bill", "uW", None)
    """Of the array of a tile and slice and what stands at it, as long as anything happens."""
    integration_step: Known | None = at("bill", "s", None)
    """Pulses: one integration step, and of inputs sent bit by bit that of a bit, where ``timing.integration`` is not
    set."""
    adc_step: Known | None = at("bill", "s", None)
    """One step of a conversion, where ``timing.adc`` is not set."""
    phase_step: Known | None = at("bill", "s", None)
    """Pulses: between the phases of an input, where ``timing.dac`` is not set."""
    product_time: Known | None = at("bill", "s", None)
    """A whole product, where ``timing`` says none of its durations."""
    sampling_time: Positive | None = at("bill", "s", None)
    """In continuous time (``timing.tau``): from one conversion to the next of the converters within the loop, and of
    all that is digital in it. Unset, a bill names these as left out; an exact converter (no bits) is none."""
    synapse_time: Known | None = at("bill", "s", None)
    """Events: one at one synapse of a core, one behind the other."""
    cores: Count = at("bill", "cores", 1)
    """Events: cores over which the synapses of an array are spread, side by side."""
    barrier_time: Known | None = at("bill", "s", None)
    """Events: agreeing that a step is over."""
    node: Known | None = at("bill", "nm", None)
    """F: half the pitch of the lines, for the area of the devices."""
    cell_area: Known | None = at("bill", "F^2", None)
    """One device."""
    core_area: Known | None = at("bill", "mm^2", None)
    """A tile and slice with its converters, in place of the areas of the parts."""
    adc_area: SizeByBits | None = at("bill", "um^2", None)
    """One converter, or such by bits."""
    dac_area: SizeByBits | None = at("bill", "um^2", None)
    """One converter, or such by bits; where inputs are sent bit by bit it is that of one."""
    counter_area: Known | None = at("bill", "um^2", None)
    """The counter of one weight, with its gate."""
    adc_lines: Count | None = at("bill", "lines", None)
    """Lines that share an ADC, for area and latency; unset gives every line one."""

    @field_validator("components")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in components.names():
                raise ValueError(unknown("component", name, components.names()))
        return names
