"""What settling and learning on a chip cost beside exact arithmetic: ratios of CPU seconds, batch by batch in turn.

    python tests/benchmarks/chips.py [SOURCE] [--ways none,pcm,pcm:settling.stop=calibrated] [--repeats N]
                                     [--samples N] [--out page.json] [-- SETTINGS]

SOURCE is a run or a configuration, settings for all ways follow "--" (``--data.path FOLDER``). A way is a chip, none
for exact arithmetic, and settings of its own behind colons; the first one is what the others are compared with. One
thread; medians over the repeats, each of which does every way once. Of each: CPU ms of a free phase as in an
evaluation, clamping in it, of measuring one batch and updating, of the update alone, ratios, and sweeps of the phases.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import statistics
import time
from pathlib import Path

import neuroep
from neuroep.data.batch import Batch
from neuroep.runs.session import Session

REVIEWS = Path(__file__).parents[2] / "examples" / "configs" / "reviews.toml"
WAYS = "none,pcm,pcm:settling.stop=calibrated,rram,rram:settling.stop=calibrated"
SLOW = 1e-6
"""Rates are so much smaller, for weights to stay."""


def opened(source: str, way: str, settings: list[str]) -> Session:
    """Open a way."""
    chip, *own = way.split(":")
    words = [word for pair in own for word in (f"--{pair.split('=')[0]}", pair.split("=")[1])]
    given = [*settings, "--engine.threads", "1", *words]
    return neuroep.Session.open(source, chip=None if chip == "none" else chip, overrides=given)


def once(session: Session, batch: Batch, turn: int) -> tuple[float, float, float, tuple[float, float]]:
    """Return the seconds of a free phase, of a measurement with its update, and of the update, and the sweeps."""
    engine, estimator = session.engine, session.estimator
    start = time.process_time()
    with engine.during("evaluate"):
        engine.settle(batch.keyed("evaluate", turn), estimator.free)
    settled = time.process_time()
    measured = estimator.measure(engine, batch.keyed("train", turn), turn)
    contrasted = time.process_time()
    engine.update(measured.contrasts, {name: SLOW * rate for name, rate in session.rates(0).items()})
    end = time.process_time()
    sweeps = measured.health["free_steps"], measured.health["nudged_steps"]
    return settled - start, end - settled, end - contrasted, sweeps


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default=str(REVIEWS))
    parser.add_argument("--ways", default=WAYS)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--samples", type=int, help="batch size; default that of the source")
    parser.add_argument("--out", help="JSON file for the numbers")
    parser.add_argument("settings", nargs="*")
    given = parser.parse_intermixed_args()
    ways = {way: opened(given.source, way, given.settings) for way in given.ways.split(",")}
    first = next(iter(ways))
    batch = next(iter(ways[first].batches("train", given.samples)))
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in ways}
    sweeps = {}
    for turn in range(given.repeats + 1):
        for way, session in ways.items():
            *taken, sweeps[way] = once(session, batch, turn)
            if turn:  # the first compiles
                found[way].append((taken[0], taken[1], taken[2]))
    page = {}
    for way, rows in found.items():
        row: dict[str, float] = {"free sweeps": sweeps[way][0], "nudged sweeps": sweeps[way][1]}
        for place, what in enumerate(("evaluate", "train", "update")):
            row[what] = 1e3 * statistics.median(one[place] for one in rows)
            ratios = [one[place] / other[place] for one, other in zip(rows, found[first], strict=True)]
            row[f"{what} ratio"] = statistics.median(ratios)
        page[way] = row
        names = ("evaluate", "train", "update")
        times = ", ".join(f"{what} {row[what]:.0f} ms x{row[f'{what} ratio']:.2f}" for what in names)
        print(f"{way:<34} {times}; sweeps {sweeps[way]}")
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump(page, file, indent=2)


if __name__ == "__main__":
    main()
