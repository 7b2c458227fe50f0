"""The whole network in plain float64 NumPy: one sample, one layer, one token at a time. The oracle of every engine.

Nothing is held, skipped, packed or differenced early, and no line is shared with the package: of a network only names,
sizes, ends of synapses, read-outs and potentials are read. For one sample,

    Phi = sum over projections sum_t <a_t, W x_t + b>  +  sum over dense synapses <s_post, W r + b>
    F   = sum_l G_l(s_l) - Phi + beta/2 ||s_out - y||^2

with a_t the state of token t of an attention layer and r the read-outs in front of a synapse, side by side: a dense
layer's states, all a_t in their places (flat), or sum_t a_t / sqrt(n) (pooled, n tokens). A layer moves towards
grad G*(dPhi/ds). An attention layer has a_t = sum_j p_tj x_j, p_t = softmax_j(kappa x_j . u_t) and
G = 1/kappa sum p ln p; where no token is stored there is nothing to attend to, and a_t = 0. Masked padding is no token
at all; unmasked, every place of the network is one.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tests.naive import attention, neurons


class Course(NamedTuple):
    """How a phase settles: always all steps."""

    order: str = "layerwise"
    steps: int = 4
    dt: float = 1.0


class Sample(NamedTuple):
    """One clamped sample."""

    tokens: dict[str, np.ndarray]
    """By sequence, (tokens that take part, dim)."""
    target: np.ndarray
    """One-hot, (classes,)."""


class Snapshot(NamedTuple):
    """A batch after one sweep."""

    states: dict[str, np.ndarray]
    """By layer, what the next synapse reads, (batch, size)."""
    weights: dict[str, np.ndarray]
    """By attention layer, p, (batch, places of the queries, places of the patterns), 0 where there is no token."""
    energy: np.ndarray
    """F_beta, (batch,)."""


def samples(network: Any, batch: Any) -> list[Sample]:
    """Take a batch apart."""
    found = []
    for b, label in enumerate(batch.labels):
        tokens = {}
        for sequence in network.sequences:
            vectors, lengths = batch.inputs[sequence.name]
            places = np.zeros((sequence.tokens, sequence.dim))
            places[: vectors.shape[1]] = vectors[b]
            tokens[sequence.name] = places[: lengths[b]] if network.mask else places
        found.append(Sample(tokens, np.eye(network.classes)[label]))
    return found


class Mathematics:
    """One sample in one network: its potential, energy and moves.

    A state is a dictionary: p of every attention layer, (queries, patterns), and s of every dense one, (size,).
    """

    def __init__(self, network: Any, theta: dict[str, np.ndarray], sample: Sample, beta: float) -> None:
        self.network, self.theta, self.sample, self.beta = network, theta, sample, beta
        self.layers = {layer.name: layer for layer in network.layers}
        self.attending = {layer.name for layer in network.attention}
        self.output = network.layers[-1].name

    def rest(self) -> dict[str, np.ndarray]:
        """All zero."""
        state = {}
        for name, layer in self.layers.items():
            shape = (len(self.asking(name)), len(self.stored(name))) if name in self.attending else (layer.size,)
            state[name] = np.zeros(shape)
        return state

    def within(self, snapshot: Snapshot, b: int) -> dict[str, np.ndarray]:
        """Sample b of a snapshot."""
        state = {}
        for name in self.layers:
            if name in self.attending:
                state[name] = snapshot.weights[name][b, : len(self.asking(name)), : len(self.stored(name))]
            else:
                state[name] = snapshot.states[name][b]
        return state

    def asking(self, name: str) -> np.ndarray:
        """Query tokens of an attention layer."""
        return self.sample.tokens[self.layers[name].queries]

    def stored(self, name: str) -> np.ndarray:
        """Pattern tokens of an attention layer."""
        return self.sample.tokens[self.layers[name].patterns]

    def token_states(self, state: dict[str, np.ndarray], name: str) -> np.ndarray:
        """a_t, (queries, dim)."""
        return attention.states(state[name], self.stored(name))

    def read(self, state: dict[str, np.ndarray], name: str) -> np.ndarray:
        """What the next synapse reads of a layer, (size,)."""
        if name not in self.attending:
            return state[name]
        rows = self.token_states(state, name)
        if self.layers[name].readout == "pooled":
            return attention.pool(rows)
        places = np.zeros(self.layers[name].size)
        for t, row in enumerate(rows):
            places[t * len(row) : (t + 1) * len(row)] = row
        return places

    def forward(self, state: dict[str, np.ndarray], synapse: Any) -> np.ndarray:
        """W r + b of a dense synapse."""
        joined = np.concatenate([self.read(state, name) for name in synapse.pre])
        return self.theta[f"{synapse.name}.weight"] @ joined + self.theta.get(f"{synapse.name}.bias", 0.0)

    def asked(self, synapse: Any) -> np.ndarray:
        """W x_t + b of a projection, (queries, dim)."""
        weight, bias = self.theta[f"{synapse.name}.weight"], self.theta.get(f"{synapse.name}.bias", 0.0)
        return np.array([weight @ token + bias for token in self.sample.tokens[synapse.pre]])

    def feedback(self, state: dict[str, np.ndarray], name: str) -> np.ndarray:
        """dPhi by what is read of a layer: W^T s_post of every synapse that reads it, (size,)."""
        total = np.zeros(self.layers[name].size)
        for synapse in self.network.dense:
            first = 0
            for source in synapse.pre:
                last = first + self.layers[source].size
                if source == name:
                    total += self.theta[f"{synapse.name}.weight"][:, first:last].T @ state[synapse.post]
                first = last
        return total

    def drive(self, state: dict[str, np.ndarray], name: str) -> np.ndarray:
        """dPhi/ds of a dense layer, (size,), or dPhi/da_t of an attention layer, (queries, dim)."""
        back = self.feedback(state, name)
        if name not in self.attending:
            return sum((self.forward(state, s) for s in self.network.dense if s.post == name), start=back)
        n, dim = len(self.asking(name)), self.stored(name).shape[1]
        rows = np.zeros((n, dim))
        for t in range(n):
            pooled = self.layers[name].readout == "pooled"
            rows[t] = back / math.sqrt(n) if pooled else back[t * dim : (t + 1) * dim]
        return sum((self.asked(s) for s in self.network.projections if s.post == name and n), start=rows)

    def moved(self, state: dict[str, np.ndarray], name: str, course: Course) -> np.ndarray:
        """A layer after one step, the others as they are."""
        layer, drive, old = self.layers[name], self.drive(state, name), state[name]
        if name in self.attending:
            goal = np.zeros_like(old)
            if goal.size:
                logits = attention.held_logits(drive, self.stored(name), layer.inverse_temperature)
                goal = np.array([attention.softmax(row) for row in logits])
            return old + course.dt * (goal - old)
        mode, no_feedback = "free", np.zeros((0, 0))
        if self.beta and name == self.output:
            mode = "minimiser" if course.order == "layerwise" else "synchronous"
        neuron = layer.potential.name, layer.potential.slope
        nudge = self.sample.target[None], self.beta, mode
        return neurons.respond(*neuron, drive[None], no_feedback, old[None], *nudge, course.dt)[0]

    def sweep(self, state: dict[str, np.ndarray], course: Course) -> dict[str, np.ndarray]:
        """The state after all layers moved: even ones and then odd ones, or all at once."""
        groups = halves(self.network) if course.order == "layerwise" else [list(self.layers)]
        for group in groups:
            state = state | {name: self.moved(state, name, course) for name in group}
        return state

    def energy(self, state: dict[str, np.ndarray]) -> float:
        """F_beta."""
        total = 0.0
        for name, layer in self.layers.items():
            if name in self.attending:
                total += sum(p * math.log(p) for p in state[name].flat if p > 0) / layer.inverse_temperature
            else:
                total += sum(neurons.energy(layer.potential.name, layer.potential.slope, s) for s in state[name])
        for synapse in self.network.projections:
            for a, asked in zip(self.token_states(state, synapse.post), self.asked(synapse), strict=True):
                total -= a @ asked
        for synapse in self.network.dense:
            total -= state[synapse.post] @ self.forward(state, synapse)
        return total + 0.5 * self.beta * sum((state[self.output] - self.sample.target) ** 2)

    def by_parameters(self, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """dPhi/dtheta."""
        found = {name: np.zeros(value.shape) for name, value in self.theta.items()}
        for synapse in self.network.projections:
            for a, token in zip(self.token_states(state, synapse.post), self.sample.tokens[synapse.pre], strict=True):
                found[f"{synapse.name}.weight"] += np.outer(a, token)
                if synapse.bias:
                    found[f"{synapse.name}.bias"] += a
        for synapse in self.network.dense:
            joined = np.concatenate([self.read(state, name) for name in synapse.pre])
            found[f"{synapse.name}.weight"] += np.outer(state[synapse.post], joined)
            if synapse.bias:
                found[f"{synapse.name}.bias"] += state[synapse.post]
        return found


def halves(network: Any) -> list[list[str]]:
    """Even layers and odd layers: the first is even, layers joined by a synapse differ."""
    side: dict[str, int] = {}
    for layer in network.layers:
        side.setdefault(layer.name, 0)
        for _ in network.layers:
            for source, post in [(source, synapse.post) for synapse in network.dense for source in synapse.pre]:
                if source in side:
                    side.setdefault(post, 1 - side[source])
                elif post in side:
                    side[source] = 1 - side[post]
    return [[layer.name for layer in network.layers if side[layer.name] == parity] for parity in (0, 1)]


def settle(
    network: Any, theta: dict, batch: Any, course: Course, beta: float = 0.0, start: Snapshot | None = None
) -> list[Snapshot]:
    """Settle a batch from ``start``, or from zero; return it after every sweep."""
    paths = []
    for b, sample in enumerate(samples(network, batch)):
        one = Mathematics(network, theta, sample, beta)
        state, path = one.rest() if start is None else one.within(start, b), []
        for _ in range(course.steps):
            state = one.sweep(state, course)
            path.append((one, state))
        paths.append(path)
    return [_together(network, list(step)) for step in zip(*paths, strict=True)]


def _together(network: Any, step: list[tuple[Mathematics, dict[str, np.ndarray]]]) -> Snapshot:
    states = {layer.name: np.array([one.read(state, layer.name) for one, state in step]) for layer in network.layers}
    tokens, weights = {sequence.name: sequence.tokens for sequence in network.sequences}, {}
    for layer in network.attention:
        weights[layer.name] = np.zeros((len(step), tokens[layer.queries], tokens[layer.patterns]))
        for b, (_, state) in enumerate(step):
            n, m = state[layer.name].shape
            weights[layer.name][b, :n, :m] = state[layer.name]
    return Snapshot(states, weights, np.array([one.energy(state) for one, state in step]))
