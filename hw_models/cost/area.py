# Tested by tests/hw_models/cost/test_latency.py.
"""Area of a chip that holds a network: devices, converters, cores [m^2].

    devices x cell_area F^2 + tiles ceil(lines / lines of an ADC) A_adc + lines of all tiles A_dac, or tiles x A_core
    + weights x A_counter, where coincidences are counted, one for a weight however many arrays hold it

A tile, slice by slice, is there in full, reference lines in it, with converters of its own: as many as the direction
of more lines needs, which serve both. Left out: digital units,
buffers, wiring, pads, and converters whose area is known of another resolution.
"""

from __future__ import annotations

from collections.abc import Iterable

from hw_models.cost.constants import Constants
from hw_models.cost.latency import arrays, references, turns


def driven(constants: Constants) -> int | None:
    """Return the bits that a driver of a line makes at once: one of an input that is sent bit by bit, or its digit."""
    dac = constants.chip.dac
    if dac.bits is not None and constants.coding in ("pulses", "serial"):
        return 1
    return dac.bits if dac.digit_bits is None else dac.digit_bits


def area(
    constants: Constants, shapes: Iterable[tuple[int, int]], counted: Iterable[tuple[int, int]] = ()
) -> dict[str, float]:
    """Return the area of weight matrices (out, in) by part [m^2]; what is not known is left out.

    ``counted`` are the shapes of the weights that have counters, where coincidences are counted.
    """
    bar, found = constants.chip.crossbar, dict.fromkeys(("cells", "counters", "ADC", "DAC", "core"), 0.0)
    pitch, cell, core = (constants.value(name) for name in ("node", "cell_area", "core_area"))
    at_once = {"ADC": constants.chip.adc.bits, "DAC": driven(constants)}
    each = {name: constants.value(f"{name.lower()}_area", bits) for name, bits in at_once.items()}
    sides = bar.sides
    if constants.chip.update.counts:
        weights = sum(outputs * inputs for outputs, inputs in counted)
        found["counters"] = weights * (constants.value("counter_area") or 0.0)
    for outputs, inputs in shapes:
        tiles = arrays(constants.chip, (outputs, inputs)) // sides
        rows, columns = bar.rows or inputs, bar.columns or outputs
        if core is not None:
            found["core"] += tiles * core
            continue
        if pitch is not None and cell is not None:
            found["cells"] += tiles * rows * (columns + references(constants.chip, columns)) * sides * cell * pitch**2
        lines = max(rows, columns)
        found["ADC"] += tiles * -(-lines // turns(constants)) * (each["ADC"] or 0.0)
        found["DAC"] += tiles * lines * (each["DAC"] or 0.0)
    return {name: size for name, size in found.items() if size}
