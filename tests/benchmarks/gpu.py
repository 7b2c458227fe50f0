"""Wall time of one training batch of the paper's networks on a GPU, by the form of the phases, and where it goes.

    python tests/benchmarks/gpu.py [--networks snli imdb] [--device cuda|cpu] [--repeats 7] [--warm 5] [--samples N]
                                   [--data FOLDERS --vectors FILE] [--ways NAME ...] [--out gpu.json]

Networks, batches and ways as in ``settling.py``, --data a folder of those of the data sets, whose words are looked up
on the device; ``paper`` are the paper's synchronous steps, all of them; ``one by one`` starts every kernel from the
host rather than replay what was recorded. Each time is the median over the repeats of measuring and updating one batch,
the device waited for, batches in turn, after --warm batches that are not counted and four more. ``kernels`` is how many
kernels and copies one batch starts on the device, ``busy`` the seconds for which they keep it, ``copies`` those of them
that bring the batch from the host. ``worst`` is the largest relative error of a layer's weight gradient against float64
phases at rest with the same nudge, on the same device.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import settling
import speed
import torch

from neuroep import data, engines
from neuroep.data.batch import Batch
from neuroep.engines.engine import Engine
from neuroep.engines.schedule import BY_SAMPLE
from neuroep.engines.settling import Schedule
from neuroep.errors import unknown
from neuroep.gradients import angles
from neuroep.gradients.estimators import Estimator
from neuroep.network import builders as networks


def ways(study: settling.Study) -> dict[str, tuple[str, Schedule, Schedule]]:
    """Return products and schedules of the ways that are compared, by name."""
    free, nudged = (Schedule("synchronous", steps=steps) for steps in study.case.phases)
    found = {"paper": ("full", free, nudged)}
    found["states"] = ("full", study.free, replace(study.nudged, form="states", tolerance=0.03))
    loose = replace(study.free, tolerance=0.03, acceleration="anderson")
    quick = replace(study.nudged, form="differences", tolerance=0.1, acceleration="anderson")
    tight = replace(study.free, acceleration="anderson"), replace(quick, tolerance=0.03)
    alone = replace(tight[0], stop=BY_SAMPLE), replace(quick, tolerance=0.05, stop=BY_SAMPLE)
    for products in ("full", "bfloat16"):
        found[f"differences .03, .1, {products}"] = products, loose, quick
        found[f"differences .01, .03, {products}"] = products, *tight
        found[f"differences .01, .05, {products}, by sample"] = products, *alone
    for way in [way for way, (_, free, _) in found.items() if free.stop != BY_SAMPLE]:
        found[f"{way}, one by one"] = found[way]
    return found


def converged(device: str, study: settling.Study, values: dict[str, np.ndarray], batch: Batch) -> dict[str, np.ndarray]:
    """Return the gradient of phases at rest in float64."""
    rest = Schedule(steps=400, tolerance=1e-11), Schedule(steps=400, tolerance=1e-6)
    engine = engines.reference(study.case.network, values, dtype="float64", device=device)
    return Estimator("centred", study.case.beta, *rest).gradient(engine, batch)


def one(engine: Engine, estimator: Estimator, batch: Batch, turn: int, rates: dict[str, float]) -> float:
    """Return the wall seconds of measuring one batch and updating with it."""
    speed.synchronise(engine)
    begin = time.perf_counter()
    engine.update(estimator.measure(engine, batch, turn).contrasts, rates)
    speed.synchronise(engine)
    return time.perf_counter() - begin


def profiled(engine: Engine, estimator: Estimator, batch: Batch, rates: dict[str, float]) -> dict[str, object]:
    """Return what one batch starts on the device, and the kernels that take longest."""
    kinds = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds) as profile:
        one(engine, estimator, batch, 0, rates)
    events = [e for e in profile.events() if e.device_type == torch.autograd.DeviceType.CUDA and "#" not in e.name]
    by_name: dict[str, list[float]] = {}
    for event in events:
        by_name.setdefault(event.name, []).append(event.device_time * 1e-6)
    longest = sorted(by_name.items(), key=lambda item: -sum(item[1]))[:14]
    return {
        "kernels": len(events),
        "busy": sum(map(sum, by_name.values())),
        "copies": sum(sum(times) for name, times in by_name.items() if "HtoD" in name),
        "longest": {name[:90]: [len(times), round(sum(times), 6)] for name, times in longest},
    }


def compared(name: str, given: argparse.Namespace) -> dict[str, object]:
    """Return times and errors of one network."""
    study = settling.study(name)
    case, network = study.case, study.case.network
    samples = given.samples or case.samples
    if given.data:
        folder, text = name.split("_")[0], network.sequences[0].tokens
        corpus = data.load(folder, path=f"{given.data}/{folder}", vectors=given.vectors, tokens=text)
        found = corpus.batches("train", samples, order="shuffled", looked_up=given.device == "cpu")
        batches = list(islice(found, given.warm + 1))
    else:
        batches = [speed.random_batch(case, samples)]
    rates = {s.name: case.rates[0] for s in network.projections} | {s.name: case.rates[1] for s in network.dense}
    start = networks.initial_parameters(network, 0, output_bias=1.0)
    known = ways(study)
    for way in given.ways or ():
        if way not in known:
            raise SystemExit("--ways: " + unknown("way", way, tuple(known)))
    compared = {way: how for way, how in known.items() if given.ways is None or way in given.ways}
    first = engines.reference(network, start, device=given.device)
    warm = Estimator("centred", case.beta, *known["differences .01, .03, full"][1:])
    for turn in range(given.warm):
        one(first, warm, batches[turn % len(batches)], turn, rates)
    values = first.parameters()
    page: dict[str, Any] = {"device": first.describe()["device"], "samples": samples, "ways": {}}
    del first
    exact = converged(given.device, study, values, batches[0])
    for way, (products, free, nudged) in compared.items():
        estimator = Estimator("centred", case.beta, free, nudged)
        engine = engines.reference(network, values, device=given.device, products=products)
        if way.endswith("one by one"):
            engine.substrate.replay = None
        health = estimator.measure(engine, batches[0], 0).health
        gradient = estimator.gradient(engine, batches[0], 0)
        errors = {n: round(angles.relative_error(gradient[n], exact[n]), 5) for n in exact if n.endswith("weight")}
        times = [one(engine, estimator, batches[turn % len(batches)], turn, rates) for turn in range(given.repeats + 4)]
        row = {
            "seconds": statistics.median(times[4:]),
            "sweeps": [health["free_steps"], health["nudged_steps"]],
            "worst": max(errors.values()),
            "errors": errors,
        }
        if given.device != "cpu":
            row |= profiled(engine, estimator, batches[0], rates)
            row["peak GB"] = torch.cuda.max_memory_allocated() / 1e9
            torch.cuda.reset_peak_memory_stats()
        page["ways"][way] = row
        told = {key: value for key, value in row.items() if key not in ("errors", "longest")}
        print(name, way, json.dumps(told), flush=True)
        del engine
    return page


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=("snli", "imdb", "snli_small", "imdb_small"), default=["snli"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--warm", type=int, default=5)
    parser.add_argument("--samples", type=int)
    parser.add_argument("--ways", nargs="+")
    parser.add_argument("--data")
    parser.add_argument("--vectors")
    parser.add_argument("--out")
    given = parser.parse_args()
    page = {name: compared(name, given) for name in given.networks}
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"torch": torch.__version__, **page}, file, indent=2)


if __name__ == "__main__":
    main()
