"""ADCs that are not ideal, gain and offset of the transposed path: a slow twin, and what standards define."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hw_models import Crossbar
from hw_models.arrays.sensing import Sensing
from hw_models.chip import ADC, Chip, Transposed
from hw_models.kernels import transfer
from hw_models.kernels.random import key
from tests.naive import crossbar as plain, sensing as naive

RNG = np.random.default_rng(0)
W = RNG.normal(size=(7, 11))
X, S = RNG.uniform(-1, 1, (9, 11)), RNG.uniform(-1, 1, (9, 7))
ROWS, COLUMNS, SHARED = 4, 3, 2
FIXED = {"bits": 5, "range": 3.0}
ERRORS = {
    "gain": {"gain_spread": 0.2},
    "offset": {"offset_spread": 0.05},
    "bow": {"inl": 0.08},
    "s": {"inl": -0.03, "inl_spread": 0.05, "inl_shape": "s"},
    "too steep": {"inl": 0.4, "inl_spread": 0.5},
    "dnl": {"dnl": 0.6},
    "all": {"gain_spread": 0.1, "offset_spread": 0.03, "inl": 0.05, "inl_spread": 0.02, "dnl": 0.5},
}


def bar_of(adc, dtype="float64", **more):
    chip = {"crossbar": {"rows": ROWS, "columns": COLUMNS}, "adc": adc, **more}
    bar = Crossbar(Chip.parse(chip), W.shape, seed=3, name="bar", dtype=dtype)
    bar.program(W)
    return bar


def drawn(way, what, tile, number, many=1):
    return plain.normals(key(3, "bar", way, what), 0, tile, number, many)


def twin(adc, way, unsigned=False):
    """The product of one direction, reading by reading."""
    signals, a = (X, W / np.abs(W).max()) if way == "forward" else (S, W.T / np.abs(W).max())
    summed, sensed = (ROWS, COLUMNS) if way == "forward" else (COLUMNS, ROWS)
    full, bits = adc.range, adc.bits
    low = 0.0 if unsigned else -full
    step = full / (2**bits - 1) if unsigned else full / (2 ** (bits - 1) - 1)
    steps = round((full - low) / step)
    total, stops = np.zeros((len(signals), len(a))), 0
    for tile, (i, j) in enumerate(plain.tiles(signals.shape[1], summed)):
        first = 0
        for begin, end in plain.tiles(len(a), sensed):
            for line in range(begin, end):
                number = first + (line - begin) // adc.columns
                z = {what: drawn(way, f"adc {what}", tile, number)[0] for what in ("gain", "offset", "inl")}
                own = drawn(way, "adc dnl", tile, number, steps - 1)
                edges = naive.thresholds(steps, step, low, own, adc.dnl)
                for row in range(len(signals)):
                    x = float(signals[row, i:j] @ a[line, i:j])
                    errors = (adc.gain_spread * z["gain"], adc.offset_spread * z["offset"])
                    w = naive.ahead(x, low, full, *errors, adc.inl + adc.inl_spread * z["inl"], adc.inl_shape)
                    stops += not low - step / 2 <= w <= full + step / 2
                    total[row, line] += low + step * naive.code(w, edges)
            first += -(-(end - begin) // adc.columns)
    return total * np.abs(W).max(), stops


@pytest.mark.kernels
@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("shared", [1, SHARED])
@pytest.mark.parametrize("name", ERRORS)
def test_products_are_those_of_the_slow_twin(name, shared, unsigned):
    """In both directions, with readings at the stop counted as those that lie beyond the last level."""
    spread = {"gain_spread", "offset_spread", "inl_spread", "dnl"} & ERRORS[name].keys()
    adc = FIXED | ERRORS[name] | ({"columns": shared} if spread else {}) | ({"sign": "unsigned"} if unsigned else {})
    adc |= {"range": 0.5} if name == "all" else {}
    bar, made = bar_of(adc), ADC(**adc)
    for way, read, signals in (("forward", bar.forward, X), ("transposed", bar.transposed, S)):
        expected, stops = twin(made, way, unsigned)
        np.testing.assert_allclose(read(signals), expected, rtol=0, atol=1e-5)
        assert bar.counters[f"adc_{way}_at_stop"] == stops
    if name == "all":
        assert bar.counters["adc_forward_at_stop"] > 0


@pytest.mark.parametrize("name", ERRORS)
def test_single_precision_differs_by_rounding_alone(name):
    """A reading near a threshold may fall to its other side: a step of one tile at most, and seldom."""
    adc = FIXED | ERRORS[name]
    one, other = (bar_of(adc, dtype).forward(X.astype(dtype)) for dtype in ("float32", "float64"))
    assert (np.abs(one - other) > 1e-4).mean() < 0.05


def ramp(adc, unsigned=False, points=20001):
    """What ADC 0 makes of a slow ramp from one end to the other."""
    adc = {"sign": "unsigned" if unsigned else "signed", "range": 1.0} | adc
    chip = Chip.parse({"adc": adc, "crossbar": {"weight_range": 1.0}})
    bar = Crossbar(chip, (1, 1), seed=0, name="bar", dtype="float64")
    bar.program(np.ones((1, 1)))
    x = np.linspace(0 if unsigned else -1, 1, points)[:, None]
    return x[:, 0], bar.forward(x)[:, 0]


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("shape", ["bow", "s"])
def test_integral_non_linearity_is_what_the_standard_calls_so(shape, unsigned):
    """Largest distance of the transfer from the line through its end points, and nothing at the ends."""
    size = 0.05
    x, y = ramp({"inl": size, "inl_shape": shape}, unsigned)
    line = y[0] + (x - x[0]) * (y[-1] - y[0]) / (x[-1] - x[0])
    assert np.abs(y - line).max() == pytest.approx(size, rel=1e-4)
    assert y[0] == pytest.approx(x[0], abs=1e-12) and y[-1] == pytest.approx(1, abs=1e-12)


@given(inl=st.floats(-0.49, 0.49), spread=st.floats(0, 1), dnl=st.floats(0, 3), shape=st.sampled_from(["bow", "s"]))
def test_transfers_are_monotone_whatever_is_asked(inl, spread, dnl, shape):
    shaped = {"inl_shape": shape} if inl or spread else {}
    _, y = ramp({"bits": 6, "inl": inl, "inl_spread": spread, "dnl": dnl} | shaped, points=2001)
    assert (np.diff(y) >= 0).all()


def test_widths_of_steps_have_the_spread_that_was_asked_and_keep_both_ends():
    adc = ADC(bits=8, range=1.0, dnl=0.2)
    made = Sensing(adc, None, (0, "bar", "forward"), 1, [(0, 400)], np.dtype("float64"))
    bar = Crossbar(Chip(adc=adc), (1, 1))
    moved = made._thresholds(0, bar.converters.of("forward")[1].grid)
    assert moved.shape == (400, 254)
    np.testing.assert_array_equal(moved[:, [0, -1]], 0)
    widths = np.diff(moved.astype(np.float64), axis=1)
    assert widths.std() == pytest.approx(0.2, rel=0.02)
    np.testing.assert_allclose(widths.mean(1), 0, atol=1e-5)
    middle = moved[:, 126].astype(np.float64)
    assert middle.std() == pytest.approx(0.2 * np.sqrt(254) / 2, rel=5 * np.sqrt(0.5 / 400))


def test_a_code_may_be_missing():
    _, y = ramp({"bits": 6, "dnl": 1.5})
    assert 20 < len(np.unique(y.round(6))) < 63


def test_spreads_are_of_the_converters_not_of_the_outputs():
    adc = {"gain_spread": 0.1, "columns": 4, "range": 100.0}
    chip = Chip.parse({"adc": adc, "crossbar": {"weight_range": 1.0}})
    bar = Crossbar(chip, (4000, 1), dtype="float64")
    bar.program(np.ones((4000, 1)))
    gain = bar.forward(np.ones((1, 1)))[0]
    assert gain.std() == pytest.approx(0.1, rel=5 * np.sqrt(0.5 / 1000))
    np.testing.assert_array_equal(gain.reshape(-1, 4), np.repeat(gain[::4, None], 4, axis=1))
    back = Crossbar(chip, (1, 4000), dtype="float64")
    back.program(np.ones((1, 4000)))
    other = back.transposed(np.ones((1, 1)))[0]
    assert abs(np.corrcoef(gain[::4], other[::4])[0, 1]) < 5 / np.sqrt(1000)


def test_an_adc_is_the_same_one_however_many_there_are():
    wide, narrow = (bar_of({"gain_spread": 0.1, "range": 50.0}).forward(X), None)
    chip = Chip.parse({"crossbar": {"rows": ROWS, "columns": COLUMNS}, "adc": {"gain_spread": 0.1, "range": 50.0}})
    bar = Crossbar(chip, (2, 11), seed=3, name="bar", dtype="float64")
    bar.program(W[:2])
    narrow = bar.forward(X)
    np.testing.assert_allclose(wide[:, :2], narrow, rtol=1e-9)


def test_noise_comes_ahead_of_the_errors():
    adc = {"bits": 12, "range": 4.0, "noise": 0.01, "gain_spread": 0.5}
    chip = Chip.parse({"adc": adc, "crossbar": {"weight_range": 1.0}})
    bar = Crossbar(chip, (1, 1), dtype="float64")
    bar.program(np.ones((1, 1)))
    found = bar.forward(np.full((20000, 1), 1.0))
    assert found.std() / found.mean() == pytest.approx(0.04, rel=0.03)


@pytest.mark.parametrize("read_noise", [0.0, 0.2])
@pytest.mark.parametrize("devices", ["same", "own"])
def test_what_amplifies_a_line_does_not_amplify_the_noise_of_its_converter(devices, read_noise):
    """Of 4000 reads: variances of single lines within 5 sigma. Three column tiles, each with a converter of its own."""
    path = {"gain": 0.5, "gain_spread": 0.3, "devices": devices}
    made = {"transposed": path, "device": {"read_noise": read_noise}}
    bar = bar_of({"range": 3.0, "noise": 0.005}, **made)
    reads = bar.transposed(np.repeat(S[:1], 4000, axis=0)) / bar.weight_range
    other = bar.other or bar
    own = key(3, other.name, "transposed", "line gain")
    spread = [[plain.normals(own, 0, tile, line, 1)[0] for tile in range(3)] for line in range(11)]
    gains = 1.5 * (1 + 0.3 * np.array(spread))
    parts = [np.square(S[0, i:j]).sum() for i, j in plain.tiles(7, COLUMNS)]
    wanted = 3 * 0.015**2 + 2 * (read_noise / 25) ** 2 * np.square(gains) @ parts
    np.testing.assert_allclose(reads.var(axis=0) / wanted, 1, atol=5 * np.sqrt(2 / 4000))


def test_stochastic_rounding_has_the_bent_value_as_its_mean():
    adc = {"bits": 4, "range": 2.0, "inl": 0.1, "stochastic": True}
    for dnl in (0.0, 0.3):
        chip = Chip.parse({"adc": adc | {"dnl": dnl}, "crossbar": {"weight_range": 1.0}})
        bar = Crossbar(chip, (1, 1), dtype="float64")
        bar.program(np.ones((1, 1)))
        found = bar.forward(np.full((40000, 1), 0.7))[:, 0]
        step = 2 / 7
        assert len(np.unique(found.round(9))) == 2
        w = naive.ahead(0.7, -2.0, 2.0, inl=0.1)
        if dnl:
            z = plain.normals(key(0, "crossbar", "forward", "adc dnl"), 0, 0, 0, 13)
            edges = naive.thresholds(14, step, -2.0, z, dnl)
            u = (np.arange(4000) + 0.5) / 4000 - 0.5
            w = np.mean([-2.0 + step * naive.code(w + step * each, edges) for each in u])
        assert found.mean() == pytest.approx(w, abs=5 * step / 2 / 200)


def test_ranges_are_calibrated_on_what_reaches_the_converter():
    """Its own errors are not in; a second pass with them gives the same range."""
    bars = [bar_of(adc) for adc in ({"bits": 8}, {"bits": 8, "gain_spread": 0.3, "inl": 0.1, "dnl": 0.2})]
    for bar in bars:
        bar.observe()
        passed = bar.forward(X)
        np.testing.assert_allclose(passed, X @ W.T, rtol=1e-6)
        bar.freeze()
    one, other = (bar.converters.of("forward")[1].range for bar in bars)
    assert one == other


@pytest.mark.parametrize("threads", [1, 2])
def test_results_do_not_depend_on_threads_or_blocks(threads):
    from neuroep.engines.workers import Workers

    chip = Chip.parse({"adc": FIXED | ERRORS["all"], "crossbar": {"rows": 4}})
    workers = Workers(threads)
    bar = Crossbar(chip, W.shape, seed=3, name="bar", run=workers.run, dtype="float64")
    bar.program(W)
    many = np.tile(X, (200, 1))
    np.testing.assert_array_equal(bar.forward(many)[:9], bar.forward(many)[9:18])
    alone = Crossbar(chip, W.shape, seed=3, name="bar", dtype="float64")
    alone.program(W)
    np.testing.assert_array_equal(alone.forward(many), bar.forward(many))


def test_gain_and_offset_of_the_transposed_path():
    """Per sensed line of a tile, ahead of its ADC; a fully driven device is the unit of the offset."""
    path = {"gain": 0.1, "gain_spread": 0.05, "offset_spread": 0.02}
    chip = Chip.parse({"crossbar": {"rows": ROWS, "columns": COLUMNS}, "dac": {"range": 2.0}, "transposed": path})
    bar = Crossbar(chip, W.shape, seed=3, name="bar", dtype="float64")
    bar.program(W)
    np.testing.assert_allclose(bar.forward(X), X @ W.T, rtol=1e-6)
    expected, scale = np.zeros((9, 11)), np.abs(W).max()
    for tile, (i, j) in enumerate(plain.tiles(7, COLUMNS)):
        for line in range(11):
            z, o = (drawn("transposed", f"line {what}", tile, line)[0] for what in ("gain", "offset"))
            own = S[:, i:j] @ W[i:j, line]
            expected[:, line] += 1.1 * (1 + 0.05 * z) * own + 0.02 * o * 2.0 * scale
    np.testing.assert_allclose(bar.transposed(S), expected, rtol=1e-5)


def test_an_ideal_transfer_is_left_as_it_is():
    """A bank without errors is none; errors of size 0 change no bit."""
    assert Sensing(ADC(), Transposed(), (0, "a", "forward"), 1, [(0, 3)], np.dtype("float32")).amplifies is False
    x = RNG.normal(size=(3, 4))
    y = x.copy()
    transfer.bowed(y, np.zeros(4), False, -1.0, 1.0)
    transfer.amplified(y, np.ones(4), np.zeros(4))
    np.testing.assert_array_equal(x, y)
    z = np.rint(x / 0.25) * 0.25
    transfer.stepped(y, np.zeros(4, dtype=np.int64), np.zeros((1, 40), dtype=np.float32), 0.25, -5.0, 5.0)
    np.testing.assert_allclose(y, z, atol=1e-12)
