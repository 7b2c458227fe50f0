"""Locks: one process writes a directory at a time; the system frees a lock however its process ends.

Some file systems have no locks (a few network mounts). There ``NEUROEP_LOCKS=off`` goes on without: that only one
process writes a directory is then for the user to see to.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hw_models.whole_files import opened
from neuroep.errors import ConfigError, unknown

try:
    import fcntl
except ImportError:  # a system without POSIX locks
    fcntl = None  # type: ignore[assignment]

NAME = "lock"
"""File in a directory that is locked; it holds the number of the process that locked it last."""
SETTING = "NEUROEP_LOCKS"
"""Variable of the environment, ``on`` (default) or ``off``."""


def wanted() -> bool:
    """Tell whether locks are to be taken.

    Raises
    ------
    ConfigError
        If the variable is set to anything but ``on`` or ``off``.
    """
    value = os.environ.get(SETTING, "on")
    if value not in ("on", "off"):
        raise ConfigError(unknown(f"value of {SETTING}", value, ("on", "off")))
    return value == "on"


def take(path: Path, what: str) -> IO[str] | None:
    """Take a lock, to be freed by closing the file; None where locks are off.

    Parameters
    ----------
    path : Path
        The lock file; made if it is not there.
    what : str
        What writes its directory, for the error's line: ``"run"``, ``"sweep"``.

    Raises
    ------
    ConfigError
        If another process holds it, or the file system has no locks.
    OSError
        If the file cannot be opened.
    """
    if not wanted():
        return None
    file = opened(path, "a+")
    try:
        _lock(file.fileno())
    except BlockingIOError:
        file.seek(0)
        holder = file.read(20).strip()
        file.close()
        by = f" by process {holder}" if holder.isdigit() else ""
        raise ConfigError(f"'{path.parent}' is being written{by}: wait for that {what} to end, or stop it") from None
    except OSError as error:
        file.close()
        cure = f"set {SETTING}=off to go on without, and let only one process write it"
        raise ConfigError(f"'{path.parent}' cannot be locked ({error.strerror or error}): {cure}") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


@contextmanager
def held(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of a directory; errors as of :func:`take`, a disk that refuses among them."""
    try:
        file = take(folder / NAME, what)
    except OSError as error:
        raise ConfigError(f"'{folder / NAME}' cannot be written: {error.strerror or error}") from None
    try:
        yield
    finally:
        if file is not None:
            file.close()


def take_folder(folder: Path) -> int | None:
    """Lock a folder itself, without a file; return its handle, None if it is locked or locks are not to be had."""
    if not wanted():
        return None
    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        _lock(handle)
    except OSError:
        if handle is not None:
            os.close(handle)
        return None
    return handle


def _lock(handle: int) -> None:
    if fcntl is None:
        raise OSError("this system has none")
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
