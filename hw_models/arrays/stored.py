# Tested by tests/hw_models/arrays/test_crossbar.py.
"""Weights written on the devices of one crossbar: programming, time, and the matrices that reads are made of.

Time: ``clock`` is when devices are written, reads come ``ahead`` seconds later, by default ``device.age``: what is
programmed reads as old as the chip says. Whoever learns goes on from the moment of its reads,
:meth:`StoredWeights.elapse`, so that what it writes is fresh, or reads at once from the start,
:meth:`StoredWeights.read_at`.

Covered by tests/hw_models/arrays/test_crossbar.py and test_ageing.py.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from hw_models.arrays.carried import Carried, Strengths
from hw_models.arrays.device_noise import DeviceNoise
from hw_models.arrays.line_heat import LineHeat, line_heat
from hw_models.arrays.loads import Loads, loads
from hw_models.arrays.parts import CrossbarParts
from hw_models.arrays.planes import Plane
from hw_models.arrays.programming import PROGRAMMING, Array, Devices
from hw_models.arrays.retention import Retention
from hw_models.arrays.slow_noise import FAST, SLOW, SlowNoise
from hw_models.arrays.tiles import Tiles
from hw_models.arrays.traps import TrappedDevices
from hw_models.clock import Clock
from hw_models.errors import ChipError
from hw_models.kernels.blocks import Run
from hw_models.laws import disturb
from hw_models.text import shown

if TYPE_CHECKING:
    from hw_models.arrays.cells import DeviceCells

STEP = 0.01
"""Change of an age over the age from which devices are read anew while nothing is written."""
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
"""Of signals and matrices."""


class StoredWeights:
    """What a crossbar holds, apart from being read; parameters and attributes: :class:`Crossbar`."""

    reads: int

    def __init__(
        self,
        parts: CrossbarParts,
        shape: tuple[int, int],
        seed: int,
        name: str,
        run: Run,
        dtype: str,
        clock: Clock | None = None,
    ) -> None:
        check_name(name)
        shape = _shape(name, shape)
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ChipError(f"{name}: seed = {shown(seed)}: should be a whole number from 0")
        _check_dtype(name, dtype)
        self.layout, self.device, self.wires, self.converters, self.in_memory = parts[:5]
        self.path, self.increments, self.write_threshold = parts.transposed, parts.increments, parts.write_threshold
        self.shape, self.seed, self.name, self.run = shape, seed, name, run
        self.dtype = np.dtype(dtype)
        self._most = float(np.finfo(dtype).max)
        self.devices = Devices(parts, shape, seed, name, dtype)
        self.time, self.wrote_at, self.built = clock or Clock(), 0.0, -1
        self.cells: DeviceCells | None = None
        self.retains = Retention(self.device, shape, (seed, name)) if self.device.retention is not None else None
        self.noise = SlowNoise(self.devices, self.time)
        self.traps = TrappedDevices(self.devices)
        self.carried = Carried(self.noise, self.dtype)
        self.by_device = DeviceNoise(self.noise, self.traps)
        self.tiles = Tiles(self.devices, self.noise, self.traps)
        noisy, fixed = self.device.noisy or self.devices.heat.noise > 0, self.layout.cuts
        wears = self.device.leak > 0 or self.device.disturb > 0
        self.shifts = self.device.phase_drift != 0 or self.device.nudge_shift != 0
        physical = self.devices.writes or self.devices.bends or self.device.ages or noisy or fixed
        self.ideal = not (physical or self.shifts or wears or parts.converts or self.in_memory or self.path.bends)
        self.programmings = self.rows_written = 0
        self.weight_range = float("nan")
        self.compensation = 1.0
        self._held, self._fresh, self._builds = np.zeros(shape, dtype=self.dtype), False, 0
        self._occasion: tuple[str | int, ...] = ()
        self.clock, self.ahead, self._looking = 0.0, self.device.age, False
        at = self.devices.written_at
        self._seen = None if at is None else np.zeros(at.shape, dtype=self.dtype)
        self.planes: list[Plane] = []
        self._loads: tuple[list[Plane], Loads] | None = None
        self._heat: tuple[list[Plane], LineHeat] | None = None
        self._metrics: dict[tuple[str, int], Array] = {}

    def program(self, weight: Array) -> None:
        """Write all devices; the first time, or where it follows the weights each time, this fixes the weight range.

        Parameters
        ----------
        weight : numpy.ndarray
            (out, in), copied; beyond the weight range it is cut.

        Raises
        ------
        ChipError
            If the shape is another one, a weight is not finite or beyond the dtype, or wires cannot be solved.
        """
        self._check_writable()
        largest = self._largest("weights", weight)
        if np.isnan(self.weight_range) or self.layout.follow_weights:
            bar = self.layout
            full = bar.weight_range or bar.weight_headroom * self._widest(weight, largest) or 1.0
            if not full <= self._most:
                what = f"weight_headroom times the largest weight is {full:g}"
                raise ChipError(f"{self.name}: {what}, beyond {self.dtype}")
            self.weight_range = full
        self.programmings += 1
        self.devices.rekey(*self._occasion)
        self.wrote_at = self.time.time
        if self.retains is not None:
            self.retains.programmed(self.wrote_at)
        self.devices.now = self.clock
        self._fresh = True
        self._forget_matrices()
        if self.devices.last is not None and not self.ideal:
            self._write_moved(weight)
            return
        self._count_writes(self.devices.count)
        self.rows_written = most(self.devices.row_tiles)
        before, self.devices.beside = self._still_held() if self.device.disturb else None, None
        self.devices.rewritten()
        if self.cells is not None:
            self.cells.leaves()
        self._hold(weight)
        if before is not None:
            self.devices.felt = self.felt(self._held - before, in_turn=True)
        if self.in_memory:
            if self.devices.writes:
                self._held[:] = self.devices.realised(self._held, self.programmings, self.run)
            self._fresh = False
            if self.cells is not None:
                self.cells.programmed()
        self._see()
        self.refresh()

    def _widest(self, weight: Array, largest: float) -> float:
        """Return the largest weight that the range goes by: of all, or so many times their root mean square."""
        clip = self.layout.weight_clip
        if clip is None or not largest:
            return largest
        share = np.divide(weight, largest, dtype=np.float64)
        return largest * min(1.0, clip * float(np.sqrt(np.mean(np.square(share)))))

    def _write_moved(self, weight: Array) -> None:
        """Write the weights that are to move by more than the threshold since they were, the first time all."""
        own, wanted = self.devices, np.empty_like(self._held)
        np.divide(weight, self.weight_range, out=wanted, casting="same_kind")
        np.clip(wanted, -1, 1, out=wanted)
        which = np.abs(wanted - self._held) > self.write_threshold
        if self.programmings == 1:
            which[:] = True
        self._held[which] = wanted[which]
        self._count_writes(int(which.sum()) * own.sides * own.slices + own.references * self.shape[1] * own.slices)
        self.rows_written = max((int(which[:, a:b].any(0).sum()) for a, b in own.row_tiles), default=0)
        own.write(self._held, which, self.programmings, self.run)
        self._see()
        self.refresh()

    def felt(self, moves: Array, in_turn: bool) -> Array:
        """Return what every weight moves by the writes of others on its lines, (out, in) as shares of the range."""
        own = self.devices
        return disturb.felt(moves, self.device.disturb, own.row_tiles, own.column_tiles, in_turn)

    def leak(self) -> None:
        """Let devices lose what they lose from one update to the next; the matrices stay until :meth:`refresh`.

        a of a weight that changes in memory falls to low + (a - low) (1 - leak), low that of a device at g_min, for a
        pair 0; devices that are written as a whole, references among them, lose it of what was programmed.
        """
        shares: list[float | Array] = [self.device.leak] * 2
        if self.retains is not None:
            kept = self.retains.kept(self.time.time, 2)
            shares = [(1 - (1 - self.device.leak) * each).astype(self.dtype) for each in kept]
            self._fade()
        elif not self.device.leak:
            return
        self._check_writable()
        self.devices.remaining *= 1 - self.device.leak
        self._lose(shares)

    def _lose(self, shares: list[float | Array]) -> None:
        """Let weights in memory lose these shares of what first and second devices conduct above g_min."""
        if not self.in_memory:
            return
        with self.unwritten():
            if self.cells is not None and self.cells.states:
                self.cells.leak(shares)
                return
            self._held += (self.lowest - self._held) * self.dtype.type(shares[0])
            if self.cells is not None:
                self.cells.hold()

    def _holding(self) -> Array:
        """Return what devices hold whose last writes are told apart, (1, out, in); (2, out, in) of two of a weight."""
        cells = self.cells
        if self._seen is None or len(self._seen) == 1 or cells is None or cells.shown is None:
            return self._held[None]
        return np.stack([cells.read()[0], cells.shown])

    def _see(self) -> Array | None:
        """Note what devices hold; return which hold something else than when this was asked last, None if untold."""
        if self._seen is None:
            return None
        holding = self._holding()
        moved: Array = holding != self._seen
        self._seen[:] = holding
        return moved

    @contextmanager
    def unwritten(self) -> Iterator[None]:
        """Let devices move inside without being written: those that were not before go on to drift."""
        written = None if self._seen is None else self._holding() != self._seen
        yield
        if written is not None and self._seen is not None:
            np.copyto(self._seen, self._holding(), where=~written)

    def _fade(self) -> None:
        """Let devices lose what reads that come later find lost, and reference lines all since they were programmed."""
        own = self.devices
        if self.retains is None or not self.in_memory:
            return
        if own.references:
            own.faded = self.retains.beside(own.references, own.line(self.shape[0]), self.ahead)
        own.left = None
        if self.ahead:
            kept = self.retains.after(self.ahead, 2)
            own.left = kept[:1] if self.cells is None else self.cells.lasting(kept)

    @property
    def lowest(self) -> np.floating:
        """The weight of a device at g_min as a share of the range, of a pair 0."""
        own = self.devices
        if own.paired:
            return self.dtype.type(0)
        factor = own.targets(np.zeros((1, 1), self.dtype))[1][0]
        return self.dtype.type((self.device.g_min - own.zeros[0]) * own.unit * factor)

    def _still_held(self) -> Array:
        """Return what devices hold by now of what was programmed, shares of the range, a new (out, in)."""
        remaining = 1.0 if self.in_memory else self.devices.remaining
        if remaining == 1 or self.programmings == 1:
            return self._held.copy()
        return self.lowest + (self._held - self.lowest) * self.dtype.type(remaining)

    def _largest(self, what: str, weight: Array) -> float:
        """Return the largest |weight| of a matrix that devices can be written with; refuse others."""
        if not isinstance(weight, np.ndarray) or weight.dtype.kind not in "fiub":
            given = weight.dtype if isinstance(weight, np.ndarray) else type(weight).__name__
            raise ChipError(f"{self.name}: {what} are {given}: an array of numbers of shape {self.shape} is needed")
        if weight.shape != self.shape:
            raise ChipError(f"{self.name}: {what} of shape {weight.shape}, the crossbar holds {self.shape}")
        largest = float(np.abs(weight).max(initial=0))
        if not largest <= self._most:
            bad = weight.size - np.count_nonzero(np.abs(weight) <= self._most)
            raise ChipError(f"{self.name}: {bad} of {weight.size} {what} are not finite, or beyond {self.dtype}")
        return largest

    def _hold(self, weight: Array) -> None:
        if self.ideal:
            self._held[:] = weight
        else:
            np.divide(weight, self.weight_range, out=self._held, casting="same_kind")
            np.clip(self._held, -1, 1, out=self._held)

    def refresh(self) -> None:
        """Rebuild the matrices of products after :attr:`stored` has changed in place; no programming noise.

        Devices whose weight has changed count as written now; the others go on to drift.

        Raises
        ------
        ChipError
            If a weight is no longer finite; the matrices are then those from before.
        """
        self._check_writable()
        if self.ideal:
            return
        if self.in_memory:
            self._largest("stored weights", self._held)
        moved = self._see()
        if moved is not None:
            self.devices.touched(moved, self.clock)
        solve = self.devices.wired and self._builds % self.wires.refresh_every == 0
        self._build(solve)
        self._builds += 1

    def read_at(self, seconds: float) -> None:
        """Read so many seconds after what is written now, from the next product on; nothing is written.

        Raises
        ------
        ChipError
            If the time is not a finite number from 0.
        """
        if not isinstance(seconds, Real) or isinstance(seconds, bool) or not 0 <= seconds < np.inf:
            raise ChipError(f"{self.name}: read_at = {shown(seconds)} s: allowed are finite times from 0")
        if seconds == self.ahead:
            return
        if not self.reads:
            self.noise.restart()
            self.traps.restart()
        self._look(seconds, solve=self.devices.wired)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Read inside what is written as soon as it is, as whoever verifies it does, and later again behind it."""
        before = self.ahead
        self.read_at(0.0)
        try:
            yield
        finally:
            self.read_at(before)

    def _look(self, seconds: float, solve: bool) -> None:
        self.ahead = seconds
        if self.programmings and not self.ideal and (self.device.ages or self.retains is not None):
            self._build(solve)

    def elapse(self) -> None:
        """Let the clock go on to the moment of the reads: what is written next is written then, and read at once."""
        if self.ahead and self.retains is not None:
            self._lose([(1 - each).astype(self.dtype) for each in self.retains.after(self.ahead, 2)])
            self.retains.began -= self.ahead
        self.clock, self.ahead = self.clock + self.ahead + self._passed, 0.0
        self.wrote_at = self.time.time

    @property
    def _passed(self) -> float:
        """Seconds on the clock of the chip since devices could be written last."""
        return self.time.time - self.wrote_at

    def catch_up(self) -> None:
        """Begin a batch on a chip with a clock: let devices be as old as they are by now, and move their noise on."""
        self.carried.rotate()
        self.by_device.rotate()
        if self.time.passes and self.programmings and not self.ideal:
            waited = self.clock + self.ahead + self._passed - self.devices.now
            held = self.devices.wired and not self.tiles.kept  # every solution of wires takes long
            if self._aged(waited) or (self.noise.active and not held and self.built != self.time.batches):
                self._build(solve=False)

    def _aged(self, waited: float) -> bool:
        """Tell whether so many seconds change what devices conduct, of those written last, by laws of the logarithm.

        Drift goes by the age over t0, which heat shortens, and 1/f noise by that over t0; relaxation begins at an age.
        """
        device, own = self.device, self.devices
        age, t0, begins = max(own.now - self.clock, 0.0), device.drift_start, device.relaxation_times[0]
        found = device.drifts and waited > STEP * (age + t0 / own.heat.hurry)
        found = found or (device.flickers and waited > STEP * (age + t0))
        if not device.relaxes or found:
            return found
        return (own.mixed or own.now + waited - own.since > begins) and waited > STEP * (age + begins)

    def stands_alone(self, rows: int, single: Array | None, several: bool) -> bool:
        """Tell whether a product of so many rows has noise that lasts, and that no other product has.

        They are not the samples of a batch: single columns, also where they are as many, and tokens of a held input.
        What lasts counts where there are ``several`` reads, repeats or digits of a code: of one it is white.
        """
        if not self.noise.active:
            return False
        as_many = rows == self.time.samples
        return (several or as_many) if single is not None else several and self.layout.hold_input and not as_many

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let the reads of one product inside share the noise that lasts longer than it, and nothing before or behind.
        """
        kept = self.carried, self.by_device
        self.carried = Carried(self.noise, self.dtype, alone=True)
        self.by_device = DeviceNoise(self.noise, self.traps, alone=True)
        try:
            yield
        finally:
            self.carried, self.by_device = kept

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let time pass inside, and be as old as before afterwards, with the same noise."""
        kept = self.planes, self.compensation, self.devices.now, self.built, self.wrote_at, self._metrics
        with self.noise.aside(), self.carried.aside(), self.by_device.aside(), self.traps.aside():
            try:
                yield
            finally:
                self.planes, self.compensation, self.devices.now, self.built, self.wrote_at, self._metrics = kept

    @contextmanager
    def later(self, seconds: float) -> Iterator[None]:
        """Read so much later inside, and go on outside as if nothing had been; nothing may be written inside.

        Where wires keep an attenuation, ``wires.refresh_every``, it is the one of the last refresh.
        """
        before, looking = self.ahead, self._looking
        with StoredWeights.aside(self):
            self._looking = True
            try:
                if seconds != before:
                    self._look(seconds, solve=self.devices.wired and not self.tiles.kept)
                yield
            finally:
                self.ahead, self._looking = before, looking
                self._fade()

    def _check_programmed(self) -> None:
        if not self.programmings:
            raise ChipError(f"{self.name}: nothing is programmed yet")

    def _check_writable(self) -> None:
        if self._looking:
            raise ChipError(f"{self.name}: nothing can be written while the devices are read later than now")

    def _build(self, solve: bool, now: float | None = None) -> None:
        again = now is not None
        if now is None:
            now, self.built = self.clock + self.ahead + self._passed, self.time.batches
        self.devices.now = now
        self._fade()
        self.noise.move(self.devices.now - self.devices.since, again)
        self._move_traps()
        self._forget_matrices()
        self.tiles.allot()
        self.planes, ratio = self.tiles.planes(self._held, self._fresh, self.programmings, solve, self.run)
        self.compensation = ratio if self.device.drift_compensation else 1.0

    def _forget_matrices(self) -> None:
        """Let go of the matrices of products, ahead of others."""
        self.planes, self._metrics = [], {}

    def _move_traps(self) -> None:
        """Let traps go on to the moment of the reads, and sort them by the durations of the chip."""
        if self.traps.acts and self.time.passes:
            self.traps.move(self.devices.now, SLOW * self.noise.edge, self.time.interval / FAST)

    def trapped(self, way: str, k: int, lines: tuple[int, int]) -> Strengths | None:
        """Return what traps add to the noise of a slice in a direction, driven on these lines, and what is left of it.

        None where all of it has the times of the read noise. ``reference`` is of the reference lines of the forward
        one, whose traps are white.
        """
        own, plane = slice(*lines), self.planes[k]
        if plane.variance is None or not self.traps.acts:
            return None
        if way == "reference":
            return self._beside_references(plane, k, own)
        whole = _sum_over(plane.variance, way, own)
        taus, found = self.traps.binned(k, way, self.devices.unit, lines)
        fresh = self.traps.total(k, way, self.devices.unit, lines)
        whole = np.maximum(whole, 1e-30)
        return Strengths(tuple(range(100, 100 + len(taus))), taus, found / whole, np.maximum(1 - fresh / whole, 0))

    def _beside_references(self, plane: Plane, k: int, lines: slice) -> Strengths | None:
        """Return which share of the noise of every tile's reference lines has the times of the read noise."""
        if plane.reference is None:
            return None
        own, unit = self.devices, self.devices.unit
        fresh = self.traps.variances[k, 0][own.shape[0] :]
        counts = np.array([[b - a] for a, b in own.reference_lines])
        summed = (own.averaged(fresh) / counts * unit**2)[:, lines].sum(1)
        whole = np.maximum(plane.reference[:, lines].sum(1, dtype=np.float64), 1e-30)
        return Strengths((), np.zeros(0), np.zeros((0, len(whole))), np.maximum(1 - summed / whole, 0))

    @property
    def stored(self) -> Array:
        """Normalised weights (out, in) as programming left them.

        Where weights change in memory it is the array itself, to be changed in place and followed by
        :meth:`refresh`; otherwise a copy. A pair is then kept as its difference, one of its devices at g_min.
        """
        if self.in_memory:
            return self._held
        if self.ideal:
            return self._held / self.dtype.type(self.weight_range)
        if self._fresh and (self.devices.writes or self.devices.slices > 1):
            return self.devices.realised(self._held, self.programmings, self.run)
        return self._held.copy()

    def weights(self) -> Array:
        """Return the mean effective weights (out, in): what products have as their mean without converters.

        Raises
        ------
        ChipError
            If nothing is programmed yet.
        """
        self._check_programmed()
        if self.ideal:
            return self._held.copy()
        total = np.zeros(self.shape, dtype=self.dtype)
        for plane in self.planes:
            total += plane.mean * self.dtype.type(self.factor(plane))
        return total

    def weights_of(self, columns: slice | Array) -> Array:
        """Return the mean effective weights of some inputs, (out, columns), a new array; see :meth:`weights`."""
        self._check_programmed()
        if self.ideal:
            return np.array(self._held[:, columns])
        first, *others = self.planes
        total = np.multiply(first.mean[:, columns], self.dtype.type(self.factor(first)))
        for plane in others:
            total += plane.mean[:, columns] * self.dtype.type(self.factor(plane))
        return np.asarray(total)

    def conductances(self) -> tuple[Array, Array]:
        """Return (G+, G-), or (G, its reference), as they conduct now, without wires [uS]; (slices, out, in) each.

        Raises
        ------
        ChipError
            If nothing is programmed yet.
        """
        self._check_programmed()
        held = self.stored if self.ideal else self._held
        return self.devices.conductances(held, self._fresh, self.programmings)

    def device_lines(self) -> dict[tuple[int, int], Array]:
        """Return what all devices conduct now by slice and side, without wires [uS], (lines, in) each.

        Lines are the outputs, and behind them the reference lines of all column tiles.
        """
        self._check_programmed()
        own, held = self.devices, self.stored if self.ideal else self._held
        now = self._fresh, self.programmings
        found = {where: g for where, _, _, g in own.lines(held, 0, *now)}
        if own.references:
            blank = np.zeros((own.references, self.shape[1]), dtype=self.dtype)
            for where, _, _, g in own.lines(blank, self.shape[0], *now):
                found[where] = np.concatenate([found[where], g])
        return found

    def loads(self) -> Loads:
        """Return the sums of conductances of all lines [uS], computed once for every building of the matrices."""
        if self._loads is None or self._loads[0] is not self.planes:
            held = self.stored if self.ideal else self._held
            self._loads = self.planes, loads(self.devices, held, self._fresh, self.programmings)
        return self._loads[1]

    def line_heat(self) -> LineHeat | None:
        """Return the thermal noise of all lines, computed once for every building of the matrices; None without."""
        if not self.devices.heat.noise:
            return None
        if self._heat is None or self._heat[0] is not self.planes:
            self._heat = self.planes, line_heat(self.devices, self._held, self._fresh, self.programmings)
        return self._heat[1]

    def metric(self, way: str, k: int, plane: Plane) -> Array:
        """Return the variance of the devices of every driven line of a slice, the mean over the sensed lines.

        ``way`` is a direction, or ``reference`` for the reference lines of the forward one; ``taken`` is of those of
        every tile of the transposed one, which are driven as if they were one line.
        """
        variance = plane.variance if way in ("forward", "transposed") else plane.reference
        if variance is None and way == "taken":
            return np.array([1 / (last - first) for first, last in self.devices.reference_lines], dtype=self.dtype)
        if variance is None:
            return np.ones(self.shape[way != "transposed"], dtype=self.dtype)
        if (way, k) not in self._metrics:
            self._metrics[way, k] = variance.mean(axis=1 if way in ("transposed", "taken") else 0)
        return self._metrics[way, k]

    def factor(self, plane: Plane) -> float:
        """Return what turns currents of a slice into weight units."""
        return self.weight_range * self.compensation * plane.factor

    def _count_writes(self, devices: int) -> None:
        """Count that devices are written."""

    def _stored_state(self) -> dict[str, Array]:
        """Return what devices and wires keep, copied."""
        at = self.devices.written_at
        written = {} if at is None else {"written": (at if len(at) > 1 else at[0]).copy()}
        found = {
            "held": self._held.copy(),
            "weight_range": np.array(self.weight_range),
            "times": np.array([self.clock, self.devices.since]),
            "keys": np.array([self.devices.keys[what] for what in PROGRAMMING]),
        }
        if self.devices.last is not None:
            found |= dict(self.devices.last.state())
        if self.device.leak:
            found["remaining"] = np.array(self.devices.remaining)
        if self.retains is not None:
            times = [self.retains.since] + ([self.retains.began] if self.devices.references else [])
            found["left_at"] = np.array(times).reshape(() if len(times) == 1 else (2,))
        if self.cells is not None:
            found |= self.cells.state()
        if self.device.disturb and not self.in_memory:
            found["felt"] = np.zeros_like(self._held) if self.devices.felt is None else self.devices.felt.copy()
        return found | written | {name: values.copy() for name, values in self.tiles.kept.items()}

    def _load_stored(self, state: Mapping[str, Array], weight: Array | None) -> None:
        """Take over what devices and wires keep, and build the matrices."""
        self._forget_matrices()
        self.weight_range = float(state["weight_range"])
        self.clock, self.devices.since = (float(t) for t in state["times"])
        if self.devices.last is not None:
            self.devices.last.load(state)
        if self.device.leak:
            self.devices.remaining = float(state["remaining"])
        if "felt" in state:
            self.devices.felt = np.array(state["felt"], dtype=self.dtype)
        if self.devices.written_at is not None:
            self.devices.written_at[:] = state["written"]
            self.devices.mixed = bool((self.devices.written_at != self.devices.since).any())
        self.devices.settled.forget()
        self.devices.keys |= dict(zip(PROGRAMMING, np.array(state["keys"], dtype=np.uint32), strict=True))
        if "held" in state:
            self._held[:] = state["held"]
        elif weight is not None:
            self._hold(weight)
        if self.retains is not None:
            self.retains.since, *began = np.atleast_1d(state["left_at"]).tolist()
            self.retains.began = began[0] if began else self.retains.since
        if self.cells is not None:
            self.cells.load(state)
        self._see()
        if self.programmings and not self.ideal:
            self.tiles.allot()
            self.tiles.networks.clear()  # solutions of what was there before
            for name, values in self.tiles.kept.items():
                values[:] = state[name]
            timed = self.time.passes and self.built >= 0 and not self.ahead  # as old as in the state, unless read later
            self._build(self.devices.wired and not self.tiles.kept, self.devices.now if timed else None)

    def _check(self, state: Mapping[str, Array], weight: Array | None) -> None:
        """Refuse a state that devices cannot hold, before anything is taken over."""
        full, programmed = float(state["weight_range"]), int(state["counts"][0]) > 0
        if (programmed or not np.isnan(full)) and not 0 < full <= self._most:
            raise ChipError(f"{self.name}: the weight range is {full:g}: allowed are positive finite numbers")
        if "held" in state:
            self._largest("held weights", np.asarray(state["held"]))
        elif weight is not None:
            self._largest("weights", np.asarray(weight))
        for name in state:
            if name.partition(".")[0] in ("share", "beside", "cell") and not np.isfinite(state[name]).all():
                what = "the state of its cells" if name.startswith("cell") else "what wires leave of a device"
                raise ChipError(f"{self.name}: '{name}', {what}, is not finite")


def _sum_over(variance: Array, way: str, lines: slice) -> Array:
    """Return the sums of variances (out, in) over the driven lines of a direction."""
    part = variance[:, lines].sum(1) if way == "forward" else variance[lines].sum(0)
    return part.astype(np.float64)


def most(tiles: list[tuple[int, int]]) -> int:
    """Return the lines of the largest tile."""
    return max((b - a for a, b in tiles), default=0)


def check_name(name: object) -> None:
    """Refuse what is no name: it is part of the key of every draw, where a number means something else."""
    if not isinstance(name, str):
        raise ChipError(f"name is {shown(name)}: should be the name of the array, a text")


def _check_dtype(name: str, dtype: object) -> None:
    """Refuse what is neither single nor double precision; None would be double."""
    try:
        known = dtype is not None and np.dtype(dtype) in DTYPES  # type: ignore[call-overload]
    except TypeError:
        known = False
    if not known:
        raise ChipError(f"{name}: dtype = {shown(dtype)}: allowed are {' and '.join(map(str, DTYPES))}")


def _shape(name: str, shape: tuple[int, int]) -> tuple[int, int]:
    """Return a shape as two whole numbers from 0; an empty matrix is one."""
    try:
        outputs, inputs = map(operator.index, shape)
        if any(isinstance(size, bool) for size in shape):
            outputs = inputs = -1
    except (TypeError, ValueError):
        outputs = inputs = -1
    if min(outputs, inputs) < 0:
        raise ChipError(f"{name}: shape = {shown(shape)}: should be (out, in), two whole numbers from 0")
    return outputs, inputs
