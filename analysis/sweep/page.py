# Tested by tests/analysis/test_pages.py
"""The page of a sweep."""

from __future__ import annotations

import math
import shlex

from analysis.drawing import html, numbers, panels, settings

from analysis.chips.page import chip_section, chips_section
from analysis.sweep import shared
from analysis.sweep.panels import Targeted, ideal_of
from analysis.sweep.points import meaning
from analysis.sweep.results import RESULTS, Sweep
from hw_models.chip import Chip
from hw_models.reading import Entries, Page
from neuroep.errors import ConfigError
from neuroep.runs import config as configuration
from neuroep.runs.config import CHIP, Config

MOST_POINTS, MOST_FAILED = 400, 50
"""Most lines of the tables."""
LONGEST = 400
"""Letters of an error."""


def sweep_page(sweep: Sweep, target: float | None = None) -> str:
    """Return the page of a sweep, also of one that is running.

    Raises
    ------
    ConfigError
        If no trial is finished yet.
    """
    if not sweep.rows:
        go_on = shlex.join(command(sweep, str(sweep.out)))
        raise ConfigError(f"'{sweep.out}' holds a sweep of which no trial is finished yet; to go on with it: {go_on}")
    config = base(sweep)
    sections = [
        summary(sweep),
        means_section(sweep),
        *panels.sections(panels.measured(__package__, Targeted(sweep, target))),
        failed_section(sweep),
        chips(sweep, config),
        settings.section(command(sweep), config, sweep.about.get("environment"), *_notes(sweep)),
    ]
    lead = f"A sweep of {numbers.listing(sweep.fields)}: {numbers.plural(len(sweep.rows), 'trial')}."
    return html.document(f"Sweep {sweep.out.resolve().name}", lead, sections)


def chips(sweep: Sweep, config: Config | None) -> str:
    """Return the chip that is varied, or those among which is chosen, as far as they have names."""
    if CHIP not in sweep.fields:
        title = "The chip before fields are varied"
        return "" if config is None else chip_section(config.chip, title, unseen(sweep, config))
    found = {name: Chip.parse(values) for name, values in sweep.about["chips"].items()}
    return chips_section(found) if found else ""


def base(sweep: Sweep) -> Config | None:
    """Return the settings that all points share, with those varied as they were before; None if they cannot be."""
    tables: Page = {}
    for name, value in sweep.about["settings"].items():
        *path, leaf = name.split(".")
        table = tables
        for part in path:
            table = table.setdefault(part, {})
        table[leaf] = value
    if chip := sweep.about.get("chip"):
        tables[CHIP] = {**tables.get(CHIP, {}), **chip}  # whole: settings are those alone that trials depend on
    try:
        return configuration.parse(tables, "sweep")
    except ConfigError:
        return None


def unseen(sweep: Sweep, config: Config) -> str:
    """Return which fields of the chip no trial depends on; empty where there are none."""
    held, chip = [*sweep.about["settings"], *sweep.fields], config.chip
    found = [
        name
        for name in (chip.differences() if chip is not None else ())
        if not any(f"{each}.".startswith(f"{CHIP}.{name}.") for each in held)
    ]
    mode = sweep.about["mode"]
    return f"In mode '{mode}' no update is made, and no result depends on {numbers.listing(found)}." if found else ""


def summary(sweep: Sweep) -> str:
    """Return what is varied and how, and the best point."""
    about, failed = sweep.about, len(sweep.failed)
    what = {
        "deploy": "the same weights are programmed on the chip of each seed",
        "learn": "each seed trains a network of its own",
    }
    samples = "all" if about["samples"] is None else f"at most {about['samples']:,d}, which the seed draws"
    designs = about["designs"]
    rows = [
        ("source", about["source"]),
        ("mode", f"{about['mode']}: {what.get(about['mode'], '')}"),
        ("split", f"{about['split']}, samples: {samples}"),
        ("design", "; ".join(dict.fromkeys(_design(design) for design in designs))),
        ("trials", f"{len(sweep.rows):,d} at {numbers.plural(len(sweep.means), 'point')}, {failed:,d} failed"),
        *shared.rows(about),
    ]
    known = [point for point in sweep.means if len(point.accuracies)]
    best = max(known, key=lambda point: point.mean, default=None)
    ideal = ideal_of(sweep)
    rows.append(
        ("without a chip", "" if ideal is None else f"{numbers.share(ideal)} with the same weights on the whole split")
    )
    lines = [html.pairs(rows), _fields(sweep)]
    if best is not None:
        at = ", ".join(
            f"{name}\u00a0=\u00a0{numbers.value(value)}" for name, value in zip(sweep.fields, best.values, strict=True)
        )
        spread = "" if math.isnan(best.error) else f" ± {numbers.share(best.error)} (standard error)"
        lines.insert(0, html.paragraph(f"The best mean is {numbers.share(best.mean)}{spread} at {at}."))
    if sweep.unfinished:
        lines.insert(0, html.paragraph(f"{sweep.unfinished}. Points may have unequal numbers of seeds.", "warn"))
    if failed:
        lines.append(html.paragraph(f"{numbers.plural(failed, 'trial')} failed; errors are below.", "warn"))
    return html.section("In short", *lines)


def _design(design: Entries) -> str:
    points = f" of {design['points']} points" if design.get("points") else ""
    until = f", until the standard error is {design['until']:g}" if design.get("until") else ""
    return f"{design['design']}{points}, {numbers.plural(design['seeds'], 'seed')} each{until}"


def _fields(sweep: Sweep) -> str:
    rows = []
    for place, name in enumerate(sweep.fields):
        values = list(dict.fromkeys(numbers.value(point.values[place]) for point in sweep.means))
        few = numbers.thinned(values, 12)
        shown = ", ".join(few) + (f" ({len(few)} of {len(values)} values)" if len(few) < len(values) else "")
        rows.append((name, shown, "Whole chips." if name == CHIP else meaning(name)))
    return html.subtitle("Varied") + "\n" + html.table(("field", "values", "meaning"), rows, words=(0, 1, 2))


def means_section(sweep: Sweep) -> str:
    """Return mean, spread and standard error of each point."""
    means = sweep.means
    chosen = numbers.thinned(means, MOST_POINTS)
    heads = (*sweep.fields, "mean", "std", "std error", "seeds", "failed")
    rows = [
        (
            *(numbers.value(value) for value in point.values),
            numbers.share(point.mean, 2),
            numbers.share(point.std, 2),
            numbers.share(point.error, 2),
            len(point.accuracies),
            point.failed,
        )
        for point in chosen
    ]
    best = max(range(len(chosen)), key=lambda n: chosen[n].mean if len(chosen[n].accuracies) else -1.0, default=-1)
    note = "Accuracy over the seeds of a point. Standard deviation (std) and standard error need two seeds. "
    note += "The best point is shaded."
    left_out = "" if len(chosen) == len(means) else f" {len(chosen)} of {len(means)} points; {RESULTS} has every trial."
    shown = html.table(heads, rows, words=(), best=best)
    table = shown if len(rows) <= 30 else html.details(f"{len(rows)} points", shown, opened=len(rows) <= 60)
    return html.section("Accuracy by point", table, html.paragraph(note + left_out, "note"))


def failed_section(sweep: Sweep) -> str:
    """Return the trials that failed, with their errors; nothing if none did."""
    failed = sweep.failed
    if not failed:
        return ""
    rows = [
        (*(numbers.value(row[name]) for name in sweep.fields), row["seed"], str(row["error"])[:LONGEST])
        for row in failed[:MOST_FAILED]
    ]
    last = len(sweep.fields) + 1
    table = html.table((*sweep.fields, "seed", "error"), rows, words=(last,))
    more = f" {len(failed) - MOST_FAILED} more are in {RESULTS}." if len(failed) > MOST_FAILED else ""
    note = f"Failed trials do not count in the means. To run them again, add --retry-failed to the command below.{more}"
    return html.section("Failed trials", table, html.paragraph(note, "note"))


def command(sweep: Sweep, out: str | None = None) -> list[str]:
    """Return the words of the command that gives the last design asked for, default into a folder beside."""
    about = sweep.about
    design = about["designs"][-1]
    words = ["neuroep", "sweep", about["source"], *shared.command_words(about)]
    words += [word for text in design["vary"] for word in ("--vary", text)]
    words += ["--mode", about["mode"]]
    given = {name: design.get(name) for name in ("design", "points", "seeds", "until", "max_seeds")}
    given["design_seed"] = design.get("design_seed") or None
    given |= {"split": about["split"], "samples": about["samples"]}
    for name, value in given.items():
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return [*words, "--out", settings.again(sweep.out) if out is None else out]


def _notes(sweep: Sweep) -> list[str]:
    extend = "If --out names this directory, finished trials are kept, and further values and seeds are added."
    notes = [f"The seeds are 0, 1, ... at each point. {extend}"]
    several = len(sweep.about["designs"])
    notes += [f"The sweep was asked for in {several} designs. The command gives the last one."] if several > 1 else []
    checkpoint = sweep.about.get("checkpoint")
    notes += [f"Fingerprint of the weights: {checkpoint}."] if checkpoint else []
    return notes
