"""Do devices of the fitted response do what the measured ones did? Traces, steps and noise, beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.drawing import style

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hw_models.arrays.pulses import PulsedDevices
from hw_models.errors import ChipError
from hw_models.kernels import random as randomness
from hw_models.measured.files import read_traces, save_fit, summary
from hw_models.measured.fit import ResponseFit, fit_response
from hw_models.measured.shapes import SHAPES

DRAWN = 1500
"""Most pulses of a trace that are drawn."""
SHOWN = 3
"""Devices drawn one by one."""


@dataclass(frozen=True)
class Replay:
    """Measured traces, and those of as many devices of the fit, given the same pulses."""

    fit: ResponseFit
    measured: np.ndarray
    """(devices, readings) [uS] of those that pulses move."""
    replayed: np.ndarray
    """(devices, readings) [uS]."""


def replay(fit: ResponseFit, seed: int = 0, pulses: int = DRAWN) -> Replay:
    """Give devices of the fitted response the pulses that the measured ones had, from the same first readings.

    Parameters
    ----------
    fit : ResponseFit
        What was fitted.
    seed : int
        Of the devices, of cycles and of readings.
    pulses : int
        Most pulses of a trace.
    """
    moving = fit.moving
    measured, way = (rows[moving] for rows in (fit.traces.conductance, fit.traces.direction))
    measured, way = measured[:, : pulses + 1], way[:, :pulses]
    half, many = (fit.g_max - fit.g_min) / 2, len(measured)
    pulse = fit.pulse.model_copy(update={"corrupt": 0.0})
    devices = PulsedDevices(pulse, (1, many), seed, "replay")
    weights = np.ascontiguousarray((measured[None, :, 0] - fit.g_min) / half - 1, dtype=np.float32)
    devices.cut(weights)
    course = [weights[0].copy()]
    for number in range(way.shape[1]):
        up, down = ((way[None, :, number] == sign).astype(np.int64) for sign in (1, -1))
        devices.apply(weights, up, down, number)
        course.append(weights[0].copy())
    state = np.stack(course, axis=1).astype(np.float64)
    normals = randomness.normals(randomness.key(seed, "replay", "reading"), 0, 0, state.shape)
    read = fit.g_min + half * (state + 1) + fit.estimates["reading"].value * normals
    return Replay(fit, measured, np.where(np.isfinite(measured), read, np.nan))


def plot_replay(result: Replay, ax: Axes | None = None) -> Axes:
    """Draw the mean and 90 % of the measured devices, and of those of the fit; single ones of both, thin."""
    ax = style.axes(ax)
    x = np.arange(result.measured.shape[1])
    for name, traces, colour, order in (
        ("measured", result.measured, style.BLUE, 2), ("fit", result.replayed, style.VERMILION, 3),
    ):  # fmt: skip
        if len(traces) > SHOWN:
            low, high = np.nanpercentile(traces, [5, 95], axis=0)
            ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, zorder=1)
        for row in traces[:SHOWN]:
            ax.plot(x, row, color=colour, linewidth=0.5, alpha=0.45, zorder=order)
        ax.plot(x, np.nanmean(traces, axis=0), color=colour, linewidth=1.8, zorder=order + 2, label=name,
                linestyle="-" if name == "measured" else "--")  # fmt: skip
    many = len(result.measured)
    title = f"traces: mean and 90 % of {many} devices" if many > SHOWN else "traces"
    style.dress(ax, x="pulses", y="conductance [uS]", title=title)
    style.legend(ax, loc="upper right", ncols=2)
    return ax


def plot_fitted_steps(fit: ResponseFit, ax: Axes | None = None) -> Axes:
    """Draw steps by state with their standard errors, as measured, and the best formula."""
    ax, x = style.axes(ax), fit.states
    half = (fit.g_max - fit.g_min) / 2
    shape, best = np.linspace(0, 1, 200), fit.formulas[0]
    own = np.array([best.fields[name] for name in SHAPES[best.response].names])
    for way, (name, colour) in enumerate((("up", style.VERMILION), ("down", style.BLUE))):
        error = half * np.nan_to_num(fit.step_errors[way])
        ax.errorbar(x, half * fit.steps[way], error, fmt="os"[way], color=colour, label=f"step {name}", capsize=2)
        curve = SHAPES[best.response].factors(shape, own)[way] * best.steps[way] * half
        label = f"{best.response}, chi$^2$ {best.chi2:.0f} of {best.free}" if way else None
        ax.plot(shape, curve, color=style.GREY, linewidth=1.3, label=label)
    ax.set_ylim(bottom=0)
    style.dress(ax, x="state [share of the device's range]", y="step [uS]", title="mean step by state")
    style.legend(ax, loc="best")
    return ax


def plot_fitted_noise(fit: ResponseFit, ax: Axes | None = None) -> Axes:
    """Draw the standard deviation of a pulse by state, as measured, the fit's, and the noise of a reading."""
    ax, half = style.axes(ax), (fit.g_max - fit.g_min) / 2
    pulse = fit.pulse
    multiple = np.array(pulse.table_noise or 1.0)
    for way, (name, colour) in enumerate((("up", style.VERMILION), ("down", style.BLUE))):
        seen = fit.samples[way] >= 5
        ax.plot(fit.states[seen], half * fit.cycle_noise[way, seen], "os"[way], color=colour, label=f"pulse {name}")
        middle = np.interp(0.5, fit.states, fit.steps[way])
        strays = pulse.noise * multiple * fit.steps[way] + pulse.noise_base * middle
        ax.plot(fit.states, half * strays, color=colour, linewidth=1.3, label=f"fit, {name}")
    reading = fit.estimates["reading"].value
    ax.axhline(reading, color=style.GREY, linestyle=":", label="one reading")
    ax.set_ylim(bottom=0)
    style.dress(ax, x="state [share of the device's range]", y="standard deviation [uS]", title="noise by state")
    style.legend(ax, loc="best")
    return ax


def sheet(fit: ResponseFit, seed: int = 0) -> Figure:
    """Return all three on one figure."""
    drawn = style.figure(10.5, 8.0)
    grid = drawn.add_gridspec(2, 2)
    plot_replay(replay(fit, seed), drawn.add_subplot(grid[0, :]))
    plot_fitted_steps(fit, drawn.add_subplot(grid[1, 0]))
    plot_fitted_noise(fit, drawn.add_subplot(grid[1, 1]))
    return drawn


def run(
    traces: str | Path,
    out: str | Path | None = None,
    picture: str | Path | None = None,
    *,
    response: str = "table",
    readings: str = "write",
    g_min: float | None = None,
    g_max: float | None = None,
) -> str:
    """Fit traces of a file, write chip and picture where asked for, and return what was found in words.

    Parameters
    ----------
    traces : str or Path
        CSV or NPZ, :mod:`hw_models.measured.files`.
    out : str or Path, optional
        TOML of the chip.
    picture : str or Path, optional
        PNG.
    response, readings, g_min, g_max
        As of :func:`hw_models.measured.fit.fit_response`.

    Raises
    ------
    ChipError
        If something in the file cannot be, or the disk refuses.
    """
    for what, path, ending in (("chip", out, ".toml"), ("picture", picture, ".png")):
        if path is not None and Path(path).suffix != ending:
            raise ChipError(f"{what} '{path}': a file named {ending} is needed")
    fit = fit_response(read_traces(traces), response=response, readings=readings, g_min=g_min, g_max=g_max)
    source = Path(traces).name
    if out is not None:
        save_fit(fit, out, source)
    if picture is not None:
        with style.own_look():
            style.save(sheet(fit), Path(picture))
    return summary(fit, source)
