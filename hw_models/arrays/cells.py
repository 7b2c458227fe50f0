# Tested by tests/hw_models/arrays/test_cells.py.
"""The devices of every weight of an array that learns by pulses: one, one beside its reference, or a pair.

States s of devices and weights w are shares of the weight range; what products read is w.

==============  =================================================================  =====================
cell            what pulses do                                                     weight
==============  =================================================================  =====================
single          pulses move s                                                      w = s
with reference  pulses move s; r is a device of its own that none moves            w = s - r
one-sided pair  pulses up raise s+, pulses down raise s-: both only grow           w = s+ - s-
bidirectional   a pulse up raises s+ and lowers s-, a pulse down the other way     w = s+ - s-
==============  =================================================================  =====================

The conductances of pairs and of references are those of their two devices, g_min + s span and g_zero + s reach. None is
below 0: neither write noise nor the error of a reference takes what a device shows below the state of 0 uS. Every
device has a response, bounds and draws of its own; lines fire once for both of a pair, and alike for the arrays of both
paths, where the transposed one has devices of its own: these get the same pulses, and answer each in its own way. A
bidirectional pair moves by two steps for each pulse, so half as many are asked for
(:attr:`hw_models.chip.Device.granule`). As programming leaves one of its devices at g_min, where pulses down end, a
weight that grows from there moves by one step, half of what was asked for, and one that shrinks by two.

**Write noise**: pulses move a state that stays hidden, and what is read is s + write_noise dw_min xi, with xi drawn
anew whenever the device gets a pulse, or is programmed or reset. Who got one is known of trains that are played, and of
steps that stand for so many pulses that one fell for sure (:mod:`hw_models.arrays.stepping`).

**Reference**: r = r_0 + mean + spread z, z of the device, with r_0 its symmetry point, or 0
(:mod:`hw_models.arrays.references`). Zero-shifting gives N pairs of a pulse up and one down to every device, which then
rests at its symmetry point, and programs r to what is read of that, write noise of the last pulse in: the state behind
it stays hidden here as well.

**Pulses of every device** are counted where ``device.endurance`` says how many it takes, those of expected steps as
well. Devices that are written anew get as many as their way takes in steps of dw_min, one at least; those of the first
programming are not counted. Inputs of a tile are written in turn, each for as many slots as its neediest devices take
up and down.

Sources: one-sided pairs: OneSidedUnitCell of aihwkit 1.2, Nandakumar et al., Front. Neurosci. 14:406, 2020; write noise
and references: SoftBoundsReferenceDevice of aihwkit, after Gong, Rasch et al., IEDM 2022; zero-shifting: Kim et al.,
arXiv:1907.10228, 2019.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hw_models.arrays.bursts import Bursts
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.pulses import PulsedDevices, Tiles
from hw_models.arrays.references import References
from hw_models.arrays.refresh import Refresh, Taken
from hw_models.arrays.trains import Term
from hw_models.chip import Device, Update
from hw_models.errors import ChipError
from hw_models.kernels import pulses as pulse_kernels, random as randomness
from hw_models.kernels.blocks import Run
from hw_models.laws.mapping import zero_and_reach
from hw_models.tally import OTHER_PATH, Tally
from hw_models.wear import Wear

Array = np.ndarray
START = "cell."
"""Of the names under which a crossbar keeps the state of its cells."""
SIDES = ("", " minus")
"""What follows the array's name in those of its devices."""


class Made(NamedTuple):
    """What cells are made with."""

    device: Device
    seed: int
    run: Run
    """Runs blocks of work."""
    tally: Tally
    """Of pulses."""
    rests: bool = False
    """Whether what is read of the devices is how far they are from where they come to rest."""


class DeviceCells:
    """The cells of one crossbar; see the module.

    Parameters
    ----------
    crossbar : Crossbar
        Programmed; it keeps these cells from then on, and their state among its own.
    made : Made
        Device, seed, threads, tally of pulses.

    Attributes
    ----------
    sides : list of PulsedDevices
        Those that take pulses, G+ first.
    states : list of numpy.ndarray
        (out, in) of each; none where the weight is the state.
    reference : numpy.ndarray or None
        (out, in) r.
    pulses : numpy.ndarray or None
        (sides, out, in) pulses that every device has got, float64, where they are counted.
    counts : numpy.ndarray
        Writes that drew noise, updates, refreshed pairs, devices reset.
    taken : Taken
        What a refresh took beside the pulses of the last update.
    writing : int
        Slots that the last programming took, one behind the other, beside those of the first.
    """

    def __init__(self, crossbar: Crossbar, made: Made) -> None:
        self.crossbar, self.device, self.pulse, self.cell = crossbar, made.device, made.device.pulse, made.device.cell
        self.seed, self.name, self.shape, self.dtype = made.seed, crossbar.name, crossbar.shape, crossbar.dtype
        self.tally, self.taken = made.tally, Taken()
        self.referred, one_way = crossbar.layout.reference == "device", self.cell.kind == "one_sided"
        noisy = self.pulse.write_noise > 0
        limits = crossbar.devices.state_bounds() if self.cell.paired else [crossbar.devices.weight_bounds()]
        self.sides = []
        lines = self.name.removesuffix(OTHER_PATH) if crossbar.second else self.name  # both paths see one train
        for name, bounds in zip(SIDES, limits, strict=False):
            tally = Tally(made.tally.now) if name else made.tally
            given = (self.pulse, self.shape, made.seed, f"{self.name}{name}", made.run, str(self.dtype), bounds, tally)
            self.sides.append(PulsedDevices(*given, lines=lines, one_way=one_way, tells=noisy))
        kept = self.cell.paired or self.referred or noisy
        self.states = [np.zeros(self.shape, self.dtype) for _ in self.sides] if kept else []
        self.offsets = [np.zeros(self.shape, self.dtype) for _ in self.sides] if noisy else []
        self.least = self._least()
        self.references = References(self, made.rests) if self.referred else None
        self.reference = None if self.references is None else self.references.states
        self.shown = np.zeros(self.shape, self.dtype) if self.cell.paired else self.reference
        counted = self.device.endurance is not None
        self.pulses = np.zeros((len(self.sides), *self.shape)) if counted else None
        for side in self.sides if counted or noisy else ():
            side.given = np.zeros(self.shape, np.float32)
        self._left, self.writing = list[Array](), 0
        self.counts = np.zeros(4, np.int64)
        self.refreshing = Refresh(self) if self.cell.refresh_every is not None else None
        crossbar.cells = self
        self.programmed()

    @property
    def devices(self) -> pulse_kernels.DeviceSteps:
        """Steps, bounds and slopes of those devices of a cell that take pulses up."""
        return self.sides[0].devices

    @property
    def stepped(self) -> int:
        """How often a device was moved by an expected step."""
        return sum(side.stepped for side in self.sides)

    @stepped.setter
    def stepped(self, number: int) -> None:
        for side in self.sides:
            side.stepped = number

    @property
    def played(self) -> int:
        """How often a device played its pulses instead."""
        return sum(side.played for side in self.sides)

    @played.setter
    def played(self, number: int) -> None:
        for side in self.sides:
            side.played = number

    def _least(self) -> float:
        """Return the state in which a device conducts nothing; a single one of a pair shows 0 there and its sign."""
        bar = self.crossbar.layout
        if self.cell.paired:
            return -self.device.g_min / (self.device.g_max - self.device.g_min)
        if bar.mapping == "differential":
            return -np.inf
        middle, reach = zero_and_reach(self.device, bar.zero)
        return -middle / reach

    def programmed(self) -> None:
        """Take over the weights that the crossbar was programmed with, within what the devices can hold."""
        weights = self.crossbar.stored
        if not self.states:
            self.sides[0].cut(weights)
            self._written([weights])
            return
        wanted = [np.maximum(weights, 0), np.maximum(-weights, 0)] if self.cell.paired else [weights]
        for side, state, value in zip(self.sides, self.states, wanted, strict=True):
            state[:] = value if self.reference is None else value + self.reference
            side.cut(state)
        if self.references is not None and self.cell.reference_rounds > 1:
            self.references.again(wanted[0].copy(), self.states[0])
        self._written(self.states)
        self._draw_offsets([np.ones(self.shape, bool)] * len(self.sides))
        self._show(weights)

    def leaves(self) -> None:
        """Note the states that a programming is to leave."""
        self._left = [state.copy() for state in self.states or [self.crossbar.stored]]

    def _written(self, states: Sequence[Array]) -> None:
        """Count what it takes to write devices anew, from the states they had: see the module."""
        self.writing, tiles = 0, self.crossbar.devices
        for number, (before, after) in enumerate(zip(self._left, states, strict=False)):
            way = np.rint((after - before) / self.pulse.dw_min)
            if self.pulses is not None:
                self.pulses[number] += np.maximum(np.abs(way), 1)
            for (i, j), (a, b) in itertools.product(tiles.column_tiles, tiles.row_tiles):
                up, down = (np.maximum(sign * way[i:j, a:b], 0).max(axis=0, initial=0) for sign in (1, -1))
                self.writing = max(self.writing, int(np.maximum(up + down, 1).sum()))
        self._left = []

    def _draw_offsets(self, touched: Sequence[Array]) -> None:
        """Draw write noise of the devices that were written."""
        if not self.offsets:
            return
        size = self.dtype.type(self.pulse.write_noise * self.pulse.dw_min)
        for name, offset, which in zip(SIDES, self.offsets, touched, strict=False):
            key = randomness.key(self.seed, "pulse", f"{self.name}{name}", "write noise")
            for first, last in _runs(np.any(which, axis=1)):
                shape = (last - first, self.shape[1])
                z = randomness.normals(key, int(self.counts[0]), 0, shape, first).astype(self.dtype, copy=False)
                np.copyto(offset[first:last], size * z, where=which[first:last])
        self.counts[0] += 1

    def read(self) -> list[Array]:
        """Return what is read of the states: their write noise in; arrays of their own where there is any."""
        if not self.offsets:
            return self.states
        return [np.maximum(s + o, self.dtype.type(self.least)) for s, o in zip(self.states, self.offsets, strict=True)]

    def _show(self, weights: Array) -> None:
        """Write what is read of the states into the weights, in place."""
        read = self.read()
        if self.cell.paired and self.shown is not None:
            self.shown[:] = read[1]
        if self.shown is None:
            weights[:] = read[0]
        else:
            np.subtract(read[0], self.shown, out=weights)
        self.crossbar.devices.beside = self.shown

    def update(self, weights: Array, terms: Sequence[Term], rate: float, update: Update, step: int) -> int:
        """Change the weights by pulse trains; see :meth:`PulsedDevices.update`."""
        if not self.states:
            given = self.sides[0].update(weights, terms, rate, update, step)
            self._count()
            return given
        share = rate / 2 if self.cell.kind == "bidirectional" else rate
        given = 0
        for side, state, way in zip(self.sides, self.states, (1.0, -1.0), strict=False):
            given += side.update(state, terms, way * share, update, step)
        self._given(weights)
        return given

    @property
    def slots(self) -> int:
        """Slots that the last change took, both devices of a pair side by side."""
        return max(side.slots for side in self.sides)

    def release(self, weights: Array, net: Array, step: int) -> int:
        """Give every weight net pulses, down where negative, which gates let pass side by side."""
        return self.apply(weights, np.maximum(net, 0), np.maximum(-net, 0), step, None, "net counts", True)

    def apply(
        self,
        weights: Array,
        up: Array,
        down: Array,
        step: int,
        tiles: Tiles | None = None,
        purpose: str = "granules",
        gated: bool = False,
    ) -> int:
        """Give every weight so many pulses up and down; see :meth:`PulsedDevices.apply`."""
        how = (step, tiles, purpose, gated)
        if not self.states:
            given = self.sides[0].apply(weights, up, down, *how)
            self._count()
            return given
        given = 0
        for side, state, (more, less) in zip(self.sides, self.states, ((up, down), (down, up)), strict=False):
            given += side.apply(state, more, less, *how)
        self._beyond_first()
        self._given(weights)
        return given

    def give(self, weights: Array, bursts: Bursts, step: int, tiles: Tiles | None = None) -> int:
        """Give weights of some columns whole numbers of pulses, each one way; see :meth:`PulsedDevices.give`."""
        if not self.states:
            given = self.sides[0].give(weights, bursts, step, tiles)
            self._count()
            return given
        given = 0
        for side, state, own in zip(self.sides, self.states, (bursts, bursts.turned()), strict=False):
            given += side.give(state, own, step, tiles)
        self._beyond_first()
        self._given(weights)
        return given

    def _beyond_first(self) -> None:
        """Write down the slots that the second devices took longer: those of the first are written down."""
        if (beyond := self.slots - self.sides[0].slots) > 0:
            self.tally.add(self.name, "slot", beyond, self.shape)

    def _given(self, weights: Array) -> None:
        """Count pulses, draw write noise of who got some, and show the weights."""
        touched = self._count()
        self._draw_offsets(touched)
        self._show(weights)
        self._join()

    def _count(self) -> list[Array]:
        """Add the pulses given since the last time to those of every device; return who got some."""
        found = []
        for number, side in enumerate(self.sides):
            if side.given is None:
                continue
            if self.pulses is not None:
                self.pulses[number] += side.given
            if self.offsets:
                found.append(side.given > 0)
            side.given.fill(0)
        return found

    def _join(self) -> None:
        """Write down the pulses of the second devices, whose lines fire when those of the first do."""
        for side in self.sides[1:]:
            for done, number in side.tally.rows():
                if done.operation != "slot":
                    self.tally.add(self.name, done.operation, number, done.shape, done.bits, done.phase)
            side.tally.clear()

    def leak(self, shares: Sequence[float | Array]) -> None:
        """Let the first and the second devices lose shares of what they conduct above g_min; weights show it at once.
        """
        if self.cell.paired:
            for side, state, share in zip(self.sides, self.states, shares, strict=True):
                state -= state * share
                if side.stuck is not None:
                    side.stuck.hold(state)
        else:
            low = self.crossbar.lowest
            self.states[0] += (low - self.states[0]) * shares[0]
            if self.sides[0].stuck is not None:
                self.sides[0].stuck.hold(self.states[0])
            if self.reference is not None:
                self.reference += (low - self.reference) * shares[1]
        self._show(self.crossbar.stored)

    def lasting(self, kept: Sequence[Array]) -> list[Array]:
        """Return what the devices of each side keep where first and second ones keep so much; stuck ones keep all."""
        found = list(kept[: 2 if self.shown is not None else 1])
        for number, side in enumerate(self.sides):
            if side.stuck is not None:
                found[number] = np.broadcast_to(found[number], self.shape).copy()
                found[number][side.stuck.where] = 1
        return found

    def disturbed(self, felt: Array) -> None:
        """Let devices move by what the writes of others do to them, of a pair the side that grows.

        A device that no pulse moves feels none of others either. What is felt is no write, of which drift begins anew.
        """
        with self.crossbar.unwritten():
            self._feel(felt)

    def _feel(self, felt: Array) -> None:
        if not self.states:
            self.crossbar.stored[:] += felt * self.sides[0].responsive
            self.sides[0].cut(self.crossbar.stored)
            return
        moves = [np.maximum(felt, 0), np.maximum(-felt, 0)] if self.cell.paired else [felt]
        for side, state, move in zip(self.sides, self.states, moves, strict=True):
            state += move * side.responsive
            side.cut(state)
        self._show(self.crossbar.stored)

    def hold(self) -> None:
        """Put back the weights of devices that are stuck, where weights are the states."""
        stuck = self.sides[0].stuck
        if stuck is not None:
            stuck.hold(self.crossbar.stored)

    def updated(self, first: bool = True) -> None:
        """End pulses of this array: refresh pairs if it is time to, behind the first pulses of an update alone."""
        self.taken, due = Taken(), self.due
        if not first:
            return
        self.counts[1] += 1
        if self.refreshing is not None and due:
            self.taken = self.refreshing.run()

    @property
    def due(self) -> bool:
        """Whether pairs are looked at behind this update."""
        every = self.cell.refresh_every
        return self.refreshing is not None and every is not None and (int(self.counts[1]) + 1) % every == 0

    def moved(self, touched: Sequence[Array]) -> None:
        """Show states that were moved from outside, with new write noise of who was written."""
        self._count()
        self._draw_offsets(touched)
        self._show(self.crossbar.stored)
        self._join()

    def zero_shift(self, pairs: int, step: int) -> None:
        """Give every device alternate pulses until it rests at its symmetry point, and program its reference to that.

        All lines fire together: 2 ``pairs`` slots, and as many pulses of every device, are counted, and a write of
        every reference device.

        Raises
        ------
        ChipError
            If the cells have no reference devices, or the number is not positive.
        """
        if self.references is None or self.reference is None:
            layout = f"crossbar.reference = '{self.crossbar.layout.reference}'"
            raise ChipError(f"{self.name}: {layout}: zero-shifting needs 'device', a reference of every weight")
        if pairs < 1:
            raise ChipError(f"{self.name}: pairs = {pairs}: zero-shifting takes 1 or more")
        self.alternate(pairs, step)
        self.references.program(self.read()[0])
        self.crossbar.tally.add(self.name, "write", self.reference.size, self.shape)
        self._show(self.crossbar.stored)

    def alternate(self, pairs: int, step: int) -> None:
        """Give every device so many times a pulse up and one down, of cells with one device that takes pulses."""
        if not self.states:
            self.sides[0].alternate(self.crossbar.stored, pairs, step)
            self._count()
            return
        self.sides[0].alternate(self.states[0], pairs, step)
        self._given(self.crossbar.stored)

    def at_bounds(self, edge: float) -> float:
        """Return the share of devices at their bounds: beyond ``edge`` of them."""
        found = []
        for number, side in enumerate(self.sides):
            state = self.states[number] if self.states else self.crossbar.stored
            own = side.devices
            found.append(float(((state >= own.high * edge) | ((state <= own.low * edge) & (own.low < 0))).mean()))
        return float(np.mean(found))

    def wear(self) -> Wear | None:
        """Return the pulses that every device got; None where they are not counted."""
        if self.pulses is None or self.device.endurance is None:
            return None
        return Wear(self.name, self.pulses, self.device.endurance)

    def state(self) -> dict[str, Array]:
        """Return what stands behind the weights, copied."""
        found = {}
        if self.states:
            found["states"] = np.stack(self.states)
        if self.offsets:
            found["offsets"] = np.stack(self.offsets)
        if self.reference is not None:
            found["reference"] = self.reference.copy()
        if self.pulses is not None:
            found["pulses"] = self.pulses.copy()
        if found or self.refreshing is not None:
            found["counts"] = self.counts.copy()
        return {f"{START}{name}": values for name, values in found.items()}

    def load(self, state: Mapping[str, Array]) -> None:
        """Take over :meth:`state`; the weights themselves are the crossbar's."""
        own = {name: state[f"{START}{name}"] for name in ("states", "offsets", "reference", "pulses", "counts")
               if f"{START}{name}" in state}  # fmt: skip
        for name, places in (("states", self.states), ("offsets", self.offsets)):
            for place, values in zip(places, own.get(name, ()), strict=False):
                place[:] = values
        if self.reference is not None and "reference" in own:
            self.reference[:] = own["reference"]
        if self.pulses is not None and "pulses" in own:
            self.pulses[:] = own["pulses"]
        if "counts" in own:
            self.counts[:] = own["counts"]
        if self.states:
            self._show(np.empty(self.shape, self.dtype))


def _runs(which: Array) -> list[tuple[int, int]]:
    """Return first and last of all runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], which, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
