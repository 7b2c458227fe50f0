"""How many pulses the devices of a run got, where they were counted (``device.endurance``), and what wears out first.

found = session.engine.wear()
plot_pulses(found)
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.drawing import html, numbers, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes

from analysis.run.conductances import crossbars
from analysis.run.subject import Subject
from hw_models.wear import Wear, first_of
from neuroep.errors import ConfigError

BINS = 50
"""Of the histogram."""


def plot_pulses(result: Sequence[Wear], ax: Axes | None = None) -> Axes:
    """Draw how many devices got how many pulses, a line for each array, and what a device takes.

    Raises
    ------
    ConfigError
        If there is no array whose pulses were counted.
    """
    if not result:
        raise ConfigError("result has no array: pulses are counted with device.endurance")
    ax = style.axes(ax, 6.0, 3.5)
    most = max(max(wear.most for wear in result), 1.0)
    for number, wear in enumerate(result):
        counts, edges = np.histogram(wear.pulses, bins=BINS, range=(0, most))
        shares = 100 * counts / max(wear.pulses.size, 1)
        ax.stairs(shares, edges, color=style.colour(number), linewidth=1.6, label=wear.name)
    for end in sorted({wear.endurance for wear in result}):
        if end <= 1.05 * most:
            ax.axvline(end, color=style.GREY, linestyle=":", linewidth=1.4, label="endurance")
    style.dress(ax, x="number of pulses of a device", y="share of devices [%]", title="Pulses of every device")
    style.legend(ax, loc="upper right")
    return ax


def _measure(subject: Subject) -> list[list[Wear]]:
    """Return the pulses of all arrays of a run as its checkpoint has them; nothing where they were not counted."""
    chip = subject.run.config.chip
    if chip is None or chip.device.endurance is None or not subject.saved.devices:
        return []
    bars = crossbars(subject.run, subject.saved, subject.saved.parameters, as_learned=True).values()
    every = [each for bar in bars for each in (bar, bar.other) if each is not None]
    found = [wear for bar in every if bar.cells is not None and (wear := bar.cells.wear()) is not None]
    return [found] if found else []


def _table(results: Sequence[Sequence[Wear]]) -> str:
    rows = []
    for wear in (wear for found in results for wear in found):
        side, output, source = wear.first
        place = f"{output} \u2190 {source}" + (", G-" if side else "")
        rows.append([wear.name, f"{wear.mean:.3g}", f"{wear.most:.3g}", place, numbers.share(wear.worn)])
    heads = ("array", "pulses, mean", "most", "of device", "beyond the endurance")
    return html.table(heads, rows, words=(0, 3)) if rows else ""


def _first(results: Sequence[Sequence[Wear]]) -> str:
    found = first_of(wear for wears in results for wear in wears)
    if found is None:
        return ""
    share = numbers.share(found.most / found.endurance)
    told = f"The first device to wear out is in {found.name}: it has had {share} of the pulses that it endures."
    return html.paragraph(told, "note")


PULSES_OF_DEVICES = Panel(
    "Wear",
    95,
    _measure,
    [Picture(plot_pulses, "Pulses that the devices of every array got since the run began.", size=None)],
    above=_first,
    below=_table,
)
