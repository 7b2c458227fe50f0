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

A copy of the rounded weights would take half as much memory as they do, 360 MB of the paper's IMDB network, and to
round them block by block as they are read takes as long as the product with 100 to 200 states where a processor has
tiles for it (AMX). So each row holds its weights rounded, and behind them their last 16 bits, in the memory of the row:
a product reads the front of each row as it is, an update puts both together, tile by tile. Where weights are asked for,
or a product in full, they are put together in place. Rounding is to the nearest and half away from 0, which the last
bits tell.

Memory that somebody still looks into is left to them, and a copy is turned: a thread may ask for weights while another
one multiplies. While a tile is written, the others wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Condition, get_ident
from weakref import ref

import numpy as np
import torch

from hw_models.tally import Tally
from neuroep.engines.numba import array_kernels
from neuroep.engines.numba.arrays import COLUMNS, ROWS, IdealArray, Reader, Rules, shares
from neuroep.engines.parts import Memory
from neuroep.engines.rounding import Rounding
from neuroep.engines.torch.sums import guesses, one_thread, product, short
from neuroep.engines.workers import Workers, blocks
from neuroep.learning.contrast import Contrast
from neuroep.learning.optimisers import Optimiser

HALVES = Rules(array_kernels.adam_halves, array_kernels.sgd_halves)
"""Apply rules to weights in halves."""


class _Shown:
    """Memory of weights that somebody looks into, as long as any array does."""

    def __init__(self, numbers: np.ndarray) -> None:
        self._numbers = numbers

    @property
    def __array_interface__(self) -> dict[str, object]:
        """What NumPy reads the memory by; its arrays keep this object alive."""
        return self._numbers.__array_interface__


def _none() -> _Shown | None:
    """Return nothing: nobody looks."""
    return None


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
        self._turns = Condition()
        self._writing: set[int] = set()
        self._halves: np.ndarray
        self._shown: Callable[[], _Shown | None]
        super().__init__(weight, bias, optimiser, workers, name, tally)
        self._rounding = Rounding("bfloat16") if rounding is None else rounding

    @property
    def weight(self) -> np.ndarray:
        """(out, in), read-only."""
        if get_ident() in self._writing:  # a signal's handler, amid a tile of its thread: it can't wait for that
            found = self._numbers.copy()
            array_kernels.join_rows(found, self._halves.copy())
        else:
            found = self._look(False)
        found.flags.writeable = False
        return found

    @weight.setter
    def weight(self, numbers: np.ndarray) -> None:
        with self._turns:
            self._numbers, self._shown = numbers, _none
            self._halves = np.zeros(1, dtype=bool)  # an array, as kernels write it

    def __getstate__(self) -> dict[str, object]:
        """Return what a copy has: weights of its own, no threads that wait."""
        own = {name: value for name, value in self.__dict__.items() if name not in ("_turns", "_writing", "_shown")}
        return {**own, "_numbers": self.weight.copy(), "_halves": np.zeros(1, dtype=bool)}

    def __setstate__(self, state: Mapping[str, object]) -> None:
        """Take over what a copy has."""
        self.__dict__.update(state)
        self._turns, self._writing, self._shown = Condition(), set(), _none

    def _turn(self, halves: bool) -> None:
        """Have weights in halves from now on, or whole; memory that somebody looks into stays as it is."""
        with self._turns:
            if self._halves[0] == halves:
                return
            self._turns.wait_for(lambda: not self._writing)
            if self._halves[0] == halves:
                return
            if self._shown() is not None:
                self._numbers, self._halves, self._shown = self._numbers.copy(), self._halves.copy(), _none
            # The kernel itself says what it has done: an interrupt comes before it or after it, never between both.
            (array_kernels.split_rows if halves else array_kernels.join_rows)(self._numbers, self._halves)

    def _look(self, halves: bool) -> np.ndarray:
        """Return weights in halves, or whole, in their memory, which stays as it is but for updates of halves."""
        with self._turns:
            self._turn(halves)
            shown = self._shown()
            if shown is None:
                shown = _Shown(self._numbers)
                self._shown = ref(shown)
            return np.asarray(shown)

    def _short(self, left: int, right: int) -> torch.Tensor:
        """Return the weights of some inputs, rounded, (out, right - left)."""
        return torch.from_numpy(self._look(True).view(np.uint16)[:, left:right]).view(torch.bfloat16)

    def forward(self, pre: np.ndarray, memory: Memory | None = None) -> np.ndarray:
        """Return ``pre @ W.T`` of rounded numbers; blocks of a long sum are added in order.

        With a memory, as of a state that settles, sums keep the precision of float32: what the product was last time is
        taken away before it is rounded.
        """
        if not self._rounding.now:
            return super().forward(pre, memory)
        self._count("forward", len(pre))
        rows, (outputs, inputs) = len(pre), self.shape
        result = np.zeros((rows, outputs), dtype=self.dtype)
        total, columns = torch.from_numpy(result), blocks(inputs, COLUMNS)
        kept: Sequence[torch.Tensor | None] = [None] * len(columns)
        known = False
        if memory is not None:
            sums, known = guesses(memory, len(columns), rows, outputs, total.device)
            kept = list(sums)
        if len(columns) == 1:
            (guess,) = kept

            def some(a: int, b: int) -> None:
                with one_thread():
                    own = None if guess is None else guess[a:b]
                    total[a:b] = product(short(pre[a:b]), self._short(0, inputs).T, own, known)

            self.workers.run(some, shares(rows, outputs * inputs, ROWS))
            return result
        guess_of = dict(zip(columns, kept, strict=True))

        def term(left: int, right: int) -> torch.Tensor:
            with one_thread():
                return product(short(pre[:, left:right]), self._short(left, right).T, guess_of[left, right], known)

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
            with one_thread():
                torch.as_tensor(out).copy_(product(short(post), self._short(left, right)))

        return read

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
        """Apply the rule to a parameter's rows and columns; weights are not put together meanwhile."""
        if name != "weight":
            return super()._apply(name, tile, gradient, contrast, rate)
        me = get_ident()
        try:
            with self._turns:
                self._turn(True)
                self._writing.add(me)
            return super()._apply(name, tile, gradient, contrast, rate)
        finally:
            self._writing.discard(me)
            with self._turns:
                self._turns.notify_all()

    def _written(self, name: str) -> tuple[np.ndarray, Rules]:
        """Return the memory of a parameter, of weights in halves, and what writes the rule to it."""
        return super()._written(name) if name != "weight" else (self._numbers.view(np.uint16), HALVES)

    def conducting(self) -> np.ndarray:
        """Return the weights themselves, copied."""
        return self.weight.copy()


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
