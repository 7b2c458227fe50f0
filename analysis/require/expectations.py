"""What accuracies to expect at points that were not run, so that those are run next which decide most.

A Gaussian process over the indices of the fields, each scaled to [0, 1]: two points at the distance r vary together as
exp(-r^2/2l^2), l = 0.6 (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, section 2.2). It tells
where to look and nothing else: no point is ruled out by what is expected of it.
"""

from __future__ import annotations

import numpy as np

LENGTH = 0.6
"""Over which accuracies vary, in the whole range of a field."""


class Expectations:
    """The process over the points of a grid.

    Parameters
    ----------
    at : (points, fields) ndarray
        Indices of all points.
    """

    def __init__(self, at: np.ndarray) -> None:
        self._at = at / np.maximum(at.max(axis=0), 1)

    def of(self, known: np.ndarray, values: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the accuracy of every point, (points,) each.

        Parameters
        ----------
        known : (known,) ndarray
            Numbers of the points that were run.
        values : (known,) ndarray
            Their accuracies.
        noise : float
            Standard deviation of these.
        """
        from scipy.linalg import cho_factor, cho_solve

        amplitude = max(float(np.ptp(values)) / 2, 0.01)
        across = self._covariance(self._at, self._at[known])
        factor = cho_factor(across[known] + np.eye(len(known)) * ((noise / amplitude) ** 2 + 1e-8))
        centre = float(values.mean())
        mean = centre + across @ cho_solve(factor, values - centre)
        left = 1 - np.einsum("ij,ji->i", across, cho_solve(factor, across.T))
        return mean, amplitude * np.sqrt(np.maximum(left, 1e-6))

    def _covariance(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        squares = ((one[:, None] - other[None]) ** 2).sum(axis=2)
        return np.asarray(np.exp(-squares / (2 * LENGTH**2)))
