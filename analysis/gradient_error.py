r"""Error of EP's gradient against the nudge beta, by parameter and estimator.

The phases settle layer-wise in float64 until nothing moves, so what remains is the bias of the finite nudge alone:
O(beta) one-sided, O(beta^2) centred. The exact gradient comes from implicit differentiation at the free fixed point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neuroep.engines.clamped import Clamped
from neuroep.engines.engine import Engine
from neuroep.engines.settling import Schedule, Settled
from neuroep.gradients.yardsticks import cosine, relative_error

KINDS = ("centred", "positive", "negative")
BETAS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
CONVERGED = Schedule("layerwise", steps=1000, tolerance=1e-13)
"""A phase that settles until float64 ends."""
FLOOR = 1e-6
"""Errors below are rounding: no slope is read from them."""


@dataclass(frozen=True)
class Agreement:
    """One parameter's gradient beside the exact one."""

    parameter: str
    estimator: str
    beta: float
    cosine: float
    error: float
    """||g - exact|| / ||exact||; nan where the exact gradient vanishes."""


def agreements(
    found: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray], estimator: str, beta: float
) -> list[Agreement]:
    """Return the agreement of every parameter; nan where its exact gradient is zero."""
    rows = []
    for name, wanted in exact.items():
        there = bool(np.any(wanted))
        angle = cosine(found[name], wanted) if there else float("nan")
        error = relative_error(found[name], wanted) if there else float("nan")
        rows.append(Agreement(name, estimator, beta, angle, error))
    return rows


def against_beta(
    engine: Engine,
    clamped: Clamped,
    free: Settled,
    exact: Mapping[str, np.ndarray],
    betas: Sequence[float] = BETAS,
    schedule: Schedule = CONVERGED,
) -> list[Agreement]:
    """Return the agreement of every estimator for each beta that the output's potential allows.

    Parameters
    ----------
    engine : Engine
        Of torch parts, in float64.
    clamped : Clamped
        The batch.
    free : Settled
        Its converged free phase, where every nudged one starts.
    exact : mapping of str to numpy.ndarray
        Exact gradient by parameter name.
    betas : sequence of float
        Nudges; those at or above the curvature of the output's energy are left out, -beta would make it concave.
    schedule : Schedule
        Of the nudged phases.
    """
    rows: list[Agreement] = []
    for beta in betas:
        if beta >= engine.network.output.potential.curvature:
            continue
        plus, minus = (engine.settle(clamped, schedule, sign * beta, free).state for sign in (1, -1))
        ends = {
            "centred": (plus, minus, 2 * beta),
            "positive": (plus, free.state, beta),
            "negative": (free.state, minus, beta),
        }
        for kind in KINDS:
            found = engine.gradient(engine.contrasts(clamped, *ends[kind]))
            rows += agreements(found, exact, kind, beta)
    return rows


def slope(rows: Sequence[Agreement], parameter: str, estimator: str, largest: float = 0.1) -> float:
    """Return the exponent q of error ~ beta^q, fitted where the error is not rounding.

    Parameters
    ----------
    rows : sequence of Agreement
        Of several betas.
    parameter, estimator : str
        Which to fit.
    largest : float
        Largest beta that counts.

    Returns
    -------
    float
        nan with fewer than two points.
    """
    points = [
        (row.beta, row.error)
        for row in rows
        if (row.parameter, row.estimator) == (parameter, estimator) and row.beta <= largest and row.error > FLOOR
    ]
    if len(points) < 2:
        return float("nan")
    beta, error = np.log(np.array(points)).T
    return float(np.polyfit(beta, error, 1)[0])
