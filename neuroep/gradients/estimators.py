r"""Gradient estimators: which phases are settled, and which two states are contrasted.

============  ========================  ==================  =================================
kind          contrasted states         span                bias of the gradient
============  ========================  ==================  =================================
centred       +beta, -beta              2 beta              O(beta^2)
positive      +beta, free               beta                O(beta)
negative      free, -beta               beta                O(beta)
random        one of the two by a coin  beta                O(beta), zero mean over the coin
============  ========================  ==================  =================================

:math:`dL/d\theta = -\frac{1}{\mathrm{span}} [\partial\Phi/\partial\theta]^{+}_{-}` at the settled states, averaged over
the batch. Nudged phases start from the free state. Source: Scellier and Bengio 2017; Laborieux et al., Front. Neurosci.
15:633674, 2021 (centred).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.keywords import checked
from neuroep.engines.settling import Schedule, Settled, State
from neuroep.errors import ConfigError, unknown
from neuroep.gradients import health
from neuroep.learning.contrast import Contrast
from neuroep.randomness import generator

if TYPE_CHECKING:
    from neuroep.engines.engine import Engine

NAMES = ("centred", "positive", "negative", "random")
SETTLED = Schedule(steps=50, tolerance=1e-5)
NUDGED = Schedule(steps=50, tolerance=0.01)
"""How a phase settles where nothing is said."""


@dataclass(frozen=True)
class Phases:
    """The settled phases of one batch."""

    clamped: Any
    free: Settled
    nudged: dict[int, Settled]
    """By sign of beta."""


@dataclass(frozen=True)
class Measurement:
    """What one batch gives the update."""

    contrasts: dict[str, Contrast]
    free: Settled
    health: dict[str, float]


@dataclass(frozen=True)
class Estimator:
    """One way to estimate dL/dtheta by EP.

    Parameters
    ----------
    kind : str
        One of ``NAMES``.
    beta : float
        Strength of the nudge, positive.
    free, nudged : Schedule
        How the free and the nudged phases settle; the tolerance of the latter is relative to the displacement.
    seed : int
        Seed of the coin of ``random``.

    Raises
    ------
    ConfigError
        For an unknown kind or a beta that is not positive and finite.
    """

    kind: str = "centred"
    beta: float = 0.1
    free: Schedule = SETTLED
    nudged: Schedule = NUDGED
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in NAMES:
            raise ConfigError(unknown("estimator", self.kind, NAMES))
        if not 0 < self.beta < math.inf:
            raise ConfigError(f"beta is {self.beta}: allowed are positive finite numbers")

    def signs(self, step: int | None) -> tuple[int, ...]:
        """Return the signs of the nudged phases of update ``step``, which only ``random`` must know."""
        if self.kind == "random":
            if step is None:
                raise ConfigError(
                    "step is not given: the estimator 'random' draws its sign by the number of the update"
                )
            coin = generator(self.seed, "nudge sign", step).integers(2)
            return (1,) if coin else (-1,)
        return {"centred": (1, -1), "positive": (1,), "negative": (-1,)}[self.kind]

    def settle(self, engine: Engine, batch: Any, step: int | None = None, record: tuple[str, ...] = ()) -> Phases:
        """Settle the free phase and, from its end, the nudged ones; ``record`` goes to the nudged ones.

        Both nudged phases take the sweeps of the longer one: what the free phase has left unsettled goes on to settle
        in both alike, and is not in their contrast.
        """
        clamped = engine.clamp(batch)
        free = engine.settle(clamped, self.free)
        signs = self.signs(step)
        nudged = {s: engine.settle(clamped, self.nudged, beta=s * self.beta, start=free, record=record) for s in signs}
        longest = max(settled.steps for settled in nudged.values())
        for sign, settled in nudged.items():
            if settled.steps < longest:
                rest = replace(self.nudged, steps=longest - settled.steps, tolerance=0.0)
                nudged[sign] = engine.settle(clamped, rest, sign * self.beta, settled, record).after(settled)
        return Phases(clamped, free, nudged)

    def _ends(self, phases: Phases) -> tuple[State, State, float]:
        """Return the two contrasted states and the span."""
        plus = phases.nudged[1].state if 1 in phases.nudged else phases.free.state
        minus = phases.nudged[-1].state if -1 in phases.nudged else phases.free.state
        return plus, minus, self.beta * len(phases.nudged)

    def measure(self, engine: Engine, batch: Any, step: int | None = None) -> Measurement:
        """Return contrasts and health numbers of one batch; see :mod:`neuroep.gradients.health`."""
        phases = self.settle(engine, batch, step)
        contrasts = engine.contrasts(phases.clamped, *self._ends(phases))
        return Measurement(contrasts, phases.free, self._health(engine, phases))

    def gradient(self, engine: Engine, batch: Any, step: int | None = None) -> dict[str, np.ndarray]:
        """Return dL/dtheta by parameter name, averaged over the batch."""
        phases = self.settle(engine, batch, step)
        return engine.gradient(engine.contrasts(phases.clamped, *self._ends(phases)))

    def trajectory(self, engine: Engine, batch: Any, step: int | None = None) -> list[dict[str, np.ndarray]]:
        """Return the gradient in pieces, one per step of the nudged phase; their sum is :meth:`gradient`.

        Piece k holds -(1/span) (dPhi/dtheta(k) - dPhi/dtheta(k - 1)), the update that the change of step k alone makes
        (Ernoult et al., NeurIPS 2019, "GDU").
        """
        return list(self.pieces(engine, self.settle(engine, batch, step, record=("states",))))

    def pieces(self, engine: Engine, phases: Phases) -> Iterator[dict[str, np.ndarray]]:
        """Yield what :meth:`trajectory` lists, one at a time, from phases settled with ``record=("states",)``.

        Of phases of unequal length, which :meth:`settle` does not make, the shorter stays at its last state.
        """
        span = self.beta * len(phases.nudged)
        paths = {sign: [phases.free.state, *_states(settled)] for sign, settled in phases.nudged.items()}
        for k in range(1, max(len(path) for path in paths.values())):
            piece: dict[str, np.ndarray] = {}
            for sign, path in paths.items():
                before, after = path[min(k - 1, len(path) - 1)], path[min(k, len(path) - 1)]
                part = engine.gradient(engine.contrasts(phases.clamped, after, before, sign * span))
                piece = {name: piece[name] + value for name, value in part.items()} if piece else part
            yield piece

    def _health(self, engine: Engine, phases: Phases) -> dict[str, float]:
        outputs = engine.outputs(phases.free)
        labels = engine.to_numpy(phases.clamped.target).argmax(1)
        found = health.output_health(engine.network.output, outputs, labels)
        ends = {sign: engine.outputs(settled) for sign, settled in phases.nudged.items()}
        if len(ends) == 2:
            found |= health.displacements(outputs, ends[1], ends[-1])
        found["free_steps"] = float(phases.free.steps)
        found["nudged_steps"] = float(np.mean([settled.steps for settled in phases.nudged.values()]))
        nudged = phases.nudged.values()
        found["residual"], found["unsettled"] = phases.free.residual, float(not phases.free.converged)
        found["nudged_residual"] = max(settled.residual for settled in nudged)
        found["nudged_unsettled"] = float(not all(settled.converged for settled in nudged))
        if engine.level:
            found["at_levels"] = float(phases.free.at_levels)
            cycles = all(settled.converged or settled.at_levels for settled in nudged)
            found["nudged_at_levels"] = float(cycles and found["nudged_unsettled"])
        return found


def _states(settled: Settled) -> list[State]:
    return settled.trace.states if settled.trace else []


@checked(ConfigError)
def named(kind: str, beta: float, free: Schedule, nudged: Schedule, seed: int = 0) -> Estimator:
    """Return the estimator of that kind."""
    return Estimator(kind, beta, free, nudged, seed)


@checked(ConfigError)
def centred(
    beta: float = 0.1, *, free: Schedule | None = None, nudged: Schedule | None = None, seed: int = 0
) -> Estimator:
    """Return the centred estimator (the paper's three phases); parameters as of :class:`Estimator`."""
    return Estimator("centred", beta, free or SETTLED, nudged or NUDGED, seed)


@checked(ConfigError)
def positive(
    beta: float = 0.1, *, free: Schedule | None = None, nudged: Schedule | None = None, seed: int = 0
) -> Estimator:
    """Return the one-sided estimator (free, +beta)."""
    return Estimator("positive", beta, free or SETTLED, nudged or NUDGED, seed)


@checked(ConfigError)
def negative(
    beta: float = 0.1, *, free: Schedule | None = None, nudged: Schedule | None = None, seed: int = 0
) -> Estimator:
    """Return the one-sided estimator (free, -beta)."""
    return Estimator("negative", beta, free or SETTLED, nudged or NUDGED, seed)


@checked(ConfigError)
def random(
    beta: float = 0.1, *, free: Schedule | None = None, nudged: Schedule | None = None, seed: int = 0
) -> Estimator:
    """Return the one-sided estimator whose sign is drawn for each update."""
    return Estimator("random", beta, free or SETTLED, nudged or NUDGED, seed)
