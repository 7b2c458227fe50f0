"""Pictures of devices: what weights and conductances are before and after learning, and how a device takes pulses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.drawing import style

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Chip, Pulse
from neuroep.errors import ConfigError

BINS = 60
"""Most bins of a histogram; few values get fewer."""
POPULATION = 200
"""Devices of the band of a pulse response."""
MARKS = 120
"""Points of one branch of a pulse response."""
COVERED = 0.95
"""Share of its range through which the mean device is pulsed."""
LONGEST = 200_000
"""Most pulses of one branch by default."""
MOST = 1_000_000
"""Most pulses of one branch that may be asked for."""


def plot_weight_histograms(
    before: Any, after: Any | None = None, ax: Axes | None = None, *, title: str = "weights"
) -> Axes:
    """Draw the distribution of weights before and after learning.

    Parameters
    ----------
    before : array_like
        Weights of any shape.
    after : array_like, optional
        The same weights later.
    ax : Axes, optional
        Where, default a figure of its own.
    title : str
        Which weights.

    Raises
    ------
    ConfigError
        If there is no finite weight.
    """
    name = "weights" if after is None else "after"
    drawn = [_Sample(name, style.BLUE, _finite("weights", before if after is None else after))]
    outlines = [] if after is None else [_Sample("before", style.BLACK, _finite("weights before", before))]
    ax = style.axes(ax)
    _histograms(ax, drawn, outlines)
    ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
    style.dress(ax, x="weight [1]", y="share of weights per bin [%]", title=title)
    style.legend(ax, loc="upper center", ncols=2)
    return ax


def plot_conductance_histograms(
    before: Crossbar | Sequence[Any],
    after: Crossbar | Sequence[Any] | None = None,
    ax: Axes | None = None,
    *,
    paired: bool | None = None,
    title: str = "conductances",
) -> Axes:
    """Draw the distribution of conductances before and after learning, both devices of a pair, all slices together.

    Parameters
    ----------
    before : Crossbar or (plus, minus)
        A crossbar, or conductances as :meth:`Crossbar.conductances` returns them [uS]. A crossbar goes on learning:
        keep its conductances to draw them later.
    after : Crossbar or (plus, minus), optional
        The same later.
    ax : Axes, optional
        Where, default a figure of its own.
    paired : bool, optional
        Whether a weight is a pair; otherwise the second conductances are references and left out. Default as a
        crossbar given has it, True without one.
    title : str
        Which conductances.

    Raises
    ------
    ConfigError
        If what is given is neither a crossbar nor two arrays, or no conductance is finite.
    """
    if paired is None:
        paired = all(given.devices.paired for given in (before, after) if isinstance(given, Crossbar))
    earlier, later = _conductances(before), _conductances(before if after is None else after)
    drawn, outlines = [], []
    for number, name in enumerate(("G+", "G-") if paired else ("G",)):
        colour = (style.VERMILION, style.BLUE)[number] if paired else style.BLUE
        about = name if after is None else f"{name} after"
        drawn.append(_Sample(about, colour, _finite("conductances", later[number])))
        if after is not None:
            outlines.append(_Sample(f"{name} before", colour, _finite("conductances before", earlier[number])))
    ax = style.axes(ax)
    _histograms(ax, drawn, outlines)
    _logarithmic(ax, len(drawn))
    style.dress(ax, x="conductance [uS]", y="share of devices per bin [%]", title=title)
    style.legend(ax, loc="upper center", ncols=2)
    return ax


def _conductances(source: Crossbar | Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    found = source.conductances() if isinstance(source, Crossbar) else source
    if len(found) != 2:
        raise ConfigError(f"conductances are {len(found)} arrays: allowed are a crossbar or (G+, G-)")
    return np.asarray(found[0]), np.asarray(found[1])


@dataclass(frozen=True)
class _Sample:
    """One histogram."""

    name: str
    colour: str
    values: np.ndarray


def _histograms(ax: Axes, filled: Sequence[_Sample], outlines: Sequence[_Sample]) -> None:
    """Draw filled histograms and outlines, all over the same bins and as shares."""
    samples = [*filled, *outlines]
    low, high = min(s.values.min() for s in samples), max(s.values.max() for s in samples)
    wide = max(high - low, 1e-6 * max(abs(low), abs(high), 1e-6))
    bins = int(np.clip(2 * np.sqrt(max(s.values.size for s in samples)), 12, BINS))
    edges = np.linspace(low - 0.005 * wide, high + 0.005 * wide, bins + 1)
    for number, sample in enumerate(samples):
        share = 100 * np.histogram(sample.values, edges)[0] / sample.values.size
        if number < len(filled):
            ax.stairs(share, edges, fill=True, color=sample.colour, alpha=0.45, label=sample.name)
        else:
            ax.stairs(share, edges, color=sample.colour, linewidth=1.6, label=sample.name)


def _logarithmic(ax: Axes, rows: int) -> None:
    """Give shares a logarithmic axis with plain numbers and room for a legend of that many rows above."""
    low, high = 0.7 * min(_shares(ax)), max(_shares(ax))
    ax.set_yscale("log")
    ax.set_ylim(low, high * (max(high / low, 10) ** (0.12 + 0.12 * rows)))
    few = high / low < 30
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0) if few else tuple(float(n) for n in range(2, 10))))
    ax.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}") if few else NullFormatter())
    ax.tick_params(which="minor", labelsize=style.TEXT - 1)


def _shares(ax: Axes) -> list[float]:
    """Return the shares above 0 of the histograms drawn."""
    parts = (part for part in ax.patches if isinstance(part, StepPatch))
    return [float(share) for part in parts for share in np.asarray(part.get_data()[0]) if share > 0] or [1.0]


def _finite(what: str, values: Any) -> np.ndarray:
    """Return the finite values in double precision, (n,)."""
    flat = np.asarray(values, dtype=float).reshape(-1)
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        raise ConfigError(f"{what} are {flat.size} values, none of them finite: there is nothing to draw")
    return finite


@dataclass(frozen=True)
class PulseResponse:
    """Devices pulsed up from their lower bound, then down again; weights are shares of the weight range."""

    pulses: np.ndarray
    """(points,) pulses given so far."""
    mean: np.ndarray
    """(points,) device without spread and without cycle-to-cycle noise."""
    devices: np.ndarray
    """(points, devices) devices with their spread, every step with its noise."""


def pulse_response(source: Chip | Pulse, pulses: int | None = None, seed: int = 0) -> PulseResponse:
    """Pulse devices one pulse after the other, all up, then all down.

    Parameters
    ----------
    source : Chip or Pulse
        What responds.
    pulses : int, optional
        Of each branch; default until the mean device has gone through 95 % of what it reaches, at most 200 000.
    seed : int
        Of spread and noise.

    Raises
    ------
    ConfigError
        If the chip learns without pulses, or the number is no whole number from 1 to a million.
    """
    pulse = source.device.pulse if isinstance(source, Chip) else source
    if isinstance(source, Chip) and source.update.scheme == "digital":
        raise ConfigError(f"chip '{source.name}' learns by update scheme 'digital': its devices see no pulses")
    if pulses is not None and not (isinstance(pulses, int) and 1 <= pulses <= MOST):
        raise ConfigError(f"pulses is {pulses}: allowed are whole numbers from 1 to {MOST}")
    plain = {name: 0.0 for name in Pulse.model_fields if name == "noise" or name.endswith("_spread")}
    nominal = pulse.model_copy(update=plain)
    count = _needed(nominal) if pulses is None else pulses
    steps = np.diff(np.unique(np.linspace(0, count, MARKS + 1).round().astype(np.int64)))
    numbers = np.concatenate([[0], np.cumsum(np.concatenate([steps, steps]))])
    return PulseResponse(numbers, _play(nominal, 1, steps, seed)[:, 0], _play(pulse, POPULATION, steps, seed))


def _play(pulse: Pulse, many: int, steps: np.ndarray, seed: int) -> np.ndarray:
    """Return weights (points, devices) after each batch of pulses."""
    devices = PulsedDevices(pulse, (1, many), seed, "response")
    low = np.broadcast_to(devices.devices.low, (1, many))
    weights, none = np.array(low, dtype=np.float32, order="C"), np.zeros((1, many), dtype=np.int64)
    course = [weights[0].copy()]
    for number, step in enumerate(np.concatenate([steps, -steps])):
        given = np.full((1, many), abs(step))
        devices.apply(weights, given if step > 0 else none, none if step > 0 else given, number)
        course.append(weights[0].copy())
    return np.array(course)


def _needed(pulse: Pulse) -> int:
    """Return pulses up that take a device from its lower bound through most of what it reaches."""
    devices = PulsedDevices(pulse, (1, 1), 0, "response")
    weight, none = np.full((1, 1), pulse.w_min, dtype=np.float32), np.zeros((1, 1), dtype=np.int64)
    chunk = min(max(1, round((pulse.w_max - pulse.w_min) / pulse.dw_min / 50)), LONGEST // 50)
    course = [pulse.w_min]
    while len(course) < 2000 and len(course) * chunk <= LONGEST:
        devices.apply(weight, none + chunk, none, len(course))
        course.append(float(weight[0, 0]))
        if course[-1] - course[-2] <= 1e-3 * (course[-1] - course[0]):
            break
    reached = np.array(course) - course[0]
    return max(1, chunk * int(np.argmax(reached >= COVERED * reached[-1])))


def plot_pulse_response(
    source: Chip | Pulse,
    ax: Axes | None = None,
    *,
    pulses: int | None = None,
    devices: int = 4,
    seed: int = 0,
) -> Axes:
    """Draw potentiation and depression: the mean device, some devices with spread and noise, the band of many.

    Parameters
    ----------
    source : Chip or Pulse
        What responds.
    ax : Axes, optional
        Where, default a figure of its own.
    pulses, seed
        As for :func:`pulse_response`.
    devices : int
        Devices drawn one by one, up to 200.

    Raises
    ------
    ConfigError
        As :func:`pulse_response`.
    """
    found = pulse_response(source, pulses, seed)
    ax = style.axes(ax)
    x, turn = found.pulses, found.pulses[-1] / 2
    if np.ptp(found.devices, axis=1).any():
        low, high = np.percentile(found.devices, [5, 95], axis=1)
        ax.fill_between(x, low, high, color=style.SKY, alpha=0.35, linewidth=0, label="90 % of devices")
        order = np.argsort(found.devices[len(x) // 2])
        chosen = order[(np.linspace(0.1, 0.9, max(0, min(devices, POPULATION))) * len(order)).astype(int)]
        for number, device in enumerate(chosen):
            name = "single devices" if number == 0 else None
            ax.plot(x, found.devices[:, device], color=style.BLUE, linewidth=0.9, alpha=0.8, label=name)
    ax.plot(x, found.mean, color=style.BLACK, linewidth=2.0, label="nominal device")
    ax.axvline(turn, color=style.GREY, linestyle=":", linewidth=1.2)
    for place, name, side in ((0.02, "potentiation", "left"), (0.98, "depression", "right")):
        ax.text(place, 0.97, name, transform=ax.transAxes, ha=side, va="top", color=style.GREY, fontsize=style.TEXT)
    about = source.name if isinstance(source, Chip) else f"response '{source.response}'"
    style.dress(ax, x="pulses", y="weight [weight range]", title=about)
    style.legend(ax, loc="lower center")
    return ax
