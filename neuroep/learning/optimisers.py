"""Weight-update rules as data. Each array keeps the rule's state and applies it to its own weights only.

What applies them, learning rate and all: kernels of :mod:`neuroep.engines.numba.array_kernels` on the local engine and
on chips with a digital master copy, torch's own in :mod:`neuroep.engines.torch.arrays`; pulses have
:mod:`neuroep.engines.chip.rules`.

``gradient`` is dL/dtheta, the batch mean of the estimator's contrast. Decoupled decay (Loshchilov and Hutter, ICLR
2019): ``w <- (1 - rate * weight_decay) w`` before the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from neuroep.errors import ConfigError

LARGEST_RATE = 1e30
"""Learning rates above leave the range of float32 within a step."""


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value < high:
        raise ConfigError(f"optimiser.{name} is {value}: allowed is {low} <= {name} < {high}")


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, ICLR 2015), in the form of PyTorch.

    ``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2``,
    ``w <- w - rate / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)``.

    Raises
    ------
    ConfigError
        If a setting is out of range.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    moments = ("first_moment", "second_moment")

    def __post_init__(self) -> None:
        _check("betas", self.betas[0], 0.0, 1.0)
        _check("betas", self.betas[1], 0.0, 1.0)
        _check("eps", self.eps, 0.0, math.inf)
        _check("weight_decay", self.weight_decay, 0.0, math.inf)


@dataclass(frozen=True)
class SGD:
    """Gradient descent with heavy-ball momentum: ``m <- momentum m + g``, ``w <- w - rate m``.

    Raises
    ------
    ConfigError
        If a setting is out of range.
    """

    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check("momentum", self.momentum, 0.0, 1.0)
        _check("weight_decay", self.weight_decay, 0.0, math.inf)

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of the state arrays kept per parameter."""
        return ("momentum",) if self.momentum else ()


Optimiser = Adam | SGD


def cosine(rate: float, epoch: float, period: int, final: float) -> float:
    """Return the learning rate of an epoch under cosine decay.

    ``final + (rate - final) (1 + cos(pi min(epoch, period) / period)) / 2`` (Loshchilov and Hutter, ICLR 2017); a rate
    already below ``final`` stays as it is.

    Parameters
    ----------
    rate : float
        Rate of epoch 0.
    epoch : float
        Epoch counted from 0, or epochs since the start.
    period : int
        Epochs until ``final`` is reached; 0 means no decay.
    final : float
        Last rate.
    """
    if period <= 0 or rate <= final:
        return rate
    phase = math.pi * min(epoch, period) / period
    return final + 0.5 * (rate - final) * (1.0 + math.cos(phase))
