"""What happened on a chip: which part did which operation how often, on what shape, with how many bits, in which phase.

Counters are sums of a tally, and cost and latency are computed from one afterwards; nothing here weighs anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

PHASES = ("", "free", "nudged", "update", "evaluate")
"""Of a run; "" where nobody said."""


class Work(NamedTuple):
    """One kind of thing that happened."""

    part: str
    """Name of the part, for example that of a crossbar."""
    operation: str
    """What it did."""
    shape: tuple[int, ...] = ()
    """Of what it was done on, for example (out, in) of a weight matrix."""
    bits: int | None = None
    """Of a conversion; None where there is none, or an exact one."""
    phase: str = ""
    """One of :data:`PHASES`."""


class Tally:
    """Numbers of what happened.

    Attributes
    ----------
    phase : str
        Of what is added without one; see :meth:`during`.
    """

    def __init__(self) -> None:
        self.phase = ""
        self._numbers: dict[Work, int] = {}

    def add(
        self,
        part: str,
        operation: str,
        number: int,
        shape: tuple[int, ...] = (),
        bits: int | None = None,
        phase: str | None = None,
    ) -> None:
        """Add that an operation happened so often; ``phase`` None takes that of :meth:`during`."""
        work = Work(part, operation, shape, bits, self.phase if phase is None else phase)
        self._numbers[work] = self._numbers.get(work, 0) + number

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Add to a phase inside.

        Raises
        ------
        ValueError
            If it is none of :data:`PHASES`.
        """
        if phase not in PHASES:
            raise ValueError(f"phase = {phase!r}: allowed are {', '.join(map(repr, PHASES))}")
        before, self.phase = self.phase, phase
        try:
            yield
        finally:
            self.phase = before

    def rows(self) -> Iterator[tuple[Work, int]]:
        """Yield what happened, and how often, in the order in which it first did."""
        yield from self._numbers.items()

    def number(self, operation: str, phase: str | None = None) -> int:
        """Return how often an operation happened on all parts, in one phase or in all."""
        found = self._numbers.items()
        return sum(n for work, n in found if work.operation == operation and phase in (None, work.phase))

    def clear(self) -> None:
        """Forget everything; the phase stays."""
        self._numbers.clear()

    def table(self, *operations: str) -> np.ndarray:
        """Return numbers int64 (phases, operations) by :data:`PHASES`: a part's tally as a checkpoint keeps it."""
        return np.array([[self.number(name, phase) for name in operations] for phase in PHASES], dtype=np.int64)

    def load(self, table: np.ndarray, part: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Take over :meth:`table` of one part, whose operations and their shapes are given in its order."""
        self.clear()
        for phase, numbers in zip(PHASES, table.tolist(), strict=True):
            for (operation, shape), number in zip(shapes.items(), numbers, strict=True):
                if number:
                    self.add(part, operation, number, shape, phase=phase)
