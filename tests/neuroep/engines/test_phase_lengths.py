"""Numbers of sweeps found at a calibration: the law of the noise floor, the rule on a system that is known, phases."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from neuroep.data.batch import Batch
from neuroep.engines import phase_lengths, shortfall
from neuroep.engines.phase_lengths import PhaseLengths
from neuroep.engines.schedule import CALIBRATED, Schedule
from neuroep.errors import ConfigError
from neuroep.network import builders as networks
from neuroep.randomness import generator

SAMPLES, SIZE, STEPS = 48, 40, 24


class Linear:
    """s <- s + (1 - rho)(target - s) + noise in two layers; the nudge moves the target, the noise is keyed."""

    averages, level = 1, 0.0
    network = networks.sentiment(4, 8, (6, 2), readout="pooled")

    def __init__(self, rho: float, noise: float, response: float = 0.05) -> None:
        self.rho, self.noise = rho, noise
        draw = generator(0, "linear")
        self.goal = {name: draw.normal(size=(SAMPLES, SIZE)) for name in ("hidden_1", "output")}
        self.way = {name: response * draw.normal(size=(SAMPLES, SIZE)) for name in self.goal}

    def clamp(self, batch):
        return generator(1, *batch.key)

    def computing(self):
        return _Nothing()

    def to_numpy(self, array):
        return array

    def sweeps(self, clamped, schedule, beta=0.0, start=None, number=None):
        values = {name: np.zeros_like(goal) for name, goal in self.goal.items()}
        values = values if start is None else dict(start.values)
        return Course(self, clamped, schedule, beta, values)


class _Nothing:
    def __enter__(self):
        return None

    def __exit__(self, *_):
        return None


class Course:
    def __init__(self, system, draw, schedule, beta, values):
        self.system, self.draw, self.schedule, self.beta = system, draw, schedule, beta
        self.state, self.steps = SimpleNamespace(values=values), 0

    @property
    def ended(self):
        return self.steps >= self.schedule.steps

    def sweep(self):
        self.steps += 1
        for name, value in self.state.values.items():
            goal = self.system.goal[name] + self.beta * self.system.way[name]
            fresh = self.system.noise * self.draw.normal(size=value.shape)
            self.state.values[name] = goal + self.system.rho * (value - goal) + fresh
        return self.state


def batch() -> Batch:
    return Batch({}, np.zeros(SAMPLES, np.int64))


def estimator(free=0.0, nudged=0.0, nudges=(1.0, -1.0), steps=STEPS):
    schedule = Schedule(steps=steps, stop=CALIBRATED)
    return SimpleNamespace(
        free=replace(schedule, tolerance=free), nudged=replace(schedule, tolerance=nudged), nudges=nudges
    )


def test_the_change_of_a_settled_state_is_that_of_the_law():
    """<|s' - s|^2> = 2 nu^2/(1 + rho) + (1 - rho)^2 e^2, and sigma^2 = nu^2/(1 - rho^2); 200,000 courses, 5 sigma."""
    draw, nu, count = generator(0, "law"), 0.3, 200_000
    for rho in (0.0, 0.4, 0.8):
        noise = nu / math.sqrt(1 - rho**2) * draw.normal(size=count)
        for missing in (0.0, 1.5):
            state = missing + noise
            moved = rho * state + nu * draw.normal(size=count) - state
            law = 2 * nu**2 / (1 + rho) + (1 - rho) ** 2 * missing**2
            error = np.square(moved).std() / math.sqrt(count)
            assert abs(np.square(moved).mean() - law) < 5 * error
            later = moved + state - rho * missing
            assert later.var() == pytest.approx(nu**2 / (1 - rho**2), rel=5 * math.sqrt(2 / count))


@pytest.mark.parametrize("rho", [0.2, 0.5, 0.7])
@pytest.mark.parametrize("noise", [0.003, 0.03])
def test_a_free_phase_takes_the_sweeps_after_which_little_is_missing(rho, noise):
    """e_k = rho^k goal is known: at the number found it is small beside the noise, one sweep before it was not."""
    found = phase_lengths.found(Linear(rho, noise), [batch()], estimator(nudged=0.5))
    variance = noise**2 / (1 - rho**2)
    missing = {k: rho ** (2 * k) for k in range(STEPS)}  # times goals of mean square 1
    assert found.free_met
    assert missing[found.free] < 0.3 * variance
    assert missing[found.free - 1] > 0.05 * variance


@pytest.mark.parametrize("rho", [0.3, 0.6])
def test_a_nudged_phase_takes_the_sweeps_in_which_its_displacement_is_reached(rho):
    """Without noise 1 - R_k = rho^k in both layers."""
    found = phase_lengths.found(Linear(rho, 0.0), [batch()], estimator(free=1e-3, nudged=0.03))
    assert found.nudged == math.ceil(math.log(0.03) / math.log(rho))
    assert found.nudged_met


def test_where_noise_hides_a_displacement_a_nudge_gets_the_sweeps_of_the_free_phase():
    found = phase_lengths.found(Linear(0.5, 0.02, response=1e-4), [batch()], estimator(nudged=0.03))
    assert found.nudged == found.free > 4


def test_a_single_nudge_lets_the_free_phase_take_the_sweeps_of_both():
    """What the free state has left to settle would be in one end of the contrast alone."""
    both = phase_lengths.found(Linear(0.5, 0.01), [batch()], estimator(nudged=0.1))
    single = phase_lengths.found(Linear(0.5, 0.01), [batch()], estimator(nudged=0.1, nudges=(1.0, 0.0)))
    assert single.free == both.free + single.nudged


def test_what_never_settles_takes_all_steps_and_says_so():
    found = phase_lengths.found(Linear(0.97, 1e-4), [batch()], estimator(nudged=0.01))
    assert (found.free, found.free_met) == (STEPS, False)
    assert (found.nudged, found.nudged_met) == (STEPS, False)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_phases_of_few_sweeps_have_their_own(steps):
    found = phase_lengths.found(Linear(0.5, 0.01), [batch()], estimator(nudged=0.1, steps=steps))
    assert 1 <= found.free <= steps
    assert 1 <= found.nudged <= steps


@pytest.mark.parametrize(("steps", "free", "nudged"), [(1, False, False), (3, True, False), (4, True, True)])
def test_the_last_sweeps_do_not_tell_that_they_have_settled_themselves(steps, free, nudged):
    """One sweep is its own end; of a nudge that takes two to reach all layers there is no third one to compare with."""
    missing, reached = shortfall.Missing(0.0), shortfall.Reached()
    course = [{"h": np.ones((4, 3))}] * steps
    missing.add(course, course)
    reached.add(course, course)
    schedule = Schedule(steps=steps, tolerance=0.1)
    assert missing.length(schedule) == (1, free)
    assert reached.length(schedule, 2, 1) == (2 if nudged else steps, nudged)


def test_the_mean_of_the_last_sweeps_is_what_is_judged():
    """A state that is the mean of five sweeps has less noise and misses what its first one missed."""
    one, five = Linear(0.5, 0.05), Linear(0.5, 0.05)
    five.averages = 5
    found = [phase_lengths.found(each, [batch()], estimator(nudged=0.5)).free for each in (one, five)]
    assert found[1] >= found[0] + 4


def test_sums_are_those_of_loops():
    """Missing and Reached beside loops over samples, neurons and sweeps."""
    draw, steps, shape = generator(2, "sums"), 8, (3, 4)
    one, other = ([{"a": draw.normal(size=shape)} for _ in range(steps)] for _ in range(2))
    missing, reached = shortfall.Missing(0.0), shortfall.Reached()
    missing.add(one, other)
    reached.add(one, other)

    def mean(course, first, b, i):
        return sum(course[k]["a"][b, i] for k in range(first, steps)) / (steps - first)

    for k in range(steps):
        free = along = whole = 0.0
        for b in range(shape[0]):
            for i in range(shape[1]):
                free += (one[k]["a"][b, i] - mean(one, 6, b, i)) * (other[k]["a"][b, i] - mean(other, 6, b, i))
                ends = mean(one, 4, b, i), mean(other, 4, b, i)
                along += (one[k]["a"][b, i] * ends[1] + other[k]["a"][b, i] * ends[0]) / 2
                whole += ends[0] * ends[1]
        assert missing.missing["a"][k] == pytest.approx(free, rel=1e-9)
        assert reached.along["a"][k] == pytest.approx(along, rel=1e-9)
        assert reached.whole["a"] == pytest.approx(whole, rel=1e-9)
    noise = sum(np.var([c[k]["a"] for k in (6, 7)], axis=0, ddof=1).sum() for c in (one, other)) / 2
    assert missing.noise["a"] == pytest.approx(noise, rel=1e-9)


def test_standard_errors_are_those_of_many_calibrations():
    """The spread that one calibration tells of R beside that over 300 of them; noise shared by a sample's neurons."""
    draw, steps, told, shares = generator(3, "spread"), 12, [], []
    way = draw.normal(size=(30, 5))
    for _ in range(300):
        one, other = (
            [{"a": way + 0.8 * draw.normal(size=(30, 1)) * np.ones((1, 5))} for _ in range(steps)] for _ in range(2)
        )
        reached = shortfall.Reached()
        reached.add(one, other)
        told.append(reached.spread["a"])
        shares.append(reached.along["a"][0] - reached.along["a"][6:].mean())
    assert np.mean(told) == pytest.approx(np.var(shares), rel=0.25)


def test_lengths_are_packed_and_resolve_schedules():
    found = PhaseLengths(3, 5, True, False)
    assert PhaseLengths.unpacked(found.packed()) == found
    assert found.packed().shape == PhaseLengths.SHAPE
    schedule = Schedule(steps=4, tolerance=0.1, stop=CALIBRATED)
    assert found.resolved(schedule, "free") == Schedule(steps=3, stop=CALIBRATED)
    assert found.resolved(schedule, "nudged").steps == 4
    assert found.met("free") and not found.met("nudged")


def test_an_unknown_stop_is_refused():
    with pytest.raises(ConfigError, match="stop"):
        Schedule(stop="noise")
