"""Attention units of a chip: exponentials of few bits, patterns on a crossbar."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Attention, Chip, Converter, Device
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
