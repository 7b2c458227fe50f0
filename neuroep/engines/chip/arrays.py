# Tested by tests/neuroep/engines/chip/test_updates.py.
"""Arrays of a chip, see :class:`neuroep.engines.parts.Array`: crossbars, and event-driven arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from hw_models.arrays.counted import totals
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.events import FORWARD, TRANSPOSED, EventArray
from hw_models.chip import Chip
from hw_models.tally import Tally
from hw_models.wear import Wear
from neuroep.engines.chip import rules
from neuroep.engines.chip.rules.rule import Place, refuse_decay
from neuroep.engines.numba.arrays import ideal
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.parts import TALLY, Memory, Part, Signs, Values, summed
from neuroep.learning.contrast import Contrast, Held, Signal


class CrossbarArray(Part):
    """The weights of one synapse on a crossbar.

    Parameters
    ----------
    name : str
        Of the synapse; keys the draws of its devices.
    weight : numpy.ndarray
        (out, in), programmed.
    bias : numpy.ndarray or None
        (out,), of the digital periphery.
    chip : Chip
        What to build.
    setting : Setting
        Rule, threads, dtype, seed.
    """

    def __init__(self, name: str, weight: np.ndarray, bias: np.ndarray | None, chip: Chip, setting: Setting) -> None:
        weight = np.array(weight, dtype=setting.dtype, order="C")
        self.rule = rules.named(chip.update.scheme)(Place(name, chip, setting), weight, bias)
        self.chip = chip

    @property
    def crossbar(self) -> Crossbar:
        """The rule's first crossbar."""
        return self.rule.crossbar

    @property
    def _crossbars(self) -> list[Crossbar]:
        return list(self.rule.crossbars.values())

    @property
    def bias(self) -> Values | None:
        """(out,)."""
        return self.rule.bias

    @property
    def updates(self) -> int:
        """Number of updates made."""
        return self.rule.updates

    def assume(self, nonnegative: Signs) -> None:
        """Say of what both ends show, post and pre, whether it can never be negative."""
        for label, crossbar in self.rule.crossbars.items():
            forward = nonnegative[1] and label not in self.rule.signed
            crossbar.converters.assume(forward=forward, transposed=nonnegative[0])

    @property
    def calibrates(self) -> bool:
        """Whether a range comes from samples."""
        return any(crossbar.calibrates for crossbar in self._crossbars)

    def observe(self, on: bool = True) -> None:
        """Begin to collect samples for the converters, or stop."""
        for crossbar in self._crossbars:
            crossbar.observe(on)

    def freeze(self) -> None:
        """Fix the ranges of the converters."""
        for crossbar in self._crossbars:
            crossbar.freeze()
        self.rule.calibrated()

    def ranges(self) -> dict[str, float]:
        """Return the calibrated ranges of DAC and ADC, by direction, and that of the weights where any is cut."""
        found = {}
        for crossbar in self._crossbars:
            if not crossbar.ideal:
                found[f"crossbar {crossbar.name} weights"] = crossbar.weight_range
            for place, digitiser in crossbar.converters.digitisers.items():
                way, table = place.split(".")
                if digitiser.converter.calibrates and digitiser.range is not None:
                    found[f"{table} {crossbar.name} {way}"] = digitiser.range
        return found

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        for crossbar in self._crossbars:
            crossbar.begin(*occasion)

    @property
    def lines(self) -> tuple[int, int]:
        """Most outputs and most inputs of one of its tiles."""
        own = self.crossbar.devices
        both = own.column_tiles, own.row_tiles
        return max((b - a for a, b in both[0]), default=0), max((b - a for a, b in both[1]), default=0)

    def digits(self, way: str, increments: bool = False) -> int:
        """Return in how many digits inputs of a direction are sent."""
        return self.crossbar.digits(way, increments)

    @property
    def update_seconds(self) -> float:
        """What the last update took on the chip [s], the first one with what came before it."""
        return self.rule.seconds + (self.rule.prepared if self.updates == 1 else 0.0)

    def catch_up(self) -> None:
        """Begin a batch: devices are as old as they are by now."""
        for crossbar in self._crossbars:
            crossbar.catch_up()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let time pass inside, and put devices and their noise back."""
        with ExitStack() as stack:
            for crossbar in self._crossbars:
                stack.enter_context(crossbar.aside())
            yield

    def read_at(self, seconds: float) -> None:
        """Read the devices so long after their last write."""
        for crossbar in self._crossbars:
            crossbar.read_at(seconds)

    @property
    def age(self) -> float:
        """How long after their last write devices are read [s]."""
        return self.crossbar.ahead

    @contextmanager
    def aged(self) -> Iterator[None]:
        """Read the devices at the chip's ``device.age`` inside."""
        with ExitStack() as stack:
            for crossbar in self._crossbars:
                stack.enter_context(crossbar.later(self.chip.device.age))
            yield

    def forward(self, pre: Values, memory: Memory | None = None) -> Values:
        """Read ``pre @ W.T``."""
        return self.rule.forward(pre)

    def transposed(self, post: Values, out: Values | None = None, memory: Memory | None = None) -> Values:
        """Read ``post @ W``."""
        return self.rule.transposed(post, out)

    def expected(self, pre: Values) -> Values:
        """Return the product with the mean effective weights."""
        return self.rule.expected(pre)

    def update(self, contrast: Contrast, rate: float) -> int:
        """Change the weights by the chip's rule; return how many are not finite."""
        self.rule.refuse(self.rule.digital.optimiser, self.chip.update.scheme)
        return self.rule.update(contrast, rate)

    def state(self) -> dict[str, np.ndarray]:
        """Return weight, bias, what the rule keeps, and its crossbars."""
        return self.rule.state()

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the rule keeps, and its crossbars."""
        self.rule.load(state)

    def conducting(self) -> np.ndarray:
        """Return the mean effective weights: mismatch, drift, faults and wires in."""
        return self.rule.weights()

    def paths(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return mean effective weights of both paths of every crossbar that has two arrays."""
        return [(bar.weights(), bar.other.weights()) for bar in self._crossbars if bar.other is not None]

    def held(self, end: str, signal: Signal) -> Signal:
        """Return what the chip holds of one end of the synapse: the signal, which is analog."""
        return signal

    def resolution_of(self, end: str) -> float:
        """Return the step in which the chip holds one end: none."""
        return 0.0

    def wear(self) -> list[Wear]:
        """Return the pulses that every device got, where they are counted."""
        return self.rule.wear()

    def health(self) -> dict[str, float]:
        """Return the shares of weights at the range, of pulse trains that were too short, of readings at the stop.

        The last since they were asked for last, those of the ADC by direction, those of the DAC where there are any.
        """
        grown, found = summed(*(crossbar.news() for crossbar in self._crossbars)), self.rule.health()
        if self.chip.adc.acts:
            made = {"forward": grown["adc"] - grown["adc_transposed"], "transposed": grown["adc_transposed"]}
            for way, number in made.items():
                found[f"adc_{way}_at_stop"] = grown[f"adc_{way}_at_stop"] / number if number else 0.0
        if grown["dac_at_stop"]:
            found["dac_at_stop"] = grown["dac_at_stop"] / grown["dac"]
        return found

    def coherence(self) -> dict[str, dict[str, float]]:
        """Return what the rule tells of its pulses, by crossbar."""
        return {self.rule.crossbars[label].name: found for label, found in self.rule.coherence().items()}

    def mean_conductances(self) -> dict[str, float]:
        """Return the mean conductance of the devices of every crossbar [uS]."""
        both = (each for bar in self._crossbars for each in (bar, bar.other) if each is not None)
        return {bar.name: float(bar.loads().word.g.sum() / max(bar.devices.count, 1)) for bar in both}

    def performed(self) -> Tally:
        """Return conversions, device reads and writes, pulses, and the digital multiply-adds of updates."""
        return self.rule.performed()

    def counters(self) -> dict[str, int]:
        """Return the sums of them."""
        made = self.performed()
        own = {"pulses": made.total("pulse"), "digital_operations": made.total("multiply-add")}
        return totals(made) | own


class EventDrivenArray(Part):
    """The weights of one synapse on an event-driven array; parameters as in :class:`CrossbarArray`.

    Learning is digital: the rule moves a float master copy that is rounded to integers, or, in place, its steps are
    rounded at random and added to the integers themselves. It sees of both ends the integers that their senders hold.
    """

    def __init__(self, name: str, weight: np.ndarray, bias: np.ndarray | None, chip: Chip, setting: Setting) -> None:
        how = (setting.seed, name, setting.workers.run, setting.dtype, setting.tally())
        self.array = EventArray(chip.events, weight.shape, *how)
        self.in_place = chip.events.in_place
        self.array.program(np.asarray(weight, dtype=setting.dtype))
        start = np.zeros_like(weight) if self.in_place else weight
        learns = (setting.optimiser, setting.workers, setting.dtype, name, setting.tally())
        self.digital = ideal(start, bias, *learns)

    @property
    def bias(self) -> np.ndarray | None:
        """(out,)."""
        return self.digital.bias

    @property
    def updates(self) -> int:
        """Number of updates made."""
        return self.digital.updates

    @property
    def lines(self) -> tuple[int, int]:
        """Outputs and inputs."""
        return self.array.shape

    def digits(self, way: str, increments: bool = False) -> int:
        """Return 1: events are sent whole."""
        return 1

    @property
    def update_seconds(self) -> float:
        """Of integers, which have no time of their own."""
        return 0.0

    def catch_up(self) -> None:
        """Begin a batch: integers are as they are."""

    @property
    def calibrates(self) -> bool:
        """Whether the range of the states comes from samples."""
        return self.array.events.state_range is None

    def observe(self, on: bool = True) -> None:
        """Begin to note the range of the states, or stop."""
        self.array.observe(on)

    def freeze(self) -> None:
        """Fix the ranges of the states."""
        self.array.freeze()

    def forward(self, pre: np.ndarray, memory: Memory | None = None) -> np.ndarray:
        """Send the changes of ``pre`` since this memory last saw it; return the accumulated product."""
        return self.array.forward(pre, self._memory(memory, len(pre), False))

    def transposed(self, post: np.ndarray, out: np.ndarray | None = None, memory: Memory | None = None) -> np.ndarray:
        """Send the changes of ``post``; return the accumulated product."""
        result = self.array.transposed(post, self._memory(memory, len(post), True))
        if out is None:
            return result
        out[:] = result
        return out

    def _memory(self, memory: Memory | None, samples: int, transposed: bool) -> Any:
        """Return what this direction has sent to a state so far; a product without a state begins at rest.

        States that pass, to be noted for a range, send nothing; with a range that is given they are sent as ever.
        """
        if memory is None or self.array.passing:
            return None
        way = "transposed" if transposed else "forward"
        if way not in memory:
            memory[way] = self.array.memory(samples, transposed)
        return memory[way]

    def held(self, end: str, signal: Signal) -> Signal:
        """Return what the chip holds of one end: the pre side as sent forward, the post side as sent back.

        While ranges are calibrated the signal passes and is noted, which gives an end that never sends one too.
        """
        way, clamped = FORWARD if end == "pre" else TRANSPOSED, isinstance(signal, Held)
        if self.array.passing:
            for values in (signal.mean,) if clamped else (signal.plus, signal.minus):
                self.array.note(way, values)
            return signal
        held = HeldIntegers(self.array, way, signal)
        return Held(held.plus) if clamped else held

    def resolution_of(self, end: str) -> float:
        """Return the step of the integers in which senders hold one end."""
        return float(self.array.state_step(FORWARD if end == "pre" else TRANSPOSED))

    def expected(self, pre: np.ndarray) -> np.ndarray:
        """Return the product with the integer weights, without events."""
        return self.array.expected(pre)

    def update(self, contrast: Contrast, rate: float) -> int:
        """Change the weights; return how many are not finite."""
        if self.in_place:
            refuse_decay(self.digital.optimiser, "events.in_place")
        bad = self.digital.update(contrast, rate)
        if bad:
            return bad
        if self.in_place:
            self.array.step(self.digital.weight, self.updates)
            self.digital.weight[:] = 0
        else:
            self.array.program(self.digital.weight)
        return 0

    def state(self) -> dict[str, np.ndarray]:
        """Return weight, bias, what the rule keeps, its tally, and the array."""
        kept = self.digital.state() | {TALLY: self.digital.tally.packed()}
        kept |= {f"events.{name}": values for name, values in self.array.state().items()}
        return kept | ({"weight": self.array.weights()} if self.in_place else {})

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the rule keeps, its tally, and the array."""
        self.digital.load(state)
        if TALLY in state:
            self.digital.tally.load(state[TALLY])
        self.array.load({name.removeprefix("events."): v for name, v in state.items() if name.startswith("events.")})

    def performed(self) -> Tally:
        """Return events, the synapses they reached, writes, and the digital multiply-adds of updates."""
        found = self.array.performed()
        found.join(self.digital.tally)
        return found

    def counters(self) -> dict[str, int]:
        """Return the sums of events, synaptic operations and multiply-adds."""
        made, kinds = self.performed(), ("event", "synaptic", "multiply-add")
        names = ("events", "synaptic_operations", "digital_operations")
        return {name: made.total(kind) for name, kind in zip(names, kinds, strict=True)}

    def conducting(self) -> np.ndarray:
        """Return the integer weights in units of the weight."""
        return self.array.weights()

    def paths(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return nothing: both directions have the same weights."""
        return []

    def health(self) -> dict[str, float]:
        """Return the share of integer weights at their largest."""
        return {"weights_at_range": float((np.abs(self.array.integers) >= self.array.weight_limit).mean())}


class HeldIntegers:
    """One end of a synapse as event-driven senders hold it: a :class:`~neuroep.learning.contrast.Signal`.

        plus = step q+,   minus = step q-,   change = step (q+ - q-),   mean = step (q+ + q-)/2

    with the integers q and the step of :mod:`hw_models.arrays.events`: a change is a whole number of steps.

    Parameters
    ----------
    array : EventArray
        With a range in that direction.
    way : str
        ``forward`` or ``transposed``: whose senders hold it.
    signal : Signal
        The states behind, (rows, senders).
    """

    def __init__(self, array: EventArray, way: str, signal: Signal) -> None:
        self._array, self._way, self._signal = array, way, signal
        self._step = array.dtype.type(array.state_step(way))

    @cached_property
    def _plus(self) -> np.ndarray:
        return self._array.whole(self._way, self._signal.plus)

    @cached_property
    def _minus(self) -> np.ndarray:
        return self._array.whole(self._way, self._signal.minus)

    @property
    def plus(self) -> np.ndarray:
        """State of the plus phase."""
        return self._plus * self._step

    @property
    def minus(self) -> np.ndarray:
        """State of the minus phase."""
        return self._minus * self._step

    @property
    def mean(self) -> np.ndarray:
        """(plus + minus) / 2."""
        return (self._plus + self._minus) * (self._step / 2)

    @property
    def change(self) -> np.ndarray:
        """plus - minus."""
        return (self._plus - self._minus) * self._step
