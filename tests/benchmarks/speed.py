"""Speed of one training batch of the paper's networks, as ratios in one run on one thread.

    python tests/benchmarks/speed.py [--network snli|imdb] [--data FOLDER --vectors FILE] [--samples N] [--repeats 5]
                                     [--device cpu|cuda] [--only-steps] [--out speed.json]

snli: four attention layers, 25 tokens x 300, dense 30000-400-3, batch 200, beta 0.5. imdb: one attention layer, 600
tokens x 300, padding not masked, dense 180000-1000-40-2, batch 100, beta 0.1. Centred, float32. Without --data the
batch is random word vectors with the set's lengths. Schedules:

paper      the paper's synchronous steps, 60 + 30 + 30 (snli) or 50 + 25 + 25 (imdb)
layerwise  layer-wise sweeps, free until max|delta s| <= 0.01, nudged until the displacement changes by at most the
           loosest share (of 0.3, 0.1, 0.03, 0.01, 0.003) at which the gradient of the worst layer is within 5 % of the
           converged one in float64

Each time is the median over the repeats of measuring and updating one batch, after one batch that is not counted; the
steps and errors of every tolerance come first, and alone with --only-steps. Floor on snli: two products with the
400 x 30000 matrix per step, 9.6 GFLOP, and for the update 9.6 GFLOP and 12 M weights with two moments. ``floor``
holds the seconds of the products with the largest matrix, the fastest of NumPy's two forms and torch's (``plain.py``);
``..._over_floor`` is an engine's time over the products that its steps and its update need.
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
from typing import NamedTuple

import numpy as np
import plain

from neuroep import data, engines
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines.settling import Schedule
from neuroep.gradients import angles, estimators
from neuroep.network import builders as networks
from neuroep.randomness import generator

LIMIT = 0.05
FREE, TOLERANCES = 1e-2, (0.3, 0.1, 0.03, 0.01, 0.003)


class Case(NamedTuple):
    """One of the paper's networks with its phases and rates."""

    network: networks.Network
    beta: float
    samples: int
    phases: tuple[int, int]
    rates: tuple[float, float]
    """Of projections and dense synapses."""
    lengths: tuple[float, ...]
    """Mean number of tokens of a sequence."""


def case(name: str) -> Case:
    """Return the network of that data set."""
    if name == "imdb":
        network = networks.sentiment(600, 300, (1000, 40, 2), mask=False)
        return Case(network, 0.1, 100, (50, 25), (1e-4, 5e-5), (230,))
    return Case(networks.inference(25, 300, (400, 3)), 0.5, 200, (60, 30), (5e-4, 2e-4), (14, 8))


def random_batch(study: Case, samples: int) -> Batch:
    """Return word vectors with the norm and the lengths of the data set's texts."""
    draw = generator(0, "benchmark")
    inputs = {}
    for sequence, mean in zip(study.network.sequences, study.lengths, strict=True):
        lengths = np.clip(draw.poisson(mean, samples), 1, sequence.tokens).astype(np.int64)
        vectors = draw.standard_normal((samples, sequence.tokens, sequence.dim), dtype=np.float32) * 0.25
        vectors[np.arange(sequence.tokens)[None, :] >= lengths[:, None]] = 0
        inputs[sequence.name] = TokenVectors(vectors, lengths)
    return Batch(inputs, draw.integers(0, study.network.classes, samples))


def real_batches(name: str, study: Case, samples: int, path: str, vectors: str) -> list[Batch]:
    """Return training batches of the data set."""
    corpus = data.load(name, path=path, vectors=vectors, tokens=study.network.sequences[0].tokens)
    found = data.batches(corpus.splits["train"], corpus.vectors, samples, order="shuffled", seed=0, epoch=0)
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


def floor(study: Case, samples: int, repeats: int) -> dict[str, float]:
    """Return the seconds of the products with the largest matrix: forward and transposed together, and outer."""
    outputs, inputs = max((synapse.shape for synapse in study.network.dense), key=np.prod)
    draw = generator(0, "floor")
    shapes = (samples, inputs), (samples, outputs), (outputs, inputs)
    pre, post, weight = (draw.standard_normal(shape, dtype=np.float32) for shape in shapes)
    found = {}
    for name, sides in {"forward": (pre, weight.T), "transposed": (post, weight), "outer": (post.T, pre)}.items():
        times: dict[str, list[float]] = {}
        for turn in range(repeats + 1):
            for form, task in plain.product(*sides).items():
                begin = time.perf_counter()
                task()
                if turn:
                    times.setdefault(form, []).append(time.perf_counter() - begin)
        found[name] = statistics.median(times[plain.fastest(times)])
    return {"step": found["forward"] + found["transposed"], "update": found["outer"]}


def layerwise(study: Case, tolerance: float) -> estimators.Estimator:
    """Return the layer-wise estimator that stops nudged phases at a tolerance."""
    free, nudged = Schedule(steps=100, tolerance=FREE), Schedule(steps=100, tolerance=tolerance)
    return estimators.centred(study.beta, free=free, nudged=nudged)


def converged(study: Case, parameters, batch) -> dict[str, np.ndarray]:
    """Return the gradient of phases that have come to rest, in float64."""
    rest = {"free": Schedule(steps=400, tolerance=1e-11), "nudged": Schedule(steps=400, tolerance=1e-6)}
    exact = engines.local(study.network, parameters, dtype="float64", threads=1)
    return estimators.centred(study.beta, **rest).gradient(exact, batch)


def steps_and_error(engine, estimator, batch, exact) -> dict[str, object]:
    """Return the sweeps of the phases, and the relative error of every layer's weight gradient."""
    measured = estimator.measure(engine, batch)
    found = engine.gradient(measured.contrasts)
    errors = {n: round(angles.relative_error(found[n], exact[n]), 5) for n in exact if n.endswith("weight")}
    taken = [measured.health["free_steps"], measured.health["nudged_steps"]]
    return {"free + nudged sweeps": taken, "worst": max(errors.values()), "errors": errors}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=("snli", "imdb"), default="snli")
    parser.add_argument("--data")
    parser.add_argument("--vectors")
    parser.add_argument("--samples", type=int, help="of a batch; default the paper's")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm", type=int, default=10, help="training batches before measuring")
    parser.add_argument("--device", default="cpu", help="device of the reference engine")
    parser.add_argument("--only-reference", action="store_true")
    parser.add_argument("--only-steps", action="store_true", help="steps and errors, no times")
    parser.add_argument("--out")
    given = parser.parse_args()
    study = case(given.network)
    network, samples = study.network, given.samples or study.samples
    if given.data:
        batches = real_batches(given.network, study, samples, given.data, given.vectors)
    else:
        batches = [random_batch(study, samples)]
    names = ["reference"] if given.only_reference else ["local", "reference"]
    rates = {s.name: study.rates[0] for s in network.projections} | {s.name: study.rates[1] for s in network.dense}
    start = networks.initial_parameters(network, 0, output_bias=1.0)
    first = engines.build(names[0], network, start, threads=1, device=given.device if given.only_reference else "auto")
    for turn in range(given.warm):
        first.update(layerwise(study, 0.1).measure(first, batches[turn % len(batches)], turn).contrasts, rates)
    trained = first.parameters()
    exact = converged(study, trained, batches[0])
    errors = {t: steps_and_error(first, layerwise(study, t), batches[0], exact) for t in TOLERANCES}
    tolerance = max((t for t, e in errors.items() if e["worst"] <= LIMIT), default=min(TOLERANCES))
    result: dict = {
        "machine": platform.processor() or platform.machine(),
        "python": sys.version.split()[0],
        "batch": f"{given.network if given.data else 'random'}, {samples} samples",
        "by tolerance": errors,
        "tolerance": tolerance,
        "seconds": {},
    }
    if not given.only_steps:
        _time(result, study, given, batches, rates, names, trained)
    text = json.dumps(result, indent=2)
    print(text)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")


def _time(result, study, given, batches, rates, names, trained) -> None:
    """Time both schedules on every engine."""
    free, nudged = (Schedule("synchronous", steps=steps) for steps in study.phases)
    schedules = {
        "paper": estimators.centred(study.beta, free=free, nudged=nudged),
        "layerwise": layerwise(study, result["tolerance"]),
    }
    seconds = result["seconds"]
    result["floor"] = least = floor(study, batches[0].size, given.repeats)
    # Centred: two nudged phases, and an outer product of each.
    taken = result["by tolerance"][result["tolerance"]]["free + nudged sweeps"]
    steps = {"paper": study.phases, "layerwise": taken}
    needed = {n: (a + 2 * b) * least["step"] + 2 * least["update"] for n, (a, b) in steps.items()}
    for name in names:
        device = given.device if name == "reference" else "auto"
        engine = engines.build(name, study.network, trained, threads=1, device=device)
        seconds[name] = {"describe": engine.describe()}
        for label, estimator in schedules.items():
            seconds[name][label] = batch_time(engine, estimator, batches, rates, given.repeats)
            engine.load_parameters(trained)
            result[f"{name}_over_floor_{label}"] = seconds[name][label] / needed[label]
        result[f"paper_over_layerwise_{name}"] = seconds[name]["paper"] / seconds[name]["layerwise"]
    if len(names) == 2:
        for label in schedules:
            result[f"local_over_reference_{label}"] = seconds["local"][label] / seconds["reference"][label]


if __name__ == "__main__":
    main()
