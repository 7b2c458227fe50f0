# Tested by tests/neuroep/data/test_loading.py.
"""Places that a user names, and how an error shows what stands in a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hw_models.text import short, shown
from neuroep.errors import DataError, reason

StrPath = str | os.PathLike[str]
_MANY = 20


def located(path: str | os.PathLike[str], what: str) -> Path:
    """Return a path with ``~`` resolved.

    Parameters
    ----------
    path : str or path
        What was given.
    what : str
        What it is, the start of an error line.

    Raises
    ------
    DataError
        If it cannot be the name of a file: a NUL byte, a name that is too long, a home folder of nobody.
    """
    if not isinstance(path, str | os.PathLike):
        raise DataError(f"{what} {shown(path)} cannot be: the name of a file or folder is needed")
    try:
        place = Path(path).expanduser()
        place.exists()
        if "\0" in str(place):
            raise ValueError("it holds a NUL character")
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{what} '{short(str(path))}' cannot be: {reason(error)}") from None
    return place


def listed(names: Sequence[str]) -> str:
    """Return names for an error line, the first 20 of them."""
    more = f", and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(short(name) for name in names[:_MANY]) + more
