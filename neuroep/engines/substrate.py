"""The seam between the local engine and what it runs on: a substrate makes arrays, neurons and attention units.

The engine asks for parts by name and never which chip they belong to. :class:`IdealSubstrate` is exact arithmetic;
:class:`neuroep.engines.chip.substrate.ChipSubstrate` puts a chip behind the same calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from neuroep.engines.numba.arrays import Array, ideal
from neuroep.engines.numba.attention import AttentionUnit
from neuroep.engines.numba.neurons import Neurons
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Signal
from neuroep.learning.optimisers import Optimiser
from neuroep.network import AttentionLayer, DenseLayer

if TYPE_CHECKING:
    from hw_models.chip import Chip


Signs = tuple[bool, bool]
"""Whether what the post and the pre side of a synapse show can never be negative."""


@dataclass(frozen=True)
class Setting:
    """What every part of an engine shares."""

    optimiser: Optimiser
    workers: Workers
    dtype: str
    seed: int
    """Of the draws of a chip."""


class Substrate(Protocol):
    """What an engine runs on."""

    redraws: bool
    """Whether a product read again may differ."""
    level: float
    """Coarsest step of what settles, as a share of its full scale; 0 without digitising."""
    holds_input: bool
    """Whether products of the clamped input are read once per batch, or again at every step."""
    time_constant: float
    """Steps in which states relax, 1 for at once; the time step of a schedule is divided by it."""

    @property
    def calibrates(self) -> bool:
        """Whether ranges have to be calibrated before a run."""
        ...

    def array(self, name: str, weight: np.ndarray, bias: np.ndarray | None, nonnegative: Signs) -> Array:
        """Return the array of one synapse, (out, in), holding these weights."""
        ...

    def attention(self, layer: AttentionLayer) -> AttentionUnit:
        """Return the unit of one attention layer."""
        ...

    def neurons(self, layer: DenseLayer) -> Neurons:
        """Return the neurons of one dense layer."""
        ...

    def read_out(self, synapse: str, end: str, signal: Signal) -> Signal:
        """Return what an update measures of one end of a synapse."""
        ...

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion from now on."""
        ...

    def read_at(self, seconds: float) -> None:
        """Read devices so long after their last write from now on."""
        ...

    def aged(self) -> AbstractContextManager[None]:
        """Read devices inside as old as the chip says they are once deployed; nothing may be written there."""
        ...

    def observing(self) -> AbstractContextManager[None]:
        """Collect signals inside, pass them through converters that wait for a range, and fix the ranges at the end."""
        ...

    def counters(self) -> dict[str, int]:
        """Return what has been counted."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Return what has to be kept to go on after a resume and belongs to no array, by name."""
        ...

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        ...


class IdealSubstrate:
    """Exact arithmetic; see :class:`Substrate`."""

    redraws = False
    level = 0.0
    holds_input = True
    time_constant = 1.0
    calibrates = False

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    def array(self, name: str, weight: np.ndarray, bias: np.ndarray | None, nonnegative: Signs) -> Array:
        """Return an ideal array."""
        return ideal(weight, bias, self.setting.optimiser, self.setting.workers, self.setting.dtype)

    def attention(self, layer: AttentionLayer) -> AttentionUnit:
        """Return exact attention."""
        return AttentionUnit(layer, self.setting.dtype, self.setting.workers)

    def neurons(self, layer: DenseLayer) -> Neurons:
        """Return exact neurons."""
        return Neurons(layer, self.setting.dtype, self.setting.workers)

    def read_out(self, synapse: str, end: str, signal: Signal) -> Signal:
        """Return the signal."""
        return signal

    def begin(self, *occasion: str | int) -> None:
        """Do nothing: there are no draws."""

    def read_at(self, seconds: float) -> None:
        """Do nothing: nothing ages."""

    @contextmanager
    def aged(self) -> Iterator[None]:
        """Do nothing: nothing ages."""
        yield

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Do nothing: there are no ranges."""
        yield

    def counters(self) -> dict[str, int]:
        """Return nothing."""
        return {}

    def state(self) -> dict[str, np.ndarray]:
        """Return nothing."""
        return {}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Do nothing."""


def build(chip: Chip | None, setting: Setting) -> Substrate:
    """Return the substrate of a chip, or exact arithmetic for none."""
    if chip is None:
        return IdealSubstrate(setting)
    from neuroep.engines.chip.substrate import ChipSubstrate

    return ChipSubstrate(chip, setting)
