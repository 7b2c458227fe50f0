# Tested by tests/neuroep/test_surface.py.
"""Keywords of what users call: a misspelt one is refused in one line with the nearest name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

from hw_models.errors import unknown

P = ParamSpec("P")
R = TypeVar("R")


def checked(
    error: type[Exception], hints: Mapping[str, str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for a function or a method that takes named keywords.

    Parameters
    ----------
    error : type
        What is raised for a keyword that the function does not have.
    hints : mapping, optional
        By keyword, what to say of one that belongs elsewhere.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        names = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
        label = function.__qualname__.removesuffix(".__init__")

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for name in kwargs:
                if name not in names:
                    hint = (hints or {}).get(name)
                    raise error(f"keyword '{name}': {hint}" if hint else unknown(f"keyword of {label}", name, names))
            return function(*args, **kwargs)

        return call

    return decorate
