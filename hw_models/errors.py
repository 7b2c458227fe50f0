# Tested by tests/neuroep/test_errors.py.
"""Failures a user can mend, and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from hw_models.text import one_line, shown


class UserError(Exception):
    """A failure that a user can mend; the base of all such of the three packages.

    Its text is one line: the field, the value, what is allowed, the nearest valid name. Values in it are cut, and
    control characters escaped, wherever they came from: see :func:`hw_models.text.one_line`.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class ChipError(UserError, ValueError):
    """A chip that cannot be: unknown key or preset, value out of range."""


def reason(error: Exception) -> str:
    """Return what the system says of a file that cannot be used, or what the error says."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def nearest(name: object, allowed: Iterable[object]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest allowed name, or an empty string."""
    names = {str(a).lower(): str(a) for a in allowed}
    close = difflib.get_close_matches(_named(name).lower(), names, n=1, cutoff=0.5)
    return f"; did you mean '{names[close[0]]}'?" if close else ""


def unknown(what: str, name: object, allowed: Iterable[object]) -> str:
    """Return the line for a name outside a closed set.

    Parameters
    ----------
    what : str
        What the name should have been, for example ``"potential"``.
    name : object
        What was given.
    allowed : iterable
        The valid names, listed in the line.
    """
    names = [str(a) for a in allowed]
    name = " ".join(_named(name).split())
    return f"unknown {what} '{name}': allowed are {', '.join(names)}{nearest(name, names)}"


def _named(name: object) -> str:
    """Return a name as text, whatever was given for one."""
    return name if isinstance(name, str) else shown(name)
