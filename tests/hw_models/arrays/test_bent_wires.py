"""Devices that are no resistors behind wires: ngspice, Newton on a dense system of all nodes, reads of a crossbar."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from hw_models import Crossbar
from hw_models.arrays import wires
from hw_models.arrays.bent_wires import BentTile
from hw_models.chip import Chip
from hw_models.laws.current_voltage import CURRENT_VOLTAGE
from tests.naive import bent_wires as naive

LAWS = {"linear": 0.0, "sinh": 4.0, "cubic": 0.6}
OHM = [(200.0, 300.0), (5.0, 5.0), (3000.0, 20.0)]
RNG = np.random.default_rng(0)
W, X, S = RNG.normal(size=(5, 7)), RNG.uniform(-1, 1, (4, 7)), RNG.uniform(-1, 1, (4, 5))
DEVICE = {
    "sinh": {"iv": "sinh", "read_voltage": 0.5, "iv_voltage": 0.125},
    "cubic": {"iv": "cubic", "iv_cubic": 0.6},
}


def tile_of(g, r_word, r_bit, iv):
    device = SimpleNamespace(read_voltage=LAWS[iv], iv_voltage=1.0, iv_cubic=LAWS[iv])
    return BentTile(g, r_word, r_bit, CURRENT_VOLTAGE[iv], device)


def both(tile, v, s):
    """Sensed currents forward and transposed."""
    return tile.currents(v[None])[0], tile.turned.currents(s[None, ::-1])[0][::-1]


@pytest.fixture
def case():
    g = RNG.uniform(1e-6, 50e-6, (6, 5))
    g[1, 2] = 0.0
    return g, RNG.uniform(-1, 1, 6), RNG.uniform(-1, 1, 5)


@pytest.mark.parametrize("ohm", OHM)
@pytest.mark.parametrize("iv", LAWS)
def test_currents_are_those_of_newton_on_all_nodes(case, iv, ohm):
    g, v, s = case
    forward, transposed = both(tile_of(g, *ohm, iv), v, s)
    expected = naive.solve(g, *ohm, v, np.zeros(5), iv, LAWS[iv])[1]
    np.testing.assert_allclose(forward, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())
    expected = naive.solve(g, *ohm, np.zeros(6), s, iv, LAWS[iv])[0]
    np.testing.assert_allclose(transposed, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="no ngspice here")
@pytest.mark.parametrize("ohm", OHM[:2])
@pytest.mark.parametrize("iv", LAWS)
def test_currents_are_those_of_ngspice(case, iv, ohm, tmp_path):
    g, v, s = case
    forward, transposed = both(tile_of(g, *ohm, iv), v, s)
    expected = naive.spice("ngspice", tmp_path, g, *ohm, v, np.zeros(5), iv, LAWS[iv])[1]
    np.testing.assert_allclose(forward, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())
    expected = naive.spice("ngspice", tmp_path, g, *ohm, np.zeros(6), s, iv, LAWS[iv])[0]
    np.testing.assert_allclose(transposed, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("ohm", [*OHM, (7.0, 0.0), (0.0, 7.0)])
def test_resistors_are_those_of_the_linear_solver(case, ohm):
    g, v, s = case
    forward, transposed = both(tile_of(g, *ohm, "linear"), v, s)
    found = wires.effective(g, *ohm)
    np.testing.assert_allclose(forward, v @ found, rtol=1e-9, atol=1e-18)
    np.testing.assert_allclose(transposed, found @ s, rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("iv", ["sinh", "cubic"])
@pytest.mark.parametrize("ohm", [(50.0, 0.0), (0.0, 50.0)])
def test_lines_without_resistance_are_the_limit_of_little(case, iv, ohm):
    g, v, s = case
    near = [each or 1e-7 for each in ohm]
    for one, other in zip(both(tile_of(g, *ohm, iv), v, s), both(tile_of(g, *near, iv), v, s), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("iv", ["sinh", "cubic"])
def test_drives_of_a_block_do_not_know_of_each_other(case, iv):
    g = case[0]
    v = RNG.uniform(-1, 1, (30, 6)) * np.logspace(-4, 0, 30)[:, None]
    tile = tile_of(g, 300.0, 300.0, iv)
    alone = np.concatenate([tile.currents(one[None]) for one in v])
    np.testing.assert_allclose(tile.currents(v), alone, rtol=1e-7, atol=1e-9 * np.abs(alone).max())
    np.testing.assert_allclose(tile.currents(-v), -tile.currents(v), rtol=1e-9)


def test_currents_are_zero_without_drive_and_where_nothing_conducts():
    tile = tile_of(np.full((3, 4), 1e-5), 5.0, 5.0, "sinh")
    np.testing.assert_array_equal(tile.currents(np.zeros((2, 3))), 0)
    np.testing.assert_allclose(tile_of(np.zeros((3, 4)), 5.0, 5.0, "sinh").currents(np.ones((1, 3))), 0, atol=1e-20)
    assert tile_of(np.zeros((0, 4)), 5.0, 5.0, "sinh").currents(np.ones((2, 0))).tolist() == [[0] * 4] * 2


def test_newton_takes_over_where_the_chord_does_not_come_to_rest(case, monkeypatch):
    from hw_models.arrays import bent_wires

    g, v, s = case
    expected = both(tile_of(g, 3000.0, 3000.0, "sinh"), v, s)
    monkeypatch.setattr(bent_wires, "CHORDS", 1)
    for one, other in zip(both(tile_of(g, 3000.0, 3000.0, "sinh"), v, s), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7)


def bar_of(device, layout=None, dac=None, wires_of=None, **more):
    chip = {"device": device, "crossbar": {"rows": 4, "columns": 3} | (layout or {}), **more}
    line = {"r_word": 300.0, "r_bit": 200.0} if wires_of is None else wires_of
    chip |= {"dac": {"range": 1.0} | (dac or {}), "wires": line}
    bar = Crossbar(Chip.parse(chip), W.shape, seed=1, dtype="float64")
    bar.program(W)
    return bar


def products_by_hand(iv, in_time=False):
    """Both directions of pairs in tiles of 4 x 3, every node of every side."""
    a, span = W / np.abs(W).max(), 25e-6
    sides = [np.maximum(a, 0) * span, np.maximum(-a, 0) * span]
    tiles_in, tiles_out = [(0, 3), (3, 7)], [(0, 2), (2, 5)]
    parameter = 4.0 if iv == "sinh" else 0.6

    def charge(g, drive, back):
        steps = np.unique(np.abs(drive)) if in_time else [None]
        total, before = 0.0, 0.0
        for end in steps:
            on = drive if end is None else np.sign(drive) * (np.abs(drive) >= end)
            ends = (np.zeros(len(g)), on) if back else (on, np.zeros(g.shape[1]))
            out = naive.solve(g, 300.0, 200.0, *ends, iv, parameter)[0 if back else 1]
            total = total + out * (1.0 if end is None else end - before)
            before = end or 0.0
        return total

    forward, back = np.zeros((4, 5)), np.zeros((4, 7))
    for i, j in tiles_in:
        for k, m in tiles_out:
            for sign, g in zip((1, -1), sides, strict=True):
                for row in range(4):
                    forward[row, k:m] += sign * charge(g[k:m, i:j].T, X[row, i:j], False) / span
                    back[row, i:j] += sign * charge(g[k:m, i:j].T, S[row, k:m], True) / span
    return forward * np.abs(W).max(), back * np.abs(W).max()


@pytest.mark.parametrize("in_time", [False, True])
@pytest.mark.parametrize("iv", ["sinh", "cubic"])
def test_a_crossbar_reads_what_its_nodes_say(iv, in_time):
    """Amplitudes, and widths of pulses: the charge until the last of them has ended."""
    bar = bar_of(DEVICE[iv], dac={"encoding": "pulse_width"} if in_time else {})
    forward, back = products_by_hand(iv, in_time)
    np.testing.assert_allclose(bar.forward(X), forward, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(bar.transposed(S), back, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("iv", ["sinh", "cubic"])
@pytest.mark.parametrize("mapping", [{}, {"mapping": "offset"}, {"mapping": "offset", "reference": "analog"}])
@pytest.mark.parametrize("adc", [{}, {"bits": 16, "range": 8.0}])
def test_little_resistance_is_the_curve_ahead_of_the_product(iv, mapping, adc):
    """All mappings, references in; half driven, so that the middle of a digital reference does not cancel."""
    bars = [
        bar_of(DEVICE[iv], mapping, {"bits": 12}, line, adc=adc) for line in ({}, {"r_word": 1e-4, "r_bit": 1e-4})
    ]
    step = 3 * 16 / 2**15 * np.abs(W).max() if adc else 1e-5
    np.testing.assert_allclose(bars[0].forward(X), bars[1].forward(X), atol=step)
    np.testing.assert_allclose(bars[0].transposed(S), bars[1].transposed(S), atol=step)
    ideal = bar_of({}, mapping, {"bits": 12}, {}, adc=adc)
    assert np.abs(ideal.forward(X) - bars[0].forward(X)).max() > 0.05


@pytest.mark.parametrize("iv", ["sinh", "cubic"])
def test_noise_of_devices_goes_through_the_network(iv):
    """Mean and variance against reads in which every device has another conductance; outputs of a tile share noise."""
    device = DEVICE[iv] | {"read_noise": 1.0}
    many, n = 6000, 400
    bar = bar_of(device, {"rows": None, "columns": None})
    for read, drive, back in ((bar.forward, X, False), (bar.transposed, S, True)):
        found = read(np.tile(drive[:1], (many, 1)))
        quiet = bar_of(DEVICE[iv], {"rows": None, "columns": None})
        mean = (quiet.transposed if back else quiet.forward)(drive[:1])[0]
        np.testing.assert_allclose(found.mean(0), mean, atol=0.05)
        draw, a = np.random.default_rng(5), W / np.abs(W).max()
        twins = np.zeros((n, found.shape[1]))
        for sign, part in ((1, np.maximum(a, 0)), (-1, np.maximum(-a, 0))):
            g = part.T * 25e-6 + 1e-6 * draw.normal(size=(n, 7, 5))
            for k in range(n):
                ends = (np.zeros(7), S[0]) if back else (X[0], np.zeros(5))
                parameter = 4.0 if iv == "sinh" else 0.6
                twins[k] += sign * naive.solve(g[k], 300.0, 200.0, *ends, iv, parameter)[0 if back else 1] / 25e-6
        spread = twins.std(0) * np.abs(W).max()
        np.testing.assert_allclose(found.std(0), spread, rtol=5 * np.sqrt(0.5 / n + 0.5 / many))
    assert (bar.forward(X) != bar.forward(X)).any()


def test_too_much_resistance_is_one_line():
    from hw_models.errors import ChipError

    tile = tile_of(np.full((2, 2), 1e-5), 1e300, 1e300, "sinh")
    try:
        assert np.isfinite(tile.currents(np.ones((1, 2)))).all()
    except ChipError as error:
        assert "r_word" in str(error) and "\n" not in str(error)
