"""The product of x^2 with the variances of single devices, in bfloat16 where it is a large one.

The noise of a current is drawn with a deviation of its own, sqrt(sum_j x_j^2 v_j). Of that 1 % is enough, as nobody
knows the noise of a device better. Where the processor has instructions for it x^2, v and the sum are rounded to 8
significant bits, 2^-8 of each at most: 0.4 % of a deviation at the very most, without a bias, and no other number of
the read. It takes a third of the time of the same product in single precision. Draws are the same; small products,
single samples and double precision are as exact as ever.

The instructions: AVX-512 BF16 or AMX of x86-64, BF16 of ARM; elsewhere nothing is rounded.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import llvmlite.binding as processor
import numpy as np

from hw_models.arrays.programming import Array
from hw_models.kernels import bfloat

if TYPE_CHECKING:
    import torch

LARGE = 2**24
"""Samples times weights of the smallest product that is rounded; of smaller ones preparing takes longer."""
INSTRUCTIONS = ("avx512bf16", "amx-bf16", "bf16")


@cache
def at_hand() -> bool:
    """Tell whether the processor multiplies numbers in bfloat16."""
    features = processor.get_host_cpu_features()
    return any(features.get(name, False) for name in INSTRUCTIONS)


def rounds(rows: int, shape: tuple[int, int], dtype: np.dtype) -> bool:
    """Tell whether products of so many samples with weights (out, in) are rounded."""
    return rows > 1 and rows * shape[0] * shape[1] >= LARGE and dtype == np.float32 and at_hand()


class Variances:
    """Variances of one array in bfloat16, a copy of half their size made when it is first asked for."""

    def __init__(self) -> None:
        self._kept: list[tuple[Array, torch.Tensor]] = []

    def forget(self) -> None:
        """Let go of the copies."""
        self._kept.clear()

    def short(self, variance: Array) -> torch.Tensor:
        """Return variances in bfloat16."""
        import torch  # it takes a second, and few chips need it

        for known, found in self._kept:
            if known is variance:
                return found
        with torch.no_grad():
            found = torch.from_numpy(variance).to(torch.bfloat16)
        self._kept.append((variance, found))
        return found


def product(x: Array, lines: slice, matrix: torch.Tensor, out: Array) -> None:
    """Write the products of squares of some lines of x (rows, n) with a matrix (lines, m), out (rows, m) float32."""
    import torch

    squares = np.empty((len(x), lines.stop - lines.start), dtype=np.uint16)
    bfloat.squares(x, lines.start, lines.stop, squares)
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)  # blocks are parallel already; the number belongs to each thread
    try:
        torch.from_numpy(out).copy_(torch.from_numpy(squares.view(np.int16)).view(torch.bfloat16) @ matrix)
    finally:
        if before != 1:
            torch.set_num_threads(before)
