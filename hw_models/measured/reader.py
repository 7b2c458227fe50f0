"""Numbers of a fitted response with what they are known to: shared ones, means over devices, steps of devices."""

from __future__ import annotations

import math

import numpy as np

from hw_models.measured.laws import STATES, FittedResponse
from hw_models.measured.likelihood import loss_of, spread_of
from hw_models.measured.population import Estimate, between, quantile

Array = np.ndarray
WIDE = 1.92
"""By how much -log L rises at the end of a 95 % interval of one parameter."""
SIZES = (2, 3, 4, 5)
"""Columns of noise in the kernel's parameters."""


class Reader:
    """Reads estimates from a fit.

    Parameters
    ----------
    fitted : FittedResponse
        A response.
    bias : numpy.ndarray
        (J,) of the shared parameters, which counts as error: slopes of curves that are short beside their noise come
        out too steep (Nickell, Econometrica 49:1417, 1981).
    """

    def __init__(self, fitted: FittedResponse, bias: Array) -> None:
        self.fitted, self.best, self.bias = fitted, fitted.best, bias
        self.covariance, self.inverse, self.goes = spread_of(self.best)
        self.covariance = self.covariance + np.diag(np.where(self.best.held, 0.0, bias**2))
        self.devices = len(self.best.own)
        self.t = quantile(self.devices)
        self.names = [one.name for one in self.best.problem.shared]

    def shared(self, name: str, factor: float = 1.0) -> Estimate:
        """Return a shared parameter times a factor, its interval within its range."""
        n = self.names.index(name)
        unknown = self.best.problem.shared[n]
        value, error = float(self.best.shared[n]), float(np.sqrt(self.covariance[n, n]))
        if self.best.held[n] and unknown.column in SIZES:
            return Estimate(value, unknown.low, self._most(n)).times(factor)
        low, high = max(value - self.t * error, unknown.low), min(value + self.t * error, unknown.high)
        return Estimate(value, low, high).times(factor)

    def _most(self, n: int) -> float:
        """Return how large a noise that was found to be none may be: the likelihood tells sizes from 0 by no slope."""
        problem, best = self.best.problem, self.best
        size = problem.shared[n].scale * 1e-4
        for _ in range(60):
            shared = best.shared.copy()
            shared[n] += size
            if loss_of(problem.innovations(best.own, shared), best.mask).sum() > best.loss + WIDE:
                break
            size *= 1.5
        return float(best.shared[n] + size)

    def common(self, slopes: Array) -> float:
        """Return the standard error that shared parameters bring to a mean over devices, slopes (devices, J)."""
        mean = slopes.mean(axis=0)
        return float(np.sqrt(max(mean @ self.covariance @ mean, 0.0)))

    def mean(self, value: float, error: float, slopes: Array) -> Estimate:
        """Return a mean with the interval of its scatter and of the shared parameters."""
        half = self.t * math.hypot(error, self.common(slopes))
        return Estimate(value, value - half, value + half)

    def steps(self) -> tuple[Array, Array, Array]:
        """Return steps of the devices (devices, K), their variances (devices, K, K), and how they go with the shared
        parameters (devices, K, J); of a table at weight 0."""
        k = 1 if self.fitted.data.one_sided else 2
        own, inverse, goes = self.best.own[:, :k], self.inverse[:, :k, :k], self.goes[:, :k].copy()
        if self.fitted.response != "table":
            return own, inverse, goes
        scale, hats = self.table_middle()
        goes = goes * scale[:, None] + own[:, :, None] * hats
        return own * scale, inverse * scale[:, None] * scale, goes

    def table_middle(self) -> tuple[Array, Array]:
        """Return factors of a table at weight 0 (K,), and what each shared parameter has in them (K, J)."""
        low, high = self.fitted.data.low.mean(), self.fitted.data.high.mean()
        x = float(np.clip(-low / (high - low), 0, 1)) * (STATES - 1)
        cell = min(int(x), STATES - 2)
        hats = np.zeros((1 if self.fitted.data.one_sided else 2, len(self.names)))
        for way in range(len(hats)):
            hats[way, way * STATES + cell] += 1 - (x - cell)
            hats[way, way * STATES + cell + 1] += x - cell
        return hats @ self.best.shared, hats

    def slope_spread(self, name: str) -> Estimate:
        """Return how a shared slope differs between devices: one step of scoring for each, others as they are."""
        k, n = len(self.best.problem.own), self.names.index(name)
        info, score = self.best.information, self.best.score
        schur = info[:, k + n, k + n] + np.einsum("di,di->d", info[:, k + n, :k], self.goes[:, :, n])
        own = score[:, k + n] + np.einsum("di,di->d", self.goes[:, :, n], score[:, :k])
        known = schur > 1e-9 * schur.max()
        if known.sum() < 3:
            return Estimate(0.0, told=False)
        return between(own[known] / schur[known], 1 / schur[known]).spread
