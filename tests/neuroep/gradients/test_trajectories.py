"""Gradients step by step agree with the obvious way of computing them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neuroep.engines.settling import Schedule
from neuroep.engines.torch.arrays import tensors_of
from neuroep.gradients.estimators import Phases
from neuroep.gradients.yardsticks import BPTT
from tests import cases
from tests.naive import bptt


@pytest.mark.parametrize("order", ["synchronous", "layerwise"])
@pytest.mark.parametrize("dt", [1.0, 0.6])
@pytest.mark.parametrize("name", cases.NETWORKS)
def test_bptt_step_by_step_is_one_graph(name: str, dt: float, order: str) -> None:
    net = cases.network(name, potential="smooth_sigmoid")
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    free = replace(cases.TIGHT, dt=dt)
    found = BPTT(free, 6, order).trajectory(engine, batch)
    wanted = bptt.trajectory(engine, batch, free, 6, order)
    assert len(found) == len(wanted) == 6
    for ours, exact in zip(found, wanted, strict=True):
        cases.assert_close(ours, exact, 1e-12)


def test_bptt_leaves_the_engine_alone() -> None:
    net = cases.network()
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    before, tensors = engine.parameters(), tensors_of(engine)
    BPTT(cases.TIGHT, 3).gradient(engine, batch)
    cases.assert_same(engine.parameters(), before)
    assert all(tensors_of(engine)[name] is tensor and not tensor.requires_grad for name, tensor in tensors.items())


def test_phases_of_unequal_length_stay_at_their_last_state() -> None:
    net = cases.network()
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    estimator = cases.estimator(beta=0.5, nudged=Schedule(steps=9))
    whole = estimator.settle(engine, batch)
    steps, record = {1: 9, -1: 30}, ("states",)
    nudged = {s: engine.settle(whole.clamped, Schedule(steps=n), s * 0.5, whole.free, record) for s, n in steps.items()}
    phases = Phases(whole.clamped, whole.free, nudged)
    pieces = list(estimator.pieces(engine, phases))
    assert len(pieces) == 30
    total = {name: sum(piece[name] for piece in pieces) for name in pieces[0]}
    ends = nudged[1].state, nudged[-1].state
    cases.assert_close(total, engine.gradient(engine.contrasts(whole.clamped, *ends, 1.0)), 1e-12)
