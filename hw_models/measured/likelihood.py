"""The likelihood of pulse curves under one response, and where it is largest.

Every device has numbers of its own (steps up and down at weight 0, bounds of soft ones), all share the others (slopes,
noise). With innovations v of variance S from :mod:`hw_models.kernels.following`,

    -log L = 1/2 sum (log S + h(v^2/S)),      h(z^2) = z^2 to 4 deviations, then in proportion to |z| (Huber)

is made small by Fisher's scoring: gradient and information of device d for parameters i, j are

    g_i = sum v v_i/S - (v^2/S - 1) S_i/(2 S),    I_ij = sum v_i v_j/S + S_i S_j/(2 S^2),

v_i, S_i differences by one parameter, for all devices in one pass. Own parameters meet only the shared ones, so each
step solves a small system per device and one of the shared parameters (Schur's complement).

Source: Huber, Annals of Mathematical Statistics 35:73, 1964; Levenberg, Quart. Appl. Math. 2:164, 1944.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hw_models.kernels import following

Array = np.ndarray
PLAIN = 4.0
"""Standard deviations to which an innovation counts with its square."""
TURNS = 40
STEP = 1e-5
"""Of a derivative, in units of a parameter's scale."""
ENOUGH = 1e-3
"""Gain of the likelihood below which the search ends."""


@dataclass(frozen=True)
class Unknown:
    """A parameter that is searched for."""

    name: str
    column: int
    """Of the devices' parameters in the kernel; from 12 on entries of the table, up first."""
    low: float = -np.inf
    high: float = np.inf
    scale: float = 1.0


@dataclass(frozen=True)
class Problem:
    """What is searched for, in which data; K parameters are each device's own, J shared."""

    form: int
    soft: bool
    readings: Array
    pulses: Array
    devices: Array
    """(devices, 12) of all parameters where they are not searched for."""
    table: Array
    own: tuple[Unknown, ...]
    shared: tuple[Unknown, ...]
    bounds_of: Callable[[Array], None] | None = None
    """Writes the bounds that follow from other parameters."""
    weight: Array | None = None
    """(devices, readings) of which innovations count."""

    def placed(self, own: Array, shared: Array) -> tuple[Array, Array]:
        """Return the kernel's parameters for own (devices, K) and shared (J,)."""
        found, table = self.devices.copy(), self.table.copy()
        for unknown, value in zip(self.shared, shared, strict=True):
            if unknown.column < 12:
                found[:, unknown.column] = value
            else:
                row, place = divmod(unknown.column - 12, table.shape[1])
                table[1 + row, place] = value
        for k, unknown in enumerate(self.own):
            found[:, unknown.column] = own[:, k]
        if self.bounds_of is not None:
            self.bounds_of(found)
        return found, table

    def innovations(self, own: Array, shared: Array) -> Array:
        """Return v, S and whether they tell, (3, devices, readings)."""
        found = np.empty((3, *self.readings.shape))
        devices, table = self.placed(own, shared)
        following.follow(self.form, self.soft, self.readings, self.pulses, devices, table, found)
        return found


@dataclass(frozen=True)
class Maximum:
    """Where a likelihood is largest."""

    problem: Problem
    own: Array
    """(devices, K)."""
    shared: Array
    """(J,)."""
    loss: float
    """-log L, a constant left out."""
    information: Array
    """(devices, K + J, K + J), own parameters first."""
    score: Array
    """(devices, K + J) gradient of log L."""
    mask: Array
    """(devices, readings) innovations that counted."""
    held: Array
    """(J,) shared parameters that stand at an end of their range."""


def loss_of(found: Array, mask: Array) -> Array:
    """Return -log L by device."""
    v, s = found[0], found[1]
    z = np.abs(v) / np.sqrt(s)
    h = np.where(z <= PLAIN, z * z, 2 * PLAIN * z - PLAIN**2)
    return np.where(mask, np.log(s) + h, 0.0).sum(axis=1) / 2


def maximum(problem: Problem, own: Array, shared: Array, turns: int = TURNS) -> Maximum:
    """Search from a start, own (devices, K) and shared (J,)."""
    lows, highs = (np.array([getattr(p, end) for p in problem.shared]) for end in ("low", "high"))
    own_lows, own_highs = (np.array([getattr(p, end) for p in problem.own]) for end in ("low", "high"))
    own, shared = np.clip(own, own_lows, own_highs), np.clip(shared, lows, highs)
    mask = _mask(problem, own, shared)
    here, damp, looked = loss_of(problem.innovations(own, shared), mask).sum(), 1e-3, 0
    for turn in range(turns):
        score, info = derivatives(problem, own, shared, mask)
        k = len(problem.own)
        pinned = ((shared <= lows) & (score[:, k:].sum(axis=0) < 0)) | (
            (shared >= highs) & (score[:, k:].sum(axis=0) > 0)
        )
        better = False
        for _ in range(8):
            d_own, d_shared = _scoring(score, info, k, damp, pinned)
            new = np.clip(own + d_own, own_lows, own_highs), np.clip(shared + d_shared, lows, highs)
            there = loss_of(problem.innovations(*new), mask).sum()
            if np.isfinite(there) and there < here:
                better = True
                break
            damp *= 8
        gain = here - there if better else 0.0
        if better:
            (own, shared), here, damp = new, there, max(damp / 10, 1e-9)
        if gain < ENOUGH or turn % 8 == 7:
            fresh = _mask(problem, own, shared)
            looked += 1
            done = gain < ENOUGH and (looked > 3 or (fresh == mask).mean() > 0.999)
            mask = fresh
            here = loss_of(problem.innovations(own, shared), mask).sum()
            if done:
                break
    score, info = derivatives(problem, own, shared, mask)
    pinned = (shared <= lows) | (shared >= highs)
    return Maximum(problem, own, shared, float(here), info, score, mask, pinned)


def _mask(problem: Problem, own: Array, shared: Array) -> Array:
    tells = problem.innovations(own, shared)[2] > 0
    return tells if problem.weight is None else tells & problem.weight


def derivatives(problem: Problem, own: Array, shared: Array, mask: Array) -> tuple[Array, Array]:
    """Return gradient (devices, K + J) of log L and information (devices, K + J, K + J)."""
    v, s, _ = problem.innovations(own, shared)
    dv, ds = [], []
    for n, unknown in enumerate((*problem.own, *problem.shared)):
        step = STEP * unknown.scale
        near, far = own.copy(), shared.copy()
        if n < len(problem.own):
            near[:, n] += step
        else:
            far[n - len(problem.own)] += step
        found = problem.innovations(near, far)
        dv.append(np.where(mask, (found[0] - v) / step, 0.0))
        ds.append(np.where(mask, (found[1] - s) / step, 0.0))
    bent, grown = np.stack(dv, axis=1) / np.sqrt(s)[:, None], np.stack(ds, axis=1) / s[:, None]
    z = np.clip(v / np.sqrt(s), -PLAIN, PLAIN)
    score = -np.einsum("dit,dt->di", bent, z) + 0.5 * np.einsum("dit,dt->di", grown, z * z - 1)
    info = bent @ bent.transpose(0, 2, 1) + 0.5 * grown @ grown.transpose(0, 2, 1)
    return score, info


def _scoring(score: Array, info: Array, k: int, damp: float, pinned: Array) -> tuple[Array, Array]:
    """Return a step of own parameters (devices, K) and of shared ones (J,)."""
    diagonal = np.einsum("dii->di", info)
    a = info[:, :k, :k] + _diagonal(damp * diagonal[:, :k] + 1e-12 * diagonal[:, :k])
    b, g = info[:, :k, k:], score[:, :k]
    solved = inverse_of(a) @ np.concatenate([b, g[:, :, None]], axis=2)
    if not info.shape[1] - k:
        return solved[:, :, -1], np.zeros(0)
    whole = info[:, k:, k:].sum(axis=0)
    schur = whole + np.diag(damp * np.diag(whole) + 1e-12 * np.diag(whole))
    right = score[:, k:].sum(axis=0)
    if k:
        schur = schur - np.einsum("dki,dkj->ij", b, solved[:, :, :-1])
        right = right - np.einsum("dki,dk->i", b, solved[:, :, -1])
    free = ~pinned
    step = np.zeros(len(right))
    step[free] = inverse_of(schur[np.ix_(free, free)]) @ right[free]
    own = solved[:, :, -1] - solved[:, :, :-1] @ step if k else np.zeros((len(info), 0))
    return own, step


def inverse_of(matrix: Array) -> Array:
    """Return the inverse of a symmetric matrix, or of each of a stack, each parameter in units of its own diagonal."""
    size = np.sqrt(np.maximum(np.einsum("...ii->...i", matrix), 1e-300))
    whole = size[..., :, None] * size[..., None, :]
    found: Array = np.linalg.pinv(matrix / whole, rcond=1e-10, hermitian=True) / whole
    return found


def _diagonal(values: Array) -> Array:
    return values[:, :, None] * np.eye(values.shape[1])


def spread_of(best: Maximum) -> tuple[Array, Array, Array]:
    """Return what the parameters are known to.

    Returns
    -------
    tuple of numpy.ndarray
        Covariance of the shared parameters (J, J), the larger of the information's and that of the devices' scores;
        variances of own parameters for known shared ones (devices, K, K); and how own parameters go with the shared
        ones (devices, K, J).
    """
    k = len(best.problem.own)
    info, count = best.information, len(best.information)
    ridge = 1e-10 * np.einsum("dii->di", info)[:, :k] + 1e-300
    inverse = inverse_of(info[:, :k, :k] + _diagonal(ridge))
    goes = -inverse @ info[:, :k, k:]
    schur = (info[:, k:, k:] + info[:, :k, k:].transpose(0, 2, 1) @ goes).sum(axis=0)
    scores = best.score[:, k:] + np.einsum("dki,dk->di", goes, best.score[:, :k])
    free = ~best.held
    covariance = np.zeros_like(schur)
    if free.any():
        inner = np.ix_(free, free)
        plain = inverse_of(schur[inner])
        covariance[inner] = plain
        if count > 3:
            own = scores[:, free]
            clustered = plain @ (own.T @ own) @ plain * count / (count - 1)
            grow = np.sqrt(np.maximum(np.diag(clustered) / np.maximum(np.diag(plain), 1e-300), 1.0))
            covariance[inner] = plain * grow[:, None] * grow
    return covariance, inverse, goes


def names_of(unknowns: Sequence[Unknown]) -> list[str]:
    """Return their names."""
    return [one.name for one in unknowns]
