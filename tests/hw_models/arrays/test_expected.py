"""Expected steps against trains that are played slot by slot and pulse by pulse: mean, variance, correlation, bounds.

The twin, tests/naive/pulses.py, is written from the equations; it shares no line and no draw with the kernels.
"""

from __future__ import annotations

import numba
import numpy as np
import pytest

from hw_models import presets
from hw_models.arrays import expected
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Pulse, Update
from tests.naive import pulses as naive

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="statistics of many updates")
EXPECTED = Update(scheme="pulsed")
RERAM = presets.load("gong_2018_reram").device.pulse.model_copy(
    update={"dw_min_spread": 0.0, "up_down_spread": 0.0, "w_max_spread": 0.0, "w_min_spread": 0.0, "noise": 0.5}
)
DEVICES = {
    "constant": Pulse(dw_min=1e-3, noise=0.3),
    "soft_bounds": Pulse(response="soft_bounds", dw_min=1e-3, noise=0.3),
    "linear": Pulse(response="linear", dw_min=2e-3, gamma_up=0.4, gamma_down=0.7, noise=0.3, up_down=0.2),
    "exponential": RERAM,
    "power": Pulse(response="power", dw_min=2e-3, gamma_up=1.5, gamma_down=0.7, noise=0.3),
    "table": Pulse(
        response="table", dw_min=2e-3, table_states=(0.0, 0.3, 0.7, 1.0), table_up=(1.4, 1.2, 0.6, 0.2),
        table_down=(0.2, 0.5, 0.9, 1.1), noise=0.3, table_noise=(2.0, 1.0, 1.0, 3.0),
    ),
    "additive": Pulse(response="soft_bounds", dw_min=1e-3, noise_base=0.4),
    "by state": Pulse(response="exponential", a_up=0.1, gamma_up=2.0, dw_min=1e-3, noise=0.2, noise_state=0.002),
    "log-normal": Pulse(response="soft_bounds", dw_min=1e-3, noise=0.7, noise_law="log_normal"),
}  # fmt: skip


def rows(samples, outputs=3, inputs=5, seed=0, low=0.0, phases=True):
    """Signals of a batch; with ``phases`` the same twice, once up and once down."""
    rng = np.random.default_rng(seed)
    post, pre = (rng.uniform(low, 1, (samples, size)).astype("f4") for size in (outputs, inputs))
    return [(1.0, post, pre)] + ([(-1.0, post, pre)] if phases else [])


def both(pulse, terms, rate, start, repeats, update=EXPECTED):
    """Ends of many updates by steps and by the twin, each (repeats, out, in), and the devices."""
    shape = (terms[0][1].shape[1], terms[0][2].shape[1])
    devices, ends = PulsedDevices(pulse, shape, 0, "a"), np.full((repeats, *shape), start, "f4")
    for number, weights in enumerate(ends):
        devices.update(weights, terms, rate, update, number)
    before = np.full(shape, start)
    twin = naive.batches(pulse, before, terms, rate, update, repeats, np.random.default_rng(1))
    return ends.astype(np.float64), twin, devices


@pytest.mark.parametrize("samples", [1, 8])
def test_noise_of_outputs_at_fan_in_300(samples):
    """An update's noise at the outputs of 300 inputs within 5 % of the trains': the devices of a line share its train.

    With independent devices it was 8.7 times too small.
    """
    terms = rows(samples, 8, 300, low=0.1, phases=samples > 1)
    x = np.random.default_rng(3).uniform(0, 1, 300)
    found = both(Pulse(dw_min=1e-4), terms, 31 * 1e-4 * 0.8, 0.0, 500)
    fast, exact = ((ends @ x).std(0) for ends in found[:2])
    assert abs(fast.mean() / exact.mean() - 1) < 0.05
    fast, exact = (np.corrcoef(ends[:, 3, :40].T)[np.triu_indices(40, 1)].mean() for ends in found[:2])
    assert exact > 0.2 and abs(fast - exact) < 0.05
    fast, exact = (np.corrcoef(ends[:, :, 7].T)[np.triu_indices(8, 1)].mean() for ends in found[:2])
    assert exact > 0.04 and abs(fast - exact) < 0.05


@pytest.mark.parametrize("samples", [1, 16, 64])
@pytest.mark.parametrize("start", [1.0, -1.0])
@pytest.mark.parametrize("name", DEVICES)
def test_mean_shift_at_bounds(name, start, samples):
    """Equal phases at a bound: the order of the two decides. Within 5 standard errors and 3 % of the trains' shift."""
    pulse, repeats = DEVICES[name], 120
    fast, exact, devices = both(pulse, rows(samples), 31 * pulse.dw_min, start, repeats)
    shift = exact.mean() - start
    error = np.sqrt((fast.mean((1, 2)).var() + exact.mean((1, 2)).var()) / repeats)
    assert abs(shift) > 0.7 * pulse.dw_min
    assert abs(fast.mean() - exact.mean()) < 5 * error + 0.03 * abs(shift)
    assert abs(fast.std(0).mean() / exact.std(0).mean() - 1) < 0.1
    assert devices.played > 0 or name in ("soft_bounds", "power", "log-normal")


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("signed", [True, False])
def test_mean_variance_and_correlation_away_from_bounds(name, signed):
    """300 repeats: means within 5 standard errors, spreads and what rows and columns have in common within 6 %."""
    pulse = DEVICES[name]
    terms = rows(12, 4, 6, low=-1.0 if signed else 0.0)
    fast, exact, _ = both(pulse, terms, 15 * pulse.dw_min, 0.1, 1200)
    error = np.sqrt((fast.var(0) + exact.var(0)) / 1200)
    assert (np.abs(fast.mean(0) - exact.mean(0)) < 5 * error + 0.02 * np.abs(exact.mean(0) - 0.1).max()).all()
    for weights in (np.ones(6), np.array([1.0, -1, 1, -1, 1, -1])):
        assert abs((fast @ weights).std(0).mean() / (exact @ weights).std(0).mean() - 1) < 0.06
    for weights in (np.ones(4), np.array([1.0, -1, 1, -1])):
        sums = [np.einsum("roi,o->ri", ends, weights).std(0).mean() for ends in (fast, exact)]
        assert abs(sums[0] / sums[1] - 1) < 0.06
    assert abs(fast.std(0).mean() / exact.std(0).mean() - 1) < 0.04


@pytest.mark.parametrize("noise", [0.3, 2.0])
@pytest.mark.parametrize("exponent", [1.0, 2.5, 6.0])
def test_spread_of_devices_that_forget(exponent, noise):
    """Mixed pulses of soft bounds, X = pulses x slope: within 3 % of pulse by pulse (was 9, 37 and 83 % too small)."""
    pulse, many = Pulse(response="soft_bounds", dw_min=0.01, noise=noise), 40_000
    pulses, rng = round(exponent / 0.02), np.random.default_rng(0)
    weights, exact = np.zeros((1, many), np.float32), np.zeros(many)
    PulsedDevices(pulse, (1, many), 0, "a").apply(weights, *np.full((2, 1, many), float(pulses)), 1)
    for number in range(2 * pulses):
        f_up, f_down = naive.factors(pulse, exact)
        step = np.where(number % 2, -f_down, f_up) * pulse.dw_min
        exact = np.clip(exact + step * (1 + noise * rng.standard_normal(many)), -1, 1)
    assert abs(weights.std() / exact.std() - 1) < 0.03


def test_spread_of_a_batch_that_forgets():
    """64 samples of equal phases, X about 5: an early pulse is forgotten, a late one is not."""
    pulse = Pulse(response="soft_bounds", dw_min=0.01, noise=0.3)
    fast, exact, devices = both(pulse, rows(64), 0.01 * 31 * 0.5, 0.0, 300)
    assert abs(fast.std(0).mean() / exact.std(0).mean() - 1) < 0.03
    assert abs(fast.mean() - exact.mean()) < 5 * exact.mean((1, 2)).std() * np.sqrt(2 / 300)
    assert devices.played == 0


def test_a_single_coarse_train_is_played():
    """Twenty states over the range: one train moves a device by more than a step can describe."""
    pulse = Pulse(response="soft_bounds", dw_min=0.1, noise=0.3)
    fast, exact, devices = both(pulse, rows(3, phases=False), 31 * 0.1, 0.0, 300)
    error = np.sqrt((fast.var(0) + exact.var(0)) / 300)
    assert (np.abs(fast.mean(0) - exact.mean(0)) < 5 * error + 1e-3).all()
    assert abs(fast.std(0).mean() / exact.std(0).mean() - 1) < 0.06
    assert devices.played > 0.3 * devices.stepped


def test_order_of_the_phases_counts():
    """Down after up leaves soft devices below the middle by half a swing, up after down above it."""
    pulse, found = Pulse(response="soft_bounds", dw_min=2e-3), []
    for sign in (1.0, -1.0):
        terms = [(sign * s, post, pre) for s, post, pre in rows(24)]
        fast, exact, _ = both(pulse, terms, 31 * pulse.dw_min, 0.0, 400)
        error = np.sqrt((fast.mean((1, 2)).var() + exact.mean((1, 2)).var()) / 400)
        assert abs(fast.mean() - exact.mean()) < 5 * error + 0.05 * abs(exact.mean())
        found.append(fast.mean())
    assert found[0] < -2 * pulse.dw_min and found[1] > 2 * pulse.dw_min


@pytest.mark.parametrize("signed", [False, True])
def test_steps_count_the_coincidences_that_are_played(monkeypatch, signed):
    """Constant devices next to without noise: those near a bound and the others get the very same pulses."""
    pulse, shape = Pulse(dw_min=1e-3, noise=1e-7), (4, 200)
    terms = rows(3, *shape, low=-1.0 if signed else 0.0)
    terms[1] = (terms[1][0], *rows(3, *shape, seed=1)[0][1:])
    ends = []
    for sigmas in (4.0, 1e12):  # so many that every device counts as near a bound
        monkeypatch.setattr(expected, "SIGMAS", sigmas)
        weights = np.zeros(shape, "f4")
        devices = PulsedDevices(pulse, shape, 0, "a")
        pulses = devices.update(weights, terms, 31e-3, EXPECTED, 5)
        ends.append((weights, pulses))
        assert (devices.played > 0.9 * weights.size) == (sigmas > 4)
    assert ends[0][1] == ends[1][1] and np.abs(ends[0][0]).max() > 0.01
    np.testing.assert_allclose(ends[0][0], ends[1][0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["soft_bounds", "constant", "exponential"])
def test_parts_of_samples_and_of_threads(name, monkeypatch):
    """Same bits whoever computes which tile, also where trains are played and parts are cut."""
    monkeypatch.setattr(expected, "ROWS", 5)
    monkeypatch.setattr(expected, "COLUMNS", 8)
    pulse, shape = DEVICES[name].model_copy(update={"dw_min": 8e-3}), (12, 20)
    terms, found = rows(9, *shape), []
    for backwards in (False, True):

        def run(task, parts, backwards=backwards):
            if not backwards:
                return [task(*part) for part in parts]
            return [task(*part) for part in parts[::-1]][::-1]

        weights = np.random.default_rng(0).uniform(-1, 1, shape).astype("f4")
        devices = PulsedDevices(pulse, shape, 0, "a", run=run)
        found.append((devices.update(weights, terms, 31 * 8e-3, EXPECTED, 0), weights, devices.played))
    assert found[0][0] == found[1][0] and found[0][2] == found[1][2]
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_pulses_are_counted():
    """Steps and trains give the same number on average, near bounds as well."""
    for start in (0.0, 1.0):
        given = []
        for trains in ("expected", "stochastic"):
            devices = PulsedDevices(DEVICES["constant"], (6, 9), 0, "a")
            update = Update(scheme="pulsed", trains=trains)
            counts = [devices.update(np.full((6, 9), start, "f4"), rows(4, 6, 9), 0.02, update, n) for n in range(300)]
            given.append((np.mean(counts), np.std(counts)))
        assert abs(given[0][0] - given[1][0]) < 5 * given[1][1] * np.sqrt(2 / 300)
        assert abs(given[0][1] / given[1][1] - 1) < 0.25


def test_own_conductance_range_bounds_pulses():
    shape = (3, 4)
    low, high = np.full(shape, -0.2), np.linspace(0.1, 2.0, 12).reshape(shape)
    devices = PulsedDevices(Pulse(dw_min=0.01), shape, 0, "a", limits=(low, high))
    weights = np.zeros(shape, "f4")
    devices.apply(weights, np.full(shape, 500), np.zeros(shape, int), 0)
    np.testing.assert_allclose(weights, np.minimum(high, 1.0), rtol=1e-6)
    devices.apply(weights, np.zeros(shape, int), np.full(shape, 500), 1)
    np.testing.assert_allclose(weights, low, rtol=1e-6)


@pytest.mark.parametrize("name", ["li_2018_capacitor", "tang_2018_ecram", "kim_2019_ecram"])
def test_slopes_of_presets_are_spread_as_in_their_source(name):
    """|gamma + spread z| over the mean bound, whatever a device's own bound is (aihwkit's LinearStepDevice)."""
    pulse = presets.load(name).device.pulse
    own = PulsedDevices(pulse, (200, 500), 0, "a").devices
    z = np.random.default_rng(0).standard_normal(100_000)
    ways = (
        (own.slope_up, own.high, pulse.gamma_up, pulse.gamma_up_spread, pulse.w_max),
        (own.slope_down, own.low, pulse.gamma_down, pulse.gamma_down_spread, pulse.w_min),
    )
    for slope, bound, gamma, spread, mean in ways:
        wanted = np.abs(gamma + spread * z) / mean
        assert spread == (0.01 if name.startswith("li") else 0.05)
        assert abs(slope.mean() / wanted.mean() - 1) < 0.01
        assert abs(slope.std() / wanted.std() - 1) < 0.02
        assert abs(np.corrcoef(slope.ravel(), 1 / np.broadcast_to(bound, slope.shape).ravel())[0, 1]) < 0.015


@pytest.mark.parametrize("noise", [2.0, 5.0])
@pytest.mark.parametrize("name", ["constant", "soft_bounds"])
def test_noise_carries_devices_over_the_bound_behind_them(name, noise):
    """At the lower bound, pulses up alone: a step that noise turns round ends at the bound (were 4 to 16 % too low)."""
    pulse = Pulse(response=name, dw_min=1e-3, noise=noise)
    certain = [(1.0, np.ones((1, 3), "f4"), np.ones((1, 400), "f4"))]
    fast, exact, _ = both(pulse, certain, 31e-3, -1.0, 60)
    error = np.sqrt((fast.var() + exact.var()) / fast.size)
    assert abs(fast.mean() - exact.mean()) < 5 * error
    assert abs(fast.std() / exact.std() - 1) < 0.02


@pytest.mark.parametrize("name", ["constant", "soft_bounds"])
def test_few_pulses_at_the_bound_behind_are_whole_ones(name):
    """Weak lines beside a strong one, upwards from the lower bound: no Gaussian is cut there (was twice the change)."""
    pulse = Pulse(response=name, dw_min=1e-3)
    post, pre = (np.full((1, size), 0.05, "f4") for size in (4, 30))
    post[0, 0] = pre[0, 0] = 1.0
    fast, exact, _ = both(pulse, [(1.0, post, pre)], 31e-3, -1.0, 400)
    fast, exact = fast[:, 1:, 1:] + 1, exact[:, 1:, 1:] + 1
    error = np.sqrt((fast.mean((1, 2)).var() + exact.mean((1, 2)).var()) / 400)
    assert exact.mean() > 10 * error
    assert abs(fast.mean() - exact.mean()) < 4 * error


@pytest.mark.parametrize("name", ["soft_bounds", "power", "linear"])
def test_a_batch_sorted_by_sign_keeps_its_order(name):
    """Eight samples up, then eight down, every pulse certain: soft bounds forget the first half more (was no shift)."""
    pulse = DEVICES[name].model_copy(update={"noise": 0.0, "dw_min": 1e-3, "up_down": 0.0})
    pre = np.repeat(np.float32([[1.0], [-1.0]]), 8, axis=0)
    terms = [(1.0, np.ones((16, 2), "f4"), pre.repeat(3, 1))]
    fast, exact, _ = both(pulse, terms, 30e-3, 0.0, 1)
    assert exact.mean() < -20e-3
    assert abs(fast.mean() / exact.mean() - 1) < 0.12


def test_sparse_pulses_are_counted_in_full():
    """Less than half a pulse an update: on average all of them (were rounded away)."""
    counts = {}
    for trains in ("expected", "stochastic"):
        devices = PulsedDevices(Pulse(dw_min=1e-3), (4, 6), 0, "a")
        update = Update(scheme="pulsed", trains=trains, management=False)
        terms, weights = rows(1, 4, 6, phases=False), np.zeros((4, 6), "f4")
        counts[trains] = [devices.update(weights, terms, 5e-5, update, number) for number in range(2000)]
    error = np.hypot(*(np.std(found) for found in counts.values())) / np.sqrt(2000)
    assert 0.1 < np.mean(counts["stochastic"]) < 1
    assert abs(np.mean(counts["expected"]) - np.mean(counts["stochastic"])) < 5 * error


def test_weights_outside_the_bounds_are_cut_before_they_move():
    pulse = Pulse(response="soft_bounds", dw_min=0.01, w_max=0.5)
    certain = [(-1.0, np.ones((1, 1), "f4"), np.ones((1, 3), "f4"))]
    fast, exact, _ = both(pulse, certain, 0.3, 0.9, 1)
    assert np.abs(fast - exact).max() < 0.05 * np.abs(exact - 0.5).max()


def test_spread_of_coarse_devices():
    """Five states over the range: the spread of the weights adds to that of the steps (was 4 % too small)."""
    pulse = Pulse(response="soft_bounds", dw_min=0.4, noise=0.2)
    fast, exact, _ = both(pulse, rows(4, 4, 6), 0.5 * 0.4, 0.0, 3000)
    assert abs(fast.std(0).mean() / exact.std(0).mean() - 1) < 0.02
