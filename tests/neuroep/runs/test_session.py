"""A session: what is opened, on which devices, and that every way in gives the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hw_models
import neuroep
from neuroep.errors import CheckpointError, ConfigError, DataError, UserError
from neuroep.runs import building, config, deployment, directory as runs, training
from neuroep.runs.evaluation import evaluate
from neuroep.runs.session import Session, devices_of

CHIP = {"device": {"mismatch": 0.2, "read_noise": 0.02}, "adc": {"bits": 6}, "calibration_samples": 20}
VALUES: dict[str, Any] = {
    "network": {"tokens": 8, "dense": [6, 2], "readout": "pooled", "output_bias": 1.0},
    "data": {"limit": 60},
    "settling": {"free_steps": 3, "nudged_steps": 3},
    "optimiser": {"projection_rate": 1e-2, "dense_rate": 1e-2},
    "training": {"epochs": 1, "batch": 20},
    "chip": CHIP,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run that was trained on a chip; to be read only."""
    out = tmp_path_factory.mktemp("session") / "run"
    training.train(config.parse(VALUES), out, progress=False)
    return out


def recorded(run: Path) -> float:
    return float(runs.load(run).metrics[-1]["evaluate"]["test"]["loss"])


def test_a_run_goes_on_with_the_devices_it_was_trained_with(run):
    session = Session.open(run)
    assert session.evaluate().loss == recorded(run)
    assert (session.epoch, session.config.chip.adc.bits) == (1, 6)
    saved = runs.load(run).checkpoint()
    kept = session.engine.device_state()
    assert saved.devices and kept.keys() == saved.devices.keys()
    conductances = [name for name in kept if "counts" not in name]
    for name in conductances:
        np.testing.assert_array_equal(kept[name], saved.devices[name], err_msg=name)


@pytest.mark.parametrize("way", ["path", "text", "run", "weights", "corpus"])
def test_every_way_in_gives_the_same_numbers(run, way):
    given: dict[str, Any] = {}
    source: Any = {"path": run, "text": str(run)}.get(way, runs.load(run))
    if way == "weights":
        given["weights"] = runs.load(run).checkpoint()
    if way == "corpus":
        given["corpus"] = building.build_corpus(config.parse(VALUES))
    session = Session.open(source, **given)
    assert session.evaluate().loss == recorded(run) == neuroep.evaluate(run).loss


def test_devices_can_be_programmed_anew(run):
    anew = Session.open(run, devices="program")
    assert anew.epoch == 0
    assert anew.evaluate().loss != recorded(run)
    assert anew.evaluate().loss == neuroep.evaluate(run, devices="program").loss
    given = ["--engine.chip_seed", "0"]  # that of the run, as training.seed is 0
    assert Session.open(run, overrides=given).evaluate().loss == recorded(run)
    assert neuroep.deploy(run).evaluations[0].loss == anew.evaluate().loss


def test_another_chip_is_programmed_by_name_file_or_object(run, tmp_path):
    chip = hw_models.load("hermes")
    hw_models.save(chip, tmp_path / "mine.toml")
    found = [Session.open(run, chip=given) for given in ("hermes", chip, tmp_path / "mine.toml")]
    by_hand = Session.open(run, overrides=["--chip", "hermes"])
    assert {session.evaluate().loss for session in found} == {by_hand.evaluate().loss}
    assert {session.epoch for session in found} == {0}
    bits = Session.open(run, chip=chip, overrides=["--chip.adc.bits", "5"]).config.chip.adc.bits
    assert bits == 5
    assert Session.open(run, chip="none").config.chip is None


def test_what_only_tells_of_a_chip_keeps_its_devices(run):
    told = config.changed(runs.load(run).config, ["--chip.citation", "elsewhere"])
    assert devices_of(told) == devices_of(runs.load(run).config)
    other = config.changed(told, ["--chip.device.mismatch", "0.3"])
    assert devices_of(told) != devices_of(other)


def test_a_configuration_has_initial_weights(run, tmp_path):
    (tmp_path / "c.toml").write_text(config.parse(VALUES).to_toml())
    for source in (tmp_path / "c.toml", config.parse(VALUES)):
        session = Session.open(source)
        assert session.checkpoint is None and session.epoch == 0 and not session.engine.calibrates
    network = session.network
    drawn = building.build_engine(session.config, network).parameters()
    for name, values in session.engine.parameters().items():
        np.testing.assert_array_equal(values, drawn[name])


def test_weights_of_a_loop_of_ones_own_are_called_so(run):
    """Before, a session that had learned was said to have initial weights, or those of its run."""
    session = Session.open(config.parse(VALUES))
    rates = dict.fromkeys(session.rates(0), 1e-3)
    assert "initial weights" in session.caption() and "update" not in session.caption()
    for count, batch in enumerate(session.batches("train", 4), 1):
        session.engine.update(session.estimator.measure(session.engine, batch).contrasts, rates)
        assert f"initial weights after {count} update{'s' * (count > 1)}" in session.caption()
        if count == 2:
            break
    anew = session.programmed(config.changed(session.config, chip=hw_models.Chip()))
    assert anew.config.chip == hw_models.Chip() != session.config.chip
    assert "initial weights after 2 updates" in anew.caption()
    kept = Session.open(run)
    assert kept.engine.arrays["query"].updates > 0 and " after " not in kept.caption()


def test_moments_come_only_with_the_devices_they_belong_to(run):
    saved = runs.load(run).checkpoint()
    going_on = Session.open(run, moments=True).engine.optimiser_state()
    assert all(np.array_equal(going_on[name], values) for name, values in saved.optimiser.items())
    anew = Session.open(run, devices="program", moments=True).engine.optimiser_state()
    assert int(anew["query.updates"]) == 0 < int(saved.optimiser["query.updates"])


def test_devices_are_read_at_the_age_that_is_asked_for(tmp_path):
    drift = {"device": {"age": 1e6, "drift_mean": [0.0, 0.06, 0.06, 0.06]}}
    values = {**VALUES, "chip": drift}
    old, young = Session.open(config.parse(values)), Session.open(config.parse(values), age=0.0)
    name = "dense_1.weight"
    assert np.abs(old.engine.conducting()[name]).sum() < 0.9 * np.abs(young.engine.conducting()[name]).sum()


def test_an_evaluation_is_that_of_the_parts(run):
    session = Session.open(run, chip="none")
    free, corpus = session.estimator.free, session.corpus
    by_hand = evaluate(session.engine, corpus, "test", free, batch=20)
    assert session.evaluate("test").loss == by_hand.loss
    some = session.draw("test", 30, "a purpose")
    found = session.evaluate("test", only=some)
    assert found.samples == 30
    labels = corpus.split("test").labels[some]
    assert found.confusion.sum(1).tolist() == np.bincount(labels, minlength=2).tolist()


def test_batches_and_draws_are_keyed_by_the_seed(run):
    session = Session.open(run, chip="none")
    sizes = [batch.size for batch in session.batches("train")]
    assert sizes == [20, 20, 20] and next(session.batches("train", 7)).size == 7
    chosen = session.draw("train", 5, "one")
    assert np.array_equal(chosen, session.draw("train", 9, "one")[:5])
    assert not np.array_equal(chosen, session.draw("train", 5, "other"))
    assert session.batch("train", chosen).labels.tolist() == session.corpus.split("train").labels[chosen].tolist()
    first, again, later = (next(session.shuffled(epoch)).labels.tolist() for epoch in (0, 0, 1))
    assert first == again != later
    assert session.rates(0)["query"] == 1e-2


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"devices": "kept"}, ConfigError, "unknown way of devices 'kept': .*mean 'keep'"),
        ({"chip": "pmc"}, UserError, "unknown chip 'pmc': .*did you mean 'pcm'"),
        ({"chip": "pcm", "overrides": ["--chip", "hermes"]}, ConfigError, "chip is given twice"),
        ({"overrides": ["--dense", "9,2"]}, CheckpointError, "belongs to another network"),
        ({"overrides": ["--training.evaluate", "tset"]}, DataError, "unknown split 'tset'"),
        ({"overrides": ["--rates.qeury", "1.0"]}, ConfigError, "unknown synapse 'qeury'"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_is_one_line(run, given, error, message):
    with pytest.raises(error, match=message) as caught:
        Session.open(run, **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "run directory 'nowhere' does not exist"),
        ("nowhere.toml", "cannot read configuration 'nowhere.toml'"),
        (3, "source is a int: give a run directory, a configuration file or a Config"),
    ],
)
def test_what_is_no_source_is_one_line(source, message):
    with pytest.raises(UserError, match=message):
        Session.open(source)


def test_data_that_have_changed_are_refused_unless_they_are_named(run, tmp_path):
    saved = runs.load(run).checkpoint()
    changed = replace(saved, about=replace(saved.about, data="other data"))
    cure = r'add overrides=\["--data.name", "reviews"\]$'
    with pytest.raises(DataError, match=rf"are not those that .* was trained on: .*{cure}"):
        Session.open(run, weights=changed)
    assert Session.open(run, weights=changed, overrides=["--data.name", "reviews"]).corpus.name == "reviews"


def test_a_deployment_of_the_runs_own_chip_programs_it(run):
    found = deployment.deploy(run, chip="pcm", seeds=2)
    assert found.chip == "joshi_2020_pcm" and len({one.loss for one in found.evaluations}) == 2


def test_the_weights_of_a_session_are_programmed_on_another_chip(tiny):
    """On the chip of other settings with devices and ranges of its own; the session stays as it is."""
    session = Session.open(config.load(tiny, ["--chip", "ideal", "--chip.adc.bits", "6"]), age=0.0)
    before = session.engine.device_state()
    other = session.programmed(config.changed(session.config, ["--chip.adc.bits", "4", "--beta", "0.5"]))
    assert other.config.chip.adc.bits == 4 and other.estimator.beta == 0.5 and not other.engine.calibrates
    for name, value in session.engine.parameters().items():
        np.testing.assert_array_equal(other.engine.parameters()[name], value)
    for name, value in session.engine.device_state().items():
        np.testing.assert_array_equal(value, before[name])
    assert session.config.chip.adc.bits == 6


def test_a_session_prints_short(run):
    """Before, all parts with their arrays, 15 kB."""
    session = Session.open(run)
    assert repr(session) == str(session) and len(repr(session)) < 300 and "\n" not in repr(session)
    assert repr(session).startswith("<Session: ") and session.corpus.name in repr(session)
