"""Pulsed devices and trains against traces of an independent simulator, their slow twins, and each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from hw_models.arrays import expected, played, pulses
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Pulse, Update
from hw_models.kernels import random as randomness, scalar
from tests.naive import normal_pairs, pulses as naive

pytestmark = pytest.mark.kernels

compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="statistics of many updates")
RESPONSES = {
    "constant": Pulse(dw_min=0.02, up_down=0.2, w_max=0.6, w_min=-0.4),
    "linear": Pulse(response="linear", dw_min=0.02, up_down=-0.1, gamma_up=0.3, gamma_down=0.7, w_max=0.8),
    "soft_bounds": Pulse(response="soft_bounds", dw_min=0.02, w_max=0.8, w_min=-0.6),
    "exponential": Pulse(
        response="exponential", dw_min=0.01, up_down=0.26, gamma_up=5.0, gamma_down=5.0, a_up=-1.18, a_down=-0.08,
        slope=-0.5, offset=-0.5,
    ),
    "power": Pulse(response="power", dw_min=0.03, gamma_up=1.5, gamma_down=0.7),
    "table": Pulse(
        response="table", dw_min=0.02, table_states=(0.0, 0.3, 0.6, 1.0), table_up=(1.5, 1.2, 0.7, 0.2),
        table_down=(0.1, 0.5, 0.9, 1.0),
    ),
}  # fmt: skip
PEERS = {
    "ConstantStepDevice": "constant",
    "LinearStepDevice": "linear",
    "SoftBoundsDevice": "soft_bounds",
    "ReRamESPresetDevice": "exponential",
}
STOCHASTIC, EXPECTED = Update(scheme="pulsed", trains="stochastic"), Update(scheme="pulsed")


def peer_pulse(case):
    """The pulse of an oracle case."""
    there = case["params"]
    names = {"dw_min": "dw_min", "up_down": "up_down", "w_max": "w_max", "w_min": "w_min"}
    names |= {"noise": "dw_min_std", "dw_min_spread": "dw_min_dtod", "gamma_up": "gamma_up", "gamma_down": "gamma_down"}
    names |= {"a_up": "A_up", "a_down": "A_down", "slope": "a", "offset": "b"}
    return Pulse(response=PEERS[case["peer"].split()[1]], **{n: there[o] for n, o in names.items() if o in there})


def make(pulse, shape=(3, 4), seed=0, **rest):
    return PulsedDevices(pulse, shape, seed, "a", **rest)


def start(shape=(3, 4), seed=1, width=0.35, dtype="float32"):
    return np.random.default_rng(seed).uniform(-width, width, shape).astype(dtype)


def batch(shape=(3, 4), rows=5, seed=2, signed=True, terms=2, dtype="float32"):
    rng = np.random.default_rng(seed)
    draw = lambda size: rng.uniform(-1 if signed else 0, 1, (rows, size)).astype(dtype)  # noqa: E731
    return [((-1.0) ** t, draw(shape[0]), draw(shape[1])) for t in range(terms)]


@pytest.mark.parametrize("key", ["constant", "constant_asym", "linear_mult", "softbounds", "expstep_reram"])
def test_traces_of_one_device(oracle, key):
    """Pulse by pulse within one rounding of float32, 6e-8 of the range."""
    meta, arrays = oracle("pulsed_update")
    pulse = peer_pulse(next(case for case in meta["cases"] if case["key"] == key))
    devices, weight, trace = make(pulse, (1, 1)), np.zeros((1, 1), np.float32), []
    for number, way in enumerate(arrays[f"{key}_dir"]):
        up, down = (np.array([[way == sign]], dtype=np.int64) for sign in (1, -1))
        assert devices.apply(weight, up, down, number) == 1
        trace.append(weight[0, 0])
    np.testing.assert_allclose(trace, arrays[f"{key}_w"], rtol=0, atol=1.2e-7)


@compiled
def test_many_noisy_devices(oracle):
    """Both are samples of 4096: mean and spread within 4.5 standard errors of the difference, at every tenth pulse."""
    meta, arrays = oracle("pulsed_update")
    pulse = peer_pulse(next(case for case in meta["cases"] if case["key"] == "softbounds_noisy"))
    shape = (64, 64)
    devices, weights = make(pulse, shape), np.zeros(shape, np.float32)
    for number, way in enumerate(arrays["softbounds_noisy_dir"]):
        ups, downs = (np.full(shape, int(way == sign)) for sign in (1, -1))
        devices.apply(weights, ups, downs, number)
        if number % 10 == 0:
            mean, std = (arrays[f"softbounds_noisy_{what}"][number] for what in ("mean", "std"))
            assert abs(weights.mean() - mean) < 4.5 * std * np.sqrt(2 / 4096)
            assert abs(weights.std() - std) < 4.5 * std * np.sqrt(1 / 4096)


@compiled
@pytest.mark.parametrize("trains", ["stochastic", "expected"])
def test_trains_of_an_independent_simulator(oracle, trains):
    """2000 repeats of 1024 devices: means within 5 standard errors, their chi-square, and the spread."""
    _, arrays = oracle("pulsed_update")
    terms = [(-1.0, arrays["train_d"][None], arrays["train_x"][None])]
    devices, found = make(Pulse(dw_min=0.001), (32, 32)), np.zeros((2000, 32, 32), np.float32)
    for number, weights in enumerate(found):
        devices.update(weights, terms, 0.01, Update(scheme="pulsed", trains=trains), number)
    mean, std = arrays["train_bl31_lr0.01_mg_mean"], arrays["train_bl31_lr0.01_mg_std"]
    moves = std > 1e-5
    apart = (found.mean(0) - mean)[moves] / (std[moves] * np.sqrt(2 / 2000))
    assert np.abs(apart).max() < 5
    assert 0.8 < (apart**2).mean() < 1.2
    ratio = found.std(0)[moves] / std[moves]
    assert np.abs(ratio - 1).max() < 0.3 and abs(np.median(ratio) - 1) < 0.005
    assert np.abs(found[:, ~moves]).max(initial=0) < 1e-4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", RESPONSES)
def test_pulses_are_those_of_the_slow_twin(name, dtype):
    """Different numbers on every device, more than fit into one queue."""
    pulse, weights = RESPONSES[name], start(dtype=dtype)
    rng = np.random.default_rng(0)
    up, down = rng.integers(0, 9, (2, 3, 4))
    up[0, 1], down[0, 1], down[2, 3] = 40, 90, 0
    expected = weights.astype(np.float64)
    for index in np.ndindex(weights.shape):
        for way in [True] * up[index] + [False] * down[index]:
            expected[index] = naive.play(pulse, expected[index], way)
    assert make(pulse, dtype=dtype).apply(weights, up, down, 0) == up.sum() + down.sum()
    np.testing.assert_allclose(weights, expected, rtol=0, atol=3e-6 if dtype == "float32" else 1e-6)


@pytest.mark.parametrize("name", RESPONSES)
def test_noise_multiplies_every_step_by_its_own_draw(name):
    pulse, weights = RESPONSES[name].model_copy(update={"noise": 0.5}), start()
    devices, expected = make(pulse), start().astype(np.float64)
    devices.apply(weights, np.full((3, 4), 2), np.full((3, 4), 1), 7)
    key = randomness.key(0, "pulse", "a", "granules")
    draws = np.array([normal_pairs.played(key, 7, 0, 0, row, 12).reshape(3, 4) for row in range(3)])
    for turn, up in enumerate((True, True, False)):
        xi = draws[:, turn]
        for index in np.ndindex(weights.shape):
            expected[index] = naive.play(pulse, expected[index], up, float(xi[index]))
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("length", [1, 7, 63])
@pytest.mark.parametrize("management", [True, False])
@pytest.mark.parametrize("name", ["soft_bounds", "exponential"])
def test_trains_are_those_of_the_slow_twin(name, management, length):
    """Two terms, signed rows, a silent row and a rate at which lines saturate; same draws, so the same pulses."""
    pulse, terms = RESPONSES[name], batch(rows=3)
    terms[0][1][1] = 0
    update = Update(scheme="pulsed", trains="stochastic", train_length=length, management=management)

    def uniforms(term, side, sample, slot, size):
        key = randomness.key(0, "pulse", "a", "trains", 0, term, side)
        return randomness.uniforms(key, 4, slot, (1, size), first_row=sample)[0]

    for rate in (0.02, 0.5):
        weights = start()
        expected, count = naive.update(pulse, weights, terms, rate, update, uniforms)
        assert make(pulse).update(weights, terms, rate, update, 4) == count
        np.testing.assert_allclose(weights, expected, rtol=0, atol=3e-6)


@compiled
@pytest.mark.parametrize("management", [True, False])
@pytest.mark.parametrize("name", RESPONSES)
def test_expected_step_and_trains_agree(name, management):
    """Mean and variance of 12 devices over 4000 batches: 5 standard errors, and 2 % of either for what is left out."""
    pulse = RESPONSES[name].model_copy(update={"noise": 0.4, "dw_min": RESPONSES[name].dw_min / 4})
    terms, before, found = batch(rows=12), start(), {}
    for trains in ("stochastic", "expected"):
        devices, ends = make(pulse), np.tile(before, (4000, 1, 1))
        update = Update(scheme="pulsed", trains=trains, management=management, train_length=15)
        counts = [devices.update(weights, terms, 0.01, update, number) for number, weights in enumerate(ends)]
        found[trains] = ends.astype(np.float64), np.mean(counts)
    (exact, count), (fast, expected_count) = found["stochastic"], found["expected"]
    assert 5 < count / before.size < 40
    assert abs(count / expected_count - 1) < 0.01
    std, change = exact.std(0), exact.mean(0) - before
    assert (np.abs(fast.mean(0) - exact.mean(0)) < 5 * std * np.sqrt(2 / 4000) + 0.02 * np.abs(change).max()).all()
    kurtosis = ((exact - exact.mean(0)) ** 4).mean(0) / std**4
    ratio = fast.var(0) / exact.var(0) - 1
    assert (np.abs(ratio) < 5 * np.sqrt((kurtosis + 1) / 4000) + 0.02).all() and abs(ratio.mean()) < 0.05


@pytest.mark.parametrize("trains", ["stochastic", "expected"])
def test_certain_coincidences_have_no_spread(trains):
    """All lines at full height and a whole number of pulses: over tile borders the change is exact."""
    shape = (2, 2 * played.TRAIN_COLUMNS + 9) if not numba.config.DISABLE_JIT else (2, expected.COLUMNS + 5)
    rng = np.random.default_rng(0)
    post, pre = (rng.choice([-1.0, 1.0], (3, size)).astype(np.float32) for size in shape)
    weights = np.zeros(shape, np.float32)
    update = Update(scheme="pulsed", trains=trains)
    count = make(Pulse(dw_min=2**-10), shape).update(weights, [(1.0, post, pre)], 4 * 2**-10, update, 0)
    assert count == 3 * 4 * weights.size
    np.testing.assert_allclose(weights, 4 * 2**-10 * post.T @ pre, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["soft_bounds", "exponential", "power"])
def test_expected_step_of_certain_pulses_is_their_sequence(name):
    """Ten certain pulses one way: the flow with its correction follows the single steps."""
    pulse, weights = RESPONSES[name], np.array([[-0.3, 0.0, 0.25]], np.float32)
    exact = weights.astype(np.float64)
    for _ in range(10):
        exact = np.array([[naive.play(pulse, w, True) for w in exact[0]]])
    before = weights.copy()
    one = np.ones((1, 1), np.float32), np.ones((1, 3), np.float32)
    make(pulse, (1, 3)).update(weights, [(1.0, *one)], 10 * pulse.dw_min, EXPECTED, 0)
    np.testing.assert_allclose(weights - before, exact - before, rtol=4e-3)


def test_chunks_of_trains_keep_their_mean(monkeypatch):
    """More rows than are held at a time: all of them act."""
    monkeypatch.setattr(pulses, "TRAIN_WORDS", 30)
    shape, one = (3, 4), np.ones((9, 1), np.float32)
    weights = np.zeros(shape, np.float32)
    terms = [(1.0, one.repeat(3, 1), one.repeat(4, 1))]
    assert make(Pulse(dw_min=0.01), shape).update(weights, terms, 0.02, STOCHASTIC, 0) == 9 * 2 * 12
    np.testing.assert_allclose(weights, 0.18, rtol=1e-5)


@pytest.mark.parametrize("name", ["constant", "soft_bounds"])
@pytest.mark.parametrize("trains", ["stochastic", "expected"])
def test_alternating_pulses_drift_to_where_steps_balance(name, trains):
    """up_down > 0 makes steps down smaller: constant steps drift up to the bound, soft bounds to their balance."""
    pulse = Pulse(response=name, dw_min=0.02, up_down=0.3, noise=0.01)
    goal = {"constant": 1.0, "soft_bounds": (1 - 0.7) / (1 + 0.7)}[name]  # s+ (1 - w) = s- (1 + w)
    weights, one = np.full((2, 3), -0.5, np.float32), np.ones((1, 1), np.float32)
    terms = [(sign, one.repeat(2, 1), one.repeat(3, 1)) for sign in (1.0, -1.0)]
    devices = make(pulse, (2, 3))
    for number in range(200):
        devices.update(weights, terms, 0.04, Update(scheme="pulsed", trains=trains), number)
    assert np.abs(weights - goal).max() < 0.06


@pytest.mark.parametrize("trains", ["stochastic", "expected"])
def test_threads_and_order_of_blocks_do_not_matter(monkeypatch, trains):
    for module, name, most in (
        (expected, "ROWS", 3), (expected, "COLUMNS", 5), (expected, "TILES", 2), (expected, "PLAYED", 2),
        (played, "TRAIN_ROWS", 2), (played, "TRAIN_COLUMNS", 4),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, most)
    shape = (8, 11)
    pulse = RESPONSES["linear"].model_copy(update={"noise": 0.5, "dw_min_spread": 0.3, "w_max_spread": 0.2})

    def backwards(task, parts):
        return [task(*part) for part in parts[::-1]][::-1]

    with ThreadPoolExecutor(2) as pool:
        found = []
        for run in (pulses.serial, backwards, lambda task, parts: list(pool.map(lambda part: task(*part), parts))):
            weights, devices = start(shape), make(pulse, shape, run=run)
            counts = [devices.update(weights, batch(shape, seed=n), 0.03, Update(scheme="pulsed", trains=trains), n)
                      for n in range(2)]  # fmt: skip
            counts.append(devices.apply(weights, np.full(shape, 3), np.eye(8, 11, dtype=np.int64), 2))
            found.append((weights, counts))
    for weights, counts in found[1:]:
        np.testing.assert_array_equal(weights, found[0][0])
        assert counts == found[0][1]


FIELDS = [
    ("constant", {"dw_min": 0.01}), ("constant", {"dw_min_spread": 0.3}), ("constant", {"noise": 0.3}),
    ("constant", {"up_down": 0.4}), ("constant", {"up_down_spread": 0.2}), ("constant", {"w_max": 0.2}),
    ("constant", {"w_min": -0.2}), ("constant", {"w_max_spread": 0.9, "w_max": 0.3}),
    ("constant", {"w_min_spread": 0.9, "w_min": -0.3}), ("linear", {"gamma_up": 0.9}), ("linear", {"gamma_down": 0.1}),
    ("linear", {"gamma_up_spread": 0.3}), ("linear", {"gamma_down_spread": 0.3}),
    ("exponential", {"gamma_up": 2.0}), ("exponential", {"gamma_down": 2.0}),
    ("exponential", {"a_up": 0.5}), ("exponential", {"a_down": 0.5}), ("exponential", {"slope": 0.3}),
    ("exponential", {"offset": 0.3}), ("power", {"gamma_up": 0.5}), ("power", {"gamma_down": 2.0}),
    ("constant", {"response": "soft_bounds"}), ("spread", {"dw_min_law": "log_normal"}),
    ("spread", {"step_correlation": 0.3}), ("noisy", {"noise_law": "log_normal"}), ("constant", {"noise_base": 0.3}),
    ("constant", {"noise_state": 0.1}), ("spread", {"bound_correlation": 1.0}), ("constant", {"corrupt": 0.5}),
    ("corrupt", {"corrupt_range": 0.1}), ("constant", {"unresponsive": 0.5}), ("table", {"table_states": None}),
    ("table", {"table_up": (1.0, 1.0, 0.7, 0.2)}), ("table", {"table_down": (0.1, 0.9, 0.9, 1.0)}),
    ("noisy table", {"table_noise": (2.0, 2.0, 1.0, 0.0)}),
]  # fmt: skip
BESIDE = {
    "spread": Pulse(dw_min=0.02, dw_min_spread=0.3, w_max=0.3, w_min=-0.3, w_max_spread=0.3, w_min_spread=0.3),
    "noisy": Pulse(dw_min=0.02, noise=0.7),
    "corrupt": Pulse(dw_min=0.02, corrupt=0.5),
    "noisy table": RESPONSES["table"].model_copy(update={"noise": 0.5}),
}


@pytest.mark.parametrize("update", [STOCHASTIC, EXPECTED], ids=["stochastic", "expected"])
@pytest.mark.parametrize(("name", "change"), FIELDS, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_every_field_of_a_pulse_acts(name, change, update):
    found = []
    given = (RESPONSES | BESIDE)[name]
    for pulse in (given, given.model_copy(update=change)):
        weights, devices = start(), make(pulse)
        devices.cut(weights)
        devices.update(weights, batch(rows=9), 0.1, update, 0)
        found.append(weights)
    assert np.abs(found[0] - found[1]).max() > 1e-5


@pytest.mark.parametrize(
    "change", [{"trains": "stochastic"}, {"train_length": 2}, {"management": False}, {"overlong": "both"}], ids=str
)
@pytest.mark.parametrize("trains", ["stochastic", "expected"])
def test_every_field_of_an_update_acts(change, trains):
    update, found = Update(scheme="pulsed", trains=trains, train_length=1), []
    if change == {"trains": trains}:
        change = {"trains": "expected"}
    for how in (update, update.model_copy(update=change)):
        weights = start()
        make(RESPONSES["linear"]).update(weights, batch(), 0.1, how, 0)
        found.append(weights)
    assert np.abs(found[0] - found[1]).max() > 1e-5


def test_all_fields_are_in_the_tests_above():
    """But for write noise, which is of cells: tests/hw_models/arrays/test_cells.py."""
    assert {field for _, change in FIELDS for field in change} == set(Pulse.model_fields) - {"write_noise"}


def test_devices_are_drawn_once_by_seed_and_name():
    spreads = {"dw_min_spread": 0.3, "w_max_spread": 0.1, "gamma_up_spread": 0.1, "up_down_spread": 0.1}
    pulse = Pulse(response="linear", gamma_up=0.5, **spreads)
    shape = (60, 70)
    one = make(pulse, shape).devices
    for field, again in zip(one, make(pulse, shape).devices, strict=True):
        np.testing.assert_array_equal(field, again)
    others = (make(pulse, shape, seed=1), PulsedDevices(pulse, shape, 0, "b"))
    assert all(not np.array_equal(one.up, other.devices.up) for other in others)
    assert one.low.shape == one.slope_down.shape == (1, 70)
    k = 4.5 / np.sqrt(4200)
    assert abs(one.high.mean() - 1) < k * 0.1 and abs(one.high.std() / 0.1 - 1) < k / np.sqrt(2)
    gamma = one.slope_up  # about the mean bound, which is 1
    assert abs(gamma.mean() - 0.5) < k * 0.1 and abs(gamma.std() / 0.1 - 1) < k / np.sqrt(2)
    assert abs(np.corrcoef(one.high.ravel(), gamma.ravel())[0, 1]) < k
    assert one.up.min() >= 0 and (np.minimum(one.up, one.down) < np.maximum(one.up, one.down)).all()


def test_spread_keeps_devices_possible():
    pulse = Pulse(response="soft_bounds", dw_min_spread=3.0, w_max_spread=3.0, w_min_spread=3.0, up_down_spread=3.0)
    devices = make(pulse, (40, 40)).devices
    assert devices.up.min() == 0 and devices.down.min() == 0
    assert devices.high.min() == np.float32(0.01) and devices.low.max() == np.float32(-0.01)


@pytest.mark.parametrize("update", [STOCHASTIC, EXPECTED], ids=["stochastic", "expected"])
@pytest.mark.parametrize("fault", [np.nan, np.inf])
@pytest.mark.parametrize("side", [1, 2])
def test_rows_that_are_not_finite_spoil_the_weights(side, fault, update):
    terms, weights = batch(), start()
    terms[1][side][2, 1] = fault
    assert make(RESPONSES["linear"]).update(weights, terms, 0.01, update, 0) == 0
    assert np.isnan(weights).all()


@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.parametrize("update", [STOCHASTIC, EXPECTED], ids=["stochastic", "expected"])
def test_weights_that_are_not_a_number_stay_so(name, update):
    weights = start()
    weights[1, 2] = np.nan
    devices = make(RESPONSES[name])
    devices.update(weights, batch(), 0.05, update, 0)
    devices.apply(weights, np.ones((3, 4), np.int64), np.zeros((3, 4), np.int64), 1)
    devices.apply(weights, np.ones((3, 4)), np.zeros((3, 4)), 2)
    assert np.isnan(weights).sum() == 1 and np.isnan(weights[1, 2])
    counts = np.ones((3, 4))
    counts[0, 0] = np.nan
    devices.apply(weights, counts, np.zeros((3, 4)), 3)
    assert np.isnan(weights[0, 0]) and np.isnan(weights).sum() == 2


@pytest.mark.parametrize("update", [STOCHASTIC, EXPECTED], ids=["stochastic", "expected"])
def test_without_pulses_nothing_moves(update):
    """Not even a weight outside the bounds."""
    devices, weights = make(RESPONSES["linear"]), np.full((3, 4), 3.0, np.float32)
    assert devices.update(weights, [], 0.1, update, 0) == 0
    assert devices.update(weights, batch(), 0.0, update, 0) == 0
    silent = [(1.0, np.zeros((2, 3), np.float32), np.ones((2, 4), np.float32))]
    assert devices.update(weights, silent, 0.1, update, 0) == 0
    for dtype in (np.int64, np.float64):
        assert devices.apply(weights, np.zeros((3, 4), dtype), np.full((3, 4), -2, dtype), 0) == 0
    assert (weights == 3).all()
    devices.update(weights, batch(), 0.1, update, 0)
    assert weights.max() <= np.float32(0.8)


@compiled
@pytest.mark.parametrize("name", RESPONSES)
def test_fractional_and_whole_pulses_agree(name):
    """Seven pulses up on 4000 devices, cycle-to-cycle noise: mean and spread."""
    pulse, shape, ends = RESPONSES[name].model_copy(update={"noise": 0.6}), (40, 100), []
    for dtype in (np.int64, np.float64):
        weights = np.full(shape, 0.05, np.float32)
        assert make(pulse, shape).apply(weights, np.full(shape, 7, dtype), np.zeros(shape, dtype), 0) == 28000
        ends.append(weights.astype(np.float64))
    assert abs(ends[0].mean() - ends[1].mean()) < 5 * ends[0].std() * np.sqrt(2 / 4000) + 1e-3 * 7 * pulse.dw_min
    assert abs(ends[1].std() / ends[0].std() - 1) < 5 * np.sqrt(1 / 4000) + 0.01


def test_a_term_may_carry_its_factor_in_its_sign():
    found = []
    for sign, rate in ((-2.0, 0.01), (-1.0, 0.02), (1.0, -0.02)):
        (_, post, pre), weights = batch(terms=1)[0], start()
        make(RESPONSES["linear"]).update(weights, [(sign, post, pre)], rate, STOCHASTIC, 0)
        found.append(weights)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_what_does_not_fit_is_refused():
    devices, terms = make(RESPONSES["linear"]), batch()
    for weights in (np.zeros((4, 3), np.float32), np.zeros((3, 4)), np.zeros((4, 3), np.float32).T):
        with pytest.raises(ValueError, match="is allowed"):
            devices.update(weights, terms, 0.1, EXPECTED, 0)
    with pytest.raises(ValueError, match="numbers of pulses"):
        devices.apply(np.zeros((3, 4), np.float32), np.zeros((3, 4), int), np.zeros((2, 4), int), 0)
    for wrong in ([(1.0, terms[0][2], terms[0][1])], [terms[0], (1.0, terms[0][1][:2], terms[0][2][:2])]):
        with pytest.raises(ValueError, match="do not fit"):
            devices.update(np.zeros((3, 4), np.float32), wrong, 0.1, EXPECTED, 0)


def test_exponential_and_logarithm():
    """Relative 3e-7 over all of single precision's use, and no limit crossed."""
    for x in [*np.linspace(-80, 80, 403, dtype=np.float32), *np.linspace(-0.5, 0.5, 51, dtype=np.float32)]:
        exact = np.exp(np.float64(x)), np.expm1(np.float64(x)) / x if x else 1.0
        np.testing.assert_allclose(scalar.exp(x), exact[0], rtol=3e-7)
        np.testing.assert_allclose(scalar.exp_less_one(x), np.expm1(np.float64(x)), rtol=3e-7)
        if abs(x) <= 0.5:
            np.testing.assert_allclose(scalar.near(x), exact[1], rtol=4e-6)
    for x in np.geomspace(1e-20, 1e6, 203).astype(np.float32):
        np.testing.assert_allclose(scalar.log(x), np.log(np.float64(x)), rtol=3e-7, atol=1e-7)
    for x in (*np.geomspace(1e-30, 0.3, 50), *-np.geomspace(1e-30, 0.3, 50)):
        exact = np.expm1(np.float64(np.float32(x)))
        np.testing.assert_allclose(scalar.exp_less_one(np.float32(x)), exact, rtol=2e-7)
    assert scalar.exp_less_one(np.float32(0)) == 0 and np.isnan(scalar.exp_less_one(np.float32(np.nan)))
    assert scalar.exp(np.float32(-1e9)) < 1e-30 and np.isfinite(scalar.exp(np.float32(1e9)))
    assert np.isnan(scalar.exp(np.float32(np.nan)))
    for base, exponent, value in ((0, 0, 1), (0, 2, 0), (-1, 2, 0), (1, 3, 1), (0.25, 0.5, 0.5)):
        assert abs(scalar.power(np.float32(base), np.float32(exponent)) - value) < 1e-6


def test_far_exponents_follow_the_same_flow():
    """So many pulses that half a batch forgets much: still the exact end, b+ (1 - e^-n s/b+) from 0."""
    pulse, weights = Pulse(response="soft_bounds", dw_min=1e-4), np.zeros((1, 3))
    make(pulse, (1, 3), dtype="float64").apply(weights, np.array([[2e3, 1e4, 1e5]]), np.zeros((1, 3)), 0)
    np.testing.assert_allclose(weights[0], -np.expm1([-0.2, -1, -10]), rtol=1e-4)
