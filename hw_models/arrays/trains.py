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

and the numbers of two devices, given the counts, are uncorrelated, also along a line.

All of it is in the trains themselves: whoever counts the coincidences of words of slots has mean, variance and
correlation. A word of 64 slots, of several trains behind each other, takes one comparison and one count of bits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from hw_models.chip import Update
from hw_models.kernels import random as randomness, trains as train_kernels
from hw_models.kernels.blocks import Run, blocks

PACKED = 64
"""Most rows whose trains are drawn at a time."""
SHORT = 16
"""Slots of the average train up to which trains are packed to be played."""

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
    top_post, top_pre = np.zeros(len(post), dtype=post.dtype), np.zeros(len(pre), dtype=pre.dtype)
    negative = sum(
        train_kernels.extremes(rows, rows.view(f"i{rows.itemsize}"), top)
        for rows, top in ((post, top_post), (pre, top_pre))
    )
    if not math.isfinite(rate):
        return None
    length, factors = np.empty(len(post), dtype=np.int64), np.empty((2, len(post)), dtype=post.dtype)
    how = (rate, dw_min, update.train_length, update.management, update.overlong == "both")
    if not train_kernels.fit(top_post, top_pre, *how, length, factors[0], factors[1]):
        return None
    return Rows(post, pre, np.full_like(top_post, sign), factors[0], factors[1], length, negative == 0)


class Packed(NamedTuple):
    """Trains behind each other, so that one word holds many short ones: ``fires`` and ``signs``, (words, lines)."""

    post: tuple[np.ndarray, np.ndarray]
    pre: tuple[np.ndarray, np.ndarray]


class Fired(NamedTuple):
    """Trains of all lines, in the order in which they are played: all terms of a sample behind each other."""

    post: np.ndarray
    """(pairs, out) words"""
    pre: np.ndarray
    """(pairs, in) words"""
    length: np.ndarray
    """(pairs,) BL"""

    def part(self, pairs: slice, outputs: slice = slice(None), inputs: slice = slice(None)) -> Fired:
        """Return some trains of some lines."""
        post, pre = (
            np.ascontiguousarray(side[pairs, lines]) for side, lines in ((self.post, outputs), (self.pre, inputs))
        )
        return Fired(post, pre, self.length[pairs])

    def packed(self, which: np.ndarray | None = None) -> Packed:
        """Return the trains behind each other, or those whose ``which`` (pairs,) is 1, not 0."""
        length = self.length if which is None else self.length * which
        word, shift = np.empty((2, len(length)), dtype=np.int64)
        words, sides = train_kernels.layout(length, word, shift), []
        for trains in (self.post, self.pre):
            both = np.zeros((2, words, trains.shape[1]), dtype=np.uint64)
            train_kernels.pack(trains, length, word, shift, both[0], both[1])
            sides.append((both[0], both[1]))
        return Packed(*sides)

    def played(self) -> Playable:
        """Return the trains ready to be played, packed where they are short."""
        short = self.length.sum() <= SHORT * np.count_nonzero(self.length)
        return Playable(self, self.packed() if short else None)


class Playable(NamedTuple):
    """Trains ready to be played."""

    trains: Fired
    packed: Packed | None
    """The same packed, where they are short: a device has few pulses in one word of a long train."""


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

    def words(self, rows: list[Rows], step: int, number: int, alike: bool = False) -> Fired:
        """Return trains, drawn slot by slot. The draws of all terms may be ``alike``, those of the first."""
        terms, pairs = len(rows), len(rows[0].post)
        ones = np.ones(pairs, dtype=rows[0].post.dtype)
        length, sides = np.empty((pairs, terms), dtype=np.int64), []
        for t, term in enumerate(rows):
            length[:, t] = term.length
        for side in ("post", "pre"):
            words = np.empty((pairs * terms, getattr(rows[0], side).shape[1]), dtype=np.uint64)
            for t, term in enumerate(rows):
                sign = term.sign if side == "post" else ones
                values = (getattr(term, side), getattr(term, f"factor_{side}"), term.length, sign)
                self._fire(self._key("trains", number, 0 if alike else t, side), step, values, words[t:], terms)
            sides.append(words)
        return Fired(sides[0], sides[1], length.reshape(-1))

    def _fire(self, key: np.ndarray, step: int, values: tuple[np.ndarray, ...], words: np.ndarray, apart: int) -> None:
        def task(first: int, last: int) -> None:
            rows, factor, length, sign = (value[first:last] for value in values)
            train_kernels.fire(key, step, first, rows, factor, length, sign, words[first * apart :], apart)

        self.run(task, blocks(len(values[0]), PACKED))
