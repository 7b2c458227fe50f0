"""How often 95 % intervals of laws of retention, currents, reads and programming hold the truth, by simulated repeats.

    python tests/benchmarks/law_coverage.py [repeats] [case ...]

Each repeat measures devices by :mod:`tests.naive.law_measurements` and fits the law that is right (``--law`` of the
command line). Seeds are the case and 0 to repeats - 1. Of every number: how often the truth lies in the interval, of
how many, how often it lies above and below, the median estimate and the truth.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zlib
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hw_models.measured.current_fit import fit_currents
from hw_models.measured.programming_error import fit_programming
from hw_models.measured.read_noise_fit import fit_read_noise
from hw_models.measured.retention_fit import fit_retention
from hw_models.measured.tables import read_table
from tests.naive import law_measurements as twin

DEVICES = (5, 10, 30)


def table(columns):
    """Write columns and read them."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        rows = zip(*columns.values(), strict=True)
        file.write("\n".join([",".join(columns), *(",".join(f"{x!r}" for x in map(float, row)) for row in rows)]))
        file.flush()
        return read_table(Path(file.name))


def cases():
    """Return what measures and what fits, by name."""
    found = {}
    for n in DEVICES:
        fit = partial(fit_retention, g_max=25.0, asked="drift")
        found[f"drift {n}"] = partial(twin.drift, devices=n), fit
        found[f"drift-noisy {n}"] = partial(twin.drift, devices=n, noise=0.02), fit
        found[f"drift-short {n}"] = partial(twin.drift, devices=n, times=6), fit
        found[f"drift-late {n}"] = partial(twin.drift, devices=n, first=60.0, noise=0.005), fit
        fit = partial(fit_retention, g_max=25.0, asked="loss")
        found[f"loss {n}"] = partial(twin.loss, devices=n), fit
        found[f"loss-noisy {n}"] = partial(twin.loss, devices=n, noise=0.05, last=2e4), fit
        for law, shape in (("linear", 0.0), ("sinh", 2.0), ("sinh", 0.5), ("cubic", 0.25), ("cubic", 0.05)):
            fit = partial(fit_currents, asked=law)
            found[f"{law}-{shape} {n}"] = partial(twin.currents, devices=n, law=law, shape=shape), fit
            noisy = partial(twin.currents, devices=n, law=law, shape=shape, noise=0.0, additive=0.02)
            found[f"{law}-{shape}-noisy {n}"] = noisy, fit
        for law in ("additive", "sqrt", "proportional", "pcm"):
            fit = partial(fit_read_noise, g_max=25.0, asked=law)
            found[f"reads-{law} {n}"] = partial(twin.reads, devices=n, law=law), fit
            found[f"reads-{law}-differ {n}"] = partial(twin.reads, devices=n, law=law, spread=0.25, count=20), fit
        fit = partial(fit_programming, g_max=25.0, asked="2")
        found[f"programming {n}"] = partial(twin.programming, devices=n), fit
        found[f"programming-gain {n}"] = partial(twin.programming, devices=n, mismatch=0.04), fit
    return found


def main(repeats, names):
    """Print a line for each number of each case."""
    known = cases()
    chosen = [one for one in known if not names or any(one.startswith(name) for name in names)]
    for name in chosen:
        measure, fit = known[name]
        sides, values = defaultdict(list), defaultdict(list)
        for seed in range(repeats):
            columns, truth = measure((zlib.crc32(name.encode()), seed))
            found = fit(table(columns))
            for field, one in found.estimates.items():
                if field in truth:
                    slack = 1e-9 + 1e-9 * abs(truth[field])
                    sides[field].append(
                        (truth[field] > one.high + slack) * 1 - (truth[field] < one.low - slack) * 1
                    )
                    values[field].append(one.value)
        for field, own in sides.items():
            side = np.array(own)
            inside, above, below = (int((side == way).sum()) for way in (0, 1, -1))
            shown = f"median {np.median(values[field]):.4g}, truth {truth[field]:.4g}"
            print(f"{name:<22} {field:<22} {inside}/{len(own)} (above {above}, below {below}); {shown}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repeats", nargs="?", type=int, default=200)
    parser.add_argument("cases", nargs="*", metavar="case", help="beginnings of names, such as drift or sinh; all")
    given = parser.parse_args()
    main(given.repeats, given.cases)
