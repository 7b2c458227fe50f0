# Tested by tests/analysis/test_pages.py
"""The page of a gradient check."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from analysis.drawing import html, numbers, settings

from analysis.gradients.gradient_error import decades
from analysis.gradients.measure import CLIPPED, CURVES, KINKS
from analysis.gradients.pictures import Sheet, sheets
from hw_models.reading import Entries, Page, read_json
from neuroep.errors import ConfigError
from neuroep.network.potentials import HardSigmoid
from neuroep.runs import config as configuration, seals

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def gradcheck_page(folder: Path) -> str:
    """Return the page of a gradient check.

    Raises
    ------
    ConfigError
        If its file is damaged.
    """
    found = load(folder)
    about = found["about"]
    sections = [
        summary(found),
        *(picture(folder, sheet) for sheet in sheets()),
        errors_section(found),
        steps_section(found),
        settings.section(_command(folder, about), configuration.parse(about["settings"]), about["environment"]),
    ]
    lead = f"A gradient check of {about['weights']}. It compares EP with back-propagation through time (BPTT) and with "
    lead += "the exact gradient."
    return html.document(f"Gradient check {folder.resolve().name}", lead, sections)


def load(folder: Path) -> Page:
    """Read what was found, with nan where JSON has null."""
    path = folder / CURVES
    try:
        found: Page = numbers.without_gaps(seals.unclosed(read_json(path)))
    except (OSError, ValueError) as error:
        raise ConfigError(f"'{path}' is damaged: {' '.join(str(error).split())}") from None
    return found


def summary(found: Entries) -> str:
    """Return how good the gradient of training is, and with what it was measured."""
    about, used = found["about"], found["about"]["configured"]
    rows = [
        (row["parameter"], numbers.number(row["cosine"], ".5f"), _error(row["error"])) for row in found["configured"]
    ]
    silent = [row["parameter"] for row in found["configured"] if math.isnan(row["error"])]
    dead = f"There is no gradient in {numbers.listing(silent)}: {CLIPPED}."
    saturated = numbers.share(about["saturated_outputs"])
    measured = [
        ("estimator", f"{used['estimator']}, beta {used['beta']:g}"),
        ("settling", f"{used['order']}, {used['free_steps']} free and {used['nudged_steps']} nudged steps"),
        ("engine", f"{used['engine']}, {used['dtype']}"),
        ("samples", f"{about['samples']} of the training split"),
        ("exact", f"float64, reference engine, {about['free_steps']} sweeps, residual {about['residual']:.1e}"),
        ("outputs", f"{numbers.share(about['dead_outputs'])} are dead, {saturated} are saturated"),
    ]
    return html.section(
        "In short",
        html.paragraph("The table compares the gradient that training uses with the exact one."),
        html.table(("parameter", "cosine", "relative error"), rows),
        html.paragraph(dead, "warn") if silent else "",
        *(html.paragraph(f"{remark}.", "warn") for remark in used.get("remarks", ())),
        html.subtitle("What was measured"),
        html.pairs(measured),
    )


def picture(folder: Path, sheet: Sheet) -> str:
    """Return a picture of the directory; a line where it is missing."""
    try:
        png = (folder / sheet.file).read_bytes()
    except OSError:
        png = b""
    if not png.startswith(SIGNATURE):
        return html.section(sheet.title, html.paragraph(f"The file {sheet.file} is missing.", "note"))
    return html.section(sheet.title, html.image(png, sheet.caption))


def errors_section(found: Entries) -> str:
    """Return the error of converged EP by parameter, estimator and power of ten of beta, and how it falls."""
    errors = {(row["parameter"], row["estimator"], row["beta"]): row["error"] for row in found["rows"]}
    betas = decades(beta for _, _, beta in errors)
    cases = list(dict.fromkeys((name, kind) for name, kind, _ in errors))
    rows = [
        (*case, *(_error(errors.get((*case, beta))) for beta in betas), _slope(found["slopes"], *case))
        for case in cases
    ]
    heads = ("parameter", "estimator", *(f"beta {beta:g}" for beta in betas), "exponent")
    note = "The error is proportional to beta to the power of the exponent. Theory says 2 for the centred estimator, "
    note += "1 for the one-sided ones, and N for N points."
    note += f" {KINKS[0].upper()}{KINKS[1:]}." if found["about"]["potential"] == HardSigmoid.name else ""
    shown = html.table(heads, rows, words=(0, 1))
    return html.section("Relative error of converged EP", shown, html.paragraph(note, "note"))


def _slope(slopes: Entries, name: str, kind: str) -> str:
    return numbers.number(slopes.get(kind, {}).get(name), ".2f")


def steps_section(found: Entries) -> str:
    """Return how near EP is to BPTT over all steps."""
    rows = [
        (name, curves["estimator"], f"{curves['beta']:g}", numbers.number(curve["total_cosine"], ".5f"),
         _error(curve["total_error"]))
        for curves in found["gdu"]
        for name, curve in curves["curves"].items()
    ]  # fmt: skip
    heads: Sequence[str] = ("synapse", "estimator", "beta", "cosine", "relative error")
    steps = numbers.plural(found["about"]["steps"], "synchronous step")
    return html.section(f"EP and BPTT over {steps}", html.table(heads, rows, words=(0, 1)))


def _error(value: object) -> str:
    return numbers.number(value, ".1e")


def _command(folder: Path, about: Entries) -> list[str]:
    run = about["weights"].startswith("run ")
    source = about["weights"].removeprefix("run '").removesuffix("'") if run else settings.SAVED
    return ["neuroep", "gradcheck", source, "--out", settings.again(folder)]
