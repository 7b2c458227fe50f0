# Tested by tests/neuroep/test_errors.py.
"""Failures a user can mend, and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from hw_models.text import one_line, shown

FEW = 4
"""Names much alike, among which the one with the fewest slips is taken."""
BEGUN = 2
"""Letters from which on a word may be the beginning of a longer name."""
ALIKE = 0.75
"""How much alike the names of two files or folders are, from which on one may be meant by the other (1: the same)."""


_COMMANDS: ContextVar[bool] = ContextVar("commands", default=False)


@contextmanager
def of_commands() -> Iterator[None]:
    """Let lines inside speak to whoever typed a command; elsewhere they speak to whoever wrote Python."""
    token = _COMMANDS.set(True)
    try:
        yield
    finally:
        _COMMANDS.reset(token)


def given_as(option: str, argument: str) -> str:
    """Return how a line names what is given: by an option of the command, or by an argument in Python.

    Parameters
    ----------
    option : str
        On the command line, ``--resume``.
    argument : str
        In a script or a notebook, ``resume=True``.
    """
    return option if _COMMANDS.get() else argument


def setting(name: str, value: object) -> str:
    """Return how a setting of a configuration is given: ``--chip pcm``, or ``overrides=["--chip", "pcm"]``."""
    return given_as(f"--{name} {value}", f'overrides=["--{name}", "{value}"]')


class UserError(Exception):
    """A failure that a user can mend; the base of all such of the three packages.

    Its text is one line: the field, the value, what is allowed, the nearest valid name. Values in it are cut, and
    control characters escaped, wherever they came from: see :func:`hw_models.text.one_line`. An error of several
    arguments, as of a file with several faults, has a line for each.
    """

    @property
    def lines(self) -> list[str]:
        """Its lines: one for each fault."""
        told = self.args if len(self.args) > 1 else (super().__str__(),)
        return [one_line(each) for each in told]

    def __str__(self) -> str:
        return "\n".join(self.lines)


class ChipError(UserError, ValueError):
    """A chip that cannot be: unknown key or preset, value out of range."""


def reason(error: Exception) -> str:
    """Return what the system says of a file that cannot be used, or what the error says."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def nearest(name: object, allowed: Iterable[object]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest allowed name, or an empty string.

    A name that begins with what was given is closer than one that is as long: ``--resp`` is short for ``--response``,
    though fewer letters make it ``--help``.
    """
    names, given = {str(a).lower(): str(a) for a in allowed}, _named(name).lower()
    if begins := begun(given, names):
        return f"; did you mean '{names[min(begins, key=len)]}'?"
    close = difflib.get_close_matches(given, names, n=FEW, cutoff=0.5)
    # Letters that changed places count as two in what difflib compares, and "acd" is as near to "dac" as to "adc".
    best = min(close, key=lambda one: slips(given, one), default=None)
    return f"; did you mean '{names[best]}'?" if best is not None else ""


def begun(given: str, names: Iterable[str]) -> list[str]:
    """Return the names that a word is the beginning of, if it has letters enough."""
    return [one for one in names if one.startswith(given)] if len(given.lstrip("-")) >= BEGUN else []


def nearest_path(path: Path, ending: str = "") -> str:
    """Return ``"; did you mean 'x'?"`` for what lies beside a path and has a name much like it, or nothing.

    Parameters
    ----------
    path : Path
        Where nothing is, or nothing that can be used.
    ending : str
        Of the files that may be meant, as ``.toml``, whatever the ending that was given; empty means folders.
    """
    try:
        there = [one for one in path.parent.iterdir() if _meant(one, ending)]
    except (OSError, ValueError):
        return ""
    named = {(one.stem if ending else one.name): one for one in there}
    close = difflib.get_close_matches(path.stem if ending else path.name, named, n=1, cutoff=ALIKE)
    return f"; did you mean '{named[close[0]]}'?" if close else ""


def _meant(one: Path, ending: str) -> bool:
    return one.suffix.lower() == ending if ending else one.is_dir() and not one.name.startswith(".")


def slips(given: str, meant: str) -> int:
    """Return by how many slips of typing two words differ: letters left out, put in, mistaken, or exchanged."""
    ahead: list[int] = []
    above = list(range(len(meant) + 1))
    for n, letter in enumerate(given, 1):
        row = [n]
        for m, other in enumerate(meant, 1):
            cost = min(above[m] + 1, row[m - 1] + 1, above[m - 1] + (letter != other))
            if n > 1 and m > 1 and letter == meant[m - 2] and given[n - 2] == other:
                cost = min(cost, ahead[m - 2] + 1)
            row.append(cost)
        ahead, above = above, row
    return above[-1]


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
