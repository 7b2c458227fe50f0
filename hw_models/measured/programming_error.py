# Tested by tests/hw_models/measured/test_law_fits.py
"""The error of write and verify: conductances achieved by target, :mod:`hw_models.laws.programming` and relaxation.

With r = achieved - target and v = target/g_max, r is normal of standard deviation s(v), a polynomial whose order, 0 to
4, is chosen by devices (or rows) left out. Devices with several writes each also tell ``mismatch``, a gain of their
own: r = m_d target + s(v) z. With a column ``time`` of two ages or more the variance is s1^2 + f (s2^2 - s1^2), f from
0 at the first age to 1 at the last with the logarithm of the age; rows of one device and target are then one write.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

from hw_models.errors import ChipError
from hw_models.measured.law_fits import LawFit, Sketch, Tried, explained, interval, likelihood, parts, taken
from hw_models.measured.population import Estimate, between, moderated
from hw_models.measured.tables import MeasuredTable

Array = np.ndarray
ORDERS = (0, 1, 2, 3, 4)
FEWEST = 20
"""Rows."""
UNLIKELY = 1e-3
GRID = np.linspace(0, 1, 101)


def fit_programming(table: MeasuredTable, g_max: float | None = None, asked: str | None = None) -> LawFit:
    """Fit the error of programming.

    Parameters
    ----------
    table : MeasuredTable
        target and achieved [uS]; device, time [s].
    g_max : float, optional
        Of the device [uS]; default the largest target.
    asked : str, optional
        Order to take, whatever the data say: ``"2"`` or ``"order 2"``.

    Raises
    ------
    ChipError
        If there are too few rows, targets lie beyond g_max, or there is no such order.
    """
    target, achieved = table.numbers("target"), table.numbers("achieved")
    if len(target) < FEWEST:
        raise ChipError(f"'{table.path}': {len(target)} rows of target and achieved: at least {FEWEST} are needed")
    top = float(target.max()) if g_max is None else g_max
    if not 0 <= target.min() <= target.max() <= top * (1 + 1e-9) or not top > 0:
        shown = f"targets are {target.min():g} to {target.max():g} uS"
        raise ChipError(f"'{table.path}': {shown}: they should be from 0 to g_max = {top:g} uS")
    if np.corrcoef(target, achieved)[0, 1] < 0 or len(np.unique(achieved)) < len(np.unique(target)) / 2:
        raise ChipError(f"'{table.path}': achieved does not follow target: are the columns swapped?")
    device, names = table.groups("device")
    share = _aged(table)
    v, r = target / top, achieved - target
    gain, notes = None, []
    write = _writes(device, target, share)
    if len(names) >= 4 and write.max() + 1 >= 3 * len(names) and len(np.unique(target)) > 1:
        r, gain = _without_gain(r, target, device, write)
    tried = [_tried(order, v, r, share, parts(device)) for order in ORDERS]
    law = taken(tried, f"order {asked}" if asked is not None and asked.isdigit() else asked)
    order = int(law.rpartition(" ")[2])
    terms = _fitted(order, v, r, share)
    while order > 0 and min(np.polynomial.polynomial.polyval(GRID, row).min() for row in terms) < 0:
        if asked is not None:
            notes.append(f"Order {order}, as asked for, falls below 0 within the range: order {order - 1} is tried.")
        order -= 1
        terms = _fitted(order, v, r, share)
    law = f"order {order}"
    sigma = _sigma(terms, v, share)
    free = len(names) - 1 if len(names) >= 3 else len(r) - terms.size
    covariance = _covariance(terms, v, share, r, device if len(names) >= 4 else write)
    estimates: dict[str, Estimate] = {}
    rows = ("programming_noise",) if len(terms) == 1 else ("programming_noise_fresh", "programming_noise")
    for n, name in enumerate(rows):
        for k in range(order + 1):
            place = n * (order + 1) + k
            one = interval(float(terms[n, k]), float(covariance[place, place]), free)
            estimates[f"{name}[{k}]"] = one.named("uS", f"of v^{k}, v = g/g_max")
    fields: dict[str, object] = {name: tuple(_short(x) for x in row) for name, row in zip(rows, terms, strict=True)}
    fields["programming_noise_g_max"] = _short(top)
    if len(terms) == 2:
        times = table.numbers("time")
        fields["relaxation_times"] = (_short(times[times > 0].min()), _short(times.max()))
        if (np.polynomial.polynomial.polyval(GRID, terms[0]) > np.polynomial.polynomial.polyval(GRID, terms[1])).any():
            notes.append("The error does not grow with the age everywhere: one polynomial is taken for all ages.")
            terms = _fitted(order, v, r, None)
            fields = {"programming_noise": tuple(_short(x) for x in terms[0]), "programming_noise_g_max": _short(top)}
    if gain is not None:
        estimates["mismatch"] = gain.named("1", "gain of a device, device to device")
        if gain.told:
            fields["mismatch"] = _short(gain.value)
    bias = _bias(achieved - target, device, len(names))
    if bias.low > 0 or bias.high < 0:
        shown = f"{bias.value:+.3g} uS off its target"
        notes.append(f"What is achieved is {shown} on average: no field of a chip says that.")
    notes += _misfit(v, r / sigma)
    grid = np.linspace(float(v.min()), 1, 100)
    sketch = Sketch(
        target, np.abs(r), grid * top, np.polynomial.polynomial.polyval(grid, terms[-1]) * np.sqrt(2 / np.pi),
        ("target [uS]", "|achieved - target| [uS], line: its mean"),
    )  # fmt: skip
    whole = Tried(law, np.array([]), explained(r, achieved))
    kept = [replace(one, r2=explained(r, achieved)) for one in tried]
    kept += [whole] if law not in {one.law for one in kept} else []
    left = float(np.sqrt(np.mean(r**2)))
    return LawFit("programming", law, len(r), fields, estimates, tuple(kept), left, "uS", sketch, tuple(notes))


def _aged(table: MeasuredTable) -> Array | None:
    """Return f of every row, None without two ages."""
    if not table.has("time"):
        return None
    time = table.numbers("time")
    if time.min() <= 0:
        raise ChipError(f"'{table.path}': time {time.min():g}: ages above 0 are needed beside target and achieved")
    if time.min() == time.max():
        return None
    found: Array = np.log(time / time.min()) / np.log(time.max() / time.min())
    return found


def _writes(device: Array, target: Array, share: Array | None) -> Array:
    """Return the number of the write that every row is of: with ages, rows of one device and target are of one."""
    if share is None:
        return np.arange(len(target))
    found: Array = np.unique(np.stack([device, target]), axis=1, return_inverse=True)[1].ravel()
    return found


def _without_gain(r: Array, target: Array, device: Array, write: Array) -> tuple[Array, Estimate]:
    """Return residuals without the gains of devices, drawn in by their errors, and the spread of these.

    Of r = m target + e, m of variance tau^2 and e of s^2, what is left without the best m has the variance
    s^2 (1 - k target^2/B), B = sum target^2 of the device and k = tau^2/(tau^2 + s^2/B): it is brought back to s^2, or
    few rows of a device would tell too small an error.
    """
    first, many = np.unique(write, return_index=True)[1], int(device.max()) + 1
    once = np.bincount(write, r) / np.bincount(write)
    sigma = np.sqrt(np.mean(once**2))
    y, v, base = np.zeros(many), np.zeros(many), np.zeros(many)
    for d in range(many):
        own = device[first] == d
        aim = target[first][own]
        base[d] = float((aim**2).sum())
        y[d] = float((aim * once[own]).sum() / base[d]) if base[d] else 0.0
        left = once[own] - y[d] * aim
        # Errors grow with the target, as do weights: White's variance, with each row's part in the gain given back.
        spare = 1 - aim**2 / base[d] if base[d] and own.sum() > 1 else np.ones(len(aim))
        v[d] = float((aim**2 * left**2 / np.maximum(spare, 0.05)).sum() / base[d] ** 2) if base[d] else sigma**2
    v = moderated(v, np.maximum(np.bincount(device[first], minlength=many) - 1.0, 1.0))
    effects = between(y, v)
    tau2 = effects.spread.value**2
    # Devices have one noise: a variance of a few rows each would draw in those by chance the quietest the least.
    pooled = float((v * base).sum() / max((base > 0).sum(), 1)) / np.where(base > 0, base, 1.0)
    kept = np.where(base > 0, tau2 / (tau2 + pooled) if tau2 else 0.0, 0.0)
    mean = effects.mean
    cleared = r - (mean + kept * (y - mean))[device] * target
    lost = (kept / np.where(base > 0, base, 1.0))[device] * target**2
    return cleared / np.sqrt(np.maximum(1 - lost, 1e-3)), effects.spread


def _bias(r: Array, device: Array, many: int) -> Estimate:
    """Return the mean residual; over devices where there are several, since rows of one share its gain."""
    own = np.array([r[device == d].mean() for d in range(many)]) if many >= 3 else r
    return interval(float(own.mean()), float(own.var(ddof=1) / len(own)), len(own) - 1)


def _sigma(terms: Array, v: Array, share: Array | None) -> Array:
    first = np.polynomial.polynomial.polyval(v, terms[0])
    if share is None or len(terms) == 1:
        return np.maximum(np.abs(first), 1e-9)
    last = np.polynomial.polynomial.polyval(v, terms[1])
    return np.sqrt(np.maximum(first**2 + share * (last**2 - first**2), 1e-18))


def _fitted(order: int, v: Array, r: Array, share: Array | None) -> Array:
    """Return polynomials, (1 or 2, order + 1), constant first."""
    powers = np.vander(v, order + 1, increasing=True)
    size = np.abs(r) * np.sqrt(np.pi / 2)
    start = np.linalg.lstsq(powers, size, rcond=None)[0]
    rows = 1 if share is None else 2
    scale = float(size.mean()) + 1e-300

    def loss(p: Array) -> float:
        return -likelihood(r, np.maximum(_sigma(p.reshape(rows, -1) * scale, v, share), 1e-3 * scale))

    begun = np.tile(start / scale, rows)
    found = minimize(loss, begun, method="BFGS")
    best = minimize(loss, found.x, method="Nelder-Mead", options={"maxiter": 200 * len(begun), "fatol": 1e-6})
    terms: Array = best.x.reshape(rows, -1) * scale
    return np.where(np.polynomial.polynomial.polyval(0.7, terms.T)[:, None] < 0, -terms, terms)


def _covariance(terms: Array, v: Array, share: Array | None, r: Array, group: Array) -> Array:
    """Return the inverse of Fisher's information, sum 2 s_i s_j/s^2, s_i by differences, or more.

    Rows of a device, or of one write at several ages, may go together: where the scores (z^2 - 1) s_i/s of groups
    scatter by more than independent rows would, their scatter counts.
    """
    sigma, flat, columns = _sigma(terms, v, share), terms.ravel(), []
    for n in range(len(flat)):
        step = 1e-6 * max(np.abs(flat).max(), 1e-12)
        other = flat.copy()
        other[n] += step
        columns.append((_sigma(other.reshape(terms.shape), v, share) - sigma) / step)
    j = np.stack(columns, axis=1) / sigma[:, None]
    plain: Array = np.linalg.pinv(2 * j.T @ j, hermitian=True)
    many = int(group.max()) + 1
    if many < 4:
        return plain
    rows = (np.clip(r / sigma, -4, 4) ** 2 - 1)[:, None] * j
    scores = np.stack([np.bincount(group, column, many) for column in rows.T], axis=1)
    wide = plain @ (scores.T @ scores) @ plain * many / (many - 1)
    grow = np.sqrt(np.maximum(np.diag(wide) / np.maximum(np.diag(plain), 1e-300), 1.0))
    return plain * grow[:, None] * grow


def _tried(order: int, v: Array, r: Array, share: Array | None, left_out: list[Array]) -> Tried:
    scores = []
    for part in left_out:
        kept = None if share is None else share[~part]
        terms = _fitted(order, v[~part], r[~part], kept)
        scores.append(likelihood(r[part], _sigma(terms, v[part], None if share is None else share[part])))
    return Tried(f"order {order}", np.array(scores), float("nan"), order)


def _misfit(v: Array, z: Array) -> list[str]:
    """Say it where the spread by target is not that of the polynomial, with the table of it."""
    bins = [one for one in np.array_split(np.argsort(v), 8) if len(one) >= 10]
    if not bins:
        return []
    square = [float(np.mean(np.clip(z[one], -4, 4) ** 2)) for one in bins]
    total = sum((one - 1) ** 2 * len(own) / 2 for one, own in zip(square, bins, strict=True))
    if chi2.sf(total, len(bins)) > UNLIKELY:
        return []
    table = ", ".join(f"{v[own].mean():.2f}: {np.sqrt(one):.2f}" for one, own in zip(square, bins, strict=True))
    return [f"The polynomial does not fit: the spread over it by g/g_max is {table}."]


def _short(value: float) -> float:
    return float(f"{float(value):.4g}")

