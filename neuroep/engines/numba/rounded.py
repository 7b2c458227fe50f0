r"""Arrays of exact arithmetic whose products are rounded to bfloat16; sums and weights are in float32.

Those are products with states, and outer products of updates. Numbers of both factors, and of what a block of
:data:`~neuroep.engines.numba.arrays.COLUMNS` inputs adds to a result, are rounded to 8 significant bits,
:math:`2^{-8}` of each at most; sums that a free state is driven by lose less (:mod:`neuroep.engines.torch.sums`). Two
states settled so differ by more than a nudge moves them, differences to one free state lose what the products lose.

The rule of an update is computed in single precision.

NumPy's BLAS has no such product; torch has that of oneDNN, three to four times as fast as one in float32 where the
processor has instructions for it (AVX-512 BF16, AMX) and slower where it has not. Blocks and their bounds are those of
:class:`~neuroep.engines.numba.arrays.IdealArray`, one thread each, so that results do not depend on the number of
threads.

Small arrays keep a copy of the rounded weights. Of arrays beyond :data:`COPIED` weights it would take half as much
memory as they do, 360 MB of the paper's IMDB network: theirs are rounded block by block when they are read, which takes
as long as the product with 100 to 200 states where a processor has tiles for it (AMX).
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
from neuroep.engines.torch.sums import guesses, one_thread, product, short
from neuroep.engines.workers import Workers, blocks
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

    _tile = 1000, 1024
    """Larger than that of full products, as torch sorts both factors anew for every tile."""
    _precise = np.float32
    """As gradients are rounded far more."""

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
        self._spaces: list[torch.Tensor] = []
        if weight.size <= COPIED:
            with one_thread():
                self._copy = torch.from_numpy(weight).to(torch.bfloat16)

    @contextmanager
    def _short(self, left: int, right: int) -> Iterator[torch.Tensor]:
        """Have the weights of some inputs inside, rounded, (out, right - left)."""
        if self._copy is not None:
            with one_thread():
                yield self._copy[:, left:right]
            return
        try:
            space = self._spaces.pop()
        except IndexError:
            space = torch.empty(len(self.weight) * COLUMNS, dtype=torch.bfloat16)
        with one_thread():
            weight = torch.from_numpy(self.weight[:, left:right])
            yield space[: weight.numel()].view(weight.shape).copy_(weight)
        self._spaces.append(space)

    def forward(self, pre: np.ndarray, memory: Memory | None = None) -> np.ndarray:
        """Return ``pre @ W.T`` of rounded numbers; blocks of a long sum are added in order.

        With a memory, as of a state that settles, sums keep the precision of float32: what the product was last time is
        taken away before it is rounded.
        """
        if not self._rounding.now:
            return super().forward(pre, memory)
        self._count("forward", len(pre))
        rows, (outputs, inputs) = len(pre), self.weight.shape
        result = np.zeros((rows, outputs), dtype=self.weight.dtype)
        total, columns = torch.from_numpy(result), blocks(inputs, COLUMNS)
        kept: Sequence[torch.Tensor | None] = [None] * len(columns)
        known = False
        if memory is not None:
            sums, known = guesses(memory, len(columns), rows, outputs, total.device)
            kept = list(sums)
        if len(columns) == 1:
            (guess,) = kept

            def some(a: int, b: int) -> None:
                with self._short(0, inputs) as weight:
                    total[a:b] = product(short(pre[a:b]), weight.T, None if guess is None else guess[a:b], known)

            self.workers.run(some, shares(rows, self.weight.size, ROWS))
            return result
        guess_of = dict(zip(columns, kept, strict=True))

        def term(left: int, right: int) -> torch.Tensor:
            with self._short(left, right) as weight:
                return product(short(pre[:, left:right]), weight.T, guess_of[left, right], known)

        for part in self._terms(term):
            with one_thread():
                total += part
        return result

    def _reader(self) -> Reader:
        """Return what writes some columns of a transposed product, of rounded numbers where they are rounded now.

        These it also writes to a tensor.
        """
        if not self._rounding.now:
            return super()._reader()

        def read(post: np.ndarray, left: int, right: int, out: np.ndarray | torch.Tensor) -> None:
            with self._short(left, right) as weight:
                torch.as_tensor(out).copy_(product(short(post), weight))

        return read

    def update(self, contrast: Contrast, rate: float) -> int:
        """Apply the rule tile by tile; what products were rounded to is let go."""
        self._spaces.clear()
        return super().update(contrast, rate)

    def _outer_side(self, parts: Sequence[np.ndarray]) -> torch.Tensor:
        """Return one side of an outer product, rounded."""
        with one_thread():
            return torch.cat([short(part) for part in parts])

    def _outer(self, post: torch.Tensor, pre: torch.Tensor) -> np.ndarray:
        """Return ``post.T @ pre`` of rounded numbers."""
        with one_thread():
            return (post.T @ pre).to(torch.float32).numpy()

    def _apply(
        self, name: str, tile: tuple[int, int, int, int], gradient: np.ndarray, contrast: Contrast, rate: float
    ) -> int:
        """Apply the rule to one tile of a parameter, and round what it has become where a copy is kept."""
        bad = super()._apply(name, tile, gradient, contrast, rate)
        if name == "weight" and self._copy is not None:
            where = slice(*tile[:2]), slice(*tile[2:])
            with one_thread():
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
