"""Programming that writes only what has moved, against loops over weights and crossbars that write everything."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.errors import ChipError
from tests.neuroep.engines.chip.conftest import nested

SHAPE, THRESHOLD, DAY = (6, 7), 0.1, 86400.0
NOISY = {
    "device.programming_noise": [0.5, 1.0], "device.programming_noise_fresh": [0.1, 0.2], "device.mismatch": 0.1,
    "device.drift_mean": [0.0, 0.05, 0.05, 0.05], "device.drift_spread": [0.0, 0.02, 0.02, 0.02], "device.age": DAY,
    "device.read_noise": 0.005, "device.read_noise_law": "pcm",
}  # fmt: skip
LAYOUTS = {
    "pairs": {},
    "offset": {"crossbar.mapping": "offset"},
    "analog reference": {"crossbar.mapping": "offset", "crossbar.reference": "analog"},
    "slices": {"crossbar.slices": 2, "crossbar.slice_bits": 3},
    "tiles": {"crossbar.rows": 3, "crossbar.columns": 4},
}


def crossbar(threshold, **more):
    chip = {"update.write_threshold": threshold, **NOISY, **more}
    return Crossbar(Chip.parse(nested(chip)), SHAPE, seed=5, name="w", dtype="float64")


def walk(steps=5):
    """A walk of weights whose largest stays, so that ranges do."""
    draw = np.random.default_rng(2)
    found = [draw.uniform(-1, 1, SHAPE)]
    for _ in range(steps - 1):
        found.append(np.clip(found[-1] + 0.08 * draw.normal(size=SHAPE), -1, 1))
    for weight in found:
        weight[0, 0] = 1.0
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_devices_of_weights_that_moved_are_written_and_the_others_keep_what_they_have(layout):
    """Loop over weights; a written one conducts what it does where all are written in that turn, with its draws."""
    some, every = crossbar(THRESHOLD, **LAYOUTS[layout]), crossbar(0.0, **LAYOUTS[layout])
    held, wanted, writes = np.full(SHAPE, np.nan), [np.zeros(0)] * 2, 0
    outputs, inputs = SHAPE
    for turn, weight in enumerate(walk()):
        for bar in (some, every):
            bar.begin("update", turn)
            bar.program(weight)
        fresh = every.conductances()
        if not turn:
            wanted = [side.copy() for side in fresh]
        for i in range(outputs):
            for j in range(inputs):
                if not abs(weight[i, j] - held[i, j]) <= THRESHOLD:
                    held[i, j] = weight[i, j]
                    writes += some.devices.sides * some.devices.slices
                    for side in range(2 if layout in ("pairs", "slices", "tiles") else 1):
                        wanted[side][:, i, j] = fresh[side][:, i, j]
        writes += some.devices.references * inputs
        found = some.conductances()
        np.testing.assert_array_equal(found[0], wanted[0])
        if layout in ("pairs", "slices", "tiles"):
            np.testing.assert_array_equal(found[1], wanted[1])
    assert some.counters["writes"] == writes < every.counters["writes"]


def test_ages_are_those_of_a_devices_own_last_write():
    """Drift alone: g falls as (t/t0)^-nu, t since the last write of the very weight."""
    quiet = {"device.programming_noise": [0.0], "device.programming_noise_fresh": [], "device.mismatch": 0.0}
    quiet |= {"device.drift_spread": [0.0] * 4, "device.read_noise": 0.0, "device.read_noise_law": "additive"}
    bar = crossbar(THRESHOLD, **quiet)
    first = np.full(SHAPE, 0.5)
    first[0, 0] = 1.0
    bar.program(first)
    bar.elapse()  # a day later
    second = first.copy()
    second[1] = 0.9
    bar.program(second)
    bar.read_at(1000.0)
    g = bar.conductances()[0][0]
    nu, start = 0.05, bar.device.drift_start
    ages = np.where(np.arange(6)[:, None] == 1, 1000.0, DAY + 1000.0) * np.ones(SHAPE)
    np.testing.assert_allclose(g, 25 * second * ((ages + start) / start) ** -nu, rtol=1e-5)


def test_rows_of_the_tile_with_most_are_counted():
    bar = crossbar(THRESHOLD, **LAYOUTS["tiles"])
    weight = walk(1)[0] * 0.5
    weight[0, 0] = 1.0
    bar.program(weight)
    assert bar.rows_written == 3
    weight[2, 4] += 0.3
    weight[5, 4] += 0.3
    weight[3, 6] -= 0.3
    bar.program(weight)
    assert bar.rows_written == 2  # inputs 4 and 6 of the second of (0-2, 2-4, 4-7)


def test_a_state_that_was_loaded_goes_on_to_the_bit():
    weights = walk()
    one, other = crossbar(THRESHOLD), crossbar(THRESHOLD)
    for weight in weights[:3]:
        one.elapse()
        one.program(weight)
    other.load(one.state())
    for bar in (one, other):
        bar.begin("next")
        bar.program(weights[3])
        bar.read_at(500.0)
    x = np.ones((3, 7))
    np.testing.assert_array_equal(one.forward(x), other.forward(x))
    np.testing.assert_array_equal(one.transposed(np.ones((3, 6))), other.transposed(np.ones((3, 6))))


def test_the_weight_of_a_device_that_is_left_alone_follows_the_range():
    chip = {"update.write_threshold": 0.2, "crossbar.follow_weights": True, "adc.range": 9.0}
    bar = Crossbar(Chip.parse(nested(chip)), (1, 3))
    bar.program(np.array([[1.0, 0.5, 0.1]], np.float32))
    bar.program(np.array([[1.1, 0.9, 0.1]], np.float32))
    np.testing.assert_allclose(bar.weights(), 1.1 * np.array([[1.0, 0.9 / 1.1, 0.1]]), rtol=1e-6)


@pytest.mark.parametrize("wear", ["leak", "disturb"])
def test_wear_that_has_a_history_is_refused(wear):
    with pytest.raises(ChipError, match=f"set device.{wear} = 0"):
        Chip.parse(nested({"update.write_threshold": 0.1, "update.reprogram_every": 2, f"device.{wear}": 0.01}))
