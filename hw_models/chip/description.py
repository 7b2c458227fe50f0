"""A chip as data: frozen parts, every effect off by default, unknown keys refused.

    chip = hw_models.Chip.ideal()
    chip = hw_models.Chip(device=Device(g_max=25.0, read_noise=0.5), adc=ADC(bits=8))
    chip = hw_models.presets.load("joshi_2020_pcm")

Signals are in the network's own units. Inside a crossbar an input is a share of the DAC's range, a weight a share of
the weight range, so that a sensed current of 1 is one device pair at full swing driven at full range.

Every field says its unit and when it acts or is drawn: at fabrication (it stays with the array), once per programming
(every time conductances are written), at every conversion or read. Meaning and equations: the modules that do the
work, :mod:`hw_models.arrays.converters`, :mod:`hw_models.laws`, :mod:`hw_models.arrays.pulses`,
:mod:`hw_models.arrays.wires`, :mod:`hw_models.arrays.crossbar`, :mod:`hw_models.arrays.events`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, ValidationError

from hw_models.chip import faults, layers
from hw_models.chip.cell import Cell
from hw_models.chip.converter import ADC, DAC, Converter
from hw_models.chip.cost import Cost
from hw_models.chip.device import Device
from hw_models.chip.events import Events
from hw_models.chip.faults import Idle
from hw_models.chip.fields import LARGEST, SMALLEST, Count, Part, Positive, at, leaves_of, silenced
from hw_models.chip.layout import Layout
from hw_models.chip.learning import Update
from hw_models.chip.nudged import Nudged
from hw_models.chip.periphery import Attention, Neuron, Readout
from hw_models.chip.pulse import Pulse
from hw_models.chip.rules import PULSING
from hw_models.chip.timing import Timing
from hw_models.chip.transposed import Transposed
from hw_models.chip.wires import Wires
from hw_models.errors import ChipError
from hw_models.laws.heat import Heat, hurry, thermal_noise
from hw_models.laws.mapping import zero_and_reach
from hw_models.laws.read_noise import AGEING
from hw_models.reading import Entries, Page
from hw_models.text import shown

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = [
    "ADC", "DAC", "Attention", "Cell", "Chip", "Converter", "Cost", "Device", "Events", "Layout", "Neuron", "Nudged",
    "Part", "Pulse", "Readout", "Timing", "Transposed", "Update", "Wires",
]  # fmt: skip
PERFECT: frozenset[str] = frozenset({"name", "citation", "url", "caveat", "kept"})
"""Fields of a chip that describe it and act on nothing."""
TOLD: frozenset[str] = frozenset({"device.endurance"})
"""Fields that act on what is reported alone."""
CIRCUITS: frozenset[str] = frozenset({"device.read_voltage"})
"""Fields that a circuit takes which is exported, whether or not they act on anything else."""
PRICES: frozenset[str] = frozenset(f"cost.{name}" for name in Cost.model_fields)
"""Fields that act on a bill alone: no state or weight depends on them; see also :attr:`Chip.prices`."""


class Chip(Part):
    """Everything a substrate does to a network.

    Raises
    ------
    ChipError
        From :meth:`parse` and :meth:`from_toml`, with a line for each fault: the field, the value, what is allowed, the
        nearest valid name.
    """

    name: str = "ideal"
    """Name of the chip."""
    citation: str = ""
    """Paper from which the numbers come."""
    url: str = ""
    """DOI or address of this paper."""
    caveat: str = ""
    """What the numbers do not represent."""
    kept: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    """Fields of the chip from which this one was made that cannot act now, see :mod:`hw_models.chip.layers`."""
    substrate: Literal["crossbar", "event_driven"] = at("device", default="crossbar")
    """Resistive crossbars, or an event-driven digital array."""
    crossbar: Layout = at("device", default=Layout())
    """Tiles and mapping."""
    device: Device = at("device", default=Device())
    """The resistive device."""
    wires: Wires = at("programming", default=Wires())
    """Line resistance."""
    dac: DAC = at("conversion", default=DAC())
    """Converter from states to the lines of an array, in both directions."""
    adc: ADC = at("conversion", default=ADC())
    """Converter from the lines of one tile to numbers, in both directions."""
    transposed: Transposed = at("device", default=Transposed())
    """Path of transposed products."""
    neuron: Neuron = at("step", default=Neuron())
    """Neuron circuits."""
    attention: Attention = at("step", default=Attention())
    """Attention unit."""
    readout: Readout = at("update", default=Readout())
    """What measures the phases for the update."""
    update: Update = at("update", default=Update())
    """How weights change."""
    events: Events = at("step", default=Events())
    """Event-driven array."""
    nudged: Nudged = at("read", default=Nudged())
    """How nudged phases are computed."""
    temperature: Annotated[Positive, Field(le=2000)] | None = at("read", "K", None)
    """Temperature of the devices. It acts on the thermal noise of reads if ``device.read_voltage`` and
    ``timing.integration`` are set, and on the onset of drift if ``device.drift_activation`` is set. Unset, neither
    depends on it."""
    timing: Timing = at("step", default=Timing())
    """How long things take."""
    cost: Cost = at("bill", default=Cost())
    """What the chip is made of, and what its operations cost."""
    calibration_samples: Count = at("calibration", "samples", 64)
    """Training samples on which converter ranges are calibrated, where a range is calibrated."""
    calibration_every: Count | None = at("calibration", "updates", None)
    """Training: updates after which all these ranges are calibrated again, on other samples. Unset keeps the first
    ranges."""

    @classmethod
    def ideal(cls) -> Chip:
        """Return the chip without any effect."""
        return cls()

    @property
    def is_ideal(self) -> bool:
        """Whether no field that acts differs from :meth:`ideal`."""
        return not self.differences()

    @property
    def acting(self) -> Self:
        """This chip with what it keeps without effect at the defaults: what arrays, neurons and clocks are made of.

        The values themselves stay in the chip, and act again where a later layer switches on what they belong to.
        """
        found = self
        for name in set(self.kept or ()) - CIRCUITS:
            found = found._with_default(name.split("."))
        return found.model_copy(update={"kept": None}) if self.kept else self

    @property
    def redraws(self) -> bool:
        """Whether a product or a state read again may differ."""
        converters = (self.dac, self.adc, self.attention.state)
        drawn = any(converter.stochastic or converter.noise for converter in converters)
        paced = isinstance(self.timing.tau, dict)  # a layer that takes less than a step is not where it wants to be
        read = self.device.noisy or self.heat.noise > 0
        return bool(drawn or read or self.neuron.state_noise or paced)

    @property
    def heat(self) -> Heat:
        """What the temperature does to devices; see :mod:`hw_models.laws.heat`."""
        own, device = self.temperature, self.device
        if own is None:
            return Heat()
        read = self.timing.integration > 0 and device.read_voltage is not None
        noise = thermal_noise(own, self.timing.integration, device.read_voltage or 1.0) if read else 0.0
        speed = hurry(own, device.drift_activation, device.drift_temperature)
        return Heat(noise, speed, self.timing.integration if noise else 0.0)

    @property
    def ages(self) -> bool:
        """Whether devices are read later than they are written: at an age, or by a clock that goes on as they learn."""
        return self.device.age > 0 or self.timing.passes

    @property
    def shifts(self) -> bool:
        """Whether the same product differs from phase to phase."""
        return self.substrate == "crossbar" and (self.device.phase_drift != 0 or self.device.nudge_shift != 0)

    @property
    def level(self) -> float:
        """Coarsest step by which what settles is digitised, as a share of its full scale; 0 if nothing is.

        A converter of b bits has 2^(b-1) - 1 steps on either side of zero. Below one step of a signal the states of
        a phase cannot come to rest any closer: they stay, or go round in a cycle over neighbouring levels.
        """
        bits = [self.attention.state.bits, self.neuron.state_bits]
        least = 0.0
        if self.substrate == "event_driven":
            bits += [self.events.state_bits]
            least = self.events.threshold  # what a state may move by before any event tells of it
        else:
            bits += [self.dac.bits, self.adc.bits]
        return max(least, *(0.0 if number is None else 1 / max(1, 2 ** (number - 1) - 1) for number in bits))

    @property
    def calibrates(self) -> bool:
        """Whether a range comes from samples."""
        converters = (self.dac, self.adc, self.attention.state, self.readout)
        patterns = self.attention.kind == "analog" and self.attention.pattern_range is None
        events = self.substrate == "event_driven" and self.events.state_range is None
        increments = self.nudged.increments and self.dac.of_increments.calibrates
        return patterns or events or increments or any(converter.calibrates for converter in converters)

    @property
    def unseen(self) -> frozenset[str]:
        """Fields that this chip shows in its conductances alone, or in no range: products and states stay the same.

        Conductances are shares of the range g_max - g_min until something goes by uS, or by a device's own share of
        g_max while g_min is above 0.
        """
        device, bar = self.device, self.crossbar
        found = set() if self.calibrates else {"calibration_samples"}
        if self.substrate != "crossbar" or self.update.scheme != "digital":
            return frozenset(found)
        in_us = any(device.programming_noise) or device.resolution > 0 or self.wires.r_word > 0 or self.wires.r_bit > 0
        in_us = in_us or (device.read_noise > 0 and device.noise.uniform) or self.heat.noise > 0
        drifts = self.ages and device.drifts
        own = self.transposed.mismatch or 0.0
        shares = (device.mismatch, own, device.g_min_spread, device.g_max_spread, device.read_noise, device.rtn_share)
        by_share = drifts or any(shares)
        found |= set() if in_us or (by_share and device.g_min) else {"device.g_max"}
        found |= set() if in_us or by_share else {"device.g_min"}
        faults = device.levels is not None or device.stuck_low or device.stuck_high or bar.slices > 1
        converts = self.dac.acts or self.adc.acts or self.transposed.bends
        moves = self.shifts or device.leak or device.disturb
        exact = not (in_us or by_share or faults or bar.cuts or converts or moves)
        return frozenset(found | ({"crossbar.weight_headroom"} if exact else set()))

    @property
    def prices(self) -> frozenset[str]:
        """Fields that act on a bill alone as this chip is, those of :data:`PRICES` among them."""
        device, found = self.device, set(PRICES)
        if device.iv != "sinh" and not self.heat.noise:
            found.add("device.read_voltage")
        if device.iv == "linear":
            found.add("dac.encoding")
        if self.dac.digit_bits is None:
            found.add("dac.digit_sign")
        return frozenset(found)

    def differences(self) -> Page:
        """Return the fields that act and differ from the ideal chip by dotted name."""
        other, left_out = dict(self.fields_of(Chip())), PERFECT.union(self.kept or ())
        return {
            name: value for name, value in self.fields_of(self) if name not in left_out and value != other[name]
        }

    @classmethod
    def fields_of(cls, part: Part, start: str = "") -> Iterator[tuple[str, object]]:
        """Yield dotted names and values of all leaves."""
        for name in type(part).model_fields:
            value = getattr(part, name)
            if isinstance(value, Part):
                yield from cls.fields_of(value, f"{start}{name}.")
            else:
                yield f"{start}{name}", value

    @classmethod
    def settings(cls) -> dict[str, FieldInfo]:
        """Return pydantic's information about every leaf by dotted name."""
        return dict(leaves_of(cls))

    @classmethod
    def parse(cls, values: Entries, source: str = "chip", places: Mapping[str, str] | None = None) -> Chip:
        """Check nested plain values; see the class for the error.

        ``places`` are the files in which fields stand, by dotted name; the error names that of its field, or else
        ``source``.
        """
        if not isinstance(values, Mapping):
            raise ChipError(f"{source}: {shown(values)}: tables of fields are needed, as {{'adc': {{'bits': 6}}}}")
        try:
            return cls.checked(values)
        except (ValidationError, Idle) as error:
            found = faults.lines(error, cls.settings())
        raise ChipError(*faults.told([f"{faults.standing(line, places or {}) or source}: {line}" for line in found]))

    @classmethod
    def checked(cls, values: Entries, forgiven: dict[str, str] | None = None) -> Chip:
        """Check nested plain values, and tell fields that could not act from those kept.

        Parameters
        ----------
        values : mapping
            As from :func:`hw_models.chip.files.laid_over`: ``kept`` lists the fields that need not act.
        forgiven : dict, optional
            Takes the line of each field that is set in vain, which is then kept as well; without it that is refused.

        Raises
        ------
        pydantic.ValidationError
            If a value cannot be, or values cannot be together.
        Idle
            If a field could not act that nothing has silenced.
        """
        plain = layers.without(values, [layers.KEPT]) | {k: v for k, v in values.items() if k == layers.KEPT and not v}
        try:
            return cls.model_validate(plain)
        except ValidationError as error:
            if faults.are_of_fields(error, cls.settings()):
                raise
            found = layers.idle(cls, plain)
        in_vain = {name: line for name, line in found.items() if name not in layers.kept_of(values)}
        if forgiven is None and in_vain:
            raise Idle(in_vain, cls._faults(layers.without(plain, found)))
        if forgiven is not None:
            forgiven |= in_vain
        with silenced():
            return cls.model_validate({**plain, layers.KEPT: sorted(found)} if found else plain)

    @classmethod
    def _faults(cls, values: Entries) -> list[str]:
        """Return a line for each fault of nested plain values."""
        try:
            cls.model_validate(values)
        except ValidationError as error:
            return faults.lines(error, cls.settings())
        return []

    def to_dict(self) -> Page:
        """Return nested plain values, unset ones left out.

        Values put together by hand are taken as they stand: another ``g_max`` written into them scales no
        ``programming_noise``, as a layer over them or ``model_copy`` does, unless ``programming_noise_g_max`` is set.
        """
        return self.model_dump(mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """Return TOML that :func:`hw_models.chip.files.load` reads."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    def __repr__(self) -> str:
        shown = "".join(f", {name}={value!r}" for name, value in self.differences().items())
        return f"Chip({self.name!r}{shown})"

    __str__ = __repr__

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together."""
        if self.substrate == "event_driven":
            none = "on crossbars: an event-driven array has none"
            self.idle(none, "crossbar", "device", "wires", "dac", "adc", "transposed")
            self.idle("on crossbars: event-driven arrays learn by 'digital', with every update", "update")
            self.idle("on crossbars: event-driven arrays have a digital attention unit", "attention.kind")
            self.idle("on crossbars: event-driven arrays send what has changed anyway", "nudged.drive", "nudged.paths")
            timing = ("dac", "integration", "adc", "pulse", "count", "row", "tau")
            self.idle(none, *(f"timing.{name}" for name in timing))
        else:
            self.idle("with substrate = 'event_driven'", "events")
        if not self.update.counts:
            self.idle("with update.signals net_counts", "timing.count")
        self._check_age()
        if not self.timing.passes:
            told = "where time passes, with timing.integration or another duration"
            self.idle(told, "device.read_noise_band", "device.rtn_decades")
        yield from self._check_cells()
        if not self.timing.settles:
            self.idle("where phases take time, with timing.integration, hold or another duration", "readout.hold_time")
        if self.update.scheme == "digital":
            self.idle(f"with an update.scheme that sends pulses: {PULSING}", "device.pulse")
            if self.cost.write_voltage is None or self.cost.write_time is not None:
                priced = "or, without cost.write_time, with cost.write_voltage"
                self.idle(f"with an update.scheme that sends pulses ({PULSING}), {priced}", "timing.pulse")
            if self.update.reprogram_every == 1:
                written = "where weights change in memory, or with update.reprogram_every above 1"
                self.idle(f"{written}: others are written anew", "device.leak")
        else:
            self.idle("with update.scheme digital, which programs rows anew", "crossbar.follow_weights")
            self._check_rows()
        update = self.update
        if self.crossbar.weight_range is not None:
            self.idle("without crossbar.weight_range", "update.fill")
        fixed = self.crossbar.weight_range is not None or update.fill is not None
        if update.scheme == "mixed_precision" and fixed and (update.granule or update.verify.tolerance is not None):
            self.idle("where a range or a tolerance is left to it", "update.scaling")
        if not self.adc.acts or self.update.sees:
            self.idle("with an ADC, of a fast array that products do not read", "update.transfer.read_range")
        if self.update.chops_seen and self.dac.acts and self.dac.sign == "unsigned":
            seen = f"with update.transfer.gamma = {self.update.of_transfer('gamma')} inputs have the signs of a chopper"
            yield f"dac.sign = 'unsigned': {seen}, use 'signed' or 'auto'"
        noisy = self.device.noisy or self.heat.noise
        if not self.device.noisy:  # thermal noise is drawn by lines
            self.idle("with noise of devices, device.read_noise or rtn_share above 0", "crossbar.exact_noise")
        if not (noisy or any(each.noise or each.stochastic for each in (self.dac, self.adc))):
            self.idle("with noise of devices, or converters with noise or stochastic rounding", "crossbar.repeats")
        yield from self._check_heat()
        if not self.calibrates:
            self.idle("where a range is calibrated", "calibration_every")
        if "crossbar.weight_headroom" in self.unseen:
            self.idle("where something goes by the range of the weights", "crossbar.follow_weights")
            self.idle("where devices or converters are not ideal", "update.write_threshold")
        wears = "leak" if self.device.leak else "disturb" if self.device.disturb else ""
        if self.update.write_threshold and wears:
            what = f"update.write_threshold = {self.update.write_threshold}"
            alone = f"devices that are left alone {wears} by histories of their own"
            yield f"{what}: {alone}, set device.{wears} = 0"
        if not self.redraws:
            self.idle("where products or states that are read again differ", "nudged.mean_sweeps")
        if self.transposed.devices == "same":
            self.idle("with transposed.devices own", "nudged.paths")
        if self.nudged.increments:
            yield from self._check_increments()
        yield from self._check_paths()
        if self.crossbar.slices > 1:
            yield from self._check_slices()
        if self.crossbar.mapping == "offset":
            yield from self._check_offset()

    def _check_rows(self) -> None:
        """Refuse a duration of writing rows anew where weights change in memory, and none is."""
        update, bar = self.update, self.crossbar
        if self.attention.kind == "analog":
            return  # every sequence writes its patterns
        follows = bar.weight_range is None and (update.fill < 1 if update.fill is not None else update.scaled)
        shifts = update.zero_shift is not None and bar.reference == "device"
        if not (follows or shifts):
            again = "that of weights which outgrow it (update.fill below 1) or of references (update.zero_shift)"
            self.idle(f"with update.scheme digital, or with a programming behind the first: {again}", "timing.row")

    def _check_cells(self) -> Iterator[str]:
        """Refuse cells that no pulse reaches, or that the layout has no devices for."""
        bar, cell = self.crossbar, self.device.cell
        in_memory = f"where weights change in memory, with update.scheme {PULSING}"
        if not self.update.in_memory:
            self.idle(in_memory, "device.cell", "device.endurance", "device.retention")
            self.idle(in_memory, "device.retention_spread")
            if bar.reference == "device":
                yield f"crossbar.reference = 'device': it acts only {in_memory}"
        if not self.timing.passes:
            self.idle("where time passes, with timing.integration or another duration", "device.retention")
        if cell.paired and bar.mapping != "differential":
            yield f"device.cell.kind = '{cell.kind}': a pair needs crossbar.mapping = 'differential'"
        if bar.reference != "device":
            names = ("reference_at", "reference_mean", "reference_spread", "reference_rounds")
            self.idle("with crossbar.reference device", *(f"device.cell.{name}" for name in names))
            if not self.update.refers or cell.paired:
                self.idle("with crossbar.reference device, or a rule that refers a fast array", "update.zero_shift")
            fast = (f"update.transfer.{name}" for name in names[1:3])
            self.idle("with crossbar.reference device", *fast)
        if not cell.reference_spread:
            self.idle("with device.cell.reference_spread above 0", "device.cell.reference_rounds")

    def _check_heat(self) -> Iterator[str]:
        """Refuse a temperature that nothing goes by, and what goes by none."""
        device = self.device
        drifts = device.drifts and self.ages
        if self.temperature is None or not drifts:
            self.idle("with a temperature and a drift that has a time", "device.drift_activation")
        heat = self.heat
        if not SMALLEST <= heat.hurry <= LARGEST:
            hot = f"at temperature = {self.temperature} and drift_temperature = {device.drift_temperature}"
            told = f"{hot} drift begins {heat.hurry:.1g} times as fast, allowed is {SMALLEST:g} to {LARGEST:g}"
            yield f"device.drift_activation = {device.drift_activation}: {told}"
        if heat.noise > LARGEST:
            told = f"over timing.integration = {self.timing.integration} thermal noise is {heat.noise:.1g} uS"
            yield f"device.read_voltage = {device.read_voltage}: {told}, allowed is up to {LARGEST:g}"
        if not (heat.noise or (drifts and device.drift_activation)):
            reads, drift = "device.read_voltage and timing.integration", "device.drift_activation and a drift"
            self.idle(f"with {reads}, or with {drift} (random telegraph noise does not go by it)", "temperature")

    def _check_age(self) -> None:
        """Refuse a drift that has no time, and a time in which nothing happens."""
        device = self.device
        names = ("drift_mean", "drift_spread", "drift_mean_above", "drift_spread_above", "drift_compensation")
        exponents = device.drifts
        if not self.ages:
            told = "with device.age above 0, or where time passes, with timing.integration or another duration"
            self.idle(told, *(f"device.{name}" for name in (*names, "relaxation_times")))
        if not (exponents or device.flickers or device.programming_noise_fresh or device.retention):
            laws = f"read noise of law {AGEING}, programming_noise_fresh, or retention"
            self.idle(f"with a drift exponent, {laws}", "device.age")
        if not ((exponents and self.ages) or device.flickers):
            told = f"with a drift exponent and a time, device.age or timing, or read noise of law {AGEING}"
            self.idle(told, "device.drift_start")

    def _check_increments(self) -> Iterator[str]:
        for name, converter in (("dac", self.dac), ("adc", self.adc)):
            if converter.bits == 1:
                yield f"{name}.bits = 1: increments have either sign and need 2 or more"
        if self.attention.kind == "analog":
            read = "analog attention units read states"
            yield f"nudged.drive = 'increments': {read}, use attention.kind = 'digital'"

    def _check_paths(self) -> Iterator[str]:
        """Refuse what no current of this chip goes by."""
        adc, dac, device = self.adc, self.dac, self.device
        if not max(adc.gain_spread, adc.offset_spread, adc.inl_spread, adc.dnl, self.timing.adc):
            differing = "ADCs that differ, by gain_spread, offset_spread, inl_spread or dnl"
            self.idle(f"with timing.adc or {differing}", "adc.columns")
        wired = self.wires.r_word > 0 or self.wires.r_bit > 0
        priced = self.cost != Cost()
        read = self.heat.noise > 0 or (priced and (self.timing.integration > 0 or self.timing.tau is not None))
        if device.iv != "sinh" and not read:
            where = "with device.iv sinh, or with timing.integration or tau and a temperature or constants of cost"
            self.idle(where, "device.read_voltage")
        if device.iv == "linear":
            if not priced:
                self.idle("with device.iv sinh or cubic, or with constants of cost", "dac.encoding")
        elif dac.bits is None and dac.range is None:
            yield f"device.iv = {device.iv!r}: it needs a DAC with a full scale, dac.bits or dac.range"
        elif wired:
            self.idle("with device.iv linear, behind wires", "wires.refresh_every", "crossbar.exact_noise")
        elif dac.encoding != "amplitude" or dac.digit_bits == 1:
            where = "dac.encoding amplitude and digits of more than a bit, or behind wires"
            names = ("iv", "iv_voltage", "iv_cubic", *(() if read else ("read_voltage",)))
            self.idle(f"with {where}", *(f"device.{name}" for name in names))
        if self.timing.tau is None:
            self.idle("in continuous time, with timing.tau", "cost.sampling_time")
        else:
            self.idle("without timing.tau: in continuous time nothing is read twice", "crossbar.repeats")
            self.idle("without timing.tau: in continuous time rows that came in turn are held", "crossbar.hold_input")
        if dac.encoding != "pulses":
            self.idle("with dac.encoding pulses", "cost.phase_bits", "cost.phase_step")
        if dac.encoding not in ("pulses", "serial"):
            self.idle("with dac.encoding pulses or serial", "cost.integration_step")

    def _check_slices(self) -> Iterator[str]:
        levels, bits = self.device.levels, self.crossbar.slice_bits or 0
        if levels is not None and levels < 2**bits:
            yield f"crossbar.slice_bits = {bits}: {2**bits} levels, the device has {levels}"
        if self.device.disturb:
            yield f"device.disturb = {self.device.disturb}: it is of weights on one slice, not of several"
        if self.update.scheme != "digital":
            yield f"update.scheme = '{self.update.scheme}': bit slices are reprogrammed, by 'digital' only"

    def _check_offset(self) -> Iterator[str]:
        bar, device = self.crossbar, self.device
        if bar.zero == "level" and bar.slices == 1:
            if device.levels is None and not device.resolution:
                self.idle("with device.levels or resolution, or slices", "crossbar.zero")
            elif not zero_and_reach(device, "level")[1]:
                yield "crossbar.zero = 'level': device.levels leaves none on one side of it, use 3 or more"
        lines, columns = bar.reference_lines, bar.columns
        few = lines is not None and (columns is None or lines < columns)
        if few and self.dac.bits is None and self.dac.range is None:
            yield (
                f"crossbar.reference_lines = {lines}: fewer than outputs of a tile need a DAC with a full scale, "
                "dac.bits or dac.range, beyond which no line is driven"
            )
