"""From measured conductance traces to the response of a device to pulses, with standard errors.

    fit = hw_models.fit_response(conductance, direction)      # (devices, readings) [uS], +1 or -1 for every pulse
    fit.pulse                                                 # a Pulse: fields of [device.pulse]
    fit.estimates["dw_min"].value, fit.estimates["dw_min"].error
    [one.response for one in fit.formulas if one.better > 0]  # formulas that describe the steps as well as the table

What is estimated and how: :mod:`hw_models.measured.moments` (steps by state), :mod:`hw_models.measured.noise`
(readings, cycles), :mod:`hw_models.measured.spreads` (devices), :mod:`hw_models.measured.ranges` (bounds),
:mod:`hw_models.measured.formulas` (responses as formulas).

**Standard errors** are of the delete-a-group jackknife: everything is estimated again without one of up to 20 groups of
devices; with fewer than 8 devices without one of the cycles, which then says nothing of other devices. Source: Efron
and Stein, Annals of Statistics 9:586, 1981. A spread or a noise whose variance is within two standard errors of 0 is
left out of the pulse.

**Not told apart**: the noise of an instrument, of a read and of a write, where every pulse has one reading
(``readings`` says which it is); the correlation of bounds with each other and with steps, and of steps up and down
beyond that of ``up_down_spread``. Devices of soft bounds have the former: their formula describes how they differ, a
table of them makes more of it. **Left at the ends**: a bound that steps shrink to slowly may lie some per cent farther
out than any trace tells, and the noise of pulses near it is known to about 2 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from hw_models.chip import Pulse
from hw_models.errors import ChipError, unknown
from hw_models.keywords import checked
from hw_models.measured import estimate as estimation, formulas, noise, spreads
from hw_models.measured.estimate import Estimate, FitPlan
from hw_models.measured.formulas import FormulaFit, Sums
from hw_models.measured.jackknife import SURE, GroupValues, settled
from hw_models.measured.moments import CENTRES
from hw_models.measured.shapes import BEYOND, SHAPES, about_zero
from hw_models.measured.traces import Traces, traces

Array = np.ndarray
STATES = 11
GROUPS, FEWEST = 20, 8
"""Most groups of the jackknife, and devices from which groups are of devices."""
LEAST_GROUPS = 4
UNITS: Mapping[str, float] = {"uS": 1.0, "S": 1e6, "mS": 1e3, "nS": 1e-3}
"""Of conductances, in uS."""
READINGS = ("write", "read", "instrument")
RESPONSES = ("table", *SHAPES, "auto")
SMALL = 1e-3
"""Conductance of no device that learns [uS]: 1 nS."""


@dataclass(frozen=True)
class FieldEstimate:
    """One estimate."""

    value: float
    error: float
    """Standard error; NaN where there are fewer than four groups."""


@dataclass(frozen=True)
class ResponseFit:
    """What was found in traces."""

    pulse: Pulse
    g_min: float
    """Conductance of weight -1 [uS]."""
    g_max: float
    """Conductance of weight 1 [uS]."""
    estimates: Mapping[str, FieldEstimate]
    """By field of the pulse, with ``g_min``, ``g_max`` and ``reading`` (standard deviation of a reading's own noise) in
    uS. Spreads and noise are here as found, also where the pulse leaves them out."""
    states: Array
    """(K,) of the table: shares of a device's own range."""
    steps: Array
    """(2, K) mean steps there, up first [weight range]."""
    step_errors: Array
    """(2, K)."""
    cycle_noise: Array
    """(2, K) standard deviation of a pulse there [weight range]; NaN without samples, 0 where none is seen."""
    samples: Array
    """(2, K) pulses that told of each state."""
    residuals: Array
    """(pulses,) of the steps as read, up first [weight range]."""
    formulas: tuple[FormulaFit, ...]
    """All responses of the project as formulas, the best one first."""
    response: str
    """That of the pulse."""
    readings: str
    traces: Traces = field(repr=False)
    moving: Array = field(repr=False)
    """(devices,) that pulses move."""
    bounds: Array = field(repr=False)
    """(devices, 2) low and high [weight range]."""
    notes: tuple[str, ...] = ()
    """What a reader should know of these data, a sentence each."""

    @property
    def read_noise(self) -> float:
        """Standard deviation of a read for ``device.read_noise`` [uS]: the readings' own with ``readings = "read"``."""
        return self.estimates["reading"].value if self.readings == "read" else 0.0


@checked(ChipError)
def fit_response(
    conductance: ArrayLike | Traces,
    direction: ArrayLike | None = None,
    *,
    unit: str = "uS",
    response: str = "table",
    readings: str = "write",
    states: int = STATES,
    g_min: float | None = None,
    g_max: float | None = None,
) -> ResponseFit:
    """Fit the response to pulses to conductances read after each pulse.

    Parameters
    ----------
    conductance : array_like or Traces
        (devices, readings), or (readings,) of one device; shorter ones are filled up with NaN.
    direction : array_like
        1 up or -1 down for the pulse between a reading and the next: (readings - 1,) of all devices, or one row each.
    unit : str
        Of ``conductance``: uS, nS, mS or S.
    response : str
        ``"table"`` (the default), a formula of :data:`hw_models.measured.shapes.SHAPES`, or ``"auto"``: the formula
        that describes the steps as well as the table does, if any.
    readings : str
        Whose the noise of readings is: ``"write"`` (a write leaves what is read off the state by it:
        ``pulse.write_noise``), ``"read"`` (``device.read_noise``), or ``"instrument"`` (not the device's: left out).
    states : int
        Of the table; fewer where readings do not tell that many apart.
    g_min, g_max : float, optional
        Conductances of weights -1 and 1 [uS]; default the mean bounds of the devices, or where traces do not come to
        a bound the farthest level.

    Raises
    ------
    ChipError
        If arrays do not fit or hold what cannot be, or a word is none of those allowed.
    """
    for what, name, allowed in (
        ("unit", unit, UNITS), ("response", response, RESPONSES), ("readings", readings, READINGS),
    ):  # fmt: skip
        if name not in allowed:
            raise ChipError(unknown(what, name, allowed))
    if isinstance(states, bool) or not isinstance(states, int) or not 4 <= states <= 64:
        raise ChipError(f"states = {states!r}: allowed are whole numbers from 4 to 64")
    found = _traces(conductance, direction, UNITS[unit])
    made = estimation.plan(found, np.linspace(0, 1, states), _range(g_min, g_max))
    whole = estimation.estimate(made, np.ones(len(made.all.device), dtype=bool))
    sums = Sums(whole, made.hard)
    # What is better by less than 1 says the same: then the order of the shapes counts, the simple ones first.
    tried = sorted((formulas.fit(sums, name, whole.middle) for name in SHAPES), key=lambda one: -round(one.better))
    chosen = tried[0].response if response == "auto" and tried[0].better > 0 else response
    chosen = "table" if chosen == "auto" else chosen
    start = next((one.parameters for one in tried if one.response == chosen), None)
    if chosen != "table":
        fitted = next(one for one in tried if one.response == chosen)
        made = replace(made, form=noise.best(_formula_squares(whole, fitted), ("noise", "base", "both")))
    values = _values(made, np.ones(len(made.all.device), dtype=bool), chosen, start)
    others, groups = _others(made, chosen, start)
    values, errors = settled(values, others)
    return _result(made, whole, tuple(tried), chosen, readings, values, errors, groups)


def _traces(conductance: ArrayLike | Traces, direction: ArrayLike | None, unit: float) -> Traces:
    if isinstance(conductance, Traces):
        return conductance
    if direction is None:
        raise ChipError("direction is missing: 1 or -1 for the pulse between every reading and the next")
    found = traces(conductance, direction)
    return found if unit == 1 else Traces(found.conductance * unit, found.direction, found.names)


def _range(g_min: float | None, g_max: float | None) -> tuple[float | None, float | None]:
    for name, value in (("g_min", g_min), ("g_max", g_max)):
        if value is not None and not (np.isfinite(value) and value >= 0):
            raise ChipError(f"{name} = {value!r}: a conductance from 0 is needed [uS]")
    if g_min is not None and g_max is not None and g_min >= g_max:
        raise ChipError(f"g_min = {g_min!r}: it should be below g_max = {g_max!r} uS")
    return g_min, g_max


VARIANCES: Mapping[str, str] = {
    "dw_min_spread": "relative to dw_min",
    "up_down_spread": "",
    "w_max_spread": "relative to w_max",
    "w_min_spread": "relative to w_min",
    "reading": "uS",
}
"""Estimates that are variances until the end: below 0 they are none."""


def _values(made: FitPlan, kept: Array, response: str, start: Array | None) -> GroupValues:
    """Estimate from some samples."""
    whole = estimation.estimate(made, kept)
    if not (whole.middle > 0).all():
        shown = "{:.3g} up and {:.3g} down without some of the devices or cycles".format(*whole.middle)
        raise ChipError(f"steps at weight 0 are {shown}: readings are too noisy, or devices too unlike, to tell them")
    own, errors = whole.own_steps()
    bounds = np.nanmean(whole.bounds, axis=0)
    fields: dict[str, float] = {}
    cycle = whole.cycle
    if response != "table":
        fitted = formulas.fit(Sums(whole, made.hard), response, whole.middle, start)
        fields, _ = about_zero(response, fitted.fields, *bounds)
        gain = _formula_gain(whole, fitted)
        own, errors = own * gain, errors * gain**2
        cycle = noise.of_pulses(_formula_squares(whole, fitted), made.form)
        span = bounds[1] - bounds[0]
        bounds = bounds + np.array([-fields.pop("below", 0.0), fields.pop("above", 0.0)]) * span
    steps = spreads.moments(own, errors)
    numbers = {"dw_min": steps.middle, "up_down": steps.ratio, "w_min": bounds[0], "w_max": bounds[1]}
    numbers |= {"g_min": whole.g[0], "g_max": whole.g[1], "noise": cycle.noise, "noise_base": cycle.base, **fields}
    half = (whole.g[1] - whole.g[0]) / 2
    numbers |= {"dw_min_spread": steps.half, "up_down_spread": steps.tilt, "reading": whole.read * half**2}
    for side, name in enumerate(("w_min_spread", "w_max_spread")):
        fine = np.isfinite(whole.bounds[:, side])
        scatter = spreads.between(whole.bounds[fine, side], whole.bound_errors[fine, side])
        numbers[name] = scatter / bounds[side] ** 2 if made.reached[side] and bounds[side] else np.nan
    return GroupValues(numbers, whole.table, whole.squares.variance(), steps, cycle.multiples)


def _formula_gain(whole: Estimate, fitted: FormulaFit) -> Array:
    """Return what the steps of devices in a formula are to those of the table at weight 0, (devices, 2) or (1, 2)."""
    gain = (np.array(fitted.steps) / whole.middle)[None]
    if fitted.response != "soft_bounds":
        return gain * about_zero(fitted.response, fitted.fields, *np.nanmean(whole.bounds, axis=0))[1]
    kept = np.isfinite(whole.gains).all(axis=1) & (whole.gains > 0).all(axis=1)
    # A step of this law goes by 1 - w/b: the same line in x has another value at weight 0 where bounds differ.
    own = [about_zero(fitted.response, fitted.fields, low, high)[1] for low, high in whole.bounds[kept]]
    return gain * np.stack(own)


def _formula_squares(whole: Estimate, fitted: FormulaFit) -> noise.Squares:
    """Return the sums of squares beside steps of a formula."""
    shape, own = fitted.table, np.array([fitted.fields[name] for name in fitted.table.names])
    size, (low, high) = np.array(fitted.steps)[:, None], np.nanmean(whole.bounds, axis=0)
    _, scale = about_zero(fitted.response, fitted.fields, low, high)
    return replace(whole.squares, step=np.stack(shape.factors(CENTRES, own)) * size, middle=size * scale[:, None])


def _others(made: FitPlan, response: str, start: Array | None) -> tuple[list[GroupValues], str]:
    """Return the estimates without one group each, none where there are too few, and what groups are of."""
    every = made.all
    many = int(made.moving.sum())
    if many >= FEWEST:
        number = np.cumsum(made.moving) - 1
        group = np.where(made.moving[every.device], number[every.device] % min(GROUPS, many), -1)
        kind = "devices"
    else:
        # A run up and the one down behind it, of all devices.
        first = np.concatenate([[True], np.diff(made.runs.device) != 0])
        place = np.arange(len(first)) - np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
        cycle = (made.runs.device * 7 + place // 2)[every.run]
        _, cycle = np.unique(cycle, return_inverse=True)
        group, kind = cycle % GROUPS, "cycles"
    count = int(group.max()) + 1
    if count < LEAST_GROUPS:
        return [], kind
    return [_values(made, group != one, response, start) for one in range(count)], kind


def _result(
    made: FitPlan,
    whole: Estimate,
    tried: tuple[FormulaFit, ...],
    response: str,
    readings: str,
    values: GroupValues,
    slack: Array,
    groups: str,
) -> ResponseFit:
    names, k = list(values.numbers), len(made.states)
    if whole.g[0] < 0:
        mean = f"g_min = {whole.g[0]:.4g} uS, the mean lower bound of the devices, is below 0"
        raise ChipError(f"{mean}: take the offset of the instrument off the conductances, or give g_min")
    estimates = {
        name: _measured(name, values.numbers[name], float(slack[n]))
        for n, name in enumerate(names)
        if not (np.isnan(values.numbers[name]) or (name in ("noise", "noise_base") and not values.numbers[name]))
    }
    if values.steps.log_normal and _seen(values, slack, "dw_min_spread"):
        estimates |= _log_normal(estimates["dw_min"], estimates["dw_min_spread"])
    if not made.moving.all():
        share = float(1 - made.moving.mean())
        estimates["corrupt"] = FieldEstimate(share, float(np.sqrt(share * (1 - share) / len(made.moving))))
    pulse = _pulse(made, values, estimates, slack, response, readings)
    variance = values.variance
    return ResponseFit(
        pulse, *whole.g, estimates, made.states, values.table,
        slack[len(names) :][: 2 * k].reshape(2, k), np.sqrt(np.maximum(variance, 0)), whole.squares.count,
        whole.residual, tried, response, readings, made.found, made.moving, whole.bounds,
        tuple(_notes(made, estimates, groups, bool(np.isnan(slack).all()))),
    )  # fmt: skip


def _measured(name: str, value: float, error: float) -> FieldEstimate:
    """Return an estimate; of a variance its root, with the error that follows from that of the variance."""
    if name not in VARIANCES:
        return FieldEstimate(float(value), error)
    root = float(np.sqrt(max(value, 0.0)))
    return FieldEstimate(root, float(min(error / (2 * root), np.sqrt(error))) if root > 0 else float(np.sqrt(error)))


def _log_normal(mean: FieldEstimate, spread: FieldEstimate) -> dict[str, FieldEstimate]:
    """Return the median of the steps and the spread of their logarithm, as a pulse of that law has them."""
    q, share = float(np.sqrt(np.log1p(spread.value**2))), spread.value / (1 + spread.value**2)
    median = mean.value * np.exp(-(q**2) / 2)
    error = median * float(np.hypot(mean.error / mean.value, share * spread.error))
    return {"dw_min": FieldEstimate(median, error), "dw_min_spread": FieldEstimate(q, share / q * spread.error)}


def _seen(values: GroupValues, slack: Array, name: str) -> bool:
    """Whether a variance is clearly above 0."""
    value, error = values.numbers.get(name, np.nan), slack[list(values.numbers).index(name)]
    return bool(value > (SURE * error if np.isfinite(error) else 0.0))


def _pulse(
    made: FitPlan,
    values: GroupValues,
    estimates: Mapping[str, FieldEstimate],
    slack: Array,
    response: str,
    readings: str,
) -> Pulse:
    """Return the fields of a pulse that say it."""
    n = values.numbers
    found: dict[str, object] = {name: _short(n[name]) for name in ("dw_min", "up_down", "w_max", "w_min")}
    if not n["w_min"] < 0 < n["w_max"]:
        raise ChipError(f"g_min = {n['g_min']:g}, g_max = {n['g_max']:g} uS: their middle lies outside of the traces")
    for name in ("dw_min_spread", "up_down_spread", "w_max_spread", "w_min_spread"):
        if name in estimates and _seen(values, slack, name):
            found[name] = _short(estimates[name].value)
    if values.steps.log_normal and "dw_min_spread" in found:
        found |= {"dw_min_law": "log_normal", "dw_min": _short(estimates["dw_min"].value)}
    found |= {name: _short(n[name]) for name in ("noise", "noise_base") if n[name] >= 1e-4}
    if readings == "write" and _seen(values, slack, "reading"):
        found["write_noise"] = _short(estimates["reading"].value / (n["g_max"] - n["g_min"]) * 2 / n["dw_min"])
    if "corrupt" in estimates:
        found["corrupt"] = _short(estimates["corrupt"].value)
    if response == "table":
        return Pulse(**found, **_table(made.states, values, "noise" in found))  # type: ignore[arg-type]
    fields = {name: _short(n[name]) for name in SHAPES[response].names if name not in BEYOND}
    idle = response == "linear" and not any(fields.values())
    return Pulse(**found, **fields, response="constant" if idle else response)  # type: ignore[arg-type]


def _table(states: Array, values: GroupValues, noisy: bool) -> dict[str, object]:
    """Return the fields of a table: steps over those at weight 0."""
    low, high = values.numbers["w_min"], values.numbers["w_max"]
    middle = [np.interp(-low / (high - low), states, own) for own in values.table]
    rows = {name: own / step for name, own, step in zip(("table_up", "table_down"), values.table, middle, strict=True)}
    if noisy and values.multiples is not None:
        rows["table_noise"] = values.multiples
    found: dict[str, object] = {name: tuple(_short(value) for value in row) for name, row in rows.items()}
    return found | {"response": "table", "table_states": tuple(_short(x) for x in states)}


def _short(value: float) -> float:
    """Return a number of four digits: errors of fits are larger."""
    return float(f"{value:.4g}") + 0.0


def _notes(made: FitPlan, estimates: Mapping[str, FieldEstimate], groups: str, none: bool) -> list[str]:
    found = []
    for side, name in ((0, "lower"), (1, "upper")):
        if not made.reached[side]:
            found.append(f"Traces do not come to their {name} bound: the range ends at the farthest level.")
    if estimates["g_max"].value < SMALL:
        found.append(f"g_max is {estimates['g_max'].value * 1e6:.3g} pS: is the unit of the conductances right?")
    lost = [name for name, moves in zip(made.found.names, made.moving, strict=True) if not moves]
    if lost:
        shown = ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
        found.append(f"Devices that no pulse moves, left out and counted as corrupt: {shown}.")
    if none:
        found.append("Too few devices and cycles for standard errors: give at least 8 devices or 4 cycles.")
    elif groups == "cycles":
        found.append("Fewer than 8 devices: standard errors are of other cycles, not of other devices.")
    return found
