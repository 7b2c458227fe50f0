# Tested by tests/neuroep/engines/test_workers.py.
"""Blocks of work: bounds that depend on shapes alone, so that the number of threads decides only who computes what."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

Run = Callable[[Callable[[int, int], Any], list[tuple[int, int]]], list[Any]]
"""``run(task, parts)`` calls ``task(first, last)`` for every part and returns the results in order."""


def blocks(length: int, most: int | None) -> list[tuple[int, int]]:
    """Cut ``range(length)`` into near-equal pieces of at most ``most``, one at least; unset leaves it whole."""
    return list(_cut(length, most))


@lru_cache(4096)  # reads cut the same lengths again and again
def _cut(length: int, most: int | None) -> tuple[tuple[int, int], ...]:
    count = max(1, -(-length // (most or max(length, 1))))
    return tuple((length * i // count, length * (i + 1) // count) for i in range(count))


def serial(task: Callable[[int, int], Any], parts: list[tuple[int, int]]) -> list[Any]:
    """Call ``task(first, last)`` for every part, one after another; return the results in order."""
    return [task(first, last) for first, last in parts]
