"""What write and verify makes of a target conductance; conductances in uS, float32 in and out.

    programmed     g_p = max(0, g + s(v) z),  v = g/g_max,  s the polynomial programming_noise [uS], times g_max over
                   the g_max of the devices that it was fitted to

``z`` is a standard normal. Shapes broadcast. Where nothing acts a function may return the very array it was given.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hw_models.laws.curves import Array, polynomial, single
from hw_models.laws.law import Law


class Programmed(Protocol):
    """What the law asks of a device."""

    @property
    def g_min(self) -> float: ...

    @property
    def g_max(self) -> float: ...

    @property
    def levels(self) -> int | None: ...

    @property
    def resolution(self) -> float: ...

    @property
    def programming_noise(self) -> tuple[float, ...]: ...

    @property
    def programming_noise_fresh(self) -> tuple[float, ...]: ...

    @property
    def programming_noise_g_max(self) -> float | None: ...


class WriteAndVerify(Law):
    """A target is rounded to a level. Its error has a standard deviation that is a polynomial of the target."""

    equation = "g_p = max(0, snap(g) + s(g/g_max) z)"
    unit = "uS"
    source = "Nandakumar et al., ICECS 2019; Joshi et al., Nat. Commun. 11:2473, 2020 (phase-change memory)"

    def snap(
        self, g: Array, device: Programmed, low: Array | float | None = None, high: Array | float | None = None
    ) -> Array:
        """Return targets as levels, resolution and bounds allow, ties to even.

        Parameters
        ----------
        g : numpy.ndarray
            Targets [uS].
        device : Programmed
            Levels from g_min to g_max and the resolution above g_min.
        low, high : numpy.ndarray or float, optional
            Bounds of every device from :func:`hw_models.laws.variation.bounds` [uS], applied last; by default g_min and
            g_max.
        """
        above = single(g) - device.g_min
        if device.levels is not None:
            step = (device.g_max - device.g_min) / (device.levels - 1)
            above = np.rint(above / step) * step
        if device.resolution:
            above = np.rint(above / device.resolution) * device.resolution
        snaps = device.levels is not None or device.resolution > 0
        held = above + device.g_min if snaps else single(g)
        return np.clip(held, device.g_min if low is None else low, device.g_max if high is None else high)

    def sigma(self, g: Array, device: Programmed) -> Array:
        """Return the standard deviation of a programmed conductance [uS] by its target.

        It is the polynomial of g/g_max, times g_max/programming_noise_g_max where that is set, as PCMLikeNoiseModel of
        the IBM Analog Hardware Acceleration Kit does it: a fit holds in shares of g_max.
        """
        return self.fitted(single(g) / device.g_max, device.programming_noise, device)

    def programmed(self, g: Array, z: Array, device: Programmed) -> Array:
        """Return what write and verify leaves of targets g [uS] at once: max(0, g + s(g/g_max) z)."""
        terms = device.programming_noise_fresh or device.programming_noise
        if not terms:
            return single(g)
        return np.maximum(single(g) + self.fitted(single(g) / device.g_max, terms, device) * single(z), 0)

    def fitted(self, v: Array, terms: tuple[float, ...], device: Programmed) -> Array:
        """Return a polynomial [uS] of v = g/g_max that was fitted to devices of another g_max, at this one."""
        sigma = polynomial(v, terms)
        fitted = device.programming_noise_g_max or device.g_max
        return sigma if fitted == device.g_max else sigma * (device.g_max / fitted)


WRITE = WriteAndVerify()
"""The law."""
