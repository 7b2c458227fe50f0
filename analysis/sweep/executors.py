# Tested by tests/analysis/sweep/test_processes.py
"""What runs the trials: processes of this machine, a Dask cluster, or any ``concurrent.futures.Executor``.

Each is a :class:`Pool`: it opens an executor, knows how many trials are worth handing out at once, and can begin anew
where a killed worker breaks the whole executor.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import traceback
from concurrent.futures import CancelledError, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from analysis.sweep import workers
from analysis.sweep.spawning import Context
from neuroep import __version__
from neuroep.engines.workers import check_threads, processors
from neuroep.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Client

LOGGERS = ("distributed", "tornado")
"""Packages whose own words of what is lost would surround the line that says it."""
TIMEOUT = 10.0
"""Longest wait for a cluster [s]."""

_log = logging.getLogger(__name__)


class Pool:
    """Where trials run.

    Attributes
    ----------
    threads : int
        Of each trial.
    window : int
        Most trials handed out at once.
    """

    threads: int = 1
    window: int = 256

    def open(self) -> Executor:
        """Return the executor."""
        raise NotImplementedError

    def renew(self) -> Executor:
        """Return a new executor after the last one broke.

        Raises
        ------
        ConfigError
            If there is none to be had.
        """
        raise ConfigError("the executor is broken; run the same command again: finished trials are kept")

    def close(self, now: bool = False) -> None:
        """Give the executor back; ``now`` ends what runs."""

    def check(self) -> None:
        """Refuse to go on where nothing can finish any more, with a ConfigError."""


class Local(Pool):
    """Spawned processes of this machine, each with its share of the threads.

    Parameters
    ----------
    count : int, optional
        Processes; default one for each processor this process may use.

    Raises
    ------
    ConfigError
        If the number is below 1 or far beyond the processors.
    """

    def __init__(self, count: int | None = None) -> None:
        if count is not None:
            check_threads(count, "workers")
        self.count = count or processors()
        self.threads = max(1, processors() // self.count)
        # One more waits in the queue, so that no worker does while the ledger is written.
        self.window = self.count + 1
        self._pool: ProcessPoolExecutor | None = None
        self._others: frozenset[BaseProcess] = frozenset()

    def open(self) -> Executor:
        self._others = frozenset(multiprocessing.active_children())
        self._pool = ProcessPoolExecutor(self.count, Context(), workers.prepare, (self.threads,))
        try:
            self._pool.submit(workers.version).result()
        except BrokenProcessPool:
            cause = "out of memory, or Python cannot start there"
            raise ConfigError(f"worker processes end as soon as they start: {cause}; try fewer with workers") from None
        return self._pool

    def renew(self) -> Executor:
        self.close(now=True)
        return self.open()

    def close(self, now: bool = False) -> None:
        if self._pool is None:
            return
        self._pool.shutdown(wait=not now, cancel_futures=True)
        if now:
            started = set(multiprocessing.active_children()) - self._others
            for process in started:
                process.terminate()
            for process in started:
                process.join()
        self._pool = None


class Given(Pool):
    """An executor of the caller's, who also closes it.

    Parameters
    ----------
    executor : Executor
        Whose workers can import neuroep and see the same files.
    threads : int
        Of each trial.
    """

    def __init__(self, executor: Executor, threads: int = 1) -> None:
        self.executor, self.threads = executor, threads

    def open(self) -> Executor:
        return self.executor


class Cluster(Pool):
    """A Dask cluster; its workers should have one thread each.

    Parameters
    ----------
    address : str
        Of the scheduler, ``tcp://host:8786``.
    timeout : float
        Longest wait for it [s].
    threads : int
        Of each trial.

    Raises
    ------
    ConfigError
        If ``distributed`` is not installed.
    """

    def __init__(self, address: str, timeout: float = TIMEOUT, threads: int = 1) -> None:
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise ConfigError("a cluster needs the package 'distributed': pip install 'neuroep[cluster]'") from None
        if not address.strip():
            raise ConfigError("cluster is '': give the address of a scheduler, tcp://HOST:8786")
        self.address, self.timeout, self.threads = address, timeout, threads
        self._client: Client | None = None
        self._deserted = False

    def open(self) -> Executor:
        from distributed import Client

        _quieten()
        within = f"cannot be reached within {self.timeout:g} s"
        try:
            with ThreadPoolExecutor(1) as thread:  # a notebook's own thread has a loop that runs
                thread.submit(_meet, self.address, self.timeout).result()
            self._client = client = Client(self.address, timeout=self.timeout, set_as_default=False)
        except Exception as error:  # whatever lies at that address may make of a greeting
            _disarm(error)
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(f"cluster '{self.address}' {within}: {reason}") from None
        try:
            client.wait_for_workers(1, timeout=self.timeout)
        except (TimeoutError, OSError):
            self.close(now=True)
            raise ConfigError(f"cluster '{self.address}' has no worker within {self.timeout:g} s: start one") from None
        self._check_versions(client)
        executor: Executor = client.get_executor(pure=False)
        return executor

    def _check_versions(self, client: Client) -> None:
        """Refuse workers that cannot import neuroep, or have another version."""
        try:
            versions = client.run(workers.version)
        except Exception as error:  # whatever a worker's import raises
            self.close(now=True)
            raise ConfigError(f"cluster '{self.address}': a worker cannot import neuroep: {error}") from None
        for worker, found in versions.items():
            if found != __version__:
                self.close(now=True)
                raise ConfigError(f"cluster '{self.address}': {worker} has neuroep {found}, here it is {__version__}")

    def close(self, now: bool = False) -> None:
        if self._client is not None:
            self._client.close(timeout=self.timeout)
            self._client = None

    def check(self) -> None:
        workers = self._workers()
        if workers is None:
            cure = "run the same command again: finished trials are kept"
            raise ConfigError(f"cluster '{self.address}' was lost; {cure}")
        if workers and self._deserted:
            _log.warning("cluster '%s': a worker has come, the sweep goes on", self.address)
        elif not workers and not self._deserted:
            how = "waiting for new ones; Ctrl-C ends the sweep, finished trials are kept"
            _log.warning("cluster '%s': no worker is left, %s", self.address, how)
        self._deserted = not workers

    def _workers(self) -> int | None:
        """Return how many workers the scheduler has, None where it cannot be asked."""
        if self._client is None or self._client.status != "running":
            return None
        try:
            return len(self._client.nthreads())
        except Exception:  # whatever a connection that breaks just now raises
            return None


class _NotOfDask(logging.Filter):
    """Drops what asyncio says of tasks that Dask has left behind, at the latest when Python ends."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        told = f"{record.getMessage()} {type(error).__module__}"
        return not any(name in told for name in LOGGERS)


def _meet(address: str, timeout: float) -> None:
    """Greet a scheduler and leave.

    A client that fails while it is made waits long, and closes itself with a traceback behind the line that says so; of
    what answers nothing it waits for an answer for ever.
    """
    from distributed.comm import connect, parse_address
    from distributed.security import Security

    async def greet() -> None:
        comm = await connect(address, timeout=timeout, **Security().get_connection_args("client"))
        comm.abort()

    if parse_address(address)[0] != "inproc":  # that is a loop of this process, and no other can greet it
        asyncio.run(asyncio.wait_for(greet(), timeout + 1))


def _disarm(error: BaseException) -> None:
    """Take a client that could not be made for closed, so that it does not try once more as it vanishes."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        made = frame.f_locals.get("self")
        if made is not None and type(made).__name__ == "Client" and hasattr(made, "status"):
            made.status = "closed"


def _quieten() -> None:
    """Let the line that ends a sweep be the only one about what is lost.

    Dask gives its loggers levels of their own, so that one for all of them is not enough.
    """
    known = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in LOGGERS]
    for name in {*LOGGERS, *known}:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    waiting = logging.getLogger("asyncio")
    if not any(isinstance(held, _NotOfDask) for held in waiting.filters):
        waiting.addFilter(_NotOfDask())


def is_lost(error: BaseException) -> bool:
    """Tell a trial whose worker ended from one that failed; Dask's error is known by name, to import nothing."""
    return isinstance(error, CancelledError) or type(error).__name__ == "KilledWorker"
