"""Tables and pictures of docs/paper_networks.md from its rows: see docs/paper_networks.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.drawing import style

from paper_trainings import CONFIGS, METHODS
from trainings import entries, put


def write(path: Path, out: Path) -> None:
    """Put the tables into the page, and draw peaks of memory and what EP reaches beside its rivals."""
    found, page = entries(path), out / "paper_networks.md"
    in_range = [row for row in found if not drawn(row)]
    there = [{name: value for name, value in row.items() if name != "device"} for row in in_range if "device" in row]
    put(page, "accuracy", accuracies(there))
    put(page, "accuracy on a CPU", accuracies([row for row in in_range if "device" not in row]))
    put(page, "accuracy as drawn", accuracies([row for row in found if drawn(row)]))
    for name, table in (("imdb", by_updates), ("frozen", frozen), ("memory", memories), ("credit", credits)):
        put(page, name, table(found))
    picture(found, out / "paper_networks.png")
    courses(found, out / "paper_accuracy.png")


def drawn(row: Mapping[str, Any]) -> bool:
    """Return whether the outputs' biases started as they are drawn."""
    return row.get("output_bias", 1.0) is None


def of_kind(found: Sequence[Mapping[str, Any]], kind: str, **wanted: Any) -> list[Mapping[str, Any]]:
    """Return rows of a kind with these entries, a training's last row of so many updates alone."""
    rows = [row for row in found if row["kind"] == kind and wanted.items() <= row.items()]
    names = ("data", "seed", "updates", "steps", "layer", "device")
    return list({(called(row), *(row.get(name) for name in names)): row for row in rows}.values())


def called(row: Mapping[str, Any]) -> str:
    """Return the name of a training, or of what was measured."""
    name = row.get("way") or row["method"] + (f", beta {row['beta']:g}" if "beta" in row else "")
    without = f", without {', '.join(row['frozen'])}" if row.get("frozen") else ""
    without += ", outputs as drawn" if drawn(row) else ""
    place = f", {row['device']}" if "device" in row else ""
    return name + (", mask on" if row.get("mask") else "") + without + place


def accuracies(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of whole epochs on SNLI: accuracy of every seed, and the seconds of an epoch."""
    rows = [row for row in of_kind(found, "training", data="snli", frozen=[]) if row["epoch"] == int(row["epoch"])]
    epochs = sorted({int(row["epoch"]) for row in rows})
    yield f"| | seed | {' | '.join(f'epoch {epoch}' for epoch in epochs)} | time of an epoch [s] |"
    yield f"|---|---|{'---|' * len(epochs)}---|"
    for name, seed in dict.fromkeys((called(row), row["seed"]) for row in rows):
        own = {int(row["epoch"]): row for row in rows if (called(row), row["seed"]) == (name, seed)}
        cells = [f"{own[epoch]['accuracy']:.1f}" if epoch in own else "" for epoch in epochs]
        last = [row for row in own.values() if "seconds" in row]
        spent = f"{max(row['seconds'] / row['epoch'] for row in last):.0f}" if last else ""
        yield f"| {name} | {seed} | {' | '.join(cells)} | {spent} |"


def by_updates(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of the rows on IMDB."""
    yield "| | seed | updates | training accuracy since the row before | accuracy | test reviews | time [s] |"
    yield "|---|---|---|---|---|---|---|"
    for row in of_kind(found, "training", data="imdb", frozen=[]):
        trained = f"{100 * row['train']['accuracy']:.1f}" if row["train"] else ""
        numbers = [row["seed"], row["updates"], trained, f"{row['accuracy']:.1f}", row["samples"]]
        yield f"| {called(row)} | {' | '.join(map(str, numbers))} | {row.get('seconds', 0):.0f} |"


def frozen(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what a training reaches with layers that keep their initial weights, after as many updates each."""
    rows = of_kind(found, "training", data="snli", method="ep", beta=0.1, mask=False, seed=0)
    most: dict[str | None, int] = {}
    for row in rows:
        if row["frozen"]:
            most[row.get("device")] = max(row["updates"], most.get(row.get("device"), 0))
    counts = set(most.items())
    yield "| kept as drawn | updates | accuracy [%] | training accuracy [%] |"
    yield "|---|---|---|---|"
    own = [row for row in rows if (row.get("device"), row["updates"]) in counts]
    for row in sorted(own, key=lambda row: (row["updates"], row["frozen"])):
        kept = ", ".join(f"`{name}`" for name in row["frozen"]) or "nothing"
        yield f"| {kept} | {row['updates']} | {row['accuracy']:.1f} | {100 * row['train']['accuracy']:.1f} |"


def memories(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield peaks of memory by steps."""
    yield "| | steps | peak of the process [MiB] | above what was resident before [MiB] | CPU [s] |"
    yield "|---|---|---|---|---|"
    for row in sorted(of_kind(found, "memory"), key=lambda row: (row["data"], called(row), row["steps"])):
        over = row["peak_mib"] - row["before_mib"]
        numbers = f"{row['steps']} | {row['peak_mib']:.0f} | {over:.0f} | {row['seconds']:.1f}"
        yield f"| {row['data']}, {called(row)} | {numbers} |"


def credits(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield errors and cosines of gradients by layer."""
    rows = of_kind(found, "credit")
    layers = list(dict.fromkeys((row["data"], row["updates"], row["layer"]) for row in rows))
    ways = list(dict.fromkeys(row["way"] for row in rows))
    yield f"| after updates | layer | {' | '.join(ways)} |"
    yield f"|---|---|{'---|' * len(ways)}"
    for data, updates, layer in layers:
        own = {row["way"]: row for row in rows if (row["data"], row["updates"], row["layer"]) == (data, updates, layer)}
        cells = [f"{own[way]['cosine']:.4f} ({100 * own[way]['error']:.2g} %)" if way in own else "" for way in ways]
        yield f"| {data}, {updates} | `{layer}` | {' | '.join(cells)} |"


WAYS = (("BPTT", "bptt", None), ("EP, beta 0.1", "ep", 0.1), ("EP, beta 0.5", "ep", 0.5))
"""Trainings that are drawn beside each other: name, method and beta."""


def by_seed(found: Sequence[Mapping[str, Any]], method: str, beta: float | None) -> dict[int, dict[int, float]]:
    """Return accuracies on SNLI by seed and epoch of trainings on a GPU, unmasked, outputs in their linear range."""
    rows = of_kind(found, "training", data="snli", method=method, mask=False, output_bias=1.0, frozen=[])
    own = [row for row in rows if row.get("beta") == beta and "device" in row and row["epoch"] == int(row["epoch"])]
    told: dict[int, dict[int, float]] = {}
    for row in own:
        told.setdefault(row["seed"], {})[int(row["epoch"])] = row["accuracy"]
    return told


def courses(found: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw accuracy against epochs, mean and range of the seeds, and EP's distance from BPTT seed by seed."""
    figure = style.figure(8.0, 3.6)
    left, right = figure.subplots(1, 2)
    rival = by_seed(found, "bptt", None)
    for number, (name, method, beta) in enumerate(WAYS):
        told = by_seed(found, method, beta)
        epochs = sorted(set.intersection(*map(set, told.values()))) if told else []
        values = [[told[seed][epoch] for seed in told] for epoch in epochs]
        look = {"color": style.colour(number), "marker": style.marker(number)}
        left.plot(epochs, [sum(row) / len(row) for row in values], label=name, linewidth=1.5, markersize=4, **look)
        left.fill_between(epochs, list(map(min, values)), list(map(max, values)), color=look["color"], alpha=0.12)
        both = [(seed, epoch) for seed in told for epoch in told[seed] if epoch in rival.get(seed, {})]
        apart = [(epoch, told[seed][epoch] - rival[seed][epoch]) for seed, epoch in both]
        if method == "ep" and apart:
            right.plot(*zip(*apart, strict=True), linestyle="none", markersize=5, label=name, **look)
    right.axhline(0, color="0.5", linewidth=0.8)
    for ax in (left, right):
        style.whole_steps(ax)
        style.legend(ax)
    style.dress(left, x="epoch (SNLI)", y="test accuracy [%]")
    style.dress(right, x="epoch (SNLI)", y="EP above BPTT, seed by seed [points]")
    style.save(figure, file)


def picture(found: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw peaks of memory against steps, a line for each method."""
    figure = style.figure(8.0, 3.6)
    for ax, data in zip(figure.subplots(1, 2), CONFIGS, strict=True):
        rows = sorted(of_kind(found, "memory", data=data), key=lambda row: row["steps"])
        for number, name in enumerate(METHODS):
            own = [(row["steps"], row["peak_mib"] / 1024) for row in rows if row["method"] == name]
            if own:
                look = {"color": style.colour(number), "marker": style.marker(number), "label": name.upper()}
                ax.plot(*zip(*own, strict=True), linewidth=1.5, markersize=4, **look)
                ax.legend(fontsize=8)
        ax.set_ylim(bottom=0)
        style.dress(ax, x=f"nudged sweeps, or unrolled ones ({data.upper()})", y="peak of the process [GiB]")
    style.save(figure, file)
