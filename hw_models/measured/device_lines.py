"""Lines through the readings of many devices at once, far readings counted less, and what each slope is known to.

y = a_d + b_d x of every device d. With residuals r, the scale s_d and Huber's psi(r) = r within 3 s_d, else 3 s_d,

    var b_d = (n/m)^2 sum psi^2/(n - 2)/sum (x - mean)^2,       m of the n readings being within 3 s_d

s_d is the median of |r| for normal ones, times sqrt(n/(n - 2)) n/(n - 0.8) for so few, but not below that of the
median device: it is small by chance, and readings that are fine would count less. Devices have much the same noise: the
variances of their residuals are drawn together by :func:`hw_models.measured.population.moderated`, as far as they say
that themselves.

Sources: Huber, Robust Statistics, 1981, section 7.6; Croux and Rousseeuw, COMPSTAT 1:411, 1992 (of few readings).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_models.measured.population import moderated

Array = np.ndarray
PLAIN = 3.0
"""Scales to which a reading counts in full."""
ROUNDS = 6
"""Of reweighting."""


@dataclass(frozen=True)
class DeviceRows:
    """Readings in rows of one device each, (devices, most readings): ``place`` of one, ``seen`` where there is one."""

    place: Array
    seen: Array

    def of(self, values: Array) -> Array:
        """Return values of all readings (readings,) in rows."""
        return np.asarray(values[self.place])

    def back(self, values: Array) -> Array:
        """Return rows as values of all readings."""
        found = np.empty(int(self.seen.sum()), dtype=values.dtype)
        found[self.place[self.seen]] = values[self.seen]
        return found


def rows_of(device: Array) -> DeviceRows:
    """Return where the readings of devices (readings,) stand, in their order."""
    many = np.bincount(device)
    place = np.zeros((len(many), int(many.max())), dtype=int)
    seen = np.arange(place.shape[1])[None] < many[:, None]
    place[seen] = np.argsort(device, kind="stable")
    return DeviceRows(place, seen)


@dataclass(frozen=True)
class DeviceLines:
    """Of every device; all (..., devices) but ``left``."""

    offset: Array
    slope: Array
    variance: Array
    """Of the slope."""
    noise: Array
    """Variance of a reading about the line."""
    left: Array
    """(..., devices, readings) of y about the line, 0 where there is no reading."""

    def at(self, x: Array) -> Array:
        """Return the lines at x (..., devices, readings)."""
        return np.asarray(self.offset[..., None] + self.slope[..., None] * x)


def middle(values: Array, seen: Array) -> Array:
    """Return the median of |values| that are seen, over the last axis."""
    order = np.sort(np.where(seen, np.abs(values), np.inf), axis=-1)
    many = np.broadcast_to(seen.sum(axis=-1, keepdims=True), (*order.shape[:-1], 1))
    lower, upper = (np.take_along_axis(order, place, axis=-1)[..., 0] for place in ((many - 1) // 2, many // 2))
    return np.asarray((lower + upper) / 2)


def scale_of(left: Array, seen: Array) -> Array:
    """Return the standard deviation of what lines leave of normal readings, (..., devices), by the median."""
    many = np.maximum(seen.sum(axis=-1), 3)
    return np.asarray(1.4826 * middle(left, seen) * np.sqrt(many / (many - 2)) * many / (many - 0.8))


def lines(x: Array, y: Array, seen: Array) -> DeviceLines:
    """Fit a line to every row.

    Parameters
    ----------
    x, y : numpy.ndarray
        (..., devices, readings).
    seen : numpy.ndarray
        (devices, readings) of which readings count.
    """
    many = seen.sum(axis=-1)
    shape = np.broadcast_shapes(x.shape, y.shape)
    w = np.broadcast_to(seen, shape) * 1.0
    for _ in range(ROUNDS):
        whole = w.sum(axis=-1)
        mean_x, mean_y = (w * x).sum(axis=-1) / whole, (w * y).sum(axis=-1) / whole
        off = x - mean_x[..., None]
        base = (w * off * off).sum(axis=-1)
        slope = np.where(base > 0, (w * off * y).sum(axis=-1) / np.where(base > 0, base, 1.0), 0.0)
        offset = mean_y - slope * mean_x
        left = np.where(seen, y - offset[..., None] - slope[..., None] * x, 0.0)
        scale = scale_of(left, seen)
        scale = np.maximum(scale, np.median(scale, axis=-1, keepdims=True)) + 1e-12
        far = np.abs(left) > PLAIN * scale[..., None]
        w = np.where(far, PLAIN * scale[..., None] / np.where(far, np.abs(left), 1.0), 1.0) * seen
    free = np.maximum(many - 2, 1)
    kept = many / np.maximum((seen & ~far).sum(axis=-1), 1)
    square = (np.minimum(np.abs(left), PLAIN * scale[..., None]) ** 2).sum(axis=-1) / free * kept**2
    off = np.where(seen, x - (np.where(seen, x, 0.0).sum(axis=-1) / many)[..., None], 0.0)
    whole = (off * off).sum(axis=-1)
    noise = moderated(square, free)
    return DeviceLines(offset, slope, np.where(whole > 0, noise / np.where(whole > 0, whole, 1.0), 0.0), noise, left)
