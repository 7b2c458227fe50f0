"""Triton's kernels of reads against the compiled ones: draws, currents, sums and levels by bits.

Without a GPU they run in Triton's interpreter, which multiplies and adds with two roundings: here with one.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from hw_models.kernels import devices, noise, tensors
from hw_models.kernels.arithmetic import NUMPY
from hw_models.kernels.random import key, normals
from tests.hw_models.kernels.test_tensors import GRIDS, ON_GPU, lasting, signals

OWN = key(0, "fused")
GPU, KNOWN = torch.cuda.is_available(), find_spec("triton") is not None
if KNOWN and not GPU and "triton" not in sys.modules:
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when functions are decorated
INTERPRETS = KNOWN and not GPU and os.environ.get("TRITON_INTERPRET") == "1"
WHY = "a GPU, or Triton, is there first" if KNOWN else "Triton is not installed: it comes with PyTorch for CUDA alone"
KINDS = (pytest.param("interpreted", marks=pytest.mark.skipif(not INTERPRETS, reason=WHY)), ON_GPU)
COUNTERS = [(0, 0, 0), (7, 5, 3), (2**32 - 1, 2**31 + 5, 2**32 - 2), (1, 16, 2**33 + 4)]
"""Read, tile and first row; of the third rows go on at 0, of the last they are beyond 32 bits."""
SHAPES = [(1, 1), (1, 5), (2, 4), (3, 23), (9, 1), (40, 30), (1, 700)]


@pytest.fixture(params=KINDS)
def math(request, monkeypatch):
    """What computes with Triton."""
    if request.param == "cuda":
        found = devices.on(torch.device("cuda"))
        if not KNOWN:
            pytest.skip(WHY)
        from hw_models.kernels import fused

        assert isinstance(found, fused.FusedArithmetic)
        return found
    from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

    from hw_models.kernels import fused

    def once(self, x, y, z):
        wide = x.data.astype(np.float64) * y.data.astype(np.float64) + z.data.astype(np.float64)
        return TensorHandle(wide.astype(np.float32), z.dtype.scalar)

    monkeypatch.setattr(InterpreterBuilder, "create_fma", once)
    return fused.FusedArithmetic(torch.device("cpu"))


def same(found, expected):
    """Hold numbers against each other by their bits."""
    there = found.cpu().numpy()
    assert there.dtype == expected.dtype
    np.testing.assert_array_equal(there, expected)
    np.testing.assert_array_equal(np.signbit(there), np.signbit(expected))


@pytest.mark.parametrize("counter", COUNTERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_normals(math, shape, counter):
    step, tile, first = counter
    same(math.normals((OWN, step, tile, first), shape), normals(OWN, step, tile, shape, first))


def test_many_normals(math):
    same(math.normals((OWN, 3, 4, 5), (64, 1023)), normals(OWN, 3, 4, (64, 1023), 5))


def test_normals_in_another_type(math):
    like = torch.empty(1, dtype=torch.float64, device=math.device)
    same(math.normals((OWN, 3, 4, 5), (3, 7), like), normals(OWN, 3, 4, (3, 7), 5).astype(np.float64))
    half = math.normals((OWN, 3, 4, 5), (3, 7), like.half())
    assert half.dtype == torch.float16
    assert math.normals((OWN, 3, 4, 5), (0, 7)).shape == (0, 7)
    assert math.normals((OWN, 3, 4, 5), (4, 0)).shape == (4, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("noise_of", ["none", "rows", "varied", "carried"])
@pytest.mark.parametrize(("shape", "counter", "column"), [((9, 23), COUNTERS[1], 4), ((1, 6), COUNTERS[2], 0)])
def test_sensed_currents(math, dtype, name, noise_of, shape, counter, column):
    current, (step, tile, first) = signals(shape, dtype), counter
    current[0, 0] = np.nan
    spread = np.random.default_rng(1).uniform(0.1, 0.4, size=len(current) if noise_of == "rows" else shape)
    spread = (spread[:0, 0] if noise_of == "none" else spread).astype(dtype)
    total = np.ones((len(current), column + shape[1] + (column and 3)), dtype=dtype)
    theirs, sums = math.bring(current.copy()), math.bring(total.copy())
    behind = ((OWN, step, tile, first), GRIDS[name], 1.3)
    if noise_of == "carried":
        brought = tuple(map(math.bring, lasting(shape)))
        stops = NUMPY.sense_carried(current, spread, lasting(shape), 0.01, *behind, total, column)
        found = math.sense_carried(theirs, math.bring(spread), brought, 0.01, *behind, sums, column)
    elif noise_of == "varied":
        stops = NUMPY.sense_varied(current, spread, 0.01, *behind, total, column)
        found = math.sense_varied(theirs, math.bring(spread), 0.01, *behind, sums, column)
    else:
        stops = NUMPY.sense(current, spread, *behind, total, column)
        found = math.sense(theirs, math.bring(spread), *behind, sums, column)
    assert int(found) == stops
    same(theirs, current)
    same(sums, total)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("step", [0.1, 0.3, 1 / 127, 2.0**-20])
def test_ties_of_converters(math, dtype, step):
    """Halves of steps, in whose division rounding decides; a reciprocal would move some."""
    real = np.dtype(dtype).type
    levels = (step, -100 * step, 90 * step)
    values = ((np.arange(-210, 210) / 2).astype(dtype) * real(step)).reshape(7, 60)
    values = np.concatenate([values, np.nextafter(values, real(9)), np.nextafter(values, real(-9))])
    expected, there = np.empty_like(values), math.bring(values)
    stops = NUMPY.convert(values, expected, levels)
    found = math.empty(values.shape, there)
    assert int(math.convert(there, found, levels)) == stops > 0
    same(found, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_too_large_for_fractions_and_too_large(math, dtype):
    values = np.array([[-np.inf, np.inf, np.nan, -0.0, 0.0, 2.0**23, 2.0**52 + 1, -(2.0**60), 0.5, -0.5]], dtype=dtype)
    for levels in [(1.0, -(2.0**61), 2.0**61), (0.0, -1.0, 1.0)]:
        expected, there = np.empty_like(values), math.bring(values.copy())
        stops = NUMPY.convert(values, expected, levels)
        assert int(math.convert(there, there, levels)) == stops
        same(there, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("counter", COUNTERS)
def test_stochastic_rounding(math, dtype, counter):
    values, draws = signals((6, 21), dtype), (OWN, *counter)
    expected, there = np.empty_like(values), math.bring(values.copy())
    stops = NUMPY.convert_stochastic(values, expected, GRIDS["signed"], draws)
    out = math.empty(values.shape, there)
    assert int(math.convert_stochastic(there, out, GRIDS["signed"], draws)) == stops
    same(out, expected)


def test_parts_of_tensors(math):
    """Rows of a wider tensor, deviations of one tile, a total of more rows."""
    current, sigma = signals((4, 10)), np.random.default_rng(1).uniform(0.1, 0.4, (2, 9)).astype(np.float32)
    total, draws = np.ones((9, 13), dtype=np.float32), (OWN, 3, 4, 5)
    wide = math.bring(np.pad(current, ((0, 0), (2, 5))))
    sums, spread = math.bring(total.copy()), math.bring(sigma)
    stops = NUMPY.sense(current, sigma[1, 3:7], draws, GRIDS["signed"], 0.5, total[3:7], 2)
    assert int(math.sense(wide[:, 2:12], spread[1, 3:7], draws, GRIDS["signed"], 0.5, sums[3:7], 2)) == stops
    same(sums, total)
    same(wide[:, 2:12], current)
    assert not wide[:, :2].any() and not wide[:, 12:].any()


def test_columns_that_do_not_follow_each_other_are_left_to_operations(math):
    current = signals((5, 8))
    there, sums = math.bring(current.T.copy()).T, math.bring(np.zeros((5, 8), dtype=np.float32))
    total = np.zeros((5, 8), dtype=np.float32)
    stops = NUMPY.sense(current, current[:0, 0], (OWN, 1, 2, 3), GRIDS["signed"], 1.0, total, 0)
    assert int(math.sense(there, there[:0, 0], (OWN, 1, 2, 3), GRIDS["signed"], 1.0, sums, 0)) == stops
    same(sums, total)


def test_nothing_to_read(math):
    none = math.bring(np.zeros((0, 5), dtype=np.float32))
    assert int(math.sense(none, none[:, 0], (OWN, 1, 2, 3), GRIDS["signed"], 1.0, none, 0)) == 0
    assert int(math.convert(none, none, GRIDS["signed"])) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_deviations(math, dtype):
    x, edges = signals((5, 600), dtype), np.array([0, 7, 520, 600])
    found = math.deviations(math.bring(x), edges, 0.3, 0.2)
    assert found.cpu().numpy().dtype == np.dtype(dtype)
    exact = [np.sqrt(0.3 * (x[:, i:j].astype(float) ** 2).sum(1) + 0.2) for i, j in [(0, 7), (7, 520), (520, 600)]]
    np.testing.assert_allclose(found.cpu().numpy(), exact, rtol=1e-6 if dtype == "float32" else 1e-14)
    assert math.deviations(math.bring(x), edges[:1], 0.3, 0.2).shape == (0, 5)


def test_counts_wait_until_they_are_asked_for(math, monkeypatch):
    values = math.bring(signals())
    expected = NUMPY.convert(signals(), np.empty_like(signals()), GRIDS["signed"])
    counts = [math.convert(values, math.empty(values.shape, values), GRIDS["signed"]) for _ in range(3)]
    assert int(sum(counts)) == 3 * expected > 0
    assert [int(each) for each in counts] == 3 * [expected]


@pytest.mark.parametrize("word", [0, 1, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**30, 0x04000000, 0x03000000])
def test_polynomials_are_those_of_the_kernels(word):
    """Coefficients stand in the source twice, as no kernel reads a tuple."""
    found = tensors.normal(torch.tensor([word], dtype=torch.int64))
    assert found.item() == noise.normal(np.uint32(word))
