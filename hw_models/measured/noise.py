# Tested by tests/hw_models/measured/test_fit.py.
"""What steps stray by: the noise of the readings apart from that of the pulses, and how the latter goes by the state.

With e the residual of a step as read in the direction u of its pulse, e = eta + u (e' - (1 + u g F') e_r), a reading's
own noise e_r makes residuals that follow each other anticorrelated, and the noise eta of the pulses does not:

    s2 = -sum u e u' e' / sum (1 + u' g' F'),   over pairs of pulses that follow each other
    E[eta^2] = E[e^2] - s2 (1 + (1 + u g F')^2)

eta has the standard deviation noise m(x) g F + base g s, with s the step at weight 0; see
:mod:`hw_models.kernels.cycle_noise`. Squares are sums over all that is near a state, and near a bound most samples
lie where the step is smaller than at the middle between two states: so F and F^2 are averaged over the same samples.
Which of the four forms (either, both, or a multiple m at every state instead of base) is chosen by Schwarz's criterion
of a normal likelihood over the sums of squares by state and direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

Array = np.ndarray
FORMS = ("noise", "base", "both", "table")
LEAST = 0.02
"""Of the largest step: one below says nothing of a noise that goes with it."""


@dataclass(frozen=True)
class Squares:
    """Sums over samples by state (K) and direction (2, up first)."""

    count: Array
    square: Array
    """Mean of the squared residuals."""
    gain: Array
    """Mean of the squared gains."""
    read: Array
    """Variance that readings bring."""
    cells: Array
    """(2, K, C) what cells of the state, of equal width, have of the squared gains; of each state 1 together."""
    step: Array
    """(2, C) mean step of a device of gain 1 in the cells."""
    middle: Array
    """(2, 1) that at weight 0."""

    @property
    def mean(self) -> Array:
        """Mean step of the samples of a state, (2, K)."""
        found: Array = np.einsum("dkc,dc->dk", self.cells, self.step)
        return found

    @property
    def mean_square(self) -> Array:
        """Mean squared step of the samples of a state, (2, K)."""
        found: Array = np.einsum("dkc,dc->dk", self.cells, self.step**2)
        return found

    def variance(self) -> Array:
        """Return E[eta^2] of a device of gain 1; may be below 0 where there is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.count > 0, (self.square - self.read) / self.gain, np.nan)


@dataclass(frozen=True)
class CycleNoise:
    """Noise of a pulse: fields of :class:`hw_models.chip.Pulse`."""

    noise: float = 0.0
    base: float = 0.0
    multiples: Array | None = None
    """(K,) of ``noise`` at the states."""
    score: float = 0.0
    """Schwarz's criterion; smaller describes better."""


def of_readings(residual: Array, follows: Array, slope: Array) -> float:
    """Return s2 from residuals in the direction of the weight, (samples,), and 1 + u g F' of each; may be below 0."""
    here = np.flatnonzero(follows)
    base = slope[here].sum()
    return float(-(residual[here] * residual[here - 1]).sum() / base) if base > 0 else 0.0


def of_pulses(squares: Squares, form: str) -> CycleNoise:
    """Return the noise of a form that describes the squares best."""
    if form == "table":
        return _multiples(squares)
    used = {"noise": [0], "base": [1], "both": [0, 1]}[form]
    own, cross, start = squares.mean_square, squares.mean * squares.middle, _start(squares)

    def loss(shares: Array) -> float:
        both = np.zeros(2)
        both[used] = shares
        noise, base = both
        return _likelihood(squares, noise**2 * own + 2 * noise * base * cross + base**2 * squares.middle**2)

    # Two valleys: noise that goes with the step, and noise that does not.
    starts = np.eye(len(used)) * start + 0.1 * start * (1 - np.eye(len(used)))
    bounds = [(0.0, None)] * len(used)
    tried = [minimize(loss, one, method="L-BFGS-B", bounds=bounds) for one in starts]
    best = min(tried, key=lambda one: one.fun)
    found = dict(zip(used, best.x, strict=True))
    score = 2 * best.fun + len(used) * np.log(squares.count.sum())
    return CycleNoise(float(found.get(0, 0.0)), float(found.get(1, 0.0)), None, float(score))


def _start(squares: Squares) -> float:
    """Return the standard deviation of a pulse in steps, roughly."""
    count = squares.count.sum()
    variance = (squares.count * (squares.square - squares.read)).sum() / count
    step = (squares.count * squares.mean).sum() / count
    return float(np.sqrt(max(variance, 1e-6 * step**2)) / step)


def _likelihood(squares: Squares, variance: Array) -> float:
    """Return minus the logarithm of the likelihood for variances of a device of gain 1, (2, K)."""
    seen = squares.count > 0
    total = (squares.gain * variance + squares.read)[seen]
    total = np.maximum(total, 1e-12 * squares.middle.mean() ** 2)
    return float((squares.count[seen] * (np.log(total) + squares.square[seen] / total)).sum() / 2)


def _multiples(squares: Squares) -> CycleNoise:
    """Return the noise at every state, of both directions together, in closed form but for its weights."""
    variance, size = np.nan_to_num(squares.variance()), squares.mean_square
    weight = squares.count * (size > (LEAST * squares.step.max()) ** 2)
    own = weight.sum(axis=0)
    base = (weight * size).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.sqrt(np.maximum((weight * variance).sum(axis=0), 0) / base)
    seen = (own >= 5) & np.isfinite(share)
    if not seen.any() or not (share[seen] > 0).any():
        return CycleNoise(score=np.inf)
    share = np.interp(np.arange(len(own)), np.flatnonzero(seen), share[seen])
    noise = float(np.sqrt((own * share**2).sum() / own.sum()))
    fit = _likelihood(squares, share**2 * size)
    return CycleNoise(noise, 0.0, share / noise, 2 * fit + int(seen.sum()) * np.log(squares.count.sum()))


def best(squares: Squares, forms: tuple[str, ...]) -> str:
    """Return the form of the smallest criterion."""
    return min(forms, key=lambda form: of_pulses(squares, form).score)
