r"""Potentials of the layers: what a neuron does with its drive.

A layer with convex potential :math:`G^*(u)` sits at :math:`s = \nabla G^*(u)`; :math:`G(s)` is the Legendre dual and
enters the energy :math:`E = \sum_l G_l(s_l) - \Phi`. With the nudge :math:`\beta/2\,\|s - y\|^2` the exact minimiser of
one layer solves :math:`G'(s) = u - \beta (s - y)`.

============  =============================  =======================================  ====================
name          s = grad G*(u)                 G(s)                                     smallest G''
============  =============================  =======================================  ====================
hard_sigmoid  clip(slope u, 0, 1)            s^2 / (2 slope) on [0, 1]                1 / slope
smooth_sigmoid  1 / (1 + exp(-u))            s ln s + (1 - s) ln(1 - s)               4
tanh          tanh(u)                        s artanh s + ln(1 - s^2) / 2             1
linear        u                              s^2 / 2                                  1
============  =============================  =======================================  ====================

Potentials are data: engines hold the arithmetic. The Hopfield attention potential belongs to
:class:`neuroep.network.builders.AttentionLayer`. Source: Bal and Sengupta, IJCAI 2023; Scellier and Bengio, Front.
Comput. Neurosci. 11:24, 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from neuroep.errors import ConfigError, unknown

LARGEST = 1e6
"""Of slopes and inverse temperatures; one over it is the least. Beyond, states are steps or do not move."""
NEWTON_STEPS, NEAR = 30, 1e-3
"""Steps to the state of a nudged neuron, and the size from which on Newton's end by themselves: a state bends over a
drive of about 1."""


@dataclass(frozen=True)
class Potential:
    """A componentwise potential; ``slope`` is used by the hard sigmoid alone."""

    name: ClassVar[str] = ""
    code: ClassVar[int] = -1
    """Number by which compiled kernels know the potential."""
    low: ClassVar[float] = -math.inf
    high: ClassVar[float] = math.inf
    """Range of the states; a neuron at ``low`` is dead, at ``high`` saturated."""

    @property
    def slope(self) -> float:
        """Largest slope of s(u)."""
        return 1.0

    @property
    def curvature(self) -> float:
        """Smallest second derivative of G; a nudge needs ``beta > -curvature`` to leave the energy convex."""
        return 1.0 / self.slope


@dataclass(frozen=True)
class HardSigmoid(Potential):
    """clip(slope u, 0, 1); the paper's neuron has slope 1/2.

    Raises
    ------
    ConfigError
        If the slope is not from 1/LARGEST to LARGEST.
    """

    name: ClassVar[str] = "hard_sigmoid"
    code: ClassVar[int] = 0
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0
    gain: float = 0.5

    def __post_init__(self) -> None:
        if not 1 / LARGEST <= self.gain <= LARGEST:
            allowed = f"allowed are numbers from {1 / LARGEST:g} to {LARGEST:g}"
            raise ConfigError(f"slope of the hard sigmoid is {self.gain}: {allowed}")

    @property
    def slope(self) -> float:
        """Slope between the clips."""
        return self.gain


@dataclass(frozen=True)
class SmoothSigmoid(Potential):
    """Logistic function."""

    name: ClassVar[str] = "smooth_sigmoid"
    code: ClassVar[int] = 1
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    @property
    def slope(self) -> float:
        """Slope at u = 0."""
        return 0.25


@dataclass(frozen=True)
class Tanh(Potential):
    """Hyperbolic tangent."""

    name: ClassVar[str] = "tanh"
    code: ClassVar[int] = 2
    low: ClassVar[float] = -1.0
    high: ClassVar[float] = 1.0


@dataclass(frozen=True)
class Linear(Potential):
    """Identity."""

    name: ClassVar[str] = "linear"
    code: ClassVar[int] = 3


_KINDS: dict[str, type[Potential]] = {kind.name: kind for kind in (HardSigmoid, SmoothSigmoid, Tanh, Linear)}
NAMES = tuple(_KINDS)


def check(potential: Potential, layer: str | None, engine: str) -> None:
    """Refuse a potential whose arithmetic an engine does not hold: one of another class, whatever it inherits.

    Raises
    ------
    ConfigError
        Naming potential, layer and engine, and the potentials that are known.
    """
    if type(potential) not in _KINDS.values():
        kind = type(potential).__name__
        given = f"potential '{getattr(potential, 'name', '') or kind}'" + (f" of layer '{layer}'" if layer else "")
        raise ConfigError(f"{given} is a {kind}, which the {engine} engine cannot compute: it knows {', '.join(NAMES)}")


def named(name: str, slope: float | None = None) -> Potential:
    """Return the potential of that name.

    Parameters
    ----------
    name : str
        One of ``NAMES``.
    slope : float, optional
        Slope of the hard sigmoid, default 1/2.

    Raises
    ------
    ConfigError
        For an unknown name, or a slope given to a potential that has none to set.
    """
    if name not in _KINDS:
        raise ConfigError(unknown("potential", name, NAMES))
    if slope is None:
        return _KINDS[name]()
    if name != HardSigmoid.name:
        raise ConfigError(f"slope = {slope} has no meaning for potential '{name}': only 'hard_sigmoid' takes one")
    return HardSigmoid(slope)
