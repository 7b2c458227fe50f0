# Tested by tests/neuroep/engines/torch/test_substrate.py.
"""States as tensors: what any substrate on torch knows of memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from neuroep.engines.state import State
from neuroep.network import Network

REALS = {"float32": torch.float32, "float64": torch.float64}


class TensorMemory:
    """Tensors of one device, never written in place; see :class:`neuroep.engines.parts.Substrate`.

    Attributes
    ----------
    device : torch.device
        Where tensors lie.
    real : torch.dtype
        Of all states.
    """

    device: torch.device
    real: torch.dtype

    def values(self, array: np.ndarray) -> torch.Tensor:
        """Bring an array to the device."""
        return torch.as_tensor(array).to(self.device, self.real)

    def states(self, network: Network, samples: int) -> dict[str, torch.Tensor]:
        """Return zeroed states."""
        about: dict[str, Any] = {"dtype": self.real, "device": self.device}
        return {layer.name: torch.zeros(samples, layer.size, **about) for layer in network.layers}

    def fork(self, network: Network, state: State) -> State:
        """Return a state with its own dictionaries; tensors are never written in place."""
        own = dict(state.values), dict(state.weights)
        return State(*own, state.stale, state.beta, inner=dict(state.inner), origin=state.origin)

    def joined(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return states side by side."""
        return torch.cat(list(parts), dim=1)

    def below(self, rows: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return arrays of one width below each other."""
        return torch.cat(tuple(rows))

    def scalars(self, values: Mapping[str, torch.Tensor]) -> dict[str, float]:
        """Bring 0-d tensors to the host in one transfer."""
        if not values:
            return {}
        return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))

    def displacements(self, pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> dict[str, tuple[float, float]]:
        """Return max|s - s_origin| and max|s| in one transfer."""
        found = {}
        for name, (value, origin) in pairs.items():
            found[f"{name} moved"], found[f"{name} size"] = (value - origin).abs().max(), value.abs().max()
        values = self.scalars(found)
        return {name: (values[f"{name} moved"], values[f"{name} size"]) for name in pairs}

    def to_numpy(self, array: torch.Tensor) -> np.ndarray:
        """Bring one tensor to the host."""
        return array.detach().cpu().numpy()
