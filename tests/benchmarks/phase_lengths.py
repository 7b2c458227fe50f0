"""What a number of sweeps found at a calibration does to states, displacements and gradients, beside other stops.

    python tests/benchmarks/phase_lengths.py [SOURCE] [--chips pcm,rram] [--draws N] [--samples N] [--steps N]
                                             [--cosines N] [--out page.json] [-- SETTINGS]

SOURCE is a run or a configuration; settings follow "--" (``--data.path FOLDER``). One batch settles again and again
with other draws of the reads, in three ways: all steps (``long``), the numbers of a calibration (``calibrated``), and
by what its changes show (``seen``: until the largest change has not fallen below 0.7 of its best for two sweeps). By
layer:

- missing: mean square of what the mean state lies off the long one, less what so few draws leave, over the variance of
  a state in the long one
- variance: of states over draws, over that of the long ones, and the same of the difference of the two nudged states
- share: of the displacement by the nudges, projected on the long one

With ``--cosines N`` also, by weights, the cosine of one gradient and of the mean of N with the exact one of the weights
as they conduct, and the size of the mean along it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import neuroep
from neuroep import engines
from neuroep.data.batch import Batch
from neuroep.engines.schedule import Schedule
from neuroep.engines.settling import Settling
from neuroep.gradients.estimators import Estimator
from neuroep.runs.session import Session

REVIEWS = Path(__file__).parents[2] / "examples" / "configs" / "reviews.toml"
WAYS = ("long", "calibrated", "seen")
STAYS, SWEEPS = 0.7, 2
"""A change above that share of the best has not fallen; so often it ends a phase that is seen."""
Page = dict[str, dict[str, float]]


def taken(phase: Settling, seen: bool) -> Settling:
    """Settle a phase, to its end or for as long as its changes fall."""
    best, stays = np.inf, 0
    while not phase.ended and not (seen and stays >= SWEEPS):
        phase.sweep()
        stays = stays + 1 if phase.change >= STAYS * best else 0
        best = min(best, phase.change)
    return phase


class Course:
    """The ends of the phases of a batch over many draws, in one way."""

    def __init__(self, session: Session, way: str, batch: Batch) -> None:
        estimator = session.estimator
        self.engine, self.beta, self.way, self.batch = session.engine, estimator.beta, way, batch
        found = way == "calibrated"
        self.first = estimator.free if found else estimator.free.whole()
        self.then = estimator.nudged if found else estimator.nudged.whole()
        layers = [layer.name for layer in self.engine.network.layers]
        self.steps: list[tuple[int, ...]] = []
        self.free: dict[str, list[np.ndarray]] = {name: [] for name in layers}
        self.moved: dict[str, list[np.ndarray]] = {name: [] for name in layers}

    def draw(self, number: int) -> None:
        """Settle once more, with draws of that number."""
        engine, seen, both = self.engine, self.way == "seen", []
        with engine.computing():
            clamped = engine.clamp(self.batch.keyed("phase lengths", self.way, number))
            free = taken(engine.sweeps(clamped, self.first), seen)
            for place, beta in ((1, self.beta), (2, -self.beta)):
                both.append(taken(engine.sweeps(clamped, self.then, beta, free.state, place), seen))
        self.steps.append((free.steps, *(phase.steps for phase in both)))
        for name, values in free.state.values.items():
            plus, minus = (np.array(phase.state.values[name]) for phase in both)
            self.free[name].append(np.array(values))
            self.moved[name].append(plus - minus)


def variance(draws: Sequence[np.ndarray]) -> float:
    """Return the mean variance over draws."""
    return max(float(np.var(draws, axis=0, ddof=1).mean()), 1e-30)


def compared(found: Course, long: Course) -> Page:
    """Return what is said above, by layer."""
    page: Page = {}
    for name, states in found.free.items():
        rest, moves, still = long.free[name], found.moved[name], long.moved[name]
        off = np.square(np.mean(states, 0) - np.mean(rest, 0)).mean()
        off -= (variance(states) + variance(rest)) / len(states)
        halves = [np.mean(still[half::2], 0) for half in (0, 1)]
        along = float((np.mean(moves, 0) * np.mean(still, 0)).sum())
        whole = float((halves[0] * halves[1]).sum())  # without the square of the noise
        page[name] = {
            "missing": float(off) / variance(rest),
            "variance": variance(states) / variance(rest),
            "share": along / whole if whole > 0 else float("nan"),
            "variance of displacement": variance(moves) / variance(still),
        }
    return page


def cosines(session: Session, draws: int, samples: int) -> dict[str, Page]:
    """Return cosines with the exact gradient and sizes along it, by way and weights."""
    engine, estimator = session.engine, session.estimator
    batch = next(iter(session.batches("train", samples)))
    rest = Schedule(steps=60, tolerance=1e-5)
    exact = engines.local(engine.network, engine.conducting(), threads=1)
    wanted = Estimator("centred", estimator.beta, rest, replace(rest, tolerance=1e-3)).gradient(exact, batch)
    ways = {
        "long": replace(estimator, free=estimator.free.whole(), nudged=estimator.nudged.whole()),
        "calibrated": estimator,
    }
    drawn: dict[str, list[dict[str, np.ndarray]]] = {way: [] for way in ways}
    for draw in range(draws):
        for way, how in ways.items():
            drawn[way].append(how.gradient(engine, batch.keyed("cosines", way, draw), draw))
    found: dict[str, Page] = {way: {} for way in ways}
    for way in ways:
        for name in wanted:
            if name.endswith("weight"):
                each, goal = [gradient[name] for gradient in drawn[way]], wanted[name]
                mean = np.mean(each, 0)
                found[way][name] = {
                    "one": float(np.mean([cosine(gradient, goal) for gradient in each])),
                    "mean": cosine(mean, goal),
                    "size": float((mean * goal).sum() / np.square(goal).sum()),
                }
    return found


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the cosine of two arrays."""
    return float((one * other).sum() / np.sqrt(np.square(one).sum() * np.square(other).sum()))


def study(source: str, chip: str, given: argparse.Namespace) -> dict[str, object]:
    """Return all of one chip, and print it."""
    steps = str(given.steps)
    settings = ["--settling.stop", "calibrated", "--settling.free_steps", steps, "--settling.nudged_steps", steps]
    session = neuroep.Session.open(source, chip=chip, overrides=[*given.settings, "--engine.threads", "1", *settings])
    batch = next(iter(session.batches("train", given.samples)))
    courses = {way: Course(session, way, batch) for way in WAYS}
    for number in range(given.draws):
        for course in courses.values():  # in turn: noise of the devices that lasts is that of all
            course.draw(number)
    page: dict[str, object] = {"steps": {way: np.mean(found.steps, 0).tolist() for way, found in courses.items()}}
    print(f"{chip}: mean sweeps, free and nudged: {page['steps']}")
    for way in WAYS[1:]:
        page[way] = table = compared(courses[way], courses["long"])
        for name, row in table.items():
            print(f"  {way:<11}{name:<26}" + ", ".join(f"{what} {value:.2f}" for what, value in row.items()))
    if given.cosines:
        page["cosines"] = tables = cosines(session, given.cosines, given.samples)
        for way, rows in tables.items():
            for name, row in rows.items():
                print(f"  {way:<11}{name:<38}" + ", ".join(f"{what} {value:.3f}" for what, value in row.items()))
    return page


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default=str(REVIEWS))
    parser.add_argument("--chips", default="pcm")
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cosines", type=int, default=0, help="gradients of which cosines are taken")
    parser.add_argument("--out", help="JSON file for the numbers")
    parser.add_argument("settings", nargs="*")
    given = parser.parse_intermixed_args()
    found = {chip: study(given.source, chip, given) for chip in given.chips.split(",")}
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=2)


if __name__ == "__main__":
    main()
