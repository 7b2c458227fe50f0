"""Exact arithmetic on Numba and BLAS as a substrate; a chip puts parts of its own behind the same calls.

A state's read-outs that feed one synapse lie side by side in memory, so a product reads them without copying.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import numpy as np

from hw_models.clock import Clock
from hw_models.kept_memory import KeptMemory
from hw_models.tally import CurrentPhase, Tally, repeated
from neuroep.data.batch import WordRows
from neuroep.engines.differences import DifferenceParts
from neuroep.engines.numba.arrays import Deferred, ideal
from neuroep.engines.numba.attention import ExactAttention, Tokens
from neuroep.engines.numba.differences import ExactDifferences
from neuroep.engines.numba.neurons import ExactNeurons, displaced
from neuroep.engines.parts import Array, AttentionUnit, Increments, Move, Neurons, Replayer, Signs, Timeless, View
from neuroep.engines.rounding import Rounding
from neuroep.engines.state import State
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Number, Signal
from neuroep.learning.optimisers import Adam, Optimiser
from neuroep.network import AttentionLayer, DenseLayer, Network


@dataclass(frozen=True)
class Setting:
    """What every part of an engine shares."""

    optimiser: Optimiser
    workers: Workers
    dtype: str
    seed: int
    """Of the draws of a chip."""
    phase: CurrentPhase = field(default_factory=CurrentPhase)
    """Of what all parts write to their tallies."""
    clock: Clock = field(default_factory=Clock)
    """Of a chip, on which it may pass."""
    rounding: Rounding = field(default_factory=Rounding)
    """Of products of states in dense synapses."""
    memory: KeptMemory = field(default_factory=partial(KeptMemory, 2))
    """Of large states, and of what is let go before differences need it."""

    def tally(self) -> Tally:
        """Return a tally of a part's own, with the phase that all share."""
        return Tally(self.phase)


class ExactSubstrate(Timeless):
    """Exact arithmetic, written in place; see :class:`neuroep.engines.parts.Substrate`."""

    in_place = True
    redraws = False
    shifts = False
    turns = False
    """Whether parts ask for the number or the nudge of a phase."""
    level = 0.0
    replay: Replayer | None = None
    looks_up = False
    holds_input = True
    time_constant = 1.0
    check_every = 1
    averages = 1
    increments: Increments | None = None

    def __init__(self, setting: Setting) -> None:
        self.setting, self.optimiser, self.rounding = setting, setting.optimiser, setting.rounding
        self.differences: DifferenceParts | None = self._differences()

    def _differences(self) -> DifferenceParts:
        setting = self.setting
        if not self.rounding.there:
            return ExactDifferences(setting.dtype, setting.workers, setting.tally)
        from neuroep.engines.numba.rounded_attention import RoundedDifferences  # it needs torch

        return RoundedDifferences(setting.workers, setting.tally, self.rounding)

    def array(
        self, name: str, weight: np.ndarray, bias: np.ndarray | None, nonnegative: Signs, sends_back: bool = True
    ) -> Array:
        """Return an ideal array; its products are rounded where states are what it reads, not clamped words."""
        setting = self.setting
        how = setting.optimiser, setting.workers, setting.dtype, name, setting.tally()
        if not (self.rounding.there and sends_back):
            return ideal(weight, bias, *how, setting.memory)
        from neuroep.engines.numba.rounded import rounded  # it needs torch

        return rounded(weight, bias, *how, self.rounding)

    def attention(self, layer: AttentionLayer, patterns: int) -> AttentionUnit:
        """Return exact attention."""
        setting = self.setting
        if not self.rounding.there:
            return ExactAttention(layer, setting.dtype, setting.workers, setting.tally(), setting.memory)
        from neuroep.engines.numba.rounded_attention import RoundedAttention

        return RoundedAttention(layer, setting.workers, setting.tally(), setting.memory, self.rounding)

    def neurons(self, layer: DenseLayer) -> Neurons:
        """Return exact neurons."""
        return ExactNeurons(layer, self.setting.dtype, self.setting.workers, self.setting.tally())

    def during(self, phase: str) -> AbstractContextManager[None]:
        """Write down inside that what all parts do is of a phase."""
        return self.setting.phase.during(phase)

    def metering(self, what: str = "square") -> AbstractContextManager[None]:
        """Sum up inside what reads of a chip's crossbars draw."""
        return self.setting.phase.metering(what)

    def turn(self, number: Number, nudge: float) -> AbstractContextManager[None]:
        """Be inside in the phase of that number and nudge, as all parts see it."""
        return self.setting.phase.turn(number, nudge) if self.turns else nullcontext()

    def read_out(self, synapse: str, end: str, signal: Signal, view: View) -> Signal:
        """Return the signal."""
        return signal

    def rows_of(self, tokens: object) -> AbstractContextManager[None]:
        """Have signals inside whose rows are these tokens."""
        given = cast(Tokens, tokens)
        if given.repeated is None and not self.shifts:
            return nullcontext()
        return self.setting.phase.rows_of(given.samples, given.repeated)

    def read_out_resolution(self, synapse: str, end: str) -> float:
        """Return 0: it is exact."""
        return 0.0

    def tokens(self, vectors: np.ndarray, lengths: np.ndarray, kinds: np.ndarray | None = None) -> Tokens:
        """Return a padded sequence, contiguous."""
        there = np.ascontiguousarray(vectors, dtype=self.setting.dtype), np.asarray(lengths, dtype=np.int64)
        return Tokens(*there, None if kinds is None else repeated(kinds))

    def looked_up(self, words: WordRows) -> Tokens:
        """Return a padded sequence of words of a table."""
        return self.tokens(*words.embedded())

    def values(self, array: np.ndarray) -> np.ndarray:
        """Return the array itself."""
        return array

    def states(self, network: Network, samples: int) -> dict[str, np.ndarray]:
        """Return zeroed states in which the sources of one synapse lie side by side."""
        dtype = self.setting.dtype
        values: dict[str, np.ndarray] = {}
        for synapse in network.dense:
            if len(synapse.pre) > 1 and not set(synapse.pre) & set(values):
                joint, place = self.setting.memory.zeros((samples, synapse.shape[1]), np.dtype(dtype)), 0
                for name in synapse.pre:
                    size = network.layer(name).size
                    values[name] = joint[:, place : place + size]
                    place += size
        for layer in network.layers:
            if layer.name not in values:
                values[layer.name] = self.setting.memory.zeros((samples, layer.size), np.dtype(dtype))
        return {layer.name: values[layer.name] for layer in network.layers}

    def fork(self, network: Network, state: State) -> State:
        """Return a copy."""
        values = self.states(network, len(next(iter(state.values.values()))))
        for name, value in state.values.items():
            values[name][:] = value
        weights = {name: weight.copy() for name, weight in state.weights.items()}
        memory = {name: {key: kept.copy() for key, kept in held.items()} for name, held in state.memory.items()}
        inner = {name: value.copy() for name, value in state.inner.items()}
        return State(values, weights, state.stale, state.beta, memory, inner, state.origin, rounded=state.rounded)

    def joined(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Return states side by side; copied only where memory does not lie so already."""
        first = parts[0]
        place, width = first.ctypes.data, sum(part.shape[1] for part in parts)
        for part in parts:
            if part.base is not first.base or part.strides != first.strides or part.ctypes.data != place:
                return np.concatenate(parts, axis=1)
            place += part.shape[1] * part.itemsize
        if width * first.itemsize > first.strides[0]:
            return np.concatenate(parts, axis=1)
        return np.lib.stride_tricks.as_strided(first, (len(first), width), first.strides)

    def below(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Return arrays of one width below each other."""
        return np.concatenate(rows)

    def some(self, values: np.ndarray | Deferred, rows: np.ndarray) -> np.ndarray | Deferred:
        """Return rows, a copy."""
        return values[rows]

    def put(self, whole: np.ndarray | Deferred, some: np.ndarray | Deferred, move: Move) -> np.ndarray | Deferred:
        """Write some rows to their place."""
        target, source = (each.post if isinstance(each, Deferred) else each for each in (whole, some))
        target[move.places] = source[move.rows]
        return whole

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Return the largest number of every row, without its sign."""
        return np.asarray(np.abs(values).max(axis=1, initial=0))

    def scalars(self, values: Mapping[str, Any]) -> dict[str, float]:
        """Return the largest number of each."""
        return {name: float(np.max(each)) for name, each in values.items()}

    def displacements(self, pairs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        """Return max|s - s_origin| and max|s|."""
        return {name: displaced(*pair, self.setting.workers) for name, pair in pairs.items()}

    def to_numpy(self, array: np.ndarray) -> np.ndarray:
        """Return the array itself."""
        return array

    def computing(self) -> AbstractContextManager[None]:
        """Keep BLAS to one thread inside, as the blocks of work are parallel already."""
        return self.setting.workers.single_blas()

    def observing(self) -> AbstractContextManager[None]:
        """Do nothing: there are no ranges."""
        return nullcontext()

    def describe(self) -> dict[str, Any]:
        """Return device, dtype and threads."""
        told = {"products": self.rounding.products} if self.rounding.there else {}
        return {"device": "cpu", "dtype": self.setting.dtype, "threads": self.setting.workers.threads} | told


def exact(
    optimiser: Optimiser | None, workers: Workers, dtype: str, seed: int, products: str = "full"
) -> ExactSubstrate:
    """Return exact arithmetic whose arrays learn by that rule, by Adam where nothing is said."""
    return ExactSubstrate(Setting(optimiser or Adam(), workers, dtype, seed, rounding=Rounding(products)))
