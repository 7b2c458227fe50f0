# Tested by tests/hw_models/arrays/test_pulses.py.
"""Devices that move by programming pulses, played one by one.

Weights here are shares of the weight range. What a pulse does: :mod:`hw_models.laws.pulse_response`. Every step is
multiplied by 1 + noise xi, xi ~ N(0, 1), or strays as :mod:`hw_models.kernels.cycle_noise` says; then w is cut to the
bounds. What devices are like: :mod:`hw_models.arrays.population`. Covered by tests/hw_models/arrays/test_pulses.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial

import numpy as np

from hw_models.arrays.population import Population, Stuck
from hw_models.arrays.trains import Tile, Trains
from hw_models.chip import Pulse
from hw_models.kernels import pulses as pulse_kernels, trains as train_kernels
from hw_models.kernels.blocks import Run, blocks, serial
from hw_models.laws import pulse_spread

TRAIN_ROWS, TRAIN_COLUMNS = 32, 512
"""Most devices of one tile where pulses are played one by one."""


class PlayedDevices:
    """Devices that play trains pulse by pulse; parameters as of :class:`hw_models.arrays.pulses.PulsedDevices`."""

    def __init__(
        self,
        pulse: Pulse,
        shape: tuple[int, int],
        seed: int,
        name: str,
        run: Run = serial,
        dtype: str = "float32",
        limits: tuple[np.ndarray, np.ndarray] | None = None,
        lines: str | None = None,
        one_way: bool = False,
        tells: bool = False,
    ) -> None:
        self.pulse, self.shape, self.seed, self.name, self.run = pulse, shape, seed, name, run
        self.one_way, self.tells, self.lines = one_way, tells, lines or name
        self.given: np.ndarray | None = None
        self.fewest = 0.0
        self.dtype = np.dtype(dtype)
        self.response = pulse.law
        self.wide = pulse.wide_noise
        self.kernels = pulse_kernels.of(self.response.factors, self.response.multiple if self.wide else None)
        self.law = self.response.packed(pulse)
        noise = pulse.noise, pulse.noise_base, pulse.noise_state
        self.noise = tuple(self.dtype.type(each) for each in noise) if self.wide else self.dtype.type(pulse.noise)
        self.noisy = max(noise) > 0
        self.shape_of_noise = (self.noisy, *pulse_spread.log_normal(pulse.noise, pulse.noise_law))
        self.trains = Trains(seed, self.lines, run)
        self.limits = limits

    @cached_property
    def _population(self) -> tuple[pulse_kernels.DeviceSteps, Stuck | None]:
        return Population(self.pulse, self.shape, (self.seed, self.name), self.dtype, self.limits).drawn()

    @property
    def devices(self) -> pulse_kernels.DeviceSteps:
        """Steps, bounds and slopes, each (out, in), or (1, in) where all devices are alike; drawn at first use."""
        return self._population[0]

    @property
    def stuck(self) -> Stuck | None:
        """Devices that hold one weight whatever is done to them."""
        return self._population[1]

    @cached_property
    def responsive(self) -> np.ndarray:
        """Devices that some pulse moves, a mask (out, in) or (1, 1) where all are."""
        if not self.pulse.unresponsive:
            return np.ones((1, 1), bool)
        return (self.devices.up > 0) | (self.devices.down > 0)

    @cached_property
    def _shrinks(self) -> float:
        """Largest share of the room to the bound ahead that one pulse of a device takes."""
        own = self.devices
        return float(max((own.up * own.slope_up).max(), (-own.down * own.slope_down).max()))

    def softens(self, sigmas: float) -> bool:
        """Return whether no pulse can carry a device to the bound ahead of it: it shrinks as the bound comes near."""
        if not self.response.softens or self.wide:
            return False
        return self._shrinks * (1 + (sigmas + 1) * self.pulse.noise) < 1

    def cut(self, weights: np.ndarray) -> None:
        """Cut weights to the devices' own bounds, and put those back that are stuck, in place."""
        own, stuck = self._population
        np.clip(weights, own.low, own.high, out=weights)
        if stuck is not None:
            stuck.hold(weights)

    def _check(self, weights: np.ndarray) -> None:
        if weights.shape != self.shape or weights.dtype != self.dtype or not weights.flags.c_contiguous:
            raise ValueError(f"weights are {weights.dtype} {weights.shape}: {self.dtype} {self.shape} is allowed")

    def _tiles(self, play: Callable[[int, Tile], int]) -> int:
        """Return the sum of ``play(number, tile)`` over all tiles on which pulses are played."""
        self.devices  # noqa: B018  drawn here, before threads ask for them
        rows, columns = blocks(self.shape[0], TRAIN_ROWS), blocks(self.shape[1], TRAIN_COLUMNS)

        def task(first: int, last: int) -> int:
            where = [(n, (*rows[n // len(columns)], *columns[n % len(columns)])) for n in range(first, last)]
            return sum(play(*tile) for tile in where)

        return sum(self.run(task, blocks(len(rows) * len(columns), 1)))

    def play(
        self,
        weights: np.ndarray,
        where: Tile,
        number: int,
        key: np.ndarray,
        step: int,
        fill: Callable[..., int],
    ) -> int:
        """Play what ``fill(waits, ups)`` queues on one tile until it queues nothing; return how many pulses.

        waits, ups (rows, columns) uint64: a bit for each pulse of a device, in their order from bit 0 on, and which of
        them go up. Draws are keyed by the number of the tile and how often it was filled.
        """
        first, last, begin, end = where
        waits, ups = np.empty((2, last - first, end - begin), dtype=np.uint64)
        pulses = again = 0
        while found := int(fill(waits, ups)):
            pulses += found
            if self.given is not None:
                self.given[first:last, begin:end] += np.bitwise_count(waits)
            how = (self.law, self.noise, self.shape_of_noise, key, step, number, again)
            self.kernels.play(*where, weights, self.devices, *how, waits, ups)
            again += 1
        return pulses

    def play_whole(
        self,
        weights: np.ndarray,
        where: Tile,
        number: int,
        key: np.ndarray,
        step: int,
        up: np.ndarray,
        down: np.ndarray,
    ) -> int:
        """Play whole numbers of pulses, (out, in), on one tile, those up first; return how many."""
        first, last, begin, end = where
        inside = slice(first, last), slice(begin, end)
        if not (up[inside].any() or down[inside].any()):
            return 0
        more = [np.array(count[inside], dtype=np.int64, order="C") for count in (up, down)]
        return self.play(weights, where, number, key, step, partial(train_kernels.count_out, *more))
