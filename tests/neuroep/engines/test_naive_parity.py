"""Every engine in float64 against the slow network of :mod:`tests.naive.network`, which shares no line with them.

States and attention weights after every sweep, energies, gradients, and weights after three updates agree to 1e-10,
absolute: all of them are of order one here, which is checked. What an engine is and which engines there are stands in
:mod:`tests.neuroep.engines.sides`; each case runs on all of them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.naive import learning, network as naive
from tests.naive.network import Course
from tests.neuroep.engines import sides

TOLERANCE, BETA = 1e-10, 0.4
BETAS = (BETA, -BETA)
COURSES = {
    "layerwise": (Course(steps=3), Course(steps=3)),
    "layerwise_slow": (Course(steps=3, dt=0.6), Course(steps=3, dt=0.4)),
    "synchronous": (Course("synchronous", 4), Course("synchronous", 6)),
    "synchronous_slow": (Course("synchronous", 4, 0.6), Course("synchronous", 6, 0.7)),
    "to_synchronous": (Course(steps=2), Course("synchronous", 6, 0.5)),
    "to_layerwise": (Course("synchronous", 4, 0.5), Course(steps=3)),
}
"""How the free phase and then the nudged ones settle."""
RULES = {
    "adam": ("adam", {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}),
    "adam_decay": ("adam", {"betas": (0.7, 0.9), "eps": 1e-3, "weight_decay": 0.4}),
    "sgd": ("sgd", {"momentum": 0.0, "weight_decay": 0.0}),
    "sgd_momentum_decay": ("sgd", {"momentum": 0.8, "weight_decay": 0.4}),
}
CASES = [
    (name, sides.POTENTIALS[(n + c + 3 * mask) % len(sides.POTENTIALS)], course, mask)
    for n, name in enumerate(sides.NETWORKS)
    for c, course in enumerate(COURSES)
    for mask in (True, False)
]
CASES += [("pooled_inference", potential, course, True) for potential in sides.POTENTIALS for course in COURSES]
CASES = list(dict.fromkeys(CASES))
"""Each network on each course, masked and not, and each potential on each course."""
SCALES = {"linear": 0.6, "mixed": 1.3}
"""Of the weights, 2 elsewhere: linear neurons have no bound, and larger weights would let them grow."""
ODD = [length for length in sides.LENGTHS if length != "unequal"]


def case_id(value):
    return {True: "masked", False: "unmasked"}.get(value, value)


on_all = pytest.mark.parametrize(("name", "potential", "course", "mask"), CASES, ids=case_id)
on_engines = pytest.mark.parametrize("where", sides.ENGINES)


@cache
def setting(name, potential, mask, lengths="unequal", kappa=0.7):
    """Network, weights and batch of a case."""
    net = sides.network(name, potential, mask, kappa)
    return net, sides.parameters(net, SCALES.get(potential, 2.0)), sides.batch(net, lengths)


@cache
def oracle(*case):
    """The free phase and both nudged ones after every sweep."""
    name, potential, course, mask, *rest = case
    net, theta, batch = setting(name, potential, mask, *rest)
    free, nudged = COURSES[course]
    first = naive.settle(net, theta, batch, free)
    return [first, *(naive.settle(net, theta, batch, nudged, beta, first[-1]) for beta in BETAS)]


@cache
def oracle_gradients(*case):
    """The gradient of each estimator."""
    name, potential, _, mask, *rest = case
    net, theta, batch = setting(name, potential, mask, *rest)
    phases = dict(zip((0, 1, -1), (path[-1] for path in oracle(*case)), strict=True))
    return {kind: learning.gradient(net, theta, batch, phases, kind, BETA) for kind in learning.WEIGHTS}


def assert_equal(found, wanted, what, largest=10.0):
    """Named arrays agree to the tolerance, and none is so large that the tolerance would be a hard one to meet."""
    assert found.keys() == wanted.keys()
    for name, exact in wanted.items():
        assert np.abs(exact).max(initial=0.0) < largest, name
        np.testing.assert_allclose(found[name], exact, rtol=0, atol=TOLERANCE, err_msg=f"{what}: {name}")


def assert_phases(where, *case):
    """Compare what a batch went through, sweep by sweep."""
    name, potential, course, mask, *rest = case
    net, theta, batch = setting(name, potential, mask, *rest)
    found = sides.Side(where, net, theta).settle(batch, *COURSES[course], BETAS)
    for phase, path, exact_path in zip(("free", "+beta", "-beta"), found, oracle(*case), strict=True):
        for sweep, (one, exact) in enumerate(zip(path, exact_path, strict=True), 1):
            assert_equal(one.states, exact.states, f"states, {phase}, sweep {sweep}")
            assert_equal(one.weights, exact.weights, f"attention weights, {phase}, sweep {sweep}")
            assert_equal({"F": one.energy}, {"F": exact.energy}, f"energy, {phase}, sweep {sweep}", largest=50.0)


def assert_gradients(where, *case):
    """Compare what every estimator makes of a batch, ``random`` with either sign."""
    name, potential, course, mask, *rest = case
    net, theta, batch = setting(name, potential, mask, *rest)
    side, wanted = sides.Side(where, net, theta), oracle_gradients(*case)
    for kind, exact in wanted.items():
        assert_equal(side.gradient(batch, kind, BETA, *COURSES[course]), exact, kind)
    steps = {sides.random_sign(step): step for step in range(10)}
    for sign, kind in ((1, "positive"), (-1, "negative")):
        found = side.gradient(batch, "random", BETA, *COURSES[course], steps[sign])
        assert_equal(found, wanted[kind], f"random, {kind}")


@on_all
@on_engines
def test_states_and_energies_after_every_sweep(where, name, potential, course, mask):
    assert_phases(where, name, potential, course, mask)


@on_all
@on_engines
def test_gradients_of_every_estimator(where, name, potential, course, mask):
    assert_gradients(where, name, potential, course, mask)


@pytest.mark.parametrize("lengths", ODD)
@pytest.mark.parametrize("mask", [True, False], ids=case_id)
@pytest.mark.parametrize("name", sides.NETWORKS)
@on_engines
def test_empty_one_token_and_short_batches(where, name, mask, lengths):
    course = list(COURSES)[(ODD.index(lengths) + sides.NETWORKS.index(name)) % len(COURSES)]
    assert_phases(where, name, "tanh", course, mask, lengths)
    assert_gradients(where, name, "tanh", course, mask, lengths)


@pytest.mark.parametrize("mask", [True, False], ids=case_id)
@pytest.mark.parametrize("name", sides.NETWORKS)
@on_engines
def test_attention_so_sharp_that_exponentials_vanish(where, name, mask):
    case = (name, "tanh", "layerwise", mask, "unequal", 1000.0)
    assert_phases(where, *case)
    assert_gradients(where, *case)
    weights = np.concatenate([value.ravel() for value in oracle(*case)[0][-1].weights.values()])
    assert np.mean(weights > 0.999) > 0.05 and weights[weights > 0].min() < 1e-100


@cache
def oracle_weights(name, potential, mask, rule):
    """Weights after each of three centred updates on three batches, and the rate of every synapse."""
    net, theta, _ = setting(name, potential, mask)
    rates = {synapse.name: 0.05 / (1 + n) for n, synapse in enumerate(net.synapses)}
    learner, found = learning.Learner(theta, *RULES[rule]), []
    for seed in range(3):
        batch = sides.batch(net, "unequal", seed)
        learner.update(learning.estimate(net, learner.theta, batch, "centred", BETA, *COURSES["layerwise"]), rates)
        found.append({name: value.copy() for name, value in learner.theta.items()})
    return found, rates


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", sides.NETWORKS)
@on_engines
def test_weights_after_every_update(where, name, rule):
    potential, mask = ("mixed", True) if rule.endswith("decay") else ("tanh", False)
    net, theta, _ = setting(name, potential, mask)
    wanted, rates = oracle_weights(name, potential, mask, rule)
    side = sides.Side(where, net, theta, *RULES[rule])
    for update, exact in enumerate(wanted, 1):
        side.learn(sides.batch(net, "unequal", update - 1), BETA, *COURSES["layerwise"], rates)
        assert_equal(side.parameters(), exact, f"update {update}")


@on_all
def test_every_case_has_something_to_tell(name, potential, course, mask):
    """Every state moves with the nudge and every parameter has a gradient far above the tolerance."""
    free, up, down = (path[-1] for path in oracle(name, potential, course, mask))
    for layer, value in free.states.items():
        assert np.abs(up.states[layer] - value).max() > 1e-6, layer
        assert np.abs(up.states[layer] - down.states[layer]).max() > 1e-6, layer
    for kind, gradient in oracle_gradients(name, potential, course, mask).items():
        for key, value in gradient.items():
            assert np.abs(value).max() > 1e-6, (kind, key)


def test_the_cases_meet_everything():
    """Each network, potential, course and mask, both signs of ``random``, and hard sigmoids at either bound."""
    names, kinds, courses, masks = (set(column) for column in zip(*CASES, strict=True))
    assert names == set(sides.NETWORKS) and kinds == set(sides.POTENTIALS) and courses == set(COURSES)
    assert masks == {True, False}
    assert {(kind, course) for _, kind, course, _ in CASES} == {(k, c) for k in kinds for c in courses}
    assert {sides.random_sign(step) for step in range(10)} == {1, -1}
    clipped = [
        path[-1].states["hidden_1"]
        for case in CASES
        if case[1] == "hard_sigmoid" and case[0] != "woven"
        for path in oracle(*case)
    ]
    assert min(value.min() for value in clipped) == 0 and max(value.max() for value in clipped) == 1
    assert np.mean([np.mean((value > 0) & (value < 1)) for value in clipped]) > 0.5
