"""DAC and ADC: a uniform quantiser with noise ahead of it, its range fixed or calibrated on samples and then frozen.

    y = clip(rint((x + noise range z)/step) step, low, high)          round half to even

signed     step = 2 range/(2^bits - 2), from -range to range: 2^bits - 1 levels, zero among them
unsigned   step = range/(2^bits - 1), from 0 to range: 2^bits levels
stochastic rint(x/step + U(-1/2, 1/2)) step: up or down at random, x as mean, standard deviation step sqrt(p (1 - p))

Without bits a converter with a range clips to it. This is the convention of aihwkit (Rasch et al., AICAS 2021) and of
CrossSim's sign-magnitude converters (Xiao et al., CrossSim 3). A calibrated range is margin times a percentile of |x|
over calibration samples, never that of the batch at hand; it stays what it was until calibrated again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hw_models import chip, noise_kernels
from hw_models.errors import ChipError

MOST = 2**20
"""Most calibration values kept; of more, every second, fourth, ... in the order seen."""


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

    Attributes
    ----------
    unsigned : bool
        Whether it starts at 0.
    nonnegative : bool or None
        Whether the signal can never be negative, for sign "auto"; None leaves it to the samples.
    observing : bool
        Whether it collects samples, and passes signals through unchanged.
    """

    def __init__(self, converter: chip.Converter, name: str, ahead: Quantiser | None = None) -> None:
        self.converter, self.name, self.ahead = converter, name, ahead
        self._acts, self._full, self._share = converter.acts, converter.range, converter.noise
        self._calibrated: float | None = None
        self._levels: tuple[tuple[float, bool], Grid] = (-1.0, False), OPEN
        self.unsigned = converter.sign == "unsigned"
        self.nonnegative: bool | None = None
        self.observing = False
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
        full = self.range
        if full is None:
            raise ChipError(f"{self.name}: its range is neither set nor calibrated; calibrate it on samples first")
        if self._levels[0] != (full, self.unsigned):
            self._levels = (full, self.unsigned), grid(self.converter.bits, full, self.unsigned)
        return self._levels[1]

    @property
    def noise(self) -> float:
        """Standard deviation of its noise as a signal; 0 where nothing acts."""
        return self._share * (self.range or 0.0) if self._share and self.acts else 0.0

    def __call__(self, values: np.ndarray, key: np.ndarray, step: int, tile: int = 0, first_row: int = 0) -> np.ndarray:
        """Return values (rows, n) converted; the very array where nothing acts.

        Parameters
        ----------
        values : numpy.ndarray
            (rows, n), C-contiguous, float32 or float64.
        key : numpy.ndarray
            Key of noise and stochastic rounding.
        step, tile, first_row : int
            Counter of the draws; noise takes tile 2 tile, rounding 2 tile + 1.
        """
        levels = self.grid
        if levels is OPEN:
            return values
        ahead, noise = values, self.noise
        out = np.empty_like(values)
        if noise:
            ahead, sigma = values.copy(), np.full(len(values), noise, dtype=values.dtype)
            out[:] = 0
            noise_kernels.sense(ahead, sigma, key, step, 2 * tile, first_row, *self._noiseless(levels), 1.0, out, 0)
            if not self.converter.stochastic:
                return out
        if self.converter.stochastic:
            noise_kernels.convert_stochastic(ahead, out, *levels, key, step, 2 * tile + 1, first_row)
        else:
            noise_kernels.convert(ahead, out, *levels)
        return out

    def _noiseless(self, levels: Grid) -> Grid:
        return OPEN if self.converter.stochastic else levels

    def _forget(self) -> None:
        self._kept: list[np.ndarray] = []
        self._count, self._stride, self._seen = 0, 1, 0
        self._largest, self._lowest = 0.0, np.inf

    def observe(self, on: bool = True) -> None:
        """Begin to collect calibration samples anew, or stop without a new range."""
        self.observing = on
        self._forget()

    def sample(self, values: np.ndarray) -> None:
        """Take values as calibration samples; at most 2^20 of them are kept, largest and smallest exactly.

        Raises
        ------
        ChipError
            If one is not finite.
        """
        if not self.converter.calibrates or not values.size:
            return
        flat = values.ravel()
        low, high = float(flat.min()), float(flat.max())
        if not np.isfinite([low, high]).all():
            raise ChipError(f"{self.name}: a calibration sample is not finite")
        self._largest = max(self._largest, abs(low), abs(high))
        self._lowest = min(self._lowest, low)
        if self.converter.percentile < 100:
            self._keep(np.abs(flat[-self._seen % self._stride :: self._stride]).astype(np.float32))
        self._seen += flat.size

    def _keep(self, values: np.ndarray) -> None:
        self._kept.append(values)
        self._count += values.size
        while self._count > MOST:
            self._kept = [np.concatenate(self._kept)[::2]]
            self._count, self._stride = self._kept[0].size, self._stride * 2

    @property
    def sampled(self) -> bool:
        """Whether it has seen samples since :meth:`observe`."""
        return self._lowest < np.inf

    def freeze(self) -> None:
        """Set range and sign from the samples and stop observing; does nothing where the range is fixed.

        Raises
        ------
        ChipError
            If there were no samples.
        """
        self.observing = False
        if not self.converter.calibrates:
            return
        if not self.sampled:
            raise ChipError(f"{self.name}: no calibration samples")
        share = self.converter.percentile
        level = self._largest if share == 100 else float(np.percentile(np.concatenate(self._kept), share))
        if self.converter.sign == "auto":
            self.unsigned = self._lowest >= 0 if self.nonnegative is None else self.nonnegative
        self._calibrated = float(self.converter.margin * level) or 1.0
        self._forget()

    def state(self) -> np.ndarray:
        """Return (calibrated range, unsigned) as float64, the range NaN where there is none."""
        full = np.nan if self._calibrated is None else self._calibrated
        return np.array([full, self.unsigned], dtype=np.float64)

    def load(self, state: np.ndarray) -> None:
        """Take over :meth:`state`."""
        self.observing, self.unsigned = False, bool(state[1])
        self._calibrated = None if np.isnan(state[0]) else float(state[0])


class Converters:
    """DAC and ADC of both directions of a crossbar; several crossbars may share them.

    Parameters
    ----------
    chip : chip.Chip
        Its ``dac`` and ``adc``.
    name : str
        For messages.
    """

    def __init__(self, chip: chip.Chip, name: str = "crossbar") -> None:
        self.quantisers: dict[str, Quantiser] = {}
        for way in ("forward", "transposed"):
            dac = Quantiser(chip.dac, f"{name} {way} dac")
            self.quantisers |= {f"{way}.dac": dac, f"{way}.adc": Quantiser(chip.adc, f"{name} {way} adc", dac)}

    def of(self, way: str) -> tuple[Quantiser, Quantiser]:
        """Return DAC and ADC of ``"forward"`` or ``"transposed"``."""
        return self.quantisers[f"{way}.dac"], self.quantisers[f"{way}.adc"]

    def assume(self, forward: bool, transposed: bool) -> None:
        """Say of what each direction is driven with whether it can never be negative; sensed currents can."""
        for way, nonnegative in (("forward", forward), ("transposed", transposed)):
            dac, adc = self.of(way)
            dac.nonnegative, adc.nonnegative = nonnegative, False

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
