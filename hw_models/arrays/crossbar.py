"""A crossbar: one weight matrix on devices, read in both directions through converters.

Signal path of a product, forward with x (rows, in) and transposed with s (rows, out), w_scale the weight held at g_max:

    DAC of every signal -> currents of every tile, sums over its lines -> read noise -> ADC of every tile and output
    -> digital sum over tiles and slices, times w_scale (and the drift compensation)

Forward drives row tiles of ``crossbar.rows`` inputs; transposed drives column tiles of ``crossbar.columns`` outputs and
senses the rows of the same devices. Currents are in units of a: one device pair at full swing driven with signal 1 is
1. The full scale of an ADC is its range times the DAC's range (1 without one); forward and transposed have converters
of their own. Noise of an ADC adds to the read noise ahead of its quantiser. The offset mapping with a digital reference
converts whole currents, 2 G/span per signal, and subtracts the middle from the sum over tiles and slices, behind the
drift compensation, as often as the sum of the DAC's codes (mapping.py): of the ADC's range the middle takes its part.

Read noise is drawn anew in every read, once per tile output with the variance of the sum over devices (tiles.py), or
with ``exact_noise`` for every device and sample. Reference lines of the offset mapping add one draw per sample and tile
to all outputs of that tile; transposed, their devices add to the outputs by the square of what drives them. Behind
wires a device's noise goes by the voltage across it and reaches all outputs of its tile (line_noise.py).

Time: :attr:`Crossbar.clock` is when devices are written, reads come :attr:`Crossbar.ahead` seconds later, by default
``device.age``: what is programmed reads as old as the chip says. Whoever learns goes on from the moment of its reads,
:meth:`Crossbar.elapse`, so that what it writes is fresh, or reads at once from the start, :meth:`Crossbar.read_at`.

Counted, with r row tiles, c column tiles and s slices, for every sample of a product:

              forward              transposed
    dac       in c s               (out + reference lines) r s     a line has a DAC in every tile that it drives
    adc       out r s              in c s                          a reference column's current goes before the ADC
    additions out (r s - 1)        in (c s - 1)                    of converted sums, shifts of slices in
    reads     every device         every device                    those of reference lines in

The sum that drives reference lines takes out - c additions more; a digital reference those of the driven signals' sum
and one subtraction for each result, in - 1 + out forward and out - 1 + in transposed. Readings at the stop are those of
a DAC or ADC that lie beyond its last level, the ADC's by direction. Draws belong to (seed, name, direction, occasion),
the number of the read, the tile and the sample.

Source: signal path as in aihwkit (Rasch et al., AICAS 2021) and CrossSim; output-referred noise by the variance of a
sum of independent terms.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hw_models.arrays.parts import CrossbarParts
from hw_models.arrays.programming import PROGRAMMING, Array, Devices
from hw_models.arrays.reading import COLUMNS, Keys, Product
from hw_models.arrays.tiles import Plane, Tiles
from hw_models.chip import Chip
from hw_models.chip.files import chip_of
from hw_models.errors import ChipError
from hw_models.kernels.blocks import Run, blocks, serial
from hw_models.kernels.random import key
from hw_models.keywords import checked
from hw_models.text import shown

ROWS = 2048
"""Most samples of one block of an exact product."""
COUNTERS = (
    "dac", "adc", "adc_transposed", "reads", "writes", "additions", "dac_at_stop", "adc_forward_at_stop",
    "adc_transposed_at_stop",
)  # fmt: skip
"""What a crossbar counts; see the module. ``adc`` is of both directions, ``adc_transposed`` of one of them."""


class Crossbar:
    """Weights on the devices of a chip.

    Parameters
    ----------
    parts : CrossbarParts, Chip, str or Path
        Layout, device, wires and converters; or a chip, its name or file, for those of its crossbars.
    shape : tuple of int
        (out, in).
    seed : int
        Seed of all draws.
    name : str
        Name of the array: part of every key, and in messages.
    run : callable, optional
        ``run(task, parts)`` calls ``task(first, last)`` for every part and returns the results in order.
    dtype : str
        float32 or float64, of signals and matrices; conductances are float32.

    Attributes
    ----------
    reads, programmings : int
        Products and programmings so far.
    counters : dict of str to int
        By the names of :data:`COUNTERS`.
    told : dict of str to int
        The counters when :meth:`news` was asked last.
    step : int
        Products since :meth:`begin`: with its occasion the key of the draws of reads.
    weight_range : float
        w_scale; NaN before the first programming.
    clock : float
        Now, for all that is written [s].
    ahead : float
        How much later devices are read [s].
    converters : Converters
        DAC and ADC; may be replaced by shared ones.
    """

    @checked(ChipError)
    def __init__(
        self,
        parts: CrossbarParts | Chip | str | Path,
        shape: tuple[int, int],
        seed: int = 0,
        name: str = "crossbar",
        run: Run = serial,
        dtype: str = "float32",
    ) -> None:
        shape = _shape(name, shape)
        made = parts if isinstance(parts, CrossbarParts) else CrossbarParts.of(chip_of(parts), name)
        self.layout, self.device, self.wires, self.converters, self.in_memory = made
        self.shape, self.seed, self.name, self.run = shape, seed, name, run
        self.dtype = np.dtype(dtype)
        self._most = float(np.finfo(dtype).max)
        self.devices = Devices(made, shape, seed, name, dtype)
        self.tiles = Tiles(self.devices)
        noisy, fixed = self.device.read_noise > 0, self.layout.weight_range is not None
        physical = self.devices.writes or self.devices.bends or self.device.ages or noisy or fixed
        self.ideal = not (physical or made.converts or self.in_memory)
        self.reads = self.programmings = 0
        self.counters, self.told = dict.fromkeys(COUNTERS, 0), dict.fromkeys(COUNTERS, 0)
        self.weight_range = float("nan")
        self.compensation = 1.0
        self._held, self._fresh, self._builds = np.zeros(shape, dtype=self.dtype), False, 0
        self.clock, self.ahead, self._looking = 0.0, self.device.age, False
        self._seen = None if self.devices.written_at is None else np.zeros(shape, dtype=self.dtype)
        self.planes: list[Plane] = []
        self._row_edges = np.array([0] + [b for _, b in self.devices.row_tiles])
        self._column_edges = np.array([0] + [b for _, b in self.devices.column_tiles])
        self.keys: dict[str, Keys] = {}
        self.begin()

    def begin(self, *occasion: str | int) -> None:
        """Key the draws of reads and programmings by this occasion from now on, and number the reads anew."""
        self.step, self._occasion = 0, occasion
        for way in ("forward", "transposed"):
            names = (key(self.seed, self.name, way, what, *occasion) for what in Keys._fields)
            self.keys[way] = Keys(*names)

    def program(self, weight: Array) -> None:
        """Write all devices; the first time this fixes the weight range.

        Parameters
        ----------
        weight : numpy.ndarray
            (out, in), copied; beyond the weight range it is cut.

        Raises
        ------
        ChipError
            If the shape is another one, a weight is not finite or beyond the dtype, or wires cannot be solved.
        """
        self._check_writable()
        largest = self._largest("weights", weight)
        if np.isnan(self.weight_range):
            bar = self.layout
            full = bar.weight_range or bar.weight_headroom * largest or 1.0
            if not full <= self._most:
                what = f"weight_headroom times the largest weight is {full:g}"
                raise ChipError(f"{self.name}: {what}, beyond {self.dtype}")
            self.weight_range = full
        self.programmings += 1
        self.counters["writes"] += self.devices.count
        self.devices.rekey(*self._occasion)
        self.devices.now = self.clock
        self.devices.rewritten()
        self.planes, self._fresh = [], True
        self._hold(weight)
        if self.in_memory:
            if self.devices.writes:
                self._held[:] = self.devices.realised(self._held, self.programmings, self.run)
            self._fresh = False
        if self._seen is not None:
            self._seen[:] = self._held
        self.refresh()

    def _largest(self, what: str, weight: Array) -> float:
        """Return the largest |weight| of a matrix that devices can be written with; refuse others."""
        if not isinstance(weight, np.ndarray) or weight.dtype.kind not in "fiub":
            given = weight.dtype if isinstance(weight, np.ndarray) else type(weight).__name__
            raise ChipError(f"{self.name}: {what} are {given}: an array of numbers of shape {self.shape} is needed")
        if weight.shape != self.shape:
            raise ChipError(f"{self.name}: {what} of shape {weight.shape}, the crossbar holds {self.shape}")
        largest = float(np.abs(weight).max(initial=0))
        if not largest <= self._most:
            bad = weight.size - np.count_nonzero(np.abs(weight) <= self._most)
            raise ChipError(f"{self.name}: {bad} of {weight.size} {what} are not finite, or beyond {self.dtype}")
        return largest

    def _hold(self, weight: Array) -> None:
        if self.ideal:
            self._held[:] = weight
        else:
            np.divide(weight, self.weight_range, out=self._held, casting="same_kind")
            np.clip(self._held, -1, 1, out=self._held)

    def refresh(self) -> None:
        """Rebuild the matrices of products after :attr:`stored` has changed in place; no programming noise.

        Devices whose weight has changed count as written now; the others go on to drift.

        Raises
        ------
        ChipError
            If a weight is no longer finite; the matrices are then those from before.
        """
        self._check_writable()
        if self.ideal:
            return
        if self.in_memory:
            self._largest("stored weights", self._held)
        if self._seen is not None:
            self.devices.touched(self._held != self._seen, self.clock)
            self._seen[:] = self._held
        solve = self.devices.wired and self._builds % self.wires.refresh_every == 0
        self._build(solve)
        self._builds += 1

    def read_at(self, seconds: float) -> None:
        """Read so many seconds after what is written now, from the next product on; nothing is written.

        Raises
        ------
        ChipError
            If the time is not a finite number from 0.
        """
        if not 0 <= seconds < np.inf:
            raise ChipError(f"{self.name}: read_at = {seconds} s: allowed are finite times from 0")
        if seconds == self.ahead:
            return
        self._look(seconds, solve=self.devices.wired)

    def _look(self, seconds: float, solve: bool) -> None:
        self.ahead = seconds
        if self.programmings and not self.ideal and self.device.ages:
            self._build(solve)

    def elapse(self) -> None:
        """Let the clock go on to the moment of the reads: what is written next is written then, and read at once."""
        self.clock, self.ahead = self.clock + self.ahead, 0.0

    @contextmanager
    def later(self, seconds: float) -> Iterator[None]:
        """Read so much later inside, and go on outside as if nothing had been; nothing may be written inside.

        Where wires keep an attenuation, ``wires.refresh_every``, it is the one of the last refresh.
        """
        before, planes, compensation, looking = self.ahead, self.planes, self.compensation, self._looking
        self._looking = True
        if seconds != before:
            self._look(seconds, solve=self.devices.wired and not self.tiles.kept)
        try:
            yield
        finally:
            self.ahead, self.planes, self.compensation, self._looking = before, planes, compensation, looking
            self.devices.now = self.clock + before

    def _check_writable(self) -> None:
        if self._looking:
            raise ChipError(f"{self.name}: nothing can be written while the devices are read later than now")

    def _build(self, solve: bool) -> None:
        self.devices.now = self.clock + self.ahead
        self.planes = []
        self.tiles.allot()
        self.planes, ratio = self.tiles.planes(self._held, self._fresh, self.programmings, solve, self.run)
        self.compensation = ratio if self.device.drift_compensation else 1.0

    @property
    def stored(self) -> Array:
        """Normalised weights (out, in) as programming left them.

        Where weights change in memory it is the array itself, to be changed in place and followed by
        :meth:`refresh`; otherwise a copy. A pair is then kept as its difference, one of its devices at g_min.
        """
        if self.in_memory:
            return self._held
        if self.ideal:
            return self._held / self.dtype.type(self.weight_range)
        if self._fresh and (self.devices.writes or self.devices.slices > 1):
            return self.devices.realised(self._held, self.programmings, self.run)
        return self._held.copy()

    def weights(self) -> Array:
        """Return the mean effective weights (out, in): what products have as their mean without converters."""
        if self.ideal:
            return self._held.copy()
        total = np.zeros(self.shape, dtype=self.dtype)
        for plane in self.planes:
            total += plane.mean * self.dtype.type(self.factor(plane))
        return total

    def conductances(self) -> tuple[Array, Array]:
        """Return (G+, G-), or (G, its reference), as they conduct now, without wires [uS]; (slices, out, in) each."""
        held = self.stored if self.ideal else self._held
        return self.devices.conductances(held, self._fresh, self.programmings)

    def expected(self, x: Array) -> Array:
        """Return the product without converters and noise; nothing is drawn or counted."""
        return self._ideal_forward(np.asarray(x, dtype=self.dtype), self.weights())

    def expected_transposed(self, s: Array) -> Array:
        """Return the transposed product without converters and noise; nothing is drawn or counted."""
        return self._ideal_transposed(np.asarray(s, dtype=self.dtype), self.weights())

    def factor(self, plane: Plane) -> float:
        """Return what turns currents of a slice into weight units."""
        return self.weight_range * self.compensation * plane.factor

    def _ideal_forward(self, x: Array, weight: Array) -> Array:
        """Return ``x @ weight.T``; long sums are cut into fixed blocks and added in order."""
        outputs, inputs = self.shape
        if inputs <= COLUMNS:
            result = np.empty((len(x), outputs), dtype=self.dtype)
            self.run(lambda a, b: np.matmul(x[a:b], weight.T, out=result[a:b]), blocks(len(x), ROWS))
            return result
        parts = self.run(lambda a, b: x[:, a:b] @ weight[:, a:b].T, blocks(inputs, COLUMNS))
        for part in parts[1:]:
            parts[0] += part
        return parts[0]

    def _ideal_transposed(self, s: Array, weight: Array, out: Array | None = None) -> Array:
        result = np.empty((len(s), self.shape[1]), dtype=self.dtype) if out is None else out
        self.run(lambda a, b: np.matmul(s, weight[:, a:b], out=result[:, a:b]), blocks(self.shape[1], COLUMNS))
        return result

    def forward(self, x: Array) -> Array:
        """Return the read product (rows, out) of signals (rows, in), in weight units.

        Raises
        ------
        ChipError
            If nothing is programmed yet, or the signals have another shape.
        """
        self._check_signals("forward", x, self.shape[1])
        self._count("forward", len(x))
        if self.ideal:
            return self._ideal_forward(x, self._held)
        return self._read("forward", x, self._row_edges)

    def transposed(self, s: Array, out: Array | None = None) -> Array:
        """Return the read product (rows, in) of signals (rows, out) with the same devices; errors as forward."""
        self._check_signals("transposed", s, self.shape[0])
        self._count("transposed", len(s))
        if self.ideal:
            return self._ideal_transposed(s, self._held, out)
        result = self._read("transposed", s, self._column_edges)
        if out is None:
            return result
        out[:] = result
        return out

    def _read(self, way: str, signals: Array, edges: Array) -> Array:
        """Return a product; where it fails no converter goes on observing."""
        try:
            product = Product(self, way, signals, edges)
            result: Any = getattr(product, way)()
        except BaseException:
            self.observe(False)
            raise
        self.counters["dac_at_stop"] += product.driven_at_stop
        self.counters[f"adc_{way}_at_stop"] += product.sensed_at_stop
        return result

    def _check_signals(self, way: str, signals: Array, lines: int) -> None:
        if not isinstance(signals, np.ndarray) or signals.dtype.kind not in "fiub":
            given = f"are {signals.dtype if isinstance(signals, np.ndarray) else type(signals).__name__}"
        elif signals.ndim != 2 or signals.shape[1] != lines:
            given = f"have shape {signals.shape}"
        else:
            return
        raise ChipError(f"{self.name}: signals of {way} {given}: an array of numbers (rows, {lines}) is needed")

    def _count(self, way: str, samples: int) -> None:
        if not self.programmings:
            raise ChipError(f"{self.name}: nothing is programmed yet")
        self.reads += 1
        self.step += 1
        dac, adc, additions = self.work(way)
        self.counters["dac"] += samples * dac
        self.counters["adc"] += samples * adc
        self.counters["adc_transposed"] += samples * adc * (way == "transposed")
        self.counters["additions"] += samples * additions
        self.counters["reads"] += samples * self.devices.count

    def work(self, way: str) -> tuple[int, int, int]:
        """Return DAC conversions, ADC conversions and digital additions of one sample's product; see the module."""
        own, (outputs, inputs) = self.devices, self.shape
        rows, columns, slices = len(own.row_tiles), len(own.column_tiles), own.slices
        middle = max(inputs + outputs - 1, 0) if own.digital else 0
        if way == "forward":
            return inputs * columns * slices, outputs * rows * slices, outputs * (rows * slices - 1) + middle
        summed = outputs - columns if own.references else middle
        driven = (outputs + own.references) * rows * slices
        return driven, inputs * columns * slices, inputs * (columns * slices - 1) + summed

    def news(self) -> dict[str, int]:
        """Return what the counters have grown by since this was asked last."""
        grown = {name: number - self.told[name] for name, number in self.counters.items()}
        self.told = dict(self.counters)
        return grown

    def observe(self, on: bool = True) -> None:
        """Begin to collect calibration samples, or stop; signals pass the converters unchanged meanwhile.

        A product that fails ends it; :func:`hw_models.arrays.calibration.calibrating` ends it whatever fails.
        """
        self.converters.observe(on)

    def freeze(self) -> None:
        """Set the ranges of the converters from the samples."""
        self.converters.freeze()

    def state(self) -> dict[str, Array]:
        """Return everything that decides later products as arrays by short name, copied.

        The occasion is left out, and how long after the last write devices are read: whoever loads chooses both.
        """
        counts = [self.programmings, self.reads, self.step, self._builds, self._fresh]
        counts += [*self.counters.values(), *self.told.values()]
        written = {} if self.devices.written_at is None else {"written": self.devices.written_at.copy()}
        found = {
            "held": self._held.copy(),
            "weight_range": np.array(self.weight_range),
            "counts": np.array(counts, dtype=np.int64),
            "times": np.array([self.clock, self.devices.since]),
            "keys": np.array([self.devices.keys[what] for what in PROGRAMMING]),
            "ranges": np.array([digitiser.state() for digitiser in self.converters.digitisers.values()]),
        }
        return found | written | {name: values.copy() for name, values in self.tiles.kept.items()}

    def load(self, state: Mapping[str, Array], weight: Array | None = None) -> None:
        """Take over :meth:`state`: later products are bit for bit those of the crossbar it is from.

        Parameters
        ----------
        state : mapping
            From :meth:`state`; "held" may be left out if ``weight`` is given.
        weight : numpy.ndarray, optional
            (out, in), the weights programmed last.

        Raises
        ------
        ChipError
            If a weight or the weight range is not finite.
        """
        self._check(state, weight)
        self.weight_range = float(state["weight_range"])
        self.programmings, self.reads, self.step, self._builds, fresh, *counted = (int(n) for n in state["counts"])
        self._fresh = bool(fresh)
        both = counted[: len(COUNTERS)], counted[len(COUNTERS) :]
        self.counters, self.told = (dict(zip(COUNTERS, numbers, strict=True)) for numbers in both)
        self.clock, self.devices.since = (float(t) for t in state["times"])
        if self.devices.written_at is not None:
            self.devices.written_at[:] = state["written"]
            self.devices.mixed = bool((self.devices.written_at != self.devices.since).any())
        self.devices.keys |= dict(zip(PROGRAMMING, np.array(state["keys"], dtype=np.uint32), strict=True))
        for digitiser, values in zip(self.converters.digitisers.values(), state["ranges"], strict=True):
            digitiser.load(values)
        if "held" in state:
            self._held[:] = state["held"]
        elif weight is not None:
            self._hold(weight)
        if self._seen is not None:
            self._seen[:] = self._held
        if self.programmings and not self.ideal:
            self.tiles.allot()
            self.tiles.networks.clear()  # solutions of what was there before
            for name, values in self.tiles.kept.items():
                values[:] = state[name]
            self._build(solve=self.devices.wired and not self.tiles.kept)

    def _check(self, state: Mapping[str, Array], weight: Array | None) -> None:
        """Refuse a state that devices cannot hold, before anything is taken over."""
        full, programmed = float(state["weight_range"]), int(state["counts"][0]) > 0
        if (programmed or not np.isnan(full)) and not 0 < full <= self._most:
            raise ChipError(f"{self.name}: the weight range is {full:g}: allowed are positive finite numbers")
        if "held" in state:
            self._largest("held weights", np.asarray(state["held"]))
        elif weight is not None:
            self._largest("weights", np.asarray(weight))
        for name in state:
            if name.partition(".")[0] in ("share", "beside") and not np.isfinite(state[name]).all():
                raise ChipError(f"{self.name}: '{name}', what wires leave of a device, is not finite")


def _shape(name: str, shape: tuple[int, int]) -> tuple[int, int]:
    """Return a shape as two whole numbers from 0; an empty matrix is one."""
    try:
        outputs, inputs = map(operator.index, shape)
    except (TypeError, ValueError):
        outputs = inputs = -1
    if min(outputs, inputs) < 0:
        raise ChipError(f"{name}: shape = {shown(shape)}: should be (out, in), two whole numbers from 0")
    return outputs, inputs
