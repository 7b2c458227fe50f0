r"""Settling: find the state in which the energy of a batch is lowest.

Layer-wise (default): the even layers take their exact joint minimiser for fixed neighbours, then the odd layers
(Gauss-Seidel). The energy never rises, so it cannot oscillate. Synchronous: all layers at once from the same old state,
the paper's dynamics; it can fall into 2-cycles when weights are large. ``dt < 1`` is the neuron that integrates in
time, :math:`s \leftarrow s + dt\,(\nabla G^*(u) - s)`.

A layer whose neighbours have not moved since its own update is at its minimiser already and is not computed again,
unless the engine's reads are noisy and another read would give another state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroep.errors import ConfigError, DivergenceError, unknown

if TYPE_CHECKING:
    from neuroep.engines.engine import Engine
    from neuroep.network import Network

ORDERS = ("layerwise", "synchronous")
RECORDS = ("change", "energy", "states")


@dataclass(frozen=True)
class Schedule:
    """How a phase settles and when it stops.

    Parameters
    ----------
    order : str
        ``layerwise`` or ``synchronous``.
    steps : int
        Most sweeps.
    tolerance : float
        Stop when max|delta s| / dt over one sweep, all layers and samples is at most this, the distance of the states
        from where their drives want them; 0 always takes all steps.
    dt : float
        Time step over the neurons' time constant, in (0, 1].
    check_every : int, optional
        Sweeps between looks at the tolerance. Default: every sweep on a CPU, every fourth on a GPU, where a look waits.

    Raises
    ------
    ConfigError
        If a setting is out of range.
    """

    order: str = "layerwise"
    steps: int = 50
    tolerance: float = 0.0
    dt: float = 1.0
    check_every: int | None = None

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ConfigError(unknown("order", self.order, ORDERS))
        if self.steps < 1 or self.steps != int(self.steps):
            raise ConfigError(f"steps is {self.steps}: allowed are whole numbers from 1")
        if not 0 <= self.tolerance < math.inf:
            raise ConfigError(f"tolerance is {self.tolerance}: allowed are numbers from 0")
        if not 0 < self.dt <= 1:
            raise ConfigError(f"dt is {self.dt}: allowed is 0 < dt <= 1")
        if self.check_every is not None and (self.check_every < 1 or self.check_every != int(self.check_every)):
            raise ConfigError(f"check_every is {self.check_every}: allowed are whole numbers from 1")

    def groups(self, network: Network) -> tuple[tuple[str, ...], ...]:
        """Return the layers updated together, in the order of one sweep."""
        if self.order == "layerwise":
            return network.parity
        return (tuple(layer.name for layer in network.layers),)


@dataclass
class State:
    """States of all layers for one batch, in the engine's own array type.

    ``values[layer]`` is what the next synapse reads, (batch, layer size); ``weights[layer]`` is the engine's own form
    of an attention layer's weights. ``stale`` names the layers that are not at their minimiser for sure.
    ``memory[synapse]`` is what an array keeps of this state's course, for example what a sigma-delta neuron sent last.
    """

    values: dict[str, Any]
    weights: dict[str, Any]
    stale: frozenset[str]
    beta: float = 0.0
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Trace:
    """What was recorded, one entry per sweep."""

    change: list[float] = field(default_factory=list)
    """max|delta s| / dt of the sweep."""
    energy: list[np.ndarray] = field(default_factory=list)
    """(batch,) energy F_beta after the sweep."""
    states: list[State] = field(default_factory=list)
    """Copies of the states after each sweep."""


@dataclass(frozen=True)
class Settled:
    """Result of one phase."""

    state: State
    steps: int
    """Sweeps taken."""
    residual: float
    """max|delta s| / dt of the last sweep."""
    converged: bool
    """Whether the residual is within the tolerance; False if none was set and the state still moved."""
    trace: Trace | None
    _energy: Callable[[], np.ndarray] = field(repr=False)

    @cached_property
    def energy(self) -> np.ndarray:
        """(batch,) energy F_beta of the final state, computed when asked, which must be before the weights change."""
        return self._energy()


def _update_group(engine: Engine, clamped: Any, state: State, group: tuple[str, ...], schedule: Schedule) -> dict:
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


def settle(
    engine: Engine,
    clamped: Any,
    schedule: Schedule,
    beta: float = 0.0,
    start: State | None = None,
    record: tuple[str, ...] = (),
) -> Settled:
    """Settle one batch; engines share this loop.

    Parameters
    ----------
    engine : Engine
        Moves layers and measures changes.
    clamped : object
        Clamped batch, as returned by ``engine.clamp``.
    schedule : Schedule
        Order and stop rule.
    beta : float
        Nudge; 0 is the free phase.
    start : State, optional
        Where to start, left untouched; default all zero.
    record : tuple of str
        Any of ``change``, ``energy``, ``states``.

    Raises
    ------
    ConfigError
        If beta is so negative that the output's energy is not convex, or a record is unknown.
    DivergenceError
        If a state is no longer finite.
    """
    for name in record:
        if name not in RECORDS:
            raise ConfigError(unknown("record", name, RECORDS))
    output = engine.network.output
    if not math.isfinite(beta) or beta <= -output.potential.curvature:
        floor = -output.potential.curvature
        raise ConfigError(f"beta is {beta}: with output potential '{output.potential.name}' it must exceed {floor}")
    state = engine.rest(clamped) if start is None else engine.fork(start)
    if beta != state.beta:
        state.stale |= {output.name}
    state.beta = float(beta)
    groups = schedule.groups(engine.network)
    check = schedule.check_every or engine.check_every
    trace = Trace() if record else None
    residual, step = math.inf, 0
    while step < schedule.steps:
        step += 1
        changes: dict = {}
        for group in groups:
            changes.update(_update_group(engine, clamped, state, group, schedule))
        due = step % check == 0 and (schedule.tolerance > 0 or engine.check_every == 1)
        if due or step == schedule.steps or "change" in record:
            residual = _residual(engine, changes, step) / schedule.dt
        _record(engine, clamped, state, trace, record, residual)
        if due and schedule.tolerance > 0 and residual <= schedule.tolerance:
            break
    converged = residual <= schedule.tolerance
    return Settled(state, step, residual, converged, trace, _energy_of(engine, clamped, state))


def _energy_of(engine: Engine, clamped: Any, state: State) -> Callable[[], np.ndarray]:
    """Return what computes the energy later, as long as the weights are those that the state settled with."""
    version = engine.version

    def energy() -> np.ndarray:
        if engine.version != version:
            raise ConfigError("energy asked for after the weights changed: ask before an update, or record 'energy'")
        return engine.energy(clamped, state)

    return energy


def _residual(engine: Engine, changes: dict, step: int) -> float:
    """Return the largest change; stop the run when it is not finite."""
    values = engine.scalars(changes)
    for name, value in values.items():
        if not math.isfinite(value):
            raise DivergenceError(name, step)
    return max(values.values(), default=0.0)


def _record(engine: Engine, clamped: Any, state: State, trace: Trace | None, record: tuple, residual: float) -> None:
    if trace is None:
        return
    if "change" in record:
        trace.change.append(residual)
    if "energy" in record:
        trace.energy.append(engine.energy(clamped, state))
    if "states" in record:
        trace.states.append(engine.fork(state))
