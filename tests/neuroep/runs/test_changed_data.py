"""Data that have changed since a run was trained are noticed however the run is opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroep.cli import main
from neuroep.errors import DataError
from neuroep.runs import directory
from neuroep.runs.session import Session

CONFIG = """\
[network]
tokens = 4
dense = [4, 2]
readout = "pooled"

[data]
name = "arrays"
path = "data"

[settling]
free_steps = 4
nudged_steps = 4

[training]
epochs = 1
batch = 10
"""


def numbers(split: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    np.savez(f"data/{split}.npz", x=draw.normal(size=(20, 4, 3)), labels=np.arange(20) % 2)


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose test data are others now."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    numbers("train", 0)
    numbers("test", 1)
    Path("config.toml").write_text(CONFIG)
    assert main(["train", "config.toml", "--out", "run", "--quiet"]) == 0
    assert Session.open(directory.load("run")).evaluate().samples == 20
    numbers("test", 2)
    return Path("run")


def test_an_opened_run_is_checked_too(changed: Path) -> None:
    """Before, only a path was: compare, gradcheck, sweep and report took the other data without a word."""
    with pytest.raises(DataError, match=r"data 'arrays' are not those that 'run/checkpoint.safetensors' was trained"):
        Session.open(directory.load(changed))


@pytest.mark.parametrize("words", [["compare", "run", "--out", "out"], ["gradcheck", "run", "--out", "out"]])
def test_commands_say_so(changed: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "are not those that" in capsys.readouterr().err
    assert not Path("out").exists()


def test_who_names_data_means_them(changed: Path) -> None:
    assert Session.open(changed, overrides=["--data.name", "arrays"]).evaluate().samples == 20
