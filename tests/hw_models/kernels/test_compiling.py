"""The decorator of kernels and the fused multiply-add."""

from __future__ import annotations

import inspect
import re
from fractions import Fraction

import numba
import numpy as np
import pytest

from hw_models.kernels.compiling import VECTOR, bound, fma, kernel, wide, written_out


@kernel
def fused(a, b, c):
    return fma(a, b, c)


@kernel
def strict_sum(x):
    total = x.dtype.type(0)
    for i in range(x.shape[0]):
        total += x[i]
    return total


@kernel
def doubled(x, out):
    """Twice x (n,)."""
    wide()
    for i in range(x.shape[0]):
        out[i] = x[i] + x[i]


@kernel(fastmath=VECTOR)
def loose(x):
    return strict_sum(x)


@pytest.mark.kernels
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_a_multiply_add_is_rounded_once(real):
    """Where the sum cancels all that one rounding of the product would have kept; exact in rational numbers."""
    draw = np.random.default_rng(0)
    for a, b in draw.normal(size=(200, 2)).astype(real):
        c = -real(a * b)
        exact = real(float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))))
        if real is np.float32 or not numba.config.DISABLE_JIT:
            assert fused(a, b, c) == exact


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="Python takes any types")
def test_types_are_not_mixed():
    with pytest.raises(numba.TypingError):
        fused(np.float32(1), 1.0, np.float32(1))


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="about compiled kernels")
def test_a_callee_does_not_take_over_the_flags_of_its_first_caller(monkeypatch):
    """Before: compiled through a caller with fast-math flags, a strict sum became a loose one, for all."""
    for each in (strict_sum, loose):
        monkeypatch.setattr(each, "_cache", numba.core.caching.NullCache())
    x = np.random.default_rng(0).normal(size=10_001).astype(np.float32)
    loose(x)
    expected = np.float32(0)
    for value in x:
        expected += value
    assert strict_sum(x) == expected


term: float = 0.0


def _raised(x):
    """A plain function with a global name to be filled in."""
    return x + term


def _twice_raised(x):
    return _raised(_raised(x))


def test_copies_of_a_function_stand_for_themselves():
    """The cache tells kernels by their names: two copies must not share one."""
    one, two = (kernel(bound(_raised, kind, term=value)) for kind, value in (("a", 1.0), ("b", 2.0)))
    assert (one(0.5), two(0.5), _raised(0.5)) == (1.5, 2.5, 0.5)
    names = {bound(_raised, kind).__qualname__ for kind in ("", "a", "b")}
    assert names == {"_raised", "_raised-a", "_raised-b"}


def test_a_plain_function_is_written_out_with_those_that_it_calls():
    assert written_out(_twice_raised)(0.5) == 0.5
    assert written_out(_twice_raised) is written_out(_twice_raised)


def _looped(x, out):
    for i in range(x.shape[0]):
        out[i] = term(x[i])


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="about compiled kernels")
@pytest.mark.parametrize("flagged", [False, True], ids=["by LLVM", "by Numba"])
def test_what_is_written_out_leaves_no_call_and_takes_the_flags_where_it_is_to(monkeypatch, flagged):
    """Otherwise a loop over devices would not vectorise, or bits would depend on which copy runs."""
    loop = kernel(bound(_looped, f"flagged {flagged}", term=written_out(_twice_raised, flagged)), fastmath=VECTOR)
    monkeypatch.setattr(loop, "_cache", numba.core.caching.NullCache())  # of code from the disk there is no text
    x = np.linspace(-1, 1, 9)
    loop(x, out := np.empty_like(x))
    assert np.array_equal(out, x)
    (code,) = loop.inspect_llvm().values()
    assert not re.search(r"call .*_raised", code)
    # 0 is added: with leave to lose its sign the sum is gone, without it is there.
    assert ("fadd" in code) != flagged


def test_what_is_no_plain_function_cannot_be_bound():
    with pytest.raises(TypeError, match="no plain function"):
        bound(len, "a")


@pytest.mark.kernels
def test_a_loop_of_whole_vectors_is_the_same_loop():
    x = np.random.default_rng(0).normal(size=1001).astype(np.float32)
    out = np.zeros_like(x)
    doubled(x, out)
    np.testing.assert_array_equal(out, 2 * x)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="about compiled kernels")
def test_whole_vectors_are_asked_for_where_a_function_asks_for_them(monkeypatch):
    x = np.zeros(3, np.float32)
    for each, asked in ((doubled, True), (strict_sum, False)):
        monkeypatch.setattr(each, "_cache", numba.core.caching.NullCache())
        again = kernel(each.py_func)
        monkeypatch.setattr(again, "_cache", numba.core.caching.NullCache())
        again(*(x, x.copy())[: len(inspect.signature(each.py_func).parameters)])
        (code,) = again.inspect_llvm().values()
        assert ('"prefer-vector-width"="512"' in code) == asked
