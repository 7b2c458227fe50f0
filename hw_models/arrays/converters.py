"""DAC and ADC: a uniform quantiser with noise ahead of it, its range fixed or calibrated on samples and then frozen.

    y = clip(rint((x + noise range z)/step) step, low, high)          round half to even

signed     step = 2 range/(2^bits - 2), from -range to range: 2^bits - 1 levels, zero among them
unsigned   step = range/(2^bits - 1), from 0 to range: 2^bits levels
stochastic rint(x/step + U(-1/2, 1/2)) step: up or down at random, x as mean, standard deviation step sqrt(p (1 - p))

Without bits a converter with a range clips to it. This is the convention of aihwkit (Rasch et al., AICAS 2021) and of
CrossSim's sign-magnitude converters (Xiao et al., CrossSim 3). A reading is at the stop where x, noise and rounding in,
lies beyond the last level. The ADC of an array does the same within the product, in :mod:`hw_models.kernels.noise`.

DAC, ADC, the digitiser of neuron and attention states, and the read-out of the phases are all a :class:`Digitiser`: it
has bits, range and sign, rounds, adds noise, is calibrated (:mod:`hw_models.arrays.calibration`) and counts. The ADC of
a crossbar works fused into the product (:mod:`hw_models.arrays.reading`) with the grid and the noise it is told here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hw_models.arrays.calibration import CALIBRATE, Samples
from hw_models.chip import description as chip
from hw_models.chip.fields import LARGEST, SMALLEST
from hw_models.errors import ChipError
from hw_models.kernels import noise as noise_kernels
from hw_models.kernels.arithmetic import Stops, Values, arithmetic
from hw_models.kernels.random import normals
from hw_models.tally import Tally


class Grid(NamedTuple):
    """Levels of a converter: multiples of ``step`` in [low, high]; step 0 only clips, below 0 changes nothing."""

    step: float
    low: float
    high: float


ROUNDING = 1e-6
"""Share of full scale within which a signal in single precision has not changed."""
OPEN = Grid(-1.0, 0.0, 0.0)
"""The grid that changes nothing."""


def grid(bits: int | None, range: float, unsigned: bool) -> Grid:
    """Return the grid of a converter with that full scale; without bits it clips."""
    low = 0.0 if unsigned else -range
    if bits is None:
        return Grid(0.0, low, range)
    return Grid(range / (2**bits - 1) if unsigned else range / (2 ** (bits - 1) - 1), low, range)


class Digitiser:
    """One bank of converters with a common range.

    Parameters
    ----------
    converter : chip.Converter
        Bits, range, noise.
    name : str
        For messages, for example ``"hidden forward adc"``.
    ahead : Digitiser, optional
        The converter whose full scale is the unit of a fixed range, as the DAC's is of an ADC.
    noise_of : Digitiser, optional
        The converter whose full scale is the unit of the noise; default this one. Noise of another one may exceed the
        signal by far: the range has to hold both, and calibration samples are taken with it.
    tally : Tally, optional
        Where :meth:`digitise` writes what it does; default one of its own.
    changes_of : Digitiser, optional
        The converter of the signal whose changes this one converts. Changes within rounding of its full scale,
        :data:`ROUNDING`, are none, and give no range; without any its range is that full scale.

    Attributes
    ----------
    unsigned : bool
        Whether it starts at 0.
    nonnegative : bool or None
        Whether the signal can never be negative, for sign "auto"; None leaves it to the samples.
    observing : bool
        Whether it collects samples, and passes signals through unchanged.
    version : int
        How often what it does to signals may have changed.
    blank : float or None
        Range after a first calibration whose samples were all 0; None leaves it uncalibrated.
    relative : bool
        Whether a calibrated range counts in full scales of the converter ahead, as its samples do then.
    stops : bool
        Whether a value beyond the last level is counted; not where a signal ends there by its nature.
    """

    def __init__(
        self,
        converter: chip.Converter,
        name: str,
        ahead: Digitiser | None = None,
        noise_of: Digitiser | None = None,
        tally: Tally | None = None,
        changes_of: Digitiser | None = None,
    ) -> None:
        self.converter, self.name, self.ahead, self.noise_of = converter, name, ahead, noise_of
        self.changes_of = changes_of
        self._acts, self._full, self._share = converter.acts, converter.range, converter.noise
        self._calibrated: float | None = None
        self._levels: tuple[tuple[float, bool], Grid] = (-1.0, False), OPEN
        self.unsigned = converter.sign == "unsigned"
        self.nonnegative: bool | None = None
        self.observing, self.version = False, 0
        self.blank: float | None = 1.0
        self.relative = False
        self.tally, self.stops = Tally() if tally is None else tally, True
        self._zeros = False
        self.samples = Samples(name, converter.percentile)

    @property
    def conversions(self) -> int:
        """Values that :meth:`digitise` has converted to bits."""
        return self.tally.number("conversion", part=self.name)

    @property
    def at_stop(self) -> int:
        """Values of those, and of clipped ones, that lay beyond the last level."""
        return self.tally.number("conversion_at_stop", part=self.name)

    @property
    def range(self) -> float | None:
        """Full scale as a signal; None where it is still to be calibrated."""
        ahead = (self.ahead.range or 1.0) if self.ahead and (self.relative or self._full is not None) else 1.0
        full = self._calibrated if self._full is None else self._full
        return None if full is None else full * ahead

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

    def check(self) -> None:
        """Refuse a range that cannot be had, as all calibration samples were 0, before it is asked for.

        Raises
        ------
        ChipError
            Naming it.
        """
        if self._zeros:
            self._known()

    def _known(self) -> float:
        """Return the range, which must be known by now."""
        if self.range is not None:
            return self.range
        if self._zeros:
            raise ChipError(f"{self.name}: all its calibration samples were 0, which gives no range")
        raise ChipError(f"{self.name}: its range is neither set nor calibrated; {CALIBRATE}")

    def __call__(
        self,
        values: Values,
        key: np.ndarray,
        step: int,
        tile: int = 0,
        first_row: int = 0,
        noiseless: bool = False,
    ) -> Values:
        """Return values (rows, n) converted; the very array where nothing acts.

        Parameters
        ----------
        values : numpy.ndarray or torch.Tensor
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
        values: Values,
        key: np.ndarray,
        step: int,
        tile: int = 0,
        first_row: int = 0,
        noiseless: bool = False,
        out: Values | None = None,
    ) -> tuple[Values, Stops]:
        """Return values converted as by a call, and how many of them were at the stop.

        ``out`` is written to where given; otherwise the result is a new array, or the very one where nothing acts.
        """
        levels = self.grid
        if levels is OPEN:
            if out is None:
                return values, 0
            out[:] = values
            return out, 0
        math, ahead, noise = arithmetic(values), values, 0.0 if noiseless else self.noise
        out = math.empty(values.shape, values) if out is None else out
        if noise:
            ahead, sigma = math.copied(values), math.full((len(values),), noise, values)
            out[:] = 0
            draws = (key, step, 2 * tile, first_row)
            stops = math.sense(ahead, sigma, draws, self._noiseless(levels), 1.0, out, 0)
            if not self.converter.stochastic:
                return out, stops
        if self.converter.stochastic:
            return out, math.convert_stochastic(ahead, out, levels, (key, step, 2 * tile + 1, first_row))
        return out, math.convert(ahead, out, levels)

    def quantised(
        self, values: np.ndarray, key: np.ndarray | None = None, step: int = 0, tile: int = 0, first_row: int = 0
    ) -> int:
        """Convert values in place, without noise, and return how many were at the stop.

        With a key rounding is stochastic where the converter's is; tile and first row are the counter of its draws.
        """
        if key is not None and self.converter.stochastic:
            return int(noise_kernels.convert_stochastic(values, values, *self.grid, key, step, tile, first_row))
        return int(noise_kernels.convert(values, values, *self.grid))

    def _noiseless(self, levels: Grid) -> Grid:
        return OPEN if self.converter.stochastic else levels

    def digitise(
        self, values: Values, key: np.ndarray, step: int, tile: int = 0, out: Values | None = None
    ) -> Values:
        """Convert what a part shows, and count it; while observing it is a sample, and passes unchanged.

        Parameters
        ----------
        values : numpy.ndarray or torch.Tensor
            (rows, n).
        key, step, tile
            Of the draws, as in a call.
        out : numpy.ndarray or torch.Tensor, optional
            C-contiguous to write to.
        """
        math = arithmetic(values)
        values = math.contiguous(values)
        if self.observing:
            self.sample(self._with_noise(math.host(values), key, step, tile))
        bits, width = self.converter.bits, tuple(values.shape[1:])
        if bits is not None:
            self.tally.add(self.name, "conversion", math.size(values), width, bits)
        converted, stops = self.converted(values, key, step, tile, out=out)
        if self.stops:
            self.tally.add_late(self.name, "conversion_at_stop", stops, width, bits)
        return converted

    def _with_noise(self, values: np.ndarray, key: np.ndarray, step: int, tile: int) -> np.ndarray:
        """Return samples with their noise, where it is in units of another converter, as it will be once calibrated."""
        if self.noise_of is None or not self._share:
            return values
        z = normals(key, step, 2 * tile, values.shape, dtype=values.dtype.name)
        return values + values.dtype.type(self._share * self.noise_of.foreseen) * z

    def observe(self, on: bool = True) -> None:
        """Begin to collect calibration samples anew, or stop without a new range."""
        self.observing, self.version = on, self.version + 1
        self.samples.forget()

    def sample(self, values: np.ndarray) -> None:
        """Take values as calibration samples, where the range is calibrated.

        Raises
        ------
        ChipError
            If one is not finite, or beyond 1e30, and there is no range to keep; it observes no longer.
        """
        if not self.converter.calibrates or not values.size:
            return
        if not self.samples.take(values) and self._calibrated is None:
            self.observe(False)
            raise ChipError(f"{self.name}: a calibration sample is not finite, or beyond {LARGEST:g}")

    @property
    def sampled(self) -> bool:
        """Whether it has seen samples since :meth:`observe`."""
        return self.samples.lowest < np.inf

    def freeze(self) -> None:
        """Set range and sign from the samples and stop observing; does nothing where the range is fixed.

        A range from before stays where the samples were all 0, changes within rounding, or one of them not finite.

        Raises
        ------
        ChipError
            If there were no samples.
        """
        self.observing, self.version = False, self.version + 1
        if not self.converter.calibrates:
            return
        if not self.sampled and not self.samples.spoiled:
            raise ChipError(f"{self.name}: no calibration samples")
        full = 0.0 if self.samples.spoiled else min(self.foreseen, LARGEST)
        whole = self.changes_of.range if self.changes_of is not None else None
        first, found = self._calibrated is None, full >= max(SMALLEST, ROUNDING * (whole or 0.0))
        if first or found:
            self._calibrated, self._zeros = full if found else whole or self.blank, not found
            if self.converter.sign == "auto":
                self.unsigned = found and self.samples.lowest >= 0 if self.nonnegative is None else self.nonnegative
        self.samples.forget()

    def at_least(self, full: float | None) -> None:
        """Let a calibrated range reach so far as a signal, where its samples showed less than there will be."""
        if not self.converter.calibrates or self._calibrated is None or full is None:
            return
        ahead = (self.ahead.range or 1.0) if self.ahead and self.relative else 1.0
        self._calibrated, self.version = max(self._calibrated, full / ahead), self.version + 1

    @property
    def foreseen(self) -> float:
        """The range that the samples so far would give, 0 where all of them are."""
        return float(self.converter.margin * self.samples.level())

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
        self.version += 1
        self._calibrated = None if np.isnan(full) else full
