"""Effects of a chip as data: the groups of fields that make one, and the values that switch it off.

    chip = hw_models.load("pcm")
    names = [effect.name for effect in hw_models.chip.effects.present(chip)]
    quiet = hw_models.chip.effects.without(chip, ["read noise", "drift"])

An effect belongs to the physics of one part. ``off`` names its switches: the fields that make it, with the values that
take it away. ``shape`` names the fields that say how large it is or of what kind; they need no value of their own, as
they rest where the effect is off (:mod:`hw_models.chip.layers`). A few effects are part of another one: the noise of
pulses is ``within`` learning in memory, and is there only with it.

Every field of a chip is in an effect, or :data:`NOT_EFFECTS` says why it is in none. With all effects switched off
a chip of crossbars computes what exact arithmetic does, to rounding; of an event-driven one the finest integers stay.

What cannot be taken apart: the range of a converter goes with its resolution, so that noise given in shares of a range
that was fixed is then of a calibrated one; a device with a bent current, and reference lines that outputs share, need a
DAC with a full scale, so that beside them the finest DAC stands for none, and its range stays. Switching one effect off
moves no draw of another: draws are keyed by seed and meaning. But reads are keyed by the step of a phase too, so that
where a phase ends by its tolerance and takes another number of steps, the later ones are read with further draws.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hw_models.chip import Chip, files
from hw_models.chip.description import PERFECT, PRICES, TOLD
from hw_models.errors import ChipError, unknown
from hw_models.reading import Page

Value = object
"""What a field may hold; None where it is unset."""
Changes = dict[str, Value]
"""New values by dotted name of the field."""
FINEST = 24
"""Bits of the DAC that stands for none where a full scale is needed."""


@dataclass(frozen=True)
class Effect:
    """A part of a chip's physics that can be switched off."""

    name: str
    off: Mapping[str, Value]
    """Dotted fields and the values that take it away."""
    shape: tuple[str, ...] = ()
    """Fields that say how large it is or of what kind; a name that ends with a dot stands for all below it."""
    within: str = ""
    """Name of the effect that it is a part of."""
    told: str = ""
    """What is left when it is off, where that is not plain."""
    special: Callable[[Chip, Collection[str]], Changes] | None = field(default=None, compare=False)
    """Of a chip and the names of all that is switched off, what is changed in place of ``off`` where the values go by
    other fields; empty where it is not there."""

    def changes(self, chip: Chip, gone: Collection[str] = ()) -> Changes:
        """Return what switches it off on a chip, by field; empty where the chip has nothing of it.

        ``gone`` names other effects that are switched off with it.
        """
        if self.special is not None:
            return self.special(chip, gone)
        values, kept = dict(Chip.fields_of(chip)), chip.kept or ()
        return {name: off for name, off in self.off.items() if values[name] != off and name not in kept}


def _relaxation(chip: Chip, gone: Collection[str]) -> Changes:
    """Keep the error of a write as it is at once."""
    device = chip.device
    if not (device.programming_noise_fresh and chip.ages):
        return {}
    changes: Changes = {"device.programming_noise_fresh": ()}
    if PROGRAMMING in gone:
        return changes
    fresh = {"device.programming_noise": device.programming_noise_fresh}
    return changes | fresh | {"device.programming_noise_g_max": device.programming_noise_g_max}


def _dac(chip: Chip, gone: Collection[str]) -> Changes:
    """Convert exactly, or as finely as can be where something needs a full scale."""
    dac = chip.dac
    if dac.bits is None and dac.range is None:
        return {}
    bent = chip.device.iv != "linear" and BENT not in gone and "device.iv" not in (chip.kept or ())
    if bent or (SHARED not in gone and _shared_references(chip, gone)):
        return {} if dac.bits in (None, FINEST) else {"dac.bits": FINEST}
    return {f"dac.{name}": None for name in ("bits", "range") if dict(dac)[name] is not None}


def _shared_references(chip: Chip, _: Collection[str]) -> Changes:
    """Give every output a reference line of its own, so that none is asked for more than a full scale of the DAC."""
    bar, kept = chip.crossbar, chip.kept or ()
    few = bar.reference_lines is not None and (bar.columns is None or bar.reference_lines < bar.columns)
    acts = bar.mapping == "offset" and bar.reference == "analog" and "crossbar.reference_lines" not in kept
    return {"crossbar.reference_lines": None} if few and acts else {}


def _in_memory(chip: Chip, _: Collection[str]) -> Changes:
    """Learn by a master copy in digital form, which references of a weight's own have no part in."""
    if not chip.update.in_memory:
        return {}
    changes: Changes = {"update.scheme": "digital"}
    if chip.crossbar.reference == "device":
        changes["crossbar.reference"] = "digital"
    return changes


def _alike(chip: Chip, gone: Collection[str]) -> Changes:
    """Step alike both ways at every weight, by ``dw_min``, which is the step at weight 0.

    Where it is a factor of a formula instead, as of exponential laws, steps would grow as well if it stayed: there it
    becomes the mean step in the middle of the range.
    """
    pulse, kept = chip.device.pulse, chip.kept or ()
    off = {"device.pulse.response": "constant", "device.pulse.up_down": 0.0}
    values = {f"device.pulse.{name}": value for name, value in pulse}
    found: Changes = {name: value for name, value in off.items() if values[name] != value and name not in kept}
    sized = "device.pulse.response" in found and "device.pulse.dw_min" not in kept and MEMORY not in gone
    if sized and pulse.law.factors is not None:
        high, low = np.float32(pulse.w_max), np.float32(pulse.w_min)
        up, down, *_slopes = pulse.law.factors((high + low) / 2, high, low, tuple(pulse.law.packed(pulse)))
        factor = up if chip.device.cell.kind == "one_sided" else (up + down) / 2
        found["device.pulse.dw_min"] = min(max(pulse.dw_min * float(factor), 1e-7), pulse.w_max - pulse.w_min)
    return found


def _integers(name: str, finest: int, fixed: str) -> Callable[[Chip, Collection[str]], Changes]:
    """Return what makes integers of an event-driven array as fine as there are, with a range that is calibrated."""

    def changes(chip: Chip, _: Collection[str]) -> Changes:
        if chip.substrate != "event_driven":
            return {}
        values = dict(Chip.fields_of(chip))
        found: Changes = {} if values[name] == finest else {name: finest}
        return found | ({} if values[fixed] is None else {fixed: None})

    return changes


BENT, MEMORY, SHARED = "bent currents", "learning in memory", "shared reference lines"
PROGRAMMING = "programming noise"
NONE = (0.0, 0.0, 0.0, 0.0)
"""No drift exponent."""

PROGRAMMED: tuple[Effect, ...] = (
    Effect(
        "relaxation",
        {"device.programming_noise_fresh": ()},
        ("device.relaxation_times",),
        within=PROGRAMMING,
        told="the error of a write stays as it is right after the write",
        special=_relaxation,
    ),
    Effect(PROGRAMMING, {"device.programming_noise": ()}, ("device.programming_noise_g_max",)),
    Effect("write resolution", {"device.resolution": 0.0}),
    Effect("levels", {"device.levels": None}),
    Effect("bit slices", {"crossbar.slices": 1, "crossbar.slice_bits": None}),
    Effect(
        "range of weights",
        {"crossbar.weight_range": None, "crossbar.weight_clip": None},
        told="the largest first weight sets the range",
    ),
    Effect("spread of conductance ranges", {"device.g_min_spread": 0.0, "device.g_max_spread": 0.0}),
    Effect("on/off ratio", {"device.g_min": 0.0}, told="devices of weight 0 conduct nothing"),
    Effect("stuck devices", {"device.stuck_low": 0.0, "device.stuck_high": 0.0}),
    Effect("mismatch", {"device.mismatch": 0.0}),
    Effect(
        "drift",
        {"device.drift_mean": NONE, "device.drift_spread": NONE},
        (
            "device.drift_mean_above", "device.drift_spread_above", "device.drift_start", "device.drift_activation",
            "device.drift_temperature", "device.drift_compensation",
        ),
    ),
    Effect("write disturb", {"device.disturb": 0.0}),
    Effect("leak", {"device.leak": 0.0, "device.retention": None}, ("device.retention_spread",)),
    Effect("wires", {"wires.r_word": 0.0, "wires.r_bit": 0.0}, ("wires.refresh_every",)),
)  # fmt: skip
"""What devices and lines hold."""

READ: tuple[Effect, ...] = (
    Effect(BENT, {"device.iv": "linear"}, ("device.iv_voltage", "device.iv_cubic")),
    Effect(
        "read noise",
        {"device.read_noise": 0.0},
        (
            "device.read_noise_law", "device.read_noise_exponent", "device.read_noise_cap", "device.read_noise_log",
            "device.read_noise_above", "device.read_time", "device.read_noise_band",
        ),
    ),
    Effect(
        "telegraph noise",
        {"device.rtn_share": 0.0},
        tuple(
            f"device.rtn_{name}"
            for name in ("amplitude", "exponent", "amplitude_spread", "capture", "emission", "decades")
        ),
    ),
    Effect("temperature", {"temperature": None}, told="no thermal noise acts, and drift is that at drift_temperature"),
    Effect("drift from phase to phase", {"device.phase_drift": 0.0}),
    Effect("shift by the nudge", {"device.nudge_shift": 0.0}),
    Effect(
        SHARED,
        {"crossbar.reference_lines": None},
        told="every output has a reference line of its own, which no full scale of the DAC cuts in transposed reads,"
        " and their noise is less",
        special=_shared_references,
    ),
    Effect("DAC digits", {"dac.digit_bits": None}, ("dac.digit_sign",), within="DAC bits"),
    Effect(
        "DAC bits",
        {"dac.bits": None, "dac.range": None},
        ("dac.sign", "dac.percentile", "dac.margin", "dac.stochastic"),
        told="the range of the DAC is dropped, too, unless bent currents or shared reference lines need one",
        special=_dac,
    ),
    Effect("DAC noise", {"dac.noise": 0.0}),
    Effect(
        "ADC bits",
        {"adc.bits": None, "adc.range": None},
        ("adc.sign", "adc.percentile", "adc.margin", "adc.stochastic"),
        told="the range of the ADC is dropped, too",
    ),
    Effect("ADC noise", {"adc.noise": 0.0}),
    Effect(
        "ADC errors",
        {f"adc.{name}": 0.0 for name in ("gain_spread", "offset_spread", "inl", "inl_spread", "dnl")},
        ("adc.inl_shape",),
    ),
    Effect(
        "transposed devices",
        {"transposed.devices": "same"},
        ("transposed.mismatch", "transposed.weight_error"),
        told="one array is read in both directions",
    ),
    Effect("transposed lines", {f"transposed.{name}": 0.0 for name in ("gain", "gain_spread", "offset_spread")}),
)  # fmt: skip
"""What reads of an array add."""

PERIPHERY: tuple[Effect, ...] = (
    Effect("neuron mismatch", {"neuron.gain_spread": 0.0, "neuron.offset_spread": 0.0}),
    Effect("neuron noise", {"neuron.state_noise": 0.0}),
    Effect("state bits", {"neuron.state_bits": None}),
    Effect("slow neurons", {"neuron.time_constant": 1.0}),
    Effect("nudge mismatch", {"neuron.nudge_mismatch": 0.0}),
    Effect("continuous time", {"timing.tau": None}, told="layers are computed product by product"),
    Effect("analog attention", {"attention.kind": "digital"}, ("attention.pattern_range",)),
    Effect("exponential bits", {"attention.exp_bits": None}),
    Effect(
        "attention state bits",
        {"attention.state.bits": None, "attention.state.range": None},
        tuple(f"attention.state.{name}" for name in ("sign", "percentile", "margin", "stochastic")),
    ),
    Effect("attention state noise", {"attention.state.noise": 0.0}),
    Effect(
        "read-out bits",
        {"readout.bits": None, "readout.range": None},
        tuple(f"readout.{name}" for name in ("sign", "percentile", "margin", "stochastic")),
    ),
    Effect("read-out noise", {"readout.noise": 0.0}),
    Effect("holder noise", {"readout.hold_noise": 0.0}),
    Effect("holder mismatch", {"readout.hold_offset": 0.0, "readout.hold_gain": 0.0}),
    Effect("holder droop", {"readout.hold_droop": 0.0, "readout.hold_time": None}),
    Effect("event threshold", {"events.threshold": 0.0}),
    Effect(
        "event state bits",
        {"events.state_bits": 16},
        ("events.state_range",),
        told="states keep 16 bits",
        special=_integers("events.state_bits", 16, "events.state_range"),
    ),
    Effect(
        "event weight bits",
        {"events.weight_bits": 8},
        ("events.weight_range", "events.weight_headroom"),
        told="weights keep 8 bits",
        special=_integers("events.weight_bits", 8, "events.weight_range"),
    ),
    Effect("integers in place", {"events.in_place": False}),
)
"""Neurons, attention, read-out, and event-driven arrays."""

LEARNING: tuple[Effect, ...] = (
    Effect("writes left out", {"update.reprogram_every": 1, "update.write_threshold": 0.0}),
    Effect(
        "pulse noise",
        {f"device.pulse.{name}": 0.0 for name in ("noise", "noise_base", "noise_state")},
        ("device.pulse.noise_law", "device.pulse.table_noise"),
        within=MEMORY,
    ),
    Effect("pulse write noise", {"device.pulse.write_noise": 0.0}, within=MEMORY),
    Effect(
        "spread of steps",
        {f"device.pulse.{name}_spread": 0.0 for name in ("dw_min", "up_down", "gamma_up", "gamma_down")},
        ("device.pulse.dw_min_law", "device.pulse.step_correlation"),
        within=MEMORY,
    ),
    Effect(
        "asymmetric steps",
        {"device.pulse.response": "constant", "device.pulse.up_down": 0.0},
        tuple(
            f"device.pulse.{name}"
            for name in (
                "gamma_up", "gamma_down", "a_up", "a_down", "slope", "offset", "table_states", "table_up", "table_down",
            )
        ),
        within=MEMORY,
        told="steps up and down are alike at every weight: dw_min or, if dw_min is a factor of a formula, the mean step"
        " in the middle of the range",
        special=_alike,
    ),
    Effect(
        "spread of bounds",
        {"device.pulse.w_max_spread": 0.0, "device.pulse.w_min_spread": 0.0},
        ("device.pulse.bound_correlation",),
        within=MEMORY,
    ),
    Effect(
        "dead devices",
        {"device.pulse.corrupt": 0.0, "device.pulse.unresponsive": 0.0},
        ("device.pulse.corrupt_range",),
        within=MEMORY,
    ),
    Effect(
        "reference errors",
        {
            "device.cell.reference_mean": 0.0, "device.cell.reference_spread": 0.0,
            "update.transfer.reference_mean": None, "update.transfer.reference_spread": None,
        },
        ("device.cell.reference_rounds", "device.cell.reference_at"),
        within=MEMORY,
    ),
    Effect(
        "resets and refreshes",
        {f"device.cell.{name}": 0.0 for name in ("reset", "reset_spread", "reset_noise", "refresh_noise")},
        within=MEMORY,
        told="pairs are refreshed all the same, from exactly 0 and without noise",
    ),
    Effect(
        MEMORY,
        {"update.scheme": "digital"},
        ("device.cell.kind", "device.pulse.dw_min", "device.pulse.w_max", "device.pulse.w_min", "update."),
        told="a digital master copy learns with the same optimiser and rates; with update.scaling 'auto' the rates are"
        " then factors of the gradient; reference devices of the weights give way to a digital reference, which wires,"
        " mismatch and noise do not reach: what those cost alone is another number than beside a reference device",
        special=_in_memory,
    ),
)  # fmt: skip
"""What updates do."""

EFFECTS: tuple[Effect, ...] = (*PROGRAMMED, *READ, *PERIPHERY, *LEARNING)
"""All of them, parts ahead of what they are within."""

NOT_EFFECTS: Mapping[str, str] = {
    **dict.fromkeys(PERFECT, "describes the chip"),
    **dict.fromkeys(TOLD, "acts on what is reported alone"),
    **dict.fromkeys(PRICES, "acts on a bill alone"),
    "substrate": "what the effects are of",
    "crossbar.rows": "tiles: sums are exact by themselves; wires and converters act tile by tile",
    "crossbar.columns": "tiles, as crossbar.rows",
    "crossbar.mapping": "where weights lie: exact by itself, and decides what devices do to them",
    "crossbar.reference": "how the middle is subtracted: exact by itself",
    "crossbar.zero": "which level stands for 0: it acts with levels, resolution or slices alone",
    "crossbar.weight_headroom": "how much of the conductance range weights fill: acts through other effects",
    "crossbar.follow_weights": "when that range is fixed",
    "crossbar.hold_input": "how often products are read: acts through noise",
    "crossbar.repeats": "how often products are read: a cure of noise",
    "crossbar.exact_noise": "how noise is computed",
    "device.g_max": "the unit of conductances",
    "device.age": "the time at which drift, relaxation, retention and 1/f noise are seen",
    "device.read_voltage": "the voltage at which noise and bent currents are seen",
    "adc.columns": "which outputs share an ADC and its errors",
    "dac.encoding": "what carries a signal: acts through bent currents, and on a bill",
    "neuron.state_range": "full scale of the noise and the bits of states",
    "readout.signal": "what is converted: acts through the read-out's effects",
    "readout.holds": "how often states are held: a cure of noise",
    "readout.chopping": "a cure of holders that differ",
    "readout.auto_zero": "a cure of holders that differ",
    "nudged.drive": "how nudged phases are computed: a cure",
    "nudged.paths": "how nudged phases are computed: a cure",
    "nudged.mean_sweeps": "how phases are read: a cure of noise",
    "calibration_samples": "how ranges are found",
    "calibration_every": "when ranges are found anew: a cure",
} | {
    f"timing.{name}": "durations: what ages and what lasts goes by them, nothing by themselves"
    for name in ("dac", "integration", "adc", "digital", "hold", "pulse", "count", "row", "copies")
} | {
    f"device.cell.refresh_{name}": "when pairs are refreshed: a cure of devices that fill up"
    for name in ("every", "above", "lesser", "most", "rounds")
}
"""Fields that are in no effect, and why."""


def named(name: str) -> Effect:
    """Return the effect of that name.

    Raises
    ------
    ChipError
        If there is none, with the nearest.
    """
    found = {effect.name: effect for effect in EFFECTS}
    if name not in found:
        raise ChipError(unknown("effect", name, list(found)))
    return found[name]


def present(chip: Chip) -> list[Effect]:
    """Return the effects that a chip has; of those of crossbars an event-driven one has none, and the other way round.
    """
    events = chip.substrate == "event_driven"
    return [
        effect
        for effect in EFFECTS
        if effect.changes(chip) and (events or not any(name.startswith("events.") for name in effect.off))
    ]


def around(effect: Effect) -> Iterator[Effect]:
    """Yield what an effect is within, from the nearest outwards."""
    while effect.within:
        effect = named(effect.within)
        yield effect


def changes(chip: Chip, names: Collection[str]) -> Changes:
    """Return what switches some effects off, by field; later effects of :data:`EFFECTS` stand over earlier ones."""
    if isinstance(names, str):
        raise ChipError(f"effects are '{names}': give a list of names, ['{names}']")
    for name in names:
        named(name)
    found: Changes = {}
    for effect in EFFECTS:
        if effect.name in names:
            found |= effect.changes(chip, names)
    return found


def without(chip: Chip, names: Collection[str] | None = None) -> Chip:
    """Return a chip with some effects switched off, by default all; what they alone need is kept and rests.

    Raises
    ------
    ChipError
        If there is no such effect, or the chip cannot be without it.
    """
    if not isinstance(chip, Chip):
        raise ChipError(f"chip is a {type(chip).__name__}: give a Chip, as hw_models.load returns it")
    names = [effect.name for effect in EFFECTS] if names is None else names
    table = _nested(changes(chip, names))
    try:
        return Chip.checked(files.laid_over(chip.to_dict(), table))
    except ValueError as error:
        raise ChipError(f"chip '{chip.name}' without {', '.join(names)}: {error}") from None


def fields(effect: Effect) -> list[str]:
    """Return all fields of an effect by dotted name, those of ``shape`` that are no one else's."""
    others = {name for other in EFFECTS for name in (*other.off, *other.shape) if other is not effect}
    below = [start for start in effect.shape if start.endswith(".")]
    found = [*effect.off, *(name for name in effect.shape if name not in below)]
    found += [name for name in Chip.settings() if name.startswith(tuple(below)) and name not in {*others, *found}]
    return found


def _nested(flat: Mapping[str, Value]) -> Page:
    """Return dotted names as nested tables."""
    tables: Page = {}
    for name, value in flat.items():
        *path, leaf = name.split(".")
        table = tables
        for part in path:
            table = table.setdefault(part, {})
        table[leaf] = list(value) if isinstance(value, tuple) else value
    return tables


def listing(chosen: Sequence[Effect] = EFFECTS) -> str:
    """Return a line for each effect: its name, and what switches it off."""
    lines = []
    for effect in chosen:
        off = ", ".join(f"{name} = {'unset' if value is None else value}" for name, value in effect.off.items())
        lines.append(f"{effect.name}: {off}" + (f" ({effect.told})" if effect.told else ""))
    return "\n".join(lines)
