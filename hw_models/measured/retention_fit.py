# Tested by tests/hw_models/measured/test_law_fits.py
"""Retention: conductances by the time since they were written, as drift or as loss of what devices hold.

============ ==========================================================  ==================================
law          of every device                                             fields
============ ==========================================================  ==================================
none         g = g_0
drift        g = g_0 (1 + t/t0)^-nu, nu by ln(g/g_max) where it is seen  drift_mean, drift_spread, drift_start
loss         g = g_min + (g_0 - g_min) exp(-t/tau)                       retention, retention_spread
============ ==========================================================  ==================================

Logarithms of conductances are fitted, each device's g_0 and nu (or tau) by a line (:mod:`.device_lines`); t0 is one
for all, and what its interval allows for nu counts as error of nu. Every second time of a device is left out in turn.
Where all times are far beyond t0 nothing tells it but a bound: it is then the first time, or that bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import t as student

from hw_models.errors import ChipError
from hw_models.measured.device_lines import PLAIN, DeviceLines, DeviceRows, lines, rows_of
from hw_models.measured.law_fits import LawFit, Sketch, Tried, explained, likelihood, mixed, taken
from hw_models.measured.population import LEVEL, Effects, Estimate, around, between, quantile
from hw_models.measured.tables import MeasuredTable

Array = np.ndarray
FEWEST = 4
"""Times of a device."""
EXACT = 1e-6
"""Of nu: no measurement tells it better."""
UNLIKE = 2.0
"""Standard errors from which states of a device differ."""
STRAY = 0.1
"""Root mean square of ln g about a law, above which it does not fit."""


def fit_retention(
    table: MeasuredTable, g_min: float | None = None, g_max: float | None = None, asked: str | None = None
) -> LawFit:
    """Fit drift or loss.

    Parameters
    ----------
    table : MeasuredTable
        time [s], conductance [uS]; device, state.
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
    device, names = table.lines_of()
    owners = table.groups("device")[1]
    state, states = table.groups("state")
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
    rows = rows_of(device)
    t, y = rows.of(time), rows.of(shown)
    start = _start(t, y, rows.seen)
    t0 = start.value
    laws: dict[str, Callable[[Array], Array]] = {
        "none": lambda kept: _prediction(np.zeros_like(time), shown, rows, kept),
        "drift": lambda kept: _prediction(np.log1p(time / t0), shown, rows, kept),
    }
    if loses:
        laws["loss"] = lambda kept: np.log(floor + np.exp(_prediction(time, np.log(g - floor), rows, kept)))
    place = rows.back(np.broadcast_to(np.arange(t.shape[1]), t.shape))
    tried = [_tried(name, law, shown, place) for name, law in laws.items()]
    every = np.ones(len(g), dtype=bool)
    rests = {name: float(np.sqrt(np.mean((shown - said(every)) ** 2))) for name, said in laws.items()}
    tried = [replace(one, fits=rests[one.law] <= STRAY) for one in tried]
    law = taken(tried, asked)
    fields: dict[str, object] = {}
    estimates: dict[str, Estimate] = {}
    notes: list[str] = []
    if law == "drift":
        of_state = np.array(states)[state[rows.place[:, 0]]] if len(states) > 1 else None
        fields, estimates, notes = _drift(t, y, rows.seen, top, start, of_state, len(owners))
    elif law == "loss":
        fields, estimates = _loss(lines(t, rows.of(np.log(g - floor)), rows.seen))
        if len(states) > 1:
            # Lines of several states of a device do not differ as devices do.
            fields.pop("retention_spread", None)
            estimates.pop("retention_spread", None)
    if rests[law] > STRAY:
        notes.append(f"Law '{law}' leaves {rests[law]:.0%} of the conductance: it does not fit.")
    if len(owners) == 1:
        notes.append("One device: nothing tells how devices differ.")
    line = np.geomspace(max(time[time > 0].min(), 1e-12), time.max(), 100)
    first = g[rows.place[:, 0]]
    mean = _mean_line(law, line, t0, t, np.log(rows.of(g) - (floor if law == "loss" else 0.0)), rows.seen,
                      floor / float(first.mean()))  # fmt: skip
    sketch = Sketch(time, g / first[device], line, mean, ("time [s]", "conductance over its first"), (True, False))
    rest = rests[law]
    return LawFit("retention", law, len(g), fields, estimates, tuple(tried), rest, "of g", sketch, tuple(notes))


def _mean_line(law: str, line: Array, t0: float, t: Array, y: Array, seen: Array, share: float) -> Array:
    """Return the mean device's conductance over its first; ``share`` is that of g_min in the first."""
    first = float(np.median(t[:, 0]))
    if law == "none":
        return np.ones_like(line)
    if law == "drift":
        nu = -float(lines(np.log1p(t / t0), y, seen).slope.mean())
        return np.asarray(((1 + line / t0) / (1 + first / t0)) ** -nu)
    rate = float(lines(t, y, seen).slope.mean())
    return np.asarray(share + (1 - share) * np.exp(rate * (line - first)))


def _prediction(x: Array, y: Array, rows: DeviceRows, kept: Array) -> Array:
    x = rows.of(x)
    return rows.back(lines(x, rows.of(y), rows.seen & rows.of(kept)).at(x))


def _start(t: Array, y: Array, seen: Array) -> Estimate:
    """Return t0 with its interval by the likelihood; told if both its ends are.

    With k degrees of freedom behind the lines of all devices, k ln(sum of squares) rises at the ends by
    k ln(1 + s^2/k), s the quantile of Student's t. The squares are in units of the devices' own noise.
    """
    positive = t[seen & (t > 0)]
    first = float(positive.min())
    logs = np.log(np.geomspace(first / 30, positive.max(), 50))
    free = max(int(seen.sum()) - 2 * len(t) - 1, 1)

    def fitted(log_t0: Array) -> DeviceLines:
        return lines(np.log1p(t / np.exp(log_t0)[:, None, None]), y, seen)

    every = fitted(logs)
    unit = np.sqrt(every.noise[int(np.argmin(every.noise.sum(axis=-1)))])[:, None] + 1e-12

    def losses_of(rests: Array) -> Array:
        z = np.abs(rests) / unit
        capped = np.where(z < PLAIN, z**2, 2 * PLAIN * z - PLAIN**2)
        return np.asarray(free * np.log(capped.sum(axis=(-1, -2)) + 1e-300))

    def loss(log_t0: float) -> float:
        return float(losses_of(fitted(np.array([log_t0])).left)[0])

    losses = losses_of(every.left)
    n = int(np.argmin(losses))
    best = minimize_scalar(loss, bounds=(logs[max(n - 1, 0)], logs[min(n + 1, len(logs) - 1)]), method="bounded")
    most = float(best.fun) + free * math.log1p(float(student.ppf(0.5 + LEVEL / 2, free)) ** 2 / free)
    low = high = math.nan
    below, above = (np.flatnonzero((losses > most) & side) for side in (logs < best.x, logs > best.x))
    if len(below):
        low = math.exp(brentq(lambda at: loss(at) - most, logs[below[-1]], best.x))
    if len(above):
        high = math.exp(brentq(lambda at: loss(at) - most, best.x, logs[above[0]]))
    if math.isnan(low) or math.isnan(high):
        low, high = (0.0 if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
        return Estimate(min(max(first, low), high), low, high, told=False)
    return Estimate(float(np.exp(best.x)), low, high)


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
    t: Array, y: Array, seen: Array, top: float, t0: Estimate, state: Array | None = None, devices: int = 0
) -> tuple[dict[str, object], dict[str, Estimate], list[str]]:
    """Return fields, estimates and notes of drift; ``state`` has the state of every line where devices have several.

    States of one device lie at conductances of their own, so that nu goes by ln(g/g_max) where they drift unlike. How
    devices differ is told by lines of one state alone, and not by few devices.
    """
    many = len(t)
    x = np.log(np.clip(np.exp(y[:, 0]) / top, 1e-6, None))
    ends = [max(t0.low, 1e-3 * float(t[seen & (t > 0)].min())), min(t0.high, 1e3 * float(t[seen].max()))]
    found = [_exponents(t, y, seen, at) for at in (t0.value, *ends)]
    effects = [between(*one) for one in found]
    estimates = {
        "drift_start": t0.named("s", "t0; one of those that times allow, where they do not tell it"),
        "drift_mean": around(effects[0], many).widened([one.mean for one in effects]).named("1", "exponent nu"),
        "drift_spread": _spread(effects).named("1", "of nu, device to device"),
    }
    mean: tuple[float, ...] = (0.0, _short(effects[0].mean), 0.0, _short(max(effects[0].mean, 1e-6)))
    notes: list[str] = []
    if not t0.told:
        taken = f"{t0.value:.3g} s is taken, of what they allow the nearest to the first time"
        notes.append(f"Times do not tell t0: {taken}.")
    if state is not None:
        return _of_states(found, x, state, devices, estimates, notes)
    if many >= 8 and np.ptp(x) > 0.5:
        bent = [between(*one, x) for one in found]
        slope = bent[0].slope.widened([one.slope.value for one in bent])
        estimates["drift_mean slope"] = slope.named("1", "of nu by ln(g/g_max)")
        if slope.low > 0 or slope.high < 0:
            line = np.clip(bent[0].mean + slope.value * np.array([x.min(), x.max()]), 0, None)
            mean = (_short(slope.value), _short(bent[0].mean), _short(float(line.min())), _short(float(line.max())))
            estimates["drift_spread"] = _spread(bent).named("1", "of nu, device to device")
    fields: dict[str, object] = {"drift_mean": mean, "drift_start": _short(t0.value)}
    if estimates["drift_spread"].told:
        size = _short(estimates["drift_spread"].value)
        fields["drift_spread"] = (0.0, size, 0.0, size)
    if estimates["drift_mean"].low <= 0:
        notes.append("Drift is not clearly above 0.")
    return fields, estimates, notes


def _of_states(
    found: Sequence[tuple[Array, Array]], x: Array, state: Array, devices: int, estimates: dict[str, Estimate],
    notes: list[str],
) -> tuple[dict[str, object], dict[str, Estimate], list[str]]:
    """Return fields, estimates and notes of drift where devices have several states.

    ``found`` has nu of every line and its variance, for the t0 that is taken first, and for others that may be.
    """
    estimates.pop("drift_spread")
    slopes, variances = found[0]
    names = list(dict.fromkeys(state.tolist()))
    each = [between(slopes[state == name], variances[state == name]) for name in names]
    means, errors = np.array([one.mean for one in each]), np.array([one.error for one in each])
    places = np.array([x[state == name].mean() for name in names])
    weight = 1 / (errors**2 + EXACT**2)
    pooled = float((weight * means).sum() / weight.sum())
    middle = float((weight * places).sum() / weight.sum())
    wide = float((weight * (places - middle) ** 2).sum())
    slope = float((weight * (places - middle) * means).sum()) / wide if wide > 0 else 0.0
    unlike = wide > 0 and abs(slope) * math.sqrt(wide) > UNLIKE
    if unlike:
        ends = np.clip(pooled + slope * (places - middle), 0, None)
        line = (_short(slope), _short(pooled - slope * middle), _short(float(ends.min())), _short(float(ends.max())))
        notes.append("The states of a device drift unlike: nu goes by ln(g/g_max).")
        del estimates["drift_mean"]
    else:
        line = (0.0, _short(max(pooled, 0.0)), 0.0, _short(max(pooled, 1e-6)))
        # A device may stray alike in all its states: the error of the mean is that of one.
        half = quantile(max(int((state == name).sum()) for name in names)) * float(np.average(errors, weights=weight))
        mean = Estimate(pooled, pooled - half, pooled + half).widened([float(other.mean()) for other, _ in found])
        estimates["drift_mean"] = mean.named("1", "exponent nu, of all states")
    for name, one, at in zip(names, each, places, strict=True):
        told = around(one, int((state == name).sum())).widened([float(nu[state == name].mean()) for nu, _ in found])
        estimates[f"drift_mean {name}"] = told.named("1", f"nu of that state, at {np.exp(at):.3g} of g_max")
        if one.mean + UNLIKE * one.error < 0:
            notes.append(f"State '{name}' grows with time; a chip's does not, and it stays there.")
    fields: dict[str, object] = {"drift_mean": line, "drift_start": _short(estimates["drift_start"].value)}
    if devices >= 3:
        # For the same reason its interval has no more degrees of freedom than one state tells.
        squares = np.array([(one.spread.value, one.spread.low, one.spread.high) for one in each]) ** 2
        value, low, high = np.sqrt(squares.mean(axis=0)).tolist()
        spread = Estimate(value, low, high, told=low > 0)
        estimates["drift_spread"] = spread.named("1", "of nu, device to device")
        if spread.told:
            size = _short(spread.value)
            fields["drift_spread"] = (0.0, size, 0.0, size)
    return fields, estimates, notes


def _exponents(t: Array, y: Array, seen: Array, t0: float) -> tuple[Array, Array]:
    """Return nu of every device and its variance, with t0 known."""
    found = lines(np.log1p(t / t0), y, seen)
    return -found.slope, found.variance


def _spread(effects: Sequence[Effects]) -> Estimate:
    """Return a spread with the interval that other values of t0 give it besides."""
    return effects[0].spread.widened([one.spread.value for one in effects])


def _loss(found: DeviceLines) -> tuple[dict[str, object], dict[str, Estimate]]:
    """Return fields and estimates of a loss with a time constant; devices differ in its logarithm."""
    rate, v = -found.slope, found.variance
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
