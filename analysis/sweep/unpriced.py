"""Trials whose bill leaves out what that of others holds: such totals do not compare.

A converter of 3 bits may have no constant where one of 4 bits has: without it a point seems to take a third. A trial
lacks what it leaves out beyond any other trial that leaves out less of the same. Chips of which each knows what the
other does not lack nothing by that, as neither total is the whole one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from hw_models.reading import Entries

LEFT_OUT = "leaves_out"
"""Column of a trial: what the bill of a classification leaves out. Of an update ``update_leaves_out``."""
OF_BITS = re.compile(r" (of \d+ bits|without a resolution)$")
AREA = "area"
"""What joules and seconds do not hold anyway."""


def lacking(rows: Sequence[Entries], paid: str) -> list[tuple[str, ...]]:
    """Return of each row what its price leaves out and that of another holds; nothing where it is not known."""
    column = f"update_{LEFT_OUT}" if paid.startswith("update_") else LEFT_OUT
    left = [_parts(row.get(column), paid) for row in rows]
    kinds = [None if names is None else frozenset(OF_BITS.sub("", name) for name in names) for names in left]
    different = {kind for kind in kinds if kind is not None}
    least = {kind: min((one for one in different if one < kind), key=_order, default=kind) for kind in different}
    return [
        () if names is None or kind is None else tuple(n for n in names if OF_BITS.sub("", n) not in least[kind])
        for names, kind in zip(left, kinds, strict=True)
    ]


def note(rows: Sequence[Entries], paid: Sequence[str], place: Callable[[Entries], str]) -> list[str]:
    """Return a line for each thing that only some points leave out, and where."""
    found: dict[str, dict[str, None]] = {}
    for one in paid:
        for row, names in zip(rows, lacking(rows, one), strict=True):
            for name in names:
                found.setdefault(name, {})[place(row)] = None
    return [f"not comparable: the bill leaves out {name} at {'; '.join(where)}" for name, where in found.items()]


def _order(kind: frozenset[str]) -> tuple[int, list[str]]:
    return len(kind), sorted(kind)


def _parts(told: object, paid: str) -> tuple[str, ...] | None:
    if not isinstance(told, str):
        return None
    return tuple(name for name in told.split("; ") if name and (paid == AREA or not name.startswith(AREA)))
