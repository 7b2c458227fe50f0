"""Speed of one training batch of the full SNLI network, as ratios in one run on one thread.

    python tests/benchmarks/speed.py [--data FOLDER --vectors FILE] [--repeats 5] [--device cpu|cuda] [--out speed.json]

Network: four attention layers, 25 tokens x 300, dense 30000-400-3, batch 200, beta 0.5, centred, float32. Without
--data the batch is random word vectors with SNLI's lengths. Schedules:

paper      60 + 30 + 30 synchronous steps, the paper's
layerwise  layer-wise sweeps until max|delta s| <= the loosest tolerance (of 0.1, 0.03, ... 1e-4) at which the
           gradient of the worst layer is within 5 % of the converged one

Each figure is the median over the repeats of measuring and updating one batch, after one batch that is not counted.
Floor: two products with the 400 x 30000 matrix per step, 9.6 GFLOP, and for the update 9.6 GFLOP and 12 M weights with
two moments.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import platform
import statistics
import sys
import time

import numpy as np

from neuroep import data, engines, estimators, networks, yardsticks
from neuroep.batch import Batch, TokenVectors
from neuroep.randomness import generator
from neuroep.settling import Schedule

BETA, SAMPLES, LIMIT = 0.5, 200, 0.05
TOLERANCES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4)


def random_batch(network: networks.Network) -> Batch:
    """Return word vectors with the norm and the lengths of SNLI sentences."""
    draw = generator(0, "benchmark")
    inputs = {}
    for sequence, mean in zip(network.sequences, (14, 8), strict=True):
        lengths = np.clip(draw.poisson(mean, SAMPLES), 1, sequence.tokens).astype(np.int64)
        vectors = draw.standard_normal((SAMPLES, sequence.tokens, sequence.dim), dtype=np.float32) * 0.25
        vectors[np.arange(sequence.tokens)[None, :] >= lengths[:, None]] = 0
        inputs[sequence.name] = TokenVectors(vectors, lengths)
    return Batch(inputs, draw.integers(0, network.classes, SAMPLES))


def real_batches(path: str, vectors: str) -> list[Batch]:
    """Return training batches of SNLI."""
    corpus = data.load("snli", path=path, vectors=vectors, tokens=25)
    found = data.batches(corpus.splits["train"], corpus.vectors, SAMPLES, order="shuffled", seed=0, epoch=0)
    return [batch for _, batch in zip(range(8), found, strict=False)]


def synchronise(engine: engines.engine.Engine) -> None:
    """Wait for a GPU."""
    if engine.describe()["device"] != "cpu":
        import torch

        torch.cuda.synchronize()


def batch_time(engine, estimator, batches, rates, repeats) -> float:
    """Return the median seconds of measuring and updating one batch."""
    times = []
    for turn in range(repeats + 1):
        begin = time.perf_counter()
        found = estimator.measure(engine, batches[turn % len(batches)], turn)
        engine.update(found.contrasts, rates)
        synchronise(engine)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def worst_error(engine, batch, schedule, exact) -> float:
    """Return the largest relative error of a layer's weight gradient."""
    found = estimators.centred(BETA, free=schedule, nudged=schedule).gradient(engine, batch)
    return max(yardsticks.relative_error(found[n], exact[n]) for n in exact if n.endswith("weight"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--vectors")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm", type=int, default=10, help="training batches before measuring")
    parser.add_argument("--device", default="cpu", help="device of the reference engine")
    parser.add_argument("--only-reference", action="store_true")
    parser.add_argument("--out")
    given = parser.parse_args()
    network = networks.inference(25, 300, (400, 3))
    batches = real_batches(given.data, given.vectors) if given.data else [random_batch(network)]
    rates = {s.name: 5e-4 for s in network.projections} | {s.name: 2e-4 for s in network.dense}
    names = ["reference"] if given.only_reference else ["local", "reference"]
    first = engines.build(names[0], network, threads=1, device=given.device if given.only_reference else "auto")
    loose = Schedule(steps=40, tolerance=1e-2)
    for turn in range(given.warm):
        found = estimators.centred(BETA, free=loose, nudged=loose).measure(first, batches[turn % len(batches)], turn)
        first.update(found.contrasts, rates)
    trained = first.parameters()
    converged = Schedule(steps=400, tolerance=1e-7)
    exact = estimators.centred(BETA, free=converged, nudged=converged).gradient(first, batches[0])
    errors = {t: worst_error(first, batches[0], Schedule(steps=100, tolerance=t), exact) for t in TOLERANCES}
    tolerance = max((t for t, e in errors.items() if e <= LIMIT), default=min(TOLERANCES))
    fast = Schedule(steps=100, tolerance=tolerance)
    schedules = {
        "paper": estimators.centred(
            BETA, free=Schedule("synchronous", steps=60), nudged=Schedule("synchronous", steps=30)
        ),
        "layerwise": estimators.centred(BETA, free=fast, nudged=fast),
    }
    phases = schedules["layerwise"].settle(first, batches[0])
    result: dict = {
        "machine": platform.processor() or platform.machine(),
        "python": sys.version.split()[0],
        "batch": "SNLI" if given.data else "random",
        "tolerance": tolerance,
        "worst_layer_error": errors[tolerance],
        "sweeps": [phases.free.steps, *(settled.steps for settled in phases.nudged.values())],
        "seconds": {},
    }
    for name in names:
        engine = engines.build(
            name, network, trained, threads=1, device=given.device if name == "reference" else "auto"
        )
        result["seconds"][name] = {"describe": engine.describe()}
        for label, estimator in schedules.items():
            result["seconds"][name][label] = batch_time(engine, estimator, batches, rates, given.repeats)
            engine.load_parameters(trained)
    seconds = result["seconds"]
    for name in names:
        result[f"paper_over_layerwise_{name}"] = seconds[name]["paper"] / seconds[name]["layerwise"]
    if len(names) == 2:
        for label in schedules:
            result[f"local_over_reference_{label}"] = seconds["local"][label] / seconds["reference"][label]
    text = json.dumps(result, indent=2)
    print(text)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
