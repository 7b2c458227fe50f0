r"""Gradient estimators: a formula of nudges and weights, the schedules of its phases, and what they give the update.

:math:`dL/d\theta = -\sum_k w_k\, \partial\Phi/\partial\theta(s_k)` at the settled states, averaged over the batch;
:mod:`neuroep.gradients.formulas` has the kinds and their bias. Nudged phases start from the free state. Source:
Scellier and Bengio 2017; Laborieux et al., Front. Neurosci. 15:633674, 2021 (centred).

**On a chip.** The phases are read as differences of two: opposite nudges, or a nudge and the free state. Each pair is
held, converted and sent as trains as the two phases of a centred estimator are, its rows times its factor
(:mod:`neuroep.learning.contrast`), which is at most 1; a state that is in two pairs is measured for each.

**The order of phases** decides what a chip's faults leave in the contrast. With d_k what phase k is off, k = 1, 2, ...
since the free phase, a pair of phases k and l has d_k - d_l in it (:mod:`hw_models.periphery.holders` for what a holder
adds by its turn):

==========  ===============================  =======================================================================
order       nudges, centred                  what is left of d_k = a + b k and of holders A, B
==========  ===============================  =======================================================================
fixed       ``+ -``                          -b, and A - B
batch       ``+ -`` or ``- +`` at random     the same with a sign of each batch's own
sample      ``+ -`` or ``- +`` at random     the same with a sign of each sample's own
mirrored    ``+ - - +``                      nothing: each pair is settled again in reverse, and both are averaged
==========  ===============================  =======================================================================

Mirrored, an estimator settles every nudge twice, and with it the free phase where that is one of its states: (free, +),
(+, free). ``null`` settles as many phases without a nudge behind each pair, two in the same holders as the pair, and
subtracts their change: nothing is left of a + b k, nor of what holders do to the free state, and kT/C noise grows by
sqrt(2). All of it is counted as it happens: sweeps, holds, conversions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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
from neuroep.gradients.formulas import (
    DRAWN,
    MOST_BETA,
    NULL_BETA,
    Formula,
    Order,
    check_order,
    check_periods,
    formulas,
)
from neuroep.learning.contrast import Contrast, Number, Pair
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
    numbers: dict[float, Number] = field(default_factory=dict)
    """Of each nudge's phase since the free one."""
    null: dict[tuple[float, float], tuple[Settled, Settled]] = field(default_factory=dict)
    """Phases without a nudge, in the place of the plus and the minus phase of a pair of nudges."""
    again: Phases | None = None
    """The same once more: in the reverse order, or in the next period."""

    def state(self, nudge: float) -> State:
        """Return the settled state at a nudge in units of beta, 0 for the free one."""
        return self.nudged[nudge].state if nudge in self.nudged else self.free.state

    @property
    def times(self) -> Iterator[Phases]:
        """These phases, and those that were settled again."""
        each: Phases | None = self
        while each is not None:
            yield each
            each = each.again

    @property
    def settled(self) -> list[Settled]:
        """All nudged phases, those that are settled again too."""
        return [*self.nudged.values(), *(self.again.settled if self.again else [])]


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
    order : str
        Of the nudged phases, one of :data:`neuroep.gradients.formulas.ORDERS`; ``batch`` and ``sample`` with
        ``centred`` only.
    null : bool
        Settle each pair once more without a nudge, and subtract its change.

    Raises
    ------
    ConfigError
        For an unknown kind or order, a beta that is no number from 1e-30 to 1e9, or points or an order that the kind
        has no formula of.
    """

    kind: str = "centred"
    beta: float = 0.1
    free: Schedule = SETTLED
    nudged: Schedule = NUDGED
    seed: int = 0
    points: int = 2
    order: Order = "fixed"
    null: bool = False
    periods: int = 1

    def __post_init__(self) -> None:
        formulas(self.kind, self.points)
        check_periods(self.periods)
        check_order(self.kind, self.order)
        number = isinstance(self.beta, Real) and not isinstance(self.beta, bool)
        if not number or not NULL_BETA <= self.beta <= MOST_BETA:
            allowed = f"allowed are numbers from {NULL_BETA:g} to {MOST_BETA:g}"
            raise ConfigError(f"beta is {shown(self.beta)}: {allowed}")
        for name, schedule in (("free", self.free), ("nudged", self.nudged)):
            if not isinstance(schedule, Schedule):
                raise ConfigError(f"{name} is {shown(schedule)}: give a Schedule")
        if self.free.form != "states":
            raise ConfigError(f"form of the free phase is '{self.free.form}': it settles states, use 'states'")

    @property
    def name(self) -> str:
        """Kind, or the number of points where there are more than two."""
        return self.kind if self.points == 2 else f"{self.points} points"

    @property
    def nudges(self) -> tuple[float, float]:
        """Return beta times the nudges of the difference that counts most, 0 for the free state."""
        plus, minus, _ = max(self.formula(0).differences, key=lambda difference: difference.share)
        return self.beta * plus, self.beta * minus

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
        if not isinstance(engine, Engine):
            raise ConfigError(f"engine is {shown(engine)}: one of neuroep.engines is needed, and the batch behind it")
        clamped = engine.clamp(batch)
        free, formula = engine.settle(clamped, self.free), self.formula(step)
        swapped = self._swapped(clamped.samples, step)
        first = self._turns(formula, swapped)
        cycle = [first] if self.order != "mirrored" else [first, _mirrored(formula)]
        turns = [turn for period in range(self.periods) for turn in _shifted(cycle, period)]
        settled = [self._nudge(engine, clamped, free, turn, record) for turn in turns]
        longest = max(phase.steps for phases in settled for phase in phases.values())
        for phases, numbers in zip(settled, turns, strict=True):
            for nudge, phase in phases.items():
                if phase.steps < longest:
                    rest = self.nudged.whole(longest - phase.steps)
                    how = nudge * self.beta, phase, record, numbers[nudge]
                    phases[nudge] = engine.settle(clamped, rest, *how).after(phase)
        last = 1 + max(int(np.max(number)) for number in turns[-1].values())
        nulls = []
        for numbers in turns:
            nulls.append(self._null(engine, clamped, free, formula, numbers, longest, last) if self.null else {})
            last += 2 * len(nulls[-1])
        found = Phases(clamped, free, settled[-1], turns[-1], nulls[-1])
        for phases, numbers, null in zip(settled[-2::-1], turns[-2::-1], nulls[-2::-1], strict=True):
            found = Phases(clamped, free, phases, numbers, null, found)
        return found

    def _swapped(self, samples: int, step: int | None) -> np.ndarray | bool:
        """Return whether the minus phase comes first: of all samples, or (samples,)."""
        if self.order not in DRAWN:
            return False
        if step is None:
            raise ConfigError(f"step is not given: the order '{self.order}' is drawn by the number of the update")
        draw = generator(self.seed, "order of phases", step)
        return draw.random(samples) < 0.5 if self.order == "sample" else bool(draw.random() < 0.5)

    def _turns(self, formula: Formula, swapped: np.ndarray | bool) -> dict[float, Number]:
        """Return the number of each nudge's phase since the free one, in their order."""
        turns: dict[float, Number] = {0.0: 0} if 0 in formula.nudges else {}
        for place, nudge in enumerate(formula.nudged, start=1):
            turns[nudge] = place
        if self.order in DRAWN:
            for plus, minus in zip(formula.nudged[::2], formula.nudged[1::2], strict=True):
                early, late = turns[plus], turns[minus]
                turns[plus] = np.where(swapped, late, early) if self.order == "sample" else late if swapped else early
                turns[minus] = np.where(swapped, early, late) if self.order == "sample" else early if swapped else late
        order = list(turns) if self.order == "sample" else sorted(turns, key=lambda nudge: int(np.max(turns[nudge])))
        return {nudge: turns[nudge] for nudge in order}

    def _nudge(
        self, engine: Engine, clamped: Clamped, free: Settled, turns: dict[float, Number], record: tuple[str, ...]
    ) -> dict[float, Settled]:
        """Settle the nudged phases in their turns, and the free one where it has a turn behind them."""
        if self.nudged.form == "differences":
            nudges = [nudge for nudge, number in turns.items() if nudge or np.max(number)]
            betas = [nudge * self.beta for nudge in nudges]
            return dict(zip(nudges, engine.nudge(clamped, self.nudged, betas, free, record), strict=True))
        found = {}
        for nudge, number in turns.items():
            if nudge or np.max(number):
                how = nudge * self.beta, free, record, number
                found[nudge] = engine.settle(clamped, self.nudged, *how)
        return found

    def _null(
        self,
        engine: Engine,
        clamped: Clamped,
        free: Settled,
        formula: Formula,
        turns: dict[float, Number],
        steps: int,
        number: int,
    ) -> dict[tuple[float, float], tuple[Settled, Settled]]:
        """Settle two phases without a nudge for each pair, from a number on, in the order of the pair."""
        found, schedule = {}, self.nudged.whole(steps)
        for plus, minus, _ in formula.differences:
            later = np.greater(turns[plus], turns[minus])
            turn = [number + later, number + ~later]
            both = [engine.settle(clamped, schedule, 0.0, free, (), _plain(each)) for each in turn]
            found[plus, minus] = both[0], both[1]
            number += 2
        return found

    def _contrasts(self, engine: Engine, phases: Phases, step: int | None) -> dict[str, Contrast]:
        return engine.contrasts(phases.clamped, pairs(self.formula(step), self.beta, phases))

    def measure(self, engine: Engine, batch: Batch | Clamped, step: int | None = None) -> Measurement:
        """Return contrasts and health numbers of one batch; see :mod:`neuroep.gradients.health`."""
        phases = self.settle(engine, batch, step)
        return Measurement(self._contrasts(engine, phases, step), phases.free, self._health(engine, phases))

    def gradient(self, engine: Engine, batch: Batch | Clamped, step: int | None = None) -> dict[str, np.ndarray]:
        """Return dL/dtheta by parameter name, averaged over the batch."""
        contrasts = self._contrasts(engine, self.settle(engine, batch, step), step)
        return engine.gradient(contrasts)

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
        kept. Where reads are noisy they draw in another order than in :meth:`settle`. Each nudge is settled once, in
        the order of the formula.
        """
        formula = self.formula(step)
        weights = dict(zip(formula.nudges, formula.weights, strict=True))
        turns = {nudge: place for place, nudge in enumerate(formula.nudged, start=1)}
        phases = {n: engine.sweeps(clamped, self.nudged, n * self.beta, free, turns[n]) for n in formula.nudged}
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
        nudged = phases.settled
        found["nudged_steps"] = float(np.mean([settled.steps for settled in nudged]))
        found["residual"], found["unsettled"] = phases.free.residual, float(not phases.free.converged)
        found["nudged_residual"] = max(settled.residual for settled in nudged)
        found["nudged_unsettled"] = float(not all(settled.converged for settled in nudged))
        if engine.level:
            found["at_levels"] = float(phases.free.at_levels)
            cycles = all(settled.converged or settled.at_levels for settled in nudged)
            found["nudged_at_levels"] = float(cycles and found["nudged_unsettled"])
        return found


def pairs(formula: Formula, beta: float, phases: Phases) -> list[Pair]:
    """Return the settled states that a formula contrasts, two by two, and those that were settled again."""
    times, found = list(phases.times), []
    for each in times:
        for plus, minus, share in formula.differences:
            span, numbers = beta * plus - beta * minus, (each.numbers.get(plus, 1), each.numbers.get(minus, 2))
            null = None
            if (plus, minus) in each.null:
                up, down = each.null[plus, minus]
                null = Pair(up.state, down.state, span, share, numbers)
            states = each.state(plus), each.state(minus)
            found.append(Pair(*states, span, share / len(times), numbers, phases.free.state, null))
    return found


def _mirrored(formula: Formula) -> dict[float, Number]:
    """Return the numbers of phases that follow those of a formula in the reverse order."""
    nudges = list(formula.nudged)
    order = nudges[::-1] + ([0.0] if 0 in formula.nudges else [])
    return {nudge: len(nudges) + place for place, nudge in enumerate(order, start=1)}


def _shifted(cycle: list[dict[float, Number]], period: int) -> list[dict[float, Number]]:
    """Return the numbers of the phases of a period; a free one of the formula is settled again in later ones."""
    if not period:
        return cycle
    length = max(int(np.max(number)) for turn in cycle for number in turn.values())
    free = int(any(np.max(number) == 0 for turn in cycle for number in turn.values()))
    behind = length + (period - 1) * (length + free) + free
    return [{nudge: _plain(np.add(number, behind)) for nudge, number in turn.items()} for turn in cycle]


def _plain(number: Number) -> Number:
    """Return a number of all samples as a whole number."""
    return int(number) if np.ndim(number) == 0 else number


@checked(ConfigError)
def named(
    kind: str,
    beta: float,
    free: Schedule,
    nudged: Schedule,
    seed: int = 0,
    points: int = 2,
    order: Order = "fixed",
    null: bool = False,
    periods: int = 1,
) -> Estimator:
    """Return the estimator of that kind."""
    return Estimator(kind, beta, free, nudged, seed, points, order, null, periods)


@checked(ConfigError)
def centred(
    beta: float = 0.1,
    *,
    points: int = 2,
    free: Schedule | None = None,
    nudged: Schedule | None = None,
    seed: int = 0,
    order: Order = "fixed",
    null: bool = False,
) -> Estimator:
    """Return the centred estimator, the paper's three phases with two points; parameters as of :class:`Estimator`."""
    return Estimator("centred", beta, free or SETTLED, nudged or NUDGED, seed, points, order, null)


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
