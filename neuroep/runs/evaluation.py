"""Evaluate an engine on a split: free phases only, the largest output is the prediction.

Whole runs, and their deployment on chips of several seeds: :mod:`neuroep.runs.deployment`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hw_models.cost.bill import Bill
from hw_models.reading import Page
from hw_models.text import lined
from neuroep.data.batch import Batch
from neuroep.errors import DataError
from neuroep.runs import advice
from neuroep.runs.bills import told
from neuroep.runs.progress import bar
from neuroep.runs.tables import Tabular

if TYPE_CHECKING:
    from neuroep.data.corpus import Corpus
    from neuroep.engines.engine import Engine
    from neuroep.engines.settling import Schedule


METERED = 8
"""Batches of which one is metered, so that a bill takes no more than a hundredth of the time."""


@dataclass(frozen=True, repr=False)
class Evaluation(Tabular):
    """What an engine makes of a split."""

    split: str
    classes: tuple[str, ...]
    confusion: np.ndarray
    """(classes, classes) int64, samples by true class (row) and predicted class (column)."""
    loss: float
    """Mean of 1/2 ||s_out - onehot(y)||^2."""
    dead_outputs: float
    """Share of outputs at the lowest state of their potential: their gradient is zero."""
    steps: float
    """Mean settle steps, weighted by samples."""
    residual: float
    """Largest residual of a batch, max|delta s|."""
    converged: float
    """Share of samples in batches that met the tolerance."""
    at_levels: float = 0.0
    """Share of samples in batches that did not, and ended in a cycle over the levels of the chip's converters."""
    most_steps: int = 0
    """Settle steps of the batch that took most."""
    counters: dict[str, int] = field(default_factory=dict)
    """What the engine counted: settle steps, operations, on a chip conversions, reads, events."""
    remarks: tuple[str, ...] = ()
    """What the phases point to, see :mod:`neuroep.runs.advice`."""
    metered: int = 0
    """Samples of whose reads it was summed up what they draw through a chip's devices."""
    cost: Bill | None = None
    """Of a classification; None where nothing is known of what the chip's operations cost."""
    aged: str = field(default="", compare=False)
    """At what age the chip's devices were read, :func:`hw_models.chip.ageing.told`; empty where nothing goes by it."""
    predicted: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64), compare=False, repr=False)
    """(samples,) predicted class of each sample, in the order of the split."""
    right: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool), compare=False, repr=False)
    """(samples,) whether that is its class."""

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of samples predicted right."""
        return float(np.trace(self.confusion) / self.samples)

    @property
    def per_class(self) -> dict[str, float]:
        """Share of each class's samples predicted right (recall); nan for a class without samples."""
        totals = self.confusion.sum(axis=1)
        right = np.diagonal(self.confusion)
        shares = np.divide(right, totals, out=np.full(len(totals), np.nan), where=totals > 0)
        return dict(zip(self.classes, shares.tolist(), strict=True))

    def as_dict(self) -> Page:
        """Return plain values."""
        return {
            "split": self.split,
            "samples": self.samples,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "per_class": self.per_class,
            "confusion": self.confusion.tolist(),
            "dead_outputs": self.dead_outputs,
            "steps": self.steps,
            "most_steps": self.most_steps,
            "residual": self.residual,
            "converged": self.converged,
            "counters": self.counters,
            "remarks": list(self.remarks),
            **({} if self.cost is None else {"cost": self.cost.as_dict()}),
        }

    def table(self) -> list[Page]:
        """Return a row for each class: its samples, the share predicted right, and how many were predicted as what."""
        shares, rows = self.per_class, []
        for name, counts in zip(self.classes, self.confusion, strict=True):
            predicted = {f"as {other}": int(count) for other, count in zip(self.classes, counts, strict=True)}
            rows.append({"class": name, "samples": int(counts.sum()), "right": shares[name], **predicted})
        return rows

    def caption(self) -> str:
        """Return accuracy and loss, and how the samples settled."""
        return self.as_text()

    def as_text(self) -> str:
        """Return a few lines for reading."""
        classes = ", ".join(f"{name} {share:.4f}" for name, share in self.per_class.items())
        steps = f"{self.steps:.1f}" + (f" (most {self.most_steps})" if self.most_steps > self.steps else "")
        state = f"dead outputs {self.dead_outputs:.4f}, steps {steps}, residual {self.residual:.2g}"
        head = f"{self.split}: accuracy {self.accuracy:.4f} on {self.samples} samples, loss {self.loss:.4f}"
        bill = [] if self.cost is None else [line.strip() for line in told(self.cost)]
        aged = [self.aged] if self.aged else []
        return lined([head, *(f"  {line}" for line in (f"by class: {classes}", state, *aged, *bill, *self.remarks))])


def evaluate(
    engine: Engine,
    corpus: Corpus,
    split: str,
    schedule: Schedule,
    *,
    batch: int = 100,
    order: str | None = None,
    progress: bool = False,
    occasion: tuple[str | int, ...] = (),
    meter: str = "",
) -> Evaluation:
    """Predict every sample of a split; a chip's devices are read ``device.age`` after their last write.

    Parameters
    ----------
    engine : Engine
        With the weights to be judged.
    corpus : Corpus
        The samples.
    split : str
        Name of the split.
    schedule : Schedule
        Of the free phase.
    batch : int
        Samples settled at once.
    order : {None, "length"}
        ``length`` settles samples of similar length together, which needs less padding. With a tolerance a batch
        stops as a whole, so states, and predictions near a tie, are the same only within it; without, they are the
        same.
    progress : bool
        Show a bar on a terminal.
    occasion : tuple
        What keys a chip's draws beside split and batch, for example the epoch.
    meter : str
        What to sum up of a chip's reads, one of :data:`hw_models.tally.METERS`: in every eighth batch, from the first.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        If the split does not exist or is empty.
    DivergenceError
        If a state is not finite.
    """
    from neuroep import data

    samples = corpus.split(split)
    if not len(samples):
        raise DataError(f"data '{corpus.name}': split '{split}' is empty")
    minibatches = corpus.batches(samples, batch, order=order, looked_up=not engine.looks_up)
    total = data.batch_count(samples, batch)
    counted = engine.counters()
    shown = bar(minibatches, total, split, progress)
    with engine.aged(), engine.during("evaluate"):
        found = _judge(engine, corpus.classes, split, occasion, schedule, shown, meter)
    health = {"residual": found.residual, "unsettled": 1.0 - found.converged, "at_levels": found.at_levels}
    remarks = advice.unsettled("samples", "free", health, schedule, engine.redraws)
    predicted = np.empty_like(found.predicted)
    predicted[np.concatenate(data.batching.places(samples, batch, order))] = found.predicted
    told = {"predicted": predicted, "right": predicted == samples.labels}
    return replace(found, counters=difference(engine.counters(), counted), remarks=tuple(remarks), **told)


def difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """Return what counters have grown by."""
    return {name: number - before.get(name, 0) for name, number in after.items()}


def _judge(
    engine: Engine,
    classes: tuple[str, ...],
    split: str,
    occasion: tuple[str | int, ...],
    schedule: Schedule,
    minibatches: Iterator[Batch],
    meter: str,
) -> Evaluation:
    """Predict all batches; split, occasion and number key the draws of each."""
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    loss = dead = steps = converged = residual = levels = 0.0
    lowest = engine.network.output.potential.low
    predicted, metered, most = [], 0, 0
    for number, minibatch in enumerate(minibatches):
        now = meter if number % METERED == 0 else ""
        metered += minibatch.size if now else 0
        with engine.metering(now):
            settled = engine.settle(minibatch.keyed("evaluate", split, *occasion, number), schedule)
        outputs = engine.outputs(settled)
        predicted.append(outputs.argmax(axis=1))
        np.add.at(confusion, (minibatch.labels, predicted[-1]), 1)
        target = np.eye(len(classes), dtype=outputs.dtype)[minibatch.labels]
        loss += 0.5 * float(np.square(outputs - target, dtype=np.float64).sum())
        dead += float((outputs <= lowest).mean()) * minibatch.size
        steps += settled.steps * minibatch.size
        most = max(most, settled.steps)
        converged += settled.converged * minibatch.size
        levels += settled.at_levels * minibatch.size
        residual = max(residual, settled.residual)
    n = int(confusion.sum())
    means = loss / n, dead / n, steps / n, residual, converged / n, levels / n, most
    return Evaluation(split, classes, confusion, *means, metered=metered, predicted=np.concatenate(predicted))
