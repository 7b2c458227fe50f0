"""Devices that move by programming pulses, and updates made of pulse trains in place.

Weights w here are shares of the weight range, b+ and b- a device's own bounds. One pulse, before noise, with
s+ = dw_min (1 + min(up_down, 0)) and s- = dw_min (1 - max(up_down, 0)):

============ ============================================ ============================================
response     up                                           down
============ ============================================ ============================================
constant     w += s+                                      w -= s-
linear       w += s+ (1 - gamma+ w/b+)                    w -= s- (1 - gamma- w/b-)
soft_bounds  the same with gamma = 1                      the same with gamma = 1
exponential  w += s+ max(1 - A+ exp(gamma+ z), 0)         w -= s- max(1 - A- exp(-gamma- z), 0)
power        w += s+ ((b+ - w)/(b+ - b-))^gamma+          w -= s- ((w - b-)/(b+ - b-))^gamma-
============ ============================================ ============================================

with z = 2 a w/(b+ - b-) + b. Every step is multiplied by 1 + noise xi, xi ~ N(0, 1), then w is cut to the bounds. A
device has its own dw_min (1 + spread z), not below 0; up_down + spread z, within [-1, 1]; bounds (1 + spread z), not
below 1 % of their mean; gamma (1 + spread z).

**Trains.** Each pair of rows x (in,) and d (out,) changes W by rate d x^T: column j fires with p = min(1, A |x_j|) in
each of BL slots, row i with p = min(1, B |d_i|), a coincidence is one pulse in the direction of x_j d_i, so that the
mean change is dw_min BL p_x p_d (Gokmen and Vlasov, Front. Neurosci. 10:333, 2016). Plain: A = B = sqrt(rate/(dw_min
BL)). Management, with k = rate max|x| max|d| / dw_min: BL = min(ceil k, longest train), A and B rebalanced by
sqrt(max|d|/max|x|) and its inverse, so that both lines fire alike. A train longer than allowed clips.

**Expected step.** The same in distribution, one step per batch: with n = sum BL p and q = sum BL p^2 of the pulses up
and down, p = p_x p_d, the mean follows

    dw/dt = n+ s+ f+(w) - n- s- f-(w),  t in [0, 1],      n +- -> n - (q/2) d(step)/dw,

in two exponential half steps, exact where f is linear in w; the shift of n by q is what a finite step adds to the flow.
The variance is the number's, n - q, and the cycle-to-cycle n noise^2, both times the squared step halfway, and is
carried to the end by the flow's derivative. Pulses up and down count as well mixed, and the end is one Gaussian cut to
the bounds: a batch of few pulses per device has the right mean and variance, not the right shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hw_models import noise_kernels, pulse_kernels, randomness
from hw_models.blocks import Run, blocks, serial
from hw_models.chip import Pulse, Update

ROWS, COLUMNS = 256, 512
"""Most devices of one tile of an expected step."""
DEPTH = 512
"""Most row pairs of one product of probabilities."""
TRAIN_ROWS, TRAIN_COLUMNS = 32, 512
"""Most devices of one tile where pulses are played one by one."""
PACKED = 64
"""Most row pairs whose trains are drawn at a time."""
TRAIN_WORDS = 1 << 22
"""Most trains held at a time, in words of 8 bytes."""
FLOOR = 0.01
"""Smallest bound of a device, as a share of the mean bound."""

Term = tuple[float, np.ndarray, np.ndarray]
Tile = tuple[int, int, int, int]
"""First row and the one after the last, first column and the one after the last."""


class Rows(NamedTuple):
    """Row pairs of one term and how their lines fire."""

    post: np.ndarray
    """(n, out)"""
    pre: np.ndarray
    """(n, in)"""
    sign: np.ndarray
    """(n,) +1 or -1"""
    factor_post: np.ndarray
    """(n,) B"""
    factor_pre: np.ndarray
    """(n,) A"""
    length: np.ndarray
    """(n,) BL, 0 where nothing fires"""
    one_sided: bool
    """Whether no entry is negative, so that all pulses go one way."""

    def part(self, first: int, last: int) -> Rows:
        """Return some of the pairs."""
        arrays = (self.post, self.pre, self.sign, self.factor_post, self.factor_pre, self.length)
        post, pre, sign, factor_post, factor_pre, length = (array[first:last] for array in arrays)
        return Rows(post, pre, sign, factor_post, factor_pre, length, self.one_sided)


def fit(term: Term, rate: float, dw_min: float, update: Update) -> Rows | None:
    """Return how the lines of a term fire, or None if an entry is not finite."""
    sign, post, pre = term
    rate, sign = abs(rate * sign), 1.0 if rate * sign >= 0 else -1.0
    negative, tops = 0, []
    for rows in (post, pre):
        largest = np.zeros(len(rows), dtype=rows.dtype)
        negative += pulse_kernels.extremes(rows, rows.view(f"i{rows.itemsize}"), largest)
        tops.append(largest)
    if not (np.isfinite(tops).all() and np.isfinite(rate)):
        return None
    length, factors = np.empty(len(post), dtype=np.int64), np.empty_like(tops)
    how = (rate, dw_min, update.train_length, update.management)
    pulse_kernels.fit(tops[0], tops[1], *how, length, factors[0], factors[1])
    return Rows(post, pre, np.full_like(tops[0], sign), factors[0], factors[1], length, negative == 0)


class PulsedDevices:
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
        Of the weights. Factors of the exponential and power response are single precision in any case.
    """

    def __init__(
        self, pulse: Pulse, shape: tuple[int, int], seed: int, name: str, run: Run = serial, dtype: str = "float32"
    ) -> None:
        self.pulse, self.shape, self.seed, self.name, self.run = pulse, shape, seed, name, run
        self.dtype = np.dtype(dtype)
        kinds = {"exponential": pulse_kernels.EXPONENTIAL, "power": pulse_kernels.POWER}
        self._kind = kinds.get(pulse.response, pulse_kernels.AFFINE)
        law = (pulse.a_up, pulse.a_down, pulse.gamma_up, pulse.gamma_down, 2 * pulse.slope, pulse.offset)
        self._law = tuple(np.float32(value) for value in law)
        self._noise = self.dtype.type(pulse.noise)

    @cached_property
    def devices(self) -> pulse_kernels.Devices:
        """Steps, bounds and slopes, each (out, in), or (1, in) where all devices are alike; drawn at first use."""
        pulse, one = self.pulse, self.dtype.type(1)
        dw_min = pulse.dw_min * self._spread("dw_min", pulse.dw_min_spread, 0.0)
        tilt = np.clip(pulse.up_down + (self._spread("up_down", pulse.up_down_spread, None) - one), -1, 1)
        up, down = dw_min * (one + np.minimum(tilt, 0)), dw_min * (one - np.maximum(tilt, 0))
        high = pulse.w_max * self._spread("w_max", pulse.w_max_spread, FLOOR)
        low = pulse.w_min * self._spread("w_min", pulse.w_min_spread, FLOOR)
        gammas = {"linear": (pulse.gamma_up, pulse.gamma_down), "soft_bounds": (1.0, 1.0)}
        gamma_up, gamma_down = gammas.get(pulse.response, (0.0, 0.0))
        slopes = [np.zeros((1, self.shape[1]))] * 2
        for n, (gamma, what, bound) in enumerate(((gamma_up, "gamma_up", high), (gamma_down, "gamma_down", low))):
            if gamma:
                slopes[n] = gamma * self._spread(what, pulse.gamma_spread, None) / bound
        found = (up, down, high, low, *slopes)
        return pulse_kernels.Devices(*(np.ascontiguousarray(values, dtype=self.dtype) for values in found))

    @cached_property
    def _limit(self) -> np.floating:
        """Pulses up to which half a batch forgets little, whatever the device."""
        own = self.devices
        steepest = max(np.abs(own.up * own.slope_up).max(), np.abs(own.down * own.slope_down).max())
        return self.dtype.type(2 * pulse_kernels.NEAR / max(steepest * (1 + steepest / 2), 1e-30))

    def _spread(self, what: str, spread: float, floor: float | None) -> np.ndarray:
        """1 + spread z per device, (1, in) ones without spread."""
        if not spread:
            return np.ones((1, self.shape[1]), dtype=self.dtype)
        key = randomness.key(self.seed, "pulse", self.name, what)
        found = randomness.normals(key, 0, 0, self.shape).astype(self.dtype, copy=False)
        found *= self.dtype.type(spread)
        found += self.dtype.type(1)
        return found if floor is None else np.maximum(found, self.dtype.type(floor), out=found)

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
            Pulses given; their expected number with ``trains = "expected"``. Rows that are not finite give none and
            make all weights NaN.
        """
        self._check(weights)
        rows: list[Rows] = []
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
        return (self._expected if update.trains == "expected" else self._stochastic)(weights, rows, step)

    def apply(self, weights: np.ndarray, up: np.ndarray, down: np.ndarray, step: int) -> int:
        """Give every device so many pulses up, then so many down, in place; return how many.

        Whole numbers (an integer dtype) are played one by one; expected numbers move by one step with cycle-to-cycle
        noise and none in the number. What is negative counts as none.
        """
        self._check(weights)
        if not up.shape == down.shape == self.shape:
            raise ValueError(f"numbers of pulses are {up.shape} and {down.shape}: {self.shape} is allowed")
        if np.issubdtype(up.dtype, np.integer) and np.issubdtype(down.dtype, np.integer):

            def play(number: int, where: Tile, devices: pulse_kernels.Devices) -> int:
                first, last, begin, end = where
                inside = slice(first, last), slice(begin, end)
                more = [np.array(count[inside], dtype=np.int64, order="C") for count in (up, down)]
                fill = lambda *queue: pulse_kernels.count_out(*more, *queue)  # noqa: E731
                return self._play(weights, where, devices, number, key, step, fill)

            key = randomness.key(self.seed, "pulse", self.name, "granules")
            return self._tiles(play)

        def task(where: Tile, counts: np.ndarray) -> bool:
            first, last, begin, end = where
            for n, number in enumerate((up, down)):
                counts[n::2] = np.maximum(number[first:last, begin:end], 0)
            return False

        return self._step(weights, task, "granules", step)

    def _check(self, weights: np.ndarray) -> None:
        if weights.shape != self.shape or weights.dtype != self.dtype or not weights.flags.c_contiguous:
            raise ValueError(f"weights are {weights.dtype} {weights.shape}: {self.dtype} {self.shape} is allowed")

    def _tiles(self, play: Callable[[int, Tile, pulse_kernels.Devices], int]) -> int:
        """Return the sum of ``play(number, tile, devices)`` over all tiles on which pulses are played."""
        devices = self.devices  # drawn here, before threads ask for them
        rows, columns = blocks(self.shape[0], TRAIN_ROWS), blocks(self.shape[1], TRAIN_COLUMNS)

        def task(first: int, last: int) -> int:
            where = [(n, (*rows[n // len(columns)], *columns[n % len(columns)])) for n in range(first, last)]
            return sum(play(*tile, devices) for tile in where)

        return sum(self.run(task, blocks(len(rows) * len(columns), 1)))

    def _play(
        self,
        weights: np.ndarray,
        where: Tile,
        devices: pulse_kernels.Devices,
        number: int,
        key: np.ndarray,
        step: int,
        fill: Callable[..., int],
    ) -> int:
        """Play what ``fill(queue, left)`` queues on one tile until it queues nothing; return how many pulses.

        Draws are keyed by the number of the tile and the turn.
        """
        first, last, begin, end = where
        size = (last - first, end - begin)
        many, pulses, turn = size[0] * size[1], 0, 0
        queue, left = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.uint64)
        lists, draws = None, np.zeros(many, dtype=np.float32)
        while found := int(fill(queue, left)):
            pulses += found
            if lists is None:
                place = np.empty(many, dtype=np.int64)
                home, w, own = (np.empty(n, dtype=self.dtype) for n in (many, many, (6, many)))
                lists = (home, place, w, queue.reshape(-1), left.reshape(-1), own)
            m = pulse_kernels.take(*where, weights, devices, *lists)
            while m:
                drawn = draws[:m].reshape(1, m)
                if self.pulse.noise:
                    noise_kernels.fill_normals(key, step, turn, number, drawn)
                m = pulse_kernels.turn(m, self._kind, self._law, self._noise, drawn, *lists)
                turn += 1
            weights[first:last, begin:end] = home.reshape(size)
            queue.fill(0)
            left.fill(0)
        return pulses

    def _stochastic(self, weights: np.ndarray, rows: list[Rows], step: int) -> int:
        pairs, words = len(rows[0].post), len(rows) * sum(self.shape)
        pulses = 0
        for number, (first, last) in enumerate(blocks(pairs, max(1, TRAIN_WORDS // words))):
            chunk = [term.part(first, last) for term in rows]
            pulses += self._trains(weights, chunk, step, number)
        return pulses

    def _trains(self, weights: np.ndarray, rows: list[Rows], step: int, number: int) -> int:
        """Play the trains of one chunk of row pairs, sample by sample."""
        terms, pairs = len(rows), len(rows[0].post)
        lines = [np.zeros((terms, pairs, size), dtype=np.uint64) for size in self.shape]
        ones = np.ones(pairs, dtype=self.dtype)
        for t, term in enumerate(rows):
            self._pack("post", number, t, step, (term.post, term.factor_post, term.length, term.sign), lines[0][t])
            self._pack("pre", number, t, step, (term.pre, term.factor_pre, term.length, ones), lines[1][t])
        post, pre = (line.transpose(1, 0, 2).reshape(terms * pairs, -1) for line in lines)
        length = np.stack([term.length for term in rows], axis=1).reshape(-1)
        key = randomness.key(self.seed, "pulse", self.name, "cycle", number)

        def play(tile: int, where: Tile, devices: pulse_kernels.Devices) -> int:
            position = np.zeros(where[1] - where[0], dtype=np.int64)
            fill = lambda *queue: pulse_kernels.meet(*where, pre, post, length, position, *queue)  # noqa: E731
            return self._play(weights, where, devices, tile, key, step, fill)

        return self._tiles(play)

    def _pack(
        self, side: str, number: int, term: int, step: int, values: tuple[np.ndarray, ...], trains: np.ndarray
    ) -> None:
        """Draw the trains of one side of a term, slot by slot."""
        key = randomness.key(self.seed, "pulse", self.name, "trains", number, term, side)

        def task(first: int, last: int) -> None:
            rows, factor, length, sign = (value[first:last] for value in values)
            draws = np.empty(rows.shape, dtype=np.float32)
            for slot in range(length.max(initial=0)):
                noise_kernels.fill_uniforms(key, step, slot, first, draws)
                pulse_kernels.fire(slot, rows, factor, length, sign, draws, trains[first:last])

        self.run(task, blocks(len(trains), PACKED))

    def _expected(self, weights: np.ndarray, rows: list[Rows], step: int) -> int:
        mixed = not all(term.one_sided for term in rows)
        groups = [(slice(0, 4), rows)]
        if not mixed:
            groups = [(slice(way, 4, 2), [r for r in rows if (r.sign[:1] < 0).any() == way]) for way in (0, 1)]
        depths = blocks(len(rows[0].post), max(1, DEPTH // len(rows)))

        def task(where: Tile, counts: np.ndarray) -> bool:
            for planes, members in groups:
                out = counts[planes]
                if not members:
                    out[:] = 0
                for number, (a, b) in enumerate(depths if members else []):
                    probabilities = _probabilities([term.part(a, b) for term in members], where, out)
                    product = np.matmul(*probabilities, out=None if number else out)
                    if number:
                        out += product
            return mixed

        return self._step(weights, task, "trains", step)

    def _step(self, weights: np.ndarray, count: Callable[..., bool], what: str, step: int) -> int:
        """Move all weights tile by tile by the counts that ``count(tile, out)`` writes."""
        rows, columns = blocks(self.shape[0], ROWS), blocks(self.shape[1], COLUMNS)
        key = randomness.key(self.seed, "pulse", self.name, what, "step")
        devices, excess, limit = self.devices, self.dtype.type(1 + self.pulse.noise**2), self._limit

        def task(first: int, last: int) -> float:
            total = 0.0
            for tile in range(first, last):
                r, c = divmod(tile, len(columns))
                (a, b), (begin, end) = rows[r], columns[c]
                counts = np.empty((4, b - a, end - begin), dtype=self.dtype)
                mixed = count((a, b, begin, end), counts)
                draws = np.empty((b - a, end - begin), dtype=np.float32)
                noise_kernels.fill_normals(key, step, c, a, draws)
                how = (devices, self._law, excess, limit)
                total += pulse_kernels.expected_step(
                    a, b, begin, end, self._kind, mixed, counts, draws, weights, *how
                )
            return total

        found = sum(self.run(task, blocks(len(rows) * len(columns), 1)))
        return round(found) if np.isfinite(found) else 0


def _probabilities(rows: list[Rows], where: Tile, out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return BL p_d (planes, rows of the tile, pairs) and p_x (planes, pairs, columns): their product counts pulses.

    Planes: p and p^2, or p, signed p, p^2, signed p^2, as many as ``out`` has.
    """
    first, last, begin, end = where
    depth, planes = len(rows[0].post), len(out)
    post = np.empty((planes, depth * len(rows), last - first), dtype=out.dtype)
    pre = np.empty((planes, depth * len(rows), end - begin), dtype=out.dtype)
    ones = np.ones(depth, dtype=out.dtype)
    for n, term in enumerate(rows):
        length, at = term.length.astype(out.dtype), n * depth
        pulse_kernels.probabilities(first, last, term.post, term.factor_post, length, term.sign, at, post)
        pulse_kernels.probabilities(begin, end, term.pre, term.factor_pre, ones, ones, at, pre)
    return post.transpose(0, 2, 1), pre
