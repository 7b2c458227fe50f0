# Tested by tests/hw_models/chip/test_description.py.
"""How weights change, as data: the scheme; what one pulse does to a device: :mod:`hw_models.chip.pulse`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from hw_models.chip.counter import Counter
from hw_models.chip.fields import Count, Part, Positive, at
from hw_models.chip.rules import COMMON, RULES, Default, RuleFacts, takers
from hw_models.chip.transfer import Transfer
from hw_models.chip.verify import Verify

if TYPE_CHECKING:
    RuleName = str
else:
    RuleName = Literal[tuple(RULES)]



class Update(Part):
    """How weights change; see :mod:`hw_models.chip.rules` for the rules, :mod:`hw_models.arrays.pulses` for pulses."""

    scheme: RuleName = at("update", default="digital")
    """The learning rule: a digital master copy with reprogramming, digital accumulation that sends whole granules as
    pulses, or pulses in memory. ``neuroep chips --rules`` lists them."""
    reprogram_every: Count = at("update", "updates", 1)
    """Digital: updates of the master copy between two programmings."""
    write_threshold: Annotated[float, Field(ge=0, lt=1)] = at("update", "of the weight range", 0.0)
    """Digital: a programming writes only the devices of weights that should move by more than this since their last
    write, see :mod:`hw_models.arrays.last_writes`. 0 writes all."""
    granule: Positive | None = at("update", "of the weight range", None)
    """Mixed precision: accumulated change that one pulse moves. Unset takes dw_min, and twice that for bidirectional
    pairs, whose two devices both move."""
    trains: Literal["expected", "stochastic"] = at("update", default="expected")
    """Trains. Expected: one step with the mean, variance and correlation of the train. Stochastic: every train pulse by
    pulse. Both describe the same pulses. Without noise they agree wherever the order of pulses does not matter."""
    signals: Literal["phases", "contrast", "net_counts"] | None = at("update", default=None)
    """Trains. Phases: +s+ x a+ and -s- x a-. Contrast: (s+ - s-) x mean a and mean s x (a+ - a-) of held phases.
    Net counts: the trains of both phases are counted at every device, and the difference is sent as pulses. Unset is
    contrast, for the rule pulsed it is phases."""
    train_length: Annotated[int, Field(ge=1, le=63)] = at("update", "pulse slots", 31)
    """Trains: length of the longest train."""
    overlong: Literal["post", "both"] = at("update", default="post")
    """Trains, with management: which signals are cut if even the longest train is too short, those of the post side or
    both."""
    management: bool = at("update", default=True)
    """Trains: fit the train length and both factors to the present signals. Off keeps A = B = sqrt(rate/(dw_min
    BL))."""
    scaling: Literal["auto", "off"] | None = at("update", default=None)
    """Trains. Auto: learning rates are sizes of steps, -step lr g/r with the running rms r of g over an array, and the
    range of weights follows them, see fill. Off: learning rates are factors of g. Unset is auto; for pulsed and
    mixed_precision it is off."""
    step: Positive = at("update", "learning rate", 2.0)
    """Scaling auto: change of the weights in an update, root mean square over an array."""
    rms: Literal["array", "lines"] = at("update", default="lines")
    """Scaling auto, trains: what r is taken over. Array: a whole array. Lines: its lines, as r_i r_j/r for output i and
    input j; the signals of the lines are divided by r_i/r and r_j/r before they are sent."""
    fill: Annotated[float, Field(gt=0, le=1)] | None = at("update", "of the bound", None)
    """In memory, without crossbar.weight_range: share of the devices' bounds within which weights begin. If over 1 % of
    them grow beyond it, all devices are rewritten with twice the range. 1 leaves the range as it is. Unset is 1 without
    scaling auto. With it, unset is 1/4, up to 3/4 for coarse devices and references that err, and up to 1 for one
    device per weight with mismatch."""
    memory: Count = at("update", "updates", 1000)
    """Scaling auto: updates over which the mean r runs."""
    zero_shift: Count | None = at("programming", "pairs", None)
    """In memory, before learning: pairs of a pulse up and a pulse down that bring devices to their symmetry point.
    Their reference devices are then programmed to this point. In rules with a digital reference of A, this reference
    begins with what is read there. Unset leaves references where device.cell says."""
    verify: Verify = at("programming", default=Verify())
    """The closed loop of weights that learn by pulses. Mixed precision uses it in each update, other rules where
    weights are programmed."""
    counter: Counter = at("update", default=Counter())
    """Counters of net counts."""
    transfer: Transfer = at("update", default=Transfer())
    """From a fast array to the slow one."""

    @property
    def facts(self) -> RuleFacts:
        """What is said of the rule."""
        return RULES[self.scheme]

    @property
    def in_memory(self) -> bool:
        """Whether weights change on the devices themselves, by pulses."""
        return self.scheme != "digital"

    @property
    def scaled(self) -> bool:
        """Whether trains are scaled by the running rms of the contrast."""
        return (self.scaling or self.facts.takes.get("scaling")) == "auto"

    @property
    def per_line(self) -> bool:
        """Whether every line has a running mean square of its own."""
        return self.scaled and self.rms != "array"

    @property
    def refers(self) -> bool:
        """Whether the rule keeps a reference of A in digital form."""
        return "transfer.tracking" in self.facts.takes

    @property
    def sees(self) -> bool:
        """Whether products read a fast array beside the weights' own; gamma of residual learning is of these."""
        return bool(self.of_transfer("gamma")) and "transfer.tiles" not in self.facts.takes

    @property
    def chops_seen(self) -> bool:
        """Whether products read a fast array with the signs of a chopper."""
        names = "transfer.chop_every", "transfer.chop_probability"
        return self.sees and not self.facts.takes.keys().isdisjoint(names)

    @property
    def rounds(self) -> int:
        """Most rounds of reads and pulses of a closed loop; 0 where there is none."""
        usual = self.facts.takes.get("verify.rounds")
        return self.verify.rounds or (usual if isinstance(usual, int) else 0)

    @property
    def contrasts(self) -> bool:
        """Whether trains are of the contrast."""
        return (self.signals or self.facts.takes.get("signals")) == "contrast"

    @property
    def counts(self) -> bool:
        """Whether the coincidences of both phases are counted, and the difference is pulsed."""
        return self.signals == "net_counts"

    def of_transfer(self, name: str) -> Default:
        """Return a field of the transfer as it is set, or else the rule's own default."""
        own: Default = getattr(self.transfer, name)
        return self.facts.takes.get(f"transfer.{name}") if own is None else own

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together."""
        others = COMMON - self.facts.takes.keys()
        if self.signals == "phases":
            others -= {"signals"}  # as chips of version 0.1 have it, whatever their rule
        for name in sorted(others):
            self.idle(f"with scheme {takers(name)}", name)
        gamma = self.transfer.gamma
        if "transfer.tiles" in self.facts.takes and gamma is not None and not 0 < gamma < 1:
            yield f"transfer.gamma = {gamma}: scales of arrays fall, use more than 0 and less than 1"
        if not self.rounds:
            self.idle("with verify.rounds", "verify.tolerance")
        if self.verify.tolerance:
            self.idle("in an open loop, with verify.tolerance 0", "granule")
        if not self.management:
            self.idle("with management", "overlong", "counter.room")
        if self.counts:
            told = "with signals phases or contrast: counts are digital, and net counts pulsed one by one"
            self.idle(told, "trains", "train_length", "overlong")
        else:
            self.idle("with signals net_counts", "counter")
        if self.facts.sends_trains and not self.scaled:
            self.idle("with scaling auto", "memory", "step", "rms", "transfer.pulses")
