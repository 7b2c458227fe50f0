"""Pictures of pulses that cancel, epoch by epoch, from a run's record: asymmetry and signal-to-noise against accuracy.

plot_coherence(run.metrics)
plot_signal_to_noise(run.metrics)

Asymmetry is the share of its state that a device forgets in one update, 1 - exp(-N leak dw), for the asymmetry of its
steps; signal-to-noise is that of one update, sqrt(N/needs); both as :mod:`neuroep.runs.forgetting` has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from analysis.drawing import html, numbers, style
from analysis.drawing.panels import Panel, Picture

from matplotlib.axes import Axes

from analysis.run.subject import Metrics, Subject
from neuroep.errors import ConfigError

WIDE = 20.0
"""Largest over smallest value from which an axis is logarithmic."""
Told = Mapping[str, float]
"""What one array told of its pulses in one epoch; nan where there is no end."""


def plot_coherence(result: Metrics, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of every epoch against the share of its state that a device of each array forgets in an update.

    Raises
    ------
    ConfigError
        If no epoch tells of pulses.
    """
    ax = _drawn(result, ax, _forgotten)
    title = "Asymmetry and accuracy"
    return style.dress(ax, x="share forgotten in one update [%]", y="training accuracy [%]", title=title)


def plot_signal_to_noise(result: Metrics, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of every epoch against the signal-to-noise of an update of each array; errors likewise."""
    ax = _drawn(result, ax, _signal)
    title = "Signal-to-noise and accuracy"
    return style.dress(ax, x="signal-to-noise ratio of one update [1]", y="training accuracy [%]", title=title)


def _drawn(result: Metrics, ax: Axes | None, of: Callable[[Told], float]) -> Axes:
    """Draw accuracy against a number of each array, a line through the epochs, the last one filled."""
    names = dict.fromkeys(name for record in result for name in record.get("coherence", {}))
    if not names:
        raise ConfigError("result has no epoch that tells of pulses: trains with update.scaling auto do")
    ax = style.axes(ax)
    for number, name in enumerate(names):
        if not (points := list(_points(result, name, of))):
            continue
        look: style.Look = {"color": style.colour(number), "marker": style.marker(number), "markersize": 5}
        ax.plot(*zip(*points, strict=True), linewidth=1.0, markerfacecolor="white", label=name, **look)
        ax.plot(*points[-1], linestyle="", **look)
    low, high = ax.dataLim.intervalx
    if high > WIDE * low > 0:
        ax.set_xscale("log")
    style.legend(ax, loc="best")
    return ax


def _points(result: Metrics, name: str, of: Callable[[Told], float]) -> Iterator[tuple[float, float]]:
    """Yield a number of an array and the accuracy, of the epochs that have both."""
    for record in result:
        found, accuracy = record.get("coherence", {}).get(name), record["train"].get("accuracy")
        value = math.nan if found is None else of(found)
        if accuracy is not None and math.isfinite(value) and value > 0:
            yield value, 100 * accuracy


def _forgotten(found: Told) -> float:
    forgets = found["forgets"]
    return -100 * math.expm1(-1 / forgets) if forgets else math.nan


def _signal(found: Told) -> float:
    return math.sqrt(found["pulses"] / found["needs"]) if found["needs"] > 0 else math.nan


def _measure(subject: Subject) -> list[Metrics]:
    """Return the records that tell of pulses."""
    found = [record for record in subject.metrics if record.get("coherence")]
    return [found] if found else []


def _table(results: Sequence[Metrics]) -> str:
    """Return the numbers of the last epoch."""
    if not results:
        return ""
    rows = [
        (name, *(numbers.number(found[key], ".3g") for key in ("kappa", "pulses", "forgets", "needs")))
        for name, found in results[0][-1]["coherence"].items()
    ]
    heads = ("array", "kappa", "pulses per device and update", "forgets within [updates]", "needs pulses")
    note = "The table is of the last epoch. kappa: all pulses divided by their net change. Needs: pulses for a "
    note += "signal-to-noise ratio of 1."
    return "\n".join([html.table(heads, rows), html.paragraph(note, "note")])


COHERENCE = Panel(
    "What limits learning",
    16,
    _measure,
    (
        Picture(
            plot_coherence,
            "Accuracy of each epoch, by the share of its state that a device forgets in one update. The last epoch is "
            "filled.",
        ),
        Picture(plot_signal_to_noise, "Accuracy of each epoch, by the signal-to-noise ratio of an update's pulses."),
    ),
    title="Pulses that cancel",
    below=_table,
)
