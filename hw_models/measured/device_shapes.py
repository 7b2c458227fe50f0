"""Curves y = size F(shape, x) through the readings of many devices at once, each with a size and a shape of its own.

Gauss and Newton's steps with Levenberg's damping, for all devices together; far readings count less (Huber), by the
scale of :mod:`hw_models.measured.device_lines`. The covariance of size and shape is that of White,

    C = A^-1 B A^-1,   A = sum w j j',   B = sum (w r)^2/(1 - h) j j',   h = w j' A^-1 j,

which holds whether noise goes with the reading or not, or that of one noise for all readings where it is larger.

Source: White, Econometrica 48:817, 1980; MacKinnon and White, J. Econometrics 29:305, 1985 (the factor 1 - h).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hw_models.measured.device_lines import PLAIN, scale_of
from hw_models.measured.population import moderated

Array = np.ndarray
Curve = Callable[[Array, Array], Array]
"""F of shapes (devices, 1) and x (devices, readings)."""
TURNS = 30
ENOUGH = 1e-8
"""Change of size and shape, as a share, below which the search ends."""


@dataclass(frozen=True)
class Shapes:
    """Of every device, (devices,) each but ``left``."""

    shape: Array
    variance: Array
    """Of the shape."""
    size: Array
    size_variance: Array
    left: Array
    """(devices, readings) of y about the curve, 0 where there is no reading."""


def sizes(curve: Array, y: Array, w: Array) -> Array:
    """Return the sizes of curves with known shapes, (devices,), by weighted least squares."""
    base = (w * curve * curve).sum(axis=-1)
    return np.asarray((w * curve * y).sum(axis=-1) / np.where(base > 0, base, 1.0))


def shapes(f: Curve, x: Array, y: Array, seen: Array, starts: Sequence[float], ends: tuple[float, float]) -> Shapes:
    """Fit curves to rows of readings.

    Parameters
    ----------
    f : callable
        The curve.
    x, y : numpy.ndarray
        (devices, readings).
    seen : numpy.ndarray
        (devices, readings) of which readings count.
    starts : sequence of float
        Shapes to begin with; of one, it is known.
    ends : tuple of float
        Of shapes.
    """
    w = seen * 1.0
    tried = np.array([[one] * len(x) for one in starts], dtype=float)
    rests = [(w * (y - sizes(f(q[:, None], x), y, w)[:, None] * f(q[:, None], x)) ** 2).sum(axis=-1) for q in tried]
    shape = tried[np.argmin(rests, axis=0), np.arange(len(x))]
    size, damp = sizes(f(shape[:, None], x), y, w), np.full(len(x), 1e-3)
    free = len(starts) > 1
    for _ in range(TURNS if free else 6):
        left = np.where(seen, y - size[:, None] * f(shape[:, None], x), 0.0)
        scale = PLAIN * (scale_of(left, seen)[:, None] + 1e-9)
        w = np.where(np.abs(left) > scale, scale / np.maximum(np.abs(left), 1e-300), 1.0) * seen
        if not free:
            size = sizes(f(shape[:, None], x), y, w)
            continue
        j = _slopes(f, shape, size, x, seen)
        a, to = np.einsum("dt,dti,dtj->dij", w, j, j), np.einsum("dt,dti,dt->di", w, j, left)
        more = damp[:, None, None] * a * np.eye(2)
        step = (np.linalg.pinv(a + more, hermitian=True) @ to[:, :, None])[:, :, 0]
        new_shape = np.clip(shape + step[:, 0], *ends)
        new_size = sizes(f(new_shape[:, None], x), y, w)
        here, there = ((w * (y - s[:, None] * f(q[:, None], x)) ** 2).sum(axis=-1)
                       for q, s in ((shape, size), (new_shape, new_size)))  # fmt: skip
        better = there <= here
        change = np.where(better, np.abs(new_shape - shape) / (1 + np.abs(shape)), 0.0).max()
        shape, size = np.where(better, new_shape, shape), np.where(better, new_size, size)
        damp = np.where(better, np.maximum(damp / 10, 1e-9), damp * 10)
        if better.all() and change < ENOUGH:
            break
    left = np.where(seen, y - size[:, None] * f(shape[:, None], x), 0.0)
    j = _slopes(f, shape, size, x, seen)
    variance = _variances(j if free else j[:, :, 1:], w, left, seen)
    none = np.zeros(len(x))
    return Shapes(shape, variance[:, 0] if free else none, size, variance[:, -1], left)


def _slopes(f: Curve, shape: Array, size: Array, x: Array, seen: Array) -> Array:
    """Return how curves go with shape and size, (devices, readings, 2)."""
    step = 1e-5 * (1 + np.abs(shape))[:, None]
    by_shape = (f(shape[:, None] + step, x) - f(shape[:, None] - step, x)) / (2 * step)
    return np.stack([size[:, None] * by_shape, f(shape[:, None], x)], axis=-1) * seen[:, :, None]


def _variances(j: Array, w: Array, left: Array, seen: Array) -> Array:
    """Return variances of the parameters, (devices, parameters), White's or those of one noise, the larger."""
    many = seen.sum(axis=-1)
    inverse = np.linalg.pinv(np.einsum("dt,dti,dtj->dij", w, j, j), hermitian=True)
    free = np.maximum(many - j.shape[-1], 1)
    square = moderated(((w * left) ** 2).sum(axis=-1) / free, free)
    plain = np.einsum("dii->di", inverse) * square[:, None]
    lever = np.clip(w * np.einsum("dti,dij,dtj->dt", j, inverse, j), 0.0, 0.9)
    middle = np.einsum("dt,dti,dtj->dij", (w * left) ** 2 / (1 - lever), j, j)
    return np.asarray(np.maximum(np.einsum("dij,djk,dki->di", inverse, middle, inverse), plain))
