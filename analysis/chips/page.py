"""A chip on a page: every field that differs from an ideal chip with unit and meaning, its sources, its caveat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from analysis.drawing import html, numbers, panels

from hw_models.chip import Chip, ageing, pages
from hw_models.chip.fields import said_of
from hw_models.text import unmarked

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

MOMENTS: Mapping[str, str] = {
    "device": "at fabrication",
    "programming": "at every programming",
    "conversion": "at every conversion",
    "calibration": "at calibration",
    "read": "at every read",
    "step": "at every settle step",
    "update": "at every update",
}
"""When a field acts, in words."""
NO_CHIP = "There is no chip: the arithmetic is exact to its floating-point precision."
IDEAL = "All other fields have the values of an ideal chip: the effects that they stand for are switched off."


def chip_section(chip: Chip | None, title: str = "The chip", note: str = "") -> str:
    """Return the section of one chip with a note below its title, or that there was none."""
    if chip is None:
        return html.section(title, html.paragraph(NO_CHIP))
    above = [html.paragraph(note, "note")] if note else []
    return html.section(f"{title}: {pages.label(chip)}", *above, *parts(chip))


def chips_section(chips: Mapping[str, Chip], title: str = "The chips") -> str:
    """Return one section for several chips, each under its name."""
    found = [part for name, chip in chips.items() for part in (html.subtitle(name), *parts(chip))]
    return html.section(title, *found)


def parts(chip: Chip) -> list[str]:
    """Return sources, table, pictures and TOML of a chip."""
    drawn = [part for one in panels.measured(__package__, chip) for part in one.panel.render(one.results)]
    aged = ageing.told(chip)
    said = [html.paragraph(f"As this chip stands, in every evaluation {aged}.", "note")] if aged else []
    return [sources(chip), *said, parameters(chip), *drawn, html.details("The chip as TOML", html.code(chip.to_toml()))]


def sources(chip: Chip) -> str:
    """Return citation, address and caveat, and that they are missing where they are."""
    shown = [f"<p>Source: {html.escape(chip.citation)}{_address(chip.url)}</p>"] if chip.citation else []
    if not chip.citation:
        shown = [html.paragraph("This chip names no source.", "note")]
        shown += [f"<p>Address: {html.link(chip.url)}</p>"] if chip.url else []
    if chip.caveat:
        shown.append(html.paragraph(f"Caveat: {chip.caveat}", "warn"))
    return "\n".join(shown)


def _address(url: str) -> str:
    return f", {html.link(url)}" if url else ""


def parameters(chip: Chip) -> str:
    """Return the fields that differ from an ideal chip."""
    settings, found = chip.settings(), chip.differences()
    if not found:
        return html.paragraph("The chip is ideal: no field differs from exact arithmetic.")
    rows = [_row(name, value, settings[name], pages.unit_of(name, chip)) for name, value in found.items()]
    heads = ("field", "value", "unit", "acts", "meaning")
    return html.table(heads, rows, words=(0, 1, 2, 3, 4)) + "\n" + html.paragraph(IDEAL, "note")


def _row(name: str, value: object, field: FieldInfo, unit: str) -> tuple[str, ...]:
    acts = said_of(field).get("when", "")
    shown = "" if unit == "1" else unit
    return name, numbers.value(value), shown, MOMENTS.get(acts, acts), unmarked(field.description)
