"""The exponential that vectorises: bits of the C library, and of the value itself."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import numba
import numpy as np
import pytest

from hw_models.kernels.compiling import kernel
from hw_models.kernels.exponential import exponential

pytestmark = pytest.mark.kernels


@kernel
def _each(x, out):
    for i in range(x.shape[0]):
        out[i] = exponential(x[i])


def _found(x):
    out = np.empty_like(x)
    _each(x, out)
    return out


def _numbers(count):
    """Singles from -0 down to where e^x is 0, evenly over their bits, and the very ends."""
    last = int(np.float32(-120).view(np.uint32))
    bits = np.linspace(0x80000000, last, count).astype(np.uint32)
    return np.concatenate([bits.view(np.float32), np.float32([0, -87.33654, -87.33655, -103.97207, -103.97208, -104])])


def test_it_is_the_value_to_half_a_unit_in_the_last_place():
    x = _numbers(2_000 if numba.config.DISABLE_JIT else 200_000)
    exact, found = np.exp(x.astype(np.float64)), _found(x)
    unit = np.spacing(np.maximum(exact, np.finfo(np.float32).tiny).astype(np.float32)).astype(np.float64)
    assert np.abs(found - exact).max() < 1
    assert (np.abs(found - exact) / unit).max() < 0.503


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="multiply-adds are not rounded once without the compiler")
def test_it_has_the_bits_of_the_library():
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    if " fma " not in flags:
        pytest.skip("the library multiplies and adds apart on this processor")
    expf = ctypes.CDLL("libm.so.6").expf
    expf.argtypes, expf.restype = [ctypes.c_float], ctypes.c_float
    x = _numbers(50_000)
    wanted = np.array([expf(float(value)) for value in x], dtype=np.float32)
    np.testing.assert_array_equal(_found(x).view(np.uint32), wanted.view(np.uint32))


def test_infinity_gives_0_and_what_is_no_number_stays():
    found = _found(np.float32([-np.inf, -1e30, np.nan, 0, -0.0]))
    assert found[0] == found[1] == 0 and np.isnan(found[2]) and found[3] == found[4] == 1
