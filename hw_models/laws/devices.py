"""Physics of one resistive device: targets, programming, drift, reading; conductances in uS, float32 in and out.

Every random number comes in as an argument: ``z`` a standard normal, ``u`` a uniform in [0, 1). Shapes broadcast. Where
nothing acts a function may return the very array it was given.
With ``span = g_max - g_min``, ``v = g/g_max`` and a weight ``a`` in [-1, 1] as a share of the weight range:

    differential   G+ = g_min + max(a, 0) span,  G- = g_min + max(-a, 0) span          a = (G+ - G-)/span
    offset         G = g_zero + a reach                                                a = (G - g_zero)/reach
                   g_zero = middle, reach = span/2; or the level at or next above the middle, reach = g_max - g_zero
    programmed     g_p = max(0, g + s(v) z),  s the polynomial programming_noise [uS], times g_max over the g_max
                   of the devices that it was fitted to
    relaxed        g_r = max(0, g_p + sqrt(f (s_T(v)^2 - s(v)^2)) z),  s the fresh and s_T the whole noise,
                   f = ln(t/t1)/ln(t2/t1) within [0, 1] for the ages t1, t2 of relaxation_times; g_p without them
    drift          nu = |mean(v) + spread(v) z|,  g_d = g_p (1 + t/t0)^-nu             v of the target, t since
                                                                                       the device's last write
    read           g = g_d + sigma z;  sigma = r | r g_d | r sqrt(g_d g_max) for the laws additive, proportional, sqrt
    pcm            g = max(0, g_d + sigma z),  sigma = g_d Q(g_p/g_max) sqrt(ln((t + t0 + t_r)/(2 t_r)))
                   Q = min(r/v^exponent, cap)

Sources: Nandakumar et al., ICECS 2019, and Joshi et al., Nat. Commun. 11:2473, 2020 (phase-change memory: programming,
drift, 1/f noise). Both mappings, the slices and the other read laws are common usage, as in Xiao et al., Appl. Phys.
Rev. 7, 031301, 2020 (mappings) and Shafiee et al., ISCA 2016 (slices).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtr

from hw_models.chip.device import Device

FLOOR = 1e-7
"""Smallest g/g_max of a logarithm."""
Array = np.ndarray
Seconds = float | Array
"""Time since the last write, one for all devices or one for each [s]."""


def differential(a: Array, device: Device, cut: bool = True) -> tuple[Array, Array]:
    """Return the targets (G+, G-) [uS] of normalised weights.

    Beyond [-1, 1] they are cut, unless ``cut`` is off: devices that learn by pulses have bounds of their own.
    """
    span, a, most = device.g_max - device.g_min, _single(a), 1.0 if cut else np.inf
    return np.clip(a, 0, most) * span + device.g_min, np.clip(-a, 0, most) * span + device.g_min


def zero_and_reach(device: Device, zero: str = "middle") -> tuple[float, float]:
    """Return the conductance of weight 0 of the offset mapping and how far from it weight 1 lies [uS].

    ``"middle"``: (g_min + g_max)/2 and half the span, whatever levels there are; with an even number of them 0 lies
    between two. ``"level"``: the level at the middle or next above it, so that 0 is held exactly; weights reach to the
    last level that both sides have, step (M/2 - 1) away for an even number M. A reach of 0 has no room for a weight.
    """
    low, high, middle = device.g_min, device.g_max, (device.g_min + device.g_max) / 2
    if zero == "middle":
        return middle, middle - low
    above = middle - low
    if device.levels is not None:
        above = (high - low) / (device.levels - 1) * (device.levels // 2)
    if device.resolution:
        whole = round(above / device.resolution, 6)
        above = device.resolution * (round(whole) if device.levels is not None else math.ceil(whole))
    reach = max(min(above, high - low - above), 0.0)
    if device.resolution and device.levels is None:
        reach = device.resolution * math.floor(round(reach / device.resolution, 6))
    return low + above, reach


def offset(a: Array, device: Device, cut: bool = True, zero: str = "middle") -> Array:
    """Return the target G [uS] of normalised weights about the conductance of weight 0, by :func:`zero_and_reach`.

    ``cut`` as in :func:`differential`; a conductance never falls below 0.
    """
    centre, reach = zero_and_reach(device, zero)
    a = np.clip(_single(a), -1, 1) if cut else np.maximum(_single(a), -centre / reach)
    return a * np.float32(reach) + np.float32(centre) if zero == "level" else (a + 1) * reach + device.g_min


def zero_digits(slices: int, slice_bits: int, zero: str = "middle") -> Array:
    """Return the digit of weight 0 of the offset mapping in every slice, least significant first, float64.

    With B = 2^slice_bits ``"middle"`` is (B - 1)/2 in each, half a digit; ``"level"`` is the integer B^S/2, B/2 in the
    highest slice and 0 in all others.
    """
    base = 2**slice_bits
    if zero == "middle":
        return np.full(slices, (base - 1) / 2)
    found = np.zeros(slices)
    found[-1] = base // 2
    return found


def digits(
    a: Array, slices: int, slice_bits: int, mapping: str, device: Device, zero: str = "middle"
) -> tuple[Array, Array]:
    """Spread the bits of normalised weights over slices.

    With B = 2^slice_bits the weight becomes the integer rint(|a| (B^S - 1)) of its sign (differential),
    rint((1 + a)/2 (B^S - 1)) (offset, zero in the middle: 0 lies half a step between two integers), or
    rint(a (B^S/2 - 1)) + B^S/2 (offset, zero on a level); digit d is held at g_min + d/(B - 1) span.

    Parameters
    ----------
    a : numpy.ndarray
        Weights, shares of the weight range.
    slices, slice_bits : int
        S, least significant first, and the bits of each.
    mapping : str
        ``"differential"`` or ``"offset"``.
    device : Device
        Range of conductances.
    zero : str
        ``"middle"`` or ``"level"``, where weight 0 lies (offset).

    Returns
    -------
    numpy.ndarray
        Targets [uS], (slices, 2, ...) for a pair with G+ first, (slices, 1, ...) for offset.
    numpy.ndarray
        Digital weight of every slice, float64 (slices,): (B - 1) B^k over B^S - 1, with zero on a level over B^S - 2.
        The sum of weight times a_k is the quantised a, with a_k = (G_k+ - G_k-)/span, or 2 (G_k - G_k0)/span of the
        conductance G_k0 of :func:`zero_digits`.
    """
    base = 2**slice_bits
    most = base**slices - 1
    a, span, level = _single(a), device.g_max - device.g_min, zero == "level"
    half = base**slices // 2
    if mapping == "differential":
        wholes = [np.rint(np.clip(sign * a, 0, 1) * most) for sign in (1, -1)]
    else:
        a = np.clip(a, -1, 1)
        wholes = [np.rint(a * (half - 1)) + half if level else np.rint((a + 1) * 0.5 * most)]
    targets = np.empty((slices, len(wholes), *a.shape), dtype=np.float32)
    for side, numbers in enumerate(wholes):
        whole = numbers.astype(np.int32)
        for k in range(slices):
            targets[k, side] = (whole >> (k * slice_bits)) % base
    targets *= span / (base - 1)
    targets += device.g_min
    total = 2 * (half - 1) if level and mapping == "offset" else most
    return targets, (base - 1.0) * float(base) ** np.arange(slices) / total


def bounds(z_min: Array, z_max: Array, device: Device) -> tuple[Array, Array]:
    """Return every device's lowest and highest conductance [uS]; a range turned round is empty, at its lower end."""
    low = np.maximum(_single(z_min) * (device.g_min_spread * device.g_min) + device.g_min, 0)
    high = _single(z_max) * (device.g_max_spread * device.g_max) + device.g_max
    return low, np.maximum(high, low)


def weight_bounds(
    lows: Array, highs: Array, device: Device, mapping: str, zero: str = "middle"
) -> tuple[Array, Array]:
    """Return the lowest and highest weight, as shares of the weight range, between which pulses can move a device.

    The sides of a pair end where its other device rests, at r = clip(g_min, low, high) of that device:

        pair      [(r+ - high-)/span, (high+ - r-)/span]
        offset    [(low - g_zero)/reach, (high - g_zero)/reach]

    Pulses may pass the nominal g_max (``pulse.w_max`` says how far), so without ``g_max_spread`` the upper bound of a
    conductance is infinite, and without ``g_min_spread`` the lower one is 0.

    Parameters
    ----------
    lows, highs : numpy.ndarray
        Bounds of conductances from :func:`bounds` [uS], (2, ...) for a pair with G+ first, (1, ...) for offset.
    device : Device
        Range, and whether devices have bounds of their own.
    mapping : str
        ``"differential"`` or ``"offset"``.
    zero : str
        ``"middle"`` or ``"level"``, where weight 0 lies (offset).

    Returns
    -------
    tuple of numpy.ndarray
        (low, high), each without the first axis, low <= high.
    """
    span = device.g_max - device.g_min
    lows, highs = _single(lows), _single(highs)
    rest = np.clip(np.full_like(lows, device.g_min), lows, highs)
    tops = highs if device.g_max_spread else np.full_like(highs, np.inf)
    if mapping == "differential":
        low, high = (rest[0] - tops[1]) / span, (tops[0] - rest[1]) / span
    else:
        middle, reach = zero_and_reach(device, zero)
        bottom = lows[0] if device.g_min_spread else np.zeros_like(lows[0])
        low, high = (bottom - middle) / reach, (tops[0] - middle) / reach
    return low, np.maximum(high, low)


def gains(z: Array, device: Device) -> Array:
    """Return the gain max(0, 1 + mismatch z) with which every device conducts."""
    return np.maximum(_single(z) * device.mismatch + 1, 0)


def stuck(u: Array, device: Device) -> tuple[Array, Array]:
    """Return the masks of devices stuck at g_min (u < stuck_low) and at g_max (u >= 1 - stuck_high)."""
    low = _single(u) < device.stuck_low
    return low, (_single(u) >= 1 - device.stuck_high) & ~low


def snap(g: Array, device: Device, low: Array | float | None = None, high: Array | float | None = None) -> Array:
    """Return targets as levels, resolution and bounds allow, ties to even.

    Parameters
    ----------
    g : numpy.ndarray
        Targets [uS].
    device : Device
        Levels from g_min to g_max and the resolution above g_min.
    low, high : numpy.ndarray or float, optional
        Bounds of every device from :func:`bounds` [uS], applied last; by default g_min and g_max.
    """
    above = _single(g) - device.g_min
    if device.levels is not None:
        step = (device.g_max - device.g_min) / (device.levels - 1)
        above = np.rint(above / step) * step
    if device.resolution:
        above = np.rint(above / device.resolution) * device.resolution
    snaps = device.levels is not None or device.resolution > 0
    held = above + device.g_min if snaps else _single(g)
    return np.clip(held, device.g_min if low is None else low, device.g_max if high is None else high)


def programming_sigma(g: Array, device: Device) -> Array:
    """Return the standard deviation of a programmed conductance [uS] by its target.

    It is the polynomial of g/g_max, times g_max/programming_noise_g_max where that is set, as PCMLikeNoiseModel of the
    IBM Analog Hardware Acceleration Kit does it: a fit holds in shares of g_max.
    """
    return _fitted(_single(g) / device.g_max, device.programming_noise, device)


def _fitted(v: Array, terms: tuple[float, ...], device: Device) -> Array:
    sigma = _polynomial(v, terms)
    fitted = device.programming_noise_g_max or device.g_max
    return sigma if fitted == device.g_max else sigma * (device.g_max / fitted)


def programmed(g: Array, z: Array, device: Device) -> Array:
    """Return what write and verify leaves of targets g [uS] at once: max(0, g + s(g/g_max) z)."""
    terms = device.programming_noise_fresh or device.programming_noise
    if not terms:
        return _single(g)
    return np.maximum(_single(g) + _fitted(_single(g) / device.g_max, terms, device) * _single(z), 0)


def relaxed(g: Array, g_target: Array, z: Array, device: Device, t: Seconds | None = None) -> Array:
    """Return what has become of programmed conductances g [uS] at t seconds after the last write, drift left out.

    The law is a fit's two times with the logarithm between them, as conductances of resistive memory relax (Wan et al.,
    Nature 608, 504, 2022: spread after 1 s, a day and two days).
    """
    time, (start, end) = device.age if t is None else t, device.relaxation_times
    share = _single(np.log(np.clip(time, start, end) / start) / math.log(end / start))
    v = _single(g_target) / device.g_max
    whole, fresh = (_fitted(v, terms, device) for terms in (device.programming_noise, device.programming_noise_fresh))
    return np.maximum(_single(g) + np.sqrt(np.maximum(whole**2 - fresh**2, 0) * share) * _single(z), 0)


def clipped_log(v: Array, form: tuple[float, ...], above: tuple[float, ...] = ()) -> Array:
    """Return clip(a ln v + b, low, high) for form = (a, b, low, high), v = g/g_max not below 1e-7.

    ``above`` = (v0, c0, c1, ...) takes the polynomial c0 + c1 v + ... from v0 on instead, as fits of measured
    devices do (Le Gallo et al., Nat. Electron. 6:680, 2023).
    """
    a, b, low, high = form
    v = _single(v)
    value = np.clip(np.log(np.maximum(v, FLOOR)) * a + b, low, high)
    return np.where(v >= above[0], _polynomial(v, above[1:]), value) if above else value


def drift_exponent(g_target: Array, z: Array, device: Device) -> Array:
    """Return nu = |mean + spread z| of devices programmed to targets [uS]."""
    v = np.abs(_single(g_target)) / device.g_max
    spread = clipped_log(v, device.drift_spread, device.drift_spread_above)
    return np.abs(clipped_log(v, device.drift_mean, device.drift_mean_above) + spread * _single(z))


def drifted(g: Array, nu: Array, device: Device, t: Seconds | None = None) -> Array:
    """Return g (1 + t/t0)^-nu [uS] at t seconds after the last write, by default the device's age; t may be an array.

    A write, be it programming or a pulse that moves the weight, starts drift anew whatever went before (Boybat et al.,
    "Impact of conductance drift on multi-PCM synaptic architectures", NVMTS 2018): g is what the write left.
    """
    time = device.age if t is None else t
    if isinstance(time, np.ndarray):
        return _single(g) * np.exp(_single(nu) * _single(-np.log1p(time / device.drift_start)))
    return _single(g) * np.exp(_single(nu) * -math.log1p(time / device.drift_start)) if time > 0 else _single(g)


def pcm_size(device: Device, t: Seconds | None = None) -> Any:
    """Return sqrt(ln((t + t0 + t_r)/(2 t_r))), the 1/f noise accumulated at t seconds over Q; an array for an array."""
    time = (device.age if t is None else t) + device.drift_start
    if isinstance(time, np.ndarray):
        return _single(np.sqrt(np.maximum(np.log((time + device.read_time) / (2 * device.read_time)), 0)))
    return math.sqrt(max(math.log((time + device.read_time) / (2 * device.read_time)), 0))


def pcm_share(g_programmed: Array, device: Device) -> Array:
    """Return Q = min(read_noise/v^exponent, cap) of v = g_programmed/g_max, or its form by read_noise_log."""
    v = np.abs(_single(g_programmed)) / device.g_max
    if device.read_noise_log[3]:
        return clipped_log(v, device.read_noise_log, device.read_noise_above) * device.read_noise
    power = np.power(v, np.float32(device.read_noise_exponent))
    return np.minimum(device.read_noise / np.maximum(power, FLOOR), device.read_noise_cap)


def read_sigma(g_now: Array, g_programmed: Array, device: Device, t: Seconds | None = None) -> Array:
    """Return the standard deviation of one read [uS], before any clipping.

    Parameters
    ----------
    g_now : numpy.ndarray
        Conductance at t, drifted [uS].
    g_programmed : numpy.ndarray
        Conductance after programming [uS]; the pcm law goes by it.
    device : Device
        Law and size.
    t : float or numpy.ndarray, optional
        Seconds since the last write, by default the device's age.
    """
    g, size = _single(g_now), device.read_noise
    if device.read_noise_law == "pcm":
        return np.abs(g) * (pcm_share(g_programmed, device) * pcm_size(device, t))
    if device.read_noise_law == "proportional":
        return np.abs(g) * size
    if device.read_noise_law == "sqrt":
        return np.sqrt(np.abs(g) * device.g_max) * size
    return np.full_like(g, size)


def read(g_now: Array, g_programmed: Array, z: Array, device: Device, t: Seconds | None = None) -> Array:
    """Return one read [uS]; the pcm law does not go below 0, the noise of the others is one of current."""
    value = _single(g_now) + read_sigma(g_now, g_programmed, device, t) * _single(z)
    return np.maximum(value, 0) if device.read_noise_law == "pcm" else value


def read_moments(g_now: Array, g_programmed: Array, device: Device, t: Seconds | None = None) -> tuple[Array, Array]:
    """Return mean [uS] and variance [uS^2] of :func:`read`."""
    sigma = read_sigma(g_now, g_programmed, device, t)
    if device.read_noise_law == "pcm":
        return rectified_moments(g_now, sigma)
    return _single(g_now), sigma * sigma


def rectified_moments(mean: Array, sigma: Array) -> tuple[Array, Array]:
    """Return mean and variance of max(0, m + s z), float32.

    With x = m/s, the normal density f and distribution F: mean = m F + s f, variance = s^2 (F + x f (1 - 2F) - f^2 +
    x^2 F (1 - F)), which is the second moment less the mean's square without their cancellation where s << m.
    """
    m, s = np.broadcast_arrays(_single(mean), _single(sigma))
    inside = (s > 0) & (m < 6 * s)
    first, second = np.array(np.maximum(m, 0)), np.array(s * s)
    m, s = m[inside].astype(np.float64), s[inside].astype(np.float64)
    x = m / s
    density, below = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi), ndtr(x)
    first[inside] = m * below + s * density
    rest = below + x * density * (1 - 2 * below) - density * density + x * x * below * (1 - below)
    second[inside] = s * s * np.maximum(rest, 0)
    return first, second


def _single(values: Array) -> Array:
    return np.asarray(values, dtype=np.float32)


def _polynomial(v: Array, terms: tuple[float, ...]) -> Array:
    """Return the polynomial with the constant term first."""
    total = np.zeros_like(v)
    for term in reversed(terms):
        total = total * v + term
    return total
