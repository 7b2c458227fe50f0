"""Failures a user can mend: each carries one clear line, and the command line turns it into exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NeuroepError(Exception):
    """A failure whose text is one line: the field, the value, what is allowed, the nearest valid name."""


class ConfigError(NeuroepError):
    """A setting that cannot be: unknown key, wrong type, value out of range."""


class DataError(NeuroepError):
    """Data that cannot be used: missing file, unreadable vectors, empty split, label out of range, NaN."""


class CheckpointError(NeuroepError):
    """A checkpoint or run directory that cannot be read, or that belongs to another network."""


class DivergenceError(NeuroepError):
    """A state or a weight is no longer finite.

    Parameters
    ----------
    where : str
        Layer or synapse in which it was seen.
    step : int
        Settle step (states) or update number (weights), counted from 1.
    what : str
        ``"state"`` or ``"weight"``.
    """

    def __init__(self, where: str, step: int, what: str = "state") -> None:
        self.where, self.step, self.what = where, step, what
        counted = "settle step" if what == "state" else "update"
        cure = "smaller weights, learning rate or beta"
        super().__init__(f"diverged: {what} of '{where}' is not finite at {counted} {step}; try {cure}")


def nearest(name: object, allowed: Iterable[object]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest allowed name, or an empty string."""
    close = difflib.get_close_matches(str(name), [str(a) for a in allowed], n=1, cutoff=0.5)
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
    name = " ".join(str(name).split())
    return f"unknown {what} '{name}': allowed are {', '.join(names)}{nearest(name, names)}"
