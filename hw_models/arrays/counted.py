# Tested by tests/hw_models/arrays/test_crossbar.py.
"""What a crossbar did and what a sample takes, as a cost model asks for it.

Counted, with r row tiles, c column tiles and s slices, for every sample of a product:

              forward              transposed
    dac       in c s               (out + reference lines) r s     a line has a DAC in every tile that it drives
    adc       out r s              in c s                          a reference column's current goes before the ADC
    additions out (r s - 1)        in (c s - 1)                    of converted sums, shifts of slices in
    reads     every device         every device                    those of reference lines in
    activations r c s sides        r c s sides                     one array of the chip, once

Codes that are sent in d digits (:mod:`hw_models.arrays.serial`) take d times the DAC and ADC conversions, reads and
activations, their DAC those of a digit's bits, and additions of r s d terms for an output, c s d for an input. An array
of the transposed path's own counts for itself, under its own name.

The sum that drives reference lines takes out - c additions more; a digital reference those of the driven signals' sum
and one subtraction for each result, in - 1 + out forward and out - 1 + in transposed. Readings at the stop are those of
a DAC or ADC that lie beyond its last level, the ADC's by direction. Draws belong to (seed, name, direction, occasion),
the number of the read, the tile and the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import numpy as np

from hw_models.arrays import serial
from hw_models.arrays.loads import PICO, Coding, drawn, shared
from hw_models.arrays.paired import PairedWeights
from hw_models.arrays.programming import Array
from hw_models.tally import Tally

COUNTERS = (
    "dac", "adc", "adc_transposed", "reads", "writes", "additions", "dac_at_stop", "adc_forward_at_stop",
    "adc_transposed_at_stop",
)  # fmt: skip
"""What is counted of a crossbar; see the module. ``adc`` is of both directions, ``adc_transposed`` of one of them."""

WAYS = ("forward", "transposed")
"""Directions of a product."""
OF_INCREMENTS = " of increments"
"""Behind the direction in a crossbar's own tally, where they take another number of conversions."""
KINDS = ("dac", "adc", "addition")
"""What :meth:`CountedWeights.work` counts."""
STOPS = tuple(name for name in COUNTERS if name.endswith("at_stop"))
"""Readings beyond the last level."""

CODINGS: Mapping[str, Coding] = {"square": "amplitude", "charge": "width", "bits": "serial"}
"""What is metered of a read, and how its inputs are coded where that is what counts."""

SUMS = {"dac": "dac", "adc": "adc", "reads": "read", "writes": "write", "additions": "addition"}
"""Counters, and the kind of operation that each is the sum of."""


def totals(performed: Tally) -> dict[str, int]:
    """Return the sums of what crossbars did, :meth:`Crossbar.performed`, by the names of :data:`COUNTERS`."""
    found = {name: performed.total(kind) for name, kind in SUMS.items()}
    found |= {name: performed.number(name) for name in STOPS}
    found["adc_transposed"] = performed.number("adc transposed")
    return {name: found[name] for name in COUNTERS}


class CountedWeights(PairedWeights):
    """What a crossbar holds, and what it did; parameters and attributes: :class:`Crossbar`."""

    tally: Tally
    told: dict[str, int]
    reads: int
    step: int
    _column_edges: Array

    def _count_writes(self, devices: int) -> None:
        self.tally.add(self.name, "write", devices, self.shape)

    def _meter(
        self,
        way: str,
        pulses: Iterable[tuple[Array, Array]],
        full: float,
        curved: Callable[[Array, Array], Array] | None = None,
    ) -> None:
        """Write down what a read has drawn through the devices, as inputs are coded where that is asked for.

        ``pulses`` are what lines are driven with and what devices pass of it, digit by digit; ``curved`` says
        what so many lines pass of a sum that they share, where that is not the sum itself.
        """
        found, asked = self.loads(), self.tally.now.metered
        dac = self.converters.of(way)[0]
        sent = None if dac.converter.bits is None else dac.converter.bits - (not dac.unsigned)
        twos = self.converters.dac.digit_sign == "twos_complement" and not dac.unsigned
        total, forward = 0.0, way == "forward"
        for codes, passed in pulses:
            total += drawn(codes, passed, found.word if forward else found.bit, full, CODINGS[asked], sent, twos)
            if self.devices.references and not forward:
                sums = np.stack([codes[:, a:b].sum(1) for a, b in pairwise(self._column_edges.tolist())], axis=1)
                most = np.array([full * (b - a) for a, b in self.devices.reference_lines], dtype=sums.dtype)
                taken = np.clip(sums, -most, most) if dac.acts else sums
                bent = taken if curved is None else curved(taken, most / full)
                driven = shared(taken, self.devices)
                beside = driven if bent is taken else shared(bent, self.devices)
                total += drawn(driven, beside, found.references, full, CODINGS[asked], sent, twos)
        number = round(total * PICO) if np.isfinite(total) else 0
        self.tally.add(self.name, f"{asked} {way}", number, self.shape)

    def _count(self, way: str, samples: int) -> None:
        self._check_programmed()
        self.reads += 1
        self.step += 1
        self.tally.add(self.name, way, samples, self.shape)

    @property
    def counters(self) -> dict[str, int]:
        """Sums of the tally by the names of :data:`COUNTERS`."""
        return totals(self.performed())

    def performed(self) -> Tally:
        """Return all it did as a cost model asks for it: by direction, shape, bits and phase.

        Of each direction ``"dac forward"``, ``"adc forward"``, ``"addition forward"``, ``"read forward"``, the reads of
        single devices, ``"activation forward"``, and ``"product forward"``, one for all digits of a code; ``"write"``,
        and readings at the stop as in :data:`COUNTERS`.
        """
        found = Tally()
        for done, number in self.tally.rows():
            way = done.operation.removesuffix(OF_INCREMENTS)
            if way not in WAYS:
                found.put(done, number)
                continue
            increments = way != done.operation
            bits = [each.converter.bits for each in self.converters.of(way)]
            digits, sent, span = self.digits(way, increments), self.sent(way, increments), done.span
            bits[0] = bits[0] if digits == 1 else self.converters.dac.digit_bits
            for what, each, resolution in zip(KINDS, self.work(way, increments), (*bits, None), strict=True):
                found.add(self.name, f"{what} {way}", number * each, self.shape, resolution, done.phase, sent, span)
            for what, each in (("read", self.devices.count), ("activation", self.arrays)):
                found.add(self.name, f"{what} {way}", number * digits * each, self.shape, None, done.phase, sent, span)
            found.add(self.name, f"product {way}", number, self.shape, None, done.phase, None, span)
        if self.other is not None:
            found.join(self.other.performed())
        return found

    def digits(self, way: str, increments: bool = False) -> int:
        """Return in how many digits a code of a direction is sent; those of increments have a sign."""
        return serial.digits(self.converters.dac, not increments and self.converters.of(way)[0].unsigned)

    def sent(self, way: str, increments: bool = False) -> int | None:
        """Return the bits of a code of a direction, or of a digit of it, that are sent; None of exact inputs."""
        return serial.sent(self.converters.dac, not increments and self.converters.of(way)[0].unsigned)

    def work(self, way: str, increments: bool = False) -> tuple[int, int, int]:
        """Return DAC conversions, ADC conversions and digital additions of one sample's product; see the module."""
        own, (outputs, inputs) = self.devices, self.shape
        rows, columns, slices = len(own.row_tiles), len(own.column_tiles), own.slices
        middle, digits = max(inputs + outputs - 1, 0) if own.digital else 0, self.digits(way, increments)
        if way == "forward":
            sensed, added = outputs * rows * slices * digits, outputs * (rows * slices * digits - 1) + middle
            return inputs * columns * slices * digits, sensed, added
        summed = (outputs - columns) * digits if own.references else middle
        driven = (outputs + own.references) * rows * slices * digits
        return driven, inputs * columns * slices * digits, inputs * (columns * slices * digits - 1) + summed

    @property
    def arrays(self) -> int:
        """Number of arrays of the chip that it lies on: one for each tile, side and slice."""
        own = self.devices
        return len(own.row_tiles) * len(own.column_tiles) * own.sides * own.slices

    def news(self) -> dict[str, int]:
        """Return what the counters have grown by since this was asked last."""
        grown = {name: number - self.told[name] for name, number in self.counters.items()}
        self.told = dict(self.counters)
        return grown

    def _take_totals(self, counters: Mapping[str, int]) -> None:
        """Take over counters of a state that has no tally, in no phase; samples of either direction from them."""
        count, sensed = self.devices.count, self.work("transposed")[1]
        transposed = counters["adc_transposed"] // sensed if sensed else 0
        forward = (counters["reads"] // count if count else 0) - transposed
        own = {"forward": forward, "transposed": transposed, "write": counters["writes"]}
        self.tally.clear()
        for operation, number in (own | {name: counters[name] for name in STOPS}).items():
            if number:
                self.tally.add(self.name, operation, number, self.shape, phase="")
