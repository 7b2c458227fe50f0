"""Where a grid begins to meet a target, along one field and along two, from few verdicts.

Indices are ordered so that what meets the target is said to be above. That accuracy does not fall along a field is an
assumption: it is what lets a verdict stand for all points on one side. The functions here ask for verdicts, and
:func:`violations` tells what of those known contradicts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
    """Return indices well within either side of a border, where a curve that is not monotone might show.

    One on either side; three where all are said to miss it, as one that does not would go unseen.
    """
    if first == count:
        return sorted({n * (count - 1) // 4 for n in (1, 2, 3)} - {0, count - 1})
    below, above = first // 2, (first + count - 1) // 2 + 1
    found = [below] if 0 < below < first - 1 else []
    return found + ([above] if first < above < count - 1 else [])


def contour(ask: Callable[[int, int], bool], columns: int, lines: int) -> list[int]:
    """Return the first column that meets the target on each line, from the first line; ``columns`` where none does.

    Along lines too accuracy does not fall: on a lower line the border lies at the same column or further on, so that it
    is followed from the last line down. What lies ahead of it is asked for on every line, as one wrong verdict would
    else push the border of all lines below.
    """
    border = [columns] * lines
    first = 0
    for line in reversed(range(lines)):
        along = lambda column, line=line: ask(column, line)  # noqa: E731
        if line < lines - 1 and along(first):
            while first > 0 and along(first - 1):
                first -= 1
        else:
            first = bisect(along, columns, low=first if line < lines - 1 else -1)
        border[line] = first
        if first == columns:
            break
    return border


def checks_of_contour(border: Sequence[int], columns: int) -> list[tuple[int, int]]:
    """Return places (column, line) well within either side of a contour; see :func:`checks`.

    On the line in the middle; where no place is said to meet the target on three lines, three on each.
    """
    lines = len(border)
    if all(first == columns for first in border):
        middle = [n * (lines - 1) // 4 for n in (1, 2, 3)]
        return [(column, line) for line in dict.fromkeys(middle) for column in checks(columns, columns)]
    return [(column, lines // 2) for column in checks(border[lines // 2], columns)]


def violations(met: Mapping[tuple[int, ...], bool]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return pairs of a point that meets the target and one nowhere below it that misses it, nearest ones first."""
    found = [
        (one, other)
        for one, good in met.items()
        for other, bad in met.items()
        if good and not bad and all(a <= b for a, b in zip(one, other, strict=True))
    ]
    return sorted(found, key=lambda pair: sum(b - a for a, b in zip(*pair, strict=True)))
