"""Speed of pulsed updates as ratios to the plain product of the same rows, in one run on one thread.

    python tests/benchmarks/pulses.py [--size 512] [--batch 32] [--pulses 0.5] [--repeats 25] [--naive] [--out FILE]

One array of size x size soft-bounds devices, dw_min 0.001, cycle-to-cycle noise 0.3, update management on, trains of at
most 31 slots. The rate is set for ``--pulses`` coincidences per device and pair of rows on average; what came out is
printed. Three batches:

states   one term, rows uniform in [0, 1]: hard-sigmoid states, all pulses one way
signed   one term, rows uniform in [-1, 1]
phases   two terms, + and -, each of batch rows in [0, 1]: an update of Equilibrium Propagation

``rules`` is a whole update of learning rules on one such array with the contrast of a batch, over that of plain pulsed
trains: TTv2 that reads all columns of its fast array each time, as is its default, and one column each time.

Each figure is the median of the thread's CPU time over the repeats, taken in turns, compilation and first call left
out. Ratio: to float32 ``post.T @ pre`` of
all rows of the batch, in the fastest of NumPy's two forms and torch's (``plain.py``), timed in turns with it.
``--naive`` plays the trains by a NumPy loop over rows and slots as well.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import plain

from hw_models import durations
from hw_models.arrays.pulses import PulsedDevices
from hw_models.arrays.trains import Term, fit
from hw_models.chip import Chip, Pulse, Update
from neuroep.engines.chip import rules
from neuroep.engines.chip.rules.rule import LearningRule, Place
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Contrast, Held, Moved
from neuroep.learning.optimisers import SGD

PULSE = Pulse(response="soft_bounds", dw_min=1e-3, noise=0.3)


def compare(task: Callable[[], Any], forms: dict[str, plain.Task], repeats: int) -> tuple[float, float, float, str]:
    """Return the median seconds of a task and of the fastest form, of their ratio, and which form it is.

    All are taken in turns, after a call that is not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in ("task", *forms)}
    task()
    for _ in range(repeats):
        for name, call, number in (("task", task, 1), *((name, form, 7) for name, form in forms.items())):
            rounds = []
            for _ in range(number):
                begin = time.thread_time()
                call()
                rounds.append(time.thread_time() - begin)
            times[name].append(statistics.median(rounds))
    taken = times.pop("task")
    best = plain.fastest(times)
    return statistics.median(taken), statistics.median(times[best]), plain.ratio(taken, times[best]), best


def batch(kind: str, size: int, rows: int) -> list[Term]:
    """Return the terms of one batch."""
    rng = np.random.default_rng(0)
    low = -1.0 if kind == "signed" else 0.0
    draw = lambda: rng.uniform(low, 1, (rows, size)).astype(np.float32)  # noqa: E731
    return [(sign, draw(), draw()) for sign in ((1.0, -1.0) if kind == "phases" else (1.0,))]


def naive(weights: np.ndarray, terms: list[Term], rate: float, update: Update, rng: np.random.Generator) -> None:
    """Play the trains slot by slot with whole-matrix operations."""
    for sign, post, pre in terms:
        rows = fit((sign, post, pre), rate, PULSE.dw_min, update)
        if rows is None:
            raise ValueError("rows are not finite")
        for n in range(len(post)):
            p_post, p_pre = np.abs(post[n]) * rows.factor_post[n], np.abs(pre[n]) * rows.factor_pre[n]
            up = sign * np.outer(post[n], pre[n]) > 0
            for _ in range(rows.length[n]):
                meet = np.outer(rng.random(len(p_post)) < p_post, rng.random(len(p_pre)) < p_pre)
                noise = 1 + PULSE.noise * rng.standard_normal(weights.shape, dtype=np.float32)
                step = np.where(up, 1 - weights / PULSE.w_max, -(1 - weights / PULSE.w_min)) * PULSE.dw_min * noise
                np.clip(np.where(meet, weights + step, weights), PULSE.w_min, PULSE.w_max, out=weights)


def measure(kind: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one batch."""
    terms = batch(kind, given.size, given.batch)
    post, pre = (np.concatenate([term[side] for term in terms]) for side in (1, 2))
    rate = given.pulses * PULSE.dw_min / float(np.abs(post).mean() * np.abs(pre).mean())
    found: dict[str, Any] = {"rows": len(post)}
    for trains in ("expected", "stochastic"):
        update = Update(scheme="pulsed", trains=trains)
        devices = PulsedDevices(PULSE, (given.size, given.size), 0, "benchmark")
        weights, counts = np.zeros(devices.shape, np.float32), []
        taken, product, ratio, form = compare(
            lambda w=weights, u=update, d=devices, c=counts: c.append(d.update(w, terms, rate, u, len(c))),
            plain.product(post.T, pre),
            given.repeats,
        )
        found |= {"product_ms": product * 1e3, "fastest": form, f"{trains}_ms": taken * 1e3, f"{trains}_ratio": ratio}
        found[f"{trains}_pulses"] = statistics.mean(counts) / weights.size / len(post)
    if given.naive:
        weights, rng = np.zeros((given.size, given.size), np.float32), np.random.default_rng(1)
        slow = lambda: naive(weights, terms, rate, Update(scheme="pulsed"), rng)  # noqa: E731
        taken, _, ratio, _ = compare(slow, plain.product(post.T, pre), 1)
        found |= {"naive_ms": taken * 1e3, "naive_ratio": ratio}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()}


def rule(scheme: str, size: int, columns: int | None) -> LearningRule:
    """Return a learning rule on an array of such devices."""
    update: dict[str, Any] = {"scheme": scheme, "scaling": "auto"}
    if columns:
        update["transfer"] = {"columns": columns}
    chip = Chip.parse({"update": update, "device": {"pulse": PULSE.model_dump(exclude_unset=True)}})
    start = np.random.default_rng(0).uniform(-0.1, 0.1, (size, size)).astype(np.float32)
    setting = Setting(SGD(), Workers(1), "float32", 0, clock=durations.clock(chip.timing))
    return rules.named(scheme)(Place("benchmark", chip, setting), start, np.zeros(size, np.float32))


def measure_rules(given: argparse.Namespace) -> dict[str, Any]:
    """Return how long updates of learning rules take, over the plain pulsed one of the same contrasts."""
    rng, times = np.random.default_rng(1), dict[str, list[float]]()
    draw = lambda low, high: rng.uniform(low, high, (given.batch, given.size)).astype(np.float32)  # noqa: E731
    contrasts = [Contrast(Moved(draw(0, 1), draw(-0.1, 0.1)), Held(draw(0, 1)), 0.2, 1) for _ in range(4)]
    made = {
        "pulsed": rule("pulsed", given.size, None),
        "tiki_taka_v2": rule("tiki_taka_v2", given.size, None),
        "tiki_taka_v2, one column": rule("tiki_taka_v2", given.size, 1),
    }
    for number in range(given.repeats + 1):
        for name, each in made.items():
            begin = time.thread_time()
            each.update(contrasts[number % len(contrasts)], 3e-3)
            times.setdefault(name, []).append(time.thread_time() - begin)
    plain_times = times["pulsed"][1:]
    found = {f"{name}_ms": statistics.median(taken[1:]) * 1e3 for name, taken in times.items()}
    found |= {f"{name}_ratio": plain.ratio(taken[1:], plain_times) for name, taken in times.items() if name != "pulsed"}
    return {name: round(value, 3) for name, value in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--pulses", type=float, default=0.5)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--naive", action="store_true")
    parser.add_argument("--out")
    given = parser.parse_args()
    found: dict[str, Any] = {"processor": platform.processor() or platform.machine(), "pulses_wanted": given.pulses}
    found |= {kind: measure(kind, given) for kind in ("states", "signed", "phases")}
    found["rules"] = measure_rules(given)
    text = json.dumps(found, indent=2)
    print(text)
    if given.out:
        with open(given.out, "w") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
