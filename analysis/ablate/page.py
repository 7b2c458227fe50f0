"""The page of an ablation."""

from __future__ import annotations

import math

from analysis.drawing import html, numbers, panels, settings

from analysis.ablate.differences import SeedDifference
from analysis.ablate.results import Ablation, points
from analysis.chips.page import chip_section
from analysis.sweep import shared
from analysis.sweep.page import base, failed_section, unseen
from neuroep.errors import ConfigError

COLUMNS = (
    ("off", "Accuracy without the effect, minus the accuracy of the chip as it is [points]."),
    (
        "alone",
        "Accuracy with this effect and no other, minus the accuracy without any effect [points]. For an effect within "
        "another one, the latter acts in both.",
    ),
    (
        "±",
        "Standard error of the difference over chips, on these samples. Every chip and every choice of samples comes "
        "once under each condition, so that differences are paired.",
    ),
    ("whole ±", "Standard error over chips and samples, as with other samples."),
    (
        "unpaired ±",
        "Standard error over chips if each condition had chips of its own. Where an effect makes all that chips differ "
        "by, its own row has nothing to pair.",
    ),
    (
        "*",
        "The mean differs from 0 by the whole error (Student's t, all rows together by Holm's method). Where nothing "
        "does, 1 page in 20 has any mark.",
    ),
)
"""What the table of effects holds."""


def ablation_page(result: Ablation) -> str:
    """Return the page of an ablation, also of one that is running.

    Raises
    ------
    ConfigError
        If no trial is finished yet.
    """
    sweep = result.sweep
    if not sweep.rows:
        raise ConfigError(f"'{sweep.out}' holds an ablation of which no trial is finished yet; run its command again")
    config = base(sweep)
    sections = [
        summary(result),
        ranking(result),
        pairs_section(result),
        *panels.sections(panels.measured(__package__, result)),
        failed_section(sweep),
        "" if config is None else chip_section(config.chip, "The chip with all effects", unseen(sweep, config)),
        settings.section(command(result), config, sweep.about.get("environment"), *_notes(result)),
    ]
    lead = f"An ablation of {numbers.plural(len(result.costs), 'effect')}: {numbers.plural(len(sweep.rows), 'trial')}."
    return html.document(f"Ablation {sweep.out.resolve().name}", lead, sections)


def summary(result: Ablation) -> str:
    """Return what was asked, and both ends."""
    about, design = result.sweep.about, result.design
    what = {"deploy": "the same weights are programmed on every chip", "learn": "every chip learns"}
    samples = "all" if about["samples"] is None else f"at most {about['samples']:,d}, which the seed draws"
    until = f", more until every standard error is at most {design['until']:g}" if design["until"] else ""
    rows = [
        ("source", about["source"]),
        ("mode", f"{about['mode']}: {what.get(about['mode'], '')}"),
        ("split", f"{about['split']}, samples: {samples}"),
        ("chips", f"{numbers.plural(design['seeds'], 'seed')} for each condition{until}"),
        ("as it is", _with_error(result.as_it_is)),
        ("without any effect", _with_error(result.ideal)),
        ("not seen", ", ".join(result.unseen)),
        *shared.rows(about),
    ]
    lines = [html.pairs(rows)]
    if result.sweep.unfinished:
        lines.insert(0, html.paragraph(result.sweep.unfinished, "warn"))
    return html.section("In short", *lines)


def ranking(result: Ablation) -> str:
    """Return the effects by what they cost."""
    errors = "±", "whole ±", "unpaired ±"
    heads = ("effect", "off", *errors, "alone", *errors, "chips", "what is off")
    rows = [
        (
            cost.effect,
            *_cells(cost.without),
            *_cells(cost.only),
            min(cost.without.seeds, cost.only.seeds),
            "; ".join(filter(None, (cost.told, cost.within and f"within {cost.within}"))),
        )
        for cost in result.costs
    ]
    return html.section("What effects cost", html.table(heads, rows, words=(0, 10)), html.terms(COLUMNS))


def pairs_section(result: Ablation) -> str:
    """Return the pairs of effects that were switched off together."""
    if not result.pairs:
        return ""
    rows = [
        (" x ".join(pair.effects), *_cells(pair.both)[:3], *_cells(pair.beyond)[:3], pair.beyond.seeds)
        for pair in result.pairs
    ]
    note = (
        "Beyond the sum: the gain with both effects off, minus the sum of the gains with either off. Above 0, effects "
        "hide each other; below 0, they share their cost. The table has all pairs of the "
        f"{result.design['pairs']} effects whose removal changes the accuracy most."
    )
    if len(result.pairs) < result.pairs_in_all:
        note += " They are chosen by these chips: values beyond the sum lean to one side, and marks count all pairs."
    table = html.table(("effects", "both off", "±", "whole ±", "beyond the sum", "±", "whole ±", "chips"), rows)
    return html.section("Pairs that interact", table, html.paragraph(note, "note"))


def _cells(found: SeedDifference) -> list[str]:
    mean = points(found.mean) + ("*" if found.clear else "")
    return [mean, *(points(each, "") for each in (found.error, found.whole, found.unpaired))]


def _with_error(found: SeedDifference) -> str:
    error = "" if math.isinf(found.error) else f" ± {numbers.share(found.error, 2)} (standard error)"
    return f"{numbers.share(found.mean, 2)}{error}"


def command(result: Ablation) -> list[str]:
    """Return the words of the command that makes it again, into a folder beside."""
    about, design = result.sweep.about, result.design
    words = ["neuroep", "ablate", about["source"], *shared.command_words(about), "--mode", about["mode"]]
    words += [word for name in design["chosen"] for word in ("--effect", name)]
    given = {name: design[name] for name in ("seeds", "until", "max_seeds", "pairs")}
    given |= {"split": about["split"], "samples": about["samples"]}
    for name, value in given.items():
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return [*words, "--out", settings.again(result.out)]


def _notes(result: Ablation) -> list[str]:
    checkpoint = result.sweep.about.get("checkpoint")
    return [f"Fingerprint of the weights: {checkpoint}."] if checkpoint else []
