"""Neuron circuits: gain, offset, noise and bits of the state."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Neuron
from neuroep.engines.chip.neurons import ChipNeurons
from neuroep.engines.numba.neurons import ExactNeurons
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.schedule import Schedule
from neuroep.engines.workers import Workers
from neuroep.errors import ConfigError
from neuroep.learning.optimisers import SGD
from neuroep.network import DenseLayer
from neuroep.network.potentials import HardSigmoid, Linear, Tanh

SIZE, BATCH = 400, 50
GENERATOR = np.random.default_rng(3)
PRODUCT, FEEDBACK = GENERATOR.normal(1, 0.3, (BATCH, SIZE)), GENERATOR.normal(0, 0.3, (BATCH, SIZE))


def respond(potential=None, seed=0, dtype="float64", occasion=("train", 0), **circuit):
    layer = DenseLayer("hidden", SIZE, potential or HardSigmoid())
    setting = Setting(SGD(), Workers(1), dtype, seed)
    state = np.full((BATCH, SIZE), 0.25, dtype=dtype)
    drive = PRODUCT.astype(dtype), FEEDBACK.astype(dtype)
    if circuit:
        cells: ExactNeurons = ChipNeurons(layer, Neuron(**circuit), setting)
        cells.begin(*occasion)
    else:
        cells = ExactNeurons(layer, dtype, setting.workers)
    _, change = cells.respond(*drive, state, None, 0.0, Schedule())
    np.testing.assert_array_equal(drive[0], PRODUCT.astype(dtype))
    return state, change, cells


def test_gain_and_offset_mismatch_stay_with_the_neuron_and_have_their_spread():
    for name, what in (("gain_spread", "gain"), ("offset_spread", "offset")):
        state, _, cells = respond(Linear(), **{name: 0.1})
        drawn = getattr(cells.circuits, what)
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
    assert np.max(change) == np.abs(state - 0.25).max()
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
    assert np.isnan(cells.respond(bad, None, np.zeros((1, 3)), None, 0.0, Schedule())[1]).all()


def walk(steps, dt, drive=1.0, potential=None, **circuit):
    """Return the read states of a layer with a constant drive after every step, (steps, batch, size), from rest."""
    layer = DenseLayer("hidden", SIZE, potential or HardSigmoid())
    cells = ChipNeurons(layer, Neuron(**circuit), Setting(SGD(), Workers(1), "float64", 0))
    state, inner, path = np.zeros((BATCH, SIZE)), {}, []
    for _ in range(steps):
        product = np.full((BATCH, SIZE), drive)
        cells.respond(product, None, state, None, 0.0, Schedule(dt=dt), inner)
        path.append(state.copy())
    return np.array(path)


@pytest.mark.parametrize("dt", [1.0, 0.5, 0.2, 0.1, 0.02])
def test_state_noise_is_filtered_by_the_time_constant(dt):
    """Against s <- s + dt (f + sigma z - s) in plain NumPy: mean, deviation and correlation of two steps at rest.

    At dt = 0.02 the deviation was 0.050 instead of 0.0010. Four standard errors of 50 x 400 independent neurons.
    """
    settle = int(8 / dt)
    path = walk(settle + 2, dt, state_noise=0.01) - 0.5 * (1 - (1 - dt) ** np.arange(1, settle + 3))[:, None, None]
    z = np.random.default_rng(0).standard_normal((settle + 2, BATCH, SIZE))
    twin = [np.zeros((BATCH, SIZE))]
    for k in range(settle + 2):
        twin.append(twin[-1] + dt * (0.01 * z[k] - twin[-1]))
    sigma, rest = 0.01 * np.sqrt(dt / (2 - dt)), (path[-1], twin[-1])
    for found, before in zip(rest, (path[-2], twin[-2]), strict=True):
        assert abs(found.mean()) < 4 * sigma / np.sqrt(found.size)
        assert abs(found.std() / sigma - 1) < 4 / np.sqrt(2 * found.size)
        correlation = (found * before).mean() / sigma**2
        assert abs(correlation - (1 - dt)) < 4 * np.sqrt(2 / found.size)


@pytest.mark.parametrize(("potential", "low"), [(HardSigmoid(), 0.0), (Tanh(), -1.0)])
@pytest.mark.parametrize("dt", [0.2, 0.05])
def test_a_digitised_state_has_no_dead_zone(dt, potential, low):
    """A step of less than half a level is not lost: read is the level next to the continuous state at every step.

    At dt = 0.05 the state stopped 9.6 of 255 levels short of its target.
    """
    exact = walk(400, dt, drive=1.02, potential=potential, state_range=1.0)
    read = walk(400, dt, drive=1.02, potential=potential, state_bits=8)
    step = 1 / 255 if low == 0 else 1 / 127
    assert np.abs(read - exact).max() <= step / 2 + 1e-12
    np.testing.assert_allclose(read / step, np.rint(read / step), atol=1e-9)
    final = 0.51 if low == 0 else np.tanh(1.02)
    assert abs(read[-1] - final).max() <= step / 2 + 1e-9


def test_what_a_digitised_neuron_moves_is_its_inner_state():
    """Between two levels nothing is seen to move, and the phase is not over."""
    layer = DenseLayer("hidden", 3, HardSigmoid())
    cells = ChipNeurons(layer, Neuron(state_bits=4), Setting(SGD(), Workers(1), "float64", 0))
    state, inner = np.zeros((1, 3)), {}
    drive = np.array([[0.1, 0.2, 0.3]])
    _, change = cells.respond(drive, None, state, None, 0.0, Schedule(dt=0.1), inner)
    assert not state.any() and change == pytest.approx(0.015)
    np.testing.assert_allclose(inner["hidden"], 0.05 * drive)
    cells.respond(drive, None, state, None, 0.0, Schedule(), inner)
    assert not inner


@pytest.mark.parametrize("order", ["layerwise", "synchronous"])
def test_nudged_phases_start_from_the_inner_states_of_the_free_one(order):
    """An 8-bit chip that integrates in time, against plain arithmetic with the same time step: a nudge of beta 0.02.

    The outputs moved by 0.0 levels where they should move by 2.
    """
    from hw_models.chip import Chip
    from tests import cases

    net = cases.network("pooled_sentiment", potential="hard_sigmoid")
    batch = cases.batch(net, 6)
    chip = Chip(neuron=Neuron(state_bits=8, state_range=2.0, time_constant=10.0))
    moved = {}
    for name, given in (("exact", {}), ("chip", {"chip": chip})):
        engine = cases.engine("local", net, **given)
        dt = 1.0 if given else 0.1
        clamped = engine.clamp(batch)
        free = engine.settle(clamped, Schedule(order, steps=300, dt=dt))
        kept = {layer: value.copy() for layer, value in free.state.inner.items()}
        schedule = Schedule(order, steps=300, dt=dt)
        ends = [engine.outputs(engine.settle(clamped, schedule, beta, free)) for beta in (0.05, -0.05)]
        moved[name] = ends[0] - ends[1]
        assert set(kept) == ({"hidden_1", "hidden_2", "output"} if given else set())
        cases.assert_same(free.state.inner, kept)
    level = 2 / 255
    assert np.abs(moved["exact"]).max() > 3 * level
    assert np.abs(moved["chip"] - moved["exact"]).max() <= 2 * level


def test_a_state_set_from_outside_is_where_it_goes_on():
    """With and without a caller who keeps what is inside; the same array read again goes on inside."""
    layer = DenseLayer("hidden", 3, HardSigmoid())
    cells = ChipNeurons(layer, Neuron(state_bits=4), Setting(SGD(), Workers(1), "float64", 0))
    drive, none, schedule = np.array([[0.1, 0.22, 0.3]]), None, Schedule(dt=0.1)
    for inner in (None, {}):
        state = np.zeros((1, 3))
        for _ in range(200):
            cells.respond(drive, none, state, None, 0.0, schedule, inner)
        np.testing.assert_allclose(state * 15, [[1, 2, 2]], atol=1e-9)
        state[:] = 1.0
        assert cells.respond(drive, none, state, None, 0.0, schedule, inner)[1] == pytest.approx(0.095)


def nudged(beta, order, **circuit):
    """The states after a step under a nudge, on a chip or in exact arithmetic."""
    layer, state = DenseLayer("output", SIZE, HardSigmoid()), np.full((BATCH, SIZE), 0.25)
    setting = Setting(SGD(), Workers(1), "float64", 0)
    cells = ChipNeurons(layer, Neuron(**circuit), setting) if circuit else ExactNeurons(layer, "float64", Workers(1))
    goal = np.tile(np.arange(SIZE) % 2.0, (BATCH, 1))
    return cells.respond(PRODUCT, FEEDBACK, state, goal, beta, Schedule(order=order))[0]


@pytest.mark.parametrize("order", ["layerwise", "synchronous"])
@pytest.mark.parametrize("circuit", [{}, {"time_constant": 1.0, "state_range": 1.0, "state_bits": 24}])
def test_a_nudge_of_positive_sign_is_stronger_by_its_mismatch_and_one_of_negative_sign_weaker(order, circuit):
    near = {"atol": 1e-7 if circuit else 1e-14, "rtol": 0}
    for beta, felt in ((0.4, 0.5), (-0.4, -0.3)):
        found = nudged(beta, order, nudge_mismatch=0.25, **circuit)
        np.testing.assert_allclose(found, nudged(felt, order), **near)
        assert not np.array_equal(found, nudged(beta, order))
        opposite = nudged(beta, order, nudge_mismatch=-0.25, **circuit)
        np.testing.assert_allclose(opposite, nudged(2 * beta - felt, order), **near)
    np.testing.assert_allclose(nudged(0.0, order, nudge_mismatch=0.25, **circuit), nudged(0.0, order), **near)


def test_a_nudge_that_its_mismatch_makes_too_negative_is_refused():
    told = r"neuron.nudge_mismatch = -0.3: makes beta = -1.6 -2.08, which must exceed -2"
    with pytest.raises(ConfigError, match=told):
        nudged(-1.6, "layerwise", nudge_mismatch=-0.3)
    nudged(-1.6, "layerwise", nudge_mismatch=0.3)
