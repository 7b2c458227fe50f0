"""The description of a chip: plain data that says unit, moment and meaning of every field; nothing here computes."""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy
from hw_models.chip.description import (
    ADC,
    DAC,
    Attention,
    Cell,
    Chip,
    Converter,
    Cost,
    Device,
    Events,
    Layout,
    Neuron,
    Nudged,
    Part,
    Pulse,
    Readout,
    Timing,
    Transposed,
    Update,
    Wires,
)

__all__ = [
    "ADC",
    "DAC",
    "Attention",
    "Cell",
    "Chip",
    "Converter",
    "Cost",
    "Device",
    "Events",
    "Layout",
    "Neuron",
    "Nudged",
    "Part",
    "Pulse",
    "Readout",
    "Timing",
    "Transposed",
    "Update",
    "Wires",
]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
