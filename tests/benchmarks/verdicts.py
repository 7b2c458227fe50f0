"""How often a point at the target is said to meet it, or to miss it: synthetic chips and samples.

    python tests/benchmarks/verdicts.py [--repeats 2000] [--seed 3] [--pool SWEEP ...] [--out page.json]

A sample is right where a normal margin of its own, with what a chip adds to all samples and to each, is above 0. The
split has 2,000 samples, shared by all chips; its margins are shifted until new chips reach the target on it exactly. A
seed is a chip and a draw of samples. ``before``: by Student's t alone, as it was; ``now``: by :mod:`analysis.require`.

With ``--pool`` chips are drawn from the trials of each point of a sweep, whose mean is the target: their shape is that
of a real chip.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import t

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from analysis.require.verdicts import UNKNOWN, Judge
from analysis.sweep import results as sweeps
from analysis.sweep.right import SamplesSeen

SPLIT = 2000
TARGETS = 0.6, 0.87, 0.97
SEEN = 20, 40, 100, 300
LOOKS = (3, 12), (3, 3), (5, 5), (10, 10)
WORLDS = {"all alike, noisy reads": (0.0, 0.5), "chips differ a little": (0.1, 0.3), "chips differ": (0.3, 0.3)}
"""Standard deviations of a chip and of its reads; margins have 1."""


def before(accuracies, judged):
    """Return 1 where Student's t says that the target is met, -1 where it is missed, 0 where it is open."""
    for count in judged.looks:
        some = accuracies[:count]
        error = some.std(ddof=1) / np.sqrt(count)
        far = t.isf((1 - judged.confidence) / len(judged.looks), count - 1) * error
        if abs(some.mean() - judged.target) > far:
            return 1 if some.mean() > judged.target else -1
    return 0


def now(accuracies, judged, samples):
    """Return the same of the verdicts as they are."""
    found = judged.verdict(dict(enumerate(accuracies.tolist())), samples)[0]
    return (1 if found.met else -1) if found.sure else 0


def shares(table, target, looks, samples):
    """Return how often points are said to meet the target and to miss it, before and now."""
    judged = Judge(target, 0.95, *looks)
    told = np.array([[before(row, judged), now(row, judged, samples)] for row in table])
    return [[float(np.mean(each == 1)), float(np.mean(each == -1))] for each in told.T]


def drawn(draw, target, chip, read, seen, repeats):
    """Return accuracies of twelve seeds, (repeats, 12)."""
    margin, spread = draw.normal(size=SPLIT), np.hypot(chip, read)
    margin += brentq(lambda shift: ndtr((margin + shift) / spread).mean() - target, -12, 12)
    table = np.empty((repeats, 12))
    for row in table:
        for seed in range(12):
            own = margin[draw.choice(SPLIT, seen, replace=False)] + chip * draw.normal()
            row[seed] = np.mean(own + read * draw.normal(size=seen) > 0)
    return table


def line(name, found):
    """Print a line of a table."""
    cells = [f"{100 * of[0][0]:.1f}/{100 * of[0][1]:.1f} {100 * of[1][0]:.1f}/{100 * of[1][1]:.1f}" for of in found]
    print(f"{name}: " + " | ".join(cells), flush=True)


def main():
    """Print for each world: of 3 to 12, 3, 5 and 10 chips, before and now, how many % meet and miss."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--pool", nargs="*", default=[])
    parser.add_argument("--out")
    given = parser.parse_args()
    page = {}
    for pool in given.pool:
        for point in sweeps.load(pool).means:
            draw = np.random.default_rng(given.seed)
            table = draw.choice(point.accuracies, (given.repeats, 12))
            name = f"{pool}, {point.values}, target {point.mean:.3f}"
            page[name] = [shares(table, point.mean, looks, UNKNOWN) for looks in LOOKS]
            line(name, page[name])
    for target in () if given.pool else TARGETS:
        for world, (chip, read) in WORLDS.items():
            for seen in SEEN:
                table = drawn(np.random.default_rng(given.seed), target, chip, read, seen, given.repeats)
                name = f"target {target}, {world}, {seen} samples"
                page[name] = [shares(table, target, looks, SamplesSeen(seen, SPLIT)) for looks in LOOKS]
                line(name, page[name])
    if given.out:
        Path(given.out).write_text(json.dumps(page, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
