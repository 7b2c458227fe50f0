"""Pictures of an ablation: effects by what they cost, with errors, and pairs by how they interact."""

from __future__ import annotations

import math

from analysis.drawing import numbers, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes

from analysis.ablate.results import Ablation

SECTION = "Pictures"
MOST = 24
"""Most effects that are drawn."""
HEIGHT = 0.42
"""Of an effect's line [inch]."""


def plot_effects(result: Ablation, ax: Axes | None = None) -> Axes:
    """Draw what each effect costs, the largest at the top: off alone, and there alone, with standard errors.

    Bars to the right: what is gained without it beside all others. Marks: what it takes from the ideal chip by itself.
    """
    costs = result.costs[:MOST]
    ax = style.axes(ax, 7.2, 1.4 + HEIGHT * max(len(costs), 2))
    places = np.arange(len(costs))[::-1]
    series = (
        ("gained when it is off", [cost.without for cost in costs], 1, 0.17),
        ("lost when it acts alone", [cost.only for cost in costs], -1, -0.17),
    )
    for number, (name, found, sign, shift) in enumerate(series):
        mean = np.array([100 * sign * each.mean for each in found])
        error = np.array([100 * each.widest if math.isfinite(each.widest) else 0.0 for each in found])
        ax.barh(places + shift, mean, 0.3, xerr=error, color=style.colour(number), label=name, alpha=0.85,
                error_kw={"elinewidth": 1.3, "capsize": 2.5, "ecolor": style.BLACK})  # fmt: skip
    ax.axvline(0, color=style.GREY, linewidth=0.9)
    ax.plot([], [], color=style.BLACK, linewidth=1.3, label="paired standard error, over chips and samples")
    ax.set_yticks(places, [style.drawable(cost.effect) for cost in costs])
    style.dress(ax, x="difference of accuracy [points]", y="effect", title=_title(result, len(costs)))
    ax.grid(False, axis="y")
    style.legend(ax, loc="best")
    return ax


def _title(result: Ablation, drawn: int) -> str:
    ends = f"as it is {100 * result.as_it_is.mean:.1f} %, without any effect {100 * result.ideal.mean:.1f} %"
    some = f", {drawn} of {len(result.costs)} effects" if drawn < len(result.costs) else ""
    return f"What effects cost: {ends}{some}"


def plot_interactions(result: Ablation, ax: Axes | None = None) -> Axes:
    """Draw what pairs of effects gain together beyond the sum of their gains, with standard errors."""
    pairs = result.pairs[:MOST]
    ax = style.axes(ax, 7.2, 1.4 + HEIGHT * max(len(pairs), 2))
    places = np.arange(len(pairs))[::-1]
    mean = [100 * pair.beyond.mean for pair in pairs]
    error = [100 * pair.beyond.widest if math.isfinite(pair.beyond.widest) else 0.0 for pair in pairs]
    ax.errorbar(mean, places, xerr=error, fmt="o", color=style.colour(0), capsize=3, label="mean and standard error")
    ax.axvline(0, color=style.GREY, linewidth=0.9)
    ax.set_yticks(places, [style.drawable(" x ".join(pair.effects), 48) for pair in pairs])
    ax.set_ylim(-0.6, max(len(pairs), 1) - 0.4)
    x = "gain with both off, beyond the sum of both gains [points]"
    style.dress(ax, x=x, y="pair of effects", title="Pairs of effects")
    ax.grid(False, axis="y")
    style.legend(ax, loc="best")
    return ax


def _whole(result: Ablation) -> list[Ablation]:
    """Return the ablation where there is something to draw."""
    return [result] if any(math.isfinite(cost.without.mean) for cost in result.costs) else []


def _with_pairs(result: Ablation) -> list[Ablation]:
    return [result] if any(math.isfinite(pair.beyond.mean) for pair in result.pairs) else []


def _about(result: Ablation) -> str:
    return (
        f"Mean differences of accuracy over {numbers.plural(result.as_it_is.seeds, 'chip')}: the gain when one effect "
        "is switched off and all others stay, and the loss when it is the only effect. Errors are of paired "
        "differences, over chips and samples."
    )


EFFECTS = Panel(
    SECTION,
    20,
    _whole,
    [Picture(plot_effects, _about, "bars of the accuracy that each effect costs", None)],
    beside=False,
)
PAIRS = Panel(
    SECTION,
    21,
    _with_pairs,
    [
        Picture(
            plot_interactions,
            "Right of 0, two effects hide each other: either one alone spoils the result. Left of 0, they share their "
            "cost: without one of them, the other costs less.",
            "gain of pairs of effects beyond the sum of both gains",
            None,
        )
    ],
    beside=False,
)
