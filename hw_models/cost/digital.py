# Tested by tests/neuroep/runs/test_costs.py.
"""The same network on a digital chip, by EP and by backpropagation: the baseline beside an analog chip's bill.

    E = N_mac (e_mac + w e_sram)       w words of 32 bits of memory for each multiply-add: its weight, 1/4 or 1

The other operand and the sum stay in registers. int8 infers with weights of 8 bits and keeps those it updates in fp32.
EP takes what exact arithmetic counts. Backpropagation takes one pass forward through the same products, and trains by
three of them (forward, gradients of states, gradients of weights) and one multiply-add of the rule for every weight.

Left out: exponentials, activations of memory beyond 8 KB, control, off-chip words. Constants in 45 nm at 0.9 V
(Horowitz, ISSCC 2014): int8 add 0.03 and multiply 0.2 pJ, fp32 0.9 and 3.7 pJ, 32 bits of an 8 KB SRAM 5 pJ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hw_models.tally import Tally

PICO = 1e-12
SRAM = 5.0
"""32 bits of an 8 KB SRAM [pJ]."""
LEAVES_OUT = ("exponentials", "memory beyond 8 KB", "control", "off-chip word vectors")


@dataclass(frozen=True)
class Arithmetic:
    """One kind of numbers."""

    name: str
    multiply_add: float
    """[pJ]"""
    words: float
    """Words of 32 bits that a weight takes."""

    @property
    def energy(self) -> float:
        """Of a multiply-add and its weight from memory [J]."""
        return (self.multiply_add + self.words * SRAM) * PICO


INT8 = Arithmetic("int8", 0.23, 0.25)
FP32 = Arithmetic("fp32", 4.6, 1.0)
ARITHMETICS: Mapping[str, Arithmetic] = {each.name: each for each in (INT8, FP32)}


@dataclass(frozen=True)
class Effort:
    """Multiply-adds of a classification, or of an update."""

    inference: float
    """By which states are computed."""
    update: float = 0.0
    """By which weights change: gradients and rule, in fp32."""

    def energy(self, numbers: Arithmetic) -> float:
        """Return the energy [J]."""
        return self.inference * numbers.energy + self.update * FP32.energy


def equilibrium(tally: Tally, number: float) -> Effort:
    """Return what EP takes, of the tally of exact arithmetic, divided by a number of classifications or updates."""
    rows = [(done, count) for done, count in tally.rows() if done.operation.startswith("multiply-add")]
    update = sum(count for done, count in rows if done.operation.endswith(" update"))
    return Effort((sum(count for _, count in rows) - update) / number, update / number)


def forward(tally: Tally, samples: float) -> float:
    """Return the multiply-adds of one pass forward of a sample, of the tally of one sweep of exact arithmetic."""
    rows = tally.rows()
    return sum(n for done, n in rows if done.operation.startswith("multiply-add") and "transposed" not in done.operation
               and done.phase != "update") / samples  # fmt: skip


def backpropagation(once: float, samples: float, weights: int) -> Effort:
    """Return what one update by backpropagation takes: three passes of every sample, and the rule."""
    return Effort(2 * once * samples, once * samples + weights)
