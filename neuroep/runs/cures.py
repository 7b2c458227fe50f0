"""Cures: what of a chip may cost the contrast its direction, and which field would help.

A :class:`Cause` is a part of a chip's physics that can be taken away: with its fields at their ideal values the
contrast is measured again, and what it gains is what the cause costs (:mod:`neuroep.runs.limits`). A :class:`Cure`
changes one setting, of the chip or of the training, and is tried in the same way. A new effect of a chip is one entry
of :data:`CAUSES`; the tests hold every name here against the fields that there are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from neuroep.runs.config import Config
from neuroep.runs.sections import settings

Value = object
"""What a setting may hold; None where it is unset."""


@dataclass(frozen=True)
class Cure:
    """A change of one setting.

    Parameters
    ----------
    setting : str
        Dotted name, ``chip.adc.bits`` or ``estimator.beta``.
    change : callable
        Of the present value, returns the new one, or None where it would change nothing.
    why : str
        What it does, the end of "it ...".
    """

    setting: str
    change: Callable[[Value], Value | None]
    why: str

    def overrides(self, config: Config) -> tuple[str, ...]:
        """Return the change as an override of the command line, empty where it changes nothing."""
        new = self.change(value_of(config, self.setting))
        return () if new is None else (f"--{self.setting}", written(new))

    def told(self, config: Config) -> str:
        """Return the change in words, ``adc.bits 5 -> 7: finer steps``."""
        name, old = self.setting.removeprefix("chip."), value_of(config, self.setting)
        shown = "unset" if old is None else written(old)
        return f"{name} {shown} -> {self.overrides(config)[1]}: {self.why}"


@dataclass(frozen=True)
class Cause:
    """A part of a chip's physics that may cost the contrast its direction.

    Parameters
    ----------
    name : str
        In words.
    fields : tuple of str
        Fields of the chip, dotted, that are set to the ideal chip's values to take it away.
    cures : tuple of Cure
        What may help, in the order in which they are preferred.
    """

    name: str
    fields: tuple[str, ...]
    cures: tuple[Cure, ...]

    def without(self, config: Config) -> tuple[str, ...]:
        """Return overrides that take it away, empty where the chip has nothing of it."""
        found: list[str] = []
        for field in self.fields:
            value, ideal = value_of(config, f"chip.{field}"), _ideal(field)
            if value != ideal:
                found += [f"--chip.{field}", "none" if ideal is None else written(ideal)]
        return tuple(found)


def value_of(config: Config, setting: str) -> Value:
    """Return the value of a setting by its dotted name."""
    value: object = config
    for name in setting.split("."):
        value = dict(value)[name]  # type: ignore[call-overload]
    return value


def written(value: Value) -> str:
    """Return a value as an override gives it."""
    return value if isinstance(value, str) else json.dumps(value)


def _ideal(field: str) -> Value:
    """Return the value of a field on the ideal chip."""
    return settings()[f"chip.{field}"].default


def more_bits(setting: str, by: int) -> Cure:
    """Return the cure that a converter gets more bits."""
    finer = lambda bits: min(24, bits + by) if isinstance(bits, int) and bits < 24 else None  # noqa: E731
    return Cure(setting, finer, "its steps are finer than what the phases differ by")


def times(setting: str, factor: float, why: str, most: float = float("inf")) -> Cure:
    """Return the cure that a number, where it is set, is so many times as large, up to a largest one."""

    def larger(value: Value) -> Value | None:
        found = min(most, float(value) * factor) if isinstance(value, int | float) else None
        return None if found == value else found

    return Cure(setting, larger, why)


def to(setting: str, new: Value, why: str) -> Cure:
    """Return the cure that a setting takes a value."""
    return Cure(setting, lambda value: None if value == new else new, why)


HEADROOM = times("chip.crossbar.weight_headroom", 4, "weights have room to grow")
RANGE = times("chip.crossbar.weight_range", 4, "weights have room to grow")
INTEGERS = times("chip.events.weight_headroom", 4, "weights have room to grow")
TRAIN = Cure(
    "chip.update.train_length",
    lambda slots: min(63, 8 * slots) if isinstance(slots, int) and slots < 63 else None,
    "the longest train reaches as far as an update asks",
)
STEP = times("chip.device.pulse.dw_min", 4, "the longest train reaches as far as an update asks")
OUTPUTS = Cure(
    "network.output_bias",
    lambda bias: 1.0 if not isinstance(bias, float) or bias < 1 else 0.5 * bias,
    "outputs start where their potential has a slope",
)
LARGER_BETA = times("estimator.beta", 2.5, "the phases differ by more", 0.5)


def room(table: str, factor: float = 4.0) -> tuple[Cure, ...]:
    """Return what gives the range of converters room, which would have to be so many times as large.

    Parameters
    ----------
    table : str
        ``chip.adc``, ``chip.dac``, ``chip.attention.state`` or ``chip.readout``.
    factor : float
        Range that signals have now over that which was calibrated.
    """
    wider = 2.0 ** max(1, math.ceil(math.log2(max(factor, 1.0))))
    return (
        to(f"{table}.percentile", 100.0, "no calibrated value is cut"),
        times(f"{table}.margin", wider, "the range has room for signals that grow"),
        times(f"{table}.range", wider, "the range holds the signals"),
    )


CAUSES: tuple[Cause, ...] = (
    Cause(
        "resolution of the ADC",
        ("adc.bits", "adc.range", "adc.stochastic"),
        (more_bits("chip.adc.bits", 2), more_bits("chip.adc.bits", 4), *room("chip.adc")),
    ),
    Cause(
        "resolution of the DAC",
        ("dac.bits", "dac.range", "dac.stochastic"),
        (more_bits("chip.dac.bits", 2), more_bits("chip.dac.bits", 4), *room("chip.dac")),
    ),
    Cause("noise of the ADC", ("adc.noise",), (LARGER_BETA, to("chip.adc.noise", 0.0, "none is left"))),
    Cause("noise of the DAC", ("dac.noise",), (LARGER_BETA, to("chip.dac.noise", 0.0, "none is left"))),
    Cause(
        "read noise of the devices",
        ("device.read_noise",),
        (LARGER_BETA,),
    ),
    Cause(
        "resolution of the states",
        ("neuron.state_bits",),
        (more_bits("chip.neuron.state_bits", 2), more_bits("chip.neuron.state_bits", 4)),
    ),
    Cause(
        "noise of the neurons",
        ("neuron.state_noise",),
        (LARGER_BETA,),
    ),
    Cause(
        "resolution of the attention states",
        ("attention.state.bits", "attention.state.range", "attention.state.stochastic"),
        (more_bits("chip.attention.state.bits", 2), more_bits("chip.attention.state.bits", 4)),
    ),
    Cause("noise of the attention states", ("attention.state.noise",), (LARGER_BETA,)),
    Cause(
        "resolution of the exponentials",
        ("attention.exp_bits",),
        (more_bits("chip.attention.exp_bits", 2), more_bits("chip.attention.exp_bits", 4)),
    ),
    Cause(
        "analog attention", ("attention.kind",), (to("chip.attention.kind", "digital", "the patterns are exact"),)
    ),
    Cause(
        "resolution of the read-out",
        ("readout.bits", "readout.range", "readout.stochastic"),
        (
            to("chip.readout.signal", "difference", "the held difference is converted, with a range of its own"),
            more_bits("chip.readout.bits", 4),
            more_bits("chip.readout.bits", 8),
        ),
    ),
    Cause(
        "noise of the read-out",
        ("readout.noise",),
        (LARGER_BETA, times("chip.readout.noise", 0.1, "both phases are measured alike")),
    ),
    Cause(
        "noise of the holders",
        ("readout.hold_noise",),
        (LARGER_BETA, times("chip.readout.hold_noise", 0.1, "larger capacitors hold the phases alike")),
    ),
    Cause("mismatch of the neurons", ("neuron.gain_spread", "neuron.offset_spread"), ()),
    Cause("resistance of the lines", ("wires.r_word", "wires.r_bit"), ()),
    Cause(
        "resolution of event-driven states",
        ("events.state_bits", "events.threshold"),
        (more_bits("chip.events.state_bits", 2), times("chip.events.threshold", 0.25, "small changes are sent")),
    ),
)
"""What there is, each with its cures."""


CALIBRATED = ("chip.adc", "chip.dac", "chip.attention.state", "chip.readout")
"""Converters whose ranges may come from samples."""


def cures() -> Sequence[Cure]:
    """Return all cures, for the tests that hold their settings against those that there are."""
    listed = [cure for cause in CAUSES for cure in cause.cures]
    rooms = chain.from_iterable(map(room, CALIBRATED))
    return [*listed, *rooms, HEADROOM, RANGE, INTEGERS, TRAIN, STEP, OUTPUTS]
