"""Speed of one crossbar product beside the plain one, on one thread.

    python tests/benchmarks/products.py [--repeats 9] [--quick] [--out products.json]

Chip: 8-bit DAC and ADC with fixed ranges and additive read noise at the outputs, tiles of 256 and 512, batches of 1, 32
and 256; then the proportional law, whose variance is a second product, and noise drawn device by device. Plain is
``x @ W.T`` in float32, or ``s @ W`` for the transposed read, in the fastest of NumPy's two forms and torch's
(``plain.py``); naive is the same physics in numpy, tile by tile. Times are of the processor, as other programs may be
at work, and medians of the repeats, ratios medians of the ratios within a repeat, in which all take turns; the first
calls are not counted.

Floor: 2 r d n floating-point operations for r samples, d inputs, n outputs, which the plain product needs too, and per
sample and output of every row tile one draw and one conversion, 1.2 ns. At a batch of 1 both stream the weights from
memory, 4 d n bytes.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import plain

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import ADC, DAC, Chip, Device, Layout
from hw_models.kernels import noise as noise_kernels
from hw_models.kernels.random import key

SHAPES, TILES, BATCHES = ((300, 300), (1000, 1024), (400, 30000)), (256, 512), (1, 32, 256)
LAWS = ("additive", "proportional")
LONG = 0.005
"""Seconds of calls that are timed together."""
SIGMA, STEP, RANGE = 0.02, 1 / 127, 24.0


def chip(tile: int, law: str = "additive", exact: bool = False) -> Chip:
    """Return the chip to be timed."""
    noise = SIGMA * 25 if law == "additive" else SIGMA
    return Chip(
        dac=DAC(bits=8, range=1.0),
        adc=ADC(bits=8, range=RANGE),
        device=Device(g_max=25.0, read_noise=noise, read_noise_law=law),
        crossbar=Layout(rows=tile, columns=tile, exact_noise=exact),
    )


def naive(x: np.ndarray, weight: np.ndarray, tile: int, draw: np.random.Generator) -> np.ndarray:
    """Return the product as plain numpy would: additive noise, tile by tile."""
    x = np.clip(np.rint(x / STEP) * STEP, -1, 1)
    top, total, step = np.abs(weight).max(), np.zeros((len(x), len(weight)), np.float32), np.float32(RANGE / 127)
    a = weight / top
    for begin in range(0, x.shape[1], tile):
        part = x[:, begin : begin + tile]
        sigma = np.float32(SIGMA * 2**0.5) * np.linalg.norm(part, axis=1, keepdims=True)
        current = part @ a[:, begin : begin + tile].T
        current = current + sigma * draw.standard_normal(current.shape, dtype=np.float32)
        total += np.clip(np.rint(current / step) * step, -RANGE, RANGE)
    return total * top


def seconds(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Return the seconds of one call of every task, by repeat; tasks take turns, as other load comes and goes."""
    calls: dict[str, int] = {}
    for name, task in tasks.items():
        task()
        calls[name], spent = 1, 0.0
        while spent < LONG:  # a first call or two are slower
            begin = time.process_time()
            for _ in range(calls[name]):
                task()
            spent = time.process_time() - begin
            calls[name] *= 1 if spent >= LONG else 2
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            begin = time.process_time()
            for _ in range(calls[name]):
                task()
            times[name].append((time.process_time() - begin) / calls[name])
    return times


def row(shape, tile, batch, law, exact, repeats, with_naive) -> dict:
    """Return the times of one case."""
    draw = np.random.default_rng(0)
    weight = draw.normal(size=shape).astype(np.float32) / np.float32(shape[1] ** 0.5)
    x, s = (draw.uniform(-1, 1, (batch, n)).astype(np.float32) for n in (shape[1], shape[0]))
    bar = Crossbar(chip(tile, law, exact), shape, 0, "benchmark")
    bar.program(weight)
    forms = {f"plain {name}": task for name, task in plain.product(x, weight.T).items()}
    turned = {f"plain transposed {name}": task for name, task in plain.product(s, weight).items()}
    tasks = forms | turned | {"forward": lambda: bar.forward(x), "transposed": lambda: bar.transposed(s)}
    if with_naive:
        tasks["naive"] = lambda: naive(x, weight, tile, draw)
    times = seconds(tasks, repeats)
    best = {"forward": plain.fastest({name: times[name] for name in forms})}
    best |= {"transposed": plain.fastest({name: times[name] for name in turned}), "naive": best["forward"]}
    found = {"shape": list(shape), "tile": tile, "batch": batch, "noise": law + (" exact" if exact else "")}
    found |= {name: statistics.median(each) for name, each in times.items()}
    found |= {"plain": found[best["forward"]], "plain_transposed": found[best["transposed"]], "fastest": best}
    found |= {f"{name}_ratio": plain.ratio(times[name], times[own]) for name, own in best.items() if name in times}
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="the smallest matrix only")
    parser.add_argument("--out")
    given = parser.parse_args()
    shapes = SHAPES[:1] if given.quick else SHAPES
    cases = [(shape, tile, batch, "additive", False) for shape in shapes for tile in TILES for batch in BATCHES]
    cases += [(shape, 256, batch, "proportional", False) for shape in shapes for batch in BATCHES]
    cases += [(SHAPES[0], 256, batch, "additive", True) for batch in BATCHES[:2]]
    cases += [] if given.quick else [(SHAPES[1], 256, BATCHES[-1], law, True) for law in LAWS]
    out = np.empty((256, 4096), np.float32)
    own = key(0, "benchmark")
    draws = seconds({"normals": lambda: noise_kernels.fill_normals(own, 0, 0, 0, out)}, given.repeats)["normals"]
    each = statistics.median(draws) / out.size
    print(f"normals: {each * 1e9:.2f} ns each\n")
    head = "   out x in     tile batch noise              plain ms forward ms ratio transposed ms ratio naive ratio"
    print(f"{head}  fastest")
    rows = []
    for case in cases:
        rows.append(found := row(*case, given.repeats, case[3] == "additive" and not case[4]))
        other = f"{found['naive_ratio']:8.1f}" if "naive" in found else ""
        (n, d), ms = found["shape"], {name: value * 1e3 for name, value in found.items() if isinstance(value, float)}
        print(
            f"{n:6d} x {d:<6d}{found['tile']:5d}{found['batch']:6d} {found['noise']:<14} {ms['plain']:12.4f}"
            f"{ms['forward']:11.4f}{found['forward_ratio']:6.2f}{ms['transposed']:14.4f}{found['transposed_ratio']:6.2f}"
            f"{other:>8}  {found['fastest']['forward'].removeprefix('plain ')}",
            flush=True,
        )
    result = {"machine": platform.processor() or platform.machine(), "python": sys.version.split()[0]}
    result |= {"nanoseconds_per_normal": each * 1e9, "products": rows}
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            file.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
