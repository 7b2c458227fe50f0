r"""Attention of large flat layers whose products are rounded to bfloat16, as those of :mod:`.rounded` are.

Of a review of 600 words, :math:`F X^T` and :math:`p X` take as long as the dense synapse behind them. Feedback F,
patterns X and p are rounded, and what :math:`F X^T` and :math:`p X` are; logits of the clamped drive and the softmax
are in float32. Patterns are read in tiles of :data:`TILE`, so that products have the same few shapes: torch takes a
millisecond to prepare one of a new shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch

from hw_models.kept_memory import KeptMemory, sparse
from hw_models.tally import Tally
from neuroep.engines.differences import Change
from neuroep.engines.numba import rounded_kernels as kernels
from neuroep.engines.numba.arrays import Deferred
from neuroep.engines.numba.attention import ExactAttention, HeldLogits
from neuroep.engines.numba.differences import DisplacedAttention, ExactDifferences, Free, Packed
from neuroep.engines.numba.packed import PackedPairs
from neuroep.engines.parts import Values
from neuroep.engines.rounding import Rounding
from neuroep.engines.torch.sums import one_thread, short
from neuroep.engines.workers import Workers
from neuroep.network import AttentionLayer

TILE = 128
"""Patterns are read in multiples of that."""
QUERIES = 100
"""Most queries whose feedback is read at a time: rounded, it takes half as much memory."""


class _Rounded(ExactAttention):
    """Attention whose feedback comes rounded where products are rounded now."""

    _rounding: Rounding

    @property
    def _step(self) -> int:
        """Most queries whose feedback is read at a time."""
        return QUERIES if self._rounding.now else super()._step

    def _columns(self, feedback: Deferred, left: int, right: int) -> Values:
        """Return some columns of a feedback, and where they are rounded leave them so."""
        rows, columns = len(feedback), right - left
        out = torch.empty(rows, columns, dtype=torch.bfloat16) if self._rounding.now else None
        return feedback.columns(left, right, out)


class RoundedAttention(_Rounded):
    """Exact attention whose packed layers read rounded products where they are rounded now.

    Parameters
    ----------
    layer, workers, tally, memory
        As of :class:`ExactAttention`, of float32.
    rounding : Rounding
        When products are rounded.
    """

    def __init__(
        self, layer: AttentionLayer, workers: Workers, tally: Tally, memory: KeptMemory, rounding: Rounding
    ) -> None:
        super().__init__(layer, "float32", workers, tally, memory)
        self._rounding = rounding

    def relax(
        self,
        held: HeldLogits,
        feedback: Values | None,
        value: np.ndarray,
        weights: Values,
        dt: float,
        inner: dict[str, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, Values, Values]:
        """Move the layer in place; p lie as products read them."""
        if isinstance(weights, PackedPairs):
            weights.keep_short(self._rounding.now)
        return super().relax(held, feedback, value, weights, dt, inner)

    def rest(self, held: HeldLogits) -> Values:
        """Return weights of the all-zero state, in half the memory where products are rounded now."""
        if not (self._rounding.now and isinstance(held.logits, PackedPairs)):
            return super().rest(held)
        layout = held.logits.layout
        return PackedPairs(sparse((int(layout.offsets[-1]),), np.dtype(np.uint16)), layout)

    def _attend_packed(
        self,
        held: HeldLogits,
        weights: PackedPairs,
        value: np.ndarray,
        feedback: np.ndarray | torch.Tensor,
        samples: tuple[int, int],
        part: tuple[int, int],
    ) -> np.ndarray:
        """Move some samples and queries, the feedback of which is given."""
        if not self._rounding.now:
            return super()._attend_packed(held, weights, value, np.asarray(feedback), samples, part)
        logits, patterns, (start, stop) = cast(PackedPairs, held.logits), held.patterns, part
        dim, share, fed = patterns.vectors.shape[2], kernels.share(), len(feedback) > 0
        value, changes = value[slice(*samples)], np.zeros((1, samples[1] - samples[0], 2), dtype=self.real)
        space = _Space(stop - start, patterns.vectors.shape[1], dim)
        with one_thread():
            given = short(feedback)
            for number, place in enumerate(held.places[slice(*samples)].tolist()):
                n, k = min(int(held.queries.count[place]), stop) - start, int(patterns.telling[place])
                if n <= 0:
                    continue
                known, rows, new = space.of(patterns.vectors[place], k)
                if fed:
                    torch.mm(given[samples[0] + number].view(-1, dim), known.T, out=rows)
                else:
                    rows.zero_()
                own, after = logits.of(place)[0, start:stop], weights.of(place)[0, start:stop]
                share(_bits(rows), own, n, k, int(patterns.count[place]), self.kappa, fed, after)
                torch.mm(rows, known, out=new)
                kernels.note(_bits(new).reshape(1, -1), number, value, start * dim, n * dim, changes)
        return np.asarray(changes[0, :, 0])


class RoundedDisplacedAttention(_Rounded, DisplacedAttention):
    """One attention layer in differences, rounded where its logits are packed; parameters as above."""

    def __init__(self, layer: AttentionLayer, workers: Workers, tally: Tally, rounding: Rounding) -> None:
        super().__init__(layer, "float32", workers, tally)
        self._rounding = rounding

    def displace(
        self,
        held: HeldLogits,
        free: Free,
        feedback: np.ndarray | Deferred,
        value: np.ndarray,
        weights: np.ndarray | Deferred,
        dt: float,
    ) -> tuple[np.ndarray, np.ndarray | Deferred, list[Change]]:
        """Move the read-out in place, by p as products read them."""
        if isinstance(free, PackedPairs) and free.short and not self._rounding.now:
            free = np.asarray(free)
        return super().displace(held, free, feedback, value, weights, dt)

    def _move_flat(
        self,
        held: HeldLogits,
        free: Packed,
        samples: tuple[int, int],
        queries: tuple[int, int],
        feedback: np.ndarray | torch.Tensor,
        value: np.ndarray,
        changes: np.ndarray,
    ) -> None:
        """Move some samples and queries; all nudges of a sample are rows of one product."""
        if not (self._rounding.now and isinstance(held.logits, PackedPairs)):
            super()._move_flat(held, free, samples, queries, np.asarray(feedback), value, changes)
            return
        patterns, (start, stop), (nudges, batch, _) = held.patterns, queries, changes.shape
        dim, (shares, offsets, widths) = patterns.vectors.shape[2], free
        tilted = kernels.tilted(bool(shares.dtype == np.uint16))
        space = _Space(nudges * (stop - start), patterns.vectors.shape[1], dim)
        with one_thread():
            gained = short(feedback).view(nudges, batch, stop - start, dim)
            for sample in range(*samples):
                place = int(held.places[sample])
                n, k = min(int(held.queries.count[place]), stop) - start, int(patterns.telling[place])
                if n <= 0 or k == 0:
                    continue
                known, rows, new = space.of(patterns.vectors[place], k)
                new.view(nudges, -1, dim).copy_(gained[:, sample])
                torch.mm(new, known.T, out=rows)
                each, first = _bits(rows).reshape(nudges, stop - start, -1), offsets[place] + start * widths[place]
                tilted(each, n, k, shares, first, widths[place], self.kappa, int(patterns.count[place]))
                torch.mm(rows, known, out=new)
                kernels.note(_bits(new).reshape(nudges, -1), sample, value, start * dim, n * dim, changes)


def _bits(values: torch.Tensor) -> np.ndarray:
    """Return numbers of bfloat16 as the bits that kernels take, in the same memory."""
    return values.view(torch.uint16).numpy()


class RoundedDifferences(ExactDifferences):
    """Makes the parts that solve for differences, attention in bfloat16 where it is large; in float32.

    Parameters
    ----------
    workers, tally
        As of :class:`ExactDifferences`.
    rounding : Rounding
        When products are rounded.
    """

    def __init__(self, workers: Workers, tally: Callable[[], Tally], rounding: Rounding) -> None:
        super().__init__("float32", workers, tally)
        self.rounding = rounding

    def attention(self, layer: AttentionLayer) -> DisplacedAttention:
        """Return the unit of one attention layer."""
        return RoundedDisplacedAttention(layer, self.workers, self.tally(), self.rounding)


class _Space:
    """Memory of one thread for one sample after the other, which would leave holes between what stays.

    Parameters
    ----------
    rows, patterns, dim : int
        Most of each.
    """

    def __init__(self, rows: int, patterns: int, dim: int) -> None:
        self._products = torch.empty(rows * patterns, dtype=torch.bfloat16)
        self._known = torch.empty(patterns, dim, dtype=torch.bfloat16)
        self._new = torch.empty(rows, dim, dtype=torch.bfloat16)

    def of(self, vectors: np.ndarray, telling: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return patterns (k, dim) rounded, and what products (rows, k) and (rows, dim) are written to.

        ``vectors`` (patterns, dim) are all of a sample; k are those that tell, and what makes whole tiles. To round
        them for every part of the queries takes a hundredth of a step; kept for a batch, they take 19 MB of reviews.
        """
        k, rows = min(-(-telling // TILE) * TILE, len(vectors)), len(self._new)
        known = self._known[:k].copy_(torch.from_numpy(vectors[:k]))
        return known, self._products[: rows * k].view(rows, k), self._new
