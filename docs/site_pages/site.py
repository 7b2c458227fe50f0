"""Write all pages that are made from the code, and their pictures; only what differs is written again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hw_models.whole_files import write_text
from site_pages import chips, drawn, effects, made, notebooks, running

ROOT = Path(__file__).parents[2]
PICTURES = "pictures"
"""Folder of the pictures within that of the pages."""
ELSEWHERE = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^>]*>"
    r"|<link\b[^>]*rel=[\"']?(?:stylesheet|preload|preconnect|icon)[^>]*href=[\"']?(?:https?:)?//[^>]*>"
    r"|(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\s]*"
)
"""A tag, or a rule of a style sheet, that fetches something from another place."""


def pages() -> Iterator[tuple[str, str]]:
    """Yield path and text of every page."""
    yield from effects.pages()
    yield from chips.preset_pages()
    yield from notebooks.pages()
    for name, text in (
        ("fields", chips.fields), ("rules", chips.rules_page), ("laws", chips.laws),
        ("components", chips.components_page), ("commands", running.commands), ("settings", running.settings),
        ("formats", running.formats),
    ):  # fmt: skip
        yield f"{name}.md", text()
    yield "twins.md", running.twins(ROOT / "tests" / "naive")
    yield "made.md", made.fragment()
    yield "tests.md", made.tests()


def write(folder: Path, draw: bool = True) -> list[Path]:
    """Write pages and pictures; return what was written, and take away what no longer belongs there.

    Without drawing, which takes most of the time, a picture that is missing is blank, and drawn another time.
    """
    written, wanted = [], set()
    for name, text in pages():
        path = folder / name
        wanted.add(path)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
            written.append(path)
    for path in set(folder.rglob("*.md")) - wanted:
        path.unlink()
    return written + (drawn.draw_all if draw else drawn.blank)(folder / PICTURES)


def fetched(folder: Path) -> list[str]:
    """Return what the pages of a built site would fetch from elsewhere when they are read: file and tag."""
    found = []
    for path in sorted([*folder.rglob("*.html"), *folder.rglob("*.css")]):
        text = path.read_text(encoding="utf-8")
        found += [f"{path.relative_to(folder)}: {tag}" for tag in ELSEWHERE.findall(text)]
    return found
