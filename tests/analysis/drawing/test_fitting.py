"""Legends cover no data, and narrow screens have a picture of their own where its texts fit."""

from __future__ import annotations

from itertools import pairwise

from analysis.drawing import fitting, html, style

import numpy as np
from matplotlib.ticker import EngFormatter


def test_a_legend_over_a_point_is_moved() -> None:
    ax = style.axes(None, 4.0, 3.0)
    ax.plot(np.linspace(0, 1, 60).repeat(60), np.tile(np.linspace(0, 1, 60), 60), "o", label="everywhere")
    style.dress(ax, x="x [1]", y="y [1]")
    style.legend(ax, loc="upper right")
    ax.figure.draw_without_rendering()
    assert fitting.covers(ax, ax.get_legend())
    fitting.uncover(ax.figure)
    ax.figure.draw_without_rendering()
    assert not fitting.covers(ax, ax.get_legend())


def test_a_narrow_picture_keeps_its_texts_within() -> None:
    ax = style.axes(None, 9.2, 3.6)
    ax.plot([1, 2, 3], label="a line with a long name that stands beside the axes")
    style.dress(ax, x="sweep of the free phase", y="distance [1]", title="A title that is longer than a phone is wide")
    style.legend(ax, loc="center left", bbox_to_anchor=(1.01, 0.5))
    page = html.picture(ax, "caption")
    assert "<picture><source media=" in page and 'class="wide"' not in page
    assert ax.figure.get_size_inches()[0] == fitting.NARROW and fitting.fits(ax.figure)


def test_the_name_of_an_axis_beside_long_names_stays_within() -> None:
    """It was cut, so that the picture of pairs of effects scrolled on a phone."""
    ax = style.axes(None, 7.2, 3.9)
    ax.errorbar([-5.0, -4.0], [0, 1], xerr=[5.0, 2.4], fmt="o", label="mean and standard error")
    ax.set_yticks([0, 1], ["stuck devices x read noise", "on/off ratio x stuck devices"])
    style.dress(ax, x="gain with both off, beyond the sum of both gains [points]", y="pair of effects", title="Pairs")
    assert fitting.narrow(ax.figure)


def test_numbers_of_a_narrow_axis_stand_apart() -> None:
    """Those of a latency, 300 us to 450 us, ran into each other."""
    ax = style.axes(None, 8.2, 4.4)
    ax.plot([288e-6, 460e-6], [50.0, 48.1], "o")
    ax.xaxis.set_major_formatter(EngFormatter("s"))
    style.dress(ax, x="latency of a classification", y="accuracy [%]")
    assert fitting.narrow(ax.figure)
    ax.figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
    assert len(boxes) >= 3 and all(right.x0 - left.x1 >= fitting.APART for left, right in pairwise(boxes))


def test_one_epoch_has_one_number() -> None:
    """Its axis was numbered from 0.945 to 1.050."""
    ax = style.axes(None, 4.0, 3.0)
    ax.plot([1], [53.7], "o")
    style.whole_steps(ax)
    ax.figure.draw_without_rendering()
    low, high = ax.get_xlim()
    assert [place for place in ax.xaxis.get_majorticklocs() if low <= place <= high] == [1]


def test_names_end_a_line_behind_a_part_of_theirs() -> None:
    assert fitting.filled("legallo_2023_hermes", 16) == "legallo_2023_\nhermes"
    assert fitting.filled("legallo_2023_hermes, update", 16) == "legallo_2023_\nhermes, update"
    assert fitting.filled("cosine with the exact one", 16) == "cosine with the\nexact one"
    assert fitting.filled("a" * 20, 16) == "a" * 16 + "\n" + "a" * 4


def test_a_legend_below_covers_no_name_of_the_axis() -> None:
    ax = style.axes(None, 9.2, 3.6)
    names = ["query.weight", "dense_1.weight", "dense_1.bias", "dense_2.weight", "dense_2.bias"]
    ax.bar(range(5), range(1, 6), label="legallo_2023_hermes")
    ax.set_xticks(range(5), names, rotation=20, ha="right")
    style.dress(ax, x="parameter", y="cosine [1]")
    style.legend(ax, loc="center left", bbox_to_anchor=(1.01, 0.5))
    assert fitting.narrow(ax.figure)
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().y1 <= ax.xaxis.label.get_window_extent().y0


def test_a_title_is_neither_cut_nor_over_the_next_panel() -> None:
    sheet = style.figure(9.0, 3.0)
    panels = sheet.subplots(1, 2)
    title = "Gradient of EP: weights as conducted (bar) and as programmed (dash)"
    for ax in panels:
        style.dress(ax, x="x [1]", y="y [1]", title=title)
    sheet.draw_without_rendering()
    assert fitting.wrap_titles(sheet)
    sheet.draw_without_rendering()
    assert not fitting.wrap_titles(sheet)
    for ax in panels:
        assert ax._left_title.get_window_extent().x1 <= ax.get_window_extent().x1 + 2
        assert ax._left_title.get_text().count("\n") == 1


def test_several_panels_stay_as_wide_as_they_were() -> None:
    sheet = style.figure(9.0, 3.0)
    sheet.subplots(1, 2)
    assert not fitting.narrow(sheet) and sheet.get_size_inches()[0] == 9.0
