"""Comparison: contestants, what is measured of them, files, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from analysis import comparison
from analysis.pictures import comparison as comparison_pictures
from hw_models.errors import ChipError
from neuroep import config, runs
from neuroep.errors import ConfigError


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> tuple[comparison.Comparison, list]:
    """A network that trains in a blink, on two chips."""
    told: list[tuple[str, int]] = []
    out = tmp_path_factory.mktemp("compare") / "out"
    chips = ["ideal", "hermes"]
    settings = runs.load(trained).config
    report = lambda name, record: told.append((name, record["epoch"]))  # noqa: E731
    return comparison.run(settings, chips, out, report=report), told


def test_both_engines_train_and_chips_take_the_local_weights(compared) -> None:
    result, told = compared
    assert told == [("reference", 1), ("reference", 2), ("local", 1), ("local", 2)]
    reference, local, ideal, hermes = result.contestants
    assert ideal.accuracy == local.accuracy
    assert ideal.agreement == local.agreement >= 0.99
    assert reference.agreement == 1
    assert ideal.seconds["train"] == 0 < local.seconds["train"]
    assert hermes.chip is not None and hermes.chip["device.g_max"] == 10.35
    weights = [runs.load(result.out / name).checkpoint().parameters for name in ("reference", "local")]
    for name, value in weights[0].items():
        np.testing.assert_allclose(value, weights[1][name], atol=1e-3)


def test_accuracies_are_those_of_the_metrics(compared) -> None:
    result, _ = compared
    for found in result.contestants[:2]:
        last = runs.load(result.out / found.name).metrics[-1]
        assert found.accuracy["test"] == last["evaluate"]["test"]["accuracy"]


def test_with_common_weights_only_the_arithmetic_differs(compared) -> None:
    reference, local, ideal, hermes = compared[0].contestants
    for found, largest in ((reference, 0.0), (local, 1e-4), (ideal, 1e-4)):
        assert all(max(steps) <= largest for steps in found.divergence.values()), found.name
        assert all(len(steps) == comparison.STEPS for steps in found.divergence.values())
    assert max(map(max, hermes.divergence.values())) > 1e-2
    assert all(np.diff(local.energy) <= 1e-4)
    np.testing.assert_allclose(ideal.energy, local.energy)
    assert ideal.gradient == local.gradient
    assert min(row.cosine for row in local.gradient) > 0.9


def test_counters_are_per_sample(compared) -> None:
    reference, _, ideal, hermes = compared[0].contestants
    assert reference.counters["settle_steps"] == reference.steps == 4
    assert ideal.counters["adc"] > 0
    assert hermes.counters["reads"] >= ideal.counters["reads"]


def test_files(compared) -> None:
    result, _ = compared
    names = {path.name for path in result.out.iterdir()}
    assert names == {"comparison.json", "comparison.txt", "comparison.png", "reference", "local"}
    page = json.loads((result.out / "comparison.json").read_text())
    assert list(page["engines"]) == [found.name for found in result.contestants]
    text = result.as_text()
    for word in ("reference", "legallo_2023_hermes", "bag of words", "agree", str(result.out)):
        assert word in text


def test_pictures_have_labels(compared) -> None:
    result, _ = compared
    for plot in (
        comparison_pictures.plot_accuracy_bars, comparison_pictures.plot_divergence,
        comparison_pictures.plot_energies, comparison_pictures.plot_gradients,
    ):  # fmt: skip
        ax = plot(result)
        assert ax.get_title(loc="left")
        assert ax.get_xlabel() or ax.get_ylabel()
        assert plot(result, ax) is ax


def test_a_run_is_compared_as_it_is_and_chips_may_learn(trained: Path, tmp_path: Path) -> None:
    told: list[str] = []
    report = lambda name, record: told.append(name)  # noqa: E731
    run = runs.load(trained, ["--epochs", "1"])
    result = comparison.run(run, ["pcm"], tmp_path / "out", mode="learn", report=report)
    assert told == ["joshi_2020_pcm"]
    assert result.contestants[2].seconds["train"] > 0
    assert (tmp_path / "out" / "joshi_2020_pcm" / "checkpoint.safetensors").is_file()


@pytest.mark.parametrize(
    ("chips", "mode", "error", "text"),
    [
        (["pcm"], "deplay", ConfigError, "did you mean 'deploy'"),
        (["pmc"], "deploy", (ChipError, ConfigError), "did you mean 'pcm'"),
        (["pcm", "pcm"], "deploy", ConfigError, "takes part twice"),
        (["reram"], "learn", ConfigError, "allowed is 'sgd'"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(trained, tmp_path, chips, mode, error, text) -> None:
    with pytest.raises(error, match=text):
        comparison.run(runs.load(trained), chips, tmp_path / "out", mode=mode)
    assert not list(tmp_path.iterdir())


def test_a_chip_of_the_configuration_takes_part(trained: Path) -> None:
    settings = config.load(trained / "config.toml", ["--chip", "hermes"])
    assert list(comparison.contestants(settings, ["pcm"], "deploy")) == [
        "reference", "local", "legallo_2023_hermes", "joshi_2020_pcm",
    ]  # fmt: skip
