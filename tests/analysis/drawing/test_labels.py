"""Labels of axes are within their picture, however long they are, on maps with a bar of colours too."""

from __future__ import annotations

import io

from analysis.drawing import labels, style
from analysis.drawing.panels import SMALL

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.run.arrays import plot_conductance_trajectories
from analysis.run.learning import Learning
from analysis.run.symmetry import Distances, plot_symmetry_map


def texts(sheet: Figure) -> list[str]:
    """Return the labels of a drawn figure, all of which are within it."""
    style.write_png(sheet, io.BytesIO(), sheet.dpi)
    sheet.draw_without_rendering()
    renderer = sheet.canvas.get_renderer()
    found = [label for ax in sheet.axes for label in (ax.xaxis.label, ax.yaxis.label) if label.get_text()]
    for label in found:
        box = label.get_window_extent(renderer)
        whole = sheet.bbox
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= whole.x1 + 1 and box.y1 <= whole.y1 + 1, label.get_text()
    return [label.get_text() for label in found]


def test_a_map_of_symmetry_points_on_a_page():
    """Before, 'tate minus symmetry point [share of the weight ra' was to be read."""
    found = Distances("dense_1", np.linspace(-0.1, 0.1, 20).reshape(4, 5))
    told = texts(plot_symmetry_map(found, style.axes(None, *SMALL)).figure)
    assert "state minus symmetry point [share of the weight range]" in " ".join(told).replace("\n", " ")


@pytest.mark.parametrize("size", [SMALL, (6.0, 4.0)])
def test_trajectories_of_several_crossbars(size):
    entries = np.array([[0, 0], [1, 1]])
    result = Learning("dense_1", entries, np.zeros((4, 2)), np.zeros((4, 2, 2)), np.zeros((2, 2)), crossbars=2)
    told = texts(plot_conductance_trajectories(result, style.axes(None, *size)).figure)
    assert "G+ solid, G- dashed, first of 2 crossbars" in " ".join(told).replace("\n", " ")


def test_what_fits_stays_as_it_is():
    ax = style.figure(4.0, 3.0).add_subplot()
    style.dress(ax, x="number of the update", y="accuracy [%]")
    assert texts(ax.figure) == ["number of the update", "accuracy [%]"]


@pytest.mark.parametrize("many", [1, 2])
def test_long_labels_of_both_axes(many):
    sheet = style.figure(4.0 * many, 3.0)
    for ax in np.ravel(sheet.subplots(1, many)):
        style.dress(ax, x="a long name of an axis " * 4 + "[uS]", y="another name of an axis that is long " * 2)
    assert all("\n" in text for text in texts(sheet))


def test_mathematics_is_left_alone():
    ax = style.figure(2.0, 2.0).add_subplot()
    ax.set_xlabel(r"$\beta = 0.1$ and more words than there is room for")
    labels.within(ax.figure)
    assert "\n" not in ax.get_xlabel()
