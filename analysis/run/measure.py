"""What is measured of a run before its page is drawn.

    found = analysis.run.measure.measure(neuroep.runs.directory.load("runs/reviews"))

Each module of :mod:`analysis.run` says what it measures (:class:`analysis.drawing.panels.Panel`). Measuring reads the
files of the run and, where the data are there, settles some samples on its network: no weight changes. What an array
does while it learns can only be seen while it learns: with ``learn=True`` a copy of the network does so for a few
updates. The run's own files are never written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from analysis.drawing import html, numbers, panels
from analysis.drawing.panels import Measured, Panel

from analysis.run.subject import Subject
from neuroep.errors import UserError
from neuroep.runs.directory import Run
from neuroep.runs.progress import bar

Declared = tuple[ModuleType, Panel]
"""A panel with the module that declares it."""


@dataclass(frozen=True)
class MeasuredRun:
    """A run and what its page shows."""

    subject: Subject
    panels: Sequence[Measured]


def measure(run: Run, *, learn: bool = False, progress: bool = False) -> MeasuredRun:
    """Measure what the page of a run draws.

    Parameters
    ----------
    run : Run
        Opened run directory; it is only read.
    learn : bool
        Let a copy of the network learn on for :data:`analysis.run.learning.UPDATES` updates, for what shows arrays
        while they learn; without it that is left out.
    progress : bool
        Show a bar on a terminal or in a notebook.

    Raises
    ------
    CheckpointError
        If a file of the run is damaged.
    """
    subject = Subject.of(run)
    asked = [entry for entry in panels.declared(__package__, Panel) if learn or not entry[1].learns]
    sections: dict[str, list[Declared]] = {}
    for module, panel in sorted(asked, key=lambda entry: entry[1].place):
        sections.setdefault(panel.section, []).append((module, panel))
    found: list[Measured] = []
    for members in bar(sections.values(), len(sections), "report", progress, "section"):
        try:
            found += [Measured(panel, panel.measure(subject)) for _, panel in members]
        except (UserError, OSError) as error:
            if not any(panel.opens for _, panel in members):
                raise
            found.append(_left_out(members, " ".join(str(error).split())))
    return MeasuredRun(subject, found)


def _left_out(members: Sequence[Declared], why: str) -> Measured:
    """Return in place of a section the line that says why it is left out, and what draws it elsewhere."""
    plots = {module.__name__: [name for name in vars(module) if name.startswith("plot_")] for module, _ in members}
    drawn = [f"{numbers.listing(names)} of {module}" for module, names in plots.items() if names]
    line = f"The pictures of this section are missing, because {why}. They are drawn by {'; '.join(drawn)}."
    first = members[0][1]
    return Measured(Panel(first.section, first.place, lambda _: [line], above=_note), [line])


def _note(results: Sequence[str]) -> str:
    return html.paragraph(results[0], "note")
