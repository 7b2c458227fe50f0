"""Many pulses as few steps: of the same mean, variance and correlation as the trains they stand for.

How often every line fires is drawn (:mod:`hw_models.arrays.trains`). Given that, n+ and n- coincidences are expected up
and down, with hypergeometric variances v+ and v-, and a step moves a device of :mod:`hw_models.arrays.played` along

    dw/dt = N+ s+ f+(w) - N- s- f-(w) + K,  t in [0, 1],        N+- = n+- -+ (n+- - v+-)/2 d(s+- f+-)/dw
    K = (s+ s-/2) (f+' f- - f+ f-') (pairs of one up before one down, less pairs of one down before one up)
    variance = integral of e^(2 X(t)) [(s+ f+)^2 v+ + sigma+^2 n+ + (s- f-)^2 v- + sigma-^2 n-] dt

The shift of N is what a finite step adds to a flow; K is what the order of the phases in a sample adds, half the Lie
bracket of the two fields (Baker, Campbell and Hausdorff, to second order); sigma is what one pulse strays by, noise
|s f| or its wide form (:mod:`hw_models.kernels.cycle_noise`); X(t) is the flow's exponent from t to the end. Affine
responses follow the flow exactly, the others in two exponential half steps.

**Parts.** The exponent of a batch, sum of n |d(s f)/dw|, says how much of a weight it forgets. From EXPONENT on, or
from SIGNED where signs are mixed, the batch is cut into consecutive parts of samples, down to single trains in their
order, so that a pulse early in the batch is forgotten as it should be, and its line's other devices with it.

**Where a step will not do** a device plays its trains, drawn from the very counts of its lines, pulse by pulse within
the part: where it may meet a bound, which remembers the order of pulses (the drift of the part, the swing of one sample
and SIGMAS standard deviations of all the rest, noise included; soft bounds are met from behind alone, by noise that
turns a step round), where a single train has an exponent above COARSE, where a single pulse forgets more than
:data:`hw_models.kernels.cycle_noise.GRAIN`, which are devices of a few tens of states, and where few pulses fall on
devices with write noise or log-normal noise (:mod:`hw_models.arrays.stepping`). Far from bounds the end of a part is
one Gaussian: of few pulses the right mean and variance, not the right shape.

Work of a tile of m devices and n trains: four products of n m with pulses both ways, two where all go one way, and one
pass of draws and steps; five more products where bounds are near, and once more all of it where parts are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from hw_models.arrays.played import PlayedDevices
from hw_models.arrays.trains import Counts, Tile
from hw_models.kernels import (
    noise as noise_kernels,
    pulses as pulse_kernels,
    random as randomness,
    trains as train_kernels,
)
from hw_models.kernels.blocks import blocks

ROWS, COLUMNS = 256, 512
"""Most devices of one tile of a step."""
DEPTH = 512
"""Most samples of one product of counts."""
EXPONENT, SIGNED, COARSE = 0.5, 0.125, 1.0
"""Largest exponent of one part: of several trains, of several of mixed signs, and of a single train.

Within a part the order of samples does not count. Where all trains of a term go one way, samples pull alike; where
signs are mixed, a part sorted by them is off by a quarter of the square of its exponent, of the range."""
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


class Stretch(NamedTuple):
    """Trains that make one step: consecutive samples, all terms or one."""

    number: int
    samples: slice
    terms: slice


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
        self.devices, self.real = pulsed.devices, pulsed.dtype.type
        self.rows, self.columns = blocks(pulsed.shape[0], ROWS), blocks(pulsed.shape[1], COLUMNS)
        self.how = (pulsed.noise, self.real(SIGMAS), self._soft())

    def _soft(self) -> bool:
        """Return whether no pulse can carry a device to the bound ahead of it: it shrinks as the bound comes near."""
        own = self.devices
        if not self.pulsed.response.softens or self.pulsed.wide:
            return False
        share = max((own.up * own.slope_up).max(), (-own.down * own.slope_down).max())
        return bool(share * (1 + (SIGMAS + 1) * self.pulsed.pulse.noise) < 1)

    def key(self, *what: str | int) -> np.ndarray:
        """Return the key of draws of that purpose."""
        return randomness.key(self.pulsed.seed, "pulse", self.pulsed.name, "step", self.number, *what)

    def _tiles(self, task: Callable[[int, Tile], Tally]) -> Tally:
        """Return the sums of ``task(number, tile)`` over all tiles."""

        def block(first: int, last: int) -> list[Tally]:
            numbers = range(first, last)
            tiles = [(*self.rows[n // len(self.columns)], *self.columns[n % len(self.columns)]) for n in numbers]
            return [task(*pair) for pair in zip(numbers, tiles, strict=True)]

        parts = self.pulsed.run(block, blocks(len(self.rows) * len(self.columns), 1))
        pulses, stepped, played = zip(*(tally for part in parts for tally in part), strict=True)
        return sum(pulses), sum(stepped), sum(played)

    def trains(self, counts: Counts) -> Tally:
        """Move all devices by the trains whose lines fire so often."""
        return self._tiles(lambda number, where: TileStep(self, number, where).trains(counts))

    def mixed(self, up: np.ndarray, down: np.ndarray) -> Tally:
        """Move all devices by so many pulses up and down, (out, in), well mixed and without noise in their number."""
        return self._tiles(lambda number, where: TileStep(self, number, where).mixed(up, down))


def parts(samples: int, terms: int, pieces: int) -> Iterator[Stretch]:
    """Cut a batch into about so many parts of consecutive samples; beyond their number into single trains."""
    if pieces < samples or terms == 1:
        for number, (a, b) in enumerate(blocks(samples, -(-samples // min(pieces, samples)))):
            yield Stretch(number, slice(a, b), slice(0, terms))
        return
    for number in range(samples * terms):
        sample, term = divmod(number, terms)
        yield Stretch(number, slice(sample, sample + 1), slice(term, term + 1))


class Coincidences:
    """Queues the pulses of chosen devices of one tile, as :meth:`PlayedDevices.play` asks for them."""

    def __init__(
        self,
        tile: Tile,
        trains: tuple[np.ndarray, np.ndarray, np.ndarray],
        chosen: np.ndarray | None,
        one_way: bool = False,
    ) -> None:
        self.tile, self.trains, self.chosen, self.one_way = tile, trains, chosen, one_way
        self.position = np.zeros(tile[1] - tile[0], dtype=np.int64)

    def __call__(self, queue: np.ndarray, left: np.ndarray) -> int:
        """Fill empty queues; return how many pulses, 0 when all have been given."""
        while found := train_kernels.meet(*self.tile, *self.trains, self.position, queue, left):
            if self.chosen is not None:
                found = train_kernels.keep(self.chosen, queue, left)
            if self.one_way:
                found = train_kernels.rising(queue, left)
            if found:
                return int(found)
        return 0


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
        self.block = divmod(number, len(whole.columns))
        self.outputs, self.inputs, self.size = slice(first, last), slice(begin, end), (last - first, end - begin)
        self.kernels = self.pulsed.kernels
        self.args = where, (whole.weights, whole.devices, self.pulsed.law)
        self.planes = np.empty((4, *self.size), dtype=self.pulsed.dtype)
        self.exponents = np.empty(self.size, dtype=self.pulsed.dtype)
        self.near = np.empty(self.size, dtype=np.bool_)
        self.few: np.ndarray | None = None
        self.tally: Tally = (0.0, 0, 0)

    def _assess(self) -> tuple[float, int]:
        """Return the largest exponent, and how many devices may meet a bound."""
        args = (*self.args[0], self.planes, *self.args[1], self.whole.how, self.exponents, self.near)
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
        draws = np.empty(self.size, dtype=np.float32)
        noise_kernels.fill_normals(self.whole.key(part), self.whole.step, self.block[1], self.where[0], draws)
        if self.pulsed.sign:
            self._share(part, draws)
        orders = np.zeros((1, self.size[1]), dtype=self.pulsed.dtype) if orders is None else orders
        stays = self.near if some else np.zeros((1, self.size[1]), dtype=np.bool_)
        self.kernels.advance(*self.args[0], self.planes, orders, draws, stays, *self.args[1], self.pulsed.noise)

    def _share(self, part: int, draws: np.ndarray) -> None:
        """Put what devices share with others into normals, in place: their part of the numbers of coincidences.

        What is a pulse up for the one is a pulse down for the other.
        """
        pulsed, both = self.pulsed, np.empty((2, *self.size), dtype=np.float32)
        for way, normals in zip(("up", "down")[:: pulsed.sign], both, strict=True):
            key = randomness.key(pulsed.seed, "pulse", pulsed.lines, "both", way, self.whole.number, part)
            noise_kernels.fill_normals(key, self.whole.step, self.block[1], self.where[0], normals)
        self.kernels.share(*self.args[0], self.planes, both, draws, *self.args[1], pulsed.noise)

    def _count(self, pulses: float, stepped: int, played: int) -> None:
        self.tally = (self.tally[0] + pulses, self.tally[1] + stepped, self.tally[2] + played)

    def trains(self, counts: Counts) -> Tally:
        """Move the tile by trains; return pulses, devices stepped and played."""
        samples, terms = counts.length.shape
        whole = Stretch(0, slice(0, samples), slice(0, terms))
        self._product(counts, whole)
        self._count_few()
        exponent, near = self._assess()
        most = EXPONENT if counts.way.all() else SIGNED
        if exponent <= most:
            self._part(counts, whole, exponent, near)
            return self.tally
        for part in parts(samples, terms, int(np.ceil(exponent / most))):
            self._product(counts, part)
            self._part(counts, part, *self._assess())
        return self.tally

    def _product(self, counts: Counts, part: Stretch) -> None:
        """Fill the planes of mean numbers of pulses that reach the devices, and their variances."""
        self._products(counts, part)
        if self.pulsed.one_way:
            self.planes[1::2] = 0

    def _products(self, counts: Counts, part: Stretch) -> None:
        """Fill the planes of all pulses."""
        if not counts.way[part.terms].all():
            self._sum(counts, part.samples, list(range(part.terms.start, part.terms.stop)), self.planes)
            pulse_kernels.split(self.planes)
            return
        for plane, sign in ((0, 1.0), (1, -1.0)):
            terms = [t for t in range(part.terms.start, part.terms.stop) if counts.way[t] == sign]
            if terms:
                self._sum(counts, part.samples, terms, self.planes[plane::2])
            else:
                self.planes[plane::2] = 0

    def _sum(self, counts: Counts, samples: slice, terms: list[int], out: np.ndarray) -> None:
        """Write the product of what both sides give, over some samples and terms."""
        for number, (a, b) in enumerate(blocks(samples.stop - samples.start, max(1, DEPTH // len(terms)))):
            rows = slice(samples.start + a, samples.start + b)
            length = counts.length[rows, terms].reshape(-1)
            sides = []
            for values, lines, post in ((counts.post, self.outputs, True), (counts.pre, self.inputs, False)):
                given = np.ascontiguousarray(values[rows, terms, lines].reshape(len(length), -1))
                side = np.empty((len(out), *given.shape), dtype=out.dtype)
                train_kernels.planes(given, length, post, side)
                sides.append(side)
            product = np.matmul(sides[0].transpose(0, 2, 1), sides[1], out=None if number else out)
            if number:
                out += product

    def _part(self, counts: Counts, part: Stretch, exponent: float, near: int) -> None:
        """Move the tile by one part, of which the planes are filled and assessed."""
        samples, several = part.samples.stop - part.samples.start, part.terms.stop - part.terms.start > 1
        several &= not self.pulsed.one_way
        orders = self._ordered(counts, part) if several and exponent > ORDERED * samples else None
        if near > FEW * self.near.size and not self.pulsed.one_way:
            near = self._recheck(counts, part)
        near = self._near(near)
        most = 2 * EXPONENT if several else COARSE
        if exponent > most:
            self.near |= self.exponents > most
            near = int(np.count_nonzero(self.near))
        pulses = self._pulses(counts, part)
        if near:
            pulses -= float(self.planes[:2, self.near].sum(dtype=np.float64))
            pulses += self._play(counts, part)
        self._note()
        self._advance(part.number, orders, near > 0)
        self._count(pulses, self.near.size - near, near)

    def _pulses(self, counts: Counts, part: Stretch) -> float:
        """Return the pulses of a part."""
        if self.pulsed.one_way:
            return float(self.planes[:2].sum(dtype=np.float64))
        post, pre = self._pieces(counts, part)
        return float((np.abs(post).sum(2, dtype=np.float64) * np.abs(pre).sum(2, dtype=np.float64)).sum())

    def _note(self) -> None:
        """Add the pulses of devices that are stepped to those that every device got."""
        if self.pulsed.given is not None:
            self.pulsed.given[self.outputs, self.inputs] += np.where(self.near, 0, self.planes[0] + self.planes[1])

    def _pieces(self, counts: Counts, part: Stretch) -> tuple[np.ndarray, np.ndarray]:
        """Return counts of both sides, (samples, terms, lines), those of post over the length of the train."""
        length = counts.length[part.samples, part.terms]
        post = counts.post[part.samples, part.terms, self.outputs].astype(self.planes.dtype)
        post /= np.maximum(length, 1)[:, :, None]
        return post, counts.pre[part.samples, part.terms, self.inputs].astype(self.planes.dtype)

    def _ordered(self, counts: Counts, part: Stretch) -> np.ndarray:
        """Return the sum over samples of pairs of pulses up before down less those down before up.

        Of terms t before u with S signed and T all coincidences of a device, (S_t T_u - T_t S_u)/2 counts both.
        """
        (post, pre), way = self._pieces(counts, part), counts.way[part.terms]
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

    def _recheck(self, counts: Counts, part: Stretch) -> int:
        """Free devices that do not meet a bound although pulses up and down alternate; return how many are left."""
        post, pre = self._pieces(counts, part)
        squares = np.zeros(self.size, dtype=self.planes.dtype)
        for t in range(post.shape[1]):
            squares += (post[:, t] ** 2).T @ pre[:, t] ** 2
            for u in range(t + 1, post.shape[1]):
                squares += 2 * (post[:, t] * post[:, u]).T @ (pre[:, t] * pre[:, u])
        post, pre = np.abs(post, out=post), np.abs(pre, out=pre)
        swing_post = (post * pre.max(2, initial=0, keepdims=True)).sum(1).max(0, initial=0)
        swing_pre = (pre * post.max(2, initial=0, keepdims=True)).sum(1).max(0, initial=0)
        given = (self.planes, squares, swing_post, swing_pre, *self.args[1], self.whole.how, self.near)
        return int(self.kernels.recheck(*self.args[0], *given))

    def _play(self, counts: Counts, part: Stretch) -> int:
        """Play the trains of the devices that are near a bound; return how many pulses."""
        first, last, begin, end = self.where
        length = counts.length[part.samples, part.terms].reshape(-1)
        at = part.samples.start * counts.length.shape[1] + part.terms.start
        sides = (("post", counts.post, self.outputs, self.block[0]), ("pre", counts.pre, self.inputs, self.block[1]))
        trains = {}
        for side, values, lines, block in sides:
            given = np.ascontiguousarray(values[part.samples, part.terms, lines].reshape(len(length), -1))
            place = (at, self.whole.step, self.whole.number)
            trains[side] = self.pulsed.trains.scattered(side, block, given, length, *place)
        key, pulses = self.whole.key("cycle", part.number), 0
        for a, b in blocks(last - first, PLAYED):
            if self.near[a:b].any():
                both = trains["pre"], trains["post"], length
                fill = Coincidences((a, b, 0, end - begin), both, self.near[a:b], self.pulsed.one_way)
                number = (first + a) * len(self.whole.columns) + self.block[1]
                tile = (first + a, first + b, begin, end)
                pulses += self.pulsed.play(self.whole.weights, tile, number, key, self.whole.step, fill)
        return pulses

    def mixed(self, up: np.ndarray, down: np.ndarray) -> Tally:
        """Move the tile by well mixed numbers of pulses; return pulses, devices stepped and played.

        Devices near a bound play whole numbers, dealt to MIXED parts or more, in each of them those up before down.
        """
        for n, values in enumerate((up, down)):
            self.planes[n] = np.maximum(values[self.outputs, self.inputs], 0)
        self.planes[2:] = 0
        total = float(self.planes[:2].sum(dtype=np.float64))
        self._count_few()
        exponent, near = self._assess()
        near = self._near(near)
        pieces = max(1, int(np.ceil(exponent / EXPONENT)), MIXED if near else 1)
        whole = np.rint(np.nan_to_num(self.planes[:2])).astype(np.int64) * self.near
        self.planes /= pieces
        for part in range(pieces):
            if near:
                now = [np.ascontiguousarray(n * (part + 1) // pieces - n * part // pieces) for n in whole]
                key = self.whole.key("cycle", part)
                fill = partial(train_kernels.count_out, *now)
                number = self.block[0] * len(self.whole.columns) + self.block[1]
                self.pulsed.play(self.whole.weights, self.where, number, key, self.whole.step, fill)
            self._note()
            self._advance(part, None, near > 0)
        return total, self.near.size - near, near
