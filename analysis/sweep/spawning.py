# Tested by tests/analysis/sweep/test_processes.py
"""Worker processes that need nothing of the program that starts them.

A spawned process runs the main module of its parent anew, under another name, so that functions from there can be
sent to it. Nothing of a sweep is from there, and often it cannot be run: Python that is read from standard input, as
in job scripts, has no file, and a script without ``if __name__ == "__main__"`` would start its sweep once more. So
these processes are started without it. Nothing heavy is imported here: a worker reads this module before its threads
are limited.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from hw_models.reading import Page

if TYPE_CHECKING:
    from multiprocessing.popen_spawn_posix import Popen

MAIN = ("init_main_from_path", "init_main_from_name")
"""What a child is told of its parent's main module."""
_TURN = threading.Lock()


class Worker(SpawnProcess):
    """A spawned process that knows no main module."""

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Popen:
        with _without_main():
            return SpawnProcess._Popen(process_obj)  # type: ignore[attr-defined]


class Context(SpawnContext):
    """Makes such processes."""

    Process = Worker


@contextmanager
def _without_main() -> Iterator[None]:
    """Leave the main module out of what this thread tells a child."""
    told, own = spawn.get_preparation_data, threading.get_ident()

    def plain(name: str) -> Page:
        data = told(name)
        return data if threading.get_ident() != own else {k: v for k, v in data.items() if k not in MAIN}

    with _TURN:
        told, spawn.get_preparation_data = spawn.get_preparation_data, plain  # type: ignore[assignment]
        try:
            yield
        finally:
            spawn.get_preparation_data = told
