"""Memory of large arrays: what every batch needs anew is kept to the next one, and zeros need not take any.

Memory that the system hands out is cleared page by page as it is first touched, which for the logits of a batch takes
half as long as computing them. A loan goes back when the last array that looks into it is gone, whoever holds it.
"""

from __future__ import annotations

import math
import mmap
import sys
from typing import Any

import numpy as np

LEAST = 1 << 20
"""Bytes from which memory is kept; below that an allocator does so by itself."""


def sparse(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return zeros that take memory page by page as they are written to, where the system can; reading takes none."""
    size = math.prod(shape) * dtype.itemsize
    if size < LEAST or sys.platform == "win32":
        return np.zeros(shape, dtype=dtype)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(pages, dtype=dtype).reshape(shape)


class _Loan:
    """Memory behind an array that was handed out."""

    def __init__(self, pool: list[np.ndarray], memory: np.ndarray, most: int) -> None:
        self._pool, self._memory, self._most = pool, memory, most

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """What NumPy reads the memory by; its arrays keep this object alive."""
        return self._memory.__array_interface__

    def __del__(self) -> None:
        if len(self._pool) < self._most:
            self._pool.append(self._memory)


class KeptMemory:
    """Memory for arrays of one part.

    Parameters
    ----------
    most : int
        Blocks that are kept while nobody uses them.
    """

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._free: list[np.ndarray] = []

    def __reduce__(self) -> tuple[type[KeptMemory], tuple[int]]:
        """Leave the blocks behind where a copy goes to another process."""
        return KeptMemory, (self._most,)

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an array of zeros."""
        found = self.empty(shape, dtype)
        if found.nbytes >= LEAST:
            found.fill(0)
        return found

    def empty(self, shape: tuple[int, ...], dtype: np.dtype, largest: bool = False) -> np.ndarray:
        """Return an array that holds zeros, or what an earlier one held, in the smallest or in the largest block."""
        size = math.prod(shape) * dtype.itemsize
        if size < LEAST:
            return np.zeros(shape, dtype=dtype)
        loan = _Loan(self._free, self._taken(size, largest), self._most)
        return np.asarray(loan)[:size].view(dtype).reshape(shape)

    def _taken(self, size: int, largest: bool = False) -> np.ndarray:
        """Return the smallest or largest free block that is large enough; none is kept that has become too small."""
        free = sorted(self._free, key=len, reverse=largest)
        for memory in free:
            if len(memory) >= size:
                self._free[:] = [each for each in free if each is not memory]
                return memory
        self._free.clear()
        return np.zeros(size, dtype=np.uint8)
