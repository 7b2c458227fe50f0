"""Histograms hold what they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.drawing import style

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from analysis.chips.devices import plot_conductance_histograms, plot_weight_histograms
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from neuroep.errors import ConfigError


def crossbar(**settings: Any) -> Crossbar:
    found = Crossbar(Chip.parse({"name": "mine", **settings}), (6, 5), seed=0, name="test")
    found.program(np.random.default_rng(0).normal(size=(6, 5)).astype("float32"))
    return found


def steps(ax: Any) -> dict[str, Any]:
    return {str(part.get_label()): part.get_data() for part in ax.patches if isinstance(part, StepPatch)}


def test_weight_histograms_hold_all_weights(tmp_path: Path) -> None:
    before, after = np.random.default_rng(0).normal(size=(2, 40, 50))
    given = style.figure().add_subplot()
    ax = plot_weight_histograms(before, after, given)
    assert ax is given
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("weight [1]", "share of weights per bin [%]")
    found = steps(ax)
    for name, values in (("before", before), ("after", after)):
        counts, edges, _ = found[name]
        assert counts.sum() == pytest.approx(100)
        assert counts == pytest.approx(100 * np.histogram(values, edges)[0] / values.size)
    style.save(ax, tmp_path / "picture.png")


@pytest.mark.parametrize("weights", [np.full((3, 3), 0.25), np.zeros(1), [0.25, np.nan, 0.25]])
def test_equal_weights_are_one_bar(weights: Any) -> None:
    counts, _, _ = steps(plot_weight_histograms(weights))["weights"]
    assert sorted(counts)[-2:] == pytest.approx([0, 100])


@pytest.mark.parametrize("weights", [[], [np.nan, np.inf]])
def test_nothing_to_draw(weights: Any) -> None:
    with pytest.raises(ConfigError, match="none of them finite"):
        plot_weight_histograms(weights)


@pytest.mark.parametrize("slices", [{}, {"slices": 2, "slice_bits": 4}])
def test_conductances_of_a_pair(slices: dict[str, int]) -> None:
    bar = crossbar(device={"g_max": 20.0}, crossbar=slices)
    before = bar.conductances()
    bar.program(-bar.weights())
    ax = plot_conductance_histograms(before, bar)
    assert ax.get_xlabel() == "conductance [uS]"
    found = steps(ax)
    assert set(found) == {"G+ after", "G- after", "G+ before", "G- before"}
    counts, edges, _ = found["G+ before"]
    assert counts == pytest.approx(100 * np.histogram(before[0], edges)[0] / before[0].size)
    assert found["G- after"][0] == pytest.approx(counts)


def test_reference_columns_are_left_out() -> None:
    bar = crossbar(device={"g_max": 20.0}, crossbar={"mapping": "offset"})
    before = bar.conductances()
    assert set(steps(plot_conductance_histograms(before, bar))) == {"G after", "G before"}
    assert set(steps(plot_conductance_histograms(before, paired=False))) == {"G"}
    assert set(steps(plot_conductance_histograms(bar))) == {"G"}
    with pytest.raises(ConfigError, match="1 arrays"):
        plot_conductance_histograms([before[0]])
