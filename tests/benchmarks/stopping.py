"""How often intervals miss the mean where their own error has decided how many chips there are.

    python tests/benchmarks/stopping.py [--repeats 40000] [--seed 1]

Normal accuracies, up to 100 chips, one added at a time until error x (1 + c/n) is at most a bound; eleven ratios of
spread to bound. Given that n chips were run, their mean is normal with sigma/sqrt(n), as no look depends on it: the
share of intervals m +- t s/sqrt(n) that miss is computed, not counted. Of every first look and c, the largest of the
eleven shares is printed at three levels.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import norm, t

MOST, LEVELS = 100, (0.05, 0.01, 0.001)
RATIOS = np.array([0.3, 0.5, 0.7, 0.9, 1.1, 1.4, 1.8, 2.3, 3, 4, 6])
"""Chips that sigma needs, over the first look."""


def missed(error, first, c):
    """Return the largest shares of intervals that miss, by level, and the mean number of chips by ratio."""
    counts = np.arange(first, MOST + 1)
    wide = (1 + c / counts) * error[:, first - 2 :]
    found, chips = [], []
    for ratio in RATIOS[RATIOS * first < 70]:
        there = wide <= 1 / np.sqrt(ratio * first)
        at = np.where(there.any(axis=1), there.argmax(axis=1), len(counts) - 1)
        count, own = counts[at], wide[np.arange(len(wide)), at]
        found.append([np.mean(2 * norm.sf(t.isf(level / 2, count - 1) * own * np.sqrt(count))) for level in LEVELS])
        chips.append(count.mean())
    return np.max(found, axis=0), chips


def main():
    """Print a line for each first look and c."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=40000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    draws = np.random.default_rng(given.seed).normal(size=(given.repeats, MOST))
    counts = np.arange(2, MOST + 1)
    sums, squares = np.cumsum(draws, axis=1)[:, 1:], np.cumsum(draws**2, axis=1)[:, 1:]
    error = np.sqrt((squares - sums**2 / counts) / (counts - 1) / counts)
    for first in (2, 3, 4, 6, 10, 15):
        for c in (0, 2 if first >= 6 else 3):
            shares, chips = missed(error, first, c)
            told = ", ".join(f"{share:.3%} at {level:.1%}" for share, level in zip(shares, LEVELS, strict=True))
            print(f"from {first} chips, c = {c}: {told}; {' '.join(f'{n:.1f}' for n in chips)} chips", flush=True)


if __name__ == "__main__":
    main()
