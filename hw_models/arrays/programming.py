# Tested by tests/hw_models/arrays/test_crossbar.py.
"""From a weight matrix to devices: what the arrays of one crossbar conduct after programming, [uS].

Weights are normalised, a = W/w_scale in [-1, 1]. With u = 1/span (pair) or 2/span (offset), span = g_max - g_min:

    pair      a_read = u (G+_eff - G-_eff)
    offset    a_read = u (G_eff - g_zero)        reference "digital"
              a_read = u (G_eff - R_eff)         reference "analog", R the mean over the reference lines of a tile;
                                                 "device", R of the weight's own reference device

g_zero is the conductance of weight 0, (g_min + g_max)/2 or the level next to it (``crossbar.zero``); of bit slices
every slice has its own. Where the weight 1 is not at g_max but at g_zero + reach, and in slices, a counts with the
digital weight of :meth:`Devices.targets`.

digital   There are no reference devices. Behind the ADC u g_zero times the sum of the signals is subtracted, as the
          digital side knows them: the codes of the DAC, without its noise. The ADC sees the whole current, u g_zero
          sum(x) with it. What the array does to the middle (drift, wires, mismatch) stays in the result.
analog    A tile has L reference lines, devices as all others, mismatched, drifting, stuck, noisy, but held at g_zero
          whatever levels the others have. Forward their mean current is subtracted ahead of the ADC. Transposed each
          is driven by minus sum(s)/L of the tile's signals, at most the full scale of the DAC: beyond, the rest of
          the middle stays in the result. (A sum of whole DAC steps can be shared in whole steps, so that the DAC's
          resolution adds nothing.) One line per output is as many devices as a pair has and never beyond full scale.
          The lines lie behind the last output: behind wires they are the farthest from the drivers.

The way of a device:
target -> range of this device, levels, resolution -> programming noise -> disturb, leak -> relaxation -> stuck at g_min
or g_max -> gain (mismatch) -> drift (not of stuck ones) -> wires -> mean and variance of a read
(:mod:`hw_models.arrays.tiles`).

Relaxation, drift and the 1/f noise of a read go by the time since a device's own last write: programming writes all
devices, those of reference lines too; a pulse writes the device that it moves, of two that hold a weight together
(``device.cell``, reference "device") that one alone. What else moves a device, leaks and writes of its neighbours, is
no write. The target that decides relaxation and exponent is then the weight as it is now, with the draws of the last
programming.

Draws belong to (seed, array, what, output line, slice and side), those of programming to its occasion and number too,
so that no blocking shows. Where tiles are filled one after the other (``CrossbarParts.fills``), output j and every
reference line are the same devices however many outputs there are. Physics of one device: :mod:`hw_models.laws`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from hw_models.arrays.last_writes import LastWrites
from hw_models.arrays.parts import CrossbarParts
from hw_models.arrays.settled_writes import SettledWrite, SettledWrites
from hw_models.kernels.blocks import Run, blocks
from hw_models.kernels.random import key, normals, uniforms
from hw_models.laws import mapping, variation
from hw_models.laws.curves import Array, Seconds
from hw_models.laws.drift import DRIFT
from hw_models.laws.programming import WRITE
from hw_models.laws.relaxation import RELAXATION

PROGRAMMING = ("programming", "nu", "relaxation")
"""What is drawn anew by every programming."""
Slot = tuple[int, int]
"""Slice and side."""
FAR = 2**24
"""Number of the first reference line, in draws, of arrays that any number of outputs lie on."""
BLOCK = 2**14
"""Devices of one block of outputs: small, as fresh memory costs more than the work on it."""


def filled(length: int, most: int | None) -> list[tuple[int, int]]:
    """Cut ``range(length)`` into pieces of ``most``, the last one of what is left; unset leaves it whole."""
    size = most or max(length, 1)
    return [(first, min(first + size, length)) for first in range(0, max(length, 1), size)]


class Devices:
    """Devices of a crossbar.

    Parameters
    ----------
    parts : CrossbarParts
        Layout, device, wires, and whether weights change in memory.
    shape : tuple of int
        (out, in).
    seed : int
        Seed of all draws.
    name : str
        Name of the array, part of every key.
    dtype : str
        Of the matrices.
    """

    def __init__(self, parts: CrossbarParts, shape: tuple[int, int], seed: int, name: str, dtype: str) -> None:
        self.layout, self.device, self.wires, self.shape, self.dtype = *parts[:3], shape, np.dtype(dtype)
        self.place, self.heat = (seed, name), parts.heat
        self.keys = {what: key(seed, name, what) for what in ("g_min", "g_max", "gain", "stuck")}
        self.settled = SettledWrites()
        self.rekey()
        self.paired = self.layout.mapping == "differential"
        self.row_tiles = blocks(shape[1], self.layout.rows)
        self.fills = parts.fills
        self.column_tiles = (filled if self.fills else blocks)(shape[0], self.layout.columns)
        self.unit = (1 if self.paired else 2) / (self.device.g_max - self.device.g_min)
        self.sides, self.slices = self.layout.sides, self.layout.slices
        self.beside: Array | None = None
        """(out, in) what the second device of every weight holds, where it has a state of its own."""
        self.tile_of = np.repeat(np.arange(len(self.column_tiles)), [b - a for a, b in self.column_tiles])
        self.zeros = self._zeros()
        self.digital = not self.paired and self.layout.reference == "digital"
        self.reference_lines = self._reference_lines()
        self.references = self.reference_lines[-1][1] if self.reference_lines else 0
        self.wired = self.wires.r_word > 0 or self.wires.r_bit > 0
        self.now = self.since = 0.0
        self.written_at: Array | None = None
        self.mixed, self.remaining = False, 1.0
        self.faded: Array | None = None
        """(reference lines, in) what they have kept of what they were programmed with; None of everything."""
        self.left: list[Array] | None = None
        """Of every device or side, what it keeps of what it holds until it is read; None of everything."""
        self.felt: Array | None = None
        self.last: LastWrites | None = None
        if parts.write_threshold:
            late = {"nu": self.device.drifts, "relaxation": self.device.relaxes}
            drawn = tuple(name for name, acts in late.items() if acts)
            self.last = LastWrites((self.slices, self.sides, *shape), drawn)
        if (parts.in_memory or self.last is not None) and self.device.ages:
            apart = parts.in_memory and (self.device.cell.paired or self.layout.reference == "device")
            self.written_at = np.zeros((2 if apart else 1, *shape))

    def _zeros(self) -> Array:
        """Return the conductance of weight 0 in every slice of the offset mapping [uS], (slices,)."""
        bar, device = self.layout, self.device
        if bar.slice_bits is None:
            return np.array([mapping.zero_and_reach(device, bar.zero)[0]])
        digits = mapping.zero_digits(bar.slices, bar.slice_bits, bar.zero)
        return device.g_min + digits * (device.g_max - device.g_min) / (2**bar.slice_bits - 1)

    def _reference_lines(self) -> list[tuple[int, int]]:
        """Return first and last reference line of every column tile; none for pairs and digital references."""
        if self.sides == 2 or self.digital:
            return []
        whole = self.layout.columns if self.fills else None
        counts = [self.layout.reference_lines or whole or max(b - a, 1) for a, b in self.column_tiles]
        ends = np.cumsum(counts).tolist()
        return list(zip([0, *ends[:-1]], ends, strict=True))

    def line(self, first: int) -> int:
        """Return the number by which lines from the first are drawn, reference lines behind the outputs."""
        return first - self.shape[0] + FAR if self.fills and first >= self.shape[0] else first

    def drawn(self, draw: Callable[..., Array], own: Array, step: int, tile: int) -> Array:
        """Return draws of the devices of all lines, reference lines last, (lines, in)."""
        (outputs, inputs), beside = self.shape, self.references
        if not (self.fills and beside):
            return draw(own, step, tile, (outputs + beside, inputs))
        return np.vstack([draw(own, step, tile, (outputs, inputs)), draw(own, step, tile, (beside, inputs), FAR)])

    def averaged(self, lines: Array) -> Array:
        """Return means over the reference lines of every column tile, (reference lines, ...) to (column tiles, ...)."""
        return np.stack([lines[a:b].mean(0) for a, b in self.reference_lines])

    def combined(self, tile: int) -> Array | None:
        """Return how a column tile's outputs come from its lines (lines, out), the mean of its references less.

        None where every line is an output.
        """
        if not self.references:
            return None
        (first, last), (begin, end) = self.column_tiles[tile], self.reference_lines[tile]
        size = last - first
        return np.vstack([np.eye(size), np.full((end - begin, size), -1 / (end - begin))])

    def rekey(self, *occasion: str | int) -> None:
        """Key the draws of programming by this occasion from now on."""
        seed, name = self.place
        self.keys |= {what: key(seed, name, what, *occasion) for what in PROGRAMMING}
        self.settled.forget()

    def age(self, lines: Array, side: int) -> Seconds:
        """Return the seconds since the last write of a side's devices of these output lines, reference lines included.

        One number where all were written by the last programming, at ``since``, else (lines, in). ``now`` is the time
        of reads, ``written_at`` that of every weight's last write, (1, out, in), or of its two devices where pulses
        move one alone, (2, out, in); it is kept where weights change in memory.
        """
        if self.written_at is None or not self.mixed:
            return self.now - self.since
        last = np.full((len(lines), self.shape[1]), self.since)
        own = lines < self.shape[0]
        last[own] = self.written_at[min(side, len(self.written_at) - 1), lines[own]]
        return self.now - last

    def rewritten(self) -> None:
        """Note that all devices are written now, and have lost nothing yet."""
        self.since, self.mixed, self.remaining, self.faded = self.now, False, 1.0, None
        if self.written_at is not None:
            self.written_at[:] = self.now

    def write(self, a: Array, which: Array, turn: int, run: Run) -> None:
        """Write the devices of some weights a (out, in), a mask, and keep what is left of all; ages are told apart."""
        last = self.last
        if last is None:
            raise ValueError("what was written last is kept where a programming may leave devices alone")

        def block(first: int, end: int) -> None:
            chosen = which[first:end]
            if not chosen.any():
                return
            targets, _ = self.targets(a[first:end])
            for k in range(self.slices):
                for side in range(self.sides):
                    target, g = self.written(targets[k, side], (k, side), first, turn)
                    found = {"target": target, "g": g}
                    for what in last.drawn:
                        found[what] = normals(self.keys[what], turn, 2 * k + side, g.shape, first)
                    last.put((k, side), first, chosen, found)

        run(block, blocks(len(a), max(1, BLOCK // max(a.shape[1], 1))))
        self.since = self.now
        self.touched(which, self.now)
        if self.written_at is not None:
            self.mixed = bool((self.written_at != self.since).any())

    def _later_draws(self, what: str, turn: int, where: tuple[int, int], first: int, like: Array) -> Array:
        """Return the standard normals of a programming that act after it, of these devices' last one."""
        if self.last is not None and first < self.shape[0]:
            return self.last.draws(what, where, first, len(like))
        shape = len(like), like.shape[1]
        return normals(self.keys[what], turn, 2 * where[0] + where[1], shape, self.line(first))

    def touched(self, which: Array, when: float) -> None:
        """Note when the devices of some weights were written, a mask (out, in), or one for each device as `written_at`.
        """
        if self.written_at is not None:
            self.written_at[np.broadcast_to(which, self.written_at.shape)] = when
            self.mixed = self.mixed or (when != self.since and bool(which.any()))

    @property
    def drifting(self) -> bool:
        """Whether a device conducts less by now than it did when it was written."""
        return self.device.drifts and (self.now > self.since or self.mixed)

    @property
    def relaxing(self) -> bool:
        """Whether the error of a write has grown since."""
        return self.device.relaxes and (self.now > self.since or self.mixed)

    @property
    def count(self) -> int:
        """Number of devices, those of reference columns among them."""
        return (self.shape[0] * self.sides + self.references) * self.shape[1] * self.slices

    @property
    def writes(self) -> bool:
        """Whether programming leaves another weight than it was asked for."""
        device = self.device
        spreads = device.g_min_spread > 0 or device.g_max_spread > 0
        noisy = any(device.programming_noise_fresh or device.programming_noise)
        coarse = device.levels is not None or device.resolution > 0
        return spreads or coarse or noisy or device.disturb > 0

    @property
    def bends(self) -> bool:
        """Whether the mean of a read is another weight than the one written."""
        device = self.device
        faults = device.mismatch > 0 or device.stuck_low > 0 or device.stuck_high > 0
        shifts = device.read_noise > 0 and device.noise.shifts
        apart = self.references > 0 and any(device.programming_noise)  # the reference lines' own
        moved = self.drifting or self.relaxing or self.remaining != 1
        moved = moved or self.faded is not None or self.left is not None
        scaled = self.layout.zero == "level"
        return faults or moved or shifts or apart or scaled or self.wired or self.slices > 1

    def targets(self, a: Array, cut: bool = True, first: int = 0) -> tuple[Array, Array]:
        """Return targets [uS] (slices, sides, lines, in) of lines from the first, and the digital weights (slices,).

        Weights beyond the range are cut, but those that pulses have moved there, within a device's own bounds. Where
        the second devices hold b (``beside``), the first hold a + b.
        """
        bar = self.layout
        if self.sides == 2 and (self.beside is not None or not self.paired):
            second = np.zeros_like(a) if self.beside is None else self.beside[first : first + len(a), : a.shape[1]]
            return mapping.two_devices(a + second, second, self.device, bar.mapping)[None], np.ones(1)
        if bar.slice_bits is not None:
            return mapping.digits(a, bar.slices, bar.slice_bits, bar.mapping, self.device, bar.zero)
        if self.paired:
            return np.stack(mapping.differential(a, self.device, cut))[None], np.ones(1)
        reach = mapping.zero_and_reach(self.device, bar.zero)[1]
        weight = 1 / (self.unit * reach) if bar.zero == "level" else 1.0
        return mapping.offset(a, self.device, cut, bar.zero)[None, None], np.array([weight])

    @cached_property
    def _factors(self) -> list[float]:
        """Digital weights of the slices."""
        return [float(factor) for factor in self.targets(np.zeros((1, 1), dtype=self.dtype))[1]]

    def written(self, target: Array, where: tuple[int, int], first: int, turn: int) -> tuple[Array, Array]:
        """Return targets as this device can take them, and what programming left [uS]."""
        device, tile = self.device, 2 * where[0] + where[1]
        bounds: tuple[Array, ...] = ()
        if first < self.shape[0]:
            if device.g_min_spread or device.g_max_spread:
                bounds = self.own_bounds(where, (len(target), self.shape[1]), first)
            target = WRITE.snap(target, device, *bounds)
        g = target
        if any(device.programming_noise_fresh or device.programming_noise):
            z = normals(self.keys["programming"], turn, tile, target.shape, self.line(first))
            g = WRITE.programmed(target, z, device)
        if self.felt is not None and first < self.shape[0]:
            g = self._disturbed(g, self.felt, where[1], first)
        return target, g

    def _disturbed(self, g: Array, felt: Array, side: int, first: int) -> Array:
        """Return conductances with what the writes of other devices have added: of a pair, to the side that grows."""
        moved = felt[first : first + len(g)] / np.float32(self.unit)
        if self.paired:
            moved = np.maximum(-moved if side else moved, 0)
        return np.maximum(g + moved, 0).astype(g.dtype, copy=False)

    def own_bounds(self, where: tuple[int, int], shape: tuple[int, int], first: int) -> tuple[Array, Array]:
        """Return the lowest and highest conductance [uS] of every device of these lines, (lines, in) each."""
        tile = 2 * where[0] + where[1]
        z_min, z_max = (normals(self.keys[name], 0, tile, shape, first) for name in ("g_min", "g_max"))
        return variation.bounds(z_min, z_max, self.device)

    def weight_bounds(self) -> tuple[Array, Array]:
        """Return what pulses can move every weight to, as shares of the weight range: (low, high).

        (out, in) each, of the very devices that :meth:`written` cuts targets to; (1, 1) where ``g_min_spread`` and
        ``g_max_spread`` are 0 and devices are alike. Equations: :func:`hw_models.laws.mapping.weight_bounds`.
        """
        spreads = self.device.g_min_spread > 0 or self.device.g_max_spread > 0
        if spreads:
            found = [self.own_bounds((0, side), self.shape, 0) for side in range(self.sides)]
        else:
            found = [variation.bounds(np.zeros((1, 1)), np.zeros((1, 1)), self.device)] * self.sides
        lows, highs = (np.stack([pair[n] for pair in found]) for n in range(2))
        bar = self.layout
        return mapping.weight_bounds(lows, highs, self.device, bar.mapping, bar.zero)

    def state_bounds(self) -> list[tuple[Array, Array]]:
        """Return what pulses can move the state of every device of a pair to, as shares of the weight range, G+ first.

        A state is what a device conducts above g_min over the span. Bounds as of :meth:`weight_bounds`.
        """
        device, found = self.device, []
        span = device.g_max - device.g_min
        for side in range(self.sides):
            low: Array = np.zeros((1, 1), np.float32)
            high: Array = np.full((1, 1), np.inf, np.float32)
            if device.g_min_spread or device.g_max_spread:
                bottom, top = self.own_bounds((0, side), self.shape, 0)
                low = (bottom - device.g_min) / span if device.g_min_spread else low
                high = (top - device.g_min) / span if device.g_max_spread else high
            found.append((low, np.maximum(high, low)))
        return found

    def conducting(self, target: Array, g: Array, where: tuple[int, int], first: int, turn: int) -> tuple[Array, Array]:
        """Return conductances as programmed, stuck ones and gains in, and now [uS]."""
        device, both = self.device, [g]
        age = self.age(np.arange(first, first + len(g)), where[1])
        if self.relaxing:
            z = self._later_draws("relaxation", turn, where, first, g)
            both.append(RELAXATION.relaxed(g, target, z, device, age))
        both, stuck = self._with_faults(both, where, first)
        if not self.drifting:
            return both[0], both[-1]
        return both[0], self._drifted(both[-1], self._exponents(target, stuck, where, first, turn), age)

    def _with_faults(
        self, both: list[Array], where: tuple[int, int], first: int
    ) -> tuple[list[Array], Array | None]:
        """Return conductances with stuck devices and gains in, and which are stuck."""
        device, tile, g, stuck = self.device, 2 * where[0] + where[1], both[0], None
        number = self.line(first)
        if device.stuck_low or device.stuck_high:
            low, high = variation.stuck(uniforms(self.keys["stuck"], 0, tile, g.shape, number), device)
            both = [np.where(low, np.float32(device.g_min), np.where(high, np.float32(device.g_max), g)) for g in both]
            stuck = low | high
        if device.mismatch:
            gain = variation.gains(normals(self.keys["gain"], 0, tile, g.shape, number), device)
            both = [g * gain for g in both]
        return both, stuck

    def _exponents(
        self, target: Array, stuck: Array | None, where: tuple[int, int], first: int, turn: int
    ) -> Array:
        """Return the exponents of drift."""
        nu = DRIFT.exponent(target, self._later_draws("nu", turn, where, first, target), self.device)
        if stuck is not None:
            nu[stuck] = 0
        return nu

    def _drifted(self, g: Array, nu: Array, age: Seconds) -> Array:
        """Return conductances that were g when they were written [uS]."""
        return DRIFT.drifted(g, nu, self.device, age if self.heat.hurry == 1 else age * self.heat.hurry)

    def lines(
        self, a: Array, first: int, fresh: bool, turn: int
    ) -> Iterator[tuple[tuple[int, int], float, Array, Array]]:
        """Yield (slice, side), digital weight, programmed and present conductances [uS] of output lines from first.

        Lines behind the last output are reference lines, which only :meth:`Crossbar.program` writes and nothing
        changes afterwards; their ``a`` does not matter.
        """
        apart = self.last is None and self.beside is None and self.felt is None and self.remaining == 1
        if fresh and apart and not self.relaxing:
            yield from self._settled_lines(a, first, turn)
            return
        targets, factors = self.targets(a, cut=fresh, first=first)
        if first >= self.shape[0]:
            fresh = True
            targets[:] = self.zeros[:, None, None, None]
        for k, factor in enumerate(factors):
            for side in range(self.sides):
                target = g = targets[k, side]
                if fresh and self.last is not None and first < self.shape[0]:
                    target, g = self.last.of((k, side), first, len(target))
                elif fresh:
                    target, g = self.written(target, (k, side), first, turn)
                    g = self._left_over(g, first)
                elif self.left is not None:
                    target = g = self._kept(g, self.left[min(side, len(self.left) - 1)], first)
                yield (k, side), float(factor), *self.conducting(target, g, (k, side), first, turn)

    def _left_over(self, g: Array, first: int) -> Array:
        """Return what leaks have left of conductances as they were programmed."""
        found = g if self.remaining == 1 else self._kept(g, np.full((1, 1), self.remaining), 0)
        if self.faded is None or first < self.shape[0]:
            return found
        return self._kept(found, self.faded, first - self.shape[0])

    def _kept(self, g: Array, share: Array, first: int) -> Array:
        """Return conductances of lines from the first that have kept a share above g_min, (all lines, in) or (1, 1)."""
        low = np.float32(self.device.g_min)
        own = share[first : first + len(g)] if len(share) > 1 else share
        return low + (g - low) * own.astype(np.float32)

    def _settled_lines(self, a: Array, first: int, turn: int) -> Iterator[tuple[Slot, float, Array, Array]]:
        """Yield what :meth:`lines` does of what was programmed, and changes by drift alone."""
        where = [(k, side) for k in range(self.slices) for side in range(self.sides)]
        kept = [self.settled.of(turn, (*slot, first, len(a))) for slot in where]
        found = [each for each in kept if each is not None]
        if len(found) < len(where):
            targets = self.targets(a, first=first)[0]
            if first >= self.shape[0]:
                targets[:] = self.zeros[:, None, None, None]
            found = [self._settle(targets[slot], slot, first, turn) for slot in where]
        for slot, one in zip(where, found, strict=True):
            yield slot, self._factors[slot[0]], one.g, self._now(one, slot, first, turn)

    def _settle(self, target: Array, where: Slot, first: int, turn: int) -> SettledWrite:
        """Return what a programming left of targets, and keep it."""
        target, g = self.written(target, where, first, turn)
        (g,), stuck = self._with_faults([g], where, first)
        found = SettledWrite(target, g, stuck)
        self.settled.put(turn, (*where, first, len(target)), found, self.count)
        return found

    def _now(self, found: SettledWrite, where: Slot, first: int, turn: int) -> Array:
        """Return what is left of it now [uS]."""
        if not self.drifting:
            return found.g
        if found.nu is None:
            found.nu = self._exponents(found.target, found.stuck, where, first, turn)
        return self._drifted(found.g, found.nu, self.age(np.arange(first, first + len(found.g)), where[1]))

    def realised(self, held: Array, turn: int, run: Run) -> Array:
        """Return the normalised weight that programming left, a new (out, in)."""
        result = np.empty_like(held)

        def block(first: int, last: int) -> None:
            targets, factors = self.targets(held[first:last], first=first)
            part = result[first:last]
            part[:] = 0
            for k, factor in enumerate(factors):
                found = [self._left(targets[k, s], (k, s), first, turn) for s in range(self.sides)]
                middle = found[1] if self.sides == 2 else np.float32(self.zeros[k])
                part += (found[0] - middle) * (self.unit * factor)

        run(block, blocks(len(held), max(1, BLOCK // held.shape[1])))
        return result

    def _left(self, target: Array, where: tuple[int, int], first: int, turn: int) -> Array:
        """Return what programming left of output lines [uS]."""
        if self.last is not None:
            return self.last.of(where, first, len(target)).g
        return self.written(target, where, first, turn)[1]

    def conductances(self, held: Array, fresh: bool, turn: int) -> tuple[Array, Array]:
        """Return present conductances of (G+, G-) or (G, its reference) without wires [uS], (slices, out, in) each.

        An analog reference is the mean over its lines, a digital one the conductance that is subtracted.
        """
        both = np.empty((2, self.slices, *self.shape), dtype=np.float32)
        for (k, side), _, _, g in self.lines(held, 0, fresh, turn):
            both[side, k] = g
        if self.references:
            middle = np.zeros((self.references, self.shape[1]), dtype=held.dtype)
            for (k, _), _, _, g in self.lines(middle, self.shape[0], fresh, turn):
                both[1, k] = self.averaged(g)[self.tile_of]
        elif self.digital:
            both[1] = self.zeros[:, None, None]
        return both[0], both[1]
