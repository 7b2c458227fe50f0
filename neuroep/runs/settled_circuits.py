# Tested by tests/neuroep/runs/test_netlists.py.
"""Every product that a settled sample's neurons read on a chip, as circuits; see :mod:`neuroep.runs.netlists`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hw_models.arrays.crossbar import Crossbar
from hw_models.netlist.reads import CrossbarCircuit, ReadCircuit
from hw_models.netlist.text import name
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.chip.attention import HeldPatterns
from neuroep.engines.chip.neurons import ChipNeurons
from neuroep.engines.clamped import Clamped
from neuroep.engines.settling import Settled
from neuroep.errors import ConfigError, given_as, unknown
from neuroep.network import AttentionLayer, DenseLayer, DenseSynapse, Synapse
from neuroep.runs.neuron_nodes import Contribution, NeuronNodes, node_of
from neuroep.runs.session import Session

MOST = 2_000_000
"""Most devices and segments of one netlist, instances counted: 1.6 kB each in ngspice 39."""


class Both(NamedTuple):
    """A crossbar as a circuit."""

    forward: CrossbarCircuit
    transposed: CrossbarCircuit
    """The same, or that of a path with devices of its own."""
    share: float
    """Digital factor of its products, where a rule has several."""


class Read(NamedTuple):
    """A product, and whose array it is of: a synapse, or an attention layer that holds patterns."""

    array: str
    circuit: ReadCircuit
    share: float = 1.0


class SettledCircuits:
    """The circuits of a settled sample.

    Parameters
    ----------
    session : Session
        On a chip with crossbars.
    clamped, settled : Clamped, Settled
        The sample, alone.
    arrays : sequence of str
        Synapses, and attention layers whose patterns lie on crossbars, that are wanted; none stands for all.
    tokens : int or None
        Tokens whose products are wanted, the first ones.
    loop : bool
        Whether neurons drive lines.

    Attributes
    ----------
    elements : int
        Devices and segments, instances counted.

    Raises
    ------
    ConfigError
        If an array is not there or is no circuit, or they would have more than ``MOST`` elements.
    """

    def __init__(
        self,
        session: Session,
        clamped: Clamped,
        settled: Settled,
        arrays: Sequence[str],
        tokens: int | None,
        loop: bool,
    ) -> None:
        self.engine, self.network, self.clamped = session.engine, session.network, clamped
        self.values, self.weights = self.engine.states(settled), settled.state.weights
        self.tokens, self.loop = tokens, loop
        self._found: dict[str, list[Both]] = {}
        patterns = {name: held for name, held in clamped.held.items() if isinstance(held, HeldPatterns)}
        names = [*(synapse.name for synapse in self.network.synapses), *patterns]
        for given in arrays:
            if given not in names:
                raise ConfigError(unknown("array", given, names))
        self.chosen = list(arrays) or names
        dense = [layer for layer in self.network.layers if isinstance(layer, DenseLayer)]
        self.layers = [layer for layer in dense if self._whole(layer)]
        synapses = [synapse for synapse in self.network.synapses if synapse.name in self.chosen]
        self._reads = [read for synapse in synapses for read in self._reads_of(synapse)]
        for name_of, held in patterns.items():
            if name_of in self.chosen:
                self._reads += self._reads_of_patterns(self.network.attention_layer(name_of), held)
        self.elements = sum(read.circuit.circuit.elements for read in self._reads)
        if self.elements > MOST:
            size = f"{self.elements:,} devices and segments"
            cure = given_as("choose by --array NAME, or fewer --tokens N", "choose by arrays=[NAME], or fewer tokens=N")
            raise ConfigError(f"the netlist would have {size}, at most {MOST:,}: {cure}")

    def _whole(self, layer: DenseLayer) -> bool:
        """Tell whether all arrays of a layer are chosen, so that its neurons have their whole drive."""
        joined = [one for one in self.network.dense if layer.name in (*one.pre, one.post)]
        return all(one.name in self.chosen for one in joined)

    def _crossbars(self, synapse: Synapse) -> list[Both]:
        """Return the crossbars of a synapse."""
        if synapse.name not in self._found:
            array = self.engine.arrays[synapse.name]
            if not isinstance(array, CrossbarArray) or not array.rule.summed:
                what = "what it reads has a digital part, which is no circuit"
                raise ConfigError(f"array '{synapse.name}' cannot be exported: {what}")
            shares = array.rule.shares.items()
            self._found[synapse.name] = [_both(array.rule.crossbars[label], share) for label, share in shares]
        return self._found[synapse.name]

    def _reads_of(self, synapse: Synapse) -> Iterator[Read]:
        """Yield the products of one synapse."""
        for forward, back, share in self._crossbars(synapse):
            if isinstance(synapse, DenseSynapse):
                pre = np.concatenate([self.values[layer][0] for layer in synapse.pre])
                nodes = self._nodes(*synapse.pre), self._nodes(synapse.post)
                read = ReadCircuit(forward, "forward", pre, name(forward.name, "f"), nodes[0])
                yield Read(synapse.name, read, share)
                post, label = self.values[synapse.post][0], name(forward.name, "b")
                yield Read(synapse.name, ReadCircuit(back, "transposed", post, label, nodes[1]), share)
                continue
            for place, row in enumerate(self.clamped.tokens[synapse.pre].packed[: self.tokens]):
                label = name(forward.name, f"t{place}")
                yield Read(synapse.name, ReadCircuit(forward, "forward", row, label), share)

    def _reads_of_patterns(self, layer: AttentionLayer, held: HeldPatterns) -> Iterator[Read]:
        """Yield the products with the patterns of the sample: of every token's drive, and of its weights."""
        rows, (crossbar,) = held.drive, held.crossbars
        if not len(rows) or not crossbar.shape[0]:
            return
        feedback, (tokens, dim) = self._feedback(layer), rows.shape
        pooled = layer.readout == "pooled"
        rows = rows + (feedback / np.sqrt(tokens) if pooled else feedback.reshape(-1, dim)[:tokens])
        forward, back, _ = _both(crossbar, 1.0)
        weights = self.weights[layer.name][0, : len(rows), : crossbar.shape[0]]
        for place, (row, weight) in enumerate(zip(rows[: self.tokens], weights, strict=False)):
            read = ReadCircuit(forward, "forward", row, name(layer.name, f"q{place}"))
            yield Read(layer.name, read)
            yield Read(layer.name, ReadCircuit(back, "transposed", weight, name(layer.name, f"p{place}")))

    def _feedback(self, layer: AttentionLayer) -> np.ndarray:
        """Return what the dense synapses behind a layer send back to it, of the currents computed here, (size,)."""
        total = np.zeros(layer.size)
        for synapse, first in self._behind(layer.name):
            for read in self._reads_of(synapse):
                if not read.circuit.forward:
                    product = read.circuit.product(read.circuit.currents)
                    total += read.share * product[first : first + layer.size]
        return total

    def _behind(self, layer: str) -> Iterator[tuple[DenseSynapse, int]]:
        """Yield the dense synapses that read a layer, and where its first neuron is among what they read."""
        for synapse in self.network.dense:
            first = 0
            for source in synapse.pre:
                if source == layer:
                    yield synapse, first
                first += self.network.layer(source).size

    def _nodes(self, *layers: str) -> list[str]:
        """Return the nodes of neurons that drive lines, none where sources do."""
        known = {layer.name: layer.size for layer in self.layers} if self.loop else {}
        if any(layer not in known for layer in layers):
            return []
        return [node_of(layer, n) for layer in layers for n in range(known[layer])]

    def reads(self) -> dict[str, ReadCircuit]:
        """Return all reads by label."""
        return {read.circuit.label: read.circuit for read in self._reads}

    def neurons(self) -> dict[str, NeuronNodes]:
        """Return the dense neurons all of whose arrays are written, by layer."""
        return {layer.name: self._neurons(layer) for layer in self.layers}

    def _neurons(self, layer: DenseLayer) -> NeuronNodes:
        contributions, bias = [], np.zeros(layer.size)
        for synapse in self.network.dense:
            if synapse.post == layer.name:
                contributions += [Contribution(r.circuit, 0, r.share) for r in self._of(synapse, True)]
                own = self.engine.arrays[synapse.name].bias
                bias = bias if own is None else bias + np.asarray(own, dtype=np.float64)
        for synapse, first in self._behind(layer.name):
            contributions += [Contribution(r.circuit, first, r.share) for r in self._of(synapse, False)]
        gain, offset = self._spread(layer)
        return NeuronNodes(layer, self.values[layer.name][0], contributions, bias, gain, offset)

    def _of(self, synapse: DenseSynapse, forward: bool) -> list[Read]:
        """Return the reads of a synapse in one direction."""
        return [read for read in self._reads if read.array == synapse.name and read.circuit.forward == forward]

    def _spread(self, layer: DenseLayer) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 + gain error and offset of every neuron, (size,) each."""
        cell = self.engine.cells[layer.name]
        drawn = (cell.circuits.gain, cell.circuits.offset) if isinstance(cell, ChipNeurons) else (None, None)
        usual = np.ones(layer.size), np.zeros(layer.size)
        found = [value if own is None else own.astype(np.float64) for own, value in zip(drawn, usual, strict=True)]
        return found[0], found[1]

    def statements(self) -> Iterator[str]:
        """Yield subcircuits, reads and neurons."""
        for circuit in {id(read.circuit.circuit): read.circuit.circuit for read in self._reads}.values():
            yield from circuit.statements()
        for read in self._reads:
            yield from read.circuit.statements()
        for nodes in self.neurons().values():
            yield from nodes.statements()


def _both(crossbar: Crossbar, share: float) -> Both:
    """Return a crossbar as a circuit in both directions."""
    forward = CrossbarCircuit(crossbar)
    return Both(forward, forward if crossbar.other is None else CrossbarCircuit(crossbar.other), share)
