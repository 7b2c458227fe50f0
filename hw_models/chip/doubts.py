"""Values of a chip that can be, and are hardly what was meant: another unit, or more than there is.

What cannot be is refused where it is checked (:mod:`hw_models.chip.description`); what may be is computed, and said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from hw_models.chip import Chip, Pulse
from hw_models.chip.cost import Cost
from hw_models.chip.fields import SHARE, USUAL, said_of
from hw_models.laws.drift import DRIFT

LONG: Mapping[str, float] = {
    "dac": 1e-3, "integration": 1e-3, "adc": 1e-3, "digital": 1e-3, "hold": 1e-2, "pulse": 10.0, "count": 10.0,
    "row": 100.0,
}  # fmt: skip
"""Durations of single operations above which another unit was meant [s]."""
SLOW = 1e-2
"""Time constant of a neuron above which another unit was meant [s]."""
COLD, HOT = 200.0, 500.0
"""Temperatures beyond which degrees Celsius were meant [K]."""
ZERO = 273.15
"""0 deg C [K]."""
TINY = 1e-7
"""Constants of cost below that, in their unit, were meant in SI units: 1e-7 pJ is 25 k T."""
PREFIXED = ("pJ", "fJ", "nJ", "fF", "uW", "nm", "um^2", "mm^2")
BESIDE = 0.1
"""Share of the largest weight by which one of 0 is off, from which a reference that does not drift is told."""
LEAST = 1e-4
"""Highest conductance below that was meant in siemens [uS]: 100 pS is less than devices have, 100 uS is what many have.
Where a ``g_max`` cannot be anyway, more of them are taken for siemens, :data:`hw_models.chip.device.SIEMENS`.
"""
VOLTS = 10.0
"""Read voltage above which millivolts were meant."""


def doubts(chip: Chip) -> list[str]:
    """Return a line for every value that is hardly what was meant: field, value, and why."""
    found = [*_times(chip), *_physics(chip), *_reference(chip), *_shares(chip), *_pulses(chip), *_sizes(chip)]
    found += _prices(chip)
    return [line for line in found if line.partition(" =")[0] not in (chip.kept or ())]


def _times(chip: Chip) -> Iterator[str]:
    timing = chip.timing
    for name, most in LONG.items():
        if (seconds := getattr(timing, name)) > most:
            yield f"timing.{name} = {seconds:g} s: durations are in seconds, 100 ns is 1e-7"
    constants = timing.tau if isinstance(timing.tau, Mapping) else {"": timing.tau}
    for name, tau in constants.items():
        if tau is not None and tau > SLOW:
            yield f"timing.tau{'.' if name else ''}{name} = {tau:g} s: time constants are in seconds, 100 ns is 1e-7"


def _physics(chip: Chip) -> Iterator[str]:
    kelvin, device = chip.temperature, chip.device
    if kelvin is not None and not COLD <= kelvin <= HOT:
        yield f"temperature = {kelvin:g} K is {kelvin - ZERO:.0f} deg C: temperatures are in kelvin, 25 deg C is 298.15"
    if device.g_max < LEAST:
        yield f"device.g_max = {device.g_max:g} uS: conductances are in microsiemens, 25e-6 S is 25"
    if device.read_voltage is not None and device.read_voltage > VOLTS:
        yield f"device.read_voltage = {device.read_voltage:g} V: voltages are in volts, 200 mV is 0.2"
    if device.read_noise_law == "pcm" and not device.read_noise_log[3] and device.read_noise >= device.read_noise_cap:
        law = "with read_noise_law 'pcm' it is a share of the conductance at g_max, and it is cut at"
        yield f"device.read_noise = {device.read_noise:g}: {law} read_noise_cap = {device.read_noise_cap:g}, for all"
    for name in ("hold_noise", "hold_offset"):
        if (size := getattr(chip.readout, name)) > 1:
            yield f"readout.{name} = {size:g} is more than a whole state, from 0 to 1: kT/C of 10 fF at 0.5 V is 1.3e-3"


def _reference(chip: Chip) -> Iterator[str]:
    """A digital reference beside devices that have drifted.

    A device of conductance G holds w = (G - G_0)/(G_max - G_0), G_0 in the middle of the range. Once (1 + t/t0)^-nu = f
    is left of it and G_0 is subtracted as before, weight 0 reads as -(1 - f) (G_max + G_min)/(G_max - G_min).
    """
    device, layout = chip.device, chip.crossbar
    beside = chip.substrate == "crossbar" and layout.mapping == "offset" and layout.reference == "digital"
    if not beside or not device.drifts or device.drift_compensation:
        return
    middle, age = np.array([(device.g_max + device.g_min) / 2]), device.age * chip.heat.hurry
    nu = DRIFT.exponent(middle, np.zeros(1), device)
    left = float(DRIFT.drifted(middle, nu, device, age)[0] / middle[0])
    off = (1 - left) * (device.g_max + device.g_min) / (device.g_max - device.g_min)
    if off > BESIDE:
        told = f"{left:.0%} is left of conductances, and crossbar.reference = 'digital' does not drift with them"
        cure = "take an earlier age, crossbar.mapping = 'differential', crossbar.reference = 'analog' or"
        reads = f"a weight of 0 reads as -{off:.2g} of the largest"
        yield f"device.age = {device.age:g} s: {told}: {reads}; {cure} device.drift_compensation = true"


def _shares(chip: Chip) -> Iterator[str]:
    """Shares that are percentages, or larger than any device has."""
    settings = Chip.settings()
    for name, value in chip.differences().items():
        said = said_of(settings[name])
        unit = chip.device.noise.unit if name == "device.read_noise" else said.get("unit", "")
        if not unit.startswith(SHARE) or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if abs(value) > float(said.get("most", USUAL)):
            yield f"{name} = {value:g} is {value:.0%} {unit}: it is a share, {value:g} % is {value / 100:g}"


def _pulses(chip: Chip) -> Iterator[str]:
    """Weights that change on devices of which nothing is said."""
    update, pulse = chip.update, chip.device.pulse
    if chip.substrate == "crossbar" and update.in_memory and pulse == Pulse(w_min=pulse.w_min):
        held = f"'{pulse.response}' steps of dw_min = {pulse.dw_min:g} of the weight range"
        told = f"{held} from w_min = {pulse.w_min:g} to w_max = {pulse.w_max:g}, without spread or noise"
        cure = "set fields of device.pulse, or take a chip that has them (pcm_pair, ecram, reram_hfo2)"
        yield f"update.scheme = '{update.scheme}' without a table device.pulse: pulses make {told}; {cure}"
    if chip.substrate == "crossbar" and "transfer.rate" in update.facts.takes and chip.device.cell.kind == "one_sided":
        told = f"with update.scheme = '{update.scheme}' pulses of both directions fill both devices of the fast array"
        cure = "take mixed_precision, or set update.transfer.rate by what is learned"
        yield f"device.cell.kind = 'one_sided': {told}, and weights follow more or less than is wanted; {cure}"


def _sizes(chip: Chip) -> Iterator[str]:
    rows, columns = chip.crossbar.rows, chip.crossbar.columns
    if rows is not None and columns is not None and chip.adc.columns > max(rows, columns):
        shared = f"adc.columns = {chip.adc.columns} share an ADC: a tile has {columns} of crossbar.columns"
        yield f"{shared} (transposed {rows} of crossbar.rows), and no more take turns"


def _prices(chip: Chip) -> Iterator[str]:
    for name, field in Cost.model_fields.items():
        unit, value = said_of(field).get("unit", ""), getattr(chip.cost, name)
        if unit not in PREFIXED:
            continue
        for bits, each in (value.items() if isinstance(value, Mapping) else [("", value)]):
            if isinstance(each, int | float) and 0 < each < TINY:
                place = f"cost.{name}{'.' if bits else ''}{bits}"
                yield f"{place} = {each:g} {unit}: this constant is in {unit}, not in SI units"
