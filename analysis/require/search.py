"""Where a grid begins to meet a target, along one field and along two, from few verdicts.

Indices are ordered so that what meets the target is said to be above. That accuracy does not fall along a field is an
assumption: it is what lets a verdict stand for all points on one side. The functions here ask for verdicts, and
:func:`violations` tells what of those known contradicts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Ask = Callable[[int], bool]
"""Whether the point of an index meets the target."""


def bisect(ask: Ask, count: int, low: int = -1) -> int:
    """Return the first index that meets the target; ``count`` if none does.

    Parameters
    ----------
    ask : callable
        Whether the point of an index meets it.
    count : int
        Number of points.
    low : int
        Index known to miss it, and with it all below; -1 knows of none.
    """
    if not ask(count - 1):
        return count
    high = count - 1
    if low < 0:
        if high == 0 or ask(0):
            return 0
        low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ask(middle) else (middle, high)
    return high


def checks(first: int, count: int) -> list[int]:
    """Return indices in the middle of either side of a border, where a curve that is not monotone might show."""
    below, above = first // 2, (first + count - 1) // 2 + 1
    found = [below] if 0 < below < first - 1 else []
    return found + ([above] if first < above < count - 1 else [])


def contour(ask: Callable[[int, int], bool], columns: int, lines: int) -> list[int]:
    """Return the first column that meets the target on each line, from the first line; ``columns`` where none does.

    Along lines too accuracy does not fall: on a lower line the border lies at the same column or further on, so that it
    is followed from the last line down.
    """
    border = [columns] * lines
    first = 0
    for line in reversed(range(lines)):
        along = lambda column, line=line: ask(column, line)  # noqa: E731
        if line < lines - 1 and along(first):
            border[line] = first
            continue
        border[line] = first = bisect(along, columns, low=first if line < lines - 1 else -1)
        if first == columns:
            break
    return border


def violations(met: Mapping[tuple[int, ...], bool]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return pairs of a point that meets the target and one nowhere below it that misses it, nearest ones first."""
    found = [
        (one, other)
        for one, good in met.items()
        for other, bad in met.items()
        if good and not bad and all(a <= b for a, b in zip(one, other, strict=True))
    ]
    return sorted(found, key=lambda pair: sum(b - a for a, b in zip(*pair, strict=True)))
