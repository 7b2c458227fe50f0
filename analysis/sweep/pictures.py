"""Pictures of a sweep: accuracy against one setting with a band over seeds, and against two as a map.

A setting that is unset is the exact case: it is drawn as a line, not as a point.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from analysis.drawing import style

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke

from analysis.sweep.points import LONGEST, Point, Row, is_number, key, label, names as distinct, points, shown, varied
from neuroep.errors import ConfigError

__all__ = ["label", "plot_accuracy", "plot_heat_map", "points", "varied"]

Grid = tuple[np.ndarray, np.ndarray, np.ma.MaskedArray]
"""Places along x, along y, and accuracies [%] (lines, columns)."""
NUMBER = 8.5
"""Size of the numbers in cells [pt]."""
WIDE = 40.0
"""Ratio of the largest to the smallest positive value from which the axis is logarithmic."""
SERIES = len(style.COLOURS)
"""Most lines of one picture."""
FEW = 3
"""Most lines whose names find room among them."""
TICKS = 12
"""Most named ticks of an axis; of more every n-th is named."""
FINE = 200
"""Points along either axis on which scattered accuracies are interpolated."""
FULL = 0.5
"""Share of all combinations from which a design counts as a grid."""
MOST_NUMBERS = (11, 14)
"""Most columns and lines of cells with their number written in."""


def plot_accuracy(
    rows: Sequence[Row], field: str, ax: Axes | None = None, *, ideal: float | None = None, series: str | None = None
) -> Axes:
    """Draw mean accuracy against a setting, a band of one standard deviation over the seeds, and every trial.

    Parameters
    ----------
    rows : sequence of mapping
        Trials of a sweep.
    field : str
        Dotted name of the setting along x.
    ax : Axes, optional
        Where, default a figure of its own.
    ideal : float, optional
        Accuracy of the exact network, drawn as a line; default those of the trials where the setting is unset.
    series : str, optional
        Setting of which each value gets a line of its own; default the other one if two are varied as a grid. Trials
        are pooled over all further settings.

    Raises
    ------
    ConfigError
        If the sweep does not vary one of the settings, both are the same, or ``ideal`` is no share.
    """
    _check_share("ideal", ideal)
    found, others = points(rows, [field]), [name for name in varied(rows) if name != field]
    if series is None and len(others) == 1 and len(points(rows, [field, others[0]])) > len(found):
        series = others[0]
    if series == field:
        raise ConfigError(f"series is '{series}': it is along x already, name another setting")
    ax = style.axes(ax)
    numbers = all(is_number(point.values[0]) for point in found if point.values[0] is not None)
    places = [point.values[0] for point in found if not (numbers and point.values[0] is None)]
    order = {key(value): float(value) if numbers and is_number(value) else n for n, value in enumerate(places)}
    pooled = [name for name in others if name != series]
    parts, left_out = ([(None, rows)], "") if series is None else _series(rows, series)
    called = distinct([value for value, _ in parts])
    for number, (_, members) in enumerate(parts):
        drawn = points(members, [field])
        exact = drawn.pop() if numbers and drawn[-1].values[0] is None else None
        name = _about(drawn, pooled) if series is None else called[number]
        joined = numbers and not (pooled and all(len(point.accuracies) < 2 for point in found))
        _draw_series(ax, [order[key(point.values[0])] for point in drawn], drawn, number, name, joined)
        if ideal is None and exact is not None and len(exact.accuracies):
            colour, about = (style.GREY, "") if series is None else (style.colour(number), f"{name}, ")
            _level(ax, exact.mean, f"{about}{field.rsplit('.', 1)[-1]} unset", colour)
    if ideal is not None:
        _level(ax, ideal, "ideal", style.GREY)
    _scale(ax, places, numbers)
    style.dress(ax, x=label(field), y="accuracy [%]", title=_title(found, pooled, left_out))
    crowded = len(parts) > FEW or not numbers
    outside = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)} if crowded else {}
    style.legend(ax, title=series, title_fontsize=style.TEXT - 1, **outside)
    return ax


def _check_share(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        raise ConfigError(f"{name} is {value}: an accuracy is a share, allowed are 0 to 1")


def _about(drawn: Sequence[Point], pooled: Sequence[str]) -> str:
    """Return what a line without a series is."""
    several = any(len(point.accuracies) > 1 for point in drawn)
    return f"mean and std over {'trials' if pooled else 'seeds'}" if several else "accuracy, one trial each"


def _level(ax: Axes, accuracy: float, name: str, colour: str) -> None:
    """Draw an accuracy across the whole axes."""
    ax.axhline(100 * accuracy, color=colour, linestyle="--", linewidth=1.4, label=f"{name}: {accuracy:.1%}")


def _title(found: Sequence[Point], pooled: Sequence[str] = (), *notes: str) -> str:
    """Return the title, with what a reader must know of the trials on lines of their own."""
    failed = sum(point.failed for point in found)
    trials = failed + sum(len(point.accuracies) for point in found)
    told = [f"{trials} trial{'s' * (trials != 1)}"]
    told += [f"{failed} failed"] * bool(failed)
    told += [f"pooled over {', '.join(pooled)}"] * bool(pooled)
    return "\n".join(textwrap.wrap(", ".join([*told, *(note for note in notes if note)]), LONGEST))


def _series(rows: Sequence[Row], field: str) -> tuple[list[tuple[object, Sequence[Row]]], str]:
    """Return trials by value of a setting; of too many values some at equal distances, and a note of it."""
    values = [point.values[0] for point in points(rows, [field])]
    chosen = np.unique(np.linspace(0, len(values) - 1, min(SERIES, len(values))).round().astype(int))
    parts: list[tuple[object, Sequence[Row]]]
    parts = [(v, [row for row in rows if key(row.get(field)) == key(v)]) for v in (values[i] for i in chosen)]
    return parts, f"{len(parts)} of {len(values)} lines" if len(parts) < len(values) else ""


def _draw_series(ax: Axes, x: Sequence[float], drawn: Sequence[Point], number: int, name: str, joined: bool) -> None:
    """Draw means joined by a line with a band, or, of words and of single scattered trials, with bars."""
    colour, marker = style.colour(number), style.marker(number)
    mean = 100 * np.array([point.mean for point in drawn])
    std = 100 * np.array([point.std for point in drawn])
    if np.nansum(std) > 0 and joined:
        ax.fill_between(x, mean - std, mean + std, color=colour, alpha=0.18, linewidth=0)
    elif np.nansum(std) > 0:
        ax.vlines(x, mean - std, mean + std, color=colour, alpha=0.35, linewidth=6)
    for place, point in zip(x, drawn, strict=True):
        each = 100 * point.accuracies
        ax.plot(np.full(len(each), place), each, ".", color=colour, markersize=4, alpha=0.55)
    line = "-" if joined else "none"
    ax.plot(x, mean, color=colour, marker=marker, markersize=5.5, linestyle=line, linewidth=1.6, label=name)


def _scale(ax: Axes, values: Sequence[object], numbers: bool) -> None:
    """Choose a linear or logarithmic axis for numbers, ticks with names for the rest."""
    if not numbers:
        _name_ticks(ax.xaxis, values)
        return
    found = [value for value in values if is_number(value)]
    positive = [float(value) for value in found if value > 0]
    if positive and max(positive) / min(positive) >= WIDE and min(found) >= 0:
        if min(found) > 0:
            ax.set_xscale("log")
        else:
            ax.set_xscale("symlog", linthresh=min(positive), linscale=0.5)
            ax.set_xlim(-0.15 * min(positive), 1.2 * max(positive))
        places = ax.transData.transform([(float(value), 0) for value in found])[:, 0]
        if len(found) <= TICKS and np.diff(places).min(initial=np.inf) >= 0.05 * np.ptp(places):
            ax.minorticks_off()
            ax.set_xticks([float(value) for value in found], _names(found))
    elif all(float(value).is_integer() for value in found):
        style.whole_steps(ax)


def _names(values: Sequence[object]) -> list[str]:
    """Return what ticks are called: numbers with three digits where these tell them apart."""
    short = [f"{value:.3g}" if isinstance(value, float) else shown(value) for value in values]
    return short if len(set(short)) == len(short) else distinct(values)


def _name_ticks(axis: Axis, values: Sequence[object]) -> None:
    """Name the places 0, 1, ... by values, of too many every n-th; long names along x are turned."""
    every = range(0, len(values), -(-len(values) // TICKS))
    names = _names([values[n] for n in every])
    axis.set_ticks(list(every), names)
    if isinstance(axis, XAxis) and sum(len(name) + 2 for name in names) > LONGEST:
        for text in axis.get_ticklabels():
            text.set(rotation=30, ha="right", rotation_mode="anchor")


def plot_heat_map(rows: Sequence[Row], x: str, y: str, target: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw the mean accuracy over two settings, with the contour along which it meets a target.

    A grid of values becomes cells of equal size, labelled with their values; other designs, in which few combinations
    occur, become points at their values. Combinations without an accuracy stay grey. The contour is linear between the
    centres of cells, or between points on the scale of the axes; beside words, which have no order, it follows the
    borders of cells.

    Parameters
    ----------
    rows : sequence of mapping
        Trials of a sweep; pooled over seeds and all other settings.
    x, y : str
        Dotted names of the settings.
    target : float, optional
        Accuracy of the contour, as a share.
    ax : Axes, optional
        Where, default a figure of its own.

    Raises
    ------
    ConfigError
        If the sweep does not vary one of the settings, both are the same, no trial has an accuracy, or the target is
        no share.
    """
    _check_share("target", target)
    if x == y:
        raise ConfigError(f"y is '{y}': it is along x already, name another setting")
    found = points(rows, [x, y])
    if not any(len(point.accuracies) for point in found):
        raise ConfigError("the sweep has no accuracy: all trials failed")
    ax = style.axes(ax, 7.0, 5.0)
    columns, lines = ([point.values[0] for point in points(rows, [name])] for name in (x, y))
    both = all(is_number(value) for value in [*columns, *lines])
    if len(found) < FULL * len(columns) * len(lines) and both:
        drawn = _scatter(ax, found, target)
    else:
        drawn = _cells(ax, found, (columns, lines), target)
    bar = ax.figure.colorbar(drawn, ax=ax)
    bar.set_label("mean accuracy [%]", fontsize=style.TEXT)
    bar.ax.tick_params(labelsize=style.TEXT - 1)
    pooled = [name for name in varied(rows) if name not in (x, y)]
    style.dress(ax, x=label(x), y=label(y, 46), title=_title(found, pooled))
    ax.grid(False)
    if target is not None:
        style.legend(ax, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    return ax


def _cells(
    ax: Axes, found: Sequence[Point], axes: tuple[list[object], list[object]], target: float | None
) -> ScalarMappable:
    columns, lines = axes
    where = [{key(value): n for n, value in enumerate(values)} for values in axes]
    mean = np.full((len(lines), len(columns)), np.nan)
    for point in found:
        mean[where[1][key(point.values[1])], where[0][key(point.values[0])]] = 100 * point.mean
    ax.set_facecolor("#cccccc")
    image = ax.imshow(mean, origin="lower", aspect="auto", cmap="cividis", interpolation="nearest")
    if len(columns) <= MOST_NUMBERS[0] and len(lines) <= MOST_NUMBERS[1]:
        _write_numbers(ax, mean, image)
    words = any(not is_number(value) for value in [*columns, *lines] if value is not None)
    if target is not None and words:
        _borders(ax, mean, target)
    elif target is not None:
        places, values = [np.arange(n, dtype=float) for n in (len(columns), len(lines))], mean
        for axis in (0, 1):
            if mean.shape[axis] == 1:  # a contour needs two: across a single line it runs straight
                places[1 - axis], values = np.array([-0.5, 0.5]), np.repeat(values, 2, axis=axis)
        _contour(ax, (places[0], places[1], np.ma.masked_invalid(values)), mean, target)
    _name_ticks(ax.xaxis, columns)
    _name_ticks(ax.yaxis, lines)
    return image


def _write_numbers(ax: Axes, mean: np.ndarray, image: ScalarMappable) -> None:
    """Write the accuracy into every cell, with a rim that keeps it legible where the contour passes."""
    for (line, column), value in np.ndenumerate(mean):
        if np.isfinite(value):
            ink, rim = style.inks(tuple(image.to_rgba(value)))
            text = ax.text(column, line, f"{value:.1f}", ha="center", va="center", fontsize=NUMBER, color=ink, zorder=4)
            text.set_path_effects([withStroke(linewidth=1.2, foreground=rim, alpha=0.6)])


def _scatter(ax: Axes, found: Sequence[Point], target: float | None) -> ScalarMappable:
    kept = [point for point in found if len(point.accuracies)]
    x, y, mean = (np.array(v, dtype=float) for v in zip(*[(*p.values, 100 * p.mean) for p in kept], strict=True))
    logs = [bool(values.min() > 0 and values.max() / values.min() >= WIDE) for values in (x, y)]
    for log, scale in zip(logs, (ax.set_xscale, ax.set_yscale), strict=True):
        if log:
            scale("log")
    if target is not None:
        _contour(ax, _interpolated((x, y), mean, logs), mean, target)
    drawn = ax.scatter(x, y, c=mean, cmap="cividis", s=70, edgecolors="white", linewidths=0.6, zorder=3)
    ax.use_sticky_edges = False
    ax.margins(0.06)
    return drawn


def _interpolated(places: Sequence[np.ndarray], mean: np.ndarray, logs: Sequence[bool]) -> Grid:
    """Return a fine grid of linear interpolation between points, on the scale of the axes; masked outside of them."""
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import QhullError

    scaled = [np.log10(values) if log else values for values, log in zip(places, logs, strict=True)]
    fine = [np.linspace(values.min(), values.max(), FINE) for values in scaled]
    spans = [np.ptp(values) or 1.0 for values in scaled]
    unit = [(values - values.min()) / span for values, span in zip(scaled, spans, strict=True)]
    try:
        surface = LinearNDInterpolator(np.column_stack(unit), mean)
        found = surface(*np.meshgrid(*[np.linspace(0, 1, FINE)] * 2))
    except QhullError:  # fewer than three points, or all on a line
        found = np.full((FINE, FINE), np.nan)
    x, y = (10**values if log else values for values, log in zip(fine, logs, strict=True))
    return x, y, np.ma.masked_invalid(found)


def _borders(ax: Axes, mean: np.ndarray, target: float) -> None:
    """Draw the borders between neighbouring cells of which one meets the target, and name them."""
    met, known = mean >= 100 * target, np.isfinite(mean)
    parts = []
    for line, column in np.argwhere((met[:, 1:] != met[:, :-1]) & known[:, 1:] & known[:, :-1]):
        parts.append([(column + 0.5, line - 0.5), (column + 0.5, line + 0.5)])
    for line, column in np.argwhere((met[1:] != met[:-1]) & known[1:] & known[:-1]):
        parts.append([(column - 0.5, line + 0.5), (column + 0.5, line + 0.5)])
    for colour, width in (("white", 4.4), (style.VERMILION, 2.4)):
        drawn = LineCollection(parts, colors=colour, linewidths=width, capstyle="projecting", zorder=3)
        ax.add_collection(drawn, autolim=False)
    _name_contour(ax, mean, target, bool(parts))


def _contour(ax: Axes, values: Grid, mean: np.ndarray, target: float) -> None:
    """Draw where the accuracy is the target, and name the line."""
    level = 100 * target
    crossed = bool(values[2].min() < level <= values[2].max())
    if crossed:
        drawn = ax.contour(*values, levels=[level], colors=[style.VERMILION], linewidths=2.4)
        drawn.set_path_effects([withStroke(linewidth=4.4, foreground="white")])
    _name_contour(ax, mean, target, crossed)


def _name_contour(ax: Axes, mean: np.ndarray, target: float, crossed: bool) -> None:
    """Name the contour; without a line say why."""
    low, high, level = float(np.nanmin(mean)), float(np.nanmax(mean)), 100 * target
    name = f"accuracy {level:g} %"
    if level <= low or high < level:
        name += ": never met" if high < level else ": always met"
    elif not crossed:
        name += ": met, without a line through neighbours"
    ax.plot([], [], color=style.VERMILION, linewidth=2.4, label=name)
