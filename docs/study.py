"""Draw the two pictures of the study in docs/study.md from the three sweeps that its commands make.

    python docs/study.py sweeps/adc sweeps/deployed sweeps/learned docs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.drawing import style

from analysis.sweep import pictures as sweeps, results
from analysis.sweep.results import Sweep

TARGET = 0.87


def main(adc: Path, deployed: Path, learned: Path, out: Path) -> None:
    """Read three sweeps and write two pictures."""
    found = results.load(adc)
    style.save(sweeps.plot_heat_map(found.rows, "chip.adc.bits", "chip.device.read_noise", TARGET), out / "adc.png")
    named = {"deployed": results.load(deployed), "one epoch on the chip": results.load(learned)}
    rows = [{**row, "weights": name} for name, sweep in named.items() for row in sweep.rows]
    ideal = ideal_of(named["deployed"])
    ax = sweeps.plot_accuracy(rows, "chip.device.mismatch", ideal=ideal, series="weights")
    style.save(ax, out / "mismatch.png")


def ideal_of(sweep: Sweep) -> float:
    """Return the accuracy without a chip, which a sweep of deployments records."""
    if sweep.ideal is None:
        raise SystemExit(f"{sweep.out}: its run was trained on a chip or not evaluated on '{sweep.about['split']}'")
    return sweep.ideal


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("adc", "deployed", "learned", "out"):
        parser.add_argument(name, type=Path)
    main(**vars(parser.parse_args()))
