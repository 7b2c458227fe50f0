"""Trainings of the paper's networks by EP and by its rivals, row by row: see docs/paper_networks.py."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from trainings import add, entries

from neuroep.data.batch import Batch
from neuroep.engines.schedule import Schedule
from neuroep.gradients import yardsticks
from neuroep.runs import checkpoints, directory as runs
from neuroep.runs.checkpoints import About, Checkpoint
from neuroep.runs.compiling import warm_up
from neuroep.runs.memory import peak_memory
from neuroep.runs.session import Session

CONFIGS = {name: f"examples/configs/{name}_paper.toml" for name in ("snli", "imdb")}
METHODS = ("ep", "bptt", "implicit")
BPTT = 6
"""Layer-wise sweeps that are unrolled."""
ADJOINT = 1e-3
"""Implicit differentiation ends when the adjoint changes by no more than that share of its largest entry."""
PLACES = ("--data.path", "--data.vectors")
ON_TORCH = ("--engine.kind", "reference", "--engine.products", "full")


@dataclass(frozen=True)
class Given:
    """A gradient that is known, in the place of a contrast."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    def weight_gradient(self) -> torch.Tensor:
        """Return dL/dW."""
        return self.weight

    def bias_gradient(self) -> torch.Tensor | None:
        """Return dL/db."""
        return self.bias


@dataclass(frozen=True)
class Study:
    """One training."""

    data: str
    method: str
    settings: tuple[str, ...] = ()
    """Of data, and other than the configuration's."""
    source: str | Path = ""
    """Configuration; default that of the data."""
    beta: float = 0.1
    mask: bool = False
    seed: int = 0
    frozen: tuple[str, ...] = ()
    """Synapses that do not learn."""
    output_bias: float | None = 1.0
    """Of the outputs at the start; None leaves it as drawn, as torch's layers do."""
    device: str = "cpu"
    """On a GPU all methods train on torch, in single precision, and are judged there; on the CPU EP is local."""

    @property
    def words(self) -> list[str]:
        """Settings as ``neuroep train`` takes them."""
        given = ["--estimator.beta", str(self.beta), "--network.mask", str(self.mask).lower()]
        given += ["--network.output_bias", str(self.output_bias).lower()]
        given += ["--training.seed", str(self.seed), "--engine.threads", "1", *self.settings]
        for name in self.frozen:
            given += [f"--optimiser.rates.{name}", "0"]
        return given

    @property
    def told(self) -> list[str]:
        """Settings that rows tell: not where the data lie."""
        named = zip(self.settings[::2], self.settings[1::2], strict=True)
        return [word for pair in named if pair[0] not in PLACES for word in pair]

    @property
    def about(self) -> dict[str, Any]:
        """What tells a training from others."""
        beta = {"beta": self.beta} if self.method == "ep" else {}
        return {"data": self.data, "method": self.method, **beta, "mask": self.mask, "output_bias": self.output_bias,
                "seed": self.seed, "frozen": list(self.frozen)}  # fmt: skip

    @property
    def on_torch(self) -> bool:
        """Whether torch trains it."""
        return self.method != "ep" or self.device != "cpu"

    def open(self, torch_parts: bool, corpus: Any = None) -> Session:
        """Open it on the local engine or on torch."""
        more = (*ON_TORCH, "--engine.device", self.device) if torch_parts else ()
        return Session.open(self.source or CONFIGS[self.data], overrides=[*self.words, *more], corpus=corpus)


def yardstick(method: str, free: Schedule) -> yardsticks.BPTT | yardsticks.Implicit:
    """Return the rival of that name."""
    if method == "bptt":
        return yardsticks.BPTT(free, BPTT, "layerwise", kept=True)
    return yardsticks.Implicit(free, tolerance=ADJOINT)


@dataclass
class Course:
    """A training on its way."""

    study: Study
    session: Session = field(init=False)
    judge: Session = field(init=False)
    updates: int = 0
    seconds: float = 0.0
    """Of the CPU, on a GPU of the clock, measuring and updating."""

    def __post_init__(self) -> None:
        self.session = self.study.open(self.study.on_torch)
        elsewhere = self.study.on_torch and self.study.device == "cpu"
        self.judge = self.study.open(False, self.session.corpus) if elsewhere else self.session
        if not self.study.on_torch:
            warm_up(self.session.config)

    @property
    def device(self) -> dict[str, str]:
        """The GPU, where there is one, as rows name it."""
        return {} if self.study.device == "cpu" else {"device": self.session.engine.describe()["device"]}

    def clock(self) -> float:
        """Return seconds of the CPU, or those of the clock once a GPU has done what it was told."""
        if self.study.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    @property
    def epoch_length(self) -> int:
        """Updates of an epoch."""
        return -(-len(self.session.corpus.split("train")) // self.session.config.training.batch)

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """Yield epoch and batch of what is still to be seen, for ever."""
        epoch, behind = divmod(self.updates, self.epoch_length)
        while True:
            for batch in islice(self.session.shuffled(epoch), behind, None):
                yield epoch, batch
            epoch, behind = epoch + 1, 0

    def update(self, epoch: int, batch: Batch) -> dict[str, float]:
        """Measure and update once; return health numbers."""
        engine, estimator = self.session.engine, self.session.estimator
        begin, keyed = self.clock(), batch.keyed("train", self.updates)
        if self.study.method == "ep":
            measured = estimator.measure(engine, keyed, self.updates)
            contrasts, health = measured.contrasts, measured.health
        else:
            gradient = yardstick(self.study.method, estimator.free).gradient(engine, keyed)
            contrasts, health = given(gradient, self.study.device), {}
        engine.update(contrasts, self.session.rates(epoch))
        self.seconds += self.clock() - begin
        self.updates += 1
        return health

    def judged(self, test: int | None) -> dict[str, float]:
        """Return how well the test split is told, or the first samples of a permutation of it."""
        if self.judge is not self.session:
            self.judge.engine.load_parameters(self.session.engine.parameters())
        drawn = np.random.default_rng(0).permutation(len(self.judge.corpus.split("test")))
        only = None if test is None else drawn[:test]
        found = self.judge.evaluate("test", only=only)
        return {"accuracy": 100 * found.accuracy, "loss": found.loss, "samples": found.samples,
                "dead": found.dead_outputs, "sweeps": found.steps}  # fmt: skip

    def save(self, file: Path) -> None:
        """Write weights, moments and place."""
        engine, config = self.session.engine, self.session.config
        about = About(engine.network.signature(), self.updates // self.epoch_length, self.updates, config.training.seed)
        checkpoints.save(file, Checkpoint(about, *engine.live()))

    def load(self, file: Path, seconds: float) -> None:
        """Go on where another has stopped."""
        found = checkpoints.load(file)
        self.session.engine.load_parameters(found.parameters)
        self.session.engine.load_optimiser_state(found.optimiser, found.devices)
        self.updates, self.seconds = found.about.updates, seconds


def given(gradient: Mapping[str, np.ndarray], device: str = "cpu") -> dict[str, Given]:
    """Return gradients by parameter as what arrays on that device are updated with."""
    found = {}
    for name in {parameter.rpartition(".")[0]: None for parameter in gradient}:
        weight, bias = (gradient.get(f"{name}.{part}") for part in ("weight", "bias"))
        there = None if bias is None else torch.as_tensor(bias, device=device)
        found[name] = Given(torch.as_tensor(weight, device=device), there)
    return found


def train(path: Path, study: Study, epochs: float, every: int, test: int | None, kept: Path | None) -> None:
    """Train, with a row after every so many updates and at the end of each epoch."""
    course = Course(study)
    about = study.about | course.device
    own = [row for row in entries(path) if row["kind"] == "training" and about.items() <= row.items()]
    file = None if kept is None else kept / f"{label(study)}.safetensors"
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
    if file is not None and file.exists() and own:
        course.load(file, own[-1]["seconds"])
    last, health = round(epochs * course.epoch_length), []
    if course.updates >= last:
        return
    for epoch, batch in course.batches():
        health.append(course.update(epoch, batch))
        if course.updates % every == 0 or course.updates % course.epoch_length == 0 or course.updates == last:
            row = {"kind": "training", **about, "updates": course.updates, "seconds": round(course.seconds, 2)}
            row |= {"epoch": course.updates / course.epoch_length, "train": means(health)} | course.judged(test)
            row |= {"settings": study.told, "peak_mib": peak_memory()}
            if file is not None:
                course.save(file)
            add(path, row)
            health = []
        if course.updates == last:
            return


def label(study: Study) -> str:
    """Return a name for files."""
    return "-".join(str(part) for part in study.about.values() if part not in ([], None)).replace(" ", "")


def means(health: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the means of health numbers."""
    names = health[0] if health else ()
    return {name: round(float(np.mean([each[name] for each in health])), 5) for name in names}


def adopt(path: Path, network: str, run: Path) -> None:
    """Add the epochs of a run directory; seconds are those of the clock there, and are left out."""
    found = runs.load(run)
    config, there = found.config, entries(path)
    own: dict[str, Any] = {"beta": config.estimator.beta, "mask": config.network.mask, "seed": config.training.seed}
    study = Study(network, "ep", **own, output_bias=config.network.output_bias)
    for record in found.metrics:
        test = record["evaluate"]["test"]
        row = {"kind": "training", **study.about, "updates": record["updates"], "epoch": float(record["epoch"])}
        if any(row.items() <= each.items() for each in there):
            continue
        row |= {"train": {**record["train"], **record["health"]}, "accuracy": 100 * test["accuracy"]}
        row |= {name: test[name] for name in ("loss", "samples")}
        row |= {"dead": test["dead_outputs"], "sweeps": test["steps"], "peak_mib": record["peak_memory_mib"]}
        add(path, row)
