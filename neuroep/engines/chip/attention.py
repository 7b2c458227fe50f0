"""Attention units of a chip: coarse exponentials, patterns on a crossbar, digitised states.

All of them keep the attention weights p explicitly, (batch, queries, patterns):

    x_t = kappa X u_t,   e_tj = Q(exp(x_tj - max_j x_tj)),   p_t = e_t / sum e_t,   a_t = X^T p_t

``u`` is the clamped drive plus the feedback. The analog unit writes the patterns X of every sequence, as they come, to
one physical crossbar of the chip's devices: ``X u`` is a forward read, ``X^T p`` a transposed one, with its converters
and noise; kappa and the softmax stay digital. Its energy is that of exact attention.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from hw_models.arrays.converters import Converters
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.digitiser import Digitiser
from hw_models.chip import Chip, Converter, Update
from hw_models.kernels.blocks import Run, serial
from hw_models.kernels.random import key
from neuroep.engines.chip.attention_kernels import soften
from neuroep.engines.chip.ranges import Ranged
from neuroep.engines.numba.attention import ExactAttention, HeldLogits, Tokens
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.parts import AttentionUnit, Rows, summed
from neuroep.errors import ConfigError
from neuroep.network import AttentionLayer


class ExplicitAttention(ExactAttention):
    """Digital attention with explicit weights and exponentials of ``exp_bits`` bits; None keeps them exact."""

    tilts = False

    def __init__(self, layer: AttentionLayer, setting: Setting, exp_bits: int | None) -> None:
        super().__init__(layer, setting.dtype, setting.workers)
        self.levels = self.real(0 if exp_bits is None else 2**exp_bits - 1)

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
        self._count(held, feedback)

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

        return float(np.max(self.run(task, held.samples)))

    @property
    def run(self) -> Run:
        """What runs blocks of samples."""
        return self.workers.run

    def _logits(self, held: HeldLogits, b: int, n: int, k: int, feedback: np.ndarray | None) -> np.ndarray:
        """Return x of one sample, (n, k), its own copy."""
        logits = held.logits[b, :n, :k]
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


class AnalogAttention(ExplicitAttention, Ranged):
    """Attention whose patterns lie on a crossbar; see the module."""

    def __init__(self, layer: AttentionLayer, setting: Setting, chip: Chip) -> None:
        super().__init__(layer, setting, chip.attention.exp_bits)
        self.setting, self.chip = setting, chip
        self.name = f"{layer.name} patterns"
        self.converters = Converters(chip, self.name)
        self.converters.assume(forward=False, transposed=True)
        fixed = chip.attention.pattern_range
        self.range = Digitiser(Converter(range=fixed) if fixed else Converter(bits=24), f"patterns of {layer.name}")
        """Full scale of the stored patterns: the chip's, or calibrated."""
        self._crossbars: list[Crossbar] = []
        self._counted: dict[str, int] = {}
        self.begin()

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self._occasion = occasion

    @property
    def run(self) -> Run:
        """What runs blocks of samples; those collected for a range come in order."""
        return serial if self.range.observing else self.workers.run

    @property
    def digitisers(self) -> dict[str, Digitiser]:
        """All ranges by name."""
        return {"patterns": self.range, **self.converters.digitisers}

    def hold(self, drive: np.ndarray, queries: Tokens, patterns: Tokens) -> HeldLogits:
        """Write the patterns of every sample; the drive is kept and read with the feedback at every step.

        The logits are those of exact attention, for the energy alone, and not counted.
        """
        counted = self.operations
        held = super().hold(drive, queries, patterns)
        self.operations = counted
        self._fold()
        full = self.range.range
        if self.range.observing and self.range.converter.calibrates:
            self.range.sample(patterns.packed)
            full = float(np.abs(patterns.packed).max(initial=0)) or 1.0
        chip = self._chip(full)
        self._crossbars = [self._written(chip, patterns, b) for b in range(len(patterns.count))]
        fields = (held.queries, held.patterns, held.logits, held.scaled)
        return HeldPatterns(*fields, drive, self._crossbars)

    def redrive(self, held: HeldLogits, drive: np.ndarray) -> HeldLogits:
        """Return the same crossbars with another drive."""
        counted = self.operations
        logits = super().hold(drive, held.queries, held.patterns).logits
        self.operations = counted
        return replace(cast(HeldPatterns, held), drive=drive, logits=logits)

    def _chip(self, full: float | None) -> Chip:
        """Return the chip with the full scale of the patterns, read as soon as written, and nothing that learns."""
        if full is None:
            raise ConfigError(f"{self.name}: their range is neither set nor calibrated; calibrate it on samples first")
        crossbar = self.chip.crossbar.model_copy(update={"weight_range": full, "weight_headroom": 1.0})
        device = self.chip.device.model_copy(update={"age": 0.0})
        return self.chip.model_copy(update={"crossbar": crossbar, "device": device, "update": Update()})

    def _written(self, chip: Chip, patterns: Tokens, b: int) -> Crossbar:
        vectors = patterns.vectors[b, : patterns.count[b]]
        crossbar = Crossbar(chip, vectors.shape, self.setting.seed, self.name, dtype=self.setting.dtype)
        crossbar.converters = self.converters
        crossbar.begin(*self._occasion, b)
        if len(vectors):
            crossbar.program(vectors)
        return crossbar

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

    def _count(self, held: HeldLogits, feedback: np.ndarray) -> None:
        """Count the softmax; the crossbars count their reads."""
        self.operations += 2 * held.pairs

    def _fold(self) -> None:
        """Add up what the crossbars of the last batch have counted."""
        self._counted = summed(self._counted, *(crossbar.counters for crossbar in self._crossbars))
        self._crossbars = []

    def counters(self) -> dict[str, int]:
        """Return conversions, reads and digital operations."""
        return summed(super().counters(), self._counted, *(crossbar.counters for crossbar in self._crossbars))


class DigitisedAttention(Ranged):
    """Any unit whose read-out passes a converter before the next synapse reads it; p is the inner unit's."""

    def __init__(self, inner: AttentionUnit, converter: Converter, setting: Setting) -> None:
        self.inner, self.layer, self.seed = inner, inner.layer, setting.seed
        self.digitiser = Digitiser(converter, f"attention state of {self.layer.name}")
        self.digitiser.nonnegative = False
        self.begin()

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self._key, self._step = key(self.seed, "attention state", self.layer.name, *occasion), 0
        self.inner.begin(*occasion)

    @property
    def digitisers(self) -> dict[str, Digitiser]:
        """The converter of the read-out; the inner unit has its own."""
        return {"state": self.digitiser}

    @property
    def calibrates(self) -> bool:
        """Whether a range here or in the inner unit comes from samples."""
        return super().calibrates or self.inner.calibrates

    def observe(self, on: bool = True) -> None:
        """Begin to collect samples, or stop."""
        super().observe(on)
        self.inner.observe(on)

    def freeze(self) -> None:
        """Fix the ranges."""
        super().freeze()
        self.inner.freeze()

    def state(self) -> dict[str, np.ndarray]:
        """Return all ranges by name."""
        return super().state() | self.inner.state()

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        super().load(state)
        self.inner.load(state)

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
        """Move the layer in place; see :meth:`neuroep.engines.parts.AttentionUnit.relax`.

        With dt < 1 the inner unit integrates its own read-out, and what moved is that: digitised before it is
        integrated, a change of less than half a level per step would be lost.
        """
        name, kept = self.layer.name, {} if inner is None else inner
        integrates = dt < 1 and self.digitiser.converter.bits is not None
        if integrates and name in kept:
            value[:] = kept[name]
        before = value.copy()
        _, weights, change = self.inner.relax(held, feedback, value, weights, dt)
        if integrates:
            kept[name] = value.copy()
        else:
            kept.pop(name, None)
        moved = float(np.abs(value - before).max(initial=0)) if integrates else None
        value[:] = self.digitiser.digitise(value, self._key, self._step)
        self._step += 1
        if np.isnan(change):
            return value, weights, change
        return value, weights, float(np.abs(value - before).max(initial=0)) if moved is None else moved

    def counters(self) -> dict[str, int]:
        """Return those of the inner unit, conversions of states, and those at the stop."""
        made, stops = self.digitiser.conversions, self.digitiser.at_stop
        own = {"state_conversions": made, "state_conversions_at_stop": stops}
        return summed(self.inner.counters(), own)


def _rows(feedback: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return a flat layer's feedback of one sample by token, (tokens, dim)."""
    return feedback.reshape(-1, like.shape[1])
