"""Engines run a network: ``reference`` in torch, ``local`` in Numba and BLAS. Each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from hw_models import lazy
from hw_models.keywords import checked
from neuroep.engines.hints import NO_CHIP
from neuroep.errors import ConfigError, unknown

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from hw_models.chip import Chip
    from neuroep.engines.engine import Engine
    from neuroep.learning.optimisers import Optimiser
    from neuroep.network import Network

NAMES = ("local", "reference")
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

    return LocalEngine(
        network,
        parameters,
        optimiser=optimiser,
        seed=seed,
        dtype=dtype,
        threads=threads,
        device=device,
        chip=chip,
        chip_seed=chip_seed,
    )


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

    return ReferenceEngine(
        network, parameters, optimiser=optimiser, seed=seed, dtype=dtype, threads=threads, device=device
    )


@checked(ConfigError)
def build(
    kind: str,
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
    """Return the engine of that name; parameters as of :func:`local` or :func:`reference`.

    Raises
    ------
    ConfigError
        For an unknown name, or a chip for an engine that has none.
    """
    if kind not in NAMES:
        raise ConfigError(unknown("engine", kind, NAMES))
    if kind == "local":
        return local(
            network,
            parameters,
            optimiser=optimiser,
            seed=seed,
            dtype=dtype,
            threads=threads,
            device=device,
            chip=chip,
            chip_seed=chip_seed,
        )
    for name, value in (("chip", chip), ("chip_seed", chip_seed)):
        if value is not None:
            raise ConfigError(f"keyword '{name}': {NO_CHIP[name]}")
    return reference(
        network, parameters, optimiser=optimiser, seed=seed, dtype=dtype, threads=threads, device=device
    )


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
