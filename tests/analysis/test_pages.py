"""What pages say of runs with a history, of chips and sweeps of all kinds, and of gradient checks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from analysis.drawing import panels

import pytest

from analysis import report
from analysis.gradients import measure as gradcheck
from analysis.gradients.pictures import GDU_SHEET
from analysis.run import subject
from analysis.run.measure import measure
from analysis.sweep import results, runner
from hw_models.text import kept
from neuroep.errors import ConfigError, DataError
from neuroep.runs import config, directory as runs, training

Checked = Callable[[str], str]


@pytest.mark.usefixtures("unrendered")
def test_a_run_shows_its_behaviour(trained: Path, checked: Checked) -> None:
    text = checked(report.render(trained))
    for title in ("Settling, free and nudged", "States at their limits", "Attention in one sample", "updates move the"):
        assert title in text
    assert "are missing, because" not in text and report.render(trained) == text


@pytest.mark.usefixtures("unrendered")
def test_a_run_on_an_event_driven_chip(tiny: Path, tmp_path: Path, checked: Checked) -> None:
    training.train(config.load(tiny, ["--chip", "loihi", "--epochs", "1"]), tmp_path / "run", progress=False)
    text = checked(report.render(tmp_path / "run"))
    assert "orchard_2021_loihi2" in text and "Attention in one sample" in text
    assert "Conductances" not in text and "(potentiation)" not in text


@pytest.mark.usefixtures("unrendered")
def test_a_run_from_another_run(trained: Path, tiny: Path, tmp_path: Path, checked: Checked) -> None:
    start, out = tmp_path / "start", tmp_path / "run"
    shutil.copytree(trained, start)
    training.train(config.load(tiny, ["--epochs", "1"]), out, start=start, progress=False)
    text = checked(report.render(out)).replace("<wbr>", "")
    assert f"Before learning are the weights of &#x27;{start}&#x27;" in text and f"{kept('--from')} {start}" in text
    shutil.rmtree(start)
    gone = checked(report.render(out))
    assert "which is not there" in gone and ">before<" not in gone


def behaviour(run: runs.Run) -> str:
    """Return what the page of a run says of its behaviour."""
    found = [one for one in measure(run, learn=True).panels if one.panel.section == "Behaviour"]
    (section,) = panels.sections(found)
    return section


def test_data_that_are_not_there_leave_a_line(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.load(trained)
    for changes, why in (
        ({"name": "imdb", "vectors": "glove"}, "data &#x27;imdb&#x27; are in no local directory"),
        ({"name": "table", "path": tmp_path, "vectors": "glove"}, "the word vectors are in no local file"),
        ({"name": "table", "path": tmp_path, "text": "text"}, "vectors"),
    ):
        data = run.config.data.model_copy(update=changes)
        other = runs.Run(run.path, run.config.model_copy(update={"data": data}))
        line = behaviour(other)
        assert "are missing, because " in line and why in line and "plot_attention" in line and line.count("<p") == 1
    monkeypatch.setattr(subject, "LARGEST", 10)
    assert "over 10" in behaviour(run)


@pytest.mark.usefixtures("unrendered")
def test_local_tables_are_opened(tiny: Path, tmp_path: Path, checked: Checked) -> None:
    folder, words = tmp_path / "tables", ["good", "bad", "film", "plot"]
    folder.mkdir()
    lines = [f"{word} film plot,{label}" for label, word in enumerate(words[:2])] * 20
    for split in ("train", "test"):
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    vectors = tmp_path / "words.txt"
    vectors.write_text("".join(f"{word} {n} {n % 2} 0.5 {n / 2}\n" for n, word in enumerate(words)))
    table = {"name": "table", "path": folder, "vectors": vectors, "text": "text", "limit": 40}
    given = [part for name, value in table.items() for part in (f"--data.{name}", str(value))]
    training.train(config.load(tiny, [*given, "--epochs", "1"]), tmp_path / "run", progress=False)
    assert "Attention in one sample" in checked(report.render(tmp_path / "run"))
    (folder / "test.csv").write_text("text,label\n")
    assert "are missing, because " in checked(report.render(tmp_path / "run"))
    shutil.rmtree(folder)
    assert "are in no local directory" in checked(report.render(tmp_path / "run"))


@pytest.mark.usefixtures("unrendered")
def test_data_that_fail_leave_a_line(trained: Path, monkeypatch: pytest.MonkeyPatch, checked: Checked) -> None:
    def fail(*_: object) -> None:
        raise DataError("no\nsuch <data>")

    monkeypatch.setattr(subject, "open_run", fail)
    assert "are missing, because no such &lt;data&gt;." in checked(report.render(trained))


@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize(
    "vary",
    [["chip.adc.bits=3,6"], ["chip.adc.bits=3,6", "chip.dac.bits=4,8", "chip.device.read_noise=0,1"]],
    ids=["one field", "three fields"],
)
def test_a_sweep_of_fields(sweep: Callable[..., Path], vary: list[str], checked: Checked) -> None:
    out = sweep(vary)
    text = checked(report.render(out))
    assert text.count('alt="accuracy by ') == len(vary)
    assert text.count('alt="map of accuracy') == {1: 0, 3: 3}[len(vary)]
    ideal = results.load(out).ideal
    assert ideal is not None and f"{100 * ideal:.1f} % with the same weights on the whole split" in text
    assert "The chip before fields are varied: legallo_2023_hermes" in text


@pytest.mark.usefixtures("unrendered")
def test_a_sweep_of_chips(sweep: Callable[..., Path], checked: Checked) -> None:
    text = checked(report.render(sweep(["chip=pcm,hermes"], ())))
    assert "Whole chips." in text and "Joshi" in text and "Le Gallo" in text
    assert f"{kept('--vary')} chip=pcm,hermes" in text


@pytest.mark.usefixtures("unrendered")
def test_a_chip_of_ones_own_has_its_sources(trained: Path, tmp_path: Path, checked: Checked) -> None:
    (tmp_path / "mine.toml").write_text("name = 'mine'\ncitation = 'My Lab (2026)'\n[adc]\nbits = 7\n")
    mine = str(tmp_path / "mine.toml")
    for number, (vary, overrides) in enumerate((("chip.dac.bits=4", ["--chip", mine]), (f"chip={mine}", []))):
        out = tmp_path / str(number)
        with ThreadPoolExecutor(1) as executor:
            runner.run(trained, [vary], overrides=overrides, samples=20, out=out, executor=executor)
        text = checked(report.render(out))
        assert "My Lab (2026)" in text and "<td>adc.bits</td>" in text
    assert "Versions and machine" in text


def test_a_gradient_check(tiny: Path, tmp_path: Path, checked: Checked) -> None:
    out = tmp_path / "check"
    found = gradcheck.run(config.load(tiny), out, samples=4, steps=6, betas=(0.01, 0.1))
    text = checked(report.write(out).read_text())
    assert text.count("<img") == 2 and "beta 0.01" in text
    assert "[estimator]" in text and "Versions and machine" in text
    assert all(f"<td>{name}</td>" in text for name in found.parameters)
    assert f"{found.configured[0].cosine:.5f}" in text
    with pytest.raises(ConfigError, match="gradient check"):
        report.render(out, target=0.5)
    (out / GDU_SHEET.file).write_bytes(b"no picture")
    assert "The file gdu.png is missing" in report.render(out)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that take no time."""
    monkeypatch.setattr(report, "render", lambda *_, **__: f"<p>{report.html.GENERATOR}")


@pytest.mark.usefixtures("short")
def test_a_kill_leaves_the_old_report(tmp_path: Path, process: Callable) -> None:
    path = tmp_path / "page.html"
    old = report.write(tmp_path, path).read_bytes()
    code = (
        "import os, sys; from analysis import report\n"
        "report.render = lambda *_, **__: 'new' * 10**6\n"
        "os.replace = lambda *_: os._exit(9)\n"
        "report.write(sys.argv[1], sys.argv[2])"
    )
    assert process("-c", code, tmp_path, path).wait() == 9
    assert path.read_bytes() == old
    assert [left.name for left in tmp_path.iterdir() if left != path] == [".page.html.partial"]
    report.write(tmp_path, path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("short")
def test_a_full_disk_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    old = report.write(tmp_path, path).read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        report.write(tmp_path, path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]
