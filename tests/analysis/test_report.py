"""The page of each kind of directory: well formed, self-contained, the same twice; refusals."""

from __future__ import annotations

import html
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis import comparison, report
from analysis.run import page
from hw_models.text import kept
from neuroep.errors import CheckpointError, ConfigError, NeuroepError
from neuroep.runs import config, directory as runs, training
from tests.analysis.sweep.cases import resealed

Checked = Callable[[str], str]
HOSTILE = '<script>alert("1")</script> & $x_{$'


def tomls(text: str) -> list[dict]:
    """Return what parses as TOML tables among the boxes of a page."""
    boxes = [html.unescape(box) for box in re.findall(r"<pre>\n(.*?)</pre>", text, re.S)]
    return [tomllib.loads(box) for box in boxes if not box.startswith("neuroep ")]


@pytest.fixture(scope="module")
def swept(sweep: Callable[..., Path]) -> Path:
    """Four trials on a chip."""
    return sweep(["chip.adc.bits=3,6", "chip.device.read_noise=0,1"])


def test_a_run(trained: Path, tmp_path: Path, checked: Checked) -> None:
    shutil.copytree(trained, tmp_path / "run")
    path = report.write(tmp_path / "run")
    first = path.read_bytes()
    text = checked(first.decode())
    run = runs.load(trained)
    assert f"{100 * run.metrics[-1]['evaluate']['test']['accuracy']:.2f} %" in text
    assert run.config.to_dict() in tomls(text)
    assert report.write(tmp_path / "run").read_bytes() == first
    assert not list((tmp_path / "run").glob(".*"))


def test_a_run_on_a_hostile_chip(tiny: Path, tmp_path: Path, checked: Checked) -> None:
    settings = config.load(tiny, ["--chip", "reram", "--optimiser.kind", "sgd", "--epochs", "1"])
    assert settings.chip is not None
    chip = settings.chip.model_copy(update={"name": HOSTILE, "url": "javascript:alert(1)"})
    settings = settings.model_copy(update={"chip": chip})
    training.train(settings, tmp_path / "run", progress=False)
    text = checked(report.render(tmp_path / "run"))
    assert html.escape(HOSTILE) in text and html.escape(chip.citation) in text
    assert 'href="javascript' not in text
    assert "Conductances" in text and "(potentiation)" in text
    assert settings.to_dict() in tomls(text)


def test_a_comparison(tiny: Path, tmp_path: Path, checked: Checked) -> None:
    found = comparison.run(config.load(tiny, ["--epochs", "1"]), ["pcm"], tmp_path / "out")
    again = comparison.load(tmp_path / "out")
    assert runs.as_json(again.as_dict()) == runs.as_json(found.as_dict())
    assert again.as_text() == found.as_text()
    text = checked(report.render(tmp_path / "out"))
    assert f"{100 * found.contestants[2].accuracy['test']:.1f} %" in text
    assert html.escape(found.chips["joshi_2020_pcm"].citation) in text
    assert f"neuroep compare settings.toml {kept('--chip')} pcm {kept('--mode')} deploy" in text


def test_a_sweep(swept: Path, tmp_path: Path, checked: Checked) -> None:
    text = checked(report.write(swept, tmp_path / "page.html", target=0.6).read_text())
    assert "60.0 %" in text and f"{kept('--vary')} chip.adc.bits=3,6" in text
    assert "legallo_2023_hermes" in text and "Source: " in text
    assert report.render(swept, target=0.6) == text


def test_failed_trials_are_listed(swept: Path, tmp_path: Path, parsed: Callable[[str], object]) -> None:
    shutil.copytree(swept, tmp_path / "sweep")

    def fail(record: dict[str, object]) -> None:
        del record["result"]
        record["error"] = HOSTILE

    resealed(tmp_path / "sweep" / "trials.jsonl", fail)
    text = report.render(tmp_path / "sweep")
    parsed(text)
    assert html.escape(HOSTILE) in text and "nothing to draw" in text


def test_a_sweep_without_a_finished_trial_says_how_to_go_on(swept: Path, tmp_path: Path) -> None:
    """Before: "holds a damaged sweep: zip() argument 2 is shorter"."""
    shutil.copytree(swept, tmp_path / "my sweep")
    (tmp_path / "my sweep" / "trials.jsonl").write_text("")
    with pytest.raises(ConfigError, match="no trial is finished yet; to go on with it: neuroep sweep ") as caught:
        report.write(tmp_path / "my sweep")
    assert str(caught.value).endswith(f"--out '{tmp_path / 'my sweep'}'") and "\n" not in str(caught.value)
    (tmp_path / "my sweep" / "trials.jsonl").unlink()
    with pytest.raises(ConfigError, match="no trial is finished yet"):
        report.write(tmp_path / "my sweep")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sweep.json", '{"format": 1}'),
        ("sweep.json", '{"form'),
        ("comparison.json", "{"),
        ("gradcheck.json", "{"),
        ("gradcheck.json", '{"about": {}}'),
        ("gradcheck.json", "[]"),
        ("comparison.json", '{"engines": {}}'),
        ("config.toml", "[network"),
        ("other.txt", ""),
    ],
)
def test_what_cannot_be_reported_is_one_line(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(NeuroepError) as caught:
        report.write(tmp_path)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("name", "content"), [("environment.json", "{"), ("metrics.jsonl", '{"epoch": 1}\n')])
def test_a_damaged_run_is_one_line(trained: Path, tmp_path: Path, name: str, content: str) -> None:
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / name).write_text(content)
    with pytest.raises(CheckpointError, match="is damaged") as caught:
        report.write(tmp_path / "run")
    assert "\n" not in str(caught.value) and not (tmp_path / "run" / "report.html").exists()


def test_targets_and_files_that_cannot_be(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("my own")
    for out, target, message in (
        (tmp_path / "a.html", 80, "allowed are shares"),
        (tmp_path / "a.html", 0.8, "only with a sweep"),
        (tmp_path / "mine.html", None, "holds something else"),
        (tmp_path, None, "is a directory"),
        (tmp_path / "missing" / "a.html", None, "cannot be written"),
    ):
        with pytest.raises(ConfigError, match=message):
            report.write(trained, out, target=target)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.html"]


@pytest.mark.parametrize(
    ("overrides", "optimiser", "settling"),
    [
        ([], "adam, rates", "nudged steps<"),
        (["--chip", "reram"], "sgd, rates", "nudged steps<"),
        (["--chip", "reram", "--chip.update.scheme", "agad"], "adam, carried out as plain SGD, rates", "steps<"),
        (["--chip", "reram", "--chip.update.scheme", "mixed_precision"], "adam, rates", "steps<"),
        (["--chip", "pcm", "--settling.stop", "calibrated"], "adam, rates", "steps; sweeps as a calibration"),
        (["--settling.stop", "calibrated"], "adam, rates", "nudged steps<"),
    ],
)
def test_a_page_says_how_a_run_learned(tiny: Path, overrides: list[str], optimiser: str, settling: str) -> None:
    """Before, agad had Adam on its page, and phases of three sweeps "at most 20 steps"."""
    kind = ["--optimiser.kind", "sgd"] if optimiser.startswith("sgd") else []
    text = page._trained(runs.Run(tiny, config.load(tiny, [*overrides, *kind])), {}, [])
    assert f"<td>{optimiser}" in text and settling in html.unescape(text).replace("<wbr>", "")
