"""The demo: its settings, its two runs, its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from analysis import demo
from neuroep import config, runs
from neuroep.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> tuple[demo.Demo, list[tuple[str, int]]]:
    """The demo of a network that trains in a blink."""
    told: list[tuple[str, int]] = []
    settings = runs.load(trained).config
    out = tmp_path_factory.mktemp("demo") / "out"
    result = demo.run(out, config=settings, report=lambda engine, record: told.append((engine, record["epoch"])))
    return result, told


def test_settings_are_those_of_the_example() -> None:
    assert demo.settings() == config.load(ROOT / "examples" / "configs" / "reviews.toml")
    assert demo.settings(epochs=2).training.epochs == 2


def test_both_engines_learn_the_same(ran: tuple[demo.Demo, list[tuple[str, int]]]) -> None:
    result, told = ran
    assert told == [("local", 1), ("local", 2), ("reference", 1), ("reference", 2)]
    first, second = result.engines
    assert (first.engine, second.engine) == ("local", "reference")
    assert first.test == pytest.approx(second.test, abs=0.01)
    assert result.agreement >= 0.99
    weights = [runs.load(result.out / name).checkpoint().parameters for name in demo.ENGINES]
    for name, value in weights[0].items():
        np.testing.assert_allclose(value, weights[1][name], atol=1e-3)


def test_files(ran: tuple[demo.Demo, list[tuple[str, int]]]) -> None:
    result, _ = ran
    assert {path.name for path in result.out.iterdir()} == {"demo.png", "results.json", "local", "reference"}
    assert (result.out / "demo.png").read_bytes().startswith(b"\x89PNG")
    page = json.loads((result.out / "results.json").read_text())
    assert page["agreement"] == result.agreement
    assert {"energy", "gdu", "engines", "bag_of_words"} <= page.keys()
    assert runs.load(result.out / "reference").config.engine.kind == "reference"


def test_accuracies_are_those_of_the_metrics(ran: tuple[demo.Demo, list[tuple[str, int]]]) -> None:
    result, _ = ran
    for found in result.engines:
        last = runs.load(result.out / found.engine).metrics[-1]
        assert found.test == last["evaluate"]["test"]["accuracy"]


def test_text(ran: tuple[demo.Demo, list[tuple[str, int]]]) -> None:
    text = ran[0].as_text()
    for word in ("local", "reference", "bag of words", "seconds", "the same class for", str(ran[0].out)):
        assert word in text


def test_full_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(ConfigError, match="is not empty"):
        demo.run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_failure_leaves_nothing(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> float:
        raise OSError("disk full")

    monkeypatch.setattr(demo, "bag_of_words_accuracy", fail)
    with pytest.raises(OSError, match="disk full"):
        demo.run(tmp_path / "out", config=runs.load(trained).config)
    assert not list(tmp_path.iterdir())
