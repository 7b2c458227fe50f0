"""The networks one can build by name, and the weights they start from.

Source: Bal and Sengupta, "Sequence Learning Using Equilibrium Propagation", IJCAI 2023 (arXiv 2209.09626).
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Listing
from numbers import Real

import numpy as np

from hw_models.keywords import checked
from hw_models.text import shown
from neuroep.errors import ConfigError
from neuroep.network import (
    READOUTS,
    AttentionLayer,
    DenseLayer,
    DenseSynapse,
    Layer,
    Network,
    Projection,
    Sequence,
    Synapse,
)
from neuroep.network.potentials import HardSigmoid, Potential
from neuroep.randomness import generator

__all__ = [
    "READOUTS",
    "AttentionLayer",
    "DenseLayer",
    "DenseSynapse",
    "Layer",
    "Network",
    "Projection",
    "Sequence",
    "Synapse",
    "inference",
    "initial_parameters",
    "pooled",
    "sentiment",
]


def _check_sizes(tokens: Listing[object], dim: object, dense: object) -> None:
    """Refuse sizes that are no whole numbers from 1, and dense layers that are no list of them."""
    if isinstance(dense, str) or not isinstance(dense, Listing | np.ndarray):
        raise ConfigError(f"dense is {shown(dense)}: give a size for each dense layer, for example (64, 2)")
    for name, values in (("tokens", tokens), ("dim", [dim]), ("dense", list(dense))):
        if not values or not all(map(_is_size, values)):
            raise ConfigError(f"{name} is {list(values)}: allowed are whole numbers from 1")


def _is_size(value: object) -> bool:
    """Whether it is a whole number from 1, of any type of number; True is none."""
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) >= 1 and float(value).is_integer()


def _stack(sources: tuple[str, ...], width: int, dense: Listing[int], potential: Potential) -> tuple[list, list]:
    """Dense layers and synapses from the concatenated ``sources`` (total ``width``) to the output."""
    layers: list[DenseLayer] = []
    synapses: list[DenseSynapse] = []
    for number, size in enumerate(dense, 1):
        name = "output" if number == len(dense) else f"hidden_{number}"
        layers.append(DenseLayer(name, int(size), potential))
        synapses.append(DenseSynapse(f"dense_{number}", sources, name, (int(size), width)))
        sources, width = (name,), int(size)
    return layers, synapses


@checked(ConfigError)
def sentiment(
    tokens: int = 600,
    dim: int = 300,
    dense: Listing[int] = (1000, 40, 2),
    *,
    inverse_temperature: float | None = None,
    readout: str = "flat",
    potential: Potential | None = None,
    mask: bool = True,
    projection_bias: bool = False,
    sequence: str = "text",
) -> Network:
    """Build the paper's sentiment network: one attention layer over one sequence, then a dense stack.

    Parameters
    ----------
    tokens, dim : int
        Longest sequence and length of a token's vector.
    dense : sequence of int
        Sizes of the dense layers, the last one the number of classes.
    inverse_temperature : float, optional
        kappa, default 1/sqrt(dim).
    readout : str
        ``flat`` (the paper) or ``pooled``.
    potential : Potential, optional
        Of every dense layer, default hard sigmoid with slope 1/2.
    mask : bool
        Keep padding out; off is the paper's way.
    projection_bias : bool
        Give the projection a bias.
    sequence : str
        Name of the sequence, as the data have it: ``"text"``, of numbers ``"signal"``.

    Raises
    ------
    ConfigError
        If a size is not a positive whole number.
    """
    _check_sizes([tokens], dim, dense)
    kappa = 1.0 / math.sqrt(dim) if inverse_temperature is None else float(inverse_temperature)
    size = dim if readout == "pooled" else tokens * dim
    attention = AttentionLayer("attention", sequence, sequence, kappa, readout, size)
    query = Projection("query", sequence, "attention", (dim, dim), projection_bias)
    layers, synapses = _stack(("attention",), size, dense, potential or HardSigmoid())
    return Network((Sequence(sequence, tokens, dim),), (attention, *layers), (query, *synapses), mask)


@checked(ConfigError)
def pooled(
    tokens: int = 600,
    dim: int = 300,
    dense: Listing[int] = (1000, 40, 2),
    *,
    inverse_temperature: float | None = None,
    potential: Potential | None = None,
    mask: bool = True,
    projection_bias: bool = False,
    sequence: str = "text",
) -> Network:
    """Build the sentiment network whose dense stack reads sum_t a_t / sqrt(n); parameters as of :func:`sentiment`."""
    return sentiment(
        tokens,
        dim,
        dense,
        inverse_temperature=inverse_temperature,
        readout="pooled",
        potential=potential,
        mask=mask,
        projection_bias=projection_bias,
        sequence=sequence,
    )


@checked(ConfigError)
def inference(
    tokens: int | Listing[int] = 25,
    dim: int = 300,
    dense: Listing[int] = (400, 3),
    *,
    inverse_temperature: float | None = 0.16,
    readout: str = "flat",
    potential: Potential | None = None,
    mask: bool = True,
    projection_bias: bool = False,
) -> Network:
    """Build the paper's inference network: four parallel attention layers over premise and hypothesis.

    Parameters
    ----------
    tokens : int or (int, int)
        Longest premise and hypothesis.
    inverse_temperature : float, optional
        kappa, default 0.16 (the paper's); None means 1/sqrt(dim).
    dim, dense, readout, potential, mask, projection_bias
        As in :func:`sentiment`.

    Raises
    ------
    ConfigError
        If a size is not a positive whole number.
    """
    lengths = tuple(tokens) if isinstance(tokens, Listing) else (tokens, tokens)
    if len(lengths) != 2:
        raise ConfigError(f"tokens is {list(lengths)}: the inference network takes one number or [premise, hypothesis]")
    _check_sizes(lengths, dim, dense)
    kappa = 1.0 / math.sqrt(dim) if inverse_temperature is None else float(inverse_temperature)
    sequences = tuple(Sequence(name, n, dim) for name, n in zip(("premise", "hypothesis"), lengths, strict=True))
    length = {sequence.name: sequence.tokens for sequence in sequences}
    pairs = (("premise", "hypothesis"), ("hypothesis", "premise"), ("premise", "premise"), ("hypothesis", "hypothesis"))
    attention, projections = [], []
    for queries, patterns in pairs:
        name = f"{queries}_to_{patterns}"
        size = dim if readout == "pooled" else length[queries] * dim
        attention.append(AttentionLayer(name, queries, patterns, kappa, readout, size))
        projections.append(Projection(f"query_{name}", queries, name, (dim, dim), projection_bias))
    width = sum(layer.size for layer in attention)
    layers, synapses = _stack(tuple(layer.name for layer in attention), width, dense, potential or HardSigmoid())
    return Network(sequences, (*attention, *layers), (*projections, *synapses), mask)


@checked(ConfigError)
def initial_parameters(
    network: Network, seed: int = 0, output_bias: float | None = None, projection_identity: float = 0.0
) -> dict[str, np.ndarray]:
    """Draw initial weights and biases, U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the default of torch's Linear.

    Parameters
    ----------
    network : Network
        What to initialise.
    seed : int
        Each parameter has a stream of its own, keyed by (seed, name).
    output_bias : float, optional
        Constant bias of the output layer. With the hard sigmoid an output with negative drive is dead: ``1.0`` at slope
        1/2 starts it in the middle of its linear range. None keeps torch's default.
    projection_identity : float
        Multiple of the identity added to every square projection: at 1 each word starts by asking for words like
        itself, as a Hopfield network does. 0 is torch's default.

    Returns
    -------
    dict of str to numpy.ndarray
        float32 arrays of the shapes in :meth:`Network.parameter_shapes`.

    Raises
    ------
    ConfigError
        If an identity is asked of a projection that is not square, or a bias of an output that has none.
    """
    fan_in = {synapse.name: synapse.shape[1] for synapse in network.synapses}
    values: dict[str, np.ndarray] = {}
    for name, shape in network.parameter_shapes().items():
        bound = 1.0 / math.sqrt(fan_in[name.rsplit(".", 1)[0]])
        draw = generator(seed, "initial", name).random(shape, dtype=np.float32)
        draw *= np.float32(2.0 * bound)
        draw -= np.float32(bound)
        values[name] = draw
    for synapse in network.projections if projection_identity else ():
        if synapse.shape[0] != synapse.shape[1]:
            raise ConfigError(f"projection_identity is {projection_identity}: '{synapse.name}' is not square")
        values[f"{synapse.name}.weight"] += np.float32(projection_identity) * np.eye(synapse.shape[0], dtype=np.float32)
    if output_bias is not None:
        ends = [synapse.name for synapse in network.dense if synapse.post == network.output.name and synapse.bias]
        if not ends:
            raise ConfigError(f"output_bias is {output_bias}: no synapse to '{network.output.name}' has a bias")
        for name in ends:
            values[f"{name}.bias"][:] = output_bias if name == ends[0] else 0.0
    return values
