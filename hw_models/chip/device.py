# Tested by tests/hw_models/chip/test_description.py.
"""One resistive device as data; equations and sources: :mod:`hw_models.laws`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from hw_models.chip.cell import Cell
from hw_models.chip.fields import Branch, Finite, Four, NonNegative, Part, Positive, Share, at
from hw_models.chip.pulse import Pulse
from hw_models.laws.current_voltage import CURRENT_VOLTAGE, CurrentVoltage
from hw_models.laws.law import meaning, menu, missing, taken
from hw_models.laws.read_noise import READ_NOISE, UNIT, ReadNoise
from hw_models.reading import Entries, Page

if TYPE_CHECKING:
    ReadNoiseName = str
    CurrentVoltageName = str
else:
    ReadNoiseName = Literal[tuple(READ_NOISE)]
    CurrentVoltageName = Literal[tuple(CURRENT_VOLTAGE)]

CURRENT_BY_VOLTAGE = f"How the current depends on the voltage. {menu(CURRENT_VOLTAGE)}"
SIEMENS, MICRO = 1e-2, 1e6
"""Highest conductance below which siemens may be meant [uS], of a ``g_max`` below ``g_min``, which cannot be anyway;
microsiemens of a siemens. One that can be is asked after only below ``doubts.LEAST``: devices of a nanosiemens exist.
"""
RELAXATION = (1.0, 86400.0)
STEEPEST = 20.0
"""Largest read voltage over ``iv_voltage``; beyond, a half driven device would pass less than 1e-4 of a full one."""
FINEST = 1 / 2**24
"""Least ``resolution``, as a share of the range: single precision holds no finer step."""


def refitted(device: Entries, changes: Entries) -> Page:
    """Return changes of a device's table, with what they mean for the polynomial in uS beside them.

    Another ``g_max`` alone keeps ``programming_noise`` a fit to devices of the ``g_max`` it had. Another
    ``programming_noise`` is in uS as it stands and there at once. What is given beside them stands.
    """
    result = dict(changes)
    if "programming_noise" in changes:
        whole = {"programming_noise_fresh": (), "relaxation_times": RELAXATION, "programming_noise_g_max": None}
        return whole | result
    if "programming_noise_g_max" in changes:
        return result
    if "g_max" in changes and device.get("programming_noise"):
        had = device.get("g_max", Device.model_fields["g_max"].default)
        if changes["g_max"] != had and device.get("programming_noise_g_max") is None:
            result["programming_noise_g_max"] = had
    return result


def _of_read_noise(name: str, unit: str = "1", default: object = 0.0) -> Any:
    """Return a field that some laws of read noise take, with what it means to each."""
    return at("read", unit, default, meaning(READ_NOISE, name))


class Device(Part):
    """One resistive device: conductances in uS. Equations and sources: :mod:`hw_models.laws`."""

    g_min: NonNegative = at("programming", "uS", 0.0)
    """Lowest conductance."""
    g_max: Positive = at("programming", "uS", 25.0)
    """Highest conductance."""
    g_min_spread: NonNegative = at("device", "of g_min", 0.0)
    """Device-to-device spread of the lowest conductance."""
    g_max_spread: NonNegative = at("device", "of g_max", 0.0)
    """Device-to-device spread of the highest conductance. Targets above it are cut."""
    mismatch: NonNegative = at("device", "of g", 0.0)
    """Device-to-device spread of the gain: a device conducts this gain times its programmed conductance."""
    levels: Annotated[int, Field(ge=2)] | None = at("programming", default=None)
    """Number of equidistant conductances from g_min to g_max; unset is continuous."""
    resolution: NonNegative = at("programming", "uS", 0.0)
    """Smallest difference that write and verify resolves. Targets are rounded to multiples of it above g_min."""
    programming_noise: Annotated[tuple[Finite, ...], Field(strict=False)] = at("programming", "uS", ())
    """Standard deviation of a programmed conductance as a polynomial in g/g_max, constant term first."""
    programming_noise_fresh: Annotated[tuple[Finite, ...], Field(strict=False)] = at("programming", "uS", ())
    """The same noise right after a write, for devices that relax afterwards. The rest of programming_noise comes with
    the age. Unset, all of it is there at once."""
    relaxation_times: Annotated[tuple[Positive, Positive], Field(strict=False)] = at("programming", "s", RELAXATION)
    """Age up to which the noise is programming_noise_fresh, and age from which it is programming_noise. In between, its
    variance grows with the logarithm of the age."""
    programming_noise_g_max: Positive | None = at("programming", "uS", None)
    """The g_max of the devices to which programming_noise was fitted, also the fresh one. With another g_max the noise
    grows in proportion. Unset, the noise is in uS as given. If you change the g_max of an existing chip, this field
    keeps the former one."""
    read_noise: NonNegative = at("read", UNIT, 0.0)
    """Size of the noise of one read; read_noise_law gives its meaning."""
    read_noise_law: ReadNoiseName = at("read", default="additive", means=menu(READ_NOISE))
    read_noise_exponent: NonNegative = _of_read_noise("read_noise_exponent", default=0.65)
    read_noise_cap: Positive = _of_read_noise("read_noise_cap", default=0.2)
    read_noise_log: Four = _of_read_noise("read_noise_log", default=(0.0, 0.0, 0.0, 0.0))
    read_noise_above: Branch = _of_read_noise("read_noise_above", default=())
    read_time: Positive = _of_read_noise("read_time", "s", 250e-9)
    read_noise_band: Annotated[tuple[Positive, Positive], Field(strict=False)] | None = at("read", "s", None)
    """Shortest and longest time constant of 1/f noise. With a clock (:mod:`hw_models.chip.timing`), reads share the
    part that is slower than the time between them. Unset, every read draws new noise. The law pcm has a band of its
    own, from twice read_time to the age and drift_start."""
    rtn_share: Share = at("device", default=0.0)
    """Share of devices with a trap that causes random telegraph noise; see :mod:`hw_models.laws.telegraph`."""
    rtn_amplitude: Share = at("read", "of g", 0.05)
    """Share of the conductance that is lost while the trap is filled, for a device at g_max."""
    rtn_exponent: NonNegative = at("read", default=0.0)
    """Growth of this share towards lower conductances, (g/g_max)^-exponent."""
    rtn_amplitude_spread: NonNegative = at("device", default=0.0)
    """Trap-to-trap spread of the logarithm of this share."""
    rtn_capture: Positive = at("read", "s", 1e-3)
    """Mean time until an empty trap captures a carrier; the middle of its spread."""
    rtn_emission: Positive = at("read", "s", 1e-3)
    """Mean time until a filled trap emits its carrier; the middle of its spread."""
    rtn_decades: Annotated[float, Field(ge=0, le=30)] = at("device", "decades", 0.0)
    """Decades over which both times spread from trap to trap; the two times of a trap spread together."""
    drift_mean: Four = at("programming", default=(0.0, 0.0, 0.0, 0.0))
    """Mean of the drift exponent nu: clip(a ln(g/g_max) + b, low, high) as (a, b, low, high)."""
    drift_spread: Four = at("programming", default=(0.0, 0.0, 0.0, 0.0))
    """Standard deviation of nu, in the same form."""
    drift_mean_above: Branch = at("programming", default=())
    """Polynomial for v = g/g_max >= v0, given as (v0, c0, c1, ...): the mean of nu is c0 + c1 v + ... there."""
    drift_spread_above: Branch = at("programming", default=())
    """The same for the standard deviation of nu."""
    drift_start: Positive = at("programming", "s", 20.0)
    """Time t0 after a write at which drift sets in: g (1 + t/t0)^-nu."""
    drift_activation: NonNegative = at("read", "eV", 0.0)
    """Activation energy of the onset of drift: at the chip's temperature T, drift_start is multiplied by exp(E/k (1/T -
    1/T0))."""
    drift_temperature: Positive = at("read", "K", 300.0)
    """T0, at which drift_start holds."""
    age: NonNegative = at("read", "s", 0.0)
    """Time t from the last write of a device to its reads, on a chip that is deployed, evaluated or compared. While a
    chip trains, devices are read right after they are written or, on a chip with a clock, after the time that has
    passed on it. Each pulse or reprogramming starts the time anew. The evaluation after each epoch reads the devices at
    this age. A trained chip may be read at any age without a new write."""
    drift_compensation: bool = at("read", default=False)
    """Scale the outputs by the ratio of the summed conductances at programming to those now."""
    read_voltage: Positive | None = at("read", "V", None)
    """Voltage across a device whose line is driven by the full scale of the DAC (1 without one)."""
    iv: CurrentVoltageName = at("read", default="linear", means=CURRENT_BY_VOLTAGE)
    iv_voltage: Positive | None = at("read", "V", None, meaning(CURRENT_VOLTAGE, "iv_voltage"))
    iv_cubic: Annotated[float, Field(gt=0, le=1)] = at("read", "1", 0.1, meaning(CURRENT_VOLTAGE, "iv_cubic"))
    phase_drift: Annotated[float, Field(ge=-0.01, le=0.01)] = at("read", "1/phase", 0.0)
    """Share by which conductances, or their supply, rise from each phase of a sample to the next: positive for heating,
    negative for a supply that sags. Products of phase k are 1 + k phase_drift times those of the free phase, which is k
    = 0. Held products of the clamped input belong to the free phase."""
    nudge_shift: Annotated[float, Field(ge=-0.5, le=0.5)] = at("read", "1", 0.0)
    """Share by which conductances, or their supply, are higher under a positive nudge and lower under a negative one
    (load of the nudge on the supply). No order of the phases removes it."""
    leak: Share = at("update", "1/update", 0.0)
    """Share of the conductance above g_min that a device loses from one update to the next. A weight that is kept in
    digital form is written anew with its next programming. A weight that changes in memory loses this share."""
    disturb: Share = at("programming", "of the move", 0.0)
    """Share of the move of a written device by which the others on its row and column of the tile move too. If writes
    are pulses, all others move; else those that were written before it."""
    stuck_low: Share = at("device", default=0.0)
    """Share of devices stuck at g_min."""
    stuck_high: Share = at("device", default=0.0)
    """Share of devices stuck at g_max."""
    retention: Positive | None = at("update", "s", None)
    """Time constant with which a device loses its conductance above g_min from one update to the next,
    exp(-t/retention) by the clock of the chip, and until it is read at device.age. It acts on weights that are kept in
    memory alone. Unset, nothing is lost."""
    retention_spread: NonNegative = at("device", default=0.0)
    """Device-to-device standard deviation of the logarithm of that time."""
    endurance: Positive | None = at("device", "pulses", None)
    """Pulses that a device takes before it counts as worn. Pulses are then counted for every device, and the share of
    worn devices is reported. A worn device goes on as before."""
    pulse: Pulse = at("update", default=Pulse())
    """Response to pulses."""
    cell: Cell = at("update", default=Cell())
    """Which devices make a weight that changes in memory."""

    @property
    def moved(self) -> int:
        """How many devices of a weight one pulse moves."""
        return 2 if self.cell.kind == "bidirectional" else 1

    @property
    def granule(self) -> float:
        """What one pulse changes a weight of 0 by where all of its devices move, a share of the weight range."""
        return self.pulse.dw_min * self.moved

    @property
    def noisy(self) -> bool:
        """Whether reads are noisy by the device itself."""
        return self.read_noise > 0 or self.rtn_share > 0

    @property
    def drifts(self) -> bool:
        """Whether conductances fall with time."""
        return max(self.drift_mean[3], self.drift_spread[3]) > 0

    @property
    def relaxes(self) -> bool:
        """Whether the error of a write grows with time."""
        return len(self.programming_noise_fresh) > 0

    @property
    def ages(self) -> bool:
        """Whether a read goes by the time since the last write: drift, relaxation, or 1/f noise."""
        return self.drifts or self.relaxes or self.flickers

    @property
    def noise(self) -> ReadNoise:
        """The law of read noise, which acts where ``read_noise`` is above 0."""
        return READ_NOISE[self.read_noise_law]

    @property
    def current_voltage(self) -> CurrentVoltage:
        """The law of its current by the voltage across it."""
        return CURRENT_VOLTAGE[self.iv]

    @property
    def flickers(self) -> bool:
        """Whether read noise grows with the time since the last write."""
        return self.read_noise > 0 and self.noise.ages

    def model_copy(self, *, update: Entries | None = None, deep: bool = False) -> Self:
        """Return a copy with other values, unchecked; another g_max as :func:`refitted` says."""
        return super().model_copy(update=refitted(dict(self), update or {}), deep=deep)

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together."""
        if self.g_min >= self.g_max:
            why = f"it should be below g_max = {self.g_max} uS"
            if self.g_max < SIEMENS:
                why += f"; conductances are in microsiemens, {self.g_max} S is {MICRO * self.g_max:g}: is that meant?"
            yield f"g_min = {self.g_min}: {why}"
        else:
            yield from self._check_levels()
        if self.stuck_low + self.stuck_high > 1:
            yield f"stuck_high = {self.stuck_high}: with stuck_low = {self.stuck_low} more than all devices"
        yield from self._check_noise()
        for name in ("drift_mean", "drift_spread"):
            if not 0 <= getattr(self, name)[2] <= getattr(self, name)[3]:
                yield f"{name} = {list(getattr(self, name))}: low and high should be 0 <= low <= high"
        yield from self._check_cell()
        yield from self._check_idle()

    def _check_cell(self) -> Iterator[str]:
        """Refuse responses that the devices of a cell cannot have."""
        pulse, kind = self.pulse, self.cell.kind
        if kind == "single" and not pulse.w_min:
            yield "pulse.w_min = 0.0: it should be below 0 with cell.kind 'single'"
        if kind != "single" and pulse.w_min:
            yield f"pulse.w_min = {pulse.w_min}: devices of a pair conduct from g_min up, set 0"
        if kind == "bidirectional" and pulse.response in ("linear", "soft_bounds"):
            steps = "steps down that shrink towards w_min = 0 are those of 'power', 'exponential' or 'table'"
            yield f"pulse.response = '{pulse.response}': {steps}"
        if kind == "one_sided":
            names = ("gamma_down", "gamma_down_spread", "a_down", "table_down", "step_correlation")
            self.idle("where pulses go down, with cell.kind single or bidirectional", *(f"pulse.{n}" for n in names))
            if pulse.up_down > 0:
                self.idle("below 0 where no pulses go down: above it shrinks steps down alone", "pulse.up_down")
        if self.retention is None:
            self.idle("with retention", "retention_spread")

    def _check_idle(self) -> Iterator[str]:
        """Refuse what belongs to a spread, a read noise or a drift that is not there."""
        if not self.g_min:
            self.idle("with g_min above 0", "g_min_spread")
        yield from self._check_idle_noise()
        yield from self._check_iv()
        for name in ("drift_mean", "drift_spread"):
            if getattr(self, name)[2] <= getattr(self, name)[3] == 0:
                self.idle("with a highest exponent above 0, its last number", name)
        if not max(self.drift_mean[3], self.drift_spread[3]):
            above = ("drift_mean_above", "drift_spread_above")
            self.idle("with a drift exponent, drift_mean or drift_spread", *above, "drift_compensation")

    def _check_idle_noise(self) -> Iterator[str]:
        if not self.rtn_share:
            parts = ("amplitude", "exponent", "amplitude_spread", "capture", "emission", "decades")
            self.idle("with rtn_share above 0", *(f"rtn_{part}" for part in parts))
        elif not self.rtn_amplitude:
            yield "rtn_amplitude = 0: with rtn_share it should be above 0"
        if not self.drift_activation:
            self.idle("with drift_activation", "drift_temperature")
        if not self.programming_noise:
            self.idle("with programming_noise", "programming_noise_g_max", "programming_noise_fresh")
        if not self.programming_noise_fresh:
            self.idle("with programming_noise_fresh", "relaxation_times")
        if not self.read_noise:
            self.idle("with read_noise above 0", "read_noise_law", "read_noise_band", *taken(READ_NOISE))
        if self.noise.ages:
            self.idle("with a read_noise_law that has no band of its own", "read_noise_band")
        for name, laws in missing(READ_NOISE, self.noise):
            self.idle(f"with read_noise_law {laws}", name)
        for reason, names in self.noise.idle(self):
            self.idle(reason, *names)

    def _check_iv(self) -> Iterator[str]:
        for name, laws in missing(CURRENT_VOLTAGE, self.current_voltage):
            self.idle(f"with iv {laws}", name)
        if self.iv != "sinh":
            return
        if self.read_voltage is None or self.iv_voltage is None:
            name = "read_voltage" if self.read_voltage is None else "iv_voltage"
            yield f"{name} = None: with iv = 'sinh' it is needed, in V"
        elif self.read_voltage > STEEPEST * self.iv_voltage:
            yield f"iv_voltage = {self.iv_voltage}: at most {STEEPEST:g} times below the read voltage"

    def _check_levels(self) -> Iterator[str]:
        span = self.g_max - self.g_min
        if self.resolution > span:
            yield f"resolution = {self.resolution}: the range holds {span:g} uS"
        elif 0 < self.resolution < FINEST * span:
            yield f"resolution = {self.resolution}: less than single precision holds of {span:g} uS, use 0 for none"
        elif self.levels is not None and self.resolution and (self.levels - 1) * self.resolution > span * (1 + 1e-9):
            most = int(span / self.resolution + 1e-9) + 1
            held = f"{span:g} uS at a resolution of {self.resolution:g} uS hold {most}"
            yield f"levels = {self.levels}: more than the range holds: {held}"
        if self.levels is not None and self.levels > 2**24:
            yield f"levels = {self.levels}: more than the range holds in single precision, {2**24}"

    def _check_noise(self) -> Iterator[str]:
        grid = np.linspace(0, 1, 101)
        sigma = np.polynomial.polynomial.polyval(grid, self.programming_noise or (0.0,))
        if sigma.min() < 0:
            where = f"negative at g/g_max = {grid[sigma.argmin()]:.2f}"
            yield f"programming_noise = {list(self.programming_noise)}: the standard deviation is {where}"
        fresh = np.polynomial.polynomial.polyval(grid, self.programming_noise_fresh or (0.0,))
        if fresh.min() < 0 or (self.programming_noise and sigma.min() >= 0 and (fresh > sigma + 1e-9).any()):
            allowed = "from 0 to programming_noise at every g/g_max"
            yield f"programming_noise_fresh = {list(self.programming_noise_fresh)}: it should be {allowed}"
        if self.read_noise_band and self.read_noise_band[0] >= self.read_noise_band[1]:
            yield f"read_noise_band = {list(self.read_noise_band)}: the second should be the longer time"
        if self.relaxation_times[0] >= self.relaxation_times[1]:
            yield f"relaxation_times = {list(self.relaxation_times)}: the second should be the later one"
