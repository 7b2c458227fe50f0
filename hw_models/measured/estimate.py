# Tested by tests/hw_models/measured/test_fit.py.
"""One estimate of everything from samples: range, steps by state, gains of devices, noise of readings and of pulses.

What is decided once, from all samples (:class:`FitPlan`), is kept apart from what is estimated, which is done again for
parts of the samples: the scatter of those gives the standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import norm

from hw_models.errors import ChipError
from hw_models.measured import moments, noise, ranges, spreads
from hw_models.measured.moments import CENTRES, Hats, PulseSamples
from hw_models.measured.noise import CycleNoise, Squares
from hw_models.measured.traces import Runs, Traces, runs

Array = np.ndarray
SOFT = 0.2
"""Step at a level, as a share of the largest, below which traces count as having come to their bound."""
HARD = 0.1
"""What the step at the last state is below a line through the two before, as a share of the largest, from which a bound
that was come to is a hard one."""
STEEP = 0.22
"""Share of the largest step that a line through the four before has there, at least."""
FARTHEST = 0.15
"""Share of the range beyond a level at which a bound may lie that steps shrink to; else they end at the level."""
APART = 4.0
"""Distance of two states, at least, in standard deviations of a reading: what is finer is no longer told apart."""
FEWEST_STATES = 4
LONGEST = 1000
"""Pulses against a bound that are looked at."""
TURNS = 4
"""Rounds of table, gains and noise, each by the others."""


@dataclass(frozen=True)
class FitPlan:
    """What is decided from all samples."""

    found: Traces
    runs: Runs
    all: PulseSamples
    states: Array
    moving: Array
    """(devices,) that pulses move."""
    inner: Array
    """(samples,) of devices that move, not behind the arrival at a level."""
    given: tuple[float | None, float | None]
    """g_min and g_max [uS] that were given."""
    reached: tuple[bool, bool] = (False, False)
    """Whether traces come to their bound, low and high."""
    soft: tuple[bool, bool] = (False, False)
    """Whether steps shrink to it."""
    hard: tuple[bool, bool] = (False, False)
    """Whether they end there at once: the last state takes the step on a line through the four before, since what is
    measured there is how the bound cuts."""
    form: str = "both"
    """Of the noise of pulses."""


@dataclass(frozen=True)
class Estimate:
    """What samples say; weights are [-1, 1] from g_min to g_max."""

    g: tuple[float, float]
    """g_min and g_max [uS]."""
    bounds: Array
    """(devices, 2) low and high of every device [weight]; NaN of those that do not move."""
    bound_errors: Array
    """(devices, 2) squares of their standard errors."""
    table: Array
    """(2, K) mean steps at the states, up first [weight]."""
    gains: Array
    """(devices, 2) steps of every device over these; mean 1."""
    gain_errors: Array
    """(devices, 2) squares of their standard errors."""
    read: float
    """Variance of a reading [weight^2]; may be below 0 where there is none."""
    squares: Squares
    cycle: CycleNoise
    hats: tuple[Hats, Hats] = field(repr=False)
    parts: tuple[PulseSamples, PulseSamples] = field(repr=False)
    """PulseSamples up and down, in weights."""
    shrunk: Array = field(repr=False)
    """(devices, 2) gains as they stand in the equations of the table."""
    residual: Array = field(repr=False)
    """(samples,) of the steps as read [weight], up first."""
    tests: Array = field(repr=False)
    """(2, K, K) covariance of sum phi_i d, up and down with their covariance left out."""

    @property
    def middle(self) -> Array:
        """Return the mean steps at weight 0, (2,)."""
        low, high = (np.nanmean(self.bounds[:, side]) for side in range(2))
        states = self.hats[0].states
        return np.array([np.interp(-low / (high - low), states, own) for own in self.table])

    def own_steps(self) -> tuple[Array, Array]:
        """Return steps at weight 0 of every device that moves, (devices, 2), and the squares of their errors."""
        kept = np.isfinite(self.gains).all(axis=1) & (self.gains > 0).all(axis=1)
        return self.gains[kept] * self.middle, self.gain_errors[kept] * self.middle**2


def plan(found: Traces, states: Array, given: tuple[float | None, float | None]) -> FitPlan:
    """Look at all samples and decide.

    Raises
    ------
    ChipError
        If pulses up do not lead up, or steps at weight 0 are not above 0 either way.
    """
    run_list = runs(found)
    every = moments.samples(found, run_list)
    level, _ = ranges.levels(found, run_list, np.ones(len(run_list.device), dtype=bool))
    moving = ranges.moving(level)
    past = ranges.arrived(found, run_list, level)[np.nonzero(found.direction)]
    whole = FitPlan(found, run_list, every, states, moving, moving[every.device], given)
    rough = estimate(whole, np.ones(len(every.device), dtype=bool), turns=2)
    whole = replace(whole, states=_apart(states, rough))
    most = rough.table.max(axis=1)
    reached = bool(rough.table[1, 0] <= SOFT * most[1]), bool(rough.table[0, -1] <= SOFT * most[0])
    past &= np.where(every.sign > 0, reached[1], reached[0])
    trimmed = replace(whole, inner=whole.inner & ~past, reached=reached)
    rough = estimate(trimmed, np.ones(len(every.device), dtype=bool), turns=2)
    hard = reached[0] and _drop(rough, 1) > HARD, reached[1] and _drop(rough, 0) > HARD
    shrinks = [at and not stop for at, stop in zip(reached, hard, strict=True)]
    soft = shrinks[0] and _beyond(rough, 1) <= FARTHEST, shrinks[1] and _beyond(rough, 0) <= FARTHEST
    ready = replace(trimmed, soft=soft, hard=hard)
    full = estimate(ready, np.ones(len(every.device), dtype=bool))
    if not (full.middle > 0).all():
        up, down = full.middle
        raise ChipError(f"steps at weight 0 are {up:.3g} up and {down:.3g} down: both should be above 0")
    return replace(ready, form=noise.best(full.squares, noise.FORMS))


def _apart(states: Array, rough: Estimate) -> Array:
    """Return as many states at equal distances as readings tell apart, those asked for if they do."""
    span = float(np.nanmean(rough.bounds[:, 1] - rough.bounds[:, 0]))
    gap = APART * np.sqrt(max(rough.read, 0.0)) / span
    if np.diff(states).min() >= gap:
        return states
    return np.linspace(0, 1, int(np.clip(1 + 1 / gap, FEWEST_STATES, len(states))))


def _drop(rough: Estimate, way: int) -> float:
    """Return by how much the step at the last state is below a line through those before, as a share of the largest."""
    own = rough.table[way] if way == 0 else rough.table[way, ::-1]
    uncut = _uncut(rough.hats[0].states if way == 0 else 1 - rough.hats[0].states[::-1], own)[-1]
    return float((2 * own[-2] - own[-3] - own[-1]) / own.max()) if uncut > STEEP * own.max() else 0.0


def _beyond(rough: Estimate, way: int) -> float:
    """Return the share of the range beyond the level ahead at which a line through the last two steps meets 0."""
    own = rough.table[way] if way == 0 else rough.table[way, ::-1]
    states = rough.hats[0].states
    gap = states[-1] - states[-2] if way == 0 else states[1] - states[0]
    fall = own[-2] - own[-1]
    return float(gap * own[-1] / fall) if fall > 0 else np.inf


def estimate(made: FitPlan, kept: Array, turns: int = TURNS) -> Estimate:
    """Return the estimate from some samples.

    Parameters
    ----------
    made : FitPlan
        What has been decided.
    kept : numpy.ndarray
        (samples,) of all samples.
    turns : int
        Rounds.
    """
    there = np.zeros(len(made.runs.device), dtype=bool)
    there[made.all.run[kept]] = True
    level, errors = ranges.levels(made.found, made.runs, there)
    level[~made.moving] = np.nan
    chosen = made.all.part(kept & made.inner & np.isfinite(level).all(axis=1)[made.all.device])
    bounds = _bounds(made, level, np.zeros_like(level))
    found = _steps(made, chosen, bounds, errors, 2)
    if any(made.hard):
        level = level + _kept_off(made, found) * np.array([-1.0, 1.0])
        bounds = _bounds(made, level, np.zeros_like(level))
    if any(made.soft):
        share = [_beyond(found, way) if soft else 0.0 for soft, way in zip(made.soft, (1, 0), strict=True)]
        bounds = _bounds(made, level, np.tile(np.clip(share, -FARTHEST / 3, 2 * FARTHEST), (len(level), 1)))
        found = _steps(made, chosen, bounds, errors, 2)
        bounds = _bounds(made, level, _short_of(made, found, there))
    return _steps(made, chosen, bounds, errors, turns)


def _kept_off(made: FitPlan, found: Estimate) -> Array:
    """Return how far from a hard bound noise keeps a device that is pulsed against it, low and high [uS].

    Its distance goes D = max(D - s - sigma xi, 0), whose mean is sum_k E[max(-S_k, 0)]/k, S_k the sum of k steps:
    Spitzer, Transactions of the American Mathematical Society 82:323, 1956.
    """
    variance = np.nan_to_num(found.squares.variance())
    away, k = np.zeros(2), np.arange(1, LONGEST + 1)
    for side, way, last, before in ((0, 1, 0, 1), (1, 0, -1, -2)):
        step, sigma = found.table[way, last], np.sqrt(max(float(variance[way, before]), 0.0))
        if made.hard[side] and step > 0 and sigma > 0:
            root = np.sqrt(k) * step / sigma
            away[side] = ((sigma * norm.pdf(root) / np.sqrt(k)) - step * norm.cdf(-root)).sum()
    away *= (found.g[1] - found.g[0]) / 2
    return np.minimum(away, FARTHEST * (found.g[1] - found.g[0]))


def _short_of(made: FitPlan, found: Estimate, there: Array) -> Array:
    """Return what every device's levels fall short of its bounds, (devices, 2), as shares of the way between levels.

    A device of small steps ends its runs farther from its bound. How far is what the mean device of the table does with
    its gain in the pulses of its longest run.
    """
    pulses = np.zeros((made.found.devices, 2), dtype=int)
    np.maximum.at(pulses, (made.runs.device[there], (made.runs.sign[there] > 0).astype(int)), made.runs.pulses[there])
    span, states = np.nanmean(found.bounds[:, 1] - found.bounds[:, 0]), found.hats[0].states
    ends = np.empty(pulses.shape)
    for side, way in ((0, 1), (1, 0)):
        x, own = np.full(made.found.devices, 1.0 - side), found.table[way]
        for n in range(pulses[:, side].max(initial=0) if made.soft[side] else 0):
            step = found.shrunk[:, way] * np.interp(x, states, own) / span
            x = np.where(n < pulses[:, side], np.clip(x + (step if way == 0 else -step), 0, 1), x)
        ends[:, side] = (x if side else 1 - x) if made.soft[side] else 1.0
    # The way from one bound to the level before the other is what is left of the range by this end alone.
    low, high = 1 - ends[:, 0], ends[:, 1]
    way_between = np.maximum(high - low, 0.5)
    return np.stack([low / way_between, (1 - high) / way_between], axis=1)


def _bounds(made: FitPlan, level: Array, beyond: Array) -> Array:
    """Return the bounds of every device [uS]: its own where traces come to them, else common ones.

    ``beyond`` (devices, 2): shares of the way between its levels by which they lie farther out.
    """
    span, found = level[:, 1] - level[:, 0], level.copy()
    for side, sign in ((0, -1), (1, 1)):
        if made.reached[side]:
            found[:, side] += sign * beyond[:, side] * span
        else:
            most = np.nanmin(level[:, 0]) if side == 0 else np.nanmax(level[:, 1])
            wanted = made.given[side]
            most = most if wanted is None else (min if side == 0 else max)(wanted, most)
            found[:, side] = np.where(np.isfinite(level[:, side]), most, np.nan)
    return found


def _steps(made: FitPlan, chosen: PulseSamples, bounds: Array, errors: Array, turns: int) -> Estimate:
    """Return the estimate for bounds in uS."""
    g = tuple(
        float(np.nanmean(bounds[:, side])) if made.given[side] is None else float(made.given[side] or 0.0)
        for side in range(2)
    )
    if not g[0] < g[1]:
        raise ChipError(f"g_min = {g[0]:g} and g_max = {g[1]:g} uS: traces should lie within them")
    half = (g[1] - g[0]) / 2
    bounds, errors = (bounds - g[0]) / half - 1, errors / half**2
    scaled = chosen.scaled(*g)
    up = scaled.sign > 0
    parts, hats = [], []
    for mask in (up, ~up):
        own = scaled.part(mask)
        low, high = bounds[own.device].T
        parts.append(own)
        hats.append(Hats(made.states, (own.before - low) / (high - low), high - low))
        if not len(own.device):
            raise ChipError("direction: there are no pulses up, or none down, between the ends of the traces")
    gains, slack = np.ones((made.found.devices, 2)), np.full((made.found.devices, 2), np.nan)
    read, shrunk = 0.0, gains
    for _ in range(turns):
        table = np.stack([
            moments.table(hats[way], parts[way], shrunk[parts[way].device, way], max(read, 0.0)) for way in range(2)
        ])  # fmt: skip
        table = np.maximum(table, 0.0)
        residual, slope = _residuals(scaled, up, parts, hats, table, shrunk)
        read = noise.of_readings(residual * scaled.sign, scaled.follows, slope)
        if turns > 1:
            gains, slack = _gains(parts, hats, table, residual, up, max(read, 0.0), made.found.devices)
            shrunk = _shrunk(gains, slack)
    residual, slope = _residuals(scaled, up, parts, hats, table, shrunk)
    if made.hard[0]:
        table[1] = _uncut(1 - made.states[::-1], table[1, ::-1])[::-1]
    if made.hard[1]:
        table[0] = _uncut(made.states, table[0])
    squares = _squares(parts, hats, residual, slope, up, shrunk, max(read, 0.0), table, bounds)
    squares.count[1, 0] *= not made.hard[0]
    squares.count[0, -1] *= not made.hard[1]
    cycle = noise.of_pulses(squares, made.form) if turns > 1 else CycleNoise()
    tests = _covariance(parts, hats, up, scaled, max(read, 0.0), squares)
    ordered = np.concatenate([residual[up], residual[~up]])
    both = (hats[0], hats[1]), (parts[0], parts[1])
    last = *both, shrunk, ordered, tests
    return Estimate((g[0], g[1]), bounds, errors, table, gains, slack, read, squares, cycle, *last)


def _uncut(states: Array, table: Array) -> Array:
    """Return a table whose last step is on a line through the four before, not below 0."""
    line = np.polynomial.Polynomial.fit(states[-5:-1], table[-5:-1], 1)
    return np.append(table[:-1], max(float(line(states[-1])), 0.0))


def _residuals(
    scaled: PulseSamples, up: Array, parts: list[PulseSamples], hats: list[Hats], table: Array, gains: Array
) -> tuple[Array, Array]:
    """Return residuals in the direction of the pulse and 1 + u g dF/dw, of all samples in their order."""
    residual, slope = np.empty(len(up)), np.empty(len(up))
    for way, mask in enumerate((up, ~up)):
        own = parts[way]
        f, bend = hats[way].of(table[way])
        gain = gains[own.device, way]
        residual[mask] = own.step - gain * f
        slope[mask] = 1 + own.sign * gain * bend
    return residual, slope


def _gains(
    parts: list[PulseSamples], hats: list[Hats], table: Array, residual: Array, up: Array, s2: float, devices: int
) -> tuple[Array, Array]:
    """Return gains (devices, 2) of mean 1 and the squares of their errors."""
    gains, errors = np.empty((devices, 2)), np.empty((devices, 2))
    for way, mask in enumerate((up, ~up)):
        own = parts[way]
        found = moments.gains(hats[way], own, table[way], s2, devices)
        f, bend = hats[way].of(table[way])
        score = f * residual[mask]
        lagged = np.concatenate([[0.0], score[:-1]]) * own.follows
        spread = np.bincount(own.device, score * (score + 2 * lagged), devices)
        base = np.bincount(own.device, f * f - s2 * bend**2, devices)
        with np.errstate(divide="ignore", invalid="ignore"):
            gains[:, way], errors[:, way] = found / np.nanmean(found), spread / base**2 / np.nanmean(found) ** 2
    return gains, errors


def _shrunk(gains: Array, errors: Array) -> Array:
    """Return gains drawn to 1 by as much as their errors are of their scatter: they stand in equations as known."""
    found = np.ones_like(gains)
    for way in range(2):
        fine = np.isfinite(gains[:, way])
        scatter = spreads.between(gains[fine, way], errors[fine, way])
        if np.isfinite(scatter) and scatter > 0:
            share = scatter / (scatter + max(float(errors[fine, way].mean()), 0.0))
            found[fine, way] = np.maximum(1 + share * (gains[fine, way] - 1), 0.02)
    return found


def _squares(
    parts: list[PulseSamples],
    hats: list[Hats],
    residual: Array,
    slope: Array,
    up: Array,
    gains: Array,
    s2: float,
    table: Array,
    bounds: Array,
) -> Squares:
    """Return the sums of squares by state and direction."""
    rows, cells, steps = [], [], []
    for way, mask in enumerate((up, ~up)):
        gain = gains[parts[way].device, way]
        cells.append(hats[way].cells(gain**2))
        steps.append(np.interp(CENTRES, hats[way].states, table[way]))
        own = residual[mask] ** 2 / (1 - hats[way].leverage(gain))  # a table is drawn to each of its samples
        values = (np.ones(len(gain)), own, gain**2, s2 * (1 + slope[mask] ** 2))
        count, *means = (hats[way].sums(each) for each in values)
        with np.errstate(divide="ignore", invalid="ignore"):
            rows.append([count, *(np.where(count > 0, each / count, 1.0) for each in means)])
    low, high = np.nanmean(bounds, axis=0)
    middle = [[np.interp(-low / (high - low), hats[0].states, own)] for own in table]
    count, square, size, read = (np.stack(pair) for pair in zip(*rows, strict=True))
    return Squares(count, square, size, read, np.stack(cells), np.stack(steps), np.array(middle))


def _covariance(
    parts: list[PulseSamples], hats: list[Hats], up: Array, scaled: PulseSamples, s2: float, squares: Squares
) -> Array:
    """Return the covariance of sum phi_i d of each direction, (2, K, K): noise of pulses and of readings."""
    variance = np.maximum(np.nan_to_num(squares.variance()), 1e-6 * squares.middle**2)
    found = []
    for way in range(2):
        own = hats[way].of(np.sqrt(variance[way]))[0] ** 2
        here = hats[way].gram(own, 0.0)
        if s2 > 0:
            here = here + s2 * moments.read_part(parts[way], hats[way])
        found.append(here)
    return np.stack(found)
