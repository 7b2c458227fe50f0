"""Physics of analog and neuromorphic chips: devices, converters, crossbars, wires, pulses, events, presets.

    chip = hw_models.load("pcm")                       # a preset, a registered chip, or a TOML file
    crossbar = hw_models.Crossbar(chip, (100, 300))    # a weight matrix on it
    crossbar.program(weight)
    crossbar.observe()                                 # converters without a range of their own watch what they see
    crossbar.forward(x)
    crossbar.freeze()                                  # and have a range from here on
    y = crossbar.forward(x)                            # (rows, 300) to (rows, 100), through converters and noise

A chip is data (:class:`Chip`); what its fields mean stands in the modules that do the work. This package knows nothing
of networks: it imports neither :mod:`neuroep` nor :mod:`analysis`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hw_models import lazy

if TYPE_CHECKING:
    from hw_models import presets
    from hw_models.arrays.crossbar import Crossbar
    from hw_models.chip import Chip, pages
    from hw_models.chip.files import load, save
    from hw_models.errors import ChipError
    from hw_models.measured.response import fit_response

_HOMES = {
    "Chip": "chip",
    "ChipError": "errors",
    "Crossbar": "arrays.crossbar",
    "fit_response": "measured.response",
    "load": "chip.files",
    "pages": "chip",
    "save": "chip.files",
}
__all__ = ["Chip", "ChipError", "Crossbar", "fit_response", "load", "pages", "presets", "save"]


def __getattr__(name: str) -> object:
    """Import a module, or a name's module, when it is asked for."""
    if name not in _HOMES:
        return lazy.submodule(__name__, __path__, name, _HOMES)
    return getattr(importlib.import_module(f"hw_models.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *lazy.modules(__path__)})
