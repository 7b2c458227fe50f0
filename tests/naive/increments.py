"""Nudged phases that are driven with increments, one sample and one layer at a time, in plain float64 NumPy.

What drives a layer in a nudged phase is what drove it in the free state s0, and what moved since, read by matrices that
may be others than the network's own (an array has two paths):

    forward    W s0 + b + F (s - s0)            back    W^T s0 + B^T (s - s0)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.naive import network as naive
from tests.naive.network import Course, Mathematics, Sample, Snapshot

Paths = dict[str, tuple[np.ndarray, np.ndarray]]
"""F and B by synapse, (out, in) each."""


class Moved(Mathematics):
    """A sample in a nudged phase whose free state was ``start``."""

    def __init__(
        self, network: Any, theta: dict, sample: Sample, beta: float, start: dict[str, np.ndarray], paths: Paths
    ) -> None:
        super().__init__(network, theta, sample, beta)
        self.start, self.paths = start, paths

    def forward(self, state: dict[str, np.ndarray], synapse: Any) -> np.ndarray:
        """What a dense synapse drives its layer with."""
        total, first = super().forward(self.start, synapse), 0
        for source in synapse.pre:
            last = first + self.layers[source].size
            moved = self.read(state, source) - self.read(self.start, source)
            total = total + self.paths[synapse.name][0][:, first:last] @ moved
            first = last
        return total

    def feedback(self, state: dict[str, np.ndarray], name: str) -> np.ndarray:
        """What drives a layer from behind."""
        total = super().feedback(self.start, name)
        for synapse in self.network.dense:
            first = 0
            for source in synapse.pre:
                last = first + self.layers[source].size
                if source == name:
                    moved = state[synapse.post] - self.start[synapse.post]
                    total = total + moved @ self.paths[synapse.name][1][:, first:last]
                first = last
        return total


def settle(
    network: Any, theta: dict, batch: Any, course: Course, beta: float, start: Snapshot, paths: Paths
) -> list[Snapshot]:
    """Settle a nudged phase from a free state; return the batch after every sweep."""
    runs = []
    for b, sample in enumerate(naive.samples(network, batch)):
        state = Mathematics(network, theta, sample, 0.0).within(start, b)
        one, path = Moved(network, theta, sample, beta, state, paths), []
        for _ in range(course.steps):
            state = one.sweep(state, course)
            path.append((one, state))
        runs.append(path)
    return [naive._together(network, list(step)) for step in zip(*runs, strict=True)]
