"""Threads of the local engine: fixed blocks of work, one BLAS thread each, the same bits for any number of threads.

A block's bounds depend on shapes alone and every block writes its own part of the result, so the number of threads
decides only who computes what. Kernels release the GIL.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from hw_models.blocks import blocks
from neuroep.errors import ConfigError

__all__ = ["Workers", "blocks", "check_threads", "processors"]


def check_threads(threads: int) -> None:
    """Refuse a number of threads below 1, with a ConfigError."""
    if threads < 1:
        raise ConfigError(f"threads is {threads}: allowed are whole numbers from 1")


def processors() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """A pool of threads.

    Parameters
    ----------
    threads : int, optional
        Default: the processors this process may use.

    Raises
    ------
    ConfigError
        If the number is below 1.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None:
            check_threads(threads)
        self.threads = threads or processors()
        self._pool: ThreadPoolExecutor | None = None
        self._blas: Any = None
        self._limited = False

    @contextmanager
    def single_blas(self) -> Iterator[None]:
        """Keep BLAS to one thread inside, as the blocks are parallel already; may be nested."""
        if self._limited:
            yield
            return
        if self._blas is None:
            importlib.import_module("scipy.linalg.cython_blas")  # Numba's BLAS: it must be loaded to be found
            self._blas = ThreadpoolController().select(user_api="blas")
        self._limited = True
        try:
            with self._blas.limit(limits=1):
                yield
        finally:
            self._limited = False

    def run(self, task: Callable[[int, int], Any], parts: list[tuple[int, int]]) -> list[Any]:
        """Call ``task(first, last)`` for every part; return the results in order."""

        def quiet(part: tuple[int, int]) -> Any:
            # The engine reports what is not finite itself, with layer and step.
            with np.errstate(over="ignore", invalid="ignore"):
                return task(*part)

        with self.single_blas():
            if self.threads == 1 or len(parts) == 1:
                return [quiet(part) for part in parts]
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="neuroep")
            return list(self._pool.map(quiet, parts))
