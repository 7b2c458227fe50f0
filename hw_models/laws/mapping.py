"""From weights to target conductances and back; conductances in uS, float32 in and out.

With ``span = g_max - g_min`` and a weight ``a`` in [-1, 1] as a share of the weight range:

    differential   G+ = g_min + max(a, 0) span,  G- = g_min + max(-a, 0) span          a = (G+ - G-)/span
    offset         G = g_zero + a reach                                                a = (G - g_zero)/reach
                   g_zero = middle, reach = span/2; or the level at or next above the middle, reach = g_max - g_zero

Sources: both mappings are common usage, as in Xiao et al., Appl. Phys. Rev. 7, 031301, 2020; slices: Shafiee et al.,
ISCA 2016.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from hw_models.laws.curves import Array, ConductanceRange, single


class Range(ConductanceRange, Protocol):
    """What a mapping asks of a device."""

    @property
    def levels(self) -> int | None: ...

    @property
    def resolution(self) -> float: ...


def differential(a: Array, device: Range, cut: bool = True) -> tuple[Array, Array]:
    """Return the targets (G+, G-) [uS] of normalised weights.

    Beyond [-1, 1] they are cut, unless ``cut`` is off: devices that learn by pulses have bounds of their own.
    """
    span, a, most = device.g_max - device.g_min, single(a), 1.0 if cut else np.inf
    return np.clip(a, 0, most) * span + device.g_min, np.clip(-a, 0, most) * span + device.g_min


def zero_and_reach(device: Range, zero: str = "middle") -> tuple[float, float]:
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


def offset(a: Array, device: Range, cut: bool = True, zero: str = "middle") -> Array:
    """Return the target G [uS] of normalised weights about the conductance of weight 0, by :func:`zero_and_reach`.

    ``cut`` as in :func:`differential`; a conductance never falls below 0.
    """
    centre, reach = zero_and_reach(device, zero)
    a = np.clip(single(a), -1, 1) if cut else np.maximum(single(a), -centre / reach)
    return a * np.float32(reach) + np.float32(centre) if zero == "level" else (a + 1) * reach + device.g_min


def two_devices(first: Array, second: Array, device: Range, kind: str) -> Array:
    """Return the targets [uS] of two devices of a weight that both have a state of their own, (2, ...).

    States are shares of the weight range: what a device of a pair conducts above g_min over the span, or, offset, what
    it conducts above the middle over half the span. A conductance never falls below 0.
    """
    states, span = np.stack([single(first), single(second)]), device.g_max - device.g_min
    if kind == "differential":
        return np.maximum(states * span + device.g_min, 0)
    middle, reach = zero_and_reach(device)
    return np.maximum(states * np.float32(reach) + np.float32(middle), 0)


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
    a: Array, slices: int, slice_bits: int, mapping: str, device: Range, zero: str = "middle"
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
    device : Range
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
    a, span, level = single(a), device.g_max - device.g_min, zero == "level"
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


def weight_bounds(
    lows: Array, highs: Array, device: Range, mapping: str, zero: str = "middle"
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
        Bounds of conductances from :func:`hw_models.laws.variation.bounds` [uS], (2, ...) for a pair with G+ first,
        (1, ...) for offset.
    device : Range
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
    lows, highs = single(lows), single(highs)
    rest = np.clip(np.full_like(lows, device.g_min), lows, highs)
    tops = highs if device.g_max_spread else np.full_like(highs, np.inf)
    if mapping == "differential":
        low, high = (rest[0] - tops[1]) / span, (tops[0] - rest[1]) / span
    else:
        middle, reach = zero_and_reach(device, zero)
        bottom = lows[0] if device.g_min_spread else np.zeros_like(lows[0])
        low, high = (bottom - middle) / reach, (tops[0] - middle) / reach
    return low, np.maximum(high, low)
