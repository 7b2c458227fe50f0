"""Pictures of training: accuracy and loss epoch by epoch, of one run or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.drawing import style

from matplotlib.axes import Axes

Metrics = Sequence[Mapping[str, Any]]
"""Records of a run, one per epoch, as :attr:`neuroep.runs.directory.Run.metrics` returns them."""


def plot_training(
    result: Mapping[str, Metrics],
    ax: Axes | None = None,
    *,
    quantity: str = "accuracy",
    level: tuple[str, float] | None = None,
    train: bool = True,
) -> Axes:
    """Draw a quantity of every run against the epoch: of the training samples dashed, of evaluated splits solid.

    Parameters
    ----------
    result : mapping of str to sequence of mapping
        Records of the epochs by name of the run; without a name the lines are called by their split alone.
    ax : Axes, optional
        Where, default a figure of its own.
    quantity : {"accuracy", "loss"}
        What to draw; accuracies as percentages.
    level : (str, float), optional
        Name and value of a yardstick, drawn as a horizontal line.
    train : bool
        Draw the training samples as well, each measured before the update that it made.
    """
    ax = style.axes(ax)
    factor = 100.0 if quantity == "accuracy" else 1.0
    for number, (name, metrics) in enumerate(result.items()):
        epochs = [record["epoch"] for record in metrics]
        called = f"{name}, " if name else ""
        colour, marker = style.COLOURS[number % len(style.COLOURS)], style.MARKERS[number % len(style.MARKERS)]
        # Runs that agree lie on top of each other: each next one is drawn thinner, its marks open and larger.
        size = {"linewidth": 3.0 / (number + 1), "markersize": 4 + 3 * number}
        look: dict[str, Any] = {"color": colour, "marker": marker, **size}
        if train:
            values = [factor * record["train"][quantity] for record in metrics]
            ax.plot(epochs, values, color=colour, linestyle="--", linewidth=1.0, label=f"{called}while training")
        for split in metrics[0]["evaluate"] if metrics else ():
            values = [factor * record["evaluate"][split][quantity] for record in metrics]
            ax.plot(epochs, values, fillstyle="none" if number else "full", label=f"{called}{split}", **look)
    if level is not None:
        name, value = level
        ax.axhline(factor * value, color=style.GREY, linestyle=":", linewidth=1.5, label=name)
    style.whole_steps(ax)
    unit = "accuracy [%]" if quantity == "accuracy" else "loss \u00bd |s \u2212 y|\u00b2"
    style.dress(ax, x="epoch", y=unit, title=f"{quantity} by epoch")
    style.legend(ax)
    return ax
