"""Conductances on a run's page are those of all crossbars; the pictures themselves: tests/analysis/test_pictures.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.run.conductances import crossbars
from neuroep.engines.chip import rules
from neuroep.runs import config, directory as runs, training
from tests.neuroep.engines.chip.two_arrays import TwoArrays


def test_a_rule_with_two_arrays_shows_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rules, "named", lambda scheme: TwoArrays)
    values = {
        "network": {"tokens": 10, "dense": [2], "readout": "pooled"},
        "data": {"name": "reviews", "limit": 16},
        "settling": {"free_steps": 2, "nudged_steps": 2},
        "optimiser": {"kind": "sgd"},
        "training": {"epochs": 1, "batch": 8},
        "chip": {"update": {"scheme": "pulsed"}},
    }
    training.train(config.parse(values), tmp_path / "run", progress=False, diagnose=False)
    run = runs.load(tmp_path / "run")
    saved = run.checkpoint()
    found = crossbars(run, saved, saved.parameters, as_learned=True)
    assert set(found) == {"query", "query further", "dense_1", "dense_1 further"}
    np.testing.assert_allclose(found["query further"].stored, 0.02, rtol=1e-5)
