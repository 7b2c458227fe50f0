# Tested by tests/analysis/test_pages.py
"""Weights before and after learning, from the checkpoint alone: no data are needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.drawing import html, numbers, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes

from analysis.chips import devices
from analysis.run.subject import Subject
from hw_models.reading import Entries
from neuroep.errors import NeuroepError
from neuroep.network import Network, builders as networks
from neuroep.runs import directory as runs
from neuroep.runs.building import build_network
from neuroep.runs.checkpoints import Checkpoint
from neuroep.runs.directory import Run

MOST = 9
"""Most pictures of one section."""
LARGEST_DRAWN = 40_000_000
"""Most parameters whose initial values are drawn again."""
SIZE = (3.2, 2.7)
"""Of a histogram [inch]."""


def network_of(run: Run, saved: Checkpoint) -> Network | None:
    """Return the network of a checkpoint, the length of its word vectors read off the projections."""
    widths = [array.shape[1] for name, array in saved.parameters.items() if name.startswith("query")]
    widths = [width for width in widths if width]
    if not widths:
        return None
    network = build_network(run.config, widths[0])
    saved.check_network(network.signature())
    return network


def initial(run: Run, environment: Entries, saved: Checkpoint) -> tuple[Entries | None, str]:
    """Return the weights that a run started from, if they can be known, and where they come from."""
    if not saved.about.data:
        return None, "The weights were imported. Their initial values are not known."
    start = environment.get("start")
    if start:
        try:
            other = runs.load(Path(start)).checkpoint(optimiser=False)
            other.check_network(saved.about.network)
        except (NeuroepError, OSError):
            return (
                None,
                f"It started from the weights of '{start}', which is not there. Only weights after learning are shown.",
            )
        return other.parameters, f"Before learning are the weights of '{start}' as they are now."
    network = network_of(run, saved)
    if network is None or sum(array.size for array in saved.parameters.values()) > LARGEST_DRAWN:
        return None, "The network is too large to draw initial weights again. Only weights after learning are shown."
    settings = run.config.network
    drawn = networks.initial_parameters(
        network, run.config.training.seed, settings.output_bias, settings.projection_identity
    )
    return drawn, f"Before learning are the initial weights of seed {run.config.training.seed}."


@dataclass(frozen=True)
class WeightChange:
    """A weight matrix before and after learning."""

    name: str
    before: np.ndarray | None
    """None where it is not known."""
    after: np.ndarray
    note: str
    """Where the weights before come from, or why they are not known."""

    @property
    def title(self) -> str:
        """Name of the synapse."""
        return self.name.removesuffix(".weight")

    def row(self) -> tuple[str, ...]:
        """Return name, shape, spread before and after, the largest weight, and the relative change."""
        shape = " x ".join(map(str, self.after.shape))
        ends = (f"{self.after.std():#.3g}", f"{np.abs(self.after).max(initial=0):#.3g}")
        if self.before is None:
            return self.name, shape, numbers.NONE, *ends, numbers.NONE
        length = float(np.linalg.norm(self.before))
        change = float(np.linalg.norm(self.after - self.before)) / length if length else math.nan
        return self.name, shape, f"{np.std(self.before):#.3g}", *ends, f"{change:.2f}"


def ordered(run: Run, saved: Checkpoint) -> list[str]:
    """Return the names of the weight matrices from input to output, where the network is known."""
    names = [name for name in saved.parameters if name.endswith(".weight")]
    network = network_of(run, saved)
    known = [] if network is None else [f"{synapse.name}.weight" for synapse in network.synapses]
    return sorted(names, key=lambda name: known.index(name) if name in known else len(known))


def _moves(subject: Subject) -> list[WeightChange]:
    """Return every weight matrix before and after learning, from input to output."""
    run, saved = subject.run, subject.saved
    before, note = initial(run, subject.environment, saved)
    return [
        WeightChange(name, None if before is None else before[name], saved.parameters[name], note)
        for name in ordered(run, saved)
    ]


def _histogram(result: WeightChange, ax: Axes | None) -> Axes:
    first, after = (result.after, None) if result.before is None else (result.before, result.after)
    return devices.plot_weight_histograms(first, after, ax, title=result.title)


def small_title(ax: Axes, _: object) -> None:
    """Write the title of a small histogram in small letters."""
    ax.set_title(ax.get_title(loc="left"), fontsize=style.TEXT, loc="left")


def _table(results: Sequence[WeightChange]) -> str:
    heads = ("weights", "shape", "std before", "std after", "largest after", "relative change")
    left_out = f" {len(results) - MOST} more matrices are in the table." if len(results) > MOST else ""
    note = results[0].note if results else ""
    about = f"Share of the weights by value: after learning (filled) and before (outline). {note}{left_out}"
    return html.paragraph(about, "note") + "\n" + html.table(heads, [moved.row() for moved in results])


WEIGHTS = Panel(
    "Weights",
    80,
    _moves,
    [Picture(_histogram, "", lambda moved: f"histogram of {moved.name}", SIZE, small_title)],
    below=_table,
    most=MOST,
)
