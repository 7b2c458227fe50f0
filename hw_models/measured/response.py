"""From measured pulse curves to the response of a device to pulses, with 95 % intervals.

    fit = hw_models.fit_response(conductance, direction)      # (devices, readings) [uS], +1 or -1 for every pulse
    fit.pulse                                                 # a Pulse: fields of [device.pulse]
    fit.estimates["dw_min"].value, fit.estimates["dw_min"].low, fit.estimates["dw_min"].high
    fit.candidates                                            # every response, with what it says of pulses left out

Responses are fitted by likelihood (:mod:`hw_models.measured.likelihood`), chosen by what they say of cycles left out
(:mod:`hw_models.measured.held_out`): the simplest that is not worse than the best by more than two standard errors (or
hardly worse, or by as much as nothing excuses), and whose mean steps by state are the measured ones. Of few readings
none is taken to which a wider one is surely better.

**Intervals.** Of what devices have of their own (steps, bounds), Student's t over the devices; of spreads, the
quantiles of chi^2 (:mod:`hw_models.measured.population`); of what all share (slopes, noise), Fisher's information, or
the scatter of the devices' scores where that is larger, with Student's t of as many degrees as devices less 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from hw_models import text
from hw_models.chip import Pulse
from hw_models.errors import ChipError, given_as, unknown
from hw_models.keywords import checked
from hw_models.measured import censored, curves as measured, held_out as holding, laws
from hw_models.measured.arrays import curves_of
from hw_models.measured.curves import Curves
from hw_models.measured.fields import fields_of
from hw_models.measured.held_out import BINS, HeldOut
from hw_models.measured.laws import RESPONSES, FittedResponse
from hw_models.measured.likelihood import spread_of
from hw_models.measured.population import Estimate
from hw_models.measured.units import CONDUCTANCE

Array = np.ndarray
BEYOND_ENDS = ("soft_bounds", "power")
"""Responses whose bounds lie beyond where curves end."""
GOES_ON = 0.05
"""Share of the largest step above which curves that end have not come to where their devices do."""
READINGS = ("write", "read", "instrument")
CLEAR = 2.0
"""Standard errors by which a response has to be better than a simpler one."""
WORSE, SURE = 0.1, 12.0
"""Score below the best, per pulse and of all pulses, from which a response is worse whatever the standard error: where
it fails at some readings alone its error is as large."""
ALMOST = 0.02
"""Score below the best, per pulse, that nobody would notice."""
ALIKE = ("exponential", "power")
"""Responses of which neither is simpler."""
UNLIKELY = 1e-3
"""Probability of as large a misfit, or likelihood ratio, below which a response does not fit."""
WIDER = {"constant": ("linear", "exponential", "power"), "linear": ("exponential",)}
"""Responses that hold a simpler one as a special case."""
SEEN = 0.3
"""Relative error of slopes below which every device's own soft bounds are told."""


@dataclass(frozen=True)
class Candidate:
    """One response and how it did."""

    response: str
    held: HeldOut
    behind: float
    """Score per pulse below the best."""
    error: float
    """Standard error of that difference."""
    chi2: float
    """Misfit of mean steps by state, :func:`hw_models.measured.held_out.misfit`."""
    bins: int
    wider: str = ""
    """Of few readings: the response that holds this one as a special case and is most surely better."""
    ratio: float = 1.0
    """Probability of as large a likelihood ratio to it, where this one is right."""

    @property
    def probability(self) -> float:
        """Return how often a right response has as large a misfit."""
        return float(chi2.sf(self.chi2, self.bins)) if self.bins else 1.0

    @property
    def fits(self) -> bool:
        """Whether mean steps at all states are what it says, and no wider response says surely more of few readings."""
        return min(self.probability, self.ratio) > UNLIKELY


@dataclass(frozen=True)
class ResponseFit:
    """What was found in pulse curves."""

    pulse: Pulse
    g_min: float
    """Conductance of the lowest weight [uS]: -1, or 0 where all pulses lead up."""
    g_max: float
    """Conductance of weight 1 [uS]."""
    estimates: Mapping[str, Estimate]
    """By field of the pulse, with ``g_min``, ``g_max`` and ``reading`` (standard deviation of one reading) in uS."""
    response: str
    candidates: tuple[Candidate, ...]
    """All responses, the best score first; the one that was asked for alone, if one was."""
    readings: str
    curves: Curves = field(repr=False)
    moving: Array = field(repr=False)
    """(devices,) that pulses move."""
    fitted: FittedResponse = field(repr=False)
    notes: tuple[str, ...] = ()
    """What a reader should know of these data, a sentence each."""

    @property
    def read_noise(self) -> float:
        """Standard deviation of a read for ``device.read_noise`` [uS]: the readings' own with ``readings = "read"``."""
        return self.estimates["reading"].value if self.readings == "read" else 0.0

    @property
    def held(self) -> HeldOut:
        """What the response says of pulses left out."""
        return next(one.held for one in self.candidates if one.response == self.response)

    @property
    def one_sided(self) -> bool:
        """Whether all pulses lead up."""
        return self.curves.one_sided


@checked(ChipError)
def fit_response(
    conductance: ArrayLike | Curves,
    direction: ArrayLike | None = None,
    *,
    unit: str = "uS",
    response: str = "auto",
    readings: str = "write",
    g_min: float | None = None,
    g_max: float | None = None,
) -> ResponseFit:
    """Fit the response to pulses to conductances read after pulses.

    Parameters
    ----------
    conductance : array_like or Curves
        (devices, readings), or (readings,) of one device; shorter ones are filled up with NaN.
    direction : array_like
        1 up or -1 down for the pulse between a reading and the next, or the number of pulses of that sign:
        (readings - 1,) of all devices, or one row each.
    unit : str
        Of ``conductance``: uS, nS, mS or S.
    response : str
        ``"auto"`` (the default), or one of :data:`hw_models.measured.laws.RESPONSES`.
    readings : str
        Whose the noise of readings is: ``"write"`` (a write leaves what is read off the state by it:
        ``pulse.write_noise``), ``"read"`` (``device.read_noise``), or ``"instrument"`` (not the device's: left out).
    g_min, g_max : float, optional
        Conductances of the lowest and the highest weight [uS]; default the mean levels the devices come to, or where
        curves do not come to a bound the farthest reading.

    Raises
    ------
    ChipError
        If arrays do not fit or hold what cannot be, or a word is none of those allowed.
    """
    for what, name, allowed in (
        ("unit", unit, CONDUCTANCE), ("response", response, ("auto", *RESPONSES)), ("readings", readings, READINGS),
    ):  # fmt: skip
        if name not in allowed:
            raise ChipError(unknown(what, name, allowed))
    found = conductance if isinstance(conductance, Curves) else curves_of(conductance, direction, CONDUCTANCE[unit])
    found = measured.without_glitches(measured.check(found))
    moving = measured.moving(found)
    moved = found.part(moving)
    told = measured.reaching(moved)
    reached = measured.reached(moved, told)
    g = _range(moved, reached, told, g_min, g_max)
    data = laws.scaled(moved, g, reached, told)
    wanted = [name for name in RESPONSES if name != "soft_bounds" or not data.one_sided]
    if response != "auto":
        wanted = [response]
        if data.one_sided and response == "soft_bounds":
            raise ChipError("response 'soft_bounds': all pulses lead up, take exponential, power or table")
    fits = {name: _fitted(data, name) for name in wanted}
    candidates = _ranked(fits, data.one_sided)
    chosen = _choice(candidates)
    fields = fields_of(fits[chosen], holding.bias_of(fits[chosen]), moving, readings, g, (g_min is None, g_max is None))
    notes = [*found.notes, *fields.notes, *_notes(found, moving, candidates, chosen, response)]
    going = _go_on(moved, reached, chosen)
    notes += [line for line, _ in going.values()]
    estimates = _opened(fields.estimates, going, (g_min is None, g_max is None))
    return ResponseFit(
        fields.pulse, *g, estimates, chosen, tuple(candidates), readings, found, moving, fits[chosen],
        tuple(notes),
    )  # fmt: skip


def _range(
    found: Curves, reached: tuple[bool, bool], told: Array, g_min: float | None, g_max: float | None
) -> tuple[float, float]:
    """Return the conductances of the ends of the weight range [uS]."""
    for name, value in (("g_min", g_min), ("g_max", g_max)):
        number = isinstance(value, Real) and not isinstance(value, bool)
        if value is not None and not (number and np.isfinite(value) and value >= 0):
            raise ChipError(f"{name} = {text.shown(value)}: a conductance from 0 is needed [uS]")
    low, high = measured.levels(found, reached)
    lower, upper = measured.passed(found)
    ends = (-_end(-low, -lower, told[:, 0], reached[0]), _end(high, upper, told[:, 1], reached[1]))
    g = (ends[0] if g_min is None else g_min, ends[1] if g_max is None else g_max)
    if not 0 <= g[0] < g[1]:
        if g_min is None and g[0] < 0:
            shown = f"g_min = {g[0]:.4g} uS, where curves end, is below 0"
            raise ChipError(f"{shown}: take the offset of the instrument off the conductances, or give g_min")
        raise ChipError(f"g_min = {g[0]:g}: it should be below g_max = {g[1]:g} uS")
    return g


def _end(levels: Array, passed: Array, told: Array, reached: bool) -> float:
    """Return where devices come to, upper levels: their mean bound where they tell it, else the farthest reading."""
    if not reached:
        return float(levels.max())
    if told.all() or told.sum() < censored.FEWEST:
        return float(levels[told].mean() if told.any() else levels.mean())
    return censored.bounds(np.where(told, levels, passed), np.zeros(len(levels)), told)[0].value


def _fitted(data: laws.Scaled, name: str) -> FittedResponse:
    """Return a fit; of soft bounds with own bounds of the devices where the curves tell them.

    Where bounds are all alike, twice the likelihood rises by their number less 1 on average. Where it rises more, their
    spread is estimated above 0, and the interval of their mean has to hold it: one bound for all leaves it out. If they
    differ but are not told, one bound for all is that of the devices that come to theirs: the near ones.
    """
    found = laws.fit(data, name)
    many = len(data.readings)
    if name != "soft_bounds" or many < 2:
        return found
    best, own, unlike = found.best.loss, tuple[str, ...](), tuple[str, ...]()
    for ways in (("up", "down"), ("down",), ("up",)):
        tried = laws.fit(data, name, own_bounds=ways, form=found.form)
        first = len(tried.best.problem.own) - len(ways)
        errors = np.sqrt(np.einsum("dii->di", spread_of(tried.best)[1]))[:, first:]
        error = float(np.median(errors / np.abs(tried.best.own[:, first:]), axis=0).max())
        chance = len(ways) * (many - 1) / 2
        if len(ways) == 1 and tried.best.loss + chance < found.best.loss:
            unlike = (*unlike, *ways)
        # Errors of slopes that are hardly told are larger than the curvature says: these need twice as much.
        chance *= 1 if error < SEEN / 2 else 2
        if error < SEEN and tried.best.loss + chance < best:
            best, own = tried.best.loss + chance, ways
    return replace(laws.fit(data, name, own_bounds=own) if own else found, unlike=unlike)


def _ranked(fits: Mapping[str, FittedResponse], one_sided: bool) -> list[Candidate]:
    common = np.logical_and.reduce([one.best.mask for one in fits.values()])
    tried = {name: holding.held_out(one, common) for name, one in fits.items()}
    held = {name: one for name, one in tried.items() if one is not None}
    if not held:
        shown = "' and '".join(tried)
        raise ChipError(f"response '{shown}': at half of these readings no step is told; read after fewer pulses")
    best = max(held.values(), key=lambda one: one.score)
    found = []
    for name, one in held.items():
        misfit = holding.misfit(fits[name])
        few = misfit[1] < BINS * (1 if one_sided else 2)
        ratio = _ratio(name, fits, common) if few else ("", 1.0)
        found.append(Candidate(name, one, *_behind(one, best), *misfit, *ratio))
    return sorted(found, key=lambda one: one.behind)


def _behind(one: HeldOut, best: HeldOut) -> tuple[float, float]:
    """Return the score per pulse below a better one, and its standard error over halves of devices."""
    apart = (best.parts - one.parts).ravel()
    return best.score - one.score, float(apart.std(ddof=1) * np.sqrt(len(apart))) / max(one.pulses, 1)


def _as_good(one: HeldOut, best: HeldOut) -> bool:
    """Tell whether it says of what was left out as much as the best: not surely less, or hardly less."""
    behind, error = _behind(one, best)
    return behind <= max(min(CLEAR * error, max(WORSE, SURE / max(one.pulses, 1))), ALMOST)


def _ratio(name: str, fits: Mapping[str, FittedResponse], common: Array) -> tuple[str, float]:
    """Return the wider response that is most surely better, and the probability of its ratio if it is not.

    Twice the logarithm of the ratio of likelihoods, chi^2 of as many degrees as it has numbers more (Wilks). Of some
    tens of readings it tells what means of steps in a few bins cannot.
    """
    own, found = fits[name], ("", 1.0)
    for other in (fits[wider] for wider in WIDER.get(name, ()) if wider in fits):
        more = len(other.best.shared) - len(own.best.shared)
        if more > 0:
            chance = float(chi2.sf(2 * max(own.loss_on(common) - other.loss_on(common), 0.0), more))
            found = (other.response, chance) if chance < found[1] else found
    return found


def _choice(candidates: list[Candidate]) -> str:
    """Return the simplest response that is as good as the best, of those that fit if any does.

    Exponential and power have as many numbers: the better of them is taken. An exponential that is a power law's best
    approximation has its gammas at their ends, where its step at weight 0 says nothing of how it grew.
    """
    fitting = [one for one in candidates if one.fits] or candidates
    good = [one.response for one in fitting if _as_good(one.held, fitting[0].held)]
    first = min(good, key=RESPONSES.index)
    return next(name for name in good if name in ALIKE) if first in ALIKE else first


def _go_on(found: Curves, reached: tuple[bool, bool], chosen: str) -> dict[str, tuple[str, int]]:
    """Say which bound is the end of curves whose steps have shrunk but not ended, and on which side, where the formula
    has its bound there: soft bounds and power have theirs beyond."""
    told = {}
    for side, name in enumerate(("w_min", "w_max")):
        share = measured.ending(found, side) if reached[side] and chosen not in BEYOND_ENDS else 0.0
        if share > GOES_ON:
            shown = f"Steps where curves end are still {share:.0%} of the largest"
            told[name] = f"{shown}: {name} is where they end, and more pulses may lead beyond.", side
    return told


def _opened(
    estimates: Mapping[str, Estimate], going: Mapping[str, tuple[str, int]], sought: tuple[bool, bool]
) -> dict[str, Estimate]:
    """Return estimates whose bounds may lie beyond the ends of curves that go on, and so may ends of the range that
    were sought there."""
    found = dict(estimates)
    for name, (_, side) in going.items():
        if name in found:
            found[name] = _beyond(found[name], side, -math.inf)
        end = ("g_min", "g_max")[side]
        if sought[side] and found[end].low < found[end].high:
            found[end] = _beyond(found[end], side, 0.0)
    return found


def _beyond(one: Estimate, side: int, least: float) -> Estimate:
    """Return an estimate that is open above (side 1), or below down to the least."""
    return replace(one, high=math.inf, told=False) if side else replace(one, low=least, told=False)


def _notes(found: Curves, moving: Array, candidates: list[Candidate], chosen: str, asked: str) -> list[str]:
    one = next(c for c in candidates if c.response == chosen)
    notes = []
    if not one.fits:
        free = given_as("--response table", "response='table'")
        cure = "its steps by state stray from the curve" if chosen == "table" else f"take {free}"
        off = f"mean steps differ from it (chi^2 {one.chi2:.0f} of {one.bins})"
        notes.append(f"Response '{chosen}' does not fit: {off}; {cure}.")
    elif chosen == "table" and asked == "auto":
        notes.append("No formula says of cycles left out what the table of steps says: the table is taken.")
    lost = [name for name, moves in zip(found.names, moving, strict=True) if not moves]
    if lost:
        shown = ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
        notes.append(f"Devices that no pulse moves, left out and counted as corrupt: {shown}.")
    if found.devices == 1:
        notes.append("One device: intervals are of other cycles of it, and nothing tells how devices differ.")
    if found.cycles == 1:
        notes.append("A single cycle: rows of ten readings were left out in place of cycles.")
    return notes

