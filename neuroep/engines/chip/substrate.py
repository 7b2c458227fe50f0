"""A chip as the substrate of the local engine; see :class:`neuroep.engines.substrate.Substrate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from hw_models.arrays.converters import calibrating
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from neuroep.engines.chip.arrays import CrossbarArray, EventDrivenArray
from neuroep.engines.chip.attention import AnalogAttention, DigitisedAttention, ExplicitAttention
from neuroep.engines.chip.neurons import ChipNeurons
from neuroep.engines.chip.ranges import Ranged
from neuroep.engines.chip.readout import Periphery
from neuroep.engines.numba.arrays import Array
from neuroep.engines.numba.attention import AttentionUnit
from neuroep.engines.numba.neurons import Neurons
from neuroep.engines.substrate import Setting, Signs
from neuroep.learning.contrast import Signal
from neuroep.network import AttentionLayer, DenseLayer

ENDS = ("post", "pre")


class ChipSubstrate:
    """Makes the parts of one chip and speaks to all of them.

    Parameters
    ----------
    chip : Chip
        What to build.
    setting : Setting
        Rule, threads, dtype and the seed of all draws.
    """

    def __init__(self, chip: Chip, setting: Setting) -> None:
        self.chip, self.setting = chip, setting
        self.redraws, self.level = chip.redraws, chip.level
        self.holds_input = chip.crossbar.hold_input
        self.time_constant = chip.neuron.time_constant
        self._parts: dict[str, Any] = {}
        self._calibrated = False

    def array(self, name: str, weight: np.ndarray, bias: np.ndarray | None, nonnegative: Signs) -> Array:
        """Return a crossbar or an event-driven array, and make the read-out of both ends of its synapse."""
        made: CrossbarArray | EventDrivenArray
        if self.chip.substrate == "event_driven":
            made = EventDrivenArray(name, weight, bias, self.chip, self.setting)
        else:
            made = CrossbarArray(name, weight, bias, self.chip, self.setting)
            made.crossbar.converters.assume(forward=nonnegative[1], transposed=nonnegative[0])
        self._parts[f"array.{name}"] = made
        for end, sign in zip(ENDS, nonnegative, strict=True) if self.chip.readout.measures else ():
            periphery = Periphery(self.chip.readout, self.setting.seed, name, end)
            periphery.state.nonnegative, periphery.change.nonnegative = sign, False
            self._parts[f"read-out.{name}.{end}"] = periphery
        return made  # type: ignore[return-value]

    def attention(self, layer: AttentionLayer) -> AttentionUnit:
        """Return a digital or analog unit, its states digitised if the chip does so."""
        settings = self.chip.attention
        unit: AttentionUnit
        if settings.kind == "analog":
            unit = AnalogAttention(layer, self.setting, self.chip)
        elif settings.exp_bits is not None:
            unit = ExplicitAttention(layer, self.setting, settings.exp_bits)
        else:
            unit = AttentionUnit(layer, self.setting.dtype, self.setting.workers)
        if settings.state.acts:
            unit = DigitisedAttention(unit, settings.state, self.setting)
        if hasattr(unit, "begin"):
            self._parts[f"attention.{layer.name}"] = unit
        return unit

    def neurons(self, layer: DenseLayer) -> Neurons:
        """Return neurons with the chip's circuit."""
        self._parts[f"neurons.{layer.name}"] = made = ChipNeurons(layer, self.chip.neuron, self.setting)
        return made

    def read_out(self, synapse: str, end: str, signal: Signal) -> Signal:
        """Return the signal as the chip's periphery digitises it; an event-driven chip holds it as integers before."""
        signal = self._parts[f"array.{synapse}"].held(end, signal)
        return self._parts[f"read-out.{synapse}.{end}"].measure(signal) if self.chip.readout.measures else signal

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        for part in self._parts.values():
            part.begin(*occasion)

    def read_at(self, seconds: float) -> None:
        """Read the devices of all crossbars so long after their last write; patterns are read as they are written."""
        for crossbar in self._crossbars():
            crossbar.read_at(seconds)

    @contextmanager
    def aged(self) -> Iterator[None]:
        """Read all crossbars at the chip's ``device.age`` inside."""
        with ExitStack() as stack:
            for crossbar in self._crossbars():
                stack.enter_context(crossbar.later(self.chip.device.age))
            yield

    def _crossbars(self) -> list[Crossbar]:
        return [part.crossbar for part in self._parts.values() if isinstance(part, CrossbarArray)]

    @property
    def calibrates(self) -> bool:
        """Whether converters wait for their ranges."""
        return not self._calibrated and any(part.calibrates for part in self._parts.values())

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Collect signals, then fix the ranges of all converters that wait for one; see :func:`calibrating`."""
        with calibrating(*self._parts.values()):
            yield
        self._calibrated = True

    def counters(self) -> dict[str, int]:
        """Return conversions of states and those at the stop; arrays and units count for themselves."""
        parts = self._parts.values()
        return {
            "state_conversions": sum(getattr(part, "conversions", 0) for part in parts),
            "state_conversions_at_stop": sum(getattr(part, "at_stop", 0) for part in parts),
        }

    def state(self) -> dict[str, np.ndarray]:
        """Return the ranges of all parts but the arrays, which keep their own."""
        ranged = {name: part for name, part in self._parts.items() if isinstance(part, Ranged)}
        return {f"{name}/{key}": values for name, part in ranged.items() for key, values in part.ranges().items()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        for name, part in self._parts.items():
            if isinstance(part, Ranged):
                start = f"{name}/"
                part.load_ranges({k.removeprefix(start): v for k, v in state.items() if k.startswith(start)})
        self._calibrated = True
