# Tested by tests/neuroep/runs/test_netlists.py.
"""Neurons at rest as nodes of a SPICE netlist, 1 V for a state of 1.

    u = sum of what the ammeters of its reads count + bias        s = f((1 + g) u + o)

u is the voltage of a node of 1 ohm into which currents flow, F of ammeters and G of voltages; s that of a behavioural
source with the potential of the layer (:mod:`neuroep.network.potentials`), g and o the spread of the chip's neurons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hw_models.netlist.reads import ReadCircuit, Term
from hw_models.netlist.text import comment, name, number
from neuroep.network import DenseLayer
from neuroep.network.potentials import HardSigmoid, Potential, SmoothSigmoid, Tanh


@dataclass(frozen=True)
class Contribution:
    """What a read adds to the drive of a layer's neurons."""

    read: ReadCircuit
    first: int
    """The sensed line of the first neuron."""
    share: float = 1.0
    """Digital factor of the crossbar, where a rule has several."""


@dataclass(frozen=True)
class NeuronNodes:
    """The neurons of one dense layer."""

    layer: DenseLayer
    states: np.ndarray
    """(size,) as they have settled."""
    contributions: Sequence[Contribution]
    bias: np.ndarray
    """(size,) of all synapses in front."""
    gain: np.ndarray
    """(size,) 1 + g."""
    offset: np.ndarray
    """(size,) o."""

    def node(self, neuron: int) -> str:
        """Return the node whose voltage is the state."""
        return node_of(self.layer.name, neuron)

    def expected(self) -> dict[str, float]:
        """Return the settled states by node [V]."""
        return {self.node(n): float(state) for n, state in enumerate(self.states)}

    def statements(self) -> Iterator[str]:
        """Yield what makes drives and states."""
        yield comment(f"neurons {self.layer.name}: {self.layer.potential.name}, {self.layer.size}")
        for n in range(self.layer.size):
            node, drive = self.node(n), f"u_{self.node(n)}"
            yield f"R{drive} {drive} 0 1"
            for number_of, (term, weight) in enumerate(self._terms(n)):
                kind, control = ("F", f"V{term.source}") if term.ampere else ("G", f"{term.source} 0")
                yield f"{kind}{drive}_{number_of} 0 {drive} {control} {number(weight)}"
            if self.bias[n]:
                yield f"I{drive} 0 {drive} DC {number(self.bias[n])}"
            u = f"({number(self.gain[n])}*V({drive})+{number(self.offset[n])})"
            yield f"B{node} {node} 0 V = {formula(self.layer.potential, u)} ; {self.states[n]:.9g}"

    def _terms(self, neuron: int) -> Iterator[tuple[Term, float]]:
        for part in self.contributions:
            for term in part.read.terms(part.first + neuron):
                yield term, term.weight * part.share

    def drive(self, products: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return (1 + g) u + o (size,) of the products of reads by their labels."""
        total = self.bias.astype(np.float64)
        for part in self.contributions:
            total = total + part.share * products[part.read.label][part.first : part.first + self.layer.size]
        return self.gain * total + self.offset


def node_of(layer: str, neuron: int) -> str:
    """Return the node of a neuron's state."""
    return name("s", layer, neuron)


def formula(potential: Potential, u: str) -> str:
    """Return the state of a neuron in the notation of SPICE, its drive in it."""
    if isinstance(potential, HardSigmoid):
        return f"min(max({number(potential.slope)}*{u},0),1)"
    if isinstance(potential, SmoothSigmoid):
        return f"1/(1+exp(-{u}))"
    return f"tanh({u})" if isinstance(potential, Tanh) else u
