"""Estimators of more than two points on a chip: each pair of phases is measured and sent as two phases are."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Chip
from neuroep import engines
from neuroep.engines.schedule import Schedule
from neuroep.learning.contrast import Contrast, Held, Moved, Stacked, Summed
from neuroep.learning.optimisers import SGD
from tests import cases
from tests.neuroep.engines.chip.conftest import nested
from tests.neuroep.engines.chip.test_updates import WEIGHT, array

GENERATOR = np.random.default_rng(9)
PHASE = Schedule(steps=12)
RATE = 1e-2
FACTORS = [1.0, 0.125]


def engine(net, optimiser=None, **fields):
    """An engine in float64 on a chip of these fields, calibrated on nothing."""
    chip = Chip.parse(nested({name.replace("__", "."): value for name, value in fields.items()}))
    values = cases.parameters(net)
    return engines.local(net, values, chip=chip, seed=3, threads=1, dtype="float64", optimiser=optimiser or SGD())


def test_an_ideal_chip_has_the_gradient_of_exact_arithmetic():
    net = cases.network("pooled_inference")
    batch, estimator = cases.batch(net), cases.estimator(beta=0.4, free=PHASE, nudged=PHASE, points=4)
    exact = estimator.gradient(cases.engine("local", net), batch)
    cases.assert_close(estimator.gradient(engine(net, crossbar__weight_range=8.0), batch), exact, 1e-12)


@pytest.mark.parametrize("signal", ["states", "difference"])
@pytest.mark.parametrize("points", [2, 4, 6])
def test_every_state_is_read_out_once_and_the_clamped_input_once(signal, points):
    """Both ways take two conversions of a state for each pair; with enough bits the gradient is the exact one."""
    net = cases.network("sentiment")
    batch, estimator = cases.batch(net), cases.estimator(beta=0.4, free=PHASE, nudged=PHASE, points=points)
    made = engine(net, crossbar__weight_range=8.0, readout__bits=24, readout__signal=signal)
    made.calibrate([batch], estimator)
    before = made.counters()["state_conversions"]
    found = estimator.gradient(made, batch)
    cases.assert_close(found, estimator.gradient(cases.engine("local", net), batch), 1e-4)
    tokens = int(batch.inputs["text"].lengths.sum())
    moved = sum(points * batch.size * sum(synapse.shape) for synapse in net.dense)
    token_rows = tokens * net.projections[0].shape[0] * (points if signal == "states" else points // 2)
    clamped = tokens * net.projections[0].shape[1]
    assert made.counters()["state_conversions"] - before == moved + token_rows + clamped


@pytest.mark.parametrize("signals", ["phases", "contrast"])
@pytest.mark.parametrize("clamped", [False, True])
def test_trains_of_all_pairs_change_the_weights_along_the_gradient_on_average(signals, clamped):
    posts = [Moved(GENERATOR.random((6, 4)), GENERATOR.random((6, 4))) for _ in FACTORS]
    pres = [Moved(GENERATOR.normal(size=(6, 5)), GENERATOR.normal(size=(6, 5))) for _ in FACTORS]
    post = Summed(posts, FACTORS) if clamped else Stacked(posts, FACTORS, np.concatenate)
    pre = Held(pres[0].plus) if clamped else Stacked(pres, [1.0, 1.0], np.concatenate)
    contrast, found = Contrast(post, pre, 0.4, 6), []
    for seed in range(100):
        made = array(
            seed, crossbar__weight_range=1.0, device__pulse__dw_min=1e-3, update__scheme="pulsed",
            update__signals=signals, update__trains="expected", update__train_length=63,
        )  # fmt: skip
        assert made.update(contrast, RATE) == 0
        found.append(made.state()["weight"] - WEIGHT)
    wanted = -RATE * contrast.weight_gradient()
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert np.abs((np.mean(found, axis=0) - wanted) / error).max() < 4.5
    assert np.linalg.norm(error) < 0.3 * np.linalg.norm(wanted)
    np.testing.assert_allclose(made.bias, -RATE * contrast.bias_gradient())


SCHEMES = {
    "digital": {},
    "mixed precision": {"update__scheme": "mixed_precision", "device__pulse__dw_min": 1e-4},
    "pulsed phases": {"update__scheme": "pulsed", "update__signals": "phases", "device__pulse__dw_min": 1e-4},
    "pulsed contrast": {"update__scheme": "pulsed", "update__signals": "contrast", "device__pulse__dw_min": 1e-4},
    "events": {"substrate": "event_driven"},
    "held difference": {"readout__bits": 10, "readout__signal": "difference", "readout__hold_noise": 1e-4},
    "analog attention": {"attention__kind": "analog", "dac__bits": 8, "adc__bits": 8},
}


@pytest.mark.parametrize("name", SCHEMES)
def test_every_kind_of_chip_learns_with_four_points(name):
    """The change of the weights goes the way of the exact gradient, and a second run gives the same bits."""
    net = cases.network("sentiment")
    batch, estimator = cases.batch(net), cases.estimator(beta=0.4, free=PHASE, nudged=PHASE, points=4)
    fields = {**({} if name == "events" else {"crossbar__weight_range": 4.0}), **SCHEMES[name]}
    ends = []
    for _ in range(2):
        made = engine(net, **fields)
        made.calibrate([batch], estimator)
        start = made.parameters()
        for step in range(4):
            measured = estimator.measure(made, batch.keyed("train", step), step)
            made.update(measured.contrasts, {synapse.name: 0.05 for synapse in net.synapses})
        ends.append(made.parameters())
    cases.assert_same(*ends)
    moved = {key: value - start[key] for key, value in ends[0].items()}
    assert all(np.abs(moved[f"{synapse.name}.weight"]).max() > 0 for synapse in net.synapses)
    if name == "pulsed phases":
        return  # trains of whole states drown a few updates in their spread; their mean is tested above
    exact = estimator.gradient(cases.engine("local", net), batch)
    last = f"{net.dense[-1].name}.weight"
    assert (moved[last] * exact[last]).sum() < 0
