"""How far the two engines' states and gradients are apart on the full SNLI network, untrained.

    python tests/benchmarks/agreement.py --data FOLDER --vectors FILE

20 training pairs, seed 0, 8 layer-wise sweeps in each phase, centred. Prints the largest difference of a state, the
largest of a gradient, and the worst parameter's relative difference, for both precisions and two nudges.
"""

from __future__ import annotations

import argparse

import numpy as np

from neuroep import data, engines
from neuroep.engines.settling import Schedule
from neuroep.gradients import angles, estimators
from neuroep.network import builders as networks


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--vectors", required=True)
    given = parser.parse_args()
    corpus = data.load("snli", path=given.data, vectors=given.vectors, tokens=25)
    batch = next(iter(data.batches(corpus.splits["train"], corpus.vectors, 20, order="shuffled", seed=0, epoch=0)))
    network = networks.inference()
    parameters = networks.initial_parameters(network, seed=0, output_bias=1.0)
    schedule = Schedule(steps=8)
    for beta in (0.5, 0.1):
        estimator = estimators.centred(beta, free=schedule, nudged=schedule)
        for dtype in ("float64", "float32"):
            pair = [
                engines.local(network, parameters, dtype=dtype, threads=1),
                engines.reference(network, parameters, dtype=dtype, threads=1, device="cpu"),
            ]
            local, reference = (engine.states(engine.settle(batch, schedule)) for engine in pair)
            state = max(np.abs(local[name] - reference[name]).max() for name in local)
            found, exact = (estimator.gradient(engine, batch) for engine in pair)
            apart = max(np.abs(found[name] - exact[name]).max() for name in exact)
            worst = max(angles.relative_error(found[name], exact[name]) for name in exact)
            print(f"beta {beta} {dtype}: states {state:.0e}, gradients {apart:.0e}, relative {worst:.0e}")


if __name__ == "__main__":
    main()
