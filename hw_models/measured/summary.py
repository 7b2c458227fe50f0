# Tested by tests/hw_models/measured/test_chip_files.py.
"""What fits found, in words: estimates with their intervals, how responses and laws compare, notes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from hw_models.measured.law_fits import CLEAR, LawFit, behind
from hw_models.measured.population import Estimate
from hw_models.measured.response import UNLIKELY, Candidate, ResponseFit

HEAD = f"{'':<24} {'value':<11} {'95 % interval':<24} unit"
_STEPS = " of those whose steps by state are the measured ones"
ERRORS = "+-: standard error of the difference to the best"
NO_CURVE = "No R2 of the mean curve: cycles left out have unequal numbers of readings; a row with pulse 0 begins one."
NOTHING = 1e6
"""Widths of an interval over the number itself from which it tells nothing."""
TITLES: Mapping[str, str] = {
    "programming": "Error of programming",
    "read_noise": "Read noise",
    "retention": "Retention",
    "iv": "Current by voltage",
}


def of_response(fit: ResponseFit) -> list[str]:
    """Return lines of a response to pulses."""
    curves, held = fit.curves, fit.held
    ups, downs = curves.count(1), curves.count(-1)
    many = f"{curves.devices} device{'s' * (curves.devices > 1)}, {curves.cycles} cycle{'s' * (curves.cycles > 1)}"
    lines = [f"Response to pulses: {many}, {ups} pulses up and {downs} down.", f"Response '{fit.response}'."]
    curve = f", {held.curve:.4f} of the mean curve of a cycle" if math.isfinite(held.curve) else ""
    lines.append(f"Left out: R2 {held.r2:.4f} a pulse ahead (a right response: {held.best:.4f}){curve}.")
    lines += ["", HEAD, *estimated(fit.estimates.items()), ""]
    lines.append(f"{'response':<12} {'behind the best, left out':<27} {'R2':<8} {'mean curve':<11} steps as it says?")
    for one in fit.candidates:
        apart = f"{one.behind:.2g} +- {one.error:.2g} per pulse" if one.behind else "best"
        said = _said(one)
        curve = f"{one.held.curve:.4f}" if math.isfinite(one.held.curve) else ""
        lines.append(f"{one.response:<12} {apart:<27} {one.held.r2:<8.4f} {curve:<11} {said}")
    lines += [ERRORS] if len(fit.candidates) > 1 else []
    lines += [] if math.isfinite(held.curve) else [NO_CURVE]
    return [*lines, *_why(fit), *([""] if fit.notes else []), *fit.notes]


def _said(one: Candidate) -> str:
    """Return whether steps are as a response says."""
    if not one.fits and one.probability > UNLIKELY:
        return f"no ('{one.wider}', which holds it, is likelier: {one.ratio:.0e})"
    return f"{'yes' if one.fits else 'no'} (chi^2 {one.chi2:.0f} of {one.bins})" if one.bins else "too few to tell"


def _why(fit: ResponseFit) -> list[str]:
    """Return why another response than the best was taken, where one was."""
    if fit.candidates[0].response == fit.response:
        return []
    those = f"responses as good as the best{_STEPS if _one(fit).fits else ''}"
    return [f"Taken: {fit.response}, the simplest of the {those}."]


def _one(fit: ResponseFit) -> Candidate:
    return next(one for one in fit.candidates if one.response == fit.response)


def of_law(fit: LawFit) -> list[str]:
    """Return lines of a law."""
    left = f"{fit.residual:.3g} {fit.residual_unit}" if fit.residual_unit.startswith("u") else (
        f"{fit.residual:.2%} {fit.residual_unit}"
    )  # fmt: skip
    asked = ", as asked for" if fit.asked else ""
    lines = [f"{TITLES[fit.kind]}: {fit.points} points.", f"Law '{fit.law}'{asked}, residual {left}.", "", HEAD]
    lines += [*estimated(fit.estimates.items()), ""]
    clear = False
    lines.append(f"{'law':<14} {'behind the best, left out':<27} R2")
    for law, apart, error, r2 in behind(fit.tried):
        shown = f"{apart:.2g} +- {error:.2g}" if apart else "best"
        lines.append(f"{law:<14} {shown:<27} {r2:.4f}")
        clear |= law == fit.law and 0 < apart <= CLEAR * error
    lines += [ERRORS] if len(fit.tried) > 1 else []
    if clear and not fit.asked:
        those = "laws that fit the data and are" if any(one.fits for one in fit.tried) else "laws"
        of = f"the simplest (fewest free numbers) of the {those} within two standard errors of the best"
        lines.append(f"Taken: {fit.law}, {of}.")
    return [*lines, *([""] if fit.notes else []), *fit.notes]


def estimated(estimates: Iterable[tuple[str, Estimate]]) -> list[str]:
    """Return a line for each estimate."""
    lines = []
    for name, one in estimates:
        rest = f"{one.unit}, {one.meaning}" if one.meaning else one.unit
        told = "" if _told(one) else "; not told by these data"
        lines.append(f"{name:<24} {one.value:<11.4g} {_interval(one):<24} {rest}{told}".rstrip())
    return lines


def _told(one: Estimate) -> bool:
    """Tell whether the data say it: an interval a million times as wide as the number says nothing."""
    return one.told and not one.high - one.low > NOTHING * abs(one.value) > 0


def _interval(one: Estimate) -> str:
    """Return an interval; of what the data do not tell, the bound that they set, if they set one."""
    if one.told and not _told(one):
        return ""
    if one.told:
        return "" if math.isnan(one.low) else f"[{one.low:.4g}, {one.high:.4g}]"
    below, above = one.low in (0.0, -math.inf), one.high == math.inf
    if below == above:
        return ""
    return f"at most {one.high:.4g}" if below else f"at least {one.low:.4g}"
