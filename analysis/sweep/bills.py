# Tested by tests/analysis/test_bills.py
"""Accuracy of a sweep's points against what they take, and the front of those that none is better than in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from analysis.drawing import html, numbers, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from analysis.sweep.panels import Targeted, drawable_rows
from analysis.sweep.points import names, points, varied
from analysis.sweep.unpriced import lacking
from hw_models.reading import Entries
from neuroep.errors import ConfigError
from neuroep.runs.bills import quantity

UNITS = {"energy": "J", "latency": "s", "update_energy": "J", "update_latency": "s"}
"""What can be paid, and in what."""
CALLED = {
    "energy": "energy of a classification",
    "latency": "latency of a classification",
    "update_energy": "energy of an update",
    "update_latency": "latency of an update",
}
FAR = 0.7
"""Share of the width from which on a name has no room on the right of its point."""
DOWN, UP, LINE = -10, 6, 11
"""Points from a point of the front to the foot of its name, below or above, and from that to the next name's."""
ROOM = 0.12
"""Share of the height that stays free above and below all points: for the name below the lowest."""


@dataclass(frozen=True)
class Priced:
    """Points of a sweep with what they take."""

    paid: str
    """A key of :data:`UNITS`."""
    name: Sequence[str]
    """Of each point."""
    accuracy: Sequence[float]
    """Mean over its seeds."""
    price: Sequence[float]
    """Mean over its seeds."""
    lacking: Sequence[str] = ()
    """What the prices of points leave out that are not among these."""

    @property
    def front(self) -> list[int]:
        """Numbers of the points on the Pareto front, the cheapest first."""
        return front(self.price, self.accuracy)


def front(price: Sequence[float], accuracy: Sequence[float]) -> list[int]:
    """Return the numbers of the points that no other beats in one and reaches in the other, the cheapest first."""
    order = sorted(range(len(price)), key=lambda n: (price[n], -accuracy[n]))
    found: list[int] = []
    for number in order:
        if not found or accuracy[number] > accuracy[found[-1]]:
            found.append(number)
    return found


def priced(rows: Sequence[Entries], paid: str) -> Priced:
    """Return the points of trials with their mean accuracy and price; those without either are left out.

    So are those whose price leaves out what that of others holds: they would stand on the front for that alone.

    Raises
    ------
    ConfigError
        If that is nothing that is paid.
    """
    if paid not in UNITS:
        raise ConfigError(f"paid is '{paid}': allowed are {', '.join(UNITS)}")
    known = [row for row in rows if numbers.known(row.get(paid)) and numbers.known(row.get("accuracy"))]
    good = [row for row, lacks in zip(known, lacking(known, paid), strict=True) if not lacks]
    left = dict.fromkeys(name for lacks in lacking(known, paid) for name in lacks)
    fields = varied(good) if good else ()
    found = points(good, fields) if good else []
    prices = []
    for point in found:
        own = [row[paid] for row in good if all(row[f] == v for f, v in zip(fields, point.values, strict=True))]
        prices.append(float(np.mean(own)))
    called = []
    for column, field in zip(zip(*(point.values for point in found), strict=True), fields, strict=False):
        different = [value for number, value in enumerate(column) if value not in column[:number]]
        short = names(different)
        called.append([f"{field.rsplit('.', 1)[-1]} {short[different.index(value)]}" for value in column])
    whole = [", ".join(parts) for parts in zip(*called, strict=True)] if called else [""] * len(found)
    return Priced(paid, whole, [point.mean for point in found], prices, tuple(left))


def plot_price(result: Priced, ax: Axes | None = None) -> Axes:
    """Draw accuracy against what a point takes, every point a dot, and the Pareto front a line with names."""
    ax = style.axes(ax)
    best = result.front
    ax.plot(result.price, [100 * share for share in result.accuracy], "o", color=style.GREY, alpha=0.6, label="points")
    ax.step([result.price[n] for n in best], [100 * result.accuracy[n] for n in best], "o-", where="post",
            color=style.colour(0), label="Pareto front")  # fmt: skip
    ax.margins(y=ROOM)
    if result.price and min(result.price) > 0 and max(result.price) > 3 * min(result.price):
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 4)))
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(EngFormatter(UNITS[result.paid]))
    places = [(result.price[number], 100 * result.accuracy[number]) for number in best]
    _name(ax, [style.drawable(result.name[number], 40) for number in best], places)
    what = CALLED[result.paid]
    style.dress(ax, x=what, y="accuracy [%]", title=f"Accuracy by {what}")
    style.legend(ax)
    return ax


def _name(ax: Axes, names: Sequence[str], places: Sequence[tuple[float, float]]) -> None:
    """Write the names of points beside them, below on the right, or above on the left where the right has no room.

    Points of a front rise to the right. Names below are written from the last to the first, and those above from the
    first to the last, each a line apart from the one before.
    """
    ax.autoscale_view()
    sheet, drawn = ax.get_figure(root=True), ax.transData.transform(places)
    inch = 72.0 if sheet is None else sheet.dpi
    heights, top = 72 / inch * drawn[:, 1], 72 / inch * float(ax.transAxes.transform((0, 1))[1])
    far = ax.transAxes.inverted().transform(drawn)[:, 0] > FAR
    levels = heights + np.where(far, UP, DOWN)
    below, above = [n for n in reversed(range(len(names))) if not far[n]], [n for n in range(len(names)) if far[n]]
    for last, n in pairwise(below):
        levels[n] = min(levels[n], levels[last] - LINE)
    for last, n in pairwise(above):
        levels[n] = max(levels[n], levels[last] + LINE)
    levels[above] -= max(levels[above].max(initial=0) + LINE - top, 0)
    rim = [withStroke(linewidth=2.4, foreground="white")]
    for name, place, offset, left in zip(names, places, levels - heights, far, strict=True):
        across, side = (-6, "right") if left else (4, "left")
        ax.annotate(name, place, (across, offset), textcoords="offset points", ha=side, fontsize=style.TEXT - 2,
                    path_effects=rim)  # fmt: skip


def _measure(subject: Targeted) -> list[Priced]:
    rows = drawable_rows(subject.sweep)
    found = [priced(rows, paid) for paid in UNITS]
    return [one for one in found if len(set(one.price)) > 1]


def _about(result: Priced) -> str:
    low, high = (quantity(end(result.price), UNITS[result.paid]) for end in (min, max))
    told = f"Means over seeds, from {low} to {high}. The line joins points that no other beats in both."
    return f"{told} Not drawn: points whose bill leaves out {', '.join(result.lacking)}." if result.lacking else told


def _table(results: Sequence[Priced]) -> str:
    """Return the fronts as tables."""
    parts = []
    for one in results:
        unit = UNITS[one.paid]
        rows = [(one.name[n], numbers.share(one.accuracy[n]), quantity(one.price[n], unit)) for n in one.front]
        parts.append(html.table(("Pareto front", "accuracy", one.paid.replace("_", " ")), rows))
    return "\n".join(parts)


PRICES = Panel(
    "Cost",
    21,
    _measure,
    [Picture(plot_price, _about, lambda found: f"accuracy by {found.paid}", (8.2, 4.4))],
    title="Accuracy and price",
    below=_table,
    beside=False,
)
