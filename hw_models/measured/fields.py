"""Fields of a pulse, with intervals, from a response that is fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import foldnorm

from hw_models.chip import Pulse
from hw_models.measured import censored, population
from hw_models.measured.laws import FittedResponse
from hw_models.measured.own_profiles import profiles
from hw_models.measured.population import Estimate, between, relative
from hw_models.measured.pulse_fields import formula_steps, pulse_of, shape_of
from hw_models.measured.reader import Reader

Array = np.ndarray
FARTHEST = 50.0
"""Largest bound that is written: steps that shrink less are constant."""
SMALL = 1e-3
"""Conductance of no device that learns [uS]: 1 nS."""
MEANS: Mapping[str, tuple[str, str]] = {
    "g_min": ("uS", "conductance of the lowest weight"),
    "g_max": ("uS", "conductance of weight 1"),
    "step": ("weight", "one pulse at weight 0"),
    "dw_min": ("weight", "step of one pulse at weight 0"),
    "up_down": ("1", "asymmetry: above 0 steps down are smaller by that share"),
    "noise": ("step", "cycle to cycle"),
    "noise_base": ("dw_min", "cycle to cycle, whatever the step"),
    "noise_state": ("weight", "cycle to cycle, by the weight"),
    "reading": ("uS", "standard deviation of one reading"),
    "dw_min_spread": ("dw_min", "device to device"),
    "up_down_spread": ("1", "device to device"),
    "w_max": ("weight", "upper bound"),
    "w_min": ("weight", "lower bound"),
    "w_max_spread": ("w_max", "device to device"),
    "w_min_spread": ("w_min", "device to device"),
    "corrupt": ("1", "share of devices that no pulse moves"),
    "gamma_up_spread": ("1", "device to device"),
    "gamma_down_spread": ("1", "device to device"),
}
"""Unit and meaning."""
SEEN, ONE_SIDED = 0.3, 1.645
"""Relative error of a slope below which it tells a device's bound, and standard errors within which a bound is not."""
COARSE = 0.5
"""Step over a device's nearer soft bound from which its states are few."""
NEAR = "Devices differ in {}, and most do not come to theirs: near bounds alone are told."
FACTOR = {"exponential": "factor s of its formula", "power": "factor s of its formula"}
"""Meaning of dw_min where it is no step at weight 0."""


@dataclass(frozen=True)
class Found:
    """What a fit says."""

    pulse: Pulse
    estimates: Mapping[str, Estimate]
    notes: tuple[str, ...]


def fields_of(
    fitted: FittedResponse, bias: Array, moving: Array, readings: str, g: tuple[float, float],
    sought: tuple[bool, bool] = (False, False),
) -> Found:
    """Return the pulse of a fit, estimates by name, and what a reader should know.

    Parameters
    ----------
    fitted : FittedResponse
        The response.
    bias : numpy.ndarray
        As :class:`Reader` takes it.
    moving : numpy.ndarray
        (devices,) that pulses move.
    readings : str
        Whose the noise of readings is.
    g : tuple of float
        Ends of the range [uS].
    sought : tuple of bool
        Which of them are not given, but where curves end.
    """
    read = Reader(fitted, bias)
    data, response = fitted.data, fitted.response
    estimates, log_normal = _steps(read)
    bounds, notes = _bounds(read, g)
    estimates |= bounds
    estimates |= shape_of(read, estimates)
    for name, field in (("noise", "noise"), ("base", "noise_base"), ("state", "noise_state")):
        if name in fitted.form:
            estimates[field] = read.shared(name)
    if response == "exponential":
        left = [1 - estimates[f"a_{way}"].value for way in ("up", "down") if f"a_{way}" in estimates]
        own, log_normal = _steps(read, np.array(left))
        found = formula_steps(read, estimates)
        if "up_down_spread" in own:
            own["up_down_spread"] = _by_asymmetry(own["up_down_spread"], found["up_down"])
        estimates |= found | {name: _at(found.get(name, one), one) for name, one in own.items()}
    half = (g[1] - g[0]) / (data.edges[1] - data.edges[0])
    square = read.shared("read")
    low = 0.0 if square.low <= 2 * data.grain else math.sqrt(square.low)
    seen = low > 0
    root = math.sqrt(square.value) if seen else 0.0
    estimates["reading"] = Estimate(root, low, math.sqrt(square.high)).times(half)
    estimates = {**_ends(g, sought, bounds, half, data.edges), **estimates}
    if not moving.all():
        estimates["corrupt"] = population.share(int((~moving).sum()), len(moving))
    if g[1] < SMALL:
        notes.append(f"g_max is {g[1] * 1e6:.3g} pS: is the unit of the conductances right?")
    pulse = pulse_of(read, estimates, readings, log_normal, seen, root)
    means = {**MEANS, **({"dw_min": ("weight", FACTOR[response])} if response in FACTOR else {})}
    named = {name: one.named(*means.get(name, ("1", f"of '{response}'"))) for name, one in estimates.items()}
    return Found(pulse, named, tuple(notes))


def _by_asymmetry(spread: Estimate, tilt: Estimate) -> Estimate:
    """Return a spread of the asymmetry within what is left open of the asymmetry itself.

    Of t = r - 1 at a ratio r of the steps below 1 the spread is r times that of ln r: in proportion to 1 - |t|.
    """
    left = max(1 - abs(tilt.value), 1e-9)
    near = 1.0 if tilt.low < 0 < tilt.high else 1 - min(abs(tilt.low), abs(tilt.high))
    far = 1 - max(abs(tilt.low), abs(tilt.high))
    low, high = spread.low * min(far / left, 1.0), spread.high * max(near / left, 1.0)
    return replace(spread, low=low, high=high, told=spread.told and low > 0)


def _at(wide: Estimate, one: Estimate) -> Estimate:
    """Return what devices tell of one number, within what the curve leaves open of it."""
    return replace(wide, value=one.value, low=min(wide.low, one.value), high=max(wide.high, one.value))


def _steps(read: Reader, left: Array | float = 1.0) -> tuple[dict[str, Estimate], bool]:
    """Return dw_min, up_down and their spreads, and whether steps are log-normal from device to device.

    Of an exponential's factors s, ``left`` (K,) is 1 - A: what a device's step at weight 0 is of its s.
    """
    own, inverse, goes = read.steps()
    scale = np.broadcast_to(1 / np.asarray(left, dtype=float), own.shape[1:])
    own, inverse, goes = own * scale, inverse * scale[:, None] * scale, goes * scale[:, None]
    k = own.shape[1]
    y, v = own.mean(axis=1), inverse.sum(axis=(1, 2)) / k**2
    along = goes.mean(axis=1)
    found: dict[str, Estimate] = {}
    slopes = _slope_spreads(read)
    share, bent = 1.0, 0.0
    if k == 2:
        total = own.sum(axis=1)
        a = (own[:, 0] - own[:, 1]) / total
        slope = 4 / ((1 + np.abs(a)) ** 2 * total**2)
        to = np.stack([own[:, 1], -own[:, 0]], axis=1) * slope[:, None]
        tilt, error = 2 * a / (1 + np.abs(a)), np.einsum("di,dij,dj->d", to, inverse, to)
        shape = profiles(read.best) if read.fitted.response == "soft_bounds" else None
        if shape is not None:
            tilt, error = shape.tilts()
        tilts = _apart(tilt, error, np.einsum("di,dij->dj", to, goes), slopes)
        if shape is not None:
            tilts = _without_coarse(tilts, tilt, error, _coarse(read, own))
        up_down = read.mean(tilts.mean, tilts.error, np.einsum("di,dij->dj", to, goes))
        found["up_down"], found["up_down_spread"] = up_down, tilts.spread
        tau, middle = (tilts.spread.value if tilts.spread.told else 0.0), up_down.value
        if shape is not None:
            y, v = shape.sizes(middle, math.hypot(tilts.spread.value, tilts.error))
            along = along * 2 / (2 - np.abs(tilt))[:, None]
        elif tau > 0:
            size, square = foldnorm.stats(abs(middle) / tau, scale=tau)
            share, bent = 1 - float(size) / 2, float(square) / 4
        elif up_down.low > 0 or up_down.high < 0:
            share = 1 - abs(middle) / 2
    steps = _apart(y, v, along, slopes)
    logs = between(np.log(y), v / y**2) if y.min() > 0 else steps
    if population.log_normal(y, steps.spread.value):
        return {"dw_min": _middle(read, logs, y, along, share), "dw_min_spread": logs.spread, **found}, True
    mean = read.mean(steps.mean, steps.error, along).times(1 / share)
    dw_min = replace(mean, low=max(mean.low, 0.0))
    if population.perhaps_log_normal(y):
        # Of the middle of log-normal steps the mean is no estimate: where either law may be, so may its number.
        other = _middle(read, logs, y, along, share)
        dw_min = replace(dw_min, low=min(dw_min.low, other.low), high=max(dw_min.high, other.high))
    spread = relative(steps.spread, steps.mean, len(y))

    def less(value: float) -> float:
        return math.sqrt(max(value**2 - bent / share**2, 0.0) / (1 + bent / share**2)) if value < math.inf else value

    spread = replace(spread, value=less(spread.value), low=less(spread.low), high=less(spread.high))
    return {"dw_min": dw_min, "dw_min_spread": spread, **found}, False


def _middle(read: Reader, logs: population.Effects, y: Array, along: Array, share: float) -> Estimate:
    """Return the middle of log-normal steps."""
    mean = read.mean(logs.mean, logs.error, along / y[:, None])
    return mean.through(lambda one: math.exp(min(one, 700.0)) / share)


def _slope_spreads(read: Reader) -> Array:
    """Return how shared slopes may differ between devices, (2, J): as found, and at most; 0 of what all share."""
    found = np.zeros((2, len(read.names)))
    if read.fitted.response in ("linear", "soft_bounds", "exponential"):
        for n, name in enumerate(read.names):
            if name in ("up", "down", "slope_up", "slope_down"):
                one = read.slope_spread(name)
                found[:, n] = one.value if one.told else 0.0, one.high if math.isfinite(one.high) else 0.0
    return found


def _apart(y: Array, v: Array, along: Array, slopes: Array) -> population.Effects:
    """Return mean and spread of estimates that go with slopes, ``along`` (devices, J), which may differ too.

    Away from weight 0 a device of another slope looks like one of another step: the lower end of the interval is what
    is left to steps if slopes differ as much as they may.
    """
    found, widest = (between(y, v + (along**2) @ row**2) for row in slopes)
    plain = between(y, v)
    low, high = min(found.spread.low, widest.spread.low), max(found.spread.high, plain.spread.high)
    spread = replace(found.spread, low=low, high=high)
    return replace(found, spread=spread)


def _coarse(read: Reader, own: Array) -> Array:
    """Return which devices (devices,) cross the way to a soft bound of their own in a few pulses."""
    names = [one.name for one in read.best.problem.own]
    c = [read.best.own[:, names.index(f"bound {way}")] for way in ("up", "down") if f"bound {way}" in names]
    steps = own.max(axis=1)
    return np.asarray((steps * np.max(c, axis=0) if c else 0 * steps) > COARSE)


def _without_coarse(found: population.Effects, y: Array, v: Array, coarse: Array) -> population.Effects:
    """Return a spread whose lower end stands without any one of the coarse devices, too.

    Their states are not normal between two readings, and what all share is held while their likelihood is followed:
    one of them in ten lies beyond two of its errors, and one in fifty beyond three.
    """
    rest = [np.arange(len(y)) != n for n in np.flatnonzero(coarse)] if len(y) > 3 else []
    low = min([found.spread.low, *(between(y[one], v[one]).spread.low for one in rest)])
    return replace(found, spread=replace(found.spread, low=low, told=low > 0))


def _bounds(read: Reader, g: tuple[float, float]) -> tuple[dict[str, Estimate], list[str]]:
    """Return w_max, w_min and their spreads, and what should be known of them."""
    data, found, notes = read.fitted.data, {}, []
    soft = read.fitted.response == "soft_bounds"
    sides = [("w_max", "up", data.high, data.reached[1], data.edges[1], 1.0)]
    if not data.one_sided:
        sides.append(("w_min", "down", data.low, data.reached[0], data.edges[0], -1.0))
    for name, way, level, reached, edge, sign in sides:
        if soft and way in read.fitted.own_bounds:
            n = [one.name for one in read.best.problem.own].index(f"bound {way}")
            c = read.best.own[:, n]
            error = np.sqrt(read.inverse[:, n, n])
            tells, v = error < SEEN * c, error**2 / c**4
            # As the mean weighs devices: one that does not tell its bound goes with what all share as it likes.
            along = -sign * read.goes[:, n] / c[:, None] ** 2
            if tells.all() or 2 * tells.sum() < len(tells) or tells.sum() < censored.FEWEST:
                those = tells if tells.any() else ~tells
                effects = between(sign / c[those], v[those])
                w = 1 / (effects.spread.value**2 + v[those] + 1e-300)
                found[name] = read.mean(effects.mean, effects.error, along[those] * (w / w.mean())[:, None])
                if not tells.all():
                    near = min(found[name].low, found[name].high, key=lambda end: sign * end)
                    low, high = sorted((sign * max(sign * near, 0.0), sign * math.inf))
                    found[name] = replace(found[name], low=low, high=high, told=False)
                    effects = replace(effects, spread=replace(effects.spread, high=math.inf, told=False))
                    notes.append(NEAR.format(name))
            else:
                # Far bounds are those that are not told: without them the mean would be that of the near ones.
                beyond = np.minimum(1 / (c + ONE_SIDED * error), np.maximum(sign * level, 0.0))
                beside = np.where(tells, 1 / c, beyond)
                one, effects = censored.bounds(beside, np.where(tells, v, 0.0), tells)
                more = read.t * read.common(along[tells])
                low, high = (one.value + way * math.hypot(end - one.value, more)
                             for way, end in ((-1, one.low), (1, one.high)))  # fmt: skip
                found[name] = replace(one, low=low, high=high).times(sign)
                word = "upper" if sign > 0 else "lower"
                many = f"{int(tells.sum())} of {len(tells)} devices tell their {word} bound"
                notes.append(f"{many}: {name} is that of all, as far as they tell it.")
            found[f"{name}_spread"] = relative(effects.spread, found[name].value, int(tells.sum()))
        elif soft:
            one = read.shared(way)
            ends = [1 / end if end > 1 / FARTHEST else math.inf for end in (one.high, one.low)]
            if way in read.fitted.unlike:
                ends[1] = math.inf
            elif read.devices > 1 and one.value > 0:
                # The mean of bounds is above one over the mean slope, by the square of how slopes may spread.
                most = read.slope_spread(way).high
                ends[1] *= 1 + (most / one.value if math.isfinite(most) else math.inf) ** 2
            value = 1 / max(one.value, 1 / FARTHEST)
            low, high = sorted((sign * ends[0], sign * ends[1]))
            found[name] = Estimate(sign * value, low, high, told=math.isfinite(ends[1]))
            if way in read.fitted.unlike:
                notes.append(NEAR.format(name))
            elif not math.isfinite(ends[1]):
                notes.append(f"Curves hardly tell {name}: steps do not clearly shrink towards it.")
        elif reached:
            beyond = read.fitted.value("above" if sign > 0 else "below") * float((data.high - data.low).mean())
            tells, error = data.told[:, int(sign > 0)], np.full(len(level), read.fitted.value("read"))
            if tells.all() or tells.sum() < censored.FEWEST:
                effects = between(level, error)
                half = read.t * effects.error
                one = Estimate(effects.mean, effects.mean - half, effects.mean + half)
            else:
                beside = np.where(tells, level, data.passed[int(sign > 0)])
                one, effects = censored.bounds(sign * beside, error, tells)
                one, word = one.times(sign), "upper" if sign > 0 else "lower"
                many = f"{int(tells.sum())} of {len(tells)} devices come to their {word} bound"
                notes.append(f"{many}: {name} is that of all, as far as they tell it.")
            found[name] = one.plus(sign * beyond)
            found[f"{name}_spread"] = relative(effects.spread, one.value, int(tells.sum()))
        else:
            # Every device's bound is beyond its own farthest reading, so their mean is beyond the mean of these.
            farthest = float(level.mean())
            slack = read.t * float(level.std(ddof=1) / np.sqrt(len(level))) if len(level) > 1 else 0.0
            low, high = sorted((farthest - sign * slack, sign * math.inf))
            value = max(edge, farthest) if sign > 0 else min(edge, farthest)
            found[name] = Estimate(value, low, high, told=False)
            word = "upper" if sign > 0 else "lower"
            notes.append(f"Curves do not come to their {word} bound: {name} is assumed, and is beyond {farthest:.3g}.")
    return found, notes


def _ends(
    g: tuple[float, float], sought: tuple[bool, bool], bounds: Mapping[str, Estimate], half: float,
    edges: tuple[float, float],
) -> dict[str, Estimate]:
    """Return the ends of the range, with what curves tell of the bounds where these are the ends [uS]."""
    found = {"g_min": Estimate(g[0]), "g_max": Estimate(g[1])}
    for n, (name, bound) in enumerate((("g_min", "w_min"), ("g_max", "w_max"))):
        one = bounds.get(bound)
        if sought[n] and one is not None and abs(one.value - edges[n]) < 1e-6:
            ends = one.plus(-edges[0]).times(half).plus(g[0])
            found[name] = replace(ends, value=g[n], low=max(ends.low, 0.0))
    return found
