"""DAC and ADC: a uniform quantiser with noise ahead of it, its range fixed or calibrated on samples and then frozen.

    y = clip(rint((x + noise range z)/step) step, low, high)          round half to even

signed     step = 2 range/(2^bits - 2), from -range to range: 2^bits - 1 levels, zero among them
unsigned   step = range/(2^bits - 1), from 0 to range: 2^bits levels
stochastic rint(x/step + U(-1/2, 1/2)) step: up or down at random, x as mean, standard deviation step sqrt(p (1 - p))

Without bits a converter with a range clips to it. This is the convention of aihwkit (Rasch et al., AICAS 2021) and of
CrossSim's sign-magnitude converters (Xiao et al., CrossSim 3). A reading is at the stop where x, noise and rounding in,
lies beyond the last level.

Calibration: range = margin times a percentile of |x| over those calibration samples that are not 0, never over the
batch at hand. Zero is a level of every grid, so samples that are 0 say nothing about the range, and however many there
are of them they cannot make it 0. More than 2^20 values are thinned to about half of that or more: each value is marked
by the random word of its place in the order seen and kept where the mark is below 2^32/2^m, m the least number that
leaves k <= 2^20. Every value has the same chance whatever its size and its column, so the share of all values below the
percentile p found has mean p and standard deviation sqrt(p (1 - p)/k), 1.4e-4 at p = 99 %; which are kept depends
neither on the sizes of the batches nor on threads.

A range that is calibrated again stays what it was where the new samples are all 0 or one of them is not finite, and
where the calibration breaks off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import numpy as np

from hw_models.chip import description as chip
from hw_models.chip.fields import LARGEST, SMALLEST
from hw_models.errors import ChipError
from hw_models.kernels import noise as noise_kernels
from hw_models.kernels.random import key

MOST = 2**20
"""Most calibration values kept; of more a random half, quarter, ..."""
MARK = 32
"""Bits of a random mark."""


class Grid(NamedTuple):
    """Levels of a converter: multiples of ``step`` in [low, high]; step 0 only clips, below 0 changes nothing."""

    step: float
    low: float
    high: float


OPEN = Grid(-1.0, 0.0, 0.0)
"""The grid that changes nothing."""


def grid(bits: int | None, range: float, unsigned: bool) -> Grid:
    """Return the grid of a converter with that full scale; without bits it clips."""
    low = 0.0 if unsigned else -range
    if bits is None:
        return Grid(0.0, low, range)
    return Grid(range / (2**bits - 1) if unsigned else range / (2 ** (bits - 1) - 1), low, range)


class Calibrated(Protocol):
    """What has ranges that are calibrated on samples."""

    def observe(self, on: bool = True) -> None:
        """Begin to collect samples and to pass signals through unchanged, or stop."""
        ...

    def freeze(self) -> None:
        """Set the ranges from the samples and stop."""
        ...


@contextmanager
def calibrating(*parts: Calibrated) -> Iterator[None]:
    """Let parts collect samples inside and set their ranges at the end.

    However it ends, by an exception or an interrupt too, none of them observes afterwards: a range that was not set is
    what it was, and a converter that has none says so when it is used.
    """
    try:
        for part in parts:
            part.observe()
        yield
        for part in parts:
            part.freeze()
    finally:
        for part in parts:
            part.observe(False)


class Quantiser:
    """One bank of converters with a common range.

    Parameters
    ----------
    converter : chip.Converter
        Bits, range, noise.
    name : str
        For messages, for example ``"hidden forward adc"``.
    ahead : Quantiser, optional
        The converter whose full scale is the unit of a fixed range, as the DAC's is of an ADC.
    noise_of : Quantiser, optional
        The converter whose full scale is the unit of the noise; default this one.

    Attributes
    ----------
    unsigned : bool
        Whether it starts at 0.
    nonnegative : bool or None
        Whether the signal can never be negative, for sign "auto"; None leaves it to the samples.
    observing : bool
        Whether it collects samples, and passes signals through unchanged.
    blank : float or None
        Range after a first calibration whose samples were all 0; None leaves it uncalibrated.
    """

    def __init__(
        self,
        converter: chip.Converter,
        name: str,
        ahead: Quantiser | None = None,
        noise_of: Quantiser | None = None,
    ) -> None:
        self.converter, self.name, self.ahead, self.noise_of = converter, name, ahead, noise_of
        self._acts, self._full, self._share = converter.acts, converter.range, converter.noise
        self._calibrated: float | None = None
        self._levels: tuple[tuple[float, bool], Grid] = (-1.0, False), OPEN
        self.unsigned = converter.sign == "unsigned"
        self.nonnegative: bool | None = None
        self.observing = False
        self.blank: float | None = 1.0
        self._zeros = False
        self._forget()

    @property
    def range(self) -> float | None:
        """Full scale as a signal; None where it is still to be calibrated."""
        if self._full is None:
            return self._calibrated
        return self._full * (self.ahead.range or 1.0 if self.ahead else 1.0)

    @property
    def acts(self) -> bool:
        """Whether it changes signals now."""
        return self._acts and not self.observing

    @property
    def grid(self) -> Grid:
        """The grid for the kernels; :data:`OPEN` where nothing acts.

        Raises
        ------
        ChipError
            If the range is not calibrated.
        """
        if not self.acts:
            return OPEN
        full = self._known()
        if self._levels[0] != (full, self.unsigned):
            self._levels = (full, self.unsigned), grid(self.converter.bits, full, self.unsigned)
        return self._levels[1]

    @property
    def noise(self) -> float:
        """Standard deviation of its noise as a signal; 0 where nothing acts."""
        return self._share * (self.noise_of or self)._known() if self._share and self.acts else 0.0

    def _known(self) -> float:
        """Return the range, which must be known by now."""
        if self.range is not None:
            return self.range
        if self._zeros:
            raise ChipError(f"{self.name}: all its calibration samples were 0, which gives no range")
        raise ChipError(f"{self.name}: its range is neither set nor calibrated; calibrate it on samples first")

    def __call__(
        self,
        values: np.ndarray,
        key: np.ndarray,
        step: int,
        tile: int = 0,
        first_row: int = 0,
        noiseless: bool = False,
    ) -> np.ndarray:
        """Return values (rows, n) converted; the very array where nothing acts.

        Parameters
        ----------
        values : numpy.ndarray
            (rows, n), C-contiguous, float32 or float64.
        key : numpy.ndarray
            Key of noise and stochastic rounding.
        step, tile, first_row : int
            Counter of the draws; noise takes tile 2 tile, rounding 2 tile + 1.
        noiseless : bool
            Leave the noise out: the codes as the digital side knows them.
        """
        return self.converted(values, key, step, tile, first_row, noiseless)[0]

    def converted(
        self,
        values: np.ndarray,
        key: np.ndarray,
        step: int,
        tile: int = 0,
        first_row: int = 0,
        noiseless: bool = False,
    ) -> tuple[np.ndarray, int]:
        """Return values converted as by a call, and how many of them were at the stop."""
        levels = self.grid
        if levels is OPEN:
            return values, 0
        ahead, noise = values, 0.0 if noiseless else self.noise
        out = np.empty_like(values)
        if noise:
            ahead, sigma = values.copy(), np.full(len(values), noise, dtype=values.dtype)
            out[:] = 0
            draws = (key, step, 2 * tile, first_row)
            stops = noise_kernels.sense(ahead, sigma, *draws, *self._noiseless(levels), 1.0, out, 0)
            if not self.converter.stochastic:
                return out, stops
        if self.converter.stochastic:
            return out, noise_kernels.convert_stochastic(ahead, out, *levels, key, step, 2 * tile + 1, first_row)
        return out, noise_kernels.convert(ahead, out, *levels)

    def _noiseless(self, levels: Grid) -> Grid:
        return OPEN if self.converter.stochastic else levels

    def _forget(self) -> None:
        self._kept: list[np.ndarray] = []
        self._marks: list[np.ndarray] = []
        self._count = self._halvings = self._seen = 0
        self._largest, self._lowest = 0.0, np.inf
        self._spoiled = False

    def observe(self, on: bool = True) -> None:
        """Begin to collect calibration samples anew, or stop without a new range."""
        self.observing = on
        self._forget()

    def sample(self, values: np.ndarray) -> None:
        """Take values as calibration samples; at most 2^20 of them are kept, largest and smallest exactly.

        Raises
        ------
        ChipError
            If one is not finite, or beyond 1e30, and there is no range to keep; it observes no longer.
        """
        if not self.converter.calibrates or not values.size:
            return
        flat = values.ravel()
        low, high = float(flat.min()), float(flat.max())
        if not max(abs(low), abs(high)) <= LARGEST:
            self._spoiled = True
            if self._calibrated is None:
                self.observe(False)
                raise ChipError(f"{self.name}: a calibration sample is not finite, or beyond {LARGEST:g}")
            return
        self._largest = max(self._largest, abs(low), abs(high))
        self._lowest = min(self._lowest, low)
        if self.converter.percentile < 100:
            self._keep(np.abs(flat).astype(np.float32))
        self._seen += flat.size

    def _keep(self, values: np.ndarray) -> None:
        """Keep those that are not 0, and where they are too many only the lower marks."""
        marks = np.empty(values.size, dtype=np.uint32)
        noise_kernels.fill_words(key(0, "calibration", self.name), self._seen, marks)
        chosen = values >= SMALLEST
        if self._halvings:
            chosen &= marks < 1 << (MARK - self._halvings)
        self._kept.append(values[chosen])
        self._marks.append(marks[chosen])
        self._count += self._kept[-1].size
        while self._count > MOST:
            self._halvings += 1
            kept, marks = np.concatenate(self._kept), np.concatenate(self._marks)
            chosen = marks < 1 << (MARK - self._halvings)
            self._kept, self._marks = [kept[chosen]], [marks[chosen]]
            self._count = self._kept[0].size

    @property
    def sampled(self) -> bool:
        """Whether it has seen samples since :meth:`observe`."""
        return self._lowest < np.inf

    def freeze(self) -> None:
        """Set range and sign from the samples and stop observing; does nothing where the range is fixed.

        A range from before stays where the samples were all 0, or one of them not finite.

        Raises
        ------
        ChipError
            If there were no samples.
        """
        self.observing = False
        if not self.converter.calibrates:
            return
        if not self.sampled and not self._spoiled:
            raise ChipError(f"{self.name}: no calibration samples")
        full = 0.0 if self._spoiled else min(self.foreseen, LARGEST)
        first, found = self._calibrated is None, full >= SMALLEST
        if first or found:
            self._calibrated, self._zeros = full if found else self.blank, not found
            if self.converter.sign == "auto":
                self.unsigned = found and self._lowest >= 0 if self.nonnegative is None else self.nonnegative
        self._forget()

    @property
    def foreseen(self) -> float:
        """The range that the samples so far would give, 0 where all of them are."""
        return float(self.converter.margin * self._level())

    def _level(self) -> float:
        """Return the percentile of the samples that are not 0; 0 where all are."""
        if self.converter.percentile == 100 or self._largest < SMALLEST:
            return self._largest
        return float(np.percentile(np.concatenate(self._kept), self.converter.percentile))

    def state(self) -> np.ndarray:
        """Return (calibrated range, unsigned) as float64, the range NaN where there is none."""
        full = np.nan if self._calibrated is None else self._calibrated
        return np.array([full, self.unsigned], dtype=np.float64)

    def load(self, state: np.ndarray) -> None:
        """Take over :meth:`state`; a range that is not positive and finite is refused."""
        full = float(state[0])
        if not np.isnan(full) and not 0 < full <= LARGEST:
            raise ChipError(f"{self.name}: the range is {full:g}: allowed are positive numbers up to {LARGEST:g}")
        self.observing, self.unsigned, self._zeros = False, bool(state[1]), False
        self._calibrated = None if np.isnan(full) else full


class Converters:
    """DAC and ADC of both directions of a crossbar; several crossbars may share them. See :func:`calibrating`.

    Parameters
    ----------
    chip : chip.Chip
        Its ``dac`` and ``adc``.
    name : str
        For messages.
    """

    def __init__(self, chip: chip.Chip, name: str = "crossbar") -> None:
        self.quantisers: dict[str, Quantiser] = {}
        self.whole = chip.crossbar.mapping == "offset" and chip.crossbar.reference == "digital"
        for way in ("forward", "transposed"):
            dac = Quantiser(chip.dac, f"{name} {way} dac")
            self.quantisers |= {f"{way}.dac": dac, f"{way}.adc": Quantiser(chip.adc, f"{name} {way} adc", dac)}

    def of(self, way: str) -> tuple[Quantiser, Quantiser]:
        """Return DAC and ADC of ``"forward"`` or ``"transposed"``."""
        return self.quantisers[f"{way}.dac"], self.quantisers[f"{way}.adc"]

    def assume(self, forward: bool, transposed: bool) -> None:
        """Say of what each direction is driven with whether it can never be negative.

        Sensed currents can, but for whole currents of single devices, ahead of a digital reference.
        """
        for way, nonnegative in (("forward", forward), ("transposed", transposed)):
            dac, adc = self.of(way)
            dac.nonnegative, adc.nonnegative = nonnegative, nonnegative and self.whole

    def observe(self, on: bool = True) -> None:
        """Begin to collect calibration samples, or stop; signals pass through meanwhile."""
        for quantiser in self.quantisers.values():
            quantiser.observe(on)

    def freeze(self) -> None:
        """Set the ranges from the samples; a converter that saw none keeps what it had."""
        for quantiser in self.quantisers.values():
            if quantiser.sampled:
                quantiser.freeze()
            quantiser.observe(False)
