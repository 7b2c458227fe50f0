"""How often fits find the devices that curves were measured on: all training presets, many sets of devices.

    python tests/benchmarks/fits.py [repeats] [preset ... | reads | ranges] [--devices N]

Each repeat measures 10 devices (or N) of a preset over 5 cycles of 100 pulses up and 100 down, by
:mod:`tests.naive.pulse_curves`, from the lower bound or from weight 0, and fits the preset's response to them. Of every
number: how often the truth is in the 95 % interval or the estimate within 2 %, of how many, the median estimate and the
truth; and the number that is found the least often. R2 of cycles left out a pulse ahead, that of a right response, and
that of the mean curve of a cycle.

``reads``: how often the law of read noise is found in repeated reads, normal of its sigma (times exp(0.25 z) of each
device in the lower half of the table), at conductances that are even in their logarithm up to 25 uS.

``ranges``: constant steps whose runs cross 30 to 150 % of the range between hard bounds at 10 and 30 uS, nothing given:
how often the bounds [uS], their spread and the step [uS] lie in their intervals, and how often a bound is told.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hw_models.errors import ChipError
from hw_models.measured.arrays import numbered
from hw_models.measured.curves import Curves
from hw_models.measured.read_noise_fit import fit_read_noise
from hw_models.measured.response import fit_response
from hw_models.measured.tables import read_table
from tests.naive.pulse_curves import constant_steps, measure, truths

PRESETS = (
    "idealised", "gokmen_vlasov", "capacitor", "ecram", "ecram_mo", "reram", "reram_sb", "reram_om", "reram_hfo2",
    "reram_cmo", "pcm_pair",
)  # fmt: skip
FEW = 9
"""Sets in which a number has to be told for its share to count as that of a number."""


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


def read_laws(repeats):
    """Print how often each law of read noise is taken, by its truth."""
    laws = {"additive": 1.0, "sqrt": 0.5, "proportional": 0.0, "pcm": 0.65}
    for spread, devices, reads, low in itertools.product((0, 0.25), (5, 10, 40), (20, 200), (2.5, 8)):
        told = []
        for law, exponent in laws.items():
            taken = Counter()
            for seed in range(repeats):
                draw = np.random.default_rng(seed)
                g = np.exp(draw.uniform(np.log(low), np.log(25), devices))
                sigma = 0.02 * g * (g / 25) ** -exponent * np.exp(spread * draw.normal(size=devices))
                read = (g[:, None] + sigma[:, None] * draw.normal(size=(devices, reads))).ravel()
                table = np.stack([np.repeat(np.arange(devices), reads), np.tile(np.arange(reads), devices), read], 1)
                with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
                    np.savetxt(file, table, "%.9g", ",", header="device,read,conductance", comments="")
                    file.flush()
                    taken[fit_read_noise(read_table(Path(file.name)), 25.0).law] += 1
            told.append(f"{law} {taken[law]}/{repeats}")
        print(f"spread {spread}, {devices} devices of {reads} reads from {low} uS: {', '.join(told)}", flush=True)


def ranges(repeats):
    """Print how often bounds and steps of constant steps are found, by the share of the range that runs cross."""
    for cover in (0.3, 0.6, 0.8, 1.0, 1.2, 1.5):
        inside, told = defaultdict(list), defaultdict(list)
        for seed in range(repeats):
            g, ways, step = constant_steps((int(100 * cover), seed), cover)
            fit = fit_response(g, ways, response="constant")
            half, found = (fit.g_max - fit.g_min) / 2, fit.estimates
            middle = fit.g_min + half
            for name, truth, unit, shift in (
                ("w_max", 30.0, half, middle), ("w_min", 10.0, half, middle), ("dw_min", step, half, 0.0),
                ("dw_min_spread", 0.3, 1.0, 0.0), ("up_down_spread", 0.05, 1.0, 0.0), ("noise", 0.3, 1.0, 0.0),
                ("w_max_spread", 0.5, half * abs(found["w_max"].value), 0.0),
                ("w_min_spread", 0.5, half * abs(found["w_min"].value), 0.0),
            ):  # fmt: skip
                if name in found:
                    one = found[name].times(unit)
                    inside[name].append(one.low + shift <= truth <= one.high + shift)
                    told[name].append(found[name].told)
            for name, truth in (("g_min", 10.0), ("g_max", 30.0)):
                inside[name].append(found[name].low <= truth <= found[name].high)
                told[name].append(found[name].told)
        shown = ", ".join(f"{name} {sum(own)}/{len(own)} (told {sum(told[name])})" for name, own in inside.items())
        print(f"{cover:.0%} of the range: {shown}", flush=True)


def main(repeats, names, devices):
    """Print lines for each preset and start, then one for all."""
    every = [0, 0]
    for name in names:
        for start in ("low", "middle") if name != "pcm_pair" else ("low",):
            known, begun = truths(name), time.perf_counter()
            hits, found, scores = defaultdict(list), defaultdict(list), []
            for seed in range(repeats):
                try:
                    fit = fitted(name, seed, start, devices=devices)
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
            least = min(hits, key=lambda field: sum(hits[field]) / len(hits[field]) if len(hits[field]) > FEW else 1.0)
            print(f"    least often: {least}, {sum(hits[least])} of {len(hits[least])}", flush=True)
    print(f"all: {every[0]} of {every[1]}, {every[0] / every[1]:.1%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repeats", nargs="?", type=int, default=40)
    about = f"{', '.join(PRESETS)}; default all; or reads, or ranges"
    parser.add_argument("presets", nargs="*", metavar="preset", help=about)
    parser.add_argument("--devices", type=int, default=10, metavar="N", help="of a set; default 10")
    given = parser.parse_args()
    others = {"reads": read_laws, "ranges": ranges}
    if given.presets and given.presets[0] in others:
        others[given.presets[0]](given.repeats)
    else:
        main(given.repeats, given.presets or PRESETS, given.devices)
