"""Measure what faults between the phases and noise do to learning, and what cures leave: docs/between_phases.md.

    python docs/between_phases.py rows rows.jsonl [WORDS]            # the tables; WORDS: only faults named so
    python docs/between_phases.py write rows.jsonl docs              # into the page
    python docs/between_phases.py measure between_phases.jsonl       # the picture
    python docs/between_phases.py draw between_phases.jsonl docs

A row is a fault and a cure of between_phases.toml: trainings of examples/configs/reviews.toml as ``neuroep train`` does
them, one for each seed, and some on other chips where chance decides. Where a row asks for it, with the cosine of each
gradient with that of a chip without the fault, at the weights after three ideal epochs, on twelve batches. A point of
the picture is one training, and the cosine of the query's gradient. Both go on where they were stopped.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from analysis.drawing import style

import numpy as np
import trainings
from trainings import CONFIG, add, asked, entries, pairs

from neuroep.errors import unknown
from neuroep.gradients.yardsticks import cosine
from neuroep.runs.session import Session

ROWS = Path(__file__).with_suffix(".toml")
EPOCHS, HALF, BATCHES, SEEDS = 6, 3, 12, (1, 0)
SAMPLES = 2000
"""Of an epoch."""
COUNTED = ("settle_steps", "holds", "state_conversions")
CHIPS = (None, 2, 3, 4, 5)
"""Seeds of chips, the first as the command has it without one: the training's."""
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


class Row(NamedTuple):
    """A fault and what is done about it."""

    fault: str
    own: str
    """Settings that it adds to those of the fault alone, in short words."""
    settings: str
    """All of them, in full."""
    twin: tuple[float | str, ...]
    """What a twin in plain numpy gave, by seed."""
    seeds: tuple[int, ...]
    chips: int
    cosine: bool


def rows(path: Path = ROWS) -> Iterator[Row]:
    """Yield the rows of the tables."""
    page = tomllib.loads(path.read_text(encoding="utf-8"))
    for fault in page["fault"]:
        for place, each in enumerate((fault, *fault.get("cure", ()))):
            text = fault["settings"] if not place else f"{fault['settings']} {each['settings']}"
            twin = tuple(each.get("twin", ()))
            seeds = tuple(range(max(2, len(twin))))
            how = each.get("chips", 1), each.get("cosine", False)
            yield Row(fault["name"], each["settings"], expanded(text, page["words"]), twin, seeds, *how)


def expanded(text: str, words: Mapping[str, str]) -> str:
    """Return settings with short words spelled out."""
    while (longer := " ".join(words.get(word, word) for word in text.split())) != text:
        text = longer
    return text


def opened(seed: int, *settings: str) -> Session:
    """Return the session of one seed with further settings."""
    return Session.open(CONFIG, overrides=["--training.seed", str(seed), *settings])


def trained(seed: int, settings: Sequence[str]) -> dict[str, float]:
    """Return accuracy [%] and, for each sample of an update, sweeps, holds and conversions of states of a training."""

    def look(record: Mapping[str, Any], _: Path) -> dict[str, float]:
        counted = {name: record["counters"].get(name, 0) / SAMPLES for name in COUNTED}
        return {"accuracy": 100 * record["evaluate"]["test"]["accuracy"], **counted}

    return trainings.trained(seed, EPOCHS, settings, look)


def train(session: Session, epochs: int) -> None:
    """Train so many epochs."""
    step = 0
    for epoch in range(epochs):
        rates = session.rates(epoch)
        for batch in session.shuffled(epoch):
            measured = session.estimator.measure(session.engine, batch.keyed("train", step), step)
            session.engine.update(measured.contrasts, rates)
            step += 1


def halfway(seed: int) -> dict[str, np.ndarray]:
    """Return the weights after three ideal epochs."""
    start = opened(seed)
    train(start, HALF)
    return start.engine.parameters()


def agreement(session: Session, ideal: Session, weights: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the mean cosine of each gradient of weights with that of the ideal chip at the same weights."""
    found: list[list[dict[str, np.ndarray]]] = []
    for each in (session, ideal):
        each.engine.load_parameters(weights)
        batches = itertools.islice(ideal.shuffled(HALF), BATCHES)
        keyed = [batch.keyed("train", step) for step, batch in enumerate(batches)]
        found.append([each.estimator.gradient(each.engine, batch, n) for n, batch in enumerate(keyed)])
    names = [name for name in found[0][0] if name.endswith(".weight")]
    both = list(zip(*found, strict=True))
    return {name: float(np.mean([cosine(one[name], other[name]) for one, other in both])) for name in names}


def measure_rows(path: Path, words: str = "", most: int | None = None) -> None:
    """Add trainings of the tables that are missing, of faults whose name has these words; ``most`` at a time."""
    chosen = [row for row in rows() if words in row.fault]
    if not chosen:
        raise SystemExit(unknown("fault", words, tuple(dict.fromkeys(row.fault for row in rows()))))
    for chip, row in itertools.product(CHIPS, chosen):
        for seed in row.seeds:
            if chip in CHIPS[: row.chips] and (row.settings, seed, chip) not in {key(line) for line in entries(path)}:
                if most == 0:
                    return
                most = None if most is None else most - 1
                settings = pairs(row.settings)
                drawn = [] if chip is None else ["--engine.chip_seed", str(chip)]
                line = {"settings": row.settings, "seed": seed, "chip": chip, **trained(seed, [*settings, *drawn])}
                if row.cosine and chip is None and seed == 1:
                    line["cosine"] = agreement(opened(seed, *settings), opened(seed), halfway(seed))
                add(path, line)


def key(line: Mapping) -> tuple[str, int, int | None]:
    """Return what a training was of."""
    return line["settings"], line["seed"], line["chip"]


def write(path: Path, out: Path) -> None:
    """Put the rows that were measured into the page, between its marks."""
    trainings.put(out / "between_phases.md", "rows", lines(list(rows()), entries(path)))


def lines(chosen: Sequence[Row], found: Sequence[Mapping]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| fault | settings | accuracy [%], seeds 0 / 1 | over chips | twin | sweeps |"
    yield "|---|---|---|---|---|---|"
    last = ""
    for row in chosen:
        own = [line for line in found if line["settings"] == row.settings]
        if not own:
            continue
        name, begins = ("", "and ") if row.fault == last else (row.fault, "")
        last = row.fault
        first = [number(line["accuracy"]) for seed in row.seeds for line in own if key(line)[1:] == (seed, None)]
        sweeps = [line["settle_steps"] for line in own if line.get("settle_steps")]
        words = " ".join(f"`{word}`" if word.startswith("--") else word for word in spaced(row.own))
        cells = [name, f"{begins}{words}".strip(), " / ".join(first), over(row, own)]
        cells += [" / ".join(map(number, row.twin)), f"{np.mean(sweeps):.0f}" if sweeps else ""]
        yield f"| {' | '.join(cells)} |"


def spaced(text: str) -> list[str]:
    """Return settings one by one, each with its value, and short words."""
    found: list[str] = []
    for word in text.split():
        if found and not word.startswith("--") and found[-1].startswith("--") and not {" ", "="} & set(found[-1]):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def number(value: float | str) -> str:
    """Return an accuracy as one writes it."""
    return value if isinstance(value, str) else f"{value:.1f}".replace("100.0", "100")


def over(row: Row, own: Sequence[Mapping]) -> str:
    """Return mean and standard deviation over chips, by seed."""
    parts = []
    for seed in row.seeds:
        values = [line["accuracy"] for line in own if line["seed"] == seed]
        if len(values) > 1:
            parts.append(f"{np.mean(values):.1f} +- {np.std(values, ddof=1):.1f}")
    return " / ".join(parts)


def cases() -> Iterator[tuple[str, str, float, int]]:
    """Yield fault, cure, amplitude and seed of the picture."""
    for seed, fault, cure, size in itertools.product(SEEDS, FAULTS, CURES, AMPLITUDES):
        if (cure == "held four times") == fault.startswith("kT/C") or cure in ("none", "+ - - +"):
            yield fault, cure, size, seed


def measure(path: Path) -> None:
    """Add points of the picture that are missing."""
    known = {tuple(line["case"]) for line in entries(path)}
    half: dict[int, dict[str, np.ndarray]] = {}
    for case in cases():
        if case in known:
            continue
        fault, cure, size, seed = case
        if seed not in half:
            half[seed] = halfway(seed)
        field, sign, beside = FAULTS[fault]
        settings = (f"--{field}", repr(sign * size), *beside, *CURES[cure])
        near = agreement(opened(seed, *settings), opened(seed), half[seed])["query.weight"]
        session = opened(seed, *settings)
        train(session, EPOCHS)
        add(path, {"case": case, "cosine": near, "accuracy": session.evaluate("test").accuracy})


def draw(path: Path, out: Path) -> None:
    """Draw accuracy and cosine against the amplitude, a line for each cure, a row for each fault.

    Two panels beside each other are as wide as a page, so that texts have their size there.
    """
    rows = entries(path)
    figure = style.figure(8.4, 2.6 * len(FAULTS))
    axes = figure.subplots(len(FAULTS), 2, sharex=True, sharey="col")
    for place, fault in enumerate(FAULTS):
        for number, cure in enumerate(CURES):
            for ax, what, scale in ((axes[place, 0], "accuracy", 100.0), (axes[place, 1], "cosine", 1.0)):
                points = {}
                for row in rows:
                    if row["case"][:2] == [fault, cure]:
                        points.setdefault(row["case"][2], []).append(scale * row[what])
                if points:
                    sizes = sorted(points)
                    mean = [np.mean(points[size]) for size in sizes]
                    look = {"color": style.colour(number), "marker": style.marker(number), "label": cure}
                    ax.plot(sizes, mean, markersize=4.5, linewidth=1.5, **look)
        axes[place, 0].set_xscale("log")
        below = "amplitude" if place == len(FAULTS) - 1 else ""
        style.dress(axes[place, 0], x=below, y="accuracy [%]", title=fault)
        style.dress(axes[place, 1], x=below, y="cosine of the\nquery's gradient")
    known = {label: line for ax in axes[:, 0] for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=3, frameon=False)
    style.save(axes[0, 0], out / "between_phases.png")


if __name__ == "__main__":
    given = asked(__doc__, rows="words", write="folder", measure="", draw="folder")
    if given.task == "rows":
        measure_rows(given.file, *given.words[:1])
    elif given.task == "write":
        write(given.file, given.folder)
    elif given.task == "measure":
        measure(given.file)
    else:
        draw(given.file, given.folder)
