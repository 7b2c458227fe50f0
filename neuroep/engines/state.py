# Tested by tests/neuroep/engines/test_settling.py.
"""The state of a network: what all layers hold for one batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class State:
    """States of all layers for one batch, in the engine's own array type.

    ``values[layer]`` is what the next synapse reads, (batch, layer size); ``weights[layer]`` is the engine's own form
    of an attention layer's weights. ``stale`` names the layers that are not at their minimiser for sure.
    ``memory[synapse]`` is what an array keeps of this state's course, for example what a sigma-delta neuron sent last.
    ``inner[layer]`` is the state inside a neuron that integrates in time and shows a digitised value, which is then in
    ``values``. ``origin`` is the free state that a nudged phase started from.
    """

    values: dict[str, Any]
    weights: dict[str, Any]
    stale: frozenset[str]
    beta: float = 0.0
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    inner: dict[str, Any] = field(default_factory=dict)
    origin: State | None = None

    def level(self, name: str) -> Any:
        """Return what a layer holds inside, which is what it shows unless it is digitised on the way out."""
        return self.inner.get(name, self.values[name])
