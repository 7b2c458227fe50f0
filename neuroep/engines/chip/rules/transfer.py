# Tested by tests/neuroep/engines/chip/test_transfer.py.
"""What the rules share that gather on a fast array and move what they gathered to a slow one, column by column.

One update, A the fast array, W the slow one, both in shares of their ranges, R the weight range of W:

    A <- A + s c o (-g)          by trains of pulses            analog; c = 1 without a chopper
    every n_s updates, of the next columns j:
        a_j = A e_j              through the converters of A    analog, a read
        x_j = signal(a_j)        what the rule makes of it      digital
        H_j <- H_j + rate x_j    in pulses of W                 digital, of rules with a buffer
        n_j = trunc(H_j)         H_j <- H_j - n_j, or keep H_j  pulses on W

s is what the wanted change asks for: pulses n dw_A/r with scaling (:mod:`.scaling`), else lr/R_A. The default rate
makes W follow a wanted change that goes on. With N the pulses that a device of A gets in an update, X what A forgets
from one read to the next, by pulses and by what devices lose from update to update (``device.leak``, ``retention``),

    X = n_s (N leak dw_A - ln kept),    (1 - e^-X)/X

is what is left at the next read of a change that goes on all the while, and ``gain`` reads see that again: ``seen`` of
what A moves by between two reads. A that is filled to its bound b takes no more, and what it holds is of the last
b/(n_s n dw_A) reads: X is n_s n dw_A/b at least, and ``seen`` at most b/(n_s n dw_A). So

    rate = (lr/r)/(s f seen R d_W),    f = d_A/dw_A times the share of pulses that trains had room for

with d_A the step of A's devices where they rest and d_W that of W's at weight 0, the mean of up and down. N and f are
known to the drivers of lines, which count: of a slot in which p rows and q columns fire, p q devices get a pulse. Both
are means over ``update.memory`` updates. A device whose steps vary along the way of a change, or beside what the mean
device is, follows more or less; so do the devices of lines with other numbers of pulses than the mean.

A hidden array, ``gamma`` 0, has a range of its own: its shares are never weights, and its DAC drives one line at full
range; its ADC stops at ``transfer.read_range`` of a device at full swing. One that is seen has the range of W. Its
ADC, where it is calibrated, has W's range and that of a single column at least, as A is at rest then. Its
references err by ``transfer.reference_mean`` and ``reference_spread``, where they are not those of all devices: A that
gathers nothing then reads -(mean + spread z), which rules without a chopper move into W for ever.

Adding a rule: a module with a subclass that says ``signal`` and, where it is not that of A's memory, ``gain``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import ClassVar, TypeVar

import numpy as np

from hw_models.arrays.bursts import Bursts, ColumnRun, runs
from hw_models.arrays.columns import read_columns
from hw_models.arrays.converter_bank import Converters
from hw_models.chip import Chip
from hw_models.kernels.blocks import blocks
from hw_models.kernels.random import generator, key, uniforms
from neuroep.engines.chip.rules import column_kernels
from neuroep.engines.chip.rules.rule import CROSSBAR, Place
from neuroep.engines.chip.rules.scaling import COHERENCE, at_zero, pulses_needed, symmetry
from neuroep.engines.chip.rules.trained import Terms, TrainedInMemory, WantedChange
from neuroep.engines.chip.rules.verified import columns_chip
from neuroep.learning.contrast import Contrast

Result = TypeVar("Result")
FAST = "fast"
"""Label of the fast array."""
ROWS = 128
"""Rows of columns of one block of digital work."""
COUNTED = "counted"
"""Name, among what a rule keeps, of what the drivers counted: pulses given and asked for, what A lost, updates."""
LONGEST = 100.0
"""Reads after which a change counts as forgotten at the latest, where A itself forgets nothing."""


class TransferRule(TrainedInMemory):
    """A fast and a slow array; see the module.

    Attributes
    ----------
    reads : numpy.ndarray
        (in,) how often each column was read.
    chopper : numpy.ndarray
        (in,) +1 or -1, signs of the signals of A's columns.
    """

    trained = FAST
    buffered = True
    """Whether what is read is gathered in H; else it is rounded at random."""
    chops = False
    """Whether the signs of columns flip."""
    fills: ClassVar[bool] = True
    """Whether a change that goes on fills A to its bound, unless it forgets: then no more is held of earlier ones."""
    sees_most: ClassVar[float] = 1.0
    """The largest reading, in units of that bound."""
    work: ClassVar[int] = 2
    """Multiply-adds for each device of a column that is read: H + rate x and H - n, and those of ``signal``."""

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        chip, shape = self.chip, weight.shape
        gamma = self.seen
        own = referred(chip if gamma else self._columns_chip)
        self.fast = self._array(np.zeros_like(weight), FAST, self._full(gamma), own, rests=True)
        if gamma:
            self.shares = {CROSSBAR: 1.0, FAST: gamma}
        self.kept |= {"reads": np.zeros(shape[1], np.int64), "cursor": np.zeros((), np.int64)}
        self.kept["chopper"] = np.ones(shape[1], np.int8)
        self.kept[COUNTED] = np.zeros(4)
        self.kept["lost_at"] = np.zeros(())
        if self.buffered:
            self.kept["gathered"] = np.zeros_like(weight)
        self.pulse = chip.device.pulse
        self.per_read = self._count("columns") or max(shape[1], 1)
        self.every = self._count("every")
        self.pulses = self._number("pulses") or pulses_needed(self.pulse, self.holds)

    def _number(self, name: str) -> float:
        """Return a number of the table of the transfer, 0 where there is none."""
        value = self.chip.update.of_transfer(name)
        return float(value) if isinstance(value, int | float) else 0.0

    def _count(self, name: str) -> int:
        return int(self._number(name))

    @property
    def seen(self) -> float:
        """Share of A in what products read."""
        return self._number("gamma")

    @property
    def _columns_chip(self) -> Chip:
        """A chip whose converters are those by which columns of a hidden A are read."""
        return columns_chip(self.chip, self._number("read_range") or 1.0)

    def calibrated(self) -> None:
        """Let the converters of an A that products see, which is at rest at first, hold what those of W do.

        And a column, which is read at the full scale of the DAC.
        """
        if not self.seen:
            return
        bank, own = self.fast.converters, self.crossbar
        bank.at_least(own.converters)
        dac, adc = bank.of("forward")
        adc.at_least((dac.range or 1.0) if dac.acts else 1.0)
        if self.fast.increments is not None and own.increments is not None:
            self.fast.increments.at_least(own.increments)

    def _resting(self) -> np.ndarray:
        """Return what is read of A before learning where pulses have brought it to its symmetry point, else 0."""
        if self.chip.update.zero_shift is None:
            return np.zeros_like(self.fast.stored)
        columns = np.arange(self.fast.shape[1])
        self.prepared += self.groups[FAST][0].reading(len(columns) * self.chip.crossbar.repeats)
        bank = Converters(self._columns_chip, self.fast.name)  # those of products may have no range yet
        with self.fast.at_once():
            return np.ascontiguousarray(read_columns(self.fast, columns, bank), self.fast.stored.dtype)

    def _full(self, gamma: float) -> float:
        """Return the weight range of A."""
        return self.crossbar.weight_range if gamma else 1.0

    @property
    def period(self) -> float:
        """Updates between two reads of a column."""
        return self.every * max(1.0, self.crossbar.shape[1] / self.per_read)

    @property
    def holds(self) -> float:
        """Updates for which A is to hold what it gathers: until the next read, as H adds up what is read.

        To forget more slowly would take fewer pulses, and what A strays by from pulse to pulse would be seen again and
        again.
        """
        return self.period

    def _count_pulses(self) -> None:
        """Take in what the drivers counted of an update, and what A lost ahead of it."""
        device, now = self.chip.device, float(self.place.setting.clock.now)
        lost = -math.log1p(-device.leak) if device.leak < 1 else math.inf
        if device.retention is not None:
            lost += (now - float(self.kept["lost_at"])) / device.retention
        self.kept["lost_at"][...] = now
        self.kept[COUNTED] *= 1 - 1 / self.chip.update.memory
        self.kept[COUNTED] += (self.sent[FAST], self.asked[FAST], lost, 1.0)

    @property
    def given(self) -> float:
        """N, pulses that a device of A gets in an update, mean of what was counted."""
        given, _, _, number = self.kept[COUNTED].tolist()
        return given / number if number else self.pulses * COHERENCE

    @property
    def delivered(self) -> float:
        """Share of what is asked of trains that they have room for."""
        given, asked, *_ = self.kept[COUNTED].tolist()
        return self.delivered_of(given, asked)

    @property
    def moves(self) -> float:
        """What a wanted change moves A by from one read to the next, in units of the nearer bound of its mean device.

        0 without scaling, where it is not known.
        """
        own, pulse = symmetry(self.pulse), self.pulse
        net = self.pulses * self.delivered * self.period * own.step * self.chip.device.moved
        return net / min(pulse.w_max, -pulse.w_min or pulse.w_max) if self.scaled else 0.0

    @property
    def forgotten(self) -> float:
        """X, what A forgets from one read to the next; see the module."""
        own, (_, _, lost, number) = symmetry(self.pulse), self.kept[COUNTED].tolist()
        found = (self.given * own.leak * own.step + (lost / number if number else 0.0)) * self.period
        return max(found, self.moves) if self.fills else found

    @property
    def kept_share(self) -> float:
        """What is left of a reading of A at the next read."""
        return math.exp(-self.forgotten)

    @property
    def arriving(self) -> float:
        """What is left, at the next read, of a change that goes on from one read to the next."""
        return -math.expm1(-self.forgotten) / self.forgotten if self.forgotten > 0 else 1.0

    @property
    def gain(self) -> float:
        """Reads that see what arrives of a change, before A forgets it or signs that flip count against each other."""
        flips = self._number("chop_probability")
        return 1 / (1 - min(self.kept_share, math.exp(-1 / LONGEST)) * (1 - 2 * flips))

    @property
    def seen_change(self) -> float:
        """What is read of a change that goes on, in units of what A moves by from one read to the next."""
        moves = self.moves
        return min(self.arriving * self.gain, self.sees_most / moves if moves else math.inf)

    def signal(self, columns: np.ndarray, read: np.ndarray) -> np.ndarray:
        """Return what is moved of columns as they are read, (out, columns), and keep what the rule keeps of them.

        Signs of a chopper are put on behind.
        """
        return read

    def update(self, contrast: Contrast, rate: float) -> int:
        """Send trains to A, and move what was gathered if it is time to; return how many are not finite."""
        wanted = self._wanted(contrast, rate)
        step = self.pulses * self.chip.device.granule if self.scaled else rate / self.fast.weight_range
        self._wait()
        terms = self._chopped(wanted.terms) if self.chops else list(wanted.terms)
        change = step * wanted.share * self.fast.weight_range
        self.seconds = self._send(FAST, terms, change, self.pulses if self.scaled else 0.0)
        self._count_pulses()
        bad = self._pulsed(FAST)
        if not (bad or self.updates % self.every):
            bad = self._transfer(wanted, step)
        bad = bad or self._end_idle()
        self._reread_faded()
        return bad

    def _transfer(self, wanted: WantedChange, step: float) -> int:
        """Read columns of A and move what they hold; return how many weights are not finite."""
        columns = self._next()
        read = read_columns(self.fast, columns)
        self.seconds += self.groups[FAST][0].reading(len(columns) * self.chip.crossbar.repeats)
        moved = self.signal(columns, read)
        rates = np.full(len(columns), self._rate(wanted, step), moved.dtype)
        if self.chops:
            rates *= self.kept["chopper"][columns]
        self._flip(columns)
        return self._move(columns, moved, rates) or self._widen()

    def _widen(self) -> int:
        """Write the weights with twice the range if it is time to; H, in pulses of W, is then of larger ones."""
        before, bad = self.crossbar.weight_range, super()._widen()
        if self.buffered and before != self.crossbar.weight_range:
            self.kept["gathered"] *= before / self.crossbar.weight_range
        return bad

    def _chopped(self, terms: Terms) -> Terms:
        """Return terms whose inputs have the signs of the chopper."""
        return [(sign, post, pre * self.kept["chopper"].astype(pre.dtype)) for sign, post, pre in terms]

    def _rate(self, wanted: WantedChange, step: float) -> float:
        """Return what a share of A's range adds to the pulses of W."""
        given = self._number("rate")
        if given:
            return given
        step *= self.delivered * symmetry(self.pulse).step / self.pulse.dw_min
        moves = self.chip.device.granule * at_zero(self.pulse) / self.pulse.dw_min
        return wanted.rate / (step * self.seen_change * self.crossbar.weight_range * moves) if step else 0.0

    def _next(self) -> np.ndarray:
        """Return the columns whose turn it is."""
        inputs, cursor = self.crossbar.shape[1], int(self.kept["cursor"])
        found = (cursor + np.arange(min(self.per_read, inputs))) % max(inputs, 1)
        self.kept["cursor"][...] = (cursor + len(found)) % max(inputs, 1)
        self.kept["reads"][found] += 1
        return found

    def _flip(self, columns: np.ndarray) -> None:
        """Flip the signs of columns behind a read of them, at random or every so many reads."""
        if not self.chops:
            return
        every, flips = self._count("chop_every"), np.zeros(len(columns), dtype=bool)
        if every:
            flips = self.kept["reads"][columns] % every == 0
        elif chance := self._number("chop_probability"):
            draws = self._draws("chopper").random(self.crossbar.shape[1])
            flips = draws[columns] < chance
        self.kept["chopper"][columns[flips]] *= -1
        self.flipped(columns[flips])

    def flipped(self, columns: np.ndarray) -> None:
        """Note that the signs of columns have flipped."""

    def _draws(self, what: str) -> np.random.Generator:
        """Return the draws of this update for a purpose."""
        return generator(self.place.setting.seed, "rule", self.place.name, what, self.updates)

    def _move(self, columns: np.ndarray, moved: np.ndarray, rates: np.ndarray) -> int:
        """Give the columns of W what was read of them, (out, columns), times the rate of each, in whole pulses.

        Returns how many are not finite.
        """
        whole, most = np.empty(moved.shape, np.int32), self._number("most") or math.inf
        if self.buffered:
            gathered, keep = self.kept["gathered"], self.chip.update.of_transfer("keep")
            real = gathered.dtype.type
            how = gathered, real(most), real(-1 if keep is None else keep), whole

            def gather(run: ColumnRun, first: int, last: int) -> tuple[int, int]:
                at = run.at, run.first
                return column_kernels.gather(first, last, *at, moved, rates[run.at : run.at + run.number], *how)

            found = _summed(self._by_rows(columns, gather))
        else:
            found = self._rounded(columns, moved, rates, most, "rounding", whole)
        self._moved(len(columns), self.work)
        return self._give(CROSSBAR, columns, whole, found)

    def _by_rows(self, columns: np.ndarray, act: Callable[[ColumnRun, int, int], Result]) -> list[Result]:
        """Return what ``act`` returns for columns that follow each other, and first and last of blocks of rows."""
        parts, run = blocks(self.crossbar.shape[0], ROWS), self.place.setting.workers.run
        return [found for each in runs(columns) for found in run(partial(act, each), parts)]

    def _rounded(
        self, columns: np.ndarray, moved: np.ndarray, rates: np.ndarray, most: float, what: str, whole: np.ndarray
    ) -> tuple[int, int]:
        """Write what was read, times the rate of its column, in whole pulses, rounded at random.

        Returns how many devices get some, and how many numbers are not finite.
        """
        drawn = uniforms(key(self.place.setting.seed, "rule", self.place.name, what), self.updates, 0, moved.shape)

        def rounded(first: int, last: int) -> tuple[int, int]:
            return column_kernels.round_off(first, last, moved, rates, drawn, most, whole)

        return _summed(self.place.setting.workers.run(rounded, blocks(len(moved), ROWS)))

    def _moved(self, columns: int, work: int) -> None:
        """Write down that so many columns were moved, at so many multiply-adds for each of their devices."""
        shape = self.crossbar.shape
        self.tally.add(self.place.name, "transfer", columns, shape)
        self.tally.add(self.place.name, "multiply-add transfer", work * columns * shape[0], shape)

    def _give(self, label: str, columns: np.ndarray, whole: np.ndarray, found: tuple[int, int]) -> int:
        """Give columns of an array whole numbers of pulses, (out, columns) int32, negative ones down.

        ``found``: how many devices get some, and how many numbers are not finite. Returns how many are not finite.
        """
        some, bad = found
        if bad:
            return int(whole.size)
        if not some:
            return 0
        bursts = Bursts(whole, columns)
        for each in self.groups[label]:
            own = each.crossbar.devices
            each.devices.give(each.crossbar.stored, bursts, self.updates, (own.column_tiles, own.row_tiles))
        self.seconds += self._pulsing(label)
        return self._pulsed(label)


def referred(chip: Chip) -> Chip:
    """Return a chip whose references err as those of a fast array do."""
    own = chip.update.transfer
    given = {"reference_mean": own.reference_mean, "reference_spread": own.reference_spread}
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        return chip
    device = chip.device.model_copy(update={"cell": chip.device.cell.model_copy(update=changes)})
    return chip.model_copy(update={"device": device})


def _summed(found: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return the sums of pairs of numbers."""
    firsts, seconds = zip(*found, strict=True)
    return sum(map(int, firsts)), sum(map(int, seconds))
