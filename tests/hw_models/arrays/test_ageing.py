"""Time on a crossbar: every device drifts from its own last write; reads at any later time leave no trace."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import presets
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.errors import ChipError
from hw_models.kernels.random import key, normals
from hw_models.laws.drift import DRIFT
from hw_models.presets import wan_2022_reram as paper
from tests.naive import crossbar as naive

DAY = 86400.0
DRIFTS = {"drift_mean": (-0.0155, 0.0244, 0.049, 0.1), "drift_spread": (-0.0125, -0.0059, 0.008, 0.045)}
PCM = DRIFTS | {"read_noise": 0.0088, "read_noise_law": "pcm", "programming_noise": (0.26348, 1.9650, -1.1731)}
LINES = {"r_word": 5.0, "r_bit": 5.0}
SHAPE = (6, 9)
DRAW = np.random.default_rng(5)
WEIGHT = DRAW.uniform(-1, 1, SHAPE).astype(np.float32)
X, S = DRAW.normal(size=(4, 9)).astype(np.float32), DRAW.normal(size=(4, 6)).astype(np.float32)


def crossbar(scheme="pulsed", mapping="differential", **parts):
    own = {"crossbar": {"mapping": mapping, "weight_range": 1.0}, "update": {"scheme": scheme}}
    if mapping == "offset":
        own["crossbar"]["reference"] = "analog"
    chip = Chip.model_validate({"device": {"age": DAY, **DRIFTS}, **own, **parts})
    bar = Crossbar(chip, SHAPE, 2, "a")
    bar.program(WEIGHT)
    return bar


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def pulse(bar, which):
    """Move some weights a little, as pulses do, at the moment of the reads."""
    bar.elapse()
    bar.stored[which] *= np.float32(0.9)
    bar.refresh()


def normals_of_nu(bar, sides):
    return np.stack([normals(key(2, "a", "nu"), bar.programmings, side, SHAPE) for side in range(sides)])


def twin(bar, held, age):
    """What a pair reads, device by device, from held weights and the seconds since each one's own write (out, in)."""
    draws = np.zeros((2, 7, *SHAPE))
    draws[:, 4], draws[:, 5] = normals_of_nu(bar, 2), 0.5
    g = naive.conductances(held, bar.device, draws, age)
    return (g[0] - g[1]) / bar.device.g_max


def test_a_device_pulsed_now_is_not_a_day_old():
    """It conducts all it was given; the others go on to drift from when they were programmed."""
    bar, which = crossbar(), np.zeros(SHAPE, dtype=bool)
    which[::2, ::3] = True
    pulse(bar, which)
    np.testing.assert_allclose(bar.weights()[which], 0.9 * WEIGHT[which], atol=2e-6)
    np.testing.assert_allclose(bar.weights(), twin(bar, bar.stored, np.where(which, 0.0, DAY)), atol=3e-6)
    assert np.abs(bar.weights() / WEIGHT)[~which].max() < (1 + DAY / 20) ** -0.01
    bar.read_at(3600.0)
    np.testing.assert_allclose(bar.weights(), twin(bar, bar.stored, np.where(which, 0.0, DAY) + 3600), atol=3e-6)
    pulse(bar, ~which)
    np.testing.assert_allclose(bar.weights(), twin(bar, bar.stored, np.where(which, 3600.0, 0.0)), atol=3e-6)


def test_beside_a_reference_too():
    """The reference lines, one per output, were written when the array was programmed, and are never pulsed."""
    bar, which = crossbar(mapping="offset"), np.zeros(SHAPE, dtype=bool)
    which[1] = True
    pulse(bar, which)
    g, reference = (side[0] for side in bar.conductances())
    device, t = bar.device, np.where(which, 0.0, DAY)
    target = (bar.stored.astype(np.float64) + 1) * 12.5
    nu = DRIFT.exponent(target, normals_of_nu(bar, 1)[0], device).astype(np.float64)
    np.testing.assert_allclose(g, target * (1 + t / 20) ** -nu, rtol=2e-5)
    z = normals(key(2, "a", "nu"), bar.programmings, 0, SHAPE, SHAPE[0])
    nu = DRIFT.exponent(np.full(SHAPE, 12.5), z, device).astype(np.float64)
    lines = 12.5 * (1 + DAY / 20) ** -nu
    np.testing.assert_allclose(reference, np.broadcast_to(lines.mean(0), SHAPE), rtol=2e-5)


@pytest.mark.parametrize("exact", [False, True])
def test_the_1_over_f_noise_of_a_read_begins_at_the_last_write_too(exact):
    """Variance of 20,000 reads of single devices against the law at each one's own age; within 5 sigma."""
    device = {"age": DAY, "read_noise": 0.0088, "read_noise_law": "pcm"}
    bar = Crossbar(
        Chip.model_validate({"crossbar": {"exact_noise": exact}, "device": device, "update": {"scheme": "pulsed"}}),
        (3, 1), 2, "a",
    )  # fmt: skip
    bar.program(np.float32([[0.9], [0.6], [0.5]]))
    bar.elapse()
    bar.stored[1] *= np.float32(0.9)
    bar.refresh()
    reads = bar.forward(np.ones((20000, 1), dtype=np.float32)).var(axis=0)
    for line, age in enumerate((DAY, 0.0, DAY)):
        share = float(bar.stored[line, 0])
        q = min(0.0088 / share**0.65, 0.2)
        sigma = 0.9 * share * q * np.sqrt(np.log((age + 20 + 250e-9) / 500e-9))
        assert reads[line] == pytest.approx(sigma**2, rel=5 * np.sqrt(2 / 20000)), line


@pytest.mark.parametrize("scheme", ["digital", "pulsed"])
def test_programming_writes_all_devices_at_the_moment_of_the_reads(scheme):
    bar = crossbar(scheme)
    assert np.abs(bar.weights()).max() < 0.9
    bar.elapse()
    bar.program(WEIGHT)
    np.testing.assert_allclose(bar.weights(), WEIGHT, atol=2e-6)
    bar.read_at(DAY)
    again = crossbar(scheme)
    again.program(WEIGHT)
    np.testing.assert_array_equal(bar.weights(), again.weights())


@pytest.mark.parametrize("wires", [{}, LINES, LINES | {"refresh_every": 2}])
@pytest.mark.parametrize("scheme", ["digital", "pulsed"])
def test_a_look_ahead_leaves_no_trace(scheme, wires):
    bars = [crossbar(scheme, device={"age": DAY, **PCM}, wires=wires) for _ in range(2)]
    for bar in bars:
        bar.read_at(0.0)
        bar.program(WEIGHT)
    before = bars[0].weights()
    with bars[0].later(DAY):
        assert rms(bars[0].weights()) < 0.8 * rms(before)
        assert np.abs(np.stack(bars[0].conductances())).sum() < 0.8 * np.abs(np.stack(bars[1].conductances())).sum()
    for name, values in bars[1].state().items():
        np.testing.assert_array_equal(bars[0].state()[name], values, err_msg=name)
    np.testing.assert_array_equal(bars[0].conductances(), bars[1].conductances())
    for found, exact in zip((bars[0].forward(X), bars[0].transposed(S)), (bars[1].forward(X), bars[1].transposed(S)),
                            strict=True):  # fmt: skip
        np.testing.assert_array_equal(found, exact)


def test_nothing_is_written_while_it_is_looked_ahead():
    bar = crossbar("digital")
    with bar.later(3600.0):
        for write in (lambda: bar.program(WEIGHT), bar.refresh):
            with pytest.raises(ChipError, match="nothing can be written while"):
                write()
    bar.program(WEIGHT)
    for seconds in (-1.0, np.inf, np.nan, "1 h", None, True):
        with pytest.raises(ChipError, match=r"read_at = .* allowed are finite times from 0"):
            bar.read_at(seconds)


def test_the_times_of_the_last_writes_are_part_of_the_state():
    bar, which = crossbar(device={"age": DAY, **PCM}), np.zeros(SHAPE, dtype=bool)
    which[:, 2:5] = True
    pulse(bar, which)
    other = crossbar(device={"age": DAY, **PCM})
    other.load(bar.state())
    for seconds in (0.0, 60.0, 1e7):
        for one in (bar, other):
            one.read_at(seconds)
            one.begin("epoch", int(seconds))
        np.testing.assert_array_equal(bar.weights(), other.weights())
        np.testing.assert_array_equal(bar.forward(X), other.forward(X))
    pulse(bar, ~which)
    pulse(other, ~which)
    np.testing.assert_array_equal(bar.weights(), other.weights())


@pytest.mark.parametrize(("age", "share"), [(0.0, 0.0), (1.0, 0.0), (86400**0.5, 0.5), (DAY, 1.0), (1e9, 1.0)])
def test_the_error_of_a_write_grows_with_the_logarithm_of_its_age(age, share):
    """100,000 devices in the middle of the range: the fit's spread after a second and a day, within 4 sigma."""
    device = presets.load("rram").device.model_copy(update={"age": age})
    bar = Crossbar(Chip(device=device, crossbar={"weight_range": 1.0}), (200, 500), 0, "a")
    bar.program(np.full((200, 500), 0.5, dtype=np.float32))
    second, day = (np.polynomial.polynomial.polyval(0.5, terms) for terms in (paper.SECOND, paper.DAY))
    expected = np.sqrt(second**2 + share * (day**2 - second**2))
    assert bar.conductances()[0].std() == pytest.approx(expected, rel=4 / np.sqrt(2e5))
    assert bar.conductances()[0].mean() == pytest.approx(20, abs=4 * expected / np.sqrt(1e5))


def test_relaxation_starts_at_the_last_write_and_stays_drawn():
    """A device does not wander between reads: what comes later lies on the way of what came before."""
    parts = {"programming_noise": (1.0,), "programming_noise_fresh": (0.1,), "age": DAY}
    bar, which = crossbar(device=parts), np.zeros(SHAPE, dtype=bool)
    which[0] = True
    aged = bar.weights()
    pulse(bar, which)
    np.testing.assert_array_equal(bar.weights()[~which], aged[~which])
    np.testing.assert_allclose(bar.weights()[which], bar.stored[which], atol=2e-6)
    bar.read_at(1e9)
    assert rms(bar.weights()[which] - bar.stored[which]) > 0.02
    np.testing.assert_array_equal(bar.weights()[~which], aged[~which])


def test_the_time_may_be_one_for_each_device():
    device = Chip.model_validate({"device": {**PCM, "age": DAY}}).device
    g, nu, t = DRAW.uniform(0, 25, (5, 4)), DRAW.uniform(0, 0.1, (5, 4)), 10.0 ** DRAW.uniform(-3, 8, (5, 4))
    drifted, sigma = DRIFT.drifted(g, nu, device, t), device.noise.sigma(g, g, device, t)
    assert drifted.dtype == sigma.dtype == np.float32
    for i, j in np.ndindex(5, 4):
        one = g[i, j : j + 1], nu[i, j : j + 1]
        np.testing.assert_allclose(drifted[i, j], DRIFT.drifted(*one, device, float(t[i, j])), rtol=3e-6)
        np.testing.assert_allclose(sigma[i, j], device.noise.sigma(one[0], one[0], device, float(t[i, j])), rtol=3e-6)
