"""Engines run a network: ``reference`` in torch, ``local`` in Numba and BLAS. Each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neuroep.errors import ConfigError, unknown

if TYPE_CHECKING:
    import numpy as np

    from neuroep.engines.engine import Engine
    from neuroep.network import Network

NAMES = ("local", "reference")
__all__ = ["NAMES", "build", "local", "reference"]


def local(network: Network, parameters: Mapping[str, np.ndarray] | None = None, **settings: Any) -> Engine:
    """Return the Numba engine; settings as in :class:`neuroep.engines.local_engine.LocalEngine`."""
    from neuroep.engines.local_engine import LocalEngine

    return LocalEngine(network, parameters, **settings)


def reference(network: Network, parameters: Mapping[str, np.ndarray] | None = None, **settings: Any) -> Engine:
    """Return the torch engine; settings as in :class:`neuroep.engines.reference_engine.ReferenceEngine`."""
    from neuroep.engines.reference_engine import ReferenceEngine

    return ReferenceEngine(network, parameters, **settings)


def build(kind: str, network: Network, parameters: Mapping[str, np.ndarray] | None = None, **settings: Any) -> Engine:
    """Return the engine of that name.

    Raises
    ------
    ConfigError
        For an unknown name.
    """
    if kind not in NAMES:
        raise ConfigError(unknown("engine", kind, NAMES))
    return (local if kind == "local" else reference)(network, parameters, **settings)
