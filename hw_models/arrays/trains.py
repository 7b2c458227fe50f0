"""Pulse trains on the lines of an array: how long they are, how often a line fires, what two lines have in common.

Each pair of rows x (in,) and d (out,) is to change W by rate d x^T. Column j fires with p = min(1, A |x_j|) in each of
BL slots, row i with p = min(1, B |d_i|); a coincidence is one pulse in the direction of x_j d_i, so that the mean
change is dw_min BL p_x p_d (Gokmen and Vlasov, Front. Neurosci. 10:333, 2016). Plain: A = B = sqrt(rate/(dw_min BL)).

Management, with k = rate max|x| max|d| / dw_min: BL = min(ceil k, longest train), A and B rebalanced by
sqrt(max|d|/max|x|) and its inverse, so that both sides fire alike. Where k is beyond the longest train, ``overlong``
says what gives: "post" counts max|d| as max|d| BL/k, so that only the lines of d are cut and x keeps its direction
(aihwkit 1.2); "both" cuts either side at p = 1.

**What devices of a line have in common.** All devices of a line see its one train, so their numbers of pulses are
correlated: across a row of n devices that is most of the noise of the row's next product. Given how often the lines
fire in a train, a_i ~ Bin(BL, p_i) and b_j ~ Bin(BL, p_j), and that all slots are alike, the number of coincidences of
device (i, j) is hypergeometric,

    mean      a_i b_j / BL                                    the same sum for every device: a product of counts
    variance  a_i b_j (BL - a_i)(BL - b_j) / (BL^2 (BL - 1))   0 for BL = 1

and the numbers of two devices, given the counts, are uncorrelated, also along a line. So counts of the lines carry all
the correlation, and what is left is one number per device.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hw_models.chip import Update
from hw_models.kernels import noise as noise_kernels, random as randomness, trains as train_kernels
from hw_models.kernels.blocks import Run, blocks

PACKED = 64
"""Most rows whose trains are drawn at a time."""

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
        negative += train_kernels.extremes(rows, rows.view(f"i{rows.itemsize}"), largest)
        tops.append(largest)
    if not (np.isfinite(tops).all() and np.isfinite(rate)):
        return None
    length, factors = np.empty(len(post), dtype=np.int64), np.empty_like(tops)
    how = (rate, dw_min, update.train_length, update.management, update.overlong == "both")
    train_kernels.fit(tops[0], tops[1], *how, length, factors[0], factors[1])
    return Rows(post, pre, np.full_like(tops[0], sign), factors[0], factors[1], length, negative == 0)


class Counts(NamedTuple):
    """How often the lines fire in some trains, all terms of a sample behind each other: (samples, terms, lines)."""

    post: np.ndarray
    """(samples, terms, out), negative where the train stands for a negative number; the term's sign is in it."""
    pre: np.ndarray
    """(samples, terms, in)"""
    length: np.ndarray
    """(samples, terms) BL"""
    way: np.ndarray
    """(terms,) +1 or -1 where all pulses of a term go one way, 0 where they do not"""


class Trains:
    """Draws the trains of one array, by the number of the update and of the chunk.

    Parameters
    ----------
    seed : int
        Seed of the run.
    name : str
        Of the array.
    run : callable
        ``run(task, parts)`` calls ``task(first, last)`` for every part and returns the results in order.
    """

    def __init__(self, seed: int, name: str, run: Run) -> None:
        self.seed, self.name, self.run = seed, name, run

    def _key(self, *what: str | int) -> np.ndarray:
        return randomness.key(self.seed, "pulse", self.name, *what)

    def words(
        self, rows: list[Rows], step: int, number: int, alike: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return trains slot by slot: words of post and pre and their length, (pairs, lines) and (pairs,).

        Pairs are in the order in which they are played: all terms of a sample behind each other. The draws of all terms
        may be ``alike``, those of the first.
        """
        terms, pairs = len(rows), len(rows[0].post)
        ones = np.ones(pairs, dtype=rows[0].post.dtype)
        found = []
        for side in ("post", "pre"):
            lines = np.zeros((terms, pairs, getattr(rows[0], side).shape[1]), dtype=np.uint64)
            for t, term in enumerate(rows):
                sign = term.sign if side == "post" else ones
                values = (getattr(term, side), getattr(term, f"factor_{side}"), term.length, sign)
                key = self._key("trains", number, 0 if alike else t, side)
                self._fire(key, step, values, lines[t])
            found.append(np.ascontiguousarray(lines.transpose(1, 0, 2)).reshape(terms * pairs, -1))
        length = np.stack([term.length for term in rows], axis=1).reshape(-1)
        return found[0], found[1], length

    def _fire(self, key: np.ndarray, step: int, values: tuple[np.ndarray, ...], trains: np.ndarray) -> None:
        def task(first: int, last: int) -> None:
            rows, factor, length, sign = (value[first:last] for value in values)
            draws = np.empty(rows.shape, dtype=np.float32)
            for slot in range(length.max(initial=0)):
                noise_kernels.fill_uniforms(key, step, slot, first, draws)
                train_kernels.fire(slot, rows, factor, length, sign, draws, trains[first:last])

        self.run(task, blocks(len(trains), PACKED))

    def counts(self, rows: list[Rows], step: int, number: int) -> Counts:
        """Return how often every line fires in every train."""
        terms, pairs = len(rows), len(rows[0].post)
        ones, found = np.ones(pairs, dtype=rows[0].post.dtype), []
        for side in ("post", "pre"):
            lines = np.empty((terms, pairs, getattr(rows[0], side).shape[1]), dtype=np.float32)
            for t, term in enumerate(rows):
                sign = term.sign if side == "post" else ones
                values = (getattr(term, side), getattr(term, f"factor_{side}"), term.length, sign)
                self._count(self._key("counts", number, t, side), step, values, lines[t])
            found.append(lines.transpose(1, 0, 2))
        length = np.stack([term.length for term in rows], axis=1)
        way = [float(term.sign[0]) if term.one_sided and pairs else 0.0 for term in rows]
        return Counts(found[0], found[1], length, np.array(way))

    def _count(self, key: np.ndarray, step: int, values: tuple[np.ndarray, ...], counts: np.ndarray) -> None:
        def task(first: int, last: int) -> None:
            draws = np.empty(counts[first:last].shape, dtype=np.float32)
            noise_kernels.fill_uniforms(key, step, 0, first, draws)
            rows, factor, length, sign = (value[first:last] for value in values)
            train_kernels.count(rows, factor, length, sign, draws, counts[first:last])

        self.run(task, blocks(len(counts), PACKED))

    def scattered(
        self, side: str, lines: int, counts: np.ndarray, length: np.ndarray, first: int, step: int, number: int
    ) -> np.ndarray:
        """Return words of trains of which the counts are known, (pairs, lines of one block).

        ``lines`` numbers the block of lines and ``first`` the first pair: with them the words are those of any tile.
        """
        key = self._key("slots", number, side, lines)
        draws, left = (np.empty(counts.shape, dtype=np.float32) for _ in range(2))
        trains = np.zeros(counts.shape, dtype=np.uint64)
        for slot in range(max(int(length.max(initial=0)), 1)):
            noise_kernels.fill_uniforms(key, step, slot, first, draws)
            train_kernels.scatter(slot, counts, length, draws, left, trains)
        return trains

