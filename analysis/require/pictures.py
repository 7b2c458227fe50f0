"""Pictures of a requirement: verdicts over one field or two, with the border; the front among the points run."""

from __future__ import annotations

import math

from analysis.drawing import style
from analysis.drawing.panels import Panel, Picture

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from analysis.require.results import UNITS, Requirement
from analysis.require.verdicts import Verdict
from analysis.sweep.points import label, shown
from neuroep.errors import ConfigError

SECTION = "Pictures"
LOOKS = {
    "meets it": (style.GREEN, "o"),
    "misses it": (style.VERMILION, "s"),
    "open": (style.GREY, "D"),
}
"""Colour and marker of a verdict."""
TICKS = 12
"""Most named values of a field."""


def plot_requirement(result: Requirement, ax: Axes | None = None) -> Axes:
    """Draw the points that were run with their verdicts: accuracy over one field, or their places over two.

    Raises
    ------
    ConfigError
        If there is no target, or there are more than two fields.
    """
    if result.design["target"] is None or len(result.fields) > 2:
        raise ConfigError("verdicts are drawn over one field or two, with a target")
    ax = style.axes(ax, 7.0, 4.2)
    several = len(result.fields) > 1
    for word, (colour, marker) in LOOKS.items():
        found = {place: verdict for place, verdict in result.verdicts.items() if verdict.word == word}
        if not found:
            continue
        x, name = [place[0] for place in found], f"{word} ({len(found)})"
        if several:
            ax.plot(x, [p[1] for p in found], marker, color=colour, label=name, markersize=8, linestyle="none")
        else:
            y, error = [100 * v.mean for v in found.values()], [_error(v) for v in found.values()]
            ax.errorbar(x, y, yerr=error, fmt=marker, color=colour, label=name, capsize=3)
    _name(ax, result)
    target = 100 * result.design["target"]
    if several:
        _draw_border(ax, result)
    else:
        ax.axhline(target, color=style.BLACK, linestyle="--", linewidth=1.2, label=f"target {target:g} %")
    run = sum(len(seeds) for seeds in result.accuracies.values())
    style.dress(ax, x=label(result.fields[0]), y=label(result.fields[1]) if several else "accuracy [%]",
                title=f"Points that meet {target:g} %: {run} trials")  # fmt: skip
    style.legend(ax)
    return ax


def _error(found: Verdict) -> float:
    return 100 * found.error if math.isfinite(found.error) else 0.0


def _name(ax: Axes, result: Requirement) -> None:
    """Write the values of the fields on the axes, whose places are indices."""
    for axis, values in zip((ax.xaxis, ax.yaxis), result.axes, strict=False):
        every = range(0, len(values), -(-len(values) // TICKS))
        axis.set_ticks(list(every), [shown(values[n]) for n in every])


def _draw_border(ax: Axes, result: Requirement) -> None:
    """Draw the border between first values that meet the target and those before them."""
    places = {value: n for n, value in enumerate(result.axes[0])}
    lines = {value: n for n, value in enumerate(result.axes[1])}
    borders = [one for one in result.borders if one.meets is not None]
    found = [(places[one.meets] + (-0.5 if one.rising else 0.5), lines[one.line]) for one in borders]
    if found:
        ax.plot(*zip(*found, strict=True), color=style.BLACK, linewidth=1.4, label="border")


def plot_front(result: Requirement, ax: Axes | None = None) -> Axes:
    """Draw accuracy against a price: points that were run, those that were priced alone below them, and the front.

    Raises
    ------
    ConfigError
        If nothing was priced.
    """
    against = result.design["against"]
    if against is None:
        raise ConfigError("a front needs a price: ask for one with against = 'energy'")
    ax = style.axes(ax, 8.2, 4.4)
    run = [place for place in result.means if place in result.prices]
    ax.plot([result.prices[p] for p in run], [100 * result.means[p] for p in run], "o", color=style.GREY, alpha=0.6,
            label=f"points run ({len(run)})")  # fmt: skip
    front = result.front
    ax.step([one.price for one in front], [100 * one.accuracy for one in front], "o-", where="post",
            color=style.colour(0), label="front")  # fmt: skip
    left = [price for place, price in result.prices.items() if place not in result.means]
    low = min((100 * result.means[p] for p in run), default=0.0) - 2
    ax.plot(left, [low] * len(left), "|", color=style.GREY, label=f"only priced ({len(left)})")
    for one in front:
        name = ", ".join(map(shown, one.values))
        ax.annotate(style.drawable(name, 40), (one.price, 100 * one.accuracy), (4, -11), textcoords="offset points",
                    fontsize=style.TEXT - 2)  # fmt: skip
    if result.prices and min(result.prices.values()) > 0:
        ax.set_xscale("log")
    ax.xaxis.set_major_formatter(EngFormatter(UNITS[against]))
    ax.xaxis.set_minor_formatter(EngFormatter(UNITS[against]))
    names = ", ".join(name.removeprefix("chip.") for name in result.fields)
    style.dress(ax, x=f"{against} of a classification", y="accuracy [%]", title=f"Front over {names}")
    style.legend(ax)
    return ax


def _judged(result: Requirement) -> list[Requirement]:
    asked = result.design["target"] is not None and result.design["against"] is None
    return [result] if asked and len(result.fields) <= 2 and result.verdicts else []


def _priced(result: Requirement) -> list[Requirement]:
    return [result] if result.design["against"] is not None and result.means else []


VERDICTS = Panel(
    SECTION,
    5,
    _judged,
    [Picture(plot_requirement, "Points that were run, with their verdicts.", "points by verdict", None)],
    beside=False,
)
FRONT = Panel(
    SECTION,
    6,
    _priced,
    [
        Picture(
            plot_front,
            "Mean accuracy over the chips, by the price of a classification. Ticks at the bottom are points that were "
            "priced but not run, since they cannot be on the front.",
            "front of accuracy against a price",
            None,
        )
    ],
    beside=False,
)
