"""Attention units of a chip as parts of an engine; their physics: :mod:`hw_models.periphery.attention`.

All of them keep the attention weights p explicitly, (batch, queries, patterns).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip, Converter
from hw_models.kernels.attention import soften
from hw_models.kernels.blocks import Run, serial
from hw_models.periphery.attention import AttentionStates, PatternCrossbars, levels
from hw_models.tally import Tally
from neuroep.engines.attention_counts import AttentionCounts, CountedPairs
from neuroep.engines.numba.attention import ExactAttention, HeldLogits, Tokens
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.parts import TALLY, AttentionUnit, Part, Rows, Values, summed
from neuroep.engines.workers import largest
from neuroep.network import AttentionLayer


class DigitalAttention(ExactAttention):
    """Exact attention as a part of a chip, which keeps what was counted."""

    packs = False

    def __init__(self, layer: AttentionLayer, setting: Setting) -> None:
        super().__init__(layer, setting.dtype, setting.workers, setting.tally())

    def state(self) -> dict[str, np.ndarray]:
        """Return the tally."""
        return {TALLY: self.tally.packed()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        if TALLY in state:
            self.tally.load(state[TALLY])


class ExplicitAttention(DigitalAttention):
    """Digital attention with explicit weights and exponentials of ``exp_bits`` bits; None keeps them exact."""

    tilts = False

    def __init__(self, layer: AttentionLayer, setting: Setting, exp_bits: int | None) -> None:
        super().__init__(layer, setting)
        self.levels = self.real(levels(exp_bits))

    def relax(
        self,
        held: HeldLogits,
        feedback: np.ndarray | None,
        value: np.ndarray,
        weights: np.ndarray,
        dt: float,
        inner: dict[str, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Move the layer in place; see :meth:`neuroep.engines.parts.AttentionUnit.relax`."""
        feedback = self._given(feedback)
        self._count_step(held, feedback)

        def sample(b: int, n: int, k: int) -> float:
            logits = self._logits(held, b, n, k, feedback[b] if feedback.size else None)
            soften(logits, self.levels, self.real(dt), weights[b])
            new = self._read_out(held, b, weights[b, :n, :k])
            change = np.abs(new - value[b, : new.size]).max(initial=0)
            value[b, : new.size] = new
            return float(change)

        return value, weights, self._each(held, sample)

    def _each(self, held: HeldLogits, sample: Callable[[int, int, int], float]) -> float:
        """Call ``sample(b, queries, patterns)`` for every sample that has both; return the largest result."""
        queries, patterns = held.queries.count, held.patterns.count

        def task(first: int, last: int) -> float:
            real = [b for b in range(first, last) if queries[b] and patterns[b]]
            return float(np.max([sample(b, int(queries[b]), int(patterns[b])) for b in real], initial=0))

        return largest(self.run(task, held.samples))

    @property
    def run(self) -> Run:
        """What runs blocks of samples."""
        return self.workers.run

    def _logits(self, held: HeldLogits, b: int, n: int, k: int, feedback: np.ndarray | None) -> np.ndarray:
        """Return x of one sample, (n, k), its own copy."""
        logits = held.all_logits[b, :n, :k]
        if feedback is None:
            return logits.copy()
        patterns = held.patterns.vectors[b, :k]
        rows = feedback[None, :] / self.real(np.sqrt(n)) if self.pooled else _rows(feedback, patterns)[:n]
        return logits + self.kappa * (rows @ patterns.T)

    def _read_out(self, held: HeldLogits, b: int, weights: np.ndarray) -> np.ndarray:
        """Return what the next synapse sees of one sample: sum of the states over sqrt(n), or all of them in a row."""
        patterns = held.patterns.vectors[b, : weights.shape[1]]
        if self.pooled:
            return weights.sum(0) @ patterns / self.real(np.sqrt(len(weights)))
        return (weights @ patterns).reshape(-1)


@dataclass(frozen=True)
class HeldPatterns(HeldLogits):
    """Held drive and the crossbars on which the patterns of a batch lie."""

    drive: np.ndarray
    """(real query tokens, dim) packed."""
    crossbars: list[Crossbar]
    """By sample."""


class StoredPatterns(AttentionCounts):
    """What units have in common whose patterns lie on crossbars, whatever they compute with; ahead of such a unit."""

    stored: PatternCrossbars

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self.stored.begin(*occasion)

    @property
    def calibrates(self) -> bool:
        """Whether a range comes from samples."""
        return self.stored.calibrates

    def observe(self, on: bool = True) -> None:
        """Begin to collect samples, or stop."""
        self.stored.observe(on)

    def freeze(self) -> None:
        """Fix the ranges."""
        self.stored.freeze()

    def state(self) -> dict[str, np.ndarray]:
        """Return all ranges by name, and the tallies of unit and crossbars."""
        return self.stored.state() | super().state() | {f"patterns.{TALLY}": self.stored.performed().packed()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        super().load(state)
        self.stored.load(state)
        if f"patterns.{TALLY}" in state:
            self.stored.recall(state[f"patterns.{TALLY}"])

    def _count_step(self, held: CountedPairs, feedback: Values | None) -> None:
        """Count the softmax; the crossbars count their reads."""
        self._count("softmax", 2 * held.pairs, held)

    def performed(self) -> Tally:
        """Return conversions and reads of the crossbars, and digital operations."""
        found = self.stored.performed()
        found.join(self.tally)
        return found

    def counters(self) -> dict[str, int]:
        """Return the sums of conversions, reads and digital operations."""
        return summed(super().counters(), self.stored.counters())


class AnalogAttention(StoredPatterns, ExplicitAttention):
    """Attention whose patterns lie on a crossbar; see :class:`hw_models.periphery.attention.PatternCrossbars`."""

    def __init__(self, layer: AttentionLayer, setting: Setting, chip: Chip, patterns: int | None = None) -> None:
        super().__init__(layer, setting, chip.attention.exp_bits)
        how = setting.seed, setting.dtype, setting.phase, setting.clock
        self.stored = PatternCrossbars(chip, layer.name, *how, patterns)

    @property
    def run(self) -> Run:
        """What runs blocks of samples; those collected for a range come in order."""
        return serial if self.stored.range.observing else self.workers.run

    def hold(self, drive: np.ndarray, queries: Tokens, patterns: Tokens) -> HeldLogits:
        """Write the patterns of every sample; the drive is kept and read with the feedback at every step.

        The logits are those of exact attention, for the energy alone, and not counted.
        """
        held = self._held(drive, queries, patterns)
        vectors = [patterns.vectors[b, :count] for b, count in enumerate(patterns.count)]
        crossbars = self.stored.written(vectors, patterns.packed, queries.count)
        fields = (held.queries, held.patterns, held.logits, held.scaled)
        return HeldPatterns(*fields, drive, crossbars)

    def redrive(self, held: HeldLogits, drive: np.ndarray) -> HeldLogits:
        """Return the same crossbars with another drive."""
        logits = self._held(drive, held.queries, held.patterns).logits
        return replace(cast(HeldPatterns, held), drive=drive, logits=logits)

    def _logits(self, held: HeldLogits, b: int, n: int, k: int, feedback: np.ndarray | None) -> np.ndarray:
        held = cast(HeldPatterns, held)
        drive = held.drive[held.queries.offsets[b] : held.queries.offsets[b + 1]]
        if feedback is not None:
            shared = self.pooled
            drive = drive + (feedback[None, :] / self.real(np.sqrt(n)) if shared else _rows(feedback, drive)[:n])
        return self.kappa * held.crossbars[b].forward(drive)

    def _read_out(self, held: HeldLogits, b: int, weights: np.ndarray) -> np.ndarray:
        rows = self._states(held, b, weights)
        return rows.sum(0) / self.real(np.sqrt(len(weights))) if self.pooled else rows.reshape(-1)

    def _states(self, held: HeldLogits, b: int, weights: np.ndarray) -> np.ndarray:
        """Read the states of one sample's tokens, (n, dim)."""
        return cast(HeldPatterns, held).crossbars[b].transposed(np.ascontiguousarray(weights))

    def rows(self, held: HeldLogits, plus: np.ndarray, minus: np.ndarray) -> Rows:
        """Return what combines the states of two phases, each read from the crossbar once, when first needed."""
        read: dict[tuple[float, float], np.ndarray] = {}

        def combined(*factors: float) -> np.ndarray:
            total: Any = 0
            for factor, phase in zip(factors, ((1.0, 0.0), (0.0, 1.0)), strict=True):
                if factor and phase not in read:
                    read[phase] = self.token_rows(held, plus, minus, phase)
                total = total + self.real(factor) * read[phase] if factor else total
            return total

        return combined

    def token_rows(
        self, held: HeldLogits, plus: np.ndarray, minus: np.ndarray, factors: tuple[float, float]
    ) -> np.ndarray:
        """Return ``f+ a+ + f- a-`` of every real query, both states read from the crossbar."""
        offsets, dim = held.queries.offsets, held.patterns.vectors.shape[2]
        rows = np.zeros((offsets[-1], dim), dtype=plus.dtype)

        def sample(b: int, n: int, k: int) -> float:
            for weights, factor in zip((plus, minus), factors, strict=True):
                if factor:
                    read = self._states(held, b, weights[b, :n, :k])
                    rows[offsets[b] : offsets[b + 1]] += self.real(factor) * read
            return 0.0

        self._each(held, sample)
        return rows


class DigitisedAttention(Part):
    """Any unit whose read-out passes a converter before the next synapse reads it; p is the inner unit's."""

    def __init__(self, inner: AttentionUnit, converter: Converter, setting: Setting) -> None:
        self.inner, self.layer = inner, inner.layer
        self.tally = setting.tally()
        self.shown = AttentionStates(converter, self.layer.name, setting.seed, self.tally)

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self.shown.begin(*occasion)
        self.inner.begin(*occasion)

    @property
    def calibrates(self) -> bool:
        """Whether a range here or in the inner unit comes from samples."""
        return self.shown.calibrates or self.inner.calibrates

    def observe(self, on: bool = True) -> None:
        """Begin to collect samples, or stop."""
        self.shown.observe(on)
        self.inner.observe(on)

    def freeze(self) -> None:
        """Fix the ranges."""
        self.shown.freeze()
        self.inner.freeze()

    def state(self) -> dict[str, np.ndarray]:
        """Return all ranges by name, and the tallies."""
        return self.shown.state() | self.inner.state() | {f"state.{TALLY}": self.tally.packed()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        self.shown.load(state)
        self.inner.load(state)
        if f"state.{TALLY}" in state:
            self.tally.load(state[f"state.{TALLY}"])

    def ranges(self) -> dict[str, float]:
        """Return the calibrated range of the states, and those of the inner unit."""
        full = self.shown.digitiser.range if self.shown.calibrates else None
        return self.inner.ranges() | ({} if full is None else {f"attention.state {self.layer.name}": full})

    @property
    def resolution(self) -> float:
        """Step of the states that are read."""
        return max(0.0, self.shown.digitiser.grid.step)

    def hold(self, drive: np.ndarray, queries: Tokens, patterns: Tokens) -> HeldLogits:
        """Return what the inner unit holds."""
        return self.inner.hold(drive, queries, patterns)

    def redrive(self, held: HeldLogits, drive: np.ndarray) -> HeldLogits:
        """Return what the inner unit holds with another drive."""
        return self.inner.redrive(held, drive)

    def rest(self, held: HeldLogits) -> np.ndarray:
        """Return the inner unit's weights at rest."""
        return self.inner.rest(held)

    def explicit(self, held: HeldLogits, weights: np.ndarray) -> np.ndarray:
        """Return p of the inner unit."""
        return self.inner.explicit(held, weights)

    def rows(self, held: HeldLogits, plus: np.ndarray, minus: np.ndarray) -> Rows:
        """Return what combines the inner unit's states of two phases."""
        return self.inner.rows(held, plus, minus)

    def energy(self, held: HeldLogits, weights: np.ndarray) -> np.ndarray:
        """Return the inner unit's energy, (batch,)."""
        return self.inner.energy(held, weights)

    def relax(
        self,
        held: HeldLogits,
        feedback: np.ndarray | None,
        value: np.ndarray,
        weights: np.ndarray,
        dt: float,
        inner: dict[str, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Move the layer in place; see :meth:`neuroep.engines.parts.AttentionUnit.relax`."""
        kept: dict[str, np.ndarray] = {} if inner is None else inner
        integrates = self.shown.enter(value, dt, kept)
        before = value.copy()
        _, weights, change = self.inner.relax(held, feedback, value, weights, dt)
        moved = float(np.abs(value - before).max(initial=0)) if integrates else None
        self.shown.show(value, dt, kept)
        if np.isnan(change).any():
            return value, weights, change
        return value, weights, float(np.abs(value - before).max(initial=0)) if moved is None else moved

    def performed(self) -> Tally:
        """Return what the inner unit did, conversions of states, and those at the stop."""
        found = Tally()
        found.join(self.inner.performed())
        found.join(self.tally)
        return found

    def counters(self) -> dict[str, int]:
        """Return those of the inner unit, conversions of states, and those at the stop."""
        made, stops = self.shown.digitiser.conversions, self.shown.digitiser.at_stop
        own = {"state_conversions": made, "state_conversions_at_stop": stops}
        return summed(self.inner.counters(), own)


def _rows(feedback: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return a flat layer's feedback of one sample by token, (tokens, dim)."""
    return feedback.reshape(-1, like.shape[1])
