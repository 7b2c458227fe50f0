"""Everything is measured before a page is drawn, and nothing learns unless it is asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.run.measure import MeasuredRun, measure
from analysis.run.page import run_page
from neuroep.runs import directory as runs


def refuse(monkeypatch: pytest.MonkeyPatch, found: MeasuredRun, *names: str) -> None:
    """Let no engine of the kind that was opened do any of these."""

    def fail(*_: object, **__: object) -> None:
        pytest.fail(f"one of {names} was called")

    for name in names:
        monkeypatch.setattr(type(found.subject.opened.parts.engine), name, fail)


def titles(found: MeasuredRun) -> list[str]:
    return [one.panel.title for one in found.panels]


def test_no_weight_changes_unless_it_is_asked_for(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, the page of a run trained as it drew."""
    before = {path: path.read_bytes() for path in trained.iterdir() if path.is_file()}
    with monkeypatch.context() as patch:
        refuse(patch, measure(runs.load(trained)), "update")
        found = measure(runs.load(trained))
    assert "Settling, free and nudged" in titles(found)
    assert "Where updates move the weights" not in titles(found)
    assert "Where updates move the weights" in titles(measure(runs.load(trained), learn=True))
    assert {path: path.read_bytes() for path in trained.iterdir() if path.is_file()} == before


def test_the_page_is_drawn_of_what_was_measured(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = measure(runs.load(trained), learn=True)
    refuse(monkeypatch, found, "clamp", "settle", "update")
    assert run_page(found).count("<img") >= 10
