"""Slow twins of the learning rules: one weight at a time; each returns the new weight and what the rule keeps."""

from __future__ import annotations

import math


def adam(weight, first, second, gradient, rate, decay, betas, step, eps):
    """One Adam step, counted from 1, with decoupled decay."""
    first = betas[0] * first + (1 - betas[0]) * gradient
    second = betas[1] * second + (1 - betas[1]) * gradient * gradient
    mean, square = first / (1 - betas[0] ** step), second / (1 - betas[1] ** step)
    return weight * (1 - rate * decay) - rate * mean / (math.sqrt(square) + eps), first, second


def sgd(weight, momentum, gradient, rate, decay, factor):
    """One heavy-ball step with decoupled decay."""
    momentum = factor * momentum + gradient
    return weight * (1 - rate * decay) - rate * momentum, momentum
