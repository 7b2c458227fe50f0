"""Noise of devices in one pass against the draws of every device one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.device_noise import DeviceNoise
from hw_models.chip import Chip

LAWS = {"additive": 0.4, "proportional": 0.05, "sqrt": 0.03, "pcm": 0.05}


def noise(law, shape, way, dtype="float32", **parts):
    """Return what a product is off its mean."""
    layout = {"rows": 600, "columns": 5, "exact_noise": True} | parts
    device = {"read_noise": LAWS[law], "read_noise_law": law, "g_min": 0.5}
    bar = Crossbar(Chip.model_validate({"crossbar": layout, "device": device}), shape, 3, "test", dtype=dtype)
    draw = np.random.default_rng(1)
    bar.program(draw.normal(size=shape).astype(dtype))
    x = draw.normal(size=(3, shape[way == "forward"])).astype(dtype)
    read, mean = (bar.forward, bar.expected) if way == "forward" else (bar.transposed, bar.expected_transposed)
    return read(x) - mean(x)


@pytest.mark.parametrize("parts", [{}, {"slices": 2, "slice_bits": 3}, {"mapping": "offset", "reference": "analog"}])
@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("law", LAWS)
def test_one_pass_is_every_device_in_turn(law, way, parts, monkeypatch):
    found = noise(law, (11, 70), way, **parts)
    monkeypatch.setattr(DeviceNoise, "plain", False)
    expected = noise(law, (11, 70), way, **parts)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inputs", [1, 3, 64, 1023, 1025, 2500])
def test_lines_of_any_length(inputs, dtype, monkeypatch):
    """Those beyond 1024 devices are drawn in stretches."""
    found = noise("proportional", (3, inputs), "forward", dtype)
    monkeypatch.setattr(DeviceNoise, "plain", False)
    expected = noise("proportional", (3, inputs), "forward", dtype)
    np.testing.assert_array_equal(found, expected)


def test_what_lasts_and_traps_are_drawn_in_turn():
    lasts = {"read_noise": 0.3, "read_noise_law": "sqrt", "read_noise_band": [1e-7, 1.0]}
    for device in (lasts, {"read_noise": 0.3, "rtn_share": 0.3}):
        chip = {"crossbar": {"exact_noise": True}, "device": device, "timing": {"integration": 1e-6}}
        bar = Crossbar(Chip.model_validate(chip), (3, 4), 3, "test")
        assert bar.by_device.plain is not (bar.traps.acts or (bar.noise.banded and bar.noise.active))
