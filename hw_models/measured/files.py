"""Files of measured devices: traces from CSV or NPZ, and the chip of a fit as TOML with its estimates as comments.

    device,pulse,conductance        CSV: a header, then a row for each reading, in the order of time
    a,0,10.1                        the first reading of device a: no pulse before it
    a,1,10.6                        what is read behind a pulse up (1, +1 or up)
    a,-1,10.2                       and behind one down (-1 or down)

Rows of several devices may stand in turn. The column may be called ``conductance [S]``, ``[mS]``, ``[nS]`` or ``[uS]``;
without a unit it is uS. Columns may be parted by commas, or by semicolons or tabs, with which 10,1 is a number too. A
column ``reading`` with the number of a device's reading, or of the row, has to rise by 1: where rows are missing a step
would be that of several pulses. Other columns are passed over. An NPZ holds ``conductance`` (devices, readings) and
``direction`` as :func:`hw_models.measured.fit.fit_response` takes them, and may hold ``unit``.
"""

from __future__ import annotations

import csv
import math
import zipfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hw_models.chip import Chip, Device, Layout, Update
from hw_models.errors import ChipError, nearest, unknown
from hw_models.measured.fit import UNITS, FieldEstimate, ResponseFit
from hw_models.measured.traces import Traces, traces
from hw_models.reading import Page
from hw_models.text import lined, one_line
from hw_models.whole_files import write_text

COLUMNS = ("device", "pulse", "conductance")
SIGNS: Mapping[str, int] = {"1": 1, "+1": 1, "up": 1, "-1": -1, "down": -1}
NONE = ("", "0")
"""Pulses that are none: ahead of a device's first reading."""
PARTED = ",;\t"
"""What columns may be parted by."""
FORMS = str.maketrans("()\N{MICRO SIGN}\N{GREEK SMALL LETTER MU}", "[]uu")
"""Other forms of a unit behind a name."""


@dataclass
class _Trace:
    """What has been read of one device."""

    line: int
    """Of its first reading."""
    conductance: list[float] = field(default_factory=list)
    direction: list[int] = field(default_factory=list)
    number: float = -math.inf
    """Of its last reading."""


def read_traces(path: str | Path) -> Traces:
    """Read traces from a ``.csv`` or ``.npz`` file.

    Raises
    ------
    ChipError
        If it cannot be opened, or holds no traces; the line says where.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".npz"):
        raise ChipError(f"traces '{path}': a file named .csv or .npz is needed")
    try:
        return _npz(path) if path.suffix.lower() == ".npz" else _csv(path)
    except OSError as error:
        raise ChipError(f"cannot read traces '{path}': {error.strerror or error}") from None
    except ChipError as error:
        raise ChipError(f"traces '{path}': {error}") from None


def _npz(path: Path) -> Traces:
    try:
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            raise ValueError("one array alone, without a name")
        with found:
            held = {name: found[name] for name in found.files}
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ChipError(f"it is no NPZ of plain arrays: {one_line(str(error))}") from None
    for name in ("conductance", "direction"):
        if name not in held:
            raise ChipError(f"array '{name}' is missing: there are {', '.join(held) or 'none'}{nearest(name, held)}")
    unit = str(held.get("unit", "uS"))
    if unit not in UNITS:
        raise ChipError(unknown("unit", unit, UNITS))
    found = traces(held["conductance"], held["direction"])
    return Traces(found.conductance * UNITS[unit], found.direction, found.names)


def _csv(path: Path) -> Traces:
    devices: dict[str, _Trace] = {}
    with path.open("rb") as raw:
        wide = raw.read(2) in (BOM_UTF16_LE, BOM_UTF16_BE)
    with path.open(newline="", encoding="utf-16" if wide else "utf-8-sig") as file:
        line = 0
        try:
            start = file.readline()
            parted = max(PARTED, key=start.count)
            file.seek(0)
            reader = csv.reader(file, strict=True, delimiter=parted)
            rows = ((reader.line_num, [cell.strip() for cell in row]) for row in reader)
            unit = _rows(((line := number, row) for number, row in rows if any(row)), devices, parted)
        except csv.Error as error:
            raise ChipError(f"line {reader.line_num}: {error}") from None
        except UnicodeError:
            raise ChipError(f"{f'behind line {line}: ' if line else 'it is '}no UTF-8 text") from None
    for name, own in devices.items():
        if len(own.conductance) < 2:
            raise ChipError(f"line {own.line}: device '{name}' has one reading: two or more are needed")
    most = max(len(own.conductance) for own in devices.values())
    g, way = np.full((len(devices), most), np.nan), np.zeros((len(devices), most - 1))
    for row, own in enumerate(devices.values()):
        g[row, : len(own.conductance)], way[row, : len(own.direction)] = own.conductance, own.direction
    return traces(g * unit, way, tuple(devices))


def _rows(rows: Iterator[tuple[int, list[str]]], devices: dict[str, _Trace], parted: str) -> float:
    """Sort the rows of a table by device; return the unit in uS."""
    line, header = next(rows, (1, []))
    header = [name.translate(FORMS) for name in header]
    names = [name.partition("[")[0].strip().lower() for name in header]
    for name in COLUMNS:
        if names.count(name) != 1:
            count = "is missing" if name not in names else f"is there {names.count(name)} times"
            hint = nearest(name, names) if name not in names else ""
            raise ChipError(f"line {line}: column '{name}' {count}; the header needs {', '.join(COLUMNS)}{hint}")
    places = [names.index(name) for name in COLUMNS]
    unit = header[places[2]].partition("[")[2].rstrip("] ").strip() or "uS"
    if unit not in UNITS:
        raise ChipError(f"line {line}: {unknown('unit', unit, UNITS)}")
    counter = names.index("reading") if "reading" in names else None
    last = -math.inf
    for line, row in rows:
        if len(row) != len(header):
            raise ChipError(f"line {line} has {len(row)} columns, the header has {len(header)}")
        device, pulse, g = (row[place] for place in places)
        own = devices.setdefault(device, _Trace(line))
        own.direction += _pulse(line, device, pulse, first=not own.conductance)
        own.conductance.append(_number(line, "conductance", g, parted))
        if counter is not None:
            number = _number(line, "reading", row[counter], parted)
            pair = f"line {line}: reading {number:g} of device '{device}' follows {own.number:g}"
            if number <= own.number:
                raise ChipError(f"{pair}: sort it")
            if own.number > -math.inf and number not in (own.number + 1, last + 1):
                raise ChipError(f"{pair}: rows are missing, and every pulse needs its reading")
            own.number = last = number
    if not devices:
        raise ChipError("it holds no readings")
    return UNITS[unit]


def _pulse(line: int, device: str, text: str, first: bool) -> list[int]:
    """Return the pulse of a row; none ahead of a first reading, whatever stands there."""
    sign = SIGNS.get(text.lower().removesuffix(".0"))
    if first and (sign is not None or text in NONE):
        return []
    if sign is None:
        allowed = "1 or up, -1 or down" + (", 0 for none" if first else "")
        raise ChipError(f"line {line}: pulse '{text}' of device '{device}': allowed are {allowed}")
    return [sign]


def _number(line: int, name: str, text: str, parted: str) -> float:
    try:
        value = float((text if parted == "," else text.replace(",", ".")).replace("_", "?"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ChipError(f"line {line}: {name} '{text}': a finite number is needed")
    return value


def chip_of(fit: ResponseFit, name: str, source: str = "") -> Chip:
    """Return a chip of the fitted devices, otherwise exact: one device a weight, pulses of the stochastic rule.

    Parameters
    ----------
    fit : ResponseFit
        Of the traces.
    name : str
        Of the chip.
    source : str
        Where the traces came from.
    """
    low, high, read = (float(f"{value:.5g}") for value in (fit.g_min, fit.g_max, fit.read_noise))
    device = Device(g_min=low, g_max=high, read_noise=read, pulse=fit.pulse)
    many, pulses = fit.traces.devices, fit.traces.pulses
    caveat = (
        f"Fitted to {pulses} pulses on {many} device{'s' if many > 1 else ''}"
        f"{f' of {source}' if source else ''}; no converters, drift or line resistance."
    )
    layout = Layout(mapping="offset")  # the state of one device is one weight
    return Chip(name=name, caveat=caveat, crossbar=layout, device=device, update=Update(scheme="pulsed"))


def save_fit(fit: ResponseFit, path: str | Path, source: str = "") -> Chip:
    """Write the chip of a fit as TOML, its estimates as comments above; return the chip.

    Raises
    ------
    ChipError
        If the disk refuses.
    """
    path = Path(path)
    if path.suffix != ".toml":
        raise ChipError(f"chip '{path}': a file named .toml is needed")
    chip = chip_of(fit, path.stem, source)
    head = "".join(f"# {line}".rstrip() + "\n" for line in summary(fit, source).splitlines())
    try:
        write_text(path, f"{head}\n{_toml(chip)}")
    except OSError as error:
        raise ChipError(f"cannot write chip '{path}': {error.strerror or error}") from None
    return chip


def _toml(chip: Chip) -> str:
    """Return what differs from an ideal chip, as TOML."""
    import tomli_w

    found: Page = {"name": chip.name, "caveat": chip.caveat}
    for name, value in chip.differences().items():
        *path, leaf = name.split(".")
        place = found
        for table in path:
            place = place.setdefault(table, {})
        place[leaf] = list(value) if isinstance(value, tuple) else value
    return tomli_w.dumps(found)


MEANS: Mapping[str, str] = {
    "g_min": "uS, conductance of weight -1",
    "g_max": "uS, conductance of weight 1",
    "reading": "uS, noise of one reading",
    "dw_min": "weight range, one pulse at weight 0",
    "up_down": "asymmetry at weight 0",
    "noise": "of the step, cycle to cycle",
    "noise_base": "of dw_min, cycle to cycle",
    "dw_min_spread": "of dw_min, device to device",
    "up_down_spread": "device to device",
    "w_max_spread": "of w_max, device to device",
    "w_min_spread": "of w_min, device to device",
    "corrupt": "share of devices that no pulse moves",
}


def summary(fit: ResponseFit, source: str = "") -> str:
    """Return what was found, in words: estimates with errors, steps by state, how formulas compare, notes."""
    many = fit.traces.devices
    where = f" from {source}" if source else ""
    lines = [f"Response to pulses: {many} device{'s' if many > 1 else ''}, {fit.traces.pulses} pulses{where}."]
    lines += [f"Response '{fit.response}', noise of readings counted as that of '{fit.readings}'.", ""]
    fixed = {"w_max", "w_min"} if fit.response == "table" else set()
    for name, one in fit.estimates.items():
        meaning = "step s of the formula" if name == "dw_min" and fit.response != "table" else MEANS.get(name, "")
        if name not in fixed:
            lines.append(f"{name:<15} {_shown(one):<24} {meaning}".rstrip())
    lines += ["", "state    step up               step down             noise up  down   pulses"]
    errors, cycle, seen = fit.step_errors, fit.cycle_noise, fit.samples.sum(axis=0)
    for k, x in enumerate(fit.states):
        pair = [f"{_shown(FieldEstimate(fit.steps[way, k], errors[way, k])):<21}" for way in range(2)]
        lines.append(f"{x:<8.3g} {' '.join(pair)} {cycle[0, k]:<8.2g}  {cycle[1, k]:<6.2g} {seen[k]:.0f}")
    lines += ["", "formula      chi^2 / freedom   as good as the table?"]
    for formula in fit.formulas:
        verdict = "yes" if formula.better > 0 else "no"
        fields = ", ".join(f"{name} {value:.3g}" for name, value in formula.fields.items())
        lines.append(f"{formula.response:<12} {formula.chi2:>7.1f} / {formula.free:<7} {verdict:<4} {fields}".rstrip())
    return lined([*lines, *([""] if fit.notes else []), *fit.notes])


def _shown(one: FieldEstimate) -> str:
    """Return a number with its error, to two digits of that."""
    if not math.isfinite(one.error) or one.error <= 0:
        return f"{one.value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(one.error)))
    return f"{one.value:.{digits}f} +- {one.error:.{digits}f}"
