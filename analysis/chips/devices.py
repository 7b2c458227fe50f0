"""Histograms of weights and of conductances before and after learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.drawing import style

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import ArrayLike

from hw_models.arrays.crossbar import Crossbar
from neuroep.errors import ConfigError

BINS = 60
"""Most bins of a histogram; few values get fewer."""


def plot_weight_histograms(
    before: ArrayLike, after: ArrayLike | None = None, ax: Axes | None = None, *, title: str = "weights"
) -> Axes:
    """Draw the distribution of weights before and after learning.

    Parameters
    ----------
    before : array_like
        Weights of any shape.
    after : array_like, optional
        The same weights later.
    ax : Axes, optional
        Where, default a figure of its own.
    title : str
        Which weights.

    Raises
    ------
    ConfigError
        If there is no finite weight.
    """
    name = "weights" if after is None else "after"
    drawn = [_Sample(name, style.BLUE, _finite("weights", before if after is None else after))]
    outlines = [] if after is None else [_Sample("before", style.BLACK, _finite("weights before", before))]
    ax = style.axes(ax)
    _histograms(ax, drawn, outlines)
    ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
    style.dress(ax, x="weight [1]", y="share of weights per bin [%]", title=title)
    style.legend(ax, loc="upper center", ncols=2)
    return ax


def plot_conductance_histograms(
    before: Crossbar | Sequence[ArrayLike],
    after: Crossbar | Sequence[ArrayLike] | None = None,
    ax: Axes | None = None,
    *,
    paired: bool | None = None,
    title: str = "conductances",
) -> Axes:
    """Draw the distribution of conductances before and after learning, both devices of a pair, all slices together.

    Parameters
    ----------
    before : Crossbar or (plus, minus)
        A crossbar, or conductances as :meth:`Crossbar.conductances` returns them [uS]. A crossbar goes on learning:
        keep its conductances to draw them later.
    after : Crossbar or (plus, minus), optional
        The same later.
    ax : Axes, optional
        Where, default a figure of its own.
    paired : bool, optional
        Whether a weight is a pair; otherwise the second conductances are references and left out. Default as a
        crossbar given has it, True without one.
    title : str
        Which conductances.

    Raises
    ------
    ConfigError
        If what is given is neither a crossbar nor two arrays, or no conductance is finite.
    """
    if paired is None:
        paired = all(given.devices.paired for given in (before, after) if isinstance(given, Crossbar))
    earlier, later = _conductances(before), _conductances(before if after is None else after)
    drawn, outlines = [], []
    for number, name in enumerate(("G+", "G-") if paired else ("G",)):
        colour = (style.VERMILION, style.BLUE)[number] if paired else style.BLUE
        about = name if after is None else f"{name} after"
        drawn.append(_Sample(about, colour, _finite("conductances", later[number])))
        if after is not None:
            outlines.append(_Sample(f"{name} before", colour, _finite("conductances before", earlier[number])))
    ax = style.axes(ax)
    _histograms(ax, drawn, outlines)
    _logarithmic(ax, len(drawn))
    style.dress(ax, x="conductance [uS]", y="share of devices per bin [%]", title=title)
    style.legend(ax, loc="upper center", ncols=2)
    return ax


def _conductances(source: Crossbar | Sequence[ArrayLike]) -> tuple[np.ndarray, np.ndarray]:
    found = source.conductances() if isinstance(source, Crossbar) else source
    if len(found) != 2:
        raise ConfigError(f"conductances are {len(found)} arrays: allowed are a crossbar or (G+, G-)")
    return np.asarray(found[0]), np.asarray(found[1])


@dataclass(frozen=True)
class _Sample:
    """One histogram."""

    name: str
    colour: str
    values: np.ndarray


def _histograms(ax: Axes, filled: Sequence[_Sample], outlines: Sequence[_Sample]) -> None:
    """Draw filled histograms and outlines, all over the same bins and as shares."""
    samples = [*filled, *outlines]
    low, high = min(s.values.min() for s in samples), max(s.values.max() for s in samples)
    wide = max(high - low, 1e-6 * max(abs(low), abs(high), 1e-6))
    bins = int(np.clip(2 * np.sqrt(max(s.values.size for s in samples)), 12, BINS))
    edges = np.linspace(low - 0.005 * wide, high + 0.005 * wide, bins + 1)
    for number, sample in enumerate(samples):
        share = 100 * np.histogram(sample.values, edges)[0] / sample.values.size
        if number < len(filled):
            ax.stairs(share, edges, fill=True, color=sample.colour, alpha=0.45, label=sample.name)
        else:
            ax.stairs(share, edges, color=sample.colour, linewidth=1.6, label=sample.name)


def _logarithmic(ax: Axes, rows: int) -> None:
    """Give shares a logarithmic axis with plain numbers and room for a legend of that many rows above."""
    low, high = 0.7 * min(_shares(ax)), max(_shares(ax))
    ax.set_yscale("log")
    ax.set_ylim(low, high * (max(high / low, 10) ** (0.12 + 0.12 * rows)))
    few = high / low < 30
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0) if few else tuple(float(n) for n in range(2, 10))))
    ax.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}") if few else NullFormatter())
    ax.tick_params(which="minor", labelsize=style.TEXT - 1)


def _shares(ax: Axes) -> list[float]:
    """Return the shares above 0 of the histograms drawn."""
    parts = (part for part in ax.patches if isinstance(part, StepPatch))
    return [float(share) for part in parts for share in np.asarray(part.get_data()[0]) if share > 0] or [1.0]


def _finite(what: str, values: ArrayLike) -> np.ndarray:
    """Return the finite values in double precision, (n,)."""
    flat = np.asarray(values, dtype=float).reshape(-1)
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        raise ConfigError(f"{what} are {flat.size} values, none of them finite: there is nothing to draw")
    return finite
