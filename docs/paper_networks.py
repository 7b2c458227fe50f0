"""The paper's networks at full size on real data, EP beside back-propagation through time and implicit differentiation.

    python docs/paper_networks.py train ROWS snli ep --data FOLDER --vectors FILE [--beta B] [--mask] [--seed N]
        [--epochs N] [--every N] [--test N] [--frozen NAME ...] [--kept FOLDER]
    python docs/paper_networks.py adopt ROWS snli --run RUN      # the epochs of a ``neuroep train`` as rows
    python docs/paper_networks.py memory ROWS snli METHOD --data FOLDER --vectors FILE --steps N ...
    python docs/paper_networks.py credit ROWS snli --data FOLDER --vectors FILE --weights CHECKPOINT
    python docs/paper_networks.py write ROWS                     # the tables and the picture of the page

The networks are those of examples/configs/{snli,imdb}_paper.toml: Bal and Sengupta, IJCAI 2023 (arXiv 2209.09626). All
methods begin at the same weights and see the same batches in the same order; free phases end at the same tolerance,
Adam has the same rates, and what is learned is judged by the same engine.

ep        as ``neuroep train examples/configs/snli_paper.toml`` does it, and with the same bits
bptt      back-propagation through the last BPTT layer-wise sweeps of the free phase, on the torch engine
implicit  implicit differentiation at the end of the free phase, on the torch engine

A row of ``train`` is what a training has reached after so many updates: accuracy on the test split, or on the first N samples of a
permutation of it (--test), CPU seconds of measuring and updating, without compiling and without judging. Trainings go
on from the checkpoint in --kept, written with each row.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from trainings import add, entries

from neuroep.data.batch import Batch
from neuroep.engines.schedule import Schedule
from neuroep.gradients import angles, yardsticks
from neuroep.runs import checkpoints, directory as runs
from neuroep.runs.checkpoints import About, Checkpoint
from neuroep.runs.compiling import warm_up
from neuroep.runs.memory import peak_memory, restart_peak_memory
from neuroep.runs.session import Session

CONFIGS = {name: f"examples/configs/{name}_paper.toml" for name in ("snli", "imdb")}
METHODS = ("ep", "bptt", "implicit")
STEPWISE = (*METHODS[:2], "bptt, steps again")
"""Methods that look through a number of steps: the last one keeps the states alone and computes each step again."""
BETAS = (0.02, 0.1, 0.5)
BPTT = 6
"""Layer-wise sweeps that are unrolled."""
ADJOINT = 1e-3
"""Implicit differentiation ends when the adjoint changes by no more than that share of its largest entry."""
ON_TORCH = ("--engine.kind", "reference", "--engine.device", "cpu", "--engine.products", "full")


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

    @property
    def words(self) -> list[str]:
        """Settings as ``neuroep train`` takes them."""
        given = ["--estimator.beta", str(self.beta), "--network.mask", str(self.mask).lower()]
        given += ["--training.seed", str(self.seed), "--engine.threads", "1", *self.settings]
        for name in self.frozen:
            given += [f"--optimiser.rates.{name}", "0"]
        return given

    @property
    def about(self) -> dict[str, Any]:
        """What tells a training from others."""
        beta = {"beta": self.beta} if self.method == "ep" else {}
        return {"data": self.data, "method": self.method, **beta, "mask": self.mask, "seed": self.seed,
                "frozen": list(self.frozen)}  # fmt: skip

    def open(self, torch_parts: bool, corpus: Any = None) -> Session:
        """Open it on the local engine or on torch."""
        more = ON_TORCH if torch_parts else ()
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
    """Of the CPU, measuring and updating."""

    def __post_init__(self) -> None:
        rival = self.study.method != "ep"
        self.session = self.study.open(rival)
        self.judge = self.study.open(False, self.session.corpus) if rival else self.session
        if not rival:
            warm_up(self.session.config)

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
        begin, keyed = time.process_time(), batch.keyed("train", self.updates)
        if self.study.method == "ep":
            measured = estimator.measure(engine, keyed, self.updates)
            contrasts, health = measured.contrasts, measured.health
        else:
            gradient = yardstick(self.study.method, estimator.free).gradient(engine, keyed)
            contrasts, health = given(gradient), {}
        engine.update(contrasts, self.session.rates(epoch))
        self.seconds += time.process_time() - begin
        self.updates += 1
        return health

    def judged(self, test: int | None) -> dict[str, float]:
        """Return how well the test split is told, or the first samples of a permutation of it."""
        if self.judge is not self.session:
            self.judge.engine.load_parameters(self.session.engine.parameters())
        only = None if test is None else np.random.default_rng(0).permutation(len(self.judge.corpus.split("test")))[:test]
        found = self.judge.evaluate("test", only=only)
        return {"accuracy": 100 * found.accuracy, "loss": found.loss, "samples": found.samples,
                "dead": found.dead_outputs, "sweeps": found.steps}  # fmt: skip

    def save(self, file: Path) -> None:
        """Write weights, moments and place."""
        engine, config = self.session.engine, self.session.config
        about = About(engine.network.signature(), self.updates // self.epoch_length, self.updates, config.training.seed)
        checkpoints.save(file, Checkpoint(about, engine.parameters(), engine.optimiser_state(), engine.device_state()))

    def load(self, file: Path, seconds: float) -> None:
        """Go on where another has stopped."""
        found = checkpoints.load(file)
        self.session.engine.load_parameters(found.parameters)
        self.session.engine.load_optimiser_state(found.optimiser, found.devices)
        self.updates, self.seconds = found.about.updates, seconds


def given(gradient: Mapping[str, np.ndarray]) -> dict[str, Given]:
    """Return gradients by parameter as what arrays are updated with."""
    found = {}
    for name in {parameter.rpartition(".")[0]: None for parameter in gradient}:
        weight, bias = (gradient.get(f"{name}.{part}") for part in ("weight", "bias"))
        found[name] = Given(torch.as_tensor(weight), None if bias is None else torch.as_tensor(bias))
    return found


def train(path: Path, study: Study, epochs: float, every: int, test: int | None, kept: Path | None) -> None:
    """Train, with a row after every so many updates and at the end of each epoch."""
    course = Course(study)
    own = [row for row in entries(path) if row["kind"] == "training" and study.about.items() <= row.items()]
    file = None if kept is None else kept / f"{label(study)}.safetensors"
    if file is not None and file.exists() and own:
        course.load(file, own[-1]["seconds"])
    last, health = round(epochs * course.epoch_length), []
    if course.updates >= last:
        return
    for epoch, batch in course.batches():
        health.append(course.update(epoch, batch))
        if course.updates % every == 0 or course.updates % course.epoch_length == 0 or course.updates == last:
            row = {"kind": "training", **study.about, "updates": course.updates, "seconds": round(course.seconds, 2)}
            row |= {"epoch": course.updates / course.epoch_length, "train": means(health)} | course.judged(test)
            row |= {"settings": list(study.settings), "peak_mib": peak_memory()}
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
    study = Study(network, "ep", (), "", config.estimator.beta, config.network.mask, config.training.seed)
    for record in found.metrics:
        test = record["evaluate"]["test"]
        row = {"kind": "training", **study.about, "updates": record["updates"], "epoch": float(record["epoch"])}
        if any(row.items() <= each.items() for each in there):
            continue
        row |= {"train": {**record["train"], **record["health"]}, "accuracy": 100 * test["accuracy"]}
        row |= {name: test[name] for name in ("loss", "samples")}
        row |= {"dead": test["dead_outputs"], "sweeps": test["steps"], "peak_mib": record["peak_memory_mib"]}
        add(path, row)


def memory(path: Path, study: Study, method: str, steps: Sequence[int]) -> None:
    """Add the peak memory of a measurement and an update by the number of steps; one process for each method."""
    session = study.open(method != "ep")
    engine, rates = session.engine, session.rates(0)
    batch = session.batch("train", np.arange(session.config.training.batch))
    free = replace(session.estimator.free.whole(), steps=5)
    done = 0

    def once(number: int) -> None:
        nudged = session.estimator.nudged.whole(number)
        if method == "ep":
            contrasts = replace(session.estimator, free=free, nudged=nudged).measure(engine, batch, done).contrasts
        else:
            way = yardsticks.BPTT(free, number, "layerwise", kept=method == "bptt")
            contrasts = given(way.gradient(engine, batch))
        engine.update(contrasts, rates)

    once(1)
    for number in steps:
        restart_peak_memory()
        before, begin = peak_memory(), time.process_time()
        once(number)
        spent, peak, done = time.process_time() - begin, peak_memory(), done + 1
        add(path, {"kind": "memory", "data": study.data, "method": method, "mask": study.mask, "steps": number,
                   "samples": batch.size, "before_mib": before, "peak_mib": peak, "seconds": round(spent, 2)})  # fmt: skip


def credit(path: Path, study: Study, weights: Path, batches: int = 2, samples: int = 100) -> None:
    """Add errors and cosines of gradients at trained weights, by layer, means over the batches."""
    torch_parts = study.open(True)
    local = study.open(False, torch_parts.corpus)
    saved = checkpoints.load(weights, optimiser=False)
    for session in (torch_parts, local):
        session.engine.load_parameters(saved.parameters)
    exact = yardsticks.as_reference(torch_parts.engine)
    ways: dict[str, Any] = {f"ep, beta {beta:g}": replace(local.estimator, beta=beta) for beta in BETAS}
    ways |= {name: yardstick(name, torch_parts.estimator.free) for name in METHODS[1:]}
    told: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for turn in range(batches):
        batch = local.batch("train", np.arange(turn * samples, (turn + 1) * samples))
        wanted = yardsticks.Implicit(Schedule(steps=400, tolerance=1e-9), tolerance=1e-8).gradient(exact, batch)
        for name, way in ways.items():
            engine = local.engine if name.startswith("ep") else torch_parts.engine
            found = way.gradient(engine, batch)
            for layer in (each for each in wanted if each.endswith("weight")):
                both = angles.relative_error(found[layer], wanted[layer]), angles.cosine(found[layer], wanted[layer])
                told.setdefault((name, layer.removesuffix(".weight")), []).append(both)
    for (name, layer), both in told.items():
        error, cosine = np.mean(both, axis=0).tolist()
        add(path, {"kind": "credit", "data": study.data, "mask": study.mask, "updates": saved.about.updates, "way": name,
                   "layer": layer, "error": error, "cosine": cosine, "samples": batches * samples})  # fmt: skip


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("train", "adopt", "memory", "credit", "write"))
    parser.add_argument("rows", type=Path)
    parser.add_argument("network", nargs="?", choices=tuple(CONFIGS))
    parser.add_argument("method", nargs="?", choices=(*METHODS, *STEPWISE[2:]))
    parser.add_argument("--data")
    parser.add_argument("--vectors")
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--mask", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--every", type=int, default=10**9)
    parser.add_argument("--test", type=int)
    parser.add_argument("--frozen", nargs="*", default=())
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--steps", type=int, nargs="+", default=(1, 5, 10, 20, 30))
    parser.add_argument("--run", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--limit", type=int, help="training samples")
    chosen = parser.parse_args()
    settings = () if chosen.data is None else ("--data.path", chosen.data, "--data.vectors", chosen.vectors)
    settings += () if chosen.limit is None else ("--data.limit", str(chosen.limit))
    own = chosen.beta, chosen.mask, chosen.seed, tuple(chosen.frozen)
    study = Study(chosen.network, chosen.method, settings, "", *own)
    if chosen.task == "train":
        train(chosen.rows, study, chosen.epochs, chosen.every, chosen.test, chosen.kept)
    elif chosen.task == "adopt":
        adopt(chosen.rows, chosen.network, chosen.run)
    elif chosen.task == "memory":
        memory(chosen.rows, study, chosen.method, chosen.steps)
    elif chosen.task == "credit":
        credit(chosen.rows, study, chosen.weights)


if __name__ == "__main__":
    main()
