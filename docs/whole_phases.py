"""How many pulses whole phases take: the bound against devices of the presets, and three signals on the reviews.

    python docs/whole_phases.py rows docs/whole_phases.jsonl     measure what is not there yet, row by row
    python docs/whole_phases.py page docs/whole_phases.jsonl     draw docs/whole_phases.png, write docs/whole_phases.md

Trains of whole phases give N pulses for a net change of N/kappa. Their signal-to-noise is to be, with sigma the
cycle-to-cycle noise at the symmetry point,

    of one update       sqrt(N/(kappa^2 (1 + sigma^2)))
    of what is held     sqrt(2/(leak dw)/(kappa^2 (1 + sigma^2)))         whatever N: neuroep/runs/forgetting.py

A measured one is mean over standard deviation of devices that differ in nothing but their noise.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from analysis.drawing import style

import numpy as np
from trainings import asked, brief

from hw_models import presets
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Pulse, Update
from neuroep.engines.chip.rules.scaling import symmetry
from neuroep.runs import config as configuration, training

HERE = Path(__file__).parent
REVIEWS = HERE.parent / "examples/configs/reviews.toml"
PRESETS = ("ecram_mo", "ecram", "capacitor", "reram")
NOISES = (None, 0.0, 3.0)
"""Cycle-to-cycle noise: the preset's own, none, and much."""
KAPPAS = (3.0, 10.0, 30.0, 100.0)
SHAPE, SAMPLES, FIRES, LENGTH, REPEATS = (20, 20), 8, 0.2, 31, 40
"""Of the array and its trains, and updates either way by which one is measured."""
FEW, MANY, WITHIN = 3.0, 400.0, 0.3
"""Updates that a device remembers at least and at most, and the share of its range within which it is to stay."""
SIGNALS = {
    "whole phases": ("phases",),
    "contrast": ("contrast",),
    "net counts, 1,023 slots": ("net_counts", "--chip.update.counter.slots", "1023"),
    "net counts, 4,095 slots": ("net_counts", "--chip.update.counter.slots", "4095"),
    "net counts, independent draws": (
        "net_counts", "--chip.update.counter.slots", "1023", "--chip.update.counter.draws", "independent",
    ),
}  # fmt: skip
SEEDS = (0, 1)
TRAINING = ("--training.epochs", "6", "--estimator.beta", "0.5", "--chip", "ecram_mo", "--chip.update.scheme", "pulsed",
            "--chip.update.scaling", "auto")  # fmt: skip


def alike(name: str, noise: float | None) -> Pulse:
    """Return the response of a preset's mean device, with its noise or another."""
    given = presets.load(name).device.pulse
    strays = {name: 0.0 for name in ("noise", "noise_base", "noise_state")}
    strays |= {name: dict(given)[name] for name in strays} if noise is None else {"noise": noise}
    return given.mean().model_copy(update=strays)


def phases(kappa: float) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Return both phases of a batch, all lines alike: signals are probabilities to fire."""
    pre = np.full((SAMPLES, SHAPE[1]), FIRES)
    return [(sign, np.full((SAMPLES, SHAPE[0]), FIRES * (1 + sign / kappa)), pre) for sign in (1.0, -1.0)]


def bound(name: str, noise: float | None, kappa: float) -> dict[str, object]:
    """Measure the signal-to-noise of one update and of what is held."""
    pulse = alike(name, noise)
    own = symmetry(pulse)
    update, rate = Update(scheme="pulsed", management=False, train_length=LENGTH), pulse.dw_min * LENGTH
    devices = PulsedDevices(pulse, SHAPE, 0, f"{name} {noise} {kappa}", dtype="float64")
    terms, found, given = phases(kappa), [], 0
    for step in range(REPEATS):
        for sign in (1, -1):  # half the difference has no part in it that goes one way whatever is sent
            weights = np.full(SHAPE, own.point)
            given += devices.update(weights, terms, sign * rate, update, 2 * step + (sign < 0))
            found.append(sign * (weights - own.point))
    pulses = given / (2 * REPEATS * SHAPE[0] * SHAPE[1])
    needs = kappa**2 * (1 + own.noise**2)
    row: dict[str, object] = {"kind": "bound", "preset": name, "noise": noise, "sigma": own.noise, "kappa": kappa}
    row |= {"leak": own.leak, "step": own.step, "pulses": pulses}
    memory = 1 / (pulses * own.leak * own.step) if own.leak * own.step > 0 else math.inf
    if memory > FEW:
        row |= {"update": ratio(found), "update predicted": math.sqrt(pulses / needs)}
    if FEW < memory < MANY and kappa * own.leak > 1 / WITHIN:
        held = [state for sign in (1, -1) for state in settled(devices, own.point, terms, sign * rate, update, memory)]
        row |= {"held": ratio(held), "held predicted": math.sqrt(2 / (own.leak * own.step * needs))}
    return row


def ratio(moved: list[np.ndarray]) -> float:
    """Return the signal-to-noise of changes of devices, counted as positive where they are meant to be."""
    found = np.array(moved)
    half = len(found) // 2
    return float(found.mean() / np.sqrt((found[:half].var() + found[half:].var()) / 2))


def settled(
    devices: PulsedDevices,
    point: float,
    terms: list[tuple[float, np.ndarray, np.ndarray]],
    rate: float,
    update: Update,
    memory: float,
) -> Iterator[np.ndarray]:
    """Yield how far from a point devices are that got the same signals for four times as long as they remember."""
    weights = np.full(SHAPE, point)
    for step in range(int(10 * memory)):
        devices.update(weights, terms, rate, update, step)
        if step >= 4 * memory:
            yield np.sign(rate) * (weights - point)


def reviews(signals: str, seed: int) -> dict[str, object]:
    """Train the reviews; return accuracy and what the arrays tell of their pulses."""
    given = (*TRAINING, "--training.seed", str(seed), "--chip.update.signals", *SIGNALS[signals])
    with tempfile.TemporaryDirectory() as place:
        source = configuration.load(REVIEWS, given)
        record = training.train(source, Path(place) / "run", progress=False, diagnose=False)
    return {
        "kind": "reviews",
        "signals": signals,
        "seed": seed,
        "accuracy": record["evaluate"]["test"]["accuracy"],
        "coherence": record["coherence"],
        "pulses": record["counters"]["pulses"],
    }


def wanted() -> Iterator[tuple[str, ...] | tuple[object, ...]]:
    """Yield what is to be measured."""
    yield from (("bound", *each) for each in product(PRESETS, NOISES, KAPPAS))
    yield from (("reviews", *each) for each in product(SIGNALS, SEEDS))


def key(row: dict[str, object]) -> tuple[object, ...]:
    """Return what a row is of."""
    names = ("kind", "preset", "noise", "kappa") if row["kind"] == "bound" else ("kind", "signals", "seed")
    return tuple(row[name] for name in names)


def read(path: Path) -> list[dict[str, object]]:
    """Return the rows of a file, none if there is none."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def measure(path: Path) -> None:
    """Append what is not there yet, row by row."""
    there = {key(row) for row in read(path)}
    for what in wanted():
        if what not in there:
            kind, *how = what
            row = bound(*how) if kind == "bound" else reviews(*how)  # type: ignore[arg-type]
            with path.open("a") as out:
                out.write(json.dumps(row) + "\n")


def draw(rows: list[dict[str, object]], path: Path) -> None:
    """Draw measured against predicted signal-to-noise, and the accuracies."""
    sheet = style.figure(11.0, 4.4)
    axes = sheet.subplots(1, 3, width_ratios=(1, 1, 0.9))
    for ax, what, title in zip(axes, ("update", "held"), ("of one update", "of what devices hold"), strict=False):
        found = [row for row in rows if what in row]
        for number, name in enumerate(PRESETS):
            own = [row for row in found if row["preset"] == name]
            look = {"color": style.colour(number), "marker": style.marker(number), "linestyle": "", "markersize": 5}
            ax.plot([row[f"{what} predicted"] for row in own], [row[what] for row in own], label=name, **look)
        ends = [min(row[f"{what} predicted"] for row in found), max(row[f"{what} predicted"] for row in found)]
        ax.plot(ends, ends, color=style.GREY, linewidth=1.0, zorder=0)
        ax.set_xscale("log")
        ax.set_yscale("log")
        style.dress(ax, x="predicted signal-to-noise [1]", y="measured [1]", title=title)
        ax.set_ylim(0.3 * ends[0], 2 * ends[1])
    style.legend(axes[0], loc="upper left")
    trained = [row for row in rows if row["kind"] == "reviews"]
    for place, name in enumerate(SIGNALS):
        own = [100 * float(row["accuracy"]) for row in trained if row["signals"] == name]  # type: ignore[arg-type]
        axes[2].barh(place, np.mean(own) if own else 0, color=style.colour(place), height=0.6)
        axes[2].plot(own, [place] * len(own), "o", color=style.BLACK, markersize=4)
    axes[2].set_yticks(range(len(SIGNALS)), [name.replace(", ", ",\n") for name in SIGNALS])
    axes[2].invert_yaxis()
    axes[2].set_xlim(0, 101)
    style.dress(axes[2], x="test accuracy [%]", y="", title="reviews, ecram_mo, 6 epochs")
    sheet.savefig(path)


def table(rows: list[dict[str, object]]) -> str:
    """Return the page."""
    bounds = [row for row in rows if row["kind"] == "bound"]
    lines = []
    for name in PRESETS:
        own = [row for row in bounds if row["preset"] == name and row["noise"] is None]
        if own:
            cells = [name, f"{own[0]['sigma']:.2g}", f"{own[0]['leak']:.2g}"]
            cells += [ratios(bounds, name, what) for what in ("update", "held")]
            lines.append("| " + " | ".join(cells) + " |")
    trained = [row for row in rows if row["kind"] == "reviews"]
    accuracies = []
    for name in SIGNALS:
        own = [row for row in trained if row["signals"] == name]
        if own:
            shown = " / ".join(f"{100 * float(row['accuracy']):.1f}" for row in own)  # type: ignore[arg-type]
            kappas = ", ".join(f"{a} {brief(v['kappa'])}" for a, v in own[-1]["coherence"].items())  # type: ignore[attr-defined]
            accuracies.append(f"| {name} | {shown} | {kappas} |")
    return PAGE.format(bounds="\n".join(lines), accuracies="\n".join(accuracies), seeds=" / ".join(map(str, SEEDS)))


def ratios(rows: list[dict[str, object]], name: str, what: str) -> str:
    """Return measured over predicted of a preset, median, lowest and highest, where both are clear of their errors."""
    clear = [row for row in rows if row["preset"] == name and what in row and float(row[f"{what} predicted"]) > 0.03]  # type: ignore[arg-type]
    found = [float(row[what]) / float(row[f"{what} predicted"]) for row in clear]  # type: ignore[arg-type]
    return f"{np.median(found):.2f} ({min(found):.2f} to {max(found):.2f})" if found else "-"


PAGE = """# Whole phases, their bound, and net counts

How many pulses does an update take when each phase is pulsed by itself, and which devices can still learn from it?

Trains of whole phases send N pulses to a device, up for one phase and down for the other, of which only N/kappa are
left as a net change. A device feels every pulse: its noise variance grows with N, its signal with N/kappa, and what it
forgets with N. The bound needs four numbers:

| | what it is |
|---|---|
| kappa | pulses sent for each pulse of net change |
| sigma | noise of a pulse from cycle to cycle, as a share of the step (`device.pulse.noise`) |
| dw | the step, as a share of the range (`device.pulse.dw_min`) |
| leak | each pulse takes on average the share leak dw off the distance from the symmetry point |

The signal-to-noise ratio is bounded:

- One update has sqrt(N/(kappa^2 (1 + sigma^2))).
- What a device holds is a mean over 2/(leak dw) pulses. It has sqrt(2/(leak dw)/(kappa^2 (1 + sigma^2))), whatever
  the rate.

An array whose second ratio is below 1 cannot learn. After each epoch a line names such arrays (`arrays that cannot
learn`).

![Measured against predicted signal-to-noise ratio of one update and of what devices hold; accuracy of the reviews \
by what is sent](whole_phases.png)

Every point is an array of devices of a preset that differ only in their noise. kappa goes from 3 to 100; the noise
is that of the preset, none, or 3 steps. The table has measured over predicted: the median (lowest to highest) of
the points with a prediction above 0.03.

| preset | sigma | leak | of one update | of what is held |
|---|---|---|---|---|
{bounds}

Points are left out where an update is longer than the device remembers, where the device remembers for more than
400 updates, or where it would be at its bound.

## Net counts

`--chip.update.signals net_counts` sends the same trains to digital counters, one for each weight. They count up in
one phase and down in the other, and the difference is sent as pulses (`hw_models/arrays/net_counts.py`). If the
second phase replays the draws of the first, what the phases have in common cancels count by count. The table is for
the reviews, `ecram_mo`, rule `pulsed`, `scaling auto`, beta 0.5, 6 epochs: test accuracy [%] of seeds {seeds}, and
kappa in the last epoch.

| signals | accuracy | kappa |
|---|---|---|
{accuracies}

- A chip needs no held phase for net counts, but it needs long trains. Every count is worth as many pulses as make
  the longest train fit (`update.counter.shift` unset), and each of these pulses adds noise. Digital slots are short
  (`timing.count`).
- Trains are fitted to the first phase, with room for a quarter more (`update.counter.room`). If a sample shows more
  than this in the second phase, its train is cut. If the first phase is silent, all of it is cut. After each epoch
  a line says for how many samples (`phases_cut`). With 4,095 slots and one rms for each array these are 4 to 19 %
  in dense_2 and none elsewhere. More room takes (1 + room)^2 times the slots.
- Counters that saturate are fatal even if they lose only 6e-5 of all coincidences, because they lose them from the
  first phase alone. Counters that wrap around are the default. They need room only for what is left of both phases.

```console
python docs/whole_phases.py rows docs/whole_phases.jsonl
python docs/whole_phases.py page docs/whole_phases.jsonl
```

## Pictures of what devices did

`neuroep report runs/NAME` draws these pictures of a run that learns by pulses, if the run has what they need:

| picture | section | needs | in Python |
|---|---|---|---|
| A or P, its reference P or Q, and W | Behaviour | a rule with a fast array | `analysis.run.gathering` |
| distance of each device from its symmetry point | Wear | devices that move both ways | `analysis.run.symmetry` |
| pulses of every device | Wear | `--chip.device.endurance` | `analysis.run.wear` |
| asymmetry and SNR against accuracy | What limits learning | trains, `scaling auto` | `analysis.run.coherence` |
"""


def main(command: str, path: Path) -> None:
    """Measure, or draw and write."""
    if command == "rows":
        measure(path)
        return
    rows = read(path)
    draw(rows, HERE / "whole_phases.png")
    (HERE / "whole_phases.md").write_text(table(rows))


if __name__ == "__main__":
    given = asked(__doc__, rows="", page="")
    main(given.task, given.file)
