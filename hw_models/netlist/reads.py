"""One product of a crossbar as a SPICE circuit: sources behind the DAC, tiles, ammeters, and what they mean.

A signal x behind the DAC, whose full scale is R (1 without one), is V = x V_read/R on its line. Every tile, slice and
side is sensed on its own, as each has ADCs of its own; the current I [A] of a line counts in the product as

    y = sum w_k u (+-I 1e6 R/V_read) - w_k z_k sum x

with w_k the weight of a slice, u = 1/span of a pair and 2/span of a single device [1/uS], the minus sign for the
second device, and z_k = u g_zero of a digital reference, else 0. Reference lines of an analog one are sensed and
subtracted, their mean from each output, or driven with minus their share of the sum
(:mod:`hw_models.arrays.programming`).

What a netlist leaves out: noise of reads, converters and circuits, the ADC, errors of what senses, and what only a
chip with a clock has. A line is held at 0 V by its ammeter, as a perfect virtual ground does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hw_models.arrays import serial
from hw_models.arrays.crossbar import Crossbar
from hw_models.errors import ChipError
from hw_models.netlist.text import comment, name, number, wrapped
from hw_models.netlist.tiles import MICRO, TileCircuit, read_voltage

Array = np.ndarray
SIGNS = (1.0, -1.0)
"""Of both devices of a weight."""
WAYS = ("forward", "transposed")


class TileSide(NamedTuple):
    """Of one side of one tile."""

    slice: int
    side: int
    row: int
    column: int


class Term(NamedTuple):
    """What counts in a product of a sensed line."""

    source: str
    """Node of an ammeter, or of a voltage that stands for a sum."""
    weight: float
    """Weight units to an ampere, or to a volt."""
    ampere: bool = True


class CrossbarCircuit:
    """All tiles of a crossbar as subcircuits, as its devices conduct now.

    Parameters
    ----------
    crossbar : Crossbar
        Programmed.

    Attributes
    ----------
    tiles : dict of TileSide to TileCircuit
        Its subcircuits.

    Raises
    ------
    ChipError
        If devices are no resistors and lines are driven by pulses or digits, which is no DC circuit.
    """

    def __init__(self, crossbar: Crossbar) -> None:
        self.crossbar, self.name, self.device = crossbar, name(crossbar.name), crossbar.device
        own, lines = crossbar.devices, crossbar.device_lines()
        self.tiles: dict[TileSide, TileCircuit] = {}
        curve = self.device if self._bent() else None
        for k in range(own.slices):
            for side in range(own.sides):
                for r, (a, b) in enumerate(own.row_tiles):
                    for c in range(len(own.column_tiles)):
                        g = lines[k, side][self.columns(c), a:b].T.astype(np.float64)
                        title = name("tile", self.name, f"{k}{'pn'[side]}", f"r{r}", f"c{c}")
                        self.tiles[TileSide(k, side, r, c)] = TileCircuit(title, g, crossbar.wires, curve)

    def _bent(self) -> bool:
        """Tell whether devices follow a curve; refuse lines that are driven by pulses or digits then."""
        if self.device.current_voltage.linear:
            return False
        crossbar, dac = self.crossbar, self.crossbar.converters.dac
        if dac.encoding != "amplitude" or max(crossbar.digits(way) for way in WAYS) > 1:
            sent = f"dac.encoding = '{dac.encoding}' and dac.digit_bits = {dac.digit_bits}"
            raise ChipError(f"device.iv = '{self.device.iv}': with {sent} a read is no DC circuit: send codes whole")
        return True

    def columns(self, c: int) -> Array:
        """Return the lines of a column tile: its outputs, and its reference lines behind them, behind all outputs."""
        own = self.crossbar.devices
        begin, end = own.reference_lines[c] if own.references else (0, 0)
        return np.concatenate([np.arange(*own.column_tiles[c]), own.shape[0] + np.arange(begin, end)])

    @property
    def elements(self) -> int:
        """Number of devices and segments, once."""
        return sum(tile.elements for tile in self.tiles.values())

    def statements(self) -> Iterator[str]:
        """Yield the lines of all subcircuits."""
        bar = self.crossbar.layout
        kind = "pair" if bar.mapping == "differential" else f"offset, reference {bar.reference}"
        shape = f"{self.crossbar.shape[0]} outputs, {self.crossbar.shape[1]} inputs"
        yield comment(f"crossbar {self.crossbar.name}: {shape}, {kind}, {len(self.tiles)} tile sides")
        for tile in self.tiles.values():
            yield from tile.statements()

    @cached_property
    def slices(self) -> tuple[list[float], list[float]]:
        """w_k in weight units, and z_k, by slice."""
        crossbar, own = self.crossbar, self.crossbar.devices
        if crossbar.planes:
            return [crossbar.factor(plane) for plane in crossbar.planes], [plane.zero for plane in crossbar.planes]
        zero = float(own.unit * own.zeros[0]) if own.digital else 0.0
        return [crossbar.weight_range], [zero]


@dataclass(frozen=True)
class ReadCircuit:
    """A product of one sample.

    Parameters
    ----------
    circuit : CrossbarCircuit
        What is read.
    way : {"forward", "transposed"}
        Its direction.
    signals : numpy.ndarray
        (driven lines,) ahead of the DAC.
    label : str
        Begins the names of its nodes and elements.
    followed : sequence of str, optional
        Nodes of neurons, 1 V for a state of 1, that drive the lines instead: without a DAC.
    """

    circuit: CrossbarCircuit
    way: str
    signals: Array
    label: str
    followed: Sequence[str] = ()

    @property
    def forward(self) -> bool:
        """Whether inputs are driven and outputs sensed."""
        return self.way == "forward"

    @cached_property
    def codes(self) -> Array:
        """(driven lines,) signals behind the DAC, without its noise, float64."""
        signals = np.ascontiguousarray(self.signals, dtype=self.circuit.crossbar.dtype)[None]
        if self.followed:
            return signals[0].astype(np.float64)
        crossbar = self.circuit.crossbar
        dac, draws = crossbar.converters.of(self.way)[0], (crossbar.keys(self.way).dac, crossbar.step)
        codes = dac(signals, *draws, noiseless=True)[0].astype(np.float64)
        if self.circuit.device.current_voltage.linear:
            return codes
        full = serial.full_scale(dac)
        return np.clip(codes, -full, full)

    @cached_property
    def scale(self) -> float:
        """Signal to a volt."""
        return serial.full_scale(self.circuit.crossbar.converters.of(self.way)[0]) / read_voltage(self.circuit.device)

    @cached_property
    def references(self) -> Array:
        """(reference lines,) codes that drive them in a transposed read: their share of minus the sum of a tile."""
        crossbar, own = self.circuit.crossbar, self.circuit.crossbar.devices
        dac = crossbar.converters.of(self.way)[0]
        full = dac.range if dac.acts and dac.range is not None and not self.followed else np.inf
        found = np.zeros(own.references)
        for (a, b), (begin, end) in zip(own.column_tiles, own.reference_lines, strict=False):
            found[begin:end] = np.clip(-self.codes[a:b].sum() / (end - begin), -full, full)
        return found

    # Names.

    def driven(self, line: int) -> str:
        """Return the node of a driven line."""
        return f"{self.label}_in{line}"

    def sensed(self, place: TileSide, line: int) -> str:
        """Return the node of a sensed line of one side of a tile; behind the last output come reference lines."""
        tile = f"r{place.row}" if self.forward else f"c{place.column}"
        references = line - self.circuit.crossbar.shape[0] if self.forward else -1
        kind = f"ref{references}" if references >= 0 else f"out{line}"
        return f"{self.label}_{place.slice}{'pn'[place.side]}_{tile}_{kind}"

    def instance(self, place: TileSide) -> str:
        """Return the name of the tile in this read, X before it."""
        return f"{self.label}_{place.slice}{'pn'[place.side]}_r{place.row}_c{place.column}"

    def _ends(self, place: TileSide) -> tuple[Array, Array]:
        """Return the numbers of the word lines and bit lines of a tile."""
        return np.arange(*self.circuit.crossbar.devices.row_tiles[place.row]), self.circuit.columns(place.column)

    def _bit_node(self, line: int) -> str:
        """Return the node that drives a bit line."""
        reference = line - self.circuit.crossbar.shape[0]
        return self.driven(line) if reference < 0 else f"{self.label}_ref{reference}"

    # What is written.

    def statements(self) -> Iterator[str]:
        """Yield sources, instances of the tiles, and ammeters with the current that is found here."""
        yield comment(f"{self.circuit.crossbar.name} {self.way}: {len(self.codes)} driven lines")
        yield from self._sources()
        found = self.currents
        for place, tile in self.circuit.tiles.items():
            word, bit = self._ends(place)
            sensed = [self.sensed(place, line) for line in (bit if self.forward else word)]
            driven = [self.driven(i) for i in word] if self.forward else [self._bit_node(j) for j in bit]
            ports = [*driven, *sensed] if self.forward else [*sensed, *driven]
            yield from wrapped([f"X{self.instance(place)}", *ports, tile.name])
            for node in sensed:
                yield f"V{node} {node} 0 DC 0 ; {found[node]:.9g} A"
            if shared := self._shared(place):
                yield from summed(self.mean(place), [(node, 1 / MICRO / len(shared)) for node in shared], "F")
        if any(self.circuit.slices[1]):
            lines = [(self.driven(line), 1.0) for line in range(len(self.codes))]
            yield from summed(self.sum, lines, "G")

    @property
    def sum(self) -> str:
        """Node of the sum of all driven lines, which a digital reference is multiplied with."""
        return f"{self.label}_sum"

    def mean(self, place: TileSide) -> str:
        """Return the node of the mean current of the reference lines of one side of a tile, 1 V for 1 uA."""
        return f"{self.instance(place)}_mean"

    def _shared(self, place: TileSide) -> list[str]:
        """Return the nodes of reference lines that a forward read senses beside the outputs of a tile."""
        lines = self._ends(place)[1] if self.forward else ()
        return [self.sensed(place, line) for line in lines if line >= self.circuit.crossbar.shape[0]]

    def _sources(self) -> Iterator[str]:
        for line, code in enumerate(self.codes):
            node = self.driven(line)
            if self.followed:
                yield f"E{node} {node} 0 {self.followed[line]} 0 {number(1 / self.scale)}"
            else:
                yield f"V{node} {node} 0 DC {number(code / self.scale)}"
        own = self.circuit.crossbar.devices
        if self.forward or not own.references:
            return
        for (a, b), (begin, end) in zip(own.column_tiles, own.reference_lines, strict=True):
            for line in range(begin, end):
                node = f"{self.label}_ref{line}"
                if self.followed:
                    yield from summed(f"{node}_sum", [(self.driven(j), -1 / (end - begin)) for j in range(a, b)], "G")
                    yield f"E{node} {node} 0 {node}_sum 0 1"
                else:
                    yield f"V{node} {node} 0 DC {number(self.references[line] / self.scale)}"

    # What it should give.

    def drives(self, place: TileSide) -> Array:
        """Return the voltages of the driven lines of a tile [V], reference lines last."""
        word, bit = self._ends(place)
        outputs = bit < self.circuit.crossbar.shape[0]
        if self.forward:
            return self.codes[word] / self.scale
        shared = self.references[bit[~outputs] - self.circuit.crossbar.shape[0]]
        return np.concatenate([self.codes[bit[outputs]], shared]) / self.scale

    @cached_property
    def currents(self) -> dict[str, float]:
        """The currents of all ammeters [A], by their nodes."""
        found: dict[str, float] = {}
        for place, tile in self.circuit.tiles.items():
            word, bit = self._ends(place)
            nodes = [self.sensed(place, line) for line in (bit if self.forward else word)]
            found |= dict(zip(nodes, tile.currents(self.way, self.drives(place)).tolist(), strict=True))
        return found

    def terms(self, line: int) -> list[Term]:
        """Return what counts in the product of a sensed line: an output of a forward read, an input of another."""
        own, (factors, zeros) = self.circuit.crossbar.devices, self.circuit.slices
        found = []
        for place in self.circuit.tiles:
            word, bit = self._ends(place)
            if line not in (bit if self.forward else word):
                continue
            weight = factors[place.slice] * own.unit * self.scale * SIGNS[place.side]
            found.append(Term(self.sensed(place, line), weight / MICRO))
            if self._shared(place):
                found.append(Term(self.mean(place), -weight, ampere=False))
        middle = sum(w * z for w, z in zip(factors, zeros, strict=True))
        return [*found, Term(self.sum, -middle * self.scale, ampere=False)] if middle else found

    def product(self, currents: Mapping[str, float]) -> Array:
        """Return the product (sensed lines,) that these currents of the ammeters make, in weight units, float64."""
        known = {**currents, self.sum: float(self.codes.sum()) / self.scale}
        for place in self.circuit.tiles:
            if shared := self._shared(place):
                known[self.mean(place)] = float(np.mean([currents[node] for node in shared])) / MICRO
        lines = range(self.circuit.crossbar.shape[not self.forward])
        return np.array([sum(term.weight * known[term.source] for term in self.terms(line)) for line in lines])


def summed(node: str, terms: Iterable[tuple[str, float]], kind: str) -> Iterator[str]:
    """Yield what makes the voltage of a node a sum: currents of ammeters (F) or voltages of nodes (G), weighted."""
    yield f"R{node} {node} 0 1"
    for place, (source, weight) in enumerate(terms):
        control = f"V{source}" if kind == "F" else f"{source} 0"
        yield f"{kind}{node}_{place} 0 {node} {control} {number(weight)}"
