# Tested by tests/neuroep/test_errors.py.
"""What an engine refuses, in one line: seeds, kinds of parts, parameters, rates, batches that do not fit a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence as Listing
from numbers import Real
from typing import Protocol, runtime_checkable

import numpy as np

from hw_models.kept_memory import sparse
from hw_models.text import shown
from neuroep.data.batch import Batch, TokenVectors, WordRows
from neuroep.errors import CheckpointError, ConfigError, DataError, nearest, unknown
from neuroep.learning.contrast import Gradient
from neuroep.learning.optimisers import LARGEST_RATE, SGD, Adam, Optimiser
from neuroep.network import AttentionLayer, DenseLayer, DenseSynapse, Network, Projection, Sequence, potentials

LAYERS, SYNAPSES = (AttentionLayer, DenseLayer), (Projection, DenseSynapse)


def check_seed(name: str, seed: object) -> None:
    """Refuse a seed that is no whole number from 0.

    Raises
    ------
    ConfigError
        Naming it and the value.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ConfigError(f"{name} = {shown(seed)}: should be a whole number from 0")


@runtime_checkable
class Measures(Protocol):
    """An estimator, of :mod:`neuroep.gradients.estimators`, which engines know by this alone."""

    def measure(self, engine: object, batch: Batch, step: int = 0) -> object:
        """Settle all phases of a batch."""
        ...


def check_samples(batches: object, estimator: object) -> None:
    """Refuse what are no batches, and what is no estimator, also where no range waits for them."""
    if isinstance(batches, Batch):
        raise ConfigError("batches is a Batch: give a list of them, [batch]")
    if isinstance(batches, str) or not isinstance(batches, Iterable):
        raise ConfigError(f"batches is {shown(batches)}: give a list of them, [next(corpus.batches('train', 50))]")
    if isinstance(batches, Listing):
        for number, batch in enumerate(batches):
            check_batch(number, batch)
    if isinstance(estimator, type) or not isinstance(estimator, Measures):
        raise ConfigError(f"estimator is {shown(estimator)}: give one, as neuroep.estimators.centred(beta=0.1)")


def check_batch(number: int, batch: object) -> None:
    """Refuse what is no batch among several."""
    if not isinstance(batch, Batch):
        raise ConfigError(f"batches[{number}] is {shown(batch)}: give Batches, as corpus.batches makes them")


def check_kinds(network: Network, optimiser: Optimiser | None, engine: str) -> None:
    """Refuse parts of other classes than those an engine computes, which it would take for one of these."""
    if not isinstance(network, Network):
        raise ConfigError(f"network is a {type(network).__name__}: a Network is needed, as neuroep.networks makes it")
    kinds = (("layer", network.layers, LAYERS), ("synapse", network.synapses, SYNAPSES))
    for what, parts, known in kinds:
        for part in parts:
            if type(part) not in known:
                allowed = ", ".join(kind.__name__ for kind in known)
                given = f"{what} '{part.name}' is a {type(part).__name__}"
                raise ConfigError(f"{given}, which the {engine} engine cannot compute: it knows {allowed}")
    for layer in network.layers:
        if isinstance(layer, DenseLayer):
            potentials.check(layer.potential, layer.name, engine)
    if optimiser is not None and type(optimiser) not in (Adam, SGD):
        given = type(optimiser).__name__
        raise ConfigError(f"optimiser is a {given}, which the {engine} engine cannot compute: it knows Adam, SGD")


def check_labels(network: Network, labels: np.ndarray) -> None:
    """Refuse labels out of range with a DataError."""
    if labels.size and not 0 <= labels.min() <= labels.max() < network.classes:
        bad = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(f"label {bad} is out of range: allowed are 0 to {network.classes - 1}")


def padded(network: Network, batch: Batch, sequence: Sequence, looks_up: bool = False) -> TokenVectors | WordRows:
    """Return one sequence as the network wants it: full length if it has places or no mask; words where it looks up."""
    if sequence.name not in batch.inputs:
        given = (", ".join(batch.inputs) or "none") + nearest(sequence.name, batch.inputs)
        raise DataError(f"the batch lacks sequence '{sequence.name}', which the network reads: given are {given}")
    sequences = batch.inputs[sequence.name]
    held = sequences.embedded() if isinstance(sequences, WordRows) and not looks_up else sequences
    values, lengths = held.rows if isinstance(held, WordRows) else held.vectors, held.lengths
    tokens, dim = values.shape[1], (held.table.vectors if isinstance(held, WordRows) else values).shape[-1]
    if dim != sequence.dim or tokens > sequence.tokens:
        want = f"at most {sequence.tokens} tokens of {sequence.dim} numbers"
        raise DataError(f"'{sequence.name}' has {tokens} tokens of {dim} numbers: the network takes {want}")
    if network.padded and tokens < sequence.tokens:
        values = _lengthened(values, lengths, sequence.tokens)
    if not network.mask:
        lengths = np.full(len(values), sequence.tokens, dtype=np.int64)
    return WordRows(values, lengths, held.table) if isinstance(held, WordRows) else TokenVectors(values, lengths)


def _lengthened(values: np.ndarray, lengths: np.ndarray, tokens: int) -> np.ndarray:
    """Return vectors (batch, short, dim) with zeros up to so many tokens, or rows of a table (batch, short) with -1."""
    samples, count = values.shape[:2]
    if values.ndim == 2:
        return np.pad(values, ((0, 0), (0, tokens - count)), constant_values=-1)
    found = sparse((samples, tokens, values.shape[2]), values.dtype)
    for sample, length in enumerate(lengths):
        last = count if values[sample, length:].any() else length
        found[sample, :last] = values[sample, :last]
    return found


def kinds(network: Network, batch: Batch, sequence: Sequence) -> np.ndarray | None:
    """Return the kinds of the tokens that :func:`padded` has take part, padding being one of its own, where known."""
    found = batch.kinds.get(sequence.name)
    if found is None or network.mask:
        return found
    real = np.arange(sequence.tokens) < batch.inputs[sequence.name].lengths[:, None]
    every = np.full(real.shape, found.min(initial=0) - 1, dtype=np.int64)
    every[real] = found
    return every.ravel()


def check_contrasts(network: Network, contrasts: Mapping[str, Gradient]) -> None:
    """Refuse what is not the contrasts of all synapses with a ConfigError."""
    needed = "give a contrast by the name of each synapse, as estimator.measure(engine, batch).contrasts"
    if not isinstance(contrasts, Mapping):
        raise ConfigError(f"contrasts is a {type(contrasts).__name__}: {needed}")
    for synapse in network.synapses:
        if synapse.name not in contrasts:
            raise ConfigError(f"contrasts lack synapse '{synapse.name}': {needed}")
        if not isinstance(contrasts[synapse.name], Gradient):
            kind = type(contrasts[synapse.name]).__name__
            raise ConfigError(f"the contrast of '{synapse.name}' is a {kind}: {needed}")


def check_rates(network: Network, optimiser: Optimiser, rates: Mapping[str, float]) -> None:
    """Refuse missing and impossible learning rates with a ConfigError."""
    if not isinstance(rates, Mapping):
        names = ", ".join(f"'{synapse.name}': 0.01" for synapse in network.synapses)
        raise ConfigError(f"rates is {shown(rates)}: give a rate by the name of each synapse, {{{names}}}")
    for synapse in network.synapses:
        if synapse.name not in rates:
            raise ConfigError(f"rates lack synapse '{synapse.name}': given are {', '.join(rates) or 'none'}")
        rate = rates[synapse.name]
        if not isinstance(rate, Real) or isinstance(rate, bool) or not 0 <= rate <= LARGEST_RATE:
            allowed = f"allowed are 0 to {LARGEST_RATE:g}"
            raise ConfigError(f"rate of '{synapse.name}' is {shown(rate)}: {allowed}")
        if rates[synapse.name] * optimiser.weight_decay >= 1:
            product = f"rate {rates[synapse.name]} times weight_decay {optimiser.weight_decay}"
            raise ConfigError(f"{product} of '{synapse.name}' is 1 or more: the decay would turn weights over")


def check_parameters(network: Network, parameters: Mapping[str, np.ndarray]) -> None:
    """Refuse parameters of another network with a CheckpointError."""
    shapes = network.parameter_shapes()
    for name in parameters:
        if name not in shapes:
            raise CheckpointError(unknown("parameter", name, shapes))
    for name, shape in shapes.items():
        if name not in parameters:
            raise CheckpointError(f"parameter '{name}' is missing: the network needs shape {shape}")
        if tuple(parameters[name].shape) != tuple(shape):
            given = tuple(parameters[name].shape)
            raise CheckpointError(f"parameter '{name}' has shape {given}: the network needs {shape}")
        if not np.isfinite(parameters[name]).all():
            raise CheckpointError(f"parameter '{name}' is not finite")
