"""Pictures of the site: each shows its effect, and says what its axes are of."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from matplotlib.axes import Axes

from hw_models.chip import effects as known
from site_pages import chips, drawn, effects, markdown, pictures
from tests import lots

SEEN = 0.015
"""Share of the axis by which at least one point in a hundred lies elsewhere without the effect."""
COUNTED = {"updates", "sweeps", "number of pulses"}
"""What is counted, and has no unit."""
SOME = [effect for effect in known.EFFECTS if lots.drawn(effect.name)]


@cache
def drawn_of(name: str, off: bool) -> Axes:
    """Return the picture of an effect, or that of its chip without the effect."""
    drawing = drawn.drawings()[markdown.slug(name)]
    return pictures.DRAWN[drawing.function](drawing.without if off else drawing.chip, drawing.without)


def places(ax: Axes, of: Axes) -> dict[str, np.ndarray]:
    """Return how high the points of every named line lie, as shares of an axis."""
    found = {}
    ax.get_ylim()  # brings the transformation up to date
    for line in of.lines:
        points = ax.transAxes.inverted().transform(ax.transData.transform(line.get_xydata()))
        if not str(line.get_label()).startswith("_"):
            found[str(line.get_label())] = points[:, 1]
    return found


@pytest.mark.parametrize("effect", SOME, ids=lambda effect: effect.name)
def test_a_picture_shows_its_effect(effect: known.Effect) -> None:
    ax = drawn_of(effect.name, False)
    there, gone = places(ax, ax), places(ax, drawn_of(effect.name, True))
    moved = [
        np.percentile(np.abs(height - gone[label]), 99)
        for label, height in there.items()
        if label in gone and gone[label].shape == height.shape and pictures.WITHOUT not in label
    ]
    assert max(moved) > SEEN or there.keys() - gone.keys() - {pictures.WITHOUT}, moved


@pytest.mark.parametrize("effect", SOME, ids=lambda effect: effect.name)
def test_axes_end_with_their_unit(effect: known.Effect) -> None:
    ax = drawn_of(effect.name, False)
    for label in (ax.get_xlabel(), ax.get_ylabel()):
        assert label in COUNTED or re.fullmatch(r"[^\[]+ \[[^\]]+\]", label), label
    assert ax.get_legend() is not None and "%" not in ax.get_title(loc="left").replace(" %", "")


def test_devices_that_only_grow_are_not_pulsed_down() -> None:
    drawing = drawn.drawings()["nandakumar_2020_pcm"]
    words = [text.get_text() for text in pictures.DRAWN[drawing.function](drawing.chip, drawing.without).texts]
    assert words == ["potentiation"]
    page = dict(chips.preset_pages())["presets/nandakumar_2020_pcm.md"]
    assert "No pulse takes them down" in page and "Potentiation and depression" not in page


def test_presets_show_all_constants_of_their_numbers() -> None:
    for path, page in chips.preset_pages():
        if path != "presets/index.md":
            code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[-1]
            for name in re.findall(r"=([A-Z]{2,})\b[,)]", code):
                assert f"\n{name} = " in f"\n{code}", (path, name)


def test_all_letters_of_an_equation_are_told() -> None:
    for name, said in effects.words().items():
        told = letters(" ".join(re.findall(r"\$([^$]+)\$", said.symbols)))
        assert letters(said.equation) - told <= {"e"}, (name, letters(said.equation) - told)


def letters(latex: str) -> set[str]:
    """Return the single letters of LaTeX, but those of commands and words."""
    plain = re.sub(r"\\(?:mathrm|text)\{[^}]*\}|\\[a-zA-Z]+", " ", latex)
    return set(re.findall(r"(?<![a-zA-Z])d?([a-zA-Z])(?![a-zA-Z])", plain))


def test_lists_of_a_chip_stand_on_one_line() -> None:
    page = dict(effects.pages())["effects/drift.md"]
    assert "drift_mean = [-0.0155, 0.0244, 0.049, 0.1]\n" in page
