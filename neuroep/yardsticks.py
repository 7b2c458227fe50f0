r"""Yardsticks for EP on the reference engine: back-propagation through time and implicit differentiation.

Both differentiate L = 1/2 ||s_out - onehot(y)||^2, averaged over the batch, at the free fixed point.

BPTT unrolls ``steps`` further free steps from the settled state with autograd and keeps the derivative with respect to the
parameters *used at each step* apart: the curves to which Ernoult et al. (NeurIPS 2019) compare EP's updates step by step.

Implicit: with s = F(s, theta) one layer-wise sweep, dL/dtheta = lambda dF/dtheta and lambda = dL/ds + lambda dF/ds, solved by
iterating it (converges wherever the sweeps do).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuroep.engines.reference_engine import Clamped, ReferenceEngine
from neuroep.errors import ConfigError
from neuroep.settling import Schedule, State

if TYPE_CHECKING:
    from neuroep.engines.engine import Engine
    from neuroep.estimators import Estimator


def _loss(engine: ReferenceEngine, clamped: Clamped, state: State) -> torch.Tensor:
    miss = state.values[engine.network.output.name] - clamped.target
    return 0.5 * (miss * miss).sum() / clamped.samples


class _Tracked:
    """An engine whose parameters are fresh autograd views at every step."""

    def __init__(self, engine: ReferenceEngine) -> None:
        if not isinstance(engine, ReferenceEngine):
            raise ConfigError(f"yardsticks differentiate the reference engine, not '{getattr(engine, 'name', engine)}'")
        self.engine, self.plain = engine, engine.tensors
        self.leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in engine.tensors.items()}
        self.used: list[dict[str, torch.Tensor]] = []

    def __enter__(self) -> _Tracked:
        return self

    def __exit__(self, *exception: object) -> None:
        self.engine.tensors = self.plain

    def sweep(self, clamped: Clamped, state: State, schedule: Schedule) -> State:
        """Take one step with parameters of its own; every layer moves."""
        views = {name: leaf.view_as(leaf) for name, leaf in self.leaves.items()}
        self.used.append(views)
        self.engine.tensors = views
        fresh = self.engine.read_held(clamped)
        state = self.engine.fork(state)
        for group in schedule.groups(self.engine.network):
            self.engine.relax(fresh, state, group, schedule)
        return state


def _collect(names: list[str], gradients: tuple) -> dict[str, np.ndarray]:
    found = {}
    for name, gradient in zip(names, gradients, strict=True):
        found[name] = np.zeros(()) if gradient is None else gradient.detach().cpu().numpy()
    return found


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
    """

    free: Schedule
    steps: int = 30
    order: str = "synchronous"

    def gradient(self, engine: ReferenceEngine, batch: Any) -> dict[str, np.ndarray]:
        """Return dL/dtheta by parameter name."""
        pieces = self.trajectory(engine, batch)
        return {name: np.sum([piece[name] for piece in pieces], axis=0) for name in pieces[0]}

    def trajectory(self, engine: ReferenceEngine, batch: Any) -> list[dict[str, np.ndarray]]:
        """Return the gradient in pieces, piece k with respect to the parameters used k steps before the end."""
        with _Tracked(engine) as tracked:
            clamped = engine.clamp(batch)
            state = _detached(engine.settle(clamped, self.free).state)
            schedule = Schedule(self.order, steps=1, dt=self.free.dt)
            for _ in range(self.steps):
                state = tracked.sweep(clamped, state, schedule)
            names = list(tracked.leaves)
            wanted = [views[name] for views in reversed(tracked.used) for name in names]
            found = torch.autograd.grad(_loss(engine, clamped, state), wanted, allow_unused=True)
        zeros = {name: tensor.detach().cpu().numpy() * 0 for name, tensor in engine.tensors.items()}
        width = len(names)
        pieces = [_collect(names, found[k * width : (k + 1) * width]) for k in range(self.steps)]
        return [{name: zeros[name] + value for name, value in piece.items()} for piece in pieces]


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
        Stop when the adjoint changes by at most this, relative to its largest entry.
    """

    free: Schedule
    steps: int = 200
    tolerance: float = 1e-12

    def gradient(self, engine: ReferenceEngine, batch: Any) -> dict[str, np.ndarray]:
        """Return dL/dtheta by parameter name.

        Raises
        ------
        ConfigError
            If the adjoint has not converged after ``steps`` iterations.
        """
        with _Tracked(engine) as tracked:
            clamped = engine.clamp(batch)
            fixed = _detached(engine.settle(clamped, self.free).state)
            names = [layer.name for layer in engine.network.layers]
            inputs = {name: fixed.values[name].clone().requires_grad_() for name in names}
            start = engine.fork(fixed)
            start.values.update(inputs)
            end = tracked.sweep(clamped, start, Schedule("layerwise", steps=1))
            direct = {name: torch.zeros_like(end.values[name]) for name in names}
            output = engine.network.output.name
            direct[output] = (end.values[output] - clamped.target).detach() / clamped.samples
            adjoint = self._solve(list(direct.values()), [end.values[n] for n in names], list(inputs.values()))
            parameters = list(tracked.leaves)
            outputs = [end.values[name] for name in names]
            found = torch.autograd.grad(outputs, list(tracked.leaves.values()), adjoint, allow_unused=True)
        return _collect(parameters, found)

    def _solve(self, direct: list, outputs: list, inputs: list) -> list[torch.Tensor]:
        """Return lambda = direct + lambda dF/ds; layers count as independent, whatever one sweep computed from another."""
        adjoint = direct
        for _ in range(self.steps):
            pulled = torch.autograd.grad(outputs, inputs, adjoint, retain_graph=True, allow_unused=True)
            fresh = [d if p is None else d + p for d, p in zip(direct, pulled, strict=True)]
            change = max(float((a - b).abs().max()) for a, b in zip(fresh, adjoint, strict=True))
            adjoint = fresh
            if change <= self.tolerance * max(float(a.abs().max()) for a in adjoint):
                return adjoint
        raise ConfigError(f"implicit differentiation has not converged after {self.steps} iterations; raise steps")


def _detached(state: State) -> State:
    values = {name: value.detach() for name, value in state.values.items()}
    weights = {name: value.detach() for name, value in state.weights.items()}
    return State(values, weights, frozenset(values), state.beta)


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Return the cosine of two arrays; 0 if one vanishes."""
    a, b = np.ravel(first).astype(np.float64), np.ravel(second).astype(np.float64)
    scale = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / scale) if scale > 0 else 0.0


def relative_error(value: np.ndarray, exact: np.ndarray) -> float:
    """Return ||value - exact|| / ||exact||; infinite if ``exact`` vanishes and ``value`` does not."""
    size = np.linalg.norm(np.ravel(exact).astype(np.float64))
    miss = np.linalg.norm(np.ravel(value).astype(np.float64) - np.ravel(exact).astype(np.float64))
    return float(miss / size) if size > 0 else float("inf" if miss > 0 else 0.0)


def cosine_to_bptt(engine: Engine, batch: Any, estimator: Estimator, steps: int = 30) -> dict[str, float]:
    """Return the cosine of the estimator's gradient with BPTT's by parameter name, BPTT in float64 on the CPU."""
    exact = as_reference(engine)
    found = estimator.gradient(engine, batch)
    free = Schedule("layerwise", steps=500, tolerance=1e-10)
    wanted = BPTT(free, steps, order="layerwise").gradient(exact, batch)
    return {name: cosine(found[name], wanted[name]) for name in wanted}


def as_reference(engine: Engine, parameters: Mapping[str, np.ndarray] | None = None) -> ReferenceEngine:
    """Return a float64 reference engine on the CPU with the weights of any engine."""
    values = engine.parameters() if parameters is None else parameters
    return ReferenceEngine(engine.network, values, dtype="float64", device="cpu", seed=engine.seed)
