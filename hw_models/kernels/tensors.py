"""Arithmetic of reads on torch tensors, with the draws of :mod:`hw_models.kernels.noise`.

Which one computes on a device says :func:`hw_models.kernels.devices.on`.

:class:`TensorArithmetic` works on any device: Philox 4x32-10 in int64 operations, whose products wrap to the 64 bits of
the unsigned ones, so that words are the same bits. A normal is the same polynomials, each multiply-add in double
precision and rounded once as the fused ones of the kernels, so that all but a few in 10^9 are the same bits too.
On CUDA kernels of Triton do the same, one a read: ``fused.py``.
:class:`MemoryArithmetic` is for the CPU, where a tensor's memory is an array's too: reads are those of arrays, to the
bit, and draws and converters the compiled kernels themselves. Divisors are tensors: torch multiplies by the reciprocal
of a number on a GPU, which would move the ties of a converter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch

from hw_models.kernels import noise as kernels
from hw_models.kernels.arithmetic import ArrayArithmetic, Draws, Lasting, Levels, Stops
from hw_models.kernels.blocks import Run, serial

TYPES = {np.dtype("float32"): torch.float32, np.dtype("float64"): torch.float64}
LOW = 0xFFFFFFFF
NEAR = (
    -0.10134056750776837, 0.16234189799279654, -0.17247013303968396, 0.19898565048225017, -0.24970071685046746,
    0.333351141403472, -0.5000036309272999, 0.9999999425426719,
)  # fmt: skip
"""ln(1 + f)/f, highest power first."""
MIDDLE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
    0.246640727, 1.50140941,
)  # fmt: skip
"""p(w) of :mod:`hw_models.kernels.noise` for w below 5, in w - 2.5."""
TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
    1.00167406, 2.83297682,
)  # fmt: skip
"""p(w) beyond, in sqrt(w) - 3."""
Words = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Of every block, 32 bits each in int64."""


def philox(key: np.ndarray, c0: torch.Tensor, c1: torch.Tensor, c2: torch.Tensor, c3: torch.Tensor) -> Words:
    """Return the words of the blocks with these counters, which broadcast."""
    k0, k1 = int(key[0]), int(key[1])
    for _ in range(kernels.ROUNDS):
        p0, p1 = c0 * int(kernels.M0), c2 * int(kernels.M1)
        c0, c1, c2, c3 = ((p1 >> 32) & LOW) ^ c1 ^ k0, p1 & LOW, ((p0 >> 32) & LOW) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + int(kernels.W0)) & LOW, (k1 + int(kernels.W1)) & LOW
    return c0, c1, c2, c3


def words(draws: Draws, shape: tuple[int, int], device: torch.device) -> torch.Tensor:
    """Return the random words of rows of n numbers, int64; word i div m of block i mod m, m = ceil(n/4)."""
    key, step, tile, first = draws
    (rows, n), count = shape, (shape[1] + 3) // 4

    def counter(start: int, number: int) -> torch.Tensor:
        return torch.arange(start, start + number, dtype=torch.int64, device=device) & LOW

    place, row = counter(0, count)[None, :], counter(first, rows)[:, None]
    found = philox(key, place, row, counter(tile, 1)[:, None], counter(step, 1)[:, None])
    return torch.stack([word.expand(rows, count) for word in found], dim=1).reshape(rows, 4 * count)[:, :n]


def normal(bits: torch.Tensor) -> torch.Tensor:
    """Return the standard normals of random words, float32."""
    u = (bits & 0x7FFFFFFF).to(torch.int32)
    t = (u.to(torch.float32) + 0.5) * 2.0**-31
    x = ((0x7FFFFFFF - u).to(torch.float32) + 0.5) * 2.0**-31
    whole = (t * (2 - t)).view(torch.int32)
    exponent = (whole - 0x3F3504F3) >> 23  # mantissa from sqrt(1/2) to sqrt(2)
    f = (whole - (exponent << 23)).view(torch.float32) - 1
    w = -_fma(_polynomial(NEAR, f), f.to(torch.float64), exponent.to(torch.float32) * 0.6931471805599453)
    root = w.to(torch.float64).sqrt().to(torch.float32)  # that of float32 is not always the nearest on a CPU
    z = torch.where(w < 5, _polynomial(MIDDLE, w - 2.5), _polynomial(TAIL, root - 3)) * (1.4142135623730951 * x)
    return torch.where(bits < 0x80000000, z, -z)


def dither(bits: torch.Tensor) -> torch.Tensor:
    """Return numbers between -1/2 and 1/2 of random words, float32, the middles of 2^23 parts."""
    return ((bits >> 9).to(torch.float32) + 0.5) * 2.0**-23 - 0.5


def _shape(values: torch.Tensor) -> tuple[int, int]:
    rows, n = values.shape
    return rows, n


def _polynomial(coefficients: Sequence[float], x: torch.Tensor) -> torch.Tensor:
    found, wide = torch.full_like(x, coefficients[0]), x.to(torch.float64)
    for coefficient in coefficients[1:]:
        found = _fma(found, wide, torch.full((), coefficient, dtype=torch.float32, device=x.device))
    return found


def _fma(one: torch.Tensor, wide: torch.Tensor, added: torch.Tensor) -> torch.Tensor:
    """Return ``one wide + added`` of float32 numbers, of which ``wide`` is in float64: rounded once, but for ties."""
    return torch.addcmul(added.to(torch.float64), one.to(torch.float64), wide).to(torch.float32)


class TensorArithmetic(ArrayArithmetic):
    """On tensors of one device; nothing of the host's memory is written to.

    Parameters
    ----------
    device : torch.device
        Where they lie.
    """

    in_memory = False

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def host(self, values: torch.Tensor) -> np.ndarray:
        """Return a tensor as an array of the host."""
        return values.detach().cpu().numpy()

    def bring(self, array: np.ndarray) -> torch.Tensor:
        """Return an array of the host as a tensor here."""
        return torch.as_tensor(array, device=self.device)

    def apply(self, task: Callable[[np.ndarray], Stops], values: torch.Tensor) -> Stops:
        """Let something written for NumPy change values in place, and return what it returns."""
        there = np.ascontiguousarray(self.host(values))
        found = task(there)
        values.copy_(torch.from_numpy(there))
        return found

    def run(self, run: Run) -> Run:
        """Return what runs blocks one after the other: torch has threads of its own."""
        return serial

    def contiguous(self, values: torch.Tensor, dtype: np.dtype | None = None) -> torch.Tensor:
        """Return values of a type, by default their own, one row behind the other."""
        values = values.detach()
        return (values if dtype is None else values.to(TYPES[np.dtype(dtype)])).contiguous()

    def empty(self, shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """Return memory of the type of others."""
        return torch.empty(shape, dtype=like.dtype, device=self.device)

    def zeros(self, shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """Return zeros of the type of others."""
        return torch.zeros(shape, dtype=like.dtype, device=self.device)

    def full(self, shape: tuple[int, ...], value: float, like: torch.Tensor) -> torch.Tensor:
        """Return a number everywhere, of the type of others."""
        return torch.full(shape, value, dtype=like.dtype, device=self.device)

    def copied(self, values: torch.Tensor) -> torch.Tensor:
        """Return a copy."""
        return values.clone()

    def cast(self, values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return values in the type of others."""
        return values.to(like.dtype)

    def whole(self, values: torch.Tensor) -> torch.Tensor:
        """Return whole numbers as int32."""
        return values.to(torch.int32)

    def size(self, values: torch.Tensor) -> int:
        """Return how many values there are."""
        return values.numel()

    def same(self, one: torch.Tensor, other: torch.Tensor) -> bool:
        """Tell whether two tensors are the same bits."""
        return torch.equal(one, other)

    def stack(self, parts: Sequence[torch.Tensor], axis: int) -> torch.Tensor:
        """Return tensors along a new axis."""
        return torch.stack(tuple(parts), dim=axis)

    def concatenate(self, parts: Sequence[torch.Tensor], axis: int = 0) -> torch.Tensor:
        """Return tensors behind each other."""
        return torch.cat(tuple(parts), dim=axis)

    def product(self, one: torch.Tensor, other: torch.Tensor, out: torch.Tensor) -> None:
        """Write a matrix product."""
        torch.matmul(one, other, out=out)

    def clip(self, values: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """Return values within bounds, numbers or tensors both."""
        return torch.clamp(values, low, high)

    def sqrt(self, values: torch.Tensor) -> torch.Tensor:
        """Return square roots."""
        return torch.sqrt(values)

    def hypot(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return roots of sums of squares."""
        return torch.hypot(one.to(other.dtype), other)

    def rint(self, values: torch.Tensor) -> torch.Tensor:
        """Return the nearest whole numbers, half to even."""
        return torch.round(values)

    def where(self, condition: torch.Tensor, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return one where the condition holds, the other where not."""
        return torch.where(condition, one, other)

    def normals(self, draws: Draws, shape: tuple[int, int], like: torch.Tensor | None = None) -> torch.Tensor:
        """Return standard normals, float32 or in the type of others."""
        found = normal(words(draws, shape, self.device))
        return found if like is None else found.to(like.dtype)

    def convert(self, values: torch.Tensor, out: torch.Tensor, levels: Levels) -> Stops:
        """Write quantised values."""
        step, low, high = levels
        if step < 0:
            out.copy_(values)
            return 0
        if step == 0:
            out.copy_(values)
            return self._ended(out, low, high, low, high)
        one, bottom, top = (self.full((), each, values) for each in (step, low, high))
        out.copy_(torch.round(values / one))
        bottom, top = torch.round(bottom / one), torch.round(top / one)
        stops = ((out > top) | (out < bottom)).sum()
        out.mul_(one).clamp_(low, high)
        return stops

    def _ended(self, values: torch.Tensor, low: float, high: float, least: float, most: float) -> torch.Tensor:
        """Clip values in place, and return how many lay beyond."""
        stops = ((values > high) | (values < low)).sum()
        values.clamp_(least, most)
        return stops

    def convert_stochastic(self, values: torch.Tensor, out: torch.Tensor, levels: Levels, draws: Draws) -> Stops:
        """Write values rounded up or down at random."""
        rows, n = values.shape
        step = self.full((), levels[0], values)
        out.copy_(values / step + dither(words(draws, (rows, n), self.device)).to(values.dtype))
        bottom, top = (torch.round(self.full((), each, values) / step) for each in levels[1:])
        out.round_()
        stops = ((out > top) | (out < bottom)).sum()
        out.mul_(step).clamp_(levels[1], levels[2])
        return stops

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
        if len(sigma):
            current += sigma[:, None].to(current.dtype) * self.normals(draws, _shape(current), current)
        return self._added(current, levels, scale, total, column)

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
        current += torch.sqrt(variance + floor) * self.normals(draws, _shape(current), current)
        return self._added(current, levels, scale, total, column)

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
        sums, cosines, shares = lasting
        fresh = variance * (1 - cosines[1, :, None] * shares).clamp_(min=0).to(current.dtype) + floor
        kept = torch.sqrt(variance) * (cosines[0, :, None] * sums).to(current.dtype)
        current += kept + torch.sqrt(fresh) * self.normals(draws, _shape(current), current)
        return self._added(current, levels, scale, total, column)

    def _added(
        self, current: torch.Tensor, levels: Levels, scale: float, total: torch.Tensor, column: int
    ) -> Stops:
        """Add converted currents to the total from a column on; the currents stay as they are."""
        converted = torch.empty_like(current)
        stops = self.convert(current, converted, levels)
        total[:, column : column + current.shape[1]] += converted * scale
        return stops

    def deviations(self, x: torch.Tensor, edges: np.ndarray, size: float, floor: float) -> torch.Tensor:
        """Return sqrt(size sum x^2 + floor) between edges (tiles, rows)."""
        squares = [(x[:, i:j] * x[:, i:j]).sum(1) for i, j in pairwise(edges.tolist())]
        return torch.sqrt(size * torch.stack(squares) + floor) if squares else self.empty((0, len(x)), x)


class MemoryArithmetic(TensorArithmetic):
    """On tensors of the CPU: whatever NumPy computes is at hand, and compiled kernels write to their memory."""

    in_memory = True

    def apply(self, task: Callable[[np.ndarray], Stops], values: torch.Tensor) -> Stops:
        """Let something written for NumPy change values in place, and return what it returns."""
        return task(values.numpy())

    def bring(self, array: np.ndarray) -> torch.Tensor:
        """Return an array as a tensor on its memory."""
        return torch.from_numpy(array) if array.flags.writeable else torch.tensor(array)

    def normals(self, draws: Draws, shape: tuple[int, int], like: torch.Tensor | None = None) -> torch.Tensor:
        """Return standard normals, float32 or in the type of others."""
        found = torch.empty(shape, dtype=torch.float32)
        kernels.fill_normals(*draws, found.numpy())
        return found if like is None else found.to(like.dtype)

    def convert(self, values: torch.Tensor, out: torch.Tensor, levels: Levels) -> Stops:
        """Write quantised values."""
        return int(kernels.convert(values.numpy(), out.numpy(), *levels))

    def convert_stochastic(self, values: torch.Tensor, out: torch.Tensor, levels: Levels, draws: Draws) -> Stops:
        """Write values rounded up or down at random."""
        return int(kernels.convert_stochastic(values.numpy(), out.numpy(), *levels, *draws))

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
        return int(kernels.sense(current.numpy(), sigma.numpy(), *draws, *levels, scale, total.numpy(), column))
