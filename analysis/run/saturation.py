"""States at their limits: at the limit of a hard sigmoid the slope is 0, and no gradient passes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.drawing import html, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes

from analysis.run.subject import FOLLOWED, Subject
from neuroep.engines.engine import Engine
from neuroep.engines.settling import Settled
from neuroep.errors import ConfigError
from neuroep.network import DenseLayer

TOLD = 10
"""Share [%] from which a part of a bar has room for its number, on narrow screens too."""
NEAR = 0.01
"""Share of its range within which a state counts as being at a limit."""
Layers = Mapping[str, "Saturation"]
"""By layer."""


@dataclass(frozen=True)
class Saturation:
    """Shares of a layer's states at its lowest state, between, and at its highest."""

    low: float
    between: float
    high: float


def saturation(engine: Engine, settled: Settled) -> dict[str, Saturation]:
    """Return how many states of each dense layer with a bounded potential are at a limit.

    Parameters
    ----------
    engine : Engine
        Any.
    settled : Settled
        What :meth:`Engine.settle` returned.
    """
    states, found = engine.states(settled), {}
    for layer in engine.network.layers:
        if not isinstance(layer, DenseLayer) or not math.isfinite(layer.potential.low + layer.potential.high):
            continue
        low, high = layer.potential.low, layer.potential.high
        edge = NEAR * (high - low)
        at_low, at_high = (states[layer.name] <= low + edge).mean(), (states[layer.name] >= high - edge).mean()
        found[layer.name] = Saturation(float(at_low), float(1 - at_low - at_high), float(at_high))
    return found


def plot_saturation(result: Mapping[str, Saturation], ax: Axes | None = None) -> Axes:
    """Draw shares of states at a limit as one bar for each layer, the first layer at the top.

    Raises
    ------
    ConfigError
        If there is no layer.
    """
    if not result:
        raise ConfigError("result has no layer: only states of bounded potentials have limits")
    ax = style.axes(ax, 6.0, 1.4 + 0.6 * len(result))
    names, left = list(result), np.zeros(len(result))
    looks = (
        ("low", "at the lowest", style.BLUE),
        ("between", "between", "#dddddd"),
        ("high", "at the highest", style.ORANGE),
    )
    for part, label, colour in looks:
        shares = np.array([100 * getattr(found, part) for found in result.values()])
        ax.barh(range(len(names)), shares, left=left, height=0.65, color=colour, label=label)
        for place, share in enumerate(shares):
            if share >= TOLD:
                ink = "white" if part == "low" else "black"
                middle = left[place] + share / 2
                ax.text(middle, place, f"{share:.0f} %", ha="center", va="center", fontsize=style.TEXT - 1, color=ink)
        left = left + shares
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    style.dress(ax, x="share of states [%]", y="layer", title=f"states within {100 * NEAR:g} % of a limit")
    ax.grid(False, axis="y")
    style.legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def _settled(subject: Subject) -> list[Layers]:
    """Settle a few samples freely, on the engine of the run; nothing if no state has limits."""
    opened = subject.opened
    engine = opened.parts.engine
    batch = next(opened.parts.batches(opened.split, FOLLOWED))
    settled = engine.settle(batch.keyed("report", "saturation"), opened.parts.estimator.free)
    found = saturation(engine, settled)
    return [found] if found else []


def _unlimited(results: Sequence[Layers]) -> str:
    none = "States of the dense layers have no limits: no layer has a bounded potential."
    return "" if results else html.paragraph(none, "note")


SATURATION = Panel(
    "Behaviour",
    50,
    _settled,
    [
        Picture(
            plot_saturation,
            "Share of free states within 1 % of a limit. There a hard sigmoid has slope 0, and no gradient passes.",
            "saturation by layer",
            lambda result: (6.8, 1.4 + 0.45 * len(result)),
        )
    ],
    title="States at their limits",
    below=_unlimited,
    beside=False,
    opens=True,
)
