# Tested by tests/hw_models/arrays/test_direct.py.
"""Products of plain chips: fixed converters, one slice or more, noise drawn at the outputs in one pass, nothing else.

The same numbers by the same routines as :class:`hw_models.arrays.reading.Product`, to the bit, without deciding for
every tile what else there might be: of one sample of 300 x 300 that takes longer than the product. One sample alone is
read by kernels of its own, :mod:`hw_models.kernels.one_row`, with the same draws; its sums are rounded otherwise.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from hw_models.arrays import variances
from hw_models.arrays.converters import OPEN, Digitiser, Grid
from hw_models.arrays.draw_keys import Keys
from hw_models.arrays.planes import Plane
from hw_models.arrays.programming import Array
from hw_models.kernels import noise as kernels, one_row
from hw_models.kernels.arithmetic import Values
from hw_models.kernels.blocks import Run, blocks
from hw_models.kernels.products import multiply

NONE: dict[np.dtype, Array] = {np.dtype(real): np.empty((0, 0), real) for real in ("float32", "float64")}
"""Deviations, or variances, that are not there."""


class TileRead(NamedTuple):
    """One tile of one slice."""

    k: int
    """Slice."""
    tile: int
    lines: slice
    """Those that are driven."""
    number: int
    """Of the draws."""
    mean: Array
    """(driven, sensed)."""
    variance: Array | None
    factor: float


class Lot(NamedTuple):
    """Tiles whose converted currents are added one after the other, lines that are sensed beside each other."""

    steps: list[TileRead]
    edges: Array
    """Ends of the tiles."""
    apart: int
    """Which of the sums, that are added at the end."""
    first: int
    """First sensed line."""
    width: int


class Call(NamedTuple):
    """A call of a kernel of :mod:`hw_models.kernels.one_row`, but for what a read brings."""

    ahead: tuple[Array, Array, Array, tuple[float, ...], tuple[float, float]]
    numbers: tuple[int, int]
    """Of the draws of the first tile, and between those of tiles."""
    behind: tuple[tuple[float, ...], float]
    place: tuple[int, ...]
    """First sensed line and how many there are, of a transposed product."""
    apart: int
    counted: bool
    """Whether its conversions by the DAC count, which other calls do again."""


class DirectPlan(Protocol):
    """What is asked of a plan of reads, :class:`hw_models.arrays.read_plan.ReadPlan`."""

    planes: list[Plane]
    factors: list[float]
    ends: list[int]
    tiles: int
    groups: list[tuple[int, int]]
    parts: list[tuple[int, int]]
    edges: Array
    dac: Digitiser
    drives: bool
    grid: Grid
    floor: float
    uniform: float
    varied: bool
    most: int
    run: Run

    def rounds(self, rows: int) -> bool:
        """Tell whether products of so many samples round variances."""
        ...

    def round_variances(self) -> list[Values]:
        """Return the variances of all slices in bfloat16, as tensors."""
        ...


def forward_lots(plan: DirectPlan, outputs: int) -> list[Lot]:
    """Return the tiles of a forward product."""
    found = []
    for index, (begin, end) in enumerate(plan.groups):
        steps = []
        for tile in range(begin, end):
            cut = slice(plan.ends[tile], plan.ends[tile + 1])
            for k, plane in enumerate(plan.planes):
                variance = None if plane.variance is None else plane.variance[:, cut].T
                number = k * plan.tiles + tile
                steps.append(TileRead(k, tile, cut, number, plane.mean[:, cut].T, variance, plan.factors[k]))
        found.append(Lot(steps, plan.edges[begin : end + 1], index, 0, outputs))
    return found


def transposed_lots(plan: DirectPlan) -> list[Lot]:
    """Return the tiles of a transposed product."""
    found = []
    for index, (i, j) in enumerate(plan.parts):
        steps = []
        for tile in range(plan.tiles):
            cut = slice(plan.ends[tile], plan.ends[tile + 1])
            for k, plane in enumerate(plan.planes):
                variance = None if plane.variance is None else plane.variance[cut, i:j]
                number = (k * plan.tiles + tile) * len(plan.parts) + index
                steps.append(TileRead(k, tile, cut, number, plane.mean[cut, i:j], variance, plan.factors[k]))
        found.append(Lot(steps, plan.edges, 0, i, j - i))
    return found


class Direct:
    """The products of one plan.

    Parameters
    ----------
    plan : ReadPlan
        One whose ``direct`` is set.
    way : str
        ``forward`` or ``transposed``.
    shape : (int, int)
        Of the weights.
    sides : int
        Devices of one weight in a slice.
    dtype : numpy.dtype
        Of signals.
    """

    def __init__(self, plan: DirectPlan, way: str, shape: tuple[int, int], sides: int, dtype: np.dtype) -> None:
        self.plan, self.dtype, forward = plan, dtype, way == "forward"
        self.lots = forward_lots(plan, shape[0]) if forward else transposed_lots(plan)
        self.forward, self.sensed, self.sums = forward, shape[0 if forward else 1], len(plan.groups) if forward else 1
        self.levels = plan.dac.grid if plan.drives else OPEN
        self.spread = float(plan.uniform * sides), float(plan.floor)
        self.spreads = not plan.varied and bool(plan.uniform or plan.floor)
        self.short: list[list[Values]] = []
        self.row = one_row.forward if forward else one_row.transposed
        self.calls = [self._calls(lot, index) for index, lot in enumerate(self.lots)]

    def read(self, signals: Array, keys: Keys, step: int) -> tuple[Array, int, int]:
        """Return the product of signals (rows, driven lines), and how many of the DAC's and ADC's values were at stop.

        ``keys`` and ``step``, the number of the read, are those of the draws.
        """
        plan, rows = self.plan, len(signals)
        signals = np.ascontiguousarray(signals, dtype=self.dtype)
        if rows == 1:
            return self._one(signals, keys.read, step)
        codes, driven = self._driven(signals)
        sigma = NONE[self.dtype]
        if self.spreads:
            sigma = np.empty((plan.tiles, rows), dtype=self.dtype)
            kernels.deviations(codes, plan.edges, *self.spread, sigma)
        rounds = plan.varied and plan.rounds(rows)
        if rounds and not self.short:
            whole = plan.round_variances()
            self.short = [[self._short(whole[step.k], step.lines, lot) for step in lot.steps] for lot in self.lots]
        samples, lots = blocks(rows, plan.most), self.lots
        totals = np.zeros((self.sums, rows, self.sensed), dtype=self.dtype)

        def block(index: int, _: int) -> int:
            lot = lots[index % len(lots)]
            short = self.short[index % len(lots)] if rounds else []
            given = codes, sigma, totals[lot.apart]
            return self._block((lot, short), samples[index // len(lots)], given, (keys, step))

        sensed = sum(plan.run(block, blocks(len(lots) * len(samples), 1)))
        for other in totals[1:]:
            totals[0] += other
        return totals[0], driven, sensed

    def _calls(self, lot: Lot, index: int) -> list[Call]:
        """Return the calls that read one sample through a lot, one for each slice."""
        plan, found = self.plan, []
        for k, plane in enumerate(plan.planes):
            variance = NONE[self.dtype] if plane.variance is None else plane.variance
            ahead = plane.mean, variance, lot.edges, tuple(self.levels), self.spread
            behind, place = (tuple(plan.grid), lot.steps[k].factor), () if self.forward else (lot.first, lot.width)
            counted = k == 0 and (self.forward or index == 0)
            numbers = lot.steps[k].number, 1 if self.forward else len(self.lots)
            found.append(Call(ahead, numbers, behind, place, lot.apart, counted))
        return found

    def _one(self, x: Array, key: Array, step: int) -> tuple[Array, int, int]:
        """Return the product of one sample."""
        if len(self.calls) == 1 and len(self.calls[0]) == 1:
            call, total = self.calls[0][0], np.zeros((1, self.sensed), dtype=self.dtype)
            return total, *self.row(x, *call.ahead, key, (step, *call.numbers), *call.behind, total, *call.place)
        totals = np.zeros((self.sums, 1, self.sensed), dtype=self.dtype)

        def row(index: int, _: int) -> tuple[int, int]:
            driven = sensed = 0
            for ahead, numbers, behind, place, apart, counted in self.calls[index]:
                stops, more = self.row(x, *ahead, key, (step, *numbers), *behind, totals[apart], *place)
                driven, sensed = driven + stops * counted, sensed + more
            return driven, sensed

        found = self.plan.run(row, blocks(len(self.calls), 1))
        for other in totals[1:]:
            totals[0] += other
        return totals[0], sum(stops for stops, _ in found), sum(stops for _, stops in found)

    def _driven(self, signals: Array) -> tuple[Array, int]:
        """Return the codes of the DAC, and how many were at its stop."""
        levels = self.levels
        if levels is OPEN:
            return signals, 0
        codes, samples = np.empty_like(signals), blocks(len(signals), self.plan.most)
        if len(samples) == 1:
            return codes, int(kernels.convert(signals, codes, *levels))

        def block(a: int, b: int) -> int:
            return int(kernels.convert(signals[a:b], codes[a:b], *levels))

        return codes, sum(self.plan.run(block, samples))

    def _block(
        self,
        tiles: tuple[Lot, list[Values]],
        rows: tuple[int, int],
        signals: tuple[Array, Array, Array],
        draws: tuple[Keys, int],
    ) -> int:
        """Add some samples' currents of a lot to the total; return how many were at the stop.

        With it come the variances of its tiles, as far as they are rounded.
        """
        (lot, short), (a, b), (codes, sigma, total), (keys, step) = tiles, rows, signals, draws
        plan, stops = self.plan, 0
        grid, floor, key, first = plan.grid, plan.floor, keys.read, lot.first
        x, sums = codes[a:b], total[a:b]
        current = np.empty((b - a, lot.width), dtype=self.dtype)
        variance = np.empty_like(current) if plan.varied else current
        spread = sigma[:, a:b] if len(sigma) else [sigma[0:0].ravel()] * plan.tiles
        for at, (_, tile, lines, number, mean, varies, factor) in enumerate(lot.steps):
            part = x[:, lines]
            multiply(part, mean, current)
            if varies is None:
                stops += kernels.sense(current, spread[tile], key, step, number, a, *grid, factor, sums, first)
                continue
            if short:
                variances.product(x, lines, short[at], variance)
            else:
                multiply(part * part, varies, variance)
            stops += kernels.sense_varied(current, variance, floor, key, step, number, a, *grid, factor, sums, first)
        return int(stops)

    def _short(self, whole: Values, lines: slice, lot: Lot) -> Values:
        """Return the rounded variances of a tile (driven, sensed) of those of all devices; tensors both."""
        return whole[:, lines].T if self.forward else whole[lines, lot.first : lot.first + lot.width]
