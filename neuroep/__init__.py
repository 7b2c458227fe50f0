"""neuroep: Equilibrium Propagation on simulated analog and neuromorphic chips."""

from __future__ import annotations

import importlib
from types import ModuleType

__version__ = "0.1.0"

_MODULES = (
    "batch",
    "checkpoints",
    "config",
    "data",
    "engines",
    "errors",
    "estimators",
    "evaluation",
    "networks",
    "optimisers",
    "potentials",
    "published",
    "randomness",
    "runs",
    "settling",
    "training",
    "yardsticks",
)
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> ModuleType:
    """Import submodules on first use, so that ``import neuroep`` costs nothing."""
    if name in _MODULES:
        return importlib.import_module(f"neuroep.{name}")
    raise AttributeError(f"module 'neuroep' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
