"""Pictures of arrays that learn: chosen synapses update by update, and where the weights moved.

found = analysis.run.learning.record(engine, batches, estimator, rates, "dense_1")
plot_conductance_trajectories(found)
plot_update_map(found)
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.drawing import html, numbers, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.run.learning import Learning, learn_on

WIDEST = 800
"""Most pixels of a map along either axis; of larger arrays neighbouring crosspoints are averaged."""
MOST_BORDERS = 12
"""Most borders of tiles along an axis of a map; more would hide it."""


def plot_conductance_trajectories(result: Learning, ax: Axes | None = None) -> Axes:
    """Draw the conductances of the followed synapses, or their weights where there are no devices, by update.

    Of a pair G+ is solid and G- dashed; of an offset mapping G alone is drawn, its reference is not.
    """
    ax = style.axes(ax)
    steps = np.arange(result.updates + 1)
    for number, (output, source) in enumerate(result.entries):
        look: style.Look = {"color": style.colour(number), "linewidth": 1.5}
        name = f"{output} \u2190 {source}"
        if result.conductances is None:
            ax.plot(steps, result.weights[:, number], label=name, **look)
            continue
        ax.plot(steps, result.conductances[:, number, 0], label=name, **look)
        if result.paired:
            ax.plot(steps, result.conductances[:, number, 1], linestyle="--", **look)
    style.whole_steps(ax)
    devices = "G+ solid, G- dashed" if result.paired else "G"
    devices += f", highest of {result.slices} slices" if result.slices > 1 else ""
    devices += f", first of {result.crossbars} crossbars" if result.crossbars > 1 else ""
    y = "weight [1]" if result.conductances is None else f"conductance, {devices} [uS]"
    style.dress(ax, x="number of the update", y=y, title=f"{result.synapse} while it learns")
    style.legend(
        ax, title="output \u2190 input", title_fontsize=style.TEXT - 1, loc="center left", bbox_to_anchor=(1, 0.5)
    )
    return ax


def plot_update_map(result: Learning, ax: Axes | None = None) -> Axes:
    """Draw where on the array weights moved, summed over the updates, with the borders of the tiles if they are few.

    Colours end at the 99.8th percentile of what moved, so that single crosspoints do not hide the rest.
    """
    ax = style.axes(ax, 6.6, 4.6)
    factors = [max(1, -(-size // WIDEST)) for size in result.moved.shape]
    image = _averaged(result.moved, factors)
    height, width = result.moved.shape
    ends = [n * factor - 0.5 for n, factor in zip(image.shape, factors, strict=True)]
    top = float(np.percentile(image[image > 0], 99.8)) if image.any() else 1.0
    drawn = ax.imshow(
        image, cmap="magma", aspect="auto", interpolation="nearest", extent=(-0.5, ends[1], ends[0], -0.5),
        vmin=0, vmax=top,
    )  # fmt: skip
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    if max(map(len, result.tiles)) <= MOST_BORDERS:
        for border in result.tiles[0]:
            ax.axhline(border - 0.5, color="white", linewidth=1.0)
        for border in result.tiles[1]:
            ax.axvline(border - 0.5, color="white", linewidth=1.0)
    bar = ax.figure.colorbar(drawn, ax=ax, extend="max" if image.max() > top else "neither")
    averaged = f", mean of {factors[0]} x {factors[1]}" if max(factors) > 1 else ""
    bar.set_label(f"sum of |\u0394w| over {result.updates} updates [weight{averaged}]", fontsize=style.TEXT)
    bar.ax.tick_params(labelsize=style.TEXT - 1)
    half = concentration(result.moved)
    title = f"{result.synapse}: " + (f"half of the movement in {half:.1%} of the synapses" if half else "nothing moved")
    style.dress(ax, x="input (word line)", y="output (bit line)", title=title)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.grid(False)
    return ax


def concentration(moved: np.ndarray) -> float:
    """Return the smallest share of crosspoints that holds half of the movement; 0 where nothing moved."""
    ordered = np.sort(moved, axis=None)[::-1]
    total = np.cumsum(ordered)
    return float((np.searchsorted(total, 0.5 * total[-1]) + 1) / len(total)) if total[-1] > 0 else 0.0


def _averaged(values: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Return means of blocks of crosspoints, those at the end over fewer."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            starts = np.arange(0, values.shape[axis], factor)
            counts = np.diff(np.append(starts, values.shape[axis]))
            total = np.add.reduceat(values, starts, axis=axis)
            values = total / (counts[:, None] if axis == 0 else counts)
    return values


def _few_ticks(ax: Axes, result: Learning) -> None:
    """Leave a small map few ticks and short labels."""
    ax.set_title(result.synapse, fontsize=style.TITLE, loc="left")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    ax.figure.axes[1].set_ylabel("sum of |\u0394w| [weight]", fontsize=style.TEXT)


def _half(result: Learning) -> str:
    half, many = numbers.share(concentration(result.moved)), numbers.plural(result.updates, "update")
    return f"Movement of each weight in {many}. Half of all movement is in {half} of the synapses."


def _course(result: Learning) -> str:
    seen = "Some synapses, from the one that moves most to the median one."
    if result.conductances is not None:
        seen += " A device at a bound cannot move further."
    return seen


def _copy(results: Sequence[Learning]) -> str:
    many = numbers.plural(results[0].updates, "update")
    about = (
        f"A copy of the network learned for {many} more with the rates of the last epoch. The pictures show synapse "
        f"'{results[0].synapse}', whose weights move most for their size."
    )
    return html.paragraph(about, "note")


UPDATES = Panel(
    "Behaviour",
    70,
    learn_on,
    (Picture(plot_update_map, _half, look=_few_ticks), Picture(plot_conductance_trajectories, _course)),
    title="Where updates move the weights",
    below=_copy,
    opens=True,
    learns=True,
)
