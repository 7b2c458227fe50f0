"""What a fit of a law to one kind of measurement is, how laws are chosen, and the robust fit they share.

Each law is fitted without a part of the data and asked for it. Of those that fit and are not worse than the best by
more than two standard errors, the one with the fewest free numbers is taken, and of several with as many the best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import t as student

from hw_models.errors import ChipError, unknown
from hw_models.measured.population import LEVEL, Estimate

Array = np.ndarray
PARTS = 5
"""Of the data that are left out in turn."""
CLEAR = 2.0
"""Standard errors by which a law has to be better than a simpler one."""
PLAIN = 3.0
"""Standard deviations to which a residual counts with its square."""


@dataclass(frozen=True)
class Tried:
    """One law, and what it says of data left out."""

    law: str
    scores: Array
    """Log-likelihood of each part left out; of the same parts for all laws."""
    r2: float
    """Of the data left out."""
    size: int = 0
    """Free numbers of its shape: what makes it less simple than another."""
    fits: bool = True
    """Whether it leaves no more of all the data than a law that fits."""


@dataclass(frozen=True)
class Sketch:
    """What a picture shows: points and a line, or several."""

    x: Array
    y: Array
    line_x: Array
    line_y: Array
    labels: tuple[str, str]
    log: tuple[bool, bool] = (False, False)


@dataclass(frozen=True)
class LawFit:
    """A law fitted to one kind of measurement."""

    kind: str
    law: str
    points: int
    device: Mapping[str, object]
    """Fields of ``[device]`` that say it."""
    estimates: Mapping[str, Estimate]
    tried: tuple[Tried, ...]
    residual: float
    """Root mean square of what is left."""
    residual_unit: str
    sketch: Sketch = field(repr=False)
    notes: tuple[str, ...] = ()
    asked: bool = False
    """Whether the law was asked for, not chosen."""

    @property
    def r2(self) -> float:
        """R2 of data left out."""
        return next(one.r2 for one in self.tried if one.law == self.law)


def chosen(tried: Sequence[Tried]) -> str:
    """Return the simplest law that is as good as the best, of those that fit all the data if any does.

    Few devices say little of which law predicts better: the standard error is then wide, and without that condition the
    simplest law would be taken even where it fits nothing. Laws of one size are equally simple: the best of them is
    taken, however little it leads, the first of them where they say the same.
    """
    tried = [one for one in tried if one.fits] or tried
    rows = zip(tried, behind(tried), strict=True)
    good = [one for one, (_, apart, error, _) in rows if apart <= max(CLEAR * error, 1e-9)]
    least = min(one.size for one in good)
    return max((one for one in good if one.size == least), key=lambda one: float(one.scores.sum())).law


def taken(tried: Sequence[Tried], asked: str | None) -> str:
    """Return the law that was asked for, or the one that is chosen.

    Raises
    ------
    ChipError
        If it is none of those that were tried.
    """
    if asked is None:
        return chosen(tried)
    names = [one.law for one in tried]
    if asked not in names:
        raise ChipError(unknown("law", asked, names))
    return asked


def behind(tried: Sequence[Tried]) -> list[tuple[str, float, float, float]]:
    """Return law, score below the best, its standard error, and R2, of each."""
    best = max(tried, key=lambda one: float(one.scores.sum()))
    rows = []
    for one in tried:
        apart = best.scores - one.scores
        error = float(apart.std(ddof=1) * np.sqrt(len(apart))) if len(apart) > 1 else 0.0
        rows.append((one.law, float(apart.sum()), error, one.r2))
    return rows


def parts(group: Array) -> list[Array]:
    """Return masks of what is left out in turn: groups by their number, or rows where there are too few groups."""
    names = np.unique(group)
    number = np.searchsorted(names, group) if len(names) >= 3 else np.arange(len(group))
    count = min(PARTS, int(number.max()) + 1)
    return [number % count == n for n in range(count)]


def mixed(count: int, blocks: int = 8) -> list[Array]:
    """Return places of so many points in blocks of which each has points of all the range, for scores of their own."""
    order = np.argsort((np.arange(count) * 0.618033988749895) % 1.0)
    return [own for own in np.array_split(order, min(blocks, count)) if len(own)]


def robust(
    off: Callable[[Array], Array], start: Sequence[float], bounds: tuple[Sequence[float], Sequence[float]], scale: float
) -> tuple[Array, Array]:
    """Return parameters that make residuals small, and their covariance by the Jacobian; far residuals count less."""
    found = least_squares(off, start, bounds=bounds, loss="soft_l1", f_scale=PLAIN * max(scale, 1e-300), x_scale="jac")
    left = off(found.x)
    free = max(len(left) - len(found.x), 1)
    variance = float((np.clip(np.abs(left), 0, PLAIN * np.sqrt(np.mean(left**2)) + 1e-300) ** 2).sum() / free)
    return found.x, np.linalg.pinv(found.jac.T @ found.jac, hermitian=True) * variance


def interval(value: float, variance: float, free: int) -> Estimate:
    """Return a number with Student's interval."""
    half = float(student.ppf(0.5 + LEVEL / 2, max(free, 1))) * float(np.sqrt(max(variance, 0.0)))
    return Estimate(value, value - half, value + half)


def likelihood(left: Array, sigma: Array | float) -> float:
    """Return the logarithm of the likelihood of residuals, far ones counted less."""
    z = np.abs(left) / sigma
    h = np.where(z <= PLAIN, z * z, 2 * PLAIN * z - PLAIN**2)
    return float(-(np.log(sigma * np.ones_like(left)) + h / 2).sum())


def explained(left: Array, values: Array) -> float:
    """Return R2."""
    whole = float(((values - values.mean()) ** 2).sum())
    return 1 - float((left**2).sum()) / whole if whole > 0 else float("nan")
