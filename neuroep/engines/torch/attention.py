# Tested by tests/neuroep/engines/torch/test_substrate.py.
"""Attention in torch, out of place.

Shapes (batch, queries n, patterns m, dim d): held logits ``M = kappa (Q W^T) X^T``, read once per batch; feedback
f = dPhi/da - W x from the dense synapse; weights ``p = softmax(M + kappa f X^T)``; states ``a = p X``. Read flat
``(batch, n d)`` or pooled ``sum_t a_t / sqrt(n)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from neuroep.engines.parts import Move, Part, Rows
from neuroep.network import AttentionLayer


@dataclass(frozen=True)
class TokenTensors:
    """A clamped sequence of one batch."""

    vectors: torch.Tensor
    """(batch, tokens, dim)."""
    present: torch.Tensor
    """(batch, tokens), 1.0 for a token that takes part."""
    whole: bool
    """Whether all of them take part."""

    def some(self, rows: torch.Tensor) -> TokenTensors:
        """Return the sequence of some samples."""
        return TokenTensors(self.vectors[rows], self.present[rows], self.whole)

    @property
    def packed(self) -> torch.Tensor:
        """(batch tokens, dim), padding in."""
        return self.vectors.flatten(0, 1)


@dataclass(frozen=True)
class LogitTensors:
    """What an attention layer knows of a batch before it settles."""

    queries: TokenTensors
    patterns: TokenTensors
    logits: torch.Tensor
    """(batch, queries, patterns), kappa x_j . (W x_t + b)."""

    def some(self, places: np.ndarray) -> LogitTensors:
        """Return what is held of some samples."""
        rows = torch.as_tensor(places, device=self.logits.device)
        return LogitTensors(self.queries.some(rows), self.patterns.some(rows), self.logits[rows])

    @property
    def whole(self) -> bool:
        """Whether all tokens take part."""
        return self.queries.whole and self.patterns.whole

    @cached_property
    def masked(self) -> torch.Tensor:
        """The logits, so low at patterns that take no part that their weights are 0; made once per batch."""
        if self.patterns.whole:
            return self.logits
        absent = self.patterns.present[:, None, :] == 0
        return self.logits.masked_fill(absent, torch.finfo(self.logits.dtype).min)

    @cached_property
    def asking(self) -> torch.Tensor:
        """(batch, queries, 1), 1.0 for a query that takes part and has patterns."""
        answered = self.patterns.present.amax(dim=1)[:, None, None]
        return self.queries.present[:, :, None] * answered

    @cached_property
    def pool_factor(self) -> torch.Tensor:
        """1/sqrt(n), (batch, 1); zero for an empty sequence."""
        count = self.queries.present.sum(1, keepdim=True)
        return torch.where(count > 0, count.clamp(min=1.0).rsqrt(), torch.zeros_like(count))


class TorchAttention(Part):
    """Exact attention; see :class:`neuroep.engines.parts.AttentionUnit`."""

    def __init__(self, layer: AttentionLayer) -> None:
        self.layer = layer

    def hold(self, drive: torch.Tensor, queries: TokenTensors, patterns: TokenTensors) -> LogitTensors:
        """Return the logits of a clamped drive, (batch tokens, dim)."""
        rows = drive.unflatten(0, queries.vectors.shape[:2])
        logits = self.layer.inverse_temperature * (rows @ patterns.vectors.transpose(1, 2))
        return LogitTensors(queries, patterns, logits)

    def redrive(self, held: LogitTensors, drive: torch.Tensor) -> LogitTensors:
        """Return the logits of another drive."""
        return self.hold(drive, held.queries, held.patterns)

    def rest(self, held: LogitTensors) -> torch.Tensor:
        """Return weights of the all-zero state."""
        return torch.zeros_like(held.logits)

    def relax(
        self,
        held: LogitTensors,
        feedback: torch.Tensor | None,
        value: torch.Tensor,
        weights: torch.Tensor,
        dt: float,
        inner: dict[str, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the next read-out, the next weights, and max|delta| of the read-out of every sample."""
        logits = held.masked
        if feedback is not None:
            logits = logits + self.layer.inverse_temperature * self._asked(held, feedback)
        new = self._softened(logits)
        if not held.whole:
            new = new * held.asking
        if dt < 1:
            new = torch.lerp(weights, new, dt)
        read = self._read_out(held, new)
        return read, new, (read - value).detach().abs().amax(1)

    def _softened(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the softmax over the patterns."""
        return torch.softmax(logits, dim=-1)

    def _asked(self, held: LogitTensors, feedback: torch.Tensor) -> torch.Tensor:
        """Return f X^T, (batch, queries, patterns), of a pooled layer (batch, 1, patterns)."""
        keys = held.patterns.vectors
        if self.layer.readout == "pooled":
            feedback = feedback * held.pool_factor
        return feedback.reshape(len(feedback), -1, keys.shape[2]) @ keys.transpose(1, 2)

    def _read_out(self, held: LogitTensors, weights: torch.Tensor) -> torch.Tensor:
        keys = held.patterns.vectors
        if self.layer.readout == "flat":
            return (weights @ keys).flatten(1)
        pooled = (weights.sum(1, keepdim=True) @ keys).squeeze(1)
        return pooled * held.pool_factor

    def explicit(self, held: LogitTensors, weights: torch.Tensor) -> torch.Tensor:
        """Return p, which the weights are."""
        return weights

    def some_weights(self, weights: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """Return the weights of some samples."""
        return weights[torch.as_tensor(rows, device=weights.device)]

    def put_weights(self, whole: torch.Tensor, some: torch.Tensor, move: Move) -> torch.Tensor:
        """Return the weights with those of some samples put in their place."""
        rows, places = (torch.as_tensor(each, device=whole.device) for each in move)
        return whole.index_copy(0, places, some[rows])

    def rows(self, held: LogitTensors, plus: torch.Tensor, minus: torch.Tensor) -> Rows:
        """Return what combines the states of two phases, padding in."""
        return lambda p, m: ((p * plus + m * minus) @ held.patterns.vectors).flatten(0, 1)

    def energy(self, held: LogitTensors, weights: torch.Tensor) -> torch.Tensor:
        """Return 1/kappa sum p (ln p - M), (batch,)."""
        free = torch.xlogy(weights, weights) - weights * held.logits
        return free.sum((1, 2)) / self.layer.inverse_temperature
