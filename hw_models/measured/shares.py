"""Conductances without a unit of conductance: shares of a range or of another conductance, and plain numbers.

==========================================  ========================================================================
column                                      what 1 is
==========================================  ========================================================================
``conductance [1]``, ``[%]``, normalised    ``g_max``, and 0 is ``g_min`` (0 where that is not given); shares that leave
                                            0 to 1, as weights do, reach from ``g_min`` to ``g_max``
``G/Gmax``, ``I/Ion``                       ``g_max``
``G/G0``, ``R/R0``                          a device's own first conductance
no unit, all from 0 and below 1e-3          1 S
no unit, two curves beside each other,      as ``[1]``
within -3 to 3
no unit, within -1.2 to 1.2                 nothing tells: refused
no unit else                                1 uS
==========================================  ========================================================================

A response to pulses is of shares anyway: without ``g_max`` they are written as 0 to 25 uS. Retention goes by ratios to
a first one. What else is said in uS needs ``g_max``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hw_models.errors import ChipError, given_as
from hw_models.measured import units

if TYPE_CHECKING:
    from hw_models.measured.tables import MeasuredTable

Array = np.ndarray
WHOLE = 25.0
"""uS that shares of the range are shown and written as, where nothing says what they are."""
CURVES = 3.0
"""Largest number without a unit that counts as a share, of two curves beside each other."""
OVER = 1.2
"""Largest number of shares from 0 to 1: readings stray."""
MOST = 1000.0
"""Largest number without a unit that is in uS: beyond it nS are as likely."""
SIEMENS = 1e-3
"""Numbers without a unit that are all below are in S."""
NORMALISED = re.compile(
    r"(?:normali[sz]ed|norm\.?|relative|rel\.)\s+(?P<before>.+)|(?P<behind>.+?),?\s+(?:normali[sz]ed|norm\.?|relative)"
)
RATIO = re.compile(
    r"(?P<one>[a-z ]+?)\s*/\s*(?P<other>[a-z ]*?)[\s,]*"
    r"(?:(?P<most>max\.?|maximum|on|lrs)|(?P<first>0|init\.?|initial|first))"
)
WRITTEN = {"conductance": ("g",), "current": ("i",), "resistance": ("r",)}
"""What stands for a word below the line of a ratio."""
COUNTED = ("conductance", "up", "down", "target", "achieved")
"""Columns whose numbers tell what they are; those of sigma are as those of its conductance."""


@dataclass(frozen=True)
class UnitScale:
    """What turns numbers into uS."""

    factor: float
    shift: float
    note: str
    """What was made of them."""
    open_range: bool = False
    """Whether they are shares of a range that nobody gave."""


def asked() -> str:
    """Say how it is given what shares are of."""
    return f"{given_as('option --g-max G', 'g_max=G')} says how many uS 1 is"


def named(title: str, unit: str) -> tuple[str, str] | None:
    """Return the name of a normalised quantity and its unit here; None where a title says nothing of the kind.

    Parameters
    ----------
    title, unit : str
        As of :func:`hw_models.measured.units.parted`.
    """
    percent = units.SHARES.get(unit, 1.0) != 1.0
    if unit and unit not in units.SHARES and unit not in ("0", "t0", "t=0", "max"):
        return None
    if unit in ("0", "t0", "t=0", "max"):
        title, unit = f"{title} {unit if unit == 'max' else '0'}", "1"
    found = RATIO.fullmatch(title)
    if found and found["other"].strip() in ("", found["one"].strip(), *WRITTEN.get(found["one"].strip(), ())):
        of = "G/Gmax" if found["most"] else "G/G0"
        return found["one"].strip(), f"{of} [%]" if percent else of
    found = NORMALISED.fullmatch(title)
    return (found["before"] or found["behind"], "%" if percent else "1") if found else None


def laid_out(
    table: MeasuredTable, kind: str, g_min: float | None = None, g_max: float | None = None
) -> tuple[MeasuredTable, tuple[str, ...]]:
    """Return a table whose conductances are in uS, and a note of what was made of them.

    Parameters
    ----------
    table : MeasuredTable
        As it was read.
    kind : str
        Of measurement.
    g_min, g_max : float, optional
        What is known of the device's range [uS].

    Raises
    ------
    ChipError
        If nothing tells what the numbers are in, or a law in uS is asked of shares without ``g_max``.
    """
    there = [name for name in COUNTED if table.has(name)]
    if not there:
        return table, ()
    unit = table.unit.get(there[0], "")
    if unit in units.CONDUCTANCE:
        return table, ()
    values = np.concatenate([table.numbers(name, gaps=name in ("up", "down")) for name in there])
    values = values[np.isfinite(values)]
    if not len(values):
        return table, ()
    beside, first = "up" in there or "down" in there, kind == "retention" and _begin_at_one(table)
    title = table.titles[table.columns[there[0]]] if table.titles else there[0]
    what = f"column '{title}'", f"name it '{units.parted(title)[0]} [{{}}]'"
    scale = scale_of(str(table.path), unit, values, (g_min, g_max), kind, what, beside=beside, first=first)
    return replace(table, laid=(scale.factor, scale.shift), open_range=scale.open_range), (scale.note,)


def scale_of(
    path: str,
    unit: str,
    values: Array,
    ends: tuple[float | None, float | None],
    kind: str = "pulses",
    what: tuple[str, str] = ("array 'conductance'", "give the array 'unit' as '{}'"),
    *,
    beside: bool = False,
    first: bool = False,
) -> UnitScale:
    """Return what turns numbers that have no unit of conductance into uS.

    Parameters
    ----------
    path : str
        Of the file, for errors.
    unit : str
        One of :data:`hw_models.measured.units.SHARES`, or nothing.
    values : numpy.ndarray
        (n,) as they stand, or shares of 1.
    ends : tuple
        ``g_min`` and ``g_max`` as far as they are known [uS].
    kind : str
        Of measurement.
    what : tuple of str
        What holds the numbers, and how their unit is given, with ``{}`` in its place.
    beside : bool
        Whether they are two curves beside each other.
    first : bool
        Whether the first number of every device is 1.

    Raises
    ------
    ChipError
        As of :func:`laid_out`.
    """
    low, high = float(values.min()), float(values.max())
    if unit or (beside and max(abs(low), high) <= CURVES and not 0 < high < SIEMENS):
        return _shares(path, kind, unit, (low, high), ends, first)
    if low >= 0 and 0 < high < SIEMENS:
        return UnitScale(1e6, 0.0, f"Conductances have no unit and count as siemens: none is above {SIEMENS:g}.")
    if max(abs(low), high) <= OVER:
        shown = f"{what[0]} has no unit and lies within {low:.4g} to {high:.4g}"
        meant = f"{what[1].format('uS')} if it is in uS, '1' in place of 'uS' if it is a share"
        raise ChipError(f"'{path}': {shown}: {meant}; {asked()}")
    if high > MOST:
        shown = f"{what[0]} has no unit and reaches {high:.4g}"
        other = what[1].format("uS").removeprefix("name it ")
        raise ChipError(f"'{path}': {shown}: {what[1].format('nS')} or {other}?")
    return UnitScale(1.0, 0.0, "Conductances have no unit and count as uS.")


def _shares(
    path: str, kind: str, unit: str, values: tuple[float, float], ends: tuple[float | None, float | None], first: bool
) -> UnitScale:
    """Return what turns shares into uS."""
    (low, high), (g_min, g_max) = values, ends
    top, bottom = WHOLE if g_max is None else g_max, g_min or 0.0
    told, open_range = f"Conductances are shares, {low:.4g} to {high:.4g}", g_max is None
    of_first, of_most = unit.startswith("G/G0"), unit.startswith("G/Gmax")
    if of_first and kind != "retention":
        needed = "the conductance itself is needed, or its share of one for all, 'G/Gmax'"
        raise ChipError(f"'{path}': conductances are over a first one that nothing tells: {needed}")
    if of_first or first:
        return UnitScale(top, 0.0, f"{told} of a device's first one, taken as {top:g} uS: retention goes by ratios.")
    if open_range and kind != "pulses" and not (of_most and kind == "retention"):
        raise ChipError(f"'{path}': conductances are shares, {low:.4g} to {high:.4g}: {asked()}")
    range_ = given_as("--g-min and --g-max", "g_min= and g_max=")
    behind = f"; {range_} say what they are." if open_range else "."
    if of_most:
        return UnitScale(top, 0.0, f"{told} of g_max, written as shares of {top:g} uS{behind}", open_range)
    if bottom >= top:
        shown = f"shares from g_min = {bottom:g} to g_max = {top:g} uS"
        raise ChipError(f"'{path}': conductances are {shown}: g_min should be below")
    start, end = (0.0, 1.0) if (low >= 1 - OVER and high <= OVER) or high == low else (low, high)
    factor = (top - bottom) / (end - start)
    written = f"written as {bottom:g} to {top:g} uS{behind}"
    plain = f"Conductances have no unit and count as shares of the range, {start:.4g} to {end:.4g}, {written}"
    note = f"{told}: {start:.4g} to {end:.4g} are {written}" if unit else plain
    return UnitScale(factor, bottom - start * factor, note, open_range)


def _begin_at_one(table: MeasuredTable) -> bool:
    """Tell shares whose first of every device and state is 1."""
    g = table.numbers("conductance")
    line = table.lines_of()[0]
    firsts = [g[int(np.argmax(line == each))] for each in np.unique(line)]
    return bool(np.allclose(firsts, 1.0, atol=1e-3))
