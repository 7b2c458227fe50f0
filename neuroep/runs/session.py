"""A session: corpus, network, calibrated engine and estimator of a run, a configuration file or a configuration.

    session = neuroep.Session.open("runs/reviews")                      # on the devices it was trained with, if any
    found = session.evaluate("test")
    session = neuroep.Session.open("runs/reviews", chip="pcm")          # its weights, programmed on another chip
    session = neuroep.Session.open("examples/configs/reviews.toml")     # initial weights

It is the only way in: training, evaluation, deployment, comparison, sweep, gradient check and report open their parts
here, so that the same run on the same devices gives the same numbers everywhere.

**Devices.** On the chip that it was trained with a run goes on with the very devices: conductances, mismatch, ranges of
converters as the checkpoint has them, read at the chip's ``device.age`` or at another age without a new write. Another
chip, another chip seed, or ``devices="program"`` programs the weights of the checkpoint anew, and the ranges are
calibrated on training samples drawn by the seed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hw_models.chip import Chip, ageing
from hw_models.keywords import checked
from hw_models.reading import Page
from hw_models.text import lined
from neuroep import data
from neuroep.engines.schedule import CALIBRATED
from neuroep.errors import CheckpointError, ConfigError, DataError, setting, unknown
from neuroep.randomness import generator
from neuroep.runs import advice, arguments, bills, building, config as configuration, directory as runs
from neuroep.runs.arguments import check_kind, check_overrides, check_seconds
from neuroep.runs.config import Config
from neuroep.runs.directory import Run
from neuroep.runs.evaluation import Evaluation, evaluate
from neuroep.runs.overrides import dotted
from neuroep.runs.tables import Tabular

if TYPE_CHECKING:
    from neuroep.data.batch import Batch
    from neuroep.data.corpus import Corpus
    from neuroep.engines.engine import Engine
    from neuroep.gradients.estimators import Estimator
    from neuroep.network import Network
    from neuroep.runs.checkpoints import Checkpoint

DEVICES = ("keep", "program")
Source = str | Path | Config | Run
"""What is opened: a run directory or a configuration file, by its path or opened already."""
OF_THE_DATA = ("data.", "network.tokens", "training.seed")
"""Settings that decide which samples are read."""
WITHOUT_EFFECT = {"kept": None, "citation": None, "url": None, "caveat": None, "cost": None}
"""Fields of a chip that say something about it and do nothing."""


@dataclass(frozen=True, repr=False)
class Session(Tabular):
    """All parts of a run, checked against each other and ready to be used; made by :meth:`open`."""

    config: Config
    corpus: Corpus
    network: Network
    engine: Engine
    """With its weights; the ranges of a chip's converters are fixed."""
    estimator: Estimator
    checkpoint: Checkpoint | None = None
    """Where the weights come from, without its arrays, which the engine has; None for initial ones."""
    epoch: int = 0
    """Epoch whose devices these are, which keys a chip's draws in an evaluation; 0 on a chip programmed anew."""
    counted: int = 0
    """Updates that the engine counted when its weights were those of :attr:`checkpoint`, or the initial ones."""

    @classmethod
    @checked(ConfigError)
    def open(
        cls,
        source: Source,
        *,
        chip: Chip | str | Path | None = None,
        devices: str = "keep",
        overrides: Sequence[str] = (),
        corpus: Corpus | None = None,
        weights: Checkpoint | None = None,
        age: float | None = None,
        moments: bool = False,
    ) -> Session:
        """Open a run or a configuration; nothing is written.

        Parameters
        ----------
        source : str, Path, Config or Run
            Run directory, configuration file, or one of them opened already.
        chip : Chip, str or Path, optional
            Chip to run on, or its name or TOML file; default that of the source, if it has one.
        devices : {"keep", "program"}
            On the chip that the run was trained with, go on with its devices, or program them anew.
        overrides : sequence of str
            Settings to change, ``["--engine", "reference", "--chip.adc.bits", "4"]``.
        corpus : Corpus, optional
            The data, where they are in memory already; default as the configuration says.
        weights : Checkpoint, optional
            Where the weights come from; default the run's last checkpoint, or drawn by ``training.seed``.
        age : float, optional
            Read a chip's devices so long after their last write [s]; default ``device.age`` of the chip, as it is once
            deployed. Training reads them at 0. Without a chip there is none. :meth:`evaluate` reads them at
            ``device.age`` whatever is given here: to evaluate at another age, override ``--chip.device.age``.
        moments : bool
            Take over the moments of the update rule as well, to go on learning.

        Raises
        ------
        ConfigError
            If a setting or a part cannot be, or parts do not fit together.
        DataError
            If the data cannot be used, have other classes than those of the run, or are not those that it was trained
            on and no override names data.
        CheckpointError
            If it is no run directory, its checkpoint cannot be read, or the settings describe another network.
        ChipError
            If there is no such chip.
        """
        if devices not in DEVICES:
            raise ConfigError(unknown("way of devices", devices, DEVICES))
        check_overrides(overrides)
        check_corpus(corpus)
        _check_weights(weights)
        run, config = _opened(source, chip, overrides)
        advice.tell(config)
        building.check_cost(config)
        _check_age(age, config)
        kept = devices == "keep" and run is not None and config.chip is not None and _same_devices(config, run)
        if run is not None and weights is None:
            weights = run.checkpoint(optimiser=kept or moments)
        corpus = building.build_corpus(config) if corpus is None else corpus
        network = _network(config, corpus, weights, overrides)
        if weights is not None:
            corpus = corpus.at_home(weights.about.vectors, weights.source)
        if weights is not None and run is not None:
            # What only starts from weights learns classes of its own.
            weights.check_classes(corpus.classes, corpus.name)
            _check_data(corpus, weights, run, config, overrides)
        engine = building.build_engine(config, network, None if weights is None else weights.parameters)
        if age is not None:
            engine.read_at(age)
        goes_on = kept or (moments and run is not None and config.chip is None and _same_devices(config, run))
        if weights is not None and goes_on and (weights.optimiser or weights.devices):
            engine.load_optimiser_state(weights.optimiser, weights.devices)
            if run is not None and not _same_phases(config, run):
                engine.lengths = None  # of phases with other steps, tolerances or nudges
        origin = None if weights is None else weights.emptied()
        epoch = 0 if weights is None or (config.chip is not None and not kept) else weights.about.epoch
        estimator = building.build_estimator(config)
        session = cls(config, corpus, network, engine, estimator, origin, epoch, _updates(engine))
        session._calibrate()
        return session

    @checked(ConfigError)
    def evaluate(
        self, split: str = "test", *, only: np.ndarray | None = None, epoch: int | None = None, progress: bool = False
    ) -> Evaluation:
        """Predict every sample of a split; see :func:`neuroep.runs.evaluation.evaluate`.

        Parameters
        ----------
        split : str
            Name of the split.
        only : numpy.ndarray, optional
            (samples,) numbers of the samples to predict; default all.
        epoch : int, optional
            What keys a chip's draws beside split and batch; default :attr:`epoch`.
        progress : bool
            Show a bar on a terminal.

        Raises
        ------
        DataError
            If the split does not exist or is empty, or has no such samples.
        DivergenceError
            If a state is not finite.
        """
        corpus, config = self.corpus, self.config
        check_kind("split", split, str, "the name of a split")
        if only is not None:
            corpus = corpus.with_splits({**corpus.splits, split: self._taken("only", split, only)})
        occasion = (self.epoch if epoch is None else epoch,)
        place = (self.engine, corpus, split, self.estimator.free)
        size, order = config.training.batch, config.evaluation_order
        found = self._billed(
            lambda meter: evaluate(*place, batch=size, order=order, progress=progress, occasion=occasion, meter=meter)
        )
        return replace(found, aged=ageing.told(config.chip))

    def _billed(self, judge: Callable[[str], Evaluation]) -> Evaluation:
        """Return an evaluation with its bill, where the chip has constants of cost."""
        chip, engine = self.config.chip, self.engine
        if chip is None or not bills.billed(chip):
            return judge("")
        before = engine.performed()
        found = judge(bills.meter(chip))
        counted = bills.whole(bills.between(engine.performed(), before), found.samples, found.metered)
        free = self.estimator.free
        return replace(found, cost=bills.classification(chip, self.network, free, counted, found.samples))

    @property
    def made(self) -> int:
        """Updates that were made since, by a loop of one's own."""
        return _updates(self.engine) - self.counted

    def table(self) -> list[Page]:
        """Return a row for each synapse: on a chip with the mean conductance [uS] and the weight held at g_max."""
        found, ranges = self.engine.mean_conductances(), self.engine.substrate.ranges()
        rows: list[Page] = []
        for synapse in self.network.synapses:
            pre = (synapse.pre,) if isinstance(synapse.pre, str) else synapse.pre
            sizes = {"outputs": synapse.shape[0], "inputs": synapse.shape[1], "bias": synapse.bias}
            rows.append({"synapse": synapse.name, "from": " + ".join(pre), "to": synapse.post, **sizes})
            if synapse.name in found:
                full = ranges.get(f"crossbar {synapse.name} weights")
                rows[-1] |= {"conductance": found[synapse.name], "weight range": full}
        return rows

    def units(self) -> dict[str, str]:
        """Return the unit of conductances; weights have none."""
        return {"conductance": "uS"}

    def caption(self) -> str:
        """Return network, data, engine and chip, and where the weights come from."""
        config, chip = self.config, self.config.chip
        splits = ", ".join(f"{name} {len(split):,}" for name, split in self.corpus.splits.items())
        source = "initial weights" if self.checkpoint is None else f"weights of {self.checkpoint.source}"
        source += f" after {self.made:,} update{'s' * (self.made != 1)}" if self.made else ""
        on = f"{config.engine.kind} engine, " + ("exact arithmetic" if chip is None else f"chip {chip.name}")
        aged = ageing.told(chip)
        told = [f"evaluated, {aged}"] if aged else []
        return lined([f"{config.network.kind} network on {self.corpus.name}: {splits}", f"{on}; {source}", *told])

    def __repr__(self) -> str:
        """Return its caption on one line: its parts are long."""
        return f"<Session: {self.caption().replace(chr(10), '; ')}; epoch {self.epoch}>"

    def batches(self, split: str, size: int | None = None) -> Iterator[Batch]:
        """Return the batches of a split in its order, default as large as in training."""
        return self._batches(self.corpus.split(split), self.config.training.batch if size is None else size)

    def shuffled(self, epoch: int) -> Iterator[Batch]:
        """Return the training batches of an epoch in their order, counted from 0."""
        split, order = self.corpus.split("train"), self.config.data.order
        return self._batches(split, self.config.training.batch, order, epoch)

    def batch(self, split: str, samples: np.ndarray) -> Batch:
        """Return the samples of a split with these numbers (samples,) as one batch."""
        return next(self._batches(self._taken("samples", split, samples), len(samples)))

    def draw(self, split: str, count: int, purpose: str) -> np.ndarray:
        """Draw numbers of samples by the seed and the purpose; (count,), fewer where the split has fewer."""
        drawn = generator(self.config.training.seed, purpose).permutation(len(self.corpus.split(split)))
        return drawn[:count]

    def programmed(self, config: Config, age: float = 0.0) -> Session:
        """Return the weights as they are now on the chip of other settings, programmed and calibrated anew.

        ``session.programmed(neuroep.runs.config.changed(session.config, ["--chip", "pcm"]))``

        Parameters
        ----------
        config : Config
            With the same data and network.
        age : float
            Read its devices so long after they are written [s].
        """
        engine = building.build_engine(config, self.network, self.engine.parameters())
        if config.chip is not None:
            engine.read_at(age)
        estimator = building.build_estimator(config)
        made = _updates(engine) - self.made
        session = Session(config, self.corpus, self.network, engine, estimator, self.checkpoint, counted=made)
        session._calibrate()
        return session

    def rates(self, epoch: float) -> dict[str, float]:
        """Return the learning rate of every synapse in an epoch, counted from 0, or so many epochs after the start."""
        return building.rates(self.config, self.network, epoch)

    def _taken(self, name: str, split: str, samples: np.ndarray) -> data.Split:
        """Return the samples of a split with these numbers, given as the argument of that name."""
        held = self.corpus.split(split)
        if not len(held):
            raise DataError(f"data '{self.corpus.name}': split '{split}' is empty")
        where = f"split '{split}' of data '{self.corpus.name}'"
        return held.take(arguments.samples(name, samples, len(held), where))

    def _batches(self, split: data.Split, size: int, order: str | None = None, epoch: int = 0) -> Iterator[Batch]:
        seed, looked_up = self.config.training.seed, not self.engine.looks_up
        return self.corpus.batches(split, size, order=order, seed=seed, epoch=epoch, looked_up=looked_up)

    def _calibrate(self) -> None:
        """Fix the ranges of a chip's converters, where they are not yet."""
        if self.engine.calibrates:
            self.engine.calibrate(self._calibration_batches("calibration"), self.estimator)
        if self.counts_sweeps and self.engine.lengths is None:
            self.engine.find_lengths(self._calibration_batches("phase lengths"), self.estimator)

    def calibrate(self, update: int) -> None:
        """Fix the ranges of a chip's converters anew while it learns, ahead of the update of that number.

        They are of other samples every time, drawn by the seed and that number, whatever was done before.
        """
        batches = self._calibration_batches(f"calibration {update}")
        self.engine.calibrate(batches, self.estimator, ("ahead of", update))

    @property
    def counts_sweeps(self) -> bool:
        """Whether phases take numbers of sweeps that are found at a calibration."""
        return self.config.chip is not None and self.config.settling.stop == CALIBRATED

    def find_lengths(self, update: int) -> None:
        """Find the sweeps of the phases anew while a chip learns, ahead of the update of that number.

        On other samples every time, drawn by the seed and that number, whatever was done before.
        """
        batches = self._calibration_batches(f"phase lengths {update}")
        self.engine.find_lengths(batches, self.estimator, ("ahead of", update))

    def calibration_batch(self, purpose: str) -> Batch:
        """Return one batch of such samples, drawn by the seed and the purpose, which keys a chip's draws."""
        return next(self._calibration_batches(purpose)).keyed(purpose, 0)

    def _calibration_batches(self, purpose: str) -> Iterator[Batch]:
        """Return training samples on which a chip's converters are calibrated, drawn by the seed and the purpose.

        Samples without a token, or a known word, drive nothing and are passed over.
        """
        chip, corpus = self.config.chip, self.corpus
        split, most = corpus.split("train"), None if chip is None else chip.calibration_samples
        drawn = self.draw("train", len(split), purpose)
        telling = np.all([split.tokens[name].lengths > 0 for name in corpus.sequences], axis=0)
        chosen = drawn[telling[drawn]][:most]
        if not len(chosen):
            names = " and ".join(f"'{name}'" for name in corpus.sequences)
            held = f"none of its {len(split)} training samples has a known {corpus.token} in {names}"
            raise DataError(f"data '{corpus.name}': {held}, and the chip's converters are calibrated on them")
        return self._batches(split.take(chosen), self.config.training.batch)


def check_corpus(corpus: object) -> None:
    """Refuse what is no corpus, as the name of one."""
    from neuroep.data.corpus import Corpus

    named = setting("data.name", "NAME")
    check_kind("corpus", corpus, Corpus, f"a Corpus as neuroep.data.load returns it, or name the data by {named}")


def _updates(engine: Engine) -> int:
    """Return how many updates an engine has made."""
    return max(array.updates for array in engine.arrays.values())


def _check_weights(weights: object) -> None:
    from neuroep.runs.checkpoints import Checkpoint

    check_kind("weights", weights, Checkpoint, "a Checkpoint; those of a run come with the run as source")


def _check_age(age: float | None, config: Config) -> None:
    """Refuse an age that is none, or of devices that are not there."""
    if age is not None:
        check_seconds("age", age)
        if config.chip is None:
            raise ConfigError(f"age is {age}: without a chip there are no devices to age; name one or leave it out")


def _opened(source: Source, chip: Chip | str | Path | None, overrides: Sequence[str]) -> tuple[Run | None, Config]:
    """Return the run, if it is one, and the configuration with what is changed."""
    own = isinstance(chip, Chip)
    given = [] if own else list(overrides)
    if chip is not None and any(name == "--chip" for name in overrides[::2]):
        raise ConfigError("chip is given twice, as an argument and as an override: which one is meant?")
    if chip is not None and not own:
        given = ["--chip", str(chip), *given]
    run, config = _read(source, given)
    return run, configuration.changed(config, overrides, chip=chip) if isinstance(chip, Chip) else config


def _read(source: Source, overrides: Sequence[str]) -> tuple[Run | None, Config]:
    if isinstance(source, str | Path):
        if os.path.isfile(source) or (Path(source).suffix.lower() == ".toml" and not os.path.isdir(source)):
            return None, configuration.load(source, overrides)
        run = runs.load(source, overrides)
        return run, run.config
    if isinstance(source, Run):
        return source, configuration.changed(source.config, overrides) if overrides else source.config
    if isinstance(source, Config):
        return None, configuration.changed(source, overrides) if overrides else source
    raise ConfigError(f"source is a {type(source).__name__}: give a run directory, a configuration file or a Config")


def _same_devices(config: Config, run: Run) -> bool:
    """Tell whether a configuration has the devices that a run was trained with."""
    return devices_of(config) == devices_of(runs.load(run.path).config)


def _same_phases(config: Config, run: Run) -> bool:
    """Tell whether phases settle as those that a run was trained with."""
    trained = runs.load(run.path).config
    often = {"calibrate_every": trained.settling.calibrate_every}
    return config.settling.model_copy(update=often) == trained.settling and config.estimator == trained.estimator


def devices_of(config: Config) -> tuple[Chip | None, int]:
    """Return what decides which devices a run has: its chip, read at whatever age, and the seed of its draws."""
    seed, chip = config.engine.chip_seed, config.chip
    if chip is not None:
        young = chip.device.model_copy(update={"age": 0.0})
        chip = chip.model_copy(update={**WITHOUT_EFFECT, "device": young})
    return chip, config.training.seed if seed is None else seed


def _network(config: Config, corpus: Corpus, weights: Checkpoint | None, overrides: Sequence[str]) -> Network:
    """Build the network, checked against the data and against the weights."""
    for split in config.training.evaluate:
        corpus.split(split)
    network = building.build_network(config, corpus.dim, corpus.sequences)
    building.check_classes(network, corpus)
    building.check_lengths(config, corpus)
    building.check_rates(config, network)
    if weights is not None:
        try:
            weights.check_network(network.signature())
        except CheckpointError as error:
            changed = [name for name in overrides[::2] if name != "--chip" and dotted(name)[0].startswith("network.")]
            raise CheckpointError(f"{error}; given are {', '.join(changed)}" if changed else str(error)) from None
    return network


def _check_data(corpus: Corpus, weights: Checkpoint, run: Run, config: Config, overrides: Sequence[str]) -> None:
    """Refuse data that have changed since the run was trained, unless others are named: now, or when it was opened."""
    known = weights.about.data
    if not known or known == corpus.fingerprint:
        return
    named = any(dotted(name)[0].startswith(OF_THE_DATA) for name in overrides[::2] if name != "--chip")
    if not named and config.data == runs.load(run.path).config.data:
        cure = f"to evaluate on them all the same, add {setting('data.name', corpus.name)}"
        raise DataError(f"data '{corpus.name}' are not those that '{weights.source}' was trained on: {cure}")
