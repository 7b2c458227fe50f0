"""Noise of a product against a device at a time: mean, variance and correlation, one sample alone and among others.

A physicist's account of one read, of a pair of devices per weight and nothing else on the chip:

    i_o = sum_j x_j ((g+_oj + s(g+_oj) z+_oj) - (g-_oj + s(g-_oj) z-_oj))    y_o = i_o w_max / (g_max - g_min)

with a z for every device, sample and read, all independent. So outputs, samples and reads do not correlate, and the
variance of an output is the sum over its devices, whatever tiles they lie on. Written with loops, from the equations of
the laws; reads by output, by bfloat16 variances, by one sample and device by device must all be that.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hw_models.arrays import variances
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.tally import repeated

G_MAX, G_MIN = 20.0, 1.5
LAWS = {
    "additive": (0.6, lambda g: 0.6),
    "proportional": (0.08, lambda g: 0.08 * g),
    "sqrt": (0.05, lambda g: 0.05 * math.sqrt(g * G_MAX)),
}
"""By law: its strength, and the deviation of a device of g uS."""
SHAPE, TILES = (5, 13), {"rows": 4, "columns": 2}
READS = 4000
SIGMAS = 5.0
"""Standard errors that are allowed, of some hundred numbers."""


def weights_and_signals(rows: int, way: str, shape: tuple[int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Weights with zeros and both ends of the range among them, and signals of which some are 0."""
    draw = np.random.default_rng(7)
    weights = draw.uniform(-1, 1, shape).astype(np.float32)
    weights[0, 0], weights[-1, -1], weights[1, 2] = 1.0, -1.0, 0.0
    signals = draw.normal(size=(rows, shape[way == "forward"])).astype(np.float32)
    signals[:, 1] = 0
    return weights, signals


def crossbar(law: str, weights: np.ndarray, **parts: object) -> Crossbar:
    device = {"g_max": G_MAX, "g_min": G_MIN, "read_noise": LAWS[law][0], "read_noise_law": law}
    bar = Crossbar(Chip.model_validate({"crossbar": TILES | parts, "device": device}), weights.shape, 11, "by hand")
    bar.program(weights)
    return bar


def by_hand(law: str, weights: np.ndarray, signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of every output of every sample, (rows, outputs) each, of weights (outputs, inputs)."""
    deviation, largest = LAWS[law][1], float(np.abs(weights).max())
    span = G_MAX - G_MIN
    mean, variance = np.zeros((len(signals), len(weights))), np.zeros((len(signals), len(weights)))
    for row, x in enumerate(signals.astype(float)):
        for output, line in enumerate(weights.astype(float)):
            for signal, weight in zip(x, line, strict=True):
                up = G_MIN + span * max(weight, 0.0) / largest
                down = G_MIN + span * max(-weight, 0.0) / largest
                mean[row, output] += signal * (up - down) * largest / span
                own = deviation(up) ** 2 + deviation(down) ** 2
                variance[row, output] += signal**2 * own * (largest / span) ** 2
    return mean, variance


def many(bar: Crossbar, signals: np.ndarray, way: str, reads: int = READS) -> np.ndarray:
    """Return (reads, rows, outputs)."""
    read = bar.forward if way == "forward" else bar.transposed
    return np.array([read(signals) for _ in range(reads)], dtype=float)


def check(found: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> None:
    """Check mean, variance, correlation and shape of many reads."""
    reads = len(found)
    apart = (found - mean) / np.sqrt(variance)
    assert np.abs(apart.mean(axis=0)).max() * math.sqrt(reads) < SIGMAS
    assert np.abs(apart.var(axis=0, ddof=1) - 1).max() * math.sqrt(reads / 2) < SIGMAS
    flat = apart.reshape(reads, -1)
    together = np.corrcoef(flat.T) - np.eye(flat.shape[1])
    assert np.abs(together).max() * math.sqrt(reads) < SIGMAS
    after = np.array([np.corrcoef(one[:-1], one[1:])[0, 1] for one in flat.T])
    assert np.abs(after).max() * math.sqrt(reads) < SIGMAS
    assert stats.kstest(flat.ravel(), "norm").pvalue > 1e-4


@pytest.mark.parametrize("exact", [False, True], ids=["outputs", "devices"])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("law", LAWS)
def test_a_product_is_the_sum_over_its_devices(law: str, way: str, rows: int, exact: bool) -> None:
    weights, signals = weights_and_signals(rows, way)
    bar = crossbar(law, weights, exact_noise=exact)
    expected = by_hand(law, weights if way == "forward" else weights.T, signals)
    check(many(bar, signals, way), *expected)


@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("law", LAWS)
def test_a_sample_has_the_same_noise_alone_and_among_others(law: str, way: str) -> None:
    """Moments of one signal read alone, and as the last of forty, whose neighbours are far larger."""
    weights, signals = weights_and_signals(1, way)
    among = np.concatenate([100 * np.ones((39, signals.shape[1]), np.float32), signals])
    mean, variance = by_hand(law, weights if way == "forward" else weights.T, signals)
    check(many(crossbar(law, weights), signals, way), mean, variance)
    check(many(crossbar(law, weights), among, way, 2000)[:, -1:], mean, variance)


@pytest.mark.parametrize("law", ["proportional", "sqrt"])
def test_rounded_variances_are_those_of_the_devices(law: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where products of variances are rounded: within 0.6 % of a variance, and of its sample's error."""
    monkeypatch.setattr(variances, "LARGE", 2)
    monkeypatch.setattr(variances, "at_hand", lambda: True)
    weights, signals = weights_and_signals(4, "forward", (6, 40))
    mean, variance = by_hand(law, weights, signals)
    found = many(crossbar(law, weights), signals, "forward")
    apart = (found - mean) / np.sqrt(variance)
    assert np.abs(apart.mean(axis=0)).max() * math.sqrt(READS) < SIGMAS
    assert np.abs(apart.var(axis=0, ddof=1) - 1).max() < 0.006 + SIGMAS * math.sqrt(2 / READS)


def test_where_nothing_is_driven_nothing_is_noisy() -> None:
    weights, signals = weights_and_signals(1, "forward")
    for law in LAWS:
        assert not many(crossbar(law, weights), 0 * signals, "forward", 3).any()


@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_a_new_programming_has_noise_of_its_own_conductances(way: str) -> None:
    """Weights of a tenth, and of full size, on the same devices: the deviation follows at once, alone and in threes."""
    weights, _ = weights_and_signals(1, way)
    for rows in (1, 3):
        _, signals = weights_and_signals(rows, way)
        bar = crossbar("proportional", weights)
        many(bar, signals, way, 2)
        less = weights.copy()
        less[1:] *= 0.1
        bar.program(less)
        expected = by_hand("proportional", less if way == "forward" else less.T, signals)
        check(many(bar, signals, way), *expected)


WORDS = np.array([2, 0, 2, 2, 1, 0, 2])
"""Which of three words each row is."""


@pytest.mark.parametrize("law", LAWS)
def test_words_that_repeat_have_noise_of_their_own(law: str) -> None:
    """One product for each word, and for each of its rows the noise of that row alone: no correlation within a word."""
    weights, words = weights_and_signals(3, "forward")
    bar = crossbar(law, weights)
    with bar.tally.now.rows_of(np.arange(len(WORDS)), repeated(WORDS)):
        found = many(bar, words[WORDS], "forward")
    mean, variance = by_hand(law, weights, words)
    check(found, mean[WORDS], variance[WORDS])


@pytest.mark.parametrize("bits", [3, 6])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_converters_round_each_tile_once(way: str, rows: int, bits: int) -> None:
    """Without noise: codes of the input, currents of a tile, their codes, sums of tiles, by loops; clipped ones too.

    Levels are 2^b - 1 around 0, each a step of 2 range / (2^b - 2); a current counts in fully driven pairs at the end
    of their range, g_max - g_min.
    """
    weights, signals = weights_and_signals(rows, way)
    dac, adc = 1.2, 0.4
    unit = dac  # of a pair whose weight is 1
    converters = {"dac": {"bits": bits, "range": dac}, "adc": {"bits": bits, "range": adc}}
    chip = {"crossbar": TILES, "device": {"g_max": G_MAX, "g_min": G_MIN}} | converters
    bar = Crossbar(Chip.model_validate(chip), SHAPE, 11, "by hand", dtype="float64")
    bar.program(weights.astype(float))
    found = (bar.forward if way == "forward" else bar.transposed)(signals.astype(float))
    matrix = (weights if way == "forward" else weights.T).astype(float)
    # One set of devices: a tile has 4 of the inputs and 2 of the outputs of the forward read, whichever way it is read.
    pieces = pieces_of(SHAPE[1], TILES["rows"]) if way == "forward" else pieces_of(SHAPE[0], TILES["columns"])

    def code(value: float, full: float) -> float:
        step = 2 * full / (2**bits - 2)
        return min(max(step * round(value / step), -full), full)

    stops, expected = 0, np.zeros(found.shape)
    for row, x in enumerate(signals.astype(float)):
        for output, line in enumerate(matrix):
            for first, last in pieces:
                current = sum(code(x[j], dac) * line[j] for j in range(first, last)) / unit
                expected[row, output] += unit * code(current, adc)
                stops += abs(current) > adc * (1 + 1 / (2**bits - 2))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert stops > 0 and bar.counters[f"adc_{way}_at_stop"] == pytest.approx(stops, abs=2)


def pieces_of(length: int, most: int) -> list[tuple[int, int]]:
    """Near-equal pieces of at most so many lines."""
    count = -(-length // most)
    return [(length * i // count, length * (i + 1) // count) for i in range(count)]


def beside_references(
    law: str, weights: np.ndarray, signals: np.ndarray, way: str, lines: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (rows, n), covariance of outputs (rows, n, n) and its errors' scale, of one device a weight beside lines.

    Every tile has lines of reference devices at the middle of the range, as many as outputs unless it is said, that
    share the task. Forward, all outputs of a tile have their mean current taken off, so what these lines err by is in
    all of them. Transposed, each is driven by its share of minus the sum of the tile's signals.
    """
    deviation, largest = LAWS[law][1], float(np.abs(weights).max())
    middle, half = (G_MAX + G_MIN) / 2, (G_MAX - G_MIN) / 2
    unit, of_reference = largest / half, deviation(middle) ** 2
    g = middle + half * weights.astype(float) / largest
    lots = pieces_of(len(weights), TILES["columns"])
    count = len(weights) if way == "forward" else weights.shape[1]
    mean, covariance = np.zeros((len(signals), count)), np.zeros((len(signals), count, count))
    for row, x in enumerate(signals.astype(float)):
        for o in range(len(weights)):
            for j in range(weights.shape[1]):
                own = deviation(g[o, j]) ** 2 * unit**2
                read, driven = (o, x[j]) if way == "forward" else (j, x[o])
                mean[row, read] += driven * (g[o, j] - middle) * unit
                covariance[row, read, read] += driven**2 * own
        for first, last in lots:
            shared = of_reference * unit**2 / (lines or last - first)
            for j in range(weights.shape[1]):
                if way == "forward":
                    covariance[row, first:last, first:last] += x[j] ** 2 * shared
                else:
                    covariance[row, j, j] += sum(x[first:last]) ** 2 * shared
    roots = np.sqrt(np.einsum("rii->ri", covariance))
    return mean, covariance, roots[:, :, None] * roots[:, None, :]


@pytest.mark.parametrize(("rows", "lines"), [(1, None), (3, None), (1, 4), (3, 4)])
@pytest.mark.parametrize("exact", [False, True], ids=["outputs", "devices"])
@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("law", LAWS)
def test_outputs_of_a_tile_share_what_their_reference_lines_err_by(
    law: str, way: str, exact: bool, rows: int, lines: int | None
) -> None:
    weights, signals = weights_and_signals(rows, way)
    bar = crossbar(law, weights, mapping="offset", reference="analog", exact_noise=exact, reference_lines=lines)
    mean, covariance, scale = beside_references(law, weights, signals, way, lines)
    found = many(bar, signals, way)
    roots = np.sqrt(np.einsum("rii->ri", covariance))
    assert np.abs((found.mean(axis=0) - mean) / roots).max() * math.sqrt(READS) < SIGMAS
    apart = found - mean
    seen = np.einsum("nri,nrj->rij", apart, apart) / READS
    assert (np.abs(seen - covariance) / scale).max() * math.sqrt(READS / 2) < SIGMAS
    shared = covariance - np.einsum("ri,ij->rij", np.einsum("rii->ri", covariance), np.eye(covariance.shape[1]))
    assert (np.abs(shared / scale).max() > 0.05) == (way == "forward")
    if rows > 1:  # samples are read one after the other
        between = np.einsum("ni,nj->ij", apart[:, 0], apart[:, 1]) / READS
        assert np.abs(between / np.outer(roots[0], roots[1])).max() * math.sqrt(READS) < SIGMAS
