"""How a device takes pulses: potentiation and depression, with spread and noise."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.drawing import style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes

from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Chip, Pulse
from neuroep.errors import ConfigError

POPULATION = 200
"""Devices of the band of a pulse response."""
MARKS = 120
"""Points of one branch of a pulse response."""
HEAD, BELOW = 0.12, (0.0, -0.2)
"""Room above curves for the names of their halves, a share of the axis, and where the legend begins, below the axes."""
COVERED = 0.95
"""Share of its range through which the mean device is pulsed."""
LONGEST = 200_000
"""Most pulses of one branch by default."""
MOST = 1_000_000
"""Most pulses of one branch that may be asked for."""


@dataclass(frozen=True)
class PulseResponse:
    """Devices pulsed up from their lower bound, then down again; weights are shares of the weight range.

    Devices of one-sided pairs only grow: no pulse takes them down.
    """

    pulses: np.ndarray
    """(points,) pulses given so far."""
    mean: np.ndarray
    """(points,) device without spread and without cycle-to-cycle noise."""
    devices: np.ndarray
    """(points, devices) devices with their spread, every step with its noise."""
    name: str = ""
    """Of the chip, or of the response."""
    one_sided: bool = False
    """Whether pulses only go up."""

    @property
    def given(self) -> int:
        """Pulses of each branch."""
        return int(self.pulses[self.turn])

    @property
    def turn(self) -> int:
        """Point at which devices have had all pulses up."""
        return len(self.pulses) - 1 if self.one_sided else len(self.pulses) // 2


def pulse_response(source: Chip | Pulse, pulses: int | None = None, seed: int = 0) -> PulseResponse:
    """Pulse devices one pulse after the other, all up, then all down; those of one-sided pairs only up.

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
    one_sided = isinstance(source, Chip) and source.device.cell.kind == "one_sided"
    if isinstance(source, Chip) and source.update.scheme == "digital":
        raise ConfigError(f"chip '{source.name}' learns by update scheme 'digital': its devices see no pulses")
    if pulses is not None and not (isinstance(pulses, int) and 1 <= pulses <= MOST):
        raise ConfigError(f"pulses is {pulses}: allowed are whole numbers from 1 to {MOST}")
    nominal = pulse.mean()
    count = _needed(nominal) if pulses is None else pulses
    steps = np.diff(np.unique(np.linspace(0, count, MARKS + 1).round().astype(np.int64)))
    course = steps if one_sided else np.concatenate([steps, -steps])
    numbers = np.concatenate([[0], np.cumsum(np.abs(course))])
    name = source.name if isinstance(source, Chip) else f"response '{source.response}'"
    mean, devices = _play(nominal, 1, course, seed)[:, 0], _play(pulse, POPULATION, course, seed)
    return PulseResponse(numbers, mean, devices, name, one_sided)


def _play(pulse: Pulse, many: int, steps: np.ndarray, seed: int) -> np.ndarray:
    """Return weights (points, devices) after each batch of pulses, down where the number is below 0."""
    devices = PulsedDevices(pulse, (1, many), seed, "response")
    low = np.broadcast_to(devices.devices.low, (1, many))
    weights, none = np.array(low, dtype=np.float32, order="C"), np.zeros((1, many), dtype=np.int64)
    devices.cut(weights)
    course = [weights[0].copy()]
    for number, step in enumerate(steps):
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


def plot_pulse_response(result: PulseResponse, ax: Axes | None = None, *, devices: int = 4) -> Axes:
    """Draw potentiation and depression: the mean device, some devices with spread and noise, the band of many.

    Of one-sided devices there is potentiation alone.

    Parameters
    ----------
    result : PulseResponse
        What :func:`pulse_response` returned.
    ax : Axes, optional
        Where, default a figure of its own.
    devices : int
        Devices drawn one by one, up to 200.
    """
    ax = style.axes(ax)
    x = result.pulses
    if np.ptp(result.devices, axis=1).any():
        low, high = np.percentile(result.devices, [5, 95], axis=1)
        ax.fill_between(x, low, high, color=style.SKY, alpha=0.35, linewidth=0, label="90 % of devices")
        order = np.argsort(result.devices[result.turn])
        chosen = order[(np.linspace(0.1, 0.9, max(0, min(devices, POPULATION))) * len(order)).astype(int)]
        for number, device in enumerate(chosen):
            name = "single devices" if number == 0 else None
            ax.plot(x, result.devices[:, device], color=style.BLUE, linewidth=0.9, alpha=0.8, label=name)
    ax.plot(x, result.mean, color=style.BLACK, linewidth=2.0, label="nominal device, without spread and noise")
    if not result.one_sided:
        ax.axvline(result.given, color=style.GREY, linestyle=":", linewidth=1.2)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + HEAD * (high - low))
    halves = (0.02, "potentiation", "left"), (0.98, "depression", "right")
    for place, name, side in halves[: 1 if result.one_sided else 2]:
        ax.text(place, 0.97, name, transform=ax.transAxes, ha=side, va="top", color=style.GREY, fontsize=style.TEXT)
    style.dress(ax, x="number of pulses", y="weight [share of the weight range]", title=style.drawable(result.name))
    style.legend(ax, loc="upper left", bbox_to_anchor=BELOW, borderaxespad=0.0)
    return ax


def _of_chip(chip: Chip) -> list[PulseResponse]:
    """Return the response of a chip's devices where they learn by pulses."""
    pulsed = chip.substrate == "crossbar" and chip.update.scheme != "digital"
    return [pulse_response(chip)] if pulsed else []


PULSES = Panel(
    "The chip",
    10,
    _of_chip,
    [
        Picture(
            plot_pulse_response,
            "Devices get pulses up from their lower bound (potentiation), then pulses down (depression); devices of "
            "one-sided pairs only grow. A response that bends, or that differs between up and down, biases what is "
            "learned.",
            lambda result: f"weight against pulses of chip {result.name}",
            (6.4, 3.8),
        )
    ],
    beside=False,
)
