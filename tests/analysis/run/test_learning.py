"""What is recorded of an array that learns is what happened on it, measured another way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.drawing import style

import numpy as np
import pytest

from analysis.run.arrays import plot_conductance_trajectories, plot_update_map
from analysis.run.learning import record
from neuroep.engines.chip import rules
from neuroep.engines.engine import Engine
from neuroep.errors import ConfigError
from tests.analysis.run.cases import BATCHES, CHIPS, ESTIMATOR, RATES, SYNAPSE, engine
from tests.neuroep.engines.chip.two_arrays import TwoArrays


def weights(of: Engine) -> np.ndarray:
    return of.parameters()[f"{SYNAPSE}.weight"].astype(float)


@pytest.mark.parametrize("name", ["none", "loihi", *CHIPS])
def test_record_is_what_happened(name: str, tmp_path: Path) -> None:
    twin, moved = engine(name), 0.0
    first = weights(twin)
    for step, batch in enumerate(BATCHES):
        before = weights(twin)
        twin.update(ESTIMATOR.measure(twin, batch.keyed("train", step), step).contrasts, RATES)
        moved += np.abs(weights(twin) - before).sum()
    own = engine(name)
    crossbar = getattr(own.arrays[SYNAPSE], "crossbar", None)  # type: ignore[attr-defined]
    start = None if crossbar is None else crossbar.conductances()
    found = record(own, BATCHES, ESTIMATOR, RATES, SYNAPSE)
    assert found.updates == len(BATCHES)
    assert found.moved.sum() == pytest.approx(moved, rel=1e-5)
    assert moved > 0
    where = tuple(found.entries.T)
    assert found.weights[0] == pytest.approx(first[where], rel=1e-6)
    assert found.weights[-1] == pytest.approx(weights(twin)[where], rel=1e-6)
    lines = plot_conductance_trajectories(found)
    if start is None:
        assert found.conductances is None
        assert lines.get_ylabel() == "weight [1]"
        assert lines.lines[0].get_ydata() == pytest.approx(found.weights[:, 0])
    else:
        assert found.conductances is not None and crossbar is not None
        for moment, sides in ((0, start), (-1, crossbar.conductances())):
            for side in (0, 1):
                np.testing.assert_array_equal(found.conductances[moment, :, side], sides[side][-1][where])
        assert lines.get_ylabel().endswith("[uS]")
        assert lines.lines[0].get_ydata() == pytest.approx(found.conductances[:, 0, 0])
        assert len(lines.lines) == len(found.entries) * (1 + found.paired)
    assert found.paired == (name != "offset")
    assert found.tiles == (((3,), (2,)) if name == "offset" else ((), ()))
    style.save(lines, tmp_path / "picture.png")


def test_of_several_crossbars_the_picture_says_which_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "named", lambda scheme: TwoArrays)
    own = engine("pulsed")
    found = record(own, BATCHES, ESTIMATOR, RATES, SYNAPSE)
    assert found.crossbars == 2
    assert "first of 2 crossbars" in plot_conductance_trajectories(found).get_ylabel()
    assert found.moved.min() > 0  # what the second one does is in the weights


def test_chosen_entries_and_idle_updates() -> None:
    found = record(engine("none"), BATCHES, ESTIMATOR, RATES, SYNAPSE, [(1, 2), (0, 0)])
    assert found.entries.tolist() == [[1, 2], [0, 0]]
    idle = record(engine("none"), BATCHES, ESTIMATOR, dict.fromkeys(RATES, 0.0), SYNAPSE)
    assert idle.updates == len(BATCHES)
    assert not idle.moved.any()
    assert "nothing moved" in plot_update_map(idle).get_title(loc="left")


@pytest.mark.parametrize(
    ("synapse", "batches", "entries", "told"),
    [
        ("dense1", BATCHES, None, "did you mean 'dense_1'|dense_1"),
        (SYNAPSE, [], None, "batches are empty"),
        (SYNAPSE, BATCHES, [], "entries are empty"),
        (SYNAPSE, BATCHES, [(99, 0)], r"entry \(99, 0\)"),
        (SYNAPSE, BATCHES, [(0.5, 0)], r"entry \(0.5, 0\)"),
        (SYNAPSE, BATCHES, [(1, 2, 3)], r"entry \(1, 2, 3\)"),
    ],
)
def test_refused_with_one_line(synapse: str, batches: Any, entries: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        record(engine("none"), batches, ESTIMATOR, RATES, synapse, entries)
