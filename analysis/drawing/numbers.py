"""Numbers as they are read in tables: shares in per cent, times in a unit that fits, nothing where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard, TypeVar

Row = TypeVar("Row")
NONE = "–"
"""Stands where there is no number."""


def known(value: object) -> TypeGuard[float]:
    """Tell a finite number from what is missing."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def share(value: object, digits: int = 1) -> str:
    """Return a share in per cent."""
    return f"{100 * value:.{digits}f} %" if known(value) else NONE


def number(value: object, form: str = ".4g") -> str:
    """Return a number, whole ones in full."""
    if not known(value):
        return NONE
    return f"{value:,d}" if isinstance(value, int) else format(value, form)


def count(value: object) -> str:
    """Return a count in short."""
    return short(float(value)) if known(value) else NONE


def short(number: float) -> str:
    """Return a count in short: 950, 1.2k, 3.4M, 5.6G, 7.8T."""
    for factor, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g}{unit}"
    return f"{number:.3g}"


def seconds(value: object) -> str:
    """Return a time as s, min or h."""
    if not known(value):
        return NONE
    if value < 99.95:
        return f"{value:.1f} s" if value >= 1 else f"{value:.2f} s" if value >= 0.1 else f"{value:.2g} s"
    return f"{value / 60:.1f} min" if value < 5400 else f"{value / 3600:.1f} h"


def value(setting: object) -> str:
    """Return the value of a setting."""
    if setting is None:
        return "unset"
    if isinstance(setting, Mapping):
        return ", ".join(f"{name} {value(entry)}" for name, entry in setting.items())
    if isinstance(setting, Sequence) and not isinstance(setting, str):
        return ", ".join(value(entry) for entry in setting)
    if isinstance(setting, bool):
        return "yes" if setting else "no"
    return f"{setting:g}" if isinstance(setting, float) else str(setting)


def listing(names: Iterable[object]) -> str:
    """Return names in a row: a, b and c."""
    *first, last = [str(name) for name in names] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def plural(many: int, noun: str) -> str:
    """Return "1 trial", "1,200 trials"."""
    return f"{many:,d} {noun}{'s' * (many != 1)}"


def without_gaps(record: Any) -> Any:
    """Return nested values with nan where JSON has null, so that pictures leave a gap."""
    if isinstance(record, Mapping):
        return {name: without_gaps(entry) for name, entry in record.items()}
    if isinstance(record, list):
        return [without_gaps(entry) for entry in record]
    return math.nan if record is None else record


def thinned(rows: Sequence[Row], most: int) -> list[Row]:
    """Return at most that many rows at equal distances, the first and the last among them."""
    if len(rows) <= most:
        return list(rows)
    places = sorted({round(n * (len(rows) - 1) / (most - 1)) for n in range(most)})
    return [rows[place] for place in places]
