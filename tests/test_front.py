"""The picture of docs/costs.md is that of a sweep's front, which docs/front.py prints too."""

from __future__ import annotations

from pathlib import Path

import front
import pytest

from analysis.sweep import bills, results, runner
from tests.conftest import ROOT


def test_the_front_of_a_sweep_is_drawn_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chip = ["--chip", "rram", "--chip.device.read_noise", "8", "--data.limit", "40"]
    how = {"vary": ["chip.adc.bits=3,8"], "samples": 20, "out": tmp_path / "sweep"}
    runner.run(ROOT / "examples" / "configs" / "reviews.toml", overrides=chip, **how)
    front.main(tmp_path / "sweep", tmp_path)
    assert (tmp_path / "front.png").read_bytes()[1:4] == b"PNG"
    priced = bills.priced(results.load(tmp_path / "sweep").rows, "energy")
    points = sorted(zip(priced.price, priced.accuracy, priced.name, strict=True))
    best = [one for n, one in enumerate(points) if all(one[1] > other[1] for other in points[:n])]
    told = capsys.readouterr().out.splitlines()[-len(best) :]
    assert told == [f"{name}: {100 * accuracy:.1f} %, {1e6 * energy:.1f} uJ" for energy, accuracy, name in best]
