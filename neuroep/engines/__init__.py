"""Engines run a network: ``reference`` in torch, ``local`` in Numba and BLAS. Each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hw_models import lazy
from hw_models.keywords import checked
from neuroep.errors import ConfigError, unknown

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from hw_models.chip import Chip
    from neuroep.engines.engine import Engine
    from neuroep.learning.optimisers import Optimiser
    from neuroep.network import Network

NAMES = ("local", "reference")
NO_CHIP = dict.fromkeys(("chip", "chip_seed"), "a chip runs on engine 'local'")
__all__ = ["NAMES", "build", "local", "reference"]


@checked(ConfigError)
def local(
    network: Network,
    parameters: Mapping[str, np.ndarray] | None = None,
    *,
    optimiser: Optimiser | None = None,
    seed: int = 0,
    dtype: str = "float32",
    threads: int | None = None,
    device: str = "auto",
    chip: Chip | str | Path | None = None,
    chip_seed: int | None = None,
) -> Engine:
    """Return the Numba engine; parameters as of :class:`neuroep.engines.numba.local_engine.LocalEngine`."""
    from neuroep.engines.workers import check_environment

    check_environment()  # before libraries read it
    from neuroep.engines.numba.local_engine import LocalEngine

    rule = {"optimiser": optimiser, "seed": seed, "dtype": dtype}
    where = {"threads": threads, "device": device, "chip": chip, "chip_seed": chip_seed}
    return LocalEngine(network, parameters, **rule, **where)  # type: ignore[arg-type]


@checked(ConfigError, NO_CHIP)
def reference(
    network: Network,
    parameters: Mapping[str, np.ndarray] | None = None,
    *,
    optimiser: Optimiser | None = None,
    seed: int = 0,
    dtype: str = "float32",
    threads: int | None = None,
    device: str = "auto",
) -> Engine:
    """Return the torch engine; parameters as of :class:`neuroep.engines.torch.reference_engine.ReferenceEngine`."""
    from neuroep.engines.workers import check_environment

    check_environment()
    from neuroep.engines.torch.reference_engine import ReferenceEngine

    rule = {"optimiser": optimiser, "seed": seed, "dtype": dtype}
    return ReferenceEngine(network, parameters, **rule, threads=threads, device=device)  # type: ignore[arg-type]


def build(kind: str, network: Network, parameters: Mapping[str, np.ndarray] | None = None, **settings: Any) -> Engine:
    """Return the engine of that name; settings as of :func:`local` or :func:`reference`.

    Raises
    ------
    ConfigError
        For an unknown name, or a setting that the engine does not have.
    """
    if kind not in NAMES:
        raise ConfigError(unknown("engine", kind, NAMES))
    return (local if kind == "local" else reference)(network, parameters, **settings)


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
