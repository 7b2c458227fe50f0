"""Plans: the points of a design as checked configurations.

Every point is built before any trial runs: its configuration, its network on the data's word vectors, its update rule.
What cannot be is refused with one line that names the point, and so is a field of a chip that acts at no point.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from analysis.sweep import designs
from analysis.sweep.execution import CorpusFacts, CorpusKey, corpus_key, load_source
from analysis.sweep.results import ideal_accuracy
from analysis.sweep.shared import file_of, mode_of
from analysis.sweep.trials import (
    SEEDED,
    Task,
    Trial,
    acts_on_calibration_alone,
    acts_on_updates_alone,
    file_hash,
    identity,
    is_calibrated,
)
from hw_models.chip import Chip, files
from hw_models.errors import ChipError
from hw_models.reading import Entries, Page
from neuroep.errors import ConfigError, DataError, NeuroepError, setting, unknown
from neuroep.runs import advice, arguments, checkpoints, config as configuration, directory as runs
from neuroep.runs.building import build_network, check_classes, check_cost, check_rates, check_update
from neuroep.runs.config import Config
from neuroep.runs.overrides import dotted

SEEDS = ("engine.chip_seed", "training.seed")


@dataclass(frozen=True)
class PlannedPoint:
    """One point of the design."""

    values: Entries
    """Varied fields: number, truth value or text."""
    config: Config
    data: str
    """Fingerprint of the whole corpus."""

    @cached_property
    def settings(self) -> Page:
        """The configuration by dotted name."""
        return self.config.flat()

    @cached_property
    def tables(self) -> Page:
        """The configuration as nested tables."""
        return self.config.to_dict()

    def trial(self, task: Task, seed: int) -> Trial:
        """Return the trial of one seed."""
        return Trial(task, self.settings, self.tables, seed, self.data, self.values)

    def __str__(self) -> str:
        return ", ".join(f"{name} = {value}" for name, value in self.values.items())


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep is to do."""

    task: Task
    source: Path
    """Configuration file or run directory."""
    base: Config
    """Configuration without what is varied."""
    fields: tuple[str, ...]
    points: tuple[PlannedPoint, ...]
    ideal: float | None = None
    """Accuracy of the weights that are deployed, as their run found it without a chip on the whole split."""

    @property
    def chips(self) -> dict[str, Page]:
        """Each chip that is varied as a whole as plain values, by its name or file."""
        names = {str(point.values.get(configuration.CHIP)) for point in self.points} - {"None", "none"}
        return {name: self._chip(name).to_dict() for name in sorted(names)}

    def _chip(self, name: str) -> Chip:
        """Return a chip that is varied as a whole; as of its first point if it needs what stands beside it there."""
        try:
            return files.load(name)
        except ChipError:
            chips = [point.config.chip for point in self.points if point.values.get(configuration.CHIP) == name]
            if not chips or chips[0] is None:
                raise
            return chips[0]

    @property
    def trains_first(self) -> bool:
        """Whether the weights to be deployed are still to be trained, from a configuration."""
        return self.task.mode == "deploy" and self.task.start is None


def make(
    source: str | Path,
    choices: Sequence[designs.Choice],
    overrides: Sequence[str] = (),
    *,
    mode: str | None = None,
    split: str = "test",
    samples: int | None = None,
    laid_over: bool = False,
) -> SweepPlan:
    """Build and check every point.

    Parameters
    ----------
    source : str or Path
        Configuration file, or run directory.
    choices : sequence of dict
        Points of :func:`analysis.sweep.designs.points`.
    overrides : sequence of str
        Settings that all points share, ``["--chip", "pcm"]``.
    mode : {None, "deploy", "learn"}
        Unset deploys a run and learns from a configuration.
    split : str
        What is evaluated.
    samples : int, optional
        Evaluate at most that many samples.
    laid_over : bool
        Points may set what ``overrides`` set too, and stand over it; else that is refused.

    Raises
    ------
    NeuroepError
        For the first thing that cannot be.
    """
    source = Path(source)
    mode = mode_of(source, mode)
    samples = None if samples is None else arguments.whole("samples", samples)
    fields = tuple(choices[0]) if choices else ()
    _check_fields(fields, [] if laid_over else overrides, mode, mode == "deploy" and not source.is_dir())
    _check_seeds(overrides, mode)
    ideal = None
    if source.is_dir():
        file, start = file_of(source), runs.load(source).path.resolve()
        task = Task(mode, split, samples, start, file_hash(start / runs.CHECKPOINT))
        signature = checkpoints.load(start / runs.CHECKPOINT, optimiser=False).about.network
        ideal = ideal_accuracy(start, split) if mode == "deploy" else None
    else:
        file, task, signature = source, Task(mode, split, samples), ""
    # A field that acts with what is varied need not act without it.
    base = _seedless(configuration.load(file, overrides, forgiven={}), task)
    sources: dict[CorpusKey, CorpusFacts] = {}
    plain = _signature(_without_chip(base), _source(base, sources)) if not signature and mode == "deploy" else signature
    in_vain: list[dict[str, str]] = [{} for _ in choices]
    points = [
        _point(file, overrides, choice, task, plain, sources, forgiven)
        for choice, forgiven in zip(choices, in_vain, strict=True)
    ]
    if mode == "deploy":
        _check_seen(points)
    _check_acting(points, in_vain)
    if mode == "deploy":
        _check_calibrated(points, task)
    _check_different(points, task)
    for number, point in enumerate(points):
        check_cost(point.config)
        if not (laid_over and number):  # what points switch off keeps its companions, which is as it should be
            advice.tell(point.config)
    return SweepPlan(task, source, base, fields, tuple(points), ideal)


def _check_fields(fields: Sequence[str], overrides: Sequence[str], mode: str, trains_first: bool) -> None:
    """Refuse seeds, which the trials set, and settings that would not reach a training made once for all points."""
    seeds = {SEEDED[mode]} if mode == "deploy" else set(SEEDS)
    for name in seeds.intersection(fields):
        raise ConfigError(f"vary {name}: mode '{mode}' gives every trial its own seed; ask for more seeds instead")
    for option, value in zip(overrides[::2], overrides[1::2], strict=False):
        name, entry = dotted(option)
        full = f"{name}.{entry}" if entry else name
        if full in fields:
            raise ConfigError(f"{option} {value}: it acts at no point, as {full} is varied; leave one of them out")
    for name in fields:
        if trains_first and name.split(".")[0] != configuration.CHIP:
            cure = "train first and sweep the run, or use mode 'learn'"
            raise ConfigError(
                f"vary {name}: mode 'deploy' trains a configuration once, the same for all points; {cure}"
            )


def _check_seeds(overrides: Sequence[str], mode: str) -> None:
    """Refuse seeds that are given: the trials set them."""
    seeds = {SEEDED[mode]} if mode == "deploy" else set(SEEDS)
    for option in overrides[::2]:
        if (name := dotted(option)[0]) in seeds:
            raise ConfigError(f"{name}: mode '{mode}' gives the trials the seeds 0, 1, ...; leave it out")


def trained(plan: SweepPlan, run: Path) -> SweepPlan:
    """Return the plan with the run that was trained for it."""
    return replace(plan, task=replace(plan.task, start=run.resolve(), checkpoint=file_hash(run / runs.CHECKPOINT)))


def training_of(plan: SweepPlan) -> Config:
    """Return what :attr:`SweepPlan.trains_first` trains: the configuration without its chip."""
    return _without_chip(plan.base)


def _point(
    file: Path,
    overrides: Sequence[str],
    choice: designs.Choice,
    task: Task,
    signature: str,
    sources: dict[CorpusKey, CorpusFacts],
    forgiven: dict[str, str],
) -> PlannedPoint:
    """Build one point; an error says which. ``forgiven`` takes the fields of its chip that are set in vain."""
    # A chip that is varied as a whole is what all its fields are laid over, the other varied ones over those.
    chip = [f"--{configuration.CHIP}", choice[configuration.CHIP]] if configuration.CHIP in choice else []
    given = [t for name, value in choice.items() if name != configuration.CHIP for t in (f"--{name}", value)]
    point: Any = ", ".join(f"{name} = {value}" for name, value in choice.items())
    try:
        config = configuration.load(file, [*overrides, *chip], given, forgiven=forgiven)
        config = _seedless(config, task)
        point = PlannedPoint({name: _value(config, name, text) for name, text in choice.items()}, config, "")
        source = _source(config, sources)
        found = _signature(config, source)
        if task.mode == "learn":
            check_update(config)
        elif config.chip is None:
            cure = f"add {setting('chip', 'NAME')}; the chip without effects is 'ideal'"
            raise ConfigError(f"mode 'deploy' programs chips: {cure}")
        if signature and found != signature:
            raise ConfigError("the weights belong to another network than this point describes")
        splits = dict.fromkeys([*source.splits, *(["validation"] if config.data.validation else [])])
        if task.split not in splits:
            raise DataError(f"data '{source.name}': {unknown('split', task.split, splits)}")
    except NeuroepError as error:
        raise type(error)(*(f"point {point}: {line.removeprefix(f'{file}: ')}" for line in error.lines)) from None
    found_point: PlannedPoint = replace(point, data=source.fingerprint)
    return found_point


def _check_acting(points: Sequence[PlannedPoint], in_vain: Sequence[Mapping[str, str]]) -> None:
    """Refuse a field of a chip that is given or varied, and acts at no point; at single ones it may be in vain.

    So ``bits = 6, 8, none`` may be varied beside stochastic rounding, and a grid of a noise's size, from 0 on, and its
    law is whole.
    """
    for point, forgiven in zip(points, in_vain, strict=True):
        for name, line in forgiven.items():
            if not any(_acts(other, name) for other in points):
                raise ConfigError(f"point {point}: {configuration.CHIP}.{line}")
    chips = [point.config.chip for point in points if point.config.chip is not None]
    for name in points[0].values if points else ():
        field = name.removeprefix(f"{configuration.CHIP}.")
        if chips and field != name and all(field in chip.unseen for chip in chips):
            raise ConfigError(f"vary {name}: no result of these chips depends on it, only what their devices conduct")


def _check_seen(points: Sequence[PlannedPoint]) -> None:
    """Refuse what acts on updates alone at every point of a deployment."""
    for name in points[0].values if points else ():
        if all(acts_on_updates_alone(name, point.settings) for point in points):
            raise ConfigError(f"vary {name}: mode 'deploy' makes no updates, and it acts on nothing else; use 'learn'")


def _check_calibrated(points: Sequence[PlannedPoint], task: Task) -> None:
    """Refuse what a deployment sees in calibrated ranges alone, where no point has one."""
    if any(point.config.chip is not None and is_calibrated(point.config.chip) for point in points):
        return
    for name in points[0].values if points else ():
        if all(acts_on_calibration_alone(name, task, point.settings) for point in points):
            why = "mode 'deploy' sees it only in ranges that are calibrated, and these chips have none"
            raise ConfigError(f"vary {name}: {why}; use 'learn', or set converters without a range")


def _acts(point: PlannedPoint, name: str) -> bool:
    """Tell whether a field of the chip is set to something at a point, and acts there."""
    chip = point.config.chip
    return chip is not None and name in chip.differences()


def _seedless(config: Config, task: Task) -> Config:
    """Take the settings out that the trials set, and those that do not concern them."""
    tables = config.consented().to_dict()
    tables["engine"].pop("chip_seed", None)
    tables["training"] |= {"evaluate": [] if task.mode == "learn" else [task.split], "probe": 0}
    if config.engine.kind == "reference":
        # Bits depend on torch's threads: they are set, and part of the identity.
        tables["engine"].setdefault("threads", 1)
        tables["engine"]["device"] = _device(config.engine.device)
    return configuration.parse(tables)


def _device(name: str) -> str:
    """Return the device that is meant: results of a processor and of a GPU are not the same bits."""
    from neuroep.engines.torch.substrate import device_of

    return str(device_of(name)) if name == "auto" else name


def _without_chip(config: Config) -> Config:
    tables = {name: table for name, table in config.to_dict().items() if name != configuration.CHIP}
    return configuration.parse(tables)


def _source(config: Config, sources: dict[CorpusKey, CorpusFacts]) -> CorpusFacts:
    """Return the fingerprint, the vectors' length and the classes of a configuration's data; each is read once."""
    key = corpus_key(config)
    if key not in sources:
        sources[key] = CorpusFacts.of(load_source(key))
    return sources[key]


def _signature(config: Config, source: CorpusFacts) -> str:
    """Build the network of a configuration, and check what assembly would."""
    network = build_network(config, source.dim)
    check_classes(network, source)  # type: ignore[arg-type]
    check_rates(config, network)
    return network.signature()


def _value(config: Config, name: str, text: str) -> object:
    """Return a varied field as its configuration has it, so that 0 and 0.0 are the same; lists become text."""
    if name == configuration.CHIP:
        return text
    flat = config.flat()
    table, _, entry = name.rpartition(".")
    value = flat[table].get(entry) if isinstance(flat.get(table), dict) else flat.get(name)
    if value is None and (below := {each: flat[each] for each in flat if each.startswith(f"{name}.")}):
        value = {each.removeprefix(f"{name}."): number for each, number in below.items()}
    return json.dumps(value) if isinstance(value, list | dict) else value


def _check_different(points: Sequence[PlannedPoint], task: Task) -> None:
    """Refuse points that are the same trial: they would be one result under two names."""
    seen: dict[str, PlannedPoint] = {}
    for point in points:
        key = identity(task, point.settings, point.data, 0)
        if key in seen:
            raise ConfigError(f"points '{seen[key]}' and '{point}' are the same trial: nothing that acts differs")
        seen[key] = point
