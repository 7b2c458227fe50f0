# Tested by tests/neuroep/network/test_builders.py.
"""Networks as pure data: clamped sequences, layers with potentials, synapses. No backend is known here.

    Phi(x, s) = sum over synapses <s_post, W r(s_pre) + b>        E(s) = sum_l G_l(s_l) - Phi

``r`` reads the layers in front of a synapse: a dense layer as it is, an attention layer flat (every token's state in
its place) or pooled (sum of its token states over sqrt(n), n the number of its real tokens). Clamped sequences are
projected token by token into the query drive of an attention layer.

Source: Bal and Sengupta, "Sequence Learning Using Equilibrium Propagation", IJCAI 2023 (arXiv 2209.09626).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import cast

from neuroep.errors import ConfigError, unknown
from neuroep.network.potentials import LARGEST, Potential

READOUTS = ("flat", "pooled")


@dataclass(frozen=True)
class Sequence:
    """A clamped input: ``tokens`` word vectors of length ``dim`` per sample, shape (batch, tokens, dim)."""

    name: str
    tokens: int
    dim: int


@dataclass(frozen=True)
class AttentionLayer:
    """Hopfield attention: token t sits at X^T softmax(kappa X u_t), X the patterns of one clamped sequence.

    Source: Ramsauer et al., ICLR 2021; G*(u) = logsumexp(kappa X u) / kappa, G = sum p ln p / kappa.
    """

    name: str
    queries: str
    """Sequence whose tokens ask: its projection is the clamped part of the drive."""
    patterns: str
    """Sequence that is stored: keys and values alike."""
    inverse_temperature: float
    """kappa, dimensionless."""
    readout: str
    """``flat`` or ``pooled``: what the next synapse sees."""
    size: int
    """Length of the read-out: tokens * dim flat, dim pooled."""


@dataclass(frozen=True)
class DenseLayer:
    """A layer of ``size`` neurons with one componentwise potential, state (batch, size)."""

    name: str
    size: int
    potential: Potential


@dataclass(frozen=True)
class Projection:
    """Token-wise synapse from a clamped sequence to an attention layer, weight (dim, dim)."""

    name: str
    pre: str
    post: str
    shape: tuple[int, int]
    bias: bool = False


@dataclass(frozen=True)
class DenseSynapse:
    """Synapse from the concatenated read-outs of ``pre`` to ``post``, weight (post size, sum of pre sizes)."""

    name: str
    pre: tuple[str, ...]
    post: str
    shape: tuple[int, int]
    bias: bool = True


Layer = AttentionLayer | DenseLayer
Synapse = Projection | DenseSynapse


@dataclass(frozen=True)
class Network:
    """A layered energy-based network over clamped sequences.

    Raises
    ------
    ConfigError
        If names or shapes do not fit together, or the layers admit no even/odd order.
    """

    sequences: tuple[Sequence, ...]
    layers: tuple[Layer, ...]
    synapses: tuple[Synapse, ...]
    """Projections first, then dense synapses from input to output."""
    mask: bool = True
    """Padding takes part neither as key nor as query; off reproduces the paper."""

    def __post_init__(self) -> None:
        for what, parts in (("layers", self.layers), ("sequences", self.sequences), ("synapses", self.synapses)):
            if not parts:
                raise ConfigError(f"a network needs {what}: none are given")
        for what, parts in (("layer", self.layers), ("sequence", self.sequences), ("synapse", self.synapses)):
            names = [part.name for part in parts]
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise ConfigError(f"{what} '{twice}' occurs twice: names must differ")
        layers = {layer.name: layer for layer in self.layers}
        sequences = {s.name: s for s in self.sequences}
        for synapse in self.synapses:
            sources = [synapse.pre] if isinstance(synapse, Projection) else list(synapse.pre)
            known = sequences if isinstance(synapse, Projection) else layers
            for source in sources:
                if source not in known:
                    raise ConfigError(f"synapse '{synapse.name}': " + unknown("source", source, known))
            if synapse.post not in layers:
                raise ConfigError(f"synapse '{synapse.name}': " + unknown("layer", synapse.post, layers))
            self._check_shape(synapse, layers, sequences)
        self._check_layers(sequences)
        _ = self.parity

    def _check_layers(self, sequences: dict[str, Sequence]) -> None:
        for layer in self.layers:
            if not isinstance(layer, AttentionLayer):
                continue
            for source in (layer.queries, layer.patterns):
                if source not in sequences:
                    raise ConfigError(f"layer '{layer.name}': " + unknown("sequence", source, sequences))
            if layer.readout not in READOUTS:
                raise ConfigError(f"layer '{layer.name}': " + unknown("readout", layer.readout, READOUTS))
            if not 1 / LARGEST <= layer.inverse_temperature <= LARGEST:
                value, allowed = layer.inverse_temperature, f"allowed are numbers from {1 / LARGEST:g} to {LARGEST:g}"
                raise ConfigError(f"inverse_temperature of '{layer.name}' is {value}: {allowed}")
            self._check_attention(layer, sequences)
        for layer in self.layers:
            if isinstance(layer, DenseLayer) and not isinstance(layer.potential, Potential):
                given = type(layer.potential).__name__
                raise ConfigError(
                    f"potential of '{layer.name}' is a {given}: use potentials.named(...) or HardSigmoid()"
                )
        if not isinstance(self.layers[-1], DenseLayer):
            raise ConfigError(f"the last layer '{self.layers[-1].name}' is the output: it must be dense")

    def _check_attention(self, layer: AttentionLayer, sequences: dict[str, Sequence]) -> None:
        """Refuse a read-out of the wrong length, and a layer that no token asks."""
        dim = sequences[layer.patterns].dim
        size = dim if layer.readout == "pooled" else sequences[layer.queries].tokens * dim
        if layer.size != size:
            raise ConfigError(
                f"size of attention layer '{layer.name}' is {layer.size}: its {layer.readout} read-out has {size}"
            )
        sources = [synapse.pre for synapse in self.projections if synapse.post == layer.name]
        if not sources:
            raise ConfigError(f"attention layer '{layer.name}' has no projection: its queries come from one")
        for source in sources:
            if source != layer.queries:
                raise ConfigError(f"projection to '{layer.name}' reads '{source}': its queries are '{layer.queries}'")

    @staticmethod
    def _check_shape(synapse: Synapse, layers: dict[str, Layer], sequences: dict[str, Sequence]) -> None:
        post = layers[synapse.post]
        if isinstance(synapse, Projection):
            if not isinstance(post, AttentionLayer):
                raise ConfigError(f"projection '{synapse.name}' must end in an attention layer, not '{post.name}'")
            shape = (sequences[post.patterns].dim, sequences[synapse.pre].dim)
        else:
            if not isinstance(post, DenseLayer):
                raise ConfigError(f"dense synapse '{synapse.name}' must end in a dense layer, not '{post.name}'")
            shape = (post.size, sum(layers[name].size for name in synapse.pre))
        if synapse.shape != shape:
            raise ConfigError(f"weight of '{synapse.name}' has shape {synapse.shape}: its layers need {shape}")

    @property
    def output(self) -> DenseLayer:
        """The layer that is nudged."""
        return cast(DenseLayer, self.layers[-1])

    @property
    def classes(self) -> int:
        """Number of output neurons."""
        return self.output.size

    @cached_property
    def attention(self) -> tuple[AttentionLayer, ...]:
        """Attention layers in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, AttentionLayer))

    @cached_property
    def patterns(self) -> dict[str, int]:
        """By attention layer the most patterns that a sample has, the tokens of the sequence that is stored."""
        tokens = {sequence.name: sequence.tokens for sequence in self.sequences}
        return {layer.name: tokens[layer.patterns] for layer in self.attention}

    @cached_property
    def projections(self) -> tuple[Projection, ...]:
        """Token-wise synapses in order."""
        return tuple(synapse for synapse in self.synapses if isinstance(synapse, Projection))

    @cached_property
    def dense(self) -> tuple[DenseSynapse, ...]:
        """Dense synapses in order."""
        return tuple(synapse for synapse in self.synapses if isinstance(synapse, DenseSynapse))

    @property
    def padded(self) -> bool:
        """Whether batches need full length: flat read-outs have places, unmasked padding has weight."""
        return not self.mask or any(layer.readout == "flat" for layer in self.attention)

    def layer(self, name: str) -> Layer:
        """Return the layer of that name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ConfigError(unknown("layer", name, [item.name for item in self.layers]))

    def attention_layer(self, name: str) -> AttentionLayer:
        """Return the attention layer of that name."""
        for layer in self.attention:
            if layer.name == name:
                return layer
        raise ConfigError(unknown("attention layer", name, [item.name for item in self.attention]))

    def sequence(self, name: str) -> Sequence:
        """Return the clamped sequence of that name."""
        for sequence in self.sequences:
            if sequence.name == name:
                return sequence
        raise ConfigError(unknown("sequence", name, [item.name for item in self.sequences]))

    @cached_property
    def neighbours(self) -> dict[str, frozenset[str]]:
        """Layers joined to each layer by a dense synapse."""
        near: dict[str, set[str]] = {layer.name: set() for layer in self.layers}
        for synapse in self.dense:
            for source in synapse.pre:
                near[source].add(synapse.post)
                near[synapse.post].add(source)
        return {name: frozenset(names) for name, names in near.items()}

    @cached_property
    def parity(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Even and odd layers: no synapse joins two layers of one group, so each group has an exact joint minimiser."""
        for name, near in self.neighbours.items():
            if name in near:
                raise ConfigError(
                    f"layer '{name}' has a synapse to itself: layer-wise settling needs even and odd layers"
                )
        side: dict[str, int] = {}
        for first in self.layers:
            pending = [(first.name, 0)] if first.name not in side else []
            while pending:
                name, colour = pending.pop()
                if side.setdefault(name, colour) != colour:
                    raise ConfigError(
                        f"layer '{name}' lies on an odd loop: layer-wise settling needs even and odd layers"
                    )
                pending += [(near, 1 - colour) for near in sorted(self.neighbours[name]) if near not in side]
        even, odd = ([layer.name for layer in self.layers if side[layer.name] == s] for s in (0, 1))
        return tuple(even), tuple(odd)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all trained parameters, ``<synapse>.weight`` (out, in) and ``<synapse>.bias`` (out,)."""
        shapes: dict[str, tuple[int, ...]] = {}
        for synapse in self.synapses:
            shapes[f"{synapse.name}.weight"] = synapse.shape
            if synapse.bias:
                shapes[f"{synapse.name}.bias"] = synapse.shape[:1]
        return shapes

    def signature(self) -> str:
        """Return a hash of everything that defines the network."""
        kinds = [type(layer.potential).__name__ for layer in self.layers if isinstance(layer, DenseLayer)]
        text = json.dumps([asdict(self), kinds], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
