"""Curves of devices: normalised at the read voltage, odd, growing; slopes are their derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw_models import Crossbar
from hw_models.chip import Chip, Device
from hw_models.errors import ChipError
from hw_models.laws.current_voltage import CURRENT_VOLTAGE

DEVICES = {
    "linear": Device(),
    "sinh": Device(iv="sinh", read_voltage=0.5, iv_voltage=0.25),
    "steep": Device(iv="sinh", read_voltage=4.0, iv_voltage=0.2),
    "cubic": Device(iv="cubic", iv_cubic=0.4),
}
V = np.linspace(-1, 1, 201)
RNG = np.random.default_rng(0)
W, X, S = RNG.normal(size=(5, 7)), RNG.uniform(-1.5, 1.5, (6, 7)), RNG.uniform(-1.5, 1.5, (6, 5))


@pytest.mark.parametrize("name", DEVICES)
def test_curves_are_odd_grow_and_pass_what_was_programmed_at_full_drive(name):
    device = DEVICES[name]
    law, f = device.current_voltage, device.current_voltage.current(V, device)
    assert f[-1] == pytest.approx(1) and f[100] == 0
    np.testing.assert_allclose(f, -f[::-1], atol=1e-15)
    assert (np.diff(f) > 0).all()
    h = 1e-6
    numeric = (law.current(V + h, device) - law.current(V - h, device)) / (2 * h)
    np.testing.assert_allclose(law.slope(V, device), numeric, rtol=1e-6, atol=1e-9)
    assert law.linear == (name == "linear")
    single = law.current(V.astype(np.float32), device)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, f, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", DEVICES)
def test_formulas_for_spice_are_the_same_curves(name):
    device = DEVICES[name]
    found = [eval(device.current_voltage.formula(f"({float(v)!r})", device), {"sinh": math.sinh}) for v in V]
    np.testing.assert_allclose(found, device.current_voltage.current(V, device), rtol=1e-12, atol=1e-15)


def test_numbers_of_the_curves():
    law = CURRENT_VOLTAGE["sinh"]
    assert law.current(np.array([0.5]), DEVICES["sinh"])[0] == pytest.approx(math.sinh(1) / math.sinh(2))
    assert CURRENT_VOLTAGE["cubic"].current(np.array([0.5]), DEVICES["cubic"])[0] == pytest.approx(0.6 * 0.5 + 0.4 / 8)


def test_a_flat_curve_is_a_resistor():
    flat = Device(iv="sinh", read_voltage=1e-4, iv_voltage=1.0)
    np.testing.assert_allclose(flat.current_voltage.current(V, flat), V, atol=1e-8)


@pytest.mark.parametrize("mapping", [{}, {"mapping": "offset"}, {"mapping": "offset", "reference": "analog"}])
@pytest.mark.parametrize("adc", [{}, {"bits": 14, "range": 9.0}])
def test_every_device_of_a_product_passes_its_curve(mapping, adc):
    """Device by device: sum_j G_ij F(x_j/range), references as they are, subtracted as the mapping does."""
    device = {"iv": "sinh", "read_voltage": 0.5, "iv_voltage": 0.2, "mismatch": 0.1}
    chip = {"device": device, "crossbar": {"rows": 4, "columns": 3} | mapping, "dac": {"bits": 6, "range": 1.2}}
    bar = Crossbar(Chip.parse(chip | {"adc": adc}), W.shape, dtype="float64")
    bar.program(W)
    (plus, minus), unit = bar.conductances(), bar.weight_range * bar.devices.unit
    codes = [np.clip(np.rint(v / (1.2 / 31)), -31, 31) * (1.2 / 31) for v in (X, S)]
    curve = [1.2 * np.sinh(2.5 * c / 1.2) / np.sinh(2.5) for c in codes]
    for signals, code, bent, turned in ((X, codes[0], curve[0], False), (S, codes[1], curve[1], True)):
        expected = np.zeros((6, 7 if turned else 5))
        tiles = [(0, 2), (2, 5)] if turned else [(0, 3), (3, 7)]
        for row in range(6):
            for sensed in range(expected.shape[1]):
                for i, j in tiles:
                    for k in range(i, j):
                        at = (0, k, sensed) if turned else (0, sensed, k)
                        middle = minus[at] * (code[row, k] if mapping and len(mapping) == 1 else bent[row, k])
                        if len(mapping) == 2 and turned:
                            total = code[row, i:j].sum() / (j - i)  # each of the lines is driven by its share
                            share = min(max(total / 1.2, -1), 1)
                            middle = minus[at] * 1.2 * math.sinh(2.5 * share) / math.sinh(2.5)
                        expected[row, sensed] += unit * (plus[at] * bent[row, k] - middle)
        found = bar.transposed(signals) if turned else bar.forward(signals)
        step = 2 * 9.0 * 1.2 / 2**13 * bar.weight_range if adc else 1e-5
        np.testing.assert_allclose(found, expected, atol=step)


def test_noise_of_reads_goes_by_the_current():
    """That of a conductance: a half driven device has as much less noise as it has less current."""
    device = {"iv": "sinh", "read_voltage": 0.5, "iv_voltage": 0.1, "read_noise": 0.5}
    chip = {"device": device, "dac": {"range": 1.0}, "crossbar": {"weight_range": 1.0}}
    bar = Crossbar(Chip.parse(chip), (1, 1), dtype="float64")
    bar.program(np.ones((1, 1)))
    found = bar.forward(np.full((20000, 1), 0.5))
    share = math.sinh(2.5) / math.sinh(5)
    assert found.mean() == pytest.approx(share, abs=5 * 0.03 * share / 141)
    assert found.std() == pytest.approx(share * 0.02 * math.sqrt(2), rel=0.03)


@pytest.mark.parametrize(
    ("dac", "acts"),
    [({"digit_bits": 1}, False), ({"digit_bits": 3}, True), ({"encoding": "pulse_width"}, False)],
)
def test_full_drive_knows_no_curve(dac, acts):
    """Bits drive all or nothing, and so do pulses, whose lengths carry the signal: a curve is refused there."""
    chip = {"dac": {"bits": 8, "range": 1.0} | dac, "device": {"iv": "cubic", "iv_cubic": 0.5}}
    if acts:
        Chip.parse(chip)
        return
    with pytest.raises(ChipError, match=r"device.iv = 'cubic': it acts only with dac.encoding amplitude"):
        Chip.parse(chip)


def test_digits_have_the_curve_of_their_own_drive():
    """Two bits at a time: 0, 1/3, 2/3 or all of the full scale, each by its curve."""
    chip = {"dac": {"bits": 5, "range": 1.0, "digit_bits": 2}, "device": {"iv": "cubic", "iv_cubic": 0.5}}
    bar = Crossbar(Chip.parse(chip), (1, 1), dtype="float64")
    bar.program(np.ones((1, 1)))
    for code in range(-15, 16):
        digits = [abs(code) % 4, abs(code) // 4]
        shares = [0.5 * d / 3 + 0.5 * (d / 3) ** 3 for d in digits]
        expected = np.sign(code) * (3 * shares[0] + 12 * shares[1]) / 15
        assert bar.forward(np.array([[code / 15]]))[0, 0] == pytest.approx(expected, abs=1e-6)
