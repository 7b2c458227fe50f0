"""What an update and an inference of a run's last epoch took: conversions, reads, writes, pulses, events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.drawing import counters, html, numbers
from analysis.drawing.panels import Panel, Picture

from matplotlib.axes import Axes

from analysis.run.subject import Metrics, Subject

MOST = 2
"""Most pictures."""


@dataclass(frozen=True)
class Counting:
    """What one update, or one inference, took."""

    per: str
    """"update" or "inference"."""
    counted: Mapping[str, float]
    about: str
    """How it was counted."""
    at_stop: Mapping[str, float]
    """Share of conversions beyond the last level, by converter, of the updates of the epoch."""


def costs(metrics: Metrics) -> list[Counting]:
    """Return what was counted in the last epoch, where anything was: of an update, then of a sample of each split."""
    if not metrics:
        return []
    last = metrics[-1]
    about = "Operations per weight update in the last epoch, over all its samples and phases."
    stops = counters.at_stop(last.get("counters", {}))
    found = [Counting("update", counters.per_update(metrics), about, stops)]
    found += [
        Counting("inference", counters.per_inference(split), f"Operations per sample of split '{name}'.", {})
        for name, split in last["evaluate"].items()
    ]
    return [cost for cost in found if any(number > 0 for number in cost.counted.values())]


def _costs(subject: Subject) -> list[Counting]:
    return costs(subject.metrics)


def _bars(result: Counting, ax: Axes | None) -> Axes:
    return counters.plot_counters({"run": result.counted}, ax, per=result.per)


def at_stop(results: Sequence[Counting]) -> str:
    """Say which share of the conversions of the last epoch's updates lay beyond the last level."""
    found = {kind: share for cost in results for kind, share in cost.at_stop.items() if share > 0}
    if not found:
        return ""
    shares = ", ".join(f"{kind} {numbers.share(share, 2)}" for kind, share in found.items())
    return html.paragraph(f"Conversions at full scale in the updates of the last epoch: {shares}.")


COSTS = Panel(
    "Cost",
    20,
    _costs,
    [Picture(_bars, lambda cost: cost.about, lambda cost: f"counters per {cost.per}", (4.95, 3.4))],
    below=at_stop,
    most=MOST,
)
