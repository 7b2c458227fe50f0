"""Peak memory of training on full-length IMDB reviews (600 tokens x 300), without the weights.

    python tests/benchmarks/memory.py --data FOLDER --vectors FILE [--network small|paper] [--batches N] [--fast]
        [--order shuffled|length]

Reports the peak resident size of the process, and the same less the weights and the optimiser's two moments per weight.
``small`` is the pooled network with examples/configs/imdb_small.toml's sizes at 600 tokens and runs a whole epoch
unless --batches says otherwise; ``paper`` is the paper's 180000-1000-40-2 network, batch 100, mask off, layer-wise, by
default 3 batches: what is held per batch does not grow with their number. --fast settles as examples/configs/
imdb_paper.toml does: differences, Anderson acceleration, bfloat16 products. Batches come by length with ``small`` and
shuffled with ``paper``, as configured; what attention holds of a batch goes by its lengths.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import time
from dataclasses import replace

from neuroep import data, engines
from neuroep.engines.settling import Schedule
from neuroep.gradients import estimators
from neuroep.network import builders as networks


def main() -> None:
    """Train and print the peak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--vectors", required=True)
    parser.add_argument("--network", choices=("small", "paper"), default="small")
    parser.add_argument("--batches", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--order", choices=data.ORDERS)
    given = parser.parse_args()
    paper = given.network == "paper"
    dense, readout, size = ((1000, 40, 2), "flat", 100) if paper else ((128, 2), "pooled", 50)
    network = networks.sentiment(600, 300, dense, readout=readout, mask=not paper)
    corpus = data.load("imdb", path=given.data, vectors=given.vectors, tokens=600)
    engine = engines.build("local", network, threads=given.threads, products="bfloat16" if given.fast else "full")
    free, nudged = Schedule(steps=10, tolerance=1e-2), Schedule(steps=10, tolerance=0.03)
    if given.fast:
        free, nudged = (replace(phase, acceleration="anderson") for phase in (free, nudged))
        nudged = replace(nudged, form="differences")
    estimator = estimators.centred(0.1, free=free, nudged=nudged)
    rates = {synapse.name: 1e-4 for synapse in network.synapses}
    most = given.batches or (3 if paper else math.inf)
    order = given.order or ("shuffled" if paper else "length")
    begin, done = time.perf_counter(), 0
    for batch in data.batches(corpus.splits["train"], corpus.vectors, size, order=order, seed=0, epoch=0):
        engine.update(estimator.measure(engine, batch, done).contrasts, rates)
        done += 1
        if done >= most:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    parameters = sum(math.prod(shape) for shape in network.parameter_shapes().values())
    found = {
        "network": given.network,
        "batches": done,
        "seconds": round(time.perf_counter() - begin, 1),
        "weights_MB": round(parameters * 4 / 1e6, 1),
        "moments_MB": round(parameters * 8 / 1e6, 1),
        "peak_MB": round(peak / 1e6, 1),
        "peak_without_weights_MB": round((peak - parameters * 4) / 1e6, 1),
        "peak_without_weights_and_moments_MB": round((peak - parameters * 12) / 1e6, 1),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
