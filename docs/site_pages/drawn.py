"""Which pictures the pages show, of which chips; drawn where they are missing or would differ."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hw_models import Chip, presets
from hw_models.chip.effects import EFFECTS, without
from site_pages import chips, effects, markdown, notebooks

ROOT = Path(__file__).parents[2]
SUM = ".sum"
"""Ending of the file beside a picture that says what it was drawn of."""
BLANK = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP6DwABBQECz6AuzQAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel, in place of a picture that is not drawn."""


@dataclass(frozen=True)
class Drawing:
    """A picture of a page."""

    function: str
    """Of :mod:`site_pages.pictures`, or the name of a notebook."""
    chip: Chip
    without: Chip
    """The same without the effect."""
    script: str = ""
    """Of the notebook that draws it."""


@cache
def drawings() -> Mapping[str, Drawing]:
    """Return the pictures of effects, presets and notebooks, by the names of their files."""
    found = {}
    for effect in EFFECTS:
        said = effects.words()[effect.name]
        chip = Chip.parse(said.shown, effect.name)
        found[markdown.slug(effect.name)] = Drawing(said.picture, chip, without(chip, [effect.name]))
    for name in chips.own():
        chip = presets.load(name)
        if picture := chips.picture(chip):
            found[name] = Drawing(picture, chip, chip)
    for name in notebooks.NOTEBOOKS:
        found[f"{notebooks.PREFIX}{name}"] = Drawing(name, Chip(), Chip(), notebooks.source(name))
    return found


def blank(folder: Path) -> list[Path]:
    """Write blank pictures where there are none; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [path for name in drawings() if not (path := _place(folder, name)).is_file()]
    for path in missing:
        path.write_bytes(BLANK)
    return missing


def draw_all(folder: Path) -> list[Path]:
    """Draw the pictures that are not there, or were drawn of another chip or by other code; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    todo = [name for name in drawings() if not _drawn(_place(folder, name), name)]
    for name in todo:
        draw(name, _place(folder, name))
        _place(folder, name).with_suffix(SUM).write_text(_sum(name), encoding="utf-8")
    return [_place(folder, name) for name in todo]


def draw(name: str, path: Path) -> None:
    """Draw one picture."""
    from analysis.drawing import style

    from site_pages import pictures

    drawing = drawings()[name]
    if drawing.script:
        notebooks.draw(drawing.function, path)
        return
    with style.own_look():
        style.save(pictures.DRAWN[drawing.function](drawing.chip, drawing.without), path)


def _place(folder: Path, name: str) -> Path:
    return folder / f"{name}.png"


def _drawn(path: Path, name: str) -> bool:
    beside = path.with_suffix(SUM)
    return path.is_file() and beside.is_file() and beside.read_text(encoding="utf-8") == _sum(name)


def _sum(name: str) -> str:
    """Return what stands for all that a picture is of: its chip, and the code that draws it."""
    return hashlib.blake2b(f"{drawings()[name]!r} {_code()}".encode()).hexdigest()


@cache
def _code() -> str:
    """Return a digest of all sources that a picture may go by."""
    digest = hashlib.blake2b()
    for source in ("pictures.py", "subjects.py"):
        digest.update(Path(__file__).with_name(source).read_bytes())
    for package in ("hw_models", "neuroep", "analysis"):
        for source in sorted((ROOT / package).rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()
