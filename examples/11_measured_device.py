"""From pulse curves of measured devices to a network that learns on such devices.

    python examples/11_measured_device.py --out runs/11_measured

What to expect, in a minute: ``curves.csv`` is written as a laboratory would bring it, 30 devices over 4 cycles of
150 pulses up and 150 down, each with a step and bounds of its own, noise from pulse to pulse and noise of the
instrument. ``neuroep fit`` prints its estimates with 95 % intervals and finds by cycles left out that the devices have
soft bounds. A network then learns in memory on arrays of such devices by two rules, to about 97 % (agad) and 73 %
(mixed precision).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from analysis.chips import measured
from neuroep.runs import config, training

CONFIG = Path(__file__).parent / "configs" / "reviews.toml"
RULES = ("agad", "mixed_precision")


def measure(path: Path, devices: int = 30, cycles: int = 4, pulses: int = 150, seed: int = 2) -> None:
    """Write pulse curves as CSV [uS]: the laboratory, here a loop over devices and pulses."""
    draw = np.random.default_rng(seed).normal
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["device", "pulse", "conductance [uS]"])
        for device in range(devices):
            step, low, high = 0.4 * (1 + 0.15 * draw()), 5 * (1 + 0.1 * draw()), 25 * (1 + 0.05 * draw())
            middle, g = (low + high) / 2, low
            rows.writerow([device, 0, f"{g + 0.1 * draw():.3f}"])
            for sign in cycles * ([1] * pulses + [-1] * pulses):
                ahead = high - g if sign > 0 else g - low
                move = step * ahead / (high - middle) * (1.0 if sign > 0 else 0.8)
                g = min(max(g + sign * move * (1 + 0.5 * draw()), low), high)
                rows.writerow([device, sign, f"{g + 0.1 * draw():.3f}"])


def main(out: Path, fast: bool = False) -> dict[str, float]:
    """Measure, fit and train into folders of ``out``; ``fast`` is for the tests: few devices and samples."""
    out.mkdir(parents=True)
    curves, chip = out / "curves.csv", out / "my_device.toml"
    measure(curves, **({"devices": 10, "cycles": 2, "pulses": 80} if fast else {}))
    print(measured.run([curves], chip, out / "my_device.png", readings="instrument"), "\n")
    small = ["--limit", "100", "--epochs", "1"] if fast else []
    found = {}
    for rule in RULES:
        settings = config.load(CONFIG, ["--chip", str(chip), "--chip.update.scheme", rule, *small])
        record = training.train(settings, out / rule, progress=False)
        found[rule] = record["evaluate"]["test"]["accuracy"]
        print(f"{rule:<16} accuracy {found[rule]:.1%}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/11_measured"), help="new directory")
    main(parser.parse_args().out)
