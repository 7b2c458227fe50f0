"""Steps of devices with soft bounds, by the whole shape of each device's likelihood.

A pulse whose step would lead beyond the bound leaves a device at it, however far beyond. Of a device with s/b above
about 1 the likelihood is therefore flat towards larger steps, and its curvature at the maximum tells an error that is
many times too small: those whose lower bound is near weight 0, and that come to it in one pulse, made devices look very
unlike in their asymmetry. So the likelihood of a device is followed away from its maximum,

    l_d(t) = max over size and own bounds of log L_d,      s+ = size (1 + min(t, 0)),  s- = size (1 - max(t, 0)),

with what all share as it is. Its mean and variance, exp(l_d) counted as a density of t, are the device's asymmetry and
the error of that. The size of the step is then the mean over t of the best size, weighted by exp(l_d) and by how all
devices' asymmetries lie: a device that tells its step up alone does not need its step down to tell its size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hw_models.measured.likelihood import Maximum, Problem, derivatives, inverse_of, loss_of

Array = np.ndarray
ERRORS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 13.0, 20.0, 30.0, 50.0, 100.0, 1e3)
"""How far the asymmetry is followed to either side, in errors by the curvature."""
ENDS = 0.98
"""Of asymmetries."""
TURNS = 6
"""Steps of scoring at each asymmetry."""
LOST = 12.0
"""Fall of the likelihood from which a device is followed no farther."""
NARROWEST = 0.01
"""Of the spread of asymmetries by which sizes are weighted."""


@dataclass(frozen=True)
class Profiles:
    """Of every device, by its asymmetry; (devices, asymmetries) each, the latter rising."""

    tilt: Array
    gain: Array
    """Log-likelihood below the largest."""
    size: Array
    """The best size of a step."""
    error: Array
    """Its variance."""

    def tilts(self) -> tuple[Array, Array]:
        """Return asymmetries of the devices and their variances."""
        rows = [_moments(t, gain, t, 0 * t) for t, gain in zip(self.tilt, self.gain, strict=True)]
        mean, variance = np.array(rows).T
        return mean, variance

    def sizes(self, middle: float, spread: float) -> tuple[Array, Array]:
        """Return sizes of steps and their variances, where asymmetries are N(middle, spread^2) over the devices."""
        spread = max(spread, NARROWEST)
        more = middle + spread * np.linspace(-5, 5, 81)
        rows = []
        for own in zip(self.tilt, self.gain, self.size, self.error, strict=True):
            t = own[0]
            at = np.union1d(t, more[(more > t[0]) & (more < t[-1])])
            gain, size, error = (np.interp(at, t, values) for values in own[1:])
            rows.append(_moments(at, gain - ((at - middle) / spread) ** 2 / 2, size, error))
        mean, variance = np.array(rows).T
        return mean, variance


def _moments(t: Array, gain: Array, value: Array, error: Array) -> tuple[float, float]:
    """Return mean and variance of a value with an error of its own, over t of density exp(gain)."""
    w = np.exp(gain - gain.max()) * np.gradient(t)
    w = w / w.sum()
    mean = float((w * value).sum())
    return mean, float((w * (error + (value - mean) ** 2)).sum())


def profiles(best: Maximum) -> Profiles:
    """Follow the likelihood of every device along its asymmetry.

    Parameters
    ----------
    best : Maximum
        Of soft bounds; the first two own parameters are steps up and down.
    """
    found, _ = best.problem.placed(best.own, best.shared)
    steps = best.own[:, :2]
    size = steps.max(axis=1)
    tilt = np.clip((steps[:, 0] - steps[:, 1]) / size, -ENDS, ENDS)
    own = np.concatenate([size[:, None], best.own[:, 2:]], axis=1)
    errors = _errors(best, tilt, size)
    rows = [(tilt, *_best(_problem(best, found, tilt), own, best.mask))]
    for side in (1, -1):
        here, before, gain = own, tilt, rows[0][1]
        for far in ERRORS:
            at = np.clip(tilt + side * far * errors, -ENDS, ENDS)
            if (at == before).all() or (gain < rows[0][1] - LOST).all():
                break
            rows.append((at, *_best(_problem(best, found, at), here, best.mask)))
            gain, here, before = rows[-1][1], rows[-1][2], at
    order = np.argsort(np.stack([row[0] for row in rows]), axis=0, kind="stable")
    gain = np.stack([row[1] for row in rows])
    columns = [np.stack([row[0] for row in rows]), gain - gain.max(axis=0), np.stack([row[2][:, 0] for row in rows]),
               np.stack([row[3] for row in rows])]  # fmt: skip
    return Profiles(*(np.take_along_axis(one, order, axis=0).T for one in columns))


def _errors(best: Maximum, tilt: Array, size: Array) -> Array:
    """Return errors of asymmetries by the curvature."""
    inverse = inverse_of(best.information[:, : best.own.shape[1], : best.own.shape[1]])[:, :2, :2]
    to = np.where(tilt[:, None] > 0, [[0.0, -1.0]], [[1.0, 0.0]]) / size[:, None]
    to = to + np.where(tilt > 0, 1 - tilt, -1 - tilt)[:, None] * np.where(tilt[:, None] > 0, [[1.0, 0]], [[0, 1.0]]) / (
        size[:, None]
    )
    return np.clip(np.sqrt(np.maximum(np.einsum("di,dij,dj->d", to, inverse, to), 0.0)), 1e-4, 0.5)


def _problem(best: Maximum, found: Array, tilt: Array) -> Problem:
    """Return the problem with known asymmetries and shared parameters."""
    old = best.problem
    up, down = 1 + np.minimum(tilt, 0.0), 1 - np.maximum(tilt, 0.0)
    inner: Callable[[Array], None] | None = old.bounds_of

    def bounds_of(devices: Array) -> None:
        size = devices[:, 0].copy()
        devices[:, 0], devices[:, 1] = size * up, size * down
        if inner is not None:
            inner(devices)

    own = (replace(old.own[0], name="size"), *old.own[2:])
    _, table = old.placed(best.own, best.shared)
    return replace(old, devices=found, table=table, own=own, shared=(), bounds_of=bounds_of)


def _best(problem: Problem, own: Array, mask: Array) -> tuple[Array, Array, Array]:
    """Return the largest log-likelihood of every device, where it is (devices, K), and the variance of the size."""
    lows, highs = (np.array([getattr(one, end) for one in problem.own]) for end in ("low", "high"))
    none = np.zeros(0)
    own = np.clip(own, lows, highs)
    here, damp = loss_of(problem.innovations(own, none), mask), np.full(len(own), 1e-3)
    for _ in range(TURNS):
        score, info = derivatives(problem, own, none, mask)
        diagonal = np.einsum("dii->di", info)
        held = ((own <= lows) & (score < 0)) | ((own >= highs) & (score > 0))
        score, free = np.where(held, 0.0, score), ~held
        info = info * free[:, :, None] * free[:, None, :] + np.eye(own.shape[1]) * held[:, :, None]
        step = inverse_of(info + (damp[:, None] * diagonal)[:, :, None] * np.eye(own.shape[1])) @ score[:, :, None]
        new = np.clip(own + step[:, :, 0], lows, highs)
        there = loss_of(problem.innovations(new, none), mask)
        better = np.isfinite(there) & (there < here)
        gain = float(np.where(better, here - there, 0.0).max())
        own, here = np.where(better[:, None], new, own), np.where(better, there, here)
        damp = np.where(better, np.maximum(damp / 10, 1e-9), damp * 10)
        if gain < 1e-2 and better.any():
            break
    _, info = derivatives(problem, own, none, mask)
    return -here, own, inverse_of(info)[:, 0, 0]
