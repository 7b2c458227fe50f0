"""Time on a chip that runs a network: sweeps, input, held phases and updates, against sums written out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models.errors import ChipError
from neuroep.engines.schedule import Schedule
from tests.neuroep.engines.chip.conftest import UPDATES
from tests.neuroep.runs.test_costs import opened

READ = {"timing.dac": 1e-8, "timing.integration": 1e-7, "timing.adc": 4e-8, "timing.digital": 1e-8}
PCM = {"device.read_noise": 0.01, "device.read_noise_law": "pcm"}
PRODUCT = 1.6e-7
GROUPS = 2
"""Groups of layers that take turns: attention and output, and the hidden layer between."""
FREE, NUDGED = 4, 3
"""Sweeps of the small run."""


def picoseconds(found: Any, phase: str) -> float:
    """Return the time of a phase so far [s]."""
    return found.engine.substrate.clock.counted().number("picosecond", phase) * 1e-12


def rows(found: Any) -> list[float]:
    """Return the words of every sample that was read on average, by batch."""
    return [np.mean(found.engine.clamp(batch).tokens["words"].count) for batch in found.parts.shuffled(0)]


def test_a_batch_takes_what_its_samples_take_one_after_the_other(small) -> None:
    one, four = small(READ), small(READ | {"timing.copies": 4})
    clock, other = one.engine.substrate.clock, four.engine.substrate.clock
    assert clock.sample == pytest.approx(other.sample)
    assert clock.batch == pytest.approx(8 * clock.sample)
    assert other.batch == pytest.approx(2 * other.sample)


def test_the_nudged_phases_take_their_sweeps(small) -> None:
    found = small(READ)
    per_sample = 2 * NUDGED * GROUPS * PRODUCT
    assert picoseconds(found, "nudged") == pytest.approx(UPDATES * 8 * per_sample, rel=1e-6)


def test_columns_that_share_a_converter_take_turns(small) -> None:
    one, shared = small(READ), small(READ | {"adc.columns": 3})
    waited = (min(3, 6) - 1) * 4e-8
    longer = picoseconds(shared, "nudged") / picoseconds(one, "nudged")
    assert longer == pytest.approx((PRODUCT + waited) / PRODUCT, rel=1e-6)


def test_synchronous_layers_move_together(small) -> None:
    one, all_at_once = small(READ), small(READ, {"settling.order": "synchronous"})
    assert picoseconds(all_at_once, "nudged") == pytest.approx(picoseconds(one, "nudged") / GROUPS, rel=1e-6)


def test_an_update_takes_its_rows_or_its_trains(small) -> None:
    digital = small({"timing.row": 1e-6, "crossbar.rows": 5})
    assert picoseconds(digital, "update") == pytest.approx(UPDATES * 5e-6)
    trains = {"update.scheme": "pulsed", "device.pulse.dw_min": 0.01, "update.signals": "contrast"}
    pulsed = small(trains | {"timing.pulse": 1e-9, "update.train_length": 7})
    done = pulsed.engine.performed().values()
    slots = max(tally.number("slot", "update") for tally in done)
    assert picoseconds(pulsed, "update") == pytest.approx(slots * 1e-9, rel=1e-6)
    assert slots > UPDATES * 2 * 8, "one behind the other, a train for each term and row of the longest array"


def test_an_update_takes_the_slots_that_are_counted_and_those_that_pulse(small) -> None:
    counts = {"update.scheme": "pulsed", "device.pulse.dw_min": 0.01, "update.signals": "net_counts"}
    found = small(counts | {"timing.pulse": 1e-6, "timing.count": 1e-9, "update.counter.slots": 60})
    done = found.engine.performed().values()
    each = [t.number("slot", "update") * 1e-6 + t.number("counting", "update") * 1e-9 for t in done]
    assert picoseconds(found, "update") == pytest.approx(max(each), rel=0.1)
    assert picoseconds(found, "update") >= max(each) * (1 - 1e-6), "the longest array of every update"


def test_held_phases_take_their_hold(small) -> None:
    found, without = small(READ | {"timing.hold": 1e-6}), small(READ)
    longer = found.engine.substrate.clock.counted().total("picosecond") * 1e-12
    longer -= without.engine.substrate.clock.counted().total("picosecond") * 1e-12
    assert longer == pytest.approx(UPDATES * 2 * 8 * 1e-6, rel=0.35), "two phases, and those of calibration"


def test_time_constants_take_the_place_of_products(small) -> None:
    found = small(READ | {"timing.tau": 1e-5}, {"settling.dt": 0.25})
    assert picoseconds(found, "nudged") == pytest.approx(UPDATES * 8 * 2 * NUDGED * GROUPS * 0.25e-5, rel=1e-6)


def test_a_layer_of_a_longer_time_constant_moves_less(small) -> None:
    names = [layer.name for layer in small({}).parts.network.layers]
    even = small({f"timing.tau.{name}": 1e-6 for name in names}, {"settling.dt": 0.5})
    slow = small({f"timing.tau.{name}": 1e-6 * (4 if name == names[1] else 1) for name in names}, {"settling.dt": 0.5})
    assert even.same(small({"timing.tau": 1e-6}, {"settling.dt": 0.5}))
    batch = next(iter(slow.parts.shuffled(0)))
    moved = []
    for found, dt in ((even, 0.5), (slow, 0.5), (even, 0.125)):
        found.engine.load_parameters(even.weights)
        phase = Schedule("synchronous", steps=1, dt=dt)
        moved.append(found.engine.settle(batch, phase).state.values)
    assert np.allclose(moved[1][names[1]], moved[2][names[1]], atol=1e-6)
    assert np.array_equal(moved[0][names[0]], moved[1][names[0]])
    assert not np.allclose(moved[0][names[1]], moved[1][names[1]])


def test_unknown_layers_are_refused(small) -> None:
    with pytest.raises(ChipError, match="unknown timing\\.tau of layer 'hidden': allowed are attention"):
        small({"timing.tau.hidden": 1e-6})


def test_evaluations_leave_no_trace(small) -> None:
    """Time goes on in them and is put back, and so is the noise of devices."""
    chip = PCM | READ | {"device.age": 1e3}
    one, other = small(chip), small(chip)
    other.parts.evaluate()
    batch = next(iter(one.parts.shuffled(1))).keyed("train", 9)
    for found in (one, other):
        measured = found.parts.estimator.measure(found.engine, batch, 9)
        found.engine.update(measured.contrasts, found.parts.rates(0))
    weights = [found.engine.parameters() for found in (one, other)]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("age", [0.0, 1.0])
def test_devices_age_by_the_clock_while_they_are_not_written(small, age) -> None:
    drift = {"device.drift_mean": [0.0, 0.05, 0.05, 0.05], "device.age": age, "update.reprogram_every": 100}
    slow, fast = small(drift | {"timing.hold": 100.0}), small(drift | {"timing.hold": 1e-9})
    before, after = (np.abs(found.engine.conducting()["dense_1.weight"]).sum() for found in (fast, slow))
    assert after < 0.97 * before


@pytest.mark.parametrize("scheme", ["tiki_taka_v2", "residual"])
def test_devices_that_are_written_for_a_wider_range_go_on_by_the_clock(scheme: str) -> None:
    """Written anew in an update without pulses, they are as old as the clock says, and their slow noise goes on."""
    chip = {"timing.pulse": 1e-6, "timing.integration": 1e-5, "device.pulse.dw_min": 0.01, "update.scheme": scheme}
    chip |= {"device.read_noise": 0.05, "device.read_noise_band": [1e-7, 10.0], "update.fill": 0.3}
    chip |= {"update.transfer.rate": 1e-12}
    session = opened(chip)
    engine, batch = session.engine, session.batch("train", np.arange(8))
    arrays = engine.substrate._crossbars.values()
    for number in range(3):
        measured = session.estimator.measure(engine, batch, 0)
        before = [array.crossbar.weight_range for array in arrays]
        for array in arrays if number == 1 else ():
            array.crossbar.stored[:] = 0.9
            array.crossbar.refresh()
        engine.update(measured.contrasts, session.rates(session.epoch))
        written = engine.substrate.clock.now - max(array.update_seconds for array in arrays)
        if number == 1:
            for array, full in zip(arrays, before, strict=True):
                assert array.crossbar.weight_range == 2 * full
                assert array.crossbar.devices.now == pytest.approx(written, rel=1e-6)
                assert max(array.crossbar.noise.moved.values()) > 0.5 * written
