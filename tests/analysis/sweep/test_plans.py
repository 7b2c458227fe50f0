"""Plans and trials: what changes a trial's identity, what must not, and what is refused before anything runs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.sweep import plans
from analysis.sweep.designs import axis, points
from analysis.sweep.execution import corpus_of, execute
from analysis.sweep.trials import identity
from neuroep.data.text_corpus import content_hash
from neuroep.errors import CheckpointError, ConfigError, DataError, NeuroepError
from neuroep.runs import config, directory as runs
from neuroep.runs.building import build_corpus

CHIP = ["--chip", "ideal"]


def plan(source: Path, *vary: str, overrides: list[str] | None = None, **settings) -> plans.SweepPlan:
    choices = points([axis(text) for text in vary or ("chip.adc.bits=4",)])
    return plans.make(source, choices, overrides or [], **settings)


def trial_id(*arguments, seed: int = 0, **settings) -> str:
    made = plan(*arguments, **settings)
    return made.points[0].trial(made.task, seed).id


@pytest.mark.parametrize(
    "overrides",
    [
        ["--chip.device.read_noise", "0.1"],
        ["--settling.free_steps", "5"],
        ["--training.batch", "7"],
        ["--training.seed", "1"],
        ["--data.limit", "80"],
        ["--engine.dtype", "float64"],
    ],
)
def test_settings_change_the_identity(trained, overrides):
    assert trial_id(trained) != trial_id(trained, overrides=overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        ["--engine.threads", "1"],
        ["--chip.name", "mine"],
        ["--optimiser.dense_rate", "0.5"],
        ["--training.probe", "3"],
        ["--training.evaluate", "train"],
        ["--training.epochs", "9"],
        ["--chip.caveat", "none"],
    ],
)
def test_what_acts_on_nothing_does_not(trained, overrides):
    assert trial_id(trained, overrides=CHIP) == trial_id(trained, overrides=[*CHIP, *overrides])


def test_seed_mode_split_samples_and_weights_change_it(trained, tiny, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    same = trial_id(other)
    saved = runs.load(other).checkpoint()
    changed = {name: array * 1.001 for name, array in saved.parameters.items()}
    runs.load(other).save(replace(saved, parameters=changed))
    found = [
        trial_id(trained),
        trial_id(trained, seed=1),
        trial_id(trained, mode="learn"),
        trial_id(trained, split="train"),
        trial_id(trained, samples=10),
        trial_id(tiny, mode="learn"),
        trial_id(other),
    ]
    assert same == found[0], "where a run lies is no part of it"
    assert len(set(found)) == len(found)


def test_epochs_count_when_learning(tiny):
    assert trial_id(tiny) != trial_id(tiny, overrides=["--training.epochs", "3"])


def test_threads_count_on_the_reference(tiny):
    reference = {"overrides": ["--engine", "reference"], "mode": "learn"}
    two = {**reference, "overrides": [*reference["overrides"], "--engine.threads", "2"]}
    assert trial_id(tiny, "beta=0.1", **reference) != trial_id(tiny, "beta=0.1", **two)


def test_the_data_and_the_version_count(trained, monkeypatch):
    made = plan(trained)
    point = made.points[0]
    before = identity(made.task, point.settings, point.data, 0)
    assert before != identity(made.task, point.settings, "other", 0)
    monkeypatch.setattr("analysis.sweep.trials.__version__", "999")
    assert before != identity(made.task, point.settings, point.data, 0)


def test_a_spec_is_plain_and_gives_the_configuration_back(trained):
    made = plan(trained, overrides=["--chip", "pcm"])
    spec = made.points[0].trial(made.task, 3).spec(threads=1)
    again = json.loads(json.dumps(spec))
    assert again == spec
    expected = runs.load(trained, ["--chip", "pcm", "--chip.adc.bits", "4", "--engine.chip_seed", "3"]).config
    assert config.parse(again["config"]) == expected


def test_values_are_those_of_the_configuration(trained, tiny):
    made = plan(trained, "chip=pcm,ideal", "chip.adc.bits=4,none", "chip.device.read_noise=0")
    assert made.points[0].values == {"chip": "pcm", "chip.adc.bits": 4, "chip.device.read_noise": 0.0}
    assert made.points[1].values["chip.adc.bits"] is None
    assert [point.config.chip.is_ideal for point in made.points] == [False, False, False, True]
    dense = plan(tiny, "network.dense=[8,2],[4,2]", "optimiser.rates.dense_1=1e-3")
    assert dense.points[1].values == {"network.dense": "[4, 2]", "optimiser.rates.dense_1": 1e-3}


@pytest.mark.parametrize(
    ("vary", "settings", "message"),
    [
        ("chip.adc.bits=4,99", {}, "chip.adc.bits = 99"),
        ("chip=pcm,pmc", {}, "did you mean 'pcm'"),
        ("beta=0.1", {}, r'programs chips: add overrides=\["--chip", "NAME"\]'),
        ("chip=none,pcm", {}, "point chip = none: mode 'deploy' programs chips"),
        ("network.dense=[4,2]", {"overrides": CHIP}, "another network than this point"),
        ("network.dense=[8,3]", {"overrides": CHIP}, "3 outputs"),
        ("chip.adc.bits=4", {"split": "tset"}, "did you mean 'test'"),
        ("chip.adc.bits=4", {"mode": "lern"}, "did you mean 'learn'"),
        ("chip.adc.bits=4", {"samples": 0}, "samples is 0"),
        ("chip.update.scheme=pulsed", {"mode": "learn"}, "update scheme|learns by pulses"),
        ("engine.chip_seed=1,2", {"overrides": CHIP}, "ask for more seeds"),
        ("training.seed=1,2", {"mode": "learn"}, "ask for more seeds"),
        ("engine.threads=1,2", {"overrides": CHIP}, "are the same trial"),
    ],
)
def test_refuses_before_anything_runs(trained, vary, settings, message):
    with pytest.raises(NeuroepError, match=message) as error:
        plan(trained, vary, **settings)
    assert "\n" not in str(error.value)


def test_refuses_what_is_no_source(tmp_path):
    with pytest.raises(CheckpointError, match="is no run directory"):
        plan(tmp_path)
    with pytest.raises(ConfigError, match="cannot read configuration"):
        plan(tmp_path / "missing.toml")


def test_a_validation_split_that_will_be_held_out_is_known(tiny):
    held = ["--data.validation", "0.2"]
    assert plan(tiny, "beta=0.1", overrides=held, split="validation").points
    with pytest.raises(DataError, match="unknown split 'validation'"):
        plan(tiny, "beta=0.1", split="validation")


def test_a_worker_refuses_other_data_and_other_weights(trained, tmp_path):
    made = plan(trained, overrides=CHIP)
    spec = made.points[0].trial(made.task, 0).spec(threads=1)
    with pytest.raises(DataError, match="other data than those"):
        execute({**spec, "data": "other"})
    with pytest.raises(CheckpointError, match="has changed since"):
        execute({**spec, "checkpoint": "other"})


@pytest.mark.parametrize(
    "overrides", [[], ["--data.validation", "0.2"], ["--data.limit", "none"], ["--data.limit", "70"]]
)
def test_a_worker_has_the_corpus_that_is_assembled(tiny, overrides):
    made = plan(tiny, "beta=0.1", overrides=overrides)
    settings = config.load(tiny, overrides)
    found, expected = corpus_of(settings, made.points[0].data), build_corpus(settings)
    assert content_hash(found) == content_hash(expected)
    assert corpus_of(settings, made.points[0].data) is found


def test_what_is_kept_without_effect_is_said_once_by_the_plan(trained, caplog):
    """Trials say nothing of it: processes that each say it would say it as often as there are."""
    config.say.cache_clear()
    base = ["--chip", "ideal", "--chip.readout.signal", "difference"]
    plan(trained, "chip.readout.bits=none,6", overrides=base, mode="learn")
    said = [each.message for each in caplog.records if "cannot act here" in each.message]
    assert said == ["chip 'ideal': readout.signal cannot act here and is kept without effect"]


def test_points_may_be_laid_over_what_is_given(trained):
    """As an ablation does: the chip has a fault, and points switch it off."""
    given = ["--chip", "ideal", "--chip.device.mismatch", "0.3", "--chip.adc.bits", "6"]
    choices = [{"chip.device.mismatch": "0.3"}, {"chip.device.mismatch": "0"}]
    with pytest.raises(ConfigError, match=r"it acts at no point, as .* is varied"):
        plans.make(trained, choices, given)
    plan = plans.make(trained, choices, given, laid_over=True)
    assert [point.config.chip.device.mismatch for point in plan.points] == [0.3, 0.0]
    assert {point.config.chip.adc.bits for point in plan.points} == {6}
    with pytest.raises(ConfigError, match=r"engine\.chip_seed: mode 'deploy' gives the trials the seeds"):
        plans.make(trained, choices, [*given, "--engine.chip_seed", "3"], laid_over=True)
