"""Pictures of sweeps draw the means, spreads and trials they are given, and the contour where it belongs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from analysis.drawing import style

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.contour import ContourSet

from analysis.sweep.pictures import plot_accuracy, plot_heat_map
from neuroep.errors import ConfigError
from tests.analysis.drawing.test_html import contrast

BITS, NOISE, CHIP = "chip.adc.bits", "chip.device.read_noise", "chip"
SEEDS = 3
Accuracy = Callable[[Any, Any], float | None]


def grid(bits: Sequence[Any], noises: Sequence[Any], accuracy: Accuracy, x: str = BITS) -> list[dict[str, Any]]:
    """Return trials of which the seeds differ by 0.01 around the accuracy."""
    found = []
    for bit in bits:
        for noise in noises:
            for seed in range(SEEDS):
                mean = accuracy(bit, noise)
                value = None if mean is None else mean + 0.01 * (seed - 1)
                error = "diverged" if mean is None else None
                found.append({x: bit, NOISE: noise, "seed": seed, "accuracy": value, "loss": 0.1, "error": error})
    return found


def one(bits: Sequence[Any] = (3, 4, 6), x: str = BITS) -> list[dict[str, Any]]:
    return grid(bits, [0.1], lambda bit, _: 0.5 if not isinstance(bit, int) else 0.1 * bit, x)


def image(ax: Axes) -> np.ndarray:
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def contour(ax: Axes) -> np.ndarray:
    (found,) = [part for part in ax.collections if isinstance(part, ContourSet)]
    return np.concatenate([path.vertices for path in found.get_paths()])


@pytest.mark.parametrize("kind", ["accuracy", "heat"])
def test_draws_where_it_is_told(kind: str, tmp_path: Path) -> None:
    rows = grid([3, 4, 5], [0.0, 0.1], lambda bit, noise: 0.1 * bit - noise)
    draw = {
        "accuracy": lambda ax: plot_accuracy(rows, BITS, ax, ideal=0.9),
        "heat": lambda ax: plot_heat_map(rows, BITS, NOISE, 0.35, ax),
    }[kind]
    given = style.figure().add_subplot()
    assert draw(given) is given
    own = draw(None)
    assert own is not given
    for ax in (given, own):
        assert "[bit]" in ax.get_xlabel()
        assert ("[%]" if kind == "accuracy" else "[uS") in ax.get_ylabel()
        assert ax.get_title(loc="left") and ax.get_legend() is not None
        style.save(ax.figure, tmp_path / "picture.png")
    if kind == "heat":
        assert own.figure.axes[1].get_ylabel() == "mean accuracy [%]"


def test_accuracy_line_band_trials_and_ideal() -> None:
    ax = plot_accuracy(one(), BITS, ideal=0.97)
    line = next(part for part in ax.lines if part.get_label() == "mean and std over seeds")
    assert line.get_xdata() == pytest.approx([3, 4, 6])
    assert line.get_ydata() == pytest.approx([30, 40, 60])
    ideal = next(part for part in ax.lines if "ideal" in str(part.get_label()))
    assert ideal.get_ydata() == pytest.approx([97, 97])
    corners = ax.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(29)
    assert corners[:, 1].max() == pytest.approx(61)
    dots = [part for part in ax.lines if part.get_marker() == "."]
    assert sorted(np.concatenate([part.get_ydata() for part in dots])) == pytest.approx(
        [29, 30, 31, 39, 40, 41, 59, 60, 61]
    )


def test_a_line_for_each_value_of_the_other_setting() -> None:
    ax = plot_accuracy(grid([3, 4], [0.0, 0.2], lambda bit, noise: 0.1 * bit - noise), BITS)
    assert ax.get_legend().get_title().get_text() == NOISE
    lines = {str(part.get_label()): part.get_ydata() for part in ax.lines if part.get_marker() in style.MARKERS}
    assert lines["0"] == pytest.approx([30, 40])
    assert lines["0.2"] == pytest.approx([10, 20])


def test_unset_is_a_line_and_too_many_lines_are_told() -> None:
    ax = plot_accuracy(one((3, None, 4)), BITS)
    line = next(part for part in ax.lines if part.get_marker() == "o")
    assert line.get_xdata() == pytest.approx([3, 4])
    level = next(part for part in ax.lines if part.get_label() == "bits unset: 50.0%")
    assert level.get_ydata() == pytest.approx([50, 50])
    many = plot_accuracy(grid([3, 4], np.linspace(0, 1, 12), lambda bit, _: 0.1 * bit), BITS)
    assert "7 of 12 lines" in many.get_title(loc="left")


def test_words_get_names_and_no_line() -> None:
    ax = plot_accuracy(one(("rram", "pcm", "a/mine.toml"), CHIP), CHIP)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["mine", "pcm", "rram"]
    assert all(part.get_linestyle() == "None" for part in ax.lines if part.get_marker() == "o")


@pytest.mark.parametrize(
    ("values", "scale"),
    [((0.001, 0.01, 0.1), "log"), ((0, 0.001, 0.1), "symlog"), ((3, 4, 5), "linear"), ((-1, 1, 100), "linear")],
)
def test_scales(values: tuple[float, ...], scale: str) -> None:
    ax = plot_accuracy([{NOISE: v, "seed": 0, "accuracy": 0.5, "error": None} for v in values], NOISE)
    assert ax.get_xscale() == scale
    low, high = ax.get_xlim()
    assert low <= min(values) < max(values) <= high


@pytest.mark.parametrize("bits", [(4,), (None,), (3, 4)])
def test_one_value_one_seed_and_failures(bits: tuple[Any, ...], tmp_path: Path) -> None:
    rows = [{BITS: bit, "seed": 0, "accuracy": 0.5, "error": None} for bit in bits]
    rows.append({BITS: 4, "seed": 1, "accuracy": None, "error": "diverged"})
    ax = plot_accuracy(rows, BITS)
    assert f"{len(rows)} trials, 1 failed" in ax.get_title(loc="left")
    assert not ax.collections
    style.save(ax, tmp_path / "picture.png")


def test_heat_map_cells_and_grey() -> None:
    rows = grid([3, 4, 5], [0.0, 0.1], lambda bit, noise: None if (bit, noise) == (3, 0.1) else 0.1 * bit - noise)
    ax = plot_heat_map(rows, BITS, NOISE)
    assert image(ax) == pytest.approx(np.array([[30, 40, 50], [np.nan, 30, 40]]), nan_ok=True)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["3", "4", "5"]
    assert [text.get_text() for text in ax.texts] == ["30.0", "40.0", "50.0", "30.0", "40.0"]
    (drawn,) = ax.images
    for text in ax.texts:
        ground, ink = to_hex(drawn.to_rgba(float(text.get_text()))), to_hex(text.get_color())
        assert contrast(ink, ground) >= 4.5
    assert "18 trials, 3 failed" in ax.get_title(loc="left")


def test_contour_is_between_cell_centres() -> None:
    rows = grid([3, 4, 8], [0.0, 0.01, 0.1], lambda bit, _: {3: 0.3, 4: 0.5, 8: 0.9}[bit])
    assert contour(plot_heat_map(rows, BITS, NOISE, 0.6))[:, 0] == pytest.approx(1.25)
    turned = contour(plot_heat_map(rows, NOISE, BITS, 0.6))
    assert turned[:, 1] == pytest.approx(1.25)
    single = grid([3, 4, 8], [0.1], lambda bit, _: {3: 0.3, 4: 0.5, 8: 0.9}[bit])
    path = contour(plot_heat_map(single, BITS, NOISE, 0.6))
    assert path[:, 0] == pytest.approx(1.25)
    assert sorted({round(float(y), 6) for y in path[:, 1]}) == [-0.5, 0.5]


@pytest.mark.parametrize(("target", "told"), [(0.95, "never met"), (0.2, "always met")])
def test_contour_that_is_not_there(target: float, told: str) -> None:
    for accuracy in (lambda bit, noise: 0.1 * bit, lambda bit, noise: 0.5):
        ax = plot_heat_map(grid([3, 4], [0.0, 0.1], accuracy), BITS, NOISE, target)
        assert told in ax.get_legend().get_texts()[0].get_text()
        assert not [part for part in ax.collections if isinstance(part, ContourSet)]


def test_words_have_borders_of_cells() -> None:
    rows = grid(["a", "b", "c"], [0.0, 0.1], lambda chip, noise: {"a": 0.9, "b": 0.3, "c": 0.8}[chip], CHIP)
    ax = plot_heat_map(rows, CHIP, NOISE, 0.6)
    drawn = [part for part in ax.collections if isinstance(part, LineCollection)][-1]
    assert sorted(float(part[0, 0]) for part in drawn.get_segments()) == [0.5, 0.5, 1.5, 1.5]


def test_scattered_points_and_their_contour() -> None:
    generator = np.random.default_rng(0)
    places = 10 ** generator.uniform(-3, 0, (200, 2))
    beta = "estimator.beta"
    rows = [
        {beta: x, NOISE: y, "seed": 0, "accuracy": 0.5 - 0.1 * np.log10(x), "error": None} for x, y in places.tolist()
    ]
    ax = plot_heat_map(rows, beta, NOISE, 0.6)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    (dots,) = [part for part in ax.collections if isinstance(part, PathCollection)]
    assert sorted(dots.get_offsets()[:, 0]) == pytest.approx(sorted(places[:, 0]))
    assert np.log10(contour(ax)[:, 0]) == pytest.approx(-1, abs=1e-3)


def test_points_on_a_line_have_no_contour() -> None:
    beta = "estimator.beta"
    rows = [{beta: 0.1 * n, NOISE: 0.01 * n, "seed": 0, "accuracy": 0.1 * n, "error": None} for n in range(1, 9)]
    assert "without a line" in plot_heat_map(rows, beta, NOISE, 0.45).get_legend().get_texts()[0].get_text()


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (lambda: plot_accuracy(one(), "chip.dac.bits"), "does not vary 'chip.dac.bits'"),
        (lambda: plot_accuracy(one(), BITS, series=BITS), "series is 'chip.adc.bits'"),
        (lambda: plot_accuracy(one(), BITS, ideal=98.6), "ideal is 98.6"),
        (lambda: plot_accuracy([], BITS), "no trials"),
        (lambda: plot_heat_map(one(), BITS, BITS), "y is 'chip.adc.bits'"),
        (lambda: plot_heat_map(one(), BITS, NOISE, 90), "target is 90"),
        (lambda: plot_heat_map(grid([3], [0.1], lambda *_: None), BITS, NOISE), "all trials failed"),
    ],
)
def test_refused_with_one_line(draw: Callable[[], Axes], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        draw()
    assert "\n" not in str(caught.value)


def test_pyplot_is_never_imported() -> None:
    names = ", ".join(f"analysis.{n}" for n in ("sweep.pictures", "chips.devices", "run.arrays", "run.attention"))
    code = f"import sys, {names}; sys.exit('matplotlib.pyplot' in sys.modules)"
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
