"""Histograms hold what they are given; devices follow the closed form of their response."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.drawing import style

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from analysis.chips.devices import (
    plot_conductance_histograms,
    plot_pulse_response,
    plot_weight_histograms,
    pulse_response,
)
from hw_models import load
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip, Pulse
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


def test_constant_steps_until_the_bounds() -> None:
    found = pulse_response(Pulse(dw_min=0.01, up_down=0.5, w_max=0.5, w_min=-0.5), pulses=120)
    up = np.minimum(-0.5 + 0.01 * found.pulses, 0.5)
    down = np.maximum(0.5 - 0.005 * (found.pulses - 120), -0.5)
    assert found.pulses[-1] == 240
    assert found.mean == pytest.approx(np.where(found.pulses <= 120, up, down), abs=1e-5)
    assert found.devices == pytest.approx(np.tile(found.mean[:, None], found.devices.shape[1]), abs=1e-6)


def test_soft_bounds_are_exponential() -> None:
    found = pulse_response(Pulse(response="soft_bounds", dw_min=0.02), pulses=100)
    factor = 0.98**found.pulses
    up = 1 - 2 * factor
    top = 1 - 2 * 0.98**100
    down = -1 + (1 + top) * 0.98 ** (found.pulses - 100.0)
    assert found.mean == pytest.approx(np.where(found.pulses <= 100, up, down), abs=1e-5)


@pytest.mark.parametrize(("dw_min", "most"), [(1e-3, 2000), (1e-7, 200_000), (1.9, 2)])
def test_default_number_of_pulses(dw_min: float, most: int) -> None:
    turn = pulse_response(Pulse(dw_min=dw_min)).pulses[-1] // 2
    assert 0.45 * most <= turn <= most


@pytest.mark.parametrize("name", ["gong_2018_reram", "li_2018_capacitor", "tang_2018_ecram", "kim_2019_ecram"])
def test_presets_are_drawn(name: str, tmp_path: Path) -> None:
    ax = plot_pulse_response(load(name))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("pulses", "weight [weight range]")
    found = pulse_response(load(name))
    line = next(part for part in ax.lines if part.get_label() == "nominal device")
    assert line.get_ydata() == pytest.approx(found.mean)
    assert found.mean.argmax() == len(found.mean) // 2
    style.save(ax, tmp_path / "picture.png")


def test_refused_with_one_line() -> None:
    for name in ("orchard_2021_loihi2", "legallo_2023_hermes"):
        with pytest.raises(ConfigError, match=f"'{name}' learns by update scheme 'digital'"):
            plot_pulse_response(load(name))
    for pulses in (0, 10**9, 2.5):
        with pytest.raises(ConfigError, match="allowed are whole numbers from 1 to 1000000"):
            pulse_response(Pulse(), pulses=pulses)  # type: ignore[arg-type]
