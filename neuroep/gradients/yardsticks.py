r"""Yardsticks for EP on the reference engine: back-propagation through time and implicit differentiation.

Both differentiate L = 1/2 ||s_out - onehot(y)||^2, averaged over the batch, at the free fixed point.

BPTT unrolls ``steps`` further free steps from the settled state with autograd and keeps the derivative with respect to
the parameters *used at each step* apart: the curves to which Ernoult et al. (NeurIPS 2019) compare EP's updates step by
step. Kept whole, the graph of all steps is there at once, as back-propagation is usually done: the same gradient in
less time and with memory that grows by more with each step.

Implicit: with s = F(s, theta) one layer-wise sweep, dL/dtheta = lambda dF/dtheta and lambda = dL/ds + lambda dF/ds,
solved by iterating it, with Anderson acceleration for each sample (:mod:`neuroep.engines.acceleration`): by itself the
iteration converges where the sweeps do, and no faster than they.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from neuroep.data.batch import Batch
from neuroep.engines import reference
from neuroep.engines.acceleration import Anderson
from neuroep.engines.clamped import Clamped
from neuroep.engines.engine import Engine
from neuroep.engines.schedule import Schedule
from neuroep.engines.state import State
from neuroep.engines.torch.arrays import holding, tensors_of
from neuroep.engines.torch.substrate import TorchSubstrate
from neuroep.errors import ConfigError
from neuroep.gradients.angles import cosine

if TYPE_CHECKING:
    from neuroep.gradients.estimators import Estimator


def _twin(engine: Engine, own: bool = True) -> Engine:
    """Return an engine that shares everything but the parameters, which are autograd leaves, copied where ``own``."""
    if not isinstance(engine, Engine) or not isinstance(engine.substrate, TorchSubstrate):
        chip = engine.describe().get("chip") if isinstance(engine, Engine) else None
        given = engine.name if isinstance(engine, Engine) else str(engine)
        given += "" if chip is None else f" on chip {chip}"
        raise ConfigError(f"yardsticks differentiate the reference engine, not '{given}'")
    values = {name: tensor.detach() for name, tensor in tensors_of(engine).items()}
    leaves = {name: (value.clone() if own else value).requires_grad_() for name, value in values.items()}
    return holding(engine, leaves)


def _sweep(engine: Engine, clamped: Clamped, state: State, schedule: Schedule) -> State:
    """Return the state one step later; every layer moves."""
    state = engine.fork(state)
    for group in schedule.groups(engine.network):
        engine.relax(clamped, state, group, schedule)
    return state


def _parts(state: State) -> dict[str, torch.Tensor]:
    """Return all tensors of a state: with dt < 1 the attention weights carry memory as well."""
    values = {f"value {name}": value for name, value in state.values.items()}
    return values | {f"weights {name}": value for name, value in state.weights.items()}


def _leaves(state: State) -> State:
    """Return the state as fresh autograd leaves, free of a nudge."""
    values = {name: value.detach().clone().requires_grad_() for name, value in state.values.items()}
    weights = {name: value.detach().clone().requires_grad_() for name, value in state.weights.items()}
    return State(values, weights, frozenset(values), 0.0)


def unrolled(
    engine: Engine, clamped: Clamped, fixed: State, schedule: Schedule
) -> Iterator[dict[str, np.ndarray]]:
    """Yield BPTT's gradient step by step, from the last of ``schedule.steps`` free steps backwards.

    The states are kept and each step is computed again when the adjoint passes it, so only one step's graph and one
    piece, as large as the weights, exist at a time.

    Parameters
    ----------
    engine : Engine
        Of torch parts; its weights are used and left alone.
    clamped : Clamped
        The batch.
    fixed : State
        Free fixed point.
    schedule : Schedule
        Dynamics that is unrolled; its tolerance is not used.

    Yields
    ------
    dict of str to numpy.ndarray
        By parameter name; the pieces add up to :meth:`BPTT.gradient`.
    """
    twin = _twin(engine)
    leaves = tensors_of(twin)
    states = [_detached(fixed)]
    with torch.no_grad():
        for _ in range(schedule.steps):
            states.append(_sweep(engine, clamped, states[-1], schedule))
    output = engine.network.output.name
    adjoint = {f"value {output}": (states[-1].values[output] - clamped.target) / clamped.samples}
    for state in reversed(states[:-1]):
        inputs = _leaves(state)
        end = _parts(_sweep(twin, twin.read_held(clamped), inputs, schedule))
        ends = {name: end[name] for name in adjoint if end[name].requires_grad}
        starts = {**_parts(inputs), **leaves}
        pulled = torch.autograd.grad(
            list(ends.values()), list(starts.values()), [adjoint[name] for name in ends], allow_unused=True
        )
        found = dict(zip(starts, pulled, strict=True))
        adjoint = {name: found[name] for name in _parts(inputs) if found[name] is not None}
        yield _collect({name: found[name] for name in leaves}, twin)


def _at_once(engine: Engine, clamped: Clamped, fixed: State, schedule: Schedule) -> dict[str, np.ndarray]:
    """Return BPTT's gradient with the graph of all steps kept."""
    twin = _twin(engine, own=False)
    leaves, held, state = tensors_of(twin), twin.read_held(clamped), _detached(fixed)
    for _ in range(schedule.steps):
        state = _sweep(twin, held, state, schedule)
    miss = state.values[engine.network.output.name] - clamped.target
    found = torch.autograd.grad(0.5 * (miss * miss).sum() / clamped.samples, list(leaves.values()), allow_unused=True)
    return _collect(dict(zip(leaves, found, strict=True)), twin)


def _collect(gradients: Mapping[str, torch.Tensor | None], engine: Engine) -> dict[str, np.ndarray]:
    """Return gradients on the host, zero for a parameter that took no part."""
    shapes = engine.network.parameter_shapes()
    return {
        name: np.zeros(shapes[name], engine.dtype) if gradient is None else engine.to_numpy(gradient)
        for name, gradient in gradients.items()
    }


@dataclass(frozen=True)
class BPTT:
    """Gradient by back-propagation through the last ``steps`` free steps.

    Parameters
    ----------
    free : Schedule
        Finds the fixed point.
    steps : int
        Unrolled steps.
    order : str
        Dynamics that is unrolled, ``synchronous`` (the paper's) or ``layerwise``.
    kept : bool
        Keep the graph of all steps for :meth:`gradient`, rather than compute each step again.
    """

    free: Schedule
    steps: int = 30
    order: str = "synchronous"
    kept: bool = False

    def gradient(self, engine: Engine, batch: Batch | Clamped) -> dict[str, np.ndarray]:
        """Return dL/dtheta by parameter name."""
        if self.kept:
            clamped = engine.clamp(batch)
            return _at_once(engine, clamped, engine.settle(clamped, self.free).state, self._unrolled)
        total: dict[str, np.ndarray] = {}
        for piece in self.pieces(engine, batch):
            total = {name: total[name] + value for name, value in piece.items()} if total else piece
        return total

    def trajectory(self, engine: Engine, batch: Batch | Clamped) -> list[dict[str, np.ndarray]]:
        """Return the gradient in pieces, piece k with respect to the parameters used k steps before the end."""
        return list(self.pieces(engine, batch))

    def pieces(self, engine: Engine, batch: Batch | Clamped) -> Iterator[dict[str, np.ndarray]]:
        """Yield what :meth:`trajectory` lists, one at a time."""
        clamped = engine.clamp(batch)
        fixed = engine.settle(clamped, self.free).state
        return unrolled(engine, clamped, fixed, self._unrolled)

    @property
    def _unrolled(self) -> Schedule:
        return Schedule(self.order, steps=self.steps, dt=self.free.dt)


@dataclass(frozen=True)
class Implicit:
    """Gradient by implicit differentiation at the fixed point.

    Parameters
    ----------
    free : Schedule
        Finds the fixed point.
    steps : int
        Most iterations of the adjoint.
    tolerance : float
        Stop when an iteration changes the adjoint by at most this, relative to its largest entry.
    """

    free: Schedule
    steps: int = 200
    tolerance: float = 1e-12

    def gradient(self, engine: Engine, batch: Batch | Clamped) -> dict[str, np.ndarray]:
        """Return dL/dtheta by parameter name.

        Raises
        ------
        ConfigError
            If the adjoint has not converged after ``steps`` iterations.
        """
        twin = _twin(engine)
        leaves = tensors_of(twin)
        clamped = engine.clamp(batch)
        inputs = _leaves(engine.settle(clamped, self.free).state)
        names = [layer.name for layer in engine.network.layers]
        end = _sweep(twin, twin.read_held(clamped), inputs, Schedule("layerwise", steps=1))
        direct = {name: torch.zeros_like(end.values[name]) for name in names}
        output = engine.network.output.name
        direct[output] = (end.values[output] - clamped.target).detach() / clamped.samples
        outputs = [end.values[name] for name in names]
        adjoint = self._solve(list(direct.values()), outputs, [inputs.values[name] for name in names])
        found = torch.autograd.grad(outputs, list(leaves.values()), adjoint, allow_unused=True)
        return _collect(dict(zip(leaves, found, strict=True)), twin)

    def _solve(self, direct: list, outputs: list, inputs: list) -> list[torch.Tensor]:
        """Return lambda = direct + lambda dF/ds; the layers of a sweep's end count as independent in ``direct``."""
        adjoint, memory, share = direct, Anderson(), math.inf
        for _ in range(self.steps):
            pulled = torch.autograd.grad(outputs, inputs, adjoint, retain_graph=True, allow_unused=True)
            fresh = [d if p is None else d + p for d, p in zip(direct, pulled, strict=True)]
            change = max(float((a - b).abs().max()) for a, b in zip(fresh, adjoint, strict=True))
            largest = max(float(a.abs().max()) for a in fresh)
            if change <= self.tolerance * largest:
                return fresh
            share = change / largest
            rows = [[each.reshape(len(each), -1) for each in both] for both in (adjoint, fresh)]
            adjoint = [row.reshape(each.shape) for row, each in zip(memory.step(*rows), fresh, strict=True)]
        raise ConfigError(
            f"implicit differentiation has not converged after {self.steps} iterations: the adjoint still changes"
            f" by {share:.1e} of its largest entry, allowed are {self.tolerance:g};"
            " raise steps, or let the free phase settle"
        )


def _detached(state: State) -> State:
    values = {name: value.detach() for name, value in state.values.items()}
    weights = {name: value.detach() for name, value in state.weights.items()}
    return State(values, weights, frozenset(values), state.beta)


def cosine_to_bptt(engine: Engine, batch: Batch | Clamped, estimator: Estimator, steps: int = 30) -> dict[str, float]:
    """Return the cosine of the estimator's gradient with BPTT's by parameter name, BPTT in float64 on the CPU."""
    exact = as_reference(engine)
    found = estimator.gradient(engine, batch, step=0)
    free = Schedule("layerwise", steps=500, tolerance=1e-10)
    wanted = BPTT(free, steps, order="layerwise").gradient(exact, batch)
    return {name: cosine(found[name], wanted[name]) for name in wanted}


def as_reference(engine: Engine, parameters: Mapping[str, np.ndarray] | None = None) -> Engine:
    """Return a float64 reference engine on the CPU with the weights of any engine, on a chip as its devices conduct."""
    values = engine.conducting() if parameters is None else parameters
    return reference(engine.network, values, dtype="float64", device="cpu", seed=engine.seed)
