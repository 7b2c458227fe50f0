# Tested by tests/hw_models/measured/test_fit.py.
"""The responses of :mod:`hw_models.laws.pulse_response` as formulas of the state, in double precision, to be fitted.

Of a device with bounds low and high, x = (w - low)/(high - low) is where its weight stands, and factors of a step are

============ ======================================== ======================================== ========================
response     up                                       down                                     parameters
============ ======================================== ======================================== ========================
constant     1                                        1
linear       1 - g+ (2 x - 1)                         1 + g- (2 x - 1)                         gamma_up, gamma_down
soft_bounds  2 (1 + j - x)/(1 + 2 j)                  2 (x + k)/(1 + 2 k)                      j, k
exponential  max(1 - A+ exp(g+ (2 x - 1)), 0)         max(1 - A- exp(-g- (2 x - 1)), 0)        a_up, a_down, gammas
power        ((1 + j - x)/(1 + j + k))^g+             ((x + k)/(1 + j + k))^g-                 gammas, j, k
============ ======================================== ======================================== ========================

with bounds -1 and 1, slope 1 and offset 0 of the exponential: other slopes say nothing that rates and weights do not.
Where steps shrink to a bound it may lie a share j above the range and k below: traces end before they are there.

Fields of a pulse are about weight 0. It lies at 2 x - 1 = -c, c = (high + low)/(high - low), where g_min and g_max were
given that are not the bounds, and steps s of the pulse are to what the factors above are multiplied by, S,

    linear        s = S (1 +- g c) up and down, gamma = 2 g |bound ahead|/((high - low)(1 +- g c))
    soft_bounds   s = S 2 (high/(high - low) + j)/(1 + 2 j) up, S 2 (-low/(high - low) + k)/(1 + 2 k) down, each device
    exponential   s = S, and A exp(-+ g c) in place of A
    power         s = S
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


def _constant(x: Array, _: Array) -> tuple[Array, Array]:
    return np.ones_like(x), np.ones_like(x)


def _linear(x: Array, p: Array) -> tuple[Array, Array]:
    return 1 - p[0] * (2 * x - 1), 1 + p[1] * (2 * x - 1)


def _soft_bounds(x: Array, p: Array) -> tuple[Array, Array]:
    return 2 * np.maximum(1 + p[0] - x, 0) / (1 + 2 * p[0]), 2 * np.maximum(x + p[1], 0) / (1 + 2 * p[1])


def _exponential(x: Array, p: Array) -> tuple[Array, Array]:
    z = 2 * x - 1
    up, down = p[0] * np.exp(np.clip(p[2] * z, -50, 50)), p[1] * np.exp(np.clip(-p[3] * z, -50, 50))
    return np.maximum(1 - up, 0), np.maximum(1 - down, 0)


def _power(x: Array, p: Array) -> tuple[Array, Array]:
    span = 1 + p[2] + p[3]
    above, below = np.maximum(1 + p[2] - x, 0) / span, np.maximum(x + p[3], 0) / span
    return above ** p[0], below ** p[1]


@dataclass(frozen=True)
class ResponseShape:
    """A response as a formula of x with parameters."""

    factors: Callable[[Array, Array], tuple[Array, Array]]
    """Of (x, parameters): factors of a step up and of one down."""
    names: tuple[str, ...] = ()
    """Of the parameters, as fields of a pulse where they are ones."""
    starts: tuple[tuple[float, ...], ...] = ((),)
    """Where a fit begins."""
    lowest: tuple[float, ...] = ()
    highest: tuple[float, ...] = ()


def about_zero(response: str, fields: Mapping[str, float], low: float, high: float) -> tuple[dict[str, float], Array]:
    """Return the fields of a pulse for those of a shape, and what its steps s are to S, up and down (2,).

    Parameters
    ----------
    response : str
        Name of the shape.
    fields : mapping
        Its parameters.
    low, high : float
        Mean bounds [weight].
    """
    found, span = dict(fields), high - low
    c = (high + low) / span
    if response == "linear":
        scale = np.array([1 + fields["gamma_up"] * c, 1 - fields["gamma_down"] * c])
        found["gamma_up"] *= 2 * high / span / float(scale[0])
        found["gamma_down"] *= -2 * low / span / float(scale[1])
        return found, scale
    if response == "soft_bounds":
        above, below = (fields[name] for name in BEYOND)
        return found, 2 * np.array([(high / span + above) / (1 + 2 * above), (below - low / span) / (1 + 2 * below)])
    if response == "exponential":
        found["a_up"] *= float(np.exp(-fields["gamma_up"] * c))
        found["a_down"] *= float(np.exp(fields["gamma_down"] * c))
    return found, np.ones(2)


BEYOND = ("above", "below")
"""j and k."""
_LINEAR = ("gamma_up", "gamma_down")
SHAPES: Mapping[str, ResponseShape] = {
    "constant": ResponseShape(_constant),
    "soft_bounds": ResponseShape(_soft_bounds, BEYOND, ((0.0, 0.0),), (-0.05, -0.05), (0.5, 0.5)),
    "linear": ResponseShape(_linear, _LINEAR, ((0.3, 0.3),), (0.0, 0.0), (1.0, 1.0)),
    "exponential": ResponseShape(
        _exponential,
        ("a_up", "a_down", "gamma_up", "gamma_down"),
        ((0.2, 0.2, 1.0, 1.0), (0.02, 0.02, 3.0, 3.0), (-0.5, -0.5, -1.0, -1.0)),
        (-20.0, -20.0, -10.0, -10.0),
        (0.98, 0.98, 10.0, 10.0),
    ),
    "power": ResponseShape(
        _power,
        (*_LINEAR, *BEYOND),
        ((0.5, 0.5, 0.01, 0.01), (2.0, 2.0, 0.05, 0.05)),
        (0.0, 0.0, -0.05, -0.05),
        (6.0, 6.0, 0.5, 0.5),
    ),
}
