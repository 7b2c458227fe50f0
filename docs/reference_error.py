"""Measure how learning rules bear an error of the fast array's references: docs/reference_error.md.

    python docs/reference_error.py measure reference_error.jsonl [RULES]    # goes on where it was stopped
    python docs/reference_error.py draw reference_error.jsonl docs          # the picture, and the table into the page

A row is one training of the embedded digits on ``reram_hfo2`` as ``neuroep train`` does it, with the settings below and
nothing else: the same for every rule, error and seed.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from analysis.drawing import style

import numpy as np
from trainings import asked

import neuroep
from neuroep.errors import unknown

CONFIG = "examples/configs/digits.toml"
SETTINGS = {
    "data.window": 8,  # the eight rows as one token: attention passes it on, what learns is 64 -> 256 -> 10
    "network.tokens": 1,
    "training.epochs": 5,
    "training.batch": 16,
    "optimiser.decay_epochs": 5,
    "optimiser.weight_decay": 0.0,  # of weights that no digital copy holds
    "settling.tolerance": 0.05,
    "settling.nudged_tolerance": 0.05,
    "engine.threads": 1,
}
CHIP = {"chip.update.fill": 1.0, "chip.update.step": 0.5}
ERRORS = ((0.05, 0.0), (0.2, 0.1), (0.4, 0.2), (0.6, 0.3), (0.8, 0.4), (1.0, 0.4))
"""Mean and spread, shares of the fast array's range."""
RULES = {
    "tiki_taka_v2": "Tiki-Taka v2",
    "agad": "AGAD",
    "e_rider": "E-RIDER",
    "chopped": "c-TTv2",
    "rider": "RIDER",
}
PUBLISHED = {"tiki_taka_v2": (90.3, 57.8), "agad": (92.6, 90.4), "e_rider": (95.5, 95.1)}
"""Of MNIST at the first and the last error."""
CEILINGS = {
    "exact": {},
    "mixed_precision": {"optimiser.projection_rate": 1e-3, "optimiser.dense_rate": 1e-3},
}
"""Rules without a fast array, and their settings: on no chip, and with the gradient exact and W of the same devices."""
SEEDS = range(5)
Case = tuple[str, float, float, int]


def cases(rules: Sequence[str]) -> Iterator[Case]:
    """Yield rule, mean and spread of the error, and seed; first all errors and rules of one seed."""
    for seed in SEEDS:
        yield from ((name, *ERRORS[0], seed) for name in CEILINGS if name in rules)
        yield from ((name, *error, seed) for error in ERRORS for name in RULES if name in rules)


def settings(rule: str, mean: float, spread: float) -> dict[str, object]:
    """Return the settings of a training."""
    if rule == "exact":
        return {**SETTINGS}
    found = {**SETTINGS, "chip": "reram_hfo2", "chip.update.scheme": rule, "chip.update.fill": 1.0}
    if rule in CEILINGS:
        return found | CEILINGS[rule]
    error = {"chip.update.transfer.reference_mean": mean, "chip.update.transfer.reference_spread": spread}
    return found | CHIP | error


def arguments(chosen: Mapping[str, object]) -> list[str]:
    """Return settings as ``neuroep train`` takes them."""
    return [word for name, value in chosen.items() for word in (f"--{name}", str(value))]


def trained(case: Case) -> dict[str, object]:
    """Return the accuracy on the test split [%] and the seconds of one training."""
    rule, mean, spread, seed = case
    chosen = settings(rule, mean, spread) | {"training.seed": seed}
    words = arguments(chosen)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        record = neuroep.train(CONFIG, Path(folder) / "run", overrides=words, progress=False, diagnose=False)
    accuracy = 100 * record["evaluate"]["test"]["accuracy"]
    return {"case": case, "accuracy": accuracy, "seconds": round(time.process_time() - began, 1)}


def entries(path: Path) -> list[dict]:
    """Return the lines that are there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def measure(path: Path, *rules: str) -> None:
    """Add trainings that are missing, of these rules or of all."""
    known = (*CEILINGS, *RULES)
    for rule in rules:
        if rule not in known:
            raise SystemExit(unknown("rule", rule, known))
    for case in cases(rules or known):
        if list(case) not in [line["case"] for line in entries(path)]:
            line = trained(case)
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")


def found(lines: Sequence[Mapping], rule: str, error: tuple[float, float]) -> np.ndarray:
    """Return the accuracies of a rule at an error, of all seeds that are there."""
    return np.array([line["accuracy"] for line in lines if line["case"][:3] == [rule, *error]])


def spoken(values: np.ndarray) -> str:
    """Return mean and standard deviation over seeds; of fewer than all of them also how many."""
    if not len(values):
        return ""
    number = "" if len(values) == len(SEEDS) else f" (n = {len(values)})"
    return (f"{values.mean():.1f} +- {values.std(ddof=1):.1f}" if len(values) > 1 else f"{values[0]:.1f}") + number


def table(lines: Sequence[Mapping]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"| rule | {' | '.join(f'{mean:g} / {spread:g}' for mean, spread in ERRORS)} | MNIST, published |"
    yield f"|---|{'---|' * len(ERRORS)}---|"
    for rule, name in RULES.items():
        ends = " -> ".join(map(str, PUBLISHED.get(rule, ())))
        cells = [spoken(found(lines, rule, error)) for error in ERRORS]
        if any(cells):
            yield f"| {name} | {' | '.join(cells)} | {ends} |"
    for rule in CEILINGS:
        if len(own := found(lines, rule, ERRORS[0])):
            yield f"| {rule.replace('_', ' ')} | {spoken(own)} |{' |' * len(ERRORS)}"


def draw(path: Path, out: Path) -> None:
    """Draw accuracy against the error, a line for each rule, and write the table into the page between its marks."""
    lines = entries(path)
    ax = style.figure(6.6, 4.4).subplots()
    for number, (rule, name) in enumerate(RULES.items()):
        own = {place: values for place, error in enumerate(ERRORS) if len(values := found(lines, rule, error))}
        if not own:
            continue
        mean, spread = (np.array([how(each) for each in own.values()]) for how in (np.mean, np.std))
        look = {"color": style.colour(number), "marker": style.marker(number), "label": name}
        ax.errorbar(list(own), mean, yerr=spread, capsize=2.5, markersize=4.5, linewidth=1.5, **look)
    for rule, dash in zip(CEILINGS, (":", "--"), strict=True):
        if len(own := found(lines, rule, ERRORS[0])):
            ax.axhline(own.mean(), color="0.45", linewidth=1.0, linestyle=dash, label=rule.replace("_", " "))
    ax.set_xticks(range(len(ERRORS)), [f"{mean:g}\n{spread:g}" for mean, spread in ERRORS])
    ax.set_ylim(0, 100)
    style.dress(ax, x="error of the references: mean, and spread below [range]", y="accuracy [%]")
    ax.legend(frameon=False, loc="lower left", ncols=2)
    style.save(ax, out / "reference_error.png")
    page, begin, end = out / "reference_error.md", "<!-- rows -->", "<!-- end of rows -->"
    head, rest = page.read_text(encoding="utf-8").split(begin)
    body = "\n".join(table(lines))
    page.write_text(f"{head}{begin}\n\n{body}\n\n{end}{rest.split(end)[1]}", encoding="utf-8")


if __name__ == "__main__":
    given = asked(__doc__, measure="words", draw="folder")
    if given.task == "measure":
        measure(given.file, *given.words)
    else:
        draw(given.file, given.folder)
