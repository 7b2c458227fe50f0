"""What limits learning on a chip, epoch by epoch: costs of the limits, and directions of the contrasts."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.drawing import html, numbers, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes

from analysis.run.subject import Metrics, Subject
from hw_models.reading import Entries
from neuroep.errors import ConfigError
from neuroep.runs import limits

COLUMNS = (
    ("signal", "The contrast that the nudge makes, in the last epoch, on a few training samples."),
    ("noise, offset", "Standard deviation and mean of the contrast that is measured without a nudge."),
    ("cosine", "Cosine of the contrast with that of exact arithmetic for the same conductances."),
    ("shared", "Error that both phases share. Learning compensates it."),
    ("differing", "Error that differs between the phases. It enters every update."),
)
"""What the table of synapses holds."""


def plot_costs(result: Metrics, ax: Axes | None = None) -> Axes:
    """Draw the share of the wanted update that each limit costs, by epoch.

    Raises
    ------
    ConfigError
        If no epoch tells of limits: without a chip there are none.
    """
    _check(result)
    ax = style.axes(ax)
    epochs = [record["epoch"] for record in result]
    names = dict.fromkeys(entry["name"] for record in result for entry in record["limits"])
    for number, name in enumerate(names):
        found = [{entry["name"]: entry["cost"] for entry in record["limits"]} for record in result]
        costs = [100 * costs.get(name, 0.0) for costs in found]
        ax.plot(epochs, costs, color=style.colour(number), marker=style.marker(number), label=name)
    style.whole_steps(ax)
    ax.set_ylim(0, 1.05 * ax.get_ylim()[1])
    style.dress(ax, x="epoch", y="cost [% of the wanted update]", title="Limits of learning")
    if names:
        style.legend(ax)
    else:
        ax.text(0.5, 0.5, "no limit was named", ha="center", va="center", transform=ax.transAxes)
    return ax


def plot_contrasts(result: Metrics, ax: Axes | None = None) -> Axes:
    """Draw the cosine of each synapse's contrast with the exact one, by epoch; dashed without what differs by phase.

    Raises
    ------
    ConfigError
        If no epoch tells of contrasts.
    """
    _check(result)
    ax = style.axes(ax)
    epochs = [record["epoch"] for record in result]
    for number, synapse in enumerate(result[0]["contrasts"]["errors"]):
        rows = [record["contrasts"]["errors"][synapse] for record in result]
        now, common = ([_number(row[name]) for row in rows] for name in ("cosine", "cosine_common"))
        colour = style.colour(number)
        ax.plot(epochs, common, color=colour, linestyle="--", linewidth=1.0)
        ax.plot(epochs, now, color=colour, marker=style.marker(number), label=synapse)
    style.whole_steps(ax)
    ax.axhline(0, color=style.GREY, linewidth=0.8)
    ax.set_ylim(max(min(0, *ax.get_ylim()), -1.05), 1.05)
    title = "Contrasts (dashed: only shared errors)"
    style.dress(ax, x="epoch", y="cosine with the exact contrast [1]", title=title)
    style.legend(ax)
    return ax


def _check(result: Metrics) -> None:
    if not result or any("limits" not in record for record in result):
        raise ConfigError("result has an epoch without limits: they are measured on chips, from version 0.2 on")


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _measured(subject: Subject) -> list[Metrics]:
    """Return the records that tell of limits, of a run on a chip."""
    found = [record for record in subject.metrics if "limits" in record]
    return [found] if found else []


def _table(results: Sequence[Metrics]) -> str:
    """Return the numbers of the last epoch, and what it says."""
    if not results:
        return ""
    record = results[0][-1]
    heads = ("synapse", "signal to noise", "offset over signal", "cosine", "shared by the phases", "error shared",
             "error differing")  # fmt: skip
    rows = [_row(name, error) for name, error in record["contrasts"]["errors"].items()]
    below = record["contrasts"]["below"]
    shares = ", ".join(f"{name} {numbers.share(share)}" for name, share in below.items())
    note = f"Share of the contrast below half a step of the converter: {shares}." if below else ""
    shown = [html.points(limits.told(record), "warn"), html.table(heads, rows), html.terms(COLUMNS)]
    return "\n".join([*shown, html.paragraph(note, "note") if note else ""])


def _row(name: str, error: Entries) -> tuple[str, ...]:
    signal, noise, offset = (_number(error[key]) for key in ("signal", "noise", "offset"))
    ratio = "no noise" if noise == 0 else numbers.number(signal / noise, ".2f")
    shown = ("cosine", "cosine_common", "error_common", "error_differing")
    offsets = numbers.number(offset / signal, ".2f") if signal else numbers.NONE
    return (name, ratio, offsets, *(numbers.number(_number(error[key]), ".3f") for key in shown))


LIMITS = Panel(
    "What limits learning",
    15,
    _measured,
    (
        Picture(plot_costs, "Share of the wanted update that each limit costs.", "cost of each limit, by epoch"),
        Picture(
            plot_contrasts,
            "Cosine of the contrast of each synapse with the exact one. Dashed: without the errors that differ between "
            "the phases.",
            "cosine of contrasts, by epoch",
        ),
    ),
    below=_table,
)
