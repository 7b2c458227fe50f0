"""Slow twin of an engine's sweep: one sample at a time in float64, lists of layers, nothing held, nothing skipped."""

from __future__ import annotations

import numpy as np

from neuroep.network.builders import AttentionLayer, DenseLayer
from tests.naive import attention, neurons


def tokens(network, sample, name):
    """Word vectors that take part: the real ones, or all places of an unmasked network."""
    vectors, length = sample[name]
    sequence = network.sequence(name)
    full = np.zeros((sequence.tokens, sequence.dim))
    full[: len(vectors)] = vectors
    return full[:length] if network.mask else full


def feedback(network, parameters, state, name):
    """W^T s of all dense synapses behind a layer, (layer size,)."""
    total = np.zeros(network.layer(name).size)
    for synapse in network.dense:
        if name in synapse.pre:
            start = sum(network.layer(other).size for other in synapse.pre[: synapse.pre.index(name)])
            columns = parameters[f"{synapse.name}.weight"][:, start : start + len(total)]
            total += columns.T @ state[synapse.post]
    return total


def drive(network, parameters, state, name):
    """Forward products, biases and feedback of a dense layer."""
    total = feedback(network, parameters, state, name)
    for synapse in network.dense:
        if synapse.post == name:
            joined = np.concatenate([state[other] for other in synapse.pre])
            total = total + parameters[f"{synapse.name}.weight"] @ joined + parameters.get(f"{synapse.name}.bias", 0.0)
    return total


def attend(network, parameters, sample, state, layer):
    """New read-out of an attention layer."""
    value = np.zeros(layer.size)
    asking, keys = tokens(network, sample, layer.queries), tokens(network, sample, layer.patterns)
    if not len(asking) or not len(keys):
        return value
    query = np.zeros((len(asking), keys.shape[1]))
    for synapse in network.projections:
        if synapse.post == layer.name:
            query += asking @ parameters[f"{synapse.name}.weight"].T + parameters.get(f"{synapse.name}.bias", 0.0)
    back, kappa = feedback(network, parameters, state, layer.name), layer.inverse_temperature
    logits = attention.held_logits(query, keys, kappa)
    if layer.readout == "pooled":
        return attention.pool(attention.states(attention.pooled_weights(logits, back, keys, kappa), keys))
    rows = back.reshape(-1, keys.shape[1])[: len(asking)]
    value[: asking.size] = attention.states(attention.flat_weights(logits, rows, keys, kappa), keys).ravel()
    return value


def settle(network, parameters, batch, schedule, beta=0.0, start=None):
    """Return the states after ``schedule.steps`` sweeps with dt = 1, by layer (batch, size)."""
    states = {layer.name: np.zeros((batch.size, layer.size)) for layer in network.layers}
    for b in range(batch.size):
        sample = {name: (item.vectors[b], item.lengths[b]) for name, item in batch.inputs.items()}
        target = np.eye(network.classes)[batch.labels[b]]
        state = {name: (value[b] if start is None else start[name][b]) for name, value in states.items()}
        for _ in range(schedule.steps):
            for group in schedule.groups(network):
                state |= {
                    name: _move(network, parameters, sample, state, name, target, schedule, beta) for name in group
                }
        for name, value in state.items():
            states[name][b] = value
    return states


def _move(network, parameters, sample, state, name, target, schedule, beta):
    layer = network.layer(name)
    if isinstance(layer, AttentionLayer):
        return attend(network, parameters, sample, state, layer)
    assert isinstance(layer, DenseLayer)
    mode = "free"
    if beta and layer is network.output:
        mode = "synchronous" if schedule.order == "synchronous" else "minimiser"
    product = drive(network, parameters, state, name)[None, :]
    none, old = np.zeros((0, 0)), state[name][None, :]
    return neurons.respond(
        layer.potential.name, layer.potential.slope, product, none, old, target[None, :], beta, mode, 1.0
    )[0]
