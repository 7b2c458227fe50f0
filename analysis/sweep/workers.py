# Tested by tests/analysis/sweep/test_processes.py
"""What a worker process does. At its top this module imports nothing heavy: threads are limited before NumPy loads."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
from multiprocessing import connection, parent_process

from hw_models.reading import Entries, Page
from neuroep.runs.memory import keep_freed

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
NOTES = "notes"
"""Entry of a trial's page with what is to be told once, and not kept."""
MODELS = "hw_models"
"""Package whose warnings these are."""
LONGEST = 500
"""Characters kept of an error."""
_TURN = threading.Lock()
"""One trial at a time in a process: two threads in parallel kernels are not safe, and share no state otherwise."""


def prepare(threads: int) -> None:
    """Begin a worker process: its share of threads, deaf to Ctrl-C, gone when its parent is.

    Parameters
    ----------
    threads : int
        Of BLAS, OpenMP and Numba.
    """
    from tqdm import tqdm

    for name in VARIABLES:
        os.environ[name] = str(threads)
    keep_freed()
    # A bar's lock between processes is a semaphore of the system's, of which Python warns where this one is ended.
    tqdm.set_lock(threading.RLock())
    logging.getLogger("neuroep").addHandler(logging.NullHandler())  # the plan has said what there is to say, once
    # Ctrl-C reaches the whole group: the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    """End this process when its parent has ended, however: a pool's worker would wait for work for ever."""
    connection.wait([sentinel])
    os._exit(1)


def version() -> str:
    """Return the version of neuroep that this worker imports."""
    from neuroep import __version__

    return __version__


class _TrialNotes(logging.Handler):
    """Keeps what the hardware models warn of while a trial runs, each line once: a worker has nobody to tell."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines[record.getMessage()] = None

    def __enter__(self) -> None:
        logging.getLogger(MODELS).addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger(MODELS).removeHandler(self)


def run_trial(spec: Entries) -> Page:
    """Run one trial; takes and returns plain values that JSON can hold.

    Parameters
    ----------
    spec : mapping
        From :meth:`analysis.sweep.trials.Trial.spec`.

    Returns
    -------
    dict
        ``id``, ``seconds``, ``worker``, and ``result``, or ``error`` with one line if it failed in whatever way;
        ``notes``, lines of the hardware models, if there are any.
    """
    begin = time.perf_counter()
    page: Page = {"id": spec["id"]}
    notes = _TrialNotes()
    try:
        if version() != spec["version"]:
            raise RuntimeError(f"this worker has neuroep {version()}, the sweep was started with {spec['version']}")
        with _TURN, notes:
            page["result"] = _limited(spec)
    except Exception as error:  # whatever fails is this trial's result and must not stop the others
        page["error"] = line(error)
    if notes.lines:
        page[NOTES] = list(notes.lines)
    page["seconds"] = round(time.perf_counter() - begin, 4)
    page["worker"] = f"{socket.gethostname()}:{os.getpid()}"
    return page


def _limited(spec: Entries) -> Page:
    """Run it with one BLAS thread: another number may change the last bit, and the engines' own threads do not."""
    from threadpoolctl import threadpool_limits

    from analysis.sweep.execution import execute
    from neuroep.runs.directory import as_json

    with threadpool_limits(limits=1):
        return json.loads(as_json(execute(spec)))


def line(error: BaseException) -> str:
    """Return an error as one line; the type is named unless the text stands for itself."""
    from hw_models.errors import ChipError
    from neuroep.errors import NeuroepError

    text = " ".join(str(error).split())
    known = isinstance(error, NeuroepError | ChipError)
    return (text if known and text else f"{type(error).__name__}: {text}")[:LONGEST]
