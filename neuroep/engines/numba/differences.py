"""Nudged phases in differences on Numba and BLAS; what the parts are, says :mod:`neuroep.engines.differences`.

Weights of an attention layer that settles at once (dt = 1) have the change of the feedback as their form, (nudges *
batch, size), from which p follows; with dt < 1 they are differences of p, (nudges * batch, queries, patterns).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from hw_models.tally import Tally
from neuroep.engines.differences import Change, Displacement
from neuroep.engines.numba import difference_kernels as kernels
from neuroep.engines.numba.arrays import Deferred
from neuroep.engines.numba.attention import ExactAttention, HeldLogits
from neuroep.engines.numba.neurons import FREE, MINIMISER, NEURONS, SYNCHRONOUS, ExactNeurons
from neuroep.engines.numba.packed import PackedPairs, PairLayout
from neuroep.engines.parts import Rows
from neuroep.engines.schedule import Schedule
from neuroep.engines.workers import Workers, blocks
from neuroep.learning.contrast import Pieces
from neuroep.network import AttentionLayer, DenseLayer
from neuroep.network.potentials import HardSigmoid

ROWS = 16384
"""Most tokens whose states are combined at a time for an update."""


class ExactDifferences:
    """Makes the parts; see :class:`neuroep.engines.differences.DifferenceParts`.

    Parameters
    ----------
    dtype : str
        Of all arrays.
    workers : Workers
        Threads.
    tally : callable
        Returns a tally of a part's own.
    """

    def __init__(self, dtype: str, workers: Workers, tally: Callable[[], Tally]) -> None:
        self.dtype, self.workers, self.tally = dtype, workers, tally

    def neurons(self, layer: DenseLayer) -> DisplacedNeurons:
        """Return the neurons of one dense layer."""
        return DisplacedNeurons(layer, self.dtype, self.workers, self.tally())

    def attention(self, layer: AttentionLayer) -> DisplacedAttention:
        """Return the unit of one attention layer."""
        return DisplacedAttention(layer, self.dtype, self.workers, self.tally())


class DisplacedNeurons(ExactNeurons):
    """The neurons of one dense layer; see :class:`neuroep.engines.differences.DifferenceNeurons`."""

    def place(self, product: np.ndarray, feedback: np.ndarray | None, state: np.ndarray) -> np.ndarray:
        """Return where the free drive puts the neurons."""
        potential = self.layer.potential
        if not isinstance(potential, HardSigmoid):
            return state
        place = self.real(potential.slope) * (product if feedback is None else product + feedback)
        beyond = np.where(state <= 0, np.minimum(place, 0), np.maximum(place, 1))
        return np.where((state > 0) & (state < 1), state, beyond).astype(self.dtype, copy=False)

    def displace(
        self,
        place: np.ndarray,
        product: np.ndarray | None,
        feedback: np.ndarray | None,
        moved: np.ndarray,
        target: np.ndarray | None,
        betas: Sequence[float],
        schedule: Schedule,
    ) -> tuple[np.ndarray, list[Change]]:
        """Move the differences in place."""
        self.tally.add(self.name, "response", moved.size, (self.layer.size,))
        mode = FREE
        if target is not None:
            mode = SYNCHRONOUS if schedule.order == "synchronous" else MINIMISER
        batch, potential, real = len(place), self.layer.potential, self.real
        settings = (potential.code, real(potential.slope), mode, real(schedule.dt))
        sides, goal, changes = (self._given(product), self._given(feedback)), self._given(target), []
        for number, beta in enumerate(betas):
            first, last = number * batch, (number + 1) * batch
            rows = [values[first:last] for values in (*sides, moved)]

            noted = np.empty((batch, 2), dtype=moved.dtype)

            def task(
                a: int, b: int, rows: list[np.ndarray] = rows, beta: float = beta, noted: np.ndarray = noted
            ) -> None:
                own = [values[a:b] for values in rows]
                kernels.displace(place[a:b], *own, goal[a:b], real(beta), *settings, noted[a:b])

            self.workers.run(task, blocks(batch, max(1, NEURONS // self.layer.size)))
            changes.append((noted[:, 0], noted[:, 1]))
        return moved, changes


@dataclass(frozen=True)
class FreeWeights:
    """p of the free state of a pooled layer, p_tj = scale_t row_tj tilt_j, which need not be written out."""

    rows: np.ndarray
    """(batch, queries, patterns), of what is held of the batch."""
    scales: np.ndarray
    """(batch, queries)."""
    tilts: np.ndarray
    """(batch, patterns)."""

    @property
    def factors(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, scales and tilts, as kernels take them."""
        return self.rows, self.scales, self.tilts

    @cached_property
    def p(self) -> np.ndarray:
        """(batch, queries, patterns), written out."""
        return self.rows * self.scales[:, :, None] * self.tilts[:, None, :]


Free = np.ndarray | PackedPairs | FreeWeights
"""p of the free state, in the form of a layer."""
Packed = tuple[np.ndarray, np.ndarray, np.ndarray]
"""p in one row, where each sample begins, and how wide its rows are."""


class DisplacedAttention(ExactAttention):
    """One attention layer; see :class:`neuroep.engines.differences.DifferenceAttention`."""

    def ground(self, held: HeldLogits, weights: np.ndarray | PackedPairs) -> Free:
        """Return p of the free state, of a pooled layer as a product where no row of it underflows."""
        if not self.pooled or isinstance(weights, PackedPairs):
            return weights
        shape, dtype = held.logits.shape, held.logits.dtype
        if weights.ndim == 2:
            scales, tilts = np.zeros(shape[:2], dtype=dtype), np.zeros(shape[::2], dtype=dtype)
            counts = held.queries.count, held.patterns.count

            def task(first: int, last: int) -> bool:
                place = (first, last, held.scaled, *counts)
                return bool(kernels.factorise(*place, weights, self.floor, scales, tilts))

            if all(self.workers.run(task, held.samples)):
                return FreeWeights(held.scaled, scales, tilts)
        own = self.explicit(held, weights)
        return FreeWeights(own, np.ones(shape[:2], dtype=dtype), np.ones(shape[::2], dtype=dtype))

    def still(self, held: HeldLogits, nudges: int) -> np.ndarray:
        """Return changes of the feedback that are 0; logits are let go, whose memory differences take."""
        if isinstance(held.logits, PackedPairs):
            held.logits.let_go()
        return np.zeros((nudges * len(held.logits), self.layer.size), dtype=held.logits.dtype)

    def displace(
        self,
        held: HeldLogits,
        free: Free,
        feedback: np.ndarray | Deferred,
        value: np.ndarray,
        weights: np.ndarray | Deferred,
        dt: float,
    ) -> tuple[np.ndarray, np.ndarray | Deferred, list[Change]]:
        """Move the read-out in place, and weights where they are explicit."""
        batch, dtype = len(held.places), held.logits.dtype
        nudges = len(value) // batch
        for _ in range(nudges):
            self._count_step(held, feedback)
        if dt == 1 and not isinstance(free, FreeWeights):
            return value, feedback, _largest(self._displace_flat(held, free, feedback, value, nudges))
        made, feedback = kernels.of(dtype.name), np.asarray(feedback)
        place = held.patterns.vectors, held.queries.count
        explicit = self._explicit(held, free, weights) if dt < 1 else self._nothing
        own, p = (free.factors, held.scaled) if dt == 1 and isinstance(free, FreeWeights) else ((), _p(free))

        def task(first: int, last: int) -> np.ndarray:
            changes = np.zeros((nudges, batch, 2), dtype=value.dtype)
            if dt == 1:
                ends = (held.patterns.telling, feedback, self.kappa, value, changes)
                made.pooled(first, last, held.places, *own, *place, held.patterns.count, *ends)
            else:
                how = (feedback, self.kappa, self.pooled, self.real(dt), explicit)
                made.mix(first, last, p, *place, held.patterns.count, *how)
                kernels.read(first, last, *place, held.patterns.count, self.pooled, explicit, value, changes)
            return changes

        found = self.workers.run(task, held.samples)
        return value, feedback if dt == 1 else explicit, _largest(found)

    def some_ground(self, free: Free, rows: np.ndarray) -> Free:
        """Return p of all samples: it lies in one array, wherever a sample is."""
        return free

    def _displace_flat(
        self,
        held: HeldLogits,
        free: np.ndarray | PackedPairs,
        feedback: np.ndarray | Deferred,
        value: np.ndarray,
        nudges: int,
    ) -> list[np.ndarray]:
        """Move a flat layer at once, query by query where feedback is deferred; return changes by block."""
        batch, queries = len(held.places), held.logits.shape[1]
        own = free.place if isinstance(free, PackedPairs) else PairLayout.whole(free)
        dim = held.patterns.vectors.shape[2]

        def some(first: int, last: int, start: int, stop: int, fed: np.ndarray) -> np.ndarray:
            changes = np.zeros((nudges, batch, 2), dtype=value.dtype)
            self._move_flat(held, own, (first, last), (start, stop), fed, value, changes)
            return changes

        if isinstance(feedback, Deferred):
            read, parts = partial(self._columns, feedback), blocks(queries, self._step)
            return self.workers.run(lambda a, b: some(0, batch, a, b, read(a * dim, b * dim)), parts)
        return self.workers.run(lambda a, b: some(a, b, 0, queries, feedback), held.samples)

    def _move_flat(
        self,
        held: HeldLogits,
        free: Packed,
        samples: tuple[int, int],
        queries: tuple[int, int],
        feedback: np.ndarray,
        value: np.ndarray,
        changes: np.ndarray,
    ) -> None:
        """Move some samples and queries of a flat layer, of which the feedback is, and write down what has changed."""
        counts = held.queries.count, held.patterns.count, held.patterns.telling
        place = *samples, held.places, *queries, *free, held.patterns.vectors, *counts
        kernels.of(value.dtype.name).flat(*place, feedback, self.kappa, value, changes)

    def _explicit(self, held: HeldLogits, free: Free, weights: np.ndarray | Deferred) -> np.ndarray:
        """Return differences of p, whatever form they have."""
        weights = np.asarray(weights)
        if weights.ndim == 3:
            return weights
        found = np.zeros((len(weights), *held.logits.shape[1:]), dtype=held.logits.dtype)
        place = (_p(free), held.patterns.vectors, held.queries.count, held.patterns.count)
        mix = kernels.of(held.logits.dtype.name).mix

        def task(first: int, last: int) -> None:
            mix(first, last, *place, weights, self.kappa, self.pooled, self.real(1), found)

        self.workers.run(task, held.samples)
        return found

    def explicit_change(self, held: HeldLogits, free: Free, weights: np.ndarray | Deferred) -> np.ndarray:
        """Return the differences of p, (batch, queries, patterns), of one nudge."""
        return self._explicit(held, free, weights)

    def moved_rows(
        self,
        held: HeldLogits,
        free: Free,
        plus: Displacement | None,
        minus: Displacement | None,
    ) -> Rows:
        """Return what combines the differences of two nudges' token states, a row for each real token."""
        ends = [end for end in (plus, minus) if end is not None]
        which = [end is not None for end in (plus, minus)]

        def some(first_sample: int, last_sample: int, *factors: float) -> np.ndarray:
            scaled = [self.real(factor) for factor, there in zip(factors, which, strict=True) if there]
            samples = slice(first_sample, last_sample)
            return held.queries.packing(self._tokens(held, _combined([v[samples] for v, _ in ends], scaled)), samples)

        if not self.pooled:
            return Pieces(some, held.queries.offsets, ROWS)

        def combined(*factors: float) -> np.ndarray:
            scaled = [self.real(factor) for factor, there in zip(factors, which, strict=True) if there]
            first, last = ends[0][1], ends[-1][1]
            both = (scaled[0], scaled[1]) if len(scaled) > 1 else (scaled[0], self.real(0))
            if isinstance(free, FreeWeights) and first.ndim == last.ndim == 2:
                return self._rows_of(held, free, first, last, both)
            return self.token_rows(held, self._explicit(held, free, first), self._explicit(held, free, last), both)

        return combined

    def _rows_of(
        self, held: HeldLogits, free: FreeWeights, plus: np.ndarray, minus: np.ndarray, factors: tuple[float, float]
    ) -> np.ndarray:
        """Return the combined changes of a pooled layer's token states from two changes of feedback."""
        offsets, vectors = held.queries.offsets, held.patterns.vectors
        rows = np.empty((offsets[-1], vectors.shape[2]), dtype=vectors.dtype)
        place, ends = (*free.factors, vectors, offsets, held.patterns.count, self.kappa), (plus, minus, *factors, rows)
        combine = kernels.of(vectors.dtype.name).rows_pooled
        self.workers.run(lambda first, last: combine(first, last, *place, *ends), held.samples)
        return rows

    @staticmethod
    def _tokens(held: HeldLogits, values: np.ndarray) -> np.ndarray:
        """Return a flat read-out (samples, tokens * dim) by token, (samples, tokens, dim)."""
        return values.reshape(len(values), held.queries.vectors.shape[1], -1)


def _p(free: Free) -> np.ndarray:
    """Return p of the free state, (batch, queries, patterns)."""
    if isinstance(free, FreeWeights):
        return free.p
    return free.whole if isinstance(free, PackedPairs) else free


def _combined(values: Sequence[np.ndarray], factors: Sequence[float]) -> np.ndarray:
    """Return the sum of factors times values, sample by sample, with no second array of their size on the way."""
    total = np.empty_like(values[0])
    for sample, row in enumerate(total):
        np.multiply(values[0][sample], factors[0], out=row)
        for value, factor in zip(values[1:], factors[1:], strict=True):
            row += factor * value[sample]
    return total


def _largest(found: Sequence[np.ndarray]) -> list[Change]:
    """Return by nudge the largest change and difference of each sample in all blocks, (nudges, samples, 2) each."""
    return [(each[:, 0], each[:, 1]) for each in np.max(found, axis=0)]
