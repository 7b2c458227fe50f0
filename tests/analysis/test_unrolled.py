"""The streamed gradients are those that estimators and yardsticks return as lists."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.unrolled import bptt_steps, ep_steps
from neuroep.settling import Schedule
from neuroep.yardsticks import BPTT
from tests import cases


@pytest.mark.parametrize("order", ["synchronous", "layerwise"])
@pytest.mark.parametrize("dt", [1.0, 0.6])
@pytest.mark.parametrize("name", cases.NETWORKS)
def test_bptt_step_by_step_is_bptt(name: str, dt: float, order: str) -> None:
    net = cases.network(name, potential="smooth_sigmoid")
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    free = replace(cases.TIGHT, dt=dt)
    clamped = engine.clamp(batch)
    fixed = engine.settle(clamped, free).state
    found = list(bptt_steps(engine, clamped, fixed, Schedule(order, steps=6, dt=dt)))
    wanted = BPTT(free, 6, order).trajectory(engine, batch)
    assert len(found) == len(wanted) == 6
    for ours, exact in zip(found, wanted, strict=True):
        cases.assert_close(ours, exact, 1e-12)


def test_bptt_leaves_the_engine_alone() -> None:
    net = cases.network()
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    before, tensors = engine.parameters(), dict(engine.tensors)
    clamped = engine.clamp(batch)
    list(bptt_steps(engine, clamped, engine.settle(clamped, cases.TIGHT).state, Schedule("synchronous", steps=3)))
    cases.assert_same(engine.parameters(), before)
    assert all(engine.tensors[name] is tensor and not tensor.requires_grad for name, tensor in tensors.items())


@pytest.mark.parametrize("kind", ["centred", "positive", "negative", "random"])
def test_ep_step_by_step_is_the_trajectory(kind: str) -> None:
    net = cases.network("inference")
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    estimator = cases.estimator(kind, nudged=Schedule("synchronous", steps=5))
    found = list(ep_steps(engine, estimator.settle(engine, batch, record=("states",)), estimator))
    wanted = estimator.trajectory(engine, batch)
    assert len(found) == len(wanted) == 5
    for ours, exact in zip(found, wanted, strict=True):
        cases.assert_same(ours, exact)


def test_phases_of_unequal_length_stay_at_their_last_state() -> None:
    net = cases.network()
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    estimator = cases.estimator(beta=0.5, nudged=Schedule(steps=200, tolerance=1e-3))
    phases = estimator.settle(engine, batch, record=("states",))
    pieces = list(ep_steps(engine, phases, estimator))
    assert len(pieces) == max(settled.steps for settled in phases.nudged.values())
    total = {name: sum(piece[name] for piece in pieces) for name in pieces[0]}
    cases.assert_close(total, estimator.gradient(engine, batch), 1e-12)
