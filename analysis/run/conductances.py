"""Conductances of a chip's devices before and after learning, from the checkpoint alone: no data are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.drawing import html
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes

from analysis.chips import devices
from analysis.run.subject import Subject
from analysis.run.weights import MOST, SIZE, initial, network_of, small_title
from hw_models.arrays.crossbar import Crossbar
from hw_models.reading import Entries
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.runs.building import build_engine
from neuroep.runs.checkpoints import Checkpoint
from neuroep.runs.directory import Run

LARGEST = 4_000_000
"""Most parameters that are put on a chip again."""
ABOUT = (
    "Share of the devices by conductance, drift included, on a logarithmic scale: after learning (filled) and before "
    "(outline). Devices at the ends of their range cannot move further."
)


@dataclass(frozen=True)
class Conductances:
    """Both sides of one crossbar [uS]."""

    title: str
    before: Sequence[np.ndarray] | None
    """None where the weights before learning are not known."""
    after: Sequence[np.ndarray]
    paired: bool


def _too_large(subject: Subject) -> bool:
    return sum(array.size for array in subject.saved.parameters.values()) > LARGEST


def _on_crossbars(subject: Subject) -> bool:
    chip = subject.run.config.chip
    return chip is not None and chip.substrate == "crossbar"


def _measure(subject: Subject) -> list[Conductances]:
    """Put the weights on the chip again, those before learning and those after, and return what conducts."""
    if not _on_crossbars(subject) or _too_large(subject):
        return []
    run, saved = subject.run, subject.saved
    after = crossbars(run, saved, saved.parameters, as_learned=True)
    start, _ = initial(run, subject.environment, saved)
    before = {} if start is None else crossbars(run, saved, start, as_learned=False)
    return [
        Conductances(name, _sides(before[name]) if name in before else None, _sides(bar), bar.devices.paired)
        for name, bar in after.items()
    ]


def _sides(crossbar: Crossbar) -> list[np.ndarray]:
    return [np.asarray(values) for values in crossbar.conductances()]


def crossbars(run: Run, saved: Checkpoint, parameters: Entries, as_learned: bool) -> dict[str, Crossbar]:
    """Return the crossbars of a run with these weights, programmed, or the devices as the checkpoint holds them.

    By their names; a synapse whose rule needs several has several.
    """
    network = network_of(run, saved)
    if network is None:
        return {}
    engine = build_engine(run.config, network, parameters)
    if as_learned and saved.devices:
        engine.load_optimiser_state(saved.optimiser, saved.devices)
    arrays = [array for array in engine.arrays.values() if isinstance(array, CrossbarArray)]
    return {crossbar.name: crossbar for array in arrays for crossbar in array.rule.crossbars.values()}


def _histogram(result: Conductances, ax: Axes | None) -> Axes:
    earlier, later = (result.after, None) if result.before is None else (result.before, result.after)
    return devices.plot_conductance_histograms(earlier, later, ax, paired=result.paired, title=result.title)


def _about(results: Sequence[Conductances]) -> str:
    return html.paragraph(ABOUT, "note") if results else ""


def _left_out(subject: Subject) -> list[str]:
    large = "The network is too large to put it on the chip again here."
    return [large] if _on_crossbars(subject) and _too_large(subject) else []


def _told(results: Sequence[str]) -> str:
    return "\n".join(html.paragraph(text, "note") for text in results)


CONDUCTANCES = Panel(
    "Conductances",
    90,
    _measure,
    [Picture(_histogram, "", lambda found: f"conductances of {found.title}", SIZE, small_title)],
    below=_about,
    most=MOST,
)
LEFT_OUT = Panel("Conductances", 91, _left_out, above=_told)
