"""Thermal noise and activated drift, against numbers written out."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.errors import ChipError
from hw_models.laws import heat


def test_a_resistor_has_the_noise_of_nyquist() -> None:
    """10 uS at 300 K over 100 ns at 0.2 V: 4 k T G B = 8.28e-19 A^2, .91 nA, 4.5 nS."""
    ampere = np.sqrt(4 * 1.380649e-23 * 300 * 10e-6 / (2 * 100e-9))
    siemens = ampere / 0.2
    assert np.sqrt(heat.thermal_noise(300, 100e-9, 0.2) * 10) * 1e-6 == pytest.approx(siemens, rel=1e-9)
    assert siemens == pytest.approx(4.55e-9, rel=0.01)


def test_drift_hurries_with_its_activation() -> None:
    """1 eV from 300 to 330 K: exp(1/8.617e-5 (1/300 - 1/330)) = 33.7."""
    assert heat.hurry(330, 1.0, 300) == pytest.approx(np.exp((1 / 300 - 1 / 330) / 8.617333e-5), rel=1e-5)
    assert heat.hurry(300, 1.0, 300) == 1


DRIFTS = {"drift_mean": [0.0, 0.05, 0.0, 0.1], "age": 3600.0}


@pytest.mark.parametrize(
    ("activation", "fitted", "times"), [(0.3, 1.0, r"1e\+304"), (9.0, 1e4, "2e-147")], ids=["cold", "hot"]
)
def test_an_onset_of_drift_that_no_number_holds_is_refused(activation: float, fitted: float, times: str) -> None:
    """Before, a traceback: math range error."""
    device = DRIFTS | {"drift_activation": activation, "drift_temperature": fitted}
    said = rf"device.drift_activation = {activation}: .* = {fitted} drift begins {times} times as fast, allowed"
    with pytest.raises(ChipError, match=said):
        Chip.parse({"device": device, "temperature": 300.0})


def test_what_is_wrong_beside_it_is_told_too() -> None:
    """Before, a temperature that cannot be ended the search, and what was found ahead of it was lost."""
    device = DRIFTS | {"drift_activation": 0.3, "drift_temperature": 1.0}
    chip = {"device": device, "temperature": 300.0, "crossbar": {"mapping": "offset", "reference": "device"}}
    with pytest.raises(ChipError) as found:
        Chip.parse(chip)
    told = "\n".join(found.value.lines)
    assert "crossbar.reference = 'device': it acts only" in told
    assert "device.drift_activation = 0.3: at temperature = 300.0" in told


@pytest.mark.parametrize(("seconds", "noise"), [(1e-9, r"8e\+54"), (1e-300, "inf")])
def test_thermal_noise_that_no_number_holds_is_refused(seconds: float, noise: str) -> None:
    """Before, a division by zero."""
    chip = {"device": {"read_voltage": 1e-30}, "temperature": 300.0, "timing": {"integration": seconds}}
    with pytest.raises(ChipError, match=rf"device.read_voltage = 1e-30: .* thermal noise is {noise} uS, allowed is up"):
        Chip.parse(chip)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_reads_have_thermal_noise(exact: bool, way: str) -> None:
    """Exact and at the outputs, fresh in every read; within 5 %."""
    device: dict[str, object] = {"g_max": 20.0, "read_voltage": 0.02}
    if exact:
        device |= {"read_noise": 1e-7, "read_noise_law": "proportional"}
    parts = {"temperature": 350.0, "timing": {"integration": 1e-8}, "crossbar": {"exact_noise": exact}}
    chip = Chip.model_validate({"device": device, **parts})
    clock = durations.clock(chip.timing)
    bar = Crossbar(chip, (30, 30), 1, clock=clock, dtype="float64")
    weight = np.random.default_rng(2).uniform(0.2, 1, (30, 30))
    weight[0, 0] = 1
    bar.program(weight)
    signal = np.random.default_rng(3).uniform(0.2, 1, 30)
    signals = np.tile(signal, (400, 1))
    clock.opened(400)
    if way == "forward":
        off, own = bar.forward(signals) - signal @ weight.T, weight
    else:
        off, own = bar.transposed(signals) - signal @ weight, weight.T
    each = heat.thermal_noise(350.0, 1e-8, 0.02) * own * 20 / 20**2
    assert np.mean(off**2 / each.sum(1)) == pytest.approx(1, rel=0.05)


def test_drift_of_an_array_is_that_of_a_longer_time() -> None:
    drift = {"drift_mean": (0.0, 0.05, 0.05, 0.05), "age": 1e4}
    hot = {"device": drift | {"drift_activation": 0.5, "drift_temperature": 300.0}, "temperature": 340.0}
    longer = {"device": drift | {"age": 1e4 * heat.hurry(340, 0.5, 300)}}
    found = []
    for parts in (hot, longer, {"device": drift}):
        bar = Crossbar(Chip.model_validate(parts), (4, 5), 0)
        bar.program(np.full((4, 5), 0.5))
        found.append(bar.weights())
    assert np.allclose(found[0], found[1], rtol=1e-5)
    assert found[0].mean() < 0.95 * found[2].mean()


@pytest.mark.parametrize("span", [1e-9, 4e-8])
def test_in_continuous_time_thermal_noise_averages_over_a_time_step(span: float) -> None:
    """White noise of an RC low-pass driven in steps of dt: whatever dt, a state has 4 k T G/(4 tau) of it."""
    parts = {"temperature": 350.0, "timing": {"integration": 1e-8}, "device": {"read_voltage": 0.02, "g_max": 20.0}}
    bar = Crossbar(Chip.model_validate(parts), (30, 30), 1, dtype="float64")
    weight = np.full((30, 30), 0.5)
    weight[0, 0] = 1
    bar.program(weight)
    signals, tau = np.full((400, 30), 0.5), 1e-7
    with bar.tally.now.lasting(span):
        white = bar.forward(signals) - signals @ weight.T
    each = heat.thermal_noise(350.0, span, 0.02) * weight * 20 / 20**2
    assert np.mean(white**2 / each.sum(1)) == pytest.approx(1, rel=0.05)
    dt = span / tau
    state = np.mean(white**2 / weight.sum(1)) * dt / (2 - dt)
    of_the_circuit = 4 * heat.BOLTZMANN * 350 / (4 * tau) / 0.02**2 / 1e-6 * 20 / 20**2
    assert state == pytest.approx(of_the_circuit, rel=0.05 + dt / 2)
