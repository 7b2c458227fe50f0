"""Arrays of exact arithmetic; what an array is, says :class:`neuroep.engines.parts.Array`.

Products are those of BLAS in fixed blocks, and the learning rule is applied tile by tile, so that no gradient of the
whole matrix ever exists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np

from hw_models.kept_memory import KeptMemory
from hw_models.kernels import products
from hw_models.tally import Tally
from neuroep.engines.numba import array_kernels
from neuroep.engines.parts import Memory, Part, Values
from neuroep.engines.workers import Workers, blocks
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Contrast, Piece
from neuroep.learning.optimisers import SGD, Adam, Optimiser

ROWS = 2048
"""Most rows (samples or tokens) of one product block."""
COLUMNS = 4096
"""Most inputs of one block: of a sum in a forward product, of a result in a transposed one, of a tile in an update."""
TERMS = 8
"""Blocks of a sum in memory at once."""
WORK, SHARES = 2**25, 16
"""Most multiply-adds of one block, about half a millisecond, in products of at most so many blocks."""
OUTPUTS = 80
"""Most outputs of one tile in an update."""
Reader = Callable[[np.ndarray, int, int, Values], object]
"""``read(post, left, right, out)`` writes columns left to right of ``post @ W`` to ``out``, (rows, right - left)."""
Side = Any
"""(rows, size), an array or what an array makes of it for its outer products."""


class Rules(NamedTuple):
    """Kernels that apply rules to memory of one form."""

    adam: Callable[..., int]
    sgd: Callable[..., int]


WHOLE = Rules(array_kernels.adam, array_kernels.sgd)
"""To weights that lie side by side."""


def shares(length: int, each: int, most: int) -> list[tuple[int, int]]:
    """Cut rows or columns of a product, of ``each`` multiply-adds, into blocks of at most ``most``, near equal.

    A product of more than ``WORK`` is cut for several threads. Blocks are not smaller than that needs, as each of them
    reads the other side of the product anew.
    """
    count = min(SHARES, -(-length * each // WORK))
    return blocks(length, min(most, -(-length // max(1, count))))


class IdealArray(Part):
    """Exact weights in floating point; see :class:`neuroep.engines.parts.Array`.

    Parameters
    ----------
    weight : numpy.ndarray
        (out, in), copied and owned.
    bias : numpy.ndarray or None
        (out,).
    optimiser : Adam or SGD
        Rule applied in :meth:`update`.
    workers : Workers
        Threads.
    name : str
        Of the synapse.
    tally : Tally, optional
        Where to write multiply-adds, of products, and of outer products and rule in updates; default one of its own.
    memory : KeptMemory, optional
        Of large forward products; default one of its own.
    """

    _tile: tuple[int, int] = (OUTPUTS, COLUMNS)
    """Most outputs and inputs of one tile in an update."""
    _precise: type[np.floating] = np.float64
    """In what the rule is computed, whose results are in the precision of the weights."""

    def __init__(
        self,
        weight: np.ndarray,
        bias: np.ndarray | None,
        optimiser: Optimiser,
        workers: Workers,
        name: str = "array",
        tally: Tally | None = None,
        memory: KeptMemory | None = None,
    ) -> None:
        self._memory = KeptMemory(1) if memory is None else memory
        self.name, self.tally = name, Tally() if tally is None else tally
        self.shape, self.dtype = weight.shape, weight.dtype
        self.weight, self.bias = weight, bias
        self.optimiser, self.workers = optimiser, workers
        self.updates = 0
        self._moments: dict[str, dict[str, np.ndarray]] = {}

    def forward(self, pre: np.ndarray, memory: Memory | None = None) -> np.ndarray:
        """Return ``pre @ W.T``."""
        self._count("forward", len(pre))
        same = self.tally.now.repeated
        if same is None or len(same.kind) != len(pre):
            return self.expected(pre)
        return np.asarray(self.expected(pre[same.first])[same.kind])

    def _count(self, what: str, rows: int) -> None:
        self.tally.add(self.name, f"multiply-add {what}", rows * math.prod(self.shape), self.shape)

    def expected(self, pre: np.ndarray) -> np.ndarray:
        """Return ``pre @ W.T``; long sums are cut into fixed blocks and added in order."""
        rows, (outputs, inputs) = len(pre), self.shape
        if inputs <= COLUMNS:
            result = self._memory.empty((rows, outputs), self.dtype)
            if rows < outputs:
                parts = shares(outputs, pre.size, outputs)
                self.workers.run(lambda a, b: products.multiply(pre, self.weight[a:b].T, result[:, a:b]), parts)
            else:
                parts = shares(rows, math.prod(self.shape), ROWS)
                self.workers.run(lambda a, b: products.multiply(pre[a:b], self.weight.T, result[a:b]), parts)
            return result
        total = None
        for part in self._terms(lambda a, b: products.product(pre[:, a:b], self.weight[:, a:b].T)):
            total = part if total is None else np.add(total, part, out=total)
        return cast(np.ndarray, total)

    def _terms(self, product: Callable[[int, int], Values]) -> Iterator[Values]:
        """Yield the terms of a long sum in order, not all of which are in memory at once."""
        parts = blocks(self.shape[1], COLUMNS)
        for first in range(0, len(parts), TERMS):
            yield from self.workers.run(product, parts[first : first + TERMS])

    def transposed(self, post: np.ndarray, out: np.ndarray | None = None, memory: Memory | None = None) -> np.ndarray:
        """Return ``post @ W``."""
        self._count("transposed", len(post))
        if out is None:
            out = np.empty((len(post), self.shape[1]), dtype=self.dtype)
        read = self._reader()
        parts = shares(self.shape[1], post.size, COLUMNS)
        self.workers.run(lambda a, b: read(post, a, b, out[:, a:b]), parts)
        return out

    def _reader(self) -> Reader:
        """Return what writes some columns of a transposed product, as one is read now."""
        return lambda post, left, right, out: np.matmul(post, self.weight[:, left:right], out=out)

    def deferred(self, post: np.ndarray) -> Deferred:
        """Return ``post @ W`` as what computes columns of it when they are asked for."""
        self._count("transposed", len(post))
        return Deferred(self, self._reader(), post.copy(), slice(0, self.shape[1]))

    def update(self, contrast: Contrast, rate: float) -> int:
        """Apply the rule tile by tile; return the number of weights that are not finite."""
        self.updates += 1
        if pieces := contrast.pieces():
            return self._update_in_pieces(contrast, pieces, rate)
        sides = [contrast.post_change, contrast.post.mean] if contrast.pre_moves else [contrast.post_change]
        post, pre = self._outer_side(sides), contrast.pre_columns()
        self._count("update", sum(map(len, sides)) + 1)
        rows, columns = (blocks(size, most) for size, most in zip(self.shape, self._tile, strict=True))
        self._prepare("weight", self.shape)

        def tiles(place: Sequence[tuple[int, int]], left: int, right: int, side: Side) -> int:
            bad = 0
            for top, bottom in place:
                product = self._outer(post[:, top:bottom], side)
                bad += self._apply("weight", (top, bottom, left, right), product, contrast, rate)
            return bad

        def column(left: int, right: int) -> int:
            return tiles(rows, left, right, self._outer_side(pre(slice(left, right))))

        if len(columns) > 1:
            bad = sum(self.workers.run(column, columns))
        else:
            (ends,), side = columns, self._outer_side(pre(slice(*columns[0])))
            bad = sum(self.workers.run(lambda top, bottom: tiles([(top, bottom)], *ends, side), rows))
        return bad + self._update_bias(contrast.post_change.sum(0), contrast, rate)

    def _update_bias(self, summed: np.ndarray, contrast: Contrast, rate: float) -> int:
        """Apply the rule to the bias, where there is one, by the sum of the rows of the post side, (out,)."""
        if self.bias is None:
            return 0
        self._prepare("bias", self.bias.shape)
        return self._apply("bias", (0, 1, 0, len(self.bias)), summed[None, :], contrast, rate)

    def _update_in_pieces(self, contrast: Contrast, pieces: Sequence[Piece], rate: float) -> int:
        """Apply the rule by rows of a post side that come some at a time; their products are added in order."""
        pre = contrast.pre.mean
        self._count("update", len(pre) + 1)
        self._prepare("weight", self.shape)

        def products(first: int, last: int) -> list[tuple[np.ndarray, np.ndarray]]:
            found = []
            for rows, change in pieces[first:last]:
                post = change()
                found.append((post.T @ pre[rows], post.sum(0)))
            return found

        each = [one for some in self.workers.run(products, blocks(len(pieces), 1)) for one in some]
        gradient, summed = (sum(side[1:], start=side[0]) for side in zip(*each, strict=True))
        bad = self._apply("weight", (0, len(gradient), 0, len(pre.T)), gradient, contrast, rate)
        return bad + self._update_bias(summed, contrast, rate)

    def _outer_side(self, parts: Sequence[np.ndarray]) -> Side:
        """Return one side of an outer product, the rows of several terms below each other."""
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _outer(self, post: Side, pre: Side) -> np.ndarray:
        """Return ``post.T @ pre`` of some columns of both sides."""
        return np.asarray(post.T @ pre)

    def _prepare(self, name: str, shape: tuple[int, ...]) -> None:
        kept = self._moments.setdefault(name, {})
        for moment in self.optimiser.moments:
            if moment not in kept:
                kept[moment] = np.zeros(shape, dtype=self.dtype)

    def _apply(
        self, name: str, tile: tuple[int, int, int, int], gradient: np.ndarray, contrast: Contrast, rate: float
    ) -> int:
        """Apply the rule to a parameter's rows and columns from, to; return how many of them are not finite."""
        values, kernels = self._written(name)
        rule, real = self.optimiser, self.dtype.type
        kept = [np.atleast_2d(self._moments[name][each]) for each in rule.moments]
        keep = 1.0 - rate * rule.weight_decay if name == "weight" else 1.0
        scale = real(contrast.scale)
        if isinstance(rule, SGD):
            momentum = kept[0] if kept else values[:0]
            place = (values, momentum, *tile, gradient)
            return kernels.sgd(*place, scale, real(rate), real(keep), real(rule.momentum))
        beta1, beta2 = rule.betas
        rests = (self._precise(1) - self._precise(real(beta)) for beta in rule.betas)
        corrections = real(1.0 - beta1**self.updates), real(1.0 - beta2**self.updates)
        speeds = (scale, real(rate), real(keep), real(beta1), real(beta2), *rests, *corrections, real(rule.eps))
        return kernels.adam(values, *kept, *tile, gradient, *speeds)

    def _written(self, name: str) -> tuple[np.ndarray, Rules]:
        """Return the memory of a parameter, (rows, columns), and what writes the rule to it."""
        return np.atleast_2d(self.weight if name == "weight" else cast(np.ndarray, self.bias)), WHOLE

    def state(self) -> dict[str, np.ndarray]:
        """Return weight, bias, moments and the number of updates, copied."""
        return {name: values.copy() for name, values in self.live().items()}

    def live(self) -> dict[str, np.ndarray]:
        """Return weight, bias and moments as they are, read-only, and the number of updates."""
        found = {"weight": self.weight} if self.bias is None else {"weight": self.weight, "bias": self.bias}
        for name, moments in self._moments.items():
            found |= {f"{name}.{moment}": values for moment, values in moments.items()}
        views = {name: values.view() for name, values in found.items()}
        for values in views.values():
            values.flags.writeable = False
        return views | {"updates": np.array(self.updates, dtype=np.int64)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over moments and the number of updates."""
        self.updates = int(state["updates"])
        self._moments = {}
        for name in ("weight", "bias"):
            for moment in self.optimiser.moments:
                if f"{name}.{moment}" in state:
                    values = np.array(state[f"{name}.{moment}"], dtype=self.dtype)
                    self._moments.setdefault(name, {})[moment] = values

    def performed(self) -> Tally:
        """Return the digital multiply-adds."""
        return self.tally

    def counters(self) -> dict[str, int]:
        """Return the sum of the digital multiply-adds."""
        return {"digital_operations": self.tally.total("multiply-add")}

    def conducting(self) -> np.ndarray:
        """Return the weights themselves."""
        return self.weight

    def paths(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return nothing: both directions have the same weights."""
        return []


@dataclass(frozen=True)
class Deferred:
    """A transposed product, columns of which are computed when they are asked for, so that it is never in memory whole.

    Parameters
    ----------
    array : IdealArray
        That is read, as long as its weights are the same.
    read : callable
        Of it.
    post : numpy.ndarray
        (rows, out), not written to any more but by :meth:`neuroep.engines.numba.substrate.ExactSubstrate.put`.
    place : slice
        Columns that this is of.
    """

    array: IdealArray
    read: Reader
    post: np.ndarray
    place: slice
    updates: int = -1
    ndim = 2

    def __post_init__(self) -> None:
        if self.updates < 0:
            object.__setattr__(self, "updates", self.array.updates)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return len(self.post), self.place.stop - self.place.start

    def __len__(self) -> int:
        return len(self.post)

    def __getitem__(self, where: slice | np.ndarray | tuple[slice, slice]) -> Deferred:
        """Return some rows, or of these some columns."""
        rows, columns = where if isinstance(where, tuple) else (where, slice(None))
        first, last, _ = columns.indices(self.shape[1])
        place = slice(self.place.start + first, self.place.start + last)
        return replace(self, post=self.post[rows], place=place)

    def copy(self) -> Deferred:
        """Return the same, which nothing changes."""
        return self

    def columns(self, left: int, right: int, out: Values | None = None) -> Values:
        """Compute some columns; ``out`` is what they are written to, of the array's own kind, a new array by default.

        Raises
        ------
        ConfigError
            If the weights have changed since.
        """
        if self.array.updates != self.updates:
            raise ConfigError("attention weights asked for after the weights changed: ask before an update")
        out = np.empty((len(self.post), right - left), dtype=self.post.dtype) if out is None else out
        for a, b in blocks(right - left, COLUMNS):
            self.read(self.post, self.place.start + left + a, self.place.start + left + b, out[:, a:b])
        return out

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Compute all columns."""
        found = self.columns(0, self.shape[1])
        return found if dtype is None else found.astype(dtype, copy=False)


def ideal(
    weight: np.ndarray,
    bias: np.ndarray | None,
    optimiser: Adam | SGD,
    workers: Workers,
    dtype: str,
    name: str = "array",
    tally: Tally | None = None,
    memory: KeptMemory | None = None,
) -> IdealArray:
    """Return an ideal array with its own copy of the weights."""
    own, other = np.array(weight, dtype=dtype, order="C"), None if bias is None else np.array(bias, dtype=dtype)
    return IdealArray(own, other, optimiser, workers, name, tally, memory)
