"""What is drawn of an array is what happened on it, measured another way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.array_learning import Learning
from analysis.pictures import style
from analysis.pictures.arrays import (
    Saturation,
    concentration,
    plot_conductance_trajectories,
    plot_saturation,
    plot_update_map,
    record,
    saturation,
)
from hw_models import load
from hw_models.chip import Chip
from neuroep import engines
from neuroep.engines.engine import Engine
from neuroep.engines.settling import Schedule
from neuroep.errors import ConfigError
from neuroep.learning.optimisers import SGD, Adam
from tests import cases

NET = cases.network("pooled_sentiment")
SYNAPSE = "dense_1"
RATES = {part.name: 0.01 for part in NET.synapses}
SHORT = Schedule(steps=6)
ESTIMATOR = cases.estimator(free=SHORT, nudged=SHORT)
BATCHES = [cases.batch(NET, seed=n) for n in range(4)]
CHIPS: dict[str, Any] = {
    "pair": {"device": {"g_max": 20.0, "programming_noise": [0.1]}},
    "offset": {"device": {"g_max": 20.0}, "crossbar": {"mapping": "offset", "rows": 3, "columns": 4}},
    "slices": {"device": {"g_max": 20.0}, "crossbar": {"slices": 2, "slice_bits": 4}},
    "pulsed": {"update": {"scheme": "pulsed"}, "device": {"pulse": {"dw_min": 1e-4}}},
}


def engine(name: str) -> Engine:
    """Return an engine with a small chip, or Loihi, or none."""
    if name == "none":
        return cases.engine("local", NET)
    chip = load("orchard_2021_loihi2") if name == "loihi" else Chip.parse({"name": name, **CHIPS[name]})
    rule = SGD() if name == "pulsed" else Adam()
    found = engines.local(NET, cases.parameters(NET), threads=1, chip=chip, optimiser=rule)
    if found.calibrates:
        found.calibrate(BATCHES, ESTIMATOR)
    return found


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


def learning(moved: np.ndarray, tiles: Any = ((), ())) -> Learning:
    return Learning("big", np.zeros((1, 2), dtype=int), np.zeros((3, 1)), None, moved, tiles)


def test_update_map_shows_every_crosspoint(tmp_path: Path) -> None:
    moved = np.random.default_rng(0).random((5, 8))
    given = style.figure().add_subplot()
    ax = plot_update_map(learning(moved, ((2,), (4,))), given)
    assert ax is given
    np.testing.assert_allclose(ax.images[0].get_array(), moved)
    assert ax.images[0].get_extent() == [-0.5, 7.5, 4.5, -0.5]
    assert [ax.lines[0].get_ydata()[0], ax.lines[1].get_xdata()[0]] == [1.5, 3.5]
    assert "[weight]" in ax.figure.axes[1].get_ylabel()
    assert ax.get_xlabel() and ax.get_ylabel()
    style.save(ax, tmp_path / "picture.png")


def test_huge_maps_are_averaged() -> None:
    moved = np.random.default_rng(0).random((1601, 3))
    ax = plot_update_map(learning(moved))
    shown = np.asarray(ax.images[0].get_array())
    assert shown.shape == (534, 3)
    assert shown[:533] == pytest.approx(moved[:1599].reshape(533, 3, 3).mean(1))
    assert shown[533] == pytest.approx(moved[1599:].mean(0))
    assert ax.images[0].get_extent()[2] == 1601.5
    assert ax.get_ylim() == (1600.5, -0.5)
    assert "mean of 3 x 1" in ax.figure.axes[1].get_ylabel()


def test_a_few_moved_crosspoints_stay_apart() -> None:
    moved = np.zeros((100, 100))
    moved[3, :2] = 1, 2
    assert plot_update_map(learning(moved)).images[0].get_clim()[1] > 1.9


def test_concentration() -> None:
    assert concentration(np.array([[1.0, 1], [1, 1]])) == 0.5
    assert concentration(np.array([[8.0, 1], [1, 1]])) == 0.25
    assert concentration(np.zeros((2, 2))) == 0


@pytest.mark.parametrize("name", ["none", "pair"])
def test_saturation_is_counted(name: str) -> None:
    own = engine(name)
    settled = own.settle(BATCHES[0], SHORT)
    found = saturation(own, settled)
    assert list(found) == [layer.name for layer in NET.layers if hasattr(layer, "potential")]
    for layer, shares in found.items():
        states = own.states(settled)[layer].reshape(-1)
        low, high = (sum(1 for s in states if s <= 0.01), sum(1 for s in states if s >= 0.99))
        assert shares.low == pytest.approx(low / len(states))
        assert shares.high == pytest.approx(high / len(states))
        assert shares.low + shares.between + shares.high == pytest.approx(1)


def test_saturation_bars(tmp_path: Path) -> None:
    ax = plot_saturation({"hidden": Saturation(0.2, 0.5, 0.3), "output": Saturation(0, 1, 0)})
    assert [part.get_width() for part in ax.patches] == pytest.approx([20, 0, 50, 100, 30, 0])
    assert [part.get_x() for part in ax.patches] == pytest.approx([0, 0, 20, 0, 70, 100])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("share of states [%]", "layer")
    style.save(ax, tmp_path / "picture.png")
    with pytest.raises(ConfigError, match="no layer"):
        plot_saturation({})
