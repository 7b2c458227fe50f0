"""The page of a requirement."""

from __future__ import annotations

from analysis.drawing import html, numbers, panels, settings

from analysis.require.results import Requirement
from analysis.sweep import shared
from analysis.sweep.page import base, chips, failed_section, means_section
from neuroep.errors import ConfigError

ABOUT = (
    "'Meets it' and 'misses it' hold with the confidence above: the distance of the mean to the target exceeds its "
    "standard error times Student's one-sided quantile. The quantile allows for all looks. 'Meets it' also has to hold "
    "where accuracies are skewed, and for as few samples as a chip sees. Open points count by their mean."
)


def requirement_page(result: Requirement) -> str:
    """Return the page of a requirement, also of one that is running.

    Raises
    ------
    ConfigError
        If no trial is finished yet.
    """
    sweep = result.sweep
    if not sweep.rows:
        raise ConfigError(f"'{sweep.out}' holds a requirement of which no trial is finished yet; run its command again")
    config = base(sweep)
    sections = [
        summary(result),
        table(result),
        *panels.sections(panels.measured(__package__, result)),
        means_section(sweep),
        failed_section(sweep),
        chips(sweep, config),
        settings.section(command(result), config, sweep.about.get("environment")),
    ]
    lead = f"Which values {numbers.listing(result.fields)} needs: {numbers.plural(len(sweep.rows), 'trial')}."
    return html.document(f"Requirement {sweep.out.resolve().name}", lead, sections)


def summary(result: Requirement) -> str:
    """Return what was found, and what was asked."""
    about, design = result.sweep.about, result.design
    samples = "all" if about["samples"] is None else f"at most {about['samples']:,d}, which the seed draws"
    looks = ", ".join(map(str, result.judge.looks)) if design["against"] is None else str(design["seeds"])
    rows = [
        ("source", about["source"]),
        ("mode", about["mode"]),
        ("split", f"{about['split']}, samples: {samples}"),
        ("target", "" if design["target"] is None else numbers.share(design["target"], 2)),
        (f"confidence of {'bounds' if design['against'] else 'a verdict'}", numbers.share(design["confidence"])),
        ("against", design["against"] or ""),
        ("resolution", numbers.share(design["resolution"], 2) if design["against"] else ""),
        ("chips", looks),
        ("fields", "; ".join(design["vary"])),
        *shared.rows(about),
    ]
    lines = [*map(html.paragraph, result.said), html.pairs(rows)]
    if result.sweep.unfinished:
        lines.insert(0, html.paragraph(result.sweep.unfinished, "warn"))
    return html.section("In short", *lines)


def table(result: Requirement) -> str:
    """Return the points with their verdicts, or the front."""
    heads, *rows = result.rows()
    if result.design["against"] is not None:
        return html.section("The front", html.table(heads, rows, words=()))
    note = html.paragraph(ABOUT, "note")
    return html.section("Points that were run", html.table(heads, rows, words=(len(heads) - 1,)), note)


def command(result: Requirement) -> list[str]:
    """Return the words of the command that makes it again, into a folder beside."""
    about, design = result.sweep.about, result.design
    words = ["neuroep", "require", about["source"], *shared.command_words(about), "--mode", about["mode"]]
    words += [word for text in design["vary"] for word in ("--field", text)]
    names = ["target", "against", "confidence", "steps", "seeds"]
    names += ["resolution"] if design["against"] else ["max_seeds"]
    given = {name: design[name] for name in names} | {"split": about["split"], "samples": about["samples"]}
    for name, value in given.items():
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return [*words, "--out", settings.again(result.out)]
