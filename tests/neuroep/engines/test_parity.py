"""Both engines compute the same: states, energy, steps, attention weights, gradients, weights after updates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroep.engines.settling import Schedule
from neuroep.learning.optimisers import SGD, Adam
from neuroep.network import builders as networks, potentials
from neuroep.network.builders import AttentionLayer, DenseLayer, DenseSynapse, Network, Projection, Sequence
from tests import cases
from tests.naive import network as naive

RULES = {
    "adam": Adam(),
    "adam_decay": Adam(betas=(0.8, 0.95), weight_decay=0.1),
    "sgd": SGD(),
    "sgd_momentum": SGD(momentum=0.9, weight_decay=0.1),
}
PAIRWISE = [
    ("sentiment", "smooth_sigmoid", "synchronous", False),
    ("sentiment", "tanh", "layerwise_slow", True),
    ("sentiment", "linear", "layerwise_tolerance", True),
    ("sentiment", "hard_sigmoid", "synchronous_slow", False),
    ("inference", "smooth_sigmoid", "layerwise_slow", False),
    ("inference", "tanh", "synchronous", True),
    ("inference", "linear", "synchronous_slow", False),
    ("inference", "hard_sigmoid", "layerwise_tolerance", True),
    ("pooled_sentiment", "smooth_sigmoid", "synchronous_slow", True),
    ("pooled_sentiment", "tanh", "layerwise_tolerance", False),
    ("pooled_sentiment", "linear", "layerwise", False),
    ("pooled_sentiment", "hard_sigmoid", "synchronous", True),
    ("pooled_inference", "smooth_sigmoid", "layerwise_tolerance", True),
    ("pooled_inference", "tanh", "synchronous_slow", False),
    ("pooled_inference", "linear", "synchronous", True),
    ("pooled_inference", "hard_sigmoid", "layerwise_slow", True),
]
"""Each network with each potential, each potential with each order, both with and without mask."""


def both(where, net, values=None, **settings):
    """Return the reference engine on the CPU and another one with the same weights."""
    return [cases.engine(place, net, values, **settings) for place in ("cpu", where)]


def phases(engine, batch, schedule):
    """Return a free phase and both nudged ones that start from it."""
    clamped = engine.clamp(batch)
    free = engine.settle(clamped, schedule)
    return clamped, [free, *(engine.settle(clamped, schedule, beta=beta, start=free) for beta in (0.3, -0.3))]


def unit(engine, settled):
    """What a residual is measured in: states, or in a nudged phase the smallest displacement of a layer."""
    if not settled.state.beta:
        return 1.0
    moved = engine.displacements(settled.state, Schedule().arrivals(engine.network)).values()
    return min(displacement for displacement, _ in moved if displacement > 0)


def assert_parity(where, net, batch, schedule, dtype="float64", values=None):
    """Compare everything a phase returns."""
    reference, other = both(where, net, values, dtype=dtype)
    tolerance = cases.PARITY[dtype]
    found = [phases(engine, batch, schedule) for engine in (other, reference)]
    for one, exact in zip(found[0][1], found[1][1], strict=True):
        cases.assert_close(other.states(one), reference.states(exact), tolerance)
        assert one.steps == exact.steps and one.converged == exact.converged
        assert one.residual == pytest.approx(exact.residual, abs=tolerance / unit(reference, exact))
        cases.assert_close({"energy": one.energy}, {"energy": exact.energy}, tolerance)
        for layer in net.attention:
            p, wanted = (
                e.attention_weights(c, s.state, layer.name)
                for e, (c, _), s in ((other, found[0], one), (reference, found[1], exact))
            )
            np.testing.assert_allclose(p, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mask", [True, False], ids=["masked", "unmasked"])
@pytest.mark.parametrize("name", cases.NETWORKS)
@pytest.mark.parametrize("where", cases.OTHERS)
def test_states(where, name, mask, dtype):
    net = cases.network(name, mask=mask, projection_bias=mask)
    for size in (1, 7):
        assert_parity(where, net, cases.batch(net, size), cases.SCHEDULES["layerwise"], dtype)


@pytest.mark.parametrize(("name", "potential", "schedule", "mask"), PAIRWISE)
@pytest.mark.parametrize("where", cases.OTHERS)
def test_states_under_every_order_and_potential(where, name, potential, schedule, mask):
    net = cases.network(name, potential=potential, mask=mask)
    values = cases.parameters(net, scale=0.5 if potential == "linear" else 2.0)
    assert_parity(where, net, cases.batch(net, 5), cases.SCHEDULES[schedule], values=values)


@pytest.mark.parametrize("lengths", ["empty", "full", "short"])
@pytest.mark.parametrize("name", cases.NETWORKS)
def test_states_of_empty_and_full_batches(name, lengths):
    """All sequences empty, all full, or the batch shorter than the network's longest."""
    net = cases.network(name)
    full = cases.batch(net, 3)
    inputs = {}
    for key, (vectors, _) in full.inputs.items():
        width = 2 if lengths == "short" else vectors.shape[1]
        count = np.full(3, 0 if lengths == "empty" else width)
        inputs[key] = type(full.inputs[key])(vectors[:, :width] * (lengths != "empty"), count)
    assert_parity("local", net, replace(full, inputs=inputs), cases.SCHEDULES["layerwise"])


@pytest.mark.parametrize("order", ["layerwise", "synchronous"])
@pytest.mark.parametrize("mask", [True, False], ids=["masked", "unmasked"])
@pytest.mark.parametrize("name", cases.NETWORKS)
@pytest.mark.parametrize("where", cases.ENGINES)
def test_states_are_the_slow_twin_s(where, name, mask, order):
    """A third implementation, sample by sample, for both engines."""
    net = cases.network(name, potential="tanh", mask=mask, projection_bias=True)
    values, batch, schedule = cases.parameters(net), cases.batch(net, 4), Schedule(order, steps=3)
    engine = cases.engine(where, net, values)
    course = naive.Course(order, steps=3)
    free = engine.settle(batch, schedule)
    wanted = naive.settle(net, values, batch, course)[-1]
    cases.assert_close(engine.states(free), wanted.states, 1e-10)
    nudged = engine.settle(batch, schedule, beta=-0.4, start=free)
    slow = naive.settle(net, values, batch, course, -0.4, wanted)[-1]
    cases.assert_close(engine.states(nudged), slow.states, 1e-10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mask", [True, False], ids=["masked", "unmasked"])
@pytest.mark.parametrize("name", cases.NETWORKS)
@pytest.mark.parametrize("where", cases.OTHERS)
def test_gradients_by_every_estimator(where, name, mask, dtype):
    net = cases.network(name, mask=mask, projection_bias=not mask)
    reference, other = both(where, net, dtype=dtype)
    batch, schedule = cases.batch(net, 7), cases.SCHEDULES["layerwise"]
    for kind in ("centred", "positive", "negative", "random"):
        estimator = cases.estimator(kind, 0.2, free=schedule, nudged=schedule)
        wanted = estimator.gradient(reference, batch, step=3)
        cases.assert_close(estimator.gradient(other, batch, step=3), wanted, cases.PARITY[dtype])
        # The comparison means something: every parameter has a gradient far above the tolerance.
        assert min(np.abs(value).max() for value in wanted.values()) > 10 * cases.PARITY[dtype]


@pytest.mark.parametrize("name", cases.NETWORKS)
@pytest.mark.parametrize("where", cases.OTHERS)
def test_trajectories(where, name):
    net = cases.network(name, potential="smooth_sigmoid")
    reference, other = both(where, net)
    batch, schedule = cases.batch(net), cases.SCHEDULES["synchronous"]
    estimator = cases.estimator(free=schedule, nudged=schedule)
    found, wanted = (estimator.trajectory(engine, batch) for engine in (other, reference))
    assert len(found) == len(wanted) == schedule.steps
    for one, exact in zip(found, wanted, strict=True):
        cases.assert_close(one, exact, 1e-10)


def train(engine, batches, rate=0.02, first=0):
    """Take one centred update per batch, each synapse at a rate of its own."""
    schedule = Schedule(steps=4)
    estimator = cases.estimator(beta=0.3, free=schedule, nudged=schedule)
    rates = {synapse.name: rate / (1 + n) for n, synapse in enumerate(engine.network.synapses)}
    for step, batch in enumerate(batches, first):
        engine.update(estimator.measure(engine, batch, step).contrasts, rates)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", cases.NETWORKS)
@pytest.mark.parametrize("where", cases.OTHERS)
def test_weights_after_updates(where, name, rule):
    net = cases.network(name, projection_bias=True)
    batches = [cases.batch(net, size, seed=size) for size in (5, 7, 1, 5)]
    reference, other = both(where, net, optimiser=RULES[rule])
    for engine in (reference, other):
        train(engine, batches)
    cases.assert_close(other.parameters(), reference.parameters(), 1e-10)
    cases.assert_close(other.optimiser_state(), reference.optimiser_state(), 1e-10)
    for key, before in cases.parameters(net).items():
        assert np.abs(reference.parameters()[key] - before).max() > 1e-5, key


@pytest.mark.parametrize("name", cases.NETWORKS)
@pytest.mark.parametrize("where", cases.OTHERS)
def test_weights_after_updates_in_float32(where, name):
    """SGD: Adam divides by sqrt(v) and would amplify the rounding of a vanishing gradient."""
    net = cases.network(name)
    reference, other = both(where, net, optimiser=SGD(momentum=0.9), dtype="float32")
    for engine in (reference, other):
        train(engine, [cases.batch(net, size, seed=size) for size in (5, 7, 1)])
    cases.assert_close(other.parameters(), reference.parameters(), cases.PARITY["float32"])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("pair", [("cpu", "local"), ("local", "cpu")], ids=["to_local", "to_reference"])
def test_training_moves_from_one_engine_to_the_other(pair, rule):
    """Some steps on one engine, parameters and optimiser state to the other, further steps on both."""
    net = cases.network("sentiment")
    batches = [cases.batch(net, 5, seed=seed) for seed in range(4)]
    first, second = (cases.engine(where, net, optimiser=RULES[rule]) for where in pair)
    train(first, batches[:2])
    train(second, batches[3:])  # a history that must be forgotten
    second.load_parameters(first.parameters())
    second.load_optimiser_state(first.optimiser_state())
    assert all(second.optimiser_state()[f"{synapse.name}.updates"] == 2 for synapse in net.synapses)
    for engine in (first, second):
        train(engine, batches[2:], first=2)
    cases.assert_close(second.parameters(), first.parameters(), 1e-10)
    cases.assert_close(second.optimiser_state(), first.optimiser_state(), 1e-10)


@pytest.mark.parametrize("rule", ["adam", "sgd_momentum"])
@pytest.mark.parametrize("where", cases.ENGINES)
def test_the_state_of_a_fresh_optimiser_forgets_the_old_one(where, rule):
    """``load_optimiser_state`` takes over what it is given, also when that is no update at all."""
    net = cases.network("sentiment")
    batches = [cases.batch(net, 5, seed=seed) for seed in range(2)]
    fresh, used = (cases.engine(where, net, optimiser=RULES[rule]) for _ in range(2))
    train(used, batches[:1])
    optimiser_state, values = fresh.optimiser_state(), fresh.parameters()
    for key, value in values.items():
        used_value = used.parameters()[key]
        assert (used_value != value).any(), key
    start = used.parameters()
    used.load_optimiser_state(optimiser_state)
    fresh.load_parameters(start)
    for engine in (fresh, used):
        train(engine, batches[1:])
    cases.assert_close(used.parameters(), fresh.parameters(), 1e-10)


@pytest.mark.parametrize("where", cases.OTHERS)
def test_health_numbers(where):
    net = cases.network("inference")
    reference, other = both(where, net)
    estimator = cases.estimator(beta=0.5, free=Schedule(steps=5), nudged=Schedule(steps=4))
    found, wanted = (estimator.measure(e, cases.batch(net, 7)).health for e in (other, reference))
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key] == pytest.approx(value, abs=1e-10, nan_ok=True), key


@pytest.mark.parametrize("where", cases.ENGINES)
def test_default_weights_are_the_network_s_initial_ones(where):
    net = cases.network("inference")
    wanted = networks.initial_parameters(net, seed=4)
    cases.assert_same(cases.engine(where, net, wanted, dtype="float32").parameters(), wanted)
    from neuroep import engines

    kind = "local" if where == "local" else "reference"
    cases.assert_same(engines.build(kind, net, seed=4).parameters(), wanted)


def _forked(second):
    """Two attention layers of unlike read-out, two hidden layers over both, one output; pre orders may differ."""
    tanh = potentials.Tanh()
    sequences = (Sequence("one", 4, 3), Sequence("two", 2, 3))
    attention = (
        AttentionLayer("flat", "one", "two", 0.5, "flat", 12),
        AttentionLayer("pooled", "two", "one", 0.9, "pooled", 3),
    )
    dense = (DenseLayer("left", 4, tanh), DenseLayer("right", 5, tanh), DenseLayer("output", 3, tanh))
    synapses = (
        Projection("query_flat", "one", "flat", (3, 3)),
        Projection("query_pooled", "two", "pooled", (3, 3), True),
        DenseSynapse("to_left", ("flat", "pooled"), "left", (4, 15)),
        DenseSynapse("to_right", second, "right", (5, sum({"flat": 12, "pooled": 3}[name] for name in second)), False),
        DenseSynapse("to_output", ("left", "right"), "output", (3, 9)),
    )
    return Network(sequences, (*attention, *dense), synapses)


@pytest.mark.parametrize("second", [("flat", "pooled"), ("pooled", "flat"), ("pooled",)], ids="-".join)
@pytest.mark.parametrize("where", cases.ENGINES)
def test_a_network_of_another_shape(where, second):
    """Engines know no network by name: a fork with two synapses out of each attention layer runs as it is."""
    net = _forked(second)
    values, batch, schedule = cases.parameters(net), cases.batch(net, 4), Schedule(steps=4)
    engine = cases.engine(where, net, values)
    slow = naive.settle(net, values, batch, naive.Course(steps=4))[-1]
    cases.assert_close(engine.states(engine.settle(batch, schedule)), slow.states, 1e-10)
    estimator = cases.estimator(free=schedule, nudged=schedule)
    wanted = estimator.gradient(cases.engine("cpu", net, values), batch)
    cases.assert_close(estimator.gradient(engine, batch), wanted, 1e-10)
