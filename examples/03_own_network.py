"""Describe a network of one's own and train it by hand, with no change to any engine.

    python examples/03_own_network.py

The network reads a review with two attention layers at once, a soft one and a sharp one, pooled side by side into one
dense stack. A network is plain data, so this is a list of layers and a list of synapses; any engine runs it.

What to expect, in under a minute: the loss falling in each epoch, and test accuracies of both engines within two per
cent of each other, far above the 60 % of a bag of words.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from neuroep import data, engines
from neuroep.engines.engine import Engine
from neuroep.engines.settling import Schedule
from neuroep.gradients import estimators
from neuroep.network.builders import (
    AttentionLayer,
    DenseLayer,
    DenseSynapse,
    Network,
    Projection,
    Sequence,
    initial_parameters,
)
from neuroep.network.potentials import HardSigmoid

TOKENS, HIDDEN, CLASSES, BATCH = 40, 64, 2, 50


def two_heads(dim: int) -> Network:
    """Return a network with a soft and a sharp attention layer over the same sequence."""
    kappa = 1 / math.sqrt(dim)
    heads = ("soft", "sharp")
    layers = (
        AttentionLayer("soft", "text", "text", 0.5 * kappa, "pooled", dim),
        AttentionLayer("sharp", "text", "text", 2.0 * kappa, "pooled", dim),
        DenseLayer("hidden", HIDDEN, HardSigmoid()),
        DenseLayer("output", CLASSES, HardSigmoid()),
    )
    synapses = (
        Projection("query_soft", "text", "soft", (dim, dim)),
        Projection("query_sharp", "text", "sharp", (dim, dim)),
        DenseSynapse("read", heads, "hidden", (HIDDEN, 2 * dim)),
        DenseSynapse("decide", ("hidden",), "output", (CLASSES, HIDDEN)),
    )
    return Network((Sequence("text", TOKENS, dim),), layers, synapses)


def train(engine: Engine, corpus: data.Corpus, epochs: int) -> float:
    """Train one engine; return its accuracy on the test samples."""
    schedule = Schedule("layerwise", steps=20, tolerance=1e-2)  # of the states
    nudged = Schedule("layerwise", steps=30, tolerance=0.01)  # of their displacement by the nudge
    estimator = estimators.centred(0.2, free=schedule, nudged=nudged)
    first = {s.name: 1e-2 if isinstance(s, Projection) else 3e-3 for s in engine.network.synapses}
    for epoch in range(epochs):
        losses = []
        rates = {name: rate * 0.5 * (1 + math.cos(math.pi * epoch / epochs)) for name, rate in first.items()}
        for batch in corpus.batches("train", BATCH, order="shuffled", epoch=epoch):
            measured = estimator.measure(engine, batch)
            engine.update(measured.contrasts, rates)
            losses.append(measured.health["loss"])
        print(f"{engine.name}: epoch {epoch + 1}, training loss {np.mean(losses):.4f}")
    right = [
        engine.outputs(engine.settle(batch, schedule)).argmax(1) == batch.labels
        for batch in corpus.batches("test", BATCH)
    ]
    return float(np.concatenate(right).mean())


def main(fast: bool = False) -> dict[str, float]:
    """Train both engines from the same weights; ``fast`` is for the tests: one epoch of a few samples."""
    corpus = data.load("reviews", tokens=TOKENS, limit=100 if fast else None)
    network = two_heads(corpus.dim)
    weights = initial_parameters(network, seed=0, output_bias=1.0)
    accuracy = {}
    for build in (engines.local, engines.reference):
        engine = build(network, weights)
        accuracy[engine.name] = train(engine, corpus, epochs=1 if fast else 8)
        print(f"{engine.name}: test accuracy {accuracy[engine.name]:.1%}")
    return accuracy


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
