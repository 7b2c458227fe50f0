"""Runs that version 0.1 made are read: with their weights, on their devices, and on from where they stood."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from neuroep.cli import main
from neuroep.runs import directory

HELD = Path(__file__).parent / "version_0_1"
SEEN = {"plain": (0.488, 0.27389619241430124), "pcm": (0.484, 0.2758655257953283)}
"""Accuracy and loss on the test split, as version 0.1 gave them."""


@pytest.fixture(params=SEEN)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run of version 0.1, one epoch on 90 generated reviews."""
    return Path(shutil.copytree(HELD / request.param, tmp_path / request.param))


def test_it_is_evaluated_as_it_was_then(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before, a setting that 0.1 did not have changed the hash of its configuration: all its runs were refused."""
    assert main(["evaluate", str(old), "--json"]) == 0
    found, (accuracy, loss) = json.loads(capsys.readouterr().out), SEEN[old.name]
    assert found["accuracy"] == pytest.approx(accuracy, abs=0.01)
    assert found["loss"] == pytest.approx(loss, rel=1e-3)


def test_it_goes_on(old: Path, tmp_path: Path) -> None:
    assert main(["train", str(old / "config.toml"), "--out", str(old), "--resume", "--epochs", "2", "--quiet"]) == 0
    assert [line["epoch"] for line in directory.load(old).metrics] == [1, 2]


def test_others_start_from_its_weights(old: Path, tmp_path: Path) -> None:
    out = tmp_path / "next"
    assert main(["train", str(old / "config.toml"), "--from", str(old), "--out", str(out), "--quiet"]) == 0
    assert len(directory.load(out).metrics) == 1
