"""What every engine is: a thing that clamps a batch, moves layers, measures contrasts and updates its weights.

Networks know no backend and the loops of settling, estimating and training know no engine; an engine supplies the inner
mathematics on its own array type and nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.text import shown
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines import kept, settling
from neuroep.engines.schedule import Schedule
from neuroep.engines.settling import Settled, Settling
from neuroep.engines.state import State
from neuroep.errors import CheckpointError, ConfigError, DataError, nearest, unknown
from neuroep.learning.contrast import Contrast, Held, Moved, Pair, Signal, Stacked, Summed, TokenRows
from neuroep.learning.optimisers import LARGEST_RATE, SGD, Adam, Optimiser
from neuroep.network import AttentionLayer, DenseLayer, DenseSynapse, Network, Projection, Synapse, potentials
from neuroep.network.builders import initial_parameters

if TYPE_CHECKING:
    from neuroep.gradients.estimators import Estimator

DTYPES = ("float32", "float64")
LAYERS, SYNAPSES = (AttentionLayer, DenseLayer), (Projection, DenseSynapse)


class Engine(ABC):
    """Base of all engines.

    Parameters
    ----------
    network : Network
        What to run.
    parameters : mapping, optional
        Weights and biases by name; default ``initial_parameters(network, seed)``.
    optimiser : Adam or SGD
        Rule with which :meth:`update` applies gradients.
    seed : int
        Seed of every draw the engine makes.
    dtype : str
        ``float32`` or ``float64``.

    Raises
    ------
    ConfigError
        For an unknown dtype, or a layer, potential, synapse or optimiser whose arithmetic no engine holds.
    CheckpointError
        If the parameters do not fit the network.
    """

    name = ""
    check_every = 1
    """Default number of sweeps between looks at the tolerance."""
    redraws = False
    """Whether a product read again may differ, so that every layer reads at every step."""
    level = 0.0
    """Coarsest step by which what settles is digitised, as a share of its full scale; 0 if nothing is."""
    time_constant = 1.0
    """Steps in which states relax; divides the time step of a schedule."""

    def __init__(
        self,
        network: Network,
        parameters: Mapping[str, np.ndarray] | None = None,
        *,
        optimiser: Optimiser | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        if dtype not in DTYPES:
            raise ConfigError(unknown("dtype", dtype, DTYPES))
        check_seed("seed", seed)
        _check_kinds(network, optimiser, self.name)
        self.network, self.seed, self.dtype = network, seed, dtype
        self.optimiser = optimiser or Adam()
        values = initial_parameters(network, seed) if parameters is None else parameters
        self.version = 0
        self.settle_steps = 0
        self._clamps = 0
        self._check_parameters(values)
        self._place(values)

    def read_at(self, seconds: float) -> None:
        """Read a chip's devices so long after their last write from now on: 0 while they learn.

        An engine begins at the chip's ``device.age``, as it is deployed; without a chip nothing ages.
        """
        return

    def aged(self) -> AbstractContextManager[None]:
        """Read a chip's devices inside at its ``device.age``, whatever :meth:`read_at` says; write nothing there."""
        return nullcontext()

    # What an engine must supply.

    @abstractmethod
    def _place(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Take over parameters and forget the optimiser's state."""

    @abstractmethod
    def _clamp(self, inputs: Mapping[str, TokenVectors], labels: np.ndarray) -> Any:
        """Move one padded batch in and read the products of the clamped input once."""

    @abstractmethod
    def rest(self, clamped: Any) -> State:
        """Return the all-zero state of a clamped batch."""

    @abstractmethod
    def fork(self, state: State) -> State:
        """Return a state that can be moved without touching the given one."""

    @abstractmethod
    def relax(self, clamped: Any, state: State, names: tuple[str, ...], schedule: Schedule) -> dict[str, Any]:
        """Move the named layers from the current state of all others; return max|delta s| of each, on the device."""

    @abstractmethod
    def scalars(self, values: Mapping[str, Any]) -> dict[str, float]:
        """Bring 0-d values to the host at once."""

    @abstractmethod
    def displacements(self, state: State, names: Iterable[str]) -> dict[str, tuple[float, float]]:
        """Return max|s - s_origin| and max|s| of the named layers, on the host."""

    @abstractmethod
    def energy(self, clamped: Any, state: State) -> np.ndarray:
        """Return F_beta = sum_l G_l - Phi + beta/2 ||s_out - y||^2, shape (batch,)."""

    @abstractmethod
    def _pre(self, state: State, synapse: DenseSynapse) -> Any:
        """Return what a dense synapse reads, (batch, in)."""

    @abstractmethod
    def _token_rows(self, clamped: Any, layer: str, plus: State, minus: State) -> TokenRows:
        """Return the states of an attention layer in two states of the network, a row for each token."""

    @abstractmethod
    def _clamped_rows(self, clamped: Any, sequence: str) -> Any:
        """Return the clamped vectors in the order of the token rows, (rows, dim)."""

    @abstractmethod
    def _below(self, rows: Sequence[Any]) -> Any:
        """Put arrays of one width below each other."""

    @abstractmethod
    def update(self, contrasts: Mapping[str, Contrast], rates: Mapping[str, float]) -> None:
        """Change the weights by local contrasts.

        Parameters
        ----------
        contrasts : mapping of str to Contrast
            By synapse name.
        rates : mapping of str to float
            Learning rate by synapse name.

        Raises
        ------
        DivergenceError
            If a weight is no longer finite; the synapse and the update number are named.
        """

    @abstractmethod
    def parameters(self) -> dict[str, np.ndarray]:
        """Return weights and biases by name."""

    @abstractmethod
    def optimiser_state(self) -> dict[str, np.ndarray]:
        """Return ``<parameter>.<moment>`` and ``<synapse>.updates``."""

    @abstractmethod
    def _take(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what :meth:`optimiser_state` and :meth:`device_state` returned, together and checked."""

    @abstractmethod
    def to_numpy(self, array: Any) -> np.ndarray:
        """Bring one array of the engine to the host."""

    @abstractmethod
    def attention_weights(self, clamped: Any, state: State, layer: str) -> np.ndarray:
        """Return p of one attention layer, (batch, queries, patterns), zero where masked."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return engine, device, dtype and threads, for the record of a run."""

    # What an engine on a modelled chip adds.

    def _begin(self, *occasion: str | int) -> None:  # noqa: B027 (an engine without draws has nothing to do)
        """Key all draws until the next call by this occasion."""

    def _measured(self, synapse: str, end: str, signal: Signal) -> Signal:
        """Return what the update measures of one end of a synapse."""
        return signal

    def device_state(self) -> dict[str, np.ndarray]:
        """Return what a chip keeps by name: conductances, draws of its devices, counts, ranges; empty without one."""
        return {}

    def calibrate(self, batches: Iterable[Batch], estimator: Estimator) -> None:  # noqa: B027 (as above)
        """Fix the ranges of the chip's converters on what these batches show; without such converters do nothing."""

    @property
    def calibrates(self) -> bool:
        """Whether ranges are to be calibrated before the engine can be used."""
        return False

    def conducting(self) -> dict[str, np.ndarray]:
        """Return weights and biases by name, the weights as products have them on average, faults and all."""
        return self.parameters()

    def array_health(self) -> dict[str, dict[str, float]]:
        """Return by synapse what tells of limits of a chip's arrays; empty without any."""
        return {}

    # What all engines share.

    @property
    def epsilon(self) -> float:
        """Unit in the last place of 1 in the engine's precision."""
        return float(np.finfo(self.dtype).eps)

    def counters(self) -> dict[str, int]:
        """Return what has been counted since the engine was made: settle steps, summed over samples, and more."""
        return {"settle_steps": self.settle_steps}

    def clamp(self, batch: Batch) -> Any:
        """Clamp a batch: check it against the network, pad it, read the clamped products once.

        The products are those of the present weights: clamp again after an update. Draws of a chip are keyed by the
        batch's key, or, where it has none, by the number of clamped batches.

        Raises
        ------
        DataError
            If a sequence is missing, has another dimension, is too long, or a label is out of range.
        """
        if not isinstance(batch, Batch):
            if not hasattr(batch, "samples"):
                raise DataError(f"a {type(batch).__name__} is no batch: give a Batch, or what clamp made of one")
            return batch
        labels = np.asarray(batch.labels)
        if labels.size and not 0 <= labels.min() <= labels.max() < self.network.classes:
            bad = labels.min() if labels.min() < 0 else labels.max()
            raise DataError(f"label {bad} is out of range: allowed are 0 to {self.network.classes - 1}")
        padded = {s.name: self._padded(batch, s) for s in self.network.sequences}
        self._begin(*(batch.key or ("clamp", self._clamps)))
        self._clamps += 1
        return self._clamp(padded, labels)

    def _padded(self, batch: Batch, sequence: Any) -> TokenVectors:
        """Return one sequence as the network wants it: full length if it has places or no mask."""
        if sequence.name not in batch.inputs:
            given = (", ".join(batch.inputs) or "none") + nearest(sequence.name, batch.inputs)
            raise DataError(f"the batch lacks sequence '{sequence.name}', which the network reads: given are {given}")
        vectors, lengths = batch.inputs[sequence.name]
        _, tokens, dim = vectors.shape
        if dim != sequence.dim or tokens > sequence.tokens:
            want = f"at most {sequence.tokens} tokens of {sequence.dim} numbers"
            raise DataError(f"'{sequence.name}' has {tokens} tokens of {dim} numbers: the network takes {want}")
        if self.network.padded and tokens < sequence.tokens:
            vectors = np.pad(vectors, ((0, 0), (0, sequence.tokens - tokens), (0, 0)))
        if not self.network.mask:
            lengths = np.full(len(vectors), sequence.tokens, dtype=np.int64)
        return TokenVectors(vectors, lengths)

    def computing(self) -> AbstractContextManager[None]:
        """Return what an engine holds while it computes: the number of threads of its products."""
        return nullcontext()

    def sweeps(
        self,
        batch: Any,
        schedule: Schedule | None = None,
        beta: float = 0.0,
        start: Settled | State | None = None,
    ) -> Settling:
        """Return one phase of a batch as an iterator of states; see :class:`neuroep.engines.settling.Settling`."""
        state = start.state if isinstance(start, Settled) else start
        return Settling(self, self.clamp(batch), self._schedule(schedule, beta), beta, state)

    def settle(
        self,
        batch: Any,
        schedule: Schedule | None = None,
        beta: float = 0.0,
        start: Settled | State | None = None,
        record: tuple[str, ...] = (),
    ) -> Settled:
        """Settle a batch, or what :meth:`clamp` made of one; see :func:`neuroep.engines.settling.settle`."""
        state = start.state if isinstance(start, Settled) else start
        clamped = self.clamp(batch)
        with self.computing():
            return settling.settle(self, clamped, self._schedule(schedule, beta), beta, state, record)

    def _schedule(self, schedule: Schedule | None, beta: float) -> Schedule:
        """Return the schedule in the time of the engine, which a chip's time constant stretches."""
        schedule = schedule or Schedule(tolerance=0.01 if beta else 1e-5)
        if self.time_constant != 1:
            schedule = replace(schedule, dt=schedule.dt / self.time_constant)
        return schedule

    def outputs(self, settled: Settled) -> np.ndarray:
        """Return the states of the output layer, (batch, classes)."""
        return self.to_numpy(settled.state.values[self.network.output.name])

    def states(self, settled: Settled) -> dict[str, np.ndarray]:
        """Return what each layer shows the next synapse, (batch, layer size)."""
        return {name: self.to_numpy(value) for name, value in settled.state.values.items()}

    def contrasts(self, clamped: Any, pairs: Sequence[Pair]) -> dict[str, Contrast]:
        """Return what every synapse saw in one pair of phases or several, by synapse name.

        Of several pairs that of the largest share over span comes first; see :mod:`neuroep.learning.contrast`.
        """
        found = {}
        first = pairs[0]
        span = first.span / first.share
        factors = [1.0, *(pair.share / pair.span * span for pair in pairs[1:])]
        for synapse in self.network.synapses:
            posts = [self._measured(synapse.name, "post", self._post(clamped, synapse, pair)) for pair in pairs]
            if isinstance(synapse, DenseSynapse):
                sides = [Moved(self._pre(pair.plus, synapse), self._pre(pair.minus, synapse)) for pair in pairs]
                pres = [self._measured(synapse.name, "pre", side) for side in sides]
            else:
                pres = [self._measured(synapse.name, "pre", Held(self._clamped_rows(clamped, synapse.pre)))]
            post, pre = posts[0], pres[0]
            if len(pairs) > 1:
                post = Stacked(posts, factors, self._below) if len(pres) > 1 else Summed(posts, factors)
                pre = Stacked(pres, [1.0] * len(pres), self._below) if len(pres) > 1 else pre
            found[synapse.name] = Contrast(post, pre, span, clamped.samples)
        return found

    def _post(self, clamped: Any, synapse: Synapse, pair: Pair) -> Signal:
        """Return the post side of a synapse in two phases."""
        if isinstance(synapse, DenseSynapse):
            return Moved(pair.plus.values[synapse.post], pair.minus.values[synapse.post])
        return self._token_rows(clamped, synapse.post, pair.plus, pair.minus)

    def gradient(self, contrasts: Mapping[str, Contrast]) -> dict[str, np.ndarray]:
        """Return dL/dtheta by parameter name."""
        gradient = {}
        with self.computing():
            for synapse in self.network.synapses:
                contrast = contrasts[synapse.name]
                gradient[f"{synapse.name}.weight"] = self.to_numpy(contrast.weight_gradient())
                if synapse.bias:
                    gradient[f"{synapse.name}.bias"] = self.to_numpy(contrast.bias_gradient())
        return gradient

    def _check_rates(self, rates: Mapping[str, float]) -> None:
        """Refuse missing and impossible learning rates; from here on the weights are others."""
        for synapse in self.network.synapses:
            if synapse.name not in rates:
                raise ConfigError(f"rates lack synapse '{synapse.name}': given are {', '.join(rates) or 'none'}")
            if not 0 <= rates[synapse.name] <= LARGEST_RATE:
                allowed = f"allowed are 0 to {LARGEST_RATE:g}"
                raise ConfigError(f"rate of '{synapse.name}' is {rates[synapse.name]}: {allowed}")
            if rates[synapse.name] * self.optimiser.weight_decay >= 1:
                product = f"rate {rates[synapse.name]} times weight_decay {self.optimiser.weight_decay}"
                raise ConfigError(f"{product} of '{synapse.name}' is 1 or more: the decay would turn weights over")
        self.version += 1

    def load_parameters(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Replace all weights and biases.

        Raises
        ------
        CheckpointError
            If a name or a shape does not fit the network.
        """
        self._check_parameters(parameters)
        self.version += 1
        self._place(parameters)

    def load_optimiser_state(
        self, state: Mapping[str, np.ndarray], devices: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Take over what :meth:`optimiser_state` and, on a chip, :meth:`device_state` of such an engine returned.

        Raises
        ------
        CheckpointError
            If an array is missing, unknown, of another shape or kind of numbers, or a moment is not finite.
        """
        whole = {**state, **(devices or {})}
        kept.check(whole, self._kept())
        self._take(whole)

    def _kept(self) -> dict[str, kept.Entry]:
        """Return what the engine keeps beside its parameters, here what the rule does; a chip adds its devices."""
        return self._kept_by_the_rule()

    def _kept_by_the_rule(self) -> dict[str, kept.Entry]:
        """Return what the rule keeps: update counts first, moments from the first update on."""
        found = {f"{synapse.name}.{kept.UPDATES}": kept.Entry((), "i") for synapse in self.network.synapses}
        for name, shape in self.network.parameter_shapes().items():
            updates = f"{name.rpartition('.')[0]}.{kept.UPDATES}"
            found |= {f"{name}.{moment}": kept.Entry(shape, "f", updates) for moment in self.optimiser.moments}
        return found

    def _check_parameters(self, parameters: Mapping[str, np.ndarray]) -> None:
        shapes = self.network.parameter_shapes()
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


def check_seed(name: str, seed: object) -> None:
    """Refuse a seed that is no whole number from 0.

    Raises
    ------
    ConfigError
        Naming it and the value.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ConfigError(f"{name} = {shown(seed)}: should be a whole number from 0")


def _check_kinds(network: Network, optimiser: Optimiser | None, engine: str) -> None:
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
