"""Counts that kernels of a device add up, read by the host when somebody asks: many of them in one transfer."""

from __future__ import annotations

from collections.abc import Iterable

import torch

SLOTS = 1024
"""Counts of one piece of memory."""


class Slots:
    """Memory for counts, each of which one kernel writes, launched before the next is handed out.

    Parameters
    ----------
    device : torch.device
        Where it lies.

    Attributes
    ----------
    values : torch.Tensor
        (SLOTS,) int64.
    used : int
        How many are taken.
    """

    def __init__(self, device: torch.device) -> None:
        self.values, self.used = torch.zeros(SLOTS, dtype=torch.int64, device=device), 0
        self._read: list[int] = []

    def count(self, slot: int) -> LateCount:
        """Return the count of one kernel, which has been launched."""
        return LateCount([(self, slot)])

    def read(self, slot: int) -> int:
        """Return a count, which waits for its kernel."""
        if slot >= len(self._read):
            self._read = self.values[: self.used].tolist()
        return self._read[slot]


class LateCount:
    """A whole number that the device knows: a sum of counts.

    Parameters
    ----------
    parts : iterable of (Slots, int)
        Whose counts they are.
    more : int
        Added to them.
    """

    __slots__ = ("_more", "_parts")

    def __init__(self, parts: Iterable[tuple[Slots, int]], more: int = 0) -> None:
        self._parts, self._more = list(parts), more

    def __add__(self, other: LateCount | int) -> LateCount:
        """Return a sum, as unknown as its terms."""
        if isinstance(other, LateCount):
            return LateCount(self._parts + other._parts, self._more + other._more)
        return LateCount(self._parts, self._more + int(other))

    __radd__ = __add__

    def __int__(self) -> int:
        """Return the number, which waits for the device."""
        if self._parts:
            self._more, self._parts = self._more + sum(slots.read(slot) for slots, slot in self._parts), []
        return self._more


class Counters:
    """Hands out counts.

    Parameters
    ----------
    device : torch.device
        Where kernels count.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._slots: Slots | None = None

    def next(self) -> tuple[Slots, int]:
        """Return a count that is 0, for a kernel that is launched next."""
        slots, _ = self.any()
        slots.used += 1
        return slots, slots.used - 1

    def any(self) -> tuple[Slots, int]:
        """Return memory for a kernel that counts nothing."""
        if self._slots is None or self._slots.used == SLOTS:
            self._slots = Slots(self._device)
        return self._slots, 0
