"""Read noise with a time: a crossbar against closed forms, against its own draws device by device, and resumed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.slow_noise import SLOW, classified
from hw_models.chip import Chip
from hw_models.clock import Clock
from hw_models.kernels import carried
from hw_models.laws import spectrum
from hw_models.laws.read_noise import READ_NOISE

PCM = {"read_noise": 0.0088, "read_noise_law": "pcm"}
TRAPS = {"rtn_share": 1.0, "rtn_amplitude": 0.5, "rtn_capture": 2.0, "rtn_emission": 2.0}
READS = (1e-6,) * 10 + (1e-5,) * 9
"""Time ahead of each read of a sample."""
SAMPLE = 1e-4
UPDATE = 0.3
DRAW = np.random.default_rng(3)


def crossbar(
    outputs: int, inputs: int = 30, seed: int = 0, batch: float = 2e-3, **parts: Any
) -> tuple[Crossbar, Clock]:
    """Return a crossbar of positive weights on a chip whose reads take 1 us, and its clock."""
    device = parts.pop("device", PCM)
    chip = Chip.model_validate({"device": device, "timing": {"integration": 1e-6, **parts.pop("timing", {})}, **parts})
    clock = durations.clock(chip.timing)
    clock.interval, clock.sample, clock.batch = 1e-6, SAMPLE, batch
    made = Crossbar(chip, (outputs, inputs), seed, clock=clock, dtype="float64")
    weight = np.random.default_rng(seed).uniform(0.3, 1, (outputs, inputs))
    weight[0, 0] = 1
    made.program(weight)
    return made, clock


def variances(bar: Crossbar) -> np.ndarray:
    """Return the variance of a read of every device pair (out, in), in weight units, after the first write."""
    law, device, held = bar.device.noise, bar.device, np.abs(bar.stored.astype(np.float64))
    sides = held * device.g_max, np.zeros_like(held)
    each = sum(law.sigma(g, g, device, 0.0).astype(np.float64) ** 2 for g in sides)
    return each * (bar.devices.unit * bar.weight_range) ** 2


def batches(bar: Crossbar, clock: Clock, signals: np.ndarray, count: int, way: str = "forward") -> np.ndarray:
    """Read some batches of these signals (samples, lines); return (batches, reads, samples, sensed)."""
    found = []
    for batch in range(count):
        clock.opened(len(signals))
        bar.begin("batch", batch)
        bar.catch_up()
        for seconds in READS:
            clock.advance(seconds)
            found.append(bar.forward(signals) if way == "forward" else bar.transposed(signals))
        clock.close()
        clock.wrote(UPDATE)
    return np.stack(found).reshape(count, len(READS), *found[0].shape)


def half_difference(reads: np.ndarray, scale: np.ndarray) -> dict[float, float]:
    """Return half the variance of differences of two reads of a sample over the variance of a read, by lag."""
    ends, found = np.cumsum(READS), {}
    for i in range(len(READS)):
        for j in range(i + 1, len(READS)):
            lag = round(float(ends[j] - ends[i]), 9)
            found.setdefault(lag, []).append(float(np.mean((reads[:, j] - reads[:, i]) ** 2 / scale) / 2))
    return {lag: float(np.mean(values)) for lag, values in found.items() if lag in (1e-6, 3e-6, 1e-5, 3e-5, 9e-5)}


@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_reads_of_a_sample_share_what_the_closed_form_says(way: str) -> None:
    """1 us to 90 us apart, within 3 %: sampling error about 1 %."""
    bar, clock = crossbar(400, 30) if way == "forward" else crossbar(30, 400)
    signal = DRAW.uniform(0.5, 1, 30)
    own = variances(bar) if way == "forward" else variances(bar).T
    reads = batches(bar, clock, np.tile(signal, (20, 1)), 24, way)
    ends = 2 * bar.device.read_time, bar.device.drift_start + bar.device.read_time
    whole = spectrum.variance(*ends)
    for lag, found in half_difference(reads, own @ signal**2 / whole).items():
        assert found == pytest.approx(spectrum.half_difference(lag, *ends), rel=0.03), lag


def test_reads_of_samples_and_batches_share_what_the_closed_form_says() -> None:
    """A sample, some samples, and an update apart: 100 us to 1 s; matrices of 30,000 devices within 3 %."""
    bar, clock = crossbar(4000, 16, batch=20 * SAMPLE)
    signal = DRAW.uniform(0.5, 1, 16)
    reads = batches(bar, clock, np.tile(signal, (20, 1)), 4)
    ends = 2 * bar.device.read_time, bar.device.drift_start + bar.device.read_time
    scale = variances(bar) @ signal**2 / spectrum.variance(*ends)
    for apart in (1, 3, 15):
        gap = reads[:, ::3, apart:] - reads[:, ::3, :-apart]
        expected = spectrum.half_difference(apart * SAMPLE, *ends)
        assert np.mean(gap**2 / scale) / 2 == pytest.approx(expected, rel=0.03)
    gap, lag = reads[1:] - reads[:-1], 20 * SAMPLE + UPDATE
    assert np.mean(gap**2 / scale) / 2 == pytest.approx(spectrum.half_difference(lag, *ends), rel=0.03)
    gap = reads[3] - reads[0]
    assert np.mean(gap**2 / scale) / 2 == pytest.approx(spectrum.half_difference(3 * lag, *ends), rel=0.03)


@pytest.mark.parametrize("exact", [False, True])
def test_a_read_has_the_variance_of_its_law(exact: bool) -> None:
    bar, clock = crossbar(2500, 12, crossbar={"exact_noise": exact})
    signal = DRAW.uniform(0.5, 1, 12)
    clock.opened(1)
    bar.begin("a")
    bar.catch_up()
    clock.advance(1e-6)
    off = bar.forward(signal[None])[0] - bar.stored * bar.weight_range @ signal
    assert np.mean(off**2 / (variances(bar) @ signal**2)) == pytest.approx(1, rel=0.09)  # three sigma


@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_devices_drawn_one_by_one_agree(way: str) -> None:
    shape = (60, 20) if way == "forward" else (20, 60)
    bar, clock = crossbar(*shape, crossbar={"exact_noise": True})
    signal = DRAW.uniform(0.5, 1, 20)
    own = variances(bar) if way == "forward" else variances(bar).T
    reads = batches(bar, clock, np.tile(signal, (12, 1)), 12, way)
    ends = 2 * bar.device.read_time, bar.device.drift_start + bar.device.read_time
    scale = own @ signal**2 / spectrum.variance(*ends)
    for lag, found in half_difference(reads, scale).items():
        assert found == pytest.approx(spectrum.half_difference(lag, *ends), rel=0.04), lag
    gap = reads[:, ::3, 1:] - reads[:, ::3, :-1]
    assert np.mean(gap**2 / scale) / 2 == pytest.approx(spectrum.half_difference(SAMPLE, *ends), rel=0.04)


LAWS = {
    "additive": {"read_noise": 0.2, "read_noise_band": [1e-5, 1e-3]},
    "proportional": {"read_noise": 0.05, "read_noise_law": "proportional", "read_noise_band": [1e-5, 1e-3]},
    "sqrt": {"read_noise": 0.05, "read_noise_law": "sqrt", "read_noise_band": [1e-5, 1e-3]},
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("exact", [False, True])
def test_two_signals_read_one_after_the_other_have_the_covariance_of_their_devices(law: str, exact: bool) -> None:
    r"""cov = lasting(L) sum_j x_j x'_j sigma_j^2, as long as what was read first is what noise is kept of."""
    bar, clock = crossbar(500, 24, device=LAWS[law], crossbar={"exact_noise": exact}, batch=1.0)
    first = DRAW.uniform(0.2, 1, 24)
    second = first * DRAW.uniform(-0.3, 1.2, 24)
    found = []
    for batch in range(12):
        clock.opened(8)
        bar.begin("batch", batch)
        bar.catch_up()
        clock.advance(1e-6)
        one = bar.forward(np.tile(first, (8, 1)))
        clock.advance(2e-5)
        two = bar.forward(np.tile(second, (8, 1)))
        means = bar.stored * bar.weight_range @ np.stack([first, second], axis=1)
        found.append((one - means[:, 0]) * (two - means[:, 1]))
        clock.close()
        clock.wrote(1.0)
    sides = 2 if law == "additive" else 1
    own = variances(bar) if sides == 1 else np.full(bar.shape, 2 * (0.2 * bar.devices.unit * bar.weight_range) ** 2)
    expected = own @ (first * second) * bar.noise.law.band(bar.device, 0.0).lasting(2e-5)
    assert np.mean(found) == pytest.approx(float(expected.mean()), rel=0.05)


def test_opposite_signals_have_opposite_noise() -> None:
    """What is slower than a phase is a change of the devices: it turns with the signal, in either direction."""
    device = {"read_noise": 0.2, "read_noise_band": [1e-3, 1e-2]}
    bar, clock = crossbar(40, 20, device=device, batch=1.0)
    signal = DRAW.uniform(-1, 1, (6, 20))
    clock.opened(6)
    clock.advance(1e-6)
    one = bar.forward(signal) - signal @ bar.weights().T
    clock.advance(1e-6)
    two = bar.forward(-signal) + signal @ bar.weights().T
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] < -0.99


def test_noise_faster_than_reads_is_white_and_without_a_clock_all_of_it() -> None:
    fast = classified(spectrum.band(1e-9, 1e-8), interval=1e-6, batch=1e-3)
    assert fast.slow == fast.carried == ()
    slow = classified(spectrum.band(1.0, 10.0), interval=1e-6, batch=0.9 / SLOW)
    assert slow.carried == ()
    assert slow.share(slow.slow) == pytest.approx(1)
    chip = Chip.model_validate({"device": PCM})
    bar = Crossbar(chip, (50, 20), 0, dtype="float64")
    bar.program(np.ones((50, 20)))
    signal = np.ones((200, 20))
    one, two = (bar.forward(signal) - 20 for _ in range(2))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.03


def test_an_analog_reference_has_noise_with_a_time_too() -> None:
    device = {"read_noise": 0.2, "read_noise_band": [1e-1, 1.0]}
    layout = {"mapping": "offset", "reference": "analog", "reference_lines": 1, "columns": 6}
    bar, clock = crossbar(12, 20, device=device, crossbar=layout, dac={"range": 20.0}, batch=1.0)
    signal = np.ones((5, 20))
    clock.opened(5)
    clock.advance(1e-6)
    one = bar.forward(signal) - signal @ bar.weights().T
    clock.advance(1e-6)
    two = bar.forward(signal) - signal @ bar.weights().T
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.99


def by_copies(copies: int, sizes: tuple[int, ...], exact: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read batches of one signal by copies of a chip, a sample at once; return noise (reads, out), times and copies."""
    device = {"read_noise": 0.1, "read_noise_band": (1e-4, 3e-4)}
    parts = {"crossbar": {"exact_noise": exact}, "timing": {"copies": copies}}
    bar, clock = crossbar(1500, 6, batch=2e-4, device=device, **parts)
    signal, reads, times = DRAW.uniform(0.5, 1, 6), [], []
    for batch, size in enumerate(sizes):
        clock.opened(size)
        bar.begin("batch", batch)
        bar.catch_up()
        clock.advance(SAMPLE)
        reads.append(bar.forward(np.tile(signal, (size, 1))) - signal @ bar.stored.T * bar.weight_range)
        times.append(clock.time + np.arange(size) // copies * SAMPLE)
        clock.close()
    return np.concatenate(reads), np.concatenate(times), np.concatenate([np.arange(size) % copies for size in sizes])


@pytest.mark.parametrize("exact", [False, True])
def test_copies_without_a_sample_wait_with_the_noise_they_had(exact: bool) -> None:
    """Of five samples on four copies three are read a sample earlier than the fifth; three batches, one of two samples.

    All were taken as read with the last, on other copies, 0.5 for 0.32; those that wait had forgotten, 0 for 0.18.
    """
    reads, times, copies = by_copies(4, (5, 2, 4), exact)
    found, waits = np.corrcoef(reads), []
    for n in range(5, len(times)):
        before = max(m for m in range(n) if copies[m] == copies[n])
        waits.append(round(float(times[n] - times[before]), 9))
        assert found[n, before] == pytest.approx(np.exp(-waits[-1] / 1e-4 / 3**0.5), abs=0.09), (n, before)
        others = [m for m in range(n) if copies[m] != copies[n]]
        assert np.abs(found[n, others]).max() < 0.12
    assert waits == [1e-4, 2e-4, 1e-4, 1e-4, 3e-4, 3e-4]


def test_batches_of_a_sample_forget_no_more_than_samples_of_a_batch() -> None:
    """Each batch began a mean eighth of a time constant late: 0.50 for 0.56 a batch apart, 0.25 for 0.32 two apart."""
    reads, times, _ = by_copies(1, (1,) * 24, False)
    found = np.corrcoef(reads)
    for apart in (1, 2, 3):
        lag = times[apart] - times[0]
        mean = np.mean([found[n, n + apart] for n in range(len(times) - apart)])
        assert mean == pytest.approx(np.exp(-lag / 1e-4 / 3**0.5), abs=0.025), apart


def go_on(bar: Crossbar, clock: Clock, signals: np.ndarray) -> np.ndarray:
    """Reprogram and read another batch."""
    bar.elapse()
    bar.begin("write")
    bar.program(np.random.default_rng(9).uniform(0.3, 1, bar.shape))
    clock.wrote(UPDATE)
    return batches(bar, clock, signals, 1)


@pytest.mark.parametrize(
    "parts",
    [
        {}, {"crossbar": {"exact_noise": True}}, {"timing": {"copies": 3}},
        {"timing": {"copies": 3}, "crossbar": {"exact_noise": True}},
    ],
)  # fmt: skip
def test_a_state_goes_on_with_the_same_bits(parts: dict[str, Any]) -> None:
    signals = DRAW.uniform(0.1, 1, (7, 20))
    bar, clock = crossbar(9, 20, **parts)
    batches(bar, clock, signals, 2)
    other, later = crossbar(9, 20, **parts)
    later.load(clock.state())
    other.load(bar.state())
    assert np.array_equal(go_on(bar, clock, signals), go_on(other, later, signals))


@pytest.mark.parametrize("parts", [{}, {"device": PCM | {"rtn_share": 0.4, "rtn_decades": 4.0}}])
@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_state_behind_a_batch_of_another_length_goes_on_with_the_same_bits(factor: float, parts: dict) -> None:
    """What is slow goes by the length of a batch. Before, who took over a state sorted it at the wrong moment."""
    (bar, clock), (other, later) = (crossbar(4, 20, batch=2e-3, **parts) for _ in range(2))
    signals = DRAW.uniform(-1, 1, (3, 20))
    go_on(bar, clock, signals)
    clock.opened(3)
    clock.advance(factor * clock.batch / 3)
    clock.close()
    later.load(clock.state())
    other.load(bar.state())
    assert {name: values.tobytes() for name, values in other.state().items()} == {
        name: values.tobytes() for name, values in bar.state().items()
    }
    for goes_on in (lambda *own: batches(*own, 2), go_on):
        np.testing.assert_array_equal(goes_on(bar, clock, signals), goes_on(other, later, signals))


BELOW = {"read_noise": 0.5, "read_noise_band": [1e-6, 1e3]}
"""Additive, and all but a third of it lasts: devices of no conductance read below 0 for a while."""


@pytest.mark.parametrize("parts", [{}, {"crossbar": {"rows": 6}}, {"wires": {"refresh_every": 2}}])
@pytest.mark.parametrize("ways", [("r_word",), ("r_bit",), ("r_word", "r_bit")])
def test_noise_that_lasts_below_zero_is_read_behind_wires(ways: tuple[str, ...], parts: dict[str, Any]) -> None:
    """As without them, where they hardly resist; before, networks of such devices were refused."""
    lines = parts.get("wires", {}) | dict.fromkeys(ways, 1e-3)
    (plain, clock), (bar, own) = (
        crossbar(9, 20, device=BELOW, **parts | {"wires": resists}) for resists in ({}, lines)
    )
    for _ in range(2):
        assert (plain.weights() - plain.stored).min() < -0.01
        np.testing.assert_allclose(bar.weights(), plain.weights(), atol=1e-5)
        for each, time in ((plain, clock), (bar, own)):
            go_on(each, time, np.ones((2, 20)))


@pytest.mark.parametrize("exact", [False, True])
def test_what_is_aside_leaves_no_trace(exact: bool) -> None:
    signals, found = DRAW.uniform(0.1, 1, (4, 20)), []
    for looks in (False, True):
        bar, clock = crossbar(9, 20, crossbar={"exact_noise": exact})
        batches(bar, clock, signals, 2)
        if looks:
            with clock.aside(), bar.aside():
                batches(bar, clock, signals[:3], 3)
        found.append(go_on(bar, clock, signals))
    assert np.array_equal(*found)


def test_every_law_with_a_band_of_its_own_says_so() -> None:
    device = Chip.model_validate({"device": PCM}).device
    assert READ_NOISE["pcm"].band(device, 5.0).taus.max() > 1
    assert READ_NOISE["additive"].band(device, 5.0) is None


def angle(a: np.ndarray, b: np.ndarray, m: np.ndarray) -> float:
    """Return the cosine of two signals in a metric, in double precision."""
    a, b = a.astype(float), b.astype(float)
    return float((m * a * b).sum() / np.sqrt((m * a * a).sum() * (m * b * b).sum()))


def test_variances_next_to_nothing_have_cosines_too() -> None:
    """The product of two squares below 1e-23 is 0 in single precision: reads ended in a division by zero."""
    draw = np.random.default_rng(3)
    x, old = draw.normal(size=(2, 4, 5)).astype(np.float32)
    metric = np.array([4e-36, 0, 1e-36, 0, 2e-36], np.float32)
    norm = ((old * old) @ metric).astype(np.float32)
    processes, rows, n = 2, 4, 3
    kept = (old.copy(), norm, np.zeros(rows, np.float32), draw.normal(size=(processes, rows, n)).astype(np.float32),
            np.zeros((rows, n), np.float32), np.zeros(processes))  # fmt: skip
    weights, times = np.ones((processes, n), np.float32), (1.0, 0.1, np.array([0.5, 5.0]), 0.1, 1)
    squares, cosines = np.zeros(rows, np.float32), np.zeros((2, rows), np.float32)
    key = np.array([1, 2], np.uint32)
    carried.carry(x, metric, kept, weights, times, key, 0, 0, squares, cosines)
    wide, m = x.astype(float), metric.astype(float)
    expected = [angle(a, b, m) for a, b in zip(wide, old, strict=True)]
    assert norm[0] * norm[0] == 0 < norm[0]
    np.testing.assert_allclose(cosines[0], expected, rtol=1e-4)
    before = (np.zeros((1, 5), np.float32), np.zeros(1, np.float32), np.zeros((processes, 1, n), np.float32),
              np.ones((processes, 1), np.float32))  # fmt: skip
    carried.turn(x, metric, kept, weights, times, before, key, 0, 0, squares, cosines)
    assert np.isfinite(kept[3]).all() and np.isfinite(kept[4]).all()
    np.testing.assert_array_equal(cosines, 1)
    link = [angle(a, b, m) for a, b in zip(wide[1:], wide[:-1], strict=True)]
    np.testing.assert_allclose(kept[2][1:], link, rtol=1e-4)


@pytest.mark.parametrize("device", [PCM, PCM | TRAPS])
@pytest.mark.parametrize("read", [False, True])
def test_noise_goes_on_by_the_clock_where_devices_were_read_later_before(device: dict, read: bool) -> None:
    """As on a chip that never looked ahead, within 4.5 sigma of 3,000 devices; it stood still until the day was over.
    """
    correlations = []
    for ahead in (False, True):
        bar, clock = crossbar(30, 100, device=device)
        if read:
            bar.forward(np.ones((1, 100)))
        for seconds in (86400.0, 0.0) if ahead else ():
            bar.read_at(seconds)
        found = []
        for _ in range(2):
            clock.opened(1)
            bar.catch_up()
            found.append((bar.weights() / bar.stored).ravel())
            clock.advance(1e-6)
            clock.close()
            clock.wrote(1.5)
        correlations.append(np.corrcoef(found)[0, 1])
    assert 0.02 < correlations[0] < 0.95
    assert correlations[1] == pytest.approx(correlations[0], abs=4.5 * np.sqrt(2 / 3000))
