# Tested by tests/neuroep/engines/chip/test_clock.py.
"""Time on a chip as its engine lives it: what a sweep, the clamped input, held phases and an update take.

The formulas are :mod:`hw_models.durations`; the clock that all parts share is :class:`hw_models.clock.Clock`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from hw_models import durations
from hw_models.chip import Chip
from hw_models.clock import Clock
from hw_models.errors import ChipError, unknown
from neuroep.engines.parts import Reads
from neuroep.learning.contrast import Number

BEHIND_FREE = 0.5
"""Number of what is read between the free phase, 0, and the first nudged one, 1."""
Groups = tuple[tuple[str, ...], ...]
"""Layers that move together, one group after the other."""


class Sensed(Protocol):
    """What the time of a product goes by."""

    @property
    def lines(self) -> tuple[int, int]:
        """Most outputs and most inputs of one of its tiles: sensed lines, forward and transposed."""
        ...

    def digits(self, way: str, increments: bool = False) -> int:
        """Return in how many digits inputs of a direction are sent, those of increments with a sign."""
        ...


class Stored(Protocol):
    """What the time of patterns goes by."""

    @property
    def rows(self) -> list[int]:
        """Rows that are written one after the other, of every sample."""
        ...

    def products(self, way: str) -> list[tuple[int, int, int]]:
        """Return of every sample its products in a sweep, the most lines of a tile that are sensed, and digits."""
        ...


class Passing:
    """Moves a chip's clock.

    Parameters
    ----------
    chip : Chip
        Whose durations they are.
    clock : Clock
        Of all its parts.
    """

    def __init__(self, chip: Chip, clock: Clock) -> None:
        self.chip, self.clock = chip, clock
        self.holds_input = chip.crossbar.hold_input
        self.shared, self.repeats = chip.adc.columns, chip.crossbar.repeats
        self.fastest = durations.fastest(chip.timing)
        self._increments, self._droops = chip.nudged.increments, chip.readout.hold_time is not None
        self._entering = 0.0
        self._sweeps: dict[tuple[Groups, float, bool], float] = {}
        self.phases: list[tuple[Number | float, float]] = []

    def paces(self, layers: Sequence[str]) -> dict[str, float]:
        """Return the share of a sweep's time step that every layer takes, where time constants differ.

        Raises
        ------
        ChipError
            If a layer has no time constant, or a time constant no layer.
        """
        constants = self.chip.timing.tau
        if not isinstance(constants, Mapping):
            return {}
        for name in constants:
            if name not in layers:
                raise ChipError(f"chip '{self.chip.name}': {unknown('timing.tau of layer', name, list(layers))}")
        for name in layers:
            if name not in constants:
                raise ChipError(f"chip '{self.chip.name}': timing.tau has no time constant of layer '{name}'")
        return {name: durations.pace(self.chip.timing, name) for name in layers}

    def entered(self, projections: Sequence[str], rows: float, arrays: Mapping[str, Sensed]) -> None:
        """Read the clamped input: the rows of a sample one after the other, all projections side by side."""
        each = [self._product(arrays[name]) for name in projections]
        self._entering = rows * max(each, default=0.0)
        self._advance(self._entering)

    def filled(self, patterns: Mapping[str, Stored]) -> None:
        """Write the patterns of the samples, those of all layers side by side."""
        rows = max((float(np.mean(stored.rows or [0])) for stored in patterns.values()), default=0.0)
        self._advance(rows * self.chip.timing.row)

    def swept(
        self,
        groups: Groups,
        reads: Mapping[str, Reads],
        dt: float,
        arrays: Mapping[str, Sensed],
        patterns: Mapping[str, Stored],
    ) -> None:
        """Sweep; where the clamped input is not held, its products are read again by all that read states.

        Layers that keep patterns read them behind their drive, the tokens in turn: all forward, then all back.
        """
        now = self.clock.tally.now
        increments = self._increments and (now.nudge != 0 or bool(np.max(now.number) > 0))
        seconds = self._each(groups, reads, dt, arrays, increments)
        seconds += 0.0 if self.holds_input or increments else self._entering
        seconds += sum(self._through(patterns, group) for group in groups) if patterns else 0.0
        self.clock.interval = seconds or self.clock.interval
        self._advance(seconds)
        if self._droops:
            self._spend(now.number, seconds)

    def drove(self, groups: Groups, reads: Mapping[str, Reads], dt: float, arrays: Mapping[str, Sensed]) -> None:
        """Read what drives the free state, which is held from then on."""
        seconds = self._each(groups, reads, dt, arrays, False)
        self._advance(seconds)
        if self._droops:
            self._spend(BEHIND_FREE, seconds)

    def _each(
        self, groups: Groups, reads: Mapping[str, Reads], dt: float, arrays: Mapping[str, Sensed], increments: bool
    ) -> float:
        """Return the seconds of a sweep, without the clamped input."""
        place = groups, dt, increments
        if place not in self._sweeps:
            self._sweeps[place] = self._sweep(groups, reads, dt, arrays, increments)
        return self._sweeps[place]

    def opened(self) -> None:
        """Begin a batch; a calibration may have found other signs of codes since the last."""
        self.phases, self._sweeps = [], {}

    def _spend(self, number: Number | float, seconds: float) -> None:
        """Note what a phase has taken so far, by its number since the free one."""
        for place, (known, spent) in enumerate(self.phases):
            if known is number or np.array_equal(known, number):
                self.phases[place] = known, spent + seconds
                return
        self.phases.append((number, seconds))

    def waits(self, plus: Number, minus: Number) -> tuple[np.ndarray, np.ndarray]:
        """Return for how long the states of two phases are held until both are read [s], a number or (samples,) each.

        The earlier one waits for the phases behind it up to the later one, and for what holding their states takes,
        in the order of their numbers.
        """
        last, hold = np.maximum(plus, minus), self.chip.readout.holds * self.chip.timing.hold

        def waited(first: Number) -> np.ndarray:
            behind = [(np.less(first, n) & np.less_equal(n, last)) * seconds for n, seconds in self.phases]
            return np.asarray(sum(behind, start=(last - np.asarray(first)) * hold))

        return waited(plus), waited(minus)

    def _sweep(
        self, groups: Groups, reads: Mapping[str, Reads], dt: float, arrays: Mapping[str, Sensed], increments: bool
    ) -> float:
        timing, steps = self.chip.timing, {}
        for layer, read in reads.items():
            if not read or durations.time_constant(timing, layer) is not None:
                steps[layer] = durations.step(timing, layer, dt, self.shared)
                continue
            steps[layer] = max(self._product(arrays[synapse], way, increments) for synapse, way in read)
        return durations.sweep(groups, steps)

    def held(self, phases: int) -> None:
        """Hold the states of phases."""
        self._advance(phases * self.chip.timing.hold)

    def _product(self, array: Sensed, way: str = "forward", increments: bool = False) -> float:
        return self._read(array.lines[way == "transposed"], array.digits(way, increments))

    def _through(self, patterns: Mapping[str, Stored], group: Sequence[str]) -> float:
        """Return the seconds in which layers of a group read their patterns, side by side, for the mean sample."""
        timing, total = self.chip.timing, 0.0
        layers = [name for name in group if name in patterns and durations.time_constant(timing, name) is None]
        for way in ("forward", "transposed"):
            each = ([n * self._read(lines, digits) for n, lines, digits in patterns[name].products(way)]
                    for name in layers)  # fmt: skip
            total += max((float(np.mean(seconds or [0.0])) for seconds in each), default=0.0)
        return total

    def _read(self, lines: int, digits: int) -> float:
        return self.repeats * durations.product(self.chip.timing, self.shared, lines, digits)

    def _advance(self, seconds: float) -> None:
        if seconds:
            self.clock.advance(seconds)
