"""Reference engine: plain torch on CPU or GPU, closed-form drives, no autograd in the EP path.

Attention layer, shapes (batch, queries n, patterns m, dim d): held logits ``M = kappa (Q W^T) X^T``, read once per
batch; feedback f = dPhi/da - W x from the dense synapse; weights ``p = softmax(M + kappa f X^T)``; states ``a = p X``.
Read flat ``(batch, n d)`` or pooled ``sum_t a_t / sqrt(n)``. Every operation is out of place, so autograd can
differentiate the same code: :mod:`neuroep.gradients.yardsticks` does, and is the oracle of the tests.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, cast

import numpy as np
import torch

from hw_models.keywords import checked
from neuroep.data.batch import TokenVectors
from neuroep.engines.engine import Engine
from neuroep.engines.hints import NO_CHIP
from neuroep.engines.settling import Schedule, State
from neuroep.engines.torch import potentials
from neuroep.engines.workers import check_threads
from neuroep.errors import ConfigError, DivergenceError
from neuroep.learning.contrast import Contrast, TokenRows
from neuroep.learning.optimisers import SGD, Optimiser
from neuroep.network import AttentionLayer, DenseLayer, DenseSynapse, Network

DEVICES = ("auto", "cpu", "cuda")
# A fork leaves torch's threads behind, and its next product would wait for them for ever.
os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


@dataclass(frozen=True)
class Clamped:
    """One batch on the device, with the products of its clamped input."""

    vectors: dict[str, torch.Tensor]
    """By sequence, (batch, tokens, dim)."""
    present: dict[str, torch.Tensor]
    """By sequence, (batch, tokens), 1.0 for a token that takes part."""
    logits: dict[str, torch.Tensor]
    """By attention layer, (batch, queries, patterns), kappa x_j . (W x_t + b)."""
    target: torch.Tensor
    """(batch, classes), one-hot."""

    @property
    def samples(self) -> int:
        """Batch size."""
        return len(self.target)


class ReferenceEngine(Engine):
    """EP network in torch; parameters as in :class:`neuroep.engines.engine.Engine`.

    Parameters
    ----------
    device : str
        ``auto`` takes a GPU if there is one.
    threads : int, optional
        Threads of torch on the CPU, for the whole process; a process forked off later has one.

    Raises
    ------
    ConfigError
        If the device is unknown or absent, or a keyword is unknown.
    """

    name = "reference"

    @checked(ConfigError, NO_CHIP)
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
    ) -> None:
        self.device = device_of(device)
        if threads is not None:
            check_threads(threads)
            torch.set_num_threads(threads)
        self.check_every = 1 if self.device.type == "cpu" else 4
        super().__init__(network, parameters, optimiser=optimiser, seed=seed, dtype=dtype)

    def _place(self, parameters: Mapping[str, np.ndarray]) -> None:
        dtype = getattr(torch, self.dtype)
        self.tensors = {
            name: torch.tensor(np.asarray(parameters[name]), dtype=dtype, device=self.device)
            for name in self.network.parameter_shapes()
        }
        self._updates = 0
        self.__dict__.pop("_optimiser", None)

    @cached_property
    def _optimiser(self) -> torch.optim.Optimizer:
        """Made when first used: torch's optimisers are slow to import."""
        groups = []
        for synapse in self.network.synapses:
            names = [n for n in (f"{synapse.name}.weight", f"{synapse.name}.bias") if n in self.tensors]
            groups.append({"params": [self.tensors[n] for n in names], "name": synapse.name})
        rule = self.optimiser
        if isinstance(rule, SGD):
            return torch.optim.SGD(groups, lr=0.0, momentum=rule.momentum)
        return torch.optim.Adam(groups, lr=0.0, betas=rule.betas, eps=rule.eps)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array).to(self.device, getattr(torch, self.dtype))

    def _clamp(self, inputs: Mapping[str, TokenVectors], labels: np.ndarray) -> Clamped:
        vectors = {name: self._tensor(item.vectors) for name, item in inputs.items()}
        present = {}
        for name, item in inputs.items():
            places = np.arange(item.vectors.shape[1])[None, :]
            present[name] = self._tensor(places < np.asarray(item.lengths)[:, None])
        index = torch.as_tensor(labels, device=self.device, dtype=torch.long)
        target = torch.nn.functional.one_hot(index, self.network.classes).to(getattr(torch, self.dtype))
        return self.read_held(Clamped(vectors, present, {}, target))

    def read_held(self, clamped: Clamped) -> Clamped:
        """Return the batch with its held logits read from the current weights."""
        logits: dict[str, torch.Tensor] = {}
        for synapse in self.network.projections:
            layer = self.network.attention_layer(synapse.post)
            drive = clamped.vectors[synapse.pre] @ self.tensors[f"{synapse.name}.weight"].T
            if synapse.bias:
                drive = drive + self.tensors[f"{synapse.name}.bias"]
            keys = clamped.vectors[layer.patterns]
            product = layer.inverse_temperature * (drive @ keys.transpose(1, 2))
            logits[layer.name] = logits[layer.name] + product if layer.name in logits else product
        return replace(clamped, logits=logits)

    def rest(self, clamped: Clamped) -> State:
        """Return the all-zero state."""
        like = clamped.target
        values = {layer.name: like.new_zeros(clamped.samples, layer.size) for layer in self.network.layers}
        weights = {name: torch.zeros_like(held) for name, held in clamped.logits.items()}
        return State(values, weights, frozenset(values))

    def fork(self, state: State) -> State:
        """Return a state with its own dictionaries; tensors are never written in place."""
        return State(dict(state.values), dict(state.weights), state.stale, state.beta, origin=state.origin)

    def relax(self, clamped: Clamped, state: State, names: tuple[str, ...], schedule: Schedule) -> dict[str, Any]:
        """Move the named layers; see :meth:`Engine.relax`."""
        feedback = self._feedback(state, names)
        moved: dict[str, tuple[torch.Tensor | None, torch.Tensor]] = {}
        for name in names:
            layer = self.network.layer(name)
            if isinstance(layer, AttentionLayer):
                moved[name] = self._attend(clamped, state, layer, feedback.get(name), schedule.dt)
            else:
                moved[name] = None, self._respond(clamped, state, layer, feedback.get(name), schedule)
        changes = {}
        for name, (weights, value) in moved.items():
            changes[name] = (value - state.values[name]).detach().abs().max()
            state.values[name] = value
            if weights is not None:
                state.weights[name] = weights
        return changes

    def _feedback(self, state: State, names: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """Transposed products from the dense synapses behind the named layers, (batch, layer size)."""
        total: dict[str, torch.Tensor] = {}
        for synapse in self.network.dense:
            if not set(synapse.pre) & set(names):
                continue
            product = state.values[synapse.post] @ self.tensors[f"{synapse.name}.weight"]
            sizes = [self.network.layer(name).size for name in synapse.pre]
            for name, part in zip(synapse.pre, product.split(sizes, dim=1), strict=True):
                total[name] = total[name] + part if name in total else part
        return total

    def _attend(
        self, clamped: Clamped, state: State, layer: AttentionLayer, feedback: torch.Tensor | None, dt: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        keys, logits = clamped.vectors[layer.patterns], clamped.logits[layer.name]
        if feedback is not None:
            if layer.readout == "pooled":
                feedback = feedback * self._pool_factor(clamped, layer)
            rows = feedback.reshape(clamped.samples, -1, keys.shape[2])
            logits = logits + layer.inverse_temperature * (rows @ keys.transpose(1, 2))
        if self.network.mask:
            taking = clamped.present[layer.queries][:, :, None] * clamped.present[layer.patterns][:, None, :]
            logits = logits.masked_fill(taking == 0, torch.finfo(logits.dtype).min)
            weights = torch.softmax(logits, dim=2) * taking
        else:
            weights = torch.softmax(logits, dim=2)
        if dt < 1:
            weights = torch.lerp(state.weights[layer.name], weights, dt)
        return weights, self._read_out(clamped, layer, weights)

    def _pool_factor(self, clamped: Clamped, layer: AttentionLayer) -> torch.Tensor:
        """1/sqrt(n), (batch, 1); zero for an empty sequence."""
        count = clamped.present[layer.queries].sum(1, keepdim=True)
        return torch.where(count > 0, count.clamp(min=1.0).rsqrt(), torch.zeros_like(count))

    def _read_out(self, clamped: Clamped, layer: AttentionLayer, weights: torch.Tensor) -> torch.Tensor:
        keys = clamped.vectors[layer.patterns]
        if layer.readout == "flat":
            return (weights @ keys).flatten(1)
        pooled = (weights.sum(1, keepdim=True) @ keys).squeeze(1)
        return pooled * self._pool_factor(clamped, layer)

    def _respond(
        self, clamped: Clamped, state: State, layer: DenseLayer, feedback: torch.Tensor | None, schedule: Schedule
    ) -> torch.Tensor:
        drive = state.values[layer.name].new_zeros(()) if feedback is None else feedback
        for synapse in self.network.dense:
            if synapse.post == layer.name:
                drive = drive + self._forward(state, synapse)
        old, beta = state.values[layer.name], state.beta
        if beta == 0 or layer.name != self.network.output.name:
            new = potentials.respond(layer.potential, drive)
        elif schedule.order == "synchronous":
            new = potentials.respond(layer.potential, drive - beta * (old - clamped.target))
        else:
            new = potentials.nudged(layer.potential, drive, clamped.target, beta)
        return torch.lerp(old, new, schedule.dt) if schedule.dt < 1 else new

    def _pre(self, state: State, synapse: DenseSynapse) -> torch.Tensor:
        parts = [state.values[name] for name in synapse.pre]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def _forward(self, state: State, synapse: DenseSynapse) -> torch.Tensor:
        product = self._pre(state, synapse) @ self.tensors[f"{synapse.name}.weight"].T
        return product + self.tensors[f"{synapse.name}.bias"] if synapse.bias else product

    def scalars(self, values: Mapping[str, Any]) -> dict[str, float]:
        """Bring 0-d tensors to the host in one transfer."""
        if not values:
            return {}
        numbers = torch.stack(list(values.values())).tolist()
        return dict(zip(values, numbers, strict=True))

    def displacements(self, state: State, names: Iterable[str]) -> dict[str, tuple[float, float]]:
        """Return max|s - s_origin| and max|s| of the named layers in one transfer."""
        found = {}
        for name in names:
            value, origin = state.values[name], cast(State, state.origin).values[name]
            found[f"{name} moved"], found[f"{name} size"] = (value - origin).abs().max(), value.abs().max()
        values = self.scalars(found)
        return {name: (values[f"{name} moved"], values[f"{name} size"]) for name in names}

    def energy(self, clamped: Clamped, state: State) -> np.ndarray:
        """Return F_beta, (batch,)."""
        total = self.energy_tensor(clamped, state)
        return self.to_numpy(total)

    def energy_tensor(self, clamped: Clamped, state: State) -> torch.Tensor:
        """Return F_beta as a tensor, (batch,), differentiable with respect to the states."""
        total = torch.zeros_like(clamped.target[:, 0])
        for layer in self.network.layers:
            if isinstance(layer, DenseLayer):
                total = total + potentials.energy(layer.potential, state.values[layer.name])
                continue
            weights, held = state.weights[layer.name], clamped.logits[layer.name]
            free = torch.xlogy(weights, weights) - weights * held
            total = total + free.sum((1, 2)) / layer.inverse_temperature
        for synapse in self.network.dense:
            total = total - (state.values[synapse.post] * self._forward(state, synapse)).sum(1)
        if state.beta:
            miss = state.values[self.network.output.name] - clamped.target
            total = total + 0.5 * state.beta * (miss * miss).sum(1)
        return total

    def _clamped_rows(self, clamped: Clamped, sequence: str) -> torch.Tensor:
        return clamped.vectors[sequence].flatten(0, 1)

    def _below(self, rows: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat(tuple(rows))

    def _token_rows(self, clamped: Clamped, layer: str, plus: State, minus: State) -> TokenRows:
        keys = clamped.vectors[self.network.attention_layer(layer).patterns]
        first, second = plus.weights[layer], minus.weights[layer]
        return TokenRows(lambda p, m: ((p * first + m * second) @ keys).flatten(0, 1))

    def update(self, contrasts: Mapping[str, Contrast], rates: Mapping[str, float]) -> None:
        """Apply the optimiser; see :meth:`Engine.update`."""
        self._check_rates(rates)
        self._updates += 1
        for group in self._optimiser.param_groups:
            name = group["name"]
            group["lr"] = rates[name]
            keep = 1.0 - rates[name] * self.optimiser.weight_decay
            weight, *bias = group["params"]
            if keep != 1.0:
                weight.mul_(keep)
            weight.grad = contrasts[name].weight_gradient()
            for parameter in bias:
                parameter.grad = contrasts[name].bias_gradient()
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        sums = {g["name"]: sum(parameter.sum() for parameter in g["params"]) for g in self._optimiser.param_groups}
        for name, value in self.scalars(sums).items():
            if not math.isfinite(value):
                raise DivergenceError(name, self._updates, "weight")

    def parameters(self) -> dict[str, np.ndarray]:
        """Return copies of weights and biases by name."""
        return {name: self.to_numpy(tensor).copy() for name, tensor in self.tensors.items()}

    def optimiser_state(self) -> dict[str, np.ndarray]:
        """Return moments and update counts, named as in every engine."""
        found: dict[str, np.ndarray] = {}
        names = {id(tensor): name for name, tensor in self.tensors.items()}
        for tensor, kept in self._optimiser.state.items():
            for ours, theirs in self._moment_names().items():
                if kept.get(theirs) is not None:
                    found[f"{names[id(tensor)]}.{ours}"] = self.to_numpy(kept[theirs]).copy()
        for synapse in self.network.synapses:
            found[f"{synapse.name}.updates"] = np.array(self._updates, dtype=np.int64)
        return found

    def _moment_names(self) -> dict[str, str]:
        theirs = ("momentum_buffer",) if isinstance(self.optimiser, SGD) else ("exp_avg", "exp_avg_sq")
        return dict(zip(self.optimiser.moments, theirs, strict=False))

    def _take(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over moments and update counts."""
        self._updates = int(state[f"{self.network.synapses[0].name}.updates"])
        self._optimiser.state.clear()
        for name, tensor in self.tensors.items():
            kept: dict[str, Any] = {}
            for ours, theirs in self._moment_names().items():
                if f"{name}.{ours}" in state:
                    kept[theirs] = self._tensor(np.array(state[f"{name}.{ours}"]))
            if kept:
                kept["step"] = torch.tensor(float(self._updates))
                self._optimiser.state[tensor] = kept

    def to_numpy(self, array: torch.Tensor) -> np.ndarray:
        """Bring one tensor to the host."""
        return array.detach().cpu().numpy()

    def attention_weights(self, clamped: Clamped, state: State, layer: str) -> np.ndarray:
        """Return p of one attention layer, (batch, queries, patterns)."""
        return self.to_numpy(state.weights[layer])

    def describe(self) -> dict[str, Any]:
        """Return engine, device, dtype, threads."""
        device = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        threads = torch.get_num_threads()
        return {"engine": self.name, "device": device, "dtype": self.dtype, "threads": threads}


def device_of(name: str) -> torch.device:
    """Return the torch device, or say what is there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.split(":")[0] not in DEVICES or name.startswith("auto:"):
        raise ConfigError(f"device is '{name}': allowed are {', '.join(DEVICES)}")
    if name == "cpu":
        return torch.device(name)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    present = ["auto", "cpu", *(["cuda"] if count else []), *(f"cuda:{i}" for i in range(count))]
    if name not in present:
        seen = f"{count} GPUs" if count else "no GPU"
        raise ConfigError(f"device is '{name}': torch sees {seen} here; allowed are {', '.join(present)}")
    return torch.device(name)
