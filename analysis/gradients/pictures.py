# Tested by tests/analysis/test_pictures.py
"""Pictures of a gradient check: GDU curves, their errors by step, and the error against the nudge."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from analysis.drawing import panels, style

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.gradients.gdu import GDU
from analysis.gradients.gradient_error import Agreement
from neuroep.gradients.formulas import named

COLUMNS = 3
WIDTH, HEIGHT = 4.4, 3.3
"""Of a panel on a sheet [inch]."""
STILL = 1e-3
"""A step below this share of a curve's largest counts as none."""
LABELS = {"positive": r"one-sided, $+\beta$", "negative": r"one-sided, $-\beta$"}
LARGE = 0.3
"""Nudge at which guides of high powers are laid on."""
FILLS = {"negative": "none"}
LINES = {1: ":", 2: "--"}
"""Of the guides, by power of beta; dashes and dots for higher ones."""


def plot_gdu(result: GDU, ax: Axes | None = None, *, synapse: str | None = None) -> Axes:
    """Draw the updates of EP (marks) on the gradients of BPTT (lines) as long as anything moves.

    Parameters
    ----------
    result : GDU
        What to draw.
    ax : Axes, optional
        Where, default a figure of its own.
    synapse : str, optional
        Draw this synapse's weights; default the strongest weight of every synapse, each scaled to a largest step of 1.
    """
    ax = style.axes(ax)
    if synapse is None:
        for number, (name, curve) in enumerate(result.curves.items()):
            scale = np.abs(curve.bptt[:, 0]).max() or 1.0
            _pair(ax, curve.ep[:, 0] / scale, curve.bptt[:, 0] / scale, number, name)
        title = "EP (marks) follows BPTT (lines)"
        style.dress(ax, x="settle step", y="update of a weight [share of its largest]", title=title)
    else:
        curve = result.curves[synapse]
        for number, (post, pre) in enumerate(curve.places):
            _pair(ax, curve.ep[:, number], curve.bptt[:, number], number, f"w[{post}, {pre}]")
        style.dress(ax, x="settle step", y="update -dL/dw of the step [1]", title=synapse)
        ax.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2), useMathText=True)
    _until(ax, result)
    style.legend(ax)
    return ax


def _pair(ax: Axes, ep: np.ndarray, bptt: np.ndarray, number: int, label: str) -> None:
    steps = np.arange(1, len(ep) + 1)
    colour = style.colour(number)
    marker = style.marker(number)
    ax.plot(steps, bptt, color=colour, linewidth=1.6)
    ax.plot(steps, ep, color=colour, linestyle="none", marker=marker, markersize=6, fillstyle="none", label=label)


def _until(ax: Axes, result: GDU) -> None:
    """End the x axis where the last curve has died down."""
    curves = [np.abs(curve.bptt).max(axis=1) for curve in result.curves.values()]
    loud = [np.flatnonzero(size > STILL * size.max()) for size in curves]
    last = max((int(places[-1]) + 1 for places in loud if len(places)), default=result.steps)
    ax.set_xlim(0.5, max(last, 5) + 0.5)
    style.whole_steps(ax)


def plot_gdu_error(result: Sequence[GDU], ax: Axes | None = None) -> Axes:
    """Draw the error of EP's update of every synapse against the step.

    Parameters
    ----------
    result : sequence of GDU
        For one nudge or for two: the first with filled marks, the second with open ones and dashed lines.
    ax : Axes, optional
        Where, default a figure of its own.
    """
    ax = style.axes(ax)
    for gdu, line, fill in zip(result, ("-", "--"), ("full", "none"), strict=False):
        for number, (name, curve) in enumerate(gdu.curves.items()):
            colour, marker = style.colour(number), style.marker(number)
            steps = np.flatnonzero(curve.error > 0)
            label = name if gdu is result[0] else None
            look: style.Look = {"color": colour, "marker": marker, "fillstyle": fill, "linestyle": line}
            ax.plot(steps + 1, curve.error[steps], markersize=5, linewidth=1.2, label=label, **look)
    ax.set_yscale("log")
    ax.set_ylim(bottom=max(ax.get_ylim()[0], 1e-12))
    _until(ax, result[0])
    betas = " (solid), ".join(f"{gdu.beta:g}" for gdu in result) + (" (dashed)" if len(result) > 1 else "")
    style.dress(ax, x="settle step", y="error [share of the largest update]", title=rf"whole matrices, $\beta$ {betas}")
    style.legend(ax, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def plot_gradient_error(result: Sequence[Agreement], ax: Axes | None = None, *, parameter: str | None = None) -> Axes:
    """Draw the relative error of the estimators against beta, with a guide for each power with which one falls.

    Parameters
    ----------
    result : sequence of Agreement
        Of several betas.
    ax : Axes, optional
        Where, default a figure of its own.
    parameter : str, optional
        Draw this parameter; default the largest error of any parameter.
    """
    ax = style.axes(ax)
    guided: set[int] = set()
    for number, kind in enumerate(dict.fromkeys(row.estimator for row in result)):
        beta, error = _errors(result, kind, parameter)
        if not len(beta):
            continue
        colour, marker = style.colour(number), style.marker(number)
        look: style.Look = {"color": colour, "marker": marker, "fillstyle": FILLS.get(kind, "full")}
        ax.plot(beta, error, markersize=6, linewidth=1.4, label=LABELS.get(kind, kind), **look)
        order = named(kind).order
        if order not in guided:
            _guide(ax, beta, error, order)
            guided.add(order)
    ax.set_xscale("log")
    ax.set_yscale("log")
    title = parameter or "worst parameter"
    style.dress(ax, x=r"nudge $\beta$ [1]", y="relative error of the gradient [1]", title=title)
    style.legend(ax)
    return ax


def _errors(rows: Sequence[Agreement], kind: str, parameter: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return betas and errors of one estimator, one parameter's or the largest of all."""
    largest: dict[float, float] = {}
    for row in rows:
        if row.estimator == kind and parameter in (None, row.parameter) and row.error > 0 and math.isfinite(row.error):
            largest[row.beta] = max(row.error, largest.get(row.beta, 0.0))
    betas = sorted(largest)
    return np.array(betas), np.array([largest[beta] for beta in betas])


def _guide(ax: Axes, beta: np.ndarray, error: np.ndarray, power: int) -> None:
    """Draw a line of slope ``power`` a little above the error at the smallest beta, of high powers at the largest.

    The error of a formula of high order is rounding at small beta.
    """
    at = 0 if power <= 2 else int(np.argmin(np.abs(np.log(beta / LARGE))))
    line = 3 * error[at] * (beta / beta[at]) ** power
    seen = (line < 3) & (line > 0.1 * error.min())
    exponent = str(power) if power < 10 else f"{{{power}}}"
    label = r"$\propto \beta$" if power == 1 else rf"$\propto \beta^{exponent}$"
    look = LINES.get(power, "-.")
    ax.plot(beta[seen], line[seen], color=style.GREY, linestyle=look, linewidth=1.2, label=label)


def _panels(sheet: Figure, rows: int, columns: int, count: int) -> list[Axes]:
    return [sheet.add_subplot(rows, columns, place + 1) for place in range(count)]


def gdu_sheet(result: Sequence[GDU]) -> Figure:
    """Return one panel of curves for every synapse, and one of the errors; the curves are those of the first nudge."""
    first = result[0]
    count = len(first.curves)
    columns = min(COLUMNS, count)
    rows = count // columns + 1
    sheet = style.figure(WIDTH * columns, HEIGHT * rows)
    for name, ax in zip(first.curves, _panels(sheet, rows, columns, count), strict=True):
        plot_gdu(first, ax, synapse=name)
    plot_gdu_error(result, sheet.add_subplot(rows, columns, (count + 1, rows * columns)))
    about = rf"marks: EP, {first.estimator}, $\beta = {first.beta:g}$;  lines: BPTT"
    sheet.suptitle(about, fontsize=style.TITLE, x=0.01, ha="left")
    return sheet


def error_sheet(result: Sequence[Agreement]) -> Figure:
    """Return one panel of errors against beta for every parameter whose gradient does not vanish."""
    names = list(dict.fromkeys(row.parameter for row in result if row.error > 0 and math.isfinite(row.error)))
    count = max(1, len(names))
    columns = 2 if count == 4 else min(COLUMNS, count)
    rows = -(-count // columns)
    sheet = style.figure(WIDTH * columns, HEIGHT * rows)
    panels = _panels(sheet, rows, columns, count)
    for ax, name in zip_longest(panels, names):
        plot_gradient_error(result, ax, parameter=name)
        if ax is not panels[0] and (box := ax.get_legend()):
            box.remove()
    return sheet


@dataclass(frozen=True)
class Sheet:
    """A picture that a gradient check leaves in its directory, and its page shows."""

    file: str
    place: float
    """Order on the page."""
    title: str
    caption: str
    draw: Callable[[Sequence[Agreement], Sequence[GDU]], Figure]
    """Draws errors against the nudge, or curves by step."""


GDU_SHEET = Sheet(
    "gdu.png",
    10,
    "Step by step",
    "What each settle step adds to the gradient of some weights: by EP (marks) and by back-propagation through time "
    "(lines). The last picture shows their distance in whole matrices. It shrinks with the nudge.",
    lambda _, curves: gdu_sheet(curves),
)
ERROR_SHEET = Sheet(
    "gradient_error.png",
    20,
    "Error by nudge",
    "Relative error of converged EP by the size of the nudge. The error of the centred estimator falls with its "
    "square, that of the one-sided ones in proportion to it, and that of N points with its power N. In the end "
    "rounding dominates.",
    lambda rows, _: error_sheet(rows),
)


def sheets() -> list[Sheet]:
    """Return the sheets of a check in their order."""
    return sorted((sheet for _, sheet in panels.declared(__package__, Sheet)), key=lambda sheet: sheet.place)
