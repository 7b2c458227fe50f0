"""Write all pages that are made from the code, and the pictures of effects; only what differs is written again."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from hw_models import Chip
from hw_models.chip.effects import EFFECTS
from hw_models.whole_files import write_text
from site_pages import chips, effects, markdown, running

ROOT = Path(__file__).parents[2]
PICTURES = "pictures"
"""Folder of the pictures within that of the pages."""
ELSEWHERE = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^>]*>"
    r"|<link\b[^>]*rel=[\"']?(?:stylesheet|preload|preconnect|icon)[^>]*href=[\"']?(?:https?:)?//[^>]*>"
    r"|(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\s]*"
)
"""A tag, or a rule of a style sheet, that fetches something from another place."""
SUM = ".sum"
"""Ending of the file beside a picture that says what it was drawn of."""


def pages() -> Iterator[tuple[str, str]]:
    """Yield path and text of every page."""
    yield from effects.pages()
    yield from chips.preset_pages()
    for name, text in (
        ("fields", chips.fields), ("rules", chips.rules_page), ("laws", chips.laws),
        ("components", chips.components_page), ("commands", running.commands), ("settings", running.settings),
        ("formats", running.formats),
    ):  # fmt: skip
        yield f"{name}.md", text()
    yield "twins.md", running.twins(ROOT / "tests" / "naive")


BLANK = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP6DwABBQECz6AuzQAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel, in place of a picture that is not drawn."""


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
    return written + (draw_all if draw else blank)(folder / PICTURES)


def blank(folder: Path) -> list[Path]:
    """Write blank pictures where there are none; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [path for path in _places(folder).values() if not path.is_file()]
    for path in missing:
        path.write_bytes(BLANK)
    return missing


def draw_all(folder: Path) -> list[Path]:
    """Draw the pictures that are not there, or were drawn of another chip or by other code; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    todo = [(name, path) for name, path in _places(folder).items() if not _drawn(path, name)]
    for name, path in todo:
        draw(name, path)
        path.with_suffix(SUM).write_text(_sum(name), encoding="utf-8")
    return [path for _, path in todo]


def _places(folder: Path) -> dict[str, Path]:
    return {effect.name: folder / f"{markdown.slug(effect.name)}.png" for effect in EFFECTS}


def draw(name: str, path: Path) -> None:
    """Draw the picture of one effect."""
    from analysis.drawing import style

    from site_pages import pictures

    said = effects.words()[name]
    with style.own_look():
        style.save(pictures.DRAWN[said.picture](shown(name)), path)


def shown(name: str) -> Chip:
    """Return the chip in the picture of an effect."""
    return Chip.parse(effects.words()[name].shown, name)


def _drawn(path: Path, name: str) -> bool:
    beside = path.with_suffix(SUM)
    return path.is_file() and beside.is_file() and beside.read_text(encoding="utf-8") == _sum(name)


def _sum(name: str) -> str:
    """Return what stands for all that a picture is of: its chip, and the sources that draw it."""
    digest = hashlib.blake2b(repr(effects.words()[name]).encode())
    for source in (Path(__file__).with_name("pictures.py"), *sorted((ROOT / "hw_models").rglob("*.py"))):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def fetched(folder: Path) -> list[str]:
    """Return what the pages of a built site would fetch from elsewhere when they are read: file and tag."""
    found = []
    for path in sorted([*folder.rglob("*.html"), *folder.rglob("*.css")]):
        text = path.read_text(encoding="utf-8")
        found += [f"{path.relative_to(folder)}: {tag}" for tag in ELSEWHERE.findall(text)]
    return found
