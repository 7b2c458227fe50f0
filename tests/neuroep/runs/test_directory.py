"""Run directories: complete or absent, metrics without torn lines, settings that must stay."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from pydantic import Field

from hw_models import load as load_chip
from hw_models.chip import Chip, Readout
from neuroep.errors import CheckpointError, ConfigError
from neuroep.runs import checkpoints, config as configuration, directory as runs, folders, version_0_1
from neuroep.runs.checkpoints import About, Checkpoint
from neuroep.runs.config import Config, parse
from neuroep.runs.sections import EstimatorConfig


@pytest.fixture
def checkpoint():
    return Checkpoint(About("abc", epoch=0, updates=0, seed=0), {"w": np.zeros(3, np.float32)})


@pytest.fixture
def run(tmp_path, checkpoint):
    return runs.create(tmp_path / "run", parse({}), runs.environment(), checkpoint)


def test_a_run_is_four_files(run):
    names = {path.name for path in run.path.iterdir()}
    assert names == {"config.toml", "environment.json", "metrics.jsonl", "checkpoint.safetensors"}
    assert [path.name for path in run.path.parent.iterdir()] == ["run"]
    assert run.metrics == []
    assert run.checkpoint().about.network == "abc"


def test_what_is_created_is_loaded(run):
    found = runs.load(run.path)
    assert found == run
    assert found.environment["packages"]["numpy"] == np.__version__


def test_loading_takes_overrides_and_writes_nothing(run):
    before = (run.path / "config.toml").read_text()
    assert runs.load(run.path, ["--epochs", "77"]).config.training.epochs == 77
    assert (run.path / "config.toml").read_text() == before


def test_folders_above_are_made(tmp_path, checkpoint):
    assert runs.create(tmp_path / "a" / "b" / "run", parse({}), {}, checkpoint).path.is_dir()


def test_an_empty_directory_is_taken(tmp_path, checkpoint):
    (tmp_path / "run").mkdir()
    runs.create(tmp_path / "run", parse({}), {}, checkpoint)
    assert (tmp_path / "run" / "config.toml").is_file()


def test_a_directory_that_holds_something_is_refused(run, checkpoint):
    with pytest.raises(ConfigError, match="is not empty: choose a new or empty one"):
        runs.create(run.path, parse({}), {}, checkpoint)


def test_a_file_is_refused(tmp_path, checkpoint):
    (tmp_path / "run").touch()
    with pytest.raises(ConfigError, match="is a file"):
        runs.create(tmp_path / "run", parse({}), {}, checkpoint)


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "sub/..", "/"])
def test_a_directory_that_cannot_be_renamed_into_place(tmp_path, checkpoint, monkeypatch, name):
    (tmp_path / "a" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    for path in (name, str((tmp_path / "a" / name).resolve())):
        with pytest.raises(ConfigError, match=r"out is '.*': name a new directory, as the run directory is renamed"):
            runs.create(path, parse({}), {}, checkpoint)
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "sub"]


def test_the_working_directory_is_seen_through_a_link(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path / "real")
    with pytest.raises(ConfigError, match="name a new directory"):
        folders.check_free(tmp_path / "link")


def test_a_failure_leaves_nothing(tmp_path, checkpoint, monkeypatch):
    def full(*_: object) -> None:
        raise CheckpointError("No space left on device")

    monkeypatch.setattr(checkpoints, "save", full)
    with pytest.raises(CheckpointError, match="No space"):
        runs.create(tmp_path / "run", parse({}), {}, checkpoint)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path, checkpoint):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file/run' cannot be written: '.*/file' is no directory$"):
        runs.create(tmp_path / "file" / "run", parse({}), {}, checkpoint)


@pytest.mark.parametrize("name", ["config.toml", "checkpoint.safetensors"])
def test_a_directory_without_its_files_is_no_run(run, name):
    (run.path / name).unlink()
    with pytest.raises(CheckpointError, match=f"no run directory: it has no {name}"):
        runs.load(run.path)


def test_a_missing_directory(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        runs.load(tmp_path / "none")


def test_metrics_are_appended(run):
    run.append({"epoch": 1, "loss": 0.5})
    run.append({"epoch": 2, "loss": np.float32(0.25)})
    assert run.metrics == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]


def test_a_torn_last_line_does_not_count(run):
    run.append({"epoch": 1})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "lo')
    assert run.metrics == [{"epoch": 1}]
    run.rewind(1)
    run.append({"epoch": 2})
    assert run.metrics == [{"epoch": 1}, {"epoch": 2}]


def test_rewind_drops_later_records(run):
    for epoch in (1, 2, 3):
        run.append({"epoch": epoch})
    run.rewind(2)
    assert [record["epoch"] for record in run.metrics] == [1, 2]


def test_a_broken_line_in_the_middle_is_named(run):
    (run.path / "metrics.jsonl").write_text('{"epoch": 1}\nnonsense\n{"epoch": 3}\n')
    with pytest.raises(CheckpointError, match="line 2"):
        _ = run.metrics


@pytest.mark.parametrize("line", ['{"loss": 1}', "3", "[1]", '{"epoch": "1"}', '{"epoch": null}'])
def test_a_line_that_is_no_record_is_named(run, line):
    (run.path / "metrics.jsonl").write_text('{"epoch": 1}\n' + line + "\n")
    with pytest.raises(CheckpointError, match="line 2 is no record of an epoch"):
        _ = run.metrics


def test_rewinding_needs_the_record_of_the_epoch(run):
    run.append({"epoch": 1})
    run.rewind(1)
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl ends before the checkpoint: at epoch 1, not 2"):
        run.rewind(2)
    run.rewind(0)
    assert run.metrics == []


def test_missing_metrics_are_no_metrics(run):
    (run.path / "metrics.jsonl").unlink()
    assert run.metrics == []


def test_numbers_that_are_not_finite_become_null():
    values = {"a": float("nan"), "b": [np.inf, 1], "c": np.array([1.0, np.nan]), "d": (1, "x"), "e": True}
    assert json.loads(runs.as_json(values)) == {"a": None, "b": [None, 1], "c": [1.0, None], "d": [1, "x"], "e": True}


@pytest.mark.parametrize(
    ("override", "value"), [("training.epochs", "9"), ("training.probe", "3"), ("engine.threads", "1")]
)
def test_some_settings_may_change(run, override, value):
    changed = configuration.load(run.path / "config.toml", [f"--{override}", value])
    assert runs.config_hash(changed) == runs.config_hash(run.config)
    assert run.reconfigured(changed).config == changed
    assert runs.load(run.path).config == changed


@pytest.mark.parametrize(
    ("override", "value", "shown"),
    [
        ("training.batch", "9", "training.batch differs: the run has 100, the configuration 9"),
        ("network.output_bias", "1.0", "network.output_bias differs: the run has none, the configuration 1.0"),
        ("estimator.kind", "positive", "estimator.kind differs: the run has 'centred', the configuration 'positive'"),
        ("engine.kind", "reference", "engine.kind differs"),
    ],
)
def test_other_settings_must_stay(run, override, value, shown):
    changed = configuration.load(run.path / "config.toml", [f"--{override}", value])
    assert runs.config_hash(changed) != runs.config_hash(run.config)
    with pytest.raises(ConfigError) as caught:
        run.reconfigured(changed)
    assert shown in str(caught.value)
    assert runs.load(run.path).config == run.config


class LaterEstimator(EstimatorConfig):
    """An estimator with a setting that no version had yet."""

    sharpness: float = 2.0


class LaterReadout(Readout):
    """A table of a chip with one."""

    hold_colour: str = "red"


class LaterChip(Chip):
    readout: LaterReadout = LaterReadout()


class Later(Config):
    """Tomorrow's settings."""

    estimator: LaterEstimator = Field(default_factory=LaterEstimator)
    chip: LaterChip | None = None


@pytest.mark.parametrize("chip", [None, "pcm", "ideal"])
def test_a_new_setting_leaves_the_hash_of_runs_as_it_is(monkeypatch, chip):
    """Whoever adds one writes no list: it counts where it differs from its default."""
    today = Config(chip=None if chip is None else load_chip(chip))
    assert not {"estimator.sharpness", "chip.readout.hold_colour"} & today.flat().keys()
    before = runs.config_hash(today)
    monkeypatch.setattr(runs, "_defaults", lambda: Later(chip=LaterChip()).flat())

    def tomorrow(estimator: dict[str, object], readout: dict[str, object]) -> str:
        own = None if today.chip is None else today.chip.to_dict() | {"readout": readout}
        found = Later(estimator=LaterEstimator(**estimator), chip=own and LaterChip.model_validate(own))
        assert "estimator.sharpness" in found.flat()
        return runs.config_hash(found)

    assert tomorrow({}, {}) == before
    assert tomorrow({"sharpness": 3.0}, {}) != before
    assert (tomorrow({}, {"hold_colour": "blue"}) == before) is (chip is None)


@pytest.mark.parametrize("name", ["plain", "pcm"])
def test_settings_of_version_0_1_are_known(name):
    """All that its runs wrote down, but what may change, and what was unset unless given."""
    path = Path(__file__).parents[2] / "recorded" / "version_0_1" / name / "config.toml"
    written = dict(configuration._leaves(tomllib.loads(path.read_text())))
    unset = {key for key in written if key not in runs._defaults()}
    assert written.keys() - version_0_1.SETTINGS - runs.CHANGEABLE <= unset
    assert version_0_1.SETTINGS - runs._defaults().keys() == {"chip.update.signals"}  # now unset, each rule has its own


def test_the_environment_names_versions_and_machine():
    found = runs.environment({"engine": {"engine": "local"}})
    assert {"python", "platform", "machine", "cpus", "created", "packages", "engine"} <= set(found)
    assert {"neuroep", "numpy", "numba", "torch"} <= set(found["packages"])
