"""The page of a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from analysis.comparison import Comparison, Contestant
from analysis.pictures import comparison as pictures, counters, style
from analysis.report import numbers, page
from analysis.report.chip_section import chips_section
from analysis.report.settings_section import SAVED, settings_section
from neuroep.runs import config as configuration, directory as runs

CAPTIONS: Sequence[tuple[Callable[..., Any], str]] = (
    (pictures.plot_accuracy_bars, "Test accuracy (bars, with numbers) and training accuracy (black marks)."),
    (
        pictures.plot_divergence,
        "How far the states are from those of the reference after each sweep of the free phase, relative, in the "
        "layer where it is worst. All have the same weights.",
    ),
    (
        pictures.plot_energies,
        "Mean free energy after each sweep: it should fall. A chip's is that of the weights it conducts.",
    ),
    (
        pictures.plot_gradients,
        "Cosine of EP's gradient over 32 test samples with the exact one, by parameter; one chip each, mean and "
        "standard deviation over 8 draws of its read noise. Bars: for the weights as the arrays conduct them; dashes: "
        "for those programmed. Around 0 a single measurement says nothing of where to go.",
    ),
)
WIDE = 9.2
"""Of a picture [inch]."""
MOST_DRAWN = 8
"""Most contestants in the picture of counters."""


def comparison_page(result: Comparison) -> str:
    """Return the page of a comparison."""
    config, saved = result.config, configuration.parse(result.asked["settings"])
    sections = [
        summary(result),
        pictures_section(result),
        gradient_section(result),
        counters_section(result),
        chips_section(result.chips),
        settings_section(_command(result), saved, _environment(result), *_notes(result)),
    ]
    learns = "every chip learns on from the run's weights" if result.asked["run"] else "every chip learns from scratch"
    what = {"deploy": "the same weights programmed on chips", "learn": learns}[result.mode]
    lead = f"{config.network.kind} network on '{config.data.name}', {what}, seed {config.training.seed}."
    return page.document(f"Comparison {result.out.resolve().name}", lead, sections)


def summary(result: Comparison) -> str:
    """Return the table of contestants."""
    heads = ("", "test", "training", "agrees", "steps", "worst cosine", "train time", "predict time", "MiB")
    rows = [_row(found) for found in result.contestants]
    if result.baseline is not None:
        rows.append((result.baseline.name, numbers.share(result.baseline.accuracy), *[numbers.NONE] * (len(heads) - 2)))
    note = (
        "Test, training: accuracy. Agrees: share of test samples with the reference's class. Steps: mean settle steps "
        "of a test sample. One chip each. Worst cosine: of EP's gradient with the exact one, in the parameter where it "
        "is lowest. Deployed, the chip that the run was trained on keeps its devices; any other is programmed anew. "
        "Times, with compiling, and memory are of the simulation, not of a chip; no training time: the weights were "
        "taken over."
    )
    if result.baseline is not None:
        note += f" {result.baseline.name.capitalize()}: {result.baseline.about}."
    return page.section("In short", page.table(heads, rows), page.paragraph(note, "note"))


def _row(found: Contestant) -> tuple[str, ...]:
    worst = min((row.cosine for row in found.gradient if not math.isnan(row.cosine)), default=math.nan)
    return (
        found.name,
        numbers.share(found.accuracy["test"]),
        numbers.share(found.accuracy["train"]),
        numbers.share(found.agreement),
        numbers.number(found.steps, ".1f"),
        numbers.number(worst, ".4f"),
        numbers.seconds(found.seconds["train"]) if found.seconds["train"] else numbers.NONE,
        numbers.seconds(found.seconds["predict"]),
        numbers.number(found.memory_mib, ".0f"),
    )


def pictures_section(result: Comparison) -> str:
    """Return the four pictures."""
    drawn = replace(result, contestants=drawable(result.contestants))
    tall = max(3.6, 1.2 + 0.3 * len(drawn.contestants))
    figures = []
    for plot, caption in CAPTIONS:
        ax = plot(drawn, style.axes(None, WIDE, tall))
        if plot is not pictures.plot_accuracy_bars:
            style.legend(ax, loc="center left", bbox_to_anchor=(1.01, 0.5))
        figures.append(page.picture(ax, caption))
    return page.section("Pictures", *figures)


def drawable(contestants: Sequence[Contestant]) -> tuple[Contestant, ...]:
    """Return contestants with names for a legend."""
    return tuple(replace(found, name=page.drawable(found.name, 32)) for found in contestants)


def gradient_section(result: Comparison) -> str:
    """Return cosine and error of the gradient of each parameter."""
    parameters = [row.parameter for row in result.contestants[0].gradient]
    shown = []
    for title, attribute in (
        ("Cosine with the exact gradient, for the weights as conducted", "cosine"),
        ("Its standard deviation over draws of the read noise", "spread"),
        ("Relative error of the same gradients", "relative_error"),
        ("Cosine with the exact gradient, for the weights as programmed", "nominal"),
    ):
        rows = []
        for found in result.contestants:
            values = {row.parameter: getattr(row, attribute) for row in found.gradient}
            rows.append((found.name, *(numbers.number(values.get(name), ".4f") for name in parameters)))
        shown += [page.subtitle(title), page.table(("", *parameters), rows)]
    note = "No number stands where a gradient is zero. All have the same weights: only the arithmetic differs."
    return page.section("Gradients", *shown, page.paragraph(note, "note"))


def counters_section(result: Comparison) -> str:
    """Return what an inference takes on each chip."""
    found = {one.name: one.counters for one in result.contestants if one.name != "reference"}
    if not any(number > 0 for counted in found.values() for number in counted.values()):
        return ""
    names = counters.ordered(
        {name: None for counted in found.values() for name, number in counted.items() if number > 0}
    )
    heads = ("", *(counters.NAMES.get(name, name) for name in names))
    rows = [(chip, *(numbers.count(counted.get(name)) for name in names)) for chip, counted in found.items()]
    drawn = {
        page.drawable(one.name, 32): one.counters for one in result.contestants if one.name in list(found)[:MOST_DRAWN]
    }
    ax = counters.plot_counters(drawn)
    ax.figure.set_size_inches(WIDE, ax.figure.get_size_inches()[1])  # type: ignore[union-attr]
    figure = page.picture(ax, "Counted per test sample, on a logarithmic scale.", "counters per inference")
    return page.section("What an inference takes", figure, page.table(heads, rows))


def _command(result: Comparison) -> list[str]:
    asked = result.asked
    source = asked["source"] if asked["run"] and asked["source"] else SAVED
    named = [word for name in asked["chips"] for word in ("--chip", name)]
    # What was overridden is in the saved settings, but for fields of the chips that are named.
    given = asked["fields"] if source == SAVED else asked["overrides"]
    out = f"{result.out.resolve().name}-again"
    return ["neuroep", "compare", source, *named, *given, "--mode", result.mode, "--out", out]


def _notes(result: Comparison) -> list[str]:
    return [f"Seed {result.config.training.seed}."]


def _environment(result: Comparison) -> dict[str, Any] | None:
    """Return versions from a run that was trained for the comparison."""
    for name in ("local", "reference"):
        if (result.out / name / runs.ENVIRONMENT).is_file():
            return runs.Run(result.out / name, result.config).environment
    return None
