"""The numbers of a response's own formula, and the fields of a pulse that say a fit.

A step of an exponential is s max(1 - A exp(gamma z), 0). Curves tell the step s (1 - A) at weight 0, gamma, and the
slope c there, of which A = c/(gamma + c): c/gamma is A/(1 - A).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hw_models.chip import Pulse
from hw_models.errors import ChipError
from hw_models.measured.laws import LEAST, MOST, STATES
from hw_models.measured.own_ranges import either, with_own_ends
from hw_models.measured.population import Estimate
from hw_models.measured.reader import Reader

FULL = 1e-4
"""Share of a step that is left of the smaller of two: with less, the chip's number for both ways has lost it."""


def shape_of(read: Reader, estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Return the fields of the response itself."""
    response = read.fitted.response
    if response == "linear":
        found = {}
        for way, name in (("up", "w_max"), ("down", "w_min")):
            if way in read.names:
                found[f"gamma_{way}"] = read.shared(way, abs(estimates[name].value))
                found[f"gamma_{way}_spread"] = read.slope_spread(way).times(abs(estimates[name].value))
        return found
    if response == "power":
        return {name: read.shared(name) for name in read.names if name.startswith("gamma")}
    if response == "exponential":
        found = {}
        for way in ("up", "down"):
            found |= _exponential(read, way) if f"gamma_{way}" in read.names else {}
        other = with_own_ends(read.fitted) if found else None
        if other is not None:
            beside = Reader(other, read.bias)
            for way in ("up", "down"):
                found |= {name: either(found[name], one) for name, one in _exponential(beside, way).items()}
        return found
    return {}


def _exponential(read: Reader, way: str) -> dict[str, Estimate]:
    """Return gamma and A = c/(gamma + c), whose interval has no end where gamma may be 0.

    Where c/gamma stands at an end of its range, the curves leave A open beyond it.
    """
    gamma, c = read.shared(f"gamma_{way}"), read.shared(f"slope_{way}")
    if way in read.fitted.tied:
        end = share_of(read.fitted.tied[way])
        one = Estimate(end, -math.inf, end, told=False) if end < 0 else Estimate(end, end, 1.0, told=False)
        return {f"a_{way}": one, f"gamma_{way}": gamma}
    ratio = c.value / gamma.value if abs(gamma.value) > 1e-6 else math.copysign(MOST, c.value)
    ratio = float(np.clip(ratio, LEAST, MOST))
    ends = [float(np.clip(b / a, LEAST, MOST)) for a in (gamma.low, gamma.high) for b in (c.low, c.high) if a]
    clear = gamma.low > 0 or gamma.high < 0
    low, high = (share_of(min(ends)), share_of(max(ends))) if clear else (-math.inf, 1.0)
    if clear and min(ends) <= LEAST:
        low = -math.inf
    return {f"a_{way}": Estimate(share_of(ratio), low, high, told=clear), f"gamma_{way}": gamma}


def share_of(ratio: float) -> float:
    return ratio / (1 + ratio)


def formula_steps(read: Reader, estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Return dw_min and up_down of the formula, whose steps are those at weight 0 over 1 - A."""
    one, tilt = estimates["dw_min"], estimates.get("up_down", Estimate(0.0, 0.0, 0.0))
    ways = [way for way in ("up", "down") if f"a_{way}" in estimates]
    grow = [1 - min(estimates[f"a_{way}"].value, 0.98) for way in ways]
    size = [1 + min(tilt.value, 0.0), 1 - max(tilt.value, 0.0)]
    steps = [one.value * part / more for part, more in zip(size, grow, strict=False)]
    told = all(estimates[f"a_{way}"].told for way in ways)
    ends = [
        (one.low * min(size) / (1 - estimates[f"a_{way}"].low), one.high / max(1 - estimates[f"a_{way}"].high, 1e-12))
        for way in ways
    ]
    lows, highs = zip(*ends, strict=True)
    if "noise_base" in estimates:
        base = estimates["noise_base"].times(one.value / max(steps))
        found_base = {"noise_base": base if told else replace(base, low=0.0, high=math.inf, told=False)}
    else:
        found_base = {}
    low, high = (max(lows), max(highs)) if told else (0.0, math.inf)
    found = {**found_base, "step": one, "dw_min": Estimate(max(steps), low, high, told=told)}
    if len(steps) == 2:
        a = (steps[0] - steps[1]) / sum(steps)
        shift = 2 * a / (1 + abs(a)) - tilt.value
        wide = Estimate(tilt.value + shift, -1.0, 1.0, told=False)
        if told:
            shares = [estimates[f"a_{way}"] for way in ways]
            ratio = [math.log1p(-share.low) - math.log1p(-min(share.high, 0.999)) for share in shares]
            half, middle = math.hypot((tilt.high - tilt.low) / 2, *ratio), tilt.value + shift
            wide = Estimate(middle, max(middle - half, -1.0), min(middle + half, 1.0))
        found["up_down"] = wide
    return found


def pulse_of(
    read: Reader, estimates: Mapping[str, Estimate], readings: str, log_normal: bool, seen: bool, root: float
) -> Pulse:
    """Return the fields of a pulse that say it."""
    data, response = read.fitted.data, read.fitted.response
    value = {name: one.value for name, one in estimates.items()}
    low = 0.0 if data.one_sided else value["w_min"]
    if not low <= 0 < value["w_max"] or (not data.one_sided and not low < 0):
        ends = f"g_min = {value['g_min']:g}, g_max = {value['g_max']:g} uS"
        raise ChipError(f"{ends}: weight 0 lies outside of the curves")
    found: dict[str, object] = {"dw_min": short(value["dw_min"]), "w_max": short(value["w_max"]), "w_min": short(low)}
    if not data.one_sided:
        found["up_down"] = tilt(value["up_down"])
    for name in ("dw_min_spread", "up_down_spread", "w_max_spread", "w_min_spread"):
        if name in estimates and estimates[name].told and estimates[name].value > 0:
            found[name] = short(value[name])
    if log_normal and "dw_min_spread" in found:
        found["dw_min_law"] = "log_normal"
    for name in ("noise", "noise_base", "noise_state"):
        if value.get(name, 0.0) >= 1e-4:
            found[name] = short(value[name])
    if readings == "write" and seen:
        found["write_noise"] = short(root / value["dw_min"])
    if "corrupt" in estimates:
        found["corrupt"] = short(value["corrupt"])
    if response == "table":
        return Pulse(**found, **_table(read))  # type: ignore[arg-type]
    names = [name for name in value if name.startswith(("gamma_", "a_")) and not name.endswith("_spread")]
    shape: dict[str, object] = {name: short(value[name]) for name in names}
    if response == "linear":
        shape = {name: max(float(str(one)), 0.0) for name, one in shape.items()}
        for name in ("gamma_up_spread", "gamma_down_spread"):
            if name in estimates and estimates[name].told:
                shape[name] = short(value[name])
    if response == "exponential":
        shape = {name: one for name, one in shape.items() if value.get(name.replace("gamma", "a"), 1.0)}
    idle = response != "soft_bounds" and not any(shape.values())
    found |= {"response": "constant"} if idle else {"response": response, **shape}
    return Pulse(**found)  # type: ignore[arg-type]


def _table(read: Reader) -> dict[str, object]:
    """Return the fields of a table: steps over those at weight 0."""
    middle, _ = read.table_middle()
    rows = read.best.shared[: len(middle) * STATES].reshape(len(middle), STATES) / middle[:, None]
    names = ("table_up", "table_down")[: len(rows)]
    found: dict[str, object] = {
        name: tuple(short(float(one)) for one in row) for name, row in zip(names, rows, strict=True)
    }
    return found | {"response": "table"}


def tilt(up_down: float) -> float:
    """Return an asymmetry with four digits of the share that it leaves of the smaller step, too."""
    left = max(1 - abs(up_down), FULL)
    return short(up_down) if left > 0.1 else math.copysign(1 - short(left), up_down)


def short(value: float) -> float:
    """Return a number of four digits: errors of fits are larger."""
    return float(f"{value:.4g}") + 0.0
