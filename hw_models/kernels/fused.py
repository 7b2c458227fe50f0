"""Reads of a crossbar on a GPU, one kernel each: draws, noise, converters and sums behind a product, with Triton.

The laws are those of :mod:`hw_models.kernels.noise`, and draws are the same bits: words of Philox 4x32-10 in 32-bit
operations, multiply-adds of the polynomials rounded once, roots and divisions to the nearest (those of a GPU are not,
unless asked for), sums and products each rounded (``enable_fp_fusion=False``). Half goes to even.

A thread makes blocks of four words of whatever rows, block i of a row being the words of elements i, i + m, i + 2 m and
i + 3 m, m = ceil(n/4). Counters and keys are passed as signed 32-bit numbers of the same bits and levels in memory of
the device, in the type of the signals: a number would be passed in single precision. No argument but types, noise and
grid is compiled in, so that a converter that is calibrated anew compiles nothing.

Readings at the stop are added up on the device, :mod:`hw_models.kernels.late_counts`. This module needs Triton, which
comes with PyTorch for CUDA: :func:`hw_models.kernels.devices.on` goes without where it is missing.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache

import numpy as np
import torch
import triton
import triton.language as tl

from hw_models.kernels.arithmetic import Draws, Lasting, Levels, Stops
from hw_models.kernels.late_counts import Counters
from hw_models.kernels.tensors import TensorArithmetic

BLOCK = 128
"""Blocks of random words of one program, a power of two."""
SUMMED = 256
"""Signals that a program squares at a time."""
MOST = 2**31 - 4 * BLOCK
"""Elements that 32 bits number; more are computed as on any device."""
NONE, ROWS, VARIED, DITHER, CARRIED = 0, 1, 2, 3, 4
"""What is drawn for a reading: nothing, noise of a row's deviation, of its own variance, stochastic rounding, or noise
of its own variance of which a part is carried from read to read."""
OPEN, CLIPS, ROUNDS = 0, 1, 2
"""What a converter does."""
PRECISE = {"num_warps": 4, "enable_fp_fusion": False}
NUMBERS = [
    "key0", "key1", "step", "tile", "first", "n", "count", "size", "row", "spread_row", "sums_row", "cosines_row",
    "out_row", "column", "slot",
]  # fmt: skip
"""Arguments whose values are not compiled in."""
MEMORY = ["current", "spread", "sums", "cosines", "shares", "out", "levels", "stops"]


@triton.jit
def _mixed(a, b, c0, c1, c2, c3):
    """Return the words of blocks with these counters, all uint32."""
    for _ in tl.static_range(10):
        high0, low0 = tl.umulhi(c0, tl.full((), 0xD2511F53, tl.uint32)), c0 * tl.full((), 0xD2511F53, tl.uint32)
        high1, low1 = tl.umulhi(c2, tl.full((), 0xCD9E8D57, tl.uint32)), c2 * tl.full((), 0xCD9E8D57, tl.uint32)
        c0, c1, c2, c3 = high1 ^ c1 ^ a, low1, high0 ^ c3 ^ b, low0
        a += tl.full((), 0x9E3779B9, tl.uint32)
        b += tl.full((), 0xBB67AE85, tl.uint32)
    return c0, c1, c2, c3


@triton.jit
def _words(key0, key1, step, tile, first, place, row):
    """Return the four words of blocks ``place`` of rows first + row."""
    c0 = place.to(tl.uint32, bitcast=True)
    c1 = row.to(tl.uint32, bitcast=True) + first.to(tl.uint32, bitcast=True)
    c2 = tl.zeros_like(c0) + tile.to(tl.uint32, bitcast=True)
    c3 = tl.zeros_like(c0) + step.to(tl.uint32, bitcast=True)
    return _mixed(key0.to(tl.uint32, bitcast=True), key1.to(tl.uint32, bitcast=True), c0, c1, c2, c3)


@triton.jit
def _root(x):
    """Return square roots to the nearest."""
    return tl.sqrt_rn(x) if x.dtype == tl.float32 else tl.sqrt(x)


@triton.jit
def _quotient(x, y):
    """Return x / y to the nearest."""
    return tl.div_rn(x, y) if x.dtype == tl.float32 else x / y


@triton.jit
def _whole(x):
    """Return the nearest whole numbers, half to even: added to a number so large that no fraction is left."""
    if x.dtype == tl.float32:
        large = tl.full(x.shape, 8388608.0, tl.float32)
    else:
        large = tl.full(x.shape, 4503599627370496.0, tl.float64)
    away = tl.where(x < 0, -large, large)
    near = (x + away) - away
    near = tl.where(near == 0, x * 0, near)  # its sign stays
    return tl.where(tl.abs(x) < large, near, x)


@triton.jit
def _normal(bits):
    """Return the standard normals of words, float32; see :func:`hw_models.kernels.noise.normal`."""
    u = (bits & 0x7FFFFFFF).to(tl.int32, bitcast=True)
    t = (u.to(tl.float32) + 0.5) * 4.656612873077393e-10
    x = ((0x7FFFFFFF - u).to(tl.float32) + 0.5) * 4.656612873077393e-10
    whole = (t * (2.0 - t)).to(tl.int32, bitcast=True)
    exponent = (whole - 0x3F3504F3) >> 23
    f = (whole - (exponent << 23)).to(tl.float32, bitcast=True) - 1.0
    p = tl.full(f.shape, -0.10134056750776837, tl.float32)
    p = tl.fma(p, f, 0.16234189799279654)
    p = tl.fma(p, f, -0.17247013303968396)
    p = tl.fma(p, f, 0.19898565048225017)
    p = tl.fma(p, f, -0.24970071685046746)
    p = tl.fma(p, f, 0.333351141403472)
    p = tl.fma(p, f, -0.5000036309272999)
    p = tl.fma(p, f, 0.9999999425426719)
    w = -tl.fma(p, f, exponent.to(tl.float32) * 0.6931471805599453)
    a, b = w - 2.5, tl.sqrt_rn(w) - 3.0
    q = tl.full(f.shape, 2.81022636e-08, tl.float32)
    q = tl.fma(q, a, 3.43273939e-07)
    q = tl.fma(q, a, -3.5233877e-06)
    q = tl.fma(q, a, -4.39150654e-06)
    q = tl.fma(q, a, 0.00021858087)
    q = tl.fma(q, a, -0.00125372503)
    q = tl.fma(q, a, -0.00417768164)
    q = tl.fma(q, a, 0.246640727)
    q = tl.fma(q, a, 1.50140941)
    tail = tl.full(f.shape, -0.000200214257, tl.float32)
    tail = tl.fma(tail, b, 0.000100950558)
    tail = tl.fma(tail, b, 0.00134934322)
    tail = tl.fma(tail, b, -0.00367342844)
    tail = tl.fma(tail, b, 0.00573950773)
    tail = tl.fma(tail, b, -0.0076224613)
    tail = tl.fma(tail, b, 0.00943887047)
    tail = tl.fma(tail, b, 1.00167406)
    tail = tl.fma(tail, b, 2.83297682)
    z = tl.where(w < 5.0, q, tail) * (x * 1.4142135623730951)
    return tl.where(bits.to(tl.int32, bitcast=True) < 0, -z, z)


@triton.jit
def _converted(value, dither, levels, GRID: tl.constexpr, DITHERS: tl.constexpr):
    """Return converted values, and 1 where one was at the stop."""
    low, high = tl.load(levels + 1), tl.load(levels + 2)
    found, beyond = value, tl.zeros(value.shape, tl.int32)
    if GRID == 2:
        one, bottom, top = tl.load(levels), tl.load(levels + 3), tl.load(levels + 4)
        level = _quotient(value, tl.zeros_like(value) + one)
        if DITHERS:
            level += dither
        level = _whole(level)
        beyond = (level > top).to(tl.int32) + (level < bottom).to(tl.int32)
        found = level * one
    elif GRID == 1:
        beyond = (value > high).to(tl.int32) + (value < low).to(tl.int32)
    if GRID > 0:
        found = tl.where(found < low, low, found)
        found = tl.where(found > high, high, found)
    return found, beyond


@triton.jit
def _read(
    current, spread, sums, cosines, shares, out, levels, row, place, inside, bits,
    current_row, spread_row, sums_row, cosines_row, out_row, column,
    NOISE: tl.constexpr, GRID: tl.constexpr, ADDS: tl.constexpr,
):  # fmt: skip
    """Read the elements of one word of each block; return 1 where a reading was at the stop."""
    line = row.to(tl.int64)
    at = current + line * current_row + place
    value = tl.load(at, mask=inside, other=0.0)
    dither = tl.zeros_like(value)
    if NOISE == 1:
        sigma = tl.load(spread + line * spread_row, mask=inside, other=0.0).to(value.dtype)
        value += sigma * _normal(bits).to(value.dtype)
        tl.store(at, value, mask=inside)
    elif NOISE == 2:
        variance = tl.load(spread + line * spread_row + place, mask=inside, other=0.0).to(value.dtype)
        value += _root(variance + tl.load(levels + 6)) * _normal(bits).to(value.dtype)
        tl.store(at, value, mask=inside)
    elif NOISE == 3:
        drawn = (bits >> 9).to(tl.int32, bitcast=True).to(tl.float32)
        dither = ((drawn + 0.5) * 1.1920928955078125e-07 - 0.5).to(value.dtype)
    elif NOISE == 4:
        variance = tl.load(spread + line * spread_row + place, mask=inside, other=0.0).to(value.dtype)
        cosine = tl.load(cosines + line, mask=inside, other=0.0)
        lasting = tl.load(cosines + cosines_row + line, mask=inside, other=0.0)
        kept = tl.load(sums + line * sums_row + place, mask=inside, other=0.0)
        share = 1.0 - lasting * tl.load(shares + place, mask=inside, other=0.0)
        share = tl.where(share > 0, share, tl.zeros_like(share)).to(value.dtype)
        fresh = _root(variance * share + tl.load(levels + 6)) * _normal(bits).to(value.dtype)
        value += _root(variance) * (cosine * kept).to(value.dtype) + fresh
        tl.store(at, value, mask=inside)
    found, beyond = _converted(value, dither, levels, GRID, NOISE == 3)
    to = out + line * out_row + column + place
    if ADDS:
        found = tl.load(to, mask=inside, other=0.0) + tl.load(levels + 5) * found
    tl.store(to, found, mask=inside)
    return tl.where(inside, beyond, 0)


@triton.jit(do_not_specialize=NUMBERS, do_not_specialize_on_alignment=MEMORY)
def _sense(
    current, spread, sums, cosines, shares, out, levels, stops, key0, key1, step, tile, first, n, count, size,
    row, spread_row, sums_row, cosines_row, out_row, column, slot,
    NOISE: tl.constexpr, GRID: tl.constexpr, ADDS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Read currents (rows, n), count blocks a row and size of them in all, and add or write what is converted."""
    number = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    line = number // count
    i = number - line * count
    none = tl.zeros((BLOCK,), tl.uint32)
    w0, w1, w2, w3 = none, none, none, none
    if NOISE > 0:
        w0, w1, w2, w3 = _words(key0, key1, step, tile, first, i, line)
    own = number < size
    found = _read(
        current, spread, sums, cosines, shares, out, levels, line, i, own & (i < n), w0,
        row, spread_row, sums_row, cosines_row, out_row, column, NOISE, GRID, ADDS,
    )  # fmt: skip
    i += count
    found += _read(
        current, spread, sums, cosines, shares, out, levels, line, i, own & (i < n), w1,
        row, spread_row, sums_row, cosines_row, out_row, column, NOISE, GRID, ADDS,
    )  # fmt: skip
    i += count
    found += _read(
        current, spread, sums, cosines, shares, out, levels, line, i, own & (i < n), w2,
        row, spread_row, sums_row, cosines_row, out_row, column, NOISE, GRID, ADDS,
    )  # fmt: skip
    i += count
    found += _read(
        current, spread, sums, cosines, shares, out, levels, line, i, own & (i < n), w3,
        row, spread_row, sums_row, cosines_row, out_row, column, NOISE, GRID, ADDS,
    )  # fmt: skip
    if GRID > 0:
        total = tl.sum(found, axis=0).to(tl.int64)
        tl.atomic_add(stops + slot, total, mask=total > 0, sem="relaxed")


@triton.jit(do_not_specialize=NUMBERS, do_not_specialize_on_alignment=MEMORY)
def _draw(out, key0, key1, step, tile, first, n, count, size, BLOCK: tl.constexpr):
    """Write standard normals, out (rows, n) one row behind the other."""
    number = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    line = number // count
    i = number - line * count
    w0, w1, w2, w3 = _words(key0, key1, step, tile, first, i, line)
    own = number < size
    to = out + line.to(tl.int64) * n
    real = out.dtype.element_ty
    tl.store(to + i, _normal(w0).to(real), mask=own & (i < n))
    i += count
    tl.store(to + i, _normal(w1).to(real), mask=own & (i < n))
    i += count
    tl.store(to + i, _normal(w2).to(real), mask=own & (i < n))
    i += count
    tl.store(to + i, _normal(w3).to(real), mask=own & (i < n))


@triton.jit(do_not_specialize=["row", "rows"], do_not_specialize_on_alignment=["x", "edges", "levels", "out"])
def _deviate(x, edges, levels, out, row, rows, BLOCK: tl.constexpr):
    """Write sqrt(size sum x^2 + floor) between two edges of one row, out (tiles, rows)."""
    line, tile = tl.program_id(0), tl.program_id(1)
    first, end = tl.load(edges + tile), tl.load(edges + tile + 1)
    at = x + line.to(tl.int64) * row
    real = x.dtype.element_ty
    squares = tl.zeros((BLOCK,), real)
    while first < end:
        i = first + tl.arange(0, BLOCK)
        value = tl.load(at + i, mask=i < end, other=0.0)
        squares += value * value
        first += BLOCK
    total = tl.load(levels) * tl.sum(squares, axis=0) + tl.load(levels + 1)
    tl.store(out + tile.to(tl.int64) * rows + line, _root(total))


@lru_cache(maxsize=4096)
def _known(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return numbers on the device, where those used again are already."""
    return torch.tensor(numbers, dtype=torch.float64).to(dtype).to(device)


@lru_cache(maxsize=4096)
def _levels(levels: Levels, scale: float, floor: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return step, low, high, the outermost levels, scale and floor in a type; beyond a level is a reading at it."""
    real = np.float32 if dtype == torch.float32 else np.float64
    step, low, high = (real(each) for each in levels)
    bottom, top = (np.rint(low / step), np.rint(high / step)) if step > 0 else (low, high)
    found = np.array([step, low, high, bottom, top, real(scale), real(floor)])
    return torch.from_numpy(found).to(device)


@lru_cache(maxsize=4096)
def _edges(edges: tuple[int, ...], device: torch.device) -> torch.Tensor:
    return torch.tensor(edges, dtype=torch.int32, device=device)


def _signed(word: int) -> int:
    """Return the signed number with the lowest 32 bits of another."""
    return ((int(word) + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def _counters(draws: Draws) -> tuple[int, int, int, int, int]:
    key, step, tile, first = draws
    return _signed(key[0]), _signed(key[1]), _signed(step), _signed(tile), _signed(first)


def _rows(*several: torch.Tensor) -> bool:
    """Tell whether the kernels compute with such tensors: a row's numbers follow each other, all of one real type."""
    dtype = several[0].dtype
    return dtype in (torch.float32, torch.float64) and all(
        values.dtype == dtype and (values.stride(1) == 1 or values.shape[1] <= 1) for values in several
    )


class FusedArithmetic(TensorArithmetic):
    """On a GPU with kernels of its own; what they do not know is computed as on any device.

    Parameters
    ----------
    device : torch.device
        Where tensors lie.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.counters = Counters(device)

    def _here(self) -> AbstractContextManager[object]:
        """Launch on this device."""
        other = self.device.type == "cuda" and self.device.index not in (None, torch.cuda.current_device())
        return torch.cuda.device(self.device) if other else nullcontext()

    def normals(self, draws: Draws, shape: tuple[int, int], like: torch.Tensor | None = None) -> torch.Tensor:
        """Return standard normals, float32 or in the type of others."""
        (rows, n), dtype = shape, torch.float32 if like is None else like.dtype
        count = (n + 3) // 4
        if 4 * rows * count > MOST or dtype not in (torch.float32, torch.float64):
            return super().normals(draws, shape, like)
        out = torch.empty(shape, dtype=dtype, device=self.device)
        if out.numel():
            with self._here():
                grid = (triton.cdiv(rows * count, BLOCK),)
                _draw[grid](out, *_counters(draws), n, count, rows * count, BLOCK=BLOCK, **PRECISE)
        return out

    def convert(self, values: torch.Tensor, out: torch.Tensor, levels: Levels) -> Stops:
        """Write quantised values."""
        if levels[0] < 0 or not self._fits(values, out):
            return super().convert(values, out, levels)
        return self._launch(NONE, values, values, out, None, levels)

    def convert_stochastic(self, values: torch.Tensor, out: torch.Tensor, levels: Levels, draws: Draws) -> Stops:
        """Write values rounded up or down at random."""
        if levels[0] <= 0 or not self._fits(values, out):
            return super().convert_stochastic(values, out, levels, draws)
        return self._launch(DITHER, values, values, out, draws, levels)

    def sense(
        self,
        current: torch.Tensor,
        sigma: torch.Tensor,
        draws: Draws,
        levels: Levels,
        scale: float,
        total: torch.Tensor,
        column: int,
    ) -> Stops:
        """Add the converted currents with noise of one deviation for each row, none of (0,), to the total."""
        if not self._fits(current, total):
            return super().sense(current, sigma, draws, levels, scale, total, column)
        noise = ROWS if len(sigma) else NONE
        return self._launch(noise, current, sigma if len(sigma) else current, total, draws, levels, scale, 0.0, column)

    def sense_varied(
        self,
        current: torch.Tensor,
        variance: torch.Tensor,
        floor: float,
        draws: Draws,
        levels: Levels,
        scale: float,
        total: torch.Tensor,
        column: int,
    ) -> Stops:
        """As :meth:`sense` with a variance of every current, and a floor of all of them."""
        if not self._fits(current, total, variance):
            return super().sense_varied(current, variance, floor, draws, levels, scale, total, column)
        return self._launch(VARIED, current, variance, total, draws, levels, scale, floor, column)

    def sense_carried(
        self,
        current: torch.Tensor,
        variance: torch.Tensor,
        lasting: Lasting,
        floor: float,
        draws: Draws,
        levels: Levels,
        scale: float,
        total: torch.Tensor,
        column: int,
    ) -> Stops:
        """As :meth:`sense_varied`, with noise that is carried from read to read and the rest of it fresh."""
        if not (self._fits(current, total, variance) and _rows(*lasting[:2])):
            return super().sense_carried(current, variance, lasting, floor, draws, levels, scale, total, column)
        return self._launch(CARRIED, current, variance, total, draws, levels, scale, floor, column, lasting)

    def deviations(self, x: torch.Tensor, edges: np.ndarray, size: float, floor: float) -> torch.Tensor:
        """Return sqrt(size sum x^2 + floor) between edges (tiles, rows)."""
        tiles = len(edges) - 1
        if tiles < 1 or not self._fits(x):
            return super().deviations(x, edges, size, floor)
        out = torch.empty((tiles, len(x)), dtype=x.dtype, device=self.device)
        if len(x):
            numbers = _known((float(size), float(floor)), x.dtype, self.device)
            with self._here():
                ends = _edges(tuple(edges.tolist()), self.device)
                _deviate[(len(x), tiles)](x, ends, numbers, out, x.stride(0), len(x), BLOCK=SUMMED, **PRECISE)
        return out

    @staticmethod
    def _fits(*several: torch.Tensor) -> bool:
        rows, n = several[0].shape
        return 4 * rows * ((n + 3) // 4) <= MOST and _rows(*several)

    def _launch(
        self,
        noise: int,
        current: torch.Tensor,
        spread: torch.Tensor,
        out: torch.Tensor,
        draws: Draws | None,
        levels: Levels,
        scale: float | None = None,
        floor: float = 0.0,
        column: int = 0,
        lasting: tuple[torch.Tensor, ...] = (),
    ) -> Stops:
        """Read currents; what is converted is added to ``out`` by a scale, or without one written to it."""
        (rows, n), step = current.shape, levels[0]
        count, kind = (n + 3) // 4, ROUNDS if step > 0 else OPEN if step < 0 else CLIPS
        if not rows * n:
            return 0
        numbers = _levels(tuple(levels), 1.0 if scale is None else scale, floor, current.dtype, self.device)
        stops, slot = self.counters.next() if kind else self.counters.any()
        counters = (0, 0, 0, 0, 0) if draws is None else _counters(draws)
        sums, cosines, shares = lasting or (out, out, out)
        with self._here():
            _sense[(triton.cdiv(rows * count, BLOCK),)](
                current, spread, sums, cosines, shares, out, numbers, stops.values, *counters, n, count, rows * count,
                current.stride(0), spread.stride(0), sums.stride(0), cosines.stride(0), out.stride(0), column, slot,
                NOISE=noise, GRID=kind, ADDS=scale is not None, BLOCK=BLOCK, **PRECISE,
            )  # fmt: skip
        return stops.count(slot) if kind else 0
