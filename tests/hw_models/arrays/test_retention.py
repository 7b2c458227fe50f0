"""What devices keep while no pulse comes, by the clock."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.cells import DeviceCells, Made
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.retention import Retention
from hw_models.chip import Chip
from hw_models.chip.device import Device
from hw_models.clock import Clock
from hw_models.errors import ChipError
from hw_models.kernels.blocks import serial
from hw_models.kernels.random import key, normals
from hw_models.tally import Tally

DEVICE = {"retention": 1e-3, "pulse": {"dw_min": 0.01}}
SPREAD = DEVICE | {"retention_spread": 0.5}


def at(clock, seconds):
    """Let a clock show this time."""
    clock.now = seconds


@pytest.mark.parametrize(
    ("device", "layout"),
    [
        (DEVICE, {}),
        (DEVICE, {"mapping": "offset"}),
        (DEVICE | {"cell": {"kind": "one_sided"}, "pulse": {"dw_min": 0.01, "w_min": 0.0}}, {}),
        (DEVICE, {"mapping": "offset", "reference": "device"}),
        (DEVICE | {"pulse": {"dw_min": 0.01, "write_noise": 0.5}}, {}),
    ],
)
def test_weights_fall_by_the_clock(device, layout):
    """exp(-t/tau) of what conducts above g_min: pairs fall to 0, offset devices to the lower end, both of two alike."""
    chip = Chip.parse({
        "device": device, "crossbar": layout | {"weight_range": 1.0}, "update": {"scheme": "pulsed"},
        "timing": {"integration": 1e-6},
    })  # fmt: skip
    clock = Clock(True)
    bar = Crossbar(chip, (3, 4), 0, "a", clock=clock)
    weight = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 4)).astype("f4")
    bar.program(weight)
    cells = DeviceCells(bar, Made(chip.device, 0, serial, Tally()))
    start, offsets = bar.stored.copy(), sum(cells.offsets, np.zeros((3, 4)))
    low = -1.0 if layout == {"mapping": "offset"} else 0.0
    for seconds in (2e-4, 2e-4, 9e-4):
        at(clock, seconds)
        bar.leak()
        wanted = low + (start - offsets - low) * np.exp(-seconds / 1e-3) + offsets
        np.testing.assert_allclose(bar.stored, wanted, atol=2e-6)


def test_times_of_devices_spread():
    device = Device(retention=2.0, retention_spread=0.5)
    rates = Retention(device, (60, 70), (0, "a")).rates()
    logs, k = np.log(rates * 2.0), 4.5 / np.sqrt(4200)
    assert abs(logs.mean()) < 0.5 * k and abs(logs.std() / 0.5 - 1) < k
    kept, others = Retention(device, (60, 70), (0, "a")).kept(3.0, 2)
    np.testing.assert_allclose(kept, np.exp(-3.0 * rates))
    assert abs(np.corrcoef(np.log(kept).ravel(), np.log(others).ravel())[0, 1]) < k


@pytest.mark.parametrize("kind", ["one_sided", "bidirectional", "reference"])
def test_both_devices_of_a_weight_have_times_of_their_own(kind):
    """Two devices alike hold weight 0 until one has lost more than the other: device by device, drawn by hand."""
    spread, lost = 0.5, 0.7
    device = {"retention": 1.0, "retention_spread": spread, "pulse": {"dw_min": 0.01, "w_min": 0.0}}
    device |= {"cell": {"kind": kind}}
    layout = {"weight_range": 1.0}
    if kind == "reference":
        device |= {"cell": {"reference_at": "middle"}, "pulse": {"dw_min": 0.01}}
        layout |= {"mapping": "offset", "reference": "device"}
    chip = Chip.parse({
        "device": device, "crossbar": layout, "update": {"scheme": "pulsed"}, "timing": {"integration": 1e-6},
    })  # fmt: skip
    shape, clock = (60, 70), Clock(True)
    bar = Crossbar(chip, shape, 0, "a", clock=clock)
    bar.program(np.zeros(shape, "f4"))
    cells = DeviceCells(bar, Made(chip.device, 0, serial, Tally()))
    for state in cells.states if kind != "reference" else []:
        state[:] = 0.8
    at(clock, lost)
    bar.leak()
    rng, above, total = np.random.default_rng(1), 0.8 if kind != "reference" else 1.0, []
    for _ in range(20_000):  # a pair and a pair: from low + above, each by its own time
        first, second = (above * np.exp(-lost * np.exp(-spread * rng.standard_normal())) for _ in range(2))
        total.append(first - second)
    assert np.std(bar.stored) == pytest.approx(np.std(total), rel=0.05)
    assert abs(bar.stored.mean()) < 4.5 * np.std(total) / np.sqrt(bar.stored.size)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_reference_lines_lose_what_they_were_programmed_with(spread):
    """Line by line, each by its own time from when it was programmed; weights of 0 stay so where devices are alike."""
    device = {"retention": 1e-3, "retention_spread": spread, "g_min": 5.0, "pulse": {"dw_min": 0.01}}
    chip = Chip.parse({
        "device": device, "crossbar": {"weight_range": 1.0, "mapping": "offset", "reference": "analog", "columns": 2},
        "update": {"scheme": "pulsed"}, "timing": {"integration": 1e-6},
    })  # fmt: skip
    clock, weight = Clock(True), np.array([[0.5, -0.4, 0.0], [0.0, 0.2, -0.6], [0.0, 0.3, 0.1]], "f4")
    bar, other = (Crossbar(chip, weight.shape, 0, "a", clock=clock) for _ in range(2))
    at(clock, 1e-3)
    bar.program(weight)
    DeviceCells(other, Made(chip.device, 0, serial, Tally()))
    z = normals(key(0, "a", "retention"), 0, 0, (6, 3), dtype="float64") if spread else np.zeros((6, 3))
    for seconds in (4e-4, 7e-4):
        at(clock, 1e-3 + seconds)
        bar.leak()
        bar.refresh()
        other.load(bar.state())
        for i, j in np.ndindex(3, 3):
            lost = [np.exp(-seconds / 1e-3 * np.exp(-spread * z[line, j])) for line in range(6)]
            reference = np.mean([10.0 * lost[line] for line in ((4, 5) if i else (3,))])  # tiles of 1 and 2
            wanted = ((10.0 + weight[i, j] * 10.0) * lost[i] - reference) / 10.0
            for found in (bar.weights(), other.weights(), bar.forward(np.eye(3, dtype="f4")).T):
                assert found[i, j] == pytest.approx(wanted, abs=3e-6)


@pytest.mark.parametrize(
    ("device", "layout"),
    [
        (SPREAD | {"pulse": {"dw_min": 0.01, "corrupt": 0.2}}, {}),
        (DEVICE, {"mapping": "offset", "reference": "analog"}),
        (SPREAD | {"cell": {"kind": "one_sided"}, "pulse": {"dw_min": 0.01, "w_min": 0.0}}, {}),
        (SPREAD, {"mapping": "offset", "reference": "device"}),
    ],
)
def test_what_is_read_later_is_what_is_left_then(device, layout):
    """Reads so many seconds ahead find what the devices lose in as many by the clock, and leave no trace."""
    chip = Chip.parse({
        "device": device | {"age": 5e-4}, "crossbar": layout | {"weight_range": 1.0}, "update": {"scheme": "pulsed"},
        "timing": {"integration": 1e-6},
    })  # fmt: skip
    clock, weight = Clock(True), np.random.default_rng(0).uniform(-0.5, 0.5, (3, 4)).astype("f4")
    bars = [Crossbar(chip, (3, 4), 0, "a", clock=clock) for _ in range(2)]
    for bar in bars:
        bar.read_at(0.0)
        bar.program(weight)
        DeviceCells(bar, Made(chip.device, 0, serial, Tally()))
        bar.refresh()
    bar, later = bars
    start, g = bar.weights(), bar.conductances()
    later.read_at(5e-4)
    with bar.later(5e-4):
        ahead = bar.weights(), bar.conductances(), bar.loads().word.g
    assert np.abs(ahead[0] - start).max() > 0.05
    np.testing.assert_array_equal(bar.weights(), start)
    np.testing.assert_array_equal(bar.conductances(), g)
    at(clock, 5e-4)
    bar.leak()
    bar.refresh()
    later.elapse()
    later.refresh()
    for found in (ahead, (later.weights(), later.conductances(), later.loads().word.g)):
        np.testing.assert_allclose(found[0], bar.weights(), atol=1e-6)
        np.testing.assert_allclose(found[1], bar.conductances(), rtol=1e-5)
        np.testing.assert_allclose(found[2], bar.loads().word.g, rtol=1e-5)


def test_a_state_keeps_when_devices_lost_something_last():
    chip = Chip.parse({"device": DEVICE, "update": {"scheme": "pulsed"}, "timing": {"integration": 1e-6}})
    clock = Clock(True)
    bar, other = (Crossbar(chip, (2, 2), 0, "a", clock=clock) for _ in range(2))
    bar.program(np.eye(2, dtype="f4"))
    at(clock, 5e-4)
    bar.leak()
    other.load(bar.state())
    at(clock, 8e-4)
    bar.leak()
    other.leak()
    np.testing.assert_array_equal(bar.stored, other.stored)


def test_weights_lose_nothing_from_before_they_were_written():
    chip = Chip.parse({"device": DEVICE, "update": {"scheme": "pulsed"}, "timing": {"integration": 1e-6}})
    clock = Clock(True)
    bar = Crossbar(chip, (2, 2), 0, "a", clock=clock)
    at(clock, 5e-3)
    bar.program(np.eye(2, dtype="f4"))
    start = bar.stored.copy()
    at(clock, 5.5e-3)
    bar.leak()
    np.testing.assert_allclose(bar.stored, start * np.exp(-0.5), rtol=1e-5)


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        ({"device": {"retention": 1.0}, "update": {"scheme": "pulsed"}}, "it acts only where time passes"),
        ({"device": {"retention": 1.0}, "timing": {"adc": 1e-6}}, "it acts only where weights change in memory"),
        ({"device": {"retention_spread": 1.0}, "update": {"scheme": "pulsed"}}, "it acts only with retention"),
    ],
)
def test_retention_that_cannot_act_is_refused(tables, line):
    with pytest.raises(ChipError, match=line):
        Chip.parse(tables)
