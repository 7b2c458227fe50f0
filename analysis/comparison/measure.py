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

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analysis.comparison.bench import Bench, Report, folder
from analysis.comparison.pictures import picture
from analysis.comparison.results import PICTURE, RESULTS, TABLE, Comparison
from analysis.folders import appearing, check_free
from hw_models.chip import pages
from hw_models.keywords import checked
from hw_models.reading import Page
from neuroep.errors import ConfigError, unknown
from neuroep.runs import config as configuration, directory as runs, seals
from neuroep.runs.building import check_cost, check_update
from neuroep.runs.config import Config
from neuroep.runs.directory import Run
from neuroep.runs.overrides import dotted

MODES = ("deploy", "learn")
PLAIN = ("--chip", "none", "--engine.chip_seed", "none")
IDEAL = {"reference": ["--engine", "reference", *PLAIN], "local": ["--engine", "local", *PLAIN]}


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
    from analysis.drawing.style import own_look, save

    if mode not in MODES:
        raise ConfigError(unknown("mode", mode, MODES))
    check_free(Path(out))
    opened, fields = _opened(source, chips, overrides)
    trained = opened if isinstance(opened, Run) else None
    base = (opened.config if isinstance(opened, Run) else opened).consented()
    settings = contestants(base, chips, mode, fields)
    origin = str(source) if isinstance(source, str | Path) else None if trained is None else str(trained.path)
    asked: Page = {"source": origin, "run": trained is not None, "settings": base.to_dict(), "fields": fields}
    asked |= {"chips": list(chips), "overrides": list(overrides)}
    with appearing(Path(out)) as place:
        bench = Bench(place, mode, trained, progress, report)
        judged = {name: bench.judge(name, config) for name, config in settings.items()}
        found = tuple(replace(one, **bench.follow(settings[name])) for name, one in judged.items())
        used = {name: config.chip for name, config in settings.items() if config.chip is not None}
        result = Comparison(Path(out), mode, settings["local"], found, bench.baseline, used, asked)
        with own_look():
            save(picture(result), place / PICTURE)
        page = seals.closed(runs.plain(result.as_dict()))
        (place / RESULTS).write_text(runs.as_json(page, indent=1) + "\n", encoding="utf-8")
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


def contestants(base: Config, chips: Sequence[str], mode: str, fields: Sequence[str] = ()) -> dict[str, Config]:
    """Return the configuration of each contestant by its name; a chip of the configuration itself takes part too.

    ``fields`` are overrides of every chip that is named.
    """
    if "none" in chips:
        raise ConfigError("chip is 'none': the reference and exact local arithmetic take part anyway")
    found = {name: _changed(base, overrides) for name, overrides in IDEAL.items()}
    places = {name: name for name in (*IDEAL, RESULTS, TABLE, PICTURE, ".", "..")}
    named = [_changed(base, ["--engine", "local", "--chip", chip, *fields]) for chip in chips]
    for config in ([base] if base.chip is not None else []) + named:
        check_cost(config)
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
