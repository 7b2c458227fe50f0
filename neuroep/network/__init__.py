"""A network as plain data: sequences, layers, synapses; what its neurons do; builders of the usual ones."""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy
from neuroep.network.network import (
    READOUTS,
    AttentionLayer,
    DenseLayer,
    DenseSynapse,
    Layer,
    Network,
    Projection,
    Sequence,
    Synapse,
)

__all__ = [
    "READOUTS",
    "AttentionLayer",
    "DenseLayer",
    "DenseSynapse",
    "Layer",
    "Network",
    "Projection",
    "Sequence",
    "Synapse",
]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
