"""Curves of devices: what arrays are refused, runs, bounds that are come to, and devices that no pulse moves."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.errors import ChipError
from hw_models.measured import curves
from hw_models.measured.arrays import curves_of, numbered
from hw_models.measured.curves import ANEW

UP_DOWN = [1] * 30 + [-1] * 30


def ramp(step: float = 0.5, start: float = 5.0, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    """Return a triangle."""
    g = start + np.cumsum([0.0, *(step * np.array(UP_DOWN))])
    return g + noise * np.random.default_rng(seed).normal(size=g.shape)


@pytest.mark.parametrize(
    ("g", "way", "line"),
    [
        ([[1.0, 2.0]], None, "direction is missing"),
        (["a", "b"], [1], "conductance holds something else than real numbers"),
        ([1.0], [], r"conductance has the shape \(1, 1\)"),
        ([[1.0, 2.0]], [1, 1], r"direction has the shape \(2,\)"),
        ([[1.0, np.nan, 2.0]], [1, 1], "conductance of device '0', reading 1: nan is not finite"),
        ([[1.0, np.inf, 2.0]], [1, 1], "conductance of device '0', reading 1: inf is not finite"),
        ([[1.0, np.nan, np.nan]], [1, 1], "device '0' has 1 reading: two or more"),
        ([[1.0, 2.0, 3.0]], [1, 0.5], "direction of device '0', pulse 1: 0.5 is no whole number of pulses"),
    ],
)
def test_arrays_that_are_no_curves(g: list[float], way: list[float] | None, line: str) -> None:
    with pytest.raises(ChipError, match=line):
        curves_of(g, way)


@pytest.mark.parametrize(
    ("g", "way", "line"),
    [
        (np.full(61, 5.0), UP_DOWN, "conductance is 5 uS in every reading: no pulse moved a device"),
        (ramp()[:11], UP_DOWN[:10], "there are 10 pulses up and 0 down: at least 20"),
        (ramp(), [-way for way in UP_DOWN], "pulses up lead to lower conductances: are the columns or directions"),
        (np.r_[ramp(), 2000.0], [*UP_DOWN, 1], "conductance of device '0', reading 61: 2000 uS, where its others are"),
    ],
)
def test_curves_that_say_nothing(g: np.ndarray, way: list[int], line: str) -> None:
    with pytest.raises(ChipError, match=line):
        curves.check(curves_of(g, way))


def test_readings_and_pulses() -> None:
    found = curves.check(curves_of([[*ramp()], [*ramp()[:40], *[np.nan] * 21]], UP_DOWN, unit=1e3))
    assert found.conductance[0, 0] == pytest.approx(5e3, rel=0.01)
    assert (found.count(1), found.count(-1)) == (60, 39)
    assert found.pulses[:, 0].tolist() == [ANEW, ANEW]
    assert found.pulses[1, 40:].tolist() == [ANEW] * 21
    assert np.nanmean(found.steps()) == pytest.approx(500, rel=0.05)
    assert curves.runs(found) == [(0, 1, 1, 30), (0, -1, 31, 60), (1, 1, 1, 30), (1, -1, 31, 39)]
    assert not found.one_sided
    assert curves_of(ramp()[:31], UP_DOWN[:30]).one_sided
    assert found.part(np.array([False, True])).names == ("1",)


def test_cycles_begin_with_pulses_up_or_anew() -> None:
    pulses = np.array([[ANEW, 1, 1, -1, 1, -1, -1, 2], [ANEW, 1, 1, ANEW, 1, 1, ANEW, 1]])
    assert numbered(pulses).tolist() == [[0, 0, 0, 0, 1, 1, 1, 2], [0, 0, 0, 1, 1, 1, 2, 2]]


def test_a_branch_down_that_begins_anew_belongs_to_the_cycle_of_the_one_up() -> None:
    """Each was a cycle of its own: those up were fitted and those down left out, and no interval held its truth."""
    pulses = np.array([[ANEW, 1, 1, ANEW, -1, -1, ANEW, 1, ANEW, -1], [ANEW, -1, -1, ANEW, 1, 1, ANEW, -1, ANEW, ANEW]])
    assert numbered(pulses).tolist() == [[0] * 6 + [1] * 4, [0, 0, 0, 1, 1, 1, 1, 1, 2, 3]]


def test_single_readings_that_no_pulse_explains_are_left_out() -> None:
    """One of 2,400 readings moved g_max from 20.6 to 27 uS, and constant steps were taken."""
    row = ramp()
    spoilt = np.array([row] * 6)
    spoilt[0, 7], spoilt[1, 30], spoilt[1, 45] = 9.9e31, 0.0, 60.0
    found = curves.without_glitches(curves_of(spoilt, UP_DOWN))
    assert found.conductance[0, :60].tolist() == np.delete(row, 7).tolist() and np.isnan(found.conductance[0, 60])
    assert found.pulses[0, [6, 7, 8, 60]].tolist() == [1, 2, 1, ANEW]
    assert found.conductance[1, :59].tolist() == np.delete(row, [30, 45]).tolist()
    assert found.pulses[1, [29, 30, 31, 44, 45]].tolist() == [1, ANEW, -1, -2, -1]
    assert found.conductance[2].tolist() == list(row)
    first = "reading 7 of device '0', 9.9e+31 uS"
    assert found.notes == (f"Left out as glitches, far from both neighbours: {first} and 2 more.",)
    assert curves.without_glitches(found) is found


def test_states_that_turn_are_no_glitches() -> None:
    """Devices that switch at every pulse, and turns of abrupt ones."""
    there_and_back = [2.0, 20.0] * 30
    plain = curves_of(there_and_back, [1, -1] * 29 + [1])
    assert curves.without_glitches(plain) is plain
    with pytest.raises(ChipError, match="of 183 readings stand apart from both neighbours, as reading 3 of device '0'"):
        spoilt = np.array([ramp(), ramp(), ramp()])
        spoilt[:, 3:30:4] += 50
        curves.without_glitches(curves_of(spoilt, UP_DOWN))


def test_a_bound_is_come_to_where_steps_end() -> None:
    cut = np.clip(ramp(), 5.0, 14.0)
    assert curves.reached(curves_of([cut] * 3, UP_DOWN)) == (False, True)
    assert curves.reached(curves_of([ramp()] * 3, UP_DOWN)) == (False, False)
    low, high = curves.levels(curves_of([cut] * 3, UP_DOWN), (False, True))
    assert high == pytest.approx([14.0] * 3, abs=0.05)
    assert low == pytest.approx([cut.min()] * 3)


def test_a_level_of_noisy_readings_is_their_mean_and_of_a_wandering_device_the_farthest() -> None:
    draw = np.random.default_rng(2)
    way = 4 * ([1] * 100 + [-1] * 100)
    clean = [0.0]
    for sign in way:
        clean.append(min(max(clean[-1] + 0.3 * sign, 0), 10))
    white = np.array(clean) + draw.normal(size=801) * 0.5
    w, row = 0.0, [0.0]
    for sign in way:
        w = min(max(w + sign * (0.2 + 0.5 * draw.normal()), 0), 10)
        row.append(w)
    ends = [curves.levels(curves_of([one] * 2, way), (True, True)) for one in (white, np.array(row))]
    assert ends[0][1] == pytest.approx([10.0] * 2, abs=0.4)
    assert ends[1][1] == pytest.approx([10.0] * 2, abs=0.01)


def test_devices_that_no_pulse_moves() -> None:
    still = 9 + 0.02 * np.random.default_rng(1).normal(size=61)
    assert curves.moving(curves_of([ramp(), still, ramp(0.3)], UP_DOWN)).tolist() == [True, False, True]


def test_devices_that_stay_at_a_bound_are_told_from_those_that_stray() -> None:
    draw, ways = np.random.default_rng(0).normal, ([1] * 40 + [-1] * 40) * 3
    strays = 20 + np.cumsum(np.concatenate([[0.0], 0.02 * np.array(ways) + 0.5 * draw(size=240)]))
    stays = np.clip(20 + np.cumsum([0.0, *(0.3 * np.array(ways))]), 18, 30)
    assert curves.sticking(curves_of(np.stack([strays, stays]), ways)).tolist() == [[False, False], [False, True]]


def test_conductances_below_zero_are_no_swapped_directions() -> None:
    with pytest.raises(ChipError, match=r"conductances are below 0, .* uS in the middle: currents have the sign of"):
        curves.check(curves_of([-ramp()], UP_DOWN))


def test_a_device_of_which_all_is_larger_has_another_unit() -> None:
    """It was said to have a glitch, at a reading like its others."""
    g = np.stack([ramp(), 1000 * ramp(), ramp()])
    with pytest.raises(ChipError, match=r"device '1' goes from .* others are about .*: is it in another unit"):
        curves.check(curves_of(g, UP_DOWN))


def test_what_is_left_of_steps_where_curves_end() -> None:
    """Steps that go like exp(-g) shrink and never end: their last quarter is no bound; a hard one has none left."""
    steps = np.log(1 + 0.5 * np.arange(41))
    assert 0.05 < curves.ending(curves_of([steps, 1.1 * steps], [1] * 40), 1) < curves.SHRUNK
    hard = np.minimum(np.arange(41.0), 25) + np.random.default_rng(0).normal(0, 0.01, (2, 41))
    assert curves.ending(curves_of(hard, [1] * 40), 1) == 0
