# Tested by tests/hw_models/chip/test_description.py.
"""How a weight matrix lies on devices, as data; equations: :mod:`hw_models.arrays.programming`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from hw_models.chip.fields import Count, Part, Positive, at


class Layout(Part):
    """How a weight matrix lies on devices."""

    rows: Count | None = at("device", "devices", None)
    """Inputs of one tile; unset puts all inputs on one tile."""
    columns: Count | None = at("device", "devices", None)
    """Outputs of one tile; unset puts all outputs on one tile."""
    mapping: Literal["differential", "offset"] = at("programming", default="differential")
    """Differential: a pair of devices, w ~ G+ - G-, one of them at g_min. Offset: one device, w ~ G minus the
    conductance of weight 0."""
    reference: Literal["digital", "analog", "device"] = at("read", default="digital")
    """Mapping offset: how the conductance of weight 0 is subtracted, in both directions. Digital: behind the ADC, as a
    known number times the sum of the DAC's digital signals. Analog: ahead of the ADC, as the current of reference
    devices. Device: where weights change in memory, every weight has its own reference device, programmed as
    ``device.cell`` says."""
    reference_lines: Count | None = at("device", "lines", None)
    """Reference analog: lines per tile that share the task of the reference. In transposed reads each is driven up to
    the DAC's full scale. Unset takes one per output. They lie beyond the last output, so that behind wires they droop
    more than the lines they are subtracted from."""
    zero: Literal["middle", "level"] = at("programming", default="middle")
    """Mapping offset: place of weight 0. Middle: the middle of the range, which lies between two levels if their number
    is even. Level: the next level above the middle; weights then reach as far as both sides have levels."""
    slices: Annotated[int, Field(ge=1, le=8)] = at("programming", default=1)
    """Devices over which the bits of a weight are spread. Each slice has its own array with its own ADC."""
    slice_bits: Annotated[int, Field(ge=1, le=8)] | None = at("programming", "bit", None)
    """Bits of one slice."""
    weight_range: Positive | None = at("programming", "weight", None)
    """Weight held at g_max. Unset takes weight_headroom times the largest weight of the first programming, and keeps
    it; where weights change in memory, update.fill says how far they reach, on a chip that is only deployed too."""
    weight_headroom: Annotated[float, Field(ge=1, le=1e7, allow_inf_nan=False)] = at("programming", default=1.0)
    """Factor of the range above the largest weight: room for weights that grow while learning. Exact devices behind
    exact converters hold weights of any size; set weight_range for a range without any other imperfection."""
    weight_clip: Positive | None = at("programming", "rms", None)
    """Largest weight that counts for the range, in units of the root mean square of all weights. Larger weights are
    cut. The others then use more of the devices' range, of which programming noise is a share. Unset cuts none (Joshi
    2020)."""
    follow_weights: bool = at("programming", default=False)
    """Set the weight range anew at every programming, to weight_headroom times the largest weight. ADC ranges follow
    with calibration_every. Off keeps the first range."""
    hold_input: bool = at("read", default=True)
    """Read the products of the clamped input once per sample and hold them; off reads them again at every step."""
    repeats: Annotated[int, Field(ge=1, le=4096)] = at("read", "reads", 1)
    """Reads of every product; their mean is taken digitally behind the ADC. White noise falls with the root of their
    number. Noise that lasts longer than the reads hardly falls. On a chip with a clock it may grow, since n reads take
    n times as long and slow noise changes further. Each read is counted and takes its time."""
    exact_noise: bool = at("read", default=False)
    """Draw read noise for every device and sample. Off draws it at the outputs with the same mean and covariance;
    behind wires this is an approximation, see :mod:`hw_models.arrays.line_noise`."""

    @property
    def sides(self) -> int:
        """Devices of a weight, slice by slice: two of a pair, and with a reference of its own."""
        return 2 if self.mapping == "differential" or self.reference == "device" else 1

    @property
    def cuts(self) -> bool:
        """Whether weights may be cut whatever the first ones are."""
        return self.weight_range is not None or self.weight_clip is not None

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together."""
        if self.slices > 1 and self.slice_bits is None:
            yield f"slice_bits = {self.slice_bits}: with slices = {self.slices}, set both or none"
        if self.slices == 1:
            self.idle("with slices above 1", "slice_bits")
        elif self.slices * (self.slice_bits or 0) > 23:
            yield f"slices = {self.slices}: times slice_bits more than the 23 bits of single precision"
        if self.weight_range is not None:
            self.idle("without weight_range", "weight_headroom", "weight_clip", "follow_weights")
        if self.mapping != "offset":
            self.idle("with mapping offset", "reference", "reference_lines", "zero")
        if self.reference != "analog":
            self.idle("with reference analog", "reference_lines")
        if self.reference == "device":
            self.idle("with reference digital or analog", "zero")
