"""Laws of read noise: what one read of a conductance finds; conductances in uS, float32 in and out.

With g the conductance now, g_p as programmed, r = read_noise, and a standard normal z of its own in every read of every
device, g_read = g + sigma z unless a law says otherwise. Shapes broadcast.

To add a law, write a class and name it in :data:`READ_NOISE`. A law that is not Gaussian, or whose mean is not g, says
so, and gives ``reads`` and ``moments``; they go by g and sigma alone and scale with them, as sums are in other units.
At the outputs of a tile the sum over devices is drawn with the mean and variance of the law; ``exact_noise`` draws
every device by ``reads``.

Sources: Nandakumar et al., ICECS 2019, and Joshi et al., Nat. Commun. 11:2473, 2020 (1/f noise of phase-change memory);
the others are common usage.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar, Protocol

import numpy as np
from scipy.special import ndtr

from hw_models.kernels import rectified
from hw_models.laws.curves import FLOOR, Array, Seconds, clipped_log, single
from hw_models.laws.law import Law, either, registry
from hw_models.laws.spectrum import Spectrum, band


class Noisy(Protocol):
    """What laws ask of a device."""

    @property
    def g_max(self) -> float: ...

    @property
    def read_noise(self) -> float: ...

    @property
    def read_noise_exponent(self) -> float: ...

    @property
    def read_noise_cap(self) -> float: ...

    @property
    def read_noise_log(self) -> tuple[float, float, float, float]: ...

    @property
    def read_noise_above(self) -> tuple[float, ...]: ...

    @property
    def read_time(self) -> float: ...

    @property
    def read_noise_band(self) -> tuple[float, float] | None: ...

    @property
    def drift_start(self) -> float: ...

    @property
    def age(self) -> float: ...


class ReadNoise(Law):
    """A law of read noise, Gaussian about g where it does not say otherwise."""

    uniform: ClassVar[bool] = False
    """Whether sigma is read_noise [uS] for all devices."""
    ages: ClassVar[bool] = False
    """Whether sigma grows with the time since the last write."""
    gaussian: ClassVar[bool] = True
    """Whether a read is g + sigma z."""
    rectified: ClassVar[bool] = False
    """Whether a read is max(0, g + sigma z), and its moments those of that."""
    shifts: ClassVar[bool] = False
    """Whether the mean of reads is not g."""

    def sigma(
        self, g_now: Array, g_programmed: Array, device: Noisy, t: Seconds | None = None, kept: Array | None = None
    ) -> Array:
        """Return the standard deviation of one read [uS], before any clipping.

        Parameters
        ----------
        g_now : numpy.ndarray
            Conductance at t, drifted [uS].
        g_programmed : numpy.ndarray
            Conductance after programming [uS].
        device : Noisy
            Size.
        t : float or numpy.ndarray, optional
            Seconds since the last write, by default the device's age.
        kept : numpy.ndarray, optional
            :meth:`kept` of what was programmed, where it is known already.
        """
        raise NotImplementedError

    def kept(self, g_programmed: Array, device: Noisy) -> Array | None:
        """Return what of sigma goes by the conductance after programming alone, None where nothing does."""
        return None

    def band(self, device: Noisy, t: float) -> Spectrum | None:
        """Return the spectrum of the noise t seconds after the last write; None where it has no memory."""
        return band(*device.read_noise_band) if device.read_noise_band else None

    def moments(self, g: Array, sigma: Array) -> tuple[Array, Array]:
        """Return mean and variance of a read."""
        return single(g), sigma * sigma

    def reads(self, z: Array, g: Array, sigma: Array) -> None:
        """Turn standard normals into reads, in place."""
        z *= sigma
        z += g

    def idle(self, device: Noisy) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield of this law's own fields those that do not act beside others: when they do, and their names."""
        yield from ()


class Additive(ReadNoise):
    """The noise of a read is the same for all devices, whatever they conduct."""

    name, equation, unit, source = "additive", "sigma = read_noise", "uS", "common usage"
    uniform = True

    def sigma(
        self, g_now: Array, g_programmed: Array, device: Noisy, t: Seconds | None = None, kept: Array | None = None
    ) -> Array:
        """Return read_noise [uS]."""
        return np.full_like(single(g_now), device.read_noise)


class Proportional(ReadNoise):
    """The noise of a read is proportional to the conductance."""

    name, equation, unit, source = "proportional", "sigma = read_noise g", "of g", "common usage"

    def sigma(
        self, g_now: Array, g_programmed: Array, device: Noisy, t: Seconds | None = None, kept: Array | None = None
    ) -> Array:
        """Return read_noise |g| [uS]."""
        return np.abs(single(g_now)) * device.read_noise


class SquareRoot(ReadNoise):
    """The variance of a read is proportional to the conductance."""

    name, equation, source = "sqrt", "sigma = read_noise sqrt(g g_max)", "common usage"
    unit = "of sqrt(g g_max)"

    def sigma(
        self, g_now: Array, g_programmed: Array, device: Noisy, t: Seconds | None = None, kept: Array | None = None
    ) -> Array:
        """Return read_noise sqrt(|g| g_max) [uS]."""
        return np.sqrt(np.abs(single(g_now)) * device.g_max) * device.read_noise


class Flicker(ReadNoise):
    """1/f noise of phase-change memory grows with the time since a device was written. No read is below 0.

    g_read = max(0, g + sigma z),  sigma = g Q(g_p/g_max) sqrt(ln((t + t0 + t_r)/(2 t_r))),  Q = min(r/v^exponent, cap)
    """

    name = "pcm"
    equation = (
        "1/f noise of phase-change memory, g_read = max(0, g + sigma z), "
        "sigma = g Q sqrt(ln((t + t0 + t_r)/(2 t_r)))"
    )
    source = "Nandakumar et al., ICECS 2019; Joshi et al., Nat. Commun. 11:2473, 2020"
    takes: ClassVar[Mapping[str, str]] = {
        "read_noise_exponent": "Q = read_noise / (g/g_max)^exponent",
        "read_noise_cap": "the largest value of Q",
        "read_noise_log": "(a, b, low, high) of Q = read_noise clip(a ln(g/g_max) + b, low, high). This form of Q "
        "is taken if high is above 0",
        "read_noise_above": "(v0, c0, c1, ...) of Q = read_noise (c0 + c1 v + ...) for v = g/g_max >= v0, where "
        "read_noise_log gives Q below v0",
        "read_time": "the duration t_r of a read, which sets the highest frequency of the 1/f noise",
    }
    ages = shifts = rectified = True
    gaussian = False

    def growth(self, device: Noisy, t: Seconds | None = None) -> Seconds:
        """Return sqrt(ln((t + t0 + t_r)/(2 t_r))), the noise accumulated at t seconds over Q; an array for an array."""
        time = (device.age if t is None else t) + device.drift_start
        if isinstance(time, np.ndarray):
            return single(np.sqrt(np.maximum(np.log((time + device.read_time) / (2 * device.read_time)), 0)))
        return math.sqrt(max(math.log((time + device.read_time) / (2 * device.read_time)), 0))

    def band(self, device: Noisy, t: float) -> Spectrum | None:
        """Return 1/f noise from 2 t_r to t + t0 + t_r, whose variance is the square of :meth:`growth`."""
        return band(2 * device.read_time, t + device.drift_start + device.read_time)

    def share(self, g_programmed: Array, device: Noisy) -> Array:
        """Return Q = min(read_noise/v^exponent, cap) of v = g_programmed/g_max, or its form by read_noise_log."""
        v = np.abs(single(g_programmed)) / device.g_max
        if device.read_noise_log[3]:
            return clipped_log(v, device.read_noise_log, device.read_noise_above) * device.read_noise
        power = np.power(v, np.float32(device.read_noise_exponent))
        return np.minimum(device.read_noise / np.maximum(power, FLOOR), device.read_noise_cap)

    def sigma(
        self, g_now: Array, g_programmed: Array, device: Noisy, t: Seconds | None = None, kept: Array | None = None
    ) -> Array:
        """Return |g| Q sqrt(ln(...)) [uS]."""
        share = self.share(g_programmed, device) if kept is None else kept
        return np.abs(single(g_now)) * (share * self.growth(device, t))

    def kept(self, g_programmed: Array, device: Noisy) -> Array | None:
        """Return Q."""
        return self.share(g_programmed, device)

    def moments(self, g: Array, sigma: Array) -> tuple[Array, Array]:
        """Return mean and variance of max(0, g + sigma z)."""
        return rectified_moments(g, sigma)

    def reads(self, z: Array, g: Array, sigma: Array) -> None:
        """Turn standard normals into reads, in place, none below 0."""
        super().reads(z, g, sigma)
        np.maximum(z, 0, out=z)

    def idle(self, device: Noisy) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the fields of the form of Q that is not taken."""
        if not device.read_noise_log[3]:
            yield "with a read_noise_log whose last number is above 0", ("read_noise_log", "read_noise_above")
        else:
            yield "without read_noise_log", ("read_noise_exponent", "read_noise_cap")


def rectified_moments(mean: Array, sigma: Array) -> tuple[Array, Array]:
    """Return mean and variance of max(0, m + s z), float32.

    With x = m/s, the normal density f and distribution F: mean = m F + s f, variance = s^2 (F + x f (1 - 2F) - f^2 +
    x^2 F (1 - F)), which is the second moment less the mean's square without their cancellation where s << m.
    """
    m, s = np.broadcast_arrays(single(mean), single(sigma))
    first, second = np.array(np.maximum(m, 0)), np.array(s * s)
    flat = np.ascontiguousarray(m).ravel(), np.ascontiguousarray(s).ravel()
    places, x = np.empty(m.size, dtype=np.int64), np.empty(m.size)
    cut = rectified.ratios(*flat, places, x)
    x = x[:cut]
    bell = -0.5 * x
    bell *= x
    np.exp(bell, out=bell)
    rectified.moments(flat, places[:cut], (x, bell, ndtr(x)), (first.reshape(-1), second.reshape(-1)))
    return first, second


READ_NOISE = registry(Additive(), Proportional(), SquareRoot(), Flicker())
"""The laws by name."""
AGEING = either(law.name for law in READ_NOISE.values() if law.ages)
"""Those that go by the time since the last write."""
UNIT = f"uS {either(law.name for law in READ_NOISE.values() if law.unit == 'uS')}, else relative"
"""Of read_noise."""
