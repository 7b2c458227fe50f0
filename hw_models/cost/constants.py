"""Constants of a chip's bill, each with its source: the chip's own, else those of its components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from hw_models import components
from hw_models.chip import Chip
from hw_models.chip.cost import Cost
from hw_models.chip.fields import said_of
from hw_models.components import Component
from hw_models.errors import ChipError
from hw_models.tally import Work

OWN = "the chip's own"
PATTERNS = " patterns"
"""What follows the name of an attention layer in that of the arrays on which it keeps patterns."""
SCALES: Mapping[str, float] = {
    "pJ": 1e-12, "fJ": 1e-15, "nJ": 1e-9, "fF": 1e-15, "uW": 1e-6, "nm": 1e-9, "um^2": 1e-12, "mm^2": 1e-6,
}  # fmt: skip
"""SI units in those of the constants; what is not here is in SI units already."""
CHOICES = frozenset({"lines", "phase_bits", "core_includes", "adc_lines", "cores"})
"""What says how a chip works rather than what it takes."""
NUMBERS = frozenset({"write_iterations", "hops", "sampling_time"})
"""What says how often."""


@dataclass(frozen=True)
class Constants:
    """The constants of a chip, its own before those of its components.

    Attributes
    ----------
    chip : Chip
        Whose they are.
    conductance : mapping of str to float
        Mean conductance of the devices of an array [uS], by its name, for pulses that are priced by voltage.
    patterns : mapping of str to int
        By attention layer the most patterns of a sample, for which its arrays have room where tiles have no size.
    """

    chip: Chip
    conductance: Mapping[str, float] = field(default_factory=dict)
    patterns: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Leave out what the chip keeps without effect."""
        object.__setattr__(self, "chip", self.chip.acting)

    def columns(self, part: str, outputs: int) -> int:
        """Return the outputs that a tile of an array has room for, of one with so many."""
        layer, of_patterns, _ = part.rpartition(PATTERNS)
        return self.chip.crossbar.columns or (self.patterns.get(layer) if of_patterns else None) or outputs

    @property
    def cost(self) -> Cost:
        """What the chip says of itself."""
        return self.chip.cost

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """The tables that the chip names.

        Raises
        ------
        ChipError
            If two of them hold the same constant, and the chip does not say which; or one is of inputs that are
            encoded otherwise than the chip's.
        """
        found = tuple(components.load(name) for name in self.cost.components)
        if faults := list(self._misfits(found)):
            raise ChipError(*(f"chip '{self.chip.name}': cost.components: {fault}" for fault in faults))
        return found

    def _misfits(self, found: Sequence[Component]) -> Iterator[str]:
        """Yield what does not fit: a constant of two components, and components of another encoding."""
        first: dict[str, str] = {}
        for component in found:
            for name in component.constants:
                if name in first and not self._own(name) and name not in CHOICES:
                    yield f"'{first[name]}' and '{component.name}' both hold {name}; set cost.{name}"
                first.setdefault(name, component.name)
            if component.encoding and component.encoding != self.coding:
                what = f"'{component.name}' has the constants of another encoding than '{self.coding}'"
                yield f"{what}; set dac.encoding = '{component.encoding}'"

    def check(self) -> None:
        """Refuse components that do not fit, or leave a field that is set without effect.

        All that is decided by the chip alone, before a run, or a page of the chip.

        Raises
        ------
        ChipError
            With a line for each fault.
        """
        _ = self.components
        chip, source = self.chip, self.source("write_time")
        if chip.timing.pulse and chip.update.scheme == "digital" and source not in ("", OWN):
            held = f"'{source}' has the width of writes, write_time: take one of them"
            raise ChipError(f"chip '{chip.name}': timing.pulse = {chip.timing.pulse:g} s cannot act: {held}")

    def _own(self, name: str) -> bool:
        return getattr(self.cost, name) != Cost.model_fields[name].default

    def source(self, name: str) -> str:
        """Return whose constant that is: the chip's, a component's by name, or nobody's, ""."""
        if self._own(name):
            return OWN
        return next((one.name for one in self.components if name in one.constants), "")

    def _raw(self, name: str) -> object:
        if not self._own(name):
            for component in self.components:
                if name in component.constants:
                    return component.constants[name]
        return getattr(self.cost, name)

    def choice(self, name: str) -> str:
        """Return one of several words, as ``lines``."""
        return str(self._raw(name))

    @property
    def coding(self) -> str:
        """What carries an input, ``dac.encoding``."""
        return self.chip.dac.encoding

    def sent(self, done: Work) -> int | None:
        """Return the bits of an input that a row of a tally says were sent.

        Where it says nothing they are those of the chip's DAC, of one whose sign is calibrated those with a sign.
        """
        dac = self.chip.dac
        return dac.sent(dac.sign == "unsigned") if done.sent is None else done.sent

    def lumps(self) -> tuple[str, ...]:
        """Return what is in the energy of a core already; nothing where it is not known."""
        found = self._raw("core_includes")
        return tuple(found) if self.value("core_energy") is not None and isinstance(found, list | tuple) else ()

    def value(self, name: str, bits: int | None = None) -> float | None:
        """Return a constant in SI units; of one by bits that for a resolution; None where it is not known.

        Between two resolutions it is geometric, beyond the first and the last there is none.
        """
        raw = self._raw(name)
        if isinstance(raw, Mapping):
            raw = between(raw, bits)
        if not isinstance(raw, int | float):
            return None
        return float(raw) * SCALES.get(said_of(Cost.model_fields[name]).get("unit", ""), 1.0)

    @property
    def write_width(self) -> float | None:
        """Width of a programming pulse [s]: ``write_time``, or ``timing.pulse`` where pulses are known by voltage."""
        own = self.value("write_time")
        return own if own is not None or self.value("write_voltage") is None else self.chip.timing.pulse or None

    @property
    def meter(self) -> str:
        """What has to be summed up of reads, one of :data:`hw_models.tally.METERS`; "" where their number is enough."""
        by_number = self.value("cell_energy") is not None or "cells" in self.lumps()
        flows = self.chip.timing.integration > 0 or self.chip.timing.tau is not None
        if by_number or self.chip.device.read_voltage is None or not flows:
            return ""
        coding, dac = self.coding, self.chip.dac
        if coding == "serial" and dac.bits is not None:
            return "bits" if dac.digit_bits is None else "charge" if dac.digit_bits > 1 else "square"
        return "square" if coding == "amplitude" else "charge"

    def known(self) -> Iterator[tuple[str, str]]:
        """Yield every constant that is known, and whose it is."""
        for name in Cost.model_fields:
            if name != "components" and self.source(name):
                yield name, self.source(name)

    @property
    def any(self) -> bool:
        """Whether anything is known that has a price: how often and in what way alone is no bill."""
        return any(name not in CHOICES | NUMBERS for name, _ in self.known())


def between(table: Mapping[str, float], bits: int | None) -> float | None:
    """Return the entry of a table by bits, geometric between two; None outside, or without bits."""
    known = {int(name): float(value) for name, value in table.items()}
    if bits is None or not min(known) <= bits <= max(known):
        return None
    if bits in known:
        return known[bits]
    low, high = max(b for b in known if b < bits), min(b for b in known if b > bits)
    if not known[low] or not known[high]:
        return None
    return float(np.exp(np.interp(bits, [low, high], np.log([known[low], known[high]]))))
