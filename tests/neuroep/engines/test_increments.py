"""Nudged phases driven with increments, on every engine, against the slow network of :mod:`tests.naive.increments`.

What reads the increments gets matrices of its own, other than the weights: otherwise the drives would be those of
states, whatever is wired.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.naive import increments as naive, network as plain
from tests.naive.network import Course
from tests.neuroep.engines import sides
from tests.neuroep.engines.test_naive_parity import BETAS, COURSES, SCALES, TOLERANCE, on_engines

CASES = [
    (name, sides.POTENTIALS[(n + c) % len(sides.POTENTIALS)], course)
    for n, name in enumerate(sides.NETWORKS)
    for c, course in enumerate(COURSES)
]


class Matrices:
    """Reads increments with given matrices."""

    def __init__(self, substrate, paths):
        self.forwards = {name: substrate.values(pair[0]) for name, pair in paths.items()}
        self.backs = {name: substrate.values(pair[1]) for name, pair in paths.items()}
        self.reads = 0

    def forward(self, synapse, change):
        self.reads += 1
        return change @ self.forwards[synapse].T

    def transposed(self, synapse, change):
        self.reads += 1
        return change @ self.backs[synapse]


def paths_of(net, theta, spread):
    """Matrices near the weights, another for each direction."""
    draw = np.random.default_rng(8)
    return {
        synapse.name: tuple(
            theta[f"{synapse.name}.weight"] + spread * draw.normal(size=synapse.shape) / np.sqrt(synapse.shape[1])
            for _ in range(2)
        )
        for synapse in net.dense
    }


@on_engines
@pytest.mark.parametrize(("name", "potential", "course"), CASES)
def test_states_are_those_of_the_loops(where, name, potential, course):
    net = sides.network(name, potential, True)
    theta = sides.parameters(net, SCALES.get(potential, 2.0))
    batch, (free, nudged) = sides.batch(net, "unequal"), COURSES[course]
    side, paths = sides.Side(where, net, theta), paths_of(net, theta, 0.3)
    side.engine.substrate.increments = Matrices(side.engine.substrate, paths)
    first, *found = side.settle(batch, free, nudged, BETAS)
    start = plain.settle(net, theta, batch, free)
    for path, beta in zip(found, BETAS, strict=True):
        wanted = naive.settle(net, theta, batch, nudged, beta, start[-1], paths)
        for step, (one, other) in enumerate(zip(path, wanted, strict=True)):
            for layer in other.states:
                np.testing.assert_allclose(
                    one.states[layer], other.states[layer], atol=TOLERANCE, err_msg=f"{layer}, sweep {step + 1}"
                )
    # The free phase does not know of it.
    for layer in start[-1].states:
        np.testing.assert_allclose(first[-1].states[layer], start[-1].states[layer], atol=TOLERANCE)


@on_engines
def test_the_drives_of_the_free_state_are_read_once_for_all_nudged_phases(where):
    net = sides.network("woven", "hard_sigmoid", True)
    theta, batch = sides.parameters(net, 2.0), sides.batch(net, "unequal")
    side, course = sides.Side(where, net, theta), Course("synchronous", 3)
    engine, schedule = side.engine, sides.schedule(course)
    engine.substrate.increments = increments = Matrices(engine.substrate, paths_of(net, theta, 0.0))
    clamped = engine.clamp(batch)
    free = engine.settle(clamped, schedule)
    before = engine.counters()
    one = engine.settle(clamped, schedule, 0.4, free)
    drives = free.state.drives
    engine.settle(clamped, schedule, -0.4, free)
    engine.settle(clamped, schedule, 0.4, one)
    assert free.state.drives is drives
    assert increments.reads == 3 * course.steps * 2 * len(net.dense)
    counted = engine.counters().get("digital_operations", 0) - before.get("digital_operations", 0)
    if where == "local":  # which counts multiply-adds of its products, and those of attention units
        own = engine.performed()
        dense = [own[synapse.name] for synapse in net.dense]
        once = sum(
            tally.number(f"multiply-add {way}", phase="nudged") for tally in dense for way in ("forward", "transposed")
        )
        assert once == 2 * clamped.samples * sum(np.prod(synapse.shape) for synapse in net.dense) < counted
