"""Health numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.engines.settling import Schedule
from neuroep.gradients import health
from neuroep.network import potentials
from neuroep.network.builders import DenseLayer
from tests import cases

OUTPUTS = np.array([[0.0, 1.0, 0.5], [0.25, 0.0, 0.0]])


def layer(name="hard_sigmoid"):
    return DenseLayer("output", 3, potentials.named(name))


def test_output_health():
    found = health.output_health(layer(), OUTPUTS, np.array([1, 2]))
    assert found == {
        "loss": pytest.approx(0.5 * (0.25 + 0.0625 + 1) / 2),
        "accuracy": 0.5,
        "dead_outputs": pytest.approx(3 / 6),
        "saturated_outputs": pytest.approx(1 / 6),
    }


def test_unbounded_outputs_are_never_dead():
    found = health.output_health(layer("linear"), OUTPUTS, np.array([1, 0]))
    assert (found["dead_outputs"], found["saturated_outputs"], found["accuracy"]) == (0, 0, 1)


def test_the_lower_bound_of_tanh_is_minus_one():
    found = health.output_health(layer("tanh"), 2 * OUTPUTS - 1, np.array([1, 0]))
    assert (found["dead_outputs"], found["saturated_outputs"]) == (pytest.approx(3 / 6), pytest.approx(1 / 6))


@pytest.mark.parametrize(("plus", "minus"), [(0.2, -0.1), (-0.1, 0.1), (0.1, 0.0), (0.0, 0.0)])
def test_displacements(plus, minus):
    found = health.displacements(OUTPUTS, OUTPUTS + plus, OUTPUTS + minus)
    assert found == {"displacement_plus": pytest.approx(abs(plus)), "displacement_minus": pytest.approx(abs(minus))}


@pytest.mark.parametrize("where", cases.ENGINES)
@pytest.mark.parametrize("kind", ["centred", "positive", "negative", "random"])
def test_what_a_measurement_reports(where, kind):
    net = cases.network()
    engine, batch = cases.engine(where, net), cases.batch(net, 7)
    estimator = cases.estimator(kind, 0.3, free=Schedule(steps=6), nudged=Schedule(steps=3))
    measured = estimator.measure(engine, batch, step=0)
    found = measured.health
    assert all(type(value) is float for value in found.values())
    assert ("displacement_plus" in found) == ("displacement_minus" in found) == (kind == "centred")
    outputs = engine.outputs(engine.settle(batch, Schedule(steps=6)))
    np.testing.assert_array_equal(engine.outputs(measured.free), outputs)
    assert found["loss"] == pytest.approx(0.5 * ((outputs - np.eye(2)[batch.labels]) ** 2).sum(1).mean())
    assert found["accuracy"] == (outputs.argmax(1) == batch.labels).mean()
    assert (found["free_steps"], found["nudged_steps"]) == (6, 3)
    assert found["residual"] >= measured.free.residual > 0


@pytest.mark.parametrize("where", cases.ENGINES)
def test_dead_outputs_do_not_move_at_minus_beta(where):
    """An output clipped at 0 whose target is 0 has no gradient; one whose target is 1 wakes at +beta only."""
    net = cases.network("sentiment")
    values = cases.parameters(net)
    values["dense_3.bias"][:] = (-9.0, -9.0)
    engine, batch = cases.engine(where, net, values), cases.batch(net, 7)
    weak, strong = (cases.estimator(beta=beta) for beta in (0.5, 60.0))
    found = weak.measure(engine, batch).health
    assert found["dead_outputs"] == 1.0 and found["displacement_plus"] == found["displacement_minus"] == 0
    assert not any(value.any() for value in weak.gradient(engine, batch).values())
    free = engine.settle(batch, cases.TIGHT)
    down = engine.settle(batch, cases.TIGHT, beta=-1.5, start=free)
    np.testing.assert_array_equal(engine.outputs(down), engine.outputs(free))
    up = engine.outputs(engine.settle(batch, cases.TIGHT, beta=strong.beta, start=free))
    target = np.eye(2)[batch.labels]
    assert (up[target == 1] > 0).all() and not up[target == 0].any()


@pytest.mark.parametrize("where", cases.ENGINES)
def test_live_outputs_move_alike_under_both_nudges(where):
    net = cases.network("sentiment", potential="smooth_sigmoid")
    found = cases.estimator(beta=1e-3).measure(cases.engine(where, net), cases.batch(net)).health
    assert found["displacement_plus"] == pytest.approx(found["displacement_minus"], rel=1e-3)
    assert found["displacement_plus"] > 0
    assert found["dead_outputs"] == found["saturated_outputs"] == 0
