"""Peak memory and credit by layer of the paper's networks: see docs/paper_networks.py."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from paper_trainings import METHODS, Study, given, yardstick
from trainings import add

from neuroep.engines.schedule import Schedule
from neuroep.gradients import angles, yardsticks
from neuroep.runs import checkpoints
from neuroep.runs.memory import peak_memory, restart_peak_memory

STEPWISE = (*METHODS[:2], "bptt, steps again")
"""Methods that look through a number of steps: the last one keeps the states alone and computes each step again."""
BETAS = (0.02, 0.1, 0.5)


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
        give_back()
        restart_peak_memory()
        before, begin = peak_memory(), time.process_time()
        once(number)
        spent, peak, done = time.process_time() - begin, peak_memory(), done + 1
        row = {"kind": "memory", "data": study.data, "method": method, "mask": study.mask, "steps": number}
        row |= {"samples": batch.size, "before_mib": before, "peak_mib": peak, "seconds": round(spent, 2)}
        add(path, row)


def give_back() -> None:
    """Give the system what is free in the heap: what steps before have left there would hide what these take."""
    gc.collect()
    with suppress(OSError, AttributeError):  # the C library of GNU has it
        ctypes.CDLL(None).malloc_trim(0)


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
        row = {"kind": "credit", "data": study.data, "mask": study.mask, "updates": saved.about.updates, "way": name}
        add(path, row | {"layer": layer, "error": error, "cosine": cosine, "samples": batches * samples})
