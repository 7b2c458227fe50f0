"""Potentials: states are gradients of G*, G is its dual, nudged minimisers minimise; in both engines and the twin."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import logsumexp, softmax

from hw_models.chip import Chip, Neuron
from neuroep import engines
from neuroep.engines.chip.neurons import ChipNeurons
from neuroep.engines.numba import difference_kernels, neurons
from neuroep.engines.numba.neurons import potential_energy
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.torch import potentials as reference_potentials
from neuroep.engines.workers import Workers
from neuroep.errors import ConfigError
from neuroep.learning.optimisers import SGD
from neuroep.network import DenseLayer, potentials
from tests import cases
from tests.naive import neurons as naive

POTENTIALS = [potentials.named(name) for name in potentials.NAMES] + [potentials.HardSigmoid(1.5)]
BOUNDS = {"hard_sigmoid": (0, 1), "smooth_sigmoid": (0, 1), "tanh": (-1, 1), "linear": (-30, 30)}
every_potential = pytest.mark.parametrize("potential", POTENTIALS, ids=lambda p: f"{p.name}-{p.slope}")
every_engine = pytest.mark.parametrize("where", ["local", "reference"])
quick = settings(max_examples=25, deadline=None, derandomize=True)
drives, outputs = st.floats(-6, 6), st.sampled_from([0.0, 1.0])


def state(where, potential, u):
    """grad G*(u) of one engine."""
    return move(where, potential, u, 0.0, 0.0, neurons.FREE)


def nudged(where, potential, u, y, beta):
    """Minimiser of G(s) - u s + beta/2 (s - y)^2 of one engine."""
    return move(where, potential, u, y, beta, neurons.MINIMISER)


def move(where, potential, u, y, beta, mode):
    if where == "reference":
        drive, target = torch.tensor([[u]], dtype=torch.float64), torch.tensor([[y]], dtype=torch.float64)
        if mode == neurons.FREE:
            return float(reference_potentials.respond(potential, drive))
        return float(reference_potentials.nudged(potential, drive, target, beta))
    value, none = np.zeros((1, 1)), np.zeros((0, 0))
    settings = (potential.code, potential.slope, beta, mode, 1.0)
    neurons.respond(np.array([[u]]), none, value, np.array([[y]]), *settings, np.zeros(1))
    return float(value[0, 0])


def gained(where, potential, place, drive, y, beta):
    """Change of a neuron at a place whose drive changes and which is nudged."""
    if where == "local":
        w = difference_kernels._root(potential.code, place, drive, y, beta)
        return difference_kernels._gained(potential.code, place, w)
    numbers = (torch.tensor([each], dtype=torch.float64) for each in (place, drive, y, beta))
    return float(reference_potentials.nudged_gain(potential, *numbers))


def dual(where, potential, s):
    """G(s) of one engine."""
    if where == "reference":
        return float(reference_potentials.energy(potential, torch.tensor([s], dtype=torch.float64)))
    return float(potential_energy(potential, np.array([s])))


@every_engine
@every_potential
@given(u=drives)
@quick
def test_the_state_minimises_g_minus_u_s(where, potential, u):
    found = state(where, potential, u)
    best = minimize_scalar(
        lambda s: naive.energy(potential.name, potential.slope, s) - u * s,
        bounds=BOUNDS[potential.name],
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert found == pytest.approx(best.x, abs=1e-5)
    assert naive.energy(potential.name, potential.slope, found) - u * found <= best.fun + 1e-12


@every_engine
@every_potential
@given(u=drives)
@quick
def test_g_is_the_legendre_dual(where, potential, u):
    """G(s) + G*(u) = u s at s = grad G*(u), with G* integrated numerically from its gradient; never below elsewhere."""
    below = -min(dual(where, potential, s) for s in np.linspace(max(potential.low, -1), min(potential.high, 1), 1001))
    rising = below + quad(lambda v: state(where, potential, v), 0, u, limit=200, points=_kinks(potential, u))[0]
    s = state(where, potential, u)
    assert dual(where, potential, s) + rising == pytest.approx(u * s, abs=1e-6)
    for other in np.linspace(max(potential.low, -3), min(potential.high, 3), 7):
        assert dual(where, potential, other) + rising >= u * other - 1e-6


def _kinks(potential, u):
    """Places inside (0, u) where the state has a kink."""
    if potential.name != "hard_sigmoid":
        return None
    return [kink for kink in (0.0, 1 / potential.slope) if min(0, u) < kink < max(0, u)] or None


@every_potential
def test_g_is_the_same_everywhere(potential):
    states = np.linspace(max(potential.low, -2), min(potential.high, 2), 41)
    wanted = [naive.energy(potential.name, potential.slope, s) for s in states]
    for where in ("local", "reference"):
        np.testing.assert_allclose([dual(where, potential, s) for s in states], wanted, rtol=0, atol=1e-14)


@every_engine
@every_potential
@given(u=drives, y=outputs, share=st.floats(-0.95, 3.0))
@quick
def test_the_nudged_minimiser_minimises(where, potential, u, y, share):
    """Against a scalar search over the whole range, and against the stationarity condition to rounding."""
    beta = share * potential.curvature
    name, slope = potential.name, potential.slope

    def energy(s):
        return naive.energy(name, slope, s) - u * s + 0.5 * beta * (s - y) ** 2

    found = nudged(where, potential, u, y, beta)
    low, high = (-400, 400) if name == "linear" else BOUNDS[name]
    best = minimize_scalar(energy, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    assert energy(found) <= best.fun + 1e-10
    assert found == pytest.approx(naive.state(name, slope, u - beta * (found - y)), abs=1e-9 * max(1, abs(found)))


@every_potential
@given(u=st.floats(-60, 60), y=outputs, share=st.floats(-0.99, 20.0))
@quick
def test_both_engines_find_the_same_minimiser(potential, u, y, share):
    beta = share * potential.curvature
    found, wanted = (nudged(where, potential, u, y, beta) for where in ("local", "reference"))
    assert found == pytest.approx(wanted, abs=1e-10, rel=1e-10)


@every_engine
@pytest.mark.parametrize("potential", POTENTIALS[1:3], ids=lambda p: p.name)
def test_large_nudges_end_at_the_minimiser(where, potential):
    """Of u = -3, y = 1, beta = 68 a step of Newton from one end of the bracket led to the other, and back, for ever."""
    for u, y, share in product(range(-6, 7, 3), (0.0, 1.0), (1, 3, 9, 17, 20, 100)):
        beta = share * potential.curvature
        rest = lambda v: v - u + beta * (naive.state(potential.name, potential.slope, v) - y)  # noqa: B023, E731
        ends = sorted(u - beta * (bound - y) for bound in BOUNDS[potential.name])
        wanted = naive.state(potential.name, potential.slope, brentq(rest, *ends, xtol=1e-14, rtol=1e-14))
        assert nudged(where, potential, u, y, beta) == pytest.approx(wanted, abs=1e-10), (u, y, share)
        for free in (-3.0, 0.5, 2.0):  # as a difference from where a drive without the nudge puts the neuron
            place = naive.state(potential.name, potential.slope, free)
            found = place + gained(where, potential, place, u - free, y, beta)
            assert found == pytest.approx(wanted, abs=1e-10), (u, y, share, free)


@every_engine
@every_potential
def test_no_nudge_no_change(where, potential):
    for u in (-2.0, 0.3, 2.0):
        assert nudged(where, potential, u, 1.0, 0.0) == pytest.approx(state(where, potential, u), abs=1e-12)


@every_potential
def test_slope_and_curvature_bound_the_response(potential):
    """The slope is the steepest response, the curvature its inverse, and both are reached."""
    grid = np.linspace(-3, 3, 6001)
    steps = np.diff([naive.state(potential.name, potential.slope, u) for u in grid]) / np.diff(grid)
    assert steps.max() == pytest.approx(potential.slope, rel=1e-4)
    assert potential.curvature == pytest.approx(1 / potential.slope)
    assert all(potential.low <= naive.state(potential.name, potential.slope, u) <= potential.high for u in grid)


@given(seed=st.integers(0, 10**6), kappa=st.floats(0.05, 3.0))
@quick
def test_attention_is_the_gradient_of_its_potential(seed, kappa):
    """G* = logsumexp(kappa X u) / kappa; its gradient is X^T p, and G = sum p ln p / kappa is the dual there."""
    rng = np.random.default_rng(seed)
    patterns, u = rng.normal(size=(6, 3)), rng.normal(size=3)
    p = softmax(kappa * patterns @ u)
    numeric = [
        (logsumexp(kappa * patterns @ (u + h)) - logsumexp(kappa * patterns @ (u - h))) / (2e-6 * kappa)
        for h in 1e-6 * np.eye(3)
    ]
    np.testing.assert_allclose(patterns.T @ p, numeric, rtol=0, atol=1e-7)
    entropy = (p * np.log(p)).sum() / kappa
    assert entropy + logsumexp(kappa * patterns @ u) / kappa == pytest.approx(u @ patterns.T @ p, abs=1e-12)
    # No other weights on the simplex with the same read-out have less: the definition of G.
    directions = np.linalg.svd(np.vstack([patterns.T, np.ones(6)]))[2][4:]
    for direction in directions:
        for step in (1e-3, -1e-3):
            other = p + step * direction * p.min()
            assert (other * np.log(other)).sum() / kappa >= entropy


@pytest.mark.parametrize("name", potentials.NAMES)
def test_named(name):
    found = potentials.named(name)
    assert found.name == name and potentials.named(name) == found


def test_slope_of_the_hard_sigmoid():
    assert potentials.named("hard_sigmoid").slope == 0.5
    assert potentials.named("hard_sigmoid", 0.25) == potentials.HardSigmoid(0.25)


def test_codes_are_unlike():
    assert len({potentials.named(name).code for name in potentials.NAMES}) == len(potentials.NAMES)


def test_unknown_name():
    line = "unknown potential 'hard_sigmoud': allowed are hard_sigmoid, smooth_sigmoid, tanh, linear; did you mean"
    with pytest.raises(ConfigError, match=f"^{line} 'hard_sigmoid'\\?$"):
        potentials.named("hard_sigmoud")


@pytest.mark.parametrize("slope", [0.0, -1.0, 1e-320, 1e308, math.inf, math.nan])
def test_slope_out_of_range(slope):
    line = re.escape(f"slope of the hard sigmoid is {slope}: allowed are numbers from 1e-06 to 1e+06")
    with pytest.raises(ConfigError, match=f"^{line}$"):
        potentials.named("hard_sigmoid", slope)


def test_a_slope_without_meaning():
    with pytest.raises(
        ConfigError, match=r"^slope = 0.5 has no meaning for potential 'tanh': only 'hard_sigmoid' takes"
    ):
        potentials.named("tanh", 0.5)


class Softplus(potentials.Potential):
    """A potential of a user's own."""

    name = "softplus"


class Steep(potentials.Tanh):
    """One that inherits name and number of a known one."""

    @property
    def slope(self):
        return 4.0


KNOWN = "hard_sigmoid, smooth_sigmoid, tanh, linear"


class TestUnknownPotentials:
    """They were computed as the identity (local) or as what they inherit from (both engines), without a word."""

    @pytest.mark.parametrize("own", [Softplus, Steep])
    @pytest.mark.parametrize("place", ["hidden_1", "output"])
    @pytest.mark.parametrize("engine", ["local", "chip", "reference"])
    def test_no_engine_runs_them(self, engine, place, own):
        net = cases.network("sentiment")
        layers = tuple(replace(layer, potential=own()) if layer.name == place else layer for layer in net.layers)
        net = replace(net, layers=layers)
        chip = {"chip": Chip(neuron=Neuron(state_bits=8))} if engine == "chip" else {}
        runs = "reference" if engine == "reference" else "local"
        line = f"potential '{own.name}' of layer '{place}' is a {own.__name__}, which the {runs} engine cannot compute"
        with pytest.raises(ConfigError, match=f"^{line}: it knows {KNOWN}$"):
            engines.build(runs, net, **chip)

    def test_nor_do_neurons_alone(self):
        layer = DenseLayer("hidden", 3, Softplus())
        setting = Setting(SGD(), Workers(1), "float64", 0)
        for build in (
            lambda: neurons.ExactNeurons(layer, "float64", setting.workers),
            lambda: ChipNeurons(layer, Neuron(), setting),
        ):
            with pytest.raises(ConfigError, match=r"^potential 'softplus' of layer 'hidden' is a Softplus"):
                build()

    def test_nor_has_one_an_energy_or_a_minimiser(self):
        none = torch.zeros(1, 2)
        for compute in (
            lambda: potential_energy(Steep(), np.zeros((1, 2))),
            lambda: reference_potentials.energy(Steep(), none),
            lambda: reference_potentials.respond(Steep(), none),
            lambda: reference_potentials.nudged(Steep(), none, none, 0.1),
        ):
            with pytest.raises(ConfigError, match=r"^potential 'tanh' is a Steep, which the (local|reference) engine"):
                compute()

    def test_kernels_answer_an_unknown_number_with_nan(self):
        value, none, change = np.zeros((1, 1)), np.zeros((0, 0)), np.zeros(1)
        neurons.respond(np.ones((1, 1)), none, value, none, 7, 1.0, 0.0, neurons.FREE, 1.0, change)
        assert np.isnan(change).all()


def test_other_parts_of_a_user_s_own_are_refused_too():
    """A rule that inherits from SGD would be applied as SGD, and any other as Adam; a layer's kind decides likewise."""

    class Lion(SGD):
        pass

    class Recurrent(DenseLayer):
        pass

    net = cases.network("sentiment")
    own = tuple(Recurrent(x.name, x.size, x.potential) if x.name == "hidden_1" else x for x in net.layers)
    for engine in ("local", "reference"):
        with pytest.raises(ConfigError, match=f"^optimiser is a Lion, which the {engine} engine cannot compute: it kn"):
            engines.build(engine, net, optimiser=Lion())
        with pytest.raises(ConfigError, match=f"^layer 'hidden_1' is a Recurrent, which the {engine} engine cannot"):
            engines.build(engine, replace(net, layers=own))
