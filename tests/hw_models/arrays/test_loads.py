"""Sums of what reads draw, held against loops over devices, samples, tiles and slices."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.loads import PICO
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Chip, Pulse, Update
from hw_models.tally import CurrentPhase, Tally

SHAPE = (5, 7)
TILES = {"rows": 3, "columns": 2}
NOISY = {"programming_noise": [0.5], "mismatch": 0.2, "g_min": 2.0, "drift_mean": [0.0, 0.05, 0.01, 0.1], "age": 1e4}
KINDS = {
    "ideal pair": {},
    "pair": {"crossbar": TILES, "device": NOISY, "dac": {"bits": 5, "range": 0.7}},
    "range alone": {"dac": {"range": 0.5}, "device": {"g_min": 1.0}},
    "digital reference": {
        "crossbar": {**TILES, "mapping": "offset"},
        "device": NOISY,
        "adc": {"bits": 6, "range": 1.0},
    },
    "analog reference": {
        "crossbar": {**TILES, "mapping": "offset", "reference": "analog", "reference_lines": 1},
        "device": NOISY,
        "dac": {"range": 0.6},
    },
    "digits": {"crossbar": TILES, "device": NOISY, "dac": {"bits": 6, "range": 0.8, "digit_bits": 2}},
    "bends": {"device": {"iv": "cubic", "iv_cubic": 0.4, "g_min": 1.0}, "dac": {"range": 0.9}},
    "slices": {"crossbar": {**TILES, "slices": 2, "slice_bits": 2}, "device": {"levels": 4, "g_min": 1.0}},
}


def made(kind: str) -> Crossbar:
    bar = Crossbar(Chip.parse(KINDS[kind]), SHAPE, seed=3, name="bar", tally=Tally(CurrentPhase()))
    bar.program(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32))
    return bar


def by_hand(bar: Crossbar, way: str, signals: np.ndarray, power: int) -> float:
    """Device by device and sample by sample [uS]."""
    own, dac = bar.devices, bar.converters.of(way)[0]
    full = (dac.range if dac.acts else None) or 1.0
    driven = dac(signals, np.zeros(2, np.uint32), 0) if dac.acts else signals
    held = bar.stored if bar.ideal else bar._held
    sides = [(where, g) for where, _, _, g in own.lines(held, 0, bar._fresh, bar.programmings)]
    blank = np.zeros((own.references, SHAPE[1]), np.float32)
    beside = [g for _, _, _, g in own.lines(blank, SHAPE[0], bar._fresh, bar.programmings)] if own.references else []
    total = 0.0
    for sample in digit_by_digit(bar, driven, full):
        for _, g in sides:
            for i in range(SHAPE[0]):
                for j in range(SHAPE[1]):
                    x = float(sample[j] if way == "forward" else sample[i]) / full
                    cubic = bar.device.iv_cubic
                    passed = (1 - cubic) * x + cubic * x**3 if bar.device.iv == "cubic" else x
                    total += abs(x * passed if power == 2 else x) * g[i, j]
        for g in beside:
            for tile, (first, last) in enumerate(own.reference_lines):
                a, b = own.column_tiles[tile]
                for line in range(first, last):
                    for j in range(SHAPE[1]):
                        x = sample[j] if way == "forward" else 0.0
                        if way == "transposed":
                            most = full * (last - first) if dac.acts else np.inf
                            x = float(np.clip(sample[a:b].sum(), -most, most)) / (last - first)
                        total += abs(x / full) ** power * g[line, j]
    return total


def digit_by_digit(bar: Crossbar, driven: np.ndarray, full: float) -> list[np.ndarray]:
    """Return what drives the lines, digit of 2 bits by digit, signs with every one, lowest first."""
    if bar.converters.dac.digit_bits is None:
        return list(driven)
    found = []
    for sample in driven:
        codes = [round(float(x) / full * 31) for x in sample]
        for place in range(3):
            digits = [abs(code) // 4**place % 4 * (1 if code > 0 else -1) for code in codes]
            found.append(np.array(digits) * full / 3)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_what_a_read_draws_is_the_sum_over_its_devices(kind, way):
    bar = made(kind)
    signals = np.random.default_rng(1).normal(size=(3, SHAPE[1 if way == "forward" else 0])).astype(np.float32)
    for name, power in (("square", 2), ("charge", 1)):
        with bar.tally.now.metering(name), bar.tally.now.during("nudged"):
            getattr(bar, way)(signals)
        found = bar.performed().number(f"{name} {way}", "nudged") / PICO
        assert found == pytest.approx(by_hand(bar, way, signals, power), rel=1e-5) and found > 0


def test_what_is_metered_is_one_of_three():
    with pytest.raises(ValueError, match="metered = 'cube': allowed are '', 'square', 'charge', 'bits'"):
        CurrentPhase().metering("cube").__enter__()


def test_nothing_is_metered_unasked_and_a_metered_read_is_the_same():
    one, other = made("pair"), made("pair")
    x = np.random.default_rng(1).normal(size=(3, SHAPE[1])).astype(np.float32)
    with other.tally.now.metering():
        read = other.forward(x)
    np.testing.assert_array_equal(one.forward(x), read)
    assert one.performed().number("square forward") == 0 < other.performed().number("square forward")


def test_loads_follow_what_is_programmed_and_its_age():
    bar = made("pair")
    first = bar.loads().word.g.sum()
    assert bar.loads() is bar.loads()
    bar.read_at(0.0)
    young = bar.loads().word.g.sum()
    assert young > first  # drift
    bar.program(0.1 * np.ones(SHAPE, np.float32))
    assert bar.loads().word.g.sum() < young
    assert bar.loads().word.g.sum() == pytest.approx(bar.loads().bit.g.sum())


@pytest.mark.parametrize("trains", ["stochastic", "expected"])
def test_slots_firings_and_selected_devices_of_trains(trains):
    """Lines of certain firing: every line with a signal fires in each of the BL slots, each coincidence is a pulse."""
    tally = Tally(CurrentPhase())
    devices = PulsedDevices(Pulse(dw_min=0.1), (2, 3), 0, "a", tally=tally)
    post, pre = np.array([[1.0, 0.0], [1.0, 1.0]], np.float32), np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], np.float32)
    update = Update(scheme="pulsed", trains=trains, train_length=4)
    with tally.now.metering():
        devices.update(np.zeros((2, 3), np.float32), [(1.0, post, pre)], 0.4, update, 1)
    fired = 4 * (post.sum() + pre.sum())
    selected = 4 * (3 * post.sum() + 2 * pre.sum())
    pulses = 4 * sum(np.outer(a, b).sum() for a, b in zip(post, pre, strict=True))
    made = {name: tally.number(name) for name in ("slot", "firing", "half", "pulse")}
    assert made == {"slot": 8, "firing": fired, "half": selected, "pulse": pulses}


def test_mixed_precision_pulses_take_the_slots_of_the_slowest_device_of_each_input():
    tally = Tally()
    devices = PulsedDevices(Pulse(dw_min=0.01), (3, 2), 0, "a", tally=tally)
    up, down = np.array([[2, 1], [0, 0], [0, 5]]), np.array([[0, 0], [4, 0], [1, 0]])
    devices.apply(np.zeros((3, 2), np.float32), up, down, 1)
    assert tally.number("slot") == devices.slots == sum(row.max() for row in (*up.T, *down.T)) == 11


@pytest.mark.parametrize("whole", [True, False])
def test_tiles_are_pulsed_side_by_side(whole):
    """The tile of the most slots decides; a line selects what is on it in its tile, an output's where it needs one."""
    tally, rng = Tally(CurrentPhase()), np.random.default_rng(4)
    devices = PulsedDevices(Pulse(dw_min=0.01), (5, 4), 0, "a", tally=tally)
    up, down = rng.integers(0, 4, (5, 4)), rng.integers(0, 4, (5, 4))
    counts = (up, down) if whole else (up + 0.5, down + 0.5)
    tiles = ((0, 3), (3, 5)), ((0, 2), (2, 4))
    with tally.now.metering():
        devices.apply(np.zeros((5, 4), np.float32), *counts, 1, tiles)
    slots, selected, fired = [], 0.0, 0.0
    for i, j in tiles[0]:
        for a, b in tiles[1]:
            own, pulses = 0.0, 0.0
            for count in counts:
                for line in range(a, b):
                    own += max(count[out, line] for out in range(i, j))
                    pulses += sum(count[out, line] for out in range(i, j))
            slots.append(own)
            selected, fired = selected + own * (j - i) + pulses * (b - a), fired + own + pulses
    assert tally.number("slot") == devices.slots == round(max(slots))
    assert tally.number("half") == round(selected) and tally.number("firing") == round(fired)
