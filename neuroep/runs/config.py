"""Configuration of a run: one TOML file, checked field by field, written back resolved.

    config = neuroep.load_config("examples/configs/reviews.toml", overrides=["--epochs", "3"])

Every section is frozen and knows its fields, their ranges and their meaning. What cannot be raises ``ConfigError`` with
one line: the file, the dotted field, the value, what is allowed, the nearest valid name.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from hw_models import reading
from hw_models.chip import Chip, faults, files, layers
from hw_models.chip.faults import Idle
from hw_models.errors import ChipError
from hw_models.keywords import checked
from hw_models.reading import Entries, Page
from neuroep.engines.schedule import BY_SAMPLE, CALIBRATED, TOLERANCE
from neuroep.errors import ConfigError, given_as, nearest_path, setting
from neuroep.gradients.formulas import formulas
from neuroep.network import potentials
from neuroep.runs import former, layout
from neuroep.runs.arguments import check_path
from neuroep.runs.overrides import dotted, merged
from neuroep.runs.places import PICKLED, located
from neuroep.runs.sections import (
    CHIP,
    SEQUENCES,
    DataConfig,
    EngineConfig,
    EstimatorConfig,
    NetworkConfig,
    OptimiserConfig,
    Section,
    SettlingConfig,
    TrainingConfig,
    settings,
)

_log = logging.getLogger(__name__)
EXACT = {"nudged_form": ("differences", "states"), "acceleration": ("anderson", "none"), "stop": (BY_SAMPLE, TOLERANCE)}
"""Values of ``settling`` that no chip has, and what to set there instead."""
WITHOUT_WORDS = ("arrays", "digits")
"""Data whose tokens are numbers."""


class Config(Section):
    """Everything that defines a run."""

    network: NetworkConfig = Field(default_factory=lambda: NetworkConfig.model_validate({}))
    data: DataConfig = Field(default_factory=DataConfig)
    settling: SettlingConfig = Field(default_factory=SettlingConfig)
    estimator: EstimatorConfig = Field(default_factory=EstimatorConfig)
    optimiser: OptimiserConfig = Field(default_factory=OptimiserConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    engine: EngineConfig = Field(default_factory=EngineConfig)
    chip: Chip | None = None
    """What the engine runs on; unset is exact arithmetic."""
    _foreign: frozenset[str] = PrivateAttr(default=frozenset())
    """Paths of section ``data`` that the configuration of a run directory names, and nobody who opens it."""

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if self.chip is not None and self.engine.kind != "local" and self.chip.substrate != "crossbar":
            told = f"chip '{self.chip.name}' has event-driven arrays, which run on engine 'local'"
            raise ValueError(f"engine.kind = '{self.engine.kind}': {told}")
        exact = [name for name, (never, _) in EXACT.items() if vars(self.settling)[name] == never]
        if self.chip is not None and exact:
            given = ", ".join(f"settling.{name} = '{EXACT[name][0]}'" for name in exact)
            instead = ", ".join(f"'{EXACT[name][1]}'" for name in exact)
            raise ValueError(f"{given}: chip '{self.chip.name}' settles its states as they are; use {instead}")
        if self.chip is not None and self.engine.products != "full":
            told = f"chip '{self.chip.name}' reads products of its own; use 'full'"
            raise ValueError(f"engine.products = '{self.engine.products}': {told}")
        if self.engine.products != "full" and self.settling.nudged_form != "differences":
            told = "it rounds by more than a nudge moves states; set settling.nudged_form = 'differences'"
            raise ValueError(f"engine.products = '{self.engine.products}': {told}")
        if self.engine.repeats != "each" and self.data.name in WITHOUT_WORDS:
            told = f"data '{self.data.name}' are numbers, of which no two are known to be alike; use 'each'"
            raise ValueError(f"engine.repeats = '{self.engine.repeats}': {told}")
        if self.chip is None and self.engine.chip_seed is not None:
            raise ValueError(f"engine.chip_seed = {self.engine.chip_seed}: it acts only with a chip")
        needed = len(SEQUENCES[self.network.kind])
        if (count := len(self.data.sequences)) != needed:
            counts = f"reads {needed} sequence{'s' * (needed > 1)}, data '{self.data.name}' has {count}"
            raise ValueError(f"network.kind = '{self.network.kind}': {counts}")
        return self

    @model_validator(mode="after")
    def _keeps_the_energy_convex(self) -> Config:
        highest = potentials.named(self.network.potential, self.network.slope).curvature
        lowest = min(min(way.nudges) for way in formulas(self.estimator.kind, self.estimator.points))
        if self.estimator.beta * lowest <= -highest:
            kinds = f"estimator '{self.estimator.kind}' with potential '{self.network.potential}'"
            raise ValueError(f"estimator.beta = {self.estimator.beta}: {kinds} needs less than {highest}")
        return self

    @property
    def evaluation_order(self) -> str | None:
        """Order in which evaluated samples are batched: as they come, or by length where training does so."""
        return self.data.order if self.data.order == "length" else None

    def consented(self) -> Config:
        """Return the settings as they may be followed: a run directory can be a stranger's.

        Word vectors that hold a pickle, and a cache folder, are used only if whoever opens the directory names them
        himself; a cache folder is left out otherwise, as it would be written to and could hold anything.

        Raises
        ------
        ConfigError
            If a pickle is named by the run alone.
        """
        vectors = self.data.vectors
        if "vectors" in self._foreign:
            path = shlex.quote(str(vectors))
            cure = f"if you trust it, name it again: {setting('data.vectors', path)}"
            raise ConfigError(f"data.vectors = '{vectors}': a pickle ({PICKLED}) that only the run names; {cure}")
        if "cache" not in self._foreign:
            return self
        copy = self.model_copy(update={"data": self.data.model_copy(update={"cache": None})})
        copy._foreign = frozenset()
        return copy

    def to_dict(self) -> dict[str, Page]:
        """Return the settings as nested plain values, unset ones left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """Return the resolved configuration as TOML."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    def flat(self) -> Page:
        """Return the settings by dotted name, for example ``{"training.epochs": 3}``."""
        return dict(_leaves(self.to_dict()))


def _leaves(tables: Entries, start: str = "") -> Iterator[tuple[str, object]]:
    for name, value in tables.items():
        if isinstance(value, dict) and f"{start}{name}" != "optimiser.rates":
            yield from _leaves(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value


def parse(
    values: Entries,
    source: str = "configuration",
    forgiven: dict[str, str] | None = None,
    given: Sequence[str] = (),
) -> Config:
    """Check nested plain values.

    Parameters
    ----------
    values : mapping
        Sections with their settings.
    source : str
        Where they come from, the start of an error line.
    forgiven : dict, optional
        As for :meth:`hw_models.chip.description.Chip.checked`.
    given : sequence of str
        Overrides that the values hold, ``["--training.epochs", "3"]``: what is wrong in one of them is not said to be
        of the source.

    Raises
    ------
    ConfigError
        With a line for each fault: the file, the field, the value, what is allowed. What stands in the file of a chip
        is said to be of that file.
    """
    named = {".".join(part for part in dotted(option) if part) for option in given[::2]}
    try:
        reading.check(values)
        table, places = chip_values(values.get(CHIP))
    except ChipError as error:
        raise ConfigError(str(error) if CHIP in named else f"{source}: {error}") from None
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from None
    found, chip = [], table
    try:
        chip = Chip.checked(table, forgiven) if isinstance(table, Mapping) else table
    except (Idle, ValidationError) as error:
        found, chip = faults.lines(error, settings(), [CHIP]), None
    for name, file in places.items():
        if file and forgiven and name in forgiven:
            forgiven[name] += f" (in {file})"
    try:
        config = Config.model_validate({**values, CHIP: chip} if CHIP in values else values)
        if not found:
            return config
    except ValidationError as error:
        if not found or faults.are_of_fields(error, settings()):  # what is said of a chip says nothing without it
            found = [*map(_hinted, faults.lines(error, settings())), *found]
    raise ConfigError(*faults.told([_placed(line, source, named, places) for line in found]))


def _hinted(line: str) -> str:
    """Return a line, and where a table of a chip belongs if it is of one that stands elsewhere."""
    if line.startswith("unknown key '") and faults.field(line).split(".")[0] in Chip.model_fields:
        file = f"a chip's file is given by {given_as('--chip', 'chip=')}, its tables stand in [chip]"
        return f"{line}; it is a field of a chip: {file}"
    return line


def _placed(line: str, source: str, given: Set[str], places: Mapping[str, str]) -> str:
    """Return a line behind the name of the file in which its field stands; behind none if it was given."""
    own, field = line.replace(f"{CHIP}.", "", 1).replace(f"mean '{CHIP}.", "mean '"), faults.field(line)
    if field.startswith(f"{CHIP}.") and (file := faults.standing(own, places)):
        return f"{file}: {own}"
    told = any(field == name or f"{field}.".startswith(f"{name}.") or name.startswith(f"{field}.") for name in given)
    return line if told and field else f"{source}: {line}"


def chip_values(chip: object) -> tuple[Any, dict[str, str]]:
    """Return a chip's nested values, and the file in which a field stands by its dotted name.

    A name or file is replaced by what it stands for, each table laid over its preset. A preset is a name, a file, or
    once more a table: the layers that overrides make.
    """
    table = {"preset": chip} if isinstance(chip, str) else chip
    if not isinstance(table, Mapping) or table.get("preset") is None:
        return table, {}
    base = table["preset"]
    if isinstance(base, str):
        found = files.laid(base)
        below, places = found.values, dict(found.files)
    elif isinstance(base, Mapping):
        below, places = chip_values(base)
    else:
        raise ChipError(f"chip.preset = {base!r}: should be the name of a chip or a file")
    return files.laid_over(below, table), places | dict.fromkeys(layers.names(table), "")


@checked(ConfigError)
def load(
    path: str | Path,
    overrides: Sequence[str] = (),
    varied: Sequence[str] = (),
    *,
    forgiven: dict[str, str] | None = None,
) -> Config:
    """Read a TOML file, apply command-line overrides, and check the result.

    Parameters
    ----------
    path : str or Path
        Configuration file. Relative paths inside count from its folder.
    overrides : sequence of str
        ``["--training.epochs", "3", "--beta", "0.2"]``; relative paths count from the working directory. Of a run
        directory's own file, a cache and a pickle of word vectors count only if they are named here again, see
        :meth:`Config.consented`.
    varied : sequence of str
        What is laid over these, as a sweep does: where it switches an effect off, the overrides that belong to that
        are its companions, and not given in vain. See :mod:`hw_models.chip.layers`.
    forgiven : dict, optional
        As for :meth:`hw_models.chip.description.Chip.checked`.

    Raises
    ------
    ConfigError
        If the file is missing or no TOML, or a setting cannot be.
    """
    check_path("path", path, "a configuration file")
    path = Path(path)
    try:
        values = reading.read_toml(path)
    except OSError as error:
        near = nearest_path(path, ".toml") if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"cannot read configuration '{path}': {error.strerror or error}{near}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    of_run = layout.is_run(path.parent) and path.name == layout.CONFIG
    values = merged(located(former.moved(values) if of_run else values, path.parent), overrides)
    config = parse(merged(values, varied) if varied else values, str(path), forgiven, [*overrides, *varied])
    if of_run:
        pickled = str(config.data.vectors).lower().endswith(PICKLED)
        foreign = {"vectors": pickled, "cache": config.data.cache is not None}
        config._foreign = _unnamed({name for name, held in foreign.items() if held}, [*overrides, *varied])
    if config.chip is not None and forgiven is None:
        tell_kept(config.chip)
    if config.chip is None and config.settling.stop == CALIBRATED:
        say(f"without a chip: {kept(['settling.stop'])}")
    return config


def chip_of(given: Sequence[str]) -> Chip:
    """Return the chip of overrides, as ``["--chip", "pcm", "--chip.adc.bits", "4"]``; raises as :func:`parse`."""
    found = parse(merged({}, given), "chip", given=given).chip
    return Chip.ideal() if found is None else found


def tell_kept(chip: Chip) -> None:
    """Say which fields of a chip have no effect, once in a process; an exported circuit takes its read voltage."""
    if names := [name for name in chip.kept or () if name not in files.CIRCUITS]:
        say(f"chip '{chip.name}': {kept(names)}")


def kept(names: Sequence[str]) -> str:
    """Return what is said of fields that a chip keeps."""
    if len(names) == 1:
        return f"{names[0]} cannot act here and is kept without effect"
    return f"{', '.join(names[:-1])} and {names[-1]} cannot act here and are kept without effect"


def changed(
    base: Config, overrides: Sequence[str] = (), source: str = "configuration", *, chip: Chip | None = None
) -> Config:
    """Return settings on another chip, where one is given, and with overrides laid over them.

    Parameters
    ----------
    base : Config
        What is changed; it stays as it is.
    overrides : sequence of str
        Settings and values, ``["--chip", "pcm", "--chip.adc.bits", "4"]``.
    source : str
        What errors call it.
    chip : Chip, optional
        In place of that of the base.

    Raises
    ------
    ConfigError
        As of :func:`parse`.
    """
    values = base.to_dict() | ({} if chip is None else {CHIP: chip.to_dict()})
    config = parse(merged(values, overrides), source, given=overrides)
    config._foreign = _unnamed(base._foreign, overrides)
    return config


def _unnamed(foreign: Set[str], overrides: Sequence[str]) -> frozenset[str]:
    """Return those of some paths of section ``data`` that no override names."""
    named = {dotted(option)[0] for option in overrides[::2]}
    return frozenset(name for name in foreign if f"data.{name}" not in named)


@cache
def say(line: str) -> None:
    """Say something once in a process."""
    _log.warning("%s", line)


def listing() -> str:
    """Return a table of all settings: name, meaning, default."""
    defaults = Config().flat()
    rows = []
    for name, field in settings(chip=False).items():
        value = defaults.get(name)
        choices = f" ({', '.join(get_args(field.annotation))})" if get_origin(field.annotation) is Literal else ""
        default = "" if value in (None, {}) else f" [{str(value).lower() if isinstance(value, bool) else value}]"
        rows.append(f"  --{name:<30} {' '.join((field.description or '').split())}{choices}{default}")
    rows.append(f"  --{'chip':<30} Chip under the engine, a preset or a TOML file; 'neuroep chips' lists them")
    rows.append(f"  --{'chip.TABLE.FIELD':<30} One field of the chip; 'neuroep chips --fields' lists them")
    return "\n".join(rows)
