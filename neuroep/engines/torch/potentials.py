# Tested by tests/neuroep/network/test_potentials.py.
"""Componentwise potentials in torch: states, energies and nudged minimisers, all differentiable by autograd.

Equations and sources stand in :mod:`neuroep.network.potentials`.
"""

from __future__ import annotations

import torch

from neuroep.network.potentials import HardSigmoid, Linear, Potential, SmoothSigmoid, Tanh, check

NEWTON_STEPS = 30


def _check(potential: Potential) -> None:
    """Refuse another potential than the four below, with a ConfigError."""
    check(potential, None, "reference")


def respond(potential: Potential, drive: torch.Tensor) -> torch.Tensor:
    """Return s = grad G*(u), same shape as the drive."""
    _check(potential)
    match potential:
        case HardSigmoid():
            return torch.clamp(potential.slope * drive, 0.0, 1.0)
        case SmoothSigmoid():
            return torch.sigmoid(drive)
        case Tanh():
            return torch.tanh(drive)
    return drive


def energy(potential: Potential, state: torch.Tensor) -> torch.Tensor:
    """Return the sum of G(s) over the last dimension, shape (batch,)."""
    _check(potential)
    match potential:
        case HardSigmoid():
            return (state * state).sum(-1) / (2.0 * potential.slope)
        case SmoothSigmoid():
            return (torch.xlogy(state, state) + torch.xlogy(1.0 - state, 1.0 - state)).sum(-1)
        case Tanh():
            up, down = 1.0 + state, 1.0 - state
            return 0.5 * (torch.xlogy(up, up) + torch.xlogy(down, down)).sum(-1)
    return 0.5 * (state * state).sum(-1)


def nudged(potential: Potential, drive: torch.Tensor, target: torch.Tensor, beta: float) -> torch.Tensor:
    """Return the minimiser of G(s) - u s + beta/2 (s - y)^2.

    Closed for the hard sigmoid, clip((u + beta y) / (1/slope + beta), 0, 1), and the linear potential; otherwise the
    root of v - u + beta (s(v) - y), which rises with v for beta > -curvature, by Newton steps kept inside its bracket.
    """
    _check(potential)
    if isinstance(potential, HardSigmoid):
        return torch.clamp((drive + beta * target) / (1.0 / potential.slope + beta), 0.0, 1.0)
    if isinstance(potential, Linear):
        return (drive + beta * target) / (1.0 + beta)
    middle = drive + beta * target
    ends = middle - beta * potential.low, middle - beta * potential.high
    low, high = torch.minimum(*ends), torch.maximum(*ends)
    v = 0.5 * (low + high)
    for _ in range(NEWTON_STEPS):
        state = respond(potential, v)
        slope = state * (1.0 - state) if isinstance(potential, SmoothSigmoid) else 1.0 - state * state
        excess = v - middle + beta * state
        high, low = torch.where(excess > 0, v, high), torch.where(excess > 0, low, v)
        step = v - excess / (1.0 + beta * slope)
        v = torch.where((step < low) | (step > high), 0.5 * (low + high), step)
    return respond(potential, v)
