"""Lines of a SPICE netlist: names, numbers, and long lines continued."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

WIDTH = 110
"""Letters of a line, beyond which it is continued by one that begins with +."""


def name(*parts: object) -> str:
    """Return parts joined to a name that every SPICE takes: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", "_".join(str(part) for part in parts).lower()).strip("_")


def number(value: float) -> str:
    """Return a number in as many digits as give it back exactly."""
    return repr(float(value))


def comment(line: str) -> str:
    """Return a line that SPICE passes over; a line end within it would begin a statement."""
    return "* " + " ".join(line.split()) if line else "*"


def wrapped(words: Iterable[str]) -> Iterator[str]:
    """Yield words as one statement, on as many lines as it takes."""
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > WIDTH:
            yield line
            line = "+"
        line = f"{line} {word}" if line else word
    if line:
        yield line
