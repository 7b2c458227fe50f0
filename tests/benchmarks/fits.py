"""How often fits find the devices that curves were measured on: all training presets, many sets of devices.

    python tests/benchmarks/fits.py [repeats] [preset ...]

Each repeat measures 10 devices of a preset over 5 cycles of 100 pulses up and 100 down, by
:mod:`tests.naive.pulse_curves`, from the lower bound or from weight 0, and fits the preset's response to them. Of every
number: how often the truth is in the 95 % interval or the estimate within 2 %, of how many, the median estimate and the
truth. R2 of cycles left out a pulse ahead, that of a right response, and that of the mean curve of a cycle.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hw_models.errors import ChipError
from hw_models.measured.arrays import numbered
from hw_models.measured.curves import Curves
from hw_models.measured.response import fit_response
from tests.naive.pulse_curves import measure, truths

PRESETS = (
    "idealised", "gokmen_vlasov", "capacitor", "ecram", "ecram_mo", "reram", "reram_sb", "reram_om", "reram_hfo2",
    "reram_cmo", "pcm_pair",
)  # fmt: skip


def fitted(name, seed, start, **how):
    """Measure devices and fit their preset's response."""
    chip, g, pulses = measure(name, seed, start=start, **how)
    curves = Curves(g, pulses, numbered(pulses), tuple(map(str, range(len(g)))))
    ends = {"g_min": chip.device.g_min, "g_max": chip.device.g_max}
    return fit_response(curves, response=chip.device.pulse.response, **ends)


def right(one, truth):
    """Whether a truth is in an interval, or an estimate within 2 % of it."""
    slack = 1e-6 * max(abs(truth), 1e-6)
    return one.low - slack <= truth <= one.high + slack or abs(one.value - truth) < 0.02 * abs(truth)


def main(repeats, names):
    """Print a line for each preset and start, then one for all."""
    every = [0, 0]
    for name in names:
        for start in ("low", "middle") if name != "pcm_pair" else ("low",):
            known, begun = truths(name), time.perf_counter()
            hits, found, scores = defaultdict(list), defaultdict(list), []
            for seed in range(repeats):
                try:
                    fit = fitted(name, seed, start)
                except ChipError as error:
                    print(f"{name} {start} {seed}: {error}")
                    continue
                scores.append((fit.held.r2, fit.held.best, fit.held.curve))
                for field, truth in known.items():
                    if field in fit.estimates:
                        hits[field].append(right(fit.estimates[field], truth))
                        found[field].append(fit.estimates[field].value)
            shown = ", ".join(
                f"{field} {sum(own)}/{len(own)} ({np.median(found[field]):.3g}: {known[field]:.3g})"
                for field, own in hits.items()
            )
            every[0] += sum(map(sum, hits.values()))
            every[1] += sum(map(len, hits.values()))
            share = sum(map(sum, hits.values())) / max(sum(map(len, hits.values())), 1)
            r2 = np.median(scores, axis=0) if scores else [np.nan] * 3
            spent = (time.perf_counter() - begun) / repeats
            scored = f"R2 {r2[0]:.4f} ({r2[1]:.4f}), curve {r2[2]:.4f}"
            print(f"{name} from {start}: {share:.1%}; {scored}; {spent:.1f} s a fit")
            print(f"    {shown}", flush=True)
    print(f"all: {every[0]} of {every[1]}, {every[0] / every[1]:.1%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repeats", nargs="?", type=int, default=40)
    parser.add_argument("presets", nargs="*", metavar="preset", help=f"any of {', '.join(PRESETS)}; default all")
    given = parser.parse_args()
    main(given.repeats, given.presets or PRESETS)
