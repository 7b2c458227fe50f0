"""Faults of a crossbar two by two and all at once, against one loop over digits, slices, tiles and lines in float64.

Devices are taken as :meth:`Crossbar.conductances` tells them, whose own twin is test_crossbar.py; what lines are driven
with, what devices pass, what is subtracted, sensed, converted, shifted and added is computed here from the equations.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from hw_models import Crossbar
from hw_models.chip import Chip
from hw_models.kernels.random import key, normals
from hw_models.tally import CurrentPhase, Tally
from tests.naive import crossbar as plain, sensing as naive
from tests.neuroep.engines.chip.conftest import nested

RNG = np.random.default_rng(7)
SHAPE, ROWS, COLUMNS, SEED = (5, 7), 3, 2, 3
W = RNG.normal(size=SHAPE)
X, S = RNG.uniform(-1.1, 1.1, (3, 7)), RNG.uniform(-1.1, 1.1, (3, 5))
FEATURES = {
    "supply": {"device.phase_drift": 0.01, "device.nudge_shift": -0.1},
    "sinh": {"device.iv": "sinh", "device.read_voltage": 0.5, "device.iv_voltage": 0.25, "dac.range": 1.0},
    "cubic": {"device.iv": "cubic", "device.iv_cubic": 0.4, "dac.range": 1.0},
    "digits": {"dac.bits": 6, "dac.range": 1.0, "dac.digit_bits": 2},
    "complement": {"dac.bits": 6, "dac.range": 1.0, "dac.digit_bits": 3, "dac.digit_sign": "twos_complement"},
    "adc": {
        "adc.bits": 6, "adc.range": 2.0, "adc.gain_spread": 0.1, "adc.offset_spread": 0.05, "adc.inl": 0.05,
        "adc.inl_spread": 0.02, "adc.dnl": 0.4, "adc.columns": 2,
    },
    "path": {"transposed.gain": 0.1, "transposed.gain_spread": 0.2, "transposed.offset_spread": 0.1},
    "own": {"transposed.devices": "own", "transposed.mismatch": 0.3, "transposed.weight_error": 0.2},
    "mismatch": {"device.mismatch": 0.2, "device.g_min": 2.0},
}  # fmt: skip
EXCLUDE = ({"sinh", "cubic"}, {"digits", "complement"})
PAIRS = [two for two in combinations(FEATURES, 2) if set(two) not in EXCLUDE]
ALL = [("supply", "sinh", "digits", "adc", "path", "own", "mismatch"), ("supply", "cubic", "complement", "adc", "path")]
MAPPINGS = {
    "pair": {},
    "digital": {"crossbar.mapping": "offset"},
    "analog": {"crossbar.mapping": "offset", "crossbar.reference": "analog"},
    "one reference": {
        "crossbar.mapping": "offset", "crossbar.reference": "analog", "crossbar.reference_lines": 1, "dac.range": 1.0,
    },
    "slices": {"crossbar.slices": 2, "crossbar.slice_bits": 3},
    "digital slices": {"crossbar.mapping": "offset", "crossbar.slices": 2, "crossbar.slice_bits": 3},
}  # fmt: skip


def bar_of(fields, phase=None, name="bar", **more):
    chip = Chip.parse(nested({"crossbar.rows": ROWS, "crossbar.columns": COLUMNS, **fields, **more}))
    bar = Crossbar(chip, SHAPE, seed=SEED, name=name, dtype="float64", tally=Tally(phase))
    bar.program(W)
    return bar


def chosen(names, mapping, **more):
    fields = dict(MAPPINGS[mapping])
    for name in names:
        fields |= FEATURES[name]
    return fields | more


class Loop:
    """One product of a crossbar by loops; ``full`` and ``reach`` are the ranges of DAC and ADC, None without."""

    def __init__(self, bar, way, path=None, full=None, reach=None):
        self.bar, self.way = bar, way
        second = (way == "transposed") != (path == "other")
        self.array = bar.other if bar.other is not None and second else bar
        self.first_path = way == "forward" or (bar.other is not None and not second)  # lines have no errors
        self.device, self.dac, self.adc = self.array.device, bar.converters.dac, bar.converters.adc
        self.full, self.reach = full, reach
        self.drawn = {}
        own = self.array
        g = [side.astype(np.float64) for side in own.conductances()]
        self.plus, self.minus = g
        self.pair = own.layout.mapping == "differential"
        self.digital = not self.pair and own.layout.reference == "digital"
        self.unit = (1 if self.pair else 2) / (self.device.g_max - self.device.g_min)
        out, inputs = SHAPE
        lines, signals = (inputs, out) if way == "forward" else (out, inputs)
        cut = (ROWS, COLUMNS) if way == "forward" else (COLUMNS, ROWS)
        self.summed, self.sensed = plain.tiles(lines, cut[0]), plain.tiles(signals, cut[1])
        self.columns = plain.tiles(out, COLUMNS)
        self.references = own.layout.reference_lines

    def one(self, what, number, tile, many=1):
        place = what, number, tile, many
        if place not in self.drawn:
            own = key(SEED, self.array.name, self.way, what)
            self.drawn[place] = normals(own, 0, tile, (number + 1, many)).astype(np.float64)[number]
        return self.drawn[place]

    def passed(self, x):
        """What a device passes of a drive, the supply apart."""
        full, device = self.full or 1.0, self.device
        if device.iv == "linear":
            return x
        v = min(max(x / full, -1), 1)
        if device.iv == "cubic":
            return full * ((1 - device.iv_cubic) * v + device.iv_cubic * v**3)
        a = device.read_voltage / device.iv_voltage
        return full * math.sinh(a * v) / math.sinh(a)

    def pulses(self, row):
        """(weight, drives) of every digit, and the codes."""
        bits, width = self.dac.bits, self.dac.digit_bits
        if bits is None:
            codes = list(row) if self.full is None else [min(max(x, -self.full), self.full) for x in row]
            return [(1.0, codes)], codes
        most, sign = 2 ** (bits - 1) - 1, self.dac.digit_sign
        levels = [round(plain.quantise(x, bits, self.full) / self.full * most) for x in row]
        codes = [level * self.full / most for level in levels]
        if width is None:
            return [(1.0, codes)], codes
        digits = [naive.digits(level, bits, width, sign) for level in levels]
        found = []
        for place in range(len(digits[0])):
            power = digits[0][place][0]
            share = 1 if power < 0 else 2**width - 1
            found.append((power * share / most, [each[place][1] / share * self.full for each in digits]))
        return found, codes

    def current(self, drives, u, k, tile, line):
        """Current of one line of one tile."""
        i, j = self.summed[tile]
        total = 0.0
        for n in range(i, j):
            at = (k, line, n) if self.way == "forward" else (k, n, line)
            flows = u * self.passed(drives[n])
            reference = 0.0
            if self.pair or (not self.digital and self.way == "forward"):
                reference = self.minus[at]
            total += flows * (self.plus[at] - reference)
        if self.way == "transposed" and not (self.pair or self.digital):  # reference lines share minus the sum
            lines = self.references or (j - i)
            codes = sum(drives[i:j])
            if self.full is not None:
                codes = min(max(codes, -self.full * lines), self.full * lines)
            total -= u * lines * self.passed(codes / lines) * self.minus[k, i, line]
        return total * self.unit

    def sense(self, x, tile, line):
        """What the ADC of a line makes of a current, errors of the line in."""
        path, full = self.array.path, self.full or 1.0
        if not self.first_path and path.bends:
            x *= (1 + path.gain) * (1 + path.gain_spread * self.one("line gain", line, tile)[0])
            x += path.offset_spread * full * self.one("line offset", line, tile)[0]
        elif self.way == "forward" and self.array.second:
            x *= 1 + path.gain
        if self.reach is None:
            return x
        number = 0
        for begin, end in self.sensed:
            if begin <= line < end:
                number += (line - begin) // self.adc.columns
                break
            number += -(-(end - begin) // self.adc.columns)
        step = self.reach / (2 ** (self.adc.bits - 1) - 1)
        steps = 2**self.adc.bits - 2
        z = {what: self.one(f"adc {what}", number, tile)[0] for what in ("gain", "offset", "inl")}
        adc = self.adc
        errors = adc.gain_spread * z["gain"], adc.offset_spread * z["offset"], adc.inl + adc.inl_spread * z["inl"]
        w = naive.ahead(x, -self.reach, self.reach, *errors, adc.inl_shape)
        edges = naive.thresholds(steps, step, -self.reach, self.one("adc dnl", number, tile, steps - 1), adc.dnl)
        return -self.reach + step * naive.code(w, edges)

    def product(self, signals, supply):
        size = SHAPE[0] if self.way == "forward" else SHAPE[1]
        total = np.zeros((len(signals), size))
        scale, factors = self.array.weight_range, [plane.factor for plane in self.array.planes] or [1.0]
        for row, values in enumerate(signals.tolist()):
            pulses, codes = self.pulses(values)
            for k, factor in enumerate(factors):
                for weight, drives in pulses:
                    for tile in range(len(self.summed)):
                        place = k * len(self.summed) + tile
                        for line in range(size):
                            x = self.current(drives, supply[row], k, tile, line)
                            total[row, line] += weight * factor * self.sense(x, place, line)
                if self.digital:
                    total[row] -= sum(codes) * self.unit * self.minus[k, 0, 0] * factor
        return total * scale


def check(found, wanted, step=None, share=0.0):
    """Equal to rounding of float32 conductances; with an ADC a few readings may fall on either side of a threshold."""
    off = np.abs(found - wanted)
    size = np.abs(wanted).max()
    assert size > 0.1
    beyond = off > 2e-5 * max(size, 1)
    if step is None:
        assert not beyond.any(), off.max()
    else:
        assert beyond.mean() <= share and off.max() <= step, (off.max(), beyond.mean())


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("names", PAIRS + ALL, ids="-".join)
def test_two_faults_are_what_a_loop_over_devices_and_readings_finds(names, mapping):
    """Both directions, every row in a phase of its own; with an array of its own through the other one as well."""
    phase = CurrentPhase()
    fields = chosen(names, mapping)
    bar, numbers = bar_of(fields, phase), np.array([0, 1, 4])
    supply = 1 + 0.01 * numbers + 0.1 if "supply" in names else np.ones(3)
    full, reach = fields.get("dac.range"), fields.get("adc.range")
    paths = ("own", "other") if "own" in names else ("own",)
    for path in paths:
        for way, signals in (("forward", X), ("transposed", S)):
            with phase.turn(numbers, -0.3):
                found = getattr(bar, way)(signals, path=path)
            wanted = Loop(bar, way, path, full, reach).product(signals, supply)
            step = 4 * bar.weight_range * 2.0 / 31 if "adc" in names else None
            check(found, wanted, step, share=0.07)


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("names", [("supply", "adc"), ("digits", "adc", "path"), ALL[0], ALL[1]], ids="-".join)
def test_increments_go_through_the_same_circuits_in_ranges_of_their_own(names, mapping):
    """Offsets of lines and of ADCs shrink with the ranges, as do thresholds; states are read as before."""
    fields = chosen(names, mapping, **{"nudged.drive": "increments"})
    for name in ("dac.range", "adc.range"):
        fields.pop(name, None)
    phase = CurrentPhase()
    bar = bar_of(fields | {"dac.bits": 6}, phase)
    small = 1e-3
    bar.observe()
    bar.forward(X), bar.transposed(S)
    bar.forward(small * X, increments=True), bar.transposed(small * S, increments=True)
    bar.freeze()
    numbers = np.array([0, 1, 4])
    supply = 1 + 0.01 * numbers - 0.1 if "supply" in names else np.ones(3)
    for bank, factor in ((bar.increments, small), (bar.converters, 1.0)):
        for way, signals in (("forward", factor * X), ("transposed", factor * S)):
            full, reach = (each.range for each in bank.of(way))
            size = np.abs(signals).max()
            assert full == pytest.approx(size)
            with phase.turn(numbers, 0.3):
                found = getattr(bar, way)(signals, increments=bank is bar.increments)
            wanted = Loop(bar, way, "own", full, reach).product(signals, supply)
            step = 4 * bar.weight_range * reach / 31 / factor
            check(found / factor, wanted / factor, step, share=0.07)


@pytest.mark.parametrize("sign", ["auto", "unsigned"])
@pytest.mark.parametrize("mapping", [name for name in MAPPINGS if name != "one reference"])
def test_digits_as_wide_as_a_signed_code_keep_the_range_of_the_adc(sign, mapping):
    """Unsigned codes of 8 bits go in two digits of 7 and 1, signed ones whole; a range stays what it was calibrated to.

    Products are within the few steps of their DAC of the exact ones, of states and of increments.
    """
    fields = {"dac.bits": 8, "dac.sign": sign, "dac.digit_bits": 7, "adc.bits": 20, "nudged.drive": "increments"}
    bar = bar_of(dict(MAPPINGS[mapping]) | fields)
    signals = {False: 0.05 * (X if sign == "auto" else np.abs(X)), True: 1e-4 * X}
    backward = {False: 0.05 * (S if sign == "auto" else np.abs(S)), True: 1e-4 * S}
    bar.observe()
    for increments in (False, True):
        bar.forward(signals[increments], increments=increments)
        bar.transposed(backward[increments], increments=increments)
    bar.freeze()
    for increments in (False, True):
        exact = signals[increments] @ bar.weights().T, backward[increments] @ bar.weights()
        found = bar.forward(signals[increments], increments=increments)
        assert np.abs(found - exact[0]).max() < 0.03 * np.abs(exact[0]).max()
        found = bar.transposed(backward[increments], increments=increments)
        assert np.abs(found - exact[1]).max() < 0.03 * np.abs(exact[1]).max()
    assert {way: bar.digits(way) for way in ("forward", "transposed")} == dict.fromkeys(
        ("forward", "transposed"), 1 if sign == "auto" else 2
    )
    assert bar.digits("forward", increments=True) == 1


NOISY = {
    "read noise": {"device.read_noise": 0.4},
    "proportional": {"device.read_noise": 0.05, "device.read_noise_law": "proportional", "device.mismatch": 0.2},
    "dac": {"dac.noise": 0.01},
    "adc": {"adc.noise": 0.02, "adc.gain_spread": 0.1},
}
COMBINED = [("supply",), ("cubic",), ("digits",), ("complement",), ("path",), ("supply", "cubic", "digits", "path")]


@pytest.mark.parametrize("mapping", ["pair", "digital", "analog", "slices"])
@pytest.mark.parametrize("names", COMBINED, ids="-".join)
@pytest.mark.parametrize("noise", ["read noise", "proportional"])
def test_variance_of_a_read_is_the_sum_over_devices_of_what_they_pass(noise, names, mapping):
    """Over 4,000 samples, 5 sigma of a variance; exact noise, device by device, has the same one."""
    fields, reads = chosen(names, mapping) | NOISY[noise], 4000
    for way, values in (("forward", X[0]), ("transposed", S[0])):
        for exact in (False, True):
            phase = CurrentPhase()
            bar = bar_of(fields | {"crossbar.exact_noise": exact}, phase)
            loop = Loop(bar, way, "own", fields.get("dac.range"), None)
            u = 1 + 0.01 * 3 - 0.1 if "supply" in names else 1.0
            with phase.turn(3, 0.2):
                found = getattr(bar, way)(np.tile(values, (reads // (4 if exact else 1), 1)))
            wanted = variance(loop, values, u)
            ratio = found.var(0) / wanted
            assert np.abs(ratio - 1).max() < 5 * math.sqrt(2 / len(found)), ratio


def variance(loop, values, u):
    """Variance of every line of one product, device by device and digit by digit."""
    own, way = loop.array, loop.way
    size = SHAPE[0] if way == "forward" else SHAPE[1]
    total, device = np.zeros(size), loop.device
    sigma = [np.vectorize(plain.read_sigma)(g, device) for g in (loop.plus, loop.minus)]
    pulses, _ = loop.pulses(values.tolist())
    for k, plane in enumerate(own.planes):
        for weight, drives in pulses:
            for tile, (i, j) in enumerate(loop.summed):
                for line in range(size):
                    found = 0.0
                    for n in range(i, j):
                        at = (k, line, n) if way == "forward" else (k, n, line)
                        flows = (u * loop.passed(drives[n])) ** 2
                        found += flows * sigma[0][at] ** 2
                        if loop.pair:
                            found += flows * sigma[1][at] ** 2
                        elif not loop.digital and way == "forward":
                            found += flows * reference_variance(loop, k, line, n)
                    if way == "transposed" and not (loop.pair or loop.digital):
                        codes, lines = sum(drives[i:j]), j - i
                        codes = codes if loop.full is None else min(max(codes, -lines * loop.full), lines * loop.full)
                        taken = u * lines * loop.passed(codes / lines)
                        found += taken**2 * reference_variance(loop, k, i, line)
                    if not loop.first_path and own.path.bends:
                        place = k * len(loop.summed) + tile
                        gain = 1 + own.path.gain_spread * loop.one("line gain", line, place)[0]
                        found *= ((1 + own.path.gain) * gain) ** 2
                    total[line] += (weight * plane.factor * own.weight_range * loop.unit) ** 2 * found
    return total


def reference_variance(loop, k, output, n):
    """Variance of the mean of the reference lines beside an output at input n."""
    own = loop.array.devices
    tile = next(c for c, (a, b) in enumerate(own.column_tiles) if a <= output < b)
    first, last = own.reference_lines[tile]
    blank = np.zeros((own.references, SHAPE[1]))
    g = next(g for (slice_, _), _, _, g in own.lines(blank, SHAPE[0], True, 1) if slice_ == k)
    each = [plain.read_sigma(float(g[line, n]), loop.device) ** 2 for line in range(first, last)]
    return sum(each) / len(each) ** 2


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("names", [(), *COMBINED, ("supply", "sinh", "own", "mismatch"), ALL[1][:3]], ids=str)
def test_wires_of_hardly_any_resistance_change_nothing(names, mapping):
    """Products behind wires, by Newton's method where devices bend, are in the limit those without."""
    numbers, found = np.array([0, 1, 4]), {}
    for ohm in (0.0, 1e-4):
        phase = CurrentPhase()
        bar = bar_of(chosen(names, mapping) | ({"wires.r_word": ohm, "wires.r_bit": ohm} if ohm else {}), phase)
        with phase.turn(numbers, -0.3):
            found[ohm] = bar.forward(X), bar.transposed(S)
    for one, other in zip(*found.values(), strict=True):
        np.testing.assert_allclose(other, one, atol=2e-5 * max(np.abs(one).max(), 1))


@pytest.mark.parametrize("names", [(), ("cubic",), ("sinh", "digits")], ids=str)
@pytest.mark.parametrize("mapping", ["pair", "digital", "analog"])
def test_a_higher_supply_behind_wires_is_higher_conductances(names, mapping):
    """phase_drift: products of phase k are 1 + k d times those of the free one, the middle's code as it was."""
    phase, fields = CurrentPhase(), chosen(names, mapping) | {"device.phase_drift": 0.01}
    bar = bar_of(fields | {"wires.r_word": 20.0, "wires.r_bit": 20.0}, phase)
    middle = 0.0
    if mapping == "digital":
        span = bar.device.g_max - bar.device.g_min
        middle = bar.weight_range * (bar.device.g_max + bar.device.g_min) / span
    for way, signals in (("forward", X), ("transposed", S)):
        free = getattr(bar, way)(signals)
        with phase.turn(np.array([1, 2, 3]), 0.1):
            found = getattr(bar, way)(signals)
        loop = Loop(bar, way, "own", fields.get("dac.range"), None)
        codes = np.array([sum(loop.pulses(row)[1]) for row in signals.tolist()])[:, None]
        supply = 1 + 0.01 * np.array([[1], [2], [3]])
        np.testing.assert_allclose(found, supply * (free + middle * codes) - middle * codes, atol=2e-5)


@pytest.mark.parametrize("mapping", ["pair", "digital", "analog", "slices"])
@pytest.mark.parametrize("noise", NOISY)
@pytest.mark.parametrize(
    "names", [ALL[0], ("supply", "complement", "adc", "own"), ("cubic", "adc", "path")], ids="-".join
)
def test_a_crossbar_goes_on_where_another_stood(names, noise, mapping):
    """State between two reads and between two programmings, ranges calibrated: the same bytes ever after."""
    fields = chosen(names, mapping) | NOISY[noise] | {"nudged.drive": "increments", "crossbar.repeats": 2}
    fields |= {"crossbar.follow_weights": True, "dac.bits": 6}
    for name in ("dac.range", "adc.range"):
        fields.pop(name, None)
    bar, other = bar_of(fields), bar_of(fields)
    bar.observe()
    bar.forward(X), bar.transposed(S), bar.forward(0.01 * X, increments=True), bar.transposed(0.01 * S, increments=True)
    bar.freeze()
    bar.program(1.5 * W)
    bar.forward(X), bar.transposed(S)
    other.program(3 * W), other.begin("elsewhere"), other.begin()
    other.load(bar.state(), 1.5 * W)
    for _ in range(2):
        for path in ("own", "other"):
            for increments in (False, True):
                for way, signals in (("forward", X), ("transposed", S)):
                    found = [getattr(one, way)(signals, path=path, increments=increments) for one in (bar, other)]
                    assert found[0].tobytes() == found[1].tobytes()
        bar.program(0.7 * W), other.program(0.7 * W)
    states = bar.state(), other.state()
    assert states[0].keys() == states[1].keys()
    for name, values in states[0].items():
        assert np.asarray(values).tobytes() == np.asarray(states[1][name]).tobytes(), name
    assert bar.weight_range == pytest.approx(0.7 * np.abs(W).max())
    assert bar.counters == other.counters


def test_a_range_that_follows_the_weights_is_that_of_each_array():
    """Largest weight at every programming, of the second array with its error in; products follow."""
    bar = bar_of({"crossbar.follow_weights": True, "device.mismatch": 0.1, **FEATURES["own"]})
    error = bar.other.weight_range - np.abs(W).max()
    assert error != 0
    for factor in (0.1, 3.0, 1.0):
        bar.program(factor * W)
        assert bar.weight_range == pytest.approx(factor * np.abs(W).max())
        both = factor * W + bar._error.added(np.zeros_like(W))
        assert bar.other.weight_range == pytest.approx(np.abs(both).max())
        for one, weight in ((bar, factor * W), (bar.other, both)):
            plus, minus = one.conductances()
            span = one.device.g_max - one.device.g_min
            read = (plus.astype(np.float64) - minus)[0] / span * one.weight_range
            np.testing.assert_allclose(one.weights(), read, atol=1e-5 * factor)
            assert np.abs(read / weight - 1).max() < 5 * 0.3
