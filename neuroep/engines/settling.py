r"""Settling: find the state in which the energy of a batch is lowest.

Layer-wise (default): the even layers take their exact joint minimiser for fixed neighbours, then the odd layers
(Gauss-Seidel). The energy never rises, so it cannot oscillate. Synchronous: all layers at once from the same old state,
the paper's dynamics; it can fall into 2-cycles when weights are large. ``dt < 1`` is the neuron that integrates in
time, :math:`s \leftarrow s + dt\,(\nabla G^*(u) - s)`.

A layer whose neighbours have not moved since its own update is at its minimiser already and is not computed again,
unless the engine's reads are noisy and another read would give another state.

**When a phase stops.** With :math:`\Delta` the change of the last sweep, all samples:

- free: :math:`\max_l \|\Delta_l\| / dt \le` tolerance, in units of the states.
- nudged: :math:`\max_l \|\Delta_l\| / (dt\, \|d_l\|) \le` tolerance, relative to the displacement
  :math:`d_l = s_l - s_l^{free}` of the same layer, and never before the nudge has had the sweeps to reach every layer.
  What EP reads is that displacement, and it falls by orders of magnitude from the output to the attention layers: in
  units of the states a phase would stop while the layers in front still stand at the free state.

The norm is the largest entry. A change of a few units in the last place of the layer's largest state is rounding and
counts as none: the layers behind, whose displacements are larger, then decide. A layer that has not moved at all (its
outputs are clipped to a bound, or no synapse leads there) is at rest; noise that moves the states in every sweep keeps
a phase going until its steps are used up.

**Levels.** With converters, what one sweep makes of another's states has finitely many values: it ends in a fixed point
or in a cycle, whose changes are those of a few levels and no longer fall. No tolerance below them is ever met.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroep.errors import ConfigError, DivergenceError, unknown

if TYPE_CHECKING:
    from neuroep.engines.engine import Engine
    from neuroep.network import Network

ORDERS = ("layerwise", "synchronous")
RECORDS = ("change", "energy", "states")
LEVELS = 8
"""Steps of the coarsest converter up to which a cycle is one of levels: several arrays and tiles drive one neuron."""
ROUNDING = 8
"""Units in the last place of a layer's largest state up to which a change is rounding: that of sums over all tokens."""


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
        Stop when what one sweep changes, over dt, is at most this: the distance of the states from where their drives
        want them. Free phases: the largest change of any state. Nudged phases: relative to the displacement from the
        free state, worst layer; 0.01 to 0.1 is sensible. 0 always takes all steps.
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

    def arrivals(self, network: Network) -> dict[str, int]:
        """Return the sweep in which a nudge of the output first moves each layer that it can reach, counted from 1."""
        moved: dict[str, int] = {}
        for sweep in range(1, len(network.layers) + 1):
            for group in self.groups(network):
                near = [name for name in group if network.neighbours[name] & moved.keys()]
                first = [network.output.name] if network.output.name in group else []
                moved = dict.fromkeys([*near, *first], sweep) | moved
        return moved


@dataclass
class State:
    """States of all layers for one batch, in the engine's own array type.

    ``values[layer]`` is what the next synapse reads, (batch, layer size); ``weights[layer]`` is the engine's own form
    of an attention layer's weights. ``stale`` names the layers that are not at their minimiser for sure.
    ``memory[synapse]`` is what an array keeps of this state's course, for example what a sigma-delta neuron sent last.
    ``inner[layer]`` is the state inside a neuron that integrates in time and shows a digitised value, which is then in
    ``values``. ``origin`` is the free state that a nudged phase started from.
    """

    values: dict[str, Any]
    weights: dict[str, Any]
    stale: frozenset[str]
    beta: float = 0.0
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    inner: dict[str, Any] = field(default_factory=dict)
    origin: State | None = None

    def level(self, name: str) -> Any:
        """Return what a layer holds inside, which is what it shows unless it is digitised on the way out."""
        return self.inner.get(name, self.values[name])


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
    """What the last sweep changed, in the unit of the tolerance: a state, or in a nudged phase the displacement."""
    converged: bool
    """Whether the residual is within the tolerance; False if none was set and the state still moved."""
    at_levels: bool
    """Whether it ended in a cycle over the levels of the chip's converters, which more sweeps never end."""
    trace: Trace | None
    _energy: Callable[[], np.ndarray] = field(repr=False)

    @cached_property
    def energy(self) -> np.ndarray:
        """(batch,) energy F_beta of the final state, computed when asked, which must be before the weights change."""
        return self._energy()

    def after(self, before: Settled) -> Settled:
        """Return this phase as the end of one that began with ``before``, which had met its tolerance."""
        trace = self.trace
        if trace is not None and before.trace is not None:
            parts = ((getattr(before.trace, name), getattr(trace, name)) for name in RECORDS)
            trace = Trace(*([*first, *second] for first, second in parts))
        return replace(self, steps=before.steps + self.steps, converged=before.converged, trace=trace)


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
        Where to start, left untouched; default all zero. A nudged phase counts its displacement from there, or, where
        it goes on from a nudged state, from where that one started.
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
    state.origin = _origin(engine, clamped, start, beta)
    state.beta = float(beta)
    groups = schedule.groups(engine.network)
    arrivals = schedule.arrivals(engine.network) if beta else {}
    check, least = schedule.check_every or engine.check_every, max(arrivals.values(), default=1)
    trace = Trace() if record else None
    changed: list[float] = []
    change = residual = math.inf
    step = 0
    while step < schedule.steps:
        step += 1
        changes: dict = {}
        for group in groups:
            changes.update(_update_group(engine, clamped, state, group, schedule))
        due, last = step % check == 0, step == schedule.steps
        stops = due and schedule.tolerance > 0 and step >= least
        if last or stops or (due and (schedule.tolerance > 0 or engine.check_every == 1)) or "change" in record:
            values = _finite(engine, changes, step)
            change = residual = max(values.values(), default=0.0) / schedule.dt
            changed.append(change)
            if beta and (last or stops):
                residual = _relative(engine, state, arrivals, values, schedule.dt)
        _record(engine, clamped, state, trace, record, change)
        if stops and residual <= schedule.tolerance:
            break
    converged = residual <= schedule.tolerance
    at_levels = not converged and engine.level > 0 and _cycles(changed, LEVELS * engine.level * _scale(engine, state))
    return Settled(state, step, residual, converged, at_levels, trace, _energy_of(engine, clamped, state))


def _cycles(changes: list[float], most: float) -> bool:
    """Tell changes that are small and no longer fall, as those of a cycle, from those that die out.

    What dies out falls in nearly every sweep. Over the later half a cycle does not fall in at least a quarter of them,
    and its median is not much below the least of the earlier half.
    """
    half = len(changes) // 2
    early, late = changes[:half], changes[half:]
    if not early or len(late) < 2 or late[-1] > most:
        return False
    stays = sum(after >= before * (1 - 1e-6) for before, after in pairwise(late))
    return 4 * stays >= len(late) - 1 and median(late) >= 0.5 * min(early)


def _scale(engine: Engine, state: State) -> float:
    """Return the largest state of any layer, at least 1, the full scale of a sigmoid."""
    return max(1.0, *(float(abs(engine.to_numpy(values)).max(initial=0.0)) for values in state.values.values()))


def _origin(engine: Engine, clamped: Any, start: State | None, beta: float) -> State | None:
    """Return the state from which the displacement of a nudged phase counts."""
    if beta == 0:
        return None
    if start is None:
        return engine.rest(clamped)
    return start if start.origin is None else start.origin


def _energy_of(engine: Engine, clamped: Any, state: State) -> Callable[[], np.ndarray]:
    """Return what computes the energy later, as long as the weights are those that the state settled with."""
    version = engine.version

    def energy() -> np.ndarray:
        if engine.version != version:
            raise ConfigError("energy asked for after the weights changed: ask before an update, or record 'energy'")
        return engine.energy(clamped, state)

    return energy


def _finite(engine: Engine, changes: dict, step: int) -> dict[str, float]:
    """Return the largest change of every layer that moved; stop the run when one is not finite."""
    values = engine.scalars(changes)
    for name, value in values.items():
        if not math.isfinite(value):
            raise DivergenceError(name, step)
    return values


def _relative(engine: Engine, state: State, reached: Iterable[str], changes: Mapping[str, float], dt: float) -> float:
    """Return the largest ratio of a layer's change over dt to its displacement, among those the nudge reaches."""
    rounding = max(1.0, ROUNDING * dt) * engine.epsilon
    moving = [name for name in reached if changes.get(name, 0.0) > 0]
    displaced = engine.displacements(state, moving)
    worst = 0.0
    for name in moving:
        displacement, size = displaced[name]
        if changes[name] > rounding * size:
            worst = max(worst, changes[name] / (dt * displacement) if displacement > 0 else math.inf)
    return worst


def _record(engine: Engine, clamped: Any, state: State, trace: Trace | None, record: tuple, residual: float) -> None:
    if trace is None:
        return
    if "change" in record:
        trace.change.append(residual)
    if "energy" in record:
        trace.energy.append(engine.energy(clamped, state))
    if "states" in record:
        trace.states.append(engine.fork(state))
