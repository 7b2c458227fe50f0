"""Updates made of pulse trains, in place, on devices that move by programming pulses.

What fires together: :mod:`hw_models.arrays.trains`. With ``trains = "stochastic"`` every coincidence is played,
:mod:`hw_models.arrays.played`, the reference; with ``"expected"`` a batch is a few steps of the same mean, variance and
correlation: :mod:`hw_models.arrays.expected`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import product as every

import numpy as np

from hw_models.arrays import stepping
from hw_models.arrays.bursts import Bursts
from hw_models.arrays.coincidences import Coincidences
from hw_models.arrays.expected import ExpectedStep
from hw_models.arrays.played import PlayedDevices
from hw_models.arrays.trains import Fired, Rows, Term, Tile, fit
from hw_models.chip import Pulse, Update
from hw_models.kernels import random as randomness, turns as turn_kernels
from hw_models.kernels.blocks import Run, blocks, serial
from hw_models.tally import Tally

TRAIN_WORDS = 1 << 22
"""Most trains held at a time."""
PAIRS, ALTERNATE = 31, np.uint64(0x5555555555555555)
"""Most pairs of a pulse up and one down that are queued, and their signs."""
FIRES = np.uint64((1 << 63) - 1)
"""Slots of a train's word; the last bit is its sign."""


Tiles = tuple[Sequence[tuple[int, int]], Sequence[tuple[int, int]]]
"""First and last output and input of column tiles and row tiles."""


class PulsedDevices(PlayedDevices):
    """The devices of one weight matrix, as far as pulses go; the weights themselves belong to the caller.

    Parameters
    ----------
    pulse : Pulse
        Response.
    shape : tuple of int
        (out, in).
    seed : int
        Seed of the run.
    name : str
        Of the array: its devices and draws are its own.
    run : callable, optional
        ``run(task, parts)`` calls ``task(first, last)`` for every part and returns the results in order.
    dtype : str
        Of the weights. Factors of responses that are not affine are single precision.
    limits : tuple of numpy.ndarray, optional
        Lowest and highest weight that every device's own conductance range holds, (out, in) each.
    tally : Tally, optional
        Where to write the pulses given, slots of trains, and, where it is metered, firings of lines; default one of
        its own.
    lines : str, optional
        Name that keys the trains of lines, where other devices share them; default that of the array.
    one_way : bool
        Whether pulses down do not reach the devices.
    tells : bool
        Whether it matters who got a pulse: then steps are of devices that got one for sure.

    Attributes
    ----------
    stepped, played : int
        How often a device with pulses was moved by an expected step, and how often pulse by pulse instead.
    slots : int
        That the last change took, one behind the other: of trains all of theirs, tiles side by side.
    given : numpy.ndarray or None
        (out, in), float32: where pulses are added up for every device, if it is an array.
    """

    def __init__(
        self,
        pulse: Pulse,
        shape: tuple[int, int],
        seed: int,
        name: str,
        run: Run = serial,
        dtype: str = "float32",
        limits: tuple[np.ndarray, np.ndarray] | None = None,
        tally: Tally | None = None,
        lines: str | None = None,
        one_way: bool = False,
        tells: bool = False,
    ) -> None:
        super().__init__(pulse, shape, seed, name, run, dtype, limits, lines, one_way, tells)
        self.tally = Tally() if tally is None else tally
        self.fewest = stepping.fewest(pulse, tells)
        self.stepped = self.played = self.slots = 0

    def update(self, weights: np.ndarray, terms: Sequence[Term], rate: float, update: Update, step: int) -> int:
        """Change the weights by ``rate * sum of sign * post.T @ pre``, as far as pulses do, in place.

        Parameters
        ----------
        weights : numpy.ndarray
            (out, in), shares of the weight range.
        terms : sequence of (sign, post, pre)
            post (n, out) and pre (n, in): each pair of rows is one train on either side. Rows of one number follow
            each other in the order of the terms, so all terms have the same n.
        rate : float
            Learning rate in shares of the weight range.
        update : Update
            How trains are made and played.
        step : int
            Number of the update: it keys the draws.

        Returns
        -------
        int
            Pulses given. Rows that are not finite give none and make all weights NaN.
        """
        self._check(weights)
        self.slots, rows = 0, list[Rows]()
        for sign, post, pre in terms:
            post, pre = (np.ascontiguousarray(side, dtype=self.dtype) for side in (post, pre))
            if (post.shape[1], pre.shape[1]) != self.shape or not len(post) == len(pre) == len(terms[0][1]):
                raise ValueError(f"terms {post.shape} and {pre.shape} do not fit weights {self.shape}")
            fitted = fit((sign, post, pre), rate, self.pulse.dw_min, update)
            if fitted is None:
                weights.fill(np.nan)
                return 0
            rows.append(fitted)
        if not rows:
            return 0
        words = len(rows) * sum(self.shape)
        plays = update.trains == "expected" and self._plays(rows)
        play = self._trains if plays or update.trains == "stochastic" else self._steps
        self.played += weights.size if plays else 0
        pulses = 0
        for number, (first, last) in enumerate(blocks(len(rows[0].post), max(1, TRAIN_WORDS // words))):
            pulses += play(weights, [term.part(first, last) for term in rows], step, number)
        return self._given(pulses)

    def apply(
        self,
        weights: np.ndarray,
        up: np.ndarray,
        down: np.ndarray,
        step: int,
        tiles: Tiles | None = None,
        purpose: str = "granules",
        gated: bool = False,
    ) -> int:
        """Give every device so many pulses up and down, in place; return how many.

        Inputs of a tile are pulsed in turn, each for as many slots as its neediest device takes up, then down; tiles,
        pairs of first and last output and input, side by side. Default is one tile. ``gated`` devices let pass what
        they need of pulses that all lines carry, up, then down.

        Whole numbers (an integer dtype) are played one by one, those up first. Others count as well mixed and move by
        steps with cycle-to-cycle noise and none in the number; near a bound they are played in turns of 1/16 of them,
        up and then down. What is negative counts as none. ``step`` and ``purpose`` key the draws.
        """
        self._check(weights)
        if not up.shape == down.shape == self.shape:
            raise ValueError(f"numbers of pulses are {up.shape} and {down.shape}: {self.shape} is allowed")
        if self.one_way:
            down = np.zeros_like(down)
        if gated:
            self._gates(up, down)
        else:
            self._turns(up, down, tiles or (((0, self.shape[0]),), ((0, self.shape[1]),)))
        if not (np.issubdtype(up.dtype, np.integer) and np.issubdtype(down.dtype, np.integer)):
            return self._given(self._done(ExpectedStep(self, weights, step, 0).mixed(up, down), step, 0))

        def play(number: int, where: Tile) -> int:
            return self.play_whole(weights, where, number, key, step, up, down)

        key = randomness.key(self.seed, "pulse", self.name, purpose)
        return self._given(self._tiles(play))

    def give(
        self, weights: np.ndarray, bursts: Bursts, step: int, tiles: Tiles | None = None, purpose: str = "granules"
    ) -> int:
        """Give devices of some columns whole numbers of pulses, each one way, in place; return how many.

        They take turns as those of :meth:`apply`; what is drawn is keyed likewise.
        """
        self._check(weights)
        bursts = bursts.rising() if self.one_way else bursts
        self.slots, needed = 0, list[tuple[int, int, int, int]]()
        for rows, columns in every(*(tiles or (((0, self.shape[0]),), ((0, self.shape[1]),)))):
            needed.append((*bursts.needed(rows, columns), rows[1] - rows[0], columns[1] - columns[0]))
        self._took(max((slots for slots, *_ in needed), default=0))
        if self.tally.now.metered:
            fired = sum(slots + pulses for slots, pulses, *_ in needed)
            self._selected(fired, sum(slots * out + pulses * inputs for slots, pulses, out, inputs in needed))
        bursts.give(self, weights, randomness.key(self.seed, "pulse", self.name, purpose), step)
        return self._given(sum(pulses for _, pulses, *_ in needed))

    def alternate(self, weights: np.ndarray, pairs: int, step: int) -> int:
        """Give every device so many times a pulse up and one down, in place; return how many pulses.

        All lines fire together, in as many slots as a device gets pulses.
        """
        self._check(weights)
        self.slots = 0
        self._took(2 * pairs)
        if self.tally.now.metered:
            fired = 2 * pairs * sum(self.shape)
            self._selected(fired, 4 * pairs * self.shape[0] * self.shape[1])
        key = randomness.key(self.seed, "pulse", self.name, "alternate")

        def play(number: int, where: Tile) -> int:
            left = pairs

            def fill(waits: np.ndarray, ups: np.ndarray) -> int:
                nonlocal left
                now, left = min(left, PAIRS), left - min(left, PAIRS)
                waits[...], ups[...] = (1 << 2 * now) - 1, ALTERNATE
                return 2 * now * waits.size

            return self.play(weights, where, number, key, step, fill)

        return self._given(self._tiles(play))

    def reset(self, which: np.ndarray, tiles: Tiles) -> None:
        """Write down a pulse of every device of a mask (out, in) that puts it back, inputs of a tile in turn."""
        whole = which.astype(np.int64)
        self._turns(whole, np.zeros_like(whole), tiles)
        self._given(int(whole.sum()))

    def _turns(self, up: np.ndarray, down: np.ndarray, tiles: Tiles) -> None:
        """Write down the slots of numbers of pulses, those of the tile that takes most, and what lines select.

        In all slots of an input its line fires, and an output's as long as its device needs a pulse: each selects the
        devices that are on it in the tile.
        """
        self.slots, metered, found = 0, bool(self.tally.now.metered), list[tuple[float, float, float]]()
        whole = np.issubdtype(up.dtype, np.integer) and np.issubdtype(down.dtype, np.integer)
        for (i, j), (a, b) in every(*tiles):
            if whole:
                slots, pulses = turn_kernels.needed(up[i:j, a:b], down[i:j, a:b])
                found.append((slots, slots + pulses, slots * (j - i) + pulses * (b - a)))
                continue
            counts = [np.maximum(count[i:j, a:b], 0) for count in (up, down)]
            slots = sum(float(count.max(axis=0, initial=0).sum()) for count in counts)
            pulses = sum(float(count.sum(dtype=np.float64)) for count in counts) if metered else 0.0
            found.append((slots, slots + pulses, slots * (j - i) + pulses * (b - a)))
        finite = np.nan_to_num(np.array(found), nan=0.0, posinf=0.0)
        self._took(round(finite[:, 0].max(initial=0)))
        if metered:
            self._selected(round(finite[:, 1].sum()), round(finite[:, 2].sum()))

    def _gates(self, up: np.ndarray, down: np.ndarray) -> None:
        """Write down the slots of gated devices, and what lines select: nothing but devices that get a pulse."""
        self.slots = 0
        slots = sum(int(count.max(initial=0)) for count in (up, down))
        self._took(slots)
        if self.tally.now.metered:
            pulses = sum(int(np.maximum(count, 0).sum()) for count in (up, down))
            self._selected(slots * sum(self.shape), 2 * pulses)

    def _took(self, slots: int) -> None:
        """Write down slots, one behind the other."""
        self.slots += slots
        self.tally.add(self.name, "slot", slots, self.shape)

    def _given(self, pulses: int) -> int:
        """Write down pulses given; return them."""
        self.tally.add(self.name, "pulse", pulses, self.shape)
        return pulses

    def _fire(self, rows: list[Rows], step: int, number: int) -> Fired:
        """Return the trains of some row pairs; write down their slots and how often lines fire.

        Each line selects those of all lines across.
        """
        found = self.trains.words(rows, step, number)
        if self.tally.now.metered:
            fired, across = (int(np.bitwise_count(side & FIRES).sum()) for side in (found.post, found.pre))
            self._selected(fired + across, fired * self.shape[1] + across * self.shape[0])
        self._took(int(found.length.sum()))
        return found

    def _selected(self, fired: int, half: int) -> None:
        """Write down how often lines fire, and the devices that they select."""
        self.tally.add(self.name, "firing", fired, self.shape)
        self.tally.add(self.name, "half", half, self.shape)

    @cached_property
    def _coarse(self) -> bool:
        return stepping.mostly_coarse(self)

    def _plays(self, rows: list[Rows]) -> bool:
        """Return whether exact trains cost less than expected steps."""
        return self._coarse or (self.fewest > 0 and stepping.mean_pulses(rows) < stepping.AMPLE * self.fewest)

    def _trains(self, weights: np.ndarray, rows: list[Rows], step: int, number: int) -> int:
        """Play the trains of one chunk of row pairs, sample by sample."""
        given = self._fire(rows, step, number).played()
        key = randomness.key(self.seed, "pulse", self.name, "cycle", number)

        def play(tile: int, where: Tile) -> int:
            return self.play(weights, where, tile, key, step, Coincidences(where, given, None, self.one_way))

        return self._tiles(play)

    def _steps(self, weights: np.ndarray, rows: list[Rows], step: int, number: int) -> int:
        """Move by expected steps of one chunk of row pairs."""
        way = np.array([float(term.sign[0]) if term.one_sided else 0.0 for term in rows])
        tally = ExpectedStep(self, weights, step, number).trains(self._fire(rows, step, number), way)
        return self._done(tally, step, number)

    def _done(self, tally: tuple[float, int, int], step: int, number: int) -> int:
        """Count; return the pulses as a whole number, rounded at random, so that few a batch add up to all of them."""
        pulses, stepped, played = tally
        self.stepped, self.played = self.stepped + stepped, self.played + played
        if not np.isfinite(pulses):
            return 0
        whole = abs(pulses - round(pulses)) < 1e-3  # rounding of the sums
        draw = 0.5 if whole else randomness.generator(self.seed, "pulse", self.name, "whole", step, number).random()
        return int(np.floor(pulses + draw))
