"""Attention units of a chip: exponentials of few bits, patterns on a crossbar."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import ADC, DAC, Attention, Chip, Converter, Device, Layout, Timing
from hw_models.cost import latency
from hw_models.cost.constants import Constants
from hw_models.periphery.attention import PatternCrossbars
from neuroep.engines.chip.attention import AnalogAttention, DigitisedAttention, ExplicitAttention
from neuroep.engines.numba.attention import ExactAttention, Tokens
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.optimisers import SGD
from neuroep.network import AttentionLayer

BATCH, TOKENS, DIM = 6, 7, 5
COUNT = np.array([7, 5, 1, 0, 3, 6])


class Case:
    """One batch of one layer."""

    def __init__(self, readout: str) -> None:
        size = DIM if readout == "pooled" else TOKENS * DIM
        generator = np.random.default_rng(5)
        self.layer = AttentionLayer("attention", "text", "text", 0.8, readout, size)
        vectors = generator.normal(size=(BATCH, TOKENS, DIM))
        vectors[np.arange(TOKENS)[None, :] >= COUNT[:, None]] = 0
        self.tokens = Tokens(vectors, COUNT)
        self.drive = generator.normal(size=(int(COUNT.sum()), DIM))
        self.feedback = generator.normal(size=(BATCH, size))
        self.setting = Setting(SGD(), Workers(1), "float64", 0)

    def moved(self, unit: ExactAttention, steps: int = 2, dt: float = 1.0):
        held = unit.hold(self.drive, self.tokens, self.tokens)
        value, weights, inner = np.zeros(self.feedback.shape), unit.rest(held), {}
        for _ in range(steps):
            value, weights, change = unit.relax(held, self.feedback, value, weights, dt, inner)
        return value, unit.explicit(held, weights), change, held

    def exact(self) -> ExactAttention:
        return ExactAttention(self.layer, "float64", self.setting.workers)


@pytest.fixture(params=["pooled", "flat"])
def case(request) -> Case:
    return Case(request.param)


@pytest.mark.parametrize("dt", [1.0, 0.4])
def test_explicit_weights_are_those_of_the_exact_unit(case, dt):
    value, weights, change, held = case.moved(ExplicitAttention(case.layer, case.setting, None), dt=dt)
    wanted, exact, moved, _ = case.moved(case.exact(), dt=dt)
    np.testing.assert_allclose(value, wanted, atol=1e-12)
    np.testing.assert_allclose(weights, exact, atol=1e-12)
    assert np.max(change) == pytest.approx(np.max(moved), abs=1e-12)
    unit = ExplicitAttention(case.layer, case.setting, None)
    rows = unit.token_rows(held, weights, weights, (0.5, 0.5))
    np.testing.assert_allclose(rows, case.exact().token_rows(held, exact, exact, (1.0, 0.0)), atol=1e-12)


def test_exponentials_lie_on_their_grid(case):
    _, weights, _, _ = case.moved(ExplicitAttention(case.layer, case.setting, 3))
    for b, n in enumerate(COUNT):
        for t in range(n):
            row = weights[b, t, :n]
            np.testing.assert_allclose(row.sum(), 1)
            e = row / row.max() * 7
            np.testing.assert_allclose(e, np.rint(e), atol=1e-9)


def analog(**parts) -> Chip:
    return Chip(attention=Attention(kind="analog", pattern_range=6.0), **parts)


def test_analog_attention_without_effects_is_exact(case):
    unit = AnalogAttention(case.layer, case.setting, analog())
    value, weights, _, held = case.moved(unit)
    wanted, exact, _, _ = case.moved(case.exact())
    np.testing.assert_allclose(value, wanted, atol=1e-5)
    np.testing.assert_allclose(weights, exact, atol=1e-5)
    rows = unit.token_rows(held, weights, 0 * weights, (1.0, -1.0))
    np.testing.assert_allclose(rows, case.exact().token_rows(held, exact, exact, (1.0, 0.0)), atol=1e-5)


def test_analog_patterns_are_written_with_noise_and_read_with_noise(case):
    wanted = case.moved(case.exact())[0]
    written = AnalogAttention(case.layer, case.setting, analog(device=Device(programming_noise=(0.3,))))
    first, second = case.moved(written)[0], case.moved(written)[0]
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - wanted).max() > 1e-3
    written.begin("train", 1)
    assert not np.array_equal(case.moved(written)[0], first)
    read = AnalogAttention(case.layer, case.setting, analog(device=Device(read_noise=0.3)))
    one, two = case.moved(read, steps=1)[0], case.moved(read, steps=2)[0]
    assert not np.array_equal(one, two)
    counted = read.counters()
    assert counted["reads"] > 0
    assert counted["dac"] > 0


def half_difference_of_a_chain(lag: float, shortest: float, longest: float) -> float:
    """Return half the variance of two reads' difference at a lag, of 1/f noise of variance 1, process by process."""
    edges = np.geomspace(shortest, longest, 400)
    taus = np.sqrt(edges[1:] * edges[:-1])
    return float(np.mean([1 - np.exp(-lag / tau) for tau in taus]))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_noise_that_is_slower_than_a_sample_is_the_same_in_all_reads_of_its_patterns(way, exact):
    """Two phases differ by what has moved between them, half a sample apart; samples have nothing in common.

    Noise that is neither slow nor fast is white here: 25 % of the difference.
    """
    band, life = (1e-7, 10.0), 1e-3
    device = Device(read_noise=0.5, read_noise_band=band)
    chip = Chip(
        attention=Attention(kind="analog", pattern_range=6.0), device=device, crossbar=Layout(exact_noise=exact),
        timing=Timing(integration=1e-6),
    )
    clock = durations.clock(chip.timing)
    clock.interval, clock.sample, clock.batch = 1e-5, life, 40 * life
    stored = PatternCrossbars(chip, "attention", 0, "float64", clock=clock)
    patterns = [np.random.default_rng(1).uniform(1, 6, (24, 16))] * 40
    stored.begin("batch", 1)
    reads = []
    for bar in stored.written(patterns, np.concatenate(patterns)):
        x = np.ones((1, 16 if way == "forward" else 24))
        reads.append([getattr(bar, way)(x)[0] for _ in range(2)])
    found = np.array(reads)
    whole = np.var(found, axis=0).mean()
    moved = np.square(found[:, 1] - found[:, 0]).mean() / 2
    assert moved / whole == pytest.approx(half_difference_of_a_chain(life / 2, *band), rel=0.25)
    centred = found[:, 0] - found[:, 0].mean(0)
    assert abs(np.mean(centred[1:] * centred[:-1])) < 0.1 * whole  # sequences begin anew
    stored.begin("batch", 2)
    other = stored.written(patterns, np.concatenate(patterns))
    again = np.array([getattr(bar, way)(x)[0] for bar in other])
    assert abs(np.mean((again - again.mean(0)) * centred)) < 0.1 * whole


@pytest.mark.parametrize("exact", [False, True])
def test_slow_traps_of_patterns_stand_still_for_a_sample(exact):
    """A trap that switches once in ten seconds is filled or empty in both phases; in another sample by chance."""
    times = {"rtn_capture": 10.0, "rtn_emission": 10.0}
    device = Device(g_min=1.0, rtn_share=1.0, rtn_amplitude=0.3, **times)
    chip = Chip(
        attention=Attention(kind="analog", pattern_range=6.0), device=device, crossbar=Layout(exact_noise=exact),
        timing=Timing(integration=1e-6),
    )
    stored = PatternCrossbars(chip, "attention", 0, "float64", clock=durations.clock(chip.timing))
    patterns = [np.random.default_rng(1).uniform(1, 6, (24, 16))] * 30
    reads = np.array([[bar.forward(np.ones((1, 16)))[0] for _ in range(2)]
                      for bar in stored.written(patterns, np.concatenate(patterns))])  # fmt: skip
    np.testing.assert_allclose(reads[:, 0], reads[:, 1])
    states = sum(0.3**2 / 4 * np.square(own) for own in device_pairs(patterns[0], device)) * (6 / (25 - 1)) ** 2
    assert np.var(reads[:, 0], axis=0).mean() == pytest.approx(states.sum(1).mean(), rel=0.15)


def device_pairs(patterns: np.ndarray, device: Device) -> list[np.ndarray]:
    """Return what both devices of every pattern conduct [uS]."""
    share = patterns / 6 * (device.g_max - device.g_min)
    return [device.g_min + share, np.full_like(share, device.g_min)]


PLACES = {
    "tiles": {"columns": 4},
    "analog references": {"columns": 4, "mapping": "offset", "reference": "analog"},
    "few reference lines": {"columns": 4, "mapping": "offset", "reference": "analog", "reference_lines": 2},
    "one tile": {"mapping": "offset", "reference": "analog"},
    "slices": {"columns": 4, "mapping": "offset", "reference": "analog", "slices": 2, "slice_bits": 3},
}


def one_sequence(chip: Chip, patterns: np.ndarray) -> Crossbar:
    """Return the crossbar of a batch of one sample, of a layer that takes sequences of ten."""
    stored = PatternCrossbars(chip, "attention", 0, "float64", most=10)
    stored.begin("batch", 1)
    return stored.written([patterns], patterns)[0]


@pytest.mark.parametrize("layout", PLACES.values(), ids=PLACES)
def test_a_pattern_meets_the_same_devices_references_and_adcs_whatever_the_length_of_its_sequence(layout):
    """Of ten patterns, tiles of four or of ten: the first nine, seven, five and three are read as without the others.
    """
    whole_tile = layout.get("columns", 10)
    device = Device(mismatch=0.1, stuck_high=0.1, programming_noise=(0.3,))
    adc = ADC(bits=6, range=1.0, gain_spread=0.2, offset_spread=0.1, inl_spread=0.1, dnl=0.3, columns=3)
    chip = analog(crossbar=Layout(**layout), device=device, adc=adc, dac=DAC(bits=6, range=2.0))
    draws = np.random.default_rng(3)
    patterns, x = draws.uniform(-6, 6, (10, 5)), draws.normal(size=(3, 5))
    gains = chip.model_copy(update={"adc": ADC(bits=6, range=1.0, gain_spread=0.2, columns=3)})
    s = np.concatenate([draws.uniform(0, 1, (3, 3)), np.zeros((3, 7))], axis=1)
    whole, back = one_sequence(chip, patterns).forward(x), one_sequence(gains, patterns).transposed(s)
    for count in (9, 7, 5, 3):
        bar = one_sequence(chip, patterns[:count])
        full, rest = divmod(count, whole_tile)
        assert [b - a for a, b in bar.devices.column_tiles] == [whole_tile] * full + [rest]
        np.testing.assert_array_equal(bar.forward(x), whole[:, :count])
        alone = one_sequence(gains, patterns[:count]).transposed(np.ascontiguousarray(s[:, :count]))
        np.testing.assert_allclose(alone, back, atol=1e-9)


@pytest.mark.parametrize("layout", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("count", [10, 3])
def test_the_bill_knows_how_tiles_of_patterns_are_filled(layout, count):
    """Rows written one behind the other, and lines that take turns at an ADC, as the crossbar has them."""
    chip, patterns = analog(crossbar=Layout(**layout), dac=DAC(bits=6, range=2.0)), np.ones((count, 5))
    bar = one_sequence(chip, patterns)
    room = Constants(chip, patterns={"attention": 10}).columns("attention patterns", count)
    assert room == layout.get("columns", 10)
    assert latency.written(chip, bar.shape, bar.counters["writes"], room) == pytest.approx(bar.rows_written)
    assert latency.sensed(chip, bar.shape, "forward", fills=True) == max(b - a for a, b in bar.devices.column_tiles)
    assert latency.arrays(chip, bar.shape) == bar.arrays


def test_traps_of_patterns_and_of_their_reference_lines_stay_with_their_devices():
    """Behind ten patterns lie twelve reference lines in tiles of four, behind five the first eight of them."""
    device = Device(rtn_share=0.3, rtn_amplitude=0.1)
    chip = analog(crossbar=Layout(columns=4, mapping="offset", reference="analog"), device=device)
    patterns = np.random.default_rng(3).uniform(-6, 6, (10, 5))
    long, short = (one_sequence(chip, patterns[:count]).traps.of((0, 0)) for count in (10, 5))
    for name in ("there", "z", "tau"):
        own, found = getattr(long, name), getattr(short, name)
        assert len(own) == 10 + 12
        np.testing.assert_array_equal(found, np.concatenate([own[:5], own[10:18]]))


def test_states_are_digitised_before_the_next_synapse_reads_them(case):
    unit = DigitisedAttention(case.exact(), Converter(bits=4, range=2.0), case.setting)
    value, weights, _, _ = case.moved(unit)
    exact, same, _, _ = case.moved(case.exact())
    np.testing.assert_allclose(value, np.clip(np.rint(exact * 3.5) / 3.5, -2, 2), atol=1e-12)
    np.testing.assert_array_equal(weights, same)


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_digitised_states_have_no_dead_zone(case, steps):
    """With dt < 1 the weights inside go on between two levels, and what moved is what they read: 4 bits."""
    converter = Converter(bits=4, range=4.0)
    value, weights, change, _ = case.moved(DigitisedAttention(case.exact(), converter, case.setting), steps, dt=0.1)
    wanted, exact, moved, _ = case.moved(case.exact(), steps, dt=0.1)
    np.testing.assert_allclose(weights, exact, atol=1e-12)
    level = 4 / 7
    np.testing.assert_allclose(value, level * np.clip(np.rint(wanted / level), -7, 7), atol=1e-9)
    assert np.max(change) == pytest.approx(np.max(moved), abs=1e-12)
