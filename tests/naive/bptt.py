"""BPTT the obvious way: one autograd graph through all steps, a view of the parameters for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neuroep.engines.engine import Engine
from neuroep.engines.schedule import Schedule
from neuroep.engines.torch.arrays import holding, tensors_of


def trajectory(
    engine: Engine, batch: Any, free: Schedule, steps: int, order: str
) -> list[dict[str, np.ndarray]]:
    """Return dL/dtheta_k, theta_k the parameters used k steps before the end."""
    leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in tensors_of(engine).items()}
    clamped = engine.clamp(batch)
    state = engine.settle(clamped, free).state
    schedule = Schedule(order, steps=1, dt=free.dt)
    used = []
    for _ in range(steps):
        used.append({name: leaf.view_as(leaf) for name, leaf in leaves.items()})
        twin = holding(engine, used[-1])
        held, state = twin.read_held(clamped), twin.fork(state)
        for group in schedule.groups(twin.network):
            twin.relax(held, state, group, schedule)
    miss = state.values[engine.network.output.name] - clamped.target
    loss = 0.5 * (miss * miss).sum() / clamped.samples
    found = []
    for views in reversed(used):
        pulled = torch.autograd.grad(loss, list(views.values()), retain_graph=True, allow_unused=True)
        found.append(
            {n: (0 * v if g is None else g).detach().numpy() for (n, v), g in zip(views.items(), pulled, strict=True)}
        )
    return found
