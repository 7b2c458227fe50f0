"""Comparison: the same network, data and seeds on the reference, on exact local arithmetic, and on chips.

    found = analysis.comparison.run(config, chips=["pcm", "hermes"], out="runs/compare")
    found.as_text()

Each contestant predicts the training and the test samples. ``deploy`` programs the weights that exact local arithmetic
has learned on the chips; ``learn`` lets every chip learn, from a run's weights or from scratch. What is compared layer
by layer (states along the free phase, energy, gradients) is measured with one and the same set of weights, those of the
local engine, so that only the arithmetic differs. Gradients: the configured estimator against back-propagation through
time, for the weights as the contestant's arrays conduct them and for those that were programmed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from analysis.bench import Agreement, Bench, Contestant, Report, folder
from analysis.folders import appearing, check_free
from hw_models.chip import Chip, pages
from hw_models.errors import ChipError
from hw_models.keywords import checked
from hw_models.reading import read_json
from hw_models.text import lined
from neuroep.errors import ConfigError, unknown
from neuroep.runs import config as configuration, directory as runs
from neuroep.runs.building import check_update
from neuroep.runs.config import Config
from neuroep.runs.directory import Run
from neuroep.runs.overrides import dotted

MODES = ("deploy", "learn")
PLAIN = ("--chip", "none", "--engine.chip_seed", "none")
IDEAL = {"reference": ["--engine", "reference", *PLAIN], "local": ["--engine", "local", *PLAIN]}
RESULTS, TABLE, PICTURES = "comparison.json", "comparison.txt", ("comparison.png",)


@dataclass(frozen=True)
class Comparison:
    """What :func:`run` found."""

    out: Path
    mode: str
    config: Config
    contestants: tuple[Contestant, ...]
    bag_of_words: float | None
    """Test accuracy of logistic regression on word counts, where the corpus has one sequence."""
    chips: Mapping[str, Chip] = field(default_factory=dict)
    """By name of the contestant."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What it was made from: ``source`` and whether that is a ``run``, ``chips``, ``overrides``, of which ``fields``
    are those of the named chips, and the ``settings`` with the others."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        engines = {found.name: asdict(found) for found in self.contestants}
        page = {"mode": self.mode, "config": self.config.to_dict(), "engines": engines, "pictures": list(PICTURES)}
        chips = {name: chip.to_dict() for name, chip in self.chips.items()}
        return page | {"bag_of_words": self.bag_of_words, "chips": chips, "asked": dict(self.asked)}

    def as_text(self) -> str:
        """Return a table for reading."""
        width = max(len(found.name) for found in self.contestants) + 2
        head = ("train", "test", "agree", "steps", "worst cosine", "seconds", "MiB")
        lines = [f"{'':<{width}}" + "".join(f"{title:>{max(9, len(title) + 2)}}" for title in head)]
        for found in self.contestants:
            known = [row.cosine for row in found.gradient if not math.isnan(row.cosine)]
            worst = f"{min(known):.4f}" if known else "-"
            memory = "" if found.memory_mib is None else f"{found.memory_mib:.0f}"
            lines.append(
                f"{found.name:<{width}}{found.accuracy['train']:>9.1%}{found.accuracy['test']:>9.1%}"
                f"{found.agreement:>9.1%}{found.steps:>9.1f}{worst:>14}{sum(found.seconds.values()):>9.1f}{memory:>9}"
            )
        if self.bag_of_words is not None:
            lines.append(f"{'bag of words':<{width}}{'':>9}{self.bag_of_words:>9.1%}")
        trained = [name for name in (found.name for found in self.contestants) if (self.out / folder(name)).is_dir()]
        files = [RESULTS, TABLE, *PICTURES, *([f"runs of {', '.join(trained)}"] if trained else [])]
        return lined([*lines, f"written to {self.out}: {', '.join(files)}"])


@checked(ConfigError)
def run(
    source: str | Path | Config | Run,
    chips: Sequence[str],
    out: str | Path,
    *,
    overrides: Sequence[str] = (),
    mode: str = "deploy",
    progress: bool = False,
    report: Report | None = None,
) -> Comparison:
    """Compare the reference, exact local arithmetic and chips.

    Parameters
    ----------
    source : str, Path, Config or Run
        What to train: a configuration or its file; of a run or its directory the weights are taken as they are, and
        a chip that learns starts from them. Where chips are deployed, that of the run keeps its devices.
    chips : sequence of str
        Presets, registered chips or TOML files.
    out : str or Path
        New or empty directory.
    overrides : sequence of str
        Settings to change, ``["--epochs", "1"]``; fields of chips and ``chip_seed`` change every chip that is named.
    mode : str
        ``deploy`` or ``learn``.
    progress : bool
        Show bars on a terminal.
    report : callable, optional
        Called with the contestant's name and the record of each epoch it trained.

    Raises
    ------
    ConfigError
        If there is no such mode or chip, a chip cannot learn with these settings, or the directory is not free.
    DataError, CheckpointError
        If data or weights cannot be used.
    """
    from analysis.pictures.comparison import picture
    from analysis.pictures.style import own_look, save

    if mode not in MODES:
        raise ConfigError(unknown("mode", mode, MODES))
    check_free(Path(out))
    opened, fields = _opened(source, chips, overrides)
    trained = opened if isinstance(opened, Run) else None
    base = (opened.config if isinstance(opened, Run) else opened).consented()
    settings = contestants(base, chips, mode, fields)
    origin = str(source) if isinstance(source, str | Path) else None if trained is None else str(trained.path)
    asked: dict[str, Any] = {"source": origin, "run": trained is not None, "settings": base.to_dict(), "fields": fields}
    asked |= {"chips": list(chips), "overrides": list(overrides)}
    with appearing(Path(out)) as place:
        bench = Bench(place, mode, trained, progress, report)
        judged = {name: bench.judge(name, config) for name, config in settings.items()}
        found = tuple(replace(one, **bench.follow(settings[name])) for name, one in judged.items())
        used = {name: config.chip for name, config in settings.items() if config.chip is not None}
        result = Comparison(Path(out), mode, settings["local"], found, bench.bag_of_words, used, asked)
        with own_look():
            save(picture(result), place / PICTURES[0])
        (place / RESULTS).write_text(runs.as_json(result.as_dict(), indent=1) + "\n", encoding="utf-8")
        (place / TABLE).write_text(replace(result, out=place).as_text().replace(str(place), str(out)) + "\n", "utf-8")
    return result


def _opened(
    source: str | Path | Config | Run, chips: Sequence[str], overrides: Sequence[str]
) -> tuple[Config | Run, list[str]]:
    """Return the configuration or run with what was overridden, and the overrides of every chip that is named."""
    fields: list[str] = []
    rest: list[str] = []
    for name, text in zip(overrides[::2], overrides[1::2], strict=True):
        full = dotted(name)[0]
        of_chips = bool(chips) and (full.startswith("chip.") or full == "engine.chip_seed")
        (fields if of_chips else rest).extend([name, text])
    if isinstance(source, str | Path):
        load = runs.load if Path(source).is_dir() else configuration.load
        return load(source, rest), fields
    if isinstance(source, Run):
        return replace(source, config=_changed(source.config, rest)), fields
    return _changed(source, rest), fields


def load(directory: str | Path) -> Comparison:
    """Read a comparison back.

    Raises
    ------
    ConfigError
        If the directory holds none, or a damaged one.
    """
    path = Path(directory) / RESULTS
    try:
        page = read_json(path)
        found = tuple(_contestant(one) for one in page["engines"].values())
        chips = {name: Chip.parse(values) for name, values in page["chips"].items()}
        config = configuration.parse(page["config"], str(path))
        return Comparison(Path(directory), page["mode"], config, found, page["bag_of_words"], chips, page["asked"])
    except FileNotFoundError:
        raise ConfigError(f"'{directory}' is no comparison: it has no {RESULTS}") from None
    except (ChipError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        fault = f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise ConfigError(f"'{path}' is damaged: {fault}") from None


def _contestant(values: Mapping[str, Any]) -> Contestant:
    """Build a contestant from plain values; what was not finite is null there."""
    rows: list[dict[str, Any]] = [
        {name: math.nan if value is None else value for name, value in row.items()} for row in values["gradient"]
    ]
    divergence = {name: _numbers(steps) for name, steps in values["divergence"].items()}
    found = {"gradient": [Agreement(**row) for row in rows], "divergence": divergence}
    return Contestant(**{**values, **found, "energy": _numbers(values["energy"])})


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


def contestants(base: Config, chips: Sequence[str], mode: str, fields: Sequence[str] = ()) -> dict[str, Config]:
    """Return the configuration of each contestant by its name; a chip of the configuration itself takes part too.

    ``fields`` are overrides of every chip that is named.
    """
    if "none" in chips:
        raise ConfigError("chip is 'none': the reference and exact local arithmetic take part anyway")
    found = {name: _changed(base, overrides) for name, overrides in IDEAL.items()}
    places = {name: name for name in (*IDEAL, RESULTS, TABLE, *PICTURES, ".", "..")}
    named = [_changed(base, ["--engine", "local", "--chip", chip, *fields]) for chip in chips]
    for config in ([base] if base.chip is not None else []) + named:
        if mode == "learn":
            check_update(config)
        if config.chip is not None:
            name = pages.label(config.chip)
            if name in found and name not in IDEAL:
                own = base.chip is not None and name == pages.label(base.chip)
                cure = "it is that of the run or configuration" if own else "name each once"
                raise ConfigError(f"chip '{name}' takes part twice: {cure}")
            if folder(name) in places:
                raise ConfigError(f"chip '{name}' would share a folder with '{places[folder(name)]}': rename it")
            found[name], places[folder(name)] = config, name
    return found


def _changed(base: Config, overrides: Sequence[str]) -> Config:
    return configuration.changed(base, overrides, "comparison")
