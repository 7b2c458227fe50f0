# Tested by tests/hw_models/arrays/test_columns.py.
"""Products of signals of which each row drives a single line: that line's column, with nothing to add up.

The values are those of the product: all other terms are 0, and one is rounded once.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def alone(driven: Array, lines: Array) -> Array | None:
    """Return the lines (rows,) that signals (rows, driven lines) drive if they drive no others, else None."""
    own = driven[np.arange(len(driven)), lines]
    return lines if np.count_nonzero(driven) == np.count_nonzero(own) else None


def product(signals: Array, matrix: Array, lines: Array | None, out: Array) -> None:
    """Write ``signals @ matrix.T``, (rows, sensed lines); matrix (sensed, driven).

    ``lines`` (rows,): which driven line each row drives alone, none where it lies outside; None for any signals.
    """
    if lines is None:
        np.matmul(signals, matrix.T, out=out)
        return
    rows = np.flatnonzero((lines >= 0) & (lines < matrix.shape[1]))
    if len(rows) < len(lines):
        out.fill(0)
    own = lines[rows]
    behind = len(own) and (np.diff(own) == 1).all()
    picked = matrix[:, own[0] : own[-1] + 1] if behind else matrix[:, own]
    found = np.multiply(picked.T, signals[rows, own][:, None], out=out if len(rows) == len(lines) else None)
    if len(rows) < len(lines):
        out[rows] = found
