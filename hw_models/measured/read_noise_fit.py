# Tested by tests/hw_models/measured/test_law_fits.py
"""Read noise: standard deviations of reads by conductance, given as they are or taken from repeated reads.

ln sigma is fitted, far points counted less, by each law of :mod:`hw_models.laws.read_noise`:

    additive       sigma = r
    sqrt           sigma = r sqrt(g g_max)
    proportional   sigma = r g
    pcm            sigma = g min(r/v^e, cap) sqrt(ln((t + t0 + t_r)/(2 t_r))),  v = g/g_max

Of the 1/f law r and e are fitted; duration of a read, t0 and the time since the write are those of the chip. Repeated
reads of a device are freed of a line in time (of rows where no time is given) first, since what drifts is no noise. The
logarithm of a deviation s of so few reads lies low: E ln(s/sigma) = (psi(k/2) - ln(k/2))/2 of k degrees of freedom,
-0.18 of five reads, which is taken off. A part of the devices (or points) is left out in turn.

The first three laws are the 1/f law at exponents 1, 1/2 and 0, and leave more of X, the sum of squares of ln s about
the law. Where the law is right, X - X_pcm is chi-squared of one degree of freedom in units of the variance of ln s,
psi'(k/2)/4 of k degrees of freedom. Where this is not known, or the devices stray more, its ratio to what the 1/f law
leaves of each point is Fisher's F. A law of which so much is less likely than 1 in 100 does not fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.special import digamma, polygamma
from scipy.stats import chi2, f as fisher

from hw_models.errors import ChipError
from hw_models.measured import law_fits
from hw_models.measured.law_fits import LawFit, Sketch, Tried, explained, interval, likelihood, parts, robust, taken
from hw_models.measured.tables import MeasuredTable

Array = np.ndarray
READS, POINTS = 5, 3
"""Fewest reads of a device, and points."""
STRAY = 0.3
"""Root mean square of ln sigma about the law taken, above which a fit says so; or twice what so few reads stray by."""
UNLIKELY = 0.01
"""Probability of as much more of ln sigma than the 1/f law leaves, below which a law does not fit."""
LAWS = ("additive", "sqrt", "proportional", "pcm")
MEANS: Mapping[str, tuple[str, str]] = {
    "additive": ("uS", "sigma"),
    "sqrt": ("1", "sigma/sqrt(g g_max)"),
    "proportional": ("1", "sigma/g"),
    "pcm": ("1", "Q of the 1/f law at g_max"),
}


def fit_read_noise(
    table: MeasuredTable, g_max: float | None = None, read_time: float = 250e-9, drift_start: float = 20.0,
    asked: str | None = None,
) -> LawFit:
    """Fit the laws of read noise.

    Parameters
    ----------
    table : MeasuredTable
        conductance and sigma [uS]; or conductance of repeated reads, with read or time, and device.
    g_max : float, optional
        Of the device [uS]; default the largest conductance.
    read_time, drift_start : float
        Of the chip [s]; they set the band of the 1/f law.
    asked : str, optional
        Law to take, whatever the data say.

    Raises
    ------
    ChipError
        If there are fewer than three points, or of a trace fewer than five reads of each device, or no such law.
    """
    g, sigma, reads, notes = _points(table)
    top = float(g.max()) if g_max is None else g_max
    growth = math.sqrt(math.log((drift_start + read_time) / (2 * read_time)))
    group = np.arange(len(g))
    tried = []
    y = np.log(sigma)
    for law in LAWS:
        scores, left_all = [], np.empty_like(y)
        for part in parts(group):
            p, _ = _fit(law, g[~part], y[~part], top, growth)
            left_all[part] = y[part] - _log_sigma(law, p, g[part], top, growth)
            spread = float(np.std(y[~part] - _log_sigma(law, p, g[~part], top, growth))) + 1e-6
            scores.append(likelihood(left_all[part], spread))
        tried.append(Tried(law, np.array(scores), explained(left_all, y), 2 if law == "pcm" else 1))
    alike = float(np.ptp(np.log(g))) < 0.2
    strays = np.ones_like(y) if reads is None else np.asarray(polygamma(1, (reads - 2) / 2)) / 4
    most = STRAY if reads is None else max(STRAY, 2 * float(np.sqrt(strays.mean())))
    left = {law: y - _log_sigma(law, _fit(law, g, y, top, growth)[0], g, top, growth) for law in LAWS}
    rests = {law: float(np.sqrt(np.mean(one**2))) for law, one in left.items()}
    chances = {law: likely(left[law], left["pcm"], strays, reads is not None) for law in LAWS}
    tried = [replace(one, fits=chances[one.law] > UNLIKELY) for one in tried]
    law = "additive" if alike and asked is None else taken(tried, asked)
    if alike and asked is None:
        notes.append("All conductances are alike: nothing tells how noise goes with them, and it counts as additive.")
    p, covariance = _fit(law, g, y, top, growth)
    free = len(g) - len(p)
    log_size = interval(float(p[0]), float(covariance[0, 0]), free)
    size = log_size.through(lambda one: math.exp(min(one, 700.0)))
    estimates = {"read_noise": size.named(*MEANS[law])}
    fields: dict[str, object] = {"read_noise": _short(size.value), "read_noise_law": law}
    if law == "pcm":
        one = interval(float(p[1]), float(covariance[1, 1]), free)
        estimates["read_noise_exponent"] = one.named("1", "of Q by g/g_max")
        largest = float(np.exp(p[0] - p[1] * np.log(g.min() / top)))
        fields |= {"read_noise_exponent": _short(max(one.value, 0.0)), "read_noise_cap": _short(max(largest, 0.2))}
        fields |= {"read_time": read_time}
        notes.append(f"The 1/f law is as of reads right after the write, {read_time:g} s each.")
    rest = rests[law]
    if rest > most:
        bins = np.array_split(np.argsort(g), min(5, len(g)))
        rows = ", ".join(f"{g[own].mean():.3g} uS: {np.exp(y[own].mean()):.2g}" for own in bins)
        notes.append(f"Law '{law}' leaves {rest:.0%} of sigma: it does not fit. Sigma by conductance: {rows} uS.")
    line = np.linspace(float(g.min()), float(g.max()), 100)
    sketch = Sketch(g, sigma, line, np.exp(_log_sigma(law, p, line, top, growth)), ("conductance [uS]", "sigma [uS]"))
    return LawFit("read_noise", law, len(g), fields, estimates, tuple(tried), rest, "of sigma", sketch, tuple(notes))


def likely(left: Array, free: Array, strays: Array, known: bool) -> float:
    """Return how often a right law leaves as much more than the one with an exponent of its own.

    Parameters
    ----------
    left, free : numpy.ndarray
        (n,) of ln sigma, by the law and by that with one number more.
    strays : numpy.ndarray
        (n,) variance of each; if they are not ``known``, up to a factor.
    """
    scale = 1.4826 * float(np.median(np.abs(free) / np.sqrt(strays))) + 1e-9
    whole, least = (np.clip(one**2 / strays, 0, (law_fits.PLAIN * scale) ** 2) for one in (left, free))
    more, spare = max(float(whole.sum() - least.sum()), 0.0), len(left) - 2
    each = float(least.sum()) / max(spare, 1)
    if known and chi2.sf(least.sum(), max(spare, 1)) > UNLIKELY:
        return float(chi2.sf(more, 1))
    return float(fisher.sf(more / max(each, 1e-18), 1, max(spare, 1)))


def _points(table: MeasuredTable) -> tuple[Array, Array, Array | None, list[str]]:
    """Return conductances, their standard deviations, and how many reads these are of."""
    g = table.numbers("conductance")
    if table.has("sigma"):
        sigma = table.numbers("sigma")
        wrong = (sigma <= 0) | (g <= 0)
        if wrong.any():
            row = int(np.argmax(wrong))
            shown = f"conductance {g[row]:g} and sigma {sigma[row]:g} uS"
            raise ChipError(f"'{table.path}': line {table.lines[row]}: {shown}: both above 0 are needed")
        if np.median(sigma) > np.median(g):
            raise ChipError(f"'{table.path}': sigma is larger than conductance: are the columns swapped?")
        if len(g) < POINTS:
            raise ChipError(f"'{table.path}': {len(g)} points of sigma: at least {POINTS} are needed")
        return g, sigma, None, []
    device, names = table.lines_of()
    time = table.numbers("time") if table.has("time") else None
    means, sigmas, counts = [], [], []
    for d, name in enumerate(names):
        own = g[device == d]
        if len(own) < READS:
            raise ChipError(f"'{table.path}': device '{name}' has {len(own)} reads: at least {READS} are needed")
        x = np.arange(len(own)) * 1.0 if time is None else time[device == d]
        x = x - x.mean()
        if not (x * x).sum() > 0:
            raise ChipError(f"'{table.path}': device '{name}': all its reads are at one time")
        slope = float((x * own).sum() / (x * x).sum())
        left = own - own.mean() - slope * x
        scale = 1.4826 * float(np.median(np.abs(left - np.median(left)))) + 1e-300
        cut = np.clip(left, -5 * scale, 5 * scale)
        means.append(float(own.mean()))
        half = (len(own) - 2) / 2
        sigmas.append(math.sqrt(float((cut**2).sum()) / (2 * half)) * math.exp((math.log(half) - digamma(half)) / 2))
        counts.append(len(own))
    g, sigma = np.array(means), np.array(sigmas)
    if (sigma <= 0).any() or (g <= 0).any():
        name = names[int(np.argmax((sigma <= 0) | (g <= 0)))]
        raise ChipError(f"'{table.path}': device '{name}': reads above 0 that differ are needed")
    notes = [] if len(g) >= POINTS else [f"Reads of {len(g)} device{'s' * (len(g) > 1)}: few to tell a law."]
    return g, sigma, np.array(counts), notes


def _log_sigma(law: str, p: Array, g: Array, top: float, growth: float) -> Array:
    """Return ln sigma of a law with ln r and perhaps e."""
    if law == "additive":
        return np.full_like(g, p[0])
    if law == "sqrt":
        return np.asarray(p[0] + 0.5 * np.log(g * top))
    if law == "proportional":
        return np.asarray(p[0] + np.log(g))
    return np.asarray(p[0] + np.log(g * growth) - p[1] * np.log(g / top))


def _fit(law: str, g: Array, y: Array, top: float, growth: float) -> tuple[Array, Array]:
    zero = np.zeros(2)
    start = [float(np.median(y - _log_sigma(law, zero, g, top, growth)))]
    ends = ([-np.inf], [np.inf])
    if law == "pcm":
        start, ends = [*start, 0.5], ([-np.inf, -1.0], [np.inf, 3.0])

    def off(p: Array) -> Array:
        return y - _log_sigma(law, p, g, top, growth)

    scale = 1.4826 * float(np.median(np.abs(off(np.array(start)) - np.median(off(np.array(start)))))) + 1e-6
    return robust(off, start, ends, scale)


def _short(value: float) -> float:
    return float(f"{float(value):.4g}")
