"""What the tests of pages share: a parser that checks them, and a small sweep."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

from analysis.drawing import html, style

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.sweep import runner


class Page(HTMLParser):
    """Checks that tags close in order and say what a screen reader needs, and gathers what a page loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.loaded: list[str] = []
        self.levels: list[int] = []
        self.feed(text)
        assert not self.open
        assert self.levels[:1] in ([], [1]) or 1 not in self.levels
        assert all(after <= before + 1 for before, after in pairwise(self.levels))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.levels += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        assert tag != "th" or dict(attrs)["scope"] in ("row", "col")
        assert tag != "img" or dict(attrs)["alt"].strip()
        self.loaded += [value for name, value in attrs if name in ("src", "srcset", "data", "poster")]
        self.loaded += [value for name, value in attrs if name == "href" and tag != "a"]
        if tag not in ("meta", "img", "br", "source", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(text: str) -> str:
    """Check a page and return it."""
    found = Page(text)
    assert "script" not in found.tags and "@import" not in text and "url(" not in text.partition("<body>")[0]
    assert found.loaded and all(entry.startswith("data:image/png;base64,") for entry in found.loaded)
    assert len(text.encode()) < 5e6
    assert text.startswith("<!doctype html>\n<html lang=") and "viewport" in text and "<title>" in text
    assert found.levels.count(1) == 1 and "<wbr>" not in text.partition("<body>")[0]
    return text


@pytest.fixture
def checked() -> Callable[[str], str]:
    """Check a page and return it."""
    return check


@pytest.fixture(scope="session")
def empty_picture() -> bytes:
    """A picture of nothing."""
    file = io.BytesIO()
    style.write_png(style.figure(1.0, 1.0), file, style.DPI)
    return file.getvalue()


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch, empty_picture: bytes) -> None:
    """Every picture is drawn and has its place, file and texts, but an empty one stands for its pixels.

    For tests of what a page says: pixels take nine tenths of its time. Whole pages of every kind are made by
    ``test_report.py`` and the tests of pages of ablations and requirements, and every picture by ``test_pictures.py``.
    """

    def picture(drawn: Axes | Figure, caption: str, alt: str = "") -> str:
        assert style.sheet_of(drawn).axes
        return html.image(empty_picture, caption, alt)

    def save(drawn: Axes | Figure, path: Path) -> None:
        assert style.sheet_of(drawn).axes
        path.write_bytes(empty_picture)

    monkeypatch.setattr(html, "picture", picture)
    monkeypatch.setattr(style, "save", save)


@pytest.fixture
def parsed() -> Callable[[str], Page]:
    """Check the tags of a page that may lack pictures."""
    return Page


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Iterator[Callable[..., Path]]:
    """Sweep settings of the trained run, 20 samples and one seed each, and return the directory."""
    with ThreadPoolExecutor(1) as executor:

        def run(vary: Sequence[str], overrides: Sequence[str] = ("--chip", "hermes")) -> Path:
            out = tmp_path_factory.mktemp("report") / "sweep"
            runner.run(trained, vary, out=out, overrides=list(overrides), samples=20, executor=executor)
            return out

        yield run
