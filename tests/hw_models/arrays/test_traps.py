"""Random telegraph noise: every trap followed, and at the outputs, against the Lorentzians of the law."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip, Device
from hw_models.clock import Clock
from hw_models.errors import ChipError
from hw_models.laws.telegraph import TELEGRAPH

RTN = {"rtn_share": 1.0, "rtn_amplitude": 0.2, "rtn_capture": 3e-5, "rtn_emission": 1e-5, "rtn_decades": 1.5}
TIMELESS = {name: value for name, value in RTN.items() if name != "rtn_decades"}
STEP = 2e-6
P = 0.25


def crossbar(shape: tuple[int, int], exact: bool, batch: float = 1.0, **more: Any) -> tuple[Crossbar, Clock]:
    """Return a crossbar of weights 1, one device of a pair at g_max, and the clock of a chip that reads every 2 us."""
    parts = {"device": RTN | more, "timing": {"integration": STEP}, "crossbar": {"exact_noise": exact}}
    chip = Chip.model_validate(parts)
    clock = durations.clock(chip.timing)
    clock.interval, clock.batch, clock.sample = STEP, batch, 1e-2
    bar = Crossbar(chip, shape, 5, clock=clock, dtype="float64")
    bar.program(np.ones(shape))
    return bar, clock


def series(bar: Crossbar, clock: Clock, signals: np.ndarray, reads: int, way: str = "forward") -> np.ndarray:
    """Return reads of signals (samples, lines) every 2 us, less their mean weights; (reads, samples, sensed)."""
    clock.opened(len(signals))
    bar.begin("series", clock.batches)
    bar.catch_up()
    found = []
    for _ in range(reads):
        clock.advance(STEP)
        found.append(bar.forward(signals) if way == "forward" else bar.transposed(signals))
    clock.close()
    return np.stack(found) - signals.sum(1)[None, :, None]


def traps(bar: Crossbar) -> tuple[np.ndarray, np.ndarray]:
    """Return amplitudes in weight units and relaxation times of all traps of the side that conducts, (out, in)."""
    found = bar.traps.of((0, 0))
    numbers = np.arange(bar.shape[0])
    g = np.full(bar.shape, bar.device.g_max)
    return bar.traps.amplitude((0, 0), numbers, g) / bar.device.g_max, found.tau


def sampled(f: np.ndarray, amplitude: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """Return the one-sided spectral density of the sum of traps read every 2 us, folding in."""
    a = np.exp(-STEP / tau)[:, None]
    each = amplitude[:, None] ** 2 * P * (1 - P) * (1 - a * a) / (1 - 2 * a * np.cos(2 * np.pi * f * STEP) + a * a)
    return 2 * STEP * each.sum(0)


def test_a_followed_trap_has_its_two_states_its_occupancy_and_its_spectrum() -> None:
    """Sixty devices, each alone on its line, 64 samples of 1,024 reads; occupancy and bands of frequency within 3 %."""
    bar, clock = crossbar((60, 1), exact=True, rtn_amplitude_spread=0.3)
    found = series(bar, clock, np.ones((64, 1)), 1024)
    amplitude, tau = (values[:, 0] for values in traps(bar))
    low, high = found.min((0, 1)), found.max((0, 1))
    assert high == pytest.approx(P * amplitude, rel=1e-4, abs=1e-6)
    assert low == pytest.approx(-(1 - P) * amplitude, rel=1e-4, abs=1e-6)
    assert np.mean(found < 0) == pytest.approx(P, rel=0.03)
    density = 2 * STEP * (np.abs(np.fft.rfft(found, axis=0)) ** 2).mean(1).sum(1) / len(found)
    f = np.fft.rfftfreq(len(found), STEP)
    for first, last in ((2, 8), (8, 24), (24, 64), (64, 160), (160, 400)):
        band = slice(first, last)
        assert density[band].mean() == pytest.approx(sampled(f[band], amplitude, tau).mean(), rel=0.03)
    low_f = f[2:8]
    whole = TELEGRAPH.spectrum(low_f, amplitude, tau, bar.device)
    assert sampled(low_f, amplitude, tau) == pytest.approx(whole, rel=0.03), "what folds in is little here"


@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("exact", [False, True])
def test_the_sum_over_a_line_has_the_spectrum_of_its_traps(way: str, exact: bool) -> None:
    """Covariance at each lag within 1.5 % of the variance, of which sampling takes 0.5."""
    bar, clock = crossbar((24, 40) if way == "forward" else (40, 24), exact)
    found = np.concatenate([series(bar, clock, np.ones((40, 40)), 128, way) for _ in range(2 if exact else 8)], axis=1)
    amplitude, tau = traps(bar)
    for lag in (0, 1, 3, 10, 30):
        expected = (amplitude**2 * P * (1 - P) * np.exp(-lag * STEP / tau)).sum() / 24
        measured = np.mean(found[lag:] * found[: len(found) - lag])
        whole = float((amplitude**2 * P * (1 - P)).sum() / 24)
        assert measured == pytest.approx(float(expected), abs=0.015 * whole), lag


def test_slow_traps_stand_still_for_a_batch_in_both_directions() -> None:
    bar, clock = crossbar((50, 40), exact=False, batch=1e-7, rtn_decades=0.0)
    first = series(bar, clock, np.ones((3, 40)), 4)
    assert np.ptp(first, axis=(0, 1)).max() < 1e-6
    back = bar.transposed(np.eye(50)) - 1
    assert first[0, 0] == pytest.approx(back.sum(1), abs=1e-4)
    states = {round(float(value), 5) for value in back.ravel()}
    assert states == {round(0.2 * P, 5), round(-0.2 * (1 - P), 5)}
    assert np.mean(back < 0) == pytest.approx(P, abs=0.03)


def test_slow_traps_go_on_between_batches() -> None:
    bar, clock = crossbar((50, 40), exact=False, batch=1e-7, rtn_decades=0.0)
    tau, kept = 7.5e-6, []
    before = series(bar, clock, np.eye(40), 1)[0]
    for _ in range(6):
        clock.wrote(5e-6)
        clock.batches += 1
        after = series(bar, clock, np.eye(40), 1)[0]
        kept.append(np.mean(before * after) / (0.04 * P * (1 - P)))
        before, passed = after, 5e-6 + 40 * STEP
    assert np.mean(kept) == pytest.approx(np.exp(-passed / tau), abs=0.03)


def test_without_a_clock_every_read_is_fresh() -> None:
    for exact in (False, True):
        chip = Chip.model_validate({"device": TIMELESS, "crossbar": {"exact_noise": exact}})
        bar = Crossbar(chip, (40, 30), 0, dtype="float64")
        bar.program(np.ones((40, 30)))
        one, two = (bar.forward(np.ones((60, 30))) - 30 for _ in range(2))
        assert np.mean(one**2) == pytest.approx(30 * 0.04 * P * (1 - P), rel=0.08)
        assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.07


def test_the_amplitude_grows_with_resistance_and_takes_no_more_than_there_is() -> None:
    device = Chip.model_validate({"device": TIMELESS | {"rtn_exponent": 0.5}}).device
    g = np.array([25.0, 6.25, 0.25, 0.0])
    found = TELEGRAPH.amplitude(g, np.zeros(4), device)
    assert found == pytest.approx([5.0, 2.5, 0.25, 0.0])


@pytest.mark.parametrize("exact", [False, True])
def test_traps_remember_the_sample_before_and_the_batch_before(exact: bool) -> None:
    """Five samples in turn, and the next batch: exp(-t/tau). Followed traps had 0.29 for 0.61 at the end of samples and
    forgot between batches."""
    bar, clock = crossbar((500, 8), exact, batch=5e-5, rtn_capture=8e-5, rtn_emission=8e-5 / 3, rtn_decades=0.0)
    clock.sample = 5 * STEP
    reads = np.stack([series(bar, clock, np.ones((5, 8)), 5) for _ in range(3)])  # (batches, reads, samples, out)

    def share(one: np.ndarray, two: np.ndarray) -> float:
        pairs = zip(one.reshape(-1, 500), two.reshape(-1, 500), strict=True)
        return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))

    expected = np.exp(-STEP * np.arange(6) / 2e-5)
    for n in (0, 4):
        assert share(reads[:, n, 1:], reads[:, n, :-1]) == pytest.approx(expected[5], abs=0.06)
    assert share(reads[:, 4], reads[:, 0]) == pytest.approx(expected[4], abs=0.06)
    assert share(reads[1:, 0, 0], reads[:-1, 4, 4]) == pytest.approx(expected[1], abs=0.1)


def test_traps_of_copies_go_on_for_themselves() -> None:
    """Of five samples on four copies the fifth goes on where the first was, the next batch where each copy was."""
    parts = {"rtn_capture": 8e-5, "rtn_emission": 8e-5 / 3, "rtn_decades": 0.0}
    bar, clock = crossbar((500, 8), True, batch=7e-6, **parts)
    clock.copies, clock.sample = 4, STEP
    reads = np.concatenate([series(bar, clock, np.ones((rows, 8)), 1)[0] for rows in (5, 2, 4)])
    copies, turns = np.array([0, 1, 2, 3, 0, 0, 1, 0, 1, 2, 3]), np.array([0, 0, 0, 0, 1, 2, 2, 3, 3, 3, 3])
    found = np.corrcoef(reads)
    waited = np.exp(-STEP * np.abs(turns[:, None] - turns) / 2e-5)
    np.testing.assert_allclose(found, np.where(copies[:, None] == copies, waited, 0), atol=0.2)
    assert np.abs(found - np.where(copies[:, None] == copies, waited, 0)).mean() < 0.06


@pytest.mark.parametrize("exact", [False, True])
def test_a_state_goes_on_with_the_same_bits(exact: bool) -> None:
    found, states = [], None
    for resumed in (False, True):
        bar, clock = crossbar((9, 12), exact, batch=1e-5, rtn_decades=4.0, read_noise=0.05)
        if states is None:
            series(bar, clock, np.ones((5, 12)), 6)
            states = clock.state(), bar.state()
        elif resumed:
            clock.load(states[0])
            bar.load(states[1])
        found.append(series(bar, clock, np.ones((5, 12)), 6))
    assert np.array_equal(*found)


def test_traps_that_take_nothing_are_refused() -> None:
    with pytest.raises(ChipError, match="rtn_amplitude = 0"):
        Chip.parse({"device": {"rtn_share": 0.5, "rtn_amplitude": 0.0}})


def test_reference_lines_of_several_tiles_have_traps_too() -> None:
    """Before, their noise could not be put together where there was more than one column tile."""
    device = {"rtn_share": 1.0, "rtn_amplitude": 0.2, "rtn_decades": 4.0, "rtn_capture": 3e-5, "rtn_emission": 1e-5}
    layout = {"mapping": "offset", "reference": "analog", "reference_lines": 2, "rows": 16, "columns": 16}
    parts = {"device": device, "timing": {"integration": STEP}, "crossbar": layout, "dac": {"range": 1.0}}
    chip = Chip.model_validate(parts)
    clock = durations.clock(chip.timing)
    bar = Crossbar(chip, (24, 30), 0, clock=clock, dtype="float64")
    bar.program(np.zeros((24, 30)))
    found = series(bar, clock, np.ones((400, 30)), 2) + 30  # of weights 0
    of_line = 0.2**2 * (12.5 * bar.devices.unit) ** 2 * P * (1 - P) * 30  # at the middle of 25 uS; references add half
    assert np.mean(found**2) == pytest.approx(of_line * 1.5, rel=0.1)


@pytest.mark.parametrize("table", [{"rtn_exponent": 100.0}, {"rtn_amplitude_spread": 1e10}])
@pytest.mark.filterwarnings("error")
def test_amplitudes_beyond_any_number_are_the_whole_conductance(table):
    """Before, NumPy's warnings of an overflow were printed."""
    device = Device(rtn_share=1.0, rtn_amplitude=0.3, **table)
    g = np.array([1e-3, 0.1, 0.5], dtype=np.float32)
    assert TELEGRAPH.amplitude(g, np.full(3, 0.9), device)[:2] == pytest.approx(g[:2])
    with pytest.raises(ChipError, match=r"rtn_decades = 1e\+30: should be less than or equal to 30"):
        Device(rtn_share=1.0, rtn_decades=1e30)
