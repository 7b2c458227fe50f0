r"""Nudged phases solved for what they move the free state by, all nudges of a batch at once.

Equations: :mod:`neuroep.engines.differences`. Order, time step, stop rule and traces are those of
:mod:`neuroep.engines.settling`: a sweep moves all layers, and the phases end when of no nudge and no layer the
difference changes by more than the tolerance as a share of itself, and never before the nudge has reached every layer.
A sweep ends with the attention layers, so that they have seen the last hidden states.

Samples that have settled in all nudges may leave the phases before the others (:mod:`neuroep.engines.leaving`).

The result is the state s + d, and the contrast is read from d itself; the energy is that of s + d. A free phase has no
difference form, and a chip, whose physics settles states, neither.

**Settle the free phase first.** Phases of states go on to settle what the free phase has left; differences do not, and
are those of the place where it stopped. In weakly coupled networks a free tolerance of 0.03 is as good as 0.001; that
of SNLI with pooled read-outs and 250 updates behind it has a gradient that is 71 % wrong in its worst layer with 0.03,
2.4 % with 0.001, and 0.01 % with acceleration as well (tests/benchmarks/settling.py --network snli_small --data
FOLDER --vectors FILE --warm 250).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol, Self, cast

import numpy as np

from neuroep.engines import leaving, recorders, stopping
from neuroep.engines.acceleration import Accelerated
from neuroep.engines.clamped import Clamped
from neuroep.engines.differences import Change
from neuroep.engines.parts import Move, Replayer
from neuroep.engines.recorders import Trace
from neuroep.engines.schedule import BY_SAMPLE, Schedule
from neuroep.engines.settling import Settled, check_convex, energy_of
from neuroep.engines.state import State, Values
from neuroep.errors import ConfigError
from neuroep.network import Network

STACKED = 2**26
"""Most numbers that the differences of nudges solved at once hold in all layers; one nudge may hold more."""


class NudgingEngine(Protocol):
    """What nudging asks of an engine; see :class:`neuroep.engines.displacing.Displacing`."""

    network: Network
    check_every: int
    version: int
    settle_steps: int

    @property
    def replay(self) -> Replayer | None: ...

    @property
    def in_place(self) -> bool: ...

    def during(self, phase: str) -> AbstractContextManager[None]: ...

    @property
    def epsilon(self) -> float: ...

    def check_exact(self, name: str, value: str, instead: str) -> None: ...

    def still(self, clamped: Clamped, free: State, nudges: int) -> State: ...

    def departed(self, clamped: Clamped, free: State, state: State) -> State: ...

    def displace(
        self, clamped: Clamped, moved: State, names: tuple[str, ...], betas: Sequence[float], schedule: Schedule
    ) -> dict[str, list[Change]]: ...

    def nudge_of(self, moved: State, number: int, samples: int) -> State: ...

    def displaced(self, clamped: Clamped, moved: State, beta: float) -> State: ...

    def fork(self, state: State) -> State: ...

    def some(self, values: Values, rows: np.ndarray) -> Values: ...

    def largest(self, values: Values) -> Values: ...

    def by_sample(self, values: Mapping[str, Values]) -> dict[str, np.ndarray]: ...

    def some_clamped(self, clamped: Clamped, rows: np.ndarray) -> Clamped: ...

    def some_free(self, free: State, rows: np.ndarray) -> State: ...

    def some_moved(self, moved: State, rows: np.ndarray, nudges: int, free: State, own: bool) -> State: ...

    def put_moved(self, whole: State, some: State, move: Move, nudges: int) -> None: ...

    def scalars(self, values: Mapping[str, Values]) -> dict[str, float]: ...

    def energy(self, clamped: Clamped, state: State) -> np.ndarray: ...


class Nudging:
    """Nudged phases of a batch in differences: an iterator of the first one's state after each sweep.

    Parameters
    ----------
    engine : NudgingEngine
        Of exact arithmetic.
    clamped : Clamped
        Clamped batch, as returned by ``engine.clamp``.
    schedule : Schedule
        Order and stop rule, of form ``differences``.
    betas : sequence of float
        Nudges; 0 moves nothing.
    start : State
        The free state; or, with one nudge, a nudged state to go on from.

    Attributes
    ----------
    steps : int
        Sweeps taken.
    residual : float
        Of the last sweep at which it was looked at; see :class:`neuroep.engines.settling.Settled`.
    ended : bool
        Whether the schedule's rule has ended the phases.

    Raises
    ------
    ConfigError
        If a beta is so negative that the output's energy is not convex, there is no free state to start from, or the
        engine settles states alone.
    """

    def __init__(
        self, engine: NudgingEngine, clamped: Clamped, schedule: Schedule, betas: Sequence[float], start: State | None
    ) -> None:
        engine.check_exact("form", schedule.form, "states")
        if start is None:
            raise ConfigError("form is 'differences': differences are to a free state; give it as start")
        for beta in betas:
            check_convex(engine.network, beta)
        self.engine, self.clamped, self.schedule, self.betas = engine, clamped, schedule, tuple(map(float, betas))
        self._present = clamped
        self._left: leaving.Left[State] | None = None
        self._pace = leaving.Pace(clamped.samples) if schedule.stop == BY_SAMPLE else None
        self._gone: dict[tuple[str, int], float] = {}
        free, nudged = (start, None) if start.origin is None else (start.origin, start)
        self._free = free
        if nudged is None:
            self._moved = engine.still(clamped, free, len(betas))
            self._moved.stale = frozenset({engine.network.output.name} if any(betas) else ())
        else:
            self._moved = engine.departed(clamped, free, nudged)
        self._groups = schedule.groups(engine.network)
        self._arrivals = schedule.arrivals(engine.network) if any(betas) else {}
        self._least = max(self._arrivals.values(), default=1)
        self._check = schedule.check_every or engine.check_every
        self._accelerated = None
        if schedule.acceleration != "none":
            self._accelerated = Accelerated(engine.network, self._groups, self._arrivals, engine.in_place)
        self._changes: dict[str, list[Change]] = {}
        self._seen: dict[str, float] | None = {}
        self.steps, self._counted, self.residual, self.ended = 0, 0, math.inf, False

    def __iter__(self) -> Nudging:
        return self

    def __next__(self) -> State:
        if self.ended:
            raise StopIteration
        return self.sweep()

    @property
    def phases(self) -> list[NudgedPhase]:
        """By nudge, each as it is now; made when asked for, as a circle would keep all states until it is collected."""
        return [NudgedPhase(self, number) for number in range(len(self.betas))]

    @property
    def state(self) -> State:
        """The first nudge's state as it is now."""
        return self.phases[0].state

    def copy(self) -> State:
        """Return the first nudge's state as one that later sweeps do not move."""
        return self.phases[0].copy()

    def sweep(self) -> State:
        """Move every layer once, also after the end, and return the first nudge's state.

        Raises
        ------
        DivergenceError
            If a difference is no longer finite; changes are looked at where the schedule needs them.
        """
        self.step()
        return self.state

    def step(self) -> None:
        """Move every layer once, as :meth:`sweep` does."""
        self._move()
        self._judge()

    @property
    def moved(self) -> State:
        """Differences of all samples as they are now."""
        return self._moved if self._left is None else self._left.whole(self._moved)

    def _move(self) -> None:
        """Move every layer once."""
        self.steps += 1
        self._changes, self._seen = {}, None
        with self.engine.during("nudged"):
            for number, group in enumerate(self._groups):
                self._update(number, group)

    def _judge(self) -> None:
        """Count the last sweep, look at it where that is due, and end the phases where the rule says so."""
        engine, schedule = self.engine, self.schedule
        engine.settle_steps += self._present.samples * len(self.betas) * (self.steps - self._counted)
        self._counted = self.steps
        due, last = self.steps % self._check == 0, self.steps >= schedule.steps
        stops = due and schedule.tolerance > 0 and self.steps >= self._least
        if last or stops or (due and (schedule.tolerance > 0 or engine.check_every == 1)):
            self.residual = self._relative(self._look())
        missing = self._missing() if (due or last) and self._pace is not None else None
        if missing is not None:
            self.residual = float(missing.max(initial=0.0))
        self.ended = last or (stops and self.residual <= schedule.tolerance)
        if stops and not self.ended and missing is not None:
            self._leave(missing)
        if self.ended and self._left is not None:
            self.residual = max(self.residual, self._left.residual)

    def _missing(self) -> np.ndarray:
        """Return what each sample that is there is to miss yet in the worst nudge, (present samples,)."""
        rows = np.arange(self.clamped.samples) if self._left is None else self._left.rows
        return cast(leaving.Pace, self._pace).missing(self._relative_by_sample(), rows, self.steps)

    def _leave(self, residuals: np.ndarray) -> None:
        """Let the samples go that have settled in all nudges, by what each is to miss yet."""
        engine, nudges = self.engine, len(self.betas)
        staying = leaving.leavers(residuals, self.schedule.tolerance)
        if staying is None:
            return
        own = self._left is not None
        if self._left is None:
            self._left = leaving.Left(self._moved, self.clamped.samples, partial(engine.put_moved, nudges=nudges))
        for name, each in self._changes.items():
            for number in range(nudges):
                size = float(engine.by_sample({name: each[number][1]})[name][~staying].max())
                self._gone[name, number] = max(size, self._gone.get((name, number), 0.0))
        self._left.leave(self._moved, staying, residuals)
        rows = np.flatnonzero(staying)
        self._free = engine.some_free(self._free, rows)
        self._moved = engine.some_moved(self._moved, rows, nudges, self._free, own)
        if self._accelerated is not None:
            self._accelerated.select(leaving.below(rows, self._present.samples, nudges), engine.some)
        self._present = engine.some_clamped(self._present, rows)

    # As :class:`neuroep.engines.parts.Replayable`.

    @property
    def held(self) -> State:
        """The differences."""
        return self._moved

    def rewind(self) -> None:
        """Forget what sweeps were looked at."""
        self._counted, self.residual, self.ended = 0, math.inf, False

    def advance(self, steps: int, held: State) -> tuple[int, Mapping[str, object]]:
        """Move differences on from so many sweeps to the next look."""
        self.steps, self._moved = steps, held
        for _ in range(self.schedule.look(steps, self._check) - steps):
            self._move()
        return self.steps, self._changes

    def judge(self, steps: int, changes: Mapping[str, object], held: State) -> None:
        """Take these sweeps as done."""
        self._changes = cast(dict[str, list[Change]], dict(changes))
        self.steps, self._seen, self._moved = steps, None, held
        self._judge()

    def elsewhere(self, clamped: Clamped, start: State | None, held: State) -> Self:
        """Return the phases of another batch and free state, with the differences that they hold."""
        found = copy.copy(self)
        found.clamped, found._present, found._moved = clamped, clamped, held
        if start is not None:
            found._free = held.origin = start
        return found

    def _update(self, number: int, group: tuple[str, ...]) -> None:
        """Move those layers of a group that are not at their minimiser for sure."""
        moved, network, faster = self._moved, self.engine.network, self._accelerated
        moving = tuple(name for name in group if name in moved.stale)
        if not moving:
            return
        old = {} if faster is None else faster.before(number, self.steps, moved.values)
        self._changes |= self.engine.displace(self._present, moved, moving, self.betas, self.schedule)
        stale = set(moved.stale - set(moving))
        if faster is not None and old and old.keys() <= set(moving) & self._changes.keys():
            faster.after(number, old, moved.values, self._free.values, len(self.betas))
            self._changes |= {name: self._apart(moved.values[name], before) for name, before in old.items()}
            stale |= old.keys()
        for name in self._changes.keys() & set(moving):
            stale |= network.neighbours[name]
            if self.schedule.dt < 1 or (self.schedule.order == "synchronous" and name == network.output.name):
                stale.add(name)
        moved.stale = frozenset(stale)

    def _apart(self, new: Values, old: Values) -> list[Change]:
        """Return what has changed in a layer, by nudge."""
        samples, largest = self._present.samples, self.engine.largest
        parts = [slice(first, first + samples) for first in range(0, len(new), samples)]
        return [(largest(new[part] - old[part]), largest(new[part])) for part in parts]

    def _look(self) -> dict[str, float]:
        """Bring what the last sweep changed to the host, once, and how large the differences are."""
        if self._seen is None:
            told = {}
            for name, nudges in self._changes.items():
                for number, (change, size) in enumerate(nudges):
                    told[f"{name} {number} change"], told[f"{name} {number} size"] = change, size
            self._seen = self.engine.scalars(told)
            for name, nudges in self._changes.items():
                for number in range(len(nudges)):
                    stopping.finite({name: self._of(name, number)[0]}, self.steps)
        return self._seen

    def _of(self, name: str, number: int) -> tuple[float, float]:
        """Return what the last sweep changed in a layer of a nudge, and how large the differences are there."""
        seen = self._look() if self._seen is None else self._seen
        size = max(seen.get(f"{name} {number} size", 0.0), self._gone.get((name, number), 0.0))
        return seen.get(f"{name} {number} change", 0.0), size

    def _relative(self, seen: Mapping[str, float]) -> float:
        """Return the largest change of a nudge and layer as a share of the difference."""
        found = 0.0
        for number in range(len(self.betas)):
            told = {name: self._of(name, number) for name in self._arrivals if name in self._changes}
            changes = {name: change for name, (change, _) in told.items()}
            found = max(found, stopping.relative(changes, _sizes(told), self.schedule.dt, self.engine.epsilon))
        return found

    def _relative_by_sample(self) -> np.ndarray:
        """Return the largest change of each sample that is there as a share of the largest difference of all."""
        found = np.zeros(self._present.samples)
        for number in range(len(self.betas)):
            told = {name: self._of(name, number) for name in self._arrivals if name in self._changes}
            changes = self.engine.by_sample({name: self._changes[name][number][0] for name in told})
            own = stopping.shares(changes, _sizes(told), self.schedule.dt, self.engine.epsilon)
            found = np.maximum(found, own)
        return found

    def changed(self, number: int) -> float:
        """Return max|delta d| / dt of a nudge in the last sweep."""
        changes = [self._of(name, number)[0] for name in self._changes]
        return max(changes, default=0.0) / self.schedule.dt

    def settled(self, traces: Sequence[Trace | None] | None = None) -> list[Settled]:
        """Return the results by nudge, once ended."""
        traces = [None] * len(self.betas) if traces is None else traces
        converged = self.residual <= self.schedule.tolerance
        return [
            Settled(phase.state, self.steps, self.residual, converged, False, trace, phase.energy_later())
            for phase, trace in zip(self.phases, traces, strict=True)
        ]


class NudgedPhase:
    """One nudge of several that are solved at once."""

    def __init__(self, nudging: Nudging, number: int) -> None:
        self._nudging, self._number = nudging, number

    @property
    def _own(self) -> State:
        whole = self._nudging
        return whole.engine.nudge_of(whole.moved, self._number, whole.clamped.samples)

    @property
    def change(self) -> float:
        """max|delta s| / dt of the last sweep."""
        return self._nudging.changed(self._number)

    @property
    def state(self) -> State:
        """The state as it is now, s + d."""
        whole = self._nudging
        return whole.engine.displaced(whole.clamped, self._own, whole.betas[self._number])

    def copy(self) -> State:
        """Return the present state as one that later sweeps do not move."""
        whole = self._nudging
        return whole.engine.displaced(whole.clamped, whole.engine.fork(self._own), whole.betas[self._number])

    def energy(self) -> np.ndarray:
        """Return F_beta of the present state, (batch,)."""
        return self._nudging.engine.energy(self._nudging.clamped, self.state)

    def energy_later(self) -> Callable[[], np.ndarray]:
        """Return what computes it later, as long as the weights are the same."""
        return energy_of(self._nudging.engine, self._nudging.clamped, self.state)


def _sizes(told: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Return the differences, of changes and differences by layer, that changes are judged by."""
    return {name: (size, size) for name, (change, size) in told.items() if change > 0}


def nudge(
    engine: NudgingEngine,
    clamped: Clamped,
    schedule: Schedule,
    betas: Sequence[float],
    start: State | None,
    record: tuple[str, ...] = (),
) -> list[Settled]:
    """Solve nudged phases of one batch, as many at once as :data:`STACKED` allows; parameters as of :class:`Nudging`.

    Parameters
    ----------
    record : tuple of str
        Any of ``change``, ``energy``, ``states``.

    Returns
    -------
    list of Settled
        By nudge.
    """
    asked, found = recorders.chosen(record), []
    numbers = clamped.samples * sum(layer.size for layer in engine.network.layers)
    together = max(1, STACKED // max(1, numbers))
    for first in range(0, len(betas), together):
        own = tuple(map(float, betas[first : first + together]))

        def phases_of(clamped: Clamped, start: State | None, own: tuple[float, ...] = own) -> Nudging:
            return Nudging(engine, clamped, schedule, own, start)

        if engine.replay is not None and not record and schedule.stop != BY_SAMPLE:
            replayed = engine.replay.run(engine, (schedule, own), clamped, start, phases_of)
            if replayed is not None:
                found += replayed.settled()
                continue
        phases = phases_of(clamped, start)
        traces = [Trace() if record else None for _ in phases.phases]
        while not phases.ended:
            phases.step()
            for phase, trace in zip(phases.phases, traces, strict=True):
                if trace is not None:
                    for recorder in asked:
                        recorder(trace, phase)
        found += phases.settled(traces)
    return found
