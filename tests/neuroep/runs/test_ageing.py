"""A chip's age while it learns and after: what is being trained is fresh, what is evaluated is as old as asked."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hw_models import presets
from hw_models.arrays.counted import COUNTERS
from hw_models.tally import Tally
from neuroep.runs import building, config, deployment, directory as runs, training
from neuroep.runs.evaluation import evaluate
from neuroep.runs.session import Session

DAY, AGES = 86400.0, (0.0, 86400.0, 1e9)
DRIFT = {
    "drift_mean": [-0.0155, 0.0244, 0.049, 0.1], "drift_spread": [-0.0125, -0.0059, 0.008, 0.045],
    "read_noise": 0.0088, "read_noise_law": "pcm",
}  # fmt: skip
SCHEMES = {
    "digital": {"device": {**DRIFT, "programming_noise": [0.26348, 1.9650, -1.1731]}, "update": {"scheme": "digital"}},
    "pulsed": {"device": {**DRIFT, "pulse": {"dw_min": 1e-3}}, "update": {"scheme": "pulsed"}},
    "mixed_precision": {"device": {**DRIFT, "pulse": {"dw_min": 1e-3}}, "update": {"scheme": "mixed_precision"}},
}


def settings(scheme, age, epochs=1, **chip):
    parts = {name: dict(values) for name, values in SCHEMES[scheme].items()} | chip
    parts["device"]["age"] = DAY
    values = {
        "network": {"tokens": 12, "dense": [8, 2], "readout": "pooled", "output_bias": 1.0},
        "data": {"limit": 60},
        "settling": {"free_steps": 4, "nudged_steps": 4},
        "optimiser": {"kind": "sgd", "projection_rate": 0.5, "dense_rate": 0.5},
        "training": {"epochs": epochs, "batch": 20},
        "chip": {"preset": {**parts, "adc": {"bits": 8}}, "device": {"age": age}},  # at 0 what drifts is kept
    }
    return config.parse(values)


@pytest.fixture(scope="module", params=SCHEMES)
def trained(request, tmp_path_factory):
    """Runs that differ in their chip's age alone, by age, and their last records."""
    folder = tmp_path_factory.mktemp(request.param)
    records = {age: training.train(settings(request.param, age), folder / f"{age:g}", progress=False) for age in AGES}
    return folder, records


def tensors(path):
    """Everything a checkpoint keeps but readings at the stop, which evaluations of old devices have of their own."""
    saved = runs.load(path).checkpoint()
    kept = saved.parameters | saved.optimiser | saved.devices
    stops = [n for n, name in enumerate(COUNTERS) if name.endswith("at_stop")]
    for name in kept:
        if name.endswith("crossbar.counts"):
            first = len(kept[name]) - 2 * len(COUNTERS)
            kept[name] = np.delete(kept[name], [first + n for n in stops] + [first + len(COUNTERS) + n for n in stops])
        elif name.endswith("tally.counts"):
            kept[name] = without_stops(kept[name])
    return kept


def without_stops(packed: np.ndarray) -> np.ndarray:
    """Return a tally without its readings at the stop."""
    whole, found = Tally(), Tally()
    whole.load(packed)
    for work, number in whole.rows():
        if "at_stop" not in work.operation:
            found.add(work.part, work.operation, number, work.shape, work.bits, work.phase)
    return found.packed()


def test_what_is_being_trained_is_not_a_day_old(trained):
    """Every weight, range and moment of the rule is the same to the bit whatever age the chip is to be read at."""
    folder, records = trained
    young = tensors(folder / "0")
    for age in AGES[1:]:
        old = tensors(folder / f"{age:g}")
        assert young.keys() == old.keys()
        for name, values in young.items():
            np.testing.assert_array_equal(values, old[name], err_msg=name)
        assert records[age]["train"] == records[0.0]["train"]
        both = [{name: n for name, n in records[a]["counters"].items() if "at_stop" not in name} for a in (age, 0.0)]
        assert both[0] == both[1]
        assert records[age]["evaluate"]["test"]["loss"] != records[0.0]["evaluate"]["test"]["loss"]


def test_a_trained_chip_is_read_at_any_age_without_a_write(trained):
    """At its own age as the last epoch saw it, at another as a chip trained for that age: the very same devices."""
    folder, records = trained
    for kept in AGES:
        for age in AGES:
            found = deployment.evaluate(folder / f"{kept:g}", overrides=["--chip.device.age", repr(age)])
            assert found.loss == records[age]["evaluate"]["test"]["loss"]
            assert found.counters["writes"] == 0
        assert deployment.evaluate(folder / f"{kept:g}").loss == records[kept]["evaluate"]["test"]["loss"]


def test_other_devices_are_still_programmed_anew(trained):
    folder, _ = trained
    own = deployment.evaluate(folder / "0", overrides=["--chip.device.age", repr(DAY)])
    for other in (["--chip_seed", "7"], ["--chip.device.g_max", "30.0"]):
        given = [*other, "--chip.device.age", repr(DAY)]
        assert deployment.evaluate(folder / "0", overrides=given).loss != own.loss


def test_the_command_reads_a_run_at_another_age(trained, neuroep):
    folder, records = trained
    shown = neuroep("evaluate", folder / "0", "--chip.device.age", "1e9", "--json", "--quiet")
    assert json.loads(shown.out)["loss"] == records[1e9]["evaluate"]["test"]["loss"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_resumed_run_with_wires_that_are_seldom_solved_is_the_same(scheme, tmp_path):
    """An evaluation of the aged chip in between leaves nothing behind."""
    wires = {"r_word": 2.0, "r_bit": 2.0, "refresh_every": 3}
    silent: dict = {"progress": False, "diagnose": False}
    training.train(settings(scheme, DAY, 2, wires=wires), tmp_path / "one", **silent)
    training.train(settings(scheme, DAY, 1, wires=wires), tmp_path / "two", **silent)
    last = training.train(settings(scheme, DAY, 2, wires=wires), tmp_path / "two", resume=True, **silent)
    one, two = tensors(tmp_path / "one"), tensors(tmp_path / "two")
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], err_msg=name)
    assert deployment.evaluate(tmp_path / "two").loss == last["evaluate"]["test"]["loss"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_in_ones_own_loop_what_an_update_writes_is_fresh(scheme):
    """A chip that lay for a day and then learns: what is written conducts in full, the rest goes on to drift."""
    from neuroep import data

    quiet = {"drift_mean": [0.0, 0.06, 0.06, 0.06], "age": DAY, "pulse": {"dw_min": 1e-3}}
    values = settings(scheme, DAY).to_dict()
    values["chip"] = {"device": quiet, "crossbar": {"weight_headroom": 2.0}, "update": SCHEMES[scheme]["update"]}
    parts = Session.open(config.parse(values))
    batch = next(iter(data.batches(parts.corpus.split("train"), parts.corpus.vectors, 20, sequences=("text",))))
    name = "dense_1.weight"
    before, factor = parts.engine.parameters()[name], (1 + DAY / 20) ** -0.06
    np.testing.assert_allclose(parts.engine.conducting()[name], factor * before, rtol=1e-4, atol=1e-7)
    contrasts = parts.estimator.measure(parts.engine, batch, 0).contrasts
    parts.engine.update(contrasts, building.rates(parts.config, parts.network, 0))
    after, conducts = parts.engine.parameters()[name], parts.engine.conducting()[name]
    written = np.abs(after - before) > 1e-6 if scheme != "digital" else np.ones(after.shape, dtype=bool)
    assert written.any()
    np.testing.assert_allclose(conducts[written], after[written], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(conducts[~written], factor * after[~written], rtol=1e-4, atol=1e-6)
    fresh = parts.engine.conducting()[name]
    with parts.engine.aged():
        aged = parts.engine.conducting()[name]
    np.testing.assert_allclose(aged[written], factor * after[written], rtol=1e-4, atol=1e-6)
    evaluate(parts.engine, parts.corpus, "test", parts.estimator.free, batch=20)
    np.testing.assert_array_equal(parts.engine.conducting()[name], fresh)


@pytest.mark.parametrize("name", ["pcm", "hermes", "rram"])
def test_presets_that_are_a_day_old_once_deployed_learn_with_fresh_devices(name, tmp_path):
    values = settings("digital", DAY).to_dict() | {"chip": presets.load(name).to_dict()}
    record = training.train(config.parse(values), tmp_path / "old", progress=False, diagnose=False)
    values["chip"] = {"preset": values["chip"], "device": {"age": 0.0}}
    fresh = training.train(config.parse(values), tmp_path / "new", progress=False, diagnose=False)
    assert record["train"] == fresh["train"] and record["counters"] == fresh["counters"]
    assert deployment.evaluate(tmp_path / "old").loss == record["evaluate"]["test"]["loss"]
    given = ["--chip.device.age", "0.0"]
    assert deployment.evaluate(tmp_path / "old", overrides=given).loss == fresh["evaluate"]["test"]["loss"]
