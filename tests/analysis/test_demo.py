"""The demo: its settings, and that it is a comparison."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import comparison, demo
from neuroep.errors import ConfigError
from neuroep.runs import config, directory as runs

ROOT = Path(__file__).resolve().parents[2]


def test_settings_are_those_of_the_example() -> None:
    assert demo.settings() == config.load(ROOT / "examples" / "configs" / "reviews.toml")
    assert demo.settings({"epochs": 2}).training.epochs == 2


def test_it_compares_both_engines_and_the_chips(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "CHIPS", ("pcm",))
    result = demo.run(config=runs.load(trained).config)
    assert [found.name for found in result.contestants] == ["reference", "local", "joshi_2020_pcm"]
    assert result.out == demo.DEFAULT
    assert (tmp_path / "runs" / "demo" / comparison.results.RESULTS).is_file()


def test_full_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(ConfigError, match="is not empty"):
        demo.run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
