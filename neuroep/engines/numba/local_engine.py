"""Local engine: arrays behind the seam ``forward / transposed / update``, Numba kernels for neurons and attention.

Each layer sees the products of its own synapses only. A state's read-outs that feed one synapse lie side by side in
memory, so a product reads them without copying. See :mod:`neuroep.engines.numba.attention_kernels` for the attention
layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hw_models.chip.files import chip_of
from hw_models.keywords import checked
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines import substrate
from neuroep.engines.engine import Engine, check_seed
from neuroep.engines.kept import Entry
from neuroep.engines.numba.arrays import Array
from neuroep.engines.numba.attention import HeldLogits, Tokens
from neuroep.engines.numba.neurons import displaced
from neuroep.engines.schedule import Schedule
from neuroep.engines.state import State
from neuroep.engines.workers import Workers
from neuroep.errors import ConfigError, DataError, DivergenceError
from neuroep.learning.contrast import Contrast, Signal, TokenRows
from neuroep.learning.optimisers import SGD, Optimiser
from neuroep.network import AttentionLayer, DenseLayer, DenseSynapse, Network, Synapse
from neuroep.network.potentials import HardSigmoid, Potential, SmoothSigmoid, Tanh, check

if TYPE_CHECKING:
    from hw_models.chip import Chip
    from neuroep.gradients.estimators import Estimator

CHIP = "chip"
"""Name in a checkpoint of what belongs to the chip as a whole."""


@dataclass(frozen=True)
class Clamped:
    """One batch with the products of its clamped input."""

    tokens: dict[str, Tokens]
    held: dict[str, HeldLogits]
    """By attention layer; replaced at every step where products of the clamped input are not held."""
    target: np.ndarray
    """(batch, classes), one-hot."""
    workspace: dict[str, np.ndarray] = field(default_factory=dict)
    """Transposed products by synapse, written again at every step."""

    @property
    def samples(self) -> int:
        """Batch size."""
        return len(self.target)


class LocalEngine(Engine):
    """EP network on arrays; parameters as in :class:`neuroep.engines.engine.Engine`.

    Parameters
    ----------
    threads : int, optional
        Default: all processors of the process. The result does not depend on it.
    device : str
        ``auto`` or ``cpu``.
    chip : hw_models.Chip, str or Path, optional
        What to run on, or its name or file as of :func:`hw_models.load`; default exact arithmetic.
    chip_seed : int, optional
        Of the chip's draws; default ``seed``.

    Raises
    ------
    ConfigError
        If a device other than the CPU is asked for, the chip cannot run the network, or a keyword is unknown.
    ChipError
        If there is no chip of that name.
    """

    name = "local"

    @checked(ConfigError)
    def __init__(
        self,
        network: Network,
        parameters: Mapping[str, np.ndarray] | None = None,
        *,
        optimiser: Optimiser | None = None,
        seed: int = 0,
        dtype: str = "float32",
        threads: int | None = None,
        device: str = "auto",
        chip: Chip | str | Path | None = None,
        chip_seed: int | None = None,
    ) -> None:
        if device not in ("auto", "cpu"):
            raise ConfigError(f"device is '{device}': the local engine runs on auto, cpu")
        if chip_seed is not None:
            check_seed("chip_seed", chip_seed)
        self.workers = Workers(threads)
        self.chip = None if chip is None else chip_of(chip)
        self._chip_seed = chip_seed
        if self.chip is not None and self.chip.update.scheme == "pulsed":
            optimiser = optimiser or SGD()
        super().__init__(network, parameters, optimiser=optimiser, seed=seed, dtype=dtype)

    def _place(self, parameters: Mapping[str, np.ndarray]) -> None:
        chip_seed = self.seed if self._chip_seed is None else self._chip_seed
        self.real: Any = np.dtype(self.dtype).type
        setting = substrate.Setting(self.optimiser, self.workers, self.dtype, chip_seed)
        self.substrate = substrate.build(self.chip, setting)
        self.redraws, self.time_constant = self.substrate.redraws, self.substrate.time_constant
        self.level = self.substrate.level
        self.arrays: dict[str, Array] = {}
        for synapse in self.network.synapses:
            weight, bias = parameters[f"{synapse.name}.weight"], parameters.get(f"{synapse.name}.bias")
            self.arrays[synapse.name] = self.substrate.array(synapse.name, weight, bias, self._nonnegative(synapse))
        self.units = {layer.name: self.substrate.attention(layer) for layer in self.network.attention}
        dense = [layer for layer in self.network.layers if isinstance(layer, DenseLayer)]
        self.cells = {layer.name: self.substrate.neurons(layer) for layer in dense}

    def _nonnegative(self, synapse: Synapse) -> tuple[bool, bool]:
        """Tell of both ends of a synapse, post and pre, whether their states can never be negative."""
        sources = synapse.pre if isinstance(synapse, DenseSynapse) else ()
        layers = {layer.name: layer for layer in self.network.layers}
        ends = (layers[synapse.post],), tuple(layers[name] for name in sources)
        post, pre = (all(isinstance(e, DenseLayer) and e.potential.low >= 0 for e in end) for end in ends)
        return post, pre and bool(sources)

    def _begin(self, *occasion: str | int) -> None:
        self.substrate.begin(*occasion)

    def read_at(self, seconds: float) -> None:
        """Read a chip's devices so long after their last write; see :meth:`Engine.read_at`."""
        self.substrate.read_at(seconds)

    def aged(self) -> AbstractContextManager[None]:
        """Read a chip's devices inside as old as once deployed; see :meth:`Engine.aged`."""
        return self.substrate.aged()

    def _measured(self, synapse: str, end: str, signal: Signal) -> Signal:
        return self.substrate.read_out(synapse, end, signal)

    @property
    def calibrates(self) -> bool:
        """Whether converters of the chip wait for their ranges."""
        return self.substrate.calibrates

    def calibrate(self, batches: Iterable[Batch], estimator: Estimator) -> None:
        """Fix the ranges of the chip's converters on what they see of these batches in all phases.

        Raises
        ------
        DataError
            If no batch has a token of a sequence that the network reads: the ranges stay what they were.
        """
        if not self.calibrates:
            return
        samples, tokens = 0, dict.fromkeys((sequence.name for sequence in self.network.sequences), 0)
        with self.substrate.observing():
            for number, batch in enumerate(batches):
                measured = estimator.measure(self, batch.keyed("calibration", number), number)
                for contrast in measured.contrasts.values():
                    contrast.terms()
                samples += batch.size
                for name in tokens:
                    tokens[name] += int(batch.inputs[name].lengths.sum())
            for name, count in tokens.items():
                if not count:
                    held = f"the {samples} calibration samples hold no known word of '{name}'"
                    raise DataError(f"{held}: raise chip.calibration_samples, or draw others")

    def counters(self) -> dict[str, int]:
        """Return what the engine and its parts have counted."""
        total = super().counters()
        parts: list[Any] = [*self.arrays.values(), *self.units.values(), self.substrate]
        for part in parts:
            for name, number in part.counters().items():
                total[name] = total.get(name, 0) + number
        return total

    def _clamp(self, inputs: Mapping[str, TokenVectors], labels: np.ndarray) -> Clamped:
        tokens = {
            name: Tokens(np.ascontiguousarray(item.vectors, dtype=self.dtype), np.asarray(item.lengths, dtype=np.int64))
            for name, item in inputs.items()
        }
        target = np.eye(self.network.classes, dtype=self.dtype)[labels]
        return self.read_held(Clamped(tokens, {}, target))

    def read_held(self, clamped: Clamped) -> Clamped:
        """Return the batch with its held logits read from the current weights."""
        layers = self.network.attention
        return Clamped(clamped.tokens, {layer.name: self._hold(clamped, layer) for layer in layers}, clamped.target)

    def _hold(self, clamped: Clamped, layer: AttentionLayer) -> HeldLogits:
        """Hold what the clamped input drives one attention layer with."""
        tokens = clamped.tokens[layer.queries], clamped.tokens[layer.patterns]
        return self.units[layer.name].hold(self._drive(clamped, layer), *tokens)

    def _drive(self, clamped: Clamped, layer: AttentionLayer) -> np.ndarray:
        """Read the projections into one attention layer, (real tokens, dim)."""
        drive: Any = None
        for synapse in self.network.projections:
            if synapse.post == layer.name:
                array = self.arrays[synapse.name]
                part = array.forward(clamped.tokens[synapse.pre].packed)
                if array.bias is not None:
                    part += array.bias
                drive = part if drive is None else drive + part
        return drive

    def rest(self, clamped: Clamped) -> State:
        """Return the all-zero state."""
        values = self._allocate(clamped.samples)
        weights = {name: unit.rest(clamped.held[name]) for name, unit in self.units.items()}
        return State(values, weights, frozenset(values))

    def _allocate(self, samples: int) -> dict[str, np.ndarray]:
        """Return zeroed states in which the sources of one synapse lie side by side."""
        values: dict[str, np.ndarray] = {}
        for synapse in self.network.dense:
            if len(synapse.pre) > 1 and not set(synapse.pre) & set(values):
                joint, place = np.zeros((samples, synapse.shape[1]), dtype=self.dtype), 0
                for name in synapse.pre:
                    size = self.network.layer(name).size
                    values[name] = joint[:, place : place + size]
                    place += size
        for layer in self.network.layers:
            if layer.name not in values:
                values[layer.name] = np.zeros((samples, layer.size), dtype=self.dtype)
        return {layer.name: values[layer.name] for layer in self.network.layers}

    def fork(self, state: State) -> State:
        """Return a copy."""
        values = self._allocate(len(next(iter(state.values.values()))))
        for name, value in state.values.items():
            values[name][:] = value
        weights = {name: weight.copy() for name, weight in state.weights.items()}
        memory = {name: {key: kept.copy() for key, kept in held.items()} for name, held in state.memory.items()}
        inner = {name: value.copy() for name, value in state.inner.items()}
        return State(values, weights, state.stale, state.beta, memory, inner, state.origin)

    def computing(self) -> AbstractContextManager[None]:
        """Keep BLAS to one thread: the blocks are parallel already."""
        return self.workers.single_blas()

    def energy(self, clamped: Clamped, state: State) -> np.ndarray:
        """Return F_beta, (batch,)."""
        with self.workers.single_blas():
            return self._energy(clamped, state)

    def relax(self, clamped: Clamped, state: State, names: tuple[str, ...], schedule: Schedule) -> dict[str, Any]:
        """Move the named layers in place; see :meth:`Engine.relax`."""
        feedback = self._feedback(clamped, state, names)
        products = {n: self._product(state, n) for n in names if isinstance(self.network.layer(n), DenseLayer)}
        changes: dict[str, Any] = {}
        for name in names:
            layer = self.network.layer(name)
            back = feedback.get(name, np.zeros((0, 0), dtype=self.dtype))
            if isinstance(layer, AttentionLayer):
                changes[name] = self._attend(clamped, state, layer, back, schedule.dt)
            else:
                nudged = state.beta != 0 and name == self.network.output.name
                target, value = clamped.target if nudged else None, state.values[name]
                drive, nudge = (products[name], back), (target, state.beta)
                changes[name] = self.cells[name].respond(*drive, value, *nudge, schedule, state.inner)
        return changes

    def _attend(self, clamped: Clamped, state: State, layer: AttentionLayer, back: np.ndarray, dt: float) -> float:
        name, unit = layer.name, self.units[layer.name]
        if self.substrate.holds_input:
            return unit.relax(clamped.held[name], back, state, dt)
        held = clamped.held[name] = unit.redrive(clamped.held[name], self._drive(clamped, layer))
        change = unit.relax(held, back, state, dt)
        state.weights[name] = unit.explicit(held, state.weights[name])
        return change

    def _feedback(self, clamped: Clamped, state: State, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Transposed products from the dense synapses behind the named layers, (batch, layer size)."""
        total: dict[str, np.ndarray] = {}
        for synapse in self.network.dense:
            if not set(synapse.pre) & set(names):
                continue
            out = clamped.workspace.get(synapse.name)
            memory = state.memory.setdefault(synapse.name, {})
            product = self.arrays[synapse.name].transposed(state.values[synapse.post], out, memory)
            clamped.workspace[synapse.name] = product
            place = 0
            for name in synapse.pre:
                size = self.network.layer(name).size
                part = product[:, place : place + size]
                total[name] = total[name] + part if name in total else part
                place += size
        return total

    def _product(self, state: State, name: str) -> np.ndarray:
        """Forward products and biases of the synapses into a dense layer, (batch, size)."""
        total: Any = None
        for synapse in self.network.dense:
            if synapse.post == name:
                memory = state.memory.setdefault(synapse.name, {})
                product = self.arrays[synapse.name].forward(self._pre(state, synapse), memory)
                if synapse.bias:
                    product += self.arrays[synapse.name].bias
                total = product if total is None else total + product
        return np.zeros_like(state.values[name]) if total is None else total

    def _pre(self, state: State, synapse: DenseSynapse) -> np.ndarray:
        """Read-outs in front of a synapse, side by side; copied only where memory does not lie so already."""
        parts = [state.values[name] for name in synapse.pre]
        if len(parts) == 1:
            return parts[0]
        joint = parts[0].base
        if joint is None or joint.shape[1] != synapse.shape[1]:
            return np.concatenate(parts, axis=1)
        place = joint.ctypes.data
        for part in parts:
            if part.base is not joint or part.ctypes.data != place:
                return np.concatenate(parts, axis=1)
            place += part.shape[1] * part.itemsize
        return joint

    def scalars(self, values: Mapping[str, Any]) -> dict[str, float]:
        """Return the values as they are."""
        return dict(values)

    def displacements(self, state: State, names: Iterable[str]) -> dict[str, tuple[float, float]]:
        """Return max|s - s_origin| and max|s| of the named layers."""
        origin = cast(State, state.origin)
        return {name: displaced(state.level(name), origin.level(name), self.workers) for name in names}

    def _energy(self, clamped: Clamped, state: State) -> np.ndarray:
        """Return F_beta of the mean weights, (batch,): without a chip's noise and converters."""
        total = np.zeros(clamped.samples, dtype=self.dtype)
        for layer in self.network.layers:
            if isinstance(layer, DenseLayer):
                total += potential_energy(layer.potential, state.values[layer.name])
                continue
            weights, held = self.attention_weights(clamped, state, layer.name), clamped.held[layer.name].logits
            entropy = weights * np.log(np.where(weights > 0, weights, 1))
            total += (entropy - weights * held).sum((1, 2)) / self.real(layer.inverse_temperature)
        for synapse in self.network.dense:
            product = self.arrays[synapse.name].expected(self._pre(state, synapse))
            if synapse.bias:
                product += self.arrays[synapse.name].bias
            total -= (state.values[synapse.post] * product).sum(1)
        if state.beta:
            miss = state.values[self.network.output.name] - clamped.target
            total += self.real(0.5 * state.beta) * (miss * miss).sum(1)
        return total

    def attention_weights(self, clamped: Clamped, state: State, layer: str) -> np.ndarray:
        """Return p of one attention layer, (batch, queries, patterns)."""
        return self.units[layer].explicit(clamped.held[layer], state.weights[layer])

    def _token_rows(self, clamped: Clamped, layer: str, plus: State, minus: State) -> TokenRows:
        unit, held = self.units[layer], clamped.held[layer]
        return TokenRows(unit.rows(held, plus.weights[layer], minus.weights[layer]))

    def _clamped_rows(self, clamped: Clamped, sequence: str) -> np.ndarray:
        return clamped.tokens[sequence].packed

    def _below(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(rows)

    def update(self, contrasts: Mapping[str, Contrast], rates: Mapping[str, float]) -> None:
        """Let every array change itself; see :meth:`Engine.update`."""
        self._check_rates(rates)
        with self.workers.single_blas():
            for synapse in self.network.synapses:
                array = self.arrays[synapse.name]
                if array.update(contrasts[synapse.name], rates[synapse.name]):
                    raise DivergenceError(synapse.name, array.updates, "weight")

    def parameters(self) -> dict[str, np.ndarray]:
        """Return copies of weights and biases by name."""
        found = self._array_states()
        return {name: found[name] for name in self.network.parameter_shapes()}

    def conducting(self) -> dict[str, np.ndarray]:
        """Return weights as the arrays conduct them, and biases."""
        return self.parameters() | {f"{name}.weight": array.conducting() for name, array in self.arrays.items()}

    def array_health(self) -> dict[str, dict[str, float]]:
        """Return shares of weights and pulse trains at a limit, by synapse."""
        return {name: found for name, array in self.arrays.items() if (found := array.health())}

    def optimiser_state(self) -> dict[str, np.ndarray]:
        """Return moments and update counts."""
        rule = self._kept_by_the_rule()
        return {name: values for name, values in self._array_states().items() if name in rule}

    def device_state(self) -> dict[str, np.ndarray]:
        """Return what the arrays of a chip and the chip as a whole keep."""
        others = self._kept_by_the_rule().keys() | self.network.parameter_shapes().keys()
        devices = {name: values for name, values in self._array_states().items() if name not in others}
        return devices | {f"{CHIP}.{name}": values for name, values in self.substrate.state().items()}

    def _array_states(self) -> dict[str, np.ndarray]:
        return {
            f"{synapse}.{name}": values
            for synapse, array in self.arrays.items()
            for name, values in array.state().items()
        }

    def _kept(self) -> dict[str, Entry]:
        """Add what the arrays of a chip and the chip as a whole keep; those of exact arithmetic keep nothing more."""
        found, shapes = super()._kept(), self.network.parameter_shapes()
        for synapse, array in self.arrays.items() if self.chip is not None else ():
            own = {f"{synapse}.{name}": Entry.like(values) for name, values in array.state().items()}
            found |= {name: entry for name, entry in own.items() if name not in found and name not in shapes}
        return found | {f"{CHIP}.{name}": Entry.like(values) for name, values in self.substrate.state().items()}

    def _take(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over moments, update counts, and what a chip keeps."""
        for synapse, array in self.arrays.items():
            array.load(_under(synapse, state))
        self.substrate.load(_under(CHIP, state))

    def to_numpy(self, array: np.ndarray) -> np.ndarray:
        """Return the array itself."""
        return array

    def describe(self) -> dict[str, Any]:
        """Return engine, device, dtype, threads, and the chip's name where there is one."""
        page = {"engine": self.name, "device": "cpu", "dtype": self.dtype, "threads": self.workers.threads}
        return page if self.chip is None else page | {"chip": self.chip.name}


def _under(name: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the entries whose names begin with ``name.``, without it."""
    start = f"{name}."
    return {key[len(start) :]: values for key, values in state.items() if key.startswith(start)}


def potential_energy(potential: Potential, state: np.ndarray) -> np.ndarray:
    """Return the sum of G(s) over the last dimension, (batch,); equations in :mod:`neuroep.network.potentials`."""
    from scipy.special import xlogy

    check(potential, None, "local")
    if isinstance(potential, HardSigmoid):
        return (state * state).sum(-1) / (2.0 * potential.slope)
    if isinstance(potential, SmoothSigmoid):
        return (xlogy(state, state) + xlogy(1.0 - state, 1.0 - state)).sum(-1)
    if isinstance(potential, Tanh):
        return 0.5 * (xlogy(1.0 + state, 1.0 + state) + xlogy(1.0 - state, 1.0 - state)).sum(-1)
    return 0.5 * (state * state).sum(-1)
