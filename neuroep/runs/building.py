# Tested by tests/neuroep/runs/test_session.py.
"""From a configuration to the things it names: corpus, network, engine, estimator; each part by itself.

:meth:`neuroep.runs.session.Session.open` puts them together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hw_models.cost.constants import Constants
from neuroep.engines.schedule import CALIBRATED, TOLERANCE, Schedule
from neuroep.errors import ConfigError, unknown
from neuroep.learning.optimisers import SGD, Adam, cosine
from neuroep.network import Network, builders as networks, potentials
from neuroep.runs import memory
from neuroep.runs.config import Config
from neuroep.runs.sections import SEQUENCES

if TYPE_CHECKING:
    from neuroep.data.corpus import Corpus
    from neuroep.engines.engine import Engine
    from neuroep.gradients.estimators import Estimator


def build_corpus(config: Config) -> Corpus:
    """Load the corpus, cut to the lengths the network reads; see :meth:`Config.consented`."""
    from neuroep import data

    settings = config.consented().data
    return data.load(
        settings.name,
        tokens=config.network.lengths,
        validation=settings.validation,
        limit=settings.limit,
        seed=config.training.seed,
        **vars(settings.origin),
    )


def build_network(config: Config, dim: int, sequences: tuple[str, ...] | None = None) -> Network:
    """Build the network for tokens of ``dim`` numbers.

    Parameters
    ----------
    config : Config
        Its section ``network``.
    dim : int
        Length of a token's vector.
    sequences : tuple of str, optional
        Names of the sequences that the data have; default as the configuration says.

    Raises
    ------
    ConfigError
        If the network reads another number of sequences.
    """
    settings, names = config.network, config.data.sequences if sequences is None else sequences
    if len(names) != (needed := len(SEQUENCES[settings.kind])):
        counts = f"reads {needed} sequence{'s' * (needed > 1)}, the data have {len(names)}: {', '.join(names)}"
        raise ConfigError(f"network.kind = '{settings.kind}': {counts}")
    named = {"sequence": names[0]} if settings.kind == "sentiment" else {}
    builders: Mapping[str, Callable[..., Network]]
    builders = {"sentiment": networks.sentiment, "inference": networks.inference}
    lengths = settings.lengths
    return builders[settings.kind](
        lengths if len(lengths) > 1 else lengths[0],
        dim,
        settings.dense,
        inverse_temperature=settings.inverse_temperature,
        readout=settings.readout,
        potential=potentials.named(settings.potential, settings.slope),
        mask=settings.mask,
        projection_bias=settings.projection_bias,
        **named,
    )


def check_classes(network: Network, corpus: Corpus) -> None:
    """Refuse a network whose outputs are not the corpus's classes.

    Raises
    ------
    ConfigError
        Naming the last entry of ``network.dense``.
    """
    if network.classes != len(corpus.classes):
        found = f"data '{corpus.name}' has {len(corpus.classes)} classes: {', '.join(corpus.classes)}"
        raise ConfigError(f"network.dense ends in {network.classes} outputs: {found}")


def check_lengths(config: Config, corpus: Corpus) -> None:
    """Refuse samples that are longer than the network reads.

    Raises
    ------
    ConfigError
        Naming ``network.tokens``, the split and its longest sample.
    """
    for name, most in zip(corpus.sequences, config.network.lengths, strict=True):
        for split, samples in corpus.splits.items():
            if (longest := int(samples.tokens[name].lengths.max(initial=0))) > most:
                held = f"'{name}' of a sample of split '{split}' has {longest}; make the corpus with tokens={most}"
                raise ConfigError(f"network.tokens = {most}: {held}")


def check_rates(config: Config, network: Network) -> None:
    """Refuse learning rates of synapses that the network does not have.

    Raises
    ------
    ConfigError
        Naming the entry and the nearest synapse.
    """
    names = [synapse.name for synapse in network.synapses]
    for name in config.optimiser.rates:
        if name not in names:
            raise ConfigError("optimiser.rates: " + unknown("synapse", name, names))


def check_update(config: Config) -> None:
    """Refuse an update rule that the chip's way of changing weights cannot follow.

    Raises
    ------
    ConfigError
        Naming the field of the optimiser.
    """
    chip = config.chip
    if chip is None:
        return
    from neuroep.engines.chip import rules
    from neuroep.engines.chip.rules import rule

    optimiser = build_optimiser(config)
    if chip.substrate == "crossbar":
        followed = rules.named(chip.update.scheme)
        followed.refuse(followed.follows(optimiser, chip.update), chip.update.scheme)
    elif chip.events.in_place:
        rule.refuse_decay(optimiser, "events.in_place")


def check_cost(config: Config) -> None:
    """Refuse components of a chip's cost that do not fit together, or not to how the chip sends its inputs.

    Raises
    ------
    ChipError
        Naming the component and what to set.
    """
    if config.chip is not None:
        Constants(config.chip).check()


def check_memory(config: Config, network: Network) -> None:
    """Refuse a network whose weights, with the optimiser's moments of each, are beyond the memory of this machine.

    Only what must be there at once is counted, so that nothing is refused that could run.

    Raises
    ------
    ConfigError
        Naming ``network.dense``, the size and what there is.
    """
    there = memory.physical_memory()
    numbers = sum(math.prod(shape) for shape in network.parameter_shapes().values())
    copies = 1 + len(build_optimiser(config).moments)
    needed = numbers * copies * np.dtype(config.engine.dtype).itemsize
    if there is not None and needed > there:
        value = f"network.dense = {list(config.network.dense)}"
        held = f"{numbers} weights take {needed / 2**30:.3g} GiB with the optimiser's moments"
        raise ConfigError(f"{value}: {held}, this machine has {there / 2**30:.3g} GiB")


def build_engine(config: Config, network: Network, parameters: Mapping[str, np.ndarray] | None = None) -> Engine:
    """Build the engine with the given or freshly drawn weights."""
    from neuroep import engines

    settings, seed = config.engine, config.training.seed
    if parameters is None:
        check_memory(config, network)
        start = config.network
        parameters = networks.initial_parameters(network, seed, start.output_bias, start.projection_identity)
    return engines.build(
        settings.kind,
        network,
        parameters=parameters,
        optimiser=build_optimiser(config),
        seed=seed,
        dtype=settings.dtype,
        threads=settings.threads,
        device=settings.device,
        chip=config.chip,
        chip_seed=settings.chip_seed,
        products=settings.products,
        repeats=settings.repeats,
    )


def build_optimiser(config: Config) -> Adam | SGD:
    """Return the update rule."""
    settings = config.optimiser
    if settings.kind == "sgd":
        return SGD(momentum=settings.momentum, weight_decay=settings.weight_decay)
    return Adam(weight_decay=settings.weight_decay)


def build_estimator(config: Config) -> Estimator:
    """Return the gradient estimator with its free and nudged schedules."""
    from neuroep.gradients import estimators

    settings = config.estimator
    free, nudged = schedules(config)
    seed, points = config.training.seed, settings.points
    how = (settings.kind, settings.beta, free, nudged, seed, points, settings.order, settings.null, settings.periods)
    return estimators.named(*how)


def schedules(config: Config) -> tuple[Schedule, Schedule]:
    """Return the schedules of the free and of the nudged phases."""
    settings = config.settling
    stop = TOLERANCE if config.chip is None and settings.stop == CALIBRATED else settings.stop
    free = Schedule(
        settings.order, settings.free_steps, settings.tolerance, settings.dt, settings.check_every,
        acceleration=settings.acceleration, stop=stop,
    )  # fmt: skip
    steps, tolerance = settings.nudged_steps, settings.nudged_tolerance
    return free, replace(free, steps=steps, tolerance=tolerance, form=settings.nudged_form)


def rates(config: Config, network: Network, epoch: float) -> dict[str, float]:
    """Return the learning rate of every synapse in an epoch, counted from 0, or so many epochs after the start.

    Parts of an epoch count where rates fall with every update.
    """
    epoch = epoch if config.optimiser.decay_every == "update" else int(epoch)
    settings = config.optimiser
    initial = {synapse.name: settings.projection_rate for synapse in network.projections}
    initial |= {synapse.name: settings.dense_rate for synapse in network.dense}
    initial |= settings.rates
    return {name: cosine(rate, epoch, settings.decay_epochs, settings.final_rate) for name, rate in initial.items()}
