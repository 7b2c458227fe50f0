# Tested by tests/neuroep/runs/test_damage.py.
"""What an engine takes back from a checkpoint beside the weights, checked before anything of it is used.

A moment of another shape would reach kernels that do not check bounds, and one that is missing would silently start
from zero. So names, shapes and kinds of numbers must be those the engine itself keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hw_models.clock import LASTING
from hw_models.tally import Tally
from neuroep.engines.parts import TALLY
from neuroep.errors import CheckpointError, nearest

LOOSE = (TALLY, *LASTING)
"""Ends of the names of what may be missing, and of any length."""
UPDATES = "updates"
"""Last part of the name under which an array keeps the number of its updates."""


@dataclass(frozen=True)
class Entry:
    """One array of an engine's state."""

    shape: tuple[int, ...]
    kind: str
    """``f``, ``i``, ``u`` or ``b``, as :attr:`numpy.dtype.kind`."""
    moment_of: str = ""
    """Name of the entry that counts the updates which make it; it is there from the first one on."""
    optional: bool = False
    """Whether it may be missing, and be of any length, as a tally or noise that lasts."""
    absent: bool = False
    """Whether it may be missing."""

    @classmethod
    def like(cls, name: str, array: np.ndarray) -> Entry:
        """Describe an array that the engine keeps already under that name."""
        return cls(array.shape, array.dtype.kind, optional=name.endswith(LOOSE))


def check(state: Mapping[str, np.ndarray], expected: Mapping[str, Entry]) -> None:
    """Refuse a state that is not one of this engine.

    Parameters
    ----------
    state : mapping
        Arrays by name.
    expected : mapping
        What the engine keeps.

    Raises
    ------
    CheckpointError
        Naming the first array that is missing, unknown, of another shape or kind, a moment that is not finite, or a
        tally that cannot be read.
    """
    for name in state:
        if name not in expected:
            raise CheckpointError(f"optimiser state '{name}' is unknown to this engine{nearest(name, expected)}")
    for name, entry in expected.items():
        if name not in state:
            if entry.optional or entry.absent or (entry.moment_of and not int(state[entry.moment_of])):
                continue
            raise CheckpointError(f"optimiser state '{name}' is missing: the engine needs shape {entry.shape}")
        given = np.asarray(state[name])
        entry = replace(entry, shape=(given.size,)) if entry.optional else entry
        if given.shape != entry.shape or given.dtype.kind != entry.kind:
            found = f"has shape {given.shape} of {given.dtype.name}"
            wanted = f"{entry.shape} of {'floating' if entry.kind == 'f' else 'whole'} numbers"
            raise CheckpointError(f"optimiser state '{name}' {found}: the engine needs {wanted}")
        if entry.moment_of and not np.isfinite(given).all():
            raise CheckpointError(f"optimiser state '{name}' is not finite")
        if name.endswith(TALLY):
            _check_tally(name, given)
        if name.endswith(f".{UPDATES}") and int(given) < 0:
            raise CheckpointError(f"optimiser state '{name}' is {int(given)}: allowed are whole numbers from 0")


def _check_tally(name: str, packed: np.ndarray) -> None:
    try:
        Tally().load(packed)
    except ValueError as error:
        raise CheckpointError(f"optimiser state '{name}': {error}") from None
