# Tested by tests/hw_models/measured/test_response.py.
"""Fields of a pulse, with intervals, from a response that is fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import foldnorm

from hw_models.chip import Pulse
from hw_models.errors import ChipError
from hw_models.measured import censored, population
from hw_models.measured.laws import STATES, FittedResponse
from hw_models.measured.likelihood import loss_of, spread_of
from hw_models.measured.own_profiles import profiles
from hw_models.measured.population import Estimate, between, quantile, relative

Array = np.ndarray
FARTHEST = 50.0
"""Largest bound that is written: steps that shrink less are constant."""
WIDE = 1.92
"""By how much -log L rises at the end of a 95 % interval of one parameter."""
SIZES = (2, 3, 4, 5)
"""Columns of noise in the kernel's parameters."""
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
FACTOR = {"exponential": "factor s of its formula", "power": "factor s of its formula"}
"""Meaning of dw_min where it is no step at weight 0."""


@dataclass(frozen=True)
class Found:
    """What a fit says."""

    pulse: Pulse
    estimates: Mapping[str, Estimate]
    notes: tuple[str, ...]


class Reader:
    """Reads estimates from a fit.

    Parameters
    ----------
    fitted : FittedResponse
        A response.
    bias : numpy.ndarray
        (J,) of the shared parameters, which counts as error: slopes of curves that are short beside their noise come
        out too steep (Nickell, Econometrica 49:1417, 1981).
    """

    def __init__(self, fitted: FittedResponse, bias: Array) -> None:
        self.fitted, self.best = fitted, fitted.best
        self.covariance, self.inverse, self.goes = spread_of(self.best)
        self.covariance = self.covariance + np.diag(np.where(self.best.held, 0.0, bias**2))
        self.devices = len(self.best.own)
        self.t = quantile(self.devices)
        self.names = [one.name for one in self.best.problem.shared]

    def shared(self, name: str, factor: float = 1.0) -> Estimate:
        """Return a shared parameter times a factor, its interval within its range."""
        n = self.names.index(name)
        unknown = self.best.problem.shared[n]
        value, error = float(self.best.shared[n]), float(np.sqrt(self.covariance[n, n]))
        if self.best.held[n] and unknown.column in SIZES:
            return Estimate(value, unknown.low, self._most(n)).times(factor)
        low, high = max(value - self.t * error, unknown.low), min(value + self.t * error, unknown.high)
        return Estimate(value, low, high).times(factor)

    def _most(self, n: int) -> float:
        """Return how large a noise that was found to be none may be: the likelihood tells sizes from 0 by no slope."""
        problem, best = self.best.problem, self.best
        size = problem.shared[n].scale * 1e-4
        for _ in range(60):
            shared = best.shared.copy()
            shared[n] += size
            if loss_of(problem.innovations(best.own, shared), best.mask).sum() > best.loss + WIDE:
                break
            size *= 1.5
        return float(best.shared[n] + size)

    def common(self, slopes: Array) -> float:
        """Return the standard error that shared parameters bring to a mean over devices, slopes (devices, J)."""
        mean = slopes.mean(axis=0)
        return float(np.sqrt(max(mean @ self.covariance @ mean, 0.0)))

    def mean(self, value: float, error: float, slopes: Array) -> Estimate:
        """Return a mean with the interval of its scatter and of the shared parameters."""
        half = self.t * math.hypot(error, self.common(slopes))
        return Estimate(value, value - half, value + half)

    def steps(self) -> tuple[Array, Array, Array]:
        """Return steps of the devices (devices, K), their variances (devices, K, K), and how they go with the shared
        parameters (devices, K, J); of a table at weight 0."""
        k = 1 if self.fitted.data.one_sided else 2
        own, inverse, goes = self.best.own[:, :k], self.inverse[:, :k, :k], self.goes[:, :k].copy()
        if self.fitted.response != "table":
            return own, inverse, goes
        scale, hats = self.table_middle()
        goes = goes * scale[:, None] + own[:, :, None] * hats
        return own * scale, inverse * scale[:, None] * scale, goes

    def table_middle(self) -> tuple[Array, Array]:
        """Return factors of a table at weight 0 (K,), and what each shared parameter has in them (K, J)."""
        low, high = self.fitted.data.low.mean(), self.fitted.data.high.mean()
        x = float(np.clip(-low / (high - low), 0, 1)) * (STATES - 1)
        cell = min(int(x), STATES - 2)
        hats = np.zeros((1 if self.fitted.data.one_sided else 2, len(self.names)))
        for way in range(len(hats)):
            hats[way, way * STATES + cell] += 1 - (x - cell)
            hats[way, way * STATES + cell + 1] += x - cell
        return hats @ self.best.shared, hats


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
    estimates |= _shape(read, estimates)
    for name, field in (("noise", "noise"), ("base", "noise_base"), ("state", "noise_state")):
        if name in fitted.form:
            estimates[field] = read.shared(name)
    if response == "exponential":
        estimates |= _formula_steps(read, estimates)
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
    pulse = _pulse(read, estimates, readings, log_normal, seen, root)
    means = {**MEANS, **({"dw_min": ("weight", FACTOR[response])} if response in FACTOR else {})}
    named = {name: one.named(*means.get(name, ("1", f"of '{response}'"))) for name, one in estimates.items()}
    return Found(pulse, named, tuple(notes))


def _steps(read: Reader) -> tuple[dict[str, Estimate], bool]:
    """Return dw_min, up_down and their spreads, and whether steps are log-normal from device to device."""
    own, inverse, goes = read.steps()
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
    if population.log_normal(y, steps.spread.value):
        logs = between(np.log(y), v / y**2)
        mean = read.mean(logs.mean, logs.error, along / y[:, None])
        dw_min = mean.through(lambda y: math.exp(min(y, 700.0)) / share)
        return {"dw_min": dw_min, "dw_min_spread": logs.spread, **found}, True
    mean = read.mean(steps.mean, steps.error, along).times(1 / share)
    dw_min = replace(mean, low=max(mean.low, 0.0))
    spread = relative(steps.spread, steps.mean, len(y))

    def less(value: float) -> float:
        return math.sqrt(max(value**2 - bent / share**2, 0.0) / (1 + bent / share**2)) if value < math.inf else value

    spread = replace(spread, value=less(spread.value), low=less(spread.low), high=less(spread.high))
    return {"dw_min": dw_min, "dw_min_spread": spread, **found}, False


def _slope_spreads(read: Reader) -> Array:
    """Return how shared slopes may differ between devices, (2, J): as found, and at most; 0 of what all share."""
    found = np.zeros((2, len(read.names)))
    if read.fitted.response in ("linear", "soft_bounds", "exponential"):
        for n, name in enumerate(read.names):
            if name in ("up", "down", "slope_up", "slope_down"):
                one = _slope_spread(read, name)
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
            effects = between(sign / c, read.inverse[:, n, n] / c**4)
            found[name] = read.mean(effects.mean, effects.error, -sign * read.goes[:, n] / c[:, None] ** 2)
            found[f"{name}_spread"] = relative(effects.spread, effects.mean, len(level))
        elif soft:
            one = read.shared(way)
            ends = [1 / end if end > 1 / FARTHEST else math.inf for end in (one.high, one.low)]
            value = 1 / max(one.value, 1 / FARTHEST)
            low, high = sorted((sign * ends[0], sign * ends[1]))
            found[name] = Estimate(sign * value, low, high, told=math.isfinite(ends[1]))
            if not math.isfinite(ends[1]):
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


def _shape(read: Reader, estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Return the fields of the response itself."""
    response = read.fitted.response
    if response == "linear":
        found = {}
        for way, name in (("up", "w_max"), ("down", "w_min")):
            if way in read.names:
                found[f"gamma_{way}"] = read.shared(way, abs(estimates[name].value))
                found[f"gamma_{way}_spread"] = _slope_spread(read, way).times(abs(estimates[name].value))
        return found
    if response == "power":
        return {name: read.shared(name) for name in read.names if name.startswith("gamma")}
    if response == "exponential":
        found = {}
        for way in ("up", "down"):
            found |= _exponential(read, way) if f"gamma_{way}" in read.names else {}
        return found
    return {}


LEAST, MOST = -0.98, 20.0
"""Of c/gamma = A/(1 - A): steps are not turned round, nor lost in a difference of two large numbers."""


def _exponential(read: Reader, way: str) -> dict[str, Estimate]:
    """Return gamma and A = c/(gamma + c), whose interval has no end where gamma may be 0."""
    gamma, c = read.shared(f"gamma_{way}"), read.shared(f"slope_{way}")
    ratio = c.value / gamma.value if abs(gamma.value) > 1e-6 else math.copysign(MOST, c.value)
    if not LEAST <= ratio <= MOST:
        ratio = float(np.clip(ratio, LEAST, MOST))
        gamma = replace(gamma, value=c.value / ratio)
    ends = [float(np.clip(b / a, LEAST, MOST)) for a in (gamma.low, gamma.high) for b in (c.low, c.high) if a]
    clear = gamma.low > 0 or gamma.high < 0
    low, high = (_share(min(ends)), _share(max(ends))) if clear else (-math.inf, 1.0)
    if clear and min(ends) <= LEAST:
        low = -math.inf
    return {f"a_{way}": Estimate(_share(ratio), low, high, told=clear), f"gamma_{way}": gamma}


def _share(ratio: float) -> float:
    return ratio / (1 + ratio)


def _formula_steps(read: Reader, estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Return dw_min and up_down of the formula, whose steps are those at weight 0 over 1 - A."""
    one, tilt = estimates["dw_min"], estimates.get("up_down", Estimate(0.0, 0.0, 0.0))
    ways = [way for way in ("up", "down") if f"a_{way}" in estimates]
    grow = [1 - min(estimates[f"a_{way}"].value, 0.98) for way in ways]
    size = [1 + min(tilt.value, 0.0), 1 - max(tilt.value, 0.0)]
    steps = [one.value * part / more for part, more in zip(size, grow, strict=False)]
    told = all(estimates[f"a_{way}"].told for way in ways)
    ends = [
        (one.low * min(size) / (1 - estimates[f"a_{way}"].low), one.high / max(1 - estimates[f"a_{way}"].high, 1e-12))
        for way in ways
    ]
    lows, highs = zip(*ends, strict=True)
    if "noise_base" in estimates:
        base = estimates["noise_base"].times(one.value / max(steps))
        found_base = {"noise_base": base if told else replace(base, low=0.0, high=math.inf, told=False)}
    else:
        found_base = {}
    low, high = (max(lows), max(highs)) if told else (0.0, math.inf)
    found = {**found_base, "step": one, "dw_min": Estimate(max(steps), low, high, told=told)}
    if len(steps) == 2:
        a = (steps[0] - steps[1]) / sum(steps)
        shift = 2 * a / (1 + abs(a)) - tilt.value
        wide = Estimate(tilt.value + shift, -1.0, 1.0, told=False)
        if told:
            shares = [estimates[f"a_{way}"] for way in ways]
            ratio = [math.log1p(-share.low) - math.log1p(-min(share.high, 0.999)) for share in shares]
            half, middle = math.hypot((tilt.high - tilt.low) / 2, *ratio), tilt.value + shift
            wide = Estimate(middle, max(middle - half, -1.0), min(middle + half, 1.0))
        found["up_down"] = wide
    return found


def _slope_spread(read: Reader, name: str) -> Estimate:
    """Return how a shared slope differs between devices: one step of scoring for each, others as they are."""
    k, n = len(read.best.problem.own), read.names.index(name)
    info, score = read.best.information, read.best.score
    schur = info[:, k + n, k + n] + np.einsum("di,di->d", info[:, k + n, :k], read.goes[:, :, n])
    own = score[:, k + n] + np.einsum("di,di->d", read.goes[:, :, n], score[:, :k])
    known = schur > 1e-9 * schur.max()
    if known.sum() < 3:
        return Estimate(0.0, told=False)
    return between(own[known] / schur[known], 1 / schur[known]).spread


def _pulse(
    read: Reader, estimates: Mapping[str, Estimate], readings: str, log_normal: bool, seen: bool, root: float
) -> Pulse:
    """Return the fields of a pulse that say it."""
    data, response = read.fitted.data, read.fitted.response
    value = {name: one.value for name, one in estimates.items()}
    low = 0.0 if data.one_sided else value["w_min"]
    if not low <= 0 < value["w_max"] or (not data.one_sided and not low < 0):
        ends = f"g_min = {value['g_min']:g}, g_max = {value['g_max']:g} uS"
        raise ChipError(f"{ends}: weight 0 lies outside of the curves")
    found: dict[str, object] = {"dw_min": short(value["dw_min"]), "w_max": short(value["w_max"]), "w_min": short(low)}
    if not data.one_sided:
        found["up_down"] = float(np.clip(short(value["up_down"]), -0.99, 0.99))
    for name in ("dw_min_spread", "up_down_spread", "w_max_spread", "w_min_spread"):
        if name in estimates and estimates[name].told and estimates[name].value > 0:
            found[name] = short(value[name])
    if log_normal and "dw_min_spread" in found:
        found["dw_min_law"] = "log_normal"
    for name in ("noise", "noise_base", "noise_state"):
        if value.get(name, 0.0) >= 1e-4:
            found[name] = short(value[name])
    if readings == "write" and seen:
        found["write_noise"] = short(root / value["dw_min"])
    if "corrupt" in estimates:
        found["corrupt"] = short(value["corrupt"])
    if response == "table":
        return Pulse(**found, **_table(read))  # type: ignore[arg-type]
    names = [name for name in value if name.startswith(("gamma_", "a_")) and not name.endswith("_spread")]
    shape: dict[str, object] = {name: short(value[name]) for name in names}
    if response == "linear":
        shape = {name: max(float(str(one)), 0.0) for name, one in shape.items()}
        for name in ("gamma_up_spread", "gamma_down_spread"):
            if name in estimates and estimates[name].told:
                shape[name] = short(value[name])
    if response == "exponential":
        shape = {name: one for name, one in shape.items() if value.get(name.replace("gamma", "a"), 1.0)}
    idle = response != "soft_bounds" and not any(shape.values())
    found |= {"response": "constant"} if idle else {"response": response, **shape}
    return Pulse(**found)  # type: ignore[arg-type]


def _table(read: Reader) -> dict[str, object]:
    """Return the fields of a table: steps over those at weight 0."""
    middle, _ = read.table_middle()
    rows = read.best.shared[: len(middle) * STATES].reshape(len(middle), STATES) / middle[:, None]
    names = ("table_up", "table_down")[: len(rows)]
    found: dict[str, object] = {
        name: tuple(short(float(one)) for one in row) for name, row in zip(names, rows, strict=True)
    }
    return found | {"response": "table"}


def short(value: float) -> float:
    """Return a number of four digits: errors of fits are larger."""
    return float(f"{value:.4g}") + 0.0
