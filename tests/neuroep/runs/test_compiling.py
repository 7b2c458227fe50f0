"""Compiling apart from computing."""

from __future__ import annotations

import math
import time

import numba
import numpy as np
import pytest

from neuroep.errors import UserError
from neuroep.runs import compiling, config, directory as runs, training

TABLES = {
    "network": {"kind": "sentiment", "tokens": 20, "dense": [6, 2], "readout": "pooled", "output_bias": 1.0},
    "data": {"name": "reviews", "limit": 40},
    "settling": {"free_steps": 6, "nudged_steps": 6, "tolerance": 1e-2, "nudged_tolerance": 0.03},
    "training": {"epochs": 2, "batch": 20},
}


def fresh():
    """Return a function that Numba has never compiled, slow to compile."""

    @numba.njit
    def compute(values):
        total = 0.0
        for value in values:
            total += math.sqrt(value) + math.exp(-value) * math.cos(value)
        return total

    return compute


def test_the_clock_takes_compiling_off():
    """Before, the compiling of the first call was in its time."""
    values, compute = np.ones(10), fresh()
    started = time.perf_counter()
    with compiling.clock() as spent:
        compute(values)
        time.sleep(0.05)
    wall = time.perf_counter() - started
    assert spent.compiling > 0.02
    assert 0.05 <= spent.computing <= wall - spent.compiling + 1e-3
    with compiling.clock() as again:
        compute(values)
    assert again.compiling == 0.0


def parsed(**changes):
    tables = {name: dict(table) for name, table in TABLES.items()} | {"engine": {}}
    chip = {"chip": changes.pop("chip")} if "chip" in changes else {}
    for name, value in changes.items():
        section, _, field = name.partition("__")
        tables[section][field] = value
    return config.parse(tables | chip, "test")


@pytest.mark.parametrize("chip", [None, "pcm", "rram", "loihi", "isaac"])
@pytest.mark.parametrize("kind", ["local", "reference"])
def test_a_warm_run_compiles_nothing_more(tmp_path, kind, chip):
    """Every kernel of a run is called by the small network: training after it finds all of them ready."""
    if chip and kind == "reference":
        pytest.skip("chips run on the local engine")
    given = parsed(engine__kind=kind, **({"chip": chip} if chip else {}))
    compiling._rehearse(given)
    with compiling.clock() as spent:
        training.train(given, tmp_path / "run", progress=False)
    assert spent.compiling == 0.0


def test_compiling_is_a_number_of_its_own(tmp_path, monkeypatch):
    """In the first epoch of a process alone, and not in the time of an epoch."""
    monkeypatch.setattr(training, "warm_up", lambda config: 7.0)
    seen = []
    training.train(parsed(), tmp_path / "run", progress=False, report=seen.append)
    assert [record["seconds"]["compile"] for record in seen] == [7.0, 0.0]
    assert training.spent(seen[0]) < 7.0
    first = runs.load(tmp_path / "run").metrics[0]
    assert set(first["seconds"]) == {"compile", "train", "evaluate"}


def test_it_leaves_nothing_behind(tmp_path, monkeypatch):
    """The same weights with and without it, also where it cannot run."""
    training.train(parsed(), tmp_path / "warm", progress=False)

    def broken(config):
        raise UserError("no")

    monkeypatch.setattr(compiling, "_rehearse", broken)
    training.train(parsed(), tmp_path / "cold", progress=False)
    warm, cold = (runs.load(tmp_path / name).checkpoint().parameters for name in ("warm", "cold"))
    assert all(np.array_equal(warm[name], cold[name]) for name in warm)
