"""Traps, thermal noise, drift and slow noise on a crossbar with a clock, against chains and sums written out.

What a mean of N independent products is off by is said where it is compared; nothing is compared with the code itself
but for what must not change a bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.clock import Clock

K, E = 1.380649e-23, 1.602176634e-19
STEP = 2e-6
G_MAX = 20.0
RTN = {"g_max": G_MAX, "rtn_share": 1.0, "rtn_amplitude": 0.1, "rtn_capture": 6e-5, "rtn_emission": 2e-5}
P, TAU = 0.25, 1.5e-5
"""Share of time that a trap is filled, and its relaxation time."""
WARM = {"g_max": G_MAX, "read_voltage": 0.02}
FAINT = {"read_noise": 1e-7, "read_noise_law": "proportional"}
"""What exact_noise needs to draw device by device."""


def made(shape: tuple[int, int], device: dict[str, Any], weight: Any = 1.0, **parts: Any) -> tuple[Crossbar, Clock]:
    """Return a crossbar that has been written, its weight range 1, and the clock of its chip."""
    bars, timing = {"weight_range": 1.0} | parts.pop("crossbar", {}), {"integration": STEP} | parts.pop("timing", {})
    batch = parts.pop("batch", 1.0)
    chip = Chip.model_validate({"device": device, "timing": timing, "crossbar": bars, **parts})
    clock = durations.clock(chip.timing)
    clock.interval, clock.sample, clock.batch = chip.timing.integration, 1e-2, batch
    bar = Crossbar(chip, shape, 4, clock=clock, dtype="float64")
    bar.read_at(0.0)
    bar.program(np.broadcast_to(np.asarray(weight, dtype=np.float64), shape).copy())
    return bar, clock


def series(
    bar: Crossbar, clock: Clock, signals: np.ndarray, steps: list[float], way: str = "forward", batch: int = 0
) -> np.ndarray:
    """Return reads of a batch, so long after each other (reads, samples, sensed)."""
    clock.opened(len(signals))
    bar.begin("batch", batch)
    bar.catch_up()
    found = []
    for seconds in steps:
        clock.advance(seconds)
        found.append(bar.forward(signals) if way == "forward" else bar.transposed(signals))
    clock.close()
    return np.stack(found)


def chain(reads: int, step: float, chains: int) -> np.ndarray:
    """Return whether traps are filled, by their rates in steps of a hundredth of the shortest time (reads, chains)."""
    rng, dt = np.random.default_rng(6), 2e-7
    filled, found = rng.uniform(size=chains) < P, []
    for _ in range(reads):
        for _ in range(round(step / dt)):
            u = rng.uniform(size=chains)
            filled = np.where(filled, u >= dt / 2e-5, u < dt / 6e-5)
        found.append(filled)
    return np.stack(found)


def test_the_rates_of_capture_and_emission_give_occupancy_and_relaxation() -> None:
    """A chain in continuous time, 20,000 of them: P, and P (1 - P) exp(-t/tau) with 1/tau = 1/tau_c + 1/tau_e."""
    found = chain(8, 4e-6, 20000)
    assert found.mean() == pytest.approx(P, abs=4 * math.sqrt(P * (1 - P) / 20000))
    for apart in (1, 2, 4, 7):
        both = np.mean((found[0] - P) * (found[apart] - P)) / (P * (1 - P))
        assert both == pytest.approx(math.exp(-apart * 4e-6 / TAU), abs=4 / math.sqrt(20000) + 0.01), apart


def test_a_followed_trap_is_the_chain_of_its_rates() -> None:
    """How often a trap is filled in none, one, ... of eight reads, and how often it changes; 20,000 of each."""
    bar, clock = made((100, 1), RTN | {"rtn_decades": 0.0}, crossbar={"exact_noise": True})
    found = series(bar, clock, np.ones((200, 1)), [4e-6] * 8).reshape(8, -1) < 1
    twin = chain(8, 4e-6, 20000)
    for number in range(9):
        seen, wanted = (np.mean(values.sum(0) == number) for values in (found, twin))
        assert seen == pytest.approx(wanted, abs=5 * math.sqrt(2 * 0.25 / 20000)), number
    captured, emitted = (np.mean(values[1:] & ~values[:-1]) for values in (found, twin))
    assert captured == pytest.approx(emitted, rel=0.06)
    assert np.mean(found[:-1] & ~found[1:]) == pytest.approx(np.mean(twin[:-1] & ~twin[1:]), rel=0.06)


def test_amplitude_grows_as_the_law_says_and_its_mean_is_what_was_programmed() -> None:
    """dG = A g (g/g_max)^-e: two levels of single devices, p dG above and (1 - p) dG below what was programmed."""
    shares = np.array([1.0, 0.5, 0.25, 0.1])
    bar, clock = made((4, 1), RTN | {"rtn_exponent": 0.4}, shares[:, None], crossbar={"exact_noise": True})
    found = series(bar, clock, np.ones((4000, 1)), [STEP])[0]
    for line, share in enumerate(shares):
        delta = 0.1 * share * share**-0.4
        levels = np.unique(np.round(found[:, line], 6))
        assert levels == pytest.approx([share - (1 - P) * delta, share + P * delta], abs=2e-6)
        assert found[:, line].mean() == pytest.approx(share, abs=5 * delta * math.sqrt(P * (1 - P) / 4000))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("layout", [{}, {"rows": 8, "columns": 8}, {"mapping": "offset", "reference": "digital"}])
def test_traps_on_a_line_have_the_autocovariance_of_their_rates(exact: bool, way: str, layout: dict[str, Any]) -> None:
    """sum_j dG_j^2 p (1-p) exp(-L/tau) for signals +1 and -1, of 24,000 products; bins of half a decade are 3 % off."""
    shape = (60, 20) if way == "forward" else (20, 60)
    weight = np.random.default_rng(3).uniform(0.3, 1, shape)
    bar, clock = made(shape, RTN | {"rtn_decades": 0.0}, weight, crossbar={"exact_noise": exact, **layout})
    signal = np.where(np.arange(20) % 3, 1.0, -1.0)
    mean = weight @ signal if way == "forward" else signal @ weight
    span = 0.5 if layout.get("mapping") else 1.0  # an offset device conducts (w + 1)/2 of g_max, worth 2 w
    g = (weight + 1) * 0.5 if span == 0.5 else weight
    each = np.zeros(60)
    for i, j in np.ndindex(*shape):
        each[i if way == "forward" else j] += (0.1 * g[i, j] / span) ** 2 * P * (1 - P)
    steps = [2e-6, 4e-6, 8e-6, 1.6e-5, 3.2e-5]
    found = np.concatenate(
        [series(bar, clock, np.tile(signal, (20, 1)), steps, way, batch) - mean for batch in range(20)], axis=1
    )
    ends = np.cumsum(steps)
    for one in range(5):
        for other in range(one, 5):
            measured = np.mean(found[one] * found[other] / each)
            lag = ends[other] - ends[one]
            assert measured == pytest.approx(math.exp(-lag / TAU), abs=4 * math.sqrt(2 / 24000) + 0.07), (one, other)


def nyquist(g: float, kelvin: float, seconds: float, volts: float) -> float:
    """Return the variance of a read of g [uS] in uS^2: 4 k T G B over V^2, B = 1/(2 t)."""
    amperes_squared = 4 * K * kelvin * g * 1e-6 / (2 * seconds)
    return amperes_squared / volts**2 * 1e12


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("layout", [{}, {"rows": 4, "columns": 4}, {"slices": 2, "slice_bits": 6}])
def test_thermal_noise_is_that_of_all_conductances_of_a_line(exact: bool, layout: dict[str, Any]) -> None:
    """Pairs, tiles and slices, drives of any sign: sum over devices 4kTGB/V^2; 12,000 reads within 4 sigma."""
    weight = np.random.default_rng(3).uniform(0.2, 1, (6, 9))
    parts = {"temperature": 330.0, "timing": {"integration": 1e-8}, "crossbar": {"exact_noise": exact, **layout}}
    bar, clock = made((6, 9), WARM | FAINT if exact else WARM, weight, **parts)
    x = np.linspace(-1, 1, 9)
    found = series(bar, clock, np.tile(x, (2000, 1)), [1e-8])[0] - bar.weights() @ x
    plus, minus = (np.asarray(side, dtype=np.float64) for side in bar.conductances())
    factors = [plane.factor for plane in bar.planes]
    for line in range(6):
        whole = 0.0
        for k, factor in enumerate(factors):
            for j in range(9):
                for g in (plus[k, line, j], minus[k, line, j]):
                    whole += nyquist(g, 330.0, 1e-8, 0.02) * (factor / G_MAX) ** 2
        assert found[:, line].var() == pytest.approx(whole, rel=5 * math.sqrt(2 / 2000))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("law", ["proportional", "sqrt", "pcm"])
def test_thermal_noise_has_no_memory_beside_noise_that_has(exact: bool, way: str, law: str) -> None:
    """Two reads share the slow and carried noise of the law, and nothing of what is thermal; of 12,000 products."""
    size = {"proportional": 0.006, "sqrt": 0.006, "pcm": 0.0015}[law]
    device = WARM | {"read_noise": size, "read_noise_law": law}
    if law != "pcm":
        device["read_noise_band"] = [1e-4, 1e-2]
    parts = {"temperature": 330.0, "timing": {"integration": 1e-8}, "crossbar": {"exact_noise": exact}}
    bar, clock = made((30, 30), device, **parts)
    one, other = (values - 30 for values in series(bar, clock, np.ones((400, 30)), [1e-8, 1e-8], way))
    warm = 30 * nyquist(G_MAX, 330.0, 1e-8, 0.02) / G_MAX**2
    own = 30 * float(bar.device.noise.sigma(np.float32([G_MAX]), np.float32([G_MAX]), bar.device, 0.0)[0] / G_MAX) ** 2
    band = bar.device.noise.band(bar.device, 0.0)
    expected = own * band.lasting(1e-8) / (own + warm)
    assert 0.1 < expected < 0.95, "both act"
    assert np.mean(one**2) == pytest.approx(own + warm, rel=0.12)
    assert np.mean(one * other) / np.mean(one**2) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("references", [1, 3])
def test_thermal_noise_and_traps_of_reference_lines_have_no_memory_either(references: int) -> None:
    """What all outputs of a tile have in common, of 3,000 samples: its second read foretells the law's share of it."""
    device = WARM | {"read_noise": 0.002, "read_noise_law": "proportional", "read_noise_band": [1e-4, 1e-2]}
    layout = {"mapping": "offset", "reference": "analog", "reference_lines": references}
    parts = {"temperature": 330.0, "timing": {"integration": 1e-8}, "crossbar": layout}
    bar, clock = made((200, 20), device, 0.0, dac={"range": 1.0, "bits": 16}, **parts)
    one, other = (values.mean(1) for values in series(bar, clock, np.ones((3000, 20)), [1e-8, 1e-8]))
    g = G_MAX / 2
    warm, own = nyquist(g, 330.0, 1e-8, 0.02), (0.002 * g) ** 2
    common = 20 * (warm + own) * 4 / G_MAX**2 * (1 / references + 1 / 200)
    assert one.var() == pytest.approx(common, rel=0.15)
    assert np.mean(one * other) / one.var() == pytest.approx(own / (own + warm), abs=0.08)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("temperature", [None, 350.0])
def test_behind_wires_slow_noise_stays_and_thermal_noise_is_fresh(exact: bool, temperature: float | None) -> None:
    """Wires of a tenth of an ohm: as without them within 5 %. Two reads at one moment differ by what is thermal."""
    device = {"g_max": G_MAX, "read_noise": 0.02, "read_noise_law": "proportional", "read_noise_band": [1.0, 10.0]}
    if temperature:
        device |= {"read_voltage": 0.02}
    parts = {"temperature": temperature, "timing": {"integration": 1e-8}, "crossbar": {"exact_noise": exact}}
    bar, clock = made((25, 16), device, batch=1e-3, wires={"r_word": 0.1, "r_bit": 0.1}, **parts)
    one, other = series(bar, clock, np.ones((400, 16)), [1e-8, 1e-8])
    fresh = 16 * nyquist(G_MAX, temperature, 1e-8, 0.02) / G_MAX**2 if temperature else 0.0
    assert (one - other).var() / 2 == pytest.approx(fresh, rel=0.05, abs=1e-10)
    slow = (bar.weights() - 1).var()
    assert slow == pytest.approx(0.02**2, rel=4 * math.sqrt(2 / 400))
    assert one.mean(0) == pytest.approx(bar.weights().sum(1), abs=5 * math.sqrt(fresh / 400) + 1e-5)


def test_traps_behind_wires_are_in_every_read() -> None:
    """sum_j dG^2 p (1 - p), half a tenth of an ohm away from no wires, device by device; 10,000 reads."""
    for exact in (False, True):
        bar, clock = made((25, 16), RTN, wires={"r_word": 0.1, "r_bit": 0.1}, crossbar={"exact_noise": exact})
        off = series(bar, clock, np.ones((400, 16)), [STEP])[0] - bar.weights().sum(1)
        assert off.var() == pytest.approx(16 * 0.01 * P * (1 - P), rel=4 * math.sqrt(2 / 10000) + 0.02)


def test_the_onset_of_drift_is_activated_device_by_device() -> None:
    """g (1 + t/t0(T))^-nu, t0(T) = t0 exp(E/k (1/T - 1/T0)): 60 K above the fit, .3 eV, after an hour on the clock."""
    device = {
        "g_max": G_MAX, "age": 1.0, "drift_mean": [0.0, 0.05, 0.05, 0.05], "drift_start": 20.0,
        "drift_activation": 0.3, "drift_temperature": 300.0,
    }  # fmt: skip
    weight = np.random.default_rng(1).uniform(0.1, 1, (5, 7))
    bar, clock = made((5, 7), device, weight, temperature=360.0)
    start = 20.0 * math.exp(0.3 * E / K * (1 / 360.0 - 1 / 300.0))
    assert start < 4, "hotter devices drift earlier"
    for hours in (1, 10):
        clock.wrote(3600.0 * (1 if hours == 1 else 9))
        clock.batches += 1
        clock.opened(1)
        bar.catch_up()
        for i, j in np.ndindex(5, 7):
            expected = weight[i, j] * (1 + hours * 3600.0 / start) ** -0.05
            assert bar.weights()[i, j] == pytest.approx(expected, rel=1e-5)


def test_devices_age_while_the_chip_learns_and_each_from_its_own_pulse() -> None:
    """Pulses at different times of the clock; every device reads g (1 + t/t0)^-nu of the time since its own."""
    device = {"g_max": G_MAX, "age": 1.0, "drift_mean": [0.0, 0.05, 0.05, 0.05]}
    bar, clock = made((4, 6), device, 0.8, update={"scheme": "pulsed"})
    wrote, held = np.zeros((4, 6)), np.full((4, 6), 0.8)
    for turn in range(4):
        series(bar, clock, np.ones((3, 6)), [1.0], batch=turn)
        which = np.zeros((4, 6), dtype=bool)
        which[turn, ::2] = True
        bar.elapse()
        bar.stored[which] *= 0.9
        bar.refresh()
        held[which] *= 0.9
        wrote[which] = clock.time
        clock.wrote(10.0 * (turn + 1))
    series(bar, clock, np.ones((3, 6)), [50.0], batch=4)
    clock.opened(1)
    bar.catch_up()
    for i, j in np.ndindex(4, 6):
        expected = held[i, j] * (1 + (clock.time - wrote[i, j]) / 20.0) ** -0.05
        assert bar.weights()[i, j] == pytest.approx(expected, rel=2e-5), (i, j)


DEVICES = {
    "pcm": {"read_noise": 0.0088, "read_noise_law": "pcm"},
    "band": {"read_noise": 0.05, "read_noise_law": "proportional", "read_noise_band": [1e-6, 1e3]},
    "uniform": {"read_noise": 0.1, "read_noise_band": [1e-6, 1e3]},
    "traps": RTN | {"rtn_decades": 6.0, "read_noise": 0.02},
    "drift": {"age": 86400.0, "drift_mean": [0.0, 0.05, 0.05, 0.05], "read_noise": 0.0088, "read_noise_law": "pcm"},
}


def learned(bar: Crossbar, clock: Clock, turns: range) -> np.ndarray:
    """Return reads of some updates of a chip that is written anew behind each batch."""
    found, rng = [], np.random.default_rng(17)
    signals = rng.uniform(0, 1, (5, 8))
    weights = [rng.uniform(0.2, 1, bar.shape) for _ in range(9)]
    for turn in turns:
        found.append(series(bar, clock, signals * (1 + turn), [STEP, 3e-5, 1e-4], batch=turn))
        found.append(bar.transposed(rng.normal(size=(5, bar.shape[0])))[None, :, :0].repeat(3, 0))
        bar.elapse()
        bar.begin("write", turn)
        bar.program(weights[turn])
        clock.wrote(0.2)
    return np.stack([values for values in found if values.size])


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("exact", [False, True])
def test_a_state_taken_in_the_middle_goes_on_with_the_same_bits(name: str, exact: bool) -> None:
    parts = {"crossbar": {"exact_noise": exact}, "timing": {"copies": 2}}
    whole, time = made((6, 8), DEVICES[name], 0.7, **parts)
    expected = learned(whole, time, range(5))
    first, before = made((6, 8), DEVICES[name], 0.7, **parts)
    start = learned(first, before, range(3))
    other, later = made((6, 8), DEVICES[name], 0.3, **parts)
    later.load(before.state())
    other.load(first.state())
    np.testing.assert_array_equal(np.concatenate([start, learned(other, later, range(3, 5))]), expected)


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("exact", [False, True])
def test_a_look_at_a_day_from_now_leaves_no_trace_on_a_clock(name: str, exact: bool) -> None:
    """Neither slow noise nor traps are a day further afterwards."""
    found = []
    for looks in (False, True):
        bar, clock = made((6, 8), DEVICES[name], 0.7, crossbar={"exact_noise": exact})
        start = learned(bar, clock, range(2))
        if looks:
            before = bar.state()
            with bar.later(86400.0):
                bar.forward(np.ones((2, 8)))
                bar.step -= 1
            after = bar.state()
            for what in ("noise.about", "noise.values"):
                np.testing.assert_array_equal(before[what], after[what], err_msg=what)
        found.append(np.concatenate([start, learned(bar, clock, range(2, 5))]))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("name", ["pcm", "traps"])
@pytest.mark.parametrize("exact", [False, True])
def test_without_durations_a_clock_changes_no_bit(name: str, exact: bool) -> None:
    device = {field: value for field, value in DEVICES[name].items() if field != "rtn_decades"}
    chip = Chip.model_validate({"device": device, "crossbar": {"exact_noise": exact}})
    found = []
    for clock in (None, Clock(), durations.clock(chip.timing)):
        bar, reads = Crossbar(chip, (7, 5), 2, clock=clock, dtype="float64"), []
        for batch in range(3):
            if clock is not None:
                clock.opened(4)
                bar.catch_up()
            bar.begin("b", batch)
            bar.program(np.full((7, 5), 0.5))
            reads.append(bar.forward(np.ones((4, 5))))
            reads.append(bar.forward(np.ones((4, 5))))
            if clock is not None:
                clock.close()
                clock.wrote(0.0)
        assert not np.array_equal(reads[0], reads[1])
        assert set(bar.state()).isdisjoint({"noise.about", "noise.values"})
        found.append(np.stack(reads))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("exact", [False, True])
def test_traps_without_a_clock_are_read_where_the_input_is_not_held(exact: bool) -> None:
    """sum_j dG^2 p (1 - p) in every read, and nothing in common with the next; 12,000 of each."""
    chip = Chip.model_validate({"device": RTN, "crossbar": {"exact_noise": exact, "hold_input": False}})
    bar = Crossbar(chip, (40, 20), 2, dtype="float64")
    bar.program(np.ones((40, 20)))
    one, other = (bar.forward(np.ones((300, 20))) - 20 for _ in range(2))
    own = 20 * 0.01 * P * (1 - P)
    assert np.mean(one**2) == pytest.approx(own, rel=0.08)
    assert np.mean(one * other) / own == pytest.approx(0, abs=4 / math.sqrt(12000))


@pytest.mark.parametrize("exact", [False, True])
def test_a_rectified_read_has_the_mean_and_variance_of_its_law_on_a_clock(exact: bool) -> None:
    """max(0, g + sigma z), Q at its cap for small g; slow, carried and white parts together; 20,000 devices."""
    device = {"read_noise": 0.2, "read_noise_law": "pcm", "read_noise_cap": 0.3, "read_noise_exponent": 1.0}
    bar, clock = made((200, 100), device, 0.05, crossbar={"exact_noise": exact}, batch=1e-3)
    found = series(bar, clock, np.eye(100), [STEP])[0] / 0.05
    spread = 0.3 * math.sqrt(math.log((20.0 + 250e-9) / 500e-9))
    z = np.random.default_rng(0).normal(size=200000)
    twin = np.maximum(0, 1 + spread * z)
    assert spread > 1, "many reads are cut at 0"
    assert found.mean() == pytest.approx(twin.mean(), rel=4 * twin.std() / twin.mean() / math.sqrt(20000))
    assert found.var() == pytest.approx(twin.var(), rel=0.08)


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("exact", [False, True])
def test_threads_and_the_order_of_blocks_change_no_bit(name: str, exact: bool) -> None:
    """Blocks one after the other, backwards, and side by side."""

    def backwards(task: Callable[[int, int], Any], parts: Iterable[tuple[int, int]]) -> list[Any]:
        return [task(*part) for part in reversed(list(parts))][::-1]

    def beside(task: Callable[[int, int], Any], parts: Iterable[tuple[int, int]]) -> list[Any]:
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda part: task(*part), list(parts)))

    found = []
    for run in (None, backwards, beside):
        layout = {"exact_noise": exact, "weight_range": 1.0, "rows": 16}
        parts = {"device": DEVICES[name], "timing": {"integration": STEP}, "crossbar": layout}
        chip = Chip.model_validate(parts)
        clock = durations.clock(chip.timing)
        bar = Crossbar(chip, (20, 40), 4, clock=clock, dtype="float64", **({"run": run} if run else {}))
        bar.read_at(0.0)
        bar.program(np.full((20, 40), 0.6))
        reads = [series(bar, clock, np.ones((5, 40)), [STEP, 1e-4], batch=batch) for batch in range(2)]
        back = bar.transposed(np.ones((5, 20)))
        found.append((np.stack(reads), back))
    for reads, back in found[1:]:
        np.testing.assert_array_equal(reads, found[0][0])
        np.testing.assert_array_equal(back, found[0][1])


@pytest.mark.parametrize("copies", [1, 4])
def test_now_is_the_sum_of_all_that_was_done(copies: int) -> None:
    """Sweeps, holds and updates of some batches of different sizes, summed sample by sample and copy by copy."""
    clock = durations.clock(Chip.model_validate({"timing": {"integration": STEP, "copies": copies}}).timing)
    free_at, picoseconds = [0.0] * copies, 0
    for samples, sweeps, hold, update in ((7, 5, 1e-6, 0.25), (4, 9, 2e-6, 0.0), (1, 3, 0.0, 1.5)):
        clock.opened(samples)
        for _ in range(sweeps):
            clock.advance(STEP)
        clock.advance(2 * hold)
        each = sweeps * STEP + 2 * hold
        begin = max(free_at)
        free_at = [begin] * copies
        for sample in range(samples):
            assert clock.time - clock.within + sample // copies * each == pytest.approx(free_at[sample % copies])
            free_at[sample % copies] += each
        clock.close()
        assert clock.now == pytest.approx(max(free_at))
        assert clock.sample == pytest.approx(each)
        clock.wrote(update)
        picoseconds += round((max(free_at) - begin + update) * 1e12)
        free_at = [max(free_at) + update] * copies
    assert clock.now == pytest.approx(max(free_at))
    assert sum(number for _, number in clock.counted().rows()) == pytest.approx(picoseconds, abs=9)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("signal", [0.0, 0.01, 0.5])
def test_thermal_noise_does_not_go_by_the_drive(exact: bool, signal: float) -> None:
    """Of lines at rest and of driven ones: 4 k T B sum_j G_j over the square of the voltage of signal 1."""
    parts = {"temperature": 330.0, "timing": {"integration": 1e-8}, "crossbar": {"exact_noise": exact}}
    bar, clock = made((30, 20), WARM | FAINT if exact else WARM, **parts)
    small, full = (
        series(bar, clock, np.full((400, 20), drive), [1e-8])[0] - 20 * drive for drive in (signal, 1.0)
    )
    expected = 20 * nyquist(G_MAX, 330.0, 1e-8, 0.02) / G_MAX**2
    assert full.var() == pytest.approx(expected, rel=0.05)
    assert small.var() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("references", [1, 3])
def test_thermal_noise_of_every_line_goes_by_the_full_scale(exact: bool, way: str, references: int) -> None:
    """Variances and covariances of outputs of tiles with reference lines, at rest, R = 3: sums over devices by hand."""
    layout = {"mapping": "offset", "reference": "analog", "reference_lines": references, "rows": 5, "columns": 4}
    parts = {"temperature": 330.0, "timing": {"integration": 1e-8}, "crossbar": layout | {"exact_noise": exact}}
    weight = np.random.default_rng(5).uniform(-1, 1, (8, 10))
    bar, clock = made((8, 10), WARM | FAINT if exact else WARM, weight, dac={"range": 3.0, "bits": 16}, **parts)
    forward = way == "forward"
    found = series(bar, clock, np.zeros((20000, 10 if forward else 8)), [1e-8], way)[0]
    unit = nyquist(1.0, 330.0, 1e-8, 0.02) * 9 * (2 / G_MAX) ** 2
    g = G_MAX / 2 * (1 + weight)
    if forward:
        expected = np.diag(g.sum(1))
        for first in (0, 4):
            expected[first : first + 4, first : first + 4] += 10 * G_MAX / 2 / references
    else:
        expected = np.diag(g.sum(0) + 2 * references * G_MAX / 2)
    spread = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.cov(found.T) / unit / spread == pytest.approx(expected / spread, abs=5 * math.sqrt(2 / 20000))


@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_every_digit_has_thermal_noise_of_its_own(way: str) -> None:
    """Codes of 4 bits sent bit by bit: sum_m (2^m/15)^2 of that of a whole read, of 4,000 reads of 20 lines."""
    parts = {"temperature": 330.0, "timing": {"integration": 1e-8}}
    dac = {"range": 2.0, "bits": 4, "digit_bits": 1, "sign": "unsigned"}
    bar, clock = made((20, 20), WARM, dac=dac, **parts)
    found = series(bar, clock, np.zeros((4000, 20)), [1e-8], way)[0]
    whole = 20 * nyquist(G_MAX, 330.0, 1e-8, 0.02) * 4 / G_MAX**2
    expected = whole * sum((2**m / 15) ** 2 for m in range(4))
    assert found.var() == pytest.approx(expected, rel=5 * math.sqrt(2 / 80000))


def test_increments_have_the_thermal_noise_of_their_own_full_scale() -> None:
    """A DAC range of a hundredth leaves a hundredth of the deviation, as the read voltage belongs to full scale."""
    parts = {"temperature": 330.0, "timing": {"integration": 1e-8}, "nudged": {"drive": "increments"}}
    bar, clock = made((20, 20), WARM, dac={"bits": 12}, **parts)
    clock.opened(400)
    bar.observe()
    bar.forward(np.ones((400, 20))), bar.forward(np.full((400, 20), 0.01), increments=True)
    bar.freeze()
    deviations = []
    for increments in (False, True):
        full = (bar.increments if increments else bar.converters).of("forward")[0].range
        assert full == pytest.approx(0.01 if increments else 1.0, rel=0.5)
        deviations.append(bar.forward(np.zeros((400, 20)), increments=increments).std() / full)
    whole = math.sqrt(20 * nyquist(G_MAX, 330.0, 1e-8, 0.02)) / G_MAX
    assert deviations == pytest.approx([whole, whole], rel=0.05)


@pytest.mark.parametrize("references", [None, 2])
@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_thermal_noise_behind_wires_is_that_of_the_same_sums(way: str, references: int | None) -> None:
    """Tiles at rest behind a hundredth of an ohm, without other noise: what they have without wires."""
    layout: dict[str, Any] = {"rows": 5, "columns": 4}
    if references:
        layout |= {"mapping": "offset", "reference": "analog", "reference_lines": references}
    parts = {"temperature": 330.0, "timing": {"integration": 1e-8}, "crossbar": layout}
    found = []
    for wires in ({}, {"r_word": 0.01, "r_bit": 0.01}):
        bar, clock = made((8, 10), WARM, 0.5, wires=wires, dac={"range": 1.0, "bits": 16}, **parts)
        found.append(series(bar, clock, np.zeros((4000, 10 if way == "forward" else 8)), [1e-8], way)[0])
    assert (found[0].std(0) > 0).all()
    assert found[1].var(0) == pytest.approx(found[0].var(0), rel=6 * math.sqrt(2 / 4000))


def test_thermal_noise_follows_what_devices_hold_and_a_state_goes_on_with_the_same_bits() -> None:
    """Weights changed in memory: its variance is that of the new sums, and reads of a loaded state are the same."""
    parts = {"temperature": 330.0, "timing": {"integration": 1e-8}, "update": {"scheme": "pulsed"}}
    bar, clock = made((6, 20), WARM, 1.0, **parts)
    before = series(bar, clock, np.zeros((4000, 20)), [1e-8])[0].var()
    bar.stored[...] = 0.25
    bar.refresh()
    other, later = made((6, 20), WARM, 0.7, **parts)
    later.load(clock.state())
    other.load(bar.state())
    after = series(bar, clock, np.zeros((4000, 20)), [1e-8], batch=1)[0]
    assert after.var() == pytest.approx(before / 4, rel=0.05)
    np.testing.assert_array_equal(after, series(other, later, np.zeros((4000, 20)), [1e-8], batch=1)[0])
