# Tested by tests/analysis/test_bills.py
"""What a run takes on its chip: joules and seconds of a classification and of an update, and accuracy as it settles."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from analysis.drawing import bills, style
from analysis.drawing.bills import Bills
from analysis.drawing.panels import Panel, Picture

from matplotlib.axes import Axes

from analysis.run.subject import Subject
from hw_models.cost.bill import Bill
from neuroep.errors import UserError
from neuroep.runs import costs
from neuroep.runs.bills import known
from neuroep.runs.session import Session

SWEEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""After which the outputs are read."""
READ = 200
"""Most samples that are classified for it."""


@dataclass(frozen=True)
class SettleTimes:
    """What is classified right after so many sweeps."""

    seconds: Sequence[float]
    """Latency of a classification [s]."""
    energy: Sequence[float]
    """[J]"""
    accuracy: Sequence[float]
    steps: Sequence[float]
    samples: int


def measure(subject: Subject) -> list[Bills]:
    """Return the bills of a classification of each split, and of an update on a copy of the network."""
    if not known(subject.run.config.chip):
        return []
    last = subject.metrics[-1]["evaluate"] if subject.metrics else {}
    found: dict[str, Bill] = {}
    session = subject.opened.again()
    split = subject.opened.split
    judged = session.evaluate(split, only=session.draw(split, costs.SAMPLES, "cost"))
    pages = {f"classification, {name}": page["cost"] for name, page in last.items() if page.get("cost")}
    if not pages and judged.cost is not None:
        found["classification"] = judged.cost
    with suppress(UserError):  # a chip that cannot learn with these settings has no update
        found["update"] = costs.learned(session)
    pages |= {name: bill.as_dict() for name, bill in found.items()}
    return [pages] if pages else []


def settle(session: Session, split: str, sweeps: Sequence[int] = SWEEPS, samples: int = READ) -> SettleTimes:
    """Return accuracy, latency and energy of classifications that are read after so many sweeps.

    Parameters
    ----------
    session : Session
        On a chip with constants of cost.
    split : str
        Whose samples are classified.
    sweeps : sequence of int
        After which the outputs are read.
    samples : int
        At most so many, drawn by the seed.
    """
    chosen, found = session.draw(split, samples, "settle time"), []
    for steps in sweeps:
        free = session.estimator.free.whole(steps)
        judged = replace(session, estimator=replace(session.estimator, free=free)).evaluate(split, only=chosen)
        if judged.cost is not None:
            found.append((judged.cost.seconds or 0.0, judged.cost.energy, judged.accuracy, steps))
    columns = [[one[n] for one in found] for n in range(4)]
    return SettleTimes(columns[0], columns[1], columns[2], columns[3], len(chosen))


def _settles(subject: Subject) -> list[SettleTimes]:
    if not known(subject.run.config.chip):
        return []
    found = settle(subject.opened.again(), subject.opened.split)
    return [found] if any(found.seconds) else []


def plot_settle_time(result: SettleTimes, ax: Axes | None = None) -> Axes:
    """Draw accuracy against the time for which a network settles before its outputs are read."""
    ax = style.axes(ax)
    ax.plot([1e6 * seconds for seconds in result.seconds], [100 * share for share in result.accuracy], "o-",
            color=style.colour(0))  # fmt: skip
    for seconds, share, steps in zip(result.seconds, result.accuracy, result.steps, strict=True):
        ax.annotate(f"{steps:g}", (1e6 * seconds, 100 * share), (0, 5), textcoords="offset points", ha="center",
                    fontsize=style.TEXT - 2)  # fmt: skip
    ax.set_xscale("log")
    ax.margins(y=0.12)
    return style.dress(ax, x="latency [us]", y="accuracy [%]", title="Accuracy by settle time (sweeps at the marks)")


def _bars(result: Bills, ax: Axes | None) -> Axes:
    return bills.plot_bills(result, ax)


def _below(results: Sequence[Bills]) -> str:
    return "\n".join(f"{bills.table(result)}\n{bills.sources(result)}" for result in results)


def _about(result: SettleTimes) -> str:
    return f"{result.samples} samples, read after the number of sweeps at each mark. The latency is that of the chip."


BILLS = Panel(
    "Cost",
    21,
    measure,
    [Picture(_bars, "Energy of a classification, and of the update of a batch.", "energy by part of the chip", None)],
    title="On the chip",
    below=_below,
    beside=False,
    opens=True,
    learns=True,
)
SETTLE_TIME = Panel(
    "Cost",
    22,
    _settles,
    [Picture(plot_settle_time, _about, "accuracy against settle time")],
    title="Settle time",
    opens=True,
)
