# Tested by tests/hw_models/measured/test_response.py
"""The responses to pulses as problems of likelihood: which numbers each device has of its own, which all share.

============ ================================================= ==================================================
response     own, beside the steps s up and down at weight 0   shared, beside the noise
============ ================================================= ==================================================
constant
linear                                                         slopes c of F = 1 -+ c w
soft_bounds  slopes c = 1/bound, where the curves tell them    slopes c, where they do not
exponential                                                    slope c at weight 0 and gamma, up and down
power                                                          exponents; how far bounds lie beyond the curves
table                                                          factors at its states, up and down
============ ================================================= ==================================================

States of exponential, power and table are shares of a device's own range: between the levels that it comes to, else
between the farthest of all devices (exponential: between the weights of g_min and g_max). A chip's
s max(1 - A exp(gamma z), 0) is s_0 (1 - c (exp(gamma z) - 1)/gamma) with the step s_0 = s (1 - A) at weight 0 and
A = c/(gamma + c): what curves over a small part of the range tell is s_0 and c. A step s above 0 has A below 1: where
curves bend as no such step does, c/gamma is held at the end of what it can be, and gamma is searched for alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from hw_models.kernels import following
from hw_models.measured.curves import Curves, levels, passed, sticking
from hw_models.measured.likelihood import Maximum, Problem, Unknown, loss_of, maximum

Array = np.ndarray
RESPONSES = ("constant", "linear", "soft_bounds", "exponential", "power", "table")
"""The simplest first."""
FORMS = (("noise",), ("base",), ("noise", "base"))
"""Of the noise of pulses, the simplest first."""
BETTER = 5.0
"""Logarithm of the likelihood by which a form of two numbers has to be better than one of one."""
CLEARER = 4.0
"""The same for one that does not go with the step instead of one that does."""
LARGEST = 4.0
"""Step in weight ranges, which curves do not tell from any larger one."""
BEYOND = 1e3
"""Weight beyond which nothing goes."""
NEAREST = 200.0
"""One over the nearest soft bound that a device may have: a chip's are a hundredth of their mean at least."""
STATES = 9
"""Of the table."""
LEAST, MOST = -0.98, 20.0
"""Of c/gamma: steps are not turned round, nor lost in a difference of two large numbers."""
SMALLEST = 1.0
"""Percentile of the changes: near a soft bound they shrink by powers of ten, and say there what the noise is."""
NOISE = {"noise": 2, "base": 3, "state": 4}
_SLOPES = (Unknown("up", 8, -3.0, 50.0, 0.1), Unknown("down", 9, -3.0, 50.0, 0.1))
_SHAPES: dict[str, tuple[tuple[Unknown, ...], tuple[tuple[float, ...], ...]]] = {
    "constant": ((), ((),)),
    "linear": (_SLOPES, ((0.1, 0.1),)),
    "soft_bounds": (_SLOPES, ((0.8, 0.8),)),
    "exponential": (
        (
            Unknown("slope_up", 8, -50.0, 50.0, 0.1), Unknown("slope_down", 9, -50.0, 50.0, 0.1),
            Unknown("gamma_up", 10, -10.0, 10.0, 0.5), Unknown("gamma_down", 11, -10.0, 10.0, 0.5),
        ),
        ((0.1, 0.1, 1.0, 1.0), (0.3, 0.3, -2.0, -2.0)),
    ),
    "power": (
        (
            Unknown("gamma_up", 8, 0.0, 8.0, 0.5), Unknown("gamma_down", 9, 0.0, 8.0, 0.5),
            Unknown("above", 10, 0.0, 0.5, 0.05), Unknown("below", 11, 0.0, 0.5, 0.05),
        ),
        ((0.7, 0.7, 0.02, 0.02), (2.0, 2.0, 0.1, 0.1)),
    ),
}  # fmt: skip
CODES = {
    "constant": following.AFFINE, "linear": following.AFFINE, "soft_bounds": following.AFFINE,
    "exponential": following.EXPONENTIAL, "power": following.POWER, "table": following.TABLE,
}  # fmt: skip


@dataclass(frozen=True)
class Scaled:
    """Curves of devices that move, in weights."""

    readings: Array
    pulses: Array
    cycle: Array
    low: Array
    """(devices,) where curves come to, :func:`hw_models.measured.curves.levels`."""
    high: Array
    reached: tuple[bool, bool]
    edges: tuple[float, float]
    """Weights of g_min and g_max."""
    grain: float
    """Variance of a reading at least, by the digits of the file."""
    one_sided: bool
    told: Array
    """(devices, 2) which of them come to their own bounds, low and high; all where nothing else is known."""
    passed: tuple[Array, Array]
    """(devices,) what the bounds of the others lie beyond, :func:`hw_models.measured.curves.passed`."""
    sticks: Array
    """(devices, 2) which of them stay at their farthest reading, :func:`hw_models.measured.curves.sticking`."""


def scaled(
    found: Curves, g: tuple[float, float], reached: tuple[bool, bool], told: Array | None = None
) -> Scaled:
    """Return curves as weights: from -1 at g_min, or from 0 where all pulses lead up, to 1 at g_max."""
    edges = (0.0, 1.0) if found.one_sided else (-1.0, 1.0)
    scale = (edges[1] - edges[0]) / (g[1] - g[0])
    w = edges[0] + (found.conductance - g[0]) * scale
    apart = np.unique(np.abs(np.diff(np.unique(w[np.isfinite(w)]))))
    grain = float(apart[0]) if len(apart) else 0.0
    steps = np.abs(np.diff(w, axis=1))
    step = np.percentile(steps[steps > 0], SMALLEST)
    low, high = (edges[0] + (ends - g[0]) * scale for ends in levels(found, reached))
    told = np.ones((found.devices, 2), dtype=bool) if told is None else told
    lower, upper = (edges[0] + (ends - g[0]) * scale for ends in passed(found))
    floor = max(grain**2 / 12, (1e-3 * step) ** 2, 1e-16)
    return Scaled(
        w, found.pulses, found.cycle, low, high, reached, edges, floor, found.one_sided, told, (lower, upper),
        sticking(found),
    )  # fmt: skip


@dataclass(frozen=True)
class FittedResponse:
    """One response, fitted."""

    response: str
    form: tuple[str, ...]
    """Of the noise."""
    best: Maximum
    data: Scaled
    own_bounds: tuple[str, ...] = ()
    """Directions, up and down, whose soft bound every device has of its own."""
    unlike: tuple[str, ...] = ()
    """Directions whose soft bounds differ between devices, told or not."""
    tied: Mapping[str, float] = field(default_factory=dict)
    """Directions of an exponential whose c/gamma stands at an end of its range, and this end."""

    def loss_on(self, mask: Array) -> float:
        """Return -log L of some readings, (devices, readings)."""
        return float(loss_of(self.best.problem.innovations(self.best.own, self.best.shared), mask).sum())

    def value(self, name: str) -> float:
        """Return a shared parameter; 0 of one that is not there."""
        names = [one.name for one in self.best.problem.shared]
        return float(self.best.shared[names.index(name)]) if name in names else 0.0


def _first_slope(data: Scaled, way: str) -> Array:
    """Return 1/bound of every device (devices, 1), the bound a little beyond its readings."""
    end = data.high if way == "up" else -data.low
    return 1 / np.maximum(1.1 * end, 0.2)[:, None]


def _problem(
    data: Scaled, response: str, form: tuple[str, ...], own_bounds: tuple[str, ...], weight: Array | None,
    tied: Mapping[str, float] | None = None,
) -> Problem:
    devices = np.zeros((len(data.readings), 12))
    devices[:, 5] = data.grain
    low, high = data.low.copy(), data.high.copy()
    if response in ("exponential", "power", "table"):
        ends = data.edges if response == "exponential" else (low.min(), high.max())
        low = low if data.reached[0] else np.full_like(low, ends[0])
        high = high if data.reached[1] else np.full_like(high, ends[1])
    elif response == "linear":
        # Of a device that does not come to its bound the farthest reading is no bound: readings that stray as far as
        # that would be left out, and those that come back from there make steps look as if they did not shrink.
        low = low if data.reached[0] else np.where(data.told[:, 0] | data.sticks[:, 0], low, -BEYOND)
        high = high if data.reached[1] else np.where(data.told[:, 1] | data.sticks[:, 1], high, BEYOND)
    devices[:, 6], devices[:, 7] = low, high
    size = _sizes(data)
    most = LARGEST * (data.edges[1] - data.edges[0])
    own = [Unknown("up", 0, 1e-9, most, float(size[:, 0].mean()))]
    if not data.one_sided:
        own.append(Unknown("down", 1, 1e-9, most, float(size[:, 1].mean())))
    if response == "table":
        columns = [12 + n for n in range(STATES * (1 if data.one_sided else 2))]
        shape = tuple(Unknown(f"table {n - 12}", n, 0.0, 50.0, 0.1) for n in columns)
    else:
        shape = _SHAPES[response][0]
        if data.one_sided:
            shape = tuple(one for one in shape if "down" not in one.name and one.name != "below")
    if response == "soft_bounds":
        shape = tuple(
            replace(one, low=0.02, high=NEAREST) if one.name in own_bounds else replace(one, low=-0.5) for one in shape
        )
        own += [replace(one, name=f"bound {one.name}") for one in shape if one.name in own_bounds]
        shape = tuple(one for one in shape if one.name not in own_bounds)
    ties = {f"slope_{way}": ratio for way, ratio in (tied or {}).items()}
    shape = tuple(replace(one, low=0.0, high=0.0) if one.name in ties else one for one in shape)
    noise = [Unknown(name, NOISE[name], 0.0, np.inf, 0.1) for name in form]
    read = Unknown("read", 5, data.grain, np.inf, float((size.mean() ** 2) * 0.01))
    table = np.ones((3, STATES))
    table[0] = np.linspace(0, 1, STATES)
    soft = response == "soft_bounds"
    return Problem(
        CODES[response], soft, data.readings, data.pulses, devices, table, tuple(own), (*shape, *noise, read),
        _soft if soft else _slopes_by(ties) if ties else None, weight,
    )  # fmt: skip


def _soft(devices: Array) -> None:
    """Bounds follow from slopes."""
    devices[:, 7] = 1 / np.maximum(devices[:, 8], 1e-3)
    devices[:, 6] = -1 / np.maximum(devices[:, 9], 1e-3)


def _slopes_by(ties: Mapping[str, float]) -> Callable[[Array], None]:
    """Return what writes the slopes of an exponential that follow from its gammas."""

    def write(devices: Array) -> None:
        for name, ratio in ties.items():
            slope, gamma = (8, 10) if name == "slope_up" else (9, 11)
            devices[:, slope] = ratio * devices[:, gamma]

    return write


def _sizes(data: Scaled) -> Array:
    """Return rough steps of every device, (devices, 2): the mean over the steeper half of each direction's changes."""
    change = np.diff(data.readings, axis=1, prepend=np.nan)
    found = np.zeros((len(change), 2))
    for way, sign in enumerate((1, -1)):
        mask = (np.sign(data.pulses) == sign) & np.isfinite(change) & (data.pulses > following.ANEW_BELOW)
        for d in range(len(change)):
            own = sign * change[d, mask[d]] / np.abs(data.pulses[d, mask[d]])
            found[d, way] = own.mean() if len(own) else 0.0
    least = 0.05 * np.abs(found).mean(axis=0) + 1e-12
    return np.maximum(found, least)


def _starts(data: Scaled, problem: Problem) -> tuple[Array, float, float]:
    """Return own parameters, the noise of a pulse in steps, and the variance of a reading, roughly."""
    size = _sizes(data)
    change = np.diff(data.readings, axis=1, prepend=np.nan)
    way = np.sign(data.pulses)
    known = np.isfinite(change) & (data.pulses > following.ANEW_BELOW)
    off = np.where(known, change - np.where(way > 0, size[:, :1], -size[:, 1:]) * np.abs(data.pulses), np.nan)
    square = float(np.nanmedian(off**2)) / 0.455
    both = off[:, 1:] * off[:, :-1]
    lagged = float(np.nanmean(np.clip(both, -9 * square, 9 * square)))
    read = float(np.clip(-lagged, 0.02 * square, 0.45 * square))
    step = float(np.sqrt((size**2).mean()))
    return size, np.sqrt(max(square - 2 * read, 0.1 * square)) / step, max(read, data.grain)


def fit(
    data: Scaled, response: str, weight: Array | None = None, start: FittedResponse | None = None,
    own_bounds: tuple[str, ...] = (),
    form: tuple[str, ...] | None = None,
) -> FittedResponse:
    """Fit one response.

    Parameters
    ----------
    data : Scaled
        Curves.
    response : str
        One of ``RESPONSES``.
    weight : numpy.ndarray, optional
        (devices, readings) of which readings count.
    start : FittedResponse, optional
        Where to begin; its form of noise and bounds are kept.
    own_bounds : tuple of str
        Directions whose soft bound every device has of its own.
    form : tuple of str, optional
        Of the noise; by default the one that describes best.
    """
    if start is not None:
        problem = _problem(data, response, start.form, start.own_bounds, weight, start.tied)
        best = maximum(problem, start.best.own, start.best.shared)
        bounds = {"own_bounds": start.own_bounds, "unlike": start.unlike}
        return _within(FittedResponse(response, start.form, best, data, **bounds, tied=start.tied), weight)
    if form is not None:
        return _fit_form(data, response, form, weight, own_bounds)
    forms = FORMS if not data.one_sided else (*FORMS, ("noise", "base", "state"))
    tried: list[FittedResponse] = []
    for form in forms:
        tried.append(_fit_form(data, response, form, weight, own_bounds))
    # What two forms leave out near hard bounds differs: they are compared by what both look at.
    both = np.logical_and.reduce([one.best.mask for one in tried])
    loss = [one.loss_on(both) for one in tried]
    # Where curves do not tell them apart: noise of the published fits with soft bounds does not go with the step.
    clearer = -CLEARER if response == "soft_bounds" else CLEARER
    chosen = 1 if loss[1] < loss[0] - clearer else 0
    for n in range(2, len(tried)):
        chosen = n if loss[n] < loss[chosen] - BETTER else chosen
    return tried[chosen]


def _fit_form(
    data: Scaled, response: str, form: tuple[str, ...], weight: Array | None, own_bounds: tuple[str, ...]
) -> FittedResponse:
    problem = _problem(data, response, form, own_bounds, weight)
    size, noise, read = _starts(data, problem)
    many = len(form)
    found: list[FittedResponse] = []
    shapes = ((1.0,) * (2 * STATES),) if response == "table" else _SHAPES[response][1]
    for shape in shapes:
        values = dict(zip((one.name for one in _SHAPES.get(response, ((),))[0]), shape, strict=False))
        own = size[:, : 1 if data.one_sided else 2]
        own = np.concatenate([own, *[_first_slope(data, way) for way in ("up", "down") if way in own_bounds]], axis=1)
        shared = [values.get(one.name, 1.0) for one in problem.shared]
        for n, one in enumerate(problem.shared):
            if one.name in NOISE:
                shared[n] = noise / many if one.name != "state" else 0.02
            elif one.name == "read":
                shared[n] = read
        best = maximum(problem, own.copy(), np.array(shared))
        found.append(_within(FittedResponse(response, form, best, data, own_bounds), weight))
    return min(found, key=lambda one: one.best.loss)


def _within(found: FittedResponse, weight: Array | None) -> FittedResponse:
    """Return a fit whose steps a chip's formula says: an exponential's c/gamma within its range."""
    ties = dict(found.tied)
    for way in ("up", "down") if found.response == "exponential" else ():
        gamma, slope = found.value(f"gamma_{way}"), found.value(f"slope_{way}")
        if way not in ties and not min(LEAST * gamma, MOST * gamma) <= slope <= max(LEAST * gamma, MOST * gamma):
            ties[way] = LEAST if slope * gamma < 0 else MOST
    if len(ties) == len(found.tied):
        return found
    problem = _problem(found.data, found.response, found.form, found.own_bounds, weight, ties)
    best = maximum(problem, found.best.own, found.best.shared)
    return _within(replace(found, best=best, tied=ties), weight)
