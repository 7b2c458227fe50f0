"""A field of a chip, a setting of a run or an option of a command as an entry of a list of definitions."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Literal, get_args, get_origin

from analysis.chips.page import MOMENTS
from hw_models.chip import Chip
from hw_models.chip.fields import said_of
from site_pages import markdown

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Entry = tuple[str, list[str]]
"""Term and paragraphs, as :func:`site_pages.markdown.definitions` takes them."""
DEFAULTS: Mapping[str, object] = dict(Chip.fields_of(Chip()))
"""Of the fields of a chip."""


def field(name: str, default: object = None) -> Entry:
    """Return a field of a chip: unit, default, moment, values that are allowed, meaning."""
    info = Chip.settings()[name]
    said = said_of(info)
    unit, when = said.get("unit", "1"), said.get("when", "")
    facts = [f"default {value(DEFAULTS[name])}" + ("" if unit == "1" else f" [{markdown.text(unit)}]")]
    facts += [f"acts {MOMENTS.get(when, f'at every {when}')}"] if when not in ("bill", "") else []
    return f"`{name}`", [*_facts(facts, info), markdown.text(info.description or "")]


def setting(name: str, info: FieldInfo) -> Entry:
    """Return a setting of a run: default, values that are allowed, meaning."""
    default = info.get_default(call_default_factory=True)
    return f"`{name}`", [*_facts([f"default {value(default)}"], info), markdown.text(info.description or "")]


def option(action: argparse.Action) -> Entry:
    """Return an option or an argument of a command."""
    shown = action.metavar if isinstance(action.metavar, str) else ""
    named = ", ".join(action.option_strings)
    term = " ".join(part for part in (named, shown if action.nargs != 0 else "") if part)
    needed = " Required." if action.required and action.option_strings else ""
    return f"`{term}`", [markdown.sentence(action.help or "") + needed]


def value(given: object) -> str:
    """Return a value as a chip's file has it, in code; or that it is unset."""
    if given is None:
        return "unset"
    if given == "":
        return "empty"
    if isinstance(given, bool):
        return f"`{str(given).lower()}`"
    if isinstance(given, tuple | list):
        return f"`[{', '.join(value(each).strip('`') for each in given)}]`"
    return f"`{given:g}`" if isinstance(given, float) else f"`{given}`"


def choices(annotation: object) -> Iterable[object]:
    """Yield the values that a type allows one by one; none where it is a range."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        yield from parts
    elif origin is Annotated:
        yield from choices(parts[0])
    elif parts:
        for part in parts:
            yield from choices(part)


def _facts(facts: list[str], info: FieldInfo) -> list[str]:
    allowed = [value(each) for each in dict.fromkeys(choices(info.annotation))]
    facts = [*facts, f"one of {', '.join(allowed)}"] if allowed else facts
    return [f"*{'; '.join(facts)}*"]
