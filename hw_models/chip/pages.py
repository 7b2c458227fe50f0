# Tested by tests/hw_models/chip/test_description.py.
"""Chips in words: the list of all, one with its numbers and sources, and every field there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw_models import presets
from hw_models.chip import Chip
from hw_models.chip.fields import said_of
from hw_models.chip.layers import KEPT
from hw_models.errors import ChipError
from hw_models.text import lined

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


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


def page(chip: Chip) -> str:
    """Return name, sources, and every field that acts and differs from the ideal chip, with unit and moment."""
    head = [chip.name, *(f"  {name}: {getattr(chip, name)}" for name in ("citation", "url", "caveat"))]
    head = [line for line in head if not line.endswith(": ")]
    settings = chip.settings()
    rows = [_row(name, value, settings[name]) for name, value in chip.differences().items()]
    rows += [f"  kept, without effect here: {', '.join(chip.kept)}"] if chip.kept else []
    return lined([*head, "", *(rows or ["  exact in every respect"])])


def label(chip: Chip) -> str:
    """Return a chip's name, with the fields that differ from what is known under that name."""
    try:
        known = Chip.ideal() if chip.name == "ideal" else presets.load(chip.name)
    except ChipError:
        return chip.name
    before = dict(Chip.fields_of(known))
    changed = [f"{name}={value}" for name, value in Chip.fields_of(chip) if name != KEPT and value != before[name]]
    return f"{chip.name} ({', '.join(changed)})" if changed else chip.name


def fields() -> str:
    """Return a line for each field of a chip: name, default, unit, moment, meaning."""
    return "\n".join(_row(name, value, Chip.settings()[name]) for name, value in Chip.fields_of(Chip()))


def _row(name: str, value: object, field: FieldInfo) -> str:
    extra = said_of(field)
    unit = extra.get("unit", "1")
    shown = list(value) if isinstance(value, tuple) else "unset" if value is None else value
    told = f"[{unit}]" if value is None else unit
    measured = f"{shown} {told}" if unit != "1" else f"{shown}"
    when = f" ({extra['when']})" if "when" in extra else ""
    return f"  {name:<28} {measured:<24} {' '.join((field.description or '').split())}{when}"
