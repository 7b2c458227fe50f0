# Tested by tests/neuroep/engines/torch/test_substrate.py.
"""States as tensors: what any substrate on torch knows of memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from neuroep.engines.parts import Move, Values
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

    def values(self, array: np.ndarray) -> Values:
        """Bring an array to the device."""
        return torch.as_tensor(array).to(self.device, self.real)

    def states(self, network: Network, samples: int) -> dict[str, Values]:
        """Return zeroed states."""
        sizes = {layer.name: layer.size for layer in network.layers}
        return {n: torch.zeros(samples, size, dtype=self.real, device=self.device) for n, size in sizes.items()}

    def fork(self, network: Network, state: State) -> State:
        """Return a state with its own dictionaries; tensors are never written in place."""
        own = dict(state.values), dict(state.weights)
        return State(*own, state.stale, state.beta, inner=dict(state.inner), origin=state.origin, rounded=state.rounded)

    def joined(self, parts: Sequence[Values]) -> Values:
        """Return states side by side."""
        return torch.cat(list(parts), dim=1)

    def below(self, rows: Sequence[Values]) -> Values:
        """Return arrays of one width below each other."""
        return torch.cat(tuple(rows))

    def some(self, values: Values, rows: np.ndarray) -> Values:
        """Return rows, a copy."""
        return values[torch.as_tensor(rows, device=values.device)]

    def put(self, whole: Values, some: Values, move: Move) -> Values:
        """Return values with some rows put in their place."""
        rows, places = (torch.as_tensor(each, device=whole.device) for each in move)
        return whole.index_copy(0, places, some[rows])

    def largest(self, values: Values) -> Values:
        """Return the largest number of every row, without its sign."""
        return values.abs().amax(1)

    def scalars(self, values: Mapping[str, Values]) -> dict[str, float]:
        """Bring the largest number of each tensor to the host in one transfer."""
        if not values:
            return {}
        return dict(zip(values, torch.stack([each.max() for each in values.values()]).tolist(), strict=True))

    def displacements(self, pairs: Mapping[str, tuple[Values, Values]]) -> dict[str, tuple[float, float]]:
        """Return max|s - s_origin| and max|s| in one transfer."""
        found = {}
        for name, (value, origin) in pairs.items():
            found[f"{name} moved"], found[f"{name} size"] = (value - origin).abs().max(), value.abs().max()
        values = self.scalars(found)
        return {name: (values[f"{name} moved"], values[f"{name} size"]) for name in pairs}

    def to_numpy(self, array: Values) -> np.ndarray:
        """Bring one tensor to the host."""
        return np.asarray(array.detach().cpu().numpy())
