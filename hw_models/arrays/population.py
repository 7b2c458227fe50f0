# Tested by tests/hw_models/arrays/test_population.py.
"""The devices of one array, as far as pulses go: steps, bounds and slopes of each, and those that no pulse moves.

Equations: :mod:`hw_models.laws.pulse_spread`. A device has its own step, up and down (``step_correlation``), its
up_down + spread z within [-1, 1], bounds (1 + spread z), not below 1 % of their mean, and within ``limits``, its own
conductance range, where given. Draws belong to (seed, array, what).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hw_models.chip import Pulse
from hw_models.kernels import pulses as pulse_kernels, random as randomness
from hw_models.laws import pulse_spread
from hw_models.laws.pulse_response import FLOOR

Array = np.ndarray


class Stuck(NamedTuple):
    """Devices that hold one weight whatever is done to them."""

    where: Array
    """(out, in) mask."""
    at: Array
    """(out, in) their weights; of the others nothing."""

    def hold(self, weights: Array) -> None:
        """Put them back, in place."""
        np.copyto(weights, self.at, where=self.where)


class Population:
    """Draws the devices of an array.

    Parameters
    ----------
    pulse : Pulse
        Response.
    shape : tuple of int
        (out, in).
    place : tuple
        Seed of the run and name of the array.
    dtype : numpy.dtype
        Of the weights.
    limits : tuple of numpy.ndarray, optional
        Lowest and highest weight that every device's own conductance range holds, (out, in) each.
    """

    def __init__(
        self,
        pulse: Pulse,
        shape: tuple[int, int],
        place: tuple[int, str],
        dtype: np.dtype,
        limits: tuple[Array, Array] | None = None,
    ) -> None:
        self.pulse, self.shape, self.place, self.dtype, self.limits = pulse, shape, place, dtype, limits

    def drawn(self) -> tuple[pulse_kernels.DeviceSteps, Stuck | None]:
        """Return steps, bounds and slopes, each (out, in), or (1, in) where all are alike, and who is stuck."""
        pulse, one = self.pulse, self.dtype.type(1)
        up_gain, down_gain = self._gains()
        tilt = np.clip(pulse.up_down + (self._spread("up_down", pulse.up_down_spread, None) - one), -1, 1)
        up = pulse.dw_min * up_gain * (one + np.minimum(tilt, 0))
        down = pulse.dw_min * down_gain * (one - np.maximum(tilt, 0))
        high, low = self._bounds()
        slopes = pulse.law.slopes(pulse, high, low, self._spread)
        stuck = None
        if pulse.corrupt or pulse.unresponsive:
            up, down, stuck = self._lost(up, down, high, low)
        found = (np.ascontiguousarray(values, dtype=self.dtype) for values in (up, down, high, low, *slopes))
        return pulse_kernels.DeviceSteps(*found), stuck

    def _gains(self) -> tuple[Array, Array]:
        """Return what the steps up and down of every device are to dw_min."""
        pulse = self.pulse
        if not pulse.dw_min_spread:
            return (self._alike(),) * 2
        z, rho = self._normals("dw_min"), pulse.step_correlation
        other = z if rho == 1 else pulse_spread.together(z, self._normals("dw_min down"), rho)
        up = pulse_spread.steps(z, pulse.dw_min_spread, pulse.dw_min_law)
        return up, up if other is z else pulse_spread.steps(other, pulse.dw_min_spread, pulse.dw_min_law)

    def _bounds(self) -> tuple[Array, Array]:
        pulse, rho = self.pulse, self.pulse.bound_correlation
        high = pulse.w_max * self._spread("w_max", pulse.w_max_spread, FLOOR)
        low = pulse.w_min * self._spread("w_min", pulse.w_min_spread, FLOOR)
        if rho and pulse.w_min_spread:
            z = pulse_spread.together(self._normals("w_max"), self._normals("w_min"), rho)
            low = pulse.w_min * np.maximum(1 + self.dtype.type(pulse.w_min_spread) * z, self.dtype.type(FLOOR))
        if self.limits is not None:
            low, high = np.maximum(low, self.limits[0]), np.minimum(high, self.limits[1])
        return high, low

    def _lost(self, up: Array, down: Array, high: Array, low: Array) -> tuple[Array, Array, Stuck | None]:
        """Return steps with those of lost devices at 0, and who is stuck where."""
        pulse = self.pulse
        stuck, deaf = pulse_spread.lost(self._uniforms("corrupt"), pulse.corrupt, pulse.unresponsive)
        gone = stuck | deaf
        up, down = (np.where(gone, step.dtype.type(0), step) for step in (up, down))
        if not pulse.corrupt:
            return up, down, None
        at = pulse_spread.stuck_at(self._uniforms("corrupt at"), low, high, pulse.corrupt_range)
        return up, down, Stuck(stuck, np.ascontiguousarray(at, dtype=self.dtype))

    def _alike(self) -> Array:
        return np.ones((1, self.shape[1]), dtype=self.dtype)

    def _normals(self, what: str) -> Array:
        """Return a standard normal for every device, (out, in)."""
        found = randomness.normals(self._key(what), 0, 0, self.shape)
        return found.astype(self.dtype, copy=False)

    def _uniforms(self, what: str) -> Array:
        return randomness.uniforms(self._key(what), 0, 0, self.shape)

    def _key(self, what: str) -> Array:
        return randomness.key(self.place[0], "pulse", self.place[1], what)

    def _spread(self, what: str, spread: float, floor: float | None) -> Array:
        """1 + spread z per device, (1, in) ones without spread."""
        if not spread:
            return self._alike()
        found = self._normals(what)
        found *= self.dtype.type(spread)
        found += self.dtype.type(1)
        return found if floor is None else np.maximum(found, self.dtype.type(floor), out=found)
