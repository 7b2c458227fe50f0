"""Offset mapping: one device per weight, the middle subtracted digitally or by reference lines, where zero lies."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.errors import ChipError
from tests.naive import crossbar as naive

SHAPE = (7, 11)
TILED = {"rows": 4, "columns": 3, "mapping": "offset"}
WAYS = ("forward", "transposed")


def make(weight, crossbar=None, dtype="float64", **parts):
    chip = Chip.model_validate({"crossbar": TILED | (crossbar or {})} | parts)
    bar = Crossbar(chip, weight.shape, 0, "test", dtype=dtype)
    bar.program(weight)
    return bar


def data(rows=5, shape=SHAPE, seed=0):
    draw = np.random.default_rng(seed)
    weight = draw.uniform(-1, 1, size=shape)
    weight.flat[0] = 1
    return weight, {way: draw.uniform(0, 1, size=(rows, n)) for way, n in zip(WAYS, shape[::-1], strict=True)}


def edges(way):
    return naive.tiles(11, 4) if way == "forward" else naive.tiles(7, 3)


def spread(values):
    return np.sqrt(np.mean(np.var(values, axis=0)))


# --- the digital reference -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("columns", [16, 256])
def test_noise_is_that_of_the_devices_alone(columns, way):
    """2 sigma/span ||x||, within 4 sigma; transposed it was 2.77 instead of 0.19 at 256 columns."""
    weight, signals = data(1, (columns, 40))
    bar = make(weight, {"rows": 256, "columns": 256}, "float32", device={"read_noise": 0.25})
    found = getattr(bar, way)(np.repeat(signals[way], 1000, axis=0))
    exact = 2 * 0.25 / 25 * np.linalg.norm(signals[way])
    assert spread(found) == pytest.approx(exact, rel=4 / np.sqrt(2 * found.size))
    assert np.abs(np.corrcoef(found.T) - np.eye(found.shape[1])).max() < 5.5 / np.sqrt(1000)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("zero", ["middle", "level"])
@pytest.mark.parametrize(("slices", "bits"), [(1, None), (2, 3), (3, 2)])
def test_the_adc_sees_whole_currents_and_the_middle_goes_behind_it(way, zero, slices, bits):
    """Against the slow twin: y = sum over slices and tiles of f (adc(u G codes) - u g_zero sum(codes))."""
    weight, signals = data()
    device = {"g_min": 2.0, "levels": 64}
    bar = make(
        weight, {"zero": zero} | ({} if bits is None else {"slices": slices, "slice_bits": bits}), device=device,
        dac={"bits": 6, "range": 0.973}, adc={"bits": 7, "range": 4.0137},
    )  # fmt: skip
    span, levels, whole = 23.0, 2 ** (bits or 6), (2 ** (bits or 6)) ** slices
    g = np.asarray(bar.conductances()[0], np.float64)
    digits = np.rint((g - 2.0) / span * (levels - 1))
    np.testing.assert_allclose(2.0 + digits * span / (levels - 1), g, rtol=1e-6)
    number = sum(digits[k] * levels**k for k in range(slices))
    centre, half = ((whole - 1) / 2, (whole - 1) / 2) if zero == "middle" else (whole / 2, whole / 2 - 1)
    assert np.abs((number - centre) / half - weight).max() <= 0.5001 / half
    expected = np.zeros((5, 7 if way == "forward" else 11))
    codes = naive.convert(signals[way], 6, 0.973)
    for k in range(slices):
        factor = (levels - 1) * levels**k / (2 * half)
        a = 2 / span * (2.0 + digits[k] * span / (levels - 1))
        matrix = a if way == "forward" else a.T
        adc = 7, 4.0137 * 0.973
        expected += naive.product(codes, matrix, factor, edges(way), (None, None), adc, lambda *_: np.zeros(99))
    zeros = [centre] if slices == 1 else [0] * (slices - 1) + [levels // 2]
    zeros = [(levels - 1) / 2] * slices if zero == "middle" else zeros
    weights = [(levels - 1) * levels**k / (2 * half) for k in range(slices)]
    middle = sum(f * 2 / span * (2.0 + d * span / (levels - 1)) for f, d in zip(weights, zeros, strict=True))
    expected -= middle * codes.sum(1, keepdims=True)
    np.testing.assert_allclose(getattr(bar, way)(signals[way]), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("adc", [{}, {"range": 1e3}])
def test_noise_of_the_dac_is_not_known_to_the_digital_side(way, adc):
    """It passes with the whole conductance: variance (u noise)^2 sum G^2, within 4 sigma."""
    weight, signals = data(1)
    bar = make(weight, device={"g_min": 2.0}, dac={"range": 100.0, "noise": 1e-3}, adc=adc)
    found = getattr(bar, way)(np.repeat(signals[way], 4000, axis=0))
    g = np.asarray(bar.conductances()[0][0], np.float64) * 2 / 23
    variance = 0.1**2 * (g**2).sum(1 if way == "forward" else 0)
    np.testing.assert_allclose(found.var(0) / variance, 1, atol=4.5 * np.sqrt(2 / 4000))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("adc", [{}, {"range": 1e3}])
def test_what_drift_does_to_the_middle_is_compensated_ahead_of_the_subtraction(way, adc):
    """All devices alike: the weights come back; without compensation (d - 1) middle sum(x) stays."""
    weight, signals = data()
    drift = {"age": 1e3, "drift_mean": (0.0, 0.06, 0.06, 0.06)}
    fall = (1 + 1e3 / 20) ** -0.06
    exact = signals[way] @ (weight.T if way == "forward" else weight)
    for compensated in (True, False):
        bar = make(weight, device=drift | {"drift_compensation": compensated}, adc=adc)
        left = 0 if compensated else (fall - 1) * (exact + signals[way].sum(1, keepdims=True))
        np.testing.assert_allclose(getattr(bar, way)(signals[way]), exact + left, atol=2e-5)
        expected = bar.expected if way == "forward" else bar.expected_transposed
        np.testing.assert_allclose(expected(signals[way]), exact + left, atol=2e-5)


def test_a_calibrated_adc_covers_whole_currents():
    weight, signals = data(50)
    bar = make(weight, {"rows": None, "columns": None}, adc={"bits": 12, "sign": "auto"})
    bar.converters.assume(True, True)
    bar.observe()
    for way in WAYS:
        bound = signals[way] @ (weight.T if way == "forward" else weight)
        np.testing.assert_allclose(getattr(bar, way)(signals[way]), bound, atol=1e-5)
    bar.freeze()
    adc = bar.converters.of("transposed")[1]
    assert adc.unsigned and adc.range == pytest.approx((signals["transposed"] @ (weight + 1)).max(), rel=1e-5)
    np.testing.assert_allclose(bar.forward(signals["forward"]), signals["forward"] @ weight.T, atol=5e-3)


# --- where zero lies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["digital", "analog"])
@pytest.mark.parametrize("held", [{"device": {"levels": 16}}, {"device": {"levels": 16, "g_min": 3.0}},
                                  {"device": {"resolution": 2.0}}, {"slices": 2, "slice_bits": 2}])  # fmt: skip
def test_a_level_holds_an_exact_zero(held, reference):
    """With zero in the middle an even number of levels holds half a step instead."""
    weight = data()[0]
    weight[2] = 0
    device = {"device": held["device"]} if "device" in held else {}
    bar = {name: value for name, value in held.items() if name != "device"} | {"reference": reference}
    level, middle = (make(weight, bar | {"zero": zero}, **device).weights() for zero in ("level", "middle"))
    np.testing.assert_allclose(level[2], 0, atol=1e-6)
    assert np.abs(middle[2]).min() > 0.02
    assert np.abs(level - weight).max() < np.abs(np.diff(np.unique(level.round(5)))).max()
    assert level.max() == pytest.approx(1, abs=1e-6)


def test_an_odd_number_of_levels_has_its_zero_in_the_middle():
    weight = data()[0]
    found = [make(weight, {"zero": zero}, device={"levels": 15}).weights() for zero in ("level", "middle")]
    np.testing.assert_allclose(*found, atol=1e-6)


@pytest.mark.parametrize("reference", ["digital", "analog"])
def test_weights_that_learn_in_memory_start_on_the_levels_and_move_from_there(reference):
    weight = data()[0]
    bar = make(weight, {"zero": "level", "reference": reference}, device={"levels": 16}, update={"scheme": "pulsed"})
    np.testing.assert_allclose(bar.weights(), np.rint(weight * 7) / 7, atol=1e-6)
    before = bar.weights()
    bar.stored[:] += 0.01
    bar.refresh()
    np.testing.assert_allclose(bar.weights() - before, 0.01, atol=1e-6)


def test_bit_slices_of_an_independent_simulator(oracle):
    """Digits, tiles, ADC of whole currents, zero on the level 128, subtracted behind the ADC."""
    meta, arrays = oracle("crosssim_bitsliced_adc")
    weight, x = arrays["W"], arrays["x"].T
    for case in meta["cases"]:
        offset, slices, bits = case["style"] == "OFFSET", case["slices"], case["slice_bits"]
        unit = (2 if offset else 1) / 0.99
        whole = 2 ** (slices * bits) - 1
        bar = {"rows": case["tile"] or None, "columns": None, "slices": slices, "slice_bits": bits}
        bar |= {"zero": "level", "weight_range": 1.0} if offset else {"mapping": "differential"}
        bar |= {} if offset else {"weight_range": whole / 127}
        adc = {"bits": case["adc_bits"], "range": 7.3 * unit} if case["adc_bits"] else {}
        found = make(weight, bar, device={"g_min": 0.25}, adc=adc)
        for k, side in ((k, side) for k in range(slices) for side in range(1 if offset else 2)):
            stored = arrays[f"slices{slices}_{case['style'].lower()}_G{k}{'+-'[side]}"]
            np.testing.assert_allclose(found.conductances()[side][k] / 25.0, stored, rtol=1e-6)
        wrong = np.abs(found.forward(x).T - arrays[case["key"]]) > 1e-6
        assert not (wrong & ~tied(found, x, adc)).any(), case["key"]
        assert wrong.mean() < 0.02


def tied(bar, x, adc):
    """Outputs (out, rows) one of whose currents is so near a tie of the ADC that single precision may move it."""
    found = np.zeros((bar.shape[0], len(x)), dtype=bool)
    if not adc:
        return found
    step = adc["range"] / (2 ** (adc["bits"] - 1) - 1)
    sides = bar.conductances()
    for k in range(bar.devices.slices):
        g = sides[0][k].astype(np.float64) - (0 if bar.devices.digital else sides[1][k])
        for a, b in bar.devices.row_tiles:
            share = g[:, a:b] * bar.devices.unit @ x[:, a:b].T / step
            found |= np.abs(share - np.floor(share) - 0.5) < 1e-4
    return found


# --- the analog reference --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("law", ["additive", "proportional"])
@pytest.mark.parametrize(("lines", "full"), [(None, None), (1, 1e3), (2, 1e3), (1, 1.0)])
def test_reference_lines_share_the_current_and_the_noise(way, law, lines, full):
    """Mean and covariance of all outputs from each device, forward and transposed, at most the DAC's full scale.

    Within 4.5 sigma of 6000 draws. A line per output, which is never beyond full scale, leaves no more noise than a
    pair has; one line driven by the whole sum of 256 columns had 2.77 instead of 0.19.
    """
    weight, signals = data(1)
    size = {"additive": 1.0, "proportional": 0.1}[law]
    device = {"g_min": 1.0, "mismatch": 0.1, "read_noise": size, "read_noise_law": law}
    dac = {} if full is None else {"dac": {"range": full}}
    bar = make(weight, {"reference": "analog", "reference_lines": lines}, "float32", device=device, **dac)
    mean, covariance = analog(bar, weight, signals[way][0], way, lines, full)
    for exact in (False, True):
        own = {"reference": "analog", "reference_lines": lines, "exact_noise": exact}
        found = getattr(make(weight, own, "float32", device=device, **dac), way)(np.repeat(signals[way], 6000, axis=0))
        sigma = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose((found.mean(0) - mean) / sigma, 0, atol=4.5 / np.sqrt(6000))
        np.testing.assert_allclose(np.cov(found.T) / np.outer(sigma, sigma), covariance / np.outer(sigma, sigma),
                                   atol=4.5 * np.sqrt(2 / 6000))  # fmt: skip


def analog(bar, weight, x, way, lines, full):
    """Mean and covariance of one product from every device and reference device."""
    device, unit = bar.device, 2 / 24.0
    tiles = naive.tiles(7, 3)
    counts = [lines or b - a for a, b in tiles]
    g = np.asarray(bar.conductances()[0][0], np.float64)
    blank = np.zeros((sum(counts), 11), np.float32)
    reference = np.asarray(next(iter(bar.devices.lines(blank, 7, True, 1)))[3], np.float64)
    assert bar.devices.count == g.size + reference.size
    sigma = np.vectorize(lambda value: naive.read_sigma(value, device))
    if way == "forward":
        mean, covariance, first = np.zeros(7), np.zeros((7, 7)), 0
        for (a, b), count in zip(tiles, counts, strict=True):
            own = reference[first : first + count]
            first += count
            mean[a:b] = unit * (g[a:b] - own.mean(0)) @ x
            covariance[a:b, a:b] = np.sum((sigma(own) / count * unit * x) ** 2)
        covariance += np.diag(((sigma(g) * unit * x) ** 2).sum(1))
        return mean, covariance
    mean, variance, first = np.zeros(11), np.zeros(11), 0
    for (a, b), count in zip(tiles, counts, strict=True):
        own = reference[first : first + count]
        first += count
        drive = min(x[a:b].sum() / count, full or np.inf)
        mean += unit * (x[a:b] @ g[a:b] - drive * own.sum(0))
        variance += unit**2 * (x[a:b] ** 2 @ sigma(g[a:b]) ** 2 + drive**2 * (sigma(own) ** 2).sum(0))
    return mean, np.diag(variance)


@pytest.mark.parametrize("reference", ["digital", "analog"])
def test_drift_compensation_does_not_depend_on_whether_there_are_wires(reference):
    """It was 1.2882 without wires and 1.2689 with wires of 1e-9 ohm, which alone summed the reference column."""
    weight = data()[0]
    drift = {"age": 1e4, "drift_mean": (-0.0155, 0.0244, 0.02, 0.1), "drift_spread": (0.0, 0.01, 0.01, 0.01),
             "drift_compensation": True}  # fmt: skip
    found = [
        make(weight, {"reference": reference}, device=drift, wires=wires).compensation
        for wires in ({}, {"r_word": 1e-9, "r_bit": 1e-9})
    ]
    assert found[0] > 1.05 and found[0] == pytest.approx(found[1], rel=1e-6)


# --- what cannot act -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"crossbar": {"reference": "analog"}}, "reference = 'analog': it acts only with mapping offset"),
        ({"crossbar": {"zero": "level"}}, "zero = 'level': it acts only with mapping offset"),
        ({"crossbar": {"mapping": "offset", "reference_lines": 2}}, "reference_lines = 2: it acts only with reference"),
        ({"crossbar": {"mapping": "offset", "zero": "level"}}, "it acts only with device.levels or resolution"),
        ({"crossbar": {"mapping": "offset", "zero": "level"}, "device": {"levels": 2}}, "use 3 or more"),
        (
            {"crossbar": {"mapping": "offset", "reference": "analog", "reference_lines": 2, "columns": 3}},
            "fewer than outputs of a tile need a DAC with a full scale",
        ),
        ({"crossbar": {"mapping": "offset", "reference": "analogue"}}, "'digital', 'analog' or 'device'"),
    ],
)
def test_what_cannot_act_is_refused(parts, words):
    with pytest.raises(ChipError, match=words) as failure:
        Chip.parse(parts)
    assert "\n" not in str(failure.value)
