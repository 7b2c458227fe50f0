"""What a sweep costs beside its trials, and trials per minute of one and of two workers.

    python tests/benchmarks/sweep.py [--trials 200] [--out sweep.json]

nothing     trials that return at once, through the ledger, the stop rule and two worker processes: what a trial costs
            the machinery, and the same without processes
overhead    deployment of a tiny network on 20 samples, beside the evaluation alone with everything in memory: what a
            worker does for each trial before and after it computes
throughput  deployment of the reviews network on all test samples, one worker and two; worker processes are up and
            warm before the clock starts, as it takes the first trials of each
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from analysis import demo
from analysis.sweep import runner, workers
from analysis.sweep.executors import Local
from neuroep.runs import config as configuration, session, training

TINY = {
    "network": {"tokens": 12, "dense": [8, 2], "readout": "pooled", "output_bias": 1.0},
    "data": {"limit": 90},
    "settling": {"free_steps": 4, "nudged_steps": 4},
    "training": {"epochs": 1, "batch": 20},
}


class Instead(Executor):
    """Hands another function to an executor than it is given."""

    def __init__(self, inner: Executor, function: Any) -> None:
        self.inner, self.function = inner, function

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future:
        return self.inner.submit(self.function, *args, **kwargs)


def nothing(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Be a trial that does nothing."""
    return {"id": spec["id"], "result": {"accuracy": 0.5, "loss": 0.1, "counters": {}}, "seconds": 0.0, "worker": "a:1"}


def warm(executor: Executor, run: Path, trials: int, **settings: Any) -> None:
    """Import, compile, and load the data in every worker."""
    with tempfile.TemporaryDirectory() as folder:
        vary = ["chip.adc.bits=8"]
        runner.run(run, vary, out=Path(folder) / "out", seeds=trials, executor=executor, **settings)


def seconds_of(executor: Executor, run: Path, trials: int, **settings: Any) -> tuple[float, list[dict[str, Any]]]:
    """Return the time from the first record of a sweep to its last, by trial, and the records."""
    times: list[float] = []
    records: list[dict[str, Any]] = []

    def report(record: Mapping[str, Any]) -> None:
        times.append(time.perf_counter())
        records.append(dict(record))

    with tempfile.TemporaryDirectory() as folder:
        values = min(trials, 10)
        out, vary = Path(folder) / "out", [f"chip.adc.bits=3:{2 + values}"]
        runner.run(run, vary, out=out, seeds=-(-trials // values), executor=executor, report=report, **settings)
    return (times[-1] - times[0]) / (len(times) - 1), records


def overhead(run: Path) -> dict[str, float]:
    """Return the milliseconds of a trial in a worker, of the engine's part in it, and of the rest."""
    specs: list[Mapping[str, Any]] = []

    def keep(spec: Mapping[str, Any]) -> dict[str, Any]:
        specs.append(spec)
        return nothing(spec)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        out = Path(folder) / "out"
        runner.run(run, ["chip.adc.bits=3:12"], out=out, seeds=3, samples=20, executor=Instead(pool, keep))
    spent: list[float] = []
    inner = [(session, "evaluate"), (session.building, "build_engine"), (session.Session, "_calibrate")]
    before = [getattr(place, name) for place, name in inner]

    def timed(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent.append(time.perf_counter() - begin)

        return run

    for (place, name), function in zip(inner, before, strict=True):
        setattr(place, name, timed(function))
    whole, engine = [], []
    for spec in specs:
        spent.clear()
        begin = time.perf_counter()
        page = workers.run_trial(spec)
        whole.append(time.perf_counter() - begin)
        engine.append(sum(spent))
        if "error" in page:
            raise SystemExit(page["error"])
    for (place, name), function in zip(inner, before, strict=True):
        setattr(place, name, function)
    rest = [a - b for a, b in zip(whole, engine, strict=True)]
    found = {"trial": whole[3:], "engine": engine[3:], "rest": rest[3:]}
    return {name: round(1000 * statistics.median(values), 2) for name, values in found.items()}


def throughput(run: Path, trials: int, repeats: int) -> dict[str, Any]:
    """Return trials per minute of one and of two workers, the best of some repeats, and their ratio."""
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repeats):
        for count in found:
            pool = Local(count)
            pool.threads = 1
            executor = pool.open()
            warm(executor, run, min(4 * count, trials))
            found[count].append(60 / seconds_of(executor, run, trials)[0])
            pool.close()
    best = {count: max(values) for count, values in found.items()}
    page: dict[str, Any] = {f"{count} workers, trials per minute": round(value, 1) for count, value in best.items()}
    return {
        **page,
        "ratio": round(best[2] / best[1], 2),
        "all": {c: [round(v, 1) for v in vs] for c, vs in found.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tiny, reviews = Path(folder) / "tiny", Path(folder) / "reviews"
        training.train(configuration.parse(TINY), tiny, progress=False)
        training.train(demo.settings({"epochs": 1}), reviews, progress=False)
        page: dict[str, Any] = {"machine": platform.machine(), "cpus": os.cpu_count(), "load": os.getloadavg()[0]}
        with ThreadPoolExecutor(1) as threads:
            seconds, _ = seconds_of(Instead(threads, nothing), tiny, arguments.trials)
        page["nothing, in a thread [ms]"] = round(1000 * seconds, 2)
        pool = Local(2)
        executor = pool.open()
        warm(executor, tiny, min(8, arguments.trials), samples=20)
        page["nothing, two processes [ms]"] = round(
            1000 * seconds_of(Instead(executor, nothing), tiny, arguments.trials)[0], 2
        )
        pool.close()
        page["overhead of a worker [ms]"] = overhead(tiny)
        page["throughput"] = throughput(reviews, arguments.trials, arguments.repeats)
    text = json.dumps(page, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    import sweep  # workers do not import what was called as a script: they find `nothing` in the module of its name

    sweep.main()
