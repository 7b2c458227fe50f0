# Tested by tests/analysis/test_folders.py.
"""Output folders that appear complete or not at all.

A folder is made under a temporary name, ``.NAME.PROCESS.partial``, and renamed when everything is in it. What a killed
process leaves is removed by the next one that makes a folder of that name.
"""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hw_models.whole_files import kind
from neuroep.errors import ConfigError, nearest_path, reason
from neuroep.runs import locks


def absence(path: Path) -> str:
    """Say why a path is no directory."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return f"does not exist{nearest_path(path)}"
    except (OSError, ValueError) as error:
        return f"cannot be opened: {reason(error)}"
    return f"is {kind(mode)}"


def check_free(path: str | Path, cure: str = "choose a new or empty one") -> None:
    """Refuse a directory that cannot appear by being renamed, or that would be overwritten.

    Parameters
    ----------
    path : str or Path
        The directory to come.
    cure : str
        What to do about one that holds something, the end of the error line.

    Raises
    ------
    ConfigError
        If it is the working directory or one above, is no directory, is a link, or holds anything.
    """
    path = Path(path)
    if "\0" in str(path):
        raise ConfigError(f"output '{path}': its name holds a NUL character")
    if path.name in ("", "..") or Path.cwd().is_relative_to(os.path.realpath(path)):
        raise ConfigError(f"out is '{path}': name a new directory, as the run directory is renamed into place")
    if os.path.lexists(path) and not os.path.isdir(path):
        what = kind(os.stat(path).st_mode) if os.path.exists(path) else "a link that leads to no directory"
        raise ConfigError(f"output '{path}' is {what}: a new or empty directory is needed")
    if os.path.isdir(path) and os.listdir(path):
        raise ConfigError(f"output directory '{path}' is not empty: {cure}")
    if os.path.islink(path):  # a directory cannot be renamed over it, which would be seen when all is computed
        raise ConfigError(f"output '{path}' is a link: name the directory it leads to, '{os.path.realpath(path)}'")


def check_absent(path: str | Path) -> None:
    """Refuse a file that would be overwritten, which may hold what somebody wrote by hand.

    Raises
    ------
    ConfigError
        If there is one; other things of that name are refused where the file is written.
    """
    if "\0" not in str(path) and os.path.isfile(path):
        raise ConfigError(f"file '{path}' is there: name another one, or write over it with --force")


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a temporary folder to write to; it becomes ``path`` at the end, and vanishes if anything fails.

    Raises
    ------
    ConfigError
        If ``path`` is not free, or cannot be written.
    """
    check_free(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        partial, lock = _partial(path)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        yield partial
        try:
            partial.replace(path)
        except OSError as error:
            raise unwritable(path, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _partial(path: Path) -> tuple[Path, int | None]:
    """Make the temporary folder and lock it, so that none but a dead process's is ever cleared."""
    while True:
        partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
        partial.mkdir()
        lock = locks.take_folder(partial)
        if partial.is_dir():  # else another process took it for a dead one's, before it was locked
            return partial, lock
        if lock is not None:
            os.close(lock)


def _clear(path: Path) -> None:
    """Remove the temporary folders of that name whose processes were killed."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        lock = locks.take_folder(left)
        if lock is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)


def unwritable(path: Path, error: OSError) -> ConfigError:
    above = next((each for each in path.parents if each.exists() and not each.is_dir()), None)
    why = error.strerror or error if above is None else f"'{above}' is no directory"
    return ConfigError(f"output directory '{path}' cannot be written: {why}")
