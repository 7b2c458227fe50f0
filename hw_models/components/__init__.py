# Tested by tests/hw_models/cost/test_constants.py.
"""Components of chips: tables of constants from papers, one TOML file each, with node, source and what they include.

    hw_models.components.names()
    hw_models.components.load("shafiee_2016_adc")

A file holds ``about``, ``node`` [nm] (none where there is none), ``kind`` (measured, simulated or projected),
``includes``, ``leaves_out``, ``source``, ``encoding`` where its constants hold for one of ``dac.encoding`` alone, and
the table ``constants``, whose names and units are the fields of :class:`hw_models.chip.cost.Cost`. Nothing is scaled
from one node to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hw_models.errors import ChipError, unknown
from hw_models.reading import read_toml

KINDS = ("measured", "simulated", "projected")
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Component:
    """A table of constants."""

    name: str
    about: str
    node: float | None
    """[nm]"""
    kind: str
    """One of :data:`KINDS`."""
    includes: tuple[str, ...]
    leaves_out: tuple[str, ...]
    source: str
    constants: Mapping[str, float | str | dict[str, float]]
    """By the name of a field of :class:`hw_models.chip.cost.Cost`, in its unit."""
    encoding: str = ""
    """What carries inputs, as ``dac.encoding``, where the constants hold for that alone."""

    def as_text(self) -> str:
        """Return one line: what it is, node, kind, source."""
        node = "" if self.node is None else f", {self.node:g} nm"
        return f"{self.name}: {self.about} ({self.kind}{node}); {self.source}"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all components."""
    return tuple(sorted(path.stem for path in _HERE.glob("*.toml")))


@cache
def load(name: str) -> Component:
    """Return a component.

    Raises
    ------
    ChipError
        If there is none of that name.
    """
    if name not in names():
        raise ChipError(unknown("component", name, names()))
    page = dict(read_toml(_HERE / f"{name}.toml"))
    page |= {field: tuple(page.get(field, ())) for field in ("includes", "leaves_out")}
    return Component(name=name, **{"node": None, **page})


def listing() -> str:
    """Return a line for each component."""
    return "\n".join(load(name).as_text() for name in names())
