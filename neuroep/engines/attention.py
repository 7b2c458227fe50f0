"""Attention unit of the local engine: what turns held logits and feedback into the state of one attention layer.

The engine calls ``hold`` once per batch, ``relax`` at every step and ``token_rows`` for a contrast. Sequences stay padded,
``(batch, tokens, dim)``, and kernels walk over the real tokens; what goes through an array is packed, ``(real tokens, dim)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neuroep.engines import attention_kernels as kernels
from neuroep.engines.workers import Workers, blocks
from neuroep.networks import AttentionLayer
from neuroep.settling import State

SAMPLES = 8
"""Samples of one block of work."""


@dataclass(frozen=True)
class Tokens:
    """A clamped sequence of one batch."""

    vectors: np.ndarray
    """(batch, tokens, dim), contiguous."""
    count: np.ndarray
    """(batch,) int64, tokens that take part."""

    @cached_property
    def offsets(self) -> np.ndarray:
        """(batch + 1,) where each sample begins in the packed rows."""
        return np.concatenate([[0], np.cumsum(self.count)]).astype(np.int64)

    @cached_property
    def packed(self) -> np.ndarray:
        """(real tokens, dim)."""
        batch, tokens, dim = self.vectors.shape
        if self.offsets[-1] == batch * tokens:
            return self.vectors.reshape(-1, dim)
        return self.vectors[np.arange(tokens)[None, :] < self.count[:, None]]


@dataclass(frozen=True)
class HeldLogits:
    """Logits of the clamped drive, (batch, queries, patterns); ``scaled`` is exp(M - rowmax) for a pooled layer."""

    logits: np.ndarray
    scaled: np.ndarray | None


class AttentionUnit:
    """Exact digital attention.

    Parameters
    ----------
    layer : AttentionLayer
        What to compute.
    dtype : str
        Of all arrays.
    workers : Workers
        Threads.
    """

    def __init__(self, layer: AttentionLayer, dtype: str, workers: Workers) -> None:
        self.layer, self.workers = layer, workers
        self.real: Any = np.dtype(dtype).type
        self.kappa = self.real(layer.inverse_temperature)
        self.floor = self.real(np.finfo(dtype).tiny ** 0.5)

    @property
    def pooled(self) -> bool:
        """Whether the read-out is pooled."""
        return self.layer.readout == "pooled"

    def hold(self, drive: np.ndarray, queries: Tokens, patterns: Tokens) -> HeldLogits:
        """Return the logits of a packed clamped drive (real tokens, dim), read once per batch."""
        shape = (len(queries.count), queries.vectors.shape[1], patterns.vectors.shape[1])
        logits = np.zeros(shape, dtype=drive.dtype)
        scaled = np.zeros(shape, dtype=drive.dtype) if self.pooled else None

        def task(first: int, last: int) -> None:
            kernels.hold_logits(
                first, last, drive, queries.offsets, patterns.vectors, patterns.count, self.kappa, logits
            )
            if scaled is not None:
                kernels.exponentiate(first, last, logits, queries.count, patterns.count, scaled)

        self.workers.run(task, blocks(shape[0], SAMPLES))
        return HeldLogits(logits, scaled)

    def rest(self, held: HeldLogits) -> np.ndarray:
        """Return weights of the all-zero state, (batch, queries, patterns)."""
        return np.zeros(held.logits.shape, dtype=held.logits.dtype)

    def relax(
        self, held: HeldLogits, queries: Tokens, patterns: Tokens, feedback: np.ndarray, state: State, dt: float
    ) -> float:
        """Move the layer in place; ``feedback`` is (batch, size) or empty; return max|delta| of its read-out."""
        name = self.layer.name
        value, weights = state.values[name], state.weights[name]
        counts = (queries.count, patterns.count)
        if self.pooled and dt == 1:
            if weights.ndim == 3:
                state.weights[name] = weights = np.zeros((len(value), weights.shape[2]), dtype=value.dtype)
            task = lambda a, b: kernels.attend_pooled(  # noqa: E731
                a, b, held.logits, held.scaled, patterns.vectors, *counts, feedback, self.kappa, self.floor, weights, value
            )
        elif self.pooled:
            state.weights[name] = weights = self.explicit(held, queries, patterns, weights)
            task = self._relax_pooled(held, queries, patterns, feedback, weights, value, dt)
        else:
            task = lambda a, b: kernels.attend_flat(  # noqa: E731
                a, b, held.logits, patterns.vectors, *counts, feedback, self.kappa, self.real(dt), weights, value
            )
        return float(np.max(self.workers.run(task, blocks(len(value), SAMPLES))))

    def _relax_pooled(
        self, held: HeldLogits, queries: Tokens, patterns: Tokens, feedback: np.ndarray, weights: np.ndarray,
        value: np.ndarray, dt: float,
    ) -> Any:
        """Relaxed pooled dynamics keeps explicit weights: p <- p + dt (p* - p)."""
        shift = np.zeros((len(value), weights.shape[2]), dtype=value.dtype)
        scratch = np.zeros_like(value)
        counts = (queries.count, patterns.count)

        def task(first: int, last: int) -> float:
            kernels.attend_pooled(
                first, last, held.logits, held.scaled, patterns.vectors, *counts, feedback, self.kappa, self.floor,
                shift, scratch,
            )
            for b in range(first, last):
                n, k = queries.count[b], patterns.count[b]
                if n and k:
                    goal = kernels.pooled_weights(
                        held.logits[b, :n, :k], held.scaled[b, :n, :k], shift[b, :k], self.floor  # type: ignore[index]
                    )
                    weights[b, :n, :k] += self.real(dt) * (goal - weights[b, :n, :k])
            return kernels.read_pooled(first, last, patterns.vectors, *counts, weights, value)

        return task

    def explicit(self, held: HeldLogits, queries: Tokens, patterns: Tokens, weights: np.ndarray) -> np.ndarray:
        """Return p, (batch, queries, patterns), whatever form the state has."""
        if weights.ndim == 3:
            return weights
        found = np.zeros(held.logits.shape, dtype=held.logits.dtype)
        for b, (n, k) in enumerate(zip(queries.count, patterns.count, strict=True)):
            if n and k:
                found[b, :n, :k] = kernels.pooled_weights(
                    held.logits[b, :n, :k], held.scaled[b, :n, :k], weights[b, :k], self.floor  # type: ignore[index]
                )
        return found

    def token_rows(
        self, held: HeldLogits, queries: Tokens, patterns: Tokens, plus: np.ndarray, minus: np.ndarray,
        factors: tuple[float, float],
    ) -> np.ndarray:
        """Return ``f+ a+ + f- a-`` of every real query, (real tokens, dim)."""
        rows = np.empty((queries.offsets[-1], patterns.vectors.shape[2]), dtype=patterns.vectors.dtype)
        both = self.real(factors[0]), self.real(factors[1])
        place = (patterns.vectors, queries.offsets, patterns.count)
        if plus.ndim == 2 and minus.ndim == 2:
            task = lambda a, b: kernels.token_rows_pooled(  # noqa: E731
                a, b, held.logits, held.scaled, *place, plus, minus, self.floor, *both, rows
            )
        else:
            one, two = (self.explicit(held, queries, patterns, weights) for weights in (plus, minus))
            task = lambda a, b: kernels.token_rows(a, b, *place, one, two, *both, rows)  # noqa: E731
        self.workers.run(task, blocks(len(queries.count), SAMPLES))
        return rows
