"""Noise with a time together with digits, a supply, curves, repeats: covariances of devices, and states resumed."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from hw_models.arrays.columns import read_columns
from hw_models.arrays.crossbar import Crossbar
from hw_models.clock import Clock
from tests.hw_models.arrays.test_slow_noise import PCM, READS, UPDATE, crossbar

FLAT = {"read_noise": 0.5, "read_noise_band": [1e-7, 10.0]}
DIGITS = {
    "bits": {"bits": 6, "range": 1.0, "digit_bits": 1},
    "pairs": {"bits": 7, "range": 1.0, "digit_bits": 2},
    "complement": {"bits": 5, "range": 1.0, "digit_bits": 2, "digit_sign": "twos_complement"},
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "pair": {},
    "digital": {"mapping": "offset"},
    "analog": {"mapping": "offset", "reference": "analog"},
    "slices": {"slices": 2, "slice_bits": 3},
}


def half_difference(bar: Crossbar, clock: Clock, signals: np.ndarray, way: str, count: int = 3) -> np.ndarray:
    """Return half the variance of the difference of neighbouring reads of a sample: 1 us apart, and 10 us."""
    short, long = [], []
    for batch in range(count):
        clock.opened(len(signals))
        bar.begin("batch", batch)
        bar.catch_up()
        reads = []
        for seconds in READS[8:13]:
            clock.advance(seconds)
            reads.append(getattr(bar, way)(signals))
        short.append(np.square(reads[1] - reads[0]).mean() / 2)
        long += [np.square(b - a).mean() / 2 for a, b in pairwise(reads[1:])]
        clock.close()
        clock.wrote(UPDATE)
    return np.array([np.mean(short), np.mean(long)])


def signals_of(way: str, samples: int = 120) -> np.ndarray:
    values = np.random.default_rng(5).uniform(-1, 1, 12 if way == "forward" else 16)
    return np.tile(values, (samples, 1))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("device", [PCM, FLAT], ids=["pcm", "flat"])
@pytest.mark.parametrize("digits", DIGITS)
@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_digits_of_a_code_share_the_noise_of_their_devices(
    way: str, digits: str, device: Any, layout: str
) -> None:
    """Two reads of a sample differ by as much as where the code is sent whole, the white part of each digit apart.

    Against reads drawn device by device, 15 % of a variance (16 lines of 360 samples, and the classes' own 3 %).
    """
    found = []
    for exact in (False, True):
        where = {"exact_noise": exact, **LAYOUTS[layout]}
        bar, clock = crossbar(16, 12, device=device, dac=DIGITS[digits], crossbar=where)
        found.append(half_difference(bar, clock, signals_of(way), way))
    np.testing.assert_allclose(found[0], found[1], rtol=0.15)


@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_a_curve_and_a_supply_scale_what_lasts_too(way: str) -> None:
    """Cubic devices, read digit by digit, at a supply that is 20 % higher: the variance is 1.44 times."""
    found = []
    for shift in (0.0, 0.2):
        more = {"device": PCM | {"iv": "cubic", "iv_cubic": 0.5} | ({"nudge_shift": shift} if shift else {})}
        bar, clock = crossbar(16, 12, dac=DIGITS["pairs"], **more)
        with bar.tally.now.turn(1, 0.3):
            found.append(half_difference(bar, clock, signals_of(way), way))
    np.testing.assert_allclose(found[1], 1.44 * found[0], rtol=1e-3)


@pytest.mark.parametrize("digits", [None, "pairs"])
def test_repeats_do_not_lower_what_lasts(digits: str | None) -> None:
    """Reads without time between them: 16 of them leave the noise of the devices, and a sixteenth of the white one."""
    variances = {}
    for repeats in (1, 16):
        how: dict[str, Any] = {"dac": DIGITS[digits]} if digits else {}
        device = FLAT | {"read_noise_band": [1e-3, 1e-1]}  # none of it is fast
        bar, clock = crossbar(16, 12, device=device, crossbar={"repeats": repeats}, **how)
        x, exact = signals_of("forward"), []
        for batch in range(6):
            clock.opened(len(x))
            bar.begin("batch", batch)
            bar.catch_up()
            clock.advance(1e-6)
            exact.append(bar.forward(x))
            clock.close()
            clock.wrote(UPDATE)
        variances[repeats] = np.var(exact)
    assert variances[16] > 0.8 * variances[1]


def mean_of_chain(tau: float, number: int, spacing: float, rng: np.random.Generator, chains: int = 4000) -> float:
    """Return the variance of the mean of so many reads of a relaxation process of variance 1, followed step by step."""
    z = rng.standard_normal(chains)
    total, a = np.zeros(chains), math.exp(-spacing / tau)
    for _ in range(number):
        total += z
        z = a * z + math.sqrt(1 - a * a) * rng.standard_normal(chains)
    return float(np.var(total / number))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("kind", ["tokens", "columns", "as many columns"])
@pytest.mark.parametrize(("tau", "left"), [(1e-9, 1 / 16), (3e-4, 1.0)])
def test_repeats_of_rows_that_are_no_samples_keep_what_lasts(tau: float, left: float, kind: str, exact: bool) -> None:
    """Sixteen reads, 1 us apart, of tokens and of columns: what lasts longer than they take hardly falls.

    Against a chain of reads of one process (5 % of a variance beside its own steps).
    """
    rows = {"tokens": 90, "columns": 12, "as many columns": 12}[kind]
    assert mean_of_chain(tau, 16, 1e-6, np.random.default_rng(0)) == pytest.approx(left, rel=0.1)
    variances = {}
    for repeats in (1, 16):
        device = {"read_noise": 0.5, "read_noise_band": [tau, 1.5 * tau]}
        bar, clock = crossbar(48, 12, device=device, crossbar={"repeats": repeats, "exact_noise": exact})
        found = []
        for batch in range(24):
            clock.opened(12 if kind == "as many columns" else 70)
            bar.begin("batch", batch)
            bar.catch_up()
            clock.interval = repeats * 1e-6
            clock.advance(1e-5)
            if kind == "tokens":
                found.append(bar.forward(np.ones((rows, 12), bar.dtype)))
            else:
                found.append(read_columns(bar, np.arange(12)))
            clock.close()
        variances[repeats] = np.var(np.array(found), axis=0).mean()
    assert variances[16] / variances[1] == pytest.approx(left, rel=0.15)


@pytest.mark.parametrize("exact", [False, True])
def test_traps_that_switch_within_a_read_are_averaged_by_repeats(exact: bool) -> None:
    """Of traps a thousand times faster than a read each repeat finds others; of slower ones all find the same."""
    for tau, left in ((1e-9, 1 / 16), (1e-5, 1.0)):
        variances = {}
        for repeats in (1, 16):
            device = {"g_min": 1.0, "rtn_share": 1.0, "rtn_amplitude": 0.3, "rtn_capture": tau, "rtn_emission": tau}
            bar, clock = crossbar(24, 12, device=device, crossbar={"repeats": repeats, "exact_noise": exact})
            clock.opened(100)
            bar.catch_up()
            clock.advance(1e-6)
            read = bar.forward(np.ones((100, 12), bar.dtype))
            variances[repeats] = np.var(read, axis=0).mean()
        assert variances[16] / variances[1] == pytest.approx(left, rel=0.1), tau


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_digits_of_rows_that_are_no_samples_have_one_noise(way: str, exact: bool) -> None:
    """Of codes in digits the noise of the devices is that of the whole code, whatever the rows are.

    The devices' noise lasts longer than a product, so sum_d w_d (N x_d) = N x: the sum of its variances over devices.
    """
    bits = 6
    device = {"read_noise": 0.5, "read_noise_band": [1e-4, 1.5e-4]}
    variances = []
    for digit in ({}, {"digit_bits": 1}):
        dac = {"bits": bits, "range": 1.0, **digit}
        bar, clock = crossbar(16, 12, device=device, dac=dac, crossbar={"exact_noise": exact})
        found = []
        for batch in range(20):
            clock.opened(70)
            bar.begin("batch", batch)
            bar.catch_up()
            clock.advance(1e-5)
            found.append(getattr(bar, way)(signals_of(way, 90)))
            clock.close()
        variances.append(np.var(np.array(found), axis=0).mean())
    assert variances[1] / variances[0] == pytest.approx(1, rel=0.06)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_digits_go_on_with_the_same_bits(layout: str) -> None:
    """A state between two batches: later reads are those of a crossbar that was never left."""
    parts = {"device": PCM | {"nudge_shift": 0.1}, "dac": DIGITS["bits"], "crossbar": LAYOUTS[layout]}
    (bar, clock), (other, time) = crossbar(16, 12, **parts), crossbar(16, 12, **parts)
    half_difference(bar, clock, signals_of("forward", 20), "forward")
    state, moment = bar.state(), clock.state()
    time.load(moment)
    weight = np.random.default_rng(0).uniform(0.3, 1, (16, 12))
    weight[0, 0] = 1
    other.load(state, weight)
    found = []
    for one, now in ((bar, clock), (other, time)):
        reads = []
        for batch in range(2):
            now.opened(20)
            one.begin("later", batch)
            one.catch_up()
            for way in ("forward", "transposed"):
                now.advance(1e-6)
                reads.append(getattr(one, way)(signals_of(way, 20)).tobytes())
            now.close()
            now.wrote(UPDATE)
        found.append(reads)
    assert found[0] == found[1]


@pytest.mark.parametrize("law", ["drift", "relaxation"])
def test_devices_age_by_a_clock_where_a_chip_says_no_age(law: str) -> None:
    """Drift against g (1 + t/t0)^-nu after a second of updates, without an age ahead; relaxation moves reads too."""
    device: dict[str, Any] = {"drift_mean": [0.0, 0.05, 0.05, 0.05], "drift_start": 1e-3}
    if law == "relaxation":
        device = {"programming_noise": [2.0], "programming_noise_fresh": [0.5], "relaxation_times": [1e-4, 10.0]}
    bar, clock = crossbar(16, 12, device=device)
    assert bar.device.age == 0
    first = bar.weights()
    clock.opened(1)
    bar.catch_up()
    np.testing.assert_array_equal(bar.weights(), first)
    clock.advance(1e-6)
    clock.close()
    clock.wrote(1.0)
    clock.opened(1)
    bar.catch_up()
    later = bar.weights()
    if law == "drift":
        np.testing.assert_allclose(later, first * (1 + (1 + 1e-6) / 1e-3) ** -0.05, rtol=1e-5)
    else:
        assert np.abs(later - first).std() > 0.02


@pytest.mark.parametrize("digits", [None, "complement"])
@pytest.mark.parametrize("exact", [False, True])
def test_noise_of_reference_lines_turns_with_the_sum_that_drives_them(exact: bool, digits: str | None) -> None:
    """Two reads of a sample whose sums have opposite signs: half their difference, device by device, within 12 %.

    With z = -sum(x), of 16 lines and their mean R: Var(d)/2 = sigma^2 (|x|^2 + |y|^2 - 2 rho x.y + (z_x^2 + z_y^2 -
    2 rho z_x z_y)/16)/2, rho of what is slower than a sweep but no batch.
    """
    more: dict[str, Any] = {"dac": DIGITS[digits]} if digits else {}
    where = {"mapping": "offset", "reference": "analog", "exact_noise": exact}
    device = {"read_noise": 0.5, "read_noise_band": [1e-5, 1e-4]}
    bar, clock = crossbar(16, 12, device=device, crossbar=where, **more)
    draw = np.random.default_rng(8)
    x = draw.uniform(-1, 1, 16) + 0.4
    y = np.clip(x - 1.0, -1, 1)
    x = np.clip(x, -1, 1)
    assert x.sum() > 2 and y.sum() < -2
    found = []
    for batch in range(3):
        clock.opened(300)
        bar.begin("batch", batch)
        bar.catch_up()
        reads = []
        for signals in (x, y):
            clock.advance(1e-6)
            reads.append(bar.transposed(np.tile(signals, (300, 1))))
        clock.close()
        found.append(reads[1] - reads[0])
    off = np.concatenate(found)
    off = off - off.mean(0)
    sigma = 0.5 * bar.devices.unit * bar.weight_range
    rho = np.mean([math.exp(-1e-6 / tau) for tau in np.geomspace(1e-5, 1e-4, 64)])
    lines = x @ x + y @ y - 2 * rho * x @ y
    shared = (x.sum() ** 2 + y.sum() ** 2 - 2 * rho * x.sum() * y.sum()) / 16
    assert off.var() == pytest.approx(sigma**2 * (lines + shared), rel=0.12)
