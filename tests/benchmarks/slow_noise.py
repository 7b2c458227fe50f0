"""What noise with a time costs a training step: the same chip with and without a clock, step by step in turn.

    python tests/benchmarks/slow_noise.py [--steps 100] [--batch 50] [--out slow_noise.json]

Generated reviews, embedded, dense 64 and 2, twenty free and thirty nudged sweeps, exact converters, on one thread.
``white`` is the 1/f noise of phase-change memory fresh in every read, ``in time`` the same with a read of 250 ns;
``ideal`` has no noise, ``preset`` is pcm, with its converters and writes.
Figures are CPU milliseconds of a step, the lower quartile of the steps, and their ratio.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np

from neuroep.runs import config
from neuroep.runs.session import Session

PCM = ["--chip", "ideal", "--chip.device.read_noise", "0.0088", "--chip.device.read_noise_law", "pcm"]
STILL = ["--chip.timing.integration", "0", "--chip.timing.digital", "0", "--chip.timing.row", "0"]
CHIPS = {
    "ideal": ["--chip", "ideal"],
    "white": PCM,
    "in time": [*PCM, "--chip.timing.integration", "250e-9"],
    "preset, white": ["--chip", "pcm", *STILL],
    "preset": ["--chip", "pcm"],
}
REVIEWS = Path(__file__).parents[2] / "examples/configs/reviews.toml"


class Training:
    """A chip that learns, one step at a time."""

    def __init__(self, chip: list[str], batch: int) -> None:
        given = [*chip, "--engine.threads", "1", "--training.batch", str(batch), "--data.limit", str(20 * batch)]
        self.session = Session.open(config.load(REVIEWS, given), age=0.0)
        self.batches = list(self.session.shuffled(0))
        self.rates, self.done = self.session.rates(0), 0

    def steps(self, number: int) -> float:
        """Return the CPU seconds of some steps."""
        begin = time.process_time()
        for _ in range(number):
            batch = self.batches[self.done % len(self.batches)].keyed("train", self.done)
            measured = self.session.estimator.measure(self.session.engine, batch, self.done)
            self.session.engine.update(measured.contrasts, self.rates)
            self.done += 1
        return time.process_time() - begin


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100, help="steps of each chip")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--out", help="file to write JSON to")
    given = parser.parse_args()
    runs = {name: Training(chip, given.batch) for name, chip in CHIPS.items()}
    for run in runs.values():
        run.steps(2)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(given.steps):
        for name, run in runs.items():
            times[name].append(1e3 * run.steps(1))
    # Other work on the machine only adds, in caches too.
    found = {name: float(np.quantile(each, 0.25)) for name, each in times.items()}
    ratio, preset = found["in time"] / found["white"], found["preset"] / found["preset, white"]
    print("\n".join(f"{name:>13}: {value:7.2f} ms a step" for name, value in found.items()))
    print(f"in time / white: {ratio:.3f}; of the preset pcm {preset:.3f}")
    if given.out:
        ratios = {"ratio": ratio, "preset": preset}
        page = {"milliseconds": found, **ratios, "machine": platform.platform(), "batch": given.batch}
        Path(given.out).write_text(json.dumps(page, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
