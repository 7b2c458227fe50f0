"""Gradients step by step agree with the obvious way of computing them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroep.engines.schedule import Schedule
from neuroep.engines.torch.arrays import tensors_of
from neuroep.gradients.yardsticks import BPTT
from neuroep.learning.contrast import Pair
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


@pytest.mark.parametrize(("kind", "points"), [("centred", 2), ("centred", 4), ("positive", 2), ("negative", 2)])
@pytest.mark.parametrize("where", ["local", "cpu"])
def test_pieces_are_those_of_phases_that_were_recorded(where: str, kind: str, points: int) -> None:
    """Side by side is one after the other: also where the phases alone would end after different numbers of sweeps."""
    net = cases.network("sentiment")
    engine, batch = cases.engine(where, net), cases.batch(net, seed=3)
    schedule = Schedule(steps=300, tolerance=1e-6)
    estimator = cases.estimator(kind, 0.9, nudged=schedule, points=points)
    phases = estimator.settle(engine, batch, record=("states",))
    formula = estimator.formula()
    paths = {n: [phases.free.state, *settled.trace.states] for n, settled in phases.nudged.items()}
    alone = {engine.settle(phases.clamped, schedule, n * 0.9, phases.free).steps for n in formula.nudged}
    assert len(alone) == 1 or len(paths) > 1
    assert {len(path) for path in paths.values()} == {max(alone) + 1}
    pieces = estimator.trajectory(engine, batch)
    assert len(pieces) == max(alone)
    for k, piece in enumerate(pieces):
        for key, value in piece.items():
            wanted = np.zeros_like(value)
            for n, weight in zip(formula.nudges, formula.weights, strict=True):
                if n:
                    moved = Pair(paths[n][k + 1], paths[n][k], 0.9 / weight)
                    wanted += engine.gradient(engine.contrasts(phases.clamped, [moved]))[key]
            np.testing.assert_allclose(value, wanted, rtol=0, atol=1e-15 + 1e-12 * np.abs(wanted).max())
