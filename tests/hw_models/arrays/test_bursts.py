"""Whole pulses for some columns: pulse by pulse those of the slow twin, with its draws, counted as other pulses are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from hw_models.arrays.bursts import Bursts, run_of, runs, whole_numbers
from hw_models.arrays.cells import DeviceCells, Made
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Chip, Pulse
from hw_models.kernels import random as randomness
from hw_models.kernels.blocks import serial
from hw_models.tally import Tally
from tests.hw_models.arrays.test_pulses import RESPONSES
from tests.naive import bursts as twin, pulses as naive

pytestmark = pytest.mark.kernels
compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="statistics of many pulses")
WIDE = {
    "linear wide": RESPONSES["linear"].model_copy(update={"noise": 0.4, "noise_base": 0.2}),
    "power wide": RESPONSES["power"].model_copy(update={"noise": 0.4, "noise_state": 0.02}),
    "table noise": RESPONSES["table"].model_copy(update={"noise": 0.4, "table_noise": (1.0, 2.0, 1.0, 0.5)}),
}
NOISY = {name: pulse.model_copy(update={"noise": 0.5}) for name, pulse in RESPONSES.items()} | WIDE
NOISY["log-normal"] = RESPONSES["soft_bounds"].model_copy(update={"noise": 0.5, "noise_law": "log_normal"})


def made(pulse: Pulse, shape: tuple[int, int], **rest) -> PulsedDevices:
    return PulsedDevices(pulse, shape, 3, "a", **rest)


def start(shape: tuple[int, int], dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.35, 0.35, shape).astype(dtype)


def numbers(shape: tuple[int, int], most: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-most, most + 1, shape).astype(np.int32)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", RESPONSES)
def test_pulses_are_those_of_the_slow_twin(name, dtype):
    """Columns that go round the end of the array, unlike numbers, one of them large; the others stay as they are."""
    pulse, shape, columns = RESPONSES[name], (5, 7), np.array([5, 6, 0, 1])
    weights, given = start(shape, dtype), numbers((5, 4))
    given[2, 1], given[0] = -150, 0
    expected = weights.astype(np.float64)
    for i, k in np.ndindex(given.shape):
        for _ in range(abs(given[i, k])):
            expected[i, columns[k]] = naive.play(pulse, expected[i, columns[k]], given[i, k] > 0)
    assert made(pulse, shape, dtype=dtype).give(weights, Bursts(given, columns), 0) == np.abs(given).sum()
    np.testing.assert_allclose(weights, expected, rtol=0, atol=3e-6 if dtype == "float32" else 1e-6)
    np.testing.assert_array_equal(weights[:, 2:5], start(shape, dtype)[:, 2:5])


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize("case", ["alike", "few", "leaving"])
def test_every_pulse_has_the_draw_of_the_slow_twin(name, case):
    """All get three; few of a line get any; most have got theirs long before the others."""
    pulse, shape = NOISY[name], (4, 6)
    given = {"alike": np.full(shape, -3), "few": numbers(shape), "leaving": np.full(shape, 1)}[case].astype(np.int32)
    if case == "few":
        given[:, 1:] = 0
    if case == "leaving":
        given[1, 2:5], given[3, 0] = 14, -11
    weights, devices = start(shape), made(pulse, shape)
    key = randomness.key(3, "pulse", "a", "granules")
    expected = twin.give(pulse, weights.astype(np.float64), given, key, step=7)
    devices.give(weights, Bursts(given, np.arange(6)), 7)
    np.testing.assert_allclose(weights, expected, rtol=0, atol=4e-6)
    assert np.abs(expected - start(shape)).max() > 0.02


@pytest.mark.parametrize("columns", [np.arange(600), np.array([3]), np.r_[590:600, 0:40]])
@pytest.mark.parametrize("spread", [0.0, 0.1])
@compiled
def test_noise_has_its_mean_its_variance_and_no_correlation(columns, spread):
    """Of constant steps n pulses stray by root(n) noise, each device for itself; of lines of any width."""
    pulse, shape = Pulse(dw_min=1e-3, noise=0.4, dw_min_spread=spread), (700, 600)
    devices, found = made(pulse, shape), []
    given = numbers((700, len(columns)), 5)
    given[given == 0] = 1
    for step in range(2 if len(columns) > 1 else 40):
        weights = np.zeros(shape, np.float32)
        devices.give(weights, Bursts(given, columns), step)
        sizes = np.where(given > 0, np.broadcast_to(devices.devices.up, shape)[:, columns],
                         np.broadcast_to(devices.devices.down, shape)[:, columns])  # fmt: skip
        found.append((weights[:, columns] / sizes - given) / (0.4 * np.sqrt(np.abs(given))))
    z = np.array(found)
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert abs(z.var() - 1) < 5 * np.sqrt(2 / z.size)
    for one, other in ((z[:, 1:], z[:, :-1]), (z[:, 16:], z[:, :-16]), (z[1:], z[:-1]), (z[..., 1:], z[..., :-1])):
        if one.size:
            assert abs((one * other).mean()) < 5 / np.sqrt(one.size)


@compiled
def test_more_pulses_than_a_stream_has_normals():
    """Twice as many draws as a line's counter holds: what is added by the second half is not the first one again."""
    pulse, ends = Pulse(dw_min=1e-6, noise=1.0), []
    for many in (8192, 16384):
        weights = np.zeros((1, 512), np.float32)
        made(pulse, (1, 512)).give(weights, Bursts(np.full((1, 512), many, np.int32), np.arange(512)), 0)
        ends.append(weights[0].astype(np.float64) / 1e-6)
    first, both = (ends[0] - 8192) / np.sqrt(8192), (ends[1] - 16384) / np.sqrt(16384)
    for z in (first, both):
        assert abs(z.std() - 1) < 5 / np.sqrt(2 * 512)
    assert abs(np.corrcoef(first, both)[0, 1] - np.sqrt(0.5)) < 0.15


def test_threads_do_not_count():
    shape, given = (70, 600), numbers((70, 600), 3)
    with ThreadPoolExecutor(3) as pool:
        parallel = lambda task, parts: list(pool.map(lambda part: task(*part), parts))  # noqa: E731
        found = []
        for run in (serial, parallel):
            weights = start(shape)
            made(NOISY["soft_bounds"], shape, run=run).give(weights, Bursts(given, np.arange(600)), 0)
            found.append(weights)
    np.testing.assert_array_equal(*found)


POWER = {"response": "power", "w_min": 0.0, "gamma_up": 1.5}
CELLS: dict[str, dict[str, object]] = {
    "single": {},
    "write noise": {"device.pulse.write_noise": 0.5},
    "one_sided": {"device.cell.kind": "one_sided", "device.pulse.w_min": 0.0},
    "bidirectional": {"device.cell.kind": "bidirectional"},
}
CELLS["bidirectional"] |= {f"device.pulse.{name}": value for name, value in POWER.items()}


@pytest.mark.parametrize("name", CELLS)
def test_weights_and_counts_are_those_of_pulses_that_are_applied(name):
    """Of tiles and columns that do not end together: the same states, pulses, slots, firings and selected devices."""
    chip = {"crossbar": {"rows": 4, "columns": 3, "weight_range": 1.0}, "update": {"scheme": "pulsed"}}
    chip |= {"device": {"pulse": {"response": "soft_bounds", "dw_min": 0.01}, "endurance": 1e6}}
    for field, value in CELLS[name].items():
        table = chip
        for part in field.split(".")[:-1]:
            table = table.setdefault(part, {})
        table[field.split(".")[-1]] = value
    given, columns, found = numbers((7, 5)), np.array([8, 9, 2, 3, 4]), []
    whole = np.zeros((7, 10), np.int64)
    whole[:, columns] = given
    for which in ("give", "apply"):
        tally = Tally()
        tally.now.metered = True
        bar = Crossbar(Chip.parse(chip), whole.shape, seed=2)
        bar.program(start(whole.shape))
        cells = DeviceCells(bar, Made(bar.device, 2, serial, tally))
        tiles = bar.devices.column_tiles, bar.devices.row_tiles
        if which == "give":
            cells.give(bar.stored, Bursts(given, columns), 0, tiles)
        else:
            cells.apply(bar.stored, np.maximum(whole, 0), np.maximum(-whole, 0), 0, tiles)
        counts = {what: tally.number(what) for what in ("pulse", "slot", "firing", "half")}
        found.append((bar.stored.copy(), cells.pulses, counts | {"slots": cells.slots}))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert found[0][2] == found[1][2] and found[0][2]["half"] > 0


def test_columns_are_cut_where_they_do_not_follow_each_other():
    assert [tuple(run) for run in runs(np.array([5, 6, 0, 1, 3]))] == [(0, 5, 2), (2, 0, 2), (4, 3, 1)]
    assert runs(np.arange(0)) == []
    assert run_of(np.arange(3, 7)) == slice(3, 7)
    np.testing.assert_array_equal(run_of(np.array([3, 0])), [3, 0])


def test_numbers_without_end_are_cut():
    assert whole_numbers(np.array([1e12, -1e12, 3.0])).tolist() == [2**31 - 1, -(2**31 - 1), 3]
