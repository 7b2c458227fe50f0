r"""Net counts of coincidences: both phases are counted at every device, and the difference alone becomes pulses.

Two phases of one sample, x- (in,), d- (out,) and x+, d+, are to change W by rate (d+ x+^T - d- x-^T). As trains of
pulses (:mod:`hw_models.arrays.trains`) they send N = kappa n pulses for a net change of n, kappa from tens to
thousands, of which a device feels every one. Here a coincidence of two lines at a device is no pulse: a counter there
goes one down for each in the phase of minus sign, which comes first, and one up for each in the other. After the batch

    n_ij = trunc(c_ij / 2^shift) pulses, up or down;        c_ij <- c_ij - 2^shift n_ij

**Replayed draws.** Line j fires in slot t where u_jt < A |x_j|. With the u_jt of a generator that begins both phases
alike, a line fires in one phase and not in the other with probability A |x_j+ - x_j-|: what both phases have in common
is counted down and up again, exactly. In one slot of one sample, p = A |x| and q = B |d| with the signs of x and d,

    mean      p+ q+ - p- q-                                                    with draws of either kind
    variance  |p+ q+| + |p- q-| - 2 sign m(p+, p-) m(q+, q-) - mean^2          replayed, m the lesser of the two sizes,
                                                                               sign that of x+ x- d+ d-
              |p+ q+| (1 - |p+ q+|) + |p- q-| (1 - |p- q-|)                    independent

The first goes by what the phases differ by, as of pulses of the contrast; the second by all they are, and asks for
kappa^2 coincidences for a signal-to-noise of one, though no device feels them. Devices of one line share its train, so
that their counts are correlated as those of trains are.

**Management** fits trains to the phase that comes first, larger by ``room``: k = rate (1 + room)^2 max|x| max|d| / dw
slots, with dw = dw_min/2^shift what a count stands for, BL = min(ceil k, longest). Where k is beyond the longest train
the rate is less by BL/k, so that nothing is cut: a line that fires in every slot of both phases would lose what they
differ by. The second phase is cut where it is larger than the first by more than ``room``, all of it where the first
is silent: nobody knows it yet when trains are fitted. Samples of which it was are told, :attr:`NetCounts.cut`.

**Counters** have ``bits`` in two's complement and are an array of small numbers beside the devices, one for each
weight. One that wraps must hold what is left of both phases at the end of the batch, as what went round comes back. One
that saturates must hold all coincidences of the first phase of a sample, up to its slots, beside what is left of the
samples before: what it loses it loses of one phase alone, and 1e-4 of that is as much as the phases differ by.

**All counts are drawn**, slot by slot, also where trains of pulses are expected: net counts are whole numbers, mostly 0
and 1, and a Gaussian of their mean and variance would give other pulses than they do.

**Pulses.** All lines carry pulses, up in the first slots and down in the others, and every device lets as many pass as
its own counter says: max n+ + max n- slots, without a second select line. A chip needs the counter, a gate at every
device, and a generator at every line that can be begun anew. Everything is local: a counter sees its two lines.

Sources: pulses by coincidence, Gokmen and Vlasov, Front. Neurosci. 10:333, 2016; a common sequence of random numbers
for two streams whose difference is formed: correlated stochastic computing, Alaghi and Hayes, ICCD 2013. That counters
take the two phases of EP is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hw_models.arrays.trains import Rows, Term, Trains
from hw_models.chip import Update
from hw_models.kernels import net_counts as count_kernels, trains as train_kernels
from hw_models.kernels.blocks import blocks
from hw_models.tally import Tally

WORDS = 1 << 22
"""Most trains held at a time."""
ROWS = 16
"""Rows of counters of one block of work."""
SLOTS = 63
"""Of a word; a longer train is several."""
ROUNDING = 1e-6
"""Share by which a signal may exceed what trains were fitted to."""
LEAST_SHIFT = -16
"""Shift that is chosen at the least."""
COUNTS, ASKED = "counts", "asked"
"""Names of what is kept: counters, and the longest train that the last update asked for, in pulses."""


class Fitted(NamedTuple):
    """How the lines of both phases fire."""

    rows: list[Rows]
    short: int
    """Samples whose trains are too short for what is asked."""
    cut: int
    """Samples of which phases behind the first are larger than what trains were fitted to."""
    asked: float
    """Slots of the longest train that is asked for."""


class NetCounts:
    """The counters of one array.

    Parameters
    ----------
    shape : tuple of int
        (out, in).
    update : Update
        How trains are made and counted.
    granule : float
        What a pulse changes a weight by, in shares of the weight range.
    trains : Trains
        Draws the trains of the lines.
    tally : Tally
        Where to write coincidences counted, and slots.

    Attributes
    ----------
    counters : numpy.ndarray
        (out, in) int32.
    asked : numpy.ndarray
        () float64, slots of the longest train that the last update asked for, of counts of one pulse.
    slots : int
        In which the last update was counted, one behind the other.
    met, lost, sent, short, cut : int
        Since somebody set them to 0: coincidences, those beyond the last value of a counter, samples, samples whose
        trains were too short, and those whose second phase was cut.
    """

    def __init__(self, shape: tuple[int, int], update: Update, granule: float, trains: Trains, tally: Tally) -> None:
        self.shape, self.update, self.granule, self.trains, self.tally = shape, update, granule, trains, tally
        self.counters = np.zeros(shape, np.int32)
        self.asked = np.zeros(())
        self.slots = self.met = self.lost = self.sent = self.short = self.cut = 0
        half = 1 << (update.counter.bits - 1)
        self.low, self.high = -half, half - 1

    @property
    def kept(self) -> dict[str, np.ndarray]:
        """What an update leaves to the next, written in place."""
        shift = self.update.counter.shift
        found = {ASKED: self.asked} if shift is None else {}
        return found | ({COUNTS: self.counters} if shift is not None and shift > 0 else {})

    @property
    def shift(self) -> int:
        """Counts of a pulse are 2 to the power of this."""
        given = self.update.counter.shift
        if given is not None:
            return given
        beyond = float(self.asked) / self.update.counter.slots
        return max(-int(np.ceil(np.log2(beyond))), LEAST_SHIFT) if beyond > 1 else 0

    def count(self, terms: Sequence[Term], rate: float, step: int) -> np.ndarray | None:
        """Count both phases of a batch; return the pulses that they ask for, (out, in) int64, negative ones down.

        Parameters
        ----------
        terms : sequence of (sign, post, pre)
            The phases in their order, post (n, out) and pre (n, in).
        rate : float
            Weights are to change by rate times the sum of sign post.T @ pre, in shares of the weight range.
        step : int
            Number of the update: it keys the draws.

        Returns
        -------
        numpy.ndarray or None
            None if an entry is not finite.
        """
        shift, self.slots = self.shift, 0
        fitted = self._fit(terms, rate, self.granule * 2.0**-shift)
        if fitted is None:
            return None
        self.asked[...] = fitted.asked * 2.0**-shift
        self.sent += len(fitted.rows[0].length)
        self.short += fitted.short
        self.cut += fitted.cut
        around = None if self.update.counter.overflow == "saturate" else np.zeros(self.shape, np.int64)
        longest = -(-int(fitted.rows[0].length.max(initial=0)) // SLOTS)
        many = max(1, WORDS // (len(terms) * sum(self.shape) * max(longest, 1)))
        for number, (first, last) in enumerate(blocks(len(fitted.rows[0].length), many)):
            self._count([each.part(first, last) for each in fitted.rows], step, number)
            if around is not None:
                around += self._wrap()
        if around is not None:
            self.lost += int(np.abs(around).sum())
        return self._whole(shift)

    def widened(self, factor: float) -> None:
        """Let counters stand for weights of a range that is so many times as large; what is below a count is lost."""
        self.counters[:] = np.trunc(self.counters / factor)
        self.asked[...] /= factor

    def _fit(self, terms: Sequence[Term], rate: float, granule: float) -> Fitted | None:
        """Return how the lines fire, the same factors for all phases, or None if an entry is not finite."""
        sides, tops = [], []
        for _, *own in terms:
            single = own[0].dtype == np.float32
            sides.append([np.ascontiguousarray(side, dtype=np.float32 if single else np.float64) for side in own])
            tops.append([_largest(side) for side in sides[-1]])
        if not (np.isfinite(tops).all() and np.isfinite(rate)):
            return None
        update, size = self.update, abs(rate)
        top_post, top_pre = np.asarray(tops[0]) * (1 + update.counter.room)
        asked = size * top_post * top_pre / granule
        length, balance = np.full_like(asked, update.counter.slots), np.ones_like(asked)
        with np.errstate(divide="ignore", invalid="ignore"):
            if update.management:
                length, balance = np.ceil(np.minimum(asked, length)), np.sqrt(top_pre / top_post)
            product = size / (granule * length)
            root = np.sqrt(product * np.minimum(1.0, length / asked) if update.management else product)
            factors = [np.where(length > 0, each, 0.0) for each in (root * balance, root / balance)]
        fitted = []
        for (sign, _, _), (post, pre) in zip(terms, sides, strict=True):
            way = np.full(len(length), 1.0 if rate * sign >= 0 else -1.0, post.dtype)
            factor_post, factor_pre = (each.astype(post.dtype) for each in factors)
            fitted.append(Rows(post, pre, way, factor_post, factor_pre, length.astype(np.int64), False))
        cut = [_cut(factors, each, length) for each in tops]
        short = asked > update.counter.slots if update.management else np.logical_or.reduce(cut)
        later = np.logical_or.reduce(cut[1:]) if size else np.zeros(len(length), bool)
        number = [int(np.count_nonzero(each)) for each in (short, later)]
        return Fitted(fitted, number[0], number[1], float(asked.max(initial=0)))

    def _count(self, rows: list[Rows], step: int, number: int) -> None:
        """Count the trains of some samples."""
        post, pre = self._words(rows, step, number)
        saturates = self.update.counter.overflow == "saturate"
        whole = np.iinfo(np.int32)
        ends = (np.int32(self.low), np.int32(self.high)) if saturates else (np.int32(whole.min), np.int32(whole.max))

        def task(first: int, last: int) -> tuple[int, int]:
            found: tuple[int, int] = count_kernels.count(first, last, pre, post, *ends, self.counters)
            return found

        met, lost = (sum(each) for each in zip(*self.trains.run(task, blocks(self.shape[0], ROWS)), strict=True))
        self.met, self.lost = self.met + met, self.lost + lost
        slots = sum(int(each.length.sum()) for each in rows)
        self.slots += slots
        self.tally.add(self.trains.name, "count", met, self.shape, self.update.counter.bits)
        self.tally.add(self.trains.name, "counting", slots, self.shape)

    def _words(self, rows: list[Rows], step: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return words of post and pre, (words, lines): of a sample all of the one phase behind all of the other."""
        length, terms = rows[0].length, len(rows)
        words = np.maximum(-(-length // SLOTS), 1)
        sample = np.repeat(np.arange(len(length)), words)
        within = np.arange(len(sample)) - np.repeat(np.cumsum(words) - words, words)
        own = np.clip(length[sample] - SLOTS * within, 0, SLOTS)
        parts = [_words(each, sample, own) for each in rows]
        post, pre, _ = self.trains.words(parts, step, number, self.update.counter.draws == "replayed")
        order = np.lexsort((np.tile(within, terms), np.repeat(np.arange(terms), len(sample)), np.tile(sample, terms)))
        place = np.tile(np.arange(len(sample)) * terms, terms) + np.repeat(np.arange(terms), len(sample))
        return post[place[order]], pre[place[order]]

    def _wrap(self) -> np.ndarray:
        """Bring counters round that are beyond their last value; return how far, which is lost unless it comes back."""
        size, before = self.high - self.low + 1, self.counters.astype(np.int64)
        self.counters[:] = (before - self.low) % size + self.low
        return before - self.counters

    def _whole(self, shift: int) -> np.ndarray:
        """Take whole pulses out of the counters."""
        counts = self.counters.astype(np.int64)
        if shift <= 0:
            self.counters.fill(0)
            return counts << -shift
        whole: np.ndarray = np.sign(counts) * (np.abs(counts) >> shift)
        self.counters[:] = counts - (whole << shift)
        return whole


def _largest(rows: np.ndarray) -> np.ndarray:
    """Return the largest size of every row, float64; what is not finite stays so."""
    found = np.zeros(len(rows), rows.dtype)
    train_kernels.extremes(rows, rows.view(f"i{rows.itemsize}"), found)
    return found.astype(np.float64)


def _cut(factors: Sequence[np.ndarray], tops: Sequence[np.ndarray], length: np.ndarray) -> np.ndarray:
    """Return of which samples a line would have to fire more than once in a slot, or fire in a train of none."""
    fires = tops[0] * tops[1] > 0
    beyond = [factor * top > 1 + ROUNDING for factor, top in zip(factors, tops, strict=True)]
    return np.where(length > 0, np.logical_or(*beyond), fires)


def _words(rows: Rows, sample: np.ndarray, length: np.ndarray) -> Rows:
    """Return rows of which each is one word of a sample's train, of such a length."""
    post, pre, sign, factor_post, factor_pre = (values[sample] for values in rows[:5])
    return Rows(post, pre, sign, factor_post, factor_pre, length, False)
