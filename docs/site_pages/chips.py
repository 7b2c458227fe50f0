"""Reference of chips: all fields, presets with the source of every number, rules, laws, components."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hw_models import components, presets
from hw_models.chip import Chip, effects, rules
from hw_models.chip.cost import Cost
from hw_models.chip.fields import said_of
from hw_models.laws.current_voltage import CURRENT_VOLTAGE
from hw_models.laws.drift import DRIFT
from hw_models.laws.law import Law
from hw_models.laws.programming import WRITE
from hw_models.laws.pulse_response import PULSE_RESPONSES
from hw_models.laws.read_noise import READ_NOISE
from hw_models.laws.relaxation import RELAXATION
from hw_models.laws.telegraph import TELEGRAPH
from site_pages import entries, markdown

RESPONSE, WRITTEN = "pulse_response", "conductances"
"""Pictures of presets, of :mod:`site_pages.pictures`: of devices that take pulses, and of those that are written."""
ALONE = "A chip"
"""Heading of the fields that are in no table."""
LAWS: Mapping[str, Sequence[Law]] = {
    "Programming": (WRITE,),
    "Relaxation": (RELAXATION,),
    "Drift": (DRIFT,),
    "Read noise": tuple(READ_NOISE.values()),
    "Telegraph noise": (TELEGRAPH,),
    "Current and voltage": tuple(CURRENT_VOLTAGE.values()),
    "Response to a pulse": tuple(PULSE_RESPONSES.values()),
}
"""Headings, and the laws of devices under them."""


def grouped() -> dict[str, list[str]]:
    """Return the fields of a chip by their table, those in none first."""
    found: dict[str, list[str]] = {ALONE: []}
    for name in Chip.settings():
        found.setdefault(name.rpartition(".")[0] or ALONE, []).append(name)
    return found


def fields() -> str:
    """Return the page of all fields of a chip."""
    parts = ["# Fields of a chip", _FIELDS]
    for table, names in grouped().items():
        parts += [f"## {table}", markdown.definitions(entries.field(name) for name in names)]
    return "\n\n".join(parts) + "\n"


_FIELDS = """\
A chip is a TOML file with these tables, or one `hw_models.Chip`. Every effect is off by default. A field says its unit,
its default and when it acts. A field that could not act where it stands is refused. Where a meaning begins with a word
and a colon, the field acts only with that setting: *Own:* means `transposed.devices = "own"`, and *Trains:* stands for
rules that send trains of pulses. The [effects](effects/index.md) say what the fields stand for."""


def preset_pages() -> Iterator[tuple[str, str]]:
    """Yield name and text of the page of every preset, and of their index."""
    names, rows = own(), []
    for name in names:
        chip = presets.load(name)
        short = ", ".join(f"`{each}`" for each in aliases(name))
        rows.append([f"[`{name}`]({name}.md)", short, markdown.text(_told(name).partition("\n\n")[0]), _kind(chip)])
        yield f"presets/{name}.md", preset(name, chip)
    listed = markdown.table(["preset", "alias", "what it is", "learns by"], rows)
    index = "\n\n".join(["# Presets", _PRESETS, listed, _tree([f"{name}.md" for name in names])])
    yield "presets/index.md", index + "\n"


_PRESETS = """\
A preset is a chip or a device of a published paper. `neuroep chips NAME` prints one, `--chip NAME` runs on it, and
`preset = "NAME"` begins a chip of your own. Each page says where every number comes from, and what the numbers do not
represent."""


def own() -> list[str]:
    """Return the names of the presets of this project; those that other packages register are theirs to describe."""
    return sorted(path.stem for path in Path(inspect.getfile(presets)).parent.glob("[a-z]*.py"))


def aliases(name: str) -> list[str]:
    """Return the short names of a preset."""
    return sorted(short for short, full in presets.ALIASES.items() if full == name)


def _kind(chip: Chip) -> str:
    return "integer weights" if chip.substrate == "event_driven" else f"`{chip.update.scheme}`"


def _tree(names: Sequence[str]) -> str:
    return markdown.fenced("\n".join([":hidden:", "", *names]), "{toctree}")


def preset(name: str, chip: Chip) -> str:
    """Return the page of a preset: source, caveat, fields, effects, and its code, where every number has its origin."""
    short = aliases(name)
    known = f"Known as {', '.join(f'`{each}`' for each in short)}." if short else ""
    link = f" <{chip.url}>" if chip.url else ""
    rows = [_row(field, given) for field, given in chip.differences().items()]
    there = ", ".join(_effect(effect.name) for effect in effects.present(chip))
    parts = [
        f"# {name}", known, markdown.docstring(_told(name)), f"Source: {markdown.text(chip.citation)}.{link}",
        "```{admonition} What the numbers do not represent\n:class: caution\n\n" + markdown.text(chip.caveat) + "\n```",
        f"Its effects: {there}." if there else "",
        _figure(name, chip),
        "## Fields that differ from an ideal chip", markdown.table(["field", "value", "unit"], rows),
        "## Where every number comes from", _ORIGIN,
        markdown.fenced(_body(name), "python"),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


_ORIGIN = """\
A comment behind a number says whether it is the paper's or ours. A number without one is that of the source or the fit
that is named above."""


def picture(chip: Chip) -> str:
    """Return which picture shows what the devices of a chip do; none where they do nothing of their own."""
    if chip.substrate == "crossbar" and chip.update.in_memory:
        return RESPONSE
    return WRITTEN if chip.device.programming_noise else ""


def _figure(name: str, chip: Chip) -> str:
    """Return the picture of a preset with its words."""
    kind = picture(chip)
    if not kind:
        return ""
    if kind == WRITTEN:
        told = f"Devices of an array against their targets, {chip.device.age:g} s after their write."
        told += " The compensation of drift is not in the picture." if chip.device.drift_compensation else ""
        seen = f"{name}: a dot for each device, its conductance in uS against the target, about the line of ideal ones"
    elif chip.device.cell.kind == "one_sided":
        told = f"Potentiation: devices pulsed up from their lower bound. No pulse takes them down. {_BAND}"
        seen = f"{name}: weight against the number of pulses, a curve that rises and flattens, with the band of devices"
    else:
        told = f"Potentiation and depression: devices pulsed up from their lower bound, then down again. {_BAND}"
        seen = f"{name}: weight against the number of pulses, a curve up and a curve down, with the band of devices"
    return f"```{{figure}} ../pictures/{name}.png\n:alt: {seen}\n\n{told}\n```"


_BAND = """\
The black line is the nominal device. Blue lines are single devices with spread and noise, and the band holds 90 % of
200 such devices."""


def _effect(name: str) -> str:
    return f"[{name}](../effects/{markdown.slug(name)}.md)"


def _row(name: str, given: object) -> list[str]:
    unit = said_of(Chip.settings()[name]).get("unit", "1")
    shown = ", ".join(map(str, given)) if isinstance(given, tuple | list) else entries.value(given).strip("`")
    return [f"`{name}`", markdown.text(shown), "" if unit == "1" else markdown.text(unit)]


def _told(name: str) -> str:
    return importlib.import_module(f"{presets.__name__}.{name}").__doc__ or ""


def _body(name: str) -> str:
    """Return the module of a preset behind its imports: its constants, and the function that uses them."""
    source = (Path(inspect.getfile(presets)).parent / f"{name}.py").read_text(encoding="utf-8")
    body = ast.parse(source).body
    first = next(node for node in body[1:] if not isinstance(node, ast.Import | ast.ImportFrom))
    return "\n".join(source.splitlines()[first.lineno - 1 :])


def rules_page() -> str:
    """Return the page of the learning rules."""
    parts = ["# Learning rules", _RULES]
    for name, facts in rules.RULES.items():
        taken = [f"`update.{field}`" + ("" if default is None else f" (unset: {entries.value(default)})")
                 for field, default in facts.takes.items()]  # fmt: skip
        told = [
            ("Equation", [f"`{facts.equation}`"]),
            ("What further arrays of devices do", [markdown.sentence(facts.analog)]),
            ("What is kept and computed in digital form", [markdown.sentence(facts.digital)]),
            ("Source", [markdown.sentence(facts.source)]),
            ("Fields it takes", [", ".join(taken) or "none of its own"]),
        ]  # fmt: skip
        parts += [f"## {name}", markdown.definitions(told)]
    return "\n\n".join(parts) + "\n"


_RULES = """\
`update.scheme` names the rule. In the equations $g = dL/dW$ comes from the contrast of the phases. $A$ is a fast array
that takes every update, and $W$ is the slow one. $a_j$ is a column of $A$ as it is read. $H$ is digital and counts in
pulses of $W$. $c_j = \\pm 1$ is a chopper, and $k$ numbers arrays. $P$ and $Q$ are subtracted from what is read.
[Learning in memory](../learning_in_memory.md) is the guide; [every device by every rule](../in_memory.md)
says how they compare.

| letter | field or setting |
|---|---|
| lr | `optimiser.projection_rate` or `optimiser.dense_rate`; with `update.scaling = "auto"` the size of a step |
| granule | `update.granule` |
| n_s | `update.transfer.every` |
| rate | `update.transfer.rate` |
| keep | `update.transfer.keep` |
| mu | `update.transfer.momentum` |
| eta | `update.transfer.tracking` |
| gamma | `update.transfer.gamma` |"""


def laws() -> str:
    """Return the page of the laws of devices."""
    parts = ["# Laws of devices", _LAWS]
    for title, chosen in LAWS.items():
        parts.append(f"## {title}")
        for law in chosen:
            parts += [f"### {law.name}" if law.name else "", law.about, f"`{law.equation}`", _source(law)]
            takes = ((f"`{name}`", [markdown.sentence(about)]) for name, about in law.takes.items())
            parts.append(markdown.definitions(takes))
    return "\n\n".join(part for part in parts if part) + "\n"


_LAWS = """\
A law is one object with its name, equation, unit and source. Where there are several laws, a chip names the one that it
follows. In the equations $g$ is a conductance, $z$ is a standard normal number, and $v$ is $g/g_\\mathrm{max}$; of a
current, $v$ is the voltage as a share of the read voltage. Responses to a pulse are written for a pulse up: $w$ is the
weight, $s$ is the step of the device, `b+` and `b-` are its bounds, and $b$ is the bound ahead."""


def _source(law: Law) -> str:
    unit = re.sub(r"^of ", "a share of ", law.unit)
    unit = "" if unit == "1" else f"Unit: {markdown.text(unit)}. "
    return f"{unit}Source: {markdown.text(law.source) or 'common usage'}."


def components_page() -> str:
    """Return the page of the components by which chips are priced."""
    parts = ["# Components", _COMPONENTS]
    for name in components.names():
        found = components.load(name)
        rows = [[f"`cost.{field}`", markdown.text(_shown(given)), markdown.text(_unit(field))]
                for field, given in found.constants.items()]  # fmt: skip
        node = "" if found.node is None else f", {found.node:g} nm"
        told = [f"*{found.kind}{node}.* {markdown.sentence(found.about)}", f"Source: {markdown.text(found.source)}."]
        told += [f"Includes: {markdown.text(', '.join(found.includes))}."] if found.includes else []
        told += [f"Leaves out: {markdown.text(', '.join(found.leaves_out))}."] if found.leaves_out else []
        parts += [f"## {name}", *told, markdown.table(["constant", "value", "unit"], rows)]
    return "\n\n".join(parts) + "\n"


_COMPONENTS = """\
A bill adds up what the operations of a chip cost. A chip names its components, each a table of constants from a paper.
[What a chip costs](../costs.md) has the formulas."""


def _shown(given: object) -> str:
    if isinstance(given, Mapping):
        return ", ".join(f"{bits} bit: {each:g}" for bits, each in given.items())
    return f"{given:g}" if isinstance(given, float) else str(given)


def _unit(name: str) -> str:
    field = Cost.model_fields.get(name)
    unit = said_of(field).get("unit", "1") if field is not None else "1"
    return "" if unit == "1" else unit
