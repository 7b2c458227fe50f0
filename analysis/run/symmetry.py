"""Maps of how far the devices of an array are from their symmetry points, where steps up and down are alike.

found = analysis.run.symmetry.distance(session.engine.arrays["dense_1"].crossbar)
plot_symmetry_map(found)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.drawing import html, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.run.conductances import crossbars
from analysis.run.subject import Subject
from analysis.run.weights import MOST
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.symmetry import symmetry_points
from neuroep.errors import ConfigError

WIDEST = 400
"""Most devices along an axis that are drawn; of larger arrays every n-th."""


@dataclass(frozen=True)
class Distances:
    """Of the devices of one array, G+ of a pair."""

    name: str
    away: np.ndarray
    """(out, in) state less symmetry point, in shares of the weight range."""


def distance(crossbar: Crossbar) -> Distances:
    """Return how far every device that takes pulses is from its symmetry point.

    Raises
    ------
    ConfigError
        If no pulse moves its devices, or if they move one way alone and have none.
    """
    cells = crossbar.cells
    if cells is None:
        raise ConfigError(f"crossbar '{crossbar.name}': its devices take no pulses and have no symmetry point")
    side = cells.sides[0]
    if side.one_way:
        raise ConfigError(f"crossbar '{crossbar.name}': its devices move one way and have no symmetry point")
    state = cells.states[0] if cells.states else crossbar.stored
    return Distances(crossbar.name, np.asarray(state - symmetry_points(side)))


def plot_symmetry_map(result: Distances, ax: Axes | None = None) -> Axes:
    """Draw the distance of every device from its symmetry point; colours end at the 99.5th percentile of its size."""
    ax = style.axes(ax, 6.6, 4.6)
    steps = [max(1, -(-size // WIDEST)) for size in result.away.shape]
    image = result.away[:: steps[0], :: steps[1]]
    height, width = result.away.shape
    top = float(np.percentile(np.abs(result.away), 99.5)) or 1.0
    drawn = ax.imshow(
        image, cmap="RdBu_r", aspect="auto", interpolation="nearest", vmin=-top, vmax=top,
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
    )  # fmt: skip
    bar = ax.figure.colorbar(drawn, ax=ax, extend="both")
    bar.set_label("state minus symmetry point [share of the weight range]", fontsize=style.TEXT)
    bar.ax.tick_params(labelsize=style.TEXT - 1)
    rms = float(np.sqrt(np.square(result.away).mean()))
    style.dress(ax, x="input", y="output", title=f"{result.name}: {rms:.2g} of the range away, rms")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    ax.grid(False)
    return ax


def _measure(subject: Subject) -> list[Distances]:
    """Return the distances of all arrays that learn by pulses, as the checkpoint has them."""
    chip = subject.run.config.chip
    if chip is None or not chip.update.in_memory or chip.device.cell.kind == "one_sided" or not subject.saved.devices:
        return []
    found = crossbars(subject.run, subject.saved, subject.saved.parameters, as_learned=True).values()
    return [distance(bar) for bar in found if bar.cells is not None and min(bar.shape) > 0]


def _about(results: Sequence[Distances]) -> str:
    about = "Far from it, a device answers a pulse up otherwise than a pulse down, and pulses that cancel pull it back."
    return html.paragraph(about, "note") if results else ""


SYMMETRY = Panel(
    "Symmetry points",
    96,
    _measure,
    [Picture(plot_symmetry_map, "Distance of every device from its symmetry point.", lambda found: found.name)],
    below=_about,
    most=MOST,
)
