"""Trials of a sweep gathered into points: which settings vary, what they are called, accuracies over the seeds.

A row is one trial as a sweep lists it: the varied settings by their dotted names, ``seed``, ``accuracy``, ``loss``,
``error``. A setting without a value is unset, which mostly means exact. NaN, as
pandas reads nothing, is none.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeGuard, TypeVar

import numpy as np

from hw_models.chip.fields import said_of
from hw_models.reading import Entries
from neuroep.errors import ConfigError
from neuroep.runs import config as configuration

Row = Entries
Value = TypeVar("Value")
Values = tuple[object, ...]
"""Of the varied settings at one point."""
WORD = 24
"""Most letters of a value."""
LONGEST = 60
"""Letters of one line of a label."""
LINES = 3
"""Of what the label of an axis says, above the name of its setting."""


@dataclass(frozen=True)
class Point:
    """All trials of one combination of settings."""

    values: Values
    """Of the settings asked for, in their order."""
    accuracies: np.ndarray
    """(trials,) of those that did not fail."""
    failed: int
    wider: float = 1.0
    """By what its standard error grows, as it decided how many trials there are (:mod:`analysis.sweep.stopping`)."""

    @property
    def mean(self) -> float:
        """Mean accuracy; nan if all trials failed."""
        return float(self.accuracies.mean()) if len(self.accuracies) else math.nan

    @property
    def std(self) -> float:
        """Standard deviation over the seeds (n - 1); nan below two trials."""
        return float(self.accuracies.std(ddof=1)) if len(self.accuracies) > 1 else math.nan

    @property
    def error(self) -> float:
        """Standard error of the mean; nan below two trials."""
        return self.wider * self.std / math.sqrt(len(self.accuracies)) if len(self.accuracies) > 1 else math.nan


def is_field(name: str) -> bool:
    """Tell whether a column names a setting, for example ``chip.adc.bits``."""
    return name.split(".")[0] in configuration.Config.model_fields


def varied(rows: Sequence[Row]) -> list[str]:
    """Return the settings that take more than one value, in the order of the columns; all settings if none does."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if is_field(name)]
    several = [name for name in names if len({key(row.get(name)) for row in rows}) > 1]
    return several or names


def points(rows: Sequence[Row], fields: Sequence[str]) -> list[Point]:
    """Gather trials by the values of some settings, in increasing order.

    Parameters
    ----------
    rows : sequence of mapping
        Trials.
    fields : sequence of str
        Dotted names; a trial without one of them counts as unset.

    Raises
    ------
    ConfigError
        If no trial has such a setting.
    """
    if not rows:
        raise ConfigError("the sweep has no trials: there is nothing to gather")
    for name in fields:
        if not any(name in row for row in rows):
            known = ", ".join(varied(rows)) or "none"
            raise ConfigError(f"the sweep does not vary '{name}': its settings are {known}")
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(key(row.get(name)) for name in fields), []).append(row)
    found = [_point(tuple(present(own[0].get(name)) for name in fields), own) for own in groups.values()]
    return sorted(found, key=lambda point: tuple(rank(value) for value in point.values))


def _point(values: Values, rows: Sequence[Row]) -> Point:
    good = [present(row.get("accuracy")) for row in rows if present(row.get("error")) in (None, "")]
    accuracies = np.array([number for number in good if number is not None], dtype=float)
    return Point(values, accuracies, len(rows) - len(accuracies))


def present(value: Value) -> Value | None:
    """Return a value, None where it is NaN."""
    return None if is_number(value) and math.isnan(value) else value


def key(value: object) -> str:
    """Return what tells equal values: 4 and 4.0 are the same setting, as are None and NaN."""
    value = present(value)
    return repr(float(value)) if is_number(value) else repr(value)


def rank(value: object) -> tuple[int, float, str]:
    """Order numbers before words, and both before what is unset."""
    if is_number(value):
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))


def is_number(value: object) -> TypeGuard[float]:
    """Tell a number from words, switches and what is unset."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def shown(value: object) -> str:
    """Return a value of a setting in short: of a chip's file its name, of a long text its end."""
    if value is None:
        return "unset"
    if is_number(value):
        return str(value) if isinstance(value, int) else f"{value:g}"
    if isinstance(value, bool | np.bool_):
        return "on" if value else "off"
    text = PurePath(str(value)).stem if str(value).lower().endswith(".toml") else str(value)
    return text if len(text) <= WORD else "\u2026" + text[1 - WORD :]


def names(values: Sequence[object]) -> list[str]:
    """Return what different values are called: in short, longer where the short names are the same.

    Two files of one name, or long texts of one end, would else be one point in a picture.
    """
    found = [shown(value) for value in values]
    for again in (lambda value: str(value)[-LONGEST:], repr):
        many = Counter(found)
        found = [name if many[name] == 1 else again(value) for name, value in zip(found, values, strict=True)]
    many = Counter(found)
    return [name if many[name] == 1 else f"{name} ({n})" for n, name in enumerate(found, 1)]


def label(field: str, longest: int = LONGEST) -> str:
    """Return the label of an axis: what a setting means, its unit, its dotted name.

    Parameters
    ----------
    field : str
        Dotted name, of the configuration or of its chip.
    longest : int
        Letters of one line.
    """
    known = configuration.settings().get(field)
    if known is None:
        return field
    said = re.sub(r"\s*\([^()]*\)", "", meaning(field))
    first = _with_unit(re.split(r"[.;]\s", said)[0].rstrip("."), said_of(known).get("unit", ""))
    return "\n".join([*textwrap.wrap(first, longest, max_lines=LINES, placeholder=" ..."), field]) if said else field


def meaning(field: str) -> str:
    """Return all that is said of a setting, on one line; empty where nothing is."""
    known = configuration.settings().get(field)
    return "" if known is None else " ".join((known.description or "").split())


def unit_of(field: str) -> str:
    """Return the unit of a setting; empty where it has none, or has one that goes by another setting."""
    known = configuration.settings().get(field)
    unit: str = "" if known is None else said_of(known).get("unit", "")
    return "" if unit == "1" else unit


def _with_unit(text: str, unit: str) -> str:
    return text if unit in ("", "1") or "[" in text else f"{text} [{unit}]"
