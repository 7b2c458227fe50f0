# Tested by tests/hw_models/arrays/test_pulses.py.
"""Devices that move by programming pulses, played one by one.

Weights here are shares of the weight range. What a pulse does: :mod:`hw_models.laws.pulse_response`. Every step is
multiplied by 1 + noise xi, xi ~ N(0, 1), or strays as :mod:`hw_models.kernels.cycle_noise` says; then w is cut to the
bounds. What devices are like: :mod:`hw_models.arrays.population`. Covered by tests/hw_models/arrays/test_pulses.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from hw_models.arrays.population import Population, Stuck
from hw_models.arrays.trains import Tile, Trains
from hw_models.chip import Pulse
from hw_models.kernels import (
    noise as noise_kernels,
    pulses as pulse_kernels,
    trains as train_kernels,
    turns as turn_kernels,
)
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
        sign: int = 0,
    ) -> None:
        self.pulse, self.shape, self.seed, self.name, self.run = pulse, shape, seed, name, run
        self.one_way, self.tells, self.sign, self.lines = one_way, tells, sign, lines or name
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
        """Play what ``fill(queue, left)`` queues on one tile until it queues nothing; return how many pulses.

        Draws are keyed by the number of the tile and the turn.
        """
        first, last, begin, end = where
        size = (last - first, end - begin)
        many, pulses, turn = size[0] * size[1], 0, 0
        queue, left = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.uint64)
        lists, draws = None, np.zeros(many, dtype=np.float32)
        while found := int(fill(queue, left)):
            pulses += found
            if self.given is not None:
                self.given[first:last, begin:end] += left
            if lists is None:
                place = np.empty(many, dtype=np.int64)
                home, w, own = (np.empty(n, dtype=self.dtype) for n in (many, many, (6, many)))
                lists = (home, place, w, queue.reshape(-1), left.reshape(-1), own)
            m = turn_kernels.take(*where, weights, self.devices, *lists)
            if self.pulse.noise_law == "normal":
                given = (self.law, self.noise, self.noisy, key, step, number)
                turn, m = self.kernels.turns(m, *given, turn, draws, *lists), 0
            while m:
                drawn = draws[:m].reshape(1, m)
                noise_kernels.fill_normals(key, step, turn, number, drawn)
                pulse_spread.shaped(drawn, self.pulse.noise, self.pulse.noise_law)
                m = self.kernels.turn(m, self.law, self.noise, drawn, *lists)
                turn += 1
            weights[first:last, begin:end] = home.reshape(size)
            queue.fill(0)
            left.fill(0)
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
        return self.play(weights, where, number, key, step, lambda *queue: train_kernels.count_out(*more, *queue))
