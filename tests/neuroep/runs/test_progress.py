"""Bars: on a terminal, in a notebook, and nowhere else; every long call takes ``progress``."""

from __future__ import annotations

import inspect
import sys
import types

import pytest

import analysis
import neuroep as package
from neuroep.runs import progress


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)


def test_nothing_is_shown_where_lines_are_kept(capsys):
    """A bar in a log file is a thousand lines."""
    assert list(progress.bar(range(3), 3, "x", True)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_in_a_notebook(monkeypatch, capsys):
    """Its cells take what a terminal takes."""
    assert not progress.in_notebook()
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    assert progress.in_notebook() and progress.hidden(True) is False and progress.hidden(False) is True
    assert list(progress.bar(range(3), 3, "x\x1b[2J", True, "thing")) == [0, 1, 2]
    shown = capsys.readouterr().err
    assert "x\\x1b[2J: " in shown and "0/3" in shown and "\x1b[2J" not in shown
    list(progress.bar(range(3), 3, "x", False))
    assert capsys.readouterr().err == ""


def test_every_long_call_takes_it(capsys, monkeypatch, trained, tmp_path):
    calls = (
        package.train, package.evaluate, package.deploy, package.cost, package.Session.evaluate,
        analysis.comparison.run, analysis.gradients.run, analysis.sweep.runner.run, analysis.demo.run,
        analysis.report.write,
    )  # fmt: skip
    assert [call.__name__ for call in calls if "progress" not in inspect.signature(call).parameters] == []
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    package.cost(trained, chip="hermes", samples=4, update=False, progress=True)
    assert "test: " in capsys.readouterr().err
    analysis.report.write(trained, tmp_path / "run.html", progress=True)
    assert "report: " in capsys.readouterr().err
    few = {"samples": 2, "betas": (0.1,), "steps": 2}
    analysis.gradients.run(trained, tmp_path / "check", **few, progress=True)
    assert "gradient check: " in capsys.readouterr().err
