# Tested by tests/neuroep/test_surface.py.
"""Arguments of what users call: a misspelt keyword is refused in one line with the nearest name.

So is an argument that is missing, one too many, or given twice.
"""

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
        What is raised for a keyword that the function does not have, or an argument missing or too many.
    hints : mapping, optional
        By keyword, what to say of one that belongs elsewhere.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        names = [name for name in signature.parameters if name not in ("self", "cls")]
        label = function.__qualname__.removesuffix(".__init__")

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for name in kwargs:
                if name not in names:
                    hint = (hints or {}).get(name)
                    raise error(f"keyword '{name}': {hint}" if hint else unknown(f"keyword of {label}", name, names))
            try:
                signature.bind(*args, **kwargs)
            except TypeError as wrong:
                raise error(f"{label}: {wrong}; its arguments are {_written(signature)}") from None
            return function(*args, **kwargs)

        return call

    return decorate


def _written(signature: inspect.Signature) -> str:
    """Return the parameters of a function by name: those by position or keyword, then those by keyword alone."""
    found = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    alone = [one.name for one in found if one.kind is one.KEYWORD_ONLY]
    either = ", ".join(one.name for one in found if one.kind is not one.KEYWORD_ONLY)
    return either + (f"{'; ' if either else ''}by keyword {', '.join(alone)}" if alone else "")
