# Tested by tests/neuroep/network/test_potentials.py.
"""Componentwise potentials in torch: states, energies and nudged minimisers, all differentiable by autograd.

Equations and sources stand in :mod:`neuroep.network.potentials`.
"""

from __future__ import annotations

import torch

from neuroep.network.potentials import (
    NEAR,
    NEWTON_STEPS,
    HardSigmoid,
    Linear,
    Potential,
    SmoothSigmoid,
    Tanh,
    check,
)

FAR = 60.0
"""Logits further than that above their mean get a shift of their own, far from overflow in single precision."""


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
    A step that is not half the one before goes to the middle: under a large nudge Newton goes in circles.
    """
    _check(potential)
    if isinstance(potential, HardSigmoid):
        return torch.clamp((drive + beta * target) / (1.0 / potential.slope + beta), 0.0, 1.0)
    if isinstance(potential, Linear):
        return (drive + beta * target) / (1.0 + beta)
    middle = drive + beta * target
    ends = middle - beta * potential.low, middle - beta * potential.high
    low, high = torch.minimum(*ends), torch.maximum(*ends)
    v, before = 0.5 * (low + high), high - low
    for _ in range(NEWTON_STEPS):
        state = respond(potential, v)
        slope = state * (1.0 - state) if isinstance(potential, SmoothSigmoid) else 1.0 - state * state
        excess = v - middle + beta * state
        high, low = torch.where(excess > 0, v, high), torch.where(excess > 0, low, v)
        before = _step(excess / (1.0 + beta * slope), before, v, low, high)
        v = v - before
    return respond(potential, v)


def _step(
    newton: torch.Tensor, before: torch.Tensor, v: torch.Tensor, low: torch.Tensor, high: torch.Tensor
) -> torch.Tensor:
    """Return a step of Newton, or to the middle of the bracket where it leaves that or is not half the one before."""
    astray = (v - newton < low) | (v - newton > high) | (newton.abs() > (0.5 * before.abs()).clamp(min=NEAR))
    return torch.where(astray, v - 0.5 * (low + high), newton)


def place(potential: Potential, drive: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """Return where a free drive puts neurons that hold a state; see :mod:`neuroep.engines.differences`."""
    if not isinstance(potential, HardSigmoid):
        return state
    free = potential.slope * drive
    beyond = torch.where(state <= 0.0, free.clamp(max=0.0), free.clamp(min=1.0))
    return torch.where((state > 0.0) & (state < 1.0), state, beyond)


def at(potential: Potential, place: torch.Tensor) -> torch.Tensor:
    """Return the state of neurons at a place."""
    return place.clamp(0.0, 1.0) if isinstance(potential, HardSigmoid) else place


def gained(potential: Potential, place: torch.Tensor, drive: torch.Tensor) -> torch.Tensor:
    """Return d of neurons at a place whose drive has changed; see :mod:`neuroep.engines.differences`."""
    _check(potential)
    match potential:
        case HardSigmoid():
            return _clipped(place, potential.slope * drive)
        case SmoothSigmoid():
            return _between(place, 1.0 - place, drive)
        case Tanh():
            return 2.0 * _between(0.5 * (1.0 + place), 0.5 * (1.0 - place), 2.0 * drive)
    return drive.expand(torch.broadcast_shapes(drive.shape, place.shape))


def _clipped(place: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return torch.minimum(torch.maximum(x, -place), 1.0 - place) + (place - place.clamp(0.0, 1.0))


def _between(low: torch.Tensor, high: torch.Tensor, drive: torch.Tensor) -> torch.Tensor:
    """Return low high E/(1 + low E), E = e^drive - 1, for low + high = 1; of e^-drive where that would overflow.

    As 1 = low + high, the denominator is high + low e^drive, which nothing is subtracted in.
    """
    less, up = -drive.abs(), drive > 0
    near, far = torch.where(up, high, low), torch.where(up, low, high)
    found = low * high * torch.expm1(less) / (far + near * torch.exp(less))
    return torch.where(low * high > 0, torch.where(up, -found, found), torch.zeros_like(found))


def nudged_gain(
    potential: Potential, place: torch.Tensor, drive: torch.Tensor, target: torch.Tensor, beta: torch.Tensor
) -> torch.Tensor:
    """Return d of the layer-wise minimiser under a nudge: closed where :func:`nudged` is, by Newton steps elsewhere."""
    _check(potential)
    aim = drive + beta * (target - place)
    if isinstance(potential, HardSigmoid):
        return _clipped(place, aim / (1.0 / potential.slope + beta))
    if isinstance(potential, Linear):
        return aim / (1.0 + beta)
    ends = aim - beta * (potential.low - place), aim - beta * (potential.high - place)
    low, high = torch.minimum(*ends), torch.maximum(*ends)

    def rise(state: torch.Tensor) -> torch.Tensor:
        return state * (1.0 - state) if isinstance(potential, SmoothSigmoid) else 1.0 - state * state

    w = torch.minimum(torch.maximum(aim / (1.0 + beta * rise(place)), low), high)
    before = high - low
    for _ in range(NEWTON_STEPS):
        found = gained(potential, place, w)
        excess = w - aim + beta * found
        high, low = torch.where(excess > 0, w, high), torch.where(excess > 0, low, w)
        before = _step(excess / (1.0 + beta * rise(place + found)), before, w, low, high)
        w = w - before
    return gained(potential, place, w)
