"""Measure how every learning device learns by every rule, from scratch in memory: docs/in_memory.md.

    python docs/in_memory.py rows rows.jsonl [WORD ...]     # trainings that are missing; WORD: preset, rule, seed
    python docs/in_memory.py write rows.jsonl docs          # the tables into the page

A row is a training of examples/configs/reviews.toml as ``neuroep train`` does it, on a chip with a response to pulses
and by a rule, each with its own settings and nothing chosen by hand: accuracy of the test split, pulses that a device
got, and the bill of one update at the end. The last rows give every weight a reference device that is programmed with
an error of mean 0.05 and deviation 0.4 of the range. Rows go on where they were stopped, the most telling ones first;
several processes may add to one file, each with words of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from trainings import add, asked, brief, entries, put, trained

from hw_models import presets
from hw_models.chip.rules import RULES
from neuroep.errors import unknown
from neuroep.runs.bills import quantity
from neuroep.runs.costs import learned
from neuroep.runs.session import Session

EPOCHS, SEEDS = 12, (0, 1, 2)
DECAY = ("--optimiser.decay_epochs", str(EPOCHS))
FIRST = ("mixed_precision", "agad", "residual", "chopped", "e_rider", "pulsed", "tiki_taka_v2", "rider", "momentum")
"""Rules, those first that most is expected of."""
COARSE = ("reram_om", "reram_hfo2", "reram_cmo")
"""Devices of less than 50 states."""
AUTO = ("--chip.update.scaling", "auto")
ASKED = {"pulsed": (*AUTO, "--chip.update.signals", "contrast"), "mixed_precision": AUTO}
"""What rules are given that the others have by default."""
ERROR = (
    *("--chip.crossbar.reference", "device"),
    *("--chip.device.cell.reference_mean", "0.05", "--chip.device.cell.reference_spread", "0.4"),
)
AGAIN = ("--chip.device.cell.reference_rounds", "5")
"""References beside which devices do not hold their weights are programmed again, with errors drawn anew."""
CURED = "programmed again"
OFF: dict[str, tuple[str, ...]] = {
    "write noise": ("--chip.device.pulse.write_noise", "0"),
    "noise of steps": ("--chip.device.pulse.noise_base", "0"),
    "spread of steps": ("--chip.device.pulse.dw_min_spread", "0"),
    "spread of bounds": ("--chip.device.pulse.w_max_spread", "0", "--chip.device.pulse.w_min_spread", "0"),
    "faults": ("--chip.device.pulse.corrupt", "0"),
    "error of references": ("--chip.device.cell.reference_spread", "0"),
}
"""What is switched off of coarse devices, one by one."""
LIMITED = ("reram_hfo2", "reram_om")
EXACT = "exact"
"""What stands for a rule where there is no chip."""


class Row(NamedTuple):
    """A preset, a rule, and whether references are wrong."""

    preset: str
    rule: str
    wrong: bool
    off: str = ""
    """What is switched off, one of :data:`OFF`, or of wrong references :data:`CURED`."""

    @property
    def settings(self) -> list[str]:
        """As ``neuroep train`` takes them."""
        if self.rule == EXACT:
            return list(DECAY)
        wrong = (*ERROR, *(AGAIN if self.off == CURED else ())) if self.wrong else OFF.get(self.off, ())
        return ["--chip", self.preset, "--chip.update.scheme", self.rule, *ASKED.get(self.rule, ()), *wrong, *DECAY]


def devices() -> list[str]:
    """Return the presets that learn by pulses, by their short names, finer devices first."""
    short = {full: alias for alias, full in presets.ALIASES.items()}
    chips = {name: presets.load(name) for name in presets.names()}
    pulses = {name: chip.device.pulse for name, chip in chips.items() if chip.update.in_memory}
    steps = sorted((pulse.dw_min / (pulse.w_max - pulse.w_min), name) for name, pulse in pulses.items())
    return [short.get(name, name) for _, name in steps]


def rules() -> list[str]:
    """Return all rules that learn in memory, in the order in which rows are made."""
    return [name for name in FIRST if name in RULES] + [name for name in RULES if name not in (*FIRST, "digital")]


def rows() -> Iterator[Row]:
    """Yield all rows: without a chip, every device and rule, and again with wrong references."""
    yield Row("none", EXACT, False)
    every = list(itertools.product(rules(), devices()))
    yield from (Row(preset, rule, False) for rule, preset in every)
    yield from (Row(preset, "mixed_precision", False, off) for preset, off in itertools.product(LIMITED, OFF))
    single = [(rule, preset) for rule, preset in every if presets.load(preset).device.cell.kind == "single"]
    yield from (Row(preset, rule, True, CURED) for rule, preset in single if rule == "mixed_precision")
    yield from (Row(preset, rule, True) for rule, preset in single)


def key(line: Mapping[str, Any]) -> tuple[str, str, bool, str, int]:
    """Return what a training was of."""
    return line["preset"], line["rule"], line["wrong"], line.get("off", ""), line["seed"]


def measure(path: Path, words: Sequence[str] = ()) -> None:
    """Add what is missing, of rows that have one of the words in each of their kinds that is named.

    Raises
    ------
    SystemExit
        For a word that names no row.
    """
    for word in words:
        if all(word not in names for names in kinds()):
            raise SystemExit(unknown("word", word, tuple(name for names in kinds() for name in names)))
    for row, seed in itertools.product(rows(), SEEDS):
        line = row._asdict() | {"seed": seed}
        if chosen(row, seed, words) and key(line) not in {key(each) for each in entries(path)}:
            add(path, line | trained(seed, EPOCHS, row.settings, look))


def chosen(row: Row, seed: int, words: Sequence[str]) -> bool:
    """Tell whether a row is among those that words name: presets, rules, seeds, and what :func:`kind` calls them."""
    owns = row.preset, row.rule, str(seed), kind(row)
    told = zip(kinds(), owns, strict=True)
    return all(own in words for names, own in told if set(names) & set(words))


def kinds() -> tuple[tuple[str, ...], ...]:
    """Return the words that there are: of presets, rules, seeds, and references."""
    return (*devices(), "none"), (*rules(), EXACT), tuple(map(str, SEEDS)), ("wrong", "again", "right", "off")


def kind(row: Row) -> str:
    """Return the word for the references of a row, or for what is switched off."""
    if row.wrong:
        return "again" if row.off else "wrong"
    return "off" if row.off else "right"


def look(record: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """Return accuracy [%], pulses of a device, and joules of an update."""
    found: dict[str, Any] = {"accuracy": 100 * record["evaluate"]["test"]["accuracy"]}
    session = Session.open(run, moments=True)
    chip = session.config.chip
    if chip is None:
        return found
    bill = learned(session)
    return found | {
        "pulses": pulses(session),
        "joules": bill.energy if bill.priced else None,
        "seconds": bill.seconds,
        "unpriced": [name for name in bill.leaves_out if "pulse" in name],
        "arrays": record["arrays"],
        "coherence": record.get("coherence", {}),
    }


def pulses(session: Session) -> dict[str, float]:
    """Return the pulses that a device got, on average over the arrays of the weights, and over those beside them."""
    chip, given, number = session.config.chip, dict[str, float](), dict[str, float]()
    own = {synapse.name: synapse.shape for synapse in session.network.synapses}
    for part, tally in session.engine.performed().items():
        synapse, _, label = part.partition(" ")
        if synapse in own and chip is not None:
            label = label or "weights"
            given[label] = given.get(label, 0.0) + sum(n for work, n in tally.rows() if work.operation == "pulse")
            number[label] = number.get(label, 0.0) + chip.device.moved * float(np.prod(own[synapse]))
    return {label: given[label] / number[label] for label in given if given[label]}


def write(path: Path, out: Path) -> None:
    """Put the tables into the page."""
    found = list({key(line): line for line in entries(path)}.values())
    whole = [line for line in found if not line.get("off")]
    cured = [line for line in found if line["rule"] == EXACT or line.get("off") == CURED]
    for name, lines, wrong in (("rows", whole, False), ("wrong", whole, True), ("again", cured, True)):
        put(out / "in_memory.md", name, table(lines, wrong))
    put(out / "in_memory.md", "off", limits(found))


def limits(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table of what coarse devices learn with one of their faults switched off."""
    yield f"| without | {' | '.join(LIMITED)} |"
    yield f"|---|{'---|' * len(LIMITED)}"
    for off in ("", *OFF):
        own = [[line for line in found if key(line)[:4] == (name, "mixed_precision", False, off)] for name in LIMITED]
        if any(own):
            yield f"| {off or 'nothing'} | {' | '.join(spread(lines) if lines else '' for lines in own)} |"


def table(found: Sequence[Mapping[str, Any]], wrong: bool) -> Iterator[str]:
    """Yield the lines of the table with exact references, or with wrong ones."""
    best = {preset: max(values)[1] for preset in devices() if (values := ranked(found, preset, wrong))}
    yield "| device | rule | accuracy [%] | pulses of a device | an update |"
    yield "|---|---|---|---|---|"
    for preset, rule in [("none", EXACT), *itertools.product(devices(), rules())]:
        own = [line for line in found if key(line)[:3] == (preset, rule, wrong and rule != EXACT)]
        if own:
            marks = "**" if best.get(preset) == rule else ""
            cells = [preset, rule, f"{marks}{spread(own)}{marks}", gathered(own), energy(own)]
            yield f"| {' | '.join(cells)} |"


def ranked(found: Sequence[Mapping[str, Any]], preset: str, wrong: bool) -> list[tuple[float, str]]:
    """Return mean accuracies of the rules that learn in memory, and their names."""
    by_rule: dict[str, list[float]] = {}
    for line in found:
        if (line["preset"], line["wrong"]) == (preset, wrong):
            by_rule.setdefault(line["rule"], []).append(line["accuracy"])
    return [(float(np.mean(values)), rule) for rule, values in by_rule.items()]


def spread(own: Sequence[Mapping[str, Any]]) -> str:
    """Return mean and standard deviation over the seeds; how many there are where some are missing, or diverged."""
    values = [line["accuracy"] for line in own]
    more = f" +- {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    few = "" if len(values) == len(SEEDS) else f" (of {len(values)})"
    diverged = sum("diverged" in line for line in own)
    return f"{np.mean(values):.1f}{more}{few}{f', {diverged} diverged' if diverged else ''}"


def gathered(own: Sequence[Mapping[str, Any]]) -> str:
    """Return the pulses of a device, of the weights' arrays and of others."""
    labels = dict.fromkeys(label for line in own for label in line.get("pulses", ()))
    means = {label: np.mean([line["pulses"].get(label, 0.0) for line in own]) for label in labels}
    return ", ".join(f"{brief(float(mean))} {label}" for label, mean in means.items())


def energy(own: Sequence[Mapping[str, Any]]) -> str:
    """Return the joules of an update."""
    joules = [line["joules"] for line in own if line.get("joules")]
    return quantity(float(np.mean(joules)), "J") if joules else ""


if __name__ == "__main__":
    given = asked(__doc__, rows="words", write="folder")
    if given.task == "rows":
        measure(given.file, given.words)
    else:
        write(given.file, given.folder)
