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

from neuroep.errors import UserError
from neuroep.runs import config as configuration
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
        What it does.
    along : tuple of str
        Overrides of other settings that it needs.
    """

    setting: str
    change: Callable[[Value], Value | None]
    why: str
    along: tuple[str, ...] = ()

    def overrides(self, config: Config) -> tuple[str, ...]:
        """Return the change as overrides of the command line, empty where it changes nothing or could not act."""
        new = self.change(value_of(config, self.setting))
        found = () if new is None else (f"--{self.setting}", written(new), *self.along)
        try:
            configuration.changed(config, found)
        except UserError:
            return ()
        return found

    def told(self, config: Config) -> str:
        """Return the change in words, ``chip.adc.bits 5 -> 7: finer steps``."""
        old = value_of(config, self.setting)
        shown = "unset" if old is None else written(old)
        return f"{self.setting} {shown} -> {self.overrides(config)[1]}: {self.why}"


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

    def set(self, config: Config) -> tuple[str, ...]:
        """Return the settings that make it, by dotted name, empty where the chip has nothing of it."""
        settings = [f"chip.{field}" for field in self.fields]
        return tuple(each for each in settings if value_of(config, each) != _ideal(each.removeprefix("chip.")))

    def without(self, config: Config) -> tuple[str, ...]:
        """Return overrides that take it away, empty where the chip has nothing of it."""
        found: list[str] = []
        for setting in self.set(config):
            ideal = _ideal(setting.removeprefix("chip."))
            found += [f"--{setting}", "none" if ideal is None else written(ideal)]
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
        found = min(most, value * factor) if isinstance(value, int | float) else None
        found = float(f"{found:.12g}") if isinstance(found, float) else found
        return None if found == value else found

    return Cure(setting, larger, why)


def to(setting: str, new: Value, why: str, along: tuple[str, ...] = ()) -> Cure:
    """Return the cure that a setting takes a value."""
    return Cure(setting, lambda value: None if value == new else new, why, along)


HEADROOM = times("chip.crossbar.weight_headroom", 4, "weights have room to grow")
RANGE = times("chip.crossbar.weight_range", 4, "weights have room to grow")
INTEGERS = times("chip.events.weight_headroom", 4, "weights have room to grow")
WRITE = Cure(
    "chip.update.write_threshold",
    lambda share: 0.05 if share == 0 else None,
    "devices whose weight has not moved by 5 % of the range are left alone, with errors that are learned around",
)
CLIP = Cure(
    "chip.crossbar.weight_clip",
    lambda clip: 3.0 if clip is None else None,
    "the largest weights are cut, and all others use more of the range",
)
FOLLOW = to("chip.crossbar.follow_weights", True, "the range is that of the largest weight at every programming")
FOLLOW_ALL = Cure(FOLLOW.setting, FOLLOW.change, f"{FOLLOW.why}; converters follow", ("--chip.calibration_every", "10"))
CALIBRATE = Cure(
    "chip.calibration_every",
    lambda updates: 10 if updates is None else None,
    "ranges are measured again while weights and states grow",
)
TRAIN = Cure(
    "chip.update.train_length",
    lambda slots: min(63, 8 * slots) if isinstance(slots, int) and slots < 63 else None,
    "the longest train reaches as far as an update asks",
)
STEP = times("chip.device.pulse.dw_min", 4, "the longest train reaches as far as an update asks")
SLOTS = Cure(
    "chip.update.counter.slots",
    lambda slots: min(65535, 8 * slots) if isinstance(slots, int) and slots < 65535 else None,
    "the longest train that is counted reaches as far as an update asks",
)
LEAK = times("chip.device.leak", 0.1, "devices hold what they have learned for longer")
RETENTION = times("chip.device.retention", 10, "devices hold what they have learned for longer")
DISTURB = times("chip.device.disturb", 0.1, "devices beside those that are written move less")
OUTPUTS = Cure(
    "network.output_bias",
    lambda bias: 1.0 if not isinstance(bias, float) or bias < 1 else 0.5 * bias,
    "outputs start where their potential has a slope",
)
LARGER_BETA = times("estimator.beta", 2.5, "the phases differ by more", 0.5)
INCREMENTS = to("chip.nudged.drive", "increments", "noise and steps go by what the nudge moves, not by the states")
EXCHANGED = to(
    "chip.nudged.paths",
    "exchanged",
    "increments travel forward through the transposed path and back through the forward one",
    ("--chip.nudged.drive", "increments"),
)
MIRRORED = to("estimator.order", "mirrored", "phases + - - + leave nothing of what is constant or linear in time")
REPEATED = times("chip.crossbar.repeats", 16, "the mean of several reads is taken, against what is fresh in each")
AVERAGED = Cure(
    "chip.nudged.mean_sweeps",
    lambda sweeps: 8 if sweeps in (None, 1) else None,
    "the mean of the last sweeps is measured",
)
QUIETER = (LARGER_BETA, AVERAGED, REPEATED)
CHOPPED = to("chip.readout.chopping", "sample", "holders that swap from sample to sample leave no mean")
AUTO_ZERO = to("chip.readout.auto_zero", "sample", "what the holders differ by is measured and subtracted")


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
        (more_bits("chip.adc.bits", 2), more_bits("chip.adc.bits", 4), INCREMENTS, *room("chip.adc")),
    ),
    Cause(
        "resolution of the DAC",
        ("dac.bits", "dac.range", "dac.stochastic"),
        (more_bits("chip.dac.bits", 2), more_bits("chip.dac.bits", 4), INCREMENTS, *room("chip.dac")),
    ),
    Cause(
        "errors of the ADCs",
        ("adc.gain_spread", "adc.offset_spread", "adc.inl", "adc.inl_spread", "adc.dnl"),
        (INCREMENTS,),
    ),
    Cause("noise of the ADC", ("adc.noise",), (INCREMENTS, *QUIETER)),
    Cause("noise of the DAC", ("dac.noise",), (INCREMENTS, *QUIETER)),
    Cause("digits of the DAC", ("dac.digit_bits",), ()),
    Cause(
        "bent currents of the devices",
        ("device.iv",),
        (to("chip.dac.encoding", "pulse_width", "devices are driven with the whole read voltage, or not at all"),),
    ),
    Cause(
        "conductances that drift from phase to phase", ("device.phase_drift",), (MIRRORED, INCREMENTS, LARGER_BETA)
    ),
    Cause("conductances that the nudge shifts", ("device.nudge_shift",), (INCREMENTS, LARGER_BETA)),
    Cause(
        "other devices of the transposed path",
        ("transposed.devices", "transposed.mismatch", "transposed.weight_error"),
        (EXCHANGED,),
    ),
    Cause(
        "other lines of the transposed path",
        ("transposed.gain", "transposed.gain_spread", "transposed.offset_spread"),
        (EXCHANGED, INCREMENTS),
    ),
    Cause(
        "read noise of the devices",
        ("device.read_noise",),
        (INCREMENTS, *QUIETER),
    ),
    Cause("telegraph noise of the devices", ("device.rtn_share",), (INCREMENTS, *QUIETER)),
    Cause("thermal noise of the reads", ("temperature",), (INCREMENTS, *QUIETER)),
    Cause(
        "resolution of the states",
        ("neuron.state_bits",),
        (more_bits("chip.neuron.state_bits", 2), more_bits("chip.neuron.state_bits", 4)),
    ),
    Cause(
        "noise of the neurons",
        ("neuron.state_noise",),
        (LARGER_BETA, AVERAGED),
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
        (
            LARGER_BETA,
            times("chip.readout.holds", 4, "the mean of several holds is used"),
            times("chip.readout.holds", 16, "the mean of several holds is used"),
        ),
    ),
    Cause("offset of the holders", ("readout.hold_offset",), (AUTO_ZERO, CHOPPED, MIRRORED, LARGER_BETA)),
    Cause("gain of the holders", ("readout.hold_gain",), (AUTO_ZERO, CHOPPED, MIRRORED, LARGER_BETA)),
    Cause("droop of the holders", ("readout.hold_droop", "readout.hold_time"), (MIRRORED, AUTO_ZERO, LARGER_BETA)),
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
    written = FOLLOW_ALL, FOLLOW, CALIBRATE, WRITE, CLIP
    return [*listed, *rooms, HEADROOM, RANGE, INTEGERS, *written, TRAIN, SLOTS, STEP, LEAK, RETENTION, DISTURB, OUTPUTS]
