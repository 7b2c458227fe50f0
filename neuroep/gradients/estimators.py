r"""Gradient estimators: a formula of nudges and weights, the schedules of its phases, and what they give the update.

:math:`dL/d\theta = -\sum_k w_k\, \partial\Phi/\partial\theta(s_k)` at the settled states, averaged over the batch;
:mod:`neuroep.gradients.formulas` has the kinds and their bias. Nudged phases start from the free state. Source:
Scellier and Bengio 2017; Laborieux et al., Front. Neurosci. 15:633674, 2021 (centred).

**On a chip.** The phases are read as differences of two: opposite nudges, or a nudge and the free state. Each pair is
held, converted and sent as trains as the two phases of a centred estimator are, its rows times its factor
(:mod:`neuroep.learning.contrast`), which is at most 1; a state that is in two pairs is measured for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from hw_models.keywords import checked
from hw_models.text import shown
from neuroep.data.batch import Batch
from neuroep.engines.clamped import Clamped
from neuroep.engines.engine import Engine
from neuroep.engines.schedule import Schedule
from neuroep.engines.settling import Settled
from neuroep.engines.state import State
from neuroep.errors import ConfigError
from neuroep.gradients import health
from neuroep.gradients.formulas import Formula, formulas
from neuroep.learning.contrast import Contrast, Pair
from neuroep.randomness import generator

SETTLED = Schedule(steps=50, tolerance=1e-5)
NUDGED = Schedule(steps=50, tolerance=0.01)
"""How a phase settles where nothing is said."""


@dataclass(frozen=True)
class Phases:
    """The settled phases of one batch."""

    clamped: Clamped
    free: Settled
    nudged: dict[float, Settled]
    """By nudge in units of beta."""

    def state(self, nudge: float) -> State:
        """Return the settled state at a nudge in units of beta, 0 for the free one."""
        return self.nudged[nudge].state if nudge else self.free.state


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
        One of ``formulas.NAMES``.
    beta : float
        Strength of the largest nudge, positive.
    free, nudged : Schedule
        How the free and the nudged phases settle; the tolerance of the latter is relative to the displacement.
    seed : int
        Seed of the coin of ``random``.
    points : int
        States contrasted, an even number up to 16; more than two with ``centred`` only.

    Raises
    ------
    ConfigError
        For an unknown kind, a beta that is not positive and finite, or points that the kind has no formula of.
    """

    kind: str = "centred"
    beta: float = 0.1
    free: Schedule = SETTLED
    nudged: Schedule = NUDGED
    seed: int = 0
    points: int = 2

    def __post_init__(self) -> None:
        formulas(self.kind, self.points)
        number = isinstance(self.beta, Real) and not isinstance(self.beta, bool)
        if not number or not 0 < self.beta < math.inf:
            raise ConfigError(f"beta is {shown(self.beta)}: allowed are positive finite numbers")
        for name, schedule in (("free", self.free), ("nudged", self.nudged)):
            if not isinstance(schedule, Schedule):
                raise ConfigError(f"{name} is {shown(schedule)}: give a Schedule")

    @property
    def name(self) -> str:
        """Kind, or the number of points where there are more than two."""
        return self.kind if self.points == 2 else f"{self.points} points"

    def formula(self, step: int | None = None) -> Formula:
        """Return nudges and weights of update ``step``, which only an estimator that draws must know."""
        ways = formulas(self.kind, self.points)
        if len(ways) == 1:
            return ways[0]
        if step is None:
            raise ConfigError(
                f"step is not given: the estimator '{self.kind}' draws its sign by the number of the update"
            )
        return ways[generator(self.seed, "nudge sign", step).integers(len(ways))]

    def settle(
        self, engine: Engine, batch: Batch | Clamped, step: int | None = None, record: tuple[str, ...] = ()
    ) -> Phases:
        """Settle the free phase and, from its end, the nudged ones; ``record`` goes to the nudged ones.

        All nudged phases take the sweeps of the longest one: what the free phase has left unsettled goes on to settle
        in all alike, and is not in their contrast.
        """
        clamped = engine.clamp(batch)
        free = engine.settle(clamped, self.free)
        betas = {nudge: nudge * self.beta for nudge in self.formula(step).nudged}
        nudged = {n: engine.settle(clamped, self.nudged, beta=b, start=free, record=record) for n, b in betas.items()}
        longest = max(settled.steps for settled in nudged.values())
        for nudge, settled in nudged.items():
            if settled.steps < longest:
                rest = replace(self.nudged, steps=longest - settled.steps, tolerance=0.0)
                nudged[nudge] = engine.settle(clamped, rest, betas[nudge], settled, record).after(settled)
        return Phases(clamped, free, nudged)

    def _contrasts(self, engine: Engine, phases: Phases, step: int | None) -> dict[str, Contrast]:
        return engine.contrasts(phases.clamped, pairs(self.formula(step), self.beta, phases))

    def measure(self, engine: Engine, batch: Batch | Clamped, step: int | None = None) -> Measurement:
        """Return contrasts and health numbers of one batch; see :mod:`neuroep.gradients.health`."""
        phases = self.settle(engine, batch, step)
        return Measurement(self._contrasts(engine, phases, step), phases.free, self._health(engine, phases))

    def gradient(self, engine: Engine, batch: Batch | Clamped, step: int | None = None) -> dict[str, np.ndarray]:
        """Return dL/dtheta by parameter name, averaged over the batch."""
        return engine.gradient(self._contrasts(engine, self.settle(engine, batch, step), step))

    def trajectory(
        self, engine: Engine, batch: Batch | Clamped, step: int | None = None
    ) -> list[dict[str, np.ndarray]]:
        """Return the gradient in pieces, one per step of the nudged phases; their sum is :meth:`gradient`.

        Piece k holds -sum_n w_n (dPhi/dtheta(k) - dPhi/dtheta(k - 1)), the update that the change of step k alone
        makes (Ernoult et al., NeurIPS 2019, "GDU").
        """
        clamped = engine.clamp(batch)
        return list(self.pieces(engine, clamped, engine.settle(clamped, self.free), step))

    def pieces(
        self, engine: Engine, clamped: Clamped, free: Settled, step: int | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield what :meth:`trajectory` lists, one at a time, from a settled free phase.

        The nudged phases settle side by side, each until the last has ended, and no more than two states of each are
        kept. Where reads are noisy they draw in another order than in :meth:`settle`.
        """
        formula = self.formula(step)
        weights = dict(zip(formula.nudges, formula.weights, strict=True))
        phases = {n: engine.sweeps(clamped, self.nudged, n * self.beta, free) for n in formula.nudged}
        while not all(phase.ended for phase in phases.values()):
            piece: dict[str, np.ndarray] = {}
            for nudge, phase in phases.items():
                before = phase.copy()
                moved = Pair(phase.sweep(), before, self.beta / weights[nudge])
                part = engine.gradient(engine.contrasts(clamped, [moved]))
                piece = {name: piece[name] + value for name, value in part.items()} if piece else part
            yield piece

    def _health(self, engine: Engine, phases: Phases) -> dict[str, float]:
        outputs = engine.outputs(phases.free)
        labels = engine.to_numpy(phases.clamped.target).argmax(1)
        found = health.output_health(engine.network.output, outputs, labels)
        ends = {nudge: engine.outputs(settled) for nudge, settled in phases.nudged.items()}
        if {1.0, -1.0} <= ends.keys():
            found |= health.displacements(outputs, ends[1.0], ends[-1.0])
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


def pairs(formula: Formula, beta: float, phases: Phases) -> list[Pair]:
    """Return the settled states that a formula contrasts, two by two."""
    return [
        Pair(phases.state(plus), phases.state(minus), beta * plus - beta * minus, share)
        for plus, minus, share in formula.differences
    ]


@checked(ConfigError)
def named(kind: str, beta: float, free: Schedule, nudged: Schedule, seed: int = 0, points: int = 2) -> Estimator:
    """Return the estimator of that kind."""
    return Estimator(kind, beta, free, nudged, seed, points)


@checked(ConfigError)
def centred(
    beta: float = 0.1,
    *,
    points: int = 2,
    free: Schedule | None = None,
    nudged: Schedule | None = None,
    seed: int = 0,
) -> Estimator:
    """Return the centred estimator, the paper's three phases with two points; parameters as of :class:`Estimator`."""
    return Estimator("centred", beta, free or SETTLED, nudged or NUDGED, seed, points)


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
