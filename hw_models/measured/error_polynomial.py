"""A standard deviation that is a polynomial of the target, by likelihood, and the intervals of its numbers.

Residuals r at v = target/g_max are normal of s(v) = p_0 + p_1 v + ...; of two ages and more the variance is
(1 - f) s_1^2 + f s_2^2, with f of every row from 0 to 1 and a polynomial for each end. With z = r/s

    -log L = sum (log s + h(z)/2),     h(z) = z^2 to 3 deviations, then in proportion to |z| (Huber)

Ends of an interval are where -log L, with the other numbers at their best, is (c q)^2/2 above its least. For
independent rows c = 1 and q is Student's quantile of as many degrees as there are rows more than numbers. Rows of a
device, or of one write at several ages, may go together: c^2 is then the variance by the scores (z^2 - 1) s_i/s of
whole groups over that of independent rows, and q has as many degrees as groups, less one. The larger c q counts.

The curvature at the maximum alone makes a constant that is low by chance look well known too, as errors near v = 0
are then small: nearly all intervals that missed the truth lay below it.

Sources: Huber, Annals of Mathematical Statistics 35:73, 1964; Venzon and Moolgavkar, Appl. Stat. 37:87, 1988 (intervals
by the likelihood); Liang and Zeger, Biometrika 73:13, 1986 (scores of groups).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from hw_models.measured.law_fits import likelihood
from hw_models.measured.population import quantile

Array = np.ndarray
GROUPS = 3
"""Fewest groups whose scores tell how rows go together."""
STEPS, CLOSE = 40, 0.005
"""Of the search for an end, and the share of c q to which it is found."""


def sigma_at(terms: Array, v: Array, share: Array | None) -> Array:
    """Return s of every row; where a polynomial is below 0, all but 0.

    Parameters
    ----------
    terms : numpy.ndarray
        (1 or 2, order + 1) [uS], constant first; of the first age and of the last, or of all.
    v : numpy.ndarray
        (rows,) target over g_max.
    share : numpy.ndarray, optional
        (rows,) f of the age.
    """
    first, last = (np.maximum(np.polynomial.polynomial.polyval(v, row), 1e-9) for row in (terms[0], terms[-1]))
    return first if share is None else np.sqrt((1 - share) * first**2 + share * last**2)


def loss_of(p: Array, v: Array, r: Array, share: Array | None, scale: float) -> float:
    """Return -log L of terms (flat) in units of a scale [uS]."""
    terms = p.reshape(1 if share is None else 2, -1) * scale
    return -likelihood(r, np.maximum(sigma_at(terms, v, share), 1e-3 * scale))


def scale_of(r: Array) -> float:
    """Return the standard deviation that normal residuals of such a mean size have [uS]."""
    return float(np.abs(r).mean() * np.sqrt(np.pi / 2)) + 1e-300


def fitted(order: int, v: Array, r: Array, share: Array | None) -> Array:
    """Return the best terms, (1 or 2, order + 1)."""
    powers, scale = np.vander(v, order + 1, increasing=True), scale_of(r)
    start = np.linalg.lstsq(powers, np.abs(r) * np.sqrt(np.pi / 2) / scale, rcond=None)[0]
    if (powers @ start).min() <= 0:
        start = np.eye(1, order + 1)[0]
    rows = 1 if share is None else 2
    begun, rest = np.tile(start, rows), (v, r, share, scale)
    found = minimize(loss_of, begun, rest, method="BFGS")
    best = minimize(loss_of, found.x, rest, method="Nelder-Mead", options={"maxiter": 200 * len(begun), "fatol": 1e-6})
    terms: Array = best.x.reshape(rows, -1) * scale
    return terms


def errors(terms: Array, v: Array, r: Array, share: Array | None, group: Array) -> tuple[Array, Array]:
    """Return standard errors of independent rows by Fisher's information, sum 2 s_i s_j/s^2, and c q; (terms,) each."""
    sigma, flat, columns = sigma_at(terms, v, share), terms.ravel(), []
    for n in range(len(flat)):
        step = 1e-6 * max(np.abs(flat).max(), 1e-12)
        other = flat.copy()
        other[n] += step
        columns.append((sigma_at(other.reshape(terms.shape), v, share) - sigma) / step)
    j = np.stack(columns, axis=1) / sigma[:, None]
    covariance: Array = np.linalg.pinv(2 * j.T @ j, hermitian=True)
    plain = np.maximum(np.diag(covariance), 1e-300)
    reach = np.full(len(flat), quantile(max(len(r) - len(flat), 1) + 1))
    many = int(group.max()) + 1
    if many >= GROUPS:
        rows = (np.clip(r / sigma, -4, 4) ** 2 - 1)[:, None] * j
        scores = np.stack([np.bincount(group, column, many) for column in rows.T], axis=1)
        wide = np.diag(covariance @ (scores.T @ scores) @ covariance) * many / (many - 1)
        reach = np.maximum(reach, np.sqrt(np.maximum(wide, 0.0) / plain) * quantile(many))
    return np.sqrt(plain), reach


def ends(terms: Array, v: Array, r: Array, share: Array | None, group: Array) -> Array:
    """Return the 95 % interval of every number, (1 or 2, order + 1, 2) [uS]; infinite where nothing ends it.

    Parameters
    ----------
    terms : numpy.ndarray
        (1 or 2, order + 1) at their best [uS].
    v, r, share : numpy.ndarray
        (rows,) target over g_max, residual [uS], f of the age.
    group : numpy.ndarray
        (rows,) number of the device, or of the write.
    """
    scale = scale_of(r)
    best, rest = terms.ravel() / scale, (v, r, share, scale)
    error, reach = errors(terms, v, r, share, group)
    error = np.maximum(error / scale, 1e-6)
    least, found = loss_of(best, *rest), np.empty((len(best), 2))

    def root(n: int, at: float, start: Array) -> tuple[float, Array]:
        """Return sqrt(2 rise of -log L) with number n known, and the best of the others."""
        if not len(start):
            return float(np.sqrt(2 * max(loss_of(np.array([at]), *rest) - least, 0.0))), start
        one = minimize(lambda p: loss_of(np.insert(p, n, at), *rest), start, method="BFGS", options={"gtol": 1e-3})
        return float(np.sqrt(2 * max(one.fun - least, 0.0))), one.x

    for n in range(len(best)):
        for side, sign in enumerate((-1.0, 1.0)):
            near, far, rose, start, step = float(best[n]), np.inf, 0.0, np.delete(best, n), reach[n] * error[n]
            high = np.inf
            for turn in range(STEPS):
                # The line between both ends in turn with their middle: a barrier is steep on one side.
                part = (reach[n] - rose) / (high - rose) if turn % 2 else 0.5
                at = near + (sign * step if far == np.inf else (far - near) * part)
                now, others = root(n, at, start)
                if now < reach[n]:
                    near, rose, start, step = at, now, others, 1.5 * step
                else:
                    far, high = at, now
                if abs(far - near) < CLOSE * abs(far - best[n]) or abs(now - reach[n]) < CLOSE * reach[n]:
                    far = at
                    break
            found[n, side] = (far if np.isfinite(far) else sign * np.inf) * scale
    return found.reshape(*terms.shape, 2)
