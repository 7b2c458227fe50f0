"""Bills of single reads and writes, joule by joule from Ohm's law: loops over devices, lines, samples, tiles, digits.

Conductances come from the weights by the equation of the mapping, not from the crossbar, so that what a device holds,
what drives it and what it costs are all found a second time.
"""

from __future__ import annotations

from itertools import product as every

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.cost.bill import Bill, price
from hw_models.cost.constants import Constants
from hw_models.tally import CurrentPhase, Tally

LOW, HIGH = 2.0, 20.0  # uS
VOLT, TIME = 0.3, 2e-7
SHAPE = (5, 7)
FULL = 0.8
"""Full scale of the DAC."""
WEIGHTS = np.random.default_rng(11).uniform(-1, 1, SHAPE).astype(np.float32)
WEIGHTS[2, 3] = 1.0  # the weight range
SIGNALS = {
    "forward": np.random.default_rng(12).uniform(-1, 1, (4, SHAPE[1])).astype(np.float32),
    "transposed": np.random.default_rng(13).uniform(-1, 1, (4, SHAPE[0])).astype(np.float32),
}
TILINGS = [(None, None), (7, 5), (3, 2), (2, 4), (1, 1), (8, 9)]
WAYS = ("forward", "transposed")
COUNTED = {
    "dac_energy": 1.5, "adc_energy": 2.5, "addition_energy": 0.125, "shift_energy": 0.25,
    "input_register_energy": 0.0625, "output_register_energy": 0.03125, "control_energy": 7.0, "cell_energy": 3.0,
}  # fmt: skip


def chip(rows: int | None, columns: int | None, **tables: dict[str, object]) -> Chip:
    bar = {name: size for name, size in (("rows", rows), ("columns", columns)) if size}
    given = {
        "timing": {"integration": TIME}, "dac": {"range": FULL}, "cost": {"exp_energy": 1.0}, **tables,
    }  # fmt: skip
    device = {"read_voltage": VOLT, **tables.get("device", {"g_min": LOW, "g_max": HIGH})}
    return Chip.parse({**given, "device": device, "crossbar": {**bar, **tables.get("crossbar", {})}})


def read(made: Chip, way: str, signals: np.ndarray | None = None, times: int = 1) -> tuple[Bill, Tally]:
    """Return the bill of a read, without that of the writing, and what was counted."""
    bar = Crossbar(made, SHAPE, seed=5, name="a", tally=Tally(CurrentPhase()))
    bar.program(WEIGHTS)
    bar.tally.clear()
    with bar.tally.now.metering(Constants(made).meter), bar.tally.now.during("free"):
        for _ in range(times):
            getattr(bar, way)(SIGNALS[way] if signals is None else signals)
    return price(bar.performed(), made), bar.performed()


def pair(weight: float) -> tuple[float, float]:
    """G+ and G- [S]."""
    span = HIGH - LOW
    return 1e-6 * (LOW + span * max(weight, 0.0)), 1e-6 * (LOW + span * max(-weight, 0.0))


def single(weight: float) -> float:
    """The device of an offset mapping [S]: weight 0 in the middle of the range."""
    return 1e-6 * ((LOW + HIGH) / 2 + weight * (HIGH - LOW) / 2)


def near(joule: float, rel: float = 1e-5) -> object:
    """Return what is as near as that: joules are so small that pytest's own absolute tolerance would forgive all."""
    return pytest.approx(joule, rel=rel, abs=0)


def clipped(value: float) -> float:
    return min(max(float(value) / FULL, -1.0), 1.0)


def tiles(whole: int, size: int | None) -> list[range]:
    """Lines of tiles that are as even as can be: as few as hold them all."""
    number = -(-whole // (size or whole))
    return [range(whole * n // number, whole * (n + 1) // number) for n in range(number)]


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("coding", "power"), [("amplitude", 2), ("pulse_width", 1)])
def test_cells_of_pairs(tiling, way, coding, power):
    """V^2 t |x|^k (G+ + G-) of every device and sample; how the matrix is cut into tiles changes nothing."""
    made = chip(*tiling, dac={"range": FULL, "encoding": coding})
    joule = 0.0
    for sample in SIGNALS[way]:
        for out, into in every(range(SHAPE[0]), range(SHAPE[1])):
            x = clipped(sample[into if way == "forward" else out])
            for siemens in pair(float(WEIGHTS[out, into])):
                joule += VOLT**2 * TIME * abs(x) ** power * siemens
    found, _ = read(made, way)
    assert found.by_formula() == {"cells": near(joule)}
    assert found.by_phase() == {"free": near(joule)} and found.by_array().keys() == {"a"}


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("coding", "power"), [("amplitude", 2), ("pulse_width", 1)])
def test_cells_of_an_offset_with_a_digital_reference(tiling, way, coding, power):
    made = chip(*tiling, crossbar={"mapping": "offset"}, dac={"range": FULL, "encoding": coding})
    joule = 0.0
    for sample in SIGNALS[way]:
        for out, into in every(range(SHAPE[0]), range(SHAPE[1])):
            x = clipped(sample[into if way == "forward" else out])
            joule += VOLT**2 * TIME * abs(x) ** power * single(float(WEIGHTS[out, into]))
    assert read(made, way)[0].by_formula()["cells"] == near(joule)


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lines", [None, 1, 2])
@pytest.mark.parametrize(("coding", "power"), [("amplitude", 2), ("pulse_width", 1)])
def test_cells_of_an_offset_with_reference_lines(tiling, way, lines, coding, power):
    """Each reference device stands at the middle; transposed the lines of a tile share minus the sum of its drives."""
    rows, columns = tiling
    bar = {"mapping": "offset", "reference": "analog"} | ({"reference_lines": lines} if lines else {})
    made = chip(rows, columns, crossbar=bar, dac={"range": FULL, "encoding": coding})
    joule = 0.0
    for sample in SIGNALS[way]:
        for outs, ins in every(tiles(SHAPE[0], columns), tiles(SHAPE[1], rows)):
            for out, into in every(outs, ins):
                x = clipped(sample[into if way == "forward" else out])
                joule += VOLT**2 * TIME * abs(x) ** power * single(float(WEIGHTS[out, into]))
            count = lines or len(outs)
            for _, into in every(range(count), ins):
                x = clipped(sample[into]) if way == "forward" else sum(clipped(sample[out]) for out in outs) / count
                joule += VOLT**2 * TIME * abs(min(max(x, -1.0), 1.0)) ** power * single(0.0)
    assert read(made, way)[0].by_formula()["cells"] == near(joule)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lines", [1, 2])
def test_reference_lines_of_devices_that_bend_draw_by_their_curve(way, lines):
    """Power of a device is V I(V), with I = G V_r ((1 - c) x + c x^3), of a reference line as of all others."""
    curve, tiling = 0.6, (3, 2)
    bent = {"g_min": LOW, "g_max": HIGH, "iv": "cubic", "iv_cubic": curve}
    bar = {"mapping": "offset", "reference": "analog", "reference_lines": lines}
    made, joule = chip(*tiling, crossbar=bar, device=bent), 0.0
    for sample in SIGNALS[way]:
        for outs, ins in every(tiles(SHAPE[0], tiling[1]), tiles(SHAPE[1], tiling[0])):
            for out, into in every(outs, ins):
                x = clipped(sample[into if way == "forward" else out])
                joule += VOLT**2 * TIME * x * ((1 - curve) * x + curve * x**3) * single(float(WEIGHTS[out, into]))
            for _, into in every(range(lines), ins):
                x = clipped(sample[into]) if way == "forward" else sum(clipped(sample[out]) for out in outs) / lines
                x = min(max(x, -1.0), 1.0)
                joule += VOLT**2 * TIME * x * ((1 - curve) * x + curve * x**3) * single(0.0)
    assert read(made, way)[0].by_formula()["cells"] == near(joule)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("bits", "digit"), [(5, 1), (5, 2), (7, 3), (4, 1)])
def test_cells_of_codes_in_digits(way, bits, digit):
    """Every digit of the magnitude drives its line at digit/(2^n - 1) of V for an integration of its own."""
    made, joule = chip(3, 2, dac={"bits": bits, "range": FULL, "digit_bits": digit}), 0.0
    most, levels = 2**digit - 1, 2 ** (bits - 1) - 1
    for sample in SIGNALS[way]:
        for out, into in every(range(SHAPE[0]), range(SHAPE[1])):
            code = round(abs(clipped(sample[into if way == "forward" else out])) * levels)
            both = sum(pair(float(WEIGHTS[out, into])))
            while code:
                code, now = divmod(code, 2**digit)
                joule += VOLT**2 * TIME * (now / most) ** 2 * both
    assert read(made, way)[0].by_formula()["cells"] == near(joule)


@pytest.mark.parametrize("way", WAYS)
def test_a_read_of_increments_and_of_repeats_draws_every_time(way):
    """Three reads whose mean is taken take three times one; so do three calls."""
    once = read(chip(3, 2), way)[0].energy
    assert read(chip(3, 2), way, times=3)[0].energy == near(3 * once, rel=1e-9)
    noisy = {"g_min": LOW, "g_max": HIGH, "read_noise": 0.01}
    three = chip(3, 2, crossbar={"repeats": 3}, device=noisy)
    assert read(three, way)[0].energy == near(3 * once, rel=1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_energy_scales_as_physics_says(way):
    """V^2, t, and x^2 or |x|: twice the voltage four times, twice the time twice, half the signal a quarter or half."""
    one = read(chip(3, 2), way)[0].energy
    high = {"g_min": LOW, "g_max": HIGH, "read_voltage": 2 * VOLT}
    assert read(chip(3, 2, device=high), way)[0].energy == near(4 * one)
    assert read(chip(3, 2, timing={"integration": 2 * TIME}), way)[0].energy == near(2 * one)
    small = 0.5 * np.clip(SIGNALS[way], -FULL, FULL)
    assert read(chip(3, 2), way, small)[0].energy == near(one / 4, rel=1e-6)
    width = chip(3, 2, dac={"range": FULL, "encoding": "pulse_width"})
    assert read(width, way, small)[0].energy == near(read(width, way)[0].energy / 2, rel=1e-6)
    assert read(chip(3, 2), way, 0 * small)[0].energy == 0
    assert read(chip(3, 2), way, -small)[0].energy == near(one / 4, rel=1e-6)
    twice = {"g_min": 2 * LOW, "g_max": 2 * HIGH}
    assert read(chip(3, 2, device=twice), way)[0].energy == near(2 * one, rel=1e-6)


def test_a_pulse_width_of_the_description_is_one_of_the_bill():
    """``dac.encoding`` says what carries an input; a bill that says nothing else goes by it: |x|, not x^2."""
    bent = {"g_min": LOW, "g_max": HIGH, "iv": "cubic", "iv_cubic": 0.3, "read_noise": 0.0}
    made = chip(3, 2, device=bent, dac={"bits": 8, "range": FULL, "digit_bits": 3})
    told = made.model_copy(update={"dac": made.dac.model_copy(update={"encoding": "pulse_width", "bits": None,
                                                                      "digit_bits": None})})  # fmt: skip
    joule = sum(
        VOLT**2 * TIME * abs(clipped(sample[into])) * sum(pair(float(WEIGHTS[out, into])))
        for sample in SIGNALS["forward"] for out, into in every(range(SHAPE[0]), range(SHAPE[1]))
    )  # fmt: skip
    assert Constants(told).meter == "charge"
    assert read(told, "forward")[0].energy == near(joule)


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mapping", ["differential", "offset", "analog", "slices"])
@pytest.mark.parametrize("digit", [None, 1, 3])
def test_what_is_counted_of_a_read_by_its_lines(tiling, way, mapping, digit):
    """Conversions, additions, device reads, products of tiles: sample by sample, digit by digit, tile by tile."""
    rows, columns = tiling
    bar = {"differential": {}, "offset": {"mapping": "offset"}, "slices": {"slices": 3, "slice_bits": 2},
           "analog": {"mapping": "offset", "reference": "analog", "reference_lines": 2}}[mapping]  # fmt: skip
    dac = {"bits": 6, "range": FULL} | ({"digit_bits": digit} if digit else {})
    device = {"g_min": LOW, "g_max": HIGH} | ({"levels": 4} if mapping == "slices" else {})
    made = chip(rows, columns, crossbar=bar, dac=dac, device=device, adc={"bits": 8, "range": 9.0}, cost=COUNTED)
    slices, sides = (3 if mapping == "slices" else 1), (1 if "offset" in bar.values() else 2)
    want = dict.fromkeys(("dac", "adc", "terms", "cells", "products"), 0)
    sent = {None: 1, 1: 5, 3: 2}[digit]
    results = set()
    for sample, _, _, outs, ins in every(range(4), range(sent), range(slices), tiles(SHAPE[0], columns),
                                         tiles(SHAPE[1], rows)):  # fmt: skip
        beside = 2 if mapping == "analog" else 0
        driven, sensed = (ins, outs) if way == "forward" else (outs, ins)
        want["dac"] += len(driven) + (beside if way == "transposed" else 0)
        want["adc"] += len(sensed)
        want["terms"] += len(sensed)
        results |= {(sample, line) for line in sensed}
        want["cells"] += sides * (len(outs) + beside) * len(ins)
        want["products"] += 1
    added = want["terms"] - len(results)
    if mapping == "offset":  # the sum of the drives, and one subtraction for each result
        added += 4 * (SHAPE[1] + SHAPE[0] - 1)
    if mapping == "analog" and way == "transposed":  # what drives reference lines, summed in every digit
        added += 4 * sent * sum(len(outs) - 1 for outs in tiles(SHAPE[0], columns))
    found = {name: 1e12 * joule for name, joule in read(made, way)[0].by_formula().items()}
    assert found["DAC"] == near(1.5 * want["dac"])
    assert found["ADC"] == near(2.5 * want["adc"])
    assert found.get("additions", 0.0) == near(0.125 * added)
    assert found["shift and add"] == near(0.25 * want["adc"])
    assert found["registers"] == near(0.0625 * want["dac"] + 0.03125 * want["adc"])
    assert found["cells"] == near(0.003 * want["cells"])
    assert found["control"] == near(7.0 * want["products"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bits", [2, 5, 8])
@pytest.mark.parametrize("sign", ["signed", "unsigned"])
@pytest.mark.parametrize("coding", ["serial", "pulses"])
def test_cells_of_bits_that_are_sent_one_behind_the_other(way, bits, sign, coding):
    """The integration of a product is shared by its bits, evenly, or by their pulses; a line is on for its ones."""
    made = chip(3, 2, dac={"bits": bits, "range": FULL, "sign": sign, "encoding": coding})
    sent, joule = bits - (sign == "signed"), 0.0
    slots = [1] * sent if coding == "serial" else [2**place for place in range(sent)]
    signals = np.abs(SIGNALS[way]) if sign == "unsigned" else SIGNALS[way]
    for sample in signals:
        for out, into in every(range(SHAPE[0]), range(SHAPE[1])):
            code = round(abs(clipped(sample[into if way == "forward" else out])) * (2**sent - 1))
            for place, slot in enumerate(slots):
                if code >> place & 1:
                    joule += VOLT**2 * TIME * slot / sum(slots) * sum(pair(float(WEIGHTS[out, into])))
    assert read(made, way, signals)[0].by_formula()["cells"] == near(joule)


@pytest.mark.parametrize("coding", ["amplitude", "pulse_width", "serial", "pulses"])
def test_no_coding_draws_more_than_all_lines_on_all_the_time(coding):
    made = chip(3, 2, dac={"bits": 8, "range": FULL, "encoding": coding})
    most = sum(VOLT**2 * TIME * sum(pair(float(weight))) for weight in WEIGHTS.ravel())
    assert read(made, "forward", np.full((1, SHAPE[1]), FULL, np.float32))[0].energy == near(most)
    assert read(made, "forward", np.full((1, SHAPE[1]), -FULL / 3, np.float32))[0].energy < most


@pytest.mark.parametrize("digit_sign", ["magnitude", "twos_complement"])
def test_codes_say_whether_their_sign_is_sent(digit_sign):
    """Calibrated on states that are never negative all 8 bits are sent, else 7, or 8 of a two's complement."""
    dac = {"bits": 8, "sign": "auto", "encoding": "serial", "digit_sign": digit_sign}
    made, joules = chip(3, 2, dac=dac, cost={"cell_energy": 2.0}), {}
    for sign, signals in (("signed", SIGNALS["forward"]), ("unsigned", np.abs(SIGNALS["forward"]))):
        bar = Crossbar(made, SHAPE, seed=5, name="a", tally=Tally(CurrentPhase()))
        bar.program(WEIGHTS)
        bar.observe()
        bar.forward(signals)
        bar.freeze()
        bar.tally.clear()
        bar.forward(signals)
        joules[sign] = price(bar.performed(), made).energy
    devices = 4 * SHAPE[0] * SHAPE[1] * 2
    assert joules["unsigned"] == near(devices * 8 * 2e-15)
    assert joules["signed"] == near(devices * (7 if digit_sign == "magnitude" else 8) * 2e-15)


def test_ones_of_a_twos_complement():
    """-1 of 4 bits is 1111, +1 0001: all slots of a line are on, or one of four."""
    dac = {"bits": 4, "range": FULL, "encoding": "serial", "digit_sign": "twos_complement"}
    made = chip(3, 2, dac=dac)
    for level, ones in ((-1, 4), (1, 1), (-4, 2), (7, 3), (-7, 2), (0, 0)):
        signals = np.full((1, SHAPE[1]), FULL * level / 7, np.float32)
        joule = sum(VOLT**2 * TIME * ones / 4 * sum(pair(float(weight))) for weight in WEIGHTS.ravel())
        assert read(made, "forward", signals)[0].energy == near(joule), level
