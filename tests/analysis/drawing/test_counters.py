"""Counters are divided by samples and updates, and drawn as bars of that length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.drawing import style
from analysis.drawing.counters import at_stop, ordered, per_inference, per_update, plot_counters

import pytest

from neuroep.errors import ConfigError

EPOCHS: list[dict[str, Any]] = [
    {"epoch": 1, "updates": 10, "counters": {"adc": 100, "pulses": 0}},
    {"epoch": 2, "updates": 30, "counters": {"adc": 100, "pulses": 40}},
]


def test_per_inference_and_per_update() -> None:
    assert per_inference({"samples": 4, "counters": {"adc": 10}}) == {"adc": 2.5}
    assert per_inference({"samples": 4}) == {}
    assert per_update(EPOCHS, 0) == {"adc": 10, "pulses": 0}
    assert per_update(EPOCHS) == {"adc": 5, "pulses": 2}


@pytest.mark.parametrize(("metrics", "epoch"), [([], -1), (EPOCHS, 2), (EPOCHS, -3)])
def test_no_such_epoch(metrics: list[dict[str, Any]], epoch: int) -> None:
    with pytest.raises(ConfigError, match=f"epoch is {epoch}"):
        per_update(metrics, epoch)


def test_nothing_to_divide_by() -> None:
    with pytest.raises(ConfigError, match="samples is 0"):
        per_inference({"samples": 0, "counters": {"adc": 10}})
    with pytest.raises(ConfigError, match="epoch 2 has 0 updates"):
        per_update([EPOCHS[0], {**EPOCHS[1], "updates": 10}])


def test_bars(tmp_path: Path) -> None:
    result = {"a": {"reads": 1e6, "adc": 20.0, "own_thing": 3.0}, "b": {"adc": 5.0, "writes": 0.0}}
    given = style.figure().add_subplot()
    ax = plot_counters(result, given, per="update")
    assert ax is given
    assert [text.get_text() for text in ax.get_yticklabels()] == ["ADC conversions", "device reads", "own thing"]
    assert [part.get_width() for part in ax.patches] == [20, 1e6, 3, 5]
    assert [text.get_text() for text in ax.texts] == ["20", "1M", "3", "5"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("count per update [1]", "operation")
    low, high = ax.get_xlim()
    assert low < 3 and high > 1e6
    style.save(ax, tmp_path / "picture.png")


@pytest.mark.parametrize("result", [{}, {"a": {}}, {"a": {"adc": 0}}])
def test_nothing_counted(result: dict[str, dict[str, float]], tmp_path: Path) -> None:
    ax = plot_counters(result)
    assert ax.texts[0].get_text() == "nothing counted"
    style.save(ax, tmp_path / "picture.png")


def test_order() -> None:
    assert ordered(["mine", "pulses", "dac"]) == ["dac", "pulses", "mine"]


def test_shares_at_the_stop_are_of_the_conversions_of_their_direction():
    counted = {"dac": 10, "adc": 100, "adc_transposed": 40, "adc_forward_at_stop": 6, "adc_transposed_at_stop": 10}
    assert at_stop(counted) == {"DAC": 0.0, "ADC, forward": 0.1, "ADC, transposed": 0.25}
    assert at_stop({}) == {}
