"""Numbers of a flat attention layer for pairs of tokens, one sample behind the other, without what padding shares.

Where padding takes part, the padded patterns of a sample all have one weight, and a logit of 0: of each query's row the
patterns that tell are kept, and one column for all the others. Of the 100 x 600 x 600 pairs of a batch of reviews
these are four tenths. Weights of products in bfloat16, which read them as such, lie so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from hw_models.kept_memory import sparse
from neuroep.engines.numba import rounded_kernels

if TYPE_CHECKING:
    from neuroep.engines.numba.attention import Tokens


@dataclass(frozen=True)
class PairLayout:
    """Where the rows of each sample lie.

    Parameters
    ----------
    queries, patterns : Tokens
        Of the batch.
    """

    queries: Tokens
    patterns: Tokens

    @property
    def shape(self) -> tuple[int, int, int]:
        """(batch, queries, patterns)."""
        return len(self.queries.count), self.queries.vectors.shape[1], self.patterns.vectors.shape[1]

    @cached_property
    def widths(self) -> np.ndarray:
        """(batch,) int64, columns of a row: patterns that tell, and one more where there are others."""
        return np.minimum(self.patterns.telling + 1, self.patterns.count)

    @cached_property
    def offsets(self) -> np.ndarray:
        """(batch + 1,) int64, where the rows of each sample begin."""
        return np.concatenate([[0], np.cumsum(self.queries.count * self.widths)]).astype(np.int64)

    @classmethod
    def whole(cls, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return values (batch, queries, patterns) in one row, offsets and widths of what lies there in full."""
        batch, queries, patterns = values.shape
        return values.reshape(-1), np.arange(batch + 1) * (queries * patterns), np.full(batch, patterns)


class PackedPairs:
    """Such numbers; :func:`numpy.asarray` writes them out, (batch, queries, patterns), 0 beside the real tokens.

    Parameters
    ----------
    values : numpy.ndarray
        (numbers,), sample after sample, query after query; of uint16, the bits of bfloat16.
    layout : PairLayout
        Where they lie.

    Attributes
    ----------
    dtype : numpy.dtype
        Of the numbers, written out.
    again : callable or None
        Returns the values once more, where they may be let go.
    """

    ndim = 3

    def __init__(self, values: np.ndarray, layout: PairLayout) -> None:
        self.layout, self.dtype = layout, np.dtype(np.float32) if values.dtype == np.uint16 else values.dtype
        self.again: Callable[[], np.ndarray] | None = None
        self._values: np.ndarray | None = values
        self._whole: np.ndarray | None = None

    @property
    def values(self) -> np.ndarray:
        """(numbers,), computed once more where they have been let go."""
        if self._values is None and self.again is not None:
            self._values = self.again()
        return cast(np.ndarray, self._values)

    def let_go(self) -> None:
        """Keep no memory, until the values are asked for; where they cannot be computed once more, keep them."""
        self._whole = None
        if self.again is not None:
            self._values = None

    @property
    def short(self) -> bool:
        """Whether they lie as the bits of bfloat16."""
        return self._values is not None and self._values.dtype == np.uint16

    def keep_short(self, whether: bool) -> None:
        """Have numbers in single precision lie as the bits of bfloat16, rounded to the nearest; or again in full."""
        if whether != self.short:
            values = self.values
            if whether:
                self._values = sparse(values.shape, np.dtype(np.uint16))
                rounded_kernels.write(values, self._values)
            else:
                self._values = sparse(values.shape, self.dtype)
                rounded_kernels.read(values, self._values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(batch, queries, patterns), written out."""
        return self.layout.shape

    def __len__(self) -> int:
        return self.shape[0]

    def of(self, sample: int) -> np.ndarray:
        """Return the rows of one sample in the same memory, (1, real queries, columns), as they lie."""
        layout = self.layout
        first, last = layout.offsets[sample : sample + 2]
        return self.values[first:last].reshape(1, layout.queries.count[sample], layout.widths[sample])

    @property
    def place(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values as they lie, offsets and widths, as kernels take them."""
        return self.values, self.layout.offsets, self.layout.widths

    def copy(self) -> PackedPairs:
        """Return such numbers in other memory."""
        return PackedPairs(self.values.copy(), self.layout)

    @property
    def whole(self) -> np.ndarray:
        """(batch, queries, patterns), written out, once: of numbers that do not change any more."""
        if self._whole is None:
            self._whole = np.asarray(self)
        return self._whole

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Write the numbers out."""
        found = np.zeros(self.shape, dtype=self.dtype if dtype is None else dtype)
        for sample, count in enumerate(self.layout.patterns.count):
            ((rows),) = self.of(sample)
            if self.short:
                rows = rounded_kernels.widened(rows)
            found[sample, : len(rows), : rows.shape[1]] = rows
            found[sample, : len(rows), rows.shape[1] : count] = rows[:, -1:]
        return found
