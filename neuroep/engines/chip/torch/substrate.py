# Tested by tests/neuroep/engines/chip/torch/test_every_chip.py.
"""A chip on torch as a substrate; see :class:`neuroep.engines.parts.Substrate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hw_models import durations
from hw_models.chip import Chip
from hw_models.chip.files import chip_of
from hw_models.kernels import devices
from neuroep.engines.chip import rules
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.chip.substrate import ChipSubstrate
from neuroep.engines.chip.torch.arrays import TensorCrossbars
from neuroep.engines.chip.torch.attention import (
    MemoryAttention,
    PackedTensors,
    TensorAnalogAttention,
    TensorAttention,
    TensorDigitisedAttention,
    TensorExplicitAttention,
)
from neuroep.engines.chip.torch.neurons import TensorNeurons
from neuroep.engines.chip.torch.signals import hosted
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.parts import AttentionUnit, Neurons, Values, View
from neuroep.engines.torch.memory import REALS, TensorMemory
from neuroep.engines.torch.substrate import LOOKS_ON_GPU, device_name
from neuroep.engines.workers import Workers
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Signal
from neuroep.learning.optimisers import Optimiser
from neuroep.network import AttentionLayer, DenseLayer


class TensorChip(TensorMemory, ChipSubstrate):
    """Makes the parts of one chip whose states are tensors.

    Parameters
    ----------
    chip : Chip
        What to build.
    setting : Setting
        Rule, threads of the host, dtype and the seed of all draws.
    device : torch.device
        Where states lie.

    Raises
    ------
    ConfigError
        For a chip that this set of parts has not.
    """

    in_place = False

    def __init__(self, chip: Chip, setting: Setting, device: torch.device) -> None:
        check_chip(chip)
        super().__init__(chip, setting)
        self.device, self.real, self.math = device, REALS[setting.dtype], devices.on(device)
        self.check_every = 1 if device.type == "cpu" else LOOKS_ON_GPU

    def _crossbar_array(self, name: str, weight: np.ndarray, bias: np.ndarray | None, chip: Chip) -> CrossbarArray:
        return TensorCrossbars(name, weight, bias, chip, self.setting, self.math)

    def attention(self, layer: AttentionLayer, patterns: int) -> AttentionUnit:
        """Return a unit on tensors, or in their memory one of the local engine."""
        unit = super().attention(layer, patterns)
        return MemoryAttention(unit) if self.math.in_memory else unit

    def _unit(self, layer: AttentionLayer, patterns: int) -> AttentionUnit:
        settings = self.chip.attention
        if self.math.in_memory:
            return super()._unit(layer, patterns)
        if settings.kind == "analog":
            return TensorAnalogAttention(layer, self.setting, self.chip, patterns)
        if settings.exp_bits is not None:
            return TensorExplicitAttention(layer, self.setting, settings.exp_bits)
        return TensorAttention(layer, self.setting)

    def _digitised(self, unit: AttentionUnit) -> AttentionUnit:
        if self.math.in_memory:
            return super()._digitised(unit)
        return TensorDigitisedAttention(unit, self.chip.attention.state, self.setting)

    def _cells(self, layer: DenseLayer) -> Neurons:
        return TensorNeurons(layer, self.chip.neuron, self.setting)

    def read_out(self, synapse: str, end: str, signal: Signal, view: View) -> Signal:
        """Return what the host measures of a signal."""
        zero = None if view.zero is None else hosted(view.zero)
        return super().read_out(synapse, end, hosted(signal), replace(view, zero=zero))

    def tokens(  # type: ignore[override]
        self, vectors: np.ndarray, lengths: np.ndarray, kinds: np.ndarray | None = None
    ) -> PackedTensors:
        """Return a padded sequence on the device, and what the host knows of it."""
        host = super().tokens(vectors, lengths)
        present = np.arange(vectors.shape[1])[None, :] < host.count[:, None]
        return PackedTensors(self.values(host.vectors), self.values(present), bool(present.all()), host)

    def below(self, rows: Sequence[Values]) -> Values:
        """Return arrays of one width below each other: of signals, which are the host's."""
        return np.concatenate(rows)

    def scalars(self, values: Mapping[str, Values]) -> dict[str, float]:
        """Bring the largest number of each tensor to the host in one transfer; plain numbers are there."""
        moved = {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}
        return {**values, **super().scalars(moved)}

    def to_numpy(self, array: Values) -> np.ndarray:
        """Bring one tensor to the host; what was learned there already is there."""
        return array if isinstance(array, np.ndarray) else super().to_numpy(array)

    def describe(self) -> dict[str, Any]:
        """Return device, dtype, threads and the chip's name."""
        return {**super().describe(), "device": device_name(self.device), "threads": torch.get_num_threads()}


def check_chip(chip: Chip) -> None:
    """Refuse a chip that does not run on tensors.

    Raises
    ------
    ConfigError
        Naming the field and the engine that has it.
    """
    if chip.substrate != "crossbar":
        told = "event-driven arrays run on engine 'local'; 'reference' has crossbars"
        raise ConfigError(f"chip.substrate = '{chip.substrate}': {told}")


def on_tensors(
    chip: Chip | str | Path, workers: Workers, device: torch.device, dtype: str, seed: int
) -> Callable[[Optimiser | None], TensorChip]:
    """Return what makes a chip on torch anew; see :func:`neuroep.engines.chip.substrate.on_chip`."""
    found = chip_of(chip).acting
    check_chip(found)
    usual = rules.named(found.update.scheme).usual
    return partial(_made, found, Setting(usual, workers, dtype, seed), device)


def _made(chip: Chip, setting: Setting, device: torch.device, optimiser: Optimiser | None) -> TensorChip:
    clock = durations.clock(chip.timing, setting.phase)
    followed = rules.named(chip.update.scheme).follows(optimiser or setting.optimiser, chip.update)
    return TensorChip(chip, replace(setting, optimiser=followed, clock=clock), device)
