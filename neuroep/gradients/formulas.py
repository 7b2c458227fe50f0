r"""Formulas: at which nudges the states are taken, and with which weights they give the derivative at zero.

The gradient of the loss is a derivative with respect to the nudge (Scellier and Bengio 2017), and an estimator is a
formula of finite differences for it, data and nothing else:

.. math:: \frac{dL}{d\theta} = -\frac{d}{d\beta} \frac{\partial\Phi}{\partial\theta}\Big|_{s_\beta,\ \beta = 0}
          \approx -\sum_k w_k\, \frac{\partial\Phi}{\partial\theta}(s_{\beta_k}), \qquad
          \sum_k w_k = 0, \quad \sum_k w_k \beta_k = 1

With :math:`\sum_k w_k \beta_k^j = 0` for j = 2..q its bias is O(beta^q). Nudges are in units of beta, the largest of
them, and weights in units of 1/beta:

===========  ====================  =========================  =====================================
kind         nudges                weights                    order q of the bias
===========  ====================  =========================  =====================================
centred      1, -1                 1/2, -1/2                  2 (Laborieux et al. 2021)
centred, N   +-cos(j pi/(N - 1))   see :func:`derivative`     N
positive     1, 0                  1, -1                      1
negative     0, -1                 1, -1                      1
random       one of the last two by a coin                    1, zero mean over the coin
===========  ====================  =========================  =====================================

**Why these N nudges.** They are the extrema of the Chebyshev polynomial of degree N - 1. Of all formulas whose nudges
lie within +-beta and whose bias is O(beta^N), theirs has the smallest sum of |w_k|, (N - 1)/beta, which is what
rounding, noise and phases that are not settled are multiplied by (equal to |T'(0)|, the largest slope at 0 of a
polynomial of that degree bounded by 1; Rivlin, "Chebyshev Polynomials", 1990, chapter 2). N = 4 has equal distances,
+-1 and +-1/2; from N = 6 on equal distances do worse (5.5 against 5). The bias is

.. math:: \frac{f^{(N+1)}(0)}{(N+1)!} \prod_{j \le N/2} \beta_j^2 = \frac{f^{(N+1)}(0)}{(N+1)!}\,
          \frac{\beta^N}{2^{N-2}}, \qquad f(\beta) = -\partial\Phi/\partial\theta(s_\beta)

to leading order: it needs an f that is smooth over +-beta. A state that a nudge pushes over a kink (hard sigmoid) ends
that, and a singularity of f at distance R, as at minus the curvature of the output's potential, asks for beta < R. An
odd number of nudges about zero gains nothing: the weight of the free state vanishes.

**At most 16.** Each nudge is a phase to settle, and errors of the states are multiplied by N - 1. At N = 16 the bias is
beta^16/16384 times the derivative: for beta up to 0.24 already below what float64 rounds, 15 * 1.1e-16/beta, and for
beta up to 0.9 below what float32 rounds. More nudges would add rounding, noise and time, and take no bias away.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import count
from typing import Literal, NamedTuple, get_args

from hw_models.text import shown
from neuroep.errors import ConfigError, unknown

Kind = Literal["centred", "positive", "negative", "random"]
NAMES: tuple[str, ...] = get_args(Kind)
Order = Literal["fixed", "batch", "sample", "mirrored"]
ORDERS: tuple[str, ...] = get_args(Order)
DRAWN: tuple[str, ...] = ("batch", "sample")
"""Orders of the nudged phases, :mod:`neuroep.gradients.estimators`, and those that are drawn."""
PERIODS = 1024
"""Most cycles of nudged phases."""
LEAST_BETA, MOST_BETA = 1e-9, 1e9
"""Nudges of a run: 1e-9 moves no state in single precision, and noise is divided by it."""
NULL_BETA = 1e-30
"""Least nudge of an estimator: one that moves nothing shows what phases differ by without any."""
MOST = 16
"""Most points of a formula; see the module."""
EXACT = 1e-9
"""Moments 0 and 1 of weights are 0 and 1 within this."""
ROUNDED = Fraction(1, 2**50)
"""Moments of weights that are rounded, each on its own, are zero within this share of their terms."""


class Difference(NamedTuple):
    """Two nudges of a formula, that of positive weight first: the derivative is the sum of weight (f(plus) - f(minus)).

    ``share``, the weight times the distance plus - minus, is the share of their difference quotient; all add up to 1.
    """

    plus: float
    minus: float
    share: float

    @property
    def weight(self) -> float:
        """Positive, in units of 1/beta."""
        return self.share / (self.plus - self.minus)


@dataclass(frozen=True)
class Formula:
    """Nudges in units of beta, weights in units of 1/beta; see the module.

    Raises
    ------
    ConfigError
        If they are not of one number, a nudge occurs twice or is no number, or the weights do not give a derivative.
    """

    name: str
    nudges: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.nudges) != len(self.weights) or len(set(self.nudges)) < len(self.nudges):
            raise ConfigError(f"nudges {self.nudges} and weights {self.weights}: give each nudge once, with one weight")
        if not all(math.isfinite(value) for value in (*self.nudges, *self.weights)):
            raise ConfigError(f"nudges {self.nudges} and weights {self.weights}: finite numbers are allowed")
        if abs(self.moment(0)) > EXACT or abs(self.moment(1) - 1) > EXACT:
            wanted = "sum w = 0 and sum w n = 1 are needed"
            raise ConfigError(f"weights {self.weights} at nudges {self.nudges} are no derivative: {wanted}")

    def moment(self, power: int) -> float:
        """Return sum of w n^power: what the formula makes of beta^power."""
        return math.fsum(weight * nudge**power for nudge, weight in zip(self.nudges, self.weights, strict=True))

    @property
    def order(self) -> int:
        """Power of beta with which the bias falls; of moments in exact fractions.

        Weights that are those of :func:`derivative` are taken as they are before they are rounded, so that no moment
        is zero, or is not, by rounding; any others are taken as they stand.
        """
        nudges, weights = [Fraction(nudge) for nudge in self.nudges], lagrange(self.nudges)
        within = Fraction(0)
        if tuple(map(float, weights)) != self.weights:
            weights, within = [Fraction(weight) for weight in self.weights], ROUNDED
        for power in count(2):
            terms = [weight * nudge**power for weight, nudge in zip(weights, nudges, strict=True)]
            if abs(sum(terms, start=Fraction(0))) > within * sum(map(abs, terms), start=Fraction(0)):
                break
        return power - 1

    @property
    def condition(self) -> float:
        """Sum of |w|: what errors of the states are multiplied by, in units of 1/beta."""
        return math.fsum(abs(weight) for weight in self.weights)

    @property
    def nudged(self) -> tuple[float, ...]:
        """Nudges of the phases to settle, in order: all but zero, the free phase."""
        return tuple(nudge for nudge in self.nudges if nudge)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The formula as differences of two nudges each, the one of the largest weight first.

        Opposite nudges of opposite weights are compared with each other, all others with the one nearest to zero, which
        is possible because the weights sum to 0. So states are differenced before anything is multiplied.
        """
        weights = dict(zip(self.nudges, self.weights, strict=True))
        ways = [(nudge, -nudge) for nudge in self.nudges if nudge > 0 and weights.get(-nudge) == -weights[nudge]]
        rest = [nudge for nudge in self.nudges if not any(nudge in way for way in ways)]
        centre = min(rest, key=abs, default=0.0)
        ways += [(nudge, centre) for nudge in rest if nudge != centre]
        found = []
        for nudge, other in ways:
            plus, minus = (nudge, other) if weights[nudge] > 0 else (other, nudge)
            found.append(Difference(plus, minus, abs(weights[nudge]) * (plus - minus)))
        return tuple(sorted(found, key=lambda pair: -pair.weight))


def derivative(nudges: Sequence[float]) -> tuple[float, ...]:
    r"""Return the weights of the first derivative at 0 that are exact for polynomials of degree len(nudges) - 1.

    :math:`w_k = \ell_k'(0)` with the Lagrange polynomials of the nudges, in exact fractions and then rounded: opposite
    nudges have exactly opposite weights. Source: Fornberg, Math. Comp. 51:699, 1988.
    """
    return tuple(map(float, lagrange(nudges)))


def lagrange(nudges: Sequence[float]) -> list[Fraction]:
    """Return the weights of :func:`derivative` before they are rounded."""
    places = [Fraction(nudge) for nudge in nudges]
    found = []
    for k, own in enumerate(places):
        others = places[:k] + places[k + 1 :]
        scale = math.prod((own - other for other in others), start=Fraction(1))
        slope = sum(
            (math.prod((-x for j, x in enumerate(others) if j != i), start=Fraction(1)) for i in range(len(others))),
            start=Fraction(0),
        )
        found.append(slope / scale)
    return found


@cache
def central(points: int) -> Formula:
    """Return the centred formula of so many nudges, an even number up to 16; see the module for their places.

    Raises
    ------
    ConfigError
        If there is none of so many.
    """
    points = check_points("centred", points)
    if points == 2:
        return CENTRED
    degree = points - 1
    sides = [round(math.sin(math.pi * (degree - 2 * j) / (2 * degree)), 15) for j in range(points // 2)]
    nudges = tuple(nudge for side in sides for nudge in (side, -side))
    return Formula(f"{points} points", nudges, derivative(nudges))


CENTRED = Formula("centred", (1.0, -1.0), (0.5, -0.5))
POSITIVE = Formula("positive", (1.0, 0.0), (1.0, -1.0))
NEGATIVE = Formula("negative", (0.0, -1.0), (1.0, -1.0))
FORMULAS: Mapping[str, Callable[[int], tuple[Formula, ...]]] = {
    "centred": lambda points: (central(points),),
    "positive": lambda points: (POSITIVE,),
    "negative": lambda points: (NEGATIVE,),
    "random": lambda points: (NEGATIVE, POSITIVE),
}
"""By kind, for a number of points: its formula, or those of which each update draws one."""
COUNTED: tuple[str, ...] = ("centred",)
"""Kinds of which there are formulas of more than two points."""


def formulas(kind: str, points: int = 2) -> tuple[Formula, ...]:
    """Return the formula of a kind, or those of which it draws one for each update.

    Raises
    ------
    ConfigError
        For an unknown kind, or a number of points that it has no formula of.
    """
    if kind not in FORMULAS:
        raise ConfigError(unknown("estimator", kind, NAMES))
    return FORMULAS[kind](check_points(kind, points))


def check_points(kind: str, points: int) -> int:
    """Return a number of points, any whole number's type as an int; refuse one that a kind has no formula of.

    Raises
    ------
    ConfigError
        Naming both.
    """
    allowed = f"allowed are even whole numbers from 2 to {MOST}, as nudges come in opposite pairs"
    try:
        number = operator.index(points)
    except TypeError:
        raise ConfigError(f"points = {shown(points)}: {allowed}") from None
    if isinstance(points, bool) or not 2 <= number <= MOST or number % 2:
        raise ConfigError(f"points = {shown(points if isinstance(points, bool) else number)}: {allowed}")
    if number > 2 and kind not in COUNTED:
        raise ConfigError(f"points = {number}: estimator '{kind}' has two, only {', '.join(COUNTED)} takes more")
    return number


def check_order(kind: str, order: str) -> None:
    """Refuse an order that is none, or that has nothing to swap.

    Raises
    ------
    ConfigError
        Naming it and what is allowed.
    """
    if order not in ORDERS:
        raise ConfigError(unknown("order", order, ORDERS))
    if order in DRAWN and kind != "centred":
        raise ConfigError(
            f"order = '{order}': estimator '{kind}' has one nudged phase, only centred takes one; use 'mirrored'"
        )


def check_periods(periods: int) -> None:
    """Refuse a number of periods that is none.

    Raises
    ------
    ConfigError
        Naming it and what is allowed.
    """
    whole = isinstance(periods, int) and not isinstance(periods, bool)
    if not whole or not 1 <= periods <= PERIODS:
        raise ConfigError(f"periods is {shown(periods)}: allowed are whole numbers from 1 to {PERIODS}")


def named(name: str) -> Formula:
    """Return the formula of that name: a kind that draws none, or ``N points``.

    Raises
    ------
    ConfigError
        For an unknown name.
    """
    points = name.removesuffix(" points")
    if points != name and points.isdecimal():
        check_points("centred", int(points))
        return central(int(points))
    known = {formula.name: formula for formula in plain()}
    if name not in known:
        raise ConfigError(unknown("formula", name, [*known, "N points"]))
    return known[name]


def plain() -> tuple[Formula, ...]:
    """Return the formulas of two states of all kinds that draw none."""
    return tuple(found[0] for kind in NAMES if len(found := FORMULAS[kind](2)) == 1)
