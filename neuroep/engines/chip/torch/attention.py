# Tested by tests/neuroep/engines/chip/torch/test_every_chip.py.
"""Attention units of a chip on tensors; their physics: :mod:`hw_models.periphery.attention`.

What goes through an array is packed, (real tokens, dim), as on the host: rows of padding would draw noise. On the CPU,
where tensors lie in the host's memory, units of the local engine compute in it: they walk over real tokens alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.periphery.attention import PatternCrossbars, levels
from hw_models.tally import Repeated, Tally
from neuroep.engines.attention_counts import AttentionCounts
from neuroep.engines.chip.attention import DigitisedAttention, StoredPatterns
from neuroep.engines.numba.attention import Tokens
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.parts import TALLY, AttentionUnit, Held, Part, Rows
from neuroep.engines.torch.attention import LogitTensors, TokenTensors, TorchAttention
from neuroep.network import AttentionLayer


@dataclass(frozen=True)
class PackedTensors(TokenTensors):
    """A clamped sequence of one batch, which the host has too."""

    host: Tokens

    @property
    def repeated(self) -> Repeated | None:
        """Which tokens are the same word, None: this engine refuses to share products."""
        return self.host.repeated

    @property
    def count(self) -> np.ndarray:
        """(batch,) tokens that take part."""
        return self.host.count

    @property
    def width(self) -> tuple[int, ...]:
        """(dim,)."""
        return self.host.width

    @property
    def samples(self) -> np.ndarray:
        """(real tokens,) the sample of each."""
        return self.host.samples

    @property
    def places(self) -> np.ndarray:
        """(real tokens,) the place of each in its sequence."""
        return self.host.places

    @cached_property
    def rows(self) -> torch.Tensor:
        """(real tokens,) where each is among all tokens, padding in."""
        found = self.host.samples * self.vectors.shape[1] + self.host.places
        return torch.as_tensor(found, device=self.vectors.device)

    @cached_property
    def packed(self) -> torch.Tensor:  # type: ignore[override]
        """(real tokens, dim)."""
        return self.packing(self.vectors)

    def packing(self, values: torch.Tensor) -> torch.Tensor:
        """Return the rows of tokens that take part, of values (batch, tokens, dim)."""
        flat = values.flatten(0, 1)
        return flat if self.whole else flat[self.rows]

    def padding(self, rows: torch.Tensor) -> torch.Tensor:
        """Return packed rows by sample and place, (batch, tokens, dim), 0 elsewhere."""
        shape = self.vectors.shape[:2]
        if self.whole:
            return rows.unflatten(0, shape)
        found = rows.new_zeros((shape[0] * shape[1], rows.shape[1]))
        found[self.rows] = rows
        return found.unflatten(0, shape)


@dataclass(frozen=True)
class PackedLogits(LogitTensors):
    """What a unit knows of a batch before it settles."""

    queries: PackedTensors
    patterns: PackedTensors

    @cached_property
    def pairs(self) -> int:
        """Number of real query-pattern pairs of the batch."""
        return int(self.queries.count @ self.patterns.count)

    @cached_property
    def matched(self) -> int:
        """Number of real patterns of the batch."""
        return int(self.patterns.count.sum())


class TensorAttention(AttentionCounts, TorchAttention):
    """Exact attention as a part of a chip."""

    def __init__(self, layer: AttentionLayer, setting: Setting) -> None:
        super().__init__(layer)
        self.name, self.tally = f"attention.{layer.name}", setting.tally()

    def state(self) -> dict[str, np.ndarray]:
        """Return the tally."""
        return {TALLY: self.tally.packed()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        if TALLY in state:
            self.tally.load(state[TALLY])

    def hold(self, drive: torch.Tensor, queries: PackedTensors, patterns: PackedTensors) -> PackedLogits:  # type: ignore[override]
        """Return the logits of a packed clamped drive, (real tokens, dim)."""
        held = self._held(drive, queries, patterns)
        self._count_hold(held)
        return held

    def _held(self, drive: torch.Tensor, queries: PackedTensors, patterns: PackedTensors) -> PackedLogits:
        """Return what :meth:`hold` does, uncounted."""
        found = super().hold(queries.padding(drive).flatten(0, 1), queries, patterns)
        return PackedLogits(queries, patterns, found.logits)

    def relax(
        self,
        held: PackedLogits,  # type: ignore[override]
        feedback: torch.Tensor | None,
        value: torch.Tensor,
        weights: torch.Tensor,
        dt: float,
        inner: dict[str, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the next read-out, the next weights, and max|delta| of the read-out."""
        self._count_step(held, feedback)
        return super().relax(held, feedback, value, weights, dt, inner)

    def rows(self, held: PackedLogits, plus: torch.Tensor, minus: torch.Tensor) -> Rows:  # type: ignore[override]
        """Return what combines the states of two phases, a row for each real query."""
        return lambda p, m: held.queries.packing((p * plus + m * minus) @ held.patterns.vectors)


class TensorExplicitAttention(TensorAttention):
    """Attention with exponentials of ``exp_bits`` bits, e = Q(exp(x - max x)); None keeps them exact."""

    def __init__(self, layer: AttentionLayer, setting: Setting, exp_bits: int | None) -> None:
        super().__init__(layer, setting)
        self.levels = levels(exp_bits)

    def _softened(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the softmax over the patterns with such exponentials."""
        if not self.levels:
            return super()._softened(logits)
        shares = torch.exp(logits - logits.amax(dim=-1, keepdim=True))
        whole = torch.full((), float(self.levels), dtype=shares.dtype, device=shares.device)
        shares = torch.round(shares * whole) / whole
        return shares * (1 / shares.sum(dim=-1, keepdim=True))


@dataclass(frozen=True)
class PatternLogits(PackedLogits):
    """Held drive and the crossbars on which the patterns of a batch lie."""

    drive: torch.Tensor
    """(real query tokens, dim) packed."""
    crossbars: list[Crossbar]
    """By sample."""


class TensorAnalogAttention(StoredPatterns, TensorExplicitAttention):
    """Attention whose patterns lie on crossbars, one for each sample, which are read one after the other."""

    def __init__(self, layer: AttentionLayer, setting: Setting, chip: Chip, patterns: int | None = None) -> None:
        super().__init__(layer, setting, chip.attention.exp_bits)
        how = setting.seed, setting.dtype, setting.phase, setting.clock
        self.stored = PatternCrossbars(chip, layer.name, *how, patterns)

    def hold(self, drive: torch.Tensor, queries: PackedTensors, patterns: PackedTensors) -> PatternLogits:  # type: ignore[override]
        """Write the patterns of every sample; the logits are those of exact attention, for the energy alone."""
        host = patterns.host
        vectors = [host.vectors[b, :count] for b, count in enumerate(host.count)]
        crossbars = self.stored.written(vectors, host.packed, queries.host.count)
        return PatternLogits(queries, patterns, self._held(drive, queries, patterns).logits, drive, crossbars)

    def redrive(self, held: PatternLogits, drive: torch.Tensor) -> PatternLogits:  # type: ignore[override]
        """Return the same crossbars with another drive."""
        logits = self._held(drive, held.queries, held.patterns).logits
        return replace(held, drive=drive, logits=logits)

    def relax(
        self,
        held: PatternLogits,  # type: ignore[override]
        feedback: torch.Tensor | None,
        value: torch.Tensor,
        weights: torch.Tensor,
        dt: float,
        inner: dict[str, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the next read-out, the next weights, and max|delta| of the read-out."""
        self._count_step(held, feedback)
        read, new = value.clone(), weights.clone()
        for b, n, k in self._real(held):
            softened = self._softened(self._logits(held, b, n, None if feedback is None else feedback[b]))
            p = torch.lerp(weights[b, :n, :k], softened, dt) if dt < 1 else softened
            rows = held.crossbars[b].transposed(p)
            shown = rows.sum(0) / float(np.sqrt(n)) if self.pooled else rows.flatten()
            read[b, : shown.numel()], new[b, :n, :k] = shown, p
        return read, new, (read - value).abs().max()

    @staticmethod
    def _real(held: PatternLogits) -> Iterator[tuple[int, int, int]]:
        """Yield the samples that have queries and patterns, and how many of both."""
        for b, (n, k) in enumerate(zip(held.queries.count.tolist(), held.patterns.count.tolist(), strict=True)):
            if n and k:
                yield b, n, k

    def _logits(self, held: PatternLogits, b: int, n: int, feedback: torch.Tensor | None) -> torch.Tensor:
        offsets = held.queries.host.offsets
        drive = held.drive[offsets[b] : offsets[b + 1]]
        if feedback is not None:
            dim = drive.shape[1]
            drive = drive + (feedback[None, :] / float(np.sqrt(n)) if self.pooled else feedback.reshape(-1, dim)[:n])
        logits: torch.Tensor = self.layer.inverse_temperature * held.crossbars[b].forward(drive)
        return logits

    def rows(self, held: PatternLogits, plus: torch.Tensor, minus: torch.Tensor) -> Rows:  # type: ignore[override]
        """Return what combines the states of two phases, each read from the crossbars once, when first needed."""
        read: dict[int, torch.Tensor] = {}

        def combined(*factors: float) -> torch.Tensor | float:
            total: torch.Tensor | float = 0.0
            for phase, (factor, weights) in enumerate(zip(factors, (plus, minus), strict=True)):
                if factor and phase not in read:
                    read[phase] = self._states(held, weights)
                total = total + factor * read[phase] if factor else total
            return total

        return combined

    def _states(self, held: PatternLogits, weights: torch.Tensor) -> torch.Tensor:
        """Read the states of all real queries, (real tokens, dim)."""
        offsets, dim = held.queries.host.offsets, held.patterns.vectors.shape[2]
        rows = weights.new_zeros((int(offsets[-1]), dim))
        for b, n, k in self._real(held):
            rows[offsets[b] : offsets[b + 1]] = held.crossbars[b].transposed(weights[b, :n, :k])
        return rows


class TensorDigitisedAttention(DigitisedAttention):
    """Any unit on tensors whose read-out passes a converter before the next synapse reads it."""

    def relax(  # type: ignore[override]
        self,
        held: PackedLogits,
        feedback: torch.Tensor | None,
        value: torch.Tensor,
        weights: torch.Tensor,
        dt: float,
        inner: dict[str, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the next read-out, the next weights, and max|delta| of the read-out."""
        kept: dict[str, torch.Tensor] = {} if inner is None else inner
        before = value.clone()
        integrates = self.shown.enter(before, dt, kept)
        read, weights, _ = self.inner.relax(held, feedback, before, weights, dt)
        read = read.clone()
        moved = (read - before).abs().max()
        self.shown.show(read, dt, kept)
        return read, weights, moved if integrates else (read - before).abs().max()


class MemoryAttention(Part):
    """A unit of the local engine on tensors of the CPU, in whose memory it computes.

    It moves states in place, so that it is given copies of them.

    Parameters
    ----------
    unit : AttentionUnit
        Of arrays; the chip keys its draws and keeps its ranges.
    """

    def __init__(self, unit: AttentionUnit) -> None:
        self.unit, self.layer = unit, unit.layer

    def hold(self, drive: torch.Tensor, queries: PackedTensors, patterns: PackedTensors) -> Held:
        """Return what the unit holds."""
        return self.unit.hold(drive.numpy(), queries.host, patterns.host)

    def redrive(self, held: Held, drive: torch.Tensor) -> Held:
        """Return what the unit holds with another drive."""
        return self.unit.redrive(held, drive.numpy())

    def rest(self, held: Held) -> torch.Tensor:
        """Return weights of the all-zero state."""
        return torch.from_numpy(self.unit.rest(held))

    def relax(
        self,
        held: Held,
        feedback: torch.Tensor | None,
        value: torch.Tensor,
        weights: torch.Tensor,
        dt: float,
        inner: dict[str, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, float]:
        """Return the next read-out, the next weights, and max|delta| of the read-out."""
        name, kept = self.layer.name, {} if inner is None else inner
        own = {name: kept[name].numpy()} if name in kept else {}
        given = None if feedback is None else feedback.numpy()
        moved = self.unit.relax(held, given, value.clone().numpy(), weights.clone().numpy(), dt, own)
        kept.pop(name, None)
        kept.update({name: torch.from_numpy(level) for name, level in own.items()})
        return torch.from_numpy(moved[0]), torch.from_numpy(moved[1]), float(np.max(moved[2]))

    def explicit(self, held: Held, weights: torch.Tensor) -> torch.Tensor:
        """Return p, whatever form the weights have."""
        return torch.from_numpy(self.unit.explicit(held, weights.numpy()))

    def rows(self, held: Held, plus: torch.Tensor, minus: torch.Tensor) -> Rows:
        """Return what combines the states of two phases."""
        found = self.unit.rows(held, plus.numpy(), minus.numpy())
        return lambda p, m: torch.from_numpy(found(p, m))

    def energy(self, held: Held, weights: torch.Tensor) -> torch.Tensor:
        """Return the unit's energy, (batch,)."""
        return torch.from_numpy(self.unit.energy(held, weights.numpy()))

    def performed(self) -> Tally:
        """Return what the unit did."""
        return self.unit.performed()

    def counters(self) -> dict[str, int]:
        """Return the sums of it."""
        return self.unit.counters()
