"""Zero-shifting before learning, asked for by a field: the error it leaves, who begins where, what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.symmetry import symmetry_points
from hw_models.errors import ChipError
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.optimisers import SGD
from tests.neuroep.engines.chip.test_transfer import contrast, made

REFERRED = {"crossbar.mapping": "offset", "crossbar.reference": "device", "device.cell.reference_at": "middle"}
SKEWED = {"device.pulse.response": "soft_bounds", "device.pulse.dw_min": 0.05, "device.pulse.up_down": 0.3}
SPREAD = {"device.pulse.dw_min_spread": 0.2, "device.pulse.w_max_spread": 0.1}
START = np.array([[0.31, -0.22, 0.05, 0.4], [-0.13, 0.0, 0.27, -0.33], [0.11, 0.18, -0.4, 0.02]])


@pytest.mark.parametrize("pairs", [1, 3, 10, 40])
def test_residual_error_against_pulses_is_that_of_a_device_pulsed_in_a_loop(pairs):
    """Soft bounds: w += s (1 - w), then w -= s' (1 + w), s' = (1 - skew) s, from weight 0."""
    rule = made("agad", **REFERRED | SKEWED, **{"update.zero_shift": pairs})
    w, up, down = 0.0, 0.05, 0.05 * 0.7
    for _ in range(pairs):
        w += up * (1 - w)
        w -= down * (1 + w)
    np.testing.assert_allclose(rule.groups["fast"][0].devices.reference, w, atol=1e-6)
    point, fades = (up - down) / (up + down), ((1 - up) * (1 - down)) ** pairs
    assert abs(w - point) <= abs(point) * fades + up
    np.testing.assert_allclose(rule.fast.stored, 0, atol=1e-6)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_noise_leaves_an_error_that_no_number_of_pulses_removes(noise):
    """A walk about the point: variance sigma^2 dw^2 N (1 - f^2k)/(1 - f^2) in all, of N = 2 pulses per factor f."""
    start = np.zeros((60, 70))
    fields = {"device.pulse.response": "soft_bounds", "device.pulse.dw_min": 0.02, "device.pulse.noise": noise}
    rule = made("pulsed", weight=start, **REFERRED | fields, **{"update.zero_shift": 300})
    cells = rule.groups["crossbar"][0].devices
    error = cells.reference - symmetry_points(cells.sides[0])
    f = 0.98**2
    wanted = noise * 0.02 * np.sqrt((1 + 0.98**2) / (1 - f**2))
    assert error.std() == pytest.approx(wanted, rel=0.05, abs=1e-6)


@pytest.mark.parametrize("scheme", ["pulsed", "mixed_precision", "tiki_taka_v2", "residual"])
def test_weights_begin_as_they_were_wanted(scheme):
    rule = made(scheme, weight=START, **REFERRED | SKEWED | SPREAD, **{"update.zero_shift": 50})
    np.testing.assert_allclose(rule.weights(), START, atol=1e-6)
    for group in rule.groups.values():
        cells = group[0].devices
        assert np.abs(cells.reference - symmetry_points(cells.sides[0])).max() < 0.08


@pytest.mark.parametrize("scheme", ["rider", "e_rider", "agad", "residual"])
@pytest.mark.parametrize("layout", [{}, REFERRED])
def test_a_digital_reference_begins_with_what_is_read_of_the_fast_array(scheme, layout):
    """Also without reference devices: A rests at its symmetry point, and Q or P is that."""
    rule = made(scheme, weight=START, **layout | SKEWED, **{"update.zero_shift": 200})
    np.testing.assert_allclose(rule.kept["reference"], rule.fast.stored, atol=1e-6)
    wanted = 0.0 if layout else (1 - 0.7) / (1 + 0.7)
    np.testing.assert_allclose(rule.fast.stored, wanted, atol=0.05)
    np.testing.assert_allclose(rule.weights(), START, atol=1e-6)


@pytest.mark.parametrize("scheme", ["rider", "e_rider"])
def test_the_first_reading_of_a_tracked_array_is_that_at_rest(scheme):
    """Q stays where it was read before learning, and is then the mean of both readings: nothing gathered is lost."""
    rule = made(scheme, **SKEWED, **{"update.zero_shift": 200})
    rest = rule.kept["reference"].copy()
    rule.update(contrast(np.ones(3), np.ones(4)), 1.0)
    moved = rule.fast.stored - rest
    assert np.abs(moved).min() > 0.02
    np.testing.assert_allclose(rule.kept["reference"], rest + moved / 2, atol=1e-6)


def test_pulses_reads_writes_and_seconds_are_counted():
    """5 pairs on two arrays, 4 columns of A, the weights written again; time comes with the first update alone.

    Devices are then at their references, from where weights are as many steps of .05 as they are large.
    """
    times = {"timing.integration": 1e-6, "timing.pulse": 1e-7, "update.scheme": "agad"}
    plain, shifted = (array(REFERRED | SKEWED | times | more) for more in ({}, {"update.zero_shift": 5}))
    more = {what: shifted.performed().total(what) - plain.performed().total(what)
            for what in ("pulse", "slot", "product", "write")}  # fmt: skip
    writes = 2 * 12 + shifted.crossbar.devices.count
    way = np.rint(START / 0.05)
    written = np.maximum(way.max(axis=0), 0).sum() + np.maximum(-way.min(axis=0), 0).sum()
    assert more == {"pulse": 2 * 10 * 12, "slot": 2 * 10 + written, "product": 4, "write": writes}
    for number in range(2):
        for each in (plain, shifted):
            each.update(contrast(np.zeros(3), np.zeros(4)), 0.0)
        extra = shifted.update_seconds - plain.update_seconds
        assert extra == pytest.approx(0 if number else (2 * 10 + written) * 1e-7 + 4e-6, abs=1e-12)


def array(fields) -> CrossbarArray:
    """Return the weights on a chip."""
    chip = made(fields["update.scheme"], **fields).place.chip
    return CrossbarArray("a", START.copy(), np.zeros(3), chip, Setting(SGD(), Workers(1), "float64", 0))


@pytest.mark.parametrize("scheme", ["pulsed", "tiki_taka_v2"])
def test_without_anything_to_shift_it_is_refused(scheme):
    with pytest.raises(ChipError, match=r"zero_shift.*it acts only"):
        made(scheme, **{"update.zero_shift": 5})
