"""What engines and chips count, in words, tables and bars: conversions, reads, writes, pulses, events, operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.drawing import html, numbers, style

import numpy as np
from matplotlib.axes import Axes

from hw_models.reading import Entries
from neuroep.errors import ConfigError

Counters = Mapping[str, float]
NAMES: Mapping[str, str] = {
    "settle_steps": "settle steps",
    "dac": "DAC conversions",
    "adc": "ADC conversions",
    "adc_transposed": "ADC conversions, transposed",
    "dac_at_stop": "DAC conversions at full scale",
    "adc_forward_at_stop": "ADC at full scale, forward",
    "adc_transposed_at_stop": "ADC at full scale, transposed",
    "state_conversions": "state conversions",
    "state_conversions_at_stop": "state conversions at full scale",
    "reads": "device reads",
    "writes": "device writes",
    "pulses": "pulses",
    "events": "events",
    "synaptic_operations": "synaptic operations",
    "additions": "sums over tiles and slices",
    "digital_operations": "digital operations",
    "chip_picoseconds": "picoseconds on the chip",
}
"""What counters are called in pictures and tables, in their order."""


def per_inference(evaluation: Entries) -> dict[str, float]:
    """Return what one sample costs.

    Parameters
    ----------
    evaluation : mapping
        Of one split, ``record["evaluate"]["test"]``; empty counters give an empty result.

    Raises
    ------
    ConfigError
        If it has no samples.
    """
    if not evaluation.get("samples"):
        raise ConfigError(f"samples is {evaluation.get('samples')}: counters per inference need one")
    return {name: number / evaluation["samples"] for name, number in evaluation.get("counters", {}).items()}


def per_update(metrics: Sequence[Entries], epoch: int = -1) -> dict[str, float]:
    """Return what one weight update costs, its phases included.

    Parameters
    ----------
    metrics : sequence of mapping
        Records of the epochs of a run.
    epoch : int
        Place of the epoch in them, default the last.

    Raises
    ------
    ConfigError
        If there is no such epoch, or no update in it.
    """
    if not -len(metrics) <= epoch < len(metrics):
        raise ConfigError(f"epoch is {epoch}: there are {len(metrics)} epochs")
    place = range(len(metrics))[epoch]
    record, before = metrics[place], metrics[place - 1]["updates"] if place else 0
    updates = record["updates"] - before
    if updates < 1:
        raise ConfigError(f"epoch {record['epoch']} has {updates} updates: counters per update need one")
    return {name: number / updates for name, number in record.get("counters", {}).items()}


def at_stop(counted: Counters) -> dict[str, float]:
    """Return the share of conversions that lay beyond the last level, of every kind of converter that made any."""
    forward = counted.get("adc", 0) - counted.get("adc_transposed", 0)
    kinds = {
        "DAC": (counted.get("dac", 0), "dac_at_stop"),
        "ADC, forward": (forward, "adc_forward_at_stop"),
        "ADC, transposed": (counted.get("adc_transposed", 0), "adc_transposed_at_stop"),
        "states": (counted.get("state_conversions", 0), "state_conversions_at_stop"),
    }
    return {kind: counted.get(name, 0) / made for kind, (made, name) in kinds.items() if made}


def ordered(names: Entries | Sequence[str]) -> list[str]:
    """Return names of counters in the order of :data:`NAMES`, unknown ones behind."""
    return [name for name in NAMES if name in names] + [name for name in names if name not in NAMES]


def plot_counters(
    result: Mapping[str, Counters], ax: Axes | None = None, *, per: str = "inference", title: str = ""
) -> Axes:
    """Draw counters of several chips side by side on a logarithmic scale; what is zero for all is left out.

    Parameters
    ----------
    result : mapping of str to mapping of str to float
        Counters by chip.
    ax : Axes, optional
        Where, default a figure of its own.
    per : str
        What the counters were divided by, for example "inference" or "update".
    title : str
        Line above, default what is counted.
    """
    everything = {name: None for counters in result.values() for name, number in counters.items() if number > 0}
    names = ordered(everything)
    width = 0.8 / max(1, len(result))
    ax = style.axes(ax, 6.6, 1.5 + max(2, len(names)) * (0.22 + 0.16 * len(result)))
    for number, (chip, counters) in enumerate(result.items()):
        values = np.array([float(counters.get(name, 0)) for name in names])
        places = np.arange(len(names)) + (number - 0.5 * (len(result) - 1)) * width
        colour = style.colour(number)
        seen = values > 0
        ax.barh(places[seen], values[seen], 0.92 * width, color=colour, label=chip)
        for place, value in zip(places[seen], values[seen], strict=True):
            ax.annotate(
                numbers.short(value),
                (value, place),
                (3, 0),
                textcoords="offset points",
                va="center",
                fontsize=style.TEXT - 2,
            )
    ax.set_xscale("log")
    _limits(ax, result)
    ax.set_yticks(range(len(names)), [NAMES.get(name, name.replace("_", " ")) for name in names])
    ax.invert_yaxis()
    style.dress(ax, x=f"count per {per} [1]", y="operation", title=title or f"operations of one {per}")
    ax.grid(False, axis="y")
    if not names:
        ax.text(0.5, 0.5, "nothing counted", transform=ax.transAxes, ha="center", va="center", color=style.GREY)
    if len(result) > 1 and names:
        style.legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def _limits(ax: Axes, result: Mapping[str, Counters]) -> None:
    """Start below the smallest count and leave room for the numbers behind the bars."""
    values = [number for counters in result.values() for number in counters.values() if number > 0] or [1.0]
    low, high = min(values), max(values)
    ax.set_xlim(low / 3, high * (max(high / low, 10) ** 0.18))


def table(result: Mapping[str, Counters]) -> str:
    """Return counters of several chips as a table, a line for each; what is zero for all is left out."""
    names = ordered({name: None for counted in result.values() for name, number in counted.items() if number > 0})
    heads = ("name", *(NAMES.get(name, name) for name in names))
    rows = [(chip, *(numbers.count(counted.get(name)) for name in names)) for chip, counted in result.items()]
    return html.table(heads, rows)
