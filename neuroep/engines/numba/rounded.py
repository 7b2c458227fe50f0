r"""Arrays of exact arithmetic whose products are rounded to bfloat16; sums and weights are in float32.

Those are products with states, and outer products of updates. Numbers of both factors, and of what a block of
:data:`~neuroep.engines.numba.arrays.COLUMNS` inputs adds to a result, are rounded to 8 significant bits,
:math:`2^{-9}` of each at most. Two states settled so differ by more than a nudge moves them, differences to one free
state lose what the products lose.

NumPy's BLAS has no such product; torch has that of oneDNN, three to four times as fast as one in float32 where the
processor has instructions for it (AVX-512 BF16, AMX) and slower where it has not. Blocks and their bounds are those of
:class:`~neuroep.engines.numba.arrays.IdealArray`, one thread each, so that results do not depend on the number of
threads.

Small arrays keep a copy of the rounded weights. Of arrays beyond :data:`COPIED` weights it would take half as much
memory as they do, 360 MB of the paper's IMDB network: theirs are rounded block by block when they are read, a tenth to
a fifth of a product's time with 200 states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from hw_models.tally import Tally
from neuroep.engines.numba.arrays import COLUMNS, ROWS, IdealArray, Reader, shares
from neuroep.engines.parts import Memory
from neuroep.engines.rounding import Rounding
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Contrast
from neuroep.learning.optimisers import Optimiser

COPIED = 2**25
"""Most weights of an array that keeps a rounded copy."""


class RoundedArray(IdealArray):
    """Weights in float32, which products read rounded; parameters as of :class:`IdealArray`.

    Parameters
    ----------
    rounding : Rounding, optional
        When products are rounded; always by default.
    """

    def __init__(
        self,
        weight: np.ndarray,
        bias: np.ndarray | None,
        optimiser: Optimiser,
        workers: Workers,
        name: str = "array",
        tally: Tally | None = None,
        rounding: Rounding | None = None,
    ) -> None:
        super().__init__(weight, bias, optimiser, workers, name, tally)
        self._rounding = Rounding("bfloat16") if rounding is None else rounding
        self._copy: torch.Tensor | None = None
        if weight.size <= COPIED:
            with _one_thread():
                self._copy = torch.from_numpy(weight).to(torch.bfloat16)

    def _short(self, left: int, right: int) -> torch.Tensor:
        """Return the weights of some inputs, rounded, (out, right - left)."""
        if self._copy is not None:
            return self._copy[:, left:right]
        with _one_thread():
            return torch.from_numpy(self.weight[:, left:right]).to(torch.bfloat16)

    def forward(self, pre: np.ndarray, memory: Memory | None = None) -> np.ndarray:
        """Return ``pre @ W.T`` of rounded numbers; blocks of a long sum are added in order."""
        if not self._rounding.now:
            return super().forward(pre, memory)
        self._count("forward", len(pre))
        rows, (outputs, inputs) = len(pre), self.weight.shape
        result = np.empty((rows, outputs), dtype=self.weight.dtype)
        if inputs <= COLUMNS:
            weight = self._short(0, inputs).T
            parts = shares(rows, self.weight.size, ROWS)
            self.workers.run(lambda a, b: _multiply(pre[a:b], weight, result[a:b]), parts)
            return result
        result.fill(0)
        total = torch.from_numpy(result)
        for part in self._terms(lambda a, b: _product(pre[:, a:b], self._short(a, b).T)):
            with _one_thread():
                total += part
        return result

    def _reader(self) -> Reader:
        """Return what writes some columns of a transposed product, of rounded numbers where they are rounded now."""
        if not self._rounding.now:
            return super()._reader()
        return lambda post, left, right, out: _multiply(post, self._short(left, right), out)

    def _outer_side(self, parts: Sequence[np.ndarray]) -> torch.Tensor:
        """Return one side of an outer product, rounded."""
        with _one_thread():
            return torch.cat([torch.from_numpy(part).to(torch.bfloat16) for part in parts])

    def _outer(self, post: torch.Tensor, pre: torch.Tensor) -> np.ndarray:
        """Return ``post.T @ pre`` of rounded numbers."""
        with _one_thread():
            return (post.T @ pre).to(torch.float32).numpy()

    def _apply(
        self, name: str, tile: tuple[int, int, int, int], gradient: np.ndarray, contrast: Contrast, rate: float
    ) -> int:
        """Apply the rule to one tile of a parameter, and round what it has become where a copy is kept."""
        bad = super()._apply(name, tile, gradient, contrast, rate)
        if name == "weight" and self._copy is not None:
            where = slice(*tile[:2]), slice(*tile[2:])
            with _one_thread():
                self._copy[where] = torch.from_numpy(self.weight[where])
        return bad


def rounded(
    weight: np.ndarray,
    bias: np.ndarray | None,
    optimiser: Optimiser,
    workers: Workers,
    dtype: str,
    name: str = "array",
    tally: Tally | None = None,
    rounding: Rounding | None = None,
) -> RoundedArray:
    """Return such an array with its own copy of the weights."""
    own, other = np.array(weight, dtype=dtype, order="C"), None if bias is None else np.array(bias, dtype=dtype)
    return RoundedArray(own, other, optimiser, workers, name, tally, rounding)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread inside, as the blocks are parallel already; the number belongs to each thread."""
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if before != 1:
            torch.set_num_threads(before)


def _product(states: np.ndarray, weight: torch.Tensor) -> torch.Tensor:
    """Return the product of rounded states (rows, n) with rounded weights (n, m), rounded."""
    with _one_thread():
        return torch.from_numpy(states).to(torch.bfloat16) @ weight


def _multiply(states: np.ndarray, weight: torch.Tensor, out: np.ndarray) -> None:
    """Write that product."""
    with _one_thread():
        torch.from_numpy(out).copy_(torch.from_numpy(states).to(torch.bfloat16) @ weight)
