"""Training: records, both engines, resuming bit for bit, kills at any moment, divergence."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest

from hw_models.errors import ChipError
from neuroep.engines.engine import Engine
from neuroep.errors import CheckpointError, ConfigError, DataError, DivergenceError
from neuroep.runs import building, checkpoints, config as configuration, directory as runs, training
from neuroep.runs.session import Session


def load(path, *overrides):
    return configuration.load(path, overrides)


def train(path, out, *overrides, **settings):
    return training.train(load(path, *overrides), out, progress=False, **settings)


def bits(run):
    """Return the bytes of a run's checkpoint."""
    return (run / "checkpoint.safetensors").read_bytes()


@pytest.mark.parametrize("engine", ["local", "reference"])
def test_a_run_is_recorded(tiny, tmp_path, engine):
    seen = []
    last = train(tiny, tmp_path / "run", "--engine", engine, report=seen.append)
    run = runs.load(tmp_path / "run")
    assert [record["epoch"] for record in run.metrics] == [1, 2]
    assert [record["updates"] for record in run.metrics] == [5, 10]
    assert run.metrics == json.loads(runs.as_json(seen))
    assert last == seen[-1]
    record = run.metrics[-1]
    assert set(record["train"]) == {"loss", "accuracy"}
    assert {"dead_outputs", "saturated_outputs", "displacement_ratio", "free_steps", "residual"} <= set(
        record["health"]
    )
    assert record["evaluate"]["test"]["samples"] == 1000
    assert 0 <= record["evaluate"]["test"]["accuracy"] <= 1
    assert set(record["rates"]) == {"query", "dense_1", "dense_2"}
    assert set(record["seconds"]) == {"compile", "train", "evaluate"}
    assert record["peak_memory_mib"] > 10
    assert "probe" not in record
    about = run.checkpoint().about
    assert (about.epoch, about.updates, about.engine) == (2, 10, engine)
    assert run.environment["engine"]["engine"] == engine
    assert run.environment["corpus"]["samples"]["train"] == 90
    assert run.environment["network"]["parameters"] == 32 * 32 + 32 * 8 + 8 + 8 * 2 + 2


def test_a_read_out_that_no_sample_gives_a_range_is_refused_before_there_is_a_run(tiny, tmp_path):
    """Outputs far below their bounds show no nudge. The directory was there, and the first update refused."""
    chip = ["--chip", "ideal", "--chip.readout.signal", "difference", "--chip.readout.bits", "8"]
    with pytest.raises(ChipError, match="post side, difference of the phases: all its calibration samples were 0"):
        train(tiny, tmp_path / "run", *chip, "--network.output_bias", "-9.0")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("minus", "ratio"), [((0.1, 0.0), 4.0), ((0.0, 0.0), None)])
def test_batches_of_dead_outputs_count_in_the_ratio(minus, ratio):
    mean = training._Mean()
    for value in minus:
        mean.add({"displacement_plus": 0.2, "displacement_minus": value}, 10)
    found = training._with_ratio(mean.values())
    assert found["displacement_ratio"] == (ratio and pytest.approx(ratio))
    assert found["displacement_minus"] == pytest.approx(sum(minus) / 2)
    assert "displacement_ratio" not in training._with_ratio({"loss": 1.0})


def test_the_engines_learn_alike(tiny, tmp_path):
    weights = {}
    for engine in ("local", "reference"):
        train(tiny, tmp_path / engine, "--engine", engine, "--dtype", "float64")
        weights[engine] = runs.load(tmp_path / engine).checkpoint().parameters
    for name, value in weights["local"].items():
        np.testing.assert_allclose(value, weights["reference"][name], rtol=0, atol=1e-6)


def test_training_changes_every_weight_and_lowers_the_loss(tiny, tmp_path):
    records = []
    fast = ["--dense_rate", "1e-2", "--projection_rate", "1e-2"]
    out = tmp_path / "run"
    train(tiny, out, "--epochs", "20", "--evaluate", "[]", *fast, report=records.append)
    assert records[-1]["train"]["loss"] < 0.8 * records[0]["train"]["loss"]
    parts = Session.open(load(tiny))
    for name, value in parts.engine.parameters().items():
        assert not np.array_equal(value, runs.load(out).checkpoint().parameters[name])


def test_a_rate_of_zero_freezes_a_synapse(tiny, tmp_path):
    train(tiny, tmp_path / "run", "--rates.query", "0")
    before = Session.open(load(tiny)).engine.parameters()
    after = runs.load(tmp_path / "run").checkpoint().parameters
    np.testing.assert_array_equal(after["query.weight"], before["query.weight"])
    assert not np.array_equal(after["dense_1.weight"], before["dense_1.weight"])


def test_rates_fall_as_a_cosine(tiny):
    config = load(tiny, "--decay_epochs", "10", "--final_rate", "1e-4", "--rates.dense_2", "5e-5")
    network = building.build_network(config, 32)
    first, middle, end = (building.rates(config, network, epoch) for epoch in (0, 5, 30))
    assert first == {"query": 1e-3, "dense_1": 1e-3, "dense_2": 5e-5}
    assert middle["query"] == pytest.approx(1e-4 + 9e-4 * (1 + math.cos(math.pi / 2)) / 2)
    assert end == {"query": 1e-4, "dense_1": 1e-4, "dense_2": 5e-5}
    constant = load(tiny, "--decay_epochs", "0")
    assert building.rates(constant, network, 50)["query"] == 1e-3
    assert building.rates(config, network, 5.9) == middle
    every = building.rates(load(tiny, "--decay_epochs", "10", "--decay_every", "update"), network, 2.5)
    assert every["query"] == pytest.approx(1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi / 4)) / 2)


def test_rates_fall_with_every_update(tiny, tmp_path, monkeypatch):
    """What updates are given over two epochs; the record keeps the rates that an epoch began with."""
    given, update = [], Engine.update
    monkeypatch.setattr(Engine, "update", lambda *args: given.append(args[2]["query"]) or update(*args))
    train(tiny, tmp_path / "run", "--epochs", "2", "--decay_epochs", "2", "--decay_every", "update")
    each = [1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi * k / 10)) / 2 for k in range(10)]
    given = given[-10:]  # an update ahead compiles
    np.testing.assert_allclose(given, each, rtol=1e-12)
    kept = [record["rates"]["query"] for record in runs.load(tmp_path / "run").metrics]
    assert kept == [given[0], given[5]]


def test_rates_that_stay_do_not_fall_with_updates(tiny):
    with pytest.raises(ConfigError, match="decay_every = 'update': with decay_epochs = 0 rates do not fall"):
        load(tiny, "--decay_epochs", "0", "--decay_every", "update")


@pytest.mark.parametrize("field", ["seed", "beta", "batch", "momentum"])
def test_settings_reach_the_weights(tiny, tmp_path, field):
    sgd = ["--optimiser.kind", "sgd"] if field == "momentum" else []
    value = {"seed": "5", "beta": "0.5", "batch": "30", "momentum": "0.9"}[field]
    train(tiny, tmp_path / "one", *sgd)
    train(tiny, tmp_path / "two", *sgd, f"--{field}", value)
    one, two = (runs.load(tmp_path / name).checkpoint().parameters for name in ("one", "two"))
    assert not np.array_equal(one["query.weight"], two["query.weight"])


def test_the_probe_compares_with_backpropagation(tiny, tmp_path):
    smooth = ["--potential", "smooth_sigmoid", "--slope", "none", "--beta", "1e-2"]
    steps = ["--free_steps", "30", "--nudged_steps", "30"]
    record = train(tiny, tmp_path / "run", "--probe", "8", "--epochs", "1", *smooth, *steps)
    assert set(record["probe"]) == {"query.weight", "dense_1.weight", "dense_1.bias", "dense_2.weight", "dense_2.bias"}
    assert min(record["probe"].values()) > 0.999


def test_the_probe_does_not_change_training(tiny, tmp_path):
    train(tiny, tmp_path / "with", "--probe", "8")
    train(tiny, tmp_path / "without")
    assert bits(tmp_path / "with") == bits(tmp_path / "without")


def test_splits_are_evaluated_as_asked(tiny, tmp_path):
    record = train(
        tiny, tmp_path / "run", "--validation", "0.2", "--evaluate", "train,validation,test", "--epochs", "1"
    )
    assert list(record["evaluate"]) == ["train", "validation", "test"]
    assert "evaluate" in record["seconds"]


@pytest.mark.parametrize("engine", ["local", "reference"])
@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_resuming_goes_on_bit_for_bit(tiny, tmp_path, engine, kind):
    momentum = ["--momentum", "0.9"] if kind == "sgd" else []
    settings = ["--engine", engine, "--optimiser.kind", kind, "--estimator.kind", "random", *momentum]
    train(tiny, tmp_path / "whole", *settings, "--epochs", "3")
    train(tiny, tmp_path / "parts", *settings, "--epochs", "1")
    train(tiny, tmp_path / "parts", *settings, "--epochs", "3", resume=True)
    assert bits(tmp_path / "parts") == bits(tmp_path / "whole")
    whole, parts = (runs.load(tmp_path / name).metrics for name in ("whole", "parts"))
    for one, two in zip(whole, parts, strict=True):
        assert [one[key] for key in ("epoch", "train", "health", "rates")] == [
            two[key] for key in ("epoch", "train", "health", "rates")
        ]


PHASES = {
    "chip.readout.signal": "difference", "chip.readout.bits": 8, "chip.readout.hold_noise": 1e-3,
    "chip.readout.hold_offset": 1e-2, "chip.readout.auto_zero": "mean", "chip.readout.chopping": "sample",
    "chip.device.phase_drift": -1e-3, "chip.device.leak": 0.01, "chip.update.reprogram_every": 3,
    "estimator.order": "sample",
}  # fmt: skip


def test_a_chip_whose_phases_differ_goes_on_bit_for_bit(tiny, tmp_path):
    """A running mean of what holders are off by, and leaking weights, are in the checkpoint; a probe leaves both."""
    settings = [text for name, value in PHASES.items() for text in (f"--{name}", str(value))]
    train(tiny, tmp_path / "whole", *settings, "--epochs", "2")
    train(tiny, tmp_path / "parts", *settings, "--epochs", "1")
    train(tiny, tmp_path / "parts", *settings, "--epochs", "2", resume=True)
    files = [(tmp_path / name / "checkpoint.safetensors").read_bytes() for name in ("parts", "whole")]
    assert files[0] == files[1]
    train(tiny, tmp_path / "probed", *settings, "--epochs", "2", "--probe", "8")
    found, wanted = (runs.load(tmp_path / name).checkpoint() for name in ("probed", "whole"))
    for name, values in wanted.parameters.items():
        np.testing.assert_array_equal(found.parameters[name], values)


def test_resuming_a_finished_run_does_nothing(tiny, tmp_path):
    last = train(tiny, tmp_path / "run")
    before = bits(tmp_path / "run")
    again = train(tiny, tmp_path / "run", resume=True)
    assert again == json.loads(runs.as_json(last))
    assert bits(tmp_path / "run") == before


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ("", r"metrics\.jsonl ends before the checkpoint: at epoch 0, not 2"),
        ('{"epoch": 1}\n', "at epoch 1, not 2"),
        ('{"epoch": 1}\n{"loss": 1}\n', "line 2 is no record of an epoch"),
    ],
)
def test_resuming_without_the_metrics_is_refused(tiny, tmp_path, held, message):
    out = tmp_path / "run"
    train(tiny, out)
    (out / "metrics.jsonl").write_text(held)
    with pytest.raises(CheckpointError, match=message):
        train(tiny, out, "--epochs", "3", resume=True)
    assert runs.load(out).config.training.epochs == 2


def test_resuming_where_nothing_is_starts(tiny, tmp_path):
    assert train(tiny, tmp_path / "run", resume=True)["epoch"] == 2


def test_a_line_beyond_the_checkpoint_is_done_again(tiny, tmp_path):
    out = tmp_path / "run"
    train(tiny, out)
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "updates": 15}\n{"epoch": 4, "upd')
    train(tiny, out, "--epochs", "3", resume=True)
    records = runs.load(out).metrics
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert "train" in records[-1]


@pytest.mark.parametrize("seconds", [0.0, 0.15])
def test_a_kill_loses_at_most_the_epoch_in_hand(tiny, tmp_path, process, seconds):
    out = tmp_path / "killed"
    settings = ["--evaluate", "[]", "--epochs"]
    child = process("-m", "neuroep.cli", "train", tiny, "--out", out, *settings, "100000")
    deadline = time.monotonic() + 600
    while not (out / "metrics.jsonl").is_file() or not runs.load(out).metrics:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(seconds)
    child.kill()
    child.communicate()

    run = runs.load(out)
    done = run.checkpoint().about.epoch
    assert done in {len(run.metrics), len(run.metrics) - 1}
    epochs = str(done + 2)
    train(tiny, out, *settings, epochs, resume=True)
    train(tiny, tmp_path / "whole", *settings, epochs)
    assert bits(out) == bits(tmp_path / "whole")
    assert [record["epoch"] for record in runs.load(out).metrics] == list(range(1, done + 3))


def test_a_used_directory_is_refused(tiny, trained):
    before = bits(trained)
    with pytest.raises(ConfigError, match=r"is not empty: choose another, or add resume=True to continue its run$"):
        train(tiny, trained)
    assert bits(trained) == before


def test_a_used_directory_is_refused_in_the_words_of_the_command(neuroep, tiny, trained):
    found = neuroep("train", tiny, "--out", trained)
    assert found.code == 2 and found.line.endswith("not empty: choose another, or add --resume to continue its run")


def test_resuming_with_other_settings_is_refused(tiny, trained):
    with pytest.raises(ConfigError, match=r"estimator\.beta differs: the run has 0\.1, the configuration 0\.3"):
        train(tiny, trained, "--beta", "0.3", resume=True)


def write_changed(run, **changes):
    """Replace what a checkpoint says about itself."""
    saved = runs.load(run).checkpoint()
    about = checkpoints.About(**{**vars(saved.about), **changes})
    runs.load(run).save(checkpoints.Checkpoint(about, saved.parameters, saved.optimiser, saved.devices))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "other"}, "trained on other data than 'reviews' holds now"),
        ({"network": "other"}, "belongs to another network: made by network other"),
        ({"config": "other"}, "made with another configuration"),
    ],
)
def test_a_foreign_checkpoint_is_refused(tiny, tmp_path, changes, message):
    train(tiny, tmp_path / "run", "--epochs", "1")
    write_changed(tmp_path / "run", **changes)
    before = bits(tmp_path / "run")
    with pytest.raises(CheckpointError, match=message):
        train(tiny, tmp_path / "run", resume=True)
    assert bits(tmp_path / "run") == before


def test_a_truncated_checkpoint_is_refused(tiny, tmp_path):
    train(tiny, tmp_path / "run", "--epochs", "1")
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(bits(tmp_path / "run")[:-10])
    with pytest.raises(CheckpointError, match="truncated"):
        train(tiny, tmp_path / "run", resume=True)


def test_divergence_names_layer_and_step_and_keeps_the_last_checkpoint(tiny, tmp_path):
    out = tmp_path / "run"
    wild = ["--potential", "linear", "--dense_rate", "1e6"]
    with pytest.raises(DivergenceError) as caught:
        train(tiny, out, *wild, "--epochs", "5")
    line = str(caught.value)
    assert "diverged: " in line
    assert "in epoch 1, the checkpoint of epoch 0 stays" in line
    assert caught.value.where in line
    run = runs.load(out)
    assert run.metrics == []
    assert all(np.isfinite(value).all() for value in run.checkpoint().parameters.values())


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["--evaluate", "validation"], DataError, "unknown split 'validation'"),
        (["--dense", "8,3"], ConfigError, "network.dense ends in 3 outputs: data 'reviews' has 2 classes"),
        (["--rates.qery", "0.1"], ConfigError, "unknown synapse 'qery': .*did you mean 'query'"),
        (["--data.name", "imdb", "--path", "/none", "--vectors", "/none.kv"], DataError, "none"),
    ],
)
def test_what_cannot_be_built_leaves_no_directory(tiny, tmp_path, overrides, error, message):
    with pytest.raises(error, match=message):
        train(tiny, tmp_path / "run", *overrides)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_the_inference_network_trains(tmp_path):
    values = {
        "network": {"kind": "inference", "tokens": [9, 8], "dense": [6, 3], "readout": "pooled"},
        "data": {"name": "pairs", "limit": 40},
        "training": {"epochs": 1, "batch": 16},
    }
    record = training.train(configuration.parse(values), tmp_path / "run", progress=False)
    assert record["updates"] == 3
    assert len(record["rates"]) == 6
