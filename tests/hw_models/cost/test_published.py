"""What published chips take, by the formulas and components that users have: a chip, a read, its tally, the bill.

Targets: Wan et al., Nature 608, 504, 2022, figures by CiMLoop; Le Gallo et al., Nature Electronics 6, 680, 2023;
Shafiee et al., ISCA 2016; Wang et al., VLSI 2022; Jia et al., IEEE J. Solid-State Circuits 55, 2609, 2020, figures by
CiMLoop. Tolerances stand at every row. The last two chips here are no components of ours: a user writes them as they
stand in TOML.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.chip.files import load
from hw_models.cost import latency
from hw_models.cost.bill import Bill, price
from hw_models.cost.constants import Constants

near = partial(pytest.approx, rel=1e-6, abs=0)
"""Within a millionth: joules are below the absolute tolerance that pytest would allow beside it."""

NEURRAM = {
    # bits out, bits in: neurons, word lines [fJ/op], 48 cores [TOPS]; word lines are told from 3 bits of input on
    (3, 1): (10.6, None, 2.12),
    (4, 2): (12.4, None, 1.79),
    (5, 3): (20.1, 15.5, 1.17),
    (6, 4): (29.1, 21.8, 0.744),
    (7, 5): (44.2, 30.9, 0.525),
    (8, 6): (52.5, 37.2, 0.418),
    (9, 7): (61.8, 43.7, 0.344),
    (10, 8): (75.9, 50.5, 0.264),
}
PULSES = (3.446, 3.956, 7.732, 11.507, 14.025, 19.239, 22.835, 27.510)
"""Input pulses of the same [fJ/op]."""


def read(chip: Chip, shape: tuple[int, int], arrays: int = 1) -> Bill:
    """Return the bill of one product on so many arrays, without that of their writing."""
    bar = Crossbar(chip, shape)
    bar.program(np.ones(shape, dtype=np.float32))
    bar.tally.clear()
    for _ in range(arrays):
        bar.forward(np.ones((1, shape[1]), dtype=np.float32))
    return price(bar.performed(), chip)


def neurram(outputs: int, inputs: int) -> Chip:
    """A core of 256 x 256 cells, pairs in neighbouring rows: 128 inputs, 256 outputs."""
    converter = {"bits": inputs, "range": 1.0, "encoding": "pulses"} | ({"sign": "unsigned"} if inputs == 1 else {})
    return Chip.parse(
        {
            "crossbar": {"rows": 128, "columns": 256},
            "dac": converter,
            "adc": {"bits": outputs, "range": 1.0},
            "cost": {"components": ["wan_2022_core"]},
        }
    )


@pytest.mark.parametrize("bits", NEURRAM)
def test_neurram(bits):
    """Each within 10 %; an operation is a multiplication or an addition, two for a weight."""
    chip, operations = neurram(*bits), 2 * 128 * 256
    neurons, lines, tops = NEURRAM[bits]
    femto = {name: 1e15 * joule / operations for name, joule in read(chip, (256, 128)).by_formula().items()}
    assert femto["ADC"] + femto["shift and add"] == near(neurons, rel=0.10)
    if lines is not None:
        assert femto["lines"] == near(lines, rel=0.10)
    seconds = latency.product(Constants(chip), (256, 128), "forward")
    assert 48 * operations / seconds / 1e12 == near(tops, rel=0.10)
    pulses = PULSES[list(NEURRAM).index(bits)]
    assert femto["cells"] == near(pulses, rel=0.15)


def test_hermes_core():
    """13.4 nJ and 133 ns, within 5 %; four of its tiles take four times the energy in the same time."""
    chip = Chip.parse(
        {
            "crossbar": {"rows": 256, "columns": 256},
            "dac": {"bits": 8, "range": 1.0},
            "adc": {"bits": 8, "range": 1.0},
            "cost": {"components": ["legallo_2023_core"]},
        }
    )
    for shape, tiles in (((256, 256), 1), ((512, 512), 4)):
        bill = read(chip, shape)
        assert bill.energy == near(13.4e-9 * tiles, rel=0.05)
        assert bill.by_part().keys() == {"core"}
        assert latency.product(Constants(chip), shape, "forward") == near(133e-9, rel=0.05)


def test_isaac_unit():
    """24.07 mW of a unit of eight arrays and converters, 66 % of it in the ADCs, within 5 %; 1-bit inputs, 100 ns."""
    chip = Chip.parse(
        {
            "crossbar": {"rows": 128, "columns": 128, "mapping": "offset"},
            "dac": {"bits": 1, "range": 1.0, "sign": "unsigned"},
            "adc": {"bits": 8, "range": 1.0, "sign": "unsigned"},
            "cost": {
                "components": [f"shafiee_2016_{part}" for part in ("adc", "dac", "array", "digital")],
            },
        }
    )
    bill = read(chip, (128, 128), arrays=8)
    # The subtraction of the offset's middle is no part of the unit's power in the paper.
    unit = bill.energy - bill.by_formula().get("additions", 0.0)
    assert unit / 100e-9 == near(24.07e-3, rel=0.05)
    assert 12 * unit / 100e-9 == near(289e-3, rel=0.05)  # of a tile's units, as the paper's table has it
    assert bill.by_part()["ADC"] / unit == near(0.66, rel=0.05)
    assert latency.product(Constants(chip), (128, 128), "forward") == near(100e-9, rel=0.05)


def test_wang_2022():
    """Shares of ADC, DAC, multiplications and the rest within 5 points: 34, 22, 40, 4 %."""
    chip = Chip.parse(
        {
            "crossbar": {"rows": 64, "columns": 16, "mapping": "offset"},
            "dac": {"bits": 8, "range": 1.0},
            "adc": {"bits": 8, "range": 1.0},
            "cost": {"components": ["wang_2022_macro"]},
        }
    )
    bill = read(chip, (16, 64))
    shares = {name: joule / bill.energy for name, joule in bill.by_part().items()}
    for name, share in {"ADC": 0.34, "DAC": 0.22, "cells": 0.40, "digital": 0.04}.items():
        assert shares[name] == near(share, abs=0.05), name
    assert 2 * 64 * 16 / bill.energy / 1e12 == near(16.4, rel=0.10)


TOTALS = {(5, 3): 23.09, (6, 4): 15.95, (7, 5): 11.03, (8, 6): 8.26, (9, 7): 7.75, (10, 8): 6.44}
"""All of NeuRRAM's core together [TOPS/W], from 3 input bits on as its word lines."""


@pytest.mark.parametrize("bits", TOTALS)
def test_neurram_as_a_whole(bits):
    """What a core takes in all, within 10 %; of 8 and 6 bits the paper's own parts above add up to 9.2, not to 8.26."""
    bill = read(neurram(*bits), (256, 128))
    assert 2 * 128 * 256 / bill.energy / 1e12 == near(TOTALS[bits], rel=0.12 if bits == (8, 6) else 0.10)


def test_hermes_in_four_phases():
    """Reads of either sign of inputs and weights apart: four products of one phase; 2.48 TOPS/W, 16.1 TOPS of 64 cores.

    The constants are those of one phase, so that neither figure went into them; 3.38 uJ for 64 cores. Within 5 %.
    """
    chip = Chip.parse(
        {
            "crossbar": {"rows": 256, "columns": 256, "repeats": 4},
            "device": {"read_noise": 0.01},
            "dac": {"bits": 8, "range": 1.0, "encoding": "pulse_width"},
            "adc": {"bits": 8, "range": 1.0},
            "cost": {"components": ["legallo_2023_core"]},
        }
    )
    bill, operations = read(chip, (256, 256)), 2 * 256 * 256
    assert 64 * bill.energy == near(3.38e-6, rel=0.05)
    assert operations / bill.energy / 1e12 == near(2.48, rel=0.05)
    seconds = 4 * latency.product(Constants(chip), (256, 256), "forward")
    assert 64 * operations / seconds / 1e12 == near(16.1, rel=0.05)


JIA = """
[crossbar]
rows = 2304
columns = 256
mapping = "offset"

[dac]
bits = {bits}
range = 1.0
sign = "unsigned"
encoding = "serial"

[adc]
bits = 8
range = 1.0
columns = 1

[cost]
node = 65
cell_energy = {cell}            # fJ: a column of 2,304 cells, drivers and capacitors in, table I
adc_energy = {{ 8 = {adc} }}      # pJ, table I
shift_energy = {path}           # pJ: near-memory data path of a column, table I
integration_step = {step}      # s: 54 cycles at 40 or 100 MHz
"""
"""Charge-domain SRAM in 65 nm with bit-serial inputs, at .85 V and at 1.2 V."""
VOLTAGES = {0.85: (9.7, 1.79, 8.3, 40e6, 400.0, 0.874), 1.2: (20.4, 3.56, 14.7, 100e6, 192.0, 2.185)}
"""Column, ADC, data path [pJ], clock [Hz]; of cells and ADCs TOPS/W of 1-bit inputs and weights, and TOPS, table II."""


@pytest.mark.parametrize("volts", VOLTAGES)
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_jia_2020(volts, bits, tmp_path):
    """Efficiency of the array and its ADCs, throughput, and both falling with the bits of the input, within 5 %."""
    column, adc, path, clock, efficiency, tops = VOLTAGES[volts]
    page = JIA.format(bits=bits, cell=1e3 * column / 2304, adc=adc, path=path, step=54 / clock)
    (tmp_path / "jia.toml").write_text(page)
    chip, operations = load(tmp_path / "jia.toml"), 2 * 2304 * 256
    found = read(chip, (256, 2304)).by_formula()
    assert operations / (found["cells"] + found["ADC"]) / 1e12 == near(efficiency / bits, rel=0.05)
    assert found["shift and add"] == near(256 * bits * path * 1e-12)
    seconds = latency.product(Constants(chip), (256, 2304), "forward")
    assert operations / seconds / 1e12 == near(tops / bits, rel=0.05)
