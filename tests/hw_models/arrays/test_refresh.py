"""Refresh of one-sided pairs: who, when, how they are written again, what is counted."""

from __future__ import annotations

import numpy as np
import pytest

from tests.hw_models.arrays.cell_cases import SIZE, SOFT, chip, made
from tests.naive import cells as naive

REFRESH = {"refresh_every": 1, "refresh_above": 0.6, "refresh_lesser": 0.3}


def states(seed=0, shape=SIZE):
    return np.random.default_rng(seed).uniform(0, 1, (2, *shape)).astype("f4")


def put(cells, values):
    for state, value in zip(cells.states, values, strict=True):
        state[:] = value


def test_pairs_are_refreshed_as_an_independent_simulator_does(oracle):
    """When, which and how far as its pair, whose resets have a noise of 0.01: five refreshes at the same pulses."""
    _, arrays = oracle("aihwkit_onesided")
    cell = REFRESH | {"refresh_every": 20, "refresh_above": 0.7, "reset_noise": 0.01}
    cells, bar = made(chip("one_sided", SOFT, cell), shape=(1, 1))
    there, at = arrays["onesided_refresh20_devices"][:, ::-1], []
    for number, way in enumerate(arrays["dir"]):
        cells.apply(bar.stored, np.array([[way == 1]], int), np.array([[way == -1]], int), number)
        before = cells.counts[2]
        cells.updated()
        at += [number] * int(cells.counts[2] - before)
        np.testing.assert_allclose([s[0, 0] for s in cells.states], there[number], rtol=0, atol=0.05)
    drops = np.flatnonzero((np.diff(there, axis=0) < -0.2).any(axis=1)) + 1
    assert at == drops.tolist() and len(at) == 5


def test_pairs_are_refreshed_as_their_twins():
    """Noise-free, open loop: pair by pair, and nothing happens to the others."""
    cells, bar = made(chip("one_sided", SOFT, REFRESH))
    values = states()
    put(cells, values)
    cells.updated()
    count = 0
    for place in np.ndindex(SIZE):
        plus, minus = (float(value[place]) for value in values)
        wanted = naive.refreshed(plus, minus, 0.6, 0.3, 1.0, 0.02)
        count += wanted != (plus, minus)
        np.testing.assert_allclose([state[place] for state in cells.states], wanted, atol=2e-6)
        assert bar.stored[place] == pytest.approx(wanted[0] - wanted[1], abs=2e-6)
    assert cells.counts[2] == count > 3 and cells.counts[3] == 2 * count


def test_the_fullest_come_first_where_only_some_are_refreshed():
    every, _ = made(chip("one_sided", SOFT, REFRESH))
    some, _ = made(chip("one_sided", SOFT, REFRESH | {"refresh_most": 2}))
    values = states()
    for cells in (every, some):
        put(cells, values)
    all_of_them, chosen = (cells.refreshing.chosen(list(values)) for cells in (every, some))
    large = np.maximum(*values)
    assert chosen.sum() == 2 < all_of_them.sum() and (all_of_them | ~chosen).all()
    assert large[chosen].min() >= large[all_of_them & ~chosen].max()


def test_further_rounds_come_nearer_to_the_difference():
    """Soft devices fall short of what is given open loop."""
    error = []
    for rounds in (1, 15):
        cells, bar = made(chip("one_sided", SOFT | {"dw_min": 0.002}, REFRESH | {"refresh_rounds": rounds}))
        values = states(1)
        put(cells, values)
        chosen = cells.refreshing.chosen(list(values))
        cells.updated()
        error.append(np.abs(bar.stored - (values[0] - values[1]))[chosen].max())
    assert error[0] > 0.02 and error[1] < 0.003


def test_resets_have_their_mean_their_spread_and_their_noise():
    shape = (60, 70)
    cell = REFRESH | {"refresh_above": 0.1, "refresh_lesser": 0.0}
    cell |= {"reset": 0.2, "reset_spread": 0.03, "reset_noise": 0.04}
    cells, _ = made(chip("one_sided", {"dw_min": 0.02, "w_min": 0.0}, cell), shape=shape)
    found = []
    for _ in range(2):
        put(cells, np.full((2, *shape), 0.5, "f4"))  # no difference, so nothing is written again
        cells.updated()
        found.append(np.stack(cells.states).astype(float) - 0.2)
    k = 4.5 / np.sqrt(found[0].size)
    for each in found:
        assert abs(each.mean()) < k * 0.05 and abs(each.std() / 0.05 - 1) < k
    assert np.corrcoef(found[0].ravel(), found[1].ravel())[0, 1] == pytest.approx((0.03 / 0.05) ** 2, abs=3 * k)
    assert abs(np.corrcoef(found[0][0].ravel(), found[0][1].ravel())[0, 1]) < 2 * k


def test_refresh_looks_at_noisy_states():
    cell = REFRESH | {"refresh_noise": 0.1, "refresh_above": 0.75, "refresh_lesser": 0.0}
    cells, _ = made(chip("one_sided", SOFT, cell), shape=(60, 70))
    values = np.full((2, 60, 70), 0.7, "f4")
    put(cells, values)
    read = [each.astype(float) for each in cells.refreshing._read(0)]
    for each in read:
        assert abs(each.mean() - 0.7) < 0.01 and abs(each.std() / 0.1 - 1) < 0.05
    assert abs(np.corrcoef(read[0].ravel(), read[1].ravel())[0, 1]) < 0.07
    put(cells, values)
    cells.updated()
    share = cells.counts[2] / 4200  # P(max of two normals above half a deviation)
    assert share == pytest.approx(1 - 0.6915**2, abs=0.035)


@pytest.mark.parametrize("tiles", [{}, {"rows": 3, "columns": 2}, {"rows": 2}])
def test_what_a_refresh_costs(tiles):
    """Looks at full scale, resets and pulses in the tallies; time slot by slot: inputs in turn, tiles side by side."""
    cells, bar = made(chip("one_sided", SOFT, REFRESH, {"endurance": 100.0}, **tiles))
    values = states()
    put(cells, values)
    chosen = cells.refreshing.chosen(list(values))
    numbers = np.rint(np.abs(values[0] - values[1]) / 0.02) * chosen
    cells.moved([np.ones(SIZE, bool)] * 2)
    bar.reread()
    with bar.tally.now.metering():
        cells.updated()
    assert bar.tally.number("square forward") == pytest.approx(25e6 * values.sum(), rel=1e-6)  # pS
    pulses = 2 * chosen.sum() + numbers.sum()
    assert cells.tally.number("pulse") == cells.pulses.sum() == pulses
    assert bar.tally.number("forward") == 2 * SIZE[1]
    taken = {"resets": [0], "pulses": [0]}
    for first in range(0, SIZE[0], tiles.get("columns", SIZE[0])):
        for start in range(0, SIZE[1], tiles.get("rows", SIZE[1])):
            for slots in taken.values():
                slots.append(0)
            for j in range(start, min(start + tiles.get("rows", SIZE[1]), SIZE[1])):
                line = slice(first, first + tiles.get("columns", SIZE[0])), j
                taken["resets"][-1] += bool(chosen[line].any())
                taken["pulses"][-1] += max(0, *(int(n) for n in numbers[line]))
    slots = max(taken["resets"]) + max(taken["pulses"])
    assert cells.taken == (2 * SIZE[1], slots)
    assert cells.tally.number("slot") == slots
    put(cells, np.zeros((2, *SIZE)))
    cells.updated()
    assert cells.taken == (2 * SIZE[1], 0)


def test_devices_that_no_pulse_moves_are_reset_by_none():
    """Pair by pair: a device that no pulse moves keeps its state, the other one is reset and written again."""
    cells, _ = made(chip("one_sided", SOFT | {"unresponsive": 0.4}, REFRESH))
    values = states(3)
    put(cells, values)
    cells.updated()
    kept = 0
    for place in np.ndindex(SIZE):
        before = tuple(float(value[place]) for value in values)
        after = naive.refreshed(*before, 0.6, 0.3, 1.0, 0.02)
        for side, own in enumerate(cells.sides):
            deaf = own.devices.up[place] == own.devices.down[place] == 0
            kept += deaf and after != before
            assert cells.states[side][place] == pytest.approx(before[side] if deaf else after[side], abs=2e-6)
    assert kept > 2


@pytest.mark.parametrize("kind", ["one_sided", "single"])
def test_devices_that_no_pulse_moves_feel_none_of_others(kind):
    cells, bar = made(chip(kind, SOFT | {"unresponsive": 0.4, "w_min": 0.0 if kind == "one_sided" else -1.0}))
    felt = np.full(SIZE, 0.05, "f4")
    cells.disturbed(felt)
    deaf = np.broadcast_to((cells.devices.up == 0) & (cells.devices.down == 0), SIZE)
    np.testing.assert_allclose(bar.stored, np.where(deaf, 0, 0.05), atol=1e-6)
    assert 0 < deaf.sum() < deaf.size


def test_looks_come_every_so_many_updates():
    cells, bar = made(chip("one_sided", SOFT, REFRESH | {"refresh_every": 3}))
    looks = []
    for _ in range(7):
        cells.updated()
        looks.append(bar.tally.number("forward"))
    assert looks == [0, 0, 12, 12, 12, 24, 24]
