# Tested by tests/analysis/test_pictures.py
"""Settling sweep by sweep, free and nudged: how the energy falls, and how much the states still change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.drawing import style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes

from analysis.run.subject import FOLLOWED, Subject
from hw_models.reading import Page
from neuroep.data.batch import Batch
from neuroep.engines.clamped import Clamped
from neuroep.engines.engine import Engine
from neuroep.engines.settling import Schedule, Settled

COLOURS = {0: style.BLACK, 1: style.VERMILION, -1: style.BLUE}
LABELS = {0: r"free: $E$", 1: r"nudged: $E + \beta L$", -1: r"nudged: $E - \beta L$"}
RECORD = ("energy", "change")
REST = Schedule("layerwise", steps=300)
"""Settles until nothing moves."""
ROUNDING = 1e-14
"""Energies this near to the minimum, relative to it, are rounding."""
LOOKS = {0: "o", 1: "s", -1: "^"}


@dataclass(frozen=True)
class Phase:
    """One phase of a batch, sweep by sweep."""

    first: int
    """Sweep of the first entry."""
    energy: np.ndarray
    """(entries,) mean energy of the batch with the nudge that acts; a nudged phase starts with the free state."""
    minimum: float
    """Mean energy that the phase ends at when it settles until nothing moves."""
    change: np.ndarray
    """(sweeps,) max|delta s| of every sweep."""


@dataclass(frozen=True)
class Descent:
    """The free phase and the nudged ones, by sign of the nudge (0 free)."""

    beta: float
    phases: Mapping[int, Phase]
    free: Schedule
    nudged: Schedule

    def as_dict(self) -> Page:
        """Return plain values."""
        phases = {
            str(sign): {
                "first": phase.first,
                "energy": phase.energy.tolist(),
                "minimum": phase.minimum,
                "change": phase.change.tolist(),
            }
            for sign, phase in self.phases.items()
        }
        return {"beta": self.beta, "phases": phases}


def follow(engine: Engine, batch: Batch, free: Schedule, nudged: Schedule, beta: float) -> Descent:
    """Settle a batch free and then with +beta and -beta, and keep energy and change of every sweep.

    Parameters
    ----------
    engine : Engine
        Any.
    batch : Batch
        Or what ``engine.clamp`` made of one.
    free, nudged : Schedule
        Of the phases.
    beta : float
        Nudge.
    """
    clamped = engine.clamp(batch)
    settled = engine.settle(clamped, free, record=RECORD)
    phases = {0: _phase(engine, clamped, settled, 1)}
    for sign in (1, -1):
        start = engine.fork(settled.state)
        start.beta = sign * beta
        before = float(np.mean(engine.energy(clamped, start)))
        ended = engine.settle(clamped, nudged, sign * beta, settled, RECORD)
        phases[sign] = _phase(engine, clamped, ended, settled.steps, before)
    return Descent(beta, phases, free, nudged)


def _phase(engine: Engine, clamped: Clamped, settled: Settled, first: int, *before: float) -> Phase:
    trace = settled.trace
    energy = [float(np.mean(values)) for values in trace.energy] if trace else []
    rest = engine.settle(clamped, REST, settled.state.beta, settled)
    change = np.array(trace.change if trace else [])
    return Phase(first, np.array([*before, *energy]), float(np.mean(rest.energy)), change)


def plot_energy(result: Descent, ax: Axes | None = None) -> Axes:
    """Draw how far the energy of each phase is above its minimum; the nudged phases go on from the free state."""
    ax = style.axes(ax)
    for sign, phase in result.phases.items():
        above = phase.energy - phase.minimum
        seen = above > ROUNDING * abs(phase.minimum)
        look: style.Look = {"color": COLOURS[sign], "marker": LOOKS[sign], "label": LABELS[sign]}
        ax.plot(phase.first + np.flatnonzero(seen), above[seen], markersize=4.5, linewidth=1.5, **look)
    ax.set_yscale("log")
    style.whole_steps(ax)
    title = rf"Energy, $\beta = {result.beta:g}$"
    style.dress(ax, x="sweep", y="mean energy above its minimum [1]", title=title)
    style.legend(ax, loc="lower left")
    return ax


def plot_convergence(result: Descent, ax: Axes | None = None) -> Axes:
    """Draw the largest change of a state in every sweep."""
    ax = style.axes(ax)
    for sign, phase in result.phases.items():
        sweeps = phase.first + np.arange(len(phase.change)) + (sign != 0)
        seen = phase.change > 0
        look: style.Look = {"color": COLOURS[sign], "marker": LOOKS[sign], "label": LABELS[sign]}
        ax.plot(sweeps[seen], phase.change[seen], markersize=4.5, linewidth=1.5, **look)
    ax.set_yscale("log")
    style.whole_steps(ax)
    style.dress(ax, x="sweep", y="largest change of a state [1]", title=rf"Convergence, $\beta = {result.beta:g}$")
    style.legend(ax)
    return ax


def _follow(subject: Subject) -> list[Descent]:
    """Settle a few samples in float64, on the devices of the checkpoint where there are any."""
    opened = subject.opened
    exact, estimator = opened.again("float64").engine, opened.parts.estimator
    batch = next(opened.parts.batches(opened.split, FOLLOWED))
    return [follow(exact, batch.keyed("report", "follow"), estimator.free, estimator.nudged, estimator.beta)]


def _small(ax: Axes, result: Descent) -> None:
    """Say less above a small picture, and leave the legend where there is room."""
    ax.set_title(rf"Energy, $\beta = {result.beta:g}$", fontsize=style.TITLE, loc="left")
    style.legend(ax)


def _ends(result: Descent) -> str:
    """Say what is seen and when the phases of a run end."""
    free, nudged = result.free, result.nudged
    first = f"The free phase ends below {free.tolerance:g}" if free.tolerance else "The free phase ends"
    then = f"when no displacement changes by more than {nudged.tolerance:.2g} of itself, " if nudged.tolerance else ""
    after = f" or after {free.steps} sweeps" if free.tolerance else f" after {free.steps} sweeps"
    last = f"{then}{'or ' if nudged.tolerance else ''}after {nudged.steps}"
    return f"Largest change of a state in every sweep. {first}{after}. Nudged phases end {last}."


SETTLING = Panel(
    "Behaviour",
    40,
    _follow,
    (
        Picture(
            plot_energy,
            "Mean energy above that of the final state of each phase, in float64. Exact layer-wise settling lowers it "
            "in every sweep. With the noise and the converters of a chip it may rise.",
            look=_small,
        ),
        Picture(plot_convergence, _ends),
    ),
    title="Settling, free and nudged",
    opens=True,
)
