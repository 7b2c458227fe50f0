"""Output folders that appear complete or not at all, as run directories do."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from neuroep.runs.folders import appearing, check_free

__all__ = ["appearing", "check_free", "unused"]


def unused(path: Path) -> Path:
    """Return ``path``, or ``path-2``, ``path-3``... if that is taken."""
    if not path.exists():
        return path
    return next(other for n in count(2) if not (other := path.with_name(f"{path.name}-{n}")).exists())
