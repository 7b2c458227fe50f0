"""Arguments that Python callers give by position or keyword: what is no such thing is refused in one line.

A configuration checks its own fields; these are the arguments beside it, of which the type would else be told by an
error from deep inside, or not at all.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Sequence

import numpy as np

from hw_models.text import shown
from neuroep.errors import ConfigError, DataError


def check_path(name: str, value: object, wanted: str) -> None:
    """Refuse what is no path; ``wanted`` says of what."""
    if not isinstance(value, str | os.PathLike) or isinstance(value, bytes):
        raise ConfigError(f"{name} is {shown(value)}: give the path of {wanted}")


def check_kind(name: str, value: object, kind: type, wanted: str) -> None:
    """Refuse what is neither None nor of a kind."""
    if value is not None and not isinstance(value, kind):
        raise ConfigError(f"{name} is {shown(value)}: give {wanted}")


def check_overrides(overrides: Sequence[str], name: str = "overrides") -> None:
    """Refuse what is no list of pairs of setting and value."""
    example = "for example ['--epochs', '3']"
    if not isinstance(overrides, str | list | tuple):
        raise ConfigError(f"{name} is {shown(overrides)}: give a list of settings and values, {example}")
    if isinstance(overrides, str) or len(overrides) % 2:
        last = overrides if isinstance(overrides, str) else overrides[-1]
        raise ConfigError(f"{name} end with '{last}': they are pairs, {example}")
    for option in overrides[::2]:
        if not isinstance(option, str):
            raise ConfigError(f"{name} hold {shown(option)} where the name of a setting should be: {example}")


def whole(name: str, value: object, least: int = 1) -> int:
    """Return a whole number, of any such type, as an int; refuse all else, and what is below the least."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise ConfigError(f"{name} is {shown(value)}: allowed are whole numbers from {least}")
    return number


def check_seconds(name: str, value: object) -> None:
    """Refuse what is no time [s] that can have passed."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not 0 <= float(value) < math.inf:  # type: ignore[arg-type]
        raise ConfigError(f"{name} is {shown(value)}: allowed are finite numbers of seconds from 0")


def samples(name: str, value: object, count: int, where: str) -> np.ndarray:
    """Return numbers of samples (chosen,) of the ``count`` there are, as int64.

    Raises
    ------
    DataError
        If they are no list of whole numbers from 0, there are none, or one is beyond the last.
    """
    allowed = f"{where} has {count} sample{'s' * (count != 1)}, give at least one by its number, 0 to {count - 1}"
    try:
        numbers = np.asarray(value)
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not numbers.size:
        raise DataError(f"{name} is {' '.join(shown(value).split())}: {allowed}")
    beyond = numbers[(numbers < 0) | (numbers >= count)]
    if beyond.size:
        raise DataError(f"{name} holds {beyond[0]}: {allowed}")
    return numbers.astype(np.int64)
