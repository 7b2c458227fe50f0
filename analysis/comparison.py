"""Comparison: the same network, data and seeds on the reference, on exact local arithmetic, and on chips.

    found = analysis.comparison.run(config, chips=["pcm", "hermes"], out="runs/compare")
    found.as_text()

Each contestant predicts the training and the test samples. ``deploy`` programs the weights that exact local arithmetic
has learned on the chips; ``learn`` lets every chip learn by itself. What is compared layer by layer (states along the
free phase, energy, gradients) is measured with one and the same set of weights, those of the local engine, so that only
the arithmetic differs. Gradients: the configured estimator against back-propagation through time, for the weights as
the contestant's arrays conduct them and for those that were programmed.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.folders import appearing, check_free
from analysis.gradient_error import CONVERGED
from hw_models import pages
from hw_models.chip import Chip
from hw_models.errors import ChipError
from neuroep import config as configuration, data, runs, training, yardsticks
from neuroep.assembly import Assembly, assemble, calibrate, check_update
from neuroep.checkpoints import Checkpoint
from neuroep.config import Config
from neuroep.data.baseline import bag_of_words_accuracy
from neuroep.errors import ConfigError, unknown
from neuroep.evaluation import difference
from neuroep.memory import peak_memory, restart_peak_memory
from neuroep.overrides import merged
from neuroep.randomness import generator
from neuroep.runs import Run

MODES = ("deploy", "learn")
IDEAL = {"reference": ["--engine", "reference", "--chip", "none"], "local": ["--engine", "local", "--chip", "none"]}
RESULTS, TABLE, PICTURES = "comparison.json", "comparison.txt", ("comparison.png",)
FOLLOWED = 32
"""Test samples whose states and gradients are compared."""
STEPS = 12
"""Sweeps of the free phase that are followed."""
Report = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Agreement:
    """Gradient of one parameter beside the exact one."""

    parameter: str
    cosine: float
    """With the exact gradient for the weights as the arrays conduct them: what EP is worth on this chip."""
    relative_error: float
    """Of the same."""
    nominal: float
    """Cosine with the exact gradient for the weights that were programmed."""


@dataclass(frozen=True)
class Contestant:
    """What one engine or chip made of the network."""

    name: str
    accuracy: dict[str, float]
    """By split."""
    agreement: float
    """Share of test samples whose predicted class is that of the reference."""
    steps: float
    """Mean settle steps of a test sample."""
    seconds: dict[str, float]
    """[s] of training, 0 where weights were taken over, and of predicting both splits; compiling included."""
    memory_mib: float | None
    """Largest resident memory while it ran, the program's own included [MiB]."""
    counters: dict[str, float]
    """Counted per test sample."""
    divergence: dict[str, list[float]]
    """By layer, ||s - s_reference|| / ||s_reference|| after each sweep of the free phase."""
    energy: list[float]
    """Mean free energy after each sweep."""
    gradient: list[Agreement]
    chip: dict[str, Any] | None
    """What differs from an ideal chip; None without one."""


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

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        engines = {found.name: asdict(found) for found in self.contestants}
        page = {"mode": self.mode, "config": self.config.to_dict(), "engines": engines, "pictures": list(PICTURES)}
        chips = {name: chip.to_dict() for name, chip in self.chips.items()}
        return page | {"bag_of_words": self.bag_of_words, "chips": chips}

    def as_text(self) -> str:
        """Return a table for reading."""
        width = max(len(found.name) for found in self.contestants) + 2
        head = ("train", "test", "agree", "steps", "worst cosine", "seconds", "MiB")
        lines = [f"{'':<{width}}" + "".join(f"{title:>{max(9, len(title) + 2)}}" for title in head)]
        for found in self.contestants:
            worst = min((row.cosine for row in found.gradient), default=float("nan"))
            memory = "" if found.memory_mib is None else f"{found.memory_mib:.0f}"
            lines.append(
                f"{found.name:<{width}}{found.accuracy['train']:>9.1%}{found.accuracy['test']:>9.1%}"
                f"{found.agreement:>9.1%}{found.steps:>9.1f}{worst:>14.4f}{sum(found.seconds.values()):>9.1f}{memory:>9}"
            )
        if self.bag_of_words is not None:
            lines.append(f"{'bag of words':<{width}}{'':>9}{self.bag_of_words:>9.1%}")
        return "\n".join([*lines, f"written to {self.out}: {RESULTS}, {', '.join(PICTURES)}, and the run directories"])


def run(
    source: Config | Run,
    chips: Sequence[str],
    out: str | Path,
    *,
    mode: str = "deploy",
    progress: bool = False,
    report: Report | None = None,
) -> Comparison:
    """Compare the reference, exact local arithmetic and chips.

    Parameters
    ----------
    source : Config or Run
        What to train; of a run the weights are taken as they are and nobody trains but chips that learn.
    chips : sequence of str
        Presets, registered chips or TOML files.
    out : str or Path
        New or empty directory.
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
    from analysis.pictures.style import save

    if mode not in MODES:
        raise ConfigError(unknown("mode", mode, MODES))
    check_free(Path(out))
    settings = contestants(source.config if isinstance(source, Run) else source, chips, mode)
    weights = source.checkpoint(optimiser=False) if isinstance(source, Run) else None
    with appearing(Path(out)) as folder:
        bench = _Bench(folder, mode, weights, progress, report)
        judged = {name: bench.judge(name, config) for name, config in settings.items()}
        found = tuple(replace(one, **bench.follow(settings[name])) for name, one in judged.items())
        used = {name: config.chip for name, config in settings.items() if config.chip is not None}
        result = Comparison(Path(out), mode, settings["local"], found, bench.bag_of_words, used)
        save(picture(result), folder / PICTURES[0])
        (folder / RESULTS).write_text(runs.as_json(result.as_dict(), indent=1) + "\n", encoding="utf-8")
        (folder / TABLE).write_text(result.as_text() + "\n", encoding="utf-8")
    return result


def load(directory: str | Path) -> Comparison:
    """Read a comparison back.

    Raises
    ------
    ConfigError
        If the directory holds none, or a damaged one.
    """
    path = Path(directory) / RESULTS
    try:
        page = json.loads(path.read_text(encoding="utf-8"))
        found = tuple(_contestant(one) for one in page["engines"].values())
        chips = {name: Chip.parse(values) for name, values in page["chips"].items()}
        config = configuration.parse(page["config"], str(path))
        return Comparison(Path(directory), page["mode"], config, found, page["bag_of_words"], chips)
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
    return Contestant(**{**values, "gradient": [Agreement(**row) for row in rows]})


def contestants(base: Config, chips: Sequence[str], mode: str) -> dict[str, Config]:
    """Return the configuration of each contestant by its name; a chip of the configuration itself takes part too."""
    found = {name: _changed(base, overrides) for name, overrides in IDEAL.items()}
    named = [_changed(base, ["--engine", "local", "--chip", chip]) for chip in chips]
    for config in ([base] if base.chip is not None else []) + named:
        if mode == "learn":
            check_update(config)
        if config.chip is not None:
            name = pages.label(config.chip)
            if name in found:
                raise ConfigError(f"chip '{name}' takes part twice: name each once")
            found[name] = config
    return found


def _changed(base: Config, overrides: Sequence[str]) -> Config:
    return configuration.parse(merged(base.to_dict(), overrides), "comparison")


class _Bench:
    """Trains, deploys and measures one contestant after another; keeps what they share."""

    def __init__(
        self, folder: Path, mode: str, weights: Checkpoint | None, progress: bool, report: Report | None
    ) -> None:
        self.folder, self.mode, self.progress, self.report = folder, mode, progress, report
        self.weights = weights
        """Of the local engine; None until it has learned them."""
        self.trains = weights is None
        self.classes: np.ndarray | None = None
        self.corpus: Any = None
        self.followed: dict[str, Any] = {}

    @property
    def bag_of_words(self) -> float | None:
        """Test accuracy of word counts, where the corpus has one sequence."""
        return bag_of_words_accuracy(self.corpus) if len(self.corpus.sequences) == 1 else None

    def judge(self, name: str, config: Config) -> Contestant:
        """Train or deploy one contestant and let it predict both splits."""
        restart_peak_memory()
        started = time.perf_counter()
        learns = (self.trains and config.chip is None) or (self.mode == "learn" and config.chip is not None)
        parts = self._trained(name, config) if learns else self._deployed(config)
        trained, self.corpus = time.perf_counter(), parts.corpus
        train, _, _ = self._predict(parts, "train")
        test, steps, counters = self._predict(parts, "test")
        labels = parts.corpus.split("train").labels, parts.corpus.split("test").labels
        if self.classes is None:
            self.classes = test
        ended = time.perf_counter()
        return Contestant(
            name,
            {"train": float((train == labels[0]).mean()), "test": float((test == labels[1]).mean())},
            float((test == self.classes).mean()),
            steps,
            {"train": trained - started if learns else 0.0, "predict": ended - trained},
            peak_memory(),
            counters,
            {},
            [],
            [],
            None if config.chip is None else config.chip.differences(),
        )

    def _trained(self, name: str, config: Config) -> Assembly:
        """Train into a run directory; return the parts as training left them, a chip's devices included."""
        told = None if self.report is None else (lambda record: self.report(name, record))  # type: ignore[misc]
        place = self.folder / "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
        training.train(config, place, progress=self.progress, report=told)
        saved = runs.load(place).checkpoint()
        parts = assemble(config, saved)
        parts.engine.load_optimiser_state(saved.optimiser)
        if name == "local":
            self.weights = saved
        return parts

    def _deployed(self, config: Config) -> Assembly:
        """Give an engine the common weights; those of a chip are programmed, its ranges calibrated."""
        parts = assemble(config, self.weights)
        calibrate(parts)
        return parts

    def _predict(self, parts: Assembly, split: str) -> tuple[np.ndarray, float, dict[str, float]]:
        """Return predicted classes, mean settle steps, and what was counted per sample."""
        engine, samples = parts.engine, len(parts.corpus.split(split))
        counted = engine.counters()
        classes = predictions(parts, split)
        grown = difference(engine.counters(), counted)
        counters = {name: number / samples for name, number in grown.items()}
        return classes, counters["settle_steps"], counters

    def follow(self, config: Config) -> dict[str, Any]:
        """Measure states, energy and gradients of one contestant with the common weights."""
        parts = self._deployed(config)
        batch = self._batch(parts)
        engine, schedule = parts.engine, replace(parts.estimator.free, steps=STEPS, tolerance=0.0)
        settled = engine.settle(batch, schedule, record=("states", "energy"))
        trace = settled.trace.states if settled.trace else []
        states = [{name: engine.to_numpy(value) for name, value in state.values.items()} for state in trace]
        gradient = parts.estimator.gradient(engine, batch, step=0)
        bptt = yardsticks.BPTT(CONVERGED, parts.config.settling.nudged_steps, order="layerwise")
        exact = bptt.gradient(yardsticks.as_reference(engine), batch)
        self.followed = self.followed or {"states": states, "gradient": exact}
        rows = [
            Agreement(
                name,
                yardsticks.cosine(gradient[name], exact[name]),
                yardsticks.relative_error(gradient[name], exact[name]),
                yardsticks.cosine(gradient[name], nominal),
            )
            for name, nominal in self.followed["gradient"].items()
        ]
        pairs = list(zip(states, self.followed["states"], strict=True))
        miss = yardsticks.relative_error
        divergence = {name: [miss(now[name], then[name]) for now, then in pairs] for name in states[0]}
        energy = [float(np.mean(entry)) for entry in settled.trace.energy] if settled.trace else []
        return {"divergence": divergence, "energy": energy, "gradient": rows}

    def _batch(self, parts: Assembly) -> Any:
        split, corpus = parts.corpus.split("test"), parts.corpus
        chosen = generator(parts.config.training.seed, "comparison").permutation(len(split))[:FOLLOWED]
        return next(data.batches(split.take(np.sort(chosen)), corpus.vectors, FOLLOWED, sequences=corpus.sequences))


def predictions(parts: Assembly, split: str) -> np.ndarray:
    """Return the predicted class of every sample of a split, (samples,)."""
    corpus, engine = parts.corpus, parts.engine
    batches = data.batches(corpus.split(split), corpus.vectors, parts.config.training.batch, sequences=corpus.sequences)
    found = []
    for number, batch in enumerate(batches):
        engine.begin("evaluate", split, number)
        found.append(engine.outputs(engine.settle(batch, parts.estimator.free)).argmax(axis=1))
    return np.concatenate(found)
