"""Crossbars against their slow twin, oracle cases, statistics, and what a chip's fields promise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hw_models.arrays import read_plan as products
from hw_models.arrays.converter_bank import Converters
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.parts import CrossbarParts
from hw_models.chip import ADC, Chip
from hw_models.errors import ChipError
from hw_models.kernels.blocks import blocks, serial
from hw_models.kernels.random import key, normals, uniforms
from tests.naive import crossbar as naive

SHAPE, ROWS, COLUMNS = (7, 11), 4, 3
TILED = {"rows": ROWS, "columns": COLUMNS}
LAWS = {"additive": 0.4, "proportional": 0.05, "sqrt": 0.03, "pcm": 0.05}
DRIFT = {"age": 1e3, "drift_mean": (-0.0155, 0.0244, 0.049, 0.1), "drift_spread": (-0.0125, -0.0059, 0.008, 0.045)}


def chip(**parts):
    return Chip.model_validate(parts)


def data(rows=5, shape=SHAPE, dtype="float32", seed=0):
    draw = np.random.default_rng(seed)
    weight = draw.normal(size=shape).astype(dtype)
    return weight, draw.normal(size=(rows, shape[1])).astype(dtype), draw.normal(size=(rows, shape[0])).astype(dtype)


def make(weight, seed=0, dtype="float32", run=serial, **parts):
    bar = Crossbar(chip(**parts), weight.shape, seed, "test", run, dtype)
    bar.program(weight)
    return bar


def both(bar, x, s):
    return bar.forward(x), bar.transposed(s)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


# --- what a product is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "shape"), [(5, SHAPE), (2 * 2048 + 1, (3, 4)), (2, (3, 2 * 4096 + 5))])
def test_without_effects_it_is_the_ideal_array_bit_for_bit(rows, shape, dtype):
    from neuroep.engines.numba import arrays
    from neuroep.engines.workers import Workers
    from neuroep.learning.optimisers import SGD

    weight, x, s = data(rows, shape, dtype)
    ideal = arrays.ideal(weight, None, SGD(), Workers(1), dtype)
    bar = make(weight, dtype=dtype, crossbar=TILED | {"mapping": "offset", "weight_headroom": 2.0})
    np.testing.assert_array_equal(bar.forward(x), ideal.forward(x))
    np.testing.assert_array_equal(bar.transposed(s), ideal.transposed(s))
    np.testing.assert_array_equal(bar.weights(), weight)
    assert bar.ideal and bar.forward(x).dtype == dtype


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", ["plain", "dac", "adc", "noise", "adc noise", "all"])
def test_it_is_the_slow_twin(case, dtype):
    """Converters, tiles, additive noise from the same draws, in both directions."""
    weight, x, s = data(2, (5, 6), dtype)
    converter = {"bits": 6, "range": 2.5}
    dac = converter if case in ("dac", "all") else {}
    adc = converter if case in ("adc", "all") else {}
    adc = {"range": 1e4, "noise": 1e-5} if case == "adc noise" else adc
    size = 0.5 if case in ("noise", "all") else 0.0
    bar = make(weight, 3, dtype, crossbar=TILED | {"weight_range": 4.0}, dac=dac, adc=adc, device={"read_noise": size})
    a = np.clip(weight / 4.0, -1, 1)
    full = 2.5 if dac else None
    found_adc = (adc.get("bits"), adc["range"] * (full or 1.0)) if adc else (None, None)
    for way, signals, matrix, edges in (
        ("forward", x, a, naive.tiles(6, ROWS)),
        ("transposed", s, a.T, naive.tiles(5, COLUMNS)),
    ):
        own = key(3, "test", way, "read")

        lines = len(matrix)

        def noise(tile, row, driven, own=own, lines=lines):
            sigma = np.hypot(size / 25 * np.sqrt(2) * np.linalg.norm(driven), 0.1 if case == "adc noise" else 0.0)
            return sigma * naive.normals(own, 1, tile, row, lines) if sigma else np.zeros(lines)

        expected = naive.product(signals, matrix, 4.0, edges, (dac.get("bits"), full), found_adc, noise)
        bar.begin()
        np.testing.assert_allclose(getattr(bar, way)(signals), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("mapped", ["differential", "offset"])
@pytest.mark.parametrize("parts", [{}, {"wires": {"r_word": 40.0, "r_bit": 20.0}}, {"device": {"mismatch": 0.1}}])
def test_transposed_reads_the_same_devices(mapped, parts):
    weight, _, _ = data()
    bar = make(weight, crossbar=TILED | {"mapping": mapped, "weight_range": 5.0}, **parts)
    one = np.eye(SHAPE[1], dtype=np.float32), np.eye(SHAPE[0], dtype=np.float32)
    np.testing.assert_allclose(bar.forward(one[0]).T, bar.transposed(one[1]), rtol=0, atol=1e-6)
    np.testing.assert_allclose(bar.forward(one[0]).T, bar.weights(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(bar.expected_transposed(one[1]), bar.weights(), rtol=0, atol=1e-6)


def test_expected_draws_and_counts_nothing():
    weight, x, s = data()
    bar = make(weight, device={"read_noise": 1.0}, dac={"bits": 4, "range": 1.0})
    before = bar.state()
    np.testing.assert_allclose(bar.expected(x), x @ bar.weights().T, atol=1e-5)
    np.testing.assert_allclose(bar.expected_transposed(s), s @ bar.weights(), atol=1e-5)
    for name, values in bar.state().items():
        np.testing.assert_array_equal(values, before[name])


def test_transposed_writes_where_it_is_told():
    weight, _, s = data()
    for parts in ({}, {"dac": {"bits": 8, "range": 4.0}}):
        out = np.full((5, 30), np.nan, dtype=np.float32)
        bar = make(weight, **parts)
        view = out[:, 3:14]
        assert bar.transposed(s, view) is view
        np.testing.assert_array_equal(out[:, 3:14], make(weight, **parts).transposed(s))
        assert np.isnan(out[:, :3]).all() and np.isnan(out[:, 14:]).all()


def test_signals_may_lie_anyhow():
    weight, x, s = data()
    parts = {"dac": {"bits": 8, "range": 4.0}, "device": {"read_noise": 0.3}}
    turned = both(make(weight, **parts), *map(np.asfortranarray, (x, s)))
    for found, exact in zip(turned, both(make(weight, **parts), x, s), strict=True):
        np.testing.assert_allclose(found, exact, atol=1e-5)


# --- fields ----------------------------------------------------------------------------------------------------------

CHANGES = {
    "crossbar.rows": (TILED | {"rows": 3}, {"adc": {"bits": 6, "range": 2.0}}),
    "crossbar.columns": (TILED | {"columns": 2}, {"adc": {"bits": 6, "range": 2.0}}),
    "crossbar.mapping": (TILED | {"mapping": "offset"}, {"device": {"mismatch": 0.1}}),
    "crossbar.reference": (
        TILED | {"mapping": "offset", "reference": "analog"},
        {"crossbar": TILED | {"mapping": "offset"}, "adc": {"bits": 6, "range": 9.0}},
    ),
    "crossbar.reference_lines": (
        TILED | {"mapping": "offset", "reference": "analog", "reference_lines": 4},
        {"crossbar": TILED | {"mapping": "offset", "reference": "analog"}, "device": {"mismatch": 0.1}},
    ),
    "crossbar.zero": (
        TILED | {"mapping": "offset", "zero": "level"},
        {"crossbar": TILED | {"mapping": "offset"}, "device": {"levels": 16}},
    ),
    "crossbar.slices": (TILED | {"slices": 2, "slice_bits": 3}, {}),
    "crossbar.slice_bits": (
        TILED | {"slices": 2, "slice_bits": 4},
        {"crossbar": TILED | {"slices": 2, "slice_bits": 3}},
    ),
    "crossbar.weight_range": (TILED | {"weight_range": 1.0}, {}),
    "crossbar.weight_headroom": (TILED | {"weight_headroom": 3.0}, {"device": {"levels": 8}}),
    "crossbar.weight_clip": (TILED | {"weight_clip": 1.0}, {}),
    "crossbar.exact_noise": (TILED | {"exact_noise": True}, {"device": {"read_noise": 0.5}}),
    "device.g_min": ({"g_min": 5.0, "mismatch": 0.1}, {"device": {"mismatch": 0.1}}),
    "device.g_max": ({"g_max": 50.0, "read_noise": 0.5}, {"device": {"read_noise": 0.5}}),
    "device.g_min_spread": ({"g_min": 5.0, "g_min_spread": 0.3}, {"device": {"g_min": 5.0}}),
    "device.g_max_spread": ({"g_max_spread": 0.3}, {}),
    "device.mismatch": ({"mismatch": 0.1}, {}),
    "device.levels": ({"levels": 8}, {}),
    "device.resolution": ({"resolution": 2.0}, {}),
    "device.programming_noise": ({"programming_noise": (0.3, 1.0)}, {}),
    "device.read_noise": ({"read_noise": 0.5}, {}),
    "device.read_noise_law": ({"read_noise": 0.5, "read_noise_law": "sqrt"}, {"device": {"read_noise": 0.5}}),
    "device.read_noise_exponent": (
        {"read_noise": 0.01, "read_noise_law": "pcm", "read_noise_exponent": 0.3},
        {"device": {"read_noise": 0.01, "read_noise_law": "pcm"}},
    ),
    "device.read_noise_cap": (
        {"read_noise": 0.01, "read_noise_law": "pcm", "read_noise_cap": 0.01},
        {"device": {"read_noise": 0.01, "read_noise_law": "pcm"}},
    ),
    "device.read_time": (
        {"read_noise": 0.01, "read_noise_law": "pcm", "read_time": 1e-3},
        {"device": {"read_noise": 0.01, "read_noise_law": "pcm"}},
    ),
    "device.drift_mean": (DRIFT | {"drift_mean": (0.0, 0.2, 0.1, 0.3)}, {"device": DRIFT}),
    "device.drift_spread": (DRIFT | {"drift_spread": (0.0, 0.0, 0.0, 0.0)}, {"device": DRIFT}),
    "device.drift_start": (DRIFT | {"drift_start": 1.0}, {"device": DRIFT}),
    "device.age": (DRIFT | {"age": 1e5}, {"device": DRIFT}),
    "device.drift_compensation": (DRIFT | {"drift_compensation": True}, {"device": DRIFT}),
    "device.stuck_low": ({"stuck_low": 0.2}, {}),
    "device.stuck_high": ({"stuck_high": 0.2}, {}),
    "wires.r_word": ({"r_word": 100.0}, {}),
    "wires.r_bit": ({"r_bit": 100.0}, {}),
    "dac.bits": ({"bits": 4, "range": 4.0}, {"dac": {"range": 4.0}}),
    "dac.range": ({"bits": 4, "range": 2.0}, {"dac": {"bits": 4, "range": 4.0}}),
    "dac.sign": ({"bits": 4, "range": 4.0, "sign": "unsigned"}, {"dac": {"bits": 4, "range": 4.0}}),
    "dac.stochastic": ({"bits": 4, "range": 4.0, "stochastic": True}, {"dac": {"bits": 4, "range": 4.0}}),
    "dac.noise": ({"range": 4.0, "noise": 0.1}, {"dac": {"range": 4.0}}),
    "adc.bits": ({"bits": 4, "range": 4.0}, {"adc": {"range": 4.0}}),
    "adc.range": ({"bits": 4, "range": 2.0}, {"adc": {"bits": 4, "range": 4.0}}),
    "adc.sign": ({"bits": 4, "range": 4.0, "sign": "unsigned"}, {"adc": {"bits": 4, "range": 4.0}}),
    "adc.stochastic": ({"bits": 4, "range": 4.0, "stochastic": True}, {"adc": {"bits": 4, "range": 4.0}}),
    "adc.noise": ({"range": 4.0, "noise": 0.1}, {"adc": {"range": 4.0}}),
}  # fmt: skip


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_changes_products(field):
    """In the direction it acts on, or in both."""
    weight, x, s = data()
    part, (changed, base) = field.split(".")[0], CHANGES[field]
    base = {"crossbar": TILED} | base
    one, other = make(weight, **base), make(weight, **base | {part: changed})
    differs = [rms(a - b) > 1e-4 for a, b in zip(both(one, x, s), both(other, x, s), strict=True)]
    if field in ("crossbar.rows", "crossbar.columns"):
        assert differs == [field == "crossbar.rows", field == "crossbar.columns"]
    else:
        assert all(differs)


# --- read noise ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wired", [False, True], ids=["", "wires"])
@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("mapped", ["differential", "offset", "analog"])
@pytest.mark.parametrize("law", LAWS)
def test_noise_at_the_outputs_has_the_moments_of_noise_device_by_device(law, mapped, way, wired):
    """Mean and variance of every output, five tiles, g_min above 0; also against the expected product."""
    count, shape = 4000, (5, 6)
    weight, x, s = data(1, shape)
    signals = np.repeat(x if way == "forward" else s, count, axis=0)
    device = {"read_noise": LAWS[law], "read_noise_law": law, "g_min": 1.0}
    parts = {"device": device, "wires": {"r_word": 200.0, "r_bit": 100.0} if wired else {}}
    own = TILED | ({"mapping": "offset", "reference": "analog"} if mapped == "analog" else {"mapping": mapped})
    each = [make(weight, crossbar=own | {"exact_noise": exact}, **parts) for exact in (False, True)]
    found = [getattr(bar, way)(signals) for bar in each]
    bar = make(weight, crossbar=own, **parts)
    mean = (bar.expected if way == "forward" else bar.expected_transposed)(signals[:1])[0]
    deviation = found[1].std(0)
    for values in found:
        assert (np.abs(values.mean(0) - mean) < 4.5 * deviation / count**0.5).all()
    # Device by device the pcm law is not Gaussian: its variance has more spread.
    spread = 4.5 * 2 / count**0.5 * (1.5 if law == "pcm" else 1.0)
    np.testing.assert_allclose(found[0].var(0) / found[1].var(0), 1, rtol=0, atol=spread)


@pytest.mark.parametrize("law", ["additive", "proportional", "sqrt"])
@pytest.mark.parametrize("mapped", ["differential", "offset"])
def test_variance_is_the_sum_over_devices(mapped, law):
    """From the slow twin's sigma of every device, forward."""
    weight, x, _ = data(1)
    parts = {"device": {"read_noise": LAWS[law], "read_noise_law": law, "g_min": 1.0}, "dac": {"range": 1e3}}
    column = {"reference": "analog", "reference_lines": 1} if mapped == "offset" else {}
    bar = make(weight, crossbar=TILED | {"mapping": mapped} | column, **parts)
    found = bar.forward(np.repeat(x, 20000, axis=0)).var(0)
    sigma = np.array([naive.read_sigma(g, bar.device) for g in np.stack(bar.conductances()).ravel().tolist()])
    unit = (1 if mapped == "differential" else 2) / 24.0 * bar.weight_range
    exact = np.square(sigma.reshape(2, *SHAPE) * unit * x).sum((0, 2))
    np.testing.assert_allclose(found, exact, rtol=4.5 * (2 / 20000) ** 0.5)


def test_the_reference_column_is_common_to_the_outputs_of_a_tile():
    """Half the additive variance is the reference's: outputs of a tile correlate by 1/2, others do not."""
    weight, x, s = data(1)
    for exact in (False, True):
        own = {"mapping": "offset", "reference": "analog", "reference_lines": 1, "exact_noise": exact}
        bar = make(weight, crossbar=TILED | own, device={"read_noise": 0.5}, dac={"range": 1e3})
        found = np.corrcoef(bar.forward(np.repeat(x, 3000, axis=0)).T)
        same = bar.devices.tile_of[:, None] == bar.devices.tile_of
        np.testing.assert_allclose(found, np.where(same, 0.5, 0) + 0.5 * np.eye(SHAPE[0]), atol=0.09)
        assert np.abs(np.corrcoef(bar.transposed(np.repeat(s, 3000, axis=0)).T) - np.eye(SHAPE[1])).max() < 0.09


def test_noise_of_aihwkit(oracle):
    """Output noise, input noise, additive weight noise, and the sqrt law as PCM read noise."""
    _, arrays = oracle("aihwkit_mvm_noise")
    weight, x, count = arrays["W"], arrays["x"], 40000
    top, signals = float(np.abs(weight).max()), np.repeat(arrays["x"][None], 10000, axis=0)
    full = {"crossbar": {"weight_range": top}}
    cases = {
        "out_noise": {"adc": {"range": 100.0, "noise": 0.1 / top / 100}},
        "inp_noise": {"dac": {"range": 100.0, "noise": 0.05 / 100}},
        "w_additive": {"device": {"read_noise": 0.02 * 25 / top / 2**0.5}},
        "w_pcm_read": {"device": {"read_noise": 0.0175 / top**0.5, "read_noise_law": "sqrt"}},
    }
    np.testing.assert_allclose(weight @ x, arrays["ideal"], atol=1e-5)
    for name, parts in cases.items():
        found = make(weight, **full, **parts).forward(signals).astype(np.float64)
        sigma = arrays[f"{name}_std"]
        limit = 4.5 * (0.5 / 10000 + 0.5 / count) ** 0.5
        np.testing.assert_allclose(found.std(0) / sigma, 1, rtol=0, atol=limit, err_msg=name)
        assert (np.abs(found.mean(0) - arrays["ideal"]) < 5 * sigma / 100).all(), name


def test_every_read_is_new_and_repeats_by_occasion():
    weight, x, s = data()
    parts = {"device": {"read_noise": 0.5}, "dac": {"range": 5.0, "noise": 0.01}}
    bar, again = make(weight, **parts), make(weight, **parts)
    first, second = bar.forward(x), bar.forward(x)
    assert rms(first - second) > 1e-2 and bar.reads == 2
    np.testing.assert_array_equal(again.forward(x), first)
    assert rms(make(weight, 1, **parts).forward(x) - first) > 1e-2
    bar.begin("epoch", 3)
    third = bar.forward(x)
    assert rms(third - first) > 1e-2
    bar.begin("epoch", 3)
    np.testing.assert_array_equal(bar.forward(x), third)
    bar.begin()
    np.testing.assert_array_equal(bar.forward(x), first)
    rows = bar.transposed(np.repeat(s[:1], 4, axis=0))
    assert len({row.tobytes() for row in rows}) == 4


def test_stochastic_rounding_in_the_adc_keeps_the_mean():
    weight, x, s = data(1)
    bar = make(weight, crossbar=TILED, adc={"bits": 4, "range": 4.0, "stochastic": True})
    for found, exact in zip(
        both(bar, np.repeat(x, 4000, axis=0), np.repeat(s, 4000, axis=0)), (x @ weight.T, s @ weight), strict=True
    ):
        step = 4.0 / 7 * bar.weight_range
        assert (np.abs(found.mean(0) - exact[0]) < 4.5 * step / 2 * 3**0.5 / 4000**0.5).all()
        assert found.std(0).max() > 0.2 * step


# --- devices ---------------------------------------------------------------------------------------------------------

DEVICES = {
    "ideal": {},
    "levels": {"levels": 9},
    "bounds": {"g_min": 1.0, "g_min_spread": 0.2, "g_max_spread": 0.2},
    "programming": {"programming_noise": (0.26, 1.9, -1.1)},
    "refitted": {"programming_noise": (0.26, 1.9, -1.1), "programming_noise_g_max": 10.0},
    "relaxing": {"programming_noise": (1.2, 1.9, -1.1), "programming_noise_fresh": (0.3, 0.5), "age": 600.0},
    "mismatch": {"mismatch": 0.2},
    "drift": DRIFT,
    "stuck": {"stuck_low": 0.2, "stuck_high": 0.2},
    "all": {"levels": 9, "g_min": 1.0, "g_min_spread": 0.2, "g_max_spread": 0.2, "programming_noise": (0.26, 1.9, -1.1),
            "programming_noise_fresh": (0.1, 0.5), "mismatch": 0.2, "stuck_low": 0.1, "stuck_high": 0.1, **DRIFT},
}  # fmt: skip


@pytest.mark.kernels
@pytest.mark.parametrize("name", DEVICES)
def test_devices_are_those_of_the_slow_twin(name):
    """From the draws that belong to seed, array, what and output line; the weight is their difference."""
    weight = data(shape=(4, 5))[0]
    bar = make(weight, 2, crossbar={"weight_range": 2.0}, device={"g_min": 1.0, **DEVICES[name]})
    bar.program(weight)
    names = ("g_min", "g_max", "programming", "gain", "nu", "stuck", "relaxation")
    draws = np.empty((2, 7, 4, 5))
    for side in range(2):
        for number, what in enumerate(names):
            turn = bar.programmings if what in ("programming", "nu", "relaxation") else 0
            draws[side, number] = normals(key(2, "test", what), turn, side, (4, 5))
        draws[side, 5] = uniforms(key(2, "test", "stuck"), 0, side, (4, 5))
    g = naive.conductances(np.clip(weight / 2.0, -1, 1), bar.device, draws)
    np.testing.assert_allclose(np.stack(bar.conductances())[:, 0], g, rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(bar.weights(), 2.0 * (g[0] - g[1]) / 24.0, rtol=0, atol=1e-5)


def test_programming_is_fresh_and_device_draws_stay():
    weight = data()[0]
    noisy, fixed = {"programming_noise": (1.0,)}, {"mismatch": 0.1, "stuck_low": 0.1, "g_max_spread": 0.1}
    for device, same in ((noisy, False), (fixed, True)):
        bar = make(weight, device=device)
        first = bar.weights()
        bar.program(weight)
        assert (rms(bar.weights() - first) == 0) is same
        np.testing.assert_array_equal(make(weight, device=device).weights(), first)
        assert rms(make(weight, 1, device=device).weights() - first) > 1e-2
        other = Crossbar(CrossbarParts(bar.layout, bar.device, bar.wires, bar.converters), SHAPE, 0, "test")
        other.begin("sequence", 3)
        other.program(weight)
        assert (rms(other.weights() - first) == 0) is same


@pytest.mark.parametrize("mapped", ["differential", "offset"])
def test_devices_do_not_depend_on_blocks(mapped, monkeypatch):
    weight = data()[0]
    device = DEVICES["all"] | {"read_noise": 0.1, "read_noise_law": "pcm"}
    parts = {"crossbar": TILED | {"mapping": mapped}, "device": device}
    whole = make(weight, **parts)
    monkeypatch.setattr("hw_models.arrays.tiles.BLOCK", 1)
    np.testing.assert_array_equal(make(weight, **parts).weights(), whole.weights())
    np.testing.assert_array_equal(make(weight, **parts).planes[0].variance, whole.planes[0].variance)


@pytest.mark.parametrize("mapped", ["differential", "offset"])
def test_slices_are_the_bits_of_a_weight(mapped):
    """S slices of b bits hold the weight to half of a step of 2^(S b) levels; every slice has its own currents."""
    weight, x, s = data()
    for slices, bits in ((2, 2), (3, 3), (4, 4)):
        bar = make(weight, crossbar=TILED | {"slices": slices, "slice_bits": bits, "mapping": mapped})
        most = 2 ** (slices * bits) - 1
        step = bar.weight_range / most * (1 if mapped == "differential" else 2)
        assert np.abs(bar.weights() - weight).max() <= step / 2 * 1.01
        np.testing.assert_allclose(bar.forward(x), x @ bar.weights().T, atol=2e-5)
        np.testing.assert_allclose(bar.transposed(s), s @ bar.weights(), atol=2e-5)
        assert bar.conductances()[0].shape == (slices, *SHAPE)
        np.testing.assert_allclose(bar.stored * bar.weight_range, bar.weights(), atol=1e-5)
    fine, coarse = (
        make(weight, crossbar=TILED | {"slices": 2, "slice_bits": 4}, adc={"bits": bits, "range": 4.0})
        for bits in (12, 5)
    )
    assert rms(fine.forward(x) - x @ weight.T) < rms(coarse.forward(x) - x @ weight.T)


def test_drift_compensation_restores_the_sum():
    weight, x, _ = data()
    drifts = DRIFT | {"drift_spread": (0.0, 0.0, 0.0, 0.0), "drift_mean": (0.0, 0.06, 0.06, 0.06)}
    plain = make(weight, device=drifts)
    factor = (1 + 1e3 / 20) ** -0.06
    np.testing.assert_allclose(plain.weights(), weight * factor, atol=1e-5)
    mended = make(weight, device=drifts | {"drift_compensation": True})
    assert mended.compensation == pytest.approx(1 / factor, rel=1e-5)
    np.testing.assert_allclose(mended.weights(), weight, atol=1e-5)
    np.testing.assert_allclose(mended.forward(x), x @ weight.T, atol=2e-5)


def test_weights_beyond_the_range_are_cut():
    weight = data()[0]
    np.testing.assert_allclose(make(weight, crossbar={"weight_range": 0.5}).weights(), np.clip(weight, -0.5, 0.5))
    bar = make(weight, crossbar={"weight_headroom": 2.0}, device={"levels": 2**20})
    assert bar.weight_range == pytest.approx(2 * np.abs(weight).max())
    bar.program(3 * weight)
    assert bar.weight_range == pytest.approx(2 * np.abs(weight).max())
    np.testing.assert_allclose(bar.weights(), np.clip(3 * weight, -bar.weight_range, bar.weight_range), atol=1e-4)
    assert make(0 * weight, device={"levels": 4}).weight_range == 1.0


@pytest.mark.parametrize("clip", [0.5, 1.0, 1.5, 3.0])
def test_a_range_that_goes_by_the_root_mean_square_cuts_the_tail_alone(clip):
    """By the definition, entry for entry; never wider than the largest weight, and anew where it follows."""
    weight = data()[0]
    weight[0, 0] = 4 * np.abs(weight).max()
    for size in (1.0, 3.0):
        rms = sum(float(w) ** 2 for w in (size * weight).ravel()) / weight.size
        full = min(clip * rms**0.5, float(np.abs(size * weight).max()))
        bar = make(size * weight, crossbar={"weight_clip": clip})
        assert bar.weight_range == pytest.approx(full, rel=1e-6)
        np.testing.assert_allclose(bar.weights(), np.clip(size * weight, -full, full), rtol=1e-5)
    fixed, follows = (make(weight, crossbar={"weight_clip": clip, "follow_weights": on}) for on in (False, True))
    for bar in (fixed, follows):
        bar.program(2 * weight)
    assert follows.weight_range == pytest.approx(2 * fixed.weight_range, rel=1e-6)
    assert make(0 * weight, crossbar={"weight_clip": clip}).weight_range == 1.0


def test_wires_keep_their_attenuation_between_two_solutions():
    weight, x, s = data()
    line = {"r_word": 100.0, "r_bit": 60.0}
    rare = make(weight, crossbar=TILED | {"weight_range": 5.0}, wires=line | {"refresh_every": 3})
    always = make(weight, crossbar=TILED | {"weight_range": 5.0}, wires=line)
    assert rms(rare.weights() - always.weights()) < 1e-6 < 1e-3 < rms(always.weights() - weight)
    for turn in range(1, 7):
        now = weight * np.float32(1 + 0.02 * turn)
        rare.program(now)
        always.program(now)
        error = rms(rare.weights() - always.weights())
        assert error < 1e-6 if turn % 3 == 0 else 1e-6 < error < 0.1 * rms(always.weights() - now)
        np.testing.assert_allclose(rare.forward(x).T, rare.weights() @ x.T, atol=2e-5)
        np.testing.assert_allclose(rare.transposed(s), s @ rare.weights(), atol=2e-5)


# --- learning in memory, state, calibration, bookkeeping -------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["pulsed", "mixed_precision"])
@pytest.mark.parametrize("device", [{}, {"programming_noise": (1.0,), "mismatch": 0.1, "read_noise": 0.1}])
def test_stored_weights_change_in_place(scheme, device):
    """Programming noise stays as it was drawn; a change passes on to products of both directions."""
    weight, x, s = data()
    bar = make(weight, device=device, update={"scheme": scheme})
    before, change = bar.weights(), np.full(SHAPE, 0.01, dtype=np.float32)
    assert bar.stored is bar.stored and (rms(bar.stored * bar.weight_range - weight) < 1e-6) is (not device)
    bar.refresh()
    np.testing.assert_array_equal(bar.weights(), before)
    bar.stored[:] -= change * np.sign(bar.stored)
    bar.refresh()
    moved = np.abs(bar.weights() - before) / (0.01 * bar.weight_range)
    assert moved.mean() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(bar.expected(x), x @ bar.weights().T, atol=1e-5)
    np.testing.assert_allclose(bar.expected_transposed(s), s @ bar.weights(), atol=1e-5)


def test_in_memory_the_reference_column_stays_as_it_was_programmed():
    parts = {"crossbar": {"mapping": "offset", "reference": "analog"}, "device": {"programming_noise": (1.0,)}}
    weight = data()[0]
    digital, pulsed = make(weight, **parts), make(weight, update={"scheme": "pulsed"}, **parts)
    np.testing.assert_allclose(pulsed.weights(), digital.weights(), atol=1e-5)
    np.testing.assert_array_equal(pulsed.conductances()[1], digital.conductances()[1])
    assert np.ptp(pulsed.conductances()[1][0], axis=0).max() == 0 < np.ptp(pulsed.conductances()[1])


def test_stored_weights_of_a_digital_scheme_are_a_copy():
    weight = data()[0]
    for device in ({}, {"programming_noise": (1.0,)}, {"mismatch": 0.1}):
        bar = make(weight, device=device)
        if "mismatch" not in device:
            np.testing.assert_allclose(bar.stored * bar.weight_range, bar.weights(), atol=1e-5)
        bar.stored[:] = 0
        assert rms(bar.stored) > 0.1


FULL = {
    "crossbar": TILED | {"mapping": "offset", "reference": "analog"},
    "device": DEVICES["all"] | {"read_noise": 0.02, "read_noise_law": "proportional", "drift_compensation": True},
    "wires": {"r_word": 10.0, "r_bit": 5.0, "refresh_every": 3},
    "dac": {"bits": 8, "noise": 0.01},
    "adc": {"bits": 8},
}


@pytest.mark.parametrize("programmings", [1, 2, 4])
@pytest.mark.parametrize("leave", [False, True])
@pytest.mark.parametrize("scheme", ["digital", "pulsed"])
def test_state_round_trip(scheme, leave, programmings):
    """Bit for bit, with everything on; the weight may be handed over by the caller."""
    weight, x, s = data()
    one, other = (Crossbar(chip(**FULL, update={"scheme": scheme}), SHAPE, 0, "test") for _ in range(2))
    one.begin("epoch", 1)
    for _ in range(programmings):
        one.program(weight)
    one.observe()
    both(one, x, s)
    one.freeze()
    if scheme == "pulsed":
        one.stored[:] *= np.float32(0.9)
        one.refresh()
    both(one, x, s)
    state = one.state()
    if leave and scheme == "digital":
        del state["held"]
    other.load(state, weight)
    other.begin("epoch", 2)
    one.begin("epoch", 2)
    for found, exact in zip(both(other, x, s), both(one, x, s), strict=True):
        np.testing.assert_array_equal(found, exact)
    one.program(0.9 * weight)
    other.program(0.9 * weight)
    np.testing.assert_array_equal(one.weights(), other.weights())
    assert (one.counters, one.reads, one.programmings) == (other.counters, other.reads, other.programmings)
    for name, values in one.state().items():
        np.testing.assert_array_equal(other.state()[name], values)


def test_state_of_an_ideal_crossbar():
    weight, x, _ = data()
    other = Crossbar(Chip(), SHAPE, 0, "test")
    other.load(make(weight).state())
    np.testing.assert_array_equal(other.forward(x), make(weight).forward(x))


def test_calibration_passes_signals_through_then_freezes_ranges():
    weight, x, s = data(50)
    bar = make(weight, crossbar=TILED, dac={"bits": 10}, adc={"bits": 10, "margin": 1.5})
    with pytest.raises(ChipError, match="test forward"):
        bar.forward(x)
    bar.observe()
    np.testing.assert_allclose(bar.forward(x), x @ weight.T, atol=2e-5)
    bar.transposed(s * np.float32(0.5))
    bar.freeze()
    ranges = {name: digitiser.range for name, digitiser in bar.converters.digitisers.items()}
    assert ranges["forward.dac"] == np.abs(x).max() and ranges["transposed.dac"] == np.abs(s).max() / 2
    a, edges = weight / bar.weight_range, bar.devices.row_tiles
    current = max(np.abs(x[:, i:j] @ a[:, i:j].T).max() for i, j in edges)
    assert ranges["forward.adc"] == pytest.approx(1.5 * current, rel=1e-5)
    np.testing.assert_allclose(bar.forward(x), x @ weight.T, atol=0.1)
    bar.forward(3 * x)
    assert bar.converters.of("forward")[0].range == ranges["forward.dac"]


def test_converters_may_be_shared():
    weight, x, _ = data()
    parts = {"dac": {"bits": 8}, "adc": {"bits": 8}}
    one, other, shared = make(weight, **parts), make(2 * weight, **parts), Converters(chip(**parts))
    one.converters = other.converters = shared
    shared.observe()
    one.forward(x)
    shared.freeze()
    assert rms(other.forward(x) - 2 * x @ weight.T) < 0.05


@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("law", ["additive", "proportional"])
@pytest.mark.parametrize("mapped", ["differential", "offset"])
def test_threads_and_their_order_change_nothing(mapped, law, way, monkeypatch):
    weight, x, s = data(40)
    monkeypatch.setattr(products, "SAMPLES", 16)
    monkeypatch.setattr(products, "COLUMNS", 4)
    device = {"read_noise": LAWS[law], "read_noise_law": law}
    parts = {"crossbar": TILED | {"mapping": mapped}, "device": device, "dac": {"bits": 8, "range": 3.0},
             "adc": {"bits": 8, "range": 3.0, "noise": 0.01}}  # fmt: skip

    def backwards(task, pieces):
        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(lambda part: task(*part), pieces[::-1]))[::-1]

    signals = x if way == "forward" else s
    first = getattr(make(weight, **parts), way)(signals)
    np.testing.assert_array_equal(getattr(make(weight, run=backwards, **parts), way)(signals), first)
    assert rms(first - (x @ weight.T if way == "forward" else s @ weight)) > 0.01


@pytest.mark.parametrize("exact", [False, True])
def test_blocks_of_samples_change_no_draw(exact, monkeypatch):
    """Sums may differ by rounding with the size of a block, draws do not."""
    weight, x, s = data(9)
    parts = {"crossbar": TILED | {"exact_noise": exact}, "device": {"read_noise": 0.5}}
    parts["dac"] = {"range": 9.0, "noise": 0.1}
    whole = both(make(weight, **parts), x, s)
    monkeypatch.setattr(products, "SAMPLES", 2)
    for found, expected in zip(both(make(weight, **parts), x, s), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def counted(bar):
    return tuple(bar.counters[name] for name in ("dac", "adc", "adc_transposed", "reads", "writes", "additions"))


def test_counters():
    """Three row tiles of 11 inputs, three column tiles of 7 outputs: a line has a DAC in every tile that it drives."""
    weight, x, s = data(5)
    references = {"reference": "analog"}
    for mapped, beside, devices, lines, (ahead, sums) in (
        ("differential", {}, 2 * 77, 7, (0, 0)),
        ("offset", {}, 77, 7, (10 + 7, 6 + 11)),
        ("offset", references, 77 + 7 * 11, 7 + 7, (0, 7 - 3)),
        ("offset", references | {"reference_lines": 3}, 77 + 3 * 3 * 11, 7 + 9, (0, 7 - 3)),
    ):
        bar = make(weight, crossbar=TILED | {"mapping": mapped} | beside, adc={"bits": 8, "range": 4.0})
        bar.forward(x)
        first = 5 * 11 * 3, 5 * 7 * 3, 0, 5 * devices, devices, 5 * (7 * 2 + ahead)
        assert counted(bar) == first
        bar.transposed(s)
        back = 5 * lines * 3, 5 * 11 * 3, 5 * 11 * 3, 5 * devices, 0, 5 * (11 * 2 + sums)
        assert counted(bar) == tuple(a + b for a, b in zip(first, back, strict=True))
        bar.expected(x)
        assert bar.reads == 2 and bar.programmings == 1
    sliced = make(weight, crossbar={"slices": 3, "slice_bits": 2})
    sliced.forward(x)
    assert counted(sliced) == (5 * 11 * 3, 5 * 7 * 3, 0, 5 * 2 * 77 * 3, 2 * 77 * 3, 5 * 7 * 2)


def test_work_is_that_of_tiles_counted_one_by_one():
    """40 inputs and 30 outputs on 5 x 4 tiles in two slices."""
    own = {"rows": 8, "columns": 8, "slices": 2, "slice_bits": 3}
    bar = Crossbar(chip(crossbar=own), (30, 40), 0, "test")
    for way, into, out in (("forward", 40, 30), ("transposed", 30, 40)):
        tiles = [(i, o) for _ in range(2) for i in _lengths(into, 8) for o in _lengths(out, 8)]
        converted = sum(o for _, o in tiles)
        assert bar.work(way) == (sum(i for i, _ in tiles), converted, converted - out)


def _lengths(whole, most):
    return [b - a for a, b in blocks(whole, most)]


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("noise", [{}, {"read_noise": 0.3}, {"read_noise": 0.02, "read_noise_law": "proportional"}])
def test_readings_at_the_stop_are_counted_by_direction(noise, threads, stochastic, monkeypatch):
    """A range that the currents exceed: without noise and dither the slow count, with them the same for all threads."""
    monkeypatch.setattr(products, "SAMPLES", 16)
    weight, x, s = data(40)
    parts = {"crossbar": TILED, "device": noise, "dac": {"bits": 6, "range": 1.0},
             "adc": {"bits": 5, "range": 0.5, "stochastic": stochastic}}  # fmt: skip
    pool = ThreadPoolExecutor(threads)
    run = lambda task, pieces: list(pool.map(lambda part: task(*part), pieces))  # noqa: E731
    bar, alone = make(weight, run=run, **parts), make(weight, **parts)
    both(bar, x, s)
    both(alone, x, s)
    assert bar.counters == alone.counters
    found = bar.counters["dac_at_stop"], bar.counters["adc_forward_at_stop"], bar.counters["adc_transposed_at_stop"]
    assert min(found) > 0
    fresh = bar.news()
    assert fresh == bar.counters and not any(bar.news().values())
    if noise or stochastic:
        return
    a, step = (weight / bar.weight_range).astype(np.float64), 1 / 31
    wanted = [0, 0, 0]
    for number, (signals, matrix, edges) in enumerate(
        ((x, a.T, bar.devices.row_tiles), (s, a, bar.devices.column_tiles)), start=1
    ):
        levels = np.rint(signals.astype(np.float64) / step)
        wanted[0] += np.count_nonzero(np.abs(levels) > 31)
        driven = np.clip(levels, -31, 31) * step
        for i, j in edges:
            wanted[number] += np.count_nonzero(np.abs(np.rint(driven[:, i:j] @ matrix[i:j] / (0.5 / 15))) > 15)
    assert np.abs(np.subtract(found, wanted)).max() <= 2  # ties in single precision


BAD = {"nan": np.nan, "inf": np.inf, "beyond float32": 1e39}


@pytest.mark.parametrize("parts", [{}, {"device": {"levels": 9}}, {"update": {"scheme": "pulsed"}}])
@pytest.mark.parametrize("bad", BAD)
def test_weights_that_are_not_finite_are_refused(bad, parts):
    """By every way in, and nothing has changed then."""
    weight, x, _ = data()
    faulty = weight.astype(np.float64)
    faulty[1, 2] = BAD[bad]
    new = Crossbar(chip(**parts), SHAPE, 0, "test")
    with pytest.raises(ChipError, match="test: 1 of 77 weights are not finite"):
        new.program(faulty)
    assert (new.programmings, new.counters["writes"]) == (0, 0) and np.isnan(new.weight_range)
    bar = make(weight, **parts)
    expected = bar.forward(x)
    with pytest.raises(ChipError, match="not finite"):
        bar.program(faulty)
    state = bar.state()
    for name, value in (("weight_range", np.array(BAD[bad])), ("held", faulty)):
        with pytest.raises(ChipError, match="finite"):
            bar.load(state | {name: value})
    held = state.pop("held")
    with pytest.raises(ChipError, match="not finite"):
        bar.load(state, faulty)
    np.testing.assert_array_equal(bar.forward(x), expected)
    if "update" in parts:
        bar.stored[1, 2] = np.float32(BAD[bad]) if bad != "beyond float32" else np.inf
        with pytest.raises(ChipError, match="1 of 77 stored weights are not finite"):
            bar.refresh()
        bar.stored[:] = held


def test_a_failed_product_ends_a_calibration():
    weight, x, s = data()
    bar = make(weight, adc={"bits": 4})
    bar.observe()
    with pytest.raises(ChipError, match="test forward adc: a calibration sample is not finite"):
        bar.forward(np.full_like(x, np.nan))
    for read in (lambda: bar.forward(x), lambda: bar.transposed(s)):
        with pytest.raises(ChipError, match="neither set nor calibrated"):
            read()


@pytest.mark.parametrize("mapped", ["differential", "offset"])
@pytest.mark.parametrize("other", [{}, {"mismatch": 1e-6}, {"read_noise": 1e-6, "read_noise_law": "proportional"}])
def test_pulses_carry_a_weight_beyond_the_range_whatever_else_acts(mapped, other):
    device = {"pulse": {"w_max": 1.2, "w_min": -1.2}, **other}
    bar = make(np.ones(SHAPE, np.float32), crossbar={"mapping": mapped}, device=device, update={"scheme": "pulsed"})
    bar.stored[:] = 1.17
    bar.refresh()
    np.testing.assert_allclose(bar.weights(), 1.17, rtol=1e-4)


def test_failures():
    bar = Crossbar(Chip(), SHAPE, 0, "hidden")
    for unknown in (bar.weights, bar.conductances, bar.device_lines, lambda: bar.forward(np.ones((1, 11), "float32"))):
        with pytest.raises(ChipError, match="hidden: nothing is programmed yet"):
            unknown()
    with pytest.raises(ChipError, match=r"hidden: weights of shape \(2, 2\), the crossbar holds \(7, 11\)"):
        bar.program(np.ones((2, 2)))


@pytest.mark.parametrize("shape", [(1, 1), (0, 3)])
@pytest.mark.parametrize("rows", [0, 2])
def test_smallest_shapes(shape, rows):
    weight, x, s = data(rows, shape)
    parts = {"device": {"read_noise": 0.1, "read_noise_law": "sqrt"}, "dac": {"bits": 8, "range": 3.0}}
    for mapped in ("differential", "offset"):
        bar = make(weight, crossbar={"mapping": mapped}, **parts)
        assert bar.forward(x).shape == (rows, shape[0]) and bar.transposed(s).shape == (rows, shape[1])


def test_pieces_are_near_equal_and_whole():
    assert blocks(10, 4) == [(0, 3), (3, 6), (6, 10)] and blocks(10, None) == [(0, 10)]
    assert blocks(0, 4) == [(0, 0)] and blocks(8, 4) == [(0, 4), (4, 8)]


def test_float64_is_kept():
    weight, x, s = data(dtype="float64")
    bar = make(weight, dtype="float64", crossbar=TILED, dac={"bits": 20, "range": 4.0})
    assert bar.forward(x).dtype == bar.transposed(s).dtype == bar.weights().dtype == np.float64
    np.testing.assert_allclose(bar.weights(), weight, rtol=1e-15)
    step = 4 / (2**19 - 1)
    np.testing.assert_allclose(bar.forward(x), np.rint(x / step) * step @ weight.T, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("given", "line"), [
    ({"seed": -1}, r"crossbar: seed = -1: should be a whole number from 0"),
    ({"seed": np.int64(-3)}, r"crossbar: seed = np.int64\(-3\): should be a whole number from 0"),
    ({"seed": True}, r"crossbar: seed = True: should be a whole number from 0"),
    ({"name": 3}, r"name is 3: should be the name of the array, a text"),
    ({"name": None}, r"name is None: should be the name of the array, a text"),
    ({"name": b"a"}, r"name is b'a': should be the name of the array, a text"),
    ({"dtype": "int32"}, r"crossbar: dtype = 'int32': allowed are float32 and float64"),
    ({"dtype": "single precision"}, r"crossbar: dtype = 'single precision': allowed are float32 and float64"),
    ({"dtype": None}, r"crossbar: dtype = None: allowed are float32 and float64"),
])  # fmt: skip
def test_arguments_that_cannot_be(given, line):
    """Seed -1 and name 3 were taken, the other names and types were errors of Python."""
    with pytest.raises(ChipError, match=f"^{line}$"):
        Crossbar(Chip(), (2, 3), **given)


@pytest.mark.parametrize("shape", [(3,), (True, 3), (2, 3, 4), (2.0, 3), (-1, 3), 4, "ab"])
def test_a_shape_that_is_none(shape):
    with pytest.raises(ChipError, match=r"^crossbar: shape = .*: should be \(out, in\), two whole numbers from 0$"):
        Crossbar(Chip(), shape)


@pytest.mark.parametrize("chip", [Chip(), Chip(adc=ADC(bits=8, range=1.0))], ids=["ideal", "8 bits"])
def test_what_is_no_matrix_of_the_crossbar(chip):
    """Before, a list was an AttributeError, and signals of another width whatever NumPy or a kernel made of them."""
    bar = Crossbar(chip, (2, 3))
    for wrong in ([[1.0] * 3] * 2, np.array([["a"] * 3] * 2), np.ones((2, 3), dtype=complex)):
        with pytest.raises(ChipError, match=r"^crossbar: weights are .*: an array of numbers of shape \(2, 3\)"):
            bar.program(wrong)
    bar.program(np.ones((2, 3), dtype=np.float32))
    for product, width in ((bar.forward, 3), (bar.transposed, 2)):
        way = product.__name__
        for shape in ((4, width + 1), (4, width - 1), (width,), (1, 4, width)):
            given = rf"^crossbar: signals of {way} have shape \({', '.join(map(str, shape))},?\): .*\(rows, {width}\)"
            with pytest.raises(ChipError, match=given):
                product(np.ones(shape, dtype=np.float32))
        with pytest.raises(ChipError, match=f"^crossbar: signals of {way} are list"):
            product([[1.0] * width])
        assert bar.reads == (way == "transposed")
        product(np.ones((4, width), dtype=np.float32))
