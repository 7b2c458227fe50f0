"""Small text files that others wrote, TOML and JSON: what they hold, or one line that says what is wrong.

The parsers of the standard library let a few faults through as errors of their own: brackets nested beyond the
interpreter's stack, numbers of more digits than Python converts, bytes that are no UTF-8, a NUL in a name.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hw_models.text import shown

Text = TypeVar("Text", bound=str | bytes)
Found = TypeVar("Found")
Page = dict[str, Any]
"""Plain values by name, as TOML and JSON hold them."""
Entries = Mapping[str, Any]
"""A page that is only read."""

DEEPEST = 16
"""Tables or lists inside each other; what is read here has at most five."""
LARGEST = 2**63
"""Whole numbers are smaller, as TOML has it."""
MOST_BYTES = 8 * 2**20
"""Size of a file; what is read here has a few thousand."""


def read_toml(path: str | Path) -> Page:
    """Return the tables of a TOML file, checked as :func:`check` does.

    Raises
    ------
    OSError
        If it cannot be opened.
    ValueError
        If it is no TOML, with the reason.
    """
    values = parse_toml(read_text(path))
    check(values)
    return values


def read_json(path: str | Path) -> Any:
    """Return what a JSON file holds; errors as of :func:`read_toml`."""
    return parse_json(read_text(path))


def read_text(path: str | Path) -> str:
    """Return the text of a file.

    Raises
    ------
    OSError
        If it cannot be opened; also where its name holds a NUL character, which no file's name can, and where it is
        no plain file: a device or a pipe may have no end.
    ValueError
        If its bytes are no UTF-8, or more than :data:`MOST_BYTES`.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "its name holds a NUL character", str(path))
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is a device or a pipe, no plain file", str(path))
    with Path(path).open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    try:
        # As when text is read: the line ends of other systems count as one. Editors of Windows begin with a mark.
        return raw.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is no UTF-8") from None


def parse_toml(text: str) -> Page:
    """Return the tables of a text of TOML.

    Raises
    ------
    ValueError
        If it is none, with the reason.
    """
    return _parsed(tomllib.loads, text)


def parse_json(text: str | bytes) -> Any:
    """Return the value of a text of JSON.

    Raises
    ------
    ValueError
        If it is none, with the reason.
    """
    return _parsed(json.loads, text)


def _parsed(parse: Callable[[Text], Found], text: Text) -> Found:
    try:
        return parse(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is no UTF-8") from None
    except ValueError as error:
        # Of a number of more than 4,300 digits Python advises to change its own limits.
        reason = "a number has too many digits" if "set_int_max_str_digits" in str(error) else str(error)
        raise ValueError(reason) from None


def check(values: Entries) -> None:
    """Refuse nested plain values that no setting can have, whatever it is.

    Raises
    ------
    ValueError
        For a NUL character or half a surrogate pair (a byte that was no UTF-8) in a text, a whole number of more than
        64 bits, and tables nested too deeply: the dotted name, the value, what is allowed.
    """
    waiting: list[tuple[tuple[str, ...], object]] = [((), values)]
    while waiting:
        place, value = waiting.pop()
        fault = _fault(value) or (len(place) > DEEPEST and "is nested too deeply")
        if fault:
            raise ValueError(f"{'.'.join(place)} = {shown(value)}: {fault}")
        if isinstance(value, Mapping):
            waiting += [((*place, str(name)), inner) for name, inner in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [((*place, str(number)), inner) for number, inner in enumerate(value)]


def _fault(value: object) -> str:
    """Return what is wrong with a single value, empty if nothing is."""
    if isinstance(value, str) and "\0" in value:
        return "holds a NUL character"
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        return "holds a byte that is no UTF-8 text"
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        return "whole numbers have at most 64 bits"
    return ""
