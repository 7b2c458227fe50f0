# Tested by tests/analysis/comparison/test_measure.py
"""What a comparison found, as a table, as its directory holds it, and read back from there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from analysis.comparison.bench import Alignment, Baseline, Contestant, folder
from hw_models.chip import Chip, ageing
from hw_models.errors import ChipError
from hw_models.reading import Entries, Page, read_json
from hw_models.text import lined
from neuroep.data.text_corpus import TextCorpus
from neuroep.errors import ConfigError
from neuroep.runs import config as configuration, limits, seals
from neuroep.runs.bills import quantity
from neuroep.runs.config import Config
from neuroep.runs.tables import Tabular

PAID = {
    ("classification", "energy"): "J a sample", ("classification", "latency"): "s a sample",
    ("update", "energy"): "J an update", ("update", "latency"): "s an update",
}  # fmt: skip
"""Columns of what a chip takes, by bill and entry."""
RESULTS, TABLE, PICTURE = "comparison.json", "comparison.txt", "comparison.png"


@dataclass(frozen=True, repr=False)
class Comparison(Tabular):
    """What :func:`analysis.comparison.run` found."""

    out: Path
    mode: str
    config: Config
    contestants: tuple[Contestant, ...]
    baseline: Baseline | None
    """A linear model's test accuracy, where the corpus has one sequence."""
    chips: Mapping[str, Chip] = field(default_factory=dict)
    """By name of the contestant."""
    asked: Entries = field(default_factory=dict)
    """What it was made from: ``source`` and whether that is a ``run``, ``chips``, ``overrides``, of which ``fields``
    are those of the named chips, and the ``settings`` with the others."""

    def as_dict(self) -> Page:
        """Return plain values."""
        engines = {found.name: asdict(found) for found in self.contestants}
        page = {"mode": self.mode, "config": self.config.to_dict(), "engines": engines, "pictures": [PICTURE]}
        chips = {name: chip.to_dict() for name, chip in self.chips.items()}
        baseline = None if self.baseline is None else self.baseline._asdict()
        return page | {"baseline": baseline, "chips": chips, "asked": dict(self.asked)}

    def table(self) -> list[Page]:
        """Return a row for each engine or chip; seconds of all phases together, bills in J and s."""
        rows = []
        for found in self.contestants:
            accuracies = {f"{split} accuracy": value for split, value in found.accuracy.items()}
            row: Page = {"name": found.name, **accuracies, "agreement": found.agreement, "steps": found.steps}
            row |= {"worst cosine": found.worst_cosine, "seconds": sum(found.seconds.values())}
            row |= {"memory_mib": found.memory_mib}
            row |= {f"{per} {entry}": found.bills.get(per, {}).get(entry) for per, entry in PAID}
            rows.append(row)
        return rows

    def units(self) -> dict[str, str]:
        """Return the units of what a chip takes; other names say theirs."""
        return {f"{per} {entry}": PAID[per, entry][0] for per, entry in PAID}

    def caption(self) -> str:
        """Return what was compared, and the linear model's accuracy."""
        data, base = self.config.data.name, self.baseline
        linear = "" if base is None else f"; {base.name} {base.accuracy:.1%}"
        head = f"comparison {self.out}: {self.config.network.kind} network on {data}, mode {self.mode}{linear}"
        return lined([head, *self.aged])

    @property
    def aged(self) -> list[str]:
        """At what age the devices of each chip were read, in lines."""
        found = {name: ageing.told(chip) for name, chip in self.chips.items()}
        return [f"{name}: {line}" for name, line in found.items() if line]

    def as_text(self) -> str:
        """Return a table for reading."""
        width = max(len(found.name) for found in self.contestants) + 2
        paid = [name for name in PAID if any(name[0] in found.bills for found in self.contestants)]
        head = ("train", "test", "agree", "steps", "worst cosine", "seconds", "MiB", *(PAID[name] for name in paid))
        lines = [f"{'':<{width}}" + "".join(f"{title:>{max(9, len(title) + 2)}}" for title in head)]
        for found in self.contestants:
            worst = "-" if math.isnan(found.worst_cosine) else f"{found.worst_cosine:.4f}"
            memory = "" if found.memory_mib is None else f"{found.memory_mib:.0f}"
            lines.append(
                f"{found.name:<{width}}{found.accuracy['train']:>9.1%}{found.accuracy['test']:>9.1%}"
                f"{found.agreement:>9.1%}{found.steps:>9.1f}{worst:>14}{sum(found.seconds.values()):>9.1f}{memory:>9}"
                + "".join(f"{_paid(found, name):>{max(9, len(PAID[name]) + 2)}}" for name in paid)
            )
        lines += [f"{found.name}: {line}" for found in self.contestants for line in limits.lines(found.limits)[:1]]
        if self.baseline is not None:
            lines.append(f"{self.baseline.name:<{width}}{'':>9}{self.baseline.accuracy:>9.1%}")
        lines += self.aged
        trained = [name for name in (found.name for found in self.contestants) if (self.out / folder(name)).is_dir()]
        files = [RESULTS, TABLE, PICTURE, *([f"runs of {', '.join(trained)}"] if trained else [])]
        return lined([*lines, f"written to {self.out}: {', '.join(files)}"])


def load(directory: str | Path) -> Comparison:
    """Read a comparison back.

    Raises
    ------
    ConfigError
        If the directory holds none, or a damaged one.
    """
    path = Path(directory) / RESULTS
    try:
        page = seals.unclosed(read_json(path))
        found = tuple(_contestant(one) for one in page["engines"].values())
        chips = {name: Chip.parse(values) for name, values in page["chips"].items()}
        config = configuration.parse(page["config"], str(path))
        return Comparison(Path(directory), page["mode"], config, found, _baseline(page), chips, page["asked"])
    except FileNotFoundError:
        raise ConfigError(f"'{directory}' is no comparison: it has no {RESULTS}") from None
    except (ChipError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        fault = f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise ConfigError(f"'{path}' is damaged: {fault}") from None


def _baseline(page: Entries) -> Baseline | None:
    """Read the linear model; version 0.1 wrote the accuracy of a bag of words alone."""
    held = page["baseline"] if "baseline" in page else page["bag_of_words"]
    if held is None:
        return None
    return Baseline(**held) if isinstance(held, dict) else Baseline(*TextCorpus.baseline, float(held))


def _contestant(values: Entries) -> Contestant:
    """Build a contestant from plain values; what was not finite is null there."""
    rows: list[Page] = [
        {name: math.nan if value is None else value for name, value in row.items()} for row in values["gradient"]
    ]
    divergence = {name: _numbers(steps) for name, steps in values["divergence"].items()}
    found = {"gradient": [Alignment(**row) for row in rows], "divergence": divergence}
    return Contestant(**{**values, **found, "energy": _numbers(values["energy"])})


def _paid(found: Contestant, name: tuple[str, str]) -> str:
    """Return one entry of a contestant's bills; latencies of copies that work side by side are those of one."""
    value = found.bills.get(name[0], {}).get(name[1])
    return "-" if value is None else quantity(value, "J" if name[1] == "energy" else "s")


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]
