"""The page of a requirement: what was found, pictures, how to make it again; the same bytes twice."""

from __future__ import annotations

import shutil

import pytest

from analysis import report
from analysis.require.page import command
from analysis.sweep.ledger import TRIALS
from neuroep.errors import ConfigError


def test_the_page_of_a_border(bits, checked):
    text = checked(report.render(bits.out))
    assert report.render(bits.out) == text
    for title in ("In short", "Points that were run", "Accuracy by point", "To reproduce it", "misses it"):
        assert title in text
    assert 'alt="points by verdict"' in text and "assumed: accuracy goes one way" in text


def test_the_page_of_a_front(front, checked):
    text = checked(report.render(front.out))
    assert "The front" in text and 'alt="front of accuracy against a price"' in text and "wan_2022_reram" in text


def test_the_command_makes_it_again(bits, neuroep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = neuroep(*command(bits)[1:], "--workers", 1, "--quiet")
    assert found.code == 0 and found.out.splitlines()[:-1] == bits.as_text().splitlines()[:-1]


def test_without_a_trial_there_is_no_page(bits, tmp_path):
    shutil.copytree(bits.out, tmp_path / "out")
    (tmp_path / "out" / TRIALS).write_bytes(b"")
    with pytest.raises(ConfigError, match="no trial is finished yet"):
        report.render(tmp_path / "out")
    with pytest.raises(ConfigError, match=r"target = 0.9: it acts only with a sweep, .* holds a requirement"):
        report.render(bits.out, target=0.9)
