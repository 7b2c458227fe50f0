# Tested by tests/neuroep/engines/test_settling.py.
"""The state of a network: what all layers hold for one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Values = Any
"""numpy.ndarray or torch.Tensor."""
ByLayer = dict[str, Any]
"""Values of layers by their names."""


class Drives(NamedTuple):
    """What drives the layers, by layer; (batch, layer size) each."""

    products: ByLayer
    """W s_pre + b of the synapses in front, of dense layers."""
    feedback: ByLayer
    """W^T s_post of those behind."""


class Ground(NamedTuple):
    """What a free state is to the differences that nudges make to it, by layer."""

    places: ByLayer
    """Where the free drive puts neurons, (batch, size), in the form of the parts."""
    weights: ByLayer
    """p of attention layers, in the form of the units that solve for differences."""


class Computed(Mapping[str, Values]):
    """Values by layer, each of them computed when it is first asked for.

    Parameters
    ----------
    tasks : mapping of str to callable
        What computes the values of a layer.
    """

    def __init__(self, tasks: Mapping[str, Callable[[], Values]]) -> None:
        self._tasks = tasks
        self._found: ByLayer = {}

    def __getitem__(self, name: str) -> Values:
        if name not in self._found:
            self._found[name] = self._tasks[name]()
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


@dataclass
class State:
    """States of all layers for one batch, in the engine's own array type.

    ``values[layer]`` is what the next synapse reads, (batch, layer size); ``weights[layer]`` is the engine's own form
    of an attention layer's weights. ``stale`` names the layers that are not at their minimiser for sure.
    ``memory[synapse]`` is what an array keeps of this state's course, for example what a sigma-delta neuron sent last.
    ``inner[layer]`` is the state inside a neuron that integrates in time and shows a digitised value, which is then in
    ``values``. ``resting`` names layers that are 0, as no sweep has moved them, and ``rounded`` tells whether the last
    products read for it were. ``origin`` is the free state that a nudged phase started from, and ``drives`` what a chip
    holds of its own products once a nudged phase asks for them.

    ``ground`` is what differences to this state go by, once they ask for it. ``moved`` is what a nudged phase in
    differences has moved ``origin`` by: a state whose values and weights are differences; ``values`` and ``weights`` of
    the state itself are then their sums with the free ones. ``kept`` are products of differences whose input has not
    moved since, by synapse and direction, None where it is 0, and ``buffers`` the memory of transposed ones.
    """

    values: ByLayer
    weights: ByLayer
    stale: frozenset[str]
    beta: float = 0.0
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    inner: dict[str, Any] = field(default_factory=dict)
    origin: State | None = None
    resting: frozenset[str] = frozenset()
    rounded: bool = False
    drives: Drives | None = None
    ground: Ground | None = None
    moved: State | None = None
    kept: dict[tuple[str, str], Values] = field(default_factory=dict)
    buffers: dict[str, Values] = field(default_factory=dict)

    def level(self, name: str) -> Any:
        """Return what a layer holds inside, which is what it shows unless it is digitised on the way out."""
        return self.inner.get(name, self.values[name])
