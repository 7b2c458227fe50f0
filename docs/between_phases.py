"""Measure what faults between the phases do to learning and what their cures leave, and draw docs/between_phases.md.

    python docs/between_phases.py measure between_phases.jsonl
    python docs/between_phases.py draw between_phases.jsonl docs

Each line of the first is one training of examples/configs/reviews.toml over six epochs, and the cosine of the query's
gradient with that of a chip without the fault, both at the weights after three ideal epochs, on twelve batches. It goes
on where it was stopped.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from analysis.drawing import style

import numpy as np

from neuroep.gradients.yardsticks import cosine
from neuroep.runs.session import Session

CONFIG = "examples/configs/reviews.toml"
EPOCHS, HALF, BATCHES, SEEDS = 6, 3, 12, (1, 0)
WIDE = ("--chip.crossbar.weight_headroom", "10")
HELD = ("--chip.readout.signal", "difference")
FAULTS: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "offset of the holders [state]": ("chip.readout.hold_offset", 1.0, HELD),
    "droop of a held state [1/phase]": ("chip.readout.hold_droop", 1.0, HELD),
    "fall of all conductances [1/phase]": ("chip.device.phase_drift", -1.0, WIDE),
    "kT/C noise of a held state [state]": ("chip.readout.hold_noise", 1.0, HELD),
}
"""Field, sign of its amplitude, and settings beside it."""
CURES: dict[str, tuple[str, ...]] = {
    "none": (),
    "order drawn for each sample": ("--estimator.order", "sample"),
    "+ - - +": ("--estimator.order", "mirrored"),
    "less phases without a nudge": ("--estimator.null", "true"),
    "held four times": ("--chip.readout.holds", "4"),
}
AMPLITUDES = (1e-4, 3e-4, 1e-3, 3e-3)


def cases() -> Iterator[tuple[str, str, float, int]]:
    """Yield fault, cure, amplitude and seed."""
    for seed, fault, cure, size in itertools.product(SEEDS, FAULTS, CURES, AMPLITUDES):
        if (cure == "held four times") == fault.startswith("kT/C") or cure in ("none", "+ - - +"):
            yield fault, cure, size, seed


def opened(seed: int, *settings: str) -> Session:
    """Return the session of one seed with further settings."""
    return Session.open(CONFIG, overrides=["--training.seed", str(seed), *settings])


def train(session: Session, epochs: int) -> None:
    """Train so many epochs."""
    step = 0
    for epoch in range(epochs):
        rates = session.rates(epoch)
        for batch in session.shuffled(epoch):
            measured = session.estimator.measure(session.engine, batch.keyed("train", step), step)
            session.engine.update(measured.contrasts, rates)
            step += 1


def agreement(session: Session, ideal: Session, weights: dict[str, np.ndarray]) -> float:
    """Return the mean cosine of the query's gradient with that of the ideal chip at the same weights."""
    found = []
    for each in (session, ideal):
        each.engine.load_parameters(weights)
        batches = itertools.islice(ideal.shuffled(HALF), BATCHES)
        keyed = [batch.keyed("train", step) for step, batch in enumerate(batches)]
        found.append([each.estimator.gradient(each.engine, batch, n)["query.weight"] for n, batch in enumerate(keyed)])
    return float(np.mean([cosine(one, other) for one, other in zip(*found, strict=True)]))


def measure(path: Path) -> None:
    """Add what is missing."""
    known = {tuple(json.loads(line)["case"]) for line in path.read_text().splitlines()} if path.exists() else set()
    half: dict[int, dict[str, np.ndarray]] = {}
    for case in cases():
        if case in known:
            continue
        fault, cure, size, seed = case
        if seed not in half:
            start = opened(seed)
            train(start, HALF)
            half[seed] = start.engine.parameters()
        field, sign, beside = FAULTS[fault]
        settings = (f"--{field}", repr(sign * size), *beside, *CURES[cure])
        near = agreement(opened(seed, *settings), opened(seed), half[seed])
        session = opened(seed, *settings)
        train(session, EPOCHS)
        line = {"case": case, "cosine": near, "accuracy": session.evaluate("test").accuracy}
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def draw(path: Path, out: Path) -> None:
    """Draw accuracy and cosine against the amplitude, a line for each cure."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    figure = style.figure(13.0, 6.2)
    axes = figure.subplots(2, len(FAULTS), sharex=True, sharey="row")
    for column, fault in enumerate(FAULTS):
        for number, cure in enumerate(CURES):
            for ax, what, scale in ((axes[0, column], "accuracy", 100.0), (axes[1, column], "cosine", 1.0)):
                points = {}
                for row in rows:
                    if row["case"][:2] == [fault, cure]:
                        points.setdefault(row["case"][2], []).append(scale * row[what])
                if points:
                    sizes = sorted(points)
                    mean = [np.mean(points[size]) for size in sizes]
                    look = {"color": style.colour(number), "marker": style.marker(number), "label": cure}
                    ax.plot(sizes, mean, markersize=4.5, linewidth=1.5, **look)
        axes[0, column].set_xscale("log")
        style.dress(axes[0, column], x="", y="accuracy [%]" if not column else "", title=fault)
        style.dress(axes[1, column], x="amplitude", y="cosine of the query's gradient" if not column else "")
    known = {label: line for ax in axes[0] for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=len(known), frameon=False)
    style.save(axes[0, 0], out / "between_phases.png")


if __name__ == "__main__":
    if sys.argv[1] == "measure":
        measure(Path(sys.argv[2]))
    else:
        draw(Path(sys.argv[2]), Path(sys.argv[3]))
