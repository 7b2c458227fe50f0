# Tested by tests/neuroep/engines/test_parity.py.
"""What an engine holds of one batch while it settles; states that move are :class:`~neuroep.engines.state.State`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from neuroep.engines.parts import Held, Values


@dataclass(frozen=True)
class Clamped:
    """One batch with the products of its clamped input."""

    tokens: dict[str, Any]
    """By sequence, as the substrate made them."""
    held: dict[str, Held]
    """By attention layer; replaced at every step where products of the clamped input are not held."""
    target: Values
    """(batch, classes), one-hot."""
    workspace: dict[str, Values] = field(default_factory=dict)
    """Transposed products by synapse, written again at every step by parts that work in place."""

    @property
    def samples(self) -> int:
        """Batch size."""
        return len(self.target)
