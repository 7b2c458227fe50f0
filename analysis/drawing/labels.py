"""Labels of axes that are longer than their picture: put on several lines, so that none is cut off."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.drawing.fitting import filled

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

LONG = 0.6
"""Share of a picture's side from which on it is looked whether a label along it is cut off."""
EDGE = 0.01
"""Share of this side that stays free."""
LEAST, TRIES = 10, 3
"""Letters of a line at least, and how often a label is broken."""


def within(sheet: Figure, *, drawn: bool = False) -> bool:
    """Break the labels of axes that reach beyond a figure, bars of colours among them.

    Parameters
    ----------
    sheet : Figure
        What has been drawn, at its final size; others of its texts stay as they are.
    drawn : bool
        Whether its layout is that of its last change.

    Returns
    -------
    bool
        Whether its layout is so afterwards.
    """
    renderer = sheet.canvas.get_renderer()  # type: ignore[attr-defined]
    if not any(_long(text, place, sheet, renderer) > LONG for text, place in _labels(sheet)):
        return drawn
    for _ in range(TRIES):
        if not drawn:
            sheet.draw_without_rendering()
        drawn = not [text for text, place in _labels(sheet) if _break(text, place, sheet, renderer)]
        if drawn:
            break
    return drawn


def _labels(sheet: Figure) -> Iterator[tuple[Text, int]]:
    """Yield labels without mathematics, and whether each runs along the width (0) or the height (1)."""
    for ax in sheet.axes:
        for label in (ax.xaxis.label, ax.yaxis.label):
            if label.get_visible() and "$" not in label.get_text():
                yield label, int(label.get_rotation() % 180 == 90)


def _long(text: Text, place: int, sheet: Figure, renderer: RendererAgg) -> float:
    """Return how long a label is, as a share of the figure's side."""
    return float(text.get_window_extent(renderer).size[place] / sheet.bbox.size[place])


def _break(text: Text, place: int, sheet: Figure, renderer: RendererAgg) -> bool:
    """Break a label that is cut off; return whether it was."""
    box, side = text.get_window_extent(renderer), float(sheet.bbox.size[place])
    low, high = float(box.min[place]), float(box.max[place])
    if low >= 0 and high <= side:
        return False
    middle, lines = (low + high) / 2, text.get_text().split("\n")
    room = 2 * (min(middle, side - middle) - EDGE * side)
    longest = max(map(len, lines))
    text.set_text(filled(" ".join(text.get_text().split()), max(LEAST, int(longest * room / (high - low)))))
    return text.get_text().split("\n") != lines
