"""Threads of the local engine: fixed blocks of work, one BLAS thread each, the same bits for any number of threads.

A block's bounds depend on shapes alone and every block writes its own part of the result, so the number of threads
decides only who computes what. Kernels release the GIL.
"""

from __future__ import annotations

import importlib
import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from hw_models.kernels.blocks import blocks
from neuroep.errors import ConfigError

__all__ = ["Workers", "blocks", "check_environment", "check_threads", "largest", "most_threads", "processors"]

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""From which libraries take a number of threads; OpenBLAS bounds its own."""
SHARE, FEWEST = 4, 8
"""Most threads or processes for each processor of the machine, and what is allowed on the smallest."""


def processors() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_threads() -> int:
    """Return the largest number of threads, or of processes, that this machine is asked for."""
    return max(FEWEST, SHARE * (os.cpu_count() or 1))


def check_threads(threads: int, name: str = "threads") -> None:
    """Refuse a number of threads, or of what ``name`` says, that is below 1 or far beyond the processors.

    Raises
    ------
    ConfigError
        A hundred thousand threads end the process without a word, a few thousand stall the machine.
    """
    most = most_threads()
    if not isinstance(threads, int) or isinstance(threads, bool) or not 1 <= threads <= most:
        raise ConfigError(f"{name} is {threads}: allowed are whole numbers from 1 to {most} on this machine")


def check_environment() -> None:
    """Refuse environment variables that ask libraries for threads this machine cannot give, with a ConfigError."""
    for name in VARIABLES:
        value = os.environ.get(name, "").strip()
        # What is no number is the library's to read: OpenMP takes lists and ignores the rest.
        if value.isdecimal():
            check_threads(int(value[:12]), name)


class _Depth(threading.local):
    """How often one thread is inside, and what keeps it quiet there."""

    times = 0
    quiet: np.errstate | None = None


class _Computing:
    """BLAS of this process with one thread while anyone is inside; the number of its threads belongs to no engine.

    Numbers that are not finite pass without a warning meanwhile: the engine reports them itself, with layer and step.
    """

    def __init__(self) -> None:
        self._libraries: Any = None
        self._limit: Any = None
        self._inside, self._turn, self._depth = 0, threading.Lock(), _Depth()

    def __enter__(self) -> None:
        depth = self._depth
        if not depth.times:
            depth.quiet = np.errstate(over="ignore", invalid="ignore")
            depth.quiet.__enter__()
            self._limit_blas()
        depth.times += 1

    def _limit_blas(self) -> None:
        with self._turn:
            if not self._inside:
                if self._libraries is None:
                    importlib.import_module("scipy.linalg.cython_blas")  # Numba's BLAS: it must be loaded to be found
                    self._libraries = ThreadpoolController().select(user_api="blas")
                self._limit = self._libraries.limit(limits=1)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        depth = self._depth
        depth.times -= 1
        if depth.times or depth.quiet is None:
            return
        with self._turn:
            self._inside -= 1
            self._restore_blas()
        depth.quiet.__exit__(None, None, None)

    def _restore_blas(self) -> None:
        if not self._inside and self._limit is not None:
            self._limit.restore_original_limits()
            self._limit = None

    def begin(self) -> None:
        """Begin anew in a forked process: of the threads that were inside, or held the lock, one at most lives here."""
        self._inside, self._turn = int(self._depth.times > 0), threading.Lock()
        self._restore_blas()


_computing = _Computing()
os.register_at_fork(after_in_child=_computing.begin)


class Workers:
    """A pool of threads.

    A fork leaves the threads behind and a copy cannot share them: both begin with a pool of their own, and give the
    same bits.

    Parameters
    ----------
    threads : int, optional
        Default: the processors this process may use.

    Raises
    ------
    ConfigError
        If the number is below 1 or far beyond the processors.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None:
            check_threads(threads)
        self.threads = threads or processors()
        self._pool: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy has: not the threads, which belong to one process."""
        return {**self.__dict__, "_pool": None}

    def single_blas(self) -> AbstractContextManager[None]:
        """Keep BLAS to one thread inside, as the blocks are parallel already; may be nested, and entered by threads."""
        return _computing

    def run(self, task: Callable[[int, int], Any], parts: list[tuple[int, int]]) -> list[Any]:
        """Call ``task(first, last)`` for every part; return the results in order.

        The caller works as well, and whoever is free takes the next part: a thread that is slow to wake costs nothing.

        Raises
        ------
        Exception
            What the first of the parts that failed raised; parts that nobody had begun by then are left.
        """
        with _computing:
            if self.threads == 1 or len(parts) == 1:
                return [task(first, last) for first, last in parts]
            results = dict.fromkeys(range(len(parts)))
            failures: dict[int, BaseException] = {}
            waiting = iter(range(len(parts)))  # next() of it is one step of the interpreter: no part is taken twice

            def work() -> None:
                for index in waiting:
                    try:
                        results[index] = task(*parts[index])
                    except BaseException as error:
                        failures[index] = error
                        return
                    if failures:
                        return

            others = [self._threads().submit(work) for _ in range(min(self.threads, len(parts)) - 1)]
            work()
            for other in others:
                if not other.cancel():
                    other.result()
            if failures:
                raise failures[min(failures)]
            return list(results.values())

    def _threads(self) -> ThreadPoolExecutor:
        """Return the pool of this process."""
        if self._pool is None or self._process != os.getpid():
            self._pool = ThreadPoolExecutor(self.threads, "neuroep", initializer=_be_quiet)
            self._process = os.getpid()
        return self._pool


def _be_quiet() -> None:
    """Let a thread of a pool pass numbers that are not finite."""
    np.seterr(over="ignore", invalid="ignore")


def largest(changes: Sequence[float]) -> float:
    """Return the largest of what blocks found, NaN if there is one."""
    return math.nan if any(map(math.isnan, changes)) else float(max(changes))
