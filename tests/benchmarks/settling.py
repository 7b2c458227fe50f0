"""Cost and error of one batch's gradient by the form of its nudged phases and the acceleration of settling.

    python tests/benchmarks/settling.py [--network NAME] [--samples N] [--warm N] [--repeats N] [--engine local]
                                        [--products full|bfloat16] [--ways NAME ...] [--paper] [--threads N]
                                        [--data FOLDER --vectors FILE] [--weights CHECKPOINT] [--beta BETA]
                                        [--out settling.json]

Networks: snli_small, imdb_small (as in examples/configs, pooled read-outs), snli, imdb (the paper's, mask off). Without
--data the batch is random word vectors with the set's lengths. A few updates come first (--warm), so that weights are
no longer those of the start, or --weights takes those that a training has reached. Of every way that is listed: CPU
seconds of measuring one batch (median over the repeats, all ways in turn), products with the first dense matrix in
units of one read of the whole batch, sweeps free and nudged (of the slowest sample), and the error of every layer's
weight gradient, ||g - g*|| / ||g*||, against g* of float64 phases at rest with the same nudge, and the seconds of the
update. One thread, float32. Names of ways say the form, the tolerance of the free and that of the nudged phases, and
whether samples leave by themselves; --ways measures some of them alone, or others of that form, as in
"differences 0.01, 0.05, anderson, by sample". --paper adds, for snli and imdb, how many times as long the paper's
synchronous steps take with the update, its steps counted from one and four free ones (not all are taken: each costs the
same), on the local engine with full products, the mean of before and after the ways. --threads adds how many times as
long one thread takes as N for measuring and update, by the clock, in turns: to be run where nothing else runs.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import re
import statistics
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import speed

from hw_models.tally import Tally
from neuroep import engines
from neuroep.data.batch import Batch
from neuroep.engines.schedule import BY_SAMPLE, TOLERANCE
from neuroep.engines.settling import Schedule
from neuroep.gradients import angles
from neuroep.gradients.estimators import Estimator
from neuroep.network import builders as networks
from neuroep.runs import checkpoints

EXAMPLE = "differences 0.01, 0.05, anderson, by sample"
NUMBER = r"(\d*\.?\d+(?:e-?\d+)?)"
WAY = re.compile(rf"(states|differences) {NUMBER}, {NUMBER}(, anderson)?(, by sample)?")
"""Form, tolerance of the free and of the nudged phases, and what else."""
PAIRS = 5
"""Times that the paper's steps are measured."""


class Study(NamedTuple):
    """A network, its batch, and how its phases settle today."""

    case: speed.Case
    free: Schedule
    nudged: Schedule
    identity: float = 0.0


def study(name: str, beta: float | None = None) -> Study:
    """Return the network of that name with the tolerances of its configuration, and a nudge of its own if asked for."""
    found = _study(name)
    return found if beta is None else found._replace(case=found.case._replace(beta=beta))


def _study(name: str) -> Study:
    if name in ("snli", "imdb"):
        return Study(speed.case(name), Schedule(steps=100, tolerance=1e-2), Schedule(steps=100, tolerance=0.03))
    free, nudged = Schedule(steps=30, tolerance=1e-3), Schedule(steps=20, tolerance=0.03)
    if name == "snli_small":
        network = networks.inference(25, 300, (256, 3), readout="pooled")
        return Study(speed.Case(network, 0.1, 200, (30, 20), (6e-3, 2e-3), (14, 8)), free, nudged, 1.0)
    network = networks.sentiment(600, 300, (128, 2), readout="pooled")
    return Study(speed.Case(network, 0.1, 50, (10, 10), (5e-3, 1e-3), (230,)), free, nudged)


def ways(given: Study) -> dict[str, tuple[Schedule, Schedule]]:
    """Return the schedules that are compared, by name."""
    own = given.free.tolerance
    names = []
    for form, firsts, tolerances in (("states", (own,), (0.3, 0.03)), ("differences", (own, 0.03), (0.3, 0.2, 0.03))):
        names += [f"{form} {first:g}, {tolerance:g}" for first in firsts for tolerance in tolerances]
    names += [f"{name}, anderson" for name in names]
    alone = (own, 0.03), (own, 0.1), (0.003, 0.03), (0.001, 0.03)
    names += [f"differences {first:g}, {tolerance:g}, anderson, by sample" for first, tolerance in alone]
    return {name: way(name, given) for name in dict.fromkeys(names)}


def way(name: str, given: Study, products: str = "full") -> tuple[Schedule, Schedule]:
    """Return the schedules that a name says: form, tolerances, and what else.

    Raises
    ------
    SystemExit
        For a name of another form, or states that leave by themselves or go with rounded products.
    """
    found = WAY.fullmatch(name)
    if found is None:
        raise SystemExit(f"--ways: '{name}': say it as '{EXAMPLE}'; the last two may be left out")
    form, free, nudged, faster, alone = found.groups()
    if form == "states" and (alone or products != "full"):
        raise SystemExit(f"--ways: '{name}': {'by sample' if alone else f'--products {products}'} takes differences")
    how = {"acceleration": "anderson" if faster else "none", "stop": BY_SAMPLE if alone else TOLERANCE}
    first = replace(given.free, tolerance=float(free), **how)
    return first, replace(given.nudged, form=form, tolerance=float(nudged), **how)


def reads(engine: engines.engine.Engine, samples: int) -> float:
    """Return the products with the first dense matrix so far, in reads of a whole batch."""
    synapse = engine.network.dense[0]
    done = engine.performed().get(synapse.name, Tally())
    return sum(done.number(f"multiply-add {way}") for way in ("forward", "transposed")) / (
        samples * np.prod(synapse.shape)
    )


def measured(engine: engines.engine.Engine, estimator: Estimator, batch: Batch) -> dict[str, object]:
    """Return CPU seconds and sweeps of one measurement and of an update that moves weights by next to nothing."""
    begin = time.process_time()
    found = estimator.measure(engine, batch, 0)
    seconds = time.process_time() - begin
    engine.update(found.contrasts, {synapse.name: 1e-12 for synapse in engine.network.synapses})
    update = time.process_time() - begin - seconds
    sweeps = [found.health["free_steps"], found.health["nudged_steps"]]
    return {"seconds": seconds, "update": update, "sweeps": sweeps}


def paper(case: speed.Case, values: dict[str, np.ndarray], batch: Batch) -> float:
    """Return CPU seconds of the paper's schedule and the update, from what a step more takes."""
    engine = engines.build("local", case.network, values, threads=1)
    told: dict[int, list[dict]] = {1: [], 4: []}
    for steps in (1, *PAIRS * (1, 4)):
        phases = (Schedule("synchronous", steps=count) for count in (steps, 1))
        told[steps].append(measured(engine, Estimator("centred", case.beta, *phases), batch))
    short, long = told[1][1:], told[4]  # the first is not counted: it compiles, and makes the moments
    step = statistics.median((b["seconds"] - a["seconds"]) / 3 for a, b in zip(short, long, strict=True))
    free, nudged = case.phases
    rest = statistics.median(one["seconds"] + one["update"] for one in short)
    return rest + (free + 2 * nudged - 3) * step


Compared = dict[str, tuple[Schedule, Schedule]]


def by_threads(engine: engines.engine.Engine, batch: Batch, compared: Compared, given: argparse.Namespace) -> dict:
    """Return seconds by the clock of a batch and its update on one thread, and how many times those of several."""
    beta = study(given.network, given.beta).case.beta
    others = engines.build(
        given.engine, engine.network, engine.parameters(), threads=given.threads, products=given.products
    )
    told = {}
    for name, phases in compared.items():
        estimator = Estimator("centred", beta, *phases)
        seconds: dict[int, list[float]] = {1: [], given.threads: []}
        for turn in range(given.repeats + 1):  # the first is not counted
            for threads, each in ((1, engine), (given.threads, others)):
                begin = time.perf_counter()
                measured(each, estimator, batch)
                if turn:
                    seconds[threads].append(time.perf_counter() - begin)
        ratio = statistics.median(one / many for one, many in zip(*seconds.values(), strict=True))
        told[name] = {"one thread": round(statistics.median(seconds[1]), 4), "times": round(ratio, 2)}
    return told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=("snli_small", "imdb_small", "snli", "imdb"), default="snli_small")
    parser.add_argument("--engine", choices=engines.NAMES, default="local")
    parser.add_argument("--data")
    parser.add_argument("--vectors")
    parser.add_argument("--samples", type=int, help="of a batch; default the configuration's")
    parser.add_argument("--beta", type=float, help="strength of the nudge; default the configuration's")
    parser.add_argument("--warm", type=int, default=5, help="updates before measuring")
    parser.add_argument("--weights", help="checkpoint of a training of this network, instead of its initial weights")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--products", choices=engines.PRODUCTS, default="full")
    parser.add_argument("--ways", nargs="+", help="names of ways; default all")
    parser.add_argument("--paper", action="store_true", help="compare with the paper's schedule")
    parser.add_argument("--threads", type=int, help="compare one thread with so many")
    parser.add_argument("--out")
    given = parser.parse_args()
    chosen = study(given.network, given.beta)
    case, network = chosen.case, chosen.case.network
    samples = given.samples or case.samples
    if given.data:
        batches = speed.real_batches(given.network.split("_")[0], case, samples, given.data, given.vectors)
    else:
        batches = [speed.random_batch(case, samples)]
    rates = {s.name: case.rates[0] for s in network.projections} | {s.name: case.rates[1] for s in network.dense}
    if given.weights:
        start = checkpoints.load(given.weights, optimiser=False).parameters
    else:
        start = networks.initial_parameters(network, 0, 1.0, chosen.identity)
    engine = engines.build(given.engine, network, start, threads=1, products=given.products)
    for turn in range(given.warm):
        how = Estimator("centred", case.beta, chosen.free, replace(chosen.nudged, form="differences", tolerance=0.1))
        engine.update(how.measure(engine, batches[turn % len(batches)], turn).contrasts, rates)
    batch, values = batches[0], engine.parameters()
    exact = speed.converged(case, values, batch)
    page: dict[str, dict] = {}
    names = [name for name in ways(chosen) if given.products == "full" or name.startswith("differences")]
    compared = {name: way(name, chosen, given.products) for name in given.ways or names}
    papers = [paper(case, values, batch)] if given.paper else [0.0]
    for name, (free, nudged) in compared.items():
        estimator = Estimator("centred", case.beta, free, nudged)
        before = reads(engine, samples) if given.engine == "local" else 0.0
        found = estimator.gradient(engine, batch, 0)
        errors = {n: round(angles.relative_error(found[n], exact[n]), 5) for n in exact if n.endswith("weight")}
        page[name] = {"worst": max(errors.values()), "errors": errors}
        if given.engine == "local":
            page[name]["products"] = round(reads(engine, samples) - before, 2)
    times: dict[str, list[float]] = {name: [] for name in page}
    updates: dict[str, list[float]] = {name: [] for name in page}
    for _ in range(given.repeats):
        for name, (free, nudged) in compared.items():
            told = measured(engine, Estimator("centred", case.beta, free, nudged), batch)
            times[name].append(told["seconds"])
            updates[name].append(told["update"])
            page[name]["sweeps"] = told["sweeps"]
    if given.paper:
        papers.append(paper(case, values, batch))
    whole = statistics.mean(papers)
    for name, seconds in times.items():
        both = statistics.median(seconds), statistics.median(updates[name])
        page[name]["seconds"], page[name]["update"] = (round(each, 4) for each in both)
        page[name]["paper over this"] = round(whole / sum(both), 2)
    about = {"products": given.products, "paper": round(whole, 3)}
    result = {"network": given.network, "samples": samples, "engine": given.engine, **about, "ways": page}
    print(f"{given.network}, {samples} samples, engine {given.engine}")
    for name, row in page.items():
        cost = [row["seconds"], row["update"], row["paper over this"], row.get("products", "-"), *row["sweeps"]]
        told = [*cost, f"{100 * row['worst']:.2f} %", row["errors"]]
        print(f"{name:32s}", *told, sep="  ")
    if given.threads:
        result["threads"] = by_threads(engine, batch, compared, given)
        print(f"one thread and {given.threads}:", result["threads"])
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)


if __name__ == "__main__":
    main()
