"""Output folders that appear complete or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from neuroep.errors import ConfigError


def check_free(path: Path) -> None:
    """Refuse a folder whose files would be overwritten.

    Raises
    ------
    ConfigError
        If it is a file, or holds anything.
    """
    if path.exists() and not path.is_dir():
        raise ConfigError(f"output '{path}' is a file: a new or empty directory is needed")
    if path.is_dir() and any(path.iterdir()):
        raise ConfigError(f"output directory '{path}' is not empty: choose a new or empty one")


def unused(path: Path) -> Path:
    """Return ``path``, or ``path-2``, ``path-3``... if that is taken."""
    if not path.exists():
        return path
    return next(other for n in count(2) if not (other := path.with_name(f"{path.name}-{n}")).exists())


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a temporary folder to write to; it becomes ``path`` at the end, and vanishes if anything fails.

    Raises
    ------
    ConfigError
        If ``path`` is not free, or cannot be written.
    """
    check_free(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"output directory '{path}' cannot be written: {error.strerror or error}") from None
    try:
        yield partial
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
