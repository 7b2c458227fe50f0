"""Plain torch on CPU or GPU as a substrate: closed-form drives, no autograd in the EP path, nothing in place.

So autograd can differentiate the same code: :mod:`neuroep.gradients.yardsticks` does, and is the oracle of the tests.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
import torch

from neuroep.data.batch import WordRows, WordTable
from neuroep.engines.differences import DifferenceParts
from neuroep.engines.parts import Array, AttentionUnit, Increments, Neurons, Replayer, Signs, Timeless, View
from neuroep.engines.rounding import Rounding
from neuroep.engines.torch.arrays import TorchArray
from neuroep.engines.torch.attention import TokenTensors, TorchAttention
from neuroep.engines.torch.differences import TorchDifferences
from neuroep.engines.torch.memory import REALS, TensorMemory
from neuroep.engines.torch.neurons import TorchNeurons
from neuroep.engines.torch.replay import Tapes
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Signal
from neuroep.learning.optimisers import Adam, Optimiser
from neuroep.network import AttentionLayer, DenseLayer

DEVICES = ("auto", "cpu", "cuda")
LOOKS_ON_GPU = 4
"""Sweeps between looks at the tolerance on a GPU, where a look waits for the device."""
# A fork leaves torch's threads behind, and its next product would wait for them for ever.
os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


class TorchSubstrate(TensorMemory, Timeless):
    """Exact arithmetic on tensors; see :class:`neuroep.engines.parts.Substrate`.

    Parameters
    ----------
    optimiser : Adam or SGD
        Rule of the arrays.
    device : torch.device
        Where tensors lie.
    dtype : str
        ``float32`` or ``float64``.
    products : str
        ``full``, or ``bfloat16``: what is read of states, by dense synapses, is rounded.
    """

    in_place = False
    redraws = False
    shifts = False
    level = 0.0
    holds_input = True
    time_constant = 1.0

    averages = 1
    increments: Increments | None = None

    def __init__(self, optimiser: Optimiser, device: torch.device, dtype: str, products: str = "full") -> None:
        self.optimiser, self.device, self.dtype = optimiser, device, dtype
        self.rounding = Rounding(products)
        self.real = REALS[dtype]
        self.differences: DifferenceParts | None = TorchDifferences()
        self.check_every = 1 if device.type == "cpu" else LOOKS_ON_GPU
        self.looks_up = device.type != "cpu"  # a table is brought there once, a batch's vectors anew for every batch
        self.replay: Replayer | None = None if device.type == "cpu" else Tapes()
        self._tables: WeakKeyDictionary[WordTable, torch.Tensor] = WeakKeyDictionary()

    def __getstate__(self) -> dict[str, object]:
        """Leave out what lies on a device beside the arrays; a copy makes it anew."""
        replay = None if self.replay is None else Tapes()
        return {**self.__dict__, "_tables": None, "replay": replay}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _tables=WeakKeyDictionary())

    def array(
        self, name: str, weight: np.ndarray, bias: np.ndarray | None, nonnegative: Signs, sends_back: bool = True
    ) -> Array:
        """Return an array with its own copy of the weights; what is read of clamped input is never rounded."""
        own = self._own(weight), None if bias is None else self._own(bias)
        return TorchArray(*own, self.optimiser, self.rounding if sends_back else None)

    def _own(self, array: np.ndarray) -> torch.Tensor:
        return torch.tensor(np.asarray(array), dtype=self.real, device=self.device)

    def attention(self, layer: AttentionLayer, patterns: int) -> AttentionUnit:
        """Return exact attention."""
        return TorchAttention(layer)

    def neurons(self, layer: DenseLayer) -> Neurons:
        """Return exact neurons."""
        return TorchNeurons(layer)

    def read_out(self, synapse: str, end: str, signal: Signal, view: View) -> Signal:
        """Return the signal."""
        return signal

    def read_out_resolution(self, synapse: str, end: str) -> float:
        """Return 0: it is exact."""
        return 0.0

    def rows_of(self, tokens: object) -> AbstractContextManager[None]:
        """Do nothing: rows are read alike."""
        return nullcontext()

    def tokens(self, vectors: np.ndarray, lengths: np.ndarray, kinds: np.ndarray | None = None) -> TokenTensors:
        """Return a padded sequence on the device."""
        return self._tokens(self.values(vectors), lengths)

    def looked_up(self, words: WordRows) -> TokenTensors:
        """Return a padded sequence whose vectors are looked up on the device; those beyond the end are 0."""
        if words.table not in self._tables:
            vectors = self.values(words.table.vectors)
            self._tables[words.table] = torch.cat([vectors, vectors.new_zeros(1, vectors.shape[1])])
        rows = torch.as_tensor(words.rows).to(self.device, torch.int64)
        return self._tokens(self._tables[words.table][rows], words.lengths)

    def _tokens(self, vectors: torch.Tensor, lengths: np.ndarray) -> TokenTensors:
        present = np.arange(vectors.shape[1])[None, :] < np.asarray(lengths)[:, None]
        return TokenTensors(vectors, self.values(present), bool(present.all()))

    def computing(self) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def observing(self) -> AbstractContextManager[None]:
        """Do nothing: there are no ranges."""
        return nullcontext()

    def describe(self) -> dict[str, object]:
        """Return device, dtype and threads."""
        told = {"products": self.rounding.products} if self.rounding.there else {}
        device, threads = device_name(self.device), torch.get_num_threads()
        return {"device": device, "dtype": self.dtype, "threads": threads, **told}


def device_name(device: torch.device) -> str:
    """Return what a record calls a device: the GPU's own name, or the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


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


def tensors_on(
    optimiser: Optimiser | None, device: torch.device, dtype: str, products: str = "full"
) -> TorchSubstrate:
    """Return torch on that device, whose arrays learn by that rule, by Adam where nothing is said."""
    return TorchSubstrate(optimiser or Adam(), device, dtype, products)
