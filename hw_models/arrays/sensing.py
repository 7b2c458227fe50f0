"""What senses the lines of a tile is not ideal: errors of its ADCs, and of the circuits of the transposed path.

A current x of one tile and line, read noise in, reaches the quantiser as

    v = (1 + gain_k)((1 + g)(1 + g_j) x + o_j + noise range z) + offset_k range,      w = v + inl_k range b(r)

with g, g_j and o_j of the transposed path (:class:`hw_models.chip.transposed.Transposed`; forward they are 0) at line j
of the tile, and k the ADC of line j, one for every ``adc.columns`` neighbours of a tile, whose noise is at its input:
what amplifies the line does not amplify it. r runs from -1 to 1 over the levels of the ADC, beyond its ends the last
term is 0:

    bow   b(r) = 1 - r^2                    second harmonic; peak 1 in the middle
    s     b(r) = 3 sqrt(3)/2 (r - r^3)      third harmonic; peaks +-1 at r = +-1/sqrt(3)

Both vanish at the ends: the deviation from the line through both end points, in which gain and offset are taken out. It
counts where the transfer stays monotone, |inl_k| below 1/max |db/dr| of half the span: 0.5 (bow) or 0.19 (s) of a
signed full scale and half of that of an unsigned one; beyond it is cut there.

The threshold from one level to the next lies half a step above the first in an ideal ADC. With ``dnl`` the distance W_c
of neighbouring thresholds is that of an ADC and code of its own, and both end thresholds stay where they are,

    W_c = step max(1 + dnl z_kc, 0) / mean over c

so that a code may be missing and none comes twice. The integral of these is a non-linearity too, a random walk tied at
both ends, of standard deviation dnl sqrt(2^bits)/2 steps in the middle. With stochastic rounding the dither comes ahead
of the thresholds.

The range is that of the quantiser. While it is calibrated, samples are what reaches the ADC, its own errors not in. A
reading is at the stop where w lies beyond the last level. Forward and transposed have ADCs of their own, as have bit
slices and tiles. Draws belong to (seed, array, direction, what, slice and tile, ADC or line).

Source: IEEE Std 1241-2010 (terminology and test methods of ADCs): gain and offset by end points, INL, DNL and missing
codes; the shapes are the lowest even and odd harmonic of a static transfer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hw_models.arrays.converters import Digitiser, Grid
from hw_models.chip.converter import ADC
from hw_models.chip.transposed import Transposed
from hw_models.kernels import transfer
from hw_models.kernels.random import key, normals, uniforms

Array = np.ndarray
Tiling = Sequence[tuple[int, int]]
WITHIN = 0.999
"""Share of the largest integral non-linearity under which a transfer is monotone."""
STEEPEST = {"bow": 2.0, "s": 1.5 * 3**0.5 * 2}
"""Largest |db/dr|."""


class Sensing:
    """Errors of one direction of a crossbar.

    Parameters
    ----------
    adc : ADC
        Of the chip.
    path : Transposed or None
        Errors of the sensed lines; None forward.
    place : (int, str, str)
        Seed, array and direction.
    tiles : int or sequence of int
        Tiles whose currents are summed digitally, of all slices: how many, or the numbers by which they are drawn.
    lines : sequence of (int, int)
        First and last sensed line of the tiles beside each other.
    dtype : numpy.dtype
        Of signals.
    """

    def __init__(
        self,
        adc: ADC,
        path: Transposed | None,
        place: tuple[int, str, str],
        tiles: int | Sequence[int],
        lines: Tiling,
        dtype: np.dtype,
    ) -> None:
        self.adc, self.place, self.real = adc, place, dtype.type
        self.numbers = range(tiles) if isinstance(tiles, int) else tiles
        self.tiles = len(self.numbers)
        parts = [(np.arange(b - a) // adc.columns) for a, b in lines]
        counts = np.cumsum([0] + [int(part[-1]) + 1 if len(part) else 0 for part in parts])
        self.converters = int(counts[-1])
        self.number = np.concatenate([part + first for part, first in zip(parts, counts[:-1], strict=True)])
        self.amplifies = path is not None and path.bends
        size = self.number.size
        self._gain, self._offset = np.ones((self.tiles, size)), np.zeros((self.tiles, size))
        if path is not None and path.bends:
            self._gain *= (1 + path.gain) * (1 + path.gain_spread * self._drawn("line gain", size))
            self._offset += path.offset_spread * self._drawn("line offset", size)
        self._of_adc = np.ones_like(self._gain), np.zeros_like(self._gain)
        self._height = np.zeros_like(self._gain)
        if adc.bends:
            gain, offset, bow = (self._drawn(f"adc {what}", self.converters) for what in ("gain", "offset", "inl"))
            self._of_adc = 1 + adc.gain_spread * gain[:, self.number], adc.offset_spread * offset[:, self.number]
            self._height = (adc.inl + adc.inl_spread * bow)[:, self.number]
        self._moved: dict[tuple[int, int], Array] = {}

    def _drawn(self, what: str, many: int) -> Array:
        """Return a normal of each of so many, (tiles, many), the same however many there are."""
        own = key(*self.place, what)
        found = [normals(own, 0, tile, (many, 1)).astype(np.float64)[:, 0] for tile in self.numbers]
        return np.stack(found) if found else np.zeros((0, many))

    def reach(self, current: Array, tile: int, column: int, full: float) -> None:
        """Put on currents (rows, n) of a tile, lines from ``column`` on, what they are at the ADC, in place.

        ``full`` is a fully driven weight of full size, of which the offsets are shares.
        """
        if self.amplifies:
            place = tile, slice(column, column + current.shape[1])
            transfer.amplified(current, self._cut(self._gain[place]), self._cut(self._offset[place] * full))

    def convert(
        self, current: Array, tile: int, column: int, adc: Digitiser, dither: tuple[Array, int, int, int]
    ) -> int:
        """Convert currents that :meth:`reach` has made, in place, and return how many were at the stop.

        ``dither`` is key and counter (read, tile, first row) of the draws of stochastic rounding.
        """
        grid, place = adc.grid, (tile, slice(column, column + current.shape[1]))
        if not adc.acts:
            return 0
        if self.adc.bends:
            gain, offset = (values[place] for values in self._of_adc)
            transfer.amplified(current, self._cut(gain), self._cut(offset * grid.high))
            self._bow(current, place, grid)
        if not self.adc.uneven:
            return adc.quantised(current, *dither)
        if adc.converter.stochastic:
            own, step, number, first = dither
            drawn = uniforms(own, step, number, current.shape, first)
            current += ((drawn - np.float32(0.5)) * np.float32(grid.step)).astype(current.dtype, copy=False)
        transfer.stepped(current, self.number[place[1]], self._thresholds(tile, grid), *grid)
        return adc.quantised(current)

    def _bow(self, current: Array, place: tuple[int, slice], grid: Grid) -> None:
        """Add the integral non-linearity, as high as leaves the transfer monotone."""
        if not (self.adc.inl or self.adc.inl_spread):
            return
        most = WITHIN * (grid.high - grid.low) / 2 / STEEPEST[self.adc.inl_shape]
        height = np.clip(self._height[place] * grid.high, -most, most)
        transfer.bowed(current, self._cut(height), self.adc.inl_shape == "s", grid.low, grid.high)

    def _thresholds(self, tile: int, grid: Grid) -> Array:
        """Return how far the thresholds of every ADC of a tile are moved [steps], (ADCs, steps) float32."""
        steps = round((grid.high - grid.low) / grid.step)
        if (tile, steps) not in self._moved:
            z = normals(key(*self.place, "adc dnl"), 0, self.numbers[tile], (self.converters, max(steps - 1, 1)))
            widths = np.maximum(1 + self.adc.uneven * z.astype(np.float64), 0)
            total = widths.sum(1, keepdims=True)
            widths *= np.divide(widths.shape[1], total, out=np.ones_like(total), where=total > 0)
            moved = np.zeros((self.converters, steps))
            if steps > 1:
                moved[:, 1:] = np.cumsum(widths - 1, axis=1)
                moved[:, -1] = 0
            self._moved[tile, steps] = moved.astype(np.float32)
        return self._moved[tile, steps]

    def _cut(self, values: Array) -> Array:
        return np.ascontiguousarray(values, dtype=self.real)
