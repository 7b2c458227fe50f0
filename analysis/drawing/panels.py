"""Pictures on pages: a picture says beside itself which page shows it, and the page finds it.

A constant ``Panel("Behaviour", 55, measure, [Picture(plot_clipped, "Share of reads that clip.")])`` in any module of
:mod:`analysis.run` puts a picture on the page of a run: no list is kept elsewhere. What a panel draws is measured
first, all of it, and drawn afterwards from the results alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Generic, TypeVar

from analysis.drawing import html, style

from matplotlib.axes import Axes

from hw_models import lazy

Subject = TypeVar("Subject")
Result = TypeVar("Result")
Kind = TypeVar("Kind")
SMALL = (4.95, 3.5)
"""Size of a picture that has a neighbour [inch]."""


@dataclass(frozen=True)
class Picture(Generic[Result]):
    """One picture of a result."""

    plot: Callable[[Result, Axes | None], Axes]
    """``plot_x`` of the result."""
    caption: str | Callable[[Result], str]
    """What is to be seen."""
    alt: str | Callable[[Result], str] = ""
    """The same for those who do not see it, default the caption."""
    size: tuple[float, float] | Callable[[Result], tuple[float, float]] | None = SMALL
    """On the page [inch]; None: the picture's own."""
    look: Callable[[Axes, Result], object] | None = None
    """What the page changes of it, for example where the legend is."""

    def draw(self, result: Result, ax: Axes | None = None) -> Axes:
        """Draw a result as the page shows it, on the axes given or on a figure of its own."""
        size = self.size(result) if callable(self.size) else self.size
        drawn = self.plot(result, ax if size is None else style.axes(ax, *size))
        if self.look is not None:
            self.look(drawn, result)
        return drawn

    def render(self, result: Result) -> str:
        """Return the picture of a result with its caption, as HTML."""
        caption, alt = (text(result) if callable(text) else text for text in (self.caption, self.alt))
        return html.picture(self.draw(result), caption, alt)


def _no_words(_: Sequence[Result]) -> str:
    return ""


@dataclass(frozen=True)
class Panel(Generic[Subject, Result]):
    """What a page shows of one measure: pictures, words and tables."""

    section: str
    """Heading under which it stands; a new one makes a new section."""
    place: float
    """Order of panels on the page, and of sections by their first."""
    measure: Callable[[Subject], Sequence[Result]]
    """What is drawn, of what the page is about; empty where there is nothing."""
    pictures: Sequence[Picture[Result]] = ()
    """Drawn of every result, one after the other."""
    title: str = ""
    """Heading of the panel within its section."""
    above: Callable[[Sequence[Result]], str] = _no_words
    below: Callable[[Sequence[Result]], str] = _no_words
    """HTML of the results before and behind the pictures."""
    beside: bool = True
    """Pictures stand beside each other where the page is wide enough."""
    most: int | None = None
    """Most results that are drawn."""
    opens: bool = False
    """Its measure needs network and data, not files alone: where they cannot be opened the section says why."""
    learns: bool = False
    """Its measure updates the weights of a copy of the network; else it settles and reads."""

    def render(self, results: Sequence[Result]) -> list[str]:
        """Return the parts of a section."""
        figures = [picture.render(result) for result in results[: self.most] for picture in self.pictures]
        head = html.subtitle(self.title) if self.title and results else ""
        drawn = [html.side_by_side(*figures)] if self.beside else figures
        return [head, self.above(results), *drawn, self.below(results)]


@dataclass(frozen=True)
class Measured(Generic[Result]):
    """A panel with what it draws."""

    panel: Panel[object, Result]
    results: Sequence[Result]


def declared(package: str, kind: type[Kind]) -> list[tuple[ModuleType, Kind]]:
    """Return all constants of a type in the modules of a package, each with its module."""
    found: list[tuple[ModuleType, Kind]] = []
    for name in lazy.modules(import_module(package).__path__):
        module = import_module(f"{package}.{name}")
        known = [constant for _, constant in found]
        found += [(module, entry) for entry in vars(module).values() if isinstance(entry, kind) and entry not in known]
    return found


def panels(package: str) -> list[Panel]:
    """Return the panels of a question's folder in the order of its page."""
    return sorted((panel for _, panel in declared(package, Panel)), key=lambda panel: panel.place)


def measured(package: str, subject: object) -> list[Measured]:
    """Measure what every panel of a question draws."""
    return [Measured(panel, panel.measure(subject)) for panel in panels(package)]


def sections(found: Iterable[Measured]) -> list[str]:
    """Return the sections of a page; those in which nothing is shown are left out."""
    parts: dict[str, list[str]] = {}
    for one in found:
        parts.setdefault(one.panel.section, []).extend(one.panel.render(one.results))
    return [html.section(title, *shown) for title, shown in parts.items()]
