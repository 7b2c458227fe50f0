"""Training: epochs of measure and update, with a run directory that a kill cannot break.

    record = neuroep.train("examples/configs/reviews.toml", "runs/reviews")

Each epoch ends with one line of metrics and one checkpoint. Order of samples and random signs are keyed by (seed,
epoch, step), so a resumed run goes on bit for bit on the same machine. A chip's devices are read as soon as they are
written while they are calibrated and learn, and at ``device.age`` by the evaluation after each epoch.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hw_models.keywords import checked
from hw_models.reading import Entries, Page
from hw_models.text import shown
from neuroep.data.batch import Batch
from neuroep.errors import CheckpointError, ConfigError, DivergenceError, given_as
from neuroep.runs import (
    advice,
    checkpoints,
    config as configuration,
    directory as runs,
    folders,
    limits,
    locks,
    recipes,
)
from neuroep.runs.arguments import check_overrides, check_path
from neuroep.runs.building import build_corpus, check_update
from neuroep.runs.checkpoints import About, Checkpoint
from neuroep.runs.compiling import clock, warm_up
from neuroep.runs.config import Config
from neuroep.runs.directory import Run
from neuroep.runs.evaluation import difference
from neuroep.runs.memory import peak_memory
from neuroep.runs.progress import bar
from neuroep.runs.session import Session, check_corpus

if TYPE_CHECKING:
    from neuroep.data.corpus import Corpus
    from neuroep.engines.engine import Engine

SWEEPS = ("free_steps", "nudged_steps")
"""Health numbers that are sweeps of the phases of a batch."""
Report = Callable[[Entries], None]


@checked(ConfigError)
def train(
    source: str | Path | Config,
    out: str | Path,
    *,
    overrides: Sequence[str] = (),
    resume: bool = False,
    start: str | Path | None = None,
    progress: bool = True,
    report: Report | None = None,
    corpus: Corpus | None = None,
    recipe: str | None = None,
    diagnose: bool = True,
) -> Page:
    """Train a network into a run directory.

    Parameters
    ----------
    source : str, Path or Config
        What to train, and how: a configuration file, or what was read of one.
    out : str or Path
        Run directory; it is made once data, network and engine are ready.
    overrides : sequence of str
        Settings to change, ``["--training.epochs", "3", "--chip", "pcm"]``.
    resume : bool
        Go on from the last checkpoint if the directory holds a run, else start.
    start : str or Path, optional
        Run directory whose weights are the initial ones: fine-tuning, on a chip after deployment.
    progress : bool
        Show bars on a terminal.
    report : callable, optional
        Called with each epoch's record.
    corpus : Corpus, optional
        The data, where they are in memory already; default as the configuration says.
    recipe : {"auto"}, optional
        Let the toolkit choose what a chip needs to learn, see :mod:`neuroep.runs.recipes`: settings that the run's
        configuration then holds. A run that is resumed goes on with what was chosen at its start.
    diagnose : bool
        Measure after each epoch on a chip what limits learning, :mod:`neuroep.runs.limits`; no weight depends on it.

    Returns
    -------
    dict
        Record of the last epoch, as in ``metrics.jsonl``.

    Raises
    ------
    ConfigError
        If a setting cannot be, the directory holds something, or a resumed run had other settings.
    DataError
        If the data cannot be used.
    CheckpointError
        If the checkpoint cannot be read, or belongs to another network or other data.
    DivergenceError
        If a state or weight is not finite; the last checkpoint stays.
    """
    _check_arguments(out, overrides, start, report, corpus)
    out, config = Path(out), _configuration(source, overrides)
    goes_on = resume and os.path.isdir(out) and bool(os.listdir(out))
    if not goes_on:
        folders.check_free(out, _taken())
    followed = None if recipe is None else _followed(recipe, config, overrides, out if goes_on else None, corpus)
    if followed is not None:
        config = configuration.changed(config, recipes.overrides(followed))
    advice.tell(config)
    if goes_on:
        runs.load(out)  # a directory that holds something else gets no lock
        with locks.held(out, "run"):
            run, parts, about = _resumed(config, out, corpus)
            _check_start(run, start)
            return _epochs(run, parts, about, progress, report, diagnose)
    run, parts, about = _started(config, out, start, corpus, followed)
    with locks.held(out, "run"):
        return _epochs(run, parts, about, progress, report, diagnose)


def _taken() -> str:
    """Return what to do about a directory that holds something."""
    return f"choose another, or add {given_as('--resume', 'resume=True')} to continue its run"


def _followed(
    recipe: str, config: Config, given: Sequence[str], run: Path | None, corpus: Corpus | None
) -> list[recipes.Choice]:
    """Return what a recipe chooses, or of a run that goes on what it chose at its start."""
    kept = None if run is None else runs.load(run).environment.get("recipe")
    if run is not None and kept is None:
        raise ConfigError(f"cannot resume '{run}' with recipe '{recipe}': it was started without one")
    return recipes.follow(recipe, config, given, corpus=corpus, kept=kept)


def _check_arguments(out: object, overrides: Sequence[str], start: object, report: object, corpus: object) -> None:
    """Refuse what is no such argument; the configuration checks itself."""
    check_path("out", out, "the run directory to make")
    check_overrides(overrides)
    if start is not None:
        check_path("start", start, "a run directory")
    if report is not None and not callable(report):
        raise ConfigError(f"report is {shown(report)}: give a function, called with the record of each epoch")
    check_corpus(corpus)


def _configuration(source: str | Path | Config, overrides: Sequence[str]) -> Config:
    """Return what is to be trained."""
    if isinstance(source, str | Path):
        return configuration.load(source, overrides)
    if not isinstance(source, Config):
        raise ConfigError(f"source is a {type(source).__name__}: give a configuration file or a Config")
    return configuration.changed(source, overrides) if overrides else source


def _epochs(
    run: Run, parts: Session, about: About, progress: bool, report: Report | None, diagnose: bool
) -> Page:
    """Train the epochs that are left; return the record of the last one."""
    config, out = parts.config, run.path
    probe = _probe_batch(parts) if config.training.probe else None
    record = run.metrics[-1] if run.metrics else {}
    compiled = warm_up(config) if about.epoch < config.training.epochs else 0.0
    for epoch in range(about.epoch, config.training.epochs):
        try:
            record, compiled = _epoch(parts, epoch, about.updates, progress, compiled), 0.0
        except DivergenceError as error:
            error.args = (f"{error}; in epoch {epoch + 1}, the checkpoint of epoch {epoch} stays in '{out}'",)
            raise
        if probe is not None:
            record["probe"] = _probe(parts, probe.keyed("probe", epoch))
        record["remarks"] = _remarks(parts, record, run.metrics)
        if diagnose and config.chip is not None:
            record |= _limits(parts, record, run.metrics)
        about = replace(about, epoch=epoch + 1, updates=record["updates"])
        run.save(_checkpoint(parts.engine, about), record)
        if report is not None:
            report(record)
    return record


def _started(
    config: Config,
    out: Path,
    start: str | Path | None,
    corpus: Corpus | None,
    followed: Sequence[recipes.Choice] | None,
) -> tuple[Run, Session, About]:
    """Build everything, calibrate a chip, then make the run directory with the initial weights."""
    folders.check_free(out, _taken())
    check_update(config)
    weights = None if start is None else runs.load(start).checkpoint(optimiser=False)
    parts = Session.open(config, corpus=corpus, weights=weights, age=_young(config))
    parts.engine.substrate.check_learning()
    about = _about(parts, epoch=0, updates=0)
    origin: Page = {} if start is None else {"start": str(start)}
    if followed is not None:
        origin["recipe"] = [asdict(choice) for choice in followed]
    page = runs.environment({"engine": parts.engine.describe(), **_sizes(parts), **origin})
    run = runs.create(out, config, page, _checkpoint(parts.engine, about))
    return run, parts, replace(about, run=run.name)


def _check_start(run: Run, start: str | Path | None) -> None:
    """Refuse to resume a run from other initial weights than it had."""
    had = None if start is None else run.environment.get("start")
    if start is not None and had != str(start):
        raise ConfigError(f"cannot resume '{run.path}' from '{start}': it started from {had or 'weights of its own'}")


def _resumed(config: Config, out: Path, corpus: Corpus | None) -> tuple[Run, Session, About]:
    """Open a run directory and put the engine where training stopped."""
    run = runs.load(out)
    saved = run.checkpoint()
    if saved.about.format == checkpoints.OLD:
        found = f"an earlier version made it, without digests; start a new run {given_as('--from it', 'with start=')}"
        raise CheckpointError(f"cannot resume '{out}': {found}")
    if not saved.about.data:
        raise CheckpointError(f"cannot resume '{out}': it holds imported weights and no training to resume")
    runs.check_unchanged(run.config, config, out)
    corpus = build_corpus(config) if corpus is None else corpus
    if saved.about.data != corpus.fingerprint:
        raise CheckpointError(f"checkpoint of '{out}' was trained on other data than '{corpus.name}' holds now")
    parts = Session.open(replace(run, config=config), corpus=corpus, weights=saved, age=_young(config), moments=True)
    run.rewind(saved.about.epoch)
    return run.reconfigured(config), parts, replace(saved.about, run=saved.run)


def _young(config: Config) -> float | None:
    """Return the age at which training reads devices [s], where there are any."""
    return None if config.chip is None else 0.0


def _about(parts: Session, epoch: int, updates: int) -> About:
    config = parts.config
    return About(
        network=parts.network.signature(),
        epoch=epoch,
        updates=updates,
        seed=config.training.seed,
        engine=parts.engine.name,
        config=runs.config_hash(config),
        data=parts.corpus.fingerprint,
        vectors=parts.corpus.kept(),
        classes=list(parts.corpus.classes),
    )


def _checkpoint(engine: Engine, about: About) -> Checkpoint:
    """Return what is written to the disk at once: it changes with the next update."""
    return Checkpoint(about, *engine.live())


def _sizes(parts: Session) -> Page:
    """Describe corpus and network for the record."""
    shapes = parts.network.parameter_shapes()
    corpus = parts.corpus
    samples = {name: len(split) for name, split in corpus.splits.items()}
    return {
        "corpus": {
            "name": corpus.name,
            "fingerprint": corpus.fingerprint,
            "samples": samples,
            **corpus.facts(),
        },
        "network": {
            "signature": parts.network.signature(),
            "parameters": sum(math.prod(shape) for shape in shapes.values()),
            "shapes": shapes,
        },
    }


def _epoch(parts: Session, epoch: int, updates: int, progress: bool, compiled: float) -> Page:
    """Go once through the training split, then evaluate; return the epoch's record.

    ``compiled`` is what compiling has taken since the last epoch [s].
    """
    before = parts.engine.counters()
    speeds = parts.rates(epoch)
    with clock() as training:
        health, updates = _updates(parts, epoch, updates, progress)
    counted = difference(parts.engine.counters(), before)
    with clock() as evaluating:
        evaluations = {
            split: parts.evaluate(split, epoch=epoch + 1, progress=progress).as_dict()
            for split in parts.config.training.evaluate
        }
    train = {name: health.pop(name) for name in ("loss", "accuracy") if name in health}
    compiled += training.compiling + evaluating.compiling
    seconds = {"compile": compiled, "train": training.computing, "evaluate": evaluating.computing}
    coherence = parts.engine.coherence()
    return {
        "epoch": epoch + 1,
        "updates": updates,
        "train": train,
        "health": health,
        "evaluate": evaluations,
        "rates": speeds,
        "counters": counted,
        "arrays": parts.engine.array_health(),
        **({"coherence": coherence} if coherence else {}),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "peak_memory_mib": peak_memory(),
    }


def spent(record: Entries) -> float:
    """Return the seconds an epoch took, training and evaluating, without what compiled."""
    return sum(value for name, value in record["seconds"].items() if name != "compile")


def _remarks(parts: Session, record: Page, before: Sequence[Entries]) -> list[str]:
    """Return what the epoch's numbers point to; see :mod:`neuroep.runs.advice`."""
    config, labels = parts.config, parts.corpus.split("train").labels
    free, nudged = parts.estimator.free, parts.estimator.nudged
    counts = np.bincount(labels, minlength=parts.network.classes).tolist()
    record["remarks"] = advice.settling(record["health"], free, nudged, parts.engine.redraws)
    first = before[0] if before else record
    found = record["remarks"] + advice.chance(record, first, config, counts)
    return found + advice.left_alone(record, first, config) + advice.aged(record, config)


def _limits(parts: Session, record: Page, before: Sequence[Entries]) -> Page:
    """Return what limits learning on the chip; causes are searched for in epochs 1, 4, 16 and so on, or if none are."""
    epoch, last = record["epoch"], before[-1] if before else {}
    due = epoch in {4**power for power in range(epoch.bit_length())}
    if not due and "limits" in last and not limits.affordable(record, before):
        return limits.repeated(parts.config, record["arrays"], last, record.get("coherence"))
    with clock() as measuring:
        how = {"epoch": epoch, "before": last if "limits" in last else None, "search": due}
        found = limits.diagnose(parts, record["arrays"], coherence=record.get("coherence"), **how)
    spent = record["seconds"]
    seconds = {"compile": round(spent["compile"] + measuring.compiling, 3), "limits": round(measuring.computing, 3)}
    return {**found.as_dict(), "seconds": spent | seconds}


def notes(record: Entries) -> list[str]:
    """Return all that is to be said of an epoch: what limits learning, the worst limit first, and what is near one."""
    said = limits.told(record)
    near = [line for name, line in _near(record) if not any(f"{NEAR[name][1]} (" in line for line in said)]
    return [*said, *near, *record.get("remarks", ())]


LOST = 1e-5
"""Share of coincidences that get lost from which it is said."""
NEAR = {
    "weights_at_range": ("of weights at the range", limits.RANGE),
    "fast_at_bounds": ("of the fast array's devices at their bounds", "-"),
    "trains_too_short": ("of pulse trains too short", limits.TRAINS),
    "updates_leaked": ("of the updates leaked away", limits.LEAKED),
    "updates_disturbed": ("of the updates disturbed", limits.DISTURBED),
    "pulses_played": ("of moves played pulse by pulse", "-"),
    "phases_cut": ("of samples with a second phase beyond what counts are fitted to", "-"),
    "counts_lost": ("of coincidences beyond the counters", "-"),
    "devices_worn": ("of devices beyond their endurance", "-"),
    "adc_forward_at_stop": ("of forward ADC readings at full scale", limits.BEYOND),
    "adc_transposed_at_stop": ("of transposed ADC readings at full scale", limits.BEYOND),
    "dac_at_stop": ("of DAC inputs at full scale", limits.BEYOND),
}
"""What arrays tell of limits: in words, and the limit that it is among where that is said."""


def near_limits(record: Entries) -> list[str]:
    """Return what an epoch's record says of arrays near a limit: over 5 % of weights, trains, moves or readings.

    Of coincidences it is 1e-5: counters lose them of one phase alone, and the phases are nearly alike.
    """
    return [line for _, line in _near(record)]


def _near(record: Entries) -> Iterator[tuple[str, str]]:
    """Yield the names and the lines."""
    for synapse, found in record.get("arrays", {}).items():
        for name, share in found.items():
            if share > (LOST if name == "counts_lost" else 0.05):
                yield name, f"{synapse}: {share:{'.0%' if share > 0.01 else '.1g'}} {NEAR[name][0]}"


def _updates(parts: Session, epoch: int, step: int, progress: bool) -> tuple[dict[str, float | None], int]:
    """Measure and update over one epoch; return the mean health and the number of updates made so far."""
    from neuroep import data

    settings, split = parts.config.training, parts.corpus.split("train")
    label = f"epoch {epoch + 1}/{settings.epochs}"
    mean, every = _Mean(), None if parts.config.chip is None else parts.config.chip.acting.calibration_every
    lengths = parts.config.settling.calibrate_every if parts.counts_sweeps else None
    count = data.batch_count(split, settings.batch)
    for number, minibatch in enumerate(shown := bar(parts.shuffled(epoch), count, label, progress)):
        if every is not None and step and step % every == 0:
            parts.calibrate(step)
        if lengths is not None and step and step % lengths == 0:
            parts.find_lengths(step)
        measurement = parts.estimator.measure(parts.engine, minibatch.keyed("train", step), step)
        parts.engine.update(measurement.contrasts, parts.rates(epoch + number / count))
        mean.add(measurement.health, minibatch.size)
        step += 1
        shown.set_postfix(mean.values(("loss", "accuracy")), refresh=False)
    return _with_ratio(mean.values()), step


def _with_ratio(health: Mapping[str, float]) -> dict[str, float | None]:
    """Add the ratio of the mean displacements under the two nudges; None where -beta moved no output at all.

    A mean of ratios would drop the batches whose ratio is infinite, the very ones with dead outputs.
    """
    if "displacement_plus" not in health:
        return dict(health)
    plus, minus = health["displacement_plus"], health["displacement_minus"]
    return {**health, "displacement_ratio": None if minus == 0 else plus / minus}


class _Mean:
    """Mean of named numbers weighted by samples; what is not finite does not count. Of sweeps also the most."""

    def __init__(self) -> None:
        self._most: dict[str, float] = {}
        self._sums: dict[str, float] = {}
        self._weights: dict[str, int] = {}

    def add(self, numbers: Mapping[str, float], weight: int) -> None:
        for name, number in numbers.items():
            finite = math.isfinite(number)
            self._sums[name] = self._sums.get(name, 0.0) + (number * weight if finite else 0.0)
            self._weights[name] = self._weights.get(name, 0) + weight * finite
            if name in SWEEPS:
                self._most[f"most_{name}"] = max(self._most.get(f"most_{name}", 0.0), number)

    def values(self, names: tuple[str, ...] | None = None) -> dict[str, float]:
        wanted = [name for name in names or self._sums if name in self._sums]
        means = {name: self._sums[name] / self._weights[name] if self._weights[name] else math.nan for name in wanted}
        return means if names else means | self._most


def _probe(parts: Session, batch: Batch) -> dict[str, float]:
    """Return the cosine of EP's gradient to BPTT's by parameter, on any engine; BPTT looks as far back as EP nudges."""
    from neuroep.gradients import yardsticks

    with parts.engine.aside():
        return yardsticks.cosine_to_bptt(parts.engine, batch, parts.estimator, parts.estimator.nudged.steps)


def _probe_batch(parts: Session) -> Batch:
    """Draw the probe's samples, the same in every epoch and after a resume."""
    return parts.batch("train", parts.draw("train", parts.config.training.probe, "probe"))
