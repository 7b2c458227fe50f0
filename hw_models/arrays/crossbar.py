"""A crossbar: one weight matrix on devices, read in both directions through converters.

Signal path of a product, forward with x (rows, in) and transposed with s (rows, out), w_scale the weight held at g_max:

    DAC of every signal -> currents of every tile, sums over its lines -> read noise -> ADC of every tile and output
    -> digital sum over tiles and slices, times w_scale (and the drift compensation)

Forward drives row tiles of ``crossbar.rows`` inputs; transposed drives column tiles of ``crossbar.columns`` outputs and
senses the rows of the same devices. Currents are in units of a: one device pair at full swing driven with signal 1 is
1. The full scale of an ADC is its range times the DAC's range (1 without one); forward and transposed have converters
of their own. Noise of an ADC adds to the read noise at its input, behind what amplifies the line. The offset mapping
with a digital reference converts whole currents, 2 G/span per signal, and subtracts the middle from the sum over tiles
and slices, behind the drift compensation, as often as the sum of the DAC's codes (programming.py): the middle takes a
part of the ADC's range.

Read noise is drawn anew in every read, once per tile output with the variance of the sum over devices (tiles.py), or
with ``exact_noise`` for every device and sample. Reference lines of the offset mapping add one draw per sample and tile
to all outputs of that tile; transposed, their devices add to the outputs by the square of what drives them. Behind
wires a device's noise goes by the voltage across it and reaches all outputs of its tile (line_noise.py).

Signals are NumPy arrays or torch tensors, and a product is what its signals are: what is written and kept is NumPy's,
the matrices of a read are brought to where the signals lie (:mod:`hw_models.kernels.arithmetic`).

Writing and time: :mod:`hw_models.arrays.stored`; what is counted: :mod:`hw_models.arrays.counted`.

Source: signal path as in aihwkit (Rasch et al., AICAS 2021) and CrossSim; output-referred noise by the variance of a
sum of independent terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np

from hw_models.arrays import digitwise, lasting
from hw_models.arrays.converter_bank import Converters
from hw_models.arrays.counted import COUNTERS, OF_INCREMENTS, CountedWeights
from hw_models.arrays.draw_keys import Keys
from hw_models.arrays.parts import CrossbarParts
from hw_models.arrays.paths import checked_path, transposed_parts
from hw_models.arrays.programming import Array
from hw_models.arrays.read_plan import COLUMNS, ReadPlan
from hw_models.arrays.reading import Product
from hw_models.arrays.sensing import Sensing
from hw_models.arrays.stored import check_name
from hw_models.arrays.variances import Variances
from hw_models.chip import Chip, Transposed
from hw_models.chip.files import chip_of
from hw_models.clock import Clock
from hw_models.errors import ChipError
from hw_models.kernels import products
from hw_models.kernels.arithmetic import NUMPY, ArrayArithmetic, Stops, Values, arithmetic, numbers
from hw_models.kernels.blocks import Run, blocks, serial as one_by_one
from hw_models.keywords import checked
from hw_models.tally import OTHER_PATH, Tally

ROWS = 2048
"""Most samples of one block of an exact product."""


class Crossbar(CountedWeights):
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
    tally : Tally, optional
        Where to write what it does; default one of its own.
    clock : Clock, optional
        Of the chip; by default one that stands still.

    Attributes
    ----------
    reads, programmings : int
        Products and programmings so far.
    tally : Tally
        What it did, alone: samples read ``"forward"`` and ``"transposed"``, devices at each ``"write"``, readings at
        the stop. What a sample takes is :meth:`work`; all of it together :meth:`performed`.
    told : dict of str to int
        The counters when :meth:`news` was asked last.
    step : int
        Products since :meth:`begin`: with its occasion the key of the draws of reads.
    rows_written : int
        Rows, of the tile with most, in which the last programming wrote a device.
    weight_range : float
        w_scale; NaN before the first programming.
    clock : float
        Now, for all that is written [s].
    ahead : float
        How much later devices are read [s].
    converters : Converters
        DAC and ADC; may be replaced by shared ones.
    increments : Converters or None
        Those of changes of signals, :mod:`hw_models.chip.nudged`; the same circuits with ranges of their own.
    other : Crossbar or None
        The array of the transposed path, where it has devices of its own; see :mod:`hw_models.arrays.paths`.
    second : bool
        Whether it is such an array.
    """

    second = False

    @checked(ChipError)
    def __init__(
        self,
        parts: CrossbarParts | Chip | str | Path,
        shape: tuple[int, int],
        seed: int = 0,
        name: str = "crossbar",
        run: Run = one_by_one,
        dtype: str = "float32",
        tally: Tally | None = None,
        clock: Clock | None = None,
    ) -> None:
        check_name(name)
        made = parts if isinstance(parts, CrossbarParts) else CrossbarParts.of(chip_of(parts).acting, name)
        self._plans: dict[tuple[str, bool], ReadPlan] = {}
        self._brought: dict[ArrayArithmetic, Values] = {}
        self._variances = Variances()
        super().__init__(made, shape, seed, name, run, dtype, clock)
        self.reads = 0
        self.tally, self.told = Tally() if tally is None else tally, dict.fromkeys(COUNTERS, 0)
        self._row_edges = np.array([0] + [b for _, b in self.devices.row_tiles])
        self._column_edges = np.array([0] + [b for _, b in self.devices.column_tiles])
        self._keys: dict[tuple[str, int], Keys] = {}
        self._sensing: dict[str, Sensing | None] = {}
        if made.transposed.devices == "own":
            again = transposed_parts(made), shape, seed, f"{name}{OTHER_PATH}", run, dtype
            self.other = Crossbar(*again, tally=Tally(self.tally.now), clock=clock)
            self.other.second = True
        self.begin()

    def begin(self, *occasion: str | int) -> None:
        """Key the draws of reads and programmings by this occasion from now on, and number the reads anew."""
        self.step, self._occasion = 0, occasion
        self._keys.clear()
        if self.other is not None:
            self.other.begin(*occasion)

    def keys(self, way: str, digit: int = 0) -> Keys:
        """Return the keys of the draws of a digit; the lowest one has those of codes that are sent whole."""
        found = self._keys.get((way, digit))
        if found is None:
            occasion = (*self._occasion, "digit", digit) if digit else self._occasion
            found = self._keys[way, digit] = Keys(self.seed, self.name, way, occasion)
        return found

    def expected(self, x: Values) -> Values:
        """Return the product without converters and noise; nothing is drawn or counted."""
        math = arithmetic(x)
        return self._ideal_forward(math.contiguous(x, self.dtype), math.bring(self.weights()))

    def expected_transposed(self, s: Values) -> Values:
        """Return the transposed product without converters and noise; nothing is drawn or counted."""
        array, math = self if self.other is None else self.other, arithmetic(s)
        return self._ideal_transposed(math.contiguous(s, self.dtype), math.bring(array.weights()))

    def _held_on(self, math: ArrayArithmetic) -> Values:
        """Return the weights of ideal devices as some arithmetic computes with them."""
        if math is NUMPY:
            return self._held
        if math not in self._brought:
            self._brought[math] = math.bring(self._held)
        return self._brought[math]

    def _ideal_forward(self, x: Values, weight: Values) -> Values:
        """Return ``x @ weight.T``; long sums are cut into fixed blocks and added in order."""
        math, (outputs, inputs) = arithmetic(x), self.shape
        if not math.in_memory:
            return x @ weight.T
        if math is not NUMPY:
            return math.bring(self._ideal_forward(math.host(x), math.host(weight)))
        if inputs <= COLUMNS:
            result = np.empty((len(x), outputs), dtype=self.dtype)
            self.run(lambda a, b: products.multiply(x[a:b], weight.T, result[a:b]), blocks(len(x), ROWS))
            return result
        parts = self.run(lambda a, b: products.product(x[:, a:b], weight[:, a:b].T), blocks(inputs, COLUMNS))
        for part in parts[1:]:
            parts[0] += part
        return parts[0]

    def _ideal_transposed(self, s: Values, weight: Values, out: Values | None = None) -> Values:
        math = arithmetic(s)
        if not math.in_memory:
            return s @ weight
        if math is not NUMPY:
            return math.bring(self._ideal_transposed(math.host(s), math.host(weight)))
        result = np.empty((len(s), self.shape[1]), dtype=self.dtype) if out is None else out
        self.run(lambda a, b: np.matmul(s, weight[:, a:b], out=result[:, a:b]), blocks(self.shape[1], COLUMNS))
        return result

    def forward(
        self, x: Values, path: str = "own", increments: bool = False, single: Array | None = None
    ) -> Values:
        """Return the read product (rows, out) of signals (rows, in), in weight units.

        Parameters
        ----------
        x : numpy.ndarray or torch.Tensor
            (rows, in).
        path : {"own", "other"}
            Other: of the array of the transposed path, where that has devices of its own.
        increments : bool
            Whether they are changes of signals, which have converters of their own.
        single : numpy.ndarray, optional
            (rows,) the one line that each row drives, where no row drives more.

        Raises
        ------
        ChipError
            If nothing is programmed yet, or the signals have another shape.
        """
        if checked_path(self.name, path) and self.other is not None:
            return self.other.forward(x, increments=increments, single=single)
        self._check_signals("forward", x, self.shape[1])
        if self.ideal:
            self._count("forward", len(x))
            if self.tally.now.metered:
                there = arithmetic(x).host(x)
                self._meter("forward", [(there, there)], 1.0)
            return self._ideal_forward(x, self._held_on(arithmetic(x)))
        return self._mean_read("forward", x, self._row_edges, increments, single)

    def transposed(self, s: Values, out: Values | None = None, path: str = "own", increments: bool = False) -> Values:
        """Return the read product (rows, in) of signals (rows, out) with the same devices, or those of this path.

        ``path="other"`` reads it from the array of the forward path in any case; errors as forward.
        """
        if not checked_path(self.name, path) and self.other is not None:
            return self.other.transposed(s, out, increments=increments)
        self._check_signals("transposed", s, self.shape[0])
        if self.ideal:
            self._count("transposed", len(s))
            if self.tally.now.metered:
                there = arithmetic(s).host(s)
                self._meter("transposed", [(there, there)], 1.0)
            return self._ideal_transposed(s, self._held_on(arithmetic(s)), out)
        result = self._mean_read("transposed", s, self._column_edges, increments)
        if out is None:
            return result
        out[:] = result
        return out

    def _mean_read(
        self, way: str, signals: Values, edges: Array, increments: bool, single: Array | None = None
    ) -> Values:
        """Return the mean of ``crossbar.repeats`` reads of a product, each one counted."""
        operation = f"{way}{OF_INCREMENTS}" if increments and self._digits_differ(way) else way
        self._count(operation, len(signals))
        several = self.layout.repeats > 1 or self.digits(way, increments) > 1
        with self.alone() if self.stands_alone(len(signals), single, several) else nullcontext():
            total = self._read(way, signals, edges, increments, single)
            for _ in range(1, self.layout.repeats):
                self._count(operation, len(signals))
                total += self._read(way, signals, edges, increments, single)
        return total if self.layout.repeats == 1 else total * (1 / self.layout.repeats)

    def _digits_differ(self, way: str) -> bool:
        """Tell whether codes of increments, which have a sign, are sent in another number of digits, or of bits."""
        if self.increments is None:
            return False
        bitwise = self.converters.dac.encoding in ("pulses", "serial")
        return self.digits(way) != self.digits(way, True) or (bitwise and self.sent(way) != self.sent(way, True))

    def _read(
        self, way: str, signals: Values, edges: Array, increments: bool, single: Array | None = None
    ) -> Values:
        """Return a product; where it fails no converter goes on observing."""
        math = NUMPY if type(signals) is np.ndarray else arithmetic(signals)
        try:
            plan = self._plan(way, edges, increments)
            hosted = plan.hosted or math.in_memory
            signals = math.host(signals) if hosted else signals
            repeated = self.tally.now.repeated if way == "forward" else None
            apart = repeated is None or len(repeated.kind) != len(signals)
            if plan.direct is not None and hosted and apart and single is None and not self.tally.now.metered:
                result, driven, sensed = plan.direct.read(signals, self.keys(way), self.step)
                if driven or sensed:
                    self._count_stops(way, driven, sensed)
                return result if math is NUMPY else math.bring(result)
            product = Product(plan, (self.keys(way), self.step), signals, self.supply, self.tally.now.span)
            product.single, product.repeated = single, repeated
            result = digitwise.read(product, way, partial(self.keys, way))
        except BaseException:
            self.observe(False)
            raise
        if self.tally.now.metered:
            self._meter(way, product.pulses(), product.scale, product.curved)
        self._count_stops(way, product.driven_at_stop, product.sensed_at_stop)
        return math.bring(result) if hosted else result

    def _count_stops(self, way: str, driven: Stops, sensed: Stops) -> None:
        """Count conversions beyond the last level."""
        self.tally.add_late(self.name, "dac_at_stop", driven, self.shape)
        self.tally.add_late(self.name, f"adc_{way}_at_stop", sensed, self.shape)

    def _plan(self, way: str, edges: Array, increments: bool) -> ReadPlan:
        """Return how a direction is read, decided anew once devices or converters have changed."""
        bank = self.increments if increments and self.increments is not None else self.converters
        found = self._plans.get((way, increments))
        if found is None or not found.holds(bank):
            found = self._plans[way, increments] = ReadPlan(
                self, way, bank, edges, self.sensing(way), self._variances
            )
        return found

    def _forget_matrices(self) -> None:
        super()._forget_matrices()
        self._plans.clear()
        self._variances.forget()
        self._brought.clear()

    def sensing(self, way: str) -> Sensing | None:
        """Return the errors of what senses the currents of a direction; None where there are none."""
        if way not in self._sensing:
            self._sensing[way] = self._errors(way)
        return self._sensing[way]

    def _errors(self, way: str) -> Sensing | None:
        own, path = self.devices, self.path
        if way == "forward":
            path = Transposed(gain=path.gain) if self.second else Transposed()
        if not (self.converters.adc.bends or path.bends):
            return None
        summed, sensed = (own.row_tiles, own.column_tiles) if way == "forward" else (own.column_tiles, own.row_tiles)
        place = self.seed, self.name, way
        tiles: int | list[int] = own.slices * len(summed)
        if own.fills and way == "transposed":  # those that are there do not move with those that are not
            tiles = [tile * own.slices + k for k in range(own.slices) for tile in range(len(summed))]
        return Sensing(self.converters.adc, path, place, tiles, sensed, self.dtype)

    @property
    def exact(self) -> bool:
        """Whether a forward product is that with the mean effective weights: nothing is drawn, converted or bent."""
        reads = self.converters.of("forward")
        converted = any(each.acts or each.observing for each in reads) or self.sensing("forward") is not None
        noisy = self.device.noisy or self.devices.heat.noise > 0 or not self.device.current_voltage.linear
        return not (converted or noisy or self.shifts)

    def count_reads(self, way: str, samples: int) -> None:
        """Count samples that were read without a product, each as often as reads are repeated."""
        for _ in range(self.layout.repeats):
            self._count(way, samples)

    def meter_lines(self, lines: Array, times: int = 1) -> None:
        """Write down what inputs draw that are driven one after the other, each at full scale, without a product."""
        if not self.tally.now.metered:
            return
        dac = self.converters.of("forward")[0]
        full = float(dac.range or 1) if dac.acts else 1.0
        driven = np.zeros((len(lines), self.shape[1]), dtype=self.dtype)
        driven[np.arange(len(lines)), lines] = full
        for _ in range(times):
            self._meter("forward", [(driven, driven)], full)

    @property
    def supply(self) -> float | Array:
        """What currents are in this phase as a multiple of what they are in the free one, (rows, 1) where rows differ.

        1 + phase_drift k + nudge_shift sign(nudge), k the number of the phase since the free one.
        """
        if not self.shifts:
            return 1.0
        now, device = self.tally.now, self.device
        return 1.0 + device.phase_drift * now.numbers(self.sample) + device.nudge_shift * np.sign(now.nudge)

    def _check_signals(self, way: str, signals: Values, lines: int) -> None:
        if not numbers(signals):
            given = f"are {signals.dtype if isinstance(signals, np.ndarray) else type(signals).__name__}"
        elif signals.ndim != 2 or signals.shape[1] != lines:
            given = f"have shape {tuple(signals.shape)}"
        else:
            return
        raise ChipError(f"{self.name}: signals of {way} {given}: an array of numbers (rows, {lines}) is needed")

    def observe(self, on: bool = True) -> None:
        """Begin to collect calibration samples, or stop; signals pass the converters unchanged meanwhile.

        A product that fails ends it; :func:`hw_models.arrays.calibration.calibrating` ends it whatever fails.
        """
        for bank in self._banks:
            bank.observe(on)

    def freeze(self) -> None:
        """Set the ranges of the converters from the samples."""
        for bank in self._banks:
            bank.freeze()

    @property
    def calibrates(self) -> bool:
        """Whether a range of a converter comes from samples."""
        return any(bank.calibrates for bank in self._banks)

    @property
    def _banks(self) -> list[Converters]:
        return [self.converters] if self.increments is None else [self.converters, self.increments]

    def state(self) -> dict[str, Array]:
        """Return everything that decides later products as arrays by short name, copied.

        The occasion is left out, and how long after the last write devices are read: whoever loads chooses both.
        """
        counts = [self.programmings, self.reads, self.step, self._builds, self._fresh]
        counts += [*self.counters.values(), *self.told.values()]
        found = self._stored_state() | {"counts": np.array(counts, dtype=np.int64), "ranges": _ranges(self.converters)}
        if self.increments is not None:
            found["ranges_of_increments"] = _ranges(self.increments)
        found["tally.counts"] = self.tally.packed()
        found |= lasting.packed(self)
        found |= self._state_of_other()
        order = ("held", "weight_range", "counts", "times", "keys", "ranges")  # as ever: files are the same by byte
        return {name: found[name] for name in order} | found

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
        self.programmings, self.reads, self.step, self._builds, fresh, *counted = (int(n) for n in state["counts"])
        self._fresh = bool(fresh)
        both = counted[: len(COUNTERS)], counted[len(COUNTERS) :]
        counters, self.told = (dict(zip(COUNTERS, numbers, strict=True)) for numbers in both)
        if "tally.counts" in state:
            self.tally.load(state["tally.counts"])
        else:
            self._take_totals(counters)
        for name, bank in zip(("ranges", "ranges_of_increments"), self._banks, strict=False):
            for digitiser, values in zip(bank.digitisers.values(), state[name], strict=True):
                digitiser.load(values)
        lasting.load(self, state)
        self._load_stored(state, weight)
        self._load_other(state, weight)


def _ranges(bank: Converters) -> Array:
    """Return the states of all digitisers, a row for each."""
    return np.array([digitiser.state() for digitiser in bank.digitisers.values()])
