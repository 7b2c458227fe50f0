# Tested by tests/analysis/sweep/test_runner.py
"""What a trial does, in whatever process: deploy weights on a chip, or learn on it.

Corpora and checkpoints stay in memory between the trials of a process, so that a trial costs what it computes.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from analysis.sweep.right import RIGHT, packed
from analysis.sweep.trials import file_hash
from analysis.sweep.unpriced import LEFT_OUT
from hw_models.cost.bill import Bill
from hw_models.reading import Entries, Page
from neuroep import data
from neuroep.data import Corpus
from neuroep.data.catalogue import Origin
from neuroep.data.selection import per_sequence, select
from neuroep.errors import CheckpointError, DataError
from neuroep.randomness import generator
from neuroep.runs import config as configuration, costs, directory as runs, training
from neuroep.runs.checkpoints import Checkpoint
from neuroep.runs.config import Config
from neuroep.runs.evaluation import Evaluation
from neuroep.runs.session import Session

CorpusKey = tuple[str, Origin]
"""What decides which corpus is loaded: name, paths, columns, cache."""
WHOLE = 2**31 - 1
"""More tokens than any sample has."""


@dataclass(frozen=True)
class CorpusFacts:
    """What is to be known of a corpus before any trial."""

    name: str
    fingerprint: str
    dim: int
    classes: tuple[str, ...]
    splits: tuple[str, ...]

    @classmethod
    def of(cls, corpus: Corpus) -> CorpusFacts:
        """Describe a corpus."""
        return cls(corpus.name, corpus.fingerprint, corpus.dim, corpus.classes, tuple(corpus.splits))


def corpus_key(config: Config) -> CorpusKey:
    """Return what decides which corpus is loaded, before anything is cut or chosen."""
    return config.data.name, config.data.origin


def load_source(key: CorpusKey) -> Corpus:
    """Load a corpus whole."""
    name, origin = key
    return data.load(name, tokens=WHOLE, **vars(origin))


@lru_cache(maxsize=2)
def _whole(key: CorpusKey) -> Corpus:
    return load_source(key)


@lru_cache(maxsize=4)
def _chosen(key: CorpusKey, lengths: tuple[int, ...], validation: float, limit: int | None, seed: int) -> Corpus:
    whole = _whole(key)
    return select(whole, per_sequence(whole.sequences, lengths), validation, limit, seed)


def corpus_of(config: Config, fingerprint: str) -> Corpus:
    """Return the corpus of a configuration, cut and chosen as :func:`neuroep.data.load` does.

    Raises
    ------
    DataError
        If the data here are not those the sweep began with.
    """
    key, settings = corpus_key(config), config.data
    whole = _whole(key)
    if whole.fingerprint != fingerprint:
        raise DataError(f"data '{whole.name}' here are other data than those the sweep was started with")
    seed = config.training.seed if settings.validation or settings.limit else 0
    return _chosen(key, config.network.lengths, settings.validation, settings.limit, seed)


@lru_cache(maxsize=2)
def _weights(run: str, expected: str) -> Checkpoint:
    """Read a run's weights, once, and check that they are those the sweep began with."""
    path = Path(run) / runs.CHECKPOINT
    if file_hash(path) != expected:
        raise CheckpointError(f"checkpoint '{path}' has changed since the sweep was started")
    return runs.load(run).checkpoint(optimiser=False)


def execute(spec: Entries) -> Page:
    """Run a trial.

    Parameters
    ----------
    spec : mapping
        From :meth:`analysis.sweep.trials.Trial.spec`.

    Returns
    -------
    dict
        Accuracy, loss and what else was measured, and the counters: of the evaluation when deployed, of the last
        epoch's training when learnt. Where the chip has constants of cost, ``energy`` [J], ``latency`` [s] and ``area``
        [m^2] of a classification, and, when learnt, ``update_energy`` and ``update_latency``; ``leaves_out`` says what
        a bill does not hold. ``right`` tells the
        samples that were (:mod:`analysis.sweep.right`).
    """
    tables = dict(spec["config"])
    if tables["engine"]["kind"] == "local":
        tables["engine"] = {"threads": spec["threads"], **tables["engine"]}
    config = configuration.parse(tables, "trial")
    corpus = corpus_of(config, spec["data"])
    return (deploy if spec["mode"] == "deploy" else learn)(spec, config, corpus)


def deploy(spec: Entries, config: Config, corpus: Corpus) -> Page:
    """Program the weights on the trial's chip, calibrate, evaluate."""
    weights = _weights(spec["start"], spec["checkpoint"])
    if weights is not None:
        weights.check_classes(corpus.classes, corpus.name)
    session = Session.open(config, corpus=corpus, weights=weights)
    found, right = _evaluated(session, spec)
    return {**_measures(found), RIGHT: right, "counters": found.counters}


def learn(spec: Entries, config: Config, corpus: Corpus) -> Page:
    """Train with the trial's seed in a folder of its own; evaluate on the devices as learning left them."""
    start = spec["start"]
    if start is not None:
        _weights(start, spec["checkpoint"])
    with tempfile.TemporaryDirectory(prefix="neuroep-sweep-") as folder:
        path = Path(folder) / "run"
        record = training.train(config, path, start=start, progress=False, corpus=corpus, diagnose=False)
        session = Session.open(replace(runs.load(path), config=config), corpus=corpus)
        found, right = _evaluated(session, spec)
        learned = costs.learned(session) if found.cost is not None else None
    trained = {f"train_{name}": value for name, value in record["train"].items()}
    trained |= {} if learned is None else {f"update_{name}": value for name, value in _bill(learned).items()}
    told = {RIGHT: right, "updates": record["updates"], "counters": record["counters"]}
    return {**_measures(found), **trained, **told}


def _evaluated(session: Session, spec: Entries) -> tuple[Evaluation, str]:
    """Evaluate on the split, or on as many of its samples as the trial asks for; tell which of them were right."""
    split, most = spec["split"], spec["samples"]
    size, drawn = len(session.corpus.split(split)), None
    if most is not None and most < size:
        drawn = np.sort(draw(session.corpus, split, most, spec["seed"]))
    found = session.evaluate(split, only=drawn)
    return found, packed(found.right, drawn, size)


def draw(corpus: Corpus, split: str, samples: int, seed: int) -> np.ndarray:
    """Draw numbers of samples by the seed of a trial, (samples,)."""
    return generator(seed, "sweep", split).permutation(len(corpus.split(split)))[:samples]


def _measures(found: Evaluation) -> Page:
    return {
        "accuracy": found.accuracy,
        "loss": found.loss,
        "samples": found.samples,
        "dead_outputs": found.dead_outputs,
        "steps": found.steps,
        "converged": found.converged,
        **({} if found.cost is None else _bill(found.cost)),
    }


def _bill(bill: Bill) -> Page:
    """Return joules, seconds and square metres, those that are known."""
    found = {"energy": bill.energy if bill.priced else None, "latency": bill.seconds, "area": bill.square_metres}
    known = {name: value for name, value in found.items() if value is not None}
    return {**known, LEFT_OUT: "; ".join(bill.leaves_out)}
