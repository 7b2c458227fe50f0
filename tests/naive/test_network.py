"""The oracle itself, held against its energy, from which all of its mathematics follows, and its imports."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from tests.naive import attention, learning, network as naive, neurons, rules
from tests.naive.network import Course
from tests.neuroep.engines import sides

PARTS = (naive, learning, attention, neurons, rules)
SMOOTH = ("smooth_sigmoid", "tanh", "linear")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__.rpartition(".")[2])
def test_it_imports_nothing_of_the_package(part):
    tree = ast.parse(Path(part.__file__).read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module)
    assert names <= {"__future__", "math", "typing", "numpy", "tests.naive", "tests.naive.network"}


def clamped(name, potential, mask, beta, lengths="unequal"):
    """The samples of a small batch in one network."""
    net = sides.network(name, potential, mask)
    theta, batch = sides.parameters(net, 1.0), sides.batch(net, lengths)
    return [naive.Mathematics(net, theta, sample, beta) for sample in naive.samples(net, batch)]


def drawn(one, draw):
    """Any state: weights on the simplex, neurons between 0 and 1, where every potential has an energy."""
    state = {}
    for name, value in one.rest().items():
        state[name] = draw.uniform(0.05, 0.95, value.shape)
        if name in one.attending and value.size:
            state[name] /= state[name].sum(1, keepdims=True)
    return state


@pytest.mark.parametrize("beta", [0.0, 0.4, -0.4])
@pytest.mark.parametrize("mask", [True, False], ids=["masked", "unmasked"])
@pytest.mark.parametrize("name", sides.NETWORKS)
def test_a_layer_moves_to_the_minimum_of_the_energy(name, mask, beta):
    """No other state of the layer, near or far, has a lower F; so drive, neuron, nudge and attention are F's."""
    draw = np.random.default_rng(0)
    for one in clamped(name, "mixed", mask, beta):
        state = drawn(one, draw)
        for layer in one.layers:
            best = state | {layer: one.moved(state, layer, Course())}
            lowest, other = one.energy(best), drawn(one, draw)[layer]
            for share in (1e-3, 0.1, 1.0):
                tried = best | {layer: best[layer] + share * (other - best[layer])}
                assert one.energy(tried) >= lowest - 1e-12, layer
                if best[layer].size and layer not in one.attending:
                    assert one.energy(tried) > lowest, layer


@pytest.mark.parametrize("name", sides.NETWORKS)
def test_sweeps_of_halves_never_raise_the_energy(name):
    for beta in (0.0, 0.4):
        for one in clamped(name, "mixed", True, beta):
            state, energies = drawn(one, np.random.default_rng(1)), []
            for _ in range(5):
                state = one.sweep(state, Course())
                energies.append(one.energy(state))
            assert all(np.diff(energies) <= 1e-12)


@pytest.mark.parametrize("mask", [True, False], ids=["masked", "unmasked"])
@pytest.mark.parametrize("name", sides.NETWORKS)
def test_phi_by_the_parameters_is_minus_the_energy_by_them(name, mask):
    """Phi is linear in every parameter: the energy at 1 more and at 1 less gives its slope exactly."""
    one = clamped(name, "tanh", mask, 0.0, "short")[0]
    state = drawn(one, np.random.default_rng(2))
    for key, slopes in one.by_parameters(state).items():
        for i in np.ndindex(slopes.shape):
            value, ends = one.theta[key][i], []
            for step in (1, -1):
                one.theta[key][i] = value + step
                ends.append(one.energy(state))
            one.theta[key][i] = value
            assert slopes[i] == pytest.approx(-(ends[0] - ends[1]) / 2, abs=1e-12), (key, i)


@pytest.mark.parametrize("potential", SMOOTH)
def test_the_centred_gradient_is_that_of_the_loss(potential):
    """dL/dtheta of the settled outputs by finite differences, on the network with the most kinds of parts."""
    net = sides.network("woven", potential, True)
    theta, batch, course = sides.parameters(net, 0.8), sides.batch(net, "short"), Course(steps=40)

    def loss():
        outputs = naive.settle(net, theta, batch, course)[-1].states["output"]
        return 0.5 * ((outputs - np.eye(net.classes)[batch.labels]) ** 2).sum(1).mean()

    found = learning.estimate(net, theta, batch, "centred", 1e-3, course, course)
    for key, slopes in found.items():
        i = np.unravel_index(np.abs(slopes).argmax(), slopes.shape)
        value, ends = theta[key][i], []
        for step in (1e-4, -1e-4):
            theta[key][i] = value + step
            ends.append(loss())
        theta[key][i] = value
        assert slopes[i] == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-4), key


def test_halves():
    """Attention layers are even where the dense stack begins behind them; a shortcut joins layers of unlike halves."""
    woven = [["flat", "pooled", "top"], ["left", "right", "output"]]
    assert naive.halves(sides.network("woven", "tanh", True)) == woven
    deep = [["attention", "hidden_2", "output"], ["hidden_1", "hidden_3"]]
    assert naive.halves(sides.network("deep", "tanh", True)) == deep
