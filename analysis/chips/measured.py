"""Do devices of a fitted chip do what the measured ones did? Every kind of measurement beside what was fitted to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.drawing import style

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hw_models.arrays.pulses import PulsedDevices
from hw_models.errors import ChipError
from hw_models.kernels import random as randomness
from hw_models.measured import chip_files, held_out, summary
from hw_models.measured.chip_files import MeasuredChip
from hw_models.measured.curves import ANEW
from hw_models.measured.law_fits import LawFit
from hw_models.measured.response import ResponseFit
from hw_models.text import plain
from neuroep.runs.tables import check_place

DRAWN = 1500
"""Most readings of a curve that are drawn."""
SHOWN = 3
"""Devices drawn one by one."""
MANY = 200
"""Devices of the chip that are given the pulses."""
BINS = 10
"""Of states."""
FINE = 60
"""Points of a line of the fit."""


@dataclass(frozen=True)
class Replay:
    """Measured curves, what the fit says of these devices, and devices that the chip would draw."""

    fit: ResponseFit
    measured: np.ndarray
    """(devices, readings) [uS] of those that pulses move."""
    said: np.ndarray
    """(devices, readings) [uS], of the same devices without noise: each by its own numbers, from the first reading of
    each cycle on."""
    replayed: np.ndarray
    """(many, readings) [uS], of other devices: the chip draws them by its spreads, and gives them its noise."""


def replay(fit: ResponseFit, seed: int = 0, readings: int = DRAWN, many: int = MANY) -> Replay:
    """Give devices of the chip the pulses that the measured ones had, from the same first readings, in turn.

    Parameters
    ----------
    fit : ResponseFit
        What was fitted.
    seed : int
        Of the devices, of cycles and of readings.
    readings : int
        Most readings of a curve.
    many : int
        Devices that are drawn, at least as many as were measured.
    """
    curves, data = fit.curves.part(fit.moving), fit.fitted.data
    measured = curves.conductance[:, :readings]
    each = np.arange(max(many, len(measured))) % len(measured)
    pulses = curves.pulses[each, :readings]
    scale = (fit.g_max - fit.g_min) / (data.edges[1] - data.edges[0])
    given = ((measured - fit.g_min) / scale + data.edges[0])[each]
    pulse = fit.pulse.model_copy(update={"corrupt": 0.0, "write_noise": 0.0})
    devices = PulsedDevices(pulse, (1, len(each)), seed, "replay")
    weights = np.zeros((1, len(each)), dtype=np.float32)
    course = []
    for k in range(measured.shape[1]):
        anew = (pulses[:, k] == ANEW) & np.isfinite(given[:, k])
        weights[0, anew] = given[anew, k]
        devices.cut(weights)
        count = np.where((pulses[:, k] == ANEW) | ~np.isfinite(given[:, k]), 0, pulses[:, k])
        up, down = np.maximum(count, 0)[None], np.maximum(-count, 0)[None]
        devices.apply(weights, up.astype(np.int64), down.astype(np.int64), k)
        course.append(weights[0].copy())
    state = np.stack(course, axis=1).astype(np.float64)
    normals = randomness.normals(randomness.key(seed, "replay", "reading"), 0, 0, state.shape)
    read = fit.g_min + scale * (state - data.edges[0]) + fit.estimates["reading"].value * normals
    said = fit.g_min + scale * (held_out.mean_courses(fit.fitted, readings) - data.edges[0])
    seen = np.isfinite(measured)
    return Replay(fit, measured, np.where(seen, said, np.nan), np.where(seen[each], read, np.nan))


def plot_replay(result: Replay, ax: Axes | None = None) -> Axes:
    """Draw the measured devices' mean, and what the fit says of them; 90 % of them, and of devices of the chip."""
    ax = style.axes(ax)
    x, many = np.arange(result.measured.shape[1]), len(result.measured)
    bands = [(result.replayed, style.VERMILION, f"90 % of {len(result.replayed)} devices that the chip draws")]
    if many > SHOWN:
        bands.insert(0, (result.measured, style.BLUE, "90 % of them"))
    fit = f"fit of the same device{'s' * (many > 1)}"
    lines = ((result.measured, style.BLUE, "-", "measured"), (result.said, style.VERMILION, "--", fit))
    for order, (rows, colour, line, name) in enumerate(lines, 2):
        for row in rows[:SHOWN] if many > 1 else ():
            ax.plot(x, row, color=colour, linewidth=0.5, alpha=0.45, zorder=order)
        ax.plot(x, np.nanmean(rows, axis=0), color=colour, linewidth=1.8, zorder=order + 2, label=name, linestyle=line)
    for rows, colour, name in bands:
        low, high = np.nanpercentile(rows, [5, 95], axis=0)
        ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, zorder=1, label=name)
    title = f"curves of {many} devices, mean" if many > 1 else "curves of one device"
    style.dress(ax, x="readings (the fit begins anew with each cycle)", y="conductance [uS]", title=title)
    style.legend_below_title(ax)
    return ax


@dataclass(frozen=True)
class Steps:
    """Mean steps and their noise by state; (2, bins) each, up first, in uS."""

    state: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    noise: np.ndarray
    """Standard deviation of a pulse and a reading."""
    said: np.ndarray
    """Mean step that the response says."""
    said_noise: np.ndarray
    line: np.ndarray
    """(3, 2, points): state, and what the response says of step and noise there, in windows as wide as the bins."""


def steps(fit: ResponseFit) -> Steps:
    """Sort readings that tell of a step by the state ahead of them, in bins of equal numbers."""
    best, data = fit.fitted.best, fit.fitted.data
    found = best.problem.innovations(best.own, best.shared)
    scale = (fit.g_max - fit.g_min) / (data.edges[1] - data.edges[0])
    change = np.diff(data.readings, axis=1, prepend=np.nan)
    before = data.readings - change
    rows, line = np.full((6, 2, BINS), np.nan), np.full((3, 2, FINE), np.nan)
    for way, sign in enumerate((1, -1)):
        mask = best.mask & (data.pulses == sign) & np.isfinite(before)
        if mask.sum() < BINS:
            continue
        order = np.argsort(before[mask])
        # What the filter says of a reading less the reading ahead is the step that it expects.
        step, off, w = sign * change[mask][order], sign * found[0][mask][order], before[mask][order]
        spread = np.sqrt(found[1])[mask][order]
        for n, own in enumerate(np.array_split(np.arange(len(step)), BINS)):
            expected = step[own] - off[own]
            rows[:, way, n] = (w[own].mean(), step[own].mean(), off[own].std() / np.sqrt(len(own)), off[own].std(),
                               expected.mean(), np.sqrt((spread[own] ** 2).mean()))  # fmt: skip
        wide = len(step) // BINS
        starts = np.linspace(0, len(step) - wide, FINE).astype(int)
        sums = np.cumsum(np.pad([w, step - off, spread**2], ((0, 0), (1, 0))), axis=1)
        line[:, way] = (sums[:, starts + wide] - sums[:, starts]) / wide
    line[2] = np.sqrt(line[2])
    rows[0], line[0] = rows[0] - data.edges[0], line[0] - data.edges[0]
    rows, line = scale * rows, scale * line
    rows[0], line[0] = rows[0] + fit.g_min, line[0] + fit.g_min
    state, mean, error, noise, said, said_noise = rows
    return Steps(state, mean, error, noise, said, said_noise, line)


def plot_fitted_steps(found: Steps, response: str, ax: Axes | None = None) -> Axes:
    """Draw mean steps by the reading ahead with their standard errors, as measured, and what the response says.

    A reading that is high by its noise is followed by a lower one: at the ends mean steps lie below those of the state,
    even below 0, and so does what the response says of them.
    """
    ax = style.axes(ax)
    for way, name in enumerate(("up", "down")):
        if np.isnan(found.mean[way]).all():
            continue
        ax.errorbar(found.state[way], found.mean[way], found.error[way], fmt="os"[way], color=style.BLUE, capsize=2,
                    label=f"measured, {name}")  # fmt: skip
        ax.plot(found.line[0, way], found.line[1, way], "-" if way == 0 else "--", color=style.VERMILION, linewidth=1.3,
                label=f"{response}, {name}")  # fmt: skip
    ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))
    style.dress(ax, x="reading ahead of the pulse, its noise included [uS]", y="step [uS]", title="mean step")
    style.legend(ax, loc="best")
    return ax


def plot_fitted_noise(found: Steps, reading: float, ax: Axes | None = None) -> Axes:
    """Draw what readings stray by from the step that the response says, as measured and as fitted."""
    ax = style.axes(ax)
    for way, name in enumerate(("up", "down")):
        if np.isnan(found.mean[way]).all():
            continue
        ax.plot(found.state[way], found.noise[way], "os"[way], color=style.BLUE, label=f"measured, {name}")
        ax.plot(found.line[0, way], found.line[2, way], "-" if way == 0 else "--", color=style.VERMILION, linewidth=1.3,
                label=f"fit, {name}")  # fmt: skip
    if reading > 0:
        ax.axhline(reading, color=style.GREY, linestyle=":", label="one reading")
    ax.set_ylim(bottom=0)
    style.dress(ax, x="reading ahead of the pulse, its noise included [uS]", y="standard deviation [uS]", title="noise")
    style.legend(ax, loc="best")
    return ax


def plot_law(fit: LawFit, ax: Axes | None = None) -> Axes:
    """Draw points and the law."""
    ax, sketch = style.axes(ax), fit.sketch
    ax.plot(sketch.x, sketch.y, ".", color=style.BLUE, markersize=3, alpha=0.6, label="measured")
    law = f"law {fit.law}{', as asked for' if fit.asked else ''}"
    ax.plot(sketch.line_x, sketch.line_y, color=style.VERMILION, linewidth=1.6, label=law)
    if sketch.log[0] and (sketch.x > 0).any():
        ax.set_xscale("log")
    style.dress(ax, x=sketch.labels[0], y=sketch.labels[1], title=summary.TITLES[fit.kind].lower())
    style.legend(ax, loc="best")
    return ax


def sheet(found: MeasuredChip, seed: int = 0) -> Figure:
    """Return all on one figure."""
    laws, fit = found.laws, found.response
    rows = (len(laws) + 1) // 2 + (2 if fit is not None else 0)
    drawn = style.figure(10.5, 4.0 * max(rows, 1))
    grid = drawn.add_gridspec(max(rows, 1), 2)
    start = 0
    if fit is not None:
        plot_replay(replay(fit, seed), drawn.add_subplot(grid[0, :]))
        by_state = steps(fit)
        plot_fitted_steps(by_state, fit.response, drawn.add_subplot(grid[1, 0]))
        plot_fitted_noise(by_state, fit.estimates["reading"].value, drawn.add_subplot(grid[1, 1]))
        start = 2
    for n, law in enumerate(laws):
        plot_law(law, drawn.add_subplot(grid[start + n // 2, n % 2]))
    return drawn


def run(
    files: Sequence[str | Path],
    out: str | Path | None = None,
    picture: str | Path | None = None,
    *,
    kind: str | None = None,
    response: str = "auto",
    readings: str = "write",
    g_min: float | None = None,
    g_max: float | None = None,
    citation: str = "",
    law: Mapping[str, str] | None = None,
) -> str:
    """Fit files of measurements, write chip and picture where asked for, and return what was found in words.

    Parameters
    ----------
    files : sequence of str or Path
        CSV, or NPZ of pulses, :mod:`hw_models.measured.tables`.
    out : str or Path, optional
        TOML of the chip.
    picture : str or Path, optional
        PNG.
    kind, response, readings, g_min, g_max, citation, law
        As of :func:`hw_models.measured.chip_files.fit_files`.

    Raises
    ------
    ChipError
        If something in a file cannot be, or the disk refuses.
    ConfigError
        If there is no such folder, ahead of the fit.
    """
    for what, path, ending in (("chip", out, ".toml"), ("picture", picture, ".png")):
        if path is not None and Path(path).suffix.lower() != ending:
            raise ChipError(f"{what} '{path}': a file named {ending} is needed")
        if path is not None:
            check_place(path)
    how = {"law": law, "kind": kind, "response": response, "readings": readings, "citation": citation}
    name = Path(out).stem if out is not None else "measured"
    found = chip_files.fit_files(files, name=name, g_min=g_min, g_max=g_max, **how)  # type: ignore[arg-type]
    if out is not None:
        chip_files.save(found, out)
    if picture is not None:
        with style.own_look():
            style.save(sheet(found), Path(picture))
    written = [f"{what}: {plain(path)}" for what, path in (("chip", out), ("picture", picture)) if path is not None]
    return "\n".join([found.as_text(), *([""] if written else []), *written])
