"""Deployment: a trained run on chips, and the commands around it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hw_models.chip import Chip, files, pages
from neuroep.errors import CheckpointError, ConfigError
from neuroep.runs import config, deployment, directory as runs, training

NOISY = ["--chip", "ideal", "--chip.device.programming_noise", "[2.0]", "--chip.adc.bits", "6"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    values = {
        "network": {"tokens": 12, "dense": [8, 2], "readout": "pooled", "output_bias": 1.0},
        "data": {"limit": 60},
        "settling": {"free_steps": 4, "nudged_steps": 4},
        "training": {"epochs": 1, "batch": 20},
    }
    out = tmp_path_factory.mktemp("runs") / "ideal"
    training.train(config.parse(values), out, progress=False)
    return out


def test_an_ideal_chip_predicts_what_the_run_does(trained):
    plain, chip = deployment.evaluate(trained), deployment.evaluate(trained, overrides=["--chip", "ideal"])
    assert plain.loss == chip.loss
    assert chip.counters["adc"] > 0
    assert "adc" not in plain.counters
    assert plain.counters["settle_steps"] == chip.counters["settle_steps"]


def test_seeds_are_chips_and_their_spread_is_reported(trained):
    found = deployment.deploy(trained, overrides=NOISY, seeds=3)
    losses = [evaluation.loss for evaluation in found.evaluations]
    assert len(set(losses)) == 3
    assert found.accuracy == pytest.approx(np.mean([e.accuracy for e in found.evaluations]))
    assert found.spread == pytest.approx(np.std([e.accuracy for e in found.evaluations], ddof=1))
    again = deployment.deploy(trained, overrides=NOISY, seeds=2)
    assert [e.loss for e in again.evaluations] == losses[:2]
    assert f" +- {found.spread:.4f} (standard deviation) over 3 seeds" in found.as_text()
    assert np.isnan(deployment.deploy(trained, overrides=NOISY, seeds=1).spread)


def test_seeds_need_a_chip(trained):
    with pytest.raises(ConfigError, match="add chip=NAME"):
        deployment.deploy(trained, seeds=2)
    with pytest.raises(ConfigError, match="seeds is 0"):
        deployment.deploy(trained, overrides=NOISY, seeds=0)


def test_a_run_starts_from_the_weights_of_another(trained, tmp_path):
    values = config.load(trained / "config.toml").to_dict()
    values["optimiser"] |= {"projection_rate": 0.0, "dense_rate": 0.0}
    record = training.train(config.parse(values), tmp_path / "same", start=trained, progress=False)
    assert record["evaluate"]["test"]["loss"] == deployment.evaluate(trained).loss


def test_another_network_is_no_start(trained, tmp_path):
    values = config.load(trained / "config.toml").to_dict()
    values["network"]["dense"] = [7, 2]
    with pytest.raises(CheckpointError, match="another network"):
        training.train(config.parse(values), tmp_path / "other", start=trained, progress=False)
    assert not (tmp_path / "other").exists()


def test_commands_deploy_and_fine_tune(trained, tmp_path, neuroep):
    shown = neuroep("evaluate", trained, *NOISY, "--seeds", 2, "--json", "--quiet")
    page = json.loads(shown.out)
    assert page["seeds"].keys() == {"0", "1"}
    tuned = neuroep(
        "train", trained / "config.toml", "--from", trained, *NOISY, "--out", tmp_path / "tuned", "--quiet"
    )
    assert tuned.code == 0
    assert config.load(tmp_path / "tuned" / "config.toml").chip.adc.bits == 6


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--chip", ""], ["unknown chip ''"]),
        (["--chip", "pcm", "--chip_seed", "3", "--seeds", "2"], ["chip_seed", "seeds = 2"]),
        (["--chip.X", "3"], ["unknown setting '--chip.X'", "chip.adc"]),
        (["--chip", "pmc"], ["unknown chip 'pmc'", "did you mean 'pcm'"]),
        (["--chip", "missing.toml"], ["cannot read chip", "missing.toml"]),
        (["--chip.adc.bits", "0"], ["chip.adc.bits = 0", "greater than or equal to 1"]),
        (["--chip.adc.bitz", "4"], ["unknown setting '--chip.adc.bitz'", "did you mean '--chip.adc.bits'"]),
        (["--chip", "orchard_2021_loihi2", "--engine", "reference"], ["engine.kind = 'ref", "on engine 'local'"]),
        (["--chip_seed", "1"], ["engine.chip_seed = 1", "only with a chip"]),
        (["--chip", "pcm", "--chip.device.g_min", "30.0"], ["chip.device.g_min = 30.0", "below g_max"]),
        (["--chip", "gong_2018_reram", "--seeds", "0"], ["seeds is 0"]),
    ],
)
def test_what_cannot_be_is_one_line(trained, neuroep, arguments, parts):
    line = neuroep("evaluate", trained, *arguments).line
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--chip", "reram"], ["optimiser.kind = 'adam'", "allowed is 'sgd'"]),
        (["--chip", "reram", "--optimiser.kind", "sgd", "--momentum", "0.5"], ["optimiser.momentum = 0.5"]),
        (["--chip", "reram", "--optimiser.kind", "sgd", "--weight_decay", "0.5"], ["optimiser.weight_decay = 0.5"]),
        (["--from", "nowhere"], ["run directory 'nowhere' does not exist"]),
    ],
)
def test_what_a_chip_cannot_learn_is_one_line_and_writes_nothing(trained, tmp_path, neuroep, arguments, parts):
    line = neuroep("train", trained / "config.toml", "--out", tmp_path / "x", *arguments).line
    for part in parts:
        assert part in line
    assert not list(tmp_path.iterdir())


def test_a_chips_fields_are_unset_by_none(trained):
    given = ["--chip", "pcm", "--chip.adc.bits", "none", "--chip.crossbar.rows", "none"]
    chip = runs.load(trained, given).config.chip
    assert (chip.adc.bits, chip.crossbar.rows) == (None, None)
    assert chip.device.g_max == 25.0
    assert runs.load(trained, ["--chip", "none"]).config.chip is None


def test_another_chip_seed_is_another_chip_even_of_the_runs_own(trained, tmp_path):
    values = config.load(trained / "config.toml").to_dict()
    values["chip"] = {"device": {"mismatch": 0.3, "programming_noise": [1.0]}}
    values["engine"]["chip_seed"] = 3
    training.train(config.parse(values), tmp_path / "run", start=trained, progress=False, diagnose=False)
    other = deployment.evaluate(tmp_path / "run", overrides=["--chip_seed", "0"])
    assert other.loss == deployment.deploy(tmp_path / "run", seeds=1).evaluations[0].loss
    assert other.loss != deployment.evaluate(tmp_path / "run").loss
    with pytest.raises(ConfigError, match="started from"):
        training.train(config.parse(values), tmp_path / "run", resume=True, start=tmp_path, progress=False)


def test_limits_of_arrays_are_told_with_the_epoch(trained, tmp_path, neuroep):
    given = ["--chip.crossbar.weight_range", "0.05", "--epochs", "1"]
    shown = neuroep("train", trained / "config.toml", "--chip", "ideal", *given, "--out", tmp_path / "run")
    assert "weights at the range" in shown.out


def test_a_changed_preset_says_so():
    chip = Chip.parse(files.laid_over(files.load("pcm").to_dict(), {"adc": {"bits": 4}}))
    assert pages.label(chip) == "joshi_2020_pcm (adc.bits=4)"
    assert pages.label(files.load("pcm")) == "joshi_2020_pcm"


def test_chips_are_listed_and_shown(neuroep):
    assert "joshi_2020_pcm, pcm" in neuroep("chips").out
    assert "device.g_max" in neuroep("chips", "hermes").out
    assert "doi.org" in neuroep("chips", "hermes").out
    assert "events.threshold" in neuroep("chips", "--fields").out
    assert "[device]" in neuroep("chips", "pcm", "--toml").out
    assert "unknown chip 'pmc'" in neuroep("chips", "pmc").line
