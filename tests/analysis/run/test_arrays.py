"""Maps of updates show every crosspoint, or means of blocks of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.drawing import style

import numpy as np
import pytest

from analysis.run.arrays import concentration, plot_update_map
from analysis.run.learning import Learning


def learning(moved: np.ndarray, tiles: Any = ((), ())) -> Learning:
    return Learning("big", np.zeros((1, 2), dtype=int), np.zeros((3, 1)), None, moved, tiles)


def test_update_map_shows_every_crosspoint(tmp_path: Path) -> None:
    moved = np.random.default_rng(0).random((5, 8))
    given = style.figure().add_subplot()
    ax = plot_update_map(learning(moved, ((2,), (4,))), given)
    assert ax is given
    np.testing.assert_allclose(ax.images[0].get_array(), moved)
    assert ax.images[0].get_extent() == [-0.5, 7.5, 4.5, -0.5]
    assert [ax.lines[0].get_ydata()[0], ax.lines[1].get_xdata()[0]] == [1.5, 3.5]
    assert "[weight]" in ax.figure.axes[1].get_ylabel()
    assert ax.get_xlabel() and ax.get_ylabel()
    style.save(ax, tmp_path / "picture.png")


def test_huge_maps_are_averaged() -> None:
    moved = np.random.default_rng(0).random((1601, 3))
    ax = plot_update_map(learning(moved))
    shown = np.asarray(ax.images[0].get_array())
    assert shown.shape == (534, 3)
    assert shown[:533] == pytest.approx(moved[:1599].reshape(533, 3, 3).mean(1))
    assert shown[533] == pytest.approx(moved[1599:].mean(0))
    assert ax.images[0].get_extent()[2] == 1601.5
    assert ax.get_ylim() == (1600.5, -0.5)
    assert "mean of 3 x 1" in ax.figure.axes[1].get_ylabel()


def test_a_few_moved_crosspoints_stay_apart() -> None:
    moved = np.zeros((100, 100))
    moved[3, :2] = 1, 2
    assert plot_update_map(learning(moved)).images[0].get_clim()[1] > 1.9


def test_concentration() -> None:
    assert concentration(np.array([[1.0, 1], [1, 1]])) == 0.5
    assert concentration(np.array([[8.0, 1], [1, 1]])) == 0.25
    assert concentration(np.zeros((2, 2))) == 0
