"""Designs: which values a sweep varies, and the points made of them.

    chip.adc.bits=3:10                  whole numbers, both ends included; 3:10:2 takes every second
    chip.device.read_noise=0,0.01,0.03  single values, as they would be written in TOML
    chip=pcm,rram,mychip.toml           whole chips
    estimator.beta=0.05..0.5            a range to be filled, by design sobol or lhs; log:1e-3..1 fills its logarithm

``grid`` takes all combinations, ``zip`` the values side by side (there a value may be repeated, a whole point may
not), ``sobol`` and ``lhs`` fill the space of all axes with N points (``scipy.stats.qmc``): the first N points of
``sobol`` are part of any larger number, those of ``lhs`` are not.
"""

from __future__ import annotations

import itertools
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

import numpy as np

from neuroep.errors import ConfigError, given_as, unknown
from neuroep.randomness import generator
from neuroep.runs.overrides import UNSET, dotted
from neuroep.runs.sections import settings

DESIGNS = ("grid", "zip", "sobol", "lhs")
FILLING = ("sobol", "lhs")
MOST = 100_000
"""Points of a design."""
_STEPS = re.compile(r"\s*(-?\d+):(-?\d+)(?::(-?\d+))?\s*")
_FRACTIONS = re.compile(r"-?[\d.]+(e-?\d+)?(:-?[\d.]+(e-?\d+)?){1,2}", re.IGNORECASE)
_RANGE = re.compile(r"\s*(log:)?\s*([^,:]+?)\s*\.\.\s*([^,:]+?)\s*")

Choice = dict[str, str]
"""One point: texts by dotted name, as they would be given on the command line."""


@dataclass(frozen=True)
class Interval:
    """A range to be filled."""

    low: float
    high: float
    log: bool
    whole: bool
    """Of a field that takes whole numbers only; both ends are included."""

    def at(self, share: float) -> str:
        """Return the value at a share in [0, 1) of the range, to six digits."""
        if self.whole and not self.log:
            return str(int(self.low) + math.floor(share * (int(self.high) - int(self.low) + 1)))
        evenly = self.low + share * (self.high - self.low)
        value = self.low * (self.high / self.low) ** share if self.log else evenly
        return str(min(max(round(value), int(self.low)), int(self.high))) if self.whole else f"{value:.6g}"


@dataclass(frozen=True)
class Axis:
    """One varied field: single values, or a range."""

    name: str
    """Dotted name, with its entry where it is a table such as ``optimiser.rates.dense_1``."""
    choices: tuple[str, ...] = ()
    """As given: a value that is repeated counts in ``zip``, where it stands beside others."""
    interval: Interval | None = None

    @property
    def different(self) -> tuple[str, ...]:
        """The choices, each once."""
        return tuple(dict.fromkeys(self.choices))

    def at(self, share: float) -> str:
        """Return the value at a share in [0, 1): of the range, or one of the different choices."""
        return self.interval.at(share) if self.interval else self.different[int(share * len(self.different))]


def axis(text: str) -> Axis:
    """Read ``NAME=VALUES``.

    Raises
    ------
    ConfigError
        If the name is no setting, or there are no values.
    """
    name, joined, values = text.partition("=")
    if not joined:
        raise ConfigError(f"vary '{text}': should be NAME=VALUES, for example chip.adc.bits=3:10")
    if not name.strip():
        raise ConfigError(f"vary '{text}': no name before '='")
    field, entry = dotted(name.strip())
    full = f"{field}.{entry}" if entry else field
    kinds = _kinds(field)
    if kinds & {int, float} and (found := _RANGE.fullmatch(values)):
        return Axis(full, interval=_interval(text, found, whole=float not in kinds))
    items = [part for item in _items(values) for part in _steps(text, item, kinds)]
    if not items:
        raise ConfigError(f"vary '{text}': no values")
    if any(not item for item in items):
        raise ConfigError(f"vary '{text}': an empty value between commas")
    if NoneType in kinds or field == "chip":
        items = [UNSET[0] if item.lower() in UNSET else item for item in items]
    return Axis(full, tuple(items))


def points(axes: Sequence[Axis], design: str = "grid", count: int | None = None, seed: int = 0) -> list[Choice]:
    """Return the points of a design, each once.

    Parameters
    ----------
    axes : sequence of Axis
        What is varied.
    design : {"grid", "zip", "sobol", "lhs"}
        How the values are combined.
    count : int, optional
        Points of ``sobol`` and ``lhs``; points that coincide, as whole numbers may, count once.
    seed : int
        Of ``sobol`` and ``lhs``.

    Raises
    ------
    ConfigError
        If the design is unknown, empty, too large, or does not fit the axes.
    """
    _check(axes, design, count)
    if design == "grid":
        if math.prod(len(axis.different) for axis in axes) > MOST:
            raise ConfigError(f"design 'grid' has more than {MOST} points: vary fewer fields or values")
        chosen: Iterator[Sequence[str]] = itertools.product(*(axis.different for axis in axes))
    elif design == "zip":
        chosen = zip(*(axis.choices for axis in axes), strict=True)
    else:
        shares = _shares(design, len(axes), count or 0, seed)
        chosen = ([axis.at(share) for axis, share in zip(axes, row, strict=True)] for row in shares)
    names = [axis.name for axis in axes]
    rows = [tuple(point) for point in chosen]
    found = [dict(zip(names, values, strict=True)) for values in dict.fromkeys(rows)]
    if design == "zip" and len(found) < len(rows):
        twice = next(row for row in rows if rows.count(row) > 1)
        shown = ", ".join(f"{name} = {value}" for name, value in zip(names, twice, strict=True))
        raise ConfigError(f"design 'zip' has the point {shown} {rows.count(twice)} times: ask for more seeds instead")
    return found


def _check(axes: Sequence[Axis], design: str, count: int | None) -> None:
    """Refuse what is no design."""
    if design not in DESIGNS:
        raise ConfigError(unknown("design", design, DESIGNS))
    if not axes:
        example = given_as("--vary chip.adc.bits=3:10", 'vary=["chip.adc.bits=3:10"]')
        raise ConfigError(f"the design is empty: vary at least one field, for example {example}")
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"vary: {name} is given {names.count(name)} times; give all its values at once")
    if design in FILLING:
        if count is None or not 1 <= count <= MOST:
            shown = "not set" if count is None else count
            raise ConfigError(f"points is {shown}: design '{design}' needs a whole number from 1 to {MOST}")
        return
    if count is not None:
        raise ConfigError(f"points is {count}: it acts only with design {' or '.join(FILLING)}, not '{design}'")
    for axis in axes:
        if axis.interval is not None:
            raise ConfigError(f"vary {axis.name}: a range a..b needs design {' or '.join(FILLING)}, not '{design}'")
    lengths = {axis.name: len(axis.choices) for axis in axes}
    if design == "zip" and len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ConfigError(f"design 'zip' takes as many values of each field: {shown}")


def _shares(design: str, dimensions: int, count: int, seed: int) -> np.ndarray:
    """Return points of the unit cube, (count, dimensions)."""
    from scipy.stats import qmc

    # scipy spawns generators of its own, which one with a bare key cannot; all releases know the name ``seed``.
    draw = np.random.default_rng(int(generator(seed, "design", design).integers(2**63)))
    kinds = {"sobol": qmc.Sobol, "lhs": qmc.LatinHypercube}
    with warnings.catch_warnings():
        # That the number of points is no power of 2 is the user's choice.
        warnings.simplefilter("ignore")
        shares: np.ndarray = kinds[design](dimensions, seed=draw).random(count)
    return np.minimum(shares, np.nextafter(1.0, 0.0))


def _interval(text: str, found: re.Match[str], whole: bool) -> Interval:
    log = found[1] is not None
    try:
        low, high = float(found[2]), float(found[3])
    except ValueError:
        raise ConfigError(f"vary '{text}': the ends of a range should be numbers") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"vary '{text}': a range should rise from its first to its last number")
    if log and low <= 0:
        raise ConfigError(f"vary '{text}': a logarithmic range should start above 0")
    if whole and not (low.is_integer() and high.is_integer()):
        raise ConfigError(f"vary '{text}': the field takes whole numbers")
    return Interval(low, high, log, whole)


def _steps(text: str, item: str, kinds: set[object]) -> list[str]:
    """Return the whole numbers of ``a:b`` or ``a:b:step``; anything else as it is."""
    found = _STEPS.fullmatch(item)
    if found is None and kinds & {int, float} and _FRACTIONS.fullmatch(item):
        ends = "..".join(item.split(":")[:2])
        several = f"list the values, or take the range {ends} where one is asked for"
        raise ConfigError(f"vary '{text}': '{item}' counts whole numbers; {several}")
    if found is None or not kinds & {int, float}:
        return [item]
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if step == 0:
        raise ConfigError(f"vary '{text}': the step of '{item}' is 0")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if not numbers:
        turned = f"{last}:{first}" if step > 0 else f"{first}:{last}:{-step}"
        raise ConfigError(f"vary '{text}': '{item}' holds no number: it begins at {first}; did you mean '{turned}'?")
    if len(numbers) > MOST:
        raise ConfigError(f"vary '{text}': '{item}' has {len(numbers)} values, allowed are {MOST}")
    return [str(number) for number in numbers]


def _items(values: str) -> list[str]:
    """Split at commas outside brackets and quotes."""
    items, depth, quote = [""], 0, ""
    for sign in values:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        else:
            depth += (sign in "[{") - (sign in "]}")
        if sign == "," and not depth and not quote:
            items.append("")
        else:
            items[-1] += sign
    items = [item.strip() for item in items]
    return [] if items == [""] else items


def _kinds(field: str) -> set[object]:
    """Return the plain types that a field takes."""
    fields = settings()
    return _leaves(fields[field].annotation) if field in fields else {str}


def _leaves(annotation: object) -> set[object]:
    if get_origin(annotation) in (Union, UnionType):
        return {kind for part in get_args(annotation) for kind in _leaves(part)}
    if get_origin(annotation) is Annotated:
        return _leaves(get_args(annotation)[0])
    return {float} if get_origin(annotation) is dict else {annotation}
