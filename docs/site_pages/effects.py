"""One page for each effect of a chip: what it is in silicon, equation, fields, what switches it off, source, picture.

The names, the fields and the values that switch an effect off are those of :mod:`hw_models.chip.effects`. What a reader
wants beside them stands in ``effects.toml``, a table for each effect:

    silicon     what it is on a chip, in a few sentences
    equation    LaTeX
    symbols     what its letters stand for, clauses of a sentence with mathematics between $
    source      papers, or common usage
    code        the module that computes it
    picture     a function of :mod:`site_pages.pictures`
    shown       fields of the chip in the picture
    caption     what the picture shows
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tomli_w

from hw_models import presets
from hw_models.chip import effects
from hw_models.chip.effects import Effect
from hw_models.reading import Page
from site_pages import chips, entries, markdown

TOLD = Path(__file__).with_name("effects.toml")
PARTS: Mapping[str, tuple[Effect, ...]] = {
    "What devices and lines hold": effects.PROGRAMMED,
    "What reads add": effects.READ,
    "Neurons, attention, read-out, events": effects.PERIPHERY,
    "What updates do": effects.LEARNING,
}
"""Headings of the index."""
DIAGONAL = "beside the diagonal of an ideal chip"
SEEN: Mapping[str, str] = {
    "product": f"a dot for each output of an array, on the chip against exact arithmetic, {DIAGONAL}",
    "transposed": f"a dot for each transposed product, on the chip against exact arithmetic, {DIAGONAL}",
    "weights": f"a dot for each weight as the devices hold it, against the one that is wanted, {DIAGONAL}",
    "conductances": f"a dot for each device, its conductance against its target, {DIAGONAL}",
    "drift": "conductance against time on a logarithmic axis, three bundles of curves that fall after some seconds",
    "relaxation": "standard deviation against time on a logarithmic axis, three curves that rise between two ages",
    "read_noise": "what is read against the conductance, dots about the diagonal and a band that widens",
    "telegraph": "two spectra on logarithmic axes, one flat up to a corner, the other a straight slope",
    "current_voltage": "current against voltage, a straight line and a bent curve that meet at both ends",
    "transfer": "what is converted against the signal, curves beside the diagonal of an ideal converter",
    "pulse_response": "weight against the number of pulses, curves that rise and then fall",
    "states": f"a dot for each settled state, on the chip against exact arithmetic, {DIAGONAL}",
    "attention": f"a dot for each number of an attention state, on the chip against exact arithmetic, {DIAGONAL}",
    "gradient": f"a dot for each number of a gradient, on the chip against exact arithmetic, {DIAGONAL}",
    "nudges": "gradients on the chip against exact ones, steeper than the diagonal by one nudge, along it by both",
    "settling": "distance from the fixed point against sweeps, which falls faster on an ideal chip than on this one",
    "leak": "conductance against updates, a curve that falls towards a dotted line",
    "rewritten": f"a dot for each weight as the devices hold it, against the one that is wanted, {DIAGONAL}",
    "held": f"a dot for each weight as the devices hold it, against the one that is wanted, {DIAGONAL}",
    "learning": "loss against updates, a falling curve of the chip and one of exact arithmetic",
    "refreshes": "states against updates, two devices that grow and fall back together, and their difference",
}
"""What is seen in a picture, by the name of what draws it."""
LISTED = re.compile(r"\[\n((?:    [^\n]+,\n)+)\]")
"""A list of TOML with a line for each of its numbers."""


@dataclass(frozen=True)
class Words:
    """What is said of an effect beside the code."""

    silicon: str
    equation: str
    symbols: str
    source: str
    code: str
    picture: str
    shown: Page
    caption: str


@cache
def words() -> Mapping[str, Words]:
    """Return what is said, by name of the effect."""
    return {name: Words(**table) for name, table in tomllib.loads(TOLD.read_text(encoding="utf-8")).items()}


@cache
def having() -> Mapping[str, list[str]]:
    """Return the presets that have each effect."""
    found: dict[str, list[str]] = {effect.name: [] for effect in effects.EFFECTS}
    for name in chips.own():
        for effect in effects.present(presets.load(name)):
            found[effect.name].append(name)
    return found


def pages() -> Iterator[tuple[str, str]]:
    """Yield name and text of the page of every effect, and of their index."""
    index = ["# Effects", _EFFECTS]
    for title, chosen in PARTS.items():
        rows = [[link(each.name), brief(each), ", ".join(f"`{name}`" for name in each.off)] for each in chosen]
        names = "\n".join([":hidden:", "", *(f"{markdown.slug(effect.name)}.md" for effect in chosen)])
        told = markdown.table(["effect", "what it is", "switched by"], rows)
        index += [f"## {title}", told, markdown.fenced(names, "{toctree}")]
        for effect in chosen:
            yield f"effects/{markdown.slug(effect.name)}.md", page(effect, words()[effect.name])
    yield "effects/index.md", "\n\n".join(index) + "\n"


_EFFECTS = """\
An effect is a part of a chip's physics that can be switched off. Each is off by default. [Ablate](../../ablation.md)
says what each one costs a network. Every page has the equation that the code computes, and a picture that the code
draws when this site is built."""


def link(name: str) -> str:
    """Return a link to an effect from a page beside its own."""
    return f"[{name}]({markdown.slug(name)}.md)"


def brief(effect: Effect) -> str:
    """Return the first sentence of what an effect is."""
    return re.split(r"(?<=\.) (?=[A-Z])", " ".join(words()[effect.name].silicon.split()), maxsplit=1)[0]


def page(effect: Effect, said: Words) -> str:
    """Return the page of an effect."""
    off = ", ".join(_off(name, value) for name, value in effect.off.items())
    presets_of = ", ".join(f"[`{name}`](../presets/{name}.md)" for name in having()[effect.name])
    shown = LISTED.sub(_inline, tomli_w.dumps(said.shown))
    parts = [
        f"# {effect.name[:1].upper()}{effect.name[1:]}",
        said.silicon.strip(),
        f"It acts only together with {link(effect.within)}." if effect.within else "",
        "## Equation",
        markdown.fenced(said.equation.strip(), "{math}"),
        f"Here {said.symbols.strip()}.",
        f"Source: {said.source}. Computed by `{said.code}`.",
        "## Picture",
        f"```{{figure}} ../pictures/{markdown.slug(effect.name)}.png\n:alt: {alt(effect, said)}\n\n{said.caption}\n```",
        "The chip of the picture:" if shown else "",
        markdown.fenced(shown, "toml") if shown else "",
        "## Fields",
        markdown.definitions(entries.field(name) for name in effects.fields(effect)),
        "## How to switch it off",
        f"The effect is off with {off}." + (f" Without it, {markdown.text(effect.told)}." if effect.told else ""),
        f"Presets that have it: {presets_of}." if presets_of else "No preset has it.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _inline(listed: re.Match[str]) -> str:
    return f"[{', '.join(line.strip(' ,') for line in listed[1].splitlines())}]"


def _off(name: str, value: object) -> str:
    return f"`{name}` unset" if value is None else f"`{name}` = {entries.value(value)}"


def alt(effect: Effect, said: Words) -> str:
    """Return the text in place of the picture: what is seen. The caption says what it means."""
    return f"{effect.name}: {SEEN[said.picture]}"
