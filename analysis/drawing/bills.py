# Tested by tests/analysis/test_bills.py
"""Bills of chips in bars and tables: what a classification or an update takes, by part, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.drawing import html, numbers, style

import numpy as np
from matplotlib.axes import Axes

from hw_models.cost.formulas import PARTS
from hw_models.reading import Entries
from neuroep.runs.bills import quantity

LONGEST = 48
"""Letters of a name beside its bar."""
Bills = Mapping[str, Entries]
"""Bills by what they are of, each a page as :meth:`hw_models.cost.bill.Bill.as_dict` gives it."""


def plot_bills(result: Bills, ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw the energy of each bill as a bar on a logarithmic scale, and its parts as shares of the bar's length.

    Parameters
    ----------
    result : mapping of str to mapping
        Bills by name.
    ax : Axes, optional
        Where, default a figure of its own.
    title : str
        Line above, default what is drawn.
    """
    ax = style.axes(ax, 7.0, 1.6 + 0.5 * max(2, len(result)))
    drawn = {name: bill for name, bill in result.items() if bill["energy"]}
    energies = [bill["energy"] for bill in drawn.values()]
    parts = [part for part in PARTS if any(bill["by_part"].get(part) for bill in drawn.values())]
    low = min(energies, default=1.0) / 10
    for place, bill in enumerate(drawn.values()):
        left, span = low, np.log(bill["energy"] / low)
        for part in parts:
            right = left * np.exp(span * bill["by_part"].get(part, 0.0) / bill["energy"])
            ax.barh(place, right - left, left=left, color=style.colour(PARTS.index(part)))
            left = right
        seconds = bill.get("latency")
        told = quantity(bill["energy"], "J") + (f", {quantity(seconds, 's')}" if numbers.known(seconds) else "")
        where: style.Look = {"textcoords": "offset points", "va": "center", "fontsize": style.TEXT - 2}
        ax.annotate(told, (bill["energy"], place), (3, 0), **where)
    for part in parts:
        ax.barh(0, 0, left=low, color=style.colour(PARTS.index(part)), label=part)
    ax.set_xscale("log")
    ax.set_xlim(low, max(energies, default=1.0) * (max(energies, default=1.0) / low) ** 0.35)
    ax.set_yticks(range(len(drawn)), [style.drawable(name, LONGEST) for name in drawn])
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    style.dress(ax, x="energy [J], parts as shares of a bar", y="bill", title=title or "energy by part")
    if parts:
        style.legend(ax, loc="center left", bbox_to_anchor=(1.01, 0.5))
    else:
        ax.text(0.5, 0.5, "nothing priced", transform=ax.transAxes, ha="center", va="center", color=style.GREY)
    return ax


def table(result: Bills) -> str:
    """Return bills as a table, a line for each: energy, latency, area, parts, and below what is left out."""
    parts = [part for part in PARTS if any(bill["by_part"].get(part) for bill in result.values())]
    heads = ("bill", "energy", "latency", "area", *parts)
    rows = [(name, *_row(bill, parts)) for name, bill in result.items()]
    left = [f"{name} leaves out: {', '.join(bill['leaves_out'])}." for name, bill in result.items()]
    return "\n".join([html.table(heads, rows), *(html.paragraph(line, "note") for line in left)])


def sources(result: Bills) -> str:
    """Return where the constants come from."""
    lines = dict.fromkeys(line for bill in result.values() for line in bill["components"])
    return html.details("Sources of the constants", html.points(list(lines))) if lines else ""


def _row(bill: Entries, parts: Sequence[str]) -> list[str]:
    known = [(bill["energy"], "J"), (bill["latency"], "s"), (bill["area"], "m^2")]
    known += [(bill["by_part"].get(part), "J") for part in parts]
    return [quantity(value, unit) if numbers.known(value) else numbers.NONE for value, unit in known]
