"""Neuron circuits: gain, offset, noise and bits of the state."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Neuron
from neuroep.engines.chip.neurons import ChipNeurons
from neuroep.engines.neurons import Neurons
from neuroep.engines.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.network import DenseLayer
from neuroep.optimisers import SGD
from neuroep.potentials import HardSigmoid, Linear, Tanh
from neuroep.settling import Schedule

SIZE, BATCH = 400, 50
GENERATOR = np.random.default_rng(3)
PRODUCT, FEEDBACK = GENERATOR.normal(1, 0.3, (BATCH, SIZE)), GENERATOR.normal(0, 0.3, (BATCH, SIZE))


def respond(potential=None, seed=0, dtype="float64", occasion=("train", 0), **circuit):
    layer = DenseLayer("hidden", SIZE, potential or HardSigmoid())
    setting = Setting(SGD(), Workers(1), dtype, seed)
    state = np.full((BATCH, SIZE), 0.25, dtype=dtype)
    drive = PRODUCT.astype(dtype), FEEDBACK.astype(dtype)
    if circuit:
        cells: Neurons = ChipNeurons(layer, Neuron(**circuit), setting)
        cells.begin(*occasion)
    else:
        cells = Neurons(layer, dtype, setting.workers)
    change = cells.respond(*drive, state, None, 0.0, Schedule())
    np.testing.assert_array_equal(drive[0], PRODUCT.astype(dtype))
    return state, change, cells


def test_gain_and_offset_mismatch_stay_with_the_neuron_and_have_their_spread():
    for name, what in (("gain_spread", "gain"), ("offset_spread", "offset")):
        state, _, cells = respond(Linear(), **{name: 0.1})
        drawn = getattr(cells, what)
        assert abs(drawn.std() / 0.1 - 1) < 5 / np.sqrt(2 * SIZE)
        u = PRODUCT + FEEDBACK
        np.testing.assert_allclose(state, u * drawn if what == "gain" else u + drawn, atol=1e-12)
        np.testing.assert_array_equal(respond(Linear(), **{name: 0.1})[0], state)
        assert not np.array_equal(respond(Linear(), seed=1, **{name: 0.1})[0], state)


def test_state_noise_has_its_size_and_another_draw_at_every_step():
    exact = respond()[0]
    state, change, cells = respond(state_noise=0.01, state_range=2.0)
    deviation = state - exact
    assert abs(deviation.std() / 0.02 - 1) < 5 / np.sqrt(2 * deviation.size)
    assert change == np.abs(state - 0.25).max()
    again = np.full((BATCH, SIZE), 0.25)
    cells.respond(PRODUCT, FEEDBACK, again, None, 0.0, Schedule())
    assert not np.array_equal(again, state)


@pytest.mark.parametrize(("potential", "low"), [(HardSigmoid(), 0.0), (Tanh(), -1.0)])
def test_state_bits_are_levels_of_the_range(potential, low):
    exact = respond(potential)[0]
    state = respond(potential, state_bits=4)[0]
    levels = 15 if low == 0 else 7
    np.testing.assert_allclose(state, np.rint(exact * levels) / levels, atol=1e-12)
    assert len(np.unique(state)) <= levels + 1 - low * levels


def test_a_state_beyond_the_range_is_cut():
    assert respond(state_bits=4, state_range=0.5)[0].max() == 0.5


def test_what_is_not_a_number_is_reported():
    layer = DenseLayer("hidden", 3, HardSigmoid())
    cells = ChipNeurons(layer, Neuron(state_bits=4), Setting(SGD(), Workers(1), "float64", 0))
    bad = np.array([[0.0, np.nan, 1.0]])
    assert np.isnan(cells.respond(bad, np.zeros((0, 0)), np.zeros((1, 3)), None, 0.0, Schedule()))
