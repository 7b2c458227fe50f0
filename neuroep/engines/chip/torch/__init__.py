"""A chip on torch tensors: what settles lies on the device, what a chip keeps and learns is the host's, the same code.

Crossbars read tensors (:mod:`hw_models.kernels.tensors`), neurons and attention units compute with them. What happens
once per update is NumPy's: the read-out of the phases, learning rules, programming and ageing of devices.
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
