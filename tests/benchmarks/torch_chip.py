"""A chip on the reference engine beside the same chip on the local one, and how far they agree.

    python tests/benchmarks/torch_chip.py [--network snli_small|imdb_small] [--chips pcm rram ideal] [--samples N]
                                          [--repeats 5] [--device cpu|cuda] [--threads 1] [--out torch_chip.json]

snli_small: four attention layers, 25 tokens x 300, pooled, dense 1200-256-3, batch 200. imdb_small: one attention
layer, 600 tokens x 300, pooled, dense 300-128-2, batch 50. Random word vectors with the set's lengths, float32.
``evaluate`` clamps a batch and settles its free phase, ``train`` measures and updates one. Seconds are CPU time of the
process on the CPU and wall time on a GPU, medians of repeats in which the engines take turns; ``ratio`` is the median
of reference over local. ``flips`` is the share of outputs of all crossbars, of the first read of every direction with
the same signals, that the two read apart by a level of the ADC or more, ``apart`` the largest difference of the others
over the largest output.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import statistics
import time

import numpy as np
import plain
from speed import Case, random_batch

import hw_models
from neuroep import engines
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines.settling import Schedule
from neuroep.gradients import estimators
from neuroep.network import builders as networks
from neuroep.randomness import generator

BETA = 0.1


def study(name: str) -> tuple[Case, estimators.Estimator]:
    """Return the network of that example, and its estimator."""
    if name == "imdb_small":
        network, free, nudged = networks.sentiment(600, 300, (128, 2), readout="pooled"), 10, 10
        made = Case(network, BETA, 50, (free, nudged), (5e-3, 1e-3), (230,))
    else:
        network, free, nudged = networks.inference(25, 300, (256, 3), readout="pooled"), 10, 10
        made = Case(network, BETA, 200, (free, nudged), (6e-3, 2e-3), (14, 8))
    phases = {"free": Schedule(steps=free, tolerance=1e-3), "nudged": Schedule(steps=nudged, tolerance=0.03)}
    return made, estimators.centred(BETA, **phases)


def cut(batch: Batch) -> Batch:
    """Return a batch padded to its longest samples, as batches of a data set are."""
    inputs = {name: (vectors, lengths, lengths.max()) for name, (vectors, lengths) in batch.inputs.items()}
    shorter = {name: TokenVectors(vectors[:, :most], lengths) for name, (vectors, lengths, most) in inputs.items()}
    return Batch(shorter, batch.labels)


def clock(device: str) -> float:
    """Return seconds: of the process on the CPU, of the wall on a GPU, whose work is waited for."""
    if device == "cpu":
        return time.process_time()
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


def flips(pair: list[engines.engine.Engine], rows: int) -> dict[str, float]:
    """Return by how much two engines read the same signals apart, of all crossbars in both directions."""
    off, outputs, apart = 0, 0, 0.0
    for name, array in pair[0].arrays.items():
        bars = [engine.arrays[name].crossbar for engine in pair]
        for way, width in zip(("forward", "transposed"), array.crossbar.shape[::-1], strict=True):
            if any(each.acts and each.range is None for each in bars[0].converters.of(way)):
                continue  # of a synapse over which nothing is sent back
            drawn = generator(0, name, way).uniform(-1, 1, (rows, width)).astype(np.float32)
            for bar in bars:
                bar.begin("flips")
            read = bars[0].forward if way == "forward" else bars[0].transposed
            one = read(drawn)
            read = bars[1].forward if way == "forward" else bars[1].transposed
            other = pair[1].to_numpy(read(pair[1].substrate.values(drawn)))
            step = bars[0].converters.of(way)[1].grid.step
            level = 0.5 * step * bars[0].weight_range if step > 0 else 1e-3 * float(np.abs(one).max())
            difference = np.abs(one - other)
            off, outputs = off + int((difference > level).sum()), outputs + one.size
            apart = max(apart, float(difference[difference <= level].max(initial=0)) / float(np.abs(one).max()))
    return {"outputs": outputs, "flips": off / outputs, "apart": apart}


def compared(name: str, chip: str, given: argparse.Namespace) -> dict[str, object]:
    """Return times, ratios and agreement of one chip."""
    case, estimator = study(name)
    batch = cut(random_batch(case, given.samples or case.samples))
    start = networks.initial_parameters(case.network, 0, 1.0, 1.0)
    pair = []
    for kind, device in (("local", "auto"), ("reference", given.device)):
        on = {"chip": hw_models.load(chip), "threads": given.threads, "device": device}
        pair.append(engines.build(kind, case.network, start, **on))
        pair[-1].calibrate([batch], estimator)
    state = pair[0].optimiser_state(), pair[0].device_state()
    for engine in pair:
        engine.load_optimiser_state(*state)  # ranges and noise that lasts are the same bits then
    projections, dense = case.network.projections, case.network.dense
    rates = {s.name: case.rates[0] for s in projections} | {s.name: case.rates[1] for s in dense}
    found: dict[str, object] = flips(pair, 64)
    tasks = {
        "evaluate": lambda engine, turn: engine.settle(batch.keyed("evaluate", turn), estimator.free),
        "train": lambda engine, turn: engine.update(
            estimator.measure(engine, batch.keyed("train", turn), turn).contrasts, rates
        ),
    }
    for what, task in tasks.items():
        times: list[list[float]] = [[], []]
        for turn in range(given.repeats + 1):
            for engine, own in zip(pair, times, strict=True):
                begin = clock(given.device)
                task(engine, turn)
                if turn:
                    own.append(clock(given.device) - begin)
        seconds = [statistics.median(own) for own in times]
        found[what] = {"local": seconds[0], "reference": seconds[1], "ratio": plain.ratio(times[1], times[0])}
    counters = [engine.counters() for engine in pair]
    found["counters that differ"] = [key for key in counters[0] if counters[0][key] != counters[1][key]]
    found["device"] = pair[1].describe()["device"]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=("snli_small", "imdb_small"), default="snli_small")
    parser.add_argument("--chips", nargs="+", default=["pcm", "rram"])
    parser.add_argument("--samples", type=int)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out")
    given = parser.parse_args()
    result = {chip: compared(given.network, chip, given) for chip in given.chips}
    text = json.dumps({"network": given.network, "threads": given.threads, **result}, indent=2)
    print(text)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
