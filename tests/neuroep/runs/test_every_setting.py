"""No setting is ignored: each one, changed alone, changes the trained weights or what its own test names."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest

from neuroep.runs import config, sections
from neuroep.runs.session import Session

BASE = {
    "network": {"kind": "sentiment", "tokens": 24, "dense": [6, 2], "readout": "pooled", "output_bias": 1.0},
    "data": {"name": "reviews", "limit": 60},
    "settling": {"free_steps": 6, "nudged_steps": 4, "tolerance": 0.0},
    "estimator": {"kind": "centred", "beta": 0.3},
    "optimiser": {"kind": "adam", "projection_rate": 1e-2, "dense_rate": 1e-2, "decay_epochs": 10},
    "training": {"epochs": 1, "batch": 20},
}
EPOCH = 5
"""Epoch whose rates and order are used, so that the decay shows."""
CHANGES = {
    "network.kind": {"network.kind": "inference", "data.name": "pairs", "network.dense": [6, 3]},
    "network.tokens": {"network.tokens": 8},
    "network.dense": {"network.dense": [5, 2]},
    "network.readout": {"network.readout": "flat"},
    "network.inverse_temperature": {"network.inverse_temperature": 0.4},
    "network.potential": {"network.potential": "tanh"},
    "network.slope": {"network.slope": 0.7},
    "network.mask": {"network.mask": False},
    "network.projection_bias": {"network.projection_bias": True},
    "network.output_bias": {"network.output_bias": 0.7},
    "network.projection_identity": {"network.projection_identity": 1.0},
    "data.name": {"data.name": "pairs", "network.kind": "inference", "network.dense": [6, 3]},
    "data.validation": {"data.validation": 0.2},
    "data.limit": {"data.limit": 40},
    "data.order": {"data.order": "length"},
    "settling.order": {"settling.order": "synchronous"},
    "settling.free_steps": {"settling.free_steps": 1},
    "settling.nudged_steps": {"settling.nudged_steps": 1},
    "settling.tolerance": {"settling.tolerance": 0.05},
    "settling.nudged_tolerance": {"settling.nudged_tolerance": 0.3},
    "settling.nudged_form": {"settling.nudged_form": "differences"},
    "settling.acceleration": {"settling.acceleration": "anderson"},
    "settling.dt": {"settling.dt": 0.5},
    "settling.check_every": {"settling.nudged_tolerance": 0.3, "settling.check_every": 4},
    "estimator.kind": {"estimator.kind": "positive"},
    "estimator.beta": {"estimator.beta": 0.6},
    "estimator.points": {"estimator.points": 4},
    "optimiser.kind": {"optimiser.kind": "sgd"},
    "optimiser.projection_rate": {"optimiser.projection_rate": 2e-2},
    "optimiser.dense_rate": {"optimiser.dense_rate": 2e-2},
    "optimiser.rates": {"optimiser.rates": {"dense_1": 2e-2}},
    "optimiser.momentum": {"optimiser.kind": "sgd", "optimiser.momentum": 0.9},
    "optimiser.weight_decay": {"optimiser.weight_decay": 0.5},
    "optimiser.decay_epochs": {"optimiser.decay_epochs": 20},
    "optimiser.final_rate": {"optimiser.final_rate": 1e-3},
    "training.batch": {"training.batch": 30},
    "training.seed": {"training.seed": 1},
    "engine.dtype": {"engine.dtype": "float64"},
}
DIGITS = {"data.name": "digits", "network.tokens": 8, "network.dense": [6, 10]}
NUMBERS = {
    "data.standardise": {"data.standardise": "channels"},
    "data.window": {"data.window": 2},
    "data.stride": {"data.window": 2, "data.stride": 1},
    "data.position": {"data.position": "added"},
    "data.position_dim": {"data.position": "appended", "data.position_dim": 2},
    "data.appended": {"data.position": "appended"},
}
"""Settings that act on numbers alone."""
BASES = {"digits": DIGITS}
CHANGES |= {name: {**DIGITS, **change} for name, change in NUMBERS.items()}
AGAINST = {"settling.check_every": "settling.nudged_tolerance", "optimiser.momentum": "optimiser.kind"}
AGAINST |= {name: "digits" for name in NUMBERS}
AGAINST |= {"data.stride": "data.window", "data.position_dim": "data.appended"}
"""Settings that act only beside another: compared with that one's run."""
ELSEWHERE = {
    "data.path", "data.vectors", "data.text", "data.label", "data.cache", "data.test",  # tests/neuroep/data
    "training.epochs", "training.evaluate", "training.probe",  # tests/neuroep/test_training.py
    "optimiser.decay_every",  # tests/neuroep/test_training.py: within an epoch
    "engine.kind", "engine.device", "engine.threads",  # tests/neuroep/engines: the same result by design
    "engine.products",  # tests/neuroep/engines/torch/test_products.py
    "engine.repeats",  # tests/neuroep/engines/test_repeats.py: the same result but for rounding
    "settling.stop", "settling.calibrate_every",  # tests/neuroep/engines/chip/test_phase_lengths.py: of a chip alone
    "engine.chip_seed",  # tests/neuroep/engines/chip, with every field of a chip
    "estimator.order", "estimator.null", "estimator.periods",  # test_phases.py of the chip: they cure what it adds
}  # fmt: skip


@cache
def trained(name: str | None) -> dict[str, np.ndarray]:
    tables = {section: dict(values) for section, values in BASE.items()} | {"engine": {}}
    for setting, value in ({**CHANGES, **BASES}[name] if name else {}).items():
        section, _, field = setting.partition(".")
        tables[section][field] = value
    settings = config.parse(tables, "test")
    parts = Session.open(settings)
    speeds = parts.rates(EPOCH)
    for step, batch in enumerate(itertools.islice(parts.shuffled(EPOCH), 3)):
        parts.engine.update(parts.estimator.measure(parts.engine, batch, step).contrasts, speeds)
    return parts.engine.parameters()


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_changes_the_weights(name):
    before, after = trained(AGAINST.get(name)), trained(name)
    same = before.keys() == after.keys() and all(np.array_equal(before[key], after[key]) for key in before)
    assert not same


def test_the_same_settings_give_the_same_weights():
    first = trained(None)
    trained.cache_clear()
    second = trained(None)
    assert all(np.array_equal(first[key], second[key]) for key in first)


def test_each_table_of_the_configuration_is_a_section():
    assert {n: f.annotation for n, f in config.Config.model_fields.items() if n != sections.CHIP} == sections.SECTIONS


def test_every_setting_is_listed():
    assert config.settings(chip=False).keys() == (CHANGES.keys() - {"data.appended"}) | ELSEWHERE
