# Tested by tests/analysis/test_report.py
"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from analysis.drawing import bills, counters, html, numbers, panels, settings, style
from analysis.drawing.bills import Bills
from analysis.drawing.panels import Panel, Picture

from matplotlib.axes import Axes

from analysis.chips.page import chips_section
from analysis.comparison.bench import Contestant
from analysis.comparison.pictures import WIDE
from analysis.comparison.results import Comparison
from hw_models.reading import Page
from neuroep.runs import config as configuration, directory as runs

MOST_DRAWN = 8
"""Most contestants in the picture of counters."""
COLUMNS = (
    ("test, training", "Accuracy on these splits, of one chip each."),
    ("agrees", "Share of the test samples that get the same class as from the reference engine."),
    ("steps", "Mean number of settle steps of a test sample."),
    ("worst cosine", "Cosine of EP's gradient with the exact one, in the parameter where it is lowest."),
    ("times, MiB", "Time and memory of the simulation, compiling included; they say nothing of a chip."),
    ("no train time", "The weights were taken over. In mode deploy, only the chip of the run keeps its devices."),
)
"""What the table of contestants holds."""
LIMITS = ("name", "limit", "cost", "where, and how much", "what would help")
OF_LIMITS = (
    ("cost", "Share of the wanted update that does not get through. The limit that costs most stands first."),
    ("where, and how much", "The fields that cause it, and its number in each array."),
    ("what would help", "A setting, its value now and the one that would help, and why."),
)
"""What the table of limits holds."""
BY_PART = "bars of energy, by part of the chip"
Counted = Mapping[str, Mapping[str, float]]
"""By contestant and counter."""


def comparison_page(result: Comparison) -> str:
    """Return the page of a comparison."""
    config, saved = result.config, configuration.parse(result.asked["settings"])
    sections = [
        summary(result),
        *panels.sections(panels.measured(__package__, result)),
        chips_section(result.chips),
        settings.section(_command(result), saved, _environment(result), *_notes(result)),
    ]
    start = "the weights of the run" if result.asked["run"] else "its initial weights"
    learns = f"every chip learns from {start}"
    what = {"deploy": "the same weights are programmed on chips", "learn": learns}[result.mode]
    lead = f"{config.network.kind} network on '{config.data.name}', {what}, seed {config.training.seed}."
    return html.document(f"Comparison {result.out.resolve().name}", lead, sections)


def summary(result: Comparison) -> str:
    """Return the table of contestants."""
    heads = ("name", "test", "training", "agrees", "steps", "worst cosine", "train time", "predict time", "MiB")
    rows = [_row(found) for found in result.contestants]
    if result.baseline is not None:
        rows.append((result.baseline.name, numbers.share(result.baseline.accuracy), *[numbers.NONE] * (len(heads) - 2)))
    columns = [*COLUMNS]
    if result.baseline is not None:
        columns.append((result.baseline.name, f"{result.baseline.about[:1].upper()}{result.baseline.about[1:]}."))
    shown = html.table(heads, rows), html.terms(columns)
    return html.section("In short", *shown, _limits(result))


def _limits(result: Comparison) -> str:
    """Return a table of what limits learning on each chip; nothing where nothing does."""
    rows = [
        (found.name, limit["name"], numbers.share(limit["cost"], 0), limit["where"], limit["cure"] or numbers.NONE)
        for found in result.contestants
        for limit in found.limits
    ]
    if not rows:
        return ""
    shown = html.subtitle("What limits learning"), html.table(LIMITS, rows, words=(0, 1, 3, 4)), html.terms(OF_LIMITS)
    return "\n".join(shown)


def _row(found: Contestant) -> tuple[str, ...]:
    return (
        found.name,
        numbers.share(found.accuracy["test"]),
        numbers.share(found.accuracy["train"]),
        numbers.share(found.agreement),
        numbers.number(found.steps, ".1f"),
        numbers.number(found.worst_cosine, ".4f"),
        numbers.seconds(found.seconds["train"]) if found.seconds["train"] else numbers.NONE,
        numbers.seconds(found.seconds["predict"]),
        numbers.number(found.memory_mib, ".0f"),
    )


def _whole(result: Comparison) -> list[Comparison]:
    return [result]


def _gradients(results: Sequence[Comparison]) -> str:
    """Return cosine and error of the gradient of each parameter."""
    result = results[0]
    parameters = [row.parameter for row in result.contestants[0].gradient]
    shown = []
    for title, attribute in (
        ("Cosine with the exact gradient for the weights that the arrays conduct", "cosine"),
        ("Standard deviation of this cosine over draws of the read noise", "spread"),
        ("Relative error of the same gradients", "relative_error"),
        ("Cosine with the exact gradient for the weights that were programmed", "nominal"),
        ("Cosine of EP in exact arithmetic for the weights that the arrays conduct", "exact_phases"),
        ("Cosine without the difference between the phases: the errors that both phases share", "common"),
        ("Relative error that both phases share: learning compensates it", "common_error"),
        ("Difference between the phases, relative to the exact gradient: it enters every update", "differing_error"),
    ):
        rows = []
        for found in result.contestants:
            values = {row.parameter: getattr(row, attribute) for row in found.gradient}
            rows.append((found.name, *(numbers.number(values.get(name), ".4f") for name in parameters)))
        shown += [html.subtitle(title), html.table(("name", *parameters), rows)]
    note = "Where a gradient is zero, there is no number. All have the same weights; only the arithmetic differs."
    return "\n".join([*shown, html.paragraph(note, "note")])


def _counted(result: Comparison) -> list[Counted]:
    """Return what was counted per test sample, by contestant; nothing where nothing was."""
    found = {one.name: one.counters for one in result.contestants if one.name != "reference"}
    return [found] if any(number > 0 for counted in found.values() for number in counted.values()) else []


def _bars(result: Counted, ax: Axes | None) -> Axes:
    few = islice(result.items(), MOST_DRAWN)
    return counters.plot_counters({style.drawable(name, 32): counted for name, counted in few}, ax)


def _wide(ax: Axes, _: Counted) -> None:
    style.resize(ax, lambda width, height: (WIDE, height))


def _table(results: Sequence[Counted]) -> str:
    return "\n".join(counters.table(result) for result in results)


GRADIENTS = Panel("Gradients", 20, _whole, below=_gradients)
COUNTERS = Panel(
    "Cost of an inference",
    30,
    _counted,
    [Picture(_bars, "Operations per test sample, on a logarithmic scale.", "counters per inference", None, _wide)],
    below=_table,
    beside=False,
)


def _bills(result: Comparison) -> list[Bills]:
    """Return the bills of all contestants by what for; nothing where nothing is known of what chips take."""
    whats = ("classification", "update")
    found = [[(one.name, one.bills[what]) for one in result.contestants if what in one.bills] for what in whats]
    return [{f"{name}, {what}": bill for name, bill in each} for what, each in zip(whats, found, strict=True) if each]


BILLS = Panel(
    "Cost of an inference",
    31,
    _bills,
    [Picture(lambda result, ax: bills.plot_bills(result, ax), "Energy of each part of the chip.", BY_PART, None)],
    title="A test sample, and the update of a batch",
    below=lambda results: "\n".join(f"{bills.table(result)}\n{bills.sources(result)}" for result in results),
    beside=False,
)


def _command(result: Comparison) -> list[str]:
    asked = result.asked
    source = asked["source"] if asked["run"] and asked["source"] else settings.SAVED
    named = [word for name in asked["chips"] for word in ("--chip", name)]
    # What was overridden is in the saved settings, but for fields of the chips that are named.
    given = asked["fields"] if source == settings.SAVED else asked["overrides"]
    out = settings.again(result.out)
    return ["neuroep", "compare", source, *named, *given, "--mode", result.mode, "--out", out]


def _notes(result: Comparison) -> list[str]:
    return [f"Seed {result.config.training.seed}."]


def _environment(result: Comparison) -> Page | None:
    """Return versions from a run that was trained for the comparison."""
    for name in ("local", "reference"):
        if (result.out / name / runs.ENVIRONMENT).is_file():
            return runs.Run(result.out / name, result.config).environment
    return None
