# Tested by tests/hw_models/measured/test_law_fits.py
"""Currents by voltage: the laws of :mod:`hw_models.laws.current_voltage`, I = G V_read F(V/V_read).

V_read is the largest voltage; of a read voltage that is given the law is that between 0 and it, r of the largest,

    cubic     c r^2/((1 - c) + c r^2)          sinh      a r, so that iv_voltage = V_read/a stays

Each device has a conductance G and a shape of its own (c of (1 - c) v + c v^3, and the
square of a of sinh(a v)/sinh(a)); residuals are shares of a device's largest current. Curves that hardly bend tell a^2,
of which the line is the value 0 and which noise takes below 0 as often as above, sinh being then a sine: a itself would
come out too large. Every second voltage is left out in turn.

Readings at the compliance of the instrument are left out: a current within 2 % of the largest of its sign over a tenth
of the voltages and more, which no law has. A device that has several currents at one voltage, as in a loop that
switches, is no curve: the chip stays linear, and a note says so.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np

from hw_models.errors import ChipError
from hw_models.measured.device_lines import DeviceRows, rows_of
from hw_models.measured.device_shapes import Shapes, shapes
from hw_models.measured.law_fits import LawFit, Sketch, Tried, explained, interval, likelihood, mixed, taken
from hw_models.measured.population import Estimate, around, between
from hw_models.measured.tables import MeasuredTable

Array = np.ndarray
FEWEST = 6
"""Voltages of a device."""
LAWS = ("linear", "cubic", "sinh")
ENDS = {"linear": (0.0, 0.0), "cubic": (-2.0, 2.0), "sinh": (-6.0, 400.0)}
"""Of shapes."""
STARTS = {"linear": (0.0,), "cubic": (0.1, 0.6), "sinh": (0.1, 4.0, 25.0)}
LEAST = 0.01
"""Of a^2: a curve that bends less is written as one that does so."""
FLAT, OVER = 0.02, 0.1
"""What currents at the compliance are within, and the share of the largest voltage that they lie over."""
LOOP = 0.2
"""Of a device's largest current: root mean square by which currents at one voltage differ in a loop that switches."""
STRAY = 0.02
"""Of the largest current: what a law that fits leaves at most."""


def fit_currents(table: MeasuredTable, asked: str | None = None, read_voltage: float | None = None) -> LawFit:
    """Fit the laws of currents.

    Parameters
    ----------
    table : MeasuredTable
        voltage [V], current [uA]; device.
    asked : str, optional
        Law to take, whatever the data say.
    read_voltage : float, optional
        Of the chip, default the largest voltage [V].

    Raises
    ------
    ChipError
        If a device has fewer than six voltages, or its current does not grow with the voltage, or there is no such
        law.
    """
    voltage, current = table.numbers("voltage"), table.numbers("current")
    device, names = table.groups("device")
    if not float(np.abs(voltage).max()) > 0:
        raise ChipError(f"'{table.path}': all voltages are 0")
    kept = ~_limited(voltage, current, device)
    voltage, current, device = voltage[kept], current[kept], device[kept]
    top, cut = float(np.abs(voltage).max(initial=0.0)), int((~kept).sum())
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
    rows = rows_of(device)
    tried = [_tried(law, v, y, rows, place) for law in LAWS]
    fits = {law: _devices(law, v, y, rows, rows.seen) for law in LAWS}
    rests = {law: _rms(rows.back(one.left)) for law, one in fits.items()}
    tried = [replace(one, fits=rests[one.law] <= STRAY) for one in tried]
    law = taken(tried, asked)
    best, left = fits[law], rows.back(fits[law].left)
    shape, variance, size = best.shape, best.variance, best.size
    g = size * scale / top
    rest, notes = _rms(left), []
    if cut:
        notes.append(f"{cut} readings at the compliance of the instrument, where currents do not grow, are left out.")
    loop = _loops(voltage, y, device)
    if rest > STRAY:
        worst = float(top * v[int(np.argmax(np.abs(left)))])
        notes.append(f"Law '{law}' leaves {rest:.1%} of the largest current, most at {worst:.3g} V: it does not fit.")
    fields: dict[str, object] = {}
    read = top if read_voltage is None else read_voltage
    passed = _f(law, shape, np.full_like(shape, read / top)) * (top / read)
    effects = between(g * passed, best.size_variance * (scale / top * passed) ** 2)
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
            bends = one.value > 0
            one = one.through(partial(_cube_at, read / top)) if read != top else one
            estimates["iv_cubic"] = one.named("1", "share of the cube in the current at read_voltage")
            fields["iv_cubic"] = _short(min(max(one.value, 1e-4), 1.0))
            if not bends:
                notes.append("The current bends down: no law of a chip does, and the cube is left out.")
                fields = {}
        else:
            volts = Estimate(
                top / math.sqrt(max(one.value, LEAST)), top / math.sqrt(max(one.high, LEAST)),
                top / math.sqrt(one.low) if one.low > 0 else math.inf, told=one.low > 0,
            )  # fmt: skip
            if not volts.told:
                notes.append(f"Currents hardly bend: iv_voltage is {volts.low:.3g} V or more, as far as they tell.")
            estimates["iv_voltage"] = volts.named("V", "voltage from which the current is exponential")
            fields |= {"iv_voltage": _short(volts.value), "read_voltage": _short(read)}
    if loop:
        several = f"{loop} of {len(names)} devices have several currents at one voltage, as in a loop that switches"
        left_so = "" if asked else "the chip is left linear; "
        notes.append(f"{several}: {left_so}give one branch, without switching.")
        fields = fields if asked else {}
    line = np.linspace(float(v.min()), float(v.max()), 100)
    sketch = Sketch(
        voltage, y, line * top, float(size.mean()) * _f(law, np.full_like(line, shape.mean()), line),
        ("voltage [V]", "current over a device's largest"),
    )  # fmt: skip
    unit = "of the largest current"
    return LawFit("iv", law, len(v), fields, estimates, tuple(tried), rest, unit, sketch, tuple(notes))


def _cube_at(r: float, c: float) -> float:
    """Return the share of the cube at r of the voltage at which it is c; at least -1."""
    whole = 1 - c + c * r**2
    return max(c * r**2 / whole, -1.0) if whole > 0 else 1.0


def _limited(voltage: Array, current: Array, device: Array) -> Array:
    """Return which readings (readings,) are at the compliance of the instrument."""
    found = np.zeros(len(voltage), dtype=bool)
    for d in np.unique(device):
        for sign in (1, -1):
            own = (device == d) & (sign * voltage > 0)
            flat = own & (sign * current >= (1 - FLAT) * (sign * current)[own].max(initial=0.0)) & (sign * current > 0)
            if flat.sum() >= 3 and np.ptp(voltage[flat]) > OVER * np.abs(voltage[own]).max():
                found |= flat
    return found


def _loops(voltage: Array, y: Array, device: Array) -> int:
    """Return how many devices have currents ``y``, of their largest, that differ much at the same voltages."""
    count = 0
    for d in np.unique(device):
        own = device == d
        _, place = np.unique(np.round(voltage[own] / np.abs(voltage[own]).max(), 3), return_inverse=True)
        many = np.bincount(place)
        off = y[own] - (np.bincount(place, y[own]) / many)[place]
        again = many[place] > 1
        count += bool(again.any() and 2 * np.sqrt(np.mean(off[again] ** 2)) > LOOP)
    return count


def _f(law: str, shape: Array | float, v: Array) -> Array:
    if law == "linear":
        return v + 0.0 * shape
    if law == "cubic":
        return np.asarray((1 - shape) * v + shape * v**3)
    root = np.sqrt(np.maximum(np.abs(shape), 1e-6))
    bent = np.where(shape > 0, np.sinh(root * v) / np.sinh(root), np.sin(root * v) / np.sin(root))
    return np.where(np.abs(shape) > 1e-6, bent, v * (1 + shape * (v * v - 1) / 6))


def _devices(law: str, v: Array, y: Array, rows: DeviceRows, seen: Array) -> Shapes:
    """Return shape and size of each device."""
    return shapes(partial(_f, law), rows.of(v), rows.of(y), seen, STARTS[law], ENDS[law])


def _rms(left: Array) -> float:
    return float(np.sqrt(np.mean(left**2)))


def _tried(law: str, v: Array, y: Array, rows: DeviceRows, place: Array) -> Tried:
    """Leave out every second voltage in turn."""
    scores, left_all, values = [], [], []
    for half in (0, 1):
        out = place % 2 == half
        found = _devices(law, v, y, rows, rows.seen & rows.of(~out))
        left = y - rows.back(found.size[:, None] * _f(law, found.shape[:, None], rows.of(v)))
        scale = float(np.sqrt(np.mean(left[~out] ** 2))) + 1e-5
        scores += [likelihood(left[out][own], scale) for own in mixed(int(out.sum()))]
        left_all.append(left[out])
        values.append(y[out])
    r2 = explained(np.concatenate(left_all), np.concatenate(values))
    return Tried(law, np.array(scores), r2, int(law != "linear"))


def _short(value: float) -> float:
    return float(f"{float(value):.4g}")
