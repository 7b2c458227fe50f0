# Tested by tests/hw_models/measured/test_law_fits.py
"""Currents by voltage: the laws of :mod:`hw_models.laws.current_voltage`, I = G V_read F(V/V_read).

V_read is the largest voltage. Each device has a conductance G of its own, solved for in closed form, and a shape of its
own (a of sinh(a v)/sinh(a), c of (1 - c) v + c v^3), which gives the spread of shapes; residuals are shares of a
device's largest current. Every second voltage is left out in turn.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hw_models.errors import ChipError
from hw_models.measured.law_fits import LawFit, Sketch, Tried, explained, interval, likelihood, mixed, robust, taken
from hw_models.measured.population import around, between
from hw_models.measured.tables import MeasuredTable

Array = np.ndarray
FEWEST = 6
"""Voltages of a device."""
LAWS = ("linear", "cubic", "sinh")
ENDS = {"cubic": (-1.0, 1.0), "sinh": (0.01, 20.0)}
STRAY = 0.02
"""Of the largest current: what a law that fits leaves at most."""


def fit_currents(table: MeasuredTable, asked: str | None = None) -> LawFit:
    """Fit the laws of currents.

    Parameters
    ----------
    table : MeasuredTable
        voltage [V], current [uA]; device.
    asked : str, optional
        Law to take, whatever the data say.

    Raises
    ------
    ChipError
        If a device has fewer than six voltages, or its current does not grow with the voltage, or there is no such
        law.
    """
    voltage, current = table.numbers("voltage"), table.numbers("current")
    device, names = table.groups("device")
    top = float(np.abs(voltage).max())
    if not top > 0:
        raise ChipError(f"'{table.path}': all voltages are 0")
    for d, name in enumerate(names):
        own = device == d
        if len(np.unique(voltage[own])) < FEWEST:
            found = len(np.unique(voltage[own]))
            raise ChipError(f"'{table.path}': device '{name}' has {found} voltages: at least {FEWEST} are needed")
        if float((voltage[own] * current[own]).sum()) <= 0:
            raise ChipError(f"'{table.path}': device '{name}': current falls as the voltage grows: are signs turned?")
    v = voltage / top
    scale = np.array([np.abs(current[device == d]).max() for d in range(len(names))])
    y = current / scale[device]
    place = np.zeros(len(v), dtype=int)
    for d in range(len(names)):
        place[np.flatnonzero(device == d)] = np.argsort(np.argsort(v[device == d], kind="stable"))
    tried = [_tried(law, v, y, device, place) for law in LAWS]
    fits = {law: _devices(law, v, y, device) for law in LAWS}
    tried = [replace(one, fits=_rms(fits[one.law][3]) <= STRAY) for one in tried]
    law = taken(tried, asked)
    shape, variance, size, left = fits[law]
    g = size * scale / top
    rest, notes = _rms(left), []
    if rest > STRAY:
        worst = float(top * v[int(np.argmax(np.abs(left)))])
        notes.append(f"Law '{law}' leaves {rest:.1%} of the largest current, most at {worst:.3g} V: it does not fit.")
    fields: dict[str, object] = {}
    effects = between(g, np.full(len(g), float(np.mean((rest * scale / top) ** 2 / len(v)))))
    estimates = {
        "conductance": around(effects, len(g)).named("uS", "mean of the devices at read_voltage"),
    }
    if law != "linear":
        fields["iv"] = law
        if len(names) > 1:
            shapes = between(shape, variance)
            one = around(shapes, len(names))
        else:
            one = interval(float(shape[0]), float(variance[0]), len(v) - 2)
        if law == "cubic":
            estimates["iv_cubic"] = one.named("1", "share of the cube in the current at read_voltage")
            fields["iv_cubic"] = _short(min(max(one.value, 1e-4), 1.0))
            if one.value <= 0:
                notes.append("The current bends down: no law of a chip does, and the cube is left out.")
                fields = {}
        else:
            volts = one.through(lambda a: top / max(a, 1e-9))
            estimates["iv_voltage"] = volts.named("V", "voltage from which the current is exponential")
            fields |= {"iv_voltage": _short(volts.value), "read_voltage": _short(top)}
    line = np.linspace(float(v.min()), float(v.max()), 100)
    sketch = Sketch(
        voltage, y, line * top, float(size.mean()) * _f(law, np.full_like(line, shape.mean()), line),
        ("voltage [V]", "current over a device's largest"),
    )  # fmt: skip
    unit = "of the largest current"
    return LawFit("iv", law, len(v), fields, estimates, tuple(tried), rest, unit, sketch, tuple(notes))


def _f(law: str, shape: Array | float, v: Array) -> Array:
    if law == "linear":
        return v
    if law == "cubic":
        return np.asarray((1 - shape) * v + shape * v**3)
    return np.asarray(np.sinh(shape * v) / np.sinh(shape))


def _fit(law: str, v: Array, y: Array) -> tuple[float, float, float]:
    """Return shape, its variance, and the current at full voltage."""
    if law == "linear":
        w = np.ones_like(y)
        for _ in range(5):
            size = float((w * v * y).sum() / (w * v * v).sum())
            left = np.abs(y - size * v)
            w = np.minimum(1.0, 3 * (1.4826 * float(np.median(left)) + 1e-9) / np.maximum(left, 1e-300))
        return 0.0, 0.0, size

    def off(p: Array) -> Array:
        return np.asarray(y - p[1] * _f(law, p[0], v))

    first = _fit("linear", v, y)[2]
    low, high = ENDS[law]
    scale = 1e-3 + 1.4826 * float(np.median(np.abs(off(np.array([0.3 if law == "cubic" else 1.5, first])))))
    starts = (0.1, 0.6) if law == "cubic" else (0.5, 2.0, 5.0)
    tried = [robust(off, [start, first], ([low, 0.0], [high, math.inf]), scale) for start in starts]
    p, covariance = min(tried, key=lambda one: float(np.abs(off(one[0])).sum()))
    return float(p[0]), float(covariance[0, 0]), float(p[1])


def _devices(law: str, v: Array, y: Array, device: Array) -> tuple[Array, Array, Array, Array]:
    """Return shape, its variance and size of each device, and what is left of all points."""
    rows = [_fit(law, v[device == d], y[device == d]) for d in range(int(device.max()) + 1)]
    shape, variance, size = (np.array(column) for column in zip(*rows, strict=True))
    return shape, variance, size, y - size[device] * _f(law, shape[device], v)


def _rms(left: Array) -> float:
    return float(np.sqrt(np.mean(left**2)))


def _tried(law: str, v: Array, y: Array, device: Array, place: Array) -> Tried:
    """Leave out every second voltage in turn."""
    scores, left_all, values = [], [], []
    for half in (0, 1):
        left, out = np.empty_like(y), place % 2 == half
        for d in np.unique(device):
            own = device == d
            shape, _, size = _fit(law, v[own & ~out], y[own & ~out])
            left[own] = y[own] - size * _f(law, shape, v[own])
        scale = float(np.sqrt(np.mean(left[~out] ** 2))) + 1e-5
        scores += [likelihood(left[out][own], scale) for own in mixed(int(out.sum()))]
        left_all.append(left[out])
        values.append(y[out])
    r2 = explained(np.concatenate(left_all), np.concatenate(values))
    return Tried(law, np.array(scores), r2, int(law != "linear"))


def _short(value: float) -> float:
    return float(f"{float(value):.4g}")
