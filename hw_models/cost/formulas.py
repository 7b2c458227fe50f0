"""Formulas of energy: what one kind of counted operation takes, from constants of the chip.

Of a row of a tally, N operations of one kind on one array in one phase, with b bits in and B bits out:

    cells       V^2 t sum w G, w = x^2, |x| or share of ones as inputs are coded; or N_reads passes e_cell
    DAC         N passes e_dac(bits at once);  lines  N passes (C + n C_cell) V^2
    ADC         N conversions e_adc(B), or N (passes e_sample + integrations e_integrate + steps e_step)
    core        products of tiles e_core, which has the above in it
    digital     N e for additions, shifts, registers, control, multiply-adds, exponentials, neurons, memory of states
    holders     N_holds e_hold
    events      N_synapses e_syn + N_events (e_active - e_inactive + e_spike + hops e_hop) + N_neurons e_inactive
    writes      N_pulse e, or N_pulse V^2 (G t + C) + N_half (V/2)^2 (G t + C); a device anew: iterations times that

Passes, integrations and steps: :mod:`hw_models.cost.coding`. G are conductances as they are, both devices of a pair:
their sums are metered while a chip reads (:mod:`hw_models.arrays.loads`); at pulses the mean of the array.

In continuous time (``timing.tau``) a time step of dt seconds of the simulation is no operation of the chip: currents
flow through its devices for dt, and converters and digital arithmetic within the loop work dt/t_s times, t_s =
``cost.sampling_time``. What happens once a sample or phase, as the clamped input and the read-out, is counted as ever.

A formula whose constants are not known says so: its operations are then left out of the bill, and named.

Sources: energy of cells and half-selected devices by Ohm's law, lines and devices by C V^2; conversion, registers and
cores as counted by Shafiee et al., ISCA 2016, and Wan et al., Nature 608, 504, 2022; events as in Davies et al., IEEE
Micro 38, 82, 2018; digital operations as in Horowitz, ISSCC 2014.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from hw_models.cost.coding import sending
from hw_models.cost.constants import Constants
from hw_models.cost.latency import references
from hw_models.tally import Work

PARTS = ("cells", "DAC", "ADC", "core", "digital", "events", "writes", "static", "holders")
"""Of a chip, by which a bill is told."""
PICO = 1e-12
MICRO = 1e-6


class PriceFormula(ABC):
    """One formula of energy."""

    name: ClassVar[str] = ""
    part: ClassVar[str] = ""
    """One of :data:`PARTS`."""
    equation: ClassVar[str] = ""
    unit: ClassVar[str] = "J"
    source: ClassVar[str] = ""
    counts: ClassVar[tuple[str, ...]] = ()
    """First words of the operations that it prices."""
    called: ClassVar[str] = ""
    """What is left out where constants are missing."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Constants that would make it known, for the line that says what is missing."""
    extra: ClassVar[bool] = False
    """Whether nothing is missing from a bill without it: its operations are priced by another formula as well."""

    def covered(self, done: Work, constants: Constants) -> bool:
        """Tell whether the energy of a core has this in it; conversions of states are beside it."""
        return self.part in constants.lumps() and done.operation != "conversion"

    def flows(self, constants: Constants) -> bool:
        """Tell whether in continuous time it goes by the time itself, not by how often a loop is sampled."""
        return False

    @abstractmethod
    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return the energy of so many operations [J]; None where constants are not known."""


def _times(number: float, each: float | None) -> float | None:
    return None if each is None else number * each


class Cells(PriceFormula):
    """Currents through the devices of a read, by what was metered, or so much for every device."""

    name, part, called = "cells", "cells", "currents through the devices"
    equation = "V_r^2 t sum w G, w = x^2 (amplitude), |x| (a width, pulses), ones/bits (serial); or N passes e_cell"
    """t is the integration time, or the time step of a chip that settles in continuous time."""
    source = "Ohm's law"
    counts = ("read", "square", "charge", "bits")
    needs = ("device.read_voltage with timing.integration", "cost.cell_energy")

    def flows(self, constants: Constants) -> bool:
        """Tell whether currents are metered."""
        return constants.value("cell_energy") is None

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return V^2 t sum w G of what was metered, or N passes e."""
        kind, fixed = done.operation.split()[0], constants.value("cell_energy")
        sent = sending(constants, constants.sent(done), None)
        if fixed is not None:
            return number * sent.passes * fixed if kind == "read" else 0.0
        volt, seconds = constants.chip.device.read_voltage, done.span or constants.chip.timing.integration
        if volt is None or not seconds:
            return None
        if kind != constants.meter:
            return 0.0
        return volt**2 * seconds * number * PICO


class Conversion(PriceFormula):
    """Digital-to-analog conversions: one for every line in every tile that it drives."""

    name, part, called = "DAC", "DAC", "DAC conversions"
    equation = "N passes e_dac(bits at once)"
    source = "Shafiee et al., ISCA 2016"
    counts = ("dac",)
    needs = ("cost.dac_energy",)

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return N passes e."""
        made = sending(constants, constants.sent(done), None)
        bitwise = constants.coding in ("pulses", "serial") and done.bits is not None
        return _times(number * made.passes, constants.value("dac_energy", 1 if bitwise else done.bits))


class Lines(PriceFormula):
    """Lines that are charged: those of the inputs, or a word line for each output."""

    name, part, called, extra = "lines", "DAC", "charging of lines", True
    equation = "N passes (C_line + n C_cell) V^2"
    source = "C V^2; Wan et al., Nature 608, 504, 2022"
    counts = ("dac", "adc")
    needs = ("cost.line_capacitance with cost.line_voltage",)

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return N passes (C + n C_cell) V^2."""
        kind, way = done.operation.split()
        if kind != ("adc" if constants.choice("lines") == "sensed" else "dac"):
            return 0.0
        wire, volt = constants.value("line_capacitance"), constants.value("line_voltage")
        if wire is None or volt is None:
            return None
        farad = wire + across(constants, done, kind, way) * (constants.value("line_cell_capacitance") or 0.0)
        return number * sending(constants, constants.sent(done), None).passes * farad * volt**2


def across(constants: Constants, done: Work, kind: str, way: str) -> int:
    """Return the devices on one line of a tile: a driven line's forward are those of the outputs, a sensed one's of
    the inputs, and transposed the other way round; both of a pair lie on it, and those of reference lines."""
    bar = constants.chip.crossbar
    if (kind == "dac") == (way == "forward"):
        columns = constants.columns(done.part, done.shape[0])
        crossed = columns + references(constants.chip, columns)
    else:
        crossed = bar.rows or done.shape[1]
    return crossed * bar.sides


class Readings(PriceFormula):
    """Analog-to-digital conversions, of outputs of every tile and of digitised states."""

    name, part, called = "ADC", "ADC", "ADC conversions"
    equation = "N conversions e_adc(B), or N (passes e_sample + integrations e_integrate + steps e_step)"
    source = "Shafiee et al., ISCA 2016; Wan et al., Nature 608, 504, 2022"
    counts = ("adc", "conversion")
    needs = ("cost.adc_energy", "cost.adc_step_energy")

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return N conversions e, or N times the sum of the steps of one."""
        state = done.operation == "conversion"
        made = sending(constants, None if state else constants.sent(done), done.bits)
        step = constants.value("adc_step_energy")
        if step is None:
            return _times(number * made.conversions, constants.value("adc_energy", done.bits))
        total = made.steps * step
        if not state:
            total += made.passes * (constants.value("sample_energy") or 0.0)
            total += made.integrations * (constants.value("integration_energy") or 0.0)
        return number * total


class Core(PriceFormula):
    """Products of whole tiles, where a core was measured as one."""

    name, part, called, extra = "core", "core", "products of cores", True
    equation = "N_products e_core, all devices of a tile and slice once"
    source = "Le Gallo et al., Nature Electronics 6, 680, 2023"
    counts = ("activation",)

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return products of tiles times e."""
        return _times(products(constants, number), constants.value("core_energy"))


def products(constants: Constants, activations: int) -> int:
    """Return the products of tiles that so many activations of single arrays make: both sides of a pair are one,
    slices, each with its own ADC, are not."""
    return activations // constants.chip.crossbar.sides


class Control(PriceFormula):
    """Control of a product."""

    name, part, called, extra = "control", "digital", "control of products", True
    equation = "N_products e_control"
    source = "as a macro's paper tells it"
    counts = ("activation",)

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return products of tiles times e."""
        return _times(products(constants, number), constants.value("control_energy"))


class Registers(PriceFormula):
    """Registers ahead of DACs and behind ADCs."""

    name, part, called, extra = "registers", "digital", "registers at converters", True
    equation = "N_dac passes e_in + N_adc conversions e_out"
    source = "Shafiee et al., ISCA 2016, table 1"
    counts = ("dac", "adc")

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return N passes e ahead of a DAC, N conversions e behind an ADC."""
        if done.operation.startswith("dac"):
            passes = sending(constants, constants.sent(done), None).passes
            return _times(number * passes, constants.value("input_register_energy"))
        made = sending(constants, constants.sent(done), done.bits)
        return _times(number * made.conversions, constants.value("output_register_energy"))


class Shifts(PriceFormula):
    """Shift and add behind conversions."""

    name, part, called, extra = "shift and add", "digital", "shift and add behind conversions", True
    equation = "N conversions e_shift; of pulses N steps e_shift"
    source = "Shafiee et al., ISCA 2016, table 1; Wan et al., Nature 608, 504, 2022"
    counts = ("adc",)

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return N e of every conversion, or of every step of those of pulses."""
        made = sending(constants, constants.sent(done), done.bits)
        each = made.steps if constants.coding == "pulses" else made.conversions
        return _times(number * each, constants.value("shift_energy"))


class Simple(PriceFormula):
    """So many operations of one kind, each at the same price."""

    constant: ClassVar[str] = ""

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return N e."""
        return _times(number, constants.value(self.constant))


class Additions(Simple):
    """Sums over tiles and slices."""

    name, part, called, counts = "additions", "digital", "sums over tiles and slices", ("addition",)
    equation, source = "N e_add", "Horowitz, ISSCC 2014"
    constant, needs = "addition_energy", ("cost.addition_energy",)


class MultiplyAdds(PriceFormula):
    """Digital multiply-adds of attention, read-out and update."""

    name, part, called, counts = "multiply-adds", "digital", "digital multiply-adds", ("multiply-add",)
    equation, source = "N_mac e_mac; of an update N e_update", "Horowitz, ISSCC 2014"
    needs = ("cost.mac_energy",)

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return N e, of an update that of its own where it is known."""
        each = constants.value("update_energy") if done.operation == "multiply-add update" else None
        return _times(number, constants.value("mac_energy") if each is None else each)


class CountedCoincidences(Simple):
    """Coincidences that counters count."""

    name, part, called, counts = "counts", "digital", "coincidences counted", ("count",)
    equation, source = "N e_count", "a step of a counter of few bits: Horowitz, ISSCC 2014, of an addition"
    constant, needs = "count_energy", ("cost.count_energy",)


class Softmax(Simple):
    """Exponentials and their share of the normalisation."""

    name, part, called, counts = "softmax", "digital", "exponentials of softmax", ("softmax",)
    equation, source = "N e_exp", "the chip's own"
    constant, needs = "exp_energy", ("cost.exp_energy",)


class Responses(Simple):
    """Neurons, in every step; of an event-driven chip those that send nothing."""

    name, part, called, counts = "neurons", "digital", "neuron circuits", ("response",)
    equation, source = "N_neurons N_steps e_neuron", "Davies et al., IEEE Micro 38, 82, 2018, for events"
    constant, needs = "neuron_energy", ("cost.neuron_energy",)


class States(Simple):
    """Memory of states."""

    name, part, called, counts, extra = "states", "digital", "memory of states", ("response",), True
    equation, source = "N_neurons N_steps e_state", "Horowitz, ISSCC 2014"
    constant, needs = "state_energy", ("cost.state_energy",)


class Holds(Simple):
    """Sample-and-holds of the read-out, of the states of every phase."""

    name, part, called, counts = "holds", "holders", "sample-and-holds", ("hold",)
    equation, source = "N_holds e_hold, e_hold = C V^2/2 or more", "C V^2/2"
    constant, needs = "hold_energy", ("cost.hold_energy",)


class Synapses(Simple):
    """Synapses that events reach."""

    name, part, called, counts = "synapses", "events", "synaptic operations", ("synaptic",)
    equation, source = "N_synapses e_syn", "Davies et al., IEEE Micro 38, 82, 2018"
    constant, needs = "synapse_energy", ("cost.synapse_energy",)


class Sent(PriceFormula):
    """Events on their way, and what a neuron that sends takes beyond one that does not."""

    name, part, called, counts = "events", "events", "events on their way", ("event",)
    equation = "N_events (e_active - e_inactive + e_spike + hops e_hop)"
    source, needs = "Davies et al., IEEE Micro 38, 82, 2018", ("cost.spike_energy",)

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return N events."""
        way = constants.value("spike_energy")
        if way is None:
            return None
        way += (constants.value("hops") or 0.0) * (constants.value("hop_energy") or 0.0)
        active, idle = constants.value("active_energy"), constants.value("neuron_energy")
        return number * (way + (active - idle if active is not None and idle is not None else 0.0))


def pulse(constants: Constants, part: str, volts: float = 1.0) -> float | None:
    """Return the energy of one pulse at a device of an array [J], at a share of the voltage; None if not known.

    Without a width nothing is known of it: C V^2 alone is not a pulse.
    """
    volt, seconds = constants.value("write_voltage"), constants.write_width
    if volt is None or not seconds or part not in constants.conductance:
        return None
    siemens = constants.conductance[part] * MICRO
    return (volts * volt) ** 2 * (siemens * seconds + (constants.value("device_capacitance") or 0.0))


class Pulses(PriceFormula):
    """Programming pulses, and devices that share a line with them."""

    name, part, called, counts = "pulses", "writes", "programming pulses", ("pulse", "half")
    equation = "N_pulse e, or N_pulse V_w^2 (G t_p + C) + N_half (V_w/2)^2 (G t_p + C)"
    source, needs = "Ohm's law, C V^2", ("cost.pulse_energy", "cost.write_voltage with cost.write_time")

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return N e, or by voltage; a coincidence counts on both of its lines, so twice among those selected half."""
        each = constants.value("pulse_energy")
        if each is not None:
            return number * each if done.operation == "pulse" else 0.0
        if done.operation == "half":
            return _times(number, pulse(constants, done.part, 0.5))
        whole, half = pulse(constants, done.part), pulse(constants, done.part, 0.5)
        return None if whole is None or half is None else number * (whole - 2 * half)


class Writes(PriceFormula):
    """Devices that are written anew, all pulses and reads of their verification."""

    name, part, called, counts = "writes", "writes", "writes of devices", ("write",)
    equation = "N e_write, or N iterations (e_pulse, or V_w^2 (G t_w + C), + e_read)"
    source = "Ohm's law, C V^2"
    needs = ("cost.write_energy", "cost.pulse_energy", "cost.write_voltage with cost.write_time")

    def energy(self, done: Work, number: int, constants: Constants) -> float | None:
        """Return N e, or iterations of a pulse and a read; a read of one device where its energy is known."""
        whole = constants.value("write_energy")
        if whole is not None:
            return number * whole
        each = constants.value("pulse_energy")
        each = pulse(constants, done.part) if each is None else each
        if each is None:
            return None
        return number * (constants.value("write_iterations") or 1.0) * (each + verification(constants, done.part))


def verification(constants: Constants, part: str) -> float:
    """Return the energy of reading one device of an array [J]: of a cell, or V_r^2 t_int G; else 0."""
    fixed, volt = constants.value("cell_energy"), constants.chip.device.read_voltage
    if fixed is not None or volt is None:
        return fixed or 0.0
    return volt**2 * constants.chip.timing.integration * constants.conductance.get(part, 0.0) * MICRO


FORMULAS: Mapping[str, PriceFormula] = {
    formula.name: formula
    for formula in (
        Cells(), Conversion(), Lines(), Readings(), Core(), Control(), Registers(), Shifts(), Additions(),
        MultiplyAdds(), CountedCoincidences(), Softmax(), Responses(), States(), Holds(), Synapses(), Sent(), Pulses(),
        Writes(),
    )
}  # fmt: skip
"""All of them, by name."""
