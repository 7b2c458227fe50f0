r"""Write disturb: what the devices on the row and the column of a written one feel of its move.

A device is selected by half of the write voltage on its word line and half on its bit line; its neighbours on either
line see one half and move by a share d of it in the same direction. With m_ij the moves of all devices of a tile,

.. math:: f_{ij} = d \Big(\sum_{j' \in J} m_{ij'} + \sum_{i' \in I} m_{i'j}\Big)

with all other columns J and rows I where everything is pulsed at once, and where devices are written one after the
other, row by row, each until it is right, with those that are written after (i, j): what came before is in its own
write. Source: half-select disturb, for example Chen, IEEE Trans. Electron Devices 60:1318, 2013 (V/2 scheme).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def felt(
    moves: np.ndarray, share: float, rows: Sequence[tuple[int, int]], columns: Sequence[tuple[int, int]], in_turn: bool
) -> np.ndarray:
    """Return what every device moves by the writes of others, (out, in).

    Parameters
    ----------
    moves : numpy.ndarray
        (out, in) of every device.
    share : float
        d.
    rows, columns : sequence of tuple of int
        First and last input of every row tile, first and last output of every column tile.
    in_turn : bool
        Whether devices are written one after the other, output by output and along its inputs.
    """
    found = np.zeros_like(moves)
    for first, last in columns:
        for begin, end in rows:
            tile = moves[first:last, begin:end]
            along, across = (tile.sum(axis, keepdims=True) - tile for axis in (1, 0))
            if in_turn:
                along, across = (tile.sum(axis, keepdims=True) - tile.cumsum(axis) for axis in (1, 0))
            found[first:last, begin:end] = moves.dtype.type(share) * (along + across)
    return found
