# Tested by tests/neuroep/engines/chip/test_ideal.py.
"""A chip as a substrate; see :class:`neuroep.engines.parts.Substrate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from hw_models import durations
from hw_models.arrays.calibration import calibrating
from hw_models.chip import Chip
from hw_models.chip.files import chip_of
from hw_models.periphery.attention import PatternCrossbars
from hw_models.periphery.holders import Hold, Places
from hw_models.periphery.readout import Seen
from hw_models.tally import Tally
from neuroep.engines.chip import rules
from neuroep.engines.chip.arrays import CrossbarArray, EventDrivenArray
from neuroep.engines.chip.attention import (
    AnalogAttention,
    DigitalAttention,
    DigitisedAttention,
    ExplicitAttention,
    StoredPatterns,
)
from neuroep.engines.chip.increments import CrossbarIncrements
from neuroep.engines.chip.neurons import ChipNeurons
from neuroep.engines.chip.passing import Passing
from neuroep.engines.chip.readout import LayerHolders, SynapseReadout
from neuroep.engines.numba.attention import Tokens
from neuroep.engines.numba.substrate import ExactSubstrate, Setting
from neuroep.engines.parts import Array, AttentionUnit, Neurons, Part, Reads, Signs, View, summed
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Signal
from neuroep.learning.optimisers import Optimiser
from neuroep.network import AttentionLayer, DenseLayer

ENDS = ("post", "pre")


class ChipSubstrate(ExactSubstrate):
    """Makes the parts of one chip and speaks to all of them; their memory is that of exact arithmetic.

    Parameters
    ----------
    chip : Chip
        What to build.
    setting : Setting
        Rule, threads, dtype and the seed of all draws.
    """

    def __init__(self, chip: Chip, setting: Setting) -> None:
        super().__init__(setting)
        self.chip, self.differences = chip, None  # what settles on a chip are its states
        self.redraws, self.shifts, self.level = chip.redraws, chip.shifts, chip.level
        self.holds_input = chip.crossbar.hold_input
        self.turns = self.shifts or chip.readout.hold_time is not None
        self.turns |= chip.nudged.increments and (not self.holds_input or chip.dac.digit_bits is not None)
        self.time_constant = chip.neuron.time_constant
        self._arrays: dict[str, CrossbarArray | EventDrivenArray] = {}
        self._crossbars: dict[str, CrossbarArray] = {}
        self._read_outs: dict[str, SynapseReadout] = {}
        self._holders: dict[str, LayerHolders] = {}
        self._others: dict[str, Part] = {}
        self._units: list[AttentionUnit] = []
        self._calibrated = False
        self.clock = setting.clock
        self.passing = Passing(chip, self.clock)
        self.averages = chip.nudged.mean_sweeps
        if chip.nudged.increments:
            exchanged = chip.nudged.paths == "exchanged"
            self.increments = CrossbarIncrements(self._crossbars, "other" if exchanged else "own")

    def array(
        self, name: str, weight: np.ndarray, bias: np.ndarray | None, nonnegative: Signs, sends_back: bool = True
    ) -> Array:
        """Return a crossbar or an event-driven array, and make the read-out of both ends of its synapse.

        Over which nothing is sent back has no array of the transposed path's own.
        """
        made: CrossbarArray | EventDrivenArray
        if self.chip.substrate == "event_driven":
            made = EventDrivenArray(name, weight, bias, self.chip, self.setting)
        else:
            chip = self.chip if sends_back else self._one_way
            made = self._crossbars[name] = self._crossbar_array(name, weight, bias, chip)
            made.assume(nonnegative)
        self._arrays[name] = made
        for end, sign in zip(ENDS, nonnegative, strict=True) if self.chip.readout.measures else ():
            how = (name, end, self.setting.tally(), weight.shape[ENDS.index(end)])
            read_out = SynapseReadout(self.chip.readout, self.setting.seed, *how)
            read_out.digitiser.nonnegative, read_out.change.nonnegative = sign, False
            self._read_outs[f"read-out.{name}.{end}"] = read_out
        return made

    @property
    def _one_way(self) -> Chip:
        """The chip of arrays that send nothing back."""
        path = self.chip.transposed
        if path.devices == "same":
            return self.chip
        same = path.model_copy(update={"devices": "same", "mismatch": None, "weight_error": 0.0})
        return self.chip.model_copy(update={"transposed": same})

    def attention(self, layer: AttentionLayer, patterns: int) -> AttentionUnit:
        """Return a digital or analog unit, its states digitised if the chip does so."""
        unit = self._unit(layer, patterns)
        if self.chip.attention.state.acts:
            unit = self._digitised(unit)
        self._others[f"attention.{layer.name}"] = unit
        self._units.append(unit)
        self._hold_states(layer.name, layer.size)
        if layer.readout == "pooled":
            self._hold_states(layer.name, layer.size, by_token=True)
        return unit

    def neurons(self, layer: DenseLayer) -> Neurons:
        """Return neurons with the chip's circuit."""
        self._others[f"neurons.{layer.name}"] = made = self._cells(layer)
        self._hold_states(layer.name, layer.size)
        return made

    # What parts compute with.

    def _crossbar_array(self, name: str, weight: np.ndarray, bias: np.ndarray | None, chip: Chip) -> CrossbarArray:
        return CrossbarArray(name, weight, bias, chip, self.setting)

    def _unit(self, layer: AttentionLayer, patterns: int) -> AttentionUnit:
        """Return a unit whose states are not digitised."""
        settings = self.chip.attention
        if settings.kind == "analog":
            return AnalogAttention(layer, self.setting, self.chip, patterns)
        if settings.exp_bits is not None:
            return ExplicitAttention(layer, self.setting, settings.exp_bits)
        return DigitalAttention(layer, self.setting)

    def _digitised(self, unit: AttentionUnit) -> AttentionUnit:
        return DigitisedAttention(unit, self.chip.attention.state, self.setting)

    def _cells(self, layer: DenseLayer) -> Neurons:
        return ChipNeurons(layer, self.chip.neuron, self.setting)

    def _hold_states(self, layer: str, width: int, by_token: bool = False) -> None:
        """Make the sample-and-holds of a layer, where the read-out has some."""
        if self.chip.readout.holding:
            name = f"{layer} tokens" if by_token else layer
            how = (self.setting.seed, name, width, by_token, self.setting.tally())
            self._holders[name] = LayerHolders(self.chip.readout, *how)

    def read_out(self, synapse: str, end: str, signal: Signal, view: View) -> Signal:
        """Return the signal as the chip's periphery digitises it; an event-driven chip holds it as integers before."""
        array = self._arrays[synapse]
        signal = array.held(end, signal)
        if not self.chip.readout.measures:
            return signal
        seen = None
        if self.chip.readout.holding and view.layers:
            tokens = cast(Tokens, view.tokens)
            rows = None if view.tokens is None else Places(tokens.samples, tokens.places)
            zero = None if view.zero is None else array.held(end, view.zero)
            seen = Seen(tuple(self._hold(view, layer) for layer in view.layers), rows, zero)
        return self._read_outs[f"read-out.{synapse}.{end}"].measure(signal, seen)

    def _hold(self, view: View, layer: str) -> Hold:
        """Return what holds a layer in two phases, the same for all that see it."""
        tokens = f"{layer} tokens"
        name = tokens if view.tokens is not None and tokens in self._holders else layer
        if name not in view.held:
            waits = self.passing.waits(*view.numbers) if self.chip.readout.hold_time is not None else None
            view.held[name] = self._holders[name].hold(view.samples, *view.numbers, waits)
        return cast(Hold, view.held[name])

    def read_out_resolution(self, synapse: str, end: str) -> float:
        """Return the step of the read-out, or of the integers in which an event-driven chip holds states."""
        held = self._arrays[synapse].resolution_of(end)
        return max(held, self._read_outs[f"read-out.{synapse}.{end}"].resolution if self.chip.readout.measures else 0.0)

    def _parts(self) -> list[Part]:
        return [*self._arrays.values(), *(self._read_outs | self._holders).values(), *self._others.values()]

    def updated(self) -> None:
        """Let the read-outs keep what they have measured of themselves."""
        for read_out in self._read_outs.values():
            read_out.updated()

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        for part in self._parts():
            part.begin(*occasion)

    def read_at(self, seconds: float) -> None:
        """Read the devices of all crossbars so long after their last write; patterns are read as they are written."""
        for part in self._parts():
            part.read_at(seconds)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let time and the noise of devices go on inside, and put both back."""
        with ExitStack() as stack:
            stack.enter_context(self.clock.aside())
            for part in self._parts():
                stack.enter_context(part.aside())
            yield

    def paces(self, layers: Sequence[str]) -> Mapping[str, float]:
        """Return what time constants make of the time step, by layer; see :func:`hw_models.durations.pace`."""
        return self.passing.paces(layers)

    def stepping(self, dt: float) -> AbstractContextManager[None]:
        """Let what is done inside stand for the seconds of a time step, where layers settle in continuous time."""
        fastest = self.passing.fastest
        return nullcontext() if fastest is None else self.setting.phase.lasting(dt * fastest)

    def opened(self, samples: int) -> None:
        """Begin a batch: devices are as they are by now."""
        if self.clock.passes:
            self.clock.opened(samples)
            self.passing.opened()
            for array in self._arrays.values():
                array.catch_up()

    def entered(self, projections: Sequence[str], rows: float) -> None:
        """Read the clamped input."""
        if self.clock.passes:
            self.passing.entered(projections, rows, self._arrays)

    def filled(self) -> None:
        """Write the patterns of the clamped input."""
        if self.clock.passes:
            self.passing.filled(self._patterns)

    def swept(self, groups: tuple[tuple[str, ...], ...], reads: Mapping[str, Reads], dt: float) -> None:
        """Let a sweep pass."""
        if self.clock.passes:
            self.passing.swept(groups, reads, dt, self._arrays, self._patterns)

    def drove(self, groups: tuple[tuple[str, ...], ...], reads: Mapping[str, Reads], dt: float) -> None:
        """Let the read of what drives the free state pass."""
        if self.clock.passes:
            self.passing.drove(groups, reads, dt, self._arrays)

    def held(self, phases: int, zeros: int) -> None:
        """Hold the states of phases, and those of the free phase for an auto-zero, as often as the read-out does."""
        if self.clock.passes:
            readout = self.chip.readout
            self.passing.held(readout.holds * (phases + (zeros if readout.auto_zero != "off" else 0)))

    def closed(self) -> None:
        """End the samples of a batch."""
        if self.clock.passes:
            self.clock.close()

    def wrote(self) -> None:
        """Let the update of all arrays pass; they learn side by side."""
        if self.clock.passes:
            self.clock.wrote(max((array.update_seconds for array in self._arrays.values()), default=0.0))

    @property
    def age(self) -> float:
        """How long after their last write the devices of the crossbars are read [s]."""
        return max((part.age for part in self._parts()), default=0.0)

    @contextmanager
    def aged(self) -> Iterator[None]:
        """Read all crossbars at the chip's ``device.age`` inside; the time that passes there is put back."""
        with ExitStack() as stack:
            stack.enter_context(self.aside())
            for part in self._parts():
                stack.enter_context(part.aged())
            yield

    @property
    def calibrates(self) -> bool:
        """Whether converters wait for their ranges."""
        return not self._calibrated and any(part.calibrates for part in self._parts())

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Collect signals, then fix the ranges of all converters that wait for one; see :func:`calibrating`."""
        with calibrating(*self._parts()):
            yield
        self._calibrated = True

    def ranges(self) -> dict[str, float]:
        """Return the calibrated ranges of all parts."""
        return {name: full for part in self._parts() for name, full in part.ranges().items()}

    def check_learning(self) -> None:
        """Refuse read-outs without a range; raises ChipError."""
        for part in self._read_outs.values():
            part.check()

    def performed(self) -> Tally:
        """Return what the read-outs and the holders did; other parts tell for themselves."""
        found = Tally()
        for part in (*self._read_outs.values(), *self._holders.values()):
            found.join(part.performed())
        found.join(self.clock.counted())
        return found

    def counters(self) -> dict[str, int]:
        """Return the conversions of the read-outs, holds, and the time; other parts count for themselves."""
        own = {"chip_picoseconds": self.clock.counted().total("picosecond")} if self.clock.passes else {}
        parts = (*self._read_outs.values(), *self._holders.values())
        return summed(own, *(part.counters() for part in parts))

    def state(self) -> dict[str, np.ndarray]:
        """Return ranges and tallies of all parts but the arrays, which keep their own."""
        ranged = {**self._read_outs, **self._held_parts, **self._others}.items()
        found = {f"{name}/{key}": values for name, part in ranged for key, values in part.state().items()}
        return found | {f"clock/{key}": values for key, values in self.clock.state().items()}

    @property
    def _patterns(self) -> dict[str, PatternCrossbars]:
        """The crossbars of patterns, by layer."""
        inner = (unit.inner if isinstance(unit, DigitisedAttention) else unit for unit in self._units)
        return {unit.layer.name: unit.stored for unit in inner if isinstance(unit, StoredPatterns)}

    @property
    def _held_parts(self) -> dict[str, LayerHolders]:
        return {f"holders.{name}": part for name, part in self._holders.items()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        for name, part in {**self._read_outs, **self._held_parts, **self._others}.items():
            start = f"{name}/"
            part.load({key.removeprefix(start): values for key, values in state.items() if key.startswith(start)})
        self.clock.load({key.removeprefix("clock/"): v for key, v in state.items() if key.startswith("clock/")})
        self._calibrated = True

    def describe(self) -> dict[str, Any]:
        """Return device, dtype, threads and the chip's name."""
        return {**super().describe(), "chip": self.chip.name}


def on_chip(
    chip: Chip | str | Path, workers: Workers, dtype: str, seed: int
) -> Callable[[Optimiser | None], ChipSubstrate]:
    """Return what makes a chip anew, given as such, by its name or as a file.

    Its arrays learn by the optimiser that the maker is given, or by what is usual for the chip's learning rule.
    """
    found = chip_of(chip).acting
    usual = rules.named(found.update.scheme).usual
    return partial(_made, found, Setting(usual, workers, dtype, seed))


def _made(chip: Chip, setting: Setting, optimiser: Optimiser | None) -> ChipSubstrate:
    clock = durations.clock(chip.timing, setting.phase)
    followed = rules.named(chip.update.scheme).follows(optimiser or setting.optimiser, chip.update)
    return ChipSubstrate(chip, replace(setting, optimiser=followed, clock=clock))
