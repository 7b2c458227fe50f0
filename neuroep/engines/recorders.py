"""Recorders: what is kept of a phase while it settles, sweep by sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from neuroep.engines.state import State
from neuroep.errors import ConfigError, unknown


class Course(Protocol):
    """What a recorder asks of a settling phase after a sweep."""

    @property
    def change(self) -> float:
        """max|delta s| / dt of the sweep."""
        ...

    def energy(self) -> np.ndarray:
        """(batch,) energy F_beta."""
        ...

    def copy(self) -> State:
        """State that later sweeps do not move."""
        ...


@dataclass
class Trace:
    """What was recorded, one entry per sweep."""

    change: list[float] = field(default_factory=list)
    """max|delta s| / dt of the sweep."""
    energy: list[np.ndarray] = field(default_factory=list)
    """(batch,) energy F_beta after the sweep."""
    states: list[State] = field(default_factory=list)
    """Copies of the states after each sweep."""

    def then(self, later: Trace) -> Trace:
        """Return this trace followed by a later one."""
        return Trace(self.change + later.change, self.energy + later.energy, self.states + later.states)


RECORDERS: Mapping[str, Callable[[Trace, Course], Any]] = {
    "change": lambda trace, course: trace.change.append(course.change),
    "energy": lambda trace, course: trace.energy.append(course.energy()),
    "states": lambda trace, course: trace.states.append(course.copy()),
}
"""By name: what writes one entry of a trace. The change comes first, as it stops a phase that is not finite."""


def chosen(names: Iterable[str]) -> list[Callable[[Trace, Course], Any]]:
    """Return the recorders of these names, in the order of ``RECORDERS``.

    Raises
    ------
    ConfigError
        For an unknown name.
    """
    wanted = tuple(names)
    for name in wanted:
        if name not in RECORDERS:
            raise ConfigError(unknown("record", name, RECORDERS))
    return [recorder for name, recorder in RECORDERS.items() if name in wanted]
