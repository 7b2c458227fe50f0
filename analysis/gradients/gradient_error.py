r"""Error of EP's gradient against the nudge beta, by parameter and estimator.

The phases settle layer-wise in float64 until nothing moves, so what remains is the bias of the finite nudge alone:
O(beta) one-sided, O(beta^2) centred, O(beta^N) with N points (:mod:`neuroep.gradients.formulas`). The exact gradient
comes from implicit differentiation at the free fixed point.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neuroep.engines.clamped import Clamped
from neuroep.engines.engine import Engine
from neuroep.engines.schedule import Schedule
from neuroep.engines.settling import Settled
from neuroep.gradients.angles import cosine, relative_error
from neuroep.gradients.estimators import Phases, pairs
from neuroep.gradients.formulas import Formula, plain
from neuroep.network import DenseLayer
from neuroep.network.potentials import HardSigmoid

PLAIN = plain()
"""Formulas of two states, which are always compared."""
KINDS = tuple(formula.name for formula in PLAIN)
BETAS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
BETWEEN = (0.02, 0.05, 0.07, 0.15, 0.2, 0.5)
"""Nudges that are added for formulas of high order, whose error is above rounding in few decades."""
CONVERGED = Schedule("layerwise", steps=1000, tolerance=1e-13)
"""A phase that settles until float64 ends."""
FLOOR = 1e-6
"""Errors of formulas of order 1 and 2 below are rounding: no slope is read from them."""
ROUNDING = 3e-12
"""Errors of formulas of higher order below this over beta are rounding."""


@dataclass(frozen=True)
class Agreement:
    """One parameter's gradient beside the exact one."""

    parameter: str
    estimator: str
    beta: float
    cosine: float
    error: float
    """||g - exact|| / ||exact||; nan where the exact gradient vanishes."""
    kinked: bool = False
    """Whether a nudge pushed a neuron over a kink of its potential, beyond which no formula keeps its order."""


def agreements(
    found: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray], estimator: str, beta: float, kinked: bool = False
) -> list[Agreement]:
    """Return the agreement of every parameter; nan where its exact gradient is zero."""
    rows = []
    for name, wanted in exact.items():
        there = bool(np.any(wanted))
        angle = cosine(found[name], wanted) if there else float("nan")
        error = relative_error(found[name], wanted) if there else float("nan")
        rows.append(Agreement(name, estimator, beta, angle, error, kinked))
    return rows


def over_a_kink(engine: Engine, free: Settled, nudged: Settled) -> bool:
    """Tell whether a neuron that clips is within its range in one of two phases and at a bound in the other."""
    clipped = [
        (layer, engine.states(free)[layer.name], engine.states(nudged)[layer.name])
        for layer in engine.network.layers
        if isinstance(layer, DenseLayer) and isinstance(layer.potential, HardSigmoid)
    ]
    return any(
        bool(np.any((before <= bound) != (after <= bound)) or np.any((before >= bound) != (after >= bound)))
        for layer, before, after in clipped
        for bound in (layer.potential.low, layer.potential.high)
    )


def against_beta(
    engine: Engine,
    clamped: Clamped,
    free: Settled,
    exact: Mapping[str, np.ndarray],
    betas: Iterable[float] = BETAS,
    schedule: Schedule = CONVERGED,
    formulas: Sequence[Formula] = PLAIN,
) -> list[Agreement]:
    """Return the agreement of every formula for each beta that the output's potential allows.

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
    betas : iterable of float
        Nudges; those at or above the curvature of the output's energy are left out, -beta would make it concave.
    schedule : Schedule
        Of the nudged phases.
    formulas : sequence of Formula
        What to compare; a nudge that several take is settled once.
    """
    rows: list[Agreement] = []
    nudges = dict.fromkeys(nudge for formula in formulas for nudge in formula.nudged)
    for beta in betas:
        if beta >= engine.network.output.potential.curvature:
            continue
        nudged = {nudge: engine.settle(clamped, schedule, nudge * beta, free) for nudge in nudges}
        phases = Phases(clamped, free, nudged)
        kinked = {nudge: over_a_kink(engine, free, settled) for nudge, settled in nudged.items()}
        for formula in formulas:
            found = engine.gradient(engine.contrasts(clamped, pairs(formula, beta, phases)))
            rows += agreements(found, exact, formula.name, beta, any(kinked[nudge] for nudge in formula.nudged))
    return rows


def decades(betas: Iterable[float]) -> list[float]:
    """Return the powers of ten among nudges, which tables list."""
    return sorted({beta for beta in betas if math.isclose(math.log10(beta) % 1, 0, abs_tol=1e-9)})


def fall(rows: Sequence[Agreement], parameter: str, formula: Formula) -> float:
    """Return the exponent of a formula's error, of betas whose nudges push no neuron over a kink.

    One of high order meets rounding at a beta that is still large; larger ones up to 0.3 count. One of order 1 or 2
    is fitted above ``FLOOR``; where kinks leave fewer than two betas of it there, down to rounding, and where they
    leave fewer than two at all, over the kinks.
    """
    smooth = [row for row in rows if not row.kinked]
    if formula.order > 2:
        return slope(smooth, parameter, formula.name, largest=0.3, rounding=ROUNDING)
    found = slope(smooth, parameter, formula.name)
    if math.isnan(found):
        found = slope(smooth, parameter, formula.name, rounding=ROUNDING)
    return slope(rows, parameter, formula.name) if math.isnan(found) else found


def slope(
    rows: Sequence[Agreement], parameter: str, estimator: str, largest: float = 0.1, rounding: float | None = None
) -> float:
    """Return the exponent q of error ~ beta^q, fitted where the error is not rounding.

    Parameters
    ----------
    rows : sequence of Agreement
        Of several betas.
    parameter, estimator : str
        Which to fit.
    largest : float
        Largest beta that counts.
    rounding : float, optional
        Errors above this over beta count; default those above ``FLOOR`` at any beta.

    Returns
    -------
    float
        nan with fewer than two points.
    """
    points = [
        (row.beta, row.error)
        for row in rows
        if (row.parameter, row.estimator) == (parameter, estimator)
        and row.beta <= largest
        and row.error > (FLOOR if rounding is None else rounding / row.beta)
    ]
    if len(points) < 2:
        return float("nan")
    beta, error = np.log(np.array(points)).T
    return float(np.polyfit(beta, error, 1)[0])
