"""GDU curves: EP's steps are BPTT's when the nudge is small."""

from __future__ import annotations

import json

import numpy as np
import pytest

from analysis.gradients import gdu
from neuroep.engines.settling import Schedule
from neuroep.runs import directory as runs
from tests import cases

STEPS = 12


def curves(name: str = "inference", beta: float = 1e-3, potential: str = "smooth_sigmoid") -> gdu.GDU:
    net = cases.network(name, potential=potential)
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    estimator = cases.estimator("centred", beta, nudged=Schedule("synchronous", STEPS))
    return gdu.measure(engine, batch, estimator, cases.estimator().gradient(engine, batch))


@pytest.mark.parametrize("name", cases.NETWORKS)
def test_ep_follows_bptt_step_by_step(name: str) -> None:
    found = curves(name)
    assert found.steps == STEPS
    for synapse, curve in found.curves.items():
        assert curve.total_error < 1e-5, synapse
        assert curve.total_cosine == pytest.approx(1, abs=1e-9)
        np.testing.assert_allclose(curve.ep, curve.bptt, rtol=0, atol=1e-5 * np.abs(curve.bptt).max())
        assert curve.error.max() < 1e-5
        assert np.nanmin(curve.cosine) > 0.999


def test_error_grows_with_beta() -> None:
    small, large = curves(beta=1e-3), curves(beta=0.3)
    for synapse in small.curves:
        assert large.curves[synapse].total_error > 100 * small.curves[synapse].total_error


def test_updates_reach_the_synapses_one_step_after_the_other() -> None:
    found = curves("sentiment").curves
    first = {name: int(np.flatnonzero(np.isfinite(curve.cosine))[0]) for name, curve in found.items()}
    assert first == {"dense_3": 0, "dense_2": 1, "dense_1": 2, "query": 3}


def test_vanishing_updates_are_not_compared() -> None:
    net = cases.network()
    values = cases.parameters(net)
    values["dense_3.weight"][:] = 0
    values["dense_3.bias"][:] = -1
    engine, batch = cases.engine("cpu", net, values), cases.batch(net)
    estimator = cases.estimator("centred", 1e-3, nudged=Schedule("synchronous", 4))
    found = gdu.measure(engine, batch, estimator, cases.estimator().gradient(engine, batch))
    for curve in found.curves.values():
        assert np.isnan(curve.error).all() and np.isnan(curve.cosine).all()
        assert np.isnan(curve.total_error) and np.isnan(curve.total_cosine)


def test_strongest_takes_one_weight_of_a_row() -> None:
    gradient = np.array([[0.0, -5.0, 4.0], [1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    assert gdu.strongest(gradient, 2) == ((0, 1), (2, 2))
    assert gdu.strongest(gradient, 9) == ((0, 1), (2, 2), (1, 0))


def test_as_dict_is_json() -> None:
    page = json.loads(runs.as_json(curves("sentiment").as_dict()))
    assert page["beta"] == 1e-3
    assert set(page["curves"]["query"]) == {"places", "ep", "bptt", "cosine", "error", "total_cosine", "total_error"}
    assert len(page["curves"]["query"]["ep"]) == STEPS
