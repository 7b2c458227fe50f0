"""A small run on any chip: calibrated, two updates, then a settled batch."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from neuroep import data
from neuroep.runs import building, config
from neuroep.runs.session import Session

BASE: dict[str, dict[str, Any]] = {
    "network": {"kind": "sentiment", "tokens": 10, "dense": [6, 2], "readout": "pooled", "output_bias": 1.0},
    "data": {"name": "reviews", "limit": 40},
    "settling": {"free_steps": 4, "nudged_steps": 3, "tolerance": 0.0},
    "estimator": {"kind": "centred", "beta": 0.3},
    "optimiser": {"kind": "sgd", "projection_rate": 0.1, "dense_rate": 0.1},
    "training": {"epochs": 1, "batch": 8},
}
UPDATES = 2


class Outcome(NamedTuple):
    """What a small run leaves."""

    outputs: np.ndarray
    """(batch, classes) of the free phase after the updates."""
    weights: dict[str, np.ndarray]
    counters: dict[str, int]
    engine: Any
    parts: Session

    def same(self, other: Outcome) -> bool:
        """Tell whether outputs and weights are the same bits."""
        names = self.weights.keys() == other.weights.keys()
        equal = all(np.array_equal(self.weights[name], other.weights[name]) for name in self.weights)
        return names and equal and np.array_equal(self.outputs, other.outputs)


Small = Callable[..., Outcome]


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted names as nested tables."""
    tables: dict[str, Any] = {}
    for name, value in flat.items():
        *path, leaf = name.split(".")
        table = tables
        for part in path:
            table = table.setdefault(part, {})
        table[leaf] = value
    return tables


@cache
def corpus_of(settings: str) -> data.Corpus:
    """Return the corpus of some settings, built once: it costs ten times what a small run does."""
    return building.build_corpus(config.parse(json.loads(settings), "test"))


def described(chip: Mapping[str, Any] | None, settings: Mapping[str, Any]) -> config.Config:
    """Return the configuration of the small run."""
    tables: dict[str, Any] = {section: dict(values) for section, values in BASE.items()} | {"engine": {"threads": 1}}
    for name, value in settings.items():
        section, _, field = name.partition(".")
        tables[section][field] = value
    if chip is not None:
        tables["chip"] = nested({"calibration_samples": 16, **chip})
    return config.parse(tables, "test")


def assembled(chip: Mapping[str, Any] | None, settings: Mapping[str, Any]) -> Session:
    """Return the parts of the small run, calibrated."""
    parsed = described(chip, settings)
    tables = parsed.to_dict()
    about = {name: tables[name] for name in ("data", "network", "training")}
    return Session.open(parsed, corpus=corpus_of(json.dumps(about, sort_keys=True)))


@pytest.fixture(scope="session")
def small() -> Small:
    """Return what runs two updates and a free phase: ``small({"adc.bits": 8}, {"engine.dtype": "float64"})``."""

    def run(
        chip: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None, updates: int = UPDATES
    ) -> Outcome:
        parts = assembled(chip, settings or {})
        speeds = building.rates(parts.config, parts.network, 0)
        split, size = parts.corpus.split("train"), parts.config.training.batch
        batches = data.batches(split, parts.corpus.vectors, size, sequences=parts.corpus.sequences)
        last, every = None, None if parts.config.chip is None else parts.config.chip.calibration_every
        for step, batch in enumerate(itertools.islice(batches, updates)):
            if every is not None and step and step % every == 0:
                parts.calibrate(step)
            measured = parts.estimator.measure(parts.engine, batch.keyed("train", step), step)
            parts.engine.update(measured.contrasts, speeds)
            last = batch.keyed("evaluate", 0)
        outputs = parts.engine.outputs(parts.engine.settle(last, parts.estimator.free)).copy()
        return Outcome(outputs, parts.engine.parameters(), parts.engine.counters(), parts.engine, parts)

    return run
