"""Engines run a network: ``reference`` in torch, ``local`` in Numba and BLAS; either on a chip, if one likes.

Each is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

from hw_models import lazy
from hw_models.keywords import checked
from neuroep.errors import ConfigError, unknown

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from hw_models.chip import Chip
    from neuroep.engines.engine import Engine
    from neuroep.engines.parts import Substrate
    from neuroep.learning.optimisers import Optimiser
    from neuroep.network import Network

NAMES = ("local", "reference")
PRODUCTS = ("full", "bfloat16")
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
    products: str = "full",
    repeats: str = "each",
) -> Engine:
    """Return an engine of Numba parts, on exact arithmetic or on a chip.

    Parameters
    ----------
    network, parameters, optimiser, seed, dtype
        As of :class:`neuroep.engines.engine.Engine`; in-memory pulses learn by plain descent where no rule is given.
    threads : int, optional
        Default: all processors of the process. The result does not depend on it.
    device : str
        ``auto`` or ``cpu``.
    chip : hw_models.Chip, str or Path, optional
        What to run on, or its name or file as of :func:`hw_models.load`; default exact arithmetic.
    chip_seed : int, optional
        Of the chip's draws; default ``seed``.
    products : str
        As of :func:`reference`. ``bfloat16`` reads products by torch (:mod:`neuroep.engines.numba.rounded`), on a
        processor with instructions for it three to four times as fast; a chip has products of its own.
    repeats : str
        As of :class:`neuroep.engines.engine.Engine`: ``once`` takes half the time on long texts.

    Raises
    ------
    ConfigError
        If a device other than the CPU is asked for, the chip cannot run the network, or a keyword is unknown.
    ChipError
        If there is no chip of that name.
    """
    from neuroep.engines.workers import Workers, check_environment

    check_environment()  # before libraries read it
    from neuroep.engines.checks import check_seed
    from neuroep.engines.engine import Engine
    from neuroep.engines.numba.substrate import exact

    if device not in ("auto", "cpu"):
        raise ConfigError(f"device is '{device}': the local engine runs on auto, cpu")
    if chip_seed is not None:
        check_seed("chip_seed", chip_seed)
    _check_products(products, dtype)
    workers, draws = Workers(threads), seed if chip_seed is None else chip_seed
    make: Callable[[Optimiser | None], Substrate]
    if chip is None:
        make = partial(exact, workers=workers, dtype=dtype, seed=draws, products=products)
    else:
        if products != "full":
            raise ConfigError(f"products is '{products}': a chip reads products of its own; use 'full'")
        from neuroep.engines.chip.substrate import on_chip

        make = on_chip(chip, workers, dtype, draws)
    return Engine("local", network, parameters, make, optimiser=optimiser, seed=seed, dtype=dtype, repeats=repeats)


@checked(ConfigError)
def reference(
    network: Network,
    parameters: Mapping[str, np.ndarray] | None = None,
    *,
    optimiser: Optimiser | None = None,
    seed: int = 0,
    dtype: str = "float32",
    threads: int | None = None,
    device: str = "auto",
    products: str = "full",
    chip: Chip | str | Path | None = None,
    chip_seed: int | None = None,
) -> Engine:
    """Return an engine of torch parts, on exact arithmetic or on a chip.

    Parameters
    ----------
    network, parameters, optimiser, seed, dtype
        As of :class:`neuroep.engines.engine.Engine`.
    threads : int, optional
        Threads of torch on the CPU, for the whole process; a process forked off later has one.
    device : str
        ``auto`` takes a GPU if there is one.
    products : str
        ``full`` reads states in the precision of ``dtype``, ``bfloat16`` in that, about twice as fast; it needs
        ``float32``, and nudged phases of form ``differences``.
    chip, chip_seed
        As of :func:`local`: the same chip with the same draws, whose states are tensors; what it keeps, measures of
        the phases and learns is the host's. Event-driven arrays run on the local engine alone.

    Raises
    ------
    ConfigError
        If the device is unknown or absent, the chip cannot run the network or has what this engine has not, or a
        keyword is unknown.
    ChipError
        If there is no chip of that name.
    """
    from neuroep.engines.workers import Workers, check_environment, check_threads

    check_environment()
    import torch

    from neuroep.engines.checks import check_seed
    from neuroep.engines.engine import Engine
    from neuroep.engines.torch.substrate import device_of, tensors_on

    where = device_of(device)
    _check_products(products, dtype)
    if chip_seed is not None:
        check_seed("chip_seed", chip_seed)
        if chip is None:
            raise ConfigError(f"chip_seed is {chip_seed}: it acts only with a chip")
    if threads is not None:
        check_threads(threads)
        torch.set_num_threads(threads)
    make: Callable[[Optimiser | None], Substrate]
    if chip is None:
        make = partial(tensors_on, device=where, dtype=dtype, products=products)
    else:
        from neuroep.engines.chip.torch.substrate import on_tensors

        if products != "full":
            raise ConfigError(f"products is '{products}': a chip rounds by its own converters; use 'full'")
        make = on_tensors(chip, Workers(threads), where, dtype, seed if chip_seed is None else chip_seed)
    return Engine("reference", network, parameters, make, optimiser=optimiser, seed=seed, dtype=dtype)


def _check_products(products: str, dtype: str) -> None:
    """Refuse a kind of products that there is not, with a ConfigError."""
    if products not in PRODUCTS:
        raise ConfigError(unknown("products", products, PRODUCTS))
    if products != "full" and dtype != "float32":
        raise ConfigError(f"products is '{products}': it goes with dtype 'float32', not '{dtype}'; use 'full'")


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
    products: str = "full",
    repeats: str = "each",
) -> Engine:
    """Return the engine of that name; parameters as of :func:`local` or :func:`reference`.

    Raises
    ------
    ConfigError
        For an unknown name, or what the engine of that name refuses.
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
            products=products,
            repeats=repeats,
        )
    if repeats != "each":
        raise ConfigError(f"repeats is '{repeats}': it goes with the local engine; use 'each'")
    return reference(
        network,
        parameters,
        optimiser=optimiser,
        seed=seed,
        dtype=dtype,
        threads=threads,
        device=device,
        products=products,
        chip=chip,
        chip_seed=chip_seed,
    )


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
