# Tested by tests/neuroep/engines/chip/test_performed.py.
"""What an attention unit does digitally, written down: the same of any set of parts."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hw_models.tally import Tally
from neuroep.engines.parts import Part, Values
from neuroep.network import AttentionLayer


class CountedTokens(Protocol):
    """A clamped sequence."""

    @property
    def count(self) -> np.ndarray:
        """(batch,) tokens that take part."""
        ...

    @property
    def width(self) -> tuple[int, ...]:
        """(dim,)."""
        ...


class CountedPairs(Protocol):
    """What a unit holds of a batch."""

    @property
    def patterns(self) -> CountedTokens: ...

    @property
    def pairs(self) -> int:
        """Number of real query-pattern pairs."""
        ...

    @property
    def matched(self) -> int:
        """Number of real patterns."""
        ...


class AttentionCounts(Part):
    """The tally of one attention unit."""

    layer: AttentionLayer
    name: str
    tally: Tally

    @property
    def pooled(self) -> bool:
        """Whether the read-out is pooled."""
        return self.layer.readout == "pooled"

    def performed(self) -> Tally:
        """Return the digital multiply-adds of what was computed, and its exponentials."""
        return self.tally

    def counters(self) -> dict[str, int]:
        """Return the sum of what was computed digitally."""
        return {"digital_operations": self.tally.total("multiply-add") + self.tally.total("softmax")}

    def _count(self, operation: str, number: int, held: CountedPairs) -> None:
        """Write down an operation; its shape is the width of a pattern, as lengths differ."""
        self.tally.add(self.name, operation, number, held.patterns.width)

    def _count_hold(self, held: CountedPairs) -> None:
        """Count the logits of the clamped drive."""
        self._count("multiply-add logits", held.pairs * held.patterns.width[0], held)

    def _count_step(self, held: CountedPairs, feedback: Values | None) -> None:
        """Count one step: logits of the feedback, softmax, average of the patterns."""
        dim = held.patterns.width[0]
        products = held.matched * dim if self.pooled else held.pairs * dim
        if feedback is not None and len(feedback):
            self._count("multiply-add logits", products, held)
        self._count("multiply-add read-out", products, held)
        self._count("softmax", 2 * held.pairs, held)
