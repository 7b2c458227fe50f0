"""How often intervals of an ablation hold what an effect costs: synthetic chips and samples.

    python tests/benchmarks/ablation_errors.py [--repeats 200] [--samples 1000] [--seed 5] [--until] [--out page.json]

A sample is right where a normal margin of its own, with what a chip adds to all samples and to each, is above 0. An
effect adds a mean, a part of each sample (the same on every chip) and a part of each read. Of every world: how often
the 95 % interval over chips, and that by the whole error, hold the difference of accuracies that new chips and new
samples have on average (of 5 x 400 chips and 8,000 samples).

With ``--until`` chips are added, from six up to 40, until the error over chips is small enough that about 12 do: how
often the 95 % interval by the whole error holds the truth with errors as they are, with those that grow by what they
have decided, and with 16 chips whatever they give; and how many chips that takes.
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
from analysis.ablate.differences import gain, unchanged
from analysis.sweep.stopping import rule


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


UNTIL = {
    "chips differ, no effect": World(40, chip=0.3, read=0.1, by_read=0.1),
    "chips differ, an effect": World(40, chip=0.3, mean=0.2, by_read=0.1),
    "chips differ, the effect moves samples": World(40, chip=0.3, mean=0.1, by_sample=0.1),
    "reads are noisy, no effect": World(40, read=0.3, by_read=0.3),
    "reads are noisy, a large effect": World(40, read=0.3, mean=0.5, by_read=0.3),
}


def stopped(world, repeats, samples, draw):
    """Return the shares of intervals that hold the truth, and their chips: before, now, and with 16 chips always."""
    truth = np.mean([np.subtract(*(one.mean() for one in drawn(draw, world, 400, 8000))) for _ in range(5)])
    pairs = [drawn(draw, world, 40, samples) for _ in range(20)]
    some = [(off.mean(axis=1) - own.mean(axis=1)).std(ddof=1) for off, own in pairs]
    wanted = rule(until=float(np.mean(some)) / np.sqrt(12), most=world.chips)
    held, chips = np.zeros(3), np.zeros(3)
    for _ in range(repeats):
        pair = [one.astype(float) for one in drawn(draw, world, world.chips, samples)]
        means = [one.mean(axis=1) for one in pair]
        for n, widening in enumerate((unchanged, wanted.widening, unchanged)):
            for count in range(wanted.seeds, wanted.most + 1) if n < 2 else [16]:
                rows = [dict(enumerate(one[:count].tolist())) for one in means]
                right = [dict(enumerate(one[:count])) for one in pair]
                found = gain(*rows, right, widening)
                if (found.error if n == 0 else found.over_chips) <= wanted.until:
                    break
            held[n] += chance(found.mean - truth, found.error, count, found.beyond) >= 0.05
            chips[n] += count
    return held / repeats, chips / repeats


def main():
    """Print a line for each world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--until", action="store_true")
    parser.add_argument("--out")
    given = parser.parse_args()
    page = {}
    for name, world in UNTIL.items() if given.until else ():
        held, chips = stopped(world, given.repeats, given.samples, np.random.default_rng(given.seed))
        page[name] = {"held": held.round(3).tolist(), "chips": chips.round(1).tolist()}
        told = ", ".join(f"{share:.1%} with {count:.1f}" for share, count in zip(held, chips, strict=True))
        print(f"{name}: before, now, 16 chips always: {told}", flush=True)
    for name, world in () if given.until else WORLDS.items():
        chips, whole = covered(world, given.repeats, given.samples, np.random.default_rng(given.seed))
        page[name] = {"over chips": round(chips, 3), "whole": round(whole, 3)}
        print(f"{name}: over chips {chips:.1%}, whole {whole:.1%}", flush=True)
    if given.out:
        Path(given.out).write_text(json.dumps(page, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
