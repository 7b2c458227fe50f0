"""Failures a user can mend, and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from hw_models.text import one_line, shown


class ChipError(ValueError):
    """A chip that cannot be: unknown key or preset, value out of range. Its text is one line."""

    def __str__(self) -> str:
        return one_line(super().__str__())


def nearest(name: object, allowed: Iterable[object]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest allowed name, or an empty string."""
    close = difflib.get_close_matches(_named(name), [str(a) for a in allowed], n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


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
