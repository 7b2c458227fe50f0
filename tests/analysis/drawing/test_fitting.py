"""Legends cover no data, and narrow screens have a picture of their own where its texts fit."""

from __future__ import annotations

from analysis.drawing import fitting, html, style

import numpy as np


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


def test_several_panels_stay_as_wide_as_they_were() -> None:
    sheet = style.figure(9.0, 3.0)
    sheet.subplots(1, 2)
    assert not fitting.narrow(sheet) and sheet.get_size_inches()[0] == 9.0
