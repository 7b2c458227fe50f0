"""What every law of devices says of itself: its name on a chip, equation, unit, source, and the fields it alone takes.

A law is an object. Those of one kind stand in a registry at the end of their file, and whoever needs to know what a law
does asks the law. The description of a chip takes from the registry which names it allows, what its fields mean and
which of them act, so that a law is added in its own file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, TypeVar


class Law:
    """A law of devices; symbols and shapes in the file of each kind."""

    name: ClassVar[str] = ""
    """Under which a chip asks for it; empty where there is one law of the kind."""
    equation: ClassVar[str] = ""
    """In one line."""
    unit: ClassVar[str] = "1"
    """Of the size that a chip gives it."""
    source: ClassVar[str] = ""
    """Paper, or common usage."""
    takes: ClassVar[Mapping[str, str]] = {}
    """Fields of the description that not every law of the kind takes, with what they mean to this one."""

    @property
    def about(self) -> str:
        """What the law says in words: the first line of its docstring."""
        return (self.__doc__ or "").partition("\n")[0]


AnyLaw = TypeVar("AnyLaw", bound=Law)


def registry(*laws: AnyLaw) -> Mapping[str, AnyLaw]:
    """Return laws by name."""
    return {law.name: law for law in laws}


def menu(laws: Mapping[str, Law]) -> str:
    """Return the equations of laws of one kind, for the field that chooses between them."""
    return "; ".join(f"{name}: {law.equation}" for name, law in laws.items()) + "."


def meaning(laws: Mapping[str, Law], field: str) -> str:
    """Return what a field means to the laws that take it."""
    return "; ".join(f"{name}: {law.takes[field]}" for name, law in laws.items() if field in law.takes) + "."


def taken(laws: Mapping[str, Law]) -> list[str]:
    """Return the fields that some laws of a kind take and others do not."""
    return list(dict.fromkeys(field for law in laws.values() for field in law.takes))


def missing(laws: Mapping[str, Law], chosen: Law) -> Iterator[tuple[str, str]]:
    """Yield each field that the chosen law does not take, and the names of those that do."""
    for field in taken(laws):
        if field not in chosen.takes:
            yield field, either(name for name, law in laws.items() if field in law.takes)


def either(names: Iterable[str]) -> str:
    """Return "a, b or c"."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
