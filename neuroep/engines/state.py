# Tested by tests/neuroep/engines/test_settling.py.
"""The state of a network: what all layers hold for one batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

ByLayer = dict[str, Any]
"""Values of layers by their names."""


class Drives(NamedTuple):
    """What drives the layers, by layer; (batch, layer size) each."""

    products: ByLayer
    """W s_pre + b of the synapses in front, of dense layers."""
    feedback: ByLayer
    """W^T s_post of those behind."""


@dataclass
class State:
    """States of all layers for one batch, in the engine's own array type.

    ``values[layer]`` is what the next synapse reads, (batch, layer size); ``weights[layer]`` is the engine's own form
    of an attention layer's weights. ``stale`` names the layers that are not at their minimiser for sure.
    ``memory[synapse]`` is what an array keeps of this state's course, for example what a sigma-delta neuron sent last.
    ``inner[layer]`` is the state inside a neuron that integrates in time and shows a digitised value, which is then in
    ``values``. ``origin`` is the free state that a nudged phase started from, and ``drives`` what a chip holds of its
    own products once a nudged phase asks for them.
    """

    values: ByLayer
    weights: ByLayer
    stale: frozenset[str]
    beta: float = 0.0
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    inner: dict[str, Any] = field(default_factory=dict)
    origin: State | None = None
    drives: Drives | None = None

    def level(self, name: str) -> Any:
        """Return what a layer holds inside, which is what it shows unless it is digitised on the way out."""
        return self.inner.get(name, self.values[name])
