"""Exact attention; what an attention unit is, says :class:`neuroep.engines.parts.AttentionUnit`.

The engine calls ``hold`` once per batch, ``relax`` at every step and ``rows`` for a contrast. Sequences stay
padded, ``(batch, tokens, dim)``, and kernels walk over the real tokens; what goes through an array is packed, ``(real
tokens, dim)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, cast

import numpy as np

from hw_models.kept_memory import KeptMemory, sparse
from hw_models.tally import Repeated, Tally
from neuroep.engines.attention_counts import AttentionCounts
from neuroep.engines.numba import attention_kernels as kernels, folded_kernels, repeated_kernels
from neuroep.engines.numba.arrays import Deferred
from neuroep.engines.numba.packed import PackedPairs, PairLayout
from neuroep.engines.parts import Move, Rows, Values
from neuroep.engines.workers import Workers, blocks
from neuroep.network import AttentionLayer

SAMPLES = 8
LOGITS = 16384
"""A block of work has at least that many samples, or logits; a flat layer of so many logits a sample packs them."""
ALONE = np.zeros(1, dtype=np.int64)
"""The place of a sample that is given by itself."""
QUERIES = 64
"""Most queries of a flat layer whose feedback is read at a time, where it is not read in full."""


@dataclass(frozen=True)
class Tokens:
    """A clamped sequence of one batch."""

    vectors: np.ndarray
    """(batch, tokens, dim), contiguous."""
    count: np.ndarray
    """(batch,) int64, tokens that take part."""
    repeated: Repeated | None = None
    """Which of the real tokens are the same, where that is to be made use of."""

    @property
    def width(self) -> tuple[int, ...]:
        """(dim,)."""
        return self.vectors.shape[2:]

    @cached_property
    def offsets(self) -> np.ndarray:
        """(batch + 1,) where each sample begins in the packed rows."""
        return np.concatenate([[0], np.cumsum(self.count)]).astype(np.int64)

    @cached_property
    def samples(self) -> np.ndarray:
        """(real tokens,) the sample of each."""
        return np.repeat(np.arange(len(self.count)), self.count)

    @cached_property
    def places(self) -> np.ndarray:
        """(real tokens,) the place of each in its sequence."""
        return np.arange(self.offsets[-1]) - self.offsets[self.samples]

    @cached_property
    def packed(self) -> np.ndarray:
        """(real tokens, dim)."""
        return self.packing(self.vectors)

    def packing(self, values: np.ndarray, samples: slice = slice(None)) -> np.ndarray:
        """Return the rows of tokens that take part, (real tokens, dim), of values of some samples (., tokens, dim)."""
        batch, tokens, dim = values.shape
        count = self.count[samples]
        if count.sum() == batch * tokens:
            return values.reshape(-1, dim)
        return values[np.arange(tokens)[None, :] < count[:, None]]

    @cached_property
    def telling(self) -> np.ndarray:
        """(batch,) int64, tokens up to the last that is not a zero vector, as unmasked padding is."""
        places = np.arange(1, self.vectors.shape[1] + 1)
        there = self.vectors.any(axis=2) & (places <= self.count[:, None])
        return (there * places).max(axis=1, initial=0).astype(np.int64)


@dataclass(frozen=True)
class HeldLogits:
    """What an attention layer knows of a batch before it settles."""

    queries: Tokens
    patterns: Tokens
    logits: np.ndarray | PackedPairs
    """(batch, queries, patterns), M of the clamped drive, 0 beside the real tokens; see :meth:`all_logits`."""
    scaled: np.ndarray
    """exp(M - rowmax) of the same shape for a pooled layer, empty for a flat one; anything beside the real tokens."""
    chosen: np.ndarray | None = field(default=None, kw_only=True)
    """Samples that are still there, of all that arrays are of; None for all."""

    def some(self, places: np.ndarray) -> HeldLogits:
        """Return what is held of some samples alone, in the same memory."""
        return replace(self, chosen=self.places[places])

    @cached_property
    def places(self) -> np.ndarray:
        """(samples,) int64, where what is held of each sample lies."""
        return np.arange(self.logits.shape[0], dtype=np.int64) if self.chosen is None else self.chosen

    @property
    def all_logits(self) -> np.ndarray:
        """(batch, queries, patterns), written out where they are packed."""
        return self.logits.whole if isinstance(self.logits, PackedPairs) else self.logits

    @cached_property
    def query_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Real queries of samples whose patterns all tell, and of those that end with padding; 0 for the others."""
        folded = self.patterns.telling < self.patterns.count
        return np.where(folded, 0, self.queries.count), np.where(folded, self.queries.count, 0)

    @cached_property
    def pairs(self) -> int:
        """Number of real query-pattern pairs of the batch."""
        return int(self.queries.count[self.places] @ self.patterns.count[self.places])

    @cached_property
    def matched(self) -> int:
        """Number of real patterns of the batch."""
        return int(self.patterns.count[self.places].sum())

    @property
    def samples(self) -> list[tuple[int, int]]:
        """Blocks of work: their bounds depend on the shape alone."""
        _, queries, patterns = self.logits.shape
        return blocks(len(self.places), max(SAMPLES, LOGITS // max(1, queries * patterns)))


class ExactAttention(AttentionCounts):
    """Exact digital attention.

    Parameters
    ----------
    layer : AttentionLayer
        What to compute.
    dtype : str
        Of all arrays.
    workers : Workers
        Threads.
    tally : Tally, optional
        Where to write multiply-adds and exponentials; default one of its own.
    memory : KeptMemory, optional
        Of packed logits, which are let go where others that need more take it; default one of its own.
    """

    tilts = True
    """Whether a pooled layer keeps exponentials of held logits, which a step only tilts."""
    packs = True
    """Whether a large flat layer has its logits and weights packed."""

    def __init__(
        self,
        layer: AttentionLayer,
        dtype: str,
        workers: Workers,
        tally: Tally | None = None,
        memory: KeptMemory | None = None,
    ) -> None:
        self.name, self.tally = f"attention.{layer.name}", Tally() if tally is None else tally
        self.layer, self.workers = layer, workers
        self.real: Any = np.dtype(dtype).type
        self.kappa = self.real(layer.inverse_temperature)
        self.floor = self.real(np.finfo(dtype).tiny ** 0.5)
        self._nothing = np.zeros((0, 0), dtype=dtype)
        self._memory = KeptMemory(2)
        self._lent = KeptMemory(1) if memory is None else memory

    def hold(self, drive: np.ndarray, queries: Tokens, patterns: Tokens) -> HeldLogits:
        """Return the logits of a packed clamped drive (real tokens, dim), read once per batch."""
        held = self._held(drive, queries, patterns)
        self._count_hold(held)
        return held

    def _held(self, drive: np.ndarray, queries: Tokens, patterns: Tokens) -> HeldLogits:
        """Return what :meth:`hold` does, uncounted."""
        shape, dtype = (len(queries.count), queries.vectors.shape[1], patterns.vectors.shape[1]), drive.dtype
        if self.packs and not self.pooled and shape[1] * shape[2] >= LOGITS:
            return self._held_packed(drive, PairLayout(queries, patterns))
        logits = self._memory.empty(shape, dtype)
        scaled = self._memory.empty(shape if self.tilts and self.pooled else (0, 0, 0), dtype)
        held = HeldLogits(queries, patterns, logits, scaled)
        known = patterns.count if scaled.size else patterns.telling  # the logits of zero vectors are 0
        exponentiate, hold = kernels.exponentiate(dtype.name), repeated_kernels.hold(dtype.name)
        place, same = (queries.offsets, patterns.vectors), patterns.repeated

        def task(first: int, last: int) -> None:
            kernels.clear_padding(first, last, queries.count, known, logits)
            if same is not None:
                kinds = same.kind, len(same.first), patterns.offsets
                hold(first, last, drive, *place, known, *kinds, self.kappa, logits, scaled)
                return
            kernels.hold_logits(first, last, drive, *place, known, self.kappa, logits)
            if scaled.size:
                exponentiate(first, last, logits, queries.count, patterns.count, scaled)

        self.workers.run(task, held.samples)
        return held

    def _held_packed(self, drive: np.ndarray, layout: PairLayout) -> HeldLogits:
        """Return the logits of a flat layer packed."""
        queries, patterns, dtype = layout.queries, layout.patterns, drive.dtype
        logits = PackedPairs(self._lent.empty((int(layout.offsets[-1]),), dtype, largest=True), layout)
        held = HeldLogits(queries, patterns, logits, np.empty((0, 0, 0), dtype))
        known, same, hold = patterns.telling, patterns.repeated, repeated_kernels.hold(dtype.name)

        def task(first: int, last: int) -> None:
            for sample in range(first, last):
                own, rows = slice(sample, sample + 1), logits.of(sample)
                rows[..., known[sample] :] = 0
                place = drive, queries.offsets[sample : sample + 2], patterns.vectors[own], known[own]
                if same is None:
                    kernels.hold_logits(0, 1, *place, self.kappa, rows)
                else:
                    kinds = same.kind, len(same.first), patterns.offsets[own]
                    hold(0, 1, *place, *kinds, self.kappa, rows, held.scaled)

        self.workers.run(task, held.samples)
        return held

    def redrive(self, held: HeldLogits, drive: np.ndarray) -> HeldLogits:
        """Return what is held with another drive, where products of the clamped input are read at every step."""
        return self.hold(drive, held.queries, held.patterns)

    def energy(self, held: HeldLogits, weights: np.ndarray) -> np.ndarray:
        """Return 1/kappa sum p (ln p - M), (batch,), of exact attention."""
        weights = self.explicit(held, weights)
        entropy = weights * np.log(np.where(weights > 0, weights, 1))
        return (entropy - weights * held.all_logits).sum((1, 2)) / self.kappa

    def rest(self, held: HeldLogits) -> Values:
        """Return weights of the all-zero state, (batch, queries, patterns)."""
        if isinstance(held.logits, PackedPairs):
            layout = held.logits.layout
            # Small pages are cleared sooner than a block that is kept, which would lie idle between batches.
            return PackedPairs(sparse((int(layout.offsets[-1]),), held.logits.dtype), layout)
        return np.zeros(held.logits.shape, dtype=held.logits.dtype)

    def streams(self, held: HeldLogits) -> bool:
        """Tell whether a step at once takes its feedback query by query: of a large flat layer."""
        return isinstance(held.logits, PackedPairs)

    def some_weights(self, weights: Values, rows: np.ndarray) -> Values:
        """Return the same weights: those of all samples lie in one array, wherever a sample is."""
        return weights

    def put_weights(self, whole: Values, some: Values, move: Move) -> Values:
        """Return the weights, which samples that were left have written to."""
        return some

    def remember(self, held: HeldLogits, drive: Callable[[], np.ndarray]) -> None:
        """Be able to let packed logits go, and to compute them once more from the drive."""
        if isinstance(held.logits, PackedPairs):
            layout = held.logits.layout
            held.logits.again = lambda: cast(PackedPairs, self._held_packed(drive(), layout).logits).values

    def relax(
        self,
        held: HeldLogits,
        feedback: Values | None,
        value: np.ndarray,
        weights: Values,
        dt: float,
        inner: dict[str, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, Values, Values]:
        """Move the layer in place; see :meth:`neuroep.engines.parts.AttentionUnit.relax`.

        Only weights that change their form, of a pooled layer or a packed one, lie in other memory afterwards.
        """
        feedback = self._given(feedback)
        self._count_step(held, feedback)
        if isinstance(held.logits, PackedPairs) and dt == 1:
            packed = weights if isinstance(weights, PackedPairs) else self.rest(held)
            return value, packed, self._stream(held, feedback, packed, value)
        weights = np.asarray(weights)
        if self.pooled and dt == 1 and weights.ndim == 3:
            weights = self._shift(held)
        if self.pooled and dt < 1:
            weights = self.explicit(held, weights)
            return value, weights, self._relax_pooled(held, feedback, weights, value, dt)
        if self.pooled:
            return value, weights, self._changed(held, partial(self._attend, held, feedback, weights, value))
        return value, weights, self._changed(held, partial(self._attend_flat, held, feedback, weights, value, dt))

    def _changed(self, held: HeldLogits, task: Callable[..., None]) -> np.ndarray:
        """Do all blocks of samples; return what they write down as the largest change of each sample."""
        changes = np.zeros(len(held.places), dtype=self.real)
        self.workers.run(lambda first, last: task(changes=changes, first=first, last=last), held.samples)
        return changes

    def _attend_flat(
        self,
        held: HeldLogits,
        feedback: np.ndarray,
        weights: np.ndarray,
        value: np.ndarray,
        dt: float,
        *,
        changes: np.ndarray,
        first: int,
        last: int,
    ) -> None:
        """Move samples of a flat layer; where padding takes part, all of it as one pattern."""
        (whole, folded), patterns = held.query_counts, held.patterns
        if dt < 1:
            whole, folded = held.queries.count, np.zeros_like(held.queries.count)
        own, place = held.places[first:last], (held.all_logits, patterns.vectors)
        there, ends = (first, last, held.places, *place), (weights, value, changes)
        if whole[own].any():
            kernels.attend_flat(*there, whole, patterns.count, feedback, self.kappa, self.real(dt), *ends)
        if folded[own].any():
            counts = folded, patterns.count, patterns.telling
            folded_kernels.of(held.logits.dtype.name).attend(*there, *counts, feedback, self.kappa, *ends)

    def _stream(
        self, held: HeldLogits, feedback: np.ndarray | Deferred, weights: PackedPairs, value: np.ndarray
    ) -> np.ndarray:
        """Move a flat layer at once whose logits are packed, some queries at a time where feedback is deferred."""
        samples, queries = len(held.places), held.logits.shape[1]
        dim, attend = held.patterns.vectors.shape[2], partial(self._attend_packed, held, weights, value)
        if isinstance(feedback, Deferred):
            read = partial(self._columns, feedback)
            task = lambda a, b: attend(read(a * dim, b * dim), (0, samples), (a, b))  # noqa: E731
            return np.max(self.workers.run(task, blocks(queries, self._step)), axis=0)
        return np.concatenate(self.workers.run(lambda a, b: attend(feedback, (a, b), (0, queries)), held.samples))

    @property
    def _step(self) -> int:
        """Most queries whose feedback is read at a time."""
        return QUERIES

    def _columns(self, feedback: Deferred, left: int, right: int) -> Values:
        """Return some columns of a feedback, as what moves the layer takes them."""
        return feedback.columns(left, right)

    def _attend_packed(
        self,
        held: HeldLogits,
        weights: PackedPairs,
        value: np.ndarray,
        feedback: np.ndarray,
        samples: tuple[int, int],
        part: tuple[int, int],
    ) -> np.ndarray:
        """Move some samples and queries, the feedback of which is given, as :meth:`_attend_flat` does."""
        logits, patterns, dim = cast(PackedPairs, held.logits), held.patterns, held.patterns.vectors.shape[2]
        whole, folded = (np.clip(count - part[0], 0, part[1] - part[0]) for count in held.query_counts)
        rows, columns = slice(*part), slice(part[0] * dim, part[1] * dim)
        attend = folded_kernels.of(logits.dtype.name).attend
        changes = np.zeros(samples[1] - samples[0], dtype=self.real)
        for sample, place in enumerate(held.places[slice(*samples)].tolist(), start=samples[0]):
            own, there = slice(sample, sample + 1), slice(place, place + 1)
            given = (0, 1, ALONE, logits.of(place)[:, rows], patterns.vectors[there])
            counts, fed, number = patterns.count[there], feedback[own], sample - samples[0]
            ends = (weights.of(place)[:, rows], value[own, columns], changes[number : number + 1])
            if folded[place]:
                attend(*given, folded[there], counts, patterns.telling[there], fed, self.kappa, *ends)
            elif whole[place]:
                kernels.attend_flat(*given, whole[there], counts, fed, self.kappa, self.real(1), *ends)
        return changes

    def _given(self, feedback: Values | None) -> Values:
        """Return the feedback as kernels take it: (0, 0) for none."""
        return self._nothing if feedback is None else feedback

    def _shift(self, held: HeldLogits) -> np.ndarray:
        """Return a zero state c of a pooled layer, (batch, patterns)."""
        batch, _, patterns = held.logits.shape
        return np.zeros((batch, patterns), dtype=held.logits.dtype)

    def _attend(
        self,
        held: HeldLogits,
        feedback: np.ndarray,
        shift: np.ndarray,
        value: np.ndarray,
        *,
        changes: np.ndarray,
        first: int,
        last: int,
    ) -> None:
        place = (held.logits, held.scaled, held.patterns.vectors, held.queries.count, held.patterns.count)
        ends = (feedback, self.kappa, self.floor, shift, value, changes)
        kernels.attend_pooled(first, last, held.places, *place, *ends)

    def _relax_pooled(
        self, held: HeldLogits, feedback: np.ndarray, weights: np.ndarray, value: np.ndarray, dt: float
    ) -> np.ndarray:
        """Relaxed pooled dynamics keeps explicit weights: p <- p + dt (p* - p)."""
        shift, scratch = self._shift(held), np.zeros_like(value)
        counts = (held.queries.count, held.patterns.count)

        def task(changes: np.ndarray, first: int, last: int) -> None:
            self._attend(held, feedback, shift, scratch, changes=changes, first=first, last=last)
            kernels.mix_pooled(
                first, last, held.logits, held.scaled, *counts, shift, self.floor, self.real(dt), weights
            )
            kernels.read_pooled(first, last, held.patterns.vectors, *counts, weights, value, changes)

        return self._changed(held, task)

    def explicit(self, held: HeldLogits, weights: Values) -> np.ndarray:
        """Return p, (batch, queries, patterns), whatever form the state has."""
        if isinstance(weights, PackedPairs) or weights.ndim == 3:
            return np.asarray(weights)
        found = self.rest(held)
        counts = (held.queries.count, held.patterns.count)

        def task(first: int, last: int) -> None:
            kernels.mix_pooled(first, last, held.logits, held.scaled, *counts, weights, self.floor, self.real(1), found)

        self.workers.run(task, held.samples)
        return found

    def rows(self, held: HeldLogits, plus: np.ndarray, minus: np.ndarray) -> Rows:
        """Return what gives ``f+ a+ + f- a-`` of two phases' weights for two factors; see :meth:`token_rows`."""
        return lambda p, m: self.token_rows(held, plus, minus, (p, m))

    def token_rows(
        self, held: HeldLogits, plus: np.ndarray, minus: np.ndarray, factors: tuple[float, float]
    ) -> np.ndarray:
        """Return ``f+ a+ + f- a-`` of every real query, (real tokens, dim)."""
        vectors, offsets = held.patterns.vectors, held.queries.offsets
        rows = np.empty((offsets[-1], vectors.shape[2]), dtype=vectors.dtype)
        both = self.real(factors[0]), self.real(factors[1])
        place = (vectors, offsets, held.patterns.count)
        shifts = plus.ndim == minus.ndim == 2
        if not shifts:
            plus, minus = self.explicit(held, plus), self.explicit(held, minus)

        def task(first: int, last: int) -> None:
            if shifts:
                logits = (held.logits, held.scaled)
                kernels.token_rows_pooled(first, last, *logits, *place, plus, minus, self.floor, *both, rows)
            else:
                kernels.token_rows(first, last, *place, plus, minus, *both, rows)

        self.workers.run(task, held.samples)
        return rows
