"""The look that all pictures share: figures without pyplot, a colour-blind-safe palette, units on every axis.

Nothing here touches matplotlib's global state: pictures of a report or a folder look the same whatever else the
process draws and whatever a user's ``matplotlibrc`` says (:func:`own_look`), and need no display. Colours: Okabe and
Ito, "Color Universal Design", 2008.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from analysis.drawing import fitting, labels

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from hw_models.whole_files import replaced

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#6b6b6b"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Told apart with any colour vision; GREY is for guides."""
RUST = "#9A4400"
"""VERMILION of small text, which needs more contrast to white than lines do."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

Look = dict[str, Any]
"""Keywords of a line: colour, marker, width."""

ROWS = 0.1
"""Between rows of panels, a share of their height, so that the name of an axis is not taken for the title below it."""
TEXT, TITLE = 10.0, 11.0
"""Sizes [pt]."""
LINE = 1.2
"""Height of a line of text over its size."""
DPI = 150


def figure(width: float = 6.0, height: float = 4.0) -> Figure:
    """Return an empty figure that draws into memory.

    Parameters
    ----------
    width, height : float
        [inch].
    """
    empty = Figure(figsize=(width, height), dpi=DPI, layout=ConstrainedLayoutEngine(hspace=ROWS))
    FigureCanvasAgg(empty)
    return empty


def colour(number: int) -> str:
    """Return the colour of the n-th thing drawn."""
    return COLOURS[number % len(COLOURS)]


def inks(ground: Sequence[float]) -> tuple[str, str]:
    """Return the ink of text on a colour, (red, green, blue, ...) from 0 to 1, and the other one for its rim.

    Black or white, whichever has more contrast by the luminances of WCAG 2.1: at least 4.58 on any colour.
    """
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in ground[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return ("black", "white") if (luminance + 0.05) ** 2 > 1.05 * 0.05 else ("white", "black")


def marker(number: int) -> str:
    """Return the marker of the n-th thing drawn."""
    return MARKERS[number % len(MARKERS)]


@contextmanager
def own_look() -> Iterator[None]:
    """Draw inside as matplotlib does by default, whatever a user's ``matplotlibrc`` says of fonts, TeX or lines."""
    with matplotlib.style.context("default"):
        yield


def axes(ax: Axes | None, width: float = 6.0, height: float = 4.0) -> Axes:
    """Return the axes to draw on: those given, or those of a new figure."""
    return figure(width, height).add_subplot() if ax is None else ax


def resize(ax: Axes, size: Callable[[float, float], tuple[float, float]]) -> None:
    """Give the figure of an axes a size that depends on the one it has [inch]."""
    sheet = sheet_of(ax)
    width, height = sheet.get_size_inches()
    sheet.set_size_inches(*size(width, height))


def dress(ax: Axes, *, x: str, y: str, title: str = "") -> Axes:
    """Label an axes and give it the shared look.

    Parameters
    ----------
    ax : Axes
        What has been drawn.
    x, y : str
        What the axes show, with the unit in square brackets where there is one.
    title : str
        Short line above.
    """
    ax.set_xlabel(x, fontsize=TEXT)
    ax.set_ylabel(y, fontsize=TEXT)
    if title:
        ax.set_title(title, fontsize=TITLE, loc="left")
    ax.tick_params(labelsize=TEXT - 1)
    ax.xaxis.get_offset_text().set_fontsize(TEXT - 1)
    ax.yaxis.get_offset_text().set_fontsize(TEXT - 1)
    ax.grid(True, color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax


def whole_steps(ax: Axes) -> None:
    """Put the ticks of the x axis on whole numbers."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def legend(ax: Axes, **settings: object) -> None:
    """Name what is drawn, if anything has a name."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(**{"fontsize": TEXT - 1, "frameon": True, "framealpha": 0.85, "edgecolor": "none", **settings})


def legend_below_title(ax: Axes) -> None:
    """Name what is drawn on a line between the title of an axes and the axes."""
    legend(ax, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(ax.get_legend_handles_labels()[1]),
           borderaxespad=0.0, borderpad=LINE - 0.5, frameon=False)  # fmt: skip
    ax.set_title(ax.get_title(loc="left"), fontsize=TITLE, loc="left", pad=2.5 * LINE * (TEXT - 1))


def save(drawn: Figure | Axes, path: Path) -> None:
    """Write a figure, or the figure of an axes, as PNG, whole or not at all."""
    with replaced(path) as partial:
        write_png(sheet_of(drawn), partial, DPI)


def sheet_of(drawn: Figure | Axes) -> Figure:
    """Return a figure, or that of an axes."""
    return cast(Figure, drawn.figure if isinstance(drawn, Axes) else drawn)


def write_png(
    sheet: Figure,
    file: Path | IO[bytes],
    dpi: float,
    *,
    metadata: dict[str, str | None] | None = None,
    optimize: bool = False,
    drawn: bool = False,
) -> None:
    """Write a figure as PNG, with texts of its header changed or left out, and as small as can be if asked for.

    Titles and labels that would be cut are wrapped, and legends that lie over data are moved first; ``drawn``: the
    layout is known already, at this resolution.
    """
    kwargs = {"optimize": True} if optimize else None
    before, engine, face, canvas = sheet.dpi, sheet.get_layout_engine(), sheet.get_facecolor(), sheet.canvas
    raster = canvas if isinstance(canvas, FigureCanvasAgg) else FigureCanvasAgg(sheet)  # of a user's own figure
    sheet.set_dpi(dpi)
    sheet.set_facecolor("white")
    try:
        with warnings.catch_warnings():
            # A letter that the font lacks is drawn as a box; a warning about it tells nobody which name it was.
            warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
            if not drawn:
                sheet.draw_without_rendering()
                drawn = labels.within(sheet, drawn=not fitting.wrap_titles(sheet))
            if not fitting.uncover(sheet, drawn=drawn):
                sheet.draw_without_rendering()
            # What was looked at is what is drawn: ``savefig`` would find the layout once more, for half of its time.
            if engine is not None:
                sheet.set_layout_engine("none")
            raster.print_png(file, metadata=metadata, pil_kwargs=kwargs)
    finally:
        if engine is not None:
            sheet.set_layout_engine(engine)
        sheet.set_canvas(canvas)
        sheet.set_facecolor(face)
        sheet.set_dpi(before)


def plain(text: str, longest: int) -> str:
    """Return text of bounded length that matplotlib does not take for mathematics."""
    short = text if len(text) <= longest else text[: longest - 1] + "\u2026"
    return short.replace("$", r"\$")


def drawable(name: object, longest: int = 44) -> str:
    """Return a name on one line that fits a legend, and is not left out of it."""
    return plain(" ".join(str(name).split()), longest).lstrip("_")
