"""Seconds to solve the wires of a tile, on one thread.

    python tests/benchmarks/wires.py [--repeats 3] [--largest 256] [--out wires.json]

Conductances are uniform in 1 to 25 uS, 1 ohm per word line segment, 1.5 ohm per bit line segment. ``effective`` is
:func:`hw_models.arrays.wires.effective`; ``naive`` one sparse LU of all 2mn nodal equations and a back-solve for every
word line, up to 64 x 64. GFLOP by the count 7/3 n m^3 + n^2 m^2 of :mod:`hw_models.arrays.wires`. Each figure is the
median over the repeats, after one that is not counted (the naive solver: one run).
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import platform
import statistics
import sys
import time

import numpy as np
from scipy.sparse import bmat, diags, eye, kron
from scipy.sparse.linalg import splu

from hw_models.arrays import wires

R_WORD, R_BIT = 1.0, 1.5
SHAPES = ((32, 32), (64, 64), (128, 128), (256, 64), (256, 256), (512, 512))


def line(size: int):
    """Return the segments of one line, fed ahead of its first node, in units of one segment."""
    side = [-1.0] * (size - 1)
    return diags([side, [2.0] * (size - 1) + [1.0], side], [-1, 0, 1], format="csc")


def naive(g: np.ndarray) -> np.ndarray:
    """Return the effective conductances by one general sparse factorisation."""
    m, n = g.shape
    word = kron(eye(m), line(n)) / R_WORD
    bit = kron(line(m)[::-1, ::-1], eye(n)) / R_BIT
    device = diags(g.ravel())
    top = np.zeros((2 * m * n, m))
    top[np.arange(m) * n, np.arange(m)] = 1 / R_WORD
    voltage = splu(bmat([[word + device, -device], [-device, bit + device]], format="csc")).solve(top)
    return voltage[m * n :].reshape(m, n, m)[-1].T / R_BIT


def seconds(call, repeats: int) -> float:
    """Return the median time of the processor in a call, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        begin = time.process_time()
        call()
        times.append(time.process_time() - begin)
    return statistics.median(times[1:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--largest", type=int, default=256)
    parser.add_argument("--out")
    given = parser.parse_args()
    draw = np.random.default_rng(0)
    rows: list[dict] = []
    for m, n in SHAPES:
        if max(m, n) > given.largest:
            continue
        g = draw.uniform(1e-6, 25e-6, (m, n))
        found = wires.effective(g, R_WORD, R_BIT)
        spent = seconds(lambda g=g: wires.effective(g, R_WORD, R_BIT), given.repeats)
        row: dict = {"tile": f"{m}x{n}", "effective": spent}
        small, large = min(m, n), max(m, n)
        row["gflop"] = (7 / 3 * large * small**3 + large**2 * small**2) / 1e9
        row["weakest_share"] = float((found / g).min())
        if max(m, n) <= 64:
            begin = time.process_time()
            expected = naive(g)
            row["naive"] = time.process_time() - begin
            row["naive_over_effective"] = row["naive"] / row["effective"]
            row["largest_relative_difference"] = float(np.abs(found / expected - 1).max())
        rows.append(row)
    machine = platform.processor() or platform.machine()
    result = {"machine": machine, "python": sys.version.split()[0], "tiles": rows}
    text = json.dumps(result, indent=2)
    print(text)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
