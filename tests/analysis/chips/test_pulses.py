"""Devices follow the closed form of their response."""

from __future__ import annotations

from pathlib import Path

from analysis.drawing import style

import numpy as np
import pytest

from analysis.chips.pulses import plot_pulse_response, pulse_response
from hw_models import load
from hw_models.chip import Pulse
from neuroep.errors import ConfigError


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
    ax = plot_pulse_response(pulse_response(load(name)))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("number of pulses", "weight [share of the weight range]")
    found = pulse_response(load(name))
    line = next(part for part in ax.lines if part.get_label() == "nominal device, without spread and noise")
    assert line.get_ydata() == pytest.approx(found.mean)
    assert found.mean.argmax() == len(found.mean) // 2
    style.save(ax, tmp_path / "picture.png")


def test_devices_of_one_sided_pairs_only_grow() -> None:
    """No pulse takes them down: there is one branch, and the mean device never falls."""
    found = pulse_response(load("nandakumar_2020_pcm"), pulses=40)
    assert found.one_sided and found.given == found.pulses[-1] == 40 and found.turn == len(found.pulses) - 1
    assert (np.diff(found.mean) >= 0).all() and found.mean[-1] > found.mean[0]
    both = pulse_response(load("nandakumar_2020_pcm").device.pulse, pulses=40)
    assert not both.one_sided and both.given == 40 and both.pulses[-1] == 80
    ax = plot_pulse_response(found)
    assert [text.get_text() for text in ax.texts] == ["potentiation"]


def test_refused_with_one_line() -> None:
    for name in ("orchard_2021_loihi2", "legallo_2023_hermes"):
        with pytest.raises(ConfigError, match=f"'{name}' learns by update scheme 'digital'"):
            pulse_response(load(name))
    for pulses in (0, 10**9, 2.5):
        with pytest.raises(ConfigError, match="allowed are whole numbers from 1 to 1000000"):
            pulse_response(Pulse(), pulses=pulses)  # type: ignore[arg-type]
