# Tested by tests/hw_models/measured/test_response.py
"""What a fitted response says of pulses that it was not fitted to.

Cycles of even and odd numbers are left out in turn (of a single cycle, rows of ten readings); each device keeps the
numbers of its own. From the readings up to a pulse the next one is predicted:

    score   logarithm of the likelihood of what was left out, per pulse: what responses are chosen by
    R2      1 - sum (r - predicted)^2/sum (r - mean of the device)^2
    best    1 - sum S/sum (r - mean)^2: what a right response would reach, the rest being noise
    curve   R2 of the mean curve of a cycle over all devices, computed from each first reading alone

"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, f as fisher

from hw_models.kernels import following
from hw_models.measured import laws
from hw_models.measured.laws import FittedResponse
from hw_models.measured.likelihood import loss_of

Array = np.ndarray
ROW = 10
"""Readings that are left out together of a single cycle."""
BINS, FEWEST = 10, 10
"""Most bins of states in which mean steps are compared with a response, and fewest readings of one."""


@dataclass(frozen=True)
class HeldOut:
    """Of one response."""

    score: float
    """Per pulse."""
    parts: Array
    """(devices, 2) log-likelihood of each device's halves as they were left out."""
    pulses: int
    r2: float
    best: float
    curve: float
    """NaN where cycles are not alike."""


def held_out(fitted: FittedResponse, common: Array) -> HeldOut | None:
    """Leave out halves in turn; None where one half leads the response to bounds at which no reading tells of a step.

    Parameters
    ----------
    fitted : FittedResponse
        A response.
    common : numpy.ndarray
        (devices, readings) that all responses look at, for the score.
    """
    data = fitted.data
    cycle = data.cycle
    single = int(np.max(cycle, where=np.isfinite(data.readings), initial=0)) == 0
    group = (np.arange(data.readings.shape[1])[None] // ROW + 0 * cycle) % 2 if single else cycle % 2
    mean = np.nanmean(data.readings, axis=1, keepdims=True)
    parts, error, strays, whole, count, curves = [], 0.0, 0.0, 0.0, 0, []
    known = np.isfinite(data.readings) & (data.pulses > following.ANEW_BELOW)
    for half in (0, 1):
        left_out = group == half
        part = laws.fit(data, fitted.response, ~left_out, fitted)
        found = part.best.problem.innovations(part.best.own, part.best.shared)
        mask = left_out & known & (fitted.best.mask if single else known) & (found[2] > 0)
        if not mask.any():
            return None
        parts.append(-loss_of(found, left_out & common))
        error += float((found[0] ** 2)[mask].sum())
        strays += float(found[1][mask].sum())
        whole += float((((data.readings - mean) ** 2)[mask]).sum())
        count += int((left_out & common).sum())
        curves.append(_curves(part, left_out) if not single else None)
    both = np.stack(parts, axis=1)
    pairs = [one for one in curves if one is not None]
    curve = np.nan
    if len(pairs) == 2 and len(pairs[0][0]) == len(pairs[1][0]):
        seen, said = (np.mean([one[n] for one in pairs], axis=0) for n in (0, 1))
        curve = float(1 - ((seen - said) ** 2).sum() / ((seen - seen.mean()) ** 2).sum())
    score = float(both.sum() / max(count, 1))
    return HeldOut(score, both, count, 1 - error / whole, 1 - strays / whole, curve)


def bias_of(fitted: FittedResponse) -> Array:
    """Return the bias of the shared parameters, (J,), from what halves of the pulses give.

    Every device has steps of its own, and they follow its noise: slopes come out too steep, by a share that goes with
    one over the pulses of a device. Half of them give twice the bias. The halves are the first and the second pulses of
    each direction: cycles in turn would reach over as long a time as all, over which devices stray as far, and show
    hardly any of it.

    Sources: Nickell, Econometrica 49:1417, 1981 (bias); Dhaene and Jochmans, Rev. Econ. Stud. 82:991, 2015 (halves).
    """
    pulses, mask = fitted.data.pulses, fitted.best.mask
    first = np.zeros_like(mask)
    for sign in (1, -1):
        own = mask & (np.sign(pulses) == sign)
        rank = np.cumsum(own, axis=1)
        first |= own & (2 * rank <= rank[:, -1:])
    halves = [laws.fit(fitted.data, fitted.response, half, fitted).best.shared for half in (first, mask & ~first)]
    return np.asarray(np.mean(halves, axis=0) - fitted.best.shared)


def _curves(part: FittedResponse, left_out: Array) -> tuple[Array, Array] | None:
    """Return mean curves of the cycles left out, as measured and as the response says; None if cycles are not alike."""
    data = part.data
    devices, table = part.best.problem.placed(part.best.own, part.best.shared)
    seen, said = [], []
    for d in range(len(data.readings)):
        for cycle in np.unique(data.cycle[d, left_out[d] & np.isfinite(data.readings[d])]):
            own = np.flatnonzero((data.cycle[d] == cycle) & np.isfinite(data.readings[d]))
            pulses = data.pulses[d, own]
            begin = own[0] if pulses[0] <= following.ANEW_BELOW else own[0] - 1
            counts = pulses[pulses > following.ANEW_BELOW]
            seen.append(data.readings[d, own][pulses > following.ANEW_BELOW])
            said.append(_course(part, data.readings[d, begin], counts, devices[d], table))
    if not seen or len({len(one) for one in seen}) != 1:
        return None
    return np.mean(seen, axis=0), np.mean(said, axis=0)


def mean_courses(fitted: FittedResponse, readings: int) -> Array:
    """Return where each device's own numbers lead it on average: (devices, readings) in weights.

    A course begins anew with every cycle, at the reading ahead of it, and where a device was set anew.
    """
    data = fitted.data
    devices, table = fitted.best.problem.placed(fitted.best.own, fitted.best.shared)
    said = data.readings[:, :readings].copy()
    for d, (row, pulses, cycle) in enumerate(zip(said, data.pulses, data.cycle, strict=True)):
        for k in range(1, row.shape[0]):
            if pulses[k] > following.ANEW_BELOW:
                ahead = data.readings[d, k - 1] if cycle[k] != cycle[k - 1] else row[k - 1]
                row[k] = _walk(fitted, float(ahead), int(pulses[k]), devices[d], table)
    return said


def _course(part: FittedResponse, w: float, counts: Array, p: Array, table: Array) -> list[float]:
    """Return where a device is after each number of pulses."""
    course = []
    for count in counts:
        w = _walk(part, w, int(count), p, table)
        course.append(w)
    return course


def _walk(part: FittedResponse, w: float, count: int, p: Array, table: Array) -> float:
    """Return where pulses lead a device on average."""
    form = part.best.problem.form
    for _ in range(abs(count)):
        up = count > 0
        f = following.factor(form, w, up, p[8:12], p[6], p[7], table)[0]
        w = w + (p[0] if up else -p[1]) * f
        w = min(max(w, p[6]), p[7])
    return float(w)


def misfit(fitted: FittedResponse) -> tuple[float, int]:
    """Return chi^2 of the mean innovations by state and direction, and how many there are.

    Bins hold equal numbers of readings, ten at least; with a right response each mean, over its standard error, is
    normal. Of few readings the bins of a direction share their variance, and their F is told as a chi^2 as improbable.
    """
    best, data = fitted.best, fitted.data
    v, s, _ = best.problem.innovations(best.own, best.shared)
    z = np.clip(v / np.sqrt(s), -4, 4)
    before = np.roll(data.readings, 1, axis=1)
    total, bins = 0.0, 0
    for sign in (1, -1):
        mask = best.mask & (np.sign(data.pulses) == sign)
        many = min(BINS, int(mask.sum()) // FEWEST)
        if many < 2:
            continue
        parts = np.array_split(z[mask][np.argsort(before[mask])], many)
        if len(parts) == BINS:
            total += sum(float(own.mean() ** 2 * len(own) / max(own.var(), 1e-12)) for own in parts)
        else:
            rest = int(mask.sum()) - many
            pooled = sum(float(((own - own.mean()) ** 2).sum()) for own in parts) / rest
            ratio = sum(float(own.mean() ** 2 * len(own)) for own in parts) / many / max(pooled, 1e-12)
            total += float(chi2.isf(max(fisher.sf(ratio, many, rest), 1e-300), many))
        bins += many
    return total, bins
