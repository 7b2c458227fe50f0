"""Many pulses as few steps: of the same mean, variance and correlation as the trains they stand for.

The trains are drawn as those that are played (:mod:`hw_models.arrays.trains`), and every coincidence of them is
counted: n+ up and n- down, exactly those that the same trains would play. A step moves a device of
:mod:`hw_models.arrays.played` along

    dw/dt = N+ s+ f+(w) - N- s- f-(w) + K,  t in [0, 1],        N+- = n+- -+ n+-/2 d(s+- f+-)/dw
    K = (s+ s-/2) (f+' f- - f+ f-') (pairs of one up before one down, less pairs of one down before one up)
    variance = integral of e^(2 X(t)) [sigma+^2 n+ + sigma-^2 n-] dt

The shift of N is what a finite step adds to a flow; K is what the order of the phases in a sample adds, half the Lie
bracket of the two fields (Baker, Campbell and Hausdorff, to second order), its pairs those expected given how often the
lines fire; sigma is what one pulse strays by, noise |s f| or its wide form (:mod:`hw_models.kernels.cycle_noise`); X(t)
is the flow's exponent from t to the end. Affine responses follow the flow exactly, the others in two exponential half
steps; the integral is Simpson's, over their ends.

**Parts.** The exponent of a batch, sum of n |d(s f)/dw|, says how much of a weight it forgets. From EXPONENT on, or
from SIGNED where signs are mixed, the batch is cut into consecutive parts of samples, and those again, down to single
trains in their order, so that a pulse early in the batch is forgotten as it should be, and its line's other devices
with it. Within a part of exponent X that goes both ways a step weighs all pulses alike, and spreads by a share of up to
X^2/24 too little; one way, as in any single train, it is as exact as the flow. A sample whose terms swing a device by
more than SWING is cut into its terms. Noise is that of the mean way: how it changes along a swing is left out.

**Where a step will not do** a device plays its trains pulse by pulse within the part: where it may meet a bound, which
remembers the order of pulses (the drift of the part, the swing of one sample and SIGMAS standard deviations of all the
rest, noise included; soft bounds are met from behind alone, by noise that turns a step round), where a single train has
an exponent above COARSE, where a single pulse forgets more than :data:`hw_models.kernels.cycle_noise.GRAIN`, which are
devices of a few tens of states, and where few pulses fall on devices with write noise or log-normal noise
(:mod:`hw_models.arrays.stepping`). Far from bounds the noise of a part is one Gaussian: where it is not normal, of few
pulses the right variance, not the right shape.

**Work** of a tile of m devices and trains of S slots in all: S/64 words to compare and count, and one pass of draws and
steps, in which a device without pulses costs no more than the look at its number where they are many. A tile that a
single step moves is done before the next one is begun, so that what is known of it stays in the caches. Six products
of m times the number of trains where bounds are near, and once more all of it where parts are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from hw_models.arrays.coincidences import Coincidences, Packs, packs
from hw_models.arrays.played import PlayedDevices
from hw_models.arrays.trains import Fired, Tile
from hw_models.kernels import random as randomness, trains as train_kernels
from hw_models.kernels.blocks import blocks

ROWS, COLUMNS = 64, 512
"""Most devices of one tile of a step: what is known of them stays in the second-level cache. Columns at most
:data:`hw_models.kernels.normal_pairs.MANY`."""
TILES = 4
"""Most tiles of one block of work."""
EXPONENT, SIGNED, COARSE = 0.5, 0.125, 1.0
"""Largest exponent of one part: of several trains, of several of mixed signs, and of a single train.

Within a part the order of samples does not count. Where all trains of a term go one way, samples pull alike; where
signs are mixed, a part sorted by them is off by a quarter of the square of its exponent, of the range."""
UNEVEN = 1.25
"""Times the largest exponent that a part may reach, whose samples are uneven, before it is cut again."""
SWING = 0.2
"""Largest exponent of one sample of several terms in a part. Which of them comes last is forgotten least: noise of one
direction counts by a share of up to half as much more or less than that of the other."""
ORDERED = 0.01
"""Exponent of one sample from which the order of its phases counts; below, it shifts means by less than 0.3 %."""
FEW = 0.01
"""Share of devices near a bound up to which they are played without a closer look."""
PLAYED = 32
"""Most rows whose pulses are played at a time."""
MIXED = 16
"""Parts into which mixed pulses near a bound are dealt, at least."""
SIGMAS = 4.0
"""Standard deviations within which a device must stay clear of its bounds to be moved by a step."""

Tally = tuple[float, int, int]
"""Pulses, and devices that were stepped and played."""


def middle(some: slice) -> list[slice]:
    """Cut a range in two; return none of a single one."""
    at = (some.start + some.stop) // 2
    return [slice(some.start, at), slice(at, some.stop)] if at > some.start else []


class Stretch(NamedTuple):
    """Trains that make one step: consecutive samples, all terms or one."""

    number: int
    samples: slice
    terms: slice

    def pairs(self, terms: int) -> slice:
        """Return which they are of trains of so many terms, all terms of a sample behind each other."""
        return slice(self.samples.start * terms + self.terms.start, (self.samples.stop - 1) * terms + self.terms.stop)

    def halves(self) -> list[Stretch]:
        """Cut it in two, samples before terms; return none of a single train."""
        samples, terms = middle(self.samples), middle(self.terms)
        if samples:
            return [self._replace(samples=half) for half in samples]
        return [self._replace(terms=half) for half in terms]


class PulsedBatch(NamedTuple):
    """The trains of an update."""

    trains: Fired
    way: np.ndarray
    """(terms,) +1 or -1 where all pulses of a term go one way, 0 where they do not"""
    packs: Packs
    """All of them, ready to be counted."""

    @property
    def samples(self) -> int:
        return len(self.trains.length) // len(self.way)

    @property
    def whole(self) -> Stretch:
        """All trains in one step."""
        return Stretch(0, slice(0, self.samples), slice(0, len(self.way)))

    def most(self, part: Stretch) -> float:
        """Return the largest exponent that a part may have, unless it is a single train."""
        most, samples = EXPONENT if self.way.all() else SIGNED, part.samples.stop - part.samples.start
        return min(most, SWING * samples) if part.terms.stop - part.terms.start > 1 else most


class ExpectedStep:
    """One update, or one chunk of its rows.

    Parameters
    ----------
    pulsed : PlayedDevices
        The devices.
    weights : numpy.ndarray
        (out, in), changed in place.
    step, number : int
        Of the update and the chunk: they key the draws.
    """

    def __init__(self, pulsed: PlayedDevices, weights: np.ndarray, step: int, number: int) -> None:
        self.pulsed, self.weights, self.step, self.number = pulsed, weights, step, number
        self.devices = pulsed.devices
        self.rows, self.columns = blocks(pulsed.shape[0], ROWS), blocks(pulsed.shape[1], COLUMNS)
        self.how = (pulsed.noise, pulsed.dtype.type(SIGMAS), pulsed.softens(SIGMAS))

    def key(self, *what: str | int) -> np.ndarray:
        """Return the key of draws of that purpose."""
        return randomness.key(self.pulsed.seed, "pulse", self.pulsed.name, "step", self.number, *what)

    def _blocks(self, task: Callable[[tuple[int, int], int], Tally]) -> Tally:
        """Return the sums of ``task((first, last), column)`` over blocks of tile rows and columns of tiles."""
        some = blocks(len(self.rows), TILES)

        def block(first: int, last: int) -> list[Tally]:
            return [task(some[n // len(self.columns)], n % len(self.columns)) for n in range(first, last)]

        parts = self.pulsed.run(block, blocks(len(some) * len(self.columns), 1))
        return summed(tally for part in parts for tally in part)

    def _tile(self, row: int, column: int) -> TileStep:
        return TileStep(self, row * len(self.columns) + column, (*self.rows[row], *self.columns[column]))

    def trains(self, trains: Fired, way: np.ndarray) -> Tally:
        """Move all devices by these trains; ``way`` (terms,): +1 or -1 where pulses of a term all go one way, or 0."""
        batch = PulsedBatch(trains, way, packs(trains, way))
        attempts = not self.pulsed.fewest and self.pulsed.given is None and not self.pulsed.one_way

        def task(rows: tuple[int, int], column: int) -> Tally:
            tried = self._attempt(batch, rows, column) if attempts else [(-1, 0.0)] * (rows[1] - rows[0])
            found = []
            for row, (moved, reached) in zip(range(*rows), tried, strict=True):
                (first, last), (begin, end) = self.rows[row], self.columns[column]
                moves = (float(moved), (last - first) * (end - begin), 0)
                found.append(moves if moved >= 0 else self._tile(row, column).trains(batch, reached))
            return summed(found)

        return self._blocks(task)

    def _attempt(self, batch: PulsedBatch, rows: tuple[int, int], column: int) -> list[tuple[int, float]]:
        """Move those tiles that a single step can; return pulses, -1 of the others, and exponents as far as known."""
        pulsed, most = self.pulsed, batch.most(batch.whole)
        most = min(most, ORDERED * batch.samples) if len(batch.way) > 1 else most
        edges = np.array([first for first, _ in self.rows[slice(*rows)]] + [self.rows[rows[1] - 1][1]])
        begin, end = self.columns[column]
        planes, found = np.empty((2, np.diff(edges).max(), end - begin), dtype=pulsed.dtype), np.empty_like(edges[1:])
        draws = (pulsed.noisy, self.key(0), self.step, rows[0] * len(self.columns) + column)
        limits, reached = (most, len(self.columns)), np.empty(len(found))
        own = (self.weights, self.devices, pulsed.law, self.how, pulsed.noise)
        pulsed.kernels.attempt(edges, begin, end, batch.packs.words, limits, draws, *own, planes, found, reached)
        return [(int(pulses), float(exponent)) for pulses, exponent in zip(found, reached, strict=True)]

    def mixed(self, up: np.ndarray, down: np.ndarray) -> Tally:
        """Move all devices by so many pulses up and down, (out, in), well mixed and without noise in their number."""

        def task(rows: tuple[int, int], column: int) -> Tally:
            return summed(self._tile(row, column).mixed(up, down) for row in range(*rows))

        return self._blocks(task)


def summed(tallies: Iterable[Tally]) -> Tally:
    """Return their sum."""
    pulses, stepped, played = zip(*tallies, strict=True)
    return sum(pulses), sum(stepped), sum(played)


def parts(samples: int, terms: int, pieces: int) -> Iterator[Stretch]:
    """Cut a batch into about so many parts of consecutive samples; beyond their number into single trains."""
    if pieces < samples or terms == 1:
        for number, (a, b) in enumerate(blocks(samples, -(-samples // min(pieces, samples)))):
            yield Stretch(number, slice(a, b), slice(0, terms))
        return
    for number in range(samples * terms):
        sample, term = divmod(number, terms)
        yield Stretch(number, slice(sample, sample + 1), slice(term, term + 1))


class TileStep:
    """What happens on one tile.

    Parameters
    ----------
    whole : ExpectedStep
        The update.
    number : int
        Of the tile.
    where : tuple of int
        Its first row and the one after the last, its first column and the one after the last.
    """

    def __init__(self, whole: ExpectedStep, number: int, where: Tile) -> None:
        first, last, begin, end = where
        self.whole, self.pulsed, self.where = whole, whole.pulsed, where
        self.number = number
        self.outputs, self.inputs, self.size = slice(first, last), slice(begin, end), (last - first, end - begin)
        self.kernels = self.pulsed.kernels
        self.args = where, (whole.weights, whole.devices, self.pulsed.law)
        self.planes = np.empty((2, *self.size), dtype=self.pulsed.dtype)
        self.near = np.empty(self.size, dtype=np.bool_)
        self.few: np.ndarray | None = None
        self.tally: Tally = (0.0, 0, 0)

    def _assess(self, exponents: np.ndarray | None = None) -> tuple[float, int]:
        """Return the largest exponent, and how many devices may meet a bound; write the exponent of every one."""
        if exponents is None:
            exponents = np.empty((1, self.size[1]), dtype=self.pulsed.dtype)
        args = (*self.args[0], tuple(self.planes), *self.args[1], self.whole.how, exponents, self.near)
        exponent, near = self.kernels.assess(*args)
        return float(exponent), int(near)

    def _count_few(self) -> None:
        """Note the devices that get too few pulses for a step, but not none."""
        if self.pulsed.fewest:
            pulses = self.planes[0] + self.planes[1]
            self.few = (pulses > 0) & (pulses < self.pulsed.fewest)

    def _near(self, near: int) -> int:
        """Add devices of few pulses to those that are near a bound; return how many they are."""
        if self.few is None:
            return near
        self.near |= self.few
        return int(np.count_nonzero(self.near))

    def _advance(self, part: int, orders: np.ndarray | None, some: bool) -> None:
        """Move the devices by the planes, but for ``some`` that are near a bound."""
        orders = np.zeros((1, self.size[1]), dtype=self.pulsed.dtype) if orders is None else orders
        stays = self.near if some else np.zeros((1, self.size[1]), dtype=np.bool_)
        draws = (self.pulsed.noisy, self.whole.key(part), self.whole.step, self.number)
        self.kernels.advance(*self.args[0], self.planes, orders, stays, draws, *self.args[1], self.pulsed.noise)

    def _count(self, pulses: float, stepped: int, played: int) -> None:
        self.tally = (self.tally[0] + pulses, self.tally[1] + stepped, self.tally[2] + played)

    def trains(self, batch: PulsedBatch, reached: float) -> Tally:
        """Move the tile by trains; return pulses, devices stepped and played.

        ``reached``: an exponent of one of its devices, as far as one is known.
        """
        terms, whole = len(batch.way), batch.whole
        if reached <= batch.most(whole) or self.pulsed.fewest:
            pulses = self._coincide(batch.packs, self.where)
            self._count_few()
            reached, near = self._assess()
            if reached <= batch.most(whole):
                self._part(batch, whole, pulses, reached, near)
                return self.tally
        pieces = batch.samples if reached > SWING * batch.samples else int(np.ceil(reached / batch.most(whole)))
        left, number = list(parts(batch.samples, terms, pieces))[::-1], 0
        while left:
            part = left.pop()
            trains = batch.trains.part(part.pairs(terms), self.outputs, self.inputs)
            pulses = self._coincide(packs(trains, batch.way[part.terms]), (0, self.size[0], 0, self.size[1]))
            exponent, near = self._assess()
            halves = part.halves() if exponent > UNEVEN * batch.most(part) else []
            left += halves[::-1]
            if not halves:
                self._part(batch, part._replace(number=number), pulses, exponent, near)
                number += 1
        return self.tally

    def _coincide(self, given: Packs, lines: Tile) -> int:
        """Fill the planes of numbers of pulses that reach the devices; return their sum.

        ``lines``: which of the packed ones are those of the tile.
        """
        if given.mixed is not None:
            found = int(train_kernels.coincide_signed(*lines, given.mixed.pre, given.mixed.post, self.planes))
            if self.pulsed.one_way:
                self.planes[1] = 0
                found = int(self.planes[0].sum(dtype=np.float64))
            return found
        found = 0
        for plane, packed in zip(self.planes, (given.up, None if self.pulsed.one_way else given.down), strict=True):
            if packed is None:
                plane.fill(0)
            else:
                found += int(train_kernels.coincide(*lines, packed.pre[0], packed.post[0], plane))
        return found

    def _part(self, batch: PulsedBatch, part: Stretch, pulses: float, exponent: float, near: int) -> None:
        """Move the tile by one part, of which the planes are filled and assessed."""
        samples, several = part.samples.stop - part.samples.start, part.terms.stop - part.terms.start > 1
        several &= not self.pulsed.one_way
        orders = self._ordered(batch, part) if several and exponent > ORDERED * samples else None
        if near > FEW * self.near.size and not self.pulsed.one_way:
            near = self._recheck(batch, part)
        near = self._near(near)
        if exponent > COARSE:
            exponents = np.empty(self.size, dtype=self.pulsed.dtype)
            given = self.near.copy()
            self._assess(exponents)
            self.near = given | (exponents > COARSE)
            near = int(np.count_nonzero(self.near))
        if near:
            pulses -= float(self.planes[:, self.near].sum(dtype=np.float64))
            pulses += self._play(batch, part)
        self._note()
        self._advance(part.number, orders, near > 0)
        self._count(pulses, self.near.size - near, near)

    def _note(self) -> None:
        """Add the pulses of devices that are stepped to those that every device got."""
        if self.pulsed.given is not None:
            self.pulsed.given[self.outputs, self.inputs] += np.where(self.near, 0, self.planes[0] + self.planes[1])

    def _pieces(self, batch: PulsedBatch, part: Stretch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return how often lines fire, negative where they do for a negative number, (samples, terms, lines).

        Those of post over the length of the train, (samples, terms, 1), which is the third.
        """
        trains, found = batch.trains.part(part.pairs(len(batch.way)), self.outputs, self.inputs), []
        shape = (part.samples.stop - part.samples.start, part.terms.stop - part.terms.start)
        for words in (trains.post, trains.pre):
            counts = np.bitwise_count(words & train_kernels.LINES).astype(self.planes.dtype)
            np.negative(counts, out=counts, where=words >= train_kernels.SIGN)
            found.append(counts.reshape(*shape, -1))
        length = np.maximum(trains.length, 1).astype(self.planes.dtype).reshape(*shape, 1)
        return found[0] / length, found[1], length

    def _ordered(self, batch: PulsedBatch, part: Stretch) -> np.ndarray:
        """Return the sum over samples of pairs of pulses up before down less those down before up.

        Of terms t before u with S signed and T all coincidences of a device, (S_t T_u - T_t S_u)/2 counts both; their
        means given how often the lines fire.
        """
        (post, pre, _), way = self._pieces(batch, part), batch.way[part.terms]
        total = np.zeros(self.size, dtype=self.planes.dtype)
        for t in range(post.shape[1]):
            for u in range(t + 1, post.shape[1]):
                d, e, x, y = post[:, t], post[:, u], pre[:, t], pre[:, u]
                if way[t] and way[u]:  # one product, S_t = way T_t
                    if way[t] != way[u]:
                        total += (2 * way[t] * np.abs(d * e)).T @ np.abs(x * y)
                else:
                    total += (d * np.abs(e)).T @ (x * np.abs(y)) - (np.abs(d) * e).T @ (np.abs(x) * y)
        total *= self.planes.dtype.type(0.5)
        return total

    def _recheck(self, batch: PulsedBatch, part: Stretch) -> int:
        """Free devices that do not meet a bound although pulses up and down alternate; return how many are left."""
        post, pre, length = self._pieces(batch, part)
        squares = np.zeros(self.size, dtype=self.planes.dtype)
        for t in range(post.shape[1]):
            squares += (post[:, t] ** 2).T @ pre[:, t] ** 2
            d, x = np.abs(post[:, t]), np.abs(pre[:, t])
            squares += (d * (1 - d) / np.maximum(length[:, t] - 1, 1)).T @ (x * (length[:, t] - x))
            for u in range(t + 1, post.shape[1]):
                squares += 2 * (post[:, t] * post[:, u]).T @ (pre[:, t] * pre[:, u])
        post, pre = np.abs(post, out=post), np.abs(pre, out=pre)
        swing_post = (post * pre.max(2, initial=0, keepdims=True)).sum(1).max(0, initial=0)
        swing_pre = (pre * post.max(2, initial=0, keepdims=True)).sum(1).max(0, initial=0)
        given = (self.planes, squares, swing_post, swing_pre, *self.args[1], self.whole.how, self.near)
        return int(self.kernels.recheck(*self.args[0], *given))

    def _play(self, batch: PulsedBatch, part: Stretch) -> int:
        """Play the trains of the devices that are near a bound; return how many pulses."""
        first, last, begin, end = self.where
        given = batch.trains.part(part.pairs(len(batch.way)), self.outputs, self.inputs).played()
        key, pulses = self.whole.key("cycle", part.number), 0
        for a, b in blocks(last - first, PLAYED):
            if self.near[a:b].any():
                fill = Coincidences((a, b, 0, end - begin), given, self.near[a:b], self.pulsed.one_way)
                number = (first + a) * len(self.whole.columns) + self.number % len(self.whole.columns)
                tile = (first + a, first + b, begin, end)
                pulses += self.pulsed.play(self.whole.weights, tile, number, key, self.whole.step, fill)
        return pulses

    def mixed(self, up: np.ndarray, down: np.ndarray) -> Tally:
        """Move the tile by well mixed numbers of pulses; return pulses, devices stepped and played.

        Devices near a bound play whole numbers, dealt to MIXED parts or more, in each of them those up before down.
        """
        for n, values in enumerate((up, down)):
            self.planes[n] = np.maximum(values[self.outputs, self.inputs], 0)
        total = float(self.planes.sum(dtype=np.float64))
        self._count_few()
        exponent, near = self._assess()
        near = self._near(near)
        pieces = max(1, int(np.ceil(exponent / EXPONENT)), MIXED if near else 1)
        whole = np.rint(np.nan_to_num(self.planes)).astype(np.int64) * self.near
        self.planes /= pieces
        for part in range(pieces):
            if near:
                now = [np.ascontiguousarray(n * (part + 1) // pieces - n * part // pieces) for n in whole]
                key = self.whole.key("cycle", part)
                fill = partial(train_kernels.count_out, *now)
                self.pulsed.play(self.whole.weights, self.where, self.number, key, self.whole.step, fill)
            self._note()
            self._advance(part, None, near > 0)
        return total, self.near.size - near, near
