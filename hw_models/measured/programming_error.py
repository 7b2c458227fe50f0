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
from scipy.stats import chi2

from hw_models.errors import ChipError, given_as
from hw_models.measured import units
from hw_models.measured.device_gains import without_gains
from hw_models.measured.error_polynomial import GROUPS, ends, fitted, sigma_at
from hw_models.measured.law_fits import LawFit, Sketch, Tried, explained, interval, likelihood, parts, taken
from hw_models.measured.population import Estimate
from hw_models.measured.tables import MeasuredTable

Array = np.ndarray
ORDERS = (0, 1, 2, 3, 4)
FEWEST = 20
"""Rows."""
FAR = 0.5
"""Mean error as a share of the mean target from which it is none of write and verify."""
TRIES = ("iteration", "iter", "attempt", "try", "tries", "verify", "step", "write number", "pulse", "number")
"""Titles of columns that count what write and verify does until it stops."""
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
        given = given_as(f"--g-max {target.max():g}", f"g_max={target.max():g}")
        cure = f"; {given} puts it at the largest" if target.min() >= 0 and top > 0 else ""
        shown = f"targets are {target.min():g} to {target.max():g} uS"
        raise ChipError(f"'{table.path}': {shown}: they should be from 0 to g_max = {top:g} uS{cure}")
    if np.corrcoef(target, achieved)[0, 1] < 0 or len(np.unique(achieved)) < len(np.unique(target)) / 2:
        raise ChipError(f"'{table.path}': achieved does not follow target: are the columns swapped?")
    off = float(np.mean(achieved - target))
    if abs(off) > FAR * float(target.mean()):
        middles = float(achieved.mean()), float(target.mean())
        shown = f"what is achieved is {middles[0]:.4g} uS on average, of targets of {middles[1]:.4g}"
        raise ChipError(f"'{table.path}': {shown}: are both in one unit, and are targets no numbers of levels?")
    _check_tries(table)
    device, names = table.groups("device")
    share = _aged(table)
    v, r = target / top, achieved - target
    gain, notes = None, []
    write = _writes(device, target, share)
    if len(names) >= 4 and write.max() + 1 >= 3 * len(names) and len(np.unique(target)) > 1:
        r, spread = without_gains(v, r, device, write)
        gain = spread.times(1 / top)
    tried = [_tried(order, v, r, share, parts(device)) for order in ORDERS]
    law = taken(tried, f"order {asked}" if asked is not None and asked.isdigit() else asked)
    order = int(law.rpartition(" ")[2])
    terms = fitted(order, v, r, share)
    while order > 0 and min(np.polynomial.polynomial.polyval(GRID, row).min() for row in terms) < 0:
        if asked is not None:
            notes.append(f"Order {order}, as asked for, falls below 0 within the range: order {order - 1} is tried.")
        order -= 1
        terms = fitted(order, v, r, share)
    law = f"order {order}"
    sigma = sigma_at(terms, v, share)
    known = ends(terms, v, r, share, device if len(names) >= GROUPS else write)
    estimates: dict[str, Estimate] = {}
    rows = ("programming_noise",) if len(terms) == 1 else ("programming_noise_fresh", "programming_noise")
    for n, name in enumerate(rows):
        for k in range(order + 1):
            low, high = (max(float(end), 0.0) if k == 0 else float(end) for end in known[n, k])
            estimates[f"{name}[{k}]"] = Estimate(float(terms[n, k]), low, high, "uS", f"of v^{k}, v = g/g_max")
    fields: dict[str, object] = {name: tuple(_short(x) for x in row) for name, row in zip(rows, terms, strict=True)}
    fields["programming_noise_g_max"] = _short(top)
    if len(terms) == 2:
        times = table.numbers("time")
        fields["relaxation_times"] = (_short(times[times > 0].min()), _short(times.max()))
        if (np.polynomial.polynomial.polyval(GRID, terms[0]) > np.polynomial.polynomial.polyval(GRID, terms[1])).any():
            notes.append("The error does not grow with the age everywhere: one polynomial is taken for all ages.")
            terms = fitted(order, v, r, None)
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


def _check_tries(table: MeasuredTable) -> None:
    """Refuse rows of which several are one write on its way: their errors are no errors of what is left in the end."""
    for place, title in enumerate(table.titles):
        name = units.parted(title)[0].rstrip("# ")
        numbers = [row[place] for row in table.rows]
        again = [(row[table.columns["target"]], *(row[table.columns[one]] for one in ("device",) if table.has(one)))
                 for row in table.rows]  # fmt: skip
        rises = [a != b for a, b, one, two in zip(numbers, numbers[1:], again, again[1:], strict=False) if one == two]
        if name in TRIES and len(rises) > len(numbers) / 3 and all(rises):
            shown = f"column '{title}' counts the tries of a write"
            raise ChipError(f"'{table.path}': {shown}: keep its last row alone, or name the column otherwise")


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


def _bias(r: Array, device: Array, many: int) -> Estimate:
    """Return the mean residual; over devices where there are several, since rows of one share its gain."""
    own = np.array([r[device == d].mean() for d in range(many)]) if many >= 3 else r
    return interval(float(own.mean()), float(own.var(ddof=1) / len(own)), len(own) - 1)


def _tried(order: int, v: Array, r: Array, share: Array | None, left_out: list[Array]) -> Tried:
    scores = []
    for part in left_out:
        kept = None if share is None else share[~part]
        terms = fitted(order, v[~part], r[~part], kept)
        scores.append(likelihood(r[part], sigma_at(terms, v[part], None if share is None else share[part])))
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

