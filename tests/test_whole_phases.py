"""docs/whole_phases.py: a point of the bound, rows that go on where they stopped, and a page of them."""

from __future__ import annotations

import json
import sys

import numba
import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import whole_phases

compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="statistics of many updates")


@compiled
@pytest.mark.parametrize("noise", [None, 3.0])
def test_an_update_and_what_is_held_have_the_signal_to_noise_of_the_bound(noise):
    row = whole_phases.bound("ecram", noise, 10.0)
    assert row["update"] == pytest.approx(row["update predicted"], rel=0.15)
    assert row["held"] == pytest.approx(row["held predicted"], rel=0.15)


def test_rows_go_on_where_they_stopped_and_make_a_page(tmp_path, monkeypatch):
    path, done = tmp_path / "rows.jsonl", []
    rows = [{"kind": "bound", "preset": "ecram", "noise": None, "kappa": 3.0, "sigma": 0.3, "leak": 0.4, "update": 1.1,
             "update predicted": 1.0, "held": 0.9, "held predicted": 1.0},
            {"kind": "reviews", "signals": "contrast", "seed": 0, "accuracy": 0.9, "coherence": {"a": {"kappa": 2.0}}}]
    path.write_text(json.dumps(rows[0]) + "\n")
    asked = [("bound", "ecram", None, 3.0), ("reviews", "contrast", 0)]
    monkeypatch.setattr(whole_phases, "wanted", lambda: iter(asked))
    monkeypatch.setattr(whole_phases, "reviews", lambda *how: done.append(how) or rows[1])
    whole_phases.measure(path)
    assert done == [("contrast", 0)] and whole_phases.read(path) == rows
    monkeypatch.setattr(whole_phases, "HERE", tmp_path)
    whole_phases.main("page", path)
    page = (tmp_path / "whole_phases.md").read_text()
    assert "| ecram | 0.3 | 0.4 | 1.10 (1.10 to 1.10) | 0.90 (0.90 to 0.90) |" in page
    assert "| contrast | 90.0 | a 2 |" in page and (tmp_path / "whole_phases.png").stat().st_size > 10_000
