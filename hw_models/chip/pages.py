# Tested by tests/hw_models/chip/test_description.py.
"""Chips in words: the list of all, one with its numbers and sources, and every field there is."""

from __future__ import annotations

import textwrap

from hw_models import presets
from hw_models.chip import Chip
from hw_models.chip.doubts import doubts
from hw_models.chip.fields import said_of
from hw_models.chip.layers import KEPT
from hw_models.errors import ChipError
from hw_models.laws.read_noise import READ_NOISE
from hw_models.text import lined, plain, unmarked

INDENT = " " * 6
"""Ahead of the meaning of a field, where it has lines of its own."""


def listing() -> str:
    """Return a line for each preset and registered chip: name, what it is, how it learns, source."""
    chips = {name: presets.load(name) for name in presets.names()}
    shown = {name: ", ".join([name, *aliases]) for name, aliases in _aliases(list(chips)).items()}
    width = max(len(text) for text in shown.values())
    rows = [
        f"{shown[name]:<{width}}  {_kind(chip):<24} {chip.citation}" for name, chip in chips.items()
    ]
    return lined(rows)


def _aliases(names: list[str]) -> dict[str, list[str]]:
    return {name: sorted(short for short, full in presets.ALIASES.items() if full == name) for name in names}


def _kind(chip: Chip) -> str:
    return "event-driven" if chip.substrate == "event_driven" else f"crossbar, {chip.update.scheme}"


def page(chip: Chip, width: int | None = None) -> str:
    """Return name, sources, and every field that acts and differs from the ideal chip, with unit and moment.

    Lines are broken at ``width`` letters, if it is given.
    """
    head = [chip.name, *(f"  {name}: {getattr(chip, name)}" for name in ("citation", "url", "caveat"))]
    head = [line for line in head if not line.endswith(": ")]
    if width is not None:
        head = [line for text in head for line in _broken(text, width, "    ")]
    rows = [_row(name, value, chip, width) for name, value in chip.differences().items()]
    rows += [f"  kept, without effect here: {', '.join(chip.kept)}"] if chip.kept else []
    asked = [f"  is that meant? {line}" for line in doubts(chip)]
    rows += asked if width is None else ["\n".join(_broken(line, width, "    ")) for line in asked]
    return lined([*head, "", *("\n".join(rows).split("\n") if rows else ["  exact in every respect"])])


def label(chip: Chip) -> str:
    """Return a chip's name, with the fields that differ from what is known under that name."""
    try:
        known = Chip.ideal() if chip.name == "ideal" else presets.load(chip.name)
    except ChipError:
        return chip.name
    before = dict(Chip.fields_of(known))
    changed = [f"{name}={value}" for name, value in Chip.fields_of(chip) if name != KEPT and value != before[name]]
    return f"{chip.name} ({', '.join(changed)})" if changed else chip.name


def fields(width: int | None = None) -> str:
    """Return a line for each field of a chip: name, default, unit, moment, meaning.

    Parameters
    ----------
    width : int, optional
        Letters of a line: the meaning then stands below, broken into lines. By default each field is one line, for
        programs that search.
    """
    return "\n".join(_row(name, value, None, width) for name, value in Chip.fields_of(Chip()))


def unit_of(name: str, chip: Chip | None = None) -> str:
    """Return the unit of a field, "1" for a plain number; on a chip, that of the law which is set there."""
    if chip is not None and name == "device.read_noise":
        law = READ_NOISE[chip.device.read_noise_law]
        return f"relative ({law.equation})" if law.unit == "1" else law.unit
    return said_of(Chip.settings()[name]).get("unit", "1")


def _row(name: str, value: object, chip: Chip | None, width: int | None) -> str:
    field, unit = Chip.settings()[name], unit_of(name, chip)
    extra = said_of(field)
    shown = list(value) if isinstance(value, tuple) else "unset" if value is None else value
    told = f"[{unit}]" if value is None else unit
    measured = plain(f"{shown} {told}" if unit != "1" else f"{shown}")
    meaning = unmarked(field.description) + (f" ({extra['when']})" if "when" in extra else "")
    if width is None:
        return f"  {name:<28} {measured:<24} {meaning}"
    first = _broken(f"  {name:<28} {measured}", width, " " * 31)
    return "\n".join([*first, *_broken(INDENT + meaning, width, INDENT)])


def _broken(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, max(width - 1, 40), subsequent_indent=indent, break_long_words=False)
