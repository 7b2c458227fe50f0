"""What the lines of a crossbar are loaded with: sums of conductances, and what a read draws through them.

Driven with signals x in units of the DAC's full scale (of 1 without one), over all devices of a line as they conduct
now, both of a pair, every slice, reference lines among them:

    forward      sum_j w_j sum_i G_ij          w_j = x_j f(x_j), x_j^2 of a device that does not bend (device.iv), or
                                               |x_j| where the width of a pulse carries the input, and the share of
                                               ones among its bits where these are sent one behind the other
    transposed   sum_i w_i sum_j G_ij + sum over tiles of w(taken/L) sum_j R_lj

``taken`` is the sum that the L reference lines of a tile share, :mod:`hw_models.arrays.programming`. Times V^2 t that
is the energy of the cells (:mod:`hw_models.cost.formulas`). Row sums are kept once per programming, so that a read
costs one dot product. Wires are left out: what falls along a line is counted as if it fell across the devices.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from hw_models.arrays.programming import BLOCK, Array, Devices
from hw_models.kernels.blocks import blocks

Coding = Literal["amplitude", "width", "serial"]
"""What of a pulse carries the input."""
PICO = 1_000_000
"""pS in a uS: sums are kept as whole pS, which add up to the same whatever their order."""


class Load(NamedTuple):
    """Sums of conductances of some lines."""

    g: Array
    """(lines,) [uS], float64."""
    root: Array
    """(lines,) sqrt(g) in the precision of signals: of squares the sum is that of (x root)^2, at the speed of BLAS."""

    @classmethod
    def of(cls, g: Array, dtype: np.dtype) -> Load:
        """Return the load of sums [uS]."""
        return cls(g, np.sqrt(g).astype(dtype))


class Loads(NamedTuple):
    """Of all lines of a crossbar."""

    word: Load
    """(in,) of all devices that a forward read drives with one input."""
    bit: Load
    """(out,) of all devices of one output."""
    references: Load
    """(column tiles,) of all reference lines of a tile."""


def loads(devices: Devices, held: Array, fresh: bool, turn: int) -> Loads:
    """Return the sums of what devices conduct now; arguments as of :meth:`Devices.conductances`."""
    outputs, inputs = devices.shape
    word, bit, beside = np.zeros(inputs), np.zeros(outputs), np.zeros(len(devices.column_tiles))
    for first, last in blocks(outputs, max(1, BLOCK // max(inputs, 1))):
        for _, _, _, g in devices.lines(held[first:last], first, fresh, turn):
            word += g.sum(0, dtype=np.float64)
            bit[first:last] += g.sum(1, dtype=np.float64)
    if devices.references:
        blank = np.zeros((devices.references, inputs), dtype=held.dtype)
        for _, _, _, g in devices.lines(blank, outputs, fresh, turn):
            word += g.sum(0, dtype=np.float64)
            beside += [g[a:b].sum(dtype=np.float64) for a, b in devices.reference_lines]
    return Loads(*(Load.of(g, held.dtype) for g in (word, bit, beside)))


def drawn(
    signals: Array, passed: Array, load: Load, full: float, coding: Coding, bits: int | None = None, twos: bool = False
) -> float:
    """Return the sum over samples of w times the load [uS].

    Parameters
    ----------
    signals, passed : numpy.ndarray
        (rows, lines): the voltage, and the current that a device passes at it over its conductance; the very same but
        for devices that bend, ``device.iv``.
    load : Load
        Of these lines.
    full : float
        Full scale of both.
    coding : str
        What of a pulse carries the input.
    bits : int, optional
        Of a code without its sign, of serial ones; those that are exact count by their size.
    twos : bool
        Whether the sign of a serial code is a bit more, that of a two's complement.
    """
    if coding == "serial" and bits is not None:
        codes = np.rint(signals * signals.dtype.type((2**bits - 1) / full)).astype(np.int64)
        codes = codes % 2 ** (bits + 1) if twos else np.abs(codes)
        signals, coding, full = np.bitwise_count(codes).astype(signals.dtype), "width", bits + twos
    if coding != "amplitude":
        return float((np.abs(signals) @ load.g.astype(signals.dtype)).sum()) / full
    if passed is signals:
        rooted = signals * load.root
        return float(np.vdot(rooted, rooted)) / full**2
    return float((np.abs(signals * passed) @ load.g.astype(signals.dtype)).sum()) / full**2


def shared(taken: Array, devices: Devices) -> Array:
    """Return what each reference line of a tile is driven with, (rows, tiles), of the sums that they share."""
    counts = np.array([b - a for a, b in devices.reference_lines], dtype=taken.dtype)
    return taken / counts
