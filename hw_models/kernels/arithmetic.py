# Tested by tests/hw_models/kernels/test_tensors.py
"""What reads of a crossbar are computed with: NumPy and compiled kernels, or tensors, by what the signals are.

The laws of a read (:mod:`hw_models.arrays.reading`, :mod:`hw_models.arrays.converters`) are written once. What they ask
of arrays beside ``+ - * / @``, slices and sums is here: :class:`ArrayArithmetic` does it on NumPy arrays, and
:mod:`hw_models.kernels.tensors` on torch tensors, with the same draws. Which one it is says :func:`arithmetic` of the
signals, so that the same crossbar reads either.

Kernels: parameters and results as in :mod:`hw_models.kernels.noise`; how many readings were at the stop is a number, or
0-d on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from hw_models.kernels import carried as carried_kernels, noise as kernels, products, random
from hw_models.kernels.blocks import Run

Values = Any
"""numpy.ndarray or torch.Tensor."""
Stops = Any
"""int, or a tensor without dimensions."""
Draws = tuple[np.ndarray, int, int, int]
"""Key and counter (read, tile, first row)."""
Levels = tuple[float, float, float]
"""Step, low and high of a converter."""
Lasting = tuple[Values, ...]
"""Of noise that is carried: sums (rows, n), cosines (2, rows) and shares (n,), float32."""


class ArrayArithmetic:
    """On NumPy arrays."""

    in_memory = True
    """Whether values lie in the host's memory, so that NumPy computes with them as they are."""

    def host(self, values: Values) -> np.ndarray:
        """Return values as a NumPy array, in the same memory where that is possible."""
        return np.asarray(values)

    def bring(self, array: np.ndarray) -> Values:
        """Return an array of the host as what this computes with, in the same memory where that is possible."""
        return array

    def apply(self, task: Callable[[np.ndarray], Stops], values: Values) -> Stops:
        """Let something written for NumPy change values in place, and return what it returns."""
        return task(values)

    def run(self, run: Run) -> Run:
        """Return what runs blocks of work, given the threads of the host."""
        return run

    # Memory.

    def contiguous(self, values: Values, dtype: np.dtype | None = None) -> Values:
        """Return values of a type, by default their own, one row behind the other."""
        return np.ascontiguousarray(values, dtype=dtype)

    def empty(self, shape: tuple[int, ...], like: Values) -> Values:
        """Return memory of the type of others."""
        return np.empty(shape, dtype=like.dtype)

    def zeros(self, shape: tuple[int, ...], like: Values) -> Values:
        """Return zeros of the type of others."""
        return np.zeros(shape, dtype=like.dtype)

    def full(self, shape: tuple[int, ...], value: float, like: Values) -> Values:
        """Return a number everywhere, of the type of others."""
        return np.full(shape, value, dtype=like.dtype)

    def copied(self, values: Values) -> Values:
        """Return a copy."""
        return values.copy()

    def cast(self, values: Values, like: Values) -> Values:
        """Return values in the type of others."""
        return values.astype(like.dtype, copy=False)

    def whole(self, values: Values) -> Values:
        """Return whole numbers as int32."""
        return values.astype(np.int32)

    def size(self, values: Values) -> int:
        """Return how many values there are."""
        return int(values.size)

    def same(self, one: Values, other: Values) -> bool:
        """Tell whether two arrays are the same bits."""
        return np.array_equal(one, other)

    # Functions.

    def stack(self, parts: Sequence[Values], axis: int) -> Values:
        """Return arrays along a new axis."""
        return np.stack(parts, axis=axis)

    def concatenate(self, parts: Sequence[Values], axis: int = 0) -> Values:
        """Return arrays behind each other."""
        return np.concatenate(parts, axis=axis)

    def product(self, one: Values, other: Values, out: Values) -> None:
        """Write a matrix product."""
        products.multiply(one, other, out)

    def clip(self, values: Values, low: Values, high: Values) -> Values:
        """Return values within bounds, numbers or arrays both."""
        return np.clip(values, low, high)

    def sqrt(self, values: Values) -> Values:
        """Return square roots."""
        return np.sqrt(values)

    def hypot(self, one: Values, other: Values) -> Values:
        """Return roots of sums of squares."""
        return np.hypot(one, other)

    def rint(self, values: Values) -> Values:
        """Return the nearest whole numbers, half to even."""
        return np.rint(values)

    def where(self, condition: Values, one: Values, other: Values) -> Values:
        """Return one where the condition holds, the other where not."""
        return np.where(condition, one, other)

    # Kernels.

    def normals(self, draws: Draws, shape: tuple[int, int], like: Values | None = None) -> Values:
        """Return standard normals, float32 or in the type of others."""
        key, step, tile, first = draws
        found = random.normals(key, step, tile, shape, first)
        return found if like is None else self.cast(found, like)

    def convert(self, values: Values, out: Values, levels: Levels) -> Stops:
        """Write quantised values."""
        return int(kernels.convert(values, out, *levels))

    def convert_stochastic(self, values: Values, out: Values, levels: Levels, draws: Draws) -> Stops:
        """Write values rounded up or down at random."""
        return int(kernels.convert_stochastic(values, out, *levels, *draws))

    def sense(
        self, current: Values, sigma: Values, draws: Draws, levels: Levels, scale: float, total: Values, column: int
    ) -> Stops:
        """Add the converted currents with noise of one deviation for each row, none of (0,), to the total."""
        return int(kernels.sense(current, sigma, *draws, *levels, scale, total, column))

    def sense_varied(
        self,
        current: Values,
        variance: Values,
        floor: float,
        draws: Draws,
        levels: Levels,
        scale: float,
        total: Values,
        column: int,
    ) -> Stops:
        """As :meth:`sense` with a variance of every current, and a floor of all of them."""
        return int(kernels.sense_varied(current, variance, floor, *draws, *levels, scale, total, column))

    def sense_carried(
        self,
        current: Values,
        variance: Values,
        lasting: Lasting,
        floor: float,
        draws: Draws,
        levels: Levels,
        scale: float,
        total: Values,
        column: int,
    ) -> Stops:
        """As :meth:`sense_varied`, with noise that is carried from read to read and the rest of it fresh."""
        behind = *draws, *levels, scale, total, column
        return int(carried_kernels.sense_carried(current, variance, lasting, floor, *behind))

    def deviations(self, x: Values, edges: np.ndarray, size: float, floor: float) -> Values:
        """Return sqrt(size sum x^2 + floor) between edges (tiles, rows)."""
        found = np.empty((len(edges) - 1, len(x)), dtype=x.dtype)
        kernels.deviations(x, edges, size, floor, found)
        return found


NUMPY = ArrayArithmetic()


@singledispatch
def arithmetic(values: Values) -> ArrayArithmetic:
    """Return what computes with values; tensors are known where :mod:`hw_models.kernels.devices` is loaded.

    Raises
    ------
    TypeError
        For what is neither an array nor a tensor.
    """
    raise TypeError(f"a {type(values).__name__} is neither an array nor a tensor")


@arithmetic.register
def _of_array(values: np.ndarray) -> ArrayArithmetic:
    return NUMPY


def numbers(values: object) -> bool:
    """Tell whether something is an array or a tensor of real numbers."""
    if isinstance(values, np.ndarray):
        return values.dtype.kind in "fiub"
    return arithmetic.dispatch(type(values)) is not arithmetic.dispatch(object)
