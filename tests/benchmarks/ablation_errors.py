"""How often intervals of an ablation hold what an effect costs: synthetic chips and samples.

    python tests/benchmarks/ablation_errors.py [--repeats 200] [--samples 1000] [--seed 5] [--out page.json]

A sample is right where a normal margin of its own, with what a chip adds to all samples and to each, is above 0. An
effect adds a mean, a part of each sample (the same on every chip) and a part of each read. Of every world: how often
the 95 % interval over chips, and that by the whole error, hold the difference of accuracies that new chips and new
samples have on average (of 5 x 400 chips and 8,000 samples).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from analysis.ablate.crossed import chance
from analysis.ablate.differences import gain


class World(NamedTuple):
    """How many chips there are, and standard deviations: of chips, of their reads, and of what the effect adds."""

    chips: int
    chip: float = 0.0
    read: float = 0.0
    mean: float = 0.0
    by_sample: float = 0.0
    by_read: float = 0.0
    share: float = 1.0
    """Of the samples, drawn for each chip."""


WORLDS = {
    "ten chips, all alike; the effect moves samples": World(10, by_sample=0.2),
    "ten chips that differ; the effect moves samples": World(10, chip=0.3, mean=0.1, by_sample=0.3),
    "ten chips with read noise; the effect moves samples": World(10, read=0.3, mean=0.1, by_sample=0.3),
    "ten chips that differ; the effect is noise": World(10, chip=0.3, read=0.3, by_read=0.3),
    "three chips, nearly alike": World(3, read=0.05, mean=0.1, by_sample=0.2, by_read=0.05),
    "ten chips, all alike, each with 900 of 1,000 samples": World(10, by_sample=0.2, share=0.9),
}


def drawn(draw, world, chips, samples):
    """Draw which samples are right on each chip with the effect off, and with it."""
    margin = 1.3 + draw.normal(size=samples)
    effect = world.mean + world.by_sample * draw.normal(size=samples)
    own = margin + world.chip * draw.normal(size=(chips, 1)) + world.read * draw.normal(size=(chips, samples))
    return own + effect + world.by_read * draw.normal(size=own.shape) > 0, own > 0


def covered(world, repeats, samples, draw):
    """Return the shares of intervals over chips, and by the whole error, that hold the truth."""
    truth = np.mean([np.subtract(*(one.mean() for one in drawn(draw, world, 400, 8000))) for _ in range(5)])
    held = np.zeros(2)
    for _ in range(repeats):
        pair = [one.astype(float) for one in drawn(draw, world, world.chips, samples)]
        for chip in range(world.chips):
            left = draw.permutation(samples)[round(world.share * samples) :]
            for one in pair:
                one[chip, left] = np.nan
        accuracies = [dict(enumerate(np.nanmean(one, axis=1).tolist())) for one in pair]
        found = gain(*accuracies, [dict(enumerate(one)) for one in pair])
        over_chips = student.ppf(0.975, world.chips - 1) * found.error
        off = found.mean - truth
        held += [abs(off) <= over_chips + 1e-12, chance(off, found.error, world.chips, found.beyond) >= 0.05]
    return held / repeats


def main():
    """Print a line for each world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out")
    given = parser.parse_args()
    page = {}
    for name, world in WORLDS.items():
        chips, whole = covered(world, given.repeats, given.samples, np.random.default_rng(given.seed))
        page[name] = {"over chips": round(chips, 3), "whole": round(whole, 3)}
        print(f"{name}: over chips {chips:.1%}, whole {whole:.1%}", flush=True)
    if given.out:
        Path(given.out).write_text(json.dumps(page, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
