"""Noise with a time against twins written out from the equations: loops over devices, processes and reads.

A twin moves every process of every device by z <- a z + sqrt(1 - a^2) n and sums sigma x z over a line. Covariances of
reads are compared with sum_d x_d x'_d sigma_d^2 sum_k share_k exp(-L/tau_k); a mean over N products of normals of unit
variance is off by sqrt(2/N), which together with the number of lines gives each tolerance.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.clock import Clock
from hw_models.kernels.carried import TURNED
from hw_models.laws.spectrum import band

BAND = (2e-6, 2e-4)
"""Shorter than a batch here, so that all of it is carried."""
SLOW_BAND = (10.0, 1000.0)
STEP = 2e-6
LATER = 1e6
"""Between batches [s]: nothing is left of any process."""


class Read(NamedTuple):
    """One read of a script: when it is since the sample began [s], in which direction, and its signal."""

    time: float
    way: str
    signal: np.ndarray


def made(shape: tuple[int, int], device: dict[str, Any], **parts: Any) -> tuple[Crossbar, Clock, np.ndarray]:
    """Return a crossbar of positive weights of range 1, its clock, and its weights."""
    durations_of = {"integration": STEP} | parts.pop("timing", {})
    bars = {"weight_range": 1.0} | parts.pop("crossbar", {})
    chip = Chip.model_validate({"device": device, "timing": durations_of, "crossbar": bars, **parts})
    clock = durations.clock(chip.timing)
    clock.interval, clock.sample, clock.batch = STEP, 1e-2, 1.0
    bar = Crossbar(chip, shape, 4, clock=clock, dtype="float64")
    weight = np.random.default_rng(8).uniform(0.25, 1, shape)
    bar.program(weight)
    return bar, clock, weight


def proportional(span: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"read_noise": 0.03, "read_noise_law": "proportional", "read_noise_band": list(span), **more}


def played(
    bar: Crossbar, clock: Clock, script: list[Read], samples: int, batches: int, pause: float = 0.0
) -> list[np.ndarray]:
    """Return the noise of every read of a script, (batches, samples, sensed) each, samples a pause [s] apart."""
    weight, found = bar.weights(), [[] for _ in script]
    for batch in range(batches):
        clock.opened(samples)
        bar.begin("batch", batch)
        bar.catch_up()
        for at, read in enumerate(script):
            clock.advance(read.time - clock.within)
            signals = np.tile(read.signal, (samples, 1))
            if read.way == "forward":
                found[at].append(bar.forward(signals) - read.signal @ weight.T)
            else:
                found[at].append(bar.transposed(signals) - read.signal @ weight)
        clock.advance(pause)
        clock.close()
        clock.wrote(LATER)
    return [np.stack(values) for values in found]


def lasting(taus: np.ndarray, shares: np.ndarray, lag: float) -> float:
    return sum(share * math.exp(-abs(lag) / tau) for tau, share in zip(taus, shares, strict=True))


def by_hand(sigma: np.ndarray, span: tuple[float, float], one: Read, other: Read) -> np.ndarray:
    """Return the covariance of two reads, device by device, where lines agree; else of all pairs (out, in)."""
    spectrum = band(*span)
    common = lasting(spectrum.taus, spectrum.shares, one.time - other.time)
    outputs, inputs = sigma.shape
    if one.way == other.way == "forward":
        return np.array(
            [sum(one.signal[j] * other.signal[j] * sigma[i, j] ** 2 for j in range(inputs)) for i in range(outputs)]
        ) * common
    if one.way == other.way:
        return np.array(
            [sum(one.signal[i] * other.signal[i] * sigma[i, j] ** 2 for i in range(outputs)) for j in range(inputs)]
        ) * common
    ahead, back = (one, other) if one.way == "forward" else (other, one)
    return np.array(
        [[ahead.signal[j] * back.signal[i] * sigma[i, j] ** 2 for j in range(inputs)] for i in range(outputs)]
    ) * common


def covariance(one: np.ndarray, other: np.ndarray, ways: tuple[str, str]) -> np.ndarray:
    """Return the covariance of two reads that :func:`by_hand` says."""
    if ways[0] == ways[1]:
        return np.mean(one * other, axis=(0, 1))
    ahead, back = (one, other) if ways[0] == "forward" else (other, one)
    count = ahead.shape[0] * ahead.shape[1]
    return np.einsum("bsi,bsj->ij", ahead, back) / count


def simulated(sigma: np.ndarray, span: tuple[float, float], script: list[Read], draws: int) -> list[np.ndarray]:
    """Return the noise of the reads of a script by moving all processes of all devices, (draws, sensed) each."""
    rng, spectrum = np.random.default_rng(77), band(*span)
    found = [np.zeros((draws, len(sigma) if read.way == "forward" else sigma.shape[1])) for read in script]
    for i in range(len(sigma)):
        for j in range(sigma.shape[1]):
            for tau, share in zip(spectrum.taus, spectrum.shares, strict=True):
                z, now = rng.normal(size=draws), script[0].time
                for at, read in enumerate(script):
                    a = math.exp(-(read.time - now) / tau)
                    z, now = a * z + math.sqrt(1 - a * a) * rng.normal(size=draws), read.time
                    line, drive = (i, read.signal[j]) if read.way == "forward" else (j, read.signal[i])
                    found[at][:, line] += drive * sigma[i, j] * math.sqrt(share) * z
    return found


X = np.linspace(0.2, 1.0, 12)
S = np.cos(np.arange(10.0))
OTHER = X[::-1] - 0.3
SCRIPT = [
    Read(2e-6, "forward", X),
    Read(4e-6, "transposed", S),
    Read(1e-5, "forward", OTHER),
    Read(3e-5, "forward", X),
    Read(6e-5, "transposed", -2 * S),
    Read(3e-4, "forward", X),
]


def test_the_twin_itself_has_the_covariances_of_the_equation() -> None:
    """4,000 histories of 120 devices; of 6 x 6 matrices all within 4 sigma on the mean over lines."""
    sigma = np.random.default_rng(1).uniform(0.1, 1, (10, 12))
    found = simulated(sigma, BAND, SCRIPT, 4000)
    for one in range(len(SCRIPT)):
        for other in range(one, len(SCRIPT)):
            ways = SCRIPT[one].way, SCRIPT[other].way
            expected = by_hand(sigma, BAND, SCRIPT[one], SCRIPT[other])
            measured = covariance(found[one][None], found[other][None], ways)
            size = np.sqrt(np.mean(found[one] ** 2) * np.mean(found[other] ** 2))
            assert measured.sum() / size == pytest.approx(
                expected.sum() / size, abs=4 * math.sqrt(2 * expected.size / 4000)
            ), (one, other)


def test_devices_drawn_one_by_one_have_every_covariance_of_the_twin() -> None:
    """Forward, transposed and across, signals that change between reads: 120 devices, 3,000 samples that are new.

    Of the mean over n lines within 4 sqrt(2/(3000 n)); across directions of the projection on what is expected.
    """
    bar, clock, weight = made((10, 12), proportional(BAND), crossbar={"exact_noise": True})
    sigma = 0.03 * weight
    found = played(bar, clock, SCRIPT, 100, 30)
    for one in range(len(SCRIPT)):
        for other in range(one, len(SCRIPT)):
            ways = SCRIPT[one].way, SCRIPT[other].way
            expected = by_hand(sigma, BAND, SCRIPT[one], SCRIPT[other])
            measured = covariance(found[one], found[other], ways)
            sizes = np.sqrt(np.mean(found[one] ** 2, (0, 1))), np.sqrt(np.mean(found[other] ** 2, (0, 1)))
            if ways[0] == ways[1]:
                size = sizes[0] * sizes[1]
                off = np.mean(measured / size) - np.mean(expected / size)
                assert abs(off) < 4 * math.sqrt(2 / (3000 * len(size))), (one, other)
            else:
                ahead, back = sizes if ways[0] == "forward" else sizes[::-1]
                size = ahead[:, None] * back[None, :]
                seen, wanted = measured / size, expected / size
                share = np.sum(seen * wanted) / np.sum(wanted**2)
                assert share == pytest.approx(1, abs=4 / math.sqrt(3000 * np.sum(wanted**2))), (one, other)


@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_at_the_outputs_reads_of_one_signal_have_the_covariances_of_the_twin(way: str) -> None:
    """Multiples of one signal, so that nothing is approximated; at all lags within 4 sigma of 24,000 products.

    A process is moved in steps of a fourth of its time constant: a lag may be an eighth of it off on either side, which
    adds 2 %.
    """
    shape = (40, 12) if way == "forward" else (12, 40)
    bar, clock, weight = made(shape, proportional(BAND))
    script = [Read(t, way, factor * X) for t, factor in ((2e-6, 1), (4e-6, -1), (2e-5, 0.5), (8e-5, 2), (4e-4, 1))]
    found = played(bar, clock, script, 20, 30)
    for one in range(len(script)):
        for other in range(one, len(script)):
            expected = by_hand(0.03 * weight, BAND, script[one], script[other])
            size = np.abs(script[one].signal @ X * script[other].signal @ X) ** 0.5
            scale = by_hand(0.03 * weight, BAND, script[one]._replace(time=0), script[other]._replace(time=0))
            measured = np.mean(np.mean(found[one] * found[other], (0, 1)) / scale)
            assert size > 0
            assert measured == pytest.approx(np.mean(expected / scale), abs=4 * math.sqrt(2 / 24000) + 0.02)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("turn", [0.2, 0.6])
def test_a_signal_that_turns_keeps_the_noise_that_it_has_in_common(exact: bool, turn: float) -> None:
    """cov sum x x' sigma^2 for a read of x and one of x + turn y, then x again; within 4 sigma of 60,000.

    At the outputs noise is kept of the signal that has turned: x again shares with the first read what both share with
    that one, cos^2 of it; devices drawn one by one remember all.
    """
    bar, clock, weight = made((100, 12), proportional(BAND), crossbar={"exact_noise": exact})
    script = [Read(2e-6, "forward", X), Read(4e-6, "forward", X + turn * (OTHER - X)), Read(1e-5, "forward", X)]
    found = played(bar, clock, script, 20, 30)
    metric, turned = np.mean((0.03 * weight) ** 2, 0), script[1].signal
    cosine = float(X * turned @ metric / math.sqrt(X * X @ metric * (turned * turned @ metric)))
    for one, other in ((0, 0), (0, 1), (1, 1), (1, 2), (0, 2), (2, 2)):
        expected = by_hand(0.03 * weight, BAND, script[one], script[other])
        if (one, other) == (0, 2) and not exact and cosine**2 < TURNED:
            expected = expected * cosine**2
        scale = np.sqrt(np.mean(found[one] ** 2, (0, 1)) * np.mean(found[other] ** 2, (0, 1)))
        measured = np.mean(found[one] * found[other], (0, 1)) / scale
        assert np.mean(measured) == pytest.approx(np.mean(expected / scale), abs=4 * math.sqrt(2 / 60000) + 0.02)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"rows": 5, "columns": 4},
        {"slices": 2, "slice_bits": 6},
        {"mapping": "offset", "reference": "digital"},
    ],
    ids=["whole", "tiles", "slices", "digital"],
)
def test_slow_noise_is_one_change_of_the_devices_in_both_directions(exact: bool, layout: dict[str, Any]) -> None:
    """What single devices read, found by unit signals, foretells every read of the batch to float32 rounding."""
    bar, clock, weight = made((9, 12), proportional(SLOW_BAND), crossbar={"exact_noise": exact, **layout})
    clock.batch = 1e-3
    for batch in range(2):
        clock.opened(12)
        bar.begin("b", batch)
        bar.catch_up()
        clock.advance(STEP)
        devices = bar.forward(np.eye(12)).T
        assert np.std(devices / weight - 1) > 0.015
        x, s = np.tile(X, (12, 1)), np.tile(S[:9], (12, 1))
        clock.advance(STEP)
        assert bar.forward(x)[3] == pytest.approx(devices @ X, abs=2e-5)
        assert bar.transposed(s)[5] == pytest.approx(S[:9] @ devices, abs=2e-5)
        clock.close()
        clock.wrote(1e-6)


@pytest.mark.parametrize("exact", [False, True])
def test_slow_noise_has_the_variance_of_its_law_and_moves_on_between_batches(exact: bool) -> None:
    """1,600 devices, a batch each second: variance, and correlation exp(-L/tau) over bands of 10 to 1,000 s."""
    bar, clock, weight = made((40, 40), proportional(SLOW_BAND), crossbar={"exact_noise": exact})
    clock.batch, found = 1e-3, []
    for batch in range(4):
        clock.opened(40)
        bar.begin("b", batch)
        bar.catch_up()
        clock.advance(STEP)
        found.append((bar.forward(np.eye(40)).T - weight) / (0.03 * weight))
        clock.close()
        clock.wrote(40.0)
    spectrum = band(*SLOW_BAND)
    for batch in range(4):
        assert np.mean(found[batch] ** 2) == pytest.approx(1, abs=4 * math.sqrt(2 / 1600))
        for apart in range(1, 4 - batch):
            expected = lasting(spectrum.taus, spectrum.shares, 40.0 * apart)
            measured = np.mean(found[batch] * found[batch + apart])
            assert measured == pytest.approx(expected, abs=4 / math.sqrt(1600) + 0.03), apart


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("copies", [1, 3])
def test_a_sample_follows_the_one_before_it_on_its_copy(exact: bool, copies: int) -> None:
    """Sample i and i + copies are one sample apart; i and i + 1 on other copies share what is slow alone.

    Copies hold the same devices, so that processes above six batches, sum_k share_k of tau_k > 6 batches, are theirs
    in common. Products of 20 batches of 100 lines, which are new: within .06.
    """
    bar, clock, weight = made(
        (100, 6), proportional((1e-3, 1e-1)), crossbar={"exact_noise": exact}, timing={"copies": copies}
    )
    clock.sample, clock.batch, spectrum = 2e-3, 12 // copies * 2e-3, band(1e-3, 1e-1)
    signal, products = X[:6], {1: [], 3: [], 6: []}
    for batch in range(20):
        clock.opened(12)
        bar.begin("b", batch)
        bar.catch_up()
        clock.advance(2e-3)
        off = bar.forward(np.tile(signal, (12, 1))) - weight @ signal
        off /= np.sqrt((0.03 * weight) ** 2 @ signal**2)
        for apart, values in products.items():
            values.append(np.mean(off[:-apart] * off[apart:]))
        clock.close()
        clock.wrote(LATER)
    for apart, values in products.items():
        expected = lasting(spectrum.taus, spectrum.shares, apart // copies * 2e-3)
        if apart % copies:
            expected = float(spectrum.shares[spectrum.taus > 6 * clock.batch].sum())
        assert np.mean(values) == pytest.approx(expected, abs=0.06), apart


@pytest.mark.parametrize("exact", [False, True])
def test_the_first_sample_of_a_batch_follows_the_last_of_the_batch_before(exact: bool) -> None:
    """Less the update's time; 400 lines, 30 pairs of batches."""
    bar, clock, weight = made((400, 6), proportional((1e-3, 1e-1)), crossbar={"exact_noise": exact})
    spectrum, signal, found = band(1e-3, 1e-1), X[:6], []
    clock.sample = 2e-3
    for batch in range(30):
        clock.opened(3)
        bar.begin("b", batch)
        bar.catch_up()
        clock.advance(2e-3)
        off = bar.forward(np.tile(signal, (3, 1))) - weight @ signal
        found.append(off / np.sqrt((0.03 * weight) ** 2 @ signal**2))
        clock.close()
        clock.wrote(4e-3)
    ends = np.mean([np.mean(one[2] * other[0]) for one, other in pairwise(found)])
    assert ends == pytest.approx(lasting(spectrum.taus, spectrum.shares, 6e-3), abs=0.06)


@pytest.mark.parametrize("samples", [1, 7, 64])
@pytest.mark.parametrize("exact", [False, True])
def test_the_noise_of_a_sample_does_not_depend_on_how_many_there_are(samples: int, exact: bool) -> None:
    """Variance and correlation of two reads 10 us apart, of about 9,000 lines; within 4 sigma and the 2 % of moves."""
    bar, clock, weight = made((150, 6), proportional(BAND), crossbar={"exact_noise": exact})
    script = [Read(2e-6, "forward", X[:6]), Read(1.2e-5, "forward", X[:6])]
    one, other = played(bar, clock, script, samples, max(64 // samples, 1))
    own = (0.03 * weight) ** 2 @ X[:6] ** 2
    count = one.size
    assert np.mean(one**2 / own) == pytest.approx(1, abs=4 * math.sqrt(2 / count))
    assert np.mean(other**2 / own) == pytest.approx(1, abs=4 * math.sqrt(2 / count))
    expected = lasting(*band(*BAND), 1e-5)
    assert np.mean(one * other / own) == pytest.approx(expected, abs=4 * math.sqrt(2 / count) + 0.02)


DIGITS = {
    "bits": {"digit_bits": 1},
    "pairs of bits": {"digit_bits": 2},
    "complement": {"digit_bits": 1, "digit_sign": "twos_complement"},
}


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("digits", DIGITS)
@pytest.mark.parametrize("layout", [{}, {"rows": 8, "columns": 8}, {"mapping": "offset", "reference": "analog"}])
def test_digits_of_a_code_are_read_from_the_same_devices(
    exact: bool, way: str, digits: str, layout: dict[str, Any]
) -> None:
    """What is slower than sweeps is one change of the devices for all digits: of the product, sum x^2 sigma^2.

    Next to it two products in turn differ by next to nothing, 1e-3 of that variance. 12,000 products within 4 sigma and
    5 % for the code of x and for lines that are not alike.
    """
    shape = (60, 20) if way == "forward" else (20, 60)
    dac = {"bits": 8, "range": 1.0, "sign": "signed", **DIGITS[digits]}
    bar, clock, weight = made(shape, proportional((1e-2, 1.0)), crossbar={"exact_noise": exact, **layout}, dac=dac)
    clock.batch = clock.sample = 10.0
    x = np.random.default_rng(2).uniform(-1, 1, 20)
    x = np.rint(x * 127) / 127
    script = [Read(2e-6, way, x), Read(4e-6, way, x), Read(6e-6, way, x)]
    one, other, third = played(bar, clock, script, 20, 10, 10.0)
    if layout.get("mapping") == "offset":
        plus = (weight + 1) / 2
        own = (plus if way == "forward" else plus.T) ** 2 @ x**2 * 0.03**2 * 4
        if way == "transposed":
            own += (x.sum() * 0.03) ** 2 / bar.devices.references
        else:
            own += np.sum(x**2) * 0.03**2 / bar.devices.references
    else:
        own = (weight if way == "forward" else weight.T) ** 2 @ x**2 * 0.03**2
    tolerance = 4 * math.sqrt(2 / 12000) + 0.05
    if layout.get("mapping") == "offset" and way == "forward":
        tolerance += 0.15  # what reference lines have in common for all outputs: 200 of it
    elif layout.get("mapping") == "offset" and digits == "complement":
        tolerance += 0.15  # sums of drives from 0 up are large, and references count in the variance of a digit alone
    for read in (one, other, third):
        assert np.mean(read**2 / own) == pytest.approx(1, abs=tolerance)
    assert np.mean((one - other) ** 2 / own) / 2 < 1e-3
    assert np.mean((other - third) ** 2 / own) / 2 < 1e-3


@pytest.mark.parametrize("turn", [0.55])
def test_two_reads_of_a_signal_that_has_turned_before_share_what_their_devices_share(turn: float) -> None:
    """As at the end of a free phase and in a nudged one: the noise of their difference is what EP reads.

    A tenth of the variance may be fresh where the signal has turned little, and 4e-3 where noise is kept of it anew.
    """
    bar, clock, _ = made((60, 12), proportional((1e-3, 1e-1)))
    clock.batch = clock.sample = 10.0
    settled = X + turn * (OTHER - X)
    script = [Read(2e-6, "forward", X), Read(4e-6, "forward", settled), Read(6e-6, "forward", settled)]
    _, one, other = played(bar, clock, script, 20, 10, 10.0)
    beside = 1 - (settled @ X) ** 2 / (settled @ settled) / (X @ X)
    found = np.mean((one - other) ** 2) / 2 / np.mean(one**2)
    assert 1 - lasting(*band(1e-3, 1e-1), 2e-6) < 1e-3
    assert found < (0.12 if beside < 0.12 else 4e-3), beside


def test_devices_drawn_one_by_one_share_it_after_a_turn() -> None:
    bar, clock, _ = made((60, 12), proportional((1e-3, 1e-1)), crossbar={"exact_noise": True})
    clock.batch = clock.sample = 10.0
    settled = X + 0.55 * (OTHER - X)
    script = [Read(2e-6, "forward", X), Read(4e-6, "forward", settled), Read(6e-6, "forward", settled)]
    _, one, other = played(bar, clock, script, 20, 10, 10.0)
    expected = 1 - lasting(*band(1e-3, 1e-1), 2e-6)
    assert np.mean((one - other) ** 2) / 2 / np.mean(one**2) == pytest.approx(expected, rel=0.1)
