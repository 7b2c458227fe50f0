"""Which pictures a sweep gets: accuracy against each setting, maps of pairs of them, counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from analysis.drawing import counters, html, numbers, style

from analysis.sweep import pictures as sweeps
from analysis.sweep.points import key, names
from analysis.sweep.results import Sweep
from neuroep.errors import NeuroepError

MOST_CURVES, MOST_MAPS = 6, 6
"""Most pictures of each kind."""
BELOW = 0.01
"""Default target: so far below the best mean."""
MOST_CHIPS = 6
"""Most points whose counters are drawn."""


def target_of(sweep: Sweep, target: float | None) -> tuple[float | None, str]:
    """Return the accuracy of the contour, and how it was chosen."""
    if target is not None:
        return target, f"The contour is at {numbers.share(target)}, the target that was asked for."
    best = max((point.mean for point in sweep.means if len(point.accuracies)), default=0.0)
    chosen = round(best - BELOW, 3)
    if chosen <= 0:
        return None, "No target: the accuracies are too low for a contour."
    why = f"one point below the best mean ({numbers.share(best)}), whose own standard error counts as well"
    return chosen, f"The contour is at {numbers.share(chosen)}, {why}. Another one: neuroep report DIR --target SHARE."


def ideal_of(sweep: Sweep) -> float | None:
    """Return the accuracy of the deployed weights without a chip, where the sweep knows it."""
    try:
        found: Any = getattr(sweep, "ideal", None)
    except NeuroepError:
        return None
    return float(found) if numbers.known(found) and 0 <= found <= 1 else None


def drawable_rows(sweep: Sweep) -> list[dict[str, Any]]:
    """Return the rows with words that matplotlib does not take for mathematics, and lists as words."""
    return [
        {name: _plain(entry) if name in sweep.fields else entry for name, entry in row.items()} for row in sweep.rows
    ]


def _plain(entry: Any) -> Any:
    if entry is None or isinstance(entry, bool | int | float):
        return entry
    # Not cut: texts that begin alike are different points, and pictures shorten what they write.
    text = entry if isinstance(entry, str) else numbers.value(entry)
    return html.drawable(text, len(text) + 1)


def pictures_section(sweep: Sweep, target: float | None) -> str:
    """Return the section of pictures."""
    rows = drawable_rows(sweep)
    if not any(row["accuracy"] is not None for row in rows):
        return html.section("Pictures", html.paragraph("No trial has an accuracy: there is nothing to draw.", "warn"))
    fields = sweeps.varied(rows)
    pairs = list(combinations(fields, 2))
    level, why = target_of(sweep, target)
    notes = [html.paragraph(why)] if pairs else []
    if len(fields) > MOST_CURVES or len(pairs) > MOST_MAPS:
        curves, maps = min(len(fields), MOST_CURVES), min(len(pairs), MOST_MAPS)
        drawn = f"{curves} of {len(fields)} settings and {maps} of {len(pairs)}"
        notes.append(html.paragraph(f"Drawn are {drawn} pairs, the first in the order of the table.", "note"))
    drawings = [_map(rows, x, y, level, len(fields)) for x, y in pairs[:MOST_MAPS]]
    drawings += [_curve(rows, name, fields, ideal_of(sweep)) for name in fields[:MOST_CURVES]]
    return html.section("Pictures", *notes, *drawings)


def _curve(rows: Sequence[Mapping[str, Any]], name: str, fields: Sequence[str], ideal: float | None) -> str:
    others = [field for field in fields if field != name]
    ax = sweeps.plot_accuracy(rows, name, style.axes(None, 8.2 if len(others) == 1 else 6.8, 4.0), ideal=ideal)
    seen = (
        f"Accuracy against {name}: marks are means, the band one standard deviation over the trials, dots the trials."
    )
    if len(others) == 1:
        seen += f" One line for each value of {others[0]}."
    elif others:
        seen += f" Pooled over {numbers.listing(others)}: the band holds their effect as well."
    if ideal is not None:
        seen += " Dashed: the same weights without a chip, on the whole split."
    return html.picture(ax, seen, f"accuracy against {name}")


def _map(rows: Sequence[Mapping[str, Any]], x: str, y: str, level: float | None, many: int) -> str:
    ax = sweeps.plot_heat_map(rows, x, y, level, style.axes(None, 8.2, 5.0))
    seen = f"Mean accuracy over {x} and {y}"
    seen += " pooled over all other settings" if many > 2 else ""
    line = "" if level is None else f"; a red line, where there is one, is at {numbers.share(level)}"
    return html.picture(ax, f"{seen}{line}. Grey cells have no accuracy.", f"map of accuracy over {x} and {y}")


def counters_section(sweep: Sweep) -> str:
    """Return what a sample takes, at some points."""
    per = "sample" if sweep.about["mode"] == "deploy" else "trial"
    found: dict[str, dict[str, float]] = {}
    for point, called in zip(sweep.means, _names(sweep), strict=True):
        values = dict(zip(sweep.fields, point.values, strict=True))
        good = [row for row in sweep.rows if row["error"] is None and all(row[f] == v for f, v in values.items())]
        if good:
            found[called] = _counted(good[0], per)
    different: dict[tuple[Any, ...], str] = {}
    for name, each in found.items():
        different.setdefault(tuple(each.items()), name)
    chosen = numbers.thinned([name for name in different.values() if found[name]], MOST_CHIPS)
    if not chosen or not any(number > 0 for name in chosen for number in found[name].values()):
        return ""
    ax = counters.plot_counters({html.drawable(name): found[name] for name in chosen}, per=per)
    figure = ax.figure
    figure.set_size_inches(max(9.0, figure.get_size_inches()[0]), figure.get_size_inches()[1])  # type: ignore[union-attr]
    same = f" {len(chosen)} of {numbers.plural(len(found), 'point')}; points that count the same are shown once."
    return html.section("What it takes", html.picture(ax, f"Counted per {per}, first seed.{same}", "counters"))


def _counted(row: Mapping[str, Any], per: str) -> dict[str, float]:
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
