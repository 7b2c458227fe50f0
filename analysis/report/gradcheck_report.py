"""The page of a gradient check."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.gradcheck import CURVES, ERROR_PICTURE, GDU_PICTURE, KINKS
from analysis.report import numbers, page
from analysis.report.settings_section import SAVED, settings_section
from hw_models.reading import read_json
from neuroep.errors import ConfigError
from neuroep.network.potentials import HardSigmoid
from neuroep.runs import config as configuration

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CAPTIONS: Mapping[str, str] = {
    GDU_PICTURE: "Above, what each step adds to the gradient of some weights: EP marks, back-propagation through time "
    "lines. Below, how far they are apart in whole matrices; it shrinks with the nudge.",
    ERROR_PICTURE: "Relative error of converged EP against the nudge: the centred estimator's falls with its square, "
    "the one-sided ones' with itself, that of N points with its power N, until rounding takes over.",
}


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
        *(picture(folder, name) for name in (GDU_PICTURE, ERROR_PICTURE)),
        errors_section(found),
        steps_section(found),
        settings_section(_command(folder, about), configuration.parse(about["settings"]), about["environment"]),
    ]
    lead = f"A gradient check of {about['weights']}: EP against back-propagation through time and the exact gradient."
    return page.document(f"Gradient check {folder.resolve().name}", lead, sections)


def load(folder: Path) -> dict[str, Any]:
    """Read what was found, with nan where JSON has null."""
    path = folder / CURVES
    try:
        found = numbers.without_gaps(read_json(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"'{path}' is damaged: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"'{path}' is damaged: it holds no table")
    return found


def summary(found: Mapping[str, Any]) -> str:
    """Return how good the gradient of training is, and with what it was measured."""
    about, used = found["about"], found["about"]["configured"]
    rows = [
        (row["parameter"], numbers.number(row["cosine"], ".5f"), _error(row["error"])) for row in found["configured"]
    ]
    silent = [row["parameter"] for row in found["configured"] if math.isnan(row["error"])]
    dead = f"No gradient at all in {numbers.listing(silent)}: outputs clipped to a bound pass none on."
    saturated = numbers.share(about["saturated_outputs"])
    settings = [
        ("estimator", f"{used['estimator']}, beta {used['beta']:g}"),
        ("settling", f"{used['order']}, {used['free_steps']} free and {used['nudged_steps']} nudged steps"),
        ("engine", f"{used['engine']}, {used['dtype']}"),
        ("samples", f"{about['samples']}, of the training split"),
        ("exact", f"float64, reference engine, {about['free_steps']} sweeps, residual {about['residual']:.1e}"),
        ("outputs", f"{numbers.share(about['dead_outputs'])} dead, {saturated} saturated"),
    ]
    return page.section(
        "In short",
        page.paragraph("The gradient that training uses with these settings, against the exact one:"),
        page.table(("parameter", "cosine", "relative error"), rows),
        page.paragraph(dead, "warn") if silent else "",
        *(page.paragraph(f"{remark}.", "warn") for remark in used.get("remarks", ())),
        page.subtitle("What was measured"),
        page.pairs(settings),
    )


def picture(folder: Path, name: str) -> str:
    """Return a picture of the directory; a line where it is missing."""
    title = {GDU_PICTURE: "Step by step", ERROR_PICTURE: "Error by nudge"}[name]
    try:
        png = (folder / name).read_bytes()
    except OSError:
        png = b""
    if not png.startswith(SIGNATURE):
        return page.section(title, page.paragraph(f"{name} is not there.", "note"))
    return page.section(title, page.image(png, CAPTIONS[name]))


def errors_section(found: Mapping[str, Any]) -> str:
    """Return the error of converged EP by parameter, estimator and power of ten of beta, and how it falls."""
    errors = {(row["parameter"], row["estimator"], row["beta"]): row["error"] for row in found["rows"]}
    betas = sorted({beta for _, _, beta in errors if math.isclose(math.log10(beta) % 1, 0, abs_tol=1e-9)})
    cases = list(dict.fromkeys((name, kind) for name, kind, _ in errors))
    rows = [
        (*case, *(_error(errors.get((*case, beta))) for beta in betas), _slope(found["slopes"], *case))
        for case in cases
    ]
    heads = ("parameter", "estimator", *(f"beta {beta:g}" for beta in betas), "exponent")
    note = "Exponent: of the fall with beta, 2 for the centred estimator, 1 for the one-sided ones, N for N points."
    note += f" {KINKS[0].upper()}{KINKS[1:]}." if found["about"]["potential"] == HardSigmoid.name else ""
    shown = page.table(heads, rows, words=(0, 1))
    return page.section("Relative error of converged EP", shown, page.paragraph(note, "note"))


def _slope(slopes: Mapping[str, Any], name: str, kind: str) -> str:
    return numbers.number(slopes.get(kind, {}).get(name), ".2f")


def steps_section(found: Mapping[str, Any]) -> str:
    """Return how near EP is to BPTT over all steps."""
    rows = [
        (name, curves["estimator"], f"{curves['beta']:g}", numbers.number(curve["total_cosine"], ".5f"),
         _error(curve["total_error"]))
        for curves in found["gdu"]
        for name, curve in curves["curves"].items()
    ]  # fmt: skip
    heads: Sequence[str] = ("synapse", "estimator", "beta", "cosine", "relative error")
    steps = numbers.plural(found["about"]["steps"], "synchronous step")
    return page.section(f"EP against BPTT over {steps}", page.table(heads, rows, words=(0, 1)))


def _error(value: Any) -> str:
    return numbers.number(value, ".1e")


def _command(folder: Path, about: Mapping[str, Any]) -> list[str]:
    run = about["weights"].startswith("run ")
    source = about["weights"].removeprefix("run '").removesuffix("'") if run else SAVED
    return ["neuroep", "gradcheck", source, "--out", f"{folder.resolve().name}-again"]
