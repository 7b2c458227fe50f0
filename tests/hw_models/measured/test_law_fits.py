"""Laws of programming, read noise, retention and currents, found again in measurements drawn by their equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hw_models.chip import Device
from hw_models.errors import ChipError
from hw_models.measured import law_fits
from hw_models.measured.current_fit import fit_currents
from hw_models.measured.law_fits import LawFit, Tried
from hw_models.measured.programming_error import fit_programming
from hw_models.measured.read_noise_fit import fit_read_noise, likely
from hw_models.measured.retention_fit import fit_retention
from hw_models.measured.tables import MeasuredTable, read_table
from tests.benchmarks import law_coverage
from tests.naive import law_measurements as measurements

Columns = Mapping[str, np.ndarray]


def table(folder: Path, columns: Columns) -> MeasuredTable:
    """Write columns and read them."""
    path = folder / "a.csv"
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")
    return read_table(path)


def programmed(seed: int, mismatch: float = 0.0, devices: int = 40) -> Columns:
    """Write and verify of the polynomial of phase-change memory, of 12 targets each [uS]."""
    draw = np.random.default_rng(seed)
    device = np.repeat(np.arange(devices), 12)
    target = np.tile(np.linspace(0.5, 25, 12), devices)
    v = target / 25
    sigma = 0.26348 + 1.9650 * v - 1.1731 * v**2
    gain = mismatch * draw.normal(size=devices)[device]
    achieved = target * (1 + gain) + sigma * draw.normal(size=len(v))
    return {"device": device, "target": target, "achieved": achieved}


def drifted(seed: int, nu: float = 0.05, spread: float = 0.01, t0: float = 20.0, tau: float = 0.0) -> Columns:
    """Twelve devices over four decades of time."""
    draw = np.random.default_rng(seed)
    time = np.tile(np.geomspace(5, 1e5, 18), 12)
    device = np.repeat(np.arange(12), 18)
    g = draw.uniform(3, 25, 12)[device]
    fall = (1 + time / t0) ** -(nu + spread * draw.normal(size=12))[device]
    if tau:
        fall = np.exp(-time / (tau * np.exp(0.3 * draw.normal(size=12)))[device])
    return {"device": device, "time [s]": time, "g [uS]": g * fall * (1 + 0.002 * draw.normal(size=216))}


def noisy(law: str, seed: int) -> Columns:
    """Sigma of 25 conductances, known to 5 %."""
    g = np.linspace(1, 25, 25)
    sigma = {"additive": 0.2 + 0 * g, "sqrt": 0.01 * np.sqrt(g * 25), "proportional": 0.02 * g}
    sigma["pcm"] = 0.01 * g * (g / 25) ** -0.65 * np.sqrt(np.log((20 + 250e-9) / 500e-9))
    return {"g": g, "sigma": sigma[law] * np.exp(0.05 * np.random.default_rng(seed).normal(size=25))}


def conducted(law: str, seed: int) -> Columns:
    """Five devices from -0.5 to 0.5 V."""
    draw = np.random.default_rng(seed)
    v = np.tile(np.linspace(-1, 1, 21), 5)
    g = np.repeat(draw.uniform(5, 20, 5), 21)
    shape = {"linear": v, "cubic": 0.75 * v + 0.25 * v**3, "sinh": np.sinh(2 * v) / np.sinh(2)}[law]
    current = g * 0.5 * shape * (1 + 0.003 * draw.normal(size=105))
    return {"device": np.repeat(np.arange(5), 21), "voltage [mV]": 500 * v, "current [nA]": 1e3 * current}


def test_the_polynomial_of_programming_and_gains(tmp_path: Path) -> None:
    found = fit_programming(table(tmp_path, programmed(1, 0.04, 120)), 25.0)
    assert found.law == "order 2"
    device = Device(**found.device)  # type: ignore[arg-type]
    v = np.linspace(0.05, 1, 5)
    assert np.polyval(device.programming_noise[::-1], v) == pytest.approx(0.26348 + 1.965 * v - 1.1731 * v**2, rel=0.15)
    drawn = float(np.std(0.04 * np.random.default_rng(1).normal(size=120)))  # 0.034
    assert found.estimates["mismatch"].low < drawn < found.estimates["mismatch"].high
    assert device.mismatch == pytest.approx(drawn, rel=0.1)
    assert found.r2 > 0.98


def test_intervals_of_programming_cover(tmp_path: Path) -> None:
    inside = []
    for seed in range(6):
        one = fit_programming(table(tmp_path, programmed(100 + seed)), 25.0)
        if one.law == "order 2":
            truth = (0.26348, 1.965, -1.1731)
            inside += [one.estimates[f"programming_noise[{k}]"].low < x < one.estimates[f"programming_noise[{k}]"].high
                       for k, x in enumerate(truth)]  # fmt: skip
    assert len(inside) >= 9
    assert np.mean(inside) >= 0.85


def test_an_error_that_grows_with_the_age(tmp_path: Path) -> None:
    draw, columns = np.random.default_rng(3), programmed(3)
    time = np.tile([1.0, 60.0, 3600.0, 86400.0], 120)
    f = np.log(time) / np.log(86400)
    sigma = np.sqrt(0.5**2 + f * (1.5**2 - 0.5**2))
    achieved = columns["target"] + sigma * draw.normal(size=480)
    found = fit_programming(table(tmp_path, {**columns, "achieved": achieved, "time": time}), 25.0)
    device = Device(**found.device)  # type: ignore[arg-type]
    assert device.relaxation_times == (1.0, 86400.0)
    assert device.programming_noise_fresh[0] == pytest.approx(0.5, rel=0.2)
    assert device.programming_noise[0] == pytest.approx(1.5, rel=0.2)


def test_drift_and_loss(tmp_path: Path) -> None:
    found = fit_retention(table(tmp_path, drifted(3)), g_max=25.0)
    assert found.law == "drift"
    for name, truth in (("drift_start", 20.0), ("drift_mean", 0.05), ("drift_spread", 0.01)):
        assert found.estimates[name].low < truth < found.estimates[name].high
    device = Device(**found.device, age=1.0)  # type: ignore[arg-type]
    assert device.drift_mean[1] == device.drift_mean[3] == pytest.approx(found.estimates["drift_mean"].value, rel=1e-3)
    assert found.r2 > 0.99
    found = fit_retention(table(tmp_path, drifted(4, tau=3e4)))
    assert found.law == "loss"
    assert found.estimates["retention"].low < 3e4 < found.estimates["retention"].high
    assert found.estimates["retention_spread"].low < 0.3 < found.estimates["retention_spread"].high
    still = fit_retention(table(tmp_path, drifted(5, nu=0.0, spread=0.0)))
    assert (still.law, still.device) == ("none", {})


def test_a_start_that_times_do_not_tell_is_one_that_they_allow(tmp_path: Path) -> None:
    """The nearest to the first time; a value outside of its own interval would contradict itself."""
    found = fit_retention(table(tmp_path, drifted(6, t0=1e-3)))
    start = found.estimates["drift_start"]
    assert not start.told and start.low == 0.0
    assert found.device["drift_start"] == pytest.approx(min(5.0, start.high), rel=1e-3)
    assert start.low <= start.value <= start.high
    assert any(note.startswith("Times do not tell t0: ") for note in found.notes)


@pytest.mark.parametrize("law", ["additive", "sqrt", "proportional", "pcm"])
def test_laws_of_read_noise(tmp_path: Path, law: str) -> None:
    found = fit_read_noise(table(tmp_path, noisy(law, 7)), 25.0)
    assert found.law == law
    truth = {"additive": 0.2, "sqrt": 0.01, "proportional": 0.02, "pcm": 0.01}[law]
    assert found.estimates["read_noise"].value == pytest.approx(truth, rel=0.04)
    if law == "pcm":
        one = found.estimates["read_noise_exponent"]
        assert one.low < 0.65 < one.high
    Device(g_max=25.0, **found.device)  # type: ignore[arg-type]


def test_reads_in_traces(tmp_path: Path) -> None:
    draw = np.random.default_rng(8)
    device = np.repeat(np.arange(10), 200)
    g = np.linspace(2, 20, 10)[device]
    read = g * (1 + 0.03 * draw.normal(size=2000)) + 1e-4 * np.tile(np.arange(200), 10) * g
    found = fit_read_noise(table(tmp_path, {"device": device, "read": np.tile(np.arange(200), 10), "g": read}), 20.0)
    assert found.law == "proportional"
    assert found.estimates["read_noise"].value == pytest.approx(0.03, rel=0.05)


def test_sigma_of_few_reads_is_not_low(tmp_path: Path) -> None:
    """E ln s of six reads is 0.14 below ln sigma: intervals held the truth in 0 of 20 sets of 200 x 8."""
    inside, values = 0, []
    for seed in range(5):
        device = np.repeat(np.arange(60), 6)
        g = np.random.default_rng((41, seed)).uniform(2, 25, 60)[device]
        read = g + 0.4 * np.random.default_rng((42, seed)).normal(size=360)
        found = fit_read_noise(table(tmp_path, {"device": device, "read": np.tile(np.arange(6), 60), "g": read}), 25.0)
        one = found.estimates["read_noise"]
        assert found.law == "additive"
        inside += one.low < 0.4 < one.high
        values.append(one.value)
    assert inside >= 4
    assert np.mean(values) == pytest.approx(0.4, rel=0.05)


@pytest.mark.parametrize("seed", range(6))
def test_few_devices_do_not_make_a_law_that_fits_nothing(tmp_path: Path, seed: int) -> None:
    """Five devices from 6 to 23 uS: by scores alone, whose error is wide, noise was additive in two sets of three."""
    draw = np.random.default_rng(seed)
    g = np.linspace(6, 23, 5)
    reads = g[:, None] * (1 + 0.02 * draw.normal(size=(5, 40)))
    columns = {"device": np.repeat(np.arange(5), 40), "read": np.tile(np.arange(40), 5), "conductance": reads.ravel()}
    fit = fit_read_noise(table(tmp_path, columns))
    assert fit.law == "proportional"
    assert not any("does not fit" in note for note in fit.notes)


@pytest.mark.parametrize("known", [True, False], ids=["reads", "sigma"])
@pytest.mark.parametrize("law", ["additive", "sqrt", "proportional"])
def test_a_right_law_of_read_noise_is_seldom_refused(law: str, known: bool) -> None:
    """Of 600 sets of 8 devices and 30 reads each 1 in 100 at most by chance, and a wrong law in most of them."""
    draw = np.random.default_rng(3)
    g = np.geomspace(2.5, 25, 8)
    power = {"additive": 0.0, "sqrt": 0.5, "proportional": 1.0}
    x = np.stack([np.ones(8), np.log(g)], axis=1)
    strays = np.full(8, 0.25 * 2 / 29)
    refused = dict.fromkeys(power, 0)
    for _ in range(600):
        reads = np.exp(power[law] * np.log(g))[:, None] * draw.normal(size=(8, 30))
        y = np.log(reads.std(axis=1, ddof=1))
        free = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        for name, e in power.items():
            left = y - e * np.log(g) - (y - e * np.log(g)).mean()
            refused[name] += likely(left, free, strays, known) < 0.01
    assert refused.pop(law) < 15
    assert min(refused.values()) > 400


def test_a_law_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    """Whatever the data say; what it leaves is told all the same."""
    reads = table(tmp_path, noisy("proportional", 7))
    found = fit_read_noise(reads, 25.0, asked="additive")
    assert (found.law, found.device["read_noise_law"]) == ("additive", "additive")
    assert any("it does not fit" in note for note in found.notes)
    assert fit_retention(table(tmp_path, drifted(6)), asked="none").law == "none"
    with pytest.raises(ChipError, match=r"unknown law 'propotional': allowed are .*; did you mean 'proportional'\?"):
        fit_read_noise(reads, 25.0, asked="propotional")


def test_reads_alike_take_the_law_that_is_asked_for(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    reads = {"device": np.repeat(np.arange(4), 50), "read": np.tile(np.arange(50), 4), "g": 10 + draw.normal(size=200)}
    assert fit_read_noise(table(tmp_path, reads)).law == "additive"
    assert fit_read_noise(table(tmp_path, reads), asked="proportional").law == "proportional"


def test_an_order_of_programming_that_is_asked_for(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    target = np.tile(np.linspace(2, 20, 10), 20)
    error = table(tmp_path, {"target": target, "achieved": target + 0.3 * draw.normal(size=200)})
    assert fit_programming(error).law == "order 0"
    for asked in ("2", "order 2"):
        found = fit_programming(error, asked=asked)
        assert found.law == "order 2" and len(found.device["programming_noise"]) == 3
    with pytest.raises(ChipError, match="unknown law 'order 9': allowed are order 0, order 1"):
        fit_programming(error, asked="9")


def test_reads_are_freed_of_a_line_in_their_time(tmp_path: Path) -> None:
    """Not in the order of rows: these are shuffled, and times far from even."""
    draw = np.random.default_rng(8)
    device, time = np.repeat(np.arange(10), 40), np.tile(np.geomspace(1, 1000, 40), 10)
    g = np.linspace(5, 20, 10)[device] + 0.05 * draw.normal(size=400) + 0.003 * time
    order = draw.permutation(400)
    found = fit_read_noise(table(tmp_path, {"device": device[order], "time": time[order], "g": g[order]}), 25.0)
    assert found.estimates["read_noise"].value == pytest.approx(0.05, rel=0.1)
    with pytest.raises(ChipError, match="device '0': all its reads are at one time"):
        fit_read_noise(table(tmp_path, {"device": device, "time": 0 * time, "g": g}), 25.0)


def test_the_start_of_drift_has_an_interval_between_the_points_of_a_search(tmp_path: Path) -> None:
    """It held the truth in 2 of 30 sets, being a point of the grid on both ends."""
    inside = 0
    for seed in range(3):
        start = fit_retention(table(tmp_path, drifted(60 + seed)), g_max=25.0).estimates["drift_start"]
        assert start.told and start.low < start.value < start.high < 1.5 * start.low
        inside += start.low < 20 < start.high
    assert inside >= 2


def test_noise_of_programming_beside_gains_told_by_few_writes(tmp_path: Path) -> None:
    """Three writes of a device: a gain of its own takes a part of their noise, which is given back."""
    values, means = [], []
    for seed in range(2):
        draw = np.random.default_rng((3, seed))
        target, device = draw.uniform(0, 25, 300), np.repeat(np.arange(100), 3)
        achieved = target * (1 + 0.08 * draw.normal(size=100)[device]) + 0.5 * draw.normal(size=300)
        found = fit_programming(table(tmp_path, {"device": device, "target": target, "achieved": achieved}), 25.0)
        values.append(np.polyval(found.device["programming_noise"][::-1], 0.5))  # type: ignore[index]
        means.append(found.estimates["mismatch"].value)
        assert not any("off its target" in note for note in found.notes)
    assert np.mean(values) == pytest.approx(0.5, rel=0.08)
    assert np.mean(means) == pytest.approx(0.08, rel=0.1)


def test_one_write_that_is_followed_in_time_tells_no_gain(tmp_path: Path) -> None:
    """Its error is the same draw at all ages: as gains it took 57 % of the grown noise away."""
    draw, ages = np.random.default_rng(4), np.array([1.0, 10, 100, 1e4])
    target = draw.uniform(0, 25, 60)
    grown = np.sqrt(np.log(ages) / np.log(1e4) * (0.9**2 - 0.3**2))
    achieved = (target + 0.3 * draw.normal(size=60))[:, None] + grown * draw.normal(size=(60, 1))
    columns = {"device": np.repeat(np.arange(60), 4), "time": np.tile(ages, 60), "target": np.repeat(target, 4)}
    found = fit_programming(table(tmp_path, {**columns, "achieved": achieved.ravel()}), 25.0)
    assert "mismatch" not in found.estimates
    for name, truth in (("programming_noise_fresh[0]", 0.3), ("programming_noise[0]", 0.9)):
        assert found.estimates[name].low < truth < found.estimates[name].high


@pytest.mark.parametrize("law", ["linear", "cubic", "sinh"])
def test_laws_of_currents(tmp_path: Path, law: str) -> None:
    found = fit_currents(table(tmp_path, conducted(law, 9)))
    assert found.law == law
    assert found.residual < 0.005
    if law == "cubic":
        assert found.device["iv_cubic"] == pytest.approx(0.25, rel=0.05)
    if law == "sinh":
        assert found.device["iv_voltage"] == pytest.approx(0.25, rel=0.03)
        one = found.estimates["iv_voltage"]
        assert one.low < one.value < one.high
    Device(**found.device)  # type: ignore[arg-type]


def test_a_law_that_does_not_fit_says_so(tmp_path: Path) -> None:
    columns = conducted("linear", 10)
    bent = {**columns, "current [nA]": columns["current [nA]"] * (1.2 + np.sin(columns["voltage [mV]"] / 40))}
    found = fit_currents(table(tmp_path, bent))
    assert any("it does not fit" in note for note in found.notes)
    wild = {**noisy("additive", 1), "sigma": 0.2 * np.exp(1.5 * np.sin(np.arange(25)))}
    found = fit_read_noise(table(tmp_path, wild))
    assert any("it does not fit. Sigma by conductance:" in note for note in found.notes)
    steps = programmed(2)
    jump = np.where(steps["target"] > 12, 8.0, 0.5) * np.where((steps["target"] > 14) & (steps["target"] < 20), 0.01, 1)
    draw = np.random.default_rng(1).normal(size=480)
    found = fit_programming(table(tmp_path, {**steps, "achieved": steps["target"] + jump * draw}))
    assert any("The polynomial does not fit: the spread over it by g/g_max is" in note for note in found.notes)


def swapped(columns: Columns, one: str, other: str) -> Columns:
    """Return a table whose columns stand under each other's names."""
    return {**columns, one: columns[other], other: columns[one]}


@pytest.mark.parametrize(
    ("fit", "columns", "line"),
    [
        (fit_programming, {"target": np.ones(5), "achieved": np.ones(5)}, "5 rows of target and achieved: at least 20"),
        (fit_programming, {**programmed(1), "achieved": -programmed(1)["target"]}, "are the columns swapped"),
        (fit_programming, {**programmed(1), "time": np.zeros(480)}, "time 0: ages above 0 are needed"),
        (fit_retention, swapped(drifted(1), "time [s]", "g [uS]"), "sort it, or are the columns swapped"),
        (fit_retention, {"time": np.arange(3.0), "g": np.ones(3)}, "device '0' has 3 times: at least 4 are needed"),
        (fit_retention, {"time": np.arange(5.0), "g": np.arange(5.0)}, "line 2: conductance 0 uS: above 0 is needed"),
        (fit_read_noise, swapped(noisy("additive", 1), "g", "sigma"), "sigma is larger than conductance"),
        (fit_read_noise, {"g": np.ones(2), "sigma": np.ones(2)}, "2 points of sigma: at least 3 are needed"),
        (fit_read_noise, {"g": np.ones(4), "sigma": np.zeros(4)}, "conductance 1 and sigma 0 uS: both above 0"),
        (fit_read_noise, {"read": np.arange(4), "g": np.ones(4)}, "device '0' has 4 reads: at least 5 are needed"),
        (fit_currents, {"voltage": np.arange(4.0), "current": np.arange(4.0)}, "device '0' has 4 voltages: at least 6"),
        (fit_currents, {"voltage": np.zeros(9), "current": np.ones(9)}, "all voltages are 0"),
        (fit_currents, {"voltage": np.arange(9.0), "current": -np.arange(9.0)}, "current falls as the voltage grows"),
    ],
)
def test_what_cannot_be_fitted(
    tmp_path: Path, fit: Callable[[MeasuredTable], LawFit], columns: Columns, line: str
) -> None:
    with pytest.raises(ChipError, match=line) as raised:
        fit(table(tmp_path, columns))
    assert "\n" not in str(raised.value)


def test_of_laws_of_which_some_fit_those_are_asked() -> None:
    one, other = Tried("simple", np.array([0.0, 1.0]), 0.0), Tried("right", np.array([5.0, 1.1]), 0.9, 1)
    assert law_fits.chosen([one, other]) == "simple"
    bad = replace(one, fits=False)
    assert law_fits.chosen([bad, other]) == "right"
    assert law_fits.chosen([bad, replace(other, fits=False)]) == "simple"


def test_the_simplest_of_equals_is_chosen() -> None:
    tried = [Tried("a", np.array([1.0, 2.0, 1.5]), 0.9), Tried("b", np.array([1.2, 1.9, 1.6]), 0.91, 1)]
    assert law_fits.chosen(tried) == "a"
    tried[0] = Tried("a", np.array([-9.0, -8.0, -7.5]), 0.1)
    assert law_fits.chosen(tried) == "b"
    assert [row[0] for row in law_fits.behind(tried)] == ["a", "b"]
    assert law_fits.behind(tried)[1][1:3] == (0.0, 0.0)


def test_of_laws_as_simple_the_better_is_chosen() -> None:
    """Additive and proportional noise have one number each: the first was taken wherever the second led by little."""
    tried = [Tried("a", np.array([1.0, 2.0]), 0.9, 1), Tried("b", np.array([2.0, 1.9]), 0.9, 1)]
    assert law_fits.chosen(tried) == "b"
    assert law_fits.chosen([*tried, Tried("c", np.array([4.0, 1.8]), 0.9, 2)]) == "b"
    assert law_fits.chosen([replace(one, scores=np.ones(2)) for one in tried]) == "a"


def test_intervals_of_drift_cover_for_few_devices_and_few_times() -> None:
    """Six times of five devices, many sets: medians of so few residuals cut fine readings, and t0 held in 85 %."""
    held, many = {"drift_start": 0, "drift_mean": 0, "drift_spread": 0}, 60
    for seed in range(many):
        columns, truth = measurements.drift((11, seed), 5, times=6)
        found = fit_retention(law_coverage.table(columns), g_max=25.0, asked="drift")
        for name in held:
            held[name] += found.estimates[name].low <= truth[name] <= found.estimates[name].high
    assert min(held.values()) >= many * 0.95 - 3 * np.sqrt(many * 0.95 * 0.05), held


def bent_currents(volts: np.ndarray, size: float = 200.0) -> np.ndarray:
    return np.asarray(size * np.sinh(2 * volts) / np.sinh(2))


@pytest.mark.parametrize("sign", [1, -1])
def test_currents_at_the_compliance_are_left_out(tmp_path: Path, sign: int) -> None:
    """The curve was one that bends down, and the chip linear."""
    v = sign * np.linspace(0.05, 1.0, 20)
    current = np.clip(bent_currents(v), -100, 100)
    found = fit_currents(table(tmp_path, {"voltage": v, "current": current}))
    assert (found.law, found.points) == ("sinh", 13)
    assert found.device == {"iv": "sinh", "iv_voltage": pytest.approx(0.5, rel=1e-3), "read_voltage": 0.65}
    assert found.notes[0].startswith("7 readings at the compliance of the instrument")


def test_a_curve_that_is_finely_read_has_no_compliance(tmp_path: Path) -> None:
    v = np.linspace(-1, 1, 400)
    found = fit_currents(table(tmp_path, {"voltage": v, "current": bent_currents(v)}))
    assert found.points == 400 and not found.notes


def test_a_loop_that_switches_is_no_curve(tmp_path: Path) -> None:
    """A branch was never chosen: what both have in the mean bends as neither does."""
    v = np.linspace(0, 1, 21)
    both = {"voltage": np.append(v, v[::-1]), "current": np.append(bent_currents(v, 60.0), bent_currents(v[::-1]))}
    found = fit_currents(table(tmp_path, both))
    assert found.device == {}
    line = "1 of 1 devices have several currents at one voltage, as in a loop that switches: the chip is left linear; "
    assert f"{line}give one branch, without switching." in found.notes
    assert fit_currents(table(tmp_path, both), "sinh").device["iv"] == "sinh", "asked for"
    again = {"voltage": np.append(v, v[::-1]), "current": np.append(bent_currents(v), bent_currents(v[::-1]))}
    assert not fit_currents(table(tmp_path, again)).notes, "there and back alike"
