# Tested by tests/neuroep/engines/torch/test_substrate.py.
"""Arrays of torch: products, and torch's own optimisers for the rule.

A product is out of place, so autograd can follow it to weights that are leaves: :func:`holding` puts such weights into
a copy of an engine.

Products in bfloat16 have the numbers of both factors and the result rounded to 8 significant bits, 2^-8 of each at
most; sums that a free state is driven by less (:mod:`neuroep.engines.torch.sums`). Two states settled so differ by more
than a nudge moves them, differences to one free state lose what the products lose.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuroep.engines.parts import Memory, Part
from neuroep.engines.rounding import Rounding
from neuroep.engines.torch.sums import guesses, product
from neuroep.learning.contrast import Contrast
from neuroep.learning.optimisers import SGD, Optimiser

if TYPE_CHECKING:
    from neuroep.engines.engine import Engine


class TorchArray(Part):
    """Exact weights as tensors; see :class:`neuroep.engines.parts.Array`.

    Parameters
    ----------
    weight : torch.Tensor
        (out, in), owned.
    bias : torch.Tensor or None
        (out,).
    optimiser : Adam or SGD
        Rule applied in :meth:`update`.
    rounding : Rounding, optional
        When products of states are read in bfloat16; never by default.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        optimiser: Optimiser,
        rounding: Rounding | None = None,
    ) -> None:
        self.weight, self.bias, self.optimiser = weight, bias, optimiser
        self.rounding = Rounding() if rounding is None else rounding
        self.updates = 0
        self._short: torch.Tensor | None = None
        self._outdated = False

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """Weight and bias by short name."""
        return {"weight": self.weight} if self.bias is None else {"weight": self.weight, "bias": self.bias}

    def forward(self, pre: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """Return ``pre @ W.T``."""
        if not self.rounding.now:
            return pre @ self.weight.T
        if memory is None:
            return self._rounded(pre, self._shortened.T)
        (guess,), known = guesses(memory, 1, len(pre), len(self.weight), pre.device)
        return product(pre.to(torch.bfloat16), self._shortened.T, guess, known)

    @property
    def _shortened(self) -> torch.Tensor:
        """The weights in bfloat16, rounded once after an update, always in the same memory."""
        if self._short is None:
            self._short = self.weight.detach().to(torch.bfloat16)
        elif self._outdated:
            self._short.copy_(self.weight.detach())
        self._outdated = False
        return self._short

    def replayed(self) -> list[torch.Tensor]:
        """Return what its products read, up to date: a phase that is replayed reads it where it lay when recorded."""
        return [*self.tensors.values(), *([self._shortened] if self.rounding.there else [])]

    @staticmethod
    def _rounded(state: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return product(state.to(torch.bfloat16), weight).to(state.dtype)

    def transposed(
        self, post: torch.Tensor, out: torch.Tensor | None = None, memory: Memory | None = None
    ) -> torch.Tensor:
        """Return ``post @ W``."""
        return self._rounded(post, self._shortened) if self.rounding.now else post @ self.weight

    def expected(self, pre: torch.Tensor) -> torch.Tensor:
        """Return ``pre @ W.T``."""
        return pre @ self.weight.T

    @cached_property
    def _rule(self) -> torch.optim.Optimizer:
        """Made when first used: torch's optimisers are slow to import."""
        tensors = list(self.tensors.values())
        if isinstance(self.optimiser, SGD):
            return torch.optim.SGD(tensors, lr=0.0, momentum=self.optimiser.momentum)
        return torch.optim.Adam(tensors, lr=0.0, betas=self.optimiser.betas, eps=self.optimiser.eps)

    def update(self, contrast: Contrast, rate: float) -> torch.Tensor:
        """Apply the rule; return, 0-d, whether a weight or the bias is not finite."""
        self.updates += 1
        self._outdated = True
        self._rule.param_groups[0]["lr"] = rate
        keep = 1.0 - rate * self.optimiser.weight_decay
        if keep != 1.0:
            self.weight.mul_(keep)
        self.weight.grad = contrast.weight_gradient()
        if self.bias is not None:
            self.bias.grad = contrast.bias_gradient()
        self._rule.step()
        self._rule.zero_grad(set_to_none=True)
        total = torch.stack([tensor.sum() for tensor in self.tensors.values()]).sum()
        return ~torch.isfinite(total)

    @property
    def _moments(self) -> dict[str, str]:
        """Names of the rule's moments, ours and torch's."""
        theirs = ("momentum_buffer",) if isinstance(self.optimiser, SGD) else ("exp_avg", "exp_avg_sq")
        return dict(zip(self.optimiser.moments, theirs, strict=False))

    def state(self) -> dict[str, np.ndarray]:
        """Return weight, bias, moments and the number of updates, copied."""
        return {name: values.copy() for name, values in self.live().items()}

    def live(self) -> dict[str, np.ndarray]:
        """Return weight, bias, moments and the number of updates; on the host as they are, read-only."""
        found = {name: on_host(tensor) for name, tensor in self.tensors.items()}
        if self.updates:
            for name, tensor in self.tensors.items():
                kept = self._rule.state[tensor]
                for ours, theirs in self._moments.items():
                    if kept.get(theirs) is not None:
                        found[f"{name}.{ours}"] = on_host(kept[theirs])
        return found | {"updates": np.array(self.updates, dtype=np.int64)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over moments and the number of updates."""
        self.updates = int(state["updates"])
        self._rule.state.clear()
        for name, tensor in self.tensors.items():
            kept: dict[str, Any] = {}
            for ours, theirs in self._moments.items():
                if f"{name}.{ours}" in state:
                    kept[theirs] = torch.as_tensor(np.array(state[f"{name}.{ours}"])).to(tensor)
            if kept:
                self._rule.state[tensor] = kept | {"step": torch.tensor(float(self.updates))}

    def conducting(self) -> np.ndarray:
        """Return the weights themselves."""
        return _copied(self.weight)

    def paths(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return nothing: both directions have the same weights."""
        return []


def _copied(tensor: torch.Tensor) -> np.ndarray:
    """Return a copy on the host."""
    return tensor.detach().cpu().numpy().copy()


def on_host(tensor: torch.Tensor) -> np.ndarray:
    """Return a tensor as it is, read-only; a copy where it is not on the host."""
    found = tensor.detach().cpu().numpy()
    if tensor.device.type == "cpu":
        found.flags.writeable = False
    return found


def tensors_of(engine: Engine) -> dict[str, torch.Tensor]:
    """Return weights and biases of a reference engine as its arrays hold them, by name."""
    arrays: dict[str, Any] = engine.arrays
    found = {f"{name}.{part}": tensor for name, array in arrays.items() for part, tensor in array.tensors.items()}
    return {name: found[name] for name in engine.network.parameter_shapes()}


def holding(engine: Engine, tensors: Mapping[str, torch.Tensor]) -> Engine:
    """Return an engine that shares everything but the parameters with a reference engine, and computes with these."""
    twin = copy.copy(engine)
    twin.arrays = {
        name: TorchArray(tensors[f"{name}.weight"], tensors.get(f"{name}.bias"), engine.optimiser)
        for name in engine.arrays
    }
    return twin
