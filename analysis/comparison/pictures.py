# Tested by tests/analysis/test_pictures.py
"""Pictures of a comparison: accuracy, states that drift apart, energy along the settle, gradients."""

from __future__ import annotations

from dataclasses import replace

from analysis.drawing import panels, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.comparison.results import Comparison

FLOOR = 1e-8
"""Smallest divergence drawn; less is rounding."""
WIDE = 9.2
"""Of a picture on the page [inch]."""
SHEET = (6.5, 3.8)
"""Of a picture on the sheet [inch]."""
SECTION = "Pictures"


def _colours(result: Comparison) -> dict[str, str]:
    """Return a colour for each contestant, the reference black."""
    others = [found.name for found in result.contestants if found.name != "reference"]
    palette = [colour for colour in style.COLOURS if colour != style.BLACK]
    return {"reference": style.BLACK} | {name: palette[n % len(palette)] for n, name in enumerate(others)}


def plot_accuracy_bars(result: Comparison, ax: Axes | None = None) -> Axes:
    """Draw test accuracy of each contestant as bars, training accuracy as marks, and a linear model as a line."""
    ax = style.axes(ax)
    names = [found.name for found in result.contestants]
    colours = _colours(result)
    for place, found in enumerate(result.contestants):
        test = found.accuracy["test"]
        ax.barh(place, 100 * test, color=colours[found.name], alpha=0.75, label="test" if place == 0 else None)
        ax.plot(100 * found.accuracy["train"], place, "|", color=style.BLACK, markersize=14, markeredgewidth=2)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
        side = "right" if test > 0.2 else "left"
        ax.text(100 * test - 1, place, f"{100 * test:.1f} %", va="center", ha=side, fontsize=style.TEXT - 1, bbox=box)
    if result.baseline is not None:
        ax.axvline(100 * result.baseline.accuracy, color=style.GREY, linestyle="--")
        ax.text(
            100 * result.baseline.accuracy, 1.01, result.baseline.name, transform=ax.get_xaxis_transform(),
            color=style.GREY, fontsize=style.TEXT - 2, ha="center",
        )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    return style.dress(ax, x="accuracy, test (bar) and training (mark) [%]", y="engine or chip", title="Accuracy")


def plot_divergence(result: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the largest relative distance of a layer's states from the reference's, sweep by sweep."""
    ax = style.axes(ax)
    colours = _colours(result)
    for number, found in enumerate(result.contestants):
        if found.name == "reference" or not found.divergence:
            continue
        worst = np.fmax.reduce(list(found.divergence.values()))
        steps = np.arange(1, len(worst) + 1)
        marker = style.marker(number)
        ax.semilogy(steps, np.maximum(worst, FLOOR), marker=marker, color=colours[found.name], label=found.name)
    style.whole_steps(ax)
    style.dress(
        ax, x="sweep of the free phase", y="relative distance in the worst layer [1]",
        title="Distance to the states of the reference",
    )  # fmt: skip
    style.legend(ax)
    return ax


def plot_energies(result: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the mean free energy along the settle."""
    ax = style.axes(ax)
    colours = _colours(result)
    for number, found in enumerate(result.contestants):
        steps, marker = np.arange(1, len(found.energy) + 1), style.marker(number)
        ax.plot(steps, found.energy, marker=marker, color=colours[found.name], label=found.name, alpha=0.8)
    style.whole_steps(ax)
    style.dress(ax, x="sweep of the free phase", y="mean energy [1]", title="Energy")
    return ax


def plot_gradients(result: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the cosine of each parameter's gradient with the exact one, for conducting and for programmed weights.

    Lines at the bars are the standard deviation over draws of the reads' noise.
    """
    ax = style.axes(ax)
    colours = _colours(result)
    parameters = [row.parameter for row in result.contestants[0].gradient]
    width = 0.8 / max(1, len(result.contestants))
    for number, found in enumerate(result.contestants):
        places = np.arange(len(parameters)) + (number - 0.5 * (len(result.contestants) - 1)) * width
        cosine, spread = ([getattr(row, name) for row in found.gradient] for name in ("cosine", "spread"))
        error: style.Look = {"yerr": spread, "ecolor": style.GREY, "capsize": 2.0} if any(spread) else {}
        ax.bar(places, cosine, width, color=colours[found.name], label=found.name, **error)
        nominal = [row.nominal for row in found.gradient]
        for colour, thick in (("white", 4.0), (style.BLACK, 1.8)):
            ax.hlines(nominal, places - 0.42 * width, places + 0.42 * width, color=colour, linewidth=thick)
    ax.set_xticks(range(len(parameters)), parameters, rotation=20, ha="right")
    ax.axhline(0, color=style.GREY, linewidth=0.8)
    ax.set_ylim(max(min(0, *ax.get_ylim()), -1.05), 1.05)
    title = "Gradient of EP: weights as conducted (bar) and as programmed (dash)"
    return style.dress(ax, x="parameter", y="cosine with the exact gradient [1]", title=title)


def plot_phases(result: Comparison, ax: Axes | None = None) -> Axes:
    """Draw for each parameter the cosine with the exact gradient: of EP in exact arithmetic (circle), of what both
    phases of a chip share (diamond), and of the chip as it is (dot).

    From circle to diamond is learned around; from diamond to dot is what differs between the phases.
    """
    ax = style.axes(ax)
    colours = _colours(result)
    shown = [found for found in result.contestants if found.chip is not None and found.gradient] or [
        found for found in result.contestants if found.gradient
    ]
    parameters = [row.parameter for row in result.contestants[0].gradient]
    width = 0.8 / max(1, len(shown))
    for number, found in enumerate(shown):
        places = np.arange(len(parameters)) + (number - 0.5 * (len(shown) - 1)) * width
        exact, common, now = (
            np.array([getattr(row, name) for row in found.gradient]) for name in ("exact_phases", "common", "cosine")
        )
        colour = colours[found.name]
        ax.vlines(places, common, exact, color=colour, linewidth=1.2, linestyle=":")
        ax.vlines(places, now, common, color=colour, linewidth=2.6)
        ax.plot(places, exact, "o", fillstyle="none", color=colour, markersize=7)
        ax.plot(places, common, "D", color=colour, markersize=5)
        ax.plot(places, now, "o", color=colour, markersize=6, label=found.name)
    ax.set_xticks(range(len(parameters)), parameters, rotation=20, ha="right")
    ax.axhline(0, color=style.GREY, linewidth=0.8)
    ax.set_ylim(max(min(0, *ax.get_ylim()), -1.05), 1.08)
    title = "Exact arithmetic (circle), shared errors (diamond), chip (dot)"
    style.dress(ax, x="parameter", y="cosine with the exact gradient [1]", title=title)
    style.legend(ax)
    return ax


def picture(result: Comparison) -> Figure:
    """Return all pictures of a comparison on one sheet, two in a row."""
    shown = [found for panel in panels.panels(__package__) if panel.section == SECTION for found in panel.pictures]
    rows = -(-len(shown) // 2)
    sheet = style.figure(2 * SHEET[0], rows * SHEET[1])
    for place, one in enumerate(shown, 1):
        one.plot(result, sheet.add_subplot(rows, 2, place))
    return sheet


def _named_for_legends(result: Comparison) -> list[Comparison]:
    named = tuple(replace(found, name=style.drawable(found.name, 32)) for found in result.contestants)
    return [replace(result, contestants=named)]


def _size(result: Comparison) -> tuple[float, float]:
    return WIDE, max(3.6, 1.2 + 0.3 * len(result.contestants))


def _legend_outside(ax: Axes, _: Comparison) -> None:
    style.legend(ax, loc="center left", bbox_to_anchor=(1.01, 0.5))


PICTURES = Panel(
    SECTION,
    10,
    _named_for_legends,
    (
        Picture(
            plot_accuracy_bars, "Test accuracy (bars with numbers) and training accuracy (black marks).", size=_size
        ),
        Picture(
            plot_divergence,
            "Relative distance of the states to those of the reference after each sweep of the free phase, in the "
            "layer with the largest distance. All have the same weights.",
            size=_size,
            look=_legend_outside,
        ),
        Picture(
            plot_energies,
            "Mean free energy after each sweep. It should fall. On a chip it is the energy for the conducted weights.",
            size=_size,
            look=_legend_outside,
        ),
        Picture(
            plot_gradients,
            "Cosine of EP's gradient with the exact one, over 32 test samples. Thin lines are the standard deviation "
            "over 8 draws of the read noise. A cosine around 0 means that a single measurement gives no direction.",
            size=_size,
            look=_legend_outside,
        ),
        Picture(
            plot_phases,
            "From circle to diamond (dotted), errors are the same in both phases, and learning compensates them. From "
            "diamond to dot (thick), errors differ between the phases. They keep a chip from learning.",
            size=_size,
            look=_legend_outside,
        ),
    ),
    beside=False,
)
