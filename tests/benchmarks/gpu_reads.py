"""Kernels of reads on a GPU beside operations of torch there: whether draws are the bits of the CPU, and times.

    python tests/benchmarks/gpu_reads.py [--device cuda|cpu] [--draws 4194304] [--shapes 200x256 2000x1024]
                                         [--repeats 50] [--out gpu_reads.json]

``differ`` is how many of the draws are not the bits that the compiled kernels of the CPU make, ``apart`` the largest
difference. ``sense`` is a read of that many rows and outputs: noise, a converter of 8 bits and the sum, ``varied`` one
with a variance of every current, ``carried`` one with noise that lasts, ``stochastic`` stochastic rounding. Seconds are
wall time of one of a row of calls, the device waited for at the end alone, the median of five rows; ``launches`` is how
many kernels one starts, on a GPU. ``sums differ`` and ``stops`` hold sums and counts of one read against the CPU's. On
the CPU kernels of Triton run in its interpreter, which rounds a multiply-add twice: that shows that they run, no more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

LEVELS = (0.02, -2.54, 2.54)
COUNTER = (2**32 - 1, 5, 2**32 - 70)
"""Read, tile and first row: rows go on at 0."""


def waited(device: str) -> float:
    """Return the wall clock once the device is done."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds(task: Callable[[], object], device: str, repeats: int) -> float:
    """Return the time of a call among others."""
    task()
    rows = []
    for _ in range(5):
        begin = waited(device)
        for _ in range(repeats):
            task()
        rows.append((waited(device) - begin) / repeats)
    return statistics.median(rows)


def launches(task: Callable[[], object], device: str) -> int | None:
    """Return how many kernels a call starts on the device; None where nobody can tell."""
    if device == "cpu":
        return None
    from torch.profiler import ProfilerActivity, profile

    task()
    torch.cuda.synchronize()
    try:
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            task()
            torch.cuda.synchronize()
    except RuntimeError as error:
        print(f"no profile: {error}", file=sys.stderr)
        return None
    return sum(event.device_type == torch.autograd.DeviceType.CUDA for event in seen.events())


def draws(ways: dict[str, object], number: int) -> dict[str, object]:
    """Return how the draws of each way differ from those of the CPU's kernels."""
    from hw_models.kernels.random import key, normals

    shape = (max(1, number // 4096), min(number, 4096))
    own = key(0, "reads")
    exact = normals(own, *COUNTER[:2], shape, COUNTER[2])
    found: dict[str, object] = {"draws": exact.size}
    for name, math in ways.items():
        there = math.host(math.normals((own, *COUNTER), shape))
        differ = there.view(np.uint32) != exact.view(np.uint32)
        found[name] = {"differ": int(differ.sum()), "apart": float(np.abs(there - exact).max())}
    return found


def reads(ways: dict[str, object], shape: tuple[int, int], device: str, repeats: int) -> dict[str, object]:
    """Return times and agreement of reads of so many rows and outputs."""
    from hw_models.kernels.arithmetic import NUMPY
    from hw_models.kernels.random import key

    draw, own = np.random.default_rng(0), (key(0, "reads"), *COUNTER)
    currents = draw.normal(size=shape).astype(np.float32)
    sigma = draw.uniform(0.1, 0.4, shape[0]).astype(np.float32)
    variance = draw.uniform(0.01, 0.1, shape).astype(np.float32)
    kept, cosine = draw.normal(size=shape).astype(np.float32), draw.uniform(-1, 1, shape[0]).astype(np.float32)
    shares = draw.uniform(0, 1, shape[1]).astype(np.float32)
    values, total = currents.copy(), np.zeros(shape, dtype=np.float32)
    stops = NUMPY.sense(values, sigma, own, LEVELS, 0.5, total, 0)
    found: dict[str, object] = {}
    for name, math in ways.items():
        current, spread = math.bring(currents.copy()), math.bring(sigma.copy())
        sums, var = math.bring(np.zeros_like(total)), math.bring(variance.copy())
        count = int(math.sense(current, spread, own, LEVELS, 0.5, sums, 0))
        differ = math.host(sums) != total
        lasting = tuple(math.bring(each.copy()) for each in (kept, np.stack([cosine, cosine * cosine]), shares))

        def sense(math=math, current=current, spread=spread, sums=sums) -> object:
            return math.sense(current, spread, own, LEVELS, 0.5, sums, 0)

        def varied(math=math, current=current, var=var, sums=sums) -> object:
            return math.sense_varied(current, var, 0.01, own, LEVELS, 0.5, sums, 0)

        def carried(math=math, current=current, var=var, lasting=lasting, sums=sums) -> object:
            return math.sense_carried(current, var, lasting, 0.01, own, LEVELS, 0.5, sums, 0)

        def stochastic(math=math, current=current, sums=sums) -> object:
            return math.convert_stochastic(current, sums, LEVELS, own)

        tasks = {"sense": sense, "varied": varied, "carried": carried, "stochastic": stochastic}
        found[name] = {
            "sums differ": int(differ.sum()), "stops": [count, stops],
            "seconds": {what: seconds(task, device, repeats) for what, task in tasks.items()},
            "launches": {what: launches(task, device) for what, task in tasks.items()},
        }  # fmt: skip
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--draws", type=int, default=1 << 22)
    parser.add_argument("--shapes", nargs="+", default=["200x256", "2000x1024"])
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--out")
    given = parser.parse_args()
    if given.device == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"
    from hw_models.kernels import devices, tensors

    device = torch.device(given.device)
    ways: dict[str, object] = {"operations": tensors.TensorArithmetic(device)}
    try:
        from hw_models.kernels.fused import FusedArithmetic
    except ImportError as error:
        print(f"without Triton: {error}", file=sys.stderr)
    else:
        ways["fused"] = FusedArithmetic(device)
    result: dict[str, object] = {
        "device": "cpu" if given.device == "cpu" else torch.cuda.get_device_name(device),
        "torch": torch.__version__,
        "used": type(devices.on(device)).__name__,
        "normals": draws(ways, given.draws),
    }
    for name in given.shapes:
        rows, outputs = map(int, name.split("x"))
        result[name] = reads(ways, (rows, outputs), given.device, given.repeats)
    text = json.dumps(result, indent=2)
    print(text)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
