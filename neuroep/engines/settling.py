r"""Settling: find the state in which the energy of a batch is lowest.

Layer-wise (default): the even layers take their exact joint minimiser for fixed neighbours, then the odd layers
(Gauss-Seidel). The energy never rises, so it cannot oscillate. Synchronous: all layers at once from the same old state,
the paper's dynamics; it can fall into 2-cycles when weights are large. ``dt < 1`` is the neuron that integrates in
time, :math:`s \leftarrow s + dt\,(\nabla G^*(u) - s)`.

A layer whose neighbours have not moved since its own update is at its minimiser already and is not computed again,
unless the engine's reads are noisy and another read would give another state.

Where products are rounded, a free phase with a tolerance that they reach (:data:`neuroep.engines.rounding.CLOSE`) reads
them to its end, unless they get no further. With a smaller one it does until a sweep changes the states by no more than
rounding may, or hardly less than the sweep before, and then reads full ones, by which alone it ends. On a GPU, where it
is looked at rarely, all of its products are full.

On a chip whose ``nudged.mean_sweeps`` says so, a phase ends with the mean of the states after its last sweeps.

A phase is an iterator of states, :class:`Settling`, and :func:`settle` a loop over it. Whatever wants to see or use the
states on the way iterates itself. It ends by the rule of :mod:`neuroep.engines.stopping`, or after the number of sweeps
that a calibration has found (:mod:`neuroep.engines.phase_lengths`). Samples that have settled may leave it before the
others (:mod:`neuroep.engines.leaving`).
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any, Protocol, Self, cast

import numpy as np

from hw_models.text import shown
from neuroep.engines import leaving, recorders, stopping
from neuroep.engines.acceleration import Accelerated
from neuroep.engines.clamped import Clamped
from neuroep.engines.parts import Move, Replayer
from neuroep.engines.phase_lengths import PhaseLengths
from neuroep.engines.recorders import Trace
from neuroep.engines.rounding import CLOSE, COARSE, stalled
from neuroep.engines.schedule import BY_SAMPLE, CALIBRATED, TOLERANCE, Schedule
from neuroep.engines.state import State, Values
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Number
from neuroep.network import Network


class SettlingEngine(Protocol):
    """What settling asks of an engine; see :class:`neuroep.engines.engine.Engine`."""

    network: Network
    check_every: int
    redraws: bool
    shifts: bool
    averages: int
    level: float
    version: int
    settle_steps: int
    lengths: PhaseLengths | None

    @property
    def replay(self) -> Replayer | None: ...

    @property
    def in_place(self) -> bool: ...

    @property
    def rounds(self) -> bool: ...

    def in_full(self, whether: bool = True) -> AbstractContextManager[None]: ...

    def check_exact(self, name: str, value: str, instead: str) -> None: ...

    def during(self, phase: str) -> AbstractContextManager[None]: ...

    def turn(self, number: Number, nudge: float) -> AbstractContextManager[None]: ...

    @property
    def epsilon(self) -> float: ...

    def rest(self, clamped: Any) -> State: ...

    def fork(self, state: State) -> State: ...

    def mean(self, clamped: Any, states: Sequence[State]) -> State: ...

    def relax(self, clamped: Any, state: State, names: tuple[str, ...], schedule: Schedule) -> dict[str, Any]: ...

    def swept(self, groups: tuple[tuple[str, ...], ...], dt: float) -> None: ...

    def scalars(self, values: Mapping[str, Any]) -> dict[str, float]: ...

    def displacements(self, state: State, names: Iterable[str]) -> dict[str, tuple[float, float]]: ...

    def some(self, values: Values, rows: np.ndarray) -> Values: ...

    def largest(self, values: Values) -> Values: ...

    def by_sample(self, values: Mapping[str, Values]) -> dict[str, np.ndarray]: ...

    def some_clamped(self, clamped: Clamped, rows: np.ndarray) -> Clamped: ...

    def some_state(self, state: State, rows: np.ndarray, own: bool) -> State: ...

    def put_state(self, whole: State, some: State, move: Move) -> None: ...

    def energy(self, clamped: Any, state: State) -> np.ndarray: ...

    def to_numpy(self, array: Any) -> np.ndarray: ...


@dataclass(frozen=True)
class Settled:
    """Result of one phase."""

    state: State
    steps: int
    """Sweeps taken, of the slowest sample where they leave by themselves."""
    residual: float
    """What the last sweep changed, in the unit of the tolerance: a state, or in a nudged phase the displacement. Where
    samples leave by themselves, the most that one of them is to miss by that (:mod:`neuroep.engines.leaving`)."""
    converged: bool
    """Whether the residual is within the tolerance, False if none was set and the state still moved; or whether such a
    phase had settled at the calibration that found its number of sweeps."""
    at_levels: bool
    """Whether it ended in a cycle over the levels of the chip's converters, which more sweeps never end."""
    trace: Trace | None
    _energy: Callable[[], np.ndarray] = field(repr=False)
    recent: tuple[State, ...] = field(default=(), repr=False)
    """After its last sweeps, where the state is their mean."""

    @cached_property
    def energy(self) -> np.ndarray:
        """(batch,) energy F_beta of the final state, computed when asked, which must be before the weights change."""
        return self._energy()

    def after(self, before: Settled) -> Settled:
        """Return this phase as the end of one that began with ``before``, which had met its tolerance."""
        trace = self.trace
        if trace is not None and before.trace is not None:
            trace = before.trace.then(trace)
        return replace(self, steps=before.steps + self.steps, converged=before.converged, trace=trace)


class Settling:
    """One phase of a batch: an iterator of its state after each sweep.

    ``for state in engine.sweeps(batch, schedule, beta, free)`` yields the same state, moved in place; ``engine.fork``
    keeps one.

    Weights may change between two sweeps; what was read of the clamped input then is still of the old ones.

    Parameters
    ----------
    engine : SettlingEngine
        Moves layers and measures changes.
    clamped : object
        Clamped batch, as returned by ``engine.clamp``.
    schedule : Schedule
        Order and stop rule.
    beta : float
        Nudge; 0 is the free phase.
    start : State, optional
        Where to start, left untouched; default all zero. A nudged phase counts its displacement from there, or, where
        it goes on from a nudged state, from where that one started.
    number : int or numpy.ndarray, optional
        Of this phase since the free one, which is 0; (samples,) where samples take turns of their own. Default 1 for
        a nudged phase. It decides what a chip makes of the phase, also of one behind the free phase whose beta is 0.
    recent : sequence of State, optional
        Where the phase is one that goes on and has shown the mean of its sweeps: the states of that mean.

    Attributes
    ----------
    steps : int
        Sweeps taken.
    residual : float
        Of the last sweep at which it was looked at; see :class:`Settled`.
    ended : bool
        Whether the schedule's rule has ended the phase.

    Raises
    ------
    ConfigError
        If beta is so negative that the output's energy is not convex, or samples are to leave a nudged phase of states,
        whose other end they might leave in another sweep.
    """

    def __init__(
        self,
        engine: SettlingEngine,
        clamped: Any,
        schedule: Schedule,
        beta: float = 0.0,
        start: State | None = None,
        number: Number | None = None,
        recent: Sequence[State] = (),
    ) -> None:
        start = recent[-1] if recent else start
        self.engine, self.clamped, self.schedule, self.beta = engine, clamped, schedule, beta
        self.number, self.name = int(beta != 0) if number is None else number, phase_name(beta, number)
        output = engine.network.output
        check_convex(engine.network, beta)
        if engine.rounds and self.name == "nudged":
            raise ConfigError("products are rounded by more than a nudge moves states: give a form of 'differences'")
        if schedule.stop == BY_SAMPLE:
            engine.check_exact("stop", schedule.stop, TOLERANCE)
            if self.name == "nudged":
                told = "both ends of a contrast take the same sweeps"
                raise ConfigError(f"stop is '{BY_SAMPLE}': {told}; give a form of 'differences', or '{TOLERANCE}'")
        self._own = engine.rest(clamped) if start is None else engine.fork(start)
        if beta != self._own.beta:
            self._own.stale |= {output.name}
        if engine.shifts:
            self._own.stale = frozenset(self._own.values)
        self._from = None if self.name == "free" else _origin(engine, clamped, start)
        self._own.origin = self._from
        self._own.beta = float(beta)
        self._present = clamped
        self._left: leaving.Left[State] | None = None
        self._pace = leaving.Pace(clamped.samples) if schedule.stop == BY_SAMPLE else None
        self._coarse = engine.rounds and schedule.tolerance > 0 and engine.check_every == 1
        self._rough = schedule.tolerance >= CLOSE
        self._groups = schedule.groups(engine.network)
        self._arrivals = schedule.arrivals(engine.network) if beta else {}
        self._check = schedule.check_every or engine.check_every
        self._least = max(self._arrivals.values(), default=1)
        self._changes: dict[str, Any] = {}
        self._seen: Mapping[str, float] | None = {}
        self._changed: list[float] = []
        self._change = self.residual = math.inf
        self.steps, self._counted, self.ended = 0, 0, False
        self._recent: deque[State] = deque(recent, maxlen=engine.averages)
        self._accelerated = self._accelerator()

    def __iter__(self) -> Settling:
        return self

    def __next__(self) -> State:
        if self.ended:
            raise StopIteration
        return self.sweep()

    @property
    def state(self) -> State:
        """As it is now, of all samples."""
        return self._own if self._left is None else self._left.whole(self._own)

    def sweep(self) -> State:
        """Move every layer once, also after the end, and return the state.

        Raises
        ------
        DivergenceError
            If a state is no longer finite; changes are looked at where the schedule needs them.
        """
        self.step()
        return self.state

    def step(self) -> None:
        """Move every layer once, as :meth:`sweep` does."""
        self._move()
        self._judge()

    def _move(self) -> None:
        """Move every layer once."""
        engine = self.engine
        self.steps += 1
        self._changes, self._seen = {}, None
        self._own.rounded = self._coarse
        with engine.during(self.name), engine.turn(self.number, self.beta), engine.in_full(not self._coarse):
            for number, group in enumerate(self._groups):
                self._changes.update(self._update(number, group))
            engine.swept(self._groups, self.schedule.dt)

    def _judge(self) -> None:
        """Count the last sweep, look at it where that is due, and end the phase where the rule says so."""
        engine, schedule, coarse = self.engine, self.schedule, self._coarse
        engine.settle_steps += self._present.samples * (self.steps - self._counted)
        self._counted = self.steps
        due, last = self.steps % self._check == 0, self.steps >= schedule.steps
        stops = due and schedule.tolerance > 0 and self.steps >= self._least and (not coarse or self._rough)
        missing = self._missing() if (due or last) and self._pace is not None else None
        if coarse and due:
            self._refine()
        if last or stops or (due and (schedule.tolerance > 0 or engine.check_every == 1)):
            changes = self._look()
            if self.beta and (last or stops):
                moving = [name for name in self._arrivals if changes.get(name, 0.0) > 0]
                displaced = engine.displacements(self._own, moving)
                self.residual = stopping.relative(changes, displaced, schedule.dt, engine.epsilon)
        if missing is not None:
            self.residual = float(missing.max(initial=0.0))
        self.ended = last or (stops and self.residual <= schedule.tolerance)
        if stops and not self.ended and missing is not None:
            self._leave(missing, schedule.tolerance)
        if self.ended and self._left is not None:
            self.residual = max(self.residual, self._left.residual)
        if engine.averages > 1:
            self._recent.append(engine.fork(self._own))
            self._own = engine.mean(self.clamped, self._recent) if self.ended else self._own

    def _missing(self) -> np.ndarray:
        """Return what each sample that is there is to miss yet, (present samples,)."""
        self._look()
        changed, pace = self.engine.by_sample(self._changes).values(), cast(leaving.Pace, self._pace)
        changes = np.max([np.zeros(self._present.samples), *changed], axis=0) / self.schedule.dt
        rows = np.arange(self.clamped.samples) if self._left is None else self._left.rows
        return pace.missing(changes, rows, self.steps)

    def _leave(self, residuals: np.ndarray, tolerance: float) -> None:
        """Let the samples go whose residuals, (present samples,), are no larger than that."""
        engine = self.engine
        staying = leaving.leavers(residuals, tolerance)
        if staying is None:
            return
        own = self._left is not None
        if self._left is None:
            self._left = leaving.Left(self._own, self.clamped.samples, engine.put_state)
        self._left.leave(self._own, staying, residuals)
        rows = np.flatnonzero(staying)
        self._own = engine.some_state(self._own, rows, own)
        self._present = engine.some_clamped(self._present, rows)
        if self._accelerated is not None:
            self._accelerated.select(rows, engine.some)

    def _join(self) -> None:
        """Go on with all samples, those too that have left."""
        if self._left is not None:
            self._own, self._present, self._left = self.state, self.clamped, None
            self._accelerated = self._accelerator()

    def _accelerator(self) -> Accelerated | None:
        """Return what accelerates the phase, which knows of no sweep yet."""
        if self.schedule.acceleration == "none":
            return None
        engine = self.engine
        engine.check_exact("acceleration", self.schedule.acceleration, "none")
        return Accelerated(engine.network, self._groups, self._arrivals, engine.in_place)

    # As :class:`neuroep.engines.parts.Replayable`.

    @property
    def held(self) -> State:
        """The state."""
        return self._own

    def rewind(self) -> None:
        """Forget what sweeps were looked at."""
        self._changed, self._counted, self.residual, self.ended = [], 0, math.inf, False

    def advance(self, steps: int, held: State) -> tuple[int, Mapping[str, object]]:
        """Move a state on from so many sweeps to the next look."""
        self.steps, self._own = steps, held
        for _ in range(self.schedule.look(steps, self._check) - steps):
            self._move()
        return self.steps, self._changes

    def judge(self, steps: int, changes: Mapping[str, object], held: State) -> None:
        """Take these sweeps as done."""
        self.steps, self._changes, self._seen, self._own = steps, dict(changes), None, held
        self._own.origin = self._from
        self._judge()

    def elsewhere(self, clamped: Clamped, start: State | None, held: State) -> Self:
        """Return the phase of another batch and start, with what it holds."""
        found = copy.copy(self)
        found.clamped, found._present, found._own = clamped, clamped, held
        held.origin = None if self.name == "free" else _origin(self.engine, clamped, start)
        return found

    def _refine(self) -> None:
        """Read products in full from now on, once sweeps change what rounded ones cannot tell, or get no further.

        Samples that have come to that by themselves wait for the others.
        """
        self._look()
        if self._rough:
            if stalled(self._changed):
                self._coarse, self._own.stale = False, frozenset(self._own.values)
            return
        before = self._changed[-2] if len(self._changed) > 1 else math.inf
        bound = max(COARSE, self.schedule.tolerance)
        if self._change <= bound or self._change > 0.7 * before:
            self._join()
            self._coarse = False
            self._own.stale = frozenset(self._own.values)
        elif self._pace is not None:
            self._leave(self._pace.changes, bound)

    def _update(self, number: int, group: tuple[str, ...]) -> dict[str, Values]:
        """Move one group of layers, accelerated where it is to be; return max|delta s| of each."""
        state, faster = self._own, self._accelerated
        old = {} if faster is None else faster.before(number, self.steps, state.values)
        changes = _update_group(self.engine, self._present, state, group, self.schedule)
        if faster is not None and old and old.keys() <= changes.keys():
            faster.after(number, old, state.values)
            changes |= {name: self.engine.largest(state.values[name] - before) for name, before in old.items()}
            state.stale |= old.keys()
        return changes

    def _look(self) -> Mapping[str, float]:
        """Bring the changes of the last sweep to the host, once."""
        if self._seen is None:
            self._seen = stopping.finite(self.engine.scalars(self._changes), self.steps)
            self._change = self.residual = max(self._seen.values(), default=0.0) / self.schedule.dt
            self._changed.append(self._change)
        return self._seen

    @property
    def change(self) -> float:
        """max|delta s| / dt of the last sweep, of the samples that were there."""
        self._look()
        return self._change

    def energy(self) -> np.ndarray:
        """Return F_beta of the present state, (batch,)."""
        return self.engine.energy(self.clamped, self.state)

    def copy(self) -> State:
        """Return the present state as one that later sweeps do not move."""
        return self.engine.fork(self.state)

    def settled(self, trace: Trace | None = None) -> Settled:
        """Return the result, once ended."""
        engine = self.engine
        converged = self.residual <= self.schedule.tolerance
        if self.schedule.stop == CALIBRATED:
            converged = engine.lengths is not None and engine.lengths.met(self.name)
        at_levels = not converged and engine.level > 0 and self._cycles()
        energy = energy_of(engine, self.clamped, self.state)
        recent = tuple(self._recent)
        return Settled(self.state, self.steps, self.residual, converged, at_levels, trace, energy, recent)

    def _cycles(self) -> bool:
        """Tell whether the states go round over the levels of converters."""
        values = self.state.values.values()
        largest = max(1.0, *(float(abs(self.engine.to_numpy(each)).max(initial=0.0)) for each in values))
        return stopping.cycles(self._changed, stopping.LEVELS * self.engine.level * largest)


def settle(
    engine: SettlingEngine,
    clamped: Any,
    schedule: Schedule,
    beta: float = 0.0,
    start: State | None = None,
    record: tuple[str, ...] = (),
    number: Number | None = None,
    recent: Sequence[State] = (),
) -> Settled:
    """Settle one batch; parameters as of :class:`Settling`.

    Parameters
    ----------
    record : tuple of str
        Any of ``change``, ``energy``, ``states``.

    Raises
    ------
    ConfigError
        If beta is so negative that the output's energy is not convex, or a record is unknown.
    DivergenceError
        If a state is no longer finite.
    """
    asked, trace = recorders.chosen(record), Trace() if record else None

    def phase_of(clamped: Clamped, start: State | None) -> Settling:
        return Settling(engine, clamped, schedule, beta, start, number, recent)

    turns, stays = isinstance(number, np.ndarray), schedule.stop != BY_SAMPLE
    if engine.replay is not None and not record and not recent and not turns and stays:
        replayed = engine.replay.run(engine, (schedule, beta, number), clamped, start, phase_of)
        if replayed is not None:
            return replayed.settled()
    phase = phase_of(clamped, start)
    while not phase.ended:
        phase.step()
        if trace is not None:
            for recorder in asked:
                recorder(trace, phase)
    return phase.settled(trace)


def check_convex(network: Network, beta: float) -> None:
    """Refuse a nudge that makes the output's energy concave.

    Raises
    ------
    ConfigError
        Naming it and what it must exceed.
    """
    potential = network.output.potential
    if not isinstance(beta, Real) or isinstance(beta, bool):
        raise ConfigError(f"beta is {shown(beta)}: a number is needed")
    if not math.isfinite(beta) or beta <= -potential.curvature:
        floor = -potential.curvature
        raise ConfigError(f"beta is {beta}: with output potential '{potential.name}' it must exceed {floor}")


def check_nudged(beta: float, number: Number | None) -> None:
    """Refuse a free phase in differences.

    Raises
    ------
    ConfigError
        With what to set.
    """
    if phase_name(beta, number) == "free":
        raise ConfigError("form is 'differences': a free phase settles states, nudged ones differences; use 'states'")


def phase_name(beta: float, number: Number | None = None) -> str:
    """Return what a tally calls a phase: one after the free phase counts as a nudged one, whatever its nudge."""
    return "free" if not beta and (number is None or np.max(number) == 0) else "nudged"


def _update_group(
    engine: SettlingEngine, clamped: Any, state: State, group: tuple[str, ...], schedule: Schedule
) -> dict:
    """Move the stale layers of one group, or all where a read may differ; return max|delta s| of each."""
    network = engine.network
    moving = tuple(name for name in group if engine.redraws or name in state.stale)
    if not moving:
        return {}
    changes = engine.relax(clamped, state, moving, schedule)
    stale = set(state.stale - set(moving))
    for name in moving:
        stale |= network.neighbours[name]
    if schedule.dt < 1:
        stale |= set(moving)
    if schedule.order == "synchronous" and state.beta != 0 and network.output.name in moving:
        stale.add(network.output.name)
    state.stale = frozenset(stale)
    return changes


def _origin(engine: SettlingEngine, clamped: Any, start: State | None) -> State:
    """Return the state from which the displacement of a nudged phase counts."""
    if start is None:
        return engine.rest(clamped)
    return start if start.origin is None else start.origin


class Weighing(Protocol):
    """What an energy that is computed later asks of an engine."""

    version: int

    def energy(self, clamped: Clamped, state: State) -> np.ndarray: ...


def energy_of(engine: Weighing, clamped: Clamped, state: State) -> Callable[[], np.ndarray]:
    """Return what computes the energy later, as long as the weights are those that the state settled with."""
    version = engine.version

    def energy() -> np.ndarray:
        if engine.version != version:
            raise ConfigError("energy asked for after the weights changed: ask before an update, or record 'energy'")
        return engine.energy(clamped, state)

    return energy
