"""The page of an ablation: tables, pictures, how to make it again; the same bytes twice."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import pytest

from analysis import report
from analysis.ablate.page import command
from analysis.sweep.ledger import TRIALS
from hw_models.chip import files
from neuroep.errors import ConfigError
from neuroep.runs import config
from neuroep.runs.directory import CONFIG


def test_the_page(small, checked):
    text = checked(report.render(small.out))
    assert report.render(small.out) == text
    for title in ("What effects cost", "Pairs that interact", "In short", "To reproduce it", "as it is"):
        assert title in text
    for cost in small.costs:
        assert html.escape(cost.effect) in text
    assert 'alt="bars of the accuracy that each effect costs"' in text
    assert 'alt="gain of pairs of effects beyond the sum of both gains"' in text
    assert "read-out bits" in text and "The chip with all effects" in text


def test_the_command_makes_it_again(small, neuroep, tmp_path, monkeypatch, trained):
    words = command(small)
    assert words[:3] == ["neuroep", "ablate", str(trained)]
    monkeypatch.chdir(tmp_path)
    found = neuroep(*words[1:], "--workers", 1, "--quiet")
    assert found.code == 0 and found.out.splitlines()[:-1] == small.as_text().splitlines()[:-1]


@pytest.mark.usefixtures("unrendered")
def test_the_chip_is_the_one_given_with_what_trials_do_not_see(ablated, tmp_path, checked):
    """Before, what belongs to updates had its default, and who copied the TOML had another device."""
    pulse = {"response": "soft_bounds", "up_down": 0.2, "noise": 0.3, "dw_min_spread": 0.15}
    given = ["--chip", "ideal", "--chip.adc.bits", "4", "--chip.update.scheme", "agad"]
    given += [word for name, value in pulse.items() for word in (f"--chip.device.pulse.{name}", str(value))]
    found = ablated(tmp_path / "out", overrides=given, seeds=1, pairs=0)
    text = html.unescape(checked(report.render(found.out))).replace("<wbr>", "")
    told = re.search(r"In mode 'deploy' no update is made, and no result depends on ([^<]*)[.]<", text)[1]
    assert told == "device.pulse.response, device.pulse.dw_min_spread, device.pulse.noise and device.pulse.up_down"
    (tmp_path / "chip.toml").write_text(re.search(r"The chip as TOML.*?<pre[^>]*>(.*?)</pre>", text, re.DOTALL)[1])
    assert files.load(tmp_path / "chip.toml") == config.load(Path(found.sweep.about["source"]) / CONFIG, given).chip


def test_without_a_trial_there_is_no_page(small, tmp_path):
    shutil.copytree(small.out, tmp_path / "out")
    (tmp_path / "out" / TRIALS).write_bytes(b"")
    with pytest.raises(ConfigError, match="no trial is finished yet"):
        report.render(tmp_path / "out")
    with pytest.raises(ConfigError, match=r"target = 0.9: it acts only with a sweep, .* holds an ablation"):
        report.render(small.out, target=0.9)


@pytest.mark.usefixtures("unrendered")
def test_one_that_was_stopped_says_so(small, tmp_path, checked):
    shutil.copytree(small.out, tmp_path / "out")
    lines = (small.out / TRIALS).read_bytes().splitlines(keepends=True)
    (tmp_path / "out" / TRIALS).write_bytes(b"".join(lines[:20]))
    assert "unfinished: 20 of 33 trials" in checked(report.render(tmp_path / "out"))
