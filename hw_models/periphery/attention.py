# Tested by tests/neuroep/engines/chip/test_attention.py.
"""Attention on a chip: coarse exponentials, patterns on a crossbar, digitised states.

    x_t = kappa X u_t,   e_tj = Q(exp(x_tj - max_j x_tj)),   p_t = e_t / sum e_t,   a_t = X^T p_t

``u`` is the clamped drive plus the feedback, Q rounds to multiples of 1/(2^exp_bits - 1). The analog unit writes the
patterns X of every sequence, as they come, to one physical crossbar of the chip's devices: ``X u`` is a forward read,
``X^T p`` a transposed one, with its converters and noise; kappa and the softmax stay digital. Its energy is that of
exact attention.

Pattern j lies on the same devices whatever the length of its sequence, and is read through the same ADCs beside the
same reference lines: tiles of ``crossbar.columns`` patterns are filled one after the other, and each in use has all of
its reference lines. Where ``crossbar.columns`` is unset there is one tile, which has room for the longest sequence of
the layer: with an analog reference of ``reference_lines`` unset one line for each of as many patterns, whatever the
length of a sequence. Behind wires a tile is as long as the patterns on it, reference lines next.

On a chip with a clock the tokens of a sample pass it one after the other, forward and then back, in every sweep, and
its patterns are written ahead of the first one, row by row. Noise of devices that is slower than a sample stands still
from the write of its patterns to the last read of them, in both directions, as for weights over a batch
(:mod:`hw_models.arrays.slow_noise`); the rest is that of rows that are no samples of a batch. Every sequence is written
anew, and begins with noise of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hw_models.arrays.calibration import CALIBRATE
from hw_models.arrays.converter_bank import Converters, Digitisers
from hw_models.arrays.converters import Digitiser
from hw_models.arrays.counted import totals
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.parts import CrossbarParts
from hw_models.arrays.slow_noise import SLOW
from hw_models.arrays.stored import most
from hw_models.chip import Chip, Converter, Update
from hw_models.clock import Clock
from hw_models.errors import ChipError
from hw_models.kernels.arithmetic import Values, arithmetic
from hw_models.kernels.random import key
from hw_models.tally import CurrentPhase, Tally


def levels(exp_bits: int | None) -> int:
    """Return of how many steps exponentials in [0, 1] are, for :func:`hw_models.kernels.attention.soften`; 0: exact."""
    return 0 if exp_bits is None else 2**exp_bits - 1


RANGED = {"weight_headroom": 1.0, "weight_clip": None, "follow_weights": False}
"""Fields of a layout that a range of patterns takes the place of."""


class PatternCrossbars(Digitisers):
    """The crossbars on which one layer's patterns lie, one for each sample of the batch, with common converters.

    Parameters
    ----------
    chip : Chip
        Its crossbar, device, wires and converters, and ``attention.pattern_range``.
    layer : str
        Name of the layer: part of every key.
    seed : int
        Of all draws.
    dtype : str
        Of signals.
    phase : CurrentPhase, optional
        Of what is written to tallies; default one of their own.
    clock : Clock, optional
        Of the chip; by default one that stands still.
    most : int, optional
        Patterns of the longest sequence; by default of each sequence its own.

    Attributes
    ----------
    queries : numpy.ndarray
        (batch,) tokens that read the patterns of each sample, one after the other.
    range : Digitiser
        Full scale of the stored patterns: the chip's, or calibrated.
    tally : Tally
        What the crossbars of all batches before the present one did.
    """

    def __init__(
        self,
        chip: Chip,
        layer: str,
        seed: int,
        dtype: str,
        phase: CurrentPhase | None = None,
        clock: Clock | None = None,
        most: int | None = None,
    ) -> None:
        self.most = most
        self.clock, self.queries = clock or Clock(), np.zeros(0, np.int64)
        self.chip, self.name, self.seed, self.dtype = chip, f"{layer} patterns", seed, dtype
        self.converters = Converters(chip, self.name)
        self.converters.assume(forward=False, transposed=True)
        fixed = chip.attention.pattern_range
        self.range = Digitiser(Converter(range=fixed) if fixed else Converter(bits=24), f"patterns of {layer}")
        self._crossbars: list[Crossbar] = []
        self.tally = Tally(phase)
        self.begin()

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self._occasion = occasion

    @property
    def digitisers(self) -> dict[str, Digitiser]:
        """All ranges by name."""
        return {"patterns": self.range, **self.converters.digitisers}

    def written(
        self, patterns: Sequence[np.ndarray], packed: np.ndarray, queries: np.ndarray | None = None
    ) -> list[Crossbar]:
        """Return the crossbars of a batch, written with its patterns.

        Parameters
        ----------
        patterns : sequence of numpy.ndarray
            (patterns, dim) of every sample.
        packed : numpy.ndarray
            (patterns of all samples, dim), on which their range is calibrated.
        queries : numpy.ndarray, optional
            (batch,) tokens that read them; default as many as there are patterns.

        Raises
        ------
        ChipError
            If the full scale of the patterns is neither set nor calibrated, or a pattern is not finite.
        """
        self._fold()
        full = self.range.range
        if self.range.observing and self.range.converter.calibrates:
            self.range.sample(packed)
            full = float(np.abs(packed).max(initial=0)) or 1.0
        chip = self._stored(full)
        self.queries = np.array([len(each) for each in patterns]) if queries is None else np.asarray(queries)
        self._crossbars = [self._one(chip, vectors, sample) for sample, vectors in enumerate(patterns)]
        return self._crossbars

    def _stored(self, full: float | None) -> Chip:
        """Return the chip with the full scale of the patterns, read as soon as written, and nothing that learns."""
        if full is None:
            raise ChipError(f"{self.name}: their range is neither set nor calibrated; {CALIBRATE}")
        columns = self.chip.crossbar.columns or self.most
        crossbar = self.chip.crossbar.model_copy(update=RANGED | {"weight_range": full, "columns": columns})
        device = self.chip.device.model_copy(update={"age": 0.0})
        return self.chip.model_copy(update={"crossbar": crossbar, "device": device, "update": Update()})

    def _one(self, chip: Chip, vectors: np.ndarray, sample: int) -> Crossbar:
        tally = Tally(self.tally.now)  # of its own: samples are read side by side
        parts = CrossbarParts.of(chip.acting, self.name)._replace(fills=True)
        made = parts, vectors.shape, self.seed, self.name
        crossbar = Crossbar(*made, dtype=self.dtype, tally=tally, clock=self._lifetime())
        for each in (crossbar, crossbar.other):
            if each is not None:  # rewritten for every sequence, with noise of its own
                begun = each.name, *self._occasion, sample
                each.noise.key = key(self.seed, *begun, "slow noise")
                each.traps.keys["trap state"] = key(self.seed, *begun, "trap state")
        crossbar.converters, crossbar.sample = self.converters, sample
        crossbar.begin(*self._occasion, sample)
        if len(vectors):
            crossbar.program(vectors)
        return crossbar

    def _lifetime(self) -> Clock:
        """Return a clock by which what is slower than a sample stands still."""
        own = Clock(self.clock.passes)
        own.interval, own.sample, own.batch = self.clock.interval, self.clock.sample, self.clock.sample / SLOW
        return own

    @property
    def rows(self) -> list[int]:
        """Rows that are written one after the other, of every sample; none where there are no patterns."""
        return [bar.rows_written for bar in self._crossbars]

    def products(self, way: str) -> list[tuple[int, int, int]]:
        """Return of every sample its products in a sweep, in turn, the most lines of a tile that are sensed, digits."""
        found = []
        for bar, queries in zip(self._crossbars, self.queries.tolist(), strict=True):
            own = bar.devices
            tiles = own.column_tiles if way == "forward" else own.row_tiles
            found.append((queries if bar.programmings else 0, most(tiles), bar.digits(way)))
        return found

    def _fold(self) -> None:
        """Take over what the crossbars of the last batch did."""
        for crossbar in self._crossbars:
            self.tally.join(crossbar.performed())
        self._crossbars = []

    def recall(self, packed: np.ndarray) -> None:
        """Take over what :meth:`performed` packed, in place of all that was done so far."""
        self.tally.load(packed)
        for crossbar in self._crossbars:
            crossbar.tally.clear()

    def performed(self) -> Tally:
        """Return all that the crossbars so far did; see :meth:`hw_models.arrays.counted.CountedWeights.performed`."""
        found = Tally()
        found.join(self.tally)
        for crossbar in self._crossbars:
            found.join(crossbar.performed())
        return found

    def counters(self) -> dict[str, int]:
        """Return the sums of it, by the names of :data:`hw_models.arrays.counted.COUNTERS`."""
        return totals(self.performed())


class AttentionStates(Digitisers):
    """The digitiser of one layer's attention states, (batch, size), which the next synapse reads.

    A unit with dt < 1 integrates its own read-out, and what moved is that: digitised before it is integrated, a change
    of less than half a level per step would be lost.
    """

    def __init__(self, converter: Converter, layer: str, seed: int, tally: Tally | None = None) -> None:
        self.layer, self.seed = layer, seed
        self.digitiser = Digitiser(converter, f"attention state of {layer}", tally=tally)
        self.digitiser.nonnegative = False
        self.begin()

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self._key, self._step = key(self.seed, "attention state", self.layer, *occasion), 0

    @property
    def digitisers(self) -> dict[str, Digitiser]:
        """The one."""
        return {"state": self.digitiser}

    def _integrates(self, dt: float) -> bool:
        return dt < 1 and self.digitiser.converter.bits is not None

    def enter(self, value: Values, dt: float, inner: dict[str, Values]) -> bool:
        """Put into ``value`` what is inside the unit, and return whether that differs from what is read."""
        integrates = self._integrates(dt)
        if integrates and self.layer in inner:
            value[:] = inner[self.layer]
        return integrates

    def show(self, value: Values, dt: float, inner: dict[str, Values]) -> None:
        """Keep what is inside the unit, and digitise ``value`` in place."""
        if self._integrates(dt):
            inner[self.layer] = arithmetic(value).copied(value)
        else:
            inner.pop(self.layer, None)
        value[:] = self.digitiser.digitise(value, self._key, self._step)
        self._step += 1
