"""Runs on numbers: trained, resumed, evaluated, deployed, swept, compared and reported as runs on text are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from analysis.sweep import runner
from neuroep import data
from neuroep.errors import ConfigError, DataError
from neuroep.runs import checkpoints, config, deployment, training
from neuroep.runs.session import Session
from tests.analysis.conftest import empty_picture, unrendered  # noqa: F401

SETTINGS = """\
[network]
tokens = 6
dense = [8, 3]
readout = "pooled"
output_bias = 0.3

[data]
name = "arrays"
path = "wave"
position = "appended"

[settling]
free_steps = 4
nudged_steps = 4

[optimiser]
projection_rate = 1e-2
dense_rate = 1e-2

[training]
epochs = 2
batch = 10
"""


def waves(samples, seed):
    """Return sines of one to three periods, at 2 channels, of 8 to 12 points, far from mean 0."""
    draw = np.random.default_rng(seed)
    labels = np.arange(samples) % 3
    angle = (labels[:, None] + 1) * np.arange(12) / 12 * 2 * np.pi + draw.uniform(0, 1, (samples, 1))
    x = 50 + 7 * np.stack([np.sin(angle), np.cos(angle)], axis=2) + draw.normal(0, 0.3, (samples, 12, 2))
    return x, np.array(["one", "two", "three"])[labels], draw.integers(8, 13, samples)


def write(folder, scale=1.0):
    for split, (samples, seed) in {"train": (40, 0), "test": (20, 1)}.items():
        x, labels, lengths = waves(samples, seed)
        np.savez(folder / f"wave_{split}.npz", x=scale * x, labels=labels, lengths=lengths)
    (folder / "wave.toml").write_text(SETTINGS)
    return folder / "wave.toml"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run; to be read only."""
    folder = tmp_path_factory.mktemp("numbers")
    training.train(config.load(write(folder)), folder / "run", progress=False)
    return folder / "run"


def test_a_run_keeps_what_its_numbers_were_standardised_by(run):
    corpus = data.load("arrays", path=run.parent / "wave", tokens=6, position="appended")
    about = checkpoints.load_about(run / "checkpoint.safetensors").about
    assert about.vectors == corpus.kept()
    facts = json.loads((run / "environment.json").read_text())["corpus"]
    assert (facts["mean"], facts["channels"], facts["position_dim"]) == (corpus.statistics.mean.tolist(), 2, 8)


def test_it_is_evaluated_with_what_it_kept_where_other_data_are_named(run, tmp_path):
    """Data of ten times the scale are ten times as large for the weights, not standardised away."""
    write(tmp_path, scale=10.0)
    parts = Session.open(run, overrides=["--data.path", str(tmp_path / "wave")])
    mine = Session.open(run)
    np.testing.assert_array_equal(parts.corpus.statistics.mean, mine.corpus.statistics.mean)
    np.testing.assert_array_equal(parts.corpus.statistics.scale, mine.corpus.statistics.scale)
    raw = [10 * vectors(mine) + 9 * (mine.corpus.statistics.mean / mine.corpus.statistics.scale), vectors(parts)]
    np.testing.assert_allclose(*raw, rtol=1e-4, atol=1e-3)
    found = Session.open(run, overrides=["--data.path", str(tmp_path / "wave")]).evaluate()
    assert found.loss != Session.open(run).evaluate().loss


def test_other_classes_are_refused(tmp_path, neuroep):
    """Before, a network that had learnt no and yes was judged by yes and zap, in that order."""
    for folder, names in (("old", ["no", "yes"]), ("new", ["yes", "zap"]), ("plain", [0, 1])):
        (tmp_path / folder).mkdir()
        for split, seed in {"train": 0, "test": 1}.items():
            x, labels, lengths = waves(40, seed)
            named = np.array(names)[(labels == "one").astype(int)]
            np.savez(tmp_path / folder / f"{split}.npz", x=x, labels=named, lengths=lengths)
    settings = SETTINGS.replace('"wave"', f'"{tmp_path}/old"').replace("[8, 3]", "[8, 2]")
    (tmp_path / "old.toml").write_text(settings)
    training.train(config.load(tmp_path / "old.toml"), tmp_path / "run", progress=False)
    about = checkpoints.load_about(tmp_path / "run" / "checkpoint.safetensors").about
    assert about.classes == ["no", "yes"]
    found = neuroep("evaluate", tmp_path / "run", "--data.path", tmp_path / "new")
    assert found.code == 2
    assert "data 'arrays' has classes yes, zap, " in found.line
    assert "was trained with no, yes" in found.line
    # Numbers name nothing, and what only starts from the weights learns classes of its own.
    assert neuroep("evaluate", tmp_path / "run", "--data.path", tmp_path / "plain").code == 0
    again = ("train", tmp_path / "old.toml", "--out", tmp_path / "tuned", "--from", tmp_path / "run")
    assert neuroep(*again, "--data.path", tmp_path / "new").code == 0


def vectors(parts):
    """Return the numbers of the first point of some samples."""
    return next(parts.corpus.batches("test", 5)).inputs["signal"].vectors[:, 0, :2].astype(float)


def test_a_changed_file_is_noticed(tmp_path):
    path = write(tmp_path)
    training.train(config.load(path), tmp_path / "run", progress=False)
    Session.open(tmp_path / "run").evaluate()
    x, labels, lengths = waves(20, 1)
    x[3, 4, 1] += 1e-3
    np.savez(tmp_path / "wave_test.npz", x=x, labels=labels, lengths=lengths)
    cure = r'add overrides=\["--data.name", "arrays"\]$'
    with pytest.raises(DataError, match=rf"'arrays' are not those that .* was trained on: .* {cure}"):
        Session.open(tmp_path / "run").evaluate()
    Session.open(tmp_path / "run", overrides=["--data.name", "arrays"]).evaluate()
    with pytest.raises(Exception, match="was trained on other data"):
        training.train(config.load(path, ["--epochs", "3"]), tmp_path / "run", resume=True, progress=False)


def test_a_resumed_run_has_the_same_bytes(run, tmp_path):
    settings = config.load(run.parent / "wave.toml", ["--epochs", "1"])
    training.train(settings, tmp_path / "run", progress=False)
    training.train(config.load(run.parent / "wave.toml"), tmp_path / "run", resume=True, progress=False)
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == (run / "checkpoint.safetensors").read_bytes()


def test_what_makes_tokens_must_stay(run):
    with pytest.raises(Exception, match="network"):
        Session.open(run, overrides=["--window", "2"]).evaluate()
    with pytest.raises(DataError, match=r"standardise = 'whole': '.*' was trained with 'channels'"):
        Session.open(run, overrides=["--standardise", "whole"]).evaluate()


def test_both_engines_see_the_same(run):
    found = [Session.open(run, overrides=["--engine", kind]).evaluate() for kind in ("local", "reference")]
    assert found[0].loss == pytest.approx(found[1].loss, rel=1e-4)


@pytest.mark.usefixtures("unrendered")
def test_deployed_compared_and_reported(run, tmp_path, neuroep):
    assert neuroep("evaluate", run, "--chip", "pcm", "--seeds", 2).code == 0
    found = neuroep("compare", run, "--chip", "pcm", "--out", tmp_path / "compared")
    assert found.code == 0, found.err
    assert "linear model" in found.out
    assert neuroep("report", tmp_path / "compared").code == 0
    page = (tmp_path / "compared" / "report.html").read_text()
    assert "Logistic regression on all numbers of a sample." in page
    assert neuroep("report", run, "--out", tmp_path / "report.html").code == 0
    page = (tmp_path / "report.html").read_text()
    assert "are missing, because" not in page
    assert "a token that asks" in page
    assert "word" not in page.split("Attention in one sample")[1].split("Where updates")[0].replace("word-", "")
    assert neuroep("gradcheck", run, "--out", tmp_path / "checked").code == 0


def test_swept_as_evaluated(run, tmp_path):
    """Each trial of a sweep is the deployment with that seed, on the statistics that the run kept."""
    found = runner.run(run, ["chip.adc.bits=5"], out=tmp_path / "sweep", overrides=["--chip", "pcm"], seeds=2)
    expected = deployment.deploy(run, overrides=["--chip", "pcm", "--chip.adc.bits", "5"], seeds=2)
    assert [row["loss"] for row in found.rows] == [one.loss for one in expected.evaluations]


def test_learnt_in_a_sweep_over_tokens(run, tmp_path, neuroep):
    out = tmp_path / "windows"
    found = neuroep("sweep", run.parent / "wave.toml", "--vary", "data.window=1,2", "--mode", "learn", "--out", out)
    assert found.code == 0, found.err
    lines = [json.loads(line) for line in (out / "trials.jsonl").read_text().splitlines()]
    assert len({json.dumps(line, sort_keys=True) for line in lines}) == 2


def test_python_hands_arrays_over(tmp_path):
    train, test = waves(40, 0), waves(20, 1)
    corpus = data.from_arrays(*train, test=test, tokens=6)
    settings = config.parse({"network": {"tokens": 6, "dense": [8, 3]}, "data": {"name": "given"},
                             "settling": {"free_steps": 4, "nudged_steps": 4}, "training": {"epochs": 1}})  # fmt: skip
    training.train(settings, tmp_path / "run", progress=False, corpus=corpus)
    parts = Session.open(tmp_path / "run", corpus=corpus)
    assert parts.network.sequences[0].name == "signal"
    assert parts.evaluate("test").samples == 20
    with pytest.raises(DataError, match="data 'given' were in the memory of the Python program"):
        Session.open(tmp_path / "run").evaluate()
    pairs = config.parse({"network": {"kind": "inference", "dense": [8, 3]}, "data": {"name": "pairs"}})
    with pytest.raises(ConfigError, match=r"network.kind = 'inference': reads 2 sequences, the data have 1: signal"):
        Session.open(pairs, corpus=corpus)


def test_samples_longer_than_the_network_reads_are_refused_before_anything_is_written(tmp_path):
    """Before, the first batch failed and left a run directory."""
    corpus = data.from_arrays(*waves(40, 0))
    settings = config.parse({"network": {"tokens": 6, "dense": [8, 3]}, "data": {"name": "given"},
                             "training": {"epochs": 1, "evaluate": ["train"]}})  # fmt: skip
    with pytest.raises(ConfigError, match=r"network.tokens = 6: 'signal' of a sample of split 'train' has 12; make"):
        training.train(settings, tmp_path / "run", progress=False, corpus=corpus)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--data.name", "reviews", "--data.path", "none"], "data.position = 'appended': data 'reviews' is generated"),
        (["--vectors", "v.txt"], "data 'arrays' is made of numbers and takes none"),
        (["--stride", "2"], "data.stride = 2: it acts only with a window"),
        (["--position", "adde"], "data.position = 'adde': should be 'added' or 'appended'; did you mean 'added'?"),
        (["--position_dim", "3"], "data.position_dim = 3: sines and cosines come in pairs"),
        (["--network.dense", "8,2"], "network.dense ends in 2 outputs: data 'arrays' has 3 classes: one, three, two"),
        (["--data.path", "nowhere"], "is neither file, folder, nor the beginning of a nowhere_train.npz"),
        (["--window", "11"], "window = 11: sample"),
        (["--network.kind", "inference"], "reads 2 sequences, data 'arrays' has 1"),
        (["--data.name", "given"], "data.path = "),
    ],
)
def test_settings_that_cannot_be(run, tmp_path, neuroep, arguments, line):
    found = neuroep("train", run.parent / "wave.toml", "--out", tmp_path / "new", *arguments)
    assert line in found.line
    assert not (tmp_path / "new").exists()
