"""EP gradients and updates of the slow network, one sample and one weight at a time; checked in test_network.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.naive import rules
from tests.naive.network import Course, Mathematics, Snapshot, samples, settle

WEIGHTS = {"centred": {1: 0.5, -1: -0.5}, "positive": {1: 1.0, 0: -1.0}, "negative": {0: 1.0, -1: -1.0}}
"""What each estimator weighs its phases with, by their nudge in units of beta; 0 is the free phase."""


def gradient(network: Any, theta: dict, batch: Any, phases: dict[int, Snapshot], kind: str, beta: float) -> dict:
    """dL/dtheta = -1/beta sum_k w_k dPhi/dtheta at the end of phase k, mean over the batch."""
    total = {name: np.zeros(value.shape) for name, value in theta.items()}
    clamped = samples(network, batch)
    for b, sample in enumerate(clamped):
        one = Mathematics(network, theta, sample, 0.0)
        for nudge, weight in WEIGHTS[kind].items():
            for name, value in one.by_parameters(one.within(phases[nudge], b)).items():
                total[name] -= weight * value / (beta * len(clamped))
    return total


def estimate(network: Any, theta: dict, batch: Any, kind: str, beta: float, free: Course, nudged: Course) -> dict:
    """The EP gradient: nudged phases begin where the free one ended."""
    phases = {0: settle(network, theta, batch, free)[-1]}
    for nudge in WEIGHTS[kind]:
        if nudge:
            phases[nudge] = settle(network, theta, batch, nudged, nudge * beta, phases[0])[-1]
    return gradient(network, theta, batch, phases, kind, beta)


class Learner:
    """Weights that learn: one at a time, those of a synapse at its rate; weights decay, biases do not.

    Parameters
    ----------
    theta : dict
        First weights and biases.
    rule : str
        ``adam`` or ``sgd``.
    settings : dict
        betas, eps, weight_decay; momentum, weight_decay.
    """

    def __init__(self, theta: dict[str, np.ndarray], rule: str, settings: dict[str, Any]) -> None:
        self.theta = {name: np.array(value, dtype=np.float64) for name, value in theta.items()}
        self.rule, self.settings, self.updates = rule, settings, 0
        self.first, self.second = ({name: np.zeros(v.shape) for name, v in self.theta.items()} for _ in range(2))

    def update(self, slopes: dict[str, np.ndarray], rates: dict[str, float]) -> None:
        """One step down the gradient."""
        self.updates += 1
        for name, values in self.theta.items():
            synapse, kind = name.split(".")
            decay = self.settings["weight_decay"] if kind == "weight" else 0.0
            for i in np.ndindex(values.shape):
                weight, slope, m, v = values[i], slopes[name][i], self.first[name][i], self.second[name][i]
                if self.rule == "adam":
                    betas, eps = self.settings["betas"], self.settings["eps"]
                    weight, m, v = rules.adam(weight, m, v, slope, rates[synapse], decay, betas, self.updates, eps)
                else:
                    weight, m = rules.sgd(weight, m, slope, rates[synapse], decay, self.settings["momentum"])
                values[i], self.first[name][i], self.second[name][i] = weight, m, v
