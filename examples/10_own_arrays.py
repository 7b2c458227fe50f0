"""Hand arrays of numbers over from Python, train on them, and deploy what was learned on a chip.

    python examples/10_own_arrays.py --out runs/10_own_arrays

What to expect, after a few seconds: noisy waves at two sensors, told apart by their period. Four points are a token;
pooled attention sees no order, so a code of the place is appended. Test accuracy from 33 % by chance to about 89 %,
and as much with the weights on phase-change devices. Arrays in files train from the command line:
``examples/configs/signals.toml``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from neuroep import Session, data
from neuroep.runs import config, training

SETTINGS = {
    "data": {"name": "given"},
    "network": {"tokens": 6, "dense": [32, 3], "readout": "pooled", "inverse_temperature": 1.0, "output_bias": 0.3},
    "settling": {"free_steps": 40, "nudged_steps": 40, "tolerance": 1e-2, "nudged_tolerance": 0.01},
    "estimator": {"beta": 0.2},
    "optimiser": {"projection_rate": 1e-2, "dense_rate": 1e-2, "decay_epochs": 15},
    "training": {"epochs": 15, "batch": 20},
}


def waves(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return signals (samples, 24 points, 2 sensors) in volts, and their classes (samples,)."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, samples)
    angle = 2 * np.pi * (labels[:, None] + 1) * np.arange(24) / 24 + draw.uniform(0, 2, (samples, 1))
    return 3.0 + np.stack([np.sin(angle), np.cos(angle)], axis=2) + draw.normal(0, 0.3, (samples, 24, 2)), labels


def main(out: Path, fast: bool = False) -> dict[str, float]:
    """Train into ``out``; ``fast`` is for the tests: one epoch."""
    corpus = data.from_arrays(*waves(600, 0), test=waves(300, 1), window=4, position="appended")
    print(f"{corpus.dim} numbers a token; standardised by means {corpus.statistics.mean.round(2)} V")
    settings = config.parse({**SETTINGS, "training": {"epochs": 1 if fast else 15, "batch": 20}})
    record = training.train(settings, out, corpus=corpus, progress=False)
    found = {"exact": record["evaluate"]["test"]["accuracy"]}

    found["pcm"] = Session.open(out, chip="pcm", corpus=corpus).evaluate("test").accuracy
    for name, accuracy in found.items():
        print(f"{name}: test accuracy {accuracy:.1%}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/10_own_arrays"), help="new run directory")
    main(parser.parse_args().out)
