"""The demo: one network, one seed, trained on both engines, side by side with a bag of words.

    result = analysis.demo.run()
    result.as_text()

It trains on the generated reviews, which need no download: what the review says comes down to one adjective that
belongs to the aspect named at the start, and to a negation, so counting words helps little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analysis import gdu, style
from analysis.folders import appearing, check_free, unused
from analysis.gdu import GDU
from analysis.gradcheck import SMALL, STEPS
from analysis.gradient_error import CONVERGED
from analysis.gradient_pictures import plot_gdu
from analysis.settling_pictures import Descent, follow, plot_energy
from analysis.training_pictures import Metrics, plot_training
from neuroep import config as configuration, data, estimators, runs, training
from neuroep.assembly import Assembly, assemble
from neuroep.config import Config
from neuroep.data.baseline import bag_of_words_accuracy
from neuroep.evaluation import evaluate
from neuroep.settling import Schedule
from neuroep.yardsticks import as_reference

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "network": {"kind": "sentiment", "tokens": 40, "dense": [64, 2], "readout": "pooled", "output_bias": 1.0},
    "data": {"name": "reviews"},
    "settling": {"free_steps": 10, "nudged_steps": 10, "tolerance": 1e-4},
    "estimator": {"kind": "centred", "beta": 0.2},
    "optimiser": {"projection_rate": 1e-2, "dense_rate": 3e-3, "decay_epochs": 10},
    "training": {"epochs": 10, "batch": 50},
}
"""The settings of examples/configs/reviews.toml, which an installed package does not carry."""

ENGINES = ("local", "reference")
DEFAULT = Path("runs/demo")
PICTURE, RESULTS = "demo.png", "results.json"
FOLLOWED = 50
"""Test samples whose settling is followed."""


@dataclass(frozen=True)
class Trained:
    """What one engine made of the network."""

    engine: str
    train: float
    """Accuracy on the training samples, after the last epoch."""
    test: float
    """Accuracy on the test samples."""
    seconds: float
    """Of training and the evaluations between epochs [s], compiling included."""


@dataclass(frozen=True)
class Demo:
    """What :func:`run` found."""

    out: Path
    engines: tuple[Trained, ...]
    agreement: float
    """Share of test samples for which both engines predict the same class."""
    bag_of_words: float
    """Test accuracy of logistic regression on word counts."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "engines": [asdict(trained) for trained in self.engines],
            "agreement": self.agreement,
            "bag_of_words": self.bag_of_words,
        }

    def as_text(self) -> str:
        """Return a short table for reading."""
        lines = [f"{'':<14}{'train':>9}{'test':>9}{'seconds':>9}"]
        for found in self.engines:
            lines.append(f"{found.engine:<14}{found.train:>9.1%}{found.test:>9.1%}{found.seconds:>9.1f}")
        lines.append(f"{'bag of words':<14}{'':>9}{self.bag_of_words:>9.1%}")
        names = " and ".join(found.engine for found in self.engines)
        lines.append(f"{names} predict the same class for {self.agreement:.1%} of the test samples")
        return "\n".join([*lines, f"written to {self.out}: {PICTURE}, {RESULTS}, and a run directory for each engine"])


def settings(**training: Any) -> Config:
    """Return the configuration of the demo.

    Parameters
    ----------
    **training
        Changes to its section ``training``, for example ``epochs=2``.
    """
    tables = {name: dict(table) for name, table in SETTINGS.items()}
    tables["training"] |= training
    return configuration.parse(tables, "demo")


def run(
    out: str | Path | None = None,
    *,
    config: Config | None = None,
    progress: bool = False,
    report: Callable[[str, Mapping[str, Any]], None] | None = None,
) -> Demo:
    """Train on both engines and compare.

    Parameters
    ----------
    out : str or Path, optional
        New or empty directory; default ``runs/demo``, or ``runs/demo-2`` and so on if that exists.
    config : Config, optional
        What to train instead of the reviews.
    progress : bool
        Show bars on a terminal.
    report : callable, optional
        Called with engine and record after each epoch.

    Raises
    ------
    ConfigError
        If the directory is not empty or cannot be written.
    """
    out = unused(DEFAULT) if out is None else Path(out)
    check_free(out)
    base = settings() if config is None else config
    with appearing(out) as folder:
        parts = {engine: _train(base, engine, folder, progress, report) for engine in ENGINES}
        metrics = {engine: runs.load(folder / engine).metrics for engine in ENGINES}
        corpus = parts[ENGINES[0]].corpus
        classes = [predictions(part, "test") for part in parts.values()]
        labels = corpus.split("test").labels
        trained = tuple(
            _judged(part, float(np.mean(found == labels)), metrics[engine])
            for (engine, part), found in zip(parts.items(), classes, strict=True)
        )
        result = Demo(out, trained, float(np.mean(classes[0] == classes[1])), bag_of_words_accuracy(corpus))
        descent, curves = _settling(parts[ENGINES[0]])
        style.save(picture(metrics, result.bag_of_words, descent, curves), folder / PICTURE)
        page = {**result.as_dict(), "energy": descent.as_dict(), "gdu": curves.as_dict()}
        (folder / RESULTS).write_text(runs.as_json(page, indent=1) + "\n", encoding="utf-8")
    return result


def _train(base: Config, engine: str, folder: Path, progress: bool, report: Callable | None) -> Assembly:
    """Train into a run directory and return the parts with the trained weights."""
    tables = base.to_dict()
    tables["engine"]["kind"] = engine
    config = configuration.parse(tables, "demo")
    tell = None if report is None else (lambda record: report(engine, record))
    training.train(config, folder / engine, progress=progress, report=tell)
    return assemble(config, runs.load(folder / engine).checkpoint(optimiser=False))


def _judged(parts: Assembly, test: float, metrics: Metrics) -> Trained:
    batch = parts.config.training.batch
    train = evaluate(parts.engine, parts.corpus, "train", parts.estimator.free, batch=batch).accuracy
    return Trained(parts.engine.name, train, test, sum(sum(record["seconds"].values()) for record in metrics))


def predictions(parts: Assembly, split: str) -> np.ndarray:
    """Return the predicted class of every sample of a split, (samples,)."""
    corpus, engine = parts.corpus, parts.engine
    minibatches = data.batches(
        corpus.split(split), corpus.vectors, parts.config.training.batch, sequences=corpus.sequences
    )
    return np.concatenate(
        [engine.outputs(engine.settle(batch, parts.estimator.free)).argmax(axis=1) for batch in minibatches]
    )


def _settling(parts: Assembly) -> tuple[Descent, GDU]:
    """Follow test samples through the settle, and EP beside BPTT, with the initial weights in float64.

    A trained network has next to no loss left on these samples: its nudge would move nothing that can be seen.
    """
    corpus = parts.corpus
    split = corpus.split("test")
    samples = split.take(np.arange(min(FOLLOWED, len(split))))
    batch = next(data.batches(samples, corpus.vectors, len(samples), sequences=corpus.sequences))
    engine = as_reference(assemble(parts.config).engine)
    descent = follow(engine, batch, Schedule(steps=8), Schedule(steps=6), parts.estimator.beta)
    estimator = estimators.centred(SMALL, free=CONVERGED, nudged=Schedule("synchronous", STEPS))
    total = replace(estimator, nudged=CONVERGED).gradient(engine, batch)
    return descent, gdu.measure(engine, batch, estimator, total)


def picture(metrics: Mapping[str, Metrics], bag_of_words: float, descent: Descent, curves: GDU) -> Figure:
    """Return the picture: accuracy by epoch, energy along the settle, EP's updates on BPTT's."""
    sheet = style.figure(13.0, 3.9)
    left, middle, right = (sheet.add_subplot(1, 3, place) for place in (1, 2, 3))
    plot_training(metrics, left, level=(f"bag of words, {bag_of_words:.1%}", bag_of_words), train=False)
    plot_energy(descent, middle)
    plot_gdu(curves, right)
    return sheet
