"""What a crossbar is made of: layout, device, wires and converters, from a chip or put together by hand."""

from __future__ import annotations

from typing import NamedTuple

from hw_models.arrays.converter_bank import Converters
from hw_models.chip import Chip, Device, Layout, Transposed, Wires
from hw_models.laws.heat import Heat


class CrossbarParts(NamedTuple):
    """Layout, devices, wires and converters of one crossbar.

    A learning rule that needs several crossbars, or devices of two kinds, puts them together itself; what a chip says
    comes from :meth:`of`.
    """

    layout: Layout
    """How weights lie on devices."""
    device: Device
    """The device."""
    wires: Wires
    """Line resistance."""
    converters: Converters
    """DAC and ADC of both directions."""
    in_memory: bool = False
    """Whether weights are changed on the devices themselves, by pulses: :attr:`Crossbar.stored` in place, then
    :meth:`Crossbar.refresh`. Every device then has a last write of its own."""
    transposed: Transposed = Transposed()
    """Path of transposed products."""
    increments: Converters | None = None
    """DAC and ADC of changes of signals, where products of them are read as such."""

    write_threshold: float = 0.0
    """Share of the range by which a weight is to move before programming writes it again; 0 writes all."""

    heat: Heat = Heat()
    """What the temperature does to the devices."""

    fills: bool = False
    """Whether matrices of any number of outputs lie on the same arrays: tiles are filled one after the other, and have
    all of their reference lines however many outputs there are. Else outputs are dealt out evenly."""

    @classmethod
    def of(cls, chip: Chip, name: str = "crossbar") -> CrossbarParts:
        """Return the parts of a chip's crossbar of that name."""
        states = Converters(chip, name)
        increments = Converters(chip, name, states) if chip.nudged.increments else None
        own = chip.crossbar, chip.device, chip.wires, states, chip.update.in_memory
        return cls(
            *own, chip.transposed, increments=increments, write_threshold=chip.update.write_threshold, heat=chip.heat
        )

    @property
    def converts(self) -> bool:
        """Whether a converter changes signals."""
        return any(each.converter.acts for each in self.converters.digitisers.values())
