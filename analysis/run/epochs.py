# Tested by tests/analysis/test_pictures.py
"""Training epoch by epoch: accuracy and loss, of one run or of several side by side, and the table of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.drawing import html, numbers, style
from analysis.drawing.panels import Panel, Picture

from matplotlib.axes import Axes

from analysis.run.subject import Metrics, Subject
from hw_models.reading import Entries
from neuroep.runs import training

MOST_EPOCHS = 120
"""Most lines of the table of epochs; of more some at equal distances."""


def plot_training(
    result: Mapping[str, Metrics],
    ax: Axes | None = None,
    *,
    quantity: str = "accuracy",
    level: tuple[str, float] | None = None,
    train: bool = True,
) -> Axes:
    """Draw a quantity of every run against the epoch: of the training samples dashed, of evaluated splits solid.

    Parameters
    ----------
    result : mapping of str to sequence of mapping
        Records of the epochs by name of the run; without a name the lines are called by their split alone.
    ax : Axes, optional
        Where, default a figure of its own.
    quantity : {"accuracy", "loss"}
        What to draw; accuracies as percentages.
    level : (str, float), optional
        Name and value of a yardstick, drawn as a horizontal line.
    train : bool
        Draw the training samples as well, each measured before the update that it made.
    """
    ax = style.axes(ax)
    factor = 100.0 if quantity == "accuracy" else 1.0
    for number, (name, metrics) in enumerate(result.items()):
        epochs = [record["epoch"] for record in metrics]
        called = f"{name}, " if name else ""
        colour, marker = style.colour(number), style.marker(number)
        # Runs that agree lie on top of each other: each next one is drawn thinner, its marks open and larger.
        size = {"linewidth": 3.0 / (number + 1), "markersize": 4 + 3 * number}
        look: style.Look = {"color": colour, "marker": marker, **size}
        if train:
            values = [factor * record["train"][quantity] for record in metrics]
            seen = marker if len(epochs) == 1 else None  # one epoch has no line
            look_of_training: style.Look = {"color": colour, "linestyle": "--", "linewidth": 1.0, "marker": seen}
            ax.plot(epochs, values, fillstyle="none", label=f"{called}while training", **look_of_training)
        for split in metrics[0]["evaluate"] if metrics else ():
            values = [factor * record["evaluate"][split][quantity] for record in metrics]
            ax.plot(epochs, values, fillstyle="none" if number else "full", label=f"{called}{split}", **look)
    if level is not None:
        name, value = level
        ax.axhline(factor * value, color=style.GREY, linestyle=":", linewidth=1.5, label=name)
    style.whole_steps(ax)
    unit = "accuracy [%]" if quantity == "accuracy" else "loss \u00bd |s \u2212 y|\u00b2 [1]"
    style.dress(ax, x="epoch", y=unit, title=f"{quantity} by epoch")
    style.legend(ax)
    return ax


def _table(results: Sequence[Metrics]) -> str:
    """Return the table of epochs, the best one shaded, and what to look at."""
    if not results:
        return ""
    metrics = results[0]
    splits = list(metrics[-1]["evaluate"])
    heads = ("epoch", "train loss", "train accuracy", *(f"{name} accuracy" for name in splits), "free steps",
             "nudged steps", "dead outputs", "time")  # fmt: skip
    chosen = numbers.thinned(metrics, MOST_EPOCHS)
    rows = [_epoch(record, splits) for record in chosen]
    best = max(range(len(rows)), key=lambda n: _accuracy(chosen[n], splits))
    shown = html.table(heads, rows, words=(), best=best)
    left_out = [] if len(chosen) == len(metrics) else [f"{len(chosen)} of {len(metrics)} epochs are listed. "]
    note = (
        f"{''.join(left_out)}The best epoch is shaded. Dead outputs are at their lowest state and pass no gradient on."
    )
    noted = [(record["epoch"], training.notes(record)) for record in chosen]
    told = [(f"epoch {epoch}", f"{'; '.join(found)}.") for epoch, found in noted if found]
    listed = html.terms(told)
    more = html.details(f"Remarks on {numbers.plural(len(told), 'epoch')}", listed) if told else ""
    return "\n".join([shown, html.paragraph(note, "note"), more])


def _accuracy(record: Entries, splits: Sequence[str]) -> float:
    found = record["evaluate"].get(splits[0], {}) if splits else record["train"]
    value = found.get("accuracy")
    return float(value) if numbers.known(value) else -1.0


def _epoch(record: Entries, splits: Sequence[str]) -> tuple[str, ...]:
    health = record.get("health", {})
    return (
        str(record["epoch"]),
        numbers.number(record["train"]["loss"]),
        numbers.share(record["train"]["accuracy"]),
        *(numbers.share(record["evaluate"].get(name, {}).get("accuracy")) for name in splits),
        numbers.number(health.get("free_steps"), ".1f"),
        numbers.number(health.get("nudged_steps"), ".1f"),
        numbers.share(health.get("dead_outputs")),
        numbers.seconds(training.spent(record)),
    )


def _finished(subject: Subject) -> list[Metrics]:
    return [subject.metrics] if subject.metrics else []


def _accuracies(result: Metrics, ax: Axes | None) -> Axes:
    return plot_training({"": result}, ax)


def _losses(result: Metrics, ax: Axes | None) -> Axes:
    return plot_training({"": result}, ax, quantity="loss")


EPOCHS = Panel(
    "Epoch by epoch",
    10,
    _finished,
    (
        Picture(
            _accuracies,
            "Share of correct predictions by epoch. Training samples (dashed) are measured before their update.",
            "accuracy by epoch",
        ),
        Picture(_losses, "Squared error of the outputs by epoch.", "loss by epoch"),
    ),
    below=_table,
)
