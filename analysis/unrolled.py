r"""Gradients in pieces, one settle step at a time: the two sides of the paper's "GDU" curves.

From the free fixed point :math:`s^*`, EP nudges for K steps; piece k is the update that the change of step k alone
makes. BPTT unrolls K further free steps; piece k is the gradient with respect to the parameters used k steps before
the end. Ernoult et al. (NeurIPS 2019) show that the two are equal step by step as beta goes to 0, in synchronous
dynamics.

Both are generators: a piece is as large as the weights, so the 12 million weights of the full inference network over 30
steps would fill gigabytes if kept. They yield what :meth:`neuroep.estimators.Estimator.trajectory` and
:meth:`neuroep.yardsticks.BPTT.trajectory` return as lists.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from neuroep.engines.reference_engine import Clamped, ReferenceEngine
from neuroep.estimators import Estimator, Phases
from neuroep.settling import Schedule, State
from neuroep.yardsticks import as_reference

Pieces = Iterator[dict[str, np.ndarray]]


def ep_steps(engine: ReferenceEngine, phases: Phases, estimator: Estimator) -> Pieces:
    """Yield EP's gradient step by step of the nudged phases.

    Parameters
    ----------
    engine : ReferenceEngine
        Which settled the phases.
    phases : Phases
        Settled with ``record=("states",)``.
    estimator : Estimator
        Which settled them.

    Yields
    ------
    dict of str to numpy.ndarray
        By parameter name; the pieces sum up to :meth:`Estimator.gradient`.
    """
    span = estimator.beta * len(phases.nudged)
    paths = {sign: [phases.free.state, *(run.trace.states if run.trace else [])] for sign, run in phases.nudged.items()}
    for k in range(1, max(len(path) for path in paths.values())):
        piece: dict[str, np.ndarray] = {}
        for sign, path in paths.items():
            before, after = path[min(k - 1, len(path) - 1)], path[min(k, len(path) - 1)]
            part = engine.gradient(engine.contrasts(phases.clamped, after, before, sign * span))
            piece = {name: piece[name] + value for name, value in part.items()} if piece else part
        yield piece


def bptt_steps(engine: ReferenceEngine, clamped: Clamped, fixed: State, schedule: Schedule) -> Pieces:
    """Yield BPTT's gradient step by step, from the last of ``schedule.steps`` free steps backwards.

    The states are kept and each step is computed again when the adjoint passes it, so only one step's graph exists.

    Parameters
    ----------
    engine : ReferenceEngine
        Its weights are used and left alone.
    clamped : Clamped
        The batch.
    fixed : State
        Free fixed point.
    schedule : Schedule
        Dynamics that is unrolled; its tolerance is not used.

    Yields
    ------
    dict of str to numpy.ndarray
        By parameter name; the pieces sum up to :meth:`neuroep.yardsticks.BPTT.gradient`.
    """
    twin = as_reference(engine)
    states = [_restarted(fixed)]
    for _ in range(schedule.steps):
        states.append(_restarted(_sweep(twin, clamped, states[-1], schedule)))
    output = engine.network.output.name
    adjoint = {f"value {output}": (states[-1].values[output] - clamped.target) / clamped.samples}
    for tensor in twin.tensors.values():
        tensor.requires_grad_()
    for state in reversed(states[:-1]):
        inputs = State({}, {}, state.stale, state.beta)
        inputs.values = {name: value.clone().requires_grad_() for name, value in state.values.items()}
        inputs.weights = {name: value.clone().requires_grad_() for name, value in state.weights.items()}
        end = _parts(_sweep(twin, twin.read_held(clamped), inputs, schedule))
        ends = {name: end[name] for name in adjoint if end[name].requires_grad}
        starts = {**_parts(inputs), **twin.tensors}
        pulled = torch.autograd.grad(
            list(ends.values()), list(starts.values()), [adjoint[name] for name in ends], allow_unused=True
        )
        found = dict(zip(starts, pulled, strict=True))
        adjoint = {name: found[name] for name in _parts(inputs) if found[name] is not None}
        yield {
            name: np.zeros(tuple(tensor.shape)) if found[name] is None else engine.to_numpy(found[name])
            for name, tensor in twin.tensors.items()
        }


def _sweep(engine: ReferenceEngine, clamped: Clamped, state: State, schedule: Schedule) -> State:
    """Return the state one step later; every layer moves."""
    state = engine.fork(state)
    for group in schedule.groups(engine.network):
        engine.relax(clamped, state, group, schedule)
    return state


def _parts(state: State) -> dict[str, torch.Tensor]:
    """Return all tensors of a state: with dt < 1 the attention weights carry memory as well."""
    values = {f"value {name}": value for name, value in state.values.items()}
    return values | {f"weights {name}": value for name, value in state.weights.items()}


def _restarted(state: State) -> State:
    """Return the state without its history, free of a nudge."""
    values = {name: value.detach() for name, value in state.values.items()}
    weights = {name: value.detach() for name, value in state.weights.items()}
    return State(values, weights, frozenset(values), 0.0)
