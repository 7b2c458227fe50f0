"""What a deployment costs: CPU seconds to open a run on a chip and to predict some samples, beside exact arithmetic.

    python tests/benchmarks/deployment.py [SOURCE] [--ways none,pcm:settling.stop=calibrated:engine.repeats=once]
                                          [--samples N] [--repeats N] [--profile] [--out page.json] [-- SETTINGS]

SOURCE is a run, or a configuration for its initial weights. Ways are those of chips.py: a chip, none for exact
arithmetic, and settings of its own behind colons; settings for all follow "--" (``--data.path FOLDER``). One thread,
each repeat does every way once. Opening is programming, calibrating and, where phases are calibrated, finding their
lengths; the data are loaded once. ``--profile`` adds where the time of the last repeat went.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import cProfile
import json
import pstats
import statistics
import time
from pathlib import Path

import numpy as np

import neuroep
from neuroep.data.corpus import Corpus
from neuroep.runs.memory import keep_freed
from neuroep.runs.session import Session

REVIEWS = Path(__file__).parents[2] / "examples" / "configs" / "reviews.toml"
WAYS = "none,none:engine.repeats=once,pcm:settling.stop=calibrated,pcm:settling.stop=calibrated:engine.repeats=once"


def opened(source: str, way: str, settings: list[str], corpus: Corpus | None) -> Session:
    """Open a way."""
    chip, *own = way.split(":")
    words = [word for pair in own for word in (f"--{pair.split('=')[0]}", pair.split("=")[1])]
    given = [*settings, "--engine.threads", "1", *words]
    return neuroep.Session.open(source, chip=None if chip == "none" else chip, overrides=given, corpus=corpus)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default=str(REVIEWS))
    parser.add_argument("--ways", default=WAYS)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--out", help="JSON file for the numbers")
    parser.add_argument("settings", nargs="*")
    given = parser.parse_intermixed_args()
    keep_freed()  # as the command line does
    ways = given.ways.split(",")
    corpus = opened(given.source, "none", given.settings, None).corpus
    chosen = np.sort(np.random.default_rng(0).permutation(len(corpus.split("test")))[: given.samples])
    rows: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for turn in range(given.repeats):
        for way in ways:
            start = time.process_time()
            session = opened(given.source, way, given.settings, corpus)
            ready = time.process_time()
            profile = cProfile.Profile(time.process_time) if given.profile and turn == given.repeats - 1 else None
            found = profile.runcall(session.evaluate, "test", only=chosen) if profile else session.evaluate(only=chosen)
            seconds = {"open": ready - start, "predict": time.process_time() - ready}
            rows[way].append(seconds | {"accuracy": found.accuracy, "loss": found.loss, "steps": found.steps})
            if profile:
                pstats.Stats(profile).sort_stats("tottime").print_stats(20)
    page = {way: {what: statistics.median(row[what] for row in each) for what in each[0]} for way, each in rows.items()}
    for way, row in page.items():
        told = f"open {row['open']:.2f} s, predict {row['predict']:.2f} s"
        print(f"{way:<56}{told}, accuracy {row['accuracy']:.4f}, loss {row['loss']:.8f}, steps {row['steps']:.1f}")
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump(page, file, indent=2)


if __name__ == "__main__":
    main()
