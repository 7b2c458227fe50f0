# Tested by tests/hw_models/measured/test_fit.py.
"""Whether a formula of the responses describes measured steps as well as a table of them does.

The table is what the 2 K sums b_i = sum phi_i(r) d of :mod:`hw_models.measured.moments` say, one step for each. A
formula with p parameters says them with fewer:

    chi^2 = (b - M(p))' C^-1 (b - M(p)),   M_i(p) = sum g (phi_i F - s2 phi_i' F' - s2/2 phi_i F''),

with C their covariance by the noise of pulses and readings. Of a right formula chi^2 is about the number of sums less
p; it describes as well as the table where chi^2 + 2 p is less than the table's 2 * 2 K (Akaike). Sums at a hard bound,
where it is the bound that cuts, have free steps there.

Source: generalised method of moments, Hansen, Econometrica 50:1029, 1982.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import least_squares
from scipy.stats import chi2

from hw_models.measured.estimate import Estimate
from hw_models.measured.moments import CENTRES, Hats
from hw_models.measured.shapes import SHAPES, ResponseShape

Array = np.ndarray
MOST = 60
"""Evaluations of one fit: where parameters say the same it would creep on."""


@dataclass(frozen=True)
class FormulaFit:
    """One formula, fitted."""

    response: str
    fields: Mapping[str, float]
    """Parameters of the formula: fields of a pulse, and ``above`` and ``below``, see
    :mod:`hw_models.measured.shapes`."""
    errors: Mapping[str, float]
    """Their standard errors, for the devices at hand."""
    steps: tuple[float, float]
    """What the factors are multiplied by, up and down [weight]: the mean of the devices."""
    chi2: float
    free: int
    """Degrees of freedom of it."""
    better: float
    """chi^2 + 2 p of the table less that of the formula: above 0 the formula describes as well."""
    parameters: Array
    """Steps, parameters, and the free steps at hard bounds; where the fit stands."""

    @property
    def probability(self) -> float:
        """Return how often a right formula has a larger chi^2."""
        return float(chi2.sf(self.chi2, self.free)) if self.free > 0 else 1.0

    @property
    def table(self) -> ResponseShape:
        """Return its shape."""
        return SHAPES[self.response]


class Sums:
    """The sums of one estimate, and what a formula says of them.

    Parameters
    ----------
    found : Estimate
        Of the samples.
    hard : tuple of bool
        Whether the low and the high bound are hard.
    """

    def __init__(self, found: Estimate, hard: tuple[bool, bool]) -> None:
        self.s2, self.centres = max(found.read, 0.0), CENTRES
        self.cut = [hard[1], hard[0]]
        self.states, self.b, self.roots, self.maps = found.hats[0].states, [], [], []
        for way, (hats, own) in enumerate(zip(found.hats, found.parts, strict=True)):
            gain = found.shrunk[own.device, way]
            b = hats.sums(own.step) + self.s2 * hats.slopes(own.sign.astype(float))
            seen = np.diag(found.tests[way]) > 0
            c = found.tests[way][np.ix_(seen, seen)]
            self.roots.append((seen, cholesky(c + 1e-9 * np.diag(np.diag(c)), lower=True)))
            self.b.append(b[seen])
            self.maps.append(_maps(hats, gain))

    @property
    def count(self) -> int:
        """Return how many there are."""
        return sum(len(b) for b in self.b)

    def off(self, factors: tuple[Array, Array], steps: Array, edges: Array) -> Array:
        """Return b - M of a formula, whitened; ``factors`` at the centres of the cells."""
        found, left = [], list(edges)
        for way in range(2):
            f = steps[way] * factors[way]
            if self.cut[way]:
                edge = self.centres - self.states[-2] if way == 0 else self.states[1] - self.centres
                edge = np.maximum(edge, 0) / edge.max()
                f = f + left.pop(0) * edge + left.pop(0) * edge**2
            slope = np.gradient(f, self.centres)
            whole, first, second = self.maps[way]
            m = whole @ f - self.s2 * (first @ slope) - self.s2 / 2 * (second @ np.gradient(slope, self.centres))
            seen, root = self.roots[way]
            found.append(solve_triangular(root, self.b[way] - m[seen], lower=True))
        return np.concatenate(found)


def _maps(hats: Hats, gain: Array) -> tuple[Array, ...]:
    """Return sums by state and cell of g phi, g phi'/span and g phi/span^2, (K, cells) each."""
    t, span = hats.t, hats.span
    bend = gain * hats.slope / span
    whole, second = hats.by_cell(gain * (1 - t), gain * t), hats.by_cell(gain * (1 - t) / span**2, gain * t / span**2)
    return whole, hats.by_cell(-bend, bend), second


def fit(sums: Sums, name: str, middle: Array, start: Array | None = None) -> FormulaFit:
    """Fit one formula.

    Parameters
    ----------
    sums : Sums
        What is to be described.
    name : str
        Of a response in :data:`hw_models.measured.shapes.SHAPES`.
    middle : numpy.ndarray
        (2,) mean steps at weight 0 [weight].
    start : numpy.ndarray, optional
        Parameters to begin with, of an earlier fit.
    """
    shape, edges = SHAPES[name], 2 * sum(sums.cut)
    many = len(shape.names)

    def off(p: Array) -> Array:
        return sums.off(shape.factors(sums.centres, p[2 : 2 + many]), p[:2] * middle, p[2 + many :] * middle.mean())

    low = np.array([0.0, 0.0, *shape.lowest, *[-np.inf] * edges])
    high = np.array([np.inf, np.inf, *shape.highest, *[np.inf] * edges])
    starts = [_first(shape, np.array(own), edges) for own in shape.starts] if start is None else [start]
    begun = (np.clip(one, low, high) for one in starts)
    tried = [least_squares(off, one, bounds=(low, high), x_scale="jac", max_nfev=MOST) for one in begun]
    best = min(tried, key=lambda one: one.cost)
    errors = np.sqrt(np.maximum(np.diag(np.linalg.pinv(best.jac.T @ best.jac)), 0))
    p, whole = best.x, sums.count
    names = shape.names
    return FormulaFit(
        name,
        dict(zip(names, map(float, p[2 : 2 + many]), strict=True)),
        dict(zip(names, map(float, errors[2 : 2 + many]), strict=True)),
        (float(p[0] * middle[0]), float(p[1] * middle[1])),
        float(2 * best.cost),
        whole - len(p),
        2 * whole - (2 * best.cost + 2 * len(p)),
        p,
    )


def _first(shape: ResponseShape, own: Array, edges: int) -> Array:
    """Return where a fit begins: steps at weight 0 as measured."""
    factors = shape.factors(np.array([0.5]), own)
    steps = [1 / max(float(f[0]), 0.1) for f in factors]
    return np.array([*steps, *own, *[0.0] * edges])
