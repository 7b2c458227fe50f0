"""Arithmetic of reads on tensors against that on NumPy arrays: draws and levels by bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hw_models.kernels import devices, tensors
from hw_models.kernels.arithmetic import NUMPY, ArrayArithmetic
from hw_models.kernels.random import key, normals, uniforms
from tests.hw_models.kernels.test_noise import VECTORS
from tests.naive import crossbar as naive

OWN = key(0, "test")
CPU = torch.device("cpu")
ON_GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))
APART = pytest.param("cuda operations", marks=ON_GPU.marks)
KINDS = ("operations", "memory", ON_GPU, APART)
"""Torch operations, which a GPU has too; kernels on a tensor's memory, of the CPU alone; what a GPU's tensors get, and
operations there."""
GRIDS = {
    "signed": (0.25, -1.0, 1.0),
    "unsigned": (0.125, 0.0, 1.0),
    "clips": (0.0, -0.5, 0.75),
    "open": (-1.0, 0.0, 0.0),
}


def made(kind: str) -> tensors.TensorArithmetic:
    """Return one of the arithmetics."""
    if kind == "operations":
        return tensors.TensorArithmetic(CPU)
    if kind == "cuda operations":
        return tensors.TensorArithmetic(torch.device("cuda"))
    return devices.on(torch.device("cuda" if kind == "cuda" else "cpu"))


def signals(shape=(9, 23), dtype="float32", seed=0) -> np.ndarray:
    """Return signals, many of them on ties of the grids, some beyond."""
    drawn = np.random.default_rng(seed).normal(size=shape)
    drawn[:, ::3] = np.round(drawn[:, ::3] * 16) / 16
    return drawn.astype(dtype)


def lasting(shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sums, cosines and shares of noise that is carried; of one line all of the variance is."""
    draw = np.random.default_rng(2)
    cosine = draw.uniform(-1, 1, shape[0]).astype(np.float32)
    cosine[0], shares = 1, draw.uniform(0, 1, shape[1]).astype(np.float32)
    shares[0] = 1.0000001
    return draw.normal(size=shape).astype(np.float32), np.stack([cosine, cosine * cosine]), shares


@pytest.mark.parametrize("name", VECTORS)
def test_known_answers_of_random123(name):
    counter, own, answer = VECTORS[name]
    given = [torch.tensor([[word]], dtype=torch.int64) for word in counter]
    found = tensors.philox(np.array(own, dtype=np.uint32), *given)
    assert tuple(int(word) for word in found) == answer


@pytest.mark.parametrize("n", [1, 3, 4, 11])
def test_words_of_rows_are_those_of_the_slow_twin(n):
    found = tensors.words((OWN, 7, 5, 3), (2, n), CPU)
    assert [row.tolist() for row in found] == [list(naive.bits(OWN, 7, 5, 3 + row, n)) for row in range(2)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counter", [(0, 0, 0), (7, 5, 3), (2**32 - 1, 2**31 + 5, 2**20)])
def test_normals_are_the_kernels(kind, counter):
    step, tile, first = counter
    exact = normals(OWN, step, tile, (128, 1023), first)
    found = made(kind).host(made(kind).normals((OWN, step, tile, first), exact.shape))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, exact)


@pytest.mark.parametrize("kind", KINDS)
def test_normals_to_the_last_word(kind):
    edges = (0, 1, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**30, 0x04000000, 0x03000000)
    from hw_models.kernels import noise

    found = tensors.normal(torch.tensor(edges, dtype=torch.int64, device=made(kind).device)).cpu().numpy()
    np.testing.assert_array_equal(found, [noise.normal(np.uint32(word)) for word in edges])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GRIDS)
def test_converters(kind, dtype, name):
    values, math = signals(dtype=dtype), made(kind)
    values[0, 0] = np.nan
    expected, there = np.empty_like(values), math.contiguous(math.bring(values.copy()))
    found = math.empty(values.shape, there)
    stops = NUMPY.convert(values, expected, GRIDS[name])
    assert int(math.convert(there, found, GRIDS[name])) == stops
    np.testing.assert_array_equal(math.host(found), expected)
    assert int(math.convert(there, there, GRIDS[name])) == stops  # in place
    np.testing.assert_array_equal(math.host(there), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stochastic_rounding(kind, dtype):
    values, math, draws = signals(dtype=dtype), made(kind), (OWN, 3, 4, 5)
    expected, there = np.empty_like(values), math.bring(values.copy())
    stops = NUMPY.convert_stochastic(values, expected, GRIDS["signed"], draws)
    assert int(math.convert_stochastic(there, there, GRIDS["signed"], draws)) == stops
    np.testing.assert_array_equal(math.host(there), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("noise", ["none", "rows", "varied", "carried"])
def test_sensed_currents(kind, dtype, name, noise):
    current, math, draws = signals(dtype=dtype), made(kind), (OWN, 3, 4, 5)
    spread = np.random.default_rng(1).uniform(0.1, 0.4, size=current.shape if noise in ("varied", "carried") else 9)
    spread = spread.astype(dtype)
    spread = spread[:0] if noise == "none" else spread
    total = np.ones((9, 30), dtype=dtype)
    theirs, sums = math.bring(current.copy()), math.bring(total.copy())
    behind = (draws, GRIDS[name], 1.5)
    if noise == "carried":
        brought = tuple(map(math.bring, lasting(current.shape)))
        stops = NUMPY.sense_carried(current, spread, lasting(current.shape), 0.01, *behind, total, 4)
        found = math.sense_carried(theirs, math.bring(spread), brought, 0.01, *behind, sums, 4)
    elif noise == "varied":
        stops = NUMPY.sense_varied(current, spread, 0.01, *behind, total, 4)
        found = math.sense_varied(theirs, math.bring(spread), 0.01, *behind, sums, 4)
    else:
        stops = NUMPY.sense(current, spread, *behind, total, 4)
        found = math.sense(theirs, math.bring(spread), *behind, sums, 4)
    assert int(found) == stops
    np.testing.assert_allclose(math.host(theirs), current, rtol=0, atol=2e-6)
    np.testing.assert_allclose(math.host(sums), total, rtol=0, atol=3e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_functions(kind):
    math, (one, other) = made(kind), (signals(), np.abs(signals(seed=1)))
    a, b = math.bring(one.copy()), math.bring(other.copy())
    edges = np.array([0, 5, 23])

    def close(found, expected):
        assert math.host(found).dtype == expected.dtype
        np.testing.assert_allclose(math.host(found), expected, rtol=2e-6, atol=1e-7)

    close(math.stack([a, b], 1), np.stack([one, other], axis=1))
    close(math.concatenate([a, b]), np.concatenate([one, other]))
    close(math.concatenate([a, b], 1), np.concatenate([one, other], axis=1))
    close(math.clip(a, -0.5, 0.5), np.clip(one, -0.5, 0.5))
    close(math.clip(a, -b, b), np.clip(one, -other, other))
    close(math.sqrt(b), np.sqrt(other))
    close(math.hypot(a, b), np.hypot(one, other))
    close(math.rint(4 * a), np.rint(4 * one))
    close(math.whole(math.rint(4 * a)), np.rint(4 * one).astype(np.int32))
    close(math.where(a > 0, a, b), np.where(one > 0, one, other))
    close(math.deviations(a, edges, 0.3, 0.2), NUMPY.deviations(one, edges, 0.3, 0.2))
    close(math.deviations(a, edges[:1], 0.3, 0.2), NUMPY.deviations(one, edges[:1], 0.3, 0.2))
    close(math.contiguous(a.T, np.dtype("float64")), np.ascontiguousarray(one.T, dtype=np.float64))
    close(math.cast(math.whole(a), a), one.astype(np.int32).astype(np.float32))
    close(math.full((2, 3), 0.3, a), np.full((2, 3), 0.3, dtype=np.float32))
    close(math.zeros((2, 3), a), np.zeros((2, 3), dtype=np.float32))
    out = math.empty((9, 9), a)
    math.product(a, b.T, out)
    np.testing.assert_allclose(math.host(out), one @ other.T, rtol=1e-5, atol=2e-6)
    assert math.size(a) == one.size and math.same(a, math.copied(a)) and not math.same(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_for_numpy_changes_tensors_in_place(kind):
    math, values = made(kind), signals()
    there = math.bring(values.copy())

    def double(array):
        array *= 2
        return 3

    assert math.apply(double, there) == 3
    np.testing.assert_array_equal(math.host(there), 2 * values)


def test_nothing_is_left_to_numpy():
    """Each operation has a form of its own on tensors."""
    asked = {name for name in vars(ArrayArithmetic) if not name.startswith("__")}
    assert asked <= set(vars(tensors.TensorArithmetic))


def test_words_behind_uniforms_are_the_kernels_bits():
    drawn = (tensors.words((OWN, 7, 5, 3), (64, 1000), CPU) >> 8).to(torch.float32) * 2.0**-24
    np.testing.assert_array_equal(drawn.numpy(), uniforms(OWN, 7, 5, (64, 1000), 3))


@pytest.mark.parametrize("kind", KINDS)
def test_what_stochastic_rounding_adds_is_the_kernels_to_the_bit(kind):
    """On a grid finer than what is added, levels tell it."""
    math, draws, levels = made(kind), (OWN, 7, 5, 3), (1.0, -(2.0**30), 2.0**30)
    lifted = np.zeros((4, 1000)) + np.linspace(-0.5, 0.5, 1000)
    lifted[:, ::2] = (np.arange(2000).reshape(4, 500) * 4194 + 0.5) * 2.0**-23 - 0.5
    expected, there = np.empty_like(lifted), math.bring(lifted.copy())
    NUMPY.convert_stochastic(lifted, expected, levels, draws)
    math.convert_stochastic(there, there, levels, draws)
    np.testing.assert_array_equal(math.host(there), expected)
    words = tensors.words(draws, (4, 1000), CPU)
    ties = math.bring((0.5 - tensors.dither(words)).numpy().astype(np.float64))  # exactly on the edge of a level
    expected = np.empty_like(lifted)
    NUMPY.convert_stochastic(math.host(ties).copy(), expected, levels, draws)
    math.convert_stochastic(ties, ties, levels, draws)
    np.testing.assert_array_equal(math.host(ties), expected)
    assert not expected.any()  # half to even
