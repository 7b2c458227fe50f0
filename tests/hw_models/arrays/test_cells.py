"""Cells of an array: pairs, references, write noise, pulses of every device; against twins of single devices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import erf

import numba
import numpy as np
import pytest

from hw_models.arrays.symmetry import symmetry_points
from hw_models.chip import Chip, Update
from hw_models.errors import ChipError
from hw_models.kernels import random as randomness
from tests.hw_models.arrays.cell_cases import PAIR, SIZE, SOFT, batch, chip, made, referred
from tests.naive import cells as naive, pulses as naive_pulses

compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="statistics of many updates")
STOCHASTIC, EXPECTED = Update(scheme="pulsed", trains="stochastic"), Update(scheme="pulsed")
SPREAD = {"dw_min_spread": 0.3, "w_max_spread": 0.2}
KINDS = {"one_sided": SOFT | SPREAD, "bidirectional": PAIR | SPREAD}


def whole(shape=SIZE, most=9, seed=0):
    return np.random.default_rng(seed).integers(0, most, (2, *shape))


def test_a_one_sided_pair_is_that_of_an_independent_simulator(oracle):
    """550 pulses of a pair of soft devices, without refresh: within one rounding."""
    _, arrays = oracle("aihwkit_onesided")
    cells, bar = made(chip("one_sided", SOFT), shape=(1, 1))
    for number, way in enumerate(arrays["dir"]):
        cells.apply(bar.stored, np.array([[way == 1]], int), np.array([[way == -1]], int), number)
        states = [state[0, 0] for state in cells.states]
        np.testing.assert_allclose(states, arrays["onesided_no_refresh_devices"][number][::-1], rtol=0, atol=2e-7)
        assert bar.stored[0, 0] == pytest.approx(arrays["onesided_no_refresh_w"][number], abs=2e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_devices_of_a_one_sided_pair_move_as_their_twins(dtype):
    """Every device with steps and bounds of its own, ups before downs."""
    weight = np.random.default_rng(1).uniform(-0.4, 0.4, SIZE)
    cells, bar = made(chip("one_sided", KINDS["one_sided"]), weight, dtype=dtype)
    assert not np.array_equal(cells.sides[0].devices.up, cells.sides[1].devices.up)
    before = [state.copy() for state in cells.states]
    up, down = whole()
    assert cells.apply(bar.stored, up, down, 0) == up.sum() + down.sum()
    for place in np.ndindex(SIZE):
        plus, minus = (naive.Device(side.devices, place, before[n][place]) for n, side in enumerate(cells.sides))
        wanted = naive.weight_after("one_sided", plus, minus, [True] * up[place] + [False] * down[place])
        assert bar.stored[place] == pytest.approx(wanted, abs=3e-6)
        assert cells.states[0][place] == pytest.approx(plus.state, abs=3e-6)


def test_devices_of_a_bidirectional_pair_move_against_each_other():
    pulse = PAIR | SPREAD
    cells, bar = made(chip("bidirectional", pulse), np.full(SIZE, 0.2))
    for state in cells.states:
        state += 0.3
    before = [state.copy() for state in cells.states]
    up, down = whole()
    cells.apply(bar.stored, up, down, 0)
    for n, side in enumerate(cells.sides):
        own, way = side.devices, (up, down) if n == 0 else (down, up)
        for place in np.ndindex(SIZE):
            given = chip("bidirectional", PAIR).device.pulse.model_copy(
                update={"dw_min": float(own.up[place]), "w_max": float(own.high[place])}
            )
            state = float(before[n][place])
            for rises in [True] * way[0][place] + [False] * way[1][place]:
                state = naive_pulses.play(given, state, rises)
            assert cells.states[n][place] == pytest.approx(state, abs=3e-6)
    np.testing.assert_allclose(bar.stored, cells.states[0] - cells.states[1], atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_both_devices_of_a_pair_see_the_same_trains(kind):
    """Constant devices, signed signals: slot by slot with the draws of the lines, in one train for both."""
    pulse = {"dw_min": 0.01, "w_min": 0.0, "w_max": 5.0} | ({} if kind == "one_sided" else {"response": "constant"})
    cells, bar = made(chip(kind, pulse))
    for state in cells.states:
        state += 2.0
    given = cells.update(bar.stored, batch(), 0.05, STOCHASTIC, 3)
    wanted = np.zeros(SIZE)

    def uniforms(term, side, sample, slot, size):
        key = randomness.key(0, "pulse", "a", "trains", 0, term, side)
        return randomness.uniforms(key, 3, slot, (1, size), first_row=sample)[0]

    rate = 0.05 if kind == "one_sided" else 0.025
    plain = cells.pulse.model_copy(update={"w_min": -5.0})
    wanted, count = naive_pulses.update(plain, np.zeros(SIZE), batch(), rate, STOCHASTIC, uniforms)
    times = 1 if kind == "one_sided" else 2
    np.testing.assert_allclose(bar.stored, times * wanted, atol=5e-6)
    assert given == times * count > 50
    assert cells.tally.number("pulse") == given


@compiled
@pytest.mark.parametrize("kind", KINDS)
def test_steps_of_pairs_are_those_of_their_trains(kind):
    """Mean, spread and what a row and a column have in common, of both devices: 5 standard errors and 6 %."""
    response = {"response": "soft_bounds"} if kind == "one_sided" else PAIR
    pulse = response | {"dw_min": 1e-3, "w_min": 0.0, "noise": 0.4}
    ends = {}
    for update in (STOCHASTIC, EXPECTED):
        cells, bar = made(chip(kind, pulse))
        found = np.empty((700, 3, *SIZE))
        for number in range(len(found)):
            for state, start in zip(cells.states, (0.5, 0.3), strict=True):
                state[:] = start
            cells.update(bar.stored, batch(rows=8), 0.01, update, number)
            found[number] = [bar.stored, *cells.states]
        ends[update.trains] = found
    exact, fast = ends["stochastic"], ends["expected"]
    error = np.sqrt((exact.var(0) + fast.var(0)) / len(exact))
    moved = np.abs(exact.mean(0) - exact.mean(0).mean()).max()
    assert (np.abs(exact.mean(0) - fast.mean(0)) < 5 * error + 0.02 * moved).all()
    for sums in (lambda x: x, lambda x: x.sum(3), lambda x: x.sum(2), lambda x: x[:, 1] + x[:, 2]):
        assert abs(sums(fast).std(0).mean() / sums(exact).std(0).mean() - 1) < 0.06


UNLIKE = {"response": "table", "table_up": (1.0, 0.2), "table_down": (0.1, 1.0)}


@compiled
@pytest.mark.parametrize("pulse", [{"noise_state": 0.01}, UNLIKE | {"noise": 0.5, "table_noise": (3.0, 3.0)}])
def test_what_devices_of_a_pair_share_goes_by_all_of_their_noise(pulse):
    """Spread of the weight and of the sum of both devices, as of trains: noise beside the step is of each its own."""
    ends = []
    for update in (STOCHASTIC, EXPECTED):
        cells, bar = made(chip("bidirectional", {"response": "constant", "dw_min": 1e-3, "w_min": 0.0} | pulse))
        found = np.empty((400, 2, *SIZE))
        for number in range(len(found)):
            for state, start in zip(cells.states, (0.5, 0.3), strict=True):
                state[:] = start
            cells.update(bar.stored, batch(rows=8), 0.01, update, number)
            found[number] = bar.stored, cells.states[0] + cells.states[1]
        ends.append(found.std(0).mean((1, 2)))
    np.testing.assert_allclose(ends[1], ends[0], rtol=0.05)


def test_one_way_devices_meet_their_bound_from_below_as_played():
    """Near the bound pulses are played: the same mean as trains."""
    ends = {}
    for update in (STOCHASTIC, EXPECTED):
        cells, bar = made(chip("one_sided", {"dw_min": 0.01, "w_min": 0.0, "noise": 0.5}))
        found = np.empty((60, *SIZE))
        for number, end in enumerate(found):
            cells.states[0][:], cells.states[1][:] = 0.95, 0.9
            cells.update(bar.stored, batch(rows=6), 0.1, update, number)
            end[:] = bar.stored
        ends[update.trains] = found
        assert cells.states[0].max() == 1.0
    exact, fast = ends["stochastic"], ends["expected"]
    error = np.sqrt((exact.mean((1, 2)).var() + fast.mean((1, 2)).var()) / 60)
    assert abs(exact.mean() - fast.mean()) < 5 * error
    assert abs(fast.std(0).mean() / exact.std(0).mean() - 1) < 0.15


@pytest.mark.parametrize("kind", KINDS)
def test_conductances_of_a_pair_are_those_of_its_devices(kind):
    device = {"g_min": 2.0, "g_max": 22.0, "mismatch": 0.2}
    cells, bar = made(chip(kind, KINDS[kind], device=device), np.full(SIZE, 0.1))
    cells.apply(bar.stored, *whole(), 0)
    bar.refresh()
    plus, minus = (g[0] for g in bar.conductances())
    gains = [(g - 0) / (2 + 20 * state) for g, state in zip((plus, minus), cells.states, strict=True)]
    assert all(0.02 < gain.std() < 0.5 for gain in gains)
    np.testing.assert_allclose(bar.weights(), (plus - minus) / 20, atol=2e-6)
    again, other = made(chip(kind, KINDS[kind], device=device | {"mismatch": 0.0}), np.full(SIZE, 0.1))
    again.apply(other.stored, *whole(), 0)
    other.refresh()
    for g, state in zip(other.conductances(), again.states, strict=True):
        np.testing.assert_allclose(g[0], 2 + 20 * state, rtol=1e-5)


def test_pairs_are_bounded_by_their_own_conductance_ranges():
    device = {"g_max_spread": 0.3}
    cells, bar = made(chip("one_sided", {"dw_min": 0.05, "w_min": 0.0, "w_max": 3.0}, device=device))
    cells.apply(bar.stored, np.full(SIZE, 100), np.full(SIZE, 100), 0)
    for side, state in enumerate(cells.states):
        _, top = bar.devices.own_bounds((0, side), SIZE, 0)
        np.testing.assert_allclose(state, np.minimum(top / 25, 3.0), rtol=1e-5)


RESPONSES = {
    "soft": {"response": "soft_bounds", "dw_min": 0.02, "up_down": 0.3, "w_max": 0.9},
    "linear": {"response": "linear", "dw_min": 0.02, "gamma_up": 0.4, "gamma_down": 0.7, "up_down_spread": 0.1},
    "exponential": {
        "response": "exponential", "dw_min": 0.01, "up_down": 0.26, "gamma_up": 5.0, "gamma_down": 5.0, "a_up": -1.18,
        "a_down": -0.08, "slope": -0.5, "offset": -0.5,
    },
    "one way": {"dw_min": 0.01, "up_down": 0.3},
    "alike": {"dw_min": 0.01},
}  # fmt: skip


@pytest.mark.parametrize("name", RESPONSES)
def test_symmetry_points_are_where_steps_balance(name):
    """Against a dense grid, and soft bounds against their formula; devices that balance nowhere go to a bound."""
    cells, _ = made(referred(RESPONSES[name]), dtype="float64")
    found, own, pulse = symmetry_points(cells.sides[0]), cells.devices, cells.pulse
    for place in np.ndindex(SIZE):
        up, down, high, low, c_up, c_down = (float(np.broadcast_to(each, SIZE)[place]) for each in own)
        if name == "exponential":
            f = lambda w: naive_pulses.factors(pulse, w)  # noqa: E731
            sides = (lambda w, up=up: up * f(w)[0]), (lambda w, down=down: down * f(w)[1])  # noqa: B023
        else:
            sides = (
                lambda w, up=up, c_up=c_up: up * (1 - c_up * w),
                lambda w, down=down, c_down=c_down: down * (1 - c_down * w),
            )
        wanted = 0.0 if name == "alike" else naive.balance(*sides, low, high)
        assert found[place] == pytest.approx(wanted, abs=pulse.dw_min if name == "one way" else 4e-4)
        if name == "soft":
            assert found[place] == pytest.approx((up - down) / (up / high - down / low), abs=1e-4)


def test_weights_beside_a_reference_are_the_difference_of_two_devices():
    """Programmed, pulsed to a bound of the device, and as conductances; the reference takes no pulse."""
    pulse = RESPONSES["soft"] | {"w_max_spread": 0.1}
    cell = {"reference_mean": 0.05, "reference_spread": 0.1}
    cells, bar = made(referred(pulse, cell), np.full(SIZE, 0.1))
    own, r = cells.devices, cells.reference.copy()
    np.testing.assert_allclose(bar.stored, 0.1, atol=1e-6)
    np.testing.assert_allclose(cells.states[0], 0.1 + r, atol=1e-6)
    up, down = whole()
    before = cells.states[0].copy()
    cells.apply(bar.stored, up, down, 0)
    for place in np.ndindex(SIZE):
        twin = naive.Device(own, place, before[place])
        for way in [True] * up[place] + [False] * down[place]:
            twin.pulse(way)
        assert bar.stored[place] == pytest.approx(twin.state - r[place], abs=3e-6)
    bar.refresh()
    first, second = (g[0] for g in bar.conductances())
    np.testing.assert_allclose(first, 12.5 * (1 + cells.states[0]), rtol=1e-5)
    np.testing.assert_allclose(second, 12.5 * (1 + r), rtol=1e-5)
    np.testing.assert_allclose(bar.weights(), (first - second) / 12.5, atol=2e-6)
    cells.apply(bar.stored, np.full(SIZE, 900), 0 * up, 1)
    np.testing.assert_allclose(bar.stored, own.high - r, atol=1e-4)


BELOW = {
    "one-sided": chip("one_sided", SOFT | {"write_noise": 30.0}, device={"g_min": 2.0}),
    "bidirectional": chip("bidirectional", PAIR | {"write_noise": 30.0}),
    "reference": referred(RESPONSES["soft"], {"reference_spread": 0.7}),
    "reference that is read": referred(RESPONSES["soft"] | {"write_noise": 20.0}, {"reference_spread": 0.7}),
    "offset": chip(pulse=RESPONSES["soft"] | {"write_noise": 40.0}, mapping="offset"),
}
"""Cells of which some devices would conduct less than nothing by write noise, or by an error of their reference."""


@pytest.mark.parametrize("name", BELOW)
def test_no_device_conducts_less_than_nothing(name):
    """What products read is the difference of two conductances cut at 0, from states and what they err by."""
    shape = (30, 40)
    cells, bar = made(BELOW[name], np.full(shape, -0.6), shape=shape)
    cells.apply(bar.stored, *whole(shape), 0)
    bar.refresh()
    device, pair = cells.device, cells.cell.paired
    span = device.g_max - device.g_min
    zero, reach = (device.g_min, span) if pair else ((device.g_min + device.g_max) / 2, span / 2)
    offsets = cells.offsets or [0.0] * len(cells.states)
    g = [zero + reach * (state.astype(float) + off) for state, off in zip(cells.states, offsets, strict=True)]
    if cells.reference is not None:
        z = randomness.normals(randomness.key(cells.seed, "pulse", cells.name, "reference"), 0, 0, shape)
        g.append(zero + reach * (cells.references.aimed + 0.7 * z))
    elif not pair:
        g.append(np.full(shape, zero))
    assert sum((each < 0).sum() for each in g) > 10
    first, second = (np.maximum(each, 0) for each in g)
    np.testing.assert_allclose(bar.weights(), (first - second) / reach, atol=1e-5)
    np.testing.assert_allclose(bar.stored, (first - second) / reach, atol=1e-5)
    shown = [each[0] for each in bar.conductances()]
    np.testing.assert_allclose(shown[0], first, atol=1e-4)
    np.testing.assert_allclose(shown[1], second, atol=1e-4)
    draw = np.random.default_rng(3)
    for rows in (1, 7):
        x, y = draw.uniform(-1, 1, (rows, shape[1])), draw.uniform(-1, 1, (rows, shape[0]))
        np.testing.assert_allclose(bar.forward(x.astype(np.float32)), x @ (first - second).T / reach, atol=1e-4)
        np.testing.assert_allclose(bar.transposed(y.astype(np.float32)), y @ (first - second) / reach, atol=1e-4)


@pytest.mark.parametrize("name", BELOW)
def test_a_device_that_errs_by_next_to_nothing_holds_the_same_weight(name):
    """Products without and with a mismatch of 1e-7 go different ways."""
    found = []
    for mismatch in (0.0, 1e-7):
        given = Chip.parse(BELOW[name].to_dict() | {"device": BELOW[name].to_dict()["device"] | {"mismatch": mismatch}})
        cells, bar = made(given, np.full((30, 40), -0.6), shape=(30, 40))
        cells.apply(bar.stored, *whole((30, 40)), 0)
        bar.refresh()
        found.append(bar.weights())
    np.testing.assert_allclose(*found, atol=2e-5)


def test_references_err_as_they_are_said_to():
    shape, cell = (60, 70), {"reference_mean": 0.05, "reference_spread": 0.4}
    exact, _ = made(referred(RESPONSES["linear"]), shape=shape)
    cells, _ = made(referred(RESPONSES["linear"], cell), shape=shape)
    error, k = (cells.reference - exact.reference).astype(float), 4.5 / np.sqrt(4200)
    assert abs(error.mean() - 0.05) < k * 0.4 and abs(error.std() / 0.4 - 1) < k / np.sqrt(2)
    middle, _ = made(referred(RESPONSES["linear"], {"reference_at": "middle"}), shape=shape)
    assert not middle.reference.any() and exact.reference.std() > 0.02


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_references_are_programmed_again_where_devices_do_not_hold_their_weights(rounds):
    """Bounds of 1, a weight of .3, an error of 0 and .6: each round those beyond have a chance of that anew.

    Others keep their reference; writes are counted; the errors of those programmed again are new ones within reach.
    """
    shape = (60, 70)
    weight, cell = np.full(shape, 0.3), {"reference_spread": 0.6}
    first, _ = made(referred({"dw_min": 0.01}, cell), weight, shape)
    cells, bar = made(referred({"dw_min": 0.01}, cell | {"reference_rounds": rounds}), weight, shape)
    missed = np.abs(first.crossbar.stored - 0.3) > 0.01
    beyond = 1 - sum(erf((1 + way * 0.3 + 0.01) / 0.6 / np.sqrt(2)) for way in (1, -1)) / 2
    assert missed.mean() == pytest.approx(beyond, rel=0.15)
    np.testing.assert_array_equal(cells.reference[~missed], first.reference[~missed])
    left = np.abs(bar.stored - 0.3) > 0.01
    assert left.mean() == pytest.approx(beyond**rounds, abs=4.5 * np.sqrt(beyond**rounds / left.size) + 1e-4)
    again = sum(beyond**number for number in range(1, rounds)) * left.size
    writes = bar.tally.total("write") - first.crossbar.tally.total("write")
    assert writes == pytest.approx(again, rel=0.15, abs=0.1)
    new = cells.reference[missed & ~left]
    assert rounds == 1 or ((np.abs(new + 0.3) <= 1.011).all() and new.std() > 0.3)


@pytest.mark.parametrize("name", ["soft", "linear", "exponential"])
def test_zero_shifting_brings_devices_to_their_symmetry_point(name):
    """Without noise within two steps of it; pulses and slots are counted; the reference is what the device holds."""
    cells, bar = made(referred(RESPONSES[name], {"reference_at": "middle"}), np.full(SIZE, 0.5))
    cells.zero_shift(2000, 0)
    apart = np.abs(cells.reference - symmetry_points(cells.sides[0]))
    assert apart.max() < 2 * cells.pulse.dw_min
    np.testing.assert_allclose(bar.stored, 0, atol=1e-6)
    assert cells.tally.number("pulse") == 4000 * cells.states[0].size
    assert cells.tally.number("slot") == 4000


def test_alternate_pulses_are_those_of_the_twin():
    cells, _ = made(referred(RESPONSES["soft"] | {"dw_min_spread": 0.3}), np.full(SIZE, 0.5))
    before = cells.states[0].copy()
    cells.zero_shift(40, 0)
    for place in np.ndindex(SIZE):
        twin = naive.Device(cells.devices, place, before[place])
        for _ in range(40):
            twin.pulse(True), twin.pulse(False)
        assert cells.states[0][place] == pytest.approx(twin.state, abs=1e-5)


def test_zero_shifting_needs_a_reference_and_a_number():
    cells, _ = made(chip(pulse={"dw_min": 0.01}))
    with pytest.raises(ChipError, match=r"crossbar\.reference = 'digital': zero-shifting needs 'device'"):
        cells.zero_shift(5, 0)
    cells, _ = made(referred({"dw_min": 0.01}))
    with pytest.raises(ChipError, match="pairs = 0: zero-shifting takes 1 or more"):
        cells.zero_shift(0, 0)


def test_write_noise_lies_between_the_state_and_what_is_read():
    """Its size, drawn anew for those with a pulse, kept by the others; pulses go on from the hidden state."""
    pulse, shape = {"response": "soft_bounds", "dw_min": 0.01, "write_noise": 2.0}, (50, 60)
    cells, bar = made(chip(pulse=pulse), np.full(shape, 0.1), shape=shape)
    hidden, offset = cells.states[0], bar.stored - 0.1
    np.testing.assert_allclose(hidden, 0.1, atol=1e-6)
    k = 4.5 / np.sqrt(offset.size)
    assert abs(offset.mean()) < k * 0.02 and abs(offset.std() / 0.02 - 1) < k
    up = np.zeros(shape, int)
    up[::2, ::3] = 3
    before = bar.stored.copy()
    cells.apply(bar.stored, up, 0 * up, 1)
    np.testing.assert_array_equal(bar.stored[up == 0], before[up == 0])
    wanted = 0.1
    for _ in range(3):
        wanted += 0.01 * (1 - wanted)
    np.testing.assert_allclose(hidden[up > 0], wanted, atol=1e-6)
    fresh = (bar.stored - hidden)[up > 0]
    assert abs(fresh.std() / 0.02 - 1) < 4.5 / np.sqrt(fresh.size)
    assert abs(np.corrcoef(fresh, offset[up > 0])[0, 1]) < 4.5 / np.sqrt(fresh.size)


@compiled
@pytest.mark.parametrize("update", [STOCHASTIC, EXPECTED], ids=["stochastic", "expected"])
def test_trains_with_write_noise_touch_who_gets_a_pulse(update):
    """Expected steps are played: who has a new write noise is who moved."""
    pulse = {"response": "soft_bounds", "dw_min": 0.01, "write_noise": 1.0, "noise": 0.3}
    cells, bar = made(chip(pulse=pulse), np.full(SIZE, 0.1))
    terms = batch(rows=1)
    terms[0][1][0, 0] = 0  # a line that is silent
    hidden, read = cells.states[0].copy(), bar.stored.copy()
    cells.update(bar.stored, terms, 0.004, update, 0)
    moved = cells.states[0] != hidden
    np.testing.assert_array_equal(bar.stored != read, moved)
    assert 0 < moved.sum() < moved.size and not moved[0].any()


@pytest.mark.parametrize("trains", ["stochastic", "expected"])
@pytest.mark.parametrize("kind", ["single", *KINDS])
def test_pulses_of_every_device_are_counted(kind, trains):
    """Whole numbers exactly; of trains all that were given, of steps their mean; by the device that gets them."""
    pulse = KINDS.get(kind, {"response": "soft_bounds", "dw_min": 0.02})
    cells, bar = made(chip(kind, pulse, device={"endurance": 20.0}))
    up, down = whole()
    cells.apply(bar.stored, up, down, 0)
    wanted = {"single": [up + down], "one_sided": [up, down], "bidirectional": [up + down, up + down]}[kind]
    np.testing.assert_array_equal(cells.pulses, wanted)
    cells.apply(bar.stored, up.astype(float), down.astype(float), 1)
    np.testing.assert_allclose(cells.pulses, 2 * np.array(wanted, float), atol=1e-4)
    before, given = cells.pulses.sum(), 0
    for step in range(20):
        given += cells.update(bar.stored, batch(seed=step), 0.05, Update(scheme="pulsed", trains=trains), step)
    # steps count their mean given the lines, and round what is given at random
    assert cells.pulses.sum() - before == pytest.approx(given, abs=1e-6 if trains == "stochastic" else 20)
    assert cells.wear().worn == (cells.pulses > 20).mean() > 0
    assert made(chip(kind, pulse))[0].wear() is None


@compiled
def test_counts_of_steps_are_those_of_trains_on_average():
    found = []
    for update in (STOCHASTIC, EXPECTED):
        cells, bar = made(chip(pulse={"dw_min": 0.001}, device={"endurance": 1e9}))
        for step in range(400):
            cells.update(bar.stored, batch(rows=3), 0.004, update, step)
        found.append(cells.pulses[0] / 400)
    assert np.abs(found[0] - found[1]).max() < 0.25 and found[0].mean() > 1


def test_stuck_devices_of_a_pair_stay_where_they_are():
    cells, bar = made(chip("one_sided", SOFT | {"corrupt": 0.4}), np.full(SIZE, 0.3), seed=3)
    for _ in range(2):
        for side, state in zip(cells.sides, cells.states, strict=True):
            np.testing.assert_array_equal(state[side.stuck.where], side.stuck.at[side.stuck.where])
        cells.apply(bar.stored, *whole(), 0)
        cells.leak((0.1, 0.1))
    assert 0 < cells.sides[0].stuck.where.sum() < cells.states[0].size


def test_what_leaks_and_what_neighbours_do_reaches_the_states():
    cells, bar = made(chip("one_sided", SOFT), np.full(SIZE, 0.4))
    cells.apply(bar.stored, *whole(), 0)
    before = [state.copy() for state in cells.states]
    cells.leak((0.1, 0.1))
    for state, old in zip(cells.states, before, strict=True):
        np.testing.assert_allclose(state, 0.9 * old, rtol=1e-6)
    np.testing.assert_allclose(bar.stored, 0.9 * (before[0] - before[1]), atol=1e-6)
    felt = np.random.default_rng(0).normal(0, 0.01, SIZE).astype("f4")
    before, weights = [state.copy() for state in cells.states], bar.stored.copy()
    cells.disturbed(felt)
    np.testing.assert_allclose(bar.stored, weights + felt, atol=1e-6)
    assert all((state >= old).all() for state, old in zip(cells.states, before, strict=True))
    cells, bar = made(referred(RESPONSES["linear"], {"reference_spread": 0.1}), np.full(SIZE, 0.4))
    state, r = cells.states[0].copy(), cells.reference.copy()
    cells.leak((0.1, 0.1))
    np.testing.assert_allclose(cells.states[0], -1 + 0.9 * (state + 1), atol=1e-6)
    np.testing.assert_allclose(bar.stored, 0.9 * (state - r), atol=1e-6)


NOISY = {"noise": 0.5, "dw_min_spread": 0.3, "write_noise": 1.0, "corrupt": 0.1}
GIVEN = {
    "one-sided": chip("one_sided", SOFT | NOISY, {"refresh_every": 2, "reset_noise": 0.02, "refresh_noise": 0.02,
                      "refresh_above": 0.3, "refresh_lesser": 0.1}, {"endurance": 9.0}),
    "bidirectional": chip("bidirectional", PAIR | NOISY, device={"endurance": 9.0}),
    "reference": referred(RESPONSES["soft"] | NOISY, {"reference_spread": 0.1}, {"endurance": 9.0}),
    "write noise": chip(pulse=RESPONSES["soft"] | NOISY),
}  # fmt: skip


def differing(one, other):
    """Return the names of arrays that are not the same; ranges that were never calibrated are no numbers."""
    return [key for key in one if not np.array_equal(one[key], other[key], equal_nan=one[key].dtype.kind == "f")]


def go(cells, bar, steps):
    for step in steps:
        cells.update(bar.stored, batch(seed=step), 0.1, EXPECTED, step)
        cells.apply(bar.stored, *whole(seed=step), step)
        cells.updated()
        if cells.reference is not None and step == 2:
            cells.zero_shift(9, step)
        bar.refresh()


@pytest.mark.parametrize("name", GIVEN)
def test_cells_go_on_where_they_stood(name):
    """The state of a crossbar has that of its cells: the same bits behind it, and in its conductances."""
    cells, bar = made(GIVEN[name], np.full(SIZE, 0.2))
    go(cells, bar, range(4))
    kept = bar.state()
    again, other = made(GIVEN[name], np.full(SIZE, -0.1))
    other.load(kept)
    assert cells.pulses is None or np.array_equal(cells.wear().pulses, again.wear().pulses)
    for one, both in ((cells, bar), (again, other)):
        go(one, both, range(4, 7))
    assert differing(bar.state(), other.state()) == []
    np.testing.assert_array_equal(bar.conductances()[0], other.conductances()[0])
    np.testing.assert_array_equal(bar.weights(), other.weights())


@pytest.mark.parametrize("name", GIVEN)
def test_threads_do_not_matter(name, monkeypatch):
    from hw_models.arrays import expected, played

    for module, what, most in ((expected, "ROWS", 3), (played, "TRAIN_ROWS", 2), (played, "TRAIN_COLUMNS", 4)):
        monkeypatch.setattr(module, what, most)
    found = []
    with ThreadPoolExecutor(2) as pool:
        for run in (None, lambda task, parts: list(pool.map(lambda part: task(*part), parts))):
            cells, bar = made(GIVEN[name], np.full(SIZE, 0.2), **({} if run is None else {"run": run}))
            go(cells, bar, range(4))
            found.append(bar.state())
    assert differing(*found) == []


def test_a_damaged_state_of_cells_is_refused():
    _, bar = made(GIVEN["one-sided"])
    state = bar.state()
    state["cell.states"][0, 1, 1] = np.nan
    with pytest.raises(ChipError, match=r"cell\.states"):
        bar.load(state)


def test_single_cells_are_the_weights_themselves():
    cells, bar = made(chip(pulse={"dw_min": 0.01, "w_max": 0.3}), np.full(SIZE, 0.5))
    assert not cells.states and cells.reference is None and bar.devices.beside is None
    np.testing.assert_allclose(bar.stored, 0.3, rtol=1e-6)
    assert set(bar.state()) == {"held", "weight_range", "counts", "times", "keys", "ranges", "tally.counts"}
