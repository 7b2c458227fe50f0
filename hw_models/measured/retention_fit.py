# Tested by tests/hw_models/measured/test_law_fits.py
"""Retention: conductances by the time since they were written, as drift or as loss of what devices hold.

============ ==========================================================  ==================================
law          of every device                                             fields
============ ==========================================================  ==================================
none         g = g_0
drift        g = g_0 (1 + t/t0)^-nu, nu by ln(g/g_max) where it is seen  drift_mean, drift_spread, drift_start
loss         g = g_min + (g_0 - g_min) exp(-t/tau)                       retention, retention_spread
============ ==========================================================  ==================================

Logarithms of conductances are fitted, each device's g_0 and nu (or tau) by least squares with far readings counted
less; t0 is one for all. Every second time of a device is left out in turn. Where all times are far beyond t0 nothing
tells it but a bound: it is then the first time, or that bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import t as student

from hw_models.errors import ChipError
from hw_models.measured.law_fits import LawFit, Sketch, Tried, explained, interval, likelihood, mixed, taken
from hw_models.measured.population import LEVEL, Estimate, around, between
from hw_models.measured.tables import MeasuredTable

Array = np.ndarray
FEWEST = 4
"""Times of a device."""
STRAY = 0.1
"""Root mean square of ln g about a law, above which it does not fit."""
Lines = tuple[Array, Array, Array]
"""Offsets, slopes, and variances of slopes, of every device."""
ROUNDS = 6
"""Of reweighting."""


def fit_retention(
    table: MeasuredTable, g_min: float | None = None, g_max: float | None = None, asked: str | None = None
) -> LawFit:
    """Fit drift or loss.

    Parameters
    ----------
    table : MeasuredTable
        time [s], conductance [uS]; device.
    g_min, g_max : float, optional
        Of the device [uS]; default 0 and the largest conductance.
    asked : str, optional
        Law to take, whatever the data say.

    Raises
    ------
    ChipError
        If times do not rise, conductances are not above 0, there are fewer than four times of each device, or there
        is no such law, as of a loss below ``g_min``.
    """
    time, g = table.numbers("time"), table.numbers("conductance")
    device, names = table.groups("device")
    if time.min() < 0:
        raise ChipError(f"'{table.path}': time {time.min():g}: seconds since the write, from 0, are needed")
    for d, name in enumerate(names):
        own = np.flatnonzero(device == d)
        falls = np.diff(time[own]) <= 0
        if falls.any():
            row = own[int(np.argmax(falls)) + 1]
            shown = f"time {time[row]:g} s of device '{name}' does not rise: sort it, or are the columns swapped?"
            raise ChipError(f"'{table.path}': line {table.lines[row]}: {shown}")
        if len(own) < FEWEST:
            raise ChipError(f"'{table.path}': device '{name}' has {len(own)} times: at least {FEWEST} are needed")
    floor = 0.0 if g_min is None else g_min
    if g.min() <= 0:
        row = int(np.argmin(g))
        raise ChipError(f"'{table.path}': line {table.lines[row]}: conductance {g[row]:g} uS: above 0 is needed")
    top = float(g.max()) if g_max is None else g_max
    loses = bool((g > floor).all())
    shown = np.log(g)
    t0, t0_range, told = _start(time, shown, device, len(names))
    drift = _regressions(np.log1p(time / t0), shown, device, len(names))
    laws: dict[str, Callable[[Array], Array]] = {
        "none": lambda kept: _prediction(np.zeros_like(time), shown, device, kept),
        "drift": lambda kept: _prediction(np.log1p(time / t0), shown, device, kept),
    }
    if loses:
        laws["loss"] = lambda kept: np.log(floor + np.exp(_prediction(time, np.log(g - floor), device, kept)))
    order = np.concatenate([np.arange((device == d).sum()) for d in range(len(names))])
    place = np.empty(len(time), dtype=int)
    place[np.argsort(device, kind="stable")] = order
    tried = [_tried(name, law, shown, place) for name, law in laws.items()]
    every = np.ones(len(g), dtype=bool)
    rests = {name: float(np.sqrt(np.mean((shown - said(every)) ** 2))) for name, said in laws.items()}
    tried = [replace(one, fits=rests[one.law] <= STRAY) for one in tried]
    law = taken(tried, asked)
    fields: dict[str, object] = {}
    estimates: dict[str, Estimate] = {}
    notes: list[str] = []
    if law == "drift":
        fields, estimates, notes = _drift(drift, shown, device, top, Estimate(t0, *t0_range, told=told))
    elif law == "loss":
        fields, estimates = _loss(_regressions(time, np.log(g - floor), device, len(names)))
    if rests[law] > STRAY:
        notes.append(f"Law '{law}' leaves {rests[law]:.0%} of the conductance: it does not fit.")
    if len(names) == 1:
        notes.append("One device: nothing tells how devices differ.")
    line = np.geomspace(max(time[time > 0].min(), 1e-12), time.max(), 100)
    sketch = Sketch(time, g / _first(g, device), line, _mean_line(law, line, t0, drift, time, g, floor, device),
                    ("time [s]", "conductance over its first"), (True, False))  # fmt: skip
    rest = rests[law]
    return LawFit("retention", law, len(g), fields, estimates, tuple(tried), rest, "of g", sketch, tuple(notes))


def _first(g: Array, device: Array) -> Array:
    found = np.empty_like(g)
    for d in np.unique(device):
        own = np.flatnonzero(device == d)
        found[own] = g[own[0]]
    return found


def _mean_line(
    law: str, line: Array, t0: float, drift: Lines, time: Array, g: Array, floor: float, device: Array
) -> Array:
    """Return the mean device's conductance over its first."""
    first = float(np.median([time[device == d][0] for d in np.unique(device)]))
    if law == "none":
        return np.ones_like(line)
    if law == "drift":
        nu = -float(drift[1].mean())
        return np.asarray(((1 + line / t0) / (1 + first / t0)) ** -nu)
    rate = float(_regressions(time, np.log(g - floor), device, int(device.max()) + 1)[1].mean())
    share = floor / float(_first(g, device).mean())
    return np.asarray(share + (1 - share) * np.exp(rate * (line - first)))


def _weights(left: Array) -> Array:
    scale = 1.4826 * float(np.median(np.abs(left))) + 1e-12
    return np.minimum(1.0, 3 * scale / np.maximum(np.abs(left), 1e-300))


def _line(x: Array, y: Array) -> tuple[float, float, float]:
    """Return offset and slope of a line, and the slope's variance."""
    w = np.ones_like(y)
    a, b = float(y.mean()), 0.0
    for _ in range(ROUNDS):
        mean_x, mean_y = (w * x).sum() / w.sum(), (w * y).sum() / w.sum()
        base = float((w * (x - mean_x) ** 2).sum())
        b = float((w * (x - mean_x) * (y - mean_y)).sum() / base) if base > 0 else 0.0
        a = float(mean_y - b * mean_x)
        w = _weights(y - a - b * x)
    left = w * (y - a - b * x)
    return a, b, float((left**2).sum() / max(len(y) - 2, 1) / base) if base > 0 else 0.0


def _regressions(x: Array, y: Array, device: Array, many: int) -> Lines:
    """Return offsets, slopes and variances of slopes of every device."""
    rows = [_line(x[device == d], y[device == d]) for d in range(many)]
    a, b, v = (np.array(column) for column in zip(*rows, strict=True))
    return a, b, v


def _prediction(x: Array, y: Array, device: Array, kept: Array) -> Array:
    found = np.empty_like(y)
    for d in np.unique(device):
        own = device == d
        a, b, _ = _line(x[own & kept], y[own & kept])
        found[own] = a + b * x[own]
    return found


def _start(time: Array, shown: Array, device: Array, many: int) -> tuple[float, tuple[float, float], bool]:
    """Return t0, its interval by the likelihood, and whether both its ends are told.

    With k degrees of freedom behind the lines of all devices, k ln(sum of squares) rises at the ends by the square of
    Student's quantile.
    """
    positive = time[time > 0]
    logs = np.log(np.geomspace(positive.min() / 30, positive.max(), 50))
    free = max(len(time) - 2 * many - 1, 1)

    def loss(log_t0: float) -> float:
        x = np.log1p(time / np.exp(log_t0))
        a, b, _ = _regressions(x, shown, device, many)
        left = shown - a[device] - b[device] * x
        scale = 1.4826 * float(np.median(np.abs(left))) + 1e-12
        capped = np.where(np.abs(left) < 3 * scale, left**2, 6 * scale * np.abs(left) - 9 * scale**2)
        return float(free * np.log(capped.sum()))

    losses = np.array([loss(float(one)) for one in logs])
    n = int(np.argmin(losses))
    best = minimize_scalar(loss, bounds=(logs[max(n - 1, 0)], logs[min(n + 1, len(logs) - 1)]), method="bounded")
    most = float(best.fun) + float(student.ppf(0.5 + LEVEL / 2, free)) ** 2
    low = high = math.nan
    below, above = (np.flatnonzero((losses > most) & side) for side in (logs < best.x, logs > best.x))
    if len(below):
        low = math.exp(brentq(lambda at: loss(at) - most, logs[below[-1]], best.x))
    if len(above):
        high = math.exp(brentq(lambda at: loss(at) - most, best.x, logs[above[0]]))
    if math.isnan(low) or math.isnan(high):
        low, high = (0.0 if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
        return min(max(float(positive.min()), low), high), (low, high), False
    return float(np.exp(best.x)), (low, high), True


def _tried(name: str, law: Callable[[Array], Array], shown: Array, place: Array) -> Tried:
    """Leave out every second time in turn, the first and last never: a line is asked for what lies between."""
    scores, left_all, values = [], [], []
    for half in (0, 1):
        out = place % 2 == half
        out &= place > 0
        left = shown - law(~out)
        scale = float(np.sqrt(np.mean(left[~out] ** 2))) + 1e-6
        scores += [likelihood(left[out][own], scale) for own in mixed(int(out.sum()))]
        left_all.append(left[out])
        values.append(shown[out])
    r2 = explained(np.concatenate(left_all), np.concatenate(values))
    return Tried(name, np.array(scores), r2, int(name != "none"))


def _drift(
    drift: Lines, shown: Array, device: Array, top: float, t0: Estimate
) -> tuple[dict[str, object], dict[str, Estimate], list[str]]:
    """Return fields, estimates and notes of drift."""
    nu, v = -drift[1], drift[2]
    effects = between(nu, v)
    estimates = {
        "drift_start": t0.named("s", "t0; one of those that times allow, where they do not tell it"),
        "drift_mean": around(effects, len(nu)).named("1", "exponent nu"),
        "drift_spread": effects.spread.named("1", "of nu, device to device"),
    }
    mean: tuple[float, ...] = (0.0, _short(effects.mean), 0.0, _short(max(effects.mean, 1e-6)))
    notes: list[str] = []
    if not t0.told:
        taken = f"{t0.value:.3g} s is taken, of what they allow the nearest to the first time"
        notes.append(f"Times do not tell t0: {taken}.")
    if len(nu) >= 8:
        first = np.array([np.exp(shown[device == d][0]) for d in range(len(nu))])
        x = np.log(np.clip(first / top, 1e-6, None))
        if np.ptp(x) > 0.5:
            w = 1 / (effects.spread.value**2 + v)
            base = float((w * (x - (w * x).sum() / w.sum()) ** 2).sum())
            slope = float((w * (x - (w * x).sum() / w.sum()) * nu).sum() / base)
            one = interval(slope, _around(nu, x, slope, w) / base, len(nu) - 2)
            estimates["drift_mean slope"] = one.named("1", "of nu by ln(g/g_max)")
            if one.low > 0 or one.high < 0:
                offset = float((w * (nu - slope * x)).sum() / w.sum())
                ends = np.clip(offset + slope * np.array([x.min(), x.max()]), 0, None)
                mean = (_short(slope), _short(offset), _short(float(ends.min())), _short(float(ends.max())))
                effects = between(nu - slope * x, v)
                estimates["drift_spread"] = effects.spread.named("1", "of nu, device to device")
    fields: dict[str, object] = {"drift_mean": mean, "drift_start": _short(t0.value)}
    if effects.spread.told:
        size = _short(effects.spread.value)
        fields["drift_spread"] = (0.0, size, 0.0, size)
    if estimates["drift_mean"].low <= 0:
        notes.append("Drift is not clearly above 0.")
    return fields, estimates, notes


def _around(nu: Array, x: Array, slope: float, w: Array) -> float:
    left = nu - slope * x
    left = left - (w * left).sum() / w.sum()
    return max(float((w * left**2).sum() / max(len(nu) - 2, 1)), 1.0)


def _loss(found: Lines) -> tuple[dict[str, object], dict[str, Estimate]]:
    """Return fields and estimates of a loss with a time constant; devices differ in its logarithm."""
    rate, v = -found[1], found[2]
    seen = rate > 0
    logs = between(-np.log(rate[seen]), v[seen] / rate[seen] ** 2)
    tau = around(logs, int(seen.sum())).through(lambda one: float(np.exp(np.clip(one, -700, 700))))
    fields: dict[str, object] = {"retention": _short(tau.value)}
    if logs.spread.told:
        fields["retention_spread"] = _short(logs.spread.value)
    return fields, {
        "retention": tau.named("s", "time constant of the loss above g_min"),
        "retention_spread": logs.spread.named("1", "of its logarithm, device to device"),
    }


def _short(value: float) -> float:
    return float(f"{float(value):.4g}")
