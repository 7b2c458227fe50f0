"""Comparison: contestants, what is measured of them, files, refusals."""

from __future__ import annotations

import json
from pathlib import Path

from analysis.drawing import html

import numpy as np
import pytest

from analysis import comparison, report
from analysis.comparison import bench, measure, pictures as comparison_pictures
from hw_models.errors import ChipError
from hw_models.text import by_options
from neuroep.errors import ConfigError
from neuroep.runs import config, deployment, directory as runs, limits, training

pytestmark = pytest.mark.usefixtures("unrendered")  # but for the comparison that several tests look at


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
    assert hermes.chip is not None and hermes.chip["device.g_max"] == 20.7
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
        assert all(len(steps) == bench.STEPS for steps in found.divergence.values())
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
        comparison_pictures.plot_energies, comparison_pictures.plot_gradients, comparison_pictures.plot_phases,
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
    assert list(measure.contestants(settings, ["pcm"], "deploy")) == [
        "reference", "local", "legallo_2023_hermes", "joshi_2020_pcm",
    ]  # fmt: skip


def test_the_noise_of_reads_has_a_spread(compared) -> None:
    *_, ideal, hermes = compared[0].contestants
    assert all(row.spread == 0 for row in ideal.gradient)
    assert all(row.spread > 0 for row in hermes.gradient)
    again = comparison.load(compared[0].out).contestants[-1]
    assert [row.spread for row in again.gradient] == [row.spread for row in hermes.gradient]


def test_a_gradient_that_vanishes_has_no_direction() -> None:
    row = bench.alignment("w", [np.ones(3)], np.zeros(3), np.ones(3))
    assert np.isnan(row.cosine) and row.nominal == pytest.approx(1) and row.spread == 0


def test_chips_that_learn_start_from_the_runs_weights(trained: Path, tmp_path: Path) -> None:
    out, settings = tmp_path / "out", {"overrides": ["--epochs", "1"], "mode": "learn"}
    result = comparison.run(trained, ["ideal"], out, **settings)
    assert runs.load(out / "ideal").environment["start"] == str(trained)
    expected = {"source": str(trained), "run": True, "chips": ["ideal"], "overrides": ["--epochs", "1"], "fields": []}
    assert {name: result.asked[name] for name in expected} == expected
    assert result.asked["settings"]["training"]["epochs"] == 1
    assert comparison.load(out).asked == result.asked
    first = runs.load(out / "ideal").metrics[0]["train"]["loss"]
    assert first < runs.load(trained).metrics[0]["train"]["loss"]


def test_fields_and_seed_change_the_chips_that_are_named(trained: Path, tmp_path: Path) -> None:
    overrides = ["--chip.adc.bits", "4", "--chip_seed", "3"]
    result = comparison.run(trained, ["pcm", "hermes"], tmp_path / "out", overrides=overrides)
    assert [chip.adc.bits for chip in result.chips.values()] == [4, 4]
    assert list(result.chips) == ["joshi_2020_pcm (adc.bits=4)", "legallo_2023_hermes (adc.bits=4)"]
    assert [found.name for found in result.contestants[:2]] == ["reference", "local"]


def test_a_chip_keeps_the_devices_it_was_trained_with(tiny: Path, tmp_path: Path) -> None:
    chip = ["--chip", "rram", "--chip.device.mismatch", "0.3", "--chip_seed", "5"]
    training.train(config.load(tiny, [*chip, "--epochs", "1"]), tmp_path / "run", progress=False, diagnose=False)
    result = comparison.run(tmp_path / "run", [], tmp_path / "out")
    expected = deployment.evaluate(tmp_path / "run")
    assert result.contestants[2].accuracy["test"] == expected.accuracy
    aged = ["--chip.device.age", "1e9"]
    later = comparison.run(tmp_path / "run", [], tmp_path / "later", overrides=aged)
    expected = deployment.evaluate(tmp_path / "run", overrides=aged)
    assert later.contestants[2].accuracy["test"] == expected.accuracy
    other = comparison.run(tmp_path / "run", [], tmp_path / "other", overrides=["--chip_seed", "6"])
    assert other.contestants[2].accuracy != result.contestants[2].accuracy


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("a b", "a/b"), "chip 'a/b' would share a folder with 'a b': rename it"),
        (("local", "x"), "chip 'local' would share a folder with 'local': rename it"),
        (("comparison.json", "x"), "chip 'comparison.json' would share a folder"),
        (("..", "x"), "would share a folder"),
    ],
)
def test_names_that_are_no_folders(trained: Path, tmp_path: Path, names, text) -> None:
    files = []
    for number, name in enumerate(names):
        files.append(str(tmp_path / f"{number}.toml"))
        Path(files[-1]).write_text(f"name = '{name}'\n[adc]\nbits = {number + 4}\n")
    with pytest.raises(ConfigError, match=text):
        comparison.run(trained, files, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def as_shown(command: str) -> str:
    """Return a command as a page shows it, whose options stay whole."""
    return by_options(command, html.escape, html.escape)


def test_the_command_of_the_page_does_it_again(trained: Path, tmp_path: Path, neuroep) -> None:
    arguments = ("compare", trained, "--chip", "pcm", "--chip.adc.bits", "4", "--quiet")
    found = neuroep(*arguments, "--out", tmp_path / "out")
    assert found.code == 0 and "run directories" not in found.out and "comparison.txt" in found.out
    text = report.render(tmp_path / "out")
    assert as_shown(f"neuroep compare {trained} --chip pcm --chip.adc.bits 4 --mode deploy --out out-again") in text


def test_the_page_of_a_configuration_with_a_chip_does_it_again(tiny: Path, tmp_path: Path) -> None:
    given = ["--chip", "pcm", "--chip.adc.bits", "6", "--chip_seed", "9", "--epochs", "1"]
    first = comparison.run(config.load(tiny, given), ["hermes"], tmp_path / "a", overrides=["--chip.dac.bits", "5"])
    text = report.render(tmp_path / "a")
    assert as_shown("neuroep compare settings.toml --chip hermes --chip.dac.bits 5 --mode deploy") in text
    saved = config.parse(first.asked["settings"])
    again = comparison.run(saved, ["hermes"], tmp_path / "b", overrides=first.asked["fields"])
    assert list(again.chips) == list(first.chips) == ["joshi_2020_pcm (adc.bits=6)", "legallo_2023_hermes (dac.bits=5)"]
    assert [found.accuracy for found in again.contestants] == [found.accuracy for found in first.contestants]
    assert "chip_seed = 9" in text


def test_a_comparison_whose_reference_rests_at_zero_is_read_back(compared, tmp_path: Path) -> None:
    page = json.loads((compared[0].out / "comparison.json").read_text())
    del page["seal"]
    page["engines"]["legallo_2023_hermes"]["divergence"]["output"] = [None] * bench.STEPS
    (tmp_path / "comparison.json").write_text(json.dumps(page))
    found = comparison.load(tmp_path)
    assert all(map(np.isnan, found.contestants[-1].divergence["output"]))
    assert comparison_pictures.plot_divergence(found).lines


def test_a_deployed_chip_is_that_of_every_other_command(trained: Path, tmp_path: Path) -> None:
    result = comparison.run(trained, ["pcm"], tmp_path / "out", overrides=["--data.order", "length"])
    expected = deployment.deploy(trained, overrides=["--chip", "pcm", "--data.order", "length"])
    assert result.contestants[2].accuracy["test"] == expected.accuracy
    counters = expected.evaluations[0].counters
    assert result.contestants[2].counters == {name: number / 1000 for name, number in counters.items()}


def test_none_is_no_chip_to_compare(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chip is 'none': the reference"):
        comparison.run(trained, ["none"], tmp_path / "out")


def test_what_both_phases_share_is_parted_from_what_differs(compared) -> None:
    """On exact arithmetic nothing differs between the phases; on hermes the noise of its reads does, little more."""
    *exact, hermes = compared[0].contestants
    for found in exact:
        for row in found.gradient:
            assert row.differing_error == 0 and row.common == pytest.approx(row.exact_phases, abs=0.02)
    for row in hermes.gradient:
        assert row.differing_error > 0.02
        assert row.exact_phases > 0.9 and row.common > row.cosine and row.common_error < row.relative_error
    assert max(row.common - row.cosine for row in hermes.gradient) > 0.1
    again = comparison.load(compared[0].out).contestants[-1]
    assert again.gradient == hermes.gradient and again.limits == hermes.limits


def test_the_limit_of_a_chip_is_said(compared, parsed) -> None:
    result = compared[0]
    _, local, ideal, hermes = result.contestants
    assert local.limits == ideal.limits == []
    assert hermes.limits[0]["name"] == "read noise of the devices"
    line = "hermes: limits learning most: read noise of the devices (chip.device.read_noise; signal over noise of the"
    assert line in result.as_text()
    text = report.render(result.out)
    parsed(text)
    text = text.replace("<wbr>", "")
    assert "Cosine without the difference between the phases" in text and "limits learning most" not in text
    worst = hermes.limits[0]
    row = f"<td>{hermes.name}</td><td>{worst['name']}</td><td class=\"n\">{100 * worst['cost']:.0f} %</td>"
    assert f'{row}<td class="t">{worst["where"]}</td><td class="t">{html.escape(worst["cure"])}</td>' in text


def test_a_chip_that_learned_says_what_its_last_epoch_says(trained: Path, tmp_path: Path) -> None:
    result = comparison.run(trained, ["pcm"], tmp_path / "out", mode="learn", overrides=["--epochs", "1"])
    last = runs.load(tmp_path / "out" / "joshi_2020_pcm").metrics[-1]
    assert result.contestants[2].limits == (last["limits"] if limits.told(last) else [])


def test_an_edited_digit_is_no_result(compared, tmp_path: Path) -> None:
    """A report showed whatever number stood there, and a list was told as 'list indices must be integers'."""
    page = json.loads((compared[0].out / "comparison.json").read_text())
    page["engines"]["local"]["agreement"] = 0.5
    (tmp_path / "comparison.json").write_text(json.dumps(page))
    with pytest.raises(ConfigError, match=r"comparison\.json' is damaged: it was changed by hand"):
        comparison.load(tmp_path)
    (tmp_path / "comparison.json").write_text("[1]")
    with pytest.raises(ConfigError, match="is damaged: it holds no table"):
        comparison.load(tmp_path)


def test_a_comparison_of_an_older_version_is_read(compared, tmp_path: Path) -> None:
    page = json.loads((compared[0].out / "comparison.json").read_text())
    del page["seal"]
    for found in page["engines"].values():
        del found["limits"]
        for row in found["gradient"]:
            for name in ("exact_phases", "common", "common_error", "differing_error"):
                del row[name]
    (tmp_path / "comparison.json").write_text(json.dumps(page))
    found = comparison.load(tmp_path)
    assert found.contestants[-1].limits == [] and np.isnan(found.contestants[-1].gradient[0].common)
    assert comparison_pictures.plot_phases(found).get_title(loc="left")
