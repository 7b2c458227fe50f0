"""Pictures that fit: legends that cover no data, and the same picture for a screen as narrow as that of a phone.

Both look at what a figure holds after it is drawn, so that no picture needs rules of its own.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox, BboxBase, blended_transform_factory

from hw_models.text import name_parts

NARROW = 3.75
"""Width of a picture on a narrow screen [inch], 360 pixels of a page."""
ROOM, TRIES = 0.12, 6
"""Share of an axis that is added above data for a legend, and how often at most."""
WORD, LEAST = 16, 10
"""Letters of a line of a tick's name on a narrow picture, and of any line at least."""
LEAD = 0.13
"""Height of a further line of such a name [inch]."""
LEAST_WIDE = 0.25
"""Share of a figure's width that its panel has at least."""
LINE = 44
"""Letters of a line of a legend on a narrow picture."""
PLACED = 3
"""Times that a legend below is put to its place."""
LAYOUTS = 2
"""Times that a narrow picture is laid out: which ticks it has depends on the room that the first leaves."""
APART = 8.0
"""Between two numbers of an axis at least [pixel]."""
GAP = 14.0
"""Between the name of an axis and a legend below it [pixel]."""


def uncover(sheet: Figure, *, drawn: bool = False) -> bool:
    """Move legends that lie over data: to a corner without any, else into room above the data, else beside the axes.

    Parameters
    ----------
    sheet : Figure
        What has been drawn.
    drawn : bool
        Whether its layout is that of its last change.

    Returns
    -------
    bool
        Whether its layout is so afterwards.
    """
    for ax in sheet.axes:
        legend = ax.get_legend()
        if legend is None or _beside(ax, legend):
            continue
        if not drawn:
            sheet.draw_without_rendering()
            drawn = True
        if covers(ax, legend):
            _clear(sheet, ax, legend)
            drawn = False
    return drawn


def wrap_titles(sheet: Figure) -> bool:
    """Put titles on several lines that would be cut at the edge of a figure, or run on above the next panel.

    Parameters
    ----------
    sheet : Figure
        With its layout of now.

    Returns
    -------
    bool
        Whether there was one, which changes the layout.
    """
    single, wrapped = len([ax for ax in sheet.axes if not _is_bar(ax)]) == 1, False
    for ax in sheet.axes:
        renderer = _renderer(ax)
        end = sheet.bbox.x1 if single else max(ax.get_window_extent(renderer).x1, 0.0)
        for title in _titles(ax):
            box, words = title.get_window_extent(renderer), " ".join(title.get_text().split())
            if box.x1 > end + 1 and "$" not in words:
                longest = max(map(len, title.get_text().split("\n")))
                title.set_text(filled(words, max(LEAST, int(longest * (end - box.x0) / box.width))))
                wrapped = True
    return wrapped


def _beside(ax: Axes, legend: Legend) -> bool:
    """Tell whether a legend was put at a place beside the axes."""
    anchor = legend.get_bbox_to_anchor()
    return anchor.width == 0 and not (ax.bbox.x0 < anchor.x0 < ax.bbox.x1 and ax.bbox.y0 < anchor.y0 < ax.bbox.y1)


def _clear(sheet: Figure, ax: Axes, legend: Legend) -> None:
    """Find a place for a legend."""
    legend.set_loc("best")
    limits = ax.get_ylim()
    ticks = [tick for tick in ax.get_yticks() if min(limits) <= tick <= max(limits)]
    for _ in range(TRIES):
        sheet.draw_without_rendering()
        if not covers(ax, legend):
            break
        low, high = ax.get_ylim()
        ax.set_ylim(low, high * (high / low) ** ROOM if ax.get_yscale() == "log" else high + ROOM * (high - low))
    else:
        ax.set_ylim(*limits)
        legend.set_loc("center left")
        legend.set_bbox_to_anchor((1.01, 0.5), ax.transAxes)
    if ax.get_ylim() != limits and ax.get_yscale() == "linear" and not _named(ax.yaxis):
        ax.set_yticks(ticks)  # none where there is nothing but the legend


def _named(axis: Axis) -> bool:
    """Tell whether the ticks of an axis have names of their own."""
    return isinstance(axis.get_major_locator(), FixedLocator)


def covers(ax: Axes, legend: Legend) -> bool:
    """Tell whether a legend lies over data of its axes, after they were drawn."""
    renderer = _renderer(ax)
    box = Bbox.intersection(legend.get_window_extent(renderer), ax.get_window_extent(renderer))
    if box is None or box.width <= 0 or box.height <= 0:
        return False
    return any(_meets(artist, box, ax, renderer) for artist in _data(ax))


def _data(ax: Axes) -> Iterator[Artist]:
    """Yield what is drawn of data, not the guides that go through all of an axes."""
    for artist in (*ax.lines, *ax.patches, *ax.collections, *ax.texts):
        guide = isinstance(artist, Line2D) and artist.get_transform() != ax.transData
        if artist.get_visible() and not guide:
            yield artist


def _meets(artist: Artist, box: Bbox, ax: Axes, renderer: RendererBase) -> bool:
    """Tell whether something drawn has a part within a box of the screen."""
    if isinstance(artist, Text):
        return bool(artist.get_text()) and box.overlaps(artist.get_window_extent(renderer))
    if isinstance(artist, Line2D):
        path = artist.get_path().transformed(artist.get_transform())
        vertices = np.asarray(path.vertices)
        wide = box.padded(0.5 * artist.get_markersize() if artist.get_marker() not in ("None", None, "", " ") else 0)
        joined = artist.get_linestyle() not in ("None", "", " ") and len(vertices) > 1
        return bool(wide.count_contains(vertices)) or bool(joined and path.intersects_bbox(box, filled=False))
    if isinstance(artist, Patch):
        path = artist.get_path().transformed(artist.get_transform())
        return bool(path.intersects_bbox(box, filled=artist.get_fill()))
    if isinstance(artist, Collection):
        offsets = artist.get_offset_transform().transform(artist.get_offsets())
        if len(offsets) and artist.get_offset_transform() == ax.transData:
            return bool(box.count_contains(offsets))
        paths = (path.transformed(artist.get_transform()) for path in artist.get_paths() if np.size(path.vertices))
        filled = bool(np.size(artist.get_facecolor()))
        return any(path.intersects_bbox(box, filled=filled) for path in paths)
    return False


def narrow(sheet: Figure) -> bool:
    """Make a figure as narrow as a phone, with its texts as large as they were; tell whether that is possible.

    It is not where there are several panels, or where names and numbers would lie over each other or be cut: such a
    picture stays as it was drawn, and is to be scrolled. The figure is changed either way.
    """
    width, height = sheet.get_size_inches()
    panels = [ax for ax in sheet.axes if not _is_bar(ax)]
    if width <= NARROW or len(panels) != 1:
        return False
    ax = panels[0]
    _wrap_names(ax.xaxis)
    sheet.set_size_inches(NARROW, height + LEAD * _wrap_names(ax.yaxis))
    for each in sheet.axes:
        _wrap_texts(sheet, each)
    if (legend := ax.get_legend()) is not None:
        _below(sheet, ax, legend)
    for _ in range(LAYOUTS):
        sheet.draw_without_rendering()
        _thin(ax)
    if not fits(sheet):
        return False
    if not uncover(sheet, drawn=True):
        sheet.draw_without_rendering()
    return True


def _thin(ax: Axes) -> None:
    """Leave out every other number of an x axis, and its line of the grid, where they run into each other."""
    renderer, numbers = _renderer(ax), _ticks(ax.xaxis)
    boxes = sorted((text.get_window_extent(renderer) for text in numbers), key=lambda box: box.x0)
    if _named(ax.xaxis) or all(right.x0 - left.x1 >= APART for left, right in pairwise(boxes)):
        return
    low, high = sorted(ax.get_xlim())
    places = [place for place in ax.xaxis.get_majorticklocs() if low <= place <= high]
    ax.xaxis.set_major_locator(FixedLocator(places[::2]))


def _is_bar(ax: Axes) -> bool:
    return ax.get_label() == "<colorbar>"


def _wrap_names(axis: Axis) -> int:
    """Put long names of ticks on several lines; return how many lines are added where all names get as many."""
    names = [label.get_text() for label in axis.get_ticklabels()]
    if not _named(axis) or all(len(name) <= WORD for name in names):
        return 0
    wrapped = [filled(name, WORD) for name in names]
    axis.set_ticks(axis.get_ticklocs(), wrapped)
    return len(names) * max(name.count("\n") for name in wrapped)


def filled(text: str, width: int) -> str:
    """Return text in lines of a width; a name that is longer ends a line behind one of its parts, if it has any."""
    pieces = [piece for word in text.split() for piece in (*_within_width(word, width), " ")][:-1]
    lines = [""]
    for piece in pieces:
        if lines[-1].strip() and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] = (lines[-1] + piece).lstrip()
    return "\n".join(line.rstrip() for line in lines)


def _within_width(word: str, width: int) -> list[str]:
    """Return a word, in pieces if it is longer than a line."""
    if len(word) <= width:
        return [word]
    return [line for part in name_parts(word, width) for line in textwrap.wrap(part, width)]


def _below(sheet: Figure, ax: Axes, legend: Legend) -> None:
    """Put a legend that stands beside the axes, or is wide, below them, and make room for it."""
    renderer = _renderer(ax)
    width, height = sheet.get_size_inches()
    if not _beside(ax, legend) and legend.get_window_extent(renderer).width < 0.5 * sheet.bbox.width:
        return
    for text in legend.get_texts():
        text.set_text(filled(text.get_text(), LINE))
    tall = legend.get_window_extent(renderer).height
    sheet.set_size_inches(width, height + (tall + GAP) / sheet.dpi)
    legend.set_loc("upper left")
    across = blended_transform_factory(sheet.transFigure, ax.transAxes)
    legend.set_bbox_to_anchor((0.0, 0.0), across)
    for _ in range(PLACED):
        # A legend below takes height from the axes, in shares of which its place is told.
        sheet.draw_without_rendering()
        named = [*_ticks(ax.xaxis), *_shown([ax.xaxis.label])]
        inside = ax.get_window_extent(renderer)
        lowest = min((text.get_window_extent(renderer).y0 for text in named), default=inside.y0)
        legend.set_bbox_to_anchor((0.0, (lowest - GAP / 2 - inside.y0) / inside.height), across)


def _wrap_texts(sheet: Figure, ax: Axes) -> None:
    """Put title and names of axes that are longer than there is room on several lines."""
    renderer, whole = _renderer(ax), sheet.bbox
    names = [label.get_window_extent(renderer).width for label in _ticks(ax.yaxis)]
    left = max(names, default=0.0) + ax.yaxis.label.get_window_extent(renderer).width + 2 * GAP
    panel = 0.95 * whole.width - left  # in whose middle the name of its axis stands
    titles = [(title, panel) for title in _titles(ax)]
    across = min(0.66 * whole.width, panel)
    for text, room in (*titles, (ax.xaxis.label, across), (ax.yaxis.label, 0.7 * whole.height)):
        box = text.get_window_extent(renderer)
        long = box.height if text.get_rotation() == 90 else box.width
        words = " ".join(text.get_text().split())
        if long > room and "$" not in words:
            longest = max(map(len, text.get_text().split("\n")))
            text.set_text(filled(words, max(LEAST, int(longest * room / long))))


def _titles(ax: Axes) -> list[Text]:
    return _shown([ax.title, ax._left_title, ax._right_title])  # type: ignore[attr-defined]


def fits(sheet: Figure) -> bool:
    """Tell whether all texts of a drawn figure are within it, and none of one kind lies over another."""
    for ax in sheet.axes:
        renderer = _renderer(ax)
        groups = [_ticks(ax.xaxis), _ticks(ax.yaxis), _shown(ax.texts)]
        single = [*_titles(ax), *_shown([ax.xaxis.label, ax.yaxis.label])]
        boxes = [[text.get_window_extent(renderer) for text in group] for group in groups]
        if any(_overlap(*both, sheet.dpi) for both in zip(groups, boxes, strict=True)):
            return False
        everything = [*(box for group in boxes for box in group), *(t.get_window_extent(renderer) for t in single)]
        legend = ax.get_legend()
        everything += [] if legend is None else [legend.get_window_extent(renderer)]
        thin = not _is_bar(ax) and ax.get_window_extent(renderer).width < LEAST_WIDE * sheet.bbox.width
        if thin or not all(_within(box, sheet.bbox) for box in everything):
            return False
    return True


def _shown(texts: Sequence[Text]) -> list[Text]:
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def _ticks(axis: Axis) -> list[Text]:
    """Return the names of the ticks that are seen."""
    scale = axis.get_transform()
    low, high = sorted(scale.transform(axis.get_view_interval()))
    slack = 1e-6 * (high - low)
    places = zip(scale.transform(axis.get_majorticklocs()), axis.get_ticklabels(), strict=False)
    return _shown([label for place, label in places if low - slack <= place <= high + slack])


def _overlap(texts: Sequence[Text], boxes: Sequence[Bbox], dpi: float = 150.0) -> bool:
    """Tell whether texts lie over each other, by their boxes; texts that lean, by the distance of their ends."""
    if texts and texts[0].get_rotation() % 90:
        ends = sorted(box.x1 for box in boxes)
        apart = float(texts[0].get_fontsize()) * dpi / 72 / math.sin(math.radians(texts[0].get_rotation()))
        return any(right - left < apart for left, right in pairwise(ends))
    return any(one.padded(-1).overlaps(other.padded(-1)) for n, one in enumerate(boxes) for other in boxes[:n])


def _within(box: Bbox, whole: BboxBase) -> bool:
    slack = 2.0
    return bool(
        box.x0 >= whole.x0 - slack and box.x1 <= whole.x1 + slack
        and box.y0 >= whole.y0 - slack and box.y1 <= whole.y1 + slack
    )  # fmt: skip


def _renderer(ax: Axes) -> RendererBase:
    canvas = None if ax.figure is None else ax.figure.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        raise TypeError("a figure that is measured draws into memory")
    return canvas.get_renderer()
