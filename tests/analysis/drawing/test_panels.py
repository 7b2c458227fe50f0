"""A picture says beside itself where it is shown: it is found there, measured first, and drawn as it says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.drawing import panels, style
from analysis.drawing.panels import Measured, Panel, Picture

import pytest
from matplotlib.axes import Axes

MODULE = """
from analysis.drawing.panels import Panel

def measure(subject):
    return [subject + {number}]

FOUND = Panel("Section {number}", {place}, measure, above=lambda results: f"<p>{{results[0]}}</p>")
"""


def bars(result: Sequence[float], ax: Axes | None = None) -> Axes:
    ax = style.axes(ax)
    ax.bar(range(len(result)), result)
    return style.dress(ax, x="place", y="height [1]", title="bars")


@pytest.fixture
def question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of two modules, the first of which stands second."""
    folder = tmp_path / "some_question"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, number, place in (("a", 1, 20), ("b", 2, 10)):
        (folder / f"{name}.py").write_text(MODULE.format(number=number, place=place))
    (folder / "c.py").write_text("from some_question.a import FOUND\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "some_question"  # type: ignore[misc]
    for name in [name for name in sys.modules if name.startswith("some_question")]:
        del sys.modules[name]


def test_panels_are_found_once_and_in_order(question: str) -> None:
    found = panels.measured(question, 10)
    assert [(one.panel.section, one.results) for one in found] == [("Section 2", [12]), ("Section 1", [11])]
    first, second = panels.sections(found)
    assert "<h2>Section 2</h2>" in first and "<p>12</p>" in first and "<p>11</p>" in second


def test_pictures_of_every_result_up_to_the_most() -> None:
    picture: Picture[list[float]] = Picture(bars, lambda result: f"{len(result)} bars", "alt")
    panel: Panel[object, list[float]] = Panel("S", 1, lambda _: [], [picture], title="T", most=2)
    (text,) = panels.sections([Measured(panel, [[1.0], [1.0, 2.0], [3.0]])])
    assert text.count("<img") == 2 and "2 bars" in text and "<h3>T</h3>" in text and 'class="row"' in text
    assert panels.sections([Measured(panel, [])]) == [""]


def test_a_picture_has_the_size_and_the_look_of_its_page() -> None:
    seen = []
    picture: Picture[list[float]] = Picture(
        bars, "", size=lambda result: (len(result), 2.0), look=lambda ax, result: seen.append((ax, result))
    )
    drawn = picture.draw([1.0, 2.0, 3.0])
    assert list(drawn.figure.get_size_inches()) == [3.0, 2.0]
    assert seen == [(drawn, [1.0, 2.0, 3.0])]
    given = style.figure().add_subplot()
    assert picture.draw([1.0], given) is given


def test_no_two_panels_stand_at_one_place() -> None:
    for question in ("run", "comparison", "sweep", "chips"):
        places = [panel.place for panel in panels.panels(f"analysis.{question}")]
        assert places and len(set(places)) == len(places)
