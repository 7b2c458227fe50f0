# Tested by tests/analysis/test_pages.py
"""Which pictures a sweep gets: accuracy against each setting, maps of pairs of them, counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from analysis.drawing import counters, html, numbers, style
from analysis.drawing.panels import Panel, Picture

from matplotlib.axes import Axes

from analysis.sweep import pictures
from analysis.sweep.points import key, names, varied
from analysis.sweep.results import Sweep
from hw_models.reading import Entries, Page
from neuroep.errors import NeuroepError

MOST_CURVES, MOST_MAPS = 6, 6
"""Most pictures of each kind."""
BELOW = 0.01
"""Default target: so far below the best mean."""
MOST_CHIPS = 6
"""Most points whose counters are drawn."""
SECTION = "Pictures"


@dataclass(frozen=True)
class Targeted:
    """A sweep and the accuracy that its maps are asked for."""

    sweep: Sweep
    target: float | None


@dataclass(frozen=True)
class AccuracyMap:
    """Trials over two settings, and the accuracy of the contour."""

    rows: Sequence[Entries]
    x: str
    y: str
    level: float | None
    pooled: bool
    """Over further settings."""


@dataclass(frozen=True)
class AccuracyCurve:
    """Trials over one setting, and the accuracy without a chip."""

    rows: Sequence[Entries]
    field: str
    others: Sequence[str]
    ideal: float | None


@dataclass(frozen=True)
class PointCosts:
    """Counters of some points, by their names."""

    per: str
    counted: Mapping[str, Mapping[str, float]]
    points: int
    """Number of all points."""


def target_of(sweep: Sweep, target: float | None) -> tuple[float | None, str]:
    """Return the accuracy of the contour, and how it was chosen."""
    if target is not None:
        return target, f"The contour is at {numbers.share(target)}, the target that was asked for."
    best = max((point.mean for point in sweep.means if len(point.accuracies)), default=0.0)
    chosen = round(best - BELOW, 3)
    if chosen <= 0:
        return None, "There is no contour: the accuracies are too low."
    why = f"one percentage point below the best mean ({numbers.share(best)})"
    return chosen, f"The contour is at {numbers.share(chosen)}, {why}. To move it: neuroep report DIR --target SHARE."


def ideal_of(sweep: Sweep) -> float | None:
    """Return the accuracy of the deployed weights without a chip, where the sweep knows it."""
    try:
        found = sweep.ideal
    except NeuroepError:
        return None
    return found if found is not None and numbers.known(found) and 0 <= found <= 1 else None


def drawable_rows(sweep: Sweep) -> list[Page]:
    """Return the rows with words that matplotlib does not take for mathematics, and lists as words."""
    return [
        {name: _plain(entry) if name in sweep.fields else entry for name, entry in row.items()} for row in sweep.rows
    ]


def _plain(entry: object) -> object:
    if entry is None or isinstance(entry, bool | int | float):
        return entry
    # Not cut: texts that begin alike are different points, and pictures shorten what they write.
    text = entry if isinstance(entry, str) else numbers.value(entry)
    return style.drawable(text, len(text) + 1)


def _rows(subject: Targeted) -> list[Page]:
    """Return what can be drawn: nothing if no trial has an accuracy."""
    rows = drawable_rows(subject.sweep)
    return rows if any(row["accuracy"] is not None for row in rows) else []


def _notes(subject: Targeted) -> list[str]:
    """Return HTML of what is said above the pictures."""
    rows = _rows(subject)
    if not rows:
        return [html.paragraph("There is nothing to draw: no trial has an accuracy.", "warn")]
    fields = varied(rows)
    pairs = list(combinations(fields, 2))
    notes = [html.paragraph(target_of(subject.sweep, subject.target)[1])] if pairs else []
    if len(fields) > MOST_CURVES or len(pairs) > MOST_MAPS:
        curves, maps = min(len(fields), MOST_CURVES), min(len(pairs), MOST_MAPS)
        drawn = f"{curves} of {len(fields)} settings and {maps} of {len(pairs)}"
        notes.append(html.paragraph(f"The pictures show {drawn} pairs, in the order of the table.", "note"))
    return notes


def _maps(subject: Targeted) -> list[AccuracyMap]:
    rows = _rows(subject)
    fields = varied(rows) if rows else ()
    level, _ = target_of(subject.sweep, subject.target)
    return [AccuracyMap(rows, x, y, level, len(fields) > 2) for x, y in combinations(fields, 2)]


def _map(result: AccuracyMap, ax: Axes | None) -> Axes:
    return pictures.plot_heat_map(result.rows, result.x, result.y, result.level, ax)


def _about_map(result: AccuracyMap) -> str:
    seen = f"Mean accuracy over {result.x} and {result.y}"
    seen += " pooled over all other settings" if result.pooled else ""
    line = "" if result.level is None else f". The red line is at {numbers.share(result.level)}"
    return f"{seen}{line}. Cells without an accuracy are grey."


def _curves(subject: Targeted) -> list[AccuracyCurve]:
    rows, ideal = _rows(subject), ideal_of(subject.sweep)
    fields = varied(rows) if rows else ()
    return [AccuracyCurve(rows, name, [field for field in fields if field != name], ideal) for name in fields]


def _curve(result: AccuracyCurve, ax: Axes | None) -> Axes:
    return pictures.plot_accuracy(result.rows, result.field, ax, ideal=result.ideal)


def _about_curve(result: AccuracyCurve) -> str:
    seen = f"Accuracy by {result.field}. Marks are means, dots are trials, and the band is one standard deviation."
    if len(result.others) == 1:
        seen += f" Each value of {result.others[0]} has a line."
    elif result.others:
        seen += f" Trials are pooled over {numbers.listing(result.others)}, so that the band holds their effect, too."
    if result.ideal is not None:
        seen += " The dashed line is the accuracy of the same weights without a chip, on the whole split."
    return seen


def _costs(subject: Targeted) -> list[PointCosts]:
    """Return what a sample takes, at some points of which no two count the same."""
    sweep = subject.sweep
    per = "sample" if sweep.about["mode"] == "deploy" else "trial"
    found: dict[str, dict[str, float]] = {}
    for point, called in zip(sweep.means, _names(sweep), strict=True):
        values = dict(zip(sweep.fields, point.values, strict=True))
        good = [row for row in sweep.rows if row["error"] is None and all(row[f] == v for f, v in values.items())]
        if good:
            found[called] = _counted(good[0], per)
    different: dict[tuple[object, ...], str] = {}
    for name, each in found.items():
        different.setdefault(tuple(each.items()), name)
    chosen = numbers.thinned([name for name in different.values() if found[name]], MOST_CHIPS)
    if not any(number > 0 for name in chosen for number in found[name].values()):
        return []
    return [PointCosts(per, {name: found[name] for name in chosen}, len(found))]


def _counted(row: Entries, per: str) -> dict[str, float]:
    samples = row.get("samples") if per == "sample" else 1
    names = [name for name in row if name.startswith("counters.")]
    return {name.removeprefix("counters."): float(row[name] or 0) / (samples or 1) for name in names}


def _names(sweep: Sweep) -> list[str]:
    """Return a name for each point, no two the same."""
    called = []
    for name, column in zip(sweep.fields, zip(*(point.values for point in sweep.means), strict=True), strict=True):
        values = {key(value): value for value in column}
        short = dict(zip(values, names(list(values.values())), strict=True))
        called.append([f"{name.rsplit('.', 1)[-1]} {short[key(value)]}" for value in column])
    return [", ".join(parts) for parts in zip(*called, strict=True)]


def _bars(result: PointCosts, ax: Axes | None) -> Axes:
    return counters.plot_counters(
        {style.drawable(name): counted for name, counted in result.counted.items()}, ax, per=result.per
    )


def _wide(ax: Axes, _: PointCosts) -> None:
    style.resize(ax, lambda width, height: (max(9.0, width), height))


def _about_costs(result: PointCosts) -> str:
    some = f"{len(result.counted)} of {numbers.plural(result.points, 'point')}"
    return f"Operations per {result.per}, of the first seed. {some}; points with equal counts are shown once."


NOTES = Panel(SECTION, 10, _notes, above="\n".join)
MAPS = Panel(
    SECTION,
    11,
    _maps,
    [Picture(_map, _about_map, lambda found: f"map of accuracy over {found.x} and {found.y}", (8.2, 5.0))],
    beside=False,
    most=MOST_MAPS,
)
CURVES = Panel(
    SECTION,
    12,
    _curves,
    [
        Picture(
            _curve,
            _about_curve,
            lambda found: f"accuracy by {found.field}",
            lambda found: (8.2 if len(found.others) == 1 else 6.8, 4.0),
        )
    ],
    beside=False,
    most=MOST_CURVES,
)
COSTS = Panel("Cost", 20, _costs, [Picture(_bars, _about_costs, "operations by point", None, _wide)], beside=False)
