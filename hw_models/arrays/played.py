# Tested by tests/hw_models/arrays/test_pulses.py.
"""Devices that move by programming pulses, played one by one.

Weights here are shares of the weight range. What a pulse does: :mod:`hw_models.laws.pulse_response`. Every step is
multiplied by 1 + noise xi, xi ~ N(0, 1), then w is cut to the bounds. A device has its own dw_min (1 + spread z), not
below 0; up_down + spread z, within [-1, 1]; bounds (1 + spread z), not below 1 % of their mean, and within ``limits``,
its own conductance range, where given. Covered by tests/hw_models/arrays/test_pulses.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from hw_models.arrays.trains import Tile, Trains
from hw_models.chip import Pulse
from hw_models.kernels import (
    noise as noise_kernels,
    pulses as pulse_kernels,
    random as randomness,
    trains as train_kernels,
    turns as turn_kernels,
)
from hw_models.kernels.blocks import Run, blocks, serial
from hw_models.laws.pulse_response import FLOOR

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
    ) -> None:
        self.pulse, self.shape, self.seed, self.name, self.run = pulse, shape, seed, name, run
        self.dtype = np.dtype(dtype)
        self.response = pulse.law
        self.kernels = pulse_kernels.of(self.response.factors)
        self.law = tuple(np.float32(value) for value in self.response.constants(pulse))
        self.noise = self.dtype.type(pulse.noise)
        self.trains = Trains(seed, name, run)
        self.limits = limits

    @cached_property
    def devices(self) -> pulse_kernels.DeviceSteps:
        """Steps, bounds and slopes, each (out, in), or (1, in) where all devices are alike; drawn at first use."""
        pulse, one = self.pulse, self.dtype.type(1)
        dw_min = pulse.dw_min * self._spread("dw_min", pulse.dw_min_spread, 0.0)
        tilt = np.clip(pulse.up_down + (self._spread("up_down", pulse.up_down_spread, None) - one), -1, 1)
        up, down = dw_min * (one + np.minimum(tilt, 0)), dw_min * (one - np.maximum(tilt, 0))
        high = pulse.w_max * self._spread("w_max", pulse.w_max_spread, FLOOR)
        low = pulse.w_min * self._spread("w_min", pulse.w_min_spread, FLOOR)
        if self.limits is not None:
            low, high = np.maximum(low, self.limits[0]), np.minimum(high, self.limits[1])
        found = (up, down, high, low, *self.response.slopes(pulse, high, low, self._spread))
        return pulse_kernels.DeviceSteps(*(np.ascontiguousarray(values, dtype=self.dtype) for values in found))

    def _spread(self, what: str, spread: float, floor: float | None) -> np.ndarray:
        """1 + spread z per device, (1, in) ones without spread."""
        if not spread:
            return np.ones((1, self.shape[1]), dtype=self.dtype)
        key = randomness.key(self.seed, "pulse", self.name, what)
        found = randomness.normals(key, 0, 0, self.shape).astype(self.dtype, copy=False)
        found *= self.dtype.type(spread)
        found += self.dtype.type(1)
        return found if floor is None else np.maximum(found, self.dtype.type(floor), out=found)

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
            if lists is None:
                place = np.empty(many, dtype=np.int64)
                home, w, own = (np.empty(n, dtype=self.dtype) for n in (many, many, (6, many)))
                lists = (home, place, w, queue.reshape(-1), left.reshape(-1), own)
            m = turn_kernels.take(*where, weights, self.devices, *lists)
            while m:
                drawn = draws[:m].reshape(1, m)
                if self.pulse.noise:
                    noise_kernels.fill_normals(key, step, turn, number, drawn)
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
        more = [np.array(count[inside], dtype=np.int64, order="C") for count in (up, down)]
        return self.play(weights, where, number, key, step, lambda *queue: train_kernels.count_out(*more, *queue))
