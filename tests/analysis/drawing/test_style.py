"""One look: figures without pyplot, names that matplotlib takes for what they are."""

from __future__ import annotations

from pathlib import Path

from analysis.drawing import style

import matplotlib
import pytest
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure


def test_names_are_no_mathematics_and_stay_in_the_legend() -> None:
    assert style.drawable("_a  $b$") == r"a \$b\$"
    assert style.drawable("x" * 50, 10) == "x" * 9 + "\u2026"
    assert style.plain("_a", 5) == "_a"


def test_a_user_s_look_stays_outside() -> None:
    with matplotlib.rc_context({"lines.linewidth": 7.0}):
        with style.own_look():
            assert matplotlib.rcParams["lines.linewidth"] == matplotlib.rcParamsDefault["lines.linewidth"]
        assert matplotlib.rcParams["lines.linewidth"] == 7.0


def test_axes_are_those_given_or_new_ones() -> None:
    given = style.figure().add_subplot()
    assert style.axes(given) is given
    own = style.axes(None, 3.0, 2.0)
    style.resize(own, lambda width, height: (2 * width, height))
    assert list(own.figure.get_size_inches()) == [6.0, 2.0]


def test_a_legend_needs_names() -> None:
    ax = style.axes(None)
    ax.plot([1, 2])
    style.legend(ax)
    assert ax.get_legend() is None
    ax.plot([2, 1], label="named")
    style.legend(ax)
    assert ax.get_legend() is not None


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    ax = style.dress(style.axes(None), x="x", y="y [1]", title="t")
    style.save(ax, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OSError, match="missing"):
        style.save(ax, tmp_path / "missing" / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_name_of_an_axis_keeps_away_from_the_title_below() -> None:
    sheet = style.figure(6.0, 6.0)
    above, below = (style.dress(ax, x="sweep", y="energy", title="Energy") for ax in sheet.subplots(2, 1))
    sheet.draw_without_rendering()
    apart = above.xaxis.label.get_window_extent().y0 - below._left_title.get_window_extent().y1
    assert apart > 0.8 * style.TITLE * style.DPI / 72


def test_a_legend_below_the_title_touches_neither_it_nor_the_axes() -> None:
    """It stood on the title's line, so close that it read like its end."""
    drawn = style.axes(None, 10.0, 4.0)
    for name in ("measured", "fit of the same devices"):
        drawn.plot([0, 1], [0, 1], label=name)
    style.dress(drawn, x="x", y="y", title="curves of 8 devices, mean")
    style.legend_below_title(drawn)
    sheet = style.sheet_of(drawn)
    sheet.draw_without_rendering()
    title, legend = (part.get_window_extent() for part in (drawn._left_title, drawn.get_legend()))
    assert title.y0 > legend.y1 > legend.y0 >= drawn.get_window_extent().y1 - 1
    assert legend.x0 == drawn.get_window_extent().x0 and title.y1 <= sheet.bbox.y1


@pytest.mark.parametrize("canvas", [FigureCanvasBase, FigureCanvasSVG, FigureCanvasPdf])
def test_a_user_s_own_figure_is_written_whatever_it_is_drawn_on(canvas: type[FigureCanvasBase], tmp_path: Path) -> None:
    """One of a notebook that shows vectors, say; it is left as it was."""
    sheet = Figure(figsize=(3, 2))
    own = canvas(sheet)
    style.dress(sheet.add_subplot(), x="time [s]", y="current [uA]").plot([1, 2, 3])
    before = sheet.get_layout_engine(), sheet.dpi
    style.save(sheet, tmp_path / "own.png")
    assert (tmp_path / "own.png").read_bytes().startswith(b"\x89PNG")
    assert sheet.canvas is own and (sheet.get_layout_engine(), sheet.dpi) == before
