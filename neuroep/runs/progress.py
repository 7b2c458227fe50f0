"""Progress bars: on a terminal or in a notebook, for whoever wants one."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from hw_models.text import plain

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")


def hidden(progress: bool) -> bool | None:
    """Return what tqdm is told by ``disable``: None shows a bar on a terminal only, as others would keep its lines."""
    if not progress:
        return True
    return False if in_notebook() else None


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook, whose cells show a bar as a terminal does."""
    return "ipykernel" in sys.modules


def bar(items: Iterable[Item], total: int, label: str, progress: bool, unit: str = "batch") -> tqdm[Item]:
    """Wrap items in a progress bar that vanishes at its end.

    Parameters
    ----------
    items : iterable
        What is gone through.
    total : int
        How many they are.
    label : str
        Ahead of the bar; control characters are escaped.
    progress : bool
        Whether one is wanted.
    unit : str
        What they are.
    """
    from tqdm import tqdm

    return tqdm(items, total=total, desc=plain(label), unit=unit, leave=False, disable=hidden(progress))
